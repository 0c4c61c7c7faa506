//! `/metrics`, read by a parser that forgives nothing.

use std::collections::{BTreeMap, BTreeSet};

use hip3::types::hard_stop::{HardStop, StopReason};
use hip3::types::snapshot::Percentiles;
use hip3::types::status::LinkState;
use hip3::types::time::{Nanos, Wall};

use crate::harness::{Server, trading};
use crate::numbered::numbered;
use crate::page::carries_the_headers;
use crate::sample::{snapshot, trading_snapshot};

/// What a text of metrics says.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Type by name.
    pub(crate) kinds: BTreeMap<String, String>,
    /// Value by name and labels, as they are written.
    pub(crate) samples: BTreeMap<String, f64>,
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl Metrics {
    /// Reads the text format, version 0.0.4: `HELP`, `TYPE` and then the samples of one name at a
    /// time, each name and each sample once.
    pub(crate) fn read(text: &str) -> Self {
        let mut all = Self::default();
        let mut helps = BTreeSet::new();
        let mut current = String::new();
        assert!(text.ends_with('\n'), "the last line ends");
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a text");
                assert!(is_name(name) && !help.trim().is_empty(), "{line}");
                assert!(helps.insert(name.to_owned()), "helped twice: {line}");
                current = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert_eq!(name, current, "right after its HELP");
                assert!(["counter", "gauge"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                let before = all.kinds.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "typed twice: {line}");
            } else {
                let (sample, value) = line.rsplit_once(' ').expect("a value");
                let name = sample.split('{').next().expect("a name");
                assert_eq!(name, current, "among the samples of its name");
                assert!(all.kinds.contains_key(name), "typed before: {line}");
                labels(&sample[name.len()..]);
                let value: f64 = value.parse().expect(line);
                assert!(value.is_finite(), "{line}");
                let negative = value < 0.0 && all.kinds[name] == "counter";
                assert!(!negative, "a counter below zero: {line}");
                assert_eq!(all.samples.insert(sample.to_owned(), value), None, "twice: {line}");
            }
        }
        assert_eq!(helps, all.kinds.keys().cloned().collect());
        all
    }

    /// Names that have no sample at the moment are left out.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.samples.keys().map(|sample| sample.split('{').next().expect("a name")).collect()
    }
}

/// Reads `{name="value",…}` or nothing.
fn labels(text: &str) {
    if text.is_empty() {
        return;
    }
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).expect(text);
    let mut seen = BTreeSet::new();
    for label in inside.split("\",") {
        let (name, value) = label.split_once("=\"").expect(text);
        let value = value.strip_suffix('"').unwrap_or(value);
        assert!(is_name(name) && !value.contains(['"', '\\', '\n']), "{text}");
        assert!(seen.insert(name), "twice: {text}");
    }
}

/// Everything that can have a sample has one.
pub(crate) fn full_server() -> Server {
    let mut server = Server::start(trading(), None);
    let figures = Percentiles {
        count: 5,
        p50: Nanos::from_millis(1),
        p99: Nanos::from_millis(20),
        p999: Nanos::from_millis(300),
        max: Nanos::from_millis(4_000),
    };
    server.measured.send(("turn", figures)).expect("it listens");
    server.show(&trading_snapshot());
    server
}

fn read(server: &Server) -> Metrics {
    let answer = server.get("/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    carries_the_headers(&answer);
    Metrics::read(&answer.body)
}

#[test]
fn every_counter_is_there_with_its_own_number() {
    let (snapshot, expected) = numbered();
    let mut server = Server::start(trading(), None);
    server.show(&snapshot);
    let metrics = read(&server);
    for (sample, value) in &expected {
        let shown = metrics.samples.get(sample);
        assert_eq!(shown, Some(value), "{sample}");
    }
    // And nothing is there that was not accounted for.
    let expected: BTreeSet<&str> = expected.iter().map(|(sample, _)| sample.as_str()).collect();
    let more: Vec<&String> = metrics
        .samples
        .keys()
        .filter(|sample| !expected.contains(sample.as_str()))
        .filter(|sample| !sample.starts_with("hip3_ready{"))
        .filter(|sample| !sample.starts_with("hip3_hard_stop{"))
        .filter(|sample| !sample.starts_with("hip3_waiting{"))
        .filter(|sample| !sample.starts_with("hip3_data_too_old{"))
        .collect();
    assert_eq!(
        more,
        [
            r#"hip3_build_info{version="0.1.0 (abc1234)",run_id="20261122T120000Z-7",mode="trading"}"#,
            r#"hip3_dashboard_clients"#,
            r#"hip3_dashboard_clients_dropped_total"#,
            r#"hip3_decisions_total{decision="observed"}"#,
            r#"hip3_health{endpoint="healthz"}"#,
            r#"hip3_health{endpoint="readyz"}"#,
            r#"hip3_link_live"#,
            r#"hip3_link_up"#,
            r#"hip3_md_ready"#,
            r#"hip3_profit_unrealized_usd"#,
        ]
    );
    server.end();
}

#[test]
fn states_and_what_was_measured_are_there_in_base_units() {
    let server = full_server();
    let metrics = read(&server);
    for (sample, value) in [
        ("hip3_link_up", 1.0),
        ("hip3_link_live", 1.0),
        ("hip3_md_ready", 1.0),
        ("hip3_uptime_seconds", 12.999),
        ("hip3_loop_longest_turn_seconds", 0.000_045_999),
        (r#"hip3_latency_seconds{stage="turn",rank="p50"}"#, 0.001),
        (r#"hip3_latency_seconds{stage="turn",rank="p99"}"#, 0.02),
        (r#"hip3_latency_seconds{stage="turn",rank="p999"}"#, 0.3),
        (r#"hip3_latency_seconds{stage="turn",rank="max"}"#, 4.0),
        (r#"hip3_latency_count_total{stage="turn"}"#, 5.0),
        (r#"hip3_ready{condition="md_ready"}"#, 1.0),
        (r#"hip3_ready{condition="order_snapshot"}"#, 1.0),
        (r#"hip3_ready{condition="fills_snapshot"}"#, 0.0),
        (r#"hip3_ready{condition="position_synced"}"#, 1.0),
        (r#"hip3_ready{condition="ws_connected"}"#, 1.0),
        (r#"hip3_ready{condition="hard_stop_clear"}"#, 0.0),
        (r#"hip3_waiting{reason="budget"}"#, 1.0),
        (r#"hip3_waiting{reason="leverage"}"#, 52.0),
        (r#"hip3_waiting{reason="signer"}"#, 0.0),
        (r#"hip3_data_too_old{what="account_age"}"#, 1.0),
        (r#"hip3_data_too_old{what="feed_lag"}"#, 0.0),
        (r#"hip3_hard_stop{reason="Loss"}"#, 1.0),
        (r#"hip3_hard_stop{reason="Operator"}"#, 0.0),
        ("hip3_profit_usd", 1.56),
        ("hip3_fees_usd", 0.31),
        ("hip3_profit_unrealized_usd", 0.144),
        ("hip3_budget_left", -7.0),
        (r#"hip3_decisions_total{decision="observed"}"#, 0.0),
    ] {
        let shown = metrics.samples.get(sample).copied().unwrap_or(f64::NAN);
        assert!((shown - value).abs() < 1e-12, "{sample}: {shown}");
    }
    for (name, kind) in &metrics.kinds {
        let bare = name.strip_suffix("_total").unwrap_or(name);
        let unit = ["seconds", "bytes", "usd"].iter().find(|unit| bare.ends_with(**unit));
        let units = ["ms", "us", "ns", "millis", "micros", "nanos", "kb", "percent"];
        let last = bare.rsplit('_').next().expect("a word");
        assert!(!units.contains(&last), "{name} ({kind}, {unit:?}) has no base unit");
    }
    server.end();
}

#[test]
fn each_reason_and_each_state_of_the_link_has_its_flag() {
    let mut server = Server::start(trading(), None);
    for reason in StopReason::ALL {
        let mut snapshot = snapshot();
        let mut hard_stop = HardStop::default();
        hard_stop.set(*reason, Wall(1));
        snapshot.status.trading.hard_stop = hard_stop;
        server.show(&snapshot);
        let metrics = read(&server);
        for other in StopReason::ALL {
            let shown = metrics.samples[&format!(r#"hip3_hard_stop{{reason="{}"}}"#, other.name())];
            assert_eq!(shown > 0.5, other == reason, "{other:?} while {reason:?} holds");
        }
    }
    for (link, up, live) in [
        (LinkState::Idle, 0.0, 0.0),
        (LinkState::Connecting, 0.0, 0.0),
        (LinkState::Subscribing, 1.0, 0.0),
        (LinkState::Live, 1.0, 1.0),
    ] {
        let mut snapshot = snapshot();
        snapshot.status.link = link;
        server.show(&snapshot);
        let samples = read(&server).samples;
        assert_eq!([samples["hip3_link_up"], samples["hip3_link_live"]], [up, live], "{link:?}");
    }
    server.end();
}

#[test]
fn in_observation_a_signal_that_passed_was_observed() {
    let mut server = Server::observing();
    server.show(&snapshot());
    let samples = read(&server).samples;
    let decisions = ["observed", "blocked", "sent"]
        .map(|decision| samples[&format!(r#"hip3_decisions_total{{decision="{decision}"}}"#)]);
    assert_eq!(decisions, [3.0, 2.0, 0.0]);
    server.end();
}

#[test]
fn before_anything_was_shown_there_are_zeros() {
    let server = Server::observing();
    let metrics = read(&server);
    assert!(metrics.names().len() > 40);
    assert!(metrics.samples.values().all(|value| *value == 0.0 || *value == 1.0));
    server.end();
}
