//! `hip3 demo`

mod certificate;
mod dense;
mod lively;
mod settings;
mod wire;

use std::path::{Path, PathBuf};

use crate::command::venue::Market;
use crate::command::{Failure, ModeArg, books, duration, print, run_live, summary, verdict};
use crate::executor::signer::{Address, Key};
use crate::runtime::host::Options;
use crate::runtime::os;
use crate::runtime::wallet::ephemeral_key;
use crate::types::config::{Config, Network};
use crate::types::num::{Rate, Usd};
use crate::types::record::Mode;
use crate::types::time::Nanos;
use crate::venue::tcp::{Server, Serving};
use crate::venue::{AccountSettings, Settings};
use clap::Args;

/// The file of the dashboard's token, beside the records.
const TOKEN: &str = "dashboard.token";
/// What the made-up account has.
const DEPOSIT: Usd = Usd::from_units(1_000 * 1_000_000);

/// Runs everything on this machine: the simulated venue, and the engine against it.
///
/// Ends with a summary of what was found and where it lies. The market is made up, and its makers
/// are late on purpose; the same seed gives the same market.
///
/// With `--mode trading` the engine trades for an account that the simulated venue has made up as
/// well, with a key made for this run, kept nowhere and worth nothing anywhere else. HardStop works
/// as in a real run, but does not outlive the demo.
///
/// With `--config` the settings of a run are tried out. The demo decides some keys itself, whatever the file
/// says: venue.network, venue.ws_url, venue.rest_url, venue.dexes, account.user_address,
/// account.vault_address and account.key_file are those of its own venue and account, and --set of one of
/// them is refused. Nor does it take from a file where records and latencies lie
/// (persistence.data_dir, telemetry.latency_dir), persistence.flush_interval_s, alerts.enabled and
/// runtime.busy_poll: by default records lie in data/demo/signals, latencies beside them, rows are
/// visible after 5 s, nobody is alerted and the hot thread sleeps between frames. The settings that
/// --latency and --lively bring go before the file's too. All of these --set changes, as it does every
/// other key.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// What the engine may do; else what the config says, which by default is to observe
    #[arg(long)]
    mode: Option<ModeArg>,
    /// The config file whose settings are tried out; by default every key has its default
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Stops by itself after this long, e.g. 60s, 15m
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    duration: Nanos,
    #[command(flatten)]
    market: Market,
    /// Where the records go, as by --set persistence.data_dir; by default into data/demo/signals
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Spins the hot thread, as the real thing does; by default it sleeps between frames
    #[arg(long)]
    busy_poll: bool,
    /// Measures from the venue's side how long orders take, wire to wire: a dense market whose every
    /// cross is taken, and a venue that spins. Needs --mode trading
    #[arg(long)]
    latency: bool,
    /// Dislocates every market every few seconds, so that minutes are enough for `hip3 report`: two
    /// markets in three lag, the others have makers that are too quick, or a gap that stays
    #[arg(long, conflicts_with = "latency")]
    lively: bool,
    /// Speaks TLS with the venue, as with the real one
    #[arg(long)]
    tls: bool,
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
        let mut config = settings::config(&self, &trader.account)?;
        let trading = config.mode == Mode::Trading;
        if self.latency && !trading {
            return Err(Failure::usage("--latency measures orders: give --mode trading"));
        }
        let mut settings = self.market.settings()?;
        let dex = settings.dex.clone();
        if trading {
            fund(&mut settings, &trader, if self.latency { dense::DEPOSIT } else { DEPOSIT });
        }
        if self.latency {
            dense::market(&mut settings);
        }
        if self.lively {
            lively::market(&mut settings);
        }
        let certified = self.tls.then(certificate::localhost).transpose();
        let (tls, authority) = certified.map_err(Failure::runtime)?.unzip();
        let serving = match self.latency {
            true => wire::serving(tls),
            false => Serving { tls, ..Serving::default() },
        };
        let server = Server::serve(settings, serving).map_err(Failure::runtime)?;
        point_at(&mut config, &server, dex);
        if trading && config.dashboard.enabled && config.dashboard.token_file.is_none() {
            config.dashboard.token_file = Some(make_token(&config.persistence.data_dir)?);
        }
        let account = trader.account;
        let key = trading.then_some(trader.key);
        let (duration, capture) = (Some(self.duration), self.capture);
        let options = Options { duration, capture, key, authority, any_port: true };
        let outcome = run_live(&config, options)?;
        let compared = match trading {
            true => {
                let books = books::of(&server, account).map_err(Failure::runtime)?;
                Some(books::Compared::new(&books, &outcome, &config))
            }
            false => None,
        };
        let wire = self.latency.then(|| wire::Measured::of(server.stop()));
        print(&if self.json {
            let mut summary = summary::of_run_as_json(&outcome);
            if let Some(compared) = &compared {
                summary["venue_books"] = compared.as_json();
            }
            if let Some(wire) = &wire {
                summary["wire_to_wire"] = wire.as_json();
            }
            format!("{summary:#}\n")
        } else {
            let mut text = summary::of_run(&outcome);
            text.push_str(&compared.as_ref().map(books::Compared::as_text).unwrap_or_default());
            text.push_str(&wire.as_ref().map(wire::Measured::as_text).unwrap_or_default());
            text
        })?;
        compared.map_or(Ok(()), |compared| compared.verdict())?;
        verdict(outcome)
    }
}

/// Makes the token that halts, releases and flattens from the dashboard, and says where it lies.
fn make_token(data_dir: &Path) -> Result<PathBuf, Failure> {
    let path = data_dir.join(TOKEN);
    std::fs::create_dir_all(data_dir).map_err(Failure::runtime)?;
    os::make_token(&path).map_err(Failure::runtime)?;
    Ok(path)
}

/// An account that exists in this run alone, and the key of its agent.
struct Trader {
    account: Address,
    key: Key,
}

impl Trader {
    fn new() -> Result<Self, os::EntropyError> {
        // The account's own key is thrown away at once: its agent signs for it.
        Ok(Self { account: ephemeral_key()?.address(), key: ephemeral_key()? })
    }
}

/// Lets the venue know the account, its deposit and its agent.
fn fund(settings: &mut Settings, trader: &Trader, deposit: Usd) {
    let agent = crate::venue::Address(trader.key.address().0);
    settings.accounts.push(AccountSettings {
        address: crate::venue::Address(trader.account.0),
        deposit,
        agents: vec![("demo".to_owned(), agent, None)],
        vault_of: None,
        referral_discount: Rate::ZERO,
    });
}

/// Lets `config` speak of the simulated venue.
fn point_at(config: &mut Config, server: &Server, dex: String) {
    config.venue.network = Network::Custom;
    config.venue.ws_url = server.ws_url();
    config.venue.rest_url = server.rest_url();
    config.venue.dexes = vec![dex];
}
