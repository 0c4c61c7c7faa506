//! Orders that are over: their late fills and answers are still ours.

use super::{OrderId, Owner, REMEMBERED};
use crate::types::order::{Cloid, Purpose};

#[derive(Clone, Copy, Debug)]
pub(super) struct ClosedOrder {
    pub(super) id: OrderId,
    pub(super) cloid: Cloid,
    pub(super) oid: Option<u64>,
    pub(super) post: Option<u64>,
    pub(super) purpose: Purpose,
}

/// The last of them; the oldest make room.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    ring: Vec<ClosedOrder>,
    next: usize,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self { ring: Vec::with_capacity(REMEMBERED), next: 0 }
    }

    pub(super) fn add(&mut self, past: ClosedOrder) {
        match self.ring.get_mut(self.next) {
            Some(place) => *place = past,
            None => self.ring.push(past),
        }
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// Whose fill or update this is.
    pub(super) fn owner(&mut self, cloid: Option<Cloid>, oid: u64) -> Option<Owner> {
        let past = match cloid {
            Some(cloid) => self.ring.iter_mut().find(|past| past.cloid == cloid)?,
            None => self.ring.iter_mut().find(|past| past.oid == Some(oid))?,
        };
        past.oid.get_or_insert(oid);
        Some(Owner { id: past.id, purpose: past.purpose, ended: true })
    }

    /// Whether an order went out with this post.
    pub(super) fn has_post(&self, post: u64) -> bool {
        self.ring.iter().any(|past| past.post == Some(post))
    }
}
