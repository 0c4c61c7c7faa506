//! What was seen at least once: a run over many seeds that misses something proves less than it
//! says.

use std::collections::BTreeMap;

use crate::executor::orders::Transitions;
use crate::types::counters;
use crate::types::hard_stop::StopReason;
use crate::types::log_event::LogEvent;
use crate::types::order::{Purpose, RefusalClass};
use crate::types::record::{
    Check, CrossEnd, Decision, ExitReason, Filter, GapCause, Gate, Mode, Outcome, Row, SampleStatus,
};
use crate::types::snapshot::Snapshot;
use crate::types::status::Status;

/// How often each thing was seen.
#[derive(Clone, Debug, Default)]
pub struct Reach(BTreeMap<String, u64>);

impl Reach {
    /// Counts one occurrence of `what`.
    pub(super) fn see(&mut self, what: &str) {
        match self.0.get_mut(what) {
            Some(count) => *count += 1,
            None => _ = self.0.insert(what.to_owned(), 1),
        }
    }

    fn add(&mut self, what: String, count: u64) {
        if count > 0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    /// Takes another one in.
    pub fn join(&mut self, other: &Reach) {
        for (what, count) in &other.0 {
            *self.0.entry(what.clone()).or_default() += count;
        }
    }

    /// All that was seen, with how often.
    pub fn seen(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(what, count)| (what.as_str(), *count))
    }

    /// Of everything that must be seen, what was not.
    pub fn missing(&self) -> Vec<String> {
        wanted().into_iter().filter(|what| !self.0.contains_key(what)).collect()
    }

    pub(super) fn row(&mut self, row: &Row) {
        match row {
            Row::Signal(row) => match row.decision {
                Decision::Sent => self.see("decision:sent"),
                Decision::BelowMinimum => self.see("decision:BelowMinimum"),
                other => self.see(&format!("decision:{other}")),
            },
            Row::FollowUp(row) => self.see(capture(row.status)),
            Row::Entry(row) => self.see(capture(row.status)),
            Row::Cross(row) => self.see(&format!("cross_end:{}", row.end.name())),
            Row::Gap(row) => self.see(&format!("gap:{}", row.cause.name())),
            Row::Order(row) => {
                let kind = if row.reduce_only { "exit" } else { "entry" };
                self.see(&format!("{kind}:{}", row.outcome.name()));
                if let Some(refusal) = row.refusal {
                    self.see(&format!("refusal:{}", refusal.name()));
                    self.see(&format!("refusal_class:{}", refusal.class().name()));
                }
                if let Purpose::Exit(reason) = row.purpose {
                    self.see(&format!("exit_for:{}", reason.name()));
                }
            }
            Row::Trade(row) => {
                self.see(&format!("trade:{}", row.exit.name()));
                if row.adopted {
                    self.see("trade:adopted");
                }
            }
        }
    }

    pub(super) fn log_event(&mut self, event: &LogEvent) {
        match event {
            LogEvent::HardStopSet { reason } => self.see(&format!("stop:{}", reason.name())),
            LogEvent::HardStopReleased { reason } => {
                self.see(&format!("released:{}", reason.name()));
            }
            LogEvent::LinkDown { cause, .. } => self.see(&format!("link_down:{}", cause.name())),
            LogEvent::Gate { gate: Some(gate), .. } => self.see(&format!("gate:{}", gate.name())),
            LogEvent::OrderInDoubt { .. } => self.see("order:in_doubt"),
            LogEvent::FillRowsMissing { .. } => self.see("order:rows_missing"),
            LogEvent::FillsAssumed { .. } => self.see("order:rows_assumed"),
            LogEvent::ExitAtCollar { .. } => self.see("exit:at_collar"),
            LogEvent::ExitPastCollar { .. } => self.see("exit:past_collar"),
            LogEvent::ExitByRest { .. } => self.see("exit:by_rest"),
            LogEvent::ExitMissed { .. } => self.see("exit:missed"),
            LogEvent::PositionAdopted { .. } => self.see("position:adopted"),
            LogEvent::PositionDiffers { .. } => self.see("position:differs"),
            LogEvent::ForeignFill { .. } => self.see("fill:foreign"),
            LogEvent::Suspended { .. } => self.see("suspended"),
            LogEvent::SignerNotOurs { .. } => self.see("signer:not_ours"),
            LogEvent::LossLimit(limit) => self.see(&format!("loss:{}", limit.within.name())),
            LogEvent::BudgetLow { .. } => self.see("budget:low"),
            LogEvent::LeverageRefused { .. } => self.see("leverage:refused"),
            LogEvent::SetAside { .. } => self.see("market:set_aside"),
            LogEvent::Joined { .. } => self.see("market:joined"),
            LogEvent::Listed { .. } => self.see("market:listed"),
            LogEvent::Halted { .. } => self.see("market:halted"),
            LogEvent::Resumed { .. } => self.see("market:resumed"),
            LogEvent::ParamChanged { .. } => self.see("market:param_changed"),
            LogEvent::UniverseFailed { .. } => self.see("universe:failed"),
            LogEvent::AccountFailed { .. } => self.see("account:failed"),
            LogEvent::RowsLost { .. } => self.see("rows:lost"),
            LogEvent::OiNearCap { .. } => self.see("oi:near_cap"),
            _ => {}
        }
    }

    /// Counters of a process at its end, and what its orders went through.
    pub(super) fn process(&mut self, status: &Status, transitions: Transitions) {
        for (from, to) in transitions.iter() {
            self.see(&format!("order:{}→{}", from.name(), to.name()));
        }
        for (name, count) in metrics(status) {
            self.add(format!("metric:{name}"), count);
        }
    }
}

fn capture(status: SampleStatus) -> &'static str {
    match status {
        SampleStatus::Captured => "look:captured",
        SampleStatus::Stale => "look:stale",
        SampleStatus::Disconnected => "look:disconnected",
        SampleStatus::Shutdown => "look:shutdown",
    }
}

/// The engine's counters, by name, but for those that nothing here can move: signatures are made
/// ordinarily, there is no time for a thread to presign; and what a venue complains of, or who floods
/// the engine with signals, has tests of its own. Rings and turns are the machine's, and kinds of things
/// are seen by the rows and log events that report them.
fn metrics(status: &Status) -> impl Iterator<Item = (String, u64)> {
    const ELSEWHERE: [&str; 8] = [
        "signatures_presigned",
        "venue_errors",
        "signals_shed",
        "observed",
        "turns",
        "notes_lost",
        "rows_unshown",
        "snapshots_skipped",
    ];
    let snapshot = Snapshot { status: *status, ..Snapshot::default() };
    let known = |name: &str| !ELSEWHERE.contains(&name) && !name.contains('.');
    let all = counters::by_name(&snapshot, Mode::Trading).into_iter();
    all.filter(move |(name, _)| known(name)).map(|(name, count)| (name.into_owned(), count))
}

/// Everything that must be seen over the seeds of a full run, by name.
pub fn wanted() -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut want = |kind: &str, names: &mut dyn Iterator<Item = &'static str>| {
        all.extend(names.map(|name| format!("{kind}:{name}")));
    };
    want("gate", &mut Gate::ALL.iter().map(|gate| gate.name()));
    // A cross ends when its ctx goes stale, so no signal is ever blocked by gate 2.
    let blocked = Gate::ALL.iter().filter(|gate| **gate != Gate::CtxUpdate);
    want("decision:blocked", &mut blocked.map(|gate| gate.name()));
    let rejected = Check::ALL.iter().filter(|check| check.rejects()).map(|check| check.name());
    want("decision:rejected", &mut rejected.into_iter());
    let skipped = Check::ALL.iter().filter(|check| !check.rejects()).map(|check| check.name());
    want("decision:skipped", &mut skipped.into_iter());
    want("decision:filtered", &mut Filter::ALL.iter().map(|filter| filter.name()));
    want("decision", &mut ["sent", "BelowMinimum"].into_iter());
    want("look", &mut ["captured", "stale", "disconnected", "shutdown"].into_iter());
    let ends = [
        CrossEnd::Quote,
        CrossEnd::Oracle,
        CrossEnd::NoQuote,
        CrossEnd::Stale,
        CrossEnd::Disconnected,
        CrossEnd::Shutdown,
    ];
    want("cross_end", &mut ends.iter().map(|end| end.name()));
    let causes = [GapCause::Start, GapCause::LinkDown, GapCause::RingOverflow];
    want("gap", &mut causes.iter().map(|cause| cause.name()));
    // What becomes of an order can always be found out here, given time.
    let outcomes = || Outcome::ALL.iter().filter(|outcome| **outcome != Outcome::Unknown);
    want("entry", &mut outcomes().map(|outcome| outcome.name()));
    want("exit", &mut outcomes().map(|outcome| outcome.name()));
    want("exit", &mut ["missed", "at_collar"].into_iter());
    let exits = ExitReason::ALL.iter().filter(|reason| **reason != ExitReason::Foreign);
    want("exit_for", &mut exits.map(|reason| reason.name()));
    want("trade", &mut ExitReason::ALL.iter().map(|reason| reason.name()));
    want("trade", &mut ["adopted"].into_iter());
    // A file that cannot be read is a matter of the real file, and has tests of its own.
    let reasons = StopReason::ALL.iter().filter(|reason| **reason != StopReason::StateUnreadable);
    want("stop", &mut reasons.clone().map(|reason| reason.name()));
    want("released", &mut reasons.map(|reason| reason.name()));
    let downs = ["unreachable", "dropped", "closed", "silent", "protocol", "stopped"];
    want("link_down", &mut downs.into_iter().filter(|name| *name != "stopped"));
    want(
        "market",
        &mut ["set_aside", "joined", "listed", "halted", "resumed", "param_changed"].into_iter(),
    );
    want("refusal", &mut MUST_REFUSE.into_iter());
    want("refusal_class", &mut RefusalClass::ALL.iter().map(|class| class.name()));
    want("order", &mut ORDER_WAYS.into_iter());
    let single = [
        "order:in_doubt",
        "position:adopted",
        "position:differs",
        "fill:foreign",
        "suspended",
        "budget:low",
        "leverage:refused",
        "universe:failed",
        "account:failed",
        "rows:lost",
        "oi:near_cap",
        "start_failed",
    ];
    all.extend(single.into_iter().map(str::to_owned));
    all.extend(metrics(&Status::default()).map(|(name, _)| format!("metric:{name}")));
    all
}

/// What orders must go through: a fill that overrules an end among it.
const ORDER_WAYS: [&str; 8] = [
    "pending→submitted",
    "submitted→filled",
    "submitted→partially_filled",
    "submitted→rejected",
    "submitted→expired",
    "partially_filled→filled",
    "expired→filled",
    "expired→partially_filled",
];

/// Refusals of orders that must be met.
const MUST_REFUSE: [&str; 30] = [
    "no_match",
    "no_liquidity",
    "too_late",
    "reduce_only",
    "tick",
    "min_notional",
    "post_only_crossed",
    "trigger_px",
    "far_from_oracle",
    "far_from_reference",
    "value_too_large",
    "zero_size",
    "invalid_px",
    "invalid_sz",
    "over_weight",
    "unknown_signer",
    "duplicate_nonce",
    "nonce_range",
    "unreadable",
    "unlisted",
    "margin",
    "spot_balance",
    "margin_tier",
    "priority_balance",
    "must_deposit",
    "too_many_open_orders",
    "open_interest_cap",
    "open_interest_speed",
    "post_only_mode",
    "halted",
];
