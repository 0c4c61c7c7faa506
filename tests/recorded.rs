//! Frames that others recorded from the venue: every one is understood, or ignored on purpose.
//!
//! They are no part of the project. `HIP3_FRAMES` names the folder that holds them, by default
//! `../shared/frames`; without it these tests say so and end. What a frame is, the table says; which
//! values it holds is read from the frame itself by `serde_json`, as text.

use std::fs;
use std::path::{Path, PathBuf};

use hip3::feed::Subscription;
use hip3::feed::message::{Channel, Decoder, Message, UserEvent};
use hip3::types::ids::{Coin, Excerpt, MarketId};
use hip3::types::market::Level;
use hip3::types::num::Side;
use hip3::types::order::{Fill, OrderAnswer, OrderUpdate, PostAnswer, VenueStatus};
use serde_json::Value;

/// What a frame must be understood as.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// The best bid and offer of a coin.
    Bbo(&'static str),
    /// The context of a coin.
    Ctx(&'static str),
    /// An ACK of a subscribe (`true`) or unsubscribe.
    Ack(bool, Option<Subscription>),
    /// A complaint.
    VenueError,
    Pong,
    /// News of orders.
    Orders,
    /// Fills of the account that the frame names.
    Fills,
    /// An event of the account.
    Event,
    /// The answer to a post.
    Post,
    Ignored(Channel),
    /// No frame of the socket.
    Unknown,
}

const COINS: [&str; 4] = ["SOL", "xyz:AAPL", "xyz:AAOI", "xyz:XYZ100"];

const TABLE: &[(&str, Expect)] = &[
    ("post_cancel_error", Expect::Post),
    ("post_cancel_success", Expect::Post),
    ("post_info_l2Book_null", Expect::Post),
    ("post_order_error_min_notional", Expect::Post),
    ("post_order_filled", Expect::Post),
    ("post_order_resting", Expect::Post),
    ("ws_ack_clearinghouseState", Expect::Ack(true, None)),
    ("ws_ack_l2Book_fast", Expect::Ack(true, None)),
    ("ws_ack_unsubscribe", Expect::Ack(false, None)),
    ("ws_ack_userFills", Expect::Ack(true, Some(Subscription::UserFills))),
    ("ws_activeAssetCtx_testnet_SOL", Expect::Ctx("SOL")),
    ("ws_activeAssetCtx_xyz_AAPL_overnight", Expect::Ctx("xyz:AAPL")),
    ("ws_activeAssetCtx_xyz_XYZ100", Expect::Ctx("xyz:XYZ100")),
    ("ws_activeAssetData", Expect::Ignored(Channel::ActiveAssetData)),
    ("ws_activeSpotAssetCtx", Expect::Ignored(Channel::ActiveSpotAssetCtx)),
    ("ws_allDexsAssetCtxs", Expect::Ignored(Channel::AllDexsAssetCtxs)),
    ("ws_assetCtxs_xyz", Expect::Ignored(Channel::AssetCtxs)),
    ("ws_bbo_one_side_null_MADE", Expect::Bbo("xyz:AAOI")),
    ("ws_bbo_testnet_SOL", Expect::Bbo("SOL")),
    ("ws_bbo_xyz_AAPL", Expect::Bbo("xyz:AAPL")),
    ("ws_clearinghouseState", Expect::Ignored(Channel::ClearinghouseState)),
    ("ws_error_already_subscribed", Expect::Ack(true, None)),
    ("ws_error_parse", Expect::VenueError),
    ("ws_error_webData2_gone", Expect::VenueError),
    ("ws_fastAssetCtxs_delta", Expect::Ignored(Channel::FastAssetCtxs)),
    ("ws_l2Book_BTC", Expect::Ignored(Channel::L2Book)),
    ("ws_l2Book_empty_delisted", Expect::Ignored(Channel::L2Book)),
    ("ws_l2Book_xyz_SP500_3levels", Expect::Ignored(Channel::L2Book)),
    ("ws_notification", Expect::Ignored(Channel::Notification)),
    ("ws_openOrders", Expect::Ignored(Channel::OpenOrders)),
    ("ws_orderUpdates_canceled", Expect::Orders),
    // One element of an array, cut out by whoever recorded it.
    ("ws_orderUpdates_entry_reduceOnlyCanceled", Expect::Unknown),
    ("ws_orderUpdates_minTradeNtlRejected", Expect::Orders),
    ("ws_orderUpdates_open", Expect::Orders),
    ("ws_orderUpdates_open_alo_mainnet", Expect::Orders),
    ("ws_orderUpdates_open_then_filled", Expect::Orders),
    ("ws_pong", Expect::Pong),
    ("ws_subscriptionResponse_bbo", Expect::Ack(true, Some(Subscription::Bbo(MarketId(0))))),
    ("ws_trades_empty", Expect::Ignored(Channel::Trades)),
    ("ws_userFill_liquidated_counterparty", Expect::Fills),
    ("ws_userFills_snapshot", Expect::Fills),
    ("ws_user_fills", Expect::Event),
    ("ws_user_funding", Expect::Event),
    ("ws_user_nonUserCancel", Expect::Event),
    ("ws_webData3", Expect::Ignored(Channel::WebData3)),
];

/// The folder, or `None` after saying that it is missing.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("HIP3_FRAMES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/frames"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "skipped: no recorded frames in {} (HIP3_FRAMES names their folder)",
        folder.display()
    );
    None
}

/// As recorders and editors leave it: without the line's end.
fn read(folder: &Path, name: &str) -> Vec<u8> {
    let path = folder.join(format!("{name}.json"));
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    bytes.trim_ascii_end().to_vec()
}

fn decoder(folder: &Path) -> Decoder {
    let mut decoder = Decoder::new();
    for (i, coin) in COINS.iter().enumerate() {
        let market = MarketId(u16::try_from(i).expect("few coins"));
        decoder.watch(Coin::new(coin).expect("a coin"), market);
    }
    let ack: Value = serde_json::from_slice(&read(folder, "ws_ack_userFills")).expect("JSON");
    let user = ack["data"]["subscription"]["user"].as_str().expect("an address");
    decoder.set_user(&user.to_uppercase().replace("0X", "0x"));
    decoder
}

/// A decimal as the venue writes it → as ours are written: at most eight decimals, no zeros at the
/// end.
fn canonical(value: &Value) -> Option<String> {
    cut(value, 8)
}

/// An amount in USD: at most six decimals.
fn usd(value: &Value) -> Option<String> {
    cut(value, 6)
}

fn cut(value: &Value, places: usize) -> Option<String> {
    let text = value.as_str()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction[..fraction.len().min(places)].trim_end_matches('0');
    Some(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

fn assert_level(level: Option<Level>, value: &Value, name: &str) {
    let level = level.map(|level| (level.px.to_string(), level.sz.to_string()));
    let expected = canonical(&value["px"]).zip(canonical(&value["sz"]));
    assert_eq!(level, expected, "{name}");
    assert_eq!(level.is_none(), value.is_null(), "{name}");
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "B",
        Side::Sell => "A",
    }
}

/// Both lists hold the same, one by one.
fn assert_all<T>(read: &[T], told: &Value, name: &str, same: fn(&T, &Value, &str)) {
    let told = told.as_array().expect("an array");
    assert_eq!(read.len(), told.len(), "{name}");
    for (read, told) in read.iter().zip(told) {
        same(read, told, name);
    }
}

fn assert_update(update: &OrderUpdate, value: &Value, name: &str) {
    let order = &value["order"];
    assert_eq!(Some(update.coin.as_str()), order["coin"].as_str(), "{name}");
    assert_eq!(Some(update.oid), order["oid"].as_u64(), "{name}");
    let cloid = update.cloid.map(|cloid| cloid.to_string());
    assert_eq!(cloid.as_deref(), order["cloid"].as_str(), "{name}");
    assert_eq!(Some(side(update.side)), order["side"].as_str(), "{name}");
    assert_eq!(Some(update.sz.to_string()), canonical(&order["sz"]), "{name}");
    assert_eq!(Some(update.orig_sz.to_string()), canonical(&order["origSz"]), "{name}");
    let word =
        VenueStatus::KNOWN.iter().find(|(_, word)| *word == update.word).map(|(text, _)| *text);
    assert_eq!(word, value["status"].as_str(), "{name}");
    assert_eq!(Some(update.status_time.0), value["statusTimestamp"].as_i64(), "{name}");
}

fn assert_fill(fill: &Fill, row: &Value, name: &str) {
    assert_eq!(Some(fill.coin.as_str()), row["coin"].as_str(), "{name}");
    assert_eq!(Some(fill.px.to_string()), canonical(&row["px"]), "{name}");
    assert_eq!(Some(fill.sz.to_string()), canonical(&row["sz"]), "{name}");
    assert_eq!(Some(side(fill.side)), row["side"].as_str(), "{name}");
    assert_eq!(Some(fill.time.0), row["time"].as_i64(), "{name}");
    assert_eq!(Some(fill.start_position.to_string()), canonical(&row["startPosition"]), "{name}");
    assert_eq!(Some(fill.closed_pnl.to_string()), usd(&row["closedPnl"]), "{name}");
    assert_eq!(Some(fill.fee.to_string()), usd(&row["fee"]), "{name}");
    assert_eq!((Some(fill.oid), Some(fill.tid)), (row["oid"].as_u64(), row["tid"].as_u64()));
    let cloid = fill.cloid.map(|cloid| cloid.to_string());
    assert_eq!(cloid.as_deref(), row["cloid"].as_str(), "{name}");
    assert_eq!(fill.liquidation, row["liquidation"].is_object(), "{name}");
}

/// Whether a size of the row has more decimals than a size holds, as dust of spot pairs has.
fn is_finer_than_sizes(row: &Value) -> bool {
    let finer = |key: &str| {
        let (_, fraction) = row[key].as_str()?.split_once('.')?;
        Some(fraction.len() > 8)
    };
    ["sz", "startPosition"].iter().any(|key| finer(key) == Some(true))
}

fn assert_event(event: UserEvent<'_>, data: &Value, name: &str) {
    match event {
        UserEvent::Fills { fills, skipped: 0 } => {
            assert_all(fills, &data["fills"], name, assert_fill);
        }
        UserEvent::Funding { coin, usd: paid } => {
            assert_eq!(Some(coin.as_str()), data["funding"]["coin"].as_str(), "{name}");
            assert_eq!(Some(paid.to_string()), usd(&data["funding"]["usdc"]), "{name}");
        }
        UserEvent::NonUserCancel { oids, skipped: 0 } => {
            let same = |oid: &u64, told: &Value, name: &str| {
                assert_eq!(Some(*oid), told["oid"].as_u64(), "{name}");
            };
            assert_all(oids, &data["nonUserCancel"], name, same);
        }
        other => panic!("{name}: {other:?}"),
    }
}

fn assert_post(answer: PostAnswer<'_>, response: &Value, name: &str) {
    if response["type"] == "info" {
        assert_eq!(answer, PostAnswer::Other, "{name}");
        return;
    }
    let PostAnswer::Statuses(answers) = answer else { panic!("{name}: {answer:?}") };
    let told = &response["payload"]["response"]["data"]["statuses"];
    assert_all(answers, told, name, |answer, told, name| match answer {
        OrderAnswer::Resting { oid } => {
            assert_eq!(Some(*oid), told["resting"]["oid"].as_u64(), "{name}");
        }
        OrderAnswer::Filled { total_sz, avg_px, oid } => {
            let told = &told["filled"];
            assert_eq!(Some(total_sz.to_string()), canonical(&told["totalSz"]), "{name}");
            assert_eq!(Some(avg_px.to_string()), canonical(&told["avgPx"]), "{name}");
            assert_eq!(Some(*oid), told["oid"].as_u64(), "{name}");
        }
        OrderAnswer::Error(words) => {
            let told = told["error"].as_str().map(|text| Excerpt::of(text.as_bytes()));
            assert_eq!(Some(*words), told, "{name}");
        }
        OrderAnswer::Success => assert_eq!(told.as_str(), Some("success"), "{name}"),
        OrderAnswer::Unknown => panic!("{name}: {told} is not understood"),
    });
}

#[test]
fn every_recorded_frame_is_understood_or_ignored_on_purpose() {
    let Some(folder) = folder() else { return };
    let mut decoder = decoder(&folder);
    for (name, expect) in TABLE {
        let frame = read(&folder, name);
        let json: Value = serde_json::from_slice(&frame).expect("recorded frames are JSON");
        let data = &json["data"];
        if let (Expect::Fills, Some(user)) = (expect, data["user"].as_str()) {
            decoder.set_user(user);
        }
        let message = decoder.decode(&frame).unwrap_or_else(|error| panic!("{name}: {error}"));
        match (*expect, message) {
            (Expect::Bbo(coin), Message::Bbo { market, bbo }) => {
                assert_eq!((COINS[market.index()], data["coin"].as_str()), (coin, Some(coin)));
                assert_eq!(Some(bbo.time.0), data["time"].as_i64(), "{name}");
                assert_level(bbo.bid, &data["bbo"][0], name);
                assert_level(bbo.ask, &data["bbo"][1], name);
            }
            (Expect::Ctx(coin), Message::Ctx { market, ctx }) => {
                assert_eq!((COINS[market.index()], data["coin"].as_str()), (coin, Some(coin)));
                let text = |px: Option<hip3::types::num::Px>| px.map(|px| px.to_string());
                assert_eq!(text(ctx.oracle), canonical(&data["ctx"]["oraclePx"]), "{name}");
                assert_eq!(text(ctx.mark), canonical(&data["ctx"]["markPx"]), "{name}");
                assert_eq!(text(ctx.mid), canonical(&data["ctx"]["midPx"]), "{name}");
                let held = ctx.open_interest.map(|held| held.to_string());
                assert_eq!(held, canonical(&data["ctx"]["openInterest"]), "{name}");
                assert!(ctx.oracle.is_some() && held.is_some() && !ctx.settled, "{name}");
            }
            (Expect::VenueError, Message::VenueError(text)) => {
                assert_eq!(str::from_utf8(text).ok(), data.as_str(), "{name}");
            }
            (Expect::Ack(subscribed, subscription), message) => {
                assert_eq!(message, Message::Ack { subscribed, subscription }, "{name}");
            }
            (Expect::Pong, Message::Pong) | (Expect::Unknown, Message::Unknown) => {}
            (Expect::Orders, Message::OrderUpdates { updates, skipped: 0 }) => {
                assert_all(updates, data, name, assert_update);
            }
            (Expect::Fills, Message::Fills { snapshot, fills, skipped: 0 }) => {
                assert_eq!(snapshot, data["isSnapshot"] == true, "{name}");
                let mut told = data["fills"].clone();
                let rows = told.as_array_mut().expect("an array");
                let dust = rows.extract_if(.., |row| is_finer_than_sizes(row)).collect::<Vec<_>>();
                assert!(dust.iter().all(|row| row["coin"] == "@151"), "{name}: {dust:?}");
                assert_all(fills, &told, name, assert_fill);
            }
            (Expect::Event, Message::UserEvent(event)) => assert_event(event, data, name),
            (Expect::Post, Message::Post { id, answer }) => {
                assert_eq!(Some(id), data["id"].as_u64(), "{name}");
                assert_post(answer, &data["response"], name);
            }
            (Expect::Ignored(channel), message) => {
                assert_eq!(message, Message::Ignored(channel), "{name}");
            }
            (expect, message) => panic!("{name}: {message:?} instead of {expect:?}"),
        }
    }
    assert_eq!(decoder.fallbacks(), 0, "market data on the wire has the usual shape");
}

#[test]
fn no_recorded_frame_is_left_out() {
    let Some(folder) = folder() else { return };
    let mut seen = 0;
    for entry in fs::read_dir(&folder).expect("a readable folder") {
        let file = entry.expect("a readable entry").file_name();
        let file = file.to_str().expect("a plain name");
        let Some(name) = file.strip_suffix(".json") else { continue };
        if name.starts_with("ws_") || name.starts_with("post_") {
            assert!(TABLE.iter().any(|(row, _)| *row == name), "{file} has no row in the table");
            seen += 1;
        }
    }
    assert_eq!(seen, TABLE.len(), "rows without a file");
}
