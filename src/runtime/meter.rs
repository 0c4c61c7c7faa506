//! How long the stages of the way take: the threads that do them count, a cold thread sums up.
//!
//! To count is an index and an increment. Once an interval a thread hands its histograms over and
//! goes on with empty ones; have none come back yet, it goes on with those it has, and nothing is
//! lost. Quantiles, sums and clearing are the [`Collector`]'s: the hot thread never walks a
//! histogram, and after the start it allocates nothing.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::runtime::ring::{Consumer, Producer, ring};
use crate::types::latency::Stage;
use crate::types::snapshot::Percentiles;
use crate::types::time::{Mono, Nanos};

/// Longest length that is told apart from longer ones.
const LONGEST: Nanos = Nanos::from_secs(60);
/// Decimal digits that are kept: a length is known to a thousandth.
const DIGITS: u8 = 3;
/// Most intervals that are kept; past it each two neighbours become one.
pub const INTERVALS: usize = 32;
/// Histograms that a thread can have handed over and not got back.
const UNDER_WAY: usize = 2;
/// Pause of the collector: intervals are seconds long.
const IDLE: Duration = Duration::from_millis(20);

/// What is counted of each stage, and a stage's place.
type ByStage<T> = [T; Stage::ALL.len()];

/// Lengths of one interval. A stage that this meter does not measure has no histogram.
#[derive(Debug)]
struct Lengths {
    began: Mono,
    ended: Mono,
    counts: ByStage<Option<Histogram<u32>>>,
}

impl Lengths {
    fn new(stages: &[Stage]) -> io::Result<Self> {
        let mut counts = ByStage::default();
        for stage in stages {
            counts[*stage as usize] = Some(histogram()?);
        }
        Ok(Self { began: Mono::default(), ended: Mono::default(), counts })
    }
}

fn histogram<T: hdrhistogram::Counter>() -> io::Result<Histogram<T>> {
    let mut counts = Histogram::new_with_bounds(1, LONGEST.0, DIGITS).map_err(io::Error::other)?;
    // Writes to all of it: zeroed memory is not there before it is touched.
    counts.reset();
    Ok(counts)
}

/// The end of the thread that is measured.
#[derive(Debug)]
pub struct Meter {
    interval: Nanos,
    current: Box<Lengths>,
    full: Producer<Box<Lengths>>,
    empty: Consumer<Box<Lengths>>,
}

/// The rings to one meter.
#[derive(Debug)]
struct Ends {
    full: Consumer<Box<Lengths>>,
    empty: Producer<Box<Lengths>>,
}

/// The other end of all meters: keeps what they measured.
#[derive(Debug)]
pub struct Collector {
    ends: Vec<Ends>,
    began: Mono,
    interval: Nanos,
    overall: ByStage<Option<Histogram<u64>>>,
    /// Of [`Stage::Turn`], for the summary.
    kept: Vec<Kept>,
    /// So many intervals of the meter make one that is kept.
    parts: u64,
}

#[derive(Debug)]
struct Kept {
    began: Mono,
    ended: Mono,
    counts: Histogram<u32>,
    parts: u64,
}

/// An interval of a stage as it is handed over.
#[derive(Debug)]
pub struct Closed<'a> {
    /// What was measured.
    pub stage: Stage,
    /// When the interval began.
    pub began: Mono,
    /// End of the interval.
    pub ended: Mono,
    /// Lengths within it, nanoseconds; at least one.
    pub counts: &'a Histogram<u32>,
    /// What all of them come to since the start.
    pub overall: Percentiles,
}

impl Meter {
    /// Counts what took so long; beyond a minute it counts as a minute.
    pub fn record(&mut self, stage: Stage, took: Nanos) {
        if let Some(counts) = &mut self.current.counts[stage as usize] {
            counts.saturating_record(took.0);
        }
    }

    /// Hands over what was counted, if the interval is over. To be called now and then.
    pub fn step(&mut self, now: Mono) {
        if now >= self.current.began.plus(self.interval)
            && let Some(mut next) = self.empty.pop()
        {
            (next.began, next.ended) = (now, now);
            self.current.ended = now;
            let full = std::mem::replace(&mut self.current, next);
            // There is room: there are fewer histograms than places. Without a collector it is
            // dropped.
            let _ = self.full.push(full);
        }
    }

    /// Hands over what is left: it is all over at `at`.
    pub fn finish(mut self, at: Mono) {
        self.current.ended = at;
        let _ = self.full.push(self.current);
    }
}

fn figures<T: hdrhistogram::Counter>(counts: &Histogram<T>) -> Percentiles {
    let at = |quantile| Nanos(counts.value_at_quantile(quantile));
    Percentiles {
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
    pub figures: Percentiles,
}

/// What was measured.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Measured {
    /// All of it, of every stage that had anything.
    pub stages: Vec<(Stage, Percentiles)>,
    /// Turns by time, at most [`INTERVALS`], none missing in between.
    pub turns: Vec<Interval>,
}

impl Measured {
    /// What this stage came to; all zero when it had nothing.
    pub fn of(&self, stage: Stage) -> Percentiles {
        let found = self.stages.iter().find(|(known, _)| *known == stage);
        found.map(|(_, figures)| *figures).unwrap_or_default()
    }
}

impl Collector {
    /// No meter yet. Time is counted from `began`; meters hand over each `interval`.
    pub const fn new(began: Mono, interval: Nanos) -> Self {
        Self {
            ends: Vec::new(),
            began,
            interval,
            overall: [const { None }; Stage::ALL.len()],
            kept: Vec::new(),
            parts: 1,
        }
    }

    /// A meter of these stages that begins now. All memory of its thread's is taken here.
    pub fn meter(&mut self, stages: &[Stage]) -> io::Result<Meter> {
        let (full, to_collector) = ring(UNDER_WAY + 1);
        let (mut empty, to_meter) = ring(UNDER_WAY + 1);
        for _ in 0..UNDER_WAY {
            // There is room: the ring was made for them.
            let _ = empty.push(Box::new(Lengths::new(stages)?));
        }
        let mut current = Box::new(Lengths::new(stages)?);
        (current.began, current.ended) = (self.began, self.began);
        for stage in stages {
            self.overall[*stage as usize] = Some(histogram()?);
        }
        self.ends.push(Ends { full: to_collector, empty });
        Ok(Meter { interval: self.interval, current, full, empty: to_meter })
    }

    /// Runs until every meter is gone, and sums up. `each` sees every interval of every stage that
    /// had anything in it.
    pub fn run(mut self, mut each: impl FnMut(Closed<'_>)) -> Measured {
        while !self.collect(&mut each) {
            std::thread::sleep(IDLE);
        }
        self.measured()
    }

    /// Takes what is there. Whether all meters are gone, and nothing more will come.
    fn collect(&mut self, each: &mut impl FnMut(Closed<'_>)) -> bool {
        let mut ends = std::mem::take(&mut self.ends);
        let mut closed = true;
        for Ends { full, empty } in &mut ends {
            closed &= full.is_closed(); // Asked before the last look.
            while let Some(mut lengths) = full.pop() {
                self.keep(&lengths, each);
                lengths.counts.iter_mut().flatten().for_each(Histogram::reset);
                // There is room: the meter made it out of what it took from there.
                let _ = empty.push(lengths);
            }
        }
        self.ends = ends;
        closed
    }

    fn keep(&mut self, new: &Lengths, each: &mut impl FnMut(Closed<'_>)) {
        let Lengths { began, ended, counts } = new;
        let (began, ended) = (*began, *ended);
        let all = Stage::ALL.iter().zip(counts).zip(&mut self.overall);
        for ((stage, counts), overall) in all {
            let (Some(counts), Some(overall)) = (counts, overall) else { continue };
            if counts.is_empty() {
                continue;
            }
            for step in counts.iter_recorded() {
                let (length, count) = (step.value_iterated_to(), u64::from(step.count_at_value()));
                overall.saturating_record_n(length, count);
            }
            each(Closed { stage: *stage, began, ended, counts, overall: figures(overall) });
        }
        if let Some(turns) = &counts[Stage::Turn as usize] {
            self.keep_turns(began, ended, turns);
        }
    }

    fn keep_turns(&mut self, began: Mono, ended: Mono, turns: &Histogram<u32>) {
        if let Some(last) = self.kept.last_mut().filter(|last| last.parts < self.parts) {
            last.merge(ended, turns, 1);
            return;
        }
        if self.kept.len() >= INTERVALS {
            self.merge_neighbours();
        }
        self.kept.push(Kept { began, ended, counts: turns.clone(), parts: 1 });
    }

    fn merge_neighbours(&mut self) {
        self.parts *= 2;
        let mut merged: Vec<Kept> = Vec::with_capacity(INTERVALS);
        for next in self.kept.drain(..) {
            match merged.last_mut().filter(|last| last.parts < self.parts) {
                Some(last) => last.merge(next.ended, &next.counts, next.parts),
                None => merged.push(next),
            }
        }
        self.kept = merged;
    }

    fn measured(&self) -> Measured {
        let interval = |kept: &Kept| Interval {
            from: kept.began.since(self.began),
            to: kept.ended.since(self.began),
            figures: figures(&kept.counts),
        };
        let stages = Stage::ALL.into_iter().zip(&self.overall);
        let stages = stages.filter_map(|(stage, counts)| Some((stage, counts.as_ref()?)));
        Measured {
            stages: stages
                .filter(|(_, counts)| !counts.is_empty())
                .map(|(stage, counts)| (stage, figures(counts)))
                .collect(),
            turns: self.kept.iter().map(interval).collect(),
        }
    }
}

impl Kept {
    fn merge(&mut self, ended: Mono, counts: &Histogram<u32>, parts: u64) {
        self.parts += parts;
        self.ended = ended;
        // Of the same bounds: it cannot fail.
        let _ = self.counts.add(counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = Nanos::from_secs(1);

    fn at(seconds: u64) -> Mono {
        Mono(7).plus(Nanos::from_secs(seconds))
    }

    /// A meter of turns, and its collector.
    fn meter() -> (Meter, Collector) {
        let mut collector = Collector::new(at(0), SECOND);
        let meter = collector.meter(&[Stage::Turn]).expect("a meter");
        (meter, collector)
    }

    impl Meter {
        fn turn(&mut self, at: Mono, took: Nanos) {
            self.step(at);
            self.record(Stage::Turn, took);
        }
    }

    impl Collector {
        fn take(&mut self) -> bool {
            self.collect(&mut |_| {})
        }
    }

    #[test]
    fn figures_are_those_of_the_sorted_list_to_a_thousandth() {
        let (mut meter, mut collector) = meter();
        let mut lengths: Vec<u64> = (1..=10_000_u64).map(|n| n * n % 999_983 + 1).collect();
        for took in &lengths {
            meter.turn(at(0), Nanos(*took));
        }
        meter.finish(at(1));
        assert!(collector.take());
        lengths.sort_unstable();
        let measured = collector.measured();
        let (overall, intervals) = (measured.of(Stage::Turn), measured.turns);
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
        let (mut meter, mut collector) = meter();
        for took in [0, 1, u64::MAX, LONGEST.0 + 1] {
            meter.turn(at(0), Nanos(took));
        }
        meter.finish(at(1));
        collector.take();
        let overall = collector.measured().of(Stage::Turn);
        assert_eq!(overall.count, 4);
        assert!(overall.max.0.abs_diff(LONGEST.0) * 1_000 <= LONGEST.0, "{overall:?}");
    }

    #[test]
    fn a_run_of_any_length_fits_into_the_list_without_a_hole_and_without_a_loss() {
        for seconds in [1, 31, 32, 33, 64, 65, 1_000] {
            let (mut meter, mut collector) = meter();
            for n in 0..seconds {
                // One length a second, which says when it was counted.
                meter.turn(at(n), Nanos(1 + n));
                collector.take();
            }
            meter.finish(at(seconds));
            assert!(collector.take());
            let measured = collector.measured();
            let (overall, intervals) = (measured.of(Stage::Turn), measured.turns);
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
        let (mut meter, mut collector) = meter();
        for n in 0..10 {
            meter.turn(at(n), Nanos(5));
        }
        meter.finish(at(10));
        assert!(collector.take());
        let measured = collector.measured();
        let (overall, intervals) = (measured.of(Stage::Turn), measured.turns);
        assert_eq!(overall.count, 10);
        let counts: Vec<_> = intervals.iter().map(|interval| interval.figures.count).collect();
        assert_eq!(counts, [1, 1, 8]);
        assert_eq!(intervals.last().map(|last| last.to), Some(Nanos::from_secs(10)));
    }

    #[test]
    fn counting_and_handing_over_allocate_nothing() {
        let (mut meter, mut collector) = meter();
        for n in 0..10 {
            let info = allocation_counter::measure(|| {
                for took in 0..10_000 {
                    meter.turn(at(n), Nanos(took * took * took));
                }
            });
            assert_eq!(info.count_total, 0, "interval {n}");
            collector.take();
        }
        assert_eq!(collector.kept.len(), 9, "nine were handed over");
    }

    #[test]
    fn stages_of_several_meters_are_told_apart_and_each_interval_is_seen() {
        let mut collector = Collector::new(at(0), SECOND);
        let mut hot = collector.meter(&[Stage::Parse, Stage::Turn]).expect("a meter");
        let mut cold = collector.meter(&[Stage::RingLag]).expect("a meter");
        hot.record(Stage::Parse, Nanos(5));
        hot.record(Stage::RingLag, Nanos(6)); // Not its stage.
        cold.record(Stage::RingLag, Nanos(7));
        hot.step(at(1));
        hot.record(Stage::Parse, Nanos(50));
        hot.finish(at(2));
        let mut seen = Vec::new();
        let mut each = |closed: Closed<'_>| {
            seen.push((closed.stage, closed.began, closed.counts.max(), closed.overall.count));
        };
        assert!(!collector.collect(&mut each), "one meter is left");
        cold.finish(at(2));
        assert!(collector.collect(&mut each));
        let (parse, lag) = (Stage::Parse, Stage::RingLag);
        assert_eq!(seen, [(parse, at(0), 5, 1), (parse, at(1), 50, 2), (lag, at(0), 7, 1)]);
        let measured = collector.measured();
        assert_eq!(measured.stages.len(), 2, "a stage that had nothing is left out");
        assert_eq!((measured.of(parse).count, measured.of(lag).max), (2, Nanos(7)));
        assert_eq!(measured.of(Stage::Turn), Percentiles::default());
    }
}
