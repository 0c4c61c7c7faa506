//! Frames in their usual shape, read in one pass over the bytes: this key order, no white space,
//! no escapes, values as strings (PROTOCOL.md §2.5).
//!
//! `None` means only "not the usual shape": whoever calls asks [`super::json`] then. What is
//! answered here is what the slow way answers; every byte is checked, those of unused values too.

use crate::types::market::{Bbo, Ctx, Level};
use crate::types::num::{Px, Sz};
use crate::types::time::VenueMs;

/// A coin's name and its best bid and offer.
#[inline]
pub fn bbo(frame: &[u8]) -> Option<(&[u8], Bbo)> {
    let mut at = Cursor(frame);
    at.literal(br#"{"channel":"bbo","data":{"coin":""#)?;
    let coin = at.name()?;
    at.literal(br#"","time":"#)?;
    let time = VenueMs(at.integer()?);
    at.literal(br#","bbo":["#)?;
    let bid = at.side()?;
    at.literal(b",")?;
    let ask = at.side()?;
    at.end(b"]}}")?;
    Some((coin, Bbo { bid, ask, time }))
}

/// A coin's name and its context.
#[inline]
pub fn ctx(frame: &[u8]) -> Option<(&[u8], Ctx)> {
    let mut at = Cursor(frame);
    at.literal(br#"{"channel":"activeAssetCtx","data":{"coin":""#)?;
    let coin = at.name()?;
    at.literal(br#"","ctx":{"funding":""#)?;
    at.signed()?;
    at.literal(br#"","openInterest":""#)?;
    let open_interest = Sz::parse_truncating(at.text()?)?;
    at.literal(br#"","prevDayPx":""#)?;
    at.signed()?;
    at.literal(br#"","dayNtlVlm":""#)?;
    at.signed()?;
    at.literal(br#"","premium":"#)?;
    let premium = at.nullable(Cursor::signed)?;
    at.literal(br#","oraclePx":""#)?;
    let oracle = at.px()?;
    at.literal(br#"","markPx":""#)?;
    let mark = at.px()?;
    at.literal(br#"","midPx":"#)?;
    let mid = at.nullable(Cursor::px)?;
    at.literal(br#","impactPxs":"#)?;
    let impact = at.impact()?;
    at.literal(br#","dayBaseVlm":""#)?;
    at.signed()?;
    at.end(br#""}}}"#)?;
    let quoted = mid.is_some() || premium.is_some() || impact.is_some();
    let ctx = Ctx {
        oracle: Some(oracle),
        mark: Some(mark),
        mid,
        open_interest: Some(open_interest),
        settled: !quoted && open_interest == Sz::ZERO,
    };
    Some((coin, ctx))
}

/// The channel's name, when the frame opens with it and it holds no escapes.
pub fn channel(frame: &[u8]) -> Option<&[u8]> {
    let mut at = Cursor(frame);
    at.literal(br#"{"channel":""#)?;
    let name = at.name()?;
    at.literal(b"\"")?;
    Some(name)
}

/// What is left of a frame.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// Steps over exactly these bytes.
    #[inline(always)]
    fn literal<const N: usize>(&mut self, bytes: &[u8; N]) -> Option<()> {
        self.0 = self.0.strip_prefix(bytes)?;
        Some(())
    }

    /// These bytes and nothing after them.
    #[inline(always)]
    fn end<const N: usize>(&self, bytes: &[u8; N]) -> Option<()> {
        (self.0 == bytes).then_some(())
    }

    /// Everything before the next quote, which stays. Whoever reads it refuses what must not
    /// stand in a string unescaped.
    #[inline(always)]
    fn text(&mut self) -> Option<&'a [u8]> {
        let len = self.0.iter().position(|b| *b == b'"')?;
        let (text, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(text)
    }

    /// A name of printable ASCII without escapes, so its bytes are its characters.
    #[inline(always)]
    fn name(&mut self) -> Option<&'a [u8]> {
        let len =
            self.0.iter().position(|b| !matches!(b, b'!'..=b'~') || *b == b'"' || *b == b'\\')?;
        let (name, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(name)
    }

    /// A JSON integer of at most 18 digits, without a sign.
    #[inline(always)]
    fn integer(&mut self) -> Option<i64> {
        let mut value: i64 = 0;
        let mut len = 0;
        while let Some(digit) = self.0.get(len).map(|b| b.wrapping_sub(b'0')).filter(|d| *d <= 9) {
            if len == 18 {
                return None;
            }
            value = value * 10 + i64::from(digit);
            len += 1;
        }
        let zero_led = len > 1 && self.0[0] == b'0'; // No JSON.
        if len == 0 || zero_led {
            return None;
        }
        self.0 = &self.0[len..];
        Some(value)
    }

    /// A price.
    #[inline(always)]
    fn px(&mut self) -> Option<Px> {
        Px::parse(self.text()?)
    }

    /// A plain decimal with or without a minus, as the venue writes rates and volumes.
    #[inline(always)]
    fn signed(&mut self) -> Option<()> {
        let text = self.text()?;
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        let mut points = 0;
        for byte in digits {
            match byte {
                b'0'..=b'9' => {}
                b'.' => points += 1,
                _ => return None,
            }
        }
        let framed = digits.first()?.is_ascii_digit() && digits.last()?.is_ascii_digit();
        (framed && points <= 1).then_some(())
    }

    /// `null`, or a string that `read` reads.
    #[inline(always)]
    fn nullable<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.literal(b"null").is_some() {
            return Some(None);
        }
        self.literal(b"\"")?;
        let value = read(self)?;
        self.literal(b"\"")?;
        Some(Some(value))
    }

    /// `null`, or two plain decimals.
    #[inline(always)]
    fn impact(&mut self) -> Option<Option<()>> {
        if self.literal(b"null").is_some() {
            return Some(None);
        }
        self.literal(b"[\"")?;
        self.signed()?;
        self.literal(br#"",""#)?;
        self.signed()?;
        self.literal(b"\"]")?;
        Some(Some(()))
    }

    /// `null`, or `{"px":"…","sz":"…","n":…}`.
    #[inline(always)]
    fn side(&mut self) -> Option<Option<Level>> {
        if self.literal(br#"{"px":""#).is_none() {
            self.literal(b"null")?;
            return Some(None);
        }
        let px = self.px()?;
        self.literal(br#"","sz":""#)?;
        let sz = Sz::parse(self.text()?)?;
        self.literal(br#"","n":"#)?;
        self.integer()?;
        self.literal(b"}")?;
        Some(Some(Level { px, sz }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: &str = r#"{"channel":"activeAssetCtx","data":{"coin":"abc:OIL","ctx":{"funding":"FUNDING","openInterest":"2.5","prevDayPx":"61.5","dayNtlVlm":"12.25","premium":"PREMIUM","oraclePx":"61.2","markPx":"61.5","midPx":"61.4","impactPxs":["61.3","IMPACT"],"dayBaseVlm":"VOLUME"}}}"#;

    fn with(place: &str, text: &str) -> String {
        ["FUNDING", "PREMIUM", "IMPACT", "VOLUME"]
            .iter()
            .fold(USUAL.into(), |frame: String, name| {
                frame.replace(name, if *name == place { text } else { "0.5" })
            })
    }

    #[test]
    fn unused_values_are_plain_decimals_or_the_shape_is_unusual() {
        for place in ["FUNDING", "PREMIUM", "IMPACT", "VOLUME"] {
            for text in ["0", "-0.5", "00.10", "123456789012345678901234567890.5", "-12"] {
                let frame = with(place, text);
                assert!(ctx(frame.as_bytes()).is_some(), "{frame}");
            }
            for text in [
                "", "-", ".", "1.", ".5", "-.5", "1.2.3", "1e5", "+1", "--1", " 1", "1 ", "NaN",
                "1\\", "\u{7f}", "é",
            ] {
                let frame = with(place, text);
                assert!(ctx(frame.as_bytes()).is_none(), "{frame}");
            }
        }
    }

    #[test]
    fn a_channel_is_named_by_the_frames_opening_alone() {
        assert_eq!(channel(br#"{"channel":"trades","#), Some(&b"trades"[..]));
        for frame in [
            r#"{"channel":"trades"#,
            r#"{"channel":"tr\u0061des"}"#,
            r#"{"channel": "trades"}"#,
            r#"{"data":1,"channel":"trades"}"#,
            r#"{"channel":"trà"}"#,
            "",
        ] {
            assert_eq!(channel(frame.as_bytes()), None, "{frame}");
        }
    }
}
