//! A server in this process, and the rings that feed it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hip3::dashboard::{self, Facts, Feed, Patience, Token};
use hip3::runtime::ring::{Consumer, Producer, ring};
use hip3::types::event::OperatorCommand;
use hip3::types::record::{Mode, Row};
use hip3::types::snapshot::{Percentiles, Snapshot};
use hip3::types::time::Nanos;

/// Nothing that a test waits for takes longer, however loaded the machine is; past it the test fails
/// instead of hanging.
pub(crate) const WAIT: Duration = Duration::from_secs(60);

/// Commands that may wait in the ring of a test.
pub(crate) const MAX_COMMANDS: usize = 4;

/// What every server here is told, in observation.
pub(crate) fn facts() -> Facts {
    Facts {
        mode: Mode::Observation,
        version: "0.1.0 (abc1234)".to_owned(),
        run_id: "20261122T120000Z-7".to_owned(),
        exit_reserve: 50,
        update_interval: Nanos::from_millis(10),
        frame_patience: Nanos::from_secs(600),
        max_pages: 4,
        patience: Patience::default(),
    }
}

/// The same in trading.
pub(crate) fn trading() -> Facts {
    Facts { mode: Mode::Trading, ..facts() }
}

/// A token made now.
pub(crate) fn fresh_token() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

/// A server, and the hot thread's ends of its rings.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    thread: JoinHandle<io::Result<()>>,
    shown: Producer<Box<Snapshot>>,
    spent: Consumer<Box<Snapshot>>,
    pub(crate) rows: Producer<Row>,
    pub(crate) commands: Consumer<OperatorCommand>,
    pub(crate) measured: SyncSender<(&'static str, Percentiles)>,
}

impl Server {
    pub(crate) fn start(facts: Facts, token: Option<&str>) -> Self {
        let listener = dashboard::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let token = token.map(|text| Token::new(text).expect("a token"));
        let (shown, snapshots) = ring(4);
        let (give_back, spent) = ring(4);
        let (rows, shown_rows) = ring(64);
        let (ask, commands) = ring(MAX_COMMANDS);
        let (measured, latency) = sync_channel(16);
        let feed = Feed { snapshots, spent: give_back, rows: shown_rows, commands: ask, latency };
        let thread = dashboard::spawn(listener, token, facts, feed).expect("a thread");
        Self { address, thread, shown, spent, rows, commands, measured }
    }

    /// In observation, showing nothing yet.
    pub(crate) fn observing() -> Self {
        Self::start(facts(), None)
    }

    /// Shows a snapshot, and returns once the server has it, with all that was handed over before.
    pub(crate) fn show(&mut self, snapshot: &Snapshot) {
        self.shown.push(Box::new(snapshot.clone())).expect("room for a snapshot");
        wait_for("the snapshot to be taken", || self.spent.pop());
    }

    /// Takes the command that was just accepted.
    pub(crate) fn command(&mut self) -> OperatorCommand {
        wait_for("a command", || self.commands.pop())
    }

    /// Ends the run, and returns once the thread has ended.
    pub(crate) fn end(self) {
        drop(self.shown);
        self.thread.join().expect("no panic").expect("no error");
    }
}

/// What `look` finds in the end.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < WAIT, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
