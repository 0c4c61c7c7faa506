//! The feed's clock: what block times say of how late the feed is, and, with the venue's own word of
//! the time, of how wrong our wall clock is.
//!
//! A frame that is the first to tell of a block has been under way for its whole delay. The difference
//! between our monotonic clock and the block's time is that delay and a constant that nobody knows; so the
//! least difference of the last minutes stands for a feed that is not late, and what a later one is above
//! it is the **feed lag**. Measured so, neither a wrong wall clock nor one that is set looks like lag.
//! A feed that has been late all along has a least difference that is late, too: the venue's time, where
//! its answers tell it, bounds that.

use std::ops::RangeInclusive;

use crate::types::time::{Mono, Nanos, Now, VenueMs, VenueTime};

/// Parts of the window whose least difference counts, and how long one is: five minutes in all.
const PARTS: usize = 10;
const PART: Nanos = Nanos::from_secs(30);

/// Delay of a feed that is not late, at most: blocks are heard 0.2 to 0.3 s after their time
/// (PROTOCOL.md §1).
const USUAL_DELAY: i64 = 500 * MS;

/// The first quote of a market on a link tells when the market last moved. A younger one is news.
const NEWS: Nanos = Nanos::from_millis(500);

/// A block that the venue's clock has not come to yet by as much is none: a wrong time, or one that was read
/// long after the moment that it is said to have been received at.
const AHEAD: i64 = 1_000 * MS;

/// When nothing newer than the newest block was told for this long, its time may have been wrong.
const QUIET: Nanos = Nanos::from_secs(10);

/// Two clocks drift apart by one part in this many at most.
const DRIFT: u64 = 5_000;

/// How far our clock may be behind the venue's, milliseconds, before trading stops. Nonces and
/// `expiresAfter` are made of it.
pub const LEAST_SKEW_MS: i64 = -1_000;

/// How far it may be ahead.
pub const MOST_SKEW_MS: i64 = 5_000;

const MS: i64 = 1_000_000;

/// Between these lies the venue's clock less our monotonic one, in nanoseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Offset {
    low: i64,
    high: i64,
}

/// What is known of the feed's delays and of the venue's time. It outlives links: both clocks go on.
#[derive(Clone, Copy, Debug, Default)]
pub struct FeedClock {
    /// Least differences (monotonic clock less block time, nanoseconds) by part of the window.
    parts: [Option<i64>; PARTS],
    part: u64,
    /// The least of them.
    least: Option<i64>,
    /// The difference of a feed that is not late, as of the last sample.
    on_time: Option<i64>,
    /// The difference of the sample before.
    before: Option<i64>,
    newest: Option<VenueMs>,
    newest_at: Mono,
    lag: Option<Nanos>,
    venue: Option<VenueTime>,
    /// What follows from it, as of the last part of the window or word: quotes ask for it each time, and two
    /// clocks drift little within a part.
    offset: Option<Offset>,
    /// When the part ends.
    part_ends: Mono,
    /// The difference of a block that the venue's word excluded, if the last one was such.
    excluded: Option<i64>,
    /// Whether blocks contradict the venue's last word.
    contradicted: bool,
}

impl FeedClock {
    /// Takes the time of a quote's block as it was told; `first` says that it is the market's first on
    /// this link. Returns the feed lag, if this told it: a block that is not newer than one before is old
    /// news.
    #[inline]
    pub fn sample(&mut self, now: Mono, time: VenueMs, first: bool) -> Option<Nanos> {
        self.on_tick(now);
        if self.newest.is_some_and(|newest| time <= newest) {
            if now.since(self.newest_at) >= QUIET {
                // It may have been wrong, and must not make us deaf.
                (self.newest, self.newest_at, self.before) = (Some(time), now, None);
            }
            return None;
        }
        let difference = difference(now, time)?;
        if self.offset.is_some_and(|venue| difference.saturating_add(venue.high) < -AHEAD) {
            // One block may be wrong. Two in a row that agree are not: then the venue's word is.
            let before = self.excluded.replace(difference);
            if before.is_none_or(|before| before.abs_diff(difference) > AHEAD.unsigned_abs()) {
                return None;
            }
            (self.venue, self.contradicted) = (None, true);
            self.settle(now);
        }
        self.excluded = None;
        if first && self.lag_of(difference).is_none_or(|lag| lag > NEWS) {
            return None;
        }
        (self.newest, self.newest_at) = (Some(time), now);
        // One time that was wrong must not stand for the best that the feed can do: two in a row have to
        // bear it out.
        if let Some(before) = self.before.replace(difference) {
            let borne_out = before.max(difference);
            let part = self.parts.get_mut((self.part % PARTS as u64) as usize)?;
            let least = |least: Option<i64>| least.map_or(borne_out, |least| least.min(borne_out));
            *part = Some(least(*part));
            self.least = Some(least(self.least));
            self.on_time = self.on_time.min(self.least).or(self.least);
        }
        self.lag = self.lag_of(difference);
        self.lag
    }

    /// Moves the window on to `now`.
    #[inline]
    pub fn on_tick(&mut self, now: Mono) {
        if now >= self.part_ends {
            self.advance(now);
        }
    }

    /// Takes what the venue says of its own clock.
    pub fn on_venue_time(&mut self, told: VenueTime) {
        // A word that lies before the blocks that were heard is wrong: kept on the way, or somebody else's.
        let latest = i64::try_from(told.at.0).ok().and_then(|at| told.latest.0.checked_sub(at));
        let excluded = |least: i64| latest.is_none_or(|high| least.saturating_add(high) < -AHEAD);
        self.contradicted = self.least.is_some_and(excluded);
        if self.contradicted {
            return;
        }
        // What was known before still holds, but for the drift since. Where they contradict each other, one
        // of our clocks was held up, and only the newer word counts.
        let known = self.venue.map(|known| widened(known, told.at));
        self.venue = Some(known.and_then(|known| known.and(told)).unwrap_or(told));
        self.settle(told.at);
    }

    /// A link is gone: how late the next one is has to be told anew.
    pub fn on_link_down(&mut self) {
        (self.lag, self.before) = (None, None);
    }

    /// Feed lag, as the newest block told it; `None` while none has on this link.
    pub const fn lag(&self) -> Option<Nanos> {
        self.lag
    }

    /// Time of the newest block that was told.
    pub const fn newest(&self) -> Option<VenueMs> {
        self.newest
    }

    /// Whether the feed is later than `most`, or may be: on this link no block has told it yet. Where it
    /// cannot be told at all, since there is nothing to compare with, it counts as not late.
    pub fn is_late(&self, most: Nanos) -> bool {
        self.on_time.is_some() && self.lag.is_none_or(|lag| lag > most)
    }

    /// As of when a quote of the block of `time` counts that is received `now`: from when the block would have
    /// been heard of a feed that is not late, or from now if that is not known.
    #[inline]
    pub fn as_of(&self, now: Mono, time: VenueMs) -> Mono {
        let lag = difference(now, time).and_then(|difference| self.lag_of(difference));
        // Block times are whole milliseconds: less than one says nothing.
        let lag = lag.filter(|lag| lag.0 >= MS.unsigned_abs()).unwrap_or_default();
        Mono(now.0.saturating_sub(lag.0))
    }

    /// Whether our wall clock is off by something outside of `bounds` (milliseconds, above zero when it is
    /// ahead of the venue's), by the venue's own word; `None` while that is not known. Block times may say
    /// it more exactly: no block lies in the future. Where they contradict the word nothing bears it out.
    pub fn is_wrong(&self, now: Now, bounds: &RangeInclusive<i64>) -> Option<bool> {
        if self.contradicted {
            return Some(false); // Nothing bears out that it is.
        }
        let (by_word, both) = (self.ahead(now, false)?, self.ahead(now, true)?);
        let ahead = both.low > bounds.end().saturating_mul(MS);
        let behind = both.high < bounds.start().saturating_mul(MS) && by_word.high < 0;
        Some(ahead || behind)
    }

    /// How far our wall clock is ahead of the venue's, the middle of what is possible; milliseconds.
    pub fn skew_ms(&self, now: Now) -> Option<i64> {
        let ahead = self.ahead(now, true)?;
        Some((ahead.low / 2).saturating_add(ahead.high / 2).div_euclid(MS))
    }

    /// How far our wall clock is behind the venue's at least, as blocks or the venue's word show it.
    pub fn behind(&self, now: Now) -> Nanos {
        let by_word = self.offset.map(|venue| venue.low);
        let least = by_word.max(self.least.map(i64::saturating_neg));
        let behind = least.map_or(0, |least| least.saturating_sub(wall_less_mono(now)));
        Nanos(u64::try_from(behind).unwrap_or(0))
    }

    /// Between what our wall clock is ahead of the venue's; `None` when it is not known.
    fn ahead(&self, now: Now, with_blocks: bool) -> Option<Offset> {
        let venue = self.offset(now.mono)?;
        let by_blocks = self.least.filter(|_| with_blocks).map(i64::saturating_neg);
        let low = by_blocks.map_or(venue.low, |by_blocks| by_blocks.max(venue.low));
        let ours = wall_less_mono(now);
        let ahead = Offset { low: ours.saturating_sub(venue.high), high: ours.saturating_sub(low) };
        (ahead.low <= ahead.high).then_some(ahead)
    }

    fn offset(&self, now: Mono) -> Option<Offset> {
        let known = self.venue?;
        let at = i64::try_from(known.at.0).ok()?;
        let drift = i64::try_from(now.since(known.at).0 / DRIFT).ok()?;
        let low = known.earliest.0.checked_sub(at)?.checked_sub(drift)?;
        let high = known.latest.0.checked_sub(at)?.checked_add(drift)?;
        Some(Offset { low, high })
    }

    /// Makes up its mind of how a feed that is not late would be.
    fn settle(&mut self, now: Mono) {
        self.offset = self.offset(now);
        let by_word = self.offset.map(|venue| USUAL_DELAY.saturating_sub(venue.low));
        self.on_time = match (self.least, by_word) {
            (Some(least), Some(by_word)) => Some(least.min(by_word)),
            (least, by_word) => least.or(by_word),
        };
    }

    fn lag_of(&self, difference: i64) -> Option<Nanos> {
        let late = difference.saturating_sub(self.on_time?);
        Some(Nanos(u64::try_from(late).unwrap_or(0)))
    }

    #[cold]
    fn advance(&mut self, now: Mono) {
        let part = (now.0 / PART.0).max(self.part);
        let gone = (part - self.part).min(PARTS as u64);
        for n in part - gone + 1..=part {
            if let Some(part) = self.parts.get_mut((n % PARTS as u64) as usize) {
                *part = None;
            }
        }
        self.part = part;
        self.part_ends = Mono(part.saturating_add(1).saturating_mul(PART.0));
        self.least = self.parts.iter().copied().flatten().min();
        self.settle(now);
    }
}

/// What was told of the venue's clock, as of a later moment and as exact as it still is.
fn widened(told: VenueTime, at: Mono) -> VenueTime {
    let drift = Nanos(at.since(told.at).0 / DRIFT);
    let later = told.later(at);
    VenueTime { earliest: later.earliest.minus(drift), latest: later.latest.plus(drift), ..later }
}

/// Monotonic clock less block time, nanoseconds; `None` for a time that no block has.
fn difference(now: Mono, time: VenueMs) -> Option<i64> {
    i64::try_from(now.0).ok()?.checked_sub(time.0.checked_mul(MS)?)
}

fn wall_less_mono(now: Now) -> i64 {
    now.wall.0.saturating_sub(i64::try_from(now.mono.0).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::time::Wall;

    /// The wall clock, and the venue's, at the monotonic clock's zero.
    const START_MS: i64 = 1_795_348_800_000;

    fn mono(ms: i64) -> Mono {
        Mono((ms * MS) as u64)
    }

    /// Our clocks, the wall's ahead by so much.
    fn now(ms: i64, ahead_ms: i64) -> Now {
        Now { mono: mono(ms), wall: Wall((START_MS + ms + ahead_ms) * MS) }
    }

    fn block(ms: i64) -> VenueMs {
        VenueMs(START_MS + ms)
    }

    /// The venue's word of its time, right within so much.
    fn word(ms: i64, within_ms: i64) -> VenueTime {
        let wall = |ms: i64| Wall((START_MS + ms) * MS);
        VenueTime { at: mono(ms), earliest: wall(ms - within_ms), latest: wall(ms + within_ms) }
    }

    /// A12: a `Date` of 1970, or of a minute ago, is contradicted by the blocks, and stops nobody.
    #[test]
    fn a_word_that_blocks_contradict_counts_for_nothing() {
        let bounds = LEAST_SKEW_MS..=MOST_SKEW_MS;
        for early_ms in [60_000, START_MS] {
            let odd = |ms: i64| word(ms - early_ms, 1_000);
            let odd = |ms: i64| VenueTime { at: mono(ms), ..odd(ms) };
            // Before any block it is all that is known.
            let mut clock = FeedClock::default();
            clock.on_venue_time(odd(60_000));
            assert_eq!(clock.is_wrong(now(60_000, 0), &bounds), Some(true));
            assert!(hear(&mut clock, 60_100, 250).is_some(), "{early_ms}");
            assert_eq!(clock.is_wrong(now(61_100, 0), &bounds), Some(false));
            assert!(!clock.is_late(Nanos::from_millis(1_500)));
            // It is told again and again.
            clock.on_venue_time(odd(62_000));
            assert_eq!(clock.is_wrong(now(62_000, 0), &bounds), Some(false));
            assert!(hear(&mut clock, 62_100, 300).is_some());
            // And a right one counts again: our clock is an hour behind.
            clock.on_venue_time(word(64_000, 1_000));
            assert_eq!(clock.is_wrong(now(64_000, -3_600_000), &bounds), Some(true));
        }
    }

    /// Tells of a block each 100 ms for a second, each heard so much later.
    fn hear(clock: &mut FeedClock, from_ms: i64, delay_ms: i64) -> Option<u64> {
        let mut lag = None;
        for ms in (from_ms..from_ms + 1_000).step_by(100) {
            lag = clock.sample(mono(ms), block(ms - delay_ms), false);
        }
        lag.map(Nanos::as_millis)
    }

    #[test]
    fn lag_is_what_a_block_comes_later_than_the_best_of_the_last_minutes() {
        let mut clock = FeedClock::default();
        assert_eq!(hear(&mut clock, 60_000, 250), Some(0));
        assert_eq!(hear(&mut clock, 62_000, 4_750), None, "older than what was told");
        assert_eq!(hear(&mut clock, 66_000, 4_750), Some(4_500));
        assert!(clock.is_late(Nanos::from_millis(4_499)));
        assert!(!clock.is_late(Nanos::from_millis(4_500)), "at its limit");
        assert_eq!(clock.as_of(mono(67_000), block(62_000)), mono(62_250));
        assert_eq!(clock.as_of(mono(67_000), block(66_800)), mono(67_000), "never later than now");
        assert_eq!(hear(&mut clock, 68_000, 300), Some(50));
        // The best is forgotten after five minutes.
        assert_eq!(hear(&mut clock, 380_000, 4_750), Some(0));
    }

    #[test]
    fn one_wrong_block_time_does_not_make_the_rest_late() {
        let mut clock = FeedClock::default();
        hear(&mut clock, 60_000, 250);
        assert_eq!(clock.sample(mono(61_000), block(64_000), false), Some(Nanos::ZERO), "ahead");
        assert_eq!(hear(&mut clock, 65_000, 250), Some(0));
        // One that is far ahead makes it deaf for ten seconds, and no longer.
        assert_eq!(clock.sample(mono(66_000), block(9_000_000), false), Some(Nanos::ZERO));
        assert_eq!(hear(&mut clock, 75_000, 250), None);
        assert_eq!(hear(&mut clock, 76_000, 250), Some(0));
        // With the venue's word it is known to be wrong.
        clock.on_venue_time(word(77_000, 1_000));
        assert_eq!(clock.sample(mono(77_000), block(9_000_000), false), None);
        assert_eq!(hear(&mut clock, 78_000, 300), Some(50));
        for time in [VenueMs(i64::MAX), VenueMs(i64::MIN), VenueMs(0)] {
            clock.sample(mono(80_000), time, false);
            clock.as_of(mono(80_000), time);
        }
    }

    #[test]
    fn a_first_quote_of_a_link_says_when_the_market_moved_and_only_a_young_one_is_news() {
        let mut clock = FeedClock::default();
        hear(&mut clock, 60_000, 250);
        clock.on_link_down();
        assert_eq!(clock.lag(), None);
        assert!(clock.is_late(Nanos::from_secs(600)), "not known yet");
        assert_eq!(clock.sample(mono(70_000), block(65_000), true), None);
        assert_eq!(clock.sample(mono(70_000), block(69_740), true), Some(Nanos::from_millis(10)));
        assert!(!clock.is_late(Nanos::from_millis(10)));
        // Where there is nothing to compare with, nothing is late.
        let clock = FeedClock::default();
        assert!(!clock.is_late(Nanos::ZERO));
        assert_eq!(clock.as_of(mono(70_000), block(0)), mono(70_000));
    }

    #[test]
    fn a_feed_that_was_late_from_the_start_is_told_by_the_venues_word() {
        let mut clock = FeedClock::default();
        assert_eq!(hear(&mut clock, 60_000, 4_500), Some(0));
        clock.on_venue_time(word(61_000, 800));
        // 0.5 s is what a feed may take, and 0.8 s is not known.
        assert_eq!(hear(&mut clock, 61_000, 4_500), Some(3_200));
        // The clocks drift: 12 ms in a minute, counted with each part of the window.
        assert_eq!(hear(&mut clock, 121_000, 4_500), Some(3_188));
        assert_eq!(hear(&mut clock, 126_000, 250), Some(0));
    }

    #[test]
    fn words_of_the_venue_narrow_each_other_and_a_contradiction_begins_anew() {
        let mut clock = FeedClock::default();
        assert_eq!(clock.skew_ms(now(0, 0)), None);
        clock.on_venue_time(VenueTime { latest: Wall((START_MS + 2_000) * MS), ..word(1_000, 0) });
        assert_eq!(clock.skew_ms(now(1_000, 0)), Some(-500));
        clock
            .on_venue_time(VenueTime { earliest: Wall((START_MS + 1_000) * MS), ..word(2_000, 0) });
        let skew = clock.skew_ms(now(2_000, 0)).expect("known");
        assert!((-1..=1).contains(&skew), "{skew}");
        // Our monotonic clock stood still for ten seconds, as that of a suspended machine does.
        clock.on_venue_time(VenueTime { at: mono(3_000), ..word(13_000, 0) });
        assert_eq!(clock.skew_ms(now(3_000, 10_000)), Some(0));
    }

    #[test]
    fn a_clock_is_wrong_past_its_bounds_and_only_by_the_venues_word() {
        let bounds = LEAST_SKEW_MS..=MOST_SKEW_MS;
        for (ahead, wrong) in [(-1_002, true), (-998, false), (4_998, false), (5_002, true)] {
            let mut clock = FeedClock::default();
            assert_eq!(clock.is_wrong(now(0, ahead), &bounds), None);
            clock.on_venue_time(word(0, 1));
            assert_eq!(clock.is_wrong(now(0, ahead), &bounds), Some(wrong), "{ahead}");
        }
        // Blocks alone say nothing: the feed may be late.
        let mut clock = FeedClock::default();
        hear(&mut clock, 60_000, 6_000);
        assert_eq!(clock.is_wrong(now(61_000, 0), &bounds), None);
        clock.on_venue_time(word(61_000, 1_000));
        assert_eq!(clock.is_wrong(now(61_000, 0), &bounds), Some(false), "late, and right");
    }

    #[test]
    fn blocks_say_more_exactly_what_the_venues_word_leaves_open() {
        let bounds = LEAST_SKEW_MS..=MOST_SKEW_MS;
        let mut clock = FeedClock::default();
        clock.on_venue_time(word(60_000, 1_000));
        // Behind by 1.5 s: by the word alone it may be half a second.
        assert_eq!(clock.is_wrong(now(60_000, -1_500), &bounds), Some(false));
        hear(&mut clock, 60_000, 250);
        assert_eq!(clock.is_wrong(now(61_000, -1_500), &bounds), Some(true));
        assert_eq!(clock.behind(now(61_000, -1_500)), Nanos::from_millis(1_250));
        assert_eq!(clock.behind(now(61_000, 1_500)), Nanos::ZERO);
        // Blocks that lie in the future of the venue's word contradict it: nothing bears out a fault.
        let mut clock = FeedClock::default();
        hear(&mut clock, 60_000, -5_000);
        clock.on_venue_time(word(61_000, 1_000));
        assert_eq!(clock.is_wrong(now(61_000, 0), &bounds), Some(false));
    }
}
