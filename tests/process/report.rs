//! `hip3 report`: the whole command, on records of the real store, of a demo, and of a store that is still
//! being written; and what it says to directories and flags that are wrong.

use std::fs;
use std::path::Path;

use hip3::persistence::{RunInfo, Store};
use hip3::types::ids::Coin;
use hip3::types::market::Level;
use hip3::types::num::Bps;
use hip3::types::record::{
    CrossRow, EntryRow, FollowUpRow, GapCause, GapRow, Mode, Row, SampleStatus, SignalRow,
};
use hip3::types::time::{Nanos, Wall};
use serde_json::Value;

use crate::harness::output;
use crate::store_rows::{
    NOON, cross, entry, entry_order, exit_order, follow_up, px, run, secs, signal, sz, trade,
};

fn store(dir: &Path, at: Wall) -> Store {
    let run = RunInfo { mode: Mode::Trading, started_at: at, ..run("r") };
    Store::open(dir, run, at).expect("a store").0
}

fn report(dir: &Path, more: &[&str]) -> (i32, String, String) {
    let text = dir.display().to_string();
    output(&[&["report", &text], more].concat())
}

fn json(dir: &Path, more: &[&str]) -> Value {
    let (code, out, errors) = report(dir, &[&["--json"], more].concat());
    assert_eq!(code, 0, "{errors}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// Everything of signal `10 × id`: buy 0.35 at 80.2, all of it still there at 50 ms, `left` of it at
/// 400 ms; the bid stands at `bid` from the first second on. No gate blocks, and nothing was owed to the fee.
fn seen(id: u64, at: Wall, coin: &str, left: &str, bid: &str) -> Vec<Row> {
    let coin = Coin::new(coin).expect("a name");
    let number = 10 * id;
    let Row::Signal(one) = signal(number, at) else { panic!("a signal") };
    let mut rows = vec![Row::Signal(SignalRow {
        coin,
        blocked_by: None,
        gate_mask: 0,
        decision: hip3::types::record::Decision::Observed,
        cross_age: Nanos::ZERO,
        // A print of its own: else they would be one episode.
        oracle_px: px(&format!("80.{}", 600_000 + id)),
        net_edge: Bps::parse(b"29.5").expect("bps"),
        ..one
    })];
    for (latency_ms, fillable) in [(50, "0.35"), (400, left)] {
        let Row::Entry(one) = entry(number, latency_ms, at) else { panic!("a probe") };
        let fillable_sz = Some(sz(fillable));
        rows.push(Row::Entry(EntryRow {
            coin,
            fillable_sz,
            status: SampleStatus::Captured,
            ..one
        }));
    }
    for offset_ms in [1000, 3000, 5000] {
        let Row::FollowUp(one) = follow_up(number, offset_ms, at) else { panic!("a look") };
        let bid = Some(Level { px: px(bid), sz: sz("1") });
        rows.push(Row::FollowUp(FollowUpRow { coin, bid, ..one }));
    }
    let Row::Cross(one) = cross(id, at) else { panic!("a cross") };
    let side = hip3::types::num::Side::Buy;
    rows.push(Row::Cross(CrossRow { coin, side, signals: 1, ..one }));
    rows
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

fn close(found: &Value, by_hand: f64) {
    assert!((number(found) - by_hand).abs() < 1e-9, "{found}, by hand {by_hand}");
}

#[test]
fn records_become_figures() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = store(dir.path(), NOON);
    for row in seen(1, secs(NOON, 10), "xyz:SILVER", "0.35", "81.002") {
        store.append(&row);
    }
    for row in seen(2, secs(NOON, 100), "xyz:SILVER", "0", "81.002") {
        store.append(&row);
    }
    for row in seen(3, secs(NOON, 200), "xyz:GOLD", "0.35", "80.2") {
        store.append(&row);
    }
    store.append(&signal(40, secs(NOON, 300)));
    let (started_at, ended_at) = (secs(NOON, 500), secs(NOON, 530));
    store.append(&Row::Gap(GapRow { started_at, ended_at, cause: GapCause::LinkDown, markets: 2 }));
    for row in
        [entry_order(10, secs(NOON, 10)), exit_order(10, secs(NOON, 13)), trade(10, secs(NOON, 10))]
    {
        store.append(&row);
    }
    store.close(secs(NOON, 600)).expect("an end in order");

    let json = json(dir.path(), &[]);
    let counts = &json["counts"];
    assert_eq!(
        (&counts["signals"], &counts["blocked"], &counts["valued"]),
        (&4.into(), &1.into(), &3.into())
    );
    assert_eq!((&counts["crosses"], &counts["episodes"]), (&4.into(), &3.into()));
    assert_eq!(json["source"]["runs"], serde_json::json!(["r"]));
    assert_eq!(json["source"]["from"], "2026-11-22T12:00:00Z");
    assert_eq!(json["settings"]["latencies_ms"], serde_json::json!([50, 400]));
    // The raw edge is 49.5, the net one 38.5, slippage 2: a fee of 9 bps. From 80.2 to 81.002: 100 bps.
    let silver = &json["markets"][0];
    assert_eq!(silver["market"], "xyz:SILVER");
    let net = 100.0 - 9.0 * (1.0 + 81.002 / 80.2);
    close(&silver["chosen"]["mean_net_bps"]["value"], net);
    close(&silver["chosen"]["mean_value_bps"]["value"], net / 2.0);
    close(&silver["chosen"]["usd"], 0.35 * 80.2 * net / 1e4);
    assert_eq!((&silver["chosen"]["fills"], &silver["trips"][1]["fills"]), (&1.into(), &2.into()));
    assert_eq!(silver["verdict"]["kind"], "too few");
    assert_eq!(silver["hours"][0]["hour"], 12);
    assert_eq!(silver["sessions"][0]["session"], "weekend");
    close(&silver["survival"]["median_ms"], 650.0);
    assert_eq!(silver["ends"]["quote"], 2);
    close(&json["markets"][1]["chosen"]["mean_value_bps"]["value"], -18.0);
    let gate =
        json["gates"].as_array().expect("gates").iter().find(|gate| gate["gate"] == "SpreadShock");
    assert_eq!(gate.expect("the gate")["first"], 1);
    close(&json["coverage"]["gap_s"]["link_down"], 30.0);
    assert_eq!(json["trading"]["entries"]["partially_filled"], 1);
    assert_eq!(json["trading"]["trades"]["n"], 1);
    // The signal was worth its whole size; 0.3 of 0.35 was held.
    let expected = &json["trading"]["expected"];
    close(&expected["expected_usd"], 0.3 * 80.2 * net / 1e4);
    assert!(json["thresholds"]["note"].as_str().is_some_and(|note| note.contains("two days")));

    // The same on one thread, in the same words.
    let one = report(dir.path(), &["--json", "--jobs", "1"]);
    assert_eq!(one.1, report(dir.path(), &["--json", "--jobs", "3"]).1);
    // A fee that is given, a market alone, a time that leaves out the first signal.
    let part = self::json(
        dir.path(),
        &["--fee-bps", "0", "--market", "xyz:SILVER", "--from", "2026-11-22T12:01"],
    );
    assert_eq!(part["counts"]["signals"], 2, "one was blocked");
    assert_eq!(part["markets"].as_array().map(Vec::len), Some(1));
    let (code, _, errors) = report(dir.path(), &["--market", "xyz:NOBODY"]);
    assert!(code == 0 && errors.contains("no record names the market xyz:NOBODY"), "{errors}");
}

#[test]
fn the_table_and_the_files_say_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = dir.path().join("signals");
    let mut store = store(&records, NOON);
    for id in 1..=40 {
        let bid = if id % 2 == 0 { "81.002" } else { "81.1" };
        for row in seen(id, secs(NOON, 60 * id), "xyz:SILVER", "0.35", bid) {
            store.append(&row);
        }
        for row in seen(1000 + id, secs(NOON, 60 * id + 20), "xyz:BRASS", "0.35", "80.2") {
            store.append(&row);
        }
    }
    store.close(secs(NOON, 3600)).expect("an end in order");
    let (csv, toml) = (dir.path().join("hours.csv"), dir.path().join("thresholds.toml"));
    let files = ["--csv", &csv.display().to_string(), "--toml", &toml.display().to_string()];
    let (code, out, errors) = report(&records, &files);
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("genuine: xyz:SILVER"), "{out}");
    assert!(out.contains("xyz:BRASS: negative."), "{out}");
    let columns = |name: &str| {
        let line = out.lines().find(|line| line.trim_start().starts_with(name));
        line.unwrap_or_else(|| panic!("{name}: {out}")).chars().count()
    };
    assert_eq!(columns("market "), columns("all markets"), "{out}");
    let csv = fs::read_to_string(csv).expect("the rows");
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 3, "{csv}");
    assert!(rows[1].starts_with("xyz:SILVER,genuine,buy,12,40,40,"), "{csv}");
    let toml = fs::read_to_string(toml).expect("the thresholds");
    toml.parse::<toml::Table>().expect("a piece of config");
    assert!(toml.contains("# None is proposed: thresholds need two days"), "{toml}");
    assert!(toml.contains("# exclude = [\"xyz:BRASS\"]"), "{toml}");
}

#[test]
fn a_threshold_that_held_is_proposed_as_config() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = dir.path().join("signals");
    for day in 0..3 {
        let begin = secs(NOON, 86_400 * day);
        let mut store = store(&records, begin);
        for i in 0..40 {
            let id = 100 * (day + 1) + i;
            let bid = if i % 2 == 0 { "81.002" } else { "81.1" };
            for row in seen(id, secs(begin, 60 * (i + 1)), "xyz:SILVER", "0.35", bid) {
                store.append(&row);
            }
        }
        store.close(secs(begin, 3600)).expect("an end in order");
    }
    let toml = dir.path().join("thresholds.toml");
    let (code, _, errors) = report(&records, &["--toml", &toml.display().to_string()]);
    assert_eq!(code, 0, "{errors}");
    let text = fs::read_to_string(&toml).expect("the thresholds");
    let table = text.parse::<toml::Table>().expect("a piece of config");
    let proposed = &table["detector"]["markets"]["xyz:SILVER"]["threshold_bps"];
    // The only edge that was recorded is one of 49.5 bps.
    assert_eq!(proposed.as_integer(), Some(49), "{text}");
    let (code, _, errors) = output(&["check", "--config", &toml.display().to_string()]);
    assert_eq!(code, 0, "the program reads what it wrote: {errors}");
    let json = json(&records, &[]);
    let threshold = &json["markets"][0]["threshold"];
    assert_eq!(threshold["out_of_sample"]["episodes"], 80, "{threshold:#}");
    assert_eq!(threshold["folds"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_only_the_journal_of_a_running_store_holds_counts_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = store(dir.path(), NOON);
    let rows = seen(1, secs(NOON, 10), "xyz:SILVER", "0.35", "81");
    for row in &rows {
        store.append(row);
    }
    store.flush(secs(NOON, 20));
    // Its cross lasts.
    for row in &seen(2, secs(NOON, 30), "xyz:SILVER", "0.35", "81")[..6] {
        store.append(row);
    }
    store.alive(secs(NOON, 50), 3, Some(secs(NOON, 49)));
    let before = json(dir.path(), &[]);
    let counts = &before["counts"];
    assert_eq!((&counts["signals"], &counts["valued"]), (&2.into(), &2.into()), "{counts}");
    assert_eq!((&counts["crosses"], &counts["open_crosses"]), (&1.into(), &1.into()));
    // How long it has lasted is known, whether its first quote still stands is not.
    assert_eq!(before["markets"][0]["duration"]["crosses"], 2);
    assert_eq!(before["markets"][0]["survival"]["crosses"], 1);
    // A gap that has no end yet is known as well.
    assert_eq!(before["coverage"]["gaps"][0]["cause"], "link_down", "{}", before["coverage"]);
    store.flush(secs(NOON, 51));
    let after = json(dir.path(), &[]);
    assert_eq!(after["counts"], before["counts"]);
    assert_eq!(after["total"]["chosen"], before["total"]["chosen"]);
    store.close(secs(NOON, 60)).expect("an end in order");
}

#[test]
fn wrong_usage_is_told_with_what_was_expected() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = dir.path().join("signals");
    let mut store = store(&records, NOON);
    for row in seen(1, secs(NOON, 10), "xyz:SILVER", "0.35", "81") {
        store.append(&row);
    }
    store.close(secs(NOON, 60)).expect("an end in order");
    for (flags, words) in [
        (&["--latency-ms", "500"][..], "expected 0 to 400; the records probe 50, 400 ms"),
        (&["--exit-ms", "2000"], "expected one of 1000, 3000, 5000 ms"),
        (&["--from", "yesterday"], "expected a UTC time"),
        (&["--from", "2026-11-23", "--to", "2026-11-22"], "before --to"),
        (&["--confidence", "99"], "expected a share"),
        (&["--time-zone", "Mars/Olympus"], "expected a time zone"),
        (&["--jobs", "0"], "expected 1 to 256"),
        (&["--latency-ms", "400", "--exit-ms", "0"], "--exit-ms 0: expected one of"),
        (&["--market", "xyz:SILVER", "--toml", "/nowhere"], "expected without --market"),
        (&["--fee-bps=-1"], "expected bps"),
        (&["--config", "/nowhere/config.toml"], "/nowhere/config.toml"),
    ] {
        let (code, _, errors) = report(&records, flags);
        assert!(code == 2 && errors.contains(words), "{flags:?}: {code} {errors}");
    }
    // Between the probes, and at once.
    for latency in ["0", "20", "200"] {
        let json = json(&records, &["--latency-ms", latency]);
        assert_eq!(json["total"]["chosen"]["n"], 1, "{latency}");
    }
    let (code, _, errors) = report(&dir.path().join("nowhere"), &[]);
    assert!(code == 1 && errors.contains("nowhere"), "{errors}");
    let (code, _, errors) = report(dir.path(), &[]);
    assert!(code == 1 && errors.contains("there are no records"), "{errors}");
}

/// A29: fees are told by what lies between a signal's two edges, less what its own run left for slippage, by
/// the number of times its own run counted the fee.
#[test]
fn a_fee_is_told_by_the_slippage_of_the_run_that_found_the_signal() {
    let dir = tempfile::tempdir().expect("a directory");
    // 20 bps lie between the edges. Of old, where the fee is in there once: fees of 18, 20, and, where the run
    // says nothing, of 20 less the config's. Where it is in there twice: half of 20 less 1.
    for (id, slippage_bps, fee_sides) in
        [(1, Some(2), 1), (2, Some(0), 1), (3, None, 1), (4, Some(1), 2)]
    {
        let at = secs(NOON, 600 * id);
        let slippage_bps = slippage_bps.map(Bps::from_int);
        let run = RunInfo { started_at: at, slippage_bps, fee_sides, ..run(&format!("r{id}")) };
        let (mut store, _) = Store::open(dir.path(), run, at).expect("a store");
        for row in seen(id, secs(at, 10), &format!("xyz:M{id}"), "0.35", "80.2") {
            store.append(&row);
        }
        store.close(secs(at, 60)).expect("an end in order");
    }
    let values = |flags: &[&str]| {
        let json = json(dir.path(), flags);
        assert_eq!(json["settings"]["slippage_bps"], Value::Null, "they differ");
        let of = |name: &str| {
            let mut all = json["markets"].as_array().expect("markets").iter();
            let market = all.find(|market| market["market"] == name).expect("the market");
            number(&market["chosen"]["mean_value_bps"]["value"])
        };
        ["xyz:M1", "xyz:M2", "xyz:M3", "xyz:M4"].map(of)
    };
    let near = |found: [f64; 4], by_hand: [f64; 4]| {
        let same = found.iter().zip(by_hand).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(same, "{found:?}, by hand {by_hand:?}");
    };
    near(values(&["--set", "detector.slippage_bps=5"]), [-36.0, -40.0, -30.0, -19.0]);
    near(values(&["--fee-bps", "1"]), [-2.0; 4]);
    let (_, _, errors) = report(dir.path(), &["--set", "detector.slippage_bps=5"]);
    assert!(errors.contains("1 run does not say") && errors.contains("5 bps is taken"), "{errors}");
}

#[test]
fn tables_are_as_fine_as_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = store(dir.path(), NOON);
    for row in seen(1, secs(NOON, 10), "xyz:SILVER", "0.35", "81") {
        store.append(&row);
    }
    store.close(secs(NOON, 60)).expect("an end in order");
    let rows = |by: &str| {
        let (code, out, errors) = report(dir.path(), &["--by", by]);
        assert_eq!(code, 0, "{errors}");
        let begins = |word: &str| out.lines().filter(|l| l.trim_start().starts_with(word)).count();
        (begins("xyz:SILVER  "), begins("buy  "), out.contains("  xyz:SILVER    12 buy "))
    };
    assert_eq!(rows("market"), (1, 1, false), "the side over all markets stands by itself");
    assert_eq!(rows("side"), (1, 2, false));
    assert_eq!(rows("hour"), (2, 2, true));
}

#[test]
fn a_run_without_a_signal_has_a_report() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = store(dir.path(), NOON);
    let (started_at, ended_at) = (NOON, secs(NOON, 5));
    store.append(&Row::Gap(GapRow { started_at, ended_at, cause: GapCause::Start, markets: 2 }));
    store.close(secs(NOON, 60)).expect("an end in order");
    let (code, out, errors) = report(dir.path(), &[]);
    assert!(code == 0 && out.contains("no signal was recorded"), "{out}{errors}");
    let json = json(dir.path(), &[]);
    assert_eq!((&json["counts"]["signals"], &json["trading"]), (&0.into(), &Value::Null));
    assert_eq!(json["total"]["chosen"]["mean_value_bps"]["value"], Value::Null);
}

#[test]
fn a_damaged_day_is_left_out_and_named() {
    let dir = tempfile::tempdir().expect("a directory");
    for day in 0..2 {
        let begin = secs(NOON, 86_400 * day);
        let mut store = store(dir.path(), begin);
        for row in seen(day + 1, secs(begin, 10), "xyz:SILVER", "0.35", "81") {
            store.append(&row);
        }
        store.close(secs(begin, 60)).expect("an end in order");
    }
    let path = dir.path().join("followup_20261122.parquet");
    let whole = fs::read(&path).expect("the file");
    // Its pages, not its footer.
    let mut torn = whole.clone();
    torn[4..200].fill(0xff);
    fs::write(&path, torn).expect("to damage it");
    let (code, out, errors) = report(dir.path(), &["--json"]);
    assert_eq!(code, 0, "{errors}");
    assert!(
        errors.contains("followup_20261122.parquet") && errors.contains("2026-11-22 is left out"),
        "{errors}"
    );
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["counts"]["signals"], 1);
    assert_eq!(json["warnings"].as_array().map(Vec::len), Some(1));
    // A file that is no Parquet file at all.
    fs::write(&path, b"nothing of the kind").expect("to replace it");
    let (code, _, errors) = report(dir.path(), &[]);
    assert!(code == 0 && errors.contains("2026-11-22 is left out"), "{errors}");
    // And one of other columns.
    fs::copy(dir.path().join("gaps_20261122.parquet"), &path).expect("to replace it");
    let (code, _, errors) = report(dir.path(), &[]);
    assert!(code == 0 && errors.contains("it has no column signal_id"), "{errors}");
    // When no day is left there is no report.
    fs::copy(&path, dir.path().join("followup_20261123.parquet")).expect("to replace it");
    let (code, _, errors) = report(dir.path(), &[]);
    assert!(code == 1 && errors.contains("2026-11-23 is left out"), "{errors}");
}

#[test]
fn a_demo_has_a_report() {
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
        "runtime.hot_core=none",
        "runtime.cold_core=none",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let demo = ["demo", "--duration", "8s", "--seed", "5", "--data-dir", &data_text];
    let (code, _, errors) = output(&[&demo[..], &sets].concat());
    assert_eq!(code, 0, "{errors}");
    let json = json(&data, &["--set", "detector.slippage_bps=0"]);
    let count = |name: &str| {
        json["counts"][name].as_u64().unwrap_or_else(|| panic!("no {name}: {}", json["counts"]))
    };
    assert!(count("signals") > 0);
    let parts = ["blocked", "below_minimum", "in_gap", "unseen", "no_exit", "valued"];
    assert_eq!(count("signals"), parts.map(count).iter().sum::<u64>());
    assert_eq!(json["settings"]["latencies_ms"], serde_json::json!([50, 200, 400, 900]));
    let of_markets: u64 = json["markets"]
        .as_array()
        .expect("markets")
        .iter()
        .map(|market| market["valued"].as_u64().unwrap_or(0))
        .sum();
    assert_eq!(of_markets, count("valued"));
    assert_eq!(count("open_crosses"), 0, "every cross of a run that ended has its row");
}

/// C6: whoever reads the records with Spark finds the switch that it needs, which our own tool sets too.
#[test]
fn where_spark_is_named_its_switch_for_nanoseconds_is() {
    let switch = "spark.sql.legacy.parquet.nanosAsLong";
    let text = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let tool = text("tools/report_spark.py");
    assert!(tool.contains(&format!(".config(\"{switch}\", \"true\")")));
    let readme = text("README.md");
    let named = |part: &&str| part.contains("Spark");
    let sections: Vec<&str> = readme.split("\n## ").filter(named).collect();
    assert!(sections.len() >= 2, "{}", sections.len());
    for section in sections {
        let title = section.lines().next();
        assert!(section.contains(&format!("{switch}=true")), "{title:?}");
    }
}
