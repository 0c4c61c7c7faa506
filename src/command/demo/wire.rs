//! What `--latency` measures: from a frame to its order, from the venue's side of the wire.

use std::fmt::Write;
use std::sync::Arc;

use rustls::ServerConfig;
use serde_json::json;

use crate::command::summary::span;
use crate::runtime::os::pin_beside_hot;
use crate::types::time::Nanos;
use crate::venue::tcp::{Serving, WireTimes};

const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// A venue that measures, and spins on a core of its own if there is one.
pub(super) fn serving(tls: Option<Arc<ServerConfig>>) -> Serving {
    let prelude = Box::new(|| {
        // Where it cannot be pinned it measures all the same, with more noise.
        let _ = pin_beside_hot();
    });
    Serving { tls, measures: true, spins: true, prelude: Some(prelude), ..Serving::default() }
}

/// The lengths, sorted.
pub(super) struct Measured {
    prompt: Vec<u64>,
    from_write: Vec<u64>,
    from_due: Vec<u64>,
    untold: u64,
}

impl Measured {
    pub(super) fn of(times: WireTimes) -> Self {
        let WireTimes { mut prompt, mut from_write, mut from_due, untold } = times;
        prompt.sort_unstable();
        from_write.sort_unstable();
        from_due.sort_unstable();
        Self { prompt, from_write, from_due, untold }
    }

    fn rows(&self) -> [(&'static str, &[u64]); 3] {
        [
            ("written, venue idle", &self.prompt),
            ("frame written", &self.from_write),
            ("frame due", &self.from_due),
        ]
    }

    pub(super) fn as_text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {:<22}{:>8}", "wire to wire, from", "count");
        for (name, _) in QUANTILES {
            let _ = write!(text, "{name:>12}");
        }
        for (name, times) in self.rows() {
            let _ = write!(text, "\n    {name:<20}{:>8}", times.len());
            for (_, share) in QUANTILES {
                let told = at(times, share).map_or("-".to_owned(), |ns| span(Nanos(ns)));
                let _ = write!(text, "{told:>12}");
            }
        }
        text.push('\n');
        if self.untold > 0 {
            let _ = writeln!(text, "    {} more entries had no frame of their own", self.untold);
        }
        text
    }

    pub(super) fn as_json(&self) -> serde_json::Value {
        let figures = |times: &[u64]| {
            json!({
                "count": times.len(),
                "p50_ns": at(times, 0.5),
                "p90_ns": at(times, 0.9),
                "p99_ns": at(times, 0.99),
                "p99_9_ns": at(times, 0.999),
                "max_ns": at(times, 1.0),
            })
        };
        json!({
            "from_frame_written_venue_idle": figures(&self.prompt),
            "from_frame_written": figures(&self.from_write),
            "from_frame_due": figures(&self.from_due),
            "untold": self.untold,
        })
    }
}

/// The least length that this share of all does not exceed; `None` when there are none.
fn at(sorted: &[u64], share: f64) -> Option<u64> {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_was_measured() {
        let times = WireTimes {
            from_write: (1..=100).rev().collect(),
            from_due: vec![7_000],
            untold: 3,
            ..WireTimes::default()
        };
        let measured = Measured::of(times);
        let json = measured.as_json();
        assert_eq!(json["from_frame_written"]["p50_ns"], 50);
        assert_eq!(json["from_frame_written"]["p99_ns"], 99);
        assert_eq!(json["from_frame_written"]["max_ns"], 100);
        let text = measured.as_text();
        assert!(text.contains("7.0 µs") && text.contains("3 more entries"), "{text}");
        let nothing = Measured::of(WireTimes::default());
        assert_eq!(nothing.as_json()["from_frame_due"]["max_ns"], serde_json::Value::Null);
    }
}
