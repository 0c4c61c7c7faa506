//! How long something lasts when many ends are not seen: the Kaplan–Meier estimate.

use serde::Serialize;

use crate::report::ratio;

/// Where the estimate is told, in milliseconds.
pub const POINTS_MS: [u32; 9] = [50, 100, 200, 400, 900, 1000, 2000, 3000, 5000];

/// What a product of a million shares may be off by.
const ROUNDING: f64 = 1e-9;

/// Most points of a curve.
const CURVE: usize = 200;

/// A time in microseconds, and whether it ended then or was only watched that long.
///
/// Packed, since there are millions; sorts by time, an end before what was watched as long.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Lasted(u64);

impl Lasted {
    /// It ended after so many microseconds.
    pub fn ended(us: u64) -> Self {
        Self(us.min(u64::MAX >> 1) << 1)
    }

    /// It still lasted after so many microseconds.
    pub fn watched(us: u64) -> Self {
        Self(Self::ended(us).0 | 1)
    }

    fn us(self) -> u64 {
        self.0 >> 1
    }

    fn is_end(self) -> bool {
        self.0 & 1 == 0
    }
}

/// One step of the estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    us: u64,
    /// Share that lasts longer than that.
    s: f64,
    /// Greenwood's sum of d / n (n − d).
    spread: f64,
}

/// The estimate: steps down at every end.
#[derive(Clone, Debug, PartialEq)]
pub struct Survival {
    watched: u64,
    events: u64,
    steps: Vec<Step>,
}

impl Survival {
    /// Of all that was watched.
    pub fn of(mut all: Vec<Lasted>) -> Self {
        all.sort_unstable();
        let mut at_risk = all.len() as u64;
        let (watched, mut events) = (at_risk, 0);
        let mut steps = Vec::new();
        let (mut s, mut spread) = (1.0, 0.0);
        for same in all.chunk_by(|a, b| a.us() == b.us()) {
            let ended = same.iter().filter(|one| one.is_end()).count() as u64;
            if let (Some(first), 1..) = (same.first(), ended) {
                let (n, d) = (at_risk as f64, ended as f64);
                s *= (n - d) / n;
                // The last of all leaves nobody to vary.
                spread += if ended < at_risk { d / (n * (n - d)) } else { 0.0 };
                steps.push(Step { us: first.us(), s, spread });
                events += ended;
            }
            at_risk -= same.len() as u64;
        }
        Self { watched, events, steps }
    }

    fn step(&self, us: u64) -> Option<&Step> {
        let past = self.steps.partition_point(|step| step.us <= us);
        self.steps.get(past.checked_sub(1)?)
    }

    /// Share that lasts longer than `ms` milliseconds.
    pub fn at_ms(&self, ms: u32) -> f64 {
        self.step(u64::from(ms) * 1000).map_or(1.0, |step| step.s)
    }

    /// What is told of it; `z` is the normal quantile of the intervals.
    pub fn figures(&self, z: f64) -> Figures {
        let points = if self.watched == 0 { &[][..] } else { &POINTS_MS[..] };
        let point = |ms: &u32| {
            let step = self.step(u64::from(*ms) * 1000);
            let s = step.map_or(1.0, |step| step.s);
            let range = step.and_then(|step| step.range(z));
            Point { ms: *ms, s, low: range.map(|r| r.0), high: range.map(|r| r.1) }
        };
        let median = self.steps.iter().find(|step| step.s <= 0.5 + ROUNDING);
        Figures {
            crosses: self.watched,
            events: self.events,
            median_ms: median.map(|step| step.us as f64 / 1e3),
            points: points.iter().map(point).collect(),
            curve: self.curve(),
        }
    }

    /// The steps, those left out that hardly go down.
    fn curve(&self) -> Vec<At> {
        if self.watched == 0 {
            return Vec::new();
        }
        let mut curve = vec![At { ms: 0.0, s: 1.0 }];
        let least = 1.0 / (CURVE - 2) as f64;
        let mut told = 1.0;
        let last = self.steps.len().saturating_sub(1);
        for (at, step) in self.steps.iter().enumerate() {
            if told - step.s >= least || at == last {
                told = step.s;
                curve.push(At { ms: step.us as f64 / 1e3, s: step.s });
            }
        }
        curve
    }
}

impl Step {
    /// Greenwood's interval on the scale of log(−log s): it stays within 0 and 1.
    fn range(&self, z: f64) -> Option<(f64, f64)> {
        if self.s <= 0.0 || self.s >= 1.0 {
            return None;
        }
        let deviation = ratio(self.spread.sqrt(), -self.s.ln())?;
        Some((self.s.powf((z * deviation).exp()), self.s.powf((-z * deviation).exp())))
    }
}

/// The estimate as it is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// How many were watched.
    pub crosses: u64,
    /// How many ends were seen.
    pub events: u64,
    /// When half of them were over; `None` when that was not seen.
    pub median_ms: Option<f64>,
    /// At fixed times.
    pub points: Vec<Point>,
    /// For plotting.
    pub curve: Vec<At>,
}

/// The estimate at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The time.
    pub ms: u32,
    /// Share that lasts longer.
    pub s: f64,
    /// Lower end of its interval; `None` before the first end and after the last of all.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// A point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct At {
    /// The time.
    pub ms: f64,
    /// Share that lasts longer.
    pub s: f64,
}

/// The quantile `p` (above one half) of the normal law, to twelve digits.
pub fn normal_quantile(p: f64) -> f64 {
    let density = |z: f64| (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
    // Simpson's rule from zero, then Newton's: the density is smooth.
    let below = |z: f64| {
        let h = z / 400.0;
        let at = |i: i32| density(f64::from(i) * h) * if i % 2 == 1 { 4.0 } else { 2.0 };
        0.5 + h / 3.0 * (density(0.0) + density(z) + (1..400).map(at).sum::<f64>())
    };
    let mut z = 0.0;
    for _ in 0..60 {
        z -= ((below(z) - p) / density(z)).clamp(-1.0, 1.0);
    }
    z
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_estimate_by_hand() {
        // Five: ends at 1, 3, 3 and 5 ms, one watched for 3 ms only.
        let us = |ms: u64| ms * 1000;
        let all = vec![
            Lasted::watched(us(3)),
            Lasted::ended(us(5)),
            Lasted::ended(us(1)),
            Lasted::ended(us(3)),
            Lasted::ended(us(3)),
        ];
        let survival = Survival::of(all);
        let s: Vec<f64> = [0, 1, 2, 3, 4, 5].map(|ms| survival.at_ms(ms)).to_vec();
        for (found, by_hand) in s.iter().zip([1.0, 0.8, 0.8, 0.4, 0.4, 0.0]) {
            assert!((found - by_hand).abs() < 1e-12, "{s:?}");
        }
        let figures = survival.figures(1.96);
        assert_eq!((figures.crosses, figures.events, figures.median_ms), (5, 4, Some(3.0)));
        // 0.8: spread 1/(5·4); log-log: 0.8^exp(±1.96 · √0.05 / −ln 0.8).
        let step = survival.step(us(2)).expect("a step");
        let (low, high) = step.range(1.96).expect("a range");
        assert!((low - 0.2038).abs() < 5e-4 && (high - 0.9692).abs() < 5e-4, "{low} {high}");
        assert_eq!(figures.curve.last(), Some(&At { ms: 5.0, s: 0.0 }));
    }

    #[test]
    fn nothing_watched_and_nothing_ended() {
        let none = Survival::of(Vec::new()).figures(2.0);
        assert_eq!((none.crosses, none.median_ms, none.points.len()), (0, None, 0));
        let endless = Survival::of(vec![Lasted::watched(7); 3]).figures(2.0);
        assert_eq!((endless.events, endless.median_ms), (0, None));
        assert!(endless.points.iter().all(|point| point.s >= 1.0 && point.low.is_none()));
    }

    #[test]
    fn a_median_is_exact_where_half_of_an_even_number_ended() {
        for n in (2..400).step_by(2) {
            let all = (1..=n).map(|ms| Lasted::ended(ms * 1000)).collect();
            let median = Survival::of(all).figures(2.0).median_ms;
            assert_eq!(median.map(|ms| ms as u64), Some(n / 2), "of {n}");
        }
    }

    #[test]
    fn normal_quantiles() {
        for (p, z) in [(0.975, 1.959_963_984_540_054), (0.995, 2.575_829_303_548_901)] {
            assert!((normal_quantile(p) - z).abs() < 1e-10, "{p}");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_the_definition_says(all in prop::collection::vec((0_u64..30, any::<bool>()), 0..60)) {
            let lasted = |(ms, end): &(u64, bool)| {
                if *end { Lasted::ended(ms * 1000) } else { Lasted::watched(ms * 1000) }
            };
            let survival = Survival::of(all.iter().map(lasted).collect());
            for t in 0..32_u64 {
                let mut s = 1.0;
                for at in 0..=t {
                    let at_risk = all.iter().filter(|(ms, _)| *ms >= at).count() as f64;
                    let ended = all.iter().filter(|one| **one == (at, true)).count() as f64;
                    if ended > 0.0 {
                        s *= 1.0 - ended / at_risk;
                    }
                }
                let found = survival.at_ms(u32::try_from(t).expect("small"));
                prop_assert!((found - s).abs() < 1e-9, "{t}: {found} {s}");
            }
            prop_assert!(survival.figures(2.0).curve.len() <= CURVE);
        }
    }
}
