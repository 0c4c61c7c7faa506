//! When we saw nothing, or not everything: what is valued must not take silence for calm.

use std::collections::BTreeMap;

use crate::types::time::Wall;

/// A gap as it was recorded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gap {
    /// Begin of the gap.
    pub from: Wall,
    /// End of the gap.
    pub to: Wall,
    /// Cause of the gap.
    pub cause: String,
    /// How many markets it concerns; 0 when that is not known.
    pub markets: u64,
}

impl Gap {
    /// Whether nothing that was recorded can be trusted then. While a run starts not every market has
    /// data, but what has signals does.
    pub fn blinds(&self) -> bool {
        self.cause != "start"
    }
}

/// The gaps, for questions.
#[derive(Clone, Debug, Default)]
pub struct Blindness {
    /// Since when and until when, in nanoseconds, by time; they do not meet.
    spans: Vec<(i64, i64)>,
}

impl Blindness {
    /// Of these gaps.
    pub fn of(gaps: &[Gap]) -> Self {
        let spans = gaps.iter().filter(|gap| gap.blinds()).map(|gap| (gap.from.0, gap.to.0));
        let mut spans: Vec<(i64, i64)> = spans.collect();
        spans.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for (from, to) in spans {
            match merged.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(*end),
                _ => merged.push((from, to)),
            }
        }
        Self { spans: merged }
    }

    /// Nanoseconds from `at` until not everything was seen: 0 when that is so already. Both ends of a gap
    /// belong to it.
    pub fn clear_ns(&self, at: Wall) -> i64 {
        let next = self.spans.partition_point(|(_, to)| *to < at.0);
        let next = self.spans.get(next);
        next.map_or(i64::MAX, |(from, _)| from.saturating_sub(at.0).max(0))
    }

    /// Nanoseconds from `from` to `to` that lie in gaps.
    pub fn within_ns(&self, from: Wall, to: Wall) -> i64 {
        let within =
            |(start, end): &(i64, i64)| (*end).min(to.0).saturating_sub((*start).max(from.0));
        self.spans.iter().map(within).map(|ns| ns.max(0)).sum()
    }
}

/// Seconds in gaps by cause, from `from` to `to`.
pub fn seconds_by_cause(gaps: &[Gap], from: Wall, to: Wall) -> BTreeMap<String, f64> {
    let mut by_cause = BTreeMap::new();
    for gap in gaps {
        let ns = gap.to.0.min(to.0).saturating_sub(gap.from.0.max(from.0)).max(0);
        *by_cause.entry(gap.cause.clone()).or_insert(0.0) += ns as f64 / 1e9;
    }
    by_cause
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(from: i64, to: i64, cause: &str) -> Gap {
        Gap { from: Wall(from), to: Wall(to), cause: cause.to_owned(), markets: 1 }
    }

    #[test]
    fn gaps_that_meet_are_one_and_a_start_blinds_nobody() {
        let gaps = [
            gap(100, 200, "link_down"),
            gap(150, 300, "stopped"),
            gap(500, 500, "killed"),
            gap(0, 90, "start"),
        ];
        let blindness = Blindness::of(&gaps);
        let clear = [50, 100, 300, 301, 500, 501].map(|at| blindness.clear_ns(Wall(at)));
        assert_eq!(clear, [50, 0, 0, 199, 0, i64::MAX]);
        assert_eq!(blindness.within_ns(Wall(250), Wall(600)), 50);
        let by_cause = seconds_by_cause(&gaps, Wall(50), Wall(160));
        assert_eq!(by_cause.get("link_down"), Some(&60e-9));
        assert_eq!(by_cause.get("start"), Some(&40e-9));
    }
}
