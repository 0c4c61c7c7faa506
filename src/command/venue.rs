//! `hip3 venue`

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::command::{Failure, duration, print};
use crate::runtime::cold::wall_now;
use crate::runtime::os::Signals;
use crate::types::time::{Nanos, VenueMs};
use crate::venue::tcp::Server;
use crate::venue::{Faults, Settings};

/// How often the operator's signals are looked for.
const GLANCE: Duration = Duration::from_millis(50);

/// Serves the simulated venue on loopback, until SIGINT or SIGTERM.
///
/// Speaks the venue's protocol on one port: the socket at ws://127.0.0.1:PORT/ws and the questions
/// at http://127.0.0.1:PORT/info. The same seed gives the same market.
#[derive(Debug, Args)]
pub(crate) struct Venue {
    /// Port on 127.0.0.1; 0 picks a free one, which is printed
    #[arg(long, default_value_t = 0)]
    port: u16,
    #[command(flatten)]
    market: Market,
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
        let settings = self.market.settings()?;
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

fn read_faults(path: &Path) -> Result<Faults, Failure> {
    let refuse = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("--faults {}: {error}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(&error))?;
    Faults::from_toml(&text).map_err(|error| refuse(&error))
}
