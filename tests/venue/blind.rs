//! What a client cannot see: news that stand still, an agent of somebody else, a feed that is late,
//! oracles apart from their books, listings that are odd or early.

use hip3::types::account::AccountMode;
use hip3::types::num::Px;
use hip3::types::time::Nanos;
use hip3::venue::{Output, Settings};
use serde_json::{Value, json};

use crate::support::{Floor, px_of, texts};
use crate::trader::{Desk, TSLA, ioc, of, order, orders};

/// A1: fills, updates and `/info` stand still while answers go on, with the time of their state; and
/// then all of it is told.
#[test]
fn accounts_stand_still_while_answers_go_on() {
    let mut desk = Desk::new("");
    desk.listen();
    desk.floor.pass(1_000);
    let now = desk.floor.now;
    desk.floor.venue.freeze_accounts(now, true);
    let frozen_at = desk.floor.venue.time(now).0;
    desk.floor.heard();
    assert!(desk.status(&ioc(TSLA, true, "412.7", "1"))["filled"].is_object());
    desk.floor.pass(10_000);
    assert_eq!(of(&desk.listen_for(1_000), "userFills").count(), 0);
    let state = desk.ask("clearinghouseState");
    assert_eq!(state["assetPositions"], json!([]));
    let time = state["time"].as_i64().unwrap();
    assert!(time <= frozen_at && time > frozen_at - 200, "{time} is not {frozen_at}");
    assert_eq!(desk.ask("userFills"), json!([]));
    assert_eq!(desk.books().positions.len(), 1);
    let now = desk.floor.now;
    desk.floor.venue.freeze_accounts(now, false);
    desk.floor.heard();
    let heard = desk.listen_for(100);
    let counts = ["orderUpdates", "userFills", "user"].map(|channel| of(&heard, channel).count());
    assert_eq!(counts, [1, 1, 1], "{heard:?}");
    assert_eq!(desk.ask("clearinghouseState")["assetPositions"].as_array().unwrap().len(), 1);
}

/// A1: the agent acts for another account: its orders are answered as filled, and no row comes.
#[test]
fn an_agent_that_moved_is_answered_and_nothing_is_told() {
    let mut desk = Desk::new("[[event]]\nat_ms = 1000\nwhat = \"agent_moves\"");
    desk.listen();
    desk.floor.pass(2_000);
    let body = desk.agent.sign(&ioc(TSLA, true, "412.7", "1"));
    desk.post(&body);
    let heard = desk.listen_for(10_000);
    let answers: Vec<&Value> = of(&heard, "post").map(|(_, data)| data).collect();
    assert!(answers[0].to_string().contains("filled"), "{answers:?}");
    assert_eq!(heard.len(), 1, "the answer alone: {heard:?}");
    assert_eq!(desk.ask("clearinghouseState")["assetPositions"], json!([]));
    let role = format!(r#"{{"type":"userRole","user":"{}"}}"#, desk.agent.address());
    let user = desk.floor.ask(&role)["data"]["user"].clone();
    assert!(user.is_string() && user != desk.user.to_string().as_str(), "{user}");
    assert_eq!(desk.floor.venue.audit(), Ok(()));
}

/// A14: the owner closes by hand: rows like any other, without a name.
#[test]
fn what_is_closed_by_hand_has_rows_without_a_name() {
    let mut desk = Desk::new("[[event]]\nat_ms = 3000\nwhat = \"close_by_hand\"");
    desk.listen();
    let mut named = order(TSLA, true, "412.7", "1", "Ioc");
    named.c = Some("0x000000000000000000000000000000ab".to_owned());
    desk.status(&orders(vec![named]));
    desk.floor.heard();
    let heard = desk.listen_for(4_000);
    let (_, data) = of(&heard, "userFills").last().unwrap();
    let row = &data["fills"][0];
    assert_eq!((&row["sz"], &row["dir"]), (&json!("1.0"), &json!("Close Long")));
    assert!(row.get("cloid").is_none_or(Value::is_null), "{row}");
    assert_eq!(desk.books().positions, []);
}

/// A22: an account that has not chosen a mode has a balance a dex, as one that chose that.
#[test]
fn a_mode_that_nobody_chose_splits_balances() {
    let mut desk = Desk::quick();
    desk.floor.venue.set_mode(desk.user, AccountMode::Unset);
    assert_eq!(desk.ask("userAbstraction"), "default");
    assert_eq!(desk.ask("clearinghouseState")["withdrawable"], "1000.0");
    assert_eq!(desk.ask("spotClearinghouseState")["balances"][0]["total"], "0.0");
}

/// Quotes and contexts of the first market, and its block times, with how late each was heard.
fn lateness(floor: &mut Floor, ms: u64) -> Vec<i64> {
    let mut late = Vec::new();
    for _ in 0..ms / 10 {
        floor.pass(10);
        let now = floor.venue.time(floor.now).0;
        for text in texts(&floor.heard()) {
            let frame: Value = serde_json::from_str(&text).unwrap();
            late.extend(frame["data"]["time"].as_i64().map(|time| now - time));
        }
    }
    late
}

/// A12: a feed that is late without a drop, and catches up.
#[test]
fn a_feed_is_late_without_a_drop_and_catches_up() {
    let mut floor = Floor::new(Settings { markets: 20, ..Settings::default() });
    let conn = floor.connect();
    floor.watch_all(conn);
    let on_time = lateness(&mut floor, 5_000);
    assert!(on_time.iter().skip(20).all(|late| *late < 200), "{on_time:?}");
    floor.venue.be_late(Nanos::from_millis(4_500), false);
    assert_eq!(lateness(&mut floor, 4_000), [0; 0], "nothing comes at first");
    let late = lateness(&mut floor, 10_000);
    assert!(late.len() > 50 && late.iter().all(|late| (4_500..4_700).contains(late)), "{late:?}");
    floor.say(conn, r#"{"method":"ping"}"#);
    assert!(floor.texts().iter().any(|text| text.contains("pong")), "all else is on time");
    let now = floor.now;
    floor.venue.be_on_time(now);
    let caught_up = lateness(&mut floor, 1_000);
    assert!(caught_up.len() > 20 && caught_up.last().is_some_and(|late| *late < 200));
    floor.venue.be_late(Nanos::from_millis(2_000), true);
    floor.say(conn, r#"{"method":"ping"}"#);
    floor.pass(1_000);
    assert!(floor.heard().is_empty());
    floor.pass(1_100);
    assert!(floor.texts().iter().any(|text| text.contains("pong")));
    assert_eq!(floor.venue.connections(), 1);
}

const COIN: &str = "xyz:TSLA";

/// Oracle, mark and middle of the book, as a context tells them.
fn context(floor: &mut Floor) -> [Px; 3] {
    let ctxs = floor.info(r#"{"type":"metaAndAssetCtxs","dex":"xyz"}"#).1;
    let ctxs: Value = serde_json::from_str(&ctxs).unwrap();
    ["oraclePx", "markPx", "midPx"].map(|key| px_of(&ctxs[1][2][key]).unwrap())
}

/// How far `px` is from `from`, in basis points.
fn bps(px: Px, from: Px) -> i64 {
    (px.units() - from.units()).abs() * 10_000 / from.units()
}

/// A3: one update of the oracle is wild, and book and mark take no notice.
#[test]
fn an_oracle_prints_wild_once() {
    let mut floor = Floor::new(Settings { markets: 3, ..Settings::default() });
    floor.pass(10_000);
    let before = context(&mut floor);
    let now = floor.now;
    floor.venue.print_wild(now, COIN).unwrap();
    floor.pass(200);
    let [oracle, mark, mid] = context(&mut floor);
    assert!(bps(oracle, before[0]) >= 290, "{oracle} {before:?}");
    assert!(bps(mark, before[1]) < 20 && bps(mid, before[2]) < 20);
    floor.pass(4_200);
    let after = context(&mut floor);
    assert!(after.iter().zip(before).all(|(after, before)| bps(*after, before) < 60), "{after:?}");
}

/// A4: the oracle steps away and stays, and book and mark stay. A5: it stands still, and the book runs
/// away. Then they are together again.
#[test]
fn oracle_and_book_part_and_meet_again() {
    for runs in [false, true] {
        let mut floor = Floor::new(Settings { markets: 3, ..Settings::default() });
        floor.pass(10_000);
        let before = context(&mut floor);
        let now = floor.now;
        match runs {
            true => floor.venue.run_book_away(COIN, 8).unwrap(),
            false => floor.venue.step_oracle_apart(now, COIN, 8).unwrap(),
        }
        floor.pass(45_000);
        let [oracle, mark, mid] = context(&mut floor);
        assert!((700..900).contains(&bps(mid, oracle)), "{runs}: {mid} {oracle}");
        match runs {
            true => assert!(bps(oracle, before[0]) == 0 && bps(mark, before[1]) < 110),
            false => assert!(bps(mid, before[2]) < 60 && bps(mark, before[1]) < 60),
        }
        let now = floor.now;
        floor.venue.reunite(now, COIN).unwrap();
        floor.pass(60_000);
        let [oracle, mark, mid] = context(&mut floor);
        assert!(bps(mid, oracle) < 100 && bps(mark, oracle) < 100, "{oracle} {mark} {mid}");
    }
}

/// What waits for a position happens to its market, once there is one.
#[test]
fn an_event_waits_for_a_position() {
    let mut desk = Desk::new("[[event]]\nat_ms = 1000\nwhat = \"clear_bids\"\nheld = true");
    desk.floor.pass(5_000);
    assert!(desk.floor.venue.quote(COIN).unwrap()[0].is_some());
    desk.status(&ioc(TSLA, true, "412.7", "1"));
    desk.floor.pass(200);
    assert!(desk.floor.venue.quote(COIN).unwrap()[0].is_none());
    assert!(desk.floor.venue.quote("xyz:RIVN").unwrap()[0].is_some());
}

/// B1: entries of `meta` that no document knows.
#[test]
fn listings_are_odd() {
    let mut floor = Floor::still();
    let now = floor.now;
    let names = [0, 1, 2].map(|kind| floor.venue.append_odd_market(now, kind));
    floor.venue.set_odd(COIN, Some(1)).unwrap();
    let meta = floor.ask(r#"{"type":"meta","dex":"xyz"}"#);
    let entries = meta["universe"].as_array().unwrap();
    assert_eq!(entries[2]["growthMode"], "tapered");
    assert_eq!(entries[3]["marginMode"], "isolatedOnly2");
    assert_eq!(entries[4]["growthMode"], "tapered");
    assert!(names[2].len() >= 44 && entries[5]["name"] == names[2].as_str());
    floor.venue.set_odd(COIN, None).unwrap();
    let meta = floor.ask(r#"{"type":"meta","dex":"xyz"}"#);
    assert_eq!(meta["universe"][2]["growthMode"], "enabled");
}

/// B2: a coin that `meta` lists and the socket does not know drops it.
#[test]
fn an_early_coin_drops_the_socket_until_it_is_known() {
    let mut floor = Floor::still();
    let now = floor.now;
    let coin = floor.venue.append_early_market(now);
    let meta = floor.ask(r#"{"type":"meta","dex":"xyz"}"#);
    assert_eq!(meta["universe"][3]["name"], coin.as_str());
    let bbo = format!(r#"{{"type":"bbo","coin":"{coin}"}}"#);
    let conn = floor.connect();
    floor.subscribe(conn, &bbo);
    floor.pass(200);
    assert_eq!(floor.heard(), [Output::Drop(conn)]);
    floor.venue.learn_markets();
    let conn = floor.connect();
    floor.subscribe(conn, &bbo);
    floor.pass(200);
    assert_eq!(floor.frames().len(), 2, "an acknowledgement and a quote");
}

/// A15: rows weigh, one for each twenty (PROTOCOL.md §8.1).
#[test]
fn an_answer_weighs_by_its_rows() {
    let mut desk = Desk::quick();
    for _ in 0..45 {
        desk.status(&ioc(TSLA, true, "412.7", "0.03"));
        desk.floor.pass(100);
    }
    let user = desk.user;
    let ask = |kind: &str| format!(r#"{{"type":"{kind}","user":"{user}","dex":"xyz"}}"#);
    let now = desk.floor.now;
    assert_eq!(desk.floor.venue.info(now, ask("userFills").as_bytes()).weight, 22);
    assert_eq!(desk.floor.venue.info(now, ask("clearinghouseState").as_bytes()).weight, 2);
}
