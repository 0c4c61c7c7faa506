//! What the record files promise, on a disk that works.

mod store_rows;

use std::fs;
use std::path::Path;

use hip3::persistence::{Limits, OsDisk, Store, StoreError};
use hip3::types::record::{GapCause, Row, TradeRow};
use hip3::types::time::{DAY_NS, Nanos, Wall};

use store_rows::*;

fn open(dir: &Path, id: &str, now: Wall) -> (Store, hip3::persistence::Recovery) {
    Store::open(dir, run(id), now).expect("it opens")
}

fn open_small(dir: &Path, id: &str, now: Wall) -> (Store, hip3::persistence::Recovery) {
    let limits = Limits { group_rows: 4, ..Limits::default() };
    Store::open_on(Box::new(OsDisk), dir, run(id), now, limits).expect("it opens")
}

/// Name, type, whether it may be null, and the value that the rows of `store_rows` have there.
type Golden = &'static [(&'static str, &'static str, bool, &'static str)];

const DECIMAL: &str = "Decimal(18, 8)";
const TIME: &str = "Timestamp(Nanosecond, Some(\"UTC\"))";

const SIGNALS: Golden = &[
    ("signal_id", "UInt64", false, "18446744073709551615"),
    ("detected_at", TIME, false, "1795348800000000000"),
    ("market", "Utf8", false, "xyz:SILVER"),
    ("asset_id", "UInt32", false, "110027"),
    ("side", "Utf8", false, "buy"),
    ("oracle_px", DECIMAL, false, "8060000000"),
    ("mark_px", DECIMAL, true, "8055000000"),
    ("bid_px", DECIMAL, true, "8010000000"),
    ("bid_sz", DECIMAL, true, "1200000000"),
    ("ask_px", DECIMAL, true, "8020000000"),
    ("ask_sz", DECIMAL, true, "350000000"),
    ("raw_edge_bps", "Float64", false, "49.5"),
    ("net_edge_bps", "Float64", false, "38.25"),
    ("cost_bps", "Float64", false, "16"),
    ("suggested_sz", DECIMAL, false, "35000000"),
    ("suggested_notional", DECIMAL, false, "2807000000"),
    ("size_factor", "Float64", false, "0.7"),
    ("spread_bps", "Float64", true, "12.5"),
    ("spread_ewma_bps", "Float64", true, "11.75"),
    ("bbo_age_us", "Int64", false, "12000"),
    ("ctx_age_us", "Int64", false, "1500"),
    ("bbo_time_ms", "Int64", false, "1795348799988"),
    ("cross_id", "UInt64", false, "1844674407370955161"),
    ("cross_age_ms", "Int64", false, "1000"),
    ("blocked_by", "Utf8", true, "SpreadShock"),
    ("gate_mask", "UInt8", false, "144"),
    ("decision", "Utf8", false, "blocked:SpreadShock"),
    ("limited_by", "Utf8", true, "margin"),
    ("mode", "Utf8", false, "observation"),
];

const FOLLOW_UPS: Golden = &[
    ("signal_id", "UInt64", false, "7"),
    ("market", "Utf8", false, "xyz:SILVER"),
    ("side", "Utf8", false, "buy"),
    ("signal_at", TIME, false, "1795348800000000000"),
    ("offset_ms", "Int32", false, "3000"),
    ("captured_at", TIME, false, "1795348803000000000"),
    ("oracle_px", DECIMAL, true, "8061000000"),
    ("bid_px", DECIMAL, true, "8050000000"),
    ("bid_sz", DECIMAL, true, "100000000"),
    ("ask_px", DECIMAL, true, "8070000000"),
    ("ask_sz", DECIMAL, true, "200000000"),
    ("raw_edge_bps", "Float64", true, "1.5"),
    ("edge_change_bps", "Float64", true, "-48"),
    ("oracle_moved_bps", "Float64", true, "1.25"),
    ("market_moved_bps", "Float64", true, "50"),
    ("markout_bps", "Float64", true, "37.5"),
    ("bbo_age_us", "Int64", true, "3000"),
    ("status", "Utf8", false, "captured"),
];

const ENTRIES: Golden = &[
    ("signal_id", "UInt64", false, "7"),
    ("market", "Utf8", false, "xyz:SILVER"),
    ("side", "Utf8", false, "buy"),
    ("latency_ms", "Int32", false, "400"),
    ("captured_at", TIME, false, "1795348800400000000"),
    ("limit_px", DECIMAL, false, "8020000000"),
    ("px", DECIMAL, true, "8025000000"),
    ("available_sz", DECIMAL, true, "0"),
    ("fillable_sz", DECIMAL, true, "0"),
    ("oracle_px", DECIMAL, true, "8061000000"),
    ("status", "Utf8", false, "stale"),
];

const CROSSES: Golden = &[
    ("cross_id", "UInt64", false, "3"),
    ("market", "Utf8", false, "xyz:SILVER"),
    ("side", "Utf8", false, "sell"),
    ("started_at", TIME, false, "1795348800000000000"),
    ("ended_at", TIME, false, "1795348802500000000"),
    ("duration_us", "Int64", false, "2501000"),
    ("quote_survival_us", "Int64", true, "650000"),
    ("max_raw_edge_bps", "Float64", false, "49.5"),
    ("signals", "UInt32", false, "3"),
    ("end_reason", "Utf8", false, "quote"),
];

const GAPS: Golden = &[
    ("started_at", TIME, false, "1795348800000000000"),
    ("ended_at", TIME, false, "1795348801000000000"),
    ("cause", "Utf8", false, "link_down"),
    ("markets", "UInt32", false, "42"),
];

const ORDERS: Golden = &[
    ("cloid", "Utf8", false, "0x00000000000000000000000000000700"),
    ("oid", "UInt64", true, "300000000007"),
    ("nonce", "UInt64", true, "1795348800001"),
    ("signal_id", "UInt64", true, "7"),
    ("market", "Utf8", false, "xyz:SILVER"),
    ("asset_id", "UInt32", false, "110027"),
    ("side", "Utf8", false, "buy"),
    ("px", DECIMAL, false, "8020000000"),
    ("sz", DECIMAL, false, "35000000"),
    ("reduce_only", "Boolean", false, "false"),
    ("reason", "Utf8", false, "entry"),
    ("outcome", "Utf8", false, "partially_filled"),
    ("refusal", "Utf8", true, "null"),
    ("filled", DECIMAL, false, "30000000"),
    ("avg_px", DECIMAL, true, "8015000000"),
    ("fee", DECIMAL, false, "216400"),
    ("created_at", TIME, false, "1795348800000000000"),
    ("sent_at", TIME, true, "1795348800000002500"),
    ("answered_at", TIME, true, "1795348800200000000"),
    ("updated_at", TIME, true, "1795348800201000000"),
    ("filled_at", TIME, true, "1795348800250000000"),
    ("ended_at", TIME, false, "1795348800260000000"),
    ("send_latency_ns", "Int64", true, "2345"),
    ("answer_latency_ns", "Int64", true, "199000000"),
];

const TRADES: Golden = &[
    ("trade_id", "UInt64", false, "9"),
    ("signal_id", "UInt64", true, "9"),
    ("market", "Utf8", false, "xyz:SILVER"),
    ("asset_id", "UInt32", false, "110027"),
    ("side", "Utf8", false, "buy"),
    ("sz", DECIMAL, false, "30000000"),
    ("entry_px", DECIMAL, false, "8015000000"),
    ("exit_px", DECIMAL, false, "8005000000"),
    ("entered_at", TIME, false, "1795348800250000000"),
    ("exited_at", TIME, false, "1795348802750000000"),
    ("holding_ms", "Int64", false, "2500"),
    ("exit_reason", "Utf8", false, "time_stop"),
    ("pnl_before_fees", DECIMAL, false, "-3000000"),
    ("fees", DECIMAL, false, "432500"),
    ("pnl", DECIMAL, false, "-3432500"),
    ("fills", "UInt32", false, "3"),
    ("adopted", "Boolean", false, "false"),
];

#[test]
fn a_gap_that_was_open_at_a_death_begins_where_it_began() {
    let dir = tempfile::tempdir().expect("a directory");
    let gap_of = |run, from, at| {
        let (store, recovery) = open(dir.path(), run, at);
        drop(store);
        let gap = recovery.gap.expect("a gap");
        assert_eq!((gap.started_at, gap.ended_at), (from, at), "{run}");
    };
    let (mut store, _) = open(dir.path(), "r1", NOON);
    store.alive(secs(NOON, 1), 3, Some(NOON));
    drop(store);
    // It died before it had seen everything once, and so did the next.
    gap_of("r2", NOON, secs(NOON, 10));
    gap_of("r3", secs(NOON, 10), secs(NOON, 20));
    let (mut store, _) = open(dir.path(), "r4", secs(NOON, 30));
    store.alive(secs(NOON, 31), 3, None);
    store.alive(secs(NOON, 40), 3, Some(secs(NOON, 38)));
    store.alive(secs(NOON, 45), 3, Some(secs(NOON, 38)));
    drop(store);
    gap_of("r5", secs(NOON, 38), secs(NOON, 60));
}

#[test]
fn columns_and_values_are_those_of_the_contract() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open(dir.path(), "r1", NOON);
    store.append(&signal(u64::MAX, NOON));
    store.append(&follow_up(7, 3000, NOON));
    store.append(&entry(7, 400, NOON));
    store.append(&cross(3, NOON));
    store.append(&gap(NOON));
    store.append(&entry_order(7, NOON));
    store.append(&trade(9, NOON));
    assert_eq!(store.flush(NOON).errors, [""; 0]);
    for (stem, golden) in [
        ("signals", SIGNALS),
        ("followup", FOLLOW_UPS),
        ("entries", ENTRIES),
        ("crosses", CROSSES),
        ("gaps", GAPS),
        ("orders", ORDERS),
        ("trades", TRADES),
    ] {
        let table = read_file(&dir.path().join(format!("{stem}_20261122.parquet")));
        let fields: Vec<_> = table
            .fields
            .iter()
            .map(|f| (f.name.as_str(), format!("{:?}", f.data_type()), f.is_nullable))
            .collect();
        let expected: Vec<_> =
            golden.iter().map(|(n, t, o, _)| (*n, (*t).to_owned(), *o)).collect();
        assert_eq!(fields, expected, "{stem}");
        assert_eq!(table.rows.len(), 1);
        for (name, _, _, value) in golden {
            assert_eq!(table.rows[0][*name], *value, "{stem}.{name}");
        }
        let meta = |key: &str| table.metadata[&format!("hip3.{key}")].as_str();
        assert_eq!(meta("schema_version"), "2");
        assert_eq!(meta("run_id"), "r1");
        assert_eq!(meta("git_commit"), "abc123");
        assert_eq!(meta("config_hash"), "config of r1");
    }
}

#[test]
fn what_is_not_known_is_null() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open(dir.path(), "r1", NOON);
    let Row::Signal(mut row) = signal(1, NOON) else { unreachable!() };
    (row.mark_px, row.bid, row.spread, row.spread_ewma, row.blocked_by) =
        (None, None, None, None, None);
    store.append(&Row::Signal(row));
    store.append(&signal(2, NOON));
    store.flush(NOON);
    let table = read_file(&dir.path().join("signals_20261122.parquet"));
    for name in ["mark_px", "bid_px", "bid_sz", "spread_bps", "spread_ewma_bps", "blocked_by"] {
        assert_eq!(table.rows[0][name], "null", "{name}");
        assert_ne!(table.rows[1][name], "null", "{name}");
    }
    assert_eq!(table.rows[0]["ask_px"], "8020000000");

    let Row::Trade(found) = trade(1, NOON) else { unreachable!() };
    store.append(&Row::Trade(TradeRow { signal: None, adopted: true, ..found }));
    store.append(&exit_order(1, NOON));
    store.flush(NOON);
    let table = read_file(&dir.path().join("trades_20261122.parquet"));
    let row = &table.rows[0];
    assert_eq!((row["signal_id"].as_str(), row["adopted"].as_str()), ("null", "true"));
    let table = read_file(&dir.path().join("orders_20261122.parquet"));
    let row = &table.rows[0];
    for name in [
        "oid",
        "nonce",
        "signal_id",
        "avg_px",
        "sent_at",
        "answered_at",
        "updated_at",
        "filled_at",
        "send_latency_ns",
        "answer_latency_ns",
    ] {
        assert_eq!(row[name], "null", "{name}");
    }
    assert_eq!((row["refusal"].as_str(), row["reduce_only"].as_str()), ("min_notional", "true"));
    assert_eq!((row["reason"].as_str(), row["outcome"].as_str()), ("mark_regression", "rejected"));
}

#[test]
fn an_order_and_a_trade_lie_in_the_file_of_the_day_they_ended_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let midnight = Wall((i64::from(NOON.day().0) + 1) * DAY_NS);
    let (mut store, _) = open(dir.path(), "r1", NOON);
    // 260 ms and 2750 ms long: both, one, and none end before midnight.
    for (id, ms) in [(1, 2_751), (2, 1_000), (3, 260)] {
        let at = midnight.minus(Nanos::from_millis(ms));
        round_trip(id, at).iter().for_each(|row| store.append(row));
    }
    store.close(secs(midnight, 10)).expect("it closes");
    let count = |name: &str| read_file(&dir.path().join(name)).rows.len();
    assert_eq!((count("orders_20261122.parquet"), count("orders_20261123.parquet")), (4, 2));
    assert_eq!((count("trades_20261122.parquet"), count("trades_20261123.parquet")), (1, 2));
}

#[test]
fn orders_and_trades_of_a_killed_run_are_there_once_and_nothing_is_made_up_for_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open(dir.path(), "r1", NOON);
    round_trip(1, NOON).iter().for_each(|row| store.append(row));
    store.flush(NOON);
    round_trip(2, NOON).iter().for_each(|row| store.append(row));
    store.append(&entry_order(3, NOON)); // Its trade did not end.
    store.commit(secs(NOON, 1));
    drop(store);
    let (store, recovery) = open(dir.path(), "r2", secs(NOON, 60));
    assert_eq!((recovery.rows_recovered, recovery.rows_settled), (4, 0));
    store.close(secs(NOON, 61)).expect("it closes");
    let recorded = recorded(dir.path());
    assert!(recorded.values().all(|n| *n == 1));
    let kept = recorded.keys().filter(|key| !key.starts_with("gap ")).count();
    assert_eq!(kept, 7);
    assert!(recorded.contains_key(&key(&entry_order(3, NOON))));
    let table = read_file(&dir.path().join("trades_20261122.parquet"));
    let sums: Vec<_> = table.rows.iter().map(|row| row["pnl"].as_str()).collect();
    assert_eq!(sums, ["-3432500", "-3432500"], "from the file and from the journal alike");
}

#[test]
fn records_whose_first_run_dies_before_its_first_flush_know_when_they_began() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open(dir.path(), "r1", NOON);
    store.commit(secs(NOON, 5));
    drop(store);
    // What ended in that run without a row is still ours to book.
    let (store, _) = open(dir.path(), "r2", secs(NOON, 10));
    assert_eq!(store.recorded().since, Some(NOON));
}

#[test]
fn the_records_know_when_each_market_was_last_left_through_flush_end_and_death() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |seconds| secs(NOON, seconds);
    let Row::Trade(first) = trade(1, at(10)) else { unreachable!() };
    let coin = first.coin;
    let (mut store, _) = open(dir.path(), "r1", at(0));
    assert_eq!(store.recorded().since, Some(at(0)));
    assert_eq!(
        store.recorded().until(coin),
        Some(at(0)),
        "nothing before the records is ours to book"
    );
    store.append(&Row::Trade(first));
    store.flush(at(20));
    drop(store); // As good as killed, with the row in its file.

    let (mut store, _) = open(dir.path(), "r2", at(30));
    assert_eq!(store.recorded().until(coin), Some(first.exited_at));
    let Row::Trade(second) = trade(2, at(40)) else { unreachable!() };
    store.append(&Row::Trade(second));
    store.commit(at(50));
    drop(store); // And now with the row in the journal alone.

    let (store, _) = open(dir.path(), "r3", at(60));
    assert_eq!(store.recorded().until(coin), Some(second.exited_at));
    store.close(at(70)).expect("it closes");
    let (store, _) = open(dir.path(), "r4", at(80));
    assert_eq!((store.recorded().since, store.recorded().exits.len()), (Some(at(0)), 1));
    assert_eq!(store.recorded().until(coin), Some(second.exited_at));
}

#[test]
fn every_flush_shows_every_row_once_and_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_small(dir.path(), "r1", NOON);
    let mut ids = Vec::new();
    for flush in 0..40_u64 {
        for n in 0..flush % 7 {
            let id = flush * 100 + n;
            store.append(&follow_up(id, 1000, NOON));
            ids.push(id.to_string());
        }
        let report = store.flush(secs(NOON, flush));
        assert_eq!((report.rows, report.errors), (flush % 7, vec![]));
        if ids.is_empty() {
            continue;
        }
        let table = read_file(&dir.path().join("followup_20261122.parquet"));
        let read: Vec<_> = table.rows.iter().map(|row| row["signal_id"].clone()).collect();
        assert_eq!(read, ids);
        assert!(table.row_groups <= ids.len() / 4 + 3, "sealed groups are full");
    }
    assert_eq!(ids.len(), 115);
    assert_eq!(names(dir.path()), ["followup_20261122.parquet", "journal", "lock"]);
}

#[test]
fn a_flush_costs_the_new_rows_and_at_most_one_group_of_older_ones() {
    let dir = tempfile::tempdir().expect("a directory");
    let limits = Limits { group_rows: 256, ..Limits::default() };
    let (mut store, _) =
        Store::open_on(Box::new(OsDisk), dir.path(), run("r1"), NOON, limits).expect("it opens");
    let (mut encoded, mut most_groups) = (0, 0);
    for flush in 0..200_u64 {
        store.append(&gap(secs(NOON, 2 * flush)));
        store.append(&gap(secs(NOON, 2 * flush + 1)));
        let report = store.flush(secs(NOON, flush));
        assert_eq!(report.rows, 2);
        assert!(report.rows_encoded <= 256, "{report:?}");
        encoded += report.rows_encoded;
        if flush % 20 == 19 {
            let table = read_file(&dir.path().join("gaps_20261122.parquet"));
            most_groups = most_groups.max(table.row_groups);
        }
    }
    assert!((401..400 * 4).contains(&encoded), "{encoded}: merged, and not often");
    assert!((3..24).contains(&most_groups), "{most_groups}");
    store.close(secs(NOON, 1000)).expect("it closes");
    let table = read_file(&dir.path().join("gaps_20261122.parquet"));
    assert_eq!((table.rows.len(), table.row_groups), (400, 2), "a sealed group and the rest");
}

/// Some readers open a file twice, and put the footer of the first upon the pages of the second.
#[test]
fn a_footer_read_before_a_flush_is_true_of_the_file_after_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open_small(dir.path(), "r1", NOON);
    let path = dir.path().join("gaps_20261122.parquet");
    let mut footers = Vec::new();
    for flush in 0..60 {
        if flush == 30 {
            store = {
                drop(store);
                open_small(dir.path(), "r2", secs(NOON, 1000)).0
            };
        }
        (0..=flush % 3).for_each(|n| store.append(&gap(secs(NOON, 10 * flush + n))));
        store.flush(secs(NOON, flush));
        footers.push(read_footer(&path));
        let now = read_file(&path).rows;
        for footer in &footers {
            let rows = read_with(&path, footer.clone());
            assert_eq!(rows, now[..footer.num_rows]);
        }
    }
    assert_eq!(footers.last().map(|footer| footer.num_rows), Some(121));
}

#[test]
fn dead_bytes_are_dropped_when_they_are_many_and_when_the_day_is_over() {
    let size =
        |dir: &Path| fs::metadata(dir.join("gaps_20261122.parquet")).expect("the file").len();
    let fill = |dir: &Path, dead_bytes: u64| {
        let limits = Limits { group_rows: 256, dead_bytes, ..Limits::default() };
        let opened = Store::open_on(Box::new(OsDisk), dir, run("r1"), NOON, limits);
        let mut store = opened.expect("it opens").0;
        for flush in 0..100 {
            store.append(&gap(secs(NOON, flush)));
            store.flush(secs(NOON, flush));
        }
        store
    };
    let (kept, dropped) =
        (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let mut store = fill(kept.path(), 16 << 20);
    drop(fill(dropped.path(), 0));
    assert!(size(kept.path()) > 2 * size(dropped.path()));
    assert_eq!(recorded(dropped.path()), recorded(kept.path()));
    let before = (recorded(kept.path()), size(kept.path()));
    store.flush(secs(NOON, 86_400));
    assert_eq!(recorded(kept.path()), before.0);
    assert!(size(kept.path()) < before.1 / 4, "{} of {}", size(kept.path()), before.1);
}

#[test]
fn a_restart_on_the_same_day_continues_the_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut expected = Vec::new();
    for (n, id) in ["r1", "r2", "r3"].into_iter().enumerate() {
        let at = secs(NOON, 100 * n as u64);
        let (mut store, recovery) = open_small(dir.path(), id, at);
        assert_eq!(recovery.warnings, [""; 0]);
        assert_eq!((recovery.rows_recovered, recovery.rows_settled), (0, 0));
        for row in episode(n as u64 + 1, at) {
            store.append(&row);
            expected.push(key(&row));
        }
        let summary = store.close(secs(at, 10)).expect("it closes");
        assert_eq!(summary.rows, [1, 3, 2, 1, 0, 0, 0]);
    }
    expected.push(format!("gap stopped {}", secs(NOON, 10).0));
    expected.push(format!("gap stopped {}", secs(NOON, 110).0));
    expected.sort();
    let recorded = recorded(dir.path());
    assert!(recorded.values().all(|n| *n == 1));
    assert_eq!(recorded.into_keys().collect::<Vec<_>>(), expected);

    let table = read_file(&dir.path().join("followup_20261122.parquet"));
    assert_eq!(table.metadata["hip3.run_id"], "r3");
    let runs: serde_json::Value = serde_json::from_str(&table.metadata["hip3.runs"]).expect("JSON");
    let runs: Vec<_> = runs
        .as_array()
        .expect("a list")
        .iter()
        .map(|run| (run["run_id"].as_str(), run["first_row"].as_u64(), run["mode"].as_str()))
        .collect();
    let observation = Some("observation");
    assert_eq!(
        runs,
        [
            (Some("r1"), Some(0), observation),
            (Some("r2"), Some(3), observation),
            (Some("r3"), Some(6), observation),
        ]
    );
}

#[test]
fn a_killed_run_leaves_no_row_out_and_the_next_one_says_what_is_missing() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open(dir.path(), "r1", NOON);
    episode(1, NOON).iter().for_each(|row| store.append(row));
    store.append(&signal(20, NOON));
    store.append(&signal(21, NOON)); // The same cross.
    store.append(&entry(20, 50, NOON));
    store.flush(NOON);
    store.append(&follow_up(20, 1000, NOON));
    store.alive(secs(NOON, 2), 42, None);
    drop(store);

    let (store, recovery) = open(dir.path(), "r2", secs(NOON, 60));
    assert!(!recovery.clean);
    assert_eq!(recovery.last_alive, Some(secs(NOON, 2)));
    assert_eq!((recovery.rows_recovered, recovery.rows_settled), (1, 9));
    let gap = recovery.gap.expect("a gap");
    assert_eq!((gap.cause, gap.markets), (GapCause::Killed, 42));
    assert_eq!((gap.started_at, gap.ended_at), (secs(NOON, 2), secs(NOON, 60)));
    drop(store); // Killed again: nothing is owed twice.
    let (store, recovery) = open(dir.path(), "r3", secs(NOON, 90));
    assert_eq!((recovery.rows_recovered, recovery.rows_settled), (0, 0));
    assert_eq!(recovery.last_alive, Some(secs(NOON, 60)));
    store.close(secs(NOON, 91)).expect("it closes");

    let keys = recorded(dir.path());
    for id in [10, 20, 21] {
        for latency in LATENCIES {
            assert_eq!(keys[&format!("entry {id} {latency}")], 1);
        }
        for offset in [1000, 3000, 5000] {
            assert_eq!(keys[&format!("followup {id} {offset}")], 1);
        }
    }
    assert_eq!((keys["cross 1"], keys["cross 2"]), (1, 1));
    assert_eq!(keys.len(), 3 + 6 + 9 + 2 + 2);
    let table = read_file(&dir.path().join("followup_20261122.parquet"));
    let missing = |row: &&std::collections::BTreeMap<String, String>| row["status"] == "shutdown";
    for row in table.rows.iter().filter(missing) {
        assert_eq!(row["captured_at"], secs(NOON, 2).0.to_string());
        assert_eq!((row["oracle_px"].as_str(), row["markout_bps"].as_str()), ("null", "null"));
    }
    assert_eq!(table.rows.iter().filter(missing).count(), 5);
    let table = read_file(&dir.path().join("crosses_20261122.parquet"));
    let row = &table.rows[1];
    assert_eq!((row["end_reason"].as_str(), row["signals"].as_str()), ("killed", "2"));
    // A second before the signal, as the signal said.
    assert_eq!(row["started_at"], NOON.minus(Nanos::from_secs(1)).0.to_string());
    assert_eq!(row["duration_us"], "3000000");
}

#[test]
fn rows_lie_in_the_files_of_their_day() {
    let dir = tempfile::tempdir().expect("a directory");
    let midnight = Wall((i64::from(NOON.day().0) + 1) * DAY_NS);
    let (mut store, _) = open_small(dir.path(), "r1", NOON);
    let before = midnight.minus(Nanos(1));
    store.append(&signal(10, before));
    store.append(&signal(20, midnight));
    store.flush(midnight);
    for row in episode(1, before).into_iter().chain(episode(2, midnight)) {
        if key(&row) != "signal 10" && key(&row) != "signal 20" {
            store.append(&row);
        }
    }
    store.flush(secs(midnight, 5));
    store.flush(secs(midnight, 3600)); // Lets the files of the past day go.
    store.append(&follow_up(30, 1000, before)); // A late row still finds its file.
    store.close(secs(midnight, 3601)).expect("it closes");
    let recorded = recorded(dir.path());
    assert!(recorded.values().all(|n| *n == 1));
    assert_eq!(recorded.len(), 15);
    let count = |name: &str| read_file(&dir.path().join(name)).rows.len();
    assert_eq!(count("followup_20261122.parquet"), 4);
    assert_eq!(count("followup_20261123.parquet"), 3);
    assert_eq!(count("signals_20261122.parquet"), 1);
}

#[test]
fn a_file_that_is_not_ours_is_moved_aside_and_never_overwritten() {
    let foreign = b"someone else's".to_vec();
    let other_schema = |dir: &Path| {
        let (mut store, _) = open(dir, "r0", NOON);
        store.append(&gap(NOON));
        store.close(NOON).expect("it closes");
        let whole = fs::read(dir.join("gaps_20261122.parquet")).expect("the file");
        fs::remove_file(dir.join("journal")).expect("no journal");
        whole
    };
    type Spoil = fn(Vec<u8>) -> Vec<u8>;
    let spoils: [(&str, Spoil); 6] = [
        ("bad", |mut whole| {
            whole.truncate(whole.len() / 2);
            whole
        }),
        ("bad", |_| Vec::new()),
        ("bad", |mut whole| {
            let at = whole.len() - 40;
            whole[at..].fill(0xFF);
            whole
        }),
        ("bad", |whole| [&b"PAR1"[..], &whole[whole.len() - 300..]].concat()),
        ("foreign", |whole| replace(&whole, b"hip3.schema_version\x18\x012", |at| at[21] = b'9')),
        ("foreign", |whole| replace(&whole, b"markets", |at| at[0] = b'M')),
    ];
    for (n, (what, spoil)) in spoils.into_iter().enumerate() {
        let dir = tempfile::tempdir().expect("a directory");
        let spoiled = spoil(other_schema(dir.path()));
        let path = dir.path().join("gaps_20261122.parquet");
        fs::write(&path, &spoiled).expect("written");
        fs::write(dir.path().join("signals_20261122.parquet"), &foreign).expect("written");
        let (mut store, recovery) = open(dir.path(), "r1", NOON);
        assert_eq!(recovery.warnings.len(), 2, "{n}: {:?}", recovery.warnings);
        assert_eq!(store.health().files_displaced, 2);
        store.append(&gap(secs(NOON, 1)));
        store.append(&signal(1, NOON));
        store.close(secs(NOON, 1)).expect("it closes");
        let aside = dir.path().join(format!("gaps_20261122.parquet.{what}-{}", NOON.0));
        assert_eq!(fs::read(aside).expect("kept"), spoiled, "{n}");
        let aside = dir.path().join(format!("signals_20261122.parquet.bad-{}", NOON.0));
        assert_eq!(fs::read(aside).expect("kept"), foreign);
        assert_eq!(read_file(&path).rows.len(), 1, "{n}");
    }
}

/// `bytes` with `change` applied where `pattern` lies, once at least.
fn replace(bytes: &[u8], pattern: &[u8], change: fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut found = 0;
    for at in 0..bytes.len() - pattern.len() {
        if bytes[at..].starts_with(pattern) {
            change(&mut bytes[at..at + pattern.len()]);
            found += 1;
        }
    }
    assert!(found > 0, "the pattern is not there");
    bytes
}

#[test]
fn a_file_that_is_swapped_or_removed_during_the_run_costs_no_row() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("signals_20261122.parquet");
    let (mut store, _) = open_small(dir.path(), "r1", NOON);
    (0..6).for_each(|id| store.append(&signal(id, NOON)));
    store.flush(NOON);
    fs::remove_file(&path).expect("removed");
    store.append(&signal(6, NOON));
    store.flush(secs(NOON, 1));
    assert_eq!(read_file(&path).rows.len(), 7);
    fs::rename(&path, dir.path().join("moved")).expect("moved");
    fs::write(&path, b"other").expect("written");
    store.append(&signal(7, NOON));
    let report = store.flush(secs(NOON, 2));
    assert_eq!(report.errors, [""; 0]);
    assert_eq!(read_file(&path).rows.len(), 8);
    let aside = format!("signals_20261122.parquet.foreign-{}", secs(NOON, 2).0);
    assert_eq!(fs::read(dir.path().join(aside)).expect("kept"), b"other");
    assert_eq!(store.health().files_displaced, 2);
}

#[test]
fn a_file_that_is_removed_before_the_end_is_written_again_at_the_end_though_no_row_waits() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open(dir.path(), "r1", NOON);
    store.append(&trade(1, NOON));
    store.flush(secs(NOON, 10));
    let path = files(dir.path()).pop().expect("a file");
    fs::remove_file(&path).expect("removed");
    store.close(secs(NOON, 20)).expect("it closes");
    assert_eq!(read_file(&path).rows.len(), 1);
}

#[test]
fn one_directory_belongs_to_one_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path(), "r1", NOON);
    let second = Store::open(dir.path(), run("r2"), NOON);
    assert!(matches!(second, Err(StoreError::InUse { .. })));
    drop(store);
    open(dir.path(), "r3", NOON);
}

#[test]
fn a_directory_that_cannot_be_used_is_refused_with_its_path() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("written");
    let Err(error) = Store::open(&file.join("data"), run("r1"), NOON) else {
        panic!("a file is no directory")
    };
    assert!(error.to_string().contains("file/data"), "{error}");

    let limits = Limits { room_needed: u64::MAX, ..Limits::default() };
    let full = Store::open_on(Box::new(OsDisk), dir.path(), run("r1"), NOON, limits);
    assert!(matches!(full, Err(StoreError::NoRoom { .. })));
    let limits = Limits { room_wanted: u64::MAX, ..Limits::default() };
    let (_, recovery) = Store::open_on(Box::new(OsDisk), dir.path(), run("r1"), NOON, limits)
        .expect("little room is no reason not to start");
    assert_eq!(recovery.warnings.len(), 1, "{:?}", recovery.warnings);
}
