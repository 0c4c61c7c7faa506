//! `hip3 check`

use clap::Args;

use crate::command::{ConfigArgs, Failure, print};

/// Checks the config and prints the effective one, with every default, as TOML.
///
/// All problems are listed at once, each with the key, its value, and what was expected; the exit
/// code is then 2.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    config: ConfigArgs,
}

impl Check {
    pub(crate) fn run(self) -> Result<(), Failure> {
        print(&self.config.load()?.to_toml())
    }
}
