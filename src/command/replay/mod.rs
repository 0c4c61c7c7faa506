//! `hip3 replay`

mod compare;
mod lanes;
mod player;
mod progress;
mod record;
mod score;
mod settings;
mod sweep;
mod table;
mod value;

use std::num::NonZero;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::replay::player::{Player, Ticks};
use crate::command::replay::settings::{Axis, Setting};
use crate::command::{Failure, ModeArg, log_to_stderr, print};
use crate::engine::Engine;
use crate::runtime::capture::{Header, Reader};
use crate::runtime::wallet::{throwaway_key, wallet};
use crate::types::config::{self, Config};
use crate::types::hard_stop::HardStop;
use crate::types::record::Mode;
use crate::types::time::Now;

/// Drives the engine from captures, as fast as it can
///
/// Captures are made by `hip3 run --capture FILE`, and may be compressed by zstd; the rows are the same
/// that the live runs wrote.
///
/// The settings are those of the captured run, unless `--config` or `--set` says otherwise; the mode
/// is observation, unless `--mode` says otherwise. In trading mode nothing is sent either: actions
/// are signed with a key made for the replay, and the captured answers are heard. A
/// capture that breaks off, as a killed run leaves it, is ended as a stop would have ended it.
///
/// With several `--config` the captures go through one engine each, side by side, and the report says
/// what each found, what it was worth, and how it differs from the first. With `--sweep` they go
/// through one engine a point of a grid. Neither writes records.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The captures
    #[arg(value_name = "FILE", required = true)]
    captures: Vec<PathBuf>,
    /// Uses this config instead of the captured run's; several are compared with the first
    #[arg(long = "config", value_name = "FILE")]
    configs: Vec<PathBuf>,
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
    /// Tries these values of a key, as detector.min_edge_bps=2..30:2 or detector.sizing_alpha=0.1,0.2;
    /// of several keys all combinations
    #[arg(long = "sweep", value_name = "SECTION.KEY=VALUES", value_parser = settings::axis)]
    sweep: Vec<Axis>,
    /// Writes the grid to this file, a line a point
    #[arg(long, value_name = "FILE", requires = "sweep")]
    csv: Option<PathBuf>,
    /// Threads that drive engines, when there are several; by default one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Values signals as entered so long after them, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 400)]
    latency_ms: u32,
    /// And left so long after them, milliseconds: 1000, 3000 or 5000
    #[arg(long, value_name = "MS", default_value = "3000", value_parser = settings::exit_ms)]
    exit_ms: u32,
    /// Taker fee one way, bps; by default what each signal counted with
    #[arg(long, value_name = "BPS", value_parser = settings::bps)]
    fee_bps: Option<f64>,
    /// Paid for priority on the entry, bps
    #[arg(long, value_name = "BPS", default_value = "0", value_parser = settings::bps)]
    priority_bps: f64,
    /// Prints the summary as JSON
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(crate) fn run(self) -> Result<(), Failure> {
        // The store tells of a disk in trouble by the log.
        let _screen = log_to_stderr(&Config::default())?;
        if self.sweep.is_empty() && self.configs.len() < 2 {
            for path in &self.captures {
                print(&record::replay(&self, path)?)?;
            }
            return Ok(());
        }
        let mut overrides = self.overrides.clone();
        overrides.push(self.mode.key());
        let settings = match &self.configs[..] {
            files if self.sweep.is_empty() => settings::of_files(files, &overrides),
            [] => settings::grid(&self.sweep, None, &overrides)?,
            [file] => settings::grid(&self.sweep, Some(file), &overrides)?,
            _ => return Err(Failure::usage("--sweep: expected at most one --config with it")),
        };
        self.check_settings(&settings)?;
        let jobs = self.jobs.map_or_else(
            || std::thread::available_parallelism().map_or(1, NonZero::get),
            usize::from,
        );
        let scored = lanes::drive(&self, &settings, jobs)?;
        print(&match self.sweep.is_empty() {
            true => compare::report(&self, &settings, &scored),
            false => sweep::report(&self, &self.sweep, &settings, &scored)?,
        })
    }

    /// What is wrong with a setting is told before the first capture is played.
    fn check_settings(&self, settings: &[Setting]) -> Result<(), Failure> {
        for path in &self.captures {
            let source = Source::open(path)?;
            for (at, setting) in settings.iter().enumerate() {
                let config = setting.config(&source)?;
                setting.rule(self, &config, path)?;
                if at == 0 {
                    source.note_other_mode(&config);
                }
            }
        }
        Ok(())
    }

    /// The settings for a capture: its own, or those of `--config`.
    fn config_for(&self, source: &Source) -> Result<Config, Failure> {
        let mut overrides = self.overrides.clone();
        overrides.push(self.mode.key());
        match self.configs.first() {
            Some(file) => config::load(Some(file), &overrides),
            None => config::from_text(&source.header().config, &source.name, &overrides),
        }
        .map_err(Failure::usage)
    }

    /// An engine that keeps its own time, for a capture that begins at `began`.
    fn player(&self, config: &Config, header: &Header, began: Now) -> Result<Player, Failure> {
        Ok(Player::new(self.engine(config, header)?, Ticks::Due, began))
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
