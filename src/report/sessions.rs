//! When the exchange behind a market trades: its clock, its sessions and its holidays.

use jiff::civil::{Date, Weekday, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::Serialize;

use crate::types::time::{DAY_NS, Day, Wall};

/// Quarters of an hour in a day: sessions begin and end on them, and so do the offsets of time zones.
const QUARTERS: usize = 96;

/// A part of the exchange's week.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Session {
    /// 04:00 to 09:30.
    Pre,
    /// 09:30 to 16:00.
    Regular,
    /// 16:00 to 20:00.
    Post,
    /// The rest of a weekday.
    Overnight,
    /// Saturday and Sunday.
    Weekend,
    /// A full holiday.
    Holiday,
}

impl Session {
    /// As reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Session::Pre => "pre",
            Session::Regular => "regular",
            Session::Post => "post",
            Session::Overnight => "overnight",
            Session::Weekend => "weekend",
            Session::Holiday => "holiday",
        }
    }
}

/// The exchange's clock. Time-zone data is part of the program: reports are the same on every machine.
#[derive(Clone, Debug)]
pub struct Calendar {
    name: String,
    zone: TimeZone,
}

impl Calendar {
    /// Of a time zone such as `America/New_York`.
    ///
    /// Errors: there is no such zone.
    pub fn named(name: &str) -> Result<Self, String> {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(name);
        let zone = zone.map_err(|_| {
            format!("{name:?}: expected a time zone such as America/New_York or Asia/Tokyo")
        })?;
        Ok(Self { name: name.to_owned(), zone })
    }

    /// The zone's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The sessions of a UTC day.
    pub fn day(&self, day: Day) -> SessionsOfDay {
        let begin = day.begin().0 / 1_000_000_000;
        let quarter = |at: usize| {
            let second = begin.saturating_add(at as i64 * 900);
            Timestamp::from_second(second).map_or(Session::Overnight, |at| self.at(at))
        };
        SessionsOfDay(std::array::from_fn(quarter))
    }

    fn at(&self, at: Timestamp) -> Session {
        let local = self.zone.to_datetime(at);
        if is_weekend(local.date()) {
            return Session::Weekend;
        }
        if is_holiday(local.date()) {
            return Session::Holiday;
        }
        match i32::from(local.hour()) * 60 + i32::from(local.minute()) {
            240..570 => Session::Pre,
            570..960 => Session::Regular,
            960..1200 => Session::Post,
            _ => Session::Overnight,
        }
    }
}

/// The sessions of a UTC day, by quarters of an hour.
#[derive(Clone, Copy, Debug)]
pub struct SessionsOfDay([Session; QUARTERS]);

impl SessionsOfDay {
    /// The session of a moment of that day.
    pub fn at(&self, at: Wall) -> Session {
        let quarter = at.0.rem_euclid(DAY_NS) / 900_000_000_000;
        let quarter = usize::try_from(quarter).ok().and_then(|at| self.0.get(at));
        quarter.copied().unwrap_or(Session::Overnight)
    }
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// Whether the New York Stock Exchange is closed all day, by its rules (Rule 7.2): a holiday on a Sunday is
/// kept on Monday, one on a Saturday on Friday, but New Year's Day not in the old year.
fn is_holiday(day: Date) -> bool {
    let (year, month, of_month) = (day.year(), day.month(), day.day());
    let weekday = day.weekday();
    // Whether it is the weekday number `nth` of that month.
    let nth = |nth: i8, wanted| weekday == wanted && (of_month - 1) / 7 + 1 == nth;
    let fixed =
        |month, of_month, also_friday| kept_on(year, month, of_month, also_friday) == Some(day);
    fixed(1, 1, false)
        || (month == 1 && nth(3, Weekday::Monday))
        || (month == 2 && nth(3, Weekday::Monday))
        || good_friday(year) == Some(day)
        || (month == 5 && weekday == Weekday::Monday && of_month > 24)
        || (year >= 2022 && fixed(6, 19, true))
        || fixed(7, 4, true)
        || (month == 9 && nth(1, Weekday::Monday))
        || (month == 11 && nth(4, Weekday::Thursday))
        || fixed(12, 25, true)
}

/// When a holiday of a fixed date is kept.
fn kept_on(year: i16, month: i8, of_month: i8, also_friday: bool) -> Option<Date> {
    let day = Date::new(year, month, of_month).ok()?;
    match day.weekday() {
        Weekday::Sunday => day.tomorrow().ok(),
        Weekday::Saturday if also_friday => day.yesterday().ok(),
        Weekday::Saturday => None,
        _ => Some(day),
    }
}

/// Two days before Easter, which is the Sunday after the first full moon of spring, both as the Gregorian
/// church calendar counts them.
fn good_friday(year: i16) -> Option<Date> {
    let year = i32::from(year);
    let century = year / 100;
    // The moon's age on the first of January, corrected for skipped leap days and the moon's drift.
    let golden = year % 19;
    let moon =
        (19 * golden + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15) % 30;
    // The calendar's two exceptions keep the full moon before the 19th of April.
    let moon = moon - i32::from(moon == 29 || (moon == 28 && golden > 10));
    let full = date(i16::try_from(year).ok()?, 3, 21).checked_add(Span::new().days(moon)).ok()?;
    let to_sunday = 7 - i32::from(full.weekday().to_sunday_zero_offset());
    full.checked_add(Span::new().days(to_sunday - 2)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holidays(year: i16) -> Vec<String> {
        let first = date(year, 1, 1);
        let days = (0..366).filter_map(|n| first.checked_add(Span::new().days(n)).ok());
        let days = days.filter(|day| day.year() == year && !is_weekend(*day) && is_holiday(*day));
        days.map(|day| format!("{:02}-{:02}", day.month(), day.day())).collect()
    }

    #[test]
    fn the_exchange_keeps_its_published_holidays() {
        let of_2026 = [
            "01-01", "01-19", "02-16", "04-03", "05-25", "06-19", "07-03", "09-07", "11-26",
            "12-25",
        ];
        assert_eq!(holidays(2026), of_2026);
        // New Year's Day 2022 was a Saturday; Juneteenth and Christmas were Sundays.
        let of_2022 =
            ["01-17", "02-21", "04-15", "05-30", "06-20", "07-04", "09-05", "11-24", "12-26"];
        assert_eq!(holidays(2022), of_2022);
        let of_2027 = [
            "01-01", "01-18", "02-15", "03-26", "05-31", "06-18", "07-05", "09-06", "11-25",
            "12-24",
        ];
        assert_eq!(holidays(2027), of_2027);
    }

    #[test]
    fn easter_moves_as_it_should() {
        for (year, month, of_month) in [
            (2000, 4, 21),
            (2008, 3, 21),
            (2011, 4, 22),
            (2038, 4, 23),
            (1981, 4, 17),
            (1954, 4, 16),
        ] {
            assert_eq!(good_friday(year), Some(date(year, month, of_month)), "{year}");
        }
    }

    #[test]
    fn sessions_follow_the_exchange_through_daylight_saving() {
        let calendar = Calendar::named("America/New_York").expect("a zone");
        let at = |text: &str| {
            let at: Timestamp = text.parse().expect("a moment");
            let at = Wall(at.as_second() * 1_000_000_000);
            calendar.day(at.day()).at(at)
        };
        // Winter: five hours behind. Summer: four.
        for (moment, session) in [
            ("2026-11-25T08:59:59Z", Session::Overnight),
            ("2026-11-25T09:00:00Z", Session::Pre),
            ("2026-11-25T14:29:59Z", Session::Pre),
            ("2026-11-25T14:30:00Z", Session::Regular),
            ("2026-11-25T21:00:00Z", Session::Post),
            ("2026-11-26T01:00:00Z", Session::Overnight),
            ("2026-11-26T15:00:00Z", Session::Holiday),
            ("2026-11-27T15:00:00Z", Session::Regular),
            ("2026-11-28T04:59:59Z", Session::Overnight),
            ("2026-11-28T05:00:00Z", Session::Weekend),
            ("2026-07-15T13:29:59Z", Session::Pre),
            ("2026-07-15T13:30:00Z", Session::Regular),
            ("2026-07-15T20:00:00Z", Session::Post),
        ] {
            assert_eq!(at(moment), session, "{moment}");
        }
        Calendar::named("Mars/Olympus").expect_err("no zone");
    }
}
