//! Whether the venue's socket can be reached: one connection up to the end of its handshakes.

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use crate::runtime::link::{Endpoint, Link, LinkEvent, resolve, tls_config};

const TOKEN: Token = Token(0);

/// Opens a connection to `endpoint` (TCP, TLS, WebSocket), closes it, and says how long it took,
/// the name's resolution included. Blocks, `patience` at most once the name is resolved.
///
/// Errors: in words, what was tried and what came.
pub fn reach(endpoint: &Endpoint, patience: Duration) -> Result<Duration, String> {
    let began = Instant::now();
    let addresses = resolve(endpoint).map_err(|error| format!("{}: {error}", endpoint.host()))?;
    let tls = tls_config().map_err(|error| format!("TLS: {error}"))?;
    let system = |error: io::Error| format!("cannot wait for sockets: {error}");
    let mut poll = Poll::new().map_err(system)?;
    let mut events = Events::with_capacity(4);
    let mut link = Link::connect(poll.registry(), TOKEN, endpoint, &addresses, &tls)
        .map_err(|error| error.to_string())?;
    let until = Instant::now() + patience;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!("no handshake within {} s", patience.as_secs()));
        }
        match poll.poll(&mut events, Some(left)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(system(error)),
            _ => {}
        }
        let (mut open, mut gone) = (false, None);
        link.drive(|event| match event {
            LinkEvent::Connected => open = true,
            LinkEvent::Closed(cause) => gone = Some(cause.name()),
            LinkEvent::Text(_) | LinkEvent::Binary => {}
        });
        if open {
            let took = began.elapsed();
            link.close();
            return Ok(took);
        }
        if let Some(cause) = gone {
            let words = link.last_words().map(|words| format!(": {words}")).unwrap_or_default();
            return Err(format!("{cause}{words}"));
        }
    }
}
