//! The venue's chance: seeded generators, and probabilities as integers.
//!
//! All draws are integer arithmetic, so that a seed gives the same market on every machine.

use serde::{Deserialize, Deserializer, de};

use crate::types::split_mix::SplitMix64;

/// A seeded generator (xoshiro256**, seeded through SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice {
    state: [u64; 4],
}

impl Dice {
    /// The generator of one `stream` of `seed`. Streams are independent: what one draws changes
    /// nothing in another, so a market's path does not depend on who watches it.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut words = SplitMix64(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        Self { state: [0; 4].map(|_| words.bits()) }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number in `0..n`; zero when `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).max(0).unsigned_abs() + 1;
        low.saturating_add_unsigned(self.below(width))
    }

    /// A number in `low..high` whose order of magnitude is as likely small as large.
    pub fn spread(&mut self, low: u64, high: u64) -> u64 {
        let (low, high) = (low.max(1), high.max(2));
        let doublings = (high / low).max(1).ilog2() + 1;
        let base = low << self.below(u64::from(doublings)).min(62);
        (base + self.below(base)).min(high)
    }

    /// About normal with deviation one million: the sum of twelve uniform draws.
    pub fn bell(&mut self) -> i64 {
        (0..12).map(|_| self.range(-500_000, 500_000)).sum()
    }

    /// Whether something of this probability happens. Draws nothing when it cannot.
    pub fn hit(&mut self, odds: Odds) -> bool {
        odds != Odds::NEVER && self.bits() >> 32 < odds.0
    }
}

/// A probability, in 2^-32. In files a number from 0 to 1.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Odds(u64);

impl Odds {
    /// Never.
    pub const NEVER: Self = Self(0);
    /// Every time.
    pub const ALWAYS: Self = Self(1 << 32);

    /// Once in `n` times on average; never when `n` is zero.
    pub const fn one_in(n: u64) -> Self {
        match Self::ALWAYS.0.checked_div(n) {
            Some(share) => Self(share),
            None => Self::NEVER,
        }
    }
}

impl<'de> Deserialize<'de> for Odds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let share = f64::deserialize(deserializer)?;
        if !(0.0..=1.0).contains(&share) {
            let found = de::Unexpected::Float(share);
            return Err(de::Error::invalid_value(found, &"a probability from 0 to 1"));
        }
        Ok(Self((share * Self::ALWAYS.0 as f64) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_sequence_and_streams_differ() {
        let draw = |seed, stream| {
            let mut dice = Dice::new(seed, stream);
            [dice.bits(), dice.bits(), dice.bits()]
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn draws_stay_in_range_and_reach_its_ends() {
        let mut dice = Dice::new(1, 1);
        let drawn: Vec<i64> = (0..1000).map(|_| dice.range(-2, 2)).collect();
        assert!(drawn.iter().all(|n| (-2..=2).contains(n)));
        assert!((-2..=2).all(|n| drawn.contains(&n)));
        assert!((0..1000).all(|_| (200..=10_000).contains(&dice.spread(200, 10_000))));
        assert_eq!(dice.below(0), 0);
    }

    #[test]
    fn odds_happen_as_often_as_they_say() {
        let mut dice = Dice::new(1, 1);
        let hits = (0..100_000).filter(|_| dice.hit(Odds::one_in(10))).count();
        assert!((9_500..10_500).contains(&hits), "{hits}");
        assert!((0..1000).all(|_| dice.hit(Odds::ALWAYS) && !dice.hit(Odds::NEVER)));
    }
}
