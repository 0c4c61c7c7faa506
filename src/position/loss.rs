//! What was lost within a sliding window, and within the UTC day.

use crate::types::num::Usd;
use crate::types::time::{Day, Mono, Nanos, Wall};

/// Parts of the window. An amount counts until its part is out, at most 1/256 of the window late.
const PARTS: usize = 256;

/// Sums of the newest parts of time.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// Length of a part, nanoseconds, above zero.
    part: u64,
    /// Sums in units of 1e-6 USD; part number `n` lies at `n` modulo their count. One more than the
    /// window has, since the newest part is not over.
    sums: Vec<i64>,
    /// The newest part. Numbers begin with one more than the window has, so that what was lost before
    /// the clock began has a place.
    newest: u64,
}

impl Window {
    pub(super) fn new(window: Nanos) -> Self {
        let part = window.0.div_ceil(PARTS as u64).max(1);
        Self { part, sums: vec![0; PARTS + 1], newest: PARTS as u64 }
    }

    /// Counts an amount; below zero is a loss.
    pub(super) fn add(&mut self, now: Mono, amount: Usd) {
        self.add_aged(now, Nanos::ZERO, amount);
    }

    /// Counts an amount that is so old already.
    pub(super) fn add_aged(&mut self, now: Mono, age: Nanos, amount: Usd) {
        self.advance(now);
        let parts = age.0 / self.part;
        if parts > PARTS as u64 {
            return;
        }
        let at = self.place(self.newest - parts);
        if let Some(sum) = self.sums.get_mut(at) {
            *sum = sum.saturating_add(amount.units());
        }
    }

    /// Net amount within the window.
    pub(super) fn net(&mut self, now: Mono) -> Usd {
        self.advance(now);
        Usd::from_units(self.sums.iter().fold(0, |net: i64, sum| net.saturating_add(*sum)))
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.sums.fill(0);
    }

    fn advance(&mut self, now: Mono) {
        let part = (now.0 / self.part).saturating_add(PARTS as u64).max(self.newest);
        if part - self.newest > PARTS as u64 {
            self.clear();
        } else {
            for gone in self.newest + 1..=part {
                let at = self.place(gone);
                if let Some(sum) = self.sums.get_mut(at) {
                    *sum = 0;
                }
            }
        }
        self.newest = part;
    }

    fn place(&self, part: u64) -> usize {
        (part % self.sums.len().max(1) as u64) as usize
    }
}

/// The sum of the UTC day. A day that is over is forgotten with the first word of the next; a clock
/// that was set back does not bring it back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DaySum {
    day: Option<Day>,
    /// In units of 1e-6 USD.
    net: i64,
}

impl DaySum {
    /// Counts an amount of the moment `at`.
    pub(super) fn add(&mut self, at: Wall, amount: Usd) {
        self.advance(at);
        self.net = self.net.saturating_add(amount.units());
    }

    /// Net amount of the day.
    pub(super) fn net(&mut self, now: Wall) -> Usd {
        self.advance(now);
        Usd::from_units(self.net)
    }

    /// Forgets the amount.
    pub(super) fn clear(&mut self) {
        self.net = 0;
    }

    fn advance(&mut self, now: Wall) {
        if self.day < Some(now.day()) {
            (self.day, self.net) = (Some(now.day()), 0);
        }
    }
}
