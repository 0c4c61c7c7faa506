//! The dashboard of a run: what it needs is had before anything is written, and it starts with the
//! other cold threads.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread::JoinHandle;

use crate::dashboard::{self, Facts, Feed, Patience, Token};
use crate::runtime::os::{self, TokenError, load_token};
use crate::runtime::publish::SnapshotReceiver;
use crate::types::config::{self, Config};
use crate::types::snapshot::Percentiles;
use crate::types::time::Nanos;

/// Lengths of stages that may wait for the dashboard.
const FIGURES: usize = 64;

/// Takes what the lengths of a stage come to, by its name.
pub type Measurements = mpsc::SyncSender<(&'static str, Percentiles)>;

/// Why there is no dashboard.
#[derive(Debug, thiserror::Error)]
pub enum DashboardError {
    /// The address.
    #[error(
        "dashboard.bind = {address}: {source}; name another (port 0 picks one), or set \
         dashboard.enabled = false"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// A dashboard that has its address and its token.
#[derive(Debug)]
pub struct DashboardSetup {
    listener: TcpListener,
    token: Option<Token>,
}

impl DashboardSetup {
    /// `None` when the config wants none. With `any_port` a taken port is replaced by a free one.
    pub fn new(config: &config::Dashboard, any_port: bool) -> Result<Option<Self>, DashboardError> {
        if !config.enabled {
            return Ok(None);
        }
        let token = config.token_file.as_deref().map(load_token).transpose()?;
        let listener = match dashboard::bind(config.bind) {
            Err(error) if any_port && error.kind() == io::ErrorKind::AddrInUse => {
                dashboard::bind(SocketAddr::new(config.bind.ip(), 0))
            }
            bound => bound,
        };
        let listener =
            listener.map_err(|source| DashboardError::Bind { address: config.bind, source })?;
        Ok(Some(Self { listener, token }))
    }

    /// Where it is.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Starts it, and says where it is. The sender takes lengths of stages.
    pub fn start(
        self,
        config: &Config,
        run_id: &str,
        receiver: SnapshotReceiver,
    ) -> io::Result<(JoinHandle<io::Result<()>>, Measurements)> {
        let address = self.address()?;
        let websocket = &config.websocket;
        let patience = websocket.silence_ping.0.saturating_add(websocket.pong_timeout.0);
        let facts = Facts {
            mode: config.mode,
            version: os::version(),
            run_id: run_id.to_owned(),
            exit_reserve: config.executor.exit_budget_reserve,
            update_interval: config.dashboard.update_interval,
            frame_patience: Nanos(patience),
            max_pages: config.dashboard.max_connections,
            patience: Patience::default(),
        };
        let (measured, latency) = mpsc::sync_channel(FIGURES);
        let SnapshotReceiver { snapshots, spent, rows, commands } = receiver;
        let feed = Feed { snapshots, spent, rows, commands, latency };
        let thread = dashboard::spawn(self.listener, self.token, facts, feed)?;
        tracing::info!("dashboard at http://{address}/");
        Ok((thread, measured))
    }
}
