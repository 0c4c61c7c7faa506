//! What the venue holds becomes ours without inventing anything.

use super::*;
use crate::position::ExitEnd;
use crate::types::account::RecordedTrades;
use crate::types::time::Nanos;

fn started(start: &str, fill: Fill) -> Fill {
    Fill { start_position: szi(start), ..fill }
}

#[test]
fn fills_that_lead_to_a_position_give_its_time_value_and_fees() {
    let fills = [
        started("0", bought(1_000, "1", "10", "0.002")),
        started("1", bought(2_000, "2", "13", "0.003")),
        started("3", sold(3_000, "1", "14", "0.001")),
    ];
    let mut positions = bare();
    let theirs = held(SILVER, "2", Some("99"));
    let row = positions.adopt(at(90_000), SILVER, venue(80_000), Some(&theirs), None, &fills);
    assert_eq!(row, None);
    let position = positions.get(SILVER).expect("open");
    assert_eq!((position.szi, position.entry_px()), (szi("2"), Some(px("12"))));
    assert_eq!((position.opened_at, position.fees), (at(1_000), usd("0.006")));
    assert_eq!((position.fills, position.adopted, position.signal), (3, true, None));
    for known in fills {
        assert_eq!(
            positions.on_fill(at(90_000), SILVER, &known, EXIT),
            AppliedFill::BeforeSnapshot
        );
    }
    let row = apply(&mut positions, 100_000, &sold(99_999, "2", "12", "0.001"), EXIT).closed;
    let row = row.expect("a row");
    assert_eq!((row.gross, row.fees, row.adopted), (usd("2"), usd("0.007"), true));
    assert_eq!(row.held, Nanos::from_millis(99_000));
}

#[test]
fn fills_of_one_millisecond_are_chained_by_where_they_started() {
    let fills = [
        started("3", bought(1_000, "1", "13", "0")),
        started("1", bought(1_000, "2", "12", "0")),
        started("-2", bought(1_000, "3", "10", "0.003")),
    ];
    let mut positions = bare();
    let theirs = held(SILVER, "4", None);
    positions.adopt(at(60_000), SILVER, venue(60_000), Some(&theirs), None, &fills);
    let position = positions.get(SILVER).expect("open");
    // The flip brought one coin of its three, and a third of its fee.
    assert_eq!(position.entry_notional(), usd("47"));
    assert_eq!((position.fees, position.opened_at), (usd("0.001"), at(1_000)));
}

#[test]
fn rows_that_repeat_and_rows_of_others_do_not_confuse() {
    let first = started("0", bought(1_000, "1", "10", "0"));
    let last = started("1", bought(2_000, "1", "12", "0"));
    let gold = Fill { coin: coin(GOLD), ..started("7", sold(2_500, "1", "5", "0")) };
    let later = started("2", bought(9_000, "5", "50", "0"));
    let mut positions = bare();
    let theirs = held(SILVER, "2", None);
    let fills = [last, first, gold, later, last, first];
    positions.adopt(at(8_000), SILVER, venue(8_500), Some(&theirs), None, &fills);
    let position = positions.get(SILVER).expect("open");
    assert_eq!((position.entry_px(), position.opened_at), (Some(px("11")), at(1_000)));
    apply(&mut positions, 9_100, &later, FillOrigin::Foreign);
    assert_eq!(positions.held(SILVER), szi("7"), "what came after the reading is news");
}

#[test]
fn a_position_no_fills_explain_begins_now_at_the_venues_mean() {
    let torn = [started("5", bought(1_000, "1", "10", "0"))];
    for (told, mark, entry) in [
        (Some("11"), Some("12"), Some("11")),
        (None, Some("12"), Some("12")),
        (Some("0"), Some("12"), Some("12")),
        (None, None, None),
    ] {
        let mut positions = bare();
        let theirs = held(SILVER, "-2", told);
        positions.adopt(at(8_000), SILVER, venue(8_000), Some(&theirs), mark.map(px), &torn);
        let position = positions.get(SILVER).expect("open");
        assert_eq!(position.entry_px(), entry.map(px));
        assert_eq!((position.szi, position.opened_at), (szi("-2"), at(8_000)));
        assert!(position.adopted);
    }
}

#[test]
fn a_position_without_any_price_takes_that_of_its_next_fill() {
    let mut positions = bare();
    let theirs = held(SILVER, "2", None);
    positions.adopt(at(10), SILVER, venue(10), Some(&theirs), None, &[]);
    assert_eq!(positions.notional(SILVER, Some(px("10"))), Some(usd("20")));
    assert_eq!(positions.notional(SILVER, None), None);
    apply(&mut positions, 100, &sold(100, "1", "12", "0.01"), EXIT);
    let row = apply(&mut positions, 200, &sold(200, "1", "13", "0.01"), EXIT).closed;
    let row = row.expect("a row");
    assert_eq!((row.entry_px, row.gross, row.net), (px("12"), usd("1"), usd("0.98")));
}

#[test]
fn taking_over_a_size_moves_no_entry_time_and_no_exit() {
    let mut positions = flat();
    apply(&mut positions, 100, &bought(100, "2", "10", "0.01"), ENTRY);
    let failed = ExitEnd::Failed;
    positions.exit_mut(SILVER).expect("open").ended(mono(150), failed);
    for (size, told) in [("3", None), ("1", Some("10.5")), ("1", None)] {
        let theirs = held(SILVER, size, told);
        let row = positions.adopt(at(9_000), SILVER, venue(9_000), Some(&theirs), None, &[]);
        assert_eq!(row, None);
        let position = positions.get(SILVER).expect("open");
        assert_eq!((position.szi, position.opened_at), (szi(size), at(100)));
        assert_eq!(position.signal, Some(SignalId(77)));
    }
    assert_eq!(positions.exit(SILVER).expect("open").failures(), 1);
    let row = apply(&mut positions, 9_100, &sold(9_100, "1", "11", "0"), EXIT).closed;
    let row = row.expect("a row");
    assert_eq!((row.sz, row.entry_px, row.gross), (sz("1"), px("10.5"), usd("0.5")));
}

#[test]
fn a_position_that_is_gone_leaves_a_row() {
    let mut positions = flat();
    apply(&mut positions, 100, &bought(100, "2", "10", "0.01"), ENTRY);
    let row = positions.adopt(at(9_000), SILVER, venue(8_900), None, Some(px("11")), &[]);
    let row = row.expect("a row");
    assert_eq!((row.exit, row.exit_px, row.gross), (ExitReason::Foreign, px("11"), usd("2")));
    assert_eq!((row.net, row.exited_at), (usd("1.99"), at(9_000).wall));
    assert_eq!(row.fills, 1, "its end was no fill");
    assert_eq!(positions.count_open(), 0);
    let late = sold(8_900, "2", "11", "0.01");
    assert_eq!(positions.on_fill(at(9_100), SILVER, &late, EXIT), AppliedFill::BeforeSnapshot);
}

#[test]
fn a_position_that_turned_round_is_another_one() {
    let mut positions = flat();
    apply(&mut positions, 100, &bought(100, "2", "10", "0"), ENTRY);
    let theirs = held(SILVER, "-1", Some("12"));
    let row = positions.adopt(at(9_000), SILVER, venue(9_000), Some(&theirs), None, &[]);
    let row = row.expect("a row");
    assert_eq!((row.gross, row.exit_px), (Usd::ZERO, px("10")), "no mark: no profit is invented");
    let position = positions.get(SILVER).expect("open");
    assert_eq!((position.szi, position.opened_at), (szi("-1"), at(9_000)));
}

#[test]
fn a_baseline_never_goes_back() {
    let mut positions = flat();
    positions.adopt(at(9_000), SILVER, venue(9_000), None, None, &[]);
    positions.adopt(at(9_100), SILVER, venue(5_000), None, None, &[]);
    let old = bought(9_000, "1", "10", "0");
    assert_eq!(positions.on_fill(at(9_200), SILVER, &old, ENTRY), AppliedFill::BeforeSnapshot);
}

fn ours(fill: Fill) -> Fill {
    Fill { cloid: Some(crate::types::order::Cloid(7)), ..fill }
}

/// Two round trips, the second a short one in two parts.
fn two_trips() -> [Fill; 5] {
    [
        ours(started("0", bought(1_000, "1", "10", "0.001"))),
        ours(started("1", sold(2_000, "1", "12", "0.001"))),
        ours(started("0", sold(5_000, "2", "20", "0.004"))),
        ours(started("-2", bought(6_000, "1", "21", "0.002"))),
        ours(started("-1", bought(6_000, "1", "22", "0.003"))),
    ]
}

fn books(since_ms: i64, exit_ms: Option<i64>) -> RecordedTrades {
    let wall = |ms| at(ms).wall;
    let mut recorded = RecordedTrades { since: Some(wall(since_ms)), ..RecordedTrades::default() };
    if let Some(ms) = exit_ms {
        recorded.add(coin(SILVER), wall(ms));
    }
    recorded
}

fn unrecorded(
    recorded: RecordedTrades,
    held: Option<&HeldPosition>,
    fills: &[Fill],
) -> Vec<TradeRow> {
    let mut positions = bare();
    positions.restore_trades(recorded);
    let rows = positions.unrecorded(at(90_000), SILVER, venue(80_000), held, fills);
    positions.adopt(at(90_000), SILVER, venue(80_000), held, None, fills);
    let again = positions.unrecorded(at(90_000), SILVER, venue(80_000), held, fills);
    assert_eq!(again, [], "only before there is a baseline");
    rows
}

#[test]
fn round_trips_that_ended_unheard_get_their_rows_to_the_unit() {
    let rows = unrecorded(books(0, None), None, &two_trips());
    let money: Vec<_> = rows.iter().map(|row| (row.gross, row.fees, row.fills)).collect();
    assert_eq!(money, [(usd("2"), usd("0.002"), 2), (usd("-3"), usd("0.009"), 3)]);
    assert_eq!((rows[1].entered_at, rows[1].exited_at), (at(5_000).wall, at(6_000).wall));
    assert_eq!(
        (rows[1].side, rows[1].adopted, rows[1].exit),
        (Side::Sell, true, ExitReason::Foreign)
    );
    assert_ne!(rows[0].id, rows[1].id);
    // What is held now began behind them.
    let next = [&two_trips()[..], &[ours(started("0", bought(7_000, "3", "20", "0")))]].concat();
    let theirs = held(SILVER, "3", None);
    assert_eq!(unrecorded(books(0, None), Some(&theirs), &next).len(), 2);
}

#[test]
fn what_has_its_row_is_not_booked_again_though_the_clocks_differ_a_little() {
    for late_ms in [-400, 0, 400] {
        let rows = unrecorded(books(0, Some(2_000 + late_ms)), None, &two_trips());
        assert_eq!(rows.len(), 1, "{late_ms}");
        let rows = unrecorded(books(0, Some(6_000 + late_ms)), None, &two_trips());
        assert_eq!(rows, [], "{late_ms}");
    }
    assert_eq!(
        unrecorded(books(3_000, None), None, &two_trips()).len(),
        1,
        "records began between"
    );
    assert_eq!(
        unrecorded(RecordedTrades::default(), None, &two_trips()),
        [],
        "nothing is known of records"
    );
}

#[test]
fn a_round_trip_that_is_not_ours_or_not_told_whole_is_not_booked() {
    let mut fills = two_trips();
    fills[2].cloid = None;
    let rows = unrecorded(books(0, None), None, &fills);
    assert_eq!(rows.len(), 1, "the owner's own hand");
    assert_eq!(rows[0].exited_at, at(2_000).wall);
    assert_eq!(unrecorded(books(0, None), None, &two_trips()[1..]).len(), 1);
    assert_eq!(unrecorded(books(0, None), None, &two_trips()[3..]), []);
    // Held, and the fills do not lead there: then what they tell of the past proves nothing.
    let theirs = held(SILVER, "4", None);
    assert_eq!(unrecorded(books(0, None), Some(&theirs), &two_trips()), []);
}
