//! Coin names → markets: a flat hash table on bytes, filled when the universe is read and looked
//! up once a frame. Nothing ever iterates it.

use crate::types::ids::{Coin, MarketId};

/// Slots at the start: room for 4096 names with every other slot free.
const SLOTS: usize = 8192;

/// Names and the markets they stand for.
#[derive(Debug)]
pub(super) struct Symbols {
    /// A power of two; at least half are empty, so that every probe ends.
    slots: Box<[Option<(Coin, MarketId)>]>,
    used: usize,
}

impl Default for Symbols {
    fn default() -> Self {
        Self::new()
    }
}

impl Symbols {
    /// Empty, with room for 4096 names.
    pub(super) fn new() -> Self {
        Self { slots: vec![None; SLOTS].into_boxed_slice(), used: 0 }
    }

    /// Lets `coin` stand for `market`; a name that is known changes its market. Allocates only
    /// past 4096 names.
    pub(super) fn insert(&mut self, coin: Coin, market: MarketId) {
        let at = self.slot(coin.as_bytes());
        if self.slots[at].is_none() {
            self.used += 1;
        }
        self.slots[at] = Some((coin, market));
        if self.used * 2 > self.slots.len() {
            self.grow();
        }
    }

    /// The market that `name` stands for.
    #[inline]
    pub(super) fn find(&self, name: &[u8]) -> Option<MarketId> {
        self.slots[self.slot(name)].map(|(_, market)| market)
    }

    /// Where `name` is, or the empty slot where it would go.
    #[inline]
    fn slot(&self, name: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash(name) & mask;
        while let Some((coin, _)) = &self.slots[at] {
            if coin.as_bytes() == name {
                break;
            }
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let doubled = vec![None; self.slots.len() * 2].into_boxed_slice();
        let old = std::mem::replace(&mut self.slots, doubled);
        for (coin, market) in old.into_iter().flatten() {
            let at = self.slot(coin.as_bytes());
            self.slots[at] = Some((coin, market));
        }
    }
}

/// Eight bytes a step, so that a name costs two or three multiplications. Unseeded: the names are
/// the venue's listed markets, and a run must repeat itself.
#[inline]
fn hash(name: &[u8]) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15; // 2^64 divided by the golden ratio.
    let mut words = name.chunks_exact(8);
    let mut sum = name.len() as u64;
    for word in words.by_ref() {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(word);
        sum = (sum ^ u64::from_le_bytes(bytes)).wrapping_mul(ODD);
        sum ^= sum >> 32;
    }
    let mut tail = 0;
    for byte in words.remainder() {
        tail = (tail << 8) | u64::from(*byte);
    }
    sum = (sum ^ tail).wrapping_mul(ODD);
    (sum ^ (sum >> 32)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coin(name: &str) -> Coin {
        Coin::new(name).expect("a coin")
    }

    #[test]
    fn names_are_found_whole_and_with_their_case() {
        let mut symbols = Symbols::new();
        symbols.insert(coin("xyz:TSLA"), MarketId(7));
        symbols.insert(coin("BTC"), MarketId(8));
        assert_eq!(symbols.find(b"xyz:TSLA"), Some(MarketId(7)));
        assert_eq!(symbols.find(b"BTC"), Some(MarketId(8)));
        for name in ["", "xyz:TSL", "xyz:TSLAA", "XYZ:TSLA", "btc", "TSLA"] {
            assert_eq!(symbols.find(name.as_bytes()), None, "{name:?}");
        }
        assert_eq!(symbols.find(&[b'x'; 500]), None);
    }

    #[test]
    fn watching_a_name_again_replaces_its_market() {
        let mut symbols = Symbols::new();
        symbols.insert(coin("xyz:GOLD"), MarketId(1));
        symbols.insert(coin("xyz:GOLD"), MarketId(2));
        assert_eq!((symbols.find(b"xyz:GOLD"), symbols.used), (Some(MarketId(2)), 1));
    }

    #[test]
    fn the_first_4096_names_need_no_new_room_and_more_still_fit() {
        let name = |i: u16| coin(&format!("dex{}:NAME{i}", i % 7));
        let mut symbols = Symbols::new();
        for i in 0..4096 {
            symbols.insert(name(i), MarketId(i));
        }
        assert_eq!(symbols.slots.len(), SLOTS);
        for i in 4096..20_000 {
            symbols.insert(name(i), MarketId(i));
        }
        for i in 0..20_000 {
            assert_eq!(symbols.find(name(i).as_bytes()), Some(MarketId(i)));
        }
        assert_eq!(symbols.find(b"dex0:NAME20006"), None);
    }

    #[test]
    fn names_spread_over_the_table() {
        let mut symbols = Symbols::new();
        for i in 0..2000 {
            symbols.insert(coin(&format!("xyz:N{i}")), MarketId(i));
        }
        let far = |i: u16| {
            let name = format!("xyz:N{i}");
            let home = hash(name.as_bytes()) & (SLOTS - 1);
            symbols.slot(name.as_bytes()).wrapping_sub(home) & (SLOTS - 1)
        };
        assert!((0..2000).map(far).max() < Some(16), "a name lies far from home");
    }
}
