//! What holds when the file says nothing. `config.toml` at the root says the same, and a test
//! holds the two together.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::types::config::{
    Account, AlertFormat, Alerts, Config, Core, Dashboard, Detector, Dispatch, Executor, LogFormat,
    LogLevel, MarkRegression, Network, Persistence, Position, Risk, RiskMonitor, Runtime, TakerFee,
    Telemetry, TimeStop, Venue, WebSocket,
};
use crate::types::num::{Bps, Ratio, Usd};
use crate::types::record::Mode;
use crate::types::time::Nanos;

/// `position.dynamic_sizing.risk_per_market_pct` while dynamic sizing is off.
pub(super) const RISK_PER_MARKET: Ratio = Ratio::from_units(100_000_000);

/// An amount of whole dollars.
const fn usd(dollars: i64) -> Usd {
    Usd::from_units(dollars * 1_000_000)
}

impl Default for Config {
    fn default() -> Self {
        let (ws_url, rest_url) = Network::Mainnet.urls().unwrap_or_default();
        Self {
            mode: Mode::Observation,
            venue: Venue {
                network: Network::Mainnet,
                ws_url: ws_url.to_owned(),
                rest_url: rest_url.to_owned(),
                dexes: vec!["xyz".to_owned()],
                md_ready_timeout: Nanos::from_millis(10_000),
                meta_refresh: Nanos::from_secs(60),
                max_meta_age: Nanos::from_secs(600),
                include: Vec::new(),
                exclude: Vec::new(),
            },
            account: Account::default(),
            websocket: WebSocket {
                heartbeat_interval: Nanos::from_millis(45_000),
                silence_ping: Nanos::from_millis(5_000),
                pong_timeout: Nanos::from_millis(10_000),
                reconnect_base_delay: Nanos::from_millis(1_000),
                reconnect_max_delay: Nanos::from_millis(60_000),
            },
            risk: Risk {
                max_bbo_age: Some(Nanos::from_millis(2_000)),
                max_ctx_age: Some(Nanos::from_millis(8_000)),
                max_feed_lag: Some(Nanos::from_millis(1_500)),
                max_mark_mid_divergence: Some(Bps::from_int(50)),
                spread_shock_multiplier: Ratio::from_units(3 * Ratio::ONE.units()),
                spread_ewma_alpha: Ratio::from_units(50_000_000),
                min_ewma_samples: 20,
            },
            detector: Detector {
                taker_fee: TakerFee::Auto,
                slippage: Bps::from_int(2),
                min_edge: Bps::from_int(5),
                max_edge: Bps::from_int(200),
                sizing_alpha: Ratio::from_units(100_000_000),
                max_notional: usd(50),
                min_book_notional: usd(500),
                normal_book_notional: usd(5_000),
                resignal_interval: Nanos::from_millis(1_000),
                entry_latencies_ms: vec![50, 200, 400, 900],
                thresholds: Vec::new(),
            },
            executor: Executor {
                dispatch: Dispatch::Immediate,
                tick: Nanos::from_millis(100),
                entry_slippage: Bps::ZERO,
                order_timeout: Nanos::from_millis(3_000),
                expires_after: Nanos::from_millis(2_000),
                presign_pool: 256,
                exit_budget_reserve: 500,
                rest_exit_after: Nanos::from_millis(3_000),
            },
            position: Position {
                max_concurrent_positions: 5,
                max_total_notional: usd(100),
                max_notional_per_market: usd(50),
                leverage: 5,
                resync_interval: Nanos::from_secs(60),
                max_account_age: Nanos::from_secs(300),
                flatten_on_shutdown: true,
                risk_per_market: None,
            },
            time_stop: TimeStop {
                threshold: Nanos::from_millis(30_000),
                reduce_only_timeout: Nanos::from_millis(60_000),
                slippage: Bps::from_int(50),
            },
            mark_regression: MarkRegression {
                enabled: true,
                exit_threshold: Bps::from_int(5),
                check_interval: Nanos::from_millis(200),
                min_holding_time: Nanos::from_millis(1_000),
                slippage: Bps::from_int(50),
            },
            risk_monitor: RiskMonitor {
                max_consecutive_failures: 5,
                max_loss: usd(20),
                max_daily_loss: usd(50),
                max_flatten_failures: 3,
                window: Nanos::from_secs(3_600),
            },
            persistence: Persistence {
                data_dir: PathBuf::from("data/signals"),
                flush_interval: Nanos::from_secs(60),
            },
            dashboard: Dashboard {
                enabled: true,
                bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
                update_interval: Nanos::from_millis(100),
                max_connections: 10,
                token_file: None,
            },
            alerts: Alerts {
                enabled: false,
                format: AlertFormat::Json,
                url_file: None,
                telegram_chat_id: None,
                min_interval: Nanos::from_secs(60),
                max_per_hour: 30,
            },
            telemetry: Telemetry {
                log_level: LogLevel::Info,
                log_format: LogFormat::Text,
                latency_dir: PathBuf::from("data/latency"),
                latency_interval: Nanos::from_secs(10),
            },
            runtime: Runtime { hot_core: Core::Auto, cold_core: Core::Auto, busy_poll: true },
        }
    }
}
