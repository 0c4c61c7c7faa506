//! A trading process that is killed while it holds something, and the one that comes after it.

use std::fs;

use crate::funded::{Funded, LOOSE, rows};
use crate::harness::start;

#[test]
fn a_position_that_outlives_its_process_is_closed_by_the_next_and_booked_once() {
    let desk = Funded::new(
        5,
        &format!(
            "{LOOSE}[position]\nmax_concurrent_positions = 1\n\
             [mark_regression]\nenabled = false\n[time_stop]\nthreshold_ms = 8000\n"
        ),
    );
    let log = desk.log("first.log");
    let mut first = start(&["run", "--config", &desk.config], &log);
    let read = |log: &std::path::Path| fs::read_to_string(log).unwrap_or_default();
    first.wait_until("a position", || read(&log).contains("position opened"));
    first.kill();
    assert_eq!(desk.books().positions.len(), 1, "the venue goes on holding it");

    let log = desk.log("second.log");
    // It opens nothing itself: what it trades is what it found.
    let args = ["run", "--config", &desk.config, "--set", "position.max_notional_per_market=0"];
    let mut second = start(&args, &log);
    second.wait_until("the position", || read(&log).contains("position found at the venue"));
    second.wait_until("its end", || read(&log).contains("position closed"));
    let told = second.log();
    assert_eq!(second.terminate(), 0, "{told}");

    let books = desk.books();
    assert_eq!(books.positions, [], "{told}");
    let trades = rows(&desk.signals(), "trades_");
    assert_eq!(trades.len(), 1, "{trades:#?}");
    // The files hold units of 1e-8, the books of 1e-6.
    let exact = |column: &str| trades[0][column].parse::<i64>().expect("a number");
    assert_eq!(exact("pnl_before_fees"), books.closed_pnl.units() * 100, "{trades:#?} {books:?}");
    assert_eq!(exact("fees"), books.fees.units() * 100, "{trades:#?} {books:?}");
    assert_eq!(trades[0]["adopted"], "true");
}
