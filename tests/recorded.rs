//! Frames that others recorded from the venue: every one is understood, or ignored on purpose.
//!
//! They are no part of the project. `HIP3_FRAMES` names the folder that holds them, by default
//! `../shared/frames`; without it these tests say so and end. What a frame is, the table says; which
//! values it holds is read from the frame itself by `serde_json`, as text.

use std::fs;
use std::path::{Path, PathBuf};

use hip3::feed::Subscription;
use hip3::feed::message::{Channel, Decoder, Message};
use hip3::types::ids::{Coin, MarketId};
use hip3::types::market::Level;
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
    Ignored(Channel),
    /// No frame of the socket.
    Unknown,
}

const COINS: [&str; 4] = ["SOL", "xyz:AAPL", "xyz:AAOI", "xyz:XYZ100"];

const TABLE: &[(&str, Expect)] = &[
    ("post_cancel_error", Expect::Ignored(Channel::Post)),
    ("post_cancel_success", Expect::Ignored(Channel::Post)),
    ("post_info_l2Book_null", Expect::Ignored(Channel::Post)),
    ("post_order_error_min_notional", Expect::Ignored(Channel::Post)),
    ("post_order_filled", Expect::Ignored(Channel::Post)),
    ("post_order_resting", Expect::Ignored(Channel::Post)),
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
    ("ws_orderUpdates_canceled", Expect::Ignored(Channel::OrderUpdates)),
    // One element of an array, cut out by whoever recorded it.
    ("ws_orderUpdates_entry_reduceOnlyCanceled", Expect::Unknown),
    ("ws_orderUpdates_minTradeNtlRejected", Expect::Ignored(Channel::OrderUpdates)),
    ("ws_orderUpdates_open", Expect::Ignored(Channel::OrderUpdates)),
    ("ws_orderUpdates_open_alo_mainnet", Expect::Ignored(Channel::OrderUpdates)),
    ("ws_orderUpdates_open_then_filled", Expect::Ignored(Channel::OrderUpdates)),
    ("ws_pong", Expect::Pong),
    ("ws_subscriptionResponse_bbo", Expect::Ack(true, Some(Subscription::Bbo(MarketId(0))))),
    ("ws_trades_empty", Expect::Ignored(Channel::Trades)),
    ("ws_userFill_liquidated_counterparty", Expect::Ignored(Channel::UserFills)),
    ("ws_userFills_snapshot", Expect::Ignored(Channel::UserFills)),
    ("ws_user_fills", Expect::Ignored(Channel::User)),
    ("ws_user_funding", Expect::Ignored(Channel::User)),
    ("ws_user_nonUserCancel", Expect::Ignored(Channel::User)),
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
    let text = value.as_str()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction[..fraction.len().min(8)].trim_end_matches('0');
    Some(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

fn assert_level(level: Option<Level>, value: &Value, name: &str) {
    let level = level.map(|level| (level.px.to_string(), level.sz.to_string()));
    let expected = canonical(&value["px"]).zip(canonical(&value["sz"]));
    assert_eq!(level, expected, "{name}");
    assert_eq!(level.is_none(), value.is_null(), "{name}");
}

#[test]
fn every_recorded_frame_is_understood_or_ignored_on_purpose() {
    let Some(folder) = folder() else { return };
    let mut decoder = decoder(&folder);
    for (name, expect) in TABLE {
        let frame = read(&folder, name);
        let json: Value = serde_json::from_slice(&frame).expect("recorded frames are JSON");
        let data = &json["data"];
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
