//! Where the entries of a frame are kept for whoever asked, until the next frame.

use super::Why;
use super::tape::{Elements, Json};
use crate::types::order::{Fill, OrderAnswer, OrderUpdate};

/// Entries kept of one frame; further ones count as skipped. A snapshot of fills has at most 2000
/// (PROTOCOL.md §2.6), an action at most 200 items (§3.3).
pub const MAX_ENTRIES: usize = 4096;

/// One list of each kind, with room for all that is ever kept: they never grow.
pub(super) struct Rows {
    pub(super) updates: Vec<OrderUpdate>,
    pub(super) fills: Vec<Fill>,
    pub(super) oids: Vec<u64>,
    pub(super) answers: Vec<OrderAnswer>,
}

impl Rows {
    pub(super) fn new() -> Self {
        Self {
            updates: Vec::with_capacity(MAX_ENTRIES),
            fills: Vec::with_capacity(MAX_ENTRIES),
            oids: Vec::with_capacity(MAX_ENTRIES),
            answers: Vec::with_capacity(MAX_ENTRIES),
        }
    }

    /// Without room, to stand in for others for a moment.
    pub(super) const fn empty() -> Self {
        Self { updates: Vec::new(), fills: Vec::new(), oids: Vec::new(), answers: Vec::new() }
    }
}

/// Reads `entries` into `kept`, in their order, and counts those that `read` refuses or that have
/// no room, if they are of those that `matter`.
pub(super) fn keep<'t, 'a, T>(
    entries: Elements<'t, 'a>,
    kept: &mut Vec<T>,
    read: impl Fn(Json<'t, 'a>) -> Option<T>,
    matters: impl Fn(Json<'t, 'a>) -> bool,
) -> u32 {
    let mut skipped: u32 = 0;
    kept.clear();
    for entry in entries {
        let room = kept.len() < MAX_ENTRIES;
        match room.then(|| read(entry)).flatten() {
            Some(entry) => kept.push(entry),
            None => skipped = skipped.saturating_add(u32::from(matters(entry))),
        }
    }
    skipped
}

/// The elements of `list`, which must be an array.
pub(super) fn entries<'t, 'a>(list: Json<'t, 'a>, why: Why) -> Result<Elements<'t, 'a>, Why> {
    list.items().ok_or(why)
}
