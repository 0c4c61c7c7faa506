//! `hip3 report`

mod csv;
mod days;
mod moment;
mod packed;
mod page;
mod survey;
mod table;
mod toml;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Args;

use self::moment::moment;
use self::survey::Survey;
use crate::command::{Failure, print};
use crate::report::Settings;
use crate::report::answer::{Maker, Market, Report};
use crate::report::sessions::Calendar;
use crate::report::tally::Tally;
use crate::report::trip::{Plan, PlanError};
use crate::types::config::{self, Config};
use crate::types::time::Wall;

/// The config that is read when none is named, if it is there.
const CONFIG: &str = "config.toml";

/// Says from the records which markets had an edge, and how sure that is.
///
/// Each signal that no gate blocked is valued as a round trip: in at its price, as much as was still there
/// after --latency-ms, out at the other side of the book after --exit-ms, fees paid both ways. A miss is
/// worth zero. Signals of one move are one episode, and the intervals count episodes. Per market it
/// tells how long quotes stood, how fast edges went, what they were worth by hour and session, what the
/// gates kept out, and which threshold would have held on days it was not fitted on.
///
///   hip3 report                                    what persistence.data_dir holds
///   hip3 report data/signals --from 2026-11-01 --toml thresholds.toml
///
/// What a run that goes on has in its journal and in no day file yet counts too. Times are UTC.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ReportArgs {
    /// Where the records are; else persistence.data_dir of the config
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leaves out what was before, e.g. 2026-11-22 or 2026-11-22T14:00
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<Wall>,
    /// Leaves out this moment and what was after
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<Wall>,
    /// Only this market, e.g. xyz:NVDA; may be repeated
    #[arg(long = "market", value_name = "COIN")]
    markets: Vec<String>,
    /// When the entry would have arrived; between two probes it is interpolated
    #[arg(long, value_name = "MS", default_value_t = 400)]
    latency_ms: u32,
    /// When the position would have been left: 1000, 3000 or 5000
    #[arg(long, value_name = "MS", default_value_t = 3000)]
    exit_ms: u32,
    /// Of the intervals, two-sided: 99 %, since many markets are judged at once
    #[arg(long, value_name = "SHARE", default_value_t = 0.99, value_parser = confidence)]
    confidence: f64,
    /// Fewer episodes give no verdict
    #[arg(long, value_name = "N", default_value_t = 30)]
    min_episodes: u64,
    /// Taker fee, one way; else what each signal says
    #[arg(long, value_name = "BPS", value_parser = cost)]
    fee_bps: Option<f64>,
    /// Paid on the entry for priority
    #[arg(long, value_name = "BPS", default_value_t = 0.0, value_parser = cost)]
    priority_bps: f64,
    /// The clock by which the sessions and holidays of the New York Stock Exchange are told
    #[arg(long, value_name = "ZONE", default_value = "America/New_York", value_parser = Calendar::named)]
    time_zone: Calendar,
    /// How many threads read; else as many as there are cores
    #[arg(long, value_name = "N", value_parser = jobs)]
    jobs: Option<usize>,
    /// Writes one self-contained page with plots
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes a row for each market, side and hour
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Writes the thresholds that held, as a piece of config
    #[arg(long, value_name = "FILE")]
    toml: Option<PathBuf>,
    /// How fine the printed tables are
    #[arg(long, value_enum, default_value_t = table::By::Market)]
    by: table::By,
    /// Prints everything as JSON
    #[arg(long)]
    json: bool,
    /// The config file; else config.toml if there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Overrides one key of it; may be repeated
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    overrides: Vec<String>,
}

/// A thousand draws say nothing of what lies beyond.
const MOST_SURE: f64 = 0.998;

fn confidence(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.5..=MOST_SURE).contains(share));
    share.ok_or_else(|| "expected a share from 0.5 to 0.998, e.g. 0.99".to_owned())
}

fn cost(text: &str) -> Result<f64, String> {
    let bps = text.parse::<f64>().ok().filter(|bps| (0.0..=10_000.0).contains(bps));
    bps.ok_or_else(|| "expected bps from 0 to 10000".to_owned())
}

fn jobs(text: &str) -> Result<usize, String> {
    let jobs = text.parse::<usize>().ok().filter(|jobs| (1..=256).contains(jobs));
    jobs.ok_or_else(|| "expected 1 to 256".to_owned())
}

impl ReportArgs {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let config = self.config()?;
        let dir = self.dir.clone().unwrap_or_else(|| config.persistence.data_dir.clone());
        let report = self.report(&config, &dir)?;
        for warning in &report.warnings {
            days::note(&format!("warning: {warning}"));
        }
        if let Some(path) = &self.html {
            let json = serde_json::to_string(&report).map_err(Failure::runtime)?;
            write(path, &page::page(&json).map_err(Failure::runtime)?)?;
        }
        if let Some(path) = &self.csv {
            write(path, &csv::text(&report))?;
        }
        if let Some(path) = &self.toml {
            write(path, &toml::text(&report))?;
        }
        if self.json {
            let json = serde_json::to_string_pretty(&report).map_err(Failure::runtime)?;
            return print(&format!("{json}\n"));
        }
        print(&table::text(&report, self.by))
    }

    fn config(&self) -> Result<Config, Failure> {
        let usual = Path::new(CONFIG);
        let file = self.config.as_deref().or_else(|| usual.exists().then_some(usual));
        config::load(file, &self.overrides).map_err(Failure::usage)
    }

    fn settings(&self) -> Settings {
        Settings {
            latency_ms: self.latency_ms,
            exit_ms: self.exit_ms,
            confidence: self.confidence,
            min_episodes: self.min_episodes,
            fee_bps: self.fee_bps,
            priority_bps: self.priority_bps,
            calendar: self.time_zone.clone(),
            from: self.from,
            to: self.to,
        }
    }

    fn report(&self, config: &Config, dir: &Path) -> Result<Report, Failure> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(Failure::usage("--from: expected a moment before --to"));
        }
        if self.toml.is_some() && !self.markets.is_empty() {
            return Err(Failure::usage(
                "--toml: expected without --market: a threshold leans on the mean of all markets of its dex",
            ));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.jobs.unwrap_or(cores);
        let settings = self.settings();
        let mut survey =
            Survey::read(dir, &settings, &self.markets, config.detector.slippage.to_f64())?;
        let plan = match Plan::new(survey.latencies_ms.clone(), self.latency_ms, self.exit_ms) {
            // Without a signal there is nothing that a probe could tell.
            Err(PlanError::NoProbes(_)) if !survey.has_signals() => {
                Plan::empty(self.latency_ms, self.exit_ms)
            }
            plan => plan,
        };
        let plan = plan.map_err(Failure::usage)?;
        survey.weigh(&plan);
        let mut tally = Tally::new(&plan);
        days::tally(&mut survey, &plan, &settings, jobs, &mut tally)?;
        let (read, open) = survey.end(&mut tally, &settings);
        if let (true, [_, ..]) = (tally.days.is_empty(), read.warnings.as_slice())
            && self.markets.is_empty()
        {
            return Err(Failure::runtime(read.warnings.join("\nhip3: ")));
        }
        let maker = Maker::new(&tally, &read, open, &settings, &plan);
        Ok(maker.report(markets(&maker, jobs)))
    }
}

/// The figures of every market, on so many threads.
fn markets(maker: &Maker<'_>, jobs: usize) -> Vec<Market> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= maker.markets() {
                return done;
            }
            done.extend(maker.market(at));
        }
    };
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..jobs).map(|_| scope.spawn(work)).collect();
        all.extend(work());
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    all
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        Failure::runtime(format!("{}: cannot be written: {error}", path.display()))
    })
}
