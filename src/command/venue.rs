//! `hip3 venue`

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::command::{Failure, duration, print};
use crate::runtime::cold::wall_now;
use crate::runtime::os::Signals;
use crate::types::num::{Rate, Usd};
use crate::types::time::{Nanos, VenueMs};
use crate::venue::tcp::Server;
use crate::venue::{AccountSettings, Address, Faults, Settings};

/// How often the operator's signals are looked for.
const GLANCE: Duration = Duration::from_millis(50);

/// Serves the simulated venue on loopback, until SIGINT or SIGTERM.
///
/// Speaks the venue's protocol on one port: the socket at ws://127.0.0.1:PORT/ws, questions at
/// http://127.0.0.1:PORT/info and actions at http://127.0.0.1:PORT/exchange, signed for testnet. The
/// same seed gives the same market.
#[derive(Debug, Args)]
pub(crate) struct Venue {
    /// Port on 127.0.0.1; 0 picks a free one, which is printed
    #[arg(long, default_value_t = 0)]
    port: u16,
    #[command(flatten)]
    market: Market,
    /// An account that holds so many USD of the dex, e.g. 0x…=1000; may be repeated
    #[arg(long = "account", value_name = "ADDRESS=USD", value_parser = account)]
    accounts: Vec<AccountSettings>,
    /// Stops by itself after this long
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Nanos>,
}

/// What the simulated market is like.
#[derive(Debug, Args)]
pub(crate) struct Market {
    /// Decides over everything the venue does by chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Markets of the venue
    #[arg(long, value_name = "N", default_value_t = 126)]
    markets: usize,
    /// What goes wrong at the venue: a TOML file
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
}

impl Venue {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let signals = Signals::install().map_err(Failure::runtime)?;
        let mut settings = self.market.settings()?;
        settings.accounts = self.accounts;
        let dex = settings.dex.clone();
        let server = Server::start(settings, self.port).map_err(Failure::runtime)?;
        let (ws_url, rest_url) = (server.ws_url(), server.rest_url());
        print(&format!(
            "serving {} markets of dex {dex}, seed {}\n\n\
             [venue]\nnetwork = \"custom\"\nws_url = \"{ws_url}\"\nrest_url = \"{rest_url}\"\n\
             dexes = [\"{dex}\"]\n",
            self.market.markets, self.market.seed,
        ))?;
        let began = Instant::now();
        let over = || self.duration.is_some_and(|span| began.elapsed() >= Duration::from(span));
        while !signals.stop_requested() && !over() {
            thread::sleep(GLANCE);
        }
        server.stop();
        Ok(())
    }
}

impl Market {
    /// Settings of a venue whose time is now.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let &Self { seed, markets, .. } = self;
        if !(1..=Settings::MARKETS_MAX).contains(&markets) {
            return Err(Failure::usage(format!(
                "--markets {markets}: expected a number from 1 to {}",
                Settings::MARKETS_MAX
            )));
        }
        let faults = self.faults.as_deref().map_or_else(|| Ok(Faults::default()), read_faults)?;
        let start = VenueMs(wall_now().0 / 1_000_000);
        Ok(Settings { seed, markets, faults, start, ..Settings::default() })
    }
}

/// Reads `0x…=1000`: an address, and USD in plain decimals.
fn account(text: &str) -> Result<AccountSettings, String> {
    let expected = || format!("{text:?}: expected an address and USD, such as 0x…=1000");
    let (address, usd) = text.split_once('=').ok_or_else(expected)?;
    let address = Address::parse(address).ok_or_else(expected)?;
    let deposit = Usd::parse(usd.as_bytes()).ok_or_else(expected)?;
    Ok(AccountSettings {
        address,
        deposit,
        agents: Vec::new(),
        vault_of: None,
        referral_discount: Rate::ZERO,
    })
}

fn read_faults(path: &Path) -> Result<Faults, Failure> {
    let refuse = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("--faults {}: {error}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(&error))?;
    Faults::from_toml(&text).map_err(|error| refuse(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_an_address_and_a_sum() {
        let address = "0x00000000000000000000000000000000000000Ab";
        let read = account(&format!("{address}=1000.5"));
        let read = read.map(|one| (one.address.to_string(), one.deposit));
        assert_eq!(read, Ok((address.to_lowercase(), Usd::from_units(1_000_500_000))));
        for wrong in ["", address, "0x12=5", "=5", &format!("{address}=-1"), &format!("{address}=")]
        {
            account(wrong).expect_err(wrong);
        }
    }
}
