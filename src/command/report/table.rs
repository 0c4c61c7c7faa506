//! The report for a terminal.

use std::fmt::Write;

use crate::report::answer::{Market, Report};
use crate::report::figures::Ranged;
use crate::report::trading::Trading;
use crate::report::verdict::{Kind, counted};
use crate::types::num::Side;

/// Gaps that are told one by one.
const GAPS: usize = 5;

/// How fine the tables are.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub(super) enum By {
    /// A row a market.
    Market,
    /// And one for each of its sides.
    Side,
    /// And one for each hour of the day, UTC, of its sides.
    Hour,
}

/// The whole report as text.
pub(super) fn text(report: &Report, by: By) -> String {
    let mut text = String::new();
    head(&mut text, report);
    if report.counts.signals > 0 {
        markets(&mut text, report, by);
        if by == By::Hour {
            hours(&mut text, report);
        }
        reasons(&mut text, report);
        gates(&mut text, report);
        sides(&mut text, report);
    }
    if let Some(trading) = &report.trading {
        traded(&mut text, trading);
    }
    coverage(&mut text, report);
    left_out(&mut text, report);
    thresholds(&mut text, report);
    text
}

// Writing to a string cannot fail: the results below are dropped.

fn head(text: &mut String, report: &Report) {
    let (source, settings, counts) = (&report.source, &report.settings, &report.counts);
    let _ = writeln!(
        text,
        "{}: {} to {} UTC, {}, {}",
        source.dir,
        source.from.as_deref().unwrap_or("-"),
        source.to.as_deref().unwrap_or("-"),
        counted(source.days as u64, "day"),
        counted(source.runs.len() as u64, "run"),
    );
    let fee = settings.fee_bps.map_or("as recorded".to_owned(), |bps| format!("{bps} bps"));
    let _ = writeln!(
        text,
        "{} ms in, {} ms out, taker fee {fee}, {} % confidence; {} valued in {}",
        settings.latency_ms,
        settings.exit_ms,
        100.0 * settings.confidence,
        counted(counts.valued, "signal"),
        counted(counts.episodes, "episode"),
    );
    if source.config_hashes.len() > 1 {
        let _ = writeln!(
            text,
            "the runs had {} different configs: figures mix what each of them recorded",
            source.config_hashes.len()
        );
    }
    if counts.signals == 0 {
        text.push_str("no signal was recorded: no quote stood past the oracle by its cost\n");
        return;
    }
    let genuine: Vec<&str> = of_kind(report, Kind::Genuine).map(|m| m.market.as_str()).collect();
    let _ = match genuine.as_slice() {
        [] => writeln!(text, "no market has an edge that is sure"),
        some => writeln!(text, "genuine: {}", some.join(", ")),
    };
}

fn of_kind(report: &Report, kind: Kind) -> impl Iterator<Item = &Market> {
    report.markets.iter().filter(move |market| market.verdict.kind == kind)
}

fn markets(text: &mut String, report: &Report, by: By) {
    let names = report.markets.iter().map(|market| market.market.chars().count());
    let width = names.max().unwrap_or(0).max("all markets".len());
    let _ = writeln!(
        text,
        "\n  {:<width$}  {:<10} {:>9} {:>9} {:>9} {:>7} {:>8} {:>6} {:>28} {:>6} {:>11}",
        "market",
        "verdict",
        "signals",
        "episodes",
        "quote ms",
        "edge",
        "left 5 s",
        "filled",
        "value of a signal, bps",
        "wins",
        "USD",
    );
    let all = report.markets.iter().flat_map(|market| {
        let rows = [
            (market.market.as_str(), market.verdict.kind.name(), &market.group),
            ("", Side::Buy.name(), &market.sides.buy),
            ("", Side::Sell.name(), &market.sides.sell),
        ];
        rows.into_iter().take(if by == By::Market { 1 } else { 3 })
    });
    for (name, verdict, group) in all.chain([("all markets", "", &report.total)]) {
        let trip = &group.chosen;
        let _ = writeln!(
            text,
            "  {name:<width$}  {verdict:<10} {:>9} {:>9} {:>9} {:>7} {:>8} {:>6} {:>28} {:>6} {:>11.2}",
            group.signals,
            group.episodes,
            number(group.survival.median_ms, 0),
            number(group.edge.raw.p50, 1),
            percent(group.decay.retained_5s.value),
            percent(trip.fill_rate),
            range(&trip.mean_value_bps),
            percent(trip.win_rate.value),
            trip.usd,
        );
    }
}

fn hours(text: &mut String, report: &Report) {
    let names = report.markets.iter().map(|market| market.market.chars().count());
    let width = names.max().unwrap_or(0).max("market".len());
    let _ = writeln!(
        text,
        "\n  {:<width$}  {:>4} {:<4} {:>9} {:>9} {:>28} {:>11}",
        "market", "hour", "side", "signals", "episodes", "value of a signal, bps", "USD",
    );
    for market in &report.markets {
        for (n, one) in market.hours.iter().enumerate() {
            let name = if n == 0 { market.market.as_str() } else { "" };
            let of = &one.figures;
            let mean = Ranged { value: of.mean_value_bps, low: of.low, high: of.high };
            let _ = writeln!(
                text,
                "  {name:<width$}  {:>4} {:<4} {:>9} {:>9} {:>28} {:>11.2}",
                one.hour,
                one.side,
                of.signals,
                of.episodes,
                range(&mean),
                of.usd,
            );
        }
    }
}

fn reasons(text: &mut String, report: &Report) {
    text.push('\n');
    for kind in [Kind::Genuine, Kind::Structural, Kind::Negative, Kind::TooFew] {
        for market in of_kind(report, kind) {
            let _ =
                writeln!(text, "  {}: {}. {}", market.market, kind.name(), market.verdict.reason);
        }
    }
}

fn gates(text: &mut String, report: &Report) {
    let blocking = report.gates.iter().filter(|gate| gate.first > 0);
    let mut first = true;
    for gate in blocking {
        if std::mem::take(&mut first) {
            let _ = writeln!(
                text,
                "\n  {:<18} {:>9} {:>9} {:>9} {:>6} {:>28} {:>11}",
                "gate", "blocked", "alone", "valued", "filled", "value of a signal, bps", "USD"
            );
        }
        let trip = &gate.trip;
        let _ = writeln!(
            text,
            "  {:<18} {:>9} {:>9} {:>9} {:>6} {:>28} {:>11.2}",
            gate.gate,
            gate.first,
            gate.alone,
            trip.n,
            percent(trip.fill_rate),
            range(&trip.mean_value_bps),
            trip.usd,
        );
    }
}

fn sides(text: &mut String, report: &Report) {
    text.push('\n');
    for side in &report.sides {
        let figures = &side.figures;
        let mean = Ranged { value: figures.mean_value_bps, low: figures.low, high: figures.high };
        let _ = writeln!(
            text,
            "  {:<4} {}, {}, worth {} bps each, {:.2} USD",
            side.side,
            counted(figures.signals, "signal"),
            counted(figures.episodes, "episode"),
            range(&mean),
            figures.usd,
        );
    }
}

fn traded(text: &mut String, trading: &Trading) {
    let (entries, trades, expected) = (&trading.entries, &trading.trades, &trading.expected);
    let counts = |all: &std::collections::BTreeMap<String, u64>| {
        let all: Vec<String> = all.iter().map(|(name, count)| format!("{name} {count}")).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    };
    let _ = writeln!(text, "\n  entries  {} sent: {}", entries.sent, counts(&entries.outcomes));
    let _ = writeln!(text, "           refused: {}", counts(&entries.refusals));
    let _ = writeln!(
        text,
        "           slippage {} bps; fee {:.4} USD paid, {:.4} expected",
        number(entries.slippage_bps, 2),
        trading.fees.paid,
        trading.fees.expected,
    );
    for answers in &entries.answer_ms {
        let _ = writeln!(
            text,
            "           {:<16} {:>6} answered: p50 {} ms, p90 {} ms, p99 {} ms",
            answers.outcome,
            answers.n,
            number(answers.p50, 0),
            number(answers.p90, 0),
            number(answers.p99, 0),
        );
    }
    let _ = writeln!(
        text,
        "  trades   {}, {} won, {:.2} USD before fees, {:.2} after; {}",
        trades.n,
        trades.wins,
        trades.usd_before_fees,
        trades.usd,
        counts(&trades.exits),
    );
    let _ = writeln!(
        text,
        "           {} with a valued signal: expected {:.2} USD, earned {:.2}",
        expected.n, expected.expected_usd, expected.realised_usd,
    );
}

fn coverage(text: &mut String, report: &Report) {
    let coverage = &report.coverage;
    let _ =
        writeln!(text, "\n  observed {} of {}", span(coverage.observed_s), span(coverage.span_s));
    for (cause, seconds) in &coverage.gap_s {
        let _ = writeln!(text, "  gaps     {cause:<14} {}", span(*seconds));
    }
    let mut longest: Vec<_> = coverage.gaps.iter().collect();
    longest.retain(|gap| gap.cause != "start");
    if longest.len() <= GAPS {
        for gap in longest {
            let _ = writeln!(text, "           {} to {}: {}", gap.from, gap.to, gap.cause);
        }
    }
}

fn left_out(text: &mut String, report: &Report) {
    let counts = &report.counts;
    let _ = writeln!(
        text,
        "  {}, {} not valued: {} blocked, {} too small, {} in gaps, {} not seen later",
        counted(counts.signals, "signal"),
        counts.signals - counts.valued,
        counts.blocked,
        counts.below_minimum,
        counts.in_gap,
        counts.unseen,
    );
    if counts.no_exit > 0 {
        let _ = writeln!(
            text,
            "  {} would have filled with nothing to sell to or buy from later; without them the values flatter",
            counts.no_exit
        );
    }
    let trip = &report.total.chosen;
    if trip.thin_exits > 0 {
        let _ = writeln!(
            text,
            "  {} of {} fills met less at the exit's price than they held; they are valued as if it were enough",
            trip.thin_exits, trip.fills
        );
    }
    if counts.valued > counts.episodes {
        let _ = writeln!(
            text,
            "  USD counts each signal of a cross that lasts: more than anyone who holds a position could take"
        );
    }
    if counts.open_crosses > 0 {
        let open = counts.open_crosses;
        let _ =
            writeln!(text, "  {} still open", counted(open, "cross").replace("crosss", "crosses"));
    }
}

fn thresholds(text: &mut String, report: &Report) {
    let proposed = report.markets.iter().filter_map(|market| {
        let threshold = market.threshold.as_ref()?;
        Some((market, threshold.proposed_bps?, &threshold.reason))
    });
    for (market, bps, reason) in proposed {
        let _ = writeln!(text, "  {}: a threshold of {bps} bps held. {reason}", market.market);
    }
    if let Some(note) = &report.thresholds.note {
        let _ = writeln!(text, "  thresholds: {note}");
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.0} %", 100.0 * share))
}

/// A figure with its interval.
fn range(ranged: &Ranged) -> String {
    match (ranged.value, ranged.low, ranged.high) {
        (Some(value), Some(low), Some(high)) => format!("{value:.2} [{low:.2}, {high:.2}]"),
        (Some(value), ..) => format!("{value:.2}"),
        _ => "-".to_owned(),
    }
}

/// A span of time in its two largest units.
fn span(seconds: f64) -> String {
    let s = seconds.max(0.0) as u64;
    match s {
        0..60 => format!("{seconds:.1} s"),
        60..3_600 => format!("{} min {} s", s / 60, s % 60),
        3_600..86_400 => format!("{} h {} min", s / 3_600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3_600 % 24),
    }
}
