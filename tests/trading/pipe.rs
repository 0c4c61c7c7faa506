//! A WebSocket over memory, for what looks at the bytes alone.

use std::io::{self, ErrorKind, Read, Write};

use hip3::runtime::link::{Channel, LinkEvent, Transport};
use tungstenite::handshake::derive_accept_key;

/// Both directions, in memory that is there already.
pub(crate) struct Pipe {
    incoming: Vec<u8>,
    read: usize,
    /// What was written.
    pub(crate) outgoing: Vec<u8>,
}

impl Pipe {
    /// Holds nothing, and has room.
    pub(crate) fn new() -> Self {
        Self { incoming: Vec::new(), read: 0, outgoing: Vec::with_capacity(1 << 16) }
    }

    /// Only these bytes are there to be read, and nothing was written.
    pub(crate) fn refill(&mut self, bytes: &[u8]) {
        self.incoming.clear();
        self.incoming.extend_from_slice(bytes);
        self.read = 0;
        self.outgoing.clear();
    }
}

impl Transport for Pipe {}

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
pub(crate) fn channel() -> Channel<Pipe> {
    let mut channel = Channel::start(Pipe::new(), "ws://localhost/ws").expect("a URL");
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
    pipe.refill(answer.as_bytes());
    assert_eq!(next(&mut channel), Some(true));
    channel
}

/// Whether the next event is the connection; `None` without one.
fn next(channel: &mut Channel<Pipe>) -> Option<bool> {
    let (mut left, mut more) = (8, false);
    channel.next_event(&mut left, &mut more).map(|event| event == LinkEvent::Connected)
}

/// A text frame as a server sends it.
pub(crate) fn server_frame(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81, 126];
    bytes.extend_from_slice(&u16::try_from(text.len()).expect("a short text").to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}
