//! What the venue does by itself in a block, and owners by hand: deals of resting orders, dead
//! markets, scheduled cancels, closed positions, liquidations, orders that nothing backs any more.

use crate::types::num::{Px, Side, Sz, Usd};
use crate::venue::action::{Address, NewOrder, Tif};
use crate::venue::book::Owner;
use crate::venue::clearing::account::Account;
use crate::venue::clearing::block::{Moment, asset_of};
use crate::venue::clearing::orders::Deal;
use crate::venue::clearing::position::Booking;
use crate::venue::clearing::{Clearing, FillRow};
use crate::venue::listing::{ceil_to_tick, floor_to_tick};
use crate::venue::market::Market;

impl Clearing {
    fn users(&self) -> Vec<Address> {
        self.accounts.keys().copied().collect()
    }

    /// Open orders of an account: their ids and markets.
    fn open_of(&self, user: Address) -> Vec<(u64, usize)> {
        let account = self.accounts.get(&user);
        let open = account.into_iter().flat_map(Account::open_orders);
        open.map(|order| (order.row.oid, order.market)).collect()
    }

    /// Books the deals that the crowd's takers made with accounts' resting orders.
    pub(super) fn settle_struck(&mut self, at: Moment, markets: &mut [Market]) {
        for (market_at, market) in markets.iter_mut().enumerate() {
            let struck = std::mem::take(&mut market.struck);
            for one in &struck {
                let deal = Deal { px: one.px, sz: one.sz, tid: one.tid, crossed: false };
                let at = Moment { hash: one.hash, ..at };
                self.fill_resting(at, one.user, one.oid, deal, market_at, market);
            }
            for one in &struck {
                self.shrink_reducing(at, one.user, market_at, market);
            }
        }
    }

    /// On a halted or delisted market orders end and positions settle at the mark
    /// (PROTOCOL.md §5.6).
    pub(super) fn close_dead(&mut self, at: Moment, markets: &mut [Market]) {
        for user in self.users() {
            for (oid, market_at) in self.open_of(user) {
                let market = markets.get_mut(market_at);
                if let Some(market) = market.filter(|market| !market.live()) {
                    self.evict(at, user, oid, "delistedCanceled", market);
                }
            }
            for market_at in self.markets_held(user) {
                let market = markets.get(market_at);
                if let Some(market) = market.filter(|market| !market.live()) {
                    self.seize(at, user, market_at, market, "Settlement", None);
                }
            }
        }
    }

    /// Cancels everything of accounts whose scheduled time has come.
    pub(super) fn cancel_scheduled(&mut self, at: Moment, markets: &mut [Market]) {
        for user in self.users() {
            let Some(account) = self.accounts.get_mut(&user) else { continue };
            if account.cancel_at.take_if(|when| *when <= at.ms()).is_none() {
                continue;
            }
            for (oid, market_at) in self.open_of(user) {
                if let Some(market) = markets.get_mut(market_at) {
                    self.evict(at, user, oid, "scheduledCancel", market);
                }
            }
        }
    }

    /// Owners close their positions with market orders, as far as the books allow; what is left is
    /// tried again in the next block.
    pub(super) fn close_what_owners_close(&mut self, at: Moment, markets: &mut [Market]) {
        if self.is_post_only() {
            return;
        }
        for user in self.closing.clone() {
            for market_at in self.markets_held(user) {
                let szi = self.accounts.get(&user).map_or(0, |account| account.szi(market_at));
                let side = if szi > 0 { Side::Buy } else { Side::Sell };
                let meets = |market: &&Market| market.live() && market.book.best(side).is_some();
                let Some(market) = markets.get(market_at).filter(meets) else { continue };
                let (mark, decimals) = (market.mark(at.now), market.listing.sz_decimals);
                let half = mark.units() / 2;
                let px = match szi > 0 {
                    true => floor_to_tick(Px::from_units(half), decimals),
                    false => ceil_to_tick(Px::from_units(mark.units() + half), decimals),
                };
                let Some(asset) = asset_of(market) else { continue };
                let order = NewOrder {
                    asset,
                    buy: szi < 0,
                    px,
                    sz: Sz::from_units(szi.saturating_abs()),
                    reduce_only: true,
                    tif: Some(Tif::Ioc),
                    cloid: None,
                };
                let at = Moment { hash: std::array::from_fn(|_| self.dice.bits()), ..at };
                self.place(at, user, &order, markets);
                if let Some(account) = self.accounts.get_mut(&user) {
                    account.requests_used = account.requests_used.saturating_add(1);
                }
            }
            if self.markets_held(user).is_empty() {
                self.closing.remove(&user);
            }
        }
    }

    /// Takes positions that are worth less than their maintenance margin: an isolated one alone,
    /// cross ones together. The loss ends where what was set aside does.
    pub(super) fn liquidate(&mut self, at: Moment, markets: &mut [Market]) {
        for user in self.users() {
            let doomed = self.doomed.remove(&user);
            let Some(account) = self.accounts.get(&user) else { continue };
            let mut weak = Vec::new();
            let (mut equity, mut maintenance) = (account.free_cash(), Usd::ZERO);
            for (market_at, position) in &account.positions {
                let Some(market) = markets.get(*market_at) else { continue };
                let mark = market.mark(at.now);
                let least = position.maintenance(mark, market.listing.max_leverage);
                if position.leverage.is_cross {
                    equity = equity.saturating_add(position.unrealised(mark));
                    maintenance = maintenance.saturating_add(least);
                } else if position.margin_used(mark) < least {
                    weak.push(*market_at);
                }
            }
            if equity < maintenance {
                let crossed = account.positions.iter().filter(|(_, one)| one.leverage.is_cross);
                weak.extend(crossed.map(|(market_at, _)| *market_at));
            }
            if doomed {
                weak = account.positions.keys().copied().collect();
            }
            for market_at in weak {
                self.liquidate_one(at, user, market_at, markets);
            }
        }
    }

    fn liquidate_one(
        &mut self,
        at: Moment,
        user: Address,
        market_at: usize,
        markets: &mut [Market],
    ) {
        for (oid, of) in self.open_of(user) {
            let market = markets.get_mut(of).filter(|_| of == market_at);
            if let Some(market) = market {
                self.evict(at, user, oid, "liquidatedCanceled", market);
            }
        }
        let Some(account) = self.accounts.get(&user) else { return };
        let Some(position) = account.positions.get(&market_at) else { return };
        let (dir, most) = match (position.leverage.is_cross, position.szi > 0) {
            (false, true) => ("Liquidated Isolated Long", position.margin),
            (false, false) => ("Liquidated Isolated Short", position.margin),
            (true, true) => ("Liquidated Cross Long", account.free_cash().max(Usd::ZERO)),
            (true, false) => ("Liquidated Cross Short", account.free_cash().max(Usd::ZERO)),
        };
        if let Some(market) = markets.get_mut(market_at) {
            market.shift_open_interest(-position.sz().units());
            self.seize(at, user, market_at, market, dir, Some(most));
        }
    }

    /// Cancels the newest orders of accounts whose free margin no longer covers them all.
    pub(super) fn cancel_unbacked(&mut self, at: Moment, markets: &mut [Market]) {
        for user in self.users() {
            while let Some(account) = self.accounts.get(&user) {
                let held = account.held_by_orders(markets, None);
                if !held.is_positive() || held <= account.available(markets, at.now) {
                    break;
                }
                let mut newest = account.open.iter().rev().copied();
                let backs = |oid: &u64| account.orders.get(oid).is_some_and(|o| !o.row.reduce_only);
                let Some(oid) = newest.find(backs) else { break };
                let market_at = self.market_of(user, oid);
                let Some(market) = market_at.and_then(|at| markets.get_mut(at)) else { break };
                self.evict(at, user, oid, "marginCanceled", market);
            }
        }
    }

    fn markets_held(&self, user: Address) -> Vec<usize> {
        let account = self.accounts.get(&user);
        account.into_iter().flat_map(|account| account.positions.keys().copied()).collect()
    }

    /// The venue ends an open order by itself.
    pub(super) fn evict(
        &mut self,
        at: Moment,
        user: Address,
        oid: u64,
        word: &'static str,
        market: &mut Market,
    ) {
        market.book.cancel(Owner::Account { user, oid });
        self.end_order(at, user, oid, word);
        self.news.evicted(user, &market.listing.coin, oid);
    }

    /// The venue takes a position at `px`: of a dead market, or by liquidation.
    pub(super) fn seize(
        &mut self,
        at: Moment,
        user: Address,
        market_at: usize,
        market: &Market,
        dir: &'static str,
        most_lost: Option<Usd>,
    ) {
        let tid = (self.dice.bits() >> 14).max(1);
        let hash = std::array::from_fn(|_| self.dice.bits());
        let oid = self.new_oid();
        let Some(account) = self.accounts.get_mut(&user) else { return };
        let Some(position) = account.positions.get(&market_at) else { return };
        let (sz, buy, leverage) = (position.sz(), position.szi < 0, position.leverage);
        let px = market.mark(at.now);
        let (coin, fee) = (market.listing.coin.as_str(), Usd::ZERO);
        let market = market_at;
        let trade = Booking { market, coin, buy, px, sz, fee, mark: px, leverage, most_lost };
        let booked = account.book(&trade);
        let row = FillRow {
            coin: coin.to_owned(),
            px,
            sz,
            buy,
            time: at.ms(),
            start_position: booked.start_position,
            dir,
            closed_pnl: booked.closed_pnl,
            hash,
            oid,
            crossed: true,
            fee,
            tid,
            cloid: None,
        };
        account.tell(row.clone());
        self.news.fill(user, row);
    }
}
