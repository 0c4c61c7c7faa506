//! Bytes → market state, pure: frames to messages, one state a market, the life of a link.

pub mod bucket;
pub mod clock;
pub mod market;
pub mod message;
pub mod session;

use crate::types::ids::MarketId;

/// One subscription of a link (PROTOCOL.md §2.5, §2.6).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Subscription {
    /// `orderUpdates` of the configured account.
    OrderUpdates,
    /// `userFills` of the configured account.
    UserFills,
    /// `userEvents` of the configured account.
    UserEvents,
    /// `bbo` of a market.
    Bbo(MarketId),
    /// `activeAssetCtx` of a market.
    Ctx(MarketId),
}
