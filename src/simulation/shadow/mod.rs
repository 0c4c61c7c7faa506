//! A second opinion, written apart from the engine: what it has heard, what it has sent, and what
//! both allow it to do. It shares no decoding, no gate and no order table with the engine, reads
//! decimals and JSON by other means, and asks the venue what is true.

pub(super) mod books;
pub(super) mod market;

use serde_json::Value;

/// Units of 1e-8 of a decimal in a frame, as a text or as a number.
fn decimal(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => units(text),
        Value::Number(number) => units(&number.to_string()),
        _ => None,
    }
}

/// Units of 1e-8 of a decimal that is written plainly; `None` when it is not.
pub(super) fn units(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let excess = fraction.get(8..).unwrap_or("");
    if whole.is_empty() || whole.len() > 20 || !digits(whole) || !digits(fraction) {
        return None;
    }
    if excess.bytes().any(|b| b != b'0') {
        return None;
    }
    let mut value: i128 = 0;
    for digit in whole.bytes() {
        value = value * 10 + i128::from(digit - b'0');
    }
    for place in 0..8 {
        let digit = fraction.as_bytes().get(place).map_or(0, |b| b - b'0');
        value = value * 10 + i128::from(digit);
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::units;

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        assert_eq!(units("1.5"), Some(150_000_000));
        assert_eq!(units("-0.00000001"), Some(-1));
        assert_eq!(units("12"), Some(1_200_000_000));
        assert_eq!(units("0.1000000000"), Some(10_000_000));
        for text in ["", ".5", "1e3", "0.123456789", "+1", "1.-2", "--1"] {
            assert_eq!(units(text), None, "{text}");
        }
    }
}
