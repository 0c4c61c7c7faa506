//! The report as CSV: a row for each market, side and hour of the UTC day.

use std::fmt::Write;

use crate::report::answer::Report;

/// The first line.
const HEAD: &str =
    "market,verdict,side,hour,signals,episodes,mean_value_bps,low_bps,high_bps,usd\n";

/// The whole file. Unknown figures are empty.
pub(super) fn text(report: &Report) -> String {
    let mut text = HEAD.to_owned();
    for market in &report.markets {
        let name = quoted(&market.market);
        for hour in &market.hours {
            let figures = &hour.figures;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{name},{},{},{},{},{},{},{},{},{}",
                market.verdict.kind.name(),
                hour.side,
                hour.hour,
                figures.signals,
                figures.episodes,
                number(figures.mean_value_bps),
                number(figures.low),
                number(figures.high),
                figures.usd,
            );
        }
    }
    text
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A field as RFC 4180 writes it.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_a_row() {
        assert_eq!(quoted("xyz:TSLA"), "xyz:TSLA");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
