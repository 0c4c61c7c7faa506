//! Readings of venue and account as questions and answers, one at a time. Pure: who asks, and over
//! what, is somebody else's business.

use serde_json::{Value, json};

use crate::account::info::{self, Dex, DexAnswers};
use crate::account::{self, ReadError, state};
use crate::types::account::{AccountMode, AccountState, DexAccount, RateLimit, Role};
use crate::types::market::{MarketSpec, OddEntry, Universe, UserFees};
use crate::types::num::Usd;
use crate::types::order::Fill;
use crate::types::time::VenueMs;

/// Rows of a full page of fills; behind a full page there may be more (PROTOCOL.md §4).
const FILLS_PAGE: usize = 2000;

/// Most pages of one reading: the venue keeps the last 10,000 fills.
pub(super) const FILLS_PAGES: usize = 5;

/// What is to be asked by `POST /info`.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Its `type`.
    pub kind: &'static str,
    /// The request's body.
    pub body: Value,
}

impl Question {
    fn new(kind: &'static str, mut more: Value) -> Self {
        more["type"] = kind.into();
        Self { kind, body: more }
    }
}

/// A reading that is under way. All or nothing: an error ends it.
pub trait Reading {
    /// What it makes.
    type Whole;

    /// What to ask next; `None` once it is whole.
    fn question(&self) -> Option<Question>;

    /// Takes the answer to it.
    ///
    /// Errors: one that makes no sense.
    fn answer(&mut self, body: &[u8]) -> Result<(), ReadError>;

    /// What was read. To be asked for once there is no question left.
    fn whole(self) -> Self::Whole;
}

/// Reads `perpDexs`, then `meta`, `perpDexLimits` and `perpsAtOpenInterestCap` of each dex, and
/// `userFees` if there is a user to ask about.
///
/// An error in any of them, the fees included, refuses the reading, since a wrong fee is money lost
/// and half a universe looks like delistings.
#[derive(Clone, Debug)]
pub struct UniverseReading {
    wanted: Vec<String>,
    user: Option<String>,
    /// Found in `perpDexs`, once that was answered.
    dexes: Option<Vec<Dex>>,
    /// The first answers of the dex that is being read.
    of_dex: Vec<Vec<u8>>,
    /// Dexes that are read.
    done: usize,
    markets: Vec<MarketSpec>,
    odd: Vec<OddEntry>,
    fees: Option<UserFees>,
}

/// What is asked of each dex, in this order.
const OF_DEX: [&str; 3] = ["meta", "perpDexLimits", "perpsAtOpenInterestCap"];

impl UniverseReading {
    /// Of these dexes, for this user.
    pub fn new(wanted: &[String], user: Option<&str>) -> Self {
        Self {
            wanted: wanted.to_vec(),
            user: user.map(str::to_owned),
            dexes: None,
            of_dex: Vec::new(),
            done: 0,
            markets: Vec::new(),
            odd: Vec::new(),
            fees: None,
        }
    }
}

impl Reading for UniverseReading {
    type Whole = Universe;

    fn question(&self) -> Option<Question> {
        let Some(dexes) = &self.dexes else { return Some(Question::new("perpDexs", json!({}))) };
        if let (Some(dex), Some(kind)) = (dexes.get(self.done), OF_DEX.get(self.of_dex.len())) {
            return Some(Question::new(kind, json!({"dex": dex.name})));
        }
        match (&self.user, self.fees) {
            (Some(user), None) => Some(Question::new("userFees", json!({"user": user}))),
            _ => None,
        }
    }

    fn answer(&mut self, body: &[u8]) -> Result<(), ReadError> {
        let Some(dexes) = &self.dexes else {
            self.dexes = Some(info::perp_dexs(body, &self.wanted)?);
            return Ok(());
        };
        match (dexes.get(self.done), &self.of_dex[..]) {
            (Some(dex), [meta, limits]) => {
                let answers = DexAnswers { meta, limits, at_cap: body };
                let listing = info::markets(dex, answers)?;
                self.markets.extend(listing.markets);
                self.odd.extend(listing.odd);
                self.of_dex.clear();
                self.done += 1;
            }
            (Some(_), _) => self.of_dex.push(body.to_vec()),
            (None, _) => self.fees = Some(info::user_fees(body)?),
        }
        Ok(())
    }

    fn whole(self) -> Universe {
        Universe { markets: self.markets, fees: self.fees, odd: self.odd }
    }
}

/// Reads what an address is to the venue, by `userRole` (weight 60).
#[derive(Clone, Debug)]
pub struct RoleReading {
    address: String,
    role: Option<Role>,
}

impl RoleReading {
    /// Of this address.
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned(), role: None }
    }
}

impl Reading for RoleReading {
    type Whole = Role;

    fn question(&self) -> Option<Question> {
        let unread = self.role.is_none();
        unread.then(|| Question::new("userRole", json!({"user": self.address})))
    }

    fn answer(&mut self, body: &[u8]) -> Result<(), ReadError> {
        self.role = Some(account::role(body)?);
        Ok(())
    }

    fn whole(self) -> Role {
        self.role.unwrap_or(Role::Missing)
    }
}

/// Reads the account: its mode, its state on each dex, what can back a trade, its address budget,
/// and its fills from some moment on.
///
/// In this order, so that no fill is older news than the positions. Weighs 2 a dex, 2 for the spot
/// side if the mode asks for it, 20 for the budget, and for the fills 20 and 1 more for each 20 of
/// them: 44 with one dex and no fill, of 1200 a minute (PROTOCOL.md §8.1). The mode adds 20.
///
/// Errors: as [`ReadError`] says, also with more than 10,000 fills.
#[derive(Clone, Debug)]
pub struct AccountReading {
    user: String,
    wanted: Vec<String>,
    since: VenueMs,
    mode: Option<AccountMode>,
    dexes: Vec<DexAccount>,
    available: Option<Usd>,
    rate_limit: Option<RateLimit>,
    fills: Vec<Fill>,
    /// Where the next page of fills begins; `None` once all were read.
    from: Option<VenueMs>,
    pages: usize,
}

impl AccountReading {
    /// Of `user` on the `wanted` dexes, fills from `since` on. A `mode` that is known is not asked
    /// for.
    pub fn new(wanted: &[String], user: &str, since: VenueMs, mode: Option<AccountMode>) -> Self {
        Self {
            user: user.to_owned(),
            wanted: wanted.to_vec(),
            since,
            mode,
            dexes: Vec::with_capacity(wanted.len()),
            available: None,
            rate_limit: None,
            fills: Vec::new(),
            from: Some(since),
            pages: 0,
        }
    }

    /// The account's mode, once it is known.
    pub fn mode(&self) -> Option<AccountMode> {
        self.mode
    }

    /// What can back a trade, where the states of the dexes say it.
    fn settle_available(&mut self) {
        let split = self.mode.is_some_and(AccountMode::is_split);
        if split && self.dexes.len() == self.wanted.len() {
            let sum = |sum: Usd, account: &DexAccount| sum.saturating_add(account.withdrawable);
            self.available = Some(self.dexes.iter().fold(Usd::ZERO, sum));
        }
    }

    fn take_fills(&mut self, from: VenueMs, body: &[u8]) -> Result<(), ReadError> {
        let page = state::fills(body)?;
        self.pages += 1;
        // A page begins with the moment that the last one ended in.
        let told = self.fills.len();
        for fill in page.fills {
            if fill.time > from || !self.fills.iter().take(told).any(|held| *held == fill) {
                self.fills.push(fill);
            }
        }
        self.from = match page.last {
            _ if page.rows < FILLS_PAGE => None,
            Some(last) if last > from && self.pages < FILLS_PAGES => Some(last),
            _ => return Err(ReadError::TooManyFills { since: self.since }),
        };
        Ok(())
    }
}

impl Reading for AccountReading {
    type Whole = AccountState;

    fn question(&self) -> Option<Question> {
        let user = &self.user;
        let of_user = |kind| Some(Question::new(kind, json!({"user": user})));
        let Some(mode) = self.mode else { return of_user("userAbstraction") };
        if let Some(dex) = self.wanted.get(self.dexes.len()) {
            return Some(Question::new("clearinghouseState", json!({"user": user, "dex": dex})));
        }
        if self.available.is_none() {
            return match mode {
                // Pulled from the main dex (PROTOCOL.md §5.5).
                AccountMode::DexAbstraction | AccountMode::Standard | AccountMode::Unset => {
                    of_user("clearinghouseState")
                }
                AccountMode::Unified | AccountMode::PortfolioMargin => {
                    of_user("spotClearinghouseState")
                }
            };
        }
        if self.rate_limit.is_none() {
            return of_user("userRateLimit");
        }
        let from = self.from?;
        let body = json!({"user": user, "startTime": from.0.max(0)});
        Some(Question::new("userFillsByTime", body))
    }

    fn answer(&mut self, body: &[u8]) -> Result<(), ReadError> {
        let Some(mode) = self.mode else {
            self.mode = Some(state::mode(body)?);
            self.settle_available();
            return Ok(());
        };
        if let Some(dex) = self.wanted.get(self.dexes.len()) {
            self.dexes.push(state::dex_account(dex, body)?);
            self.settle_available();
        } else if self.available.is_none() {
            self.available = Some(match mode {
                AccountMode::DexAbstraction | AccountMode::Standard | AccountMode::Unset => {
                    state::dex_account("", body)?.withdrawable
                }
                AccountMode::Unified | AccountMode::PortfolioMargin => state::collateral(body)?,
            });
        } else if self.rate_limit.is_none() {
            self.rate_limit = Some(state::rate_limit(body)?);
        } else if let Some(from) = self.from {
            self.take_fills(from, body)?;
        }
        Ok(())
    }

    fn whole(mut self) -> AccountState {
        self.fills.sort_by_key(|fill| fill.time);
        AccountState {
            mode: self.mode.unwrap_or(AccountMode::Unset),
            dexes: self.dexes,
            available: self.available,
            // Without a reading nothing is left.
            rate_limit: self.rate_limit.unwrap_or_default(),
            fills: self.fills,
            fills_since: self.since,
        }
    }
}
