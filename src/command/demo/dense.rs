//! A market that gives many orders a second, and settings that take them: for measuring how long an
//! order takes, not for judging what it earns.

use crate::types::num::Usd;
use crate::types::time::Nanos;
use crate::venue::{Lag, Odds, Settings};

/// Every cross is a signal once, every signal may be taken, and amounts are the least that the venue
/// takes, so that the money lasts. What the command line sets goes before.
pub(super) const OVERRIDES: [&str; 22] = [
    "risk.max_bbo_age_ms=off",
    "risk.max_ctx_age_ms=off",
    "risk.max_mark_mid_divergence_bps=off",
    "risk.spread_shock_multiplier=1000",
    "risk.min_ewma_samples=1",
    "detector.taker_fee_bps=0",
    "detector.slippage_bps=0",
    "detector.min_edge_bps=0",
    "detector.min_book_notional=1",
    "detector.normal_book_notional=2",
    "detector.max_notional=12",
    "detector.sizing_alpha=1",
    // A second signal of a cross comes by time, not by a frame.
    "detector.resignal_interval_ms=600000",
    "position.max_concurrent_positions=60",
    "position.max_total_notional=800",
    "position.max_notional_per_market=13",
    "time_stop.threshold_ms=2000",
    "mark_regression.min_holding_time_ms=200",
    "risk_monitor.max_loss_usd=1000000",
    "risk_monitor.max_daily_loss_usd=1000000",
    "risk_monitor.max_consecutive_failures=1000",
    "risk_monitor.max_flatten_failures=1000",
];

/// What the account needs for it.
pub(super) const DEPOSIT: Usd = Usd::from_units(100_000 * 1_000_000);

/// Makers that are late again and again, and never for long.
pub(super) fn market(settings: &mut Settings) {
    settings.lag = Lag {
        slow: Odds::one_in(2),
        surprised: Odds::ALWAYS,
        min: Nanos::from_millis(300),
        max: Nanos::from_millis(1_500),
    };
}
