//! A live run: makes the threads, connects them by rings, and waits for their end.

use std::io;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use rustls::RootCertStore;
use tracing::{error, info, warn};

use crate::account;
use crate::alerts::{AlertEvent, Alerts, Ended, Sender};
use crate::engine::Engine;
use crate::executor::signer::{Address, Key};
use crate::persistence::{RunInfo, Store, StoreError, Summary};
use crate::runtime::capture::{self, Header};
use crate::runtime::cold::{AgentExpiryCheck, Lag, Run, Watched, desk, recorder, report};
use crate::runtime::front::{DashboardError, DashboardSetup};
use crate::runtime::hot::{self, HOT_STAGES, Hot, KeeperRings, Rings};
use crate::runtime::latch::{Keeper, LatchFile};
use crate::runtime::link::{Endpoint, EndpointError, tls_config, tls_config_with};
use crate::runtime::meter::{Collector, Measured};
use crate::runtime::os::{
    self, AlertUrlError, Clock, Locking, Pinning, Service, Signals, load_alert_url, lock_memory,
    pin,
};
use crate::runtime::presigner::presign;
use crate::runtime::publish::publisher;
use crate::runtime::ring::ring;
use crate::runtime::tally::Tally;
use crate::runtime::wallet::{Presigning, TradingIdentity, WalletError};
use crate::telemetry::dumps::Dumps;
use crate::telemetry::{self, Screen};
use crate::types::account::{Role, SignerStanding};
use crate::types::config::{Config, Core};
use crate::types::hard_stop::HardStop;
use crate::types::latency::Stage;
use crate::types::losses::Losses;
use crate::types::record::{FEE_SIDES, Mode};
use crate::types::time::{DAY_NS, Nanos};

/// Rows that may wait for the recorder: minutes of a wild market.
const ROWS: usize = 1 << 16;
/// Notes that may wait for the log.
const LOG_EVENTS: usize = 1 << 12;
/// Amounts won and lost that may wait for their file.
const LOSSES: usize = 1 << 12;
/// Things heard that may wait for the capture's disk.
const CAPTURED: usize = 1 << 14;

/// What a run is asked beside its config.
#[derive(Debug, Default)]
pub struct Options {
    /// Stop by itself after this.
    pub duration: Option<Nanos>,
    /// Write everything the engine hears to this file.
    pub capture: Option<PathBuf>,
    /// Sign with this key, and look for none; only of use in trading.
    pub key: Option<Key>,
    /// Trust this authority (its certificate, DER) and nobody else, in place of the web's. No command
    /// line sets it: it is for venues that sign their own certificates, as tests have them.
    pub authority: Option<Vec<u8>>,
    /// Serve the dashboard on any free port if its own is taken.
    pub any_port: bool,
}

/// What a run was like.
#[derive(Debug)]
pub struct Outcome {
    /// Its id.
    pub run_id: String,
    /// The loop.
    pub report: hot::Report,
    /// How long the stages took.
    pub latency: Measured,
    /// Result of pinning the hot thread.
    pub pinning: Pinning,
    /// The files.
    pub records: Summary,
    /// The rows, counted.
    pub tally: Tally,
    /// Lines captured, or why the capture broke off, if one was asked for.
    pub captured: Option<Result<u64, RunError>>,
}

/// Why a run could not begin, or did not end in order.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The venue's URL.
    #[error("venue.ws_url: {0}")]
    Endpoint(#[from] EndpointError),
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The records.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing can be signed: the key, its lock, or whom to act for. No key is shown.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The venue does not let the key sign for the account: nothing was done.
    #[error(
        "the signer {signer} may not act for account.user_address {account}: to the venue it is {role}; \
         nothing was opened. Approve it as an agent of that account, or set the account that it signs for"
    )]
    Signer {
        /// The key's address.
        signer: Address,
        /// The configured account.
        account: String,
        /// What the venue says of it.
        role: Role,
    },
    /// The dashboard's address or token.
    #[error(transparent)]
    Dashboard(#[from] DashboardError),
    /// Alerts are wanted, and there is no URL to send them to. None is shown.
    #[error(transparent)]
    Alerts(#[from] AlertUrlError),
    /// A capture is never written over another file.
    #[error("capture {0}: expected the name of a file that does not exist yet")]
    CaptureExists(PathBuf),
    /// The capture file.
    #[error("capture {path}: {source}")]
    SampleStatus {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The system refused something.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// A thread died. What was recorded until then is in the files or in the journal.
    #[error("the {0} thread died; what it recorded is kept")]
    Died(&'static str),
}

/// Runs until SIGINT, SIGTERM, SIGHUP, or the end of the duration. The log goes to `screen`, and alerts to
/// whom the config names.
pub fn run(config: &Config, options: Options, screen: &Screen) -> Result<Outcome, RunError> {
    let mut alerts = match config.alerts.enabled {
        true => {
            let address = load_alert_url(&config.alerts)?;
            info!(host = address.host(), "alerts are on");
            let sender = Sender { run_id: String::new(), mode: config.mode, host: os::host_name() };
            Alerts::new(&config.alerts, address, sender)
        }
        false => Alerts::off(),
    };
    let outcome = run_alerting(config, options, screen, &mut alerts);
    alerts.sender().send(AlertEvent::Ended(ended(config.mode, &outcome)));
    alerts.finish();
    outcome
}

/// The end of a run, as alerts tell it.
fn ended(mode: Mode, outcome: &Result<Outcome, RunError>) -> Ended {
    let trading = outcome.as_ref().map(|outcome| outcome.report.status.trading);
    let trading = trading.unwrap_or_default();
    Ended {
        trading: mode == Mode::Trading,
        error: outcome.as_ref().err().map(ToString::to_string),
        hard_stop: trading.hard_stop,
        trades: trading.trades.iter().sum(),
        net: trading.gross.saturating_sub(trading.fees),
    }
}

fn run_alerting(
    config: &Config,
    options: Options,
    screen: &Screen,
    alerts: &mut Alerts,
) -> Result<Outcome, RunError> {
    let alert_sender = alerts.sender();
    let system = |doing| move |source| RunError::System { doing, source };
    let endpoint = Endpoint::parse(&config.venue.ws_url)?;
    let tls = match &options.authority {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.clone().into())?;
            tls_config_with(roots)?
        }
        None => tls_config()?,
    };
    let signals = Signals::install().map_err(system("handle signals"))?;
    // Before anything is written: without its key, or beside another process of the same signer,
    // a run must not begin.
    let made = options.key.is_some();
    let armed = match config.mode {
        Mode::Trading => Some(TradingIdentity::new(config, options.key)?),
        Mode::Observation => None,
    };
    let front = DashboardSetup::new(&config.dashboard, options.any_port)?;
    let mut clock = Clock::new();
    let began = clock.now().wall;
    let run_id = os::run_id(began, process::id());
    let first_id = os::first_id(began);
    let seed = first_id ^ u64::from(process::id());

    let run = RunInfo {
        run_id: run_id.clone(),
        git_commit: os::GIT_COMMIT.to_owned(),
        config_hash: config.hash(),
        started_at: began,
        mode: config.mode,
        entry_latencies_ms: config.detector.entry_latencies_ms.clone(),
        slippage_bps: Some(config.detector.slippage),
        fee_sides: FEE_SIDES,
    };
    // The capture first: once the store is open, a failed start would leave a run cut short.
    let (tap, capture) = match &options.capture {
        Some(path) => {
            let header = Header::new(&run_id, first_id, seed, config.to_toml());
            let header = match config.mode {
                Mode::Trading => header.asking_signer_role(),
                Mode::Observation => header,
            };
            let created = capture::create(path, &header, CAPTURED);
            let (tap, writer) = created.map_err(|source| match source.kind() {
                io::ErrorKind::AlreadyExists => RunError::CaptureExists(path.clone()),
                _ => RunError::SampleStatus { path: path.clone(), source },
            })?;
            (Some(tap), Some(writer))
        }
        None => (None, None),
    };
    let (store, recovery) = Store::open(&config.persistence.data_dir, run, began)?;

    let (rows, to_recorder) = ring(ROWS);
    let (log_events, to_log) = ring(LOG_EVENTS);
    let (statuses, to_display) = ring(64);
    let (requests, to_desk) = ring(64);
    let (to_hot, replies) = ring(64);
    let (keeper_rings, keeper) = match config.mode {
        // A key that was made for this run is nobody's: its HardStop is no other run's business.
        Mode::Trading if !made => {
            let (latches, to_keeper) = ring(16);
            let (to_hot, commands) = ring(16);
            let (losses, entries) = ring(LOSSES);
            let file = LatchFile::new(&config.persistence.data_dir);
            let keeper = Keeper::new(file, to_keeper, to_hot).with_alerts(alert_sender.clone());
            (Some(KeeperRings { latches, losses, commands }), Some((keeper, entries)))
        }
        Mode::Trading | Mode::Observation => (None, None),
    };
    let (shown, front) = match front {
        Some(front) => {
            let (publisher, receiver) = publisher(config.dashboard.update_interval);
            (Some(publisher), Some((front, receiver)))
        }
        None => (None, None),
    };
    let rings = Rings {
        rows,
        log_events,
        statuses,
        requests,
        replies,
        keeper: keeper_rings,
        publisher: shown,
    };

    info!(
        run_id,
        version = os::version(),
        mode = config.mode.name(),
        ws_url = config.venue.ws_url,
        data_dir = %config.persistence.data_dir.display(),
        "starting"
    );
    tell_recovery(&recovery);
    if !signals.ignored().is_empty() {
        info!(signals = signals.ignored().join(", "), "ignored at the start, and so they stay");
    }
    for warning in config.warnings() {
        warn!("config: {warning}");
    }

    match lock_memory() {
        Locking::Failed(reason) => warn!(reason, "memory is not locked"),
        locking => info!("{locking}"),
    }

    // The hot thread pins itself first, so that the cold ones can keep away from its core. It says
    // where it runs before it begins to.
    let watched = Arc::new(Watched::default());
    let ended = Arc::new(AtomicBool::new(false));
    let mut began_with = HardStop::default();
    let mut agent_look = None;
    let (mut signer, mut losses_before) = (None, Losses::default());
    let (engine, presigning, _lock) = match armed {
        Some(armed) => {
            info!(signer = %armed.signer(), key = %armed.origin, account = armed.wallet.user, "trading");
            // The store is ours by now, and with it the directory.
            let file = LatchFile::new(&config.persistence.data_dir);
            let (latch, losses) = match made {
                true => (HardStop::default(), Losses::default()),
                false => {
                    let mut latch = file.load(began);
                    let losses = file.load_losses(began, &mut latch);
                    (latch, losses)
                }
            };
            if latch.active() {
                warn!(reasons = %latch, "HardStop holds from a run before: no entries");
            }
            began_with = latch;
            signer = Some(armed.signer());
            losses_before = losses.clone();
            if let Some(user) = &config.account.user_address {
                agent_look =
                    AgentExpiryCheck::new(user, &armed.signer().to_string(), &alert_sender);
            }
            let TradingIdentity { wallet, presigning, lock, .. } = armed;
            let mut engine = Engine::trading(config, first_id, seed, wallet, latch);
            engine.restore_trades(store.recorded().clone());
            engine.continue_losses(losses);
            (engine, presigning, Some(lock))
        }
        None => (Engine::new(config, first_id, seed), None, None),
    };
    alert_sender.send(AlertEvent::Began {
        run_id: run_id.clone(),
        mode: config.mode,
        hard_stop: began_with,
    });
    let (seen, hot_ended) = (Arc::clone(&watched), Arc::clone(&ended));
    let settings = hot::Settings {
        endpoint: endpoint.clone(),
        tls,
        busy_poll: config.runtime.busy_poll,
        duration: options.duration,
        watched: Arc::clone(&watched),
        ended: Arc::clone(&ended),
    };
    let hot_core = config.runtime.hot_core;
    let origin = clock.now();
    let mut collector = Collector::new(origin.mono, config.telemetry.latency_interval);
    let hot_meter = collector.meter(&HOT_STAGES).map_err(system("measure"))?;
    let lag_meter = collector.meter(&[Stage::RingLag]).map_err(system("measure"))?;
    let (mut cold_clock, desk_clock) = (clock.clone(), clock.clone());
    let (pinned, pinnings) = mpsc::sync_channel(1);
    let hot = thread::Builder::new()
        .name("hip3-hot".to_owned())
        .spawn(move || {
            let pinning = pin(hot_core, None);
            // The receiver waits for this; if it is gone, so is the program.
            let _ = pinned.send(pinning);
            let hot = Hot::new(settings, engine, clock, rings, tap, hot_meter)?;
            hot.run(move || signals.stop_requested())
        })
        .map_err(system("start the hot thread"))?;
    let pinning = pinnings.recv().map_err(|_| RunError::Died("hot"))?;
    match &pinning {
        Pinning::Failed(reason) => warn!(reason, "the hot thread is not pinned"),
        pinning => info!(busy_poll = config.runtime.busy_poll, "hot thread {pinning}"),
    }

    // The cold threads inherit the core of this one.
    let cold_core = config.runtime.cold_core;
    match pinning.core() {
        Some(hot) if cold_core == Core::Index(hot as u32) => {
            warn!(core = hot, "the cold threads are not pinned: the hot thread has that core");
        }
        None if cold_core == Core::Auto => {} // Nothing to keep away from.
        avoid => match pin(cold_core, avoid) {
            Pinning::Failed(reason) => warn!(reason, "the cold threads are not pinned"),
            pinning => info!("cold threads {pinning}"),
        },
    }
    alerts.begin().map_err(system("start the alerts thread"))?;
    let to_alerts = alert_sender.clone();
    let log = telemetry::spawn(screen.clone(), to_log, to_display, move |told| {
        to_alerts.log_event(&told.event);
    })
    .map_err(system("start the log thread"))?;
    let reader = match &options.authority {
        Some(authority) => account::Reader::trusting(&config.venue, &config.account, authority),
        None => account::Reader::new(&config.venue, &config.account),
    };
    let desk = thread::Builder::new()
        .name("hip3-desk".to_owned())
        .spawn(move || desk(reader, signer, &endpoint, desk_clock, to_desk, to_hot, agent_look))
        .map_err(system("start the desk thread"))?;
    let losses_span = config.risk_monitor.window.max(Nanos(DAY_NS.unsigned_abs()));
    let keeper = keeper
        .map(|(keeper, entries)| {
            let keeper = keeper.counting(entries, losses_before, losses_span);
            let keeper = move || keeper.run();
            thread::Builder::new().name("hip3-keeper".to_owned()).spawn(keeper)
        })
        .transpose()
        .map_err(system("start the keeper thread"))?;
    let presigner = presigning
        .map(|Presigning { presigner, ring }| {
            let presign = move || presign(presigner, ring);
            thread::Builder::new().name("hip3-presigner".to_owned()).spawn(presign)
        })
        .transpose()
        .map_err(system("start the presigner thread"))?;
    let (dashboard, measured) = front
        .map(|(front, receiver)| front.start(config, &run_id, receiver))
        .transpose()
        .map_err(system("start the dashboard thread"))?
        .unzip();
    let mut dumps = Dumps::new(&config.telemetry.latency_dir, &run_id);
    let collector = thread::Builder::new()
        .name("hip3-meter".to_owned())
        .spawn(move || {
            let mut failing = false;
            collector.run(|closed| {
                // A dashboard that is behind hears of the next one.
                let _ =
                    measured.as_ref().map(|m| m.try_send((closed.stage.name(), closed.overall)));
                let began = origin.wall.plus(closed.began.since(origin.mono));
                let lasted = closed.ended.since(closed.began);
                let dumped = dumps.append(closed.stage, began, lasted, closed.counts);
                if let (Err(error), false) = (&dumped, failing) {
                    warn!(%error, "latency cannot be dumped");
                }
                if failing && dumped.is_ok() {
                    info!("latency is dumped again");
                }
                failing = dumped.is_err();
            })
        })
        .map_err(system("start the meter thread"))?;
    let flush_interval = config.persistence.flush_interval;
    let stored = alert_sender.clone();
    let recorder = thread::Builder::new()
        .name("hip3-recorder".to_owned())
        .spawn(move || {
            let mut tally = Tally::default();
            let lag = Lag { meter: lag_meter, clock: &mut cold_clock };
            let count = |row: &_| tally.count(row);
            let run = Run { watched: &watched, ended: &ended, alerts: &stored };
            recorder(store, to_recorder, flush_interval, &run, lag, count)
                .map(|summary| (summary, tally))
        })
        .map_err(system("start the recorder thread"))?;
    let capture = capture
        .map(|writer| {
            let path = writer.path().to_owned();
            thread::Builder::new()
                .name("hip3-capture".to_owned())
                .spawn(move || {
                    // The run goes on without it, so it is told when it happens.
                    writer.run().inspect_err(|error| error!(%error, "the capture broke off"))
                })
                .map(|thread| (path, thread))
        })
        .transpose()
        .map_err(system("start the capture thread"))?;

    let done = Arc::new(AtomicBool::new(false));
    let service = Service::find()
        .map(|service| {
            info!(watchdog = ?service.watchdog(), "the service manager is told how it goes");
            let (seen, done) = (Arc::clone(&seen), Arc::clone(&done));
            let ended = Arc::clone(&hot_ended);
            thread::Builder::new()
                .name("hip3-service".to_owned())
                .spawn(move || report(&service, &seen, &ended, &done))
        })
        .transpose()
        .map_err(system("start the service thread"))?;

    // The end of the hot thread closes the rings, and with them the others.
    let report = hot.join().map_err(|_| RunError::Died("hot"));
    let records = recorder.join().map_err(|_| RunError::Died("recorder"));
    let captured = capture.map(|(path, thread)| match thread.join() {
        Ok(Ok(lines)) => Ok(lines),
        Ok(Err(source)) => Err(RunError::SampleStatus { path, source }),
        Err(_) => Err(RunError::Died("capture")),
    });
    // The desk may be in the middle of a slow question. It holds nothing that must be kept.
    drop(desk);
    done.store(true, Ordering::Release);
    if let Some(service) = service {
        service.thread().unpark();
        let _ = service.join(); // It keeps nothing.
    }
    // All are waited for before any is judged: the keeper may still be writing, and the presigner's
    // copy of the key is wiped at its end.
    let log = log.join().map_err(|_| RunError::Died("log"));
    let latency = collector.join().map_err(|_| RunError::Died("meter"));
    match dashboard.map(JoinHandle::join) {
        // It decides nothing and keeps nothing: the run was none the worse for it.
        Some(Ok(Err(error))) => error!(%error, "the dashboard broke off"),
        Some(Err(_)) => error!("the dashboard thread died"),
        Some(Ok(Ok(()))) | None => {}
    }
    let presigner =
        presigner.map(|presigner| presigner.join().map_err(|_| RunError::Died("presigner")));
    let kept = keeper.map(|keeper| keeper.join().map_err(|_| RunError::Died("keeper")));
    let kept = kept.transpose()?.transpose().map_err(system("keep HardStop for the next run"));
    if let (Err(_), Ok(Err(error))) = (&kept, &records) {
        // One of them is the program's last word; the other must be told all the same.
        error!(%error, "the records are not complete");
    }
    kept?;
    log?;
    presigner.transpose()?;
    let report = report?.map_err(system("wait for sockets"))?;
    let (records, tally) = records??;
    let records = records.ok_or(RunError::Died("hot"))?;
    if let Some(name) = report.abandoned_by {
        return Err(RunError::Died(name));
    }
    if let (SignerStanding::NotOurs(role), Some(signer), true) =
        (report.status.trading.signer, signer, report.refused)
    {
        let account = config.account.user_address.clone().unwrap_or_default();
        return Err(RunError::Signer { signer, account, role });
    }
    let latency = latency?;
    Ok(Outcome { run_id, report, latency, pinning, records, tally, captured })
}

fn tell_recovery(recovery: &crate::persistence::Recovery) {
    for warning in &recovery.warnings {
        warn!("{warning}");
    }
    if recovery.rows_recovered + recovery.rows_settled > 0 {
        info!(
            rows_recovered = recovery.rows_recovered,
            rows_settled = recovery.rows_settled,
            "the run before did not end in order: its records are complete now"
        );
    }
}
