//! One account: its money, its positions, its orders and what it did.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::types::market::{MarginMode, UserFees};
use crate::types::num::{Px, Sz, Usd};
use crate::types::time::Mono;
use crate::venue::action::{Address, Which};
use crate::venue::clearing::position::{Leverage, Position};
use crate::venue::clearing::{AccountSettings, FillRow, UpdateRow, money};
use crate::venue::market::Market;

/// The dex, by its position in `perpDexs`, on which accounts hold their collateral.
pub(super) const WATCHED: usize = 1;

/// Records of ended orders and fills that are kept (PROTOCOL.md §4.4).
pub(super) const KEPT: usize = 2_000;

/// Leverage that nobody chose.
const LEVERAGE: u32 = 20;

/// Who may sign for an account.
#[derive(Clone, Debug)]
pub(in crate::venue) struct Agent {
    /// `""` is the unnamed one.
    pub(in crate::venue) name: String,
    /// Its address.
    pub(in crate::venue) address: Address,
    /// The venue's time in milliseconds until which it may sign.
    pub(in crate::venue) valid_until: Option<u64>,
}

/// One order the account placed, and what became of it (`orderStatus`).
#[derive(Clone, Debug)]
pub(in crate::venue) struct OrderRecord {
    /// The order as `orderUpdates` shows it now.
    pub(in crate::venue) row: UpdateRow,
    /// Its market: position in the venue's list.
    pub(in crate::venue) market: usize,
    /// `Ioc`, `Gtc`, `Alo`; `""` of a trigger order.
    pub(in crate::venue) tif: &'static str,
}

/// What an account is worth on the watched dex, and what of it is bound (PROTOCOL.md §4.3).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::venue) struct Worth {
    /// Cash and unrealised profit.
    pub(in crate::venue) account_value: Usd,
    /// Sum of the positions' values without sign.
    pub(in crate::venue) total_ntl: Usd,
    /// Account value less signed position value.
    pub(in crate::venue) raw_usd: Usd,
    /// Equity of isolated positions and initial margin of cross ones.
    pub(in crate::venue) margin_used: Usd,
    /// What is free.
    pub(in crate::venue) withdrawable: Usd,
}

/// An account.
#[derive(Clone, Debug)]
pub(in crate::venue) struct Account {
    /// Its address.
    pub(in crate::venue) address: Address,
    /// The leader of a vault or sub-account.
    pub(in crate::venue) leader: Option<Address>,
    /// Who may sign for it.
    pub(in crate::venue) agents: Vec<Agent>,
    /// What it pays as a taker, and the share of a fee that a referral takes off.
    pub(in crate::venue) fees: UserFees,
    /// What was paid in.
    pub(in crate::venue) deposit: Usd,
    /// Deposit, realised profits and fees: what there would be if all positions closed at entry.
    pub(in crate::venue) cash: Usd,
    /// By position of the market in the venue's list.
    pub(in crate::venue) positions: BTreeMap<usize, Position>,
    /// Leverage that was set, by market.
    pub(super) leverages: BTreeMap<usize, Leverage>,
    /// Open orders and the last ones that ended, by id.
    pub(in crate::venue) orders: BTreeMap<u64, OrderRecord>,
    /// Ids of the open ones.
    pub(in crate::venue) open: BTreeSet<u64>,
    /// The last fills, oldest first.
    pub(in crate::venue) fills: VecDeque<FillRow>,
    /// USD traded as the request budget counts it: of growth markets a tenth (`cumVlm`).
    pub(in crate::venue) volume: Usd,
    /// `nRequestsUsed`.
    pub(in crate::venue) requests_used: u64,
    /// When a request beyond the budget last passed, milliseconds.
    pub(super) beyond_budget_at: Option<u64>,
    /// When all its orders will be cancelled, milliseconds.
    pub(in crate::venue) cancel_at: Option<u64>,
    /// What its fills said, summed by other means than its money is kept.
    pub(super) told: Told,
}

/// Sums over all fills an account was told of; the audit compares.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) closed_pnl: i128,
    pub(super) fees: i128,
    /// Signed sizes by coin.
    pub(super) net: BTreeMap<String, i64>,
}

impl Account {
    pub(super) fn new(settings: &AccountSettings) -> Self {
        let agent = |(name, address, valid_until): &(String, Address, Option<u64>)| Agent {
            name: name.clone(),
            address: *address,
            valid_until: *valid_until,
        };
        Self {
            address: settings.address,
            leader: settings.vault_of,
            agents: settings.agents.iter().map(agent).collect(),
            fees: UserFees { referral_discount: settings.referral_discount, ..UserFees::BASE },
            deposit: settings.deposit,
            cash: settings.deposit,
            positions: BTreeMap::new(),
            leverages: BTreeMap::new(),
            orders: BTreeMap::new(),
            open: BTreeSet::new(),
            fills: VecDeque::new(),
            volume: Usd::ZERO,
            requests_used: 0,
            beyond_budget_at: None,
            cancel_at: None,
            told: Told::default(),
        }
    }

    /// `nRequestsCap`: 10,000 and one per USD traded (PROTOCOL.md §8.2).
    pub(in crate::venue) fn requests_cap(&self) -> u64 {
        10_000 + self.volume.units().max(0).unsigned_abs() / 1_000_000
    }

    /// How it holds a market, or would: by default at the smaller of 20 and the market's largest
    /// leverage, cross where the market allows it.
    pub(in crate::venue) fn leverage(&self, at: usize, market: &Market) -> Leverage {
        let cross = market.listing.margin_mode == MarginMode::Cross;
        let most = market.listing.max_leverage.max(1);
        let set = self.leverages.get(&at).copied();
        let mut held = set.unwrap_or(Leverage { is_cross: cross, value: LEVERAGE.min(most) });
        if let Some(position) = self.positions.get(&at) {
            held = position.leverage;
        }
        Leverage { is_cross: held.is_cross && cross, value: held.value.clamp(1, most) }
    }

    /// The order that is meant; of several with one cloid the first that is known.
    pub(in crate::venue) fn order(&self, which: Which) -> Option<&OrderRecord> {
        match which {
            Which::Oid(oid) => self.orders.get(&oid),
            Which::Cloid(cloid) => self.orders.values().find(|one| one.row.cloid == Some(cloid)),
        }
    }

    /// The open orders, oldest first.
    pub(in crate::venue) fn open_orders(&self) -> impl Iterator<Item = &OrderRecord> + '_ {
        self.open.iter().filter_map(|oid| self.orders.get(oid))
    }

    /// Its position in a market in units of 1e-8, above zero when long.
    pub(super) fn szi(&self, at: usize) -> i64 {
        self.positions.get(&at).map_or(0, |position| position.szi)
    }

    /// Money that no isolated position holds, at entry prices.
    pub(super) fn free_cash(&self) -> Usd {
        let held = |sum: Usd, one: &Position| sum.saturating_add(one.margin);
        self.cash.saturating_sub(self.positions.values().fold(Usd::ZERO, held))
    }

    /// What cross positions leave of the free cash at the marks of `now`, open orders not counted.
    /// Their losses count, their profits do not until they are realised.
    pub(super) fn available(&self, markets: &[Market], now: Mono) -> Usd {
        let (mut used, mut gained) = (Usd::ZERO, Usd::ZERO);
        for (at, position) in self.positions.iter().filter(|(_, one)| one.leverage.is_cross) {
            let Some(mark) = markets.get(*at).map(|market| market.mark(now)) else { continue };
            used = used.saturating_add(position.margin_used(mark));
            gained = gained.saturating_add(position.unrealised(mark));
        }
        self.free_cash().saturating_add(gained.min(Usd::ZERO)).saturating_sub(used)
    }

    /// Margin that open orders bind, but `without` this one.
    pub(super) fn held_by_orders(&self, markets: &[Market], without: Option<u64>) -> Usd {
        let orders = self.open_orders().filter(|order| Some(order.row.oid) != without);
        orders.fold(Usd::ZERO, |sum, order| sum.saturating_add(self.held_by(order, markets)))
    }

    /// Margin that an open order binds: at its limit, for what it would open.
    fn held_by(&self, order: &OrderRecord, markets: &[Market]) -> Usd {
        let row = &order.row;
        let Some(market) = markets.get(order.market).filter(|_| !row.reduce_only) else {
            return Usd::ZERO;
        };
        let opening = row.sz.units() - self.closable(order.market, row.buy).min(row.sz.units());
        let leverage = self.leverage(order.market, market);
        money::margin(money::value(row.limit_px, opening), leverage.value)
    }

    /// How much an order of this side would close at most.
    pub(super) fn closable(&self, at: usize, buy: bool) -> i64 {
        let szi = self.szi(at);
        if (szi < 0) == buy { szi.saturating_abs() } else { 0 }
    }

    /// What it is worth at the marks of `now`.
    pub(in crate::venue) fn worth(&self, markets: &[Market], now: Mono) -> Worth {
        let mut worth = Worth { account_value: self.cash, raw_usd: self.cash, ..Worth::default() };
        for (at, position) in &self.positions {
            let Some(mark) = markets.get(*at).map(|market| market.mark(now)) else { continue };
            let value = money::floor(money::value(mark, position.szi));
            let (unrealised, used) = (position.unrealised(mark), position.margin_used(mark));
            let signed = Usd::from_units(value.units() * position.szi.signum());
            worth.account_value = worth.account_value.saturating_add(unrealised);
            worth.raw_usd = worth.raw_usd.saturating_add(unrealised).saturating_sub(signed);
            worth.total_ntl = worth.total_ntl.saturating_add(value);
            worth.margin_used = worth.margin_used.saturating_add(used);
        }
        let left = self.available(markets, now).saturating_sub(self.held_by_orders(markets, None));
        worth.withdrawable = left.max(Usd::ZERO);
        worth
    }

    /// Keeps a fill, and sums what it says.
    pub(super) fn tell(&mut self, row: FillRow) {
        let signed = if row.buy { row.sz.units() } else { -row.sz.units() };
        self.told.closed_pnl += i128::from(row.closed_pnl.units());
        self.told.fees += i128::from(row.fee.units());
        *self.told.net.entry(row.coin.clone()).or_default() += signed;
        if self.fills.len() == KEPT {
            self.fills.pop_front();
        }
        self.fills.push_back(row);
    }

    /// Keeps an order's record.
    pub(super) fn remember(&mut self, record: OrderRecord) {
        self.orders.insert(record.row.oid, record);
        self.forget();
    }

    /// The oldest order that ended makes room for others.
    pub(super) fn forget(&mut self) {
        if self.orders.len() - self.open.len() > KEPT {
            let ended = self.orders.keys().find(|oid| !self.open.contains(oid)).copied();
            ended.and_then(|oid| self.orders.remove(&oid));
        }
    }

    /// Whether an address may sign for it at `ms`.
    pub(super) fn has_agent(&self, signer: Address, ms: u64) -> bool {
        let stands = |agent: &Agent| agent.valid_until.is_none_or(|until| ms <= until);
        self.agents.iter().any(|agent| agent.address == signer && stands(agent))
    }

    /// Price of a trade at which its mean lies, of pairs of price and size.
    pub(super) fn mean_px(trades: &[(Px, Sz)]) -> Px {
        let value: i128 = trades.iter().map(|(px, sz)| money::value(*px, sz.units())).sum();
        let size: i128 = trades.iter().map(|(_, sz)| i128::from(sz.units())).sum();
        Px::from_units(i64::try_from(value / size.max(1)).unwrap_or(i64::MAX))
    }
}
