//! What the hot thread shows the dashboard, and what it is asked from there.
//!
//! A snapshot is copied a few markets a turn, so that the next frame never waits for a long copy,
//! into memory that the dashboard has handed back. Has none come back, it is left out: whoever looks
//! slowly sees less, and the loop goes on.

use crate::engine::{Engine, MAX_MARKETS};
use crate::runtime::ring::{Consumer, Producer, ring};
use crate::types::event::OperatorCommand;
use crate::types::record::Row;
use crate::types::snapshot::Snapshot;
use crate::types::time::{Mono, Nanos, Now};

/// Markets copied in one turn of the loop (`benches/engine.rs` has what that takes).
const MARKETS_A_TURN: usize = 32;
/// Snapshots that exist: one is filled, one read, one on its way.
const SNAPSHOTS: usize = 3;
/// Rows that may wait for the dashboard.
const ROWS: usize = 1 << 12;
/// Commands that may wait for the loop.
const MAX_COMMANDS: usize = 16;

/// The hot thread's end.
#[derive(Debug)]
pub struct SnapshotPublisher {
    interval: Nanos,
    due: Mono,
    under_way: Option<Box<Snapshot>>,
    longest_turn: Nanos,
    skipped: u64,
    full: Producer<Box<Snapshot>>,
    spent: Consumer<Box<Snapshot>>,
    rows: Producer<Row>,
    commands: Consumer<OperatorCommand>,
}

/// The dashboard's end.
#[derive(Debug)]
pub struct SnapshotReceiver {
    /// What is shown.
    pub snapshots: Consumer<Box<Snapshot>>,
    /// Where snapshots go back that were read.
    pub spent: Producer<Box<Snapshot>>,
    /// Signals, orders and round trips, at once.
    pub rows: Consumer<Row>,
    /// What an operator wants.
    pub commands: Producer<OperatorCommand>,
}

/// What the loop knows beside the engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loop {
    /// Since the run began.
    pub uptime: Nanos,
    /// Turns so far.
    pub turns: u64,
    /// Notes lost to a full ring.
    pub notes_lost: u64,
    /// Rows lost that the engine was not told of yet.
    pub rows_lost: u64,
}

/// Both ends. All memory is taken here.
pub fn publisher(interval: Nanos) -> (SnapshotPublisher, SnapshotReceiver) {
    let (full, snapshots) = ring(SNAPSHOTS);
    let (mut give_back, spent) = ring(SNAPSHOTS);
    for _ in 0..SNAPSHOTS {
        // There is room: the ring was made for them.
        let _ = give_back.push(Box::new(Snapshot::with_room(MAX_MARKETS)));
    }
    let (rows, shown) = ring(ROWS);
    let (ask, commands) = ring(MAX_COMMANDS);
    let receiver = SnapshotReceiver { snapshots, spent: give_back, rows: shown, commands: ask };
    let publisher = SnapshotPublisher {
        interval,
        due: Mono(0),
        under_way: None,
        longest_turn: Nanos::ZERO,
        skipped: 0,
        full,
        spent,
        rows,
        commands,
    };
    (publisher, receiver)
}

impl SnapshotPublisher {
    /// Goes on with the snapshot that is due or under way.
    pub fn step(&mut self, now: Now, engine: &Engine, of_loop: Loop) {
        let Some(mut snapshot) = self.under_way.take().or_else(|| self.begin(now, engine, of_loop))
        else {
            return;
        };
        engine.show_markets(snapshot.markets.len(), MARKETS_A_TURN, &mut snapshot.markets);
        if snapshot.markets.len() < engine.markets().len() {
            self.under_way = Some(snapshot);
            return;
        }
        // There is room: the ring has a place for each snapshot that exists.
        let _ = self.full.push(snapshot);
    }

    fn begin(&mut self, now: Now, engine: &Engine, of_loop: Loop) -> Option<Box<Snapshot>> {
        if now.mono < self.due {
            return None;
        }
        // The first one is not late: nobody waited for it.
        let lag = if self.due == Mono(0) { Nanos::ZERO } else { now.mono.since(self.due) };
        self.due = now.mono.plus(self.interval);
        let Some(mut snapshot) = self.spent.pop() else {
            self.skipped += 1;
            return None;
        };
        let Snapshot { markets, positions, .. } = &mut *snapshot;
        markets.clear();
        positions.clear();
        engine.show_positions(now.mono, positions);
        let mut status = engine.status(now.mono);
        status.rows_lost += of_loop.rows_lost;
        (snapshot.at, snapshot.lag, snapshot.status) = (now, lag, status);
        (snapshot.uptime, snapshot.turns) = (of_loop.uptime, of_loop.turns);
        snapshot.longest_turn = std::mem::take(&mut self.longest_turn);
        snapshot.notes_lost = of_loop.notes_lost;
        (snapshot.rows_unshown, snapshot.skipped) = (self.rows.dropped(), self.skipped);
        Some(snapshot)
    }

    /// A turn that handled something took so long.
    pub fn turn_took(&mut self, took: Nanos) {
        self.longest_turn = self.longest_turn.max(took);
    }

    /// Shows what is worth a line on a page; what the ring cannot take is counted there.
    pub fn show(&mut self, row: &Row) {
        if matches!(row, Row::Signal(_) | Row::Order(_) | Row::Trade(_)) {
            let _ = self.rows.push(*row);
        }
    }

    /// The next command, if one waits.
    pub fn command(&mut self) -> Option<OperatorCommand> {
        self.commands.pop()
    }

    /// When the next step is due: at once while a snapshot is under way.
    pub fn next_due(&self) -> Mono {
        if self.under_way.is_some() { Mono(0) } else { self.due }
    }
}
