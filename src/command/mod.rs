//! The commands: one file each, registered in one table.

mod alert;
mod books;
mod check;
mod demo;
mod latency;
mod order_size;
mod preflight;
mod release;
mod replay;
mod report;
mod run;
mod simulate;
mod summary;
mod venue;
mod why;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::runtime::front::DashboardError;
use crate::runtime::host::{self, Options, Outcome, RunError};
use crate::runtime::wallet::WalletError;
use crate::telemetry::{self, Screen};
use crate::types::config::{self, Config};
use crate::types::hard_stop::HardStop;
use crate::types::record::Mode;
use crate::types::time::Nanos;

/// Watches Hyperliquid HIP-3 perpetual markets for quotes that lag the oracle, records what they
/// were worth, and takes them if it is told to.
#[derive(Debug, Parser)]
#[command(name = "hip3", version = crate::runtime::os::version(), max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Start here:
  hip3 demo --duration 60s     everything on this machine: simulated venue, engine, records
  hip3 check                   what config.toml says, with every default (--config names another)
  hip3 run                     the real thing; records go to persistence.data_dir

Before trading:
  hip3 preflight               is the venue, the account and the key as trading needs them?
  hip3 alert                   sends one test alert, and says whether it was taken
  hip3 release --reason all    lets a stopped engine trade again

Afterwards:
  hip3 report                  which markets had an edge, and how sure that is
  hip3 why --market xyz:NVDA --at 14:31:05    why there was an order then, or none

Exit codes: 0 done, 1 failed while running, 2 wrong usage or config, 3 preflight says no-go,
4 stopped by HardStop.";

/// The table of commands. Each says in its own file what it does: words here would hide those from
/// its `--help`.
#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Demo(demo::Demo),
    Venue(venue::Venue),
    Check(check::Check),
    Preflight(preflight::Preflight),
    Release(release::Release),
    Latency(latency::Latency),
    Replay(replay::Replay),
    Report(report::ReportArgs),
    Why(why::Why),
    Alert(alert::Alert),
    Simulate(simulate::Simulate),
}

/// What every command that reads the config takes.
#[derive(Clone, Debug, Args)]
struct ConfigArgs {
    /// The config file
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    config: PathBuf,
    /// Overrides one key of it, e.g. --set detector.min_edge_bps=8; may be repeated
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    overrides: Vec<String>,
}

impl ConfigArgs {
    fn load(&self) -> Result<Config, Failure> {
        config::load(Some(&self.config), &self.overrides).map_err(Failure::usage)
    }
}

/// `--mode`
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeArg {
    /// Watches and records
    Observation,
    /// Also takes them: sends orders, and holds positions for seconds
    Trading,
}

impl ModeArg {
    /// As an override of the config, so that the rules of the mode are checked with the rest.
    fn key(self) -> String {
        let mode = match self {
            ModeArg::Observation => Mode::Observation,
            ModeArg::Trading => Mode::Trading,
        };
        format!("mode={}", mode.name())
    }
}

/// Why a command failed, and the exit code that says so.
#[derive(Debug)]
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Wrong usage or config.
    fn usage(error: impl std::fmt::Display) -> Self {
        Self { code: 2, message: error.to_string() }
    }

    /// Something that failed while running.
    fn runtime(error: impl std::fmt::Display) -> Self {
        Self { code: 1, message: error.to_string() }
    }

    /// HardStop held at the end.
    fn hard_stop(latch: &HardStop) -> Self {
        let message = format!("stopped by HardStop: {latch} (see hip3 release)");
        Self { code: 4, message }
    }
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => args.run(),
        Command::Demo(args) => args.run(),
        Command::Venue(args) => args.run(),
        Command::Check(args) => args.run(),
        Command::Preflight(args) => args.run(),
        Command::Release(args) => args.run(),
        Command::Latency(args) => args.run(),
        Command::Replay(args) => args.run(),
        Command::Report(args) => args.run(),
        Command::Why(args) => args.run(),
        Command::Alert(args) => args.run(),
        Command::Simulate(args) => args.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to do when even this cannot be written.
            let _ = writeln!(io::stderr(), "hip3: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// Sets up the log and the status line on standard error.
fn log_to_stderr(config: &Config) -> Result<Screen, Failure> {
    let color = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    telemetry::init(&config.telemetry, color).map_err(Failure::runtime)
}

/// Reads a duration such as `60s`, `15m`, `12h`, `500ms` or `60` (seconds).
fn duration(text: &str) -> Result<Nanos, String> {
    let expected = || format!("{text:?}: expected a duration such as 500ms, 60s, 15m or 12h");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(expected()),
    };
    let ms = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit_ms));
    match ms {
        Some(ms) if ms > 0 => Ok(Nanos::from_millis(ms)),
        Some(_) | None => Err(expected()),
    }
}

/// Runs the engine live.
///
/// Errors: whatever kept it from beginning or from ending in order.
fn run_live(config: &Config, options: Options) -> Result<Outcome, Failure> {
    host::run(config, options, &log_to_stderr(config)?).map_err(|error| match error {
        RunError::Wallet(WalletError::Lock(_)) => Failure::runtime(error),
        RunError::CaptureExists(_)
        | RunError::Wallet(_)
        | RunError::Alerts(_)
        | RunError::Dashboard(DashboardError::Token(_)) => Failure::usage(error),
        error => Failure::runtime(error),
    })
}

/// What the end of a run says beside its summary: a capture that broke off, or HardStop.
fn verdict(outcome: Outcome) -> Result<(), Failure> {
    let latch = outcome.report.status.trading.hard_stop.lasting();
    match outcome.captured {
        // First of all that the next run begins stopped.
        _ if latch.active() => Err(Failure::hard_stop(&latch)),
        Some(Err(error)) => Err(Failure::runtime(error)),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// Writes to standard output. A reader that has gone away (`| head`) is no error.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::runtime(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_table_of_commands_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_each_command_says_more_than_its_line_in_the_list() {
        for command in Cli::command().get_subcommands() {
            let text = |about: Option<&clap::builder::StyledStr>| {
                about.map(ToString::to_string).unwrap_or_default()
            };
            let (line, whole) = (text(command.get_about()), text(command.get_long_about()));
            assert!(!line.is_empty() && whole.len() > line.len(), "{}", command.get_name());
        }
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("60s"), Ok(Nanos::from_secs(60)));
        assert_eq!(duration("60"), Ok(Nanos::from_secs(60)));
        assert_eq!(duration("2m"), Ok(Nanos::from_secs(120)));
        assert_eq!(duration("1h"), Ok(Nanos::from_secs(3600)));
        assert_eq!(duration("250ms"), Ok(Nanos::from_millis(250)));
        for wrong in ["", "s", "0s", "-1s", "1d", "1.5s", "99999999999999999999h"] {
            duration(wrong).expect_err(wrong);
        }
    }
}
