//! The sums against the definitions, read word by word, over any records.

use proptest::prelude::*;

use super::*;
use crate::types::record::Gate;

/// A signal and its looks, of small numbers, so that everything meets everything.
fn seen() -> impl Strategy<Value = Seen> {
    let of_signal = (
        0_u32..3,
        any::<bool>(),
        0_i64..40,
        0_u64..8,
        0_i64..4,
        8_i64..14,
        prop::bool::weighted(0.2),
    );
    let look = || {
        prop::option::weighted(
            0.8,
            (prop::option::weighted(0.8, 98_i64..103), prop::option::weighted(0.8, 98_i64..103)),
        )
    };
    let fill = || prop::option::weighted(0.8, 0_i64..3);
    (of_signal, [look(), look(), look()], [fill(), fill()], 1_u32..40).prop_map(
        |((market, sell, s, cross, oracle, notional, blocked), exits, fills, raw)| {
            let gate = Gate::OiCap;
            let px = |px: Option<i64>| px.map(usd);
            Seen {
                signal: Signal {
                    market,
                    side: if sell { Side::Sell } else { Side::Buy },
                    at: Wall(DAY.begin().0 + s * 500_000_000),
                    oracle: usd(100) + oracle,
                    sz: 2,
                    notional: usd(notional),
                    raw_bps: f64::from(raw),
                    net_bps: f64::from(raw) - 2.0 * 5.0 - 2.0,
                    cross,
                    blocked_by: blocked.then_some(gate),
                    ..signal(0)
                },
                fillable: fills.to_vec(),
                exits: exits.map(|exit| exit.map(|(bid, ask)| (px(bid), px(ask)))),
                raw_later: [1.0; 3],
            }
        },
    )
}

/// The trip of a signal at a probe and an exit: fill, net, value, or why not.
fn value(seen: &Seen, probe: usize, exit: usize, gaps: &[Gap]) -> Result<(f64, f64), &'static str> {
    let signal = &seen.signal;
    let exit_ns = [1_000_000_000, 3_000_000_000, 5_000_000_000][exit];
    if signal.notional < usd(10) {
        return Err("below_minimum");
    }
    let overlaps = |gap: &Gap| gap.from.0 <= signal.at.0 + exit_ns && signal.at.0 <= gap.to.0;
    if gaps.iter().any(|gap| gap.cause != "start" && overlaps(gap)) {
        return Err("in_gap");
    }
    let (Some(left), Some((bid, ask))) = (seen.fillable[probe], seen.exits[exit]) else {
        return Err("unseen");
    };
    let f = (left as f64 / signal.sz as f64).min(1.0);
    if f == 0.0 {
        return Ok((0.0, 0.0));
    }
    let entry = 100.0;
    let out = match signal.side {
        Side::Buy => bid,
        Side::Sell => ask,
    };
    let out = out.ok_or("no_exit")? as f64 / 1e8;
    let gross = match signal.side {
        Side::Buy => 1e4 * (out - entry) / entry,
        Side::Sell => 1e4 * (entry - out) / entry,
    };
    Ok((f, gross - 5.0 * (1.0 + out / entry)))
}

proptest! {
    #[test]
    fn sums_are_what_the_definitions_say(
        mut all in prop::collection::vec(seen(), 0..40),
        gap in prop::option::of((0_i64..40, 0_i64..8)),
        starting in any::<bool>(),
    ) {
        for (id, seen) in all.iter_mut().enumerate() {
            seen.signal.id = id as u64 * 3 + 1;
        }
        let gap = gap.map(|(s, lasted)| Gap {
            from: Wall(DAY.begin().0 + s * 500_000_000),
            to: Wall(DAY.begin().0 + (s + lasted) * 500_000_000),
            cause: if starting { "start" } else { "link_down" }.to_owned(),
            markets: 1,
        });
        let gaps: Vec<Gap> = gap.into_iter().collect();
        let plan = Plan::new(vec![50, 400], 400, 3000).expect("a plan");
        let found = tally(&all, &gaps, &settings(), &plan);

        for (market, name) in ["xyz:A", "xyz:B", "abc:C"].iter().enumerate() {
            let mut ours: Vec<&Seen> =
                all.iter().filter(|seen| seen.signal.market as usize == market).collect();
            ours.sort_by_key(|seen| (seen.signal.at, seen.signal.id));
            let Some(of_market) = found.markets.get(*name) else {
                prop_assert!(ours.is_empty());
                continue;
            };
            // Episodes by number.
            let mut episode = vec![0; ours.len()];
            for at in 1..ours.len() {
                let (a, b) = (&ours[at - 1].signal, &ours[at].signal);
                let same = a.cross == b.cross || a.oracle == b.oracle;
                episode[at] = episode[at - 1] + usize::from(!same);
            }
            let mut with_value = std::collections::BTreeSet::new();
            for side in [Side::Buy, Side::Sell] {
                let sums = &of_market.sides[side.index()].sums;
                for (probe, exit) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
                    let chosen = (probe, exit) == (1, 1);
                    let (mut n, mut fills, mut wins, mut fill, mut value_bps) = (0, 0, 0, 0.0, 0.0);
                    let mut left: BTreeMap<&str, u64> = BTreeMap::new();
                    let mut of_side = std::collections::BTreeSet::new();
                    for (seen, episode) in ours.iter().zip(&episode) {
                        if seen.signal.side != side || seen.signal.blocked_by.is_some() {
                            continue;
                        }
                        match value(seen, probe, exit, &gaps) {
                            Ok((f, net)) => {
                                n += 1;
                                fills += u64::from(f > 0.0);
                                wins += u64::from(f > 0.0 && net > 0.0);
                                fill += f;
                                value_bps += f * net;
                                if chosen {
                                    of_side.insert(*episode);
                                    with_value.insert(*episode);
                                }
                            }
                            Err(why) => *left.entry(why).or_insert(0) += 1,
                        }
                    }
                    let trip = &sums.trips[probe * 3 + exit];
                    prop_assert_eq!((trip.n, trip.fills, trip.wins), (n, fills, wins));
                    prop_assert!((trip.fill - fill).abs() < 1e-9);
                    prop_assert!((trip.value_bps - value_bps).abs() < 1e-6);
                    if chosen {
                        let counts = sums.counts;
                        let of = |why| left.get(why).copied().unwrap_or(0);
                        prop_assert_eq!(counts.below_minimum, of("below_minimum"));
                        prop_assert_eq!(counts.in_gap, of("in_gap"));
                        prop_assert_eq!(counts.unseen, of("unseen"));
                        prop_assert_eq!(counts.no_exit, of("no_exit"));
                        prop_assert_eq!(sums.episodes, of_side.len() as u64);
                    }
                }
            }
            prop_assert_eq!(of_market.episodes, with_value.len() as u64);
            // The clusters hold each valued signal once.
            let chosen = 2 * plan.chosen;
            let clustered: f64 = of_market.clusters.rows().map(|row| row[chosen]).sum();
            let valued: u64 = of_market.sides.iter().map(|side| side.sums.counts.valued).sum();
            prop_assert_eq!(clustered as u64, valued);
        }
    }
}
