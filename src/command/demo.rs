//! `hip3 demo`

use std::path::PathBuf;

use clap::Args;

use crate::command::venue::Market;
use crate::command::{Failure, ModeArg, duration, observation_only, run_live};
use crate::runtime::host::Options;
use crate::types::config::{self, Config, Network};
use crate::types::time::Nanos;
use crate::venue::tcp::Server;

/// Runs everything on this machine: the simulated venue, and the engine against it.
///
/// Ends with a summary of what was found and where it lies. The market is made up, and its makers
/// are late on purpose; the same seed gives the same market.
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
        let mut overrides = self.overrides;
        overrides.push(self.mode.key());
        let mut config = config::load(None, &overrides).map_err(Failure::usage)?;
        observation_only(&config)?;
        let settings = self.market.settings()?;
        let dex = settings.dex.clone();
        let server = Server::start(settings, 0).map_err(Failure::runtime)?;
        point_at(&mut config, &server, dex);
        config.persistence.data_dir = self.data_dir;
        // Short runs should show their files while they last.
        config.persistence.flush_interval =
            config.persistence.flush_interval.min(Nanos::from_secs(5));
        config.runtime.busy_poll = self.busy_poll;
        let options = Options { duration: Some(self.duration), capture: self.capture };
        run_live(&config, &options, self.json)
    }
}

/// Lets `config` speak of the simulated venue.
fn point_at(config: &mut Config, server: &Server, dex: String) {
    config.venue.network = Network::Custom;
    config.venue.ws_url = server.ws_url();
    config.venue.rest_url = server.rest_url();
    config.venue.dexes = vec![dex];
}
