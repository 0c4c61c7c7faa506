//! The venue's channels by name.

use std::fmt;

macro_rules! channels {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A channel of the venue's socket (PROTOCOL.md §2.1, §2.2, §2.5, §2.6, §3.2).
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Channel {
            $($(#[$doc])* $name,)*
        }

        impl Channel {
            /// All of them, those that observation reads first.
            pub const ALL: &'static [Channel] = &[$(Channel::$name,)*];

            /// As the venue writes it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Channel::$name => $text,)*
                }
            }

            /// The channel called `name`. `orderUpdates:<user>` counts as `orderUpdates`
            /// (PROTOCOL.md §2.6).
            pub fn named(name: &[u8]) -> Option<Self> {
                $(
                    if name == $text.as_bytes() {
                        return Some(Channel::$name);
                    }
                )*
                name.starts_with(b"orderUpdates:").then_some(Channel::OrderUpdates)
            }
        }
    };
}

channels! {
    /// Best bid and offer of a market.
    Bbo = "bbo",
    /// Oracle, mark, mid and open interest of a perp.
    ActiveAssetCtx = "activeAssetCtx",
    /// The ACK of a subscribe or unsubscribe.
    SubscriptionResponse = "subscriptionResponse",
    /// The answer to a ping.
    Pong = "pong",
    /// What the venue complains about, in words.
    Error = "error",
    /// The book of a market.
    L2Book = "l2Book",
    /// Its undocumented sibling.
    L2 = "l2",
    /// Trades of a market.
    Trades = "trades",
    /// Mid prices of a dex.
    AllMids = "allMids",
    /// Candles of a market.
    Candle = "candle",
    /// Context of a spot pair or an outcome.
    ActiveSpotAssetCtx = "activeSpotAssetCtx",
    /// Contexts of one dex.
    AssetCtxs = "assetCtxs",
    /// Contexts of all spot pairs.
    SpotAssetCtxs = "spotAssetCtxs",
    /// Contexts of all dexes.
    AllDexsAssetCtxs = "allDexsAssetCtxs",
    /// Mark and mid prices of everything, packed.
    FastAssetCtxs = "fastAssetCtxs",
    /// News of outcome markets.
    OutcomeMetaUpdates = "outcomeMetaUpdates",
    /// Blocks, for explorers.
    ExplorerBlock = "explorerBlock",
    /// What became of the account's orders.
    OrderUpdates = "orderUpdates",
    /// `userEvents` of the account.
    User = "user",
    /// Fills of the account.
    UserFills = "userFills",
    /// Funding payments of the account.
    UserFundings = "userFundings",
    /// Deposits, transfers and the like.
    UserNonFundingLedgerUpdates = "userNonFundingLedgerUpdates",
    /// Messages for people.
    Notification = "notification",
    /// Resting orders of the account.
    OpenOrders = "openOrders",
    /// The account on one dex.
    ClearinghouseState = "clearinghouseState",
    /// The account on all dexes.
    AllDexsClearinghouseState = "allDexsClearinghouseState",
    /// Spot balances of the account.
    SpotState = "spotState",
    /// Leverage and room of the account in one market.
    ActiveAssetData = "activeAssetData",
    /// The account as the venue's own page reads it.
    WebData3 = "webData3",
    /// Running TWAPs of the account.
    TwapStates = "twapStates",
    /// Fills of its TWAPs.
    UserTwapSliceFills = "userTwapSliceFills",
    /// Its TWAPs of the past.
    UserTwapHistory = "userTwapHistory",
    /// Its orders of the past.
    UserHistoricalOrders = "userHistoricalOrders",
    /// Answers to posts.
    Post = "post",
}

impl Channel {
    /// Whether frames of this channel are read past their name.
    pub const fn is_read(self) -> bool {
        matches!(
            self,
            Channel::Bbo
                | Channel::ActiveAssetCtx
                | Channel::SubscriptionResponse
                | Channel::Pong
                | Channel::Error
                | Channel::OrderUpdates
                | Channel::User
                | Channel::UserFills
                | Channel::Post
        )
    }

    /// Whether the scanner knows the usual shape of its frames.
    pub const fn is_scanned(self) -> bool {
        matches!(self, Channel::Bbo | Channel::ActiveAssetCtx)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_is_found_by_its_name_and_by_no_other() {
        for channel in Channel::ALL {
            assert_eq!(Channel::named(channel.name().as_bytes()), Some(*channel));
            let upper = channel.name().to_ascii_uppercase();
            assert_eq!(Channel::named(upper.as_bytes()), None, "{upper}");
        }
        assert_eq!(Channel::named(b""), None);
        assert_eq!(Channel::named(b"orderUpdates:0xab"), Some(Channel::OrderUpdates));
        assert_eq!(Channel::named(b"bbo:SOL"), None);
    }
}
