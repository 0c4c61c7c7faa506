//! What the engine takes for a quote: decoding, market state, gates, detection.

#![allow(missing_docs, reason = "the macros of criterion make undocumented items")]

mod common;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hip3::engine::Engine;
use hip3::types::config::Config;
use hip3::types::event::{Actions, Event};
use hip3::types::ids::{AssetId, Coin};
use hip3::types::market::{MarginMode, MarketSpec, Universe};
use hip3::types::num::{Ratio, Usd};
use hip3::types::time::{Mono, Nanos, Now, Wall};

/// An engine that watches `markets` calm markets, and a frame for each.
struct Bench {
    engine: Engine,
    out: Actions,
    frames: Vec<Vec<u8>>,
    now: Now,
    next: usize,
}

impl Bench {
    fn new(markets: usize) -> Self {
        let config = Config::default();
        let mut engine = Engine::new(&config, 1, 1);
        let mut out = Actions::new();
        let now = Now { mono: Mono(1_000_000_000), wall: Wall(1_795_348_800_000_000_000) };
        let specs = (0..markets).map(|n| MarketSpec {
            coin: Coin::new(&format!("xyz:M{n}")).expect("a coin"),
            asset: AssetId(110_000 + n as u32),
            sz_decimals: 2,
            max_leverage: 20,
            margin_table: 20,
            margin_mode: MarginMode::Cross,
            fee_scale: Ratio::ONE,
            growth: true,
            delisted: false,
            oi_cap: Usd::parse(b"25000000"),
            oi_cap_sz: None,
            at_oi_cap: false,
        });
        let universe = Universe { markets: specs.collect(), fees: None };
        for event in [Event::Tick, Event::Universe(&universe), Event::Connected] {
            engine.on_event(now, event, &mut out);
        }
        let frames: Vec<Vec<u8>> = (0..markets)
            .map(|n| {
                format!(r#"{{"channel":"bbo","data":{{"coin":"xyz:M{n}","time":1788330949235,"bbo":[{{"px":"324.18","sz":"3.085","n":1}},{{"px":"324.21","sz":"0.58","n":1}}]}}}}"#)
                    .into_bytes()
            })
            .collect();
        for n in 0..markets {
            let ctx = format!(
                r#"{{"channel":"activeAssetCtx","data":{{"coin":"xyz:M{n}","ctx":{{"funding":"0.00000625","openInterest":"704.6874","prevDayPx":"310.0","dayNtlVlm":"204936975.5","premium":"-0.0001","oraclePx":"324.2","markPx":"324.2","midPx":"324.195","impactPxs":["324.1","324.3"],"dayBaseVlm":"6563.3756"}}}}}}"#
            );
            engine.on_event(now, Event::Frame(ctx.as_bytes()), &mut out);
        }
        let mut bench = Self { engine, out, frames, now, next: 0 };
        for _ in 0..markets * 30 {
            bench.quote();
        }
        assert_eq!(bench.engine.status(bench.now.mono).blocked, 0, "calm markets pass every gate");
        bench
    }

    /// One quote of the next market, a microsecond later.
    fn quote(&mut self) {
        self.now.mono = self.now.mono.plus(Nanos(1));
        self.engine.on_event(
            self.now,
            Event::Frame(black_box(&self.frames[self.next])),
            &mut self.out,
        );
        self.next = (self.next + 1) % self.frames.len();
        self.out.clear();
    }
}

fn on_bbo(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine/on_bbo");
    for markets in [1, 10, 126, 490] {
        let mut bench = Bench::new(markets);
        group.bench_function(BenchmarkId::from_parameter(markets), |b| b.iter(|| bench.quote()));
    }
    group.finish();
    let (mut one, mut many) = (Bench::new(1), Bench::new(490));
    common::report_ratio(
        "engine/on_bbo",
        ("490_markets", &mut || many.quote()),
        ("1_market", &mut || one.quote()),
    );
}

/// What a turn of the loop gives the dashboard, beside what it gives a quote.
fn show(c: &mut Criterion) {
    const A_TURN: usize = 32;
    let mut group = c.benchmark_group("engine/show");
    let mut bench = Bench::new(126);
    let mut shown = Vec::with_capacity(A_TURN);
    let mut show = |bench: &Bench| {
        shown.clear();
        bench.engine.show_markets(0, A_TURN, &mut shown);
        assert_eq!(shown.len(), A_TURN);
    };
    group.bench_function("32_markets", |b| b.iter(|| show(black_box(&bench))));
    group.bench_function("status", |b| b.iter(|| bench.engine.status(bench.now.mono)));
    group.finish();
    let other = Bench::new(126);
    common::report_ratio(
        "engine/show",
        ("32_markets", &mut || show(black_box(&other))),
        ("on_bbo", &mut || bench.quote()),
    );
}

criterion_group!(benches, on_bbo, show);
criterion_main!(benches);
