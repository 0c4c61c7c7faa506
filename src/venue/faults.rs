//! What can go wrong, on purpose (PROTOCOL.md §9.7).
//!
//! All faults are off unless asked for. A probability is drawn for each frame or answer it
//! concerns, from a generator of its own, so that faults change nothing in the market's path.

use std::fmt::Write;
use std::ops::{Deref, DerefMut};
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
    /// Size decimals of [`What::SzDecimals`], leverage of [`What::MaxLeverage`].
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
    /// The largest leverage changes.
    MaxLeverage,
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
    /// The oracle jumps by 3 %, up or down; the mark follows by 1 % an update.
    OracleJump,
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
    /// It is approved anew.
    AgentRenew,
    /// An account's request budget is used up.
    BudgetEmpty,
    /// It is as if no request had been made.
    BudgetRefill,
    /// Another program signs for the agent: every nonce of the next seconds is taken.
    NoncesTaken,
    /// An account's positions are liquidated at the mark, whatever they are worth.
    Liquidate,
}

macro_rules! faults {
    ($($name:ident = $text:literal,)*) => {
        /// Everything that is counted when it is done on purpose: the faults of a frame, an answer or
        /// a connection, and the events.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        #[allow(missing_docs, reason = "described where a fault file names them")]
        pub enum Fault {
            $($name,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Fault] = &[$(Fault::$name,)*];

            /// As fault files name it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Fault::$name => $text,)*
                }
            }
        }
    };
}

faults! {
    Greeting = "greeting",
    Expire = "expire",
    DropAfter = "drop_after",
    Stall = "stall",
    Drop = "drop",
    Delay = "delay",
    Duplicate = "duplicate",
    Truncate = "truncate",
    Garble = "garble",
    Huge = "huge",
    Binary = "binary",
    UnknownChannel = "unknown_channel",
    ShuffleKeys = "shuffle_keys",
    UnknownKeys = "unknown_keys",
    Numbers = "numbers",
    NullSide = "null_side",
    Crossed = "crossed",
    TimeRegression = "time_regression",
    CtxNulls = "ctx_nulls",
    AckLost = "ack_lost",
    AckLate = "ack_late",
    InfoGarbage = "info_garbage",
    InfoCut = "info_cut",
    Info429 = "info_429",
    Info500 = "info_500",
    InfoSlow = "info_slow",
    AnswerLost = "answer_lost",
    AnswerLate = "answer_late",
    AnswerTwice = "answer_twice",
    AnswerFirst = "answer_first",
    FillsFirst = "fills_first",
    UpdatesLast = "updates_last",
    UpdatesLost = "updates_lost",
    UpdateUnknownWord = "update_unknown_word",
    FillLost = "fill_lost",
    FillTwice = "fill_twice",
    FillSplit = "fill_split",
    FillsDisordered = "fills_disordered",
    AccountZero = "account_zero",
    AccountStale = "account_stale",
    Refuse = "refuse",
    Halt = "event_halt",
    Resume = "event_resume",
    Delist = "event_delist",
    Append = "event_append",
    GrowthOff = "event_growth_off",
    GrowthOn = "event_growth_on",
    SzDecimals = "event_sz_decimals",
    MaxLeverage = "event_max_leverage",
    OpenInterestToCap = "event_open_interest_to_cap",
    OracleFreeze = "event_oracle_freeze",
    OracleThaw = "event_oracle_thaw",
    OracleStop = "event_oracle_stop",
    OracleStart = "event_oracle_start",
    OracleJump = "event_oracle_jump",
    MakersFreeze = "event_makers_freeze",
    MakersThaw = "event_makers_thaw",
    ClearBids = "event_clear_bids",
    ClearAsks = "event_clear_asks",
    DropConnections = "event_drop_connections",
    PostOnlyOn = "event_post_only_on",
    PostOnlyOff = "event_post_only_off",
    AgentExpire = "event_agent_expire",
    AgentRenew = "event_agent_renew",
    BudgetEmpty = "event_budget_empty",
    BudgetRefill = "event_budget_refill",
    NoncesTaken = "event_nonces_taken",
    Liquidate = "event_liquidate",
}

/// How often each fault happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Injected([u64; Fault::ALL.len()]);

impl Default for Injected {
    fn default() -> Self {
        Self([0; Fault::ALL.len()])
    }
}

impl Injected {
    /// Once more.
    pub(super) fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// How often.
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// Both together.
    pub(super) fn plus(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(own, more)| *own += more);
        self
    }
}

/// Chance that counts what it brings about.
#[derive(Clone, Debug)]
pub(super) struct Chance {
    dice: Dice,
    pub(super) injected: Injected,
}

impl Chance {
    /// As [`Dice::new`].
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Self { dice: Dice::new(seed, stream), injected: Injected::default() }
    }

    /// Whether `fault` happens this time.
    pub(super) fn hit(&mut self, fault: Fault, odds: Odds) -> bool {
        let hit = self.dice.hit(odds);
        if hit {
            self.injected.count(fault);
        }
        hit
    }
}

impl Deref for Chance {
    type Target = Dice;

    fn deref(&self) -> &Dice {
        &self.dice
    }
}

impl DerefMut for Chance {
    fn deref_mut(&mut self) -> &mut Dice {
        &mut self.dice
    }
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

impl What {
    /// As fault files name it.
    pub fn name(self) -> &'static str {
        let name = self.fault().name();
        name.strip_prefix("event_").unwrap_or(name)
    }

    /// As it is counted.
    pub(super) const fn fault(self) -> Fault {
        match self {
            What::Halt => Fault::Halt,
            What::Resume => Fault::Resume,
            What::Delist => Fault::Delist,
            What::Append => Fault::Append,
            What::GrowthOff => Fault::GrowthOff,
            What::GrowthOn => Fault::GrowthOn,
            What::SzDecimals => Fault::SzDecimals,
            What::MaxLeverage => Fault::MaxLeverage,
            What::OpenInterestToCap => Fault::OpenInterestToCap,
            What::OracleFreeze => Fault::OracleFreeze,
            What::OracleThaw => Fault::OracleThaw,
            What::OracleStop => Fault::OracleStop,
            What::OracleStart => Fault::OracleStart,
            What::OracleJump => Fault::OracleJump,
            What::MakersFreeze => Fault::MakersFreeze,
            What::MakersThaw => Fault::MakersThaw,
            What::ClearBids => Fault::ClearBids,
            What::ClearAsks => Fault::ClearAsks,
            What::DropConnections => Fault::DropConnections,
            What::PostOnlyOn => Fault::PostOnlyOn,
            What::PostOnlyOff => Fault::PostOnlyOff,
            What::AgentExpire => Fault::AgentExpire,
            What::AgentRenew => Fault::AgentRenew,
            What::BudgetEmpty => Fault::BudgetEmpty,
            What::BudgetRefill => Fault::BudgetRefill,
            What::NoncesTaken => Fault::NoncesTaken,
            What::Liquidate => Fault::Liquidate,
        }
    }
}

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

    /// Decides over one frame.
    pub(super) fn fate(
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
