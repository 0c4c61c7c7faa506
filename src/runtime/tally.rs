//! What a run recorded, counted while it is stored: the summary at its end.

use std::collections::BTreeMap;

use crate::types::ids::Coin;
use crate::types::num::Usd;
use crate::types::order::Purpose;
use crate::types::record::{
    ExitReason, FOLLOW_UP_MS, OrderRow, Outcome, Row, SampleStatus, TradeRow,
};

/// What trading in one market came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TradingTally {
    /// Entries that ended, by [`Outcome`].
    pub entries: [u64; Outcome::ALL.len()],
    /// Exits that ended, by [`Outcome`].
    pub exits: [u64; Outcome::ALL.len()],
    /// Exits that left, by [`ExitReason`].
    pub exits_sent: [u64; ExitReason::ALL.len()],
    /// Round trips, by [`ExitReason`].
    pub trades: [u64; ExitReason::ALL.len()],
    /// Of them, with a profit after fees.
    pub wins: u64,
    /// Profit before fees.
    pub gross: Usd,
    /// Fees; below zero is a rebate.
    pub fees: Usd,
    /// Profit after fees.
    pub net: Usd,
}

impl TradingTally {
    /// Entries that left: all that ended but those that never did.
    pub fn entries_sent(&self) -> u64 {
        self.entries.iter().sum::<u64>() - self.entries[Outcome::Dropped as usize]
    }

    /// Entries that ended like this.
    pub fn entries_that(&self, outcome: Outcome) -> u64 {
        self.entries[outcome as usize]
    }

    /// Round trips.
    pub fn round_trips(&self) -> u64 {
        self.trades.iter().sum()
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn count_order(&mut self, row: &OrderRow) {
        let outcome = row.outcome as usize;
        match row.purpose {
            Purpose::Entry(_) => self.entries[outcome] += 1,
            Purpose::Exit(reason) => {
                self.exits[outcome] += 1;
                self.exits_sent[reason as usize] += u64::from(row.outcome != Outcome::Dropped);
            }
        }
    }

    fn count_trade(&mut self, row: &TradeRow) {
        self.trades[row.exit as usize] += 1;
        self.wins += u64::from(row.net.is_positive());
        self.gross = self.gross.saturating_add(row.gross);
        self.fees = self.fees.saturating_add(row.fees);
        self.net = self.net.saturating_add(row.net);
    }

    fn add(&mut self, other: &Self) {
        fn sum<const N: usize>(mine: &mut [u64; N], theirs: [u64; N]) {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
        }
        sum(&mut self.entries, other.entries);
        sum(&mut self.exits, other.exits);
        sum(&mut self.exits_sent, other.exits_sent);
        sum(&mut self.trades, other.trades);
        self.wins += other.wins;
        self.gross = self.gross.saturating_add(other.gross);
        self.fees = self.fees.saturating_add(other.fees);
        self.net = self.net.saturating_add(other.net);
    }
}

/// Counts of one market.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MarketTally {
    /// Crosses that ended.
    pub crosses: u64,
    /// Signals.
    pub signals: u64,
    /// Of them, blocked by a gate.
    pub blocked: u64,
    /// Largest raw edge of a signal, bps.
    pub best_edge_bps: f64,
    /// Sum of the raw edges of all signals, bps.
    edge_sum_bps: f64,
    /// Markouts of the follow-ups, by offset: how many, and their sum in bps.
    markouts: [(u64, f64); FOLLOW_UP_MS.len()],
    /// Entry probes that saw the market, and those that could have been filled whole.
    entries: (u64, u64),
    /// Orders and round trips.
    pub trading: TradingTally,
}

impl MarketTally {
    /// Mean raw edge of the signals, bps.
    pub fn mean_edge_bps(&self) -> Option<f64> {
        (self.signals > 0).then(|| self.edge_sum_bps / self.signals as f64)
    }

    /// Mean markout of the follow-ups at [`FOLLOW_UP_MS`]`[n]`, bps.
    pub fn mean_markout_bps(&self, n: usize) -> Option<f64> {
        let (count, sum) = self.markouts.get(n).copied()?;
        (count > 0).then(|| sum / count as f64)
    }

    /// Share of the entry probes that found at least the suggested size at the signal's price.
    pub fn fillable_share(&self) -> Option<f64> {
        let (seen, whole) = self.entries;
        (seen > 0).then(|| whole as f64 / seen as f64)
    }

    fn add(&mut self, other: &Self) {
        self.crosses += other.crosses;
        self.signals += other.signals;
        self.blocked += other.blocked;
        self.best_edge_bps = self.best_edge_bps.max(other.best_edge_bps);
        self.edge_sum_bps += other.edge_sum_bps;
        for (mine, theirs) in self.markouts.iter_mut().zip(other.markouts) {
            *mine = (mine.0 + theirs.0, mine.1 + theirs.1);
        }
        self.entries = (self.entries.0 + other.entries.0, self.entries.1 + other.entries.1);
        self.trading.add(&other.trading);
    }
}

/// Counts of a run, by market.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    markets: BTreeMap<Coin, MarketTally>,
    /// Suggested sizes of signals whose entry probes are still to come.
    wanted: BTreeMap<u64, i64>,
}

impl Tally {
    /// Counts a row.
    pub fn count(&mut self, row: &Row) {
        match row {
            Row::Signal(row) => {
                let market = self.market(row.coin);
                let edge = row.raw_edge.to_f64();
                market.signals += 1;
                market.blocked += u64::from(row.blocked_by.is_some());
                market.best_edge_bps = market.best_edge_bps.max(edge);
                market.edge_sum_bps += edge;
                self.wanted.insert(row.id.0, row.suggested_sz.units());
            }
            Row::FollowUp(row) => {
                let n = FOLLOW_UP_MS.iter().position(|ms| *ms == row.offset_ms);
                if let (Some(n), Some(markout)) = (n, row.markout) {
                    let market = self.market(row.coin);
                    let (count, sum) = &mut market.markouts[n];
                    *count += 1;
                    *sum += markout.to_f64();
                }
                if Some(&row.offset_ms) == FOLLOW_UP_MS.last() {
                    self.wanted.remove(&row.signal.0); // Its last look.
                }
            }
            Row::Entry(row) => {
                let wanted = self.wanted.get(&row.signal.0).copied();
                if let (Some(wanted), Some(fillable), SampleStatus::Captured) =
                    (wanted.filter(|wanted| *wanted > 0), row.fillable_sz, row.status)
                {
                    let (seen, whole) = &mut self.market(row.coin).entries;
                    *seen += 1;
                    *whole += u64::from(fillable.units() >= wanted);
                }
            }
            Row::Cross(row) => self.market(row.coin).crosses += 1,
            Row::Order(row) => self.market(row.coin).trading.count_order(row),
            Row::Trade(row) => self.market(row.coin).trading.count_trade(row),
            Row::Gap(_) => {}
        }
    }

    fn market(&mut self, coin: Coin) -> &mut MarketTally {
        self.markets.entry(coin).or_default()
    }

    /// All markets that had something, by name.
    pub fn markets(&self) -> impl Iterator<Item = (&Coin, &MarketTally)> {
        self.markets.iter()
    }

    /// All markets together.
    pub fn total(&self) -> MarketTally {
        let mut total = MarketTally::default();
        self.markets.values().for_each(|market| total.add(market));
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ids::{AssetId, SignalId};
    use crate::types::num::{Px, Side, Sz};
    use crate::types::order::Cloid;
    use crate::types::time::{Nanos, Wall};

    fn order(coin: &str, purpose: Purpose, outcome: Outcome) -> Row {
        Row::Order(OrderRow {
            cloid: Cloid(1),
            oid: None,
            nonce: None,
            coin: Coin::new(coin).expect("a name"),
            asset: AssetId(1),
            side: Side::Buy,
            px: Px::ZERO,
            sz: Sz::ZERO,
            reduce_only: false,
            purpose,
            outcome,
            refusal: None,
            filled: Sz::ZERO,
            avg_px: None,
            fee: Usd::ZERO,
            created_at: Wall(0),
            sent_at: None,
            answered_at: None,
            updated_at: None,
            filled_at: None,
            ended_at: Wall(0),
            send_latency: None,
            answer_latency: None,
        })
    }

    fn trade(coin: &str, exit: ExitReason, gross: i64, fees: i64) -> Row {
        Row::Trade(TradeRow {
            id: 1,
            signal: None,
            coin: Coin::new(coin).expect("a name"),
            asset: AssetId(1),
            side: Side::Buy,
            sz: Sz::ZERO,
            entry_px: Px::ZERO,
            exit_px: Px::ZERO,
            entered_at: Wall(0),
            exited_at: Wall(0),
            held: Nanos::ZERO,
            exit,
            gross: Usd::from_units(gross),
            fees: Usd::from_units(fees),
            net: Usd::from_units(gross - fees),
            fills: 2,
            adopted: false,
        })
    }

    #[test]
    fn orders_and_round_trips_are_counted_by_market_and_sum_up() {
        let mut tally = Tally::default();
        let entry = Purpose::Entry(SignalId(1));
        let exit = Purpose::Exit(ExitReason::TimeStop);
        for row in [
            order("a:A", entry, Outcome::Filled),
            order("a:A", entry, Outcome::Expired),
            order("a:A", entry, Outcome::Dropped),
            order("a:B", entry, Outcome::Rejected),
            order("a:A", exit, Outcome::Expired),
            order("a:A", exit, Outcome::Dropped),
            order("a:A", exit, Outcome::Filled),
            trade("a:A", ExitReason::TimeStop, 500, 100),
            trade("a:B", ExitReason::Foreign, -500, 100),
            trade("a:B", ExitReason::Foreign, 100, 100),
        ] {
            tally.count(&row);
        }
        let (_, a) = tally.markets().next().expect("the first market");
        assert_eq!((a.trading.entries_sent(), a.trading.round_trips()), (2, 1));
        assert_eq!(a.trading.entries_that(Outcome::Expired), 1);
        let total = tally.total().trading;
        assert_eq!((total.entries_sent(), total.entries_that(Outcome::Rejected)), (3, 1));
        assert_eq!(
            total.exits_sent[ExitReason::TimeStop as usize],
            2,
            "what was dropped never left"
        );
        assert_eq!(total.exits[Outcome::Dropped as usize], 1);
        assert_eq!((total.round_trips(), total.wins), (3, 1), "no profit is no win");
        assert_eq!(total.trades[ExitReason::Foreign as usize], 2);
        assert_eq!(
            (total.gross, total.fees, total.net),
            (Usd::from_units(100), Usd::from_units(300), Usd::from_units(-200))
        );
        assert!(!total.is_empty() && Tally::default().total().trading.is_empty());
    }
}
