//! Numbers and hex written as text, without the formatting machinery and without allocating.

/// The longest decimal of a 64-bit number: 19 digits and a point.
const LONGEST: usize = 20;

/// Decimal places of prices and sizes.
const PLACES: u32 = crate::types::num::PLACES;

/// A number's text, held inline.
#[derive(Clone, Copy)]
pub(super) struct Text {
    bytes: [u8; LONGEST],
    from: usize,
}

impl Text {
    /// What was written.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.from..).unwrap_or_default()
    }

    fn empty() -> Self {
        Self { bytes: [b'0'; LONGEST], from: LONGEST }
    }

    /// Puts a byte before the others. There are never more than there is room for.
    fn put(&mut self, byte: u8) {
        if let Some(at) = self.from.checked_sub(1)
            && let Some(place) = self.bytes.get_mut(at)
        {
            *place = byte;
            self.from = at;
        } else {
            debug_assert!(false, "longer than the longest number");
        }
    }

    /// A whole number.
    pub(super) fn integer(mut number: u64) -> Self {
        let mut text = Self::empty();
        loop {
            text.put(b'0' + (number % 10) as u8);
            number /= 10;
            if number == 0 {
                return text;
            }
        }
    }

    /// `units` of 1e-8 in the venue's canonical text (PROTOCOL.md §6): no trailing zeros, no bare
    /// point, no exponent, a leading zero before the point.
    pub(super) fn decimal(mut units: u64) -> Self {
        let mut text = Self::empty();
        let mut places = PLACES;
        while places > 0 && units.is_multiple_of(10) {
            units /= 10;
            places -= 1;
        }
        if places > 0 {
            for _ in 0..places {
                text.put(b'0' + (units % 10) as u8);
                units /= 10;
            }
            text.put(b'.');
        }
        loop {
            text.put(b'0' + (units % 10) as u8);
            units /= 10;
            if units == 0 {
                return text;
            }
        }
    }
}

/// Appends `0x` and the bytes as lower-case hex, none left out.
pub(super) fn hex<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"0x");
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::num::{MAX_UNITS, Px};

    fn decimal(units: i64) -> String {
        let text = Text::decimal(units.unsigned_abs());
        String::from_utf8(text.as_bytes().to_vec()).expect("digits")
    }

    #[test]
    fn decimals_are_canonical() {
        for (text, canonical) in [
            ("31250.0", "31250"),
            ("100000.0", "100000"),
            ("0.3", "0.3"),
            ("0.0000001", "0.0000001"),
            ("0.00000001", "0.00000001"),
            ("123456789.12345678", "123456789.12345678"),
            ("9999999999.99999999", "9999999999.99999999"),
            ("0", "0"),
            ("10", "10"),
            ("0.50", "0.5"),
        ] {
            let px = Px::parse(text.as_bytes()).expect("a price");
            assert_eq!(decimal(px.units()), canonical, "{text}");
        }
        assert_eq!(decimal(i64::MAX), "92233720368.54775807");
    }

    #[test]
    fn integers_and_hex_are_plain() {
        for number in [0, 9, 10, 110_026, u64::MAX] {
            assert_eq!(Text::integer(number).as_bytes(), number.to_string().as_bytes());
        }
        let mut out = b"x".to_vec();
        hex(&mut out, &[0, 0x0a, 0xff]);
        assert_eq!(out, b"x0x000aff");
    }

    proptest! {
        #[test]
        fn a_decimal_reads_back_and_is_written_as_the_number_shows_itself(units in 0..=MAX_UNITS) {
            let text = decimal(units);
            prop_assert_eq!(Px::parse(text.as_bytes()), Some(Px::from_units(units)));
            prop_assert_eq!(&text, &Px::from_units(units).to_string());
            prop_assert!(!text.contains('.') || !text.ends_with(['0', '.']), "{}", text);
            prop_assert!(text.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "{}", text);
        }
    }
}
