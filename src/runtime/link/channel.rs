//! WebSocket over any stream of bytes: the handshake, whole messages in, text out, and what the end
//! was about. It knows no socket, so that a simulation can cut the bytes wherever it likes.

use std::fmt;
use std::io::{self, Read, Write};

use bytes::BytesMut;
use tungstenite::client::IntoClientRequest;
use tungstenite::error::ProtocolError;
use tungstenite::handshake::client::ClientHandshake;
use tungstenite::handshake::{HandshakeError, MidHandshake};
use tungstenite::http::HeaderValue;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Error, Message, Utf8Bytes, WebSocket};

use crate::runtime::link::{LinkEvent, MAX_BACKLOG, MAX_MESSAGE};
use crate::types::event::LinkDown;
use crate::types::ids::Excerpt;

const USER_AGENT: &str = concat!("hip3/", env!("CARGO_PKG_VERSION"));

/// What carries the bytes. Neither reading nor writing ever waits: `WouldBlock` says that nothing
/// more can be done now.
pub trait Transport: Read + Write {
    /// A turn of the loop begins: allows another turn's worth of bytes.
    fn refill(&mut self) {}

    /// Everything that came in this turn has been handled.
    fn rest(&mut self) {}

    /// Whether the last `WouldBlock` came from the turn's allowance: there may be more to read.
    fn needs_read(&mut self) -> bool {
        false
    }

    /// Writes what the transport holds of its own.
    fn push(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One WebSocket, from its handshake to its end.
pub struct Channel<S: Transport> {
    state: State<S>,
    /// The message that the last event borrows from. Freed before the next read, so that the read
    /// buffer is used again instead of a new one.
    message: Option<Message>,
    /// Text on its way into the write buffer; used again likewise.
    outgoing: BytesMut,
    /// Whether the transport did not take everything yet.
    unflushed: bool,
    last_words: Option<Excerpt>,
}

enum State<S: Transport> {
    Upgrading(MidHandshake<ClientHandshake<S>>),
    /// Messages flow.
    Open(Box<WebSocket<S>>),
    /// The end; said already.
    Gone,
}

impl<S: Transport> Channel<S> {
    /// Begins the handshake for `url` on a stream that is connected.
    ///
    /// Errors: a URL that no request can be made of.
    pub fn start(stream: S, url: &str) -> Result<Self, Error> {
        let mut request = url.into_client_request()?;
        // The venue's front refuses who does not say what it is (PROTOCOL.md §1).
        request.headers_mut().insert("User-Agent", HeaderValue::from_static(USER_AGENT));
        let config = WebSocketConfig::default()
            // Small: tungstenite zeroes what it reads into, every time.
            .read_buffer_size(4096)
            .max_write_buffer_size(MAX_BACKLOG)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        Ok(Self {
            state: State::Upgrading(ClientHandshake::start(stream, request, Some(config))?),
            message: None,
            outgoing: BytesMut::with_capacity(4096),
            unflushed: false,
            last_words: None,
        })
    }

    /// Begins a turn: writes what the transport did not take before.
    pub fn begin_turn(&mut self) {
        let unflushed = self.unflushed;
        if let State::Open(socket) = &mut self.state {
            socket.get_mut().refill();
            // A failure shows in the next read as well, and is reported there. A full socket leaves
            // the rest for its next readiness.
            let flushed = if unflushed { socket.flush() } else { Ok(()) };
            self.unflushed = flushed.is_err();
            let _ = socket.get_mut().push();
        } else if let Some(stream) = self.stream() {
            stream.refill();
            // A failure shows in the next read as well, and is reported there.
            let _ = stream.push();
        }
    }

    /// Ends a turn, once everything that came has been handled.
    pub fn end_turn(&mut self) {
        if let State::Open(socket) = &mut self.state {
            socket.get_mut().rest();
        }
    }

    /// The next event, taken off the events that are `left` in this turn; between two of them
    /// [`Channel::send`] may be called. `None` when nothing waits, or the turn has had its share;
    /// `more` says whether to come back without waiting for readiness.
    pub fn next_event(&mut self, left: &mut u32, more: &mut bool) -> Option<LinkEvent<'_>> {
        self.message = None;
        if matches!(self.state, State::Upgrading(_)) {
            return match self.upgrade(more) {
                Ok(true) => Some(LinkEvent::Connected),
                Ok(false) => None,
                Err(down) => Some(LinkEvent::Closed(down)),
            };
        }
        match self.read(left, more) {
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

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether it has ended. It says so once, by an event or an error.
    pub fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    /// Whether bytes wait for the transport to take them.
    pub fn wants_write(&self) -> bool {
        self.unflushed
    }

    /// What carries it while messages flow.
    pub(super) fn open_stream(&self) -> Option<&S> {
        match &self.state {
            State::Open(socket) => Some(socket.get_ref()),
            State::Upgrading(_) | State::Gone => None,
        }
    }

    /// What carries it; `None` once it is gone.
    pub fn stream(&mut self) -> Option<&mut S> {
        match &mut self.state {
            State::Upgrading(handshake) => Some(handshake.get_mut().get_mut()),
            State::Open(socket) => Some(socket.get_mut()),
            State::Gone => None,
        }
    }

    /// Puts a text message (UTF-8) into the write buffer; [`Channel::flush`] sends it.
    ///
    /// Errors end the channel and are the only word about it: `Backlog` when the buffer is full,
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
            // The buffer has it; the transport takes it later.
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(self.fail(&error)),
        }
    }

    /// Sends what the write buffer holds, as far as the transport takes it; the rest goes out when it
    /// is ready again. Errors end the channel, as with [`Channel::send`].
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

    /// Sends a close frame, as far as the transport takes it at once.
    pub fn send_close(&mut self) {
        if let State::Open(socket) = &mut self.state {
            let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::from_static("") };
            // Best effort: the venue notices the closed socket in any case.
            let _ = socket.close(Some(frame));
        }
    }

    /// What the end was about, for the log: code and reason of the venue's close frame, or the
    /// error. `None` while it lasts, and after an end without a word.
    pub fn last_words(&self) -> Option<Excerpt> {
        self.last_words
    }

    /// Goes on with the handshakes; `true` once the channel is open.
    fn upgrade(&mut self, more: &mut bool) -> Result<bool, LinkDown> {
        let State::Upgrading(handshake) = std::mem::replace(&mut self.state, State::Gone) else {
            return Ok(false);
        };
        match handshake.handshake() {
            Ok((socket, _response)) => {
                self.state = State::Open(Box::new(socket));
                Ok(true)
            }
            Err(HandshakeError::Interrupted(mut handshake)) => {
                *more = handshake.get_mut().get_mut().needs_read();
                self.state = State::Upgrading(handshake);
                Ok(false)
            }
            // The stream is gone already.
            Err(HandshakeError::Failure(error)) => Err(self.end(LinkDown::Unreachable, &error)),
        }
    }

    /// The next message that matters, if one is complete.
    fn read(&mut self, left: &mut u32, more: &mut bool) -> Result<Option<Message>, LinkDown> {
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
                    if *left == 0 {
                        *more = true;
                        // The pong must not wait for the next readiness.
                        self.unflushed = true;
                        return Ok(None);
                    }
                    *left -= 1;
                    continue;
                }
                Ok(message) => return Ok(Some(message)),
                Err(error) => error,
            };
            return match error {
                Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    *more = socket.get_mut().needs_read();
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

    /// Ends the channel after a close frame.
    fn closed(&mut self, frame: Option<CloseFrame>) -> LinkDown {
        match frame {
            Some(frame) => {
                let code = u16::from(frame.code);
                self.end(LinkDown::Closed, &format_args!("{code} {}", frame.reason))
            }
            None => self.end(LinkDown::Closed, "a close frame without a code"),
        }
    }

    /// Ends an open channel after an error.
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
        self.last_words = Some(sample(words));
        self.state = State::Gone;
        self.unflushed = false;
        down
    }
}

impl<S: Transport> fmt::Debug for Channel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Upgrading(_) => "upgrading",
            State::Open(_) => "open",
            State::Gone => "gone",
        })
    }
}

/// The beginning of what `words` say, without an allocation.
pub(super) fn sample<D: fmt::Display + ?Sized>(words: &D) -> Excerpt {
    let mut buffer = [0; Excerpt::MAX];
    let mut rest = &mut buffer[..];
    // What does not fit is cut off, and the error says only that.
    let _ = write!(rest, "{words}");
    let used = Excerpt::MAX - rest.len();
    Excerpt::of(&buffer[..used])
}

/// Whether bad UTF-8 was found in a message that came whole, so that the next one is not affected.
///
/// In a fragmented message tungstenite goes on with the rest, so that a hole could look like a
/// message. It says which it was only by its text: the standard library's for a whole message, the
/// bad bytes themselves for a fragment. In doubt it is a fragment, and ends the link.
fn is_of_a_whole_message(why: &str) -> bool {
    why.starts_with("invalid utf-8 sequence") || why.starts_with("incomplete utf-8")
}
