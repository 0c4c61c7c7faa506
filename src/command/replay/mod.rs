//! `hip3 replay`

mod player;
mod progress;
mod record;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::{Failure, ModeArg, log_to_stderr, print};
use crate::engine::Engine;
use crate::runtime::capture::{Header, Reader};
use crate::runtime::wallet::{throwaway_key, wallet};
use crate::types::config::{self, Config};
use crate::types::hard_stop::HardStop;
use crate::types::record::Mode;

/// Drives the engine from captures, as fast as it can
///
/// Captures are made by `hip3 run --capture FILE`, and may be compressed by zstd; the rows are the same
/// that the live runs wrote.
///
/// The settings are those of the captured run, unless `--config` or `--set` says otherwise; the mode
/// is observation, unless `--mode` says otherwise. In trading mode nothing is sent either: actions
/// are signed with a key made for the replay, and the captured answers are heard. A
/// capture that breaks off, as a killed run leaves it, is ended as a stop would have ended it.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The captures
    #[arg(value_name = "FILE", required = true)]
    captures: Vec<PathBuf>,
    /// Uses this config instead of the captured run's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What the engine may do, whatever it did in the captured run
    #[arg(long, default_value = "observation")]
    mode: ModeArg,
    /// Overrides one key; may be repeated
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    overrides: Vec<String>,
    /// Where the day files go: each capture's into a directory of its own, named by its run
    #[arg(long, value_name = "DIR", default_value = "data/replay")]
    out: PathBuf,
    /// Writes no day files: the summary alone
    #[arg(long)]
    no_records: bool,
    /// Prints the summary as JSON
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(crate) fn run(self) -> Result<(), Failure> {
        // The store tells of a disk in trouble by the log.
        let _screen = log_to_stderr(&Config::default())?;
        for path in &self.captures {
            print(&record::replay(&self, path)?)?;
        }
        Ok(())
    }

    /// The settings for a capture: its own, or those of `--config`.
    fn config_for(&self, source: &Source) -> Result<Config, Failure> {
        let mut overrides = self.overrides.clone();
        overrides.push(self.mode.key());
        match &self.config {
            Some(file) => config::load(Some(file), &overrides),
            None => config::from_text(&source.header().config, &source.name, &overrides),
        }
        .map_err(Failure::usage)
    }

    /// The engine that was captured. One that trades signs with a key of its own: what it signs goes
    /// nowhere, and nothing that it records depends on it. HardStop begins released.
    fn engine(&self, config: &Config, header: &Header) -> Result<Engine, Failure> {
        match config.mode {
            Mode::Observation => Ok(Engine::new(config, header.first_id, header.seed)),
            Mode::Trading => {
                let key = throwaway_key().map_err(Failure::runtime)?;
                let (wallet, _) = wallet(config, key).map_err(Failure::usage)?;
                let latch = HardStop::default();
                Ok(Engine::trading(config, header.first_id, header.seed, wallet, latch))
            }
        }
    }
}

/// A capture that was opened.
struct Source {
    reader: Reader,
    path: PathBuf,
    /// Where its config stands, for problems with it.
    name: String,
}

impl Source {
    fn open(path: &Path) -> Result<Self, Failure> {
        let reader = Reader::open(path).map_err(Failure::usage)?;
        let name = format!("{}, line 1", path.display());
        Ok(Self { reader, path: path.to_owned(), name })
    }

    fn header(&self) -> &Header {
        self.reader.header()
    }

    /// Says so when the captured run was in another mode than this config.
    fn note_other_mode(&self, config: &Config) {
        let captured = config::from_text(&self.header().config, &self.name, &[]);
        if let Ok(captured) = captured.map(|captured| captured.mode)
            && captured != config.mode
        {
            progress::note(&format!(
                "{}: captured in {} mode, replayed in {} mode: decisions differ (see --mode)",
                self.path.display(),
                captured.name(),
                config.mode.name()
            ));
        }
    }
}
