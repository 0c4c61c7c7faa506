//! Published vectors, and what a signature that is not ours looks like.

use std::path::{Path, PathBuf};

use k256::ecdsa::SigningKey;
use serde_json::{Value, json};

use super::*;
use crate::venue::action::{Action, NewOrder, Tif, Which};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// A key that is nobody's, made of a hash.
fn key(number: u8) -> SigningKey {
    let secret = <sha3::Keccak256 as sha3::Digest>::digest([number]);
    SigningKey::from_slice(&secret).expect("a key")
}

fn address(key: &SigningKey) -> Address {
    signature::address_of(key.verifying_key()).expect("an address")
}

fn connection_id(action: &Value, nonce: u64, vault: Option<&str>, until: Option<u64>) -> String {
    let canonical = Canonical::deserialize(action).expect("an action");
    let vault = vault.map(|text| Address::parse(text).expect("an address"));
    hex(&signature::connection_id(&canonical, nonce, vault, until).expect("it packs"))
}

/// The body of `action`, signed by `key` as a client does that hashes `hashed`.
fn body(key: &SigningKey, action: &Value, hashed: &Value, nonce: u64) -> Value {
    let canonical = Canonical::deserialize(hashed).expect("an action");
    let hash = signature::connection_id(&canonical, nonce, None, None).expect("it packs");
    signed(key, action, hash, nonce)
}

fn signed(key: &SigningKey, action: &Value, hash: [u8; 32], nonce: u64) -> Value {
    let (signature, id) = key.sign_prehash_recoverable(&signature::digest(hash, false));
    let (r, s) = signature.split_bytes();
    let v = 27 + id.to_byte();
    json!({ "action": action, "nonce": nonce, "signature": { "r": hex(&r), "s": hex(&s), "v": v } })
}

fn order(px: &str) -> Value {
    json!({
        "type": "order",
        "orders": [{ "a": 110_000, "b": true, "p": px, "s": "0.1", "r": false,
            "t": { "limit": { "tif": "Ioc" } } }],
        "grouping": "na",
    })
}

#[test]
fn published_hashes_come_out() {
    let one = |a: u32, p: &str, s: &str, tif: &str| {
        json!({
            "grouping": "na", "type": "order",
            "orders": [{ "t": { "limit": { "tif": tif } }, "a": a, "b": true, "p": p, "s": s,
                "r": false }],
        })
    };
    assert_eq!(
        connection_id(&one(4, "1670.1", "0.0147", "Ioc"), 1_677_777_606_040, None, None),
        "0x0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908"
    );
    let gtc = one(0, "30000", "0.1", "Gtc");
    let vault = Some("0x1234567890123456789012345678901234567890");
    let until = Some(1_234_567_890);
    for (vault, until, expected) in [
        (None, None, "0x25367e0dba84351148288c2233cd6130ed6cec5967ded0c0b7334f36f957cc90"),
        (vault, None, "0x214e2ea3270981b6fd18174216691e69f56872663139d396b10ded319cb4bb1e"),
        (None, until, "0xc30b002ba3775e4c31c43c1dfd3291dfc85c6ae06c6b9f393991de86cad5fac7"),
        (vault, until, "0x2d62412aa0fc57441b5189841d81554a6a9680bf07204e1454983a9ca44f0744"),
    ] {
        assert_eq!(connection_id(&gtc, 1_234_567_890, vault, until), expected);
    }
}

#[test]
fn the_documented_bytes_of_a_schedule_come_out() {
    let action = json!({ "time": 1_700_000_000_000_u64, "type": "scheduleCancel" });
    let packed = Canonical::deserialize(&action).expect("an action").pack().expect("it packs");
    assert_eq!(
        packed,
        [
            &[0x82, 0xa4][..],
            b"type",
            &[0xae],
            b"scheduleCancel",
            &[0xa4],
            b"time",
            &[0xcf],
            &1_700_000_000_000_u64.to_be_bytes()
        ]
        .concat()
    );
}

#[test]
fn every_action_packs_its_keys_in_signing_order_and_leaves_out_what_says_no() {
    let order = json!({ "a": 1, "b": true, "p": "10.50", "s": "1.0", "r": false,
        "t": { "limit": { "tif": "Gtc" } }, "c": null });
    let cloid = "0x000000000000000000000000000000AB";
    for (action, keys) in [
        (json!({ "f": false, "cancels": [{ "o": 5, "a": 1 }], "type": "cancel" }), "type,cancels"),
        (json!({ "f": true, "cancels": [], "type": "cancel" }), "type,cancels,f"),
        (
            json!({ "cancels": [{ "cloid": cloid, "asset": 1 }], "type": "cancelByCloid" }),
            "type,cancels",
        ),
        (json!({ "type": "scheduleCancel", "time": null }), "type"),
        (json!({ "order": order, "oid": cloid, "type": "modify" }), "type,oid,order"),
        (json!({ "a": true, "order": order, "oid": 7, "type": "modify" }), "type,oid,order,a"),
        (
            json!({ "modifies": [{ "order": order, "oid": 7 }], "type": "batchModify" }),
            "type,modifies",
        ),
        (
            json!({ "leverage": 5, "isCross": false, "asset": 1, "type": "updateLeverage" }),
            "type,asset,isCross,leverage",
        ),
        (
            json!({ "ntli": -5, "isBuy": true, "asset": 1, "type": "updateIsolatedMargin" }),
            "type,asset,isBuy,ntli",
        ),
        (json!({ "type": "noop" }), "type"),
        (json!({ "weight": 10, "type": "reserveRequestWeight" }), "type,weight"),
        (json!({ "abstraction": "u", "type": "agentSetAbstraction" }), "type,abstraction"),
        (
            json!({ "builder": { "f": 10, "b": "0x7EC844A15A12FD93B4535222D6C8E55432FE360F" },
                "grouping": { "p": 80_000 }, "orders": [order], "type": "order" }),
            "type,orders,grouping,builder",
        ),
    ] {
        let canonical = Canonical::deserialize(&action).expect("an action");
        let packed = canonical.pack().expect("it packs");
        // Reading the bytes back tells their order, which a JSON object would not.
        let mut at = 1;
        let mut found = Vec::new();
        let count = usize::from(packed[0] & 0x0f);
        for _ in 0..count {
            let length = usize::from(packed[at] & 0x1f);
            found.push(String::from_utf8(packed[at + 1..at + 1 + length].to_vec()).expect("text"));
            at += 1 + length;
            at += skip(&packed[at..]);
        }
        assert_eq!((found.join(",").as_str(), at), (keys, packed.len()), "{action}");
        // Decimals are canonical, and text is lower case.
        let bytes = String::from_utf8_lossy(&packed).into_owned();
        assert!(!bytes.contains("10.50") && !bytes.contains("7EC8") && !bytes.contains("00AB"));
    }
}

/// Bytes of the packed value that `bytes` begin with.
fn skip(bytes: &[u8]) -> usize {
    let many = |from: usize, count: usize| (0..count).fold(from, |at, _| at + skip(&bytes[at..]));
    match bytes[0] {
        0x00..=0x7f | 0xc0..=0xc3 | 0xe0..=0xff => 1,
        head @ 0x80..=0x8f => many(1, usize::from(head & 0x0f) * 2),
        head @ 0x90..=0x9f => many(1, usize::from(head & 0x0f)),
        head @ 0xa0..=0xbf => 1 + usize::from(head & 0x1f),
        0xcc | 0xd0 => 2,
        0xcd | 0xd1 => 3,
        0xce | 0xd2 => 5,
        0xcf | 0xd3 => 9,
        0xd9 => 2 + usize::from(bytes[1]),
        other => panic!("{other:#x} is not used here"),
    }
}

#[test]
fn what_is_asked_is_understood() {
    let me = key(7);
    let asked = read(&body(&me, &order("31250"), &order("31250"), 5), false).expect("an action");
    let expected = NewOrder {
        asset: 110_000,
        buy: true,
        px: crate::types::num::Px::from_units(3_125_000_000_000),
        sz: crate::types::num::Sz::from_units(10_000_000),
        reduce_only: false,
        tif: Some(Tif::Ioc),
        cloid: None,
    };
    let Asked { signed, mode } = asked;
    assert_eq!((signed.signer, signed.nonce, signed.vault, mode), (address(&me), 5, None, None));
    assert_eq!(signed.action, Action::Order(vec![expected]));
    let cancel = json!({ "type": "cancel", "cancels": [{ "a": 4, "o": 600_000_000_000_u64 }] });
    let asked = read(&body(&me, &cancel, &cancel, 6), false).expect("an action");
    assert_eq!(asked.signed.action, Action::Cancel(vec![(4, Which::Oid(600_000_000_000))]));
    let unified = json!({ "type": "agentSetAbstraction", "abstraction": "u" });
    let asked = read(&body(&me, &unified, &unified, 7), false).expect("an action");
    assert_eq!((asked.signed.action, asked.mode), (Action::Noop, Some(AccountMode::Unified)));
}

#[test]
fn a_price_signed_as_it_must_not_be_is_a_strangers() {
    let me = key(7);
    // Sent with a trailing zero, signed canonically: the venue hashes its own form.
    let sent = read(&body(&me, &order("31250.0"), &order("31250"), 5), false).expect("an action");
    assert_eq!(sent.signed.signer, address(&me));
    // Signed with the trailing zero: other bytes.
    let canonical = Canonical::deserialize(&order("31250")).expect("an action");
    let mut bytes = canonical.pack().expect("it packs");
    let at = bytes.windows(6).position(|part| part == b"\xa531250").expect("the price");
    bytes.splice(at..at + 6, *b"\xa731250.0");
    bytes.extend(5_u64.to_be_bytes());
    bytes.push(0);
    let hash: [u8; 32] = <sha3::Keccak256 as sha3::Digest>::digest(&bytes).into();
    let stranger = read(&signed(&me, &order("31250.0"), hash, 5), false).expect("an action");
    assert_ne!(stranger.signed.signer, address(&me));
}

#[test]
fn another_network_another_nonce_or_another_price_is_a_strangers() {
    let me = key(9);
    let mut sent = body(&me, &order("1.5"), &order("1.5"), 5);
    assert_eq!(read(&sent, false).expect("an action").signed.signer, address(&me));
    assert_ne!(read(&sent, true).expect("an action").signed.signer, address(&me));
    sent["nonce"] = json!(6);
    assert_ne!(read(&sent, false).expect("an action").signed.signer, address(&me));
    let other = body(&me, &order("1.6"), &order("1.5"), 5);
    assert_ne!(read(&other, false).expect("an action").signed.signer, address(&me));
}

#[test]
fn short_hex_is_taken_and_nonsense_is_refused_with_its_status() {
    let good = body(&key(7), &order("1.5"), &order("1.5"), 5);
    let with = |path: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(path).expect("a path") = value;
        read(&changed, false).map(|asked| asked.signed.signer)
    };
    assert!(with("/signature/r", json!("0x1")).is_ok_and(|who| who != address(&key(7))));
    for (path, value) in [
        ("/signature/v", json!(26)),
        ("/signature/v", json!("27")),
        ("/signature/r", json!("12")),
        ("/signature/r", json!("0x")),
        ("/signature/s", json!("0xg")),
        ("/nonce", json!(-1)),
        ("/action/type", json!("destroy")),
        ("/action/orders/0/p", json!(1.5)),
        ("/action/orders/0/p", json!("1e3")),
        ("/action/orders/0/t/limit/tif", json!("Fok")),
        ("/action/grouping", json!("all")),
        ("/action/orders/0/a", json!(-1)),
    ] {
        assert_eq!(with(path, value.clone()), Err(Unread::Shape), "{path} {value}");
    }
    assert_eq!(with("/signature/s", json!("0x0")), Err(Unread::Signature));
    assert_eq!(read_bytes(b"{", false), Err(Unread::Syntax));
    assert_eq!(read_bytes(b"{}", false), Err(Unread::Shape));
    let weight = |body: &Value| items(body.to_string().as_bytes());
    assert_eq!((weight(&good), weight(&json!({})), items(b"{")), (1, 1, 1));
}

#[test]
fn recorded_vectors_recover_to_their_signers() {
    let folder = std::env::var_os("HIP3_FRAMES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/frames"),
        PathBuf::from,
    );
    let Ok(text) = std::fs::read_to_string(folder.join("signing_vectors.json")) else {
        eprintln!("skipped: no vectors in {} (HIP3_FRAMES names their folder)", folder.display());
        return;
    };
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let vectors = file["vectors"].as_array().expect("a list");
    assert!(vectors.len() >= 8);
    for one in vectors {
        let name = &one["name"];
        let mainnet = one["isMainnet"].as_bool().expect("a flag");
        let canonical = Canonical::deserialize(&one["action"]).expect("an action");
        assert_eq!(hex(&canonical.pack().expect("it packs")), one["msgpack"], "{name}");
        let vault = one["vaultAddress"].as_str().and_then(Address::parse);
        let (nonce, until) =
            (one["nonce"].as_u64().expect("a nonce"), one["expiresAfter"].as_u64());
        let hash = signature::connection_id(&canonical, nonce, vault, until).expect("it packs");
        assert_eq!(hex(&hash), one["connectionId"], "{name}");
        assert_eq!(hex(&signature::digest(hash, mainnet)), one["digest"], "{name}");
        let body = json!({
            "action": one["action"], "nonce": nonce, "vaultAddress": one["vaultAddress"],
            "expiresAfter": until,
            "signature": { "r": one["r"], "s": one["s"], "v": one["v"] },
        });
        let asked = read(&body, mainnet).expect("an action");
        assert_eq!(asked.signed.signer.to_string(), one["signer"], "{name}");
    }
}
