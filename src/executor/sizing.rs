//! The size of an entry: what its signal suggests, clipped to the room that every limit leaves, or
//! lifted to the venue's least order.

use crate::executor::checks::EntryView;
use crate::executor::rules;
use crate::types::num::{Px, Sz, Usd};
use crate::types::record::SizeLimit;

/// What a limit leaves for one more order, at the price that limits count it at. Room that is not known
/// clips nothing: the checks reject what must be known, and the venue refuses what margin does not cover.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Room {
    /// The limit.
    pub limit: SizeLimit,
    /// What is left under it; below zero when more is held than it allows.
    pub left: Option<Usd>,
}

/// The limits in the order in which the first that is too tight is named: that of the checks, then margin.
pub fn rooms(view: &EntryView) -> [Room; 3] {
    let left = |limit: Usd, held: Option<Usd>| held.map(|held| limit.saturating_sub(held));
    [
        Room { limit: view.market_limited_by, left: left(view.market_limit, view.market) },
        Room { limit: SizeLimit::Total, left: left(view.total_limit, view.total) },
        Room { limit: SizeLimit::Margin, left: view.margin },
    ]
}

/// Sizes of one market between which an entry's has to lie, in whole lots.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// The venue's least order.
    pub least: Sz,
    /// The largest that the config lets one order be.
    pub most: Sz,
    /// The price that limits count the order at.
    pub worst: Px,
    /// One lot.
    pub lot: Sz,
}

/// A size, and what became of the suggested one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fit {
    /// Whole lots, `least` to `most`.
    pub sz: Sz,
    /// What made it another size than the suggested one.
    pub limited_by: Option<SizeLimit>,
    /// Whether every room has space for it. Where one has not, `sz` is the least order and
    /// `limited_by` is that room's limit.
    pub has_room: bool,
}

/// Fits the suggested size `wanted` into `rooms`; `None` when the least order is larger than the config
/// lets an order be.
///
/// Clipping comes before lifting, and nothing is lifted beyond a room.
pub fn fit(wanted: Sz, bounds: &Bounds, rooms: &[Room]) -> Option<Fit> {
    let Bounds { least, most, worst, lot } = *bounds;
    if !least.is_positive() || most < least {
        return None;
    }
    let sized = |room: &Room| Some((rules::most_sz(room.left?, worst, lot), room.limit));
    let mut room = Sz::from_units(i64::MAX);
    let mut tightest = None;
    for (left, limit) in rooms.iter().filter_map(sized) {
        if left < least {
            return Some(Fit { sz: least, limited_by: Some(limit), has_room: false });
        }
        if left < room {
            (room, tightest) = (left, Some(limit));
        }
    }
    let full = wanted.min(most);
    Some(match full {
        full if full < least => {
            Fit { sz: least, limited_by: Some(SizeLimit::Minimum), has_room: true }
        }
        full if room < full => Fit { sz: room, limited_by: tightest, has_room: true },
        full => Fit { sz: full, limited_by: None, has_room: true },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(text: &str) -> Usd {
        Usd::parse_signed(text.as_bytes()).expect("an amount")
    }

    fn sz(text: &str) -> Sz {
        Sz::parse(text.as_bytes()).expect("a size")
    }

    const LIMITS: [SizeLimit; 3] = [SizeLimit::Market, SizeLimit::Total, SizeLimit::Margin];

    fn rooms_of(left: [Option<&str>; 3]) -> [Room; 3] {
        let mut at = 0;
        LIMITS.map(|limit| {
            at += 1;
            Room { limit, left: left[at - 1].map(usd) }
        })
    }

    /// Fits `wanted` at 100 USD, lots of 0.01, at most 0.5 an order.
    fn fitted(wanted: &str, left: [Option<&str>; 3]) -> (String, Option<SizeLimit>, bool) {
        let px = Px::parse(b"100").expect("a price");
        let bounds = Bounds { least: sz("0.1"), most: sz("0.5"), worst: px, lot: sz("0.01") };
        let fit = fit(sz(wanted), &bounds, &rooms_of(left)).expect("an order can be made");
        (fit.sz.to_string(), fit.limited_by, fit.has_room)
    }

    #[test]
    fn a_size_is_clipped_lifted_or_has_no_room() {
        use SizeLimit::{Margin, Market, Minimum, Total};
        let wide = [Some("50"), Some("100"), None];
        for (wanted, left, size, limited_by, has_room) in [
            ("0.5", wide, "0.5", None, true),
            ("0.1", wide, "0.1", None, true),
            // Clipped, rounded down to the lot; of equal ones the first is named.
            ("0.5", [Some("49.999999"), Some("100"), None], "0.49", Some(Market), true),
            ("0.5", [Some("50"), Some("18.6"), None], "0.18", Some(Total), true),
            ("0.5", [Some("20"), Some("20"), Some("20")], "0.2", Some(Market), true),
            ("0.5", [Some("50"), Some("50"), Some("10")], "0.1", Some(Margin), true),
            // A room that clips less than the config does is none.
            ("0.9", [Some("50"), Some("100"), None], "0.5", None, true),
            // Lifted, where every room has space for the least order.
            ("0.09", wide, "0.1", Some(Minimum), true),
            ("0", wide, "0.1", Some(Minimum), true),
            ("0.05", [Some("10"), Some("10"), Some("10")], "0.1", Some(Minimum), true),
            // One unit less than the least order: the first such limit is named.
            ("0.5", [Some("9.999999"), Some("5"), None], "0.1", Some(Market), false),
            ("0.5", [Some("10"), Some("9.999999"), Some("0")], "0.1", Some(Total), false),
            ("0.05", [Some("50"), Some("100"), Some("9.999999")], "0.1", Some(Margin), false),
            ("0.5", [Some("-3"), Some("100"), None], "0.1", Some(Market), false),
            // What is not known clips nothing.
            ("0.5", [None, None, None], "0.5", None, true),
        ] {
            let expected = (size.to_owned(), limited_by, has_room);
            assert_eq!(fitted(wanted, left), expected, "{wanted} into {left:?}");
        }
    }

    #[test]
    fn where_the_config_allows_no_least_order_none_is_made() {
        let px = Px::parse(b"100").expect("a price");
        let mut bounds = Bounds { least: sz("0.1"), most: sz("0.1"), worst: px, lot: sz("0.01") };
        let wide = rooms_of([Some("50"), Some("100"), None]);
        assert!(fit(sz("0.1"), &bounds, &wide).is_some());
        bounds.most = sz("0.09");
        assert_eq!(fit(sz("0.1"), &bounds, &wide), None);
    }

    fn any_room() -> impl Strategy<Value = Option<Usd>> {
        prop_oneof![
            4 => (-5_000_000..200_000_000_i64).prop_map(|units| Some(Usd::from_units(units))),
            1 => Just(None),
        ]
    }

    /// Bounds as the trader makes them.
    fn bounds_of(px: Px, decimals: u8, most: Usd) -> Option<Bounds> {
        let lot = Sz::lot(decimals)?;
        let least = rules::least_sz(px, decimals)?;
        Some(Bounds { least, most: rules::most_sz(most, px, lot), worst: px, lot })
    }

    proptest! {
        /// Never above a limit, never below the venue's least order, whole lots; more room never
        /// makes a smaller size.
        #[test]
        fn a_fit_keeps_every_limit(
            px in 1_000..10_000_000_000_000_i64,
            decimals in 0..=6_u8,
            wanted in 0..1_000_000_000_000_i64,
            most in 0..500_000_000_i64,
            left in proptest::array::uniform3(any_room()),
            more in 0..50_000_000_i64,
        ) {
            let px = Px::from_units(px);
            let Some(bounds) = bounds_of(px, decimals, Usd::from_units(most)) else { return Ok(()) };
            let wanted = Sz::from_units(wanted).floor_to(bounds.lot);
            let rooms = |more: i64| {
                let mut at = 0;
                LIMITS.map(|limit| {
                    at += 1;
                    let left = left[at - 1].map(|left| Usd::from_units(left.units() + more));
                    Room { limit, left }
                })
            };
            let Some(fit) = fit(wanted, &bounds, &rooms(0)) else {
                prop_assert!(bounds.most < bounds.least);
                return Ok(());
            };
            prop_assert_eq!(fit.sz.floor_to(bounds.lot), fit.sz);
            prop_assert!(bounds.least <= fit.sz && fit.sz <= bounds.most);
            let value = Usd::notional(px, fit.sz).expect("it fits");
            prop_assert!(value >= crate::types::order::MIN_ORDER);
            let within = rooms(0).iter().all(|room| room.left.is_none_or(|left| value <= left));
            prop_assert_eq!(fit.has_room, within, "{:?}", fit);
            prop_assert!(fit.sz <= wanted.max(bounds.least), "lifted no further than the least order");
            let wider = super::fit(wanted, &bounds, &rooms(more)).expect("the same bounds");
            prop_assert!(wider.sz >= fit.sz, "{:?} and {:?}", fit, wider);
            prop_assert!(!fit.has_room || wider.has_room);
        }
    }
}
