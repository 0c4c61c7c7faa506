//! `hip3 preflight`

use clap::Args;

use crate::command::{ConfigArgs, Failure};

/// Checks.
///
/// More.
#[derive(Debug, Args)]
pub(crate) struct Preflight {
    #[command(flatten)]
    config: ConfigArgs,
}

impl Preflight {
    pub(crate) fn run(self) -> Result<(), Failure> {
        self.config.load().map(|_| ())
    }
}
