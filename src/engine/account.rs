//! Readings of the account: when they are wanted, and what they say of positions, budget and funds.

use crate::engine::trader::Trader;
use crate::feed::bucket::TokenBucket;
use crate::feed::market::Market;
use crate::position::{Comparison, LAG_MS, MISMATCH_READS, Ours, Verdict};
use crate::types::account::{AccountState, HeldPosition};
use crate::types::event::{Action, Actions};
use crate::types::ids::{Coin, MarketId};
use crate::types::log_event::LogEvent;
use crate::types::num::{Sz, Szi, Usd};
use crate::types::order::{Fill, Order};
use crate::types::time::{Mono, Nanos, Now, VenueMs};

/// A reading that has no answer after this is asked for again.
const TIMEOUT: Nanos = Nanos::from_secs(60);
/// First delay after a failed reading; doubles up to [`LONGEST_RETRY`].
const RETRY: Nanos = Nanos::from_secs(2);
const LONGEST_RETRY: Nanos = Nanos::from_secs(30);
/// Shortest pause between two readings: each costs REST weight (PROTOCOL.md §8.1).
const PAUSE: Nanos = Nanos::from_secs(2);
/// How far back the first reading asks for fills: positions that are found get their times and
/// fees from them.
const LOOK_BACK_MS: i64 = 24 * 3_600_000;
/// Fills are asked for from a little before the last one known: blocks are not strictly ordered.
const OVERLAP_MS: i64 = 5_000;
/// A state that is older than the newest block by more than this is no news: the venue answers from a
/// snapshot up to half a second old (PROTOCOL.md §4).
const MAX_STATE_LAG_MS: i64 = 30_000;

/// Weight of readings over REST that may go at once, and how long one takes to come back: so a minute
/// sees 550 of the 1,200 that the venue grants to an address (PROTOCOL.md §8.1), and 50 are left for
/// answers with many rows. The other half is for whoever else asks from here: preflight, the agent's
/// validity, other programs. A reading that fails has taken its weight: whether the venue counted it is
/// not known.
const REST_BURST: u32 = 250;
const REST_REFILL: Nanos = Nanos::from_millis(200);

/// What is left of the REST weight. Readings of the venue and of the account take turns when both wait.
#[derive(Clone, Debug)]
pub(super) struct RestBudget {
    bucket: TokenBucket,
    /// Weight of a reading of the venue: `perpDexs` and `userFees`, and three questions a dex.
    universe: u32,
    /// Until when a reading of the venue, and one of the account, is known to wait.
    universe_waits: Mono,
    account_waits: Mono,
    /// Whether the last one was of the venue.
    universe_was_last: bool,
}

/// Whoever waits for weight asks again within this.
const TURN: Nanos = Nanos::from_secs(1);

impl RestBudget {
    /// All of it, for so many dexes.
    pub(super) fn new(dexes: usize) -> Self {
        Self {
            bucket: TokenBucket::new(REST_BURST, REST_REFILL),
            universe: 40_u32.saturating_add(60_u32.saturating_mul(dexes as u32)),
            universe_waits: Mono(0),
            account_waits: Mono(0),
            universe_was_last: false,
        }
    }

    /// Takes what a reading of the venue weighs; else returns when to ask again.
    pub(super) fn take_universe(&mut self, now: Mono) -> Result<(), Mono> {
        let turn = !self.universe_was_last || now >= self.account_waits;
        if turn && self.bucket.take_owing(now, self.universe) {
            (self.universe_waits, self.universe_was_last) = (Mono(0), true);
            return Ok(());
        }
        self.universe_waits = now.plus(TURN).plus(TURN);
        Err(now.plus(TURN))
    }

    /// The same for a reading of the account; an `urgent` one waits for no turn.
    fn take_account(&mut self, now: Mono, weight: u32, urgent: bool) -> Result<(), Mono> {
        let turn = urgent || self.universe_was_last || now >= self.universe_waits;
        if turn && self.bucket.take(now, weight) {
            (self.account_waits, self.universe_was_last) = (Mono(0), false);
            return Ok(());
        }
        self.account_waits = now.plus(TURN).plus(TURN);
        Err(now.plus(TURN))
    }

    /// Takes what another question weighs, if it is there.
    pub(super) fn take(&mut self, now: Mono, weight: u32) -> bool {
        self.bucket.take_owing(now, weight)
    }
}

/// Weight of a reading of the account with few fills: its mode (once in ten minutes), a state for each
/// dex and the spot side, its budget and its fills.
fn account_weight(dexes: usize) -> u32 {
    44_u32.saturating_add(2 * dexes as u32)
}

/// When the account is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Not before then.
    at: Mono,
    /// Since when an answer is awaited.
    asked: Option<Mono>,
    last: Option<Mono>,
    failures: u32,
    /// After a failure no request goes before its pause.
    not_before: Mono,
    /// Whether the answer that is awaited was asked for before this link.
    void: bool,
    /// Fills up to here are known.
    known_until: Option<VenueMs>,
}

impl Default for Reading {
    /// Nothing is wanted before there are markets.
    fn default() -> Self {
        Self {
            at: Mono::MAX,
            asked: None,
            last: None,
            failures: 0,
            not_before: Mono(0),
            void: false,
            known_until: None,
        }
    }
}

impl Reading {
    /// A reading is wanted as soon as may be.
    pub(super) fn wanted(&mut self, now: Mono) {
        let soonest = self.last.map_or(now, |last| last.plus(PAUSE)).max(now).max(self.not_before);
        self.at = self.at.min(soonest);
    }

    /// A link is open: a reading is wanted at once, however long one that failed was to wait. An
    /// answer that is under way tells of the time before the link, when orders of the last one may
    /// still have filled.
    pub(super) fn on_connected(&mut self, now: Mono) {
        self.void = self.asked.is_some();
        self.failures = 0;
        self.not_before = Mono(0);
        self.at = now;
    }

    /// When the last answer came.
    pub(super) const fn last(&self) -> Option<Mono> {
        self.last
    }

    pub(super) fn next_due(&self) -> Mono {
        self.asked.map_or(self.at, |asked| asked.plus(TIMEOUT))
    }
}

impl Trader {
    /// When the account was last read whole.
    pub(super) const fn account_read_at(&self) -> Option<Mono> {
        self.reading.last
    }

    /// Asks for a reading, if one is due.
    pub(super) fn read_account(&mut self, now: Now, rest: &mut RestBudget, out: &mut Actions) {
        let overdue = self.reading.asked.is_some_and(|asked| now.mono.since(asked) >= TIMEOUT);
        let due = self.reading.asked.is_none() && now.mono >= self.reading.at;
        if self.entry_blocks.is_empty() || !(due || overdue) {
            return; // Without markets there is nothing to compare with.
        }
        let weight = account_weight(self.settings.dexes);
        // On a new link nothing is known before it.
        let urgent = !self.reconciler.synced();
        if let Err(again) = rest.take_account(now.mono, weight, urgent) {
            self.reading.asked = None;
            self.reading.at = again;
            return;
        }
        self.reading.asked = Some(now.mono);
        self.reading.at = Mono::MAX;
        let fills_since = match self.reading.known_until {
            Some(VenueMs(ms)) => VenueMs(ms - OVERLAP_MS),
            // An account with more fills than can be read is asked for less and less of them.
            None => {
                VenueMs(now.wall.0 / 1_000_000 - (LOOK_BACK_MS >> self.reading.failures.min(10)))
            }
        };
        out.push(Action::ReadAccount { fills_since });
    }

    pub(super) fn on_account_failed(&mut self, now: Now, out: &mut Actions) {
        self.counts.account_reads.1 += 1;
        self.reading.asked = None;
        let retry = Nanos(RETRY.0 << self.reading.failures.min(8)).min(LONGEST_RETRY);
        self.reading.failures = self.reading.failures.saturating_add(1);
        self.reading.at = now.mono.plus(retry);
        self.reading.not_before = self.reading.at;
        if !std::mem::take(&mut self.reading.void) {
            self.exits_read_first = now.mono; // This link's first reading is not to be had soon.
        }
        out.log(LogEvent::AccountFailed { retry });
    }

    /// Compares what we think with what the venue says.
    pub(super) fn on_account(
        &mut self,
        now: Now,
        state: &AccountState,
        markets: &[Market],
        out: &mut Actions,
    ) {
        self.counts.account_reads.0 += 1;
        self.reading.asked = None;
        self.reading.failures = 0;
        self.reading.not_before = Mono(0);
        self.reading.last = Some(now.mono);
        self.available = state.available;
        self.budget.reset(now.mono, state.rate_limit);
        // Fills that the socket lost: each counts once, whoever told of it.
        for fill in &state.fills {
            self.on_fill(now, fill, markets, out);
        }
        self.reconcile(now, state, markets, out);
        // Until every market has been taken over the past is asked for again: it tells where what is
        // held came from, and what ended while nobody listened.
        if self.positions.all_based() {
            let newest = state.fills.iter().map(|fill| fill.time).max();
            let known = self.reading.known_until.max(newest);
            // Nothing was filled in the time asked for: from now on only newer ones matter.
            let asked = || state.dexes.iter().map(|dex| dex.time).min();
            self.reading.known_until = known.or_else(asked);
        }
        if std::mem::take(&mut self.reading.void) {
            self.reconciler.on_reconnect(now.mono);
        }
        // A gain that has left the window may uncover a loss.
        self.judge_losses(now, out);
        let positions = self.positions.count_open();
        let budget_left = self.budget.left();
        out.log(LogEvent::AccountRead { positions, available: state.available, budget_left });
        let next = self.reconciler.wants_read_at();
        self.reading.at = self.reading.at.min(next).max(now.mono.plus(PAUSE));
    }

    fn reconcile(&mut self, now: Now, state: &AccountState, markets: &[Market], out: &mut Actions) {
        let mut verdicts = std::mem::take(&mut self.verdicts);
        let behind = self.clock_behind_ms();
        let fresh_from = VenueMs(self.newest_block.0.saturating_sub(MAX_STATE_LAG_MS));
        let Self { reconciler, positions, orders, .. } = self;
        let ours = |id| Ours {
            held: positions.held(id),
            outstanding: orders.outstanding(id).later(behind),
        };
        reconciler.judge(now.mono, state, fresh_from, ours, &mut verdicts);
        let mut adopted = false;
        for comparison in &verdicts {
            let Some(market) = markets.get(comparison.market.index()) else { continue };
            let coin = market.spec.coin;
            let held = match comparison.verdict {
                Verdict::Agrees => continue,
                Verdict::Unconfirmed | Verdict::Outdated => continue,
                Verdict::Explained { extra } => {
                    self.account_for(now, comparison, extra, markets, out);
                    continue;
                }
                Verdict::Waiting { reads, ours, theirs } => {
                    out.log(LogEvent::PositionDiffers { coin, ours, theirs, reads });
                    continue;
                }
                Verdict::Adopt(held) => Some(held),
                Verdict::Flat => None,
                Verdict::Mismatch { ours, theirs, held } => {
                    let reads = MISMATCH_READS;
                    out.log(LogEvent::PositionDiffers { coin, ours, theirs, reads });
                    if let Some(reason) = self.monitor.on_mismatch() {
                        self.stop_for(now, reason, out);
                    }
                    held
                }
            };
            adopted = true;
            self.adopt(now, comparison, held.as_ref(), market, &state.fills, out);
            self.settle_claims(now, comparison);
        }
        self.verdicts = verdicts;
        if adopted {
            // Later than the state that was taken over: not applied while there was no baseline.
            for fill in &state.fills {
                self.on_fill(now, fill, markets, out);
            }
        }
    }

    /// A reading has accounted for orders whose rows never came: `extra`, on top of what rows tell, is
    /// what they filled. It is recorded as their fills, at the prices that their answers told, without a
    /// fee, which rows alone tell.
    fn account_for(
        &mut self,
        now: Now,
        comparison: &Comparison,
        extra: Szi,
        markets: &[Market],
        out: &mut Actions,
    ) {
        let (id, until) = (comparison.market, self.claims_until(comparison.at));
        let Some(market) = markets.get(id.index()) else { return };
        // What was possible and not announced takes up the rest, the oldest order first.
        let announced = self.orders.outstanding(id).announced;
        let mut rest = extra.units().saturating_sub(announced.units());
        while let Some(claim) = self.orders.claim(id, until) {
            let signed = Szi::of(claim.side, claim.possible).units();
            let more = if signed < 0 { rest.max(signed).min(0) } else { rest.min(signed).max(0) };
            rest = rest.saturating_sub(more);
            let units = claim.announced.units().saturating_add(more.saturating_abs());
            let order = self.orders.get(claim.id).map(|tracked| *tracked.order());
            if let (Some(order), true) = (order, units > 0) {
                let before = self.positions.baseline(id).unwrap_or(VenueMs(i64::MIN));
                let fill = Fill {
                    coin: market.spec.coin,
                    px: claim.px,
                    sz: Sz::from_units(units),
                    side: claim.side,
                    time: claim.since.max(VenueMs(before.0.saturating_add(1))),
                    start_position: self.positions.held(id),
                    closed_pnl: Usd::ZERO,
                    oid: claim.oid.unwrap_or(0),
                    cloid: Some(order.cloid),
                    tid: 0,
                    fee: Usd::ZERO,
                    liquidation: false,
                };
                let (coin, cloid, sz) = (order.coin, order.cloid, fill.sz);
                out.log(LogEvent::FillsAssumed { coin, cloid, sz });
                self.on_fill(now, &fill, markets, out);
            }
            self.orders.accounted(now, claim.id);
        }
        self.positions.raise_baseline(id, comparison.at);
    }

    /// The venue's position was taken over: what orders said before that is in it, or was wrong.
    fn settle_claims(&mut self, now: Now, comparison: &Comparison) {
        let until = self.claims_until(comparison.at);
        while let Some(claim) = self.orders.claim(comparison.market, until) {
            self.orders.accounted(now, claim.id);
        }
    }

    /// The newest claim, by our clock, that a state of the time `at` accounts for.
    fn claims_until(&self, at: VenueMs) -> VenueMs {
        VenueMs(at.0.saturating_sub(LAG_MS).saturating_sub(self.clock_behind_ms()))
    }

    /// How far our clock is behind the venue's, milliseconds, as far as blocks and the venue's own word tell.
    fn clock_behind_ms(&self) -> i64 {
        i64::try_from(self.clock_behind.as_millis()).unwrap_or(i64::MAX)
    }

    fn adopt(
        &mut self,
        now: Now,
        comparison: &Comparison,
        held: Option<&HeldPosition>,
        market: &Market,
        fills: &[Fill],
        out: &mut Actions,
    ) {
        let id = comparison.market;
        let was_flat = self.positions.held(id).is_flat();
        let unread = !self.positions.is_based(id);
        let mut ended_before: Option<Usd> = None;
        for row in self.positions.unrecorded(now, id, comparison.at, held, fills) {
            self.on_trade(row, out);
            ended_before = Some(ended_before.unwrap_or_default().saturating_add(row.net));
        }
        let told = self.positions.get(id).map_or(Usd::ZERO, |position| position.realized());
        let row = self.positions.adopt(now, id, comparison.at, held, market.mark(), fills);
        if let Some(row) = row {
            self.on_trade(row, out);
            self.on_money(now, row.net.saturating_sub(told), out);
        }
        if unread {
            self.count_earlier(now, id, market.spec.coin, ended_before, out);
        }
        self.count_held(id);
        self.keep_open(id, market.spec.coin, out);
        if let Some(position) = self.positions.get(id).filter(|_| was_flat) {
            let (coin, szi) = (market.spec.coin, position.szi);
            let px = position.entry_px().unwrap_or_default();
            out.log(LogEvent::PositionAdopted { coin, szi, px });
        }
    }

    /// What was won and lost in a market between the last run's end and its first reading: `ended` of
    /// round trips that are over, and of the position that is held what its fills say. What the last run
    /// had counted of them is taken off.
    fn count_earlier(
        &mut self,
        now: Now,
        id: MarketId,
        coin: Coin,
        ended: Option<Usd>,
        out: &mut Actions,
    ) {
        let counted = self.earlier_losses.take_open(&coin);
        let held = self.positions.get(id).filter(|position| position.fills > 0);
        // Of a position that no run of ours had open nothing is known to be ours but what follows.
        let held = held.map(|position| position.realized()).filter(|_| counted.is_some());
        if ended.is_some() || held.is_some() {
            let made = ended.unwrap_or_default().saturating_add(held.unwrap_or_default());
            self.on_money(now, made.saturating_sub(counted.unwrap_or_default()), out);
        }
    }

    /// Orders whose fills have not all been told ask for a reading.
    pub(super) fn want_missing_fills(&mut self, now: Now, out: &mut Actions) {
        while let Some(missing) = self.orders.take_rows_missing() {
            let Order { coin, cloid, .. } = missing.order;
            out.log(LogEvent::FillRowsMissing { coin, cloid });
            self.reading.wanted(now.mono);
        }
    }
}
