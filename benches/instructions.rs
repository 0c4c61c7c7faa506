//! Four functions of the hot path, each to be run so many times: for counting instructions, which do not
//! depend on what else the machine does. `make instructions` runs it under callgrind, twice each, and
//! takes the difference, so that what is made ahead counts for nothing.
//!
//! `instructions NAME CALLS PREPARED`: prepares for so many calls, and makes as many as it is told.

use std::hint::black_box;
use std::process::ExitCode;

use hip3::engine::Engine;
use hip3::executor::encode::{Action, Encoder, Envelope};
use hip3::executor::signer::{Key, Presigner, Signer, SigningNetwork};
use hip3::feed::message::Decoder;
use hip3::runtime::presigner::Pool;
use hip3::runtime::ring::ring;
use hip3::types::config::Config;
use hip3::types::event::{Actions, Event};
use hip3::types::ids::{AssetId, Coin, MarketId, SignalId};
use hip3::types::market::{MarginMode, MarketSpec, Universe};
use hip3::types::num::{Px, Ratio, Side, Sz, Usd};
use hip3::types::order::{Cloid, Order, Purpose};
use hip3::types::time::{Mono, Nanos, Now, Wall};

const MARKETS: usize = 126;

type Work = Box<dyn FnMut()>;
/// Makes what so many calls need.
type Prepare = fn(usize) -> Work;

const FUNCTIONS: [(&str, Prepare); 4] = [
    ("decode_bbo", decode_bbo),
    ("decode_ctx", decode_ctx),
    ("engine_on_bbo", engine_on_bbo),
    ("encode_and_sign", encode_and_sign),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, calls, prepared] = &args[..] else {
        eprintln!("instructions are counted by `make instructions`");
        return ExitCode::SUCCESS;
    };
    let function = FUNCTIONS.iter().find(|(known, _)| known == name);
    let (Some((_, prepare)), Ok(calls), Ok(prepared)) =
        (function, calls.parse::<usize>(), prepared.parse::<usize>())
    else {
        eprintln!("expected NAME CALLS PREPARED, with one of {FUNCTIONS:?}");
        return ExitCode::FAILURE;
    };
    let mut work = prepare(prepared);
    for _ in 0..calls {
        work();
    }
    ExitCode::SUCCESS
}

fn coin(n: usize) -> Coin {
    Coin::new(&format!("xyz:M{n}")).expect("a coin")
}

fn bbo(n: usize) -> Vec<u8> {
    format!(r#"{{"channel":"bbo","data":{{"coin":"xyz:M{n}","time":1788330949235,"bbo":[{{"px":"324.18","sz":"3.085","n":1}},{{"px":"324.21","sz":"0.58","n":1}}]}}}}"#)
        .into_bytes()
}

fn ctx(n: usize) -> Vec<u8> {
    format!(
        r#"{{"channel":"activeAssetCtx","data":{{"coin":"xyz:M{n}","ctx":{{"funding":"0.00000625","openInterest":"704.6874","prevDayPx":"310.0","dayNtlVlm":"204936975.5","premium":"-0.0001","oraclePx":"324.2","markPx":"324.2","midPx":"324.195","impactPxs":["324.1","324.3"],"dayBaseVlm":"6563.3756"}}}}}}"#
    )
    .into_bytes()
}

fn decode(frame: Vec<u8>) -> Work {
    let mut decoder = Decoder::new();
    (0..MARKETS).for_each(|n| decoder.watch(coin(n), MarketId(n as u16)));
    Box::new(move || {
        assert!(black_box(decoder.decode(black_box(&frame))).is_ok());
    })
}

fn decode_bbo(_: usize) -> Work {
    decode(bbo(77))
}

fn decode_ctx(_: usize) -> Work {
    decode(ctx(77))
}

/// A quote of the next of calm markets, decoding included.
fn engine_on_bbo(_: usize) -> Work {
    let mut engine = Engine::new(&Config::default(), 1, 1);
    let mut out = Actions::new();
    let mut now = Now { mono: Mono(1_000_000_000), wall: Wall(1_795_348_800_000_000_000) };
    let specs = (0..MARKETS).map(|n| MarketSpec {
        coin: coin(n),
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
    let frames: Vec<Vec<u8>> = (0..MARKETS).map(bbo).collect();
    for frame in (0..MARKETS).map(ctx).chain(frames.iter().cycle().take(MARKETS * 30).cloned()) {
        engine.on_event(now, Event::Frame(&frame), &mut out);
        out.clear();
    }
    let mut next = 0;
    Box::new(move || {
        now.mono = now.mono.plus(Nanos(1));
        engine.on_event(now, Event::Frame(black_box(&frames[next])), &mut out);
        next = (next + 1) % frames.len();
        out.clear();
    })
}

/// One order, signed with a half that is there already.
fn encode_and_sign(prepared: usize) -> Work {
    let key = || Key::from_bytes(&[7; 32]).expect("a key that is nobody's");
    let mut presigner = Presigner::new(&key());
    let (mut producer, consumer) = ring(prepared.max(1));
    for n in 1..=prepared as u64 {
        let mut entropy = [0; 32];
        entropy[..8].copy_from_slice(&n.to_be_bytes());
        let half = presigner.make(entropy).expect("a half");
        producer.push(half).expect("room");
    }
    let signer = Signer::new(key(), Some(Box::new(Pool::new(consumer))));
    let mut encoder = Encoder::new(signer, SigningNetwork::Testnet, None);
    let order = Order {
        cloid: Cloid(0x1234_5678_9abc_def0),
        market: MarketId(26),
        coin: coin(26),
        asset: AssetId(110_026),
        side: Side::Sell,
        px: Px::parse(b"32.115").expect("a price"),
        sz: Sz::parse(b"0.35").expect("a size"),
        reduce_only: false,
        purpose: Purpose::Entry(SignalId(5)),
    };
    let (mut text, mut nonce) = (Vec::with_capacity(1024), 1_790_000_000_000);
    Box::new(move || {
        text.clear();
        nonce += 1;
        let envelope = Envelope { nonce, expires_after: Some(nonce + 2_000) };
        let action = Action::Orders(std::slice::from_ref(black_box(&order)));
        encoder.post(&mut text, nonce, &action, envelope).expect("a post");
        black_box(&text);
        assert_eq!(encoder.signer().counts().1, 0, "a half was there");
    })
}
