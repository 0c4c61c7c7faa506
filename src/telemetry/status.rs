//! The counters as one line: what is watched, how the link is, what was found, what was lost.

use std::fmt::Write as _;

use crate::types::num::Usd;
use crate::types::status::{Status, Trading};
use crate::types::time::{Mono, Nanos};

/// The line is drawn anew this often.
const DRAW_INTERVAL: Nanos = Nanos::from_secs(1);
/// Without a terminal it is a line of the log, this often.
const LOG_INTERVAL: Nanos = Nanos::from_secs(10);

/// Over less than this a rate is noise.
const RATE_SPAN: Nanos = Nanos::from_millis(500);

/// The last counters, and how fast frames come.
#[derive(Debug)]
pub(super) struct Line {
    status: Option<Status>,
    /// Where the next rate is counted from: when, and how many frames there were.
    base: Option<(Mono, u64)>,
    frames_per_s: u64,
    drawn: Option<Mono>,
    logged: Option<Mono>,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self { status: None, base: None, frames_per_s: 0, drawn: None, logged: None }
    }

    /// Takes counters that came now.
    pub(super) fn update(&mut self, now: Mono, status: &Status) {
        self.status = Some(*status);
        let (then, before) = *self.base.get_or_insert((now, status.frames));
        let span = now.since(then);
        if span >= RATE_SPAN {
            let frames = u128::from(status.frames.saturating_sub(before));
            let rate = frames * 1_000_000_000 / u128::from(span.0);
            self.frames_per_s = u64::try_from(rate).unwrap_or(u64::MAX);
            self.base = Some((now, status.frames));
        }
    }

    /// The line, if it is time to draw it.
    pub(super) fn draw_due(&mut self, now: Mono) -> Option<String> {
        let text = self.text()?;
        is_due(&mut self.drawn, now, DRAW_INTERVAL).then_some(text)
    }

    /// Whether it is time to log it.
    pub(super) fn log_due(&mut self, now: Mono) -> bool {
        self.status.is_some() && is_due(&mut self.logged, now, LOG_INTERVAL)
    }

    fn text(&self) -> Option<String> {
        let status = self.status?;
        let mut text = format!(
            "{} | {}/{} markets | {} frames/s | {} crosses, {} open | {} signals",
            status.link.name(),
            status.live,
            status.markets,
            self.frames_per_s,
            status.crosses,
            status.crosses_open,
            status.signals,
        );
        // In observation all of it is zero.
        if status.trading != Trading::default() {
            write_trading(&mut text, &status.trading);
        }
        // What should be zero is shown when it is not.
        for (count, name) in [
            (status.signals_blocked, "blocked"),
            (status.filtered(), "filtered"),
            (status.rows_lost, "rows LOST"),
            (status.signals_shed, "signals SHED"),
            (status.malformed, "malformed"),
        ] {
            if count > 0 {
                // Writing to a string cannot fail.
                let _ = write!(text, " | {count} {name}");
            }
        }
        Some(text)
    }

    /// Writes it as a line of the log.
    pub(super) fn log(&self) {
        let Some(status) = self.status else { return };
        tracing::info!(
            link = status.link.name(),
            markets = status.markets,
            live = status.live,
            blocked = status.blocked,
            frames_per_s = self.frames_per_s,
            frames = status.frames,
            crosses_open = status.crosses_open,
            crosses = status.crosses,
            signals = status.signals,
            signals_blocked = status.signals_blocked,
            signals_filtered = status.filtered(),
            signals_shed = status.signals_shed,
            rows_lost = status.rows_lost,
            malformed = status.malformed,
            unknown = status.unknown,
            venue_errors = status.venue_errors,
            disconnects = status.disconnects,
            "status"
        );
        if status.trading != Trading::default() {
            log_trading(&status.trading);
        }
    }
}

/// What is held, what it earned, and why nothing is opened, if nothing is.
fn write_trading(text: &mut String, trading: &Trading) {
    let _ = write!(
        text,
        " | {} held, {} pending | {} trades, net {}",
        trading.positions,
        trading.pending,
        trading.trades.iter().sum::<u64>(),
        net(trading),
    );
    if trading.hard_stop.active() {
        let _ = write!(text, " | HARDSTOP {}", trading.hard_stop);
    } else if !trading.ready.all() {
        let _ = write!(text, " | waits for {}", missing(trading));
    }
}

/// Profit after fees.
fn net(trading: &Trading) -> Usd {
    Usd::from_units(trading.gross.units().saturating_sub(trading.fees.units()))
}

/// The conditions of READY that do not hold.
fn missing(trading: &Trading) -> String {
    let named = trading.ready.named();
    let missing: Vec<&str> =
        named.iter().filter(|(_, holds)| !holds).map(|(name, _)| *name).collect();
    if missing.is_empty() { "nothing".to_owned() } else { missing.join(", ") }
}

fn log_trading(trading: &Trading) {
    tracing::info!(
        waits_for = missing(trading),
        hard_stop = %trading.hard_stop,
        positions = trading.positions,
        pending = trading.pending,
        approved = trading.approved,
        entries = trading.entries_sent,
        exits = trading.exits_sent.iter().sum::<u64>(),
        fills = trading.fills,
        trades = trading.trades.iter().sum::<u64>(),
        wins = trading.wins,
        net = %net(trading),
        fees = %trading.fees,
        refusals = trading.refusals.iter().sum::<u64>(),
        lookups = trading.lookups,
        budget_left = trading.budget_left,
        presigned = trading.presigned.0,
        signed_slowly = trading.presigned.1,
        account_reads_failed = trading.account_reads.1,
        "trading"
    );
}

fn is_due(last: &mut Option<Mono>, now: Mono, interval: Nanos) -> bool {
    let due = last.is_none_or(|last| now.since(last) >= interval);
    if due {
        *last = Some(now);
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::hard_stop::StopReason;
    use crate::types::status::LinkState;
    use crate::types::time::Wall;

    fn at_ms(ms: u64) -> Mono {
        Mono(0).plus(Nanos::from_millis(ms))
    }

    #[test]
    fn the_line_says_what_matters_and_hides_zeros() {
        let mut line = Line::new();
        assert_eq!(line.text(), None);
        let mut status = Status {
            link: LinkState::Live,
            markets: 40,
            live: 38,
            crosses: 7,
            crosses_open: 1,
            signals: 9,
            ..Status::default()
        };
        line.update(at_ms(0), &status);
        let text = line.text().unwrap();
        assert_eq!(text, "live | 38/40 markets | 0 frames/s | 7 crosses, 1 open | 9 signals");
        status.rows_lost = 3;
        line.update(at_ms(1000), &status);
        assert!(line.text().unwrap().ends_with("9 signals | 3 rows LOST"));
    }

    #[test]
    fn while_it_trades_the_line_says_what_is_held_and_why_nothing_is_opened() {
        let mut line = Line::new();
        let mut status = Status::default();
        status.trading.ready.ws_connected = true;
        status.trading.positions = 2;
        status.trading.trades[0] = 3;
        status.trading.gross = Usd::from_units(1_500_000);
        status.trading.fees = Usd::from_units(2_000_000);
        line.update(at_ms(0), &status);
        let text = line.text().unwrap();
        assert!(text.contains("| 2 held, 0 pending | 3 trades, net -0.5 |"), "{text}");
        assert!(text.contains("waits for md_ready, order_snapshot"), "{text}");
        status.trading.hard_stop.set(StopReason::Loss, Wall(1));
        line.update(at_ms(1), &status);
        assert!(line.text().unwrap().ends_with("| HARDSTOP Loss"), "{:?}", line.text());
    }

    #[test]
    fn rates_come_from_the_time_between_counters() {
        let mut line = Line::new();
        let mut update = |ms, frames| {
            line.update(at_ms(ms), &Status { frames, ..Status::default() });
            line.frames_per_s
        };
        assert_eq!(update(0, 100), 0);
        assert_eq!(update(2_000, 700), 300);
        assert_eq!(update(2_010, 900), 300, "too soon for a rate");
        assert_eq!(update(3_000, 1_700), 1_000, "nothing is left out of the next one");
        assert_eq!(update(4_000, 1_700), 0);
    }

    #[test]
    fn it_is_drawn_once_a_second() {
        let mut line = Line::new();
        line.update(at_ms(0), &Status::default());
        let drawn = [0, 10, 999, 1_000, 1_999].map(|ms| line.draw_due(at_ms(ms)).is_some());
        assert_eq!(drawn, [true, false, false, true, false]);
    }
}
