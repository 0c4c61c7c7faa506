//! The live socket to the venue: TCP, TLS and WebSocket, driven by the hot loop.
//!
//! It waits for nothing, logs nothing and never panics. Deadlines are not its business: a venue
//! that accepts and then says nothing is closed by the session, which knows the time.
//!
//! Readiness is edge-triggered and asked for once, reading and writing, so there is never a change
//! of interest to tell the kernel. In return whoever drives the link must go on while
//! [`Link::more`] says so: no new readiness will come for what already waits.

mod channel;
mod endpoint;
mod stream;

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ClientConfig;

use self::channel::sample;
pub use self::channel::{Channel, Transport};
pub use self::endpoint::{Endpoint, EndpointError, resolve};
use self::stream::{Stream, tune};
pub use self::stream::{tls_config, tls_config_with};
use crate::types::event::LinkDown;
use crate::types::ids::Excerpt;

/// Longest message accepted, in bytes, whole or in fragments.
pub const MAX_MESSAGE: usize = 4 << 20;
/// Most bytes that wait to be sent; one more is a [`LinkDown::Backlog`].
pub const MAX_BACKLOG: usize = 1 << 20;
/// Most events of one turn; then [`Link::more`] says that others may wait.
pub const EVENTS_PER_TURN: u32 = 1024;

/// What a link has to say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LinkEvent<'a> {
    /// The WebSocket handshake is done.
    Connected,
    /// A text message, whole. Valid UTF-8.
    Text(&'a [u8]),
    /// A message that is no text: binary, or text that is no UTF-8.
    Binary,
    /// It is gone, and says nothing more; [`Link::last_words`] may know why.
    Closed(LinkDown),
}

/// Why no connection could even be tried.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Plain WebSocket to another machine.
    #[error("{0} is not this machine: plain ws is for loopback only")]
    NotLoopback(SocketAddr),
    /// No address was given, or none could be tried; the last error.
    #[error("no address could be tried: {0}")]
    NoAddress(io::Error),
    /// The event queue could not be shared.
    #[error("cannot register sockets: {0}")]
    Registry(io::Error),
}

/// One connection, from the first TCP packet to its end. Dropping it drops the connection.
pub struct Link {
    registry: Registry,
    token: Token,
    endpoint: Endpoint,
    tls: Arc<ClientConfig>,
    /// Not tried yet, next one last.
    addresses: Vec<SocketAddr>,
    state: State,
    events_left: u32,
    more: bool,
    last_words: Option<Excerpt>,
}

/// From the first packet to the last.
enum State {
    /// Waiting for TCP.
    Connecting(TcpStream),
    /// TLS and WebSocket, from their handshakes on.
    Up(Box<Channel<Stream>>),
    /// The end; said already.
    Gone,
}

impl Link {
    /// Begins to connect to the first of `addresses` that can be tried; the others follow when it
    /// refuses. One that never answers holds up the rest until the session gives up, so turn the
    /// list by one place before the next attempt.
    ///
    /// Its readiness is reported under `token`.
    pub fn connect(
        registry: &Registry,
        token: Token,
        endpoint: &Endpoint,
        addresses: &[SocketAddr],
        tls: &Arc<ClientConfig>,
    ) -> Result<Self, ConnectError> {
        if let Some(foreign) = addresses.iter().find(|address| !endpoint.allows(**address)) {
            return Err(ConnectError::NotLoopback(*foreign));
        }
        let mut link = Self {
            registry: registry.try_clone().map_err(ConnectError::Registry)?,
            token,
            endpoint: endpoint.clone(),
            tls: Arc::clone(tls),
            addresses: addresses.iter().rev().copied().collect(),
            state: State::Gone,
            events_left: EVENTS_PER_TURN,
            more: false,
            last_words: None,
        };
        link.try_next().map_err(ConnectError::NoAddress)?;
        Ok(link)
    }

    /// Does what can be done now, and hands every event to `handler`. To be called when the token
    /// is ready, and again while [`Link::more`] holds.
    pub fn drive(&mut self, mut handler: impl FnMut(LinkEvent<'_>)) {
        self.begin_turn();
        while let Some(event) = self.next_event() {
            handler(event);
        }
        self.end_turn();
    }

    /// Begins a turn of the loop: writes what the socket did not take before, and allows another
    /// [`EVENTS_PER_TURN`] events.
    pub fn begin_turn(&mut self) {
        self.events_left = EVENTS_PER_TURN;
        self.more = false;
        if let State::Up(channel) = &mut self.state {
            channel.begin_turn();
        }
    }

    /// Ends a turn of the loop: what it has caused is on its way.
    pub fn end_turn(&mut self) {
        if let State::Up(channel) = &mut self.state {
            channel.end_turn();
        }
    }

    /// The next event of this turn; between two of them [`Link::send`] may be called. `None` when
    /// nothing waits, or the turn has had its share: see [`Link::more`].
    pub fn next_event(&mut self) -> Option<LinkEvent<'_>> {
        if self.events_left == 0 {
            self.more = !self.is_gone();
            return None;
        }
        self.events_left -= 1;
        if matches!(self.state, State::Connecting(_))
            && let Err(down) = self.establish()
        {
            return Some(LinkEvent::Closed(down));
        }
        let State::Up(channel) = &mut self.state else { return None };
        let event = channel.next_event(&mut self.events_left, &mut self.more);
        if let Some(LinkEvent::Closed(_)) = event {
            // The socket left the event queue when the channel closed it.
            self.more = false;
        }
        event
    }

    /// Whether the turn ended before everything was read: drive again without waiting for
    /// readiness, which will not come for what already waits.
    pub fn more(&self) -> bool {
        self.more
    }

    /// When bytes last came from the socket, by [`ticks`](crate::runtime::os::ticks): after an event
    /// that was the last byte of its frame, or of one that came with it.
    pub fn read_at(&self) -> Option<u64> {
        match &self.state {
            State::Up(channel) => channel.open_stream().map(Stream::read_at),
            State::Connecting(_) | State::Gone => None,
        }
    }

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        matches!(&self.state, State::Up(channel) if channel.is_open())
    }

    /// Whether it has ended. It says so once, by an event or an error.
    pub fn is_gone(&self) -> bool {
        match &self.state {
            State::Connecting(_) => false,
            State::Up(channel) => channel.is_gone(),
            State::Gone => true,
        }
    }

    /// Whether bytes wait for the socket to take them.
    pub fn wants_write(&self) -> bool {
        matches!(&self.state, State::Up(channel) if channel.wants_write())
    }

    /// Puts a text message (UTF-8) into the write buffer; [`Link::flush`] sends it.
    ///
    /// Errors end the link and are the only word about it: `Backlog` when the buffer is full,
    /// because the venue does not read; `Unreachable` when it is not open yet or no more.
    pub fn send(&mut self, text: &[u8]) -> Result<(), LinkDown> {
        match &mut self.state {
            State::Up(channel) => channel.send(text),
            State::Gone => Err(LinkDown::Unreachable),
            State::Connecting(_) => {
                Err(self.end(LinkDown::Unreachable, "a message before the link was open"))
            }
        }
    }

    /// Sends what the write buffer holds, as far as the socket takes it; the rest goes out when it
    /// is ready again. Errors end the link, as with [`Link::send`].
    pub fn flush(&mut self) -> Result<(), LinkDown> {
        match &mut self.state {
            State::Up(channel) => channel.flush(),
            State::Connecting(_) | State::Gone => Ok(()),
        }
    }

    /// Ends the connection: a close frame and a TLS goodbye, as far as the socket takes them at
    /// once, and the socket is closed.
    pub fn close(mut self) {
        if let State::Up(channel) = &mut self.state
            && channel.is_open()
        {
            channel.send_close();
            if let Some(stream) = channel.stream() {
                stream.send_close();
                let _ = stream.tcp().shutdown(Shutdown::Write);
            }
        }
    }

    /// What the end was about, for the log: code and reason of the venue's close frame, or the
    /// error. `None` while it lasts, and after an end without a word.
    pub fn last_words(&self) -> Option<Excerpt> {
        match &self.state {
            State::Up(channel) => channel.last_words(),
            State::Connecting(_) | State::Gone => self.last_words,
        }
    }

    /// Starts connecting to the next address that can be tried.
    fn try_next(&mut self) -> io::Result<()> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "none is left");
        while let Some(address) = self.addresses.pop() {
            match self.start(address) {
                Ok(tcp) => {
                    self.state = State::Connecting(tcp);
                    return Ok(());
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn start(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let mut tcp = TcpStream::connect(address)?;
        let both = Interest::READABLE.add(Interest::WRITABLE);
        self.registry.register(&mut tcp, self.token, both)?;
        Ok(tcp)
    }

    /// Goes on to the handshakes once TCP stands, or to the next address once it failed.
    fn establish(&mut self) -> Result<(), LinkDown> {
        while let State::Connecting(tcp) = &mut self.state {
            let failed = match (tcp.take_error(), tcp.peer_addr()) {
                (Ok(None), Ok(_)) => break,
                (Ok(None), Err(error)) if is_pending(&error) => return Ok(()),
                (Ok(Some(error)) | Err(error), _) | (Ok(None), Err(error)) => error,
            };
            self.last_words = Some(sample(&failed));
            self.release();
            self.state = State::Gone;
            if self.try_next().is_err() {
                return Err(LinkDown::Unreachable);
            }
        }
        let State::Connecting(tcp) = std::mem::replace(&mut self.state, State::Gone) else {
            return Ok(());
        };
        match self.begin_handshake(tcp) {
            Ok(channel) => {
                self.state = State::Up(Box::new(channel));
                Ok(())
            }
            Err(error) => Err(self.end(LinkDown::Unreachable, error.as_ref())),
        }
    }

    fn begin_handshake(
        &self,
        tcp: TcpStream,
    ) -> Result<Channel<Stream>, Box<dyn std::error::Error>> {
        tune(&tcp)?;
        let stream = match self.endpoint.server_name() {
            Some(name) if self.endpoint.tls() => Stream::tls(tcp, &self.tls, name)?,
            None if self.endpoint.tls() => return Err("no certificate can name the host".into()),
            _ => Stream::plain(tcp),
        };
        Ok(Channel::start(stream, &self.endpoint.to_string())?)
    }

    fn end<D: fmt::Display + ?Sized>(&mut self, down: LinkDown, words: &D) -> LinkDown {
        self.last_words = Some(sample(words));
        self.release();
        self.state = State::Gone;
        self.more = false;
        down
    }

    /// Takes the socket out of the event queue, where there is one.
    fn release(&mut self) {
        let tcp = match &mut self.state {
            State::Connecting(tcp) => Some(tcp),
            State::Up(channel) => channel.stream().map(Stream::tcp),
            State::Gone => None,
        };
        if let Some(tcp) = tcp {
            // Fails only for a socket that was never in; closing it takes it out as well.
            let _ = self.registry.deregister(tcp);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Connecting(_) => write!(f, "Link({}, connecting)", self.endpoint),
            State::Up(channel) => write!(f, "Link({}, {channel:?})", self.endpoint),
            State::Gone => write!(f, "Link({}, gone)", self.endpoint),
        }
    }
}

/// Whether TCP still tries: an unconnected socket has no peer yet.
fn is_pending(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotConnected | io::ErrorKind::WouldBlock)
}
