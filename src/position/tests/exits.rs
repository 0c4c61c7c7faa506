//! Each rule at its limit, one unit past it, and without what it needs; then how exits go on.

use super::*;
use crate::position::{Alarm, ExitEnd, ExitOrder, ExitState, ExitView, RULES};
use crate::types::config::{Config, MarkRegression, TimeStop};
use crate::types::market::Level;
use crate::types::num::Bps;
use crate::types::order::Refusal;
use crate::types::time::Nanos;

/// How an IOC usually ends that filled nothing.
const MISSED: ExitEnd = ExitEnd::Missed;

/// How an exit ends that the venue refused on its own.
fn refused(refusal: Refusal) -> ExitEnd {
    ExitEnd::refused(Some(refusal), true, false)
}

/// A long of one coin held for `held_ms`, bid and ask around an oracle of 100.
struct World {
    time_stop: TimeStop,
    mark_regression: MarkRegression,
    size: &'static str,
    announced: &'static str,
    held_ms: u64,
    bid: Option<&'static str>,
    ask: Option<&'static str>,
    oracle: Option<&'static str>,
    mark: Option<&'static str>,
    quoted: bool,
    fresh: bool,
    flatten: bool,
    shutdown: bool,
}

impl World {
    /// Nothing that any rule wants: the bid stands 6 bps below the oracle.
    fn quiet() -> Self {
        let config = Config::default();
        Self {
            time_stop: config.time_stop,
            mark_regression: config.mark_regression,
            size: "1",
            announced: "0",
            held_ms: 5_000,
            bid: Some("99.94"),
            ask: Some("100.06"),
            oracle: Some("100"),
            mark: Some("100"),
            quoted: true,
            fresh: true,
            flatten: false,
            shutdown: false,
        }
    }

    fn view(&self, ms: i64) -> ExitView<'_> {
        let level = |text: &str| Level { px: px(text), sz: sz("5") };
        ExitView {
            now: mono(ms),
            szi: szi(self.size),
            held_for: Nanos::from_millis(self.held_ms),
            entry: Some(px("100")),
            announced: szi(self.announced),
            quoted: self.quoted,
            bid: self.bid.map(level),
            ask: self.ask.map(level),
            oracle: self.oracle.map(px),
            mark: self.mark.map(px),
            fresh: self.fresh,
            lot: sz("0.01"),
            time_stop: &self.time_stop,
            mark_regression: &self.mark_regression,
            flatten: self.flatten,
            shutdown: self.shutdown,
        }
    }

    /// The first exit of a new state, at once, or after the side has been empty for long enough.
    fn exit(&self) -> Option<ExitOrder> {
        let mut state = ExitState::default();
        state.step(&self.view(0)).or_else(|| {
            let touched = if self.size.starts_with('-') { self.ask } else { self.bid };
            touched.is_none().then(|| state.step(&self.view(2_000))).flatten()
        })
    }

    fn reason(&self) -> Option<ExitReason> {
        self.exit().map(|order| order.reason)
    }
}

#[test]
fn time_stop_fires_at_its_threshold_and_not_a_millisecond_before() {
    let mut world = World { held_ms: 30_000, ..World::quiet() };
    assert_eq!(world.reason(), Some(ExitReason::TimeStop));
    world.held_ms = 29_999;
    assert_eq!(world.reason(), None);
}

#[test]
fn time_stop_needs_no_market_but_something_held() {
    let mut world = World { held_ms: 30_000, bid: None, ask: None, ..World::quiet() };
    world.oracle = None;
    assert_eq!(world.reason(), Some(ExitReason::TimeStop), "the mark prices it");
    world.size = "0";
    assert_eq!(world.reason(), None);
}

#[test]
fn mark_regression_fires_at_its_distance_and_not_a_tick_further() {
    let at_limit = World { bid: Some("99.95"), ..World::quiet() };
    assert_eq!(at_limit.reason(), Some(ExitReason::MarkRegression));
    let past = World { bid: Some("99.94999999"), ..World::quiet() };
    assert_eq!(past.reason(), None);
    let short = |ask| World { size: "-1", ask: Some(ask), bid: Some("100"), ..World::quiet() };
    assert_eq!(short("100.05").reason(), Some(ExitReason::MarkRegression));
    assert_eq!(short("100.05000001").reason(), None);
}

#[test]
fn mark_regression_waits_for_the_least_holding_time() {
    let held = |held_ms| World { bid: Some("100"), held_ms, ..World::quiet() };
    assert_eq!(held(1_000).reason(), Some(ExitReason::MarkRegression));
    assert_eq!(held(999).reason(), None);
}

#[test]
fn mark_regression_cannot_judge_without_an_oracle_or_a_quote_and_can_be_turned_off() {
    let near = || World { bid: Some("100"), ..World::quiet() };
    assert_eq!(near().reason(), Some(ExitReason::MarkRegression));
    assert_eq!(World { bid: None, ..near() }.reason(), None);
    assert_eq!(World { oracle: None, ..near() }.reason(), None);
    assert_eq!(World { oracle: Some("0"), ..near() }.reason(), None);
    let mut off = near();
    off.mark_regression.enabled = false;
    assert_eq!(off.reason(), None);
}

#[test]
fn flatten_and_shutdown_fire_when_asked_and_on_nothing_else() {
    assert_eq!(World::quiet().reason(), None);
    let fresh = || World { held_ms: 0, ..World::quiet() };
    assert_eq!(World { flatten: true, ..fresh() }.reason(), Some(ExitReason::Flatten));
    assert_eq!(World { shutdown: true, ..fresh() }.reason(), Some(ExitReason::Shutdown));
    for (flatten, shutdown) in [(true, false), (false, true)] {
        assert_eq!(World { size: "0", flatten, shutdown, ..fresh() }.reason(), None);
        let dark = World { bid: None, oracle: None, mark: None, flatten, shutdown, ..fresh() };
        assert_eq!(dark.reason(), None, "no price at all");
        assert!(World { mark: Some("100"), ..dark }.reason().is_some());
    }
}

#[test]
fn the_first_rule_of_the_table_names_the_reason() {
    let all = || World {
        held_ms: 30_000,
        bid: Some("100"),
        flatten: true,
        shutdown: true,
        ..World::quiet()
    };
    assert_eq!(all().reason(), Some(ExitReason::Flatten));
    assert_eq!(World { flatten: false, ..all() }.reason(), Some(ExitReason::Shutdown));
    let rest = World { flatten: false, shutdown: false, ..all() };
    assert_eq!(rest.reason(), Some(ExitReason::MarkRegression));
    assert_eq!(RULES.map(|(reason, _)| reason)[3], ExitReason::TimeStop);
}

#[test]
fn an_exit_takes_the_whole_position_with_what_is_announced() {
    let mut world = World { flatten: true, announced: "0.5", ..World::quiet() };
    let order = world.exit().expect("an exit");
    assert_eq!((order.side, order.sz, order.limit), (Side::Sell, sz("1.5"), px("99.4403")));
    assert_eq!((order.reach, order.misses, order.alarm), (Bps::from_int(50), 0, None));
    world.announced = "-0.4";
    assert_eq!(world.exit().expect("an exit").sz, sz("0.6"));
    for closed in ["-1", "-1.5"] {
        world.announced = closed;
        assert_eq!(world.exit(), None, "an answer said it is closed: its fills are coming");
    }
    let short = World { size: "-2", flatten: true, ..World::quiet() };
    let order = short.exit().expect("an exit");
    assert_eq!((order.side, order.sz, order.limit), (Side::Buy, sz("2"), px("100.5603")));
}

#[test]
fn one_exit_is_under_way_at_a_time() {
    let world = World { flatten: true, ..World::quiet() };
    let mut state = ExitState::default();
    assert!(state.step(&world.view(0)).is_some() && state.in_flight());
    for ms in [0, 1, 59_999, 60_000, 3_600_000] {
        assert_eq!(state.step(&world.view(ms)), None, "not before its end is told");
    }
    assert!(!state.overdue(mono(59_999), &world.time_stop));
    assert!(state.overdue(mono(60_000), &world.time_stop), "someone has to ask");
    state.ended(mono(70_000), MISSED);
    assert!(!state.in_flight() && !state.overdue(mono(200_000), &world.time_stop));
    assert!(state.step(&world.view(70_250)).is_some());
}

#[test]
fn a_reason_stays_until_flat_and_only_people_and_the_end_replace_it() {
    let mut world = World { held_ms: 30_000, ..World::quiet() };
    let mut state = ExitState::default();
    assert!(state.step(&world.view(0)).is_some());
    state.ended(mono(10), MISSED);
    (world.bid, world.held_ms) = (Some("100"), 31_000);
    let order = state.step(&world.view(260)).expect("an exit");
    assert_eq!((order.reason, order.misses), (ExitReason::TimeStop, 1));
    state.ended(mono(300), MISSED);
    assert_eq!(state.step(&world.view(310)), None, "no rule shortens the pause");
    world.flatten = true;
    let order = state.step(&world.view(311)).expect("at once");
    assert_eq!(order.reason, ExitReason::Flatten);
    state.ended(mono(320), MISSED);
    (world.flatten, world.shutdown) = (false, true);
    assert_eq!(state.step(&world.view(330)), None);
    assert_eq!(state.reason(), Some(ExitReason::Flatten), "the stronger stays");
}

#[test]
fn misses_widen_the_reach_and_the_pause_and_never_end() {
    let world = World { flatten: true, ..World::quiet() };
    let mut state = ExitState::default();
    let (mut ms, mut reaches, mut pauses, mut alarms) = (0, Vec::new(), Vec::new(), 0);
    for n in 0..40 {
        let order = state.step(&world.view(ms)).expect("never given up");
        assert_eq!(order.misses, n);
        // The collar of the oracle, and after half a minute that of the bid.
        assert!(order.limit >= px(if ms < 30_000 { "95" } else { "94.943" }), "{order:?}");
        alarms += u32::from(order.alarm == Some(Alarm::AtCollar));
        reaches.push(order.limit);
        state.ended(mono(ms), MISSED);
        let next = (1..).find(|pause| {
            mono(ms + pause)
                >= state.deadline(mono(ms), Nanos::ZERO, &world.time_stop, &world.mark_regression)
        });
        let pause = next.expect("a pause");
        assert_eq!(state.step(&world.view(ms + pause - 1)), None);
        pauses.push(pause);
        ms += pause;
    }
    assert_eq!(pauses[..7], [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    assert_eq!(reaches[..3], [px("99.4403"), px("98.9406"), px("98.4409")]);
    assert_eq!((reaches[9], reaches[39]), (px("95"), px("94.943")));
    assert_eq!((pauses[15], pauses[16], pauses[39]), (5_000, 30_000, 30_000), "ever more rarely");
    assert_eq!(alarms, 1);
}

#[test]
fn any_fill_is_progress() {
    let world = World { flatten: true, ..World::quiet() };
    let mut state = ExitState::default();
    for ms in [0, 1_000, 3_000] {
        assert!(state.step(&world.view(ms)).is_some());
        state.ended(mono(ms), MISSED);
    }
    assert!(state.step(&world.view(9_000)).is_some());
    state.ended(mono(9_000), ExitEnd::Filled);
    assert_eq!(state.failures(), 0);
    assert_eq!(state.step(&world.view(9_249)), None);
    assert_eq!(state.step(&world.view(9_250)).expect("the rest").reach, Bps::from_int(50));
}

#[test]
fn with_nothing_to_take_it_waits_at_the_collar_and_more_patiently() {
    let world = World { flatten: true, bid: None, ..World::quiet() };
    let mut state = ExitState::default();
    assert_eq!(state.step(&world.view(0)), None, "the quote may be on its way");
    assert_eq!(state.step(&world.view(1_999)), None);
    let order = state.step(&world.view(2_000)).expect("an exit");
    assert_eq!((order.limit, order.alarm), (px("95"), None));
    state.ended(mono(2_000), MISSED);
    assert_eq!(state.step(&world.view(3_999)), None);
    let order = state.step(&world.view(4_000)).expect("an exit");
    assert_eq!(order.alarm, Some(Alarm::AtCollar));
    state.ended(mono(4_000), MISSED);
    let order = state.step(&world.view(9_000)).expect("an exit");
    assert_eq!(order.alarm, None, "the alarm is given once");
}

#[test]
fn without_any_price_it_waits_for_one() {
    let mut world = World { flatten: true, bid: None, oracle: None, mark: None, ..World::quiet() };
    let mut state = ExitState::default();
    assert_eq!(state.step(&world.view(0)), None);
    assert!(!state.in_flight() && state.reason().is_some());
    world.mark = Some("100");
    assert_eq!(state.step(&world.view(1_999)), None);
    assert!(state.step(&world.view(2_000)).is_some());
}

#[test]
fn what_the_venue_calls_too_small_is_asked_for_with_more() {
    let world = World { flatten: true, size: "0.02", ..World::quiet() };
    let mut state = ExitState::default();
    assert_eq!(state.step(&world.view(0)).expect("an exit").sz, sz("0.02"), "exempt");
    state.ended(mono(0), refused(Refusal::MinNotional));
    let order = state.step(&world.view(1_000)).expect("an exit");
    assert_eq!(order.sz, sz("0.12"), "10 USD and a lot");
    let value = Usd::notional(order.limit, order.sz).expect("fits");
    assert!(value > usd("10"));
    state.ended(mono(1_000), MISSED);
    assert_eq!(state.step(&world.view(9_000)).expect("an exit").sz, sz("0.12"), "it stays so");
    let large = World { flatten: true, size: "7", ..World::quiet() };
    let mut state = ExitState::default();
    state.step(&large.view(0));
    state.ended(mono(0), refused(Refusal::MinNotional));
    assert_eq!(state.step(&large.view(1_000)).expect("an exit").sz, sz("7"));
}

#[test]
fn deadlines_lie_ahead() {
    let world = World::quiet();
    let due = |state: &ExitState, ms, held_ms| {
        let held = Nanos::from_millis(held_ms);
        state.deadline(mono(ms), held, &world.time_stop, &world.mark_regression)
    };
    let idle = ExitState::default();
    assert_eq!(due(&idle, 0, 0), mono(200), "a look at the price");
    assert_eq!(due(&idle, 0, 29_900), mono(100), "the holding time");
    let mut off = World::quiet();
    off.mark_regression.enabled = false;
    let held = Nanos::from_secs(10);
    assert_eq!(idle.deadline(mono(0), held, &off.time_stop, &off.mark_regression), mono(20_000));
    let mut state = ExitState::default();
    let flatten = World { flatten: true, ..World::quiet() };
    assert!(state.step(&flatten.view(0)).is_some());
    assert_eq!(due(&state, 0, 0), mono(60_000), "the look-up");
    assert_eq!(due(&state, 60_000, 0), mono(65_000), "and again");
    state.ended(mono(65_000), MISSED);
    assert_eq!(due(&state, 65_000, 0), mono(65_250));
    assert_eq!(due(&state, 65_250, 0), mono(65_500), "nothing was sent: a look later");
}

#[test]
fn a_new_position_owes_nothing_of_the_old_one() {
    let world = World { flatten: true, ..World::quiet() };
    let mut positions = flat();
    apply(&mut positions, 100, &bought(100, "1", "10", "0"), ENTRY);
    let state = positions.exit_mut(SILVER).expect("open");
    assert!(state.step(&world.view(200)).is_some());
    state.ended(mono(200), MISSED);
    apply(&mut positions, 300, &sold(300, "3", "10", "0"), EXIT);
    assert_eq!(positions.exit(SILVER), Some(&ExitState::default()), "after a flip too");
    assert_eq!(positions.exit(GOLD), None);
}

#[test]
fn what_the_venue_could_not_take_waits_longer_and_reaches_no_further() {
    let world = World { flatten: true, ..World::quiet() };
    let mut state = ExitState::default();
    let first = state.step(&world.view(0)).expect("an exit");
    for ms in [0, 10_000, 20_000, 30_000] {
        state.ended(mono(ms), refused(Refusal::PostOnlyMode));
        assert_eq!(state.step(&world.view(ms + 249)), None);
        let next = state.step(&world.view(ms + 10_000)).expect("an exit");
        assert_eq!((next.limit, next.misses), (first.limit, 0));
    }
    state.ended(mono(40_000), ExitEnd::Unsent);
    assert_eq!(state.failures(), 0, "it was never sent");
}

#[test]
fn what_follows_from_an_end_is_what_the_table_says() {
    let world = World { flatten: true, ..World::quiet() };
    let first = px("99.4403");
    let ends = [
        (ExitEnd::Late, first, 0),
        (ExitEnd::Lost, first, 0),
        (ExitEnd::Superfluous, first, 0),
        (ExitEnd::Together, first, 0),
        (ExitEnd::TooSmall, first, 0),
        (ExitEnd::Failed, first, 1),
        (ExitEnd::Deferred, first, 0),
        (ExitEnd::Unknown, first, 0),
        (ExitEnd::Unsent, first, 0),
        (ExitEnd::Missed, px("98.9406"), 0),
    ];
    for (end, limit, failures) in ends {
        let mut state = ExitState::default();
        state.step(&world.view(0)).expect("an exit");
        state.ended(mono(100), end);
        assert_eq!(state.failures(), failures, "{end:?}");
        assert_eq!(state.alone(), end == ExitEnd::Together, "{end:?}");
        let pause = match end {
            ExitEnd::Superfluous => 2_000,
            // Counted from when it left.
            ExitEnd::Late | ExitEnd::Lost => 150,
            _ => 250,
        };
        assert_eq!(state.step(&world.view(100 + pause - 1)), None, "{end:?}");
        let next = state.step(&world.view(100 + pause)).expect("an exit");
        assert_eq!(next.limit, limit, "{end:?}");
        let usual = Nanos::from_secs(2);
        let doubled = if end == ExitEnd::Late { Nanos::from_secs(4) } else { usual };
        assert_eq!(state.life(usual), doubled, "{end:?}");
    }
}

#[test]
fn every_refusal_has_one_end() {
    let of = |refusal| ExitEnd::refused(Some(refusal), true, false);
    for refusal in [Refusal::NoMatch, Refusal::NoLiquidity, Refusal::Cancelled] {
        assert_eq!(of(refusal), ExitEnd::Missed, "{refusal:?}");
    }
    for refusal in [Refusal::PostOnlyMode, Refusal::Halted, Refusal::AddressBudget] {
        assert_eq!(of(refusal), ExitEnd::Deferred, "{refusal:?}");
    }
    for refusal in [Refusal::Tick, Refusal::Margin, Refusal::Unlisted] {
        assert_eq!(of(refusal), ExitEnd::Failed, "{refusal:?}");
        assert_eq!(ExitEnd::refused(Some(refusal), true, true), ExitEnd::Together);
    }
    assert_eq!(of(Refusal::MinNotional), ExitEnd::TooSmall);
    assert_eq!(of(Refusal::ReduceOnly), ExitEnd::Superfluous);
    assert_eq!(of(Refusal::TooLate), ExitEnd::Late);
    assert_eq!(ExitEnd::refused(Some(Refusal::TooLate), false, true), ExitEnd::Lost);
    assert_eq!(ExitEnd::refused(None, true, false), ExitEnd::Unknown);
}

#[test]
fn misses_and_fills_end_a_row_of_failures() {
    let world = World { flatten: true, ..World::quiet() };
    for end in [MISSED, ExitEnd::Filled] {
        let mut state = ExitState::default();
        for (ms, end, failures) in [
            (0, refused(Refusal::Tick), 1),
            (10_000, ExitEnd::Lost, 1),
            (20_000, refused(Refusal::Tick), 2),
            (30_000, end, 0),
        ] {
            state.step(&world.view(ms)).expect("an exit");
            state.ended(mono(ms), end);
            assert_eq!(state.failures(), failures, "{ms}");
        }
    }
}

#[test]
fn a_profit_that_is_gone_is_waited_for_and_time_stop_starts_anew() {
    let mut world = World { bid: Some("100"), ..World::quiet() };
    let mut state = ExitState::default();
    assert!(state.step(&world.view(0)).is_some());
    state.ended(mono(10), MISSED);
    world.bid = Some("99");
    assert_eq!(state.step(&world.view(5_000)), None);
    assert_eq!(state.reason(), None, "nothing is owed");
    world.bid = Some("100");
    let order = state.step(&world.view(6_000)).expect("its price is back");
    assert_eq!((order.reason, order.misses), (ExitReason::MarkRegression, 0));
    state.ended(mono(6_010), MISSED);
    world.bid = Some("99");
    assert_eq!(state.step(&world.view(6_020)), None);
    world.held_ms = 30_000;
    let order = state.step(&world.view(12_000)).expect("it is owed for good");
    assert_eq!((order.reason, order.misses), (ExitReason::TimeStop, 0));
    state.ended(mono(12_010), MISSED);
    world.bid = Some("98");
    let order = state.step(&world.view(20_000)).expect("whatever the price does");
    assert_eq!((order.reason, order.misses), (ExitReason::TimeStop, 1));
}

#[test]
fn what_the_collar_holds_back_for_half_a_minute_is_measured_from_the_quote() {
    let mut world = World { flatten: true, bid: Some("94"), ask: Some("94.2"), ..World::quiet() };
    let mut state = ExitState::default();
    for ms in [0, 1, 15_000, 29_999] {
        assert_eq!(state.step(&world.view(ms)), None, "nobody stands inside the collar: {ms}");
    }
    assert_eq!(
        state.deadline(mono(1), Nanos::ZERO, &world.time_stop, &world.mark_regression),
        mono(30_000)
    );
    let order = state.step(&world.view(30_000)).expect("an exit");
    assert_eq!((order.limit, order.alarm), (px("93.53"), Some(Alarm::PastCollar)));
    state.ended(mono(30_000), MISSED);
    // The new collar is one as well: a trap far below is not walked into.
    world.bid = Some("50");
    assert_eq!(state.step(&world.view(31_000)), None);
    world.bid = Some("93");
    let order = state.step(&world.view(32_000)).expect("an exit");
    assert_eq!((order.limit, order.alarm), (px("92.07"), None));
    state.ended(mono(32_000), MISSED);
    // Back inside the collar of the oracle nothing is left of it.
    world.bid = Some("99");
    state.step(&world.view(40_000)).expect("an exit");
    state.ended(mono(40_000), MISSED);
    world.bid = Some("94");
    assert_eq!(state.step(&world.view(50_000)), None);
}

#[test]
fn a_market_that_comes_back_inside_the_collar_in_time_is_sold_there() {
    let mut world = World { flatten: true, bid: Some("94"), ask: Some("94.2"), ..World::quiet() };
    let mut state = ExitState::default();
    assert_eq!(state.step(&world.view(0)), None);
    world.bid = Some("95.5");
    let order = state.step(&world.view(20_000)).expect("at once");
    assert_eq!((order.limit, order.alarm), (px("95.0225"), None));
}

#[test]
fn a_new_link_begins_anew() {
    let world = World { flatten: true, ..World::quiet() };
    let mut state = ExitState::default();
    for ms in [0, 1_000, 3_000, 9_000] {
        state.step(&world.view(ms)).expect("an exit");
        state.ended(mono(ms), MISSED);
    }
    state.relinked(mono(9_010));
    let order = state.step(&world.view(9_010)).expect("at once");
    assert_eq!((order.misses, order.limit), (0, px("99.4403")));
    state.ended(mono(9_020), ExitEnd::Lost);
    state.relinked(mono(9_030));
    let blind = World { bid: None, ask: None, quoted: false, ..world };
    assert_eq!(state.step(&blind.view(11_029)), None);
    let order = state.step(&blind.view(11_030)).expect("two seconds after the link opened");
    assert_eq!(order.limit, px("99.5"), "50 bps below the reference, which stands in");
}

#[test]
fn without_a_link_one_exit_lies_at_the_collar_of_the_last_price() {
    let quiet = World::quiet();
    let mut state = ExitState::default();
    assert_eq!(state.step(&quiet.view(0)), None);
    let dark = || World { bid: None, ask: None, oracle: None, mark: None, ..World::quiet() };
    assert_eq!(state.step_without_link(&dark().view(1)), None, "nothing is owed");
    let owed = World { held_ms: 30_000, ..dark() };
    let order = state.step_without_link(&owed.view(2)).expect("an exit");
    assert_eq!(
        (order.limit, order.sz, order.reason),
        (px("94.943"), sz("1"), ExitReason::TimeStop)
    );
    state.ended(mono(3), ExitEnd::Lost);
    assert_eq!(state.step_without_link(&owed.view(60_000)), None, "once");
    state.relinked(mono(70_000));
    assert!(state.step_without_link(&owed.view(80_000)).is_some(), "and once the next time");
    let mut unseen = ExitState::default();
    let order = unseen.step_without_link(&owed.view(0)).expect("an exit");
    assert_eq!(order.limit, px("95"), "of the entry, where no price was ever known");
}

#[test]
fn what_waits_to_be_sent_is_priced_again_or_dropped() {
    let mut world = World { bid: Some("100"), ..World::quiet() };
    let mut state = ExitState::default();
    assert_eq!(state.step(&world.view(0)).expect("an exit").limit, px("99.5"));
    world.bid = Some("99.96");
    assert_eq!(state.reprice(&world.view(1)).expect("still owed").limit, px("99.4602"));
    world.bid = Some("99");
    assert_eq!(state.reprice(&world.view(2)), None, "the profit is gone");
    state.ended(mono(2), ExitEnd::Unsent);
    world.held_ms = 30_000;
    let order = state.step(&world.view(300)).expect("an exit");
    assert_eq!(order.reason, ExitReason::TimeStop);
    world.size = "0.4";
    assert_eq!(state.reprice(&world.view(301)).expect("still owed").sz, sz("0.4"));
    world.announced = "-0.4";
    assert_eq!(state.reprice(&world.view(302)), None, "it is closed already");
}
