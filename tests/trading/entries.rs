//! From a signal to an order and its end.

use hip3::types::config::Config;
use hip3::types::hard_stop::HardStop;
use hip3::types::num::{Bps, Ratio, Sz};
use hip3::types::record::{ExitReason, GapCause, Outcome, SizeLimit};

use crate::desk::{Desk, ONE, TWO, config, px, text, usd};

fn sz(text: &str) -> Sz {
    Sz::parse(text.as_bytes()).expect("a size")
}

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
fn a_book_of_which_nothing_is_wanted_is_told_and_not_sent() {
    let mut config = config();
    config.detector.min_book_notional = usd("597.6");
    let mut desk = Desk::ready(&config);
    // 6 coins at 99.6: at the thin end the size is scaled to nothing, and nothing is not lifted.
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

// ---- Size ---------------------------------------------------------------------------------------

/// Size and price of the one order that was sent, what limited it, and the decision of its signal.
fn sized(desk: &mut Desk) -> (String, String, Option<SizeLimit>, String) {
    let (_, order) = desk.sent_order();
    let signal = *desk.signals().last().expect("a signal");
    (text(&order, "s"), text(&order, "p"), signal.limited_by, signal.decision.to_string())
}

fn sent(
    sz: &str,
    px: &str,
    limit: Option<SizeLimit>,
) -> (String, String, Option<SizeLimit>, String) {
    (sz.to_owned(), px.to_owned(), limit, "sent".to_owned())
}

fn dynamic(share: &str) -> Config {
    let mut config = config();
    config.position.risk_per_market = Some(Ratio::parse(share.as_bytes()).expect("a ratio"));
    config
}

/// A2: dynamic sizing clips an order to the share of the balance that it allows.
#[test]
fn dynamic_sizing_clips_to_the_balance_and_an_unknown_one_allows_nothing() {
    let mut desk = Desk::ready(&dynamic("0.1"));
    desk.account.available = Some(usd("186"));
    desk.read();
    desk.dislocate(ONE);
    // A tenth is 18.60 USD: 0.18 at 99.6 is 17.928.
    assert_eq!(sized(&mut desk), sent("0.18", "99.6", Some(SizeLimit::Dynamic)));
    assert_eq!(desk.signals()[0].suggested_sz, sz("0.5"), "the row keeps what was suggested");

    let mut desk = Desk::ready(&dynamic("0.1"));
    desk.account.available = None;
    desk.read();
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["rejected:MaxPositionPerMarket"]);
    assert_eq!(desk.signals()[0].limited_by, Some(SizeLimit::Dynamic));
    desk.nothing_sent();
}

/// A2: only where not even the least order fits, its limit rejects it.
#[test]
fn a_room_for_less_than_the_least_order_rejects() {
    // The least order at 99.6 is 0.11, 10.956 USD.
    for (available, decision) in [("109.56", "sent"), ("109.55", "rejected:MaxPositionPerMarket")] {
        let mut desk = Desk::ready(&dynamic("0.1"));
        desk.account.available = Some(usd(available));
        desk.read();
        desk.dislocate(ONE);
        assert_eq!(desk.decisions(), [decision], "{available}");
        assert_eq!(desk.signals()[0].limited_by, Some(SizeLimit::Dynamic), "{available}");
    }
}

/// A2: a sale may fill above its limit, and fits into the room at that price.
#[test]
fn a_sale_is_clipped_at_its_worst_price() {
    let mut desk = Desk::ready(&dynamic("0.1"));
    desk.account.available = Some(usd("181"));
    desk.read();
    desk.bbo(ONE, "100.4", "100.45");
    // 18.10 USD: 0.18 at the limit of 100.4, and 0.17 one percent above it.
    assert_eq!(sized(&mut desk), sent("0.17", "100.4", Some(SizeLimit::Dynamic)));
}

/// A2: with slippage granted, a buy is clipped at its limit, not at the touched price.
#[test]
fn a_buy_is_clipped_at_its_limit() {
    let mut config = dynamic("0.1");
    config.executor.entry_slippage = Bps::from_int(30);
    let mut desk = Desk::ready(&config);
    desk.account.available = Some(usd("179.5"));
    desk.read();
    desk.dislocate(ONE);
    // 17.95 USD: 0.18 at 99.6, and 0.17 at 99.898.
    assert_eq!(sized(&mut desk), sent("0.17", "99.898", Some(SizeLimit::Dynamic)));
}

/// A2: an order is clipped to what the free margin backs, less what was bound since it was read.
#[test]
fn an_order_is_clipped_to_the_free_margin() {
    let mut desk = Desk::ready(&config());
    desk.account.available = Some(usd("12.2")); // 61 USD at five times.
    desk.read();
    desk.dislocate(TWO);
    assert_eq!(sized(&mut desk), sent("0.5", "99.6", None));
    desk.dislocate(ONE);
    // 49.8 USD bind 9.96: 2.24 are left, which back 11.2 USD, and 0.11 at 99.6 is 10.956.
    assert_eq!(sized(&mut desk), sent("0.11", "99.6", Some(SizeLimit::Margin)));

    let mut desk = Desk::ready(&config());
    desk.account.available = Some(usd("12.2"));
    desk.read();
    let order = desk.enter(TWO);
    assert_eq!(text(&order, "s"), "0.5");
    desk.dislocate(ONE);
    assert_eq!(sized(&mut desk), sent("0.11", "99.6", Some(SizeLimit::Margin)), "held counts too");

    let mut desk = Desk::ready(&config());
    desk.account.available = Some(usd("2.191")); // 10.955 USD: one tenth of a cent too little.
    desk.read();
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["skipped:BelowMinimum"]);
    assert_eq!(desk.signals()[0].limited_by, Some(SizeLimit::Margin));
    desk.nothing_sent();
}

/// A26: the shrink of a shocked spread leaves 9.96 USD, and the order is lifted to the least one.
#[test]
fn a_size_just_below_the_least_order_is_lifted_to_it() {
    let mut desk = Desk::ready(&config());
    desk.bbo(ONE, "99.2", "99.6"); // 40 bps, of an average of 10.
    let [signal] = desk.signals()[..] else { panic!("{:?}", desk.signals()) };
    assert_eq!(
        (signal.size_factor.to_string(), signal.suggested_sz),
        ("0.2".to_owned(), sz("0.1"))
    );
    assert_eq!(signal.suggested_notional, usd("9.96"));
    assert_eq!(sized(&mut desk), sent("0.11", "99.6", Some(SizeLimit::Minimum)));
}

/// A26: nothing is lifted beyond what the config lets an order be, or take of the book.
#[test]
fn a_size_is_not_lifted_beyond_the_config() {
    for (max_notional, alpha, decision) in [
        ("10.956", "0.1", "sent"),
        ("10.955", "0.1", "skipped:BelowMinimum"),
        ("50", "0.0011", "sent"),
        ("50", "0.001", "skipped:BelowMinimum"),
    ] {
        let mut config = config();
        config.detector.max_notional = usd(max_notional);
        config.detector.sizing_alpha = Ratio::parse(alpha.as_bytes()).expect("a ratio");
        let mut desk = Desk::ready(&config);
        desk.bbo(ONE, "99.2", "99.6");
        assert_eq!(desk.decisions(), [decision], "{max_notional} {alpha}");
        let limited_by = (decision == "sent").then_some(SizeLimit::Minimum);
        assert_eq!(desk.signals()[0].limited_by, limited_by, "{max_notional} {alpha}");
    }
}

/// A28: a first position that is marked above its entry leaves the second one a little less.
#[test]
fn a_second_position_is_clipped_to_what_the_first_leaves() {
    let mut desk = Desk::ready(&config());
    desk.enter(TWO);
    desk.ctx_with(TWO, "100.1", "100.1", "100.1", "50.5"); // 0.5 are worth 50.05.
    desk.bbo(ONE, "98", "98.03"); // 50 USD are 0.51: 49.9953.
    assert_eq!(sized(&mut desk), sent("0.5", "98.03", Some(SizeLimit::Total)));
    assert_eq!(desk.signals().last().map(|signal| signal.suggested_sz), Some(sz("0.51")));
}

/// A28: the same within one market, where something of an order is still left.
#[test]
fn the_market_limit_clips_too() {
    let mut config = config();
    config.position.max_notional_per_market = usd("30");
    let mut desk = Desk::ready(&config);
    desk.dislocate(ONE);
    assert_eq!(sized(&mut desk), sent("0.3", "99.6", Some(SizeLimit::Market)));
}

/// A33: a share of the balance that is smaller than `max_notional` makes smaller orders, not none.
#[test]
fn a_small_share_of_a_large_balance_makes_small_orders() {
    for max_notional in ["60", "50"] {
        let mut config = dynamic("0.0025");
        config.detector.max_notional = usd(max_notional);
        let mut desk = Desk::ready(&config);
        desk.account.available = Some(usd("10000"));
        desk.read();
        desk.dislocate(ONE);
        assert_eq!(
            sized(&mut desk),
            sent("0.25", "99.6", Some(SizeLimit::Dynamic)),
            "{max_notional}"
        );
    }
}

/// A27: a quote that is too small to trade defers nothing: the first moment that can be traded makes
/// the signal, and until then one row tells of it.
#[test]
fn the_first_tradable_moment_of_a_cross_makes_the_signal() {
    let mut config = config();
    config.detector.sizing_alpha = Ratio::parse(b"0.01").expect("a ratio");
    let mut desk = Desk::ready(&config);
    // 6 coins at 99.6 are 597.60 USD, of which a hundredth is no order.
    desk.bbo_sized(ONE, Some(("99.55", "6")), Some(("99.6", "6")));
    assert_eq!(desk.decisions(), ["skipped:BelowMinimum"]);
    for more in ["6.1", "6.2", "6.3"] {
        desk.pass_ms(25);
        desk.bbo_sized(ONE, Some(("99.55", "6")), Some(("99.6", more)));
    }
    assert_eq!(desk.decisions(), ["skipped:BelowMinimum"], "one row, not one a quote");
    assert_eq!(desk.trading().below_minimum, 1);
    desk.nothing_sent();
    desk.pass_ms(25);
    desk.bbo_sized(ONE, Some(("99.55", "100")), Some(("99.6", "100")));
    assert_eq!(sized(&mut desk), sent("0.5", "99.6", None), "100 ms after the cross began");
    assert_eq!(desk.decisions(), ["skipped:BelowMinimum", "sent"]);
    desk.pass_ms(999);
    assert_eq!(desk.decisions().len(), 2, "now the slot is used");
}

/// A27: while nothing can be traded a row tells of it once in each interval.
#[test]
fn a_cross_that_stays_too_small_is_told_once_an_interval() {
    let mut config = config();
    config.detector.sizing_alpha = Ratio::parse(b"0.001").expect("a ratio");
    let mut desk = Desk::ready(&config);
    desk.dislocate(ONE);
    desk.pass_ms(999);
    assert_eq!(desk.decisions(), ["skipped:BelowMinimum"]);
    desk.pass_ms(1);
    assert_eq!(desk.decisions(), ["skipped:BelowMinimum"; 2]);
    assert_eq!(desk.trading().below_minimum, 2);
}

/// A27: a quote of 600 USD is lifted to the least order: the first tradable moment is the first.
#[test]
fn a_thin_quote_is_taken_with_the_least_order() {
    let mut desk = Desk::ready(&config());
    desk.bbo_sized(ONE, Some(("99.55", "6")), Some(("99.6", "6")));
    assert_eq!(sized(&mut desk), sent("0.11", "99.6", Some(SizeLimit::Minimum)));
}

// ---- Cost ---------------------------------------------------------------------------------------

/// A29: without growth mode the fee is 9 bps: an entry pays for both of its fees, so that a trade that
/// goes as planned earns.
#[test]
fn an_entry_pays_for_the_fee_both_ways() {
    let mut desk = Desk::silent(&config(), HardStop::default());
    let meta = desk.info.meta.replacen(r#""growthMode":"enabled","#, "", 1);
    assert_ne!(meta, desk.info.meta);
    desk.info.meta = meta;
    let mut desk = desk.made_ready();
    desk.bbo(ONE, "99.79", "99.84"); // 16 bps: one fee, slippage and the least edge.
    desk.bbo(ONE, "99.7", "99.7501"); // One unit of 1e-4 less than 25 bps.
    desk.pass_ms(100);
    assert!(desk.decisions().is_empty(), "{:?}", desk.signals());
    desk.bbo(ONE, "99.7", "99.75");
    let signal = *desk.signals().last().expect("a signal");
    assert_eq!((signal.cost, signal.net_edge), (Bps::from_int(25), Bps::from_int(5)));
    assert_eq!(signal.raw_edge, Bps::from_int(25));
    let (id, order) = desk.sent_order();
    desk.fill_whole(id, &order, "0.044888"); // 9 bps of 0.5 at 99.75.
    desk.pass_ms(1_000);
    desk.bbo(ONE, "99.95", "100.05"); // As near to the oracle as lets go.
    let (id, exit) = desk.sent_order();
    let fill = desk.fill_of(&exit, "0.5", "99.95", "0.044978");
    desk.answer_filled(id, "0.5", "99.95");
    desk.tell_fill(&fill);
    let [trade] = desk.trades()[..] else { panic!("{:?}", desk.trades()) };
    assert_eq!(trade.exit, ExitReason::MarkRegression);
    assert!(trade.net.is_positive(), "{trade:?}");
}

/// A3: an edge beyond `max_edge_bps` is a bad print, of the oracle or of the book: no order.
#[test]
fn an_edge_beyond_reason_is_no_order() {
    let mut desk = Desk::ready(&config());
    desk.ctx_with(ONE, "150", "100", "100", "50.5");
    assert_eq!(desk.decisions(), ["filtered:MaxEdge"]);
    assert_eq!((desk.signals()[0].blocked_by, desk.signals()[0].gate_mask), (None, 0));
    desk.nothing_sent();
    desk.pass_ms(1_000);
    assert_eq!(desk.decisions(), ["filtered:MaxEdge"; 2]);
    desk.nothing_sent();
    assert_eq!(desk.status().signals_filtered, [2]);

    // Exactly at the limit it passes, one tick beyond it does not.
    for (ask, decision) in [("98", "sent"), ("97.999", "filtered:MaxEdge")] {
        let mut desk = Desk::ready(&config());
        desk.bbo(ONE, "97.99", ask);
        assert_eq!(desk.decisions(), [decision], "{ask}");
    }
    let mut desk = Desk::ready(&config());
    desk.bbo(ONE, "102.001", "102.05");
    assert_eq!(desk.decisions(), ["filtered:MaxEdge"], "sold");
}

/// Without gate 1, as whoever takes quotes that lag has it.
fn any_age() -> Config {
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
