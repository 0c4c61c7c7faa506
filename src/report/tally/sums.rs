//! The sums themselves: what is counted of signals, trips, crosses and gates.

use std::collections::BTreeMap;

use crate::report::clusters::Clusters;
use crate::report::edge::{BINS, DecaySums};
use crate::report::signal::{Cross, EXITS};
use crate::report::survival::Lasted;
use crate::report::trip::{Left, Plan, Trip};
use crate::types::record::CrossEnd;

/// What became of signals.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// All signals.
    pub signals: u64,
    /// A gate or a filter blocked.
    pub blocked: u64,
    /// Too small for an order.
    pub below_minimum: u64,
    /// Not everything was seen then.
    pub in_gap: u64,
    /// A look that is needed saw nothing.
    pub unseen: u64,
    /// Nothing stood where the position would be left.
    pub no_exit: u64,
    /// Signals that were valued.
    pub valued: u64,
}

impl Counts {
    /// Adds those of others.
    pub fn add(&mut self, other: &Self) {
        self.signals += other.signals;
        self.blocked += other.blocked;
        self.below_minimum += other.below_minimum;
        self.in_gap += other.in_gap;
        self.unseen += other.unseen;
        self.no_exit += other.no_exit;
        self.valued += other.valued;
    }

    pub(super) fn note(&mut self, trip: Result<Trip, Left>) {
        *match trip {
            Ok(_) => &mut self.valued,
            Err(Left::BelowMinimum) => &mut self.below_minimum,
            Err(Left::InGap) => &mut self.in_gap,
            Err(Left::Unseen) => &mut self.unseen,
            Err(Left::NoExit) => &mut self.no_exit,
        } += 1;
    }
}

/// Sums of valued signals at one combination.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TripSums {
    /// Valued signals.
    pub n: u64,
    /// Those that get anything.
    pub fills: u64,
    /// Fills that earn.
    pub wins: u64,
    /// Fills that find less at the exit's price than they hold.
    pub thin: u64,
    /// Σ f.
    pub fill: f64,
    /// Σ f × net, in bps.
    pub value_bps: f64,
    /// Σ USD.
    pub usd: f64,
}

impl TripSums {
    /// Adds those of others.
    pub fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.fills += other.fills;
        self.wins += other.wins;
        self.thin += other.thin;
        self.fill += other.fill;
        self.value_bps += other.value_bps;
        self.usd += other.usd;
    }

    pub(super) fn note(&mut self, trip: &Trip) {
        let filled = trip.fill > 0.0;
        self.n += 1;
        self.fills += u64::from(filled);
        self.wins += u64::from(filled && trip.net_bps > 0.0);
        self.thin += u64::from(trip.thin);
        self.fill += trip.fill;
        self.value_bps += trip.value_bps;
        self.usd += trip.usd;
    }
}

/// The pairs of sums of a cluster, whose ratios are the figures with intervals: a mean value for every
/// combination, then three more.
#[derive(Clone, Copy, Debug)]
pub struct Pairs {
    combinations: usize,
}

impl Pairs {
    /// Of so many combinations.
    pub fn of(plan: &Plan) -> Self {
        Self { combinations: plan.combinations.len() }
    }

    /// Number of sums.
    pub fn count(self) -> usize {
        self.combinations + 3
    }

    /// (Σ f, Σ f × net): mean net of what is filled.
    pub fn net(self) -> usize {
        self.combinations
    }

    /// (fills, wins)
    pub fn win(self) -> usize {
        self.combinations + 1
    }

    /// (mean raw edge of the cluster's signals, their mean five seconds later): each cluster counts once,
    /// however long it went on. Until it ends these are sums.
    pub fn decay(self) -> usize {
        self.combinations + 2
    }
}

pub(super) fn add_pair(row: &mut [f64], pair: usize, x: f64, y: f64) {
    if let Some([sum_x, sum_y]) = row.get_mut(2 * pair..2 * pair + 2) {
        *sum_x += x;
        *sum_y += y;
    }
}

pub(super) fn add_rows(to: &mut [f64], row: &[f64]) {
    to.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
}

/// What a fill earns, for medians.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    /// At each exit, in bps.
    pub net_bps: [f64; EXITS],
    /// The combinations at which it is one.
    pub at: u64,
}

/// Sums of a market and side.
#[derive(Clone, Debug)]
pub struct Sums {
    /// What became of its signals.
    pub counts: Counts,
    /// Episodes with a valued signal.
    pub episodes: u64,
    /// At each combination.
    pub trips: Vec<TripSums>,
    /// Of raw edges over time.
    pub decay: DecaySums,
    /// Raw edges by bin.
    pub histogram: Vec<u64>,
}

impl Sums {
    /// None yet.
    pub fn new(plan: &Plan) -> Self {
        Self {
            counts: Counts::default(),
            episodes: 0,
            trips: vec![TripSums::default(); plan.combinations.len()],
            decay: DecaySums::default(),
            histogram: vec![0; BINS],
        }
    }

    /// Adds those of others.
    pub fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.episodes += other.episodes;
        self.trips.iter_mut().zip(&other.trips).for_each(|(sum, trip)| sum.add(trip));
        self.decay.add(&other.decay);
        self.histogram.iter_mut().zip(&other.histogram).for_each(|(sum, n)| *sum += n);
    }
}

/// What cannot be summed: values for quantiles, of one day.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Raw edges of what no gate blocked, in bps.
    pub raw_bps: Vec<f64>,
    /// Net edges of the same.
    pub net_bps: Vec<f64>,
    /// Fills.
    pub filled: Vec<Filled>,
    /// The episode of each, by its number in the market's day; ascends.
    pub episodes: Vec<u32>,
}

/// Valued signals of a market and day, in the order of time, for thresholds.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// Raw edge, in bps.
    pub raw_bps: Vec<f64>,
    /// Value, in bps.
    pub value_bps: Vec<f64>,
    /// Number of its episode; ascends.
    pub episode: Vec<u32>,
}

/// Sums of an hour, a session or a side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SliceSums {
    /// Signals that no gate blocked.
    pub signals: u64,
    /// Episodes with a valued one.
    pub episodes: u64,
    /// Valued signals.
    pub n: u64,
    /// Σ value, in bps.
    pub value_bps: f64,
    /// Σ USD.
    pub usd: f64,
}

impl SliceSums {
    pub(super) fn add(&mut self, other: &Self) {
        self.signals += other.signals;
        self.episodes += other.episodes;
        self.n += other.n;
        self.value_bps += other.value_bps;
        self.usd += other.usd;
    }

    pub(super) fn note(&mut self, trip: Option<&Trip>) {
        self.signals += 1;
        if let Some(trip) = trip {
            self.n += 1;
            self.value_bps += trip.value_bps;
            self.usd += trip.usd;
        }
    }
}

/// A slice with its clusters: of one day, a row each.
#[derive(Clone, Debug, Default)]
pub(super) struct SliceDay {
    pub(super) sums: SliceSums,
    pub(super) rows: Vec<f64>,
}

impl SliceDay {
    /// Adds an episode's part.
    pub(super) fn close(&mut self, part: &SliceSums) {
        self.sums.add(part);
        if part.n > 0 {
            self.sums.episodes += 1;
            self.rows.extend([part.n as f64, part.value_bps]);
        }
    }
}

/// A slice with its clusters: of all days.
#[derive(Clone, Debug)]
pub struct Slice {
    /// Its sums.
    pub sums: SliceSums,
    /// (n, Σ value) by episode.
    pub clusters: Clusters,
}

impl Slice {
    pub(super) fn new(limit: usize) -> Self {
        Self { sums: SliceSums::default(), clusters: Clusters::new(1, limit) }
    }

    pub(super) fn merge(&mut self, day: &SliceDay) {
        self.sums.add(&day.sums);
        self.clusters.extend(&day.rows);
    }
}

/// Crosses of a market and side.
#[derive(Clone, Debug, Default)]
pub struct Crosses {
    /// How long the first quote stood.
    pub survival: Vec<Lasted>,
    /// How long they lasted.
    pub duration: Vec<Lasted>,
    /// Ends by reason.
    pub ends: BTreeMap<String, u64>,
}

impl Crosses {
    /// Adds one that ended for `reason`.
    pub fn note(&mut self, cross: &Cross, reason: &str) {
        let watched = Lasted::watched(cross.duration_us);
        match cross.quote_survival_us {
            Some(us) => self.survival.push(Lasted::ended(us)),
            // Nobody knows what became of the quote of a process that died.
            None if reason == CrossEnd::Killed.name() => {}
            None => self.survival.push(watched),
        }
        self.duration.push(if cross.ended { Lasted::ended(cross.duration_us) } else { watched });
        match self.ends.get_mut(reason) {
            Some(count) => *count += 1,
            None => {
                self.ends.insert(reason.to_owned(), 1);
            }
        }
    }

    /// Adds one that still lasts, or whose end was lost, after so many microseconds. No row says whether
    /// its first quote still stands.
    pub fn note_open(&mut self, us: u64) {
        self.duration.push(Lasted::watched(us));
    }

    pub(super) fn merge(&mut self, mut other: Self) {
        self.survival.append(&mut other.survival);
        self.duration.append(&mut other.duration);
        for (reason, count) in other.ends {
            *self.ends.entry(reason).or_insert(0) += count;
        }
    }
}

/// A day's crosses by market and side.
pub type CrossesOfDay = BTreeMap<String, [Crosses; 2]>;

/// A cross that signals name and that has no row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OpenCross {
    /// When it began, in nanoseconds since 1970.
    pub began_ns: i64,
    pub(super) side: usize,
}

/// What a gate kept out.
#[derive(Clone, Copy, Debug, Default)]
pub struct GateSums {
    /// Signals that it blocked first.
    pub first: u64,
    /// Signals that it alone blocked.
    pub alone: u64,
    /// Those that it blocked first, as if it had not.
    pub trip: TripSums,
}
