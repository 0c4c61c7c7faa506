//! `/metrics`: every counter, for Prometheus. Base units: seconds, bytes, USD.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::dashboard::board::Board;
use crate::types::counters;
use crate::types::hard_stop::StopReason;
use crate::types::num::Usd;
use crate::types::status::{DataAge, LinkState};
use crate::types::time::{Mono, Nanos};

/// What the answer says it is.
pub(super) const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

type Labels = Vec<(&'static str, String)>;

#[derive(Clone, Copy, Debug)]
enum Value {
    Whole(u64),
    Signed(i64),
    Real(f64),
}

/// One name, and what is counted under it.
#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    kind: MetricType,
    samples: Vec<(Labels, Value)>,
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for Family { name, help, unit, kind, samples } in &self.0 {
            let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), *kind)?;
            for (labels, value) in samples {
                match labels.as_slice() {
                    [] => write(&mut family, *kind, *value)?,
                    labels => write(&mut family.encode_family(&labels)?, *kind, *value)?,
                }
            }
        }
        Ok(())
    }
}

fn write(
    metric: &mut MetricEncoder<'_>,
    kind: MetricType,
    value: Value,
) -> Result<(), std::fmt::Error> {
    match (kind, value) {
        (MetricType::Counter, Value::Whole(n)) => {
            metric.encode_counter::<NoLabelSet, u64, u64>(&n, None)
        }
        (MetricType::Counter, Value::Real(x)) => {
            metric.encode_counter::<NoLabelSet, f64, u64>(&x, None)
        }
        (_, Value::Whole(n)) => metric.encode_gauge(&i64::try_from(n).unwrap_or(i64::MAX)),
        (_, Value::Signed(n)) => metric.encode_gauge(&n),
        (_, Value::Real(x)) => metric.encode_gauge(&x),
    }
}

/// All of them, as text.
pub(super) fn text(board: &Board, now: Mono) -> String {
    let mut registry = Registry::with_prefix("hip3");
    registry.register_collector(Box::new(Families(families(board, now))));
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = prometheus_text::encode(&mut text, &registry);
    text
}

fn counter(name: &'static str, help: &'static str, count: u64) -> Family {
    counters(name, help, [(vec![], count)])
}

fn counters(
    name: &'static str,
    help: &'static str,
    samples: impl IntoIterator<Item = (Labels, u64)>,
) -> Family {
    let samples = samples.into_iter().map(|(labels, n)| (labels, Value::Whole(n))).collect();
    Family { name, help, unit: None, kind: MetricType::Counter, samples }
}

fn gauge(name: &'static str, help: &'static str, value: Value) -> Family {
    gauges(name, help, [(vec![], value)])
}

fn gauges(
    name: &'static str,
    help: &'static str,
    samples: impl IntoIterator<Item = (Labels, Value)>,
) -> Family {
    let samples = samples.into_iter().collect();
    Family { name, help, unit: None, kind: MetricType::Gauge, samples }
}

fn label(key: &'static str, value: &str) -> Labels {
    vec![(key, value.to_owned())]
}

fn seconds(span: Nanos) -> Value {
    Value::Real(span.0 as f64 / 1e9)
}

fn usd(amount: Usd) -> Value {
    Value::Real(amount.units() as f64 / 1e6)
}

fn flag(holds: bool) -> Value {
    Value::Whole(holds.into())
}

fn families(board: &Board, now: Mono) -> Vec<Family> {
    let mut all = vec![health(board, now)];
    all.extend(counters::families(&board.snapshot, board.facts.mode).into_iter().map(counted));
    all.extend(of_the_run(board));
    all.extend(of_the_feed(board));
    all.extend(of_trading(board));
    all
}

/// Counters of the run, as they are counted.
fn counted(family: counters::Family) -> Family {
    let counters::Family { name, help, unit, counters, .. } = family;
    let value = |value| match unit {
        counters::Unit::Events | counters::Unit::Bytes => Value::Whole(value),
        counters::Unit::Time => seconds(Nanos(value)),
    };
    let text =
        |(name, value): (&'static str, std::borrow::Cow<'static, str>)| (name, value.into_owned());
    let samples = counters.into_iter().map(|counter| {
        (counter.labels.into_iter().map(text).collect::<Labels>(), value(counter.value))
    });
    let unit = match unit {
        counters::Unit::Events => None,
        counters::Unit::Bytes => Some(Unit::Bytes),
        counters::Unit::Time => Some(Unit::Seconds),
    };
    Family { name, help, unit, kind: MetricType::Counter, samples: samples.collect() }
}

fn health(board: &Board, now: Mono) -> Family {
    let said = [("healthz", board.health(now)), ("readyz", board.ready(now))];
    let samples = said.map(|(endpoint, said)| (label("endpoint", endpoint), flag(said.is_ok())));
    gauges("health", "What the endpoints of health say, 1 for ok", samples)
}

fn of_the_run(board: &Board) -> Vec<Family> {
    let (facts, snapshot) = (&board.facts, &board.snapshot);
    let quantiles = board.latency.iter().flat_map(|(stage, figures)| {
        // The name of a summary's label is for summaries alone.
        [("p50", figures.p50), ("p99", figures.p99), ("p999", figures.p999), ("max", figures.max)]
            .map(|(rank, span)| {
                let labels = vec![("stage", (*stage).to_owned()), ("rank", rank.to_owned())];
                (labels, seconds(span))
            })
    });
    let measured = board.latency.iter().map(|(name, f)| (label("stage", name), f.count));
    let info = vec![
        ("version", facts.version.clone()),
        ("run_id", facts.run_id.clone()),
        ("mode", facts.mode.name().to_owned()),
    ];
    vec![
        gauges("build_info", "Which program runs, always 1", [(info, Value::Whole(1))]),
        Family {
            unit: Some(Unit::Seconds),
            ..gauge("uptime", "Time since the run began", seconds(snapshot.uptime))
        },
        Family {
            unit: Some(Unit::Seconds),
            ..gauge(
                "loop_longest_turn",
                "Longest turn that handled something, since the last snapshot",
                seconds(snapshot.longest_turn),
            )
        },
        Family {
            unit: Some(Unit::Seconds),
            ..gauge("loop_lag", "How late the last snapshot was begun", seconds(snapshot.lag))
        },
        Family {
            unit: Some(Unit::Seconds),
            ..gauges("latency", "Quantiles of how long a stage took, since the start", quantiles)
        },
        counters("latency_count", "How many a stage was measured", measured),
        gauge("dashboard_clients", "Sockets of pages open now", Value::Whole(board.clients.into())),
        counter(
            "dashboard_clients_dropped",
            "Sockets of pages that were dropped because they read too slowly",
            board.clients_dropped,
        ),
    ]
}

fn of_the_feed(board: &Board) -> Vec<Family> {
    let status = &board.snapshot.status;
    vec![
        gauge("link_up", "Whether the link is open", flag(status.link.is_open())),
        gauge(
            "link_live",
            "Whether every subscription is acknowledged",
            flag(status.link == LinkState::Live),
        ),
        Family {
            unit: Some(Unit::Seconds),
            ..gauges(
                "feed_lag",
                "How late the feed is, as its newest block told",
                status.feed_lag.map(|lag| (vec![], seconds(lag))),
            )
        },
        Family {
            unit: Some(Unit::Seconds),
            ..gauges(
                "clock_skew",
                "How far our wall clock is ahead of the venue's, below zero behind it",
                status.clock_skew_ms.map(|ms| (vec![], Value::Real(ms as f64 / 1e3))),
            )
        },
        gauges(
            "markets",
            "Markets: watched, with fresh data, with a gate that blocks",
            [("watched", status.markets), ("live", status.live), ("blocked", status.blocked)]
                .map(|(state, n)| (label("state", state), Value::Whole(n.into()))),
        ),
        gauge(
            "markets_odd",
            "Entries of the venue's lists that cannot be read, of markets that would be watched",
            Value::Whole(status.markets_odd.into()),
        ),
        gauge(
            "markets_quarantined",
            "Markets whose subscription makes the venue drop the link, left alone for a while",
            Value::Whole(status.quarantined.into()),
        ),
        gauge("md_ready", "Whether every market has data or is set aside", flag(status.md_ready)),
        gauge("crosses_open", "Crosses that last now", Value::Whole(status.crosses_open.into())),
    ]
}

/// Whether entries wait for fresh data, by what is too old.
fn data_age(age: DataAge) -> Family {
    let old = age.named().map(|(what, old)| (label("what", what), flag(old)));
    gauges("data_too_old", "What of all that entries rest on is too old, 1 while it is", old)
}

fn of_trading(board: &Board) -> Vec<Family> {
    let trading = &board.snapshot.status.trading;
    let conditions = trading.ready.named();
    let reasons = StopReason::ALL
        .iter()
        .map(|reason| (label("reason", reason.name()), flag(trading.hard_stop.holds(*reason))));
    let unrealized = board.snapshot.positions.iter().fold(Usd::ZERO, |sum, snapshot| {
        let value = snapshot.entry.zip(snapshot.mark);
        let value = value.and_then(|(e, m)| crate::dashboard::json::unrealized(snapshot.szi, e, m));
        sum.saturating_add(value.unwrap_or_default())
    });
    let usd_unit = || Some(Unit::Other("usd".to_owned()));
    vec![
        gauges(
            "ready",
            "Which conditions of READY hold; all zero in observation",
            conditions.map(|(name, holds)| (label("condition", name), flag(holds))),
        ),
        gauges(
            "waiting",
            "Markets whose entries wait for this beside READY; 1 where all of them do",
            trading
                .waiting
                .counts()
                .map(|(reason, n)| (label("reason", reason), Value::Whole(n.into()))),
        ),
        data_age(trading.data_age),
        gauges("hard_stop", "Which reasons of HardStop hold", reasons),
        gauge("orders_pending", "Orders that may still fill", Value::Whole(trading.pending.into())),
        Family {
            unit: usd_unit(),
            ..gauge("profit", "Profit of what was closed, before fees", usd(trading.gross))
        },
        Family { unit: usd_unit(), ..gauge("fees", "Fees paid", usd(trading.fees)) },
        Family {
            unit: usd_unit(),
            ..gauge("profit_unrealized", "What positions would bring at the mark", usd(unrealized))
        },
        gauge("positions", "Positions held", Value::Whole(trading.positions.into())),
        Family {
            unit: usd_unit(),
            ..gauge("notional_peak", "Most held and pending at once", usd(trading.peak_notional))
        },
        gauge(
            "budget_left",
            "Requests of the address budget that are left",
            Value::Signed(trading.budget_left),
        ),
    ]
}
