//! What becomes of a frame, and of an answer to `/info`.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::types::time::Nanos;
use crate::venue::dice::Dice;
use crate::venue::faults::{Chance, Fault, Faults, millis};

/// The kinds of frames that faults tell apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::venue) enum FrameKind {
    Ack,
    Bbo,
    Ctx,
    /// Any other frame with data.
    Data,
    /// Errors and pongs: only what concerns every frame.
    Control,
}

impl FrameKind {
    /// Whether it tells of a market's quotes or context.
    pub(in crate::venue) const fn is_market_data(self) -> bool {
        matches!(self, Self::Bbo | Self::Ctx)
    }
}

/// What becomes of one frame.
#[derive(Clone, Debug, Default)]
pub(in crate::venue) struct Fate {
    /// A binary frame goes ahead.
    pub(in crate::venue) binary: bool,
    /// The text to send, if any.
    pub(in crate::venue) text: Option<Arc<str>>,
    pub(in crate::venue) twice: bool,
    /// Only half of the text goes out, then the connection ends.
    pub(in crate::venue) torn: bool,
    /// The connection ends.
    pub(in crate::venue) drop: bool,
    /// This frame and those behind it wait.
    pub(in crate::venue) hold: Option<Nanos>,
    /// This frame alone waits.
    pub(in crate::venue) late: Option<Nanos>,
}

impl Faults {
    /// Decides over one frame.
    pub(in crate::venue) fn fate(
        &self,
        kind: FrameKind,
        text: &Arc<str>,
        huge: &Arc<str>,
        dice: &mut Chance,
    ) -> Fate {
        if dice.hit(Fault::Drop, self.drop) {
            return Fate { drop: true, ..Fate::default() };
        }
        if kind == FrameKind::Ack {
            if dice.hit(Fault::AckLost, self.ack_lost) {
                return Fate::default();
            }
            if dice.hit(Fault::AckLate, self.ack_late) {
                let late = Some(millis(self.ack_late_ms, 3_000));
                return Fate { text: Some(text.clone()), late, ..Fate::default() };
            }
        }
        let text = self.reshape(kind, text, huge, dice).unwrap_or_else(|| text.clone());
        Fate {
            binary: dice.hit(Fault::Binary, self.binary),
            text: Some(text),
            twice: dice.hit(Fault::Duplicate, self.duplicate),
            torn: dice.hit(Fault::Truncate, self.truncate),
            drop: false,
            hold: dice.hit(Fault::Delay, self.delay).then(|| millis(self.delay_ms, 1_500)),
            late: None,
        }
    }

    /// Changes what a frame says or how; `None` when it stays as it is.
    fn reshape(
        &self,
        kind: FrameKind,
        text: &str,
        huge: &Arc<str>,
        dice: &mut Chance,
    ) -> Option<Arc<str>> {
        if dice.hit(Fault::Huge, self.huge) {
            return Some(huge.clone());
        }
        if dice.hit(Fault::UnknownChannel, self.unknown_channel) {
            return Some(r#"{"channel":"gossip","data":{"coin":"BTC","px":"1.0"}}"#.into());
        }
        if dice.hit(Fault::Garble, self.garble) {
            return Some(garble(text, dice));
        }
        let nulls = kind == FrameKind::Ctx && dice.hit(Fault::CtxNulls, self.ctx_nulls);
        let bbo = kind == FrameKind::Bbo;
        let null_side = bbo && dice.hit(Fault::NullSide, self.null_side);
        let crossed = bbo && dice.hit(Fault::Crossed, self.crossed);
        let regression = bbo && dice.hit(Fault::TimeRegression, self.time_regression);
        let style = Style {
            shuffle: dice.hit(Fault::ShuffleKeys, self.shuffle_keys),
            unknown: dice.hit(Fault::UnknownKeys, self.unknown_keys),
            numbers: kind != FrameKind::Ack && dice.hit(Fault::Numbers, self.numbers),
        };
        if !(nulls || null_side || crossed || regression || style.changes()) {
            return None;
        }
        let mut frame: Value = serde_json::from_str(text).ok()?;
        let data = &mut frame["data"];
        if nulls {
            for key in ["midPx", "premium", "impactPxs"] {
                data["ctx"][key] = Value::Null;
            }
        }
        if crossed && let Some([bid, ask]) = data["bbo"].as_array_mut().map(Vec::as_mut_slice) {
            std::mem::swap(bid, ask);
        }
        if null_side {
            data["bbo"][dice.below(2) as usize] = Value::Null;
        }
        if regression && let Some(time) = data["time"].as_i64() {
            data["time"] = json!(time - 5_000);
        }
        let mut out = String::with_capacity(text.len() * 2);
        style.write(&frame, &mut out, dice);
        Some(out.into())
    }

    /// What becomes of an answer to `/info`: status, body and how long it takes.
    pub(in crate::venue) fn answer(
        &self,
        status: u16,
        body: String,
        dice: &mut Chance,
    ) -> (u16, String, Nanos) {
        let wait = if dice.hit(Fault::InfoSlow, self.info_slow) {
            millis(self.info_slow_ms, 5_000)
        } else {
            Nanos::ZERO
        };
        if dice.hit(Fault::Info429, self.info_429) {
            (429, "null".to_owned(), wait)
        } else if dice.hit(Fault::Info500, self.info_500) {
            (500, "Internal Server Error".to_owned(), wait)
        } else if dice.hit(Fault::InfoGarbage, self.info_garbage) {
            (200, "<html><body>502 Bad Gateway</body></html>".to_owned(), wait)
        } else if dice.hit(Fault::InfoCut, self.info_cut) {
            let half = (0..=body.len() / 2).rev().find(|at| body.is_char_boundary(*at));
            (status, body[..half.unwrap_or(0)].to_owned(), wait)
        } else {
            (status, body, wait)
        }
    }
}

/// Damages a text at a few places; it stays a text.
fn garble(text: &str, dice: &mut Dice) -> Arc<str> {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..1 + dice.below(4) {
        let at = dice.below(chars.len() as u64) as usize;
        if let Some(place) = chars.get_mut(at) {
            *place = ['\u{0}', '{', '"', ',', '9', 'é', '\u{fffd}'][dice.below(7) as usize];
        }
    }
    chars.into_iter().collect::<String>().into()
}

/// How a frame is written anew.
#[derive(Clone, Copy, Debug)]
struct Style {
    shuffle: bool,
    unknown: bool,
    numbers: bool,
}

impl Style {
    fn changes(self) -> bool {
        self.shuffle || self.unknown || self.numbers
    }

    fn write(self, value: &Value, out: &mut String, dice: &mut Dice) {
        match value {
            Value::Object(map) => self.object(map, out, dice),
            Value::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    self.write(item, out, dice);
                }
                out.push(']');
            }
            Value::String(text) if self.numbers && is_decimal(text) => out.push_str(text),
            // Writing into a String cannot fail.
            other => _ = write!(out, "{other}"),
        }
    }

    fn object(self, map: &Map<String, Value>, out: &mut String, dice: &mut Dice) {
        let mut keys: Vec<&String> = map.keys().collect();
        if self.shuffle {
            for at in (1..keys.len()).rev() {
                keys.swap(at, dice.below(at as u64 + 1) as usize);
            }
        }
        out.push('{');
        if self.unknown {
            out.push_str(r#""newField":{"px":["1.0",null,{"coin":"x"}]},"#);
        }
        for (at, key) in keys.into_iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            let _ = write!(out, "{}:", Value::from(key.as_str()));
            self.write(&map[key], out, dice);
        }
        if self.unknown {
            let comma = if map.is_empty() { "" } else { "," };
            let _ = write!(out, r#"{comma}"zzz":true"#);
        }
        out.push('}');
    }
}

/// Whether `text` is a decimal that is a JSON number as it stands.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text.contains('.')
        && digits.split('.').count() == 2
        && digits
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BBO: &str = r#"{"channel":"bbo","data":{"coin":"xyz:A","time":90000,"bbo":[{"px":"9.0","sz":"1.0","n":1},{"px":"9.5","sz":"2.0","n":1}]}}"#;

    fn reshaped(toml: &str) -> Value {
        let faults = Faults::from_toml(toml).unwrap();
        let huge = faults.huge_frame();
        let fate = faults.fate(FrameKind::Bbo, &BBO.into(), &huge, &mut Chance::new(1, 1));
        serde_json::from_str(&fate.text.unwrap()).unwrap()
    }

    #[test]
    fn without_faults_a_frame_stays_as_it_is() {
        let huge = Faults::default().huge_frame();
        let fate =
            Faults::default().fate(FrameKind::Bbo, &BBO.into(), &huge, &mut Chance::new(1, 1));
        assert_eq!(fate.text.as_deref(), Some(BBO));
        assert!(!(fate.binary || fate.twice || fate.torn || fate.drop));
        assert!(fate.hold.is_none() && fate.late.is_none());
    }

    #[test]
    fn content_faults_say_what_they_are_named() {
        let sane: Value = serde_json::from_str(BBO).unwrap();
        assert_eq!(reshaped("shuffle_keys = 1"), sane, "another order, the same content");
        assert_eq!(reshaped("unknown_keys = 1")["data"]["bbo"][0]["px"], "9.0");
        assert_eq!(reshaped("unknown_keys = 1")["data"]["zzz"], true);
        assert_eq!(reshaped("numbers = 1")["data"]["bbo"][1]["px"], json!(9.5));
        assert_eq!(reshaped("crossed = 1")["data"]["bbo"][0]["px"], "9.5");
        assert_eq!(reshaped("time_regression = 1")["data"]["time"], 85_000);
        let sides = reshaped("null_side = 1")["data"]["bbo"].clone();
        assert_ne!(sides[0].is_null(), sides[1].is_null());
        assert_eq!(
            reshaped("huge = 1\nhuge_bytes = 1000")["data"].as_str().map(str::len),
            Some(972)
        );
    }
}
