//! What stops the engine: the triggers of HardStop that the stages can see.
//!
//! A trigger that fires is told of again with every event that confirms it; the latch keeps the
//! first. Nothing here releases: that is the operator's.

use crate::position::loss::Window;
use crate::position::skew::Skew;
use crate::types::config;
use crate::types::hard_stop::StopReason;
use crate::types::num::Usd;
use crate::types::order::{Refusal, RefusalClass};
use crate::types::time::{Mono, Nanos, Now, VenueMs};

/// Two duplicate nonces within this are more than a collision after a restart.
const NONCE_WINDOW: Nanos = Nanos::from_secs(60);

/// How far our clock may be behind the venue's, milliseconds. Nonces and `expiresAfter` are made of
/// it, and block times are never ahead of a right clock.
pub const LEAST_SKEW_MS: i64 = -1_000;

/// How far it may be ahead, delays included.
pub const MOST_SKEW_MS: i64 = 5_000;

/// The triggers.
#[derive(Clone, Debug)]
pub struct RiskMonitor {
    max_failures: u32,
    max_loss: Usd,
    max_flatten_failures: u32,
    failures: u32,
    losses: Window,
    last_duplicate: Option<Mono>,
    skew: Skew,
    skew_ms: Option<i64>,
}

impl RiskMonitor {
    /// Nothing has happened yet.
    pub fn new(config: &config::RiskMonitor) -> Self {
        Self {
            max_failures: config.max_consecutive_failures,
            max_loss: config.max_loss,
            max_flatten_failures: config.max_flatten_failures,
            failures: 0,
            losses: Window::new(config.window),
            last_duplicate: None,
            skew: Skew::default(),
            skew_ms: None,
        }
    }

    /// An order was taken up (`Ok`) or refused, entry or exit; told once an order, or once for an
    /// action that was refused whole.
    ///
    /// An order that filled or missed was right in every respect, so it ends a row of failures.
    /// What the venue could not take now, and what came too late to be looked at, says nothing
    /// either way.
    pub fn on_result(&mut self, now: Mono, result: Result<(), Refusal>) -> Option<StopReason> {
        let refusal = match result {
            Err(refusal) => refusal,
            Ok(()) => {
                self.failures = 0;
                return None;
            }
        };
        match refusal {
            // No order will do better before a person has looked.
            Refusal::UnknownSigner => return Some(StopReason::SignatureRefused),
            Refusal::NonceRange => return Some(StopReason::NonceRefused),
            Refusal::DuplicateNonce => {
                let before = self.last_duplicate.replace(now);
                if before.is_some_and(|before| now.since(before) <= NONCE_WINDOW) {
                    return Some(StopReason::NonceRefused);
                }
            }
            _ => {}
        }
        match refusal.class() {
            _ if refusal == Refusal::TooLate => return None,
            RefusalClass::VenueState | RefusalClass::RateLimit => return None,
            RefusalClass::Miss => self.failures = 0,
            RefusalClass::OurFault | RefusalClass::AccountState => {
                self.failures = self.failures.saturating_add(1);
            }
        }
        (self.failures >= self.max_failures.max(1)).then_some(StopReason::ConsecutiveFailures)
    }

    /// Profit that was made, below zero a loss: of a fill, its fee counted, or of funding.
    pub fn on_realized(&mut self, now: Mono, amount: Usd) -> Option<StopReason> {
        self.losses.add(now, amount);
        self.on_time(now)
    }

    /// The loss within the window, judged again as time passes: a gain that leaves the window may
    /// uncover one.
    pub fn on_time(&mut self, now: Mono) -> Option<StopReason> {
        let net = self.losses.net(now);
        let lost = net.units() < 0 && net.units().saturating_neg() >= self.max_loss.units();
        lost.then_some(StopReason::Loss)
    }

    /// Net profit within the window; below zero is a loss.
    pub fn net(&mut self, now: Mono) -> Usd {
        self.losses.net(now)
    }

    /// An exit was refused by our fault or for the account's state, and so many of its position in a row
    /// have been by now ([`ExitState::failures`](super::ExitState::failures)). Exits go on.
    pub fn on_exit_failed(&mut self, failures: u32) -> Option<StopReason> {
        (failures >= self.max_flatten_failures.max(1)).then_some(StopReason::FlattenFailures)
    }

    /// Our position and the venue's have differed for too long.
    pub fn on_mismatch(&mut self) -> Option<StopReason> {
        Some(StopReason::PositionMismatch)
    }

    /// A block's time, as it was told.
    pub fn on_venue_time(&mut self, now: Now, time: VenueMs) -> Option<StopReason> {
        let ms = self.skew.sample(now, time)?;
        self.skew_ms = Some(ms);
        let wrong = !(LEAST_SKEW_MS..=MOST_SKEW_MS).contains(&ms);
        wrong.then_some(StopReason::ClockSkew)
    }

    /// How far our clock is ahead of the venue's, milliseconds, as last judged.
    pub const fn skew_ms(&self) -> Option<i64> {
        self.skew_ms
    }

    /// The link is gone: block times of before say nothing of what comes.
    pub fn on_link_down(&mut self) {
        self.skew = Skew::default();
    }

    /// The operator released a reason: what led to it is forgotten, or it would be back with the next
    /// event.
    pub fn on_release(&mut self, reason: StopReason) {
        match reason {
            StopReason::ConsecutiveFailures => self.failures = 0,
            StopReason::Loss => self.losses.clear(),
            StopReason::NonceRefused => self.last_duplicate = None,
            StopReason::ClockSkew => self.skew = Skew::default(),
            StopReason::Reconnecting
            | StopReason::Operator
            | StopReason::FlattenFailures
            | StopReason::PositionMismatch
            | StopReason::SignatureRefused
            | StopReason::StateUnreadable => {}
        }
    }
}
