//! What the venue means when it refuses: its words, and the one table that reads them.
//!
//! Words are matched by how they begin, whatever their case, with or without the final period, a
//! leading `L1 error: ` and a trailing ` asset=N` (PROTOCOL.md §3.6).

use crate::types::order::{Refusal, StatusKind, VenueStatus};

/// How refusals begin, without the final period. The first that fits counts, so a longer text
/// stands before one that it begins with.
const TABLE: &[(&str, Refusal)] = &[
    // Of one order.
    ("Order could not immediately match against any resting orders", Refusal::NoMatch),
    ("Price must be divisible by tick size", Refusal::Tick),
    // `$10`, `10 {token}`, `1 USDC`: the sum depends on the kind of market.
    ("Order must have minimum value of", Refusal::MinNotional),
    ("Insufficient margin to place order", Refusal::Margin),
    ("Reduce only order would increase position", Refusal::ReduceOnly),
    ("Post only order would have immediately matched", Refusal::PostOnlyCrossed),
    ("Invalid TP/SL price", Refusal::TriggerPx),
    ("No liquidity available for market order", Refusal::NoLiquidity),
    ("Order would increase open interest while open interest is capped", Refusal::OpenInterestCap),
    (
        "Order rejected due to price more aggressive than oracle while at open interest cap",
        Refusal::OpenInterestCap,
    ),
    ("Order would increase open interest too quickly", Refusal::OpenInterestSpeed),
    ("Order has insufficient spot balance to trade", Refusal::SpotBalance),
    ("Order price too far from oracle", Refusal::FarFromOracle),
    (
        "Order would cause position to exceed margin tier limit at current leverage",
        Refusal::MarginTier,
    ),
    // 95 % today, 80 % before.
    ("Order price cannot be more than", Refusal::FarFromReference),
    ("Order value too large", Refusal::ValueTooLarge),
    ("Order has zero size", Refusal::ZeroSize),
    ("Order has invalid price", Refusal::InvalidPx),
    ("Order has invalid size", Refusal::InvalidSz),
    ("Order was never placed, already canceled, or filled", Refusal::NeverPlaced),
    ("Attempted to modify to invalid new order", Refusal::ModifyInvalid),
    // The venue has spoken of "an upgrade" and of "a network upgrade".
    ("Only post-only orders allowed", Refusal::PostOnlyMode),
    ("User requires approval", Refusal::ApprovalRequired),
    ("Builder fee has not been approved", Refusal::BuilderFee),
    ("Insufficient delegatable balance for priority order", Refusal::PriorityBalance),
    ("Insufficient spot balance", Refusal::SpotBalance),
    // Of a whole action.
    ("User or API Wallet", Refusal::UnknownSigner),
    ("Must deposit before performing actions", Refusal::MustDeposit),
    ("Invalid nonce: duplicate nonce", Refusal::DuplicateNonce),
    ("Invalid nonce", Refusal::NonceRange),
    ("Nonce error", Refusal::NonceRange),
    ("Too many cumulative requests sent", Refusal::AddressBudget),
    ("Action already expired", Refusal::TooLate),
    ("Cannot switch leverage type with open position", Refusal::LeverageHeld),
    ("Signed action over weight limit of", Refusal::OverWeight),
    ("Cannot set scheduled cancel time until enough volume traded", Refusal::ScheduleVolume),
    // Of a post: they mirror errors of HTTP, whose wording is not known further.
    ("too many pending post requests", Refusal::TooManyPosts),
    ("422", Refusal::Unreadable),
    ("400", Refusal::Unreadable),
    ("Failed to deserialize", Refusal::Unreadable),
    ("429", Refusal::IpLimit),
    ("Too many requests", Refusal::IpLimit),
];

/// What unlisted words speak of, the first that they hold counts. A wallet that has expired is no
/// order that came too late.
const HINTS: &[(&str, Refusal)] = &[
    ("wallet", Refusal::UnknownSigner),
    ("agent", Refusal::UnknownSigner),
    ("expire", Refusal::TooLate),
    ("halt", Refusal::Halted),
    ("delist", Refusal::Halted),
    ("too many open orders", Refusal::TooManyOpenOrders),
];

/// What a refusal in these words means; [`Refusal::Unlisted`] when no table holds them.
pub fn refusal(text: &[u8]) -> Refusal {
    let text = text.trim_ascii();
    let text = without(text, "L1 error:").map_or(text, <[u8]>::trim_ascii_start);
    let listed = TABLE.iter().find(|(words, _)| without(text, words).is_some());
    let found = listed.or_else(|| HINTS.iter().find(|(words, _)| holds(text, words)));
    found.map_or(Refusal::Unlisted, |(_, refusal)| *refusal)
}

/// Why an order with this word is gone; `None` when it is not, or has filled, or when the word says
/// nothing (PROTOCOL.md §2.6).
pub fn refusal_of_word(word: VenueStatus) -> Option<Refusal> {
    use Refusal as R;
    use VenueStatus as W;
    let refusal = match word {
        W::ReduceOnlyCanceled | W::ReduceOnlyRejected => R::ReduceOnly,
        W::MarginCanceled | W::PerpMarginRejected => R::Margin,
        W::DelistedCanceled => R::Halted,
        W::OpenInterestCapCanceled
        | W::PositionIncreaseAtOpenInterestCapRejected
        | W::PositionFlipAtOpenInterestCapRejected
        | W::TooAggressiveAtOpenInterestCapRejected => R::OpenInterestCap,
        W::TickRejected => R::Tick,
        W::MinTradeNtlRejected | W::MinTradeSpotNtlRejected => R::MinNotional,
        W::BadAloPxRejected => R::PostOnlyCrossed,
        W::IocCancelRejected => R::NoMatch,
        W::BadTriggerPxRejected => R::TriggerPx,
        W::MarketOrderNoLiquidityRejected => R::NoLiquidity,
        W::OpenInterestIncreaseRejected => R::OpenInterestSpeed,
        W::InsufficientSpotBalanceRejected => R::SpotBalance,
        W::OracleRejected => R::FarFromOracle,
        W::PerpMaxPositionRejected => R::MarginTier,
        W::TooManyOpenOrdersRejected => R::TooManyOpenOrders,
        other => match other.kind() {
            StatusKind::Cancelled => R::Cancelled,
            StatusKind::Rejected => R::Unlisted,
            StatusKind::Live | StatusKind::Filled | StatusKind::Unknown => return None,
        },
    };
    Some(refusal)
}

/// The rest of `text` after `words`, if it begins with them in any case.
fn without<'a>(text: &'a [u8], words: &str) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(words.len())?;
    start.eq_ignore_ascii_case(words.as_bytes()).then_some(rest)
}

/// Whether `words` stand anywhere in `text`, in any case.
fn holds(text: &[u8], words: &str) -> bool {
    text.windows(words.len()).any(|part| part.eq_ignore_ascii_case(words.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every refusal the venue is known to make, as it would arrive.
    const KNOWN: &[(&str, Refusal)] = &[
        ("Price must be divisible by tick size.", Refusal::Tick),
        ("Order must have minimum value of $10.", Refusal::MinNotional),
        ("Order must have minimum value of 10 USDH.", Refusal::MinNotional),
        ("Order must have minimum value of 1 USDC.", Refusal::MinNotional),
        ("Insufficient margin to place order.", Refusal::Margin),
        ("Reduce only order would increase position.", Refusal::ReduceOnly),
        (
            "Post only order would have immediately matched, bbo was 99.5@99.6.",
            Refusal::PostOnlyCrossed,
        ),
        ("Order could not immediately match against any resting orders.", Refusal::NoMatch),
        ("Invalid TP/SL price.", Refusal::TriggerPx),
        ("No liquidity available for market order.", Refusal::NoLiquidity),
        (
            "Order would increase open interest while open interest is capped",
            Refusal::OpenInterestCap,
        ),
        (
            "Order rejected due to price more aggressive than oracle while at open interest cap",
            Refusal::OpenInterestCap,
        ),
        ("Order would increase open interest too quickly", Refusal::OpenInterestSpeed),
        ("Order has insufficient spot balance to trade", Refusal::SpotBalance),
        ("Order price too far from oracle", Refusal::FarFromOracle),
        (
            "Order would cause position to exceed margin tier limit at current leverage",
            Refusal::MarginTier,
        ),
        (
            "Order price cannot be more than 95% away from the reference price",
            Refusal::FarFromReference,
        ),
        (
            "Order price cannot be more than 80% away from the reference price",
            Refusal::FarFromReference,
        ),
        ("Order value too large. Max is $5000000.", Refusal::ValueTooLarge),
        ("Order has zero size.", Refusal::ZeroSize),
        ("Order has invalid price.", Refusal::InvalidPx),
        ("Order has invalid size.", Refusal::InvalidSz),
        ("Order was never placed, already canceled, or filled.", Refusal::NeverPlaced),
        ("Attempted to modify to invalid new order", Refusal::ModifyInvalid),
        (
            "Only post-only orders allowed immediately after a network upgrade",
            Refusal::PostOnlyMode,
        ),
        ("Only post-only orders allowed immediately after network upgrade", Refusal::PostOnlyMode),
        ("User requires approval", Refusal::ApprovalRequired),
        ("Action already expired", Refusal::TooLate),
        ("Cannot switch leverage type with open position.", Refusal::LeverageHeld),
        ("Builder fee has not been approved", Refusal::BuilderFee),
        ("Insufficient delegatable balance for priority order", Refusal::PriorityBalance),
        ("Insufficient spot balance asset=10107", Refusal::SpotBalance),
        (
            "User or API Wallet 0x0000000000000000000000000000000000000001 does not exist.",
            Refusal::UnknownSigner,
        ),
        (
            "Must deposit before performing actions. User: 0x0000000000000000000000000000000000000001",
            Refusal::MustDeposit,
        ),
        ("Invalid nonce: duplicate nonce 1741107452532", Refusal::DuplicateNonce),
        ("Nonce error: nonce value is lower than the next valid nonce", Refusal::NonceRange),
        (
            "Too many cumulative requests sent (97460 > 97456) for cumulative volume traded \
             $87457.46. Place taker orders to free up 1 request per USDC traded.",
            Refusal::AddressBudget,
        ),
        ("Signed action over weight limit of 200.", Refusal::OverWeight),
        (
            "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. \
             Traded: $9760.65.",
            Refusal::ScheduleVolume,
        ),
        ("too many pending post requests id=1234", Refusal::TooManyPosts),
        ("422 Failed to deserialize the JSON body into the target type", Refusal::Unreadable),
        ("429 Too Many Requests", Refusal::IpLimit),
    ];

    #[test]
    fn every_known_refusal_is_understood_in_any_dress() {
        for (text, expected) in KNOWN {
            let bare = text.strip_suffix('.').unwrap_or(text);
            for dressed in [
                (*text).to_owned(),
                bare.to_owned(),
                format!("{text} asset=110026"),
                format!("{bare} asset=110026"),
                format!("L1 error: {text}"),
                format!("l1 error:{text} asset=5"),
                format!(" {} ", text.to_uppercase()),
                text.to_lowercase(),
            ] {
                assert_eq!(refusal(dressed.as_bytes()), *expected, "{dressed}");
            }
        }
    }

    #[test]
    fn every_row_is_needed_and_reached() {
        for (at, (words, expected)) in TABLE.iter().enumerate() {
            let first = TABLE.iter().position(|(row, _)| without(words.as_bytes(), row).is_some());
            assert_eq!(first, Some(at), "{words} is hidden by an earlier row");
            assert_eq!(refusal(words.as_bytes()), *expected);
            assert!(!words.ends_with('.'), "{words}: the period is optional");
        }
    }

    #[test]
    fn every_refusal_has_words_or_is_read_from_a_status() {
        let words: Vec<Refusal> =
            VenueStatus::KNOWN.iter().filter_map(|(_, w)| refusal_of_word(*w)).collect();
        for wanted in Refusal::ALL {
            let told = TABLE.iter().chain(HINTS).any(|(_, refusal)| refusal == wanted);
            assert!(told || words.contains(wanted), "{wanted:?} cannot come about");
        }
    }

    #[test]
    fn unlisted_words_are_judged_by_what_they_speak_of() {
        for (text, expected) in [
            ("", Refusal::Unlisted),
            ("Teleporter jammed.", Refusal::Unlisted),
            ("Order could", Refusal::Unlisted),
            ("Action expired", Refusal::TooLate),
            ("L1 error: expiresAfter 1791480002001 has passed", Refusal::TooLate),
            ("Trading is halted. asset=110026", Refusal::Halted),
            ("Asset has been DELISTED", Refusal::Halted),
            ("API wallet has expired", Refusal::UnknownSigner),
            ("agent expired", Refusal::UnknownSigner),
        ] {
            assert_eq!(refusal(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_status_that_ends_an_order_has_a_reason_and_no_other_has() {
        for (text, word) in VenueStatus::KNOWN {
            let ends = matches!(word.kind(), StatusKind::Cancelled | StatusKind::Rejected);
            assert_eq!(refusal_of_word(*word).is_some(), ends, "{text}");
        }
        assert_eq!(refusal_of_word(VenueStatus::OtherCanceled), Some(Refusal::Cancelled));
        assert_eq!(refusal_of_word(VenueStatus::OtherRejected), Some(Refusal::Unlisted));
        assert_eq!(refusal_of_word(VenueStatus::Unknown), None);
    }

    #[test]
    fn answer_and_status_of_one_refusal_agree() {
        for (text, word) in [
            ("Price must be divisible by tick size.", VenueStatus::TickRejected),
            ("Order must have minimum value of $10.", VenueStatus::MinTradeNtlRejected),
            ("Insufficient margin to place order.", VenueStatus::PerpMarginRejected),
            ("Reduce only order would increase position.", VenueStatus::ReduceOnlyRejected),
            ("Post only order would have immediately matched", VenueStatus::BadAloPxRejected),
            (
                "Order could not immediately match against any resting orders.",
                VenueStatus::IocCancelRejected,
            ),
            ("Invalid TP/SL price.", VenueStatus::BadTriggerPxRejected),
            (
                "No liquidity available for market order.",
                VenueStatus::MarketOrderNoLiquidityRejected,
            ),
            (
                "Order would increase open interest too quickly",
                VenueStatus::OpenInterestIncreaseRejected,
            ),
            ("Order price too far from oracle", VenueStatus::OracleRejected),
        ] {
            assert_eq!(Some(refusal(text.as_bytes())), refusal_of_word(word), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_mean_something(bytes in proptest::collection::vec(any::<u8>(), 0..130)) {
            prop_assert!(Refusal::ALL.contains(&refusal(&bytes)));
        }
    }
}
