//! How far a replay is and how fast it goes, on standard error.

use std::io::{IsTerminal, Write};
use std::time::Instant;

/// A line about the progress, a few times a second on a terminal.
pub(super) struct Progress {
    began: Instant,
    shown: Instant,
    terminal: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { began: now, shown: now, terminal: std::io::stderr().is_terminal() }
    }

    /// So many lines were read, and so many frames of them went through so many engines.
    pub(super) fn step(&mut self, lines: u64, frames: u64, engines: usize) {
        // The clock is read every 1024 lines: it is slower than a line.
        if lines.is_multiple_of(1024) && self.terminal && self.shown.elapsed().as_millis() >= 200 {
            self.shown = Instant::now();
            let _ = write!(std::io::stderr(), "\r{}\x1b[K", self.line(frames, engines));
        }
    }

    /// Ends the progress line.
    pub(super) fn end(&self, frames: u64, engines: usize) {
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        note(&self.line(frames, engines));
    }

    fn line(&self, frames: u64, engines: usize) -> String {
        let rate = frames as f64 / self.began.elapsed().as_secs_f64().max(1e-9);
        match engines {
            1 => format!("replayed {frames} frames, {rate:.0} a second"),
            _ => format!(
                "replayed {frames} frames through {engines} engines, {rate:.0} a second, in all \
                 {:.0} frames a second",
                rate * engines as f64
            ),
        }
    }
}

/// Says something that is no result.
pub(super) fn note(text: &str) {
    // Nothing is left to do when standard error is gone.
    let _ = writeln!(std::io::stderr(), "{text}");
}
