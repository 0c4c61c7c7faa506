//! Alerts: what a person should know at once, sent by webhook from a cold thread of its own.
//!
//! `news` says what becomes an alert, `outbox` when it is sent, again or no more, `body` what it
//! looks like; none of them knows a clock or a socket. Nobody ever waits for an alert but the end of a
//! run, for [`END`]. What must never happen here: the URL, which is a secret, in a log or an error.

mod address;
mod body;
mod news;
mod outbox;
mod post;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::{error, info, warn};

pub use self::address::Address;
use self::body::Formatter;
use self::news::AlertRules;
pub use self::news::{AlertEvent, Ended};
use self::outbox::{Limits, Queue, Step};
pub use self::post::Answer;
use self::post::WebhookClient;
use crate::types::config;
use crate::types::log_event::LogEvent;
use crate::types::record::Mode;
use crate::types::time::{Mono, Nanos, Now, Wall};

/// Events that may wait for the thread; past it they are counted as dropped.
const NEWS: usize = 256;
/// Longest wait for news: by then the thread looks whether the run has ended.
const NAP: Duration = Duration::from_millis(100);
/// Longest a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the end of a run waits for what is not sent yet.
pub const END: Duration = Duration::from_secs(5);

/// Where news is handed in. Never waits; one that is silent takes all and does nothing.
#[derive(Clone, Debug, Default)]
pub struct AlertSender {
    news: Option<SyncSender<AlertEvent>>,
    /// Events that found no room.
    lost: Arc<AtomicU64>,
}

impl AlertSender {
    /// One that nobody hears.
    pub fn disabled() -> Self {
        Self::default()
    }

    /// Whether anybody hears it.
    pub const fn is_enabled(&self) -> bool {
        self.news.is_some()
    }

    /// Hands in `news`, unless there is no room.
    pub fn send(&self, news: AlertEvent) {
        if let Some(sender) = &self.news
            && sender.try_send(news).is_err()
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends a log event, if it is one that may become an alert.
    pub fn log_event(&self, event: &LogEvent) {
        if self.is_enabled() && news::concerns(event) {
            self.send(AlertEvent::LogEvent(*event));
        }
    }
}

/// The alerts of a run, or none.
#[derive(Debug)]
pub struct Alerts {
    alerts: AlertSender,
    sending: Option<Sending>,
}

/// The thread that sends them, and what it is told of the end.
#[derive(Debug)]
struct Sending {
    /// What the thread does, until it has begun.
    office: Option<Box<AlertWorker>>,
    end: SyncSender<usize>,
    ended: Receiver<usize>,
    ending: Arc<AtomicBool>,
    host: String,
}

/// Who sends, as alerts name it.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The run; empty until it has one.
    pub run_id: String,
    /// Its mode.
    pub mode: Mode,
    /// The machine's name, if it has one.
    pub host: Option<String>,
}

impl Alerts {
    /// None: alerts are disabled.
    pub fn off() -> Self {
        Self { alerts: AlertSender::disabled(), sending: None }
    }

    /// To `address`, as `settings` say. Events are taken from now on, and sent once the thread has begun.
    pub fn new(settings: &config::Alerts, address: Address, sender: Sender) -> Self {
        let (news, heard) = sync_channel(NEWS);
        let (end, ended) = sync_channel(1);
        let alerts = AlertSender { news: Some(news), ..AlertSender::default() };
        let ending = Arc::new(AtomicBool::new(false));
        let host = address.host().to_owned();
        let office = AlertWorker {
            heard,
            lost: Arc::clone(&alerts.lost),
            ending: Arc::clone(&ending),
            began: Instant::now(),
            watch: AlertRules::default(),
            outbox: Queue::new(Limits {
                min_interval: settings.min_interval,
                max_per_hour: settings.max_per_hour,
            }),
            envelope: Formatter::new(settings, sender),
            post: WebhookClient::new(address),
            failing: false,
        };
        let office = Some(Box::new(office));
        Self { alerts, sending: Some(Sending { office, end, ended, ending, host }) }
    }

    /// Starts the thread, if it has not begun. It runs on the core of its caller's thread.
    pub fn begin(&mut self) -> io::Result<()> {
        let Some(Sending { office, end, .. }) = &mut self.sending else { return Ok(()) };
        let Some(office) = office.take() else { return Ok(()) };
        let end = end.clone();
        let work = move || {
            // Nobody listens any more if the end took too long.
            let _ = end.send(office.run());
        };
        thread::Builder::new().name("hip3-alerts".to_owned()).spawn(work).map(drop)
    }

    /// Where news is handed in.
    pub fn sender(&self) -> AlertSender {
        self.alerts.clone()
    }

    /// Sends what waits, for [`END`] at most.
    pub fn finish(mut self) {
        // A run that could not even begin has something to tell, too.
        let begun = self.begin();
        let Some(Sending { ended, ending, host, .. }) = self.sending else { return };
        if let Err(error) = begun {
            return warn!(host, %error, "alerts were not sent: there is no thread for it");
        }
        ending.store(true, Ordering::Release);
        // A receiver that hangs holds the thread longer than that; the program does not wait for it.
        match ended.recv_timeout(END + 2 * NAP) {
            Ok(0) => {}
            Ok(waiting) => warn!(host, waiting, "alerts were not sent"),
            Err(_) => warn!(host, "alerts were not sent: the receiver did not answer"),
        }
    }
}

/// Sends one test alert and says what came of it.
pub fn test(settings: &config::Alerts, address: Address, sender: Sender) -> Answer {
    let now = Now { mono: Mono(0), wall: wall_now() };
    let letter = outbox::QueuedAlert::test(now);
    let body = Formatter::new(settings, sender).body(&letter, 0);
    WebhookClient::new(address).send(&body, PATIENCE)
}

/// The thread's work.
#[derive(Debug)]
struct AlertWorker {
    heard: Receiver<AlertEvent>,
    lost: Arc<AtomicU64>,
    ending: Arc<AtomicBool>,
    began: Instant,
    watch: AlertRules,
    outbox: Queue,
    envelope: Formatter,
    post: WebhookClient,
    /// Whether the last try failed.
    failing: bool,
}

impl AlertWorker {
    /// Works until the run has ended and nothing is left to send, or [`END`] is over. Returns how many
    /// alerts were not sent.
    fn run(mut self) -> usize {
        let mut deadline = None;
        loop {
            // Asked first: what was handed in before the end is heard.
            let ending = self.ending.load(Ordering::Acquire);
            let gone = self.hear();
            let now = self.now();
            if (ending || gone) && deadline.is_none() {
                self.outbox.close(now.mono);
                deadline = Some(now.mono.plus(nanos(END)));
            }
            let left = deadline.map(|at| Duration::from(at.since(now.mono)));
            let pause = match self.outbox.next(now.mono) {
                _ if left.is_some_and(|left| left.is_zero()) => return self.outbox.waiting(),
                Step::Send => {
                    self.send(left.map_or(PATIENCE, |left| left.min(PATIENCE)));
                    continue;
                }
                Step::Wait(until) if deadline.is_some_and(|at| until > at) => {
                    return self.outbox.waiting();
                }
                Step::Wait(until) => NAP.min(until.since(now.mono).into()),
                Step::Idle if deadline.is_some() => return 0,
                Step::Idle => NAP,
            };
            match self.heard.recv_timeout(pause) {
                Ok(news) => self.take(news),
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody is left to hand in anything, but what waits may still be sent.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(pause),
            }
        }
    }

    /// Takes what was handed in; whether nobody is left who could.
    fn hear(&mut self) -> bool {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        self.outbox.drop_unseen(lost);
        loop {
            match self.heard.try_recv() {
                Ok(news) => self.take(news),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    fn take(&mut self, news: AlertEvent) {
        let now = self.now();
        if let AlertEvent::Began { run_id, .. } = &news {
            self.envelope.set_run(run_id);
        }
        if let Some(alert) = self.watch.hear(now, news) {
            self.outbox.push(now.mono, alert);
        }
    }

    fn send(&mut self, patience: Duration) {
        let Some((letter, dropped)) = self.outbox.first() else { return };
        let body = self.envelope.body(letter, dropped);
        let answer = self.post.send(&body, patience);
        let host = self.post.host();
        match &answer {
            Answer::Taken(_) if self.failing => info!(host, "alerts are taken again"),
            Answer::Taken(_) => {}
            Answer::Busy { .. } => warn!(host, status = 429, "an alert has to wait"),
            Answer::Failed(why) => warn!(host, why, "an alert was not taken; tried again"),
            Answer::Refused(status) => error!(host, status, "an alert was refused, and is dropped"),
        }
        self.failing = !matches!(answer, Answer::Taken(_));
        let now = self.now();
        self.outbox.answered(now.mono, &answer);
    }

    fn now(&self) -> Now {
        Now { mono: Mono(nanos(self.began.elapsed()).0), wall: wall_now() }
    }
}

fn nanos(span: Duration) -> Nanos {
    Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

fn wall_now() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
