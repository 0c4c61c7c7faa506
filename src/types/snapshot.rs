//! What the hot thread shows of itself: plain values, copied into memory that a cold thread hands
//! back. Edges, texts and quantiles are made there.

use crate::types::ids::{AssetId, Coin};
use crate::types::market::Level;
use crate::types::num::{Bps, Px, Szi};
use crate::types::record::Gate;
use crate::types::status::Status;
use crate::types::time::{Mono, Nanos, Now};

/// Everything at one moment, or nearly: markets are copied a few a turn of the loop.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When it was begun.
    pub at: Now,
    /// Since the run began.
    pub uptime: Nanos,
    /// How much later than due it was begun.
    pub lag: Nanos,
    /// Turns of the loop so far.
    pub turns: u64,
    /// The longest turn that handled something since the snapshot before.
    pub longest_turn: Nanos,
    /// Notes lost to a full ring.
    pub notes_lost: u64,
    /// Rows that the dashboard's own ring could not take; the records have them.
    pub rows_unshown: u64,
    /// Snapshots left out because none of the last ones had come back.
    pub skipped: u64,
    /// Counters, and what holds.
    pub status: Status,
    /// Every market watched, in the order in which they were listed.
    pub markets: Vec<MarketSnapshot>,
    /// What is held.
    pub positions: Vec<PositionSnapshot>,
}

impl Snapshot {
    /// With room for so many markets, so that filling it allocates nothing.
    pub fn with_room(markets: usize) -> Self {
        Self {
            markets: Vec::with_capacity(markets),
            positions: Vec::with_capacity(markets),
            ..Self::default()
        }
    }
}

/// One market.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MarketSnapshot {
    /// Its name.
    pub coin: Coin,
    /// Its id.
    pub asset: AssetId,
    /// Best bid.
    pub bid: Option<Level>,
    /// Best ask.
    pub ask: Option<Level>,
    /// Oracle price.
    pub oracle: Option<Px>,
    /// Mark price.
    pub mark: Option<Px>,
    /// Spread in bps of mid; `None` when the book cannot be traded.
    pub spread: Option<Bps>,
    /// What an edge has to reach; `None` when it cannot be told.
    pub cost: Option<Bps>,
    /// When the quote was received.
    pub bbo_at: Option<Mono>,
    /// When the ctx was received.
    pub ctx_at: Option<Mono>,
    /// The first gate that blocks.
    pub gate: Option<Gate>,
    /// What can be expected of it.
    pub state: MarketState,
}

/// What can be expected of a market.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MarketState {
    /// Both channels have brought data on this link.
    Live,
    /// No data on this link yet.
    Waiting,
    /// Not within the time that the rest waits for it.
    SetAside,
    /// Delisted, gone, or settled.
    Halted,
}

impl MarketState {
    /// As pages write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Waiting => "waiting",
            Self::SetAside => "set_aside",
            Self::Halted => "halted",
        }
    }
}

/// One position.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PositionSnapshot {
    /// Its market.
    pub coin: Coin,
    /// What is held, above zero when long.
    pub szi: Szi,
    /// Mean entry price; `None` while nobody told one.
    pub entry: Option<Px>,
    /// Mark price.
    pub mark: Option<Px>,
    /// Time since the position was opened.
    pub held: Nanos,
}

/// What lengths of time come to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Percentiles {
    /// How many were counted.
    pub count: u64,
    /// Half of them were no longer.
    pub p50: Nanos,
    /// 99 in 100 were no longer.
    pub p99: Nanos,
    /// 999 in 1000 were no longer.
    pub p999: Nanos,
    /// None was longer.
    pub max: Nanos,
}
