//! Every counter of a run in one table: its name in the dashboard's snapshot, and in `/metrics`.
//!
//! A counter never decreases during a run. What can decrease is no counter, and stands in neither list.

use std::borrow::Cow;

use crate::types::order::RefusalClass;
use crate::types::record::{Check, Decision, ExitReason, Filter, Gate, Mode, Outcome};
use crate::types::snapshot::Snapshot;
use crate::types::time::Nanos;

/// What is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// Events.
    Events,
    /// Bytes.
    Bytes,
    /// Nanoseconds: seconds in `/metrics`, milliseconds in the snapshot.
    Time,
}

/// Names and values of labels in `/metrics`.
pub type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// One number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Counter {
    /// Name in the snapshot. Counters of several kinds of one thing are named `thing.kind`, and `thing`
    /// is their [total](Family::totals).
    pub name: Cow<'static, str>,
    /// What sets it apart from the others of its family in `/metrics`.
    pub labels: Labels,
    /// In the unit of the family.
    pub value: u64,
}

/// Counters that share a name in `/metrics`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Family {
    /// Name in `/metrics`, without `hip3_`, unit and `_total`.
    pub name: &'static str,
    /// What is counted, for people.
    pub help: &'static str,
    /// Unit of all values.
    pub unit: Unit,
    /// The counters.
    pub counters: Vec<Counter>,
    /// Totals that only the snapshot has: in `/metrics` they are summed up by whoever asks.
    pub totals: Vec<(&'static str, u64)>,
}

impl Family {
    fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, unit: Unit::Events, counters: Vec::new(), totals: Vec::new() }
    }

    /// A family of one counter without labels.
    fn single(metric: &'static str, help: &'static str, name: &'static str, value: u64) -> Self {
        Self::new(metric, help).with(name, Vec::new(), value)
    }

    fn unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    fn with(mut self, name: &'static str, labels: Labels, value: u64) -> Self {
        self.counters.push(Counter { name: name.into(), labels, value });
        self
    }

    /// Adds a counter for each kind of a thing, and their total. A kind has a name, labels and a value.
    fn by_kind<'a>(
        mut self,
        total: &'static str,
        kinds: impl IntoIterator<Item = (&'a str, Labels, u64)>,
    ) -> Self {
        let mut sum: u64 = 0;
        for (kind, labels, value) in kinds {
            sum = sum.saturating_add(self.in_snapshot(value));
            self.counters.push(Counter { name: format!("{total}.{kind}").into(), labels, value });
        }
        self.totals.push((total, sum));
        self
    }

    /// A value as the snapshot has it.
    fn in_snapshot(&self, value: u64) -> u64 {
        match self.unit {
            Unit::Events | Unit::Bytes => value,
            Unit::Time => Nanos(value).as_millis(),
        }
    }
}

fn label(name: &'static str, value: impl Into<Cow<'static, str>>) -> Labels {
    vec![(name, value.into())]
}

/// All counters, by family.
pub fn families(snapshot: &Snapshot, mode: Mode) -> Vec<Family> {
    let mut all = of_feed(snapshot);
    all.extend(of_records(snapshot, mode));
    all.extend(of_trading(snapshot));
    all.push(Family::single("loop_turns", "Turns of the hot loop", "turns", snapshot.turns));
    let ring = |name| label("ring", name);
    all.push(
        Family::new("ring_drops", "What full rings between threads could not take")
            .with("rows_lost", ring("records"), snapshot.status.rows_lost)
            .with("notes_lost", ring("notes"), snapshot.notes_lost)
            .with("rows_unshown", ring("dashboard"), snapshot.rows_unshown)
            .with("snapshots_skipped", ring("snapshots"), snapshot.skipped),
    );
    all
}

/// All counters and totals by their names in the snapshot.
pub fn by_name(snapshot: &Snapshot, mode: Mode) -> Vec<(Cow<'static, str>, u64)> {
    let mut all = Vec::new();
    for family in families(snapshot, mode) {
        all.extend(family.totals.iter().map(|(name, value)| (Cow::Borrowed(*name), *value)));
        for counter in &family.counters {
            all.push((counter.name.clone(), family.in_snapshot(counter.value)));
        }
    }
    all
}

fn of_feed(snapshot: &Snapshot) -> Vec<Family> {
    let status = &snapshot.status;
    let channel = |name| label("channel", name);
    let gate = |gate: Gate| label("gate", gate.name());
    let blocks = Gate::ALL.map(|g| (g.name(), gate(g), status.gate_blocks[g as usize]));
    let blocked = Gate::ALL.map(|g| (g.name(), gate(g), status.gate_blocked[g as usize].0));
    vec![
        Family::new("frames", "Frames understood, by channel")
            .with("bbo", channel("bbo"), status.bbo)
            .with("ctx", channel("activeAssetCtx"), status.ctx)
            .with("order_updates", channel("orderUpdates"), status.order_updates)
            .with("user_fills", channel("userFills"), status.user_fills)
            .with("user_events", channel("userEvents"), status.user_events)
            .with("posts", channel("post"), status.posts)
            .with("acks", channel("subscriptionResponse"), status.acks)
            .with("pongs", channel("pong"), status.pongs)
            .with("venue_errors", channel("error"), status.venue_errors)
            .with("ignored", channel("ignored"), status.ignored)
            .with("unknown", channel("unknown"), status.unknown),
        Family::single(
            "frames_received",
            "Frames of all kinds, malformed ones too",
            "frames",
            status.frames,
        ),
        Family::single(
            "frames_malformed",
            "Frames that could not be understood",
            "malformed",
            status.malformed,
        ),
        Family::single(
            "frames_slow_path",
            "Frames of an unusual shape, read slowly",
            "slow_path",
            status.fallback,
        ),
        Family::single("frames_received", "Bytes of all frames", "bytes", status.bytes)
            .unit(Unit::Bytes),
        Family::single("link_connects", "Links opened", "connects", status.connects),
        Family::single("link_disconnects", "Links lost", "disconnects", status.disconnects),
        Family::new("gate_blocks", "Times a gate began to block a market")
            .by_kind("gate_blocks", blocks),
        Family::new("gate_blocked", "How long a gate has blocked, summed over the markets")
            .unit(Unit::Time)
            .by_kind("gate_blocked_ms", blocked),
    ]
}

fn of_records(snapshot: &Snapshot, mode: Mode) -> Vec<Family> {
    let status = &snapshot.status;
    let trading = &status.trading;
    let observed = match mode {
        Mode::Observation => {
            status.signals.saturating_sub(status.signals_blocked.saturating_add(status.filtered()))
        }
        Mode::Trading => 0,
    };
    let decision = |name| label("decision", name);
    let stopped = Check::ALL.map(|check| {
        let labels = label("decision", Decision::Failed(check).to_string());
        (check.name(), labels, trading.stopped_by[check as usize])
    });
    let filtered = Filter::ALL.map(|filter| {
        let labels = label("decision", Decision::Filtered(filter).to_string());
        (filter.name(), labels, status.signals_filtered[filter as usize])
    });
    vec![
        Family::single("crosses", "Crosses begun", "crosses", status.crosses),
        Family::single("signals", "Signals recorded", "signals", status.signals),
        Family::new("decisions", "What became of signals")
            .with("observed", decision("observed"), observed)
            .with("signals_blocked", decision("blocked"), status.signals_blocked)
            .with("approved", decision("sent"), trading.approved)
            .with("below_minimum", decision("skipped:BelowMinimum"), trading.below_minimum)
            .by_kind("signals_filtered", filtered)
            .by_kind("stopped_by", stopped),
        Family::single(
            "signals_shed",
            "Signals too many to be followed up",
            "signals_shed",
            status.signals_shed,
        ),
        Family::single("follow_ups", "Follow-ups recorded", "followups", status.followups),
        Family::single("entry_probes", "Entry probes recorded", "entry_probes", status.entries),
        Family::single("gaps", "Times in which not everything was seen", "gaps", status.gaps),
    ]
}

fn of_trading(snapshot: &Snapshot) -> Vec<Family> {
    let trading = &snapshot.status.trading;
    let order = |purpose: &'static str, name: &'static str, value: &'static str| {
        vec![("purpose", purpose.into()), (name, value.into())]
    };
    let sent = ExitReason::ALL.map(|reason| {
        let labels = order("exit", "reason", reason.name());
        (reason.name(), labels, trading.exits_sent[reason as usize])
    });
    let ended = |purpose, counts: [u64; Outcome::ALL.len()]| {
        Outcome::ALL.map(|outcome| {
            let labels = order(purpose, "outcome", outcome.name());
            (outcome.name(), labels, counts[outcome as usize])
        })
    };
    let refusals = RefusalClass::ALL.map(|class| {
        (class.name(), label("class", class.name()), trading.refusals[class as usize])
    });
    let trades = ExitReason::ALL.map(|reason| {
        (reason.name(), label("exit", reason.name()), trading.trades[reason as usize])
    });
    let (nonce, result) = (|kind| label("nonce", kind), |result| label("result", result));
    vec![
        Family::new("orders_sent", "Orders that left, by what for")
            .with("entries_sent", order("entry", "reason", "signal"), trading.entries_sent)
            .by_kind("exits_sent", sent),
        Family::new("orders_ended", "Orders that are over, by how")
            .by_kind("entries_ended", ended("entry", trading.entries_ended))
            .by_kind("exits_ended", ended("exit", trading.exits_ended)),
        Family::single(
            "order_lookups",
            "Orders looked up because no answer came",
            "lookups",
            trading.lookups,
        ),
        Family::new("refusals", "Orders refused, by class").by_kind("refusals", refusals),
        Family::single("fills", "Fills, each counted once", "fills", trading.fills),
        Family::single(
            "fills_repeated",
            "Fills that came again",
            "fills_repeated",
            trading.fills_repeated,
        ),
        Family::new("round_trips", "Round trips, by exit").by_kind("trades", trades),
        Family::single(
            "round_trips_won",
            "Round trips with a profit after fees",
            "wins",
            trading.wins,
        ),
        Family::new("signatures", "Signatures made, by how")
            .with("signatures_presigned", nonce("presigned"), trading.presigned.0)
            .with("signatures_ordinary", nonce("ordinary"), trading.presigned.1),
        Family::new("account_reads", "Readings of the account")
            .with("account_reads", result("read"), trading.account_reads.0)
            .with("account_reads_failed", result("failed"), trading.account_reads.1),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_one_counter_in_both_lists() {
        let snapshot = Snapshot::default();
        let names = by_name(&snapshot, Mode::Trading);
        let distinct: BTreeSet<_> = names.iter().map(|(name, _)| name).collect();
        assert_eq!(distinct.len(), names.len());
        let mut metrics = BTreeSet::new();
        for family in families(&snapshot, Mode::Trading) {
            assert!(!family.counters.is_empty(), "{}", family.name);
            for counter in family.counters {
                let metric = (family.name, family.unit as u8, counter.labels);
                assert!(metrics.insert(metric), "{} {}", family.name, counter.name);
            }
        }
    }

    #[test]
    fn a_total_is_the_sum_of_its_kinds_as_the_snapshot_has_them() {
        let mut snapshot = Snapshot::default();
        snapshot.status.gate_blocked[0] = Nanos(1_999_999);
        snapshot.status.gate_blocked[1] = Nanos::from_millis(5);
        snapshot.status.trading.stopped_by = [1; Check::ALL.len()];
        let all = by_name(&snapshot, Mode::Trading);
        let value = |name: &str| all.iter().find(|(known, _)| known == name).map(|(_, n)| *n);
        assert_eq!(value("gate_blocked_ms"), Some(6));
        let [first, second, ..] = Gate::ALL.map(|gate| format!("gate_blocked_ms.{}", gate.name()));
        assert_eq!((value(&first), value(&second)), (Some(1), Some(5)));
        assert_eq!(value("stopped_by"), Some(8));
        assert_eq!(value("stopped_by.NotReady"), Some(1));
    }
}
