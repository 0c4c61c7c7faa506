//! The live socket to the venue: TCP, TLS and WebSocket, driven by the hot loop.
//!
//! It waits for nothing, logs nothing and never panics. Deadlines are not its business: a venue
//! that accepts and then says nothing is closed by the session, which knows the time.
//!
//! Readiness is edge-triggered and asked for once, reading and writing, so there is never a change
//! of interest to tell the kernel. In return whoever drives the link must go on while
//! [`Link::more`] says so: no new readiness will come for what already waits.

mod endpoint;
mod stream;

use std::fmt;
use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use bytes::BytesMut;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ClientConfig;
use tungstenite::client::IntoClientRequest;
use tungstenite::error::ProtocolError;
use tungstenite::handshake::client::ClientHandshake;
use tungstenite::handshake::{HandshakeError, MidHandshake};
use tungstenite::http::HeaderValue;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Error, Message, Utf8Bytes, WebSocket};

pub use self::endpoint::{Endpoint, EndpointError, resolve};
use self::stream::Stream;
pub use self::stream::{tls_config, tls_config_with};
use crate::types::event::LinkDown;
use crate::types::ids::Sample;

/// Longest message accepted, in bytes, whole or in fragments.
pub const MAX_MESSAGE: usize = 4 << 20;
/// Most bytes that wait to be sent; one more is a [`LinkDown::Backlog`].
pub const MAX_BACKLOG: usize = 1 << 20;
/// Most events of one turn; then [`Link::more`] says that others may wait.
pub const EVENTS_PER_TURN: u32 = 1024;

const USER_AGENT: &str = concat!("hip3/", env!("CARGO_PKG_VERSION"));

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
    /// The message that the last event borrows from. Freed before the next read, so that the read
    /// buffer is used again instead of a new one.
    message: Option<Message>,
    /// Text on its way into the write buffer; used again likewise.
    outgoing: BytesMut,
    /// Whether the socket did not take everything yet.
    unflushed: bool,
    events_left: u32,
    more: bool,
    last_words: Option<Sample>,
}

/// From the first packet to the last.
enum State {
    /// Waiting for TCP.
    Connecting(TcpStream),
    /// TLS and WebSocket handshakes.
    Upgrading(MidHandshake<ClientHandshake<Stream>>),
    /// Messages flow.
    Open(Box<WebSocket<Stream>>),
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
            message: None,
            outgoing: BytesMut::with_capacity(4096),
            unflushed: false,
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
    }

    /// Begins a turn of the loop: writes what the socket did not take before, and allows another
    /// [`EVENTS_PER_TURN`] events.
    pub fn begin_turn(&mut self) {
        self.events_left = EVENTS_PER_TURN;
        self.more = false;
        if let State::Upgrading(handshake) = &mut self.state {
            handshake.get_mut().get_mut().refill();
            // A failure shows in the next read as well, and is reported there.
            let _ = handshake.get_mut().get_mut().push();
        }
        if let State::Open(socket) = &mut self.state {
            socket.get_mut().refill();
            // Likewise. A full socket leaves the rest for its next readiness.
            let flushed = if self.unflushed { socket.flush() } else { Ok(()) };
            self.unflushed = flushed.is_err();
            let _ = socket.get_mut().push();
        }
    }

    /// The next event of this turn; between two of them [`Link::send`] may be called. `None` when
    /// nothing waits, or the turn has had its share: see [`Link::more`].
    pub fn next_event(&mut self) -> Option<LinkEvent<'_>> {
        self.message = None;
        if self.events_left == 0 {
            self.more = !matches!(self.state, State::Gone);
            return None;
        }
        self.events_left -= 1;
        if matches!(self.state, State::Connecting(_))
            && let Err(down) = self.establish()
        {
            return Some(LinkEvent::Closed(down));
        }
        if matches!(self.state, State::Upgrading(_)) {
            return match self.upgrade() {
                Ok(true) => Some(LinkEvent::Connected),
                Ok(false) => None,
                Err(down) => Some(LinkEvent::Closed(down)),
            };
        }
        match self.read() {
            Ok(None) => None,
            // A pong of ours goes out with the next read; a pong of theirs says nothing here.
            Ok(Some(Message::Text(text))) => match self.message.insert(Message::Text(text)) {
                Message::Text(text) => Some(LinkEvent::Text(text.as_str().as_bytes())),
                _ => None,
            },
            Ok(Some(_)) => Some(LinkEvent::Binary),
            Err(down) => Some(LinkEvent::Closed(down)),
        }
    }

    /// Whether the turn ended before everything was read: drive again without waiting for
    /// readiness, which will not come for what already waits.
    pub fn more(&self) -> bool {
        self.more
    }

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether it has ended. It says so once, by an event or an error.
    pub fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    /// Whether bytes wait for the socket to take them.
    pub fn wants_write(&self) -> bool {
        self.unflushed
    }

    /// Puts a text message (UTF-8) into the write buffer; [`Link::flush`] sends it.
    ///
    /// Errors end the link and are the only word about it: `Backlog` when the buffer is full,
    /// because the venue does not read; `Unreachable` when it is not open yet or no more.
    pub fn send(&mut self, text: &[u8]) -> Result<(), LinkDown> {
        debug_assert!(str::from_utf8(text).is_ok(), "text frames are UTF-8");
        let State::Open(socket) = &mut self.state else {
            if !self.is_gone() {
                self.end(LinkDown::Unreachable, "a message before the link was open");
            }
            return Err(LinkDown::Unreachable);
        };
        self.outgoing.extend_from_slice(text);
        let payload = self.outgoing.split().freeze();
        let frame = Frame::message(payload, OpCode::Data(Data::Text), true);
        self.unflushed = true;
        match socket.write(Message::Frame(frame)) {
            Ok(()) => Ok(()),
            // The buffer has it; the socket takes it later.
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(self.fail(&error)),
        }
    }

    /// Sends what the write buffer holds, as far as the socket takes it; the rest goes out when it
    /// is ready again. Errors end the link, as with [`Link::send`].
    pub fn flush(&mut self) -> Result<(), LinkDown> {
        let State::Open(socket) = &mut self.state else { return Ok(()) };
        match socket.flush() {
            Ok(()) => {
                self.unflushed = false;
                Ok(())
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.unflushed = true;
                Ok(())
            }
            Err(error) => Err(self.fail(&error)),
        }
    }

    /// Ends the connection: a close frame and a TLS goodbye, as far as the socket takes them at
    /// once, and the socket is closed.
    pub fn close(mut self) {
        if let State::Open(socket) = &mut self.state {
            let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::from_static("") };
            // Best effort: the venue notices the closed socket in any case.
            let _ = socket.close(Some(frame));
            socket.get_mut().say_goodbye();
            let _ = socket.get_mut().tcp().shutdown(Shutdown::Write);
        }
    }

    /// What the end was about, for the log: code and reason of the venue's close frame, or the
    /// error. `None` while it lasts, and after an end without a word.
    pub fn last_words(&self) -> Option<Sample> {
        self.last_words
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
            self.say(&failed);
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
            Ok(handshake) => {
                self.state = State::Upgrading(handshake);
                Ok(())
            }
            Err(error) => Err(self.end(LinkDown::Unreachable, error.as_ref())),
        }
    }

    fn begin_handshake(
        &self,
        tcp: TcpStream,
    ) -> Result<MidHandshake<ClientHandshake<Stream>>, Box<dyn std::error::Error>> {
        // Orders are small and must not wait for others to fill a packet.
        tcp.set_nodelay(true)?;
        let stream = match self.endpoint.server_name() {
            Some(name) if self.endpoint.tls() => Stream::tls(tcp, &self.tls, name)?,
            None if self.endpoint.tls() => return Err("no certificate can name the host".into()),
            _ => Stream::plain(tcp),
        };
        let mut request = self.endpoint.to_string().into_client_request()?;
        // The venue's front refuses who does not say what it is (PROTOCOL.md §1).
        request.headers_mut().insert("User-Agent", HeaderValue::from_static(USER_AGENT));
        let config = WebSocketConfig::default()
            // Small: tungstenite zeroes what it reads into, every time.
            .read_buffer_size(4096)
            .max_write_buffer_size(MAX_BACKLOG)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        Ok(ClientHandshake::start(stream, request, Some(config))?)
    }

    /// Goes on with the handshakes; `true` once the link is open.
    fn upgrade(&mut self) -> Result<bool, LinkDown> {
        let State::Upgrading(handshake) = std::mem::replace(&mut self.state, State::Gone) else {
            return Ok(false);
        };
        match handshake.handshake() {
            Ok((socket, _response)) => {
                self.state = State::Open(Box::new(socket));
                Ok(true)
            }
            Err(HandshakeError::Interrupted(mut handshake)) => {
                self.more = handshake.get_mut().get_mut().starved();
                self.state = State::Upgrading(handshake);
                Ok(false)
            }
            Err(HandshakeError::Failure(error)) => {
                // The stream is gone already, and with it its registration.
                Err(self.end(LinkDown::Unreachable, &error))
            }
        }
    }

    /// The next message that matters, if one is complete.
    fn read(&mut self) -> Result<Option<Message>, LinkDown> {
        let State::Open(socket) = &mut self.state else { return Ok(None) };
        loop {
            let error = match socket.read() {
                Ok(Message::Close(frame)) => {
                    // The answer was queued by the read.
                    let _ = socket.flush();
                    return Err(self.closed(frame));
                }
                Ok(Message::Ping(_) | Message::Pong(_)) => {
                    // Counted like any other event: a flood of them must not hold up the loop.
                    if self.events_left == 0 {
                        self.more = true;
                        // The pong must not wait for the next readiness.
                        self.unflushed = true;
                        return Ok(None);
                    }
                    self.events_left -= 1;
                    continue;
                }
                Ok(message) => return Ok(Some(message)),
                Err(error) => error,
            };
            return match error {
                Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.more = socket.get_mut().starved();
                    Ok(None)
                }
                Error::Io(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Something garbled is counted; only what we cannot follow ends the link.
                Error::Utf8(why) if is_of_a_whole_message(&why) => {
                    Ok(Some(Message::Binary(tungstenite::Bytes::new())))
                }
                error => Err(self.fail(&error)),
            };
        }
    }

    /// Ends the link after a close frame.
    fn closed(&mut self, frame: Option<CloseFrame>) -> LinkDown {
        match frame {
            Some(frame) => {
                let code = u16::from(frame.code);
                self.end(LinkDown::Closed, &format_args!("{code} {}", frame.reason))
            }
            None => self.end(LinkDown::Closed, "a close frame without a code"),
        }
    }

    /// Ends an open link after an error.
    fn fail(&mut self, error: &Error) -> LinkDown {
        let down = match error {
            Error::WriteBufferFull(_) => LinkDown::Backlog,
            // Broken TLS records.
            Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => LinkDown::Protocol,
            Error::Io(_)
            | Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => LinkDown::Dropped,
            _ => LinkDown::Protocol,
        };
        self.end(down, error)
    }

    fn end<D: fmt::Display + ?Sized>(&mut self, down: LinkDown, words: &D) -> LinkDown {
        self.say(words);
        self.release();
        self.state = State::Gone;
        self.unflushed = false;
        self.more = false;
        down
    }

    fn say<D: fmt::Display + ?Sized>(&mut self, words: &D) {
        let mut buffer = [0; Sample::MAX];
        let mut rest = &mut buffer[..];
        // What does not fit is cut off, and the error says only that.
        let _ = write!(rest, "{words}");
        let used = Sample::MAX - rest.len();
        self.last_words = Some(Sample::of(&buffer[..used]));
    }

    /// Takes the socket out of the event queue, where there is one.
    fn release(&mut self) {
        // Fails only for a socket that was never in; closing it takes it out as well.
        let _ = match &mut self.state {
            State::Connecting(tcp) => self.registry.deregister(tcp),
            State::Upgrading(handshake) => {
                self.registry.deregister(handshake.get_mut().get_mut().tcp())
            }
            State::Open(socket) => self.registry.deregister(socket.get_mut().tcp()),
            State::Gone => Ok(()),
        };
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Connecting(_) => "connecting",
            State::Upgrading(_) => "upgrading",
            State::Open(_) => "open",
            State::Gone => "gone",
        };
        write!(f, "Link({}, {state})", self.endpoint)
    }
}

/// Whether TCP still tries: an unconnected socket has no peer yet.
fn is_pending(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotConnected | io::ErrorKind::WouldBlock)
}

/// Whether bad UTF-8 was found in a message that came whole, so that the next one is not affected.
///
/// In a fragmented message tungstenite goes on with the rest, so that a hole could look like a
/// message. It says which it was only by its text: the standard library's for a whole message, the
/// bad bytes themselves for a fragment. In doubt it is a fragment, and ends the link.
fn is_of_a_whole_message(why: &str) -> bool {
    why.starts_with("invalid utf-8 sequence") || why.starts_with("incomplete utf-8")
}
