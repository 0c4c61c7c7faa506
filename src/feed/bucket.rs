//! A token bucket over virtual time, for the venue's limits "so many a minute".

use crate::types::time::{Mono, Nanos};

/// Grants up to `capacity` at once and one more each `refill`; so never more than
/// `capacity + window / refill` in any window.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    capacity: u32,
    refill: Nanos,
    level: u32,
    /// Up to here the refills are counted in.
    counted_to: Mono,
}

impl TokenBucket {
    /// A full one. `refill` must not be zero.
    pub fn new(capacity: u32, refill: Nanos) -> Self {
        debug_assert!(refill > Nanos::ZERO, "a bucket that refills at once limits nothing");
        Self { capacity, refill, level: capacity, counted_to: Mono(0) }
    }

    /// Takes `n` if they are there.
    pub fn take(&mut self, now: Mono, n: u32) -> bool {
        self.count(now);
        if n > self.level {
            return false;
        }
        self.level -= n;
        true
    }

    /// Takes `n` if at least `keep` are left then.
    pub fn take_above(&mut self, now: Mono, n: u32, keep: u32) -> bool {
        self.count(now);
        n.checked_add(keep).is_some_and(|wanted| wanted <= self.level) && self.take(now, n)
    }

    /// Takes `n` as soon as they are there, or the capacity where `n` is more: what goes beyond it is
    /// owed, and the bucket fills up later. Returns whether it did.
    pub fn take_owing(&mut self, now: Mono, n: u32) -> bool {
        if !self.take(now, n.min(self.capacity)) {
            return false;
        }
        let owed = u64::from(n.saturating_sub(self.capacity));
        self.counted_to = self.counted_to.plus(Nanos(owed.saturating_mul(self.refill.0)));
        true
    }

    /// When `n` will be there, if none are taken before. More than the capacity counts as the
    /// capacity, so that it is granted some day.
    pub fn ready_at(&mut self, now: Mono, n: u32) -> Mono {
        self.count(now);
        let missing = u64::from(n.min(self.capacity).saturating_sub(self.level));
        if missing == 0 {
            return now;
        }
        self.counted_to.plus(Nanos(missing.saturating_mul(self.refill.0)))
    }

    fn count(&mut self, now: Mono) {
        let grown = now.since(self.counted_to).0 / self.refill.0.max(1);
        if grown >= u64::from(self.capacity - self.level) {
            self.level = self.capacity;
            self.counted_to = self.counted_to.max(now);
        } else {
            self.level += grown as u32;
            self.counted_to = self.counted_to.plus(Nanos(grown * self.refill.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_grants_its_capacity_and_then_at_its_rate() {
        let mut bucket = TokenBucket::new(3, Nanos(10));
        let t = Mono(1000);
        assert!(bucket.take(t, 3));
        assert!(!bucket.take(t, 1));
        assert_eq!(bucket.ready_at(t, 2), Mono(1020));
        assert!(!bucket.take(Mono(1009), 1));
        assert!(bucket.take(Mono(1010), 1));
        assert!(!bucket.take(Mono(1019), 1));
        assert!(bucket.take(Mono(1030), 2));
    }

    proptest! {
        #[test]
        fn no_window_sees_more_than_capacity_and_its_refills(
            steps in proptest::collection::vec((0_u64..40, 1_u32..4), 1..200)
        ) {
            let (capacity, refill, window) = (5_u32, 7_u64, 100_u64);
            let mut bucket = TokenBucket::new(capacity, Nanos(refill));
            let mut now = 0;
            let mut granted: Vec<(u64, u32)> = Vec::new();
            for (wait, n) in steps {
                now += wait;
                if bucket.take(Mono(now), n) {
                    granted.push((now, n));
                }
                let within: u32 =
                    granted.iter().filter(|(at, _)| *at + window > now).map(|(_, n)| n).sum();
                prop_assert!(u64::from(within) <= u64::from(capacity) + window.div_ceil(refill));
                let at = bucket.ready_at(Mono(now), n);
                prop_assert!(bucket.clone().take(at, n), "ready_at promised {at:?}");
            }
            prop_assert!(!granted.is_empty());
        }
    }
}
