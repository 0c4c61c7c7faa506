//! Frames and answers as the venue writes them (PROTOCOL.md §0, §2).

use std::fmt::{self, Write};
use std::sync::Arc;

use crate::types::num::{Px, Side, Sz, Szi, Usd};
use crate::types::time::{Mono, VenueMs};
use crate::venue::book::{BookLevel, Top};
use crate::venue::market::{Market, Trade};
use crate::venue::surface::request::Grouping;
use crate::venue::world::World;

/// A decimal as the venue prints it: no exponent, trailing zeros cut, but at least `.0`.
pub(in crate::venue) struct Dec {
    units: i128,
    places: u32,
}

impl From<Px> for Dec {
    fn from(px: Px) -> Self {
        Self { units: px.units().into(), places: 8 }
    }
}

impl From<Sz> for Dec {
    fn from(sz: Sz) -> Self {
        Self { units: sz.units().into(), places: 8 }
    }
}

impl From<Usd> for Dec {
    fn from(usd: Usd) -> Self {
        Self { units: usd.units().into(), places: 6 }
    }
}

impl From<Szi> for Dec {
    fn from(szi: Szi) -> Self {
        Self { units: szi.units().into(), places: 8 }
    }
}

impl fmt::Display for Dec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digits from the right, into a buffer: most of what a venue says is decimals.
        let mut buffer = [b'0'; 48];
        let mut at = buffer.len();
        let mut rest = self.units.unsigned_abs();
        let mut put = |digit: u8| {
            at -= 1;
            buffer[at] = digit;
        };
        let mut zeros = true;
        for place in 0..self.places {
            let (digit, _) = next_digit(&mut rest);
            // Zeros at the end are cut, but one place stays.
            if !zeros || digit != b'0' || place + 1 == self.places {
                put(digit);
                zeros = false;
            }
        }
        put(b'.');
        loop {
            let (digit, more) = next_digit(&mut rest);
            put(digit);
            if !more {
                break;
            }
        }
        if self.units < 0 {
            put(b'-');
        }
        f.write_str(str::from_utf8(&buffer[at..]).unwrap_or_default())
    }
}

/// The last digit of `rest`, which loses it, and whether more follow.
fn next_digit(rest: &mut u128) -> (u8, bool) {
    // Almost everything fits into 64 bits, where division is quick.
    let digit = match u64::try_from(*rest) {
        Ok(small) => {
            *rest = u128::from(small / 10);
            (small % 10) as u8
        }
        Err(_) => {
            let digit = (*rest % 10) as u8;
            *rest /= 10;
            digit
        }
    };
    (b'0' + digit, *rest > 0)
}

/// A sum with the venue's binary noise: up to ten decimals of a float.
pub(in crate::venue) fn noisy(value: f64) -> String {
    // Apart, so that no digit of the fraction is lost to a large whole.
    let (whole, fraction) = (value.trunc(), value.fract());
    let units = whole as i128 * 10_000_000_000 + (fraction * 1e10).round() as i128;
    Dec { units, places: 10 }.to_string()
}

/// A JSON string literal.
pub(in crate::venue) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

struct SideText(Option<BookLevel>);

impl fmt::Display for SideText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("null"),
            Some(level) => {
                let (px, sz) = (Dec::from(level.px), Dec::from(level.sz));
                write!(f, r#"{{"px":"{px}","sz":"{sz}","n":{}}}"#, level.n)
            }
        }
    }
}

/// `bbo`.
pub(in crate::venue) fn bbo(coin: &str, time: VenueMs, top: Top) -> Arc<str> {
    let (bid, ask) = (SideText(top.bid), SideText(top.ask));
    let time = time.0;
    format!(r#"{{"channel":"bbo","data":{{"coin":"{coin}","time":{time},"bbo":[{bid},{ask}]}}}}"#)
        .into()
}

/// The object of one context (PROTOCOL.md §2.5): all strings, `null` where a market has no book.
pub(in crate::venue) fn ctx(market: &Market, now: Mono) -> String {
    let (oracle, mark) = (market.oracle, market.mark(now));
    let impact = market.impact().filter(|_| market.live());
    // In 1e-10: the middle of the impact prices against the oracle.
    let premium = impact.map(|[bid, ask]| {
        let middle = i128::from(bid.units()) + i128::from(ask.units());
        let oracle = i128::from(oracle.units().max(1)) * 2;
        (middle - oracle) * 10_000_000_000 / oracle
    });
    let funding = if market.live() {
        // Half of (P + clamp(0.0001 − P, ±0.0003)) / 8 (PROTOCOL.md §5.3).
        let p = premium.unwrap_or(0);
        (p + (1_000_000 - p).clamp(-3_000_000, 3_000_000)) / 16
    } else {
        0
    };
    let ten = |units| Dec { units, places: 10 };
    let text = |dec: Option<Dec>| dec.map_or("null".to_owned(), |dec| format!("\"{dec}\""));
    let mid = market.book.best(Side::Buy).zip(market.book.best(Side::Sell));
    let mid = mid.map(|(bid, ask)| Px::from_units((bid.units() + ask.units()) / 2));
    let impacts = impact.map_or("null".to_owned(), |[bid, ask]| {
        format!(r#"["{}","{}"]"#, Dec::from(bid), Dec::from(ask))
    });
    format!(
        r#"{{"funding":"{}","openInterest":"{}","prevDayPx":"{}","dayNtlVlm":"{}","premium":{},"oraclePx":"{}","markPx":"{}","midPx":{},"impactPxs":{impacts},"dayBaseVlm":"{}"}}"#,
        ten(funding),
        noisy(market.open_interest.units() as f64 / 1e8),
        Dec::from(market.prev_day),
        noisy(market.day_notional),
        text(premium.map(ten)),
        Dec::from(oracle),
        Dec::from(mark),
        text(mid.map(Dec::from)),
        noisy(market.day_base),
    )
}

/// `activeAssetCtx`.
pub(in crate::venue) fn active_ctx(market: &Market, now: Mono) -> Arc<str> {
    let coin = &market.listing.coin;
    let ctx = ctx(market, now);
    format!(r#"{{"channel":"activeAssetCtx","data":{{"coin":"{coin}","ctx":{ctx}}}}}"#).into()
}

/// Contexts of a dex by position, as a JSON array.
pub(in crate::venue) fn ctxs(world: &World, dex: usize, now: Mono) -> String {
    array(world.of_dex(dex).map(|market| ctx(market, now)))
}

/// `assetCtxs`.
pub(in crate::venue) fn asset_ctxs(world: &World, dex: usize, now: Mono) -> Arc<str> {
    let name = world.dexes.get(dex).map_or("", |dex| dex.name.as_str());
    let ctxs = ctxs(world, dex, now);
    format!(r#"{{"channel":"assetCtxs","data":{{"dex":"{name}","ctxs":{ctxs}}}}}"#).into()
}

/// `allDexsAssetCtxs`: the main dex, then by name.
pub(in crate::venue) fn all_dexs_ctxs(world: &World, now: Mono) -> Arc<str> {
    let mut order: Vec<usize> = (0..world.dexes.len()).collect();
    order.sort_by(|a, b| world.dexes[*a].name.cmp(&world.dexes[*b].name));
    let one = |dex: usize| format!(r#"["{}",{}]"#, world.dexes[dex].name, ctxs(world, dex, now));
    let all = array(order.into_iter().map(one));
    format!(r#"{{"channel":"allDexsAssetCtxs","data":{{"ctxs":{all}}}}}"#).into()
}

/// The object of `allMids`: the mid, or the mark of a one-sided book; nothing of dead markets.
pub(in crate::venue) fn mids(world: &World, dex: usize, now: Mono) -> String {
    let mut text = String::from("{");
    for market in world.of_dex(dex).filter(|market| market.live()) {
        let (bid, ask) = (market.book.best(Side::Buy), market.book.best(Side::Sell));
        let mid = bid.zip(ask).map(|(bid, ask)| Px::from_units((bid.units() + ask.units()) / 2));
        let px = Dec::from(mid.unwrap_or_else(|| market.mark(now)));
        let comma = if text.len() > 1 { "," } else { "" };
        // Writing into a String cannot fail.
        let _ = write!(text, r#"{comma}"{}":"{px}""#, market.listing.coin);
    }
    text.push('}');
    text
}

/// `allMids`.
pub(in crate::venue) fn all_mids(world: &World, dex: usize, now: Mono) -> Arc<str> {
    let mids = mids(world, dex, now);
    let name = world.dexes.get(dex).map_or("", |dex| dex.name.as_str());
    let named = if name.is_empty() { String::new() } else { format!(r#","dex":"{name}""#) };
    format!(r#"{{"channel":"allMids","data":{{"mids":{mids}{named}}}}}"#).into()
}

/// The object of a book: `levels_max` levels a side, grouped if asked.
pub(in crate::venue) fn book(
    market: &Market,
    time: VenueMs,
    grouping: Grouping,
    levels_max: usize,
    fast: bool,
) -> String {
    let side = |side| {
        let levels = grouped(market, side, grouping).into_iter().take(levels_max);
        array(levels.map(|level| SideText(Some(level)).to_string()))
    };
    let spread = match (grouping.figures, market.book.best(Side::Buy), market.book.best(Side::Sell))
    {
        (Some(_), Some(bid), Some(ask)) => {
            format!(r#","spread":"{}""#, Dec::from(Px::from_units(ask.units() - bid.units())))
        }
        _ => String::new(),
    };
    let fast = if fast { r#","fast":true"# } else { "" };
    let (coin, time) = (&market.listing.coin, time.0);
    let (bids, asks) = (side(Side::Buy), side(Side::Sell));
    format!(r#"{{"coin":"{coin}","time":{time},"levels":[{bids},{asks}]{spread}{fast}}}"#)
}

/// `l2Book`.
pub(in crate::venue) fn l2_book(
    market: &Market,
    time: VenueMs,
    grouping: Grouping,
    fast: bool,
) -> Arc<str> {
    let data = book(market, time, grouping, if fast { 5 } else { 20 }, fast);
    format!(r#"{{"channel":"l2Book","data":{data}}}"#).into()
}

/// Levels summed into steps of `grouping`: bids down, asks up.
fn grouped(market: &Market, side: Side, grouping: Grouping) -> Vec<BookLevel> {
    let Some(figures) = grouping.figures else { return market.book.levels(side).collect() };
    let mut levels: Vec<BookLevel> = Vec::new();
    for level in market.book.levels(side) {
        let px = level.px.units();
        let digits = px.max(1).ilog10() + 1;
        let step = 10_i64.pow(digits.saturating_sub(u32::from(figures)));
        let step = step * i64::from(grouping.mantissa.unwrap_or(1));
        let px = match side {
            Side::Buy => px.div_euclid(step) * step,
            Side::Sell => (px + step - 1).div_euclid(step) * step,
        };
        match levels.last_mut() {
            Some(last) if last.px.units() == px => {
                last.sz = Sz::from_units(last.sz.units() + level.sz.units());
                last.n += level.n;
            }
            _ => levels.push(BookLevel { px: Px::from_units(px), ..level }),
        }
    }
    levels
}

/// `trades` rows as a JSON array.
pub(in crate::venue) fn trade_rows(coin: &str, trades: &[Trade]) -> String {
    array(trades.iter().map(|trade| {
        let side = match trade.side {
            Side::Buy => 'B',
            Side::Sell => 'A',
        };
        let [a, b, c, d] = trade.hash;
        let [buyer, seller] = trade.users;
        let (px, sz) = (Dec::from(trade.px), Dec::from(trade.sz));
        let (time, tid) = (trade.time.0, trade.tid);
        format!(
            r#"{{"coin":"{coin}","side":"{side}","px":"{px}","sz":"{sz}","time":{time},"hash":"0x{a:016x}{b:016x}{c:016x}{d:016x}","tid":{tid},"users":["0x{buyer:040x}","0x{seller:040x}"]}}"#
        )
    }))
}

/// `trades`.
pub(in crate::venue) fn trades(coin: &str, trades: &[Trade]) -> Arc<str> {
    let rows = trade_rows(coin, trades);
    format!(r#"{{"channel":"trades","data":{rows}}}"#).into()
}

/// `{"channel":…,"data":…}` around data that is JSON already.
pub(in crate::venue) fn channel(name: &str, data: &str) -> Arc<str> {
    format!(r#"{{"channel":"{name}","data":{data}}}"#).into()
}

/// `error`, with `text` as its plain string.
pub(in crate::venue) fn error(text: &str) -> Arc<str> {
    channel("error", &quoted(text))
}

/// `subscriptionResponse`.
pub(in crate::venue) fn ack(method: &str, echo: &str) -> Arc<str> {
    channel("subscriptionResponse", &format!(r#"{{"method":"{method}","subscription":{echo}}}"#))
}

/// A JSON array of texts that are JSON already.
pub(in crate::venue) fn array(items: impl Iterator<Item = String>) -> String {
    let mut text = String::from("[");
    for item in items {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_look_like_the_venues() {
        let px = |units| Dec::from(Px::from_units(units)).to_string();
        assert_eq!(px(32_418_000_000), "324.18");
        assert_eq!(px(100_000_000), "1.0");
        assert_eq!(px(0), "0.0");
        assert_eq!(px(1), "0.00000001");
        assert_eq!(Dec { units: -1_119_928, places: 10 }.to_string(), "-0.0001119928");
        assert_eq!(noisy(0.0), "0.0");
        assert_eq!(noisy(7049.6874), "7049.6874");
        assert_eq!(noisy(204_936_975.517_499_8), "204936975.5174998045");
    }
}
