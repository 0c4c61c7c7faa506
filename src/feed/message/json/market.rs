//! Market data: quotes and contexts.

use super::tape::Json;
use super::{Body, Why};
use crate::types::market::{Bbo, Ctx, Level};
use crate::types::num::{Px, Sz};
use crate::types::time::VenueMs;

/// PROTOCOL.md §2.5, "bbo".
pub(super) fn bbo<'a>(data: Json<'_, 'a>) -> Result<Body<'a>, Why> {
    let [coin, time, sides] = data.fields(["coin", "time", "bbo"])?;
    let coin = coin.and_then(Json::text).ok_or("no coin")?;
    let time = time.and_then(Json::integer).ok_or("no time in whole milliseconds")?;
    let mut sides = sides.ok_or("no bbo")?.items().ok_or("bbo is no array")?;
    let (Some(bid), Some(ask), None) = (sides.next(), sides.next(), sides.next()) else {
        return Err("bbo has not two sides");
    };
    Ok(Body::Bbo(coin, Bbo { bid: level(bid)?, ask: level(ask)?, time: VenueMs(time) }))
}

fn level(side: Json<'_, '_>) -> Result<Option<Level>, Why> {
    if side.is_null() {
        return Ok(None);
    }
    let [px, sz] = side.fields(["px", "sz"])?;
    let px = px.and_then(|px| px.exact(Px::parse)).ok_or("a level without a price")?;
    let sz = sz.and_then(|sz| sz.exact(Sz::parse)).ok_or("a level without a size")?;
    Ok(Some(Level { px, sz }))
}

/// PROTOCOL.md §2.5, "activeAssetCtx". A value that is null or absent is not known; a value that
/// is there must be one.
pub(super) fn ctx<'a>(data: Json<'_, 'a>) -> Result<Body<'a>, Why> {
    let [coin, ctx] = data.fields(["coin", "ctx"])?;
    let coin = coin.and_then(Json::text).ok_or("no coin")?;
    let [oracle, mark, mid, open_interest, premium, impact] = ctx.ok_or("no ctx")?.fields([
        "oraclePx",
        "markPx",
        "midPx",
        "openInterest",
        "premium",
        "impactPxs",
    ])?;
    let known = |value: Option<Json<'_, 'a>>| value.is_some_and(|value| !value.is_null());
    let px = |value: Option<Json<'_, 'a>>| match value {
        Some(value) if !value.is_null() => value.exact(Px::parse).map(Some),
        Some(_) | None => Some(None),
    };
    let open_interest = match open_interest {
        Some(value) if !value.is_null() => {
            Some(value.noisy(Sz::parse_truncating).ok_or("openInterest is no size")?)
        }
        Some(_) | None => None,
    };
    let quoted = known(mid) || known(premium) || known(impact);
    let ctx = Ctx {
        oracle: px(oracle).ok_or("oraclePx is no price")?,
        mark: px(mark).ok_or("markPx is no price")?,
        mid: px(mid).ok_or("midPx is no price")?,
        open_interest,
        settled: !quoted && open_interest == Some(Sz::ZERO),
    };
    Ok(Body::Ctx(coin, ctx))
}
