//! `hip3 why`

mod found;
mod moment;
mod tell;
mod verdict;
mod words;

use std::path::PathBuf;

use clap::Args;

use self::found::Found;
use self::moment::Moment;
use crate::command::{Failure, duration, print};
use crate::runtime::cold::wall_now;
use crate::types::time::Nanos;

/// Says from the records why there was, or was no, order in a market at a moment.
///
/// It tells whether the engine ran and saw the market, whether a cross was open, which signals there
/// were and what became of each, the steps of the order that came of one, and how its position ended;
/// then, in the last line, the answer.
///
/// Nothing recorded means that no quote stood past the oracle by its cost (fee, slippage and
/// detector.min_edge_bps): then the nearest cross and signals are named. What a run that goes on has
/// in its journal and in no day file yet counts too. Times are UTC.
///
///   hip3 why --market xyz:NVDA --at 14:31:05
///   hip3 why --market xyz:NVDA --at 2026-11-25T14:31:05Z --window 1m data/signals
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Why {
    /// The market, e.g. xyz:NVDA
    #[arg(long, value_name = "COIN")]
    market: String,
    /// The moment: a time of the day such as 14:31:05, or 2026-11-25T14:31:05Z
    #[arg(long, value_name = "TIME")]
    at: String,
    /// The day of that time, e.g. 2026-11-25; else today
    #[arg(long, value_name = "DATE")]
    date: Option<String>,
    /// How far around the moment is looked, e.g. 10s, 1m
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    window: Nanos,
    /// Where the records are
    #[arg(value_name = "DIR", default_value = "data/signals")]
    dir: PathBuf,
    /// Prints the answer as JSON
    #[arg(long)]
    json: bool,
}

impl Why {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let today = wall_now().day();
        let moment =
            Moment::parse(&self.at, self.date.as_deref(), today).map_err(Failure::usage)?;
        let found = Found::read(&self.dir, &self.market, moment, self.window)
            .map_err(|error| Failure::runtime(format!("{}: {error}", self.dir.display())))?;
        let verdict = found.verdict();
        print(&if self.json {
            format!("{:#}\n", found.as_json(&verdict))
        } else {
            found.as_text(&verdict)
        })
    }
}
