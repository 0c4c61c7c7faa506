//! From the bytes of a frame to the bytes of the order that it causes: the engine as it trades, against a
//! straightforward bot in this file, which does the same with the libraries one would reach for.

#![allow(missing_docs, reason = "the macros of criterion make undocumented items")]

mod common;
#[allow(dead_code, unreachable_pub, reason = "what the tests of trading share")]
#[path = "../tests/trading/desk.rs"]
mod desk;
#[path = "../tests/trading/pipe.rs"]
mod pipe;
#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use hip3::engine::{Engine, Wallet};
use hip3::executor::encode::Encoder;
use hip3::executor::signer::{Address, Signature, Signer, SigningNetwork, connection_id, digest};
use hip3::runtime::link::{Channel, LinkEvent};
use hip3::runtime::presigner::Pool;
use hip3::types::event::{Action, Event};
use hip3::types::hard_stop::HardStop;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use crate::common::halves::{Halves, key};
use crate::desk::{Desk, ONE, TWO, USER};
use crate::pipe::{Pipe, channel, server_frame};
use crate::support::FIRST_ID;

const NETWORK: SigningNetwork = SigningNetwork::Testnet;
const ROUNDS: usize = 2_000;
/// How the venue says that an order found nothing (PROTOCOL.md §3.6).
const MISS: &str = "Order could not immediately match against any resting orders. asset=110000";
/// Orders of one engine, two virtual seconds each: nobody reads its account again, and past
/// `position.max_account_age_s` it would open nothing.
const ORDERS: usize = 100;

/// A quote whose ask lies 40 bps below the oracle.
fn frame(coin: &str, time: i64) -> String {
    format!(
        r#"{{"channel":"bbo","data":{{"coin":"{coin}","time":{time},"bbo":[{{"px":"99.55","sz":"100","n":1}},{{"px":"99.6","sz":"100","n":1}}]}}}}"#
    )
}

/// The engine, its account and its markets, in virtual time.
struct Ours {
    desk: Desk,
    channel: Channel<Pipe>,
    halves: Halves,
    round: usize,
}

impl Ours {
    fn new() -> Self {
        let config = desk::config();
        let (halves, ring) = Halves::new(8);
        let signer = Signer::new(key(), Some(Box::new(Pool::new(ring))));
        let wallet = Wallet { encoder: Encoder::new(signer, NETWORK, None), user: USER.to_owned() };
        let engine = Engine::trading(&config, FIRST_ID, 7, wallet, HardStop::default());
        let desk = Desk::of(engine).made_ready();
        Self { desk, channel: channel(), halves, round: 0 }
    }

    /// One order, and how long it took. What makes the next one possible is not measured: the order's
    /// answer (it missed), quotes as they were, a second and a half.
    fn order(&mut self) -> Duration {
        if self.round == ORDERS {
            *self = Self::new();
            self.order(); // Buffers grow to their working size.
        }
        let coin = [ONE, TWO][self.round % 2];
        self.round += 1;
        self.halves.fill(4);
        self.desk.pass_ms(500);
        self.desk.calm_quotes();
        self.desk.pass_ms(1_500);
        let text = frame(coin, self.desk.venue_ms() - 190);
        let channel = &mut self.channel;
        channel.stream().expect("it is open").refill(&server_frame(&text));
        let mut took = Duration::ZERO;
        let ordinary = self.desk.trading().presigned.1;
        self.desk.event_by(Event::Frame(text.as_bytes()), |engine, now, _, out| {
            // As the loop does in idle turns; the other one has its turn before, too.
            engine.warm_up(now);
            let start = Instant::now();
            let (mut left, mut more) = (8, false);
            channel.begin_turn();
            let Some(LinkEvent::Text(text)) = channel.next_event(&mut left, &mut more) else {
                panic!("a text")
            };
            engine.on_event(now, Event::Frame(text), out);
            for action in out.iter() {
                if let Action::Send(span) = action {
                    channel.send(out.text(span)).expect("room");
                }
            }
            channel.flush().expect("it takes all");
            took = start.elapsed();
        });
        assert_eq!(self.desk.trading().presigned.1, ordinary, "a half was there");
        let (id, _) = self.desk.sent_order();
        self.desk.answer_error(id, MISS);
        took
    }

    fn sent(&mut self) -> Value {
        said(&self.channel.stream().expect("it is open").outgoing)
    }
}

#[derive(Deserialize)]
struct Heard {
    channel: String,
    data: HeardBbo,
}

#[derive(Deserialize)]
struct HeardBbo {
    coin: String,
    bbo: Vec<Option<HeardLevel>>,
}

#[derive(Deserialize)]
struct HeardLevel {
    px: Decimal,
    sz: Decimal,
}

#[derive(Clone, Serialize)]
struct Orders {
    r#type: String,
    orders: Vec<Wire>,
    grouping: String,
}

#[derive(Clone, Serialize)]
struct Wire {
    a: u32,
    b: bool,
    p: String,
    s: String,
    r: bool,
    t: Kind,
    c: String,
}

#[derive(Clone, Serialize)]
struct Kind {
    limit: Limit,
}

#[derive(Clone, Serialize)]
struct Limit {
    tif: String,
}

#[derive(Serialize)]
struct Post {
    method: String,
    id: u64,
    request: Request,
}

#[derive(Serialize)]
struct Request {
    r#type: String,
    payload: Payload,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    action: Orders,
    nonce: u64,
    signature: Signed,
    expires_after: u64,
}

#[derive(Serialize)]
struct Signed {
    r: String,
    s: String,
    v: u8,
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}

/// A bot of an afternoon: structs, a decimal library, msgpack by serde, an ordinary signature. It does
/// not look at gates, limits or records.
struct Baseline {
    socket: WebSocket<Pipe>,
    signer: Signer,
    oracles: Vec<(String, Decimal)>,
    nonce: u64,
}

impl Baseline {
    fn new() -> Self {
        let oracle = Decimal::from(100);
        Self {
            socket: WebSocket::from_raw_socket(Pipe::new(), Role::Client, None),
            signer: Signer::new(key(), None),
            oracles: vec![(ONE.to_owned(), oracle), (TWO.to_owned(), oracle)],
            nonce: 1_790_000_000_000,
        }
    }

    /// One order, and how long it took, with another right before it: both meet warm caches.
    fn order(&mut self) -> Duration {
        self.heard_to_sent();
        self.heard_to_sent()
    }

    fn heard_to_sent(&mut self) -> Duration {
        self.socket.get_mut().refill(&server_frame(&frame(ONE, 1_790_000_000_000)));
        let start = Instant::now();
        let Ok(Message::Text(text)) = self.socket.read() else { panic!("a text") };
        let heard: Heard = serde_json::from_str(black_box(text.as_str())).expect("a frame");
        let known = self.oracles.iter().position(|(coin, _)| *coin == heard.data.coin);
        let (at, Some(ask)) = (known.expect("a market"), &heard.data.bbo[1]) else {
            panic!("an ask")
        };
        let oracle = self.oracles[at].1;
        let edge_bps = (oracle - ask.px) / ask.px * Decimal::from(10_000);
        assert!(heard.channel == "bbo" && edge_bps > Decimal::from(20), "{edge_bps}");
        let size = (Decimal::from(50) / ask.px)
            .min(ask.sz)
            .round_dp_with_strategy(2, rust_decimal::RoundingStrategy::ToZero);
        self.nonce += 1;
        let wire = Wire {
            a: 110_000 + at as u32,
            b: true,
            p: ask.px.normalize().to_string(),
            s: size.normalize().to_string(),
            r: false,
            t: Kind { limit: Limit { tif: "Ioc".to_owned() } },
            c: format!("0x{:032x}", self.nonce),
        };
        let action =
            Orders { r#type: "order".to_owned(), orders: vec![wire], grouping: "na".to_owned() };
        let packed = rmp_serde::to_vec_named(&action).expect("msgpack");
        let expires_after = self.nonce + 2_000;
        let id = connection_id(&packed, self.nonce, None, Some(expires_after));
        let Signature { r, s, v } = self.signer.sign(&digest(NETWORK, &id)).expect("a signature");
        let signature = Signed { r: hex(&r), s: hex(&s), v };
        let payload = Payload { action, nonce: self.nonce, signature, expires_after };
        let request = Request { r#type: "action".to_owned(), payload };
        let post = Post { method: "post".to_owned(), id: self.nonce, request };
        let text = serde_json::to_string(&post).expect("JSON");
        self.socket.send(Message::text(text)).expect("room");
        start.elapsed()
    }

    fn sent(&mut self) -> Value {
        said(&self.socket.get_ref().outgoing)
    }
}

/// What a client's one frame says.
fn said(bytes: &[u8]) -> Value {
    let mut pipe = Pipe::new();
    pipe.refill(bytes);
    let mut server = WebSocket::from_raw_socket(pipe, Role::Server, None);
    let text = server.read().expect("a frame");
    serde_json::from_str(text.to_text().expect("text")).expect("JSON")
}

/// Who signed a post, by the bytes that serde makes of what it says.
fn signer_of(post: &Value) -> Option<Address> {
    let payload = &post["request"]["payload"];
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let order = &payload["action"]["orders"][0];
    let action = Orders {
        r#type: "order".to_owned(),
        orders: vec![Wire {
            a: order["a"].as_u64()? as u32,
            b: order["b"].as_bool()?,
            p: text(&order["p"]),
            s: text(&order["s"]),
            r: order["r"].as_bool()?,
            t: Kind { limit: Limit { tif: text(&order["t"]["limit"]["tif"]) } },
            c: text(&order["c"]),
        }],
        grouping: text(&payload["action"]["grouping"]),
    };
    let packed = rmp_serde::to_vec_named(&action).expect("msgpack");
    let expires = payload["expiresAfter"].as_u64();
    let id = connection_id(&packed, payload["nonce"].as_u64()?, None, expires);
    let bytes = |name: &str| {
        let digits = text(&payload["signature"][name]);
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let pair = digits.get(2 + 2 * at..4 + 2 * at).expect("32 bytes");
            *byte = u8::from_str_radix(pair, 16).expect("hex");
        }
        bytes
    };
    let v = payload["signature"]["v"].as_u64()? as u8;
    Signature { r: bytes("r"), s: bytes("s"), v }.recover(&digest(NETWORK, &id))
}

fn tick_to_order(c: &mut Criterion) {
    let (mut ours, mut baseline) = (Ours::new(), Baseline::new());
    ours.order();
    baseline.order();
    let [our_post, their_post] = [ours.sent(), baseline.sent()];
    for key in ["a", "b", "p", "s", "r", "t"] {
        let of = |post: &Value| post["request"]["payload"]["action"]["orders"][0][key].clone();
        assert_eq!(of(&our_post), of(&their_post), "{key}: a fast wrong answer is no result");
    }
    let address = Some(key().address());
    assert_eq!((signer_of(&our_post), signer_of(&their_post)), (address, address));

    let mut group = c.benchmark_group("pipeline/tick_to_order");
    group.sample_size(20);
    group.bench_function("engine", |b| {
        b.iter_custom(|calls| (0..calls).map(|_| ours.order()).sum());
    });
    group.bench_function("baseline", |b| {
        b.iter_custom(|calls| (0..calls).map(|_| baseline.order()).sum());
    });
    group.finish();
    common::report_tail(
        "pipeline/tick_to_order",
        ROUNDS,
        ("engine", || ours.order()),
        ("baseline", || baseline.order()),
    );
}

criterion_group!(benches, tick_to_order);
criterion_main!(benches);
