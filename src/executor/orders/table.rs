//! The table: finds the order that news is about, and sums up what all of them may still do.

use std::collections::VecDeque;

use super::closed::{ClosedOrder, Recent};
use super::entry::{OrderEntry, Sent};
use super::state::Transitions;
use super::{
    Answered, Claim, ClosedExit, EXPIRY_MARGIN, Ended, OrderId, OrdersFull, Owner, RowsMissing,
    SLOTS,
};
use crate::executor::refusals::refusal;
use crate::types::ids::MarketId;
use crate::types::num::{Px, Sz, Szi, Usd};
use crate::types::order::{Cloid, Fill, Order, OrderUpdate, Outstanding, PostAnswer, Purpose};
use crate::types::time::{Mono, Nanos, Now, VenueMs, Wall};

/// Look-ups whose answer may still come.
const ASKED: usize = 256;

#[derive(Clone, Debug, Default)]
struct Slot {
    generation: u32,
    tracked: Option<OrderEntry>,
}

/// A look-up on its way.
#[derive(Clone, Copy, Debug)]
struct Asked {
    post: u64,
    id: OrderId,
    at: Mono,
}

/// Every live order. Allocates once.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Without an answer for so long, an order is in doubt.
    order_timeout: Nanos,
    slots: Vec<Slot>,
    free: Vec<u8>,
    /// Slots in use, the oldest order first.
    used: Vec<u8>,
    asked: VecDeque<Asked>,
    recent: Recent,
    link_open: bool,
    /// Of orders that are gone.
    contradicted: u64,
    transitions: Transitions,
}

impl Orders {
    /// An empty table; `order_timeout` after an order was sent without an answer it is looked up.
    pub fn new(order_timeout: Nanos) -> Self {
        Self {
            order_timeout,
            slots: vec![Slot::default(); SLOTS],
            free: (0..=u8::MAX).rev().collect(),
            used: Vec::with_capacity(SLOTS),
            asked: VecDeque::with_capacity(ASKED),
            recent: Recent::new(),
            link_open: false,
            contradicted: 0,
            transitions: Transitions::default(),
        }
    }

    /// Takes up an approved order. `now` is the moment of the news that made it.
    pub fn open(&mut self, now: Now, order: Order) -> Result<OrderId, OrdersFull> {
        let at = self.free.last().copied().ok_or(OrdersFull)?;
        let slot = self.slots.get_mut(usize::from(at)).ok_or(OrdersFull)?;
        self.free.pop();
        slot.generation = slot.generation.wrapping_add(1);
        let id = OrderId::new(at, slot.generation);
        slot.tracked = Some(OrderEntry::new(id, now, order));
        self.used.push(at);
        Ok(id)
    }

    /// The order was handed to the socket, as the next item of the action in this post. The venue
    /// takes it until `expires_at`.
    pub fn sent(&mut self, now: Now, id: OrderId, nonce: u64, post: u64, expires_at: Wall) {
        // Deadlines are kept on the clock that is never set.
        let left = expires_at.0.saturating_sub(now.wall.0);
        let expires = now.mono.plus(Nanos(u64::try_from(left).unwrap_or(0)));
        let mut of = 1;
        for other in self.each_mut().filter_map(|tracked| tracked.sent.as_mut()) {
            if other.post == post {
                other.of += 1;
                of = other.of;
            }
        }
        if let Some(tracked) = self.tracked(id) {
            let item = of - 1;
            tracked.on_sent(Sent { at: now, nonce, post, item, of, expires, expires_at });
        }
    }

    /// The order leaves at this price, with this size, for this purpose, and not as it was approved.
    /// Nothing happens to one that was sent.
    pub fn amend(&mut self, id: OrderId, px: Px, sz: Sz, purpose: Purpose) {
        if let Some(tracked) = self.tracked(id) {
            tracked.amend(px, sz, purpose);
        }
    }

    /// The order will not be sent: it ends as dropped. Nothing happens to one that was.
    pub fn drop_pending(&mut self, now: Now, id: OrderId) {
        if let Some(tracked) = self.tracked(id) {
            tracked.drop_pending(now);
        }
    }

    /// The orders that left in this post and are not over, each with its place in the action.
    pub fn in_post(&self, post: u64) -> impl Iterator<Item = (usize, &Order)> {
        let tracked = self.slots.iter().filter_map(|slot| slot.tracked.as_ref());
        tracked.filter_map(move |tracked| {
            let sent = tracked.sent.filter(|sent| sent.post == post)?;
            Some((sent.item as usize, tracked.order()))
        })
    }

    /// A post was answered.
    pub fn on_answer(&mut self, now: Now, post: u64, answer: &PostAnswer<'_>) -> Answered {
        let asked = self.asked.iter().position(|asked| asked.post == post);
        if let Some(asked) = asked.and_then(|at| self.asked.remove(at)) {
            if let Some(tracked) = self.tracked(asked.id) {
                tracked.on_look_up(now, asked.at, answer);
            }
            return Answered::LookUp(asked.id);
        }
        let mut live = 0;
        for tracked in self.each_mut() {
            if tracked.sent.is_some_and(|sent| sent.post == post) {
                tracked.on_answer(now, answer);
                live += 1;
            }
        }
        if live == 0 && !self.recent.has_post(post) {
            return Answered::NotOurs;
        }
        let refused = match answer {
            PostAnswer::Refused(words) | PostAnswer::Error(words) => {
                Some((refusal(words.as_bytes()), *words))
            }
            _ => None,
        };
        Answered::Orders { live, refused }
    }

    /// `orderUpdates` told of an order; returns whether it is, or was, ours.
    pub fn on_update(&mut self, now: Now, update: &OrderUpdate) -> bool {
        match self.named(update.cloid, update.oid) {
            Some(tracked) => {
                tracked.on_update(now, update);
                true
            }
            None => self.recent.owner(update.cloid, update.oid).is_some(),
        }
    }

    /// A fill; returns whose it was, `None` when not ours. Told again it changes nothing, so that
    /// an order may hear of a fill that its position holds already.
    pub fn on_fill(&mut self, now: Now, fill: &Fill) -> Option<Owner> {
        match self.named(fill.cloid, fill.oid) {
            Some(tracked) => {
                tracked.on_fill(now, fill);
                let (id, purpose) = (tracked.id, tracked.order().purpose);
                Some(Owner { id, purpose, ended: false })
            }
            None => self.recent.owner(fill.cloid, fill.oid),
        }
    }

    /// Why the order of a fill was sent; `None` when it is not ours. Changes nothing.
    pub fn purpose_of(&mut self, fill: &Fill) -> Option<Purpose> {
        match self.named(fill.cloid, fill.oid) {
            Some(tracked) => Some(tracked.order().purpose),
            None => self.recent.owner(fill.cloid, fill.oid).map(|owner| owner.purpose),
        }
    }

    /// The link is gone: what was sent and not answered is in doubt, and looked up once it is back.
    /// What was not sent stays; the caller drops it.
    pub fn on_disconnected(&mut self, now: Now) {
        self.link_open = false;
        self.asked.clear();
        for tracked in self.each_mut() {
            tracked.on_disconnected(now);
        }
    }

    /// Does what is due, and looks up what is in doubt while the link is open. To be called when
    /// [`Orders::next_due`] has come, and when the link has opened.
    ///
    /// `ask` sends the question and gives its post's id; `None` when it cannot go now: then it is
    /// asked again a second later.
    pub fn on_time(
        &mut self,
        now: Now,
        link_open: bool,
        ask: &mut impl FnMut(OrderId, Cloid) -> Option<u64>,
    ) {
        self.link_open = link_open;
        let order_timeout = self.order_timeout;
        let Self { slots, used, asked, .. } = self;
        for at in used.iter() {
            let slot = slots.get_mut(usize::from(*at));
            let Some(tracked) = slot.and_then(|slot| slot.tracked.as_mut()) else { continue };
            tracked.on_time(now, order_timeout, link_open);
            if !link_open || tracked.is_done() {
                continue;
            }
            let id = tracked.id;
            if let Some(post) = tracked.look_up(now.mono, |order| ask(id, order.cloid)) {
                if asked.len() >= ASKED {
                    asked.pop_front();
                }
                asked.push_back(Asked { post, id, at: now.mono });
            }
        }
    }

    /// When [`Orders::on_time`] has something to do next; the end of time when nothing waits.
    pub fn next_due(&self) -> Mono {
        let due = self.each().map(|tracked| tracked.next_due(self.order_timeout, self.link_open));
        due.min().unwrap_or(Mono::MAX)
    }

    /// The run ends: every order is over as it stands, and what is not known is said to be so.
    pub fn abandon(&mut self, now: Now) {
        self.each_mut().for_each(|tracked| tracked.abandon(now));
    }

    /// Takes one order that is over; to be called until it gives `None`. Its slot is free then, its
    /// name is still known for a while.
    pub fn take_ended(&mut self) -> Option<Ended> {
        let place = self.used.iter().position(|at| {
            let slot = self.slots.get(usize::from(*at));
            slot.and_then(|slot| slot.tracked.as_ref()).is_some_and(OrderEntry::is_done)
        })?;
        let at = self.used.remove(place);
        self.free.push(at);
        let tracked = self.slots.get_mut(usize::from(at))?.tracked.take()?;
        self.contradicted += u64::from(tracked.contradicted);
        self.transitions = self.transitions.with(tracked.transitions());
        self.recent.add(ClosedOrder {
            id: tracked.id,
            cloid: tracked.order().cloid,
            oid: tracked.oid,
            post: tracked.sent.map(|sent| sent.post),
            purpose: tracked.order().purpose,
        });
        tracked.ended()
    }

    /// Takes one exit whose outcome is known; to be called until it gives `None`, and before
    /// [`Orders::take_ended`]. Each is told once.
    pub fn take_closed_exit(&mut self) -> Option<ClosedExit> {
        self.each_mut().find_map(OrderEntry::take_closed_exit)
    }

    /// The post that carried an order had no answer, and will have none: it is in doubt.
    pub fn on_unanswered(&mut self, now: Now, post: u64) {
        for tracked in self.each_mut() {
            if tracked.sent.is_some_and(|sent| sent.post == post) {
                tracked.on_unanswered(now);
            }
        }
    }

    /// Takes one order that fell into doubt; to be called until it gives `None`. Each doubt is told
    /// once.
    pub fn take_doubted(&mut self) -> Option<(OrderId, Order)> {
        let mut each = self.each_mut();
        each.find_map(|tracked| tracked.take_doubt().then(|| (tracked.id, *tracked.order())))
    }

    /// Takes one order whose fill rows are missing; to be called until it gives `None`. Each is
    /// told once, and stays in the table until rows or a reading of the account tell of them.
    pub fn take_rows_missing(&mut self) -> Option<RowsMissing> {
        self.each_mut().find_map(|tracked| {
            tracked.take_missing().then(|| RowsMissing {
                id: tracked.id,
                order: *tracked.order(),
                since: tracked.sent.map_or(tracked.created().wall, |sent| sent.at.wall),
            })
        })
    }

    /// An order of the table.
    pub fn get(&self, id: OrderId) -> Option<&OrderEntry> {
        let tracked = self.slots.get(usize::from(id.slot()))?.tracked.as_ref()?;
        (tracked.id == id).then_some(tracked)
    }

    /// What the orders that are over went through.
    pub fn transitions(&self) -> Transitions {
        self.transitions
    }

    /// The orders that are not over, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (OrderId, &OrderEntry)> {
        self.each().filter(|tracked| !tracked.is_done()).map(|tracked| (tracked.id, tracked))
    }

    /// Those of one market.
    pub fn live(&self, market: MarketId) -> impl Iterator<Item = (OrderId, &OrderEntry)> {
        self.iter().filter(move |(_, tracked)| tracked.order().market == market)
    }

    /// How many are not over.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an order of this market that opens is not over.
    pub fn has_live_entry(&self, market: MarketId) -> bool {
        self.live(market).any(|(_, tracked)| !tracked.order().reduce_only)
    }

    /// Whether an exit of this market may still fill, as far as is known.
    pub fn has_open_exit(&self, market: MarketId) -> bool {
        self.open_exits(market).next().is_some()
    }

    /// Until when the venue may take an exit of this market that was sent and whose outcome is not known;
    /// the beginning of time when there is none.
    pub fn open_exits_until(&self, market: MarketId) -> Mono {
        let sent = self.open_exits(market).filter_map(|tracked| tracked.sent);
        sent.map(|sent| sent.expires.plus(EXPIRY_MARGIN)).max().unwrap_or(Mono(0))
    }

    fn open_exits(&self, market: MarketId) -> impl Iterator<Item = &OrderEntry> {
        let live = self.live(market).map(|(_, tracked)| tracked);
        live.filter(|tracked| tracked.order().reduce_only && !tracked.is_fate_known())
    }

    /// Whether the end of an order of this market has to be found out.
    pub fn in_doubt(&self, market: MarketId) -> bool {
        self.live(market).any(|(_, tracked)| tracked.is_in_doubt())
    }

    /// Value at their limits of what entries of this market may still add to the position as fill
    /// rows tell it.
    pub fn pending_notional(&self, market: MarketId) -> Usd {
        sum(self.live(market))
    }

    /// The same of every market.
    pub fn pending_total(&self) -> Usd {
        sum(self.iter())
    }

    /// Markets with an entry that is not over, each once.
    pub fn pending_markets(&self) -> impl Iterator<Item = MarketId> {
        let entries =
            || self.iter().filter(|(_, t)| !t.order().reduce_only).map(|(_, t)| t.order().market);
        entries()
            .enumerate()
            .filter(move |(at, market)| !entries().take(*at).any(|earlier| earlier == *market))
            .map(|(_, market)| market)
    }

    /// What orders of this market have filled by word of answers and updates and not by fill rows;
    /// above zero when bought.
    pub fn announced(&self, market: MarketId) -> Szi {
        let each = self.live(market).map(|(_, tracked)| tracked.announced().units());
        Szi::from_units(each.fold(0, i64::saturating_add))
    }

    /// What no fill row has told of the orders of this market, summed up.
    pub fn outstanding(&self, market: MarketId) -> Outstanding {
        let mut sum = Outstanding::default();
        for claim in self.live(market).filter_map(|(_, tracked)| tracked.claim()) {
            sum.add(claim.side, claim.announced, claim.possible, claim.since);
        }
        sum
    }

    /// The oldest claim of this market that is not newer than `until`.
    pub fn claim(&self, market: MarketId, until: VenueMs) -> Option<Claim> {
        let mut claims = self.live(market).filter_map(|(_, tracked)| tracked.claim());
        claims.find(|claim| claim.since <= until)
    }

    /// What orders of this market have filled by word of answers and updates alone, once their rows are
    /// overdue: the net size, and since when and at which price the oldest of them has. `None` when
    /// that is nothing.
    pub fn overdue(&self, market: MarketId) -> Option<(Szi, Mono, Px)> {
        let (since, px) = self.live(market).find_map(|(_, tracked)| tracked.overdue())?;
        let szi = self.announced(market);
        (!szi.is_flat()).then_some((szi, since, px))
    }

    /// Whether an order of this market has filled and rows of it are missing.
    pub fn rows_are_missing(&self, market: MarketId) -> bool {
        self.live(market).any(|(_, tracked)| tracked.rows_are_missing())
    }

    /// The first market behind `after` of which [`Orders::overdue`] tells something.
    pub fn next_overdue(&self, after: Option<MarketId>) -> Option<MarketId> {
        let each = self.iter().filter(|(_, tracked)| tracked.overdue().is_some());
        let markets = each.map(|(_, tracked)| tracked.order().market);
        let behind = markets.filter(|market| after.is_none_or(|after| *market > after));
        behind.filter(|market| !self.announced(*market).is_flat()).min()
    }

    /// A reading of the account has accounted for the order: it is over.
    pub fn accounted(&mut self, now: Now, id: OrderId) {
        if let Some(tracked) = self.tracked(id) {
            tracked.accounted(now);
        }
    }

    /// News that no order could meet where it was: fills past its size, words before it was sent.
    pub fn contradicted(&self) -> u64 {
        let live: u64 = self.each().map(|tracked| u64::from(tracked.contradicted)).sum();
        self.contradicted + live
    }

    fn each(&self) -> impl Iterator<Item = &OrderEntry> {
        let slots = self.used.iter().filter_map(|at| self.slots.get(usize::from(*at)));
        slots.filter_map(|slot| slot.tracked.as_ref())
    }

    /// In the order of slots, which means nothing. Low slots are used first, so that few are seen.
    fn each_mut(&mut self) -> impl Iterator<Item = &mut OrderEntry> {
        let seen = self.used.iter().max().map_or(0, |last| usize::from(*last) + 1);
        self.slots.iter_mut().take(seen).filter_map(|slot| slot.tracked.as_mut())
    }

    fn tracked(&mut self, id: OrderId) -> Option<&mut OrderEntry> {
        let slot = self.slots.get_mut(usize::from(id.slot()))?;
        slot.tracked.as_mut().filter(|tracked| tracked.id == id)
    }

    /// By our name, and by the venue's where ours is not told.
    fn named(&mut self, cloid: Option<Cloid>, oid: u64) -> Option<&mut OrderEntry> {
        self.each_mut().find(|tracked| match cloid {
            Some(cloid) => tracked.order().cloid == cloid,
            None => tracked.oid == Some(oid),
        })
    }
}

/// Value of what these orders may still add. What only shrinks a position adds nothing.
fn sum<'a>(orders: impl Iterator<Item = (OrderId, &'a OrderEntry)>) -> Usd {
    let entries = orders.filter(|(_, tracked)| !tracked.order().reduce_only);
    entries.fold(Usd::ZERO, |sum, (_, tracked)| {
        sum.saturating_add(tracked.order().value_of(tracked.unsettled()))
    })
}
