//! Markets that are dislocated every few seconds: what takes days elsewhere, in minutes, for whoever wants to
//! see a report.

use crate::types::time::Nanos;
use crate::venue::{Habit, Lag, Odds, Settings};

/// Quotes that stand still between two jumps are old without being wrong. What the command line sets goes
/// before.
pub(super) const OVERRIDES: [&str; 1] = ["risk.max_bbo_age_ms=off"];

/// Makers who need up to some seconds to follow a jump: there is something to take.
const LATE: Habit = Habit {
    lag: Lag {
        slow: Odds::one_in(30),
        surprised: Odds::ALWAYS,
        min: Nanos::from_millis(200),
        max: Nanos::from_millis(3_000),
    },
    basis_ppm: None,
};

/// Makers who are there before anyone.
const QUICK: Habit = Habit {
    lag: Lag { slow: Odds::NEVER, surprised: Odds::NEVER, min: Nanos::ZERO, max: Nanos::ZERO },
    basis_ppm: None,
};

/// Quick ones who see the price elsewhere than the oracle: their quotes are past it, and right.
const ASTRAY: Habit = Habit { basis_ppm: Some(3_000), ..QUICK };

/// Oracles that jump at every print, and markets of which two in three are worth it.
pub(super) fn market(settings: &mut Settings) {
    settings.jumps = Odds::ALWAYS;
    settings.habits = vec![LATE, LATE, QUICK, LATE, LATE, ASTRAY];
}
