//! Who started us may want to hear of us: systemd, by its notify socket.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

/// A manager that does not take a message within this time is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The service manager that started this process, if one listens.
///
/// Messages go to the address in `NOTIFY_SOCKET`, as sd_notify(3) has it: the path of a socket, or behind
/// `@` a name of Linux's abstract namespace. The crate knows what is said, and only paths to say it to.
#[derive(Clone, Debug)]
pub struct Service {
    address: OsString,
    watchdog: Option<Duration>,
}

impl Service {
    /// `None` when nobody listens.
    pub fn find() -> Option<Self> {
        let address = std::env::var_os("NOTIFY_SOCKET")?;
        Some(Self { address, watchdog: sd_notify::watchdog_enabled() })
    }

    /// It restarts us when it has not been [fed](Self::feed) for so long.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// All threads run.
    pub fn ready(&self) -> io::Result<()> {
        self.send(&NotifyState::Ready)
    }

    /// The hot loop turns.
    pub fn feed(&self) -> io::Result<()> {
        self.send(&NotifyState::Watchdog)
    }

    /// One line for whoever asks how it goes.
    pub fn tell(&self, status: &str) -> io::Result<()> {
        self.send(&NotifyState::Status(status))
    }

    /// The end has begun.
    pub fn stopping(&self) -> io::Result<()> {
        self.send(&NotifyState::Stopping)
    }

    /// A message, by a socket of its own: a manager that was restarted has another one.
    fn send(&self, state: &NotifyState<'_>) -> io::Result<()> {
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address(&self.address)?)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        // A datagram is taken whole or not at all.
        socket.send(format!("{state}\n").as_bytes()).map(drop)
    }
}

/// Where a text of `NOTIFY_SOCKET` points to.
fn address(text: &OsStr) -> io::Result<SocketAddr> {
    match text.as_bytes() {
        [b'@', name @ ..] => abstract_address(name),
        [b'/', ..] => SocketAddr::from_pathname(text),
        _ => {
            let expected = "NOTIFY_SOCKET: expected a path from the root, or a name behind @";
            Err(io::Error::new(io::ErrorKind::Unsupported, expected))
        }
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "NOTIFY_SOCKET: only Linux has names behind @"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_path_or_a_name_behind_an_at() {
        let path = address(OsStr::new("/run/systemd/notify")).expect("a path");
        assert_eq!(path.as_pathname(), Some(std::path::Path::new("/run/systemd/notify")));
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt;
            let name = address(OsStr::new("@hip3/notify")).expect("a name");
            assert_eq!(name.as_abstract_name(), Some(&b"hip3/notify"[..]));
        }
        for wrong in ["", "notify", "vsock:2:1234"] {
            let error = address(OsStr::new(wrong)).expect_err(wrong);
            assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{wrong}");
        }
    }
}
