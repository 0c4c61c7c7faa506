//! Positions are let go: the rules are `position`'s, and here they are asked and obeyed.

use crate::engine::trader::{Settings, Trader};
use crate::executor::queue::Priority;
use crate::executor::rules;
use crate::feed::market::Market;
use crate::position::{ExitOrder, ExitView};
use crate::types::event::Actions;
use crate::types::ids::MarketId;
use crate::types::note::Note;
use crate::types::num::{Side, Sz};
use crate::types::order::{Order, Purpose};
use crate::types::time::{Mono, Now};

impl Trader {
    /// Exits that are due: for each position the rules are judged on the market as it is now.
    pub(super) fn step_exits(&mut self, now: Now, markets: &[Market], out: &mut Actions) {
        self.exit_due = Mono::MAX;
        if self.signer.acts_for_another() {
            return; // What it signs would be done for another account.
        }
        for at in 0..self.held.len() {
            let Some(id) = self.held.get(at).copied() else { break };
            self.step_exit(now, id, markets, out);
            if let (Some(exit), Some(position)) = (self.positions.exit(id), self.positions.get(id))
            {
                let Settings { time_stop, mark_regression, .. } = &self.settings;
                let held_for = position.held_for(now.mono);
                let due = exit.deadline(now.mono, held_for, time_stop, mark_regression);
                // What is due and was not done waits for something else: looked at again soon.
                let soon = now.mono.plus(mark_regression.check_interval);
                if exit.overdue(now.mono, time_stop) {
                    self.reading.wanted(now.mono); // The order table has not settled it by itself.
                }
                let due = if due > now.mono { due } else { soon };
                self.exit_due = self.exit_due.min(due);
            }
        }
    }

    fn step_exit(&mut self, now: Now, id: MarketId, markets: &[Market], out: &mut Actions) {
        let Some(market) = markets.get(id.index()) else { return };
        let announced = self.orders.announced(id);
        // One that was sent before a reading made the position anew is not in its state.
        if self.orders.has_live_exit(id) {
            return;
        }
        let Some(position) = self.positions.get(id) else { return };
        let bbo = market.bbo.map(|held| held.value);
        let view = ExitView {
            now: now.mono,
            szi: position.szi,
            held_for: position.held_for(now.mono),
            announced,
            bid: bbo.and_then(|bbo| bbo.standing(Side::Sell)),
            ask: bbo.and_then(|bbo| bbo.standing(Side::Buy)),
            oracle: market.oracle(),
            mark: market.mark(),
            lot: Sz::lot(market.spec.sz_decimals).unwrap_or(Sz::from_units(1)),
            time_stop: &self.settings.time_stop,
            mark_regression: &self.settings.mark_regression,
            flatten: self.flatten,
            shutdown: self.stopping_until.is_some() && self.settings.position.flatten_on_shutdown,
        };
        let Some(exit) = self.positions.exit_mut(id).and_then(|exit| exit.step(&view)) else {
            return;
        };
        let coin = market.spec.coin;
        if exit.at_collar {
            out.note(Note::ExitAtCollar { coin, misses: exit.misses });
        } else if exit.misses > 0 {
            let (reason, misses, reach) = (exit.reason, exit.misses, exit.reach);
            out.note(Note::ExitMissed { coin, exit: reason, misses, reach });
        }
        if !self.enqueue_exit(now, id, market, &exit) {
            // It counts as tried, and so is tried again after its pause.
            if let Some(state) = self.positions.exit_mut(id) {
                state.ended(now.mono, Sz::ZERO, None, false);
            }
        }
    }

    fn enqueue_exit(&mut self, now: Now, id: MarketId, market: &Market, exit: &ExitOrder) -> bool {
        // No position of ours is off the lot, but one that was found may be: rounded up, since the
        // venue shrinks a reduce-only order to what is held (PROTOCOL.md §9.4).
        let decimals = market.spec.sz_decimals;
        let Ok(px) = rules::round_px(exit.limit, exit.side, decimals) else { return false };
        let Some(sz) = Sz::lot(decimals).and_then(|lot| exit.sz.ceil_to(lot)) else { return false };
        let order = Order {
            cloid: self.new_cloid(),
            market: id,
            coin: market.spec.coin,
            asset: market.spec.asset,
            side: exit.side,
            px,
            sz,
            reduce_only: true,
            purpose: Purpose::Exit(exit.reason),
        };
        let Ok(order_id) = self.orders.open(now, order) else { return false };
        if self.queue.push(now.mono, Priority::ReducePosition, order_id).is_err() {
            self.orders.drop_pending(now, order_id);
            return false;
        }
        self.fresh = true;
        true
    }
}
