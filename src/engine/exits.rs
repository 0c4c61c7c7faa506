//! Positions are let go: the rules are `position`'s, and here they are asked and obeyed.

use crate::engine::trader::{Settings, Trader};
use crate::executor::budget::Kind;
use crate::executor::encode;
use crate::executor::orders::Orders;
use crate::executor::queue::Priority;
use crate::executor::rules;
use crate::feed::market::Market;
use crate::position::{Alarm, ExitEnd, ExitOrder, ExitView, Positions};
use crate::types::event::Actions;
use crate::types::ids::MarketId;
use crate::types::log_event::LogEvent;
use crate::types::num::{Px, Side, Sz, Szi};
use crate::types::order::{Order, Purpose};
use crate::types::time::{Mono, Nanos, Now};

/// Where gate 2 is off, oracle and mark are old after this.
const OLD_CTX: Nanos = Nanos::from_secs(8);

impl Trader {
    /// Exits that are due: for each position the rules are judged on the market as it is now.
    pub(super) fn step_exits(
        &mut self,
        now: Now,
        markets: &[Market],
        link_open: bool,
        out: &mut Actions,
    ) {
        self.exit_due = Mono::MAX;
        if self.signer.acts_for_another() {
            return; // What it signs would be done for another account.
        }
        for at in 0..self.held.len() {
            let Some(id) = self.held.get(at).copied() else { break };
            self.step_exit_of(now, id, markets, link_open, out);
        }
        // What an answer said to have filled is held, and has to be let go, whether its row comes or not.
        let mut last = None;
        while let Some(id) = self.orders.next_overdue(last) {
            if self.positions.get(id).is_none() {
                self.step_exit_of(now, id, markets, link_open, out);
            }
            last = Some(id);
        }
        // Until then exits wait for something that is no update of the market.
        let waits = [self.exits_read_first, self.rest_exits_at()];
        let ahead = waits.into_iter().filter(|at| *at > now.mono).min();
        if !self.held.is_empty() || self.exit_due < Mono::MAX {
            self.exit_due = self.exit_due.min(ahead.unwrap_or(Mono::MAX));
        }
    }

    fn step_exit_of(
        &mut self,
        now: Now,
        id: MarketId,
        markets: &[Market],
        link_open: bool,
        out: &mut Actions,
    ) {
        if link_open {
            self.step_exit(now, id, markets, out);
        } else {
            self.step_exit_without_link(now, id, markets, out);
        }
        let held_for = match self.positions.get(id) {
            Some(position) => position.held_for(now.mono),
            None => match self.orders.overdue(id) {
                Some((_, since, _)) => now.mono.since(since),
                None => return,
            },
        };
        let Self { positions, settings: Settings { time_stop, mark_regression, .. }, .. } = self;
        let Some(exit) = positions.exit_mut(id) else { return };
        let due = exit.deadline(now.mono, held_for, time_stop, mark_regression);
        // What is due and was not done waits for something else: looked at again soon.
        let soon = now.mono.plus(mark_regression.check_interval);
        if exit.overdue(now.mono, time_stop) {
            self.reading.wanted(now.mono); // The order table has not settled it by itself.
        }
        let due = if due > now.mono { due } else { soon };
        self.exit_due = self.exit_due.min(due);
        // Without a link nobody tells when an exit that was sent can no longer fill.
        let free = self.orders.open_exits_until(id);
        if !link_open && free > now.mono {
            self.exit_due = self.exit_due.min(free);
        }
    }

    fn step_exit(&mut self, now: Now, id: MarketId, markets: &[Market], out: &mut Actions) {
        // One that was sent before a reading made the position anew is not in its state.
        if self.orders.has_open_exit(id) {
            return;
        }
        // The position may have been closed while there was no link.
        if now.mono < self.exits_read_first && !self.reconciler.synced() {
            return;
        }
        let Some(market) = markets.get(id.index()) else { return };
        let asked = self.asked();
        let Self { positions, orders, settings, .. } = self;
        let Some(view) = view(now, id, market, positions, orders, settings, asked) else { return };
        let Some(exit) = positions.exit_mut(id).and_then(|exit| exit.step(&view)) else { return };
        tell(market, &exit, out);
        if !self.enqueue_exit(now, id, market, &exit) {
            // It counts as tried, and so is tried again after its pause.
            if let Some(state) = self.positions.exit_mut(id) {
                state.ended(now.mono, ExitEnd::Unsent);
            }
        }
    }

    /// When exits begin to go by REST; the end of time while a link is open.
    fn rest_exits_at(&self) -> Mono {
        let since = self.unlinked_since;
        since.map_or(Mono::MAX, |since| since.plus(self.settings.executor.rest_exit_after))
    }

    /// The exit that goes by REST while the link is down; its order is in the table like any other, and
    /// looked up after the reconnect if it had no answer.
    fn step_exit_without_link(
        &mut self,
        now: Now,
        id: MarketId,
        markets: &[Market],
        out: &mut Actions,
    ) {
        // Two exits at once only where the first can no longer fill.
        if now.mono < self.rest_exits_at()
            || now.mono < self.orders.open_exits_until(id)
            || !self.budget.may(now.mono, Kind::ReduceOnly, 1)
        {
            return;
        }
        let Some(market) = markets.get(id.index()) else { return };
        let asked = self.asked();
        let Self { positions, orders, settings, .. } = self;
        let Some(view) = view(now, id, market, positions, orders, settings, asked) else { return };
        let exit = positions.exit_mut(id).and_then(|exit| exit.step_without_link(&view));
        let Some(exit) = exit else { return };
        if !self.exit_by_rest(now, id, market, &exit, out)
            && let Some(state) = self.positions.exit_mut(id)
        {
            state.ended(now.mono, ExitEnd::Unsent);
        }
    }

    fn exit_by_rest(
        &mut self,
        now: Now,
        id: MarketId,
        market: &Market,
        exit: &ExitOrder,
        out: &mut Actions,
    ) -> bool {
        let Some(order) = self.exit_order(id, market, exit) else { return false };
        let Ok(order_id) = self.orders.open(now, order) else { return false };
        let expires = now.wall.plus(self.settings.executor.expires_after);
        let action = encode::Action::Orders(&[order]);
        let Some((post, nonce)) = self.exchange(now, &action, self.exits_expire(expires), out)
        else {
            self.orders.drop_pending(now, order_id);
            return false;
        };
        self.budget.spend(now.mono, Kind::ReduceOnly, 1, post);
        self.orders.sent(now, order_id, nonce, post, expires);
        self.log_sent(&order, out);
        out.log(LogEvent::ExitByRest { coin: order.coin, cloid: order.cloid });
        true
    }

    /// The exit that has waited to be sent, as it has to leave now; `None` when it must not leave.
    pub(super) fn reprice_exit(
        &mut self,
        now: Now,
        order: &Order,
        markets: &[Market],
        out: &mut Actions,
    ) -> Option<Order> {
        let market = markets.get(order.market.index())?;
        let asked = self.asked();
        let Self { positions, orders, settings, .. } = self;
        let view = view(now, order.market, market, positions, orders, settings, asked)?;
        let exit = positions.exit_mut(order.market)?.reprice(&view)?;
        if exit.alarm.is_some() {
            tell(market, &exit, out);
        }
        let (px, sz) = rounded(market, &exit)?;
        let purpose = Purpose::Exit(exit.reason);
        (exit.side == order.side).then_some(Order { px, sz, purpose, ..*order })
    }

    fn asked(&self) -> Asked {
        Asked {
            flatten: self.flatten,
            shutdown: self.stopping_until.is_some() && self.settings.position.flatten_on_shutdown,
        }
    }

    fn enqueue_exit(&mut self, now: Now, id: MarketId, market: &Market, exit: &ExitOrder) -> bool {
        let Some(order) = self.exit_order(id, market, exit) else { return false };
        let Ok(order_id) = self.orders.open(now, order) else { return false };
        if self.queue.push(now.mono, Priority::ReducePosition, order_id).is_err() {
            self.orders.drop_pending(now, order_id);
            return false;
        }
        self.fresh = true;
        true
    }

    fn exit_order(&mut self, id: MarketId, market: &Market, exit: &ExitOrder) -> Option<Order> {
        let (px, sz) = rounded(market, exit)?;
        Some(Order {
            cloid: self.new_cloid(),
            market: id,
            coin: market.spec.coin,
            asset: market.spec.asset,
            side: exit.side,
            px,
            sz,
            reduce_only: true,
            purpose: Purpose::Exit(exit.reason),
        })
    }
}

/// Who wants everything closed.
#[derive(Clone, Copy)]
struct Asked {
    flatten: bool,
    shutdown: bool,
}

/// What the rules look at; `None` where nothing is held.
fn view<'a>(
    now: Now,
    id: MarketId,
    market: &Market,
    positions: &Positions,
    orders: &Orders,
    settings: &'a Settings,
    Asked { flatten, shutdown }: Asked,
) -> Option<ExitView<'a>> {
    let (szi, held_for, entry, announced) = match positions.get(id) {
        Some(position) => {
            let held_for = position.held_for(now.mono);
            (position.szi, held_for, position.entry_px(), orders.announced(id))
        }
        None => {
            let (szi, since, px) = orders.overdue(id)?;
            (szi, now.mono.since(since), Some(px), Szi::ZERO)
        }
    };
    let bbo = market.bbo.map(|held| held.value);
    let old = settings.max_ctx_age.unwrap_or(OLD_CTX);
    Some(ExitView {
        now: now.mono,
        szi,
        held_for,
        entry,
        announced,
        quoted: bbo.is_some(),
        bid: bbo.and_then(|bbo| bbo.standing(Side::Sell)),
        ask: bbo.and_then(|bbo| bbo.standing(Side::Buy)),
        oracle: market.oracle(),
        mark: market.mark(),
        fresh: market.ctx_age(now.mono).is_some_and(|age| age <= old),
        lot: Sz::lot(market.spec.sz_decimals).unwrap_or(Sz::from_units(1)),
        time_stop: &settings.time_stop,
        mark_regression: &settings.mark_regression,
        flatten,
        shutdown,
    })
}

/// Price and size of an exit as the venue takes them.
///
/// No position of ours is off the lot, but one that was found may be: rounded up, since the venue
/// shrinks a reduce-only order to what is held (PROTOCOL.md §9.4).
fn rounded(market: &Market, exit: &ExitOrder) -> Option<(Px, Sz)> {
    let decimals = market.spec.sz_decimals;
    let px = rules::round_px(exit.limit, exit.side, decimals).ok()?;
    let sz = Sz::lot(decimals).and_then(|lot| exit.sz.ceil_to(lot))?;
    Some((px, sz))
}

/// What people are told of an exit that follows others.
fn tell(market: &Market, exit: &ExitOrder, out: &mut Actions) {
    let (coin, misses) = (market.spec.coin, exit.misses);
    match exit.alarm {
        Some(Alarm::AtCollar) => out.log(LogEvent::ExitAtCollar { coin, misses }),
        Some(Alarm::PastCollar) => out.log(LogEvent::ExitPastCollar { coin, px: exit.limit }),
        None if misses > 0 => {
            out.log(LogEvent::ExitMissed { coin, exit: exit.reason, misses, reach: exit.reach });
        }
        None => {}
    }
}
