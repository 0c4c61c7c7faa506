//! A small generator for jitter, seeds and draws.

/// Steele, Lea and Flood's SplitMix64 ("Fast splittable pseudorandom number generators", 2014), from the seed
/// it is made of: 64 bits of state, the same on every machine.
#[derive(Clone, Copy, Debug)]
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`, by multiplication: the bias is below `bound` / 2^64. Zero when `bound` is.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_published_generator() {
        // The first numbers of the seed 1234567, as implementations in other languages list them.
        let mut draws = SplitMix64(1_234_567);
        let first = [0; 3].map(|_| draws.bits());
        assert_eq!(
            first,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn what_is_drawn_below_a_bound_is_below_it() {
        let mut draws = SplitMix64(1);
        let mut seen = [false; 7];
        for _ in 0..200 {
            seen[draws.below(7) as usize] = true;
        }
        assert_eq!(seen, [true; 7]);
        assert_eq!(draws.below(0), 0);
    }
}
