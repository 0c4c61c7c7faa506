//! `hip3 demo`

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::command::venue::Market;
use crate::command::{Failure, ModeArg, duration, print, run_live, summary, verdict};
use crate::executor::signer::{Address, Key};
use crate::runtime::host::{Options, Outcome};
use crate::runtime::wallet::throwaway_key;
use crate::types::config::{self, Config, Network};
use crate::types::num::{Rate, Usd};
use crate::types::time::Nanos;
use crate::venue::tcp::Server;
use crate::venue::{self, AccountSettings, Books, Settings, Venue};

/// How long the venue has to show its books.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the made-up account has.
const DEPOSIT: Usd = Usd::from_units(1_000 * 1_000_000);

/// Runs everything on this machine: the simulated venue, and the engine against it.
///
/// Ends with a summary of what was found and where it lies. The market is made up, and its makers
/// are late on purpose; the same seed gives the same market.
///
/// With `--mode trading` the engine trades for an account that the simulated venue has made up as
/// well, with a key made for this run, kept nowhere and worth nothing anywhere else. What HardStop
/// says is kept with the records, as in a real run.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// What the engine may do
    #[arg(long, default_value = "observation")]
    mode: ModeArg,
    /// Stops by itself after this long, e.g. 60s, 15m
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    duration: Nanos,
    #[command(flatten)]
    market: Market,
    /// Where the records go
    #[arg(long, value_name = "DIR", default_value = "data/demo/signals")]
    data_dir: PathBuf,
    /// Spins the hot thread, as the real thing does; by default it sleeps between frames
    #[arg(long)]
    busy_poll: bool,
    /// Writes everything the engine hears to this file, for `hip3 replay`
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    /// Overrides one key of the config; may be repeated
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    overrides: Vec<String>,
    /// Prints the summary as JSON
    #[arg(long)]
    json: bool,
}

impl Demo {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let trader = Trader::new().map_err(Failure::runtime)?;
        let mut overrides = self.overrides;
        overrides.push(self.mode.key());
        let trading = matches!(self.mode, ModeArg::Trading);
        if trading {
            overrides.push(format!("account.user_address={}", trader.account));
        }
        let mut config = config::load(None, &overrides).map_err(Failure::usage)?;
        let mut settings = self.market.settings()?;
        let dex = settings.dex.clone();
        if trading {
            fund(&mut settings, &trader);
        }
        let server = Server::start(settings, 0).map_err(Failure::runtime)?;
        point_at(&mut config, &server, dex);
        config.persistence.data_dir = self.data_dir;
        // Short runs should show their files while they last.
        config.persistence.flush_interval =
            config.persistence.flush_interval.min(Nanos::from_secs(5));
        config.runtime.busy_poll = self.busy_poll;
        let account = venue::Address(trader.account.0);
        let key = trading.then_some(trader.key);
        let options = Options { duration: Some(self.duration), capture: self.capture, key };
        let outcome = run_live(&config, options)?;
        let books = if trading { books(&server, account) } else { None };
        print(&if self.json {
            let mut summary = summary::of_run_as_json(&outcome);
            if let Some(books) = &books {
                summary["venue_books"] = Comparison::new(books, &outcome, &config).as_json();
            }
            format!("{summary:#}\n")
        } else {
            let mut text = summary::of_run(&outcome);
            if let Some(books) = &books {
                text.push_str(&Comparison::new(books, &outcome, &config).as_text());
            }
            text
        })?;
        verdict(outcome)
    }
}

/// An account that exists in this run alone, and the key of its agent.
struct Trader {
    account: Address,
    key: Key,
}

impl Trader {
    fn new() -> Result<Self, crate::runtime::os::EntropyError> {
        // The account's own key is thrown away at once: its agent signs for it.
        Ok(Self { account: throwaway_key()?.address(), key: throwaway_key()? })
    }
}

/// Lets the venue know the account, its deposit and its agent.
fn fund(settings: &mut Settings, trader: &Trader) {
    settings.accounts.push(AccountSettings {
        address: venue::Address(trader.account.0),
        deposit: DEPOSIT,
        agents: vec![("demo".to_owned(), venue::Address(trader.key.address().0), None)],
        vault_of: None,
        referral_discount: Rate::ZERO,
    });
}

/// The venue's own books of the account; `None` when it does not answer.
fn books(server: &Server, account: venue::Address) -> Option<Books> {
    let (told, books) = mpsc::sync_channel(1);
    let look = move |venue: &mut Venue, _| {
        // The receiver may have lost patience.
        let _ = told.send(venue.books(account));
    };
    server.act(look).ok()?;
    books.recv_timeout(PATIENCE).ok().flatten()
}

/// Whether the engine and the venue say the same, figure by figure.
struct Comparison {
    /// What, the engine's, the venue's.
    rows: Vec<(&'static str, String, String)>,
    exposure: (Usd, Usd),
}

impl Comparison {
    fn new(books: &Books, outcome: &Outcome, config: &Config) -> Self {
        let ours = &outcome.report.status.trading;
        let mut rows = vec![
            ("fills", ours.fills.to_string(), books.fills.to_string()),
            ("positions", ours.positions.to_string(), books.positions.len().to_string()),
        ];
        // The engine counts profit and fees when a round trip is over.
        if ours.positions == 0 && books.positions.is_empty() {
            rows.push(("profit before fees", ours.gross.to_string(), books.closed_pnl.to_string()));
            rows.push(("fees", ours.fees.to_string(), books.fees.to_string()));
        }
        Self { rows, exposure: (books.exposure_max, config.position.max_total_notional) }
    }

    fn agree(&self) -> bool {
        let (most, allowed) = self.exposure;
        most <= allowed && self.rows.iter().all(|(_, ours, theirs)| ours == theirs)
    }

    fn as_json(&self) -> serde_json::Value {
        let rows: serde_json::Map<_, _> = self
            .rows
            .iter()
            .map(|(what, ours, venue)| {
                ((*what).to_owned(), json!({"engine": ours, "venue": venue}))
            })
            .collect();
        let (most, allowed) = self.exposure;
        let exposure = json!({"most": most.to_string(), "allowed": allowed.to_string()});
        json!({"agree": self.agree(), "figures": rows, "exposure": exposure})
    }

    fn as_text(&self) -> String {
        let mut text = "\nthe engine's records and the venue's own books\n\n".to_owned();
        for (what, ours, theirs) in &self.rows {
            let mark = if ours == theirs { "" } else { "  DIFFERS" };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {what:<20} {ours:>14} {theirs:>14}{mark}");
        }
        let (most, allowed) = self.exposure;
        let mark = if most <= allowed { "" } else { "  TOO MUCH" };
        let _ = writeln!(text, "  most at stake {most} USD, {allowed} allowed{mark}");
        text
    }
}

/// Lets `config` speak of the simulated venue.
fn point_at(config: &mut Config, server: &Server, dex: String) {
    config.venue.network = Network::Custom;
    config.venue.ws_url = server.ws_url();
    config.venue.rest_url = server.rest_url();
    config.venue.dexes = vec![dex];
}
