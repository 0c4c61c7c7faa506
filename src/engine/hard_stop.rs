//! READY, HardStop, the operator, and the end of a run.

use crate::engine::trader::Trader;
use crate::types::event::{Action, Actions, OperatorCommand};
use crate::types::hard_stop::StopReason;
use crate::types::log_event::LogEvent;
use crate::types::losses::LossEntry;
use crate::types::ready::Waiting;
use crate::types::status::{DataAge, ReadyFlags};
use crate::types::time::{Mono, Nanos, Now};

/// After a connect exits wait so long for a reading of the account: the position may have been closed
/// elsewhere. What is held has a way out all the same, so no longer.
const READ_FIRST: Nanos = Nanos::from_secs(3);
/// How long the end of a run waits for positions to close.
const STOPPING: Nanos = Nanos::from_secs(60);
/// How long it waits for answers once nothing is held, or when positions may stay.
const SETTLING: Nanos = Nanos::from_secs(10);

impl Trader {
    /// Sets a reason of HardStop: queued entries are dropped, exits go on.
    pub(super) fn stop_for(&mut self, now: Now, reason: StopReason, out: &mut Actions) {
        if self.hard_stop.set(reason, now.wall) {
            out.log(LogEvent::HardStopSet { reason });
            self.drop_queued_entries(now);
            self.keep_latch(reason, out);
        }
    }

    /// Releases a reason of HardStop.
    pub(super) fn release(&mut self, reason: StopReason, out: &mut Actions) {
        if self.hard_stop.release(reason) {
            out.log(LogEvent::HardStopReleased { reason });
            self.monitor.on_release(reason);
            if reason == StopReason::Loss {
                out.push(Action::KeepLoss(LossEntry::Forgotten));
            }
            self.keep_latch(reason, out);
        }
    }

    fn keep_latch(&self, changed: StopReason, out: &mut Actions) {
        // What a new start judges anew is not kept.
        if changed.lasts() {
            out.push(Action::KeepLatch(self.hard_stop.lasting()));
        }
    }

    pub(super) fn on_operator(&mut self, now: Now, command: OperatorCommand, out: &mut Actions) {
        match command {
            OperatorCommand::Halt => {
                out.log(LogEvent::Operator { what: "halt" });
                self.stop_for(now, StopReason::Operator, out);
            }
            OperatorCommand::Release(one) => {
                out.log(LogEvent::Operator { what: "release" });
                for reason in StopReason::ALL {
                    // The link decides over this one.
                    let wanted = one.is_none_or(|one| one == *reason);
                    if wanted && *reason != StopReason::Reconnecting {
                        self.release(*reason, out);
                    }
                }
            }
            OperatorCommand::Flatten => {
                out.log(LogEvent::Operator { what: "flatten" });
                self.flatten = true;
                self.drop_queued_entries(now);
            }
        }
    }

    /// The link is gone: what was sent has no answer, and what was not sent must not go out later.
    pub(super) fn on_disconnected(&mut self, now: Now, out: &mut Actions) {
        self.unlinked_since = Some(now.mono);
        self.orders_heard = false;
        self.fills_heard = false;
        self.drop_queued(now);
        self.orders.on_disconnected(now);
        self.budget.on_disconnected();
        self.forget_leverage_posts();
        self.stop_for(now, StopReason::Reconnecting, out);
    }

    pub(super) fn on_connected(&mut self, now: Now) {
        self.unlinked_since = None;
        // A link that comes and goes before any reading must not hold exits back each time.
        if self.reconciler.synced() {
            self.exits_read_first = now.mono.plus(READ_FIRST);
        }
        self.positions.relinked(now.mono);
        self.reconciler.on_reconnect(now.mono);
        self.reading.on_connected(now.mono);
    }

    /// Takes what is too old for entries, and tells when that changes.
    pub(super) fn take_age(&mut self, age: DataAge, out: &mut Actions) {
        if age != self.data_age {
            self.data_age = age;
            out.log(LogEvent::DataAge { age });
        }
    }

    /// Recounts READY, and releases what a reconnect had set.
    pub(super) fn update_readiness(
        &mut self,
        now: Now,
        md_ready: bool,
        open: bool,
        out: &mut Actions,
    ) {
        let held = ReadyFlags {
            md_ready,
            order_snapshot: self.orders_heard,
            fills_snapshot: self.fills_heard,
            position_synced: self.reconciler.synced(),
            ws_connected: open,
            hard_stop_clear: !self.hard_stop.active(),
        };
        if held.but_for_hard_stop() {
            self.release(StopReason::Reconnecting, out);
        }
        let ready = ReadyFlags { hard_stop_clear: !self.hard_stop.active(), ..held };
        let waiting = self.waiting(now.mono);
        let changed = ready != self.ready;
        if changed {
            self.ready = ready;
            self.leverage_at = self.leverage_at.min(now.mono);
        }
        if changed || waiting.kinds() != self.waiting.kinds() {
            out.log(LogEvent::Readiness { ready, waiting });
        }
        self.waiting = waiting;
        self.tell_budget(out);
    }

    /// What entries wait for in every market; what holds up single ones is counted where it is shown.
    pub(super) fn waiting(&self, now: Mono) -> Waiting {
        let (set, all) = self.leverage_set;
        Waiting {
            signer: !self.signer.is_ours(),
            budget: self.budget.at_reserve(),
            post_only: now < self.suspended_until,
            closing: self.flatten || self.stopping_until.is_some(),
            leverage: (set < all).then_some((set, all)),
            ..Waiting::default()
        }
    }

    /// Tells that the address budget has come down to what is kept for exits; again once it was well
    /// above that.
    fn tell_budget(&mut self, out: &mut Actions) {
        /// Requests above the reserve from which on it counts as recovered.
        const RECOVERED: i64 = 50;
        if self.budget.at_reserve() {
            if !std::mem::replace(&mut self.budget_told, true) {
                out.log(LogEvent::BudgetLow { left: self.budget.left() });
            }
        } else if self.budget.above_reserve() >= RECOVERED {
            self.budget_told = false;
        }
    }

    /// The run is to end: closes what is held first, if the config says so.
    pub(super) fn begin_stopping(&mut self, now: Now, out: &mut Actions) {
        if self.stopping_until.is_some() {
            return;
        }
        let open = self.positions.count_open();
        let flatten = self.settings.position.flatten_on_shutdown;
        if flatten && open > 0 {
            out.log(LogEvent::Flattening { positions: open });
        }
        // An order under way may become a position, and without a reading nothing is known.
        let unsettled = open > 0 || !self.orders.is_empty() || !self.reconciler.synced();
        let wait = if flatten && unsettled { STOPPING } else { SETTLING };
        self.stopping_until = Some(now.mono.plus(wait));
        self.drop_queued_entries(now);
    }

    /// Whether a run that is ending may end now.
    pub(super) fn may_end(&self, now: Mono) -> bool {
        let Some(until) = self.stopping_until else { return false };
        let open = self.settings.position.flatten_on_shutdown && self.positions.count_open() > 0;
        // What has not read its account does not know that it is flat; without markets there is
        // nothing that it could hold.
        let known = self.reconciler.synced() || self.entry_blocks.is_empty();
        (!open && known && self.orders.is_empty()) || now >= until
    }

    /// Says what is left open at the end.
    pub(super) fn report_open_positions(&self, out: &mut Actions) {
        let positions = self.positions.count_open();
        if positions > 0 {
            out.log(LogEvent::LeftOpen { positions });
        }
    }
}
