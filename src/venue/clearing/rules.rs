//! What an order must satisfy before it may meet the book: one rule a line, in the venue's order
//! (PROTOCOL.md §6, §9.4).

use crate::types::num::{Px, Side, Sz, Usd};
use crate::types::time::Mono;
use crate::venue::action::{NewOrder, Tif};
use crate::venue::clearing::account::{Account, WATCHED};
use crate::venue::clearing::money::{self, FeeRate};
use crate::venue::clearing::refusal::Refusal;
use crate::venue::listing::tick;
use crate::venue::market::Market;

/// Least value of an order that opens, in USD.
const LEAST_USD: i128 = 10;

/// Open orders of an account without volume, one more per so many USD traded, and at most.
const OPEN_ORDERS: u64 = 1_000;
const OPEN_ORDER_USD: u64 = 5_000_000;
const OPEN_ORDERS_MOST: u64 = 5_000;

/// An order and all that decides over it.
pub(super) struct Case<'a> {
    pub(super) order: &'a NewOrder,
    pub(super) account: &'a Account,
    pub(super) markets: &'a [Market],
    pub(super) market: &'a Market,
    /// Position of `market` in `markets`.
    pub(super) at: usize,
    pub(super) now: Mono,
    pub(super) mark: Px,
    /// After an upgrade nothing may take: the sentence that says so.
    pub(super) post_only: Option<&'static str>,
    /// An open order whose place this one takes.
    pub(super) replaced: Option<u64>,
}

type Rule = fn(&Case<'_>) -> Result<(), Refusal>;

/// Of all orders of an action before any is executed; one that fails refuses them all.
const PREREQUISITES: [Rule; 2] = [near_the_reference, not_too_large];

/// Of each order, in this order.
const RULES: [Rule; 13] = [
    halted,
    post_only_mode,
    trigger,
    valid_px,
    on_tick,
    some_size,
    whole_lots,
    worth_enough,
    reduces,
    few_open,
    open_interest,
    margin,
    posts,
];

impl Case<'_> {
    /// The size that may fill: a reduce-only order is shrunk to the position.
    pub(super) fn size(&self) -> Sz {
        let most = self.account.closable(self.at, self.order.buy);
        if self.order.reduce_only { self.order.sz.min(Sz::from_units(most)) } else { self.order.sz }
    }

    /// Whether it may be executed with the rest of its action.
    pub(super) fn admissible(&self) -> Result<(), Refusal> {
        PREREQUISITES.iter().try_for_each(|rule| rule(self))
    }

    /// Whether it may meet the book.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        RULES.iter().try_for_each(|rule| rule(self))
    }

    pub(super) fn side(&self) -> Side {
        if self.order.buy { Side::Buy } else { Side::Sell }
    }

    /// Whether it would match at once.
    pub(super) fn crosses(&self) -> bool {
        let best = self.market.book.best(self.side().opposite());
        best.is_some_and(|best| best.at_or_better(self.side(), self.order.px))
    }

    /// How much of it would open.
    fn opening(&self) -> i64 {
        let size = self.size().units();
        size - self.account.closable(self.at, self.order.buy).min(size)
    }

    fn value(&self) -> i128 {
        money::value(self.order.px, self.order.sz.units())
    }
}

fn refuse_if(refused: bool, refusal: Refusal) -> Result<(), Refusal> {
    if refused { Err(refusal) } else { Ok(()) }
}

/// At most 95 % from the mark. A price that is none is another rule's.
fn near_the_reference(case: &Case<'_>) -> Result<(), Refusal> {
    let (px, mark) = (i128::from(case.order.px.units()), i128::from(case.mark.units()));
    refuse_if(px > 0 && (px - mark).abs() * 100 > mark * 95, Refusal::FarFromReference)
}

/// Ten times the largest market order, which goes by the market's leverage (PROTOCOL.md §5.6).
fn not_too_large(case: &Case<'_>) -> Result<(), Refusal> {
    let most = match case.market.listing.max_leverage {
        25.. => 300_000_000,
        20.. => 50_000_000,
        10.. => 20_000_000,
        _ => 5_000_000,
    };
    refuse_if(case.value() > i128::from(most) * money::DOLLAR, Refusal::TooLarge(most))
}

fn halted(case: &Case<'_>) -> Result<(), Refusal> {
    refuse_if(!case.market.live(), Refusal::Halted)
}

fn post_only_mode(case: &Case<'_>) -> Result<(), Refusal> {
    let takes = case.order.tif != Some(Tif::Alo);
    case.post_only.filter(|_| takes).map_or(Ok(()), |text| Err(Refusal::PostOnlyMode(text)))
}

/// This venue has no trigger orders.
fn trigger(case: &Case<'_>) -> Result<(), Refusal> {
    refuse_if(case.order.tif.is_none(), Refusal::Trigger)
}

fn valid_px(case: &Case<'_>) -> Result<(), Refusal> {
    refuse_if(!case.order.px.is_positive(), Refusal::InvalidPx)
}

/// Five significant figures and 6 − d decimals at most, and whole numbers always.
fn on_tick(case: &Case<'_>) -> Result<(), Refusal> {
    let px = case.order.px;
    refuse_if(px.units() % tick(px, case.market.listing.sz_decimals) != 0, Refusal::Tick)
}

fn some_size(case: &Case<'_>) -> Result<(), Refusal> {
    refuse_if(!case.order.sz.is_positive(), Refusal::ZeroSize)
}

fn whole_lots(case: &Case<'_>) -> Result<(), Refusal> {
    let lot = Sz::lot(case.market.listing.sz_decimals).ok_or(Refusal::InvalidSz)?;
    refuse_if(case.order.sz.floor_to(lot) != case.order.sz, Refusal::InvalidSz)
}

/// At least 10 USD at the limit, unless it closes the whole position.
fn worth_enough(case: &Case<'_>) -> Result<(), Refusal> {
    let (closable, sz) = (case.account.closable(case.at, case.order.buy), case.order.sz.units());
    let closes = closable > 0 && (sz == closable || case.order.reduce_only && sz > closable);
    refuse_if(!closes && case.value() < LEAST_USD * money::DOLLAR, Refusal::MinValue)
}

fn reduces(case: &Case<'_>) -> Result<(), Refusal> {
    let reduce_only = case.order.reduce_only;
    let closable = case.account.closable(case.at, case.order.buy);
    refuse_if(reduce_only && closable == 0, Refusal::ReduceOnly)
}

fn few_open(case: &Case<'_>) -> Result<(), Refusal> {
    let usd = case.account.volume.units().max(0).unsigned_abs() / 1_000_000;
    let most = (OPEN_ORDERS + usd / OPEN_ORDER_USD).min(OPEN_ORDERS_MOST);
    let rests = case.order.tif != Some(Tif::Ioc) && case.replaced.is_none();
    refuse_if(rests && case.account.open.len() as u64 >= most, Refusal::TooManyOpen)
}

/// At the cap nothing may add to a position at once; a post-only order may, no better than the
/// oracle (PROTOCOL.md §5.6).
fn open_interest(case: &Case<'_>) -> Result<(), Refusal> {
    if !case.market.at_cap() || case.opening() == 0 {
        return Ok(());
    }
    refuse_if(case.account.closable(case.at, case.order.buy) > 0, Refusal::CapFlip)?;
    let (side, oracle) = (case.side(), case.market.oracle);
    refuse_if(!case.order.px.at_or_better(side, oracle), Refusal::CapAggressive)?;
    refuse_if(case.order.tif != Some(Tif::Alo), Refusal::CapIncrease)
}

/// What is free must cover the initial margin of what opens, and its fee: a taker's at the mark,
/// of what may rest at its limit. A position that turns around frees its own margin first.
fn margin(case: &Case<'_>) -> Result<(), Refusal> {
    let opening = case.opening();
    if opening == 0 {
        return Ok(());
    }
    refuse_if(case.market.dex != WATCHED, Refusal::Margin)?;
    let (account, order) = (case.account, case.order);
    let px = if order.tif == Some(Tif::Ioc) { case.mark } else { order.px };
    let leverage = account.leverage(case.at, case.market);
    let fee = FeeRate::of(&case.market.listing, false, true, account.fees);
    let needed = money::margin(money::value(px, opening), leverage.value)
        .saturating_add(fee.at_most(order.px, order.sz));
    let held = account.held_by_orders(case.markets, case.replaced);
    let mut free = account.available(case.markets, case.now).saturating_sub(held);
    if let Some(position) =
        account.positions.get(&case.at).filter(|p| p.szi.is_positive() != order.buy)
    {
        let lost = position.unrealised(case.mark).min(Usd::ZERO);
        let freed = if position.leverage.is_cross {
            position.margin_used(case.mark)
        } else {
            position.margin.saturating_add(lost)
        };
        free = free.saturating_add(freed);
    }
    refuse_if(needed > free, Refusal::Margin)
}

fn posts(case: &Case<'_>) -> Result<(), Refusal> {
    if case.order.tif != Some(Tif::Alo) || !case.crosses() {
        return Ok(());
    }
    let book = &case.market.book;
    Err(Refusal::PostOnly { bid: book.best(Side::Buy), ask: book.best(Side::Sell) })
}
