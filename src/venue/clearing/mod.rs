//! The clearing house: accounts, who may act for them, what they ask for, and what becomes of it
//! (PROTOCOL.md §3, §5, §7.3, §8.2, §9).
//!
//! Sans-IO and deterministic: time and markets come as arguments, and what happens leaves as
//! [`Outcome`]s. An action is looked at twice: when it is proposed ([`Clearing::submit`], what an
//! `admission` refuses is answered at once) and when its block executes it ([`Clearing::block`]).
//! Money is exact; collateral lies on one dex, the watched one, and orders elsewhere find none.

mod account;
mod admission;
mod answer;
mod audit;
mod block;
mod money;
mod news;
mod orders;
mod position;
mod refusal;
mod rules;
#[cfg(test)]
mod tests;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};

use crate::types::market::UserFees;
use crate::types::num::{Px, Rate, Sz, Usd};
use crate::types::order::Cloid;
use crate::venue::action::Address;
use crate::venue::clearing::block::Pending;
use crate::venue::clearing::news::News;
use crate::venue::dice::Dice;

#[allow(unused_imports, reason = "the surface is their reader")]
pub(in crate::venue) use account::{Account, Agent, OrderRecord, Worth};
#[allow(unused_imports, reason = "the surface is their reader")]
pub(in crate::venue) use position::{Leverage, Position};

/// Ids of orders begin about where the venue's are.
const FIRST_OID: u64 = 570_000_000_000;

/// An account that a venue starts with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccountSettings {
    /// Its address.
    pub address: Address,
    /// What it holds on the watched dex.
    pub deposit: Usd,
    /// Who may sign for it: a name (`""` is the unnamed one), an address, and the venue's time in
    /// milliseconds until which that is so.
    pub agents: Vec<(String, Address, Option<u64>)>,
    /// Its leader, when it is a vault or a sub-account. It is a sub-account when the leader has an
    /// account here too.
    pub vault_of: Option<Address>,
    /// What a referral takes off its fees, as a fraction; digits past the sixth are dropped.
    pub referral_discount: Rate,
}

/// Who gets an answer; chosen by the caller.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(in crate::venue) struct Ticket(pub(in crate::venue) u64);

/// What an address is to the venue (`userRole`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::venue) enum Role {
    /// Never heard of.
    Missing,
    /// An account of its own.
    User,
    /// Acts through its leader, who has no account here.
    Vault,
    /// Signs for this account.
    Agent(Address),
    /// Acts through this account.
    SubAccount(Address),
}

/// What came of actions and blocks, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::venue) enum Outcome {
    /// The answer to an action.
    Answer {
        /// The request that is answered.
        ticket: Ticket,
        /// `{"status":"ok","response":{…}}` or `{"status":"err","response":"…"}`.
        body: String,
    },
    /// One block's updates of one account's orders.
    Updates {
        /// The account.
        user: Address,
        /// In the order they came about.
        rows: Vec<UpdateRow>,
    },
    /// One block's fills of one account.
    Fills {
        /// The account.
        user: Address,
        /// In the order of execution.
        rows: Vec<FillRow>,
    },
    /// Orders that the venue cancelled by itself.
    NonUserCancel {
        /// The account.
        user: Address,
        /// Coins and ids.
        orders: Vec<(String, u64)>,
    },
}

/// A row of `orderUpdates` (PROTOCOL.md §2.6).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::venue) struct UpdateRow {
    /// The market.
    pub(in crate::venue) coin: String,
    /// Whether it buys.
    pub(in crate::venue) buy: bool,
    /// Its limit.
    pub(in crate::venue) limit_px: Px,
    /// What is left of it.
    pub(in crate::venue) sz: Sz,
    /// What it was placed with.
    pub(in crate::venue) orig_sz: Sz,
    /// The venue's id.
    pub(in crate::venue) oid: u64,
    /// Block time of its placing, milliseconds.
    pub(in crate::venue) placed: u64,
    /// The client's id.
    pub(in crate::venue) cloid: Option<Cloid>,
    /// Whether it may only shrink a position.
    pub(in crate::venue) reduce_only: bool,
    /// The venue's word for its state.
    pub(in crate::venue) status: &'static str,
    /// Since when, milliseconds.
    pub(in crate::venue) status_time: u64,
}

/// A row of `userFills` (PROTOCOL.md §2.6).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::venue) struct FillRow {
    /// The market.
    pub(in crate::venue) coin: String,
    /// The price.
    pub(in crate::venue) px: Px,
    /// Filled size.
    pub(in crate::venue) sz: Sz,
    /// Whether it bought.
    pub(in crate::venue) buy: bool,
    /// Block time, milliseconds.
    pub(in crate::venue) time: u64,
    /// The position before it, in units of 1e-8, above zero when long.
    pub(in crate::venue) start_position: i64,
    /// In words; begins with `Liquidated` when a liquidation made it.
    pub(in crate::venue) dir: &'static str,
    /// Profit of the part that closed, fee not counted.
    pub(in crate::venue) closed_pnl: Usd,
    /// The transaction.
    pub(in crate::venue) hash: [u64; 4],
    /// The order.
    pub(in crate::venue) oid: u64,
    /// Whether it was the taker.
    pub(in crate::venue) crossed: bool,
    /// What it cost, above zero when paid.
    pub(in crate::venue) fee: Usd,
    /// The trade, below 2^50.
    pub(in crate::venue) tid: u64,
    /// The client's id of the order.
    pub(in crate::venue) cloid: Option<Cloid>,
}

impl FillRow {
    /// The mark at which a liquidation took the position; `None` of any other fill.
    pub(in crate::venue) fn liquidation_mark(&self) -> Option<Px> {
        self.dir.starts_with("Liquidated").then_some(self.px)
    }
}

/// The clearing house.
#[derive(Clone, Debug)]
pub(in crate::venue) struct Clearing {
    accounts: BTreeMap<Address, Account>,
    /// The highest nonces of each signer.
    nonces: BTreeMap<Address, BTreeSet<u64>>,
    /// Agents whose approval was ended by scenario, and whose they were.
    lapsed: Vec<(Address, Agent)>,
    /// Actions that wait for their block, as proposed.
    pending: Vec<Pending>,
    news: News,
    /// Ids of orders, trades and transactions.
    dice: Dice,
    last_oid: u64,
    /// The sentence that refuses all but post-only orders, while it does.
    post_only: Option<&'static str>,
    /// Network upgrades so far.
    upgrades: usize,
    /// How many orders are refused by scenario, and in which words.
    refuse: (u32, String),
    /// The same of whole actions.
    refuse_whole: (u32, String),
    partial_is_filled: bool,
    /// Accounts whose positions the next block takes, whatever they are worth.
    doomed: BTreeSet<Address>,
    /// Accounts whose owners close what they hold, in the next block or as soon as they can.
    closing: BTreeSet<Address>,
    /// Agents that act for another account than their own by scenario, and whose they are.
    moved: BTreeMap<Address, Address>,
}

impl Clearing {
    /// A clearing house with these accounts; of two with one address the later stands.
    pub(in crate::venue) fn new(settings: &[AccountSettings], seed: u64) -> Self {
        Self {
            accounts: settings.iter().map(|one| (one.address, Account::new(one))).collect(),
            nonces: BTreeMap::new(),
            lapsed: Vec::new(),
            pending: Vec::new(),
            news: News::default(),
            dice: Dice::new(seed, u64::MAX - 4),
            last_oid: FIRST_OID,
            post_only: None,
            upgrades: 0,
            refuse: (0, String::new()),
            refuse_whole: (0, String::new()),
            partial_is_filled: false,
            doomed: BTreeSet::new(),
            closing: BTreeSet::new(),
            moved: BTreeMap::new(),
        }
    }

    /// An account.
    pub(in crate::venue) fn account(&self, user: Address) -> Option<&Account> {
        self.accounts.get(&user)
    }

    /// Whether only post-only orders are taken. Each time it begins the refusal is spelled in the
    /// other way of the two that are known.
    pub(in crate::venue) fn set_post_only(&mut self, on: bool) {
        if on && self.post_only.is_none() {
            self.post_only = refusal::POST_ONLY.get(self.upgrades % 2).copied();
            self.upgrades += 1;
        } else if !on {
            self.post_only = None;
        }
    }

    /// Whether that is so.
    pub(in crate::venue) fn is_post_only(&self) -> bool {
        self.post_only.is_some()
    }

    /// Sets what every account pays.
    pub(in crate::venue) fn set_fees(&mut self, fees: UserFees) {
        self.accounts.values_mut().for_each(|account| account.fees = fees);
    }

    /// Refuses the next `n` orders with these words.
    pub(in crate::venue) fn refuse_next(&mut self, n: u32, text: &str) {
        self.refuse = (n, text.to_owned());
    }

    /// Refuses the next `n` actions whole with these words.
    pub(in crate::venue) fn refuse_next_whole(&mut self, n: u32, text: &str) {
        self.refuse_whole = (n, text.to_owned());
    }

    /// Liquidates all positions of an account in the next block, whatever they are worth.
    pub(in crate::venue) fn doom(&mut self, user: Address) {
        self.doomed.insert(user);
    }

    /// The owner of an account closes all its positions, with market orders in the next block.
    pub(in crate::venue) fn close_by_hand(&mut self, user: Address) {
        self.closing.insert(user);
    }

    /// Sets how much of its request budget an account has used.
    pub(in crate::venue) fn set_budget(&mut self, user: Address, used: u64) {
        if let Some(account) = self.accounts.get_mut(&user) {
            account.requests_used = used;
        }
    }

    /// Whether the end of a partly filled IOC is called `filled` instead of `canceled`: the
    /// venue's own habit is not known (PROTOCOL.md §10).
    pub(in crate::venue) fn set_partial_is_filled(&mut self, on: bool) {
        self.partial_is_filled = on;
    }
}
