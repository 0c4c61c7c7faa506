//! The summary at the end of a run, for people or as JSON.

use std::fmt::Write;

use serde_json::json;

use crate::runtime::host::Outcome;
use crate::runtime::meter::{Interval, Measured};
use crate::runtime::tally::{MarketTally, Tally};
use crate::types::latency::Stage;
use crate::types::record::{FOLLOW_UP_MS, Gate, RowKind};
use crate::types::snapshot::Percentiles;
use crate::types::status::Status;
use crate::types::time::Nanos;

mod trading;

pub(crate) use trading::figures_of as trading_as_json;

/// Markets listed in the table; the JSON lists all.
const MOST_MARKETS: usize = 15;

/// The summary of a live run.
pub(crate) fn of_run(outcome: &Outcome) -> String {
    let report = &outcome.report;
    let mut text = String::new();
    let seconds = report.lasted.0 as f64 / 1e9;
    let _ = writeln!(text, "\nrun {} lasted {seconds:.1} s", outcome.run_id);
    let _ = writeln!(
        text,
        "  loop      {} turns, longest {} µs; hot thread {}",
        report.turns,
        report.longest_turn.as_micros(),
        outcome.pinning,
    );
    write_figures(&mut text, &report.status, seconds);
    let (rows, notes) = (outcome.records.rows_dropped, report.notes_lost);
    if rows + notes > 0 {
        let _ =
            writeln!(text, "  LOST      {rows} rows that the disk did not take, {notes} log notes");
    }
    write_latency(&mut text, &outcome.latency);
    write_markets(&mut text, &outcome.tally);
    trading::write_markets(&mut text, &outcome.tally);
    write_files(&mut text, &outcome.records.files);
    if let Some(Ok(lines)) = &outcome.captured {
        let _ = writeln!(text, "\ncaptured {lines} lines");
    }
    text
}

/// The same as JSON.
pub(crate) fn of_run_as_json(outcome: &Outcome) -> serde_json::Value {
    let report = &outcome.report;
    let mut summary = figures(&report.status, &outcome.tally, &outcome.records.rows);
    summary["run_id"] = json!(outcome.run_id);
    summary["seconds"] = json!(report.lasted.0 as f64 / 1e9);
    summary["turns"] = json!(report.turns);
    summary["longest_turn_us"] = json!(report.longest_turn.as_micros());
    summary["turn_lengths"] = turns_as_json(&outcome.latency);
    summary["latency"] = latency_as_json(&outcome.latency);
    summary["captured_lines"] = json!(outcome.captured.as_ref().and_then(|c| c.as_ref().ok()));
    summary["rows_dropped"] = json!(outcome.records.rows_dropped);
    summary["notes_lost"] = json!(report.notes_lost);
    summary["files"] = outcome
        .records
        .files
        .iter()
        .map(|(path, rows)| json!({"path": path, "rows": rows}))
        .collect();
    summary
}

/// How long the stages took, as a table.
fn write_latency(text: &mut String, latency: &Measured) {
    if latency.stages.is_empty() {
        return;
    }
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "\n  {:<14}{:>12}{:>12}{:>12}{:>12}{:>12}",
        "latency", "count", "p50", "p99", "p99.9", "longest"
    );
    for (stage, figures) in &latency.stages {
        let Percentiles { count, p50, p99, p999, max } = *figures;
        let [p50, p99, p999, max] = [p50, p99, p999, max].map(span);
        let _ = writeln!(
            text,
            "    {:<12}{count:>12}{p50:>12}{p99:>12}{p999:>12}{max:>12}",
            stage.name()
        );
    }
}

/// A length of time with three digits or so.
pub(super) fn span(span: Nanos) -> String {
    match span.0 {
        ns @ 0..1_000 => format!("{ns} ns"),
        ns @ 1_000..1_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        ns @ 1_000_000..1_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        ns => format!("{:.2} s", ns as f64 / 1e9),
    }
}

/// The figures of a stage as JSON.
pub(super) fn figures_as_json(figures: &Percentiles) -> serde_json::Value {
    let Percentiles { count, p50, p99, p999, max } = figures;
    json!({"count": count, "p50_ns": p50, "p99_ns": p99, "p99_9_ns": p999, "max_ns": max})
}

fn latency_as_json(latency: &Measured) -> serde_json::Value {
    latency.stages.iter().map(|(stage, f)| (stage.name().to_owned(), figures_as_json(f))).collect()
}

/// Turns, all and over time.
fn turns_as_json(latency: &Measured) -> serde_json::Value {
    let interval = |interval: &Interval| {
        let mut told = figures_as_json(&interval.figures);
        told["from_s"] = json!(interval.from.0 as f64 / 1e9);
        told["to_s"] = json!(interval.to.0 as f64 / 1e9);
        told
    };
    let mut told = figures_as_json(&latency.of(Stage::Turn));
    told["intervals"] = latency.turns.iter().map(interval).collect();
    told
}

/// The summary of a replay, without the figures that only a live run has; `records` when there
/// are some.
pub(crate) fn of_replay(
    status: &Status,
    tally: &Tally,
    records: Option<&crate::persistence::Summary>,
    as_json: bool,
) -> String {
    if as_json {
        let rows = records.map_or(&[][..], |records| &records.rows);
        return format!("{:#}\n", figures(status, tally, rows));
    }
    let mut text = String::new();
    write_figures(&mut text, status, 0.0);
    write_markets(&mut text, tally);
    trading::write_markets(&mut text, tally);
    if let Some(records) = records {
        write_files(&mut text, &records.files);
    }
    text
}

fn figures(status: &Status, tally: &Tally, rows: &[u64]) -> serde_json::Value {
    let gates: serde_json::Map<_, _> = Gate::ALL
        .iter()
        .zip(status.gate_blocks)
        .map(|(gate, count)| (gate.name().to_owned(), json!(count)))
        .collect();
    let kinds: serde_json::Map<_, _> = RowKind::ALL
        .iter()
        .zip(rows)
        .map(|(kind, count)| (kind.file_stem().to_owned(), json!(count)))
        .collect();
    let markets: Vec<_> = tally
        .markets()
        .map(|(coin, m)| {
            let mut market = json!({
                "coin": coin.as_str(), "crosses": m.crosses, "signals": m.signals,
                "blocked": m.blocked, "best_edge_bps": m.best_edge_bps,
                "mean_edge_bps": m.mean_edge_bps(), "fillable_share": m.fillable_share(),
                "mean_markout_bps": FOLLOW_UP_MS.iter().enumerate()
                    .map(|(n, ms)| (ms.to_string(), json!(m.mean_markout_bps(n))))
                    .collect::<serde_json::Map<_, _>>(),
            });
            if !m.trading.is_empty() {
                market["trading"] = trading::figures_of(&m.trading);
            }
            market
        })
        .collect();
    let mut summary = json!({
        "markets": status.markets, "frames": status.frames, "bytes": status.bytes,
        "bbo": status.bbo, "ctx": status.ctx, "ignored": status.ignored,
        "unknown": status.unknown, "malformed": status.malformed, "fallback": status.fallback,
        "venue_errors": status.venue_errors, "connects": status.connects,
        "disconnects": status.disconnects, "crosses": status.crosses,
        "signals": status.signals, "signals_blocked": status.signals_blocked,
        "signals_filtered": status.filtered(),
        "rows_lost": status.rows_lost, "signals_shed": status.signals_shed,
        "gate_blocks": gates, "rows": kinds, "by_market": markets,
    });
    if let Some(figures) = trading::figures(&status.trading, tally) {
        summary["trading"] = figures;
    }
    summary
}

fn write_figures(text: &mut String, status: &Status, seconds: f64) {
    let rate = if seconds > 0.0 {
        format!(", {:.0} a second", status.frames as f64 / seconds)
    } else {
        String::new()
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "  frames    {} ({} bbo, {} ctx, {} malformed, {} unknown){rate}",
        status.frames, status.bbo, status.ctx, status.malformed, status.unknown,
    );
    let _ = writeln!(
        text,
        "  link      {} connected, {} lost; {} markets watched",
        status.connects, status.disconnects, status.markets,
    );
    let filtered = match status.filtered() {
        0 => String::new(),
        some => format!(", {some} by a filter"),
    };
    let _ = writeln!(
        text,
        "  found     {} crosses, {} signals ({} blocked by a gate{filtered}), {} follow-ups, {} entry \
         probes, {} gaps",
        status.crosses,
        status.signals,
        status.signals_blocked,
        status.followups,
        status.entries,
        status.gaps,
    );
    if status.rows_lost + status.signals_shed > 0 {
        let _ = writeln!(
            text,
            "  LOST      {} rows to full rings, {} signals shed",
            status.rows_lost, status.signals_shed,
        );
    }
    let gates: Vec<_> = Gate::ALL
        .iter()
        .zip(status.gate_blocks)
        .filter(|(_, count)| *count > 0)
        .map(|(gate, count)| format!("{} {count}", gate.name()))
        .collect();
    if !gates.is_empty() {
        let _ = writeln!(text, "  gates     {} (times each began to block)", gates.join(", "));
    }
    trading::write_figures(text, &status.trading);
}

fn write_markets(text: &mut String, tally: &Tally) {
    let mut markets: Vec<_> = tally.markets().filter(|(_, m)| m.crosses + m.signals > 0).collect();
    if markets.is_empty() {
        let _ = writeln!(text, "\nno dislocation was found");
        return;
    }
    markets.sort_by_key(|(coin, m)| (std::cmp::Reverse(m.signals), **coin));
    let head =
        ["market", "crosses", "signals", "blocked", "best", "mean", "filled", "T+1", "T+3", "T+5"];
    let _ = writeln!(
        text,
        "\nedges and markouts in bps; filled: share of entry probes that found the whole size\n"
    );
    let line = |text: &mut String, cells: [String; 10]| {
        let [market, rest @ ..] = cells;
        let _ = write!(text, "  {market:<14}");
        for cell in rest {
            let _ = write!(text, " {cell:>8}");
        }
        text.push('\n');
    };
    line(text, head.map(str::to_owned));
    let row = |name: &str, m: &MarketTally| {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1}"));
        [
            name.to_owned(),
            m.crosses.to_string(),
            m.signals.to_string(),
            m.blocked.to_string(),
            number(Some(m.best_edge_bps)),
            number(m.mean_edge_bps()),
            m.fillable_share().map_or("-".to_owned(), |s| format!("{:.0} %", s * 100.0)),
            number(m.mean_markout_bps(0)),
            number(m.mean_markout_bps(1)),
            number(m.mean_markout_bps(2)),
        ]
    };
    for (coin, market) in markets.iter().take(MOST_MARKETS) {
        line(text, row(coin.as_str(), market));
    }
    if let Some(more) = markets.len().checked_sub(MOST_MARKETS).filter(|n| *n > 0) {
        let _ = writeln!(text, "  … and {more} more");
    }
    line(text, row("all", &tally.total()));
}

fn write_files(text: &mut String, files: &[(std::path::PathBuf, u64)]) {
    let width = files.iter().map(|(path, _)| path.display().to_string().len()).max().unwrap_or(0);
    let _ = writeln!(text);
    for (path, rows) in files {
        let _ = writeln!(text, "  {:<width$}  {rows:>8} rows", path.display().to_string());
    }
}
