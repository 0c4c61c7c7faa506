//! Figures counted by hand, and the sums against a version that is slow and plain.

mod by_hand;
mod naive;

use std::collections::BTreeMap;

use crate::report::Settings;
use crate::report::coverage::{Blindness, Gap};
use crate::report::day::{Day, Entry, FollowUp};
use crate::report::sessions::Calendar;
use crate::report::signal::{Charged, Signal};
use crate::report::tally::{Context, DayTally, Tally};
use crate::report::trip::Plan;
use crate::types::num::Side;
use crate::types::record::FOLLOW_UP_MS;
use crate::types::time::{self, Wall};

/// 2026-11-24, a Tuesday.
const DAY: time::Day = time::Day(20_781);

/// USD in units.
const fn usd(dollars: i64) -> i64 {
    dollars * 100_000_000
}

fn settings() -> Settings {
    Settings {
        latency_ms: 400,
        exit_ms: 3000,
        confidence: 0.99,
        min_episodes: 30,
        fee_bps: None,
        priority_bps: 0.0,
        calendar: Calendar::named("America/New_York").expect("a zone"),
        from: None,
        to: None,
    }
}

/// A buy at 100 USD, 1 whole, one millisecond after the other by its number; an edge of 20 bps, a fee of 8.
fn signal(id: u64) -> Signal {
    Signal {
        id,
        at: Wall(DAY.begin().0 + id as i64 * 1_000_000),
        market: 0,
        side: Side::Buy,
        oracle: usd(100) + id as i64,
        limit: Some(usd(100)),
        sz: usd(1),
        notional: usd(100),
        raw_bps: 20.0,
        net_bps: 2.0,
        charged: Charged { slippage_bps: 2.0, fee_sides: 2.0 },
        cross: id,
        cross_age_ms: 0,
        blocked_by: None,
        gate_mask: 0,
        filtered: false,
    }
}

/// A signal with its looks: fills by probe and (bid, ask) by exit; `None` where nothing was seen.
#[derive(Clone, Debug)]
struct Seen {
    signal: Signal,
    fillable: Vec<Option<i64>>,
    exits: [Option<(Option<i64>, Option<i64>)>; 3],
    raw_later: [f64; 3],
}

impl Seen {
    /// Filled whole at every one of so many probes, out at the entry's price, its edge gone.
    fn of(signal: Signal, probes: usize) -> Self {
        let fillable = vec![Some(signal.sz); probes];
        let px = signal.limit;
        Self { signal, fillable, exits: [Some((px, px)); 3], raw_later: [0.0; 3] }
    }
}

/// Everything of one day in one market, `xyz:A`; markets numbered above are `xyz:B` and `abc:C`.
fn tally(all: &[Seen], gaps: &[Gap], settings: &Settings, plan: &Plan) -> Tally {
    let names = ["xyz:A", "xyz:B", "abc:C"].map(str::to_owned);
    let mut tally = Tally::new(plan);
    let day = day_tally(all, gaps, settings, plan, &names);
    tally.merge(day, BTreeMap::new(), plan);
    tally
}

fn day_tally(
    all: &[Seen],
    gaps: &[Gap],
    settings: &Settings,
    plan: &Plan,
    names: &[String],
) -> DayTally {
    let mut day = Day::new(&plan.latencies_ms);
    all.iter().for_each(|seen| day.push(seen.signal));
    day.seal();
    for seen in all {
        let id = seen.signal.id;
        for ((offset, exit), raw) in FOLLOW_UP_MS.iter().zip(seen.exits).zip(seen.raw_later) {
            let (bid, ask) = exit.unwrap_or_default();
            day.follow_up(&FollowUp {
                signal: id,
                offset_ms: i64::from(*offset),
                bid: bid.map(|px| (px, seen.signal.sz)),
                ask: ask.map(|px| (px, seen.signal.sz)),
                raw_bps: raw,
                captured: exit.is_some(),
            });
        }
        for (latency, fillable) in plan.latencies_ms.iter().zip(&seen.fillable) {
            let latency_ms = i64::from(*latency);
            day.entry(&Entry { signal: id, latency_ms, fillable: *fillable });
        }
    }
    let context = Context {
        settings,
        plan,
        blindness: &Blindness::of(gaps),
        weights: &BTreeMap::new(),
        crosses: &[],
        traded: &[],
    };
    DayTally::of(DAY, &day, names, &context)
}
