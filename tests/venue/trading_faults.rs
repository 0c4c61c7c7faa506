//! Every fault of actions and accounts happens when it is asked for, and none when it is not.

use hip3::venue::Faults;
use serde_json::{Value, json};

use crate::trader::{Desk, RIVN, TSLA, ioc, noop, of};

/// Everything heard in the fifteen seconds after a purchase of one TSLA, and who heard it.
fn bought(faults: &str) -> (Desk, Vec<(u64, Value)>) {
    let mut desk = Desk::new(faults);
    desk.listen();
    let body = desk.agent.sign(&ioc(TSLA, true, "412.7", "1"));
    desk.post(&body);
    let heard = desk.listen_for(15_000);
    (desk, heard)
}

fn counts(heard: &[(u64, Value)]) -> [usize; 4] {
    ["post", "orderUpdates", "userFills", "user"].map(|channel| of(heard, channel).count())
}

fn first_at(heard: &[(u64, Value)], channel: &str) -> u64 {
    of(heard, channel).next().unwrap().0
}

#[test]
fn without_faults_each_thing_is_told_once() {
    let (desk, heard) = bought("");
    assert_eq!(counts(&heard), [1, 1, 1, 1]);
    assert!(first_at(&heard, "orderUpdates") <= first_at(&heard, "userFills"));
    assert!(first_at(&heard, "orderUpdates") < first_at(&heard, "post"));
    assert!(heard.last().unwrap().0 < 1_000);
    assert_eq!(desk.books().fills, 1);
}

#[test]
fn answers_get_lost_late_or_doubled_and_the_order_is_done_all_the_same() {
    for (faults, answers) in
        [("answer_lost = 1", 0), ("answer_twice = 1", 2), ("answer_late = 1", 1)]
    {
        let (desk, heard) = bought(faults);
        assert_eq!(counts(&heard), [answers, 1, 1, 1], "{faults}");
        assert_eq!(desk.books().fills, 1);
    }
    let (_, heard) = bought("answer_late = 1");
    assert!(first_at(&heard, "post") > 8_000);
    let (_, heard) = bought("answer_late = 1\nanswer_late_ms = 2000");
    assert!((2_150..3_000).contains(&first_at(&heard, "post")));
}

#[test]
fn a_block_is_told_of_in_other_orders() {
    let order = |faults: &str| {
        let (_, heard) = bought(faults);
        assert_eq!(counts(&heard), [1, 1, 1, 1], "{faults}");
        ["post", "orderUpdates", "userFills"].map(|channel| first_at(&heard, channel))
    };
    let [answer, updates, fills] = order("answer_first = 1");
    assert!(answer < updates && updates < fills);
    let [answer, updates, fills] = order("fills_first = 1");
    assert!(fills < updates && updates < answer);
    let [answer, updates, fills] = order("updates_last = 1");
    assert!(answer < updates && fills < updates);
}

#[test]
fn news_get_lost() {
    let (desk, heard) = bought("updates_lost = 1");
    assert_eq!((counts(&heard), desk.books().fills), ([1, 0, 1, 1], 1));
    let (mut desk, heard) = bought("fill_lost = 1");
    assert_eq!(counts(&heard), [1, 1, 0, 0]);
    assert_eq!(desk.ask("userFills").as_array().unwrap().len(), 1, "the venue knows it");
    let (_, heard) = bought("fill_twice = 1");
    assert_eq!(counts(&heard), [1, 1, 2, 2]);
    let fills: Vec<&Value> = of(&heard, "userFills").map(|(_, data)| data).collect();
    assert_eq!(fills[0], fills[1]);
}

#[test]
fn a_split_fill_adds_up_and_is_told_alike_everywhere() {
    let (mut desk, heard) = bought("fill_split = 1");
    let (_, data) = of(&heard, "userFills").next().unwrap();
    let [one, two] = &data["fills"].as_array().unwrap()[..] else { panic!("two rows: {data}") };
    assert_eq!((&one["hash"], &one["oid"]), (&two["hash"], &two["oid"]));
    assert_ne!(one["tid"], two["tid"]);
    assert!(two["tid"].as_u64().unwrap() < 1 << 50);
    assert_eq!((&one["sz"], &two["sz"]), (&json!("0.5"), &json!("0.5")));
    assert_eq!((&one["startPosition"], &two["startPosition"]), (&json!("0.0"), &json!("0.5")));
    assert_eq!((&one["fee"], &two["fee"]), (&json!("0.017828"), &json!("0.017829")));
    assert_eq!(desk.ask("userFills"), json!([two, one]));
    assert_eq!(desk.books().fills, 2);
    let (_, whole) = bought("");
    assert_eq!(of(&whole, "userFills").next().unwrap().1["fills"].as_array().unwrap().len(), 1);
}

#[test]
fn fills_come_in_another_order_than_they_happened() {
    let (_, heard) = bought("fill_split = 1\nfills_disordered = 1");
    let (_, data) = of(&heard, "userFills").next().unwrap();
    let starts: Vec<&Value> =
        data["fills"].as_array().unwrap().iter().map(|row| &row["startPosition"]).collect();
    assert_eq!(starts, ["0.5", "0.0"]);
}

#[test]
fn an_update_has_a_word_that_nobody_knows() {
    let (mut desk, heard) = bought("update_unknown_word = 1");
    let (_, rows) = of(&heard, "orderUpdates").next().unwrap();
    let known = ["open", "filled", "canceled"];
    assert!(
        rows.as_array()
            .unwrap()
            .iter()
            .all(|row| !known.contains(&row["status"].as_str().unwrap()))
    );
    let history = desk.ask("historicalOrders");
    assert_eq!(history[0]["status"], "filled", "a question is answered with the right word");
}

#[test]
fn an_account_looks_empty_though_it_is_not() {
    let (mut desk, _) = bought("account_zero = 1");
    let state = desk.ask("clearinghouseState");
    assert_eq!(state["marginSummary"]["accountValue"], "0.0");
    assert_eq!((&state["withdrawable"], &state["assetPositions"]), (&json!("0.0"), &json!([])));
    assert_eq!(desk.books().positions.len(), 1);
    let (mut desk, _) = bought("");
    assert_ne!(desk.ask("clearinghouseState")["assetPositions"], json!([]));
}

#[test]
fn an_account_is_shown_as_it_was() {
    let mut desk = Desk::new("account_stale = 1\naccount_stale_ms = 20000");
    desk.floor.pass(45_000);
    assert!(desk.act(&ioc(TSLA, true, "412.7", "1"))["status"] == "ok");
    assert_eq!(desk.ask("clearinghouseState")["assetPositions"], json!([]));
    assert_eq!(desk.ask("userFills"), json!([]));
    for _ in 0..50 {
        let body = r#"{"method":"ping"}"#;
        desk.floor.say(desk.conn, body);
        desk.floor.pass(1_000);
    }
    assert_ne!(desk.ask("clearinghouseState")["assetPositions"], json!([]), "but not for ever");
}

#[test]
fn orders_are_refused_for_no_reason() {
    let mut desk = Desk::new("refuse = 1");
    let (mut single, mut whole) = (0, 0);
    for _ in 0..40 {
        let answer = desk.act(&ioc(RIVN, true, "15.25", "1"));
        match answer["status"].as_str().unwrap() {
            "err" => whole += 1,
            _ => {
                let status = &answer["response"]["data"]["statuses"][0];
                assert!(status["error"].is_string(), "{answer}");
                single += 1;
            }
        }
    }
    assert!(single >= 20 && whole >= 3, "{single} {whole}");
    assert_eq!(desk.books().fills, 0);
}

#[test]
fn scheduled_events_happen_to_accounts() {
    let event =
        |what: &str, more: &str| format!("[[event]]\nat_ms = 5000\nwhat = \"{what}\"\n{more}\n");
    let refusal = |faults: &str| {
        let mut desk = Desk::new(faults);
        assert!(desk.status(&ioc(TSLA, true, "412.7", "0.1"))["filled"].is_object());
        desk.floor.pass(6_000);
        // The price of volume is requests: what follows a trade may be within the budget again.
        for _ in 0..10 {
            desk.act(&noop());
        }
        desk.act(&ioc(TSLA, true, "412.7", "0.1")).to_string()
    };
    assert!(refusal(&event("post_only_on", "")).contains("Only post-only orders allowed"));
    assert!(refusal(&event("agent_expire", "")).contains("does not exist."));
    assert!(refusal(&event("budget_empty", "")).contains("Too many cumulative requests sent"));
    // Somebody else's.
    let other = r#"address = "0x00000000000000000000000000000000000000ab""#;
    assert!(refusal(&event("agent_expire", other)).contains("filled"));
    let off = event("post_only_on", "") + &event("post_only_off", "");
    assert!(refusal(&off).contains("filled"));
    assert!(Faults::from_toml(&event("agent_expire", "address = 5")).is_err());
}

#[test]
fn a_position_is_taken_by_a_liquidation() {
    let mut desk = Desk::new("[[event]]\nat_ms = 16000\nwhat = \"liquidate\"");
    desk.listen();
    let body = desk.agent.sign(&ioc(TSLA, true, "412.7", "1"));
    desk.post(&body);
    desk.listen_for(15_000);
    assert_eq!(desk.books().positions.len(), 1);
    let heard = desk.listen_for(3_000);
    let (_, data) = of(&heard, "userFills").next().unwrap();
    let row = &data["fills"][0];
    assert_eq!((&row["sz"], &row["side"]), (&json!("1.0"), &json!("A")));
    let liquidation = &row["liquidation"];
    assert_eq!(liquidation["liquidatedUser"], desk.user.to_string());
    assert_eq!((&liquidation["markPx"], &liquidation["method"]), (&row["px"], &json!("market")));
    assert!(row["dir"].as_str().unwrap().starts_with("Liquidated"));
    assert_eq!((desk.books().positions, desk.floor.venue.audit()), (vec![], Ok(())));
}
