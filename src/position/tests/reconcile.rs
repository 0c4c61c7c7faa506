//! A reading is believed against us only when it repeats itself, and only for the difference.

use super::*;
use crate::position::{Comparison, Ours, Reconciler, Verdict};
use crate::types::order::Outstanding;
use crate::types::time::Nanos;

const RESYNC: Nanos = Nanos::from_secs(60);

/// A reconciler and what we hold in SILVER; GOLD stays flat.
struct Desk {
    reconciler: Reconciler,
    ours: Szi,
    /// What orders in SILVER may add.
    outstanding: Outstanding,
}

impl Desk {
    fn new() -> Self {
        let mut reconciler = Reconciler::new(RESYNC);
        reconciler.add_market(SILVER, coin(SILVER));
        reconciler.add_market(GOLD, coin(GOLD));
        Self { reconciler, ours: Szi::ZERO, outstanding: Outstanding::default() }
    }

    /// After a first reading at 0 that found nothing.
    fn settled() -> Self {
        let mut desk = Self::new();
        assert_eq!(desk.read(&reading(0, &[])), Some(Verdict::Flat));
        assert!(desk.reconciler.synced());
        desk
    }

    /// After a fill of a while ago that made us hold this.
    fn holding(size: &str) -> Self {
        let mut desk = Self::settled();
        desk.fill(-20_000, size);
        desk
    }

    fn fill(&mut self, ms: i64, ours: &str) {
        self.reconciler.on_fill(SILVER, venue(ms));
        self.ours = szi(ours);
    }

    fn judge(&mut self, now_ms: i64, state: &AccountState) -> Vec<Comparison> {
        let mut verdicts = vec![Comparison { market: GOLD, at: venue(0), verdict: Verdict::Flat }];
        let silver = Ours { held: self.ours, outstanding: self.outstanding };
        let ours = |market| if market == SILVER { silver } else { Ours::default() };
        self.reconciler.judge(mono(now_ms), state, venue(-60_000), ours, &mut verdicts);
        verdicts
    }

    /// The verdict on SILVER.
    fn read(&mut self, state: &AccountState) -> Option<Verdict> {
        let verdicts = self.judge(0, state);
        verdicts
            .iter()
            .find(|comparison| comparison.market == SILVER)
            .map(|comparison| comparison.verdict)
    }

    fn waiting(&self, reads: u32, theirs: &str) -> Option<Verdict> {
        Some(Verdict::Waiting { reads, ours: self.ours, theirs: szi(theirs) })
    }
}

#[test]
fn the_first_reading_is_adopted_market_by_market() {
    let mut desk = Desk::new();
    assert!(!desk.reconciler.synced() && desk.reconciler.in_doubt(SILVER));
    assert_eq!(desk.reconciler.wants_read_at(), Mono(0), "at once");
    let theirs = held(SILVER, "2", Some("80"));
    let verdicts = desk.judge(0, &reading(7, &[theirs]));
    assert_eq!(
        verdicts,
        [
            Comparison { market: SILVER, at: venue(7), verdict: Verdict::Adopt(theirs) },
            Comparison { market: GOLD, at: venue(7), verdict: Verdict::Flat },
        ]
    );
    assert!(desk.reconciler.synced() && !desk.reconciler.in_doubt(SILVER));
    assert_eq!(desk.reconciler.wants_read_at(), mono(60_000));
}

#[test]
fn what_agrees_is_left_alone() {
    let mut desk = Desk::holding("2");
    for ms in [1_000, 61_000] {
        let state = reading(ms, &[held(SILVER, "2", Some("99"))]);
        assert_eq!(desk.read(&state), Some(Verdict::Agrees));
    }
    assert!(!desk.reconciler.in_doubt(SILVER) && desk.reconciler.in_doubt(MarketId(9)));
}

#[test]
fn flat_needs_two_agreeing_reads() {
    let mut desk = Desk::holding("2");
    assert_eq!(desk.read(&reading(2_000, &[])), desk.waiting(1, "0"));
    assert!(desk.reconciler.in_doubt(SILVER) && !desk.reconciler.synced());
    assert_eq!(desk.read(&reading(4_000, &[])), Some(Verdict::Flat));
    assert!(!desk.reconciler.in_doubt(SILVER));
}

#[test]
fn a_fill_between_two_reads_voids_the_first() {
    let mut desk = Desk::holding("2");
    assert_eq!(desk.read(&reading(2_000, &[])), desk.waiting(1, "0"));
    desk.fill(3_000, "3");
    assert_eq!(desk.read(&reading(13_000, &[])), desk.waiting(1, "0"));
    assert_eq!(desk.read(&reading(15_000, &[])), Some(Verdict::Flat));
}

#[test]
fn soon_after_a_fill_a_reading_may_be_older_than_it_says_and_only_casts_doubt() {
    let mut desk = Desk::settled();
    desk.fill(1_000, "2");
    for ms in (1_000..11_000).step_by(1_000) {
        assert_eq!(desk.read(&reading(ms, &[])), desk.waiting(1, "0"), "{ms}");
        assert!(desk.reconciler.in_doubt(SILVER), "no entries meanwhile");
    }
    assert_eq!(desk.read(&reading(11_000, &[])), desk.waiting(2, "0"));
    assert_eq!(desk.read(&reading(12_000, &[])), Some(Verdict::Flat));
}

#[test]
fn a_first_reading_that_its_own_fills_speak_against_has_to_say_so_three_times() {
    let filled =
        |ms| AccountState { fills: vec![bought(900, "2", "80", "0.1")], ..reading(ms, &[]) };
    let mut desk = Desk::new();
    assert_eq!(desk.read(&filled(899)), Some(Verdict::Flat), "a fill after it says nothing");
    let mut desk = Desk::new();
    for (reads, ms) in [(1, 1_000), (2, 3_000)] {
        assert_eq!(desk.read(&filled(ms)), desk.waiting(reads, "0"));
        assert!(!desk.reconciler.synced());
    }
    assert_eq!(desk.read(&filled(5_000)), Some(Verdict::Flat), "it was settled or taken");
    // What agrees with them is believed at once.
    let theirs = held(SILVER, "2", Some("80"));
    let agreeing = AccountState { fills: filled(1_000).fills, ..reading(1_000, &[theirs]) };
    assert_eq!(Desk::new().read(&agreeing), Some(Verdict::Adopt(theirs)));
}

#[test]
fn a_difference_is_a_mismatch_at_the_third_read() {
    let mut desk = Desk::holding("2");
    let theirs = held(SILVER, "5", Some("80"));
    for (n, ms) in [(1, 2_000), (2, 4_000)] {
        assert_eq!(desk.read(&reading(ms, &[theirs])), desk.waiting(n, "5"));
    }
    let verdict = Verdict::Mismatch { ours: szi("2"), theirs: szi("5"), held: Some(theirs) };
    assert_eq!(desk.read(&reading(6_000, &[theirs])), Some(verdict));
    desk.ours = szi("5"); // Taken over.
    assert_eq!(desk.read(&reading(8_000, &[theirs])), Some(Verdict::Agrees));
}

#[test]
fn agreement_fills_and_our_own_moves_begin_the_count_anew() {
    let theirs = |ms| reading(ms, &[held(SILVER, "5", None)]);
    let mut desk = Desk::holding("2");
    desk.read(&theirs(2_000));
    assert_eq!(desk.read(&theirs(4_000)), desk.waiting(2, "5"));
    let agreeing = reading(6_000, &[held(SILVER, "2", None)]);
    assert_eq!(desk.read(&agreeing), Some(Verdict::Agrees));
    assert_eq!(desk.read(&theirs(8_000)), desk.waiting(1, "5"));
    desk.read(&theirs(10_000));
    desk.fill(11_000, "2");
    assert_eq!(desk.read(&theirs(12_000)), desk.waiting(1, "5"));
    desk.read(&theirs(14_000));
    desk.ours = szi("3"); // By what an answer announced.
    assert_eq!(desk.read(&theirs(16_000)), desk.waiting(1, "5"));
}

#[test]
fn a_position_out_of_nowhere_is_a_difference_too() {
    let mut desk = Desk::settled();
    let theirs = |ms| reading(ms, &[held(SILVER, "-1", None)]);
    assert_eq!(desk.read(&theirs(2_000)), desk.waiting(1, "-1"));
    desk.read(&theirs(4_000));
    assert!(matches!(desk.read(&theirs(6_000)), Some(Verdict::Mismatch { .. })));
}

#[test]
fn a_reading_older_than_our_last_fill_says_nothing() {
    let mut desk = Desk::settled();
    desk.fill(1_000, "2");
    assert_eq!(desk.read(&reading(999, &[])), None);
    assert!(!desk.reconciler.in_doubt(SILVER));
    assert_eq!(desk.read(&reading(1_000, &[])), desk.waiting(1, "0"), "as old is not older");
    // Nor does one that is older than another reading.
    desk.read(&reading(8_000, &[held(SILVER, "2", None)]));
    assert_eq!(desk.read(&reading(7_999, &[])), None);
    assert_eq!(desk.reconciler.wants_read_at(), mono(2_000), "another one soon");
}

#[test]
fn all_zero_is_no_evidence_where_there_was_a_value() {
    let mut desk = Desk::holding("2");
    for ms in (2_000..40_000).step_by(2_000) {
        assert_eq!(desk.read(&all_zero(ms)), None);
        assert_eq!(desk.reconciler.wants_read_at(), mono(2_000));
    }
    // One of them between two that count does not help.
    assert_eq!(desk.read(&reading(50_000, &[])), desk.waiting(1, "0"));
    assert_eq!(desk.read(&all_zero(51_000)), None);
    assert_eq!(desk.read(&reading(52_000, &[])), Some(Verdict::Flat));
    desk.ours = Szi::ZERO;
    assert_eq!(desk.read(&all_zero(54_000)), Some(Verdict::Agrees), "it takes nothing away");
}

/// A18: a position whose closing row never came is flat by the same rule in every mode; where a flat dex
/// shows nothing but zeros they are said once more.
#[test]
fn an_account_whose_balance_lies_elsewhere_has_to_say_zero_three_times() {
    let mut desk = Desk::holding("2");
    let zero = |ms| AccountState { mode: AccountMode::Unified, ..all_zero(ms) };
    assert_eq!(desk.read(&zero(2_000)), desk.waiting(1, "0"));
    assert_eq!(desk.read(&zero(4_000)), desk.waiting(2, "0"), "twice is not enough");
    assert_eq!(desk.read(&zero(6_000)), Some(Verdict::Flat));
    // Nor does it matter that the first of them came soon after our last fill.
    let mut desk = Desk::settled();
    desk.fill(1_000, "2");
    assert_eq!(desk.read(&zero(7_000)), desk.waiting(1, "0"));
    assert_eq!(desk.read(&zero(11_000)), desk.waiting(2, "0"));
    assert_eq!(desk.read(&zero(13_000)), desk.waiting(3, "0"));
    assert_eq!(desk.read(&zero(15_000)), Some(Verdict::Flat));
}

#[test]
fn zeros_that_last_a_minute_are_the_truth() {
    let mut desk = Desk::holding("2");
    for ms in (2_000..62_000).step_by(10_000) {
        assert_eq!(desk.read(&all_zero(ms)), None, "{ms}");
    }
    assert_eq!(desk.read(&all_zero(62_000)), desk.waiting(1, "0"));
    assert_eq!(desk.read(&all_zero(64_000)), desk.waiting(2, "0"));
    assert_eq!(desk.read(&all_zero(66_000)), Some(Verdict::Flat));
}

/// A15: a dex that its owner emptied is known to be empty: a market that it lists is settled.
#[test]
fn a_dex_on_which_nothing_is_held_may_be_emptied() {
    let mut desk = Desk::settled();
    assert_eq!(desk.read(&all_zero(2_000)), Some(Verdict::Agrees));
    assert_eq!(desk.read(&all_zero(4_000)), Some(Verdict::Agrees));
    let copper = Coin::new("xyz:COPPER").expect("a name");
    desk.reconciler.add_market(MarketId(2), copper);
    desk.read(&all_zero(6_000));
    desk.read(&all_zero(8_000));
    assert!(!desk.reconciler.in_doubt(MarketId(2)));
    assert_eq!(desk.reconciler.wants_read_at(), mono(60_000), "and nothing is left to ask");
}

fn bought_by_answer(ms: i64, size: &str) -> Outstanding {
    let mut sum = Outstanding::default();
    sum.add(Side::Buy, sz(size), Sz::ZERO, venue(ms));
    sum
}

/// A1: a state that is older than an answer concludes nothing, however often it is told.
#[test]
fn a_state_from_before_an_answer_concludes_nothing() {
    let mut desk = Desk::settled();
    desk.outstanding = bought_by_answer(5_000, "2");
    for ms in [1_000, 2_000, 4_000, 4_999, 14_999] {
        assert_eq!(desk.read(&reading(ms, &[])), Some(Verdict::Outdated), "{ms}");
        assert_eq!(desk.reconciler.wants_read_at(), mono(2_000), "asked again soon");
    }
    assert!(desk.reconciler.synced(), "other markets are as they were");
}

/// A1: an answered fill that a later reading denies is a mismatch, at once.
#[test]
fn an_answered_fill_that_a_later_reading_denies_is_a_mismatch_at_once() {
    let mut desk = Desk::settled();
    desk.outstanding = bought_by_answer(5_000, "2");
    let verdict = Verdict::Mismatch { ours: szi("2"), theirs: Szi::ZERO, held: None };
    assert_eq!(desk.read(&reading(15_000, &[])), Some(verdict));
    // Where a flat account shows nothing but zeros, the second time.
    let mut desk = Desk::settled();
    let zero = |ms| AccountState { mode: AccountMode::Unified, ..all_zero(ms) };
    desk.outstanding = bought_by_answer(5_000, "2");
    desk.ours = Szi::ZERO;
    assert!(matches!(desk.read(&zero(15_000)), Some(Verdict::Waiting { reads: 1, .. })));
    assert_eq!(desk.read(&zero(17_000)), Some(verdict));
}

#[test]
fn a_later_reading_accounts_for_fills_without_rows() {
    let mut desk = Desk::holding("1");
    desk.outstanding = bought_by_answer(5_000, "2");
    let theirs = [held(SILVER, "3", None)];
    assert_eq!(desk.read(&reading(14_999, &theirs)), Some(Verdict::Agrees), "rows may still come");
    let explained = Verdict::Explained { extra: szi("2") };
    assert_eq!(desk.read(&reading(15_000, &theirs)), Some(explained));
    // What only may have filled is as large as the position says.
    desk.outstanding = Outstanding::default();
    desk.outstanding.add(Side::Sell, Sz::ZERO, sz("1"), venue(5_000));
    for (theirs, extra) in [("1", "0"), ("0.4", "-0.6")] {
        let state = reading(16_000, &[held(SILVER, theirs, None)]);
        assert_eq!(desk.read(&state), Some(Verdict::Explained { extra: szi(extra) }));
    }
    // More than that is no order of ours, and nothing that was answered.
    let state = reading(17_000, &[held(SILVER, "-0.1", None)]);
    assert_eq!(desk.read(&state), desk.waiting(1, "-0.1"));
}

/// A1: purchases and sales that cancel out are in no position: rows alone account for them.
#[test]
fn answered_fills_that_cancel_out_wait_for_rows_and_not_for_ever() {
    let mut desk = Desk::settled();
    desk.outstanding = bought_by_answer(5_000, "2");
    desk.outstanding.add(Side::Sell, sz("2"), Sz::ZERO, venue(7_000));
    for ms in [20_000, 60_000, 124_999] {
        assert_eq!(desk.read(&reading(ms, &[])), Some(Verdict::Agrees), "{ms}");
    }
    assert!(matches!(desk.read(&reading(125_000, &[])), Some(Verdict::Mismatch { .. })));
}

/// A state that is older than what the feed tells is no reading of today.
#[test]
fn a_state_older_than_the_feed_concludes_nothing() {
    let mut desk = Desk::new();
    assert_eq!(desk.read(&reading(-60_001, &[])), Some(Verdict::Outdated));
    assert!(!desk.reconciler.synced());
    assert_eq!(desk.read(&reading(-60_000, &[])), Some(Verdict::Flat));
}

#[test]
fn an_empty_account_has_to_say_so_twice_at_the_start() {
    let mut desk = Desk::new();
    assert_eq!(desk.read(&all_zero(0)), Some(Verdict::Unconfirmed));
    assert!(!desk.reconciler.synced());
    assert_eq!(desk.reconciler.wants_read_at(), mono(2_000));
    assert_eq!(desk.read(&all_zero(2_000)), Some(Verdict::Flat));
    assert!(desk.reconciler.synced());
    // A glimpse of a position in between is believed.
    let mut desk = Desk::new();
    desk.read(&all_zero(0));
    let theirs = held(SILVER, "2", None);
    assert_eq!(desk.read(&reading(2_000, &[theirs])), Some(Verdict::Adopt(theirs)));
}

#[test]
fn markets_of_a_dex_that_was_not_read_are_not_judged() {
    let mut desk = Desk::holding("2");
    let mut other = reading(2_000, &[]);
    other.dexes.iter_mut().for_each(|dex| dex.dex = "abc".to_owned());
    assert_eq!(desk.judge(0, &other), []);
    let mut unread = Desk::new();
    assert_eq!(unread.judge(0, &other), []);
    assert!(!unread.reconciler.synced());
    assert_eq!(unread.reconciler.wants_read_at(), mono(2_000));
}

#[test]
fn readings_come_soon_after_a_difference_and_else_at_the_interval() {
    let mut desk = Desk::holding("2");
    let ours = [held(SILVER, "2", None)];
    desk.judge(5_000, &reading(5_000, &ours));
    assert_eq!(desk.reconciler.wants_read_at(), mono(65_000));
    desk.reconciler.suspect(mono(8_000), SILVER);
    assert_eq!(desk.reconciler.wants_read_at(), mono(8_000));
    assert!(!desk.reconciler.synced(), "something there was told by no fill");
    desk.judge(8_000, &reading(8_000, &[]));
    assert_eq!(desk.reconciler.wants_read_at(), mono(10_000));
    desk.reconciler.on_reconnect(mono(9_000));
    assert_eq!(desk.reconciler.wants_read_at(), mono(9_000));
    assert!(!desk.reconciler.synced(), "until a reading of this link");
    desk.judge(9_500, &reading(9_500, &ours));
    assert!(desk.reconciler.synced());
}

#[test]
fn a_market_that_is_listed_later_is_in_doubt_by_itself() {
    let mut desk = Desk::settled();
    let copper = Coin::new("xyz:COPPER").expect("a name");
    desk.reconciler.add_market(MarketId(2), copper);
    assert!(desk.reconciler.in_doubt(MarketId(2)));
    assert!(desk.reconciler.synced(), "the others trade on");
    // A20: and where it takes two readings to know that it is flat.
    let zero = |ms| AccountState { mode: AccountMode::Unified, ..all_zero(ms) };
    desk.judge(1_000, &zero(1_000));
    assert!(desk.reconciler.in_doubt(MarketId(2)) && desk.reconciler.synced());
    desk.judge(3_000, &zero(3_000));
    assert!(!desk.reconciler.in_doubt(MarketId(2)));
    desk.reconciler.add_market(MarketId(3), Coin::new("xyz:TIN").expect("a name"));
    assert_eq!(desk.reconciler.wants_read_at(), Mono(0));
    let verdicts = desk.judge(5_000, &reading(5_000, &[]));
    let flat = Comparison { market: MarketId(3), at: venue(5_000), verdict: Verdict::Flat };
    assert_eq!(verdicts.last(), Some(&flat));
    assert!(!desk.reconciler.in_doubt(MarketId(3)));
}
