//! Episodes: signals that one move made. They are no independent witnesses, so an interval counts them
//! once.

use crate::report::signal::Signal;

/// Width of the buckets in which all markets move together, in nanoseconds: the venue publishes oracle
/// prices roughly every three seconds.
const PRINT_NS: i64 = 3_000_000_000;

/// Whether a signal belongs to the episode of the one before it in its market, on the same day.
pub fn continues(before: &Signal, signal: &Signal) -> bool {
    before.cross == signal.cross || before.oracle == signal.oracle
}

/// The bucket of an episode that began at `start_ns` since 1970.
pub fn bucket(start_ns: i64) -> i64 {
    start_ns.div_euclid(PRINT_NS)
}
