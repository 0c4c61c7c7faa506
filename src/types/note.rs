//! What the hot thread has to tell people: facts, formatted elsewhere. And the counters it shows.

use crate::types::event::LinkDown;
use crate::types::ids::{Coin, Sample};
use crate::types::num::{Bps, Side, Usd};
use crate::types::record::{GapCause, Gate};
use crate::types::time::Nanos;

#[allow(missing_docs, reason = "the fields say what they are")]
/// Something worth a line in the log: transitions, never steady states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Note {
    /// The venue was read.
    UniverseRead { markets: u32, active: u32, watched: u32 },
    /// The venue could not be read; tried again after `retry`.
    UniverseFailed { retry: Nanos },
    /// `venue.include` names a coin that the venue does not list, or lists as delisted.
    NotListed { coin: Coin },
    /// A market appeared and is watched from now on.
    Listed { coin: Coin },
    /// A market's rules differ from those at the start.
    ParamChanged { coin: Coin, what: &'static str },
    /// A market is delisted, or halted.
    Halted { coin: Coin },
    /// A halted market trades again.
    Resumed { coin: Coin },
    /// More markets than the engine or one link can watch; this many are left out.
    MarketsLeftOut { count: u32, limit: u32 },
    /// A connection is being tried.
    Connecting { attempt: u32 },
    /// The link is open.
    Connected { subscriptions: u32 },
    /// Every subscription is acknowledged, after this long.
    Subscribed { subscriptions: u32, took: Nanos },
    /// The link is down; the next attempt starts after `retry`.
    LinkDown { cause: LinkDown, was_up: Nanos, retry: Nanos },
    /// What the end of a link was about: code and reason of a close frame, or an error.
    LinkSaid { words: Sample },
    /// All markets have data, or are set aside.
    Ready { markets: u32, set_aside: u32 },
    /// A market without data no longer holds up the rest.
    SetAside { coin: Coin },
    /// A market that was set aside has data now.
    Joined { coin: Coin },
    /// The first gate that blocks a market changed; `None` means that all pass.
    Gate { coin: Coin, gate: Option<Gate> },
    /// Open interest passed 95 % of the cap.
    OiNearCap { coin: Coin },
    /// A cross began.
    CrossBegan { coin: Coin, side: Side, edge: Bps, notional: Usd },
    /// A gap ended.
    GapEnded { cause: GapCause, lasted: Nanos, markets: u32 },
    /// The venue complained on its error channel.
    VenueError { text: Sample },
    /// A frame could not be understood. Told once per kind and minute; all are counted.
    Malformed { why: &'static str, frame: Sample },
    /// A frame came on a channel we do not know. Told once per minute; all are counted.
    UnknownChannel { frame: Sample },
    /// Rows or notes were lost to a full ring.
    RowsLost { rows: u64 },
    /// Too many signals wait for their follow-ups: new ones are counted and not recorded.
    SignalsShed { shed: u64 },
}

/// The state of the link, for the status line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LinkState {
    /// Nothing was tried yet: the venue has not been read.
    #[default]
    Idle,
    /// Waiting to try again.
    Backoff,
    /// Connecting.
    Connecting,
    /// Open; not every subscription is acknowledged.
    Subscribing,
    /// Open, and everything is acknowledged.
    Live,
}

impl LinkState {
    /// For the status line.
    pub const fn name(self) -> &'static str {
        match self {
            LinkState::Idle => "idle",
            LinkState::Backoff => "backoff",
            LinkState::Connecting => "connecting",
            LinkState::Subscribing => "subscribing",
            LinkState::Live => "live",
        }
    }
}

/// Counters since the start of the run, and what holds now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// Markets watched.
    pub markets: u32,
    /// Of them, with fresh data on both channels.
    pub live: u32,
    /// Of them, with a gate that blocks.
    pub blocked: u32,
    /// The link.
    pub link: LinkState,
    /// Frames received, all kinds.
    pub frames: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// `bbo` frames.
    pub bbo: u64,
    /// `activeAssetCtx` frames.
    pub ctx: u64,
    /// Frames of known channels that observation does not use.
    pub ignored: u64,
    /// Frames of channels we do not know, and text that is no JSON.
    pub unknown: u64,
    /// Frames that could not be understood.
    pub malformed: u64,
    /// Frames that took the slow way through the JSON parser, though a scanner exists.
    pub fallback: u64,
    /// Complaints on the venue's error channel.
    pub venue_errors: u64,
    /// Connections opened.
    pub connects: u64,
    /// Links lost.
    pub disconnects: u64,
    /// Times each gate began to block a market.
    pub gate_blocks: [u64; 8],
    /// Crosses that last now.
    pub crosses_open: u32,
    /// Crosses begun.
    pub crosses: u64,
    /// Signals recorded.
    pub signals: u64,
    /// Of them, blocked by a gate.
    pub signals_blocked: u64,
    /// Follow-ups recorded.
    pub followups: u64,
    /// Entry probes recorded.
    pub entries: u64,
    /// Gaps recorded.
    pub gaps: u64,
    /// Rows lost to full rings.
    pub rows_lost: u64,
    /// Signals shed because too many waited for follow-ups.
    pub signals_shed: u64,
}
