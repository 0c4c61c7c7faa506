//! The end of a run: nothing goes wrong any more, all comes to rest, and what is left is compared.

use std::collections::BTreeMap;

use crate::simulation::fault::{Fault, HostFaults};
use crate::simulation::judge::Invariant;
use crate::simulation::records::Money;
use crate::simulation::world::{USER, World, can_leave};
use crate::types::event::OperatorCommand;
use crate::types::time::{Mono, Nanos};
use crate::venue::{Faults, What};

/// What is under way is over after this.
const SETTLING: Nanos = Nanos::from_secs(60);
/// An end in order takes no longer.
const ENDING: Nanos = Nanos::from_secs(180);

impl World {
    /// Nothing goes wrong any more.
    pub(super) fn calm_down(&mut self) {
        self.quiet = true;
        self.lossy = false;
        self.dark_until = self.now;
        self.desk.repair();
        self.trouble_at = self.now;
        self.faults = HostFaults::default();
        self.venue.set_faults(self.now, Faults::default());
        self.machine.repair();
        if let Some(process) = &mut self.process {
            process.recorder.stalled_until = Mono(0);
            process.asleep_until = Mono(0);
            process.commands.push_back(OperatorCommand::Release(None));
        } else {
            self.reborn_at = self.reborn_at.min(self.now.plus(Nanos::from_secs(1)));
            self.machine.release();
        }
        self.release_at = self.now.plus(Nanos::from_secs(60));
    }

    /// After the quiet time, before the end: whatever is under way just now, within some seconds
    /// there is a moment at which engine and venue hold the same.
    pub(super) fn rest(&mut self) {
        let until = self.now.plus(SETTLING);
        let mut differs = self.differs();
        while differs.is_some() && self.judge.broken().is_none() && self.step(until) {
            differs = self.differs();
        }
        self.judge.hold(Invariant::Agrees, differs.is_none(), || differs.unwrap_or_default());
        let old = self.judge.oldest_open(self.now);
        self.judge.hold(Invariant::Settled, old <= SETTLING, || {
            format!("an order is open for {} s", old.as_millis() / 1000)
        });
    }

    /// How engine and venue differ, if they do.
    fn differs(&self) -> Option<String> {
        let Some(process) = &self.process else { return Some("no process lives".to_owned()) };
        let ready = process.engine.status(self.now).trading.ready;
        if !ready.but_for_hard_stop() {
            return Some(format!("not READY after a quiet time: {ready:?}"));
        }
        let ours: BTreeMap<String, i64> = process
            .engine
            .holdings()
            .map(|(coin, szi)| (coin.as_str().to_owned(), szi.units()))
            .collect();
        let theirs: BTreeMap<String, i64> =
            self.venue.stakes(USER).into_iter().map(|(coin, szi, _)| (coin, szi.units())).collect();
        (ours != theirs).then(|| format!("the engine holds {ours:?}, the venue {theirs:?}"))
    }

    /// Ends in order, and compares what is left.
    pub(super) fn finish(&mut self) {
        if let Some(process) = &mut self.process {
            process.stopping = true;
        }
        let number = self.counts.processes;
        let latest = self.now.plus(ENDING);
        while self.judge.broken().is_none()
            && self.process.as_ref().is_some_and(|process| process.number == number)
            && self.step(latest)
        {}
        let ended = self.process.is_none();
        self.judge.hold(Invariant::Ends, ended, || "an end in order does not come".to_owned());
        let recorded = self.compare_records();
        let open = self.venue.stakes(USER);
        let live = open.iter().any(|(coin, szi, _)| can_leave(&self.venue, coin, *szi));
        self.judge.hold(Invariant::Ends, !live, || format!("left open at the end: {open:?}"));
        let Some(books) = self.venue.books(USER) else { return };
        self.counts.fills = books.fills;
        // What the venue settles or takes is no trade of ours, nor is what an agent does elsewhere, and
        // what a full ring lost is lost.
        let settles = |what: &What| {
            matches!(what, What::Halt | What::Delist | What::Liquidate | What::AgentMoves)
        };
        // Nor can anybody tell a price from the same with one digit changed on the way.
        let garbled = self.profile.venue.on().contains(&"garble");
        // A liquidation takes no more than what backed the position.
        let liquidated = self.reach.seen().any(|(what, _)| what == "trade:foreign");
        let settled = garbled
            || liquidated
            || self.profile.host.is_on(Fault::Blackout)
            || self.profile.events.iter().any(settles);
        if let (Some(money), false, true) = (recorded, settled || self.rows_lost, open.is_empty()) {
            let theirs = Money {
                gross: i128::from(books.closed_pnl.units()),
                fees: i128::from(books.fees.units()),
            };
            self.judge.hold(Invariant::Money, money == theirs || self.clock_lies(), || {
                format!("the files say {money:?}, the venue {theirs:?} (1e-6 USD)")
            });
        }
    }

    /// Whether the host's clock was tampered with.
    fn clock_lies(&self) -> bool {
        let clock = [Fault::ClockStep, Fault::ClockDrift];
        clock.iter().any(|fault| self.profile.host.is_on(*fault))
    }

    fn compare_records(&mut self) -> Option<Money> {
        let latencies = &self.profile.config.detector.entry_latencies_ms;
        let times = !self.clock_lies();
        let compared = self.records.compare(&self.machine.dir, latencies, times);
        let gaps = matches!(compared, Err((true, _)));
        let money = compared.as_ref().ok().copied();
        let what = compared.err().map(|(_, what)| what);
        self.judge
            .hold(Invariant::Recorded, gaps || what.is_none(), || what.clone().unwrap_or_default());
        if times {
            self.judge.hold(Invariant::Gaps, !gaps, || what.unwrap_or_default());
        }
        money
    }
}
