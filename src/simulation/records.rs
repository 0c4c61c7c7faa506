//! What the engine said, held against what is in the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::persistence::read_days;
use crate::types::log_event::LogEvent;
use crate::types::record::{FOLLOW_UP_MS, Row, RowKind};
use crate::types::time::{Nanos, Wall};

/// A time of blindness may be this much longer than its gap says, at either end.
const EDGE: Nanos = Nanos::from_millis(100);

/// Sums over the round trips in the files, in 1e-6 USD.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Money {
    pub(super) gross: i128,
    pub(super) fees: i128,
}

/// What one process handed to its recorder.
#[derive(Clone, Debug, Default)]
struct Said {
    signals: Vec<u64>,
    orders: Vec<String>,
    /// It ended in order, and its records were closed.
    whole: bool,
}

/// What all of them did.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorded {
    processes: Vec<Said>,
    /// Signals that the ring did not take: their looks may be there all the same.
    lost: BTreeSet<i128>,
    blind_since: Option<Wall>,
    blind: Vec<(Wall, Wall)>,
}

impl Recorded {
    /// A process starts; nothing was seen since the one before ended.
    pub(super) fn born(&mut self, wall: Wall) {
        self.processes.push(Said::default());
        self.blind_since.get_or_insert(wall);
    }

    /// It is gone; `whole` when its records were closed in order.
    pub(super) fn gone(&mut self, wall: Wall, whole: bool) {
        if let Some(said) = self.processes.last_mut() {
            said.whole = whole;
        }
        self.blind_since.get_or_insert(wall);
    }

    /// A row was handed to the recorder.
    pub(super) fn row(&mut self, row: &Row) {
        let Some(said) = self.processes.last_mut() else { return };
        match row {
            Row::Signal(row) => said.signals.push(row.id.0),
            Row::Order(row) => said.orders.push(row.cloid.to_string()),
            _ => {}
        }
    }

    /// A row was lost to a full ring.
    pub(super) fn lost(&mut self, row: &Row) {
        if let Row::Signal(row) = row {
            self.lost.insert(i128::from(row.id.0));
        }
    }

    /// Something was told.
    pub(super) fn log_event(&mut self, wall: Wall, event: &LogEvent) {
        match event {
            LogEvent::LinkDown { .. } => _ = self.blind_since.get_or_insert(wall),
            LogEvent::Ready { .. } => {
                if let Some(since) = self.blind_since.take() {
                    self.blind.push((since, wall));
                }
            }
            _ => {}
        }
    }

    /// Compares. `latencies` are the probes of every signal; without `times` the clock was tampered
    /// with, and gaps say nothing.
    ///
    /// Errors: what is wrong, and whether it concerns gaps alone.
    pub(super) fn compare(
        &self,
        dir: &Path,
        latencies: &[u32],
        times: bool,
    ) -> Result<Money, (bool, String)> {
        let read = |kind, columns: &[&str]| {
            read_days(dir, kind, columns).map_err(|error| (false, error.to_string()))
        };
        let wrong = |what: String| Err((false, what));
        let signals = read(RowKind::Signals, &["signal_id", "cross_id"])?;
        let mut recorded = BTreeSet::new();
        let mut crosses_of_signals = BTreeSet::new();
        for row in 0..signals.rows {
            let id = signals.int("signal_id", row).unwrap_or(-1);
            if !recorded.insert(id) {
                return wrong(format!("signal {id} is in the files twice"));
            }
            crosses_of_signals.insert(signals.int("cross_id", row).unwrap_or(-1));
        }
        for (kind, column, wanted) in [
            (RowKind::FollowUps, "offset_ms", &FOLLOW_UP_MS[..]),
            (RowKind::Entries, "latency_ms", latencies),
        ] {
            let table = read(kind, &["signal_id", column])?;
            let mut looks: BTreeMap<i128, Vec<i128>> = BTreeMap::new();
            for row in 0..table.rows {
                let id = table.int("signal_id", row).unwrap_or(-1);
                looks.entry(id).or_default().push(table.int(column, row).unwrap_or(-1));
            }
            let wanted: Vec<i128> = wanted.iter().map(|ms| i128::from(*ms)).collect();
            for id in &recorded {
                let mut own = looks.remove(id).unwrap_or_default();
                own.sort_unstable();
                if own != wanted {
                    let file = kind.file_stem();
                    return wrong(format!("signal {id} has {own:?} in {file}, not {wanted:?}"));
                }
            }
            if let Some(id) = looks.keys().find(|id| !self.lost.contains(*id)) {
                return wrong(format!(
                    "{} tells of signal {id}, which is nowhere",
                    kind.file_stem()
                ));
            }
        }
        let crosses = read(RowKind::Crosses, &["cross_id"])?;
        let mut ended = BTreeSet::new();
        for row in 0..crosses.rows {
            let id = crosses.int("cross_id", row).unwrap_or(-1);
            if !ended.insert(id) {
                return wrong(format!("cross {id} ends twice"));
            }
        }
        if let Some(id) = crosses_of_signals.difference(&ended).next() {
            return wrong(format!("cross {id} never ends"));
        }
        let orders = read(RowKind::Orders, &["cloid"])?;
        let mut names = BTreeSet::new();
        for row in 0..orders.rows {
            let name = orders.text("cloid", row).unwrap_or_default().to_owned();
            if !names.insert(name.clone()) {
                return wrong(format!("order {name} is in the files twice"));
            }
        }
        for (number, said) in (1..).zip(&self.processes) {
            prefix(&said.signals, said.whole, |id| recorded.contains(&i128::from(*id)))
                .map_err(|what| (false, format!("signals of process {number}: {what}")))?;
            prefix(&said.orders, said.whole, |name| names.contains(name))
                .map_err(|what| (false, format!("orders of process {number}: {what}")))?;
        }
        if times {
            self.compare_gaps(dir)?;
        }
        let trades = read(RowKind::Trades, &["trade_id", "pnl_before_fees", "fees"])?;
        let mut money = Money::default();
        let mut ids = BTreeSet::new();
        for row in 0..trades.rows {
            if !ids.insert(trades.int("trade_id", row)) {
                return wrong(format!(
                    "trade {:?} is in the files twice",
                    trades.get("trade_id", row)
                ));
            }
            // 1e-8 in the files, 1e-6 here.
            money.gross += trades.int("pnl_before_fees", row).unwrap_or_default() / 100;
            money.fees += trades.int("fees", row).unwrap_or_default() / 100;
        }
        Ok(money)
    }

    fn compare_gaps(&self, dir: &Path) -> Result<(), (bool, String)> {
        let gaps = read_days(dir, RowKind::Gaps, &["started_at", "ended_at"])
            .map_err(|error| (true, error.to_string()))?;
        let mut told: Vec<(i128, i128)> = (0..gaps.rows)
            .filter_map(|row| Some((gaps.int("started_at", row)?, gaps.int("ended_at", row)?)))
            .collect();
        told.sort_unstable();
        let edge = i128::from(EDGE.0);
        for (since, until) in &self.blind {
            let (mut at, until) = (i128::from(since.0) + edge, i128::from(until.0) - edge);
            for (start, end) in &told {
                if *start <= at + edge {
                    at = at.max(*end);
                }
            }
            if at < until {
                let seconds = (until - at) as f64 / 1e9;
                return Err((
                    true,
                    format!(
                        "of a blindness from {} to {} no gap tells the last {seconds:.3} s",
                        since.0, until
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// Of what was said in order all is there, or a beginning of it.
fn prefix<T: std::fmt::Debug>(
    said: &[T],
    whole: bool,
    there: impl Fn(&T) -> bool,
) -> Result<(), String> {
    let first_missing = said.iter().position(|one| !there(one));
    match first_missing {
        None => Ok(()),
        Some(at) if whole => {
            Err(format!("{:?} is missing, number {at} of {}", said[at], said.len()))
        }
        Some(at) => match said[at..].iter().find(|one| there(one)) {
            Some(later) => {
                Err(format!("{:?} is missing, and {later:?} behind it is there", said[at]))
            }
            None => Ok(()),
        },
    }
}
