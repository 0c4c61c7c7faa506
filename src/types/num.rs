//! Numbers with their units: exact decimals for money, `fixed` for basis points and averages.
//!
//! Nothing here passes through floating point except [`Bps::to_f64`] and [`Ratio::to_f64`], which
//! serve files and pages that people read.

use std::fmt;

use fixed::types::I32F32;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Decimal places of [`Px`] and [`Sz`].
pub const PLACES: u32 = 8;

/// Units of one whole: 1e8.
pub const ONE: i64 = 100_000_000;

/// Largest value of a [`Px`] or [`Sz`], in units: what `decimal(18,8)` holds in the files.
pub const MAX_UNITS: i64 = 999_999_999_999_999_999;

/// What to do with digits past the last place that are not zeros.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rounding {
    /// The text is refused: prices and sizes are exact (PROTOCOL.md §0).
    Refuse,
    /// The digits are dropped: open interest and volumes print binary noise (PROTOCOL.md §0).
    Truncate,
}

/// Reads a plain unsigned decimal (`digits` or `digits.digits`) in units of 10^-`places`.
///
/// `None` for an empty text, a sign, an exponent, a bare point, any other byte, a value above
/// [`MAX_UNITS`], or digits that `rounding` refuses.
pub fn parse_decimal(text: &[u8], places: u32, rounding: Rounding) -> Option<i64> {
    let mut units: i64 = 0;
    let mut at = 0;
    while let Some(digit) = text.get(at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d <= 9) {
        units = units.checked_mul(10)?.checked_add(i64::from(digit))?;
        at += 1;
    }
    if at == 0 {
        return None;
    }
    let mut left = places;
    match text.get(at) {
        None => {}
        Some(b'.') => {
            let fraction = &text[at + 1..];
            if fraction.is_empty() {
                return None;
            }
            for byte in fraction {
                let digit = byte.wrapping_sub(b'0');
                if digit > 9 {
                    return None;
                }
                if left > 0 {
                    units = units.checked_mul(10)?.checked_add(i64::from(digit))?;
                    left -= 1;
                } else if digit != 0 && rounding == Rounding::Refuse {
                    return None;
                }
            }
        }
        Some(_) => return None,
    }
    let units = units.checked_mul(10_i64.checked_pow(left)?)?;
    (units <= MAX_UNITS).then_some(units)
}

/// As [`parse_decimal`], with a minus sign allowed. `-0` is zero.
pub fn parse_signed(text: &[u8], places: u32, rounding: Rounding) -> Option<i64> {
    match text.strip_prefix(b"-") {
        Some(magnitude) => parse_decimal(magnitude, places, rounding).map(|units| -units),
        None => parse_decimal(text, places, rounding),
    }
}

/// Writes `units` of 10^-`places` without trailing zeros, as the venue's canonical text.
fn write_decimal(f: &mut fmt::Formatter<'_>, units: i64, places: u32) -> fmt::Result {
    let scale = 10_u64.pow(places);
    let magnitude = units.unsigned_abs();
    let sign = if units < 0 { "-" } else { "" };
    let (whole, mut fraction) = (magnitude / scale, magnitude % scale);
    if fraction == 0 {
        return write!(f, "{sign}{whole}");
    }
    let mut width = places as usize;
    while fraction % 10 == 0 {
        fraction /= 10;
        width -= 1;
    }
    write!(f, "{sign}{whole}.{fraction:0width$}")
}

macro_rules! decimal {
    ($(#[$doc:meta])* $name:ident, $places:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, Eq, Ord, PartialEq, PartialOrd, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// From raw units.
            pub const fn from_units(units: i64) -> Self {
                Self(units)
            }

            /// The raw units.
            pub const fn units(self) -> i64 {
                self.0
            }

            /// Whether it is above zero.
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }

            /// Reads a plain unsigned decimal; `None` when it is malformed, too large, or has more
            /// decimals than the type holds.
            pub fn parse(text: &[u8]) -> Option<Self> {
                parse_decimal(text, $places, Rounding::Refuse).map(Self)
            }

            /// As `parse`, but drops decimals that the type cannot hold.
            pub fn parse_truncating(text: &[u8]) -> Option<Self> {
                parse_decimal(text, $places, Rounding::Truncate).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_decimal(f, self.0, $places)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

decimal!(
    /// Price in USD, exact, in units of 1e-8. Adding a `Px` to a `Sz` does not compile.
    Px, 8
);
decimal!(
    /// Size in coins, exact, in units of 1e-8.
    Sz, 8
);
decimal!(
    /// Size of a position in coins, exact, in units of 1e-8; above zero when long.
    Szi, 8
);
decimal!(
    /// Amount in USD, exact, in units of 1e-6.
    Usd, 6
);
decimal!(
    /// A dimensionless exact decimal in units of 1e-9: the size fractions, smoothing factors and
    /// multipliers of the config. Decimal, since a tenth of a lot must be a tenth.
    Ratio, 9
);
decimal!(
    /// A fee rate as a fraction of notional, in units of 1e-12 (`"0.00045"` is 4.5 bps).
    Rate, 12
);

impl Ratio {
    /// One.
    pub const ONE: Self = Self(1_000_000_000);

    /// For files and pages.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::ONE.0 as f64
    }
}

impl Rate {
    /// One: the whole notional.
    pub const ONE: Self = Self(1_000_000_000_000);

    /// `self × numerator / denominator`, rounded up, since a fee guessed too low costs money.
    pub fn scale_up(self, numerator: i64, denominator: i64) -> Option<Self> {
        if denominator <= 0 || numerator < 0 {
            return None;
        }
        let product = i128::from(self.0).checked_mul(i128::from(numerator))?;
        let denominator = i128::from(denominator);
        let quotient = (product + denominator - 1).div_euclid(denominator);
        i64::try_from(quotient).ok().map(Self)
    }

    /// The same in basis points, rounded down by less than 2^-32 bps.
    pub fn to_bps(self) -> Option<Bps> {
        Bps::of(i128::from(self.0), i128::from(Self::ONE.0))
    }
}

impl Sz {
    /// One lot of a market with `sz_decimals` size decimals (PROTOCOL.md §6).
    pub fn lot(sz_decimals: u8) -> Option<Self> {
        let places = PLACES.checked_sub(u32::from(sz_decimals))?;
        Some(Self(10_i64.pow(places)))
    }

    /// Rounded up to whole lots; `None` when it does not fit.
    pub fn ceil_to(self, lot: Sz) -> Option<Sz> {
        let past = if lot.0 <= 0 { 0 } else { self.0.rem_euclid(lot.0) };
        if past == 0 { Some(self) } else { self.0.checked_add(lot.0 - past).map(Self) }
    }

    /// Rounded down to whole lots.
    pub fn floor_to(self, lot: Sz) -> Sz {
        if lot.0 <= 0 { self } else { Self(self.0 - self.0.rem_euclid(lot.0)) }
    }
}

impl Szi {
    /// Reads a plain decimal with an optional minus sign.
    pub fn parse_signed(text: &[u8]) -> Option<Self> {
        parse_signed(text, PLACES, Rounding::Refuse).map(Self)
    }

    /// `sz` on the side that a position of it would be: bought is above zero.
    pub const fn of(side: Side, sz: Sz) -> Self {
        match side {
            Side::Buy => Self(sz.0),
            Side::Sell => Self(-sz.0),
        }
    }

    /// Its size without its side.
    pub const fn abs(self) -> Sz {
        Sz(self.0.saturating_abs())
    }

    /// The side that made it; `None` when flat.
    pub const fn side(self) -> Option<Side> {
        match self.0 {
            0 => None,
            1.. => Some(Side::Buy),
            _ => Some(Side::Sell),
        }
    }

    /// Whether it is nothing.
    pub const fn is_flat(self) -> bool {
        self.0 == 0
    }

    /// The sum; `None` when it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference; `None` when it does not fit.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl Usd {
    /// Reads a plain decimal with an optional minus sign, exactly.
    pub fn parse_signed(text: &[u8]) -> Option<Self> {
        parse_signed(text, 6, Rounding::Refuse).map(Self)
    }

    /// As `parse_signed`, but drops digits past the sixth decimal: sums print binary noise.
    pub fn parse_signed_truncating(text: &[u8]) -> Option<Self> {
        parse_signed(text, 6, Rounding::Truncate).map(Self)
    }

    /// The sum; stays at the ends of the range, far beyond any account.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, likewise.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Value of `sz` at `px`, rounded down to 1e-6 USD; `None` when it does not fit.
    pub fn notional(px: Px, sz: Sz) -> Option<Self> {
        let exact = i128::from(px.0) * i128::from(sz.0); // In 1e-16 USD.
        i64::try_from(exact.div_euclid(10_000_000_000)).ok().map(Self)
    }
}

/// Basis points (1e-4), on a 64-bit binary fixed point with 32 fractional bits.
///
/// A decimal such as 7.9 bps has no exact binary form; conversions round down by less than 2^-32
/// bps, so that a price exactly on its decimal threshold passes.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Bps(I32F32);

impl Bps {
    /// No basis points.
    pub const ZERO: Self = Self(I32F32::ZERO);

    /// Whole basis points.
    pub const fn from_int(bps: i32) -> Self {
        Self(I32F32::from_bits((bps as i64) << 32))
    }

    /// From the raw bits.
    pub const fn from_bits(bits: i64) -> Self {
        Self(I32F32::from_bits(bits))
    }

    /// The raw bits: 2^-32 bps each.
    pub const fn to_bits(self) -> i64 {
        self.0.to_bits()
    }

    /// `numerator / denominator` in basis points, rounded down; `None` when it does not fit or the
    /// denominator is not above zero.
    pub fn of(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator <= 0 {
            return None;
        }
        let scaled = numerator.checked_mul(10_000 << 32)?;
        i64::try_from(scaled.div_euclid(denominator)).ok().map(Self::from_bits)
    }

    /// Reads an unsigned decimal number of basis points, rounded down to 2^-32.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let units = parse_decimal(text, 12, Rounding::Refuse)?;
        let bits = (i128::from(units) << 32).div_euclid(1_000_000_000_000);
        i64::try_from(bits).ok().map(Self::from_bits)
    }

    /// The sum; `None` when it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference; `None` when it does not fit.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// For files and pages.
    pub fn to_f64(self) -> f64 {
        self.0.to_num()
    }
}

impl fmt::Display for Bps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Bps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.to_bits())
    }
}

impl<'de> Deserialize<'de> for Bps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(Self::from_bits)
    }
}

/// Which way the engine would trade.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Side {
    /// Buys, touching the best ask.
    Buy,
    /// Sells, touching the best bid.
    Sell,
}

impl Side {
    /// Both, in the order everything iterates them.
    pub const BOTH: [Side; 2] = [Side::Buy, Side::Sell];

    /// Position in [`Side::BOTH`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The other one.
    pub const fn opposite(self) -> Self {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// As files write it.
    pub const fn name(self) -> &'static str {
        match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }
    }
}

impl Px {
    /// Whether taking `self` on `side` leaves at least `cost` to the oracle: a buy needs
    /// `self ≤ oracle × (1 − cost)`, a sell `self ≥ oracle × (1 + cost)`.
    ///
    /// Exact, cross-multiplied in `i128`: a price on its threshold passes, on every machine.
    pub fn clears(self, side: Side, oracle: Px, cost: Bps) -> bool {
        const WHOLE: i128 = 10_000 << 32; // 100 % in the bits of `Bps`.
        let cost = i128::from(cost.to_bits());
        let (px, oracle) = (i128::from(self.0) * WHOLE, i128::from(oracle.0));
        match side {
            Side::Buy => px <= oracle * (WHOLE - cost),
            Side::Sell => px >= oracle * (WHOLE + cost),
        }
    }

    /// Whether `self` is at `limit` or better for a taker on `side`.
    pub fn at_or_better(self, side: Side, limit: Px) -> bool {
        match side {
            Side::Buy => self <= limit,
            Side::Sell => self >= limit,
        }
    }

    /// Distance from `self` to the oracle, in bps of the oracle, above zero when a taker on `side`
    /// gains by it; `None` when the oracle is not above zero.
    pub fn edge(self, side: Side, oracle: Px) -> Option<Bps> {
        let gain = match side {
            Side::Buy => i128::from(oracle.0) - i128::from(self.0),
            Side::Sell => i128::from(self.0) - i128::from(oracle.0),
        };
        Bps::of(gain, i128::from(oracle.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn px(text: &str) -> Px {
        Px::parse(text.as_bytes()).expect("a price")
    }

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        for (text, units) in [
            ("0", 0),
            ("1", ONE),
            ("1.0", ONE),
            ("0.0147", 1_470_000),
            ("0.00000001", 1),
            ("1.230000000000", 123_000_000),
            ("9999999999.99999999", MAX_UNITS),
        ] {
            assert_eq!(Px::parse(text.as_bytes()), Some(Px(units)), "{text}");
        }
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1.2.3",
            " 1",
            "1 ",
            "0x1",
            "NaN",
            "1,0",
            "0.000000001",
            "10000000000",
            "99999999999999999999",
        ] {
            assert_eq!(Px::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Sz::parse_truncating(b"737766.603999999999"), Some(Sz(73_776_660_399_999)));
    }

    #[test]
    fn signed_decimals_take_one_minus_and_no_plus() {
        assert_eq!(Szi::parse_signed(b"-0.05"), Some(Szi(-5_000_000)));
        assert_eq!(Szi::parse_signed(b"-0.0"), Some(Szi::ZERO));
        assert_eq!(Usd::parse_signed(b"-1.2843"), Some(Usd(-1_284_300)));
        for text in ["--1", "-", "+1", "-.5", "- 1"] {
            assert_eq!(Szi::parse_signed(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Usd::parse_signed(b"0.1234567"), None);
        assert_eq!(Usd::parse_signed_truncating(b"-0.1234567"), Some(Usd(-123_456)));
        assert_eq!(Szi(-3).side(), Some(Side::Sell));
        assert_eq!((Szi(-3).abs(), Szi::ZERO.side()), (Sz(3), None));
    }

    #[test]
    fn a_price_on_its_threshold_passes_and_one_unit_past_it_does_not() {
        for cost in ["7.9", "0.9", "11", "7.1", "2.3", "16.64"] {
            let cost_bps = Bps::parse(cost.as_bytes()).expect("a cost");
            let oracle = Px(100 * ONE * 1000); // 100,000 USD: each 0.01 bps is a whole unit.
            let off = i64::try_from(
                i128::from(oracle.0) * i128::from(Rate::parse(cost.as_bytes()).expect("a rate").0)
                    / (i128::from(Rate::ONE.0) * 10_000),
            )
            .expect("fits");
            for (side, on, past) in [
                (Side::Buy, Px(oracle.0 - off), Px(oracle.0 - off + 1)),
                (Side::Sell, Px(oracle.0 + off), Px(oracle.0 + off - 1)),
            ] {
                assert!(on.clears(side, oracle, cost_bps), "{cost} {side:?} on its threshold");
                assert!(!past.clears(side, oracle, cost_bps), "{cost} {side:?} one unit past");
            }
        }
    }

    #[test]
    fn edges_are_signed_by_what_a_taker_gains() {
        assert_eq!(px("99.9").edge(Side::Buy, px("100")), Some(Bps::from_int(10)));
        assert_eq!(px("99.9").edge(Side::Sell, px("100")), Some(Bps::from_int(-10)));
        assert_eq!(px("1").edge(Side::Buy, Px::ZERO), None);
    }

    #[test]
    fn a_notional_is_exact_and_rounded_down() {
        let sz = Sz::parse(b"0.6").expect("a size");
        assert_eq!(Usd::notional(px("80.601"), sz), Some(Usd(48_360_600)));
        assert_eq!(Usd::notional(px("0.00000001"), Sz(1)), Some(Usd::ZERO));
        assert_eq!(Usd::notional(Px(MAX_UNITS), Sz(MAX_UNITS)), None);
    }

    #[test]
    fn lots_follow_size_decimals() {
        assert_eq!(Sz::lot(2), Some(Sz(1_000_000)));
        assert_eq!(Sz::lot(0), Some(Sz(ONE)));
        assert_eq!(Sz::lot(9), None);
        assert_eq!(Sz(123_456_789).floor_to(Sz(1_000_000)), Sz(123_000_000));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(units in 0..=MAX_UNITS) {
            let text = Px(units).to_string();
            prop_assert_eq!(Px::parse(text.as_bytes()), Some(Px(units)));
            prop_assert!(!text.contains('.') || !text.ends_with('0'), "canonical: {}", text);
        }

        #[test]
        fn any_bytes_are_a_number_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            if let Some(value) = Px::parse(&bytes) {
                let text = std::str::from_utf8(&bytes).expect("digits are text");
                let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
                let padded = format!("{whole}{:0<8}", fraction.trim_end_matches('0'));
                prop_assert_eq!(padded.parse::<i64>(), Ok(value.0));
            }
        }

        #[test]
        fn clears_agrees_with_edge(a in 1..MAX_UNITS / 1000, b in 1..MAX_UNITS / 1000, cost in 0..500_i32) {
            let (touched, oracle, cost) = (Px(a), Px(b), Bps::from_int(cost));
            for side in Side::BOTH {
                // `edge` rounds down, and whole basis points survive rounding down.
                if let Some(edge) = touched.edge(side, oracle) {
                    prop_assert_eq!(touched.clears(side, oracle, cost), edge >= cost);
                }
            }
        }
    }
}
