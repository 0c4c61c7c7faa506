//! One block: what waits is executed in the venue's order (PROTOCOL.md §9.2).

use crate::types::market::MarginMode;
use crate::types::num::Usd;
use crate::types::time::{Mono, VenueMs};
use crate::venue::action::{Action, Address, NewOrder, Signed, Tif};
use crate::venue::clearing::account::WATCHED;
use crate::venue::clearing::admission::millis;
use crate::venue::clearing::answer::{self, Placed};
use crate::venue::clearing::position::Leverage;
use crate::venue::clearing::refusal::Refusal;
use crate::venue::clearing::{Clearing, Outcome, Ticket, money};
use crate::venue::market::Market;

/// USD that must have been traded before a cancel can be scheduled.
const SCHEDULE_USD: i64 = 1_000_000;

/// How far ahead a scheduled cancel must lie, milliseconds.
const SCHEDULE_AHEAD_MS: u64 = 5_000;

/// An action that was admitted and waits for its block.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) ticket: Ticket,
    /// Whom it is for.
    pub(super) user: Address,
    pub(super) signed: Signed,
}

/// A block's moment, and the transaction that is executed in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) time: VenueMs,
    pub(super) now: Mono,
    pub(super) hash: [u64; 4],
}

impl Moment {
    pub(super) fn ms(self) -> u64 {
        millis(self.time)
    }
}

/// Where an action stands in its block: actions that cannot take, cancels, actions that can.
fn class(action: &Action) -> u8 {
    let takes = |order: &NewOrder| order.tif != Some(Tif::Alo);
    match action {
        Action::Cancel(_) => 1,
        Action::Order(orders) if orders.iter().any(takes) => 2,
        Action::Modify { modifies, .. } if modifies.iter().any(|(_, order)| takes(order)) => 2,
        _ => 0,
    }
}

impl Clearing {
    /// Executes what waits, in the order of PROTOCOL.md §9.2, after makers and other takers had
    /// their turn in this block.
    pub(in crate::venue) fn block(
        &mut self,
        time: VenueMs,
        now: Mono,
        markets: &mut [Market],
        out: &mut Vec<Outcome>,
    ) {
        let mut at = Moment { time, now, hash: [0; 4] };
        self.prune_agents(at.ms());
        self.settle_struck(at, markets);
        self.close_dead(at, markets);
        self.cancel_scheduled(at, markets);
        self.close_what_owners_close(at, markets);
        let mut waiting = std::mem::take(&mut self.pending);
        waiting.sort_by_key(|pending| class(&pending.signed.action));
        for pending in waiting {
            at.hash = std::array::from_fn(|_| self.dice.bits());
            let body = match self.expire(at.ms(), &pending) {
                Some(text) => answer::refused(&text),
                None => self.execute(at, pending.user, &pending.signed.action, markets),
            };
            out.push(Outcome::Answer { ticket: pending.ticket, body });
        }
        self.liquidate(at, markets);
        self.cancel_unbacked(at, markets);
        let moved = self.news.flush(out);
        debug_assert!(!moved || self.audit(markets) == Ok(()), "{:?}", self.audit(markets));
    }

    /// Executes an action and words its answer.
    fn execute(
        &mut self,
        at: Moment,
        user: Address,
        action: &Action,
        markets: &mut [Market],
    ) -> String {
        let result = match action {
            Action::Order(orders) => return self.orders(at, user, orders, markets),
            Action::Cancel(cancels) => {
                let one = |(asset, which): &(u32, _)| {
                    self.cancel(at, user, *asset, *which, markets)
                        .map_or_else(|text| answer::error(&text), |()| answer::SUCCESS.to_owned())
                };
                let statuses: Vec<String> = cancels.iter().map(one).collect();
                return answer::statuses("cancel", &statuses);
            }
            Action::Modify { modifies, batch: true } => {
                let one = |(which, order): &(_, NewOrder)| {
                    let placed = self.modify(at, user, *which, order, markets);
                    answer::status(&placed.unwrap_or_else(Placed::Error))
                };
                let statuses: Vec<String> = modifies.iter().map(one).collect();
                return answer::statuses("order", &statuses);
            }
            Action::Modify { modifies, batch: false } => {
                modifies.iter().try_for_each(|(which, order)| {
                    self.modify(at, user, *which, order, markets).map(drop)
                })
            }
            Action::ScheduleCancel(when) => self.schedule_cancel(at, user, *when),
            Action::UpdateLeverage { asset, is_cross, leverage } => {
                let chosen = Leverage { is_cross: *is_cross, value: *leverage };
                self.update_leverage(at, user, *asset, chosen, markets)
            }
            Action::UpdateIsolatedMargin { asset, ntli } => {
                self.update_margin(at, user, *asset, Usd::from_units(*ntli), markets)
            }
            Action::Noop => Ok(()),
        };
        result.map_or_else(|text| answer::refused(&text), |()| answer::done())
    }

    /// The orders of one action: all are refused in one lone error, or each has its status.
    fn orders(
        &mut self,
        at: Moment,
        user: Address,
        orders: &[NewOrder],
        markets: &mut [Market],
    ) -> String {
        let whole = match orders {
            [] => Err(answer::error(&Refusal::Empty.text(0))),
            _ => orders.iter().try_for_each(|order| {
                let Some(case) = self.case(at, user, order, markets) else { return Ok(()) };
                case.admissible().map_err(|refusal| answer::error(&refusal.text(order.asset)))
            }),
        };
        if let Err(lone) = whole {
            return answer::statuses("order", &[lone]);
        }
        let one = |order| answer::status(&self.place(at, user, order, markets));
        let statuses: Vec<String> = orders.iter().map(one).collect();
        answer::statuses("order", &statuses)
    }

    /// When all orders of an account will be cancelled, or never.
    fn schedule_cancel(
        &mut self,
        at: Moment,
        user: Address,
        when: Option<u64>,
    ) -> Result<(), String> {
        let Some(account) = self.accounts.get_mut(&user) else { return Ok(()) };
        let cents = account.volume.units() / 10_000;
        if cents < SCHEDULE_USD * 100 {
            let (usd, cents) = (cents / 100, cents % 100);
            return Err(format!(
                "Cannot set scheduled cancel time until enough volume traded. \
                 Required: ${SCHEDULE_USD}. Traded: ${usd}.{cents:02}."
            ));
        }
        if when.is_some_and(|when| when < at.ms().saturating_add(SCHEDULE_AHEAD_MS)) {
            return Err("Scheduled cancel time must be at least 5 seconds ahead.".to_owned());
        }
        account.cancel_at = when;
        Ok(())
    }

    /// Sets how a market is held. With a position the kind stays, a lower leverage asks for more
    /// margin, and a higher one gives none back.
    fn update_leverage(
        &mut self,
        at: Moment,
        user: Address,
        asset: u32,
        chosen: Leverage,
        markets: &[Market],
    ) -> Result<(), String> {
        let (market_at, market) = find(markets, asset).ok_or("Invalid asset.")?;
        if !(1..=market.listing.max_leverage).contains(&chosen.value) {
            return Err("Invalid leverage value.".to_owned());
        }
        if chosen.is_cross && market.listing.margin_mode != MarginMode::Cross {
            return Err("Cross margin is not allowed for this asset.".to_owned());
        }
        let Some(account) = self.accounts.get_mut(&user) else { return Ok(()) };
        let held = account.held_by_orders(markets, None);
        let free = account.available(markets, at.now).saturating_sub(held);
        if let Some(position) = account.positions.get_mut(&market_at) {
            if position.leverage.is_cross != chosen.is_cross {
                return Err("Cannot switch leverage type with open position.".to_owned());
            }
            let mark = market.mark(at.now);
            let needed = money::margin(money::value(mark, position.szi), chosen.value);
            let more = needed.saturating_sub(position.margin_used(mark));
            if more > free {
                return Err("Insufficient margin to place order.".to_owned());
            }
            position.leverage = chosen;
            if !chosen.is_cross && more.is_positive() {
                position.margin = position.margin.saturating_add(more);
            }
        }
        account.leverages.insert(market_at, chosen);
        Ok(())
    }

    /// Moves money into or out of an isolated position. What stays must be its initial margin.
    fn update_margin(
        &mut self,
        at: Moment,
        user: Address,
        asset: u32,
        more: Usd,
        markets: &[Market],
    ) -> Result<(), String> {
        let (market_at, market) = find(markets, asset).ok_or("Invalid asset.")?;
        let Some(account) = self.accounts.get_mut(&user) else { return Ok(()) };
        let held = account.held_by_orders(markets, None);
        let free = account.available(markets, at.now).saturating_sub(held);
        let isolated = account.positions.get_mut(&market_at).filter(|p| !p.leverage.is_cross);
        let position = isolated.ok_or("No isolated position to move margin of.")?;
        let mark = market.mark(at.now);
        let left = position.margin_used(mark).saturating_add(more);
        let least = money::margin(money::value(mark, position.szi), position.leverage.value);
        let takes = more < Usd::ZERO;
        let strict = market.listing.margin_mode == MarginMode::StrictIsolated;
        let after = position.margin.saturating_add(more);
        if takes && (strict || left < least || after < Usd::ZERO) || more > free {
            return Err("Insufficient margin to move.".to_owned());
        }
        position.margin = after;
        Ok(())
    }
}

/// The market of an asset id (PROTOCOL.md §5.1) and its position.
pub(super) fn find(markets: &[Market], asset: u32) -> Option<(usize, &Market)> {
    let mut all = markets.iter().enumerate();
    all.find(|(_, market)| asset_of(market) == Some(asset))
}

/// A market's asset id.
pub(super) fn asset_of(market: &Market) -> Option<u32> {
    let first = if market.dex == 0 { 0 } else { 100_000 + market.dex.checked_mul(10_000)? };
    u32::try_from(first.checked_add(market.index)?).ok()
}

/// The part of a trade that the request budget counts: of growth markets a tenth.
pub(super) fn counted(market: &Market, value: i128) -> Usd {
    let traded = money::floor(value);
    let tenth = market.dex >= WATCHED && market.listing.growth;
    if tenth { Usd::from_units(traded.units() / 10) } else { traded }
}
