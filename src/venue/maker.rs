//! Market makers: quotes around the oracle, usually prompt, sometimes asleep.

use crate::types::num::{Px, Side, Sz};
use crate::types::time::{Mono, Nanos};
use crate::venue::book::{Book, Owner, Resting, opposite};
use crate::venue::dice::{Dice, Odds};
use crate::venue::listing::{Kind, Listing, ceil_to_tick, floor_to_tick, tick};

/// How late makers follow the oracle. Lateness is what dislocations are made of.
#[derive(Clone, Copy, Debug)]
pub struct Lag {
    /// How often a maker sleeps through a step of the oracle instead of following it within one
    /// or two blocks.
    pub slow: Odds,
    /// The same for a step of 5 bps and more, before which makers hesitate.
    pub surprised: Odds,
    /// Shortest sleep.
    pub min: Nanos,
    /// Longest sleep; every order of magnitude between is as likely.
    pub max: Nanos,
}

impl Default for Lag {
    fn default() -> Self {
        Self {
            slow: Odds::one_in(30),
            surprised: Odds::one_in(2),
            min: Nanos::from_millis(200),
            max: Nanos::from_millis(10_000),
        }
    }
}

/// How the makers of a market are.
#[derive(Clone, Copy, Debug)]
pub struct Habit {
    /// How late they follow.
    pub lag: Lag,
    /// How far from the oracle they see the price, in parts per million; `None`: each market by chance.
    pub basis_ppm: Option<i64>,
}

/// One maker of one market.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    owner: Owner,
    /// Half of its spread, in parts per million of the price.
    half_ppm: i64,
    /// Distance between its levels, likewise.
    step_ppm: i64,
    levels: u32,
    /// Value of its best level, whole USD.
    usd: u64,
    /// When it will look at the market next.
    pub(super) wake_at: Mono,
    /// Whether it sleeps through oracle steps until then.
    pub(super) asleep: bool,
}

impl Maker {
    /// A maker of `listing`, with habits drawn from `dice`.
    pub(super) fn new(owner: Owner, listing: &Listing, now: Mono, dice: &mut Dice) -> Self {
        let (half_ppm, most_usd) = match listing.kind {
            Kind::Index | Kind::Coin => (40, 50_000),
            Kind::Currency => (50, 30_000),
            Kind::Commodity | Kind::Fund => (110, 20_000),
            Kind::Stock if listing.max_leverage >= 20 => (90, 30_000),
            Kind::Stock => (190, 12_000),
            Kind::Exotic => (600, 4_000),
        };
        Self {
            owner,
            half_ppm: dice.range(half_ppm / 2, half_ppm * 2),
            step_ppm: dice.range(40, 200),
            levels: 2 + dice.below(4) as u32,
            usd: dice.spread(200, most_usd),
            wake_at: now.plus(Nanos::from_millis(dice.below(50))),
            asleep: false,
        }
    }

    /// Hears of a step of the oracle: follows soon, or sleeps through it.
    pub(super) fn hear(&mut self, now: Mono, surprise: bool, lag: &Lag, dice: &mut Dice) {
        if self.asleep && self.wake_at > now {
            return;
        }
        self.asleep = dice.hit(if surprise { lag.surprised } else { lag.slow });
        let wait = if self.asleep {
            Nanos(dice.spread(lag.min.0, lag.max.0))
        } else {
            Nanos::from_millis(dice.below(90))
        };
        self.wake_at = now.plus(wait);
    }

    /// Replaces its orders by new ones around `target`, post only: a price that would match is
    /// moved back to where it rests.
    pub(super) fn quote(
        &self,
        listing: &Listing,
        target: Px,
        silent: Option<Side>,
        book: &mut Book,
        dice: &mut Dice,
    ) {
        book.cancel(self.owner);
        for side in Side::BOTH {
            if silent == Some(side) {
                continue;
            }
            let mut last = None;
            for level in 0..self.levels {
                let away = self.half_ppm + i64::from(level) * self.step_ppm;
                let Some(px) = self.price(listing, side, target, away, book, last) else { break };
                last = Some(px);
                let usd = self.usd * u64::from(level + 1) * (70 + dice.below(61)) / 100;
                let sz = size_of(usd, px, listing.sz_decimals);
                book.rest(side, Resting { owner: self.owner, px, sz });
            }
        }
    }

    /// A price on tick, `away` ppm from `target`, behind the other side's best and behind `last`.
    fn price(
        &self,
        listing: &Listing,
        side: Side,
        target: Px,
        away: i64,
        book: &Book,
        last: Option<Px>,
    ) -> Option<Px> {
        let other = book.best(opposite(side)).map(Px::units);
        let offset = i128::from(target.units()) * i128::from(away) / 1_000_000;
        let offset = i64::try_from(offset).ok()?;
        let d = listing.sz_decimals;
        let px = match side {
            Side::Buy => {
                let below = [other, last.map(Px::units)].into_iter().flatten().min();
                let wanted = target.units() - offset;
                let capped = below.map_or(wanted, |limit| wanted.min(limit - 1));
                floor_to_tick(Px::from_units(capped), d)
            }
            Side::Sell => {
                let above = [other, last.map(Px::units)].into_iter().flatten().max();
                let wanted = target.units() + offset;
                let capped = above.map_or(wanted, |limit| wanted.max(limit + 1));
                ceil_to_tick(Px::from_units(capped), d)
            }
        };
        (px.units() >= tick(px, d)).then_some(px)
    }
}

/// Size worth about `usd` at `px`, in whole lots and never none.
pub(super) fn size_of(usd: u64, px: Px, sz_decimals: u8) -> Sz {
    let lot = Sz::lot(sz_decimals).unwrap_or(Sz::from_units(1));
    let units = i128::from(usd) * 10_000_000_000_000_000 / i128::from(px.units().max(1));
    let units = units.clamp(i128::from(lot.units()), i128::from(i64::MAX / 1000));
    Sz::from_units(units as i64).floor_to(lot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::listing::first_dex;

    #[test]
    fn quotes_never_cross_a_stale_one() {
        let mut dice = Dice::new(3, 0);
        for listing in first_dex("xyz", 126) {
            let mut book = Book::default();
            let makers: Vec<Maker> =
                (0..4).map(|n| Maker::new(Owner::Maker(n), &listing, Mono(0), &mut dice)).collect();
            for turn in 0..50 {
                let moved = listing.px.units() / 10_000 * dice.range(-60, 60);
                let target = Px::from_units(listing.px.units() + moved);
                makers[turn % 4].quote(&listing, target, None, &mut book, &mut dice);
                let (bid, ask) = (book.best(Side::Buy), book.best(Side::Sell));
                assert!(bid.zip(ask).is_some_and(|(bid, ask)| bid < ask), "{}", listing.coin);
            }
        }
    }

    #[test]
    fn a_sleeping_maker_does_not_hear() {
        let listing = &first_dex("xyz", 1)[0];
        let mut dice = Dice::new(3, 0);
        let mut maker = Maker::new(Owner::Maker(0), listing, Mono(0), &mut dice);
        let lag = Lag {
            slow: Odds::ALWAYS,
            min: Nanos::from_secs(5),
            max: Nanos::from_secs(6),
            ..Lag::default()
        };
        maker.hear(Mono(0), false, &lag, &mut dice);
        let wake_at = maker.wake_at;
        assert!(wake_at >= Mono(0).plus(Nanos::from_secs(5)));
        maker.hear(Mono(1), true, &lag, &mut dice);
        assert_eq!(maker.wake_at, wake_at);
    }
}
