//! What the engine takes for a quote: decoding, market state, gates, detection.

#![allow(missing_docs, reason = "the macros of criterion make undocumented items")]

mod common;

use std::hint::black_box;

use common::world::{CALM, LAGGING, Watcher, bbo_frame, scattered};
use common::{Contestant, bench_prepared, report_ratio, report_ratio_prepared};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hip3::engine::MAX_MARKETS;
use hip3::types::time::Nanos;

/// Calm quotes of many markets, which come in no order that a cache could know.
struct Quotes {
    watcher: Watcher,
    /// One behind the other, as a link would hand them over.
    frames: Vec<Vec<u8>>,
    next: usize,
}

impl Quotes {
    fn new(markets: usize) -> Self {
        let watcher = Watcher::new(markets);
        let frame = |n: &usize| bbo_frame(*n, watcher.now, CALM).into_bytes();
        let frames = scattered(markets).iter().map(frame).collect();
        let mut quotes = Self { watcher, frames, next: 0 };
        let before = quotes.watcher.engine.status(quotes.watcher.now.mono);
        (0..markets).for_each(|_| quotes.quote());
        let after = quotes.watcher.engine.status(quotes.watcher.now.mono);
        assert_eq!(after.bbo - before.bbo, markets as u64, "each quote is one of a market");
        assert_eq!((after.fallback, after.malformed, after.crosses), (0, 0, 0));
        quotes
    }

    /// One quote of the next market. No time passes, so that contexts stay fresh.
    fn quote(&mut self) {
        self.watcher.hear(black_box(&self.frames[self.next]));
        self.next = if self.next + 1 == self.frames.len() { 0 } else { self.next + 1 };
        self.watcher.out.clear();
    }
}

/// With as many markets as one link can watch, at most.
fn on_bbo(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine/on_bbo");
    for markets in [1, 10, 126, MAX_MARKETS] {
        let mut quotes = Quotes::new(markets);
        group.bench_function(BenchmarkId::from_parameter(markets), |b| b.iter(|| quotes.quote()));
    }
    group.finish();
    let (mut one, mut many) = (Quotes::new(1), Quotes::new(MAX_MARKETS));
    report_ratio(
        "engine/on_bbo",
        (&format!("{MAX_MARKETS}_markets"), || many.quote()),
        ("1_market", || one.quote()),
    );
}

/// One quote of every market that was calm before.
struct Turns {
    watcher: Watcher,
    frames: Vec<Vec<u8>>,
    quotes: (&'static str, &'static str),
    next: usize,
}

impl Turns {
    const MARKETS: usize = 126;

    fn new(quotes: (&'static str, &'static str)) -> Self {
        Self { watcher: Watcher::new(Self::MARKETS), frames: Vec::new(), quotes, next: 0 }
    }

    fn signals(&self) -> u64 {
        self.watcher.engine.status(self.watcher.now.mono).signals
    }
}

impl Contestant for Turns {
    /// Every look at the last signals is over, and every market calm.
    fn prepare(&mut self, calls: u32) {
        assert!(calls as usize <= Self::MARKETS);
        // The crosses end before a second signal of theirs is due.
        self.watcher.calm();
        self.watcher.pass(Nanos::from_secs(1));
        self.watcher.calm();
        self.watcher.pass(Nanos::from_millis(100));
        let (now, quotes) = (self.watcher.now, self.quotes);
        let frame = |n: &usize| bbo_frame(*n, now, quotes).into_bytes();
        self.frames = scattered(Self::MARKETS).iter().map(frame).collect();
        self.next = 0;
    }

    fn call(&mut self) {
        self.watcher.hear(black_box(&self.frames[self.next]));
        self.next += 1;
        black_box(&self.watcher.out);
        self.watcher.out.clear();
    }
}

/// A quote that begins a cross and makes a signal, against one that says what the last one said.
fn signal(c: &mut Criterion) {
    const CALLS: u32 = Turns::MARKETS as u32;
    let (mut lagging, mut calm) = (Turns::new(LAGGING), Turns::new(CALM));
    for turns in [&mut lagging, &mut calm] {
        turns.prepare(CALLS);
        (0..CALLS).for_each(|_| turns.call());
    }
    assert_eq!((lagging.signals(), calm.signals()), (u64::from(CALLS), 0));

    let mut group = c.benchmark_group("engine/signal");
    bench_prepared(&mut group, "signal", CALLS, &mut lagging);
    bench_prepared(&mut group, "no_signal", CALLS, &mut calm);
    group.finish();
    let (signal, no_signal) = (("signal", &mut lagging), ("no_signal", &mut calm));
    report_ratio_prepared("engine/signal", CALLS, signal, no_signal);
    let status = lagging.watcher.engine.status(lagging.watcher.now.mono);
    assert_eq!((status.signals, status.signals_shed), (status.crosses, 0), "one a cross, each");
}

/// What a turn of the loop gives the dashboard, beside what it gives a quote.
fn show(c: &mut Criterion) {
    const A_TURN: usize = 32;
    let mut group = c.benchmark_group("engine/show");
    let watched = Watcher::new(126);
    let mut shown = Vec::with_capacity(A_TURN);
    let mut show = |watched: &Watcher| {
        shown.clear();
        watched.engine.show_markets(0, A_TURN, &mut shown);
        assert_eq!(shown.len(), A_TURN);
    };
    group.bench_function("32_markets", |b| b.iter(|| show(black_box(&watched))));
    group.bench_function("status", |b| b.iter(|| watched.engine.status(watched.now.mono)));
    group.finish();
    let mut quotes = Quotes::new(126);
    report_ratio(
        "engine/show",
        ("32_markets", || show(black_box(&watched))),
        ("on_bbo", || quotes.quote()),
    );
}

criterion_group!(benches, on_bbo, signal, show);
criterion_main!(benches);
