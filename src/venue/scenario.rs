//! Levers: what a test or a fault file makes happen to markets and accounts.
//!
//! Changes show in the next block, as everything does. A coin that is not listed changes nothing,
//! and the lever says so.

use crate::types::account::AccountMode;
use crate::types::num::{Px, Side, Sz, Szi, Usd};
use crate::types::order::Cloid;
use crate::types::time::{Mono, Nanos, VenueMs};
use crate::venue::account::books::Books;
use crate::venue::action::{Address, Which};
use crate::venue::clearing::{Account, AccountSettings, Position};
use crate::venue::faults::What;
use crate::venue::listing::Odd;
use crate::venue::market::{Market, Status};
use crate::venue::{Output, Venue};

/// A coin that is not listed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no market is named {0:?}")]
pub struct NotListed(String);

/// Seconds of a feed that is late by nobody knows how much.
const LATE_S: u8 = 4;

/// A deal of an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deal {
    /// The market.
    pub coin: String,
    /// The trade.
    pub tid: u64,
    /// The position before it, in units of 1e-8, above zero when long.
    pub before: i64,
    /// Position after it.
    pub after: i64,
    /// Whether its order could only reduce.
    pub reduce_only: bool,
}

impl Venue {
    fn market(&mut self, coin: &str) -> Result<&mut Market, NotListed> {
        let at = self.world.find(coin);
        at.and_then(|at| self.world.markets.get_mut(at)).ok_or_else(|| NotListed(coin.to_owned()))
    }

    /// Names of the watched dex's markets in `meta` order, delisted ones too.
    pub fn coins(&self) -> Vec<String> {
        self.world.of_dex(1).map(|market| market.listing.coin.clone()).collect()
    }

    /// Whether a market trades.
    pub fn is_live(&self, coin: &str) -> bool {
        self.world.find(coin).is_some_and(|at| self.world.markets[at].live())
    }

    /// The venue's time at `now`.
    pub fn time(&self, now: Mono) -> VenueMs {
        self.world.time(now)
    }

    /// The oracle price of a market.
    pub fn oracle(&self, coin: &str) -> Option<Px> {
        self.world.find(coin).map(|at| self.world.markets[at].oracle)
    }

    /// Best bid and ask of a market as they stand, told or not.
    pub fn quote(&self, coin: &str) -> Option<[Option<(Px, Sz)>; 2]> {
        let top = self.world.find(coin).map(|at| self.world.markets[at].book.top())?;
        Some([top.bid, top.ask].map(|side| side.map(|level| (level.px, level.sz))))
    }

    /// Sets a market's oracle; makers that are not frozen hear of it.
    pub fn set_oracle(&mut self, now: Mono, coin: &str, px: Px) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.put_oracle(px, now))
    }

    /// Replaces a market's book by one order a side and freezes its makers. A crossed book is
    /// possible, on purpose.
    pub fn set_quote(
        &mut self,
        coin: &str,
        bid: Option<(Px, Sz)>,
        ask: Option<(Px, Sz)>,
    ) -> Result<(), NotListed> {
        let market = self.market(coin)?;
        market.frozen.makers = true;
        market.frozen.chance = true;
        market.put_quote(bid, ask);
        Ok(())
    }

    /// Whether makers keep their quotes, and takers stay away.
    pub fn freeze_makers(&mut self, coin: &str, frozen: bool) -> Result<(), NotListed> {
        let market = self.market(coin)?;
        market.frozen.makers = frozen;
        market.frozen.chance = frozen;
        market.wake();
        Ok(())
    }

    /// Whether the oracle stands still.
    pub fn freeze_oracle(&mut self, coin: &str, frozen: bool) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.frozen.oracle = frozen)
    }

    /// Whether the deployer of the watched dex sets its oracle at all.
    pub fn run_oracle(&mut self, runs: bool) {
        if let Some(dex) = self.world.dexes.get_mut(1) {
            dex.oracle_runs = runs;
        }
    }

    /// Cancels all orders and settles all positions (PROTOCOL.md §5.6).
    pub fn halt(&mut self, coin: &str) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.close(Status::Halted))
    }

    /// Ends a halt; a delisted market stays delisted.
    pub fn resume(&mut self, coin: &str) -> Result<(), NotListed> {
        self.market(coin).map(Market::resume)
    }

    /// Takes a market off for good.
    pub fn delist(&mut self, coin: &str) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.close(Status::Delisted))
    }

    /// Lists one more market on the watched dex and says its name.
    pub fn append_market(&mut self, now: Mono) -> String {
        let at = self.world.append(now);
        self.world.markets[at].listing.coin.clone()
    }

    /// Switches growth mode: without it fees are ten times higher.
    pub fn set_growth(&mut self, coin: &str, growth: bool) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.listing.growth = growth)
    }

    /// Changes the size decimals (at most 6), and the tick with them. Makers quote anew.
    pub fn set_sz_decimals(&mut self, coin: &str, sz_decimals: u8) -> Result<(), NotListed> {
        let market = self.market(coin)?;
        market.listing.sz_decimals = sz_decimals.min(6);
        if market.live() && !market.frozen.makers {
            market.quote_all();
        }
        Ok(())
    }

    /// Changes the largest leverage.
    pub fn set_max_leverage(&mut self, coin: &str, leverage: u32) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.listing.max_leverage = leverage)
    }

    /// Sets the open interest, in coins.
    pub fn set_open_interest(&mut self, coin: &str, size: Sz) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.open_interest = size)
    }

    /// Sets the cap of the open interest.
    pub fn set_oi_cap(&mut self, coin: &str, cap: Usd) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.listing.oi_cap = cap)
    }

    /// Lets open interest climb to its cap, step by step of the oracle.
    pub fn climb_to_cap(&mut self, coin: &str) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.climbs_to_cap = true)
    }

    /// One update of a market's oracle is wild; book and mark take no notice.
    pub fn print_wild(&mut self, now: Mono, coin: &str) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.print_wild(now))
    }

    /// A market's oracle steps away, up or down, and stays; book and mark stay where they are.
    pub fn step_oracle_apart(
        &mut self,
        now: Mono,
        coin: &str,
        percent: u8,
    ) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.step_apart(now, percent))
    }

    /// A market's oracle stands still, and its book runs away from it, up or down.
    pub fn run_book_away(&mut self, coin: &str, percent: u8) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.run_away(percent))
    }

    /// The oracle is where the book is, after either of these.
    pub fn reunite(&mut self, now: Mono, coin: &str) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.reunite(now))
    }

    /// Whether what is told of accounts stands still, but for answers to actions.
    pub fn freeze_accounts(&mut self, now: Mono, frozen: bool) {
        if !frozen {
            self.accounts.thaw();
            self.surface.tell_withheld(now);
        } else if !self.accounts.is_frozen() {
            self.accounts.freeze(self.world.block_time);
            self.surface.withhold();
        }
    }

    /// Whether what is told of accounts stands still.
    pub fn is_frozen(&self) -> bool {
        self.accounts.is_frozen()
    }

    /// An agent acts for another account from now on.
    pub fn move_agent(&mut self, agent: Address) {
        self.accounts.clearing.move_agent(agent);
    }

    /// It acts for its own account again.
    pub fn return_agent(&mut self, agent: Address) {
        self.accounts.clearing.return_agent(agent);
    }

    /// Quotes and contexts come late from now on, or everything on the socket.
    pub fn be_late(&mut self, by: Nanos, whole: bool) {
        self.surface.be_late(by, whole);
    }

    /// What is late comes now, and everything is on time again.
    pub fn be_on_time(&mut self, now: Mono) {
        self.surface.be_on_time(now);
    }

    /// Lists one more market whose entry in `meta` is odd (0: margin mode, 1: growth mode, 2: a name
    /// of 40 letters), and says its name.
    pub fn append_odd_market(&mut self, now: Mono, kind: u8) -> String {
        let at = self.world.append_as(now, |listing| match kind % 3 {
            2 => listing.coin.push_str(&"LONG".repeat(10)),
            kind => listing.odd = Some(Odd::of(kind)),
        });
        self.world.markets[at].listing.coin.clone()
    }

    /// Makes the entry of a market odd, or plain again.
    pub fn set_odd(&mut self, coin: &str, kind: Option<u8>) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.listing.odd = kind.map(Odd::of))
    }

    /// Lists one more market that the sockets do not know yet, and says its name.
    pub fn append_early_market(&mut self, now: Mono) -> String {
        let at = self.world.append(now);
        self.world.markets[at].early = true;
        self.world.markets[at].listing.coin.clone()
    }

    /// The sockets know all markets from now on.
    pub fn learn_markets(&mut self) {
        self.world.markets.iter_mut().for_each(|market| market.early = false);
    }

    /// Whether a market is listed and not known to the sockets yet.
    pub fn is_early(&self, coin: &str) -> bool {
        self.world.find(coin).is_some_and(|at| self.world.markets[at].early)
    }

    /// Drops all connections without a close frame.
    pub fn drop_connections(&mut self, out: &mut Vec<Output>) {
        self.surface.end_all(out);
    }

    /// Whether only post-only orders are taken, as after a network upgrade (PROTOCOL.md §3.6).
    pub fn set_post_only(&mut self, on: bool) {
        self.accounts.clearing.set_post_only(on);
    }

    /// Refuses the next `n` orders with `text`.
    pub fn refuse_next(&mut self, n: u32, text: &str) {
        self.accounts.clearing.refuse_next(n, text);
    }

    /// Refuses the next `n` actions whole with `text`.
    pub fn refuse_next_whole(&mut self, n: u32, text: &str) {
        self.accounts.clearing.refuse_next_whole(n, text);
    }

    /// Ends an agent's approval.
    pub fn expire_agent(&mut self, agent: Address) {
        self.accounts.clearing.expire_agent(agent);
    }

    /// Approves an agent anew that the venue once knew, for as long as the account lives.
    pub fn renew_agent(&mut self, agent: Address) {
        self.accounts.clearing.renew_agent(agent);
    }

    /// Uses up the nonces of the next seconds, as another program with the same key would.
    pub fn take_nonces(&mut self, now: Mono, agent: Address) {
        let from = self.world.time(now);
        self.accounts.clearing.take_nonces(from, agent);
    }

    /// The oracle jumps by 3 %.
    pub fn jump_oracle(&mut self, now: Mono, coin: &str) -> Result<(), NotListed> {
        self.market(coin).map(|market| market.jump(now))
    }

    /// Sets how many requests of its address budget an account has used (PROTOCOL.md §8.2).
    pub fn set_budget(&mut self, user: Address, used: u64) {
        self.accounts.clearing.set_budget(user, used);
    }

    /// Uses up an account's address budget.
    pub fn empty_budget(&mut self, user: Address) {
        if let Some(cap) = self.accounts.clearing.account(user).map(Account::requests_cap) {
            self.set_budget(user, cap);
        }
    }

    /// Liquidates all positions of an account in the next block, at the mark.
    pub fn liquidate(&mut self, user: Address) {
        self.accounts.clearing.doom(user);
    }

    /// The owner of an account closes all its positions, with market orders in the next block.
    pub fn close_by_hand(&mut self, user: Address) {
        self.accounts.clearing.close_by_hand(user);
    }

    /// Whether the books of an account have a fill of this order.
    pub fn has_fill(&self, user: Address, oid: u64) -> bool {
        let account = self.accounts.clearing.account(user);
        account.is_some_and(|account| account.fills.iter().rev().any(|row| row.oid == oid))
    }

    /// Sets how an account is collateralised, as its answers show it (PROTOCOL.md §5.5).
    pub fn set_mode(&mut self, user: Address, mode: AccountMode) {
        self.accounts.set_mode(user, mode);
    }

    /// Whether a partly filled IOC ends as `filled` instead of `canceled` (PROTOCOL.md §10).
    pub fn set_partial_is_filled(&mut self, on: bool) {
        self.accounts.clearing.set_partial_is_filled(on);
    }

    /// The venue's own books of an account; `None` when there is none.
    pub fn books(&self, user: Address) -> Option<Books> {
        let account = self.accounts.clearing.account(user)?;
        Some(self.accounts.ledger().books(account))
    }

    /// What an account holds: coin, size, and mean entry price, in the order of the markets.
    pub fn stakes(&self, user: Address) -> Vec<(String, Szi, Px)> {
        let Some(account) = self.accounts.clearing.account(user) else { return Vec::new() };
        let one = |position: &Position| {
            (position.coin.clone(), Szi::from_units(position.szi), position.entry_px())
        };
        account.positions.values().map(one).collect()
    }

    /// Whether a block has dealt with the order of this name.
    pub fn knows_order(&self, user: Address, cloid: Cloid) -> bool {
        let account = self.accounts.clearing.account(user);
        account.is_some_and(|account| account.order(Which::Cloid(cloid)).is_some())
    }

    /// Deals of an account after the trade `last`, oldest first, as far as they are remembered.
    pub fn deals_since(&self, user: Address, last: Option<u64>) -> Vec<Deal> {
        let Some(account) = self.accounts.clearing.account(user) else { return Vec::new() };
        let fresh = account.fills.iter().rev().take_while(|row| Some(row.tid) != last);
        let mut deals: Vec<Deal> = fresh
            .map(|row| Deal {
                coin: row.coin.clone(),
                tid: row.tid,
                before: row.start_position,
                after: row.start_position + if row.buy { row.sz.units() } else { -row.sz.units() },
                reduce_only: account
                    .order(Which::Oid(row.oid))
                    .is_some_and(|order| order.row.reduce_only),
            })
            .collect();
        deals.reverse();
        deals
    }

    /// Whether what `signer` signs is done for `user`.
    pub fn acts_for(&self, signer: Address, user: Address) -> bool {
        self.accounts.clearing.role(signer) == crate::venue::clearing::Role::Agent(user)
    }

    /// The address budget of an account: requests used, requests allowed.
    pub fn budget(&self, user: Address) -> Option<(u64, u64)> {
        let account = self.accounts.clearing.account(user)?;
        Some((account.requests_used, account.requests_cap()))
    }

    /// Size decimals of a market, and whether it trades.
    pub fn rules(&self, coin: &str) -> Option<(u8, bool)> {
        let market = self.world.markets.get(self.world.find(coin)?)?;
        Some((market.listing.sz_decimals, market.live()))
    }

    /// Whether only post-only orders are taken.
    pub fn is_post_only(&self) -> bool {
        self.accounts.clearing.is_post_only()
    }

    /// Whether all books balance: what is wrong, in words, if they do not.
    pub fn audit(&self) -> Result<(), String> {
        self.accounts.clearing.audit(&self.world.markets)
    }

    /// All agents, or all accounts.
    fn concerned(&self, what: What) -> Vec<Address> {
        let agents = matches!(
            what,
            What::AgentExpire
                | What::AgentRenew
                | What::AgentMoves
                | What::AgentReturns
                | What::NoncesTaken
        );
        let of = |one: &AccountSettings| match agents {
            true => one.agents.iter().map(|(_, address, _)| *address).collect(),
            false => vec![one.address],
        };
        self.accounts.roster.iter().flat_map(of).collect()
    }

    /// Does the next scheduled event.
    pub(super) fn happen(&mut self, now: Mono, out: &mut Vec<Output>) {
        let Some(event) = self.surface.faults.event.get(self.happened).cloned() else { return };
        self.happened += 1;
        self.armed.retain(|armed| !event.what.ends(armed.what));
        if event.held {
            self.armed.push(event);
            return;
        }
        self.surface.dice.injected.count(event.what.fault());
        let late = Nanos::from_secs(event.value.unwrap_or(LATE_S).into());
        match event.what {
            What::Append => drop(self.append_market(now)),
            What::ListOdd => drop(self.append_odd_market(now, event.value.unwrap_or_default())),
            What::ListEarly => drop(self.append_early_market(now)),
            What::SocketLearns => self.learn_markets(),
            What::AccountFreeze => self.freeze_accounts(now, true),
            What::AccountThaw => self.freeze_accounts(now, false),
            What::FeedLate => self.be_late(late, false),
            What::LinkLate => self.be_late(late, true),
            What::FeedOnTime => self.be_on_time(now),
            What::OracleStop => self.run_oracle(false),
            What::OracleStart => self.run_oracle(true),
            What::DropConnections => self.drop_connections(out),
            What::PostOnlyOn => self.set_post_only(true),
            What::PostOnlyOff => self.set_post_only(false),
            What::AgentExpire
            | What::AgentRenew
            | What::BudgetEmpty
            | What::BudgetRefill
            | What::AgentMoves
            | What::AgentReturns
            | What::NoncesTaken
            | What::CloseByHand
            | What::Liquidate => {
                // The file's addresses were checked when it was read.
                let named = event.address.as_deref().and_then(Address::parse);
                for address in named.map_or_else(|| self.concerned(event.what), |one| vec![one]) {
                    match event.what {
                        What::AgentExpire => self.expire_agent(address),
                        What::AgentRenew => self.renew_agent(address),
                        What::AgentMoves => self.move_agent(address),
                        What::AgentReturns => self.return_agent(address),
                        What::NoncesTaken => self.take_nonces(now, address),
                        What::CloseByHand => self.close_by_hand(address),
                        What::Liquidate => self.liquidate(address),
                        What::BudgetRefill => self.set_budget(address, 0),
                        _ => self.empty_budget(address),
                    }
                }
            }
            _ => {
                let resumes = event.what == What::Resume;
                let concerned = |coin: &String| self.is_live(coin) != resumes;
                let all = || self.coins().into_iter().filter(concerned).collect();
                let coins: Vec<String> = event.coin.map_or_else(all, |coin| vec![coin]);
                for coin in &coins {
                    // Names of events were checked at the start.
                    let _ = self.happen_to(now, event.what, coin, event.value);
                }
            }
        }
    }

    /// Lets what waited for a position happen to its market.
    pub(super) fn fire(&mut self, now: Mono) {
        let users = self.accounts.roster.iter().map(|one| one.address);
        let held = users.flat_map(|user| self.stakes(user)).map(|(coin, ..)| coin);
        let Some(coin) = held.into_iter().find(|coin| self.is_live(coin)) else { return };
        for event in std::mem::take(&mut self.armed) {
            self.surface.dice.injected.count(event.what.fault());
            // It is held, and so it is listed.
            let _ = self.happen_to(now, event.what, &coin, event.value);
        }
    }

    fn happen_to(
        &mut self,
        now: Mono,
        what: What,
        coin: &str,
        value: Option<u8>,
    ) -> Result<(), NotListed> {
        match what {
            What::Halt => self.halt(coin),
            What::Resume => self.resume(coin),
            What::Delist => self.delist(coin),
            What::GrowthOff => self.set_growth(coin, false),
            What::GrowthOn => self.set_growth(coin, true),
            What::SzDecimals => self.set_sz_decimals(coin, value.unwrap_or_default()),
            What::MaxLeverage => self.set_max_leverage(coin, value.unwrap_or(1).into()),
            What::OpenInterestToCap => self.climb_to_cap(coin),
            What::OracleJump => self.jump_oracle(now, coin),
            What::OraclePrint => self.print_wild(now, coin),
            What::OracleApart => self.step_oracle_apart(now, coin, value.unwrap_or(6)),
            What::BookRuns => self.run_book_away(coin, value.unwrap_or(8)),
            What::OracleBack => self.reunite(now, coin),
            What::EntryOdd => self.set_odd(coin, Some(value.unwrap_or_default())),
            What::EntryPlain => self.set_odd(coin, None),
            What::OracleFreeze => self.freeze_oracle(coin, true),
            What::OracleThaw => self.freeze_oracle(coin, false),
            What::MakersFreeze => self.freeze_makers(coin, true),
            What::MakersThaw => self.freeze_makers(coin, false),
            What::ClearBids => self.market(coin).map(|market| market.clear_side(Side::Buy)),
            What::ClearAsks => self.market(coin).map(|market| market.clear_side(Side::Sell)),
            What::Append
            | What::OracleStop
            | What::OracleStart
            | What::DropConnections
            | What::PostOnlyOn
            | What::PostOnlyOff
            | What::AgentExpire
            | What::AgentRenew
            | What::BudgetEmpty
            | What::BudgetRefill
            | What::AgentMoves
            | What::AgentReturns
            | What::NoncesTaken
            | What::CloseByHand
            | What::AccountFreeze
            | What::AccountThaw
            | What::FeedLate
            | What::LinkLate
            | What::FeedOnTime
            | What::ListOdd
            | What::ListEarly
            | What::SocketLearns
            | What::Liquidate => Ok(()),
        }
    }
}
