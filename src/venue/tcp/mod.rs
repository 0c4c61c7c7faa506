//! Serves a venue on loopback: `POST /info`, `POST /exchange` and `GET /ws` on one port.
//!
//! One thread, one event loop. It sleeps until a socket or the venue has something, holds at most
//! [`PEERS_MAX`] connections, and drops a client that reads too slowly. Only here the venue meets
//! a real clock.

mod http;
pub mod peer;
mod probe;
mod wire;

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use rustls::ServerConfig;

use crate::types::time::{Mono, Nanos};
use crate::venue::tcp::peer::{Peer, Turn};
use crate::venue::tcp::probe::Probe;
pub use crate::venue::tcp::probe::WireTimes;
use crate::venue::tcp::wire::Wire;
use crate::venue::{ConnId, Output, Settings, Venue};

/// Most TCP connections at once, of all kinds.
pub const PEERS_MAX: usize = 32;

const LISTENER: Token = Token(PEERS_MAX);
const WAKER: Token = Token(PEERS_MAX + 1);

/// A text frame that was handed to a socket.
#[derive(Clone, Debug)]
pub struct Served {
    /// To whom.
    pub conn: ConnId,
    /// When, since the server's start.
    pub at: Mono,
    /// The text.
    pub text: Arc<str>,
}

/// Keeps everything that is served, for tests that compare it with what a client made of it.
pub type Tap = Arc<Mutex<Vec<Served>>>;

/// What a server has done so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// WebSocket connections accepted.
    pub connections: u64,
    /// WebSocket connections open now.
    pub open: u64,
    /// Text frames sent.
    pub frames: u64,
    /// HTTP requests answered.
    pub requests: u64,
    /// Clients dropped for reading too slowly.
    pub slow: u64,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    open: AtomicU64,
    frames: AtomicU64,
    requests: AtomicU64,
    slow: AtomicU64,
}

/// How a venue is served.
#[derive(Default)]
pub struct Serving {
    /// The port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// Keeps what is served. It grows without bound.
    pub tap: Option<Tap>,
    /// Speaks TLS, as `localhost`, with a certificate of this config.
    pub tls: Option<Arc<ServerConfig>>,
    /// Measures how long clients take: see [`Server::stop`].
    pub measures: bool,
    /// Spins instead of sleeping, so that an order is read as soon as it is there.
    pub spins: bool,
    /// Done by the thread first: to choose its core.
    pub prelude: Option<Box<dyn FnOnce() + Send>>,
}

/// Something to do to the venue between two turns of its loop.
type Deed = Box<dyn FnOnce(&mut Venue, Mono) + Send>;

/// A venue that is being served. Stops when dropped.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    waker: Arc<Waker>,
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    deeds: Sender<Deed>,
    tls: bool,
    times: Arc<Mutex<WireTimes>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves a venue on 127.0.0.1; port 0 picks a free one.
    ///
    /// Errors: settings that describe no venue (`InvalidInput`), or a port that cannot be bound.
    pub fn start(settings: Settings, port: u16) -> io::Result<Self> {
        Self::serve(settings, Serving { port, ..Serving::default() })
    }

    /// The same, in a way that is chosen.
    pub fn serve(settings: Settings, serving: Serving) -> io::Result<Self> {
        let Serving { port, tap, tls, measures, spins, prelude } = serving;
        // Room for a few seconds of everything, and for the largest frame that a fault makes.
        let backlog_max = (8 << 20) + settings.faults.huge_size();
        let venue = Venue::new(settings, Mono(0))
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let addr = listener.local_addr()?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::new(Counts::default()));
        let (deeds, inbox) = mpsc::channel();
        let (start, times) = (Instant::now(), Arc::<Mutex<WireTimes>>::default());
        let served_tls = tls.is_some();
        let floor = Loop {
            probe: measures.then(|| Probe::new(start, venue.coins())),
            times: Arc::clone(&times),
            tls,
            spins,
            idle: false,
            venue,
            poll,
            listener,
            peers: (0..PEERS_MAX).map(|_| None).collect(),
            start,
            outputs: Vec::new(),
            backlog_max,
            stop: stop.clone(),
            counts: counts.clone(),
            inbox,
            tap,
        };
        let thread = std::thread::Builder::new().name("venue".to_owned()).spawn(|| {
            prelude.into_iter().for_each(|prelude| prelude());
            floor.run();
        })?;
        Ok(Self { addr, waker, stop, counts, deeds, tls: served_tls, times, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// For a client's WebSocket.
    pub fn ws_url(&self) -> String {
        match self.tls {
            true => format!("wss://localhost:{}/ws", self.addr.port()),
            false => format!("ws://{}/ws", self.addr),
        }
    }

    /// For a client's requests; `/info` is below it.
    pub fn rest_url(&self) -> String {
        match self.tls {
            true => format!("https://localhost:{}", self.addr.port()),
            false => format!("http://{}", self.addr),
        }
    }

    /// Pulls levers: `deed` runs on the venue's thread soon, with its time.
    pub fn act(&self, deed: impl FnOnce(&mut Venue, Mono) + Send + 'static) -> io::Result<()> {
        let gone = |_| io::Error::new(io::ErrorKind::NotConnected, "the venue has stopped");
        self.deeds.send(Box::new(deed)).map_err(gone)?;
        self.waker.wake()
    }

    /// What it has done so far.
    pub fn stats(&self) -> Stats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            connections: read(&self.counts.connections),
            open: read(&self.counts.open),
            frames: read(&self.counts.frames),
            requests: read(&self.counts.requests),
            slow: read(&self.counts.slow),
        }
    }

    /// Drops all connections and ends; returns when the thread is gone, with what was measured.
    pub fn stop(mut self) -> WireTimes {
        self.end();
        std::mem::take(&mut *self.times.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// The thread's state.
struct Loop {
    venue: Venue,
    poll: Poll,
    listener: TcpListener,
    /// The place is the token.
    peers: Vec<Option<Peer<Wire>>>,
    start: Instant,
    outputs: Vec<Output>,
    backlog_max: usize,
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    inbox: Receiver<Deed>,
    tap: Option<Tap>,
    tls: Option<Arc<ServerConfig>>,
    spins: bool,
    /// Whether nothing has been done since the last look at the sockets: what comes is read at once.
    idle: bool,
    probe: Option<Probe>,
    times: Arc<Mutex<WireTimes>>,
}

impl Loop {
    fn now(&self) -> Mono {
        Mono(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn run(mut self) {
        self.turn_until_stopped();
        if let Some(probe) = &self.probe {
            *self.times.lock().unwrap_or_else(PoisonError::into_inner) = probe.times().clone();
        }
    }

    fn turn_until_stopped(&mut self) {
        let mut events = Events::with_capacity(64);
        while !self.stop.load(Ordering::Acquire) {
            let peers = self.peers.iter().flatten().map(Peer::next_deadline);
            let due = peers.min().unwrap_or(Mono::MAX).min(self.venue.next_deadline());
            let wait = if self.spins { Nanos::ZERO } else { due.since(self.now()) };
            let wait = Duration::from(wait);
            match self.poll.poll(&mut events, Some(wait)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            }
            let now = self.now();
            while let Ok(deed) = self.inbox.try_recv() {
                deed(&mut self.venue, now);
            }
            self.venue.advance(now, &mut self.outputs);
            self.idle &= self.outputs.is_empty();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(now),
                    WAKER => {}
                    Token(at) => self.turn(at, now),
                }
            }
            for at in 0..self.peers.len() {
                let peer = self.peers[at].as_ref();
                let due = peer.map_or(Mono::MAX, Peer::next_deadline);
                let ready = peer.and_then(Peer::waits).is_some_and(|id| self.venue.has_reply(id));
                if due <= now || ready {
                    self.turn(at, now);
                }
            }
            let idle = events.is_empty() && self.outputs.is_empty();
            self.dispatch(now, due.min(now));
            self.idle = idle;
        }
    }

    /// Takes in whoever knocks.
    fn accept(&mut self, now: Mono) {
        // Whatever ends the row of waiting clients, a real error included, the next one knocks again.
        while let Ok((mut stream, _)) = self.listener.accept() {
            let Some(at) = self.peers.iter().position(Option::is_none) else {
                let _ = io::Write::write(&mut stream, &http::respond(503, "Too many", false, None));
                continue;
            };
            let _ = stream.set_nodelay(true);
            let interest = Interest::READABLE | Interest::WRITABLE;
            if self.poll.registry().register(&mut stream, Token(at), interest).is_ok()
                && let Ok(wire) = Wire::new(stream, self.tls.as_ref())
            {
                self.peers[at] = Some(Peer::new(wire, now));
            }
        }
    }

    /// Lets one peer read and write until nothing more is there.
    fn turn(&mut self, at: usize, now: Mono) {
        while let Some(mut peer) = self.peers.get_mut(at).and_then(Option::take) {
            let (requests, upgraded) = (peer.requests, peer.conn.is_some());
            let turn = peer.turn(now, &mut self.venue, &mut self.outputs, self.backlog_max);
            self.counts.requests.fetch_add(peer.requests - requests, Ordering::Relaxed);
            if !upgraded && peer.conn.is_some() {
                self.counts.connections.fetch_add(1, Ordering::Relaxed);
            }
            if let (Some(probe), Some(text)) = (&mut self.probe, peer.heard.take())
                && let Some(wire) = peer.stream()
            {
                probe.hears(text.as_str(), wire.read_at(), std::mem::take(&mut self.idle));
            }
            match turn {
                Turn::Stays | Turn::More => self.peers[at] = Some(peer),
                Turn::Ends => self.end(peer),
            }
            if turn != Turn::More {
                break;
            }
            self.dispatch(now, now);
        }
        self.count_open();
    }

    fn end(&mut self, mut peer: Peer<Wire>) {
        if let Some(conn) = peer.conn.take() {
            self.venue.disconnect(conn);
        }
        if let Some(id) = peer.waits() {
            self.venue.abandon(id);
        }
        if let Some(stream) = peer.stream() {
            let _ = stream.tcp().shutdown(Shutdown::Both);
        }
    }

    fn count_open(&self) {
        self.counts.open.store(self.venue.connections() as u64, Ordering::Relaxed);
    }

    /// Does what the venue wants; it was due then.
    fn dispatch(&mut self, now: Mono, due: Mono) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            let conn = match &output {
                Output::Text(conn, _) | Output::Binary(conn, _) | Output::Torn(conn, _) => *conn,
                Output::Close { conn, .. } | Output::Drop(conn) => *conn,
            };
            let of =
                |peer: &Option<Peer<Wire>>| peer.as_ref().is_some_and(|p| p.conn == Some(conn));
            let Some(at) = self.peers.iter().position(of) else { continue };
            let Some(mut peer) = self.peers[at].take() else { continue };
            if let Output::Text(_, text) = &output {
                self.counts.frames.fetch_add(1, Ordering::Relaxed);
                if let Some(probe) = &mut self.probe {
                    probe.sends(due, text);
                }
                if let Some(tap) = &self.tap {
                    let served = Served { conn, at: now, text: text.clone() };
                    tap.lock().unwrap_or_else(PoisonError::into_inner).push(served);
                }
            }
            match peer.send(now, output) {
                Ok(Turn::Stays | Turn::More) => self.peers[at] = Some(peer),
                Ok(Turn::Ends) => self.end(peer),
                Err(peer::TooSlow) => {
                    self.counts.slow.fetch_add(1, Ordering::Relaxed);
                    self.end(peer);
                }
            }
        }
        self.outputs = outputs;
        for at in 0..self.peers.len() {
            let Some(mut peer) = self.peers[at].take() else { continue };
            match peer.flush() {
                Turn::Stays | Turn::More => self.peers[at] = Some(peer),
                Turn::Ends => self.end(peer),
            }
        }
        if let Some(probe) = &mut self.probe {
            probe.wrote();
        }
        self.count_open();
    }
}

/// How long a silent HTTP connection is kept, and how long a close frame is awaited.
const HTTP_IDLE: Nanos = Nanos::from_secs(60);
const CLOSE_WAIT: Nanos = Nanos::from_secs(2);
