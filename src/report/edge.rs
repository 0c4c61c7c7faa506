//! How large edges were, and how fast they went.

use serde::Serialize;

use crate::report::figures::Ranged;
use crate::report::{known, ratio};

/// Bins of the histogram: 0, 1, … 199 bps, and what is above.
pub const BINS: usize = 201;

/// The bin of an edge.
pub fn bin(raw_bps: f64) -> usize {
    (raw_bps.max(0.0) as usize).min(BINS - 1)
}

/// Quantiles of edges, by nearest rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// A tenth is not above this.
    pub p10: Option<f64>,
    /// A quarter.
    pub p25: Option<f64>,
    /// Half.
    pub p50: Option<f64>,
    /// Three quarters.
    pub p75: Option<f64>,
    /// Nine tenths.
    pub p90: Option<f64>,
    /// All but a hundredth.
    pub p99: Option<f64>,
    /// Mean.
    pub mean: Option<f64>,
}

impl Quantiles {
    /// Of all these.
    pub fn of(mut all: Vec<f64>) -> Self {
        let mean = ratio(all.iter().sum(), all.len() as f64);
        let mut at = |percent| nearest_rank(&mut all, percent);
        Self { p10: at(10), p25: at(25), p50: at(50), p75: at(75), p90: at(90), p99: at(99), mean }
    }
}

/// The smallest value that at least `percent` of all are not above. Puts `all` into another order.
pub fn nearest_rank(all: &mut [f64], percent: usize) -> Option<f64> {
    let rank = (all.len() * percent).div_ceil(100).checked_sub(1)?;
    known(*all.select_nth_unstable_by(rank, f64::total_cmp).1)
}

/// A bin of the histogram.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Bin {
    /// Where it begins; it is 1 bps wide, the last has no end.
    pub bps: usize,
    /// Signals in it.
    pub signals: u64,
}

/// Edges of signals that no gate blocked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edge {
    /// Distance of the touched price to the oracle, in bps.
    pub raw: Quantiles,
    /// The same less fee and slippage.
    pub net: Quantiles,
    /// Of the raw edges; bins without a signal are left out.
    pub histogram: Vec<Bin>,
}

/// Sums of the raw edges of signals that were seen to the end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DecaySums {
    /// Number of values.
    pub n: u64,
    /// At the signal, and at each follow-up.
    pub raw_bps: [f64; 4],
}

impl DecaySums {
    /// Adds those of others.
    pub fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.raw_bps.iter_mut().zip(other.raw_bps).for_each(|(sum, raw)| *sum += raw);
    }
}

/// Mean raw edges by the time since the signal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decay {
    /// Signals whose three follow-ups all saw an edge.
    pub n: u64,
    /// In bps.
    pub mean: DecayMeans,
    /// What is left after five seconds: a share of what there was, by episode, so that a gap of minutes
    /// counts no more than one of a second. An edge that stays was never one.
    pub retained_5s: Ranged,
}

/// By milliseconds since the signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct DecayMeans {
    /// At the signal.
    #[serde(rename = "0")]
    pub at_0: Option<f64>,
    /// A second later.
    #[serde(rename = "1000")]
    pub at_1000: Option<f64>,
    /// Three.
    #[serde(rename = "3000")]
    pub at_3000: Option<f64>,
    /// Five.
    #[serde(rename = "5000")]
    pub at_5000: Option<f64>,
}

impl Decay {
    /// Of these sums, and of what the episodes retained: the sum of their edges, and of those five seconds
    /// later, with the interval of that ratio.
    pub fn of(
        sums: &DecaySums,
        [first, last]: [f64; 2],
        interval: Option<super::bootstrap::Interval>,
    ) -> Self {
        let n = sums.n as f64;
        let [at_0, at_1000, at_3000, at_5000] = sums.raw_bps.map(|sum| ratio(sum, n));
        Self {
            n: sums.n,
            mean: DecayMeans { at_0, at_1000, at_3000, at_5000 },
            retained_5s: Ranged::new(ratio(last, first), interval),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_by_hand() {
        let tens = (1..=10).map(f64::from).rev().collect();
        let found = Quantiles::of(tens);
        assert_eq!((found.p10, found.p25, found.p50), (Some(1.0), Some(3.0), Some(5.0)));
        assert_eq!((found.p75, found.p90, found.p99), (Some(8.0), Some(9.0), Some(10.0)));
        assert_eq!(found.mean, Some(5.5));
        assert_eq!(Quantiles::of(Vec::new()), Quantiles::default());
    }

    #[test]
    fn the_last_bin_has_no_end() {
        let bins = [-0.5, 0.0, 0.99, 1.0, 199.9, 200.0, 5e9].map(bin);
        assert_eq!(bins, [0, 0, 0, 1, 199, 200, 200]);
    }
}
