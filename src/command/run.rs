//! `hip3 run`

use std::path::PathBuf;

use clap::Args;

use crate::command::{ConfigArgs, Failure, ModeArg, duration, print, run_live, summary, verdict};
use crate::runtime::host::Options;
use crate::types::config::Network;
use crate::types::record::Mode;
use crate::types::time::Nanos;

/// Runs the engine against the configured venue until it is told to stop.
///
/// Records go to the day files in `persistence.data_dir`, one a UTC day and kind.
///
/// SIGINT (Ctrl-C), SIGTERM or SIGHUP ends in order: no new entries, positions are closed (see
/// position.flatten_on_shutdown), looks that are owed are recorded, rings are drained, files are
/// closed. A second one ends at once. What was ignored at the start, as SIGHUP by nohup, stays ignored;
/// SIGTERM never is. The log and the status line go to standard error, the summary
/// at the end to standard output.
///
/// Trading needs the agent's key, in HIP3_PRIVATE_KEY or in the file that account.key_file names
/// (mode 0600); hip3 preflight tells what else. Exit code 4 says that HardStop held at the end: it
/// holds in the next run as well, until hip3 release.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    config: ConfigArgs,
    /// Overrides the config's mode
    #[arg(long)]
    mode: Option<ModeArg>,
    /// Needed to trade on mainnet: the orders are real, and so is the money
    #[arg(long)]
    live: bool,
    /// Stops by itself after this long, e.g. 60s, 15m, 12h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Nanos>,
    /// Writes everything the engine hears to this file, for `hip3 replay`
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    /// Prints the summary as JSON
    #[arg(long)]
    json: bool,
}

impl Run {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut args = self.config;
        args.overrides.extend(self.mode.map(ModeArg::key));
        let config = args.load()?;
        if config.mode == Mode::Trading && config.venue.network == Network::Mainnet && !self.live {
            return Err(Failure::usage(
                "mode = \"trading\" on venue.network = \"mainnet\" sends orders for real money: \
                 give --live if that is meant",
            ));
        }
        let options =
            Options { duration: self.duration, capture: self.capture, ..Options::default() };
        let outcome = run_live(&config, options)?;
        let printed = print(&if self.json {
            format!("{:#}\n", summary::of_run_as_json(&outcome))
        } else {
            summary::of_run(&outcome)
        });
        verdict(outcome)?;
        printed
    }
}
