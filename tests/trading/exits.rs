//! Positions are let go: by rule, by wish, and however long it takes.

use hip3::types::config::Config;
use hip3::types::event::{Event, Wish};
use hip3::types::hard_stop::StopReason;
use hip3::types::record::{ExitReason, Outcome};

use crate::desk::{Desk, ONE, config, px, text, usd};

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
    let mut config = patient();
    config.risk_monitor.max_flatten_failures = 3;
    let mut desk = Desk::ready(&config);
    desk.enter(ONE);
    desk.event(Event::Operator(Wish::Flatten));
    let mut limits = Vec::new();
    for _ in 0..60 {
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
    assert!(limits.len() > 10, "{limits:?}");
    assert!(limits.windows(2).all(|pair| pair[1] <= pair[0]), "{limits:?}");
    assert!(limits[0] > limits[5], "{limits:?}");
    // The collar: 5 % from the oracle.
    assert_eq!(limits.iter().min(), Some(&px("95")));
    assert!(desk.stopped_for(StopReason::FlattenFailures));
    // HardStop holds, and the exit goes on until it is filled.
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
    desk.event(Event::Operator(Wish::Flatten));
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
    desk.event(Event::Operator(Wish::Flatten));
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
    desk.event(Event::Operator(Wish::Flatten));
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
    desk.event(Event::Operator(Wish::Flatten));
    let (id, exit) = desk.sent_order();
    desk.dislocate(crate::desk::TWO);
    assert_eq!(desk.decisions().last().map(String::as_str), Some("rejected:NotReady"));
    desk.fill_whole(id, &exit, "0.004");
    desk.pass_ms(1_000);
    assert_eq!(desk.decisions().last().map(String::as_str), Some("sent"), "the wish is done");
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
    desk.event(Event::Operator(Wish::Flatten));
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
