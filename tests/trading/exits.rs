//! Positions are let go: by rule, by command, and however long it takes.

use hip3::types::config::{Config, Dispatch};
use hip3::types::event::{Event, LinkDown, OperatorCommand};
use hip3::types::hard_stop::StopReason;
use hip3::types::log_event::LogEvent;
use hip3::types::record::{ExitReason, Outcome};
use hip3::types::time::Nanos;
use serde_json::Value;

use crate::desk::{Desk, ONE, TWO, config, px, text, usd};

/// Nothing but TimeStop.
fn patient() -> Config {
    let mut config = config();
    config.mark_regression.enabled = false;
    config
}

const NO_MATCH: &str = "Order could not immediately match against any resting orders. asset=110000";

#[test]
fn time_stop_closes_at_its_threshold() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    for _ in 0..29 {
        desk.pass_ms(1_000);
        desk.bbo(ONE, "99.55", "99.6");
        desk.ctx(ONE, "100");
    }
    desk.nothing_sent();
    desk.pass_ms(1_001);
    let (id, exit) = desk.sent_order();
    // 50 bps below the bid, rounded up to the tick: never further than asked.
    assert_eq!((text(&exit, "p"), text(&exit, "s")), ("99.053".to_owned(), "0.5".to_owned()));
    desk.fill_whole(id, &exit, "0.0044");
    assert_eq!(desk.trades()[0].exit, ExitReason::TimeStop);
}

#[test]
fn an_exit_that_misses_reaches_further_and_is_never_given_up() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let mut limits = Vec::new();
    for _ in 0..50 {
        desk.bbo(ONE, "99.55", "99.6");
        desk.ctx(ONE, "100");
        for (id, action) in desk.new_posts() {
            let order = action["orders"][0].clone();
            assert_eq!((order["r"].as_bool(), text(&order, "s")), (Some(true), "0.5".to_owned()));
            limits.push(px(&text(&order, "p")));
            desk.answer_error(id, NO_MATCH);
        }
        desk.pass_ms(1_000);
    }
    assert!(limits.len() > 9, "{limits:?}");
    assert!(limits.windows(2).all(|pair| pair[1] <= pair[0]), "{limits:?}");
    assert!(limits[0] > limits[5], "{limits:?}");
    // The collar: 5 % from the oracle.
    assert_eq!(limits.iter().min(), Some(&px("95")));
    assert!(!desk.trading().hard_stop.active(), "a miss is no failure");
    let mut last = None;
    for _ in 0..20 {
        desk.pass_ms(1_000);
        desk.bbo(ONE, "99.55", "99.6");
        last = last.or_else(|| desk.new_posts().pop());
    }
    let (id, action) = last.expect("one more exit");
    let exit = action["orders"][0].clone();
    desk.fill_whole(id, &exit, "0.0044");
    assert_eq!(desk.trading().positions, 0);
    assert_eq!(desk.trades()[0].exit, ExitReason::Flatten);
}

#[test]
fn one_exit_at_a_time() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    desk.sent_order();
    for _ in 0..20 {
        desk.bbo(ONE, "99.9", "99.95");
        desk.pass_ms(100);
    }
    desk.nothing_sent(); // 2 s: the answer may still come.
}

#[test]
fn an_exit_that_fills_in_part_is_followed_by_one_for_the_rest() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let (id, exit) = desk.sent_order();
    desk.answer_filled(id, "0.45", "99.55");
    let fill = desk.fill_of(&exit, "0.45", "99.55", "0.004");
    desk.tell_fill(&fill);
    desk.pass_ms(300);
    let (id, rest) = desk.sent_order();
    // 0.05 at 99 is below 10 USD: the whole of a position is exempt.
    assert_eq!(text(&rest, "s"), "0.05");
    desk.answer_error(id, "Order must have minimum value of $10. asset=110000");
    desk.pass_ms(1_000);
    let (id, grown) = desk.sent_order();
    assert!(px(&text(&grown, "s")) > px("0.05"), "more than is held, which the venue shrinks");
    desk.answer_filled(id, "0.05", "99.55");
    let fill = desk.fill_of(&grown, "0.05", "99.55", "0.0004");
    desk.tell_fill(&fill);
    assert_eq!(desk.trading().positions, 0);
    let outcomes: Vec<_> = desk.orders().iter().map(|order| order.outcome).collect();
    assert_eq!(outcomes[1], Outcome::PartiallyFilled);
}

#[test]
fn a_position_without_quotes_is_offered_at_the_collar() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    desk.bbo_sized(ONE, None, None);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    desk.pass_ms(1_900);
    desk.nothing_sent(); // A side may be empty for a moment.
    desk.pass_ms(400);
    let (_, exit) = desk.sent_order();
    assert_eq!(text(&exit, "p"), "95");
}

#[test]
fn flatten_closes_at_once_and_opens_nothing_meanwhile() {
    let mut desk = Desk::ready(&config());
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let (id, exit) = desk.sent_order();
    desk.dislocate(TWO);
    assert_eq!(desk.decisions().last().map(String::as_str), Some("rejected:NotReady"));
    desk.fill_whole(id, &exit, "0.004");
    desk.pass_ms(1_000);
    assert_eq!(desk.decisions().last().map(String::as_str), Some("sent"), "the command is done");
}

#[test]
fn the_end_of_a_run_closes_positions_first() {
    let mut desk = Desk::ready(&config());
    desk.enter(ONE);
    desk.event(Event::Stop);
    assert!(!desk.stopped);
    let (id, exit) = desk.sent_order();
    desk.fill_whole(id, &exit, "0.004");
    assert!(desk.stopped);
    assert_eq!(desk.trades()[0].exit, ExitReason::Shutdown);
}

#[test]
fn a_run_may_end_with_positions_if_it_was_told_so() {
    let mut config = config();
    config.position.flatten_on_shutdown = false;
    let mut desk = Desk::ready(&config);
    desk.enter(ONE);
    desk.event(Event::Stop);
    desk.nothing_sent();
    assert!(desk.stopped);
}

#[test]
fn the_end_of_a_run_does_not_wait_forever() {
    let mut desk = Desk::ready(&config());
    desk.enter(ONE);
    desk.event(Event::Stop);
    desk.live_ms(61_000);
    assert!(desk.stopped);
    let rows = desk.orders();
    assert_eq!(rows.last().map(|row| row.outcome), Some(Outcome::Unknown));
}

#[test]
fn a_liquidation_is_a_trade_that_somebody_else_closed() {
    let mut desk = Desk::ready(&patient());
    let order = desk.enter(ONE);
    let mut fill = desk.fill_of(&order, "0.5", "90", "0.004");
    fill.side = fill.side.opposite();
    (fill.cloid, fill.oid, fill.liquidation) = (None, 77, true);
    desk.tell_fill(&fill);
    let [trade] = desk.trades()[..] else { panic!("{:?}", desk.trades()) };
    assert_eq!((trade.exit, trade.gross), (ExitReason::Foreign, usd("-4.8")));
}

#[test]
fn nonces_that_the_venue_calls_too_low_are_raised_until_an_exit_comes_through() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    // Before this start the clock ran ahead, by so much: the venue remembers those nonces.
    let highest = desk.venue_ms() as u64 + 3_000_000;
    let (mut refused, mut limits) = (0, Vec::new());
    for _ in 0..40 {
        desk.bbo(ONE, "99.55", "99.6");
        desk.ctx(ONE, "100");
        for (id, nonce, action) in desk.new_signed_posts() {
            let order = action["orders"][0].clone();
            limits.push(text(&order, "p"));
            if nonce > highest {
                assert!(nonce < desk.venue_ms() as u64 + 86_400_000, "a day ahead at most");
                desk.fill_whole(id, &order, "0.0044");
                assert_eq!(desk.trades().len(), 1, "it is closed");
                assert!((3..12).contains(&refused), "{refused}");
                // What never met the book says nothing about it.
                assert!(limits.iter().all(|px| *px == limits[0]), "{limits:?}");
                assert!(desk.stopped_for(StopReason::NonceRefused), "and entries wait");
                return;
            }
            refused += 1;
            let words = "Nonce error: nonce value is lower than the next valid nonce";
            desk.answer_refused(id, words);
        }
        desk.pass_ms(1_000);
    }
    panic!("no exit came through after {refused} refusals");
}

/// Exits since the last call: post and order.
fn exits(desk: &mut Desk) -> Vec<(u64, Value)> {
    let mut exits = Vec::new();
    for (id, action) in desk.new_posts() {
        for order in action["orders"].as_array().into_iter().flatten() {
            assert_eq!(order["r"], true, "{action}");
            exits.push((id, order.clone()));
        }
    }
    exits
}

/// Tells the answer to a look-up: the venue does not know the order.
fn answer_unknown(desk: &mut Desk, id: u64) {
    desk.frame(&format!(
        r#"{{"channel":"post","data":{{"id":{id},"response":{{"type":"info","payload":{{"type":"orderStatus","data":{{"status":"unknownOid"}}}}}}}}}}"#
    ));
}

/// A position of 0.5 coins bought at 99.6, and a link that was lost and is back. Nothing was heard on
/// it yet but the acknowledgements and, if `read`, the account.
fn reconnected(config: &Config, read: bool) -> Desk {
    let mut desk = Desk::ready(config);
    desk.enter(ONE);
    desk.hold(ONE, "0.5", "99.6");
    desk.live_ms(20_000);
    desk.event(Event::Disconnected(LinkDown::Dropped));
    desk.pass_ms(11_000); // TimeStop has come meanwhile.
    desk.new_posts();
    connect(&mut desk);
    if read {
        desk.read();
    }
    desk
}

/// The next attempt to connect succeeds.
fn connect(desk: &mut Desk) {
    let before = desk.connects;
    for _ in 0..1_300 {
        if desk.connects > before {
            break;
        }
        desk.pass_ms(50);
    }
    desk.event(Event::Connected);
    desk.acknowledge();
}

/// Nothing but TimeStop, and no exit by REST.
fn by_socket() -> Config {
    let mut config = patient();
    config.executor.rest_exit_after = Nanos::from_secs(600);
    config
}

/// A4: oracle and market are 6 % apart; the exit is priced where the bid stands.
#[test]
fn an_oracle_that_nobody_bears_out_holds_no_exit_back() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    for _ in 0..31 {
        desk.pass_ms(1_000);
        desk.ctx_with(ONE, "100", "94", "94", "50.5");
        desk.bbo(ONE, "93.95", "94.05");
    }
    let [(id, exit)] = &exits(&mut desk)[..] else { panic!("one exit") };
    assert_eq!(text(exit, "p"), "93.481", "50 bps below the bid");
    let exit = exit.clone();
    desk.answer_filled(*id, "0.5", "93.95");
    let fill = desk.fill_of(&exit, "0.5", "93.95", "0.0042");
    desk.tell_fill(&fill);
    assert_eq!(desk.trading().positions, 0);
}

/// A4: an exit that nobody takes for an hour spends little of the address budget.
#[test]
fn exits_that_go_on_missing_become_rare() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let mut missed = 0;
    for _ in 0..3_600 {
        desk.bbo(ONE, "99.55", "99.6");
        desk.ctx(ONE, "100");
        for (id, _) in exits(&mut desk) {
            missed += 1;
            desk.answer_error(id, NO_MATCH);
        }
        desk.pass_ms(1_000);
    }
    assert!((60..160).contains(&missed), "{missed}");
    assert!(!desk.trading().hard_stop.active());
}

/// A5: oracle and mark stand still while the book runs away beyond the collar.
#[test]
fn a_position_is_never_held_because_the_collar_forbids_the_only_bid() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let (id, _) = desk.sent_order();
    desk.answer_error(id, NO_MATCH);
    let mut sent = Vec::new();
    for second in 0..45 {
        desk.bbo(ONE, "94.25", "94.35");
        desk.ctx(ONE, "100");
        desk.pass_ms(1_000);
        sent.extend(exits(&mut desk).into_iter().map(|(id, exit)| (second, id, exit)));
    }
    let [(second, id, exit)] = &sent[..] else { panic!("{sent:#?}") };
    assert!((29..=31).contains(second), "{second}");
    assert_eq!(text(exit, "p"), "93.779", "50 bps below the bid");
    let alarms =
        desk.log_events.iter().filter(|event| matches!(event, LogEvent::ExitPastCollar { .. }));
    assert_eq!(alarms.count(), 1);
    let exit = exit.clone();
    desk.answer_filled(*id, "0.5", "94.25");
    let fill = desk.fill_of(&exit, "0.5", "94.25", "0.0042");
    desk.tell_fill(&fill);
    assert_eq!(desk.trading().positions, 0);
}

/// A6: misses of an exit are the usual outcome of an IOC and stop nothing.
#[test]
fn misses_of_an_exit_are_no_failures() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let mut missed = 0;
    for _ in 0..100 {
        for (id, _) in exits(&mut desk) {
            missed += 1;
            desk.answer_error(id, NO_MATCH);
        }
        desk.pass_ms(100);
    }
    assert!(missed >= 6, "{missed}");
    assert!(!desk.trading().hard_stop.active());
}

/// A6: a position was closed by hand, and its fill comes late: the venue finds nothing to reduce.
#[test]
fn superfluous_exits_are_no_failures_and_ask_for_a_reading() {
    let words = "Reduce only order would increase position. asset=110000";
    let mut desk = Desk::ready(&patient());
    let order = desk.enter(ONE);
    let before = desk.account_readings.len();
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let mut refused = 0;
    for _ in 0..20 {
        for (id, _) in exits(&mut desk) {
            refused += 1;
            desk.answer_error(id, words);
        }
        desk.pass_ms(100);
    }
    assert!((1..=2).contains(&refused), "{refused} within two seconds");
    assert!(exits(&mut desk).len() <= 1);
    assert!(desk.account_readings.len() > before);
    let mut fill = desk.fill_of(&order, "0.5", "99.5", "0.004");
    fill.side = fill.side.opposite();
    (fill.cloid, fill.oid) = (None, 77);
    desk.tell_fill(&fill);
    desk.pass_ms(5_000);
    assert!(exits(&mut desk).is_empty());
    assert_eq!(desk.trades()[0].exit, ExitReason::Foreign);
    assert!(!desk.trading().hard_stop.active());
}

/// A6: what is refused by our fault again and again is for a person, and the exit goes on.
#[test]
fn exits_that_are_refused_by_our_fault_stop_entries() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    for n in 0..4 {
        assert_eq!(desk.stopped_for(StopReason::FlattenFailures), n >= 3, "{n}");
        let [(id, _)] = exits(&mut desk)[..] else { panic!("an exit") };
        desk.answer_error(id, "Price must be divisible by tick size. asset=110000");
        desk.pass_ms(5_000);
    }
}

/// A7: what came too late says nothing about the price: the next is priced from the bid, and lives
/// longer.
#[test]
fn late_exits_widen_nothing_and_stop_nothing() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let mut limits = Vec::new();
    for _ in 0..80 {
        desk.bbo(ONE, "99.55", "99.6");
        for (id, exit) in exits(&mut desk) {
            limits.push(text(&exit, "p"));
            let words = "expiresAfter 1791480002001 has passed";
            desk.answer_refused(id, words);
        }
        desk.pass_ms(100);
    }
    assert!(limits.len() >= 4, "{limits:?}");
    assert!(limits.iter().all(|px| *px == "99.053"), "{limits:?}");
    assert!(!desk.trading().hard_stop.active());
    assert!(!desk.log_events.iter().any(|event| matches!(event, LogEvent::ExitMissed { .. })));
    let lives: Vec<i64> = desk
        .sent
        .iter()
        .map(|text| serde_json::from_str::<Value>(text).expect("JSON"))
        .map(|frame| frame["request"]["payload"].clone())
        .filter(|payload| payload["action"]["orders"][0]["r"] == true)
        .map(|payload| {
            let expires = payload["expiresAfter"].as_i64().expect("an expiry");
            expires - payload["nonce"].as_i64().expect("a nonce")
        })
        .collect();
    let seconds: Vec<i64> = lives.iter().map(|ms| (ms + 500) / 1_000).collect();
    assert_eq!(seconds[..5], [2, 4, 8, 16, 30]);
}

/// A8: after a reconnect an exit leaves with the first quote, whatever pause there was before.
#[test]
fn an_exit_leaves_with_the_first_quote_of_a_link() {
    let mut desk = Desk::ready(&by_socket());
    desk.enter(ONE);
    desk.hold(ONE, "0.5", "99.6");
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let mut missed = 0;
    while missed < 6 {
        for (id, _) in exits(&mut desk) {
            missed += 1;
            desk.answer_error(id, NO_MATCH);
        }
        desk.pass_ms(100);
    }
    // The next one would leave five seconds later, and reach 350 bps further.
    desk.event(Event::Disconnected(LinkDown::Dropped));
    connect(&mut desk);
    desk.read();
    desk.ctx(ONE, "100");
    desk.pass_ms(50);
    assert!(exits(&mut desk).is_empty(), "no quote was seen");
    desk.bbo(ONE, "99.55", "99.6");
    let [(_, exit)] = &exits(&mut desk)[..] else { panic!("one exit") };
    assert_eq!(text(exit, "p"), "99.053");
}

/// A8: a quote that comes late on a new link prices the exit, and not the collar before it.
#[test]
fn an_exit_waits_two_seconds_for_the_first_quote_of_a_link() {
    let mut desk = reconnected(&by_socket(), true);
    desk.ctx(ONE, "100");
    desk.pass_ms(1_900);
    assert!(exits(&mut desk).is_empty(), "no quote was seen");
    desk.bbo(ONE, "99.55", "99.6");
    let [(_, exit)] = &exits(&mut desk)[..] else { panic!("one exit") };
    assert_eq!(text(exit, "p"), "99.053");
}

/// A8: without a quote for two seconds the exit is priced from what else is known.
#[test]
fn without_a_quote_of_the_link_an_exit_is_priced_from_the_mark() {
    let mut desk = reconnected(&by_socket(), true);
    desk.ctx_with(ONE, "100", "94", "94", "50.5");
    desk.pass_ms(1_999);
    assert!(exits(&mut desk).is_empty());
    desk.pass_ms(1);
    let [(_, exit)] = &exits(&mut desk)[..] else { panic!("one exit") };
    assert_eq!(text(exit, "p"), "93.53", "50 bps below the mark");
}

/// A9: exits that were refused together go one by one from then on.
#[test]
fn after_an_action_is_refused_whole_its_exits_go_one_by_one() {
    let mut config = patient();
    config.executor.dispatch = Dispatch::Tick;
    config.position.max_total_notional = usd("200");
    let mut desk = Desk::ready(&config);
    for coin in [ONE, TWO] {
        desk.dislocate(coin);
        desk.pass_ms(100);
        let (id, order) = desk.sent_order();
        desk.fill_whole(id, &order, "0.004482");
    }
    desk.pass_ms(50);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let (mut shared, mut alone, mut healthy) = (0, 0, 0);
    for _ in 0..100 {
        desk.pass_ms(100);
        for (id, action) in desk.new_posts() {
            let orders = action["orders"].as_array().expect("orders").clone();
            let bad = orders.iter().any(|order| order["a"] == 110_001);
            match (orders.len(), bad) {
                (1, false) => {
                    healthy += 1;
                    desk.fill_whole(id, &orders[0], "0.004");
                }
                (len, _) => {
                    shared += usize::from(len > 1);
                    alone += usize::from(len == 1);
                    desk.answer_refused(id, "Order has invalid size.");
                }
            }
        }
        if shared == 1 && alone == 0 {
            assert!(!desk.stopped_for(StopReason::FlattenFailures), "any of them may be to blame");
        }
    }
    assert_eq!((shared, healthy), (1, 1), "the healthy one left alone, once");
    assert!(alone >= 3, "{alone}");
    assert_eq!(desk.trading().positions, 1);
    assert!(desk.stopped_for(StopReason::FlattenFailures), "the other is for a person");
}

/// A11: an exit that waits for its turn is priced as it leaves.
#[test]
fn a_queued_exit_is_priced_as_it_leaves() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    desk.hold(ONE, "0.5", "99.6");
    desk.account.rate_limit.used = desk.account.rate_limit.cap + 5;
    desk.read();
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let (id, _) = desk.sent_order();
    desk.answer_error(id, NO_MATCH);
    for n in 0..120 {
        // The next one waits for its turn when the market falls.
        let fallen = n >= 10;
        desk.bbo(ONE, if fallen { "97.5" } else { "99.55" }, if fallen { "97.6" } else { "99.6" });
        desk.ctx(ONE, if fallen { "98" } else { "100" });
        desk.pass_ms(100);
    }
    let [(_, exit)] = &exits(&mut desk)[..] else { panic!("one exit each eleven seconds") };
    assert_eq!(text(exit, "p"), "96.525", "one step further past the bid of now");
}

/// A11: a profit-taking exit that waited is dropped when there is no profit to take any more.
#[test]
fn a_queued_profit_taking_exit_is_dropped_when_its_price_is_gone() {
    let mut config = config();
    config.executor.dispatch = Dispatch::Tick;
    let mut desk = Desk::ready(&config);
    desk.dislocate(ONE);
    desk.pass_ms(100);
    let (id, order) = desk.sent_order();
    desk.fill_whole(id, &order, "0.004482");
    desk.pass_ms(1_150);
    desk.bbo(ONE, "99.96", "100.04");
    desk.pass_ms(10);
    desk.bbo(ONE, "99.55", "99.6");
    desk.pass_ms(300);
    assert!(exits(&mut desk).is_empty());
    assert_eq!(desk.trading().positions, 1);
}

/// A11: an entry that waits for the tick is dropped when its edge is gone by then.
#[test]
fn a_queued_entry_is_judged_again_as_it_leaves() {
    for oracle in ["100", "99.62"] {
        let mut config = config();
        config.executor.dispatch = Dispatch::Tick;
        let mut desk = Desk::ready(&config);
        desk.pass_ms(100);
        desk.ctx(TWO, "100"); // The tick has come: the next is a tenth of a second away.
        desk.dislocate(ONE);
        desk.nothing_sent();
        assert_eq!(desk.decisions().last().map(String::as_str), Some("sent"), "approved");
        desk.pass_ms(10);
        desk.ctx(ONE, oracle);
        desk.pass_ms(200);
        assert_eq!(desk.new_posts().len(), usize::from(oracle == "100"), "{oracle}");
    }
}

/// A14: after a reconnect the account is read before an exit leaves, and what was closed elsewhere is
/// not sold again.
#[test]
fn no_exit_leaves_before_the_account_was_read_on_the_link() {
    let mut desk = reconnected(&by_socket(), false);
    desk.hold(ONE, "0", "99.6");
    desk.ctx(ONE, "100");
    desk.bbo(ONE, "99.55", "99.6");
    desk.pass_ms(500);
    assert!(exits(&mut desk).is_empty(), "the account was not read");
    desk.read();
    desk.pass_ms(2_000);
    desk.read();
    desk.pass_ms(5_000);
    assert!(exits(&mut desk).is_empty());
    assert_eq!(desk.trades()[0].exit, ExitReason::Foreign);
    assert!(!desk.stopped_for(StopReason::FlattenFailures));
}

/// A14: the wait for a reading is bounded, since what is held always has a way out.
#[test]
fn an_exit_does_not_wait_for_a_reading_that_does_not_come() {
    let mut desk = reconnected(&by_socket(), false);
    desk.ctx(ONE, "100");
    desk.bbo(ONE, "99.55", "99.6");
    desk.pass_ms(2_999);
    assert!(exits(&mut desk).is_empty());
    desk.pass_ms(1);
    assert_eq!(exits(&mut desk).len(), 1, "three seconds after the connect");

    let mut desk = reconnected(&by_socket(), false);
    desk.ctx(ONE, "100");
    desk.bbo(ONE, "99.55", "99.6");
    desk.pass_ms(100);
    desk.event(Event::AccountFailed);
    assert_eq!(exits(&mut desk).len(), 1, "at once when it fails");

    // A link that comes and goes before the reading does not begin the wait anew.
    let mut desk = reconnected(&by_socket(), false);
    desk.pass_ms(2_500);
    desk.event(Event::Disconnected(LinkDown::Dropped));
    desk.pass_ms(500);
    connect(&mut desk);
    desk.ctx(ONE, "100");
    desk.bbo(ONE, "99.55", "99.6");
    assert_eq!(exits(&mut desk).len(), 1, "three seconds after the first of them");
}

/// A30: a profit-taking exit that missed is asked again: its price is gone, so it waits for it, or for
/// TimeStop.
#[test]
fn a_profit_taking_exit_that_missed_waits_for_its_price() {
    let mut desk = Desk::ready(&config());
    desk.enter(ONE);
    desk.pass_ms(1_100);
    desk.ctx(ONE, "99.5");
    desk.bbo(ONE, "99.46", "99.54");
    let (id, _) = desk.sent_order();
    desk.answer_error(id, NO_MATCH);
    for _ in 0..27 {
        desk.bbo(ONE, "98.6", "98.7");
        desk.ctx(ONE, "99.5");
        desk.pass_ms(1_000);
    }
    assert!(exits(&mut desk).is_empty(), "28 s of TimeStop are left");
    for _ in 0..3 {
        desk.pass_ms(1_000);
        desk.bbo(ONE, "98.6", "98.7");
        desk.ctx(ONE, "99.5");
    }
    let [(_, exit)] = &exits(&mut desk)[..] else { panic!("TimeStop") };
    assert_eq!(text(exit, "p"), "98.107", "50 bps below the bid, as any first exit");
}

/// A31: an exit that is lost is proven dead a second after its expiry, and the next one leaves within
/// 3.3 s, whatever `order_timeout_ms` is.
#[test]
fn a_lost_exit_is_followed_within_three_seconds() {
    for (timeout_ms, cut) in [(3_000, false), (400, false), (60_000, false), (3_000, true)] {
        let mut config = by_socket();
        config.executor.order_timeout = Nanos::from_millis(timeout_ms);
        let mut desk = Desk::ready(&config);
        desk.enter(ONE);
        desk.hold(ONE, "0.5", "99.6");
        desk.event(Event::Operator(OperatorCommand::Flatten));
        desk.sent_order();
        let (mut lasted, mut next) = (0, None);
        if cut {
            desk.event(Event::Disconnected(LinkDown::Dropped));
            desk.pass_ms(1_500);
            desk.event(Event::Connected);
            desk.acknowledge();
            desk.read();
            lasted = 1_500;
        }
        while next.is_none() && lasted < 10_000 {
            desk.pass_ms(20);
            lasted += 20;
            desk.bbo(ONE, "99.95", "100.05");
            desk.ctx(ONE, "100");
            for (id, what) in desk.new_posts() {
                if what["type"] == "orderStatus" {
                    answer_unknown(&mut desk, id);
                } else {
                    next = Some(text(&what["orders"][0], "p"));
                }
            }
        }
        assert!((3_000..=3_300).contains(&lasted), "{timeout_ms} {cut}: {lasted} ms");
        assert_eq!(next.as_deref(), Some("99.451"), "{timeout_ms} {cut}: 50 bps below the bid");
    }
}

/// A32: an exit that never reached the venue widens nothing and counts toward nothing.
#[test]
fn lost_exits_widen_nothing_and_stop_nothing() {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let mut limits = Vec::new();
    for _ in 0..200 {
        desk.pass_ms(100);
        desk.bbo(ONE, "99.99", "100.05");
        desk.ctx(ONE, "100");
        for (id, what) in desk.new_posts() {
            match &what["orders"][0] {
                Value::Null => answer_unknown(&mut desk, id),
                exit => limits.push(text(exit, "p")),
            }
        }
    }
    assert!(limits.len() >= 5, "{limits:?}");
    assert!(limits[1..].iter().all(|px| *px == "99.491"), "{limits:?}");
    assert!(!desk.trading().hard_stop.active());
}

/// A position whose exit is owed, and no link.
fn without_link() -> Desk {
    let mut desk = Desk::ready(&patient());
    desk.enter(ONE);
    desk.hold(ONE, "0.5", "99.6");
    desk.pass_ms(100);
    desk.event(Event::Disconnected(LinkDown::Dropped));
    desk.event(Event::Operator(OperatorCommand::Flatten));
    desk
}

/// The one order of the body that went by REST.
fn by_rest(desk: &Desk) -> (u64, Value) {
    let [(post, body)] = &desk.exchanged[..] else { panic!("{:?}", desk.exchanged) };
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert!(body["signature"]["r"].is_string() && body["nonce"].is_u64(), "{body}");
    assert_eq!(body["expiresAfter"].as_i64(), Some(desk.venue_ms() + 2_000));
    let [order] = &body["action"]["orders"].as_array().expect("orders")[..] else {
        panic!("{body}")
    };
    (*post, order.clone())
}

#[test]
fn without_a_link_an_exit_goes_by_rest_once() {
    let mut desk = without_link();
    desk.pass_ms(2_999);
    assert!(desk.exchanged.is_empty());
    desk.pass_ms(1);
    let (post, exit) = by_rest(&desk);
    assert_eq!((exit["r"].as_bool(), text(&exit, "s")), (Some(true), "0.5".to_owned()));
    assert_eq!(text(&exit, "p"), "94.573", "the collar below the last bid");
    let body = br#"{"status":"ok","response":{"type":"order","data":{"statuses":[{"filled":{"totalSz":"0.5","avgPx":"99.4","oid":601}}]}}}"#;
    desk.event(Event::Exchanged { post, status: 200, body });
    // The attempts to connect go on; nothing more is sold.
    desk.pass_ms(60_000);
    assert_eq!(desk.exchanged.len(), 1);
    connect(&mut desk);
    let fill = desk.fill_of(&exit, "0.5", "99.4", "0.0044");
    desk.tell_fill(&fill);
    assert!(exits(&mut desk).is_empty());
    assert_eq!(desk.trading().positions, 0);
    assert_eq!(desk.trades()[0].exit, ExitReason::Flatten);
}

#[test]
fn an_exit_by_rest_without_an_answer_is_looked_up_on_the_next_link() {
    let mut desk = without_link();
    desk.pass_ms(3_000);
    let (post, exit) = by_rest(&desk);
    desk.event(Event::ExchangeFailed { post });
    desk.pass_ms(3_000);
    assert_eq!(desk.exchanged.len(), 1, "once an outage");
    connect(&mut desk);
    desk.read();
    desk.bbo(ONE, "99.55", "99.6");
    let asked: Vec<_> = desk.new_posts();
    let [(id, look_up)] = &asked[..] else {
        panic!("no exit before it is accounted for: {asked:?}")
    };
    assert_eq!(look_up["oid"], exit["c"]);
    answer_unknown(&mut desk, *id);
    desk.pass_ms(1);
    assert_eq!(exits(&mut desk).len(), 1, "it is proven dead");
    // The next outage has its own.
    desk.event(Event::Disconnected(LinkDown::Dropped));
    desk.pass_ms(3_500);
    assert_eq!(desk.exchanged.len(), 2);
}

#[test]
fn a_reading_that_is_newer_than_an_exit_by_rest_accounts_for_it() {
    let mut desk = without_link();
    desk.pass_ms(3_000);
    let (post, _) = by_rest(&desk);
    desk.event(Event::ExchangeFailed { post });
    desk.pass_ms(20_000);
    connect(&mut desk);
    desk.read();
    desk.bbo(ONE, "99.55", "99.6");
    assert_eq!(exits(&mut desk).len(), 1, "the account holds what it held: the exit is dead");
}

/// A14: an exit of which nobody can tell what filled, since readings fail as well, holds no other one back.
#[test]
fn an_exit_of_which_nothing_is_ever_told_does_not_hold_up_the_next() {
    let mut desk = without_link();
    desk.pass_ms(3_000);
    let (post, _) = by_rest(&desk);
    desk.event(Event::ExchangeFailed { post });
    connect(&mut desk);
    desk.event(Event::AccountFailed);
    // Look-ups are never answered either.
    let mut sent = 0;
    for _ in 0..60 {
        desk.pass_ms(1_000);
        desk.bbo(ONE, "99.55", "99.6");
        sent += exits(&mut desk).len();
    }
    assert!(sent > 0, "what is held has a way out");
    assert!(!desk.trading().hard_stop.holds(StopReason::FlattenFailures));
}

#[test]
fn an_exit_by_rest_that_is_refused_is_tried_on_the_next_link() {
    for (status, body) in [
        (200, r#"{"status":"err","response":"Order has invalid size."}"#),
        (429, "null"),
        (422, "Failed to deserialize the JSON body into the target type"),
    ] {
        let mut desk = without_link();
        desk.pass_ms(3_000);
        let (post, _) = by_rest(&desk);
        desk.event(Event::Exchanged { post, status, body: body.as_bytes() });
        desk.pass_ms(10_000);
        assert_eq!(desk.exchanged.len(), 1, "{status}");
        connect(&mut desk);
        desk.read();
        desk.bbo(ONE, "99.55", "99.6");
        assert_eq!(exits(&mut desk).len(), 1, "{status}");
    }
}

#[test]
fn an_exit_that_may_still_fill_is_not_doubled_by_rest() {
    let mut config = patient();
    config.executor.rest_exit_after = Nanos::from_millis(0);
    let mut desk = Desk::ready(&config);
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    desk.sent_order();
    desk.pass_ms(500);
    desk.event(Event::Disconnected(LinkDown::Dropped));
    // It is taken for two seconds, and for one more on a clock that differs.
    desk.pass_ms(2_499);
    assert!(desk.exchanged.is_empty());
    desk.pass_ms(1);
    assert_eq!(desk.exchanged.len(), 1);
}
