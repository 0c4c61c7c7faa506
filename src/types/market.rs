//! What the venue says of a market: quotes, contexts, and the rules it trades under.

use serde::{Deserialize, Serialize};

use crate::types::ids::{AssetId, Coin};
use crate::types::num::{Px, Rate, Ratio, Side, Sz, Usd};
use crate::types::time::VenueMs;

/// One price of a book and the size that stands there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// The price.
    pub px: Px,
    /// The size; zero is legal input and means nothing can be taken.
    pub sz: Sz,
}

/// Best bid and offer (PROTOCOL.md §2.5). A side is `None` when the venue sent `null`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bbo {
    /// Best bid.
    pub bid: Option<Level>,
    /// Best ask.
    pub ask: Option<Level>,
    /// The block's time.
    pub time: VenueMs,
}

impl Bbo {
    /// The level that a taker on `side` meets.
    pub fn touched(&self, side: Side) -> Option<Level> {
        match side {
            Side::Buy => self.ask,
            Side::Sell => self.bid,
        }
    }

    /// The level that a taker on `side` meets, if something can be taken there: a price and a size
    /// above zero, in a book that is not crossed. The other side may be missing.
    pub fn standing(&self, side: Side) -> Option<Level> {
        let crossed = self.bid.zip(self.ask).is_some_and(|(bid, ask)| bid.px >= ask.px);
        let level = self.touched(side)?;
        (!crossed && level.px.is_positive() && level.sz.is_positive()).then_some(level)
    }

    /// Both levels, if both sides stand with a size and do not cross: bid < ask.
    pub fn tradable(&self) -> Option<(Level, Level)> {
        let (bid, ask) = (self.bid?, self.ask?);
        let stands = |level: Level| level.px.is_positive() && level.sz.is_positive();
        (stands(bid) && stands(ask) && bid.px < ask.px).then_some((bid, ask))
    }
}

/// The venue's context of a market (PROTOCOL.md §2.5); `None` where it sent `null` or nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ctx {
    /// Oracle price.
    pub oracle: Option<Px>,
    /// Mark price.
    pub mark: Option<Px>,
    /// Mid price as the venue sees it.
    pub mid: Option<Px>,
    /// Open interest in coins; decimals past the eighth are dropped.
    pub open_interest: Option<Sz>,
    /// Whether it has the shape of a halted, settled market: no mid, premium or impact prices and
    /// no open interest (PROTOCOL.md §5.6).
    pub settled: bool,
}

/// How positions in a market are margined (PROTOCOL.md §4.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum MarginMode {
    /// Cross margin is allowed.
    Cross,
    /// Isolated; margin can be added and removed.
    NoCross,
    /// Isolated; margin can only be added.
    StrictIsolated,
}

/// The rules of one market, as `meta`, `perpDexs` and the caps gave them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct MarketSpec {
    /// Its name in streams.
    pub coin: Coin,
    /// Its id in orders.
    pub asset: AssetId,
    /// Size decimals; the tick follows from them and the price (PROTOCOL.md §6).
    pub sz_decimals: u8,
    /// Largest leverage.
    pub max_leverage: u32,
    /// Margin table.
    pub margin_table: u32,
    /// Margin mode.
    pub margin_mode: MarginMode,
    /// The deployer's fee scale: of the asset, or of the dex before 2026-09.
    pub fee_scale: Ratio,
    /// Whether growth mode cuts the fees to a tenth.
    pub growth: bool,
    /// Whether it is delisted.
    pub delisted: bool,
    /// Cap of the open interest in USD; `None` when no list names the coin.
    pub oi_cap: Option<Usd>,
    /// Cap of the open interest in coins, of every market of the dex.
    pub oi_cap_sz: Option<Sz>,
    /// Whether `perpsAtOpenInterestCap` lists it.
    pub at_oi_cap: bool,
}

/// What of `userFees` enters the HIP-3 fee formula (PROTOCOL.md §5.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct UserFees {
    /// `userCrossRate`: taker, staking discount already in.
    pub cross_rate: Rate,
    /// `activeReferralDiscount`, a fraction.
    pub referral_discount: Rate,
}

impl UserFees {
    /// The venue's base tier, for whoever has no account to ask about: 4.5 bps, no discount
    /// (PROTOCOL.md §5.4, "Tiers").
    pub const BASE: Self =
        Self { cross_rate: Rate::from_units(450_000_000), referral_discount: Rate::ZERO };
}

/// An entry of one of the venue's lists that could not be read. It costs its market, and no other.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct OddEntry {
    /// The name in it, cut and escaped; empty when there is none.
    pub name: String,
    /// The market, if the name can be one.
    pub coin: Option<Coin>,
    /// Its id, where the list tells one.
    pub asset: Option<AssetId>,
    /// Where it stands, what stands there, and what was expected.
    pub why: String,
}

/// Everything a reread of the venue tells: all markets of the configured dexes, delisted ones too.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Universe {
    /// In the order of the configured dexes and their `meta`.
    pub markets: Vec<MarketSpec>,
    /// The account's fees; `None` when there is no account to ask about or no answer.
    pub fees: Option<UserFees>,
    /// What of its lists could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub odd: Vec<OddEntry>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_tier_is_four_and_a_half_bps() {
        assert_eq!(Rate::parse(b"0.00045"), Some(UserFees::BASE.cross_rate));
    }

    #[test]
    fn a_book_is_tradable_with_two_sides_that_do_not_cross() {
        let level = |px, sz| Some(Level { px: Px::from_units(px), sz: Sz::from_units(sz) });
        let bbo = |bid, ask| Bbo { bid, ask, time: VenueMs(0) };
        assert!(bbo(level(99, 1), level(100, 1)).tradable().is_some());
        assert!(bbo(level(100, 1), level(100, 1)).tradable().is_none());
        assert!(bbo(level(99, 0), level(100, 1)).tradable().is_none());
        assert!(bbo(level(0, 1), level(100, 1)).tradable().is_none());
        assert!(bbo(None, level(100, 1)).tradable().is_none());
    }
}
