//! One market: oracle, mark, makers, takers, open interest.

use crate::types::num::{Px, Side, Sz, Usd};
use crate::types::time::{Mono, Nanos, VenueMs};
use crate::venue::action::Address;
use crate::venue::book::{Book, Match, Owner, Resting, Top, opposite};
use crate::venue::dice::{Dice, Odds};
use crate::venue::listing::{Kind, Listing, floor_to_tick, tick};
use crate::venue::maker::{Habit, Lag, Maker, size_of};

/// Whether a market trades.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Status {
    Live,
    /// Orders cancelled, positions settled; can resume (PROTOCOL.md §5.6).
    Halted,
    /// Gone for good; keeps its index.
    Delisted,
}

/// A trade, as the `trades` channel shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trade {
    /// The aggressor's side.
    pub(super) side: Side,
    pub(super) px: Px,
    pub(super) sz: Sz,
    pub(super) time: VenueMs,
    pub(super) tid: u64,
    pub(super) hash: [u64; 4],
    /// Buyer and seller.
    pub(super) users: [Address; 2],
}

/// A taker of the crowd met an account's resting order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Struck {
    /// The account.
    pub(super) user: Address,
    /// Its order.
    pub(super) oid: u64,
    pub(super) px: Px,
    pub(super) sz: Sz,
    pub(super) tid: u64,
    pub(super) hash: [u64; 4],
}

/// How many trades are kept for whoever subscribes.
const TRADES_KEPT: usize = 30;

/// Notional of the impact prices, in 1e-16 USD: 20,000 USD.
const IMPACT_NOTIONAL: i128 = 20_000 * 10_000_000_000_000_000;

/// After this long without `setOracle` the mark is the local one (PROTOCOL.md §5.3).
const ORACLE_STALE: Nanos = Nanos::from_secs(10);

/// What a scenario or a fault froze.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frozen {
    pub(super) oracle: bool,
    pub(super) makers: bool,
    /// Takers and everything else that happens by chance.
    pub(super) chance: bool,
}

/// How far the book runs away from a standing oracle with each of its updates, parts per million.
const RUN_PPM: i64 = 25_000;

/// How oracle and book are kept apart by scenario.
#[derive(Clone, Copy, Debug, Default)]
struct Apart {
    /// Distance of the makers' middle from the oracle beside the structural one, parts per million.
    ppm: i64,
    /// Where that distance runs to.
    goal_ppm: i64,
    /// The deployer's marks follow the book instead of the oracle.
    marks_follow_the_book: bool,
    /// The oracle as it really is, behind a wild print.
    wild: Option<Px>,
}

/// One market.
#[derive(Clone, Debug)]
pub(super) struct Market {
    pub(super) listing: Listing,
    /// Position of its dex in `perpDexs`.
    pub(super) dex: usize,
    /// Position in its dex's universe.
    pub(super) index: usize,
    pub(super) status: Status,
    pub(super) frozen: Frozen,
    pub(super) book: Book,
    /// What `bbo` told last.
    pub(super) told: Top,
    /// The last trades, oldest first.
    pub(super) trades: Vec<Trade>,
    /// How many of them this block made.
    pub(super) fresh_trades: usize,
    /// Accounts' orders that the crowd's takers met and no clearing has seen yet.
    pub(super) struck: Vec<Struck>,
    pub(super) oracle: Px,
    pub(super) prev_day: Px,
    pub(super) open_interest: Sz,
    /// Volumes carry the venue's binary noise (PROTOCOL.md §0), so they are floats.
    pub(super) day_notional: f64,
    pub(super) day_base: f64,
    /// Whether open interest climbs to the cap, step by step.
    pub(super) climbs_to_cap: bool,
    /// Listed, but not known to the sockets yet: who subscribes to it is dropped.
    pub(super) early: bool,
    apart: Apart,
    mark: Px,
    oracle_at: Mono,
    last_trade: Option<Px>,
    makers: Vec<Maker>,
    dice: Dice,
    /// Distance of the makers' middle from the oracle, parts per million: structural, not stale.
    basis_ppm: i64,
    lag: Lag,
    volatile: bool,
    /// Until when the underlying stands still.
    asleep_until: Mono,
    taker_at: Mono,
    arbitrage_at: Option<Mono>,
    one_sided: Option<(Side, Mono)>,
    /// Until no earlier than this nothing happens by itself.
    due: Mono,
}

impl Market {
    /// A market at `now`; `still` leaves everything to scenarios.
    pub(super) fn new(
        listing: Listing,
        dex: usize,
        index: usize,
        seed: u64,
        now: Mono,
        still: bool,
    ) -> Self {
        let mut dice = Dice::new(seed, ((dex as u64) << 32) + index as u64 + 1);
        let count = match listing.kind {
            Kind::Exotic => 2,
            Kind::Index | Kind::Coin => 6,
            Kind::Stock | Kind::Fund | Kind::Commodity | Kind::Currency => 4,
        };
        let makers =
            (0..count).map(|n| Maker::new(Owner::Maker(n), &listing, now, &mut dice)).collect();
        let basis_ppm = if dice.hit(Odds::one_in(25)) {
            dice.range(600, 1_500) * if dice.hit(Odds::one_in(2)) { 1 } else { -1 }
        } else {
            dice.range(-150, 150)
        };
        let drift = listing.px.units() / 1000 * dice.range(-20, 20);
        let prev = Px::from_units(listing.px.units() + drift);
        let live = !listing.delisted;
        let usd = listing.oi_cap.units() / 1_000_000 / 100 * dice.range(4, 60);
        let open_interest = size_of(usd.unsigned_abs(), listing.px, listing.sz_decimals);
        let volume = size_of(usd.unsigned_abs() * 3, listing.px, listing.sz_decimals);
        let day_base = volume.units() as f64 / 1e8;
        let frozen = Frozen { oracle: still, makers: still, chance: still };
        let mut market = Self {
            dex,
            index,
            status: if live { Status::Live } else { Status::Delisted },
            frozen,
            book: Book::default(),
            told: Top::default(),
            trades: Vec::with_capacity(TRADES_KEPT + 8),
            fresh_trades: 0,
            struck: Vec::new(),
            oracle: listing.px,
            prev_day: floor_to_tick(prev, listing.sz_decimals),
            open_interest: if live { open_interest } else { Sz::ZERO },
            day_notional: if live { day_base * (listing.px.units() as f64 / 1e8) } else { 0.0 },
            day_base: if live { day_base } else { 0.0 },
            climbs_to_cap: false,
            early: false,
            apart: Apart::default(),
            mark: listing.px,
            oracle_at: now,
            last_trade: None,
            makers,
            dice,
            basis_ppm,
            lag: Lag::default(),
            volatile: false,
            asleep_until: Mono(0),
            taker_at: now,
            arbitrage_at: None,
            one_sided: None,
            due: now,
            listing,
        };
        if live {
            market.quote_all();
            market.told = market.book.top();
        }
        market
    }

    /// The same with other makers.
    pub(super) fn with(mut self, habit: Habit) -> Self {
        self.lag = habit.lag;
        self.basis_ppm = habit.basis_ppm.unwrap_or(self.basis_ppm);
        self
    }

    /// Whether it trades.
    pub(super) fn live(&self) -> bool {
        self.status == Status::Live
    }

    /// `setOracle` of the dex reaches this market (PROTOCOL.md §5.3). It is a jump as often as `jumps` says.
    pub(super) fn set_oracle(&mut self, now: Mono, jumps: Odds) {
        if !self.live() {
            return;
        }
        self.oracle = self.apart.wild.take().unwrap_or(self.oracle);
        let before = self.oracle;
        let Apart { ppm, goal_ppm, .. } = self.apart;
        if (ppm, goal_ppm) != (0, 0) {
            self.apart.ppm = goal_ppm.clamp(ppm - RUN_PPM, ppm + RUN_PPM);
        } else if !self.frozen.oracle && now >= self.asleep_until {
            self.walk(now, jumps);
        }
        self.step(before, now);
    }

    /// Sets the oracle exactly; makers hear of it as of any step.
    pub(super) fn put_oracle(&mut self, px: Px, now: Mono) {
        let before = std::mem::replace(&mut self.oracle, px);
        self.apart.wild = None;
        if self.live() {
            self.step(before, now);
        }
    }

    /// This price moved by so many parts per million, in the oracle's steps.
    fn moved(&self, px: Px, ppm: i64) -> Px {
        let fine = (tick(px, self.listing.sz_decimals) / 10).max(1);
        let moved = i128::from(px.units()) * i128::from(1_000_000 + ppm) / 1_000_000;
        let moved = i64::try_from(moved).unwrap_or(px.units()).max(fine);
        Px::from_units((moved + fine / 2).div_euclid(fine) * fine)
    }

    /// A number of parts per million, up or down.
    fn either_way(&mut self, ppm: i64) -> i64 {
        if self.dice.hit(Odds::one_in(2)) { ppm } else { -ppm }
    }

    /// The next update of the oracle is wild: makers and marks take no notice, and the one behind it
    /// is right again.
    pub(super) fn print_wild(&mut self, now: Mono) {
        if !self.live() {
            return;
        }
        let far = self.dice.hit(Odds::one_in(2));
        let size =
            if far { self.dice.range(200_000, 600_000) } else { self.dice.range(30_000, 100_000) };
        let ppm = self.either_way(size);
        let right = *self.apart.wild.get_or_insert(self.oracle);
        self.oracle = self.moved(right, ppm);
        self.oracle_at = now;
    }

    /// The oracle steps away, up or down, and stays; book and mark stay where they are.
    pub(super) fn step_apart(&mut self, now: Mono, percent: u8) {
        if !self.live() {
            return;
        }
        let (middle, before) = (self.target(), self.oracle);
        let ppm = self.either_way(i64::from(percent) * 10_000);
        self.put_oracle_alone(self.moved(before, ppm), now);
        let whole = i128::from(middle.units()) * 1_000_000 / i128::from(self.oracle.units().max(1));
        let ppm = i64::try_from(whole).unwrap_or(1_000_000) - 1_000_000 - self.basis_ppm;
        (self.apart.ppm, self.apart.goal_ppm) = (ppm, ppm);
        self.apart.marks_follow_the_book = true;
    }

    /// The oracle stands still from now on, and the book runs away from it, up or down.
    pub(super) fn run_away(&mut self, percent: u8) {
        self.apart.goal_ppm = self.either_way(i64::from(percent) * 10_000);
    }

    /// The oracle is where the book is again.
    pub(super) fn reunite(&mut self, now: Mono) {
        let ppm = self.apart.ppm;
        if (ppm, self.apart.goal_ppm) != (0, 0) && self.live() {
            let px = self.moved(self.apart.wild.unwrap_or(self.oracle), ppm);
            self.apart = Apart::default();
            self.put_oracle(px, now);
        }
        self.apart = Apart::default();
    }

    /// Sets the oracle; nobody hears of it.
    fn put_oracle_alone(&mut self, px: Px, now: Mono) {
        self.apart.wild = None;
        (self.oracle, self.oracle_at) = (px, now);
    }

    /// Sets oracle and mark exactly, whatever the book says.
    #[cfg(test)]
    pub(super) fn put_mark(&mut self, px: Px, now: Mono) {
        self.mirror_prices(now, px, px);
    }

    /// The same of two prices that differ, as they are elsewhere.
    pub(super) fn mirror_prices(&mut self, now: Mono, oracle: Px, mark: Px) {
        (self.oracle, self.mark, self.oracle_at) = (oracle, mark, now);
    }

    /// The oracle jumps by 3 %, up or down.
    pub(super) fn jump(&mut self, now: Mono) {
        self.oracle = self.apart.wild.take().unwrap_or(self.oracle);
        let three_percent = self.oracle.units() / 100 * 3;
        let up = self.dice.hit(Odds::one_in(2));
        let fine = (tick(self.oracle, self.listing.sz_decimals) / 10).max(1);
        let px = self.oracle.units() + if up { three_percent } else { -three_percent };
        self.put_oracle(Px::from_units((px.div_euclid(fine) * fine).max(fine)), now);
    }

    /// What follows from a step of the oracle.
    fn step(&mut self, before: Px, now: Mono) {
        self.oracle_at = now;
        let target = self.clamp_mark(self.fresh_mark());
        self.mark = target;
        let moved = (self.oracle.units() - before.units()).abs();
        let surprise = moved >= before.units() / 2_000;
        for maker in &mut self.makers {
            maker.hear(now, surprise, &self.lag, &mut self.dice);
        }
        if self.climbs_to_cap && !self.at_cap() {
            let cap = self.cap_size();
            self.open_interest = Sz::from_units(self.open_interest.units() + cap.units() / 25);
        }
        self.watch_for_arbitrage(now);
        self.due = Mono(0);
    }

    /// Moves the underlying one step and publishes it.
    fn walk(&mut self, now: Mono, jumps: Odds) {
        let dice = &mut self.dice;
        let calm_ppm = match self.listing.kind {
            Kind::Currency => 30,
            Kind::Index | Kind::Fund => 80,
            Kind::Stock => 180,
            Kind::Commodity | Kind::Coin => 120,
            Kind::Exotic => 200,
        };
        // Regimes last minutes: a market is wild about a tenth of the time.
        let leave = if self.volatile { Odds::one_in(60) } else { Odds::one_in(600) };
        self.volatile ^= dice.hit(leave);
        let wild = if self.volatile { 3 } else { 1 };
        let mut move_ppm = calm_ppm * wild * dice.bell() / 1_000_000;
        if dice.hit(jumps) {
            move_ppm += dice.range(1_200, 6_000) * if dice.bell() < 0 { -1 } else { 1 };
        }
        if dice.hit(Odds::one_in(1800)) {
            self.asleep_until = now.plus(Nanos::from_millis(dice.spread(60_000, 600_000)));
        }
        self.basis_ppm +=
            dice.range(-4, 4) - self.basis_ppm.signum() * i64::from(self.basis_ppm.abs() > 1500);
        // The day's start holds it within a factor of three, as a long run must not wander off.
        let (px, start) = (self.oracle.units(), self.listing.px.units());
        if px > start.saturating_mul(3) {
            move_ppm = -move_ppm.abs();
        } else if px < start / 3 {
            move_ppm = move_ppm.abs();
        }
        let moved = i128::from(px) * i128::from(1_000_000 + move_ppm) / 1_000_000;
        let fine = (tick(self.oracle, self.listing.sz_decimals) / 10).max(1);
        let moved = i64::try_from(moved).unwrap_or(px).max(fine);
        self.oracle = Px::from_units((moved + fine / 2).div_euclid(fine) * fine);
    }

    /// Median of best bid, best ask and last trade; of two the middle; the oracle without any.
    fn local_mark(&self) -> Px {
        let sides = Side::BOTH.map(|side| self.book.best(side));
        let mut known: Vec<i64> =
            sides.into_iter().chain([self.last_trade]).flatten().map(Px::units).collect();
        known.sort_unstable();
        match known[..] {
            [] => self.oracle,
            [one] => Px::from_units(one),
            [low, high] => Px::from_units(low / 2 + high / 2),
            [_, middle, ..] => Px::from_units(middle),
        }
    }

    /// Median of the deployer's two marks (oracle, oracle with the usual basis) and the local one.
    fn fresh_mark(&self) -> Px {
        if self.apart.marks_follow_the_book {
            return self.local_mark();
        }
        let oracle = self.oracle.units();
        let based = i128::from(oracle) * i128::from(1_000_000 + self.basis_ppm / 2) / 1_000_000;
        let mut marks = [oracle, i64::try_from(based).unwrap_or(oracle), self.local_mark().units()];
        marks.sort_unstable();
        let fine = (tick(self.oracle, self.listing.sz_decimals) / 10).max(1);
        Px::from_units(marks[1].div_euclid(fine) * fine)
    }

    /// At most 1 % from the last mark in one update.
    fn clamp_mark(&self, target: Px) -> Px {
        let (last, most) = (self.mark.units(), self.mark.units() / 100);
        Px::from_units(target.units().clamp(last - most, last + most))
    }

    /// The mark: as last set, or the local one when the oracle has gone stale.
    pub(super) fn mark(&self, now: Mono) -> Px {
        let stale = now.since(self.oracle_at) > ORACLE_STALE;
        if stale && self.live() { self.local_mark() } else { self.mark }
    }

    /// Where the makers see the price.
    fn target(&self) -> Px {
        let oracle = self.apart.wild.unwrap_or(self.oracle).units();
        let ppm = 1_000_000 + self.basis_ppm + self.apart.ppm;
        let px = i128::from(oracle) * i128::from(ppm) / 1_000_000;
        Px::from_units(i64::try_from(px).unwrap_or(oracle))
    }

    /// Every maker quotes anew.
    pub(super) fn quote_all(&mut self) {
        let (target, silent) = (self.target(), self.one_sided.map(|(side, _)| side));
        self.book.clear_makers();
        for maker in &self.makers {
            maker.quote(&self.listing, target, silent, &mut self.book, &mut self.dice);
        }
        self.due = Mono(0);
    }

    /// Replaces the makers' book by one order a side.
    pub(super) fn put_quote(&mut self, bid: Option<(Px, Sz)>, ask: Option<(Px, Sz)>) {
        self.book.clear_makers();
        for (side, quote) in [(Side::Buy, bid), (Side::Sell, ask)] {
            if let Some((px, sz)) = quote {
                self.book.rest(side, Resting { owner: Owner::Maker(u16::MAX), px, sz });
            }
        }
    }

    /// Removes the makers' side of the book.
    pub(super) fn clear_side(&mut self, side: Side) {
        self.book.clear_side(side);
    }

    /// Looks at everything in the next block.
    pub(super) fn wake(&mut self) {
        self.due = Mono(0);
    }

    /// Cancels all orders and settles: halted or delisted.
    pub(super) fn close(&mut self, status: Status) {
        self.status = status;
        self.book.clear();
        self.open_interest = Sz::ZERO;
        self.climbs_to_cap = false;
        self.oracle = self.apart.wild.take().unwrap_or(self.oracle);
        self.mark = self.oracle;
    }

    /// Trades again if it was halted.
    pub(super) fn resume(&mut self) {
        if self.status == Status::Halted {
            self.status = Status::Live;
            self.quote_all();
        }
    }

    /// What happens in a block.
    pub(super) fn block(&mut self, now: Mono, time: VenueMs, trader: &mut Dice) {
        self.fresh_trades = 0;
        if now < self.due || !self.live() {
            return;
        }
        self.due = Mono::MAX;
        if !self.frozen.makers {
            self.wake_makers(now);
        }
        if !self.frozen.chance {
            self.happen(now, time, trader);
        }
    }

    fn wake_makers(&mut self, now: Mono) {
        let (target, silent) = (self.target(), self.one_sided.map(|(side, _)| side));
        for maker in &mut self.makers {
            if maker.wake_at <= now {
                maker.asleep = false;
                maker.quote(&self.listing, target, silent, &mut self.book, &mut self.dice);
                // Without news a maker still stirs now and then, changing its size.
                maker.wake_at = now.plus(Nanos::from_millis(self.dice.spread(1_500, 40_000)));
            }
            self.due = self.due.min(maker.wake_at);
        }
        self.watch_for_arbitrage(now);
    }

    /// Takers, arbitrage, and sides that go missing for a while.
    fn happen(&mut self, now: Mono, time: VenueMs, trader: &mut Dice) {
        if self.one_sided.is_some_and(|(_, until)| until <= now) {
            self.one_sided = None;
            self.makers.iter_mut().for_each(|maker| maker.wake_at = now);
        }
        if self.taker_at <= now {
            let pause = match self.listing.kind {
                Kind::Index | Kind::Coin => 4_000,
                Kind::Exotic => 60_000,
                Kind::Stock | Kind::Fund | Kind::Commodity | Kind::Currency => 15_000,
            };
            self.taker_at = now.plus(Nanos::from_millis(self.dice.spread(pause / 16, pause * 4)));
            let side = Side::BOTH[self.dice.below(2) as usize];
            let usd = self.dice.spread(20, 15_000);
            self.trade(now, side, usd, time, trader);
            let rare = if self.listing.kind == Kind::Exotic { 30 } else { 1_000 };
            if self.one_sided.is_none() && self.dice.hit(Odds::one_in(rare)) {
                let silence = Nanos::from_millis(self.dice.spread(800, 15_000));
                self.one_sided = Some((side, now.plus(silence)));
                self.book.clear_side(side);
            }
        }
        if self.arbitrage_at.is_some_and(|at| at <= now) {
            self.arbitrage_at = None;
            if let Some(side) = self.stale_side() {
                self.trade(now, side, 20_000, time, trader);
            }
        }
        self.due = self.due.min(self.taker_at);
        self.due = self.due.min(self.arbitrage_at.unwrap_or(Mono::MAX));
        self.due = self.due.min(self.one_sided.map_or(Mono::MAX, |(_, until)| until));
    }

    /// The side on which taking the best price beats the makers' own view by 6 bps.
    fn stale_side(&self) -> Option<Side> {
        let target = i128::from(self.target().units());
        let best = |side| self.book.best(side).map(|px: Px| i128::from(px.units()) * 10_000);
        if best(Side::Sell).is_some_and(|ask| ask <= target * (10_000 - 6)) {
            Some(Side::Buy)
        } else if best(Side::Buy).is_some_and(|bid| bid >= target * (10_000 + 6)) {
            Some(Side::Sell)
        } else {
            None
        }
    }

    /// Others watch too: a stale quote is taken sooner or later, if its maker does not wake first.
    fn watch_for_arbitrage(&mut self, now: Mono) {
        if self.arbitrage_at.is_none() && !self.frozen.chance && self.stale_side().is_some() {
            let after = Nanos::from_millis(self.dice.spread(150, 12_000));
            self.arbitrage_at = Some(now.plus(after));
            self.due = self.due.min(now.plus(after));
        }
    }

    /// A taker worth about `usd` meets the book, at most 1 % deep.
    fn trade(&mut self, now: Mono, side: Side, usd: u64, time: VenueMs, trader: &mut Dice) {
        let Some(best) = self.book.best(opposite(side)) else { return };
        let deep = best.units() / 100;
        let limit = match side {
            Side::Buy => Px::from_units(best.units() + deep),
            Side::Sell => Px::from_units(best.units() - deep),
        };
        let sz = size_of(usd, best, self.listing.sz_decimals);
        let mut matches: Vec<Match> = Vec::new();
        self.book.take(side, limit, sz, |one| matches.push(one));
        let taker = Address::numbered(trader.below(500) + 1_000_000);
        let hash = [trader.bits(), trader.bits(), trader.bits(), trader.bits()];
        for one in matches {
            let maker = self.party(one.owner);
            let users = match side {
                Side::Buy => [taker, maker],
                Side::Sell => [maker, taker],
            };
            let tid = trader.bits() >> 14; // 50 bits.
            let (px, sz) = (one.px, one.sz);
            if let Owner::Account { user, oid } = one.owner {
                self.struck.push(Struck { user, oid, px, sz, tid, hash });
            }
            self.print(Trade { side, px, sz, time, tid, hash, users });
            let opened = trader.range(-1, 1) * sz.units();
            let left = self.open_interest.units() + opened;
            // Chance alone does not carry it into the cap.
            if left > 0 && (opened < 0 || !self.near_cap()) {
                self.open_interest = Sz::from_units(left);
            }
        }
        self.eaten(now);
    }

    /// The address of whoever placed an order.
    pub(super) fn party(&self, owner: Owner) -> Address {
        match owner {
            Owner::Maker(at) => {
                let market = self.dex as u64 * 1_000 + self.index as u64;
                Address::numbered(market * 16 + u64::from(at))
            }
            Owner::Account { user, .. } => user,
        }
    }

    /// A trade happens: on the tape, in the last price and in the day's volumes.
    pub(super) fn print(&mut self, trade: Trade) {
        self.trades.push(trade);
        self.fresh_trades += 1;
        self.last_trade = Some(trade.px);
        let (px, sz) = (trade.px.units() as f64 / 1e8, trade.sz.units() as f64 / 1e8);
        self.day_notional += px * sz;
        self.day_base += sz;
    }

    /// After trades: the tape is cut, and makers whose orders were eaten refill soon.
    pub(super) fn eaten(&mut self, now: Mono) {
        let excess = self.trades.len().saturating_sub(TRADES_KEPT.max(self.fresh_trades));
        self.trades.drain(..excess);
        let soon = now.plus(Nanos::from_millis(self.dice.below(1_400) + 100));
        for maker in self.makers.iter_mut().filter(|maker| !maker.asleep) {
            maker.wake_at = maker.wake_at.min(soon);
        }
        self.due = self.due.min(soon);
    }

    /// An account opened or closed this much; the crowd was on the other side.
    pub(super) fn shift_open_interest(&mut self, units: i64) {
        let left = self.open_interest.units().saturating_add(units).max(0);
        self.open_interest = Sz::from_units(left);
    }

    /// Value of the open interest at the oracle.
    pub(super) fn open_notional(&self) -> Usd {
        Usd::notional(self.oracle, self.open_interest).unwrap_or(Usd::from_units(i64::MAX))
    }

    /// Whether open interest has reached its cap.
    pub(super) fn at_cap(&self) -> bool {
        self.live() && self.open_notional() >= self.listing.oi_cap
    }

    fn near_cap(&self) -> bool {
        self.open_notional().units() >= self.listing.oi_cap.units() / 10 * 9
    }

    /// The cap in coins at the oracle.
    pub(super) fn cap_size(&self) -> Sz {
        let usd = self.listing.oi_cap.units() / 1_000_000;
        size_of(usd.unsigned_abs(), self.oracle, self.listing.sz_decimals)
    }

    /// Best bid and ask averaged over the impact notional; `None` when a side is missing.
    pub(super) fn impact(&self) -> Option<[Px; 2]> {
        let fine = (tick(self.oracle, self.listing.sz_decimals) / 10).max(1);
        let round = |px: Px| Px::from_units((px.units() + fine / 2).div_euclid(fine) * fine);
        let bid = self.book.impact(Side::Buy, IMPACT_NOTIONAL)?;
        let ask = self.book.impact(Side::Sell, IMPACT_NOTIONAL)?;
        Some([round(bid), round(ask)])
    }
}
