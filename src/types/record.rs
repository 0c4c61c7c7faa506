//! The rows that leave the hot thread for the files. `Copy`, so that they pass a ring as they are;
//! `serde`, so that the journal can hold them.

use serde::{Deserialize, Serialize};

use crate::types::ids::{AssetId, Coin, CrossId, SignalId};
use crate::types::market::Level;
use crate::types::num::{Bps, Px, Ratio, Side, Sz, Usd};
use crate::types::order::{Cloid, Purpose, Refusal};
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

/// The executor's checks in the order they are made. The first five reject, the last three skip.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the checks are described where they are written, in `executor`")]
pub enum Check {
    HardStop,
    NotReady,
    MaxPositionPerMarket,
    MaxPositionTotal,
    MaxConcurrentPositions,
    AlreadyHasPosition,
    PendingOrderExists,
    BudgetExhausted,
}

impl Check {
    /// All, in order.
    pub const ALL: [Check; 8] = [
        Check::HardStop,
        Check::NotReady,
        Check::MaxPositionPerMarket,
        Check::MaxPositionTotal,
        Check::MaxConcurrentPositions,
        Check::AlreadyHasPosition,
        Check::PendingOrderExists,
        Check::BudgetExhausted,
    ];

    /// As files and logs write it.
    pub const fn name(self) -> &'static str {
        match self {
            Check::HardStop => "HardStop",
            Check::NotReady => "NotReady",
            Check::MaxPositionPerMarket => "MaxPositionPerMarket",
            Check::MaxPositionTotal => "MaxPositionTotal",
            Check::MaxConcurrentPositions => "MaxConcurrentPositions",
            Check::AlreadyHasPosition => "AlreadyHasPosition",
            Check::PendingOrderExists => "PendingOrderExists",
            Check::BudgetExhausted => "BudgetExhausted",
        }
    }

    /// Whether failing it rejects a signal; else it is skipped.
    pub const fn rejects(self) -> bool {
        (self as u8) <= Check::MaxConcurrentPositions as u8
    }
}

/// The entry filters in the order they are judged: whether a dislocation is a late quote, worth taking,
/// or something else.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the filters are described where they are written, in `risk`")]
pub enum Filter {
    MaxEdge,
}

impl Filter {
    /// All, in order.
    pub const ALL: [Filter; 1] = [Filter::MaxEdge];

    /// As files and logs write it.
    pub const fn name(self) -> &'static str {
        match self {
            Filter::MaxEdge => "MaxEdge",
        }
    }
}

/// What made the size of an order differ from the size that its signal suggested.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SizeLimit {
    /// Clipped: room left under `position.max_notional_per_market`.
    Market,
    /// Clipped: room left under `position.max_total_notional`.
    Total,
    /// Clipped: room left in its market under the share of the balance that dynamic sizing allows.
    Dynamic,
    /// Clipped: free margin of the account.
    Margin,
    /// Lifted to the venue's least order.
    Minimum,
}

impl SizeLimit {
    /// All limits.
    pub const ALL: [SizeLimit; 5] = [
        SizeLimit::Market,
        SizeLimit::Total,
        SizeLimit::Dynamic,
        SizeLimit::Margin,
        SizeLimit::Minimum,
    ];

    /// As files write it.
    pub const fn name(self) -> &'static str {
        match self {
            SizeLimit::Market => "market",
            SizeLimit::Total => "total",
            SizeLimit::Dynamic => "dynamic",
            SizeLimit::Margin => "margin",
            SizeLimit::Minimum => "minimum",
        }
    }
}

/// How many times a signal's cost and the distance between its two edges hold the taker fee: it is paid
/// on the way in and on the way out.
pub const FEE_SIDES: u8 = 2;

/// What became of a signal, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Decision {
    /// Observation mode, and no gate or filter blocked.
    Observed,
    /// This gate blocked.
    Blocked(Gate),
    /// No gate blocked, and this filter did.
    Filtered(Filter),
    /// Trading mode: this check of the executor failed.
    Failed(Check),
    /// Trading mode: the size is worth less than the venue's least order, and cannot be lifted to it.
    BelowMinimum,
    /// Trading mode: approved, and handed to the venue or to the queue.
    Sent,
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Decision::Observed => f.write_str("observed"),
            Decision::Blocked(gate) => write!(f, "blocked:{}", gate.name()),
            Decision::Filtered(filter) => write!(f, "filtered:{}", filter.name()),
            Decision::Failed(check) if check.rejects() => write!(f, "rejected:{}", check.name()),
            Decision::Failed(check) => write!(f, "skipped:{}", check.name()),
            Decision::BelowMinimum => f.write_str("skipped:BelowMinimum"),
            Decision::Sent => f.write_str("sent"),
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
    /// The same less the taker fee both ways ([`FEE_SIDES`]) and slippage.
    pub net_edge: Bps,
    /// What the edge had to reach: fee both ways, slippage and minimum, or the market's threshold.
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
    /// Trading mode: what made the order's size another one than the suggested one, if anything did.
    #[serde(default)]
    pub limited_by: Option<SizeLimit>,
    /// The mode of the run.
    pub mode: Mode,
}

/// How much a later look at a signal saw.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleStatus {
    /// The market's live state.
    Captured,
    /// State whose ctx had gone stale, of a feed that is late, or of before the process stood still.
    Stale,
    /// Nothing: the link was down, or the market had not come back yet.
    Disconnected,
    /// Nothing: the run ended before the look was due.
    Shutdown,
}

impl SampleStatus {
    /// As files write it.
    pub const fn name(self) -> &'static str {
        match self {
            SampleStatus::Captured => "captured",
            SampleStatus::Stale => "stale",
            SampleStatus::Disconnected => "disconnected",
            SampleStatus::Shutdown => "shutdown",
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
    pub status: SampleStatus,
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
    pub status: SampleStatus,
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
    /// The ctx went stale, or the process stood still.
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
    /// The process stood still: what arrived meanwhile was seen late.
    Paused,
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
            GapCause::Paused => "paused",
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
    /// Begin of the gap.
    pub started_at: Wall,
    /// End of the gap.
    pub ended_at: Wall,
    /// Cause of the gap.
    pub cause: GapCause,
    /// How many markets it concerns; 0 when that is not known (no market had been read yet).
    pub markets: u32,
}

/// Why a position is closed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitReason {
    /// The price came back to the oracle.
    MarkRegression,
    /// It was held long enough.
    TimeStop,
    /// The operator asked for it.
    Flatten,
    /// The run ends.
    Shutdown,
    /// Somebody else closed it: the account's owner, or a liquidation.
    Foreign,
}

impl ExitReason {
    /// All reasons.
    pub const ALL: [ExitReason; 5] = [
        ExitReason::MarkRegression,
        ExitReason::TimeStop,
        ExitReason::Flatten,
        ExitReason::Shutdown,
        ExitReason::Foreign,
    ];

    /// As files write it.
    pub const fn name(self) -> &'static str {
        match self {
            ExitReason::MarkRegression => "mark_regression",
            ExitReason::TimeStop => "time_stop",
            ExitReason::Flatten => "flatten",
            ExitReason::Shutdown => "shutdown",
            ExitReason::Foreign => "foreign",
        }
    }
}

/// How an order ended.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Filled whole.
    Filled,
    /// In part; the rest is gone.
    PartiallyFilled,
    /// Nothing of it filled: no price was there, it came too late, or the venue cancelled it.
    Expired,
    /// Refused.
    Rejected,
    /// Never sent: what it waited for did not come, or forbade it.
    Dropped,
    /// What became of it could not be found out.
    Unknown,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Outcome; 6] = [
        Outcome::Filled,
        Outcome::PartiallyFilled,
        Outcome::Expired,
        Outcome::Rejected,
        Outcome::Dropped,
        Outcome::Unknown,
    ];

    /// As files write it.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Filled => "filled",
            Outcome::PartiallyFilled => "partially_filled",
            Outcome::Expired => "expired",
            Outcome::Rejected => "rejected",
            Outcome::Dropped => "dropped",
            Outcome::Unknown => "unknown",
        }
    }
}

/// An order at its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct OrderRow {
    /// Our name for it.
    pub cloid: Cloid,
    /// The venue's, if it was told.
    pub oid: Option<u64>,
    /// The nonce of the action that carried it, if it was sent.
    pub nonce: Option<u64>,
    /// The market.
    pub coin: Coin,
    /// The market's asset id.
    pub asset: AssetId,
    /// Side of the order.
    pub side: Side,
    /// The limit.
    pub px: Px,
    /// The size.
    pub sz: Sz,
    /// Whether it could only shrink a position.
    pub reduce_only: bool,
    /// Why it was sent.
    pub purpose: Purpose,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was refused, if it was.
    pub refusal: Option<Refusal>,
    /// How much of it filled.
    pub filled: Sz,
    /// Mean price of that, rounded to 1e-8 toward zero.
    pub avg_px: Option<Px>,
    /// Fees of that; below zero is a rebate.
    pub fee: Usd,
    /// When it was approved.
    pub created_at: Wall,
    /// When it was handed to the socket.
    pub sent_at: Option<Wall>,
    /// When the post was answered.
    pub answered_at: Option<Wall>,
    /// When `orderUpdates` first told its end.
    pub updated_at: Option<Wall>,
    /// When its last fill was told.
    pub filled_at: Option<Wall>,
    /// When it was over for us.
    pub ended_at: Wall,
    /// From the receipt of the news that made it to the socket.
    pub send_latency: Option<Nanos>,
    /// From the socket to the answer.
    pub answer_latency: Option<Nanos>,
}

/// A round trip: from flat to flat.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct TradeRow {
    /// Unique across restarts.
    pub id: u64,
    /// The signal that was taken; `None` for a position that was found, or not ours.
    pub signal: Option<SignalId>,
    /// The market.
    pub coin: Coin,
    /// The market's asset id.
    pub asset: AssetId,
    /// The side it was entered on.
    pub side: Side,
    /// How much was held in all.
    pub sz: Sz,
    /// Mean entry price, rounded to 1e-8 toward zero.
    pub entry_px: Px,
    /// Mean exit price, likewise.
    pub exit_px: Px,
    /// When it was entered.
    pub entered_at: Wall,
    /// When it was flat.
    pub exited_at: Wall,
    /// The time between.
    pub held: Nanos,
    /// Why it was closed.
    pub exit: ExitReason,
    /// Profit before fees.
    pub gross: Usd,
    /// Fees both ways; below zero is a rebate.
    pub fees: Usd,
    /// Profit after fees.
    pub net: Usd,
    /// Fills it was made of.
    pub fills: u32,
    /// Whether it was found at a start rather than opened by this run.
    pub adopted: bool,
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
    /// `orders_…`
    Order(OrderRow),
    /// `trades_…`
    Trade(TradeRow),
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
    Orders,
    Trades,
}

impl RowKind {
    /// All, in order.
    pub const ALL: [RowKind; 7] = [
        RowKind::Signals,
        RowKind::FollowUps,
        RowKind::Entries,
        RowKind::Crosses,
        RowKind::Gaps,
        RowKind::Orders,
        RowKind::Trades,
    ];

    /// How names of its files begin: `signals_20261122.parquet`.
    pub const fn file_stem(self) -> &'static str {
        match self {
            RowKind::Signals => "signals",
            RowKind::FollowUps => "followup",
            RowKind::Entries => "entries",
            RowKind::Crosses => "crosses",
            RowKind::Gaps => "gaps",
            RowKind::Orders => "orders",
            RowKind::Trades => "trades",
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
            Row::Order(_) => RowKind::Orders,
            Row::Trade(_) => RowKind::Trades,
        }
    }

    /// The day of the file it belongs to: a signal's follow-ups and entry probes lie with it, a
    /// cross or a gap where it began, an order or a trade where it ended.
    pub const fn day(&self) -> Day {
        match self {
            Row::Signal(row) => row.detected_at.day(),
            Row::FollowUp(row) => row.signal_at.day(),
            Row::Entry(row) => row.signal_at.day(),
            Row::Cross(row) => row.started_at.day(),
            Row::Gap(row) => row.started_at.day(),
            Row::Order(row) => row.ended_at.day(),
            Row::Trade(row) => row.exited_at.day(),
        }
    }
}
