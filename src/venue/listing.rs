//! What is listed: the dexes and the fixed facts of their markets.
//!
//! The universe does not depend on the seed; only its prices' paths do.

use crate::types::market::MarginMode;
use crate::types::num::{Px, Ratio, Usd};

/// The kinds of underlyings; they differ in how much they move and how tightly they are quoted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Index,
    Stock,
    Fund,
    Commodity,
    Currency,
    /// Thinly traded things: private companies, local indices.
    Exotic,
    /// Coins of the main dex.
    Coin,
}

/// The rules of one market. Scenarios may change them.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    /// Full name: `xyz:TSLA`, on the main dex `BTC`.
    pub(super) coin: String,
    pub(super) kind: Kind,
    pub(super) sz_decimals: u8,
    pub(super) max_leverage: u32,
    pub(super) margin_mode: MarginMode,
    pub(super) growth: bool,
    pub(super) fee_scale: Ratio,
    pub(super) oi_cap: Usd,
    /// Price at the start.
    pub(super) px: Px,
    pub(super) delisted: bool,
    /// What of its entry in `meta` no document knows.
    pub(super) odd: Option<Odd>,
}

/// A word in an entry of `meta` that no document knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Odd {
    MarginMode,
    GrowthMode,
}

impl Odd {
    /// The kind that an event's value names.
    pub(super) const fn of(value: u8) -> Self {
        if value.is_multiple_of(2) { Self::MarginMode } else { Self::GrowthMode }
    }
}

/// A row: ticker, price in 1e-4 USD, size decimals, kind, largest leverage.
type Row = (&'static str, i64, u8, Kind, u32);

use Kind::{
    Coin as K, Commodity as C, Currency as F, Exotic as X, Fund as E, Index as I, Stock as S,
};

#[rustfmt::skip]
const FIRST_DEX: [Row; 126] = [
    ("US100", 248_315_000, 4, I, 30), ("US500", 67_421_000, 3, I, 50), ("TSLA", 4_126_000, 3, S, 20),
    ("NVDA", 1_874_500, 3, S, 20), ("SILVER", 487_200, 2, C, 25), ("GOLD", 40_873_000, 4, C, 25),
    ("AAPL", 2_713_400, 3, S, 20), ("MSFT", 4_982_100, 3, S, 20), ("RIVN", 152_300, 1, S, 10),
    ("AMZN", 2_291_700, 3, S, 20), ("ENRON", 6_100, 0, X, 3), ("GOOGL", 2_884_000, 3, S, 20),
    ("META", 6_127_500, 3, S, 20), ("CRUDE", 612_400, 2, C, 20), ("BRENT", 654_800, 2, C, 20),
    ("COPPER", 51_210, 1, C, 20), ("NATGAS", 43_870, 1, C, 10), ("PLTR", 1_744_200, 3, S, 10),
    ("COIN", 2_562_000, 3, S, 10), ("HOOD", 1_183_900, 2, S, 10), ("MSTR", 1_871_000, 3, S, 10),
    ("CRCL", 714_600, 2, S, 10), ("AMD", 2_153_300, 3, S, 20), ("INTC", 361_900, 2, S, 10),
    ("FTXR", 31_500, 1, E, 10), ("MU", 2_318_000, 3, S, 20), ("TSM", 2_902_700, 3, S, 10),
    ("EUR", 11_587, 0, F, 50), ("GBP", 13_214, 0, F, 50), ("JPY", 65, 0, F, 50),
    ("NFLX", 1_094_400, 2, S, 10), ("COST", 9_133_500, 4, S, 10), ("LLY", 10_271_000, 4, S, 10),
    ("LEHMAN", 36_500, 1, X, 3), ("BABA", 1_583_200, 3, S, 10), ("PLATINUM", 15_438_000, 4, C, 20),
    ("PALLADIUM", 13_902_000, 4, C, 10), ("WTIX", 3_140, 0, X, 5), ("ORCL", 2_207_500, 3, S, 10),
    ("AVGO", 3_402_800, 3, S, 10), ("SMCI", 334_100, 2, S, 10), ("ARM", 1_368_700, 3, S, 10),
    ("ASML", 10_054_000, 4, S, 10), ("QCOM", 1_633_900, 3, S, 10), ("GME", 206_800, 2, S, 10),
    ("DXY", 1_001_800, 2, I, 50), ("JP225", 489_370_000, 5, I, 20), ("KR200", 5_487_200, 3, I, 10),
    ("DE40", 231_150_000, 4, I, 20), ("UK100", 95_340_000, 4, I, 20), ("PEPSI", 1_447_000, 3, S, 10),
    ("SOFTBANK", 1_089_500, 2, S, 10), ("SAMSUNG", 672_800, 2, S, 10), ("HYNIX", 3_868_000, 3, S, 20),
    ("HYUNDAI", 1_788_000, 3, S, 10), ("KIOXIA", 628_300, 2, S, 10), ("VIX", 204_300, 1, I, 10),
    ("HIMS", 368_200, 2, S, 10), ("DKNG", 305_900, 2, S, 10), ("CORN", 43_870, 1, C, 10),
    ("WHEAT", 53_420, 1, C, 10), ("ALUMINIUM", 28_412_000, 4, C, 10), ("URANIUM", 763_500, 2, C, 10),
    ("COTTON", 6_410, 0, C, 10), ("XLE", 902_700, 2, E, 20), ("XBI", 1_147_300, 2, E, 10),
    ("TLT", 893_600, 2, E, 20), ("SMH", 3_454_200, 3, E, 20), ("SOXL", 431_700, 2, E, 10),
    ("EWY", 954_300, 2, E, 20), ("EWJ", 821_400, 2, E, 20), ("EWZ", 329_800, 2, E, 20),
    ("BX", 1_456_200, 3, S, 10), ("OATS", 33_100, 1, C, 5), ("RKLB", 422_600, 2, S, 10),
    ("IREN", 463_300, 2, S, 10), ("NBIS", 838_900, 2, S, 10), ("CRWV", 712_500, 2, S, 10),
    ("APLD", 243_100, 2, S, 10), ("WDC", 1_390_400, 3, S, 10), ("SNDK", 2_004_600, 3, S, 20),
    ("STX", 2_457_800, 3, S, 10), ("DELL", 1_228_700, 2, S, 10), ("IBM", 2_974_400, 3, S, 20),
    ("NOW", 8_125_900, 4, S, 10), ("CRM", 2_271_800, 3, S, 10), ("CRWD", 4_905_300, 3, S, 10),
    ("NET", 1_874_900, 3, S, 10), ("DDOG", 1_602_700, 3, S, 10), ("MRVL", 773_500, 2, S, 10),
    ("LRCX", 1_424_800, 3, S, 10), ("AMAT", 2_245_100, 3, S, 10), ("KLAC", 11_046_000, 4, S, 10),
    ("RDDT", 1_903_900, 3, S, 10), ("PINS", 254_100, 2, S, 10), ("TWTR", 537_000, 2, X, 5),
    ("SNAP", 76_300, 1, S, 10), ("UBER", 839_500, 2, S, 10), ("ABNB", 1_139_800, 2, S, 10),
    ("DASH", 1_854_700, 3, S, 10), ("ZM", 838_200, 2, S, 10), ("EBAY", 815_500, 2, S, 10),
    ("DIS", 1_044_100, 2, S, 10), ("NKE", 624_900, 2, S, 10), ("WEWORK", 2_310, 0, X, 3),
    ("KO", 716_700, 2, S, 10), ("WMT", 1_052_400, 2, S, 20), ("BA", 1_793_200, 3, S, 10),
    ("GE", 2_873_900, 3, S, 10), ("GEV", 5_556_200, 3, S, 10), ("CAT", 5_521_700, 3, S, 10),
    ("XOM", 1_170_500, 2, S, 10), ("CVX", 1_498_700, 3, S, 10), ("JPM", 2_980_500, 3, S, 20),
    ("GS", 7_743_800, 4, S, 10), ("V", 3_281_600, 3, S, 20), ("MRNA", 238_900, 2, S, 10),
    ("PFE", 252_400, 2, S, 10), ("KRW", 7, 0, F, 20), ("SPACE", 4_212_000, 3, X, 5),
    ("ROBOT", 187_400, 1, X, 5), ("MODEL", 1_356_000, 2, X, 5), ("H100", 21_750, 1, X, 3),
    ("NIFTY", 259_120_000, 4, I, 20), ("IBOV", 1_551_600_000, 5, I, 10), ("ANTIM", 78_900, 1, X, 3),
];

/// Indexes of the first dex's markets that are gone but count (PROTOCOL.md §4.2).
#[rustfmt::skip]
const FIRST_DELISTED: [usize; 17] =
    [10, 24, 33, 37, 50, 51, 61, 63, 73, 78, 94, 100, 104, 115, 118, 121, 125];

const SECOND_DEX: [Row; 8] = [
    ("TOTAL2", 12_941_000, 3, I, 20),
    ("OLD", 25_600, 1, X, 3),
    ("ALTS", 2_284_100, 2, I, 10),
    ("MEME", 418, 0, I, 5),
    ("GONE", 11_100, 0, X, 3),
    ("DEFI", 613_700, 1, I, 10),
    ("SILVER", 487_400, 2, C, 20),
    ("TSLA", 4_128_000, 3, S, 10),
];
const SECOND_DELISTED: [usize; 2] = [1, 4];

const MAIN_DEX: [Row; 4] = [
    ("BTC", 872_410_000, 5, K, 40),
    ("ETH", 28_431_000, 4, K, 25),
    ("SOL", 1_324_100, 2, K, 20),
    ("HYPE", 331_900, 2, K, 10),
];

/// Name of the second builder-deployed dex.
pub(super) const SECOND_NAME: &str = "nova";

/// The main dex, position 0 of `perpDexs`.
pub(super) fn main_dex() -> Vec<Listing> {
    MAIN_DEX.iter().enumerate().map(|(index, row)| listing("", index, row, false)).collect()
}

/// The dex that is watched, position 1: `count` markets, beyond the table with made-up names.
pub(super) fn first_dex(name: &str, count: usize) -> Vec<Listing> {
    (0..count).map(|index| first_dex_market(name, index)).collect()
}

/// One market of the first dex; also what is appended later.
pub(super) fn first_dex_market(name: &str, index: usize) -> Listing {
    match FIRST_DEX.get(index) {
        Some(row) => listing(name, index, row, FIRST_DELISTED.contains(&index)),
        None => {
            let past = index - FIRST_DEX.len();
            let (_, px, sz_decimals, kind, leverage) = FIRST_DEX[past % FIRST_DEX.len()];
            let mut made = listing(name, index, &("NEW", px, sz_decimals, kind, leverage), false);
            made.coin = format!("{name}:NEW{past}");
            made
        }
    }
}

/// The second dex, position 2.
pub(super) fn second_dex() -> Vec<Listing> {
    let gone = |index| SECOND_DELISTED.contains(&index);
    let rows = SECOND_DEX.iter().enumerate();
    rows.map(|(index, row)| listing(SECOND_NAME, index, row, gone(index))).collect()
}

fn listing(dex: &str, index: usize, row: &Row, delisted: bool) -> Listing {
    let &(ticker, px, sz_decimals, kind, max_leverage) = row;
    let main = kind == Kind::Coin;
    let major = main || max_leverage >= 20 && kind != Kind::Fund && kind != Kind::Currency;
    let margin_mode = match kind {
        _ if major => MarginMode::Cross,
        Kind::Exotic => MarginMode::StrictIsolated,
        _ => MarginMode::NoCross,
    };
    let cap_millions = match (kind, max_leverage) {
        (Kind::Index, 30..) => 1_000,
        (Kind::Commodity | Kind::Index, 20..) => 500,
        (Kind::Stock, 20..) => 250,
        (Kind::Exotic, _) => 10,
        _ => 25 << (index % 3),
    };
    Listing {
        coin: if main { ticker.to_owned() } else { format!("{dex}:{ticker}") },
        kind,
        sz_decimals,
        max_leverage,
        margin_mode,
        // A few never had it, a few scale the fee by half.
        growth: !main && !matches!(ticker, "GOLD" | "MSTR" | "PFE" | "DIS" | "MODEL" | "OLD"),
        fee_scale: if index % 29 == 28 { Ratio::from_units(500_000_000) } else { Ratio::ONE },
        oi_cap: Usd::from_units(cap_millions * 1_000_000 * 1_000_000),
        px: Px::from_units(px * 10_000),
        delisted,
        odd: None,
    }
}

/// Price step around `px`: at most five significant figures and `6 − sz_decimals` decimals, and
/// whole numbers always (PROTOCOL.md §6).
pub(super) fn tick(px: Px, sz_decimals: u8) -> i64 {
    let decimals = 10_i64.pow(2 + u32::from(sz_decimals.min(6)));
    let figures = px.units().max(1).ilog10().saturating_sub(4);
    decimals.max(10_i64.pow(figures)).min(100_000_000)
}

/// The largest price on tick at or below `px`.
pub(super) fn floor_to_tick(px: Px, sz_decimals: u8) -> Px {
    let tick = tick(px, sz_decimals);
    Px::from_units(px.units().div_euclid(tick) * tick)
}

/// The smallest price on tick at or above `px`.
pub(super) fn ceil_to_tick(px: Px, sz_decimals: u8) -> Px {
    let tick = tick(px, sz_decimals);
    Px::from_units((px.units() + tick - 1).div_euclid(tick) * tick)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_shape_of_a_dex() {
        let markets = first_dex("xyz", 126);
        assert_eq!(markets.iter().filter(|m| !m.delisted).count(), 109);
        let mut names: Vec<&str> = markets.iter().map(|m| m.coin.as_str()).collect();
        assert!(!names.is_sorted(), "meta order is not alphabetical");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 126);
        for decimals in 0..=5 {
            assert!(markets.iter().any(|m| m.sz_decimals == decimals), "{decimals}");
        }
        let (low, high) = markets
            .iter()
            .fold((i64::MAX, 0), |(low, high), m| (low.min(m.px.units()), high.max(m.px.units())));
        assert!(high / low >= 100_000, "five orders of magnitude");
    }

    #[test]
    fn every_market_has_a_tick_below_ten_bps_of_its_price() {
        for market in main_dex().iter().chain(&first_dex("xyz", 300)).chain(&second_dex()) {
            let step = tick(market.px, market.sz_decimals);
            // Coarse for the currencies quoted in thousandths of a dollar, as on the venue.
            assert!(
                market.kind == Kind::Currency || step * 1000 <= market.px.units(),
                "{market:?}"
            );
        }
    }

    #[test]
    fn ticks_follow_the_venues_examples() {
        let step = |px: &str, d| Px::parse(px.as_bytes()).map(|px| tick(px, d));
        assert_eq!(step("31249", 4), Some(100_000_000));
        assert_eq!(step("32.115", 2), Some(100_000));
        assert_eq!(step("4136.1", 4), Some(10_000_000));
        assert_eq!(step("123456", 5), Some(100_000_000));
        assert_eq!(step("0.001234", 0), Some(100));
        assert_eq!(step("0.012345", 1), Some(1000));
        let px = Px::from_units(9_999_999_999);
        assert_eq!(ceil_to_tick(px, 2).units(), 10_000_000_000);
        assert_eq!(floor_to_tick(px, 2).units(), 9_999_900_000);
    }
}
