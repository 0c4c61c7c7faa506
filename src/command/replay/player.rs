//! An engine under a capture: it is told what was heard, when it was heard.

use crate::command::Failure;
use crate::engine::Engine;
use crate::runtime::capture::{Heard, Said};
use crate::types::event::{Action, Actions, Event};
use crate::types::record::Row;
use crate::types::time::{Mono, Now};

/// What becomes of the rows.
pub(super) trait Rows {
    /// Takes one.
    fn take(&mut self, now: Now, row: &Row) -> Result<(), Failure>;
}

/// When an engine is told that its deadlines have passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ticks {
    /// When the captured engine was told: what it did is repeated to the last digit.
    Captured,
    /// When they pass: an engine with other settings has others than the captured one had.
    Due,
}

/// An engine, and how far it has come.
pub(super) struct Player {
    pub(super) engine: Engine,
    ticks: Ticks,
    pub(super) now: Now,
    pub(super) lines: u64,
    pub(super) frames: u64,
    /// Things that the capture misses.
    pub(super) holes: u64,
    stopped: bool,
}

impl Player {
    /// An engine that has not heard anything; `began` is when the capture did.
    pub(super) fn new(engine: Engine, ticks: Ticks, began: Now) -> Self {
        Self { engine, ticks, now: began, lines: 0, frames: 0, holes: 0, stopped: false }
    }

    /// Plays one line. `actions` is empty before and after; it is large, so several players share it.
    pub(super) fn play(
        &mut self,
        now: Now,
        said: Said<'_>,
        actions: &mut Actions,
        rows: &mut impl Rows,
    ) -> Result<(), Failure> {
        self.lines += 1;
        self.frames += u64::from(matches!(said, Said::Frame(_)));
        if self.ticks == Ticks::Due {
            self.pass_time(now, actions, rows)?;
        }
        match said.event() {
            Some(event) => self.tell(now, event, actions, rows),
            None => {
                if let Said::Other(Heard::Missing(lines)) = said {
                    self.holes += lines;
                }
                Ok(())
            }
        }
    }

    /// Ends the run, as a stop would have, unless the capture did.
    pub(super) fn end(
        &mut self,
        actions: &mut Actions,
        rows: &mut impl Rows,
    ) -> Result<(), Failure> {
        if self.stopped { Ok(()) } else { self.tell(self.now, Event::Stop, actions, rows) }
    }

    /// Tells the engine of every deadline that passes before `now`.
    fn pass_time(
        &mut self,
        now: Now,
        actions: &mut Actions,
        rows: &mut impl Rows,
    ) -> Result<(), Failure> {
        let mut told = None;
        loop {
            let due = self.engine.next_due().max(self.now.mono);
            // One that holds on is not told again at the same moment.
            if due >= now.mono || told == Some(due) {
                return Ok(());
            }
            told = Some(due);
            self.tell(before(now, due), Event::Tick, actions, rows)?;
        }
    }

    fn tell(
        &mut self,
        now: Now,
        event: Event<'_>,
        actions: &mut Actions,
        rows: &mut impl Rows,
    ) -> Result<(), Failure> {
        self.now = now;
        self.engine.on_event(now, event, actions);
        if actions.is_empty() {
            return Ok(());
        }
        for action in actions.iter() {
            match action {
                Action::Record(row) => rows.take(now, &row)?,
                Action::Stopped => self.stopped = true,
                // What was sent and asked for then was answered then.
                Action::Connect
                | Action::Close(_)
                | Action::Send(_)
                | Action::ReadUniverse
                | Action::ReadAccount { .. }
                | Action::KeepLatch(_)
                | Action::Note(_) => {}
            }
        }
        actions.clear();
        Ok(())
    }
}

/// The moment `at`, which lies before `now`, on both clocks.
fn before(now: Now, at: Mono) -> Now {
    Now { mono: at, wall: now.wall.minus(now.mono.since(at)) }
}
