//! `hip3 release`

use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::command::{ConfigArgs, Failure, print};
use crate::runtime::cold::wall_now;
use crate::runtime::latch::{LatchFile, Release as What};
use crate::types::hard_stop::{HardStop, StopReason};
use crate::types::time::{DAY_NS, Wall};

/// How long a running engine has to take a request up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const GLANCE: Duration = Duration::from_millis(50);

/// Releases HardStop, so that the engine may trade again.
///
/// HardStop is a latch with reasons, kept in persistence.data_dir across restarts. Look first at
/// what set it (the log says): what is not mended will set it again.
///
/// An engine that runs is asked, and has five seconds to answer; else the kept latch is changed.
/// Reconnecting is not for release: the engine lets go of it by itself. Exit code 1 says that the
/// reason still holds.
#[derive(Debug, Args)]
pub(crate) struct Release {
    /// Which reason, e.g. Loss; or all
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reason: What,
    #[command(flatten)]
    config: ConfigArgs,
}

fn reason(text: &str) -> Result<What, String> {
    match What::named(text) {
        Some(What::One(StopReason::Reconnecting)) => {
            Err("Reconnecting is released by the engine itself, once the link and the account are \
             as they should be"
                .to_owned())
        }
        Some(what) => Ok(what),
        None => {
            let names: Vec<_> = StopReason::ALL
                .iter()
                .filter(|reason| **reason != StopReason::Reconnecting)
                .map(|reason| reason.name())
                .collect();
            Err(format!("expected all, or one of {}", names.join(", ")))
        }
    }
}

impl Release {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let latch = LatchFile::new(&config.persistence.data_dir);
        let cannot = |error| Failure::runtime(format!("{}: {error}", latch.path().display()));
        let dir = config.persistence.data_dir.display();
        if !config.persistence.data_dir.is_dir() {
            return print(&format!("{dir}: nothing was ever recorded here: no HardStop\n"));
        }
        match latch.unused().map_err(cannot)? {
            Some(_nobody_else) => self.change(&latch),
            None => self.ask(&latch),
        }
    }

    /// No engine runs, and none can begin: the kept latch is ours to change.
    fn change(&self, file: &LatchFile) -> Result<(), Failure> {
        // One that cannot be read is kept aside, and holds for that reason.
        let before = file.load(wall_now());
        if !self.reason.concerns(&before) {
            return nothing_to_do(self.reason, &before);
        }
        let mut after = before;
        self.reason.apply(&mut after);
        file.keep(&after).map_err(|error| {
            Failure::runtime(format!("{}: cannot be written: {error}", file.path().display()))
        })?;
        if before.holds(StopReason::Loss) && !after.holds(StopReason::Loss) {
            file.forget_losses().map_err(|error| {
                Failure::runtime(format!("what was lost is not forgotten: {error}"))
            })?;
        }
        print(&table(&before, &after))
    }

    /// An engine runs: it alone changes its latch.
    fn ask(&self, file: &LatchFile) -> Result<(), Failure> {
        let before = file.read().map_err(Failure::runtime)?;
        if !self.reason.concerns(&before) {
            return nothing_to_do(self.reason, &before);
        }
        file.ask(self.reason, wall_now()).map_err(|error| {
            Failure::runtime(format!("{}: no request can be left: {error}", file.path().display()))
        })?;
        let asked = Instant::now();
        loop {
            thread::sleep(GLANCE);
            let after = file.read().map_err(Failure::runtime)?;
            if !self.reason.concerns(&after) {
                return print(&table(&before, &after));
            }
            if asked.elapsed() >= PATIENCE {
                // Not to be obeyed later, when nobody waits for it.
                let ignored = file.take_back();
                print(&table(&before, &after))?;
                return Err(Failure::runtime(if ignored {
                    "not released: an engine uses this data_dir and does not answer; one that only \
                     observes keeps no latch: stop it first"
                } else {
                    "not released: the engine was asked, and the reason holds, or holds again"
                }));
            }
        }
    }
}

fn nothing_to_do(what: What, latch: &HardStop) -> Result<(), Failure> {
    print(&match what {
        What::All => "HardStop is not set\n".to_owned(),
        What::One(reason) => {
            format!("{} is not set; HardStop holds: {latch}\n", reason.name())
        }
    })
}

/// Every reason that was or is set, before and after.
fn table(before: &HardStop, after: &HardStop) -> String {
    let mut text = format!("{:<22} {:<24} {:<8} {}\n", "reason", "since", "before", "after");
    for reason in StopReason::ALL {
        let since = |latch: &HardStop| {
            latch.reasons().find(|(set, _)| set == reason).map(|(_, since)| since)
        };
        let Some(at) = since(after).or(since(before)) else { continue };
        let word = |latch: &HardStop| if latch.holds(*reason) { "set" } else { "released" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<22} {:<24} {:<8} {}",
            reason.name(),
            utc(at),
            word(before),
            word(after)
        );
    }
    text
}

/// `2026-11-22T19:50:12Z`
pub(super) fn utc(at: Wall) -> String {
    let (year, month, day) = at.day().civil();
    let second = at.0.rem_euclid(DAY_NS) / 1_000_000_000;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_named_in_any_case_and_the_one_of_the_link_is_refused() {
        assert_eq!(reason("loss"), Ok(What::One(StopReason::Loss)));
        assert_eq!(reason("All"), Ok(What::All));
        assert!(reason("reconnecting").unwrap_err().contains("by the engine itself"));
        let names = reason("Weather").unwrap_err();
        assert!(names.contains("PositionMismatch") && !names.contains("Reconnecting"), "{names}");
    }

    #[test]
    fn the_table_shows_before_and_after() {
        let (mut before, at) = (HardStop::default(), Wall(20_779 * DAY_NS + 3_661_000_000_000));
        before.set(StopReason::Loss, at);
        before.set(StopReason::Operator, at);
        let mut after = before;
        What::One(StopReason::Loss).apply(&mut after);
        let table = table(&before, &after);
        let lines: Vec<Vec<&str>> =
            table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["Operator", "2026-11-22T01:01:01Z", "set", "set"]);
        assert_eq!(lines[2], ["Loss", "2026-11-22T01:01:01Z", "set", "released"]);
    }
}
