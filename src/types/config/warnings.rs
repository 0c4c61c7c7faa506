//! What a config may say, and its user should know: none of it is refused.

use super::{Config, TakerFee};
use crate::types::num::Bps;

impl Config {
    /// A sentence for each, with the keys and their values.
    pub fn warnings(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.entries_that_lose(&mut all);
        self.costs_beyond_reach(&mut all);
        all
    }

    /// A cost beyond the largest edge makes no signal that passes.
    fn costs_beyond_reach(&self, all: &mut Vec<String>) {
        let detector = &self.detector;
        let max = detector.max_edge;
        let costs = [self.known_fee(), self.known_fee(), detector.slippage, detector.min_edge];
        let cost = costs.into_iter().try_fold(Bps::ZERO, Bps::checked_add);
        if cost.is_none_or(|cost| cost > max) {
            all.push(format!(
                "detector.max_edge_bps ({max}) is less than the cost (the taker fee twice, slippage_bps and \
                 min_edge_bps): no signal passes"
            ));
        }
        for (coin, own) in detector.thresholds.iter().filter(|(_, own)| *own > max) {
            all.push(format!(
                "detector.markets.\"{coin}\".threshold_bps ({own}) is more than detector.max_edge_bps ({max}): no \
                 signal there passes"
            ));
        }
    }

    /// The taker fee as far as the config tells: by the venue's formula it is not known here.
    fn known_fee(&self) -> Bps {
        match self.detector.taker_fee {
            TakerFee::Fixed(fee) => fee,
            TakerFee::Auto => Bps::ZERO,
        }
    }

    /// A position is left once the quote is within the exit threshold of the oracle: an entry whose edge
    /// is no larger than that and the fees loses when all goes as planned.
    fn entries_that_lose(&self, all: &mut Vec<String>) {
        let (detector, exit) = (&self.detector, &self.mark_regression);
        if !exit.enabled {
            return;
        }
        let threshold = exit.exit_threshold;
        let kept = detector.slippage.checked_add(detector.min_edge);
        if kept.is_some_and(|kept| kept < threshold) {
            all.push(format!(
                "detector.min_edge_bps + detector.slippage_bps ({} + {}) is less than \
                 mark_regression.exit_threshold_bps ({threshold}): an entry at that edge loses when all goes \
                 as planned",
                detector.min_edge, detector.slippage
            ));
        }
        let fee = self.known_fee();
        let least = fee.checked_add(fee).and_then(|fees| fees.checked_add(threshold));
        for (coin, own) in &detector.thresholds {
            if least.is_some_and(|least| *own < least) {
                all.push(format!(
                    "detector.markets.\"{coin}\".threshold_bps ({own}) is less than \
                     mark_regression.exit_threshold_bps and the fees ({}): an entry at that edge loses when \
                     all goes as planned",
                    least.unwrap_or(threshold)
                ));
            }
        }
    }
}
