//! What happens to markets and accounts, and when.

use serde::Deserialize;

use crate::venue::faults::Fault;

/// One `[[event]]` of a fault file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheduled {
    /// Milliseconds after the start.
    pub at_ms: u64,
    /// The event.
    pub what: What,
    /// The market it happens to; without one it happens to all of the watched dex.
    pub coin: Option<String>,
    /// Whether it happens to a market in which an account holds a position, and waits until there
    /// is one. Without `coin`, and only for what happens to a market.
    #[serde(default)]
    pub held: bool,
    /// Size decimals of [`What::SzDecimals`], leverage of [`What::MaxLeverage`], percent of
    /// [`What::OracleApart`] and [`What::BookRuns`], seconds of [`What::FeedLate`] and
    /// [`What::LinkLate`], kind of [`What::ListOdd`] and [`What::EntryOdd`].
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
    /// The owner of an account closes all its positions with market orders.
    CloseByHand,
    /// One update of the oracle is wild, by 3 to 60 %; book and mark stay where they are.
    OraclePrint,
    /// The oracle steps away by `value` percent (6 by default) and stays there; book and mark stay.
    OracleApart,
    /// The oracle stands still, and the book runs away from it by `value` percent (8 by default), within
    /// seconds.
    BookRuns,
    /// The oracle is where the book is again.
    OracleBack,
    /// What is told of accounts stands still: no fills, no updates of orders, and `/info` answers
    /// as it was. Answers to actions go on.
    AccountFreeze,
    /// What was held back is told, and `/info` is up to date again.
    AccountThaw,
    /// The agents of an account act for another account from now on.
    AgentMoves,
    /// They act for their own account again.
    AgentReturns,
    /// Quotes and contexts come `value` seconds late (4 by default); all else is on time.
    FeedLate,
    /// Everything on the socket comes `value` seconds late (4 by default).
    LinkLate,
    /// What is late comes at once, and everything is on time again.
    FeedOnTime,
    /// A market is listed with a word that no document knows (`value` 0: its margin mode, 1: its
    /// growth mode), or with a name of 40 letters (2).
    ListOdd,
    /// The entry of a market in `meta` has a word that no document knows (`value` as above).
    EntryOdd,
    /// It is as documented again.
    EntryPlain,
    /// A market is listed that the sockets do not know yet: who subscribes to it is dropped.
    ListEarly,
    /// The sockets know all markets.
    SocketLearns,
}

impl What {
    /// As fault files name it.
    pub fn name(self) -> &'static str {
        let name = self.fault().name();
        name.strip_prefix("event_").unwrap_or(name)
    }

    /// As it is counted.
    pub(in crate::venue) const fn fault(self) -> Fault {
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
            What::CloseByHand => Fault::CloseByHand,
            What::OraclePrint => Fault::OraclePrint,
            What::OracleApart => Fault::OracleApart,
            What::BookRuns => Fault::BookRuns,
            What::OracleBack => Fault::OracleBack,
            What::AccountFreeze => Fault::AccountFreeze,
            What::AccountThaw => Fault::AccountThaw,
            What::AgentMoves => Fault::AgentMoves,
            What::AgentReturns => Fault::AgentReturns,
            What::FeedLate => Fault::FeedLate,
            What::LinkLate => Fault::LinkLate,
            What::FeedOnTime => Fault::FeedOnTime,
            What::ListOdd => Fault::ListOdd,
            What::EntryOdd => Fault::EntryOdd,
            What::EntryPlain => Fault::EntryPlain,
            What::ListEarly => Fault::ListEarly,
            What::SocketLearns => Fault::SocketLearns,
        }
    }

    /// Whether it ends what `begun` began.
    pub(in crate::venue) const fn ends(self, begun: What) -> bool {
        matches!(
            (self, begun),
            (What::Resume, What::Halt)
                | (What::OracleThaw, What::OracleFreeze)
                | (What::OracleBack, What::OracleApart | What::BookRuns)
                | (What::MakersThaw, What::MakersFreeze)
                | (What::EntryPlain, What::EntryOdd)
        )
    }

    /// Whether it happens to one market, or to all that are concerned.
    pub(in crate::venue) const fn is_of_a_market(self) -> bool {
        matches!(
            self,
            What::Halt
                | What::Resume
                | What::Delist
                | What::GrowthOff
                | What::GrowthOn
                | What::SzDecimals
                | What::MaxLeverage
                | What::OpenInterestToCap
                | What::OracleFreeze
                | What::OracleThaw
                | What::OracleJump
                | What::OraclePrint
                | What::OracleApart
                | What::BookRuns
                | What::OracleBack
                | What::MakersFreeze
                | What::MakersThaw
                | What::ClearBids
                | What::ClearAsks
                | What::EntryOdd
                | What::EntryPlain
        )
    }
}
