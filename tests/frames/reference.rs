//! A second opinion: `serde_json` into typed structs, with its own decimal arithmetic.

use hip3::types::market::{Bbo, Ctx, Level};
use hip3::types::num::{Px, Sz};
use hip3::types::time::VenueMs;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What a frame holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    Bbo(String, Bbo),
    Ctx(String, Ctx),
}

#[derive(Deserialize)]
struct Named {
    channel: String,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "read for its shape")]
struct Frame<T> {
    channel: String,
    data: T,
}

#[derive(Deserialize)]
struct BboData {
    coin: String,
    time: u64,
    bbo: (Option<Side>, Option<Side>),
}

#[derive(Deserialize)]
struct Side {
    px: Number,
    sz: Number,
}

#[derive(Deserialize)]
struct CtxData {
    coin: String,
    ctx: Context,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    oracle_px: Option<Number>,
    mark_px: Option<Number>,
    mid_px: Option<Number>,
    open_interest: Option<Number>,
    premium: Option<IgnoredAny>,
    impact_pxs: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Whole(u64),
    Float(f64),
}

/// Reads a `bbo` or `activeAssetCtx` frame; `None` for anything else.
pub(crate) fn read(frame: &[u8]) -> Option<Answer> {
    match serde_json::from_slice::<Named>(frame).ok()?.channel.as_str() {
        "bbo" => {
            let data = serde_json::from_slice::<Frame<BboData>>(frame).ok()?.data;
            let time = VenueMs(i64::try_from(data.time).ok()?);
            let (bid, ask) = (level(data.bbo.0)?, level(data.bbo.1)?);
            Some(Answer::Bbo(data.coin, Bbo { bid, ask, time }))
        }
        "activeAssetCtx" => {
            let CtxData { coin, ctx } = serde_json::from_slice::<Frame<CtxData>>(frame).ok()?.data;
            let px = |value: &Option<Number>| match value {
                Some(number) => exact(number).map(|units| Some(Px::from_units(units))),
                None => Some(None),
            };
            let open_interest = match &ctx.open_interest {
                Some(number) => Some(Sz::from_units(units(&text(number), true)?)),
                None => None,
            };
            let silent = ctx.mid_px.is_none() && ctx.premium.is_none() && ctx.impact_pxs.is_none();
            let settled = silent && open_interest == Some(Sz::ZERO);
            let (oracle, mark, mid) = (px(&ctx.oracle_px)?, px(&ctx.mark_px)?, px(&ctx.mid_px)?);
            Some(Answer::Ctx(coin, Ctx { oracle, mark, mid, open_interest, settled }))
        }
        _ => None,
    }
}

fn level(side: Option<Side>) -> Option<Option<Level>> {
    let Some(side) = side else { return Some(None) };
    let px = Px::from_units(exact(&side.px)?);
    let sz = Sz::from_units(exact(&side.sz)?);
    Some(Some(Level { px, sz }))
}

fn text(number: &Number) -> String {
    match number {
        Number::Text(text) => text.clone(),
        Number::Whole(whole) => whole.to_string(),
        Number::Float(float) => float.to_string(),
    }
}

/// A price or size. A double of more than 15 significant digits is no faithful decimal.
fn exact(number: &Number) -> Option<i64> {
    let text = text(number);
    if matches!(number, Number::Float(_)) {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if digits.trim_matches('0').len() > 15 {
            return None;
        }
    }
    units(&text, false)
}

/// 1e-8 units of a plain decimal.
fn units(text: &str, truncate: bool) -> Option<i64> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let (kept, dropped) = fraction.split_at(fraction.len().min(8));
    if !truncate && dropped.contains(|c| c != '0') {
        return None;
    }
    let all = format!("{whole}{kept:0<8}");
    let all = all.trim_start_matches('0');
    if all.len() > 18 { None } else { Some(all.parse().unwrap_or(0)) }
}
