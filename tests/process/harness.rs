//! A venue in this process, and the program in another.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hip3::types::time::VenueMs;
use hip3::venue::tcp::{Server, Serving, Tap};
use hip3::venue::{AccountSettings, Lag, Odds, Settings};

/// No step of any test takes longer, however loaded the machine is; past it the test fails instead
/// of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A venue of 30 markets whose makers are mostly late, and what it has served.
pub(crate) fn lively_venue(seed: u64) -> (Server, Tap) {
    lively_venue_with(seed, Vec::new())
}

/// The same with these accounts.
pub(crate) fn lively_venue_with(seed: u64, accounts: Vec<AccountSettings>) -> (Server, Tap) {
    lively_venue_of(seed, 0, accounts)
}

/// The same, with a clock that is so far ahead of ours.
pub(crate) fn lively_venue_ahead(seed: u64, ahead_ms: i64) -> (Server, Tap) {
    lively_venue_of(seed, ahead_ms, Vec::new())
}

fn lively_venue_of(seed: u64, ahead_ms: i64, accounts: Vec<AccountSettings>) -> (Server, Tap) {
    let tap = Tap::default();
    let lag = Lag { slow: Odds::one_in(2), surprised: Odds::one_in(1), ..Lag::default() };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let start = VenueMs(i64::try_from(since.as_millis()).expect("a time") + ahead_ms);
    let settings = Settings { seed, markets: 30, lag, start, accounts, ..Settings::default() };
    let server = Server::serve(settings, Serving { tap: Some(tap.clone()), ..Serving::default() })
        .expect("a free port");
    (server, tap)
}

/// A config that watches `server`, finds every quote past the oracle, and flushes each second.
pub(crate) fn write_config(dir: &Path, server: &Server) -> PathBuf {
    let path = dir.join("config.toml");
    let text = format!(
        r#"
        [venue]
        network = "custom"
        ws_url = "{}"
        rest_url = "{}"
        dexes = ["xyz"]
        [detector]
        taker_fee_bps = 0
        slippage_bps = 0
        min_edge_bps = 0
        min_book_notional = 1
        normal_book_notional = 2
        [persistence]
        data_dir = "{}"
        flush_interval_s = 1
        [dashboard]
        bind = "127.0.0.1:0"
        [telemetry]
        latency_dir = "{}"
        [runtime]
        hot_core = "none"
        cold_core = "none"
        busy_poll = false
        "#,
        server.ws_url(),
        server.rest_url(),
        dir.join("signals").display(),
        dir.join("latency").display(),
    );
    fs::write(&path, text).expect("a config");
    path
}

/// The program, with its standard error kept in `log`.
pub(crate) fn start(args: &[&str], log: &Path) -> Running {
    start_as(Command::new(env!("CARGO_BIN_EXE_hip3")).args(args), log)
}

/// The same by a command that ends up as the program.
pub(crate) fn start_as(command: &mut Command, log: &Path) -> Running {
    let file = File::options().create(true).append(true).open(log).expect("a log");
    let child = command
        .env_remove("HIP3_PRIVATE_KEY")
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("the log"))
        .stderr(file)
        .spawn()
        .expect("the program");
    Running { child, log: log.to_owned() }
}

/// A program that is killed, if need be, when the test ends.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Waits until `what` holds.
    pub(crate) fn wait_until(&mut self, name: &str, mut what: impl FnMut() -> bool) {
        let began = Instant::now();
        while !what() {
            let ended = self.child.try_wait().expect("its state");
            assert!(ended.is_none(), "it ended ({ended:?}) before {name}:\n{}", self.log());
            assert!(began.elapsed() < PATIENCE, "no {name} in {PATIENCE:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("to kill it");
        self.child.wait().expect("its end");
    }

    /// Asks it to stop in order, as a service manager does, and returns its exit code.
    pub(crate) fn terminate(self) -> i32 {
        // The shell's own `kill`: the program of that name is not on every machine.
        let done = Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", self.child.id())])
            .status()
            .expect("a shell");
        assert!(done.success());
        self.end()
    }

    /// Waits for its end and returns its exit code.
    pub(crate) fn end(mut self) -> i32 {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return status.code().expect("an exit, not a signal");
            }
            assert!(began.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whatever the test did not end itself; an error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// Runs the program to its end: exit code, standard output, standard error.
pub(crate) fn output(args: &[&str]) -> (i32, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_hip3"))
        .args(args)
        .env_remove("HIP3_PRIVATE_KEY")
        .stdin(Stdio::null())
        .output()
        .expect("the program");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (done.status.code().expect("an exit code"), text(&done.stdout), text(&done.stderr))
}
