//! What positions, exits, readings and triggers promise.

mod adoption;
mod exits;
mod fills;
mod monitor;
mod reconcile;

use crate::position::{AppliedFill, FillOrigin, Positions};
use crate::types::account::{AccountMode, AccountState, DexAccount, HeldPosition, RateLimit};
use crate::types::ids::{AssetId, Coin, MarketId, SignalId};
use crate::types::num::{Px, Side, Sz, Szi, Usd};
use crate::types::order::Fill;
use crate::types::record::{ExitReason, TradeRow};
use crate::types::time::{Mono, Now, VenueMs, Wall};

/// Venue time of millisecond zero of every test.
const START_MS: i64 = 1_795_348_800_000;

/// The monotonic clock then: older than any position here.
const START_NS: u64 = 1_000_000_000_000;

const SILVER: MarketId = MarketId(0);
const GOLD: MarketId = MarketId(1);

fn coin(market: MarketId) -> Coin {
    let name = if market == SILVER { "xyz:SILVER" } else { "xyz:GOLD" };
    Coin::new(name).expect("a name")
}

fn px(text: &str) -> Px {
    Px::parse(text.as_bytes()).expect("a price")
}

fn sz(text: &str) -> Sz {
    Sz::parse(text.as_bytes()).expect("a size")
}

fn szi(text: &str) -> Szi {
    Szi::parse_signed(text.as_bytes()).expect("a size")
}

fn usd(text: &str) -> Usd {
    Usd::parse_signed(text.as_bytes()).expect("an amount")
}

/// The moment `ms` after the start, on two clocks that agree with the venue's.
fn at(ms: i64) -> Now {
    Now { mono: mono(ms), wall: Wall((START_MS + ms) * 1_000_000) }
}

fn mono(ms: i64) -> Mono {
    Mono(START_NS.saturating_add_signed(ms * 1_000_000))
}

fn venue(ms: i64) -> VenueMs {
    VenueMs(START_MS + ms)
}

/// A fill of SILVER at `ms`; its ids follow from its figures and time.
fn fill(ms: i64, side: Side, size: &str, price: &str, fee: &str) -> Fill {
    Fill {
        coin: coin(SILVER),
        px: px(price),
        sz: sz(size),
        side,
        time: venue(ms),
        start_position: Szi::ZERO,
        closed_pnl: Usd::ZERO,
        oid: 1,
        cloid: None,
        tid: sz(size).units().unsigned_abs() ^ px(price).units().unsigned_abs(),
        fee: usd(fee),
        liquidation: false,
    }
}

fn bought(ms: i64, size: &str, price: &str, fee: &str) -> Fill {
    fill(ms, Side::Buy, size, price, fee)
}

fn sold(ms: i64, size: &str, price: &str, fee: &str) -> Fill {
    fill(ms, Side::Sell, size, price, fee)
}

const ENTRY: FillOrigin = FillOrigin::Entry(SignalId(77));
const EXIT: FillOrigin = FillOrigin::Exit(ExitReason::TimeStop);

/// Both markets, neither with a baseline.
fn bare() -> Positions {
    let mut positions = Positions::new(500);
    positions.add_market(SILVER, coin(SILVER), AssetId(110_027));
    positions.add_market(GOLD, coin(GOLD), AssetId(110_003));
    positions
}

/// Both markets, flat since the start.
fn flat() -> Positions {
    let mut positions = bare();
    for market in [SILVER, GOLD] {
        assert_eq!(positions.adopt(at(0), market, venue(0), None, None, &[]), None);
    }
    positions
}

fn apply(positions: &mut Positions, ms: i64, fill: &Fill, why: FillOrigin) -> Done {
    match positions.on_fill(at(ms), SILVER, fill, why) {
        AppliedFill::Applied { opened, closed, flipped, realized } => {
            Done { opened, closed, flipped, realized }
        }
        other => panic!("{other:?} of {fill:?}"),
    }
}

struct Done {
    opened: bool,
    closed: Option<TradeRow>,
    flipped: bool,
    realized: Usd,
}

fn held(market: MarketId, size: &str, entry_px: Option<&str>) -> HeldPosition {
    HeldPosition {
        coin: coin(market),
        szi: szi(size),
        entry_px: entry_px.map(px),
        leverage: 1,
        isolated: true,
        margin_used: usd("1"),
    }
}

/// A reading of an account with 100 USD on `xyz`.
fn reading(ms: i64, positions: &[HeldPosition]) -> AccountState {
    let xyz = DexAccount {
        dex: "xyz".to_owned(),
        time: venue(ms),
        value: usd("100"),
        withdrawable: usd("90"),
        positions: positions.to_vec(),
    };
    AccountState {
        mode: AccountMode::Standard,
        dexes: vec![xyz],
        available: None,
        rate_limit: RateLimit::default(),
        fills: Vec::new(),
        fills_since: venue(0),
    }
}

/// What the venue now and then answers for it.
fn all_zero(ms: i64) -> AccountState {
    let mut state = reading(ms, &[]);
    for dex in &mut state.dexes {
        (dex.value, dex.withdrawable) = (Usd::ZERO, Usd::ZERO);
    }
    state
}
