//! The key of an agent, held so that it is neither shown nor left behind.

use std::fmt;

use secp256k1::{PublicKey, SecretKey};
use zeroize::Zeroizing;

use super::hash::keccak;

pub use crate::types::ids::Address;

impl Address {
    /// Of a public key: the last 20 bytes of the hash of its two coordinates.
    pub(super) fn of(public: &PublicKey) -> Self {
        let point = public.serialize_uncompressed();
        let hash = keccak(&[&point[1..]]);
        let mut bytes = [0; 20];
        bytes.copy_from_slice(&hash[12..]);
        Self(bytes)
    }
}

/// Why something is no key. It tells nothing of what was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// It is not 64 hex digits.
    #[error("a private key is 64 hex digits, with or without 0x")]
    NotHex,
    /// It is zero, or not below the order of the curve.
    #[error("this number is not a private key of secp256k1")]
    OutOfRange,
}

/// The private key of an agent. Not `Clone`, shown by nothing, wiped when dropped.
///
/// Wiping overwrites the bytes that this value holds where they lie. Copies that the compiler made
/// when the value moved, or that a called function left on the stack, cannot be reached.
pub struct Key(pub(super) Secret);

impl Key {
    /// Reads 64 hex digits, with or without `0x`; surrounding white space is dropped, as a file
    /// ends with a newline. The text stays with the caller, who wipes it.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let mut bytes = Zeroizing::new([0; 32]);
        unhex(digits.as_bytes(), &mut *bytes).ok_or(KeyError::NotHex)?;
        Self::from_bytes(&bytes)
    }

    /// From 32 bytes, big endian; they stay with the caller, who wipes them.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        Secret::of(bytes).map(Self).ok_or(KeyError::OutOfRange)
    }

    /// The address that its signatures recover to.
    pub fn address(&self) -> Address {
        Address::of(&self.0.public())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A scalar that must not be seen: in 1 to the order of the curve less one, overwritten when dropped.
pub(super) struct Secret(pub(super) SecretKey);

impl Secret {
    /// `None` when the number is zero or not below the order.
    pub(super) fn of(bytes: &[u8; 32]) -> Option<Self> {
        SecretKey::from_secret_bytes(*bytes).ok().map(Self)
    }

    /// A second one of the same number, which wipes itself too.
    pub(super) fn again(&self) -> Self {
        Self(self.0)
    }

    /// Times the base point.
    pub(super) fn public(&self) -> PublicKey {
        PublicKey::from_secret_key(&self.0)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

/// Reads exactly as many hex digits, of any case, as `into` takes.
fn unhex(digits: &[u8], into: &mut [u8]) -> Option<()> {
    if digits.len() != 2 * into.len() {
        return None;
    }
    for (byte, pair) in into.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(())
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The order of the curve (SEC 2, 2.4.1).
    const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    const LARGEST: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140";

    #[test]
    fn a_key_is_a_number_from_one_to_the_order_less_one() {
        let of = |text: &str| Key::from_hex(text).map(|key| key.address().to_string());
        // The address of the key 1 is published in many places.
        let one = "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf";
        assert_eq!(of(&format!("{:064x}", 1)).as_deref(), Ok(one));
        assert_eq!(of(&format!(" 0x{:064x}\n", 1)).as_deref(), Ok(one));
        assert!(of(LARGEST).is_ok());
        assert_eq!(of(ORDER), Err(KeyError::OutOfRange));
        assert_eq!(of(&"f".repeat(64)), Err(KeyError::OutOfRange));
        assert_eq!(of(&"0".repeat(64)), Err(KeyError::OutOfRange));
        for text in ["", "0x", &"1".repeat(63), &"1".repeat(65), &"g".repeat(64), &"é".repeat(32)]
        {
            assert_eq!(of(text), Err(KeyError::NotHex), "{text}");
        }
        assert_eq!(of(&format!("+{:063x}", 1)), Err(KeyError::NotHex));
    }

    proptest! {
        #[test]
        fn a_key_shows_nothing_of_itself(bytes in any::<[u8; 32]>()) {
            let Ok(key) = Key::from_bytes(&bytes) else { return Ok(()) };
            prop_assert_eq!(format!("{:?} {:#?}", key, key), "Key(..) Key(..)");
        }
    }
}
