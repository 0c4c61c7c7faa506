//! `hip3 run`

use std::path::PathBuf;

use clap::Args;

use crate::command::{ConfigArgs, Failure, ModeArg, duration, observation_only, run_live};
use crate::runtime::host::Options;
use crate::types::time::Nanos;

/// Runs the engine against the configured venue until it is told to stop.
///
/// Records go to the day files in `persistence.data_dir`, one a UTC day and kind.
///
/// SIGINT or SIGTERM (Ctrl-C) ends in order: looks that are owed are recorded, rings are drained,
/// files are closed. A second one ends at once. The log and the status line go to standard error,
/// the summary at the end to standard output.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    config: ConfigArgs,
    /// Overrides the config's mode
    #[arg(long)]
    mode: Option<ModeArg>,
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
        observation_only(&config)?;
        let options = Options { duration: self.duration, capture: self.capture };
        run_live(&config, &options, self.json)
    }
}
