//! From packed action to signer: keccak, the EIP-712 digest of the phantom agent, recovery
//! (PROTOCOL.md §7.1).

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use serde::Deserialize;
use sha3::{Digest, Keccak256};

use crate::venue::action::Address;
use crate::venue::wire::Unread;
use crate::venue::wire::canonical::Canonical;

/// A keccak hash.
type Hash = [u8; 32];

fn keccak(bytes: &[u8]) -> Hash {
    Keccak256::digest(bytes).into()
}

/// A signature as sent: `r` and `s` in hex, with or without leading zeros.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct SignatureText {
    r: String,
    s: String,
    v: u8,
}

impl SignatureText {
    /// Who signed `digest`.
    pub(super) fn signer(&self, digest: &Hash) -> Result<Address, Unread> {
        let r = scalar(&self.r).ok_or(Unread::Shape)?;
        let s = scalar(&self.s).ok_or(Unread::Shape)?;
        let odd = match self.v {
            27 => false,
            28 => true,
            _ => return Err(Unread::Shape),
        };
        let signature = Signature::from_scalars(r, s).map_err(|_| Unread::Signature)?;
        let id = RecoveryId::new(odd, false);
        let key = VerifyingKey::recover_from_prehash(digest, &signature, id)
            .map_err(|_| Unread::Signature)?;
        address_of(&key).ok_or(Unread::Signature)
    }
}

/// The address of a key: the end of the hash of its two coordinates.
pub(super) fn address_of(key: &VerifyingKey) -> Option<Address> {
    let point = key.to_sec1_point(false);
    let hash = keccak(point.as_bytes().get(1..)?);
    hash.get(12..)?.try_into().ok().map(Address)
}

/// 32 bytes of `0x` and 1 to 64 hex digits.
fn scalar(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("0x")?;
    if digits.is_empty() || digits.len() > 64 {
        return None;
    }
    let padded = format!("{digits:0>64}");
    let mut bytes = [0; 32];
    for (place, pair) in bytes.iter_mut().zip(padded.as_bytes().chunks(2)) {
        let digit = |at: usize| pair.get(at).and_then(|b| char::from(*b).to_digit(16));
        *place = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

/// Hash of the packed action and of what is appended to it.
pub(super) fn connection_id(
    action: &Canonical,
    nonce: u64,
    vault: Option<Address>,
    expires_after: Option<u64>,
) -> Result<Hash, Unread> {
    let mut bytes = action.pack().ok_or(Unread::Shape)?;
    bytes.extend(nonce.to_be_bytes());
    match vault {
        None => bytes.push(0),
        Some(Address(vault)) => {
            bytes.push(1);
            bytes.extend(vault);
        }
    }
    if let Some(time) = expires_after {
        bytes.push(0);
        bytes.extend(time.to_be_bytes());
    }
    Ok(keccak(&bytes))
}

/// The digest that is signed, made from the type strings themselves rather than from known hashes.
pub(super) fn digest(connection_id: Hash, mainnet: bool) -> Hash {
    let domain_type: &[u8] =
        b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
    let mut chain = [0; 32];
    chain[30..].copy_from_slice(&1337_u16.to_be_bytes());
    let domain = [keccak(domain_type), keccak(b"Exchange"), keccak(b"1"), chain, [0; 32]].concat();
    let source: &[u8] = if mainnet { b"a" } else { b"b" };
    let agent_type: &[u8] = b"Agent(string source,bytes32 connectionId)";
    let agent = [keccak(agent_type), keccak(source), connection_id].concat();
    keccak(&[&[0x19, 0x01][..], &keccak(&domain), &keccak(&agent)].concat())
}
