//! The rows that leave the hot thread for the files. `Copy`, so that they pass a ring as they are;
//! `serde`, so that the journal can hold them.

use serde::{Deserialize, Serialize};

use crate::types::ids::{AssetId, Coin, CrossId, SignalId};
use crate::types::market::Level;
use crate::types::num::{Bps, Px, Ratio, Side, Sz, Usd};
use crate::types::time::{Day, Nanos, VenueMs, Wall};

/// The gates in the order they are judged; gate 1 is the first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the gates are described where they are written, in `risk`")]
pub enum Gate {
    BboUpdate,
    CtxUpdate,
    TimeRegression,
    MarkMidDivergence,
    SpreadShock,
    OiCap,
    ParamChange,
    Halt,
}

impl Gate {
    /// All, in order.
    pub const ALL: [Gate; 8] = [
        Gate::BboUpdate,
        Gate::CtxUpdate,
        Gate::TimeRegression,
        Gate::MarkMidDivergence,
        Gate::SpreadShock,
        Gate::OiCap,
        Gate::ParamChange,
        Gate::Halt,
    ];

    /// As files and logs write it.
    pub const fn name(self) -> &'static str {
        match self {
            Gate::BboUpdate => "BboUpdate",
            Gate::CtxUpdate => "CtxUpdate",
            Gate::TimeRegression => "TimeRegression",
            Gate::MarkMidDivergence => "MarkMidDivergence",
            Gate::SpreadShock => "SpreadShock",
            Gate::OiCap => "OiCap",
            Gate::ParamChange => "ParamChange",
            Gate::Halt => "Halt",
        }
    }

    /// Its bit in `gate_mask`.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What the engine may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Watches and records.
    Observation,
    /// Also sends orders.
    Trading,
}

impl Mode {
    /// As files and the config write it.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Observation => "observation",
            Mode::Trading => "trading",
        }
    }
}

/// What became of a signal, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Decision {
    /// Observation mode, and no gate blocked.
    Observed,
    /// This gate blocked.
    Blocked(Gate),
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Decision::Observed => f.write_str("observed"),
            Decision::Blocked(gate) => write!(f, "blocked:{}", gate.name()),
        }
    }
}

/// A dislocation at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SignalRow {
    /// Unique across restarts.
    pub id: SignalId,
    /// When it was found.
    pub detected_at: Wall,
    /// The market.
    pub coin: Coin,
    /// The market's asset id.
    pub asset: AssetId,
    /// The side that would be taken.
    pub side: Side,
    /// Oracle price.
    pub oracle_px: Px,
    /// Mark price, if known.
    pub mark_px: Option<Px>,
    /// Best bid, if any.
    pub bid: Option<Level>,
    /// Best ask, if any.
    pub ask: Option<Level>,
    /// Distance of the touched price to the oracle.
    pub raw_edge: Bps,
    /// The same less taker fee and slippage.
    pub net_edge: Bps,
    /// What the edge had to reach: fee, slippage and minimum, or the market's threshold.
    pub cost: Bps,
    /// The size to take.
    pub suggested_sz: Sz,
    /// Its value at the touched price.
    pub suggested_notional: Usd,
    /// Share of the full size left by a thin book and a shocked spread.
    pub size_factor: Ratio,
    /// Spread in bps of mid.
    pub spread: Option<Bps>,
    /// The market's average spread before this quote.
    pub spread_ewma: Option<Bps>,
    /// Age of the quote.
    pub bbo_age: Nanos,
    /// Age of the ctx.
    pub ctx_age: Nanos,
    /// The quote's block time.
    pub bbo_time: VenueMs,
    /// The cross it belongs to.
    pub cross: CrossId,
    /// How long the cross had lasted.
    pub cross_age: Nanos,
    /// The first gate that blocked.
    pub blocked_by: Option<Gate>,
    /// Every gate that would have blocked: bit 0 is gate 1.
    pub gate_mask: u8,
    /// What became of it.
    pub decision: Decision,
    /// The mode of the run.
    pub mode: Mode,
}

/// How much a later look at a signal saw.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// The market's live state.
    Captured,
    /// State whose ctx had gone stale.
    Stale,
    /// Nothing: the link was down, or the market had not come back yet.
    Disconnected,
    /// Nothing: the run ended before the look was due.
    Shutdown,
}

impl Capture {
    /// As files write it.
    pub const fn name(self) -> &'static str {
        match self {
            Capture::Captured => "captured",
            Capture::Stale => "stale",
            Capture::Disconnected => "disconnected",
            Capture::Shutdown => "shutdown",
        }
    }
}

/// Offsets of the follow-ups of every signal, in milliseconds.
pub const FOLLOW_UP_MS: [u32; 3] = [1000, 3000, 5000];

/// The market at a fixed time after a signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct FollowUpRow {
    /// The signal.
    pub signal: SignalId,
    /// Its market.
    pub coin: Coin,
    /// Its side.
    pub side: Side,
    /// When it was found.
    pub signal_at: Wall,
    /// Which follow-up: one of [`FOLLOW_UP_MS`].
    pub offset_ms: u32,
    /// When this look was taken.
    pub captured_at: Wall,
    /// Oracle price.
    pub oracle_px: Option<Px>,
    /// Best bid.
    pub bid: Option<Level>,
    /// Best ask.
    pub ask: Option<Level>,
    /// Edge on the signal's side.
    pub raw_edge: Option<Bps>,
    /// That edge less the signal's.
    pub edge_change: Option<Bps>,
    /// Move of the oracle since the signal, in bps of the oracle then.
    pub oracle_moved: Option<Bps>,
    /// Move of the mid since the signal, in bps of the mid then.
    pub market_moved: Option<Bps>,
    /// Profit of entering at the signal's touched price and leaving at this bid or ask, in bps of
    /// the entry, before fees; `None` when nothing stood there.
    pub markout: Option<Bps>,
    /// Age of the quote.
    pub bbo_age: Option<Nanos>,
    /// How much was seen.
    pub status: Capture,
}

/// What an order sent at the signal would have met some time later.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct EntryRow {
    /// The signal.
    pub signal: SignalId,
    /// Its market.
    pub coin: Coin,
    /// Its side.
    pub side: Side,
    /// When it was found; decides the file's day, and is no column of its own.
    pub signal_at: Wall,
    /// The latency probed.
    pub latency_ms: u32,
    /// When this look was taken.
    pub captured_at: Wall,
    /// The signal's touched price.
    pub limit_px: Px,
    /// The price on the touched side now.
    pub px: Option<Px>,
    /// Size at the limit or better; zero when gone. Only the top of the book is known, so more may
    /// have stood behind it.
    pub available_sz: Option<Sz>,
    /// The same, up to the suggested size.
    pub fillable_sz: Option<Sz>,
    /// Oracle price now.
    pub oracle_px: Option<Px>,
    /// How much was seen.
    pub status: Capture,
}

/// Why a cross ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrossEnd {
    /// The quote moved: the touched price no longer clears the cost.
    Quote,
    /// The oracle moved (or the cost did).
    Oracle,
    /// The book could not be traded any more: a side vanished or was empty, or it crossed itself.
    NoQuote,
    /// The ctx went stale.
    Stale,
    /// The link dropped.
    Disconnected,
    /// The run ended.
    Shutdown,
    /// The process died; the end is not known.
    Killed,
}

impl CrossEnd {
    /// As files write it.
    pub const fn name(self) -> &'static str {
        match self {
            CrossEnd::Quote => "quote",
            CrossEnd::Oracle => "oracle",
            CrossEnd::NoQuote => "no_quote",
            CrossEnd::Stale => "stale",
            CrossEnd::Disconnected => "disconnected",
            CrossEnd::Shutdown => "shutdown",
            CrossEnd::Killed => "killed",
        }
    }
}

/// A time during which a market stood dislocated on one side.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CrossRow {
    /// Unique across restarts.
    pub id: CrossId,
    /// The market.
    pub coin: Coin,
    /// The side that would be taken.
    pub side: Side,
    /// When the condition became true.
    pub started_at: Wall,
    /// When it ended.
    pub ended_at: Wall,
    /// The time between, by the monotonic clock.
    pub duration: Nanos,
    /// Until less than the suggested size was seen at the first touched price or better; `None`
    /// when that was not seen before the end.
    pub quote_survival: Option<Nanos>,
    /// Largest edge seen.
    pub max_raw_edge: Bps,
    /// Signals it yielded.
    pub signals: u32,
    /// Why it ended.
    pub end: CrossEnd,
}

/// Why nothing was seen for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The run was starting: not all markets had data yet.
    Start,
    /// The link was down or brought nothing, or its markets had not all come back.
    LinkDown,
    /// A full ring swallowed rows.
    RingOverflow,
    /// The files could not be written, and the rows that wait for them ran over their bound.
    Storage,
    /// Between a stop in order and the next start.
    Stopped,
    /// Between the death of the process and the next start.
    Killed,
}

impl GapCause {
    /// As files write it.
    pub const fn name(self) -> &'static str {
        match self {
            GapCause::Start => "start",
            GapCause::LinkDown => "link_down",
            GapCause::RingOverflow => "ring_overflow",
            GapCause::Storage => "storage",
            GapCause::Stopped => "stopped",
            GapCause::Killed => "killed",
        }
    }
}

/// A time during which we saw nothing, or not everything.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct GapRow {
    /// Since when.
    pub started_at: Wall,
    /// Until when.
    pub ended_at: Wall,
    /// Why.
    pub cause: GapCause,
    /// How many markets it concerns; 0 when that is not known (no market had been read yet).
    pub markets: u32,
}

/// Any row.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "rows pass through rings by value")]
pub enum Row {
    /// `signals_…`
    Signal(SignalRow),
    /// `followup_…`
    FollowUp(FollowUpRow),
    /// `entries_…`
    Entry(EntryRow),
    /// `crosses_…`
    Cross(CrossRow),
    /// `gaps_…`
    Gap(GapRow),
}

/// The kinds of files, one a day and kind.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[allow(missing_docs, reason = "named after the rows")]
pub enum RowKind {
    Signals,
    FollowUps,
    Entries,
    Crosses,
    Gaps,
}

impl RowKind {
    /// All, in order.
    pub const ALL: [RowKind; 5] =
        [RowKind::Signals, RowKind::FollowUps, RowKind::Entries, RowKind::Crosses, RowKind::Gaps];

    /// How names of its files begin: `signals_20261122.parquet`.
    pub const fn file_stem(self) -> &'static str {
        match self {
            RowKind::Signals => "signals",
            RowKind::FollowUps => "followup",
            RowKind::Entries => "entries",
            RowKind::Crosses => "crosses",
            RowKind::Gaps => "gaps",
        }
    }
}

impl Row {
    /// The kind of file it belongs to.
    pub const fn kind(&self) -> RowKind {
        match self {
            Row::Signal(_) => RowKind::Signals,
            Row::FollowUp(_) => RowKind::FollowUps,
            Row::Entry(_) => RowKind::Entries,
            Row::Cross(_) => RowKind::Crosses,
            Row::Gap(_) => RowKind::Gaps,
        }
    }

    /// The day of the file it belongs to: a signal's follow-ups and entry probes lie with it, a
    /// cross or a gap where it began.
    pub const fn day(&self) -> Day {
        match self {
            Row::Signal(row) => row.detected_at.day(),
            Row::FollowUp(row) => row.signal_at.day(),
            Row::Entry(row) => row.signal_at.day(),
            Row::Cross(row) => row.started_at.day(),
            Row::Gap(row) => row.started_at.day(),
        }
    }
}
