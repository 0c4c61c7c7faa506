//! What is added up, a day at a time. Days are tallied apart, on any thread, and merged in their order:
//! the sums are the same however many threads there were.

mod day;
mod sums;

use std::collections::BTreeMap;

use crate::report::clusters::{CLUSTERS, CLUSTERS_OF_SLICE, Clusters};
use crate::report::sessions::Session;
use crate::report::tally::day::MarketDay;
use crate::report::trading::Taken;
use crate::report::trip::Plan;
use crate::types::record::Gate;
use crate::types::time;

pub use day::{Context, DayTally};
pub use sums::{
    Counts, Crosses, CrossesOfDay, Filled, GateSums, Kept, Marks, OpenCross, Pairs, Slice,
    SliceSums, Sums, TripSums,
};

/// A market and side, over all days.
#[derive(Clone, Debug)]
pub struct SideTally {
    /// Its sums.
    pub sums: Sums,
    /// Its values, by day.
    pub kept: Vec<Kept>,
    /// By episode.
    pub clusters: Clusters,
    /// Its crosses.
    pub crosses: Crosses,
}

impl SideTally {
    /// None yet.
    pub fn new(plan: &Plan) -> Self {
        Self {
            sums: Sums::new(plan),
            kept: Vec::new(),
            clusters: Clusters::new(Pairs::of(plan).count(), CLUSTERS),
            crosses: Crosses::default(),
        }
    }
}

/// A market, over all days.
#[derive(Clone, Debug)]
pub struct MarketTally {
    /// Buys, then sells.
    pub sides: [SideTally; 2],
    /// Episodes with a valued signal on either side.
    pub episodes: u64,
    /// By episode.
    pub clusters: Clusters,
    /// By hour (UTC) and side.
    pub hours: BTreeMap<(u8, usize), Slice>,
    /// By session.
    pub sessions: BTreeMap<Session, Slice>,
    /// Its valued signals, by day.
    pub marks: Vec<(time::Day, Marks)>,
}

impl MarketTally {
    fn new(plan: &Plan) -> Self {
        Self {
            sides: [SideTally::new(plan), SideTally::new(plan)],
            episodes: 0,
            clusters: Clusters::new(Pairs::of(plan).count(), CLUSTERS),
            hours: BTreeMap::new(),
            sessions: BTreeMap::new(),
            marks: Vec::new(),
        }
    }
}

/// What a gate kept out, over all days.
#[derive(Clone, Debug)]
pub struct GateTally {
    /// Its sums.
    pub sums: GateSums,
    /// (n, Σ value), (Σ f, Σ f × net), (fills, wins) by bucket of time.
    pub clusters: Clusters,
    /// What its fills would have earned, in bps.
    pub filled: Vec<f64>,
}

/// Everything, over all days.
#[derive(Clone, Debug)]
pub struct Tally {
    /// By name.
    pub markets: BTreeMap<String, MarketTally>,
    /// By bucket of time, over all markets.
    pub clusters: Clusters,
    /// By side, over all markets.
    pub sides: [Slice; 2],
    /// By gate.
    pub gates: Vec<GateTally>,
    /// Signals that were traded on.
    pub taken: BTreeMap<u64, Taken>,
    /// The days that were added, in their order.
    pub days: Vec<time::Day>,
    /// When the last signal was found, in nanoseconds since 1970.
    pub last_ns: i64,
    /// When the first was.
    pub first_ns: i64,
    open: BTreeMap<u64, (String, OpenCross)>,
}

impl Tally {
    /// An empty tally.
    pub fn new(plan: &Plan) -> Self {
        let slice = || Slice::new(CLUSTERS);
        let gate = |_| GateTally {
            sums: GateSums::default(),
            clusters: Clusters::new(3, CLUSTERS),
            filled: Vec::new(),
        };
        Self {
            markets: BTreeMap::new(),
            clusters: Clusters::new(Pairs::of(plan).count(), CLUSTERS),
            sides: [slice(), slice()],
            gates: Gate::ALL.iter().map(gate).collect(),
            taken: BTreeMap::new(),
            days: Vec::new(),
            last_ns: i64::MIN,
            first_ns: i64::MAX,
            open: BTreeMap::new(),
        }
    }

    /// Adds a day behind those before, with its crosses.
    pub fn merge(&mut self, day: DayTally, crosses: CrossesOfDay, plan: &Plan) {
        debug_assert!(self.days.last().is_none_or(|last| *last < day.day), "days come in order");
        self.days.push(day.day);
        self.last_ns = self.last_ns.max(day.last_ns);
        self.first_ns = self.first_ns.min(day.first_ns);
        self.taken.extend(day.taken);
        for row in day.rows.values() {
            self.clusters.push(row);
        }
        for (all, of_day) in self.sides.iter_mut().zip(day.sides) {
            for row in of_day.values() {
                all.clusters.push(row);
            }
        }
        for (all, of_day) in self.gates.iter_mut().zip(day.gates) {
            all.sums.first += of_day.sums.first;
            all.sums.alone += of_day.sums.alone;
            all.sums.trip.add(&of_day.sums.trip);
            all.filled.extend(of_day.filled);
            for row in of_day.rows.values() {
                all.clusters.push(row);
            }
        }
        for (name, of_day) in day.markets {
            for (cross, open) in &of_day.open {
                self.open.entry(*cross).or_insert_with(|| (name.clone(), *open));
            }
            let sides = &mut self.sides;
            let all = self.markets.entry(name).or_insert_with(|| MarketTally::new(plan));
            all.merge(day.day, of_day, sides, plan);
        }
        for (name, of_day) in crosses {
            let all = self.markets.entry(name).or_insert_with(|| MarketTally::new(plan));
            for (all, crosses) in all.sides.iter_mut().zip(of_day) {
                all.crosses.merge(crosses);
            }
        }
    }

    /// Adds the crosses that have no end, as of the last moment seen; says how many there are.
    pub fn close(&mut self, last_seen_ns: i64) -> u64 {
        let open = std::mem::take(&mut self.open);
        for (name, cross) in open.values() {
            let us = last_seen_ns.saturating_sub(cross.began_ns).max(0) / 1000;
            let side = self.markets.get_mut(name).and_then(|all| all.sides.get_mut(cross.side));
            if let Some(side) = side {
                side.crosses.note_open(us.unsigned_abs());
            }
        }
        open.len() as u64
    }
}

impl MarketTally {
    fn merge(&mut self, day: time::Day, of_day: MarketDay, both: &mut [Slice; 2], plan: &Plan) {
        self.episodes += of_day.episodes;
        self.clusters.extend(&of_day.rows);
        for ((all, side), slice) in self.sides.iter_mut().zip(of_day.sides).zip(both) {
            if let Some(trip) = side.sums.trips.get(plan.chosen) {
                let counts = side.sums.counts;
                slice.sums.add(&SliceSums {
                    signals: counts.signals - counts.blocked,
                    episodes: side.sums.episodes,
                    n: trip.n,
                    value_bps: trip.value_bps,
                    usd: trip.usd,
                });
            }
            all.sums.add(&side.sums);
            all.clusters.extend(&side.rows);
            // Nothing is added to it any more: what it has too much of is given back.
            let mut kept = side.kept;
            kept.raw_bps.shrink_to_fit();
            kept.net_bps.shrink_to_fit();
            kept.filled.shrink_to_fit();
            kept.episodes.shrink_to_fit();
            all.kept.push(kept);
        }
        for (key, slice) in &of_day.hours {
            let all = self.hours.entry(*key).or_insert_with(|| Slice::new(CLUSTERS_OF_SLICE));
            all.merge(slice);
        }
        for (key, slice) in &of_day.sessions {
            let all = self.sessions.entry(*key).or_insert_with(|| Slice::new(CLUSTERS_OF_SLICE));
            all.merge(slice);
        }
        let mut marks = of_day.marks;
        marks.raw_bps.shrink_to_fit();
        marks.value_bps.shrink_to_fit();
        marks.episode.shrink_to_fit();
        self.marks.push((day, marks));
    }
}
