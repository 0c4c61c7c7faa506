//! What becomes of a signed action: who is believed, what is answered, and when.

use hip3::types::num::Usd;
use hip3::venue::{Exchange, Limits, Settings};
use serde_json::{Value, json};

use crate::support::{px, sz};
use crate::trader::{self, DEPOSIT, Desk, TSLA, Trader, cancel, ioc, noop, of, order, orders};

/// The second of a fresh venue's time.
const START: u64 = 1_791_480_000_000;

#[test]
fn an_agents_order_is_filled_for_its_master() {
    let mut desk = Desk::quick();
    let status = desk.status(&ioc(TSLA, true, "412.7", "1"));
    let filled = &status["filled"];
    assert_eq!((&filled["totalSz"], &filled["avgPx"]), (&json!("1.0"), &json!("412.7")));
    assert!(filled["oid"].is_u64() && filled.get("cloid").is_none());
    let books = desk.books();
    assert_eq!(books.fills, 1);
    assert_eq!(books.volume, Usd::from_units(412_700_000));
    // 412.7 x 0.00045 x 2 x 0.1 x 0.96, cut off after six decimals.
    assert_eq!(books.fees, Usd::from_units(35_657));
    assert_eq!(books.cash, DEPOSIT.saturating_sub(books.fees));
    assert_eq!(desk.floor.venue.audit(), Ok(()));
}

#[test]
fn the_master_itself_may_sign_and_a_stranger_may_not() {
    let mut desk = Desk::quick();
    let body = desk.master.sign(&noop());
    assert_eq!(desk.answer_to(&body), json!({"status":"ok","response":{"type":"default"}}));
    let mut stranger = Trader::new(99);
    let body = stranger.sign(&noop());
    let text = format!("User or API Wallet {} does not exist.", stranger.address());
    assert_eq!(desk.answer_to(&body), json!({ "status": "err", "response": text }));
}

#[test]
fn a_signature_for_the_other_network_is_a_strangers() {
    let mut desk = Desk::quick();
    let mut wrong = Trader::new(2).on_mainnet();
    let body = wrong.sign(&noop());
    let answer = desk.answer_to(&body);
    let text = answer["response"].as_str().unwrap();
    assert!(text.starts_with("User or API Wallet 0x") && text.ends_with(" does not exist."));
    assert!(!text.contains(&wrong.address().to_string()), "nobody's address");
    let mut desk = Desk::with(Settings { mainnet: true, ..Settings::default() });
    let body = wrong.sign(&noop());
    assert_eq!(desk.answer_to(&body)["status"], "ok");
}

#[test]
fn a_decimal_with_trailing_zeros_is_a_strangers() {
    let mut desk = Desk::quick();
    let answer = desk.act(&ioc(TSLA, true, "412.70", "1"));
    assert_eq!(answer["status"], "err");
    assert_eq!(desk.books().fills, 0);
}

#[test]
fn the_same_nonce_is_taken_once() {
    let mut desk = Desk::quick();
    let nonce = START + 5;
    let body = desk.agent.sign_at(&noop(), nonce, None);
    assert_eq!(desk.answer_to(&body)["status"], "ok");
    let again = desk.answer_to(&body);
    assert_eq!(again["response"], format!("Invalid nonce: duplicate nonce {nonce}"));
}

#[test]
fn an_action_past_its_time_is_refused() {
    let mut desk = Desk::quick();
    desk.floor.pass(1_000);
    let buy = ioc(TSLA, true, "412.7", "1");
    let late = desk.agent.sign_at(&buy, START + 1, Some(START + 500));
    assert_eq!(desk.answer_to(&late)["status"], "err");
    let good = desk.agent.sign_at(&buy, START + 2, Some(START + 60_000));
    assert_eq!(desk.answer_to(&good)["status"], "ok");
    assert_eq!(desk.books().fills, 1);
}

#[test]
fn bodies_that_are_no_actions_answer_as_http_does() {
    let mut desk = Desk::quick();
    let good = desk.agent.sign(&noop());
    for (body, text) in [
        (
            good.replace("noop", "explode"),
            "422 Failed to deserialize the JSON body into the target type",
        ),
        (
            good.replace("\"nonce\"", "\"nince\""),
            "422 Failed to deserialize the JSON body into the target type",
        ),
    ] {
        let id = desk.post(&body);
        let frames = desk.floor.frames();
        let expected = json!({ "id": id, "response": { "type": "error", "payload": text } });
        assert_eq!(frames, [json!({ "channel": "post", "data": expected })]);
        let now = desk.floor.now;
        let Exchange::Answered(reply) = desk.floor.venue.exchange(now, body.as_bytes()) else {
            panic!("it is answered at once")
        };
        assert_eq!(reply.status, 422);
    }
    let now = desk.floor.now;
    let Exchange::Answered(reply) = desk.floor.venue.exchange(now, b"{") else {
        panic!("it is answered at once")
    };
    assert_eq!(reply.status, 400);
}

#[test]
fn an_answer_over_http_waits_for_its_block_and_is_given_once() {
    let mut desk = Desk::new("");
    let body = desk.agent.sign(&ioc(TSLA, true, "412.7", "1"));
    let now = desk.floor.now;
    let Exchange::Waits(id) = desk.floor.venue.exchange(now, body.as_bytes()) else {
        panic!("it waits")
    };
    desk.floor.pass(150);
    assert_eq!(desk.floor.venue.take_reply(id), None, "too early");
    desk.floor.pass(1_000);
    assert!(desk.floor.venue.has_reply(id));
    let reply = desk.floor.venue.take_reply(id).unwrap();
    let answer: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!((reply.status, &answer["status"]), (200, &json!("ok")));
    assert!(answer["response"]["data"]["statuses"][0]["filled"].is_object());
    assert_eq!(desk.floor.venue.take_reply(id), None);
}

#[test]
fn an_abandoned_request_is_still_done() {
    let mut desk = Desk::quick();
    let body = desk.agent.sign(&ioc(TSLA, true, "412.7", "1"));
    let now = desk.floor.now;
    let Exchange::Waits(id) = desk.floor.venue.exchange(now, body.as_bytes()) else {
        panic!("it waits")
    };
    desk.floor.venue.abandon(id);
    desk.floor.pass(1_000);
    assert_eq!((desk.floor.venue.take_reply(id), desk.books().fills), (None, 1));
}

#[test]
fn updates_come_with_the_block_and_answer_and_fills_in_their_time() {
    let mut desk = Desk::new("");
    desk.listen();
    let (mut latest, mut fastest) = (0, u64::MAX);
    for _ in 0..20 {
        let sent = desk.floor.now.since(hip3::types::time::Mono(0)).as_millis();
        let body = desk.agent.sign(&ioc(TSLA, true, "412.7", "0.1"));
        desk.post(&body);
        let heard = desk.listen_for(1_500);
        let (updated, rows) = of(&heard, "orderUpdates").next().unwrap();
        assert_eq!(rows[0]["status"], "open");
        assert_eq!(rows[1]["status"], "filled");
        let block = rows[1]["statusTimestamp"].as_u64().unwrap() - START;
        assert_eq!(updated, block);
        assert!((sent + 20..=sent + 80 + 156).contains(&block), "{sent} {block}");
        let (answered, _) = of(&heard, "post").next().unwrap();
        assert!((block + 150..=block + 400).contains(&answered), "{block} {answered}");
        let (filled, fills) = of(&heard, "userFills").next().unwrap();
        assert!((block..=block + 200).contains(&filled), "{block} {filled}");
        assert_eq!(fills["fills"][0]["time"], START + block);
        assert!(fills.get("isSnapshot").is_none());
        latest = latest.max(answered - block);
        fastest = fastest.min(answered - block);
    }
    assert!(latest - fastest > 50, "answers take a time that varies");
}

#[test]
fn refusals_at_the_door_are_fast() {
    let mut desk = Desk::new("");
    desk.listen();
    let sent = desk.floor.now.since(hip3::types::time::Mono(0)).as_millis();
    let body = Trader::new(77).sign(&noop());
    desk.post(&body);
    let heard = desk.listen_for(1_000);
    let (answered, _) = of(&heard, "post").next().unwrap();
    assert!((sent + 30..=sent + 130).contains(&answered), "{sent} {answered}");
}

#[test]
fn makers_may_pull_their_quotes_before_an_order_arrives() {
    let mut desk = Desk::new("");
    let body = desk.agent.sign(&ioc(TSLA, true, "412.7", "1"));
    desk.post(&body);
    desk.floor.venue.set_quote("xyz:TSLA", Some((px("412.5"), sz("10"))), None).unwrap();
    desk.floor.pass(1_000);
    let frame = desk.floor.frames().into_iter().find(|frame| frame["channel"] == "post").unwrap();
    let error = &frame["data"]["response"]["payload"]["response"]["data"]["statuses"][0]["error"];
    let text = "Order could not immediately match against any resting orders.";
    assert!(error.as_str().unwrap().starts_with(text), "{error}");
}

#[test]
fn a_hundred_posts_may_wait_and_no_more() {
    let mut desk = Desk::new("");
    for _ in 0..100 {
        let body = desk.agent.sign(&noop());
        desk.post(&body);
    }
    assert!(desk.floor.frames().is_empty());
    let body = desk.agent.sign(&noop());
    let id = desk.post(&body);
    let text = format!("too many pending post requests id={id}");
    assert_eq!(desk.floor.frames(), [json!({ "channel": "error", "data": text })]);
    desk.floor.pass(2_000);
    let answers = desk.floor.frames();
    assert_eq!(answers.iter().filter(|frame| frame["channel"] == "post").count(), 100);
    let body = desk.agent.sign(&noop());
    desk.post(&body);
    desk.floor.pass(2_000);
    assert_eq!(desk.floor.frames()[0]["channel"], "post");
    let limits = Limits { posts: 1, ..Limits::default() };
    let mut desk = Desk::with(Settings { limits, ..Settings::default() });
    let body = desk.agent.sign(&noop());
    desk.post(&body);
    // A connection that is gone waits for nothing.
    desk.floor.venue.disconnect(desk.conn);
    desk.conn = desk.floor.connect();
    let body = desk.agent.sign(&noop());
    desk.post(&body);
    desk.floor.pass(2_000);
    assert_eq!(desk.floor.frames().len(), 1);
}

#[test]
fn actions_over_http_have_a_weight() {
    let mut desk = Desk::quick();
    let mut answered = |desk: &mut Desk| {
        let now = desk.floor.now;
        desk.floor.venue.exchange(now, b"{}")
    };
    for _ in 0..1_200 {
        assert!(matches!(answered(&mut desk), Exchange::Answered(reply) if reply.status == 422));
    }
    assert!(matches!(answered(&mut desk), Exchange::Answered(reply) if reply.status == 429));
    desk.floor.pass(60_000);
    // Forty items weigh two.
    let many = orders(vec![order(TSLA, true, "400", "1", "Gtc"); 40]);
    let body = serde_json::to_string(&json!({ "action": many })).unwrap();
    let now = desk.floor.now;
    for _ in 0..600 {
        desk.floor.venue.exchange(now, body.as_bytes());
    }
    assert!(matches!(answered(&mut desk), Exchange::Answered(reply) if reply.status == 429));
}

#[test]
fn a_resting_order_is_cancelled() {
    let mut desk = Desk::quick();
    let status = desk.status(&orders(vec![order(TSLA, true, "400", "1", "Gtc")]));
    let oid = status["resting"]["oid"].as_u64().unwrap();
    assert_eq!(desk.books().open_orders, 1);
    assert_eq!(desk.status(&cancel(TSLA, oid)), json!("success"));
    assert_eq!(desk.books().open_orders, 0);
    let again = desk.status(&cancel(TSLA, oid));
    let text = format!("Order was never placed, already canceled, or filled. asset={TSLA}");
    assert_eq!(again, json!({ "error": text }));
}

#[test]
fn levers_refuse_and_expire() {
    let mut desk = Desk::quick();
    let buy = || ioc(TSLA, true, "412.7", "0.1");
    desk.floor.venue.refuse_next(1, "Order price too far from oracle");
    let error = desk.status(&buy())["error"].clone();
    assert!(error.as_str().unwrap().starts_with("Order price too far from oracle"), "{error}");
    desk.floor.venue.refuse_next_whole(1, "Signed action over weight limit of 200.");
    assert_eq!(desk.act(&buy())["response"], "Signed action over weight limit of 200.");
    desk.floor.venue.set_post_only(true);
    let error = desk.status(&buy())["error"].clone();
    assert!(error.as_str().unwrap().starts_with("Only post-only orders allowed"), "{error}");
    desk.floor.venue.set_post_only(false);
    assert!(desk.status(&buy())["filled"].is_object());
    let user = desk.user;
    desk.floor.venue.empty_budget(user);
    // One passes every ten seconds. It must not trade: volume buys more.
    assert_eq!(desk.act(&noop())["status"], "ok");
    let text = desk.act(&noop())["response"].as_str().unwrap().to_owned();
    assert!(text.starts_with("Too many cumulative requests sent ("), "{text}");
    desk.floor.venue.set_budget(user, 0);
    desk.floor.venue.expire_agent(desk.agent.address());
    let text = format!("User or API Wallet {} does not exist.", desk.agent.address());
    assert_eq!(desk.act(&buy())["response"], text);
}

#[test]
fn the_books_know_the_most_that_was_at_stake() {
    let mut desk = Desk::quick();
    // Two orders wait for one block: 2 x 412.7 in one market and 20 x 15.25 in another.
    for asset in [(TSLA, "412.7", "1"), (TSLA, "412.7", "1"), (trader::RIVN, "15.25", "20")] {
        let body = desk.agent.sign(&ioc(asset.0, true, asset.1, asset.2));
        desk.post(&body);
    }
    desk.floor.pass(1_000);
    let books = desk.books();
    assert_eq!(books.exposure_max, Usd::from_units(1_130_400_000));
    assert_eq!(books.exposure_max_of_a_market, Usd::from_units(825_400_000));
    assert_eq!((books.positions_max, books.positions.len(), books.fills), (2, 2, 3));
    // What was closed stays in the maxima; reduce-only orders never added to them.
    let mut exit = ioc(TSLA, false, "412.5", "2");
    exit.orders[0].r = true;
    assert!(desk.status(&exit)["filled"].is_object());
    desk.floor.pass(100);
    let after = desk.books();
    assert_eq!((after.exposure_max, after.positions.len()), (books.exposure_max, 1));
    assert_eq!(after.closed_pnl, Usd::from_units(-400_000));
    let sums = after.deposit.saturating_add(after.closed_pnl).saturating_sub(after.fees);
    assert_eq!(after.cash, sums);
    assert!(after.positions_value_max >= Usd::from_units(800_000_000));
    assert_eq!(desk.floor.venue.books(Trader::new(50).address()), None);
}
