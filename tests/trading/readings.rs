//! What readings of the account say, and when they are believed.

use hip3::types::event::{Event, LinkDown};
use hip3::types::hard_stop::{HardStop, StopReason};
use hip3::types::num::Usd;
use hip3::types::record::ExitReason;
use hip3::types::time::VenueMs;

use crate::desk::{Desk, ONE, config, px, szi, text, usd};

#[test]
fn a_position_found_at_the_start_is_exited_and_booked_once() {
    let mut before = Desk::ready(&config());
    let order = before.enter(ONE);
    let fill = before.fill_of(&order, "0.5", "99.6", "0.004482");
    // The process dies here; another one starts ten seconds later.
    let mut config = config();
    config.mark_regression.enabled = false;
    let mut desk = Desk::silent(&config, HardStop::default());
    desk.pass_ms(10_000);
    desk.hold(ONE, "0.5", "99.6");
    desk.account.fills = vec![fill];
    desk.start();
    assert_eq!(desk.trading().positions, 1);
    // Held since the fill, not since the start.
    desk.live_ms(19_000);
    desk.nothing_sent();
    desk.pass_ms(2_000);
    desk.bbo(ONE, "99.95", "100.05");
    let (id, exit) = desk.sent_order();
    assert_eq!(text(&exit, "s"), "0.5");
    desk.fill_whole(id, &exit, "0.0045");
    let [trade] = desk.trades()[..] else { panic!("{:?}", desk.trades()) };
    assert!(trade.adopted);
    assert_eq!((trade.exit, trade.entry_px), (ExitReason::TimeStop, px("99.6")));
    assert_eq!(trade.fees, usd("0.008982"), "the fee of the entry is known from its fill");
}

#[test]
fn entry_times_survive_readings() {
    let mut config = config();
    config.mark_regression.enabled = false;
    let mut desk = Desk::ready(&config);
    desk.enter(ONE);
    desk.hold(ONE, "0.5", "99.6");
    for _ in 0..29 {
        desk.live_ms(1_000);
        desk.read();
    }
    desk.nothing_sent();
    desk.pass_ms(1_500);
    desk.sent_order();
}

#[test]
fn an_all_zero_answer_is_no_evidence() {
    let mut desk = Desk::ready(&config());
    desk.enter(ONE);
    for _ in 0..5 {
        desk.pass_ms(3_000);
        desk.account.dexes[0].positions.clear();
        desk.account.dexes[0].value = Usd::ZERO;
        desk.account.dexes[0].withdrawable = Usd::ZERO;
        desk.read();
        assert_eq!(desk.trading().positions, 1);
    }
    assert!(!desk.stopped_for(StopReason::PositionMismatch));
}

#[test]
fn a_difference_that_lasts_stops_entries_and_the_venue_is_right() {
    let mut desk = Desk::ready(&config());
    desk.hold(ONE, "2", "99");
    desk.read();
    assert!(!desk.trading().ready.position_synced);
    desk.dislocate(crate::desk::TWO);
    assert_eq!(desk.decisions(), ["rejected:NotReady"]);
    for _ in 0..2 {
        desk.pass_ms(3_000);
        desk.read();
    }
    assert!(desk.stopped_for(StopReason::PositionMismatch));
    assert!(desk.latches.last().is_some_and(|latch| latch.holds(StopReason::PositionMismatch)));
    assert_eq!(desk.trading().positions, 1);
    // What was found is closed, stopped or not.
    desk.bbo(ONE, "99.95", "100.05");
    desk.live_ms(35_000);
    desk.bbo(ONE, "99.95", "100.05");
    let exits: Vec<_> = desk.new_posts();
    assert!(exits.iter().any(|(_, action)| action["orders"][0]["s"] == "2"), "{exits:#?}");
}

#[test]
fn a_difference_that_passes_is_none() {
    let mut desk = Desk::ready(&config());
    desk.hold(ONE, "2", "99");
    desk.read();
    desk.hold(ONE, "0", "99");
    desk.pass_ms(3_000);
    desk.read();
    assert!(desk.trading().ready.all());
    assert!(!desk.trading().hard_stop.active());
}

#[test]
fn snapshots_of_old_fills_build_no_position() {
    let mut desk = Desk::ready(&config());
    let fill = r#"{"coin":"tst:ONE","px":"99","sz":"3","side":"B","time":1795348700000,"startPosition":"0.0","dir":"Open Long","closedPnl":"0.0","hash":"0x00","oid":1,"crossed":true,"fee":"0.1","tid":5,"feeToken":"USDC"}"#;
    for channel in [
        format!(
            r#"{{"channel":"userFills","data":{{"isSnapshot":true,"user":"{}","fills":[{fill}]}}}}"#,
            crate::desk::USER
        ),
        // The same row, told as if it were news.
        format!(
            r#"{{"channel":"userFills","data":{{"user":"{}","fills":[{fill}]}}}}"#,
            crate::desk::USER
        ),
    ] {
        desk.frame(&channel);
        assert_eq!(desk.trading().positions, 0);
    }
}

#[test]
fn the_account_is_read_at_the_interval_and_after_a_reconnect() {
    let mut desk = Desk::ready(&config());
    desk.account_readings.clear();
    desk.live_ms(59_000);
    assert!(desk.account_readings.len() <= 1);
    desk.pass_ms(2_000);
    assert_eq!(desk.account_readings.len(), 1);
    desk.read();
    desk.event(Event::Disconnected(LinkDown::Dropped));
    desk.pass_ms(2_500);
    desk.account_readings.clear();
    desk.event(Event::Connected);
    assert_eq!(desk.account_readings.len(), 1);
}

#[test]
fn a_reading_that_was_asked_for_while_the_link_was_down_syncs_nothing() {
    let mut desk = Desk::ready(&config());
    desk.account_readings.clear();
    desk.event(Event::Disconnected(LinkDown::Dropped));
    // It falls due before the next link, and is answered on it.
    desk.pass_ms(61_000);
    assert_eq!(desk.account_readings.len(), 1);
    desk.event(Event::Connected);
    desk.acknowledge();
    desk.calm_quotes();
    desk.read();
    let ready = desk.trading().ready;
    assert!(!ready.position_synced, "orders may have filled behind it: {ready:?}");
    desk.pass_ms(2_100);
    assert_eq!(desk.account_readings.len(), 2, "so it is asked again");
    desk.calm_quotes();
    desk.read();
    let ready = desk.trading().ready;
    assert!(ready.position_synced, "{ready:?}");
}

#[test]
fn fills_are_asked_for_from_before_the_last_known() {
    let mut desk = Desk::ready(&config());
    desk.enter(ONE);
    let at = desk.venue_ms();
    desk.hold(ONE, "0.5", "99.6");
    desk.pass_ms(3_000);
    desk.account_readings.clear();
    desk.event(Event::Operator(hip3::types::event::OperatorCommand::Halt));
    desk.live_ms(120_000);
    let since = desk.account_readings.first().copied().expect("a reading");
    assert!(since <= VenueMs(at), "{since:?}");
    assert!(szi("0.5").units() > 0);
}

#[test]
fn a_reading_that_fails_is_tried_again_and_entries_wait() {
    let mut desk = Desk::silent(&config(), HardStop::default());
    desk.event(Event::Tick);
    desk.reread();
    desk.event(Event::Connected);
    desk.acknowledge();
    desk.calm_quotes();
    assert_eq!(desk.account_readings.len(), 1);
    desk.event(Event::AccountFailed);
    desk.pass_ms(2_000);
    assert_eq!(desk.account_readings.len(), 2);
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["rejected:NotReady"]);
}

#[test]
fn fills_that_nobody_told_keep_the_market_closed_until_a_reading() {
    let mut config = config();
    config.position.max_notional_per_market = usd("500");
    config.position.max_total_notional = usd("500");
    let mut desk = Desk::ready(&config);
    desk.dislocate(ONE);
    let (id, order) = desk.sent_order();
    desk.answer_filled(id, "0.5", "99.6");
    // No fill row on the socket, and the account cannot be read.
    for _ in 0..20 {
        desk.live_ms(1_000);
        desk.bbo(ONE, "99.55", "99.6");
        if desk.account_readings.len() > 1 {
            desk.event(Event::AccountFailed);
        }
    }
    assert_eq!(desk.trading().pending, 1, "nothing accounts for it");
    desk.dislocate(ONE);
    assert_eq!(
        desk.decisions().iter().filter(|d| *d == "sent").count(),
        1,
        "{:?}",
        desk.decisions()
    );
    let fill = desk.fill_of(&order, "0.5", "99.6", "0.004482");
    desk.account.fills.push(fill);
    desk.hold(ONE, "0.5", "99.6");
    desk.read();
    assert_eq!(desk.trading().positions, 1);
    assert!(desk.trading().ready.position_synced);
}
