//! Engine, network, machine, operator and venue under one virtual clock. Nothing here is a thread,
//! a socket or a real clock: everything that happens comes from the seed.

mod causes;
mod ending;
mod process;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use crate::executor::signer::Key;
use crate::simulation::desk::Desk;
use crate::simulation::digest::Digest;
use crate::simulation::fault::{Chance, Fault, HostFaults};
use crate::simulation::judge::{Invariant, Judge};
use crate::simulation::line::{Latency, Line};
use crate::simulation::machine::{Machine, ORIGIN, START};
use crate::simulation::profile::{ENDS, Profile};
use crate::simulation::reach::Reach;
use crate::simulation::records::Recorded;
use crate::simulation::trace::Trace;
use crate::simulation::world::causes::{CLOCK_OFF, Causes};
use crate::simulation::world::process::Process;
use crate::types::config::Config;
use crate::types::event::OperatorCommand;
use crate::types::num::{Rate, Szi, Usd};
use crate::types::time::{Mono, Nanos, Now, VenueMs};
use crate::venue::{
    AccountSettings, Address, Dice, Lag, Odds, Output, Scheduled, Settings, Timing, Venue, What,
};

/// Faults cease so long before the end, and then everything has to come to rest.
pub(super) const QUIET: Nanos = Nanos::from_secs(300);
/// What the account holds at first.
const DEPOSIT: Usd = Usd::from_units(1_000_000_000);
/// A name that nobody has.
const USER: Address = Address([0xaa; 20]);
/// Events in one moment after which time is said to stand still.
const TURNS: u32 = 20_000;

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
    /// Whether answers, fills or readings are lost, late or refused, so that an exit takes some
    /// attempts.
    lossy: bool,
    /// Nobody reaches the venue before then.
    dark_until: Mono,
    causes: Causes,
}

/// The key of a run: nobody's, made of its seed so that signatures repeat.
fn key(seed: u64) -> Option<Key> {
    let mut bytes = [0x5a; 32];
    bytes[8..16].copy_from_slice(&seed.to_le_bytes());
    Key::from_bytes(&bytes).ok()
}

/// Who signs, as the venue knows it.
fn signer(seed: u64) -> String {
    key(seed).map(|key| key.address().to_string()).unwrap_or_default()
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
        let mut venue = Venue::new(settings, ORIGIN).map_err(|error| error.to_string())?;
        if !profile.modes.is_empty() {
            let at = Dice::new(seed, 0x52).below(profile.modes.len() as u64) as usize;
            venue.set_mode(USER, profile.modes[at]);
        }
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
        let lies = ["garble", "time_regression"];
        let replayed = [Fault::Replay, Fault::Ghost].map(|fault| profile.host.is_on(fault));
        if clock.contains(&true)
            || replayed.contains(&true)
            || profile.venue.on().iter().any(|name| lies.contains(name))
        {
            judge.times_lie();
        }
        let lossy = profile.venue.on().iter().any(|name| *name != "greeting");
        let profile = Profile { config, ..profile.clone() };
        Ok(Self {
            seed,
            faults: profile.host.clone(),
            desk: Desk::new("xyz", &USER.to_string(), &signer(seed)),
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
            lossy,
            dark_until: ORIGIN,
            causes: Causes::default(),
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
            let Self { desk, venue, judge, dice, now, .. } = self;
            let answer = desk.advance(*now, venue, dice);
            judge.asked(*now, desk.take_weight());
            if let (Some(answer), Some(process)) = (answer, &mut self.process) {
                process.answers.extend(desk.take_time());
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
                if !process.answers.is_empty() || !process.commands.is_empty() {
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
                Some(process) => process.commands.push_back(OperatorCommand::Release(None)),
                None => self.machine.release(),
            }
        }
        if let Some(process) = &mut self.process {
            let (faults, dice) = (&self.faults, &mut self.dice);
            if dice.hit(Fault::RecorderStall, faults.recorder_stall) {
                let wait = Nanos::from_secs(1 + dice.below(60));
                process.recorder.stalled_until = self.now.plus(wait);
            }
            if dice.hit(Fault::Pause, faults.pause) {
                let wait = Nanos::from_millis(500 + dice.below(14_500));
                process.asleep_until = process.asleep_until.max(self.now.plus(wait));
            }
            if dice.hit(Fault::Halt, faults.halt) {
                process.commands.push_back(OperatorCommand::Halt);
            }
            if dice.hit(Fault::Flatten, faults.flatten) {
                process.commands.push_back(OperatorCommand::Flatten);
            }
            if dice.hit(Fault::Restart, faults.restart) {
                process.stopping = true;
            }
        }
        self.lose_reach();
        self.look_for_causes();
        self.judge_second();
    }

    /// REST may go down, or everything while something is held.
    fn lose_reach(&mut self) {
        let Self { faults, dice, now, .. } = self;
        if dice.hit(Fault::RestDown, faults.rest_down) {
            self.desk.be_down(now.plus(Nanos::from_millis(dice.spread(5_000, 900_000))));
        }
        if faults.blackout == Odds::NEVER
            || self.venue.stakes(USER).is_empty()
            || !dice.hit(Fault::Blackout, faults.blackout)
        {
            return;
        }
        self.dark_until = now.plus(Nanos::from_millis(dice.spread(5_000, 90_000)));
        // REST may come back later than the link.
        let longer = if dice.below(2) == 0 { 0 } else { dice.spread(1_000, 120_000) };
        self.desk.be_down(self.dark_until.plus(Nanos::from_millis(longer)));
        match dice.below(4) {
            0 | 1 => self.venue.close_by_hand(USER),
            2 => self.venue.liquidate(USER),
            _ => {}
        }
        if let Some(line) = self.lines.last_mut() {
            line.cut(*now, dice);
        }
        if let Some((_, answered)) = self.process.as_mut().and_then(|p| p.connecting.as_mut()) {
            *answered = false;
        }
    }

    fn judge_second(&mut self) {
        // What keeps the engine from doing anything counts as trouble: not that it does not know
        // something that it could do without.
        let asleep = self.process.as_ref().is_none_or(|one| one.asleep_until > self.now);
        let blind = !self.judge.is_linked() || !self.judge.has_read_account();
        // With fills and readings frozen only answers tell, and here some of them never come.
        let deaf = self.lossy && self.venue.is_frozen();
        // Nothing that it signs closes what this account holds.
        let agent = key(self.seed).map(|key| Address(key.address().0));
        let foreign = !agent.is_some_and(|agent| self.venue.acts_for(agent, USER));
        let stuck = asleep || blind || deaf || foreign;
        let (used, cap) = self.venue.budget(USER).unwrap_or_default();
        let clock = self.machine.clock.off(self.now).abs() > CLOCK_OFF;
        let trouble = stuck || used >= cap || clock || self.venue.is_post_only();
        if trouble {
            self.trouble_at = self.now;
        }
        let Self { judge, venue, now, trouble_at, lossy, .. } = self;
        let clear = *trouble_at < *now;
        judge.beat(*now, venue, *lossy, |coin, szi| clear && can_leave(venue, coin, szi));
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

/// Whether a position there can be closed: the market trades, and somebody stands on the other side,
/// wherever the oracle is.
fn can_leave(venue: &Venue, coin: &str, szi: Szi) -> bool {
    let live = venue.rules(coin).is_some_and(|(_, live)| live);
    let Some([bid, ask]) = venue.quote(coin) else { return false };
    let other = if szi.units() > 0 { bid } else { ask };
    live && other.is_some()
}

/// Events that mostly happen to a market in which something is held.
const HITS_WHAT_IS_HELD: [What; 4] =
    [What::OraclePrint, What::OracleApart, What::BookRuns, What::EntryOdd];

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
            What::OracleApart => Some(1 + dice.below(12) as u8),
            What::BookRuns => Some(6 + dice.below(7) as u8),
            What::FeedLate => Some(2 + dice.below(7) as u8),
            What::LinkLate => Some(2 + dice.below(4) as u8),
            What::ListOdd | What::EntryOdd => Some(dice.below(3) as u8),
            _ => None,
        };
        // Of many markets few are held at a time, and what happens elsewhere shows little.
        let held = HITS_WHAT_IS_HELD.contains(&what) && dice.below(4) > 0;
        let coin = coin.filter(|_| !held);
        let one = |at_ms, what, held| {
            let coin = coin.clone();
            Scheduled { at_ms, what, coin, held, value, address: None }
        };
        events.push(one(at_ms, what, held));
        if let Some((_, Some(end))) = ENDS.iter().find(|(begin, _)| *begin == what) {
            let most = match what {
                // Longer than an exit may take, and than a listing may be old.
                What::OracleApart | What::BookRuns => 600_000,
                What::EntryOdd => 1_500_000,
                _ => 240_000,
            };
            let until = (at_ms + dice.spread(2_000, most)).min(room + 20_000);
            events.push(one(until, *end, false));
        }
    }
    events
}
