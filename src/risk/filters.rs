//! The entry filters: is a dislocation a late quote, which is worth taking, or something else? Each is a
//! pure function of its limits and the signal. They are judged after the gates and before the executor,
//! in every mode; the first that blocks is the signal's decision.

use crate::types::config;
use crate::types::num::Bps;
use crate::types::record::{Filter, SignalRow};

/// What the filters compare with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// `max_edge`: the largest edge that passes.
    pub max_edge: Bps,
}

impl From<&config::Detector> for Limits {
    fn from(detector: &config::Detector) -> Self {
        Self { max_edge: detector.max_edge }
    }
}

/// A filter: `true` lets the signal pass.
pub type FilterFn = fn(&Limits, &SignalRow) -> bool;

/// The filters in the order they are judged.
pub const FILTERS: [(Filter, FilterFn); 1] = [(Filter::MaxEdge, max_edge)];

/// The first filter that blocks; `None` lets the signal pass.
pub fn first_blocking(limits: &Limits, signal: &SignalRow) -> Option<Filter> {
    FILTERS.iter().find(|(_, passes)| !passes(limits, signal)).map(|(filter, _)| *filter)
}

/// Blocks an edge beyond `detector.max_edge_bps`.
///
/// Why: a maker who is late leaves some tens of basis points. Hundreds are a bad print, of the oracle or
/// of the book, and nobody pays them.
fn max_edge(limits: &Limits, signal: &SignalRow) -> bool {
    is_plausible(limits, signal.raw_edge)
}

/// Whether an edge is none that [`Filter::MaxEdge`] blocks: asked again of an order that has waited.
pub fn is_plausible(limits: &Limits, edge: Bps) -> bool {
    edge <= limits.max_edge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_every_filter_in_its_order() {
        assert_eq!(FILTERS.map(|(filter, _)| filter), Filter::ALL);
    }
}
