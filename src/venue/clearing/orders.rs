//! Orders: placing, matching, cancelling, replacing (PROTOCOL.md §9.2, §9.4).

use crate::types::num::{Px, Side, Sz};
use crate::types::order::Cloid;
use crate::venue::action::{Address, NewOrder, Tif, Which};
use crate::venue::book::{Owner, Resting};
use crate::venue::clearing::account::{Account, OrderRecord};
use crate::venue::clearing::answer::Placed;
use crate::venue::clearing::block::{Moment, asset_of, counted, find};
use crate::venue::clearing::money::{self, FeeRate};
use crate::venue::clearing::position::Booking;
use crate::venue::clearing::refusal::Refusal;
use crate::venue::clearing::rules::Case;
use crate::venue::clearing::{Clearing, FillRow, UpdateRow};
use crate::venue::market::{Market, Trade};

/// The venue's answer to a cancel or modify of what does not stand.
const NEVER_PLACED: &str = "Order was never placed, already canceled, or filled.";

/// One trade as it concerns one of its orders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deal {
    pub(super) px: Px,
    pub(super) sz: Sz,
    pub(super) tid: u64,
    /// Whether the order took.
    pub(super) crossed: bool,
}

impl Clearing {
    /// An order with all that decides over it; `None` when its asset is not known.
    pub(super) fn case<'a>(
        &'a self,
        at: Moment,
        user: Address,
        order: &'a NewOrder,
        markets: &'a [Market],
    ) -> Option<Case<'a>> {
        let (market_at, market) = find(markets, order.asset)?;
        Some(Case {
            order,
            account: self.accounts.get(&user)?,
            markets,
            market,
            at: market_at,
            now: at.now,
            mark: market.mark(at.now),
            post_only: self.post_only,
            replaced: None,
        })
    }

    /// Places an order: refused, matched, on the book.
    pub(super) fn place(
        &mut self,
        at: Moment,
        user: Address,
        order: &NewOrder,
        markets: &mut [Market],
    ) -> Placed {
        let Some(case) = self.case(at, user, order, markets) else {
            return Placed::Error(Refusal::UnknownAsset.text(order.asset));
        };
        let verdict = case.check().map(|()| case.size());
        let market_at = case.at;
        let Some(market) = markets.get_mut(market_at) else {
            return Placed::Error(Refusal::UnknownAsset.text(order.asset));
        };
        let oid = self.new_oid();
        let record = record_of(at, order, market_at, market, oid);
        let verdict = if self.refuse.0 > 0 {
            self.refuse.0 -= 1;
            Err(Refusal::Scripted(self.refuse.1.clone()))
        } else {
            verdict
        };
        let size = match verdict {
            Ok(size) => size,
            Err(refusal) => return self.refuse_order(at, user, record, order, &refusal),
        };
        let deals = self.match_order(at, user, order, size, market, oid);
        let matched: i64 = deals.iter().map(|(_, deal)| deal.sz.units()).sum();
        let left = Sz::from_units(size.units() - matched);
        if order.tif == Some(Tif::Ioc) && deals.is_empty() {
            return self.refuse_order(at, user, record, order, &Refusal::NoMatch);
        }
        self.open_order(user, OrderRecord { row: UpdateRow { sz: size, ..record.row }, ..record });
        for (maker, deal) in &deals {
            self.fill(at, user, oid, *deal, market_at, market);
            if let Owner::Account { user: other, oid } = maker {
                let resting = Deal { crossed: false, ..*deal };
                self.fill_resting(at, *other, *oid, resting, market_at, market);
            }
        }
        for (maker, _) in &deals {
            if let Owner::Account { user: other, .. } = maker {
                self.shrink_reducing(at, *other, market_at, market);
            }
        }
        if !deals.is_empty() {
            market.eaten(at.now);
        }
        self.set_left(user, oid, left);
        if !left.is_positive() {
            self.end_order(at, user, oid, "filled");
        } else if order.tif == Some(Tif::Ioc) {
            let word = if self.partial_is_filled { "filled" } else { "canceled" };
            self.end_order(at, user, oid, word);
        } else {
            if matched > 0 {
                self.tell_order(user, oid);
            }
            let side = if order.buy { Side::Buy } else { Side::Sell };
            let owner = Owner::Account { user, oid };
            market.book.rest(side, Resting { owner, px: order.px, sz: left });
        }
        self.shrink_reducing(at, user, market_at, market);
        let trades: Vec<(Px, Sz)> = deals.iter().map(|(_, deal)| (deal.px, deal.sz)).collect();
        let cloid = order.cloid;
        if left.is_positive() && order.tif != Some(Tif::Ioc) {
            Placed::Resting { oid, cloid }
        } else {
            let mean = Account::mean_px(&trades);
            Placed::Filled { sz: Sz::from_units(matched), mean, oid, cloid }
        }
    }

    fn refuse_order(
        &mut self,
        at: Moment,
        user: Address,
        mut record: OrderRecord,
        order: &NewOrder,
        refusal: &Refusal,
    ) -> Placed {
        record.row.status = refusal.word();
        record.row.status_time = at.ms();
        self.news.update(user, record.row.clone());
        if let Some(account) = self.accounts.get_mut(&user) {
            account.remember(record);
        }
        Placed::Error(refusal.text(order.asset))
    }

    /// Takes from the book what the order may have, in price-time order. An order of the same
    /// account that is in the way is cancelled.
    fn match_order(
        &mut self,
        at: Moment,
        user: Address,
        order: &NewOrder,
        size: Sz,
        market: &mut Market,
        oid: u64,
    ) -> Vec<(Owner, Deal)> {
        let side = if order.buy { Side::Buy } else { Side::Sell };
        let mut left = size;
        let mut deals = Vec::new();
        while left.is_positive() {
            let front = market.book.front(side.opposite());
            let Some(met) = front.filter(|met| met.px.at_or_better(side, order.px)) else { break };
            if let Owner::Account { user: owner, oid: own } = met.owner
                && owner == user
            {
                debug_assert_ne!(own, oid, "an order does not rest before it has matched");
                market.book.cancel(met.owner);
                self.end_order(at, user, own, "selfTradeCanceled");
                continue;
            }
            let sz = market.book.take_front(side.opposite(), left);
            left = Sz::from_units(left.units() - sz.units());
            let tid = (self.dice.bits() >> 14).max(1); // 50 bits.
            let maker = market.party(met.owner);
            let users = if order.buy { [user, maker] } else { [maker, user] };
            let (px, time, hash) = (met.px, at.time, at.hash);
            market.print(Trade { side, px, sz, time, tid, hash, users });
            deals.push((met.owner, Deal { px, sz, tid, crossed: true }));
        }
        deals
    }

    /// Books a deal of one of the account's orders.
    pub(super) fn fill(
        &mut self,
        at: Moment,
        user: Address,
        oid: u64,
        deal: Deal,
        market_at: usize,
        market: &mut Market,
    ) {
        let Some(account) = self.accounts.get_mut(&user) else { return };
        let Some(order) = account.orders.get(&oid).map(|order| order.row.clone()) else { return };
        let rate = FeeRate::of(&market.listing, market.dex == 0, deal.crossed, account.fees);
        let fee = rate.of_trade(deal.px, deal.sz);
        let booked = account.book(&Booking {
            market: market_at,
            coin: &market.listing.coin,
            buy: order.buy,
            px: deal.px,
            sz: deal.sz,
            fee,
            mark: market.mark(at.now),
            leverage: account.leverage(market_at, market),
            most_lost: None,
        });
        let counted = counted(market, money::value(deal.px, deal.sz.units()));
        account.volume = account.volume.saturating_add(counted);
        if deal.crossed {
            market.shift_open_interest(booked.opened);
        }
        let row = FillRow {
            coin: order.coin,
            px: deal.px,
            sz: deal.sz,
            buy: order.buy,
            time: at.ms(),
            start_position: booked.start_position,
            dir: booked.dir,
            closed_pnl: booked.closed_pnl,
            hash: at.hash,
            oid,
            crossed: deal.crossed,
            fee,
            tid: deal.tid,
            cloid: order.cloid,
        };
        account.tell(row.clone());
        self.news.fill(user, row);
    }

    /// Books a deal of an order that rested, already taken off the book. A reduce-only order never
    /// books more than the position: the rest of such a deal is the crowd's, and an order that
    /// finds nothing to reduce ends. [`Clearing::shrink_reducing`] is the caller's, once all deals
    /// are booked: until then the book has given more than the records say.
    pub(super) fn fill_resting(
        &mut self,
        at: Moment,
        user: Address,
        oid: u64,
        deal: Deal,
        market_at: usize,
        market: &mut Market,
    ) {
        let Some(account) = self.accounts.get(&user) else { return };
        let Some(order) = account.orders.get(&oid).filter(|_| account.open.contains(&oid)) else {
            return;
        };
        let (row, left) = (&order.row, order.row.sz.units() - deal.sz.units());
        let most = if row.reduce_only { account.closable(market_at, row.buy) } else { i64::MAX };
        let sz = Sz::from_units(deal.sz.units().min(most));
        if sz.is_positive() {
            self.fill(at, user, oid, Deal { sz, ..deal }, market_at, market);
        }
        self.set_left(user, oid, Sz::from_units(left.max(0)));
        if !sz.is_positive() {
            market.book.cancel(Owner::Account { user, oid });
            self.end_order(at, user, oid, "reduceOnlyCanceled");
        } else if left > 0 {
            self.tell_order(user, oid);
        } else {
            self.end_order(at, user, oid, "filled");
        }
    }

    /// Cancels one order at its owner's request.
    pub(super) fn cancel(
        &mut self,
        at: Moment,
        user: Address,
        asset: u32,
        which: Which,
        markets: &mut [Market],
    ) -> Result<(), String> {
        let gone = || format!("{NEVER_PLACED} asset={asset}");
        let oid = self.find_open(user, which).ok_or_else(gone)?;
        let market_at = self.market_of(user, oid).ok_or_else(gone)?;
        let market = markets.get_mut(market_at).filter(|market| asset_of(market) == Some(asset));
        let market = market.ok_or_else(gone)?;
        market.book.cancel(Owner::Account { user, oid });
        self.end_order(at, user, oid, "canceled");
        Ok(())
    }

    /// Puts a new order in the place of an open one. The new one must rest.
    pub(super) fn modify(
        &mut self,
        at: Moment,
        user: Address,
        which: Which,
        order: &NewOrder,
        markets: &mut [Market],
    ) -> Result<Placed, String> {
        let asset = order.asset;
        let gone = || format!("{NEVER_PLACED} asset={asset}");
        let invalid = || "Attempted to modify to invalid new order".to_owned();
        let old = self.find_open(user, which).ok_or_else(gone)?;
        let case = self.case(at, user, order, markets).ok_or_else(invalid)?;
        let case = Case { replaced: Some(old), ..case };
        let valid = case.admissible().and_then(|()| case.check()).is_ok();
        let rests = order.tif != Some(Tif::Ioc) && !case.crosses();
        let (market_at, size) = (case.at, case.size());
        if !valid || !rests || self.market_of(user, old) != Some(market_at) {
            return Err(invalid());
        }
        let market = markets.get_mut(market_at).ok_or_else(gone)?;
        let oid = self.new_oid();
        let mut record = record_of(at, order, market_at, market, oid);
        record.row.cloid = record.row.cloid.or(self.cloid_of(user, old));
        record.row.sz = size;
        let cloid = record.row.cloid;
        self.open_order(user, record);
        market.book.cancel(Owner::Account { user, oid: old });
        self.end_order(at, user, old, "canceled");
        let side = if order.buy { Side::Buy } else { Side::Sell };
        let owner = Owner::Account { user, oid };
        market.book.rest(side, Resting { owner, px: order.px, sz: size });
        self.shrink_reducing(at, user, market_at, market);
        Ok(Placed::Resting { oid, cloid })
    }

    /// Reduce-only orders that rest never exceed the position: each is shrunk to it, and ends
    /// when it is gone or has turned.
    pub(super) fn shrink_reducing(
        &mut self,
        at: Moment,
        user: Address,
        market_at: usize,
        market: &mut Market,
    ) {
        let Some(account) = self.accounts.get(&user) else { return };
        let reducing = account
            .open_orders()
            .filter(|order| order.market == market_at && order.row.reduce_only)
            .map(|order| (order.row.oid, order.row.sz, account.closable(market_at, order.row.buy)));
        let reducing: Vec<(u64, Sz, i64)> = reducing.collect();
        for (oid, sz, most) in reducing {
            let owner = Owner::Account { user, oid };
            if most == 0 {
                market.book.cancel(owner);
                self.end_order(at, user, oid, "reduceOnlyCanceled");
            } else if sz.units() > most {
                market.book.shrink(owner, Sz::from_units(most));
                self.set_left(user, oid, Sz::from_units(most));
                self.tell_order(user, oid);
            }
        }
    }

    /// The open order that is meant; of several with one cloid the first.
    fn find_open(&self, user: Address, which: Which) -> Option<u64> {
        let account = self.accounts.get(&user)?;
        let meant = |order: &&OrderRecord| match which {
            Which::Oid(oid) => order.row.oid == oid,
            Which::Cloid(cloid) => order.row.cloid == Some(cloid),
        };
        account.open_orders().find(meant).map(|order| order.row.oid)
    }

    pub(super) fn market_of(&self, user: Address, oid: u64) -> Option<usize> {
        self.accounts.get(&user)?.orders.get(&oid).map(|order| order.market)
    }

    fn cloid_of(&self, user: Address, oid: u64) -> Option<Cloid> {
        self.accounts.get(&user)?.orders.get(&oid)?.row.cloid
    }

    pub(super) fn new_oid(&mut self) -> u64 {
        self.last_oid += 1 + self.dice.below(40);
        self.last_oid
    }

    /// An order becomes open, and its account hears of it.
    fn open_order(&mut self, user: Address, record: OrderRecord) {
        self.news.update(user, record.row.clone());
        if let Some(account) = self.accounts.get_mut(&user) {
            account.open.insert(record.row.oid);
            account.remember(record);
        }
    }

    fn set_left(&mut self, user: Address, oid: u64, left: Sz) {
        let account = self.accounts.get_mut(&user);
        if let Some(order) = account.and_then(|account| account.orders.get_mut(&oid)) {
            order.row.sz = left;
        }
    }

    /// The account hears how one of its orders stands.
    fn tell_order(&mut self, user: Address, oid: u64) {
        let account = self.accounts.get(&user);
        if let Some(order) = account.and_then(|account| account.orders.get(&oid)) {
            self.news.update(user, order.row.clone());
        }
    }

    /// An open order ends. Taking it off the book is the caller's.
    pub(super) fn end_order(&mut self, at: Moment, user: Address, oid: u64, word: &'static str) {
        let Some(account) = self.accounts.get_mut(&user) else { return };
        account.open.remove(&oid);
        if let Some(order) = account.orders.get_mut(&oid) {
            order.row.status = word;
            order.row.status_time = at.ms();
            self.news.update(user, order.row.clone());
        }
        account.forget();
    }
}

fn record_of(
    at: Moment,
    order: &NewOrder,
    market_at: usize,
    market: &Market,
    oid: u64,
) -> OrderRecord {
    let tif = match order.tif {
        Some(Tif::Ioc) => "Ioc",
        Some(Tif::Gtc) => "Gtc",
        Some(Tif::Alo) => "Alo",
        None => "",
    };
    let row = UpdateRow {
        coin: market.listing.coin.clone(),
        buy: order.buy,
        limit_px: order.px,
        sz: order.sz,
        orig_sz: order.sz,
        oid,
        placed: at.ms(),
        cloid: order.cloid,
        reduce_only: order.reduce_only,
        status: "open",
        status_time: at.ms(),
    };
    OrderRecord { row, market: market_at, tif }
}
