//! The figures of a group, as they are told.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::bootstrap::Interval;
use crate::report::clusters::Clusters;
use crate::report::edge::{Bin, Decay, Edge, Quantiles};
use crate::report::survival::{self, Survival};
use crate::report::tally::{Kept, Pairs, SideTally, Slice, Sums, TripSums};
use crate::report::trip::Plan;
use crate::report::{Settings, bootstrap, medians, ratio};

/// A figure and its interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Ranged {
    /// The figure.
    pub value: Option<f64>,
    /// Lower end; `None` where too little is known for one.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

impl Ranged {
    /// A figure with its interval, if there is any.
    pub fn new(value: Option<f64>, interval: Option<Interval>) -> Self {
        let interval = interval.filter(|_| value.is_some());
        Self { value, low: interval.map(|i| i.low), high: interval.map(|i| i.high) }
    }

    /// The same of a share: never below 0 or above 1.
    fn share(self) -> Self {
        let clamp = |end: Option<f64>| end.map(|end| end.clamp(0.0, 1.0));
        Self { value: self.value, low: clamp(self.low), high: clamp(self.high) }
    }
}

/// Round trips at one combination.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TripFigures {
    /// The entry's latency.
    pub latency_ms: u32,
    /// When the position is left.
    pub exit_ms: u32,
    /// Valued signals.
    pub n: u64,
    /// Those that get anything.
    pub fills: u64,
    /// Fills that earn.
    pub wins: u64,
    /// Fills that find less at the exit's price than they hold; they are valued as if it were enough.
    pub thin_exits: u64,
    /// What part of the suggested size is got.
    pub fill_rate: Option<f64>,
    /// Wins among fills.
    pub win_rate: Ranged,
    /// What a signal is worth per suggested notional, misses as zero.
    pub mean_value_bps: Ranged,
    /// What is filled earns.
    pub mean_net_bps: Ranged,
    /// Half of the fills earn more.
    pub median_net_bps: Ranged,
    /// Sum.
    pub usd: f64,
    /// By valued signal.
    pub usd_mean: Option<f64>,
}

impl TripFigures {
    /// Of these sums; `value`, `net` and `win` are intervals.
    pub fn of(
        (latency_ms, exit_ms): (u32, u32),
        sums: &TripSums,
        [value, net, win]: [Option<Interval>; 3],
        median_net_bps: Ranged,
    ) -> Self {
        let n = sums.n as f64;
        let win_rate = ratio(sums.wins as f64, sums.fills as f64);
        Self {
            latency_ms,
            exit_ms,
            n: sums.n,
            fills: sums.fills,
            wins: sums.wins,
            thin_exits: sums.thin,
            fill_rate: ratio(sums.fill, n),
            win_rate: Ranged::new(win_rate, win).share(),
            mean_value_bps: Ranged::new(ratio(sums.value_bps, n), value),
            mean_net_bps: Ranged::new(ratio(sums.value_bps, sums.fill), net),
            median_net_bps,
            usd: sums.usd,
            usd_mean: ratio(sums.usd, n),
        }
    }
}

/// A group of signals: all, a market's, or a side of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// All signals: the sum of the next six.
    pub signals: u64,
    /// A gate or a filter blocked.
    pub blocked: u64,
    /// Those that have a value.
    pub valued: u64,
    /// Too small for an order.
    pub below_minimum: u64,
    /// Not everything was seen then.
    pub in_gap: u64,
    /// A look that is needed saw nothing.
    pub unseen: u64,
    /// Nothing stood where the position would be left.
    pub no_exit: u64,
    /// Episodes with a valued signal.
    pub episodes: u64,
    /// By UTC day with records.
    pub usd_per_day: Option<f64>,
    /// How large edges were.
    pub edge: Edge,
    /// How fast they went.
    pub decay: Decay,
    /// At every probed latency and exit.
    pub trips: Vec<TripFigures>,
    /// At the latency and exit asked for.
    pub chosen: TripFigures,
    /// How long the first quote stood.
    pub survival: survival::Figures,
    /// How long crosses lasted.
    pub duration: survival::Figures,
    /// Ends of crosses by reason.
    pub ends: BTreeMap<String, u64>,
}

/// What figures are made with.
#[derive(Clone, Copy, Debug)]
pub struct Making<'a> {
    /// What was asked for.
    pub settings: &'a Settings,
    /// The combinations.
    pub plan: &'a Plan,
    /// Normal quantile of the intervals.
    pub z: f64,
    /// UTC days with records.
    pub days: f64,
}

impl Making<'_> {
    /// The figures of `sides`, those of one market or of all, whose episodes `clusters` holds; `name` seeds the
    /// draws. Over all markets the median has no interval: episodes are told apart by market alone.
    pub fn group(
        &self,
        name: &str,
        sides: &[&SideTally],
        episodes: u64,
        clusters: &Clusters,
    ) -> Group {
        let plan = self.plan;
        let together = sides.len() > 2;
        let mut sums = Sums::new(plan);
        sides.iter().for_each(|side| sums.add(&side.sums));
        let pairs = Pairs::of(plan);
        let seed = bootstrap::seed(name);
        let intervals = bootstrap::intervals(clusters, self.settings.upper(), seed);
        let interval = |at: usize| intervals.get(at).copied().flatten();
        let kept = || sides.iter().flat_map(|side| &side.kept);
        let trip = |at: usize| {
            let combination = plan.combinations.get(at)?;
            let (net, win) = if at == plan.chosen {
                (interval(pairs.net()), interval(pairs.win()))
            } else {
                (None, None)
            };
            let median = medians::net(sides, at, combination.exit);
            let around = |median| {
                let (upper, seed) = (self.settings.upper(), seed ^ bootstrap::seed("median"));
                medians::interval(sides, at, combination.exit, median, upper, seed)
            };
            let chosen = at == plan.chosen && !together;
            let median = Ranged::new(median, median.filter(|_| chosen).and_then(around));
            let at_these = (combination.latency_ms, combination.exit_ms());
            let of_trip = sums.trips.get(at)?;
            Some(TripFigures::of(at_these, of_trip, [interval(at), net, win], median))
        };
        let probed = plan.probed();
        let chosen = trip(plan.chosen).unwrap_or_else(|| {
            let asked = (self.settings.latency_ms, self.settings.exit_ms);
            TripFigures::of(asked, &TripSums::default(), [None; 3], Ranged::default())
        });
        let trips = (0..probed).filter_map(trip).collect();
        let all = |of: fn(&Kept) -> &[f64]| kept().flat_map(of).copied().collect();
        let histogram = sums.histogram.iter().enumerate().filter(|(_, signals)| **signals > 0);
        let edge = Edge {
            raw: Quantiles::of(all(|one| &one.raw_bps)),
            net: Quantiles::of(all(|one| &one.net_bps)),
            histogram: histogram.map(|(bps, signals)| Bin { bps, signals: *signals }).collect(),
        };
        let retained = clusters.sum(pairs.decay());
        let decay = Decay::of(&sums.decay, retained, interval(pairs.decay()));
        let mut ends = BTreeMap::new();
        for (reason, count) in sides.iter().flat_map(|side| &side.crosses.ends) {
            *ends.entry(reason.clone()).or_insert(0) += count;
        }
        let survival = sides.iter().flat_map(|side| &side.crosses.survival).copied().collect();
        let duration = sides.iter().flat_map(|side| &side.crosses.duration).copied().collect();
        let counts = sums.counts;
        Group {
            signals: counts.signals,
            blocked: counts.blocked,
            valued: counts.valued,
            below_minimum: counts.below_minimum,
            in_gap: counts.in_gap,
            unseen: counts.unseen,
            no_exit: counts.no_exit,
            episodes,
            usd_per_day: ratio(chosen.usd, self.days),
            edge,
            decay,
            trips,
            chosen,
            survival: Survival::of(survival).figures(self.z),
            duration: Survival::of(duration).figures(self.z),
            ends,
        }
    }

    /// Mean value of a slice, with its interval.
    pub fn slice(&self, name: &str, slice: &Slice) -> SliceFigures {
        let seed = bootstrap::seed(name);
        let intervals = bootstrap::intervals(&slice.clusters, self.settings.upper(), seed);
        let mean = ratio(slice.sums.value_bps, slice.sums.n as f64);
        let mean = Ranged::new(mean, intervals.first().copied().flatten());
        SliceFigures {
            signals: slice.sums.signals,
            episodes: slice.sums.episodes,
            mean_value_bps: mean.value,
            low: mean.low,
            high: mean.high,
            usd: slice.sums.usd,
        }
    }
}

/// An hour, a session or a side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SliceFigures {
    /// Signals that no gate blocked.
    pub signals: u64,
    /// Episodes with a valued one.
    pub episodes: u64,
    /// What a signal is worth per suggested notional.
    pub mean_value_bps: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Sum.
    pub usd: f64,
}
