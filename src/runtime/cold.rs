//! What the cold threads do in loops: the desk reads venue and account and resolves names, the recorder
//! feeds the files. Each ends when its ring is closed and empty.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::{error, info, warn};

use crate::account::{self, Dated};
use crate::alerts::{AlertEvent, AlertSender};
use crate::persistence::{Store, StoreError, Summary};
use crate::runtime::link::{Endpoint, resolve};
use crate::runtime::meter::Meter;
use crate::runtime::os::{Clock, Service, ticks, ticks_between};
use crate::runtime::ring::{Consumer, Producer};
use crate::types::account::{AccountState, Role};
use crate::types::ids::Address;
use crate::types::latency::Stage;
use crate::types::market::Universe;
use crate::types::record::Row;
use crate::types::time::{Mono, Nanos, VenueMs, VenueTime, Wall};

/// Pause of a loop when nothing waits.
const IDLE: Duration = Duration::from_millis(2);
/// Rows taken between two commits to the journal.
const BATCH: usize = 1024;
/// Rows after which the files are written even if the interval is not over: far below what the
/// store holds in memory.
const ROWS_PER_FLUSH: usize = 65_536;
/// Files are looked after this often even if no row comes: the journal is renewed, past days end.
const UPKEEP: Duration = Duration::from_secs(60);

/// What the hot thread asks the desk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Request {
    /// Read the venue.
    ReadUniverse,
    /// Read the account.
    ReadAccount {
        /// Fills from here on are asked for.
        fills_since: VenueMs,
    },
    /// Ask for an action by `POST /exchange`.
    Exchange {
        /// Its number.
        post: u64,
        /// After this the venue no longer takes it.
        expires: Wall,
        /// The signed body.
        body: Box<[u8]>,
    },
    /// Ask what the signer is to the venue.
    ReadSignerRole,
    /// Find the addresses of the venue's socket.
    Resolve,
}

/// What it answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A reading, whole and well-formed.
    Universe(Box<Universe>),
    /// None; the log says why.
    UniverseFailed,
    /// A reading of the account, whole and well-formed.
    Account(Box<AccountState>),
    /// None; the log says why.
    AccountFailed,
    /// The answer to an action.
    Exchanged {
        /// Its number.
        post: u64,
        /// HTTP status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// None; the log says why.
    ExchangeFailed {
        /// Its number.
        post: u64,
    },
    /// What the signer is to the venue.
    SignerRole(Role),
    /// Not known; the log says why.
    SignerRoleFailed,
    /// What the answers to a reading have told of the venue's clock. Comes before the reading, and answers
    /// no request.
    VenueTime(VenueTime),
    /// Addresses, at least one.
    Resolved(Vec<SocketAddr>),
    /// None; the log says why.
    ResolveFailed,
}

/// How often it is looked how long the agent is valid.
const AGENT_LOOK: Duration = Duration::from_secs(3_600);

/// What the desk looks at by itself: how long the agent that signs is valid.
#[derive(Debug)]
pub struct AgentExpiryCheck {
    /// The master account.
    pub user: String,
    /// The agent's address.
    pub signer: String,
    /// Who is told.
    pub alerts: AlertSender,
    /// Not before this; `None` until the account was read once.
    due: Option<Instant>,
}

impl AgentExpiryCheck {
    /// None, when nobody would be told, or the account signs for itself: that does not expire.
    pub fn new(user: &str, signer: &str, alerts: &AlertSender) -> Option<Self> {
        let wanted = alerts.is_enabled() && !signer.eq_ignore_ascii_case(user);
        let (user, signer) = (user.to_owned(), signer.to_owned());
        wanted.then(|| Self { user, signer, alerts: alerts.clone(), due: None })
    }

    /// The venue answers: the first look may be taken.
    fn begin(&mut self) {
        self.due.get_or_insert_with(Instant::now);
    }

    /// Looks, if that is due.
    fn look(&mut self, reader: &account::Reader) {
        if self.due.is_none_or(|due| Instant::now() < due) {
            return;
        }
        self.due = Some(Instant::now() + AGENT_LOOK);
        match reader.agents(&self.user) {
            Ok(agents) => {
                let ours =
                    |agent: &account::Agent| agent.address.eq_ignore_ascii_case(&self.signer);
                // One without a name is not listed, and the venue does not say when it expires.
                if let Some(agent) = agents.into_iter().find(ours)
                    && let Some(until) = agent.valid_until
                {
                    self.alerts.send(AlertEvent::Agent { name: agent.name, until });
                }
            }
            Err(error) => warn!(%error, "it could not be read how long the agent is valid"),
        }
    }
}

/// Answers requests until the hot thread is gone, and takes a `look` at the agent in between. An
/// action goes before questions that wait.
/// `signer` is who signs, in trading.
pub fn desk(
    mut reader: account::Reader,
    signer: Option<Address>,
    endpoint: &Endpoint,
    mut clock: Clock,
    mut requests: Consumer<Request>,
    mut replies: Producer<Reply>,
    mut look: Option<AgentExpiryCheck>,
) {
    let mut waiting = VecDeque::new();
    let mut odd_told = BTreeSet::new();
    loop {
        if requests.is_closed() {
            return; // Nobody waits for answers any more.
        }
        while let Some(request) = requests.pop() {
            match request {
                Request::Exchange { .. } => waiting.push_front(request),
                _ => waiting.push_back(request),
            }
        }
        let Some(request) = waiting.pop_front() else {
            if let Some(look) = &mut look {
                look.look(&reader);
            }
            std::thread::sleep(IDLE);
            continue;
        };
        let reply = match request {
            Request::ReadUniverse => match reader.read_universe() {
                Ok(universe) => {
                    tell_odd(&reader, &universe, &mut odd_told);
                    Reply::Universe(Box::new(universe))
                }
                Err(error) => {
                    warn!(%error, "the venue could not be read");
                    Reply::UniverseFailed
                }
            },
            Request::ReadAccount { fills_since } => match reader.read_account(fills_since) {
                Ok(account) => {
                    look.as_mut().into_iter().for_each(AgentExpiryCheck::begin);
                    Reply::Account(Box::new(account))
                }
                Err(error) => {
                    warn!(%error, "the account could not be read");
                    Reply::AccountFailed
                }
            },
            Request::Exchange { post, expires, body } => exchange(&reader, post, expires, &body),
            Request::ReadSignerRole => {
                match signer.map(|signer| reader.role(&signer.to_string())) {
                    Some(Ok(role)) => Reply::SignerRole(role),
                    Some(Err(error)) => {
                        warn!(%error, "it could not be read whom the signer may act for");
                        Reply::SignerRoleFailed
                    }
                    None => Reply::SignerRoleFailed, // Whoever does not sign does not ask.
                }
            }
            Request::Resolve => match resolve(endpoint) {
                Ok(addresses) => Reply::Resolved(addresses),
                Err(error) => {
                    warn!(host = endpoint.host(), %error, "the venue's name could not be resolved");
                    Reply::ResolveFailed
                }
            },
        };
        if let Some(told) = venue_time(reader.take_dates(), &mut clock) {
            // The next reading will tell it again.
            let _ = replies.push(Reply::VenueTime(told));
        }
        // There is room: the hot thread has fewer requests under way than the ring has places.
        let _ = replies.push(reply);
    }
}

/// Sends an action, unless the questions before it took so long that the venue would refuse it.
fn exchange(reader: &account::Reader, post: u64, expires: Wall, body: &[u8]) -> Reply {
    if wall_now() > expires {
        warn!(post, "an action waited past its expiry and was not sent by REST");
        return Reply::ExchangeFailed { post };
    }
    match reader.exchange(body) {
        Ok((status, body)) => Reply::Exchanged { post, status, body },
        Err(error) => {
            warn!(post, %error, "an action sent by REST had no answer");
            Reply::ExchangeFailed { post }
        }
    }
}

/// Warns of entries of the venue's lists that cannot be read: of each once, and of none that would not
/// be watched anyway.
fn tell_odd(reader: &account::Reader, universe: &Universe, told: &mut BTreeSet<String>) {
    for odd in universe.odd.iter().filter(|odd| reader.is_watched(&odd.name)) {
        if told.insert(odd.why.clone()) {
            warn!(
                market = odd.name,
                why = odd.why,
                "an entry of the venue cannot be read: not traded"
            );
        }
    }
    // One that is mended is told of again, should it come back.
    told.retain(|why| universe.odd.iter().any(|odd| odd.why == *why));
}

/// What dates of answers tell of the venue's clock, on ours.
///
/// A date is a whole second, so that one answer tells it within a second and the time that it took; several
/// tell it better. Where they contradict each other a clock was set meanwhile, and the last one counts.
fn venue_time(dates: impl Iterator<Item = Dated>, clock: &mut Clock) -> Option<VenueTime> {
    const SECOND: Nanos = Nanos::from_secs(1);
    let (at, now) = (clock.now().mono, Instant::now());
    let nanos = |span: Duration| Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
    dates
        .map(|Dated { asked, answered, date }| {
            let ago = nanos(now.saturating_duration_since(answered));
            let took = nanos(answered.saturating_duration_since(asked));
            let latest = date.plus(SECOND).plus(took);
            VenueTime { at: Mono(at.0.saturating_sub(ago.0)), earliest: date, latest }.later(at)
        })
        .reduce(|known, told| known.and(told).unwrap_or(told))
}

/// What the hot thread sees of the venue, for whoever cannot ask the engine.
#[derive(Debug, Default)]
pub struct Watched {
    markets: AtomicU32,
    /// Nanoseconds since 1970, zero for never.
    blind_since: AtomicI64,
    beats: AtomicU64,
}

impl Watched {
    /// So many markets are watched.
    pub fn set_markets(&self, markets: u32) {
        self.markets.store(markets, Ordering::Relaxed);
    }

    /// Since then not all of them are seen.
    pub fn set_blind_since(&self, since: Option<Wall>) {
        self.blind_since.store(since.map_or(0, |since| since.0), Ordering::Relaxed);
    }

    /// The loop turns. To be called each second or so.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it said so.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Markets that are watched.
    pub fn markets(&self) -> u32 {
        self.markets.load(Ordering::Relaxed)
    }

    /// Since when not all of them are seen, if that is so.
    pub fn blind_since(&self) -> Option<Wall> {
        match self.blind_since.load(Ordering::Relaxed) {
            0 => None,
            since => Some(Wall(since)),
        }
    }
}

/// How often the service manager hears of us.
const REPORT: Duration = Duration::from_secs(1);

/// Tells the service manager how it goes, until `done`: whoever sets it should wake this thread. The
/// watchdog is fed as long as the hot loop turns, and while what it left behind is put away; a loop
/// that hangs is restarted. A manager that cannot be reached acts by itself: the log says so once.
pub fn report(service: &Service, watched: &Watched, ended: &AtomicBool, done: &AtomicBool) {
    let mut failing = false;
    let mut heard = |sent: io::Result<()>| {
        match (&sent, failing) {
            (Err(error), false) => warn!(%error, "the service manager cannot be reached"),
            (Ok(()), true) => info!("the service manager is reached again"),
            (Err(_), true) | (Ok(()), false) => {}
        }
        failing = sent.is_err();
    };
    heard(service.ready());
    let (mut beats, mut told) = (watched.beats(), String::new());
    while !done.load(Ordering::Acquire) {
        let beat = watched.beats();
        if std::mem::replace(&mut beats, beat) != beat || ended.load(Ordering::Acquire) {
            heard(service.feed());
        }
        let seen = if watched.blind_since().is_some() { "not all seen" } else { "all seen" };
        let status = format!("{} markets, {seen}", watched.markets());
        if told != status {
            heard(service.tell(&status));
            told = status;
        }
        std::thread::park_timeout(REPORT);
    }
    heard(service.stopping());
}

/// A row on its way to the recorder.
#[derive(Clone, Copy, Debug)]
pub struct Stamped {
    /// The row.
    pub row: Row,
    /// When it was pushed, by [`ticks`].
    pub at: u64,
}

/// What measures how long rows lie in the ring.
#[derive(Debug)]
pub struct Lag<'a> {
    /// Of [`Stage::RingLag`].
    pub meter: Meter,
    /// The meter's clock.
    pub clock: &'a mut Clock,
}

/// What the recorder knows of the run that it records.
#[derive(Debug)]
pub struct Run<'a> {
    /// What is seen of the venue.
    pub watched: &'a Watched,
    /// Whether the hot thread has ended in order.
    pub ended: &'a AtomicBool,
    /// Who is told of trouble.
    pub alerts: &'a AlertSender,
}

/// The wall clock of the cold threads.
pub fn wall_now() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Stores rows until the hot thread is gone, and closes the files. `each` sees every row.
///
/// Unless the hot thread of the `run` has ended in order, the files are written but not closed, and
/// there is no summary: the next start then finds a run that was cut off, and says so.
pub fn recorder(
    mut store: Store,
    mut rows: Consumer<Stamped>,
    flush_interval: Nanos,
    run: &Run<'_>,
    mut lag: Lag<'_>,
    mut each: impl FnMut(&Row),
) -> Result<Option<Summary>, StoreError> {
    // A row is visible within the interval: the flush itself takes some of it.
    let patience = Duration::from(Nanos(flush_interval.0 / 10 * 9));
    let mut oldest: Option<Instant> = None;
    let (mut unflushed, mut flushed_at) = (0, Instant::now());
    let (mut troubles, mut failed) = (0, false);
    loop {
        let closed = rows.is_closed();
        let mut taken = 0;
        while taken < BATCH
            && let Some(Stamped { row, at }) = rows.pop()
        {
            lag.meter.record(Stage::RingLag, ticks_between(at, ticks()));
            store.append(&row);
            each(&row);
            taken += 1;
        }
        lag.meter.step(lag.clock.now().mono);
        store.alive(wall_now(), run.watched.markets(), run.watched.blind_since());
        if taken > 0 {
            oldest.get_or_insert_with(Instant::now);
        }
        unflushed += taken;
        if oldest.is_some_and(|since| since.elapsed() >= patience)
            || unflushed >= ROWS_PER_FLUSH
            || flushed_at.elapsed() >= UPKEEP
        {
            let report = store.flush(wall_now());
            (unflushed, flushed_at) = (0, Instant::now());
            // What failed waits for the next interval.
            oldest = (!report.errors.is_empty()).then(Instant::now);
        }
        troubles = shout(&store, troubles, run.alerts);
        let failing = store.health().failing;
        if failed && !failing {
            info!("records are stored again");
            run.alerts.send(AlertEvent::RecordsStored);
        }
        failed = failing;
        if taken == 0 {
            if closed {
                lag.meter.finish(lag.clock.now().mono);
                if run.ended.load(Ordering::Acquire) {
                    return store.close(wall_now()).map(Some);
                }
                store.flush(wall_now());
                return Ok(None);
            }
            std::thread::sleep(IDLE);
        }
    }
}

/// Tells when storing fails, each time, and when it works again. Returns the number of failures.
fn shout(store: &Store, told: u64, alerts: &AlertSender) -> u64 {
    let health = store.health();
    let troubles = health.journal_errors + health.flush_errors;
    if troubles > told {
        error!(
            error = health.last_error.as_deref().unwrap_or("unknown"),
            journal_errors = health.journal_errors,
            flush_errors = health.flush_errors,
            rows_waiting = health.waiting_rows,
            rows_dropped = health.rows_dropped,
            "records cannot be stored; they wait in memory and are tried again"
        );
        alerts.send(AlertEvent::RecordsFailing {
            error: health.last_error.unwrap_or_else(|| "unknown".to_owned()),
            waiting: health.waiting_rows,
            dropped: health.rows_dropped,
        });
    }
    troubles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_a_reading_tell_the_venues_time_within_what_all_of_them_allow() {
        let mut clock = Clock::new();
        let begin = Instant::now();
        let second = |s: i64| Wall(s * 1_000_000_000);
        let ms = Duration::from_millis;
        let dated = |from: u64, until: u64, s: i64| Dated {
            asked: begin + ms(from),
            answered: begin + ms(until),
            date: second(s),
        };
        std::thread::sleep(ms(30));
        assert_eq!(venue_time(std::iter::empty(), &mut clock), None);
        // The second turned between the two answers: at the first it was almost over.
        let told = venue_time([dated(0, 4, 100), dated(10, 14, 101)].into_iter(), &mut clock);
        let told = told.expect("a time");
        let exact = Nanos((told.latest.0 - told.earliest.0) as u64);
        assert!(exact <= Nanos::from_millis(15), "{exact:?}");
        assert!(told.earliest >= second(101));
        // Contradicting each other, the last one counts.
        let told = venue_time([dated(0, 4, 100), dated(10, 14, 3_700)].into_iter(), &mut clock);
        let told = told.expect("a time");
        assert!(told.earliest >= second(3_700) && told.latest <= second(3_702), "{told:?}");
    }
}
