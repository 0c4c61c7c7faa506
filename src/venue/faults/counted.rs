//! Everything that is done on purpose, by name, and how often it was.

use std::ops::{Deref, DerefMut};

use crate::venue::dice::{Dice, Odds};

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
            /// All faults.
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
    CloseByHand = "event_close_by_hand",
    OraclePrint = "event_oracle_print",
    OracleApart = "event_oracle_apart",
    BookRuns = "event_book_runs",
    OracleBack = "event_oracle_back",
    AccountFreeze = "event_account_freeze",
    AccountThaw = "event_account_thaw",
    AgentMoves = "event_agent_moves",
    AgentReturns = "event_agent_returns",
    FeedLate = "event_feed_late",
    LinkLate = "event_link_late",
    FeedOnTime = "event_feed_on_time",
    ListOdd = "event_list_odd",
    EntryOdd = "event_entry_odd",
    EntryPlain = "event_entry_plain",
    ListEarly = "event_list_early",
    SocketLearns = "event_socket_learns",
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
    /// Counts one occurrence of `fault`.
    pub(in crate::venue) fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// Number of times `fault` was injected.
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// Both together.
    pub(in crate::venue) fn plus(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(own, more)| *own += more);
        self
    }
}

/// Chance that counts what it brings about.
#[derive(Clone, Debug)]
pub(in crate::venue) struct Chance {
    dice: Dice,
    pub(in crate::venue) injected: Injected,
}

impl Chance {
    /// As [`Dice::new`].
    pub(in crate::venue) fn new(seed: u64, stream: u64) -> Self {
        Self { dice: Dice::new(seed, stream), injected: Injected::default() }
    }

    /// Whether `fault` happens this time.
    pub(in crate::venue) fn hit(&mut self, fault: Fault, odds: Odds) -> bool {
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
