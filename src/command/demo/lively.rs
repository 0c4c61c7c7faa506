//! Markets that are dislocated every few seconds: what takes days elsewhere, in minutes, for whoever wants to
//! see a report.

use crate::types::time::Nanos;
use crate::venue::{Lag, Odds, Settings};

/// Quotes that stand still between two jumps are old without being wrong. What the command line sets goes
/// before.
pub(super) const OVERRIDES: [&str; 1] = ["risk.max_bbo_age_ms=off"];

/// Oracles that jump at every print, and makers who need up to some seconds to follow.
pub(super) fn market(settings: &mut Settings) {
    settings.jumps = Odds::ALWAYS;
    settings.lag = Lag {
        slow: Odds::one_in(30),
        surprised: Odds::ALWAYS,
        min: Nanos::from_millis(200),
        max: Nanos::from_millis(3_000),
    };
}
