//! One TCP connection: HTTP until it upgrades, WebSocket afterwards.

use std::io::{self, Read, Write};

use tungstenite::error::Error as WsError;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, Utf8Bytes, WebSocket};

use crate::types::time::Mono;
use crate::venue::tcp::http::{self, Parsed, Request};
use crate::venue::tcp::{CLOSE_WAIT, HTTP_IDLE};
use crate::venue::{ConnId, Exchange, ExchangeId, Output, Venue};

/// Largest frame taken from a client.
const FRAME_MAX: usize = 64 * 1024;

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// The connection goes on.
    Stays,
    /// More may have arrived: it wants another turn once what it caused has been sent.
    More,
    /// The connection is closed.
    Ends,
}

/// A client that does not read what it is sent.
#[derive(Clone, Copy, Debug)]
pub struct TooSlow;

/// One connection.
pub struct Peer<S> {
    stage: Stage<S>,
    /// Its name at the venue, once upgraded and until the venue ends it.
    pub conn: Option<ConnId>,
    /// HTTP requests so far.
    pub(super) requests: u64,
    /// The last text it said.
    pub(super) heard: Option<Utf8Bytes>,
    /// When it ends for lack of anything happening.
    idle_at: Mono,
}

enum Stage<S> {
    Http(Http<S>),
    Socket(Box<WebSocket<S>>),
    /// Between two stages only.
    Moving,
}

struct Http<S> {
    stream: S,
    input: Vec<u8>,
    output: Vec<u8>,
    /// An answer that takes its time.
    slow: Option<(Mono, Vec<u8>)>,
    /// An action whose answer waits for its block, and whether the connection stays open after it.
    waits: Option<(ExchangeId, bool)>,
    /// Whether it ends once everything is written.
    last: bool,
    /// Whether the client has said all it will.
    eof: bool,
}

impl<S: Read + Write> Peer<S> {
    /// One that has just connected.
    pub fn new(stream: S, now: Mono) -> Self {
        let http = Http {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            slow: None,
            waits: None,
            last: false,
            eof: false,
        };
        let (stage, idle_at) = (Stage::Http(http), now.plus(HTTP_IDLE));
        Self { stage, conn: None, requests: 0, heard: None, idle_at }
    }

    /// When it wants a turn though nothing arrives.
    pub fn next_deadline(&self) -> Mono {
        match &self.stage {
            Stage::Http(http) => self.idle_at.min(http.slow.as_ref().map_or(Mono::MAX, |s| s.0)),
            // A live socket's idleness is the venue's to judge.
            Stage::Socket(_) if self.conn.is_some() => Mono::MAX,
            Stage::Socket(_) | Stage::Moving => self.idle_at,
        }
    }

    /// The action over HTTP that it waits for.
    pub(super) fn waits(&self) -> Option<ExchangeId> {
        match &self.stage {
            Stage::Http(http) => http.waits.map(|(id, _)| id),
            Stage::Socket(_) | Stage::Moving => None,
        }
    }

    /// Reads what is there, answers, and writes what fits.
    pub fn turn(
        &mut self,
        now: Mono,
        venue: &mut Venue,
        outputs: &mut Vec<Output>,
        backlog_max: usize,
    ) -> Turn {
        if self.next_deadline() <= now && self.idle_at <= now {
            return Turn::Ends;
        }
        match std::mem::replace(&mut self.stage, Stage::Moving) {
            Stage::Http(http) => self.http(http, now, venue, outputs, backlog_max),
            Stage::Socket(mut socket) => {
                let turn = self.socket(&mut socket, now, venue, outputs);
                self.stage = Stage::Socket(socket);
                turn
            }
            Stage::Moving => Turn::Ends,
        }
    }

    fn http(
        &mut self,
        mut http: Http<S>,
        now: Mono,
        venue: &mut Venue,
        outputs: &mut Vec<Output>,
        backlog_max: usize,
    ) -> Turn {
        if http.fill().is_err() {
            return Turn::Ends;
        }
        if let Some((_, answer)) = http.slow.take_if(|(at, _)| *at <= now) {
            http.output.extend(answer);
        }
        if let Some((id, keep)) = http.waits
            && let Some(reply) = venue.take_reply(id)
        {
            http.waits = None;
            let at = Some(venue.time(now));
            http.output.extend(http::respond(reply.status, &reply.body, keep, at));
        }
        loop {
            if http.drain().is_err() {
                return Turn::Ends;
            }
            // One answer at a time: who does not read is not read either.
            if http.slow.is_some() || http.waits.is_some() || !http.output.is_empty() {
                break;
            }
            if http.last {
                return Turn::Ends;
            }
            match http::parse(&http.input) {
                Parsed::Partial => {
                    // What did not fit before may be waiting, and raises no event any more.
                    let before = http.input.len();
                    if http.eof || before >= http::REQUEST_MAX || http.fill().is_err() {
                        return Turn::Ends;
                    }
                    if http.input.len() == before && !http.eof {
                        break;
                    }
                }
                Parsed::Bad(status) => {
                    self.requests += 1;
                    http.output = http::respond(status, "", false, None);
                    http.last = true;
                }
                Parsed::Whole(request, taken) => {
                    self.requests += 1;
                    self.idle_at = now.plus(HTTP_IDLE);
                    http.input.drain(..taken);
                    match (request.path.as_str(), &request.upgrade) {
                        ("/ws", Some(key)) => match venue.connect(now, outputs) {
                            Ok(conn) => {
                                let accept = http::switch_protocols(key);
                                return self.upgrade(
                                    http,
                                    conn,
                                    &accept,
                                    now,
                                    venue,
                                    outputs,
                                    backlog_max,
                                );
                            }
                            Err(_) => {
                                http.output =
                                    http::respond(429, "Too many connections", false, None);
                                http.last = true;
                            }
                        },
                        _ => http.answer(&request, now, venue),
                    }
                    http.last |= !request.keep;
                }
            }
        }
        self.stage = Stage::Http(http);
        Turn::Stays
    }

    #[allow(clippy::too_many_arguments, reason = "one call site")]
    fn upgrade(
        &mut self,
        mut http: Http<S>,
        conn: ConnId,
        accept: &[u8],
        now: Mono,
        venue: &mut Venue,
        outputs: &mut Vec<Output>,
        backlog_max: usize,
    ) -> Turn {
        self.conn = Some(conn);
        http.output = accept.to_vec();
        // A fresh socket takes the few bytes of the handshake at once, or is no good.
        if http.drain().is_err() || !http.output.is_empty() {
            return Turn::Ends;
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_MAX))
            .max_frame_size(Some(FRAME_MAX))
            .max_write_buffer_size(backlog_max);
        let mut socket = Box::new(WebSocket::from_partially_read(
            http.stream,
            http.input,
            Role::Server,
            Some(config),
        ));
        // What came with the handshake is here already and raises no event.
        let turn = self.socket(&mut socket, now, venue, outputs);
        self.stage = Stage::Socket(socket);
        turn
    }

    fn socket(
        &mut self,
        socket: &mut WebSocket<S>,
        now: Mono,
        venue: &mut Venue,
        outputs: &mut Vec<Output>,
    ) -> Turn {
        // One message a turn: its answers are sent before the next is read, so that a client that
        // asks for more than it reads meets its bound.
        match socket.read() {
            Ok(Message::Text(text)) => {
                if let Some(conn) = self.conn {
                    venue.text(now, conn, text.as_str(), outputs);
                }
                self.heard = Some(text);
                Turn::More
            }
            Ok(_) => Turn::More,
            Err(WsError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => flush(socket),
            Err(_) => Turn::Ends,
        }
    }

    /// Queues what the venue wants sent.
    pub fn send(&mut self, now: Mono, output: Output) -> Result<Turn, TooSlow> {
        let Stage::Socket(socket) = &mut self.stage else { return Ok(Turn::Ends) };
        let written = match output {
            Output::Text(_, text) => socket.write(Message::text(&*text)),
            Output::Binary(_, bytes) => socket.write(Message::binary(bytes)),
            Output::Close { code, reason, .. } => {
                // It waits for the client's close frame, but not for long.
                self.conn = None;
                self.idle_at = now.plus(CLOSE_WAIT);
                socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
            }
            Output::Torn(_, text) => {
                self.conn = None;
                tear(socket, &text);
                return Ok(Turn::Ends);
            }
            Output::Drop(_) => {
                self.conn = None;
                // What was said before still goes out, as far as it fits.
                let _ = socket.flush();
                return Ok(Turn::Ends);
            }
        };
        match written {
            Ok(()) => Ok(Turn::Stays),
            Err(WsError::WriteBufferFull(_)) => Err(TooSlow),
            Err(WsError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(Turn::Stays),
            Err(_) => Ok(Turn::Ends),
        }
    }

    /// Writes what fits.
    pub fn flush(&mut self) -> Turn {
        match &mut self.stage {
            Stage::Socket(socket) => flush(socket),
            Stage::Http(_) => Turn::Stays,
            Stage::Moving => Turn::Ends,
        }
    }

    /// What carries it.
    pub fn stream(&mut self) -> Option<&mut S> {
        match &mut self.stage {
            Stage::Http(http) => Some(&mut http.stream),
            Stage::Socket(socket) => Some(socket.get_mut()),
            Stage::Moving => None,
        }
    }
}

fn flush<S: Read + Write>(socket: &mut WebSocket<S>) -> Turn {
    match socket.flush() {
        Ok(()) => Turn::Stays,
        Err(WsError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Turn::Stays,
        Err(_) => Turn::Ends,
    }
}

/// Writes the first half of a text frame.
fn tear<S: Read + Write>(socket: &mut WebSocket<S>, text: &str) {
    let frame = Frame::message(text.as_bytes().to_vec(), OpCode::Data(Data::Text), true);
    let mut bytes = Vec::new();
    // If the backlog does not fit, half a frame of it is torn as well.
    if socket.flush().is_ok() && frame.format(&mut bytes).is_ok() {
        let _ = socket.get_mut().write(&bytes[..bytes.len() / 2]);
    }
}

impl<S: Read + Write> Http<S> {
    /// Reads what is there, up to one request's worth.
    fn fill(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while self.input.len() < http::REQUEST_MAX {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    // The client may still read what it asked for.
                    self.eof = true;
                    return Ok(());
                }
                Ok(n) => self.input.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes what fits.
    fn drain(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => drop(self.output.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Answers a plain request (PROTOCOL.md §1).
    fn answer(&mut self, request: &Request, now: Mono, venue: &mut Venue) {
        let at = Some(venue.time(now));
        let plain = |status, text: &str| http::respond(status, text, request.keep, at);
        self.output = match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/info" | "/exchange") if !request.json => {
                plain(415, "Expected request with `Content-Type: application/json`")
            }
            ("POST", "/info") => {
                let reply = venue.info(now, &request.body);
                let bytes = plain(reply.status, &reply.body);
                if reply.wait.0 > 0 {
                    self.slow = Some((now.plus(reply.wait), bytes));
                    return;
                }
                bytes
            }
            ("POST", "/exchange") => match venue.exchange(now, &request.body) {
                Exchange::Answered(reply) => plain(reply.status, &reply.body),
                Exchange::Waits(id) => {
                    self.waits = Some((id, request.keep));
                    return;
                }
            },
            (_, "/info" | "/exchange") => plain(405, ""),
            ("GET", "/ws") => plain(426, "Expected an upgrade to WebSocket"),
            _ => plain(404, ""),
        };
    }
}
