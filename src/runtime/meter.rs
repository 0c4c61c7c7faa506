//! How long the hot thread takes: it counts, a cold thread sums up.
//!
//! To count is an index and an increment. Once an interval the hot thread hands its histogram over
//! and goes on with an empty one; has none come back yet, it goes on with the one it has, and
//! nothing is lost. Quantiles, sums and clearing are the [`Collector`]'s: the hot thread never
//! walks a histogram, and after the start it allocates nothing.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::runtime::ring::{Consumer, Producer, ring};
use crate::types::snapshot::Figures;
use crate::types::time::{Mono, Nanos};

/// Longest length that is told apart from longer ones.
const LONGEST: Nanos = Nanos::from_secs(60);
/// Decimal digits that are kept: a length is known to a thousandth.
const DIGITS: u8 = 3;
/// Most intervals that are kept; past it each two neighbours become one.
pub const INTERVALS: usize = 32;
/// Histograms that the hot thread can have handed over and not got back.
const UNDER_WAY: usize = 2;
/// Pause of the collector: intervals are seconds long.
const IDLE: Duration = Duration::from_millis(20);

/// Lengths of one interval.
#[derive(Debug)]
struct Lengths {
    began: Mono,
    ended: Mono,
    counts: Histogram<u32>,
}

impl Lengths {
    fn new() -> io::Result<Self> {
        let counts = Histogram::new_with_bounds(1, LONGEST.0, DIGITS).map_err(io::Error::other)?;
        Ok(Self { began: Mono::default(), ended: Mono::default(), counts })
    }
}

/// The hot thread's end.
#[derive(Debug)]
pub struct Meter {
    interval: Nanos,
    current: Box<Lengths>,
    full: Producer<Box<Lengths>>,
    empty: Consumer<Box<Lengths>>,
}

/// The other end: keeps the intervals.
#[derive(Debug)]
pub struct Collector {
    full: Consumer<Box<Lengths>>,
    empty: Producer<Box<Lengths>>,
    began: Mono,
    overall: Histogram<u64>,
    kept: Vec<Kept>,
    /// So many intervals of the meter make one that is kept.
    parts: u64,
}

#[derive(Debug)]
struct Kept {
    lengths: Lengths,
    parts: u64,
}

/// A meter that begins at `now` and hands over each `interval`, and its collector. All memory of
/// the hot thread's is taken here.
pub fn meter(now: Mono, interval: Nanos) -> io::Result<(Meter, Collector)> {
    let (full, to_collector) = ring(UNDER_WAY + 1);
    let (mut empty, to_meter) = ring(UNDER_WAY + 1);
    for _ in 0..UNDER_WAY {
        // There is room: the ring was made for them.
        let _ = empty.push(Box::new(Lengths::new()?));
    }
    let mut current = Box::new(Lengths::new()?);
    (current.began, current.ended) = (now, now);
    let overall = Histogram::new_with_bounds(1, LONGEST.0, DIGITS).map_err(io::Error::other)?;
    let collector =
        Collector { full: to_collector, empty, began: now, overall, kept: Vec::new(), parts: 1 };
    Ok((Meter { interval, current, full, empty: to_meter }, collector))
}

impl Meter {
    /// Counts what began at `at` and took `took`; beyond a minute it counts as a minute.
    pub fn record(&mut self, at: Mono, took: Nanos) {
        if at >= self.current.began.plus(self.interval)
            && let Some(mut next) = self.empty.pop()
        {
            (next.began, next.ended) = (at, at);
            self.current.ended = at;
            self.hand_over(next);
        }
        self.current.counts.saturating_record(took.0);
    }

    /// Hands over what is left: it is all over at `at`.
    pub fn finish(mut self, at: Mono) {
        self.current.ended = at;
        let _ = self.full.push(self.current);
    }

    fn hand_over(&mut self, next: Box<Lengths>) {
        let full = std::mem::replace(&mut self.current, next);
        // There is room: there are fewer histograms than places. Without a collector it is dropped.
        let _ = self.full.push(full);
    }
}

fn figures<T: hdrhistogram::Counter>(counts: &Histogram<T>) -> Figures {
    let at = |quantile| Nanos(counts.value_at_quantile(quantile));
    Figures {
        count: counts.len(),
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        max: Nanos(counts.max()),
    }
}

/// One stretch of time, counted from the meter's beginning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Interval {
    /// Its beginning.
    pub from: Nanos,
    /// Its end.
    pub to: Nanos,
    /// What was counted.
    pub figures: Figures,
}

/// What a meter has measured.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Measured {
    /// All of it.
    pub overall: Figures,
    /// By time, at most [`INTERVALS`], none missing in between.
    pub intervals: Vec<Interval>,
}

impl Collector {
    /// Runs until the meter is gone, and sums up. `each` sees what all of it comes to, each time
    /// that more has come.
    pub fn run(mut self, mut each: impl FnMut(Figures)) -> Measured {
        let mut known = 0;
        while !self.collect() {
            if self.overall.len() > known {
                known = self.overall.len();
                each(figures(&self.overall));
            }
            std::thread::sleep(IDLE);
        }
        self.measured()
    }

    /// Takes what is there. Whether the meter is gone, and nothing more will come.
    fn collect(&mut self) -> bool {
        let closed = self.full.is_closed(); // Asked before the last look.
        while let Some(mut lengths) = self.full.pop() {
            self.keep(&lengths);
            lengths.counts.reset();
            // There is room: the meter made it out of what it took from there.
            let _ = self.empty.push(lengths);
        }
        closed
    }

    fn keep(&mut self, new: &Lengths) {
        for step in new.counts.iter_recorded() {
            let (length, count) = (step.value_iterated_to(), u64::from(step.count_at_value()));
            self.overall.saturating_record_n(length, count);
        }
        if let Some(last) = self.kept.last_mut().filter(|last| last.parts < self.parts) {
            last.merge(new, 1);
            return;
        }
        if self.kept.len() >= INTERVALS {
            self.merge_neighbours();
        }
        let Lengths { began, ended, counts } = new;
        let lengths = Lengths { began: *began, ended: *ended, counts: counts.clone() };
        self.kept.push(Kept { lengths, parts: 1 });
    }

    fn merge_neighbours(&mut self) {
        self.parts *= 2;
        let mut merged: Vec<Kept> = Vec::with_capacity(INTERVALS);
        for next in self.kept.drain(..) {
            match merged.last_mut().filter(|last| last.parts < self.parts) {
                Some(last) => last.merge(&next.lengths, next.parts),
                None => merged.push(next),
            }
        }
        self.kept = merged;
    }

    fn measured(&self) -> Measured {
        let interval = |kept: &Kept| Interval {
            from: kept.lengths.began.since(self.began),
            to: kept.lengths.ended.since(self.began),
            figures: figures(&kept.lengths.counts),
        };
        Measured {
            overall: figures(&self.overall),
            intervals: self.kept.iter().map(interval).collect(),
        }
    }
}

impl Kept {
    fn merge(&mut self, next: &Lengths, parts: u64) {
        self.parts += parts;
        self.lengths.ended = next.ended;
        // Of the same bounds: it cannot fail.
        let _ = self.lengths.counts.add(&next.counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = Nanos::from_secs(1);

    fn at(seconds: u64) -> Mono {
        Mono(7).plus(Nanos::from_secs(seconds))
    }

    #[test]
    fn figures_are_those_of_the_sorted_list_to_a_thousandth() {
        let (mut meter, mut collector) = meter(at(0), SECOND).expect("a meter");
        let mut lengths: Vec<u64> = (1..=10_000_u64).map(|n| n * n % 999_983 + 1).collect();
        for took in &lengths {
            meter.record(at(0), Nanos(*took));
        }
        meter.finish(at(1));
        assert!(collector.collect());
        lengths.sort_unstable();
        let Measured { overall, intervals } = collector.measured();
        assert_eq!(overall.count, 10_000);
        for (figure, rank) in [
            (overall.p50, 5_000),
            (overall.p99, 9_900),
            (overall.p999, 9_990),
            (overall.max, 10_000),
        ] {
            let exact = lengths[rank - 1];
            assert!(figure.0.abs_diff(exact) * 1_000 <= exact, "{figure:?} is not {exact}");
        }
        assert_eq!(intervals, [Interval { from: Nanos::ZERO, to: SECOND, figures: overall }]);
    }

    #[test]
    fn nothing_is_too_short_or_too_long_to_be_counted() {
        let (mut meter, mut collector) = meter(at(0), SECOND).expect("a meter");
        for took in [0, 1, u64::MAX, LONGEST.0 + 1] {
            meter.record(at(0), Nanos(took));
        }
        meter.finish(at(1));
        collector.collect();
        let overall = collector.measured().overall;
        assert_eq!(overall.count, 4);
        assert!(overall.max.0.abs_diff(LONGEST.0) * 1_000 <= LONGEST.0, "{overall:?}");
    }

    #[test]
    fn a_run_of_any_length_fits_into_the_list_without_a_hole_and_without_a_loss() {
        for seconds in [1, 31, 32, 33, 64, 65, 1_000] {
            let (mut meter, mut collector) = meter(at(0), SECOND).expect("a meter");
            for n in 0..seconds {
                // One length a second, which says when it was counted.
                meter.record(at(n), Nanos(1 + n));
                collector.collect();
            }
            meter.finish(at(seconds));
            assert!(collector.collect());
            let Measured { overall, intervals } = collector.measured();
            assert_eq!((overall.count, overall.max), (seconds, Nanos(seconds)));
            assert!(intervals.len() <= INTERVALS, "{seconds} s: {}", intervals.len());
            assert!(intervals.len() as u64 >= seconds.min(INTERVALS as u64 / 2), "{seconds} s");
            let mut from = Nanos::ZERO;
            for interval in &intervals {
                assert_eq!(interval.from, from, "{seconds} s: {intervals:?}");
                from = interval.to;
                let span = (interval.to.0 - interval.from.0) / SECOND.0;
                assert_eq!(interval.figures.count, span, "{seconds} s: {interval:?}");
                assert_eq!(interval.figures.max.0, interval.to.0 / SECOND.0, "{interval:?}");
            }
            assert_eq!(from, Nanos(seconds * SECOND.0));
            let longest = |i: &Interval| i.to.0 - i.from.0;
            let spans: Vec<_> = intervals.iter().rev().skip(1).map(longest).collect();
            assert!(spans.windows(2).all(|two| two[0] == two[1]), "but for the last: {spans:?}");
        }
    }

    #[test]
    fn a_collector_that_does_not_come_makes_intervals_longer_and_loses_none() {
        let (mut meter, mut collector) = meter(at(0), SECOND).expect("a meter");
        for n in 0..10 {
            meter.record(at(n), Nanos(5));
        }
        meter.finish(at(10));
        assert!(collector.collect());
        let Measured { overall, intervals } = collector.measured();
        assert_eq!(overall.count, 10);
        let counts: Vec<_> = intervals.iter().map(|interval| interval.figures.count).collect();
        assert_eq!(counts, [1, 1, 8]);
        assert_eq!(intervals.last().map(|last| last.to), Some(Nanos::from_secs(10)));
    }

    #[test]
    fn counting_and_handing_over_allocate_nothing() {
        let (mut meter, mut collector) = meter(at(0), SECOND).expect("a meter");
        for n in 0..10 {
            let info = allocation_counter::measure(|| {
                for took in 0..10_000 {
                    meter.record(at(n), Nanos(took * took * took));
                }
            });
            assert_eq!(info.count_total, 0, "interval {n}");
            collector.collect();
        }
        assert_eq!(collector.kept.len(), 9, "nine were handed over");
    }
}
