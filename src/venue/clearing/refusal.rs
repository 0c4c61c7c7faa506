//! Why an order is refused: the venue's sentence and its word for the order (PROTOCOL.md §3.6).
//!
//! The wording on halted markets and unknown assets is our own: no source has the venue's.

use crate::types::num::Px;

/// Why an order is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    Tick,
    MinValue,
    Margin,
    ReduceOnly,
    PostOnly {
        bid: Option<Px>,
        ask: Option<Px>,
    },
    NoMatch,
    Trigger,
    /// Open interest is at its cap, and the order would add to it.
    CapIncrease,
    /// The same, by turning a position around.
    CapFlip,
    /// The same, at a price past the oracle.
    CapAggressive,
    /// More than 95 % from the mark.
    FarFromReference,
    /// Worth more than so many USD.
    TooLarge(u64),
    ZeroSize,
    InvalidPx,
    InvalidSz,
    /// After a network upgrade, in one of the two spellings of [`POST_ONLY`].
    PostOnlyMode(&'static str),
    TooManyOpen,
    Halted,
    UnknownAsset,
    /// An action without orders.
    Empty,
    /// What a scenario wants said.
    Scripted(String),
}

/// How the venue refuses all but post-only orders after an upgrade: as of 2026, and as of 2024.
pub(super) const POST_ONLY: [&str; 2] = [
    "Only post-only orders allowed immediately after network upgrade.",
    "Only post-only orders allowed immediately after a network upgrade.",
];

/// Sentences by which a scripted refusal finds its word.
const WORDS: [(&str, &str); 15] = [
    ("Price must be divisible by tick size", "tickRejected"),
    ("Order must have minimum value", "minTradeNtlRejected"),
    ("Insufficient margin", "perpMarginRejected"),
    ("Reduce only order", "reduceOnlyRejected"),
    ("Post only order", "badAloPxRejected"),
    ("Order could not immediately match", "iocCancelRejected"),
    ("Invalid TP/SL price", "badTriggerPxRejected"),
    ("No liquidity available", "marketOrderNoLiquidityRejected"),
    ("Order would increase open interest while", "positionIncreaseAtOpenInterestCapRejected"),
    ("Order rejected due to price more aggressive", "tooAggressiveAtOpenInterestCapRejected"),
    ("Order would increase open interest too", "openInterestIncreaseRejected"),
    ("Order has insufficient spot balance", "insufficientSpotBalanceRejected"),
    ("Order price too far from oracle", "oracleRejected"),
    ("Order would cause position to exceed margin", "perpMaxPositionRejected"),
    ("Too many open orders", "tooManyOpenOrdersRejected"),
];

impl Refusal {
    /// The sentence, as the answer says it of an order for this asset.
    pub(super) fn text(&self, asset: u32) -> String {
        let sentence = match self {
            Self::Tick => "Price must be divisible by tick size.",
            Self::MinValue => "Order must have minimum value of $10.",
            Self::Margin => "Insufficient margin to place order.",
            Self::ReduceOnly => "Reduce only order would increase position.",
            Self::PostOnly { bid, ask } => {
                let px = |px: &Option<Px>| px.map_or("0".to_owned(), |px| px.to_string());
                let (bid, ask) = (px(bid), px(ask));
                let text = "Post only order would have immediately matched, bbo was";
                return format!("{text} {bid}@{ask}. asset={asset}");
            }
            Self::NoMatch => "Order could not immediately match against any resting orders.",
            Self::Trigger => "Invalid TP/SL price.",
            Self::CapIncrease | Self::CapFlip => {
                "Order would increase open interest while open interest is capped."
            }
            Self::CapAggressive => {
                "Order rejected due to price more aggressive than oracle while at open interest cap."
            }
            Self::FarFromReference => {
                return "Order price cannot be more than 95% away from the reference price"
                    .to_owned();
            }
            Self::TooLarge(most) => return format!("Order value too large. Max is ${most}."),
            Self::ZeroSize => "Order has zero size.",
            Self::InvalidPx => "Order has invalid price.",
            Self::InvalidSz => "Order has invalid size.",
            Self::PostOnlyMode(sentence) => sentence,
            Self::TooManyOpen => "Too many open orders.",
            Self::Halted => "Trading is halted.",
            Self::UnknownAsset => "Order has invalid asset.",
            Self::Empty => return "Order batch is empty.".to_owned(),
            Self::Scripted(text) => return text.clone(),
        };
        format!("{sentence} asset={asset}")
    }

    /// What `orderUpdates` calls an order so refused.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::CapFlip => "positionFlipAtOpenInterestCapRejected",
            _ => {
                let text = self.text(0);
                let known = WORDS.iter().find(|(sentence, _)| text.starts_with(sentence));
                known.map_or("rejected", |(_, word)| *word)
            }
        }
    }
}
