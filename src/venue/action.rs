//! What a client may ask of its account, understood (PROTOCOL.md §3.3, §3.4). `wire` makes it of
//! bytes and a signature; `clearing` does it.

use crate::types::num::{Px, Sz};
use crate::types::order::Cloid;

/// An account, a vault, a sub-account or an agent: the 20 bytes of its address.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address(pub [u8; 20]);

impl std::fmt::Display for Address {
    /// `0x` and 40 lower-case hex digits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0x{self:x}")
    }
}

impl std::fmt::LowerHex for Address {
    /// 40 lower-case hex digits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Address {
    /// The address of one of the crowd that has no keys: zeros and `number`.
    pub(super) fn numbered(number: u64) -> Self {
        let mut bytes = [0; 20];
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        Self(bytes)
    }
}

/// How long a limit order stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tif {
    /// What does not match at once is gone (`Ioc`, `FrontendMarket`).
    Ioc,
    /// Rests until cancelled.
    Gtc,
    /// Rests, or is refused when it would match.
    Alo,
}

/// One order of an `order`, `modify` or `batchModify` action.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct NewOrder {
    /// The asset id, known or not.
    pub(super) asset: u32,
    /// Whether it buys.
    pub(super) buy: bool,
    /// The limit; as sent, so it may be off the tick.
    pub(super) px: Px,
    /// The size; as sent.
    pub(super) sz: Sz,
    /// Whether it may only shrink a position.
    pub(super) reduce_only: bool,
    /// `None` for trigger orders, which this venue refuses.
    pub(super) tif: Option<Tif>,
    /// The client's id.
    pub(super) cloid: Option<Cloid>,
}

/// Which order is meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Which {
    /// By the venue's id.
    Oid(u64),
    /// By the client's.
    Cloid(Cloid),
}

/// An action.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Action {
    /// `order`
    Order(Vec<NewOrder>),
    /// `cancel` and `cancelByCloid`: asset, and which order.
    Cancel(Vec<(u32, Which)>),
    /// `modify` (one) and `batchModify`: which, and what comes in its place.
    Modify {
        /// The orders.
        modifies: Vec<(Which, NewOrder)>,
        /// Whether it was `batchModify`, whose answer has statuses.
        batch: bool,
    },
    /// `scheduleCancel`: when, or never.
    ScheduleCancel(Option<u64>),
    /// `updateLeverage`
    UpdateLeverage {
        /// The asset.
        asset: u32,
        /// Cross or isolated.
        is_cross: bool,
        /// The leverage.
        leverage: u32,
    },
    /// `updateIsolatedMargin`: USD × 1e6, signed.
    UpdateIsolatedMargin {
        /// The asset.
        asset: u32,
        /// How much more margin.
        ntli: i64,
    },
    /// `noop`
    Noop,
}

impl Action {
    /// What it costs of the address budget, and what the limit of 200 counts.
    pub(super) fn items(&self) -> usize {
        match self {
            Action::Order(orders) => orders.len(),
            Action::Cancel(cancels) => cancels.len(),
            Action::Modify { modifies, .. } => modifies.len(),
            _ => 1,
        }
    }
}

/// An action whose signature has been recovered. Whether the signer may do it is not known yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Signed {
    /// What is asked.
    pub(super) action: Action,
    /// Who signed, by the bytes that were hashed.
    pub(super) signer: Address,
    /// The nonce.
    pub(super) nonce: u64,
    /// The vault or sub-account it is for.
    pub(super) vault: Option<Address>,
    /// The block time past which it is void.
    pub(super) expires_after: Option<u64>,
}
