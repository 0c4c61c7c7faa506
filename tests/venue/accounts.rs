//! What the venue tells of an account: questions and streams.

use hip3::types::account::AccountMode;
use hip3::types::num::{Px, Usd};
use serde_json::{Value, json};

use crate::trader::{DEPOSIT, Desk, RIVN, TSLA, ioc, of, order, orders, set_mode};

fn usd(value: &Value) -> i64 {
    Usd::parse_signed(value.as_str().unwrap().as_bytes()).unwrap().units()
}

#[test]
fn a_fresh_account_shows_its_deposit_on_its_dex_alone() {
    let mut desk = Desk::quick();
    let state = desk.ask("clearinghouseState");
    assert_eq!(state["marginSummary"]["accountValue"], "1000.0");
    assert_eq!(state["crossMarginSummary"]["accountValue"], "1000.0");
    assert_eq!((&state["withdrawable"], &state["assetPositions"]), (&json!("1000.0"), &json!([])));
    let main = desk.ask_with("clearinghouseState", "");
    assert_eq!(main["marginSummary"]["accountValue"], "0.0");
    assert_eq!(desk.ask("userRole"), json!({ "role": "user" }));
    assert_eq!(desk.ask("userFees")["activeReferralDiscount"], "0.04");
    assert_eq!(desk.ask("userAbstraction"), "disabled");
    let agent = desk.agent.address().to_string();
    let named = json!([{ "name": "engine", "address": agent, "validUntil": null }]);
    assert_eq!(desk.ask("extraAgents"), named);
    let role = desk.floor.ask(&format!(r#"{{"type":"userRole","user":"{agent}"}}"#));
    assert_eq!(role, json!({ "role": "agent", "data": { "user": desk.user.to_string() } }));
}

#[test]
fn positions_are_invisible_without_their_dex() {
    let mut desk = Desk::quick();
    desk.status(&ioc(TSLA, true, "412.7", "1"));
    let state = desk.ask("clearinghouseState");
    let position = &state["assetPositions"][0]["position"];
    assert_eq!((&position["coin"], &position["szi"]), (&json!("xyz:TSLA"), &json!("1.0")));
    assert_eq!(position["entryPx"], "412.7");
    assert_eq!(position["leverage"], json!({ "type": "cross", "value": 20 }));
    assert_eq!(desk.ask_with("clearinghouseState", "")["assetPositions"], json!([]));
    assert_eq!(
        desk.ask_with("clearinghouseState", r#","dex":"nova""#)["assetPositions"],
        json!([])
    );
    let (value, unrealised) = (&state["marginSummary"]["accountValue"], &position["unrealizedPnl"]);
    assert_eq!(usd(value), desk.books().cash.units() + usd(unrealised));
    assert_eq!(state["marginSummary"]["totalNtlPos"], position["positionValue"]);
    let raw = usd(&state["marginSummary"]["totalRawUsd"]);
    assert_eq!(raw, usd(value) - usd(&position["positionValue"]));
}

#[test]
fn an_isolated_position_shows_its_own_money_and_where_it_is_liquidated() {
    let mut desk = Desk::quick();
    desk.status(&ioc(RIVN, false, "15.2", "20"));
    let state = desk.ask("clearinghouseState");
    let position = &state["assetPositions"][0]["position"];
    assert_eq!((&position["szi"], &position["maxLeverage"]), (&json!("-20.0"), &json!(10)));
    assert_eq!(
        (&position["leverage"]["type"], &position["leverage"]["value"]),
        (&json!("isolated"), &json!(10))
    );
    // Short: what is left without the coins is margin and proceeds.
    let (used, value) = (usd(&position["marginUsed"]), usd(&position["positionValue"]));
    assert_eq!(usd(&position["leverage"]["rawUsd"]), used + value);
    assert!(used > 0 && usd(&state["marginSummary"]["totalMarginUsed"]) == used);
    assert_eq!(state["crossMarginSummary"]["totalNtlPos"], "0.0");
    let liquidation = Px::parse(position["liquidationPx"].as_str().unwrap().as_bytes()).unwrap();
    let mark = Px::from_units(1_525_000_000);
    assert!(liquidation > mark, "a short dies above the mark");
    let free = usd(&state["withdrawable"]);
    assert!(free < DEPOSIT.units() && free > 0);
}

#[test]
fn orders_are_found_by_either_id_and_listed_while_they_rest() {
    let mut desk = Desk::quick();
    let cloid = "0x000000000000000000000000000000ab";
    let mut resting = order(TSLA, true, "400", "1", "Gtc");
    resting.c = Some(cloid.to_owned());
    let status = desk.status(&orders(vec![resting]));
    assert_eq!(status["resting"]["cloid"], cloid);
    let oid = status["resting"]["oid"].as_u64().unwrap();
    let found = desk.ask_with("orderStatus", &format!(r#","oid":{oid}"#));
    assert_eq!((&found["status"], &found["order"]["status"]), (&json!("order"), &json!("open")));
    let inner = &found["order"]["order"];
    assert_eq!(
        (&inner["tif"], &inner["limitPx"], &inner["cloid"]),
        (&json!("Gtc"), &json!("400.0"), &json!(cloid))
    );
    assert_eq!(
        desk.ask_with(
            "orderStatus",
            &format!(r#","oid":"{}""#, cloid.to_uppercase().replacen('X', "x", 1))
        ),
        found
    );
    let unknown = json!({ "status": "unknownOid" });
    assert_eq!(desk.ask_with("orderStatus", r#","oid":1"#), unknown);
    let short = desk.ask("openOrders");
    assert_eq!((&short[0]["oid"], &short[0]["origSz"]), (&json!(oid), &json!("1.0")));
    assert!(short[0].get("tif").is_none());
    let long = desk.ask("frontendOpenOrders");
    assert_eq!(
        (&long[0]["tif"], &long[0]["orderType"], &long[0]["reduceOnly"]),
        (&json!("Gtc"), &json!("Limit"), &json!(false))
    );
    assert_eq!(desk.ask_with("openOrders", ""), json!([]));
    assert_eq!(desk.ask("historicalOrders")[0]["order"]["oid"], oid);
    // A refused order has an id and a word too.
    desk.status(&ioc(TSLA, true, "300", "1"));
    let history = desk.ask("historicalOrders");
    assert_eq!(history[0]["status"], "iocCancelRejected");
    assert_eq!(history.as_array().unwrap().len(), 2);
}

#[test]
fn fills_are_listed_newest_first_and_by_time_oldest_first() {
    let mut desk = Desk::quick();
    for sz in ["1", "0.5"] {
        desk.status(&ioc(TSLA, true, "412.7", sz));
        desk.floor.pass(1_000);
    }
    let rows = desk.ask("userFills");
    assert_eq!((&rows[0]["sz"], &rows[1]["sz"]), (&json!("0.5"), &json!("1.0")));
    assert_eq!((&rows[0]["startPosition"], &rows[0]["dir"]), (&json!("1.0"), &json!("Open Long")));
    let row = &rows[1];
    for (key, value) in [
        ("coin", json!("xyz:TSLA")),
        ("px", json!("412.7")),
        ("side", json!("B")),
        ("closedPnl", json!("0.0")),
        ("crossed", json!(true)),
        ("fee", json!("0.035657")),
        ("feeToken", json!("USDC")),
    ] {
        assert_eq!(row[key], value, "{key}");
    }
    assert_eq!(row["hash"].as_str().unwrap().len(), 66);
    assert!(row["tid"].as_u64().unwrap() < 1 << 50);
    let [first, second] = [1, 0].map(|at| rows[at]["time"].as_u64().unwrap());
    let by_time = desk.ask_with("userFillsByTime", &format!(r#","startTime":{first}"#));
    assert_eq!((&by_time[0], &by_time[1]), (&rows[1], &rows[0]));
    let late = desk.ask_with("userFillsByTime", &format!(r#","startTime":{}"#, first + 1));
    assert_eq!(late, json!([rows[0]]));
    let early =
        desk.ask_with("userFillsByTime", &format!(r#","startTime":0,"endTime":{}"#, second - 1));
    assert_eq!(early, json!([rows[1]]));
    let limit = desk.ask("userRateLimit");
    assert_eq!(limit["nRequestsUsed"], 2);
    // A growth market: a tenth of 1.5 x 412.7 counts.
    assert_eq!((&limit["cumVlm"], &limit["nRequestsCap"]), (&json!("61.905"), &json!(10_061)));
}

#[test]
fn one_balance_for_all_is_shown_on_the_spot_side() {
    let mut desk = Desk::quick();
    assert_eq!(desk.ask("spotClearinghouseState")["balances"][0]["total"], "0.0");
    desk.floor.venue.set_mode(desk.user, AccountMode::Unified);
    assert_eq!(desk.ask("userAbstraction"), "unifiedAccount");
    let spot = desk.ask("spotClearinghouseState");
    assert_eq!(spot["balances"][0]["total"], "1000.0");
    assert_eq!(spot["tokenToAvailableAfterMaintenance"], json!([[0, "1000.0"]]));
    let state = desk.ask("clearinghouseState");
    assert_eq!(
        (&state["withdrawable"], &state["marginSummary"]["accountValue"]),
        (&json!("0.0"), &json!("0.0"))
    );
    // The agent may switch back.
    assert_eq!(desk.act(&set_mode("i"))["status"], "ok");
    assert_eq!(desk.ask("userAbstraction"), "disabled");
}

#[test]
fn news_go_to_whoever_gave_the_address_in_any_case() {
    let mut desk = Desk::quick();
    let (user, loud) =
        (desk.user.to_string(), desk.user.to_string().to_uppercase().replacen('X', "x", 1));
    for kind in ["orderUpdates", "userFills", "userEvents", "openOrders", "clearinghouseState"] {
        desk.floor
            .subscribe(desk.conn, &format!(r#"{{"type":"{kind}","user":"{loud}","dex":"xyz"}}"#));
    }
    let first = desk.floor.frames();
    let acks = first.iter().filter(|frame| frame["channel"] == "subscriptionResponse");
    assert!(acks.clone().all(|ack| ack["data"]["subscription"]["user"] == user.as_str()));
    assert_eq!(acks.count(), 5);
    let snapshot = first.iter().find(|frame| frame["channel"] == "userFills").unwrap();
    assert_eq!(snapshot["data"], json!({ "isSnapshot": true, "user": user, "fills": [] }));
    assert_eq!(first.len(), 8, "five acknowledgements, three first states");
    let body = desk.agent.sign(&ioc(TSLA, true, "412.7", "1"));
    desk.post(&body);
    let heard = desk.listen_for(1_000);
    let (_, updates) = of(&heard, "orderUpdates").next().unwrap();
    let words: Vec<&Value> = updates.as_array().unwrap().iter().map(|row| &row["status"]).collect();
    assert_eq!(words, ["open", "filled"]);
    assert_eq!(
        (&updates[1]["order"]["sz"], &updates[1]["order"]["origSz"]),
        (&json!("0.0"), &json!("1.0"))
    );
    let (_, fills) = of(&heard, "userFills").next().unwrap();
    assert_eq!(fills["user"], user.as_str());
    let (_, event) = of(&heard, "user").next().unwrap();
    assert_eq!(event, &json!({ "fills": fills["fills"] }));
    let (_, state) = of(&heard, "clearinghouseState").next().unwrap();
    assert_eq!(state["clearinghouseState"]["assetPositions"][0]["position"]["szi"], "1.0");
    assert_eq!((&state["dex"], &state["user"]), (&json!("xyz"), &json!(user)));
    // Whoever comes later finds the fill in the snapshot.
    let late = desk.floor.connect();
    desk.floor.heard();
    desk.floor.subscribe(late, &format!(r#"{{"type":"userFills","user":"{user}"}}"#));
    let frames = desk.floor.frames();
    assert_eq!(frames[1]["data"]["isSnapshot"], true);
    assert_eq!(frames[1]["data"]["fills"], fills["fills"]);
}

#[test]
fn states_are_told_again_every_five_seconds() {
    let mut desk = Desk::quick();
    let user = desk.user;
    desk.floor.subscribe(
        desk.conn,
        &format!(r#"{{"type":"clearinghouseState","user":"{user}","dex":"xyz"}}"#),
    );
    desk.floor.heard();
    let heard = desk.listen_for(21_000);
    assert_eq!(of(&heard, "clearinghouseState").count(), 4);
}

#[test]
fn strangers_hear_nothing_of_it() {
    let mut desk = Desk::quick();
    let stranger = "0x00000000000000000000000000000000000000ab";
    for kind in ["orderUpdates", "userFills", "userEvents"] {
        desk.floor.subscribe(desk.conn, &format!(r#"{{"type":"{kind}","user":"{stranger}"}}"#));
    }
    desk.floor.heard();
    let body = desk.agent.sign(&ioc(TSLA, true, "412.7", "1"));
    desk.post(&body);
    let heard = desk.listen_for(1_000);
    assert_eq!(heard.len(), 1, "the answer alone: {heard:?}");
}
