//! What the dashboard knows: the last snapshot, the last rows, the last minutes. No clock, socket
//! or thread: time is an argument.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::dashboard::Facts;
use crate::dashboard::history::History;
use crate::dashboard::json::{Chart, Page, RowMessage, Shown, text};
use crate::types::record::{Mode, OrderRow, Row, SignalRow, TradeRow};
use crate::types::snapshot::{Percentiles, Snapshot};
use crate::types::status::Status;
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
    /// Whether there is a token, without which nothing is controlled.
    pub(super) has_token: bool,
    pub(super) snapshot: Snapshot,
    pub(super) histories: Vec<History>,
    pub(super) signals: VecDeque<SignalRow>,
    pub(super) orders: VecDeque<OrderRow>,
    pub(super) trades: VecDeque<TradeRow>,
    pub(super) latency: Vec<(&'static str, Percentiles)>,
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
pub(super) type Trouble = Cow<'static, str>;

impl Board {
    /// Nothing seen yet.
    pub(super) fn new(facts: Facts, has_token: bool) -> Self {
        Self {
            facts,
            has_token,
            snapshot: Snapshot::default(),
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
        if frames(&snapshot.status) > frames(&self.snapshot.status) {
            self.heard_at = Some(now);
        }
        self.shown_at = Some(now);
        let known = &self.snapshot.markets;
        self.changed.resize(snapshot.markets.len(), true);
        self.histories.resize_with(snapshot.markets.len(), History::default);
        for (index, market) in snapshot.markets.iter().enumerate() {
            self.changed[index] |= known.get(index) != Some(market);
            self.histories[index].see(snapshot.at, market);
        }
        self.stirred |= snapshot.status != self.snapshot.status
            || snapshot.positions != self.snapshot.positions;
        self.snapshot.clone_from(snapshot);
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
    pub(super) fn take_latency(&mut self, stage: &'static str, figures: Percentiles) {
        match self.latency.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, known)) => *known = figures,
            None => self.latency.push((stage, figures)),
        }
    }

    /// The update that is due, if one is.
    pub(super) fn update(&mut self, now: Mono) -> Option<String> {
        let waited = now.since(self.updated_at);
        let stirred = self.stirred || self.changed.contains(&true);
        let pause = if stirred { self.facts.update_interval.min(HEARTBEAT) } else { HEARTBEAT };
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
            return Err("the loop does not turn".into());
        }
        if !within(self.heard_at, self.facts.frame_patience) {
            return Err("no frames arrive".into());
        }
        Ok(())
    }

    /// Whether it does what its mode asks for: sees every market, and in trading may open.
    pub(super) fn ready(&self, now: Mono) -> Result<(), Trouble> {
        self.health(now)?;
        let status = &self.snapshot.status;
        if !(status.md_ready && status.link.is_open()) {
            return Err("not every market is seen".into());
        }
        match self.facts.mode {
            Mode::Trading if status.trading.hard_stop.active() => Err("HardStop holds".into()),
            Mode::Trading if !status.trading.ready.all() => Err("not READY".into()),
            Mode::Trading if status.trading.waiting.everywhere() => {
                let reasons: Vec<String> = status.trading.waiting.reasons().collect();
                Err(format!("entries wait for: {}", reasons.join(", ")).into())
            }
            Mode::Trading if status.trading.data_age.any() => {
                let old: Vec<&str> = status.trading.data_age.waiting().collect();
                Err(format!("entries wait for fresh data: {}", old.join(", ")).into())
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::Patience;
    use crate::types::status::LinkState;

    fn board(update_interval: Nanos) -> Board {
        let facts = Facts {
            mode: Mode::Observation,
            version: String::new(),
            run_id: String::new(),
            exit_reserve: 0,
            update_interval,
            frame_patience: Nanos::from_secs(30),
            max_pages: 1,
            patience: Patience::default(),
        };
        Board::new(facts, false)
    }

    fn snapshot(frames: u64) -> Snapshot {
        let status = Status { frames, md_ready: true, link: LinkState::Live, ..Status::default() };
        Snapshot { status, ..Snapshot::default() }
    }

    fn at(ms: u64) -> Mono {
        Mono(Nanos::from_millis(ms).0)
    }

    #[test]
    fn a_loop_may_be_silent_for_two_seconds_and_a_link_as_long_as_told() {
        let mut board = board(Nanos::from_millis(100));
        board.take_snapshot(at(1_000), &snapshot(5));
        assert_eq!(board.health(at(3_000)), Ok(()));
        let past = Mono(at(3_000).0 + 1);
        assert_eq!(board.health(past), Err("the loop does not turn".into()));
        // It turns on, and hears nothing more.
        board.take_snapshot(at(31_000), &snapshot(5));
        assert_eq!((board.health(at(31_000)), board.ready(at(31_000))), (Ok(()), Ok(())));
        let past = Mono(at(31_000).0 + 1);
        assert_eq!(board.health(past), Err("no frames arrive".into()));
        board.take_snapshot(past, &snapshot(6));
        assert_eq!(board.health(past), Ok(()));
    }

    #[test]
    fn where_snapshots_are_rare_five_of_them_may_be_missing() {
        let mut board = board(Nanos::from_secs(4));
        board.take_snapshot(at(0), &snapshot(1));
        assert_eq!(board.health(at(20_000)), Ok(()));
        assert_eq!(board.health(Mono(at(20_000).0 + 1)), Err("the loop does not turn".into()));
    }

    #[test]
    fn an_update_is_due_after_its_interval_and_a_sign_of_life_each_second() {
        let mut board = board(Nanos::from_millis(100));
        assert_eq!(board.update(at(5_000)), None, "nothing was shown yet");
        board.take_snapshot(at(5_000), &snapshot(1));
        assert!(board.update(at(5_000)).is_some());
        board.take_snapshot(at(5_050), &snapshot(2));
        assert_eq!(board.update(at(5_099)), None);
        assert!(board.update(at(5_100)).is_some(), "something changed");
        board.take_snapshot(at(5_200), &snapshot(2));
        assert_eq!(board.update(at(6_099)), None, "nothing did");
        assert!(board.update(at(6_100)).is_some());
    }

    #[test]
    fn signs_of_life_do_not_wait_for_a_long_interval() {
        let mut board = board(Nanos::from_secs(60));
        board.take_snapshot(at(5_000), &snapshot(1));
        assert!(board.update(at(5_000)).is_some());
        board.take_snapshot(at(5_500), &snapshot(2));
        assert_eq!(board.update(at(5_999)), None);
        assert!(board.update(at(6_000)).is_some());
    }

    #[test]
    fn rows_are_kept_up_to_a_bound_the_latest_of_them() {
        let mut rows = VecDeque::new();
        for row in 0..KEPT + 3 {
            keep(&mut rows, row);
        }
        assert_eq!((rows.len(), rows.front(), rows.back()), (KEPT, Some(&3), Some(&(KEPT + 2))));
    }
}
