//! Taking over what the venue says is held: at the first reading, and when a difference has lasted.

use crate::position::trip::Position;
use crate::position::{ExitState, Moment, Positions, age, dated, moment, share};
use crate::types::account::HeldPosition;
use crate::types::ids::{Coin, MarketId};
use crate::types::num::{Px, Side, Szi};
use crate::types::order::Fill;
use crate::types::record::{ExitReason, TradeRow};
use crate::types::time::{Nanos, Now, VenueMs};

impl Positions {
    /// Makes the venue's position of the time `at` ours: `held`, or nothing. From here on fills
    /// that are not later than `at` are [`AppliedFill::BeforeSnapshot`](super::AppliedFill::BeforeSnapshot): they are in it.
    ///
    /// - Nothing was held by us: if `fills` lead from flat (or the other side) to what is held, time,
    ///   value and fees of the entry are theirs. Else it was entered now, at the venue's mean price,
    ///   or at `mark`; with neither its next fill gives the price.
    /// - The side is ours too: the size becomes the venue's, and the time of entry stays.
    /// - Nothing is held there any more, or it is on the other side: our round trip is over. Nobody
    ///   saw its end, so its row is returned with the exit at `mark` (without one, at its mean
    ///   entry) and the reason `Foreign`.
    ///
    /// `fills` may be of any market, in any order, and repeat themselves. Allocates.
    pub fn adopt(
        &mut self,
        now: Now,
        market: MarketId,
        at: VenueMs,
        held: Option<&HeldPosition>,
        mark: Option<Px>,
        fills: &[Fill],
    ) -> Option<TradeRow> {
        let slot = self.slots.get_mut(market.index())?;
        slot.baseline = Some(slot.baseline.map_or(at, |baseline| baseline.max(at)));
        let szi = held.map_or(Szi::ZERO, |held| held.szi);
        let entry_px = held.and_then(|held| held.entry_px).filter(|px| px.is_positive());
        if let Some(ours) = &mut slot.position
            && ours.szi.side() == szi.side()
        {
            if ours.szi != szi {
                ours.resize(szi, entry_px);
            }
            return None;
        }
        let here = Moment { at: now, aged: Nanos::ZERO };
        let row = slot.position.take().and_then(|mut ours| {
            let closing = ours.szi.side()?.opposite();
            let px = mark.or(ours.entry_px()).unwrap_or(Px::ZERO);
            ours.write_off(px);
            let (id, coin, asset) = (self.next_trade_id, slot.coin, slot.asset);
            self.next_trade_id = id.wrapping_add(1);
            Some(ours.row(id, coin, asset, closing, here, ExitReason::Foreign))
        });
        slot.exit = ExitState::default();
        if !szi.is_flat() {
            let explained = explain(now, at, slot.coin, szi, fills);
            let found = || Position::found(here, szi, entry_px.or(mark));
            slot.position = Some(explained.unwrap_or_else(found));
        }
        row
    }
}

/// The fills of a market up to `at`, by time, each once.
fn history(at: VenueMs, coin: Coin, fills: &[Fill]) -> Vec<&Fill> {
    let mut fills: Vec<&Fill> = fills
        .iter()
        .filter(|fill| fill.coin == coin && fill.time <= at && fill.sz.is_positive())
        .collect();
    fills.sort_by_key(|fill| (fill.time, fill.tid, fill.oid));
    fills.dedup_by_key(|fill| (fill.time, fill.tid, fill.oid));
    fills
}

/// Takes the newest fill from `left`, if it led to `want`. Fills of one millisecond come in any
/// order, so each is chained by the position it started from (PROTOCOL.md §2.6).
fn newest<'a>(left: &mut Vec<&'a Fill>, want: Szi) -> Option<&'a Fill> {
    let newest = left.last()?.time;
    let of_newest = left.iter().rposition(|fill| {
        fill.time == newest && fill.start_position.checked_add(fill.signed_sz()) == Some(want)
    })?;
    Some(left.remove(of_newest))
}

/// Takes the fills from `left` that led to `szi`, back to the one that began on its side; oldest
/// first.
fn chain<'a>(left: &mut Vec<&'a Fill>, szi: Szi) -> Option<Vec<&'a Fill>> {
    let mut chain = Vec::new();
    let mut want = szi;
    loop {
        let fill = newest(left, want)?;
        chain.push(fill);
        want = fill.start_position;
        if want.side() != szi.side() {
            chain.reverse();
            return Some(chain);
        }
    }
}

/// The position that `fills` up to `at` lead to, if that is `szi`: walks back from it to where it
/// began.
fn explain(now: Now, at: VenueMs, coin: Coin, szi: Szi, fills: &[Fill]) -> Option<Position> {
    let chain = chain(&mut history(at, coin, fills), szi)?;
    let (first, rest) = chain.split_first()?;
    let side = szi.side()?;
    let mut position = Position::new(moment(now, first.time), None, true);
    // The first may have closed the other side before.
    let after = first.start_position.checked_add(first.signed_sz())?;
    let sz = after.abs();
    let closed = first.sz.units().saturating_sub(sz.units());
    let fee = match closed {
        0 => first.fee,
        _ => first.fee.saturating_sub(share(first.fee, closed, first.sz.units())),
    };
    position.increase(side, sz, first.px, fee);
    walk(&mut position, side, rest);
    debug_assert_eq!(position.szi, szi, "each fill ended where the next began");
    Some(position)
}

fn walk(position: &mut Position, side: Side, fills: &[&Fill]) {
    for fill in fills {
        if fill.side == side {
            position.increase(side, fill.sz, fill.px, fill.fee);
        } else {
            position.reduce(fill.sz, fill.px, fill.fee);
        }
    }
}

impl Positions {
    /// Round trips of ours that ended by `at`, before our first reading of the market, and that no run
    /// has recorded: their process died before it heard of the end. Oldest first. To be asked before
    /// [`Positions::adopt`]; once the market has a baseline there are none.
    ///
    /// A recorded one ended when its row says, by our clock; one that came after it began later still.
    /// The middle of a round trip is on the same side of that moment even if the venue's clock is a
    /// little off ours. What began or ended by a flip is left out: no order of ours flips. Allocates.
    pub fn unrecorded(
        &mut self,
        now: Now,
        market: MarketId,
        at: VenueMs,
        held: Option<&HeldPosition>,
        fills: &[Fill],
    ) -> Vec<TradeRow> {
        let Some(slot) = self.slots.get(market.index()) else { return Vec::new() };
        let Some(until) = self.recorded.until(slot.coin) else { return Vec::new() };
        if slot.baseline.is_some() {
            return Vec::new();
        }
        let (coin, asset) = (slot.coin, slot.asset);
        let mut left = history(at, coin, fills);
        let szi = held.map_or(Szi::ZERO, |held| held.szi);
        if !szi.is_flat() {
            match chain(&mut left, szi) {
                Some(chain) if chain.first().is_some_and(|fill| fill.start_position.is_flat()) => {}
                Some(_) | None => return Vec::new(),
            }
        }
        let mut rows = Vec::new();
        while let Some(trip) = round_trip(&mut left) {
            let (Some(first), Some(last)) = (trip.first(), trip.last()) else { break };
            let middle = (i128::from(first.time.0) + i128::from(last.time.0)) * 1_000_000 / 2;
            if middle < i128::from(until.0) {
                break;
            }
            // Without a name of ours somebody else's hand was at work.
            if first.cloid.is_none() {
                continue;
            }
            let moment = |fill: &Fill| dated(now, age(now, fill.time));
            let mut position = Position::new(moment(first), None, true);
            walk(&mut position, first.side, &trip);
            let id = self.next_trade_id;
            self.next_trade_id = id.wrapping_add(1);
            rows.push(position.row(id, coin, asset, last.side, moment(last), ExitReason::Foreign));
        }
        rows.reverse();
        rows
    }
}

/// Takes the newest round trip from `left`: from flat to flat, on one side; oldest fill first.
fn round_trip<'a>(left: &mut Vec<&'a Fill>) -> Option<Vec<&'a Fill>> {
    let last = newest(left, Szi::ZERO)?;
    let held = last.start_position;
    let mut trip = chain(left, held)?;
    trip.push(last);
    trip.first().is_some_and(|first| first.start_position.is_flat()).then_some(trip)
}
