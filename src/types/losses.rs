//! What was won and lost, as far as the limits on losses count it. It outlives the process: a run that
//! begins again has lost what the runs before it had.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::types::ids::Coin;
use crate::types::num::Usd;
use crate::types::time::{Nanos, Wall};

const MINUTE_NS: i64 = 60_000_000_000;

/// The time over which a limit on losses counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LossSpan {
    /// `risk_monitor.window_s`, sliding.
    Window,
    /// The UTC day.
    Day,
}

impl LossSpan {
    /// As logs write it.
    pub const fn name(self) -> &'static str {
        match self {
            LossSpan::Window => "window",
            LossSpan::Day => "day",
        }
    }

    /// The key of its limit.
    pub const fn key(self) -> &'static str {
        match self {
            LossSpan::Window => "risk_monitor.max_loss_usd",
            LossSpan::Day => "risk_monitor.max_daily_loss_usd",
        }
    }
}

/// A limit on losses that is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LossLimit {
    /// What was lost, above zero.
    pub lost: Usd,
    /// What may be.
    pub limit: Usd,
    /// Within which time.
    pub within: LossSpan,
}

/// One change of what is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LossEntry {
    /// Won, or lost when below zero: by a fill, its fee counted, or by funding.
    Counted {
        /// Time of the fill or the funding.
        at: Wall,
        /// Amount, with its sign.
        amount: Usd,
    },
    /// What of the position that is open in a market was counted so far; `None` once it is closed.
    Open {
        /// The market.
        coin: Coin,
        /// Profit of what was closed of it, less its fees.
        counted: Option<Usd>,
    },
    /// The operator released the stop: what led to it is forgotten.
    Forgotten,
}

/// What is kept.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Losses {
    /// Net amounts by minute since 1970.
    minutes: BTreeMap<i64, Usd>,
    /// What was counted of positions that are open, by market.
    open: BTreeMap<Coin, Usd>,
}

impl Losses {
    /// Takes a change.
    pub fn take(&mut self, entry: LossEntry) {
        match entry {
            LossEntry::Counted { at, amount } => {
                let sum = self.minutes.entry(at.0.div_euclid(MINUTE_NS)).or_default();
                *sum = sum.saturating_add(amount);
            }
            LossEntry::Open { coin, counted: Some(counted) } => {
                self.open.insert(coin, counted);
            }
            LossEntry::Open { coin, counted: None } => {
                self.open.remove(&coin);
            }
            LossEntry::Forgotten => self.minutes.clear(),
        }
    }

    /// Lets go of what is older than `span` at `now`.
    pub fn forget_older(&mut self, now: Wall, span: Nanos) {
        let oldest = now.minus(span).0.div_euclid(MINUTE_NS);
        self.minutes = self.minutes.split_off(&oldest);
    }

    /// Amounts and when they were made, to the end of the minute, oldest first.
    pub fn counted(&self) -> impl Iterator<Item = (Wall, Usd)> + '_ {
        self.minutes.iter().map(|(minute, amount)| {
            let end = minute.saturating_mul(MINUTE_NS).saturating_add(MINUTE_NS - 1);
            (Wall(end), *amount)
        })
    }

    /// What was counted of the position that was open in a market, once; `None` when none was.
    pub fn take_open(&mut self, coin: &Coin) -> Option<Usd> {
        self.open.remove(coin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Nanos = Nanos::from_secs(86_400);

    fn minute(n: i64) -> Wall {
        Wall(n * MINUTE_NS)
    }

    fn usd(text: &str) -> Usd {
        Usd::parse_signed(text.as_bytes()).expect("an amount")
    }

    #[test]
    fn amounts_are_summed_by_minute_and_let_go_when_they_are_old() {
        let mut losses = Losses::default();
        for (at, amount) in [(minute(0), "-1"), (Wall(MINUTE_NS - 1), "-2"), (minute(1_440), "3")] {
            losses.take(LossEntry::Counted { at, amount: usd(amount) });
        }
        let end = |n: i64| Wall((n + 1) * MINUTE_NS - 1);
        let all = [(end(0), usd("-3")), (end(1_440), usd("3"))];
        assert_eq!(losses.counted().collect::<Vec<_>>(), all);
        losses.forget_older(minute(1_440), DAY);
        assert_eq!(losses.counted().count(), 2, "a day old");
        losses.forget_older(minute(1_441), DAY);
        assert_eq!(losses.counted().collect::<Vec<_>>(), all[1..]);
    }

    #[test]
    fn a_release_forgets_amounts_and_not_what_is_open() {
        let coin = Coin::new("xyz:A").expect("a coin");
        let mut losses = Losses::default();
        losses.take(LossEntry::Counted { at: minute(5), amount: usd("-9") });
        losses.take(LossEntry::Open { coin, counted: Some(usd("-0.5")) });
        losses.take(LossEntry::Forgotten);
        assert_eq!(losses.counted().count(), 0);
        assert_eq!(losses.take_open(&coin), Some(usd("-0.5")));
        assert_eq!(losses.take_open(&coin), None);
        losses.take(LossEntry::Open { coin, counted: Some(usd("-0.5")) });
        losses.take(LossEntry::Open { coin, counted: None });
        assert_eq!(losses, Losses::default());
    }
}
