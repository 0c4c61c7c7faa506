//! From the bytes of a frame to a market's quotes or context: the engine's decoder against its own
//! slow way (`simd-json`) and against `serde_json` into borrowed structs, all with the same exact
//! conversions and look-ups of the coin.

#![allow(missing_docs, reason = "the macros of criterion make undocumented items")]

mod common;

use std::collections::BTreeMap;
use std::hint::black_box;

use common::report_ratio;
use criterion::{Criterion, criterion_group, criterion_main};
use hip3::feed::message::json::{Body, Parser};
use hip3::feed::message::{Decoder, Message};
use hip3::types::ids::{Coin, MarketId};
use hip3::types::market::{Bbo, Ctx, Level};
use hip3::types::num::{Px, Sz};
use hip3::types::time::VenueMs;
use serde::Deserialize;

const BBO: &[u8] = br#"{"channel":"bbo","data":{"coin":"abc:GOLD","time":1790000000123,"bbo":[{"px":"4051.2","sz":"0.125","n":3},{"px":"4051.9","sz":"12.0","n":1}]}}"#;

const CTX: &[u8] = br#"{"channel":"activeAssetCtx","data":{"coin":"abc:GOLD","ctx":{"funding":"-0.0000101","openInterest":"8123.4567890123","prevDayPx":"4049.0","dayNtlVlm":"31415926.5358979","premium":"-0.0003","oraclePx":"4051.55","markPx":"4051.4","midPx":"4051.45","impactPxs":["4051.11","4051.987"],"dayBaseVlm":"7755.1"}}}"#;

const MARKETS: u16 = 200;

fn coins() -> impl Iterator<Item = (Coin, MarketId)> {
    let gold = Coin::new("abc:GOLD").map(|coin| (coin, MarketId(0)));
    let others = (1..MARKETS)
        .filter_map(|i| Coin::new(&format!("abc:NAME{i}")).map(|coin| (coin, MarketId(i))));
    gold.into_iter().chain(others)
}

fn decoder() -> Decoder {
    let mut decoder = Decoder::new();
    for (coin, market) in coins() {
        decoder.watch(coin, market);
    }
    decoder
}

fn names() -> BTreeMap<String, MarketId> {
    coins().map(|(coin, market)| (coin.to_string(), market)).collect()
}

#[derive(Deserialize)]
struct Frame<'a, T> {
    channel: &'a str,
    data: T,
}

#[derive(Deserialize)]
struct BboData<'a> {
    coin: &'a str,
    time: i64,
    #[serde(borrow)]
    bbo: (Option<Side<'a>>, Option<Side<'a>>),
}

#[derive(Deserialize)]
struct Side<'a> {
    px: &'a str,
    sz: &'a str,
}

#[derive(Deserialize)]
struct CtxData<'a> {
    coin: &'a str,
    #[serde(borrow)]
    ctx: Context<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    oracle_px: Option<&'a str>,
    mark_px: Option<&'a str>,
    mid_px: Option<&'a str>,
    open_interest: Option<&'a str>,
    premium: Option<&'a str>,
    impact_pxs: Option<(&'a str, &'a str)>,
}

fn serde_json_bbo(names: &BTreeMap<String, MarketId>, frame: &[u8]) -> Option<Message<'static>> {
    let frame: Frame<'_, BboData<'_>> = serde_json::from_slice(frame).ok()?;
    let level = |side: Option<Side<'_>>| match side {
        Some(side) => {
            let (px, sz) = (Px::parse(side.px.as_bytes())?, Sz::parse(side.sz.as_bytes())?);
            Some(Some(Level { px, sz }))
        }
        None => Some(None),
    };
    let BboData { coin, time, bbo: (bid, ask) } = frame.data;
    let bbo = Bbo { bid: level(bid)?, ask: level(ask)?, time: VenueMs(time) };
    let market = *names.get(coin)?;
    (frame.channel == "bbo").then_some(Message::Bbo { market, bbo })
}

fn serde_json_ctx(names: &BTreeMap<String, MarketId>, frame: &[u8]) -> Option<Message<'static>> {
    let frame: Frame<'_, CtxData<'_>> = serde_json::from_slice(frame).ok()?;
    let CtxData { coin, ctx } = frame.data;
    let px = |text: Option<&str>| match text {
        Some(text) => Px::parse(text.as_bytes()).map(Some),
        None => Some(None),
    };
    let open_interest = match ctx.open_interest {
        Some(text) => Some(Sz::parse_truncating(text.as_bytes())?),
        None => None,
    };
    let silent = ctx.mid_px.is_none() && ctx.premium.is_none() && ctx.impact_pxs.is_none();
    let ctx = Ctx {
        oracle: px(ctx.oracle_px)?,
        mark: px(ctx.mark_px)?,
        mid: px(ctx.mid_px)?,
        open_interest,
        settled: silent && open_interest == Some(Sz::ZERO),
    };
    let market = *names.get(coin)?;
    (frame.channel == "activeAssetCtx").then_some(Message::Ctx { market, ctx })
}

fn simd_json(
    names: &BTreeMap<String, MarketId>,
    parser: &mut Parser,
    frame: &[u8],
) -> Option<Message<'static>> {
    match parser.read(frame).ok()? {
        Body::Bbo(coin, bbo) => names.get(coin).map(|market| Message::Bbo { market: *market, bbo }),
        Body::Ctx(coin, ctx) => names.get(coin).map(|market| Message::Ctx { market: *market, ctx }),
        _ => None,
    }
}

fn contest(
    c: &mut Criterion,
    name: &str,
    frame: &'static [u8],
    serde_json: fn(&BTreeMap<String, MarketId>, &[u8]) -> Option<Message<'static>>,
) {
    let (mut decoder, mut parser, names) = (decoder(), Parser::new(), names());
    let answer = serde_json(&names, frame);
    assert_eq!(decoder.decode(frame).ok(), answer, "a fast wrong answer is no result");
    assert_eq!(simd_json(&names, &mut parser, frame), answer, "a fast wrong answer is no result");
    assert!(answer.is_some() && decoder.fallbacks() == 0, "the usual shape of a frame");

    // A message borrows from its decoder and cannot leave the closure, so it is consumed inside.
    let mut engine = || {
        black_box(decoder.decode(black_box(frame)).ok());
    };
    let mut group = c.benchmark_group(name);
    group.bench_function("serde_json", |b| b.iter(|| serde_json(&names, black_box(frame))));
    group.bench_function("simd_json", |b| {
        b.iter(|| simd_json(&names, &mut parser, black_box(frame)));
    });
    group.bench_function("engine", |b| b.iter(&mut engine));
    group.finish();
    report_ratio(name, ("engine", engine), ("serde_json", || serde_json(&names, black_box(frame))));
}

fn decode_bbo(c: &mut Criterion) {
    contest(c, "feed/decode_bbo", BBO, serde_json_bbo);
}

fn decode_ctx(c: &mut Criterion) {
    contest(c, "feed/decode_ctx", CTX, serde_json_ctx);
}

criterion_group!(benches, decode_bbo, decode_ctx);
criterion_main!(benches);
