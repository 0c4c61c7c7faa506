//! How much may still be asked of the venue: the address budget, its slow mode, and posts in flight
//! (PROTOCOL.md §1, §8.2).
//!
//! The reserve is for exits: entries stop while requests are left, since a position that cannot be
//! closed is worse than one that was not opened. Messages a minute are counted where all messages
//! pass, in `feed`.

use std::collections::VecDeque;

use crate::types::account::RateLimit;
use crate::types::num::Usd;
use crate::types::order::Refusal;
use crate::types::time::{Mono, Nanos};

/// Posts the venue lets wait for their answers.
pub const POSTS_IN_FLIGHT: usize = 100;

/// What an action costs of the address budget that is refused because `expiresAfter` has passed.
pub const LATE_COST: i64 = 5;

/// Of them, kept for exits, cancels and look-ups.
pub const POSTS_FOR_EXITS: usize = 10;

/// Between two requests once the budget is used up: the documents say 10 s, measured were 11
/// (PROTOCOL.md §8.2).
pub const SLOW_PACE: Nanos = Nanos::from_secs(11);

/// A post without an answer for so long will get none, and takes no place any more.
pub const POST_LOST: Nanos = Nanos::from_secs(60);

/// What is to be asked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Orders that open.
    Entry,
    /// Orders that only shrink a position.
    ReduceOnly,
    /// Cancels.
    Cancel,
    /// A question: takes a place among the posts and nothing of the budget.
    LookUp,
    /// A setting of the account.
    Leverage,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    post: u64,
    at: Mono,
    /// What it cost of the budget.
    cost: u32,
}

/// The budget. Allocates once.
#[derive(Clone, Debug)]
pub struct ActionBudget {
    /// Requests that entries leave untouched.
    reserve: i64,
    /// Requests used and allowed; `None` before the first reading of the account.
    limit: Option<Counted>,
    /// What was traded since a whole dollar last raised the cap, in 1e-6 USD.
    part_dollar: i64,
    /// In slow mode, when the next request may go.
    slow_until: Mono,
    in_flight: VecDeque<InFlight>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    used: i64,
    cap: i64,
}

impl ActionBudget {
    /// One that keeps `reserve` requests for exits and refuses entries until the first reading.
    pub fn new(reserve: u32) -> Self {
        Self {
            reserve: i64::from(reserve),
            limit: None,
            part_dollar: 0,
            slow_until: Mono(0),
            in_flight: VecDeque::with_capacity(POSTS_IN_FLIGHT),
        }
    }

    /// Whether an action of `items`, or a question, may go now.
    pub fn may(&self, now: Mono, kind: Kind, items: u32) -> bool {
        items.max(1) <= self.room(now, kind)
    }

    /// How many items one action of this kind may have now; 0 when none may go.
    ///
    /// Out of budget, exits and cancels alone go on, one every [`SLOW_PACE`]; cancels have a
    /// ceiling of their own above that (PROTOCOL.md §8.2).
    pub fn room(&self, now: Mono, kind: Kind) -> u32 {
        let posts = match kind {
            Kind::Entry | Kind::Leverage => POSTS_IN_FLIGHT - POSTS_FOR_EXITS,
            Kind::ReduceOnly | Kind::Cancel | Kind::LookUp => POSTS_IN_FLIGHT,
        };
        if self.posts(now) >= posts {
            return 0;
        }
        let left = match (kind, self.limit) {
            (Kind::LookUp, _) => return u32::MAX,
            (Kind::Entry | Kind::Leverage, None) => return 0,
            // An account that was not read yet may hold positions to close.
            (Kind::ReduceOnly | Kind::Cancel, None) => return self.slow_room(now, i64::MAX),
            (Kind::Entry | Kind::Leverage, Some(limit)) => limit.left() - self.reserve,
            (Kind::ReduceOnly, Some(limit)) => return self.slow_room(now, limit.left()),
            (Kind::Cancel, Some(limit)) => return self.slow_room(now, limit.left_to_cancel()),
        };
        u32::try_from(left.max(0)).unwrap_or(u32::MAX)
    }

    /// `left`, or else one request at the slow pace.
    fn slow_room(&self, now: Mono, left: i64) -> u32 {
        match left {
            1.. => u32::try_from(left).unwrap_or(u32::MAX),
            _ => u32::from(now >= self.slow_until),
        }
    }

    /// An action of `items`, or a question, left as this post.
    pub fn spend(&mut self, now: Mono, kind: Kind, items: u32, post: u64) {
        let cost = if kind == Kind::LookUp { 0 } else { items };
        if let Some(limit) = &mut self.limit {
            let left = if kind == Kind::Cancel { limit.left_to_cancel() } else { limit.left() };
            if cost > 0 && left <= 0 {
                self.slow_until = now.plus(SLOW_PACE);
            }
            limit.used = limit.used.saturating_add(i64::from(cost));
        }
        self.forget_lost(now);
        if self.in_flight.len() >= POSTS_IN_FLIGHT {
            self.in_flight.pop_front();
        }
        self.in_flight.push_back(InFlight { post, at: now, cost });
    }

    /// When the action left that waits for its answer as this post; none for a question.
    pub fn sent_at(&self, post: u64) -> Option<Mono> {
        let waiting = self.in_flight.iter().find(|waiting| waiting.post == post)?;
        (waiting.cost > 0).then_some(waiting.at)
    }

    /// The post was answered; `refused` says why when nothing of it was executed.
    ///
    /// What is refused whole costs nothing, but for what came after its `expiresAfter`: that costs
    /// [`LATE_COST`], however many items it had (PROTOCOL.md §8.2). Refused for the budget itself, the venue's count is
    /// ahead of ours: the budget is empty until the account is read again.
    pub fn answered(&mut self, now: Mono, post: u64, refused: Option<Refusal>) {
        let found = self.in_flight.iter().position(|waiting| waiting.post == post);
        let Some(answered) = found.and_then(|at| self.in_flight.remove(at)) else { return };
        if let Some(limit) = self.limit.as_mut().filter(|_| refused.is_some()) {
            let cost = if refused == Some(Refusal::TooLate) { LATE_COST } else { 0 };
            limit.used = limit.used.saturating_sub(i64::from(answered.cost) - cost);
        }
        if refused == Some(Refusal::AddressBudget) {
            let limit = self.limit.get_or_insert(Counted { used: 0, cap: 0 });
            limit.used = limit.used.max(limit.cap);
            self.slow_until = now.plus(SLOW_PACE);
        }
    }

    /// The link is gone, and with it every post in flight. What they cost stays spent: they may
    /// have been executed.
    pub fn on_disconnected(&mut self) {
        self.in_flight.clear();
    }

    /// The account was read. What is in flight may not be in the reading yet, and counts on top.
    pub fn reset(&mut self, now: Mono, read: RateLimit) {
        self.forget_lost(now);
        let waiting: i64 = self.in_flight.iter().map(|waiting| i64::from(waiting.cost)).sum();
        let whole = |requests: u64| i64::try_from(requests).unwrap_or(i64::MAX);
        let (used, cap) = (whole(read.used).saturating_add(waiting), whole(read.cap));
        self.limit = Some(Counted { used, cap });
        self.part_dollar = 0;
    }

    /// We traded for `volume`: each dollar raises the cap by one request, in growth mode ten do.
    pub fn on_volume(&mut self, volume: Usd, growth: bool) {
        let Some(limit) = &mut self.limit else { return };
        let counted = if growth { volume.units() / 10 } else { volume.units() };
        let sum = self.part_dollar.saturating_add(counted.max(0));
        limit.cap = limit.cap.saturating_add(sum / 1_000_000);
        self.part_dollar = sum % 1_000_000;
    }

    /// Requests left, the reserve counted; zero or below is the slow mode, and zero before the
    /// first reading.
    pub fn left(&self) -> i64 {
        self.limit.map_or(0, |limit| limit.left())
    }

    /// Requests left above what is kept for exits; zero before the first reading.
    pub fn above_reserve(&self) -> i64 {
        self.limit.map_or(0, |limit| limit.left().saturating_sub(self.reserve))
    }

    /// Whether the budget is known, and no more of it is left than is kept for exits.
    pub fn at_reserve(&self) -> bool {
        self.limit.is_some() && self.above_reserve() <= 0
    }

    /// Whether the budget is known and used up.
    pub fn is_slow(&self) -> bool {
        self.limit.is_some_and(|limit| limit.left() <= 0)
    }

    /// When the slow mode lets the next exit go; a moment in the past when it may go already.
    pub fn next_at(&self) -> Mono {
        if self.is_slow() { self.slow_until } else { Mono(0) }
    }

    /// Posts whose answer may still come.
    pub fn posts(&self, now: Mono) -> usize {
        self.in_flight.iter().filter(|waiting| !waiting.is_lost(now)).count()
    }

    fn forget_lost(&mut self, now: Mono) {
        while self.in_flight.pop_front_if(|waiting| waiting.is_lost(now)).is_some() {}
    }
}

impl InFlight {
    fn is_lost(&self, now: Mono) -> bool {
        now.since(self.at) > POST_LOST
    }
}

impl Counted {
    fn left(self) -> i64 {
        self.cap.saturating_sub(self.used)
    }

    /// Cancels may go on to twice the cap, and never more than 100,000 past it.
    fn left_to_cancel(self) -> i64 {
        self.left().saturating_add(self.cap.clamp(0, 100_000))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Kind::{Cancel, Entry, Leverage, LookUp, ReduceOnly};
    use super::*;

    const T: Mono = Mono(1_000_000_000_000);

    /// A budget with so many requests left of a cap of 10,000, of which 500 are kept for exits.
    fn left(requests: u64) -> ActionBudget {
        let mut budget = ActionBudget::new(500);
        budget.reset(T, RateLimit { used: 10_000 - requests, cap: 10_000 });
        budget
    }

    fn usd(text: &str) -> Usd {
        Usd::parse(text.as_bytes()).expect("an amount")
    }

    #[test]
    fn before_the_first_reading_exits_pass_and_entries_do_not() {
        let budget = ActionBudget::new(500);
        for kind in [ReduceOnly, Cancel, LookUp] {
            assert!(budget.may(T, kind, 3), "{kind:?}");
        }
        for kind in [Entry, Leverage] {
            assert!(!budget.may(T, kind, 1), "{kind:?}");
        }
        assert_eq!((budget.left(), budget.is_slow()), (0, false));
    }

    #[test]
    fn entries_leave_the_reserve_to_exits() {
        let budget = left(503);
        assert!(budget.may(T, Entry, 3), "down to the reserve");
        assert!(!budget.may(T, Entry, 4), "one past it");
        assert!(budget.may(T, ReduceOnly, 503));
        assert!(!budget.may(T, ReduceOnly, 504));
        assert!(!left(500).may(T, Leverage, 1));
    }

    #[test]
    fn an_action_costs_its_items_and_a_question_nothing() {
        let mut budget = left(503);
        budget.spend(T, Entry, 2, 1);
        budget.spend(T, LookUp, 1, 2);
        assert_eq!((budget.left(), budget.posts(T)), (501, 2));
        assert_eq!([1, 2, 3].map(|post| budget.sent_at(post)), [Some(T), None, None]);
        assert!(budget.may(T, Entry, 1) && !budget.may(T, Entry, 2));
    }

    #[test]
    fn what_is_refused_whole_is_given_back_and_what_is_done_is_not() {
        let mut budget = left(1_000);
        budget.spend(T, Entry, 3, 1);
        budget.spend(T, Entry, 4, 2);
        budget.answered(T, 1, Some(Refusal::OverWeight));
        assert_eq!(budget.left(), 996);
        budget.answered(T, 2, None);
        assert_eq!(budget.left(), 996);
        budget.answered(T, 1, Some(Refusal::OverWeight));
        budget.answered(T, 99, Some(Refusal::OverWeight));
        assert_eq!((budget.left(), budget.posts(T)), (996, 0), "answered twice, and never asked");
    }

    /// A23: an action that comes after its `expiresAfter` costs five requests, whatever it carried.
    #[test]
    fn an_action_that_comes_too_late_costs_five() {
        let mut budget = left(1_000);
        budget.spend(T, Entry, 1, 1);
        budget.spend(T, ReduceOnly, 7, 2);
        budget.spend(T, LookUp, 1, 3);
        budget.answered(T, 1, Some(Refusal::TooLate));
        budget.answered(T, 2, Some(Refusal::TooLate));
        assert_eq!((budget.left(), budget.posts(T)), (990, 1));
        budget.answered(T, 1, Some(Refusal::TooLate));
        assert_eq!(budget.left(), 990, "answered twice");
    }

    #[test]
    fn at_the_reserve_is_said_once_the_budget_is_known() {
        assert!(!ActionBudget::new(500).at_reserve(), "not read yet");
        assert!(left(500).at_reserve() && !left(501).at_reserve());
        assert_eq!((left(501).above_reserve(), left(499).above_reserve()), (1, -1));
    }

    #[test]
    fn out_of_budget_one_exit_goes_each_eleven_seconds() {
        let mut budget = left(1);
        budget.spend(T, ReduceOnly, 1, 1);
        assert!(budget.is_slow());
        assert!(budget.may(T, ReduceOnly, 1), "the first may go at once");
        assert!(!budget.may(T, ReduceOnly, 2), "and one order at a time");
        budget.spend(T, ReduceOnly, 1, 2);
        let next = T.plus(SLOW_PACE);
        assert_eq!(budget.next_at(), next);
        assert!(!budget.may(Mono(next.0 - 1), ReduceOnly, 1));
        assert!(budget.may(next, ReduceOnly, 1));
        assert!(!budget.may(next, Entry, 1));
        assert!(budget.may(T, Cancel, 1), "cancels have a ceiling of their own");
    }

    #[test]
    fn cancels_go_on_to_twice_the_cap() {
        let mut budget = ActionBudget::new(0);
        budget.reset(T, RateLimit { used: 19_999, cap: 10_000 });
        assert_eq!(budget.room(T, Cancel), 1);
        budget.spend(T, Cancel, 1, 1);
        assert_eq!(budget.room(T, Cancel), 1, "then at the slow pace");
        budget.spend(T, Cancel, 1, 2);
        assert_eq!(budget.room(T, Cancel), 0);
        let mut busy = ActionBudget::new(0);
        busy.reset(T, RateLimit { used: 1_099_999, cap: 1_000_000 });
        assert_eq!(busy.room(T, Cancel), 1, "never more than 100,000 past it");
    }

    #[test]
    fn refused_for_the_budget_means_that_it_is_empty_until_read_again() {
        let mut budget = left(5_000);
        budget.spend(T, Entry, 1, 1);
        budget.answered(T, 1, Some(Refusal::AddressBudget));
        assert!(budget.is_slow() && !budget.may(T, Entry, 1) && !budget.may(T, ReduceOnly, 1));
        assert!(budget.may(T.plus(SLOW_PACE), ReduceOnly, 1));
        budget.reset(T, RateLimit { used: 0, cap: 10_000 });
        assert!(!budget.is_slow() && budget.may(T, Entry, 1));
        let mut unread = ActionBudget::new(500);
        unread.spend(T, ReduceOnly, 1, 1);
        unread.answered(T, 1, Some(Refusal::AddressBudget));
        assert!(unread.is_slow(), "even before the first reading");
    }

    #[test]
    fn a_dollar_traded_raises_the_cap_by_one_and_by_a_tenth_in_growth() {
        let mut budget = left(100);
        budget.on_volume(usd("10.6"), false);
        assert_eq!(budget.left(), 110);
        budget.on_volume(usd("0.4"), false);
        assert_eq!(budget.left(), 111, "parts of a dollar add up");
        budget.on_volume(usd("99.99"), true);
        assert_eq!(budget.left(), 120);
        budget.on_volume(usd("0.01"), true);
        assert_eq!(budget.left(), 121);
        budget.on_volume(Usd::from_units(-5_000_000), false);
        assert_eq!(budget.left(), 121);
    }

    #[test]
    fn the_last_places_in_flight_are_for_exits() {
        let mut budget = left(5_000);
        for post in 0..90 {
            assert!(budget.may(T, Entry, 1), "{post}");
            budget.spend(T, Entry, 1, post);
        }
        assert!(!budget.may(T, Entry, 1) && !budget.may(T, Leverage, 1));
        for post in 90..100 {
            assert!(budget.may(T, ReduceOnly, 1) && budget.may(T, LookUp, 1), "{post}");
            budget.spend(T, ReduceOnly, 1, post);
        }
        for kind in [ReduceOnly, Cancel, LookUp] {
            assert!(!budget.may(T, kind, 1) && !budget.may(T, kind, 0), "{kind:?}");
        }
        budget.answered(T, 50, None);
        assert!(budget.may(T, ReduceOnly, 1));
    }

    #[test]
    fn posts_that_are_never_answered_free_their_place() {
        let mut budget = left(5_000);
        (0..100).for_each(|post| budget.spend(T, ReduceOnly, 1, post));
        assert!(!budget.may(T.plus(POST_LOST), ReduceOnly, 1));
        assert!(budget.may(Mono(T.plus(POST_LOST).0 + 1), ReduceOnly, 1));
        budget.on_disconnected();
        assert!(budget.may(T, ReduceOnly, 1), "a new link, and none in flight");
        assert_eq!(budget.left(), 4_900, "what they cost stays spent");
    }

    #[test]
    fn a_reading_may_not_know_yet_what_is_in_flight() {
        let mut budget = left(5_000);
        budget.spend(T, Entry, 3, 1);
        budget.reset(T, RateLimit { used: 6_000, cap: 10_000 });
        assert_eq!(budget.left(), 3_997);
    }

    proptest! {
        #[test]
        fn whatever_happens_entries_never_touch_the_reserve(
            steps in proptest::collection::vec((0_u8..4, 1_u32..20, 0_u64..300), 1..300)
        ) {
            let mut budget = left(1_500);
            let (mut sent, mut now) = (0_u32, T);
            for (n, (what, items, ms)) in steps.into_iter().enumerate() {
                now = now.plus(Nanos::from_millis(ms));
                match what {
                    0 | 1 if budget.may(now, Entry, items) => {
                        budget.spend(now, Entry, items, n as u64);
                        sent += items;
                        prop_assert!(budget.left() >= 500);
                    }
                    2 => budget.answered(now, n as u64 / 2, None),
                    3 => budget.answered(now, n as u64 / 3, Some(Refusal::OverWeight)),
                    _ => {}
                }
                prop_assert!(budget.posts(now) <= POSTS_IN_FLIGHT - POSTS_FOR_EXITS);
            }
            prop_assert!(budget.left() >= 1_500 - i64::from(sent));
        }
    }
}
