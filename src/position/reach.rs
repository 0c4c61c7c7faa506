//! How far an exit reaches, and where it must stop.

use crate::position::trip::PER_USD_UNIT;
use crate::types::num::{Bps, Px, Side, Sz, Usd};

/// No exit is sent further than this from the oracle: past it a quote is a trap, or the market is
/// broken, and waiting costs less.
const COLLAR: Bps = Bps::from_int(500);

/// Least widening after an exit that missed, so that a configured slippage of zero widens too.
const LEAST_STEP: Bps = Bps::from_int(5);

/// Least value of an order at the venue, USD (PROTOCOL.md §6).
const LEAST_ORDER: Usd = Usd::from_units(10_000_000);

/// 100 % in the bits of [`Bps`].
const WHOLE: i128 = 10_000 << 32;

/// Where an exit is aimed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Aim {
    /// Its limit.
    pub(super) limit: Px,
    /// Whether the collar decided it.
    pub(super) clamped: bool,
}

/// How far past the touched price: the slippage, and as much more for each exit that missed.
pub(super) fn of(slippage: Bps, misses: u32) -> Bps {
    let step = i128::from(slippage.max(LEAST_STEP).to_bits());
    let bits = i128::from(slippage.to_bits()) + step * i128::from(misses);
    // Beyond the collar all reaches are the same.
    let most = i128::from(WHOLE as i64);
    Bps::from_bits(i64::try_from(bits.min(most)).unwrap_or(COLLAR.to_bits()))
}

/// The limit of an exit on `side`: `reach` past the touched price, no further from the oracle than
/// the collar; from the mark when there is no oracle, from the touched price itself when there is
/// neither. With nothing to take it lies at the collar, for whoever comes. `None` when there is no
/// price at all.
pub(super) fn aim(
    side: Side,
    touched: Option<Px>,
    oracle: Option<Px>,
    mark: Option<Px>,
    reach: Bps,
) -> Option<Aim> {
    let known = |px: &Px| px.is_positive();
    let (touched, oracle, mark) = (touched.filter(known), oracle.filter(known), mark.filter(known));
    let collar = past(side, oracle.or(mark).or(touched)?, COLLAR)?;
    let Some(wanted) = touched.and_then(|px| past(side, px, reach)) else {
        return Some(Aim { limit: collar, clamped: true });
    };
    // At the collar exactly nothing was cut off yet, but nothing is left to reach either.
    let inside = wanted != collar && wanted.at_or_better(side, collar);
    let limit = if inside { wanted } else { collar };
    Some(Aim { limit, clamped: !inside })
}

/// `px` made worse by `reach` for a taker on `side`; rounded so that it is never worse than that.
fn past(side: Side, px: Px, reach: Bps) -> Option<Px> {
    let (px, reach) = (i128::from(px.units()), i128::from(reach.to_bits()));
    let units = match side {
        Side::Buy => (px * (WHOLE + reach)).div_euclid(WHOLE),
        Side::Sell => (px * (WHOLE - reach) + WHOLE - 1).div_euclid(WHOLE),
    };
    i64::try_from(units).ok().map(Px::from_units).filter(|px| px.is_positive())
}

/// The least size that is worth the venue's least order at `px`, and a lot more. `times` as much
/// once it was called too small `times` times: the limit is rounded to a tick after this, which on a
/// coarse one may take a good part of the value.
pub(super) fn least(px: Px, lot: Sz, times: u8) -> Option<Sz> {
    let value = i128::from(LEAST_ORDER.units()) * PER_USD_UNIT * i128::from(times);
    let (px, lot) = (i128::from(px.units()), i128::from(lot.units().max(1)));
    if px <= 0 {
        return None;
    }
    let exact = (value + px - 1).div_euclid(px);
    let lots = (exact + lot - 1).div_euclid(lot) + 1;
    i64::try_from(lots * lot).ok().map(Sz::from_units)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn px(text: &str) -> Px {
        Px::parse(text.as_bytes()).expect("a price")
    }

    fn aimed(side: Side, touched: &str, oracle: &str, reach: i32) -> (String, bool) {
        let aim = aim(side, Some(px(touched)), Some(px(oracle)), None, Bps::from_int(reach));
        aim.map(|aim| (aim.limit.to_string(), aim.clamped)).expect("a price")
    }

    #[test]
    fn an_exit_reaches_past_the_touched_price() {
        assert_eq!(aimed(Side::Sell, "100", "100", 50), ("99.5".to_owned(), false));
        assert_eq!(aimed(Side::Buy, "100", "100", 50), ("100.5".to_owned(), false));
        assert_eq!(aimed(Side::Sell, "100", "100", 0), ("100".to_owned(), false));
    }

    #[test]
    fn the_collar_is_a_wall() {
        assert_eq!(aimed(Side::Sell, "100", "100", 499), ("95.01".to_owned(), false));
        assert_eq!(aimed(Side::Sell, "100", "100", 500), ("95".to_owned(), true));
        assert_eq!(aimed(Side::Sell, "100", "100", 501), ("95".to_owned(), true));
        assert_eq!(aimed(Side::Buy, "100", "100", 501), ("105".to_owned(), true));
        assert_eq!(aimed(Side::Sell, "90", "100", 10), ("95".to_owned(), true));
        assert_eq!(aimed(Side::Sell, "110", "100", 50), ("109.45".to_owned(), false));
    }

    #[test]
    fn whatever_price_is_known_is_used() {
        let reach = Bps::from_int(50);
        let limit = |touched, oracle, mark| {
            aim(Side::Sell, touched, oracle, mark, reach).map(|aim| aim.limit.to_string())
        };
        let (low, high) = (Some(px("100")), Some(px("200")));
        assert_eq!(limit(low, None, None).as_deref(), Some("99.5"));
        assert_eq!(limit(low, None, high).as_deref(), Some("190"), "the mark stands in");
        assert_eq!(limit(low, low, high).as_deref(), Some("99.5"), "the oracle comes first");
        assert_eq!(limit(None, low, high).as_deref(), Some("95"), "nothing to take");
        assert_eq!(limit(None, None, high).as_deref(), Some("190"));
        assert_eq!(limit(None, None, None), None);
        assert_eq!(limit(Some(Px::ZERO), Some(Px::ZERO), None), None);
    }

    #[test]
    fn each_miss_widens_by_the_slippage_and_never_by_nothing() {
        assert_eq!(of(Bps::from_int(50), 0), Bps::from_int(50));
        assert_eq!(of(Bps::from_int(50), 3), Bps::from_int(200));
        assert_eq!(of(Bps::ZERO, 0), Bps::ZERO);
        assert_eq!(of(Bps::ZERO, 2), Bps::from_int(10));
        assert_eq!(of(Bps::from_int(50), u32::MAX), Bps::from_int(10_000));
    }

    #[test]
    fn a_grown_size_is_worth_ten_dollars_and_a_lot() {
        let lot = Sz::parse(b"0.01").expect("a lot");
        let text = |px: Px| least(px, lot, 1).expect("fits").to_string();
        assert_eq!(text(px("100")), "0.11");
        assert_eq!(text(px("99.99")), "0.12", "rounded up to a lot first");
        let twice = least(px("100"), lot, 2).expect("fits");
        assert_eq!(twice.to_string(), "0.21");
        assert_eq!(least(Px::ZERO, lot, 1), None);
    }

    proptest! {
        #[test]
        fn no_limit_is_worse_than_the_collar_or_than_the_reach(
            touched in 1..1_000_000_000_000_i64,
            oracle in 1..1_000_000_000_000_i64,
            reach in 0..10_000_i32,
        ) {
            let (touched, oracle) = (Px::from_units(touched), Px::from_units(oracle));
            for side in Side::BOTH {
                let reach = Bps::from_int(reach);
                let Some(Aim { limit, clamped }) =
                    aim(side, Some(touched), Some(oracle), None, reach)
                else {
                    return Err(TestCaseError::reject("no price that small"));
                };
                let collar = past(side, oracle, COLLAR).expect("a price");
                prop_assert!(limit.at_or_better(side, collar));
                prop_assert!(clamped || past(side, touched, reach) == Some(limit));
                prop_assert_eq!(clamped, limit == collar);
            }
        }
    }
}
