//! Whether the books balance: laws that hold after every block.

use crate::types::num::Usd;
use crate::venue::action::Address;
use crate::venue::book::Owner;
use crate::venue::clearing::Clearing;
use crate::venue::clearing::account::{Account, KEPT};
use crate::venue::market::Market;

impl Clearing {
    /// Whether the books balance: what is wrong, in words, if they do not.
    ///
    /// Cash is the deposit and what the fills said; positions are what the fills said; money set
    /// aside is there; records, open orders and books agree.
    pub(in crate::venue) fn audit(&self, markets: &[Market]) -> Result<(), String> {
        for (user, account) in &self.accounts {
            account.audit_money().map_err(|what| format!("{user}: {what}"))?;
            account.audit_orders(markets).map_err(|what| format!("{user}: {what}"))?;
        }
        self.audit_books(markets)
    }

    /// Each open order stands in its book once, with its side, price and size, and nothing else
    /// of an account does.
    fn audit_books(&self, markets: &[Market]) -> Result<(), String> {
        let mut standing: Vec<(Address, u64)> = Vec::new();
        for (at, market) in markets.iter().enumerate() {
            for (side, resting) in market.book.of_accounts() {
                let Owner::Account { user, oid } = resting.owner else { continue };
                let account = self.accounts.get(&user).filter(|one| one.open.contains(&oid));
                let order = account.and_then(|account| account.orders.get(&oid));
                let agrees = order.is_some_and(|order| {
                    let row = &order.row;
                    order.market == at
                        && row.buy == (side == crate::types::num::Side::Buy)
                        && (row.limit_px, row.sz) == (resting.px, resting.sz)
                });
                if !agrees {
                    return Err(format!("{user}: order {oid} stands in the book otherwise"));
                }
                standing.push((user, oid));
            }
        }
        let before = standing.len();
        standing.sort_unstable();
        standing.dedup();
        let open: usize = self.accounts.values().map(|account| account.open.len()).sum();
        if (before, before) != (standing.len(), open) {
            return Err(format!("{open} orders are open, {before} stand in books"));
        }
        Ok(())
    }
}

impl Account {
    fn audit_money(&self) -> Result<(), String> {
        let told = i128::from(self.deposit.units()) + self.told.closed_pnl - self.told.fees;
        if told != i128::from(self.cash.units()) {
            return Err(format!("cash is {}, the fills say {told} of 1e-6", self.cash));
        }
        for position in self.positions.values() {
            if position.szi == 0 || position.entry_notional < 0 {
                return Err(format!("{}: a position of nothing", position.coin));
            }
            if position.margin < Usd::ZERO
                || position.leverage.is_cross && position.margin > Usd::ZERO
            {
                return Err(format!("{}: margin is {}", position.coin, position.margin));
            }
        }
        let net: Vec<(&str, i64)> = {
            let told = self.told.net.iter().filter(|(_, net)| **net != 0);
            told.map(|(coin, net)| (coin.as_str(), *net)).collect()
        };
        let mut held: Vec<(&str, i64)> =
            self.positions.values().map(|one| (one.coin.as_str(), one.szi)).collect();
        held.sort_unstable();
        if net != held {
            return Err(format!("positions are {held:?}, the fills say {net:?}"));
        }
        let isolated = self.positions.values().any(|one| one.margin.is_positive());
        if isolated && self.free_cash() < Usd::ZERO {
            return Err(format!("margins exceed the cash by {}", self.free_cash()));
        }
        Ok(())
    }

    fn audit_orders(&self, markets: &[Market]) -> Result<(), String> {
        for (oid, order) in &self.orders {
            let row = &order.row;
            let (open, left) = (self.open.contains(oid), row.sz.units());
            let sound = row.oid == *oid && left <= row.orig_sz.units() && left >= 0;
            let lives = match row.status {
                "open" => open && left > 0,
                _ => !open,
            };
            if !sound || !lives || markets.get(order.market).is_none() {
                return Err(format!("order {oid} is {row:?}, open: {open}"));
            }
            if open && row.reduce_only && left > self.closable(order.market, row.buy) {
                return Err(format!("order {oid} would do more than reduce"));
            }
        }
        if self.orders.len() > self.open.len() + KEPT || self.fills.len() > KEPT {
            return Err("too much is kept".to_owned());
        }
        Ok(())
    }
}
