//! `hip3 latency`

mod page;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use hdrhistogram::Histogram;
use serde_json::json;

use crate::command::summary::span;
use crate::command::{Failure, print};
use crate::telemetry::dumps::{self, Dumped};
use crate::types::latency::Stage;
use crate::types::time::{DAY_NS, Nanos, Wall};

/// Rows of the table over time.
const ROWS: usize = 12;
/// Points of a time line.
const POINTS: usize = 240;
/// What is told of each stage.
const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];

/// Prints percentiles from latency dumps: how long each stage of an order's way took.
///
/// A run writes them to telemetry.latency_dir, a file a day, as HdrHistogram interval logs: any tool
/// that reads those can be used as well. Stages are told apart by their tags:
///
///   parse          a market data frame becomes fields
///   decide         what becomes of them: gates, edges, checks
///   sign           an action with orders is packed, hashed and signed
///   send           it is framed and handed to the socket
///   tick_to_order  from the last byte of the frame to the return of that write
///   ring_lag       a row lies in the ring to the recorder
///   order_rtt      from the write of an order to the venue's answer
///   turn           a turn of the loop that handled something
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Latency {
    /// Dumps, as data/latency/latency_20261122.hlog
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only this stage; may be repeated
    #[arg(long = "stage", value_name = "NAME", value_parser = known_stage)]
    stages: Vec<String>,
    /// Writes one self-contained page with plots
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

fn known_stage(name: &str) -> Result<String, String> {
    let names = || Stage::ALL.map(Stage::name).join(", ");
    let stage = Stage::named(name).ok_or_else(|| format!("expected one of {}", names()))?;
    Ok(stage.name().to_owned())
}

impl Latency {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (mut all, mut broken) = (Vec::new(), 0);
        for file in &self.files {
            let (dumped, lines) = dumps::read(file).map_err(Failure::runtime)?;
            all.extend(dumped);
            broken += lines;
        }
        if !self.stages.is_empty() {
            all.retain(|one| self.stages.contains(&name(one)));
        }
        let nothing = || Failure::runtime("no interval of these stages is in the files");
        let report = Report::of(&all, broken, ROWS).ok_or_else(nothing)?;
        if let Some(path) = &self.html {
            let report = Report::of(&all, broken, POINTS).ok_or_else(nothing)?;
            std::fs::write(path, page::page(&report)).map_err(|error| {
                Failure::runtime(format!("{}: cannot be written: {error}", path.display()))
            })?;
        }
        print(&if self.json { format!("{:#}\n", report.as_json()) } else { report.as_text() })
    }
}

/// What an interval is of; dumps of other tools may have no tags.
fn name(one: &Dumped) -> String {
    one.tag.clone().unwrap_or_else(|| "untagged".to_owned())
}

/// Where a stage stands in tables: on its way, and what is unknown last, by name.
fn place(stage: &str) -> (usize, &str) {
    let known = Stage::named(stage).map(|stage| stage as usize);
    (known.unwrap_or(usize::MAX), stage)
}

/// The figures.
struct Report {
    from: Wall,
    to: Wall,
    intervals: usize,
    broken: usize,
    /// All of it, by stage, in the order of the way.
    whole: Vec<(String, Histogram<u64>)>,
    /// The same over time, in equal parts.
    parts: Vec<Part>,
}

/// A part of the time.
struct Part {
    from: Wall,
    stages: BTreeMap<String, Histogram<u64>>,
}

impl Report {
    /// `None` when there is nothing to report on. Time is cut into so many parts.
    fn of(all: &[Dumped], broken: usize, parts_at_most: usize) -> Option<Self> {
        let from = all.iter().map(|one| one.began).min()?;
        let to = all.iter().map(|one| one.began.plus(one.lasted)).max()?;
        let length = to.0.saturating_sub(from.0).max(1);
        let mut whole = BTreeMap::new();
        let mut parts: BTreeMap<i64, Part> = BTreeMap::new();
        for one in all {
            add(whole.entry(name(one)), &one.counts);
            let offset = i128::from(one.began.0.saturating_sub(from.0)) * parts_at_most as i128;
            let part = i64::try_from(offset / i128::from(length)).unwrap_or(0);
            let part = parts
                .entry(part)
                .or_insert_with(|| Part { from: one.began, stages: BTreeMap::new() });
            part.from = part.from.min(one.began);
            add(part.stages.entry(name(one)), &one.counts);
        }
        let mut whole: Vec<_> = whole.into_iter().collect();
        whole.sort_by(|(a, _), (b, _)| place(a).cmp(&place(b)));
        let parts = parts.into_values().collect();
        Some(Self { from, to, intervals: all.len(), broken, whole, parts })
    }

    fn as_text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "latency from {} to {} UTC, {} intervals",
            moment(self.from),
            moment(self.to),
            self.intervals
        );
        if self.broken > 0 {
            let _ = writeln!(text, "{} lines make no sense and are left out", self.broken);
        }
        let _ = write!(text, "\n  {:<15}{:>14}", "stage", "count");
        for (name, _) in QUANTILES {
            let _ = write!(text, "{name:>11}");
        }
        text.push('\n');
        for (stage, counts) in &self.whole {
            let _ = write!(text, "  {stage:<15}{:>14}", counts.len());
            for (_, quantile) in QUANTILES {
                let _ = write!(text, "{:>11}", at(counts, quantile));
            }
            text.push('\n');
        }
        if self.parts.len() > 1 {
            self.write_parts(&mut text);
        }
        text
    }

    fn write_parts(&self, text: &mut String) {
        let _ = write!(text, "\n  {:<21}", "p99 from");
        for (stage, _) in &self.whole {
            let _ = write!(text, "{stage:>15}");
        }
        text.push('\n');
        for part in &self.parts {
            let _ = write!(text, "  {:<21}", moment(part.from));
            for (stage, _) in &self.whole {
                let p99 = part.stages.get(stage).map_or("-".to_owned(), |c| at(c, 0.99));
                let _ = write!(text, "{p99:>15}");
            }
            text.push('\n');
        }
    }

    fn as_json(&self) -> serde_json::Value {
        let stages = |stages: &mut dyn Iterator<Item = (&String, &Histogram<u64>)>| {
            let stages = stages.map(|(stage, counts)| (stage.clone(), as_json(counts)));
            stages.collect::<serde_json::Value>()
        };
        json!({
            "from_ns": self.from.0,
            "to_ns": self.to.0,
            "intervals": self.intervals,
            "broken_lines": self.broken,
            "stages": stages(&mut self.whole.iter().map(|(stage, counts)| (stage, counts))),
            "over_time": self.parts.iter().map(|part| json!({
                "from_ns": part.from.0,
                "stages": stages(&mut part.stages.iter()),
            })).collect::<Vec<_>>(),
        })
    }
}

fn add(
    entry: std::collections::btree_map::Entry<'_, String, Histogram<u64>>,
    counts: &Histogram<u64>,
) {
    let sum = entry.or_insert_with(|| {
        let mut empty = Histogram::new_from(counts);
        empty.auto(true);
        empty
    });
    // It grows by itself: nothing is too long for it.
    let _ = sum.add(counts);
}

fn at(counts: &Histogram<u64>, quantile: f64) -> String {
    span(Nanos(counts.value_at_quantile(quantile)))
}

fn as_json(counts: &Histogram<u64>) -> serde_json::Value {
    let at = |quantile| counts.value_at_quantile(quantile);
    json!({
        "count": counts.len(),
        "p50_ns": at(0.5),
        "p99_ns": at(0.99),
        "p99_9_ns": at(0.999),
        "p99_99_ns": at(0.9999),
        "max_ns": counts.max(),
    })
}

/// A moment to the second.
fn moment(at: Wall) -> String {
    let (year, month, day) = at.day().civil();
    let second = at.0.rem_euclid(DAY_NS) / 1_000_000_000;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn dumped(tag: &str, began_s: i64, lengths: &[u64]) -> Dumped {
        let mut counts = Histogram::new(3).expect("a histogram");
        lengths.iter().for_each(|length| counts.record(*length).expect("it fits"));
        let began = Wall(began_s * 1_000_000_000);
        Dumped { tag: Some(tag.to_owned()), began, lasted: Nanos::from_secs(10), counts }
    }

    #[test]
    fn stages_are_summed_over_files_and_told_over_time() {
        let all = [
            dumped("turn", 0, &[900]),
            dumped("parse", 0, &[100, 200]),
            dumped("parse", 110, &[300_000]),
            dumped("zoo", 0, &[1]),
        ];
        let report = Report::of(&all, 2, ROWS).expect("a report");
        let text = report.as_text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "latency from 1970-01-01 00:00:00 to 1970-01-01 00:02:00 UTC, 4 intervals"
        );
        assert!(lines[1].starts_with("2 lines make no sense"), "{text}");
        let stages: Vec<&str> =
            lines[4..7].iter().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(stages, ["parse", "turn", "zoo"], "on the way, and strangers last");
        assert!(lines[4].contains("200 ns") && lines[4].ends_with("300.0 µs"), "{text}");
        assert_eq!(report.parts.len(), 2);
        assert!(lines[10].contains("1970-01-01 00:01:50") && lines[10].contains(" - "), "{text}");
        let json = report.as_json();
        assert_eq!(json["stages"]["parse"]["count"], 3);
        assert_eq!(json["over_time"][0]["stages"]["parse"]["count"], 2);
    }

    #[test]
    fn columns_are_aligned() {
        let all = [dumped("tick_to_order", 0, &[1_234_567_890]), dumped("parse", 0, &[1])];
        let text = Report::of(&all, 0, ROWS).expect("a report").as_text();
        let table: Vec<usize> = text.lines().skip(2).map(|line| line.chars().count()).collect();
        assert!(table.windows(2).all(|two| two[0] == two[1]), "{text}");
    }

    #[test]
    fn a_stage_has_to_be_one() {
        assert_eq!(known_stage("sign"), Ok("sign".to_owned()));
        assert!(known_stage("sing").expect_err("no stage").contains("tick_to_order"));
    }
}
