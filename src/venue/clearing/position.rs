//! Positions: what a fill makes of one, what it is worth, when it is too weak to stand.

use crate::types::num::{Px, Sz, Usd};
use crate::venue::clearing::account::Account;
use crate::venue::clearing::money;

/// How an account holds a market.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::venue) struct Leverage {
    /// Cross or isolated.
    pub(in crate::venue) is_cross: bool,
    /// The leverage.
    pub(in crate::venue) value: u32,
}

/// A position.
#[derive(Clone, Debug)]
pub(in crate::venue) struct Position {
    /// The market.
    pub(in crate::venue) coin: String,
    /// Units of 1e-8 coins, above zero when long; never zero.
    pub(in crate::venue) szi: i64,
    /// What it was opened at: size × entry price in 1e-16 USD, not negative.
    pub(in crate::venue) entry_notional: i128,
    /// How it is held.
    pub(in crate::venue) leverage: Leverage,
    /// Money set aside for it when isolated; none when cross.
    pub(in crate::venue) margin: Usd,
}

impl Position {
    /// Its size without its side.
    pub(in crate::venue) fn sz(&self) -> Sz {
        Sz::from_units(self.szi.saturating_abs())
    }

    /// Mean entry price, digits past the eighth dropped.
    pub(in crate::venue) fn entry_px(&self) -> Px {
        let sz = i128::from(self.szi.saturating_abs()).max(1);
        Px::from_units(i64::try_from(self.entry_notional / sz).unwrap_or(i64::MAX))
    }

    /// What it gains at `mark` against its entry, rounded down.
    pub(in crate::venue) fn unrealised(&self, mark: Px) -> Usd {
        let gained = money::value(mark, self.szi) - self.entry_notional;
        money::floor(gained * i128::from(self.szi.signum()))
    }

    /// Margin that it uses at `mark`: its equity when isolated, its initial margin when cross.
    pub(in crate::venue) fn margin_used(&self, mark: Px) -> Usd {
        if self.leverage.is_cross {
            money::margin(money::value(mark, self.szi), self.leverage.value)
        } else {
            self.margin.saturating_add(self.unrealised(mark))
        }
    }

    /// What it must be worth at `mark`: half of the initial margin at the market's largest
    /// leverage (PROTOCOL.md §5.2).
    pub(in crate::venue) fn maintenance(&self, mark: Px, max_leverage: u32) -> Usd {
        money::margin(money::value(mark, self.szi), max_leverage.saturating_mul(2))
    }

    /// Where an isolated position is liquidated; `None` when no price above zero does it, and of
    /// a cross position, whose account decides.
    pub(in crate::venue) fn liquidation_px(&self, max_leverage: u32) -> Option<Px> {
        if self.leverage.is_cross {
            return None;
        }
        // Equity = value / 2L, with the value's sign in the equity.
        let (side, twice) = (i128::from(self.szi.signum()), 2 * i128::from(max_leverage.max(1)));
        let worth = self.entry_notional - side * money::fine(self.margin);
        let per_coin = worth / i128::from(self.szi).abs().max(1);
        let px = per_coin.checked_mul(twice)? / (twice - side);
        i64::try_from(px).ok().filter(|units| *units > 0).map(Px::from_units)
    }
}

/// A trade as one of its two accounts books it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Booking<'a> {
    /// The market: position in the venue's list, and name.
    pub(super) market: usize,
    pub(super) coin: &'a str,
    pub(super) buy: bool,
    pub(super) px: Px,
    pub(super) sz: Sz,
    pub(super) fee: Usd,
    pub(super) mark: Px,
    /// How what it opens is held.
    pub(super) leverage: Leverage,
    /// The largest loss, of a liquidation: what was set aside.
    pub(super) most_lost: Option<Usd>,
}

/// What a booking did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Booked {
    pub(super) start_position: i64,
    pub(super) dir: &'static str,
    pub(super) closed_pnl: Usd,
    /// Opened less closed, in units of 1e-8.
    pub(super) opened: i64,
}

impl Account {
    /// Moves position and money by a trade. Profits are cut to 1e-6 USD toward zero; what closes
    /// takes its share of the entry and of the margin with it.
    pub(super) fn book(&mut self, trade: &Booking<'_>) -> Booked {
        let before = self.positions.remove(&trade.market);
        let (start, entry, margin) =
            before.as_ref().map_or((0, 0, Usd::ZERO), |p| (p.szi, p.entry_notional, p.margin));
        let sz = trade.sz.units();
        let signed = if trade.buy { sz } else { -sz };
        let against = start.signum() * signed.signum() < 0;
        let closing = if against { start.saturating_abs().min(sz) } else { 0 };
        let opening = sz - closing;
        let whole = start.saturating_abs();

        let closed_entry = money::share(entry, closing, whole);
        let gained = (money::value(trade.px, closing) - closed_entry) * i128::from(start.signum());
        let mut closed_pnl = money::trunc(gained);
        if let Some(most) = trade.most_lost {
            closed_pnl = closed_pnl.max(Usd::from_units(-most.units()));
        }
        let released = money::share(money::fine(margin), closing, whole);
        self.cash = self.cash.saturating_add(closed_pnl).saturating_sub(trade.fee);

        let leverage = match &before {
            Some(position) if opening == 0 || !against => position.leverage,
            _ => trade.leverage,
        };
        let szi = start + signed;
        if szi != 0 {
            let mut position = Position {
                coin: trade.coin.to_owned(),
                szi,
                entry_notional: entry - closed_entry + money::value(trade.px, opening),
                leverage,
                margin: margin.saturating_sub(money::floor(released)),
            };
            if closing == whole && closing > 0 {
                position.margin = Usd::ZERO;
            }
            if !leverage.is_cross && opening > 0 {
                let wanted = money::margin(money::value(trade.mark, opening), leverage.value);
                let free = self.free_cash().saturating_sub(position.margin).max(Usd::ZERO);
                position.margin = position.margin.saturating_add(wanted.min(free));
            }
            self.positions.insert(trade.market, position);
        }
        self.cover(trade.market);
        let dir = match (start.signum(), against, szi.signum()) {
            (0, _, 1) | (1, false, _) => "Open Long",
            (0, _, _) | (-1, false, _) => "Open Short",
            (1, true, -1) => "Long > Short",
            (1, true, _) => "Close Long",
            (_, _, 1) => "Short > Long",
            _ => "Close Short",
        };
        Booked { start_position: start, dir, closed_pnl, opened: opening - closing }
    }

    /// When a loss or a fee took more than was free, margins pay: this market's first.
    fn cover(&mut self, first: usize) {
        let mut missing = Usd::ZERO.saturating_sub(self.free_cash()).max(Usd::ZERO);
        let others: Vec<usize> = self.positions.keys().copied().filter(|at| *at != first).collect();
        for at in std::iter::once(first).chain(others) {
            if let Some(position) = self.positions.get_mut(&at) {
                let paid = position.margin.min(missing);
                position.margin = position.margin.saturating_sub(paid);
                missing = missing.saturating_sub(paid);
            }
        }
    }
}
