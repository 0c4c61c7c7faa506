//! What is held of one market: the last quote and ctx with their receipt times, the average of its
//! spreads, and the rules it trades under.

use crate::types::market::{Bbo, Ctx, MarketSpec};
use crate::types::num::{Bps, Px, Ratio};
use crate::types::time::{Mono, Nanos, VenueMs};

/// A value and when it was received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timed<T> {
    /// The value.
    pub value: T,
    /// When it was received; for a quote that a late feed brought, when it was due. Ages count from here,
    /// not from the last change: the ctx carries no venue time, and a quiet quote is old without being
    /// wrong.
    pub received_at: Mono,
}

/// An exponentially weighted average of spreads, in bps of mid.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Average {
    /// The average; meaningless without samples.
    pub value: Bps,
    /// How many values went in; saturates.
    pub samples: u32,
}

impl Average {
    /// Averages `sample` in with weight `alpha` (above 0, at most 1). The first sample is the
    /// average. Rounds toward the old value by less than 2^-32 bps.
    pub fn update(&mut self, sample: Bps, alpha: Ratio) {
        if self.samples == 0 {
            self.value = sample;
        } else {
            let old = i128::from(self.value.to_bits());
            let distance = i128::from(sample.to_bits()) - old;
            let step = distance * i128::from(alpha.units()) / i128::from(Ratio::ONE.units());
            // With a weight of at most 1 the step stays between two values that fit.
            self.value = Bps::from_bits(i64::try_from(old + step).unwrap_or(sample.to_bits()));
        }
        self.samples = self.samples.saturating_add(1);
    }
}

/// One market.
#[derive(Clone, Debug)]
pub struct Market {
    /// Its rules, as last read.
    pub spec: MarketSpec,
    /// Its rules when the run first saw it; gate 7 compares.
    pub first_spec: MarketSpec,
    /// Whether the last reading of the venue still listed it under this id and name.
    pub listed: bool,
    /// Whether a rule was ever read that differs from the first: it stays so until a restart.
    pub rule_changed: bool,
    /// The last quote.
    pub bbo: Option<Timed<Bbo>>,
    /// The last ctx.
    pub ctx: Option<Timed<Ctx>>,
    /// Whether the ctx may be older than its receipt says: it was held when the process stood still, or
    /// waited in a buffer meanwhile.
    pub ctx_in_doubt: bool,
    /// Highest venue time of a quote on this link.
    pub last_time: Option<VenueMs>,
    /// Whether a quote of this link came with a lower venue time than one before it.
    pub regressed: bool,
    /// Spread of the last quote in bps of mid; `None` when it is not tradable.
    pub spread: Option<Bps>,
    /// The average as it was before the last quote: what gate 5 compares the spread with.
    pub baseline: Average,
    /// The average of all quotes that passed gates 1 to 4.
    pub average: Average,
}

impl Market {
    /// A market of which nothing but its rules is known.
    pub fn new(spec: MarketSpec) -> Self {
        Self {
            spec,
            first_spec: spec,
            listed: true,
            rule_changed: false,
            bbo: None,
            ctx: None,
            ctx_in_doubt: false,
            last_time: None,
            regressed: false,
            spread: None,
            baseline: Average::default(),
            average: Average::default(),
        }
    }

    /// Takes what a reading of the venue says of it; `None` when it is gone from the list.
    pub fn take_spec(&mut self, spec: Option<MarketSpec>) {
        self.listed = spec.is_some();
        if let Some(spec) = spec {
            self.spec = spec;
            self.rule_changed |= changed_rule(&self.first_spec, &spec).is_some();
        }
    }

    /// Takes a quote that counts as of `as_of`. The average waits for [`Market::average_in`].
    pub fn take_bbo(&mut self, as_of: Mono, bbo: Bbo) {
        match self.last_time {
            Some(last) if bbo.time < last => self.regressed = true,
            _ => self.last_time = Some(bbo.time),
        }
        self.bbo = Some(Timed { value: bbo, received_at: as_of });
        self.spread = bbo.tradable().and_then(|(bid, ask)| {
            let (bid, ask) = (i128::from(bid.px.units()), i128::from(ask.px.units()));
            Bps::of(2 * (ask - bid), ask + bid)
        });
        self.baseline = self.average;
    }

    /// Takes a ctx.
    pub fn take_ctx(&mut self, now: Mono, ctx: Ctx) {
        self.ctx = Some(Timed { value: ctx, received_at: now });
        self.ctx_in_doubt = false;
    }

    /// The age of the ctx that is held is not known any more.
    pub fn doubt_ctx(&mut self) {
        self.ctx_in_doubt = true;
    }

    /// Whether the ctx is older than `most` (`None` is no limit), or may be; one that is missing is not.
    #[inline]
    pub fn ctx_is_stale(&self, now: Mono, most: Option<Nanos>) -> bool {
        let too_old = |most| self.ctx_age(now).is_some_and(|age| age > most);
        self.ctx_in_doubt || most.is_some_and(too_old)
    }

    /// Averages the last quote's spread in, once gates 1 to 4 have passed it.
    pub fn average_in(&mut self, alpha: Ratio) {
        if let Some(spread) = self.spread {
            self.average.update(spread, alpha);
        }
    }

    /// Forgets what the link told; averages and rules stay (a reconnect does not change how wide
    /// a market usually is).
    pub fn forget_link(&mut self) {
        self.bbo = None;
        self.ctx = None;
        self.ctx_in_doubt = false;
        self.last_time = None;
        self.regressed = false;
        self.spread = None;
        self.baseline = self.average;
    }

    /// Age of the quote.
    pub fn bbo_age(&self, now: Mono) -> Option<Nanos> {
        self.bbo.map(|held| now.since(held.received_at))
    }

    /// Oracle price, if one above zero is known.
    pub fn oracle(&self) -> Option<Px> {
        self.ctx.and_then(|held| held.value.oracle).filter(|px| px.is_positive())
    }

    /// Mark price, if one above zero is known.
    pub fn mark(&self) -> Option<Px> {
        self.ctx.and_then(|held| held.value.mark).filter(|px| px.is_positive())
    }

    /// Whether the venue lists it, by this id and name, as trading.
    pub fn may_trade(&self) -> bool {
        self.listed && !self.spec.delisted && !self.ctx.is_some_and(|held| held.value.settled)
    }

    /// Age of the ctx.
    pub fn ctx_age(&self, now: Mono) -> Option<Nanos> {
        self.ctx.map(|held| now.since(held.received_at))
    }
}

/// What of the rules differs from `first`; `None` when nothing does. Gate 7's parameters: lot (and
/// with it tick), leverage, margin, fee.
pub fn changed_rule(first: &MarketSpec, now: &MarketSpec) -> Option<&'static str> {
    let rules: [(&'static str, bool); 6] = [
        ("szDecimals", first.sz_decimals != now.sz_decimals),
        ("maxLeverage", first.max_leverage != now.max_leverage),
        ("marginTableId", first.margin_table != now.margin_table),
        ("marginMode", first.margin_mode != now.margin_mode),
        ("deployerFeeScale", first.fee_scale != now.fee_scale),
        ("growthMode", first.growth != now.growth),
    ];
    rules.iter().find(|(_, differs)| *differs).map(|(what, _)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sample_is_the_average_and_later_ones_pull_it() {
        let mut average = Average::default();
        let alpha = Ratio::parse(b"0.05").expect("a ratio");
        average.update(Bps::from_int(10), alpha);
        assert_eq!(average.value, Bps::from_int(10));
        average.update(Bps::from_int(30), alpha);
        assert_eq!(average, Average { value: Bps::from_int(11), samples: 2 });
        average.update(Bps::from_int(1), Ratio::ONE);
        assert_eq!(average.value, Bps::from_int(1));
    }

    #[test]
    fn an_average_of_extremes_stays_between_them() {
        let alpha = Ratio::parse(b"0.3").expect("a ratio");
        let (low, high) = (Bps::from_bits(i64::MIN), Bps::from_bits(i64::MAX));
        let mut average = Average::default();
        for sample in [low, high, low, high, high] {
            average.update(sample, alpha);
            assert!(low <= average.value && average.value <= high);
        }
    }
}
