//! The table of live orders: what was approved, what became of it, and what may still fill.
//!
//! Answers, updates, fill rows and look-ups come in any order, again, or not at all; the order's end
//! is the same. Counts and sums are read off the table, never kept beside it. Nothing is given up
//! silently: an order whose end is not known is looked up until it is, and holds up its market.

mod closed;
mod entry;
mod state;
mod table;

pub use entry::OrderEntry;
pub use state::{IllegalTransition, OrderEvent, OrderLifecycle, OrderState, Transitions};
pub use table::Orders;

use crate::types::ids::{Excerpt, MarketId};
use crate::types::num::{Px, Side, Sz};
use crate::types::order::{Order, Purpose, Refusal};
use crate::types::record::{OrderRow, Outcome};
use crate::types::time::{Nanos, VenueMs, Wall};

/// Orders the table holds at once.
pub const SLOTS: usize = 256;

/// Orders that are over and still known as ours.
pub const REMEMBERED: usize = 256;

/// Between the first three look-ups of an order: one that was just sent may be unknown for a
/// moment (PROTOCOL.md §4.4).
pub const LOOK_UP_PACE: Nanos = Nanos::from_secs(1);

/// Between the further ones.
pub const LOOK_UP_SLOW_PACE: Nanos = Nanos::from_secs(5);

/// Look-ups that must find nothing before an order that opens is dead.
pub const LOOK_UPS: u32 = 3;

/// The same for one that only shrinks a position: were it alive after all, it and the next one could
/// close no more than what is held.
pub const LOOK_UPS_OF_EXIT: u32 = 1;

/// Time past `expiresAfter` before "unknown" proves anything: blocks and clocks are not exact.
pub const EXPIRY_MARGIN: Nanos = Nanos::from_secs(1);

/// Time past `expiresAfter` before an exit whose look-ups are not answered counts as dead: far past any
/// difference of clocks.
pub const EXIT_GIVE_UP: Nanos = Nanos::from_secs(30);

/// Fill rows may trail the end they belong to by so long; then they are missing, and the account is
/// read for them.
pub const ROWS_GRACE: Nanos = Nanos::from_secs(2);

/// An update that ends an order with nothing filled waits so long for the answer to say otherwise.
pub const ANSWER_GRACE: Nanos = Nanos::from_secs(1);

/// An order's place in the table; never names two orders.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OrderId(u32);

impl OrderId {
    const fn new(slot: u8, generation: u32) -> Self {
        Self(generation << 8 | slot as u32)
    }

    const fn slot(self) -> u8 {
        self.0 as u8
    }

    /// Some id, where no table is at hand.
    #[cfg(test)]
    pub(crate) const fn of_test(n: u32) -> Self {
        Self(n)
    }
}

/// Every slot is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OrdersFull;

/// What an answer was about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answered {
    /// An action with orders of ours.
    Orders {
        /// How many of them are still in the table.
        live: u32,
        /// Why all of it was refused, if it was, and the words.
        refused: Option<(Refusal, Excerpt)>,
    },
    /// A look-up of this order, which may be over by now.
    LookUp(OrderId),
    /// No order of ours.
    NotOurs,
}

/// Whose fill it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Owner {
    /// The order.
    pub id: OrderId,
    /// Why it was sent.
    pub purpose: Purpose,
    /// Whether it was over already: its row no longer counts this fill.
    pub ended: bool,
}

/// What of one order no fill row has told: evidence that a reading of the account has to bear out.
/// Their sum is an [`Outstanding`](crate::types::order::Outstanding).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Claim {
    /// The order.
    pub id: OrderId,
    /// Its side.
    pub side: Side,
    /// Filled by word of an answer or an update.
    pub announced: Sz,
    /// What may have filled beyond that, at most.
    pub possible: Sz,
    /// At this price, as the answer told it; else the order's limit.
    pub px: Px,
    /// Its fills are not later than this, by our wall clock: when its end became known, or when the
    /// venue no longer takes it.
    pub since: VenueMs,
    /// The venue's id, if it was told.
    pub oid: Option<u64>,
}

/// An order whose end is certain and whose fills have not all been told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RowsMissing {
    /// The order.
    pub id: OrderId,
    /// What was sent.
    pub order: Order,
    /// Its fills are later than this.
    pub since: Wall,
}

/// An exit of which nothing more can fill. Its fill rows may still be missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClosedExit {
    /// The market.
    pub market: MarketId,
    /// Whether it ever left.
    pub sent: bool,
    /// Whether the venue told of it, other than by not knowing it.
    pub heard: bool,
    /// Whether it was refused together with other orders of its action.
    pub together: bool,
    /// Filled size.
    pub filled: Sz,
    /// Why nothing of it filled, if that was told.
    pub refusal: Option<Refusal>,
}

/// An order that is over and gone from the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ended {
    /// Where it was.
    pub id: OrderId,
    /// What was sent.
    pub order: Order,
    /// How it ended.
    pub outcome: Outcome,
    /// Why nothing of it filled, if that was told.
    pub refusal: Option<Refusal>,
    /// The words of the refusal, if there were any.
    pub words: Option<Excerpt>,
    /// Filled size.
    pub filled: Sz,
    /// Of that, what no fill row told: the position does not hold it.
    pub unaccounted: Sz,
    /// For the file.
    pub row: OrderRow,
}

#[cfg(test)]
mod tests;
