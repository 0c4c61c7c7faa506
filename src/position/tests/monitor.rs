//! Each trigger at its limit, one unit before it, and on what says nothing.

use super::*;
use crate::position::RiskMonitor;
use crate::types::config::Config;
use crate::types::hard_stop::StopReason;
use crate::types::losses::{LossEntry, LossSpan, Losses};
use crate::types::order::{Refusal, RefusalClass};
use crate::types::time::DAY_NS;

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
    for right in [Ok(()), Err(Refusal::NoMatch), Err(Refusal::Cancelled)] {
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
        use RefusalClass::{RateLimit, Superfluous, VenueState};
        let says_nothing = matches!(class, Superfluous | VenueState | RateLimit);
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
    assert_eq!(silent, 13);
}

#[test]
fn what_counts_as_a_failure_is_what_the_table_says() {
    for refusal in Refusal::ALL {
        let mut monitor = monitor();
        let minutes = (0..5).map(|n| mono(n * 61_000));
        let last = minutes.map(|at| monitor.on_result(at, Err(*refusal))).last().flatten();
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
fn nonces_stop_at_the_second_that_is_refused_within_a_minute() {
    let stop = Some(StopReason::NonceRefused);
    let (duplicate, range) = (Err(Refusal::DuplicateNonce), Err(Refusal::NonceRange));
    let mut out_of_range = monitor();
    assert_eq!(out_of_range.on_result(mono(0), range), None, "higher ones may do");
    assert_eq!(out_of_range.on_result(mono(60_000), range), stop, "they do not");
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
    assert_eq!(monitor.on_realized(at(0), usd("-19.999999")), None);
    assert_eq!(monitor.on_realized(at(1), usd("-0.000001")), Some(StopReason::Loss));
    assert_eq!(monitor.net(mono(1)), usd("-20"));
    assert_eq!(monitor.on_realized(at(2), usd("0.000001")), None, "a gain makes up for it");
    assert_eq!(monitor.on_time(at(2)), None);
}

#[test]
fn a_loss_counts_for_the_whole_window_and_not_much_longer() {
    let hour = 3_600_000;
    let part = hour / 256 + 1;
    let mut monitor = monitor();
    monitor.on_realized(at(0), usd("-10"));
    assert_eq!(monitor.on_realized(at(hour), usd("-10")), Some(StopReason::Loss));
    assert_eq!(monitor.on_time(at(hour + 2 * part)), None);
    assert_eq!(monitor.net(mono(hour + 2 * part)), usd("-10"));
    assert_eq!(monitor.net(mono(10 * hour)), Usd::ZERO, "a long silence forgets all");
    assert_eq!(monitor.on_time(at(10 * hour)), None, "nothing was told: nothing was lost");
}

/// A17: the loss of the UTC day has a limit of its own, and is forgotten with the day.
#[test]
fn the_loss_of_the_day_stops_at_its_limit() {
    // The tests' day begins here; 23:30 of it.
    const DAY: i64 = 86_400_000;
    let late = DAY - 1_800_000;
    let mut monitor = monitor();
    for (ms, lost) in [(0, "-19"), (2 * 3_600_000, "-19"), (4 * 3_600_000, "-11.999999")] {
        assert_eq!(monitor.on_realized(day_at(ms), usd(lost)), None, "{ms}");
    }
    assert_eq!(monitor.on_realized(day_at(late), usd("-0.000001")), Some(StopReason::Loss));
    let limit = monitor.loss_limit(day_at(late)).expect("a limit");
    assert_eq!((limit.within, limit.lost, limit.limit), (LossSpan::Day, usd("50"), usd("50")));
    assert_eq!(monitor.on_time(day_at(DAY)), None, "a new day");
    assert_eq!(monitor.on_realized(day_at(DAY - 1), usd("-19")), None, "a clock that was set back");
    let mut released = RiskMonitor::new(&Config::default().risk_monitor);
    released.on_realized(day_at(0), usd("-60"));
    released.on_release(StopReason::Loss);
    assert_eq!(released.on_realized(day_at(1), usd("-19")), None, "what led to it is forgotten");
}

/// A17: what runs before have lost counts, as old as it is by now.
#[test]
fn what_was_lost_before_a_restart_counts() {
    let kept = |entries: &[(i64, &str)]| {
        let mut losses = Losses::default();
        for (ms, amount) in entries {
            losses.take(LossEntry::Counted { at: day_at(*ms).wall, amount: usd(amount) });
        }
        losses
    };
    let hour = 3_600_000;
    let begun = |losses: &Losses, ms| {
        let mut monitor = monitor();
        // The clock of a process begins anew.
        let now = Now { mono: mono(0), wall: day_at(ms).wall };
        monitor.continue_losses(now, losses);
        (monitor.loss_limit(now), monitor.net(now.mono))
    };
    let (limit, net) =
        begun(&kept(&[(10 * hour, "-18.81"), (11 * hour - 60_000, "-1.2")]), 11 * hour);
    assert_eq!(net, usd("-20.01"));
    assert_eq!(limit.map(|limit| limit.within), Some(LossSpan::Window));
    let (limit, net) =
        begun(&kept(&[(10 * hour, "-18.81"), (11 * hour, "-1")]), 11 * hour + 120_000);
    assert_eq!((limit, net), (None, usd("-1")), "older than the window");
    // Three runs of an hour each, none of which reaches its window's limit.
    let three = kept(&[(hour, "-18.81"), (3 * hour, "-18.81"), (5 * hour, "-18.81")]);
    let (limit, _) = begun(&three, 6 * hour + 300_000);
    assert_eq!(limit.map(|limit| (limit.within, limit.lost)), Some((LossSpan::Day, usd("56.43"))));
    let (limit, _) = begun(&three, 25 * hour);
    assert_eq!(limit, None, "of another day");
}

/// A moment so many milliseconds after a UTC midnight.
fn day_at(ms: i64) -> Now {
    let midnight = (START_MS * 1_000_000).div_euclid(DAY_NS) * DAY_NS;
    Now { mono: mono(ms), wall: Wall(midnight + ms * 1_000_000) }
}

#[test]
fn a_gain_that_leaves_the_window_uncovers_a_loss() {
    let mut monitor = monitor();
    monitor.on_realized(at(0), usd("15"));
    assert_eq!(monitor.on_realized(at(1_800_000), usd("-30")), None);
    assert_eq!(monitor.on_time(at(3_700_000)), Some(StopReason::Loss));
    monitor.on_release(StopReason::Loss);
    assert_eq!(monitor.on_time(at(3_700_001)), None);
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
