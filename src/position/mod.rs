//! What we hold: positions made of fills, when to let go of them, whether the venue agrees, and
//! what stops the engine.
//!
//! A fill is money however it was told, so every fill is applied once and nothing else moves a
//! position but [`Positions::adopt`], which takes over what the venue says. What must never happen
//! here: a position forgotten because an answer was empty; an entry time that moves; a fill that
//! counts twice.

use crate::types::account::RecordedTrades;
use crate::types::ids::{AssetId, Coin, MarketId, SignalId};
use crate::types::num::{Px, Szi, Usd};
use crate::types::order::Fill;
use crate::types::record::{ExitReason, TradeRow};
use crate::types::time::{Mono, Nanos, Now, VenueMs};

mod adopt;
mod dedup;
mod exits;
mod loss;
mod monitor;
mod reach;
mod reconcile;
mod trip;

#[cfg(test)]
mod tests;

pub use exits::{Alarm, ExitEnd, ExitOrder, ExitState, ExitView, RULES, RuleFn};
pub use monitor::RiskMonitor;
pub use reconcile::{Comparison, LAG_MS, MISMATCH_READS, Ours, Reconciler, Verdict};
pub use trip::Position;

use dedup::FillDedup;

/// Order behind a fill.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FillOrigin {
    /// An entry of ours, for this signal.
    Entry(SignalId),
    /// An exit of ours.
    Exit(ExitReason),
    /// An order that is not ours: the account's owner, or a liquidation.
    Foreign,
}

/// Effect of a fill on the position.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "made once a fill, and looked at where it is made")]
pub enum AppliedFill {
    /// It was applied before.
    Duplicate,
    /// It lies at or before the baseline, whose position holds it already; or there is no baseline
    /// yet, and the reading that makes one will hold it or be followed by it once more.
    BeforeSnapshot,
    /// It cannot be: the market is unknown or another one's, its size is not above zero, or the
    /// position would not fit. Nothing changed; the account has to be read.
    Inconsistent,
    /// It moved the position.
    Applied {
        /// Whether a position began with it, be it by a flip.
        opened: bool,
        /// The round trip that it ended.
        closed: Option<TradeRow>,
        /// Whether it went through zero: one round trip ended and another began.
        flipped: bool,
        /// Profit of what it closed, less its fee. Over a round trip they sum up to its `net`.
        realized: Usd,
    },
}

/// Fills that arrive more than this after their block come from a reading, and what they open or
/// close is dated back to their block. Below, receipt counts: that much our clock and the venue's
/// may differ.
const LATE: Nanos = Nanos::from_secs(5);

/// Difference between the venue's realised profit and ours that is rounding, in units of 1e-6 USD.
const PNL_ROUNDING: i128 = 1_000;

/// The positions of all markets. One owner; each slot is replaced whole.
#[derive(Clone, Debug)]
pub struct Positions {
    slots: Vec<Slot>,
    seen: FillDedup,
    next_trade_id: u64,
    /// What earlier runs have recorded.
    recorded: RecordedTrades,
    /// Closing fills whose `closedPnl` was not our profit. Ours is recorded.
    pub pnl_differs: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    coin: Coin,
    asset: AssetId,
    /// Venue time of the state that the position began with; `None` before the first reading.
    baseline: Option<VenueMs>,
    position: Option<Position>,
    exit: ExitState,
}

impl Positions {
    /// No markets. Round trips are numbered from `first_trade_id`.
    pub fn new(first_trade_id: u64) -> Self {
        Self {
            slots: Vec::new(),
            seen: FillDedup::new(),
            next_trade_id: first_trade_id,
            recorded: RecordedTrades::default(),
            pnl_differs: 0,
        }
    }

    /// What earlier runs have recorded; see [`Positions::unrecorded`].
    pub fn restore_trades(&mut self, recorded: RecordedTrades) {
        self.recorded = recorded;
    }

    /// Whether a reading was taken over in every market.
    pub fn all_based(&self) -> bool {
        self.slots.iter().all(|slot| slot.baseline.is_some())
    }

    /// Whether a reading was taken over in this market.
    pub fn is_based(&self, market: MarketId) -> bool {
        self.slots.get(market.index()).is_some_and(|slot| slot.baseline.is_some())
    }

    /// A new market, flat. Markets are added in the order of their ids; one that is there already
    /// stays as it is.
    pub fn add_market(&mut self, id: MarketId, coin: Coin, asset: AssetId) {
        let slot = Slot { coin, asset, baseline: None, position: None, exit: ExitState::default() };
        debug_assert!(id.index() <= self.slots.len(), "ids have no gaps");
        if id.index() == self.slots.len() {
            self.slots.push(slot);
        }
    }

    /// Applies a fill, whatever source told of it.
    pub fn on_fill(
        &mut self,
        now: Now,
        market: MarketId,
        fill: &Fill,
        why: FillOrigin,
    ) -> AppliedFill {
        let Some(slot) = self.slots.get_mut(market.index()) else {
            return AppliedFill::Inconsistent;
        };
        if slot.coin != fill.coin || !fill.sz.is_positive() || fill.px.units() < 0 {
            return AppliedFill::Inconsistent;
        }
        if slot.baseline.is_none_or(|baseline| fill.time <= baseline) {
            return AppliedFill::BeforeSnapshot;
        }
        let held = slot.position.map_or(Szi::ZERO, |position| position.szi);
        let Some(after) = held.checked_add(fill.signed_sz()) else {
            return AppliedFill::Inconsistent;
        };
        if !self.seen.insert(fill) {
            return AppliedFill::Duplicate;
        }
        let at = moment(now, fill.time);
        let signal = match why {
            FillOrigin::Entry(signal) => Some(signal),
            FillOrigin::Exit(_) | FillOrigin::Foreign => None,
        };
        let increases = held.is_flat() || held.side() == Some(fill.side);
        if increases {
            let mut position = slot.position.unwrap_or_else(|| Position::new(at, signal, false));
            let told = position.realized();
            position.increase(fill.side, fill.sz, fill.px, fill.fee);
            let realized = position.realized().saturating_sub(told);
            let opened = slot.position.is_none();
            if opened {
                slot.exit = ExitState::default();
            }
            slot.position = Some(position);
            self.add_pnl(0, fill);
            return AppliedFill::Applied { opened, closed: None, flipped: false, realized };
        }
        let Some(mut position) = slot.position else { return AppliedFill::Inconsistent };
        // Through zero: the part that closes and the part that opens share the fee by size.
        let closes = fill.sz.min(held.abs());
        let opens = (fill.sz > closes).then(|| after.abs());
        let fee = share(fill.fee, closes.units(), fill.sz.units());
        let told = position.realized();
        let profit = position.reduce(closes, fill.px, fee);
        let mut realized = position.realized().saturating_sub(told);
        let mut closed = None;
        slot.position = Some(position);
        if position.szi.is_flat() {
            let reason = match why {
                _ if fill.liquidation => ExitReason::Foreign,
                FillOrigin::Exit(reason) => reason,
                // An entry on the other side closes too: then for what we were about to exit for.
                FillOrigin::Entry(_) => slot.exit.reason().unwrap_or(ExitReason::Foreign),
                FillOrigin::Foreign => ExitReason::Foreign,
            };
            let (coin, asset) = (slot.coin, slot.asset);
            closed = Some(position.row(self.next_trade_id, coin, asset, fill.side, at, reason));
            self.next_trade_id = self.next_trade_id.wrapping_add(1);
            slot.position = None;
            slot.exit = ExitState::default();
        }
        if let Some(sz) = opens {
            let fee = fill.fee.saturating_sub(fee);
            let mut next = Position::new(at, signal, false);
            next.increase(fill.side, sz, fill.px, fee);
            realized = realized.saturating_add(next.realized());
            slot.position = Some(next);
        }
        self.add_pnl(profit, fill);
        let flipped = opens.is_some();
        AppliedFill::Applied { opened: flipped, closed, flipped, realized }
    }

    /// What is held there by the fills we know; nothing where the market is unknown.
    pub fn held(&self, market: MarketId) -> Szi {
        self.get(market).map_or(Szi::ZERO, |position| position.szi)
    }

    /// Fills up to here are in what is held there; `None` before the first reading.
    pub fn baseline(&self, market: MarketId) -> Option<VenueMs> {
        self.slots.get(market.index())?.baseline
    }

    /// A reading of the time `at` has accounted for everything there: fills up to then, should their
    /// rows come later, are in what is held.
    pub fn raise_baseline(&mut self, market: MarketId, at: VenueMs) {
        if let Some(slot) = self.slots.get_mut(market.index()) {
            slot.baseline = slot.baseline.max(Some(at));
        }
    }

    /// The position there, if one is open.
    pub fn get(&self, market: MarketId) -> Option<&Position> {
        self.slots.get(market.index())?.position.as_ref()
    }

    /// How the position there is being closed; `None` when none is open.
    pub fn exit(&self, market: MarketId) -> Option<&ExitState> {
        let slot = self.slots.get(market.index())?;
        slot.position.is_some().then_some(&slot.exit)
    }

    /// The same, to be moved on; where no position is open too, since an answer may say that one is
    /// before its fill rows do.
    pub fn exit_mut(&mut self, market: MarketId) -> Option<&mut ExitState> {
        self.slots.get_mut(market.index()).map(|slot| &mut slot.exit)
    }

    /// A link opened: exits begin again ([`ExitState::relinked`]).
    pub fn relinked(&mut self, now: Mono) {
        self.slots.iter_mut().for_each(|slot| slot.exit.relinked(now));
    }

    /// Positions that are open, by market.
    pub fn iter_open(&self) -> impl Iterator<Item = (MarketId, &Position)> {
        let slots = (0..).map(MarketId).zip(&self.slots);
        slots.filter_map(|(id, slot)| Some((id, slot.position.as_ref()?)))
    }

    /// How many are open.
    pub fn count_open(&self) -> u32 {
        self.iter_open().fold(0, |count, _| count + 1)
    }

    /// Value of what is held there, at the higher of mean entry and mark, rounded up. `None` when
    /// something is held and no mark is known, or the value does not fit: then nothing may be
    /// opened.
    pub fn notional(&self, market: MarketId, mark: Option<Px>) -> Option<Usd> {
        let Some(position) = self.get(market) else { return Some(Usd::ZERO) };
        position.notional(mark?)
    }

    /// Counts a fill whose `closedPnl` differs from `profit` (1e-16 USD, fee not counted) by more
    /// than rounding. It is no reason to act: the venue's mean entry is rounded, and a position that
    /// was found is valued by what was told of it.
    fn add_pnl(&mut self, profit: i128, fill: &Fill) {
        let ours = profit.div_euclid(trip::PER_USD_UNIT);
        let apart = ours.saturating_sub(i128::from(fill.closed_pnl.units())).saturating_abs();
        self.pnl_differs += u64::from(apart > PNL_ROUNDING);
    }
}

/// How long ago a block was; nothing when our clock is behind the venue's.
fn age(now: Now, time: VenueMs) -> Nanos {
    let wall = i128::from(now.wall.0) - i128::from(time.0) * 1_000_000;
    Nanos(u64::try_from(wall).unwrap_or(0))
}

/// The moment of a fill on our clocks: now, or its block's time when that is long ago.
fn moment(now: Now, time: VenueMs) -> Moment {
    let age = age(now, time);
    if age <= LATE {
        return Moment { at: now, aged: Nanos::ZERO };
    }
    dated(now, age)
}

/// The moment that lies `age` back.
fn dated(now: Now, age: Nanos) -> Moment {
    // The monotonic clock may have begun after the fill.
    let mono = now.mono.0.saturating_sub(age.0);
    let aged = Nanos(age.0.saturating_sub(now.mono.0));
    let at = Now { mono: Mono(mono), wall: now.wall.minus(age) };
    Moment { at, aged }
}

/// A moment that may lie before the origin of the monotonic clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Moment {
    at: Now,
    /// How long before `at.mono` it really was.
    aged: Nanos,
}

/// `fee × part / whole`, toward zero; all of it when the part is the whole.
fn share(fee: Usd, part: i64, whole: i64) -> Usd {
    if part >= whole || whole <= 0 {
        return fee;
    }
    let units = i128::from(fee.units()) * i128::from(part) / i128::from(whole);
    // No larger than the fee.
    Usd::from_units(i64::try_from(units).unwrap_or(fee.units()))
}
