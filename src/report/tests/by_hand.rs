//! Small records whose figures were worked out on paper.

use super::*;
use crate::report::answer::{Maker, Read, Report};
use crate::report::signal::Cross;
use crate::report::survival::Lasted;
use crate::report::tally::Crosses;
use crate::report::trading::{EntryOrder, Taken, TradeMade, Trading};
use crate::report::trip::{Arrival, PlanError};
use crate::report::verdict::Kind;
use crate::types::record::Gate;

fn plan(latency_ms: u32) -> Plan {
    Plan::new(vec![400, 50], latency_ms, 3000).expect("a plan")
}

fn report(tally: &Tally, settings: &Settings, plan: &Plan) -> Report {
    let read = Read::default();
    let maker = Maker::new(tally, &read, 0, settings, plan);
    maker.report((0..maker.markets()).filter_map(|at| maker.market(at)).collect())
}

fn close(found: Option<f64>, by_hand: f64) {
    let found = found.expect("a figure");
    assert!((found - by_hand).abs() < 1e-9 * by_hand.abs().max(1.0), "{found}, by hand {by_hand}");
}

#[test]
fn a_round_trip_pays_fees_both_ways_and_the_spread_back() {
    // Half is still there at 400 ms. In at 100, out at 101: 100 bps, less 8 × (1 + 1.01) = 16.08.
    let mut seen = Seen::of(signal(1), 2);
    seen.fillable = vec![Some(usd(1)), Some(usd(1) / 2)];
    seen.exits = [Some((Some(usd(101)), Some(usd(103)))); 3];
    let settings = Settings { priority_bps: 1.5, ..settings() };
    let report = report(&tally(&[seen], &[], &settings, &plan(400)), &settings, &plan(400));
    let trip = &report.total.chosen;
    let net = 100.0 - 16.08 - 1.5;
    assert_eq!((trip.n, trip.fills, trip.wins), (1, 1, 1));
    close(trip.fill_rate, 0.5);
    close(trip.mean_net_bps.value, net);
    close(trip.median_net_bps.value, net);
    close(trip.mean_value_bps.value, net / 2.0);
    // Half of 100 USD.
    close(Some(trip.usd), 50.0 * net / 1e4);
    assert_eq!(trip.mean_value_bps.low, None, "one episode has no interval");
    let at_50 = &report.total.trips[1];
    assert_eq!((at_50.latency_ms, at_50.exit_ms), (50, 3000));
    close(at_50.mean_value_bps.value, net);
    assert_eq!(report.markets[0].verdict.kind, Kind::TooFew);
    assert_eq!(
        report.markets[0].verdict.reason,
        "1 episode with a valued signal; a verdict needs 30."
    );
}

#[test]
fn a_sell_leaves_at_the_ask_and_a_fee_that_is_given_counts() {
    let mut seen = Seen::of(Signal { side: Side::Sell, ..signal(1) }, 2);
    seen.exits = [Some((Some(usd(90)), Some(usd(99)))); 3];
    let settings = Settings { fee_bps: Some(10.0), ..settings() };
    let report = report(&tally(&[seen], &[], &settings, &plan(400)), &settings, &plan(400));
    close(report.total.chosen.mean_net_bps.value, 100.0 - 10.0 * 1.99);
    assert_eq!(report.markets[0].sides.sell.valued, 1);
    assert_eq!(report.markets[0].sides.buy.valued, 0);
}

#[test]
fn what_is_not_valued_is_counted_by_the_first_reason() {
    let at = |id: u64| DAY.begin().0 + id as i64 * 1_000_000;
    let gap = |from: i64, to: i64, cause: &str| Gap {
        from: Wall(from),
        to: Wall(to),
        cause: cause.to_owned(),
        markets: 1,
    };
    // From 3 s after the last of them: that one is in it, the one a millisecond before is not.
    let gaps = [gap(at(8) + 3_000_000_000, at(9_000), "link_down"), gap(at(0), at(9), "start")];
    let gate = Gate::SpreadShock;
    let blocked = Signal { blocked_by: Some(gate), gate_mask: gate.bit(), ..signal(1) };
    // A bad print, whose edge nobody would have been paid.
    let filtered = Signal { filtered: true, raw_bps: 3_330.0, ..signal(9) };
    let small = Signal { notional: usd(10) - 1, ..signal(2) };
    let mut unseen = Seen::of(signal(3), 2);
    unseen.fillable[1] = None;
    let mut no_exit = Seen::of(signal(4), 2);
    no_exit.exits[1] = Some((None, Some(usd(100))));
    let mut miss = Seen { ..no_exit.clone() };
    miss.signal = signal(5);
    miss.fillable = vec![Some(0); 2];
    let mut dark = Seen::of(signal(6), 2);
    dark.exits[1] = None;
    let all = [
        Seen::of(blocked, 2),
        Seen::of(small, 2),
        unseen,
        no_exit,
        miss,
        dark,
        Seen::of(signal(7), 2),
        Seen::of(signal(8), 2),
        Seen::of(filtered, 2),
    ];
    let report = report(&tally(&all, &gaps, &settings(), &plan(400)), &settings(), &plan(400));
    let counts = report.counts;
    assert_eq!((counts.signals, counts.blocked, counts.below_minimum), (9, 2, 1));
    assert_eq!((counts.in_gap, counts.unseen, counts.no_exit, counts.valued), (1, 2, 1, 2));
    // The miss is worth nothing, the other minus two fees of 8 bps.
    close(report.total.chosen.mean_value_bps.value, -8.0);
    close(report.total.chosen.fill_rate, 0.5);
    let of_gate = report.gates.iter().find(|one| one.first > 0).expect("a gate");
    assert_eq!((of_gate.gate, of_gate.alone, of_gate.trip.n), ("SpreadShock", 1, 1));
    // After one second nothing was dark and no gap near: what was unseen then is only the probe's.
    let at_1000 =
        report.total.trips.iter().find(|trip| (trip.latency_ms, trip.exit_ms) == (50, 1000));
    assert_eq!(at_1000.map(|trip| trip.n), Some(6));
}

#[test]
fn an_episode_is_a_cross_or_a_print() {
    let with = |id, cross, oracle| Seen::of(Signal { cross, oracle, ..signal(id) }, 2);
    let all = [
        with(1, 7, 100),
        with(2, 7, 101),
        with(3, 8, 101),
        with(4, 9, 102),
        Seen::of(Signal { side: Side::Sell, cross: 10, oracle: 102, ..signal(5) }, 2),
        with(6, 7, 100),
    ];
    let report = report(&tally(&all, &[], &settings(), &plan(400)), &settings(), &plan(400));
    // 1 2 3, then 4 5, then 6 by itself: only the signal before counts.
    assert_eq!(report.markets[0].group.episodes, 3);
    let sides = &report.markets[0].sides;
    assert_eq!((sides.buy.episodes, sides.sell.episodes), (3, 1));
}

#[test]
fn between_two_probes_fills_follow_the_quotes() {
    let plan = Plan::new(vec![50, 400], 200, 3000).expect("a plan");
    assert_eq!(plan.between(), Some((50, 400)));
    // 0.9 of the quotes stand after 50 ms, 0.6 after 200, 0.5 after 400.
    let survival = |ms: u32| {
        if ms < 50 {
            1.0
        } else if ms < 200 {
            0.9
        } else if ms < 400 {
            0.6
        } else {
            0.5
        }
    };
    assert!((plan.weight(survival) - 0.25).abs() < 1e-12);
    assert!((plan.weight(|_| 1.0) - 200.0 / 350.0).abs() < 1e-12, "by time alone");
    let sooner = Plan::new(vec![50, 400], 20, 1000).expect("a plan");
    assert_eq!(sooner.asked().map(|one| one.arrival), Some(Arrival::Between(None, 0)));
    let at_once = Plan::new(vec![50], 0, 1000).expect("a plan");
    assert_eq!(at_once.asked().map(|one| one.arrival), Some(Arrival::AtOnce));
    let late = Plan::new(vec![50, 400], 401, 3000).expect_err("past all probes");
    assert_eq!(
        late.to_string(),
        "--latency-ms 401: expected 0 to 400; the records probe 50, 400 ms"
    );
    assert_eq!(Plan::new(vec![50], 50, 2000), Err(PlanError::Exit { asked: 2000 }));

    // All of it at 50 ms, nothing at 400; no cross is known, so time alone weighs: 200/350.
    let mut seen = Seen::of(signal(1), 2);
    seen.fillable = vec![Some(usd(1)), Some(0)];
    let settings = Settings { latency_ms: 200, ..settings() };
    let report = report(&tally(&[seen], &[], &settings, &plan), &settings, &plan);
    close(report.total.chosen.fill_rate, 200.0 / 350.0);
    assert_eq!(report.total.trips.len(), 6, "the interpolated one is no probe");
}

#[test]
fn decay_counts_what_was_seen_to_the_end() {
    let mut whole = Seen::of(signal(1), 2);
    whole.raw_later = [16.0, 10.0, 4.0];
    let mut torn = Seen::of(signal(2), 2);
    torn.raw_later = [16.0, f64::NAN, 4.0];
    let report =
        report(&tally(&[whole, torn], &[], &settings(), &plan(400)), &settings(), &plan(400));
    let decay = &report.total.decay;
    assert_eq!(decay.n, 1);
    close(decay.mean.at_0, 20.0);
    close(decay.mean.at_3000, 10.0);
    close(decay.retained_5s.value, 0.2);
}

#[test]
fn an_episode_decays_once_however_long_it_goes_on() {
    // One of ten signals that stays, one of one signal that goes: half is left, and not ten elevenths.
    let all: Vec<Seen> = (1..=11)
        .map(|id| {
            let (cross, left) = if id < 11 { (1, 20.0) } else { (2, 0.0) };
            let oracle = usd(100) + cross as i64;
            let mut seen = Seen::of(Signal { cross, oracle, ..signal(id) }, 2);
            seen.raw_later = [left; 3];
            seen
        })
        .collect();
    let report = report(&tally(&all, &[], &settings(), &plan(400)), &settings(), &plan(400));
    for decay in
        [&report.total.decay, &report.markets[0].group.decay, &report.markets[0].sides.buy.decay]
    {
        assert_eq!(decay.n, 11);
        close(decay.mean.at_5000, 20.0 * 10.0 / 11.0);
        close(decay.retained_5s.value, 0.5);
    }
}

#[test]
fn nobody_leaves_before_he_has_entered() {
    let plan = Plan::new(vec![50, 1000, 2000], 2000, 3000).expect("a plan");
    let all: Vec<(u32, u32)> =
        plan.combinations.iter().map(|one| (one.latency_ms, one.exit_ms())).collect();
    let behind = [(50, 1000), (50, 3000), (50, 5000), (1000, 3000), (1000, 5000), (2000, 3000)];
    assert_eq!(all, [&behind[..], &[(2000, 5000)]].concat());
    assert_eq!((plan.probed(), plan.chosen), (7, 5));
    let error = Plan::new(vec![50, 2000], 1000, 1000).expect_err("at the exit");
    assert_eq!(error.to_string(), "--latency-ms 1000: expected below --exit-ms, which is 1000");
}

#[test]
fn an_exit_that_is_thinner_than_what_is_held_is_counted() {
    let plan = plan(400);
    let mut day = Day::new(&plan.latencies_ms);
    (1..=3).for_each(|id| day.push(signal(id)));
    day.seal();
    for (signal, sz) in [(1, usd(1)), (2, usd(1) - 1), (3, 0)] {
        let looks = FOLLOW_UP_MS.map(i64::from);
        for offset_ms in looks {
            let stood = Some((usd(100), sz));
            let (bid, ask, raw_bps) = (stood, stood, 0.0);
            day.follow_up(&FollowUp { signal, offset_ms, bid, ask, raw_bps, captured: true });
        }
        // The last one is a miss: nothing is held that could be too much.
        let fillable = Some(if signal == 3 { 0 } else { usd(1) });
        for latency_ms in [50, 400] {
            day.entry(&Entry { signal, latency_ms, fillable });
        }
    }
    let context = Context {
        settings: &settings(),
        plan: &plan,
        blindness: &Blindness::of(&[]),
        weights: &BTreeMap::new(),
        crosses: &[],
        traded: &[],
    };
    let mut tally = Tally::new(&plan);
    tally.merge(DayTally::of(DAY, &day, &["xyz:A".to_owned()], &context), BTreeMap::new(), &plan);
    let chosen = report(&tally, &settings(), &plan).total.chosen;
    assert_eq!((chosen.n, chosen.fills, chosen.thin_exits), (3, 2, 1));
}

#[test]
fn a_quote_whose_fate_nobody_knows_is_not_taken_for_one_that_stands() {
    let cross = |id, quote_survival_us| Cross {
        id,
        side: Side::Buy,
        duration_us: 9_000_000,
        quote_survival_us,
        ended: false,
    };
    let mut crosses = Crosses::default();
    crosses.note(&cross(1, Some(50_000)), "quote");
    crosses.note(&cross(2, None), "disconnected");
    crosses.note(&cross(3, None), "killed");
    crosses.note(&cross(4, Some(70_000)), "killed");
    crosses.note_open(3_600_000_000);
    let survival = [Lasted::ended(50_000), Lasted::watched(9_000_000), Lasted::ended(70_000)];
    assert_eq!(crosses.survival, survival);
    assert_eq!(crosses.duration.len(), 5, "how long crosses lasted is known of all");
}

#[test]
fn what_was_traded_is_held_against_what_was_touched() {
    // 4 of 10 were there, and were held: they lose 20 bps of 40 USD.
    let taken =
        BTreeMap::from([(1, Taken { fee_bps: 8.0, net_bps: Some(-20.0), touched: usd(10) })]);
    let order = EntryOrder {
        signal: 1,
        side: Side::Buy,
        sz: 10.0,
        outcome: "partially_filled".to_owned(),
        refusal: None,
        filled: 4.0,
        avg_px: Some(10.003),
        fee: 0.032,
        sent: true,
        answer_ms: None,
    };
    let trade = TradeMade {
        signal: Some(1),
        sz: usd(4),
        gross: -0.05,
        fees: 0.064,
        net: -0.114,
        exit: "time_stop".to_owned(),
        holding_ms: 3000.0,
    };
    let trading = Trading::of(&[order], &[trade], &taken).expect("trading");
    close(Some(trading.expected.expected_usd), -0.08);
    close(trading.entries.slippage_bps, 3.0);
    close(Some(trading.fees.expected), 4.0 * 10.003 * 8e-4);
}

/// So many episodes a minute apart, whose exits earn these bps before a fee of 8 twice.
fn episodes(n: u64, gross: impl Fn(u64) -> i64, raw_later: f64) -> Vec<Seen> {
    (0..n)
        .map(|i| {
            let at = Wall(DAY.begin().0 + i as i64 * 60_000_000_000);
            let mut seen = Seen::of(Signal { at, ..signal(i + 1) }, 2);
            let bid = usd(100) + usd(100) / 10_000 * gross(i);
            seen.exits = [Some((Some(bid), Some(bid))); 3];
            seen.raw_later = [raw_later; 3];
            seen
        })
        .collect()
}

#[test]
fn verdicts_follow_their_order() {
    let of = |all: &[Seen]| {
        let report = report(&tally(all, &[], &settings(), &plan(400)), &settings(), &plan(400));
        report.markets[0].verdict.clone()
    };
    assert_eq!(of(&episodes(29, |_| 60, 0.0)).kind, Kind::TooFew);
    assert_eq!(of(&episodes(40, |i| 60 + (i % 5) as i64, 10.2)).kind, Kind::Structural);
    let genuine = of(&episodes(40, |i| 60 + (i % 5) as i64, 10.0));
    assert_eq!(genuine.kind, Kind::Genuine, "{}", genuine.reason);
    assert!(genuine.reason.contains("over 40 episodes"), "{}", genuine.reason);
    let negative = of(&episodes(40, |i| (i % 5) as i64, 0.0));
    assert_eq!(negative.kind, Kind::Negative, "{}", negative.reason);
    // Positive on average, and as often deep below zero.
    let unsure = of(&episodes(40, |i| if i % 2 == 0 { 120 } else { -80 }, 0.0));
    assert_eq!(unsure.kind, Kind::TooFew);
    assert!(unsure.reason.contains("holds zero; about"), "{}", unsure.reason);
    // Negative on average alone is no verdict either.
    let unsure = of(&episodes(40, |i| if i % 2 == 0 { 100 } else { -80 }, 0.0));
    assert_eq!(unsure.kind, Kind::TooFew, "{}", unsure.reason);
    let mut missed = episodes(40, |_| 60, 0.0);
    missed.iter_mut().for_each(|seen| seen.fillable = vec![Some(0); 2]);
    assert_eq!(of(&missed).kind, Kind::Negative);
    assert!(of(&missed).reason.contains("every order came too late"));
}

#[test]
fn markets_are_told_best_first_with_their_hours_and_sessions() {
    let mut all = episodes(50, |_| 60, 0.0);
    for (i, seen) in all.iter_mut().enumerate() {
        seen.signal.market = u32::from(i % 5 == 0);
    }
    let report = report(&tally(&all, &[], &settings(), &plan(400)), &settings(), &plan(400));
    let names: Vec<&str> = report.markets.iter().map(|market| market.market.as_str()).collect();
    assert_eq!(names, ["xyz:A", "xyz:B"]);
    let hours = &report.markets[0].hours;
    assert_eq!(hours.len(), 1);
    assert_eq!((hours[0].hour, hours[0].side, hours[0].figures.signals), (0, "buy", 40));
    // Midnight UTC is 19:00 in New York, when shares trade after hours.
    assert_eq!(report.markets[0].sessions[0].session.name(), "post");
    assert_eq!(report.sides[0].figures.signals, 50);
    assert_eq!(
        report.thresholds.note.as_deref(),
        Some("thresholds need two days: one to fit them on, one to judge them")
    );
}
