//! A trading process that is killed while it holds something, and the one that comes after it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hip3::executor::signer::Key;
use hip3::types::num::{Rate, Usd};
use hip3::types::time::VenueMs;
use hip3::venue::tcp::Server;
use hip3::venue::{AccountSettings, Address, Books, Lag, Odds, Settings};

use crate::harness::{start, write_config};
use crate::store_rows::{files, read_file};

const ACCOUNT: Address = Address([0xaa; 20]);

fn funded_venue(agent: Address) -> Server {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970");
    let account = AccountSettings {
        address: ACCOUNT,
        deposit: Usd::from_units(1_000_000_000),
        agents: vec![("test".to_owned(), agent, None)],
        vault_of: None,
        referral_discount: Rate::ZERO,
    };
    let settings = Settings {
        seed: 5,
        markets: 30,
        start: VenueMs(i64::try_from(since.as_millis()).expect("a time")),
        lag: Lag { slow: Odds::one_in(2), surprised: Odds::one_in(1), ..Lag::default() },
        accounts: vec![account],
        ..Settings::default()
    };
    Server::start(settings, 0).expect("a free port")
}

fn books(server: &Server) -> Books {
    let (tell, told) = mpsc::sync_channel(1);
    let look = move |venue: &mut hip3::venue::Venue, _| drop(tell.send(venue.books(ACCOUNT)));
    server.act(look).expect("a venue that runs");
    told.recv_timeout(Duration::from_secs(30)).expect("an answer").expect("the account")
}

#[test]
fn a_position_that_outlives_its_process_is_closed_by_the_next_and_booked_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("randomness");
    bytes[0] = 1; // Below the group's order.
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = dir.path().join("agent.key");
    fs::write(&key, &hex).expect("a key file");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("its mode");
    let agent = Address(Key::from_hex(&hex).expect("a key").address().0);

    let server = funded_venue(agent);
    let path = write_config(dir.path(), &server);
    let text = fs::read_to_string(&path).expect("the config");
    let text = format!(
        "mode = \"trading\"\n{text}\n[account]\nuser_address = \"{ACCOUNT}\"\nkey_file = \"{}\"\n\
         [risk]\nmax_bbo_age_ms = \"off\"\nmax_ctx_age_ms = \"off\"\nspread_shock_multiplier = 1000\n\
         min_ewma_samples = 1\n[position]\nmax_concurrent_positions = 1\n\
         [mark_regression]\nenabled = false\n[time_stop]\nthreshold_ms = 8000\n",
        key.display()
    );
    fs::write(&path, text).expect("the config");
    let config = path.display().to_string();

    let mut first = start(&["run", "--config", &config], &dir.path().join("first.log"));
    let log = dir.path().join("first.log");
    let read = |log: &std::path::Path| fs::read_to_string(log).unwrap_or_default();
    first.wait_until("a position", || read(&log).contains("position opened"));
    first.kill();
    assert_eq!(books(&server).positions.len(), 1, "the venue goes on holding it");

    let log = dir.path().join("second.log");
    // It opens nothing itself: what it trades is what it found.
    let args = ["run", "--config", &config, "--set", "position.max_notional_per_market=0"];
    let mut second = start(&args, &log);
    second.wait_until("the position", || read(&log).contains("position found at the venue"));
    second.wait_until("its end", || read(&log).contains("position closed"));
    let told = second.log();
    assert_eq!(second.terminate(), 0, "{told}");

    let books = books(&server);
    assert_eq!(books.positions, [], "{told}");
    let trades: Vec<_> = files(&dir.path().join("signals"))
        .into_iter()
        .filter(|path| path.to_string_lossy().contains("trades_"))
        .flat_map(|path| read_file(&path).rows)
        .collect();
    assert_eq!(trades.len(), 1, "{trades:#?}");
    // The files hold units of 1e-8, the books of 1e-6.
    let exact = |column: &str| trades[0][column].parse::<i64>().expect("a number");
    assert_eq!(exact("pnl_before_fees"), books.closed_pnl.units() * 100, "{trades:#?} {books:?}");
    assert_eq!(exact("fees"), books.fees.units() * 100, "{trades:#?} {books:?}");
    assert_eq!(trades[0]["adopted"], "true");
    server.stop();
}
