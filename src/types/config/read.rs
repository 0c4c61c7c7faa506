//! Reading: every key by its section, in the order of `config.toml`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::check;
use super::defaults::RISK_PER_MARKET;
use super::error::{ConfigError, Problem};
use super::section::{Reading, Section, bps, text, whole};
use super::tree::{self, Node, Table};
use crate::types::config::{
    Account, Alerts, Config, Core, Dashboard, Detector, Executor, MarkRegression, Persistence,
    Position, Risk, RiskMonitor, Runtime, TakerFee, Telemetry, TimeStop, Venue, WebSocket,
};
use crate::types::ids::Coin;
use crate::types::num::{Ratio, Usd};

/// Reads the config from `file` (`None`: defaults alone) with `overrides` of the form
/// `section.key=value` laid over it, and checks all of it.
///
/// Errors: everything that is wrong, at once. A file that cannot be read is one problem.
pub fn load(file: Option<&Path>, overrides: &[String]) -> Result<Config, ConfigError> {
    let Some(path) = file else { return from_text("", "defaults", overrides) };
    let name = path.display().to_string();
    match read_text(path) {
        Ok(text) => from_text(&text, &name, overrides),
        Err(fault) => Err(ConfigError { problems: vec![Problem::new(name, "", None, fault)] }),
    }
}

/// As [`load`], from text that `name` names in problems.
pub fn from_text(text: &str, name: &str, overrides: &[String]) -> Result<Config, ConfigError> {
    let mut problems = Vec::new();
    let mut table = tree::parse(text, name, &mut problems);
    // With the file's text in doubt, every key it may have set would be told as wrong or missing.
    if problems.iter().any(|problem| problem.path.starts_with("line ")) {
        return Err(ConfigError { problems });
    }
    for over in overrides {
        tree::set(&mut table, over, &mut problems);
    }
    let mut reading = Reading::new(problems);
    let config = config(&mut reading, table);
    check::config(&mut reading, &config);
    let problems = reading.finish();
    if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
}

/// Whether one of `overrides` sets the key at `path`, such as `persistence.data_dir`: by itself, or within a
/// section that is set whole.
pub fn is_set(overrides: &[String], path: &str) -> bool {
    let (mut table, mut problems) = (Table::new(), Vec::new());
    for over in overrides {
        tree::set(&mut table, over, &mut problems);
    }
    let mut inner = &table;
    for key in path.split('.') {
        match inner.get(key).map(|entry| &entry.node) {
            None => return false,
            Some(Node::Table(next)) => inner = next,
            Some(_) => return true,
        }
    }
    true
}

/// Larger files are no configs.
const MAX_FILE: u64 = 1 << 20;

fn read_text(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("expected a config of at most {MAX_FILE} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("expected UTF-8 text; byte {at} is none")
    })
}

/// An hour and a day, in the units of the keys.
const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 86_400;
const DAY_MS: u64 = 86_400_000;

/// Largest cost, slippage or distance that means anything: beyond it a key was mistaken for
/// another unit.
const MAX_BPS: i32 = 1_000;

/// Largest sum of money that a key takes.
const MAX_USD: Usd = Usd::from_units(1_000_000_000 * 1_000_000);

fn config(reading: &mut Reading, root: Table) -> Config {
    let default = Config::default();
    // The sections are taken first, so that problems come in the order of the file.
    let names = [
        "venue",
        "account",
        "websocket",
        "risk",
        "detector",
        "executor",
        "position",
        "time_stop",
        "mark_regression",
        "risk_monitor",
        "persistence",
        "dashboard",
        "alerts",
        "telemetry",
        "runtime",
    ];
    let (mode, tables) = reading
        .section("", root, |s| (s.word("mode", default.mode), names.map(|name| s.table(name))));
    let [
        venue,
        account,
        websocket,
        risk,
        detector,
        executor,
        position,
        time_stop,
        mark_regression,
        risk_monitor,
        persistence,
        dashboard,
        alerts,
        telemetry,
        runtime,
    ] = tables;
    Config {
        mode,
        venue: reading.section("venue", venue, |s| read_venue(s, default.venue)),
        account: reading.section("account", account, read_account),
        websocket: reading
            .section("websocket", websocket, |s| read_websocket(s, &default.websocket)),
        risk: reading.section("risk", risk, |s| read_risk(s, &default.risk)),
        detector: read_detector(reading, detector, default.detector),
        executor: reading.section("executor", executor, |s| read_executor(s, &default.executor)),
        position: read_position(reading, position, &default.position),
        time_stop: reading
            .section("time_stop", time_stop, |s| read_time_stop(s, &default.time_stop)),
        mark_regression: reading.section("mark_regression", mark_regression, |s| {
            read_mark_regression(s, &default.mark_regression)
        }),
        risk_monitor: reading
            .section("risk_monitor", risk_monitor, |s| read_risk_monitor(s, &default.risk_monitor)),
        persistence: reading
            .section("persistence", persistence, |s| read_persistence(s, default.persistence)),
        dashboard: reading
            .section("dashboard", dashboard, |s| read_dashboard(s, &default.dashboard)),
        alerts: reading.section("alerts", alerts, |s| read_alerts(s, &default.alerts)),
        telemetry: reading
            .section("telemetry", telemetry, |s| read_telemetry(s, default.telemetry)),
        runtime: reading.section("runtime", runtime, |s| read_runtime(s, &default.runtime)),
    }
}

fn read_venue(s: &mut Section<'_>, d: Venue) -> Venue {
    let network = s.word("network", d.network);
    let (ws, rest) = network.urls().unwrap_or_default();
    let ws_rule = "wss://host[:port][/path], or ws:// to loopback";
    let rest_rule = "https://host[:port] without a path, or http:// to loopback";
    Venue {
        network,
        ws_url: s.take("ws_url", ws.to_owned(), ws_rule, |node| check::ws_url(text(node)?)),
        rest_url: s
            .take("rest_url", rest.to_owned(), rest_rule, |node| check::rest_url(text(node)?)),
        dexes: s.list(
            "dexes",
            d.dexes,
            "dex names of 1 to 20 printable characters without \":\"",
            |node| dex(text(node)?),
        ),
        md_ready_timeout: s.millis("md_ready_timeout_ms", 1..=600_000, d.md_ready_timeout),
        meta_refresh: s.secs("meta_refresh_s", 1..=DAY_S, d.meta_refresh),
        max_meta_age: s.secs("max_meta_age_s", 1..=DAY_S, d.max_meta_age),
        include: s.list("include", d.include, COINS, |node| coin(text(node)?)),
        exclude: s.list("exclude", d.exclude, COINS, |node| coin(text(node)?)),
    }
}

const COINS: &str = "coin names such as \"xyz:TSLA\"";

fn dex(name: &str) -> Option<String> {
    let fits = name.len() <= 20 && Coin::new(name).is_some() && !name.contains(':');
    fits.then(|| name.to_owned())
}

fn coin(name: &str) -> Option<String> {
    Coin::new(name).map(|coin| coin.to_string())
}

fn read_account(s: &mut Section<'_>) -> Account {
    let rule = "an address, 0x and 40 hex digits";
    Account {
        user_address: s.take("user_address", None, rule, |node| address(text(node)?).map(Some)),
        vault_address: s.take("vault_address", None, rule, |node| address(text(node)?).map(Some)),
        key_file: s.path_or_none("key_file"),
    }
}

/// Lower-cased, as signed actions need it (PROTOCOL.md §0).
fn address(text: &str) -> Option<String> {
    let digits = text.strip_prefix("0x")?;
    let hex = digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| text.to_ascii_lowercase())
}

fn read_websocket(s: &mut Section<'_>, d: &WebSocket) -> WebSocket {
    WebSocket {
        // The venue closes a connection after 60 s without a word (PROTOCOL.md §1); more than ten
        // pings a second would eat its message limit.
        heartbeat_interval: s.millis("heartbeat_interval_ms", 3_000..=55_000, d.heartbeat_interval),
        silence_ping: s.millis("silence_ping_ms", 3_000..=55_000, d.silence_ping),
        pong_timeout: s.millis("pong_timeout_ms", 100..=60_000, d.pong_timeout),
        reconnect_base_delay: s.millis(
            "reconnect_base_delay_ms",
            1..=600_000,
            d.reconnect_base_delay,
        ),
        reconnect_max_delay: s.millis("reconnect_max_delay_ms", 1..=600_000, d.reconnect_max_delay),
    }
}

fn read_risk(s: &mut Section<'_>, d: &Risk) -> Risk {
    let multiplier = Ratio::ONE..=Ratio::from_units(1_000 * Ratio::ONE.units());
    Risk {
        max_bbo_age: s.millis_or_off("max_bbo_age_ms", 1..=600_000, d.max_bbo_age),
        max_ctx_age: s.millis_or_off("max_ctx_age_ms", 1..=600_000, d.max_ctx_age),
        max_feed_lag: s.millis_or_off("max_feed_lag_ms", 1..=600_000, d.max_feed_lag),
        max_mark_mid_divergence: s.bps_or(
            "max_mark_mid_divergence_bps",
            10_000,
            "off",
            d.max_mark_mid_divergence,
        ),
        spread_shock_multiplier: s.ratio(
            "spread_shock_multiplier",
            multiplier,
            d.spread_shock_multiplier,
        ),
        spread_ewma_alpha: s.ratio("spread_ewma_alpha", fraction(), d.spread_ewma_alpha),
        min_ewma_samples: s.count("min_ewma_samples", 1..=1_000_000, d.min_ewma_samples),
    }
}

/// Above 0, at most 1.
fn fraction() -> std::ops::RangeInclusive<Ratio> {
    Ratio::from_units(1)..=Ratio::ONE
}

fn read_detector(reading: &mut Reading, table: Table, d: Detector) -> Detector {
    let (mut detector, markets) = reading.section("detector", table, |s| {
        let fee = match d.taker_fee {
            TakerFee::Auto => None,
            TakerFee::Fixed(bps) => Some(bps),
        };
        let mut detector = Detector {
            taker_fee: s
                .bps_or("taker_fee_bps", MAX_BPS, "auto", fee)
                .map_or(TakerFee::Auto, TakerFee::Fixed),
            slippage: s.bps("slippage_bps", MAX_BPS, d.slippage),
            min_edge: s.bps("min_edge_bps", MAX_BPS, d.min_edge),
            max_edge: s.bps("max_edge_bps", MAX_BPS, d.max_edge),
            sizing_alpha: s.ratio("sizing_alpha", fraction(), d.sizing_alpha),
            max_notional: s.usd("max_notional", false, MAX_USD, d.max_notional),
            min_book_notional: s.usd("min_book_notional", true, MAX_USD, d.min_book_notional),
            normal_book_notional: s.usd(
                "normal_book_notional",
                false,
                MAX_USD,
                d.normal_book_notional,
            ),
            resignal_interval: s.millis("resignal_interval_ms", 1..=3_600_000, d.resignal_interval),
            entry_latencies_ms: s.list(
                "entry_latencies_ms",
                d.entry_latencies_ms,
                "milliseconds in 1..=60000",
                |node| whole(node, &(1..=60_000)),
            ),
            thresholds: Vec::new(),
        };
        detector.entry_latencies_ms.sort_unstable();
        (detector, s.table("markets"))
    });
    let markets = reading.section("detector.markets", markets, |s| s.tables());
    for (name, table) in markets {
        let path = tree::join("detector.markets", &name);
        let threshold = reading.section(&path, table, |s| {
            let rule = format!("basis points in 0..={MAX_BPS}");
            s.take("threshold_bps", None, &rule, |node| bps(node, MAX_BPS).map(Some))
        });
        if let Some(threshold) = threshold {
            detector.thresholds.push((name, threshold));
        }
    }
    detector
}

fn read_executor(s: &mut Section<'_>, d: &Executor) -> Executor {
    Executor {
        dispatch: s.word("dispatch", d.dispatch),
        tick: s.millis("tick_ms", 1..=10_000, d.tick),
        entry_slippage: s.bps("entry_slippage_bps", MAX_BPS, d.entry_slippage),
        order_timeout: s.millis("order_timeout_ms", 100..=60_000, d.order_timeout),
        expires_after: s.millis("expires_after_ms", 100..=60_000, d.expires_after),
        presign_pool: s.count("presign_pool", 0..=65_536, d.presign_pool),
        exit_budget_reserve: s.count("exit_budget_reserve", 0..=1_000_000, d.exit_budget_reserve),
        rest_exit_after: s.millis("rest_exit_after_ms", 0..=600_000, d.rest_exit_after),
    }
}

fn read_position(reading: &mut Reading, table: Table, d: &Position) -> Position {
    let (mut position, sizing) = reading.section("position", table, |s| {
        let position = Position {
            max_concurrent_positions: s.count(
                "max_concurrent_positions",
                0..=1_000,
                d.max_concurrent_positions,
            ),
            max_total_notional: s.usd("max_total_notional", true, MAX_USD, d.max_total_notional),
            max_notional_per_market: s.usd(
                "max_notional_per_market",
                true,
                MAX_USD,
                d.max_notional_per_market,
            ),
            leverage: s.count("leverage", 1..=50, d.leverage),
            resync_interval: s.secs("resync_interval_s", 5..=DAY_S, d.resync_interval),
            max_account_age: s.secs("max_account_age_s", 5..=DAY_S, d.max_account_age),
            flatten_on_shutdown: s.flag("flatten_on_shutdown", d.flatten_on_shutdown),
            risk_per_market: None,
        };
        (position, s.table("dynamic_sizing"))
    });
    position.risk_per_market = reading.section("position.dynamic_sizing", sizing, |s| {
        let enabled = s.flag("enabled", d.risk_per_market.is_some());
        let default = d.risk_per_market.unwrap_or(RISK_PER_MARKET);
        let share = s.ratio("risk_per_market_pct", fraction(), default);
        enabled.then_some(share)
    });
    position
}

fn read_time_stop(s: &mut Section<'_>, d: &TimeStop) -> TimeStop {
    TimeStop {
        threshold: s.millis("threshold_ms", 1..=DAY_MS, d.threshold),
        reduce_only_timeout: s.millis(
            "reduce_only_timeout_ms",
            100..=3_600_000,
            d.reduce_only_timeout,
        ),
        slippage: s.bps("slippage_bps", MAX_BPS, d.slippage),
    }
}

fn read_mark_regression(s: &mut Section<'_>, d: &MarkRegression) -> MarkRegression {
    MarkRegression {
        enabled: s.flag("enabled", d.enabled),
        exit_threshold: s.bps("exit_threshold_bps", MAX_BPS, d.exit_threshold),
        check_interval: s.millis("check_interval_ms", 1..=60_000, d.check_interval),
        min_holding_time: s.millis("min_holding_time_ms", 0..=DAY_MS, d.min_holding_time),
        slippage: s.bps("slippage_bps", MAX_BPS, d.slippage),
    }
}

fn read_risk_monitor(s: &mut Section<'_>, d: &RiskMonitor) -> RiskMonitor {
    RiskMonitor {
        max_consecutive_failures: s.count(
            "max_consecutive_failures",
            1..=1_000,
            d.max_consecutive_failures,
        ),
        max_loss: s.usd("max_loss_usd", true, MAX_USD, d.max_loss),
        max_daily_loss: s.usd("max_daily_loss_usd", true, MAX_USD, d.max_daily_loss),
        max_flatten_failures: s.count("max_flatten_failures", 1..=1_000, d.max_flatten_failures),
        window: s.secs("window_s", 1..=7 * DAY_S, d.window),
    }
}

fn read_persistence(s: &mut Section<'_>, d: Persistence) -> Persistence {
    Persistence {
        data_dir: s.path("data_dir", d.data_dir),
        flush_interval: s.secs("flush_interval_s", 1..=HOUR_S, d.flush_interval),
    }
}

fn read_dashboard(s: &mut Section<'_>, d: &Dashboard) -> Dashboard {
    Dashboard {
        enabled: s.flag("enabled", d.enabled),
        bind: s.take("bind", d.bind, "address:port, for example \"127.0.0.1:8080\"", |node| {
            text(node)?.parse().ok()
        }),
        update_interval: s.millis("update_interval_ms", 10..=60_000, d.update_interval),
        max_connections: s.count("max_connections", 1..=1_000, d.max_connections),
        token_file: s.path_or_none("token_file"),
    }
}

fn read_alerts(s: &mut Section<'_>, d: &Alerts) -> Alerts {
    let rule = "a chat's number, or \"@\" and a channel's name";
    Alerts {
        enabled: s.flag("enabled", d.enabled),
        format: s.word("format", d.format),
        url_file: s.path_or_none("url_file"),
        telegram_chat_id: s.take("telegram_chat_id", None, rule, |node| chat(node).map(Some)),
        min_interval: s.secs("min_interval_s", 1..=DAY_S, d.min_interval),
        max_per_hour: s.count("max_per_hour", 1..=3_600, d.max_per_hour),
    }
}

/// As Telegram names chats: a number, below zero for groups, or a public name.
fn chat(node: &Node) -> Option<String> {
    let text = match node {
        Node::Integer(text) | Node::Text(text) => text,
        _ => return None,
    };
    let name = |name: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        (1..=64).contains(&name.len()) && name.bytes().all(plain)
    };
    let known = text.parse::<i64>().is_ok() || text.strip_prefix('@').is_some_and(name);
    known.then(|| text.clone())
}

fn read_telemetry(s: &mut Section<'_>, d: Telemetry) -> Telemetry {
    Telemetry {
        log_level: s.word("log_level", d.log_level),
        log_format: s.word("log_format", d.log_format),
        latency_dir: s.path("latency_dir", d.latency_dir),
        latency_interval: s.secs("latency_interval_s", 1..=HOUR_S, d.latency_interval),
    }
}

fn read_runtime(s: &mut Section<'_>, d: &Runtime) -> Runtime {
    let rule = "a core's index in 0..=1023, \"auto\" or \"none\"";
    let core = |node: &Node| match text(node) {
        Some("auto") => Some(Core::Auto),
        Some("none") => Some(Core::None),
        Some(_) => None,
        None => whole(node, &(0..=1_023)).map(Core::Index),
    };
    Runtime {
        hot_core: s.take("hot_core", d.hot_core, rule, core),
        cold_core: s.take("cold_core", d.cold_core, rule, core),
        busy_poll: s.flag("busy_poll", d.busy_poll),
    }
}
