//! The counters as one line: what is watched, how the link is, what was found, what was lost.

use std::fmt::Write as _;

use crate::types::note::Status;
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
        // What should be zero is shown when it is not.
        for (count, name) in [
            (status.signals_blocked, "blocked"),
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
            signals_shed = status.signals_shed,
            rows_lost = status.rows_lost,
            malformed = status.malformed,
            unknown = status.unknown,
            venue_errors = status.venue_errors,
            disconnects = status.disconnects,
            "status"
        );
    }
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
    use crate::types::note::LinkState;

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
