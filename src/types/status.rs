//! The engine's state and counters, as the dashboard, the status line and the final summary show them.

use crate::types::account::SignerStanding;
use crate::types::hard_stop::HardStop;
use crate::types::num::Usd;
use crate::types::order::RefusalClass;
use crate::types::ready::Waiting;
use crate::types::record::{Check, ExitReason, Filter, Gate, Outcome};
use crate::types::time::Nanos;

/// The conditions of READY.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs, reason = "named in the dashboard's snapshot")]
pub struct ReadyFlags {
    pub md_ready: bool,
    pub order_snapshot: bool,
    pub fills_snapshot: bool,
    pub position_synced: bool,
    pub ws_connected: bool,
    pub hard_stop_clear: bool,
}

impl ReadyFlags {
    /// All of them hold.
    pub const ALL: Self = Self {
        md_ready: true,
        order_snapshot: true,
        fills_snapshot: true,
        position_synced: true,
        ws_connected: true,
        hard_stop_clear: true,
    };

    /// Each with its name, in order.
    pub const fn named(self) -> [(&'static str, bool); 6] {
        [
            ("md_ready", self.md_ready),
            ("order_snapshot", self.order_snapshot),
            ("fills_snapshot", self.fills_snapshot),
            ("position_synced", self.position_synced),
            ("ws_connected", self.ws_connected),
            ("hard_stop_clear", self.hard_stop_clear),
        ]
    }

    /// Whether all of them hold but the last, which has a check of its own.
    pub const fn but_for_hard_stop(self) -> bool {
        self.md_ready
            && self.order_snapshot
            && self.fills_snapshot
            && self.position_synced
            && self.ws_connected
    }

    /// Whether all of them hold.
    pub const fn all(self) -> bool {
        self.but_for_hard_stop() && self.hard_stop_clear
    }
}

/// What of all that entries rest on is too old: they wait while any of it is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DataAge {
    /// The last good reading of the venue's markets and rules.
    pub meta: bool,
    /// The last good reading of the account.
    pub account: bool,
    /// The feed: it is late, or how late it is was not told yet.
    pub feed_lag: bool,
    /// What waits in buffers since a pause of the process.
    pub paused: bool,
}

impl DataAge {
    /// Each with its name, in order.
    pub const fn named(self) -> [(&'static str, bool); 4] {
        [
            ("meta_age", self.meta),
            ("account_age", self.account),
            ("feed_lag", self.feed_lag),
            ("paused", self.paused),
        ]
    }

    /// Names of what is too old.
    pub fn waiting(self) -> impl Iterator<Item = &'static str> {
        self.named().into_iter().filter(|(_, old)| *old).map(|(name, _)| name)
    }

    /// Whether anything is.
    pub const fn any(self) -> bool {
        self.meta || self.account || self.feed_lag || self.paused
    }
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
    /// Whether it can carry something.
    pub const fn is_open(self) -> bool {
        matches!(self, LinkState::Subscribing | LinkState::Live)
    }

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

/// Counters since the start of the run, and what holds now. [`counters`](crate::types::counters) names them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// Markets watched.
    pub markets: u32,
    /// Of them, with fresh data on both channels.
    pub live: u32,
    /// Of them, with a gate that blocks.
    pub blocked: u32,
    /// Entries of the venue's lists that could not be read, of markets that would be watched.
    pub markets_odd: u32,
    /// Markets whose subscription makes the venue drop the link, and that are left alone for a while.
    pub quarantined: u32,
    /// Whether every market has data on this link, or is set aside.
    pub md_ready: bool,
    /// The link.
    pub link: LinkState,
    /// How late the feed is, as its newest block told; `None` while none has.
    pub feed_lag: Option<Nanos>,
    /// How far our wall clock is ahead of the venue's, milliseconds, by the venue's own word.
    pub clock_skew_ms: Option<i64>,
    /// Frames received, all kinds.
    pub frames: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// `bbo` frames.
    pub bbo: u64,
    /// `activeAssetCtx` frames.
    pub ctx: u64,
    /// `orderUpdates` frames.
    pub order_updates: u64,
    /// `userFills` frames.
    pub user_fills: u64,
    /// `userEvents` frames.
    pub user_events: u64,
    /// Answers to posts.
    pub posts: u64,
    /// Acknowledged subscriptions.
    pub acks: u64,
    /// Answers to pings.
    pub pongs: u64,
    /// Frames of known channels that are not used, or of markets that are not watched.
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
    pub gate_blocks: [u64; Gate::ALL.len()],
    /// How long each gate has blocked, summed over the markets.
    pub gate_blocked: [Nanos; Gate::ALL.len()],
    /// Crosses that last now.
    pub crosses_open: u32,
    /// Crosses begun.
    pub crosses: u64,
    /// Signals recorded.
    pub signals: u64,
    /// Of them, blocked by a gate.
    pub signals_blocked: u64,
    /// Of them, blocked by each filter, by [`Filter`].
    pub signals_filtered: [u64; Filter::ALL.len()],
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
    /// What trading adds.
    pub trading: Trading,
}

impl Status {
    /// Signals that a filter blocked.
    pub fn filtered(&self) -> u64 {
        self.signals_filtered.iter().sum()
    }
}

/// Counters of trading, and what holds now; all zero in observation.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Trading {
    /// READY.
    pub ready: ReadyFlags,
    /// What entries wait for beside it.
    pub waiting: Waiting,
    /// What is too old for entries.
    pub data_age: DataAge,
    /// HardStop.
    pub hard_stop: HardStop,
    /// Whether the signer may act for the account.
    pub signer: SignerStanding,
    /// Positions held.
    pub positions: u32,
    /// Orders that may still fill.
    pub pending: u32,
    /// Signals approved.
    pub approved: u64,
    /// Signals that each check stopped, by [`Check`].
    pub stopped_by: [u64; Check::ALL.len()],
    /// Signals below the least order.
    pub below_minimum: u64,
    /// Entries sent.
    pub entries_sent: u64,
    /// Exits sent, by [`ExitReason`].
    pub exits_sent: [u64; ExitReason::ALL.len()],
    /// Entries that ended, by [`Outcome`].
    pub entries_ended: [u64; Outcome::ALL.len()],
    /// Exits that ended, by [`Outcome`].
    pub exits_ended: [u64; Outcome::ALL.len()],
    /// Refusals, by [`RefusalClass`].
    pub refusals: [u64; RefusalClass::ALL.len()],
    /// Fills, each counted once.
    pub fills: u64,
    /// Fills that came again.
    pub fills_repeated: u64,
    /// Round trips, by [`ExitReason`].
    pub trades: [u64; ExitReason::ALL.len()],
    /// Of them, with a profit after fees.
    pub wins: u64,
    /// Profit before fees.
    pub gross: Usd,
    /// Fees.
    pub fees: Usd,
    /// Largest value held and pending at once.
    pub peak_notional: Usd,
    /// Address budget left; below zero is the slow mode.
    pub budget_left: i64,
    /// Orders looked up.
    pub lookups: u64,
    /// Signatures made from presigned nonces, and ordinary ones.
    pub presigned: (u64, u64),
    /// Readings of the account, and those that failed.
    pub account_reads: (u64, u64),
}
