//! The dashboard: what the engine sees and does, over HTTP. A cold thread with a runtime of its own;
//! the hot thread copies into rings and never waits for it.
//!
//! Fields and paths of the API are a promise. Everything that is asked or told is bounded: connections, their
//! heads, bodies, and how long they may take.

mod board;
mod guard;
mod history;
mod http;
mod json;
mod metrics;
mod page;
mod rehearse;
mod serve;
mod socket;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::dashboard::board::Board;
use crate::dashboard::guard::Guard;
pub use crate::dashboard::guard::{NoToken, Token};
use crate::dashboard::http::Shared;
pub use crate::dashboard::http::read_command;
pub use crate::dashboard::rehearse::{Rehearsal, rehearse};
use crate::types::event::OperatorCommand;
use crate::types::record::{Mode, Row};
use crate::types::snapshot::{Percentiles, Snapshot};
use crate::types::source::{Sink, Source};
use crate::types::time::{Mono, Nanos};

/// How often the rings are looked at: less than people notice.
const LOOK: Duration = Duration::from_millis(5);
/// Commands that may wait.
const MAX_COMMANDS: usize = 16;

/// What does not change while it runs.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The mode of the run.
    pub mode: Mode,
    /// Version of the program.
    pub version: String,
    /// Id of the run.
    pub run_id: String,
    /// Requests kept for exits.
    pub exit_reserve: u32,
    /// From update to update.
    pub update_interval: Nanos,
    /// A link on which nothing comes for longer is not well.
    pub frame_patience: Nanos,
    /// Most pages at once.
    pub max_pages: u32,
    /// What is waited for a client.
    pub patience: Patience,
}

/// How long a client is waited for, and served.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the head of a request; a connection without one is closed after it.
    pub head: Duration,
    /// For the body of a request.
    pub body: Duration,
    /// For a client to take what is written to it.
    pub write: Duration,
    /// From ping to ping; a page from which nothing came for longer than three is gone.
    pub ping: Duration,
    /// For all requests of one connection; pages' sockets are not counted, once they are open.
    pub life: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(5),
            write: Duration::from_secs(5),
            ping: Duration::from_secs(15),
            life: Duration::from_secs(60),
        }
    }
}

/// What it is fed by, and whom it asks.
#[derive(Debug)]
pub struct Feed<S, B, R, W> {
    /// Snapshots.
    pub snapshots: S,
    /// Where they go back.
    pub spent: B,
    /// Rows, at once.
    pub rows: R,
    /// To the engine.
    pub commands: W,
    /// Lengths of stages, as far as they were measured.
    pub latency: mpsc::Receiver<(&'static str, Percentiles)>,
}

/// The dashboard's clock.
#[derive(Clone, Copy, Debug)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> Mono {
        Mono(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Binds the address, so that a start that cannot have it fails before anything else happens.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Starts the thread. It ends once its sources are closed and empty.
pub fn spawn<S, B, R, W>(
    listener: TcpListener,
    token: Option<Token>,
    facts: Facts,
    feed: Feed<S, B, R, W>,
) -> io::Result<JoinHandle<io::Result<()>>>
where
    S: Source<Box<Snapshot>> + Send + 'static,
    B: Sink<Box<Snapshot>> + Send + 'static,
    R: Source<Row> + Send + 'static,
    W: Sink<OperatorCommand> + Send + 'static,
{
    let guard = Guard::new(listener.local_addr()?, token);
    thread::Builder::new().name("hip3-dashboard".to_owned()).spawn(move || {
        // The thread's own tasks only: nothing here may spread over cores.
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        runtime.block_on(run(listener, guard, facts, feed))
    })
}

async fn run<S, B, R, W>(
    listener: TcpListener,
    guard: Guard,
    facts: Facts,
    mut feed: Feed<S, B, R, W>,
) -> io::Result<()>
where
    S: Source<Box<Snapshot>>,
    B: Sink<Box<Snapshot>>,
    R: Source<Row>,
    W: Sink<OperatorCommand>,
{
    let (shared, mut command_source) = share(guard, facts);
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::spawn(serve::accept(listener, Arc::clone(&shared)));
    let mut waiting = None;
    loop {
        let closed = feed.snapshots.closed(); // Asked before the last look.
        look(&shared, &mut feed);
        // A command is never dropped: it waits until the loop has room.
        while let Some(command) = waiting.take().or_else(|| command_source.try_recv().ok()) {
            if let Err(back) = feed.commands.put(command) {
                waiting = Some(back);
                break;
            }
        }
        if closed {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What requests share, and where commands come out.
fn share(
    guard: Guard,
    facts: Facts,
) -> (Arc<Shared>, tokio::sync::mpsc::Receiver<OperatorCommand>) {
    let (commands, command_source) = tokio::sync::mpsc::channel(MAX_COMMANDS);
    let (most_clients, patience) = (facts.max_pages, facts.patience);
    let shared = Shared {
        board: Mutex::new(Board::new(facts, guard.has_token())),
        clock: Clock(Instant::now()),
        guard,
        news: socket::channel(),
        commands,
        most_clients,
        patience,
    };
    (Arc::new(shared), command_source)
}

/// Takes what waits in the rings, and tells every page.
fn look<S, B, R, W>(shared: &Shared, feed: &mut Feed<S, B, R, W>)
where
    S: Source<Box<Snapshot>>,
    B: Sink<Box<Snapshot>>,
    R: Source<Row>,
{
    let mut board = shared.board();
    // Whether anybody listens is for the channel to know: it drops what nobody will hear.
    let tell = |text: String| drop(shared.news.send(text.into()));
    let now = shared.clock.now();
    while let Some(snapshot) = feed.snapshots.take() {
        board.take_snapshot(now, &snapshot);
        // There is room: it came from there.
        let _ = feed.spent.put(snapshot);
    }
    while let Some(row) = feed.rows.take() {
        if let Some(text) = board.take_row(&row) {
            tell(text);
        }
    }
    while let Ok((stage, figures)) = feed.latency.try_recv() {
        board.take_latency(stage, figures);
    }
    if shared.news.receiver_count() > 0
        && let Some(update) = board.update(now)
    {
        tell(update);
    }
}
