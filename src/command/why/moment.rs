//! The moment that is asked about: a time of day, or a whole timestamp; all of it UTC.

use toml::value::{Datetime, Offset};

use crate::types::time::{Day, Nanos, Wall};

/// A moment, as exact as it was written: a second has a beginning and an end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Moment {
    pub(super) from: Wall,
    /// The last nanosecond of it.
    pub(super) to: Wall,
}

const EXPECTED: &str = "expected a UTC time such as 14:31:05 or 14:31:05.250 (the day is given by --date, else it \
     is today), or a whole timestamp such as 2026-11-25T14:31:05Z";

impl Moment {
    /// Reads `--at` and `--date`. RFC 3339 with a zone counts in it; a date in `at` wins over none.
    pub(super) fn parse(at: &str, date: Option<&str>, today: Day) -> Result<Self, String> {
        let wrong = || format!("--at {at:?}: {EXPECTED}");
        let read: Datetime = at.trim().parse().map_err(|_| wrong())?;
        let time = read.time.ok_or_else(wrong)?;
        let day = match (read.date, date) {
            (Some(_), Some(_)) => return Err("--date: --at names a date already".to_owned()),
            (Some(date), None) => {
                Day::of_civil(date.year.into(), date.month.into(), date.day.into())
                    .ok_or_else(wrong)?
            }
            (None, Some(date)) => named_day(date)?,
            (None, None) => today,
        };
        let minutes = match read.offset {
            Some(Offset::Custom { minutes }) => i64::from(minutes),
            Some(Offset::Z) | None => 0,
        };
        let (hour, minute) = (i64::from(time.hour), i64::from(time.minute));
        let second = i64::from(time.second.unwrap_or(0));
        let of_day = (hour * 60 + minute - minutes) * 60 + second;
        let nanos = i64::from(time.nanosecond.unwrap_or(0));
        let from = Wall(day.begin().0 + of_day * 1_000_000_000 + nanos);
        let precision = match (time.second, time.nanosecond) {
            (None, _) => Nanos::from_secs(60),
            (Some(_), None) => Nanos::from_secs(1),
            (Some(_), Some(_)) => Nanos(1_000_000),
        };
        Ok(Self { from, to: Wall(from.0 + precision.0 as i64 - 1) })
    }

    /// How far `at` lies from it; nothing within it.
    pub(super) fn distance(&self, at: Wall) -> Nanos {
        Nanos(match at {
            at if at < self.from => self.from.0.abs_diff(at.0),
            at if at > self.to => at.0.abs_diff(self.to.0),
            _ => 0,
        })
    }

    /// Whether it and the time from `from` to `to` (`None`: not over yet) have something in common.
    pub(super) fn meets(&self, from: Wall, to: Option<Wall>) -> bool {
        from <= self.to && to.is_none_or(|to| to >= self.from)
    }
}

/// `2026-11-25`, or as file names write it, `20261125`.
fn named_day(text: &str) -> Result<Day, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let day = match parts.as_slice() {
        [whole] => Day::named(whole),
        [year, month, day] if (year.len(), month.len()) == (4, 2) => {
            Day::named(&[*year, month, day].concat())
        }
        _ => None,
    };
    day.ok_or_else(|| format!("--date {text:?}: expected a day such as 2026-11-25"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-25.
    const TODAY: Day = Day(20_782);

    fn parsed(at: &str, date: Option<&str>) -> (i64, i64) {
        let moment = Moment::parse(at, date, TODAY).expect(at);
        (moment.from.0 - TODAY.begin().0, moment.to.0 - moment.from.0 + 1)
    }

    #[test]
    fn a_time_of_day_is_utc_and_as_exact_as_it_was_written() {
        const SECOND: i64 = 1_000_000_000;
        let at = (14 * 3_600 + 31 * 60 + 5) * SECOND;
        assert_eq!(parsed("14:31:05", None), (at, SECOND));
        assert_eq!(parsed("14:31:05.25", None), (at + SECOND / 4, SECOND / 1_000));
        assert_eq!(parsed("14:31:05", Some("2026-11-25")), (at, SECOND));
        assert_eq!(parsed("14:31:05", Some("20261124")), (at - 86_400 * SECOND, SECOND));
        assert_eq!(parsed("2026-11-25T14:31:05Z", None), (at, SECOND));
        assert_eq!(parsed("2026-11-25 14:31:05", None), (at, SECOND));
        assert_eq!(parsed("2026-11-25T16:31:05+02:00", None), (at, SECOND));
    }

    #[test]
    fn what_is_no_moment_is_refused_with_what_was_expected() {
        for wrong in ["", "now", "25:00:00", "14:61:00", "2026-11-25", "2026-02-30T00:00:00Z"] {
            let error = Moment::parse(wrong, None, TODAY).expect_err(wrong);
            assert!(error.contains("14:31:05"), "{error}");
        }
        for date in ["2026-02-29", "26-11-25", "tomorrow", "2026-11-2", "2026-1-125"] {
            let error = Moment::parse("14:31:05", Some(date), TODAY).expect_err(date);
            assert!(error.starts_with("--date"), "{error}");
        }
        Moment::parse("2026-11-25T14:31:05Z", Some("2026-11-25"), TODAY).expect_err("two days");
    }

    #[test]
    fn distances_count_from_its_edges() {
        let moment = Moment { from: Wall(100), to: Wall(199) };
        let distances = [90, 100, 150, 199, 205].map(|at| moment.distance(Wall(at)).0);
        assert_eq!(distances, [10, 0, 0, 0, 6]);
        assert!(moment.meets(Wall(0), None) && moment.meets(Wall(199), Some(Wall(300))));
        assert!(!moment.meets(Wall(0), Some(Wall(99))) && !moment.meets(Wall(200), None));
    }
}
