//! The half of a signature that needs no message, made ahead on a cold thread.
//!
//! A signature over `z` with nonce `k` and key `d` is `r = (kG).x`, `s = k⁻¹·(z + r·d)`. With
//! `u = k⁻¹` and `w = u·r·d` made ahead, `s = u·z + w`: one product and one sum are left.
//!
//! A nonce used for two messages gives the key away, so a [`Presigned`] is not `Clone`, cannot be
//! written out, and is consumed by the one signature it makes. What it holds is overwritten when it
//! is dropped; copies that moves left behind (on stacks, in a ring's slot until it is filled again)
//! cannot be reached. They lie in the memory that holds the key itself, and give no more away.

use std::fmt;

use secp256k1::Scalar;
use secp256k1::constants::CURVE_ORDER;
use zeroize::Zeroizing;

use super::hash::keccak;
use super::key::{Address, Key, Secret};
use super::{Signature, low};

/// Keeps these nonces apart from anything else that may be hashed with the key.
const DOMAIN: &[u8] = b"hip3 presigned nonce 1";

/// Tries before a presigner gives up. One fails about once in 2^127.
const TRIES: u32 = 8;

/// One signature made ahead, for one key. It signs once.
pub struct Presigned {
    /// Whose it is: with another key's it would sign for a stranger.
    address: Address,
    /// `(kG).x`, below the order.
    r: [u8; 32],
    /// Whether `(kG).y` is odd.
    odd: bool,
    /// `k⁻¹`
    u: Secret,
    /// `k⁻¹·r·d`
    w: Secret,
}

impl Presigned {
    /// The address its signature recovers to.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Signs `z` and is gone. `None` when `z` or `s` is zero, in which case nothing was signed.
    pub(super) fn sign(self, z: &Scalar) -> Option<Signature> {
        // With the signature, `u·z` gives the nonce away: a secret like the others.
        let product = Secret(self.u.0.mul_tweak(z).ok()?);
        let mut w = Scalar::from(self.w.0);
        let s = product.0.add_tweak(&w);
        w.non_secure_erase();
        let (s, flipped) = low(s.ok()?);
        Some(Signature { r: self.r, s, v: 27 + u8::from(self.odd != flipped) })
    }
}

impl fmt::Debug for Presigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presigned(.. of {})", self.address)
    }
}

/// Why no signature could be made ahead.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PresignError {
    /// The entropy is all zeros: its source is broken.
    #[error("the entropy is all zeros")]
    NoEntropy,
    /// No usable nonce in several tries, which chance does not do.
    #[error("no usable nonce was found")]
    NoNonce,
}

/// Makes signatures ahead, each from fresh entropy. One product of a point takes most of the time
/// (about 50 µs), the inverse most of the rest.
///
/// The nonce is a hash of a tag, the entropy, the key and a count, so that neither a weak source
/// of entropy nor a repeated one alone gives a nonce twice. Two presigners of one key that are
/// given the same entropies do make the same nonces: entropy comes from the operating system.
pub struct Presigner {
    key: Secret,
    address: Address,
    count: u64,
}

impl Presigner {
    /// For `key`, of which it holds a copy, wiped when it is dropped.
    pub fn new(key: &Key) -> Self {
        Self { key: key.0.again(), address: key.address(), count: 0 }
    }

    /// The next one. `entropy` is 32 bytes from the operating system's generator, new each time.
    ///
    /// Errors: [`PresignError`]; what was made so far is wiped.
    pub fn make(&mut self, entropy: [u8; 32]) -> Result<Presigned, PresignError> {
        let entropy = Zeroizing::new(entropy);
        if *entropy == [0; 32] {
            return Err(PresignError::NoEntropy);
        }
        for _ in 0..TRIES {
            self.count = self.count.wrapping_add(1);
            let count = self.count.to_be_bytes();
            let key = self.key.0.as_secret_bytes();
            let nonce = Zeroizing::new(keccak(&[DOMAIN, entropy.as_slice(), key, &count]));
            if let Some(presigned) = Secret::of(&nonce).and_then(|k| self.with(&k)) {
                return Ok(presigned);
            }
        }
        Err(PresignError::NoNonce)
    }

    /// With this nonce; `None` when the point's x is not below the order, or zero.
    fn with(&self, k: &Secret) -> Option<Presigned> {
        let [sign, x @ ..] = k.public().serialize();
        let r = Scalar::from_be_bytes(x).ok()?;
        let u = inverse(k)?;
        let du = times(&self.key, &u)?;
        let w = Secret(du.0.mul_tweak(&r).ok()?);
        Some(Presigned { address: self.address, r: x, odd: sign == 3, u, w })
    }
}

impl fmt::Debug for Presigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presigner(.. of {}, {} made)", self.address, self.count)
    }
}

/// `a·b` in the library's product, which takes the same time for all numbers.
fn times(a: &Secret, b: &Secret) -> Option<Secret> {
    let mut b = Scalar::from(b.0);
    let product = a.0.mul_tweak(&b);
    b.non_secure_erase();
    product.ok().map(Secret)
}

/// `k⁻¹ = k^(n−2)`, by squares and products along the bits of `n − 2`. These are public, and so
/// the same steps are taken for every `k`. A product of two that are not zero is not zero.
fn inverse(k: &Secret) -> Option<Secret> {
    let mut power: Option<Secret> = None;
    for bit in (0..256).rev().map(exponent_bit) {
        power = match power {
            None if bit => Some(k.again()),
            None => None,
            Some(power) => {
                let square = times(&power, &power)?;
                Some(if bit { times(&square, k)? } else { square })
            }
        };
    }
    power
}

/// Bit `at` of `n − 2`, counted from the lowest. The order ends in 0x41, so nothing is borrowed.
fn exponent_bit(at: usize) -> bool {
    let byte = CURVE_ORDER[31 - at / 8] - if at < 8 { 2 } else { 0 };
    byte >> (at % 8) & 1 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_number_times_its_inverse_is_one(bytes in any::<[u8; 32]>()) {
            let Some(k) = Secret::of(&bytes) else { return Ok(()) };
            let inverse = inverse(&k).expect("it has one");
            let product = times(&k, &inverse).expect("not zero");
            prop_assert_eq!(product.0.to_secret_bytes(), secp256k1::constants::ONE);
        }
    }
}
