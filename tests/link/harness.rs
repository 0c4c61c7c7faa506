//! A link and the loop that drives it, and servers for one connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hip3::runtime::link::{Endpoint, Link, LinkEvent, tls_config};
use hip3::types::event::LinkDown;
use mio::{Events, Poll, Token};
use rustls::ClientConfig;
use tungstenite::WebSocket;

/// What a link said, kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Said {
    Connected,
    Text(String),
    Binary,
    Closed(LinkDown),
}

impl From<LinkEvent<'_>> for Said {
    fn from(event: LinkEvent<'_>) -> Self {
        match event {
            LinkEvent::Connected => Self::Connected,
            LinkEvent::Text(text) => Self::Text(String::from_utf8(text.to_vec()).unwrap()),
            LinkEvent::Binary => Self::Binary,
            LinkEvent::Closed(down) => Self::Closed(down),
        }
    }
}

pub fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

/// A link and the loop that drives it: sleeps in `poll`, as with `busy_poll = false`.
pub struct Client {
    pub poll: Poll,
    pub events: Events,
    pub link: Link,
    pub said: Vec<Said>,
}

impl Client {
    pub fn connect(url: &str, addresses: &[SocketAddr], tls: &Arc<ClientConfig>) -> Self {
        let endpoint = Endpoint::parse(url).unwrap();
        let poll = Poll::new().unwrap();
        let link = Link::connect(poll.registry(), Token(7), &endpoint, addresses, tls).unwrap();
        Self { poll, events: Events::with_capacity(16), link, said: Vec::new() }
    }

    pub fn plain(address: SocketAddr) -> Self {
        Self::connect(&format!("ws://{address}/ws"), &[address], &tls_config().unwrap())
    }

    /// One turn of the loop. So long without readiness is a test that hangs.
    pub fn turn(&mut self) {
        if !self.link.more() {
            self.poll.poll(&mut self.events, Some(Duration::from_secs(20))).unwrap();
            assert!(!self.events.is_empty(), "nothing happens any more; so far: {:?}", self.said);
            assert!(self.events.iter().all(|event| event.token() == Token(7)));
        }
        self.link.drive(|event| self.said.push(event.into()));
    }

    /// Turns until `count` events were said, and returns them.
    pub fn hear(&mut self, count: usize) -> Vec<Said> {
        while self.said.len() < count {
            self.turn();
        }
        self.said.drain(..count).collect()
    }

    pub fn opened(mut self) -> Self {
        assert_eq!(self.hear(1), [Said::Connected], "{:?}", self.last_words());
        self
    }

    /// The last event, which must be the only one left.
    pub fn hear_end(&mut self) -> LinkDown {
        let [Said::Closed(down)] = self.hear(1)[..] else { panic!("more than an end was said") };
        assert!(self.link.is_gone() && self.said.is_empty());
        down
    }

    pub fn last_words(&self) -> String {
        self.link.last_words().map(|words| words.to_string()).unwrap_or_default()
    }
}

/// A server for one connection.
pub fn serve<T: Send + 'static>(
    behave: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || behave(listener.accept().unwrap().0)))
}

/// The same, after the WebSocket handshake.
pub fn serve_ws<T: Send + 'static>(
    behave: impl FnOnce(WebSocket<TcpStream>) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    serve(|tcp| behave(tungstenite::accept(tcp).unwrap()))
}

/// Waits until the other side has closed, however it did.
pub fn until_closed(mut tcp: impl Read) {
    let mut sink = [0; 4096];
    while matches!(tcp.read(&mut sink), Ok(1..)) {}
}

/// The bytes of an unmasked text frame of at most 125 bytes, or its first fragment.
pub fn frame_bytes(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, u8::try_from(payload.len()).unwrap()], payload].concat()
}

/// Answers every message with itself, until the other side closes.
pub fn echo<S: Read + Write>(mut socket: WebSocket<S>) {
    while let Ok(message) = socket.read() {
        if socket.send(message).is_err() {
            break;
        }
    }
}

/// Allocations of `count` round trips of a usual frame, once everything has its working size.
pub fn allocations(client: &mut Client, count: usize) -> u64 {
    let frame = format!("{{\"channel\":\"bbo\",\"data\":\"{}\"}}", "a".repeat(110));
    let Client { poll, events, link, .. } = client;
    let mut echoes = 0;
    let mut round_trips = |count: usize| {
        for _ in 0..count {
            link.send(frame.as_bytes()).unwrap();
            link.flush().unwrap();
            let heard = echoes;
            while echoes == heard {
                poll.poll(events, Some(Duration::from_secs(20))).unwrap();
                assert!(!events.is_empty(), "nothing happens any more");
                link.drive(|event| echoes += usize::from(matches!(event, LinkEvent::Text(_))));
            }
        }
    };
    round_trips(2_000);
    // Counts this thread alone.
    let info = allocation_counter::measure(|| round_trips(count));
    assert_eq!(echoes, 2_000 + count);
    info.count_total
}
