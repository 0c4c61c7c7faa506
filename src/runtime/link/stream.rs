//! Bytes to and from the venue: a non-blocking TCP stream, with TLS or without.
//!
//! Reads are metered: after [`Meter::PER_TURN`] bytes a stream answers `WouldBlock` until the next
//! turn, so that nothing the other side sends can keep the loop from its other work.

use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
#[cfg(target_os = "linux")]
use socket2::SockRef;

use crate::runtime::link::channel::Transport;
use crate::runtime::os::ticks;

/// TLS settings for the venue: the web's usual certificate authorities, TLS 1.2 and 1.3.
/// Certificates are always verified.
pub fn tls_config() -> Result<Arc<ClientConfig>, rustls::Error> {
    tls_config_with(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
}

/// The same, trusting `roots` and nobody else: for tests, which sign their own certificates.
pub fn tls_config_with(roots: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// What tungstenite reads from and writes to.
#[derive(Debug)]
pub(super) enum Stream {
    /// To this machine.
    Plain(Metered),
    /// To anywhere.
    Tls(Box<Tls>),
}

impl Stream {
    /// Without TLS.
    pub(super) fn plain(tcp: TcpStream) -> Self {
        Self::Plain(Metered { tcp, meter: Meter::full(), read_at: 0 })
    }

    /// With TLS. The handshake happens within the first reads and writes.
    pub(super) fn tls(
        tcp: TcpStream,
        config: &Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, rustls::Error> {
        let connection = ClientConnection::new(Arc::clone(config), name)?;
        let below = Metered { tcp, meter: Meter::full(), read_at: 0 };
        Ok(Self::Tls(Box::new(Tls { connection, below })))
    }

    /// Says goodbye in TLS, as far as the socket takes it.
    pub(super) fn send_close(&mut self) {
        if let Self::Tls(tls) = self {
            tls.connection.send_close_notify();
            // Best effort: the socket is closed next, whatever becomes of it.
            let _ = tls.push();
        }
    }

    /// The socket.
    pub(super) fn tcp(&mut self) -> &mut TcpStream {
        &mut self.below().tcp
    }

    /// When bytes last came from the socket, by [`ticks`].
    pub(super) fn read_at(&self) -> u64 {
        match self {
            Self::Plain(metered) => metered.read_at,
            Self::Tls(tls) => tls.below.read_at,
        }
    }

    fn below(&mut self) -> &mut Metered {
        match self {
            Self::Plain(metered) => metered,
            Self::Tls(tls) => &mut tls.below,
        }
    }
}

impl Transport for Stream {
    fn refill(&mut self) {
        self.below().meter = Meter::full();
    }

    fn rest(&mut self) {
        self.below().acknowledge();
    }

    fn needs_read(&mut self) -> bool {
        self.below().meter.needs_read
    }

    /// Writes what TLS still holds of its own: handshake, alerts, key updates, and records that
    /// the socket did not take. `WouldBlock` when the socket takes no more.
    fn push(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.push(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(metered) => metered.read(buf),
            Self::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(metered) => metered.tcp.write(buf),
            Self::Tls(tls) => tls.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()
    }
}

/// How many bytes may still be read in this turn.
#[derive(Clone, Copy, Debug)]
struct Meter {
    left: usize,
    needs_read: bool,
}

impl Meter {
    /// Some 1700 frames of the usual 150 bytes; a longer message takes several turns.
    const PER_TURN: usize = 256 * 1024;

    const fn full() -> Self {
        Self { left: Self::PER_TURN, needs_read: false }
    }
}

/// A TCP stream that reads so much a turn.
#[derive(Debug)]
pub(super) struct Metered {
    tcp: TcpStream,
    meter: Meter,
    /// When bytes last came, by [`ticks`].
    read_at: u64,
}

impl Metered {
    /// Acknowledges what was read without waiting for something to send with it: a venue that gathers
    /// small frames until the last one is acknowledged would hold the next one back. The system
    /// forgets it by and by, so it is told again whenever something came.
    fn acknowledge(&mut self) {
        if self.meter.left < Meter::PER_TURN {
            quick_ack(&self.tcp);
        }
    }
}

impl Read for Metered {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.meter.left == 0 {
            self.meter.needs_read = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = buf.len().min(self.meter.left);
        let read = self.tcp.read(&mut buf[..most])?;
        self.read_at = ticks();
        self.meter.left -= read;
        Ok(read)
    }
}

/// Microseconds for which the system looks at the network card itself when nothing has come.
#[cfg(target_os = "linux")]
const BUSY_POLL_US: u32 = 50;

/// Sets a new socket up for little delay, as far as the system has it and allows it.
///
/// Errors: a socket that would gather small writes.
pub(super) fn tune(tcp: &TcpStream) -> io::Result<()> {
    // Orders are small and must not wait for others to fill a packet.
    tcp.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    {
        // Beyond what net.core.busy_read has set it takes a right that few processes have.
        let _ = SockRef::from(tcp).set_busy_poll(BUSY_POLL_US);
    }
    quick_ack(tcp);
    Ok(())
}

#[cfg(target_os = "linux")]
fn quick_ack(tcp: &TcpStream) {
    let _ = SockRef::from(tcp).set_tcp_quickack(true);
}

#[cfg(not(target_os = "linux"))]
fn quick_ack(_: &TcpStream) {}

/// TLS over it.
///
/// Not [`rustls::StreamOwned`], which stops reading while it cannot write: a full send buffer
/// would then hold up market data.
#[derive(Debug)]
pub(super) struct Tls {
    connection: ClientConnection,
    below: Metered,
}

impl Tls {
    fn push(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut self.below.tcp)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// `push`, but a socket that takes no more is no error: the rest goes with the next push.
    fn push_some(&mut self) -> io::Result<()> {
        match self.push() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            done => done,
        }
    }
}

impl Read for Tls {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Bytes, a TLS goodbye (0), or an end without one (`UnexpectedEof`).
                done => return done,
            }
            self.connection.read_tls(&mut self.below)?;
            let processed = self.connection.process_new_packets();
            // Handshake messages, or the alert that says what we did not like.
            let pushed = self.push_some();
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            pushed?;
        }
    }
}

impl Write for Tls {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // Older records first, and only then new ones: rustls holds no more than it must.
        self.push()?;
        let written = self.connection.writer().write(buf)?;
        self.push_some()?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()
    }
}
