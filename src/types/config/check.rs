//! Rules over several keys: what is impossible is refused, what is merely odd is not.

use std::net::IpAddr;

use super::section::Reading;
use crate::types::config::{AlertFormat, Config, Core, Network};
use crate::types::ids::Coin;
use crate::types::order::MIN_ORDER;
use crate::types::record::Mode;

/// Every rule over several keys.
pub(super) fn config(reading: &mut Reading, config: &Config) {
    venue(reading, config);
    coins(reading, config);
    websocket(reading, config);
    account(reading, config);
    detector(reading, config);
    trading(reading, config);
    dashboard(reading, config);
    alerts(reading, config);
    runtime(reading, config);
}

fn venue(reading: &mut Reading, config: &Config) {
    let venue = &config.venue;
    let urls = ["venue.ws_url", "venue.rest_url"];
    let given = urls.map(|path| reading.is_written(path));
    if venue.network == Network::Custom {
        let missing: Vec<&str> =
            urls.into_iter().zip(given).filter(|(_, given)| !given).map(|(path, _)| path).collect();
        if !missing.is_empty() {
            let fault = format!("needs {} as well", missing.join(" and "));
            reading.clash(&["venue.network"], fault);
        }
    } else {
        for (path, _) in urls.into_iter().zip(given).filter(|(_, given)| *given) {
            let fault = "is for venue.network = \"custom\" alone; leave it out or set that";
            reading.clash(&[path, "venue.network"], fault);
        }
    }
    if venue.dexes.is_empty() {
        reading.clash(&["venue.dexes"], "expected at least one dex, for example [\"xyz\"]");
    }
    if let Some(dex) = repeated(&venue.dexes) {
        reading.clash(&["venue.dexes"], format!("names \"{dex}\" twice"));
    }
    // Readings of 20 weight each: perpDexs and userFees once, meta, limits and caps per dex; of the 1200 a
    // minute that an address has for everything (PROTOCOL.md §8.1) readings take a quarter.
    let calls = 1 + u64::from(config.account.user_address.is_some()) + 3 * venue.dexes.len() as u64;
    let least = (20 * calls * 60).div_ceil(300);
    let refresh_s = venue.meta_refresh.as_millis() / 1_000;
    if venue.network != Network::Custom && refresh_s < least {
        let fault = format!(
            "expected at least {least} s: one reading costs {} of the 300 weight a minute that \
             readings may take",
            20 * calls
        );
        reading.clash(&["venue.meta_refresh_s", "venue.dexes"], fault);
    }
}

/// Coins are of the configured dexes, named once, and not both wanted and unwanted.
fn coins(reading: &mut Reading, config: &Config) {
    let venue = &config.venue;
    let lists = [("venue.include", &venue.include), ("venue.exclude", &venue.exclude)];
    for (path, coins) in lists {
        if let Some(coin) = coins.iter().find(|coin| !is_of(coin, &venue.dexes)) {
            reading.clash(&[path, "venue.dexes"], foreign(coin, &venue.dexes));
        }
        if let Some(coin) = repeated(coins) {
            reading.clash(&[path], format!("names \"{coin}\" twice"));
        }
    }
    if let Some(coin) = venue.include.iter().find(|coin| venue.exclude.contains(coin)) {
        let fault = format!("\"{coin}\" is in venue.include and in venue.exclude");
        reading.clash(&["venue.exclude", "venue.include"], fault);
    }
    for (coin, _) in &config.detector.thresholds {
        let path = super::tree::join("detector.markets", coin);
        if !is_of(coin, &venue.dexes) {
            reading.clash(&[&path, "venue.dexes"], foreign(coin, &venue.dexes));
        }
    }
}

fn foreign(coin: &str, dexes: &[String]) -> String {
    let coin = super::error::shown(coin);
    match coin.split_once(':') {
        Some((dex, _)) if dexes.iter().any(|known| known == dex) => {
            format!("\"{coin}\" is no coin's name; expected for example \"{dex}:TSLA\"")
        }
        Some((dex, _)) => format!(
            "\"{coin}\" is of dex \"{dex}\", which is not in venue.dexes ({})",
            dexes.join(", ")
        ),
        None => format!("\"{coin}\" names no dex; expected for example \"xyz:TSLA\""),
    }
}

fn is_of(coin: &str, dexes: &[String]) -> bool {
    let of = |(dex, name): (&str, &str)| !name.is_empty() && dexes.iter().any(|known| known == dex);
    Coin::new(coin).is_some() && coin.split_once(':').is_some_and(of)
}

fn repeated<T: PartialEq>(list: &[T]) -> Option<&T> {
    list.iter().enumerate().find(|(at, item)| list[..*at].contains(item)).map(|(_, item)| item)
}

fn websocket(reading: &mut Reading, config: &Config) {
    let websocket = &config.websocket;
    if websocket.reconnect_base_delay > websocket.reconnect_max_delay {
        let fault = format!(
            "expected reconnect_base_delay_ms ({}) of at most reconnect_max_delay_ms ({})",
            websocket.reconnect_base_delay.as_millis(),
            websocket.reconnect_max_delay.as_millis()
        );
        let paths = ["websocket.reconnect_base_delay_ms", "websocket.reconnect_max_delay_ms"];
        reading.clash(&paths, fault);
    }
}

/// Signed actions name the vault; naming the master there, they would be refused (PROTOCOL.md
/// §7.3).
fn account(reading: &mut Reading, config: &Config) {
    let account = &config.account;
    if account.vault_address.is_some() && account.vault_address == account.user_address {
        let fault = "is account.user_address as well; leave it out to act for the master itself";
        reading.clash(&["account.vault_address", "account.user_address"], fault);
    }
}

fn detector(reading: &mut Reading, config: &Config) {
    let detector = &config.detector;
    if detector.min_book_notional > detector.normal_book_notional {
        let fault = format!(
            "expected min_book_notional ({}) of at most normal_book_notional ({})",
            detector.min_book_notional, detector.normal_book_notional
        );
        reading.clash(&["detector.min_book_notional", "detector.normal_book_notional"], fault);
    }
    let path = "detector.entry_latencies_ms";
    if detector.entry_latencies_ms.len() > MAX_LATENCIES {
        reading.clash(&[path], format!("expected at most {MAX_LATENCIES} latencies"));
    }
    if let Some(latency) = repeated(&detector.entry_latencies_ms) {
        reading.clash(&[path], format!("names {latency} twice"));
    }
}

/// Most entry probes of one signal.
const MAX_LATENCIES: usize = 16;

/// What only matters once orders are sent.
fn trading(reading: &mut Reading, config: &Config) {
    if config.mode != Mode::Trading {
        return;
    }
    if config.account.user_address.is_none() {
        let fault = "needs account.user_address as well: the account to trade for";
        reading.clash(&["mode", "account.user_address"], fault);
    }
    let ages = [
        (
            ["venue.max_meta_age_s", "venue.meta_refresh_s"],
            config.venue.max_meta_age,
            config.venue.meta_refresh,
        ),
        (
            ["position.max_account_age_s", "position.resync_interval_s"],
            config.position.max_account_age,
            config.position.resync_interval,
        ),
    ];
    for (paths, most, interval) in ages {
        if most <= interval {
            let fault = format!(
                "expected more than {} ({}) in trading, since otherwise entries wait between two \
                 readings",
                paths[1],
                interval.as_millis() / 1_000
            );
            reading.clash(&paths, fault);
        }
    }
    let largest = config.detector.max_notional;
    if largest < MIN_ORDER {
        let fault = format!("expected at least {MIN_ORDER} in trading: the venue takes no less");
        reading.clash(&["detector.max_notional", "mode"], fault);
    }
    let position = &config.position;
    let limits = [
        ("position.max_notional_per_market", position.max_notional_per_market),
        ("position.max_total_notional", position.max_total_notional),
    ];
    for (path, limit) in limits {
        // A limit of 0 closes entries on purpose; below one order it would do so by mistake.
        if limit.is_positive() && limit < MIN_ORDER {
            let fault = format!(
                "expected at least {MIN_ORDER} in trading: the venue takes no less; 0 allows no entry at all"
            );
            reading.clash(&[path, "mode"], fault);
        }
    }
}

fn dashboard(reading: &mut Reading, config: &Config) {
    let dashboard = &config.dashboard;
    if dashboard.enabled && !dashboard.bind.ip().is_loopback() && dashboard.token_file.is_none() {
        let fault = "expected a loopback address, or dashboard.token_file: whoever reaches the \
                     page sees the account";
        reading.clash(&["dashboard.bind", "dashboard.token_file"], fault);
    }
}

fn alerts(reading: &mut Reading, config: &Config) {
    let alerts = &config.alerts;
    let telegram = alerts.format == AlertFormat::Telegram;
    if alerts.enabled && telegram && alerts.telegram_chat_id.is_none() {
        let fault = "needs alerts.telegram_chat_id as well: the chat that sees them";
        reading.clash(&["alerts.format", "alerts.telegram_chat_id"], fault);
    }
}

fn runtime(reading: &mut Reading, config: &Config) {
    if let (Core::Index(hot), Core::Index(cold)) =
        (config.runtime.hot_core, config.runtime.cold_core)
        && hot == cold
    {
        let fault = format!(
            "hot_core and cold_core are both {hot}: the hot thread never sleeps and would starve \
             the others"
        );
        reading.clash(&["runtime.cold_core", "runtime.hot_core"], fault);
    }
}

/// A WebSocket URL, encrypted unless it stays on this machine.
pub(super) fn ws_url(url: &str) -> Option<String> {
    let (host, _) = split_url(url, "wss://", "ws://")?;
    (url.starts_with("wss://") || is_loopback(host)).then(|| url.to_owned())
}

/// A REST URL, encrypted unless it stays on this machine, without a path.
pub(super) fn rest_url(url: &str) -> Option<String> {
    let url = url.strip_suffix('/').unwrap_or(url);
    let (host, path) = split_url(url, "https://", "http://")?;
    let allowed = path.is_empty() && (url.starts_with("https://") || is_loopback(host));
    allowed.then(|| url.to_owned())
}

/// The host of a URL that alerts may go to: encrypted unless it stays on this machine.
pub fn web_host(url: &str) -> Option<&str> {
    let (host, _) = split_url(url, "https://", "http://")?;
    (url.starts_with("https://") || is_loopback(host)).then_some(host)
}

/// Host (an IPv6 address without its brackets) and path of a URL with one of two schemes.
fn split_url<'u>(url: &'u str, secure: &str, plain: &str) -> Option<(&'u str, &'u str)> {
    let rest = url.strip_prefix(secure).or_else(|| url.strip_prefix(plain))?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let clean = |text: &str| text.bytes().all(|b| matches!(b, b'!'..=b'~'));
    if !clean(path) || path.contains('#') {
        return None;
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, port.strip_prefix(':').or_else(|| port.is_empty().then_some("443"))?)
        }
        None => {
            let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
            let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            if host.is_empty() || !host.bytes().all(named) {
                return None;
            }
            (host, port)
        }
    };
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    (digits && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some((host, path))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_connections_stay_on_this_machine() {
        for url in [
            "wss://api.example.org/ws",
            "wss://10.0.0.1:8443/ws?x=1",
            "ws://127.0.0.1:9000/ws",
            "ws://localhost:9000",
            "ws://[::1]:9000/ws",
        ] {
            assert_eq!(ws_url(url).as_deref(), Some(url));
        }
        for url in [
            "",
            "api.example.org",
            "ws://api.example.org/ws",
            "ws://127.0.0.1.example.org/ws",
            "ws://localhost.example.org/ws",
            "ws://192.168.0.1/ws",
            "https://api.example.org/ws",
            "wss://",
            "wss:///ws",
            "wss://host:0/ws",
            "wss://host:70000/ws",
            "wss://host:/ws",
            "wss://host:+1/ws",
            "wss://ho st/ws",
            "wss://host/w s",
            "wss://user@host/ws",
            "wss://[::1",
            "wss://[::1]x/ws",
            "wss://host/ws#here",
        ] {
            assert_eq!(ws_url(url), None, "{url}");
        }
    }

    #[test]
    fn alerts_leave_this_machine_encrypted_only() {
        let url = "https://hooks.example.org/a/b?c=d";
        assert_eq!(web_host(url), Some("hooks.example.org"));
        assert_eq!(web_host("http://127.0.0.1:8/x"), Some("127.0.0.1"));
        for url in ["http://hooks.example.org/a", "https://me:word@h/a", "ftp://h", "h/a", ""] {
            assert_eq!(web_host(url), None, "{url}");
        }
    }

    #[test]
    fn rest_urls_have_no_path() {
        assert_eq!(rest_url("https://h.example/").as_deref(), Some("https://h.example"));
        assert_eq!(rest_url("http://[::1]:1").as_deref(), Some("http://[::1]:1"));
        for url in ["https://h.example/info", "https://h.example?a", "http://h.example", "wss://h"]
        {
            assert_eq!(rest_url(url), None, "{url}");
        }
    }
}
