//! The venue: can it be reached, do our clocks agree, does it list what we want, what does it cost.

use super::{Found, PATIENCE, Scene, fail, ok, warn};
use crate::detector::cost;
use crate::engine::MAX_MARKETS;
use crate::feed::clock::{LEAST_SKEW_MS, MOST_SKEW_MS};
use crate::runtime::cold::wall_now;
use crate::runtime::link::Endpoint;
use crate::runtime::reach::reach;
use crate::types::config::{Network, TakerFee};
use crate::types::market::UserFees;
use crate::types::record::Mode;
use crate::types::time::Nanos;

/// Told on a machine whose clock may be wrong: what is said here must not depend on it.
pub(super) fn mode(scene: &mut Scene<'_>) -> Option<Found> {
    let (mode, network) = (scene.config.mode, scene.config.venue.network);
    let live = mode == Mode::Trading && network == Network::Mainnet;
    let live = if live { ": real money, hip3 run needs --live" } else { "" };
    Some(ok(format!("{} on {}{live}", mode.name(), network.name())))
}

pub(super) fn listing(scene: &mut Scene<'_>) -> Option<Found> {
    let venue = &scene.config.venue;
    Some(match scene.reader.read_universe() {
        Ok(universe) => {
            let found = ok(format!(
                "{}: {} lists {} markets",
                venue.rest_url,
                venue.dexes.join(", "),
                universe.markets.len()
            ));
            scene.universe = Some(universe);
            found
        }
        Err(error) => fail(error.to_string()),
    })
}

pub(super) fn socket(scene: &mut Scene<'_>) -> Option<Found> {
    let url = &scene.config.venue.ws_url;
    let reached = Endpoint::parse(url)
        .map_err(|error| error.to_string())
        .and_then(|endpoint| reach(&endpoint, PATIENCE));
    Some(match reached {
        Ok(took) => ok(format!("{url}: open after {} ms", took.as_millis())),
        Err(error) => fail(format!("{url}: {error}")),
    })
}

pub(super) fn clock(scene: &mut Scene<'_>) -> Option<Found> {
    let before = wall_now();
    let venue = match scene.reader.venue_time() {
        Ok(time) => time,
        Err(error) => return Some(fail(error.to_string())),
    };
    let trip_ms = (wall_now().0 - before.0).max(0) / 1_000_000;
    // The answer was made somewhere on the way.
    let ours = before.0 / 1_000_000 + trip_ms / 2;
    Some(skew(ours - venue.0, trip_ms / 2, scene.config.executor.expires_after))
}

/// Judges that our clock is `ahead` of the venue's by so many ms, give or take `doubt`.
///
/// The venue's time is that of its last block, some 0.2 s old, so that a right clock is ahead by
/// so much. Orders live for `expires_after` by our clock: with a difference as large they are dead
/// on arrival, or live far too long.
fn skew(ahead_ms: i64, doubt_ms: i64, expires_after: Nanos) -> Found {
    const WORTH_A_LOOK_MS: i64 = 750;
    let beyond = ahead_ms.abs().saturating_sub(doubt_ms);
    let limit = i64::try_from(expires_after.as_millis()).unwrap_or(i64::MAX);
    let way = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let text = format!("ours is {} ms {way} the venue's, ± {doubt_ms} ms", ahead_ms.abs());
    if beyond >= limit {
        let why = format!("{text}: orders expire after {limit} ms (executor.expires_after_ms)");
        return fail(format!("{why}; set this machine's clock (NTP)"));
    }
    if ahead_ms + doubt_ms < LEAST_SKEW_MS || ahead_ms - doubt_ms > MOST_SKEW_MS {
        let why = "trading would stop itself (ClockSkew)";
        return fail(format!("{text}: {why}; set this machine's clock (NTP)"));
    }
    if beyond >= WORTH_A_LOOK_MS { warn(text) } else { ok(text) }
}

pub(super) fn markets(scene: &mut Scene<'_>) -> Option<Found> {
    let Some(universe) = &scene.universe else {
        return Some(fail("not known: the venue could not be read"));
    };
    let venue = &scene.config.venue;
    let unlisted = |name: &&String| {
        !universe.markets.iter().any(|spec| spec.coin.as_str() == **name && !spec.delisted)
    };
    let named = venue.include.iter().chain(&venue.exclude);
    let named = named.chain(scene.config.detector.thresholds.iter().map(|(coin, _)| coin));
    let missing: Vec<&str> = venue.include.iter().filter(unlisted).map(String::as_str).collect();
    if !missing.is_empty() {
        let names = missing.join(", ");
        return Some(fail(format!("venue.include names what is not listed: {names}")));
    }
    let odd: Vec<&str> = named.filter(unlisted).map(String::as_str).collect();
    let watched = scene.watched().count();
    Some(match watched {
        0 => fail("nothing is left to watch"),
        _ if watched > MAX_MARKETS => {
            warn(format!("{watched} would be watched; one link can watch {MAX_MARKETS}"))
        }
        _ if !odd.is_empty() => {
            warn(format!("{watched} are watched; not listed, but named: {}", odd.join(", ")))
        }
        _ => ok(format!("{watched} are watched")),
    })
}

pub(super) fn fees(scene: &mut Scene<'_>) -> Option<Found> {
    let Some(universe) = &scene.universe else {
        return Some(fail("not known: the venue could not be read"));
    };
    let fees = universe.fees.unwrap_or(UserFees::BASE);
    let mut costs = Vec::new();
    let mut unknown = Vec::new();
    for spec in scene.watched() {
        match cost(&scene.config.detector, spec, &fees) {
            Some(cost) => costs.push(cost),
            None => unknown.push(spec.coin.as_str()),
        }
    }
    let range = |of: fn(&crate::detector::Cost) -> f64| {
        let all = || costs.iter().map(of);
        let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
        format!("{low:.2} to {high:.2} bps")
    };
    let whose = match (scene.config.detector.taker_fee, universe.fees) {
        (TakerFee::Fixed(_), _) => " as detector.taker_fee_bps says",
        (TakerFee::Auto, Some(_)) => "",
        (TakerFee::Auto, None) => " in the base tier (no account to ask about)",
    };
    Some(match (costs.is_empty(), unknown.is_empty()) {
        (_, false) => fail(format!("the taker fee cannot be told for {}", unknown.join(", "))),
        (true, true) => fail("no market, no fee"),
        (false, true) => ok(format!(
            "taking costs {}{whose}; an entry needs an edge of {}",
            range(|cost| cost.taker_fee.to_f64()),
            range(|cost| cost.total.to_f64())
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Mark;
    use super::*;

    #[test]
    fn the_clock_may_be_off_by_less_than_orders_live() {
        let limit = Nanos::from_millis(2_000);
        for (ahead, doubt, mark) in [
            (0, 0, Mark::Ok),
            (200, 50, Mark::Ok),
            (749, 0, Mark::Ok),
            (750, 0, Mark::Warn),
            (800, 51, Mark::Ok),
            (-750, 0, Mark::Warn),
            (1_999, 0, Mark::Warn),
            (2_000, 0, Mark::Fail),
            (-2_000, 0, Mark::Fail),
            (2_040, 41, Mark::Warn),
            (2_041, 41, Mark::Fail),
            (-1_000, 0, Mark::Warn),
            (-1_001, 0, Mark::Fail),
            (-3_600_000, 100, Mark::Fail),
        ] {
            assert_eq!(skew(ahead, doubt, limit).0, mark, "{ahead} ± {doubt}");
        }
        assert!(skew(-2_500, 10, limit).1.contains("2500 ms behind"));
    }
}
