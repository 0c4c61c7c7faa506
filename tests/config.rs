//! What the config promises: exact values, every problem at once, and never a secret shown.

use std::path::Path;

use hip3::types::config::{
    AlertFormat, Config, ConfigError, Core, Dispatch, LogFormat, LogLevel, Network, TakerFee,
    from_text, is_set, load,
};
use hip3::types::num::{Bps, Ratio, Usd};
use hip3::types::record::Mode;
use hip3::types::time::Nanos;
use proptest::prelude::*;

const SHIPPED: &str = include_str!("../config.toml");

fn read(text: &str) -> Result<Config, ConfigError> {
    from_text(text, "config.toml", &[])
}

fn set(overrides: &[&str]) -> Result<Config, ConfigError> {
    let overrides: Vec<String> = overrides.iter().map(|&over| over.to_owned()).collect();
    load(None, &overrides)
}

/// The problems of a text, one a line.
#[track_caller]
fn problems(text: &str) -> String {
    read(text).expect_err("a refusal").to_string()
}

#[track_caller]
fn set_problems(overrides: &[&str]) -> String {
    set(overrides).expect_err("a refusal").to_string()
}

/// Every key with its value on the line, as the shipped file has them: path, value, comment.
/// Keys in comments count, with their values.
fn shipped_keys() -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in SHIPPED.lines() {
        let line = line.trim_start_matches("# ");
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            section = name.0.to_owned();
        } else if let Some((key, rest)) = line.split_once(" = ")
            && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        {
            let (value, comment) = rest.split_once(" #").unwrap_or((rest, ""));
            let path = if section.is_empty() { key.into() } else { format!("{section}.{key}") };
            keys.push((path, value.trim().to_owned(), comment.trim().to_owned()));
        }
    }
    keys
}

#[test]
fn the_shipped_file_says_the_defaults() {
    assert_eq!(read(SHIPPED), Ok(Config::default()));
    assert_eq!(read(""), Ok(Config::default()));
    assert_eq!(load(None, &[]), Ok(Config::default()));
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml");
    assert_eq!(load(Some(&shipped), &[]), Ok(Config::default()));
}

#[test]
fn the_shipped_file_names_every_key() {
    let keys: Vec<String> = shipped_keys().into_iter().map(|(path, _, _)| path).collect();
    let mut section = String::new();
    let mut seen = 0;
    for line in Config::default().to_toml().lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some(key) = line.trim_start_matches("# ").split(' ').next()
            && !key.is_empty()
        {
            let path = if section.is_empty() { key.into() } else { format!("{section}.{key}") };
            assert!(keys.contains(&path), "config.toml does not name {path}");
            seen += 1;
        }
    }
    assert_eq!(seen, keys.len() - 1, "one key of config.toml is for a market of its own");
}

#[test]
fn the_ranges_in_the_shipped_file_are_the_ones_enforced() {
    let mut ranges = 0;
    for (path, _, comment) in shipped_keys() {
        let Some((low, high)) = comment.split_once("..=") else { continue };
        let low: u64 = low.rsplit(' ').next().expect("a bound").parse().expect("a number");
        let digits = high.find(|c: char| !c.is_ascii_digit()).unwrap_or(high.len());
        let high: u64 = high[..digits].parse().expect("a number");
        ranges += 1;
        // Rules over several keys may refuse a bound; the range itself must not.
        let out_of_range = |value: String| match set(&[&format!("{path}={value}")]) {
            Ok(_) => false,
            Err(error) => error
                .problems
                .iter()
                .any(|problem| problem.path == path && problem.fault.contains("..=")),
        };
        for inside in [low, high] {
            assert!(!out_of_range(inside.to_string()), "{path} = {inside}");
        }
        assert!(out_of_range((high + 1).to_string()), "{path} = {}", high + 1);
        if low > 0 {
            assert!(out_of_range((low - 1).to_string()), "{path} = {}", low - 1);
        }
        assert!(out_of_range("-1".to_owned()), "{path} = -1");
    }
    assert!(ranges > 35, "only {ranges} ranges found");
}

#[test]
fn every_key_refuses_a_value_of_the_wrong_type() {
    let mut refused = 0;
    for (path, _, _) in shipped_keys() {
        // A table fits no key; a date, a flag and a number fit few.
        for value in ["{ a = 1 }", "[[1]]", "nan", "1e3", "-inf"] {
            let text = format!("{path} = {value}\n");
            let error = read(&text).expect_err(&text);
            let problem = error.problems.first().expect("a problem");
            let list = problem.path.starts_with(&format!("{path}["));
            assert!(problem.path == path || list, "{text}: {problem}");
            assert!(problem.fault.starts_with("expected "), "{text}: {problem}");
            refused += 1;
        }
    }
    assert!(refused > 300, "only {refused} refusals");
}

#[test]
fn a_problem_names_path_value_and_what_was_expected() {
    assert_eq!(
        problems("[risk]\nmax_ctx_age_ms = 700_000"),
        "config.toml: risk.max_ctx_age_ms = 700_000: expected milliseconds in 1..=600000, or \"off\""
    );
    assert_eq!(
        problems("mode = \"paper\""),
        "config.toml: mode = \"paper\": expected \"observation\" or \"trading\""
    );
    assert_eq!(
        problems("venue.dexes = [\"xyz\", 3]"),
        "config.toml: venue.dexes[1] = 3: expected dex names of 1 to 20 printable characters \
         without \":\""
    );
    assert_eq!(
        problems("[detector.markets.\"io:A\"]\nthreshold_bps = 1"),
        "config.toml: detector.markets.\"io:A\": \"io:A\" is of dex \"io\", which is not in \
         venue.dexes (xyz)"
    );
    assert_eq!(problems("risk = 5"), "config.toml: risk = 5: expected a table");
    assert_eq!(
        set_problems(&["detector.sizing_alpha=0"]),
        "--set: detector.sizing_alpha = 0: expected a number above 0 and at most 1"
    );
}

#[test]
fn an_unknown_key_names_the_nearest() {
    for (text, line) in [
        (
            "[risk]\nmax_ctx_ag_ms = 1",
            "config.toml: risk.max_ctx_ag_ms: unknown key; did you mean \"max_ctx_age_ms\"?",
        ),
        ("[riks]\n", "config.toml: riks: unknown key; did you mean \"risk\"?"),
        ("[venue]\nzzzzzz = 1", "config.toml: venue.zzzzzz: unknown key"),
        (
            "slippage-bps = 1",
            "config.toml: slippage-bps: unknown key; did you mean \"detector.slippage_bps\"?",
        ),
        (
            "[detector.markets.\"xyz:TSLA\"]\nthreshold = 3",
            "config.toml: detector.markets.\"xyz:TSLA\".threshold: unknown key; did you mean \
             \"threshold_bps\"?",
        ),
        ("\"a\\u001b[2J\" = 1", "config.toml: \"a\\u{1b}[2J\": unknown key"),
    ] {
        assert_eq!(problems(text), line);
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "mode = 1\n[risk]\nmax_bbo_age_ms = 0\nmax_bbo_age = 1\n[venue]\ndexes = []\n\
                [dashboard]\nbind = \"0.0.0.0:80\"\n[runtime]\nhot_core = 2\ncold_core = 2\n";
    let error = read(text).expect_err("a refusal");
    let mut paths: Vec<&str> = error.problems.iter().map(|p| p.path.as_str()).collect();
    paths.sort_unstable();
    let expected = [
        "dashboard.bind",
        "mode",
        "risk.max_bbo_age",
        "risk.max_bbo_age_ms",
        "runtime.cold_core",
        "venue.dexes",
    ];
    assert_eq!(paths, expected, "{error}");
}

#[test]
fn every_syntax_error_has_its_line_and_column_and_shows_nothing() {
    let text = "mode = \"observation\"\ndexes = hunter2hunter2\n= 5\n";
    let told = problems(text);
    assert!(told.contains("config.toml: line 2, column "), "{told}");
    assert!(told.contains("config.toml: line 3, column "), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn secrets_are_refused_wherever_they_stand_and_never_shown() {
    let hex = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
    for text in [
        format!("private_key = \"0x{hex}\""),
        format!("[account]\nkey_file = \"0x{hex}\""),
        format!("[account]\nkey_file = {hex}"),
        format!("[account]\nkey_file = 0x{hex}"),
        format!("[account]\nkey_file = 0x{hex}\nbroken"),
        format!("[venue]\ndexes = [\"xyz\", \"{hex}\"]"),
        format!("[risk]\nmax_bbo_age_ms = {{ x = [\"0x{hex}\"] }}"),
        format!("0x{hex} = 1"),
        format!("[\"0x{hex}\"]\na = 1"),
        format!("[account.\"{hex}\"]\nunknown = 1"),
        format!("mode = '''\n{hex}'''"),
        format!("# {hex}\nmode = 3 # {hex}"),
        format!("venue.ws_url = \"wss://me:{hex}@h/ws\""),
    ] {
        let error = read(&text).expect_err(&text);
        for told in [error.to_string(), format!("{error:?}")] {
            assert!(!told.contains(&hex[..8]), "{text:?} was told as {told}");
        }
    }
    for name in ["private_key", "secret", "mnemonic", "api_key", "password", "token", "PrivateKey"]
    {
        for text in [
            format!("[account]\n{name} = \"hunter2\""),
            format!("{name} = \"hunter2\""),
            format!("[venue]\ndexes = [{{ {name} = \"hunter2\" }}]"),
            format!("[detector.markets.\"xyz:TSLA\"]\n{name} = \"hunter2\""),
        ] {
            let told = problems(&text);
            assert!(told.contains("HIP3_PRIVATE_KEY") && told.contains("account.key_file"));
            assert!(!told.contains("hunter2"), "{told}");
        }
        let told = set_problems(&[&format!("account.{name}=hunter2")]);
        assert!(told.contains("HIP3_PRIVATE_KEY") && !told.contains("hunter2"), "{told}");
    }
    for over in [format!("account.key_file=0x{hex}"), format!("0x{hex}"), format!("{hex}=1")] {
        let told = set_problems(&[&over]);
        assert!(!told.contains(&hex[..8]), "{told}");
    }
    // A key that is nearly right is no less a secret.
    let told = problems("[account]\nprivat_kee = \"hunter2\"");
    assert!(told.contains("unknown key") && !told.contains("hunter2"), "{told}");
}

#[test]
fn the_url_of_alerts_is_refused_wherever_it_stands_and_never_shown() {
    let told = |text: &str| {
        let told = problems(text);
        assert!(told.contains("HIP3_ALERT_URL") && told.contains("alerts.url_file"), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    };
    for key in ["url", "webhook_url", "URL", "token", "telegram_bot_token", "secret"] {
        told(&format!("[alerts]\n{key} = \"https://hooks.example.org/s3cret\""));
    }
    told("[alerts]\nurl_file = \"https://hooks.example.org/s3cret\"");
    told("[alerts]\ntelegram_chat_id = \"https://hooks.example.org/s3cret\"");
    for url in [
        "https://discord.com/api/webhooks/1/s3cret",
        "https://hooks.slack.com/services/s3cret",
        "https://api.telegram.org/bot1:s3cret/sendMessage",
    ] {
        told(&format!("[persistence]\ndata_dir = \"{url}\""));
        told(&format!("\"{url}\" = 1"));
        for over in [format!("alerts.url={url}"), format!("alerts.url_file={url}"), url.to_owned()]
        {
            let told = set_problems(&[&over]);
            assert!(!told.contains("s3cret"), "{over}: {told}");
        }
    }
}

#[test]
fn overrides_win_and_are_toml_or_else_text() {
    let config = from_text(
        "[risk]\nmax_bbo_age_ms = 5\n[detector.markets.\"xyz:A\"]\nthreshold_bps = 1",
        "config.toml",
        &[
            "mode=trading",
            "account.user_address=0x00000000000000000000000000000000000000aa",
            "risk.max_bbo_age_ms = \"off\"",
            "risk.max_ctx_age_ms=off",
            "venue.dexes=[\"xyz\", \"io\"]",
            "detector.markets.\"io:B.C=D\".threshold_bps=7.9",
            "persistence.data_dir=2026-01-01",
            "dashboard.bind=127.0.0.1:9",
            "runtime.hot_core=3",
        ]
        .map(str::to_owned),
    )
    .expect("a config");
    assert_eq!(config.mode, Mode::Trading);
    assert_eq!((config.risk.max_bbo_age, config.risk.max_ctx_age), (None, None));
    assert_eq!(config.venue.dexes, ["xyz", "io"]);
    let bps = |text: &str| Bps::parse(text.as_bytes()).expect("basis points");
    let thresholds = [("io:B.C=D".to_owned(), bps("7.9")), ("xyz:A".to_owned(), bps("1"))];
    assert_eq!(config.detector.thresholds, thresholds);
    assert_eq!(config.persistence.data_dir, Path::new("2026-01-01"));
    assert_eq!(config.dashboard.bind.port(), 9);
    assert_eq!(config.runtime.hot_core, Core::Index(3));

    for over in ["risk.max_bbo_age_ms", "", "=", "=5", "risk.=5", ".a=5"] {
        let told = set_problems(&[over]);
        assert!(told.contains("expected section.key=value"), "{over}: {told}");
    }
    let told = set_problems(&["risk.max_bbo_age=5", "mode=paper"]);
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn numbers_are_exact() {
    let config = read(
        "[detector]\nsizing_alpha = 0.1\nmax_notional = 0.1\nmin_edge_bps = 7.9\n\
         taker_fee_bps = 0.9\nmin_book_notional = 1_000.000_001\n[risk]\nspread_ewma_alpha = 0.3\n",
    )
    .expect("a config");
    assert_eq!(config.detector.sizing_alpha, Ratio::from_units(100_000_000));
    assert_eq!(config.detector.max_notional, Usd::from_units(100_000));
    assert_eq!(Some(config.detector.min_edge), Bps::parse(b"7.9"));
    assert_eq!(config.detector.taker_fee, TakerFee::Fixed(Bps::parse(b"0.9").expect("bps")));
    assert_eq!(config.detector.min_book_notional, Usd::from_units(1_000_000_001));
    assert_eq!(config.risk.spread_ewma_alpha, Ratio::from_units(300_000_000));
    // Finer than the type holds is refused, not rounded.
    assert!(problems("detector.max_notional = 0.0000001").contains("expected USD"));
    assert!(problems("detector.sizing_alpha = 0.0000000001").contains("expected a number"));
}

#[test]
fn impossible_combinations_are_refused() {
    let custom = "[venue]\nnetwork = \"custom\"\n";
    for (text, path, word) in [
        (custom, "venue.network", "venue.ws_url and venue.rest_url"),
        ("venue.ws_url = \"wss://h/ws\"", "venue.ws_url", "custom"),
        ("venue.rest_url = \"https://h\"", "venue.rest_url", "custom"),
        ("venue.ws_url = \"ws://example.org/ws\"", "venue.ws_url", "loopback"),
        ("venue.rest_url = \"http://example.org\"", "venue.rest_url", "loopback"),
        ("venue.dexes = []", "venue.dexes", "at least one"),
        ("venue.dexes = [\"xyz\", \"io\", \"xyz\"]", "venue.dexes", "\"xyz\" twice"),
        ("venue.dexes = [\"\"]", "venue.dexes[0]", "dex names"),
        ("venue.dexes = [\"a:b\"]", "venue.dexes[0]", "dex names"),
        ("venue.include = [\"TSLA\"]", "venue.include", "names no dex"),
        ("venue.include = [\"io:A\"]", "venue.include", "\"io\""),
        ("venue.exclude = [\"xyz:\"]", "venue.exclude", "no coin"),
        ("venue.exclude = [\"xyz:A\", \"xyz:A\"]", "venue.exclude", "twice"),
        ("venue = { include = [\"xyz:A\"], exclude = [\"xyz:A\"] }", "venue.exclude", "xyz:A"),
        ("venue.meta_refresh_s = 3", "venue.meta_refresh_s", "at least 16 s"),
        ("account.user_address = \"0x12\"", "account.user_address", "40 hex"),
        ("websocket.reconnect_base_delay_ms = 60001", "websocket.reconnect_base_delay_ms", "max"),
        ("websocket.reconnect_max_delay_ms = 999", "websocket.reconnect_max_delay_ms", "base"),
        ("detector.min_book_notional = 5000.1", "detector.min_book_notional", "normal"),
        ("detector.normal_book_notional = 499", "detector.normal_book_notional", "min_book"),
        ("detector.entry_latencies_ms = [50, 200, 50]", "detector.entry_latencies_ms", "50 twice"),
        (
            "detector.markets.\"io:A\".threshold_bps = 1",
            "detector.markets.\"io:A\"",
            "not in venue.dexes",
        ),
        ("mode = \"trading\"", "mode", "needs account.user_address"),
        (
            "account.user_address = \"0xAB00000000000000000000000000000000000000\"\n\
             account.vault_address = \"0xab00000000000000000000000000000000000000\"",
            "account.vault_address",
            "leave it out",
        ),
        ("risk.max_feed_lag_ms = 0", "risk.max_feed_lag_ms", "\"off\""),
        ("venue.max_meta_age_s = 0", "venue.max_meta_age_s", "1..=86400"),
        ("mode = \"trading\"\nvenue.max_meta_age_s = 60", "venue.max_meta_age_s", "more than"),
        (
            "mode = \"trading\"\nposition.resync_interval_s = 300",
            "position.resync_interval_s",
            "more than position.resync_interval_s (300)",
        ),
        ("position.leverage = 0", "position.leverage", "1..=50"),
        ("mode = \"trading\"\ndetector.max_notional = 9", "detector.max_notional", "at least 10"),
        (
            "mode = \"trading\"\nposition.max_total_notional = 9.999999",
            "position.max_total_notional",
            "at least 10",
        ),
        (
            "mode = \"trading\"\nposition.max_notional_per_market = 9",
            "position.max_notional_per_market",
            "0 allows no entry",
        ),
        ("dashboard.bind = \"0.0.0.0:8080\"", "dashboard.bind", "token_file"),
        ("dashboard.bind = \"[::]:8080\"", "dashboard.bind", "token_file"),
        (
            "alerts.enabled = true\nalerts.format = \"telegram\"",
            "alerts.format",
            "needs alerts.telegram_chat_id",
        ),
        ("alerts.telegram_chat_id = \"news\"", "alerts.telegram_chat_id", "chat's number"),
        ("alerts.format = \"slack\"", "alerts.format", "\"discord\""),
        ("runtime.hot_core = 1\nruntime.cold_core = 1", "runtime.cold_core", "both 1"),
    ] {
        let error = read(text).expect_err(text);
        let found = error.problems.iter().any(|p| p.path == path && p.fault.contains(word));
        assert!(found, "{text}: {error}");
    }
}

#[test]
fn odd_but_possible_combinations_are_taken() {
    for text in [
        "detector.min_book_notional = 5000",
        "detector.max_edge_bps = 0",
        "detector.markets.\"xyz:A\".threshold_bps = 500",
        "mode = \"trading\"\naccount.user_address = \"0x00000000000000000000000000000000000000aa\"\n\
         position.max_notional_per_market = 10\nposition.max_total_notional = 49",
        "detector.max_notional = 9",
        "position.max_notional_per_market = 1",
        "mode = \"trading\"\naccount.user_address = \"0x00000000000000000000000000000000000000aa\"\n\
         position.max_notional_per_market = 0\nposition.leverage = 50",
        "dashboard.bind = \"0.0.0.0:8080\"\ndashboard.token_file = \"t\"",
        "dashboard.bind = \"0.0.0.0:8080\"\ndashboard.enabled = false",
        "dashboard.bind = \"[::1]:0\"",
        "runtime.hot_core = \"none\"\nruntime.cold_core = \"none\"",
        "detector.entry_latencies_ms = []",
        "alerts.format = \"telegram\"",
        "alerts = { enabled = true, format = \"telegram\", telegram_chat_id = -1001234567890 }",
        "alerts = { enabled = true, format = \"telegram\", telegram_chat_id = \"@news\" }",
        "risk.max_mark_mid_divergence_bps = 0",
        "[detector.markets.\"xyz:A\"]",
    ] {
        read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

#[test]
fn values_are_brought_to_one_form() {
    let config = read(
        "[account]\nuser_address = \"0xABCDEF0000000000000000000000000000000001\"\n\
         [detector]\nentry_latencies_ms = [400, 50]\n[venue]\nnetwork = \"custom\"\n\
         ws_url = \"ws://127.0.0.1:1/ws\"\nrest_url = \"http://127.0.0.1:1/\"\n",
    )
    .expect("a config");
    let address = "0xabcdef0000000000000000000000000000000001";
    assert_eq!(config.account.user_address.as_deref(), Some(address));
    assert_eq!(config.detector.entry_latencies_ms, [50, 400]);
    assert_eq!(config.venue.rest_url, "http://127.0.0.1:1");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let missing = dir.path().join("nowhere.toml");
    let told = load(Some(&missing), &[]).expect_err("missing").to_string();
    assert!(told.starts_with(&format!("{}: cannot be read: ", missing.display())), "{told}");

    let binary = dir.path().join("binary.toml");
    std::fs::write(&binary, b"mode = \"\xff\"").expect("written");
    let told = load(Some(&binary), &[]).expect_err("no text").to_string();
    assert!(told.ends_with("expected UTF-8 text; byte 8 is none"), "{told}");

    let large = dir.path().join("large.toml");
    std::fs::write(&large, vec![b'\n'; (1 << 20) + 1]).expect("written");
    let told = load(Some(&large), &[]).expect_err("too large").to_string();
    assert!(told.contains("at most 1048576 bytes"), "{told}");
}

#[test]
fn the_hash_tells_configs_apart_and_is_stable() {
    let hash = Config::default().hash();
    assert_eq!(hash.len(), 16);
    assert_eq!(read(SHIPPED).expect("a config").hash(), hash, "comments do not count");
    assert_ne!(set(&["detector.min_edge_bps=5.1"]).expect("a config").hash(), hash);
}

fn any_config() -> impl Strategy<Value = Config> {
    let market_data = (
        (any::<bool>(), proptest::option::of(1_u64..=600_000), proptest::option::of(0_i64..)),
        (1..=1_000_000_000_i64, 1..=1_000_000_000_i64, 1_i64..=1_000_000_000_000_000),
        proptest::collection::btree_set(1_u32..=60_000, 0..=16),
        proptest::collection::btree_map("xyz:[A-Z0-9.=#']{1,9}", 0_i64..=(1_000 << 32), 0..4),
        (0_i64..=(1_000 << 32), proptest::option::of(0_i64..=(1_000 << 32))),
    );
    let running = (
        (any::<bool>(), any::<bool>(), 0_usize..3, 0_usize..5),
        (any::<[u8; 20]>(), "[^\0]{1,12}", any::<u16>()),
        (proptest::option::of(1..=1_000_000_000_i64), 0_u32..=1_023, 1_u64..=86_400),
    );
    (market_data, running).prop_map(|(market_data, running)| {
        let ((trading, age, divergence), (alpha, share, money), latencies, markets, costs) =
            market_data;
        let ((flag, json, network, level), (address, path, port), (risk, core, secs)) = running;
        let mode = if trading { Mode::Trading } else { Mode::Observation };
        let mut c = Config { mode, ..Config::default() };
        c.risk.max_bbo_age = age.map(Nanos::from_millis);
        c.risk.max_mark_mid_divergence = divergence.map(|bits| Bps::from_bits(bits % (1 << 45)));
        c.risk.spread_ewma_alpha = Ratio::from_units(alpha);
        c.detector.sizing_alpha = Ratio::from_units(share);
        c.detector.normal_book_notional = Usd::from_units(money.max(500_000_000));
        c.detector.entry_latencies_ms = latencies.into_iter().collect();
        c.detector.thresholds =
            markets.into_iter().map(|(coin, bits)| (coin, Bps::from_bits(bits))).collect();
        c.detector.min_edge = Bps::from_bits(costs.0);
        if let Some(bits) = costs.1 {
            c.detector.taker_fee = TakerFee::Fixed(Bps::from_bits(bits));
        }
        c.mark_regression.enabled = flag;
        c.executor.rest_exit_after = Nanos::from_millis(port.into());
        c.executor.dispatch = if flag { Dispatch::Tick } else { Dispatch::Immediate };
        c.telemetry.log_format = if json { LogFormat::Json } else { LogFormat::Text };
        c.telemetry.log_level =
            [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace]
                [level];
        c.venue.network = [Network::Mainnet, Network::Testnet, Network::Custom][network];
        let urls = c.venue.network.urls().unwrap_or(("ws://[::1]:1/ws", "http://localhost:1"));
        (c.venue.ws_url, c.venue.rest_url) = (urls.0.to_owned(), urls.1.to_owned());
        c.venue.include = vec!["xyz:TSLA".to_owned()];
        c.account.user_address =
            Some(address.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}")));
        c.account.key_file = json.then(|| path.clone().into());
        c.persistence.data_dir = path.into();
        c.dashboard.bind.set_port(port);
        c.alerts.format = [AlertFormat::Json, AlertFormat::Telegram, AlertFormat::Discord][network];
        c.alerts.telegram_chat_id = Some(format!("-{core}"));
        c.alerts.enabled = flag;
        c.alerts.url_file = json.then(|| format!("/etc/{core}.url").into());
        c.alerts.min_interval = Nanos::from_secs(secs);
        c.position.leverage = 1 + core % 50;
        c.position.risk_per_market = risk.map(Ratio::from_units);
        c.runtime.hot_core = if flag { Core::Index(core) } else { Core::None };
        c.risk_monitor.window = Nanos::from_secs(secs);
        c
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(config in any_config()) {
        let text = config.to_toml();
        let read = read(&text);
        prop_assert_eq!(read.as_ref(), Ok(&config), "{}", text);
    }

    #[test]
    fn any_text_is_a_config_or_refused(text in "\\PC*", over in "\\PC*") {
        let _ = from_text(&text, "config.toml", std::slice::from_ref(&over)).map_err(|e| e.to_string());
    }

    #[test]
    fn anything_like_toml_is_a_config_or_refused(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("[venue]\n"), Just("[risk]\n"), Just("[[risk]]\n"), Just("dexes"), Just("mode"),
                Just(" = "), Just("."), Just("\n"), Just("1"), Just("-0.5"), Just("1e9"), Just("\""),
                Just("'''"), Just("["), Just("]"), Just("{"), Just("}"), Just("#"), Just(","),
                Just("1979-05-27"), Just("\"xyz\""), Just("true"), Just("max_bbo_age_ms"),
                Just("\u{1b}"), Just("é"), Just("0xFF"), Just("markets"), Just("detector"),
            ],
            0..40,
        )
    ) {
        let text = parts.concat();
        let _ = from_text(&text, "config.toml", std::slice::from_ref(&text)).map_err(|e| e.to_string());
    }
}

#[test]
fn deep_keys_do_not_break_the_stack() {
    let deep = format!("{}a = 1\n", "a.".repeat(1 << 18));
    let _ = read(&deep).map_err(|e| e.to_string().len());
}

#[test]
fn a_key_is_set_by_itself_or_within_its_section() {
    let sets = |over: &str, path: &str| is_set(&[over.to_owned()], path);
    assert!(sets("persistence.data_dir=x", "persistence.data_dir"));
    assert!(sets(" persistence . data_dir = 1", "persistence.data_dir"));
    assert!(sets("persistence={data_dir=\"x\"}", "persistence.data_dir"));
    assert!(sets("persistence=1", "persistence.data_dir"), "what it replaces is set too");
    assert!(sets("mode=trading", "mode"));
    assert!(!sets("persistence.flush_interval_s=5", "persistence.data_dir"));
    assert!(!sets("persistence={}", "persistence.data_dir"));
    assert!(!sets("nonsense", "persistence.data_dir"));
    assert!(!is_set(&[], "mode"));
}
