//! News of the account: its orders, its fills, its events (PROTOCOL.md §2.6).
//!
//! An entry that cannot be read is skipped and counted, since it must not take the others with it:
//! what it would have said is unknown then, and whoever trades has to ask. A fill of a spot pair or
//! an outcome that cannot be read is left out without a count: dust of theirs has more decimals
//! than sizes hold, and no position on a perp is made of it.

use super::rows::{Rows, entries, keep};
use super::tape::Json;
use super::{Body, Why};
use crate::feed::message::UserEvent;
use crate::types::ids::Coin;
use crate::types::num::{Px, Side, Sz, Szi, Usd};
use crate::types::order::{Cloid, Fill, OrderUpdate, VenueStatus};
use crate::types::time::VenueMs;

/// An array of updates, or a single one.
pub(super) fn order_updates<'a>(
    data: Json<'_, '_>,
    rows: &'a mut Vec<OrderUpdate>,
) -> Result<Body<'a>, Why> {
    let skipped = if data.is_object() {
        rows.clear();
        rows.extend(order_update(data));
        u32::from(rows.is_empty())
    } else {
        keep(entries(data, "order updates are no array")?, rows, order_update, |_| true)
    };
    Ok(Body::OrderUpdates { updates: rows, skipped })
}

/// One entry of `orderUpdates`. `orderStatus` nests the same in its answer (PROTOCOL.md §4.4).
pub(super) fn order_update(entry: Json<'_, '_>) -> Option<OrderUpdate> {
    let [order, status, time] = entry.fields(["order", "status", "statusTimestamp"]).ok()?;
    let keys = ["coin", "side", "sz", "origSz", "oid", "cloid"];
    let [coin, side, sz, orig_sz, oid, cloid] = order?.fields(keys).ok()?;
    Some(OrderUpdate {
        coin: self::coin(coin)?,
        oid: oid?.id()?,
        cloid: self::cloid(cloid),
        side: self::side(side)?,
        sz: sz?.exact(Sz::parse)?,
        orig_sz: orig_sz?.exact(Sz::parse)?,
        word: VenueStatus::of(status?.text()?),
        status_time: VenueMs(time?.integer()?),
    })
}

/// `userFills`. Whose they are is for the caller to judge.
pub(super) fn fills<'a>(data: Json<'_, 'a>, rows: &'a mut Vec<Fill>) -> Result<Body<'a>, Why> {
    let [user, snapshot, list] = data.fields(["user", "isSnapshot", "fills"])?;
    let user = user.and_then(Json::text).ok_or("fills of no user")?;
    let snapshot = match snapshot.filter(|snapshot| !snapshot.is_null()) {
        Some(snapshot) => snapshot.flag().ok_or("isSnapshot is neither true nor false")?,
        None => false,
    };
    let list = entries(list.ok_or("no fills")?, "fills are no array")?;
    let skipped = keep(list, rows, fill, may_be_perp);
    Ok(Body::Fills { user, snapshot, fills: rows, skipped })
}

/// One fill. Rows of 2023 have neither `tid` nor `cloid` nor `feeToken`. Sums of the venue's own
/// (profit, fee) come with more decimals than six when the quote token has them.
fn fill(entry: Json<'_, '_>) -> Option<Fill> {
    let [coin, px, sz, side, time, oid] =
        entry.fields(["coin", "px", "sz", "side", "time", "oid"]).ok()?;
    let keys = ["startPosition", "closedPnl", "fee", "tid", "cloid", "liquidation"];
    let [start, pnl, fee, tid, cloid, liquidation] =
        entry.fields(keys).ok()?.map(|value| value.filter(|value| !value.is_null()));
    let usd = |value: Json<'_, '_>| value.noisy_signed(Usd::parse_signed_truncating);
    Some(Fill {
        coin: self::coin(coin)?,
        px: px?.exact(Px::parse)?,
        sz: sz?.exact(Sz::parse).filter(|sz| sz.is_positive())?,
        side: self::side(side)?,
        time: VenueMs(time?.integer()?),
        start_position: start?.signed(Szi::parse_signed)?,
        closed_pnl: usd(pnl?)?,
        oid: oid?.id()?,
        cloid: self::cloid(cloid),
        tid: tid.map_or(Some(0), Json::id)?,
        fee: fee.map_or(Some(Usd::ZERO), usd)?,
        liquidation: liquidation.is_some(),
    })
}

/// Whether the row is of a perp, as far as can be told: spot pairs and outcomes are named `@107`,
/// `PURR/USDC` and `#14720` (PROTOCOL.md §0).
fn may_be_perp(entry: Json<'_, '_>) -> bool {
    let coin = entry.fields(["coin"]).ok().and_then(|[coin]| coin?.text());
    !coin.is_some_and(|coin| coin.starts_with(['@', '#']) || coin.contains('/'))
}

/// One event of `userEvents`, which has one key.
pub(super) fn user_event<'a>(data: Json<'_, '_>, rows: &'a mut Rows) -> Result<Body<'a>, Why> {
    let [fills, funding, liquidation, cancels] = data
        .fields(["fills", "funding", "liquidation", "nonUserCancel"])?
        .map(|value| value.filter(|value| !value.is_null()));
    let event = if let Some(list) = fills {
        let skipped =
            keep(entries(list, "fills are no array")?, &mut rows.fills, fill, may_be_perp);
        UserEvent::Fills { fills: &rows.fills, skipped }
    } else if let Some(list) = cancels {
        let list = entries(list, "nonUserCancel is no array")?;
        let oid = |entry: Json<'_, '_>| {
            let [oid] = entry.fields(["oid"]).ok()?;
            oid?.id()
        };
        let skipped = keep(list, &mut rows.oids, oid, |_| true);
        UserEvent::NonUserCancel { oids: &rows.oids, skipped }
    } else if liquidation.is_some() {
        UserEvent::Liquidation
    } else if let Some(funding) = funding {
        let [coin, usd] = funding.fields(["coin", "usdc"])?;
        let coin = self::coin(coin).ok_or("funding of no coin")?;
        let usd = usd.and_then(|usd| usd.noisy_signed(Usd::parse_signed_truncating));
        UserEvent::Funding { coin, usd: usd.ok_or("funding of no amount")? }
    } else {
        UserEvent::Other
    };
    Ok(Body::UserEvent(event))
}

fn coin(value: Option<Json<'_, '_>>) -> Option<Coin> {
    Coin::new(value?.text()?)
}

fn side(value: Option<Json<'_, '_>>) -> Option<Side> {
    match value?.text()? {
        "B" => Some(Side::Buy),
        "A" => Some(Side::Sell),
        _ => None,
    }
}

/// Absent, null, or not one of ours: orders without are known by their oid alone.
fn cloid(value: Option<Json<'_, '_>>) -> Option<Cloid> {
    Cloid::parse(value?.text()?)
}
