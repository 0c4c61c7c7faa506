//! HardStop: a latch with reasons. While it holds nothing is opened; exits go on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::time::Wall;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why HardStop holds.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        pub enum StopReason {
            $($(#[$doc])* $name,)*
        }

        impl StopReason {
            /// All reasons.
            pub const ALL: &'static [StopReason] = &[$(StopReason::$name,)*];

            /// As files, logs and the command line write it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(StopReason::$name => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// The link dropped; released by itself once READY holds again.
    Reconnecting = "Reconnecting",
    /// An operator asked for it.
    Operator = "Operator",
    /// `max_consecutive_failures` orders in a row failed by our fault or the account's state.
    ConsecutiveFailures = "ConsecutiveFailures",
    /// The loss within the window, fees counted, reached `max_loss_usd`, or that within the UTC day
    /// `max_daily_loss_usd`.
    Loss = "Loss",
    /// `max_flatten_failures` exits of one position in a row were refused by our fault or for the state
    /// of the account.
    FlattenFailures = "FlattenFailures",
    /// Our positions and the venue's differ, and it lasts.
    PositionMismatch = "PositionMismatch",
    /// The venue does not know our signer, or not as one that acts for our account.
    SignatureRefused = "SignatureRefused",
    /// The venue refuses our nonces.
    NonceRefused = "NonceRefused",
    /// Our clock and the venue's differ by more than orders survive; released by itself once they agree.
    ClockSkew = "ClockSkew",
    /// The file that keeps this latch, or the one that keeps the losses, could not be read at the start.
    StateUnreadable = "StateUnreadable",
}

impl StopReason {
    /// The reason of this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name().eq_ignore_ascii_case(name))
    }

    /// Whether it holds until a person releases it, across restarts too. The others are released by
    /// themselves.
    pub const fn lasts(self) -> bool {
        !matches!(self, Self::Reconnecting | Self::ClockSkew)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The latch. The default is released.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HardStop {
    reasons: u16,
    since: [Wall; StopReason::ALL.len()],
}

impl HardStop {
    /// Sets `reason`; returns whether it was not set before.
    pub fn set(&mut self, reason: StopReason, now: Wall) -> bool {
        let new = !self.holds(reason);
        if new {
            self.reasons |= reason.bit();
            self.since[reason as usize] = now;
        }
        new
    }

    /// Releases `reason`; returns whether it was set.
    pub fn release(&mut self, reason: StopReason) -> bool {
        let held = self.holds(reason);
        self.reasons &= !reason.bit();
        self.since[reason as usize] = Wall::default();
        held
    }

    /// Whether this reason is set.
    pub const fn holds(&self, reason: StopReason) -> bool {
        self.reasons & reason.bit() != 0
    }

    /// Whether any is.
    pub const fn active(&self) -> bool {
        self.reasons != 0
    }

    /// Those that are set, with the moment each was.
    pub fn reasons(&self) -> impl Iterator<Item = (StopReason, Wall)> + '_ {
        StopReason::ALL
            .iter()
            .copied()
            .filter(|reason| self.holds(*reason))
            .map(|reason| (reason, self.since[reason as usize]))
    }

    /// The same without what a restart makes void: it is judged anew.
    pub fn lasting(mut self) -> Self {
        for reason in StopReason::ALL.iter().filter(|reason| !reason.lasts()) {
            self.release(*reason);
        }
        self
    }
}

impl fmt::Display for HardStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (reason, _) in self.reasons() {
            let comma = if std::mem::take(&mut first) { "" } else { ", " };
            write!(f, "{comma}{}", reason.name())?;
        }
        if first { f.write_str("none") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_set_and_released_one_by_one() {
        let mut latch = HardStop::default();
        assert!(!latch.active());
        assert!(latch.set(StopReason::Loss, Wall(5)));
        assert!(!latch.set(StopReason::Loss, Wall(9)), "the first moment stays");
        assert!(latch.set(StopReason::Reconnecting, Wall(7)));
        assert_eq!(latch.to_string(), "Reconnecting, Loss");
        assert_eq!(latch.lasting().reasons().collect::<Vec<_>>(), [(StopReason::Loss, Wall(5))]);
        assert!(latch.set(StopReason::ClockSkew, Wall(8)));
        assert_eq!(latch.lasting().to_string(), "Loss", "the clock is judged anew");
        assert!(latch.release(StopReason::ClockSkew));
        assert!(latch.release(StopReason::Loss) && latch.active());
        assert!(latch.release(StopReason::Reconnecting) && !latch.active());
        assert!(!latch.release(StopReason::Loss));
    }

    #[test]
    fn names_are_found_in_any_case() {
        for reason in StopReason::ALL {
            assert_eq!(StopReason::named(&reason.name().to_lowercase()), Some(*reason));
        }
        assert_eq!(StopReason::named("Weather"), None);
    }
}
