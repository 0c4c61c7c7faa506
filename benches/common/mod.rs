//! What the benchmarks share: the one line of a group that can be quoted.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Prints `<group>: <ours> takes N x of <theirs>`, N being the ratio of two medians measured here, in
/// rounds that take turns, so that both meet the same machine. Silent unless cargo asks for
/// a benchmark: as a test (`-- --test`) no time means anything.
pub(crate) fn report_ratio<A, B>(
    group: &str,
    (ours, mut our_work): (&str, impl FnMut() -> A),
    (theirs, mut their_work): (&str, impl FnMut() -> B),
) {
    const ROUNDS: usize = 201;
    let asked = |flag| std::env::args().any(|arg| arg == flag);
    if !asked("--bench") || asked("--test") {
        return;
    }
    let calls = calls_per_round(&mut their_work);
    let mut times = [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
    for _ in 0..ROUNDS {
        times[0].push(time(calls, &mut our_work));
        times[1].push(time(calls, &mut their_work));
    }
    let [our_median, their_median] = times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2].as_secs_f64() * 1e9 / calls as f64
    });
    let ratio = our_median / their_median;
    eprintln!(
        "{group}: {ours} takes {ratio:.2} x of {theirs} ({our_median:.1} ns of {their_median:.1} ns)"
    );
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
