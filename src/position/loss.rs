//! What was lost within a sliding window.

use crate::types::num::Usd;
use crate::types::time::{Mono, Nanos};

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
    /// The newest part.
    newest: u64,
}

impl Window {
    pub(super) fn new(window: Nanos) -> Self {
        let part = window.0.div_ceil(PARTS as u64).max(1);
        Self { part, sums: vec![0; PARTS + 1], newest: 0 }
    }

    /// Counts an amount; below zero is a loss.
    pub(super) fn add(&mut self, now: Mono, amount: Usd) {
        self.advance(now);
        let at = self.place(self.newest);
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
        let part = (now.0 / self.part).max(self.newest);
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
