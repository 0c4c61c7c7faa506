//! The `Date` of an answer: the venue's clock, in whole seconds.

use std::time::Instant;

use crate::types::time::{DAY_NS, Day, Wall};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// An answer that told the venue's time.
#[derive(Clone, Copy, Debug)]
pub struct Dated {
    /// When the question was sent, and when the answer had come: the date was written in between.
    pub asked: Instant,
    /// See there.
    pub answered: Instant,
    /// What it said: the venue's clock showed this second.
    pub date: Wall,
}

/// Reads `Tue, 01 Dec 2026 09:45:12 GMT`, the one form that servers write (RFC 9110, 5.6.7).
pub(super) fn parse(text: &str) -> Option<Wall> {
    let (_, rest) = text.split_once(", ")?;
    let rest = rest.strip_suffix(" GMT")?;
    let mut words = rest.split(' ');
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let mut of_day = words.next()?.split(':');
    let (hour, minute, second) = (of_day.next()?, of_day.next()?, of_day.next()?);
    if words.next().is_some() || of_day.next().is_some() {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)?;
    let month = u32::try_from(month).ok()?.checked_add(1)?;
    let day = Day::of_civil(number(year, 4)?.try_into().ok()?, month, number(day, 2)?)?;
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    let begin = i64::from(day.0).checked_mul(DAY_NS)?;
    begin.checked_add(seconds * 1_000_000_000).map(Wall)
}

fn number(text: &str, digits: usize) -> Option<u32> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_servers_write_them_and_nothing_else_is() {
        let second = |s: i64| Some(Wall(s * 1_000_000_000));
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 GMT"), second(0));
        assert_eq!(parse("Sun, 22 Nov 2026 12:00:00 GMT"), second(1_795_348_800));
        assert_eq!(parse("Tue, 29 Feb 2028 23:59:60 GMT"), second(1_835_481_600));
        for wrong in [
            "",
            "Sun, 22 Nov 2026 12:00:00",
            "Sun, 22 Nov 2026 12:00:00 UTC",
            "Sun, 31 Nov 2026 12:00:00 GMT",
            "Sun, 22 Now 2026 12:00:00 GMT",
            "Sun, 22 Nov 26 12:00:00 GMT",
            "Sun, 22 Nov 2026 24:00:00 GMT",
            "Sun, 22 Nov 2026 1:00:00 GMT",
            "Sun, 22 Nov 2026 12:00:00:00 GMT",
            "Sunday, 22-Nov-26 12:00:00 GMT",
            "Sun Nov 22 12:00:00 2026",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
