//! What can go wrong, on purpose (PROTOCOL.md §9.7).
//!
//! All faults are off unless asked for. A probability is drawn for each frame or answer it
//! concerns, from a generator of its own, so that faults change nothing in the market's path.

use std::fmt::Write;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::types::time::Nanos;
use crate::venue::action::Address;
use crate::venue::dice::{Dice, Odds};

/// The faults of a run; a TOML file with the same keys, all optional, unknown ones refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Every connection begins with the plain text `Websocket connection established.`
    pub greeting: bool,
    /// Connections are closed with code 1000, `Expired`, this many seconds after opening.
    pub expire_after_s: Option<u64>,
    /// Connections are dropped without a close frame about this many seconds after opening.
    pub drop_after_s: Option<u64>,
    /// Connections go half-open about this many seconds after opening: nothing is sent or
    /// answered any more, and nothing is closed.
    pub stall_after_s: Option<u64>,
    /// The connection is dropped in place of a frame.
    pub drop: Odds,
    /// A frame and all behind it on its connection wait `delay_ms`.
    pub delay: Odds,
    /// Milliseconds of `delay`; 1500 by default.
    pub delay_ms: Option<u64>,
    /// A frame comes twice.
    pub duplicate: Odds,
    /// Half of a frame comes, then the end of the connection.
    pub truncate: Odds,
    /// A frame's text is damaged.
    pub garble: Odds,
    /// A frame of `huge_bytes` comes in place of a frame.
    pub huge: Odds,
    /// Size of `huge` frames; 4 MiB by default, at most 32 MiB.
    pub huge_bytes: Option<u32>,
    /// A binary frame comes before a frame.
    pub binary: Odds,
    /// A frame comes on a channel that does not exist.
    pub unknown_channel: Odds,
    /// The keys of a frame come in another order.
    pub shuffle_keys: Odds,
    /// A frame has keys that nobody documented.
    pub unknown_keys: Odds,
    /// Decimals come as numbers instead of strings.
    pub numbers: Odds,
    /// A `bbo` loses a side.
    pub null_side: Odds,
    /// A `bbo` comes with bid and ask exchanged.
    pub crossed: Odds,
    /// A `bbo` comes with a time five seconds back.
    pub time_regression: Odds,
    /// A context loses its mid, premium and impact prices.
    pub ctx_nulls: Odds,
    /// An acknowledgement never comes.
    pub ack_lost: Odds,
    /// An acknowledgement comes `ack_late_ms` late, after data.
    pub ack_late: Odds,
    /// Milliseconds of `ack_late`; 3000 by default.
    pub ack_late_ms: Option<u64>,
    /// An answer to `/info` is no JSON.
    pub info_garbage: Odds,
    /// An answer to `/info` is cut off in its middle.
    pub info_cut: Odds,
    /// `/info` answers 429.
    pub info_429: Odds,
    /// `/info` answers 500.
    pub info_500: Odds,
    /// `/info` answers after `info_slow_ms`.
    pub info_slow: Odds,
    /// Milliseconds of `info_slow`; 5000 by default.
    pub info_slow_ms: Option<u64>,
    /// The answer to an action never comes; what was asked is done all the same.
    pub answer_lost: Odds,
    /// The answer to an action comes `answer_late_ms` later than it would.
    pub answer_late: Odds,
    /// Milliseconds of `answer_late`; 8000 by default.
    pub answer_late_ms: Option<u64>,
    /// The answer to an action post comes twice.
    pub answer_twice: Odds,
    /// A block is told of in the order answer, updates, fills.
    pub answer_first: Odds,
    /// A block is told of in the order fills, updates, answer.
    pub fills_first: Odds,
    /// Updates of orders come after answer and fills.
    pub updates_last: Odds,
    /// An `orderUpdates` frame never comes.
    pub updates_lost: Odds,
    /// An entry of `orderUpdates` has a status that no document knows.
    pub update_unknown_word: Odds,
    /// A block's fills are never told on the socket; `/info` knows them.
    pub fill_lost: Odds,
    /// A block's fills are told twice.
    pub fill_twice: Odds,
    /// A fill is told as two rows of one hash and order, here and in every later answer.
    pub fill_split: Odds,
    /// A block's fills are told in another order than they happened.
    pub fills_disordered: Odds,
    /// A `clearinghouseState` is all zero, whatever the account holds (PROTOCOL.md §4.3).
    pub account_zero: Odds,
    /// An answer about an account is `account_stale_ms` to twice as old.
    pub account_stale: Odds,
    /// Milliseconds of `account_stale`; 3000 by default.
    pub account_stale_ms: Option<u64>,
    /// An order is refused without reason, with one of the venue's words, or its action is.
    pub refuse: Odds,
    /// What happens to markets and accounts, and when.
    pub event: Vec<Scheduled>,
}

/// One `[[event]]` of a fault file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheduled {
    /// Milliseconds after the start.
    pub at_ms: u64,
    /// What happens.
    pub what: What,
    /// The market it happens to; without one it happens to all of the watched dex.
    pub coin: Option<String>,
    /// Size decimals of [`What::SzDecimals`].
    pub value: Option<u8>,
    /// The account or agent it happens to; without one it happens to all.
    pub address: Option<String>,
}

/// What can happen to a market or an account.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// All orders cancelled, positions settled.
    Halt,
    /// Trades again after a halt.
    Resume,
    /// Gone for good.
    Delist,
    /// One more market is listed.
    Append,
    /// Growth mode ends: fees times ten.
    GrowthOff,
    /// Growth mode begins.
    GrowthOn,
    /// Size decimals change, and the tick with them.
    SzDecimals,
    /// Open interest climbs to its cap within a few minutes.
    OpenInterestToCap,
    /// The oracle stands still.
    OracleFreeze,
    /// The oracle moves again.
    OracleThaw,
    /// The deployer stops setting the oracle of the whole dex.
    OracleStop,
    /// The deployer sets it again.
    OracleStart,
    /// Makers keep their quotes whatever the oracle does.
    MakersFreeze,
    /// Makers follow again.
    MakersThaw,
    /// The bids vanish until makers quote again.
    ClearBids,
    /// The asks vanish until makers quote again.
    ClearAsks,
    /// All connections drop without a close frame.
    DropConnections,
    /// Only post-only orders are taken, as after an upgrade.
    PostOnlyOn,
    /// All orders are taken again.
    PostOnlyOff,
    /// An agent's approval ends.
    AgentExpire,
    /// An account's request budget is used up.
    BudgetEmpty,
    /// An account's positions are liquidated at the mark, whatever they are worth.
    Liquidate,
}

/// A fault file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("fault file: {0}")]
pub struct FaultsError(String);

impl Faults {
    /// Reads a fault file. Errors name the key and the line.
    pub fn from_toml(text: &str) -> Result<Self, FaultsError> {
        let faults: Self = toml::from_str(text).map_err(|error| FaultsError(error.to_string()))?;
        if faults.huge_bytes.is_some_and(|bytes| bytes > 32 << 20) {
            return Err(FaultsError("huge_bytes: expected at most 33554432".to_owned()));
        }
        for one in &faults.event {
            let decimals = one.value.filter(|value| *value <= 6);
            if one.what == What::SzDecimals && decimals.is_none() {
                let text = "event `sz_decimals`: expected `value`, size decimals in 0..=6";
                return Err(FaultsError(text.to_owned()));
            }
            let address = one.address.as_deref();
            if address.is_some_and(|text| Address::parse(text).is_none()) {
                let text = "event `address`: expected 0x and 40 hex digits";
                return Err(FaultsError(text.to_owned()));
            }
        }
        Ok(faults)
    }
}

/// The kinds of frames that faults tell apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FrameKind {
    Ack,
    Bbo,
    Ctx,
    /// Any other frame with data.
    Data,
    /// Errors and pongs: only what concerns every frame.
    Control,
}

/// What becomes of one frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    /// A binary frame goes ahead.
    pub(super) binary: bool,
    /// The text to send, if any.
    pub(super) text: Option<Arc<str>>,
    pub(super) twice: bool,
    /// Only half of the text goes out, then the connection ends.
    pub(super) torn: bool,
    /// The connection ends.
    pub(super) drop: bool,
    /// This frame and those behind it wait.
    pub(super) hold: Option<Nanos>,
    /// This frame alone waits.
    pub(super) late: Option<Nanos>,
}

/// Milliseconds from a file, or the default.
fn millis(given: Option<u64>, default: u64) -> Nanos {
    Nanos::from_millis(given.unwrap_or(default))
}

impl Faults {
    /// The frame of `huge`. Made once and shared: many may wait at the same time.
    pub(super) fn huge_frame(&self) -> Arc<str> {
        if self.huge == Odds::NEVER {
            return "".into();
        }
        let frame = r#"{"channel":"huge","data":""#;
        let filler = "x".repeat(self.huge_size().saturating_sub(frame.len() + 2));
        format!("{frame}{filler}\"}}").into()
    }

    /// Bytes of the frame of `huge`; none when there is no such frame.
    pub(super) fn huge_size(&self) -> usize {
        if self.huge == Odds::NEVER { 0 } else { self.huge_bytes.unwrap_or(4 << 20) as usize }
    }

    /// Decides over one frame.
    pub(super) fn fate(
        &self,
        kind: FrameKind,
        text: &Arc<str>,
        huge: &Arc<str>,
        dice: &mut Dice,
    ) -> Fate {
        if dice.hit(self.drop) {
            return Fate { drop: true, ..Fate::default() };
        }
        if kind == FrameKind::Ack {
            if dice.hit(self.ack_lost) {
                return Fate::default();
            }
            if dice.hit(self.ack_late) {
                let late = Some(millis(self.ack_late_ms, 3_000));
                return Fate { text: Some(text.clone()), late, ..Fate::default() };
            }
        }
        let text = self.reshape(kind, text, huge, dice).unwrap_or_else(|| text.clone());
        Fate {
            binary: dice.hit(self.binary),
            text: Some(text),
            twice: dice.hit(self.duplicate),
            torn: dice.hit(self.truncate),
            drop: false,
            hold: dice.hit(self.delay).then(|| millis(self.delay_ms, 1_500)),
            late: None,
        }
    }

    /// Changes what a frame says or how; `None` when it stays as it is.
    fn reshape(
        &self,
        kind: FrameKind,
        text: &str,
        huge: &Arc<str>,
        dice: &mut Dice,
    ) -> Option<Arc<str>> {
        if dice.hit(self.huge) {
            return Some(huge.clone());
        }
        if dice.hit(self.unknown_channel) {
            return Some(r#"{"channel":"gossip","data":{"coin":"BTC","px":"1.0"}}"#.into());
        }
        if dice.hit(self.garble) {
            return Some(garble(text, dice));
        }
        let nulls = kind == FrameKind::Ctx && dice.hit(self.ctx_nulls);
        let bbo = |odds: Odds, dice: &mut Dice| kind == FrameKind::Bbo && dice.hit(odds);
        let null_side = bbo(self.null_side, dice);
        let crossed = bbo(self.crossed, dice);
        let regression = bbo(self.time_regression, dice);
        let style = Style {
            shuffle: dice.hit(self.shuffle_keys),
            unknown: dice.hit(self.unknown_keys),
            numbers: kind != FrameKind::Ack && dice.hit(self.numbers),
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

    /// How late the answers of `answer_late` are.
    pub(super) fn answer_late(&self) -> Nanos {
        millis(self.answer_late_ms, 8_000)
    }

    /// How old the answers of `account_stale` are at least; `None` when there are none.
    pub(super) fn account_stale_age(&self) -> Option<Nanos> {
        (self.account_stale != Odds::NEVER).then(|| millis(self.account_stale_ms, 3_000))
    }

    /// What becomes of an answer to `/info`: status, body and how long it takes.
    pub(super) fn answer(
        &self,
        status: u16,
        body: String,
        dice: &mut Dice,
    ) -> (u16, String, Nanos) {
        let wait =
            if dice.hit(self.info_slow) { millis(self.info_slow_ms, 5_000) } else { Nanos::ZERO };
        if dice.hit(self.info_429) {
            (429, "null".to_owned(), wait)
        } else if dice.hit(self.info_500) {
            (500, "Internal Server Error".to_owned(), wait)
        } else if dice.hit(self.info_garbage) {
            (200, "<html><body>502 Bad Gateway</body></html>".to_owned(), wait)
        } else if dice.hit(self.info_cut) {
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
        let fate = faults.fate(FrameKind::Bbo, &BBO.into(), &huge, &mut Dice::new(1, 1));
        serde_json::from_str(&fate.text.unwrap()).unwrap()
    }

    #[test]
    fn without_faults_a_frame_stays_as_it_is() {
        let huge = Faults::default().huge_frame();
        let fate = Faults::default().fate(FrameKind::Bbo, &BBO.into(), &huge, &mut Dice::new(1, 1));
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

    #[test]
    fn a_fault_file_is_refused_with_its_key() {
        for (text, named) in [
            ("dorp = 0.1", "dorp"),
            ("drop = 1.5", "a probability from 0 to 1"),
            ("drop = \"often\"", "drop"),
            ("huge_bytes = 99999999", "huge_bytes"),
            ("[[event]]\nat_ms = 5\nwhat = \"explode\"", "explode"),
            ("[[event]]\nat_ms = 5\nwhat = \"sz_decimals\"", "value"),
            ("[[event]]\nat_ms = 5\nwhat = \"agent_expire\"\naddress = \"0x1\"", "address"),
            ("fill_lost = 2", "a probability from 0 to 1"),
        ] {
            let error = Faults::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
