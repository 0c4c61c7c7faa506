//! Posts as the venue will read them: the bytes that are hashed, the text that is sent, and the
//! signature, against published values, recorded vectors, and a second implementation.
//!
//! The vectors are no part of the project. `HIP3_FRAMES` names the folder that holds them, by
//! default `../shared/frames`; without it that test says so and ends.

mod signing {
    pub(crate) mod node;
    pub(crate) mod venue;
}

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use allocation_counter::measure;
use hip3::executor::encode::{
    Action, EncodeError, Encoder, Envelope, MAX_ITEMS, post_order_status,
};
use hip3::executor::signer::{
    Address, Key, Presigned, Presigner, Signer, SigningNetwork, connection_id, digest,
};
use hip3::types::ids::{AssetId, Coin, MarketId, SignalId};
use hip3::types::num::{MAX_UNITS, Px, Side, Sz};
use hip3::types::order::{Cloid, Order, Purpose};
use hip3::types::source::Source;
use proptest::prelude::*;
use signing::node::Node;
use signing::venue;

/// Halves in memory.
struct Halves(VecDeque<Presigned>);

impl Source<Presigned> for Halves {
    fn take(&mut self) -> Option<Presigned> {
        self.0.pop_front()
    }

    fn closed(&self) -> bool {
        false
    }
}

fn key(bytes: [u8; 32]) -> Key {
    Key::from_bytes(&bytes).expect("a key")
}

fn halves(key: &Key, count: u16) -> Box<Halves> {
    let mut presigner = Presigner::new(key);
    let mut make = |n: u16| {
        let mut entropy = [1; 32];
        entropy[..2].copy_from_slice(&n.to_be_bytes());
        presigner.make(entropy).expect("a half")
    };
    Box::new(Halves((0..count).map(&mut make).collect()))
}

/// An encoder for a key that is no secret, which signs ordinarily.
fn encoder() -> Encoder {
    Encoder::new(Signer::new(key([7; 32]), None), SigningNetwork::Mainnet, None)
}

fn order(asset: u32, side: Side, px: &str, sz: &str, cloid: u128) -> Order {
    Order {
        cloid: Cloid(cloid),
        market: MarketId(0),
        coin: Coin::new("tst:ONE").expect("a coin"),
        asset: AssetId(asset),
        side,
        px: Px::parse(px.as_bytes()).expect("a price"),
        sz: Sz::parse(sz.as_bytes()).expect("a size"),
        reduce_only: false,
        purpose: Purpose::Entry(SignalId(1)),
    }
}

const ENVELOPE: Envelope = Envelope { nonce: 1_791_480_000_001, expires_after: None };

fn json(text: &str) -> Node {
    serde_json::from_str(text).expect("JSON")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The action of a post frame.
fn action_of(frame: &[u8]) -> Node {
    let frame: Node = serde_json::from_slice(frame).expect("JSON");
    frame.at("request").at("payload").at("action").clone()
}

#[test]
fn an_order_is_sent_in_the_words_of_the_protocol() {
    let order = order(110_026, Side::Buy, "32.115", "0.35", 0x1234567890abcdef1234567890abcdef);
    let vault = Address::parse("0x1234567890123456789012345678901234567890");
    let mut encoder = Encoder::new(Signer::new(key([7; 32]), None), SigningNetwork::Testnet, vault);
    let envelope = Envelope { nonce: 1_791_480_000_001, expires_after: Some(1_791_480_002_001) };
    let mut out = b"before".to_vec();
    encoder.post(&mut out, 256, &Action::Orders(&[order]), envelope).expect("a post");

    let text = String::from_utf8(out).expect("text");
    let (head, rest) = text.split_once(r#","signature":{"#).expect("a signature");
    assert_eq!(
        head,
        r#"before{"method":"post","id":256,"request":{"type":"action","payload":{"action":{"type":"order","orders":[{"a":110026,"b":true,"p":"32.115","s":"0.35","r":false,"t":{"limit":{"tif":"Ioc"}},"c":"0x1234567890abcdef1234567890abcdef"}],"grouping":"na"},"nonce":1791480000001"#
    );
    let (signature, tail) = rest.split_once('}').expect("its end");
    assert_eq!(
        tail,
        r#","vaultAddress":"0x1234567890123456789012345678901234567890","expiresAfter":1791480002001}}}"#
    );
    let signature = json(&format!("{{{signature}}}"));
    assert!(matches!(signature.number("v"), 27 | 28), "v is a number");
    let frame = text.strip_prefix("before").expect("it was appended");
    let signer = encoder.signer().address().to_string();
    assert_eq!(venue::signer_of(frame.as_bytes(), false), signer);
    assert_ne!(venue::signer_of(frame.as_bytes(), true), signer, "not for the other network");
}

#[test]
fn the_body_of_an_exchange_is_the_payload_of_a_post() {
    let vault = Address::parse("0x1234567890123456789012345678901234567890");
    let envelope = Envelope { nonce: 1_791_480_000_001, expires_after: Some(1_791_480_002_001) };
    let one = order(110_026, Side::Sell, "32.115", "0.35", 7);
    for (vault, action) in [(None, Action::Orders(&[one])), (vault, Action::Noop)] {
        let signer = || Signer::new(key([7; 32]), None);
        let encoder = || Encoder::new(signer(), SigningNetwork::Testnet, vault);
        let (mut body, mut post) = (b"before".to_vec(), Vec::new());
        encoder().exchange(&mut body, &action, envelope).expect("a body");
        encoder().post(&mut post, 5, &action, envelope).expect("a post");
        let body = String::from_utf8(body).expect("text");
        let body = body.strip_prefix("before").expect("it was appended");
        let expected =
            format!(r#"{{"method":"post","id":5,"request":{{"type":"action","payload":{body}}}}}"#);
        assert_eq!(String::from_utf8(post).expect("text"), expected);
    }
    let mut out = b"before".to_vec();
    assert!(encoder().exchange(&mut out, &Action::Orders(&[]), envelope).is_err());
    assert_eq!(out, b"before", "half a body is never sent");
}

#[test]
fn what_is_absent_is_left_out() {
    let mut out = Vec::new();
    encoder().post(&mut out, 1, &Action::Noop, ENVELOPE).expect("a post");
    let frame: Node = serde_json::from_slice(&out).expect("JSON");
    let payload = frame.at("request").at("payload");
    assert_eq!(payload.keys(), ["action", "nonce", "signature"]);
    assert_eq!(payload.at("action"), &json(r#"{"type":"noop"}"#));
}

#[test]
fn other_actions_are_sent_in_the_words_of_the_protocol() {
    let cases = [
        (
            Action::UpdateLeverage { asset: AssetId(110_026), is_cross: false, leverage: 5 },
            r#"{"type":"updateLeverage","asset":110026,"isCross":false,"leverage":5}"#,
        ),
        (
            Action::UpdateLeverage { asset: AssetId(0), is_cross: true, leverage: 200 },
            r#"{"type":"updateLeverage","asset":0,"isCross":true,"leverage":200}"#,
        ),
        (
            Action::CancelByCloid(&[(AssetId(4), Cloid(1)), (AssetId(110_000), Cloid(u128::MAX))]),
            r#"{"type":"cancelByCloid","cancels":[{"asset":4,"cloid":"0x00000000000000000000000000000001"},{"asset":110000,"cloid":"0xffffffffffffffffffffffffffffffff"}]}"#,
        ),
        (Action::Noop, r#"{"type":"noop"}"#),
    ];
    let mut encoder = encoder();
    for (action, text) in cases {
        let mut out = Vec::new();
        encoder.post(&mut out, 1, &action, ENVELOPE).expect("a post");
        assert_eq!(action_of(&out), json(text), "{action:?}");
        assert_eq!(encoder.packed(), venue::pack(&json(text)), "{action:?}");
        assert_eq!(venue::signer_of(&out, true), encoder.signer().address().to_string());
    }
}

#[test]
fn an_order_is_asked_after_by_its_cloid() {
    let mut out = Vec::new();
    let user = "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf";
    post_order_status(&mut out, 9, user, Cloid(0xabc));
    assert_eq!(
        String::from_utf8(out).expect("text"),
        r#"{"method":"post","id":9,"request":{"type":"info","payload":{"type":"orderStatus","user":"0x7e5f4552091a69125d5dfcb7b8c2659029395bdf","oid":"0x00000000000000000000000000000abc"}}}"#
    );
}

#[test]
fn what_cannot_be_sent_is_refused_and_leaves_no_trace() {
    let good = order(4, Side::Buy, "100", "1", 1);
    let many = vec![good; MAX_ITEMS + 1];
    let cancels = vec![(AssetId(4), Cloid(1)); MAX_ITEMS + 1];
    let with = |px: i64, sz: i64| {
        let (px, sz) = (Px::from_units(px), Sz::from_units(sz));
        [good, Order { px, sz, ..good }]
    };
    let mut encoder = encoder();
    for (action, error) in [
        (Action::Orders(&[]), EncodeError::Empty),
        (Action::CancelByCloid(&[]), EncodeError::Empty),
        (Action::Orders(&many), EncodeError::TooMany),
        (Action::CancelByCloid(&cancels), EncodeError::TooMany),
        (Action::Orders(&with(0, 1)), EncodeError::NotPositive),
        (Action::Orders(&with(-1, 1)), EncodeError::NotPositive),
        (Action::Orders(&with(1, 0)), EncodeError::NotPositive),
        (Action::Orders(&with(1, -1)), EncodeError::NotPositive),
        (
            Action::UpdateLeverage { asset: AssetId(4), is_cross: true, leverage: 0 },
            EncodeError::Leverage,
        ),
    ] {
        let mut out = b"before".to_vec();
        assert_eq!(encoder.post(&mut out, 1, &action, ENVELOPE), Err(error), "{action:?}");
        assert_eq!(out, b"before", "{action:?}");
    }
    assert_eq!(encoder.signer().counts(), (0, 0), "nothing was signed");

    for action in [Action::Orders(&many[..MAX_ITEMS]), Action::CancelByCloid(&cancels[..MAX_ITEMS])]
    {
        let mut out = Vec::new();
        assert_eq!(encoder.post(&mut out, 1, &action, ENVELOPE), Ok(()));
        assert_eq!(encoder.packed(), venue::pack(&action_of(&out)));
    }
}

#[test]
fn r_and_s_that_begin_with_zeros_keep_them() {
    let mut encoder = encoder();
    let signer = encoder.signer().address().to_string();
    let mut seen = [false; 2];
    let mut out = Vec::new();
    for nonce in 1..20_000 {
        out.clear();
        let envelope = Envelope { nonce, expires_after: None };
        encoder.post(&mut out, 1, &Action::Noop, envelope).expect("a post");
        let text = str::from_utf8(&out).expect("text");
        for (seen, half) in seen.iter_mut().zip([r#""r":"0x00"#, r#""s":"0x00"#]) {
            if !*seen && text.contains(half) {
                assert_eq!(venue::signer_of(&out, true), signer, "{text}");
                *seen = true;
            }
        }
        if seen == [true; 2] {
            return;
        }
    }
    panic!("one in 256 begins with zeros, and of 20,000 none did: {seen:?}");
}

#[test]
fn published_hashes_come_out() {
    let ioc = r#"{"type":"order","orders":[{"a":4,"b":true,"p":"1670.1","s":"0.0147","r":false,"t":{"limit":{"tif":"Ioc"}}}],"grouping":"na"}"#;
    let gtc = r#"{"type":"order","orders":[{"a":0,"b":true,"p":"30000","s":"0.1","r":false,"t":{"limit":{"tif":"Gtc"}}}],"grouping":"na"}"#;
    let vault = Address::parse("0x1234567890123456789012345678901234567890");
    let nonce = 1_234_567_890;
    for (action, nonce, vault, expires_after, expected) in [
        (
            ioc,
            1_677_777_606_040,
            None,
            None,
            "0x0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908",
        ),
        (
            gtc,
            nonce,
            None,
            None,
            "0x25367e0dba84351148288c2233cd6130ed6cec5967ded0c0b7334f36f957cc90",
        ),
        (
            gtc,
            nonce,
            vault,
            None,
            "0x214e2ea3270981b6fd18174216691e69f56872663139d396b10ded319cb4bb1e",
        ),
        (
            gtc,
            nonce,
            None,
            Some(nonce),
            "0xc30b002ba3775e4c31c43c1dfd3291dfc85c6ae06c6b9f393991de86cad5fac7",
        ),
        (
            gtc,
            nonce,
            vault,
            Some(nonce),
            "0x2d62412aa0fc57441b5189841d81554a6a9680bf07204e1454983a9ca44f0744",
        ),
    ] {
        let id = connection_id(&venue::pack(&json(action)), nonce, vault.as_ref(), expires_after);
        assert_eq!(hex(&id), expected);
    }
    // The packer of these tests, on the published example.
    let schedule = json(r#"{"type":"scheduleCancel","time":1700000000000}"#);
    let packed = b"\x82\xa4type\xaescheduleCancel\xa4time\xcf\x00\x00\x01\x8b\xcf\xe5\x68\x00";
    assert_eq!(venue::pack(&schedule), packed);
}

/// An action that the engine sends, out of its JSON: the orders or cancels in it, or a leverage.
enum Ours {
    Orders(Vec<Order>),
    Cancels(Vec<(AssetId, Cloid)>),
    Leverage { asset: AssetId, is_cross: bool, leverage: u32 },
}

impl Ours {
    /// `None` for an action that the engine never sends.
    fn of(action: &Node) -> Option<Self> {
        let asset =
            |node: &Node, key: &str| AssetId(u32::try_from(node.number(key)).expect("an asset"));
        let cloid = |node: &Node, key: &str| Cloid::parse(node.text(key)).expect("a cloid");
        match action.text("type") {
            "order" if action.get("builder").is_none() => {
                let ioc = json(r#"{"limit":{"tif":"Ioc"}}"#);
                let orders = action.list("orders").iter().map(|node| {
                    (node.at("t") == &ioc && node.get("c").is_some()).then(|| {
                        let side = if node.truth("b") { Side::Buy } else { Side::Sell };
                        let (px, sz) = (node.text("p"), node.text("s"));
                        let cloid = cloid(node, "c");
                        let plain = order(asset(node, "a").0, side, px, sz, cloid.0);
                        Order { reduce_only: node.truth("r"), ..plain }
                    })
                });
                orders.collect::<Option<_>>().map(Ours::Orders)
            }
            "cancelByCloid" => {
                let cancels = action.list("cancels").iter();
                let cancels = cancels.map(|node| (asset(node, "asset"), cloid(node, "cloid")));
                Some(Ours::Cancels(cancels.collect()))
            }
            "updateLeverage" => Some(Ours::Leverage {
                asset: asset(action, "asset"),
                is_cross: action.truth("isCross"),
                leverage: u32::try_from(action.number("leverage")).expect("a leverage"),
            }),
            _ => None,
        }
    }

    fn action(&self) -> Action<'_> {
        match self {
            Ours::Orders(orders) => Action::Orders(orders),
            Ours::Cancels(cancels) => Action::CancelByCloid(cancels),
            Ours::Leverage { asset, is_cross, leverage } => {
                Action::UpdateLeverage { asset: *asset, is_cross: *is_cross, leverage: *leverage }
            }
        }
    }
}

/// The file of vectors, or `None` after saying that it is missing.
fn vectors() -> Option<Node> {
    let folder = std::env::var_os("HIP3_FRAMES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/frames"),
        PathBuf::from,
    );
    let file = folder.join("signing_vectors.json");
    if !file.is_file() {
        eprintln!("skipped: no {} (HIP3_FRAMES names its folder)", file.display());
        return None;
    }
    let bytes = std::fs::read(&file).expect("a readable file");
    Some(serde_json::from_slice(&bytes).expect("JSON"))
}

#[test]
fn recorded_vectors_come_out_to_the_last_byte() {
    let Some(file) = vectors() else { return };
    let mut ours = 0;
    for vector in file.list("vectors") {
        let name = vector.text("name");
        let action = vector.at("action");
        let mainnet = vector.truth("isMainnet");
        let nonce = vector.number("nonce");
        let vault = match vector.at("vaultAddress") {
            Node::Null => None,
            _ => Some(Address::parse(vector.text("vaultAddress")).expect("an address")),
        };
        let expires_after = match vector.at("expiresAfter") {
            Node::Null => None,
            _ => Some(vector.number("expiresAfter")),
        };
        let network = if mainnet { SigningNetwork::Mainnet } else { SigningNetwork::Testnet };
        let secret = vector.text("privateKey");
        let signer = vector.text("signer");

        let packed = venue::pack(action);
        assert_eq!(packed, vector.bytes("msgpack"), "{name}");
        let id = connection_id(&packed, nonce, vault.as_ref(), expires_after);
        assert_eq!(id.as_slice(), vector.bytes("connectionId"), "{name}");
        let digest = digest(network, &id);
        assert_eq!(digest.as_slice(), vector.bytes("digest"), "{name}");

        // Made ahead, then ordinarily: another nonce, the same signer.
        let key = Key::from_hex(secret).expect("a key");
        let pool = halves(&key, 1);
        let mut both = Signer::new(key, Some(pool));
        assert_eq!(both.address().to_string(), signer, "{name}");
        let ahead = both.sign(&digest).expect("a signature");
        let recovered = venue::recover(&digest, &ahead.r, &ahead.s, u64::from(ahead.v));
        assert_eq!(recovered, signer, "{name}");
        let signature = both.sign(&digest).expect("a signature");
        assert_eq!(both.counts(), (1, 1), "{name}");
        assert_eq!(signature.r.as_slice(), vector.bytes("r"), "{name}");
        assert_eq!(signature.s.as_slice(), vector.bytes("s"), "{name}");
        assert_eq!(u64::from(signature.v), vector.number("v"), "{name}");

        let Some(own) = Ours::of(action) else { continue };
        ours += 1;
        let key = Key::from_hex(secret).expect("a key");
        let mut encoder = Encoder::new(Signer::new(key, None), network, vault);
        let mut out = Vec::new();
        let envelope = Envelope { nonce, expires_after };
        encoder.post(&mut out, 1, &own.action(), envelope).expect("a post");
        assert_eq!(encoder.packed(), packed, "{name}");
        assert_eq!(&action_of(&out), action, "{name}");
        assert_eq!(venue::signer_of(&out, mainnet), signer, "{name}");
    }
    assert_eq!((file.list("vectors").len(), ours), (8, 4));
}

#[test]
fn a_post_allocates_nothing() {
    const ROUNDS: u16 = 50;
    let key = key([7; 32]);
    let pool = halves(&key, 3 * ROUNDS);
    let mut encoder = Encoder::new(Signer::new(key, Some(pool)), SigningNetwork::Mainnet, None);
    let orders = vec![order(110_026, Side::Sell, "32.115", "0.35", 5); MAX_ITEMS];
    let cancels = [(AssetId(4), Cloid(1))];
    let mut out = Vec::new();
    let mut nonce = 0;
    let mut round = |encoder: &mut Encoder, orders: &[Order]| {
        for action in
            [Action::Orders(orders), Action::CancelByCloid(&cancels), Action::Orders(&orders[..1])]
        {
            nonce += 1;
            out.clear();
            let envelope = Envelope { nonce, expires_after: Some(nonce + 2_000) };
            encoder.post(&mut out, nonce, &action, envelope).expect("a post");
            post_order_status(
                &mut out,
                nonce,
                "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf",
                Cloid(1),
            );
        }
    };
    // An ordinary signature prepares the library for this thread; a full action grows `out`.
    let mut other = self::encoder();
    round(&mut other, &orders);

    // The pool gives out in the middle.
    let allocations = measure(|| {
        for _ in 0..2 * ROUNDS {
            round(&mut encoder, &orders[..20]);
        }
    });
    assert_eq!((allocations.count_total, allocations.bytes_total), (0, 0));
    let half = u64::from(3 * ROUNDS);
    assert_eq!(encoder.signer().counts(), (half, half));

    let allocations = measure(|| round(&mut encoder, &orders));
    assert_eq!(allocations.count_total, 0, "a full action needs no growing");
}

prop_compose! {
    fn any_order()(
        asset: u32,
        buys: bool,
        px in 1..=MAX_UNITS,
        sz in 1..=MAX_UNITS,
        cut in 0_u32..12,
        reduce_only: bool,
        cloid: u128,
    ) -> Order {
        let round = |units: i64| {
            let cut = 10_i64.pow(cut);
            if units > cut { units / cut * cut } else { units }
        };
        Order {
            side: if buys { Side::Buy } else { Side::Sell },
            px: Px::from_units(round(px)),
            sz: Sz::from_units(round(sz)),
            reduce_only,
            ..order(asset, Side::Buy, "1", "1", cloid)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_venue_finds_the_signer_of_any_orders(
        orders in proptest::collection::vec(any_order(), 1..40),
        secret in any::<[u8; 32]>(),
        vault in any::<Option<[u8; 20]>>(),
        mainnet: bool,
        ahead: bool,
        nonce: u64,
        expires_after: Option<u64>,
        post_id: u64,
    ) {
        let Ok(key) = Key::from_bytes(&secret) else { return Ok(()) };
        let network = if mainnet { SigningNetwork::Mainnet } else { SigningNetwork::Testnet };
        let pool = halves(&key, u16::from(ahead));
        let signer = Signer::new(key, Some(pool));
        let address = signer.address().to_string();
        let mut encoder = Encoder::new(signer, network, vault.map(Address));
        let mut out = Vec::new();
        let envelope = Envelope { nonce, expires_after };
        encoder.post(&mut out, post_id, &Action::Orders(&orders), envelope).expect("a post");

        prop_assert_eq!(venue::signer_of(&out, mainnet), address);
        prop_assert_eq!(encoder.signer().counts(), (u64::from(ahead), u64::from(!ahead)));
        let frame: Node = serde_json::from_slice(&out).expect("JSON");
        prop_assert_eq!(frame.number("id"), post_id);
        let action = action_of(&out);
        prop_assert_eq!(encoder.packed(), venue::pack(&action));
        match Ours::of(&action) {
            Some(Ours::Orders(sent)) => prop_assert_eq!(sent, orders),
            _ => prop_assert!(false, "not the orders that were given"),
        }
    }
}
