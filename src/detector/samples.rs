//! Samples of the market after a signal: its follow-ups (what the market did) and its fill probes
//! (what an order sent at the signal would have met).
//!
//! Every signal gets every one of them: taken at the first pass of the loop at or after the due
//! time, from the state held then.

use smallvec::SmallVec;

use crate::feed::market::Market;
use crate::types::ids::{Coin, MarketId, SignalId};
use crate::types::num::{Bps, Px, Side, Sz};
use crate::types::record::{EntryRow, FOLLOW_UP_MS, FollowUpRow, Row, SampleStatus};
use crate::types::time::{Mono, Nanos, Now, Wall};

/// A signal, kept until its last sample.
#[derive(Clone, Copy, Debug)]
pub struct TrackedSignal {
    /// The signal.
    pub id: SignalId,
    /// Its market.
    pub market: MarketId,
    /// Its market's name.
    pub coin: Coin,
    /// Its side.
    pub side: Side,
    /// When it was found.
    pub at: Now,
    /// The touched price.
    pub px: Px,
    /// The oracle price.
    pub oracle: Px,
    /// Bid and ask price together: twice the mid.
    pub mid2: i128,
    /// The edge.
    pub edge: Bps,
    /// The suggested size.
    pub sz: Sz,
}

/// Kind of a sample.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum SampleKind {
    FollowUp,
    Entry,
}

/// Signals whose last sample has not been taken.
#[derive(Debug)]
pub struct SignalSamples {
    /// Offsets from the signal in milliseconds, ascending. The usual seven lie inline: each sample
    /// reads them.
    schedule: SmallVec<[(u32, SampleKind); 8]>,
    slots: Vec<Option<(TrackedSignal, usize)>>,
    free: Vec<u32>,
}

/// Most signals that wait at once, with room reserved for all of them: 16 new ones from each of two
/// hundred markets each second, for five seconds. A feed that makes more is not a market.
pub const MAX_WAITING: usize = 16_384;

/// How much of a market can be seen at `now`; `late` says that the feed is late.
pub fn capture(now: Mono, market: &Market, stale_after: Option<Nanos>, late: bool) -> SampleStatus {
    match (market.bbo, market.ctx) {
        (Some(_), Some(_)) if late || market.ctx_is_stale(now, stale_after) => SampleStatus::Stale,
        (Some(_), Some(_)) => SampleStatus::Captured,
        _ => SampleStatus::Disconnected,
    }
}

impl SignalSamples {
    /// Follow-ups at their fixed offsets, entry probes at `latencies_ms`.
    pub fn new(latencies_ms: &[u32]) -> Self {
        let follow_ups = FOLLOW_UP_MS.iter().map(|ms| (*ms, SampleKind::FollowUp));
        let entries = latencies_ms.iter().map(|ms| (*ms, SampleKind::Entry));
        let mut schedule: SmallVec<_> = follow_ups.chain(entries).collect();
        schedule.sort_by_key(|(ms, _)| *ms);
        let slots = Vec::with_capacity(MAX_WAITING);
        Self { schedule, slots, free: Vec::with_capacity(MAX_WAITING) }
    }

    /// Tracks a signal. Returns its slot and when its first sample is due; `None` when too many
    /// wait.
    pub fn track(&mut self, signal: TrackedSignal) -> Option<(u32, Mono)> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < MAX_WAITING => {
                self.slots.push(None);
                (self.slots.len() - 1) as u32
            }
            None => return None,
        };
        self.slots[slot as usize] = Some((signal, 0));
        Some((slot, self.due(&signal, 0)?))
    }

    /// Whether another signal can be tracked.
    pub fn has_room(&self) -> bool {
        !self.free.is_empty() || self.slots.len() < MAX_WAITING
    }

    /// The market of the signal in `slot`.
    pub fn market(&self, slot: u32) -> Option<MarketId> {
        let (signal, _) = self.slots.get(slot as usize)?.as_ref()?;
        Some(signal.market)
    }

    /// Takes the sample that is due in `slot` from `market`. Returns its row, and when the next one
    /// of that signal is due, if there is one.
    pub fn take(
        &mut self,
        now: Now,
        slot: u32,
        market: &Market,
        stale_after: Option<Nanos>,
        late: bool,
    ) -> Option<(Row, Option<Mono>)> {
        let (signal, step) = *self.slots.get(slot as usize)?.as_ref()?;
        let status = capture(now.mono, market, stale_after, late);
        let row = self.row(&signal, step, now, Some(market), status)?;
        let next = self.due(&signal, step + 1);
        if next.is_some() {
            self.slots[slot as usize] = Some((signal, step + 1));
        } else {
            self.slots[slot as usize] = None;
            self.free.push(slot);
        }
        Some((row, next))
    }

    /// Takes every pending sample, as one that never came due, and forgets all signals.
    pub fn shut_down(&mut self, now: Now, mut emit: impl FnMut(Row)) {
        let waiting = std::mem::take(&mut self.slots);
        self.free.clear();
        for (signal, first) in waiting.into_iter().flatten() {
            for step in first..self.schedule.len() {
                if let Some(row) = self.row(&signal, step, now, None, SampleStatus::Shutdown) {
                    emit(row);
                }
            }
        }
    }

    fn due(&self, signal: &TrackedSignal, step: usize) -> Option<Mono> {
        let (ms, _) = self.schedule.get(step)?;
        Some(signal.at.mono.plus(Nanos::from_millis(u64::from(*ms))))
    }

    fn row(
        &self,
        signal: &TrackedSignal,
        step: usize,
        now: Now,
        market: Option<&Market>,
        status: SampleStatus,
    ) -> Option<Row> {
        let (ms, kind) = *self.schedule.get(step)?;
        let market = market.filter(|_| status != SampleStatus::Disconnected);
        Some(match kind {
            SampleKind::FollowUp => Row::FollowUp(follow_up(signal, ms, now, market, status)),
            SampleKind::Entry => Row::Entry(entry(signal, ms, now.wall, market, status)),
        })
    }
}

fn follow_up(
    signal: &TrackedSignal,
    offset_ms: u32,
    now: Now,
    market: Option<&Market>,
    status: SampleStatus,
) -> FollowUpRow {
    let bbo = market.and_then(|m| m.bbo).map(|held| held.value);
    let (bid, ask) = (bbo.and_then(|b| b.bid), bbo.and_then(|b| b.ask));
    let oracle_px = market.and_then(|m| m.ctx).and_then(|held| held.value.oracle);
    let standing = |side| bbo.and_then(|b| b.standing(side));
    let raw_edge =
        standing(signal.side).zip(oracle_px).and_then(|(t, oracle)| t.px.edge(signal.side, oracle));
    let units = |px: Px| i128::from(px.units());
    let market_moved = bbo
        .and_then(|b| b.tradable())
        .and_then(|(bid, ask)| Bps::of(units(bid.px) + units(ask.px) - signal.mid2, signal.mid2));
    let gain = match signal.side {
        Side::Buy => standing(Side::Sell).map(|level| units(level.px) - units(signal.px)),
        Side::Sell => standing(Side::Buy).map(|level| units(signal.px) - units(level.px)),
    };
    FollowUpRow {
        signal: signal.id,
        coin: signal.coin,
        side: signal.side,
        signal_at: signal.at.wall,
        offset_ms,
        captured_at: now.wall,
        oracle_px,
        bid,
        ask,
        raw_edge,
        edge_change: raw_edge.and_then(|edge| edge.checked_sub(signal.edge)),
        oracle_moved: oracle_px
            .and_then(|px| Bps::of(units(px) - units(signal.oracle), units(signal.oracle))),
        market_moved,
        markout: gain.and_then(|gain| Bps::of(gain, units(signal.px))),
        bbo_age: market.and_then(|m| m.bbo_age(now.mono)),
        status,
    }
}

fn entry(
    signal: &TrackedSignal,
    latency_ms: u32,
    captured_at: Wall,
    market: Option<&Market>,
    status: SampleStatus,
) -> EntryRow {
    let bbo = market.and_then(|m| m.bbo).map(|held| held.value);
    let touched = bbo.and_then(|b| b.touched(signal.side));
    let available_sz = bbo.map(|bbo| match bbo.standing(signal.side) {
        Some(level) if level.px.at_or_better(signal.side, signal.px) => level.sz,
        Some(_) | None => Sz::ZERO,
    });
    EntryRow {
        signal: signal.id,
        coin: signal.coin,
        side: signal.side,
        signal_at: signal.at.wall,
        latency_ms,
        captured_at,
        limit_px: signal.px,
        px: touched.map(|level| level.px),
        available_sz,
        fillable_sz: available_sz.map(|sz| sz.min(signal.sz)),
        oracle_px: market.and_then(|m| m.ctx).and_then(|held| held.value.oracle),
        status,
    }
}
