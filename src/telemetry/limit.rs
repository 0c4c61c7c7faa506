//! So many lines of one kind a minute, and a count of the rest.

use crate::types::time::{Mono, Nanos};

const WINDOW: Nanos = Nanos::from_secs(60);

/// Lets `most` through a minute; the minute begins with the first one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    most: u32,
    began: Mono,
    let_through: u32,
    held_back: u64,
}

impl Limit {
    pub(super) const fn new(most: u32) -> Self {
        Self { most, began: Mono(0), let_through: 0, held_back: 0 }
    }

    /// Whether another one may pass now.
    pub(super) fn allows(&mut self, now: Mono) -> bool {
        if self.let_through == 0 {
            self.began = now;
        }
        let allowed = self.let_through < self.most;
        if allowed {
            self.let_through += 1;
        } else {
            self.held_back += 1;
        }
        allowed
    }

    /// Ends the minute if it is over; then says how many were held back, if any.
    pub(super) fn pass(&mut self, now: Mono) -> Option<u64> {
        if self.let_through == 0 || now.since(self.began) < WINDOW {
            return None;
        }
        let held_back = self.held_back;
        *self = Self::new(self.most);
        (held_back > 0).then_some(held_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000_000;

    #[test]
    fn the_first_ones_pass_and_the_rest_is_counted() {
        let mut limit = Limit::new(2);
        let passed: Vec<_> = (5..10).map(|at| limit.allows(Mono(at))).collect();
        assert_eq!(passed, [true, true, false, false, false]);
        assert_eq!(limit.pass(Mono(4 + MINUTE)), None, "the minute is not over");
        assert_eq!(limit.pass(Mono(5 + MINUTE)), Some(3));
        assert_eq!(limit.pass(Mono(9 * MINUTE)), None, "said once");
        assert!(limit.allows(Mono(9 * MINUTE)));
    }

    #[test]
    fn nothing_is_said_of_a_minute_within_the_limit() {
        let mut limit = Limit::new(1);
        assert!(limit.allows(Mono(0)));
        assert_eq!(limit.pass(Mono(MINUTE)), None);
        assert!(limit.allows(Mono(MINUTE)), "a new minute");
    }
}
