//! What the benchmarks share: contests, and the lines of a group that can be quoted.

#![allow(dead_code, reason = "each benchmark uses its part")]

pub(crate) mod halves;
pub(crate) mod world;

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;
use serde_json::{Value, json};

/// Rounds of a ratio; the median of them counts.
const ROUNDS: usize = 201;

/// Work that uses up something: what it uses is made ahead, outside the measured time.
pub(crate) trait Contestant {
    /// Makes what this many calls use up.
    fn prepare(&mut self, calls: u32);

    /// The measured work. Its result goes through a `black_box` of its own.
    fn call(&mut self);
}

/// Measures `contestant` under `name`, with at most `batch` calls prepared at a time.
pub(crate) fn bench_prepared(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    batch: u32,
    contestant: &mut impl Contestant,
) {
    group.bench_function(name, |b| {
        b.iter_custom(|iterations| {
            let (mut left, mut measured) = (iterations, Duration::ZERO);
            while left > 0 {
                let calls = left.min(u64::from(batch)) as u32;
                measured += time_prepared(calls, contestant);
                left -= u64::from(calls);
            }
            measured
        });
    });
}

/// Prints `<group>: <ours> takes N x of <theirs>`, N being the ratio of two medians measured here, in
/// rounds that take turns, so that both meet the same machine. Silent unless cargo asks for
/// a benchmark: as a test (`-- --test`) no time means anything.
pub(crate) fn report_ratio<A, B>(
    group: &str,
    (ours, mut our_work): (&str, impl FnMut() -> A),
    (theirs, mut their_work): (&str, impl FnMut() -> B),
) {
    if !is_wanted(group) {
        return;
    }
    let calls = calls_per_round(&mut their_work);
    let times =
        in_turns(ROUNDS, calls, || time(calls, &mut our_work), || time(calls, &mut their_work));
    tell_ratio(group, ours, theirs, times.map(|times| quantile(&times, 50)));
}

/// The same of contestants that use something up: of `calls` calls a round.
pub(crate) fn report_ratio_prepared(
    group: &str,
    calls: u32,
    (ours, our_work): (&str, &mut impl Contestant),
    (theirs, their_work): (&str, &mut impl Contestant),
) {
    if !is_wanted(group) {
        return;
    }
    let times = in_turns(
        ROUNDS,
        calls,
        || time_prepared(calls, our_work),
        || time_prepared(calls, their_work),
    );
    tell_ratio(group, ours, theirs, times.map(|times| quantile(&times, 50)));
}

/// Prints the ratio of two medians of single calls, and how far the 99th percentile of our calls is
/// from their median. The contestants take the time themselves: there is more to be done between two
/// calls than within them.
pub(crate) fn report_tail(
    group: &str,
    rounds: usize,
    (ours, our_call): (&str, impl FnMut() -> Duration),
    (theirs, their_call): (&str, impl FnMut() -> Duration),
) {
    if !is_wanted(group) {
        return;
    }
    let times = in_turns(rounds, 1, our_call, their_call);
    tell_ratio(group, ours, theirs, [quantile(&times[0], 50), quantile(&times[1], 50)]);
    let [median, tail] = [quantile(&times[0], 50), quantile(&times[0], 99)];
    let ratio = tail / median;
    eprintln!(
        "{group}: p99 of {ours} is {ratio:.2} x of its p50 ({tail:.1} ns of {median:.1} ns, {rounds} calls)"
    );
    let line = json!({
        "group": group, "of": "tail", "ours": ours, "theirs": ours, "ratio": ratio,
        "our_ns": tail, "their_ns": median,
    });
    keep(&format!("{group}_tail"), &line);
}

/// Times of both, in ns a call, sorted.
fn in_turns(
    rounds: usize,
    calls: u32,
    mut ours: impl FnMut() -> Duration,
    mut theirs: impl FnMut() -> Duration,
) -> [Vec<f64>; 2] {
    let mut times = [Vec::with_capacity(rounds), Vec::with_capacity(rounds)];
    let of_a_call = |round: Duration| round.as_secs_f64() * 1e9 / f64::from(calls);
    for _ in 0..rounds {
        times[0].push(of_a_call(ours()));
        times[1].push(of_a_call(theirs()));
    }
    times.iter_mut().for_each(|times| times.sort_unstable_by(f64::total_cmp));
    times
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn tell_ratio(group: &str, ours: &str, theirs: &str, [our_ns, their_ns]: [f64; 2]) {
    let ratio = our_ns / their_ns;
    let digits = if ratio < 0.1 { 4 } else { 2 };
    eprintln!(
        "{group}: {ours} takes {ratio:.digits$} x of {theirs} ({our_ns:.1} ns of {their_ns:.1} ns)"
    );
    let line = json!({
        "group": group, "of": "median", "ours": ours, "theirs": theirs, "ratio": ratio,
        "our_ns": our_ns, "their_ns": their_ns,
    });
    keep(group, &line);
}

/// Leaves a line where `tools/bench_report.py` finds it.
fn keep(name: &str, line: &Value) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ratios");
    fs::create_dir_all(&folder).expect("a folder for the ratios");
    let file = folder.join(format!("{}.json", name.replace('/', "_")));
    fs::write(file, line.to_string()).expect("a ratio is kept");
}

/// Whether cargo asks for a benchmark, and for this one: as a criterion filter would say.
fn is_wanted(group: &str) -> bool {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let asked = |flag| args.iter().any(|arg| arg == flag);
    let is_filter = |arg: &&String| !arg.starts_with('-') && arg.parse::<f64>().is_err();
    let mut filters = args.iter().filter(is_filter).peekable();
    let named = filters.peek().is_none() || filters.any(|filter| group.contains(filter.as_str()));
    asked("--bench") && !asked("--test") && named
}

/// So many that a round takes about a millisecond.
fn calls_per_round<T>(work: &mut impl FnMut() -> T) -> u32 {
    let mut calls = 1;
    while time(calls, work) < Duration::from_millis(1) && calls < 1 << 24 {
        calls *= 2;
    }
    calls
}

fn time<T>(calls: u32, work: &mut impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    for _ in 0..calls {
        black_box(work());
    }
    start.elapsed()
}

fn time_prepared(calls: u32, contestant: &mut impl Contestant) -> Duration {
    contestant.prepare(calls);
    let start = Instant::now();
    for _ in 0..calls {
        contestant.call();
    }
    start.elapsed()
}
