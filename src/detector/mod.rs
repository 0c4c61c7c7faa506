//! Is it worth it: cost, edge and size of taking a quote that lags the oracle.
//!
//! A **cross** is the time during which the best bid or ask stands on the wrong side of the oracle
//! by at least the cost. It yields a signal at its start and further ones while it lasts; each
//! signal is sampled again later (`samples`).

pub mod cross;
pub mod fee;
pub mod samples;
pub mod timers;

use crate::feed::market::Market;
use crate::types::config;
use crate::types::market::{Level, MarketSpec, UserFees};
use crate::types::num::{Bps, Px, Ratio, Side, Sz, Usd};
use crate::types::record::{CrossEnd, Decision, Gate, SizeLimit};
use crate::types::time::{Mono, Nanos};

/// What an edge has to pay for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cost {
    /// Taker fee, one way.
    pub taker_fee: Bps,
    /// What a round trip pays, and the net edge leaves out: the taker fee on the way in and on the way
    /// out, and the slippage allowed for.
    pub paid: Bps,
    /// What the raw edge must reach: what is paid and the least edge, or the market's own threshold.
    pub total: Bps,
}

/// The cost in a market; `None` when the fee cannot be told, and then nothing is detected there.
pub fn cost(settings: &config::Detector, spec: &MarketSpec, fees: &UserFees) -> Option<Cost> {
    let taker_fee = match settings.taker_fee {
        config::TakerFee::Fixed(bps) => bps,
        config::TakerFee::Auto => fee::taker_fee(spec, fees)?.to_bps()?,
    };
    let fees = taker_fee.checked_add(taker_fee)?; // As `FEE_SIDES` says.
    // Whatever else a round trip pays is a term of this sum.
    let paid = fees.checked_add(settings.slippage)?;
    let own = settings.thresholds.iter().find(|(coin, _)| coin == spec.coin.as_str());
    let total = match own {
        Some((_, threshold)) => *threshold,
        None => paid.checked_add(settings.min_edge)?,
    };
    Some(Cost { taker_fee, paid, total })
}

/// A quote on the wrong side of the oracle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dislocation {
    /// The level a taker would meet.
    pub touched: Level,
    /// The oracle price.
    pub oracle: Px,
    /// Distance between them, in bps of the oracle.
    pub edge: Bps,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoSignal {
    /// The price does not reach the cost.
    Price,
    /// The book cannot be traded, or there is no oracle price.
    NoQuote,
    /// The ctx is older than `stale_after`, or may be.
    Stale,
}

impl NoSignal {
    /// How a cross ends for this reason; `by_quote` says whether a quote triggered the evaluation.
    pub const fn end(self, by_quote: bool) -> CrossEnd {
        match (self, by_quote) {
            (NoSignal::Price, true) => CrossEnd::Quote,
            (NoSignal::Price, false) => CrossEnd::Oracle,
            (NoSignal::NoQuote, _) => CrossEnd::NoQuote,
            (NoSignal::Stale, _) => CrossEnd::Stale,
        }
    }
}

/// Whether `side` of the market is dislocated by at least `cost`.
///
/// Stale is what has an old ctx: the venue sends one each second. The age of the quote does not
/// count here, since the venue sends a quote on change only and a quote that does not change is
/// just what lags; gate 1 has its own opinion and is recorded beside.
#[inline]
pub fn dislocation(
    now: Mono,
    market: &Market,
    side: Side,
    cost: Bps,
    stale_after: Option<Nanos>,
) -> Result<Dislocation, NoSignal> {
    let (Some(bbo), Some(ctx)) = (market.bbo, market.ctx) else {
        return Err(NoSignal::NoQuote);
    };
    if market.ctx_is_stale(now, stale_after) {
        return Err(NoSignal::Stale);
    }
    let (bid, ask) = bbo.value.tradable().ok_or(NoSignal::NoQuote)?;
    let oracle = ctx.value.oracle.filter(|px| px.is_positive()).ok_or(NoSignal::NoQuote)?;
    let touched = match side {
        Side::Buy => ask,
        Side::Sell => bid,
    };
    if !touched.px.clears(side, oracle, cost) {
        return Err(NoSignal::Price);
    }
    let edge = touched.px.edge(side, oracle).ok_or(NoSignal::Price)?;
    Ok(Dislocation { touched, oracle, edge })
}

/// How much to take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Suggestion {
    /// Size, whole lots; may be zero.
    pub sz: Sz,
    /// Its value at the touched price.
    pub notional: Usd,
    /// Share of the full size: of a thin book, times the gate's.
    pub factor: Ratio,
}

/// The most that one order may take of the touched level: `min(sizing_alpha × top of book, max_notional /
/// price)`, rounded down in units of 1e-8. `None` when the price is not above zero, or a number does not
/// fit.
pub fn most_sz(settings: &config::Detector, touched: Level) -> Option<Sz> {
    if !touched.px.is_positive() {
        return None;
    }
    let share = i128::from(touched.sz.units()) * i128::from(settings.sizing_alpha.units())
        / i128::from(Ratio::ONE.units());
    // USD in 1e-6 over a price in 1e-8 gives coins in 1e2; sizes are in 1e-8.
    let most =
        i128::from(settings.max_notional.units()) * 10_000_000_000 / i128::from(touched.px.units());
    i64::try_from(share.min(most)).ok().map(Sz::from_units)
}

/// [`most_sz`], scaled from 0 at `min_book_notional`
/// to 1 at `normal_book_notional`, times the gate's factor, floored to the lot. Each step rounds
/// down in units of 1e-8, so the result is never more than the exact one.
///
/// `None` when the top of the book is worth less than `min_book_notional`, or a number does not
/// fit: then there is no signal.
pub fn suggest(
    settings: &config::Detector,
    touched: Level,
    sz_decimals: u8,
    gate_factor: Ratio,
) -> Option<Suggestion> {
    let book = Usd::notional(touched.px, touched.sz)?;
    if book < settings.min_book_notional {
        return None;
    }
    let most = most_sz(settings, touched)?;
    let (thin, normal) =
        (settings.min_book_notional.units(), settings.normal_book_notional.units());
    let one = i128::from(Ratio::ONE.units());
    let depth = if book.units() >= normal {
        one
    } else {
        // `thin ≤ book < normal`, so the divisor is above zero.
        i128::from(book.units() - thin) * one / i128::from(normal - thin)
    };
    let factor = depth * i128::from(gate_factor.units()) / one;

    let sz = i128::from(most.units()) * factor / one;
    let sz = Sz::from_units(i64::try_from(sz).ok()?).floor_to(Sz::lot(sz_decimals)?);
    let notional = Usd::notional(touched.px, sz)?;
    Some(Suggestion { sz, notional, factor: Ratio::from_units(i64::try_from(factor).ok()?) })
}

/// What the gates say of a market at the moment of a signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GateReport {
    /// The first gate that blocks.
    pub blocked_by: Option<Gate>,
    /// Every gate that blocks: bit 0 is gate 1.
    pub mask: u8,
    /// Size factor of the gates that do not block.
    pub factor: Ratio,
}

/// What became of a signal that neither a gate nor a filter blocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// What made the order's size another one than the suggested one.
    pub limited_by: Option<SizeLimit>,
}

impl From<Decision> for Decided {
    fn from(decision: Decision) -> Self {
        Self { decision, limited_by: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings() -> config::Detector {
        config::Detector {
            taker_fee: config::TakerFee::Auto,
            slippage: Bps::from_int(2),
            min_edge: Bps::from_int(5),
            max_edge: Bps::from_int(200),
            sizing_alpha: Ratio::parse(b"0.1").expect("a ratio"),
            max_notional: Usd::parse(b"50").expect("an amount"),
            min_book_notional: Usd::parse(b"500").expect("an amount"),
            normal_book_notional: Usd::parse(b"5000").expect("an amount"),
            resignal_interval: Nanos::from_secs(1),
            entry_latencies_ms: vec![50, 200, 400, 900],
            thresholds: Vec::new(),
        }
    }

    fn level(px: &str, sz: &str) -> Level {
        Level {
            px: Px::parse(px.as_bytes()).expect("a price"),
            sz: Sz::parse(sz.as_bytes()).expect("a size"),
        }
    }

    fn suggested(px: &str, sz: &str, factor: &str) -> Option<(String, String, String)> {
        let factor = Ratio::parse(factor.as_bytes()).expect("a ratio");
        suggest(&settings(), level(px, sz), 2, factor)
            .map(|s| (s.sz.to_string(), s.notional.to_string(), s.factor.to_string()))
    }

    fn told(sz: &str, notional: &str, factor: &str) -> Option<(String, String, String)> {
        Some((sz.to_owned(), notional.to_owned(), factor.to_owned()))
    }

    #[test]
    fn sizes_follow_the_book_the_cap_and_the_lot() {
        // A deep book: the cap of 50 USD rules.
        assert_eq!(suggested("10", "1000", "1"), told("5", "50", "1"));
        // Half way between thin and normal.
        assert_eq!(suggested("10", "275", "1"), told("2.5", "25", "0.5"));
        // At the thin end the size is zero, but it is a signal; below it is none.
        assert_eq!(suggested("10", "50", "1"), told("0", "0", "0"));
        assert_eq!(suggested("10", "49.99999999", "1"), None);
        // The gate's factor, and the lot of 0.01.
        assert_eq!(suggested("10", "1000", "0.2"), told("1", "10", "0.2"));
        assert_eq!(suggested("30", "1000", "1"), told("1.66", "49.8", "1"));
        // A large cap: a tenth of the top of the book, to the lot.
        let rich = config::Detector {
            max_notional: Usd::parse(b"1000000").expect("an amount"),
            ..settings()
        };
        let sz = suggest(&rich, level("100", "100"), 1, Ratio::ONE).map(|s| s.sz.to_string());
        assert_eq!(sz.as_deref(), Some("10"));
    }

    proptest! {
        #[test]
        fn a_size_never_exceeds_book_share_cap_or_lot(
            px in 1..10_000_000_000_000_i64,
            sz in 1..100_000_000_000_000_i64,
            decimals in 0..=6_u8,
        ) {
            let touched = Level { px: Px::from_units(px), sz: Sz::from_units(sz) };
            if let Some(s) = suggest(&settings(), touched, decimals, Ratio::ONE) {
                prop_assert!(s.notional <= settings().max_notional);
                prop_assert!(i128::from(s.sz.units()) * 10 <= i128::from(sz));
                prop_assert_eq!(s.sz.floor_to(Sz::lot(decimals).expect("a lot")), s.sz);
                prop_assert!(s.factor <= Ratio::ONE);
            }
        }
    }
}
