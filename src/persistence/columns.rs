//! The columns of every kind of file: name, type, and where the value comes from. Their order here
//! is their order in the files, and all of it is a promise to whoever reads them.

use std::borrow::Cow;

use crate::types::market::Level;
use crate::types::num::{Bps, MAX_UNITS, Px, Sz, Usd};
use crate::types::order::Purpose;
use crate::types::record::{
    CrossRow, EntryRow, FollowUpRow, GapRow, OrderRow, Row, RowKind, SignalRow, TradeRow,
};
use crate::types::time::{Nanos, Wall};

/// Raised whenever a column is added, removed, renamed, or changes type or meaning. A day file of
/// another version is set aside at start, never continued.
///
/// Version 2: signals have `limited_by`, and their costs and net edges count the taker fee twice (see
/// [`RunInfo::fee_sides`](crate::persistence::RunInfo::fee_sides)).
pub(super) const SCHEMA_VERSION: u32 = 2;

/// Versions whose files can still be read: what changed since is told by column and by run.
pub(super) const READABLE: std::ops::RangeInclusive<u32> = 1..=SCHEMA_VERSION;

/// The type of a column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Type {
    UInt8,
    UInt32,
    UInt64,
    Int32,
    Int64,
    Float64,
    /// `decimal(18,8)`.
    Decimal,
    /// `timestamp(ns, UTC)`.
    Time,
    Text,
    /// Zero or one.
    Bool,
}

/// One value; decimals in units of 1e-8, times in nanoseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Int(i64),
    /// Apart from `Int`, since ids use all 64 bits.
    UInt(u64),
    Float(f64),
    Text(Cow<'a, str>),
}

/// Name and type of a column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) ty: Type,
    pub(super) nullable: bool,
}

/// The columns of a kind, in order.
pub(super) fn fields(kind: RowKind) -> Vec<Field> {
    fn of<R>(columns: &[Column<R>]) -> Vec<Field> {
        columns.iter().map(|column| column.field).collect()
    }
    match kind {
        RowKind::Signals => of(SIGNALS),
        RowKind::FollowUps => of(FOLLOW_UPS),
        RowKind::Entries => of(ENTRIES),
        RowKind::Crosses => of(CROSSES),
        RowKind::Gaps => of(GAPS),
        RowKind::Orders => of(ORDERS),
        RowKind::Trades => of(TRADES),
    }
}

/// The value of column number `column` in `row`; null past the last column.
pub(super) fn cell(row: &Row, column: usize) -> Cell<'_> {
    fn of<'a, R>(columns: &[Column<R>], column: usize, row: &'a R) -> Cell<'a> {
        columns.get(column).map_or(Cell::Null, |column| (column.cell)(row))
    }
    match row {
        Row::Signal(row) => of(SIGNALS, column, row),
        Row::FollowUp(row) => of(FOLLOW_UPS, column, row),
        Row::Entry(row) => of(ENTRIES, column, row),
        Row::Cross(row) => of(CROSSES, column, row),
        Row::Gap(row) => of(GAPS, column, row),
        Row::Order(row) => of(ORDERS, column, row),
        Row::Trade(row) => of(TRADES, column, row),
    }
}

struct Column<R: 'static> {
    field: Field,
    cell: fn(&R) -> Cell<'_>,
}

const fn col<R>(name: &'static str, ty: Type, cell: fn(&R) -> Cell<'_>) -> Column<R> {
    Column { field: Field { name, ty, nullable: false }, cell }
}

/// A column that may hold nothing.
const fn opt<R>(name: &'static str, ty: Type, cell: fn(&R) -> Cell<'_>) -> Column<R> {
    Column { field: Field { name, ty, nullable: true }, cell }
}

const SIGNALS: &[Column<SignalRow>] = &[
    col("signal_id", Type::UInt64, |r| Cell::UInt(r.id.0)),
    col("detected_at", Type::Time, |r| time(r.detected_at)),
    col("market", Type::Text, |r| text(r.coin.as_str())),
    col("asset_id", Type::UInt32, |r| Cell::UInt(r.asset.0.into())),
    col("side", Type::Text, |r| text(r.side.name())),
    col("oracle_px", Type::Decimal, |r| px(r.oracle_px)),
    opt("mark_px", Type::Decimal, |r| maybe(r.mark_px, px)),
    opt("bid_px", Type::Decimal, |r| maybe(r.bid, level_px)),
    opt("bid_sz", Type::Decimal, |r| maybe(r.bid, level_sz)),
    opt("ask_px", Type::Decimal, |r| maybe(r.ask, level_px)),
    opt("ask_sz", Type::Decimal, |r| maybe(r.ask, level_sz)),
    col("raw_edge_bps", Type::Float64, |r| bps(r.raw_edge)),
    col("net_edge_bps", Type::Float64, |r| bps(r.net_edge)),
    col("cost_bps", Type::Float64, |r| bps(r.cost)),
    col("suggested_sz", Type::Decimal, |r| sz(r.suggested_sz)),
    col("suggested_notional", Type::Decimal, |r| usd(r.suggested_notional)),
    col("size_factor", Type::Float64, |r| Cell::Float(r.size_factor.to_f64())),
    opt("spread_bps", Type::Float64, |r| maybe(r.spread, bps)),
    opt("spread_ewma_bps", Type::Float64, |r| maybe(r.spread_ewma, bps)),
    col("bbo_age_us", Type::Int64, |r| micros(r.bbo_age)),
    col("ctx_age_us", Type::Int64, |r| micros(r.ctx_age)),
    col("bbo_time_ms", Type::Int64, |r| Cell::Int(r.bbo_time.0)),
    col("cross_id", Type::UInt64, |r| Cell::UInt(r.cross.0)),
    col("cross_age_ms", Type::Int64, |r| count(r.cross_age.as_millis())),
    opt("blocked_by", Type::Text, |r| maybe(r.blocked_by, |gate| text(gate.name()))),
    col("gate_mask", Type::UInt8, |r| Cell::UInt(r.gate_mask.into())),
    col("decision", Type::Text, |r| Cell::Text(r.decision.to_string().into())),
    opt("limited_by", Type::Text, |r| maybe(r.limited_by, |limit| text(limit.name()))),
    col("mode", Type::Text, |r| text(r.mode.name())),
];

const FOLLOW_UPS: &[Column<FollowUpRow>] = &[
    col("signal_id", Type::UInt64, |r| Cell::UInt(r.signal.0)),
    col("market", Type::Text, |r| text(r.coin.as_str())),
    col("side", Type::Text, |r| text(r.side.name())),
    col("signal_at", Type::Time, |r| time(r.signal_at)),
    col("offset_ms", Type::Int32, |r| Cell::Int(r.offset_ms.into())),
    col("captured_at", Type::Time, |r| time(r.captured_at)),
    opt("oracle_px", Type::Decimal, |r| maybe(r.oracle_px, px)),
    opt("bid_px", Type::Decimal, |r| maybe(r.bid, level_px)),
    opt("bid_sz", Type::Decimal, |r| maybe(r.bid, level_sz)),
    opt("ask_px", Type::Decimal, |r| maybe(r.ask, level_px)),
    opt("ask_sz", Type::Decimal, |r| maybe(r.ask, level_sz)),
    opt("raw_edge_bps", Type::Float64, |r| maybe(r.raw_edge, bps)),
    opt("edge_change_bps", Type::Float64, |r| maybe(r.edge_change, bps)),
    opt("oracle_moved_bps", Type::Float64, |r| maybe(r.oracle_moved, bps)),
    opt("market_moved_bps", Type::Float64, |r| maybe(r.market_moved, bps)),
    opt("markout_bps", Type::Float64, |r| maybe(r.markout, bps)),
    opt("bbo_age_us", Type::Int64, |r| maybe(r.bbo_age, micros)),
    col("status", Type::Text, |r| text(r.status.name())),
];

const ENTRIES: &[Column<EntryRow>] = &[
    col("signal_id", Type::UInt64, |r| Cell::UInt(r.signal.0)),
    col("market", Type::Text, |r| text(r.coin.as_str())),
    col("side", Type::Text, |r| text(r.side.name())),
    col("latency_ms", Type::Int32, |r| Cell::Int(r.latency_ms.into())),
    col("captured_at", Type::Time, |r| time(r.captured_at)),
    col("limit_px", Type::Decimal, |r| px(r.limit_px)),
    opt("px", Type::Decimal, |r| maybe(r.px, px)),
    opt("available_sz", Type::Decimal, |r| maybe(r.available_sz, sz)),
    opt("fillable_sz", Type::Decimal, |r| maybe(r.fillable_sz, sz)),
    opt("oracle_px", Type::Decimal, |r| maybe(r.oracle_px, px)),
    col("status", Type::Text, |r| text(r.status.name())),
];

const CROSSES: &[Column<CrossRow>] = &[
    col("cross_id", Type::UInt64, |r| Cell::UInt(r.id.0)),
    col("market", Type::Text, |r| text(r.coin.as_str())),
    col("side", Type::Text, |r| text(r.side.name())),
    col("started_at", Type::Time, |r| time(r.started_at)),
    col("ended_at", Type::Time, |r| time(r.ended_at)),
    col("duration_us", Type::Int64, |r| micros(r.duration)),
    opt("quote_survival_us", Type::Int64, |r| maybe(r.quote_survival, micros)),
    col("max_raw_edge_bps", Type::Float64, |r| bps(r.max_raw_edge)),
    col("signals", Type::UInt32, |r| Cell::UInt(r.signals.into())),
    col("end_reason", Type::Text, |r| text(r.end.name())),
];

const GAPS: &[Column<GapRow>] = &[
    col("started_at", Type::Time, |r| time(r.started_at)),
    col("ended_at", Type::Time, |r| time(r.ended_at)),
    col("cause", Type::Text, |r| text(r.cause.name())),
    col("markets", Type::UInt32, |r| Cell::UInt(r.markets.into())),
];

const ORDERS: &[Column<OrderRow>] = &[
    col("cloid", Type::Text, |r| Cell::Text(Cow::Owned(r.cloid.to_string()))),
    opt("oid", Type::UInt64, |r| maybe(r.oid, Cell::UInt)),
    opt("nonce", Type::UInt64, |r| maybe(r.nonce, Cell::UInt)),
    opt("signal_id", Type::UInt64, |r| match r.purpose {
        Purpose::Entry(signal) => Cell::UInt(signal.0),
        Purpose::Exit(_) => Cell::Null,
    }),
    col("market", Type::Text, |r| text(r.coin.as_str())),
    col("asset_id", Type::UInt32, |r| Cell::UInt(r.asset.0.into())),
    col("side", Type::Text, |r| text(r.side.name())),
    col("px", Type::Decimal, |r| px(r.px)),
    col("sz", Type::Decimal, |r| sz(r.sz)),
    col("reduce_only", Type::Bool, |r| Cell::Int(r.reduce_only.into())),
    col("reason", Type::Text, |r| text(r.purpose.name())),
    col("outcome", Type::Text, |r| text(r.outcome.name())),
    opt("refusal", Type::Text, |r| maybe(r.refusal, |refusal| text(refusal.name()))),
    col("filled", Type::Decimal, |r| sz(r.filled)),
    opt("avg_px", Type::Decimal, |r| maybe(r.avg_px, px)),
    col("fee", Type::Decimal, |r| usd(r.fee)),
    col("created_at", Type::Time, |r| time(r.created_at)),
    opt("sent_at", Type::Time, |r| maybe(r.sent_at, time)),
    opt("answered_at", Type::Time, |r| maybe(r.answered_at, time)),
    opt("updated_at", Type::Time, |r| maybe(r.updated_at, time)),
    opt("filled_at", Type::Time, |r| maybe(r.filled_at, time)),
    col("ended_at", Type::Time, |r| time(r.ended_at)),
    opt("send_latency_ns", Type::Int64, |r| maybe(r.send_latency, nanos)),
    opt("answer_latency_ns", Type::Int64, |r| maybe(r.answer_latency, nanos)),
];

const TRADES: &[Column<TradeRow>] = &[
    col("trade_id", Type::UInt64, |r| Cell::UInt(r.id)),
    opt("signal_id", Type::UInt64, |r| maybe(r.signal, |signal| Cell::UInt(signal.0))),
    col("market", Type::Text, |r| text(r.coin.as_str())),
    col("asset_id", Type::UInt32, |r| Cell::UInt(r.asset.0.into())),
    col("side", Type::Text, |r| text(r.side.name())),
    col("sz", Type::Decimal, |r| sz(r.sz)),
    col("entry_px", Type::Decimal, |r| px(r.entry_px)),
    col("exit_px", Type::Decimal, |r| px(r.exit_px)),
    col("entered_at", Type::Time, |r| time(r.entered_at)),
    col("exited_at", Type::Time, |r| time(r.exited_at)),
    col("holding_ms", Type::Int64, |r| count(r.held.as_millis())),
    col("exit_reason", Type::Text, |r| text(r.exit.name())),
    col("pnl_before_fees", Type::Decimal, |r| usd(r.gross)),
    col("fees", Type::Decimal, |r| usd(r.fees)),
    col("pnl", Type::Decimal, |r| usd(r.net)),
    col("fills", Type::UInt32, |r| Cell::UInt(r.fills.into())),
    col("adopted", Type::Bool, |r| Cell::Int(r.adopted.into())),
];

fn maybe<'a, T>(value: Option<T>, cell: impl FnOnce(T) -> Cell<'a>) -> Cell<'a> {
    value.map_or(Cell::Null, cell)
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

fn time<'a>(at: Wall) -> Cell<'a> {
    Cell::Int(at.0)
}

fn bps<'a>(bps: Bps) -> Cell<'a> {
    Cell::Float(bps.to_f64())
}

fn count<'a>(n: u64) -> Cell<'a> {
    Cell::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn nanos<'a>(span: Nanos) -> Cell<'a> {
    count(span.0)
}

fn micros<'a>(span: Nanos) -> Cell<'a> {
    count(span.as_micros())
}

/// The column has 18 digits. Whatever was parsed fits; should arithmetic ever make more of it, the
/// largest value that fits is recorded.
fn decimal<'a>(units: i64) -> Cell<'a> {
    Cell::Int(units.clamp(-MAX_UNITS, MAX_UNITS))
}

fn px<'a>(px: Px) -> Cell<'a> {
    decimal(px.units())
}

fn sz<'a>(sz: Sz) -> Cell<'a> {
    decimal(sz.units())
}

fn level_px<'a>(level: Level) -> Cell<'a> {
    px(level.px)
}

fn level_sz<'a>(level: Level) -> Cell<'a> {
    sz(level.sz)
}

/// In units of 1e-6 inside, 1e-8 in the column.
fn usd<'a>(usd: Usd) -> Cell<'a> {
    decimal(usd.units().saturating_mul(100))
}
