//! `kill -9` at many moments, against what the venue served: nothing lost, nothing doubled.
//!
//! A detector written apart from the engine reads what the venue has sent to each run and says
//! where crosses begin. What a killed run has recorded must be the beginning of that list, without
//! holes; what a run that was stopped in order has recorded must be as much of it as it heard.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hip3::venue::tcp::Served;
use serde_json::Value;

use crate::harness::{Running, lively_venue, start, write_config};
use crate::store_rows::{files, read_file};

const KILLS: u64 = 10;

/// A cross that began: coin, side, block time of the quote, touched price, oracle price (1e-8).
type Begin = (String, &'static str, i64, i128, i128);

/// Units of 1e-8 of a decimal text, by other means than the program's.
fn units(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<8}").parse().expect("a decimal")
}

/// Where crosses begin in `frames` when any quote at the oracle or past it is one.
fn begins(frames: &[Served]) -> Vec<Begin> {
    #[derive(Default)]
    struct Market {
        oracle: Option<i128>,
        time: i64,
        quote: Option<[(i128, i128); 2]>,
        open: [bool; 2],
    }
    let mut markets: BTreeMap<String, Market> = BTreeMap::new();
    let mut begins = Vec::new();
    // Frames to the life before may trail into this one: its own connection is the newest.
    let newest = frames.iter().map(|served| served.conn.0).max();
    for served in frames.iter().filter(|served| Some(served.conn.0) == newest) {
        let Ok(frame) = serde_json::from_str::<Value>(&served.text) else { continue };
        let data = &frame["data"];
        let Some(coin) = data["coin"].as_str() else { continue };
        let market = markets.entry(coin.to_owned()).or_default();
        match frame["channel"].as_str() {
            Some("bbo") => {
                market.time = data["time"].as_i64().expect("a time");
                let level = |n: usize| {
                    let level = &data["bbo"][n];
                    Some((units(level["px"].as_str()?), units(level["sz"].as_str()?)))
                };
                market.quote = level(0).zip(level(1)).map(|(bid, ask)| [bid, ask]);
            }
            Some("activeAssetCtx") => {
                market.oracle = data["ctx"]["oraclePx"].as_str().map(units);
            }
            _ => continue,
        }
        for (n, side) in ["buy", "sell"].into_iter().enumerate() {
            let found = market.oracle.zip(market.quote).and_then(|(oracle, [bid, ask])| {
                let touched = [ask.0, bid.0][n];
                let past = if n == 0 { touched <= oracle } else { touched >= oracle };
                (past && bid.0 < ask.0).then_some((touched, oracle))
            });
            if let (Some((touched, oracle)), false) = (found, market.open[n]) {
                begins.push((coin.to_owned(), side, market.time, touched, oracle));
            }
            market.open[n] = found.is_some();
        }
    }
    begins
}

/// Rows of one kind in `dir`.
fn rows(dir: &Path, kind: &str) -> Vec<BTreeMap<String, String>> {
    let of_kind = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(kind))
    };
    files(dir).iter().filter(|path| of_kind(path)).flat_map(|path| read_file(path).rows).collect()
}

fn recorded_begins(signals: &[BTreeMap<String, String>], run: u64) -> Vec<Begin> {
    signals
        .iter()
        .filter(|row| run_of(row) == run && row["cross_age_ms"] == "0")
        .map(|row| {
            let buy = row["side"] == "buy";
            let touched = if buy { &row["ask_px"] } else { &row["bid_px"] };
            (
                row["market"].clone(),
                if buy { "buy" } else { "sell" },
                row["bbo_time_ms"].parse().expect("a time"),
                touched.parse().expect("a price"),
                row["oracle_px"].parse().expect("a price"),
            )
        })
        .collect()
}

/// The run that made a signal: its first id is its start in milliseconds, shifted.
fn run_of(row: &BTreeMap<String, String>) -> u64 {
    row["signal_id"].parse::<u64>().expect("an id") >> 20
}

/// The ids of the signals that are visible in the files now.
fn visible(dir: &Path) -> BTreeSet<String> {
    if !dir.exists() {
        return BTreeSet::new();
    }
    rows(dir, "signals").into_iter().map(|row| row["signal_id"].clone()).collect()
}

#[test]
fn whatever_the_venue_served_is_recorded_once_through_any_number_of_kills() {
    let dir = tempfile::tempdir().expect("a directory");
    let signals_dir = dir.path().join("signals");
    let (server, tap) = lively_venue(11);
    let config = write_config(dir.path(), &server).display().to_string();
    let log = dir.path().join("log");
    let served = || tap.lock().expect("the tap").len();
    let run = || start(&["run", "--config", &config], &log);

    // What each life was served, and what of it was seen in the files before its end.
    let mut lives: Vec<std::ops::Range<usize>> = Vec::new();
    let mut seen = BTreeSet::new();
    let lively = |run: &mut Running, frames: usize| {
        let from = served();
        run.wait_until("frames", || served() >= from + frames);
        from
    };
    for n in 0..KILLS {
        let mut run = run();
        // From the middle of the first subscription to well into the flushes.
        let frames = [30, 80, 150, 300][n as usize % 4] + 17 * n as usize;
        let from = lively(&mut run, frames);
        seen.extend(visible(&signals_dir));
        run.kill();
        lives.push(from..served());
    }
    let mut last = run();
    let from = lively(&mut last, 400);
    assert_eq!(last.terminate(), 0);
    lives.push(from..served());
    server.stop();

    let tap = tap.lock().expect("the tap");
    let signals = rows(&signals_dir, "signals");
    let ids: Vec<&String> = signals.iter().map(|row| &row["signal_id"]).collect();
    let distinct: BTreeSet<&String> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "a signal is there twice");
    for id in &seen {
        assert!(distinct.contains(id), "signal {id} was visible once and is gone");
    }
    assert!(!seen.is_empty(), "signals become visible while a run lasts");

    // Runs and lives are in order; a life without a signal has no run here.
    let mut runs: Vec<u64> = signals.iter().map(run_of).collect();
    runs.dedup();
    let mut lives_left = lives.iter();
    let mut recorded_in_all = 0;
    for run in &runs {
        let recorded = recorded_begins(&signals, *run);
        recorded_in_all += recorded.len();
        let matches =
            lives_left.by_ref().any(|life| begins(&tap[life.clone()]).starts_with(&recorded));
        assert!(matches, "run {run} recorded what no life was served: {recorded:#?}");
    }
    assert!(runs.len() >= KILLS as usize / 2, "most lives found something: {}", runs.len());
    assert!(recorded_in_all > 20, "{recorded_in_all} crosses");

    // Debts are settled: every signal has its looks, every cross its end, every death its gap.
    let mut looks: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for row in rows(&signals_dir, "followup") {
        looks.entry(row["signal_id"].clone()).or_default().0 += 1;
    }
    for row in rows(&signals_dir, "entries") {
        looks.entry(row["signal_id"].clone()).or_default().1 += 1;
    }
    assert_eq!(looks.len(), signals.len());
    assert!(looks.values().all(|looks| *looks == (3, 4)), "{looks:?}");
    let crosses = rows(&signals_dir, "crosses");
    let ended: BTreeSet<&String> = crosses.iter().map(|row| &row["cross_id"]).collect();
    assert_eq!(ended.len(), crosses.len(), "a cross is there twice");
    assert!(signals.iter().all(|row| ended.contains(&row["cross_id"])));
    let killed = rows(&signals_dir, "gaps").iter().filter(|row| row["cause"] == "killed").count();
    assert_eq!(killed, KILLS as usize, "each death leaves a gap");
}
