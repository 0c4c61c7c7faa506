//! A JSON value that knows where it stands, so that every refusal can say so.

use std::fmt;

use serde_json::Value;

use crate::types::num::{MAX_UNITS, Rounding, parse_decimal, parse_signed};
use crate::types::time::VenueMs;

/// An answer is not what the venue's documents promise: where, what stood there, and what was
/// expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path} = {value}: expected {expected}")]
pub struct Malformed {
    /// Request and path in its answer: `meta[xyz].universe[3].szDecimals`.
    pub path: String,
    /// What stood there, cut and escaped; `missing` when nothing did.
    pub value: String,
    /// What was expected instead.
    pub expected: String,
}

/// Longest piece of an answer that is shown, in characters.
const SHOWN: usize = 120;

/// Text from the network, cut and with nothing that could drive a terminal.
pub(super) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SHOWN)]);
    let mut out = String::new();
    for c in text.chars().take(SHOWN) {
        if matches!(c, ' '..='~') { out.push(c) } else { out.extend(c.escape_default()) }
    }
    if bytes.len() > 4 * SHOWN || text.chars().nth(SHOWN).is_some() {
        out.push_str("...");
    }
    out
}

/// Reads the answer to `request`.
pub(super) fn parse(request: &str, body: &[u8]) -> Result<Value, Malformed> {
    serde_json::from_slice(body).map_err(|error| Malformed {
        path: request.to_owned(),
        value: shown(body),
        expected: format!("JSON ({error})"),
    })
}

/// A value and its path.
#[derive(Clone, Debug)]
pub(super) struct At<'v> {
    value: &'v Value,
    path: String,
}

impl<'v> At<'v> {
    /// The whole answer to `request`.
    pub(super) fn root(request: &str, value: &'v Value) -> Self {
        Self { value, path: request.to_owned() }
    }

    pub(super) fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// Refuses what stands here.
    pub(super) fn refuse(&self, expected: impl fmt::Display) -> Malformed {
        Malformed {
            path: self.path.clone(),
            value: shown(self.value.to_string().as_bytes()),
            expected: expected.to_string(),
        }
    }

    /// The member `key` of an object; `None` when it is missing or null, which the venue uses
    /// alike.
    pub(super) fn get(&self, key: &str) -> Result<Option<At<'v>>, Malformed> {
        let object = self.value.as_object().ok_or_else(|| self.refuse("an object"))?;
        let member = object.get(key).filter(|value| !value.is_null());
        Ok(member.map(|value| At { value, path: format!("{}.{key}", self.path) }))
    }

    /// The member `key`, which must be there.
    pub(super) fn need(&self, key: &str, expected: &str) -> Result<At<'v>, Malformed> {
        self.get(key)?.ok_or_else(|| self.missing(key, expected))
    }

    /// Refuses that there is no member `key`.
    pub(super) fn missing(&self, key: &str, expected: impl fmt::Display) -> Malformed {
        Malformed {
            path: format!("{}.{key}", self.path),
            value: "missing".to_owned(),
            expected: expected.to_string(),
        }
    }

    /// The items of a list.
    pub(super) fn list(&self) -> Result<impl Iterator<Item = At<'v>> + use<'v>, Malformed> {
        let list = self.value.as_array().ok_or_else(|| self.refuse("a list"))?;
        let path = self.path.clone();
        let item = move |(at, value)| At { value, path: format!("{path}[{at}]") };
        Ok(list.iter().enumerate().map(item))
    }

    /// Both items of a pair.
    pub(super) fn pair(&self) -> Result<(At<'v>, At<'v>), Malformed> {
        let mut items = self.list()?;
        match (items.next(), items.next(), items.next()) {
            (Some(first), Some(second), None) => Ok((first, second)),
            _ => Err(self.refuse("a pair")),
        }
    }

    pub(super) fn text(&self) -> Result<&'v str, Malformed> {
        self.value.as_str().ok_or_else(|| self.refuse("a text"))
    }

    pub(super) fn flag(&self) -> Result<bool, Malformed> {
        self.value.as_bool().ok_or_else(|| self.refuse("true or false"))
    }

    /// A whole number, written as a JSON number.
    pub(super) fn whole(&self, low: u32, high: u32) -> Result<u32, Malformed> {
        let number = self.value.as_u64().and_then(|number| u32::try_from(number).ok());
        number
            .filter(|number| (low..=high).contains(number))
            .ok_or_else(|| self.refuse(format_args!("a whole number in {low}..={high}")))
    }

    /// A whole number of any size: ids and counts.
    pub(super) fn count(&self) -> Result<u64, Malformed> {
        self.value.as_u64().ok_or_else(|| self.refuse("a whole number"))
    }

    /// Milliseconds since 1970.
    pub(super) fn time(&self) -> Result<VenueMs, Malformed> {
        let time = self.value.as_i64().filter(|time| *time >= 0);
        time.map(VenueMs).ok_or_else(|| self.refuse("milliseconds since 1970"))
    }

    /// A decimal that may be below zero, in units of 10^-`places`: a text, or a whole JSON number.
    /// Truncating drops digits toward zero.
    pub(super) fn signed(&self, places: u32, rounding: Rounding) -> Result<i64, Malformed> {
        let whole;
        let text = match self.value {
            Value::String(text) => text.as_bytes(),
            Value::Number(number) if number.is_i64() => {
                whole = number.to_string();
                whole.as_bytes()
            }
            _ => return Err(self.refuse("a decimal number in a text")),
        };
        parse_signed(text, places, rounding).ok_or_else(|| match rounding {
            Rounding::Refuse => self.refuse(format_args!("a number of at most {places} decimals")),
            Rounding::Truncate => self.refuse("a plain decimal number"),
        })
    }

    /// A decimal in units of 10^-`places`: a text, as the venue writes them (PROTOCOL.md §0), or a
    /// whole JSON number. A JSON number with a fraction has passed through floating point on its
    /// way here, and is refused.
    pub(super) fn decimal(&self, places: u32, round: Round) -> Result<Amount, Malformed> {
        let whole;
        let text = match self.value {
            Value::String(text) => text.as_bytes(),
            Value::Number(number) if number.is_u64() => {
                whole = number.to_string();
                whole.as_bytes()
            }
            _ => return Err(self.refuse("a decimal number in a text")),
        };
        if let Some(units) = parse_decimal(text, places, Rounding::Refuse) {
            return Ok(Amount::Units(units));
        }
        match parse_decimal(text, places, Rounding::Truncate) {
            Some(units) if round == Round::Down => Ok(Amount::Units(units)),
            Some(units) if units < MAX_UNITS => Ok(Amount::Units(units + 1)),
            _ if is_plain(text) => Ok(Amount::TooLarge),
            _ => Err(self.refuse("a plain decimal number")),
        }
    }

    /// As [`At::decimal`], and what is too large to hold is refused too.
    pub(super) fn units(&self, places: u32, round: Round) -> Result<i64, Malformed> {
        match self.decimal(places, round)? {
            Amount::Units(units) => Ok(units),
            Amount::TooLarge => Err(self.refuse("a smaller number")),
        }
    }
}

/// What becomes of decimals past the last place, which are binary noise of the venue's sums.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Round {
    Down,
    Up,
}

/// A number that was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Amount {
    Units(i64),
    /// Well-formed, and larger than anything held in these units.
    TooLarge,
}

/// `digits` or `digits.digits`.
fn is_plain(text: &[u8]) -> bool {
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    match text.iter().position(|b| *b == b'.') {
        Some(point) => digits(&text[..point]) && digits(&text[point + 1..]),
        None => digits(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(json: &str, places: u32, round: Round) -> Option<Amount> {
        let value = parse("x", json.as_bytes()).expect("JSON");
        At::root("x", &value).decimal(places, round).ok()
    }

    #[test]
    fn decimals_come_as_text_or_whole_numbers() {
        use Amount::{TooLarge, Units};
        use Round::{Down, Up};
        for (json, round, amount) in [
            ("\"0.5\"", Up, Some(Units(500))),
            ("\"0.5000000\"", Up, Some(Units(500))),
            ("\"0.5001\"", Down, Some(Units(500))),
            ("\"0.5001\"", Up, Some(Units(501))),
            ("7", Up, Some(Units(7_000))),
            ("\"1000000000000000000\"", Up, Some(TooLarge)),
            ("\"99999999999999999999999.5\"", Down, Some(TooLarge)),
            ("7.0", Up, None),
            ("-7", Up, None),
            ("\"-7\"", Up, None),
            ("\"1e3\"", Up, None),
            ("\"\"", Up, None),
            ("\".5\"", Up, None),
            ("null", Up, None),
            ("true", Up, None),
        ] {
            assert_eq!(decimal(json, 3, round), amount, "{json}");
        }
    }

    #[test]
    fn signed_decimals_are_exact_or_cut_toward_zero_as_asked() {
        use Rounding::{Refuse, Truncate};
        for (json, rounding, units) in [
            ("\"-0.5\"", Refuse, Some(-500)),
            ("\"0.001\"", Refuse, Some(1)),
            ("\"0.0010\"", Refuse, Some(1)),
            ("\"0.0011\"", Refuse, None),
            ("\"0.0019\"", Truncate, Some(1)),
            ("\"-0.0019\"", Truncate, Some(-1)),
            ("-7", Refuse, Some(-7_000)),
            ("7", Refuse, Some(7_000)),
            ("-7.5", Truncate, None),
            ("\"--7\"", Truncate, None),
            ("\"+7\"", Truncate, None),
            ("\"1e3\"", Truncate, None),
            ("\"1000000000000000000\"", Truncate, None),
            ("null", Truncate, None),
        ] {
            let value = parse("x", json.as_bytes()).expect("JSON");
            let read = At::root("x", &value).signed(3, rounding);
            assert_eq!(read.as_ref().ok(), units.as_ref(), "{json}");
            if let Err(error) = read {
                assert!(error.to_string().starts_with("x = "), "{error}");
            }
        }
    }

    #[test]
    fn what_is_shown_is_short_and_cannot_drive_a_terminal() {
        assert_eq!(shown(b"\x1b[2J\n"), "\\u{1b}[2J\\n");
        assert_eq!(shown(&[b'a'; 121]).len(), 123);
        assert_eq!(shown(&[b'a'; 120]).len(), 120);
        assert!(shown(&[0xff; 1_000_000]).len() < 10 * SHOWN);
    }
}
