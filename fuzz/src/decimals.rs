//! Decimals, and prices as the venue takes them: against arithmetic in whole digits.

use std::fmt::Display;

use hip3::executor::rules;
use hip3::types::num::{Bps, MAX_UNITS, Px, Rate, Ratio, Side, Sz, Szi, Usd};

/// `input` is a number's text, then behind line breaks two more.
pub fn run(input: &[u8]) {
    let mut texts = input.split(|byte| *byte == b'\n');
    let mut next = || texts.next().unwrap_or_default();
    let (first, second, third) = (next(), next(), next());
    for text in [first, second, third] {
        reads(text);
    }
    if let (Some(px), Some(other)) = (Px::parse(first), Px::parse(second)) {
        let bps = Bps::parse(third).unwrap_or_default();
        prices(px, other, bps);
        sizes(px, Sz::from_units(other.units()));
        for sz_decimals in 0..=6 {
            rounded(px, sz_decimals, bps);
        }
    }
}

/// Every reader of one text.
fn reads(text: &[u8]) {
    let exact = |places| digits(text, places, false, false);
    agree(text, Px::parse(text), Px::units, exact(8), Px::parse);
    agree(text, Sz::parse(text), Sz::units, exact(8), Sz::parse);
    agree(text, Usd::parse(text), Usd::units, exact(6), Usd::parse);
    agree(text, Ratio::parse(text), Ratio::units, exact(9), Ratio::parse);
    agree(text, Rate::parse(text), Rate::units, exact(12), Rate::parse);
    let signed = digits(text, 8, true, false);
    agree(text, Szi::parse_signed(text), Szi::units, signed, Szi::parse_signed);
    let signed = digits(text, 6, true, false);
    agree(text, Usd::parse_signed(text), Usd::units, signed, Usd::parse_signed);
    let cut = digits(text, 6, true, true);
    agree(text, Usd::parse_signed_truncating(text), Usd::units, cut, Usd::parse_signed);
    let cut = digits(text, 8, false, true);
    agree(text, Sz::parse_truncating(text), Sz::units, cut, Sz::parse);
    // In units of 1e-12 first, then in the next binary fraction below.
    let bps = exact(12).map(|units| ((i128::from(units) << 32) / 1_000_000_000_000) as i64);
    assert_eq!(Bps::parse(text).map(Bps::to_bits), bps, "{}", text.escape_ascii());
}

/// Asserts that a text was read as `expected`, and that what it prints as reads to the same.
fn agree<T: Copy + PartialEq + std::fmt::Debug + Display>(
    text: &[u8],
    read: Option<T>,
    units: fn(T) -> i64,
    expected: Option<i64>,
    again: fn(&[u8]) -> Option<T>,
) {
    assert_eq!(read.map(units), expected, "{}", text.escape_ascii());
    if let Some(read) = read {
        let printed = read.to_string();
        assert_eq!(again(printed.as_bytes()), Some(read), "printed as {printed}");
    }
}

/// Units of 10^-`places` of a plain decimal, digit by digit: no machine number is asked before it
/// is known to fit.
fn digits(text: &[u8], places: usize, signed: bool, cut: bool) -> Option<i64> {
    let text = str::from_utf8(text).ok()?;
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) if signed => (-1, rest),
        _ => (1, text),
    };
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return None;
    }
    let (kept, dropped) = fraction.split_at(fraction.len().min(places));
    if !cut && dropped.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let all = format!("{whole}{kept:0<places$}");
    match all.trim_start_matches('0') {
        "" => Some(0),
        long if long.len() > 18 => None, // 18 nines are the largest.
        short => short.parse::<i64>().ok().map(|units| sign * units),
    }
}

/// The edge is the largest that is not above the true one, and a price clears by no other measure.
fn prices(px: Px, oracle: Px, cost: Bps) {
    const WHOLE: i128 = 10_000 << 32; // 100 % in the bits of `Bps`.
    let [units, whole] = [px, oracle].map(|px| i128::from(px.units()));
    for side in Side::BOTH {
        let gain = if side == Side::Buy { whole - units } else { units - whole };
        let (true_edge, one) = (gain * WHOLE, whole); // Both times the oracle.
        match px.edge(side, oracle) {
            Some(edge) => {
                let bits = i128::from(edge.to_bits());
                assert!((bits * one..(bits + 1) * one).contains(&true_edge), "{px} {oracle}");
                assert_eq!(px.clears(side, oracle, cost), edge >= cost, "{px} {oracle} {cost}");
            }
            None => {
                let held = i128::from(i64::MIN) * one..(i128::from(i64::MAX) + 1) * one;
                assert!(one == 0 || !held.contains(&true_edge), "{px} {oracle}");
            }
        }
    }
}

fn sizes(px: Px, sz: Sz) {
    let exact = i128::from(px.units()) * i128::from(sz.units()) / 10_000_000_000;
    let notional = Usd::notional(px, sz).map(|usd| i128::from(usd.units()));
    assert_eq!(notional, i64::try_from(exact).ok().map(i128::from), "{px} × {sz}");
    for decimals in 0..=8 {
        let lot = Sz::lot(decimals).expect("up to eight decimals");
        let (down, up) = (sz.floor_to(lot), sz.ceil_to(lot).expect("far from the end"));
        assert!(down <= sz && sz <= up, "{down} {sz} {up}");
        assert_eq!((down.units() % lot.units(), up.units() % lot.units()), (0, 0));
        assert!(up.units() - down.units() <= lot.units(), "{down} {sz} {up}");
    }
    assert_eq!(Sz::lot(9), None);
}

/// Prices that are made for the venue are such as it takes, and not more aggressive.
fn rounded(px: Px, sz_decimals: u8, by: Bps) {
    let tick = rules::tick(px, sz_decimals).map_or(0, Px::units);
    for side in Side::BOTH {
        if let Ok(rounded) = rules::round_px(px, side, sz_decimals) {
            assert!(rules::is_valid_px(rounded, sz_decimals), "{px} made {rounded}");
            let moved = match side {
                Side::Buy => px.units() - rounded.units(),
                Side::Sell => rounded.units() - px.units(),
            };
            assert!((0..tick).contains(&moved), "{px} made {rounded}, a tick is {tick}");
            assert_eq!(rules::round_px(rounded, side, sz_decimals), Ok(rounded), "again");
        } else {
            let none = side == Side::Buy && px.units() < tick || px == Px::ZERO;
            let past = side == Side::Sell && px.units() > MAX_UNITS - tick;
            assert!(none || past, "{px} {side:?} {sz_decimals}");
        }
        if let Ok(reached) = rules::reach(px, side, by, sz_decimals) {
            assert!(rules::is_valid_px(reached, sz_decimals), "{px} by {by} made {reached}");
        }
    }
}
