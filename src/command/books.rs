//! The venue's own books beside ours: what a demo that trades is judged by.

use std::fmt::Write;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::json;

use crate::command::Failure;
use crate::executor::signer::Address;
use crate::runtime::host::Outcome;
use crate::types::config::Config;
use crate::types::num::Usd;
use crate::venue::Books;
use crate::venue::tcp::Server;

/// How long the venue may take to open them.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the venue for its books of an account.
pub(crate) fn of(server: &Server, account: Address) -> Result<Books, String> {
    let (tell, told) = mpsc::sync_channel(1);
    let asked = server.act(move |venue, _| {
        // Whoever asked may have given up.
        let _ = tell.send(venue.books(crate::venue::Address(account.0)));
    });
    asked.map_err(|error| format!("the venue's books: {error}"))?;
    let books = told.recv_timeout(PATIENCE).map_err(|_| "the venue does not open its books")?;
    books.ok_or_else(|| "the venue does not know the account any more".to_owned())
}

/// One line: what, ours, theirs, and whether they agree.
struct Line {
    what: &'static str,
    ours: String,
    theirs: String,
    agrees: bool,
}

/// Both books, line by line.
pub(crate) struct Compared(Vec<Line>);

impl Compared {
    /// Compares what the engine recorded with what the venue wrote down.
    pub(crate) fn new(books: &Books, outcome: &Outcome, config: &Config) -> Self {
        let ours = &outcome.report.status.trading;
        let same = |what, ours: String, theirs: String| {
            let agrees = ours == theirs;
            Line { what, ours, theirs, agrees }
        };
        let within = |what, limit: Usd, most: Usd| Line {
            what,
            ours: limit.to_string(),
            theirs: most.to_string(),
            agrees: most <= limit,
        };
        let position = &config.position;
        let limit = u64::from(position.max_concurrent_positions);
        let mut lines = vec![
            same("fills", ours.fills.to_string(), books.fills.to_string()),
            same(
                "positions at the end",
                ours.positions.to_string(),
                books.positions.len().to_string(),
            ),
            within(
                "limit, most in a market",
                position.max_notional_per_market,
                books.exposure_max_of_a_market,
            ),
            within("limit, most at stake", position.max_total_notional, books.exposure_max),
            Line {
                what: "limit, most positions",
                ours: limit.to_string(),
                theirs: books.positions_max.to_string(),
                agrees: books.positions_max as u64 <= limit,
            },
        ];
        // We count profit and fees when a round trip is over.
        if ours.positions == 0 && books.positions.is_empty() {
            lines.extend([
                same("profit before fees", ours.gross.to_string(), books.closed_pnl.to_string()),
                same("fees", ours.fees.to_string(), books.fees.to_string()),
                same(
                    "cash",
                    books.deposit.saturating_add(ours.gross).saturating_sub(ours.fees).to_string(),
                    books.cash.to_string(),
                ),
            ]);
        }
        Self(lines)
    }

    /// As JSON.
    pub(crate) fn as_json(&self) -> serde_json::Value {
        let line = |line: &Line| {
            let Line { what, ours, theirs, agrees } = line;
            let name = what.replace([',', ' '], "_").replace("__", "_");
            (name, json!({"ours": ours, "venue": theirs, "agrees": agrees}))
        };
        self.0.iter().map(line).collect::<serde_json::Map<_, _>>().into()
    }

    /// For people.
    pub(crate) fn as_text(&self) -> String {
        let mut text = format!("\n  {:<26} {:>14} {:>14}\n", "books", "ours", "venue's");
        for line in &self.0 {
            let mark = if line.agrees { "" } else { "  DIFFERS" };
            // Writing to a string cannot fail.
            let _ =
                writeln!(text, "  {:<26} {:>14} {:>14}{mark}", line.what, line.ours, line.theirs);
        }
        text
    }

    /// An error when anything differs.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        match self.0.iter().find(|line| !line.agrees) {
            None => Ok(()),
            Some(line) => Err(Failure::runtime(format!(
                "{}: we say {}, the venue's books say {}",
                line.what, line.ours, line.theirs
            ))),
        }
    }
}
