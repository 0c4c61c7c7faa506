//! From a signal to an order and its end.

use hip3::types::hard_stop::HardStop;
use hip3::types::record::{ExitReason, GapCause, Outcome};

use crate::desk::{Desk, ONE, TWO, config, px, text, usd};

#[test]
fn a_dislocation_is_taken_and_let_go_when_the_price_is_back() {
    let mut desk = Desk::ready(&config());
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["sent"]);
    let (id, order) = desk.sent_order();
    assert_eq!((order["b"].as_bool(), order["r"].as_bool()), (Some(true), Some(false)));
    assert_eq!((text(&order, "p"), text(&order, "s")), ("99.6".to_owned(), "0.5".to_owned()));
    assert_eq!(order["t"]["limit"]["tif"], "Ioc");
    desk.fill_whole(id, &order, "0.004482");
    assert_eq!(desk.trading().positions, 1);
    desk.pass_ms(900);
    desk.bbo(ONE, "99.96", "100.04");
    desk.nothing_sent(); // Not before a second of holding.
    desk.pass_ms(300);
    let (id, exit) = desk.sent_order();
    assert_eq!((exit["b"].as_bool(), exit["r"].as_bool()), (Some(false), Some(true)));
    assert_eq!(text(&exit, "s"), "0.5");
    let fill = desk.fill_of(&exit, "0.5", "99.96", "0.004498");
    desk.answer_filled(id, "0.5", "99.96");
    desk.tell_fill(&fill);
    let [trade] = desk.trades()[..] else { panic!("{:?}", desk.trades()) };
    assert_eq!((trade.entry_px, trade.exit_px), (px("99.6"), px("99.96")));
    assert_eq!((trade.gross, trade.fees), (usd("0.18"), usd("0.00898")));
    assert_eq!(trade.net, usd("0.17102"));
    assert_eq!(trade.exit, ExitReason::MarkRegression);
    let outcomes: Vec<_> = desk.orders().iter().map(|order| order.outcome).collect();
    assert_eq!(outcomes, [Outcome::Filled, Outcome::Filled]);
    assert_eq!((desk.trading().positions, desk.trading().pending), (0, 0));
}

#[test]
fn what_was_approved_is_what_is_sent_and_never_twice_by_one_name() {
    let mut desk = Desk::ready(&config());
    desk.dislocate(ONE);
    desk.dislocate(TWO);
    let posts = desk.new_posts();
    assert_eq!(posts.len(), 2);
    let names: Vec<_> = posts.iter().map(|(_, action)| action["orders"][0]["c"].clone()).collect();
    assert_ne!(names[0], names[1]);
    let frames: Vec<serde_json::Value> = desk
        .sent
        .iter()
        .map(|text| serde_json::from_str(text).expect("JSON"))
        .filter(|frame: &serde_json::Value| frame["method"] == "post")
        .collect();
    let payloads: Vec<_> = frames.iter().map(|frame| &frame["request"]["payload"]).collect();
    let nonces: Vec<_> = payloads.iter().map(|p| p["nonce"].as_u64().expect("a nonce")).collect();
    assert!(nonces.windows(2).all(|pair| pair[0] < pair[1]), "{nonces:?}");
    let last = payloads.last().expect("a payload");
    let expires = last["expiresAfter"].as_i64().expect("expiresAfter");
    assert_eq!(expires, desk.venue_ms() + 2_000);
    assert_eq!(payloads.last().and_then(|p| p["action"]["orders"][0]["a"].as_u64()), Some(110_001));
}

#[test]
fn a_market_with_an_order_or_a_position_gets_no_second_entry() {
    let mut config = config();
    config.position.max_notional_per_market = usd("200");
    config.position.max_total_notional = usd("500");
    let mut desk = Desk::ready(&config);
    desk.dislocate(ONE);
    let (id, order) = desk.sent_order();
    desk.pass_ms(1_000);
    assert_eq!(desk.decisions(), ["sent", "skipped:PendingOrderExists"]);
    desk.fill_whole(id, &order, "0.004482");
    desk.pass_ms(1_000);
    assert_eq!(desk.decisions()[2..], ["skipped:AlreadyHasPosition"]);
    desk.nothing_sent();
}

#[test]
fn a_position_of_the_whole_limit_leaves_no_room() {
    let mut desk = Desk::ready(&config());
    desk.enter(ONE);
    desk.pass_ms(1_000);
    // 49.8 USD held under a limit of 50.
    assert_eq!(desk.decisions(), ["sent", "rejected:MaxPositionPerMarket"]);
}

#[test]
fn the_total_limit_counts_what_may_still_fill() {
    let mut config = config();
    config.position.max_total_notional = usd("60");
    let mut desk = Desk::ready(&config);
    desk.dislocate(ONE);
    desk.dislocate(TWO);
    assert_eq!(desk.decisions(), ["sent", "rejected:MaxPositionTotal"]);
    let (id, _) = desk.sent_order();
    desk.answer_error(
        id,
        "Order could not immediately match against any resting orders. asset=110000",
    );
    desk.pass_ms(1_000);
    assert!(desk.decisions()[2..].contains(&"sent".to_owned()), "{:?}", desk.decisions());
}

#[test]
fn the_number_of_positions_counts_orders_that_may_become_one() {
    let mut config = config();
    config.position.max_concurrent_positions = 1;
    config.position.max_total_notional = usd("500");
    let mut desk = Desk::ready(&config);
    desk.dislocate(ONE);
    desk.dislocate(TWO);
    assert_eq!(desk.decisions(), ["sent", "rejected:MaxConcurrentPositions"]);
}

#[test]
fn dynamic_sizing_follows_the_balance_and_an_unknown_one_allows_nothing() {
    let mut config = config();
    config.position.risk_per_market =
        Some(hip3::types::num::Ratio::parse(b"0.1").expect("a ratio"));
    let mut desk = Desk::ready(&config);
    desk.account.available = Some(usd("497.9")); // A tenth is one cent short of the order.
    desk.read();
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["rejected:MaxPositionPerMarket"]);
    desk.account.available = None;
    desk.read();
    desk.dislocate(TWO);
    assert_eq!(desk.decisions()[1..], ["rejected:MaxPositionPerMarket"]);
    desk.account.available = Some(usd("498"));
    desk.read();
    desk.pass_ms(1_000);
    assert!(desk.decisions()[2..].contains(&"sent".to_owned()), "{:?}", desk.decisions());
}

#[test]
fn an_empty_budget_keeps_its_reserve_for_exits() {
    let mut desk = Desk::ready(&config());
    let order = desk.enter(ONE);
    desk.account.rate_limit.used = desk.account.rate_limit.cap - 500;
    desk.hold(ONE, "0.5", "99.6");
    desk.read();
    desk.dislocate(TWO);
    assert_eq!(
        desk.last_decision().map(|d| d.to_string()).as_deref(),
        Some("skipped:BudgetExhausted")
    );
    desk.nothing_sent();
    desk.pass_ms(2_000);
    desk.bbo(ONE, "100", "100.1");
    let (_, exit) = desk.sent_order();
    assert_eq!((exit["r"].as_bool(), text(&exit, "s")), (Some(true), text(&order, "s")));
}

#[test]
fn a_size_below_the_least_order_is_told_and_not_sent() {
    let mut desk = Desk::ready(&config());
    // 6 coins at 99.6 are 597.6 USD: a thin book leaves a fiftieth of the size.
    desk.bbo_sized(ONE, Some(("99.55", "6")), Some(("99.6", "6")));
    assert_eq!(desk.decisions(), ["skipped:BelowMinimum"]);
    desk.nothing_sent();
}

#[test]
fn a_gate_that_blocks_keeps_an_order_from_being_made() {
    let mut desk = Desk::ready(&config());
    desk.ctx_with(ONE, "100", "101", "100", "50.5"); // Mark and mid a percent apart.
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["blocked:MarkMidDivergence"]);
    desk.nothing_sent();
}

#[test]
fn on_the_tick_orders_leave_together() {
    let mut config = config();
    config.executor.dispatch = hip3::types::config::Dispatch::Tick;
    let mut desk = Desk::ready(&config);
    desk.pass_ms(150);
    desk.new_posts();
    desk.dislocate(ONE);
    desk.dislocate(TWO);
    let at_once = desk.new_posts();
    desk.pass_ms(100);
    let posts: Vec<_> = at_once.into_iter().chain(desk.new_posts()).collect();
    let orders: usize = posts.iter().map(|(_, a)| a["orders"].as_array().map_or(0, Vec::len)).sum();
    assert_eq!(orders, 2);
    assert_eq!(desk.decisions(), ["sent", "sent"]);
}

#[test]
fn an_answer_that_does_not_come_is_looked_up_and_death_is_proven() {
    let mut desk = Desk::ready(&config());
    desk.dislocate(ONE);
    let (_, order) = desk.sent_order();
    desk.bbo(ONE, "99.95", "100.05");
    desk.pass_ms(2_999);
    desk.nothing_sent();
    let mut asked = 0;
    for _ in 0..30 {
        desk.pass_ms(500);
        for (id, payload) in desk.new_posts() {
            assert_eq!(payload["type"], "orderStatus", "{payload}");
            assert_eq!(payload["oid"], order["c"]);
            asked += 1;
            desk.frame(&format!(
                r#"{{"channel":"post","data":{{"id":{id},"response":{{"type":"info","payload":{{"type":"orderStatus","data":{{"status":"unknownOid"}}}}}}}}}}"#
            ));
        }
    }
    assert_eq!(asked, 3, "three times, and then it is dead");
    let [row] = desk.orders()[..] else { panic!("{:?}", desk.orders()) };
    assert_eq!((row.outcome, row.filled.is_positive()), (Outcome::Expired, false));
    desk.dislocate(ONE);
    assert_eq!(desk.decisions().last().map(String::as_str), Some("sent"));
}

#[test]
fn an_order_in_doubt_blocks_its_market_and_no_other() {
    let mut config = config();
    config.position.max_total_notional = usd("500");
    config.position.max_notional_per_market = usd("500");
    let mut desk = Desk::ready(&config);
    desk.dislocate(ONE);
    let (id, _) = desk.sent_order();
    desk.answer_status(id, r#""teleported""#);
    desk.pass_ms(1_000);
    assert_eq!(
        desk.last_decision().map(|d| d.to_string()).as_deref(),
        Some("skipped:PendingOrderExists")
    );
    desk.dislocate(TWO);
    assert_eq!(desk.last_decision().map(|d| d.to_string()).as_deref(), Some("sent"));
}

#[test]
fn a_filled_order_whose_answer_was_lost_is_found_by_its_fill() {
    let mut desk = Desk::ready(&config());
    desk.dislocate(ONE);
    let (_, order) = desk.sent_order();
    let fill = desk.fill_of(&order, "0.5", "99.6", "0.004482");
    desk.tell_fill(&fill);
    desk.tell_fill(&fill);
    assert_eq!(desk.trading().positions, 1);
    assert_eq!((desk.trading().fills, desk.trading().fills_repeated), (1, 1));
    desk.pass_ms(500);
    assert_eq!(desk.trading().pending, 0, "filled whole, so nothing more can come");
}

#[test]
fn a_fill_that_the_socket_lost_is_read_from_the_account() {
    let mut desk = Desk::ready(&config());
    desk.dislocate(ONE);
    let (id, order) = desk.sent_order();
    desk.answer_filled(id, "0.5", "99.6");
    let fill = desk.fill_of(&order, "0.5", "99.6", "0.004482");
    let before = desk.account_readings.len();
    desk.pass_ms(3_000);
    assert!(desk.account_readings.len() > before, "fills are missing");
    desk.account.fills.push(fill);
    desk.hold(ONE, "0.5", "99.6");
    desk.read();
    assert_eq!((desk.trading().positions, desk.trading().pending), (1, 0));
    let [row] = desk.orders()[..] else { panic!("{:?}", desk.orders()) };
    assert_eq!((row.outcome, row.fee), (Outcome::Filled, usd("0.004482")));
}

#[test]
fn leverage_is_set_before_the_first_entry() {
    let mut desk = Desk::silent(&config(), HardStop::default());
    desk.event(hip3::types::event::Event::Tick);
    desk.reread();
    desk.event(hip3::types::event::Event::Connected);
    desk.acknowledge();
    desk.calm_quotes();
    desk.read();
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["rejected:NotReady"]);
    desk.pass_ms(60);
    let posts = desk.new_posts();
    assert!(posts.iter().all(|(_, action)| action["type"] == "updateLeverage"), "{posts:#?}");
    assert_eq!(posts[0].1["leverage"], 5);
}

/// Without gate 1, as whoever takes quotes that lag has it.
fn any_age() -> hip3::types::config::Config {
    let mut config = config();
    config.risk.max_bbo_age = None;
    config
}

/// A12: entries wait while blocks come later than the limit, and go on at it.
#[test]
fn entries_wait_while_the_feed_is_late() {
    let mut desk = Desk::ready(&any_age());
    desk.blocks_ms(1_000);
    desk.live_ms(5_000);
    for (delay_ms, decision) in
        [(4_700, "rejected:NotReady"), (1_701, "rejected:NotReady"), (1_700, "sent")]
    {
        desk.rows.clear();
        desk.delay_ms = delay_ms;
        desk.dislocate(ONE);
        assert_eq!(desk.decisions(), [decision], "{delay_ms}");
        let waiting: Vec<_> = desk.trading().data_age.waiting().collect();
        assert_eq!(waiting.contains(&"feed_lag"), decision != "sent");
        if decision != "sent" {
            desk.nothing_sent();
            desk.bbo(ONE, "99.95", "100.05");
            desk.pass_ms(4_000);
            desk.ctx(ONE, "100");
        }
    }
    desk.sent_order();
}

/// A12: a feed that was late from the first frame on is told by the venue's own time.
#[test]
fn a_feed_that_is_late_from_the_start_is_seen() {
    let mut desk = Desk::silent(&any_age(), HardStop::default());
    desk.venue_tells_ahead_ms(0);
    desk.delay_ms = 4_700;
    desk.start();
    assert!(desk.trading().ready.all());
    for _ in 0..5 {
        desk.live_ms(1_000);
        desk.bbo(ONE, "99.95", "100.05");
    }
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["rejected:NotReady"]);
    desk.bbo(ONE, "99.95", "100.05");
    desk.delay_ms = 200;
    desk.dislocate(ONE);
    assert_eq!(desk.last_decision().map(|d| d.to_string()).as_deref(), Some("sent"));
}

/// A13: stopped for four seconds in a dislocation, the process enters nothing on what has waited for it.
#[test]
fn after_a_pause_nothing_is_entered_before_fresh_data() {
    let mut desk = Desk::ready(&any_age());
    desk.blocks_ms(2_000);
    desk.stall_ms(4_000);
    // From the buffer: the dislocation as it was 3.1 s ago.
    desk.delay_ms = 3_300;
    desk.dislocate(ONE);
    desk.ctx(ONE, "100");
    assert_eq!(desk.trading().data_age.waiting().collect::<Vec<_>>(), ["feed_lag", "paused"]);
    assert_eq!(desk.gaps().iter().map(|gap| gap.cause).collect::<Vec<_>>(), [GapCause::Paused]);
    // The market has fallen since, and then the buffer is read.
    desk.delay_ms = 200;
    desk.bbo(ONE, "98.95", "99.05");
    assert!(!desk.trading().data_age.any(), "{:?}", desk.trading().data_age);
    desk.nothing_sent();
    assert!(desk.signals().is_empty(), "{:?}", desk.decisions());
    desk.ctx(ONE, "99");
    assert!(desk.signals().is_empty(), "the oracle has fallen, too");
    desk.ctx(ONE, "100");
    assert_eq!(desk.decisions(), ["sent"]);
}

/// A13: what is held is let go after a pause as without one.
#[test]
fn a_position_is_let_go_after_a_pause_that_its_time_ran_out_in() {
    let mut config = any_age();
    config.mark_regression.enabled = false;
    let mut desk = Desk::ready(&config);
    desk.enter(ONE);
    desk.hold(ONE, "0.5", "99.6");
    desk.live_ms(20_000);
    desk.nothing_sent();
    desk.stall_ms(12_000);
    desk.ctx(ONE, "100");
    let (_, exit) = desk.sent_order();
    assert_eq!((exit["r"].as_bool(), text(&exit, "s")), (Some(true), "0.5".to_owned()));
}
