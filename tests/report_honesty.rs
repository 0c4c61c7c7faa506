//! Is the report honest? Markets are made up whose truth is known in closed form: a maker who lags by a
//! known law, a gap that stays, an oracle that flickers. Two hundred of each are reported on, and how
//! often the report is right is counted.

use std::collections::BTreeMap;

use hip3::report::Settings;
use hip3::report::answer::{Maker, Market, Read};
use hip3::report::coverage::Blindness;
use hip3::report::day::{Day, Entry, FollowUp};
use hip3::report::sessions::Calendar;
use hip3::report::signal::{Charged, Signal};
use hip3::report::tally::{Context, DayTally, Tally};
use hip3::report::trip::Plan;
use hip3::report::verdict::Kind;
use hip3::types::num::Side;
use hip3::types::record::FOLLOW_UP_MS;
use hip3::types::time::{self, Wall};
use hip3::venue::Dice;

const RUNS: u64 = 200;
const DAYS: i32 = 3;
const EPISODES: u64 = 40;
/// 2026-11-23, a Monday.
const FIRST_DAY: i32 = 20_780;
const LATENCY_MS: u32 = 400;
const EXIT_MS: u32 = 3_000;
/// Taker fee, one way.
const FEE_BPS: f64 = 1.0;
/// Between bid and ask, when the maker has followed.
const SPREAD_BPS: f64 = 2.0;
/// Of the price about where it should be, at each look.
const NOISE_BPS: f64 = 4.0;
/// How far the oracle jumps: as likely each between these.
const JUMP_BPS: (f64, f64) = (12.0, 36.0);

/// How a market behaves after its oracle has jumped away from its quotes.
#[derive(Clone, Copy, Debug)]
enum Law {
    /// The maker follows after a lag without memory, of this mean.
    Lag { mean_s: f64 },
    /// He never does: quotes and oracle lie apart.
    Spread,
    /// The oracle comes back within a second; the quotes were right.
    Noise,
}

impl Law {
    /// What a signal is worth, in bps of what was wanted.
    ///
    /// With a lag T the order fills if T is beyond its latency. Whoever holds at the exit sells at the
    /// new bid if the maker has followed by then, and at the old one if he has not. Noise has mean zero;
    /// the fee on the way out is of the exit's price.
    fn truth_bps(self) -> f64 {
        let net = |gross: f64| (1.0 - FEE_BPS / 1e4) * gross - 2.0 * FEE_BPS;
        let stale = net(-SPREAD_BPS);
        match self {
            Law::Lag { mean_s } => {
                let beyond = |ms: u32| (-f64::from(ms) / 1e3 / mean_s).exp();
                let jump = (JUMP_BPS.0 + JUMP_BPS.1) / 2.0;
                let followed = beyond(LATENCY_MS) - beyond(EXIT_MS);
                followed * net(jump - SPREAD_BPS) + beyond(EXIT_MS) * stale
            }
            Law::Spread | Law::Noise => stale,
        }
    }
}

/// Uniform in 0..1.
fn share(dice: &mut Dice) -> f64 {
    (dice.below(1 << 40) as f64 + 0.5) / (1_u64 << 40) as f64
}

fn normal(dice: &mut Dice) -> f64 {
    dice.bell() as f64 / 1e6
}

/// A signal with what was seen later: the price on the exit's side and the edge at each follow-up, and
/// whether the order would have filled.
#[derive(Clone, Copy)]
struct Seen {
    signal: Signal,
    exits: [(i64, f64); 3],
    fills: bool,
}

/// One day of the market: 40 prints of the oracle, each with one to six signals that share its fate.
fn day(law: Law, day: i32, price: &mut f64, dice: &mut Dice) -> Vec<Seen> {
    let mut seen = Vec::new();
    for episode in 0..EPISODES {
        // Far enough from one print to the next for prices of one to mean nothing at another.
        *price *= 1.0 + normal(dice) * 80e-4;
        let side = [Side::Buy, Side::Sell][dice.below(2) as usize];
        let way = if side == Side::Buy { 1.0 } else { -1.0 };
        let jump = JUMP_BPS.0 + (JUMP_BPS.1 - JUMP_BPS.0) * share(dice);
        let lag_s = match law {
            Law::Lag { mean_s } => -mean_s * share(dice).ln(),
            Law::Spread | Law::Noise => f64::INFINITY,
        };
        let units = |usd: f64| (usd * 1e8).round() as i64;
        let noise = FOLLOW_UP_MS.map(|_| normal(dice) * NOISE_BPS);
        let exits = [0, 1, 2].map(|at| {
            let followed = lag_s <= f64::from(FOLLOW_UP_MS[at]) / 1e3;
            let gross = if followed { jump - SPREAD_BPS } else { -SPREAD_BPS } + noise[at];
            let gap_stays = !followed && !matches!(law, Law::Noise);
            let edge = if gap_stays { jump } else { -SPREAD_BPS / 2.0 };
            (units(*price * (1.0 + way * gross / 1e4)), edge)
        });
        let began = i64::from(day) * time::DAY_NS + (episode as i64 * 60 + 60) * 1_000_000_000;
        for n in 0..=dice.below(6) {
            let id = (day as u64) << 32 | episode << 8 | n;
            let limit = units(*price);
            let signal = Signal {
                id,
                at: Wall(began + n as i64 * 1_000_000),
                market: 0,
                side,
                oracle: units(*price * (1.0 + way * jump / 1e4)),
                limit: Some(limit),
                sz: 50_000_000,
                notional: limit / 2,
                raw_bps: jump,
                net_bps: jump - 2.0 * FEE_BPS - 2.0,
                charged: Charged { slippage_bps: 2.0, fee_sides: 2.0 },
                cross: id >> 8,
                cross_age_ms: n as i64,
                blocked_by: None,
                gate_mask: 0,
                filtered: false,
            };
            let fills = lag_s > f64::from(LATENCY_MS) / 1e3;
            seen.push(Seen { signal, exits, fills });
        }
    }
    seen
}

/// Every day of one run.
fn days(law: Law, run: u64) -> Vec<Vec<Seen>> {
    let mut dice = Dice::new(run, 0);
    let mut price = 100.0;
    (FIRST_DAY..FIRST_DAY + DAYS).map(|at| day(law, at, &mut price, &mut dice)).collect()
}

/// Deals what was seen later out anew among a day's signals.
fn shuffle(days: &mut [Vec<Seen>], run: u64) {
    let mut dice = Dice::new(run, 1);
    for day in days {
        for last in (1..day.len()).rev() {
            let other = dice.below(last as u64 + 1) as usize;
            (day[last].exits, day[other].exits) = (day[other].exits, day[last].exits);
        }
    }
}

fn report(days: &[Vec<Seen>]) -> Market {
    let settings = Settings {
        latency_ms: LATENCY_MS,
        exit_ms: EXIT_MS,
        confidence: 0.99,
        min_episodes: 30,
        fee_bps: None,
        priority_bps: 0.0,
        calendar: Calendar::named("America/New_York").expect("a zone"),
        from: None,
        to: None,
    };
    let plan = Plan::new(vec![LATENCY_MS], LATENCY_MS, EXIT_MS).expect("a plan");
    let context = Context {
        settings: &settings,
        plan: &plan,
        blindness: &Blindness::of(&[]),
        weights: &BTreeMap::new(),
        crosses: &[],
        traded: &[],
    };
    let mut tally = Tally::new(&plan);
    for (at, seen) in (FIRST_DAY..).zip(days) {
        let mut day = Day::new(&plan.latencies_ms);
        seen.iter().for_each(|one| day.push(one.signal));
        day.seal();
        for Seen { signal, exits, fills } in seen {
            for (offset, (px, raw_bps)) in FOLLOW_UP_MS.iter().zip(exits) {
                let (offset_ms, px) = (i64::from(*offset), Some((*px, signal.sz)));
                let (bid, ask) = (px, px); // Only that of the exit's side is looked at.
                let (signal, raw_bps) = (signal.id, *raw_bps);
                day.follow_up(&FollowUp { signal, offset_ms, bid, ask, raw_bps, captured: true });
            }
            let fillable = Some(if *fills { signal.sz } else { 0 });
            let latency_ms = i64::from(LATENCY_MS);
            day.entry(&Entry { signal: signal.id, latency_ms, fillable });
        }
        let names = ["xyz:MADE".to_owned()];
        let of_day = DayTally::of(time::Day(at), &day, &names, &context);
        tally.merge(of_day, BTreeMap::new(), &plan);
    }
    let read = Read::default();
    Maker::new(&tally, &read, 0, &settings, &plan).market(0).expect("a market")
}

/// How often something holds of the reports of all runs.
fn times(law: Law, mut holds: impl FnMut(&Market) -> bool) -> u64 {
    (0..RUNS).map(|run| u64::from(holds(&report(&days(law, run))))).sum()
}

fn proposes(market: &Market) -> bool {
    market.threshold.as_ref().is_some_and(|threshold| threshold.proposed_bps.is_some())
}

const ALMOST_ALL: u64 = RUNS * 95 / 100;

#[test]
fn a_maker_who_lags_is_found_within_the_interval() {
    let law = Law::Lag { mean_s: 0.8 };
    let truth = law.truth_bps();
    assert!((9.0..12.0).contains(&truth), "{truth}");
    let (mut found, mut genuine, mut proposed) = (0, 0, 0);
    let held = times(law, |market| {
        let value = market.group.chosen.mean_value_bps;
        found += u64::from(value.value.is_some());
        genuine += u64::from(market.verdict.kind == Kind::Genuine);
        proposed += u64::from(proposes(market));
        value.low.zip(value.high).is_some_and(|(low, high)| low < truth && truth < high)
    });
    assert_eq!(found, RUNS);
    assert!(held >= ALMOST_ALL, "the truth, {truth:.2} bps, lies in {held} of {RUNS} intervals");
    assert!(genuine >= ALMOST_ALL, "{genuine} of {RUNS} are called genuine");
    assert!(proposed >= ALMOST_ALL, "{proposed} of {RUNS} have a threshold");
}

#[test]
fn a_maker_too_quick_for_us_is_no_edge() {
    // He follows long before an order arrives: what is left to be filled are the few quotes that stay.
    let law = Law::Lag { mean_s: 0.06 };
    assert!(law.truth_bps() < 0.05);
    let wrong = times(law, |market| market.verdict.kind == Kind::Genuine || proposes(market));
    assert!(wrong <= RUNS - ALMOST_ALL, "{wrong} of {RUNS} are called genuine");
}

#[test]
fn a_gap_that_stays_is_structural() {
    let right =
        times(Law::Spread, |market| market.verdict.kind == Kind::Structural && !proposes(market));
    assert!(right >= ALMOST_ALL, "{right} of {RUNS}");
}

#[test]
fn an_oracle_that_flickers_is_no_edge() {
    let truth = Law::Noise.truth_bps();
    let (mut held, mut wrong) = (0, 0);
    times(Law::Noise, |market| {
        let value = market.group.chosen.mean_value_bps;
        let within =
            value.low.zip(value.high).is_some_and(|(low, high)| low < truth && truth < high);
        held += u64::from(within);
        wrong += u64::from(market.verdict.kind == Kind::Genuine || proposes(market));
        true
    });
    assert!(held >= ALMOST_ALL, "the truth, {truth:.2} bps, lies in {held} of {RUNS} intervals");
    assert!(wrong <= RUNS - ALMOST_ALL, "{wrong} of {RUNS} are called an edge");
}

#[test]
fn follow_ups_of_other_moments_show_nothing() {
    let mut wrong = 0;
    for run in 0..RUNS {
        let mut days = days(Law::Lag { mean_s: 0.8 }, run);
        shuffle(&mut days, run);
        let market = report(&days);
        assert!(market.group.chosen.n > 0, "there is something to be found");
        wrong += u64::from(market.verdict.kind == Kind::Genuine || proposes(&market));
    }
    assert!(wrong <= RUNS - ALMOST_ALL, "{wrong} of {RUNS} are called an edge");
}
