//! One order's life: what the venue's words and fills make of it.
//!
//! Three streams tell of an order, in any order, again, or not at all: so every event states what
//! holds rather than what changed, and whatever comes first the same end is reached.

use crate::types::num::Sz;
use crate::types::order::{Refusal, RefusalClass};

/// Where an order is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OrderState {
    /// Approved, not sent.
    Pending,
    /// Sent, and nothing is known of it.
    Submitted,
    /// Some of it filled; whether more can, [`Life::is_closed`] says.
    PartiallyFilled,
    /// All of it filled.
    Filled,
    /// Refused.
    Rejected,
    /// It came to nothing, as an IOC may.
    Expired,
}

/// What became known of an order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OrderEvent {
    /// It was handed to the socket.
    Sent,
    /// The venue refused or cancelled it, for this reason.
    Refused(Refusal),
    /// What has not filled never will.
    Expired,
    /// At least so much of it has filled.
    FilledTo {
        /// In all, not since the last event.
        total: Sz,
    },
}

/// An event that an order in this state cannot meet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IllegalTransition {
    /// Where the order is.
    pub from: OrderState,
    /// What was told.
    pub event: OrderEvent,
}

/// The life of one order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Life {
    state: OrderState,
    size: Sz,
    filled: Sz,
    refusal: Option<Refusal>,
    closed: bool,
}

impl Life {
    /// Of an order of this size, not sent yet.
    pub const fn new(size: Sz) -> Self {
        let (state, filled) = (OrderState::Pending, Sz::ZERO);
        Self { state, size, filled, refusal: None, closed: false }
    }

    /// Applies one event and returns the size that is news. An `Err` leaves the order unchanged.
    ///
    /// Totals, not increments, and a fill overrules an end without one: it is real money either
    /// way (PROTOCOL.md §9.5).
    pub fn apply(&mut self, event: OrderEvent) -> Result<Sz, IllegalTransition> {
        use {OrderEvent as E, OrderState as S};
        let before = self.filled;
        self.state = match (self.state, event) {
            (S::Pending, E::Sent) => S::Submitted,
            (S::Submitted | S::Rejected | S::Expired, E::Refused(refusal)) => {
                match self.close(Some(refusal)) {
                    Some(RefusalClass::Miss) | None => S::Expired,
                    Some(_) => S::Rejected,
                }
            }
            (S::Submitted, E::Expired) => {
                self.close(None);
                S::Expired
            }
            (S::Rejected | S::Expired, E::Expired) => self.state,
            // The IOC's rest is dead.
            (S::PartiallyFilled | S::Filled, E::Expired) => {
                self.close(None);
                self.state
            }
            (S::PartiallyFilled | S::Filled, E::Refused(refusal)) => {
                self.close(Some(refusal));
                self.state
            }
            (
                S::Submitted | S::PartiallyFilled | S::Filled | S::Rejected | S::Expired,
                E::FilledTo { total },
            ) if Sz::ZERO < total && total <= self.size => {
                self.filled = before.max(total);
                if self.filled == self.size {
                    self.closed = true;
                    S::Filled
                } else {
                    S::PartiallyFilled
                }
            }
            (from, event) => return Err(IllegalTransition { from, event }),
        };
        debug_assert!(self.filled <= self.size, "never filled beyond its size");
        Ok(Sz::from_units(self.filled.units() - before.units()))
    }

    /// Nothing more can fill. Of two reasons the one that says more stays, whichever came first;
    /// returns its class.
    fn close(&mut self, refusal: Option<Refusal>) -> Option<RefusalClass> {
        self.closed = true;
        self.refusal = self.refusal.into_iter().chain(refusal).max_by_key(|r| weight(*r));
        self.refusal.map(Refusal::class)
    }

    /// Where it is.
    pub const fn state(&self) -> OrderState {
        self.state
    }

    /// How much of it is known to have filled.
    pub const fn filled(&self) -> Sz {
        self.filled
    }

    /// Whether nothing more of it can fill.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Why nothing of it filled, once that is known.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal.filter(|_| self.filled == Sz::ZERO)
    }
}

/// How much a reason says: a cancel says least, unlisted words little, and that an order came too
/// late may be our own conclusion.
const fn weight(refusal: Refusal) -> (u8, Refusal) {
    let rank = match refusal {
        Refusal::Cancelled => 0,
        Refusal::Unlisted => 1,
        Refusal::TooLate => 2,
        _ => 3,
    };
    (rank, refusal)
}
