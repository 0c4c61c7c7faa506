//! The config itself: what its user should know of it, and what size of order comes out.

use super::account::UNREAD;
use super::{Found, Scene, fail, ok, warn};
use crate::command::order_size::{Funds, OrderSize};
use crate::types::order::MIN_ORDER;

pub(super) fn config(scene: &mut Scene<'_>) -> Option<Found> {
    let warnings = scene.config.warnings();
    (!warnings.is_empty()).then(|| warn(warnings.join("; ")))
}

pub(super) fn order_size(scene: &mut Scene<'_>) -> Option<Found> {
    let Some(account) = &scene.account else { return Some(fail(UNREAD)) };
    let funds = account.available.map(|free| Funds { free, leverage: scene.least_leverage() });
    if funds.is_none() && scene.config.position.risk_per_market.is_some() {
        return Some(fail("the balance was not told: dynamic sizing allows no order"));
    }
    Some(judged(&OrderSize::of(scene.config, funds)))
}

fn judged(size: &OrderSize) -> Found {
    match size {
        _ if !size.is_enough() => fail(format!(
            "{size}: less than the venue's least order of {MIN_ORDER} USD; none would be sent"
        )),
        _ if size.is_tight() => warn(format!(
            "{size}: the venue's least order of {MIN_ORDER} USD, rounded up to whole lots, may be more"
        )),
        _ => ok(size.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Mark;
    use super::*;
    use crate::types::num::Usd;

    /// A33: no go where no order would ever come.
    #[test]
    fn a_size_below_the_least_order_is_a_no_go() {
        for (usd, mark) in [
            ("25", Mark::Ok),
            ("11", Mark::Ok),
            ("10.999999", Mark::Warn),
            ("10", Mark::Warn),
            ("9.999999", Mark::Fail),
            ("0", Mark::Fail),
        ] {
            let usd = Usd::parse(usd.as_bytes()).unwrap();
            let size = OrderSize { usd, limit: "a limit".to_owned() };
            let (found, text) = judged(&size);
            assert_eq!(found, mark, "{text}");
            assert!(text.starts_with(&format!("order size: {usd} USD (a limit)")), "{text}");
        }
    }
}
