//! The fills that were applied, to know them when they come again.
//!
//! Several streams tell of the same fill, and partial fills of one order share its ids, so a fill is
//! known by coin, time, trade and order together (PROTOCOL.md §2.6).

use crate::types::ids::Coin;
use crate::types::order::Fill;
use crate::types::time::VenueMs;

/// How many are remembered. A reading repeats at most the 2000 newest.
const ROOM: usize = 8192;

/// A bounded memory: the newest [`ROOM`] fills.
#[derive(Clone, Debug)]
pub(super) struct FillDedup {
    /// Searched first: eight bytes each, one after the other.
    tids: Vec<u64>,
    rest: Vec<(VenueMs, u64, Coin)>,
    /// Where the next one goes once it is full.
    oldest: usize,
}

impl FillDedup {
    pub(super) fn new() -> Self {
        Self { tids: Vec::with_capacity(ROOM), rest: Vec::with_capacity(ROOM), oldest: 0 }
    }

    /// Remembers a fill; returns whether it is new.
    pub(super) fn insert(&mut self, fill: &Fill) -> bool {
        let key = (fill.time, fill.oid, fill.coin);
        let mut known = self.tids.iter().zip(&self.rest).rev();
        if known.any(|(tid, rest)| *tid == fill.tid && *rest == key) {
            return false;
        }
        if self.tids.len() < ROOM {
            self.tids.push(fill.tid);
            self.rest.push(key);
            return true;
        }
        let places = self.tids.get_mut(self.oldest).zip(self.rest.get_mut(self.oldest));
        if let Some((tid, rest)) = places {
            (*tid, *rest) = (fill.tid, key);
        }
        self.oldest = (self.oldest + 1) % ROOM;
        true
    }
}
