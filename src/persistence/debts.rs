//! What the files still owe: every signal has its follow-ups and entry probes, every cross that had
//! a signal has its row. A run that dies leaves debts; the next one settles them, so that whoever
//! joins the files never meets a missing row and wonders.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::types::account::RecordedTrades;
use crate::types::ids::{Coin, CrossId, SignalId};
use crate::types::num::{Bps, Px, Side};
use crate::types::record::{
    CrossEnd, CrossRow, EntryRow, FOLLOW_UP_MS, FollowUpRow, Row, SampleStatus, SignalRow,
};
use crate::types::time::{Nanos, Wall};

/// Rows that are still to come, by what they belong to.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Debts {
    signals: BTreeMap<SignalId, OwedSignal>,
    crosses: BTreeMap<CrossId, OwedCross>,
    /// No debt itself: what is not in here may be one of the engine's.
    #[serde(default)]
    pub(super) recorded: RecordedTrades,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
struct OwedSignal {
    coin: Coin,
    side: Side,
    at: Wall,
    limit_px: Px,
    /// Follow-ups not yet seen, by their offset.
    follow_ups: Vec<u32>,
    /// Entry probes not yet seen, by their latency.
    entries: Vec<u32>,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
struct OwedCross {
    coin: Coin,
    side: Side,
    started_at: Wall,
    signals: u32,
    max_raw_edge: Bps,
}

impl Debts {
    /// None yet, of records that begin now.
    pub(super) fn beginning(now: Wall) -> Self {
        let recorded = RecordedTrades { since: Some(now), ..RecordedTrades::default() };
        Self { recorded, ..Self::default() }
    }

    /// Takes `row` into account; a signal owes an entry probe at each of `entry_latencies_ms`.
    pub(super) fn track(&mut self, row: &Row, entry_latencies_ms: &[u32]) {
        match row {
            Row::Signal(row) => self.track_signal(row, entry_latencies_ms),
            Row::FollowUp(row) => {
                self.pay(row.signal, |owed| owed.follow_ups.retain(|ms| *ms != row.offset_ms));
            }
            Row::Entry(row) => {
                self.pay(row.signal, |owed| owed.entries.retain(|ms| *ms != row.latency_ms));
            }
            Row::Cross(row) => {
                self.crosses.remove(&row.id);
            }
            Row::Trade(row) => self.recorded.add(row.coin, row.exited_at),
            Row::Gap(_) | Row::Order(_) => {}
        }
    }

    fn track_signal(&mut self, row: &SignalRow, entry_latencies_ms: &[u32]) {
        let touched = match row.side {
            Side::Buy => row.ask,
            Side::Sell => row.bid,
        };
        let owed = OwedSignal {
            coin: row.coin,
            side: row.side,
            at: row.detected_at,
            // There is no signal without a touched price; the oracle's is the nearest to it.
            limit_px: touched.map_or(row.oracle_px, |level| level.px),
            follow_ups: FOLLOW_UP_MS.to_vec(),
            entries: entry_latencies_ms.to_vec(),
        };
        self.signals.insert(row.id, owed);
        let cross = self.crosses.entry(row.cross).or_insert(OwedCross {
            coin: row.coin,
            side: row.side,
            started_at: row.detected_at.minus(row.cross_age),
            signals: 0,
            max_raw_edge: row.raw_edge,
        });
        cross.signals = cross.signals.saturating_add(1);
        cross.max_raw_edge = cross.max_raw_edge.max(row.raw_edge);
    }

    fn pay(&mut self, signal: SignalId, pay: impl FnOnce(&mut OwedSignal)) {
        if let Some(owed) = self.signals.get_mut(&signal) {
            pay(owed);
            if owed.follow_ups.is_empty() && owed.entries.is_empty() {
                self.signals.remove(&signal);
            }
        }
    }

    /// The rows that pay everything, as of `at`, when the run was last known alive: looks with
    /// nothing seen, and crosses that end by `end`. No look and no end lies before its beginning.
    pub(super) fn settle(&self, at: Wall, end: CrossEnd) -> Vec<Row> {
        let mut rows = Vec::new();
        for (id, owed) in &self.signals {
            for latency_ms in &owed.entries {
                rows.push(Row::Entry(EntryRow {
                    signal: *id,
                    coin: owed.coin,
                    side: owed.side,
                    signal_at: owed.at,
                    latency_ms: *latency_ms,
                    captured_at: at.max(owed.at),
                    limit_px: owed.limit_px,
                    px: None,
                    available_sz: None,
                    fillable_sz: None,
                    oracle_px: None,
                    status: SampleStatus::Shutdown,
                }));
            }
            for offset_ms in &owed.follow_ups {
                rows.push(Row::FollowUp(FollowUpRow {
                    signal: *id,
                    coin: owed.coin,
                    side: owed.side,
                    signal_at: owed.at,
                    offset_ms: *offset_ms,
                    captured_at: at.max(owed.at),
                    oracle_px: None,
                    bid: None,
                    ask: None,
                    raw_edge: None,
                    edge_change: None,
                    oracle_moved: None,
                    market_moved: None,
                    markout: None,
                    bbo_age: None,
                    status: SampleStatus::Shutdown,
                }));
            }
        }
        for (id, owed) in &self.crosses {
            let ended_at = at.max(owed.started_at);
            let lasted = ended_at.0.saturating_sub(owed.started_at.0);
            rows.push(Row::Cross(CrossRow {
                id: *id,
                coin: owed.coin,
                side: owed.side,
                started_at: owed.started_at,
                ended_at,
                duration: Nanos(u64::try_from(lasted).unwrap_or(0)),
                quote_survival: None,
                max_raw_edge: owed.max_raw_edge,
                signals: owed.signals,
                end,
            }));
        }
        rows
    }
}
