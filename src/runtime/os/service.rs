//! Who started us may want to hear of us: systemd, by its notify socket.

use std::time::Duration;

use sd_notify::NotifyState;

/// The service manager that started this process, if one listens.
///
/// Failures are not told further: a manager that cannot be reached will act by itself.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    watchdog: Option<Duration>,
}

impl Service {
    /// `None` when nobody listens.
    pub fn find() -> Option<Self> {
        std::env::var_os("NOTIFY_SOCKET")?;
        Some(Self { watchdog: sd_notify::watchdog_enabled() })
    }

    /// It restarts us when it has not been [fed](Self::feed) for so long.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// All threads run.
    pub fn ready(&self) {
        let _ = sd_notify::notify(&[NotifyState::Ready]);
    }

    /// The hot loop turns.
    pub fn feed(&self) {
        let _ = sd_notify::notify(&[NotifyState::Watchdog]);
    }

    /// One line for whoever asks how it goes.
    pub fn tell(&self, status: &str) {
        let _ = sd_notify::notify(&[NotifyState::Status(status)]);
    }

    /// The end has begun.
    pub fn stopping(&self) {
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
    }
}
