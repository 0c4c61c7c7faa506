//! What the records say of an edge: was it there, for how long, and what would it have earned.
//!
//! Pure: rows and settings come in, figures go out. No file, clock or thread is known here, and nothing
//! depends on the order of a hash map or on how many threads read: days are tallied apart and
//! merged in their order. Floating point is fine, since people read this; nothing here decides over an order.
//!
//! The way of the data:
//!
//! ```text
//! signal (rows as values) → day (joined) → trip (valued) → episodes (clustered) → tally (added up, merged)
//!   → figures: survival, edge, bootstrap, thresholds → verdict
//! ```

pub mod answer;
pub mod bootstrap;
pub mod clusters;
pub mod coverage;
pub mod day;
pub mod edge;
pub mod episodes;
pub mod figures;
pub mod medians;
pub mod sessions;
pub mod signal;
pub mod survival;
pub mod tally;
pub mod thresholds;
pub mod trading;
pub mod trip;
pub mod verdict;

#[cfg(test)]
mod tests;

use crate::types::time::Wall;

/// What a report is asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The entry's latency, in milliseconds.
    pub latency_ms: u32,
    /// When the position is left: one of [`FOLLOW_UP_MS`](crate::types::record::FOLLOW_UP_MS).
    pub exit_ms: u32,
    /// Of every interval, two-sided; above 0 and below 1.
    pub confidence: f64,
    /// Fewer episodes than that give no verdict.
    pub min_episodes: u64,
    /// Taker fee in bps, one way; `None`: each signal's own.
    pub fee_bps: Option<f64>,
    /// Paid on the entry, in bps.
    pub priority_bps: f64,
    /// The exchange's clock and holidays.
    pub calendar: sessions::Calendar,
    /// Moments before this are not looked at.
    pub from: Option<Wall>,
    /// This moment and later ones are not looked at.
    pub to: Option<Wall>,
}

impl Settings {
    /// Whether a moment lies in the time that was asked for.
    pub fn covers(&self, at: Wall) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }

    /// Probability below the upper end of a two-sided interval.
    fn upper(&self) -> f64 {
        0.5 + self.confidence / 2.0
    }
}

/// A figure, or `None` where it is not a number.
fn known(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// A ratio, or `None` where nothing divides.
fn ratio(of: f64, by: f64) -> Option<f64> {
    if by > 0.0 { known(of / by) } else { None }
}
