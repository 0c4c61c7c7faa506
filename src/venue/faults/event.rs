//! What happens to markets and accounts, and when.

use serde::Deserialize;

use crate::venue::faults::Fault;

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
        }
    }
}
