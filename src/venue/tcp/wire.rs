//! What carries a client's bytes: TCP as it is, or with TLS. It knows when bytes last came.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Instant;

use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// One client's connection.
pub(super) enum Wire {
    Plain(Stamped),
    Tls(Box<StreamOwned<ServerConnection, Stamped>>),
}

/// A socket, and when it last had something to read.
pub(super) struct Stamped {
    tcp: TcpStream,
    read_at: Instant,
}

impl Wire {
    /// One that has just been accepted.
    pub(super) fn new(
        tcp: TcpStream,
        tls: Option<&Arc<ServerConfig>>,
    ) -> Result<Self, rustls::Error> {
        let stamped = Stamped { tcp, read_at: Instant::now() };
        Ok(match tls {
            None => Self::Plain(stamped),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config))?;
                Self::Tls(Box::new(StreamOwned::new(connection, stamped)))
            }
        })
    }

    fn stamped(&self) -> &Stamped {
        match self {
            Self::Plain(stamped) => stamped,
            Self::Tls(tls) => tls.get_ref(),
        }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.stamped().tcp
    }

    /// When bytes last came.
    pub(super) fn read_at(&self) -> Instant {
        self.stamped().read_at
    }
}

impl Read for Stamped {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.tcp.read(buf)?;
        self.read_at = Instant::now();
        Ok(read)
    }
}

impl Write for Stamped {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.tcp.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stamped) => stamped.read(buf),
            Self::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stamped) => stamped.write(buf),
            Self::Tls(tls) => tls.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stamped) => stamped.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
