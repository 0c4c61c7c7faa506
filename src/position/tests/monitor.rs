//! Each trigger at its limit, one unit before it, and on what says nothing.

use super::*;
use crate::position::RiskMonitor;
use crate::types::config::Config;
use crate::types::hard_stop::StopReason;
use crate::types::order::{Refusal, RefusalClass};

fn monitor() -> RiskMonitor {
    // Five failures, 20 USD, three exits, one hour.
    RiskMonitor::new(&Config::default().risk_monitor)
}

const FAILED: Result<(), Refusal> = Err(Refusal::Tick);
const STOP: Option<StopReason> = Some(StopReason::ConsecutiveFailures);

#[test]
fn the_fifth_failure_in_a_row_stops_and_the_fourth_does_not() {
    let mut monitor = monitor();
    for _ in 0..4 {
        assert_eq!(monitor.on_result(mono(0), FAILED), None);
    }
    assert_eq!(monitor.on_result(mono(0), Err(Refusal::Margin)), STOP);
    assert_eq!(monitor.on_result(mono(0), FAILED), STOP, "and each one after it");
}

#[test]
fn an_order_that_was_right_ends_a_row_of_failures() {
    for right in [Ok(()), Err(Refusal::NoMatch), Err(Refusal::ReduceOnly)] {
        let mut monitor = monitor();
        for _ in 0..4 {
            monitor.on_result(mono(0), FAILED);
        }
        assert_eq!(monitor.on_result(mono(0), right), None);
        for _ in 0..4 {
            assert_eq!(monitor.on_result(mono(0), FAILED), None);
        }
        assert_eq!(monitor.on_result(mono(0), FAILED), STOP);
    }
}

#[test]
fn refusals_that_say_nothing_of_the_order_neither_count_nor_end_the_row() {
    let mut silent = 0;
    for refusal in Refusal::ALL {
        let class = refusal.class();
        let says_nothing = matches!(class, RefusalClass::VenueState | RefusalClass::RateLimit);
        if !says_nothing && *refusal != Refusal::TooLate {
            continue;
        }
        silent += 1;
        let mut monitor = monitor();
        for _ in 0..4 {
            monitor.on_result(mono(0), FAILED);
            assert_eq!(monitor.on_result(mono(0), Err(*refusal)), None, "{refusal:?}");
        }
        assert_eq!(monitor.on_result(mono(0), FAILED), STOP, "{refusal:?}");
    }
    assert_eq!(silent, 8);
}

#[test]
fn what_counts_as_a_failure_is_what_the_table_says() {
    for refusal in Refusal::ALL {
        let mut monitor = monitor();
        let last = (0..5).map(|_| monitor.on_result(mono(0), Err(*refusal))).last().flatten();
        assert_eq!(last.is_some(), refusal.class().is_failure(), "{refusal:?}");
    }
}

#[test]
fn a_signer_that_the_venue_does_not_know_stops_at_once() {
    let stop = Some(StopReason::SignatureRefused);
    assert_eq!(monitor().on_result(mono(0), Err(Refusal::UnknownSigner)), stop);
    assert_eq!(monitor().on_result(mono(0), Err(Refusal::Unreadable)), None);
}

#[test]
fn nonces_stop_at_once_out_of_range_and_at_the_second_duplicate_in_a_minute() {
    let stop = Some(StopReason::NonceRefused);
    assert_eq!(monitor().on_result(mono(0), Err(Refusal::NonceRange)), stop);
    let duplicate = Err(Refusal::DuplicateNonce);
    let mut monitor = monitor();
    assert_eq!(monitor.on_result(mono(0), duplicate), None);
    assert_eq!(monitor.on_result(mono(60_000), duplicate), stop, "at the minute");
    monitor.on_release(StopReason::NonceRefused);
    assert_eq!(monitor.on_result(mono(60_001), duplicate), None, "forgotten");
    assert_eq!(monitor.on_result(mono(120_002), duplicate), None, "one millisecond past it");
    assert_eq!(monitor.on_result(mono(120_002), Ok(())), None);
}

#[test]
fn the_loss_of_the_window_stops_at_its_limit() {
    let mut monitor = monitor();
    assert_eq!(monitor.on_realized(mono(0), usd("-19.999999")), None);
    assert_eq!(monitor.on_realized(mono(1), usd("-0.000001")), Some(StopReason::Loss));
    assert_eq!(monitor.net(mono(1)), usd("-20"));
    assert_eq!(monitor.on_realized(mono(2), usd("0.000001")), None, "a gain makes up for it");
    assert_eq!(monitor.on_time(mono(2)), None);
}

#[test]
fn a_loss_counts_for_the_whole_window_and_not_much_longer() {
    let hour = 3_600_000;
    let part = hour / 256 + 1;
    let mut monitor = monitor();
    monitor.on_realized(mono(0), usd("-10"));
    assert_eq!(monitor.on_realized(mono(hour), usd("-10")), Some(StopReason::Loss));
    assert_eq!(monitor.on_time(mono(hour + 2 * part)), None);
    assert_eq!(monitor.net(mono(hour + 2 * part)), usd("-10"));
    assert_eq!(monitor.net(mono(10 * hour)), Usd::ZERO, "a long silence forgets all");
    assert_eq!(monitor.on_time(mono(10 * hour)), None, "nothing was told: nothing was lost");
}

#[test]
fn a_gain_that_leaves_the_window_uncovers_a_loss() {
    let mut monitor = monitor();
    monitor.on_realized(mono(0), usd("15"));
    assert_eq!(monitor.on_realized(mono(1_800_000), usd("-30")), None);
    assert_eq!(monitor.on_time(mono(3_700_000)), Some(StopReason::Loss));
    monitor.on_release(StopReason::Loss);
    assert_eq!(monitor.on_time(mono(3_700_001)), None);
}

#[test]
fn the_third_exit_in_a_row_that_fills_nothing_stops() {
    let mut monitor = monitor();
    assert_eq!(monitor.on_exit_failed(0), None);
    assert_eq!(monitor.on_exit_failed(2), None);
    for misses in [3, 4] {
        assert_eq!(monitor.on_exit_failed(misses), Some(StopReason::FlattenFailures));
    }
    assert_eq!(monitor.on_mismatch(), Some(StopReason::PositionMismatch));
}
