//! An account at the simulated venue, and a config that trades for it with a key made now.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hip3::executor::signer::Key;
use hip3::types::num::{Rate, Usd};
use hip3::types::time::VenueMs;
use hip3::venue::tcp::Server;
use hip3::venue::{AccountSettings, Address, Books, Lag, Limits, Odds, Settings};

use crate::harness::write_config;
use crate::store_rows::{files, read_file};

pub(crate) const ACCOUNT: Address = Address([0xaa; 20]);

/// Keys of every market that may be traded on: no gate is in the way, whatever the machine's load.
pub(crate) const LOOSE: &str = "[risk]\nmax_bbo_age_ms = \"off\"\nmax_ctx_age_ms = \"off\"\n\
                                spread_shock_multiplier = 1000\nmin_ewma_samples = 1\n";

/// A venue with an account, and a directory with a config that trades for it.
pub(crate) struct Funded {
    pub(crate) server: Server,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) config: String,
}

impl Funded {
    /// A venue of `seed`, and a config with `more` at its end.
    pub(crate) fn new(seed: u64, more: &str) -> Self {
        Self::with(seed, more, None)
    }

    /// The same with an agent that expires so long from now.
    pub(crate) fn expiring(seed: u64, left: Duration) -> Self {
        Self::with(seed, "", Some(left))
    }

    fn with(seed: u64, more: &str, left: Option<Duration>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("randomness");
        bytes[0] = 1; // Below the group's order.
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let key = dir.path().join("agent.key");
        fs::write(&key, &hex).expect("a key file");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("its mode");
        let agent = Address(Key::from_hex(&hex).expect("a key").address().0);

        let server = venue(seed, agent, left);
        let path = write_config(dir.path(), &server);
        let text = fs::read_to_string(&path).expect("the config");
        let text = format!(
            "mode = \"trading\"\n{text}\n[account]\nuser_address = \"{ACCOUNT}\"\nkey_file = \"{}\"\n\
             {more}",
            key.display()
        );
        fs::write(&path, text).expect("the config");
        Self { server, config: path.display().to_string(), dir }
    }

    /// Where the program says what it does, in a file of this name.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where it records.
    pub(crate) fn signals(&self) -> PathBuf {
        self.dir.path().join("signals")
    }

    /// The venue's books.
    pub(crate) fn books(&self) -> Books {
        let (tell, told) = mpsc::sync_channel(1);
        let look = move |venue: &mut hip3::venue::Venue, _| drop(tell.send(venue.books(ACCOUNT)));
        self.server.act(look).expect("a venue that runs");
        told.recv_timeout(Duration::from_secs(30)).expect("an answer").expect("the account")
    }
}

fn venue(seed: u64, agent: Address, left: Option<Duration>) -> Server {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970");
    let until = left.map(|left| (since + left).as_millis() as u64);
    let account = AccountSettings {
        address: ACCOUNT,
        deposit: Usd::from_units(1_000_000_000),
        agents: vec![("test".to_owned(), agent, until)],
        vault_of: None,
        referral_discount: Rate::ZERO,
    };
    let settings = Settings {
        seed,
        markets: 30,
        start: VenueMs(i64::try_from(since.as_millis()).expect("a time")),
        lag: Lag { slow: Odds::one_in(2), surprised: Odds::one_in(1), ..Lag::default() },
        accounts: vec![account],
        // A test starts the program more often in a minute than anyone does.
        limits: Limits {
            info_weight_per_minute: 1_000_000,
            new_per_minute: 1_000,
            messages_per_minute: 100_000,
            ..Limits::default()
        },
        ..Settings::default()
    };
    Server::start(settings, 0).expect("a free port")
}

/// A row as it was read.
pub(crate) type ReadRow = BTreeMap<String, String>;

/// Rows of one kind in `dir`.
pub(crate) fn rows(dir: &Path, kind: &str) -> Vec<ReadRow> {
    let of_kind = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(kind))
    };
    files(dir).iter().filter(|path| of_kind(path)).flat_map(|path| read_file(path).rows).collect()
}

/// The sum of a column of decimals, in units of 1e-8.
fn sum(rows: &[ReadRow], column: &str) -> i128 {
    rows.iter().map(|row| row[column].parse::<i128>().expect("a decimal")).sum()
}

/// The rows of round trips and the venue's books agree to the cent: the files hold units of 1e-8, the books of 1e-6.
pub(crate) fn agree(dir: &Path, books: &Books) {
    let trades = rows(dir, "trades_");
    // A stop at the first loss leaves one trade.
    assert!(!trades.is_empty(), "it traded: {books:?}");
    let told = |column| sum(&trades, column);
    let ours = (told("pnl_before_fees"), told("fees"));
    let theirs = (i128::from(books.closed_pnl.units()) * 100, i128::from(books.fees.units()) * 100);
    assert_eq!(ours, theirs, "{books:?}\n{trades:#?}");
    for row in &trades {
        let of = |column: &str| row[column].parse::<i64>().expect("a decimal");
        assert_eq!(of("pnl"), of("pnl_before_fees") - of("fees"), "{row:?}");
    }
}

/// Whatever has a name has it alone.
pub(crate) fn nothing_twice(dir: &Path) {
    for (kind, column) in [
        ("orders_", "cloid"),
        ("trades_", "trade_id"),
        ("signals_", "signal_id"),
        ("crosses_", "cross_id"),
    ] {
        let rows = rows(dir, kind);
        let names: BTreeSet<&String> = rows.iter().map(|row| &row[column]).collect();
        assert_eq!(names.len(), rows.len(), "{kind}: a {column} is there twice");
        assert!(!names.is_empty(), "{kind}");
    }
}

/// Every signal has its follow-ups, its entry probes and its cross.
pub(crate) fn looks_are_complete(dir: &Path) {
    let mut looks: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for row in rows(dir, "followup") {
        looks.entry(row["signal_id"].clone()).or_default().0 += 1;
    }
    for row in rows(dir, "entries") {
        looks.entry(row["signal_id"].clone()).or_default().1 += 1;
    }
    let signals = rows(dir, "signals");
    assert_eq!(looks.len(), signals.len());
    assert!(looks.values().all(|looks| *looks == (3, 4)), "{looks:?}");
    let ended: BTreeSet<String> =
        rows(dir, "crosses").into_iter().map(|row| row["cross_id"].clone()).collect();
    assert!(signals.iter().all(|row| ended.contains(&row["cross_id"])));
}
