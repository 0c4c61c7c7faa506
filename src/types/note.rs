//! What the hot thread has to tell people: facts, formatted elsewhere. And the counters it shows.

use crate::types::account::{Role, SignerStanding};
use crate::types::event::LinkDown;
use crate::types::hard_stop::{HardStop, StopReason};
use crate::types::ids::{Address, Coin, Sample};
use crate::types::losses::LossLimit;
use crate::types::num::{Bps, Px, Side, Sz, Szi, Usd};
use crate::types::order::{Cloid, Purpose, Refusal, RefusalClass};
use crate::types::ready::Waiting;
use crate::types::record::{Check, ExitReason, Filter, GapCause, Gate, Outcome};
use crate::types::time::{Nanos, Wall};

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
    /// The venue's entry of a watched market cannot be read: nothing is opened there.
    MarketOdd { coin: Coin },
    /// The venue drops the link when this coin is subscribed: left alone for `wait`.
    Quarantined { coin: Coin, wait: Nanos },
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
    /// READY changed, or what entries wait for beside it: what holds now.
    Readiness { ready: ReadyFlags, waiting: Waiting },
    /// HardStop has one reason more.
    HardStopSet { reason: StopReason },
    /// HardStop has one reason less.
    HardStopReleased { reason: StopReason },
    /// An operator's command was taken up; `what` says which.
    Operator { what: &'static str },
    /// The account was read.
    AccountRead { positions: u32, available: Option<Usd>, budget_left: i64 },
    /// The account could not be read; tried again after `retry`.
    AccountFailed { retry: Nanos },
    /// An order left.
    OrderSent { coin: Coin, side: Side, px: Px, sz: Sz, purpose: Purpose, cloid: Cloid },
    /// An order is over.
    OrderEnded { coin: Coin, cloid: Cloid, outcome: Outcome, filled: Sz, fee: Usd },
    /// The venue refused an order, in these words.
    Refused { coin: Coin, cloid: Cloid, refusal: Refusal, words: Sample },
    /// An order has filled and no row tells of it: the account is read for it.
    FillRowsMissing { coin: Coin, cloid: Cloid },
    /// A reading of the account shows what an order filled, and no row ever told of it: it is booked at
    /// the price that the answer told, without its fee.
    FillsAssumed { coin: Coin, cloid: Cloid, sz: Sz },
    /// What became of an order is not known: it is looked up.
    OrderInDoubt { coin: Coin, cloid: Cloid },
    /// A position began.
    PositionOpened { coin: Coin, szi: Szi, px: Px },
    /// A position was found at the venue that we did not open.
    PositionAdopted { coin: Coin, szi: Szi, px: Px },
    /// A position is closed.
    PositionClosed { coin: Coin, exit: ExitReason, net: Usd, fees: Usd, held: Nanos },
    /// An exit did not close its position; the next one reaches further.
    ExitMissed { coin: Coin, exit: ExitReason, misses: u32, reach: Bps },
    /// An exit is stuck: nothing further is allowed for it, and it goes on there.
    ExitAtCollar { coin: Coin, misses: u32 },
    /// The collar has held an exit back for too long: it is measured from the quote from now on.
    ExitPastCollar { coin: Coin, px: Px },
    /// An exit left by REST, since no link is open.
    ExitByRest { coin: Coin, cloid: Cloid },
    /// Somebody else traded on the account.
    ForeignFill { coin: Coin, side: Side, sz: Sz, px: Px },
    /// Our position and the venue's differ.
    PositionDiffers { coin: Coin, ours: Szi, theirs: Szi, reads: u32 },
    /// Entries wait, in this market or everywhere, for what the venue said.
    Suspended { coin: Option<Coin>, refusal: Refusal, wait: Nanos },
    /// The address budget is low, or empty: only exits pass.
    BudgetLow { left: i64 },
    /// The leverage of a market could not be set: no entries there.
    LeverageRefused { coin: Coin, words: Sample },
    /// The venue does not do what `signer` signs for `account`, the configured one.
    SignerNotOurs { signer: Address, role: Role, account: Address },
    /// A limit on losses is reached, that of the window or that of the UTC day.
    LossLimit(LossLimit),
    /// Our wall clock is wrong: so far ahead of the venue's, below zero behind it.
    ClockSkew { ms: i64 },
    /// It is right again, but for so much.
    ClockRight { ms: i64 },
    /// What is too old for entries changed; with nothing too old they go on.
    DataAge { age: DataAge },
    /// Funding was paid (below zero) or received.
    Funding { coin: Coin, usd: Usd },
    /// The run is ending, and closes what is open first.
    Flattening { positions: u32 },
    /// The run ends with positions open.
    LeftOpen { positions: u32 },
}

/// A note and when it was made, by the wall clock: it is put into words a while later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// When.
    pub at: Wall,
    /// What.
    pub note: Note,
}

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
