//! All dexes and their markets under one clock of blocks.

use crate::types::time::{Mono, Nanos, Now, VenueMs};
use crate::venue::Settings;
use crate::venue::book::Top;
use crate::venue::dice::{Dice, Odds};
use crate::venue::listing::{self, SECOND_NAME};
use crate::venue::maker::{Habit, Lag};
use crate::venue::market::Market;

/// The longest time from a block to the next, milliseconds (PROTOCOL.md §9.1).
const LONGEST_GAP_MS: u64 = 156;

/// The same as a span.
pub const LONGEST_GAP: Nanos = Nanos::from_millis(LONGEST_GAP_MS);

/// One dex: its markets lie together in [`World::markets`], appended ones behind all others.
#[derive(Clone, Debug)]
pub(super) struct Dex {
    pub(super) name: String,
    pub(super) full_name: &'static str,
    /// Its markets in `meta` order, as positions in [`World::markets`].
    pub(super) markets: Vec<usize>,
    /// Whether its deployer sets the oracle.
    pub(super) oracle_runs: bool,
    next_oracle: Mono,
}

/// What a block changed, for whoever is subscribed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved {
    pub(super) market: usize,
    /// Whether the top of the book differs from what was told last.
    pub(super) top: bool,
    /// Whether there were trades.
    pub(super) trades: bool,
}

/// The market side of the venue.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) dexes: Vec<Dex>,
    pub(super) markets: Vec<Market>,
    /// Time of the last block.
    pub(super) block_time: VenueMs,
    pub(super) next_block: Mono,
    lag: Lag,
    jumps: Odds,
    seed: u64,
    still: bool,
    origin: Mono,
    start: VenueMs,
    /// Block gaps and the oracle's cadence.
    clock: Dice,
    /// Takers of all markets.
    trader: Dice,
}

impl World {
    /// The market as `settings` describe it; `now` is its first moment.
    pub(super) fn new(settings: &Settings, now: Mono) -> Self {
        let listings = [
            (String::new(), "", listing::main_dex()),
            (
                settings.dex.clone(),
                "First builder dex",
                listing::first_dex(&settings.dex, settings.markets),
            ),
            (SECOND_NAME.to_owned(), "Nova", listing::second_dex()),
        ];
        let mut clock = Dice::new(settings.seed, u64::MAX);
        let mut markets = Vec::new();
        let mut dexes = Vec::new();
        for (dex, (name, full_name, listed)) in listings.into_iter().enumerate() {
            let first = markets.len();
            let watched = name == settings.dex;
            for (index, one) in listed.into_iter().enumerate() {
                let market = Market::new(one, dex, index, settings.seed, now, settings.still);
                markets.push(market.with(settings.habit(watched, index)));
            }
            dexes.push(Dex {
                name,
                full_name,
                markets: (first..markets.len()).collect(),
                oracle_runs: true,
                next_oracle: now.plus(Nanos::from_millis(clock.below(3_000))),
            });
        }
        Self {
            dexes,
            markets,
            block_time: settings.start,
            next_block: now.plus(Nanos::from_millis(68)),
            lag: settings.lag,
            jumps: settings.jumps,
            seed: settings.seed,
            still: settings.still,
            origin: now,
            start: settings.start,
            clock,
            trader: Dice::new(settings.seed, u64::MAX - 1),
        }
    }

    /// The venue's time at `now`.
    pub(super) fn time(&self, now: Mono) -> VenueMs {
        let passed = i64::try_from(now.since(self.origin).as_millis()).unwrap_or(i64::MAX);
        VenueMs(self.start.0.saturating_add(passed))
    }

    /// From now on the venue's time goes on from this moment's wall clock.
    pub(super) fn set_clock(&mut self, now: Now) {
        self.origin = now.mono;
        self.start = VenueMs(now.wall.0.div_euclid(1_000_000));
    }

    /// Position of the market named `coin`.
    pub(super) fn find(&self, coin: &str) -> Option<usize> {
        self.markets.iter().position(|market| market.listing.coin == coin)
    }

    /// Position of the dex named `name`; the main dex is `""`.
    pub(super) fn find_dex(&self, name: &str) -> Option<usize> {
        self.dexes.iter().position(|dex| dex.name == name)
    }

    /// The markets of a dex in `meta` order.
    pub(super) fn of_dex(&self, dex: usize) -> impl Iterator<Item = &Market> + '_ {
        let markets = self.dexes.get(dex).map_or(&[][..], |dex| &dex.markets);
        markets.iter().filter_map(|at| self.markets.get(*at))
    }

    /// The first half of the block that is due at [`World::next_block`]: oracles, makers, takers.
    /// Accounts trade between the halves. Returns the block's moment.
    pub(super) fn begin_block(&mut self) -> Mono {
        let now = self.next_block;
        self.block_time = self.time(now);
        self.next_block = now.plus(Nanos::from_millis(self.gap()));
        for at in 0..self.dexes.len() {
            let dex = &mut self.dexes[at];
            if dex.next_oracle > now {
                continue;
            }
            dex.next_oracle = now.plus(Nanos::from_millis(2_950 + self.clock.below(1_050)));
            if dex.oracle_runs {
                for market in &dex.markets {
                    self.markets[*market].set_oracle(now, self.jumps);
                }
            }
        }
        for market in &mut self.markets {
            market.block(now, self.block_time, &mut self.trader);
        }
        now
    }

    /// The second half: says what the block moved.
    pub(super) fn end_block(&mut self, moved: &mut Vec<Moved>) {
        for (at, market) in self.markets.iter_mut().enumerate() {
            let top = market.book.top();
            let changed = top != market.told;
            if changed {
                market.told = top;
            }
            if changed || market.fresh_trades > 0 {
                moved.push(Moved { market: at, top: changed, trades: market.fresh_trades > 0 });
            }
        }
    }

    /// Milliseconds to the next block: p10 64, p50 68, from 44 to [`LONGEST_GAP_MS`].
    fn gap(&mut self) -> u64 {
        match self.clock.below(100) {
            0..10 => 44 + self.clock.below(20),
            10..90 => 64 + self.clock.below(9),
            _ => self.clock.spread(73, LONGEST_GAP_MS),
        }
    }

    /// Lists one more market on the first dex. Returns its position.
    pub(super) fn append(&mut self, now: Mono) -> usize {
        self.append_as(now, |_| {})
    }

    /// The same, with a listing that is changed before it is told.
    pub(super) fn append_as(
        &mut self,
        now: Mono,
        change: impl FnOnce(&mut listing::Listing),
    ) -> usize {
        let (at, dex) = (self.markets.len(), 1);
        let index = self.dexes[dex].markets.len();
        let one = listing::first_dex_market(&self.dexes[dex].name, index);
        let mut one = listing::Listing { delisted: false, ..one };
        change(&mut one);
        let market = Market::new(one, dex, index, self.seed, now, self.still);
        let mut market = market.with(Habit { lag: self.lag, basis_ppm: None });
        market.told = Top::default();
        self.markets.push(market);
        self.dexes[dex].markets.push(at);
        at
    }
}
