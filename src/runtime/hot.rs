//! The hot thread: one loop that reads the clock once a turn, tells the engine what happened, and
//! does what it asks. It never waits for another thread: what a full ring cannot take is counted.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::{Events, Poll, Token};

use crate::engine::Engine;
use crate::runtime::capture::Tap;
use crate::runtime::cold::{Reply, Request, Stamped, Watched};
use crate::runtime::link::{Endpoint, Link, LinkEvent};
use crate::runtime::meter::Meter;
use crate::runtime::os::{Clock, prefault_stack, ticks, ticks_between};
use crate::runtime::publish::{Loop, SnapshotPublisher};
use crate::runtime::ring::{Consumer, Producer};
use crate::types::event::{Action, Actions, Event, LinkDown, OperatorCommand};
use crate::types::hard_stop::HardStop;
use crate::types::latency::{Stage, Stopwatch, Timestamp};
use crate::types::log_event::{LogEvent, TimedLogEvent};
use crate::types::losses::LossEntry;
use crate::types::num::Usd;
use crate::types::record::{GapCause, GapRow, Row};
use crate::types::status::Status;
use crate::types::time::{Mono, Nanos, Now, Wall};

const LINK: Token = Token(0);
/// The state is shown this often.
const STATUS_INTERVAL: Nanos = Nanos::from_secs(1);
/// Longest sleep of a loop that does not spin: it looks for signals of the operator this often.
const LONGEST_SLEEP: Nanos = Nanos::from_millis(100);
/// Longest sleep while an answer of a cold thread is awaited.
const REPLY_SLEEP: Nanos = Nanos::from_millis(2);
/// Time between two warm-ups of the order path, made when a turn has nothing to do: between two orders lie
/// seconds of other work, and their code has left the caches.
const WARM_UP_INTERVAL: Nanos = Nanos::from_millis(50);
/// Free places in the ring of rows before a loss is reported, so that the report fits.
const ROOM_TO_REPORT: usize = 64;

/// What the hot thread measures.
pub const HOT_STAGES: [Stage; 7] = [
    Stage::Parse,
    Stage::Decide,
    Stage::Sign,
    Stage::Send,
    Stage::TickToOrder,
    Stage::OrderRtt,
    Stage::Turn,
];

/// The hot thread's ends of the rings.
#[derive(Debug)]
pub struct Rings {
    /// To the recorder.
    pub rows: Producer<Stamped>,
    /// To the log.
    pub log_events: Producer<TimedLogEvent>,
    /// To the status line.
    pub statuses: Producer<Status>,
    /// To the desk that reads venue and account and resolves names.
    pub requests: Producer<Request>,
    /// Replies of the REST thread.
    pub replies: Consumer<Reply>,
    /// The keeper of the latch; `None` in observation.
    pub keeper: Option<KeeperRings>,
    /// The dashboard, if there is one.
    pub publisher: Option<SnapshotPublisher>,
}

/// The hot thread's ends of the rings to the keeper.
#[derive(Debug)]
pub struct KeeperRings {
    /// To it: the latch as it is now.
    pub latches: Producer<HardStop>,
    /// To it: what was won and lost.
    pub losses: Producer<LossEntry>,
    /// From it: what an operator asked for.
    pub commands: Consumer<OperatorCommand>,
}

/// How the loop runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the venue is.
    pub endpoint: Endpoint,
    /// How its certificate is verified.
    pub tls: Arc<rustls::ClientConfig>,
    /// Whether the loop spins.
    pub busy_poll: bool,
    /// Stop by itself after this.
    pub duration: Option<Nanos>,
    /// What is seen of the venue, for whoever cannot ask the engine.
    pub watched: Arc<Watched>,
    /// Set once the loop has ended in order.
    pub ended: Arc<AtomicBool>,
}

/// What a run was like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Counters at the end.
    pub status: Status,
    /// Turns of the loop.
    pub turns: u64,
    /// The longest turn that handled something, sleep not counted.
    pub longest_turn: Nanos,
    /// Time from first to last turn.
    pub lasted: Nanos,
    /// Notes lost to a full ring.
    pub notes_lost: u64,
    /// Whether the engine ended by itself: the venue does not let its signer act for the account.
    pub refused: bool,
    /// A cold thread that died: the run was ended because of it.
    pub abandoned_by: Option<&'static str>,
}

/// The loop and all it holds.
pub struct Hot {
    settings: Settings,
    engine: Engine,
    clock: Clock,
    poll: Poll,
    rings: Rings,
    tap: Option<Tap>,
    /// Lengths of stages.
    meter: Meter,
    /// When the last write of this event that had orders in it returned, by [`ticks`].
    sent: Option<u64>,
    link: Option<Link>,
    actions: Actions,
    /// Whether a connection is wanted, and waits for an address.
    connecting: bool,
    /// Where the venue was last found.
    addresses: Vec<SocketAddr>,
    /// Whether the desk is looking for it.
    resolving: bool,
    attempts: usize,
    /// Requests without an answer.
    awaited: u32,
    /// The latch that the keeper has not been handed yet: the newest, which says all.
    latch_owed: Option<HardStop>,
    /// Amounts that the keeper has not been handed yet, and when the last of them was made.
    loss_owed: (Wall, Usd),
    rows_lost: u64,
    lost_since: Wall,
    /// Whether the engine was told something in this turn.
    told: bool,
    done: bool,
}

impl Hot {
    /// A loop that has not begun.
    pub fn new(
        settings: Settings,
        engine: Engine,
        clock: Clock,
        rings: Rings,
        tap: Option<Tap>,
        meter: Meter,
    ) -> io::Result<Self> {
        let mut actions = Actions::new();
        actions.watch = Stopwatch::new(ticks);
        Ok(Self {
            settings,
            engine,
            clock,
            poll: Poll::new()?,
            rings,
            tap,
            meter,
            sent: None,
            link: None,
            actions,
            connecting: false,
            addresses: Vec::new(),
            resolving: false,
            attempts: 0,
            awaited: 0,
            latch_owed: None,
            loss_owed: (Wall::default(), Usd::ZERO),
            rows_lost: 0,
            lost_since: Wall::default(),
            told: false,
            done: false,
        })
    }

    /// Runs until `stop` says so, or the duration is over, and the engine has ended in order.
    pub fn run(mut self, stop: impl Fn() -> bool) -> io::Result<Report> {
        let mut events = Events::with_capacity(16);
        let mut report = Report::default();
        let mut now = self.clock.now();
        let began = now.mono;
        let end = self.settings.duration.map_or(Mono::MAX, |span| began.plus(span));
        let (mut show_at, mut warm_up_at) = (began, began);
        prefault_stack();
        let mut stopping = false;
        while !self.done {
            // The end that has come wakes nobody: closing positions may take a while.
            let at_latest = if stopping { show_at } else { show_at.min(end) };
            let sleep = self.sleep(now.mono, at_latest);
            if let Err(error) = self.poll.poll(&mut events, Some(sleep))
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error);
            }
            now = self.clock.now();
            report.turns += 1;
            if !stopping && (now.mono >= end || stop()) {
                stopping = true;
                self.tell(now, Event::Stop);
            }
            self.turn(now, !events.is_empty());
            self.step_showcase(now, now.mono.since(began), report.turns);
            if now.mono >= show_at {
                show_at = now.mono.plus(STATUS_INTERVAL);
                self.show(now);
                if let (None, Some(name)) = (report.abandoned_by, self.abandoned_by()) {
                    // To go on would mean to lose records, or to be blind after the next drop.
                    report.abandoned_by = Some(name);
                    if !stopping {
                        stopping = true;
                        self.tell(now, Event::Stop);
                    }
                }
            }
            let handled = std::mem::take(&mut self.told) || !events.is_empty();
            if handled {
                let took = self.clock.now().mono.since(now.mono);
                report.longest_turn = report.longest_turn.max(took);
                if let Some(publisher) = &mut self.rings.publisher {
                    publisher.turn_took(took);
                }
                self.meter.record(Stage::Turn, took);
            }
            self.meter.step(now.mono);
            if !handled && now.mono >= warm_up_at {
                warm_up_at = now.mono.plus(WARM_UP_INTERVAL);
                self.engine.warm_up(now);
            }
        }
        self.show(now);
        report.refused = !stopping;
        report.status = self.status(now);
        report.lasted = now.mono.since(began);
        report.notes_lost = self.rings.log_events.dropped();
        self.record_last_gap(now);
        self.hand_over_last_latch();
        self.settings.ended.store(true, Ordering::Release);
        self.meter.finish(now.mono);
        Ok(report)
    }

    fn turn(&mut self, now: Now, ready: bool) {
        if now.mono >= self.engine.next_due() {
            self.tell(now, Event::Tick);
        }
        while let Some(reply) = self.rings.replies.pop() {
            // What nobody asked for answers nothing.
            let asked = !matches!(reply, Reply::VenueTime(_));
            self.awaited = self.awaited.saturating_sub(asked.into());
            self.on_reply(now, reply);
        }
        while let Some(command) = self.command() {
            self.tell(now, Event::Operator(command));
        }
        if ready || self.link.as_ref().is_some_and(Link::more) {
            self.read(now);
        }
        self.hand_over_latch();
        self.report_lost(now);
        // Should this process die, the records say since when it had not seen everything.
        self.settings.watched.set_blind_since(self.engine.blind_since());
    }

    /// Reads what has arrived, until the link would block or its turn is over.
    fn read(&mut self, now: Now) {
        if let Some(link) = &mut self.link {
            link.begin_turn();
        }
        while let Some(link) = &mut self.link {
            let Some(event) = link.next_event() else { break };
            let (event, gone) = match event {
                LinkEvent::Connected => (Event::Connected, false),
                LinkEvent::Text(text) => (Event::Frame(text), false),
                LinkEvent::Binary => (Event::Binary, false),
                LinkEvent::Closed(cause) => (Event::Disconnected(cause), true),
            };
            if let Some(tap) = &mut self.tap {
                tap.keep(now, &event);
            }
            self.told = true;
            self.actions.watch.reset();
            let began = ticks();
            self.engine.on_event(now, event, &mut self.actions);
            if gone {
                self.drop_link(now);
            }
            if !self.actions.is_empty() {
                self.act(now);
            }
            self.measure(began);
        }
        if let Some(link) = &mut self.link {
            link.end_turn();
        }
    }

    /// Counts what the stages of a frame took. `began` is when its handling did; its last byte came
    /// before that, by as long as the frames before it took.
    fn measure(&mut self, began: u64) {
        let sent = self.sent.take();
        let watch = &self.actions.watch;
        if let Some(took) = watch.answer() {
            self.meter.record(Stage::OrderRtt, took);
        }
        let Some(parsed) = watch.at(Timestamp::Parsed) else { return };
        self.meter.record(Stage::Parse, ticks_between(began, parsed));
        if let Some(decided) = watch.at(Timestamp::Decided) {
            self.meter.record(Stage::Decide, ticks_between(parsed, decided));
        }
        let read_at = self.link.as_ref().and_then(Link::read_at);
        if let (Some(ended), Some(read_at)) = (sent, read_at) {
            self.meter.record(Stage::TickToOrder, ticks_between(read_at, ended));
        }
    }

    fn tell(&mut self, now: Now, event: Event<'_>) {
        if let Some(tap) = &mut self.tap {
            tap.keep(now, &event);
        }
        self.told = true;
        self.actions.watch.reset();
        self.engine.on_event(now, event, &mut self.actions);
        if !self.actions.is_empty() {
            self.act(now);
        }
        self.sent = None; // No frame caused it.
    }

    /// Does what the engine asked for.
    fn act(&mut self, now: Now) {
        let mut actions = std::mem::take(&mut self.actions);
        let mut broken = None;
        let mut sent = false;
        let mut unasked = None;
        let signed = actions.watch.at(Timestamp::Signed);
        if let (Some(began), Some(ended)) = (actions.watch.at(Timestamp::SignBegan), signed) {
            self.meter.record(Stage::Sign, ticks_between(began, ended));
        }
        let mut began = 0;
        for action in actions.iter() {
            match action {
                Action::Record(row) => self.record(now, row),
                Action::Log(event) => self.log_event(now, event),
                Action::Send(span) => {
                    if !sent && signed.is_some() {
                        began = ticks();
                    }
                    if let (Some(link), None) = (&mut self.link, broken) {
                        broken = link.send(actions.text(span)).err();
                        sent = true;
                    }
                }
                Action::Connect => {
                    self.connecting = true;
                    if !self.resolving {
                        self.resolving = self.request(Request::Resolve);
                    }
                }
                Action::Close(_) => {
                    self.connecting = false;
                    if let Some(link) = self.link.take() {
                        link.close();
                    }
                }
                Action::ReadUniverse => {
                    self.request(Request::ReadUniverse);
                }
                Action::ReadAccount { fills_since } => {
                    self.request(Request::ReadAccount { fills_since });
                }
                Action::Exchange { post, expires, body } => {
                    let body = actions.text(body).into();
                    if !self.request(Request::Exchange { post, expires, body }) {
                        unasked = Some(post);
                    }
                }
                Action::ReadSignerRole => {
                    self.request(Request::ReadSignerRole);
                }
                Action::KeepLoss(entry) => self.keep_loss(entry),
                Action::KeepLatch(latch) => {
                    self.latch_owed = Some(latch);
                    self.hand_over_latch();
                }
                Action::Stopped => self.done = true,
            }
        }
        if let (true, None, Some(link)) = (sent, broken, &mut self.link) {
            broken = link.flush().err();
            if signed.is_some() && broken.is_none() {
                let ended = ticks();
                self.meter.record(Stage::Send, ticks_between(began, ended));
                self.sent = Some(ended);
            }
        }
        actions.clear();
        self.actions = actions;
        if let Some(cause) = broken {
            self.drop_link(now);
            self.tell(now, Event::Disconnected(cause));
        }
        if let Some(post) = unasked {
            self.tell(now, Event::ExchangeFailed { post });
        }
        // Where it was found last will do; the desk may be busy with a slow question.
        if self.connecting && !self.addresses.is_empty() {
            self.connecting = false;
            self.connect(now);
        }
    }

    fn on_reply(&mut self, now: Now, reply: Reply) {
        match reply {
            Reply::Universe(universe) => self.tell(now, Event::Universe(&universe)),
            Reply::UniverseFailed => self.tell(now, Event::UniverseFailed),
            Reply::Account(account) => self.tell(now, Event::Account(&account)),
            Reply::AccountFailed => self.tell(now, Event::AccountFailed),
            Reply::Exchanged { post, status, body } => {
                self.tell(now, Event::Exchanged { post, status, body: &body });
            }
            Reply::ExchangeFailed { post } => self.tell(now, Event::ExchangeFailed { post }),
            Reply::SignerRole(role) => self.tell(now, Event::SignerRole(role)),
            Reply::SignerRoleFailed => self.tell(now, Event::SignerRoleFailed),
            Reply::VenueTime(told) => self.tell(now, Event::VenueTime(told)),
            Reply::Resolved(addresses) => {
                self.resolving = false;
                self.addresses = addresses;
                if std::mem::take(&mut self.connecting) {
                    self.connect(now);
                }
            }
            Reply::ResolveFailed => {
                self.resolving = false;
                if std::mem::take(&mut self.connecting) {
                    self.tell(now, Event::Disconnected(LinkDown::Unreachable));
                }
            }
        }
    }

    fn connect(&mut self, now: Now) {
        // Another address first each time: one that never answers must not hold up the rest.
        let turn = self.attempts.checked_rem(self.addresses.len()).unwrap_or(0);
        self.addresses.rotate_left(turn.min(1));
        self.attempts = self.attempts.wrapping_add(1);
        let Settings { endpoint, tls, .. } = &self.settings;
        match Link::connect(self.poll.registry(), LINK, endpoint, &self.addresses, tls) {
            Ok(link) => self.link = Some(link),
            Err(_) => self.tell(now, Event::Disconnected(LinkDown::Unreachable)),
        }
    }

    fn drop_link(&mut self, now: Now) {
        if let Some(link) = self.link.take()
            && let Some(words) = link.last_words()
        {
            self.log_event(now, LogEvent::LinkSaid { words });
        }
    }

    /// Whether the desk was asked. A full ring means one that does not answer: the engine asks
    /// again by itself.
    fn request(&mut self, request: Request) -> bool {
        let asked = self.rings.requests.push(request).is_ok();
        self.awaited += u32::from(asked);
        asked
    }

    /// What an operator wants, by the keeper's file or by the dashboard.
    fn command(&mut self) -> Option<OperatorCommand> {
        let kept = self.rings.keeper.as_mut().and_then(|keeper| keeper.commands.pop());
        kept.or_else(|| self.rings.publisher.as_mut()?.command())
    }

    /// The dashboard's end is no reason to stop: nothing is lost that must be kept.
    fn step_showcase(&mut self, now: Now, uptime: Nanos, turns: u64) {
        let (notes_lost, rows_lost) = (self.rings.log_events.dropped(), self.rows_lost);
        if let Some(publisher) = &mut self.rings.publisher
            && now.mono >= publisher.next_due()
        {
            publisher.step(now, &self.engine, Loop { uptime, turns, notes_lost, rows_lost });
        }
    }

    fn record(&mut self, now: Now, row: Row) {
        if let Some(publisher) = &mut self.rings.publisher {
            publisher.show(&row);
        }
        if self.rings.rows.push(Stamped { row, at: ticks() }).is_err() {
            if self.rows_lost == 0 {
                self.lost_since = now.wall;
            }
            self.rows_lost += 1;
        }
    }

    fn log_event(&mut self, now: Now, event: LogEvent) {
        // The ring counts what it loses, and the summary says so.
        let _ = self.rings.log_events.push(TimedLogEvent { at: now.wall, event });
    }

    /// Tells the engine of lost rows once there is room for the row that says so.
    fn report_lost(&mut self, now: Now) {
        if self.rows_lost > 0 && self.rings.rows.free() >= ROOM_TO_REPORT {
            let rows = std::mem::take(&mut self.rows_lost);
            self.tell(now, Event::RowsLost { rows, since: self.lost_since });
        }
    }

    /// Leaves word of rows that the end itself has lost. The loop is over and may wait a little.
    fn record_last_gap(&mut self, now: Now) {
        const TRIES: u32 = 1000;
        let markets = self.engine.markets().len() as u32;
        let cause = GapCause::RingOverflow;
        let gap = GapRow { started_at: self.lost_since, ended_at: now.wall, cause, markets };
        for _ in 0..TRIES {
            let done = self.rows_lost == 0 || self.rings.rows.is_abandoned();
            if done || self.rings.rows.push(Stamped { row: Row::Gap(gap), at: ticks() }).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from(REPLY_SLEEP));
        }
    }

    /// Hands an entry of the losses to the keeper. Amounts that a full ring has no room for are summed
    /// up and go with the next.
    fn keep_loss(&mut self, entry: LossEntry) {
        let Some(keeper) = &mut self.rings.keeper else { return };
        let owed = LossEntry::Counted { at: self.loss_owed.0, amount: self.loss_owed.1 };
        if self.loss_owed.1 != Usd::ZERO && keeper.losses.push(owed).is_ok() {
            self.loss_owed.1 = Usd::ZERO;
        }
        if keeper.losses.push(entry).is_ok() {
            return;
        }
        match entry {
            LossEntry::Counted { at, amount } => {
                self.loss_owed = (at, self.loss_owed.1.saturating_add(amount));
            }
            LossEntry::Forgotten => self.loss_owed.1 = Usd::ZERO,
            LossEntry::Open { .. } => {}
        }
    }

    /// Hands the newest latch to the keeper. A full ring is tried again at the next turn: the latch
    /// must not be lost, and an older one says less.
    fn hand_over_latch(&mut self) {
        if let (Some(latch), Some(keeper)) = (self.latch_owed, &mut self.rings.keeper)
            && keeper.latches.free() > 0
            && keeper.latches.push(latch).is_ok()
        {
            self.latch_owed = None;
        }
    }

    /// The same once the loop is over and may wait a little.
    fn hand_over_last_latch(&mut self) {
        const TRIES: u32 = 1000;
        for _ in 0..TRIES {
            self.hand_over_latch();
            let gone = self.rings.keeper.as_ref().is_none_or(|k| k.latches.is_abandoned());
            if self.latch_owed.is_none() || gone {
                return;
            }
            std::thread::sleep(Duration::from(REPLY_SLEEP));
        }
    }

    /// A cold thread that died.
    fn abandoned_by(&self) -> Option<&'static str> {
        let Rings { rows, log_events, requests, keeper, .. } = &self.rings;
        [
            (rows.is_abandoned(), "recorder"),
            (log_events.is_abandoned(), "log"),
            (requests.is_abandoned(), "desk"),
            (keeper.as_ref().is_some_and(|keeper| keeper.latches.is_abandoned()), "keeper"),
        ]
        .into_iter()
        .find_map(|(gone, name)| gone.then_some(name))
    }

    /// The engine's counters, with the losses that it has not been told of yet.
    fn status(&self, now: Now) -> Status {
        let status = self.engine.status(now.mono);
        Status { rows_lost: status.rows_lost + self.rows_lost, ..status }
    }

    fn show(&mut self, now: Now) {
        let status = self.status(now);
        self.settings.watched.set_markets(status.markets);
        self.settings.watched.beat();
        let _ = self.rings.statuses.push(status); // The next one tells more.
    }

    /// How long the loop may sleep: not at all when it spins, or when something waits.
    fn sleep(&self, now: Mono, at_latest: Mono) -> Duration {
        if self.settings.busy_poll || self.link.as_ref().is_some_and(Link::more) {
            return Duration::ZERO;
        }
        let longest = if self.awaited > 0 { REPLY_SLEEP } else { LONGEST_SLEEP };
        let shown = self.rings.publisher.as_ref().map_or(Mono::MAX, SnapshotPublisher::next_due);
        let due = self.engine.next_due().min(at_latest).min(shown).since(now);
        // Rounded up to the millisecond that the system sleeps by, so as not to spin before it.
        let ms = due.min(longest).0.div_ceil(1_000_000);
        Duration::from_millis(ms)
    }
}
