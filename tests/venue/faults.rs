//! Every fault happens when it is asked for, and none when it is not.

use hip3::types::num::Px;
use hip3::venue::{Faults, Output, Settings};
use serde_json::Value;

use crate::support::{Floor, px_of, texts};

const BBO: &str = r#"{"type":"bbo","coin":"xyz:US100"}"#;
const CTX: &str = r#"{"type":"activeAssetCtx","coin":"xyz:US100"}"#;

/// Everything one client of one market hears in a minute under `faults`.
fn minute(faults: &str) -> Vec<Output> {
    let faults = Faults::from_toml(faults).unwrap();
    let mut floor = Floor::new(Settings { markets: 3, faults, ..Settings::default() });
    let conn = floor.connect();
    floor.subscribe(conn, BBO);
    floor.subscribe(conn, CTX);
    floor.pass(60_000);
    floor.heard()
}

fn parsed(outputs: &[Output]) -> Vec<Value> {
    texts(outputs).iter().filter_map(|text| serde_json::from_str(text).ok()).collect()
}

fn of<'a>(frames: &'a [Value], channel: &'a str) -> impl Iterator<Item = &'a Value> {
    frames.iter().filter(move |frame| frame["channel"] == channel)
}

fn sides(frame: &Value) -> [Option<Px>; 2] {
    [0, 1].map(|side| px_of(&frame["data"]["bbo"][side]["px"]))
}

#[test]
fn without_faults_nothing_is_wrong() {
    let outputs = minute("");
    let frames = parsed(&outputs);
    assert_eq!(frames.len(), outputs.len(), "texts alone, all of them JSON");
    assert!(of(&frames, "bbo").count() > 20 && of(&frames, "activeAssetCtx").count() >= 59);
    assert!(of(&frames, "bbo").all(|frame| matches!(sides(frame), [Some(b), Some(a)] if b < a)));
}

#[test]
fn connections_end_in_every_way() {
    let ends = |faults: &str| minute(faults).pop().unwrap();
    assert!(matches!(ends("drop = 0.05"), Output::Drop(_)));
    assert!(matches!(ends("drop_after_s = 10"), Output::Drop(_)));
    assert!(matches!(ends("truncate = 0.05"), Output::Torn(..)));
    let close = ends("expire_after_s = 10");
    assert!(matches!(close, Output::Close { code: 1000, reason: "Expired", .. }), "{close:?}");
}

#[test]
fn a_stalled_connection_says_nothing_and_stays_open() {
    let faults = Faults::from_toml("stall_after_s = 10").unwrap();
    let mut floor = Floor::new(Settings { markets: 3, faults, ..Settings::default() });
    let conn = floor.connect();
    floor.subscribe(conn, BBO);
    floor.pass(16_000);
    assert!(floor.heard().len() > 3);
    for _ in 0..20 {
        floor.say(conn, r#"{"method":"ping"}"#);
        floor.pass(10_000);
    }
    assert_eq!((floor.heard(), floor.venue.connections()), (vec![], 1));
}

#[test]
fn a_delay_keeps_the_order() {
    let sane = texts(&minute(""));
    let late = texts(&minute("delay = 0.1\ndelay_ms = 700"));
    assert!(late.len() > sane.len() / 2);
    assert_eq!(late[..], sane[..late.len()], "the same frames in the same order");
}

#[test]
fn frames_are_wrong_as_asked() {
    let heard = |faults: &str| texts(&minute(faults));
    assert_eq!(heard("greeting = true")[0], "Websocket connection established.");
    let twice = heard("duplicate = 1");
    assert!(twice.len() > 100 && twice.chunks(2).all(|pair| pair[0] == pair[1]));
    let garbled = heard("garble = 1");
    assert!(garbled.iter().any(|text| serde_json::from_str::<Value>(text).is_err()));
    let huge = heard("huge = 0.05\nhuge_bytes = 100000");
    assert!(huge.iter().any(|text| text.len() == 100_000));
    assert!(heard("unknown_channel = 1").iter().all(|text| text.contains("gossip")));
    let binary = minute("binary = 0.2");
    assert!(binary.iter().any(|output| matches!(output, Output::Binary(..))));
}

#[test]
fn contents_are_wrong_as_asked() {
    let frames = |faults: &str| parsed(&minute(faults));
    let quotes = frames("null_side = 1");
    assert!(of(&quotes, "bbo").all(|frame| sides(frame).contains(&None)));
    let quotes = frames("crossed = 1");
    assert!(of(&quotes, "bbo").all(|frame| matches!(sides(frame), [Some(b), Some(a)] if b > a)));
    let quotes = frames("time_regression = 0.3");
    let times: Vec<i64> =
        of(&quotes, "bbo").filter_map(|frame| frame["data"]["time"].as_i64()).collect();
    assert!(!times.is_sorted());
    let ctxs = frames("ctx_nulls = 1");
    assert!(of(&ctxs, "activeAssetCtx").all(|frame| frame["data"]["ctx"]["midPx"].is_null()));
    let ctxs = frames("numbers = 1");
    assert!(of(&ctxs, "activeAssetCtx").all(|frame| frame["data"]["ctx"]["oraclePx"].is_number()));
    let ctxs = frames("unknown_keys = 1");
    assert!(of(&ctxs, "activeAssetCtx").all(|frame| frame["data"]["ctx"]["zzz"] == true));
}

#[test]
fn acknowledgements_get_lost_or_late() {
    let lost = parsed(&minute("ack_lost = 1"));
    assert_eq!(of(&lost, "subscriptionResponse").count(), 0);
    assert!(of(&lost, "bbo").count() > 10, "data come all the same");
    let late = parsed(&minute("ack_late = 1"));
    assert_eq!(of(&late, "subscriptionResponse").count(), 2);
    assert_eq!(late[0]["channel"], "bbo");
}

#[test]
fn answers_are_wrong_as_asked() {
    let answer = |faults: &str| {
        let faults = Faults::from_toml(faults).unwrap();
        let mut floor = Floor::new(Settings { markets: 3, faults, ..Settings::default() });
        floor.venue.info(floor.now, br#"{"type":"perpDexs"}"#)
    };
    assert_eq!(answer("info_429 = 1").status, 429);
    assert_eq!(answer("info_500 = 1").status, 500);
    assert!(answer("info_slow = 1\ninfo_slow_ms = 40").wait.as_millis() == 40);
    for faults in ["info_garbage = 1", "info_cut = 1"] {
        let reply = answer(faults);
        assert_eq!(reply.status, 200);
        assert!(serde_json::from_str::<Value>(&reply.body).is_err(), "{faults}");
    }
}

#[test]
fn scheduled_events_happen_at_their_time() {
    let faults = Faults::from_toml(
        r#"
        [[event]]
        at_ms = 5000
        what = "halt"
        coin = "xyz:TSLA"
        [[event]]
        at_ms = 2000
        what = "append"
        [[event]]
        at_ms = 7000
        what = "growth_off"
        [[event]]
        at_ms = 9000
        what = "drop_connections"
        "#,
    )
    .unwrap();
    let mut floor = Floor::new(Settings { markets: 3, faults, ..Settings::default() });
    floor.pass(1_900);
    assert_eq!(floor.venue.coins().len(), 3);
    floor.pass(200);
    assert_eq!(floor.venue.coins().len(), 4);
    assert!(floor.venue.is_live("xyz:TSLA"));
    floor.pass(3_000);
    assert!(!floor.venue.is_live("xyz:TSLA"));
    let conn = floor.connect();
    floor.pass(4_000);
    assert_eq!(floor.heard(), [Output::Drop(conn)]);
    let meta = floor.ask(r#"{"type":"meta","dex":"xyz"}"#);
    assert!(meta["universe"][0].get("growthMode").is_none());
}

#[test]
fn faults_change_nothing_in_the_market() {
    let oracle = |faults: &str| {
        let faults = Faults::from_toml(faults).unwrap();
        let mut floor = Floor::new(Settings { faults, ..Settings::default() });
        let conn = floor.connect();
        floor.watch_all(conn);
        floor.pass(30_000);
        floor.venue.coins().iter().map(|coin| floor.venue.oracle(coin)).collect::<Vec<_>>()
    };
    assert_eq!(oracle(""), oracle("garble = 0.5\nduplicate = 0.5\ndelay = 0.01"));
}

#[test]
fn settings_that_describe_no_venue_are_refused_with_their_key() {
    let coin = "[[event]]\nat_ms = 1\nwhat = \"halt\"\ncoin = \"xyz:NOPE\"";
    let faults = Faults::from_toml(coin).unwrap();
    for (settings, key) in [
        (Settings { markets: 0, ..Settings::default() }, "markets = 0"),
        (Settings { markets: 491, ..Settings::default() }, "markets = 491"),
        (Settings { dex: "XYZ".to_owned(), ..Settings::default() }, "dex = \"XYZ\""),
        (Settings { faults, ..Settings::default() }, "event.coin = \"xyz:NOPE\""),
    ] {
        let error = hip3::venue::Venue::new(settings, Default::default()).unwrap_err();
        assert!(error.to_string().starts_with(key), "{error}");
    }
}
