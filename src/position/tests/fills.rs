//! Fills make positions, and round trips make rows.

use proptest::prelude::*;

use super::*;
use crate::types::time::Nanos;

#[test]
fn a_round_trip_is_recorded_to_the_last_digit() {
    let mut positions = flat();
    let opened = apply(&mut positions, 150, &bought(100, "0.6", "80.5", "0.0043"), ENTRY);
    assert!(opened.opened && !opened.flipped && opened.closed.is_none());
    assert_eq!(opened.realized, usd("-0.0043"), "the fee is lost at once");
    assert_eq!((positions.held(SILVER), positions.count_open()), (szi("0.6"), 1));
    let closed = apply(&mut positions, 2_150, &sold(2_100, "0.6", "80.601", "0.004178"), EXIT);
    assert_eq!(closed.realized, usd("0.056422"));
    let row = closed.closed.expect("a row");
    assert_eq!(row.id, 500);
    assert_eq!(
        (row.signal, row.coin, row.asset),
        (Some(SignalId(77)), coin(SILVER), AssetId(110_027))
    );
    assert_eq!((row.side, row.sz), (Side::Buy, sz("0.6")));
    assert_eq!((row.entry_px, row.exit_px), (px("80.5"), px("80.601")));
    assert_eq!((row.entered_at, row.exited_at), (at(150).wall, at(2_150).wall));
    assert_eq!((row.held, row.exit), (Nanos::from_millis(2_000), ExitReason::TimeStop));
    assert_eq!((row.gross, row.fees, row.net), (usd("0.0606"), usd("0.008478"), usd("0.052122")));
    assert_eq!((row.fills, row.adopted), (2, false));
    assert_eq!((positions.held(SILVER), positions.count_open()), (Szi::ZERO, 0));
    assert!(positions.exit(SILVER).is_none());
}

#[test]
fn a_short_earns_when_the_price_falls() {
    let mut positions = flat();
    apply(&mut positions, 100, &sold(100, "2", "50", "0.01"), ENTRY);
    assert_eq!(positions.held(SILVER), szi("-2"));
    let row = apply(&mut positions, 200, &bought(200, "2", "49.5", "0.01"), EXIT).closed;
    let row = row.expect("a row");
    assert_eq!((row.side, row.gross, row.net), (Side::Sell, usd("1"), usd("0.98")));
}

#[test]
fn increases_average_and_reductions_realise() {
    let mut positions = flat();
    apply(&mut positions, 100, &bought(100, "1", "10", "0"), ENTRY);
    assert!(!apply(&mut positions, 110, &bought(110, "2", "13", "0"), ENTRY).opened);
    let position = positions.get(SILVER).expect("open");
    assert_eq!((position.entry_px(), position.entry_notional()), (Some(px("12")), usd("36")));
    assert_eq!(position.opened_at, at(100), "the first fill's time stays");
    let part = apply(&mut positions, 120, &sold(120, "1", "14", "0.5"), EXIT);
    assert_eq!(part.realized, usd("1.5"));
    let position = positions.get(SILVER).expect("open");
    assert_eq!((position.szi, position.entry_px()), (szi("2"), Some(px("12"))));
    assert_eq!(position.fees, usd("0.5"));
    let row = apply(&mut positions, 130, &sold(130, "2", "11", "0"), EXIT).closed.expect("a row");
    assert_eq!((row.sz, row.entry_px, row.exit_px), (sz("3"), px("12"), px("12")));
    assert_eq!((row.gross, row.net, row.fills), (usd("0"), usd("-0.5"), 4));
}

#[test]
fn a_fill_through_zero_ends_one_trip_and_begins_the_next() {
    let mut positions = flat();
    apply(&mut positions, 100, &bought(100, "1", "10", "0.001"), ENTRY);
    let flip = apply(&mut positions, 900, &sold(900, "3", "12", "0.01"), FillOrigin::Foreign);
    assert!(flip.flipped && flip.opened);
    let row = flip.closed.expect("a row");
    assert_eq!((row.sz, row.gross, row.exit), (sz("1"), usd("2"), ExitReason::Foreign));
    assert_eq!(row.fees, usd("0.004333"), "its share of the fee, and the entry's");
    let position = *positions.get(SILVER).expect("the rest is open");
    assert_eq!((position.szi, position.fees), (szi("-2"), usd("0.006667")));
    assert_eq!((position.opened_at, position.signal), (at(900), None));
    assert_eq!(flip.realized, usd("1.99"));
}

#[test]
fn a_fill_told_twice_counts_once_and_partial_fills_all_count() {
    let mut positions = flat();
    let first = bought(100, "1", "10", "0.001");
    apply(&mut positions, 100, &first, ENTRY);
    assert_eq!(positions.on_fill(at(200), SILVER, &first, ENTRY), AppliedFill::Duplicate);
    assert_eq!(positions.held(SILVER), szi("1"));
    // Alike but for one part of the key.
    for (n, other) in [
        Fill { tid: first.tid + 1, ..first },
        Fill { oid: first.oid + 1, ..first },
        Fill { time: venue(101), ..first },
    ]
    .iter()
    .enumerate()
    {
        apply(&mut positions, 200, other, ENTRY);
        assert_eq!(positions.held(SILVER), Szi::from_units(szi("1").units() * (n as i64 + 2)));
    }
    let gold = Fill { coin: coin(GOLD), ..first };
    assert!(matches!(
        positions.on_fill(at(200), GOLD, &gold, ENTRY),
        AppliedFill::Applied { opened: true, .. }
    ));
}

#[test]
fn the_newest_fills_are_remembered() {
    let mut positions = flat();
    let one = |tid: u64| Fill { tid, ..bought(100, "0.01", "10", "0") };
    for tid in 0..8192 {
        apply(&mut positions, 100, &one(tid), ENTRY);
    }
    assert_eq!(positions.on_fill(at(100), SILVER, &one(0), ENTRY), AppliedFill::Duplicate);
    apply(&mut positions, 100, &one(8192), ENTRY);
    for tid in [1, 4096, 8191, 8192] {
        assert_eq!(positions.on_fill(at(100), SILVER, &one(tid), ENTRY), AppliedFill::Duplicate);
    }
    apply(&mut positions, 100, &one(0), ENTRY); // The oldest made room.
}

#[test]
fn what_cannot_be_a_fill_of_the_market_changes_nothing() {
    let mut positions = flat();
    let good = bought(100, "1", "10", "0");
    for (market, wrong) in [
        (GOLD, good),
        (MarketId(2), good),
        (SILVER, Fill { sz: Sz::ZERO, ..good }),
        (SILVER, Fill { sz: Sz::from_units(-1), ..good }),
        (SILVER, Fill { px: Px::from_units(-1), ..good }),
    ] {
        assert_eq!(positions.on_fill(at(100), market, &wrong, ENTRY), AppliedFill::Inconsistent);
    }
    assert_eq!(positions.count_open(), 0);
    let huge = Fill { sz: Sz::from_units(i64::MAX), ..good };
    apply(&mut positions, 100, &huge, ENTRY);
    assert_eq!(positions.on_fill(at(100), SILVER, &good, ENTRY), AppliedFill::Inconsistent);
    assert_eq!(positions.held(SILVER), Szi::from_units(i64::MAX));
}

#[test]
fn before_the_first_reading_and_up_to_its_time_fills_change_nothing() {
    let mut positions = bare();
    let old = bought(100, "1", "10", "0");
    assert_eq!(positions.on_fill(at(100), SILVER, &old, ENTRY), AppliedFill::BeforeSnapshot);
    positions.adopt(at(150), SILVER, venue(100), None, None, &[]);
    assert_eq!(
        positions.on_fill(at(200), SILVER, &old, ENTRY),
        AppliedFill::BeforeSnapshot,
        "at its time"
    );
    let new = Fill { time: venue(101), ..old };
    apply(&mut positions, 200, &new, ENTRY);
    assert_eq!(positions.held(SILVER), szi("1"));
}

#[test]
fn a_fill_that_is_told_late_is_dated_back() {
    let mut positions = flat();
    apply(&mut positions, 5_100, &bought(100, "1", "10", "0"), ENTRY);
    assert_eq!(positions.get(SILVER).expect("open").opened_at, at(5_100), "within the tolerance");
    let mut positions = flat();
    apply(&mut positions, 5_101, &bought(100, "1", "10", "0"), ENTRY);
    let position = positions.get(SILVER).expect("open");
    assert_eq!((position.opened_at, position.entered_at()), (at(100), at(100).wall));
    // Also beyond the origin of the monotonic clock.
    let young = Now { mono: Mono(1_000_000), wall: at(60_000).wall };
    let mut positions = flat();
    positions.on_fill(young, SILVER, &bought(100, "1", "10", "0"), ENTRY);
    let position = positions.get(SILVER).expect("open");
    assert_eq!(position.held_for(Mono(2_000_000)), Nanos::from_millis(59_901));
}

#[test]
fn the_reason_of_a_trade_is_that_of_the_fill_that_closed_it() {
    for (why, liquidation, reason) in [
        (FillOrigin::Exit(ExitReason::MarkRegression), false, ExitReason::MarkRegression),
        (FillOrigin::Exit(ExitReason::Flatten), false, ExitReason::Flatten),
        (FillOrigin::Foreign, false, ExitReason::Foreign),
        (ENTRY, false, ExitReason::Foreign),
        (FillOrigin::Exit(ExitReason::TimeStop), true, ExitReason::Foreign),
    ] {
        let mut positions = flat();
        apply(&mut positions, 100, &bought(100, "1", "10", "0"), ENTRY);
        let last = Fill { liquidation, ..sold(200, "1", "11", "0") };
        let row = apply(&mut positions, 200, &last, why).closed.expect("a row");
        assert_eq!(row.exit, reason);
    }
}

#[test]
fn value_is_at_the_higher_of_entry_and_mark_and_unknown_without_a_mark() {
    let mut positions = flat();
    assert_eq!(positions.notional(SILVER, None), Some(Usd::ZERO), "nothing is worth nothing");
    apply(&mut positions, 100, &sold(100, "2", "10", "0"), ENTRY);
    assert_eq!(positions.notional(SILVER, Some(px("9"))), Some(usd("20")));
    assert_eq!(positions.notional(SILVER, Some(px("11"))), Some(usd("22")));
    assert_eq!(positions.notional(SILVER, Some(px("10.00000001"))), Some(usd("20.000001")));
    assert_eq!(positions.notional(SILVER, None), None);
    assert_eq!(positions.notional(SILVER, Some(Px::ZERO)), None);
}

#[test]
fn the_venues_profit_is_compared_and_ours_is_recorded() {
    let mut positions = flat();
    apply(&mut positions, 100, &bought(100, "1", "10", "0"), ENTRY);
    let rounded = Fill { closed_pnl: usd("1.001"), ..sold(200, "0.5", "12", "0") };
    apply(&mut positions, 200, &rounded, EXIT);
    assert_eq!(positions.pnl_differs, 0);
    let other = Fill { closed_pnl: usd("1.001001"), ..sold(300, "0.5", "12", "0") };
    let row = apply(&mut positions, 300, &other, EXIT).closed.expect("a row");
    assert_eq!((positions.pnl_differs, row.gross), (1, usd("2")));
}

/// A price with three decimals and a size with two: valid at the venue for `szDecimals` 2.
fn any_fill() -> impl Strategy<Value = (bool, i64, i64, i64)> {
    (any::<bool>(), 1..40_i64, 90_000..110_000_i64, -50..500_i64)
}

proptest! {
    /// Cash is the law: what all sales brought less what all purchases cost, and the value of what
    /// is left, is the profit that was told, fill by fill and row by row.
    #[test]
    fn nothing_is_gained_or_lost_between_fills_and_rows(
        fills in proptest::collection::vec(any_fill(), 1..60),
    ) {
        let mut positions = flat();
        let (mut net, mut cash, mut fees) = (Szi::ZERO, 0_i128, 0_i64);
        let (mut told, mut rows) = (0_i64, (0_i64, 0_i64, 0_u32));
        for (n, (buys, lots, price, fee)) in fills.iter().enumerate() {
            let (side, sign) = if *buys { (Side::Buy, 1) } else { (Side::Sell, -1) };
            let made = Fill {
                tid: n as u64,
                sz: Sz::from_units(lots * 1_000_000),
                px: Px::from_units(price * 100_000),
                fee: Usd::from_units(*fee),
                ..fill(10, side, "1", "1", "0")
            };
            let done = apply(&mut positions, 10, &made, ENTRY);
            net = net.checked_add(made.signed_sz()).expect("fits");
            cash -= i128::from(sign * made.sz.units()) * i128::from(made.px.units());
            fees += fee;
            told += done.realized.units();
            prop_assert_eq!(positions.held(SILVER), net);
            prop_assert_eq!(done.flipped, done.opened && done.closed.is_some());
            prop_assert_eq!(done.closed.is_some() && !done.flipped, net.is_flat());
            if let Some(row) = done.closed {
                prop_assert_eq!(row.net.units(), row.gross.units() - row.fees.units());
                rows = (rows.0 + row.gross.units(), rows.1 + row.fees.units(), rows.2 + 1);
            }
            if net.is_flat() {
                prop_assert_eq!(i128::from(rows.0) * 10_000_000_000, cash);
                prop_assert_eq!(rows.1, fees);
                prop_assert_eq!(told, rows.0 - rows.1);
            }
        }
    }

    /// Partial fills are independent of their order.
    #[test]
    fn the_order_of_fills_on_one_side_does_not_matter(
        lots in proptest::collection::vec((1..50_i64, 1..1000_i64), 1..8),
    ) {
        let run = |lots: &[(i64, i64)]| {
            let mut positions = flat();
            for (n, (lot, price)) in lots.iter().enumerate() {
                let made = Fill {
                    tid: n as u64,
                    sz: Sz::from_units(lot * 1_000_000),
                    px: Px::from_units(price * 100_000),
                    ..bought(10, "1", "1", "0.0001")
                };
                apply(&mut positions, 10, &made, ENTRY);
            }
            *positions.get(SILVER).expect("open")
        };
        let mut reversed = lots.clone();
        reversed.reverse();
        prop_assert_eq!(run(&lots), run(&reversed));
    }
}
