//! Decision → bytes: checks, queue, the life of orders, limits, packing, signature.

pub mod encode;
pub mod rules;
pub mod signer;
