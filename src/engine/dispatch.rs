//! Orders leave: from the queue, within the limits, packed and signed; and what had no answer is
//! asked about.

use crate::engine::trader::{KEEP_MESSAGES, MOST_IN_BATCH, Trader};
use crate::executor::budget::Kind;
use crate::executor::encode::{self, Envelope};
use crate::executor::orders::OrderId;
use crate::executor::queue::Priority;
use crate::feed::market::Market;
use crate::feed::session::Session;
use crate::types::config;
use crate::types::event::Actions;
use crate::types::ids::MarketId;
use crate::types::latency::Timestamp;
use crate::types::log_event::LogEvent;
use crate::types::order::{Order, Purpose};
use crate::types::time::{Now, Wall};

impl Trader {
    /// Sends what waits: at once if that is how orders are dispatched, the rest on the tick. `worth`
    /// says whether an entry would still be approved.
    pub(super) fn flush(
        &mut self,
        now: Now,
        markets: &[Market],
        session: &mut Session,
        worth: &dyn Fn(&Order) -> bool,
        out: &mut Actions,
    ) {
        // The clock ticks whether something waits or not.
        let tick = self.dispatch.due(now.mono);
        if self.queue.is_empty() {
            self.fresh = false;
            return;
        }
        let immediate = self.settings.executor.dispatch == config::Dispatch::Immediate;
        let at_once = immediate && std::mem::take(&mut self.fresh);
        if !at_once && !tick {
            return;
        }
        while let Some(stale) = self.queue.pop_stale(now.mono, self.settings.executor.expires_after)
        {
            self.orders.drop_pending(now, stale.id);
        }
        // One action for each lane; the next waits when this one may not go.
        while let Some((priority, _)) = self.queue.peek() {
            if !self.send_batch(now, priority, markets, session, worth, out) {
                break;
            }
        }
    }

    /// Sends the oldest of a lane in one action; `false` when limits forbid it now.
    fn send_batch(
        &mut self,
        now: Now,
        priority: Priority,
        markets: &[Market],
        session: &mut Session,
        worth: &dyn Fn(&Order) -> bool,
        out: &mut Actions,
    ) -> bool {
        let (kind, keep) = match priority {
            Priority::ReducePosition | Priority::Cancel => (Kind::ReduceOnly, 0),
            Priority::NewOrder => (Kind::Entry, KEEP_MESSAGES),
        };
        // As many as the budget takes, one at least.
        let mut most = self.sharing(priority).min(MOST_IN_BATCH);
        while most > 1 && !self.budget.may(now.mono, kind, most as u32) {
            most /= 2;
        }
        let allowed = self.budget.may(now.mono, kind, most as u32);
        if !allowed || session.may_send_at(now.mono, keep) > now.mono || !session.is_open() {
            return false;
        }
        self.batch.clear();
        self.batch_ids.clear();
        let Self { queue, orders, batch, batch_ids, .. } = self;
        for item in queue.batch(priority, most) {
            if let Some(tracked) = orders.get(item.id) {
                batch.push(*tracked.order());
                batch_ids.push(item.id);
            }
        }
        match priority {
            Priority::NewOrder => self.drop_unwanted(now, markets, worth),
            Priority::ReducePosition => self.reprice(now, markets, out),
            Priority::Cancel => {}
        }
        if self.batch.is_empty() {
            return true;
        }
        let batch = std::mem::take(&mut self.batch);
        let ids = std::mem::take(&mut self.batch_ids);
        let usual = self.settings.executor.expires_after;
        // The venue's clock and ours apart, it dies then.
        let mut dies = now.wall.plus(usual);
        let mut expires = dies;
        if priority == Priority::ReducePosition {
            let exits = batch.iter().filter_map(|order| self.positions.exit(order.market));
            let life = exits.map(|exit| exit.life(usual)).max().unwrap_or(usual);
            dies = now.wall.plus(life);
            expires = self.exits_expire(dies);
        }
        let action = encode::Action::Orders(&batch);
        out.watch.mark(Timestamp::SignBegan);
        let sent = session.may_send(now.mono, keep)
            && match self.post(now, &action, Some(expires), out) {
                Some((post, nonce)) => {
                    out.watch.mark(Timestamp::Signed);
                    self.budget.spend(now.mono, kind, batch.len() as u32, post);
                    for (id, order) in ids.iter().zip(&batch) {
                        self.orders.sent(now, *id, nonce, post, dies);
                        self.log_sent(order, out);
                    }
                    true
                }
                None => false,
            };
        if !sent {
            ids.iter().for_each(|id| self.orders.drop_pending(now, *id));
        }
        self.batch = batch;
        self.batch_ids = ids;
        true
    }

    /// How many of a lane, from the oldest on, may share one action. An exit that was refused together
    /// with others goes alone.
    fn sharing(&self, priority: Priority) -> usize {
        let alone = |id| {
            let market = self.orders.get(id).map(|tracked| tracked.order().market);
            let exit = market.and_then(|market: MarketId| self.positions.exit(market));
            priority == Priority::ReducePosition && exit.is_some_and(|exit| exit.alone())
        };
        let first_alone = self.queue.waiting(priority).position(|item| alone(item.id));
        first_alone.map_or(self.queue.len_of(priority), |at| at.max(1))
    }

    /// `expiresAfter` of an exit that has to live until `dies`: under a clock that is behind the venue's
    /// it would be dead on arrival.
    pub(super) fn exits_expire(&self, dies: Wall) -> Wall {
        dies.plus(self.clock_behind)
    }

    /// Whether the order waits since before this event, and was made from what was known then.
    fn has_waited(&self, now: Now, id: OrderId) -> bool {
        self.orders.get(id).is_some_and(|tracked| tracked.created().mono < now.mono)
    }

    /// Exits of the batch that have waited are priced as they leave, and dropped when they are no
    /// longer owed: at the price of when they were made they might be certain to miss.
    fn reprice(&mut self, now: Now, markets: &[Market], out: &mut Actions) {
        let mut batch = std::mem::take(&mut self.batch);
        let mut ids = std::mem::take(&mut self.batch_ids);
        let mut kept = 0;
        for at in 0..batch.len() {
            let (id, order) = (ids[at], batch[at]);
            let order = match self.has_waited(now, id) {
                true => self.reprice_exit(now, &order, markets, out),
                false => Some(order),
            };
            let Some(order) = order else {
                self.orders.drop_pending(now, id);
                continue;
            };
            self.orders.amend(id, order.px, order.sz, order.purpose);
            (ids[kept], batch[kept]) = (id, order);
            kept += 1;
        }
        batch.truncate(kept);
        ids.truncate(kept);
        (self.batch, self.batch_ids) = (batch, ids);
    }

    /// Of the batch of entries, those that may not be opened any more are dropped: they were
    /// approved a while ago, and the market may have moved.
    fn drop_unwanted(&mut self, now: Now, markets: &[Market], worth: &dyn Fn(&Order) -> bool) {
        let mut batch = std::mem::take(&mut self.batch);
        let mut ids = std::mem::take(&mut self.batch_ids);
        // In place: an order's way takes no memory.
        let mut kept = 0;
        for at in 0..batch.len() {
            let (id, order) = (ids[at], batch[at]);
            let clear = !self.hard_stop.active();
            let clear = clear && (!self.has_waited(now, id) || worth(&order));
            if clear && self.may_open(now.mono, order.market, markets, &order) {
                (ids[kept], batch[kept]) = (id, order);
                kept += 1;
            } else {
                self.orders.drop_pending(now, id);
            }
        }
        batch.truncate(kept);
        ids.truncate(kept);
        (self.batch, self.batch_ids) = (batch, ids);
    }

    /// An order left.
    pub(super) fn log_sent(&mut self, order: &Order, out: &mut Actions) {
        let Order { coin, side, px, sz, purpose, cloid, .. } = *order;
        out.log(LogEvent::OrderSent { coin, side, px, sz, purpose, cloid });
        match purpose {
            Purpose::Entry(_) => self.counts.entries_sent += 1,
            Purpose::Exit(reason) => self.counts.exits_sent[reason as usize] += 1,
        }
    }

    /// Packs, signs and sends an action; returns its post and its nonce. `None` when it cannot be
    /// packed, and then nothing is sent.
    pub(super) fn post(
        &mut self,
        now: Now,
        action: &encode::Action<'_>,
        expires: Option<Wall>,
        out: &mut Actions,
    ) -> Option<(u64, u64)> {
        let envelope = self.envelope(now, expires);
        let post = self.next_post;
        out.try_send(|text| self.encoder.post(text, post, action, envelope)).ok()?;
        self.last_nonce = envelope.nonce;
        self.next_post = post.wrapping_add(1);
        Some((post, envelope.nonce))
    }

    /// The same over REST, under a number by which its answer is told.
    pub(super) fn exchange(
        &mut self,
        now: Now,
        action: &encode::Action<'_>,
        expires: Wall,
        out: &mut Actions,
    ) -> Option<(u64, u64)> {
        let envelope = self.envelope(now, Some(expires));
        let post = self.next_post;
        let write = |body: &mut Vec<u8>| self.encoder.exchange(body, action, envelope);
        out.try_exchange(post, expires, write).ok()?;
        self.last_nonce = envelope.nonce;
        self.next_post = post.wrapping_add(1);
        Some((post, envelope.nonce))
    }

    fn envelope(&self, now: Now, expires: Option<Wall>) -> Envelope {
        let now_ms = u64::try_from(now.wall.0 / 1_000_000).unwrap_or(0);
        let nonce = now_ms.max(self.last_nonce.saturating_add(1));
        let expires_after = expires.and_then(|at| u64::try_from(at.0 / 1_000_000).ok());
        Envelope { nonce, expires_after }
    }

    /// The venue has seen higher nonces than ours: a clock that ran ahead before this start, or
    /// somebody else with our key. The next ones are further in the future, twice as far each time,
    /// so that exits come through; the venue takes them up to a day ahead (PROTOCOL.md §7.3). Returns
    /// whether they were: not for one that left before they were raised last.
    pub(super) fn raise_nonces(&mut self, now: Now, refused: u64) -> bool {
        const FIRST_MS: u64 = 60_000;
        const MOST_MS: u64 = 20 * 3_600_000;
        if refused < self.raised_nonce {
            return false;
        }
        self.nonce_lead = self.nonce_lead.saturating_mul(2).clamp(FIRST_MS, MOST_MS);
        let now_ms = u64::try_from(now.wall.0 / 1_000_000).unwrap_or(0);
        self.last_nonce = self.last_nonce.max(now_ms.saturating_add(self.nonce_lead));
        self.raised_nonce = self.last_nonce;
        true
    }

    /// Asks what became of orders whose answer did not come.
    pub(super) fn look_up(&mut self, now: Now, session: &mut Session, out: &mut Actions) {
        let Self { orders, budget, next_post, user, counts, .. } = self;
        let open = session.is_open();
        orders.on_time(now, open, &mut |_, cloid| {
            if !budget.may(now.mono, Kind::LookUp, 0) || !session.may_send(now.mono, 0) {
                return None;
            }
            let post = *next_post;
            *next_post = post.wrapping_add(1);
            out.send(|text| encode::post_order_status(text, post, user, cloid));
            budget.spend(now.mono, Kind::LookUp, 0, post);
            counts.lookups += 1;
            Some(post)
        });
    }

    /// Entries that wait are not wanted any more.
    pub(super) fn drop_queued_entries(&mut self, now: Now) {
        let Self { queue, orders, .. } = self;
        for item in queue.batch(Priority::NewOrder, usize::MAX) {
            orders.drop_pending(now, item.id);
        }
    }

    /// Nothing that waits may go out.
    pub(super) fn drop_queued(&mut self, now: Now) {
        let Self { queue, orders, .. } = self;
        for (_, item) in queue.drain() {
            orders.drop_pending(now, item.id);
        }
    }
}
