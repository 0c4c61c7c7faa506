//! `hip3 preflight`

mod account;
mod machine;
mod settings;
mod venue;

use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::account::Reader;
use crate::command::{ConfigArgs, Failure, print};
use crate::executor::signer::Key;
use crate::types::account::AccountState;
use crate::types::config::Config;
use crate::types::market::{MarketSpec, Universe};
use crate::types::record::Mode;

/// How long the venue's socket has for its handshakes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Checks whether the engine could run with this config, against the configured venue.
///
/// A line a check: ok, WARN (worth a look) or FAIL; then GO, or NO-GO with exit code 3. What
/// concerns the account and its key is checked in trading mode alone. Nothing is sent but
/// questions, no key is shown, and no order is signed. The questions cost up to 500 of the 1200
/// weight a minute that the venue allows an address on the net.
#[derive(Debug, Args)]
pub(crate) struct Preflight {
    #[command(flatten)]
    config: ConfigArgs,
    /// Overrides the config's mode
    #[arg(long)]
    mode: Option<crate::command::ModeArg>,
    /// Prints the lines as JSON
    #[arg(long)]
    json: bool,
}

/// What a check found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mark {
    /// As it should be.
    Ok,
    /// A run can begin, but its user should know.
    Warn,
    /// A run would not begin, or could not do what it is for.
    Fail,
}

impl Mark {
    const fn name(self) -> &'static str {
        match self {
            Mark::Ok => "ok",
            Mark::Warn => "WARN",
            Mark::Fail => "FAIL",
        }
    }
}

/// A mark, and why.
type Found = (Mark, String);

fn ok(text: impl Into<String>) -> Found {
    (Mark::Ok, text.into())
}

fn warn(text: impl Into<String>) -> Found {
    (Mark::Warn, text.into())
}

fn fail(text: impl Into<String>) -> Found {
    (Mark::Fail, text.into())
}

/// When a check is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum When {
    /// In every mode.
    Always,
    /// In trading mode.
    Trading,
}

/// A check: its name, when it is made, and what makes it.
type Check = (&'static str, When, fn(&mut Scene<'_>) -> Option<Found>);

/// Every check, in order: later ones use what earlier ones have read. One whose question does not
/// arise (no vault) says nothing.
const CHECKS: [Check; 20] = [
    ("mode", When::Always, venue::mode),
    ("config", When::Always, settings::config),
    ("venue", When::Always, venue::listing),
    ("socket", When::Always, venue::socket),
    ("clock", When::Always, venue::clock),
    ("markets", When::Always, venue::markets),
    ("fees", When::Always, venue::fees),
    ("key", When::Trading, machine::key),
    ("signing", When::Trading, machine::signing),
    ("lock", When::Trading, machine::lock),
    ("agent", When::Trading, account::agent),
    ("expiry", When::Trading, account::expiry),
    ("vault", When::Trading, account::vault),
    ("account", When::Trading, account::state),
    ("balance", When::Trading, account::balance),
    ("size", When::Trading, settings::order_size),
    ("budget", When::Trading, account::budget),
    ("hard stop", When::Trading, machine::latch),
    ("records", When::Always, machine::records),
    ("alerts", When::Always, machine::alerts),
];

/// What the checks look at, and what they have found out for each other.
struct Scene<'c> {
    config: &'c Config,
    reader: Reader,
    universe: Option<Universe>,
    key: Option<Key>,
    /// The signer's address.
    signer: Option<String>,
    account: Option<AccountState>,
}

impl<'c> Scene<'c> {
    fn new(config: &'c Config) -> Self {
        Self {
            config,
            reader: Reader::new(&config.venue, &config.account),
            universe: None,
            key: None,
            signer: None,
            account: None,
        }
    }

    /// Leverage of the market that allows the least: everything may be held there.
    fn least_leverage(&self) -> u32 {
        let least = self.watched().map(|spec| spec.max_leverage.max(1)).min().unwrap_or(1);
        self.config.position.leverage.min(least).max(1)
    }

    /// The markets that a run would watch.
    fn watched(&self) -> impl Iterator<Item = &MarketSpec> {
        let venue = &self.config.venue;
        self.universe.iter().flat_map(|universe| &universe.markets).filter(move |spec| {
            let named = |list: &[String]| list.iter().any(|name| name == spec.coin.as_str());
            let wanted = venue.include.is_empty() || named(&venue.include);
            wanted && !named(&venue.exclude) && !spec.delisted
        })
    }
}

/// A check and what it found.
struct Line {
    check: &'static str,
    mark: Mark,
    text: String,
}

impl Preflight {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut args = self.config;
        args.overrides.extend(self.mode.map(crate::command::ModeArg::key));
        let config = args.load()?;
        let mut scene = Scene::new(&config);
        let lines: Vec<Line> = CHECKS
            .iter()
            .filter(|(_, when, _)| *when == When::Always || config.mode == Mode::Trading)
            .filter_map(|(check, _, find)| {
                let (mark, text) = find(&mut scene)?;
                Some(Line { check, mark, text })
            })
            .collect();
        print(&if self.json { as_json(&lines) } else { as_table(&lines) })?;
        match failed(&lines) {
            0 => Ok(()),
            n => Err(Failure { code: 3, message: format!("no-go: {n} of the checks failed") }),
        }
    }
}

fn failed(lines: &[Line]) -> usize {
    lines.iter().filter(|line| line.mark == Mark::Fail).count()
}

fn as_json(lines: &[Line]) -> String {
    let checks: Vec<_> = lines
        .iter()
        .map(|line| json!({"check": line.check, "mark": line.mark.name(), "text": line.text}))
        .collect();
    format!("{:#}\n", json!({"go": failed(lines) == 0, "checks": checks}))
}

fn as_table(lines: &[Line]) -> String {
    let mut text = String::new();
    for Line { check, mark, text: why } in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<4}  {check:<9}  {why}", mark.name());
    }
    text.push_str(if failed(lines) == 0 { "\nGO\n" } else { "\nNO-GO\n" });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_is_a_no_go_and_a_warning_is_none() {
        let line = |mark| Line { check: "clock", mark, text: "2 ms".to_owned() };
        let (go, no) = ([line(Mark::Ok), line(Mark::Warn)], [line(Mark::Ok), line(Mark::Fail)]);
        assert_eq!(as_table(&go), "ok    clock      2 ms\nWARN  clock      2 ms\n\nGO\n");
        assert!(as_table(&no).ends_with("FAIL  clock      2 ms\n\nNO-GO\n"));
        assert!(as_table(&[]).ends_with("GO\n"));
        for (lines, go) in [(&go, true), (&no, false)] {
            let read: serde_json::Value = serde_json::from_str(&as_json(lines)).unwrap();
            assert_eq!(read["go"], go);
            assert_eq!(read["checks"][1]["mark"], lines[1].mark.name());
        }
    }
}
