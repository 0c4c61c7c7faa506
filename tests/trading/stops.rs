//! READY, HardStop, and what trips it: each from the venue's bytes to the latch.

use hip3::types::config::Config;
use hip3::types::event::{Event, LinkDown, OperatorCommand};
use hip3::types::hard_stop::{HardStop, StopReason};
use hip3::types::log_event::LogEvent;
use hip3::types::record::Outcome;

use crate::desk::{Desk, ONE, TWO, config, text, usd};

/// Enough room for many orders.
fn roomy() -> Config {
    let mut config = config();
    config.position.max_notional_per_market = usd("10000");
    config.position.max_total_notional = usd("10000");
    config
}

/// One dislocation of ONE after another, each order answered by `answer`, until HardStop holds or
/// there were `most`. Returns how many were sent.
fn fail_entries(desk: &mut Desk, most: usize, answer: impl Fn(&mut Desk, u64)) -> usize {
    let mut sent = 0;
    for _ in 0..most {
        desk.ctx(ONE, "100");
        desk.bbo(ONE, "99.95", "100.05");
        desk.pass_ms(100);
        desk.dislocate(ONE);
        for (id, _) in desk.new_posts() {
            sent += 1;
            answer(desk, id);
        }
        if desk.trading().hard_stop.active() {
            break;
        }
        desk.pass_ms(2_000);
    }
    sent
}

#[test]
fn failures_in_a_row_trip_it_and_misses_do_not() {
    let margin = "Insufficient margin to place order. asset=110000";
    let miss = "Order could not immediately match against any resting orders. asset=110000";
    let mut desk = Desk::ready(&roomy());
    assert_eq!(fail_entries(&mut desk, 12, |desk, id| desk.answer_error(id, miss)), 12);
    assert!(!desk.trading().hard_stop.active());
    assert_eq!(fail_entries(&mut desk, 12, |desk, id| desk.answer_error(id, margin)), 5);
    assert!(desk.stopped_for(StopReason::ConsecutiveFailures));
    assert!(desk.latches.last().is_some_and(|kept| kept.holds(StopReason::ConsecutiveFailures)));
    desk.pass_ms(2_000);
    assert_eq!(desk.decisions().last().map(String::as_str), Some("rejected:HardStop"));
}

#[test]
fn a_loss_with_its_fees_trips_it_at_its_limit() {
    let mut config = roomy();
    config.mark_regression.enabled = false;
    config.risk_monitor.max_loss = usd("2");
    let mut desk = Desk::ready(&config);
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let (id, exit) = desk.sent_order();
    // 0.5 × (99.6 − 95.61) is 1.995; the fees make it a millionth less than 2.
    desk.answer_filled(id, "0.5", "95.61");
    let fill = desk.fill_of(&exit, "0.5", "95.61", "0.000517");
    desk.tell_fill(&fill);
    assert!(!desk.stopped_for(StopReason::Loss), "{:?}", desk.trades());
    let mut desk = Desk::ready(&config);
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let (id, exit) = desk.sent_order();
    desk.answer_filled(id, "0.5", "95.61");
    let fill = desk.fill_of(&exit, "0.5", "95.61", "0.000518");
    desk.tell_fill(&fill);
    assert!(desk.stopped_for(StopReason::Loss), "{:?}", desk.trades());
}

#[test]
fn a_signer_that_the_venue_does_not_know_trips_it_at_once() {
    let mut desk = Desk::ready(&roomy());
    let words = "User or API Wallet 0x00000000000000000000000000000000000000bb does not exist.";
    assert_eq!(fail_entries(&mut desk, 3, |desk, id| desk.answer_refused(id, words)), 1);
    assert!(desk.stopped_for(StopReason::SignatureRefused));
}

#[test]
fn nonces_out_of_range_that_raising_does_not_mend_trip_it() {
    let mut desk = Desk::ready(&roomy());
    let words = "Nonce error: nonce value is lower than the next valid nonce";
    let sent = fail_entries(&mut desk, 5, |desk, id| desk.answer_refused(id, words));
    assert_eq!(sent, 2, "once, and once more with a higher nonce");
    assert!(desk.stopped_for(StopReason::NonceRefused));
}

#[test]
fn a_used_nonce_leaves_the_order_in_doubt() {
    let mut desk = Desk::ready(&roomy());
    desk.dislocate(ONE);
    let (id, _) = desk.sent_order();
    desk.answer_refused(id, "Invalid nonce: duplicate nonce 1741107452532");
    assert_eq!(desk.trading().pending, 1, "the action with that nonce may have been executed");
    desk.pass_ms(100);
    let posts = desk.new_posts();
    assert!(posts.iter().any(|(_, what)| what["type"] == "orderStatus"), "{posts:#?}");
}

/// A12: our clock is wrong when the venue's own time says so, and right again when that does.
#[test]
fn a_wrong_clock_trips_it_and_a_right_one_releases_it() {
    let mut desk = Desk::ready(&roomy());
    desk.set_wall_ahead_ms(-3_600_000);
    desk.pass_ms(1_000);
    assert!(!desk.trading().hard_stop.active(), "nobody has told the venue's time");
    desk.venue_tells_ahead_ms(-3_600_000);
    assert!(desk.stopped_for(StopReason::ClockSkew));
    desk.event(Event::Operator(OperatorCommand::Release(None)));
    desk.pass_ms(1_000);
    assert!(desk.stopped_for(StopReason::ClockSkew), "it is still wrong");
    desk.set_wall_ahead_ms(3_600_000);
    desk.pass_ms(1_000);
    assert!(!desk.trading().hard_stop.active(), "{}", desk.trading().hard_stop);
    assert!(!desk.latches.iter().any(HardStop::active), "a restart judges it anew");
    desk.ctx(ONE, "100");
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["sent"]);
}

/// A12: block times that lag by six seconds for twelve are a late feed, and no wrong clock of ours.
#[test]
fn a_late_feed_is_no_wrong_clock() {
    let mut desk = Desk::ready(&roomy());
    desk.venue_tells_ahead_ms(0);
    desk.blocks_ms(1_000);
    desk.live_ms(6_000);
    desk.delay_ms = 6_200;
    for _ in 0..40 {
        desk.pass_ms(300);
        desk.ctx(ONE, "100");
        desk.bbo(ONE, "99.95", "100.05");
    }
    desk.venue_tells_ahead_ms(0);
    assert!(!desk.trading().hard_stop.active(), "{}", desk.trading().hard_stop);
    assert!(desk.trading().data_age.feed_lag);
    desk.delay_ms = 200;
    desk.bbo(ONE, "99.95", "100.05");
    assert!(!desk.trading().data_age.any(), "{:?}", desk.trading().data_age);
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["sent"]);
}

/// A16: readings that fail for longer than their deadlines make entries wait, and a good one ends it.
#[test]
fn entries_wait_for_readings_that_are_too_old() {
    for (name, most_s) in [("account_age", 300), ("meta_age", 600)] {
        let mut desk = Desk::ready(&roomy());
        let account = name == "account_age";
        let began = desk.now().mono;
        let passed_s = |desk: &Desk| desk.now().mono.since(began).as_millis() / 1_000;
        while passed_s(&desk) < most_s {
            assert!(!desk.trading().data_age.any(), "{name}: {} s", passed_s(&desk));
            // One of the two fails, whenever it is asked for, the other does not.
            let (asked, universe) = (desk.account_readings.len(), desk.readings);
            desk.live_ms(1_000);
            match (desk.account_readings.len() > asked, account) {
                (true, true) => desk.event(Event::AccountFailed),
                (true, false) => desk.read(),
                (false, _) => {}
            }
            match (desk.readings > universe, account) {
                (true, true) => desk.reread(),
                (true, false) => desk.event(Event::UniverseFailed),
                (false, _) => {}
            }
        }
        desk.live_ms(1_000);
        let waiting: Vec<_> = desk.trading().data_age.waiting().collect();
        assert_eq!(waiting, [name]);
        assert!(desk.trading().ready.all(), "READY alone does not say it");
        let told = desk
            .log_events
            .iter()
            .filter(|event| matches!(event, LogEvent::DataAge { .. }))
            .count();
        assert_eq!(told, 1, "{name}");
        desk.dislocate(ONE);
        assert_eq!(desk.decisions(), ["rejected:NotReady"], "{name}");
        desk.nothing_sent();
        if account {
            desk.read();
        } else {
            desk.reread();
        }
        assert!(!desk.trading().data_age.any());
        desk.pass_ms(1_000);
        assert_eq!(desk.last_decision().map(|d| d.to_string()).as_deref(), Some("sent"), "{name}");
    }
}

/// A21: the venue says in two spellings that it takes post-only orders alone; both suspend entries, and
/// trip nothing, not even where exits are refused so.
#[test]
fn an_upgrade_suspends_entries_and_trips_nothing() {
    for words in [
        "Only post-only orders allowed immediately after a network upgrade asset=110000",
        "Only post-only orders allowed immediately after network upgrade asset=110000",
    ] {
        let mut desk = Desk::ready(&roomy());
        let sent = fail_entries(&mut desk, 12, |desk, id| desk.answer_error(id, words));
        assert!((1..=3).contains(&sent), "a pause after each: {sent}");
        assert!(!desk.trading().hard_stop.active());
        assert!(desk.decisions().contains(&"rejected:NotReady".to_owned()));
        desk.live_ms(20_000);
        desk.bbo(ONE, "99.95", "100.05");
        desk.enter(ONE);
        desk.event(Event::Operator(OperatorCommand::Flatten));
        let mut refused = 0;
        for _ in 0..120 {
            for (id, _) in desk.new_posts() {
                desk.answer_error(id, words);
                refused += 1;
            }
            desk.live_ms(1_000);
        }
        assert!(refused >= 6, "an exit goes on: {refused}");
        assert!(!desk.trading().hard_stop.active(), "{words}");
    }
}

#[test]
fn a_market_at_its_cap_is_left_alone_and_the_others_are_not() {
    let mut desk = Desk::ready(&roomy());
    desk.dislocate(ONE);
    let (id, _) = desk.sent_order();
    desk.answer_error(
        id,
        "Order would increase open interest while open interest is capped asset=110000",
    );
    desk.pass_ms(1_000);
    assert_eq!(desk.decisions().last().map(String::as_str), Some("rejected:NotReady"));
    desk.dislocate(TWO);
    assert_eq!(desk.decisions().last().map(String::as_str), Some("sent"));
}

#[test]
fn a_dropped_link_holds_entries_until_everything_is_there_again() {
    let mut desk = Desk::ready(&roomy());
    desk.event(Event::Disconnected(LinkDown::Dropped));
    assert!(desk.stopped_for(StopReason::Reconnecting));
    assert!(desk.latches.is_empty(), "a restart connects anew: nothing to keep");
    desk.pass_ms(2_500);
    desk.event(Event::Connected);
    desk.calm_quotes();
    assert!(!desk.trading().ready.all());
    desk.acknowledge();
    assert!(!desk.trading().ready.all(), "{:?}", desk.trading().ready);
    desk.read();
    assert!(desk.trading().ready.all(), "{:?}", desk.trading().ready);
    assert!(!desk.trading().hard_stop.active());
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["sent"]);
}

#[test]
fn what_was_queued_before_a_drop_is_not_sent_after_it() {
    let mut config = roomy();
    config.executor.dispatch = hip3::types::config::Dispatch::Tick;
    let mut desk = Desk::ready(&config);
    // Right after a tick: the order waits for the next one.
    desk.dislocate(TWO);
    if desk.trading().entries_sent == 0 {
        desk.pass_ms(100);
    }
    let (id, _) = desk.sent_order();
    desk.answer_error(
        id,
        "Order could not immediately match against any resting orders. asset=110001",
    );
    desk.bbo(TWO, "99.95", "100.05");
    desk.rows.clear();
    desk.dislocate(ONE);
    desk.nothing_sent();
    desk.event(Event::Disconnected(LinkDown::Dropped));
    desk.pass_ms(2_500);
    desk.event(Event::Connected);
    desk.acknowledge();
    desk.calm_quotes();
    desk.read();
    desk.pass_ms(500);
    let posts = desk.new_posts();
    let sent = posts.iter().filter(|(_, action)| action["type"] == "order").count();
    let dropped = |row: &hip3::types::record::OrderRow| row.outcome == Outcome::Dropped;
    assert_eq!(desk.decisions().first().map(String::as_str), Some("sent"), "it was queued");
    assert_eq!(
        (sent, desk.orders().iter().filter(|row| dropped(row)).count()),
        (0, 1),
        "{posts:#?}"
    );
}

/// Entries that wait are dropped for many reasons; exits for this one alone.
#[test]
fn an_exit_that_was_queued_before_a_drop_is_made_anew_after_it() {
    let mut config = roomy();
    config.executor.dispatch = hip3::types::config::Dispatch::Tick;
    let mut desk = Desk::ready(&config);
    desk.dislocate(ONE);
    if desk.trading().entries_sent == 0 {
        desk.pass_ms(100);
    }
    let (id, order) = desk.sent_order();
    desk.fill_whole(id, &order, "0.004482");
    desk.rows.clear();
    // Right after a tick: the exit waits for the next one.
    desk.event(Event::Operator(OperatorCommand::Flatten));
    desk.nothing_sent();
    desk.event(Event::Disconnected(LinkDown::Dropped));
    let dropped = |desk: &Desk| {
        let rows = desk.orders();
        let dropped = rows.iter().filter(|row| row.outcome == Outcome::Dropped && row.reduce_only);
        dropped.map(|row| row.cloid.to_string()).collect::<Vec<_>>()
    };
    let waited = dropped(&desk);
    assert_eq!(waited.len(), 1, "{:?}", desk.orders());
    desk.pass_ms(2_500);
    desk.event(Event::Connected);
    desk.acknowledge();
    desk.calm_quotes();
    desk.pass_ms(3_000);
    let posts = desk.new_posts();
    let exits: Vec<&str> = posts
        .iter()
        .filter(|(_, action)| action["type"] == "order")
        .flat_map(|(_, action)| action["orders"].as_array().expect("orders"))
        .map(|order| order["c"].as_str().expect("a cloid"))
        .collect();
    assert_eq!(exits.len(), 1, "{posts:#?}");
    assert_ne!(exits[0], waited[0], "a new one, at today's price");
}

#[test]
fn a_sent_order_is_looked_up_after_a_reconnect() {
    let mut desk = Desk::ready(&roomy());
    desk.dislocate(ONE);
    let (_, order) = desk.sent_order();
    desk.event(Event::Disconnected(LinkDown::Dropped));
    desk.pass_ms(2_500);
    desk.nothing_sent();
    desk.event(Event::Connected);
    desk.pass_ms(10);
    let posts = desk.new_posts();
    assert!(posts.iter().any(|(_, what)| what["oid"] == order["c"]), "{posts:#?}");
}

#[test]
fn an_operator_halts_and_releases() {
    let mut desk = Desk::ready(&roomy());
    desk.event(Event::Operator(OperatorCommand::Halt));
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["rejected:HardStop"]);
    desk.event(Event::Operator(OperatorCommand::Release(Some(StopReason::Loss))));
    assert!(desk.trading().hard_stop.active(), "another reason was released");
    desk.event(Event::Operator(OperatorCommand::Release(Some(StopReason::Operator))));
    desk.pass_ms(1_000);
    assert_eq!(desk.decisions().last().map(String::as_str), Some("sent"));
    assert_eq!(desk.latches.last(), Some(&HardStop::default()));
}

#[test]
fn a_latch_that_was_kept_holds_after_a_restart() {
    let mut latch = HardStop::default();
    latch.set(StopReason::Loss, hip3::types::time::Wall(5));
    let mut desk = Desk::silent(&config(), latch);
    desk.event(Event::Tick);
    desk.reread();
    desk.event(Event::Connected);
    desk.acknowledge();
    desk.calm_quotes();
    desk.read();
    desk.set_leverage();
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["rejected:HardStop"]);
    desk.event(Event::Operator(OperatorCommand::Release(None)));
    desk.pass_ms(1_000);
    let (_, order) = desk.sent_order();
    assert_eq!(text(&order, "s"), "0.5");
}

#[test]
fn silence_on_an_idle_account_is_no_reason_to_wait() {
    // Only acknowledgements: no order, no fill was ever told.
    let desk = Desk::ready(&config());
    assert!(desk.trading().ready.order_snapshot && desk.trading().ready.fills_snapshot);
}

/// A7: an order that was rejected in an update alone, whose answer would have said why, is nobody's fault.
#[test]
fn a_rejection_without_its_answer_is_no_failure() {
    let mut desk = Desk::ready(&config());
    for _ in 0..6 {
        desk.bbo(ONE, "99.95", "100.05");
        desk.live_ms(61_000);
        desk.reread();
        desk.read();
        desk.dislocate(ONE);
        let (_, order) = desk.sent_order();
        let (cloid, time) = (text(&order, "c"), desk.venue_ms());
        desk.frame(&format!(
            r#"{{"channel":"orderUpdates","data":[{{"order":{{"coin":"{ONE}","side":"B","limitPx":"99.6","sz":"0.5","oid":77,"timestamp":{time},"origSz":"0.5","cloid":"{cloid}"}},"status":"rejected","statusTimestamp":{time}}}]}}"#
        ));
        desk.bbo(ONE, "99.95", "100.05");
        desk.pass_ms(2_000);
    }
    assert!(!desk.trading().hard_stop.active(), "{:?}", desk.trading().hard_stop);
}
