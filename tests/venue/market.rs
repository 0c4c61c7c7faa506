//! The market itself: deterministic, on tick, never crossed, and dislocated now and then.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use hip3::types::num::Px;
use hip3::types::time::Nanos;
use hip3::venue::{Lag, Odds, Settings};
use serde_json::Value;

use crate::support::{Floor, px, px_of, sz};

/// A hash over everything a client of all channels hears in two minutes.
fn fingerprint(seed: u64) -> (u64, usize) {
    let mut floor = Floor::new(Settings { seed, ..Settings::default() });
    let conn = floor.connect();
    floor.watch_all(conn);
    for extra in [
        r#"{"type":"trades","coin":"xyz:TSLA"}"#,
        r#"{"type":"l2Book","coin":"xyz:SILVER"}"#,
        r#"{"type":"l2Book","coin":"xyz:SILVER","fast":true}"#,
        r#"{"type":"allMids","dex":"xyz"}"#,
        r#"{"type":"assetCtxs","dex":"xyz"}"#,
        r#"{"type":"allDexsAssetCtxs"}"#,
    ] {
        floor.subscribe(conn, extra);
    }
    floor.pass(120_000);
    let texts = floor.texts();
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    (hasher.finish(), texts.len())
}

#[test]
fn a_seed_is_a_market_bit_for_bit() {
    let (first, frames) = fingerprint(42);
    assert!(frames > 10_000, "{frames} frames");
    assert_eq!(fingerprint(42), (first, frames));
    assert_ne!(fingerprint(43).0, first);
}

#[test]
fn the_market_does_not_depend_on_who_watches() {
    let oracle_after_a_minute = |watch: bool| {
        let mut floor = Floor::new(Settings::default());
        if watch {
            let conn = floor.connect();
            floor.watch_all(conn);
        }
        floor.pass(60_000);
        let coins = floor.venue.coins();
        let read = |coin: &String| (floor.venue.oracle(coin), floor.venue.quote(coin));
        coins.iter().map(read).collect::<Vec<_>>()
    };
    assert_eq!(oracle_after_a_minute(true), oracle_after_a_minute(false));
}

/// Whether `px` obeys the venue's rule: five significant figures, `6 − d` decimals, or whole.
fn on_tick(text: &str, sz_decimals: usize) -> bool {
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let decimals = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let figures = digits.trim_start_matches('0').len();
    decimals == 0 || figures <= 5 && decimals <= 6 - sz_decimals
}

#[test]
fn quotes_are_on_tick_and_lot_never_crossed_and_never_repeated() {
    let mut floor = Floor::new(Settings { seed: 5, ..Settings::default() });
    let meta = floor.ask(r#"{"type":"meta","dex":"xyz"}"#);
    let decimals: BTreeMap<String, usize> = meta["universe"]
        .as_array()
        .unwrap()
        .iter()
        .map(|asset| {
            let name = asset["name"].as_str().unwrap().to_owned();
            (name, asset["szDecimals"].as_u64().unwrap() as usize)
        })
        .collect();
    let conn = floor.connect();
    floor.watch_all(conn);
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    let (mut quotes, mut one_sided, mut block_time) = (0, 0, 0);
    for _ in 0..8 {
        floor.pass(60_000);
        for frame in floor.frames().iter().filter(|frame| frame["channel"] == "bbo") {
            let data = &frame["data"];
            let coin = data["coin"].as_str().unwrap();
            let sides = data["bbo"].as_array().unwrap();
            assert_eq!(sides.len(), 2);
            for side in sides.iter().filter(|side| !side.is_null()) {
                let (price, size) = (side["px"].as_str().unwrap(), side["sz"].as_str().unwrap());
                assert!(on_tick(price, decimals[coin]), "{frame}");
                let fraction = size.trim_end_matches('0').split_once('.').map_or("", |s| s.1);
                assert!(fraction.len() <= decimals[coin] && sz(size).is_positive(), "{frame}");
                assert!(side["n"].as_u64().unwrap() > 0);
            }
            match [px_of(&sides[0]["px"]), px_of(&sides[1]["px"])] {
                [Some(bid), Some(ask)] => assert!(bid < ask, "{frame}"),
                _ => one_sided += 1,
            }
            let time = data["time"].as_i64().unwrap();
            assert!(time >= block_time);
            block_time = time;
            let before = last.insert(coin.to_owned(), data["bbo"].clone());
            assert_ne!(before, Some(data["bbo"].clone()), "{coin} repeats itself");
            quotes += 1;
        }
    }
    assert!(quotes > 10_000, "{quotes} quotes");
    assert!((1..quotes / 50).contains(&one_sided), "{one_sided} of {quotes} one-sided");
}

/// Onsets of "best bid or ask beats the oracle by more than 8 bps" as a client sees them: those
/// that the oracle made by moving away from a quote, and those that a quote made.
#[derive(Clone, Copy, Debug, Default)]
struct Onsets {
    oracle: u32,
    quote: u32,
}

/// Counts them by market; those with a structural basis cross again and again.
fn dislocations(settings: Settings, minutes: u64) -> Vec<Onsets> {
    #[derive(Clone, Copy, Default)]
    struct Seen {
        oracle: Option<Px>,
        sides: [Option<Px>; 2],
        crossed: [bool; 2],
        onsets: Onsets,
    }
    let mut floor = Floor::new(settings);
    let conn = floor.connect();
    floor.watch_all(conn);
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    for _ in 0..minutes {
        floor.pass(60_000);
        for frame in floor.frames() {
            let data = &frame["data"];
            let Some(coin) = data["coin"].as_str() else { continue };
            let state = seen.entry(coin.to_owned()).or_default();
            let count = match frame["channel"].as_str() {
                Some("bbo") => {
                    state.sides = [0, 1].map(|side| px_of(&data["bbo"][side]["px"]));
                    &mut state.onsets.quote
                }
                Some("activeAssetCtx") => {
                    state.oracle = px_of(&data["ctx"]["oraclePx"]);
                    &mut state.onsets.oracle
                }
                _ => continue,
            };
            let Some(oracle) = state.oracle.map(|px| i128::from(px.units())) else { continue };
            let scaled = |px: Px| i128::from(px.units()) * 10_000;
            let now = [
                state.sides[0].is_some_and(|bid| scaled(bid) > oracle * 10_008),
                state.sides[1].is_some_and(|ask| scaled(ask) < oracle * 9_992),
            ];
            *count += (0..2).filter(|side| now[*side] && !state.crossed[*side]).count() as u32;
            state.crossed = now;
        }
    }
    let mut onsets: Vec<Onsets> = seen.values().map(|state| state.onsets).collect();
    onsets.sort_by_key(|one| one.oracle + one.quote);
    onsets
}

fn sum(onsets: &[Onsets]) -> Onsets {
    onsets.iter().fold(Onsets::default(), |sum, one| Onsets {
        oracle: sum.oracle + one.oracle,
        quote: sum.quote + one.quote,
    })
}

#[test]
fn a_demo_sees_a_healthy_number_of_dislocations() {
    for seed in [1, 2] {
        let onsets = dislocations(Settings { seed, ..Settings::default() }, 10);
        let usual = sum(&onsets[..onsets.len() - 5]);
        println!("seed {seed}: {:?} in 10 minutes, {usual:?} without the busiest", sum(&onsets));
        assert!((50..=300).contains(&(usual.oracle + usual.quote)), "seed {seed}: {usual:?}");
        assert!(usual.oracle > 2 * usual.quote, "mostly quotes lag, not contexts: {usual:?}");
    }
}

#[test]
fn without_lag_the_oracle_leaves_no_quote_behind() {
    let with = |surprised| {
        let lag = Lag { slow: Odds::NEVER, surprised, ..Lag::default() };
        let onsets = dislocations(Settings { lag, ..Settings::default() }, 4);
        sum(&onsets[..onsets.len() - 5]).oracle
    };
    let (prompt, late) = (with(Odds::NEVER), with(Odds::ALWAYS));
    println!("prompt {prompt}, late {late}");
    assert!(late > 20 && prompt < late / 3, "{prompt} {late}");
}

#[test]
fn the_oracle_steps_every_three_to_four_seconds_and_the_mark_by_one_percent_at_most() {
    let mut floor = Floor::new(Settings { seed: 9, ..Settings::default() });
    let conn = floor.connect();
    floor.subscribe(conn, r#"{"type":"activeAssetCtx","coin":"xyz:TSLA"}"#);
    // A jump of 5 % in the middle of it.
    floor.pass(60_000);
    let jumped = Px::from_units(floor.venue.oracle("xyz:TSLA").unwrap().units() / 100 * 105);
    let now = floor.now;
    floor.venue.set_oracle(now, "xyz:TSLA", jumped).unwrap();
    floor.pass(60_000);
    let ctxs: Vec<Value> = floor
        .frames()
        .into_iter()
        .filter(|frame| frame["channel"] == "activeAssetCtx")
        .map(|mut frame| frame["data"]["ctx"].take())
        .collect();
    assert!((118..=122).contains(&ctxs.len()), "{} contexts in 120 s", ctxs.len());
    let oracles: Vec<&Value> = ctxs.iter().map(|ctx| &ctx["oraclePx"]).collect();
    let steps = oracles.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!((25..=42).contains(&steps), "{steps} steps in 120 s");
    let marks: Vec<i64> = ctxs.iter().map(|ctx| px_of(&ctx["markPx"]).unwrap().units()).collect();
    assert!(marks.windows(2).all(|pair| (pair[1] - pair[0]).abs() <= pair[0] / 100));
    assert!(marks.windows(2).any(|pair| (pair[1] - pair[0]).abs() > pair[0] / 200));
}

#[test]
fn a_stopped_oracle_leaves_the_local_mark() {
    let mut floor = Floor::still();
    floor
        .venue
        .set_quote("xyz:TSLA", Some((px("400"), sz("1"))), Some((px("402"), sz("1"))))
        .unwrap();
    let mark = |floor: &mut Floor| {
        let answer = floor.ask(r#"{"type":"metaAndAssetCtxs","dex":"xyz"}"#);
        answer[1][2]["markPx"].as_str().unwrap().to_owned()
    };
    floor.pass(10_000);
    assert_ne!(mark(&mut floor), "401.0");
    floor.venue.run_oracle(false);
    floor.pass(20_000);
    assert_eq!(mark(&mut floor), "401.0");
}

#[test]
fn a_halted_market_is_settled_and_can_resume() {
    let mut floor = Floor::still();
    let conn = floor.connect();
    floor.subscribe(conn, r#"{"type":"bbo","coin":"xyz:TSLA"}"#);
    floor.subscribe(conn, r#"{"type":"activeAssetCtx","coin":"xyz:TSLA"}"#);
    floor.pass(2_000);
    floor.frames();
    floor.venue.halt("xyz:TSLA").unwrap();
    floor.pass(2_000);
    let frames = floor.frames();
    let bbo = frames.iter().find(|frame| frame["channel"] == "bbo").unwrap();
    assert_eq!(bbo["data"]["bbo"], serde_json::json!([null, null]));
    let ctx =
        &frames.iter().rfind(|frame| frame["channel"] == "activeAssetCtx").unwrap()["data"]["ctx"];
    assert!(["midPx", "premium", "impactPxs"].iter().all(|key| ctx[key].is_null()), "{ctx}");
    assert_eq!(ctx["openInterest"], "0.0");
    let meta = floor.ask(r#"{"type":"meta","dex":"xyz"}"#);
    assert_eq!(meta["universe"][2]["isDelisted"], true);
    floor.venue.resume("xyz:TSLA").unwrap();
    floor.pass(2_000);
    assert!(floor.frames().iter().any(|frame| frame["data"]["bbo"][0].is_object()));
}

#[test]
fn open_interest_climbs_into_its_cap() {
    let mut floor = Floor::new(Settings { markets: 5, ..Settings::default() });
    assert_eq!(floor.ask(r#"{"type":"perpsAtOpenInterestCap","dex":"xyz"}"#), Value::Array(vec![]));
    floor.venue.climb_to_cap("xyz:TSLA").unwrap();
    floor.pass(Nanos::from_secs(180).as_millis());
    let capped = floor.ask(r#"{"type":"perpsAtOpenInterestCap","dex":"xyz"}"#);
    assert_eq!(capped, serde_json::json!(["xyz:TSLA"]));
}

#[test]
fn an_unknown_coin_is_an_error_that_names_it() {
    let error = Floor::still().venue.halt("xyz:NOPE").unwrap_err();
    assert_eq!(error.to_string(), "no market is named \"xyz:NOPE\"");
}
