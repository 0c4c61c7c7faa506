//! What stops the engine: the triggers of HardStop that the stages can see.
//!
//! A trigger that fires is told of again with every event that confirms it; the latch keeps the
//! first. Nothing here releases: that is the operator's.

use crate::position::loss::{DaySum, Window};
use crate::types::config;
use crate::types::hard_stop::StopReason;
use crate::types::losses::{LossLimit, LossSpan, Losses};
use crate::types::num::Usd;
use crate::types::order::{Refusal, RefusalClass};
use crate::types::time::{Mono, Nanos, Now};

/// Two refused nonces within this are more than a collision after a restart.
const NONCE_WINDOW: Nanos = Nanos::from_secs(60);

/// The triggers.
#[derive(Clone, Debug)]
pub struct RiskMonitor {
    max_failures: u32,
    max_loss: Usd,
    max_daily_loss: Usd,
    max_flatten_failures: u32,
    failures: u32,
    losses: Window,
    day: DaySum,
    last_nonce_refused: Option<Mono>,
}

impl RiskMonitor {
    /// Nothing has happened yet.
    pub fn new(config: &config::RiskMonitor) -> Self {
        Self {
            max_failures: config.max_consecutive_failures,
            max_loss: config.max_loss,
            max_daily_loss: config.max_daily_loss,
            max_flatten_failures: config.max_flatten_failures,
            failures: 0,
            losses: Window::new(config.window),
            day: DaySum::default(),
            last_nonce_refused: None,
        }
    }

    /// An order was taken up (`Ok`) or refused, entry or exit; told once an order, or once for an
    /// action that was refused whole.
    ///
    /// An order that filled or missed was right in every respect, so it ends a row of failures.
    /// What the venue could not take now, what had nothing left to do, and what came too late to be
    /// looked at, says nothing either way.
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
            // One is mended by higher nonces; where that does not help somebody else has our key.
            Refusal::NonceRange | Refusal::DuplicateNonce => {
                let before = self.last_nonce_refused.replace(now);
                if before.is_some_and(|before| now.since(before) <= NONCE_WINDOW) {
                    return Some(StopReason::NonceRefused);
                }
            }
            _ => {}
        }
        match refusal.class() {
            _ if refusal == Refusal::TooLate => return None,
            RefusalClass::Superfluous | RefusalClass::VenueState | RefusalClass::RateLimit => {
                return None;
            }
            RefusalClass::Miss => self.failures = 0,
            RefusalClass::OurFault | RefusalClass::AccountState => {
                self.failures = self.failures.saturating_add(1);
            }
        }
        (self.failures >= self.max_failures.max(1)).then_some(StopReason::ConsecutiveFailures)
    }

    /// What earlier runs have won and lost, as it was kept.
    pub fn continue_losses(&mut self, now: Now, losses: &Losses) {
        for (at, amount) in losses.counted() {
            let age = Nanos(u64::try_from(now.wall.0.saturating_sub(at.0)).unwrap_or(0));
            self.losses.add_aged(now.mono, age, amount);
            if at.day() >= now.wall.day() {
                self.day.add(now.wall, amount);
            }
        }
    }

    /// Profit that was made, below zero a loss: of a fill, its fee counted, or of funding.
    pub fn on_realized(&mut self, now: Now, amount: Usd) -> Option<StopReason> {
        self.losses.add(now.mono, amount);
        self.day.add(now.wall, amount);
        self.on_time(now)
    }

    /// The losses, evaluated again as time passes: a gain that leaves the window may uncover one.
    pub fn on_time(&mut self, now: Now) -> Option<StopReason> {
        self.loss_limit(now).map(|_| StopReason::Loss)
    }

    /// The limit on losses that is reached, if one is.
    pub fn loss_limit(&mut self, now: Now) -> Option<LossLimit> {
        let reached = |net: Usd, limit: Usd, within| {
            let lost = net.units() < 0 && net.units().saturating_neg() >= limit.units();
            let loss = Usd::from_units(net.units().saturating_neg());
            lost.then_some(LossLimit { lost: loss, limit, within })
        };
        let window = reached(self.losses.net(now.mono), self.max_loss, LossSpan::Window);
        window.or_else(|| reached(self.day.net(now.wall), self.max_daily_loss, LossSpan::Day))
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

    /// The operator released a reason: what led to it is forgotten, or it would be back with the next
    /// event.
    pub fn on_release(&mut self, reason: StopReason) {
        match reason {
            StopReason::ConsecutiveFailures => self.failures = 0,
            StopReason::Loss => {
                self.losses.clear();
                self.day.clear();
            }
            StopReason::NonceRefused => self.last_nonce_refused = None,
            StopReason::Reconnecting
            | StopReason::ClockSkew
            | StopReason::Operator
            | StopReason::FlattenFailures
            | StopReason::PositionMismatch
            | StopReason::SignatureRefused
            | StopReason::StateUnreadable => {}
        }
    }
}
