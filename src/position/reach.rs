//! How far an exit reaches, and where it must stop.

use crate::position::trip::PER_USD_UNIT;
use crate::types::num::{Bps, Px, Side, Sz, Usd};

/// No exit is sent further than this from the reference price: past it a quote is a trap, or the
/// market is broken.
const COLLAR: Bps = Bps::from_int(500);

/// An oracle is borne out by a mark or a book that is no further away than this. Half of the collar,
/// so that whatever bears the oracle out leaves as much room again before the collar.
const BORNE_OUT: Bps = Bps::from_int(250);

/// Least widening after an exit that missed, so that a configured slippage of zero widens too.
const LEAST_STEP: Bps = Bps::from_int(5);

/// Least value of an order at the venue, USD (PROTOCOL.md §6).
const LEAST_ORDER: Usd = Usd::from_units(10_000_000);

/// 100 % in the bits of [`Bps`].
const WHOLE: i128 = 10_000 << 32;

/// What is known of a market's price, as an exit sees it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Prices {
    /// Best price on the side that is taken.
    pub(super) touched: Option<Px>,
    /// Best price on the other side.
    pub(super) opposite: Option<Px>,
    /// Oracle price.
    pub(super) oracle: Option<Px>,
    /// Mark price.
    pub(super) mark: Option<Px>,
    /// Whether oracle and mark are recent enough to be relied on.
    pub(super) fresh: bool,
}

impl Prices {
    /// The price that the collar is measured from.
    ///
    /// The oracle, while it is fresh and mark or book bear it out: it alone may be a bad print, or
    /// stand still while the market moves. Else the mark while it is fresh, else the middle of the
    /// book; an old mark, an old oracle and the quote itself only where nothing better is known.
    pub(super) fn reference(&self) -> Option<Px> {
        let known = |px: Option<Px>| px.filter(|px| px.is_positive());
        let (oracle, mark) = (known(self.oracle), known(self.mark));
        let (touched, mid) = (known(self.touched), self.mid());
        let witnesses = [mark, mid.or(touched)];
        let borne_out = |oracle: &Px| witnesses.iter().flatten().any(|px| is_near(*px, *oracle));
        let fresh = |px: Option<Px>| px.filter(|_| self.fresh);
        fresh(oracle).filter(borne_out).or(fresh(mark)).or(mid).or(mark).or(oracle).or(touched)
    }

    fn mid(&self) -> Option<Px> {
        let (one, other) = (self.touched?.units(), self.opposite?.units());
        let mid = Px::from_units(one.checked_add(other)? / 2);
        (one > 0 && other > 0).then_some(mid)
    }
}

/// Whether `px` is within [`BORNE_OUT`] of `oracle`.
fn is_near(px: Px, oracle: Px) -> bool {
    let (px, oracle) = (i128::from(px.units()), i128::from(oracle.units()));
    (px - oracle).abs() * WHOLE <= oracle * i128::from(BORNE_OUT.to_bits())
}

/// Where an exit is aimed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Aim {
    /// Its limit.
    pub(super) limit: Px,
    /// Whether the collar decided it.
    pub(super) clamped: bool,
    /// Whether it can take the quote, or there is none that it could not take.
    pub(super) meets: bool,
}

/// How far past the touched price: the slippage, and as much more for each exit that missed.
pub(super) fn of(slippage: Bps, misses: u32) -> Bps {
    let step = i128::from(slippage.max(LEAST_STEP).to_bits());
    let bits = i128::from(slippage.to_bits()) + step * i128::from(misses);
    // Beyond the collar all reaches are the same.
    let most = i128::from(WHOLE as i64);
    Bps::from_bits(i64::try_from(bits.min(most)).unwrap_or(COLLAR.to_bits()))
}

/// The limit of an exit on `side`: `reach` past the touched price, no further from `reference` than
/// the collar. With nothing to take it lies at the collar, for whoever comes. `None` when the
/// reference is no price.
pub(super) fn aim(side: Side, touched: Option<Px>, reference: Px, reach: Bps) -> Option<Aim> {
    let collar = at_collar(side, reference)?;
    let Some(touched) = touched.filter(|px| px.is_positive()) else {
        return Some(Aim { limit: collar, clamped: true, meets: true });
    };
    let wanted = past(side, touched, reach).unwrap_or(collar);
    // At the collar exactly nothing was cut off yet, but nothing is left to reach either.
    let inside = wanted != collar && wanted.at_or_better(side, collar);
    let limit = if inside { wanted } else { collar };
    Some(Aim { limit, clamped: !inside, meets: touched.at_or_better(side, limit) })
}

/// The worst limit of an exit on `side`, measured from `reference`; `None` when that is no price.
pub(super) fn at_collar(side: Side, reference: Px) -> Option<Px> {
    past(side, Some(reference).filter(|px| px.is_positive())?, COLLAR)
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

    fn aimed(side: Side, touched: &str, reference: &str, reach: i32) -> (String, bool) {
        let aim = aim(side, Some(px(touched)), px(reference), Bps::from_int(reach));
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
    fn a_quote_beyond_the_collar_is_out_of_reach_and_one_on_it_is_not() {
        let meets = |side, touched: &str| {
            let aim = aim(side, Some(px(touched)), px("100"), Bps::from_int(50));
            aim.expect("a price").meets
        };
        assert!(meets(Side::Sell, "95") && !meets(Side::Sell, "94.99999999"));
        assert!(meets(Side::Buy, "105") && !meets(Side::Buy, "105.00000001"));
        let nobody = aim(Side::Sell, None, px("100"), Bps::ZERO).expect("a price");
        assert!(nobody.meets && nobody.clamped, "for whoever comes");
        assert_eq!(nobody.limit, px("95"));
        assert_eq!(aim(Side::Sell, None, Px::ZERO, Bps::ZERO), None);
    }

    /// Bid, ask, oracle and mark, each if known.
    fn prices(bid: &str, ask: &str, oracle: &str, mark: &str, fresh: bool) -> Prices {
        let known = |text: &str| (!text.is_empty()).then(|| px(text));
        let [touched, opposite, oracle, mark] = [bid, ask, oracle, mark].map(known);
        Prices { touched, opposite, oracle, mark, fresh }
    }

    fn reference(bid: &str, ask: &str, oracle: &str, mark: &str) -> Option<String> {
        prices(bid, ask, oracle, mark, true).reference().map(|px| px.to_string())
    }

    #[test]
    fn the_reference_is_an_oracle_that_mark_or_book_bear_out() {
        let oracle = Some("100".to_owned());
        assert_eq!(reference("99.95", "100.05", "100", "100"), oracle);
        assert_eq!(reference("90", "90.1", "100", "97.5"), oracle, "the mark, at its limit");
        assert_eq!(reference("90", "90.1", "100", "97.49").as_deref(), Some("97.49"));
        assert_eq!(reference("97.4", "97.6", "100", "90"), oracle, "the book, at its limit");
        assert_eq!(reference("97.39", "97.6", "100", "90").as_deref(), Some("90"));
        assert_eq!(reference("97.5", "", "100", "90"), oracle, "one side of it will do");
        assert_eq!(reference("", "", "100", ""), oracle, "nobody speaks against it");
        assert_eq!(reference("", "", "100", "90").as_deref(), Some("90"));
        assert_eq!(reference("93.9", "94.1", "100", "").as_deref(), Some("94"), "the middle");
        assert_eq!(
            reference("94", "", "100", "").as_deref(),
            Some("100"),
            "one quote is no market"
        );
        assert_eq!(reference("94", "", "", "").as_deref(), Some("94"));
        assert_eq!(reference("", "", "", ""), None);
        assert_eq!(reference("", "", "0", "0"), None);
    }

    #[test]
    fn what_is_old_is_relied_on_only_where_nothing_else_is_known() {
        let old = |bid, ask, oracle, mark| {
            prices(bid, ask, oracle, mark, false).reference().map(|px| px.to_string())
        };
        assert_eq!(old("93.9", "94.1", "100", "100").as_deref(), Some("94"));
        assert_eq!(old("94", "", "100", "99").as_deref(), Some("99"));
        assert_eq!(old("", "", "100", "").as_deref(), Some("100"));
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
                let Some(Aim { limit, clamped, meets }) = aim(side, Some(touched), oracle, reach)
                else {
                    return Err(TestCaseError::reject("no price that small"));
                };
                let collar = past(side, oracle, COLLAR).expect("a price");
                prop_assert!(limit.at_or_better(side, collar));
                prop_assert!(clamped || past(side, touched, reach) == Some(limit));
                prop_assert_eq!(clamped, limit == collar);
                prop_assert!(meets || clamped, "only the collar keeps it from a quote");
            }
        }
    }
}
