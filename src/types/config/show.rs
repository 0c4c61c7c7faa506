//! Writing: the effective config as a file that reads back to the same, and its hash.

use std::fmt::Display;

use super::defaults::RISK_PER_MARKET;
use super::tree::join;
use crate::types::config::{Config, Core, Network, TakerFee};
use crate::types::num::Bps;
use crate::types::time::Nanos;

impl Config {
    /// Every key with its value, as a file that [`load`](super::load) reads back to the same
    /// config. What only `custom` networks may set is there as a comment, and so is what is unset.
    pub fn to_toml(&self) -> String {
        let mut out = Writer::default();
        out.key("mode", quoted(self.mode.name()));
        self.write_market_data(&mut out);
        self.write_trading(&mut out);
        self.write_running(&mut out);
        out.text
    }

    /// FNV-1a of [`Config::to_toml`] in 16 hex digits: tells which rows were made under the same
    /// config, on every machine and in every build. No protection against forgery.
    pub fn hash(&self) -> String {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in self.to_toml().bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        format!("{hash:016x}")
    }

    fn write_market_data(&self, out: &mut Writer) {
        let Self { venue, account, websocket, risk, detector, .. } = self;
        out.section("venue");
        out.key("network", quoted(venue.network.name()));
        let custom = venue.network == Network::Custom;
        out.key_if(custom, "ws_url", quoted(&venue.ws_url));
        out.key_if(custom, "rest_url", quoted(&venue.rest_url));
        out.key("dexes", list(venue.dexes.iter().map(|dex| quoted(dex))));
        out.millis("md_ready_timeout_ms", venue.md_ready_timeout);
        out.secs("meta_refresh_s", venue.meta_refresh);
        out.secs("max_meta_age_s", venue.max_meta_age);
        out.key("include", list(venue.include.iter().map(|coin| quoted(coin))));
        out.key("exclude", list(venue.exclude.iter().map(|coin| quoted(coin))));

        out.section("account");
        out.optional("user_address", account.user_address.as_deref());
        out.optional("vault_address", account.vault_address.as_deref());
        out.optional("key_file", account.key_file.as_ref().map(|path| path.to_string_lossy()));

        out.section("websocket");
        out.millis("heartbeat_interval_ms", websocket.heartbeat_interval);
        out.millis("silence_ping_ms", websocket.silence_ping);
        out.millis("pong_timeout_ms", websocket.pong_timeout);
        out.millis("reconnect_base_delay_ms", websocket.reconnect_base_delay);
        out.millis("reconnect_max_delay_ms", websocket.reconnect_max_delay);

        out.section("risk");
        let off = || quoted("off");
        let millis = |age: Nanos| age.as_millis().to_string();
        out.key("max_bbo_age_ms", risk.max_bbo_age.map_or_else(off, millis));
        out.key("max_ctx_age_ms", risk.max_ctx_age.map_or_else(off, millis));
        out.key("max_feed_lag_ms", risk.max_feed_lag.map_or_else(off, millis));
        let divergence = risk.max_mark_mid_divergence.map_or_else(off, bps_text);
        out.key("max_mark_mid_divergence_bps", divergence);
        out.key("spread_shock_multiplier", risk.spread_shock_multiplier);
        out.key("spread_ewma_alpha", risk.spread_ewma_alpha);
        out.key("min_ewma_samples", risk.min_ewma_samples);

        out.section("detector");
        let fee = match detector.taker_fee {
            TakerFee::Auto => quoted("auto"),
            TakerFee::Fixed(bps) => bps_text(bps),
        };
        out.key("taker_fee_bps", fee);
        out.bps("slippage_bps", detector.slippage);
        out.bps("min_edge_bps", detector.min_edge);
        out.bps("max_edge_bps", detector.max_edge);
        out.key("sizing_alpha", detector.sizing_alpha);
        out.key("max_notional", detector.max_notional);
        out.key("min_book_notional", detector.min_book_notional);
        out.key("normal_book_notional", detector.normal_book_notional);
        out.millis("resignal_interval_ms", detector.resignal_interval);
        out.key("entry_latencies_ms", list(detector.entry_latencies_ms.iter()));
        for (coin, threshold) in &detector.thresholds {
            out.section(&join("detector.markets", coin));
            out.bps("threshold_bps", *threshold);
        }
    }

    fn write_trading(&self, out: &mut Writer) {
        let Self { executor, position, time_stop, mark_regression, risk_monitor, .. } = self;
        out.section("executor");
        out.key("dispatch", quoted(executor.dispatch.name()));
        out.millis("tick_ms", executor.tick);
        out.bps("entry_slippage_bps", executor.entry_slippage);
        out.millis("order_timeout_ms", executor.order_timeout);
        out.millis("expires_after_ms", executor.expires_after);
        out.key("presign_pool", executor.presign_pool);
        out.key("exit_budget_reserve", executor.exit_budget_reserve);
        out.millis("rest_exit_after_ms", executor.rest_exit_after);

        out.section("position");
        out.key("max_concurrent_positions", position.max_concurrent_positions);
        out.key("max_total_notional", position.max_total_notional);
        out.key("max_notional_per_market", position.max_notional_per_market);
        out.key("leverage", position.leverage);
        out.secs("resync_interval_s", position.resync_interval);
        out.secs("max_account_age_s", position.max_account_age);
        out.key("flatten_on_shutdown", position.flatten_on_shutdown);

        out.section("position.dynamic_sizing");
        out.key("enabled", position.risk_per_market.is_some());
        out.key("risk_per_market_pct", position.risk_per_market.unwrap_or(RISK_PER_MARKET));

        out.section("time_stop");
        out.millis("threshold_ms", time_stop.threshold);
        out.millis("reduce_only_timeout_ms", time_stop.reduce_only_timeout);
        out.bps("slippage_bps", time_stop.slippage);

        out.section("mark_regression");
        out.key("enabled", mark_regression.enabled);
        out.bps("exit_threshold_bps", mark_regression.exit_threshold);
        out.millis("check_interval_ms", mark_regression.check_interval);
        out.millis("min_holding_time_ms", mark_regression.min_holding_time);
        out.bps("slippage_bps", mark_regression.slippage);

        out.section("risk_monitor");
        out.key("max_consecutive_failures", risk_monitor.max_consecutive_failures);
        out.key("max_loss_usd", risk_monitor.max_loss);
        out.key("max_daily_loss_usd", risk_monitor.max_daily_loss);
        out.key("max_flatten_failures", risk_monitor.max_flatten_failures);
        out.secs("window_s", risk_monitor.window);
    }

    fn write_running(&self, out: &mut Writer) {
        let Self { persistence, dashboard, alerts, telemetry, runtime, .. } = self;
        out.section("persistence");
        out.key("data_dir", quoted(&persistence.data_dir.to_string_lossy()));
        out.secs("flush_interval_s", persistence.flush_interval);

        out.section("dashboard");
        out.key("enabled", dashboard.enabled);
        out.key("bind", quoted(&dashboard.bind.to_string()));
        out.millis("update_interval_ms", dashboard.update_interval);
        out.key("max_connections", dashboard.max_connections);
        out.optional(
            "token_file",
            dashboard.token_file.as_ref().map(|path| path.to_string_lossy()),
        );

        out.section("alerts");
        out.key("enabled", alerts.enabled);
        out.key("format", quoted(alerts.format.name()));
        out.optional("url_file", alerts.url_file.as_ref().map(|path| path.to_string_lossy()));
        out.optional("telegram_chat_id", alerts.telegram_chat_id.as_deref());
        out.secs("min_interval_s", alerts.min_interval);
        out.key("max_per_hour", alerts.max_per_hour);

        out.section("telemetry");
        out.key("log_level", quoted(telemetry.log_level.name()));
        out.key("log_format", quoted(telemetry.log_format.name()));
        out.key("latency_dir", quoted(&telemetry.latency_dir.to_string_lossy()));
        out.secs("latency_interval_s", telemetry.latency_interval);

        out.section("runtime");
        let core = |core| match core {
            Core::Auto => quoted("auto"),
            Core::None => quoted("none"),
            Core::Index(index) => index.to_string(),
        };
        out.key("hot_core", core(runtime.hot_core));
        out.key("cold_core", core(runtime.cold_core));
        out.key("busy_poll", runtime.busy_poll);
    }
}

#[derive(Default)]
struct Writer {
    text: String,
}

impl Writer {
    fn section(&mut self, name: &str) {
        self.line(&format!("\n[{name}]"));
    }

    fn key(&mut self, key: &str, value: impl Display) {
        self.line(&format!("{key} = {value}"));
    }

    /// As a comment unless `set`.
    fn key_if(&mut self, set: bool, key: &str, value: impl Display) {
        let mark = if set { "" } else { "# " };
        self.line(&format!("{mark}{key} = {value}"));
    }

    fn optional(&mut self, key: &str, value: Option<impl AsRef<str>>) {
        match value {
            Some(value) => self.key(key, quoted(value.as_ref())),
            None => self.line(&format!("# {key} is not set")),
        }
    }

    fn millis(&mut self, key: &str, span: Nanos) {
        self.key(key, span.as_millis());
    }

    fn secs(&mut self, key: &str, span: Nanos) {
        self.key(key, span.as_millis() / 1_000);
    }

    fn bps(&mut self, key: &str, bps: Bps) {
        self.key(key, bps_text(bps));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn list(items: impl Iterator<Item = impl Display>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    format!("[{}]", items.join(", "))
}

/// The shortest decimal that [`Bps::parse`], which rounds down, reads back to the same bits. Ten
/// decimals are always enough, since 2^-32 is above 1e-10.
fn bps_text(bps: Bps) -> String {
    let bits = i128::from(bps.to_bits().max(0));
    let mut scale: i128 = 1;
    for places in 0..=10_usize {
        let units = (bits * scale + (1 << 32) - 1) >> 32; // The least that is not below.
        if (units << 32) / scale == bits {
            let (whole, fraction) = (units / scale, units % scale);
            return match places {
                0 => whole.to_string(),
                _ => format!("{whole}.{fraction:0places$}"),
            };
        }
        scale *= 10;
    }
    bps.to_string() // Out of reach, see above.
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn basis_points_are_written_as_people_write_them() {
        for text in ["0", "5", "7.9", "0.9", "16.64", "0.1", "1000", "2.3", "0.0000000001"] {
            let bps = Bps::parse(text.as_bytes()).expect("basis points");
            let expected = if text == "0.0000000001" { "0" } else { text };
            assert_eq!(bps_text(bps), expected);
        }
    }

    proptest! {
        #[test]
        fn basis_points_read_back(bits in 0..(1_000_i64 << 32)) {
            let bps = Bps::from_bits(bits);
            prop_assert_eq!(Bps::parse(bps_text(bps).as_bytes()), Some(bps));
        }
    }
}
