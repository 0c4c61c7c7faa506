//! A whole run over TLS, REST and socket: it trades where the certificate is good, and where it is not
//! it says why, tells the other side nothing, and goes on trying within its bounds.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod certificates;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hip3::account::Reader;
use hip3::executor::signer::Key;
use hip3::runtime::host::{Options, Outcome, run};
use hip3::telemetry::{self, Screen};
use hip3::types::config::{Config, Core, LogLevel, Network};
use hip3::types::latency::Stage;
use hip3::types::num::{Bps, Rate, Usd};
use hip3::types::record::Mode;
use hip3::types::time::{Nanos, VenueMs};
use hip3::venue::tcp::{Server, Stats};
use hip3::venue::{AccountSettings, Address, Books, Lag, Odds, Settings, Venue};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::certificates::{Authority, Flaw};

const ACCOUNT: Address = Address([0xaa; 20]);

/// How a front treats whoever connects.
#[derive(Clone)]
enum Temper {
    /// Speaks TLS, and passes on what it hears.
    Tls(Arc<ServerConfig>),
    /// Passes on what it hears as it is.
    Plain,
    /// Hears the hello, and hangs up.
    HangsUp,
}

/// Stands between a client and a venue.
struct DashboardSetup {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    /// What clients said, as a venue would have read it.
    heard: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl DashboardSetup {
    fn start(temper: Temper, venue: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, connections) = (Arc::default(), Arc::<AtomicUsize>::default());
        let (stopped, count): (Arc<AtomicBool>, _) = (Arc::clone(&stop), Arc::clone(&connections));
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let ears = Arc::clone(&heard);
        let thread = std::thread::spawn(move || {
            let mut threads = Vec::new();
            while let Ok((tcp, _)) = listener.accept() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let (temper, stopped) = (temper.clone(), Arc::clone(&stopped));
                let ears = Arc::clone(&ears);
                let serve = move || serve(temper, tcp, venue, &stopped, &ears);
                threads.push(std::thread::spawn(serve));
            }
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        Self { address, stop, connections, heard, thread: Some(thread) }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for DashboardSetup {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // Wakes it.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    temper: Temper,
    mut tcp: TcpStream,
    venue: SocketAddr,
    stop: &AtomicBool,
    heard: &Mutex<Vec<u8>>,
) {
    tcp.set_nodelay(true).unwrap();
    match temper {
        Temper::HangsUp => {
            let _ = tcp.read(&mut [0; 4096]);
        }
        Temper::Plain => {
            let reads = tcp.try_clone().unwrap();
            pass(tcp, &reads, venue, stop, heard);
        }
        Temper::Tls(config) => {
            let reads = tcp.try_clone().unwrap();
            let client = StreamOwned::new(ServerConnection::new(config).unwrap(), tcp);
            pass(client, &reads, venue, stop, heard);
        }
    }
}

/// Passes bytes on, both ways, until one side is gone.
fn pass(
    mut client: impl Read + Write,
    socket: &TcpStream,
    venue: SocketAddr,
    stop: &AtomicBool,
    heard: &Mutex<Vec<u8>>,
) {
    // The venue is not troubled before there is something to tell it.
    let mut server: Option<TcpStream> = None;
    socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    let mut bytes = vec![0; 64 * 1024];
    let idle = |kind| matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut);
    while !stop.load(Ordering::SeqCst) {
        match client.read(&mut bytes) {
            Ok(0) => return,
            Ok(read) => {
                heard.lock().unwrap().extend_from_slice(&bytes[..read]);
                let server = server.get_or_insert_with(|| {
                    let tcp = TcpStream::connect(venue).unwrap();
                    tcp.set_nodelay(true).unwrap();
                    tcp.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
                    tcp
                });
                if server.write_all(&bytes[..read]).is_err() {
                    return;
                }
            }
            Err(error) if idle(error.kind()) => {}
            Err(_) => return,
        }
        let Some(server) = &mut server else { continue };
        match server.read(&mut bytes) {
            Ok(0) => return,
            Ok(read) => {
                if client.write_all(&bytes[..read]).is_err() || client.flush().is_err() {
                    return;
                }
            }
            Err(error) if idle(error.kind()) => {}
            Err(_) => return,
        }
    }
}

/// One log for all tests of a process.
static SCREEN: LazyLock<Screen> = LazyLock::new(|| {
    let mut settings = Config::default().telemetry;
    settings.log_level = LogLevel::Warn;
    telemetry::init(&settings, false).expect("the first log")
});

fn venue(agent: Option<Address>) -> Server {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let agents = agent.map(|agent| ("test".to_owned(), agent, None));
    let account = AccountSettings {
        address: ACCOUNT,
        deposit: Usd::from_units(1_000_000_000),
        agents: agents.into_iter().collect(),
        vault_of: None,
        referral_discount: Rate::ZERO,
    };
    let settings = Settings {
        seed: 5,
        markets: 30,
        start: VenueMs(i64::try_from(since.as_millis()).unwrap()),
        lag: Lag { slow: Odds::one_in(2), surprised: Odds::one_in(1), ..Lag::default() },
        accounts: vec![account],
        ..Settings::default()
    };
    Server::start(settings, 0).unwrap()
}

/// A config that knows the venue by `front`, and finds every quote past the oracle.
fn config(front: &DashboardSetup, dir: &Path) -> Config {
    let mut config = Config::default();
    let port = front.address.port();
    config.venue.network = Network::Custom;
    config.venue.ws_url = format!("wss://localhost:{port}/ws");
    config.venue.rest_url = format!("https://localhost:{port}");
    config.account.user_address = Some(ACCOUNT.to_string());
    config.risk.max_bbo_age = None;
    config.risk.max_ctx_age = None;
    config.risk.min_ewma_samples = 1;
    config.detector.min_edge = Bps::default();
    config.detector.slippage = Bps::default();
    config.detector.min_book_notional = Usd::from_units(1_000_000);
    config.detector.normal_book_notional = Usd::from_units(2_000_000);
    config.mark_regression.enabled = false;
    config.time_stop.threshold = Nanos::from_millis(500);
    config.persistence.data_dir = dir.join("signals");
    config.dashboard.bind.set_port(0);
    config.telemetry.latency_dir = dir.join("latency");
    config.runtime.busy_poll = false;
    config.runtime.hot_core = Core::None;
    config.runtime.cold_core = Core::None;
    config
}

fn books(server: &Server) -> Books {
    let (tell, told) = mpsc::sync_channel(1);
    let look = move |venue: &mut Venue, _| drop(tell.send(venue.books(ACCOUNT)));
    server.act(look).unwrap();
    told.recv_timeout(Duration::from_secs(30)).unwrap().unwrap()
}

#[test]
fn orders_go_over_tls_and_the_books_agree() {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap();
    bytes[0] = 1; // Below the group's order.
    let key = Key::from_bytes(&bytes).unwrap();
    let server = venue(Some(Address(key.address().0)));
    let authority = Authority::new();
    let front =
        DashboardSetup::start(Temper::Tls(authority.server("localhost", None)), server.addr());
    let dir = tempfile::tempdir().unwrap();
    let config = Config { mode: Mode::Trading, ..config(&front, dir.path()) };
    let options = Options {
        duration: Some(Nanos::from_secs(10)),
        key: Some(key),
        authority: Some(authority.der()),
        ..Options::default()
    };
    let Outcome { report, latency, .. } = run(&config, options, &SCREEN).unwrap();
    let (ours, books) = (report.status.trading, books(&server));
    assert!(ours.trades.iter().sum::<u64>() >= 1, "it traded: {ours:?}");
    assert_eq!((ours.positions, ours.fills), (0, books.fills), "{books:?}");
    assert_eq!(books.positions, []);
    assert_eq!((ours.gross, ours.fees), (books.closed_pnl, books.fees));
    let on_the_way = [Stage::Parse, Stage::Decide, Stage::Sign, Stage::Send, Stage::TickToOrder];
    for stage in [&on_the_way[..], &[Stage::RingLag, Stage::OrderRtt, Stage::Turn]].concat() {
        assert!(latency.of(stage).count > 0, "{} was measured", stage.name());
    }
    let dump = std::fs::read_dir(dir.path().join("latency")).unwrap().next().unwrap().unwrap();
    let (dumped, broken) = telemetry::dumps::read(&dump.path()).unwrap();
    let turns = dumped.iter().filter(|one| one.tag.as_deref() == Some("turn"));
    let counted: u64 = turns.map(|one| one.counts.len()).sum();
    assert_eq!((counted, broken), (latency.of(Stage::Turn).count, 0), "and dumped");
    assert!(front.connections() >= 2, "the socket and REST");
    assert!(!front.heard.lock().unwrap().is_empty(), "nobody else knows where the venue is");
}

/// A run of a few seconds against a front of this temper: nothing comes through, whatever was tried.
fn refused(temper: Temper, authority: Option<&Authority>, words: &[&str]) {
    let server = venue(None);
    let plain = matches!(temper, Temper::Plain);
    let front = DashboardSetup::start(temper, server.addr());
    let heard = Arc::clone(&front.heard);
    let dir = tempfile::tempdir().unwrap();
    let config = config(&front, dir.path());
    let mut reader = match authority {
        Some(authority) => Reader::trusting(&config.venue, &config.account, &authority.der()),
        None => Reader::new(&config.venue, &config.account),
    };
    let error = reader.read_universe().unwrap_err().to_string();
    assert!(words.iter().any(|word| error.contains(word)), "{error}");
    let run = |config: &Config, seconds| {
        let before = front.connections();
        let options = Options {
            duration: Some(Nanos::from_secs(seconds)),
            authority: authority.map(Authority::der),
            ..Options::default()
        };
        let status = run(config, options, &SCREEN).unwrap().report.status;
        assert_eq!((status.connects, status.frames), (0, 0), "{status:?}");
        assert!(!status.trading.ready.all(), "{status:?}");
        // Tried again, and not in a storm.
        let tries = front.connections() - before;
        assert!((2..=12).contains(&tries), "{tries} tries");
        status
    };
    // Without a reading there is nothing to subscribe to, so that the socket is not even tried.
    // It is read again after five seconds.
    assert_eq!(run(&config, 7).markets, 0);
    if !plain {
        assert_eq!(server.stats(), Stats::default(), "nothing was said to the venue");
    }
    let mut config = config;
    config.venue.rest_url = server.rest_url();
    assert!(run(&config, 4).markets > 0, "REST was good this time");
    drop(front);
    assert_eq!(server.stats().connections, 0, "no handshake came through");
    let heard = heard.lock().unwrap();
    assert_eq!(heard.is_empty(), !plain, "a hello is all that is said without TLS");
    for word in ["POST", "GET", "perpDexs", "subscribe"] {
        let word = word.as_bytes();
        assert!(!heard.windows(word.len()).any(|said| said == word), "{heard:?}");
    }
}

fn refused_for(flaw: Flaw, words: &[&str]) {
    let authority = Authority::new();
    refused(Temper::Tls(authority.server("localhost", Some(flaw))), Some(&authority), words);
}

#[test]
fn an_expired_certificate_is_refused() {
    refused_for(Flaw::Expired, &["certificate expired"]);
}

#[test]
fn a_certificate_of_another_name_is_refused() {
    refused_for(Flaw::WrongName, &["not valid for name"]);
}

#[test]
fn a_certificate_that_somebody_unknown_signed_is_refused() {
    refused_for(Flaw::UnknownAuthority, &["UnknownIssuer"]);
}

#[test]
fn a_certificate_that_nobody_else_signed_is_refused() {
    refused_for(Flaw::SelfSigned, &["invalid peer certificate"]);
}

#[test]
fn an_authority_that_the_web_does_not_know_is_refused_by_default() {
    let authority = Authority::new();
    let temper = Temper::Tls(authority.server("localhost", None));
    refused(temper, None, &["UnknownIssuer"]);
}

#[test]
fn a_server_that_hangs_up_in_mid_handshake_is_refused() {
    refused(Temper::HangsUp, None, &["unexpected end of file", "reset"]);
}

#[test]
fn plain_http_where_tls_belongs_is_refused_and_told_nothing() {
    // The venue itself, which speaks no TLS: it answers a hello with 400.
    refused(Temper::Plain, None, &["corrupt message"]);
}

/// As its user meets it: the built program, which trusts what the web trusts.
#[test]
fn the_program_says_why_it_does_not_connect() {
    let server = venue(None);
    let authority = Authority::new();
    let front =
        DashboardSetup::start(Temper::Tls(authority.server("localhost", None)), server.addr());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    let bad = config(&front, dir.path());
    let mut bad_socket = bad.clone();
    bad_socket.venue.rest_url = server.rest_url();
    for (config, what) in [(bad, "the venue could not be read"), (bad_socket, "link ended with")] {
        std::fs::write(&path, config.to_toml()).unwrap();
        let done = Command::new(env!("CARGO_BIN_EXE_hip3"))
            .args(["run", "--duration", "3s", "--config"])
            .arg(&path)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let errors = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(0), "{errors}");
        let said = errors.lines().any(|l| l.contains(what) && l.contains("UnknownIssuer"));
        assert!(said, "{errors}");
    }
    drop(front);
    assert_eq!(server.stats().connections, 0);
}
