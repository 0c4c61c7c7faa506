//! Intervals of ratios by the studentized cluster bootstrap.
//!
//! Clusters are drawn with replacement, a thousand times. Each time the ratio's distance from the one
//! observed is measured in its own cluster-robust standard errors; the quantiles of these distances give
//! the interval. Unlike plain percentiles this holds its level with few clusters and skewed values.
//! The draws depend on the seed alone.

use crate::report::clusters::Clusters;
use crate::types::split_mix::SplitMix64;

/// How often clusters are drawn.
pub const RESAMPLES: usize = 1000;

/// Draws that are worked on at once: side by side they fill the machine's vectors, and a row of sums is read
/// from memory once for all of them.
const AT_ONCE: usize = 16;

/// A number for each of these draws. Sums of a few thousand terms of one sign: single precision is far finer
/// than what a thousand draws can tell.
type Lanes = [f32; AT_ONCE];

/// Sums of a pair: x, e, x², xe, e², where e is what y has more than the observed ratio of x.
const SUMS: usize = 5;

/// A seed that depends on a name alone.
pub fn seed(name: &str) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}

/// Clusters, drawn with replacement.
#[derive(Clone, Copy, Debug)]
struct Draws(SplitMix64);

impl Draws {
    /// How often each cluster is drawn, in as many draws as there are clusters; in lane number `lane`.
    fn fill(&mut self, weights: &mut [Lanes], lane: usize) {
        let n = weights.len() as u64;
        let mut left = weights.len();
        while left > 0 {
            let bits = self.0.bits();
            // Two draws of 32 bits; no group has nearly that many clusters.
            for half in [bits >> 32, bits & 0xffff_ffff].into_iter().take(left) {
                let lanes = weights.get_mut(((half * n) >> 32) as usize);
                if let Some(weight) = lanes.and_then(|lanes| lanes.get_mut(lane)) {
                    *weight += 1.0;
                }
            }
            left = left.saturating_sub(2);
        }
    }
}

/// A ratio Σy/Σx and how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Intervals of Σy/Σx for every pair (x, y) of `clusters`, whose upper end lies above the truth with
/// probability `upper` (0.995 for 99 %, two-sided).
///
/// `None` where there are fewer than two clusters with an x, where they do not differ, or where so few differ
/// that draws of a single one decide.
pub fn intervals(clusters: &Clusters, upper: f64, seed: u64) -> Vec<Option<Interval>> {
    let pairs: Vec<Pair> = (0..clusters.pairs()).map(|at| Pair::observed(clusters, at)).collect();
    if pairs.iter().all(|pair| pair.se <= 0.0) {
        return vec![None; pairs.len()];
    }
    let width = SUMS * pairs.len();
    let sums = sums_by_cluster(clusters, &pairs, width);
    let mut distances = vec![Vec::with_capacity(RESAMPLES); pairs.len()];
    let mut draws = Draws(SplitMix64(seed));
    let mut weights: Vec<Lanes> = vec![[0.0; AT_ONCE]; clusters.len()];
    let mut totals: Vec<Lanes> = vec![[0.0; AT_ONCE]; width];
    for first in (0..RESAMPLES).step_by(AT_ONCE) {
        weights.fill([0.0; AT_ONCE]);
        totals.fill([0.0; AT_ONCE]);
        let lanes = AT_ONCE.min(RESAMPLES - first);
        (0..lanes).for_each(|lane| draws.fill(&mut weights, lane));
        add_up(&sums, width, &weights, &mut totals);
        let of_pairs = totals.chunks_exact(SUMS).zip(&pairs).zip(&mut distances);
        for ((total, pair), distances) in of_pairs {
            distances.extend((0..lanes).filter_map(|lane| pair.distance(total, lane)));
        }
    }
    pairs.iter().zip(&mut distances).map(|(pair, all)| pair.interval(all, upper)).collect()
}

/// The sums of every cluster, row by row, those of each pair on a scale of their own: near one, so that
/// single precision holds their squares as well.
fn sums_by_cluster(clusters: &Clusters, pairs: &[Pair], width: usize) -> Vec<f32> {
    let mut sums = Vec::with_capacity(width * clusters.len());
    for row in clusters.rows() {
        for (values, pair) in row.chunks_exact(2).zip(pairs) {
            let [x, y] = values else { continue };
            let e = (y - pair.ratio * x) * pair.scale_e;
            let x = x * pair.scale_x;
            sums.extend([x, e, x * x, x * e, e * e].map(|sum| sum as f32));
        }
    }
    sums
}

/// Adds each row of `sums` to `totals`, in each lane as often as its weight there says.
fn add_up(sums: &[f32], width: usize, weights: &[Lanes], totals: &mut [Lanes]) {
    for (row, weights) in sums.chunks_exact(width).zip(weights) {
        for (value, total) in row.iter().zip(totals.iter_mut()) {
            for (sum, weight) in total.iter_mut().zip(weights) {
                *sum += value * weight;
            }
        }
    }
}

/// What was observed.
#[derive(Clone, Copy, Debug)]
struct Pair {
    ratio: f64,
    /// Standard error of it; zero when it cannot be told.
    se: f64,
    /// What a variance is multiplied with for the clusters being few.
    few: f64,
    /// What brings x near one.
    scale_x: f64,
    /// What brings e near one.
    scale_e: f64,
}

impl Pair {
    fn observed(clusters: &Clusters, at: usize) -> Self {
        let pair = |row: &[f64]| {
            Some((row.get(2 * at).copied()?, row.get(2 * at + 1).copied()?))
                .filter(|(x, _)| *x != 0.0)
        };
        let pairs = || clusters.rows().filter_map(pair);
        let n = pairs().count() as f64;
        let (x, y) = pairs().fold((0.0, 0.0), |(x, y), (dx, dy)| (x + dx, y + dy));
        let unknown = Self { ratio: 0.0, se: 0.0, few: 0.0, scale_x: 0.0, scale_e: 0.0 };
        if n < 2.0 || x <= 0.0 {
            return unknown;
        }
        let ratio = y / x;
        let squares = pairs().map(|(x, y)| (y - ratio * x).powi(2)).sum::<f64>();
        let scale = pairs().map(|(x, y)| y * y + ratio * ratio * x * x).sum::<f64>();
        // Below that it is rounding.
        if squares <= scale * 1e-18 {
            return unknown;
        }
        let few = n / (n - 1.0);
        let scale_e = (n / squares).sqrt();
        Self { ratio, se: (few * squares).sqrt() / x, few, scale_x: n / x, scale_e }
    }

    /// How far the ratio of a draw lies from the observed one, in its own standard errors; without end when
    /// it has none of its own, as when a single cluster was drawn all over.
    fn distance(&self, total: &[Lanes], lane: usize) -> Option<f64> {
        let [x, e, xx, xe, ee] = total else { return None };
        let at = |lanes: &Lanes| lanes.get(lane).map_or(0.0, |sum| f64::from(*sum));
        let (x, e, xx, xe, ee) = (at(x), at(e), at(xx), at(xe), at(ee));
        if self.se <= 0.0 || x <= 0.0 {
            return None;
        }
        let away = e / x;
        let squares = ee - 2.0 * away * xe + away * away * xx;
        // Below that it is rounding.
        if squares <= 1e-5 * ee {
            return Some(if away == 0.0 { 0.0 } else { away.signum() * f64::INFINITY });
        }
        // The scales of e and of x cancel out.
        Some(e / (self.few * squares).sqrt())
    }

    fn interval(&self, distances: &mut [f64], upper: f64) -> Option<Interval> {
        // A ratio that most draws do not even have is no figure to be sure of.
        if self.se <= 0.0 || distances.len() < RESAMPLES / 2 {
            return None;
        }
        distances.sort_unstable_by(f64::total_cmp);
        let last = distances.len() - 1;
        let rank = |q: f64| ((q * distances.len() as f64).ceil() as usize).clamp(1, last + 1) - 1;
        let (far, near) = (distances.get(rank(upper))?, distances.get(rank(1.0 - upper))?);
        let interval =
            Interval { low: self.ratio - far * self.se, high: self.ratio - near * self.se };
        (interval.low.is_finite() && interval.high.is_finite()).then_some(interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::clusters::CLUSTERS;

    fn clusters(rows: &[(f64, f64)]) -> Clusters {
        let mut clusters = Clusters::new(1, CLUSTERS);
        rows.iter().for_each(|(x, y)| clusters.push(&[*x, *y]));
        clusters
    }

    fn one(rows: &[(f64, f64)], upper: f64) -> Option<Interval> {
        intervals(&clusters(rows), upper, 1)[0]
    }

    #[test]
    fn what_no_draw_can_tell_has_no_interval() {
        assert_eq!(one(&[], 0.995), None);
        assert_eq!(one(&[(3.0, 5.0)], 0.995), None, "one cluster");
        assert_eq!(one(&[(1.0, 2.0); 40], 0.995), None, "all alike");
        assert_eq!(one(&[(1.0, 2.0), (1.0, 4.0)], 0.995), None, "half of the draws hold one alone");
        assert_eq!(one(&[(0.0, 0.0); 9], 0.995), None, "nothing to divide by");
    }

    #[test]
    fn an_interval_holds_the_ratio_and_narrows_with_the_clusters() {
        let rows = |n: usize| -> Vec<(f64, f64)> {
            (0..n).map(|i| (1.0 + (i % 3) as f64, (i * 7 % 11) as f64)).collect()
        };
        let width = |n: usize| {
            let rows = rows(n);
            let ratio =
                rows.iter().map(|r| r.1).sum::<f64>() / rows.iter().map(|r| r.0).sum::<f64>();
            let found = one(&rows, 0.975).expect("an interval");
            assert!(found.low < ratio && ratio < found.high, "{found:?} around {ratio}");
            found.high - found.low
        };
        let (few, many) = (width(60), width(2400));
        // The square root of forty.
        assert!((5.0..8.0).contains(&(few / many)), "{few} {many}");
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let rows: Vec<(f64, f64)> = (0..50).map(|i| (1.0, f64::from(i * i % 17))).collect();
        let clusters = clusters(&rows);
        assert_eq!(intervals(&clusters, 0.99, 5), intervals(&clusters, 0.99, 5));
        assert_ne!(intervals(&clusters, 0.99, 5), intervals(&clusters, 0.99, 6));
        assert_ne!(seed("xyz:A"), seed("xyz:B"));
    }

    #[test]
    fn nine_of_ten_intervals_of_ninety_percent_hold_the_truth() {
        // Skewed values in clusters of several: exponential by inversion, mean 1.
        let mut draws = Draws(SplitMix64(42));
        let mut exponential = || -(1.0 - (draws.0.bits() >> 11) as f64 / (1_u64 << 53) as f64).ln();
        let held = (0..300)
            .filter(|trial| {
                let rows: Vec<(f64, f64)> = (0..40)
                    .map(|i| {
                        let n = 1 + i % 4;
                        let of_all = exponential();
                        (f64::from(n), f64::from(n) * of_all)
                    })
                    .collect();
                let found = intervals(&clusters(&rows), 0.95, *trial)[0].expect("an interval");
                found.low < 1.0 && 1.0 < found.high
            })
            .count();
        assert!((250..=290).contains(&held), "{held} of 300");
    }

    #[test]
    fn draws_are_as_many_as_there_are_clusters() {
        for n in [1, 2, 3, 7, 100] {
            let mut weights = vec![[0.0; AT_ONCE]; n];
            Draws(SplitMix64(7)).fill(&mut weights, 3);
            // Whole numbers, so small that they are exact.
            let drawn =
                |lane: usize| weights.iter().map(|lanes| lanes[lane] as usize).sum::<usize>();
            assert_eq!(drawn(3), n);
            assert_eq!((0..AT_ONCE).map(drawn).sum::<usize>(), n, "in no other lane");
        }
    }
}
