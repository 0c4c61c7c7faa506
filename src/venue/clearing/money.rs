//! Exact products, their roundings, and the fee (PROTOCOL.md §5.4).
//!
//! A price times a size is in 1e-16 USD, here called *fine*; money on an account is in 1e-6.

use crate::types::market::UserFees;
use crate::types::num::{Px, Rate, Ratio, Sz, Usd};
use crate::venue::listing::Listing;

/// Fine units of one unit of [`Usd`].
const FINE: i128 = 10_000_000_000;

/// Fine units of one dollar.
pub(super) const DOLLAR: i128 = 1_000_000 * FINE;

/// Value of `units` of 1e-8 coins at `px`, without sign, in fine units.
pub(super) fn value(px: Px, units: i64) -> i128 {
    i128::from(px.units()) * i128::from(units).abs()
}

fn usd(units: i128) -> Usd {
    Usd::from_units(i64::try_from(units).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX }))
}

/// Rounded down.
pub(super) fn floor(fine: i128) -> Usd {
    usd(fine.div_euclid(FINE))
}

/// Rounded up.
pub(super) fn ceil(fine: i128) -> Usd {
    usd(-(-fine).div_euclid(FINE))
}

/// Rounded toward zero, as the venue prints profits and fees.
pub(super) fn trunc(fine: i128) -> Usd {
    usd(fine / FINE)
}

/// In fine units.
pub(super) fn fine(usd: Usd) -> i128 {
    i128::from(usd.units()) * FINE
}

/// `value × part / whole`, rounded down, for values not below zero and a part of the whole.
pub(super) fn share(value: i128, part: i64, whole: i64) -> i128 {
    scaled(value, i128::from(part), i128::from(whole.max(1)))
}

/// `value × numerator / denominator`, rounded down, without the product of all digits.
fn scaled(value: i128, numerator: i128, denominator: i128) -> i128 {
    let (times, rest) = (value.div_euclid(denominator), value.rem_euclid(denominator));
    times.saturating_mul(numerator).saturating_add(rest.saturating_mul(numerator) / denominator)
}

/// Margin for a value of `fine` at this leverage, rounded up.
pub(super) fn margin(fine: i128, leverage: u32) -> Usd {
    let leverage = i128::from(leverage.max(1));
    ceil((fine + leverage - 1).div_euclid(leverage))
}

/// `userAddRate` of the base tier: 1.5 bps.
const MAKER: Rate = Rate::from_units(150_000_000);

/// Largest part of a fee's fraction: the product of two fits.
const MOST_DIGITS: i128 = 1 << 62;

/// A fee rate as an exact fraction, in lowest terms.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::venue) struct FeeRate {
    numerator: i128,
    denominator: i128,
}

impl FeeRate {
    /// What a taker or maker pays in a market: a taker by the account's own rate, a maker by the base
    /// tier's. The main dex has no deployer, so its fee is not scaled. A rate or discount outside 0 to
    /// 1 is none or all.
    pub(in crate::venue) fn of(
        listing: &Listing,
        main_dex: bool,
        crossed: bool,
        fees: UserFees,
    ) -> Self {
        const PPM: i128 = 1_000_000;
        let fraction = |rate: Rate| i128::from(rate.units().clamp(0, Rate::ONE.units()));
        let one = i128::from(Ratio::ONE.units());
        let share = i128::from(listing.fee_scale.units().max(0));
        let scale = match () {
            () if main_dex => one,
            () if share < one => one + share,
            () => 2 * share,
        };
        let discount = fraction(fees.referral_discount) / PPM;
        let base = fraction(if crossed { fees.cross_rate } else { MAKER });
        let growth = if listing.growth { 10 } else { 1 };
        let numerator = base * scale * (PPM - discount);
        let denominator = fraction(Rate::ONE) * one * growth * PPM;
        let common = gcd(numerator, denominator);
        let (mut numerator, mut denominator) = (numerator / common, denominator / common);
        // Products of a fee must fit. No rate of the venue has digits that this takes.
        while numerator.max(denominator) > MOST_DIGITS {
            (numerator, denominator) = (numerator / 2 + 1, (denominator / 2).max(1));
        }
        Self { numerator, denominator }
    }

    /// The fee of a trade: the exact product, cut to 6 decimals.
    pub(in crate::venue) fn of_trade(self, px: Px, sz: Sz) -> Usd {
        trunc(scaled(value(px, sz.units()), self.numerator, self.denominator))
    }

    /// No less than the fee of that trade.
    pub(super) fn at_most(self, px: Px, sz: Sz) -> Usd {
        let fee = scaled(value(px, sz.units()), self.numerator, self.denominator);
        ceil(fee.saturating_add(1))
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::listing::first_dex;

    fn listing(growth: bool, scale: i64) -> Listing {
        let mut one = first_dex("xyz", 1).remove(0);
        (one.growth, one.fee_scale) = (growth, Ratio::from_units(scale));
        one
    }

    fn fees(cross_rate: &str, referral_discount: &str) -> UserFees {
        let rate = |text: &str| Rate::parse(text.as_bytes()).expect("a rate");
        UserFees { cross_rate: rate(cross_rate), referral_discount: rate(referral_discount) }
    }

    fn fee(rate: FeeRate, px: &str, sz: &str) -> String {
        let px = Px::parse(px.as_bytes()).expect("a price");
        rate.of_trade(px, Sz::parse(sz.as_bytes()).expect("a size")).to_string()
    }

    #[test]
    fn the_recorded_fee_is_matched_to_its_last_digit() {
        let rate = FeeRate::of(&listing(true, 1_000_000_000), false, true, fees("0.00045", "0.04"));
        assert_eq!((rate.numerator, rate.denominator), (27, 312_500), "8.64e-5");
        assert_eq!(fee(rate, "80.601", "0.6"), "0.004178");
    }

    #[test]
    fn rates_follow_the_table() {
        let none = UserFees::BASE;
        for (growth, scale, main, crossed, of_10000_usd) in [
            (true, 1_000_000_000, false, true, "0.9"),
            (true, 1_000_000_000, false, false, "0.3"),
            (false, 1_000_000_000, false, true, "9"),
            (false, 1_000_000_000, false, false, "3"),
            (false, 500_000_000, false, true, "6.75"),
            (true, 2_000_000_000, false, true, "1.8"),
            (false, 0, false, true, "4.5"),
            (false, 1_000_000_000, true, true, "4.5"),
        ] {
            let rate = FeeRate::of(&listing(growth, scale), main, crossed, none);
            assert_eq!(fee(rate, "10000", "1"), of_10000_usd, "{growth} {scale} {main} {crossed}");
        }
    }

    #[test]
    fn a_taker_pays_the_rate_of_his_tier_and_a_maker_the_base_tiers() {
        let listing = listing(true, 1_000_000_000);
        let of = |crossed| FeeRate::of(&listing, false, crossed, fees("0.0003", "0.04"));
        assert_eq!(fee(of(true), "10000", "1"), "0.576");
        assert_eq!(fee(of(false), "10000", "1"), "0.288");
    }

    #[test]
    fn a_rate_of_any_digits_makes_a_fee() {
        let fees = fees("0.999999999999", "0.000001");
        let rate = FeeRate::of(&listing(true, 999_999_999), false, true, fees);
        assert_eq!(fee(rate, "900000000", "1"), "179999819.90982");
    }

    #[test]
    fn a_fee_is_cut_and_never_rounded_up() {
        let rate = FeeRate::of(&listing(false, 1_000_000_000), true, true, UserFees::BASE);
        // 4.5 bps of 0.0444444 is 0.00001999998.
        assert_eq!(fee(rate, "0.0444444", "1"), "0.000019");
        assert_eq!(
            rate.at_most(Px::from_units(4_444_440), Sz::from_units(100_000_000)).units(),
            20
        );
    }

    #[test]
    fn roundings_keep_their_direction_below_zero() {
        assert_eq!([floor(-1), ceil(-1), trunc(-1)].map(Usd::units), [-1, 0, 0]);
        assert_eq!([floor(1), ceil(1), trunc(1)].map(Usd::units), [0, 1, 0]);
        assert_eq!(margin(3 * FINE, 2).units(), 2, "1.5 units are rounded up");
        assert_eq!(share(10, 1, 3), 3);
    }
}
