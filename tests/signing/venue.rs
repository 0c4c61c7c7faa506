//! What the venue does with a signed post, by other means than ours: packs the action that it was
//! sent, hashes it, and finds who signed.

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use sha3::{Digest, Keccak256};

use crate::signing::node::{Node, unhex};

fn keccak(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// The msgpack of an action, its keys in the order in which they stand.
pub(crate) fn pack(action: &Node) -> Vec<u8> {
    rmp_serde::to_vec(action).expect("an action packs")
}

/// The address that signed `digest`, as text.
pub(crate) fn recover(digest: &[u8; 32], r: &[u8], s: &[u8], v: u64) -> String {
    let signature = Signature::from_slice(&[r, s].concat()).expect("two numbers of 32 bytes");
    assert_eq!(signature.normalize_s(), signature, "s is low");
    let id = RecoveryId::from_byte(u8::try_from(v - 27).expect("27 or 28")).expect("0 or 1");
    let key = VerifyingKey::recover_from_prehash(digest, &signature, id).expect("somebody signed");
    let point = key.to_sec1_point(false);
    let address = &keccak(&point.as_bytes()[1..])[12..];
    address.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Who signed the post `frame`, if its payload is of a known shape. Panics when it is not.
pub(crate) fn signer_of(frame: &[u8], mainnet: bool) -> String {
    let frame: Node = serde_json::from_slice(frame).expect("JSON");
    assert_eq!(frame.keys(), ["method", "id", "request"]);
    assert_eq!(frame.text("method"), "post");
    assert_eq!(frame.at("request").text("type"), "action");
    let payload = frame.at("request").at("payload");

    let mut hashed = pack(payload.at("action"));
    hashed.extend(payload.number("nonce").to_be_bytes());
    match payload.get("vaultAddress") {
        None => hashed.push(0),
        Some(Node::Text(vault)) => {
            hashed.push(1);
            hashed.extend(unhex(vault));
        }
        Some(other) => panic!("vaultAddress is {other:?}"),
    }
    if payload.get("expiresAfter").is_some() {
        hashed.push(0);
        hashed.extend(payload.number("expiresAfter").to_be_bytes());
    }

    let word = |number: u16| {
        let mut word = [0; 32];
        word[30..].copy_from_slice(&number.to_be_bytes());
        word
    };
    let domain = [
        keccak(
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
        ),
        keccak(b"Exchange"),
        keccak(b"1"),
        word(1337),
        word(0),
    ];
    let agent = [
        keccak(b"Agent(string source,bytes32 connectionId)"),
        keccak(if mainnet { b"a" } else { b"b" }),
        keccak(&hashed),
    ];
    let digest = keccak(
        &[&[0x19, 0x01], &keccak(domain.as_flattened())[..], &keccak(agent.as_flattened())]
            .concat(),
    );

    let signature = payload.at("signature");
    assert_eq!(signature.keys(), ["r", "s", "v"]);
    for half in ["r", "s"] {
        assert_eq!(signature.text(half).len(), 66, "{half} has all its zeros");
    }
    recover(&digest, &signature.bytes("r"), &signature.bytes("s"), signature.number("v"))
}
