//! May this signal become an order? Eight checks in order; the first that fails ends it.
//!
//! A check reads a view that the engine gathered, remembers nothing, and fails on missing input.
//! Exits pass none of them: they only shrink what is held.

use crate::types::num::{Ratio, Usd};
use crate::types::record::{Check, SizeLimit};

/// What the checks look at. A `None` is an input that is not known, and blocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EntryView {
    /// Whether HardStop holds.
    pub hard_stop: bool,
    /// Whether READY holds, HardStop not asked.
    pub ready: bool,
    /// Value of the new order, as it would be sent: see [`sizing`](crate::executor::sizing).
    pub order: Option<Usd>,
    /// Value held and pending in its market.
    pub market: Option<Usd>,
    /// Value held and pending everywhere.
    pub total: Option<Usd>,
    /// The most that may be held and pending in its market; see [`market_limit`].
    pub market_limit: Usd,
    /// Which of the two that make it is the tighter one.
    pub market_limited_by: SizeLimit,
    /// The most that may be held and pending everywhere.
    pub total_limit: Usd,
    /// The most that the account's free margin backs in its market; `None` when it was not told. No
    /// check asks: it clips the size.
    pub margin: Option<Usd>,
    /// Markets with a position or a pending entry, this one not counted.
    pub open_markets: u32,
    /// The most of those, this one counted.
    pub open_limit: u32,
    /// Whether this market has a position.
    pub has_position: bool,
    /// Whether an order of this market may still fill.
    pub pending: bool,
    /// Whether the venue's limits leave room for one more entry.
    pub budget: bool,
}

/// A check: `true` lets the entry pass.
pub type CheckFn = fn(&EntryView) -> bool;

/// The checks in the order they are made.
pub const CHECKS: [(Check, CheckFn); 8] = [
    (Check::HardStop, hard_stop),
    (Check::NotReady, ready),
    (Check::MaxPositionPerMarket, per_market),
    (Check::MaxPositionTotal, in_total),
    (Check::MaxConcurrentPositions, concurrent),
    (Check::AlreadyHasPosition, position),
    (Check::PendingOrderExists, pending),
    (Check::BudgetExhausted, budget),
];

/// The first check that fails; `None` lets the entry pass.
pub fn first_failing(view: &EntryView) -> Option<Check> {
    CHECKS.iter().find(|(_, passes)| !passes(view)).map(|(check, _)| *check)
}

/// The most that may be held in one market: `max_per_market`, and under dynamic sizing no more than
/// the balance times the share at risk, rounded down.
///
/// `dynamic` is that share and the balance; without a known balance nothing may be held.
pub fn market_limit(max_per_market: Usd, dynamic: Option<(Ratio, Option<Usd>)>) -> Usd {
    let Some((share, balance)) = dynamic else {
        return max_per_market;
    };
    let Some(balance) = balance.filter(|balance| balance.is_positive()) else {
        return Usd::ZERO;
    };
    let product = i128::from(balance.units()) * i128::from(share.units());
    let at_risk = product.div_euclid(i128::from(Ratio::ONE.units()));
    // A share of a balance so large that it does not fit limits nothing.
    i64::try_from(at_risk)
        .map_or(max_per_market, |at_risk| max_per_market.min(Usd::from_units(at_risk.max(0))))
}

/// Nothing is opened while HardStop holds.
fn hard_stop(view: &EntryView) -> bool {
    !view.hard_stop
}

/// Nothing is opened before the streams and the account are in step with the venue.
fn ready(view: &EntryView) -> bool {
    view.ready
}

/// What the market would hold stays within its limit.
fn per_market(view: &EntryView) -> bool {
    within(view.order, view.market, view.market_limit)
}

/// What would be held everywhere stays within its limit.
fn in_total(view: &EntryView) -> bool {
    within(view.order, view.total, view.total_limit)
}

/// With this market, no more markets are open than may be.
fn concurrent(view: &EntryView) -> bool {
    view.open_markets < view.open_limit
}

/// A position is never added to: its exit was planned for what it is.
fn position(view: &EntryView) -> bool {
    !view.has_position
}

/// One order a market at a time: what the other will have filled is not known yet.
fn pending(view: &EntryView) -> bool {
    !view.pending
}

/// The venue would take it, and requests for exits are left.
fn budget(view: &EntryView) -> bool {
    view.budget
}

/// Whether `order` on top of `held` stays at `limit` or below. An order that is worth nothing, or a
/// sum below nothing, is a mistake somewhere and blocks.
fn within(order: Option<Usd>, held: Option<Usd>, limit: Usd) -> bool {
    let (Some(order), Some(held)) = (order, held) else {
        return false;
    };
    order.is_positive() && held >= Usd::ZERO && {
        let sum = order.units().checked_add(held.units());
        sum.is_some_and(|sum| sum <= limit.units())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        Usd::parse(text.as_bytes()).expect("an amount")
    }

    /// Every check passes, and those with a limit pass on it.
    fn view() -> EntryView {
        EntryView {
            hard_stop: false,
            ready: true,
            order: Some(usd("20")),
            market: Some(usd("30")),
            total: Some(usd("80")),
            market_limit: usd("50"),
            market_limited_by: SizeLimit::Market,
            total_limit: usd("100"),
            margin: None,
            open_markets: 4,
            open_limit: 5,
            has_position: false,
            pending: false,
            budget: true,
        }
    }

    /// What the checks say of the good view after `change`.
    fn after(change: impl FnOnce(&mut EntryView)) -> Option<Check> {
        let mut view = view();
        change(&mut view);
        first_failing(&view)
    }

    const UNIT: Usd = Usd::from_units(1);

    #[test]
    fn the_table_holds_every_check_in_its_order() {
        assert_eq!(CHECKS.map(|(check, _)| check), Check::ALL);
    }

    #[test]
    fn an_entry_on_every_limit_passes() {
        assert_eq!(first_failing(&view()), None);
    }

    #[test]
    fn a_hard_stop_fails_whatever_else_holds() {
        assert_eq!(after(|v| v.hard_stop = true), Some(Check::HardStop));
        let nothing = EntryView {
            hard_stop: true,
            ready: false,
            order: None,
            market: None,
            total: None,
            market_limit: Usd::ZERO,
            market_limited_by: SizeLimit::Market,
            total_limit: Usd::ZERO,
            margin: None,
            open_markets: 1,
            open_limit: 0,
            has_position: true,
            pending: true,
            budget: false,
        };
        assert_eq!(first_failing(&nothing), Some(Check::HardStop));
    }

    #[test]
    fn each_check_judges_its_own_input_alone() {
        let mut view = EntryView {
            hard_stop: true,
            ready: false,
            order: Some(usd("20")),
            market: Some(usd("31")),
            total: Some(usd("81")),
            open_markets: 5,
            has_position: true,
            pending: true,
            budget: false,
            ..view()
        };
        let mends: [fn(&mut EntryView); 8] = [
            |v| v.hard_stop = false,
            |v| v.ready = true,
            |v| v.market = Some(Usd::ZERO),
            |v| v.total = Some(Usd::ZERO),
            |v| v.open_markets = 0,
            |v| v.has_position = false,
            |v| v.pending = false,
            |v| v.budget = true,
        ];
        for (mend, check) in mends.into_iter().zip(Check::ALL) {
            assert_eq!(first_failing(&view), Some(check), "the earlier ones are mended");
            mend(&mut view);
        }
        assert_eq!(first_failing(&view), None);
    }

    #[test]
    fn not_ready_fails() {
        assert_eq!(after(|v| v.ready = false), Some(Check::NotReady));
    }

    #[test]
    fn a_market_fails_one_unit_past_its_limit_or_unknown() {
        let check = Some(Check::MaxPositionPerMarket);
        assert_eq!(after(|v| v.market = Some(usd("30").saturating_add(UNIT))), check);
        assert_eq!(after(|v| v.market_limit = usd("50").saturating_sub(UNIT)), check);
        assert_eq!(after(|v| v.market = None), check);
        assert_eq!(after(|v| v.order = None), check);
        assert_eq!(after(|v| v.order = Some(Usd::ZERO)), check, "an order of no value");
        assert_eq!(after(|v| v.market = Some(Usd::from_units(-1))), check, "a sum below nothing");
        assert_eq!(after(|v| v.market = Some(Usd::from_units(i64::MAX))), check);
    }

    #[test]
    fn the_total_fails_one_unit_past_its_limit_or_unknown() {
        let check = Some(Check::MaxPositionTotal);
        assert_eq!(after(|v| v.total = Some(usd("80").saturating_add(UNIT))), check);
        assert_eq!(after(|v| v.total_limit = usd("100").saturating_sub(UNIT)), check);
        assert_eq!(after(|v| v.total = None), check);
    }

    #[test]
    fn one_market_more_than_allowed_fails() {
        let check = Some(Check::MaxConcurrentPositions);
        assert_eq!(after(|v| v.open_markets = 5), check);
        assert_eq!(after(|v| (v.open_markets, v.open_limit) = (0, 0)), check, "no limit, no entry");
    }

    #[test]
    fn a_position_a_pending_order_and_an_empty_budget_each_fail() {
        assert_eq!(after(|v| v.has_position = true), Some(Check::AlreadyHasPosition));
        assert_eq!(after(|v| v.pending = true), Some(Check::PendingOrderExists));
        assert_eq!(after(|v| v.budget = false), Some(Check::BudgetExhausted));
    }

    #[test]
    fn dynamic_sizing_never_raises_the_limit_and_rounds_down() {
        let max = usd("50");
        let tenth = Ratio::parse(b"0.1").expect("a share");
        assert_eq!(market_limit(max, None), max);
        for (balance, limit) in [
            ("500", "50"),
            ("499.999999", "49.999999"),
            ("500.000001", "50"),
            ("100000", "50"),
            ("0.000009", "0"),
            ("0", "0"),
        ] {
            let dynamic = Some((tenth, Some(usd(balance))));
            assert_eq!(market_limit(max, dynamic), usd(limit), "{balance}");
        }
        assert_eq!(market_limit(max, Some((tenth, None))), Usd::ZERO, "an unknown balance");
        assert_eq!(market_limit(max, Some((tenth, Some(Usd::from_units(-1))))), Usd::ZERO);
        let all = Some((Ratio::from_units(i64::MAX), Some(Usd::from_units(i64::MAX))));
        assert_eq!(market_limit(max, all), max);
    }
}
