//! From an order to the text that is sent: packing and writing, and the signature.

#![allow(missing_docs, reason = "the macros of criterion make undocumented items")]

mod common;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hip3::executor::encode::{Action, write_action};
use hip3::executor::signer::{Signature, Signer};
use hip3::runtime::presigner::Pool;
use hip3::types::ids::{AssetId, Coin, MarketId, SignalId};
use hip3::types::num::{Px, Side, Sz};
use hip3::types::order::{Cloid, Order, Purpose};
use serde::Serialize;

use crate::common::halves::{Halves, KEY, key};
use crate::common::{Contestant, bench_prepared};

/// Calls whose halves are made ahead at a time: each takes some 60 µs to make.
const BATCH: u32 = 64;

fn order() -> Order {
    Order {
        cloid: Cloid(0x1234_5678_9abc_def0),
        market: MarketId(26),
        coin: Coin::new("abc:GOLD").expect("a coin"),
        asset: AssetId(110_026),
        side: Side::Sell,
        px: Px::parse(b"32.115").expect("a price"),
        sz: Sz::parse(b"0.35").expect("a size"),
        reduce_only: false,
        purpose: Purpose::Entry(SignalId(5)),
    }
}

/// An action as a client writes it down whose types say what goes over the wire.
#[derive(Serialize)]
struct WireAction {
    r#type: &'static str,
    orders: Vec<WireOrder>,
    grouping: &'static str,
}

#[derive(Serialize)]
struct WireOrder {
    a: u32,
    b: bool,
    p: String,
    s: String,
    r: bool,
    t: WireKind,
    c: String,
}

#[derive(Serialize)]
struct WireKind {
    limit: WireLimit,
}

#[derive(Serialize)]
struct WireLimit {
    tif: &'static str,
}

fn by_serde(order: &Order) -> (Vec<u8>, Vec<u8>) {
    let wire = WireOrder {
        a: order.asset.0,
        b: order.side == Side::Buy,
        p: order.px.to_string(),
        s: order.sz.to_string(),
        r: order.reduce_only,
        t: WireKind { limit: WireLimit { tif: "Ioc" } },
        c: format!("0x{:032x}", order.cloid.0),
    };
    let action = WireAction { r#type: "order", orders: vec![wire], grouping: "na" };
    let packed = rmp_serde::to_vec_named(&action).expect("msgpack");
    (packed, serde_json::to_vec(&action).expect("JSON"))
}

fn encode_order(c: &mut Criterion) {
    let order = order();
    let (mut packed, mut json) = (Vec::with_capacity(1024), Vec::with_capacity(1024));
    let mut ours = || {
        packed.clear();
        json.clear();
        let action = Action::Orders(std::slice::from_ref(black_box(&order)));
        write_action(&mut packed, &mut json, &action).expect("an order");
        (packed.len(), json.len())
    };
    let theirs = || by_serde(black_box(&order));
    assert_eq!(ours(), (theirs().0.len(), theirs().1.len()));
    let mut group = c.benchmark_group("executor/encode_order");
    group.bench_function("engine", |b| b.iter(&mut ours));
    group.bench_function("serde", |b| b.iter(theirs));
    group.finish();
    common::report_ratio("executor/encode_order", ("engine", &mut ours), ("serde", theirs));
    assert_eq!((packed, json), by_serde(&order), "a fast wrong answer is no result");
}

/// Signs one digest after the other.
struct Signs {
    signer: Signer,
    halves: Option<Halves>,
    digest: [u8; 32],
}

impl Signs {
    fn presigned() -> Self {
        let (halves, ring) = Halves::new(BATCH as usize);
        let signer = Signer::new(key(), Some(Box::new(Pool::new(ring))));
        Self { signer, halves: Some(halves), digest: [9; 32] }
    }

    fn ordinary() -> Self {
        Self { signer: Signer::new(key(), None), halves: None, digest: [9; 32] }
    }

    fn sign(&mut self) -> Signature {
        self.digest[0] = self.digest[0].wrapping_add(1) | 1;
        self.signer.sign(&self.digest).expect("a signature")
    }
}

impl Contestant for Signs {
    fn prepare(&mut self, calls: u32) {
        if let Some(halves) = &mut self.halves {
            halves.fill(calls as usize);
        }
    }

    fn call(&mut self) {
        black_box(self.sign());
    }
}

struct K256(k256::ecdsa::SigningKey, [u8; 32]);

impl Contestant for K256 {
    fn prepare(&mut self, _: u32) {}

    fn call(&mut self) {
        self.1[0] = self.1[0].wrapping_add(1) | 1;
        black_box(self.0.sign_prehash_recoverable(&self.1));
    }
}

fn sign(c: &mut Criterion) {
    let (mut presigned, mut ordinary) = (Signs::presigned(), Signs::ordinary());
    let mut k256 = K256(k256::ecdsa::SigningKey::from_slice(&KEY).expect("a key"), [9; 32]);
    let address = presigned.signer.address();
    for signs in [&mut presigned, &mut ordinary] {
        signs.prepare(1);
        let signature = signs.sign();
        assert_eq!(signature.recover(&signs.digest), Some(address), "a fast wrong answer");
    }
    let digest = [33; 32];
    let (theirs, _) = k256.0.sign_prehash_recoverable(&digest);
    let ours = ordinary.signer.sign(&digest).expect("a signature");
    assert_eq!(theirs.to_bytes()[..32], ours.r, "both take the nonce of RFC 6979");
    let mut group = c.benchmark_group("executor/sign");
    bench_prepared(&mut group, "presigned", BATCH, &mut presigned);
    bench_prepared(&mut group, "secp256k1", BATCH, &mut ordinary);
    bench_prepared(&mut group, "k256", BATCH, &mut k256);
    group.finish();
    common::report_ratio_prepared(
        "executor/sign",
        BATCH,
        ("presigned", &mut presigned),
        ("secp256k1", &mut ordinary),
    );
    let (made_ahead, _) = presigned.signer.counts();
    assert!(made_ahead > 0 && presigned.signer.counts().1 == 0, "none was made the slow way");
}

criterion_group!(benches, encode_order, sign);
criterion_main!(benches);
