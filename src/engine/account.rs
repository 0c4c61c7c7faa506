//! Readings of the account: when they are wanted, and what they say of positions, budget and funds.

use crate::engine::trader::Trader;
use crate::feed::market::Market;
use crate::position::{Judged, MISMATCH_READS, Verdict};
use crate::types::account::{AccountState, HeldPosition};
use crate::types::event::{Action, Actions};
use crate::types::note::Note;
use crate::types::num::{Szi, Usd};
use crate::types::order::Fill;
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

/// When the account is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Not before then.
    at: Mono,
    /// Since when an answer is awaited.
    asked: Option<Mono>,
    last: Option<Mono>,
    failures: u32,
    /// After a failure nobody's wish goes before its pause.
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

    /// A link is open: an answer that is under way tells of the time before it, when orders of the
    /// last one may still have filled.
    pub(super) fn on_connected(&mut self) {
        self.void = self.asked.is_some();
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
    pub(super) fn read_account(&mut self, now: Now, out: &mut Actions) {
        let overdue = self.reading.asked.is_some_and(|asked| now.mono.since(asked) >= TIMEOUT);
        let due = self.reading.asked.is_none() && now.mono >= self.reading.at;
        if self.bars.is_empty() || !(due || overdue) {
            return; // Without markets there is nothing to compare with.
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
        self.reading.void = false;
        out.note(Note::AccountFailed { retry });
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
        if let Some(reason) = self.monitor.on_time(now.mono) {
            self.stop_for(now, reason, out);
        }
        let positions = self.positions.count_open();
        let budget_left = self.budget.left();
        out.note(Note::AccountRead { positions, available: state.available, budget_left });
        let next = self.reconciler.wants_read_at();
        self.reading.at = self.reading.at.min(next).max(now.mono.plus(PAUSE));
    }

    fn reconcile(&mut self, now: Now, state: &AccountState, markets: &[Market], out: &mut Actions) {
        let mut verdicts = std::mem::take(&mut self.verdicts);
        let Self { reconciler, positions, orders, .. } = self;
        // What does not fit is no size that is held anywhere: it differs from all of them.
        let ours = |id| {
            let whole = positions.held(id).checked_add(orders.announced(id));
            whole.unwrap_or(Szi::from_units(i64::MAX))
        };
        reconciler.judge(now.mono, state, ours, &mut verdicts);
        let mut adopted = false;
        for judged in &verdicts {
            let Some(market) = markets.get(judged.market.index()) else { continue };
            let coin = market.spec.coin;
            let held = match judged.verdict {
                Verdict::Agrees => continue,
                Verdict::Waiting { reads, ours, theirs } => {
                    out.note(Note::PositionDiffers { coin, ours, theirs, reads });
                    continue;
                }
                Verdict::Adopt(held) => Some(held),
                Verdict::Flat => None,
                Verdict::Mismatch { ours, theirs, held } => {
                    let reads = MISMATCH_READS;
                    out.note(Note::PositionDiffers { coin, ours, theirs, reads });
                    if let Some(reason) = self.monitor.on_mismatch() {
                        self.stop_for(now, reason, out);
                    }
                    held
                }
            };
            adopted = true;
            self.adopt(now, judged, held.as_ref(), market, &state.fills, out);
        }
        self.verdicts = verdicts;
        if adopted {
            // Later than the state that was taken over: not applied while there was no baseline.
            for fill in &state.fills {
                self.on_fill(now, fill, markets, out);
            }
        }
    }

    fn adopt(
        &mut self,
        now: Now,
        judged: &Judged,
        held: Option<&HeldPosition>,
        market: &Market,
        fills: &[Fill],
        out: &mut Actions,
    ) {
        let id = judged.market;
        let was_flat = self.positions.held(id).is_flat();
        for row in self.positions.unbooked(now, id, judged.at, held, fills) {
            self.on_trade(row, out);
            self.on_money(now, row.net, out);
        }
        let told = self.positions.get(id).map_or(Usd::ZERO, |position| position.realized());
        let row = self.positions.adopt(now, id, judged.at, held, market.mark(), fills);
        if let Some(row) = row {
            self.on_trade(row, out);
            self.on_money(now, row.net.saturating_sub(told), out);
        }
        self.count_held(id);
        if let Some(position) = self.positions.get(id).filter(|_| was_flat) {
            let (coin, szi) = (market.spec.coin, position.szi);
            let px = position.entry_px().unwrap_or_default();
            out.note(Note::PositionAdopted { coin, szi, px });
        }
    }

    /// Orders whose fills have not all been told ask for a reading.
    pub(super) fn want_missing_fills(&mut self, now: Now) {
        while self.orders.take_rows_missing().is_some() {
            self.reading.wanted(now.mono);
        }
    }
}
