//! What a client hears on a socket: order, cadence, error strings, limits, ends.

use hip3::venue::{Limits, Output, Refused, Settings};
use serde_json::{Value, json};

use crate::support::{Floor, px, sz};

const USER: &str = "0x00000000000000000000000000000000000000aB";

fn live_floor() -> Floor {
    Floor::new(Settings { markets: 12, ..Settings::default() })
}

#[test]
fn an_acknowledgement_comes_before_the_first_data_and_fills_in_defaults() {
    let user = USER.to_lowercase();
    for (asked, echoed, first) in [
        (
            r#"{"coin":"xyz:TSLA","type":"bbo","extra":1}"#.to_owned(),
            r#"{"type":"bbo","coin":"xyz:TSLA"}"#.to_owned(),
            Some("bbo"),
        ),
        (
            r#"{"type":"l2Book","coin":"xyz:TSLA","fast":true}"#.to_owned(),
            r#"{"type":"l2Book","coin":"xyz:TSLA","nSigFigs":null,"mantissa":null,"fast":true}"#
                .to_owned(),
            Some("l2Book"),
        ),
        (
            r#"{"type":"trades","coin":"xyz:TSLA"}"#.to_owned(),
            r#"{"type":"trades","coin":"xyz:TSLA"}"#.to_owned(),
            Some("trades"),
        ),
        (
            r#"{"type":"allMids"}"#.to_owned(),
            r#"{"type":"allMids","dex":""}"#.to_owned(),
            Some("allMids"),
        ),
        (
            format!(r#"{{"type":"userFills","user":"{USER}"}}"#),
            format!(r#"{{"type":"userFills","user":"{user}","aggregateByTime":false}}"#),
            Some("userFills"),
        ),
        (
            format!(r#"{{"type":"clearinghouseState","user":"{USER}"}}"#),
            format!(r#"{{"type":"clearinghouseState","dex":"","user":"{user}"}}"#),
            Some("clearinghouseState"),
        ),
        (
            format!(r#"{{"type":"orderUpdates","user":"{USER}"}}"#),
            format!(r#"{{"type":"orderUpdates","user":"{user}"}}"#),
            None,
        ),
        (
            format!(r#"{{"type":"userEvents","user":"{USER}"}}"#),
            format!(r#"{{"type":"userEvents","user":"{user}"}}"#),
            None,
        ),
    ] {
        let mut floor = Floor::still();
        let conn = floor.connect();
        floor.subscribe(conn, &asked);
        floor.pass(200);
        let texts = floor.texts();
        let ack = format!(
            r#"{{"channel":"subscriptionResponse","data":{{"method":"subscribe","subscription":{echoed}}}}}"#
        );
        assert_eq!(texts.first(), Some(&ack));
        let channel = texts.get(1).map(|text| {
            let frame: Value = serde_json::from_str(text).unwrap();
            frame["channel"].as_str().unwrap().to_owned()
        });
        assert_eq!(channel.as_deref(), first, "{asked}");
    }
}

#[test]
fn the_error_channel_speaks_as_the_venue_does() {
    let mut floor = Floor::still();
    let conn = floor.connect();
    let bbo = r#"{"type":"bbo","coin":"BTC"}"#;
    floor.subscribe(conn, bbo);
    floor.heard();
    for (said, data) in [
        (
            format!(r#"{{"method":"subscribe","subscription":{bbo}}}"#),
            r#"Already subscribed: {"type":"bbo","coin":"BTC"}"#,
        ),
        (
            r#"{"method":"unsubscribe","subscription":{"type":"l2Book","coin":"SOL"}}"#.to_owned(),
            r#"Already unsubscribed: {"type":"l2Book","coin":"SOL","nSigFigs":null,"mantissa":null,"fast":false}"#,
        ),
        ("not json".to_owned(), "Error parsing JSON into valid websocket request: not json"),
        (
            r#"{"method":"subscribe","subscription":{"type":"bbo","coin":["BTC","ETH"]}}"#
                .to_owned(),
            r#"Error parsing JSON into valid websocket request: {"method":"subscribe","subscription":{"type":"bbo","coin":["BTC","ETH"]}}"#,
        ),
        (
            r#"{"method":"subscribe","subscription":{"type":"webData2","user":"0x1"}}"#.to_owned(),
            r#"Error parsing JSON into valid websocket request: {"method":"subscribe","subscription":{"type":"webData2","user":"0x1"}}"#,
        ),
        (
            r#"{"method":"post","request":{}}"#.to_owned(),
            r#"Error parsing JSON into valid websocket request: {"method":"post","request":{}}"#,
        ),
    ] {
        floor.say(conn, &said);
        assert_eq!(floor.frames(), [json!({ "channel": "error", "data": data })]);
    }
    floor.say(conn, r#"{"method":"ping"}"#);
    assert_eq!(floor.texts(), [r#"{"channel":"pong"}"#]);
}

#[test]
fn an_unsubscribed_channel_falls_silent() {
    let mut floor = live_floor();
    let conn = floor.connect();
    floor.subscribe(conn, r#"{"type":"activeAssetCtx","coin":"xyz:TSLA"}"#);
    floor.pass(3_000);
    assert!(floor.heard().len() >= 3);
    floor.say(
        conn,
        r#"{"method":"unsubscribe","subscription":{"type":"activeAssetCtx","coin":"xyz:TSLA"}}"#,
    );
    floor.pass(3_000);
    assert_eq!(floor.frames().len(), 1, "the acknowledgement alone");
}

#[test]
fn an_unknown_coin_kills_the_socket_without_a_close_frame() {
    for subscription in [
        r#"{"type":"bbo","coin":"NOPE"}"#,
        r#"{"type":"bbo","coin":"btc"}"#,
        r#"{"type":"bbo","coin":"XYZ:TSLA"}"#,
        r#"{"type":"activeAssetCtx","coin":"TSLA"}"#,
        r#"{"type":"l2Book","coin":"BTC","nSigFigs":6}"#,
        r#"{"type":"l2Book","coin":"BTC","mantissa":2}"#,
    ] {
        let mut floor = Floor::still();
        let conn = floor.connect();
        floor.subscribe(conn, subscription);
        floor.pass(80);
        assert_eq!(floor.heard(), [], "not at once");
        floor.pass(100);
        assert_eq!(floor.heard(), [Output::Drop(conn)], "{subscription}");
        assert_eq!(floor.venue.connections(), 0);
    }
}

#[test]
fn a_delisted_coin_is_acknowledged_and_silent() {
    let mut floor = live_floor();
    let gone = floor.venue.coins()[10].clone();
    assert!(!floor.venue.is_live(&gone));
    let conn = floor.connect();
    floor.subscribe(conn, &format!(r#"{{"type":"bbo","coin":"{gone}"}}"#));
    floor.pass(30_000);
    assert_eq!(floor.frames().len(), 1);
    floor.subscribe(conn, &format!(r#"{{"type":"l2Book","coin":"{gone}"}}"#));
    floor.pass(12_000);
    let books = floor.frames();
    assert!(books.len() >= 3);
    assert!(books[1..].iter().all(|book| book["data"]["levels"] == json!([[], []])));
}

#[test]
fn channels_keep_their_cadence() {
    for (subscription, channel, seconds, expected) in [
        (r#"{"type":"l2Book","coin":"xyz:TSLA"}"#, "l2Book", 60, 11..=13),
        (r#"{"type":"l2Book","coin":"xyz:TSLA","fast":true}"#, "l2Book", 60, 90..=130),
        (r#"{"type":"allMids","dex":"xyz"}"#, "allMids", 60, 12..=13),
        (r#"{"type":"activeAssetCtx","coin":"xyz:TSLA"}"#, "activeAssetCtx", 60, 59..=61),
        (r#"{"type":"allDexsAssetCtxs"}"#, "allDexsAssetCtxs", 60, 5..=5),
    ] {
        let mut floor = live_floor();
        let conn = floor.connect();
        floor.subscribe(conn, subscription);
        floor.pass(seconds * 1_000);
        let count = floor.frames().iter().filter(|frame| frame["channel"] == channel).count();
        assert!(expected.contains(&count), "{subscription}: {count}");
    }
}

#[test]
fn a_book_is_whole_sorted_and_can_be_grouped() {
    let mut floor = live_floor();
    let conn = floor.connect();
    floor.pass(10_000);
    floor.subscribe(conn, r#"{"type":"l2Book","coin":"xyz:US100"}"#);
    floor.subscribe(conn, r#"{"type":"l2Book","coin":"xyz:US100","nSigFigs":3}"#);
    let frames = floor.frames();
    let side = |frame: &Value, side: usize| -> Vec<i64> {
        let levels = frame["data"]["levels"][side].as_array().unwrap();
        levels.iter().map(|level| px(level["px"].as_str().unwrap()).units()).collect()
    };
    let (book, grouped) = (&frames[1], &frames[3]);
    let (bids, asks) = (side(book, 0), side(book, 1));
    assert!(bids.len() >= 5 && bids.len() <= 20);
    assert!(bids.is_sorted_by(|a, b| a > b) && asks.is_sorted_by(|a, b| a < b));
    assert!(bids[0] < asks[0]);
    assert!(side(grouped, 0).len() < bids.len());
    assert!(side(grouped, 0).iter().all(|px| px % 10_000_000_000 == 0), "steps of 100 USD");
    assert!(grouped["data"]["spread"].is_string() && book["data"]["spread"].is_null());
}

#[test]
fn quotes_come_with_their_block_and_only_on_change() {
    let mut floor = Floor::still();
    let conn = floor.connect();
    floor.subscribe(conn, r#"{"type":"bbo","coin":"xyz:TSLA"}"#);
    floor.pass(10_000);
    assert_eq!(floor.frames().len(), 2, "the acknowledgement and the current quote");
    let (bid, ask) = ((px("400"), sz("1.5")), (px("401.25"), sz("2")));
    floor.venue.set_quote("xyz:TSLA", Some(bid), Some(ask)).unwrap();
    floor.pass(200);
    let frames = floor.frames();
    assert_eq!(frames.len(), 1);
    let expected = json!([{"px":"400.0","sz":"1.5","n":1},{"px":"401.25","sz":"2.0","n":1}]);
    assert_eq!(frames[0]["data"]["bbo"], expected);
    floor.venue.set_quote("xyz:TSLA", None, Some(ask)).unwrap();
    floor.pass(200);
    assert!(floor.frames()[0]["data"]["bbo"][0].is_null());
}

#[test]
fn posts_answer_info_and_echo_their_id() {
    let mut floor = Floor::still();
    let conn = floor.connect();
    floor.say(conn, r#"{"method":"post","id":7,"request":{"type":"info","payload":{"type":"l2Book","coin":"NOPE"}}}"#);
    assert_eq!(
        floor.texts(),
        [
            r#"{"channel":"post","data":{"id":7,"response":{"type":"info","payload":{"type":"l2Book","data":null}}}}"#
        ]
    );
}

#[test]
fn an_idle_socket_is_dropped_and_a_pinged_one_is_not() {
    let mut floor = Floor::still();
    let (idle, pinged) = (floor.connect(), floor.connect());
    floor.pass(40_000);
    floor.say(pinged, r#"{"method":"ping"}"#);
    floor.pass(19_000);
    assert_eq!(floor.heard().len(), 1, "the pong");
    floor.pass(2_000);
    assert_eq!(floor.heard(), [Output::Drop(idle)]);
    floor.pass(40_000);
    assert_eq!(floor.heard(), [Output::Drop(pinged)]);
}

#[test]
fn connections_are_limited_at_once_and_by_the_minute() {
    let mut floor = Floor::still();
    let conns: Vec<_> = (0..10).map(|_| floor.connect()).collect();
    assert_eq!(floor.venue.connect(floor.now, &mut floor.out), Err(Refused::Connections));
    conns.into_iter().for_each(|conn| floor.venue.disconnect(conn));
    for _ in 10..30 {
        let conn = floor.connect();
        floor.venue.disconnect(conn);
    }
    assert_eq!(floor.venue.connect(floor.now, &mut floor.out), Err(Refused::NewPerMinute));
    floor.pass(60_000);
    floor.connect();
}

#[test]
fn subscriptions_and_users_are_limited_over_all_connections() {
    let limits = Limits { subscriptions: 3, users: 1, ..Limits::default() };
    let mut floor = Floor::new(Settings { limits, still: true, ..Settings::default() });
    let (a, b) = (floor.connect(), floor.connect());
    floor.subscribe(a, r#"{"type":"bbo","coin":"BTC"}"#);
    floor.subscribe(a, &format!(r#"{{"type":"orderUpdates","user":"{USER}"}}"#));
    floor.heard();
    let other = USER.replace('a', "c");
    floor.subscribe(b, &format!(r#"{{"type":"orderUpdates","user":"{other}"}}"#));
    assert_eq!(floor.frames()[0]["data"], "Cannot track more than 1 total users.");
    floor.subscribe(b, r#"{"type":"bbo","coin":"BTC"}"#);
    floor.heard();
    floor.subscribe(b, r#"{"type":"bbo","coin":"ETH"}"#);
    assert_eq!(floor.frames()[0]["data"], "Cannot subscribe to more than 3 channels.");
}

#[test]
fn too_many_messages_a_minute_end_the_connection() {
    let mut floor = Floor::still();
    let conn = floor.connect();
    for _ in 0..2_000 {
        floor.say(conn, r#"{"method":"ping"}"#);
    }
    assert_eq!(floor.texts().len(), 2_000);
    floor.say(conn, r#"{"method":"ping"}"#);
    assert_eq!(floor.heard(), [Output::Drop(conn)]);
}

#[test]
fn a_full_subscription_is_answered_whole() {
    let mut floor = Floor::new(Settings::default());
    let conn = floor.connect();
    floor.watch_all(conn);
    let acks = |frames: &[Value]| {
        frames.iter().filter(|frame| frame["channel"] == "subscriptionResponse").count()
    };
    assert_eq!(acks(&floor.frames()), 218);
    floor.pass(1_100);
    let frames = floor.frames();
    let mut told: Vec<&str> = frames
        .iter()
        .filter(|frame| frame["channel"] == "activeAssetCtx")
        .filter_map(|frame| frame["data"]["coin"].as_str())
        .collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 109, "every live market's context within about a second");
}
