//! What size an order comes out at, by the config and by what the account has.

use crate::executor::checks::market_limit;
use crate::types::config::Config;
use crate::types::num::{Ratio, Usd};
use crate::types::order::MIN_ORDER;

/// What an account can back an order with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Funds {
    /// Free balance.
    pub(super) free: Usd,
    /// Leverage of the market that allows the least.
    pub(super) leverage: u32,
}

/// The largest order while nothing is held.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct OrderSize {
    pub(super) usd: Usd,
    /// The limit that makes it so.
    pub(super) limit: String,
}

impl OrderSize {
    /// By the config, and by `funds` where they are known.
    pub(super) fn of(config: &Config, funds: Option<Funds>) -> Self {
        let position = &config.position;
        let named = |usd, limit: &str| Self { usd, limit: limit.to_owned() };
        let mut all = vec![
            named(config.detector.max_notional, "detector.max_notional"),
            named(position.max_notional_per_market, "position.max_notional_per_market"),
            named(position.max_total_notional, "position.max_total_notional"),
        ];
        if let Some(Funds { free, leverage }) = funds {
            if let Some(share) = position.risk_per_market {
                let usd = market_limit(Usd::from_units(i64::MAX), Some((share, Some(free))));
                let limit = format!("dynamic sizing: {share} of {free} USD");
                all.push(Self { usd, limit });
            }
            let backed = free.units().max(0).saturating_mul(i64::from(leverage));
            let limit = format!("{free} USD free, at {leverage}x");
            all.push(Self { usd: Usd::from_units(backed), limit });
        }
        // Of equal ones the first.
        all.into_iter().min_by_key(|size| size.usd).unwrap_or_else(|| named(Usd::ZERO, "nothing"))
    }

    /// Whether the venue takes an order of that size at all.
    pub(super) fn is_enough(&self) -> bool {
        self.usd >= MIN_ORDER
    }

    /// Whether it may be too little in a market with large lots, to which the least order is rounded up.
    pub(super) fn is_tight(&self) -> bool {
        self.usd < MIN_ORDER.saturating_add(Usd::from_units(MIN_ORDER.units() / 10))
    }
}

impl std::fmt::Display for OrderSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "order size: {} USD ({})", self.usd, self.limit)
    }
}

/// The least balance at which dynamic sizing with `share` allows an order.
pub(super) fn least_balance(share: Ratio) -> Option<Usd> {
    let (share, one) = (i128::from(share.units()), i128::from(Ratio::ONE.units()));
    if share <= 0 {
        return None;
    }
    let exact = i128::from(MIN_ORDER.units()) * one;
    i64::try_from((exact + share - 1).div_euclid(share)).ok().map(Usd::from_units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        Usd::parse(text.as_bytes()).unwrap()
    }

    fn config(max_notional: &str, share: Option<&str>) -> Config {
        let mut config = Config::default();
        config.detector.max_notional = usd(max_notional);
        config.position.risk_per_market =
            share.map(|share| Ratio::parse(share.as_bytes()).unwrap());
        config
    }

    fn told(config: &Config, free: Option<&str>) -> (String, bool) {
        let funds = free.map(|free| Funds { free: usd(free), leverage: 5 });
        let size = OrderSize::of(config, funds);
        (size.to_string(), size.is_enough())
    }

    /// A33: what size comes out is said, and whether any order does.
    #[test]
    fn the_tightest_limit_is_the_size() {
        for (max, share, free, size, enough) in [
            ("50", None, None, "50 USD (detector.max_notional)", true),
            ("60", None, None, "50 USD (position.max_notional_per_market)", true),
            (
                "60",
                Some("0.0025"),
                Some("10000"),
                "25 USD (dynamic sizing: 0.0025 of 10000 USD)",
                true,
            ),
            (
                "50",
                Some("0.0025"),
                Some("10000"),
                "25 USD (dynamic sizing: 0.0025 of 10000 USD)",
                true,
            ),
            ("50", Some("0.1"), Some("186"), "18.6 USD (dynamic sizing: 0.1 of 186 USD)", true),
            (
                "50",
                Some("0.1"),
                Some("99.999999"),
                "9.999999 USD (dynamic sizing: 0.1 of 99.999999 USD)",
                false,
            ),
            ("50", None, Some("4"), "20 USD (4 USD free, at 5x)", true),
            ("50", None, Some("1.9"), "9.5 USD (1.9 USD free, at 5x)", false),
            ("50", Some("0.1"), None, "50 USD (detector.max_notional)", true),
        ] {
            let expected = (format!("order size: {size}"), enough);
            assert_eq!(told(&config(max, share), free), expected, "{max} {share:?} {free:?}");
        }
    }

    #[test]
    fn the_least_balance_allows_the_least_order_and_one_unit_less_does_not() {
        for share in ["0.1", "0.0025", "0.3", "1"] {
            let ratio = Ratio::parse(share.as_bytes()).unwrap();
            let balance = least_balance(ratio).unwrap();
            let limit = |balance| market_limit(usd("1000"), Some((ratio, Some(balance))));
            assert!(limit(balance) >= MIN_ORDER, "{share}");
            assert!(limit(balance.saturating_sub(Usd::from_units(1))) < MIN_ORDER, "{share}");
        }
        assert_eq!(least_balance(Ratio::ZERO), None);
    }
}
