//! Signing of actions (PROTOCOL.md §7): the one place that holds the key.
//!
//! A signature is made of a half that waits in the pool, if there is one, and ordinarily if not:
//! the same signature to the venue, about 60 µs later. No secret is shown, logged or written; what
//! holds one is overwritten when dropped, as far as safe code reaches ([`Key`], [`Presigned`]). The
//! state of the hash function and the stack of the elliptic curve library are beyond that reach.

mod hash;
mod key;
mod presign;

use std::fmt;

use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, Scalar, SecretKey};

pub use hash::{SigningNetwork, connection_id, digest};
pub use key::{Address, Key, KeyError};
pub use presign::{PresignError, Presigned, Presigner};

use self::key::Secret;
use crate::types::source::Source;

/// Half of the order of the curve, rounded down: the largest `s` that the venue takes.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// A signature as the venue takes it: big endian, `s` in the lower half, `v` 27 or 28.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signature {
    /// The x coordinate of the nonce's point.
    pub r: [u8; 32],
    /// The signature proper, `(z + r key) / nonce` modulo the order of the curve.
    pub s: [u8; 32],
    /// 27, or 28 when the point's y is odd.
    pub v: u8,
}

impl Signature {
    /// Who signed `digest`, as the venue will find; `None` when nobody did.
    pub fn recover(&self, digest: &[u8; 32]) -> Option<Address> {
        let id = match self.v {
            27 => RecoveryId::Zero,
            28 => RecoveryId::One,
            _ => return None,
        };
        let mut both = [0; 64];
        let (r, s) = both.split_at_mut(32);
        r.copy_from_slice(&self.r);
        s.copy_from_slice(&self.s);
        let signature = RecoverableSignature::from_compact(&both, id).ok()?;
        signature.recover(Message::from_digest(*digest)).ok().map(|public| Address::of(&public))
    }
}

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignError {
    /// The point's x is not below the order, which `v` cannot say. Chance does this once in 2^127.
    #[error("the signature has no v that the venue takes")]
    NoV,
}

/// The bytes of `s` or, if that is in the upper half, of its negative, and whether it was. The one
/// is as valid as the other, with the other parity; the venue takes the lower alone.
fn low(s: SecretKey) -> ([u8; 32], bool) {
    let bytes = s.to_secret_bytes();
    if bytes <= HALF_ORDER { (bytes, false) } else { (s.negate().to_secret_bytes(), true) }
}

/// Signs with one key.
pub struct Signer {
    key: Key,
    address: Address,
    pool: Option<Box<dyn Source<Presigned> + Send>>,
    presigned: u64,
    ordinary: u64,
}

impl Signer {
    /// With what `pool` brings of signatures made ahead; without one, every signature is ordinary.
    pub fn new(key: Key, pool: Option<Box<dyn Source<Presigned> + Send>>) -> Self {
        let address = key.address();
        Self { key, address, pool, presigned: 0, ordinary: 0 }
    }

    /// The address that its signatures recover to.
    pub fn address(&self) -> Address {
        self.address
    }

    /// How many signatures were made of halves from the pool, and how many ordinarily.
    pub fn counts(&self) -> (u64, u64) {
        (self.presigned, self.ordinary)
    }

    /// Signs `digest`. Allocates nothing, once the library has its context on this thread.
    ///
    /// Takes one half from the pool. One that belongs to another key, or whose `s` comes out as
    /// zero, is wiped unused. Errors: [`SignError`].
    pub fn sign(&mut self, digest: &[u8; 32]) -> Result<Signature, SignError> {
        let (signature, presigned) = self.make(digest)?;
        *if presigned { &mut self.presigned } else { &mut self.ordinary } += 1;
        Ok(signature)
    }

    /// The same, uncounted, for a signature that goes nowhere.
    pub(super) fn warm_up(&mut self, digest: &[u8; 32]) -> Result<Signature, SignError> {
        self.make(digest).map(|(signature, _)| signature)
    }

    /// A signature, and whether it was made of a half from the pool.
    fn make(&mut self, digest: &[u8; 32]) -> Result<(Signature, bool), SignError> {
        // A digest of zero, or not below the order, is one in 2^127 and goes the ordinary way.
        let z = Scalar::from_be_bytes(*digest).ok().filter(|z| *z != Scalar::ZERO);
        if let Some((z, pool)) = z.zip(self.pool.as_mut())
            && let Some(half) = pool.take().filter(|half| half.address() == self.address)
            && let Some(signature) = half.sign(&z)
        {
            return Ok((signature, true));
        }
        Ok((ordinary(&self.key, digest)?, false))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (presigned, ordinary) = self.counts();
        write!(f, "Signer(.. of {}, {presigned} presigned, {ordinary} ordinary)", self.address)
    }
}

/// A signature whose nonce follows from key and digest (RFC 6979).
fn ordinary(key: &Key, digest: &[u8; 32]) -> Result<Signature, SignError> {
    let Key(Secret(secret)) = key;
    let message = Message::from_digest(*digest);
    let signed = RecoverableSignature::sign_ecdsa_recoverable(message, secret);
    let (id, both) = signed.serialize_compact();
    let v = match id {
        RecoveryId::Zero => 27,
        RecoveryId::One => 28,
        RecoveryId::Two | RecoveryId::Three => return Err(SignError::NoV),
    };
    let mut signature = Signature { r: [0; 32], s: [0; 32], v };
    let (r, s) = both.split_at(32);
    signature.r.copy_from_slice(r);
    signature.s.copy_from_slice(s);
    Ok(signature)
}

#[cfg(test)]
mod tests;
