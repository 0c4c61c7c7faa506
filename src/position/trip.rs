//! One round trip: the sums of its fills, in which nothing is rounded.
//!
//! Values are `px × sz` in units of 1e-16 USD. A valid price has at most 6 − d decimals and a valid
//! size at most d (PROTOCOL.md §6), so every value is a whole number of 1e-6 USD, and so is every
//! profit.

use crate::position::Moment;
use crate::types::ids::{AssetId, Coin, SignalId};
use crate::types::num::{Px, Side, Sz, Szi, Usd};
use crate::types::record::{ExitReason, TradeRow};
use crate::types::time::{Mono, Nanos, Now, Wall};

/// Units of 1e-16 USD in one of 1e-6 USD.
pub(super) const PER_USD_UNIT: i128 = 10_000_000_000;

/// A position from the fill that opened it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Position {
    /// What is held, above zero when long.
    pub szi: Szi,
    /// When it was opened: receipt of the fill, or its block's time when it was told late.
    pub opened_at: Now,
    /// The signal it took.
    pub signal: Option<SignalId>,
    /// Whether the venue told of it, rather than fills of this run.
    pub adopted: bool,
    /// Fees so far; below zero is a rebate.
    pub fees: Usd,
    /// Fills so far.
    pub fills: u32,
    /// How long before `opened_at.mono` it was opened, if the clock is younger than the position.
    aged: Nanos,
    /// Entry value of what is held.
    cost: i128,
    /// Whether `cost` waits for a price: nobody told one when the position was found.
    unpriced: bool,
    entered: Leg,
    exited: Leg,
    /// Profit of what was closed, fees not counted.
    profit: i128,
}

/// All fills on one side of a round trip.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Leg {
    /// Sum of sizes, in units of 1e-8.
    sz: i128,
    /// Sum of values, in units of 1e-16 USD.
    value: i128,
}

impl Leg {
    fn add(&mut self, sz: Sz, px: Px) {
        self.sz = self.sz.saturating_add(sz.units().into());
        self.value = self.value.saturating_add(value(px, sz));
    }

    /// Mean price, toward zero.
    fn px(self) -> Option<Px> {
        let px = self.value.checked_div(self.sz)?;
        i64::try_from(px).ok().map(Px::from_units)
    }
}

impl Position {
    /// Nothing yet, from `at` on.
    pub(super) fn new(at: Moment, signal: Option<SignalId>, adopted: bool) -> Self {
        Self {
            szi: Szi::ZERO,
            opened_at: at.at,
            signal,
            adopted,
            fees: Usd::ZERO,
            fills: 0,
            aged: at.aged,
            cost: 0,
            unpriced: false,
            entered: Leg::default(),
            exited: Leg::default(),
            profit: 0,
        }
    }

    /// A position that the venue told of and no fills explain; without `px` it is valued by its
    /// next fill.
    pub(super) fn found(at: Moment, szi: Szi, px: Option<Px>) -> Self {
        let mut position = Self::new(at, None, true);
        position.szi = szi;
        position.entered.add(szi.abs(), px.unwrap_or(Px::ZERO));
        position.cost = position.entered.value;
        position.unpriced = px.is_none();
        position
    }

    /// When it was opened, for records.
    pub const fn entered_at(&self) -> Wall {
        self.opened_at.wall
    }

    /// How long it has been held.
    pub const fn held_for(&self, now: Mono) -> Nanos {
        Nanos(now.since(self.opened_at.mono).0.saturating_add(self.aged.0))
    }

    /// Mean entry price of what is held, toward zero; `None` while nobody told one.
    pub fn entry_px(&self) -> Option<Px> {
        if self.unpriced {
            return None;
        }
        let sz = i128::from(self.szi.abs().units());
        i64::try_from(self.cost.checked_div(sz)?).ok().map(Px::from_units)
    }

    /// Entry value of what is held, rounded up to 1e-6 USD; zero while nobody told a price.
    pub fn entry_notional(&self) -> Usd {
        ceil(self.cost).unwrap_or(Usd::from_units(i64::MAX))
    }

    /// Value of what is held at the higher of mean entry and `mark`, rounded up; `None` when it does
    /// not fit or `mark` is not above zero.
    pub fn notional(&self, mark: Px) -> Option<Usd> {
        let value = mark.is_positive().then(|| value(mark, self.szi.abs()))?;
        ceil(value.max(self.cost))
    }

    /// Profit of what was closed, less all fees so far. What the row of a position that was taken over
    /// as gone adds to it is the row's `net` less this.
    pub fn realized(&self) -> Usd {
        self.gross().saturating_sub(self.fees)
    }

    /// Profit of what was closed, rounded down where prices are not valid ones.
    fn gross(&self) -> Usd {
        let units = self.profit.div_euclid(PER_USD_UNIT);
        let most = if units < 0 { i64::MIN } else { i64::MAX };
        Usd::from_units(i64::try_from(units).unwrap_or(most))
    }

    /// More of it.
    pub(super) fn increase(&mut self, side: Side, sz: Sz, px: Px, fee: Usd) {
        self.price(px);
        let szi = self.szi.checked_add(Szi::of(side, sz));
        debug_assert!(szi.is_some(), "who calls has added them before");
        self.szi = szi.unwrap_or(self.szi);
        self.entered.add(sz, px);
        self.cost = self.cost.saturating_add(value(px, sz));
        self.count(fee);
    }

    /// Less of it: `sz` is at most what is held. Returns the profit on it in units of 1e-16 USD, fee
    /// not counted. What is left keeps its mean entry; what a division leaves over goes with it, so
    /// that profits sum up exactly.
    pub(super) fn reduce(&mut self, sz: Sz, px: Px, fee: Usd) -> i128 {
        self.price(px);
        let held = i128::from(self.szi.abs().units());
        let part = i128::from(sz.units()).min(held);
        // cost × part / held, without the product.
        let whole = self.cost.checked_div(held).unwrap_or(0);
        let rest = self.cost.checked_rem(held).unwrap_or(0);
        let cost = whole * part + (rest * part).checked_div(held).unwrap_or(0);
        let taken = value(px, sz);
        let (profit, left) = match self.szi.side() {
            Some(Side::Sell) => (cost.saturating_sub(taken), part - held),
            Some(Side::Buy) | None => (taken.saturating_sub(cost), held - part),
        };
        self.szi = Szi::from_units(i64::try_from(left).unwrap_or(0));
        self.cost -= cost;
        self.exited.add(sz, px);
        self.profit = self.profit.saturating_add(profit);
        self.count(fee);
        profit
    }

    /// Closes what is left at `px` without a fill: the venue says that it is gone.
    pub(super) fn write_off(&mut self, px: Px) {
        let fills = self.fills;
        self.reduce(self.szi.abs(), px, Usd::ZERO);
        self.fills = fills;
    }

    /// Takes over the venue's size on the same side. What was never seen to be entered or left has
    /// no profit: it counts as entered at the mean, or as never entered.
    pub(super) fn resize(&mut self, szi: Szi, px: Option<Px>) {
        let px = px.or(self.entry_px());
        let cost = px.map_or(0, |px| value(px, szi.abs()));
        let held = i128::from(self.szi.abs().units());
        self.entered.sz = self.entered.sz - held + i128::from(szi.abs().units());
        self.entered.value = self.entered.value - self.cost + cost;
        self.szi = szi;
        self.cost = cost;
        self.unpriced = px.is_none();
        self.adopted = true;
    }

    /// Its row. `closing` is the side that closed it.
    pub(super) fn row(
        &self,
        id: u64,
        coin: Coin,
        asset: AssetId,
        closing: Side,
        at: Moment,
        exit: ExitReason,
    ) -> TradeRow {
        let gross = self.gross();
        let most = i64::MAX;
        TradeRow {
            id,
            signal: self.signal,
            coin,
            asset,
            side: closing.opposite(),
            sz: Sz::from_units(i64::try_from(self.entered.sz).unwrap_or(most)),
            entry_px: self.entered.px().unwrap_or(Px::ZERO),
            exit_px: self.exited.px().unwrap_or(Px::ZERO),
            entered_at: self.entered_at(),
            exited_at: at.at.wall.max(self.entered_at()),
            held: self.held_for(at.at.mono),
            exit,
            gross,
            fees: self.fees,
            net: gross.saturating_sub(self.fees),
            fills: self.fills,
            adopted: self.adopted,
        }
    }

    /// Gives a position that was found without a price that of its first fill: no profit is better
    /// than an invented one.
    fn price(&mut self, px: Px) {
        if std::mem::take(&mut self.unpriced) {
            self.cost = value(px, self.szi.abs());
            self.entered.value = self.entered.value.saturating_add(self.cost);
        }
    }

    fn count(&mut self, fee: Usd) {
        self.fees = self.fees.saturating_add(fee);
        self.fills = self.fills.saturating_add(1);
    }
}

/// Exact value in units of 1e-16 USD.
pub(super) fn value(px: Px, sz: Sz) -> i128 {
    i128::from(px.units()) * i128::from(sz.units())
}

/// Rounded up to 1e-6 USD; `None` when it does not fit.
fn ceil(value: i128) -> Option<Usd> {
    let units = value.checked_add(PER_USD_UNIT - 1)?.div_euclid(PER_USD_UNIT);
    i64::try_from(units).ok().map(Usd::from_units)
}
