//! Markets as the venue would tell of them, and an engine that watches them. Nothing here has seen
//! the venue: names and numbers are made up, shapes are those of its documents.

use hip3::engine::Engine;
use hip3::types::config::Config;
use hip3::types::event::{Actions, Event};
use hip3::types::ids::{AssetId, Coin};
use hip3::types::market::{MarginMode, MarketSpec, Universe};
use hip3::types::num::{Ratio, Usd};
use hip3::types::time::{Mono, Nanos, Now, Wall};

/// Where time begins: 2026-11-22 at noon, UTC.
pub(crate) const START: Now = Now { mono: Mono(1_000_000_000), wall: Wall(START_MS * 1_000_000) };

const START_MS: i64 = 1_795_348_800_000;

/// Id of the first market in orders.
pub(crate) const FIRST_ASSET: u32 = 110_000;

/// Quotes 10 bps apart around an oracle price of 324.2.
pub(crate) const CALM: (&str, &str) = ("324.04", "324.36");

/// Quotes that the oracle has left behind: the ask stands 40 bps below it.
pub(crate) const LAGGING: (&str, &str) = ("322.58", "322.9");

/// The oracle price of both.
pub(crate) const ORACLE: &str = "324.2";

/// Market `n`'s name in streams.
pub(crate) fn coin(n: usize) -> String {
    format!("xyz:M{n}")
}

/// `markets` markets in growth mode: a taker fee of 0.9 bps.
pub(crate) fn universe(markets: usize) -> Universe {
    let specs = (0..markets).map(|n| MarketSpec {
        coin: Coin::new(&coin(n)).expect("a coin"),
        asset: AssetId(FIRST_ASSET + n as u32),
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
    Universe { markets: specs.collect(), fees: None, odd: Vec::new() }
}

/// The best bid and ask of market `n` in the block of `now`.
pub(crate) fn bbo_frame(n: usize, now: Now, (bid, ask): (&str, &str)) -> String {
    let (coin, time) = (coin(n), now.wall.0 / 1_000_000);
    format!(
        r#"{{"channel":"bbo","data":{{"coin":"{coin}","time":{time},"bbo":[{{"px":"{bid}","sz":"31.085","n":1}},{{"px":"{ask}","sz":"20.58","n":1}}]}}}}"#
    )
}

/// The context of market `n`, its mark and mid at the oracle price.
pub(crate) fn ctx_frame(n: usize) -> String {
    let coin = coin(n);
    format!(
        r#"{{"channel":"activeAssetCtx","data":{{"coin":"{coin}","ctx":{{"funding":"0.00000625","openInterest":"704.6874","prevDayPx":"310.0","dayNtlVlm":"204936975.5","premium":"-0.0001","oraclePx":"{ORACLE}","markPx":"{ORACLE}","midPx":"{ORACLE}","impactPxs":["324.1","324.3"],"dayBaseVlm":"6563.3756"}}}}}}"#
    )
}

/// The numbers below `count` in an order that looks like chance and is always the same: who meets
/// the markets in it finds in his caches what he would find there in a day's work.
pub(crate) fn scattered(count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut state = 1_u64;
    for last in (1..count).rev() {
        // The generator of Knuth's MMIX; its high bits are the good ones.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(last, (state >> 33) as usize % (last + 1));
    }
    order
}

/// An engine that observes, and that every gate would let trade.
pub(crate) struct Watcher {
    pub(crate) engine: Engine,
    pub(crate) out: Actions,
    pub(crate) now: Now,
    markets: usize,
}

impl Watcher {
    pub(crate) fn new(markets: usize) -> Self {
        let engine = Engine::new(&Config::default(), 1, 1);
        let mut watcher = Self { engine, out: Actions::new(), now: START, markets };
        let universe = universe(markets);
        for event in [Event::Tick, Event::Universe(&universe), Event::Connected] {
            watcher.engine.on_event(START, event, &mut watcher.out);
        }
        watcher.out.clear();
        for _ in 0..30 {
            watcher.calm();
        }
        let status = watcher.engine.status(watcher.now.mono);
        assert_eq!((status.markets as usize, status.live as usize), (markets, markets));
        assert_eq!(status.blocked, 0, "calm markets pass every gate");
        watcher
    }

    /// Tells of a frame now. What the engine asks for is left to the caller.
    pub(crate) fn hear(&mut self, frame: &[u8]) {
        self.engine.on_event(self.now, Event::Frame(frame), &mut self.out);
    }

    /// A context and a calm quote of every market.
    pub(crate) fn calm(&mut self) {
        for n in 0..self.markets {
            self.hear(ctx_frame(n).as_bytes());
            self.hear(bbo_frame(n, self.now, CALM).as_bytes());
            self.out.clear();
        }
    }

    /// Lets time pass, with a tick at each deadline of the engine. A reading of the venue that it
    /// asks for says that nothing has changed.
    pub(crate) fn pass(&mut self, span: Nanos) {
        let end = self.now.mono.plus(span);
        while self.engine.next_due() <= end {
            self.advance(self.engine.next_due().since(self.now.mono));
            self.engine.on_event(self.now, Event::Tick, &mut self.out);
            self.out.clear();
        }
        self.advance(end.since(self.now.mono));
    }

    fn advance(&mut self, step: Nanos) {
        self.now = Now { mono: self.now.mono.plus(step), wall: self.now.wall.plus(step) };
    }
}
