//! The eight gates. Each is a pure function of the limits and one market's state.

use crate::risk::{GateResult, Limits, Reason, View};
use crate::types::market::Ctx;
use crate::types::num::{Px, Ratio, Usd};

/// Gate 1. Blocks while the quote cannot be traded (a side missing or empty, or a crossed book)
/// or is older than its limit: by its receipt, or by its block where the feed is late.
///
/// Why: nothing can be taken from such a book. The age is a choice: the venue sends a quote on
/// change only, so a quiet one is old without being wrong; that is why it can be turned off.
pub fn bbo_update(limits: &Limits, view: &View<'_>) -> GateResult {
    let Some(held) = view.market.bbo else {
        return GateResult::Block(Reason::BboMissing);
    };
    if held.value.tradable().is_none() {
        return GateResult::Block(Reason::NotTradable);
    }
    let age = view.now.since(held.received_at);
    match limits.bbo_age_max {
        Some(max) if age > max => GateResult::Block(Reason::BboStale),
        Some(_) | None => GateResult::Pass,
    }
}

/// Gate 2. Blocks while the ctx is older than its limit, or may be after a pause of the process, or
/// holds no oracle price.
///
/// Why: the edge is "the oracle moved, the quotes have not"; without a fresh oracle it is
/// imaginary. The venue sends a ctx each second, changed or not (PROTOCOL.md §2.5), so here age
/// does tell. Turned off, only the age is ignored.
pub fn ctx_update(limits: &Limits, view: &View<'_>) -> GateResult {
    let Some(held) = view.market.ctx else {
        return GateResult::Block(Reason::CtxMissing);
    };
    if !held.value.oracle.is_some_and(Px::is_positive) {
        return GateResult::Block(Reason::OracleMissing);
    }
    match view.market.ctx_is_stale(view.now, limits.ctx_age_max) {
        true => GateResult::Block(Reason::CtxStale),
        false => GateResult::Pass,
    }
}

/// Gate 3. Blocks once a quote came with a lower venue time than one before it on this link.
///
/// Why: then what we hold may be the past. Only a new link starts from a clean slate. An equal
/// time is no regression: several frames of a block share it.
pub fn time_regression(_limits: &Limits, view: &View<'_>) -> GateResult {
    if view.market.bbo.is_none() {
        return GateResult::Block(Reason::BboMissing);
    }
    if view.market.regressed { GateResult::Block(Reason::TimeRegressed) } else { GateResult::Pass }
}

/// Gate 4. Blocks while mark and mid, both of the last ctx, are further apart than the limit, in
/// bps of mid.
///
/// Why: a mark that has left the book means that one of them is broken, and positions are valued
/// by the mark.
pub fn mark_mid_divergence(limits: &Limits, view: &View<'_>) -> GateResult {
    let Some(max) = limits.divergence_max else {
        return GateResult::Pass;
    };
    let Some(Ctx { mark, mid, .. }) = view.market.ctx.map(|held| held.value) else {
        return GateResult::Block(Reason::CtxMissing);
    };
    let Some(mark) = mark.filter(|px| px.is_positive()) else {
        return GateResult::Block(Reason::MarkMissing);
    };
    let Some(mid) = mid.filter(|px| px.is_positive()) else {
        return GateResult::Block(Reason::MidMissing);
    };
    const WHOLE: i128 = 10_000 << 32; // 100 % in the bits of `Bps`.
    let distance = i128::from(mark.units().abs_diff(mid.units()));
    if distance * WHOLE > i128::from(max.to_bits()) * i128::from(mid.units()) {
        GateResult::Block(Reason::Diverged)
    } else {
        GateResult::Pass
    }
}

/// Gate 5. Blocks while the spread is above twice the multiplier of its average, or while there
/// is no average to compare with; above the multiplier itself the size shrinks.
///
/// Why: makers widen when they know that they do not know. The average is the one from before
/// this quote, so that a shock is not judged by itself.
pub fn spread_shock(limits: &Limits, view: &View<'_>) -> GateResult {
    let Some(spread) = view.market.spread else {
        return GateResult::Block(Reason::NotTradable);
    };
    let baseline = view.market.baseline;
    if baseline.samples < limits.min_samples || baseline.samples == 0 {
        return GateResult::Block(Reason::NoBaseline);
    }
    let spread = i128::from(spread.to_bits()) * i128::from(Ratio::ONE.units());
    let multiple =
        i128::from(baseline.value.to_bits()) * i128::from(limits.shock_multiplier.units());
    if spread > 2 * multiple {
        GateResult::Block(Reason::Shocked)
    } else if spread > multiple {
        GateResult::Shrink
    } else {
        GateResult::Pass
    }
}

/// Gate 6. Blocks while open interest is at its cap, by value at the oracle price or in coins, or
/// the venue lists the market as capped; warns from 95 % of the value.
///
/// Why: at the cap the venue takes only orders that reduce, or that are no more aggressive than
/// the oracle (PROTOCOL.md §5.6): an entry would be refused. That the value counts at the oracle
/// and not at the mark is our reading; the venue's documents do not say.
pub fn oi_cap(_limits: &Limits, view: &View<'_>) -> GateResult {
    let spec = &view.market.spec;
    if spec.at_oi_cap {
        return GateResult::Block(Reason::AtCap);
    }
    let Some(ctx) = view.market.ctx.map(|held| held.value) else {
        return GateResult::Block(Reason::CtxMissing);
    };
    let (Some(oracle), Some(open_interest), Some(cap)) =
        (ctx.oracle, ctx.open_interest, spec.oi_cap)
    else {
        return GateResult::Block(Reason::OiUnknown);
    };
    let Some(value) = Usd::notional(oracle, open_interest) else {
        return GateResult::Block(Reason::OiUnknown);
    };
    if value >= cap || spec.oi_cap_sz.is_some_and(|cap| open_interest >= cap) {
        GateResult::Block(Reason::AtCap)
    } else if i128::from(value.units()) * 100 >= i128::from(cap.units()) * 95 {
        GateResult::Warn
    } else {
        GateResult::Pass
    }
}

/// Gate 7. Blocks from the first change of a rule (lot and tick, leverage, margin, fee) until a
/// restart, and while the venue's last reading has no rules for the market.
///
/// Why: sizes, costs and limits were chosen under the old rules; a growth mode that ends makes the
/// fee ten times as high. That wants a person.
pub fn param_change(_limits: &Limits, view: &View<'_>) -> GateResult {
    if view.market.rule_changed || !view.market.listed {
        GateResult::Block(Reason::RuleChanged)
    } else {
        GateResult::Pass
    }
}

/// Gate 8. Blocks while the market is delisted, gone from the venue's list, or halted.
///
/// Why: nothing trades there. No flag names a halt; a settled market shows as delisted in `meta`,
/// and before the next reading in its ctx (PROTOCOL.md §5.6).
pub fn halt(_limits: &Limits, view: &View<'_>) -> GateResult {
    if view.market.spec.delisted || !view.market.listed {
        return GateResult::Block(Reason::Delisted);
    }
    match view.market.ctx {
        None => GateResult::Block(Reason::CtxMissing),
        Some(held) if held.value.settled => GateResult::Block(Reason::Halted),
        Some(_) => GateResult::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::market::{Average, Market};
    use crate::types::ids::{AssetId, Coin};
    use crate::types::market::{Bbo, Level, MarginMode, MarketSpec};
    use crate::types::num::{Bps, Sz};
    use crate::types::time::{Mono, Nanos, VenueMs};

    const NOW: Mono = Mono(1_000_000_000_000);

    fn px(text: &str) -> Px {
        Px::parse(text.as_bytes()).expect("a price")
    }

    fn sz(text: &str) -> Sz {
        Sz::parse(text.as_bytes()).expect("a size")
    }

    fn limits() -> Limits {
        Limits {
            bbo_age_max: Some(Nanos::from_millis(2000)),
            ctx_age_max: Some(Nanos::from_millis(8000)),
            divergence_max: Some(Bps::from_int(50)),
            shock_multiplier: Ratio::parse(b"3").expect("a ratio"),
            min_samples: 20,
            alpha: Ratio::parse(b"0.05").expect("a ratio"),
        }
    }

    fn quote(bid: &str, ask: &str) -> Bbo {
        let level = |text| Some(Level { px: px(text), sz: sz("5") });
        Bbo { bid: level(bid), ask: level(ask), time: VenueMs(1) }
    }

    /// A market that every gate passes: 100 USD, 10 bps of spread as always, half its cap used.
    fn market() -> Market {
        let mut market = Market::new(MarketSpec {
            coin: Coin::new("xyz:ONE").expect("a coin"),
            asset: AssetId(110_000),
            sz_decimals: 3,
            max_leverage: 20,
            margin_table: 20,
            margin_mode: MarginMode::NoCross,
            fee_scale: Ratio::ONE,
            growth: true,
            delisted: false,
            oi_cap: Usd::parse(b"1000000"),
            oi_cap_sz: Some(sz("20000")),
            at_oi_cap: false,
        });
        market.average = Average { value: Bps::from_int(10), samples: 20 };
        market.take_bbo(NOW, quote("99.95", "100.05"));
        market.take_ctx(
            NOW,
            Ctx {
                oracle: Some(px("100")),
                mark: Some(px("100")),
                mid: Some(px("100")),
                open_interest: Some(sz("5000")),
                settled: false,
            },
        );
        market
    }

    /// The verdict of `gate` on the good market after `change`.
    fn judge(gate: crate::risk::GateFn, change: impl FnOnce(&mut Market)) -> GateResult {
        let mut market = market();
        change(&mut market);
        gate(&limits(), &View { now: NOW, market: &market })
    }

    fn with_ctx(market: &mut Market, change: impl FnOnce(&mut Ctx)) {
        change(&mut market.ctx.as_mut().expect("a ctx").value);
    }

    #[test]
    fn the_good_market_passes_every_gate() {
        for (gate, function) in crate::risk::GATES {
            assert_eq!(judge(function, |_| {}), GateResult::Pass, "{gate:?}");
        }
    }

    #[test]
    fn bbo_update_passes_at_its_limit() {
        let market = market();
        let now = NOW.plus(Nanos::from_millis(2000));
        assert_eq!(bbo_update(&limits(), &View { now, market: &market }), GateResult::Pass);
    }

    #[test]
    fn bbo_update_blocks_a_nanosecond_past_it_unless_off() {
        let market = market();
        let now = NOW.plus(Nanos::from_millis(2000)).plus(Nanos(1));
        let view = View { now, market: &market };
        assert_eq!(bbo_update(&limits(), &view), GateResult::Block(Reason::BboStale));
        let off = Limits { bbo_age_max: None, ..limits() };
        assert_eq!(bbo_update(&off, &view), GateResult::Pass);
    }

    #[test]
    fn bbo_update_blocks_without_a_tradable_book() {
        let blocked = |change: fn(&mut Market)| judge(bbo_update, change);
        assert_eq!(blocked(|m| m.bbo = None), GateResult::Block(Reason::BboMissing));
        let not_tradable = GateResult::Block(Reason::NotTradable);
        assert_eq!(blocked(|m| m.take_bbo(NOW, quote("100", "100"))), not_tradable);
        assert_eq!(blocked(|m| m.take_bbo(NOW, quote("101", "100"))), not_tradable);
        let one_sided = |m: &mut Market| {
            m.take_bbo(NOW, Bbo { bid: None, ..quote("99", "100") });
        };
        assert_eq!(judge(bbo_update, one_sided), not_tradable);
        let empty = |m: &mut Market| {
            let mut bbo = quote("99", "100");
            bbo.ask = Some(Level { px: px("100"), sz: Sz::ZERO });
            m.take_bbo(NOW, bbo);
        };
        assert_eq!(judge(bbo_update, empty), not_tradable);
    }

    #[test]
    fn ctx_update_passes_at_its_limit() {
        let market = market();
        let now = NOW.plus(Nanos::from_millis(8000));
        assert_eq!(ctx_update(&limits(), &View { now, market: &market }), GateResult::Pass);
    }

    #[test]
    fn ctx_update_blocks_a_nanosecond_past_it_unless_off() {
        let market = market();
        let view = View { now: NOW.plus(Nanos(8_000_000_001)), market: &market };
        assert_eq!(ctx_update(&limits(), &view), GateResult::Block(Reason::CtxStale));
        let off = Limits { ctx_age_max: None, ..limits() };
        assert_eq!(ctx_update(&off, &view), GateResult::Pass);
    }

    #[test]
    fn ctx_update_blocks_without_an_oracle() {
        let missing = GateResult::Block(Reason::OracleMissing);
        assert_eq!(judge(ctx_update, |m| m.ctx = None), GateResult::Block(Reason::CtxMissing));
        assert_eq!(judge(ctx_update, |m| with_ctx(m, |c| c.oracle = None)), missing);
        assert_eq!(judge(ctx_update, |m| with_ctx(m, |c| c.oracle = Some(Px::ZERO))), missing);
    }

    #[test]
    fn time_regression_passes_an_equal_time() {
        assert_eq!(
            judge(time_regression, |m| m.take_bbo(NOW, quote("99", "100"))),
            GateResult::Pass
        );
    }

    #[test]
    fn time_regression_blocks_a_millisecond_less_until_a_new_link() {
        let mut market = market();
        market.take_bbo(NOW, Bbo { time: VenueMs(0), ..quote("99", "100") });
        market.take_bbo(NOW, Bbo { time: VenueMs(9), ..quote("99", "100") });
        let verdict = time_regression(&limits(), &View { now: NOW, market: &market });
        assert_eq!(verdict, GateResult::Block(Reason::TimeRegressed));
        market.forget_link();
        market.take_bbo(NOW, Bbo { time: VenueMs(0), ..quote("99", "100") });
        let verdict = time_regression(&limits(), &View { now: NOW, market: &market });
        assert_eq!(verdict, GateResult::Pass);
    }

    #[test]
    fn time_regression_blocks_without_a_quote() {
        assert_eq!(judge(time_regression, |m| m.bbo = None), GateResult::Block(Reason::BboMissing));
    }

    #[test]
    fn mark_mid_divergence_passes_at_its_limit() {
        for mark in ["100.5", "99.5"] {
            let verdict = judge(mark_mid_divergence, |m| with_ctx(m, |c| c.mark = Some(px(mark))));
            assert_eq!(verdict, GateResult::Pass, "{mark}");
        }
    }

    #[test]
    fn mark_mid_divergence_blocks_one_unit_past_it_unless_off() {
        for mark in ["100.50000001", "99.49999999"] {
            let mut market = market();
            with_ctx(&mut market, |c| c.mark = Some(px(mark)));
            let view = View { now: NOW, market: &market };
            let blocked = GateResult::Block(Reason::Diverged);
            assert_eq!(mark_mid_divergence(&limits(), &view), blocked, "{mark}");
            let off = Limits { divergence_max: None, ..limits() };
            assert_eq!(mark_mid_divergence(&off, &view), GateResult::Pass);
        }
    }

    #[test]
    fn mark_mid_divergence_blocks_without_mark_or_mid() {
        let gate = mark_mid_divergence;
        assert_eq!(judge(gate, |m| m.ctx = None), GateResult::Block(Reason::CtxMissing));
        let no_mark = judge(gate, |m| with_ctx(m, |c| c.mark = None));
        assert_eq!(no_mark, GateResult::Block(Reason::MarkMissing));
        let no_mid = judge(gate, |m| with_ctx(m, |c| c.mid = None));
        assert_eq!(no_mid, GateResult::Block(Reason::MidMissing));
    }

    /// The verdict of gate 5 on a spread of `bits` past 30 or 60 bps, the average being 10.
    fn shock(whole: i32, bits: i64) -> GateResult {
        judge(spread_shock, |m| {
            m.spread = Some(Bps::from_bits(Bps::from_int(whole).to_bits() + bits));
        })
    }

    #[test]
    fn spread_shock_passes_at_its_limits() {
        assert_eq!(shock(30, 0), GateResult::Pass);
        assert_eq!(shock(60, 0), GateResult::Shrink);
    }

    #[test]
    fn spread_shock_shrinks_and_blocks_one_bit_past_them() {
        assert_eq!(shock(30, 1), GateResult::Shrink);
        assert_eq!(shock(60, 1), GateResult::Block(Reason::Shocked));
    }

    #[test]
    fn spread_shock_blocks_without_spread_or_baseline() {
        let gate = spread_shock;
        let no_spread = judge(gate, |m| m.spread = None);
        assert_eq!(no_spread, GateResult::Block(Reason::NotTradable));
        let young = judge(gate, |m| m.baseline.samples = 19);
        assert_eq!(young, GateResult::Block(Reason::NoBaseline));
        let mut market = market();
        market.baseline = Average::default();
        let never = Limits { min_samples: 0, ..limits() };
        let verdict = gate(&never, &View { now: NOW, market: &market });
        assert_eq!(verdict, GateResult::Block(Reason::NoBaseline), "no samples are no baseline");
    }

    /// The verdict of gate 6 with this open interest at 100 USD: the cap of 1,000,000 USD is at
    /// 10,000 coins.
    fn capped(open_interest: &str) -> GateResult {
        judge(oi_cap, |m| with_ctx(m, |c| c.open_interest = Some(sz(open_interest))))
    }

    #[test]
    fn oi_cap_warns_from_95_percent_to_one_unit_below_it() {
        assert_eq!(capped("9499.99999999"), GateResult::Pass);
        assert_eq!(capped("9500"), GateResult::Warn);
        assert_eq!(capped("9999.99999999"), GateResult::Warn);
    }

    #[test]
    fn oi_cap_blocks_at_the_cap() {
        let at_cap = GateResult::Block(Reason::AtCap);
        assert_eq!(capped("10000"), at_cap);
        assert_eq!(judge(oi_cap, |m| m.spec.at_oi_cap = true), at_cap);
        assert_eq!(judge(oi_cap, |m| m.spec.oi_cap_sz = Some(sz("5000"))), at_cap);
        assert_eq!(
            judge(oi_cap, |m| m.spec.oi_cap_sz = Some(sz("5000.00000001"))),
            GateResult::Pass
        );
    }

    #[test]
    fn oi_cap_blocks_without_cap_open_interest_or_oracle() {
        let unknown = GateResult::Block(Reason::OiUnknown);
        assert_eq!(judge(oi_cap, |m| m.ctx = None), GateResult::Block(Reason::CtxMissing));
        assert_eq!(judge(oi_cap, |m| m.spec.oi_cap = None), unknown);
        assert_eq!(judge(oi_cap, |m| with_ctx(m, |c| c.open_interest = None)), unknown);
        assert_eq!(judge(oi_cap, |m| with_ctx(m, |c| c.oracle = None)), unknown);
    }

    #[test]
    fn param_change_passes_the_rules_of_the_start() {
        let verdict = judge(param_change, |m| {
            m.take_spec(Some(MarketSpec { oi_cap: Usd::parse(b"7"), ..m.spec }));
        });
        assert_eq!(verdict, GateResult::Pass, "a cap is no rule");
    }

    #[test]
    fn param_change_blocks_on_each_rule() {
        let changes: [fn(&mut MarketSpec); 6] = [
            |s| s.sz_decimals = 2,
            |s| s.max_leverage = 10,
            |s| s.margin_table = 10,
            |s| s.margin_mode = MarginMode::StrictIsolated,
            |s| s.fee_scale = Ratio::ZERO,
            |s| s.growth = false,
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let verdict = judge(param_change, |m| {
                let mut spec = m.spec;
                change(&mut spec);
                m.take_spec(Some(spec));
            });
            assert_eq!(verdict, GateResult::Block(Reason::RuleChanged), "rule {n}");
        }
    }

    #[test]
    fn param_change_blocks_even_when_the_rule_changes_back() {
        let verdict = judge(param_change, |m| {
            let changed = MarketSpec { growth: false, ..m.spec };
            m.take_spec(Some(changed));
            m.take_spec(Some(m.first_spec));
        });
        assert_eq!(verdict, GateResult::Block(Reason::RuleChanged));
    }

    #[test]
    fn param_change_blocks_without_rules() {
        let verdict = judge(param_change, |m| m.take_spec(None));
        assert_eq!(verdict, GateResult::Block(Reason::RuleChanged));
    }

    #[test]
    fn halt_passes_a_listed_market() {
        assert_eq!(judge(halt, |_| {}), GateResult::Pass);
    }

    #[test]
    fn halt_blocks_delisted_vanished_and_settled_markets() {
        let delisted = GateResult::Block(Reason::Delisted);
        assert_eq!(judge(halt, |m| m.spec.delisted = true), delisted);
        assert_eq!(judge(halt, |m| m.listed = false), delisted);
        let settled = judge(halt, |m| with_ctx(m, |c| c.settled = true));
        assert_eq!(settled, GateResult::Block(Reason::Halted));
    }

    #[test]
    fn halt_blocks_without_a_ctx() {
        assert_eq!(judge(halt, |m| m.ctx = None), GateResult::Block(Reason::CtxMissing));
    }
}
