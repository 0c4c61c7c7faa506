//! How long an order takes to the venue.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hdrhistogram::Histogram;

use crate::command::{Failure, duration};
use crate::telemetry::dumps;
use crate::types::latency::Stage;
use crate::types::time::Nanos;

/// Half of the usual time between two blocks: so long an order waits for its block on average.
pub(super) const BLOCK_WAIT: Nanos = Nanos::from_millis(34);
/// Longer ones are mistakes.
const MOST: Nanos = Nanos::from_secs(60);

/// `--fill`, as it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::command::replay) struct Fill {
    way: Way,
    /// What of it comes after the block.
    answer: Nanos,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Way {
    /// `fixed:400ms`
    Fixed(Nanos),
    /// `recorded:FILE`
    Recorded(PathBuf),
}

/// Reads it.
pub(in crate::command::replay) fn fill(text: &str) -> Result<Fill, String> {
    let span = |text: &str| match text {
        "0" | "0ms" | "0s" => Ok(Nanos::ZERO),
        _ => duration(text).and_then(|span| match span > MOST {
            true => Err(format!("{text:?}: expected at most 60s")),
            false => Ok(span),
        }),
    };
    let (way, answer) = match text.rsplit_once(",answer=") {
        Some((way, answer)) => (way, span(answer)?),
        None => (text, Nanos::ZERO),
    };
    let way = match way.split_once(':') {
        Some(("fixed", all)) => Way::Fixed(span(all)?),
        Some(("recorded", path)) if !path.is_empty() => Way::Recorded(path.into()),
        _ => {
            return Err(format!(
                "{text:?}: expected fixed:400ms or recorded:FILE.hlog, and ,answer=275ms behind it \
                 if need be"
            ));
        }
    };
    match way {
        Way::Fixed(all) if answer > all => {
            Err(format!("{text:?}: expected an answer that takes no longer than all of it"))
        }
        way => Ok(Fill { way, answer }),
    }
}

/// How long an order takes: from its write to its answer, but for the wait for its block, which comes
/// on top.
///
/// A run measures that as a whole. How much of it lies behind the block is not known to it, and is none
/// unless it is told: then an order reaches the venue later than it does, and fills less.
#[derive(Clone, Debug)]
pub(in crate::command::replay) struct Latency {
    whole: Whole,
    /// What of it comes after the block.
    answer: Nanos,
}

#[derive(Clone, Debug)]
enum Whole {
    /// Always this one.
    Fixed(Nanos),
    /// From what was measured, each as likely as it was; nanoseconds.
    Recorded(Arc<Histogram<u64>>),
}

impl Latency {
    /// Errors: a dump that cannot be read, or has no `order_rtt`.
    pub(in crate::command::replay) fn of(fill: &Fill) -> Result<Self, Failure> {
        let whole = match &fill.way {
            Way::Fixed(span) => Whole::Fixed(*span),
            Way::Recorded(path) => Whole::Recorded(Arc::new(recorded(path)?)),
        };
        Ok(Self { whole, answer: fill.answer })
    }

    /// From the write of an order to its arrival: `lot` decides, 64 bits of chance. One that was
    /// quicker than its answer alone arrives at once.
    pub(super) fn arrival(&self, lot: u64) -> Nanos {
        let whole = match &self.whole {
            Whole::Fixed(span) => *span,
            Whole::Recorded(counts) => {
                let nth = ((u128::from(lot) * u128::from(counts.len())) >> 64) as f64 + 0.5;
                let took = counts.value_at_quantile(nth / counts.len() as f64);
                Nanos(took.saturating_sub(BLOCK_WAIT.0).min(MOST.0))
            }
        };
        Nanos(whole.0.saturating_sub(self.answer.0))
    }

    /// From the block to the answer.
    pub(super) fn answer(&self) -> Nanos {
        self.answer
    }
}

fn recorded(path: &Path) -> Result<Histogram<u64>, Failure> {
    let stage = Stage::OrderRtt.name();
    let (dumped, _) = dumps::read(path).map_err(Failure::usage)?;
    let mut all: Option<Histogram<u64>> = None;
    for one in dumped.into_iter().filter(|one| one.tag.as_deref() == Some(stage)) {
        match &mut all {
            None => {
                let mut first = one.counts;
                first.auto(true);
                all = Some(first);
            }
            Some(all) => all.add(&one.counts).map_err(|error| {
                Failure::runtime(format!("{}: {stage}: {error}", path.display()))
            })?,
        }
    }
    match all.filter(|all| !all.is_empty()) {
        Some(all) => Ok(all),
        None => Err(Failure::usage(format!(
            "{}: expected a latency dump of a run that traded, with intervals of {stage}",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_fixed_or_recorded_and_may_have_an_answer() {
        let ms = Nanos::from_millis;
        let of = |way, answer| Ok(Fill { way, answer });
        let file = || Way::Recorded("a:b.hlog".into());
        assert_eq!(fill("fixed:400ms"), of(Way::Fixed(ms(400)), Nanos::ZERO));
        assert_eq!(fill("fixed:0ms"), of(Way::Fixed(Nanos::ZERO), Nanos::ZERO));
        assert_eq!(fill("fixed:400ms,answer=400ms"), of(Way::Fixed(ms(400)), ms(400)));
        assert_eq!(fill("recorded:a:b.hlog"), of(file(), Nanos::ZERO));
        assert_eq!(fill("recorded:a:b.hlog,answer=275ms"), of(file(), ms(275)));
        for wrong in [
            "",
            "fixed",
            "fixed:",
            "fixed:61s",
            "recorded:",
            "drawn:5ms",
            "400ms",
            "fixed:400ms,answer=",
            "fixed:400ms,answer=401ms",
            "fixed:400ms,reply=1ms",
            "recorded:,answer=1ms",
        ] {
            fill(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn what_is_drawn_was_recorded_and_is_less_the_wait_for_the_block_and_the_answer() {
        let mut counts = Histogram::<u64>::new(3).expect("a histogram");
        counts.record_n(100_000_000, 3).expect("counted");
        counts.record(900_000_000).expect("counted");
        let counts = Arc::new(counts);
        for (answer, quick, slow) in [(0, 66, 866), (60, 6, 806), (275, 0, 591)] {
            let answer = Nanos::from_millis(answer);
            let latency = Latency { whole: Whole::Recorded(Arc::clone(&counts)), answer };
            let arrival = |quarter: u64| latency.arrival(quarter << 62 | 1 << 61).as_millis();
            assert_eq!([0, 1, 2, 3].map(arrival), [quick, quick, quick, slow]);
        }
    }
}
