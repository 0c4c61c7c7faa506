//! What the dashboard knows: the last snapshot, the last rows, the last minutes. No clock, socket
//! or thread: time is an argument.

use std::collections::VecDeque;

use crate::dashboard::Facts;
use crate::dashboard::history::History;
use crate::dashboard::json::{Chart, Page, RowMessage, Shown, text};
use crate::types::note::Status;
use crate::types::record::{Mode, OrderRow, Row, SignalRow, TradeRow};
use crate::types::snapshot::{Figures, Snapshot};
use crate::types::time::{Mono, Nanos};

/// Rows that are kept of a kind: charts mark them long after the list has passed them.
const KEPT: usize = 2_000;
/// An update goes out at least this often, so that a page knows that it is not forgotten.
const HEARTBEAT: Nanos = Nanos::from_secs(1);
/// A loop that has shown nothing for this long does not turn.
const LOOP_PATIENCE: Nanos = Nanos::from_secs(2);

/// The state.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) facts: Facts,
    pub(super) shot: Snapshot,
    pub(super) histories: Vec<History>,
    pub(super) signals: VecDeque<SignalRow>,
    pub(super) orders: VecDeque<OrderRow>,
    pub(super) trades: VecDeque<TradeRow>,
    pub(super) latency: Vec<(&'static str, Figures)>,
    /// Markets that changed since the last update, by place.
    changed: Vec<bool>,
    /// Whether anything else did.
    stirred: bool,
    updated_at: Mono,
    /// When the last snapshot came, and when the last one that had more frames than before.
    shown_at: Option<Mono>,
    heard_at: Option<Mono>,
    /// Sockets open now, and those dropped because they read too slowly.
    pub(super) clients: u32,
    pub(super) clients_dropped: u64,
}

/// Why something is not well.
pub(super) type Trouble = &'static str;

impl Board {
    /// Nothing seen yet.
    pub(super) fn new(facts: Facts) -> Self {
        Self {
            facts,
            shot: Snapshot::default(),
            histories: Vec::new(),
            signals: VecDeque::new(),
            orders: VecDeque::new(),
            trades: VecDeque::new(),
            latency: Vec::new(),
            changed: Vec::new(),
            stirred: false,
            updated_at: Mono(0),
            shown_at: None,
            heard_at: None,
            clients: 0,
            clients_dropped: 0,
        }
    }

    /// Takes what the hot thread shows; `now` is the dashboard's own clock.
    pub(super) fn take_snapshot(&mut self, now: Mono, snapshot: &Snapshot) {
        let frames = |status: &Status| status.frames;
        if frames(&snapshot.status) > frames(&self.shot.status) {
            self.heard_at = Some(now);
        }
        self.shown_at = Some(now);
        let known = &self.shot.markets;
        self.changed.resize(snapshot.markets.len(), true);
        self.histories.resize_with(snapshot.markets.len(), History::default);
        for (index, shot) in snapshot.markets.iter().enumerate() {
            self.changed[index] |= known.get(index) != Some(shot);
            self.histories[index].see(snapshot.at, shot);
        }
        self.stirred |=
            snapshot.status != self.shot.status || snapshot.positions != self.shot.positions;
        self.shot.clone_from(snapshot);
    }

    /// Takes a row; what is to be said of it at once, if anything.
    pub(super) fn take_row(&mut self, row: &Row) -> Option<String> {
        match row {
            Row::Signal(row) => {
                keep(&mut self.signals, *row);
                Some(text(&RowMessage::Signal { signal: row.shown() }))
            }
            Row::Order(row) => {
                keep(&mut self.orders, *row);
                Some(text(&RowMessage::Order { order: row.shown() }))
            }
            Row::Trade(row) => {
                keep(&mut self.trades, *row);
                Some(text(&RowMessage::Trade { trade: row.shown() }))
            }
            Row::FollowUp(_) | Row::Entry(_) | Row::Cross(_) | Row::Gap(_) => None,
        }
    }

    /// Takes what the lengths of a stage come to so far.
    pub(super) fn take_latency(&mut self, stage: &'static str, figures: Figures) {
        match self.latency.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, known)) => *known = figures,
            None => self.latency.push((stage, figures)),
        }
    }

    /// The update that is due, if one is.
    pub(super) fn update(&mut self, now: Mono) -> Option<String> {
        let waited = now.since(self.updated_at);
        let stirred = self.stirred || self.changed.contains(&true);
        let pause = if stirred { self.facts.update_interval } else { HEARTBEAT };
        if waited < pause || self.shown_at.is_none() {
            return None;
        }
        self.updated_at = now;
        let changed = std::mem::take(&mut self.changed);
        let update = text(&Page::update(self, &changed));
        self.changed = changed;
        self.changed.fill(false);
        self.stirred = false;
        Some(update)
    }

    /// The whole snapshot, as a message on the socket or as an answer.
    pub(super) fn snapshot(&self, as_message: bool) -> String {
        text(&Page::whole(self, as_message))
    }

    /// What a chart of this market shows; `None` when it is not watched.
    pub(super) fn chart(&self, coin: &str) -> Option<String> {
        Chart::of(self, coin).map(|chart| text(&chart))
    }

    /// Whether the loop turns and frames arrive.
    pub(super) fn health(&self, now: Mono) -> Result<(), Trouble> {
        let within = |at: Option<Mono>, patience| at.is_some_and(|at| now.since(at) <= patience);
        let patience = LOOP_PATIENCE.max(Nanos(self.facts.update_interval.0.saturating_mul(5)));
        if !within(self.shown_at, patience) {
            return Err("the loop does not turn");
        }
        if !within(self.heard_at, self.facts.frame_patience) {
            return Err("no frames arrive");
        }
        Ok(())
    }

    /// Whether it does what its mode asks for: sees every market, and in trading may open.
    pub(super) fn ready(&self, now: Mono) -> Result<(), Trouble> {
        self.health(now)?;
        let status = &self.shot.status;
        if !(status.md_ready && status.link.is_open()) {
            return Err("not every market is seen");
        }
        match self.facts.mode {
            Mode::Trading if status.trading.hard_stop.active() => Err("HardStop holds"),
            Mode::Trading if !status.trading.ready.all() => Err("not READY"),
            Mode::Trading | Mode::Observation => Ok(()),
        }
    }
}

fn keep<T>(rows: &mut VecDeque<T>, row: T) {
    if rows.len() == KEPT {
        rows.pop_front();
    }
    rows.push_back(row);
}

/// Counters by name, for a page: `/metrics` has them with labels and units.
pub(super) fn counters(shot: &Snapshot) -> impl Iterator<Item = (&'static str, u64)> {
    let Snapshot { status, .. } = shot;
    let trading = &status.trading;
    [
        ("frames", status.frames),
        ("bytes", status.bytes),
        ("bbo", status.bbo),
        ("ctx", status.ctx),
        ("order_updates", status.order_updates),
        ("user_fills", status.user_fills),
        ("user_events", status.user_events),
        ("posts", status.posts),
        ("acks", status.acks),
        ("pongs", status.pongs),
        ("ignored", status.ignored),
        ("unknown", status.unknown),
        ("malformed", status.malformed),
        ("slow_path", status.fallback),
        ("venue_errors", status.venue_errors),
        ("connects", status.connects),
        ("disconnects", status.disconnects),
        ("crosses_open", status.crosses_open.into()),
        ("crosses", status.crosses),
        ("signals", status.signals),
        ("signals_blocked", status.signals_blocked),
        ("followups", status.followups),
        ("entry_probes", status.entries),
        ("gaps", status.gaps),
        ("rows_lost", status.rows_lost),
        ("rows_unshown", shot.rows_unshown),
        ("notes_lost", shot.notes_lost),
        ("snapshots_skipped", shot.skipped),
        ("signals_shed", status.signals_shed),
        ("approved", trading.approved),
        ("below_minimum", trading.below_minimum),
        ("entries_sent", trading.entries_sent),
        ("exits_sent", trading.exits_sent.iter().sum()),
        ("fills", trading.fills),
        ("fills_repeated", trading.fills_repeated),
        ("lookups", trading.lookups),
        ("account_reads", trading.account_reads.0),
        ("account_reads_failed", trading.account_reads.1),
    ]
    .into_iter()
}
