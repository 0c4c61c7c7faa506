//! What must hold before and around trading: the key, one process a signer, HardStop across
//! restarts, and who may release it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hip3::executor::signer::Key;
use hip3::types::num::{Rate, Usd};
use hip3::venue::tcp::Server;
use hip3::venue::{AccountSettings, Address};

use crate::harness::{Running, lively_venue_with, output, start, write_config};
use crate::store_rows::{files, read_file};

/// A directory with a config that trades against a venue, and a key of its own.
struct Desk {
    dir: tempfile::TempDir,
    config: String,
    server: Server,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let key = dir.path().join("agent.key");
        // An agent of an account without funds: nothing is traded.
        let account = AccountSettings {
            address: Address([0xaa; 20]),
            deposit: Usd::ZERO,
            agents: vec![("test".to_owned(), write_key(&key, 0o600), None)],
            vault_of: None,
            referral_discount: Rate::ZERO,
        };
        let (server, _) = lively_venue_with(5, vec![account]);
        let path = write_config(dir.path(), &server);
        let text = fs::read_to_string(&path).expect("the config");
        let trading = format!(
            "mode = \"trading\"\n{text}\n[account]\n\
             user_address = \"{}\"\nkey_file = \"{}\"\n",
            Address([0xaa; 20]),
            key.display()
        );
        fs::write(&path, trading).expect("the config");
        Self { config: path.display().to_string(), server, dir }
    }

    fn run(&self, log: &str) -> Running {
        start(&["run", "--config", &self.config], &self.dir.path().join(log))
    }

    /// Starts a run and waits until it trades.
    fn running(&self, log: &str) -> Running {
        let mut run = self.run(log);
        let path = self.dir.path().join(log);
        run.wait_until("a connection", || {
            fs::read_to_string(&path).unwrap_or_default().contains("connected")
        });
        run
    }

    fn latch(&self) -> PathBuf {
        self.dir.path().join("signals/hard_stop.json")
    }

    fn set_latch(&self, text: &str) {
        fs::create_dir_all(self.dir.path().join("signals")).expect("a directory");
        fs::write(self.latch(), text).expect("a latch");
    }

    fn release(&self, reason: &str) -> (i32, String, String) {
        output(&["release", "--reason", reason, "--config", &self.config])
    }
}

const LOSS: &str = r#"{"hard_stop":1,"reasons":[{"reason":"Loss","since":"1795348800000000000"}]}"#;

/// A key made now, in a file of this mode; its address.
fn write_key(path: &Path, mode: u32) -> Address {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("randomness");
    bytes[0] = 1; // Below the group's order.
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(path, format!("0x{hex}\n")).expect("a key file");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode");
    Address(Key::from_hex(&hex).expect("a key").address().0)
}

#[test]
fn real_money_needs_the_word_live() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("config.toml");
    let user = "account.user_address = \"0x00000000000000000000000000000000000000aa\"";
    let data = dir.path().join("signals");
    let text = format!("mode = \"trading\"\n{user}\npersistence.data_dir = \"{}\"", data.display());
    fs::write(&path, text).expect("a config");
    let path = path.display().to_string();
    let (code, _, errors) = output(&["run", "--config", &path]);
    assert_eq!(code, 2);
    assert!(errors.contains("--live") && errors.contains("mainnet"), "{errors}");
    // With it, the next thing that is missing is the key.
    let (code, _, errors) = output(&["run", "--config", &path, "--live"]);
    assert_eq!(code, 2);
    assert!(errors.contains("HIP3_PRIVATE_KEY") && errors.contains("0600"), "{errors}");
    assert!(!data.exists(), "nothing was begun");
}

#[test]
fn a_key_that_others_can_read_is_refused_and_never_shown() {
    let desk = Desk::new();
    let key = desk.dir.path().join("agent.key");
    write_key(&key, 0o644);
    let text = fs::read_to_string(&key).expect("the key");
    let (code, out, errors) = output(&["run", "--config", &desk.config]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("0644") && errors.contains("account.key_file"), "{errors}");
    assert!(!errors.contains(&text[2..20]) && !out.contains(&text[2..20]), "never shown");
    assert!(!desk.dir.path().join("signals").exists(), "nothing was begun");
}

/// A1: a run whose signer acts for another account ends before it trades, and says who acts for whom.
#[test]
fn a_signer_of_another_account_is_refused_with_who_acts_for_whom() {
    let desk = Desk::new();
    let configured = Address([0xbb; 20]).to_string();
    let user = format!("account.user_address={configured}");
    let args = ["run", "--config", &desk.config, "--set", &user, "--duration", "60s"];
    let (code, _, errors) = output(&args);
    assert_eq!(code, 1, "{errors}");
    let real = format!("an agent of {}", Address([0xaa; 20]));
    for part in [configured.as_str(), &real, "account.user_address", "signer"] {
        assert!(errors.contains(part), "{part} is missing in {errors}");
    }
    assert!(!desk.latch().exists(), "the right config needs no release");
}

#[test]
fn a_second_process_of_one_signer_is_refused_until_the_first_is_gone_even_by_kill() {
    let desk = Desk::new();
    let first = desk.running("first");
    // The same key, another place for the records.
    let elsewhere = format!("persistence.data_dir={}", desk.dir.path().join("other").display());
    let second =
        || output(&["run", "--config", &desk.config, "--set", &elsewhere, "--duration", "1s"]);
    let (code, _, errors) = second();
    assert_eq!(code, 1, "{errors}");
    let pid = format!("process {}", first.pid());
    assert!(
        errors.contains(&pid) && errors.contains("hip3-0x") && errors.contains(".lock"),
        "{errors}"
    );
    first.kill();
    let (code, _, errors) = second();
    assert_eq!(code, 0, "{errors}");
}

#[test]
fn hard_stop_survives_restarts_and_kill_and_is_the_exit_code() {
    let desk = Desk::new();
    desk.set_latch(LOSS);
    desk.running("first").kill();
    let run = desk.running("second");
    let log = desk.dir.path().join("second");
    assert_eq!(run.terminate(), 4);
    let log = fs::read_to_string(log).expect("the log");
    assert!(log.contains("stopped by HardStop: Loss"), "{log}");
    assert_eq!(fs::read_to_string(desk.latch()).expect("the latch").trim(), LOSS);
}

#[test]
fn a_garbled_latch_stops_and_is_kept_aside() {
    let desk = Desk::new();
    desk.set_latch("{\"hard_stop\":1,\"reasons\":[{\"rea");
    assert_eq!(desk.running("log").terminate(), 4);
    let latch = fs::read_to_string(desk.latch()).expect("the latch");
    assert!(latch.contains("StateUnreadable"), "{latch}");
    let aside =
        fs::read_dir(desk.dir.path().join("signals")).expect("the directory").any(|entry| {
            entry.expect("an entry").file_name().to_string_lossy().contains("unreadable-")
        });
    assert!(aside, "what was there is kept");
    // And it is for the operator to say that all is well.
    let (code, table, errors) = desk.release("StateUnreadable");
    assert_eq!(code, 0, "{errors}");
    assert!(table.contains("StateUnreadable") && table.contains("released"), "{table}");
    assert_eq!(desk.running("again").terminate(), 0);
}

#[test]
fn release_changes_the_latch_of_an_engine_that_does_not_run() {
    let desk = Desk::new();
    let (code, out, _) = desk.release("all");
    assert_eq!((code, out.contains("no HardStop")), (0, true), "{out}");
    desk.set_latch(LOSS);
    let (code, out, _) = desk.release("ClockSkew");
    assert_eq!((code, out.contains("ClockSkew is not set")), (0, true), "{out}");
    assert!(fs::read_to_string(desk.latch()).expect("the latch").contains("Loss"));
    let (code, out, _) = desk.release("loss");
    assert_eq!(code, 0);
    let row = out.lines().find(|line| line.starts_with("Loss")).expect("a row");
    assert!(row.contains("set") && row.ends_with("released"), "{out}");
    let (code, out, _) = desk.release("all");
    assert_eq!((code, out.contains("not set")), (0, true), "{out}");
    let (code, _, errors) = desk.release("Reconnecting");
    assert_eq!((code, errors.contains("by the engine itself")), (2, true), "{errors}");
    let (code, _, errors) = desk.release("Weather");
    assert_eq!((code, errors.contains("PositionMismatch")), (2, true), "{errors}");
}

#[test]
fn release_asks_an_engine_that_runs() {
    let desk = Desk::new();
    desk.set_latch(LOSS);
    let run = desk.running("log");
    let (code, out, errors) = desk.release("Loss");
    assert_eq!(code, 0, "{errors}\n{}", run.log());
    let row = out.lines().find(|line| line.starts_with("Loss")).expect("a row");
    assert!(row.ends_with("released"), "{out}");
    assert_eq!(run.terminate(), 0, "and it does not hold at the end");
    let latch = fs::read_to_string(desk.latch()).expect("the latch");
    assert_eq!(latch.trim(), r#"{"hard_stop":1,"reasons":[]}"#);
}

#[test]
fn a_request_that_nobody_takes_up_is_taken_back() {
    let desk = Desk::new();
    desk.set_latch(LOSS);
    // One that only observes keeps no latch.
    let log = desk.dir.path().join("log");
    let mut run = start(&["run", "--config", &desk.config, "--mode", "observation"], &log);
    run.wait_until("a connection", || desk.server.stats().connections > 0);
    let (code, out, errors) = desk.release("Loss");
    assert_eq!(code, 1);
    assert!(errors.contains("not released"), "{errors}");
    assert!(out.lines().any(|line| line.starts_with("Loss") && line.ends_with("set")), "{out}");
    assert!(!desk.dir.path().join("signals/release.json").exists());
    assert_eq!(run.terminate(), 0, "observation knows no HardStop");
}

#[test]
fn preflight_says_no_go_and_why() {
    let desk = Desk::new();
    desk.set_latch(LOSS);
    let (code, out, errors) = output(&["preflight", "--config", &desk.config, "--json"]);
    assert_eq!(code, 3, "{errors}");
    let told: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(told["go"], false);
    let mark = |check: &str| {
        let checks = told["checks"].as_array().expect("a list");
        let line = checks.iter().find(|line| line["check"] == check);
        line.unwrap_or_else(|| panic!("no {check} in {out}"))["mark"].as_str().expect("a word")
    };
    for good in ["mode", "venue", "socket", "markets", "fees", "key", "signing", "lock", "records"]
    {
        assert_ne!(mark(good), "FAIL", "{good}: {out}");
    }
    assert_eq!(mark("hard stop"), "FAIL", "{out}");
    assert!(fs::read_to_string(desk.latch()).expect("the latch").contains("Loss"), "untouched");
    let key = fs::read_to_string(desk.dir.path().join("agent.key")).expect("the key");
    assert!(!out.contains(&key[2..20]) && !errors.contains(&key[2..20]), "never shown");

    // What concerns the account is not asked in observation; what is left is a go.
    let args = ["preflight", "--config", &desk.config, "--mode", "observation"];
    let (_, out, _) = output(&args);
    assert!(!out.contains("hard stop") && !out.contains("agent"), "{out}");
}

#[test]
fn a_demo_trades_agrees_with_the_venues_books_and_replays_to_the_same_orders() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (data, capture, replayed) = (path("signals"), path("capture.jsonl"), path("replayed"));
    // Whatever leaves the oracle is taken, however old its quote.
    let sets = [
        "risk.max_bbo_age_ms=off",
        "risk.max_ctx_age_ms=off",
        "risk.spread_shock_multiplier=1000",
        "risk.min_ewma_samples=1",
        "detector.taker_fee_bps=0",
        "detector.slippage_bps=0",
        "detector.min_edge_bps=0",
        "detector.min_book_notional=1",
        "detector.normal_book_notional=2",
        "risk_monitor.max_loss_usd=1000",
        "risk_monitor.max_consecutive_failures=1000",
        "risk_monitor.max_flatten_failures=1000",
        "runtime.hot_core=none",
        "runtime.cold_core=none",
        "dashboard.bind=127.0.0.1:0",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let demo = ["demo", "--mode", "trading", "--duration", "10s", "--seed", "3", "--json"];
    let places = ["--data-dir", &data, "--capture", &capture];
    let (code, out, errors) = output(&[&demo[..], &places, &sets].concat());
    assert_eq!(code, 0, "{errors}");
    let told: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let books = told["venue_books"].as_object().expect("the venue's books");
    assert!(books.len() >= 4, "{books:?}");
    assert!(books.values().all(|figure| figure["agrees"] == true), "{books:?}\n{errors}");
    let fills = told["trading"]["fills"].as_u64().expect("a count");
    assert!(fills >= 2, "it traded: {}", told["trading"]);

    let replay = ["replay", &capture, "--out", &replayed, "--mode", "trading"];
    let (code, _, errors) = output(&replay);
    assert_eq!(code, 0, "{errors}");
    let of_run = fs::read_dir(&replayed).expect("a directory").next().expect("a run");
    let rows = |dir: &Path| -> Vec<_> {
        let of_trading = |path: &PathBuf| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            name.starts_with("orders_") || name.starts_with("trades_")
        };
        files(dir).into_iter().filter(of_trading).map(|path| read_file(&path).rows).collect()
    };
    let (live, again) = (rows(Path::new(&data)), rows(&of_run.expect("an entry").path()));
    assert!(live.iter().map(Vec::len).sum::<usize>() >= 2, "orders were recorded");
    assert_eq!(live, again);

    // By default it is replayed as an observation, and says so.
    let (code, _, errors) = output(&["replay", &capture, "--out", &path("observed")]);
    assert_eq!(code, 0, "{errors}");
    assert!(errors.contains("captured in trading mode, replayed in observation mode"), "{errors}");
}
