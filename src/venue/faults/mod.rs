//! What can go wrong, on purpose (PROTOCOL.md §9.7).
//!
//! All faults are off unless asked for. A probability is drawn for each frame or answer it
//! concerns, from a generator of its own, so that faults change nothing in the market's path.

mod counted;
mod event;
mod frame;

use std::sync::Arc;

use serde::Deserialize;

use crate::types::time::Nanos;
use crate::venue::action::Address;
use crate::venue::dice::Odds;

pub(super) use counted::Chance;
pub use counted::{Fault, Injected};
pub use event::{Scheduled, What};
pub(super) use frame::FrameKind;

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

/// How many faults can be turned off.
const SWITCHES: usize = 41;

/// One of them.
enum Switch<'a> {
    Flag(&'static str, &'a mut bool),
    Seconds(&'static str, &'a mut Option<u64>),
    Share(&'static str, &'a mut Odds),
}

impl Switch<'_> {
    fn name(&self) -> &'static str {
        match self {
            Switch::Flag(name, _) | Switch::Seconds(name, _) | Switch::Share(name, _) => name,
        }
    }

    fn is_on(&self) -> bool {
        match self {
            Switch::Flag(_, on) => **on,
            Switch::Seconds(_, seconds) => seconds.is_some(),
            Switch::Share(_, odds) => **odds != Odds::NEVER,
        }
    }

    fn turn_off(self) {
        match self {
            Switch::Flag(_, on) => *on = false,
            Switch::Seconds(_, seconds) => *seconds = None,
            Switch::Share(_, odds) => *odds = Odds::NEVER,
        }
    }
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
            if one.what == What::MaxLeverage && one.value.is_none_or(|value| value == 0) {
                let text = "event `max_leverage`: expected `value`, a leverage in 1..=255";
                return Err(FaultsError(text.to_owned()));
            }
            if one.held && (one.coin.is_some() || !one.what.is_of_a_market()) {
                let text =
                    "event `held`: expected no `coin`, and something that happens to a market";
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

    /// Everything that can be turned off, each with whether it is on.
    fn switches(&mut self) -> [Switch<'_>; SWITCHES] {
        use Switch::{Flag, Seconds, Share};
        [
            Flag("greeting", &mut self.greeting),
            Seconds("expire", &mut self.expire_after_s),
            Seconds("drop_after", &mut self.drop_after_s),
            Seconds("stall", &mut self.stall_after_s),
            Share("drop", &mut self.drop),
            Share("delay", &mut self.delay),
            Share("duplicate", &mut self.duplicate),
            Share("truncate", &mut self.truncate),
            Share("garble", &mut self.garble),
            Share("huge", &mut self.huge),
            Share("binary", &mut self.binary),
            Share("unknown_channel", &mut self.unknown_channel),
            Share("shuffle_keys", &mut self.shuffle_keys),
            Share("unknown_keys", &mut self.unknown_keys),
            Share("numbers", &mut self.numbers),
            Share("null_side", &mut self.null_side),
            Share("crossed", &mut self.crossed),
            Share("time_regression", &mut self.time_regression),
            Share("ctx_nulls", &mut self.ctx_nulls),
            Share("ack_lost", &mut self.ack_lost),
            Share("ack_late", &mut self.ack_late),
            Share("info_garbage", &mut self.info_garbage),
            Share("info_cut", &mut self.info_cut),
            Share("info_429", &mut self.info_429),
            Share("info_500", &mut self.info_500),
            Share("info_slow", &mut self.info_slow),
            Share("answer_lost", &mut self.answer_lost),
            Share("answer_late", &mut self.answer_late),
            Share("answer_twice", &mut self.answer_twice),
            Share("answer_first", &mut self.answer_first),
            Share("fills_first", &mut self.fills_first),
            Share("updates_last", &mut self.updates_last),
            Share("updates_lost", &mut self.updates_lost),
            Share("update_unknown_word", &mut self.update_unknown_word),
            Share("fill_lost", &mut self.fill_lost),
            Share("fill_twice", &mut self.fill_twice),
            Share("fill_split", &mut self.fill_split),
            Share("fills_disordered", &mut self.fills_disordered),
            Share("account_zero", &mut self.account_zero),
            Share("account_stale", &mut self.account_stale),
            Share("refuse", &mut self.refuse),
        ]
    }

    /// Turns off the fault of this name, events aside; `false` when there is none.
    pub fn turn_off(&mut self, name: &str) -> bool {
        let mut found = false;
        for switch in self.switches() {
            found |= switch.name() == name;
            if switch.name() == name {
                switch.turn_off();
            }
        }
        found
    }

    /// Names of the faults that are on, events aside.
    pub fn on(&self) -> Vec<&'static str> {
        let mut own = self.clone();
        own.switches().iter().filter(|switch| switch.is_on()).map(Switch::name).collect()
    }

    /// How late the answers of `answer_late` are.
    pub(super) fn answer_late(&self) -> Nanos {
        millis(self.answer_late_ms, 8_000)
    }

    /// How old the answers of `account_stale` are at least; `None` when there are none.
    pub(super) fn account_stale_age(&self) -> Option<Nanos> {
        (self.account_stale != Odds::NEVER).then(|| millis(self.account_stale_ms, 3_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("[[event]]\nat_ms = 5\nwhat = \"post_only_on\"\nheld = true", "held"),
            ("[[event]]\nat_ms = 5\nwhat = \"halt\"\nheld = true\ncoin = \"xyz:TSLA\"", "held"),
            ("fill_lost = 2", "a probability from 0 to 1"),
        ] {
            let error = Faults::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
