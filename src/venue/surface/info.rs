//! `POST /info` and info posts (PROTOCOL.md §1, §4).

use std::sync::Arc;

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::types::market::MarginMode;
use crate::types::num::{Ratio, Usd};
use crate::types::order::Cloid;
use crate::types::time::Mono;
use crate::venue::account::{View, rows, state};
use crate::venue::action::{Address, Which};
use crate::venue::listing::{Listing, Odd};
use crate::venue::market::{Market, Status};
use crate::venue::surface::frames::{self, array, quoted};
use crate::venue::surface::request::{Grouping, grouping};
use crate::venue::world::World;

/// A request that cannot be read into any of the known ones: answered with 422.
#[derive(Clone, Copy, Debug)]
struct Unreadable;

/// Weight of a request against the minute's budget (PROTOCOL.md §8.1), but for the rows of its answer.
pub(in crate::venue) fn weight(body: &[u8]) -> u32 {
    let request: Option<Value> = serde_json::from_slice(body).ok();
    match request.as_ref().and_then(|r| r.get("type")).and_then(Value::as_str) {
        Some(
            "l2Book"
            | "allMids"
            | "clearinghouseState"
            | "orderStatus"
            | "spotClearinghouseState"
            | "exchangeStatus",
        ) => 2,
        Some("userRole") => 60,
        _ => 20,
    }
}

/// What the rows of an answer weigh on top: one for each twenty of them.
pub(in crate::venue) fn weight_of_rows(request: &[u8], answer: &str) -> u32 {
    let request: Option<Value> = serde_json::from_slice(request).ok();
    match request.as_ref().and_then(|r| r.get("type")).and_then(Value::as_str) {
        Some("recentTrades" | "historicalOrders" | "userFills" | "userFillsByTime") => {
            let rows: Option<Vec<IgnoredAny>> = serde_json::from_str(answer).ok();
            u32::try_from(rows.map_or(0, |rows| rows.len() / 20)).unwrap_or(u32::MAX)
        }
        _ => 0,
    }
}

/// Status and body for the body of a `POST /info`.
pub(in crate::venue) fn respond(view: View<'_>, now: Mono, body: &[u8]) -> (u16, String) {
    let request: Value = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => return (400, format!("Failed to parse the request body as JSON: {error}")),
    };
    match answer(view, now, &request) {
        Ok(answer) => (200, answer),
        Err(Unreadable) => {
            (422, "Failed to deserialize the JSON body into the target type".to_owned())
        }
    }
}

/// The frame that answers an info post; `None` when the error channel answers it.
pub(in crate::venue) fn posted(
    view: View<'_>,
    now: Mono,
    id: u64,
    payload: &Value,
) -> Option<Arc<str>> {
    let kind = payload.get("type").and_then(Value::as_str)?;
    let data = answer(view, now, payload).ok()?;
    let kind = quoted(kind);
    let payload = format!(r#"{{"type":{kind},"data":{data}}}"#);
    let response = format!(r#"{{"type":"info","payload":{payload}}}"#);
    Some(frames::channel("post", &format!(r#"{{"id":{id},"response":{response}}}"#)))
}

/// The frame that answers a post with an HTTP error.
pub(in crate::venue) fn post_error(id: u64, error: &str) -> Arc<str> {
    let response = format!(r#"{{"type":"error","payload":{}}}"#, quoted(error));
    frames::channel("post", &format!(r#"{{"id":{id},"response":{response}}}"#))
}

fn answer(view: View<'_>, now: Mono, request: &Value) -> Result<String, Unreadable> {
    let world = view.world;
    let kind = request.get("type").and_then(Value::as_str).ok_or(Unreadable)?;
    let null = || "null".to_owned();
    // Unknown dexes and coins answer null.
    let on_dex = |write: &dyn Fn(usize) -> String| {
        dex(request, world).map(|dex| dex.map_or_else(null, write))
    };
    match kind {
        "perpDexs" => Ok(perp_dexs(world)),
        "meta" => on_dex(&|dex| meta(world, dex)),
        "metaAndAssetCtxs" => on_dex(&|dex| {
            format!("[{},{}]", meta(world, dex), frames::ctxs(world, dex, now))
        }),
        "allPerpMetas" => Ok(array((0..world.dexes.len()).map(|dex| meta(world, dex)))),
        "perpDexLimits" => match required_dex(request, world)? {
            Some(dex) if dex > 0 => Ok(limits(world, dex)),
            _ => Ok(null()),
        },
        "perpDexStatus" => {
            let known = required_dex(request, world)?;
            Ok(known.map_or_else(null, |_| r#"{"totalNetDeposit":"412350871.35"}"#.to_owned()))
        }
        "perpsAtOpenInterestCap" => on_dex(&|dex| {
            let capped = sorted(world, dex).into_iter().filter(|market| market.at_cap());
            array(capped.map(|market| quoted(&market.listing.coin)))
        }),
        "marginTable" => {
            let id = request.get("id").and_then(Value::as_u64).ok_or(Unreadable)?;
            Ok(if (1..=50).contains(&id) { margin_table(id) } else { null() })
        }
        "allMids" => on_dex(&|dex| frames::mids(world, dex, now)),
        "l2Book" => {
            let market = market(request, world)?;
            let grouping = book_options(request)?;
            let time = world.time(now);
            Ok(market.map_or_else(null, |m| frames::book(m, time, grouping, 20, false)))
        }
        "recentTrades" => {
            let market = market(request, world)?;
            Ok(market.map_or_else(null, |market| {
                // Newest first, ten of them.
                let rows: Vec<_> = market.trades.iter().rev().take(10).copied().collect();
                frames::trade_rows(&market.listing.coin, &rows)
            }))
        }
        "exchangeStatus" => {
            // Lags the clock by a fifth of a second, as the venue's does.
            let time = world.time(now).0.saturating_sub(200);
            Ok(format!(r#"{{"time":{time},"specialStatuses":null}}"#))
        }
        "spotMeta" => Ok(r#"{"universe":[],"tokens":[{"name":"USDC","szDecimals":8,"weiDecimals":8,"index":0,"tokenId":"0x6d1e7cde53ba9467b783cb7c530ce054","isCanonical":true,"evmContract":null,"fullName":null}]}"#.to_owned()),
        "userFunding" => {
            request.get("startTime").and_then(Value::as_i64).ok_or(Unreadable)?;
            user(request).map(|_| "[]".to_owned())
        }
        "userDexAbstraction" | "subAccounts" => user(request).map(|_| null()),
        _ => of_account(view, now, kind, request),
    }
}

/// Questions about an account.
fn of_account(
    view: View<'_>,
    now: Mono,
    kind: &str,
    request: &Value,
) -> Result<String, Unreadable> {
    // Names first: an unknown question is unreadable whatever it says of a user.
    let ask: fn(View<'_>, Mono, Address, &Value) -> Result<String, Unreadable> = match kind {
        "clearinghouseState" => |view, now, user, request| {
            let dex = dex(request, view.world)?;
            Ok(dex.map_or("null".to_owned(), |dex| state::clearinghouse(view, user, dex, now)))
        },
        "openOrders" => |view, _, user, request| open_orders(view, user, request, false),
        "frontendOpenOrders" => |view, _, user, request| open_orders(view, user, request, true),
        "orderStatus" => |view, _, user, request| {
            Ok(rows::order_status(view.account(user), which(request).ok_or(Unreadable)?))
        },
        "historicalOrders" => |view, _, user, _| Ok(rows::historical(view.account(user))),
        "userFills" => {
            |view, _, user, _| Ok(rows::fills(view.accounts, view.account(user), user, true))
        }
        "userFillsByTime" => |view, _, user, request| {
            rows::fills_by_time(view.accounts, view.account(user), user, request).ok_or(Unreadable)
        },
        "spotClearinghouseState" => |view, now, user, _| Ok(state::spot(view, user, now)),
        "userFees" => |view, _, user, _| Ok(state::fees(view.account(user))),
        "userRateLimit" => |view, _, user, _| Ok(state::rate_limit(view.account(user))),
        "extraAgents" => |view, _, user, _| Ok(state::agents(view.account(user))),
        "userRole" => |view, _, user, _| Ok(state::role(view, user)),
        "userAbstraction" => |view, _, user, _| Ok(state::abstraction(view, user).to_owned()),
        _ => return Err(Unreadable),
    };
    ask(view, now, user(request)?, request)
}

/// Open orders on the dex that is asked about.
fn open_orders(
    view: View<'_>,
    user: Address,
    request: &Value,
    kinds: bool,
) -> Result<String, Unreadable> {
    let Some(dex) = dex(request, view.world)? else { return Ok("null".to_owned()) };
    Ok(rows::open_orders(view, user, dex, kinds))
}

/// The order that a request names: a number, or a cloid as text.
fn which(request: &Value) -> Option<Which> {
    match request.get("oid")? {
        Value::Number(oid) => oid.as_u64().map(Which::Oid),
        Value::String(cloid) => Cloid::parse(cloid).map(Which::Cloid),
        _ => None,
    }
}

/// The dex that a request names, absent or `""` for the main one; `None` when it is not known.
fn dex(request: &Value, world: &World) -> Result<Option<usize>, Unreadable> {
    match request.get("dex") {
        None | Some(Value::Null) => Ok(Some(0)),
        Some(Value::String(name)) => Ok(world.find_dex(name)),
        Some(_) => Err(Unreadable),
    }
}

fn required_dex(request: &Value, world: &World) -> Result<Option<usize>, Unreadable> {
    let name = request.get("dex").and_then(Value::as_str).ok_or(Unreadable)?;
    Ok(world.find_dex(name))
}

fn market<'a>(request: &Value, world: &'a World) -> Result<Option<&'a Market>, Unreadable> {
    let coin = request.get("coin").and_then(Value::as_str).ok_or(Unreadable)?;
    Ok(world.find(coin).and_then(|at| world.markets.get(at)))
}

fn user(request: &Value) -> Result<Address, Unreadable> {
    request.get("user").and_then(Value::as_str).and_then(Address::parse).ok_or(Unreadable)
}

fn book_options(request: &Value) -> Result<Grouping, Unreadable> {
    let small = |key: &str| match request.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            value.as_u64().and_then(|n| u8::try_from(n).ok()).map(Some).ok_or(Unreadable)
        }
    };
    grouping(small("nSigFigs")?, small("mantissa")?).ok_or(Unreadable)
}

/// A dex's markets by name: the order of every list but `meta` (PROTOCOL.md §4.1).
fn sorted(world: &World, dex: usize) -> Vec<&Market> {
    let mut markets: Vec<&Market> = world.of_dex(dex).collect();
    markets.sort_by(|a, b| a.listing.coin.cmp(&b.listing.coin));
    markets
}

/// A USD amount as lists print it.
fn usd(amount: Usd) -> String {
    frames::noisy(amount.units() as f64 / 1e6)
}

/// `[[coin,"usd"]…]`: the caps of all live markets.
fn caps(world: &World, dex: usize) -> String {
    let live = sorted(world, dex).into_iter().filter(|market| market.status != Status::Delisted);
    array(
        live.map(|market| {
            format!(r#"["{}","{}"]"#, market.listing.coin, usd(market.listing.oi_cap))
        }),
    )
}

fn perp_dexs(world: &World) -> String {
    let dexes = world.dexes.iter().enumerate().skip(1).map(|(at, dex)| {
        let (name, full_name, caps) = (&dex.name, dex.full_name, caps(world, at));
        let multipliers = array(sorted(world, at).into_iter().map(|market| {
            format!(r#"["{}","0.5"]"#, market.listing.coin)
        }));
        let deployer = format!("0x{:040x}", 0x0068_6970_0000_u64 + at as u64);
        format!(
            r#"{{"name":"{name}","fullName":"{full_name}","deployer":"{deployer}","oracleUpdater":null,"feeRecipient":"{deployer}","assetToStreamingOiCap":{caps},"subDeployers":[["setOracle",["{deployer}"]]],"assetToFundingMultiplier":{multipliers},"assetToFundingInterestRate":[],"assetToFundingClamp":[]}}"#
        )
    });
    array(std::iter::once("null".to_owned()).chain(dexes))
}

fn limits(world: &World, dex: usize) -> String {
    let total: i64 = world.of_dex(dex).map(|market| market.listing.oi_cap.units()).sum();
    format!(
        r#"{{"totalOiCap":"{}","oiSzCapPerPerp":"20000000000.0","maxTransferNtl":"3000000000.0","coinToOiCap":{}}}"#,
        usd(Usd::from_units(total)),
        caps(world, dex),
    )
}

fn meta(world: &World, dex: usize) -> String {
    let universe = array(world.of_dex(dex).map(|market| asset(market, dex > 0)));
    let margin_table = margin_table(50);
    format!(r#"{{"universe":{universe},"marginTables":[[50,{margin_table}]],"collateralToken":0}}"#)
}

fn margin_table(leverage: u64) -> String {
    format!(
        r#"{{"description":"","marginTiers":[{{"lowerBound":"0.0","maxLeverage":{leverage}}}]}}"#
    )
}

/// One entry of a universe (PROTOCOL.md §4.2): keys that would say no are left out.
fn asset(market: &Market, builder: bool) -> String {
    let Listing { coin, sz_decimals, max_leverage, margin_mode, growth, fee_scale, odd, .. } =
        &market.listing;
    let mut text = format!(
        r#"{{"szDecimals":{sz_decimals},"name":"{coin}","maxLeverage":{max_leverage},"marginTableId":{max_leverage}"#
    );
    let mode = match margin_mode {
        _ if *odd == Some(Odd::MarginMode) => Some("isolatedOnly2"),
        MarginMode::Cross => None,
        MarginMode::NoCross => Some("noCross"),
        MarginMode::StrictIsolated => Some("strictIsolated"),
    };
    if mode.is_some() {
        text.push_str(r#","onlyIsolated":true"#);
    }
    if !market.live() {
        text.push_str(r#","isDelisted":true"#);
    }
    if let Some(mode) = mode {
        text.push_str(&format!(r#","marginMode":"{mode}""#));
    }
    if builder {
        if *odd == Some(Odd::GrowthMode) {
            text.push_str(r#","growthMode":"tapered""#);
        } else if *growth {
            text.push_str(r#","growthMode":"enabled""#);
            text.push_str(r#","lastFeeScaleChangeTime":"2026-01-12T08:30:00.123456789""#);
        }
        let scale = if *fee_scale == Ratio::ONE { "1.0".to_owned() } else { fee_scale.to_string() };
        text.push_str(&format!(r#","deployerFeeScale":"{scale}""#));
    }
    text.push('}');
    text
}
