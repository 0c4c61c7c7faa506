//! The life of orders at the table: what each stream tells, alone, late, twice, or not at all.

mod laws;
mod streams;

use super::*;
use crate::types::ids::{AssetId, Coin, SignalId};
use crate::types::num::{Px, Side, Usd};
use crate::types::order::{Cloid, Fill, OrderAnswer, OrderUpdate, PostAnswer, VenueStatus};
use crate::types::record::ExitReason;
use crate::types::time::{Mono, Now, VenueMs};

const START: u64 = 1_000_000_000_000;
const WALL: i64 = 1_790_000_000_000_000_000;
const TIMEOUT: Nanos = Nanos::from_millis(3_000);
const LIFETIME: Nanos = Nanos::from_millis(2_000);
const MARKET: MarketId = MarketId(7);

/// So many milliseconds after the start, on both clocks.
fn ms(ms: u64) -> Now {
    Now {
        mono: Mono(START).plus(Nanos::from_millis(ms)),
        wall: Wall(WALL).plus(Nanos::from_millis(ms)),
    }
}

fn sz(text: &str) -> Sz {
    Sz::parse(text.as_bytes()).expect("a size")
}

fn px(text: &str) -> Px {
    Px::parse(text.as_bytes()).expect("a price")
}

fn usd(text: &str) -> Usd {
    Usd::parse_signed(text.as_bytes()).expect("an amount")
}

/// Buys 1 at 100.
fn entry(n: u128) -> Order {
    Order {
        cloid: Cloid(n),
        market: MARKET,
        coin: Coin::new("xyz:ONE").expect("a coin"),
        asset: AssetId(110_007),
        side: Side::Buy,
        px: px("100"),
        sz: sz("1"),
        reduce_only: false,
        purpose: Purpose::Entry(SignalId(n as u64)),
    }
}

/// Sells 1 at 100, reduce-only.
fn exit(n: u128) -> Order {
    let purpose = Purpose::Exit(ExitReason::TimeStop);
    Order { side: Side::Sell, reduce_only: true, purpose, ..entry(n) }
}

/// The venue's id of an order.
fn oid(order: &Order) -> u64 {
    9_000 + order.cloid.0 as u64
}

fn update(order: &Order, word: &str, rest: &str) -> OrderUpdate {
    OrderUpdate {
        coin: order.coin,
        oid: oid(order),
        cloid: Some(order.cloid),
        side: order.side,
        sz: sz(rest),
        orig_sz: order.sz,
        word: VenueStatus::of(word),
        status_time: VenueMs(1),
    }
}

fn fill(order: &Order, tid: u64, size: &str) -> Fill {
    Fill {
        coin: order.coin,
        px: px("99.5"),
        sz: sz(size),
        side: order.side,
        time: VenueMs(1),
        start_position: crate::types::num::Szi::ZERO,
        closed_pnl: Usd::ZERO,
        oid: oid(order),
        cloid: Some(order.cloid),
        tid,
        fee: usd("0.01"),
        liquidation: false,
    }
}

fn filled(order: &Order, size: &str) -> OrderAnswer {
    OrderAnswer::Filled { total_sz: sz(size), avg_px: px("99.5"), oid: oid(order) }
}

fn error(words: &str) -> OrderAnswer {
    OrderAnswer::Error(Excerpt::of(words.as_bytes()))
}

const MISS: &str = "Order could not immediately match against any resting orders. asset=110007";

/// A table with what a caller keeps beside it.
struct Desk {
    orders: Orders,
    next_post: u64,
    link_open: bool,
    /// Look-ups asked for, with their posts.
    asked: Vec<(OrderId, u64)>,
}

impl Desk {
    fn new() -> Self {
        Self { orders: Orders::new(TIMEOUT), next_post: 1, link_open: true, asked: Vec::new() }
    }

    /// Opens and sends `order` in a post of its own.
    fn send(&mut self, at: u64, order: Order) -> (OrderId, u64) {
        let id = self.orders.open(ms(at), order).expect("a slot");
        let post = self.next_post;
        self.next_post += 1;
        let now = ms(at);
        self.orders.sent(now, id, 5_000 + post, post, now.wall.plus(LIFETIME));
        self.time(at);
        (id, post)
    }

    fn answer(&mut self, at: u64, post: u64, statuses: &[OrderAnswer]) -> Answered {
        self.orders.on_answer(ms(at), post, &PostAnswer::Statuses(statuses))
    }

    fn update(&mut self, at: u64, order: &Order, word: &str, rest: &str) -> bool {
        self.orders.on_update(ms(at), &update(order, word, rest))
    }

    fn fill(&mut self, at: u64, order: &Order, tid: u64, size: &str) -> Option<Owner> {
        self.orders.on_fill(ms(at), &fill(order, tid, size))
    }

    /// Lets time pass; returns the posts of the look-ups that were asked for.
    fn time(&mut self, at: u64) -> Vec<u64> {
        let (next_post, asked) = (&mut self.next_post, &mut self.asked);
        let from = asked.len();
        self.orders.on_time(ms(at), self.link_open, &mut |id, _| {
            asked.push((id, *next_post));
            *next_post += 1;
            Some(*next_post - 1)
        });
        self.asked[from..].iter().map(|(_, post)| *post).collect()
    }

    fn look_up(&mut self, at: u64, post: u64, answer: Option<OrderUpdate>) -> Answered {
        self.orders.on_answer(ms(at), post, &PostAnswer::Order(answer))
    }

    fn ended(&mut self) -> Ended {
        self.orders.take_ended().expect("an order that is over")
    }

    fn assert_live(&mut self) {
        assert_eq!(self.orders.take_ended(), None, "it is not over");
    }
}
