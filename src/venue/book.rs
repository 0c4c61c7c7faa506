//! One market's book: resting orders in price-time order.

use crate::types::num::{Px, Side, Sz};
use crate::venue::action::Address;

/// Who placed an order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Owner {
    /// A maker, by its position in its market's list.
    Maker(u16),
    /// An account, with this order.
    Account {
        /// Its address.
        user: Address,
        /// The order's id.
        oid: u64,
    },
}

impl Owner {
    /// Whether it is one of the market's own makers.
    fn is_maker(self) -> bool {
        matches!(self, Owner::Maker(_))
    }
}

/// An order that rests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resting {
    pub(super) owner: Owner,
    pub(super) px: Px,
    pub(super) sz: Sz,
}

/// All orders at one price.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct BookLevel {
    pub(super) px: Px,
    pub(super) sz: Sz,
    /// Number of orders.
    pub(super) n: u32,
}

/// Best bid and ask.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Top {
    pub(super) bid: Option<BookLevel>,
    pub(super) ask: Option<BookLevel>,
}

/// A taker's match with one resting order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Match {
    pub(super) owner: Owner,
    pub(super) px: Px,
    pub(super) sz: Sz,
}

/// Bids best (highest) first, asks best (lowest) first; at one price the older order first.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    sides: [Vec<Resting>; 2],
}

/// Whether a resting order of `side` at `a` stands before one at `b`.
fn better(side: Side, a: Px, b: Px) -> bool {
    match side {
        Side::Buy => a > b,
        Side::Sell => a < b,
    }
}

/// The other side.
pub(super) fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

impl Book {
    /// Rests an order behind those of its price. Matching is the caller's: makers post only, and
    /// scenarios may cross a book on purpose.
    pub(super) fn rest(&mut self, side: Side, order: Resting) {
        let orders = &mut self.sides[side.index()];
        let at = orders.partition_point(|other| !better(side, order.px, other.px));
        orders.insert(at, order);
    }

    /// Removes all orders of `owner`; returns whether there were any.
    pub(super) fn cancel(&mut self, owner: Owner) -> bool {
        let before = self.sides[0].len() + self.sides[1].len();
        for side in &mut self.sides {
            side.retain(|order| order.owner != owner);
        }
        before != self.sides[0].len() + self.sides[1].len()
    }

    /// Removes what makers have on one side.
    pub(super) fn clear_side(&mut self, side: Side) {
        self.sides[side.index()].retain(|order| !order.owner.is_maker());
    }

    /// Removes what makers have.
    pub(super) fn clear_makers(&mut self) {
        Side::BOTH.into_iter().for_each(|side| self.clear_side(side));
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) {
        self.sides.iter_mut().for_each(Vec::clear);
    }

    /// The order that a taker of the other side meets first.
    pub(super) fn front(&self, side: Side) -> Option<Resting> {
        self.sides[side.index()].first().copied()
    }

    /// Takes up to `sz` from the front of `side`; returns how much that was.
    pub(super) fn take_front(&mut self, side: Side, sz: Sz) -> Sz {
        let orders = &mut self.sides[side.index()];
        let Some(order) = orders.first_mut() else { return Sz::ZERO };
        let taken = order.sz.min(sz);
        order.sz = Sz::from_units(order.sz.units() - taken.units());
        if !order.sz.is_positive() {
            orders.remove(0);
        }
        taken
    }

    /// Leaves `sz` of the orders of `owner`; they keep their places.
    pub(super) fn shrink(&mut self, owner: Owner, sz: Sz) {
        let orders = self.sides.iter_mut().flatten();
        orders.filter(|order| order.owner == owner).for_each(|order| order.sz = sz);
    }

    /// The orders of accounts.
    pub(super) fn of_accounts(&self) -> impl Iterator<Item = (Side, Resting)> + '_ {
        Side::BOTH.into_iter().flat_map(|side| {
            let orders = self.sides[side.index()].iter();
            orders.filter(|order| !order.owner.is_maker()).map(move |order| (side, *order))
        })
    }

    /// The best price of `side`.
    pub(super) fn best(&self, side: Side) -> Option<Px> {
        self.sides[side.index()].first().map(|order| order.px)
    }

    /// The price levels of `side`, best first.
    pub(super) fn levels(&self, side: Side) -> impl Iterator<Item = BookLevel> + '_ {
        self.sides[side.index()].chunk_by(|a, b| a.px == b.px).filter_map(|orders| {
            let px = orders.first()?.px;
            let sz = orders.iter().map(|order| order.sz.units()).sum();
            Some(BookLevel { px, sz: Sz::from_units(sz), n: orders.len() as u32 })
        })
    }

    /// Best bid and ask.
    pub(super) fn top(&self) -> Top {
        let best = |side| self.levels(side).next();
        Top { bid: best(Side::Buy), ask: best(Side::Sell) }
    }

    /// Takes up to `sz` as a buyer or seller, no worse than `limit`, in price-time order.
    pub(super) fn take(&mut self, taker: Side, limit: Px, sz: Sz, mut on: impl FnMut(Match)) {
        let resting = opposite(taker);
        let orders = &mut self.sides[resting.index()];
        let mut left = sz.units();
        let mut gone = 0;
        for order in orders.iter_mut() {
            if left == 0 || better(resting, limit, order.px) {
                break;
            }
            let taken = left.min(order.sz.units());
            left -= taken;
            order.sz = Sz::from_units(order.sz.units() - taken);
            on(Match { owner: order.owner, px: order.px, sz: Sz::from_units(taken) });
            if order.sz.is_positive() {
                break;
            }
            gone += 1;
        }
        orders.drain(..gone);
    }

    /// Average price of the first `notional` (in 1e-16 USD) of `side`, or of all that is there.
    pub(super) fn impact(&self, side: Side, notional: i128) -> Option<Px> {
        let (mut value, mut size) = (0_i128, 0_i128);
        for order in &self.sides[side.index()] {
            if value >= notional {
                break;
            }
            let (px, sz) = (i128::from(order.px.units()), i128::from(order.sz.units()));
            let wanted = ((notional - value) / px.max(1)).max(1).min(sz);
            value += wanted * px;
            size += wanted;
        }
        if size == 0 {
            return None;
        }
        i64::try_from(value / size).ok().map(Px::from_units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(owner: u16, px: i64, sz: i64) -> Resting {
        Resting { owner: Owner::Maker(owner), px: Px::from_units(px), sz: Sz::from_units(sz) }
    }

    fn book() -> Book {
        let mut book = Book::default();
        for (side, orders) in [
            (Side::Buy, [order(0, 99, 5), order(1, 98, 7), order(2, 99, 2)]),
            (Side::Sell, [order(0, 102, 3), order(1, 101, 4), order(2, 101, 1)]),
        ] {
            orders.into_iter().for_each(|order| book.rest(side, order));
        }
        book
    }

    #[test]
    fn orders_match_by_price_then_time() {
        let mut book = book();
        let mut matches = Vec::new();
        book.take(Side::Buy, Px::from_units(102), Sz::from_units(6), |m| {
            matches.push((m.owner, m.px.units(), m.sz.units()));
        });
        let maker = Owner::Maker;
        assert_eq!(matches, [(maker(1), 101, 4), (maker(2), 101, 1), (maker(0), 102, 1)]);
        assert_eq!(book.top().ask.map(|l| (l.px.units(), l.sz.units(), l.n)), Some((102, 2, 1)));
    }

    #[test]
    fn a_limit_is_never_exceeded() {
        for (side, limit, best) in [(Side::Buy, 100, 101), (Side::Sell, 100, 99)] {
            let mut book = book();
            book.take(side, Px::from_units(limit), Sz::from_units(50), |m| panic!("{m:?}"));
            assert_eq!(book.best(opposite(side)), Some(Px::from_units(best)));
        }
    }

    #[test]
    fn makers_leave_and_accounts_stay() {
        let mut book = book();
        let owner = Owner::Account { user: Address::numbered(7), oid: 9 };
        book.rest(Side::Sell, Resting { owner, ..order(0, 103, 6) });
        book.clear_makers();
        assert_eq!(
            book.of_accounts().map(|(side, o)| (side, o.px.units())).next(),
            Some((Side::Sell, 103))
        );
        book.shrink(owner, Sz::from_units(4));
        assert_eq!(book.take_front(Side::Sell, Sz::from_units(3)).units(), 3);
        assert_eq!(book.take_front(Side::Sell, Sz::from_units(3)).units(), 1);
        assert!(book.front(Side::Sell).is_none() && book.front(Side::Buy).is_none());
        assert_eq!(book.take_front(Side::Sell, Sz::from_units(3)), Sz::ZERO);
    }

    #[test]
    fn levels_sum_their_orders() {
        let bids: Vec<_> =
            book().levels(Side::Buy).map(|l| (l.px.units(), l.sz.units(), l.n)).collect();
        assert_eq!(bids, [(99, 7, 2), (98, 7, 1)]);
    }

    #[test]
    fn impact_averages_what_is_there() {
        let (book, some) = (book(), |px| Some(Px::from_units(px)));
        assert_eq!(book.impact(Side::Buy, 99), some(99));
        assert_eq!(book.impact(Side::Buy, i128::MAX / 2), some((99 * 7 + 98 * 7) / 14));
        assert_eq!(Book::default().impact(Side::Buy, 1), None);
    }
}
