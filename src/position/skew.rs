//! How far our wall clock and the venue's are apart.

use crate::types::time::{Mono, Now, VenueMs};

/// Parts of the window, a second each.
const PARTS: usize = 10;

/// Fewer samples in the window say nothing.
const LEAST_SAMPLES: u32 = 20;

/// Nor do samples of fewer parts: a burst after a reconnect tells when quiet markets last moved.
const LEAST_PARTS: usize = 5;

const PART_NS: u64 = 1_000_000_000;

/// Differences (wall − block time) of a sliding window. Delays only add to them, so the least of a
/// part is the nearest to the truth; and the parts have to agree, since one wrong block time is no
/// wrong clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skew {
    parts: [Part; PARTS],
    newest: u64,
    latest: Option<VenueMs>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    least: i64,
    samples: u32,
}

impl Skew {
    /// Takes the time of a block that was just told; returns the skew in milliseconds, above zero
    /// when our clock is ahead, once enough is known. A time that is not later than one before is
    /// old news and says nothing, unless nothing else came for the whole window.
    pub(super) fn sample(&mut self, now: Now, time: VenueMs) -> Option<i64> {
        self.advance(now.mono);
        if self.latest.is_some_and(|latest| time <= latest) {
            return None;
        }
        self.latest = Some(time);
        let skew = now.wall.0.div_euclid(1_000_000).saturating_sub(time.0);
        let part = self.parts.get_mut((self.newest % PARTS as u64) as usize)?;
        part.least = if part.samples == 0 { skew } else { part.least.min(skew) };
        part.samples = part.samples.saturating_add(1);
        self.ms()
    }

    /// What all parts bear out: the least when all say that we are ahead, the most when all say that
    /// we are behind, else nothing.
    fn ms(&self) -> Option<i64> {
        let told = || self.parts.iter().filter(|part| part.samples > 0);
        let samples = told().fold(0_u32, |sum, part| sum.saturating_add(part.samples));
        if samples < LEAST_SAMPLES || told().count() < LEAST_PARTS {
            return None;
        }
        let least = told().map(|part| part.least).min()?;
        let most = told().map(|part| part.least).max()?;
        Some(least.max(0) + most.min(0))
    }

    fn advance(&mut self, now: Mono) {
        let part = (now.0 / PART_NS).max(self.newest);
        let gone = (part - self.newest).min(PARTS as u64);
        for n in part - gone + 1..=part {
            if let Some(part) = self.parts.get_mut((n % PARTS as u64) as usize) {
                *part = Part::default();
            }
        }
        self.newest = part;
        if self.parts.iter().all(|part| part.samples == 0) {
            self.latest = None;
        }
    }
}
