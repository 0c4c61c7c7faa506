//! Four functions of the hot path, each to be run so many times: for counting instructions, which do not
//! depend on what else the machine does. `make instructions` runs it under callgrind, twice each, and
//! takes the difference, so that what is made ahead counts for nothing.
//!
//! `instructions NAME CALLS PREPARED`: prepares for so many calls, and makes as many as it is told.

mod common;

use std::hint::black_box;
use std::process::ExitCode;

use hip3::executor::encode::{Action, Encoder, Envelope};
use hip3::executor::signer::{Signer, SigningNetwork};
use hip3::feed::message::Decoder;
use hip3::runtime::presigner::Pool;
use hip3::types::ids::{AssetId, Coin, MarketId, SignalId};
use hip3::types::num::{Px, Side, Sz};
use hip3::types::order::{Cloid, Order, Purpose};
use hip3::types::time::Nanos;

use crate::common::halves::{Halves, key};
use crate::common::world::{self, CALM, FIRST_ASSET, START, Watcher, bbo_frame, ctx_frame};

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
    Coin::new(&world::coin(n)).expect("a coin")
}

fn decode(frame: String) -> Work {
    let mut decoder = Decoder::new();
    (0..MARKETS).for_each(|n| decoder.watch(coin(n), MarketId(n as u16)));
    Box::new(move || {
        assert!(black_box(decoder.decode(black_box(frame.as_bytes()))).is_ok());
    })
}

fn decode_bbo(_: usize) -> Work {
    decode(bbo_frame(77, START, CALM))
}

fn decode_ctx(_: usize) -> Work {
    decode(ctx_frame(77))
}

/// A quote of the next of calm markets, decoding included.
fn engine_on_bbo(_: usize) -> Work {
    let mut watcher = Watcher::new(MARKETS);
    let frames: Vec<String> = (0..MARKETS).map(|n| bbo_frame(n, START, CALM)).collect();
    let mut next = 0;
    Box::new(move || {
        watcher.now.mono = watcher.now.mono.plus(Nanos(1));
        watcher.hear(black_box(frames[next].as_bytes()));
        next = (next + 1) % frames.len();
        watcher.out.clear();
    })
}

/// One order, signed with a half that is there already.
fn encode_and_sign(prepared: usize) -> Work {
    let (mut halves, ring) = Halves::new(prepared.max(1));
    halves.fill(prepared);
    let signer = Signer::new(key(), Some(Box::new(Pool::new(ring))));
    let mut encoder = Encoder::new(signer, SigningNetwork::Testnet, None);
    let order = Order {
        cloid: Cloid(0x1234_5678_9abc_def0),
        market: MarketId(26),
        coin: coin(26),
        asset: AssetId(FIRST_ASSET + 26),
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
