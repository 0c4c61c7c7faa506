//! A grid of settings: one row a point.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::command::Failure;
use crate::command::replay::Replay;
use crate::command::replay::compare::figures_as_json;
use crate::command::replay::score::{Figures, Scored};
use crate::command::replay::settings::{Axis, Setting};
use crate::command::replay::table::{count, decimal, percent, table};

/// A column behind those of the keys.
type Column = (&'static str, fn(&Figures) -> Cell);

/// What stands in it.
enum Cell {
    Count(u64),
    Figure(Option<f64>),
    Share(Option<f64>),
    Words(String),
}

use Cell::{Count, Figure, Share, Words};

const COLUMNS: [Column; 14] = [
    ("signals", |f| Count(f.signals)),
    ("blocked", |f| Count(f.blocked)),
    ("below_minimum", |f| Count(f.below_minimum)),
    ("in_gap", |f| Count(f.in_gap)),
    ("unseen", |f| Count(f.unseen)),
    ("no_exit", |f| Count(f.no_exit)),
    ("crosses", |f| Count(f.crosses)),
    ("valued", |f| Count(f.valued)),
    ("fills", |f| Count(f.fills)),
    ("wins", |f| Count(f.wins)),
    ("fill_rate", |f| Share(f.fill_rate())),
    ("win_rate", |f| Share(f.win_rate())),
    ("mean_value_bps", |f| Figure(f.mean_value_bps())),
    ("usd", |f| Figure(Some(f.usd))),
];

/// Columns of a grid that trades, behind the others.
const TRADING: [Column; 9] = [
    ("entries", |f| Count(f.trading.entries_sent())),
    ("entries_filled", |f| Count(f.entries_filled())),
    ("round_trips", |f| Count(f.trading.round_trips())),
    ("trip_wins", |f| Count(f.trading.wins)),
    ("fees_usd", |f| Figure(Some(f.trading.fees.units() as f64 / 1e6))),
    ("net_usd", |f| Figure(Some(f.trading.net.units() as f64 / 1e6))),
    ("left_open", |f| Count(f.left_open)),
    ("left_usd", |f| Figure(Some(f.left_usd.units() as f64 / 1e6))),
    ("stopped_by", |f| Words(f.stops())),
];

/// Columns that only the CSV has: why signals were not valued.
const CSV_ALONE: [&str; 4] = ["below_minimum", "in_gap", "unseen", "no_exit"];

fn columns(scored: &[Scored]) -> Vec<Column> {
    let trades = scored.iter().any(|scored| scored.total.traded());
    COLUMNS.into_iter().chain(TRADING.into_iter().filter(|_| trades)).collect()
}

/// The file that a grid is written to.
#[derive(Debug)]
pub(super) struct Csv {
    file: File,
    path: PathBuf,
}

impl Csv {
    /// Opened before anything is played: hours later is no time to learn of a wrong path. What stands
    /// in the file stays there until the grid is written.
    pub(super) fn open(path: &Path, captures: &[PathBuf]) -> Result<Self, Failure> {
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| cannot_write(path, &error))?;
        let place = path.canonicalize().ok();
        if place.is_some() && captures.iter().any(|capture| capture.canonicalize().ok() == place) {
            return Err(Failure::usage(format!(
                "--csv {}: expected another file than the captures",
                path.display()
            )));
        }
        Ok(Self { file, path: path.to_owned() })
    }

    fn write(mut self, text: &str) -> Result<(), Failure> {
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(text.as_bytes()));
        written.map_err(|error| cannot_write(&self.path, &error))
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::runtime(format!("{}: cannot be written: {error}", path.display()))
}

/// The report, as text or JSON; the CSV beside it, if it is asked for.
pub(super) fn report(
    args: &Replay,
    csv: Option<Csv>,
    settings: &[Setting],
    scored: &[Scored],
) -> Result<String, Failure> {
    let axes = &args.sweep;
    if let Some(csv) = csv {
        csv.write(&as_csv(axes, settings, scored))?;
    }
    if args.json {
        return Ok(format!("{:#}\n", as_json(args, axes, settings, scored)));
    }
    let mut text = String::new();
    let _ = writeln!(
        text,
        "value of a signal: entered {} ms late, left after {} ms, after fees\n",
        args.latency_ms(),
        args.exit_ms()
    );
    let columns: Vec<Column> =
        columns(scored).into_iter().filter(|(name, _)| !CSV_ALONE.contains(name)).collect();
    let names: Vec<String> = columns.iter().map(|(name, _)| name.replace('_', " ")).collect();
    let mut head: Vec<&str> = axes.iter().map(|axis| axis.key.as_str()).collect();
    head.extend(names.iter().map(String::as_str));
    let rows = settings.iter().zip(scored).map(|(setting, scored)| {
        let cell = |(_, of): &Column| match of(&scored.total) {
            Count(number) => count(number),
            Figure(figure) => decimal(figure),
            Share(share) => percent(share),
            Words(words) => words,
        };
        setting.point.iter().cloned().chain(columns.iter().map(cell)).collect()
    });
    table(&mut text, &head, rows);
    Ok(text)
}

/// One line a point; what is not known is empty.
fn as_csv(axes: &[Axis], settings: &[Setting], scored: &[Scored]) -> String {
    let columns = columns(scored);
    let mut text = String::new();
    let head =
        axes.iter().map(|axis| axis.key.as_str()).chain(columns.iter().map(|(name, _)| *name));
    text.push_str(&head.map(quoted).collect::<Vec<_>>().join(","));
    text.push('\n');
    for (setting, scored) in settings.iter().zip(scored) {
        let cell = |(_, of): &Column| match of(&scored.total) {
            Count(number) => number.to_string(),
            Figure(figure) | Share(figure) => figure.map_or(String::new(), |f| f.to_string()),
            Words(words) => quoted(&words),
        };
        let point = setting.point.iter().map(|value| quoted(value));
        let line: Vec<String> = point.chain(columns.iter().map(cell)).collect();
        text.push_str(&line.join(","));
        text.push('\n');
    }
    text
}

/// A field of a CSV file.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn as_json(args: &Replay, axes: &[Axis], settings: &[Setting], scored: &[Scored]) -> Value {
    let points: Vec<Value> = settings
        .iter()
        .zip(scored)
        .map(|(setting, scored)| {
            let set: serde_json::Map<_, _> = axes
                .iter()
                .zip(&setting.point)
                .map(|(axis, value)| (axis.key.clone(), json!(value)))
                .collect();
            let mut point = figures_as_json(&scored.total);
            point["set"] = Value::Object(set);
            point
        })
        .collect();
    json!({
        "captures": args.captures,
        "latency_ms": args.latency_ms(),
        "exit_ms": args.exit_ms(),
        "points": points,
    })
}
