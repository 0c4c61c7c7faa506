//! One order in the table: its life, what each stream told of it, and its row at the end.

use super::state::{OrderEvent, OrderLifecycle, OrderState, Transitions};
use super::{
    ANSWER_GRACE, Claim, ClosedExit, EXIT_GIVE_UP, EXPIRY_MARGIN, Ended, LOOK_UP_PACE,
    LOOK_UP_SLOW_PACE, LOOK_UPS, LOOK_UPS_OF_EXIT, OrderId, ROWS_GRACE,
};
use crate::executor::refusals::{refusal, refusal_of_word};
use crate::types::ids::Excerpt;
use crate::types::num::{Px, Sz, Szi, Usd};
use crate::types::order::{
    Fill, Order, OrderAnswer, OrderUpdate, PostAnswer, Purpose, Refusal, StatusKind, VenueStatus,
};
use crate::types::record::{OrderRow, Outcome};
use crate::types::time::{Mono, Nanos, Now, VenueMs, Wall};

/// How it went out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) at: Now,
    pub(super) nonce: u64,
    pub(super) post: u64,
    /// Its place in the action, and how many orders that had.
    pub(super) item: u32,
    pub(super) of: u32,
    /// When the venue no longer takes it, by our clock.
    pub(super) expires: Mono,
    /// The same as the venue is told it.
    pub(super) expires_at: Wall,
}

/// What its fill rows sum up to.
#[derive(Clone, Copy, Debug)]
struct Rows {
    sz: Sz,
    /// Price times size, in 1e-16 USD.
    value: i128,
    fee: Usd,
    last_at: Option<Wall>,
    /// Trades that were counted, as many as there is room for.
    seen: [(VenueMs, u64); Rows::SEEN],
    count: usize,
}

impl Rows {
    /// More rows than an order of ours is split into; past it, repeated ones are the caller's care.
    const SEEN: usize = 24;

    const NONE: Self = Self {
        sz: Sz::ZERO,
        value: 0,
        fee: Usd::ZERO,
        last_at: None,
        seen: [(VenueMs(0), 0); Self::SEEN],
        count: 0,
    };

    /// Counts `fill` in; `false` when it was counted before.
    fn add(&mut self, now: Now, fill: &Fill) -> bool {
        let key = (fill.time, fill.tid);
        if self.seen.iter().take(self.count).any(|seen| *seen == key) {
            return false;
        }
        // A row without a trade's id cannot be told from its like.
        if let Some(place) = self.seen.get_mut(self.count).filter(|_| fill.tid != 0) {
            *place = key;
            self.count += 1;
        }
        let value = i128::from(fill.px.units()) * i128::from(fill.sz.units());
        self.sz = Sz::from_units(self.sz.units().saturating_add(fill.sz.units()));
        self.value = self.value.saturating_add(value);
        self.fee = self.fee.saturating_add(fill.fee);
        self.last_at = Some(now.wall);
        true
    }
}

/// The search for an end that nobody told.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// Whether somebody was told of it.
    told: bool,
    asks: u32,
    /// Answers in a row that the venue does not know it.
    unknown: u32,
    next: Mono,
    /// What refused it, if that alone proves nothing.
    suspect: Option<Refusal>,
}

/// Fill rows that have not come, and whether the caller has heard of it.
#[derive(Clone, Copy, Debug)]
struct Missing {
    told: bool,
}

/// An order in the table.
#[derive(Clone, Copy, Debug)]
pub struct OrderEntry {
    pub(super) id: OrderId,
    order: Order,
    life: OrderLifecycle,
    transitions: Transitions,
    created: Now,
    pub(super) sent: Option<Sent>,
    pub(super) oid: Option<u64>,
    rows: Rows,
    answered: Option<Now>,
    answer_px: Option<Px>,
    /// The answer said how much filled, or why nothing did: it overrules what updates let guess.
    answer_tells: bool,
    /// The answer may still come.
    answer_due: bool,
    /// The answer was of the whole action, which carried others too.
    together: bool,
    /// Whether it was told that nothing more can fill.
    close_told: bool,
    updated_at: Option<Wall>,
    words: Option<Excerpt>,
    doubt: Option<Doubt>,
    /// Something filled, and only rows can tell how much; this much at most.
    guess: Option<Sz>,
    closed_at: Option<Now>,
    missing: Option<Missing>,
    done: Option<Now>,
    pub(super) contradicted: u32,
}

impl OrderEntry {
    pub(super) const fn new(id: OrderId, now: Now, order: Order) -> Self {
        Self {
            id,
            order,
            life: OrderLifecycle::new(order.sz),
            transitions: Transitions::NONE,
            created: now,
            sent: None,
            oid: None,
            rows: Rows::NONE,
            answered: None,
            answer_px: None,
            answer_tells: false,
            answer_due: false,
            together: false,
            close_told: false,
            updated_at: None,
            words: None,
            doubt: None,
            guess: None,
            closed_at: None,
            missing: None,
            done: None,
            contradicted: 0,
        }
    }

    /// What was approved.
    pub const fn order(&self) -> &Order {
        &self.order
    }

    /// Where it is.
    pub const fn state(&self) -> OrderState {
        self.life.state()
    }

    /// How much of it is known to have filled.
    pub const fn filled(&self) -> Sz {
        self.life.filled()
    }

    /// When it was approved.
    pub const fn created(&self) -> Now {
        self.created
    }

    /// Whether its end is not known, and looked up.
    pub const fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Whether it is over; it leaves the table with the next `take_ended`.
    pub const fn is_done(&self) -> bool {
        self.done.is_some()
    }

    /// What of it no fill row has told yet and still may, at the worst: all that is left while it is
    /// open, or while nobody knows how much filled; else what is known to have filled.
    pub(super) fn unsettled(&self) -> Sz {
        let most = match (self.done, self.life.is_closed()) {
            (Some(_), _) => Sz::ZERO,
            (None, true) if !self.is_guessing() => self.filled(),
            (None, _) => self.order.sz,
        };
        less(most, self.rows.sz)
    }

    /// What of it no fill row has told and a reading of the account may; `None` once nothing is left
    /// to tell, and before it was sent.
    pub(super) fn claim(&self) -> Option<Claim> {
        let sent = self.sent.filter(|_| self.done.is_none())?;
        let open = self.order.sz.units().saturating_sub(self.filled().max(self.rows.sz).units());
        let (possible, since) = match self.closed_at {
            Some(at) if self.is_guessing() || self.waits_for_answer() => (open, at.wall),
            Some(at) => (0, at.wall),
            None => (open, sent.expires_at),
        };
        let announced = less(self.filled(), self.rows.sz);
        let possible = Sz::from_units(possible.max(0));
        (announced.is_positive() || possible.is_positive()).then_some(Claim {
            id: self.id,
            side: self.order.side,
            announced,
            possible,
            px: self.answer_px.unwrap_or(self.order.px),
            since: VenueMs(since.0.div_euclid(1_000_000)),
            oid: self.oid,
        })
    }

    /// Since when, and at which price, it is known to have filled while its rows are overdue.
    pub(super) fn overdue(&self) -> Option<(Mono, Px)> {
        let missing = self.done.is_none() && self.missing.is_some();
        let announced = missing && self.announced() != Szi::ZERO;
        let at = self.closed_at.filter(|_| announced)?;
        Some((at.mono, self.answer_px.unwrap_or(self.order.px)))
    }

    /// A reading of the account that is newer than its claim tells what rows did not: it is over.
    /// What filled beyond its rows was told to [`OrderEntry::on_fill`] before, if anything had.
    pub(super) fn accounted(&mut self, now: Now) {
        let Some(sent) = self.sent else { return };
        self.guess = None; // The reading knows.
        if !self.life.is_closed() && now.mono >= sent.expires {
            let refusal = self.doubt.and_then(|doubt| doubt.suspect).unwrap_or(Refusal::TooLate);
            let nothing = self.oid.is_none() && self.filled() == Sz::ZERO;
            self.close(if nothing { OrderEvent::Refused(refusal) } else { OrderEvent::Expired });
        }
        if self.life.is_closed() {
            self.answer_due = false;
            self.doubt = None;
            self.closed_at.get_or_insert(now);
            self.done.get_or_insert(now);
        }
    }

    /// Filled by word of an answer or an update, and not by fill rows; above zero when bought.
    pub(super) fn announced(&self) -> Szi {
        match self.done {
            Some(_) => Szi::ZERO,
            None => Szi::of(self.order.side, less(self.filled(), self.rows.sz)),
        }
    }

    pub(super) fn on_sent(&mut self, sent: Sent) {
        if self.tell(OrderEvent::Sent) {
            self.sent = Some(sent);
            self.answer_due = true;
        }
    }

    /// It leaves otherwise than it was approved.
    pub(super) fn amend(&mut self, px: Px, sz: Sz, purpose: Purpose) {
        if self.life.state() == OrderState::Pending {
            (self.order.px, self.order.sz, self.order.purpose) = (px, sz, purpose);
            self.life = OrderLifecycle::new(sz);
        }
    }

    /// It will not be sent.
    pub(super) fn drop_pending(&mut self, now: Now) {
        if self.life.state() == OrderState::Pending {
            self.done.get_or_insert(now);
        }
    }

    /// The run ends: what is not known now never will be.
    pub(super) fn abandon(&mut self, now: Now) {
        self.done.get_or_insert(now);
    }

    /// The post that carried it was answered.
    pub(super) fn on_answer(&mut self, now: Now, answer: &PostAnswer<'_>) {
        self.answered.get_or_insert(now);
        self.answer_due = false;
        let whole = match answer {
            PostAnswer::Statuses(statuses) => matches!(statuses, [OrderAnswer::Error(_)]),
            PostAnswer::Refused(_) | PostAnswer::Error(_) => true,
            PostAnswer::Default | PostAnswer::Order(_) | PostAnswer::Other => false,
        };
        self.together = whole && self.sent.is_some_and(|sent| sent.of > 1);
        match answer {
            PostAnswer::Statuses(statuses) => match self.status(statuses) {
                Some(status) => self.on_status(now, status),
                None => self.begin_doubt(now, None),
            },
            PostAnswer::Refused(words) => self.on_refusal(now, *words),
            // A post that failed in words nobody knows may have failed after the action was done.
            PostAnswer::Error(words) if refusal(words.as_bytes()) == Refusal::Unlisted => {
                self.begin_doubt(now, None);
            }
            PostAnswer::Error(words) => self.on_refusal(now, *words),
            PostAnswer::Default | PostAnswer::Order(_) | PostAnswer::Other => {
                self.begin_doubt(now, None);
            }
        }
        self.settle(now);
    }

    /// The status that is its own: one an order, or a lone error that stands for all of them
    /// (PROTOCOL.md §3.3). Of any other shortage nobody knows whose they are.
    fn status(&self, statuses: &[OrderAnswer]) -> Option<OrderAnswer> {
        let sent = self.sent?;
        match statuses {
            [lone @ OrderAnswer::Error(_)] => Some(*lone),
            _ if statuses.len() == sent.of as usize => statuses.get(sent.item as usize).copied(),
            _ => None,
        }
    }

    fn on_status(&mut self, now: Now, status: OrderAnswer) {
        match status {
            OrderAnswer::Filled { total_sz, avg_px, oid } => {
                self.oid.get_or_insert(oid);
                if self.tell(OrderEvent::FilledTo { total: total_sz }) {
                    self.answer_px = Some(avg_px);
                    self.answer_tells = true;
                    self.close(OrderEvent::Expired);
                } else {
                    self.begin_doubt(now, None);
                }
            }
            OrderAnswer::Error(words) => self.on_refusal(now, words),
            // An IOC does not rest: whatever this is, it is not an end.
            OrderAnswer::Resting { oid } => {
                self.oid.get_or_insert(oid);
                self.begin_doubt(now, None);
            }
            OrderAnswer::Success | OrderAnswer::Unknown => self.begin_doubt(now, None),
        }
    }

    fn on_refusal(&mut self, now: Now, words: Excerpt) {
        self.words.get_or_insert(words);
        match refusal(words.as_bytes()) {
            // The action with that nonce may be this very one (PROTOCOL.md §3.6).
            Refusal::DuplicateNonce => self.begin_doubt(now, Some(Refusal::DuplicateNonce)),
            refusal => {
                self.answer_tells = true;
                self.close(OrderEvent::Refused(refusal));
            }
        }
    }

    /// The post that carried it will have no answer.
    pub(super) fn on_unanswered(&mut self, now: Now) {
        self.answer_due = false;
        self.begin_doubt(now, None);
        self.settle(now);
    }

    /// `orderUpdates` told of it.
    pub(super) fn on_update(&mut self, now: Now, update: &OrderUpdate) {
        if !matches!(update.word.kind(), StatusKind::Live | StatusKind::Unknown) {
            self.updated_at.get_or_insert(now.wall);
        }
        self.on_word(now, update);
        self.settle(now);
    }

    /// A look-up that was asked at `asked` was answered.
    pub(super) fn on_look_up(&mut self, now: Now, asked: Mono, answer: &PostAnswer<'_>) {
        match answer {
            PostAnswer::Order(Some(update)) => {
                if let Some(doubt) = &mut self.doubt {
                    doubt.unknown = 0;
                }
                self.on_word(now, update);
            }
            PostAnswer::Order(None) => self.on_unknown(asked),
            // No answer; the next look-up is due in time.
            _ => {}
        }
        self.settle(now);
    }

    fn on_word(&mut self, now: Now, update: &OrderUpdate) {
        self.oid.get_or_insert(update.oid);
        let kind = update.word.kind();
        match kind {
            StatusKind::Live => {}
            StatusKind::Unknown => self.begin_doubt(now, None),
            StatusKind::Filled => {
                self.take_filled_size(update);
                self.close(OrderEvent::Expired);
            }
            StatusKind::Cancelled | StatusKind::Rejected => {
                if kind == StatusKind::Cancelled {
                    self.take_filled_size(update);
                }
                let refusal = refusal_of_word(update.word).unwrap_or(Refusal::Unlisted);
                self.close(OrderEvent::Refused(refusal));
            }
        }
    }

    /// What a terminal update says of the filled size: what it was placed with less what is left.
    ///
    /// Of a reduce-only order that is a guess, since the venue shrinks what is left to the
    /// position without a word (PROTOCOL.md §9.4): there the answer and the rows tell.
    fn take_filled_size(&mut self, update: &OrderUpdate) {
        let gone = less(update.orig_sz, update.sz);
        if update.word == VenueStatus::ReduceOnlyCanceled {
            return;
        }
        if self.order.reduce_only || gone == Sz::ZERO {
            if gone > Sz::ZERO || update.word.kind() == StatusKind::Filled {
                self.guess = Some(self.guess.unwrap_or_default().max(gone));
            }
        } else {
            self.tell(OrderEvent::FilledTo { total: gone });
        }
    }

    /// The venue does not know it. So often, the last of them asked when it would no longer have been
    /// taken, and it is dead.
    fn on_unknown(&mut self, asked: Mono) {
        let enough = if self.order.reduce_only { LOOK_UPS_OF_EXIT } else { LOOK_UPS };
        let (Some(doubt), Some(sent)) = (&mut self.doubt, self.sent) else { return };
        doubt.unknown = doubt.unknown.saturating_add(1);
        if doubt.unknown < enough || asked < sent.expires.plus(EXPIRY_MARGIN) {
            return;
        }
        let suspect = doubt.suspect;
        if self.oid.is_none() && self.filled() == Sz::ZERO {
            self.close(OrderEvent::Refused(suspect.unwrap_or(Refusal::TooLate)));
        } else {
            // It was there once, and the venue no longer says how it ended: rows alone can tell.
            self.guess.get_or_insert(Sz::ZERO);
            self.close(OrderEvent::Expired);
        }
    }

    /// One of its fills; told again it changes nothing.
    pub(super) fn on_fill(&mut self, now: Now, fill: &Fill) {
        self.oid.get_or_insert(fill.oid);
        if !self.rows.add(now, fill) {
            return;
        }
        let total = self.rows.sz;
        self.tell(OrderEvent::FilledTo { total });
        self.settle(now);
    }

    /// The link is gone: an answer that has not come will not.
    pub(super) fn on_disconnected(&mut self, now: Now) {
        if self.sent.is_some() && self.answered.is_none() {
            self.begin_doubt(now, None);
        }
        self.answer_due = false;
        if let Some(doubt) = &mut self.doubt {
            doubt.next = now.mono;
        }
        self.settle(now);
        if self.waits_for_rows() {
            self.missing.get_or_insert(Missing { told: false });
        }
    }

    /// Whatever is due by now, but for look-ups. Missing rows are never given up: only rows or a
    /// reading of the account that is newer than what was announced account for them.
    pub(super) fn on_time(&mut self, now: Now, order_timeout: Nanos, link_open: bool) {
        if self.answer_due && self.timeout(order_timeout).is_some_and(|at| at <= now.mono) {
            self.answer_due = false;
            self.begin_doubt(now, None);
        }
        // A look-up that is never answered must not hold up the next exit: what only shrinks a
        // position and is long past its time can do no more.
        let long_past = |sent: Sent| now.mono >= sent.expires.plus(EXIT_GIVE_UP);
        if link_open
            && self.order.reduce_only
            && self.doubt.is_some()
            && self.sent.is_some_and(long_past)
        {
            self.guess.get_or_insert(Sz::ZERO); // Rows alone can tell.
            self.close(OrderEvent::Expired);
        }
        self.settle(now);
        if self.waits_for_rows() && self.rows_due() <= now.mono {
            self.missing.get_or_insert(Missing { told: false });
        }
    }

    /// Asks for a look-up if one is due. `ask` gives the post that carries it, or `None` when it
    /// cannot go now. Returns that post.
    pub(super) fn look_up(
        &mut self,
        now: Mono,
        mut ask: impl FnMut(&Order) -> Option<u64>,
    ) -> Option<u64> {
        // The first moment at which the venue's not knowing it proves that it is dead.
        let proof = self.sent.map(|sent| sent.expires.plus(EXPIRY_MARGIN)).filter(|at| now < *at);
        let doubt = self.doubt.as_mut().filter(|doubt| doubt.next <= now)?;
        let post = ask(&self.order);
        if post.is_some() {
            doubt.asks = doubt.asks.saturating_add(1);
        }
        let slow = doubt.asks >= LOOK_UPS;
        doubt.next = now.plus(if slow { LOOK_UP_SLOW_PACE } else { LOOK_UP_PACE });
        doubt.next = doubt.next.min(proof.unwrap_or(Mono::MAX));
        post
    }

    /// When `on_time` has something to do next.
    pub(super) fn next_due(&self, order_timeout: Nanos, link_open: bool) -> Mono {
        if self.done.is_some() {
            return Mono::MAX;
        }
        let timeout = self.timeout(order_timeout).filter(|_| self.answer_due);
        let look_up = self.doubt.filter(|_| link_open).map(|doubt| doubt.next);
        let rows = self.waits_for_rows() && self.missing.is_none();
        let rows = rows.then(|| self.rows_due());
        let grace = if self.waits_for_answer() { self.closed_at } else { None };
        let grace = grace.map(|at| at.mono.plus(ANSWER_GRACE));
        [timeout, look_up, rows, grace].into_iter().flatten().min().unwrap_or(Mono::MAX)
    }

    /// Whether it fell into doubt since this was last asked.
    pub(super) fn take_doubt(&mut self) -> bool {
        self.doubt.as_mut().is_some_and(|doubt| !std::mem::replace(&mut doubt.told, true))
    }

    /// Whether rows of it are missing.
    pub(super) fn rows_are_missing(&self) -> bool {
        self.done.is_none() && self.missing.is_some() && self.waits_for_rows()
    }

    /// Whether its rows went missing since this was last asked.
    pub(super) fn take_missing(&mut self) -> bool {
        self.done.is_none()
            && self.missing.as_mut().is_some_and(|m| !std::mem::replace(&mut m.told, true))
    }

    /// What it went through.
    pub(super) fn transitions(&self) -> Transitions {
        self.transitions
    }

    /// When it is in doubt without an answer: after `order_timeout`, and at the latest when it can be
    /// proven dead.
    fn timeout(&self, order_timeout: Nanos) -> Option<Mono> {
        let proof = |sent: &Sent| sent.expires.plus(EXPIRY_MARGIN);
        self.sent.map(|sent| sent.at.mono.plus(order_timeout).min(proof(&sent)))
    }

    /// Whether it is known how much of it has filled or will: what an update says of an end may still
    /// be overruled by the answer, or leave the size open.
    pub(super) fn is_fate_known(&self) -> bool {
        let told = !self.is_guessing() && !self.waits_for_answer();
        // How much filled may stay unknown for as long as no reading tells: nothing more of it can.
        let overdue = self.missing.is_some();
        self.done.is_some() || (self.life.is_closed() && (told || overdue))
    }

    /// Reports an exit whose outcome is known, once.
    pub(super) fn take_closed_exit(&mut self) -> Option<ClosedExit> {
        if !self.order.reduce_only || self.close_told || !self.is_fate_known() {
            return None;
        }
        self.close_told = true;
        Some(ClosedExit {
            market: self.order.market,
            sent: self.sent.is_some(),
            heard: self.answered.is_some() || self.updated_at.is_some(),
            together: self.together,
            filled: self.filled(),
            // An update says that it was rejected, and the answer would have said why.
            refusal: self.life.refusal().filter(|why| self.answered.is_some() || why.is_listed()),
        })
    }

    fn rows_due(&self) -> Mono {
        self.closed_at.unwrap_or_default().mono.plus(ROWS_GRACE)
    }

    /// Applies `event`; returns whether it was legal.
    fn tell(&mut self, event: OrderEvent) -> bool {
        let from = self.life.state();
        let legal = self.life.apply(event).is_ok();
        self.transitions.go(from, self.life.state());
        if !legal {
            self.contradicted = self.contradicted.saturating_add(1);
        }
        legal
    }

    /// Applies an event that ends it; what was in doubt is settled.
    fn close(&mut self, event: OrderEvent) {
        if self.tell(event) {
            self.doubt = None;
        }
    }

    /// Its end has to be found out, unless it is known.
    fn begin_doubt(&mut self, now: Now, suspect: Option<Refusal>) {
        if self.life.is_closed() || self.sent.is_none() {
            return;
        }
        let next = now.mono;
        let fresh = Doubt { told: false, asks: 0, unknown: 0, next, suspect: None };
        let doubt = self.doubt.get_or_insert(fresh);
        doubt.suspect = doubt.suspect.or(suspect);
    }

    /// Whether rows alone can tell what filled, and none has come.
    fn is_guessing(&self) -> bool {
        self.guess.is_some() && !self.answer_tells && self.rows.sz == Sz::ZERO
    }

    fn waits_for_rows(&self) -> bool {
        let short = self.rows.sz < self.filled() || self.is_guessing();
        self.life.is_closed() && self.done.is_none() && short
    }

    /// An update said that nothing filled, and the answer may still overrule it.
    fn waits_for_answer(&self) -> bool {
        let empty = self.filled() == Sz::ZERO && !self.is_guessing();
        self.life.is_closed() && self.done.is_none() && empty && self.answer_due
    }

    /// Over, once its end is certain and its rows account for what filled.
    fn settle(&mut self, now: Now) {
        if !self.life.is_closed() {
            return;
        }
        self.doubt = None; // Its rows filled it up.
        let closed_at = *self.closed_at.get_or_insert(now);
        let patient = self.waits_for_answer() && now.mono < closed_at.mono.plus(ANSWER_GRACE);
        if self.done.is_none() && !self.waits_for_rows() && !patient {
            self.done = Some(now);
        }
    }

    fn outcome(&self) -> Outcome {
        match self.life.state() {
            OrderState::Pending => Outcome::Dropped,
            OrderState::Submitted => Outcome::Unknown,
            OrderState::PartiallyFilled => Outcome::PartiallyFilled,
            OrderState::Filled => Outcome::Filled,
            OrderState::Rejected => Outcome::Rejected,
            OrderState::Expired if self.is_guessing() => Outcome::Unknown,
            OrderState::Expired => Outcome::Expired,
        }
    }

    /// Mean price of what filled: of the rows when they tell it all, else the answer's.
    fn avg_px(&self) -> Option<Px> {
        let told = i128::from(self.rows.sz.units());
        let of_rows = self.rows.value.checked_div(told).and_then(|px| i64::try_from(px).ok());
        let of_rows = of_rows.map(Px::from_units);
        if self.rows.sz < self.filled() { self.answer_px.or(of_rows) } else { of_rows }
    }

    /// What there is to say at its end; `None` while it is not over.
    pub(super) fn ended(&self) -> Option<Ended> {
        let ended_at = self.done?.wall;
        let (order, outcome, refusal) = (self.order, self.outcome(), self.life.refusal());
        let sent = self.sent.as_ref();
        let answer = sent.zip(self.answered);
        let row = OrderRow {
            cloid: order.cloid,
            oid: self.oid,
            nonce: sent.map(|sent| sent.nonce),
            coin: order.coin,
            asset: order.asset,
            side: order.side,
            px: order.px,
            sz: order.sz,
            reduce_only: order.reduce_only,
            purpose: order.purpose,
            outcome,
            refusal,
            filled: self.filled(),
            avg_px: self.avg_px(),
            fee: self.rows.fee,
            created_at: self.created.wall,
            sent_at: sent.map(|sent| sent.at.wall),
            answered_at: self.answered.map(|at| at.wall),
            updated_at: self.updated_at,
            filled_at: self.rows.last_at,
            ended_at,
            send_latency: sent.map(|sent| sent.at.mono.since(self.created.mono)),
            answer_latency: answer.map(|(sent, at)| at.mono.since(sent.at.mono)),
        };
        Some(Ended {
            id: self.id,
            order,
            outcome,
            refusal,
            words: self.words.filter(|_| refusal.is_some()),
            filled: self.filled(),
            unaccounted: less(self.filled(), self.rows.sz),
            row,
        })
    }
}

/// `a` less `b`, or nothing.
fn less(a: Sz, b: Sz) -> Sz {
    Sz::from_units(a.units().saturating_sub(b.units()).max(0))
}
