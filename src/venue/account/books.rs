//! The venue's own books of its accounts, for tests and summaries to hold a client's records
//! against.

use std::collections::BTreeMap;

use crate::types::num::{Px, Sz, Szi, Usd};
use crate::types::time::Mono;
use crate::venue::action::{Action, Address, NewOrder};
use crate::venue::clearing::{Account, AccountSettings, Clearing, FillRow};
use crate::venue::world::World;

/// What the venue knows of an account.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Books {
    /// What it began with.
    pub deposit: Usd,
    /// Deposit, realised profits and fees.
    pub cash: Usd,
    /// Positions by coin, above zero when long; flat markets are not listed.
    pub positions: Vec<(String, Szi)>,
    /// Orders that rest.
    pub open_orders: usize,
    /// Rows of fills that were told, those told in parts counted by part.
    pub fills: u64,
    /// Fees paid, rebates taken off.
    pub fees: Usd,
    /// Realised profit, fees not counted.
    pub closed_pnl: Usd,
    /// Value of all that was bought and sold.
    pub volume: Usd,
    /// Requests that counted against the address budget.
    pub requests: u64,
    /// The most that was ever at stake: positions at their entry price, with all orders that rested
    /// or waited for a block and could add to one, at their limit.
    pub exposure_max: Usd,
    /// The most of it in one market.
    pub exposure_max_of_a_market: Usd,
    /// The largest sum of the positions' values at their marks.
    pub positions_value_max: Usd,
    /// The most positions at one time.
    pub positions_max: usize,
}

/// Sums and maxima of one account.
#[derive(Clone, Debug, Default)]
struct Page {
    fills: u64,
    fees: Usd,
    closed_pnl: Usd,
    volume: Usd,
    exposure_max: Usd,
    exposure_max_of_a_market: Usd,
    positions_value_max: Usd,
    positions_max: usize,
}

/// All pages, and what waits for the next block.
#[derive(Clone, Debug, Default)]
pub(in crate::venue) struct Ledger {
    pages: BTreeMap<Address, Page>,
    /// Account, market, and value at the limit of orders that could open.
    waiting: Vec<(Address, usize, Usd)>,
}

fn value(px: Px, sz: Sz) -> Usd {
    Usd::notional(px, sz).unwrap_or(Usd::from_units(i64::MAX))
}

/// The market with an asset id (PROTOCOL.md §5.1), as its position in the venue's list.
fn by_asset(world: &World, asset: u32) -> Option<usize> {
    let asset = usize::try_from(asset).ok()?;
    let (dex, index) = match asset.checked_sub(100_000) {
        Some(builder) => (builder / 10_000, builder % 10_000),
        None => (0, asset),
    };
    world.dexes.get(dex)?.markets.get(index).copied()
}

impl Ledger {
    /// An action waits for its block.
    pub(super) fn proposed(&mut self, actor: Address, action: &Action, world: &World) {
        let mut wait = |order: &NewOrder| {
            if let Some(market) = by_asset(world, order.asset)
                && !order.reduce_only
            {
                self.waiting.push((actor, market, value(order.px, order.sz)));
            }
        };
        match action {
            Action::Order(orders) => orders.iter().for_each(wait),
            Action::Modify { modifies, .. } => modifies.iter().for_each(|(_, order)| wait(order)),
            _ => {}
        }
    }

    /// What is at stake while a block is made.
    pub(super) fn before_block(&mut self, roster: &[AccountSettings], clearing: &Clearing) {
        for one in roster {
            let Some(account) = clearing.account(one.address) else { continue };
            let mut at_stake: BTreeMap<usize, Usd> = BTreeMap::new();
            let mut add = |market: usize, usd: Usd| {
                let sum = at_stake.entry(market).or_default();
                *sum = sum.saturating_add(usd);
            };
            for (market, position) in &account.positions {
                add(*market, value(position.entry_px(), position.sz()));
            }
            for order in account.open_orders().filter(|order| !order.row.reduce_only) {
                add(order.market, value(order.row.limit_px, order.row.sz));
            }
            for (_, market, usd) in self.waiting.iter().filter(|(who, ..)| *who == one.address) {
                add(*market, *usd);
            }
            if at_stake.is_empty() {
                continue;
            }
            let sum = at_stake.values().fold(Usd::ZERO, |sum, usd| sum.saturating_add(*usd));
            let most = at_stake.values().copied().max().unwrap_or_default();
            let page = self.pages.entry(one.address).or_default();
            page.exposure_max = page.exposure_max.max(sum);
            page.exposure_max_of_a_market = page.exposure_max_of_a_market.max(most);
        }
        self.waiting.clear();
    }

    /// What is held once it is made.
    pub(super) fn after_block(
        &mut self,
        roster: &[AccountSettings],
        clearing: &Clearing,
        world: &World,
        now: Mono,
    ) {
        for one in roster {
            let Some(account) = clearing.account(one.address) else { continue };
            if account.positions.is_empty() {
                continue;
            }
            let held = account.positions.iter().filter_map(|(market, position)| {
                Some(value(world.markets.get(*market)?.mark(now), position.sz()))
            });
            let sum = held.fold(Usd::ZERO, Usd::saturating_add);
            let page = self.pages.entry(one.address).or_default();
            page.positions_value_max = page.positions_value_max.max(sum);
            page.positions_max = page.positions_max.max(account.positions.len());
        }
    }

    /// Fills of an account, told in `told` rows.
    pub(super) fn fills(&mut self, user: Address, rows: &[FillRow], told: u64) {
        let page = self.pages.entry(user).or_default();
        page.fills += told;
        for row in rows {
            page.fees = page.fees.saturating_add(row.fee);
            page.closed_pnl = page.closed_pnl.saturating_add(row.closed_pnl);
            page.volume = page.volume.saturating_add(value(row.px, row.sz));
        }
    }

    /// The books of an account as they stand.
    pub(in crate::venue) fn books(&self, account: &Account) -> Books {
        let page = self.pages.get(&account.address).cloned().unwrap_or_default();
        let held = account.positions.values();
        Books {
            deposit: account.deposit,
            cash: account.cash,
            positions: held.map(|one| (one.coin.clone(), Szi::from_units(one.szi))).collect(),
            open_orders: account.open_orders().count(),
            fills: page.fills,
            fees: page.fees,
            closed_pnl: page.closed_pnl,
            volume: page.volume,
            requests: account.requests_used,
            exposure_max: page.exposure_max,
            exposure_max_of_a_market: page.exposure_max_of_a_market,
            positions_value_max: page.positions_value_max,
            positions_max: page.positions_max,
        }
    }
}
