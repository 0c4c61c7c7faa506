//! `kill -9` of a process that trades, again and again, wherever it is: and what the venue's books
//! say at the end.
//!
//! The moments are drawn from a seed, which is printed; `HIP3_KILL_SEED` gives another.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hip3::types::num::Usd;
use hip3::venue::Books;

use crate::funded::{Funded, LOOSE, ReadRow, agree, looks_are_complete, nothing_twice, rows};
use crate::harness::{Running, output, start};

const TOTAL: i64 = 120;
const PER_MARKET: i64 = 50;
const POSITIONS: usize = 3;

/// Where a run is when it dies.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after its start, whatever it does then.
    Anywhere,
    /// Soon after its log tells of this.
    After(&'static str),
    /// Soon after it was asked to stop while it held something.
    Stopping,
}

const MOMENTS: [Moment; 12] = [
    Moment::Anywhere,
    Moment::After("order sent"),
    Moment::After("position opened"),
    Moment::After("purpose=\"time_stop\""),
    Moment::Stopping,
    Moment::Anywhere,
    Moment::After("position closed"),
    Moment::After("order sent"),
    Moment::After("trading is ready"),
    Moment::After("purpose=\"time_stop\""),
    Moment::Stopping,
    Moment::After("position opened"),
];

/// xorshift
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970");
    i64::try_from(since.as_nanos()).expect("a time")
}

/// Waits in the log for `words`, and then as long as it fell.
fn until(run: &mut Running, log: &Path, words: &str, then_ms: u64) {
    let read = || fs::read_to_string(log).unwrap_or_default().contains(words);
    run.wait_until(words, read);
    std::thread::sleep(Duration::from_millis(then_ms));
}

fn ask_to_stop(run: &Running) {
    let text = format!("kill -TERM {}", run.pid());
    assert!(Command::new("sh").args(["-c", &text]).status().expect("a shell").success());
}

/// What must hold of the venue's books at any time.
fn within_limits(books: &Books) {
    let usd = |usd: i64| Usd::from_units(usd * 1_000_000);
    assert!(books.exposure_max <= usd(TOTAL), "{books:?}");
    assert!(books.exposure_max_of_a_market <= usd(PER_MARKET), "{books:?}");
    assert!(books.positions_max <= POSITIONS, "{books:?}");
}

#[test]
fn no_kill_of_a_trading_process_costs_a_cent_a_row_or_a_limit() {
    let seed = std::env::var("HIP3_KILL_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or(0x1D2C_3B4A_5968_7787);
    println!("HIP3_KILL_SEED={seed}");
    let mut dice = Dice(seed);
    let desk = Funded::new(
        5,
        &format!(
            "{LOOSE}[position]\nmax_concurrent_positions = {POSITIONS}\n\
             max_total_notional = {TOTAL}\nmax_notional_per_market = {PER_MARKET}\n\
             [mark_regression]\nenabled = false\n[time_stop]\nthreshold_ms = 1000\n\
             [risk_monitor]\nmax_loss_usd = 1000\nmax_consecutive_failures = 1000\n\
             max_flatten_failures = 1000\n",
        ),
    );
    let signals = desk.signals();

    let mut killed_at = Vec::new();
    for (n, moment) in MOMENTS.iter().enumerate() {
        let log = desk.log(&format!("{n}.log"));
        let mut run = start(&["run", "--config", &desk.config], &log);
        match moment {
            Moment::Anywhere => std::thread::sleep(Duration::from_millis(dice.below(2_500))),
            Moment::After(words) => until(&mut run, &log, words, dice.below(300)),
            Moment::Stopping => {
                until(&mut run, &log, "position opened", dice.below(50));
                ask_to_stop(&run);
                std::thread::sleep(Duration::from_millis(dice.below(400)));
            }
        }
        run.kill();
        killed_at.push(now());
        let books = desk.books();
        println!("{n}: {moment:?}: {} positions, {} fills", books.positions.len(), books.fills);
        within_limits(&books);
    }

    // HardStop, once it is kept, outlives a kill as well. What the runs before have lost counts.
    let log = desk.log("stopped.log");
    let args = ["run", "--config", &desk.config, "--set", "risk_monitor.max_loss_usd=0.001"];
    let mut run = start(&args, &log);
    let latch = signals.join("hard_stop.json");
    until(&mut run, &log, "gap ended", 0);
    run.wait_until("a loss", || {
        fs::read_to_string(&latch).unwrap_or_default().contains("\"Loss\"")
    });
    std::thread::sleep(Duration::from_millis(dice.below(200)));
    run.kill();
    killed_at.push(now());
    let requests = desk.books().requests;
    let log = desk.log("held.log");
    let mut run = start(&["run", "--config", &desk.config], &log);
    run.wait_until("a reading", || desk.books().positions.is_empty());
    until(&mut run, &log, "subscribed", dice.below(500));
    assert!(run.log().contains("HardStop holds from a run before"), "{}", run.log());
    let told = run.log();
    assert_eq!(run.terminate(), 4, "{told}");
    assert!(!told.contains("purpose=\"entry\""), "{told}");
    assert!(desk.books().requests >= requests);
    let (code, _, errors) = output(&["release", "--reason", "all", "--config", &desk.config]);
    assert_eq!(code, 0, "{errors}");

    // And one that ends in order, after it has traded.
    let log = desk.log("last.log");
    let mut run = start(&["run", "--config", &desk.config], &log);
    until(&mut run, &log, "position closed", dice.below(300));
    assert_eq!(run.terminate(), 0, "{}", fs::read_to_string(&log).unwrap_or_default());

    let books = desk.books();
    assert_eq!((books.positions.len(), books.open_orders), (0, 0), "{books:?}");
    within_limits(&books);
    assert!(rows(&signals, "trades_").len() >= 5, "it traded");
    agree(&signals, &books);
    nothing_twice(&signals);
    looks_are_complete(&signals);
    gaps_tell(&rows(&signals, "gaps"), &killed_at, &rows(&signals, "signals"));
}

/// Each death lies in a gap, and no signal does.
fn gaps_tell(gaps: &[ReadRow], killed_at: &[i64], signals: &[ReadRow]) {
    let of = |row: &ReadRow, column: &str| row[column].parse::<i64>().expect("a time");
    let dead: Vec<(i64, i64)> = gaps
        .iter()
        // One that was asked to stop may have been faster than its killer.
        .filter(|row| row["cause"] == "killed" || row["cause"] == "stopped")
        .map(|row| (of(row, "started_at"), of(row, "ended_at")))
        .collect();
    let killed = gaps.iter().filter(|row| row["cause"] == "killed").count();
    assert!(killed * 2 > killed_at.len(), "{gaps:#?}");
    for at in killed_at {
        assert!(
            dead.iter().any(|(from, to)| from <= at && at <= to),
            "{at} is in none of {dead:?}"
        );
    }
    // The gap of a process that dies before it sees every market begins where its blindness began, and in
    // the markets that it did see there may be signals.
    let saw_all: Vec<i64> =
        gaps.iter().filter(|row| row["cause"] == "start").map(|row| of(row, "ended_at")).collect();
    for row in signals {
        let at = of(row, "detected_at");
        let Some((from, _)) = dead.iter().find(|(from, to)| *from < at && at < *to) else {
            continue;
        };
        let began = dead.iter().map(|(_, to)| *to).filter(|to| to <= from).max().unwrap_or(0);
        assert!(
            !saw_all.iter().any(|ended| began <= *ended && *ended <= at),
            "{at} is in one of {dead:?}, and its process saw every market"
        );
    }
}
