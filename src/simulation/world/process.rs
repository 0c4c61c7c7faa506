//! One process of the engine: its birth, the turns of its loop, its end or its death.
//!
//! The loop is that of `runtime/hot`, step by step: ticks, answers, commands, bytes, lost rows.

use std::collections::VecDeque;

use crate::engine::{Engine, Wallet};
use crate::executor::encode::Encoder;
use crate::executor::signer::{Signer, SigningNetwork};
use crate::runtime::link::LinkEvent;
use crate::runtime::os::first_id;
use crate::simulation::desk::{Answer, Request};
use crate::simulation::fault::Fault;
use crate::simulation::judge::Invariant;
use crate::simulation::line::{Line, hear};
use crate::simulation::machine::Recorder;
use crate::simulation::world::{USER, World, key};
use crate::types::event::{Action, Actions, Event, LinkDown, OperatorCommand};
use crate::types::log_event::LogEvent;
use crate::types::record::Row;
use crate::types::time::{Mono, Nanos, Now};
use crate::venue::Odds;

/// One process of the engine.
pub(super) struct Process {
    pub(super) number: u64,
    pub(super) engine: Engine,
    pub(super) out: Actions,
    pub(super) recorder: Recorder,
    /// The loop does nothing before then.
    pub(super) asleep_until: Mono,
    /// When an attempt to connect is decided, and whether it is answered.
    pub(super) connecting: Option<(Mono, bool)>,
    /// What the desk and the operator have for it.
    pub(super) answers: VecDeque<Answer>,
    pub(super) commands: VecDeque<OperatorCommand>,
    pub(super) stopping: bool,
    pub(super) stopped: bool,
    /// When the reading of the account that is under way was asked for.
    pub(super) account_asked: Mono,
}

impl World {
    /// A process starts, if its records can be opened.
    pub(super) fn be_born(&mut self) {
        let now = self.at();
        self.counts.processes += 1;
        let number = self.counts.processes;
        let opened = Recorder::open(
            &self.machine.disk,
            &self.machine.dir,
            &self.profile.config,
            self.now,
            now.wall,
            1_000 + number as u32,
        );
        let (recorder, recovery) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // As a service manager does it.
                self.trace.say(self.now, || format!("start failed: {error}"));
                self.reach.see("start_failed");
                self.reborn_at = self.now.plus(Nanos::from_secs(5));
                return;
            }
        };
        self.trace.say(self.now, || format!("process {number} starts: {recovery:?}"));
        let Some(key) = key(self.seed) else { return };
        let first = first_id(now.wall);
        let seed = first ^ (1_000 + number);
        let encoder = Encoder::new(Signer::new(key, None), SigningNetwork::Testnet, None);
        let wallet = Wallet { encoder, user: USER.to_string() };
        let mut engine = Engine::trading(self.config(), first, seed, wallet, self.machine.kept);
        engine.restore_trades(recorder.recorded());
        engine.continue_losses(self.machine.losses.clone());
        self.judge.born(self.now, number, &self.machine.kept);
        self.records.born(now.wall);
        self.last_frames.clear();
        self.process = Some(Process {
            number,
            engine,
            out: Actions::new(),
            recorder,
            asleep_until: Mono(0),
            connecting: None,
            answers: VecDeque::new(),
            commands: VecDeque::new(),
            stopping: false,
            stopped: false,
            account_asked: self.now,
        });
    }

    /// The process is gone at once, and with it all that it had in memory.
    fn die(&mut self) {
        let Some(process) = self.process.take() else { return };
        self.trace.say(self.now, || format!("process {} dies", process.number));
        self.reach.process(&process.engine.status(self.now), process.engine.order_transitions());
        self.counts.deaths += 1;
        self.records.gone(self.at().wall, false);
        self.leave();
        // Most come back within seconds, some at once.
        let wait = Nanos::from_millis(self.dice.spread(50, 30_000));
        self.reborn_at = self.now.plus(wait);
    }

    /// What any end of a process does to its surroundings.
    fn leave(&mut self) {
        for line in &mut self.lines {
            line.let_go(self.now, &mut self.dice);
        }
        self.desk.renew();
        self.machine.forget_owed();
        self.judge.unlinked(self.now);
    }

    /// One turn of the hot loop.
    pub(super) fn turn(&mut self) {
        let Some(process) = &mut self.process else { return };
        if process.asleep_until > self.now {
            return;
        }
        if std::mem::take(&mut process.stopping) {
            self.tell(Event::Stop);
        }
        let Some(process) = &mut self.process else { return };
        if process.engine.next_due() <= self.now {
            self.tell(Event::Tick);
        }
        while let Some(answer) = self.process.as_mut().and_then(|p| p.answers.pop_front()) {
            match &answer {
                Answer::Universe(universe) => {
                    self.judge.universe(self.now, universe, self.venue.coins());
                }
                Answer::Account(_) => {
                    let asked = self.process.as_ref().map_or(Mono(0), |p| p.account_asked);
                    self.judge.account(self.now, asked);
                }
                Answer::UniverseFailed
                | Answer::AccountFailed
                | Answer::Exchanged { .. }
                | Answer::ExchangeFailed { .. }
                | Answer::SignerRole(_)
                | Answer::SignerRoleFailed
                | Answer::VenueTime(_) => {}
            }
            self.tell(answer.event());
        }
        while let Some(command) = self.process.as_mut().and_then(|p| p.commands.pop_front()) {
            self.tell(Event::Operator(command));
        }
        self.connect();
        self.read();
        let Some(process) = &mut self.process else { return };
        // As the hot loop: once there is room for the row that says so.
        if process.recorder.lost.is_some() && process.recorder.rows.free() >= 64 {
            let (rows, since) = process.recorder.lost.take().unwrap_or_default();
            self.tell(Event::RowsLost { rows, since });
        }
        if self.process.as_ref().is_some_and(|process| process.stopped) {
            self.end_in_order();
        }
    }

    fn end_in_order(&mut self) {
        let Some(process) = self.process.take() else { return };
        let (wall, number) = (self.at().wall, process.number);
        self.reach.process(&process.engine.status(self.now), process.engine.order_transitions());
        self.trace.say(self.now, || format!("process {number} has ended in order"));
        let closed = process.recorder.close(wall);
        let well = self.machine.disk_is_well();
        self.records.gone(wall, closed.is_ok());
        self.judge.hold(Invariant::Ends, closed.is_ok() || !well, || {
            format!("the records could not be closed: {:?}", closed.err())
        });
        self.leave();
        self.reborn_at = self.now.plus(Nanos::from_secs(1 + self.dice.below(5)));
    }

    /// Decides over an attempt to connect.
    fn connect(&mut self) {
        let Some(process) = &mut self.process else { return };
        let Some((at, answered)) = process.connecting else { return };
        if at > self.now {
            return;
        }
        process.connecting = None;
        if !answered {
            return self.tell(Event::Disconnected(LinkDown::Unreachable));
        }
        if let Some(line) = Line::open(self.now, self.latency) {
            self.lines.push(line);
            // The handshake's first bytes.
            self.read_line();
        }
    }

    /// Reads what has arrived.
    fn read(&mut self) {
        if self.lines.last().is_some_and(|line| line.engine_due() <= self.now) {
            if let Some(line) = self.lines.last_mut() {
                line.arrive(self.now);
            }
            self.read_line();
        }
    }

    fn read_line(&mut self) {
        loop {
            let Some(line) = self.lines.last_mut() else { return };
            let Some(channel) = &mut line.channel else { return };
            let text = match hear(channel) {
                None => break,
                Some(LinkEvent::Text(text)) => {
                    self.frame.clear();
                    self.frame.extend_from_slice(text);
                    true
                }
                Some(LinkEvent::Connected) => {
                    self.judge.linked(self.now);
                    self.tell(Event::Connected);
                    self.replay();
                    continue;
                }
                Some(LinkEvent::Binary) => false,
                Some(LinkEvent::Closed(down)) => {
                    line.let_go(self.now, &mut self.dice);
                    self.judge.unlinked(self.now);
                    self.tell(Event::Disconnected(down));
                    self.ghost();
                    return;
                }
            };
            if text {
                self.hear_frame();
            } else {
                self.tell(Event::Binary);
            }
        }
        let Self { lines, faults, dice, now, .. } = self;
        if let Some(line) = lines.last_mut() {
            line.leave_engine(*now, faults, dice);
        }
    }

    fn hear_frame(&mut self) {
        let frame = std::mem::take(&mut self.frame);
        if let Ok(text) = std::str::from_utf8(&frame) {
            self.judge.frame(self.now, text, &self.venue);
        }
        self.counts.frames += 1;
        if self.faults.keeps_frames() {
            if self.last_frames.len() >= 40 {
                self.last_frames.pop_front();
            }
            self.last_frames.push_back(frame.clone());
        }
        self.tell(Event::Frame(&frame));
        self.frame = frame;
    }

    /// Frames of the last connection come once more on this one.
    fn replay(&mut self) {
        if !self.dice.hit(Fault::Replay, self.faults.replay) {
            return;
        }
        for frame in std::mem::take(&mut self.last_frames) {
            self.frame = frame;
            self.hear_frame();
        }
    }

    /// A frame is told of a link that is gone.
    fn ghost(&mut self) {
        if self.last_frames.is_empty() || self.faults.ghost == Odds::NEVER {
            return;
        }
        let at = self.dice.below(self.last_frames.len() as u64) as usize;
        self.dice.hit(Fault::Ghost, Odds::ALWAYS);
        // The engine forgets what a dead link says, and so must the judge.
        let frame = self.last_frames[at].clone();
        self.tell(Event::Frame(&frame));
    }

    /// Tells the engine, and does what it asks.
    fn tell(&mut self, event: Event<'_>) {
        let now = self.at();
        let Some(process) = &mut self.process else { return };
        self.trace.event(self.now, &event);
        process.engine.on_event(now, event, &mut process.out);
        let dies = self.dice.hit(Fault::Kill, self.faults.kill);
        if self.dice.hit(Fault::LoopStall, self.faults.loop_stall) {
            let Some(process) = &mut self.process else { return };
            process.asleep_until = self.now.plus(Nanos::from_millis(self.dice.spread(1, 3_000)));
        }
        let whole = self.act(now, dies);
        if !whole {
            self.judge.cut_short();
        } else if let (true, Some(process)) = (self.judge.decided(), &self.process) {
            self.judge.shown(&process.engine.status(self.now).trading);
        }
        if dies {
            self.die();
        }
        self.judge.end_of_event();
    }

    /// Does what was asked for; a process that dies does only the first part of it. Returns whether
    /// everything was done.
    fn act(&mut self, now: Now, dies: bool) -> bool {
        let Some(process) = &mut self.process else { return true };
        if process.out.is_empty() {
            return true;
        }
        let actions = std::mem::take(&mut process.out);
        let count = actions.iter().count();
        let done = if dies { self.dice.below(count as u64 + 1) as usize } else { count };
        let mut broken = None;
        let mut sent = false;
        for action in actions.iter().take(done) {
            self.digest.action(self.now, &action, &actions);
            self.trace.action(self.now, &action, &actions);
            let Some(process) = &mut self.process else { break };
            match action {
                Action::Record(row) => {
                    self.counts.signals += u64::from(matches!(row, Row::Signal(_)));
                    self.judge.row(self.now, &row);
                    self.reach.row(&row);
                    let taken = process.recorder.record(now.wall, row);
                    self.rows_lost |= !taken;
                    match taken {
                        true => self.records.row(&row),
                        false => self.records.lost(&row),
                    }
                }
                Action::Log(event) => {
                    if let LogEvent::HardStopSet { reason } = event {
                        self.explain(reason);
                    }
                    self.judge.log_event(self.now, &event);
                    self.records.log_event(now.wall, &event);
                    self.reach.log_event(&event);
                }
                Action::Send(span) => {
                    let text = actions.text(span);
                    if let Ok(text) = std::str::from_utf8(text) {
                        self.judge.send(self.now, text, &self.venue);
                    }
                    let line = self.lines.last_mut().and_then(|line| line.channel.as_mut());
                    if let (Some(channel), None) = (line, broken) {
                        broken = channel.send(text).err();
                        sent = true;
                    }
                }
                Action::Connect => {
                    let dice = &mut self.dice;
                    if !dice.hit(Fault::ConnectUnanswered, self.faults.connect_unanswered) {
                        let refused = dice.hit(Fault::ConnectRefused, self.faults.connect_refused);
                        let answered = !refused && self.dark_until <= self.now;
                        let wait = Nanos::from_millis(2 + dice.below(80));
                        process.connecting = Some((self.now.plus(wait), answered));
                    }
                }
                Action::Close(_) => {
                    process.connecting = None;
                    if let Some(line) = self.lines.last_mut() {
                        if let Some(channel) = &mut line.channel {
                            channel.send_close();
                        }
                        line.leave_engine(self.now, &self.faults, &mut self.dice);
                        line.let_go(self.now, &mut self.dice);
                    }
                    self.judge.unlinked(self.now);
                }
                Action::ReadUniverse => {
                    self.desk.ask(self.now, Request::Universe, &self.faults, &mut self.dice);
                }
                Action::ReadAccount { fills_since } => {
                    process.account_asked = self.now;
                    let request = Request::Account { since: fills_since };
                    self.desk.ask(self.now, request, &self.faults, &mut self.dice);
                }
                Action::Exchange { post, body, .. } => {
                    let body = actions.text(body);
                    if let Ok(text) = std::str::from_utf8(body) {
                        // It is judged as the post whose payload it would be.
                        let frame = format!(
                            r#"{{"method":"post","id":{post},"request":{{"type":"action","payload":{text}}}}}"#
                        );
                        self.judge.send(self.now, &frame, &self.venue);
                    }
                    let request = Request::Exchange { post, body: body.to_vec() };
                    self.desk.ask(self.now, request, &self.faults, &mut self.dice);
                }
                Action::ReadSignerRole => {
                    self.desk.ask(self.now, Request::SignerRole, &self.faults, &mut self.dice);
                }
                Action::KeepLoss(entry) => self.machine.losses.take(entry),
                Action::KeepLatch(latch) => {
                    let Self { machine, faults, dice, now, .. } = self;
                    machine.keep(*now, latch, faults, dice);
                }
                Action::Stopped => process.stopped = true,
            }
        }
        let dead = dies && done < count;
        if let (true, false, None, Some(line)) = (sent, dead, broken, self.lines.last_mut()) {
            if let Some(channel) = &mut line.channel {
                broken = channel.flush().err();
            }
            line.leave_engine(self.now, &self.faults, &mut self.dice);
        }
        if let Some(process) = &mut self.process {
            process.out = actions;
            process.out.clear();
        }
        if let Some(cause) = broken {
            if let Some(line) = self.lines.last_mut() {
                line.let_go(self.now, &mut self.dice);
            }
            self.judge.unlinked(self.now);
            self.tell(Event::Disconnected(cause));
        }
        !dead
    }
}
