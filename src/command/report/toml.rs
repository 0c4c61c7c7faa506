//! The thresholds that held, as a piece of config: to be read by a person first.

use std::fmt::Write;

use crate::report::answer::{Market, Report};
use crate::report::figures::Ranged;
use crate::report::thresholds::Threshold;
use crate::report::verdict::{Kind, counted};

/// The whole file.
pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let settings = &report.settings;
    let _ = writeln!(
        text,
        "# Thresholds by hip3 report over {}, {} to {} UTC.\n\
         # A signal was valued {} ms in and {} ms out; each day was judged with what the days before it proposed.",
        counted(report.thresholds.days as u64, "day"),
        report.source.from.as_deref().unwrap_or("-"),
        report.source.to.as_deref().unwrap_or("-"),
        settings.latency_ms,
        settings.exit_ms,
    );
    if let Some(note) = &report.thresholds.note {
        let _ = writeln!(text, "# None is proposed: {note}.");
    }
    let mut out = Vec::new();
    for market in &report.markets {
        match market.threshold.as_ref().and_then(|one| Some((one, one.proposed_bps?))) {
            Some((threshold, bps)) => propose(&mut text, market, threshold, bps),
            None => out.push(market),
        }
    }
    if !out.is_empty() {
        text.push_str("\n# Left out: these keep the threshold that follows from their cost, and are traded like it.\n");
    }
    for market in &out {
        let reason = market.threshold.as_ref().map_or(&market.verdict.reason, |one| &one.reason);
        let _ = writeln!(text, "# {} ({}): {reason}", name(market), market.verdict.kind.name());
    }
    let exclude = out
        .iter()
        .filter(|market| matches!(market.verdict.kind, Kind::Structural | Kind::Negative));
    let exclude: Vec<String> = exclude.map(|market| format!("{:?}", market.market)).collect();
    if !exclude.is_empty() {
        let _ = writeln!(
            text,
            "\n# For [venue], if the structural and the negative ones are not to be watched at all:\n\
             # exclude = [{}]",
            exclude.join(", ")
        );
    }
    text
}

fn propose(text: &mut String, market: &Market, threshold: &Threshold, bps: usize) {
    let (fitted, judged) = (&threshold.in_sample, &threshold.out_of_sample);
    let _ = writeln!(
        text,
        "\n# {}\n# fitted on:  mean {} bps, n {}, {}\n# judged on:  mean {}, n {}, {}, {}\n\
         [detector.markets.{:?}]\nthreshold_bps = {bps}",
        market.verdict.kind.name(),
        fitted.mean_value_bps.map_or_else(|| "-".to_owned(), |mean| format!("{mean:.2}")),
        fitted.n,
        counted(fitted.episodes, "episode"),
        range(&judged.mean_value_bps),
        judged.n,
        counted(judged.episodes, "episode"),
        counted(threshold.folds.len() as u64, "day"),
        market.market,
    );
}

fn range(ranged: &Ranged) -> String {
    match (ranged.value, ranged.low, ranged.high) {
        (Some(value), Some(low), Some(high)) => format!("{value:.2} bps ({low:.2} to {high:.2})"),
        (Some(value), ..) => format!("{value:.2} bps"),
        _ => "-".to_owned(),
    }
}

/// A name as a comment can hold it.
fn name(market: &Market) -> String {
    market.market.chars().filter(|c| !c.is_control()).collect()
}
