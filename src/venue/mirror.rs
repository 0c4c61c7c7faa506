//! A venue that mirrors another one: markets, books and prices are told to it, its blocks are made when
//! it is told to make them, and whoever trades on it trades against what it was told.
//!
//! Accounts, rules, fees and answers are the simulated venue's own. Nothing moves by itself, nobody
//! else trades, and nothing takes time: what is on its way is the caller's business.

use crate::types::market::{Bbo, MarketSpec, UserFees};
use crate::types::num::{Px, Side, Usd};
use crate::types::time::{Mono, Nanos, Now, VenueMs};
use crate::venue::listing::{Kind, Listing};
use crate::venue::market::{Market, Status};
use crate::venue::{AccountSettings, Limits, Output, Settings, SettingsError, Timing, Venue};

/// Asset id of the first market of the dex that accounts hold their collateral on.
const FIRST_ASSET: u32 = 110_000;

/// A cap that no account reaches: 1e9 USD.
const NO_CAP: Usd = Usd::from_units(1_000_000_000_000_000);

/// What a mirror is made from.
#[derive(Clone, Debug)]
pub struct Mirrored {
    /// Decides over ids.
    pub seed: u64,
    /// Name of the dex.
    pub dex: String,
    /// The venue's time at the start.
    pub start: VenueMs,
    /// Who trades here.
    pub accounts: Vec<AccountSettings>,
    /// Whether signatures must be for mainnet.
    pub mainnet: bool,
}

impl Venue {
    /// A mirror whose first moment is `now`, with no markets yet.
    ///
    /// Errors: a name that no dex of this venue has.
    pub fn mirror(what: Mirrored, now: Mono) -> Result<Self, SettingsError> {
        let most = u32::MAX;
        let limits = Limits {
            new_per_minute: most,
            messages_per_minute: most,
            posts: usize::MAX,
            info_weight_per_minute: most,
            idle_close: Nanos(u64::MAX),
            ..Limits::default()
        };
        let timing = Timing {
            action_ms: (0, 0),
            answer_ms: (0, 0),
            refusal_ms: (0, 0),
            updates_ms: (0, 0),
            fills_ms: (0, 0),
        };
        let Mirrored { seed, dex, start, accounts, mainnet } = what;
        let settings = Settings {
            seed,
            markets: 1,
            dex,
            start,
            limits,
            still: true,
            accounts,
            mainnet,
            timing,
            ..Settings::default()
        };
        let mut venue = Self::new(settings, now)?;
        venue.world.mirror();
        Ok(venue)
    }

    /// Sets the venue's clock by the wall's. Orders expire by the wall clock of whoever sends them, which
    /// drifts and steps against the monotonic one: a mirror that ran on the latter would refuse them.
    pub fn mirror_clock(&mut self, now: Now) {
        self.world.set_clock(now);
    }

    /// Lists a market, or changes the rules of one that is listed.
    pub fn mirror_market(&mut self, now: Mono, spec: &MarketSpec) {
        let coin = spec.coin.as_str();
        let at = match self.world.find(coin) {
            Some(at) => at,
            None => {
                let Some(index) = spec.asset.0.checked_sub(FIRST_ASSET) else { return };
                self.world.mirror_market(now, listing(spec), index as usize)
            }
        };
        let Some(market) = self.world.markets.get_mut(at) else { return };
        market.listing.sz_decimals = spec.sz_decimals;
        market.listing.max_leverage = spec.max_leverage;
        market.listing.margin_mode = spec.margin_mode;
        market.listing.growth = spec.growth;
        market.listing.fee_scale = spec.fee_scale;
        market.listing.oi_cap = if spec.at_oi_cap { Usd::ZERO } else { NO_CAP };
        if spec.delisted && market.status != Status::Delisted {
            market.close(Status::Delisted);
        }
    }

    /// What everyone pays from now on.
    pub fn mirror_fees(&mut self, fees: UserFees) {
        self.accounts.clearing.set_fees(fees);
    }

    /// Replaces the book of a market by the top of another's; what nobody could trade with leaves it
    /// empty. A coin that is not listed changes nothing.
    pub fn mirror_book(&mut self, coin: &str, bbo: Option<Bbo>) {
        let Some(market) = self.world.find(coin).and_then(|at| self.world.markets.get_mut(at))
        else {
            return;
        };
        if market.live() {
            let taker = |side| bbo.and_then(|bbo| bbo.standing(side)).map(|one| (one.px, one.sz));
            market.put_quote(taker(Side::Sell), taker(Side::Buy));
        }
    }

    /// Sets oracle and mark of a market as they are elsewhere.
    pub fn mirror_prices(&mut self, now: Mono, coin: &str, oracle: Px, mark: Px) {
        if let Some(market) = self.world.find(coin).and_then(|at| self.world.markets.get_mut(at)) {
            market.mirror_prices(now, oracle, mark);
        }
    }

    /// Makes a block at `now`: what has arrived is executed against the books as they are.
    pub fn make_block(&mut self, now: Mono, out: &mut Vec<Output>) {
        self.world.next_block = now;
        self.advance(now, out);
        self.world.next_block = Mono::MAX;
    }
}

fn listing(spec: &MarketSpec) -> Listing {
    Listing {
        coin: spec.coin.as_str().to_owned(),
        kind: Kind::Stock,
        sz_decimals: spec.sz_decimals,
        max_leverage: spec.max_leverage,
        margin_mode: spec.margin_mode,
        growth: spec.growth,
        fee_scale: spec.fee_scale,
        oi_cap: NO_CAP,
        px: Px::from_units(100_000_000), // Until prices are told.
        delisted: false,
        odd: None,
    }
}

impl crate::venue::world::World {
    /// Empties it of what it was made with: markets, oracles, blocks.
    fn mirror(&mut self) {
        self.markets.clear();
        for dex in &mut self.dexes {
            dex.markets.clear();
            dex.oracle_runs = false;
        }
        self.next_block = Mono::MAX;
    }

    fn mirror_market(&mut self, now: Mono, listing: Listing, index: usize) -> usize {
        let (at, dex) = (self.markets.len(), 1);
        let mut market = Market::new(listing, dex, index, 0, now, true);
        market.book.clear();
        market.open_interest = crate::types::num::Sz::ZERO;
        self.markets.push(market);
        if let Some(dex) = self.dexes.get_mut(dex) {
            dex.markets.push(at);
        }
        at
    }
}
