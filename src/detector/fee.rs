//! What taking costs in a HIP-3 market.

use crate::types::market::{MarketSpec, UserFees};
use crate::types::num::{Rate, Ratio};

/// Taker fee as a fraction of notional (PROTOCOL.md §5.4, "Fee formula for developers"):
///
/// `userCrossRate × scaleIfHip3 × growth × (1 − activeReferralDiscount)`, where `scaleIfHip3` is
/// `s + 1` below 1 and `2 s` from there on, and growth mode cuts to a tenth. No market's collateral
/// is an aligned quote token today, so that factor is 1.
///
/// Rounded up at each step by less than 1e-12. `None` when a number does not fit, or the discount
/// is above 1: then nothing can be said of the cost.
pub fn taker_fee(spec: &MarketSpec, fees: &UserFees) -> Option<Rate> {
    let one = Ratio::ONE.units();
    let scale = spec.fee_scale.units();
    let scale = if scale < one { scale.checked_add(one)? } else { scale.checked_mul(2)? };
    let kept = Rate::ONE.units().checked_sub(fees.referral_discount.units())?;
    fees.cross_rate
        .scale_up(scale, one)?
        .scale_up(1, if spec.growth { 10 } else { 1 })?
        .scale_up(kept, Rate::ONE.units())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ids::{AssetId, Coin};
    use crate::types::market::MarginMode;

    fn fee(scale: &str, growth: bool, cross: &str, referral: &str) -> Option<String> {
        let spec = MarketSpec {
            coin: Coin::new("xyz:SILVER")?,
            asset: AssetId(110_026),
            sz_decimals: 2,
            max_leverage: 20,
            margin_table: 20,
            margin_mode: MarginMode::Cross,
            fee_scale: Ratio::parse(scale.as_bytes())?,
            growth,
            delisted: false,
            oi_cap: None,
            oi_cap_sz: None,
            at_oi_cap: false,
        };
        let fees = UserFees {
            cross_rate: Rate::parse(cross.as_bytes())?,
            referral_discount: Rate::parse(referral.as_bytes())?,
        };
        taker_fee(&spec, &fees).map(|rate| rate.to_string())
    }

    #[test]
    fn it_follows_the_venues_formula() {
        for (scale, growth, cross, referral, expected) in [
            ("1.0", true, "0.00045", "0", "0.00009"),
            ("1.0", false, "0.00045", "0", "0.0009"),
            ("1.0", true, "0.00045", "0.04", "0.0000864"), // The worked example of PROTOCOL.md §5.4.
            ("0.5", true, "0.00045", "0", "0.0000675"),
            ("0", false, "0.00045", "0", "0.00045"),
            ("3", false, "0.00024", "0", "0.00144"),
        ] {
            let got = fee(scale, growth, cross, referral);
            assert_eq!(got.as_deref(), Some(expected), "{scale} {growth} {cross} {referral}");
        }
    }

    #[test]
    fn a_discount_above_one_is_no_fee_at_all() {
        assert_eq!(fee("1.0", true, "0.00045", "1.5"), None);
    }
}
