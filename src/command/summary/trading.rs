//! What trading adds to the summary; nothing when the run did not trade.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::runtime::tally::{Tally, TradingTally};
use crate::types::order::RefusalClass;
use crate::types::record::{Check, ExitReason, Outcome};
use crate::types::status::Trading;

/// Counts with the names of what they count, without zeros.
fn named<const N: usize>(names: [&str; N], counts: [u64; N]) -> String {
    let told = names.iter().zip(counts).filter(|(_, count)| *count > 0);
    told.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// The same as JSON, zeros among them.
fn object<const N: usize>(names: [&str; N], counts: [u64; N]) -> Value {
    names.iter().zip(counts).map(|(name, n)| ((*name).to_owned(), json!(n))).collect()
}

fn outcomes() -> [&'static str; Outcome::ALL.len()] {
    Outcome::ALL.map(Outcome::name)
}

fn reasons() -> [&'static str; ExitReason::ALL.len()] {
    ExitReason::ALL.map(ExitReason::name)
}

/// Lines about the whole run.
pub(super) fn write_figures(text: &mut String, trading: &Trading) {
    if *trading == Trading::default() {
        return;
    }
    let mut line = |name: &str, words: String| {
        if !words.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {name:<9} {words}");
        }
    };
    let (sent, ended) = (trading.entries_sent, named(outcomes(), trading.entries_ended));
    let ended = if ended.is_empty() { ended } else { format!(" ({ended})") };
    line("entries", format!("{} signals approved, {sent} entries sent{ended}", trading.approved));
    let mut stopped = named(Check::ALL.map(Check::name), trading.stopped_by);
    if trading.below_minimum > 0 {
        let comma = if stopped.is_empty() { "" } else { ", " };
        let _ = write!(stopped, "{comma}BelowMinimum {}", trading.below_minimum);
    }
    if !stopped.is_empty() {
        line("stopped", format!("{stopped} (signals, by the check that stopped them)"));
    }
    let ended = named(outcomes(), trading.exits_ended);
    let ended = if ended.is_empty() { ended } else { format!(" ({ended})") };
    let sent = named(reasons(), trading.exits_sent);
    line("exits", if sent.is_empty() { sent } else { format!("{sent}{ended}") });
    line("refusals", named(RefusalClass::ALL.map(RefusalClass::name), trading.refusals));
    let net = trading.gross.saturating_sub(trading.fees);
    line(
        "trades",
        format!(
            "{} round trips, {} won; {} USD before fees, {} fees, {net} net; {} fills",
            trading.trades.iter().sum::<u64>(),
            trading.wins,
            trading.gross,
            trading.fees,
            trading.fills,
        ),
    );
    line(
        "account",
        format!(
            "at most {} USD at once; {} readings, {} failed; {} orders looked up; budget left {}",
            trading.peak_notional,
            trading.account_reads.0,
            trading.account_reads.1,
            trading.lookups,
            trading.budget_left,
        ),
    );
    if trading.hard_stop.active() {
        line("STOPPED", format!("HardStop holds: {}", trading.hard_stop));
    }
    if trading.positions > 0 || trading.pending > 0 {
        let (positions, pending) = (trading.positions, trading.pending);
        line("OPEN", format!("{positions} positions, {pending} orders that may still fill"));
    }
}

/// The table of markets that traded.
pub(super) fn write_markets(text: &mut String, tally: &Tally) {
    let mut markets: Vec<_> = tally.markets().filter(|(_, m)| !m.trading.is_empty()).collect();
    if markets.is_empty() {
        return;
    }
    markets.sort_by_key(|(coin, m)| (std::cmp::Reverse(m.trading.entries_sent()), **coin));
    let _ = writeln!(text, "\nentries and round trips; profit in USD\n");
    let row = |text: &mut String, name: &str, cells: [String; 10]| {
        let _ = write!(text, "  {name:<14}");
        for cell in cells {
            let _ = write!(text, " {cell:>9}");
        }
        text.push('\n');
    };
    let head =
        ["sent", "filled", "partly", "missed", "refused", "trades", "won", "gross", "fees", "net"];
    row(text, "market", head.map(str::to_owned));
    let cells = |t: &TradingTally| {
        [
            t.entries_sent().to_string(),
            t.entries_that(Outcome::Filled).to_string(),
            t.entries_that(Outcome::PartiallyFilled).to_string(),
            t.entries_that(Outcome::Expired).to_string(),
            t.entries_that(Outcome::Rejected).to_string(),
            t.round_trips().to_string(),
            t.wins.to_string(),
            t.gross.to_string(),
            t.fees.to_string(),
            t.net.to_string(),
        ]
    };
    for (coin, market) in markets.iter().take(super::MOST_MARKETS) {
        row(text, coin.as_str(), cells(&market.trading));
    }
    if let Some(more) = markets.len().checked_sub(super::MOST_MARKETS).filter(|n| *n > 0) {
        let _ = writeln!(text, "  … and {more} more");
    }
    row(text, "all", cells(&tally.total().trading));
}

/// What [`write_figures`] tells, as JSON, and what the rows sum up to; `None` without trading.
/// Amounts are texts, so that no reader rounds them.
pub(super) fn figures(trading: &Trading, tally: &Tally) -> Option<Value> {
    let recorded = tally.total().trading;
    if *trading == Trading::default() && recorded.is_empty() {
        return None;
    }
    let stops: Vec<_> = trading.hard_stop.reasons().map(|(reason, _)| reason.name()).collect();
    let ready: Value = trading
        .ready
        .named()
        .map(|(name, holds)| (name.to_owned(), json!(holds)))
        .into_iter()
        .collect();
    Some(json!({
        "ready": ready, "hard_stop": stops,
        "positions": trading.positions, "pending": trading.pending,
        "approved": trading.approved, "below_minimum": trading.below_minimum,
        "stopped_by": object(Check::ALL.map(Check::name), trading.stopped_by),
        "entries_sent": trading.entries_sent,
        "entries_ended": object(outcomes(), trading.entries_ended),
        "exits_sent": object(reasons(), trading.exits_sent),
        "exits_ended": object(outcomes(), trading.exits_ended),
        "refusals": object(RefusalClass::ALL.map(RefusalClass::name), trading.refusals),
        "fills": trading.fills, "fills_repeated": trading.fills_repeated,
        "trades": object(reasons(), trading.trades), "wins": trading.wins,
        "gross": trading.gross.to_string(), "fees": trading.fees.to_string(),
        "net": trading.gross.saturating_sub(trading.fees).to_string(),
        "peak_notional": trading.peak_notional.to_string(),
        "budget_left": trading.budget_left, "lookups": trading.lookups,
        "presigned": trading.presigned.0, "signed_cold": trading.presigned.1,
        "account_reads": trading.account_reads.0,
        "account_reads_failed": trading.account_reads.1,
        "recorded": figures_of(&recorded),
    }))
}

/// What the rows of a market, or of all, sum up to.
pub(crate) fn figures_of(tally: &TradingTally) -> Value {
    json!({
        "entries_sent": tally.entries_sent(),
        "entries": object(outcomes(), tally.entries),
        "exits": object(outcomes(), tally.exits),
        "exits_sent": object(reasons(), tally.exits_sent),
        "trades": object(reasons(), tally.trades), "wins": tally.wins,
        "gross": tally.gross.to_string(), "fees": tally.fees.to_string(),
        "net": tally.net.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::hard_stop::StopReason;
    use crate::types::num::Usd;
    use crate::types::time::Wall;

    #[test]
    fn a_run_that_did_not_trade_says_nothing_of_trading() {
        let mut text = String::new();
        write_figures(&mut text, &Trading::default());
        write_markets(&mut text, &Tally::default());
        assert_eq!(text, "");
        assert_eq!(figures(&Trading::default(), &Tally::default()), None);
    }

    #[test]
    fn a_run_that_traded_says_what_became_of_it() {
        let mut trading = Trading {
            approved: 5,
            entries_sent: 4,
            gross: Usd::from_units(1_250_000),
            fees: Usd::from_units(250_000),
            wins: 1,
            ..Trading::default()
        };
        trading.entries_ended[Outcome::Expired as usize] = 3;
        trading.trades[ExitReason::TimeStop as usize] = 2;
        trading.exits_sent[ExitReason::TimeStop as usize] = 2;
        trading.stopped_by[Check::NotReady as usize] = 7;
        trading.hard_stop.set(StopReason::Loss, Wall(1));
        let mut text = String::new();
        write_figures(&mut text, &trading);
        for words in [
            "entries   5 signals approved, 4 entries sent (expired 3)",
            "stopped   NotReady 7",
            "exits     time_stop 2",
            "trades    2 round trips, 1 won; 1.25 USD before fees, 0.25 fees, 1 net",
            "HardStop holds: Loss",
        ] {
            assert!(text.contains(words), "{words:?} in\n{text}");
        }
        assert!(!text.contains("OPEN"));
        let figures = figures(&trading, &Tally::default()).expect("figures");
        assert_eq!(figures["net"], "1");
        assert_eq!(figures["stopped_by"]["NotReady"], 7);
        assert_eq!(figures["hard_stop"], json!(["Loss"]));
    }
}
