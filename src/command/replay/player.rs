//! An engine under a capture: it is told what was heard, when it was heard.

use crate::command::Failure;
use crate::command::replay::fill::Exchange;
use crate::command::replay::left::{Left, left};
use crate::engine::Engine;
use crate::runtime::capture::{Heard, Said};
use crate::types::account::Role;
use crate::types::event::{Action, Actions, Event};
use crate::types::hard_stop::StopReason;
use crate::types::ids::Address;
use crate::types::market::Bbo;
use crate::types::record::Row;
use crate::types::time::{Mono, Nanos, Now};

/// Virtual time after the capture. An engine that is told to stop gives itself less to close what it holds,
/// and its link, on which nothing comes any more, has less still: the books stay as they are, so what did
/// not close by then would not later.
const CLOSING: Nanos = Nanos::from_secs(180);

/// No engine is silent for longer, nor is its capture. Time that passes has to be lived through when orders
/// are filled here, deadline by deadline.
const LONGEST_SILENCE: Nanos = Nanos::from_secs(86_400);

/// What becomes of the rows.
pub(super) trait Rows {
    /// Takes one.
    fn take(&mut self, now: Now, row: &Row) -> Result<(), Failure>;
}

/// An engine, and how far it has come.
pub(super) struct Player {
    pub(super) engine: Engine,
    /// Who fills its orders, if not the captured answers do.
    exchange: Option<Exchange>,
    pub(super) now: Now,
    /// When the last line was heard.
    heard_at: Mono,
    pub(super) lines: u64,
    pub(super) frames: u64,
    /// Things that the capture misses.
    pub(super) holes: u64,
    stopped: bool,
    /// The account that the signer is said to be an agent of, where the capture does not say it.
    signs_for: Option<Address>,
    /// The quotes of all markets when the engine was told to stop: it forgets them when it ends.
    last_quotes: Vec<Option<Bbo>>,
}

impl Player {
    /// An engine that has not heard anything; `began` is when the capture did.
    ///
    /// Without an exchange it is told that time has passed when the captured engine was, so that what
    /// that one did is repeated to the last digit. With one it keeps its own time: its orders have
    /// deadlines that the captured engine did not have.
    pub(super) fn new(engine: Engine, exchange: Option<Exchange>, began: Now) -> Self {
        Self {
            engine,
            exchange,
            now: began,
            heard_at: began.mono,
            lines: 0,
            frames: 0,
            holes: 0,
            stopped: false,
            signs_for: None,
            last_quotes: Vec::new(),
        }
    }

    /// For a capture that does not hold what the venue said of the signer: it is an agent of `account`.
    pub(super) fn signing_for(self, account: Option<Address>) -> Self {
        Self { signs_for: account, ..self }
    }

    /// Plays one line. `actions` is empty before and after; it is large, so several players share it.
    ///
    /// Errors: rows that cannot be kept; with an exchange, a line a day after the one before.
    pub(super) fn play(
        &mut self,
        now: Now,
        said: Said<'_>,
        actions: &mut Actions,
        rows: &mut impl Rows,
    ) -> Result<(), Failure> {
        self.lines += 1;
        if self.exchange.is_some() && now.mono.since(self.heard_at) > LONGEST_SILENCE {
            // The first line describes the run.
            return Err(Failure::usage(format!(
                "line {}: m = {}: expected at most a day after the line before, m = {}",
                self.lines + 1,
                now.mono.0,
                self.heard_at.0,
            )));
        }
        self.heard_at = now.mono;
        self.frames += u64::from(matches!(said, Said::Frame(_)));
        if self.exchange.is_some() {
            self.pass_time(now, actions, rows)?;
        }
        if let Some(exchange) = &mut self.exchange {
            let hears = exchange.on_line(now, &said, &self.engine);
            self.deliver(now, actions, rows)?;
            if !hears {
                return Ok(());
            }
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

    /// Ends the run, as a stop would have, unless the capture did. An engine whose orders are filled
    /// here gets the time to close what it holds; the books stay as the capture left them.
    pub(super) fn end(
        &mut self,
        actions: &mut Actions,
        rows: &mut impl Rows,
    ) -> Result<(), Failure> {
        if self.stopped {
            return Ok(());
        }
        self.tell(self.now, Event::Stop, actions, rows)?;
        if self.exchange.is_none() || self.stopped {
            return Ok(());
        }
        let Now { mono, wall } = self.now;
        self.pass_time(Now { mono: mono.plus(CLOSING), wall: wall.plus(CLOSING) }, actions, rows)
    }

    /// What the engine still holds.
    pub(super) fn left(&self) -> Vec<Left> {
        left(&self.engine, &self.last_quotes, self.now.mono)
    }

    /// Why HardStop holds for good.
    pub(super) fn stopped_by(&self) -> Vec<StopReason> {
        let stop = self.engine.status(self.now.mono).trading.hard_stop.lasting();
        stop.reasons().map(|(reason, _)| reason).collect()
    }

    /// Does what is due before `now`: deadlines of the engine, and what its exchange has to do.
    fn pass_time(
        &mut self,
        now: Now,
        actions: &mut Actions,
        rows: &mut impl Rows,
    ) -> Result<(), Failure> {
        let mut told = None;
        while !self.stopped {
            // A deadline that holds on is not told again at the same moment.
            let own =
                Some(self.engine.next_due().max(self.now.mono)).filter(|own| told != Some(*own));
            let others = self.exchange.as_ref().map_or(Mono::MAX, Exchange::next_due);
            let due = own.unwrap_or(Mono::MAX).min(others.max(self.now.mono));
            if due >= now.mono {
                return Ok(());
            }
            if let Some(exchange) = &mut self.exchange
                && others <= due
            {
                exchange.advance(before(now, due), &self.engine);
                self.deliver(before(now, due), actions, rows)?;
                continue;
            }
            told = Some(due);
            self.tell(before(now, due), Event::Tick, actions, rows)?;
        }
        Ok(())
    }

    /// Tells the engine what its exchange has for it.
    fn deliver(
        &mut self,
        now: Now,
        actions: &mut Actions,
        rows: &mut impl Rows,
    ) -> Result<(), Failure> {
        while let Some(told) =
            self.exchange.as_mut().and_then(|exchange| exchange.next_told(now.mono))
        {
            self.hear(now, told.event(), actions, rows)?;
        }
        Ok(())
    }

    fn tell(
        &mut self,
        now: Now,
        event: Event<'_>,
        actions: &mut Actions,
        rows: &mut impl Rows,
    ) -> Result<(), Failure> {
        self.hear(now, event, actions, rows)?;
        self.deliver(now, actions, rows)
    }

    fn hear(
        &mut self,
        now: Now,
        event: Event<'_>,
        actions: &mut Actions,
        rows: &mut impl Rows,
    ) -> Result<(), Failure> {
        self.now = now;
        if matches!(event, Event::Stop) {
            let quotes = self.engine.markets().iter().map(|market| market.bbo);
            self.last_quotes = quotes.map(|quote| quote.map(|held| held.value)).collect();
        }
        self.engine.on_event(now, event, actions);
        if actions.is_empty() {
            return Ok(());
        }
        let mut role_asked = false;
        for action in actions.iter() {
            match action {
                Action::Record(row) => rows.take(now, &row)?,
                Action::Stopped => self.stopped = true,
                // Without an exchange what was sent and asked for then was answered then.
                Action::Send(span) => {
                    if let Some(exchange) = &mut self.exchange {
                        exchange.send(now, actions.text(span));
                    }
                }
                Action::ReadAccount { fills_since } => {
                    if let Some(exchange) = &mut self.exchange {
                        exchange.ask(now, fills_since);
                    }
                }
                Action::Exchange { post, .. } => {
                    if let Some(exchange) = &mut self.exchange {
                        exchange.refuse_rest(now, post);
                    }
                }
                Action::ReadSignerRole => match &mut self.exchange {
                    Some(exchange) => exchange.ask_signer_role(now),
                    None => role_asked = self.signs_for.is_some(),
                },
                Action::Close(_) => {
                    if let Some(exchange) = &mut self.exchange {
                        exchange.disconnect();
                    }
                }
                Action::Connect
                | Action::ReadUniverse
                | Action::KeepLatch(_)
                | Action::KeepLoss(_)
                | Action::Log(_) => {}
            }
        }
        actions.clear();
        if let (true, Some(user)) = (role_asked, self.signs_for) {
            self.hear(now, Event::SignerRole(Role::Agent { user }), actions, rows)?;
        }
        Ok(())
    }
}

/// The moment `at`, which lies before `now`, on both clocks.
fn before(now: Now, at: Mono) -> Now {
    Now { mono: at, wall: now.wall.minus(now.mono.since(at)) }
}
