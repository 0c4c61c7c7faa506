//! Moments on the command line.

use crate::types::time::{Day, Nanos, Wall};

/// Reads `2026-11-22`, `2026-11-22T14:00` or `2026-11-22T14:00:05`, a `Z` behind it or not: UTC.
pub(super) fn moment(text: &str) -> Result<Wall, String> {
    parse(text)
        .ok_or_else(|| "expected a UTC time such as 2026-11-22 or 2026-11-22T14:00".to_owned())
}

fn parse(text: &str) -> Option<Wall> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00"));
    let day = Day::named(&numbers(date, '-', &[4, 2, 2])?.concat())?;
    let time = numbers(time, ':', &[2, 2]).or_else(|| numbers(time, ':', &[2, 2, 2]))?;
    let mut seconds = 0;
    for (at, limit) in [24, 60, 60].into_iter().enumerate() {
        let part = time.get(at).map_or(Some(0), |part| part.parse::<u64>().ok())?;
        if part >= limit {
            return None;
        }
        seconds = seconds * 60 + part;
    }
    Some(day.begin().plus(Nanos::from_secs(seconds)))
}

/// The parts of `text` between `mark`, if they have as many digits as `lengths` says.
fn numbers<'a>(text: &'a str, mark: char, lengths: &[usize]) -> Option<Vec<&'a str>> {
    let parts: Vec<&str> = text.split(mark).collect();
    let fits = |(part, length): (&&str, &usize)| {
        part.len() == *length && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    (parts.len() == lengths.len() && parts.iter().zip(lengths).all(fits)).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_and_perhaps_a_time() {
        let s = |text: &str| moment(text).map(|at| at.0 / 1_000_000_000);
        assert_eq!(s("2026-11-22"), Ok(1_795_305_600));
        assert_eq!(s("2026-11-22T14:00"), Ok(1_795_305_600 + 14 * 3600));
        assert_eq!(s("2026-11-22T14:00:05Z"), Ok(1_795_305_600 + 14 * 3600 + 5));
        for wrong in
            ["", "2026-11", "2026-02-30", "2026-11-22T24:00", "2026-11-22T1:00", "yesterday"]
        {
            moment(wrong).expect_err(wrong);
        }
    }
}
