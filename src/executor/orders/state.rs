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
    /// Some of it filled; whether more can, [`OrderLifecycle::is_closed`] says.
    PartiallyFilled,
    /// Filled whole.
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

impl OrderState {
    /// All states.
    pub const ALL: [OrderState; 6] = [
        OrderState::Pending,
        OrderState::Submitted,
        OrderState::PartiallyFilled,
        OrderState::Filled,
        OrderState::Rejected,
        OrderState::Expired,
    ];

    /// As logs write it.
    pub const fn name(self) -> &'static str {
        match self {
            OrderState::Pending => "pending",
            OrderState::Submitted => "submitted",
            OrderState::PartiallyFilled => "partially_filled",
            OrderState::Filled => "filled",
            OrderState::Rejected => "rejected",
            OrderState::Expired => "expired",
        }
    }
}

/// Transitions from one state to another that were made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Transitions(u64);

impl Transitions {
    /// None yet.
    pub const NONE: Transitions = Transitions(0);

    const fn bit(from: OrderState, to: OrderState) -> u64 {
        1 << (from as u64 * OrderState::ALL.len() as u64 + to as u64)
    }

    /// One more.
    pub(super) fn go(&mut self, from: OrderState, to: OrderState) {
        if from != to {
            self.0 |= Self::bit(from, to);
        }
    }

    /// Those of either.
    #[must_use]
    pub const fn with(self, other: Transitions) -> Transitions {
        Transitions(self.0 | other.0)
    }

    /// From where to where.
    pub fn iter(self) -> impl Iterator<Item = (OrderState, OrderState)> {
        let all = OrderState::ALL;
        let pairs = all.into_iter().flat_map(move |from| all.into_iter().map(move |to| (from, to)));
        pairs.filter(move |(from, to)| self.0 & Self::bit(*from, *to) != 0)
    }
}

/// The life of one order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OrderLifecycle {
    state: OrderState,
    size: Sz,
    filled: Sz,
    refusal: Option<Refusal>,
    closed: bool,
}

impl OrderLifecycle {
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
                    Some(RefusalClass::Miss | RefusalClass::Superfluous) | None => S::Expired,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::OrderEvent::{Expired, FilledTo, Refused, Sent};
    use super::*;

    const SIZE: Sz = Sz::from_units(100);

    fn filled(units: i64) -> OrderEvent {
        FilledTo { total: Sz::from_units(units) }
    }

    fn after(events: &[OrderEvent]) -> OrderLifecycle {
        let mut life = OrderLifecycle::new(SIZE);
        for event in [Sent].iter().chain(events) {
            let _ = life.apply(*event);
        }
        life
    }

    #[test]
    fn an_order_is_sent_before_anything_is_known_of_it() {
        let mut life = OrderLifecycle::new(SIZE);
        for event in [filled(1), Expired, Refused(Refusal::Margin)] {
            let from = OrderState::Pending;
            assert_eq!(life.apply(event), Err(IllegalTransition { from, event }));
        }
        assert_eq!(life, OrderLifecycle::new(SIZE), "an error changes nothing");
        assert_eq!(life.apply(Sent), Ok(Sz::ZERO));
        assert!(life.apply(Sent).is_err(), "and only once");
        assert_eq!(life.state(), OrderState::Submitted);
    }

    #[test]
    fn totals_are_not_increments() {
        let mut life = after(&[]);
        assert_eq!(life.apply(filled(30)), Ok(Sz::from_units(30)));
        assert_eq!(life.apply(filled(30)), Ok(Sz::ZERO), "told again");
        assert_eq!(life.apply(filled(20)), Ok(Sz::ZERO), "told late");
        assert_eq!(life.apply(filled(100)), Ok(Sz::from_units(70)));
        assert_eq!((life.state(), life.is_closed()), (OrderState::Filled, true));
    }

    #[test]
    fn nothing_fills_beyond_its_size_and_nothing_is_no_fill() {
        let mut life = after(&[filled(99)]);
        for units in [101, 0, -1] {
            assert!(life.apply(filled(units)).is_err(), "{units}");
        }
        assert_eq!(life.filled(), Sz::from_units(99));
        assert!(life.apply(filled(100)).is_ok());
    }

    #[test]
    fn a_fill_overrules_an_expiry_and_a_rejection() {
        for end in [Expired, Refused(Refusal::NoMatch), Refused(Refusal::Margin)] {
            let life = after(&[end, filled(40)]);
            assert_eq!(life.state(), OrderState::PartiallyFilled, "{end:?}");
            assert!(life.is_closed(), "{end:?}: what has not filled never will");
            assert_eq!(life.refusal(), None, "{end:?}: it was not refused after all");
            assert_eq!(after(&[end, filled(100)]).state(), OrderState::Filled);
        }
    }

    #[test]
    fn what_missed_or_was_superfluous_has_expired_and_what_else_is_refused_is_rejected() {
        for refusal in Refusal::ALL {
            let missed = matches!(refusal.class(), RefusalClass::Miss | RefusalClass::Superfluous);
            let state = if missed { OrderState::Expired } else { OrderState::Rejected };
            let life = after(&[Refused(*refusal)]);
            assert_eq!((life.state(), life.refusal()), (state, Some(*refusal)));
            assert!(life.is_closed());
        }
    }

    #[test]
    fn of_two_reasons_the_one_that_says_more_stays() {
        use Refusal::{Cancelled, Margin, NoMatch, TooLate, Unlisted};
        for (more, less) in
            [(Margin, Cancelled), (NoMatch, Unlisted), (Unlisted, Cancelled), (NoMatch, TooLate)]
        {
            let one = after(&[Refused(more), Refused(less)]);
            let other = after(&[Refused(less), Refused(more), Expired]);
            assert_eq!(one.refusal(), Some(more));
            assert_eq!(one, other);
        }
    }

    fn any_event() -> impl Strategy<Value = OrderEvent> {
        prop_oneof![
            Just(Sent),
            Just(Expired),
            proptest::sample::select(Refusal::ALL).prop_map(Refused),
            (-5_i64..=105).prop_map(filled),
        ]
    }

    proptest! {
        #[test]
        fn what_is_told_counts_and_not_when(
            events in proptest::collection::vec(any_event(), 0..12).prop_flat_map(|events| {
                (Just(events.clone()), Just(events).prop_shuffle())
            })
        ) {
            let (one, other) = events;
            let twice: Vec<_> = other.iter().chain(&one).copied().collect();
            prop_assert_eq!(after(&one), after(&other));
            prop_assert_eq!(after(&one), after(&twice), "told again");
        }

        #[test]
        fn news_adds_up_and_errors_change_nothing(
            events in proptest::collection::vec(any_event(), 0..20)
        ) {
            let mut life = OrderLifecycle::new(SIZE);
            let mut sum = 0;
            for event in events {
                let before = life;
                match life.apply(event) {
                    Ok(news) => {
                        prop_assert!(news >= Sz::ZERO);
                        sum += news.units();
                    }
                    Err(error) => {
                        prop_assert_eq!(life, before);
                        prop_assert_eq!((error.from, error.event), (before.state(), event));
                    }
                }
                prop_assert_eq!(life.filled().units(), sum);
                prop_assert!(life.filled() <= SIZE);
                prop_assert!(life.is_closed() || !before.is_closed(), "closed for good");
            }
        }
    }
}
