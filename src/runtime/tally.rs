//! What a run recorded, counted while it is stored: the summary at its end.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::types::ids::Coin;
use crate::types::record::{Capture, FOLLOW_UP_MS, Row};

/// Counts of one market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
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
                let market = self.markets.entry(row.coin).or_default();
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
                    let market = self.markets.entry(row.coin).or_default();
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
                if let (Some(wanted), Some(fillable), Capture::Captured) =
                    (wanted.filter(|wanted| *wanted > 0), row.fillable_sz, row.status)
                {
                    let (seen, whole) = &mut self.markets.entry(row.coin).or_default().entries;
                    *seen += 1;
                    *whole += u64::from(fillable.units() >= wanted);
                }
            }
            Row::Cross(row) => self.markets.entry(row.coin).or_default().crosses += 1,
            Row::Gap(_) | Row::Order(_) | Row::Trade(_) => {}
        }
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
