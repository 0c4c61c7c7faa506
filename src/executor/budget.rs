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

    /// Whether an action of `items` may go now.
    pub fn may(&self, now: Mono, kind: Kind, items: u32) -> bool {
        items <= self.room(now, kind)
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

    /// The post was answered; `refused` says why when nothing of it was executed.
    ///
    /// What is refused whole costs nothing. Refused for the budget itself, the venue's count is
    /// ahead of ours: the budget is empty until the account is read again.
    pub fn answered(&mut self, now: Mono, post: u64, refused: Option<Refusal>) {
        let found = self.in_flight.iter().position(|waiting| waiting.post == post);
        let Some(answered) = found.and_then(|at| self.in_flight.remove(at)) else { return };
        if let Some(limit) = self.limit.as_mut().filter(|_| refused.is_some()) {
            limit.used = limit.used.saturating_sub(i64::from(answered.cost));
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
