//! Halves of signatures, made ahead by a presigner whose entropy is a count: the key is no secret.

use hip3::executor::signer::{Key, Presigned, Presigner};
use hip3::runtime::ring::{Consumer, Producer, ring};

/// The key of every benchmark.
pub(crate) const KEY: [u8; 32] = [7; 32];

/// The key, once more.
pub(crate) fn key() -> Key {
    Key::from_bytes(&KEY).expect("a key")
}

/// Fills the ring that a signer takes its halves from.
pub(crate) struct Halves {
    presigner: Presigner,
    made: u64,
    capacity: usize,
    ring: Producer<Presigned>,
}

impl Halves {
    /// Room for `capacity` halves, and the signer's end of it.
    pub(crate) fn new(capacity: usize) -> (Self, Consumer<Presigned>) {
        let (producer, consumer) = ring(capacity);
        (Self { presigner: Presigner::new(&key()), made: 0, capacity, ring: producer }, consumer)
    }

    /// Makes halves until `wanted` of them wait, which must not be more than there is room for.
    pub(crate) fn fill(&mut self, wanted: usize) {
        while self.capacity - self.ring.free() < wanted {
            self.made += 1;
            let mut entropy = [0; 32];
            entropy[..8].copy_from_slice(&self.made.to_be_bytes());
            let half = self.presigner.make(entropy).expect("a half");
            self.ring.push(half).expect("room for a half");
        }
    }
}
