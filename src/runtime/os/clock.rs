//! The two clocks of a turn: one that only goes forward, and the wall's.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::types::time::{Mono, Nanos, Now, Wall};

/// How often the wall clock is read anew.
const ANCHOR_INTERVAL: Nanos = Nanos::from_secs(1);
/// A reading of the system clock that took longer was interrupted, and is not used...
const PROMPT: Nanos = Nanos(20_000);
/// ...unless the anchor is this old: on a busy machine a late reading beats a stale one.
const ANCHOR_STALE: Nanos = Nanos::from_secs(10);
/// Readings at the start, of which the shortest is used if none is prompt.
const FIRST_READINGS: u32 = 16;

/// Reads the time: the processor's counter each turn, the system clock about once a second.
///
/// Monotonic time starts near zero and never goes back, even if the counter warps between cores.
/// Wall time is the last reading of the system clock plus the monotonic time since: it follows
/// the steps and drifts of the system clock within about a second, and so may go back.
///
/// Clones count from the same origin.
#[derive(Clone, Debug)]
pub struct Clock {
    counter: quanta::Clock,
    origin: u64,
    timeline: Timeline,
}

impl Clock {
    /// Calibrates the counter (up to 0.2 s, once a process) and reads both clocks.
    pub fn new() -> Self {
        let counter = quanta::Clock::new();
        let origin = counter.raw();
        let elapsed = || Mono(counter.delta_as_nanos(origin, counter.raw()));
        let timeline = Timeline::new(elapsed, system_time);
        Self { counter, origin, timeline }
    }

    /// The time now, on both clocks.
    pub fn now(&mut self) -> Now {
        let Self { counter, origin, timeline } = self;
        let elapsed = || Mono(counter.delta_as_nanos(*origin, counter.raw()));
        timeline.now(elapsed, system_time)
    }
}

/// The processor's counter, for stamps that other threads compare.
static COUNTER: LazyLock<quanta::Clock> = LazyLock::new(quanta::Clock::new);

/// Reads it; see [`ticks_between`].
pub fn ticks() -> u64 {
    COUNTER.raw()
}

/// The time between two readings; none when the counter went back.
pub fn ticks_between(earlier: u64, later: u64) -> Nanos {
    Nanos(COUNTER.delta_as_nanos(earlier, later))
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// The wall clock as the system has it. Before 1970 it is 1970; after 2262 it stands still.
fn system_time() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// How readings become times. Reads nothing itself, so that tests can make time up.
#[derive(Clone, Debug)]
struct Timeline {
    /// Never goes back behind this.
    last: Mono,
    /// The last reading of the system clock, and the moment it was taken.
    anchor: (Mono, Wall),
    next_reading: Mono,
}

impl Timeline {
    fn new(elapsed: impl Fn() -> Mono, system: impl Fn() -> Wall) -> Self {
        let mut best: Option<(Nanos, Mono, Wall)> = None;
        let mut last = elapsed();
        for _ in 0..FIRST_READINGS {
            let (before, wall) = (last, system());
            last = elapsed().max(before);
            let took = last.since(before);
            // We may be interrupted here as well, and more likely: the counter was just calibrated
            // for as long as the system lets anybody run.
            if best.is_none_or(|(shortest, ..)| took < shortest) {
                best = Some((took, before.plus(Nanos(took.0 / 2)), wall));
            }
            if took <= PROMPT {
                break;
            }
        }
        let (_, at, wall) = best.unwrap_or_default();
        Self { last, anchor: (at, wall), next_reading: last.plus(ANCHOR_INTERVAL) }
    }

    fn now(&mut self, elapsed: impl Fn() -> Mono, system: impl Fn() -> Wall) -> Now {
        let mut mono = elapsed().max(self.last);
        if mono >= self.next_reading {
            let wall = system();
            let after = elapsed().max(mono);
            let took = after.since(mono);
            // The reading lies somewhere between the two moments: when they are far apart (we were
            // interrupted), where is not known. The next turn tries again.
            if took <= PROMPT || mono.since(self.anchor.0) > ANCHOR_STALE {
                self.anchor = (mono.plus(Nanos(took.0 / 2)), wall);
                self.next_reading = after.plus(ANCHOR_INTERVAL);
            }
            mono = after;
        }
        self.last = mono;
        Now { mono, wall: self.anchor.1.plus(mono.since(self.anchor.0)) }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// A made-up machine: a counter, a system clock, and how long reading the latter takes.
    struct Machine {
        counter: Cell<u64>,
        offset: Cell<i64>,
        reading_takes: Cell<u64>,
        readings: Cell<u32>,
    }

    impl Machine {
        fn new() -> Self {
            Self {
                counter: Cell::new(0),
                offset: Cell::new(1_000 * SECOND as i64),
                reading_takes: Cell::new(0),
                readings: Cell::new(0),
            }
        }

        fn timeline(&self) -> Timeline {
            Timeline::new(|| Mono(self.counter.get()), || self.system())
        }

        fn system(&self) -> Wall {
            self.readings.set(self.readings.get() + 1);
            let takes = self.reading_takes.get();
            self.counter.set(self.counter.get() + takes);
            Wall(self.counter.get() as i64 + self.offset.get() - takes as i64 / 2)
        }

        fn at(&self, timeline: &mut Timeline, counter: u64) -> Now {
            self.counter.set(counter);
            timeline.now(|| Mono(self.counter.get()), || self.system())
        }
    }

    #[test]
    fn between_readings_the_wall_follows_the_counter() {
        let machine = Machine::new();
        let mut timeline = machine.timeline();
        let now = machine.at(&mut timeline, SECOND - 1);
        assert_eq!(now, Now { mono: Mono(SECOND - 1), wall: Wall(1_001 * SECOND as i64 - 1) });
        assert_eq!(machine.readings.get(), 1, "once at the start");
        machine.at(&mut timeline, SECOND);
        machine.at(&mut timeline, 2 * SECOND - 1);
        assert_eq!(machine.readings.get(), 2, "once a second");
    }

    #[test]
    fn a_step_of_the_system_clock_moves_the_wall_alone() {
        let machine = Machine::new();
        let mut timeline = machine.timeline();
        for step in [-3_600 * SECOND as i64, 7_200 * SECOND as i64] {
            let before = machine.at(&mut timeline, machine.counter.get() + 10);
            machine.offset.set(machine.offset.get() + step);
            let kept = machine.at(&mut timeline, machine.counter.get() + 10);
            assert_eq!(kept.wall, before.wall.plus(Nanos(10)), "not noticed yet");
            let after = machine.at(&mut timeline, machine.counter.get() + SECOND);
            assert_eq!(after.mono, kept.mono.plus(Nanos(SECOND)));
            assert_eq!(after.wall.0, kept.wall.0 + SECOND as i64 + step);
        }
    }

    #[test]
    fn a_counter_that_warps_back_stands_still() {
        let machine = Machine::new();
        let mut timeline = machine.timeline();
        let before = machine.at(&mut timeline, 500);
        assert_eq!(machine.at(&mut timeline, 400), before);
        assert_eq!(machine.at(&mut timeline, 501).mono, Mono(501));
    }

    #[test]
    fn an_interrupted_reading_is_not_used_until_the_last_one_is_old() {
        let machine = Machine::new();
        let mut timeline = machine.timeline();
        machine.offset.set(machine.offset.get() + 5);
        machine.reading_takes.set(PROMPT.0 + 1);
        let old = machine.at(&mut timeline, SECOND);
        assert_eq!(old.wall.0 - old.mono.0 as i64, 1_000 * SECOND as i64, "the old anchor");
        machine.at(&mut timeline, 2 * SECOND);
        assert_eq!(machine.readings.get(), 3, "tried again at each turn");
        let now = machine.at(&mut timeline, 11 * SECOND);
        assert!(now.wall.0 - now.mono.0 as i64 > 1_000 * SECOND as i64, "better than a stale one");
    }

    #[test]
    fn an_interrupted_first_reading_is_taken_again() {
        let machine = Machine::new();
        machine.reading_takes.set(94_000_000);
        let read = || {
            let wall = machine.system();
            machine.reading_takes.set(if machine.readings.get() < 3 { 50_000_000 } else { 10 });
            wall
        };
        let mut timeline = Timeline::new(|| Mono(machine.counter.get()), read);
        assert_eq!(machine.readings.get(), 4, "until one is prompt");
        let now = machine.at(&mut timeline, machine.counter.get() + 100);
        let exact = now.mono.0 as i64 + machine.offset.get();
        assert!((now.wall.0 - exact).abs() <= 10, "{now:?}");

        // Where none is, the shortest is as good as it gets.
        let machine = Machine::new();
        machine.reading_takes.set(1_000_000);
        Timeline::new(|| Mono(machine.counter.get()), || machine.system());
        assert_eq!(machine.readings.get(), FIRST_READINGS);
    }

    #[test]
    fn the_real_clock_goes_forward() {
        let mut clock = Clock::new();
        let mut last = clock.now();
        assert!(last.wall > Wall(1_700_000_000 * SECOND as i64));
        for _ in 0..10_000 {
            let now = clock.now();
            assert!(now.mono >= last.mono);
            last = now;
        }
    }
}
