//! Decision → bytes: checks, queue, the life of orders, limits, packing, signature.
//!
//! Pure: time, answers and streams come in as arguments, and nothing here sends. How much a signal may
//! become stands in [`sizing`], whether it may in [`checks`], what waits in [`queue`], what was sent in [`orders`], what the venue
//! meant by refusing it in [`refusals`], and how much may still be asked of it in [`budget`]. Prices
//! and sizes that the venue takes come from [`rules`], bytes from [`encode`], signatures from
//! [`signer`].

pub mod budget;
pub mod checks;
pub mod encode;
pub mod orders;
pub mod queue;
pub mod refusals;
pub mod rules;
pub mod signer;
pub mod sizing;
