//! Who we are: version, commit, and names that no other run has.

use crate::types::time::{DAY_NS, Wall};

/// The program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, twelve hex digits; `unknown` outside a checkout.
pub const GIT_COMMIT: &str = match option_env!("HIP3_GIT_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// Version and commit, as `--version` prints them.
pub fn version() -> String {
    format!("{VERSION} ({GIT_COMMIT})")
}

/// What this machine calls itself, if it is plain text.
pub fn host_name() -> Option<String> {
    let names = rustix::system::uname();
    let name = names.nodename().to_str().ok()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// The name of a run: when it began (UTC, to the millisecond) and its process, as in
/// `20261122T195012.345Z-4711`. Names sort by time.
pub fn run_id(began: Wall, process: u32) -> String {
    let of_day = began.0.rem_euclid(DAY_NS) / 1_000_000;
    let (ms, second) = (of_day % 1_000, of_day / 1_000);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{}T{hour:02}{minute:02}{second:02}.{ms:03}Z-{process}", began.day())
}

/// The first id of a run that began then: milliseconds since 1970, and 20 bits to count in.
///
/// Ids of different runs differ as long as a run starts at least a millisecond after the one
/// before and counts fewer than a million ids a millisecond; a clock set back breaks that only if
/// it lands within the time that an earlier run's ids covered. Fits a signed 64-bit integer until
/// the year 2248; the clock is taken as 1970 before, and as that year after.
pub fn first_id(began: Wall) -> u64 {
    const COUNT_BITS: u32 = 20;
    let ms = u64::try_from(began.0 / 1_000_000).unwrap_or(0);
    ms.min((1 << (63 - COUNT_BITS)) - 1) << COUNT_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_named_by_time_and_process() {
        let began = Wall(20_779 * DAY_NS + ((19 * 60 + 5) * 60 + 7) * 1_000_000_000 + 89_999_999);
        assert_eq!(run_id(began, 42), "20261122T190507.089Z-42");
        assert_eq!(run_id(Wall(-1), 1), "19691231T235959.999Z-1");
    }

    #[test]
    fn ids_of_later_runs_are_higher_and_fit_a_signed_integer() {
        let began = Wall(20_779 * DAY_NS);
        let first = first_id(began);
        assert_eq!(first >> 20, 20_779 * 86_400_000);
        assert!(first_id(Wall(began.0 + 1_000_000)) >= first + (1 << 20));
        assert!(i64::try_from(first_id(Wall(i64::MAX)) + ((1 << 20) - 1)).is_ok());
        assert_eq!(first_id(Wall(-1)), 0);
    }

    #[test]
    fn the_version_names_a_commit() {
        assert!(version().starts_with(VERSION) && !GIT_COMMIT.is_empty());
    }
}
