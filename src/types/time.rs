//! Clocks as values. Nothing here reads one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A span of time in nanoseconds.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// From milliseconds; saturates.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// From seconds; saturates.
    pub const fn from_secs(s: u64) -> Self {
        Self(s.saturating_mul(1_000_000_000))
    }

    /// Whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole microseconds, rounded down.
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }
}

impl From<Nanos> for std::time::Duration {
    fn from(nanos: Nanos) -> Self {
        Self::from_nanos(nanos.0)
    }
}

/// A moment of the local monotonic clock, in nanoseconds from an arbitrary origin. Ages and
/// deadlines are made of these.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Mono(pub u64);

impl Mono {
    /// The end of time.
    pub const MAX: Self = Self(u64::MAX);

    /// Time since `earlier`; zero when `earlier` is later.
    pub const fn since(self, earlier: Mono) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }

    /// This moment and `span` more; saturates.
    pub const fn plus(self, span: Nanos) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// Nanoseconds of one UTC day.
pub const DAY_NS: i64 = 86_400_000_000_000;

/// A moment of the wall clock: nanoseconds since 1970 UTC. For records, never for decisions.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Wall(pub i64);

impl Wall {
    /// This moment and `span` less; saturates.
    pub const fn minus(self, span: Nanos) -> Self {
        Self(self.0.saturating_sub_unsigned(span.0))
    }

    /// This moment and `span` more; saturates.
    pub const fn plus(self, span: Nanos) -> Self {
        Self(self.0.saturating_add_unsigned(span.0))
    }

    /// The UTC day it falls on.
    pub const fn day(self) -> Day {
        Day(self.0.div_euclid(DAY_NS) as i32)
    }
}

/// A UTC day, counted from 1970-01-01. Displays as `YYYYMMDD`, the form in file names.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(pub i32);

impl Day {
    /// Year, month (1 to 12) and day of the month (1 to 31) in the Gregorian calendar.
    pub fn civil(self) -> (i32, u32, u32) {
        // Days are counted from 0000-03-01, so that a leap day ends its year; 400 years are one
        // era of 146,097 days.
        let days = i64::from(self.0) + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153; // 0 is March.
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year as i32, month as u32, day as u32)
    }

    /// The day of a date; `None` when there is no such day.
    pub fn of_civil(year: i32, month: u32, day: u32) -> Option<Self> {
        if !(1..=12).contains(&month) || !(-9999..=9999).contains(&year) {
            return None;
        }
        // As above: the year begins in March.
        let shifted_year = i64::from(year) - i64::from(month <= 2);
        let (era, year_of_era) = (shifted_year.div_euclid(400), shifted_year.rem_euclid(400));
        let shifted = (i64::from(month) + 9) % 12;
        let of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        let found = Self((era * 146_097 + of_era - 719_468) as i32);
        (found.civil() == (year, month, day)).then_some(found)
    }

    /// The day that is written so (`20261122`).
    pub fn named(text: &str) -> Option<Self> {
        if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let part = |range| text.get(range).and_then(|part: &str| part.parse::<u32>().ok());
        Self::of_civil(part(0..4)? as i32, part(4..6)?, part(6..8)?)
    }

    /// When it begins.
    pub const fn begin(self) -> Wall {
        Wall(self.0 as i64 * DAY_NS)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}{month:02}{day:02}")
    }
}

/// The venue's own time: milliseconds since 1970 UTC, as block times come.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct VenueMs(pub i64);

/// What the venue's clock showed at a moment of ours, as far as an answer of it tells: something between
/// the two.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct VenueTime {
    /// The moment.
    pub at: Mono,
    /// The venue's clock showed this or later.
    pub earliest: Wall,
    /// It showed this or earlier.
    pub latest: Wall,
}

impl VenueTime {
    /// The same as of a later moment; of an earlier one it stays as it is.
    pub const fn later(self, at: Mono) -> Self {
        let passed = at.since(self.at);
        let at = self.at.plus(passed);
        Self { at, earliest: self.earliest.plus(passed), latest: self.latest.plus(passed) }
    }

    /// What both bear out, as of the later of their moments; `None` when they contradict each other.
    pub fn and(self, other: Self) -> Option<Self> {
        let at = self.at.max(other.at);
        let (one, two) = (self.later(at), other.later(at));
        let (earliest, latest) = (one.earliest.max(two.earliest), one.latest.min(two.latest));
        (earliest <= latest).then_some(Self { at, earliest, latest })
    }
}

/// The moment of one turn of the loop, on both clocks; read once a turn.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Now {
    /// For ages and deadlines.
    pub mono: Mono,
    /// For records.
    pub wall: Wall,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_civil_names() {
        for (day, name) in [
            (0, "19700101"),
            (-1, "19691231"),
            (11_016, "20000229"),
            (11_017, "20000301"),
            (20_779, "20261122"),
            (47_540, "21000228"),
            (47_541, "21000301"),
        ] {
            assert_eq!(Day(day).to_string(), name);
        }
        for day in (-800_000..800_000).step_by(97) {
            let (year, month, of_month) = Day(day).civil();
            assert_eq!(Day::of_civil(year, month, of_month), Some(Day(day)));
        }
        assert_eq!(Day::named("20261122"), Some(Day(20_779)));
        for wrong in ["", "20260229", "20261301", "20260100", "2026112", "+2026112", "2026112x"] {
            assert_eq!(Day::named(wrong), None, "{wrong}");
        }
        assert_eq!(Day(20_779).begin().day(), Day(20_779));
        assert_eq!(Wall(-1).day(), Day(-1));
        assert_eq!(Wall(DAY_NS).day(), Day(1));
    }

    #[test]
    fn time_saturates_instead_of_wrapping() {
        assert_eq!(Mono(5).since(Mono(9)), Nanos::ZERO);
        assert_eq!(Mono::MAX.plus(Nanos(1)), Mono::MAX);
        assert_eq!(Wall(i64::MAX).plus(Nanos(1)), Wall(i64::MAX));
    }
}
