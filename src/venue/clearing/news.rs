//! What one block has to tell each account.

use std::collections::BTreeMap;

use crate::venue::action::Address;
use crate::venue::clearing::{FillRow, Outcome, UpdateRow};

/// What happened in a block and was not told yet.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    updates: BTreeMap<Address, Vec<UpdateRow>>,
    fills: BTreeMap<Address, Vec<FillRow>>,
    evicted: BTreeMap<Address, Vec<(String, u64)>>,
}

impl News {
    pub(super) fn update(&mut self, user: Address, row: UpdateRow) {
        self.updates.entry(user).or_default().push(row);
    }

    pub(super) fn fill(&mut self, user: Address, row: FillRow) {
        self.fills.entry(user).or_default().push(row);
    }

    /// The venue cancelled an order by itself.
    pub(super) fn evicted(&mut self, user: Address, coin: &str, oid: u64) {
        self.evicted.entry(user).or_default().push((coin.to_owned(), oid));
    }

    /// Tells all of it, account by account; returns whether there was anything.
    pub(super) fn flush(&mut self, out: &mut Vec<Outcome>) -> bool {
        let before = out.len();
        let told = std::mem::take(self);
        out.extend(told.updates.into_iter().map(|(user, rows)| Outcome::Updates { user, rows }));
        out.extend(told.fills.into_iter().map(|(user, rows)| Outcome::Fills { user, rows }));
        let evicted = told.evicted.into_iter();
        out.extend(evicted.map(|(user, orders)| Outcome::NonUserCancel { user, orders }));
        out.len() > before
    }
}
