//! How long an order takes to the venue.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hdrhistogram::Histogram;

use crate::command::{Failure, duration};
use crate::telemetry::dumps;
use crate::types::latency::Stage;
use crate::types::time::Nanos;
use crate::venue::Dice;

/// Half of the usual time between two blocks: so long an order waits for its block on average.
const BLOCK_WAIT: Nanos = Nanos::from_millis(34);
/// Longer ones are mistakes.
const MOST: Nanos = Nanos::from_secs(60);

/// `--fill`, as it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::command::replay) enum Fill {
    /// `fixed:400ms`
    Fixed(Nanos),
    /// `recorded:FILE`
    Recorded(PathBuf),
}

/// Reads it.
pub(in crate::command::replay) fn fill(text: &str) -> Result<Fill, String> {
    let expected = || format!("{text:?}: expected fixed:400ms or recorded:FILE.hlog");
    match text.split_once(':') {
        Some(("fixed", "0" | "0ms" | "0s")) => Ok(Fill::Fixed(Nanos::ZERO)),
        Some(("fixed", span)) => {
            let span = duration(span)?;
            if span > MOST {
                Err(format!("{text:?}: expected at most 60s"))
            } else {
                Ok(Fill::Fixed(span))
            }
        }
        Some(("recorded", path)) if !path.is_empty() => Ok(Fill::Recorded(path.into())),
        _ => Err(expected()),
    }
}

/// Where latencies come from.
#[derive(Clone, Debug)]
pub(in crate::command::replay) enum Latency {
    /// Always this one.
    Fixed(Nanos),
    /// From what was measured, each as likely as it was; nanoseconds.
    Recorded(Arc<Histogram<u64>>),
}

impl Latency {
    /// Errors: a dump that cannot be read, or has no `order_rtt`.
    pub(in crate::command::replay) fn of(fill: &Fill) -> Result<Self, Failure> {
        match fill {
            Fill::Fixed(span) => Ok(Self::Fixed(*span)),
            Fill::Recorded(path) => recorded(path),
        }
    }

    /// Draws one. A recorded round trip has the wait for the block in it, which comes on top here.
    pub(super) fn draw(&self, dice: &mut Dice) -> Nanos {
        match self {
            Self::Fixed(span) => *span,
            Self::Recorded(counts) => {
                let nth = dice.below(counts.len()) as f64 + 0.5;
                let took = counts.value_at_quantile(nth / counts.len() as f64);
                Nanos(took.saturating_sub(BLOCK_WAIT.0).min(MOST.0))
            }
        }
    }
}

fn recorded(path: &Path) -> Result<Latency, Failure> {
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
        Some(all) => Ok(Latency::Recorded(Arc::new(all))),
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
    fn a_latency_is_fixed_or_recorded() {
        assert_eq!(fill("fixed:400ms"), Ok(Fill::Fixed(Nanos::from_millis(400))));
        assert_eq!(fill("fixed:0ms"), Ok(Fill::Fixed(Nanos::ZERO)));
        assert_eq!(fill("recorded:a:b.hlog"), Ok(Fill::Recorded("a:b.hlog".into())));
        for wrong in ["", "fixed", "fixed:", "fixed:61s", "recorded:", "drawn:5ms", "400ms"] {
            fill(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn what_is_drawn_was_recorded_and_is_less_the_wait_for_the_block() {
        let mut counts = Histogram::<u64>::new(3).expect("a histogram");
        counts.record_n(100_000_000, 3).expect("counted");
        counts.record(900_000_000).expect("counted");
        let latency = Latency::Recorded(Arc::new(counts));
        let mut dice = Dice::new(1, 1);
        let drawn: Vec<u64> = (0..400).map(|_| latency.draw(&mut dice).as_millis()).collect();
        assert!(drawn.iter().all(|ms| matches!(ms, 66 | 866)), "{drawn:?}");
        let slow = drawn.iter().filter(|ms| **ms == 866).count();
        assert!((50..150).contains(&slow), "about a quarter: {slow}");
    }
}
