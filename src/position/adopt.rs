//! Taking over what the venue says is held: at the first reading, and when a difference has lasted.

use crate::position::trip::Position;
use crate::position::{ExitState, Moment, Positions, moment, share};
use crate::types::account::HeldPosition;
use crate::types::ids::{Coin, MarketId};
use crate::types::num::{Px, Szi};
use crate::types::order::Fill;
use crate::types::record::{ExitReason, TradeRow};
use crate::types::time::{Nanos, Now, VenueMs};

impl Positions {
    /// Makes the venue's position of the time `at` ours: `held`, or nothing. From here on fills
    /// that are not later than `at` are [`Applied::Before`](super::Applied::Before): they are in it.
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

/// The position that `fills` up to `at` lead to, if that is `szi`: walks back from it to where it
/// began. Fills of one millisecond come in any order, so each is chained by the position it started
/// from (PROTOCOL.md §2.6).
fn explain(now: Now, at: VenueMs, coin: Coin, szi: Szi, fills: &[Fill]) -> Option<Position> {
    let mut left: Vec<&Fill> = fills
        .iter()
        .filter(|fill| fill.coin == coin && fill.time <= at && fill.sz.is_positive())
        .collect();
    left.sort_by_key(|fill| (fill.time, fill.tid, fill.oid));
    left.dedup_by_key(|fill| (fill.time, fill.tid, fill.oid));
    let mut chain = Vec::new();
    let mut want = szi;
    loop {
        let newest = left.last()?.time;
        let of_newest = left.iter().rposition(|fill| {
            fill.time == newest && fill.start_position.checked_add(fill.signed_sz()) == Some(want)
        })?;
        let fill = left.remove(of_newest);
        chain.push(fill);
        want = fill.start_position;
        if want.side() != szi.side() {
            break;
        }
    }
    let first = chain.pop()?;
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
    for fill in chain.into_iter().rev() {
        if fill.side == side {
            position.increase(side, fill.sz, fill.px, fill.fee);
        } else {
            position.reduce(fill.sz, fill.px, fill.fee);
        }
    }
    debug_assert_eq!(position.szi, szi, "each fill ended where the next began");
    Some(position)
}
