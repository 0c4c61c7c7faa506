//! What a reading of the account tells (PROTOCOL.md §4.3, §5.5, §8.2).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::ids::{Address, Coin};
use crate::types::num::{Px, Szi, Usd};
use crate::types::order::Fill;
use crate::types::time::{VenueMs, Wall};

/// Which round trips have their rows, as the records tell: what ended later has none. So a run finds
/// what closed while its predecessor was dead.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct RecordedTrades {
    /// When the records began; `None` before there are any.
    pub since: Option<Wall>,
    /// When the latest round trip of a market ended.
    pub exits: BTreeMap<Coin, Wall>,
}

impl RecordedTrades {
    /// A round trip ended there and has its row.
    pub fn add(&mut self, coin: Coin, exited_at: Wall) {
        let latest = self.exits.entry(coin).or_insert(exited_at);
        *latest = exited_at.max(*latest);
    }

    /// Whatever ended in a market before this is none of a run's business: it has its row, or is
    /// older than the records. `None` when nothing is known of any records.
    pub fn until(&self, coin: Coin) -> Option<Wall> {
        let since = self.since?;
        Some(self.exits.get(&coin).map_or(since, |exit| since.max(*exit)))
    }
}

/// One position as `clearinghouseState` shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct HeldPosition {
    /// The market.
    pub coin: Coin,
    /// Its size, above zero when long; never zero.
    pub szi: Szi,
    /// Mean entry price, if told; decimals past the eighth are dropped.
    pub entry_px: Option<Px>,
    /// Its leverage.
    pub leverage: u32,
    /// Whether it is margined alone.
    pub isolated: bool,
    /// Margin it holds.
    pub margin_used: Usd,
}

/// How the account is collateralised (PROTOCOL.md §5.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountMode {
    /// A balance for each dex.
    Standard,
    /// One balance for each token.
    Unified,
    /// One portfolio.
    PortfolioMargin,
    /// Pulled from the main dex; discontinued.
    DexAbstraction,
    /// Not chosen yet: a balance for each dex, as in the standard mode.
    Unset,
}

impl AccountMode {
    /// Whether each dex has a balance of its own.
    pub fn is_split(self) -> bool {
        matches!(self, AccountMode::Standard | AccountMode::Unset)
    }

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            AccountMode::Standard => "standard",
            AccountMode::Unified => "unified",
            AccountMode::PortfolioMargin => "portfolio margin",
            AccountMode::DexAbstraction => "dex abstraction",
            AccountMode::Unset => "not chosen",
        }
    }
}

/// The account on one dex.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DexAccount {
    /// The dex.
    pub dex: String,
    /// Time of the state.
    pub time: VenueMs,
    /// Value with open profit.
    pub value: Usd,
    /// What is not bound by positions.
    pub withdrawable: Usd,
    /// What is held, in no order that means anything.
    pub positions: Vec<HeldPosition>,
}

impl DexAccount {
    /// Whether every figure is zero and nothing is held: what the venue now and then answers for a
    /// funded account (PROTOCOL.md §4.3).
    pub fn is_all_zero(&self) -> bool {
        self.value == Usd::ZERO && self.withdrawable == Usd::ZERO && self.positions.is_empty()
    }
}

/// What an address is to the venue (`userRole`, PROTOCOL.md §4).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Never seen: it has neither funds nor a master.
    Missing,
    /// An account of its own.
    User,
    /// A vault.
    Vault,
    /// An API wallet.
    Agent {
        /// The account it signs for.
        user: Address,
    },
    /// A sub-account.
    SubAccount {
        /// The account it belongs to.
        master: Address,
    },
}

impl Role {
    /// Whether what `signer`, of this role, signs is done for `account`.
    pub fn signs_for(self, signer: Address, account: Address) -> bool {
        match self {
            Role::Agent { user } => user == account,
            Role::Missing => false,
            Role::User | Role::Vault | Role::SubAccount { .. } => signer == account,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Missing => f.write_str("unknown to the venue"),
            Role::User => f.write_str("an account of its own"),
            Role::Vault => f.write_str("a vault"),
            Role::Agent { user } => write!(f, "an agent of {user}"),
            Role::SubAccount { master } => write!(f, "a sub-account of {master}"),
        }
    }
}

/// Whether the signer may act for the configured account, as far as the venue has said.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SignerStanding {
    /// Not known yet, or in doubt: entries wait.
    #[default]
    Unknown,
    /// The venue names it as an agent of the account, or as the account itself.
    Ours,
    /// It may not; what it is instead. Nothing is signed.
    NotOurs(Role),
}

/// The address budget (PROTOCOL.md §8.2).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Requests sent since the account began.
    pub used: u64,
    /// Requests allowed since then.
    pub cap: u64,
}

/// A whole reading of the account; half a reading is none.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AccountState {
    /// The mode.
    pub mode: AccountMode,
    /// One a configured dex.
    pub dexes: Vec<DexAccount>,
    /// What can back a trade: the sum of the dexes' free balances in the standard mode, the free
    /// collateral of the spot side else. `None` when it was not told.
    pub available: Option<Usd>,
    /// The address budget.
    pub rate_limit: RateLimit,
    /// Fills since the time asked for, oldest first.
    pub fills: Vec<Fill>,
    /// Since when the fills are.
    pub fills_since: VenueMs,
}
