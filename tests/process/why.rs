//! `hip3 why`: the answer for each way in which there can be no order, and for an order; from records of
//! the real store, of a demo, and of a store that is still being written.

use std::path::Path;

use hip3::persistence::{RunInfo, Store};
use hip3::types::ids::{Coin, CrossId, SignalId};
use hip3::types::record::{
    Check, Decision, Filter, GapCause, GapRow, Gate, Mode, OrderRow, Outcome, Row, SignalRow,
    TradeRow,
};
use hip3::types::time::{Nanos, Wall};
use serde_json::Value;

use crate::funded::rows;
use crate::harness::output;
use crate::store_rows::{NOON, cross, entry_order, run, secs, signal, trade};

/// A store in `dir` whose run trades and began a minute before noon.
fn store(dir: &Path) -> Store {
    let run = RunInfo { mode: Mode::Trading, started_at: secs_before(60), ..run("r") };
    Store::open(dir, run, secs_before(60)).expect("a store").0
}

fn secs_before(s: u64) -> Wall {
    NOON.minus(Nanos::from_secs(s))
}

/// A signal with this decision, its gate beside it.
fn decided(id: u64, at: Wall, decision: Decision) -> Row {
    let Row::Signal(row) = signal(id, at) else { panic!("a signal") };
    let gate = if let Decision::Blocked(gate) = decision { Some(gate) } else { None };
    let gate_mask = gate.map_or(0, Gate::bit);
    Row::Signal(SignalRow { decision, blocked_by: gate, gate_mask, ..row })
}

/// The cross of signals `10 × id` and on, for ten seconds.
fn its_cross(id: u64, from: Wall, signals: u32) -> Row {
    let Row::Cross(mut row) = cross(id, from) else { panic!("a cross") };
    row.side = hip3::types::num::Side::Buy;
    row.ended_at = secs(from, 10);
    row.signals = signals;
    Row::Cross(row)
}

fn why_with(dir: &Path, market: &str, at: &str, more: &[&str]) -> (i32, String, String) {
    let dir = dir.display().to_string();
    let args = ["why", "--market", market, "--at", at, "--date", "2026-11-22", &dir];
    output(&[&args[..], more].concat())
}

/// The last line of the answer for SILVER.
#[track_caller]
fn verdict(dir: &Path, at: &str) -> String {
    let (code, out, errors) = why_with(dir, "xyz:SILVER", at, &[]);
    assert_eq!(code, 0, "{errors}");
    out.lines().last().expect("a verdict").to_owned()
}

#[test]
fn each_decision_is_explained_with_what_it_met() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = store(dir.path());
    let minute = |n: u64| secs(NOON, 60 * n);
    let mut rows = Vec::new();
    for (n, decision) in [
        (0, Decision::Blocked(Gate::SpreadShock)),
        (1, Decision::Blocked(Gate::Halt)),
        (2, Decision::Failed(Check::NotReady)),
        (3, Decision::Failed(Check::AlreadyHasPosition)),
        (4, Decision::BelowMinimum),
        (5, Decision::Observed),
        (7, Decision::Filtered(Filter::MaxEdge)),
    ] {
        rows.push(decided(10 * n, minute(n), decision));
        rows.push(its_cross(n, minute(n), 1));
    }
    // What is held while the fourth signal comes.
    let Row::Trade(held) = trade(7, secs(minute(3), 5)) else { panic!("a trade") };
    rows.push(Row::Trade(TradeRow { entered_at: secs(NOON, 175), ..held }));
    for row in &rows {
        store.append(row);
    }
    store.close(secs(NOON, 600)).expect("an end in order");

    for (at, words) in [
        (
            "12:00:00",
            "no order: gate SpreadShock blocked the signal (spread 12.5 bps, average 11.8)",
        ),
        ("12:01:00", "no order: gate Halt blocked the signal: the market was halted or delisted"),
        ("12:02:00", "no order: check NotReady rejected the signal: trading was not ready"),
        (
            "12:03:00",
            "no order: check AlreadyHasPosition skipped the signal: the market had a position",
        ),
        (
            "12:04:00",
            "no order: the signal was skipped: clipped to what the account's free margin backed, which is less",
        ),
        ("12:05:00", "no order: the engine only observed"),
        ("12:07:00", "no order: filter MaxEdge blocked the signal: the edge was beyond"),
        (
            "12:06:00",
            "no order: no quote stood past the oracle by its cost: there was no cross (the nearest",
        ),
        ("12:20:00", "no order: the engine did not run: the run ended at 2026-11-22T12:10:00.000Z"),
        (
            "11:00:00",
            "no order: nothing was recorded: the records begin at 2026-11-22T11:59:00.000Z",
        ),
    ] {
        let told = verdict(dir.path(), at);
        assert!(told.starts_with(words), "{at}: {told}");
    }
    assert!(verdict(dir.path(), "12:03:00").contains("held from 2026-11-22T12:02:55.000Z"));
    // Nine seconds into a cross whose only signal lies out of the window.
    let (_, out, _) = why_with(dir.path(), "xyz:SILVER", "12:00:09", &["--window", "2s"]);
    assert!(out.lines().last().is_some_and(|line| line.contains("a cross was open")), "{out}");
    // The whole answer: the cross, the signal and its meaning, on one time line.
    let (_, out, _) = why_with(dir.path(), "xyz:SILVER", "12:00:00", &[]);
    for words in
        ["ran in trading mode as r", "a cross was open: since", "+0.000 s  signal", "to buy ends"]
    {
        assert!(out.contains(words), "{words}: {out}");
    }
}

#[test]
fn an_order_is_told_with_its_steps_and_its_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = store(dir.path());
    let Row::Order(filled) = entry_order(1, NOON) else { panic!("an order") };
    let of = |signal: u64, outcome, refusal, filled: hip3::types::num::Sz, row: OrderRow| {
        let purpose = hip3::types::order::Purpose::Entry(SignalId(signal));
        Row::Order(OrderRow { purpose, outcome, refusal, filled, ..row })
    };
    let missed = secs(NOON, 60);
    let Row::Order(miss) = entry_order(2, missed) else { panic!("an order") };
    let refusal = Some(hip3::types::order::Refusal::NoMatch);
    let Row::Trade(trip) = trade(9, NOON) else { panic!("a trade") };
    for row in [
        decided(10, NOON, Decision::Sent),
        of(10, Outcome::Filled, None, filled.sz, filled),
        Row::Trade(TradeRow { signal: Some(SignalId(10)), ..trip }),
        decided(20, missed, Decision::Sent),
        of(20, Outcome::Expired, refusal, hip3::types::num::Sz::ZERO, miss),
        decided(30, secs(NOON, 120), Decision::Sent),
    ] {
        store.append(&row);
    }
    store.close(secs(NOON, 600)).expect("an end in order");
    let told = verdict(dir.path(), "12:00:00");
    assert!(
        told.starts_with("an order: ") && told.contains("all of it filled; closed after"),
        "{told}"
    );
    let told = verdict(dir.path(), "12:01:00");
    assert!(told.contains("nothing of it filled; no_match (a miss"), "{told}");
    let told = verdict(dir.path(), "12:02:00");
    assert!(told.contains("its order has no row yet"), "{told}");

    let (_, out, _) = why_with(dir.path(), "xyz:SILVER", "12:00:00", &["--json"]);
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&json["order"], &json["engine"]["state"]), (&true.into(), &"ran".into()));
    assert_eq!(json["signals"][0]["decision"], "sent");
    assert_eq!(json["orders"][0]["outcome"], "filled");
    assert_eq!(json["trades"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_only_the_journal_of_a_running_store_holds_counts_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = store(dir.path());
    store.append(&decided(10, NOON, Decision::Blocked(Gate::OiCap)));
    store.flush(secs(NOON, 1));
    store.append(&decided(11, secs(NOON, 30), Decision::Blocked(Gate::SpreadShock)));
    store.alive(secs(NOON, 31), 3, Some(secs(NOON, 31)));
    // In the journal and in no file; and its cross lasts.
    let told = verdict(dir.path(), "12:00:30");
    assert!(told.contains("gate SpreadShock"), "{told}");
    let (_, out, _) = why_with(dir.path(), "xyz:SILVER", "12:00:30", &["--json", "--window", "1m"]);
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["signals"].as_array().map(Vec::len), Some(2), "{json:#}");
    assert_eq!(json["crosses"][0]["ended_at"], Value::Null, "{json:#}");
    assert_eq!(json["crosses"][0]["signals"], 2, "{json:#}");
    let told = verdict(dir.path(), "12:05:00");
    assert!(told.contains("last sign of life is of 2026-11-22T12:00:31.000Z"), "{told}");
    // A gap that has no end yet is known as well.
    let (_, out, _) = why_with(dir.path(), "xyz:GOLD", "12:00:31", &[]);
    assert!(out.contains("gap: link_down from 2026-11-22T12:00:31.000Z"), "{out}");
    // The same once it is in the file.
    store.flush(secs(NOON, 40));
    let (_, out, _) = why_with(dir.path(), "xyz:SILVER", "12:00:30", &["--json", "--window", "1m"]);
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["signals"].as_array().map(Vec::len), Some(2), "{json:#}");
    store.close(secs(NOON, 60)).expect("an end in order");
}

#[test]
fn a_gap_an_unknown_market_and_wrong_usage_are_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = store(dir.path());
    let Row::Cross(other) = cross(1, NOON) else { panic!("a cross") };
    let coin = Coin::new("xyz:NVDA").expect("a name");
    store.append(&Row::Cross(hip3::types::record::CrossRow { coin, id: CrossId(5), ..other }));
    let (started_at, ended_at) = (secs(NOON, 60), secs(NOON, 90));
    let cause = GapCause::LinkDown;
    store.append(&Row::Gap(GapRow { started_at, ended_at, cause, markets: 3 }));
    store.close(secs(NOON, 600)).expect("an end in order");
    let told = verdict(dir.path(), "12:01:10");
    assert!(told.contains("not every market was seen: link_down"), "{told}");

    let (code, out, _) = why_with(dir.path(), "xyz:NVDIA", "12:02:00", &[]);
    assert_eq!(code, 0);
    let last = out.lines().last().unwrap_or_default();
    assert!(last.contains("did you mean xyz:NVDA?"), "{out}");

    let (code, _, errors) = why_with(dir.path(), "xyz:NVDA", "noon", &[]);
    assert_eq!(code, 2);
    assert!(errors.contains("--at \"noon\": expected a UTC time"), "{errors}");
    let (code, _, errors) = why_with(&dir.path().join("nowhere"), "xyz:NVDA", "12:00:00", &[]);
    assert!(code == 1 && errors.contains("nowhere"), "{errors}");
}

#[test]
fn the_orders_of_a_demo_are_found_and_explained() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("signals");
    let data_text = data.display().to_string();
    let sets = [
        "risk.max_bbo_age_ms=off",
        "risk.max_ctx_age_ms=off",
        "risk.spread_shock_multiplier=1000",
        "risk.min_ewma_samples=1",
        "detector.taker_fee_bps=0",
        "detector.slippage_bps=0",
        "detector.min_edge_bps=0",
        "detector.min_book_notional=1",
        "detector.normal_book_notional=2",
        "risk_monitor.max_loss_usd=1000",
        "runtime.hot_core=none",
        "runtime.cold_core=none",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let demo = ["demo", "--mode", "trading", "--duration", "8s", "--seed", "3"];
    let (code, _, errors) = output(&[&demo[..], &["--data-dir", &data_text], &sets].concat());
    assert_eq!(code, 0, "{errors}");
    let orders = rows(&data, "orders_");
    let order = orders.iter().find(|row| row["reason"] == "entry").expect("an entry");
    let created = order["created_at"].parse::<i64>().expect("a time");
    let of_day = created.rem_euclid(86_400_000_000_000) / 1_000_000;
    let (second, ms) = (of_day / 1_000, of_day % 1_000);
    let (year, month, day) = Wall(created).day().civil();
    let at = format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    );
    let args = ["why", "--market", &order["market"], "--at", &at, "--json", &data_text];
    let (code, out, errors) = output(&args);
    assert_eq!(code, 0, "{errors}");
    let json: Value = serde_json::from_str(&out).expect("JSON");
    let told = json["verdict"].as_str().expect("a verdict");
    let of_order = json["orders"].as_array().expect("orders");
    assert!(of_order.iter().any(|one| one["cloid"] == order["cloid"].as_str()), "{json:#}");
    let sent = order["sent_at"] != "null";
    assert_eq!(json["order"].as_bool(), Some(sent), "{json:#}");
    assert!(told.starts_with(if sent { "an order: " } else { "no order: approved" }), "{told}");
}
