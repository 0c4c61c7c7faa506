//! What the rules promise: the venue's own examples, and laws over all prices.

use proptest::prelude::*;

use super::*;

fn px(text: &str) -> Px {
    Px::parse(text.as_bytes()).expect("a price")
}

fn sz(text: &str) -> Sz {
    Sz::parse(text.as_bytes()).expect("a size")
}

const SZ_DECIMALS: std::ops::RangeInclusive<u8> = 0..=6;

/// Prices of every magnitude alike.
fn any_px() -> impl Strategy<Value = Px> {
    (0_u32..18).prop_flat_map(|zeros| {
        let from = 10_i64.pow(zeros);
        (from..=(from.saturating_mul(10)).min(MAX_UNITS)).prop_map(Px::from_units)
    })
}

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

#[test]
fn the_examples_of_the_protocol_come_out_as_it_says() {
    use RuleError as E;
    let table = [
        (4, "31249", "0.0004", false, Ok(())),
        (4, "31249.5", "0.001", false, Err(E::Tick)),
        // Only its text was not canonical.
        (4, "31250.0", "0.001", false, Ok(())),
        (2, "32.115", "0.35", false, Ok(())),
        (2, "32.1154", "0.35", false, Err(E::Tick)),
        (2, "32.115", "0.355", false, Err(E::InvalidSz)),
        (2, "32.115", "0.31", false, Err(E::BelowMinimum)),
        (4, "4136.1", "0.0031", false, Ok(())),
        (4, "4136.05", "0.0031", false, Err(E::Tick)),
        (5, "123456", "0.0001", false, Ok(())),
        (5, "12345.6", "0.001", false, Err(E::Tick)),
        (5, "0.5", "20", false, Ok(())),
        (0, "0.001234", "10000", false, Ok(())),
        (0, "0.0012345", "10000", false, Err(E::Tick)),
        (0, "0.012345", "1000", false, Ok(())),
        (1, "0.01234", "1000", false, Ok(())),
        (1, "0.012345", "1000", false, Err(E::Tick)),
        (3, "1234.56", "0.01", false, Err(E::Tick)),
        (2, "10", "1", false, Ok(())),
        (2, "9.99", "1", false, Err(E::BelowMinimum)),
        (5, "1000005", "0.00001", false, Ok(())),
        (6, "1234.5", "1", false, Err(E::Tick)),
        (2, "32.115", "0.05", true, Ok(())),
        (2, "32.115", "0.05", false, Err(E::BelowMinimum)),
    ];
    assert_eq!(table.len(), 24);
    for (at, (decimals, price, size, whole, verdict)) in table.into_iter().enumerate() {
        let row = at + 1;
        assert_eq!(check(px(price), sz(size), decimals, whole), verdict, "row {row}");
        assert_eq!(is_valid_px(px(price), decimals), verdict != Err(E::Tick), "row {row}");
    }
    assert_eq!(px("31250.0").to_string(), "31250");
}

#[test]
fn an_order_of_ten_dollars_passes_and_one_unit_less_does_not() {
    assert_eq!(MIN_ORDER.to_string(), "10");
    assert_eq!(check(px("10"), sz("1"), 6, false), Ok(()));
    assert_eq!(check(px("10"), sz("0.999999"), 6, false), Err(RuleError::BelowMinimum));
    assert_eq!(check(px("10"), sz("0.999999"), 6, true), Ok(()));
    assert_eq!(check(px("10"), sz("0.000001"), 6, true), Ok(()), "a whole position of one lot");
}

#[test]
fn what_is_no_price_or_no_size_is_refused() {
    use RuleError as E;
    let one = sz("1");
    for bad in [Px::ZERO, Px::from_units(-1), Px::from_units(MAX_UNITS + 1)] {
        assert_eq!(check(bad, one, 2, true), Err(E::InvalidPx), "{bad}");
        assert!(!is_valid_px(bad, 2), "{bad}");
    }
    assert_eq!(check(px("100"), Sz::ZERO, 2, true), Err(E::ZeroSize));
    assert_eq!(check(px("100"), Sz::from_units(-100_000_000), 2, true), Err(E::InvalidSz));
    assert_eq!(check(px("100"), Sz::from_units(MAX_UNITS + 1), 8, true), Err(E::InvalidSz));
    assert_eq!(check(px("100"), one, 9, true), Err(E::InvalidSz), "no such lots");
    assert_eq!(check(px("9999999999"), sz("9999999999"), 0, true), Err(E::ValueTooLarge));
}

#[test]
fn the_tick_changes_at_powers_of_ten_and_is_never_coarser_than_one() {
    for (decimals, price, expected) in [
        (0, "0.5", "0.00001"),
        (0, "0.09999", "0.000001"),
        (0, "0.1", "0.00001"),
        (2, "0.5", "0.0001"),
        (2, "9.9999", "0.0001"),
        (2, "10", "0.001"),
        (2, "99.999", "0.001"),
        (2, "100", "0.01"),
        (2, "9999.9", "0.1"),
        (2, "10000", "1"),
        (2, "99999", "1"),
        (2, "1234567", "1"),
        (6, "0.00000001", "1"),
        (6, "5", "1"),
        (9, "5", "1"),
    ] {
        assert_eq!(tick(px(price), decimals), Some(px(expected)), "{price} with {decimals}");
    }
    assert_eq!(tick(Px::ZERO, 2), None);
    assert_eq!(tick(Px::from_units(-1), 2), None);
}

#[test]
fn rounding_across_a_power_of_ten_stays_valid() {
    assert_eq!(round_px(px("99.9991"), Side::Sell, 2), Ok(px("100")));
    assert_eq!(round_px(px("99.9991"), Side::Buy, 2), Ok(px("99.999")));
    assert_eq!(round_px(px("100.009"), Side::Buy, 2), Ok(px("100")));
    assert_eq!(round_px(px("100.001"), Side::Sell, 2), Ok(px("100.01")));
    assert_eq!(round_px(px("0.0999999"), Side::Sell, 0), Ok(px("0.1")));
    assert_eq!(round_px(px("99999.5"), Side::Sell, 0), Ok(px("100000")));
}

#[test]
fn what_cannot_be_rounded_is_refused() {
    for side in Side::BOTH {
        assert_eq!(round_px(Px::ZERO, side, 2), Err(PxError::NotPositive));
        assert_eq!(round_px(Px::from_units(-1), side, 2), Err(PxError::NotPositive));
        assert_eq!(round_px(Px::from_units(i64::MAX), side, 2), Err(PxError::TooLarge));
        assert_eq!(round_px(px("0.0001"), side, 2), Ok(px("0.0001")), "exactly one tick");
    }
    let below = px("0.00009999");
    assert_eq!(round_px(below, Side::Buy, 2), Err(PxError::RoundsToZero));
    assert_eq!(round_px(below, Side::Sell, 2), Ok(px("0.0001")));
    let largest = Px::from_units(MAX_UNITS);
    assert_eq!(round_px(largest, Side::Sell, 2), Err(PxError::TooLarge));
    assert_eq!(round_px(largest, Side::Buy, 2), Ok(px("9999999999")));
}

#[test]
fn a_reach_moves_toward_the_aggressive_side_and_rounds_back() {
    let bps = Bps::from_int;
    for (side, price, by, expected) in [
        (Side::Buy, "100", 50, "100.5"),
        (Side::Sell, "100", 50, "99.5"),
        // 32.275575 and 31.954425, off the tick.
        (Side::Buy, "32.115", 50, "32.275"),
        (Side::Sell, "32.115", 50, "31.955"),
        (Side::Buy, "99.999", 1, "100"),
        (Side::Sell, "100", 1, "99.99"),
        (Side::Buy, "100", 0, "100"),
        (Side::Buy, "100", -50, "99.5"),
        (Side::Sell, "100", -50, "100.5"),
        (Side::Sell, "100", 9_999, "0.01"),
    ] {
        assert_eq!(reach(px(price), side, bps(by), 2), Ok(px(expected)), "{side:?} {price} {by}");
    }
    assert_eq!(reach(px("100"), Side::Sell, bps(10_000), 2), Err(PxError::NotPositive));
    assert_eq!(reach(px("100"), Side::Buy, bps(-10_000), 2), Err(PxError::NotPositive));
    assert_eq!(reach(Px::ZERO, Side::Buy, bps(1), 2), Err(PxError::NotPositive));
    assert_eq!(reach(Px::from_units(MAX_UNITS), Side::Buy, bps(1), 2), Err(PxError::TooLarge));
    for side in Side::BOTH {
        for by in [i64::MIN, i64::MAX] {
            let end = reach(Px::from_units(i64::MAX), side, Bps::from_bits(by), 2);
            assert!(matches!(end, Err(PxError::NotPositive | PxError::TooLarge)), "{side:?} {by}");
        }
    }
}

proptest! {
    #[test]
    fn a_rounded_price_is_valid_near_and_never_more_aggressive(
        px in any_px(), side in any_side(), decimals in SZ_DECIMALS,
    ) {
        let tick = tick(px, decimals).expect("above zero").units();
        match round_px(px, side, decimals) {
            Ok(rounded) => {
                prop_assert!(is_valid_px(rounded, decimals), "{} of {}", rounded, px);
                prop_assert!((rounded.units() - px.units()).abs() < tick);
                prop_assert!(rounded.at_or_better(side, px));
                prop_assert_eq!(rounded == px, is_valid_px(px, decimals));
                prop_assert_eq!(round_px(rounded, side, decimals), Ok(rounded));
            }
            Err(PxError::RoundsToZero) => {
                prop_assert!(side == Side::Buy && px.units() < tick);
            }
            Err(PxError::TooLarge) => {
                prop_assert!(side == Side::Sell && px.units() > MAX_UNITS - tick);
            }
            Err(PxError::NotPositive) => prop_assert!(false, "{} is above zero", px),
        }
    }

    /// The rule in the venue's words, read off the text.
    #[test]
    fn a_valid_price_is_an_integer_or_has_few_figures_and_decimals(
        px in any_px(), figures in 1_u32..10, decimals in SZ_DECIMALS,
    ) {
        // Most prices have too many figures: cut some off.
        let cut = 10_i64.pow((px.units().ilog10() + 1).saturating_sub(figures));
        let px = Px::from_units(px.units() / cut * cut);
        let text = px.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let figures = format!("{whole}{fraction}").trim_start_matches('0').len();
        let fits = figures <= 5 && fraction.len() <= usize::from(6 - decimals);
        prop_assert_eq!(is_valid_px(px, decimals), fraction.is_empty() || fits, "{}", text);
    }

    #[test]
    fn the_text_of_a_valid_price_is_canonical(
        px in any_px(), side in any_side(), decimals in SZ_DECIMALS,
    ) {
        let Ok(rounded) = round_px(px, side, decimals) else { return Ok(()) };
        let text = rounded.to_string();
        prop_assert_eq!(Px::parse(text.as_bytes()), Some(rounded));
        prop_assert!(!text.contains('.') || !text.ends_with(['0', '.']), "{}", text);
        prop_assert!(text.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "{}", text);
    }

    #[test]
    fn a_reach_is_never_more_aggressive_than_asked(
        px in any_px(), side in any_side(), by in 0..500_i64 << 32, decimals in SZ_DECIMALS,
    ) {
        const WHOLE: i128 = 10_000 << 32;
        let Ok(reached) = reach(px, side, Bps::from_bits(by), decimals) else { return Ok(()) };
        prop_assert!(is_valid_px(reached, decimals));
        let by = if side == Side::Buy { by } else { -by };
        let (reached, px) = (i128::from(reached.units()), i128::from(px.units()));
        let exact = px * (WHOLE + i128::from(by));
        let short = match side {
            Side::Buy => exact - reached * WHOLE,
            Side::Sell => reached * WHOLE - exact,
        };
        prop_assert!(short >= 0);
        let near = i64::try_from(exact / WHOLE).expect("it fits");
        let tick = tick(Px::from_units(near.max(1)), decimals).expect("above zero");
        prop_assert!(short < i128::from(tick.units()) * WHOLE);
    }

    #[test]
    fn an_order_of_rounded_numbers_passes_the_check_or_is_too_small(
        px in any_px(), side in any_side(), units in 1..MAX_UNITS, decimals in SZ_DECIMALS,
    ) {
        let Ok(px) = round_px(px, side, decimals) else { return Ok(()) };
        let sz = Sz::from_units(units).floor_to(Sz::lot(decimals).expect("a lot"));
        let expected = match Usd::notional(px, sz) {
            _ if sz == Sz::ZERO => Err(RuleError::ZeroSize),
            None => Err(RuleError::ValueTooLarge),
            Some(value) if value < MIN_ORDER => Err(RuleError::BelowMinimum),
            Some(_) => Ok(()),
        };
        prop_assert_eq!(check(px, sz, decimals, false), expected);
    }
}
