//! The promise that between a frame and the bytes of its order nothing is allocated.

use std::io::{self, ErrorKind, Read, Write};

use allocation_counter::measure;
use hip3::runtime::link::{Carrier, Channel, LinkEvent};
use hip3::types::event::{Action, Actions, Event};
use tungstenite::handshake::derive_accept_key;

use crate::desk::{Desk, ONE, TWO, config};

/// Both directions, in memory that is there already.
struct Pipe {
    incoming: Vec<u8>,
    read: usize,
    outgoing: Vec<u8>,
}

impl Carrier for Pipe {}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = &self.incoming[self.read..];
        if rest.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.read += len;
        Ok(len)
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A channel whose handshake is done.
fn channel() -> Channel<Pipe> {
    let pipe = Pipe { incoming: Vec::new(), read: 0, outgoing: Vec::with_capacity(1 << 16) };
    let mut channel = Channel::start(pipe, "ws://localhost/ws").expect("a URL");
    assert_eq!(next(&mut channel), None, "it has asked");
    let pipe = channel.stream().expect("it is there");
    let request = String::from_utf8(std::mem::take(&mut pipe.outgoing)).expect("text");
    pipe.outgoing.reserve(1 << 16);
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = derive_accept_key(key.expect("a key").as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    pipe.incoming.extend_from_slice(answer.as_bytes());
    assert_eq!(next(&mut channel), Some(true));
    channel
}

/// Whether the next event is the connection; `None` without one.
fn next(channel: &mut Channel<Pipe>) -> Option<bool> {
    let (mut left, mut more) = (8, false);
    channel.next_event(&mut left, &mut more).map(|event| event == LinkEvent::Connected)
}

/// A text frame as a server sends it.
fn server_frame(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81, 126];
    bytes.extend_from_slice(&u16::try_from(text.len()).expect("a short text").to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

#[test]
fn from_the_bytes_of_a_frame_to_those_of_its_order_nothing_is_allocated() {
    let mut desk = Desk::ready(&config());
    let mut channel = channel();
    let mut measured = 0;
    for round in 0..60 {
        let coin = [ONE, TWO][round % 2];
        desk.pass_ms(500);
        desk.calm_quotes();
        desk.pass_ms(1_500);
        let (bid, ask) =
            (r#"{"px":"99.55","sz":"100","n":1}"#, r#"{"px":"99.6","sz":"100","n":1}"#);
        let time = desk.venue_ms() - 190; // Behind the quotes so far, before those to come.
        let frame = format!(
            r#"{{"channel":"bbo","data":{{"coin":"{coin}","time":{time},"bbo":[{bid},{ask}]}}}}"#
        );
        let pipe = channel.stream().expect("it is open");
        pipe.incoming.clear();
        pipe.incoming.extend_from_slice(&server_frame(&frame));
        (pipe.read, pipe.outgoing) = (0, Vec::with_capacity(1 << 16));

        let mut allocations = None;
        // The scenario wants the frame's text as well; what is measured reads it off the channel.
        desk.event_by(Event::Frame(frame.as_bytes()), |engine, now, _, out: &mut Actions| {
            allocations = Some(measure(|| {
                let (mut left, mut more) = (8, false);
                channel.begin_turn();
                let Some(LinkEvent::Text(text)) = channel.next_event(&mut left, &mut more) else {
                    panic!("a text")
                };
                engine.on_event(now, Event::Frame(text), out);
                for action in out.iter() {
                    if let Action::Send(span) = action {
                        channel.send(out.text(span)).expect("room");
                    }
                }
                channel.flush().expect("it takes all");
            }));
        });
        let (id, _) = desk.sent_order();
        let sent = channel.stream().expect("it is open").outgoing.len();
        assert!(sent > 300, "an order: {sent} bytes");
        let allocations = allocations.expect("it ran");
        // Buffers grow to their working size first.
        if round >= 20 {
            measured += 1;
            assert_eq!((allocations.count_total, allocations.bytes_total), (0, 0), "{round}");
        }
        let miss = "Order could not immediately match against any resting orders. asset=110000";
        desk.answer_error(id, miss);
        assert_eq!(desk.trading().pending, 0, "it is over");
    }
    assert_eq!(measured, 40);
}
