//! What the signer promises: every signature is its key's own, each half signs once, and nothing
//! secret is shown.

use std::collections::VecDeque;

use proptest::prelude::*;
use secp256k1::constants::CURVE_ORDER;

use super::*;

/// Compiles only for types without the trait: with it, `_` has two answers.
macro_rules! assert_is_not {
    ($type:ty: $trait:path) => {{
        trait Ambiguous<A> {
            fn here() {}
        }
        struct Implements;
        impl<T: ?Sized> Ambiguous<()> for T {}
        impl<T: $trait> Ambiguous<Implements> for T {}
        <$type as Ambiguous<_>>::here();
    }};
}

/// Halves in memory.
struct Halves(VecDeque<Presigned>);

impl Source<Presigned> for Halves {
    fn take(&mut self) -> Option<Presigned> {
        self.0.pop_front()
    }

    fn closed(&self) -> bool {
        true
    }
}

fn key(bytes: [u8; 32]) -> Key {
    Key::from_bytes(&bytes).expect("a key")
}

fn halves(key: &Key, count: u8) -> Box<Halves> {
    let mut presigner = Presigner::new(key);
    let mut make = |n: u8| presigner.make([n + 1; 32]).expect("a half");
    Box::new(Halves((0..count).map(&mut make).collect()))
}

fn half(bytes: [u8; 32], entropy: [u8; 32]) -> Presigned {
    Presigner::new(&key(bytes)).make(entropy).expect("a half")
}

/// A digest of a number.
fn numbered(n: u64) -> [u8; 32] {
    hash::keccak(&[&n.to_be_bytes()])
}

#[test]
fn halves_and_keys_cannot_be_copied_or_written_out() {
    assert_is_not!(Presigned: Clone);
    assert_is_not!(Presigned: serde::Serialize);
    assert_is_not!(Key: Clone);
    assert_is_not!(Key: serde::Serialize);
    assert_is_not!(Key: fmt::Display);
    assert_is_not!(Signer: Clone);
    assert_is_not!(Presigner: Clone);
}

#[test]
fn a_pool_of_five_gives_five_signatures_and_ordinary_ones_after_them() {
    let key = key([7; 32]);
    let pool = halves(&key, 5);
    let mut signer = Signer::new(key, Some(pool));
    for n in 0..12 {
        let digest = numbered(n);
        let signature = signer.sign(&digest).expect("a signature");
        assert_eq!(signature.recover(&digest), Some(signer.address()));
        assert_eq!(signer.counts(), ((n + 1).min(5), (n + 1).saturating_sub(5)));
    }
}

#[test]
fn without_a_pool_every_signature_is_ordinary_and_the_same_again() {
    let mut signer = Signer::new(key([7; 32]), None);
    let first = signer.sign(&numbered(1)).expect("a signature");
    assert_eq!(signer.sign(&numbered(1)), Ok(first));
    assert_ne!(signer.sign(&numbered(2)), Ok(first));
    assert_eq!(signer.counts(), (0, 3));
}

#[test]
fn a_half_of_another_key_is_dropped_unused() {
    let pool = halves(&key([8; 32]), 2);
    let mut signer = Signer::new(key([7; 32]), Some(pool));
    for n in 0..3 {
        let signature = signer.sign(&numbered(n)).expect("a signature");
        assert_eq!(signature.recover(&numbered(n)), Some(signer.address()));
    }
    assert_eq!(signer.counts(), (0, 3));
}

#[test]
fn a_digest_at_the_edges_of_the_order_is_signed_ordinarily() {
    let mut last = CURVE_ORDER;
    last[31] -= 1;
    for (digest, presigned) in
        [([0; 32], 0), (CURVE_ORDER, 0), ([0xff; 32], 0), (last, 1), (numbered(0), 1)]
    {
        let key = key([7; 32]);
        let pool = halves(&key, 1);
        let mut signer = Signer::new(key, Some(pool));
        let signature = signer.sign(&digest).expect("a signature");
        assert_eq!(signature.recover(&digest), Some(signer.address()), "{digest:x?}");
        assert_eq!(signer.counts(), (presigned, 1 - presigned), "{digest:x?}");
    }
}

#[test]
fn the_same_entropy_twice_gives_two_nonces() {
    let mut presigner = Presigner::new(&key([7; 32]));
    let digest = Scalar::from_be_bytes(numbered(1)).expect("below the order");
    let mut sign = || presigner.make([9; 32]).expect("a half").sign(&digest).expect("signed");
    let mut all: Vec<[u8; 32]> = (0..10).map(|_| sign().r).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 10);
}

#[test]
fn the_nonce_depends_on_entropy_and_key() {
    let digest = Scalar::from_be_bytes(numbered(1)).expect("below the order");
    let r = |bytes, entropy| half(bytes, entropy).sign(&digest).expect("signed").r;
    assert_ne!(r([7; 32], [1; 32]), r([7; 32], [2; 32]));
    assert_ne!(r([7; 32], [1; 32]), r([8; 32], [1; 32]));
}

#[test]
fn entropy_of_zeros_is_refused() {
    let mut presigner = Presigner::new(&key([7; 32]));
    assert_eq!(presigner.make([0; 32]).err(), Some(PresignError::NoEntropy));
    assert!(presigner.make([1; 32]).is_ok());
}

#[test]
fn half_the_order_is_the_largest_s() {
    let double = HALF_ORDER.iter().rev().scan(1, |carry, byte| {
        let sum = 2 * u16::from(*byte) + *carry; // Twice the half and one is the order.
        *carry = sum >> 8;
        Some(sum as u8)
    });
    assert!(double.eq(CURVE_ORDER.into_iter().rev()));

    let of = |bytes| SecretKey::from_secret_bytes(bytes).expect("a number");
    assert_eq!(low(of(HALF_ORDER)), (HALF_ORDER, false));
    let mut above = HALF_ORDER;
    above[31] += 1; // Its negative is the half itself.
    assert_eq!(low(of(above)), (HALF_ORDER, true));
}

#[test]
fn a_signature_that_is_none_recovers_to_nobody() {
    let good = Signer::new(key([7; 32]), None).sign(&numbered(1)).expect("a signature");
    for bad in [
        Signature { v: 26, ..good },
        Signature { v: 29, ..good },
        Signature { v: 0, ..good },
        Signature { r: [0; 32], ..good },
        Signature { s: [0; 32], ..good },
        Signature { s: [0xff; 32], ..good },
    ] {
        assert_eq!(bad.recover(&numbered(1)), None, "{bad:?}");
    }
    let other = Signature { v: 55 - good.v, ..good };
    assert_ne!(other.recover(&numbered(1)), good.recover(&numbered(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn presigned_and_ordinary_signatures_recover_to_the_key_and_are_low(
        secret in any::<[u8; 32]>(), digest in any::<[u8; 32]>(), entropy in any::<[u8; 32]>(),
    ) {
        let Ok(key) = Key::from_bytes(&secret) else { return Ok(()) };
        prop_assume!(entropy != [0; 32]);
        let address = key.address();
        let half = Presigner::new(&key).make(entropy).expect("a half");
        let mut signer = Signer::new(key, Some(Box::new(Halves(VecDeque::from([half])))));
        let signatures = [signer.sign(&digest), signer.sign(&digest)];
        prop_assert_eq!(signer.counts(), (1, 1));
        prop_assert_ne!(&signatures[0], &signatures[1]);
        for signature in signatures {
            let signature = signature.expect("a signature");
            prop_assert_eq!(signature.recover(&digest), Some(address));
            prop_assert!(signature.s <= HALF_ORDER);
            prop_assert!(matches!(signature.v, 27 | 28));
        }
    }

    #[test]
    fn nothing_shows_a_secret(secret in any::<[u8; 32]>(), entropy in any::<[u8; 32]>()) {
        let Ok(key) = Key::from_bytes(&secret) else { return Ok(()) };
        prop_assume!(entropy != [0; 32]);
        let mut presigner = Presigner::new(&key);
        let half = presigner.make(entropy).expect("a half");
        let address = key.address().to_string();
        let shown = format!("{key:?} {presigner:?} {half:?}");
        let shown = format!("{shown} {:?}", Signer::new(key, None));
        // Beside the addresses there are words and three counts, whatever the bytes are.
        prop_assert_eq!(shown.matches(&address).count(), 3);
        let rest = shown.replace(&address, "");
        let digits = |text: &str| text.chars().filter(|c| c.is_ascii_digit()).count();
        prop_assert!(digits(&rest) <= 3, "{}", rest);
    }
}
