//! The machine that the engine runs on: its clock, its recorder and disk, what is kept of HardStop.

use std::path::{Path, PathBuf};

use crate::persistence::{Limits, Recovery, RunInfo, Store, StoreError};
use crate::runtime::os::{GIT_COMMIT, run_id};
use crate::runtime::ring::{Consumer, Producer, ring};
use crate::simulation::disk::{Mood, Spindle};
use crate::simulation::fault::{Chance, Fault, HostFaults};
use crate::types::account::RecordedTrades;
use crate::types::config::Config;
use crate::types::hard_stop::HardStop;
use crate::types::losses::{LossEntry, Losses};
use crate::types::record::{FEE_SIDES, Mode, Row};
use crate::types::time::{Mono, Nanos, Wall};

/// The wall clock at the beginning: 2026-11-22 at noon, UTC.
pub(super) const START: Wall = Wall(1_795_348_800_000_000_000);
/// The monotonic clock at the beginning.
pub(super) const ORIGIN: Mono = Mono(1_000_000_000);

/// Rows that may wait for the recorder: fewer than in a real run, so that it happens.
const ROWS: usize = 256;
/// The recorder looks for rows this often.
const RECORDER_IDLE: Nanos = Nanos::from_millis(2);

/// The clock of the host: what the wall shows, beside the time that passes.
#[derive(Clone, Debug, Default)]
pub(super) struct HostClock {
    /// How far it is off.
    offset: i64,
    /// How fast it gains, in parts per million.
    drift: i64,
    drift_since: Mono,
    /// When somebody sets it right.
    right_at: Option<Mono>,
}

impl HostClock {
    /// What it shows.
    pub(super) fn wall(&self, now: Mono) -> Wall {
        let passed = now.since(ORIGIN).0 as i64;
        Wall(START.0 + passed + self.off(now))
    }

    /// How far it is off.
    pub(super) fn off(&self, now: Mono) -> i64 {
        self.offset + now.since(self.drift_since).0 as i64 / 1_000_000 * self.drift
    }

    fn settle(&mut self, now: Mono) {
        self.offset = self.off(now);
        self.drift_since = now;
    }

    /// Sets it right.
    pub(super) fn set_right(&mut self) {
        *self = Self::default();
    }

    /// What may happen to it each second.
    pub(super) fn beat(&mut self, now: Mono, faults: &HostFaults, dice: &mut Chance) {
        if self.right_at.is_some_and(|at| at <= now) {
            self.set_right();
        }
        let soon = |dice: &mut Chance| now.plus(Nanos::from_secs(5 + dice.below(240)));
        if dice.hit(Fault::ClockStep, faults.clock_step) {
            self.settle(now);
            let most = if dice.below(3) == 0 { 3_600_000 } else { 2_000 };
            let step = dice.spread(1, most) as i64 * 1_000_000;
            self.offset += if dice.below(2) == 0 { step } else { -step };
            self.right_at = Some(soon(dice));
        }
        if dice.hit(Fault::ClockDrift, faults.clock_drift) {
            self.settle(now);
            self.drift = dice.range(-1_000, 1_000);
            self.right_at = Some(soon(dice));
        }
    }
}

/// Where rows go: the ring, the recorder, the disk.
pub(super) struct Recorder {
    pub(super) rows: Producer<Row>,
    taken: Consumer<Row>,
    store: Store,
    due: Mono,
    flush_at: Mono,
    flush_interval: Nanos,
    /// It takes nothing before then.
    pub(super) stalled_until: Mono,
    /// Rows that the ring did not take, and since when.
    pub(super) lost: Option<(u64, Wall)>,
    /// Whether there is something new.
    fresh: bool,
    blind_since: Option<Wall>,
    beat_at: Mono,
}

impl Recorder {
    /// Opens the store for one more process.
    pub(super) fn open(
        disk: &Spindle,
        dir: &Path,
        config: &Config,
        now: Mono,
        wall: Wall,
        process: u32,
    ) -> Result<(Self, Recovery), StoreError> {
        let run = RunInfo {
            run_id: run_id(wall, process),
            git_commit: GIT_COMMIT.to_owned(),
            config_hash: config.hash(),
            started_at: wall,
            mode: Mode::Trading,
            entry_latencies_ms: config.detector.entry_latencies_ms.clone(),
            slippage_bps: Some(config.detector.slippage),
            fee_sides: FEE_SIDES,
        };
        let disk = Box::new(disk.clone());
        let (store, recovery) = Store::open_on(disk, dir, run, wall, Limits::default())?;
        let (rows, taken) = ring(ROWS);
        let recorder = Self {
            rows,
            taken,
            store,
            due: now.plus(RECORDER_IDLE),
            flush_at: now.plus(config.persistence.flush_interval),
            flush_interval: config.persistence.flush_interval,
            stalled_until: Mono(0),
            lost: None,
            fresh: false,
            blind_since: Some(wall),
            beat_at: now,
        };
        Ok((recorder, recovery))
    }

    /// Which round trips have their rows.
    pub(super) fn recorded(&self) -> RecordedTrades {
        self.store.recorded().clone()
    }

    /// Takes a row, or counts it when the ring is full. Returns whether it was taken.
    pub(super) fn record(&mut self, wall: Wall, row: Row) -> bool {
        self.fresh = true;
        let taken = self.rows.push(row).is_ok();
        if !taken {
            let (lost, _) = self.lost.get_or_insert((0, wall));
            *lost += 1;
        }
        taken
    }

    /// Something is to be told beside rows.
    pub(super) fn wake(&mut self, blind_since: Option<Wall>) {
        self.fresh |= blind_since != self.blind_since;
        self.blind_since = blind_since;
    }

    /// When it does something.
    pub(super) fn next_due(&self) -> Mono {
        let due = self.flush_at.min(self.beat_at);
        let due = if self.fresh { self.due.min(due) } else { due };
        due.max(self.stalled_until)
    }

    /// Takes what waits, as the real one does in its loop.
    pub(super) fn advance(
        &mut self,
        now: Mono,
        wall: Wall,
        markets: u32,
        blind_since: Option<Wall>,
    ) {
        if now < self.next_due() {
            return;
        }
        while let Some(row) = self.taken.pop() {
            self.store.append(&row);
        }
        self.store.alive(wall, markets, blind_since);
        self.fresh = false;
        self.due = now.plus(RECORDER_IDLE);
        self.beat_at = now.plus(Nanos::from_secs(1));
        if now >= self.flush_at {
            self.store.flush(wall);
            self.flush_at = now.plus(self.flush_interval);
        }
    }

    /// The run ended in order.
    pub(super) fn close(mut self, wall: Wall) -> Result<(), StoreError> {
        while let Some(row) = self.taken.pop() {
            self.store.append(&row);
        }
        self.store.close(wall).map(|_| ())
    }
}

/// What outlives a process.
pub(super) struct Machine {
    pub(super) clock: HostClock,
    pub(super) disk: Spindle,
    pub(super) dir: PathBuf,
    disk_well_at: Mono,
    /// HardStop as it is kept, what is to be kept, and when that will be done.
    pub(super) kept: HardStop,
    /// What was won and lost, as it is kept.
    pub(super) losses: Losses,
    owed: Option<(HardStop, Mono)>,
    latch_fails_until: Mono,
}

impl Machine {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            clock: HostClock::default(),
            disk: Spindle::default(),
            dir,
            disk_well_at: Mono::MAX,
            kept: HardStop::default(),
            losses: Losses::default(),
            owed: None,
            latch_fails_until: Mono(0),
        }
    }

    /// HardStop is to be kept; the keeper takes some milliseconds, or as long as it cannot.
    pub(super) fn keep(
        &mut self,
        now: Mono,
        latch: HardStop,
        faults: &HostFaults,
        dice: &mut Chance,
    ) {
        if dice.hit(Fault::LatchFail, faults.latch_fail) {
            self.latch_fails_until = now.plus(Nanos::from_secs(1 + dice.below(30)));
        }
        let at = now.plus(Nanos::from_millis(3)).max(self.latch_fails_until);
        self.owed = Some((latch, at));
    }

    /// The process is gone, and with it what its keeper had not kept.
    pub(super) fn forget_owed(&mut self) {
        self.owed = None;
    }

    /// What an operator's own command does to the file while no engine runs.
    pub(super) fn release(&mut self) {
        self.losses.take(LossEntry::Forgotten);
        self.kept = HardStop::default();
    }

    pub(super) fn next_due(&self) -> Mono {
        self.owed.map_or(Mono::MAX, |(_, at)| at).min(self.disk_well_at)
    }

    pub(super) fn advance(&mut self, now: Mono) {
        if let Some((latch, _)) = self.owed.take_if(|(_, at)| *at <= now) {
            self.kept = latch;
        }
        if self.disk_well_at <= now {
            self.disk.set(Mood::Well);
            self.disk_well_at = Mono::MAX;
        }
    }

    /// What may happen each second.
    pub(super) fn beat(&mut self, now: Mono, faults: &HostFaults, dice: &mut Chance) {
        self.clock.beat(now, faults, dice);
        let a_while = |dice: &mut Chance| now.plus(Nanos::from_secs(1 + dice.below(180)));
        if dice.hit(Fault::DiskFull, faults.disk_full) {
            self.disk.set(Mood::Full);
            self.disk_well_at = a_while(dice);
        }
        if dice.hit(Fault::DiskFail, faults.disk_fail) {
            self.disk.set(Mood::Failing);
            self.disk_well_at = a_while(dice);
        }
    }

    /// Whether the disk does what it should.
    pub(super) fn disk_is_well(&self) -> bool {
        self.disk.mood() == Mood::Well
    }

    /// Everything works again.
    pub(super) fn repair(&mut self) {
        self.clock.set_right();
        self.disk.set(Mood::Well);
        self.disk_well_at = Mono::MAX;
        self.latch_fails_until = Mono(0);
    }
}
