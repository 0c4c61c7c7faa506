//! May we enter this market? Eight gates, judged in order on every update; the first that blocks
//! ends the check.

pub mod filters;
pub mod gates;

use crate::feed::market::Market;
use crate::types::config;
use crate::types::num::{Bps, Ratio};
use crate::types::record::Gate;
use crate::types::time::{Mono, Nanos};

/// Size factor under a shocked spread that does not block yet.
pub const SHOCKED_SIZE: Ratio = Ratio::from_units(200_000_000);

/// The limits the gates compare with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Gate 1; `None` turns it off.
    pub bbo_age_max: Option<Nanos>,
    /// Gate 2; `None` turns it off.
    pub ctx_age_max: Option<Nanos>,
    /// Gate 4; `None` turns it off.
    pub divergence_max: Option<Bps>,
    /// Gate 5: this many times the average shrinks the size, twice as many block.
    pub shock_multiplier: Ratio,
    /// Gate 5: an average of fewer samples is no baseline.
    pub min_samples: u32,
    /// Gate 5: weight of a new spread in the average.
    pub alpha: Ratio,
}

impl From<&config::Risk> for Limits {
    fn from(risk: &config::Risk) -> Self {
        Self {
            bbo_age_max: risk.max_bbo_age,
            ctx_age_max: risk.max_ctx_age,
            divergence_max: risk.max_mark_mid_divergence,
            shock_multiplier: risk.spread_shock_multiplier,
            min_samples: risk.min_ewma_samples,
            alpha: risk.spread_ewma_alpha,
        }
    }
}

/// What a gate may read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The moment of the check.
    pub now: Mono,
    /// The market.
    pub market: &'a Market,
}

/// What a gate says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GateResult {
    /// Nothing against it.
    Pass,
    /// Nothing against it yet, but people should know.
    Warn,
    /// With [`SHOCKED_SIZE`] of the size.
    Shrink,
    /// No entry, for this reason.
    Block(Reason),
}

/// Why a gate blocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// No quote was received on this link.
    BboMissing,
    /// A side is missing or empty, or the book is crossed.
    NotTradable,
    /// The quote is older than its limit.
    BboStale,
    /// No ctx was received on this link.
    CtxMissing,
    /// The ctx has no oracle price above zero.
    OracleMissing,
    /// The ctx is older than its limit, or may be.
    CtxStale,
    /// A quote came with a lower venue time than one before it.
    TimeRegressed,
    /// The ctx has no mark price above zero.
    MarkMissing,
    /// The ctx has no mid price above zero.
    MidMissing,
    /// Mark and mid are too far apart.
    Diverged,
    /// The average has too few samples to compare with.
    NoBaseline,
    /// The spread is far above its average.
    Shocked,
    /// No cap, open interest or oracle price is known.
    OiUnknown,
    /// Open interest is at its cap.
    AtCap,
    /// A rule of the market changed since the start.
    RuleChanged,
    /// The market is delisted, or gone from the venue's list.
    Delisted,
    /// Its ctx has the shape of a halted market.
    Halted,
}

/// A gate: reads, never remembers, and blocks on missing input.
pub type GateFn = fn(&Limits, &View<'_>) -> GateResult;

/// The gates in the order they are judged.
pub const GATES: [(Gate, GateFn); 8] = [
    (Gate::BboUpdate, gates::bbo_update),
    (Gate::CtxUpdate, gates::ctx_update),
    (Gate::TimeRegression, gates::time_regression),
    (Gate::MarkMidDivergence, gates::mark_mid_divergence),
    (Gate::SpreadShock, gates::spread_shock),
    (Gate::OiCap, gates::oi_cap),
    (Gate::ParamChange, gates::param_change),
    (Gate::Halt, gates::halt),
];

/// The outcome of a check in order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Evaluation {
    /// The first gate that blocked, and why.
    pub blocked: Option<(Gate, Reason)>,
    /// Size factor of the gates that passed.
    pub factor: Ratio,
    /// Whether gate 6 was reached and warns.
    pub near_cap: bool,
}

impl Evaluation {
    /// Whether gates 1 to 4 passed, so that the spread may be averaged in.
    pub fn reached_spread(&self) -> bool {
        self.blocked.is_none_or(|(gate, _)| gate >= Gate::SpreadShock)
    }
}

/// Judges the gates in order; the first that blocks ends the check.
pub fn evaluate(limits: &Limits, view: &View<'_>) -> Evaluation {
    let mut result = Evaluation { blocked: None, factor: Ratio::ONE, near_cap: false };
    for (gate, judge) in GATES {
        match judge(limits, view) {
            GateResult::Pass => {}
            GateResult::Warn => result.near_cap = true,
            GateResult::Shrink => result.factor = SHOCKED_SIZE,
            GateResult::Block(reason) => {
                result.blocked = Some((gate, reason));
                break;
            }
        }
    }
    result
}

/// What all eight gates say, whatever the first of them says: what research asks of a signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GateReport {
    /// The first that blocks.
    pub blocked_by: Option<Gate>,
    /// Every gate that blocks: bit 0 is gate 1.
    pub mask: u8,
    /// Size factor of those that do not.
    pub factor: Ratio,
}

/// Judges every gate.
pub fn evaluate_all(limits: &Limits, view: &View<'_>) -> GateReport {
    let mut all = GateReport { blocked_by: None, mask: 0, factor: Ratio::ONE };
    for (gate, judge) in GATES {
        match judge(limits, view) {
            GateResult::Pass | GateResult::Warn => {}
            GateResult::Shrink => all.factor = SHOCKED_SIZE,
            GateResult::Block(_) => {
                all.blocked_by = all.blocked_by.or(Some(gate));
                all.mask |= gate.bit();
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_every_gate_in_its_order() {
        assert_eq!(GATES.map(|(gate, _)| gate), Gate::ALL);
    }
}
