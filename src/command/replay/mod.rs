//! `hip3 replay`

mod check;
mod compare;
mod fill;
mod lanes;
mod left;
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

use crate::command::replay::fill::latency::{Fill, Latency};
use crate::command::replay::fill::{Exchange, Terms};
use crate::command::replay::player::Player;
use crate::command::replay::settings::Axis;
use crate::command::replay::sweep::Csv;
use crate::command::{Failure, ModeArg, log_to_stderr, print};
use crate::engine::Engine;
use crate::runtime::capture::{Header, Reader};
use crate::runtime::wallet::{ephemeral_key, wallet};
use crate::types::config::{self, Config};
use crate::types::hard_stop::HardStop;
use crate::types::ids::Address;
use crate::types::num::Usd;
use crate::types::record::Mode;
use crate::types::time::Now;

/// Drives the engine from captures, as fast as it can
///
/// Captures are made by `hip3 run --capture FILE`, and may be compressed by zstd; the rows are the same
/// that the live runs wrote.
///
/// The settings are those of the captured run, unless `--config` or `--set` says otherwise; the mode
/// is observation, unless `--mode` says otherwise. In trading mode nothing is sent either: actions
/// are signed with a key made for the replay, and the captured answers are heard, or with `--fill` those
/// of a venue that mirrors the captured book: an order reaches it after the latency and waits for the
/// next block, and what the capture shows after that block is what is left for it. A capture that breaks
/// off, as a killed run leaves it, is ended as a stop would have ended it.
///
/// With several `--config` the captures go through one engine each, side by side, and the report says
/// what each found, what it was worth, and how it differs from the first. With `--sweep` they go
/// through one engine a point of a grid, and it says what each came to. Neither writes records.
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
    /// Where the day files go: each capture's into a directory of its own, named by its run; by default
    /// into data/replay
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
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
    /// Values signals of several settings as entered so long after them, milliseconds; by default 400
    #[arg(long, value_name = "MS")]
    latency_ms: Option<u32>,
    /// And left so long after them, milliseconds: 1000, 3000 (the default) or 5000
    #[arg(long, value_name = "MS", value_parser = settings::exit_ms)]
    exit_ms: Option<u32>,
    /// Taker fee one way, bps; by default what each signal counted with
    #[arg(long, value_name = "BPS", value_parser = settings::bps)]
    fee_bps: Option<f64>,
    /// Paid for priority on the entry, bps; by default nothing
    #[arg(long, value_name = "BPS", value_parser = settings::bps)]
    priority_bps: Option<f64>,
    /// Fills the orders of trading mode against the captured book, after fixed:400ms or a latency drawn
    /// from the answers that a run measured, recorded:FILE.hlog; with ,answer=275ms behind it so much of
    /// that comes after the block, else nothing. Account frames of the capture are left out
    #[arg(long, value_name = "LATENCY", value_parser = fill::latency::fill)]
    fill: Option<Fill>,
    /// Decides over latencies that are drawn
    #[arg(long, default_value_t = 1, requires = "fill")]
    seed: u64,
    /// What the account holds at the start of each capture, USD
    #[arg(long, value_name = "USD", default_value = "10000", requires = "fill", value_parser = deposit)]
    deposit: Usd,
    /// Prints the summary as JSON
    #[arg(long)]
    json: bool,
}

fn deposit(text: &str) -> Result<Usd, String> {
    let known = Usd::parse(text.as_bytes()).filter(|usd| usd.is_positive());
    known.ok_or_else(|| "expected USD above zero in plain decimals".to_owned())
}

impl Replay {
    pub(crate) fn run(self) -> Result<(), Failure> {
        // The store tells of a disk in trouble by the log.
        let _screen = log_to_stderr(&Config::default())?;
        let trading = matches!(self.mode, ModeArg::Trading);
        if self.fill.is_some() && !trading {
            return Err(Failure::usage("--fill: expected --mode trading with it"));
        }
        let overrides = &self.overrides;
        settings::check_keys(&self.sweep, overrides)?;
        let settings = match &self.configs[..] {
            [] if self.sweep.is_empty() => vec![settings::captured(overrides)],
            files if self.sweep.is_empty() => settings::of_files(files, overrides),
            [] => settings::grid(&self.sweep, None, overrides)?,
            [file] => settings::grid(&self.sweep, Some(file), overrides)?,
            _ => return Err(Failure::usage("--sweep: expected at most one --config with it")),
        };
        let alone = settings.len() == 1 && self.sweep.is_empty();
        self.check_options(alone)?;
        if trading && self.fill.is_none() && !alone {
            return Err(Failure::usage(
                "--mode trading with several settings: expected --fill, since the captured answers are \
                 to the orders of one",
            ));
        }
        let terms = self.terms()?;
        self.check_captures(&settings, alone)?;
        if let ([setting], true) = (&settings[..], alone) {
            for path in &self.captures {
                print(&record::replay(&self, setting, path, terms.as_ref())?)?;
            }
            return Ok(());
        }
        let csv = self.csv.as_ref().map(|path| Csv::open(path, &self.captures)).transpose()?;
        let jobs = self.jobs.map_or_else(
            || std::thread::available_parallelism().map_or(1, NonZero::get),
            usize::from,
        );
        let scored = lanes::drive(&self, &settings, jobs, terms.as_ref())?;
        print(&match self.sweep.is_empty() {
            true => compare::report(&self, &settings, &scored),
            false => sweep::report(&self, csv, &settings, &scored)?,
        })
    }

    /// How long after its signal an entry is valued.
    fn latency_ms(&self) -> u32 {
        self.latency_ms.unwrap_or(400)
    }

    /// And an exit.
    fn exit_ms(&self) -> u32 {
        self.exit_ms.unwrap_or(3_000)
    }

    /// What orders are filled by, if they are.
    fn terms(&self) -> Result<Option<Terms>, Failure> {
        let Some(fill) = &self.fill else { return Ok(None) };
        let latency = Latency::of(fill)?;
        Ok(Some(Terms { latency, seed: self.seed, deposit: self.deposit }))
    }
}

/// The engine that was captured, and who fills its orders if there are `terms`. One that trades signs
/// with a key of its own: what it signs goes nowhere, and nothing that it records depends on it.
/// HardStop begins released.
fn player(
    config: &Config,
    header: &Header,
    began: Now,
    terms: Option<&Terms>,
) -> Result<Player, Failure> {
    let (first_id, seed) = (header.first_id, header.seed);
    if config.mode == Mode::Observation {
        let engine = Engine::new(config, first_id, seed);
        return Ok(Player::new(heard_by(header, engine, false), None, began));
    }
    let key = ephemeral_key().map_err(Failure::runtime)?;
    let signer = key.address().to_string();
    let exchange = match terms {
        None => None,
        Some(terms) => Some(Exchange::new(terms, config, &signer, began)?),
    };
    let (wallet, _) = wallet(config, key).map_err(Failure::usage)?;
    let account = config.account.user_address.as_deref().unwrap_or(&wallet.user);
    let account = Address::parse(account).filter(|_| !header.signer_role);
    let engine = Engine::trading(config, first_id, seed, wallet, HardStop::default());
    let engine = heard_by(header, engine, exchange.is_some());
    Ok(Player::new(engine, exchange, began).signing_for(account))
}

/// An engine as this capture can tell it of time: with an exchange deadlines are told between the lines.
fn heard_by(header: &Header, mut engine: Engine, exchange: bool) -> Engine {
    if !(header.heartbeat || exchange) {
        engine.without_heartbeat();
    }
    engine
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

    /// What the captured run kept its link by. The rest of its config may be of another version.
    fn websocket(&self) -> Result<config::WebSocket, Failure> {
        let section = "websocket";
        let refused = |error: &dyn std::fmt::Display| {
            Failure::usage(format!("{}: its config cannot be read: {error}", self.name))
        };
        let mut whole: toml::Table = self
            .header()
            .config
            .parse()
            .map_err(|error: toml::de::Error| refused(&error.message()))?;
        let own: toml::Table =
            whole.remove(section).map(|own| (section.to_owned(), own)).into_iter().collect();
        let text = toml::to_string(&own).map_err(|error| refused(&error))?;
        let config = config::from_text(&text, &self.name, &[]).map_err(Failure::usage)?;
        Ok(config.websocket)
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
