//! What falls due later, in order of time and then of arming: the same on every run.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::types::ids::{CrossId, MarketId};
use crate::types::num::Side;
use crate::types::time::Mono;

/// Something that falls due.
#[allow(missing_docs, reason = "the fields say what they are")]
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Timer {
    /// The ctx under a cross may have gone stale.
    Stale { market: MarketId, side: Side, cross: CrossId },
    /// A cross that lasts yields another signal.
    Resignal { market: MarketId, side: Side, cross: CrossId },
    /// The next sample of a signal, by its place in the list of tracked signals.
    Sample { slot: u32 },
}

/// Armed timers.
#[derive(Debug)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Mono, u64, Timer)>>,
    armed: u64,
}

impl Timers {
    /// With room for `capacity` before it has to grow.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { heap: BinaryHeap::with_capacity(capacity), armed: 0 }
    }

    /// Arms `timer` for `due`.
    pub fn arm(&mut self, due: Mono, timer: Timer) {
        self.armed += 1;
        self.heap.push(Reverse((due, self.armed, timer)));
    }

    /// Takes the first that is due at `now`.
    pub fn pop_due(&mut self, now: Mono) -> Option<Timer> {
        if self.next_due() > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, _, timer))| timer)
    }

    /// When the first falls due.
    pub fn next_due(&self) -> Mono {
        self.heap.peek().map_or(Mono::MAX, |Reverse((due, _, _))| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_of_time_then_of_arming() {
        let mut timers = Timers::with_capacity(4);
        timers.arm(Mono(20), Timer::Sample { slot: 1 });
        timers.arm(Mono(10), Timer::Sample { slot: 9 });
        timers.arm(Mono(10), Timer::Sample { slot: 2 });
        assert_eq!(timers.next_due(), Mono(10));
        assert_eq!(timers.pop_due(Mono(9)), None);
        assert_eq!(timers.pop_due(Mono(20)), Some(Timer::Sample { slot: 9 }));
        assert_eq!(timers.pop_due(Mono(20)), Some(Timer::Sample { slot: 2 }));
        assert_eq!(timers.pop_due(Mono(20)), Some(Timer::Sample { slot: 1 }));
        assert_eq!(timers.pop_due(Mono::MAX), None);
    }
}
