//! What is signed: the action's bytes hashed, and the hash wrapped as typed data (PROTOCOL.md §7.1).
//!
//! The type hash, the domain separator and the hashes of the sources are constants; a test derives
//! them from their texts.

use sha3::{Digest, Keccak256};

use super::key::Address;

/// Which of the venue's networks a signature is for. One for the other recovers to a stranger.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SigningNetwork {
    /// Real money: source `a`.
    Mainnet,
    /// The test network: source `b`.
    Testnet,
}

/// Hash of `Agent(string source,bytes32 connectionId)`.
const AGENT_TYPE: [u8; 32] = [
    0x26, 0xf0, 0x5c, 0x2f, 0x72, 0x39, 0xb6, 0x98, 0x30, 0x75, 0xe5, 0x83, 0x21, 0x29, 0x2d, 0x77,
    0xb3, 0xaa, 0x17, 0x3d, 0x19, 0xb2, 0x72, 0x57, 0xac, 0x96, 0xab, 0x36, 0x25, 0x70, 0xf5, 0x08,
];

/// Of the domain `Exchange`, version `1`, chain 1337, no contract; the same on both networks.
const DOMAIN: [u8; 32] = [
    0xd7, 0x92, 0x97, 0xfc, 0xdf, 0x2f, 0xfc, 0xd4, 0xae, 0x22, 0x3d, 0x01, 0xed, 0xaa, 0x2b, 0xa2,
    0x14, 0xff, 0x8f, 0x40, 0x1d, 0x7c, 0x93, 0x00, 0xd9, 0x95, 0xd1, 0x7c, 0x82, 0xaa, 0x40, 0x40,
];

/// Hash of `a`.
const SOURCE_MAINNET: [u8; 32] = [
    0x3a, 0xc2, 0x25, 0x16, 0x8d, 0xf5, 0x42, 0x12, 0xa2, 0x5c, 0x1c, 0x01, 0xfd, 0x35, 0xbe, 0xbf,
    0xea, 0x40, 0x8f, 0xda, 0xc2, 0xe3, 0x1d, 0xdd, 0x6f, 0x80, 0xa4, 0xbb, 0xf9, 0xa5, 0xf1, 0xcb,
];

/// Hash of `b`.
const SOURCE_TESTNET: [u8; 32] = [
    0xb5, 0x55, 0x3d, 0xe3, 0x15, 0xe0, 0xed, 0xf5, 0x04, 0xd9, 0x15, 0x0a, 0xf8, 0x2d, 0xaf, 0xa5,
    0xc4, 0x66, 0x7f, 0xa6, 0x18, 0xed, 0x0a, 0x6f, 0x19, 0xc6, 0x9b, 0x41, 0x16, 0x6c, 0x55, 0x10,
];

/// Keccak-256 of the parts, one after the other.
pub(super) fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The hash that names an action: of its msgpack bytes, its nonce, whom it is for, and until when
/// it may be executed (milliseconds), as PROTOCOL.md §7.1 lays them out.
pub fn connection_id(
    msgpack: &[u8],
    nonce: u64,
    vault: Option<&Address>,
    expires_after: Option<u64>,
) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    hasher.update(msgpack);
    hasher.update(nonce.to_be_bytes());
    match vault {
        None => hasher.update([0]),
        Some(Address(bytes)) => {
            hasher.update([1]);
            hasher.update(bytes);
        }
    }
    if let Some(ms) = expires_after {
        hasher.update([0]);
        hasher.update(ms.to_be_bytes());
    }
    hasher.finalize().into()
}

/// The 32 bytes that are signed for an action on `network` (PROTOCOL.md §7.1).
pub fn digest(network: SigningNetwork, connection_id: &[u8; 32]) -> [u8; 32] {
    let source = match network {
        SigningNetwork::Mainnet => &SOURCE_MAINNET,
        SigningNetwork::Testnet => &SOURCE_TESTNET,
    };
    let agent = keccak(&[&AGENT_TYPE, source, connection_id]);
    keccak(&[&[0x19, 0x01], &DOMAIN, &agent])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_the_hashes_of_their_texts() {
        let domain =
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
        let mut chain = [0; 32];
        chain[30..].copy_from_slice(&1337_u16.to_be_bytes());
        let domain = [keccak(&[domain]), keccak(&[b"Exchange"]), keccak(&[b"1"]), chain, [0; 32]];
        assert_eq!(keccak(&[domain.as_flattened()]), DOMAIN);
        assert_eq!(keccak(&[b"Agent(string source,bytes32 connectionId)"]), AGENT_TYPE);
        assert_eq!(keccak(&[b"a"]), SOURCE_MAINNET);
        assert_eq!(keccak(&[b"b"]), SOURCE_TESTNET);
    }

    #[test]
    fn every_part_of_the_envelope_changes_the_hash() {
        let (vault, other) = (Address([1; 20]), Address([2; 20]));
        let mut all = vec![
            connection_id(b"\x81", 1, None, None),
            connection_id(b"\x82", 1, None, None),
            connection_id(b"\x81", 2, None, None),
            connection_id(b"\x81", 1, Some(&vault), None),
            connection_id(b"\x81", 1, Some(&other), None),
            connection_id(b"\x81", 1, None, Some(0)),
            connection_id(b"\x81", 1, None, Some(1)),
            connection_id(b"\x81", 1, Some(&vault), Some(1)),
        ];
        let networks = [SigningNetwork::Mainnet, SigningNetwork::Testnet];
        let ids = all.clone();
        all.extend(ids.iter().flat_map(|id| networks.map(|network| digest(network, id))));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), count), (24, 24));
    }
}
