//! The config, read and checked: every key has a default, and what is here has passed every check.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::types::num::{Bps, Ratio, Usd};
use crate::types::record::Mode;
use crate::types::time::Nanos;

mod check;
mod defaults;
mod error;
mod read;
mod secret;
mod section;
mod show;
mod tree;
mod warnings;
mod words;

pub use check::web_host;
pub use error::{ConfigError, Problem};
pub use read::{from_text, is_set, load};

/// Everything `config.toml` says.
#[derive(Clone, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "each section documents itself")]
pub struct Config {
    pub mode: Mode,
    pub venue: Venue,
    pub account: Account,
    pub websocket: WebSocket,
    pub risk: Risk,
    pub detector: Detector,
    pub executor: Executor,
    pub position: Position,
    pub time_stop: TimeStop,
    pub mark_regression: MarkRegression,
    pub risk_monitor: RiskMonitor,
    pub persistence: Persistence,
    pub dashboard: Dashboard,
    pub alerts: Alerts,
    pub telemetry: Telemetry,
    pub runtime: Runtime,
}

/// Network of the venue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Network {
    /// The real one.
    Mainnet,
    /// The venue's own test network.
    Testnet,
    /// Any server that speaks the protocol, by its URLs.
    Custom,
}

/// `[venue]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Venue {
    /// Network of the venue.
    pub network: Network,
    /// WebSocket endpoint: of the network, or as given with `custom`.
    pub ws_url: String,
    /// REST endpoint without a path (`https://api.hyperliquid.xyz`).
    pub rest_url: String,
    /// Dex names, at least one, no repeats.
    pub dexes: Vec<String>,
    /// After this a market without data is set aside.
    pub md_ready_timeout: Nanos,
    /// Interval of the rereads.
    pub meta_refresh: Nanos,
    /// Entries wait while the last good reading is older.
    pub max_meta_age: Nanos,
    /// Only these coins; empty means all.
    pub include: Vec<String>,
    /// Never these coins.
    pub exclude: Vec<String>,
}

/// `[account]`
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Account {
    /// The master account, `0x` and 40 lower-case hex digits.
    pub user_address: Option<String>,
    /// A vault or sub-account to act for, in the same form.
    pub vault_address: Option<String>,
    /// File that holds the agent's key.
    pub key_file: Option<PathBuf>,
}

impl Account {
    /// The account that acts: the vault or sub-account if one is named, else the master. Streams
    /// and questions must name it, since it owns the orders (PROTOCOL.md §2.6, §7.3).
    pub fn acting(&self) -> Option<&str> {
        self.vault_address.as_deref().or(self.user_address.as_deref())
    }
}

/// `[websocket]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebSocket {
    /// Ping after this long without sending.
    pub heartbeat_interval: Nanos,
    /// Ping after this long without receiving.
    pub silence_ping: Nanos,
    /// A link without any frame this long after a ping is dead.
    pub pong_timeout: Nanos,
    /// First upper bound of the reconnect delay.
    pub reconnect_base_delay: Nanos,
    /// Last upper bound of the reconnect delay.
    pub reconnect_max_delay: Nanos,
}

/// `[risk]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Risk {
    /// `None` is `"off"`.
    pub max_bbo_age: Option<Nanos>,
    /// `None` is `"off"`.
    pub max_ctx_age: Option<Nanos>,
    /// Entries wait while the feed is later; `None` is `"off"`.
    pub max_feed_lag: Option<Nanos>,
    /// `None` is `"off"`.
    pub max_mark_mid_divergence: Option<Bps>,
    /// How many times its average a spread may be before the size shrinks; twice that blocks.
    pub spread_shock_multiplier: Ratio,
    /// Weight of a new spread in the average, above 0 and at most 1.
    pub spread_ewma_alpha: Ratio,
    /// Updates before the average is a baseline.
    pub min_ewma_samples: u32,
}

/// The taker fee of the cost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TakerFee {
    /// By the venue's formula (PROTOCOL.md §5.4).
    Auto,
    /// As given.
    Fixed(Bps),
}

/// `[detector]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Detector {
    /// The taker fee.
    pub taker_fee: TakerFee,
    /// Slippage allowed for.
    pub slippage: Bps,
    /// Least edge beyond the fee both ways and slippage.
    pub min_edge: Bps,
    /// Largest edge: what is beyond it is a bad print.
    pub max_edge: Bps,
    /// Share of the top of the book to take.
    pub sizing_alpha: Ratio,
    /// Largest value of one order.
    pub max_notional: Usd,
    /// A thinner top of the book makes no signal.
    pub min_book_notional: Usd,
    /// From here on the size is whole.
    pub normal_book_notional: Usd,
    /// A lasting cross yields another signal this often.
    pub resignal_interval: Nanos,
    /// Latencies of the entry probes, ascending, no repeats, at most 16, in milliseconds.
    pub entry_latencies_ms: Vec<u32>,
    /// `[detector.markets."coin"] threshold_bps`: replaces the whole cost in that market. Sorted
    /// by coin.
    pub thresholds: Vec<(String, Bps)>,
}

/// When approved orders leave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dispatch {
    /// In the same pass of the loop, if the budget allows.
    Immediate,
    /// On the tick alone.
    Tick,
}

/// `[executor]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Executor {
    /// When approved orders leave.
    pub dispatch: Dispatch,
    /// The tick.
    pub tick: Nanos,
    /// How far past the touched price an entry may reach.
    pub entry_slippage: Bps,
    /// An order without an answer is looked up after this.
    pub order_timeout: Nanos,
    /// The venue refuses an order older than this.
    pub expires_after: Nanos,
    /// Presigned nonces kept ready; 0 turns presigning off.
    pub presign_pool: u32,
    /// Requests of the address budget that only exits may use.
    pub exit_budget_reserve: u32,
    /// Without a link for so long, an exit that is owed goes by REST.
    pub rest_exit_after: Nanos,
}

/// `[position]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Position {
    /// Most positions at once.
    pub max_concurrent_positions: u32,
    /// Largest total value.
    pub max_total_notional: Usd,
    /// Largest value in one market.
    pub max_notional_per_market: Usd,
    /// Isolated leverage that is set before the first entry of a market; a market's own maximum
    /// overrules it.
    pub leverage: u32,
    /// Interval of the reconciliation.
    pub resync_interval: Nanos,
    /// Entries wait while the last good reading of the account is older.
    pub max_account_age: Nanos,
    /// Whether an end in order closes positions.
    pub flatten_on_shutdown: bool,
    /// `[position.dynamic_sizing] risk_per_market_pct`; `None` when not enabled.
    pub risk_per_market: Option<Ratio>,
}

/// `[time_stop]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TimeStop {
    /// Longest holding time.
    pub threshold: Nanos,
    /// An exit that has not closed by then is tried again.
    pub reduce_only_timeout: Nanos,
    /// How far past the best price it may reach.
    pub slippage: Bps,
}

/// `[mark_regression]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MarkRegression {
    /// Whether it runs.
    pub enabled: bool,
    /// Distance to the oracle at which the edge counts as gone.
    pub exit_threshold: Bps,
    /// Checked at least this often.
    pub check_interval: Nanos,
    /// Not before this holding time.
    pub min_holding_time: Nanos,
    /// How far past the best price it may reach.
    pub slippage: Bps,
}

/// `[risk_monitor]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RiskMonitor {
    /// Failures in a row that stop the engine.
    pub max_consecutive_failures: u32,
    /// Loss within the window that stops it.
    pub max_loss: Usd,
    /// Loss within the UTC day that stops it.
    pub max_daily_loss: Usd,
    /// Exits of a position in a row, refused by our fault or for the account's state, that stop it.
    pub max_flatten_failures: u32,
    /// The window.
    pub window: Nanos,
}

/// `[persistence]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Persistence {
    /// Where the day files lie.
    pub data_dir: PathBuf,
    /// A row is visible in its file within this.
    pub flush_interval: Nanos,
}

/// `[dashboard]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dashboard {
    /// Whether it runs.
    pub enabled: bool,
    /// Where it listens.
    pub bind: SocketAddr,
    /// Interval of the updates.
    pub update_interval: Nanos,
    /// Most clients at once.
    pub max_connections: u32,
    /// File with the bearer token; required when `bind` is not loopback.
    pub token_file: Option<PathBuf>,
}

/// What an alert's body looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AlertFormat {
    /// Our own, with every field.
    Json,
    /// The body of Telegram's `sendMessage`.
    Telegram,
    /// The body of a Discord webhook.
    Discord,
}

/// `[alerts]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alerts {
    /// Whether any are sent.
    pub enabled: bool,
    /// What their body looks like.
    pub format: AlertFormat,
    /// File that holds the URL, which carries a secret and so is no key of its own.
    pub url_file: Option<PathBuf>,
    /// Whom Telegram shows them to.
    pub telegram_chat_id: Option<String>,
    /// One kind of alert at most this often.
    pub min_interval: Nanos,
    /// Most alerts in an hour.
    pub max_per_hour: u32,
}

/// Least severe line that is logged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs, reason = "the usual levels")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[telemetry]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Telemetry {
    /// Least severe line that is logged.
    pub log_level: LogLevel,
    /// Form of the log.
    pub log_format: LogFormat,
    /// Where the latency dumps lie.
    pub latency_dir: PathBuf,
    /// Interval of the dumps.
    pub latency_interval: Nanos,
}

/// Where a thread runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Core {
    /// The program picks one.
    Auto,
    /// Not pinned.
    None,
    /// This one.
    Index(u32),
}

/// `[runtime]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Runtime {
    /// The hot thread's core.
    pub hot_core: Core,
    /// The cold threads' core.
    pub cold_core: Core,
    /// Whether the hot thread spins; otherwise it sleeps in `poll` until something comes.
    pub busy_poll: bool,
}
