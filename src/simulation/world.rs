//! Engine, network, machine, operator and venue under one virtual clock. Nothing here is a thread,
//! a socket or a real clock: everything that happens comes from the seed.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use crate::engine::{Engine, Wallet};
use crate::executor::encode::Encoder;
use crate::executor::signer::{Key, Signer, SigningNetwork};
use crate::runtime::link::LinkEvent;
use crate::runtime::os::first_id;
use crate::simulation::desk::{Answer, Desk, Request};
use crate::simulation::digest::Digest;
use crate::simulation::disk::Mood;
use crate::simulation::fault::{Chance, Fault, HostFaults};
use crate::simulation::judge::{Invariant, Judge};
use crate::simulation::line::{Latency, Line, hear};
use crate::simulation::machine::{Machine, ORIGIN, Recorder, START};
use crate::simulation::profile::{ENDS, Profile};
use crate::simulation::reach::Reach;
use crate::simulation::records::{Money, Recorded};
use crate::simulation::trace::Trace;
use crate::types::config::Config;
use crate::types::event::{Action, Actions, Event, LinkDown, Wish};
use crate::types::num::{Rate, Side, Usd};
use crate::types::record::Row;
use crate::types::time::{Mono, Nanos, Now, VenueMs};
use crate::venue::{
    AccountSettings, Address, Faults, Lag, Odds, Output, Scheduled, Settings, Timing, Venue, What,
};

/// Faults cease so long before the end, and then everything has to come to rest.
pub(super) const QUIET: Nanos = Nanos::from_secs(300);
/// What is under way is over after this.
const SETTLING: Nanos = Nanos::from_secs(60);
/// An end in order takes no longer.
const ENDING: Nanos = Nanos::from_secs(180);
/// What the account holds at first.
const DEPOSIT: Usd = Usd::from_units(1_000_000_000);
/// A name that nobody has.
const USER: Address = Address([0xaa; 20]);
/// Events in one moment after which time is said to stand still.
const TURNS: u32 = 20_000;

/// One process of the engine.
struct Process {
    number: u64,
    engine: Engine,
    out: Actions,
    recorder: Recorder,
    /// The loop does nothing before then.
    asleep_until: Mono,
    /// When an attempt to connect is decided, and whether it is answered.
    connecting: Option<(Mono, bool)>,
    /// What the desk and the operator have for it.
    answers: VecDeque<Answer>,
    wishes: VecDeque<Wish>,
    stopping: bool,
    stopped: bool,
    /// When the reading of the account that is under way was asked for.
    account_asked: Mono,
}

/// What a run has counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) frames: u64,
    pub(super) signals: u64,
    pub(super) fills: u64,
    pub(super) deaths: u64,
    pub(super) processes: u64,
}

/// The world.
pub(super) struct World {
    seed: u64,
    profile: Profile,
    faults: HostFaults,
    latency: Latency,
    now: Mono,
    end: Mono,
    venue: Venue,
    outputs: Vec<Output>,
    lines: Vec<Line>,
    desk: Desk,
    machine: Machine,
    process: Option<Process>,
    reborn_at: Mono,
    /// When an operator releases what holds.
    release_at: Mono,
    beat_at: Mono,
    quiet: bool,
    dice: Chance,
    frame: Vec<u8>,
    /// The last frames heard, for those that come once more.
    last_frames: VecDeque<Vec<u8>>,
    pub(super) judge: Judge,
    pub(super) digest: Digest,
    pub(super) counts: Counts,
    pub(super) reach: Reach,
    records: Recorded,
    rows_lost: bool,
    trace: Trace,
    turns: u32,
    /// When something last stood in the way of exits.
    trouble_at: Mono,
    /// Whether the venue does what it says: else an exit takes as long as chance wants.
    fair: bool,
}

/// The key of a run: nobody's, made of its seed so that signatures repeat.
fn key(seed: u64) -> Option<Key> {
    let mut bytes = [0x5a; 32];
    bytes[8..16].copy_from_slice(&seed.to_le_bytes());
    Key::from_bytes(&bytes).ok()
}

fn hex_of_key(seed: u64) -> String {
    let mut bytes = [0x5a; 32];
    bytes[8..16].copy_from_slice(&seed.to_le_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl World {
    /// The world of a seed, for this long.
    pub(super) fn new(
        profile: &Profile,
        seed: u64,
        span: Nanos,
        markets: usize,
        dir: PathBuf,
        trace: Trace,
    ) -> Result<Self, String> {
        let mut dice = Chance::new(seed, 0x51);
        let mut config = profile.config.clone();
        config.account.user_address = Some(USER.to_string());
        config.persistence.data_dir.clone_from(&dir);
        let agent = key(seed).ok_or("no key")?.address();
        let account = AccountSettings {
            address: USER,
            deposit: DEPOSIT,
            agents: vec![("simulated".to_owned(), Address(agent.0), None)],
            vault_of: None,
            referral_discount: Rate::ZERO,
        };
        // Some makers of the world are quick, some slow.
        let base = Lag::default();
        let lag = Lag { max: Nanos::from_millis(4_000 + dice.below(12_000)), ..base };
        let mut venue_faults = profile.venue.clone();
        let end = ORIGIN.plus(span);
        let settings = Settings {
            seed,
            markets,
            start: VenueMs(START.0 / 1_000_000),
            lag,
            accounts: vec![account],
            timing: Timing::default(),
            ..Settings::default()
        };
        let coins =
            Venue::new(settings.clone(), ORIGIN).map_err(|error| error.to_string())?.coins();
        venue_faults.event.extend(drawn_events(profile, span, &coins, &mut dice));
        let moves = venue_faults.event.iter().filter(|event| event.what == What::BudgetEmpty);
        let moves = moves.map(|event| ORIGIN.plus(Nanos::from_millis(event.at_ms))).collect();
        let settings = Settings { faults: venue_faults, ..settings };
        let venue = Venue::new(settings, ORIGIN).map_err(|error| error.to_string())?;
        let latency = Latency {
            min: Nanos::from_millis(1 + dice.below(20)),
            spread: Nanos::from_millis(1 + dice.below(10)),
        };
        let mut judge = Judge::new(&profile.judged_by, USER, hex_of_key(seed));
        judge.listed(coins);
        judge.budget_moves(moves);
        let behind = [What::SzDecimals, What::AgentExpire, What::NoncesTaken, What::OracleJump];
        let clock = [Fault::ClockStep, Fault::ClockDrift].map(|fault| profile.host.is_on(fault));
        if profile.venue.refuse != Odds::NEVER
            || profile.events.iter().any(|what| behind.contains(what))
            || clock.contains(&true)
        {
            judge.refused_at_random();
        }
        let fair = profile.venue.on().is_empty();
        let profile = Profile { config, ..profile.clone() };
        Ok(Self {
            seed,
            faults: profile.host.clone(),
            desk: Desk::new("xyz", &USER.to_string()),
            profile,
            latency,
            now: ORIGIN,
            end,
            venue,
            outputs: Vec::new(),
            lines: Vec::new(),
            machine: Machine::new(dir),
            process: None,
            reborn_at: ORIGIN,
            release_at: Mono::MAX,
            beat_at: ORIGIN.plus(Nanos::from_secs(1)),
            quiet: false,
            dice,
            frame: Vec::new(),
            last_frames: VecDeque::new(),
            judge,
            digest: Digest::default(),
            counts: Counts::default(),
            reach: Reach::default(),
            records: Recorded::default(),
            rows_lost: false,
            trace,
            turns: 0,
            trouble_at: ORIGIN,
            fair,
        })
    }

    fn config(&self) -> &Config {
        &self.profile.config
    }

    fn at(&self) -> Now {
        Now { mono: self.now, wall: self.machine.clock.wall(self.now) }
    }

    /// Plays it to its end, or to the first thing that does not hold.
    pub(super) fn play(&mut self) {
        let quiet_at = Mono(self.end.0.saturating_sub(QUIET.0)).max(ORIGIN);
        self.run_until(quiet_at);
        self.calm_down();
        self.run_until(self.end);
        if self.judge.broken().is_none() {
            self.rest();
        }
        if self.judge.broken().is_none() {
            self.finish();
        }
    }

    /// Nothing goes wrong any more.
    fn calm_down(&mut self) {
        self.quiet = true;
        self.fair = true;
        self.trouble_at = self.now;
        self.faults = HostFaults::default();
        self.venue.set_faults(self.now, Faults::default());
        self.machine.repair();
        if let Some(process) = &mut self.process {
            process.recorder.stalled_until = Mono(0);
            process.asleep_until = Mono(0);
            process.wishes.push_back(Wish::Release(None));
        } else {
            self.reborn_at = self.reborn_at.min(self.now.plus(Nanos::from_secs(1)));
            self.machine.release();
        }
        self.release_at = self.now.plus(Nanos::from_secs(60));
    }

    fn run_until(&mut self, end: Mono) {
        while self.judge.broken().is_none() && self.step(end) {}
    }

    /// One moment. `false` once the end has come.
    fn step(&mut self, end: Mono) -> bool {
        let next = self.next_due().max(self.now);
        if next >= end {
            self.now = self.now.max(end);
            return false;
        }
        if next > self.now {
            self.turns = 0;
        }
        self.turns += 1;
        self.now = next;
        let turns = self.turns;
        self.judge.hold(Invariant::Progress, turns < TURNS, || "time stands still".to_owned());
        if self.venue.next_deadline() <= self.now {
            self.venue.advance(self.now, &mut self.outputs);
            self.route();
        }
        for at in 0..self.lines.len() {
            if self.lines[at].venue_due() <= self.now {
                let Self { lines, venue, outputs, faults, dice, now, .. } = self;
                lines[at].serve(*now, venue, outputs, faults, dice);
                self.route();
            }
        }
        self.lines.retain(|line| !line.is_over());
        if self.desk.next_due() <= self.now {
            let Self { desk, venue, dice, now, .. } = self;
            let answer = desk.advance(*now, venue, dice);
            if let (Some(answer), Some(process)) = (answer, &mut self.process) {
                process.answers.push_back(answer);
            }
        }
        self.machine.advance(self.now);
        if self.beat_at <= self.now {
            self.beat();
        }
        if self.process.is_none() && self.reborn_at <= self.now {
            self.be_born();
        }
        self.turn();
        let wall = self.at().wall;
        if let Some(process) = &mut self.process {
            let markets = process.engine.markets().len() as u32;
            let blind_since = process.engine.blind_since();
            process.recorder.wake(blind_since);
            process.recorder.advance(self.now, wall, markets, blind_since);
        }
        true
    }

    fn next_due(&self) -> Mono {
        let lines = self.lines.iter().map(Line::venue_due).min().unwrap_or(Mono::MAX);
        let mut due = self.venue.next_deadline().min(lines).min(self.desk.next_due());
        due = due.min(self.machine.next_due()).min(self.beat_at);
        match &self.process {
            None => due.min(self.reborn_at),
            Some(process) => {
                let line = self.lines.last().map_or(Mono::MAX, Line::engine_due);
                let connecting = process.connecting.map_or(Mono::MAX, |(at, _)| at);
                let mut own = process.engine.next_due().min(line).min(connecting);
                if !process.answers.is_empty() || !process.wishes.is_empty() {
                    own = self.now;
                }
                due.min(own.max(process.asleep_until)).min(process.recorder.next_due())
            }
        }
    }

    /// Hands the venue's outputs to the ends of their connections.
    fn route(&mut self) {
        if self.outputs.is_empty() {
            return;
        }
        let Self { lines, venue, outputs, faults, dice, now, .. } = self;
        for output in outputs.drain(..) {
            let conn = match &output {
                Output::Text(conn, _)
                | Output::Binary(conn, _)
                | Output::Torn(conn, _)
                | Output::Close { conn, .. }
                | Output::Drop(conn) => *conn,
            };
            if let Some(line) = lines.iter_mut().find(|line| line.conn() == Some(conn)) {
                line.put(*now, output, venue, faults, dice);
            }
        }
        for line in lines.iter_mut() {
            line.flush_venue(*now, faults, dice);
        }
    }

    /// What the machine, the operator and fate do each second.
    fn beat(&mut self) {
        self.beat_at = self.beat_at.plus(Nanos::from_secs(1));
        let Self { machine, faults, dice, now, .. } = self;
        machine.beat(*now, faults, dice);
        let latched = match &self.process {
            Some(process) => process.engine.status(self.now).trading.hard_stop.lasting().active(),
            None => self.machine.kept.active(),
        };
        if latched && self.release_at == Mono::MAX {
            self.release_at = self.now.plus(Nanos::from_secs(20 + self.dice.below(200)));
        }
        if self.release_at <= self.now {
            self.release_at = Mono::MAX;
            match &mut self.process {
                Some(process) => process.wishes.push_back(Wish::Release(None)),
                None => self.machine.release(),
            }
        }
        if let Some(process) = &mut self.process {
            let (faults, dice) = (&self.faults, &mut self.dice);
            if dice.hit(Fault::RecorderStall, faults.recorder_stall) {
                let wait = Nanos::from_secs(1 + dice.below(60));
                process.recorder.stalled_until = self.now.plus(wait);
            }
            if dice.hit(Fault::Halt, faults.halt) {
                process.wishes.push_back(Wish::Halt);
            }
            if dice.hit(Fault::Flatten, faults.flatten) {
                process.wishes.push_back(Wish::Flatten);
            }
            if dice.hit(Fault::Restart, faults.restart) {
                process.stopping = true;
            }
        }
        self.judge_second();
    }

    fn judge_second(&mut self) {
        // Whatever keeps the engine from knowing or doing counts as trouble.
        let stuck = match &self.process {
            None => true,
            Some(process) => {
                let ready = process.engine.status(self.now).trading.ready;
                !ready.but_for_hard_stop() || process.asleep_until > self.now
            }
        };
        let (used, cap) = self.venue.budget(USER).unwrap_or_default();
        let clock = self.machine.clock.off(self.now).abs() > 500_000_000;
        let trouble = stuck || used >= cap || clock || self.venue.is_post_only();
        if trouble {
            self.trouble_at = self.now;
        }
        let Self { judge, venue, now, trouble_at, fair, .. } = self;
        let clear = *trouble_at < *now;
        // What is lost or refused on the way makes an exit take as long as chance wants.
        let fair = *fair;
        judge.beat(*now, venue, |coin| clear && fair && can_leave(venue, coin));
    }

    /// A process starts, if its records can be opened.
    fn be_born(&mut self) {
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
        engine.continue_books(recorder.booked());
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
            wishes: VecDeque::new(),
            stopping: false,
            stopped: false,
            account_asked: self.now,
        });
    }

    /// The process is gone at once, and with it all that it had in memory.
    fn die(&mut self) {
        let Some(process) = self.process.take() else { return };
        self.trace.say(self.now, || format!("process {} dies", process.number));
        self.reach.process(&process.engine.status(self.now), process.engine.order_ways());
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
        self.desk = Desk::new("xyz", &USER.to_string());
        self.machine.forget_owed();
        self.judge.unlinked(self.now);
    }

    /// One turn of the hot loop.
    fn turn(&mut self) {
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
                    self.judge.listed(self.venue.coins());
                    self.judge.heard.universe(universe);
                }
                Answer::Account(_) => {
                    let asked = self.process.as_ref().map_or(Mono(0), |p| p.account_asked);
                    self.judge.account(asked);
                }
                Answer::UniverseFailed | Answer::AccountFailed => {}
            }
            self.tell(answer.event());
        }
        while let Some(wish) = self.process.as_mut().and_then(|p| p.wishes.pop_front()) {
            self.tell(Event::Operator(wish));
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
        self.reach.process(&process.engine.status(self.now), process.engine.order_ways());
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
            self.judge.frame(self.now, text);
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
        if self.dice.hit(Fault::Stall, self.faults.stall) {
            let Some(process) = &mut self.process else { return };
            process.asleep_until = self.now.plus(Nanos::from_millis(self.dice.spread(1, 3_000)));
        }
        self.act(now, dies);
        if dies {
            self.die();
        }
        self.judge.end_of_event();
    }

    /// Does what was asked for; a process that dies does only the first part of it.
    fn act(&mut self, now: Now, dies: bool) {
        let Some(process) = &mut self.process else { return };
        if process.out.is_empty() {
            return;
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
                    if taken {
                        self.records.row(&row);
                    }
                }
                Action::Note(note) => {
                    self.judge.note(self.now, &note);
                    self.records.note(now.wall, &note);
                    self.reach.note(&note);
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
                    if !dice.hit(Fault::Unanswered, self.faults.unanswered) {
                        let answered = !dice.hit(Fault::Refuse, self.faults.refuse);
                        let wait = Nanos::from_millis(2 + dice.below(80));
                        process.connecting = Some((self.now.plus(wait), answered));
                    }
                }
                Action::Close(_) => {
                    process.connecting = None;
                    if let Some(line) = self.lines.last_mut() {
                        if let Some(channel) = &mut line.channel {
                            channel.say_goodbye();
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
    }

    /// After the quiet time, before the end: whatever is under way just now, within some seconds
    /// there is a moment at which engine and venue hold the same.
    fn rest(&mut self) {
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
    fn finish(&mut self) {
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
        let live = open.iter().any(|(coin, ..)| can_leave(&self.venue, coin));
        self.judge.hold(Invariant::Ends, !live, || format!("left open at the end: {open:?}"));
        let Some(books) = self.venue.books(USER) else { return };
        self.counts.fills = books.fills;
        // What the venue settles or takes is no trade of ours, and what a full ring lost is lost.
        let settles = |what: &What| matches!(what, What::Halt | What::Delist | What::Liquidate);
        let settled = self.profile.events.iter().any(settles);
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

    /// Where it is, in seconds since the beginning.
    pub(super) fn seconds(&self) -> f64 {
        self.now.since(ORIGIN).0 as f64 / 1e9
    }

    /// The last things that happened, if they were kept.
    pub(super) fn last_events(&self) -> Vec<String> {
        self.trace.lines()
    }

    /// How often each fault happened, by name.
    pub(super) fn injected(&self) -> BTreeMap<&'static str, u64> {
        let own = Fault::ALL.iter().map(|f| (f.name(), self.dice.injected.of(*f)));
        let venue = self.venue.injected();
        let theirs = crate::venue::Fault::ALL.iter().map(|f| (f.name(), venue.of(*f)));
        let mut all = BTreeMap::new();
        for (name, count) in own.chain(theirs).filter(|(_, count)| *count > 0) {
            *all.entry(name).or_default() += count;
        }
        all
    }
}

/// Whether a position there can be closed: the market trades, and something stands on both sides,
/// near the oracle.
fn can_leave(venue: &Venue, coin: &str) -> bool {
    let live = venue.rules(coin).is_some_and(|(_, live)| live);
    let Some([Some((bid, _)), Some((ask, _))]) = venue.quote(coin) else { return false };
    let Some(oracle) = venue.oracle(coin) else { return false };
    let near = |px: i64| (px - oracle.units()).abs() * 100 < oracle.units() * 4;
    live && near(bid.units()) && near(ask.units()) && Side::BOTH.len() == 2
}

/// Events that the seed draws, each with its end; all are over before the quiet time.
fn drawn_events(
    profile: &Profile,
    span: Nanos,
    coins: &[String],
    dice: &mut Chance,
) -> Vec<Scheduled> {
    let room = span.as_millis().saturating_sub(QUIET.as_millis() + 30_000);
    let count = u64::from(profile.events_per_hour) * room / 3_600_000;
    let mut events = Vec::new();
    if profile.events.is_empty() || room < 60_000 {
        return events;
    }
    for _ in 0..count {
        let what = profile.events[dice.below(profile.events.len() as u64) as usize];
        let at_ms = 30_000 + dice.below(room - 30_000);
        let coin = coins.get(dice.below(coins.len() as u64) as usize).cloned();
        let value = match what {
            What::SzDecimals => Some(dice.below(5) as u8),
            What::MaxLeverage => Some(1 + dice.below(40) as u8),
            _ => None,
        };
        let one = |at_ms, what| Scheduled { at_ms, what, coin: coin.clone(), value, address: None };
        events.push(one(at_ms, what));
        if let Some((_, Some(end))) = ENDS.iter().find(|(begin, _)| *begin == what) {
            let until = (at_ms + dice.spread(2_000, 240_000)).min(room + 20_000);
            events.push(one(until, *end));
        }
    }
    events
}

impl Machine {
    /// Whether the disk does what it should.
    fn disk_is_well(&self) -> bool {
        self.disk.mood() == Mood::Well
    }
}
