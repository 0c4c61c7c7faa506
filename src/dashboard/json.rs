//! The JSON that the dashboard speaks: its fields are a promise, made of what the hot thread shows.
//!
//! Prices, sizes and amounts are strings, exact as they are; what is not known is `null`; times are
//! milliseconds since 1970.

use std::fmt::Display;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::dashboard::board::Board;
use crate::dashboard::history::History;
use crate::types::counters;
use crate::types::num::{Bps, Px, Side, Sz, Szi, Usd};
use crate::types::order::Purpose;
use crate::types::record::{Mode, OrderRow, Outcome, SignalRow, TradeRow};
use crate::types::snapshot::{MarketSnapshot, Percentiles, PositionSnapshot, Snapshot};
use crate::types::time::{Mono, Wall};

/// Most rows of a kind in one snapshot.
pub(super) const MOST_ROWS: usize = 100;

/// Something exact, written as text.
#[derive(Clone, Copy)]
pub(super) struct Text<T>(pub(super) T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

fn ms(at: Wall) -> i64 {
    at.0.div_euclid(1_000_000)
}

/// `value` as JSON text. What is serialized here has string keys and no failing parts.
pub(super) fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// A whole snapshot, or what of it goes out as an update.
#[derive(Serialize)]
pub(super) struct Page<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    timestamp_ms: i64,
    mode: &'static str,
    version: &'a str,
    run_id: &'a str,
    uptime_s: u64,
    ready: Ready,
    hard_stop: HardStop,
    link: Link,
    feed_lag_ms: Option<u64>,
    clock_skew_seconds: Option<f64>,
    #[serde(rename = "loop")]
    turning: Turning,
    markets: Markets<'a>,
    positions: Positions<'a>,
    pending_orders: u32,
    #[serde(flatten)]
    rows: Option<Rows<'a>>,
    counters: Counters<'a>,
    funnel: Funnel,
    latency: Latency<'a>,
    pnl: Pnl,
    limits: Limits,
    control: Control,
}

#[derive(Serialize)]
struct Ready {
    md_ready: bool,
    order_snapshot: Option<bool>,
    fills_snapshot: Option<bool>,
    position_synced: Option<bool>,
    ws_connected: bool,
    hard_stop_clear: Option<bool>,
    /// What entries wait for beside these; empty when nothing, and in observation.
    waiting: Vec<String>,
}

#[derive(Serialize)]
struct HardStop {
    active: bool,
    reasons: Vec<&'static str>,
    since_ms: Vec<i64>,
}

#[derive(Serialize)]
struct Link {
    state: &'static str,
    connects: u64,
    disconnects: u64,
}

#[derive(Serialize)]
struct Turning {
    turns: u64,
    longest_turn_us: u64,
    lag_ms: u64,
}

#[derive(Serialize)]
struct Rows<'a> {
    signals: Newest<'a, SignalRow>,
    orders: Newest<'a, OrderRow>,
    trades: Newest<'a, TradeRow>,
}

#[derive(Serialize)]
struct Funnel {
    crosses: u64,
    signals: u64,
    passed: u64,
    sent: Option<u64>,
    filled: Option<u64>,
    profitable: Option<u64>,
}

#[derive(Serialize)]
struct Pnl {
    realized: Text<Usd>,
    fees: Text<Usd>,
    trades: u64,
    wins: u64,
}

#[derive(Serialize)]
struct Limits {
    budget_left: Option<i64>,
    exit_reserve: Option<u32>,
}

#[derive(Serialize)]
struct Control {
    available: bool,
    why: Option<&'static str>,
}

impl<'a> Page<'a> {
    /// All of it, as a message on the socket or as an answer.
    pub(super) fn whole(board: &'a Board, as_message: bool) -> Self {
        let kind = as_message.then_some("snapshot");
        let (signals, orders, trades) = (&board.signals, &board.orders, &board.trades);
        let rows =
            Rows { signals: Newest(signals), orders: Newest(orders), trades: Newest(trades) };
        Self::of(board, kind, None, Some(rows))
    }

    /// What changed: the markets for which `changed` says so, and everything else but the rows, which
    /// went out when they came.
    pub(super) fn update(board: &'a Board, changed: &'a [bool]) -> Self {
        Self::of(board, Some("update"), Some(changed), None)
    }

    fn of(
        board: &'a Board,
        kind: Option<&'static str>,
        changed: Option<&'a [bool]>,
        rows: Option<Rows<'a>>,
    ) -> Self {
        let (facts, snapshot) = (&board.facts, &board.snapshot);
        let Snapshot { status, .. } = snapshot;
        let trading = &status.trading;
        let trades_here = facts.mode == Mode::Trading;
        let only_trading = |flag: bool| trades_here.then_some(flag);
        let count = |n: u64| trades_here.then_some(n);
        let filled = [Outcome::Filled, Outcome::PartiallyFilled];
        let why = match (facts.mode, board.has_token) {
            (Mode::Observation, _) => Some("observation"),
            (Mode::Trading, false) => Some("no token"),
            (Mode::Trading, true) => None,
        };
        Self {
            kind,
            timestamp_ms: ms(snapshot.at.wall),
            mode: facts.mode.name(),
            version: &facts.version,
            run_id: &facts.run_id,
            uptime_s: snapshot.uptime.as_millis() / 1_000,
            ready: Ready {
                md_ready: status.md_ready,
                order_snapshot: only_trading(trading.ready.order_snapshot),
                fills_snapshot: only_trading(trading.ready.fills_snapshot),
                position_synced: only_trading(trading.ready.position_synced),
                ws_connected: status.link.is_open(),
                hard_stop_clear: only_trading(!trading.hard_stop.active()),
                waiting: match trades_here {
                    true => {
                        let old = trading.data_age.waiting().map(str::to_owned);
                        trading.waiting.reasons().chain(old).collect()
                    }
                    false => Vec::new(),
                },
            },
            hard_stop: HardStop {
                active: trading.hard_stop.active(),
                reasons: trading.hard_stop.reasons().map(|(reason, _)| reason.name()).collect(),
                since_ms: trading.hard_stop.reasons().map(|(_, since)| ms(since)).collect(),
            },
            link: Link {
                state: status.link.name(),
                connects: status.connects,
                disconnects: status.disconnects,
            },
            feed_lag_ms: status.feed_lag.map(|lag| lag.as_millis()),
            clock_skew_seconds: status.clock_skew_ms.map(|ms| ms as f64 / 1e3),
            turning: Turning {
                turns: snapshot.turns,
                longest_turn_us: snapshot.longest_turn.as_micros(),
                lag_ms: snapshot.lag.as_millis(),
            },
            markets: Markets { shown: &snapshot.markets, now: snapshot.at.mono, only: changed },
            positions: Positions(&snapshot.positions),
            pending_orders: trading.pending,
            rows,
            counters: Counters { snapshot, mode: facts.mode },
            funnel: Funnel {
                crosses: status.crosses,
                signals: status.signals,
                passed: status.signals.saturating_sub(status.signals_blocked),
                sent: count(trading.entries_sent),
                filled: count(filled.iter().map(|o| trading.entries_ended[*o as usize]).sum()),
                profitable: count(trading.wins),
            },
            latency: Latency(&board.latency),
            pnl: Pnl {
                realized: Text(trading.gross.saturating_sub(trading.fees)),
                fees: Text(trading.fees),
                trades: trading.trades.iter().sum(),
                wins: trading.wins,
            },
            limits: Limits {
                budget_left: trades_here.then_some(trading.budget_left),
                exit_reserve: trades_here.then_some(facts.exit_reserve),
            },
            control: Control { available: why.is_none(), why },
        }
    }
}

/// The markets, or those of them that changed.
struct Markets<'a> {
    shown: &'a [MarketSnapshot],
    now: Mono,
    only: Option<&'a [bool]>,
}

impl Serialize for Markets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wanted = |n: usize| self.only.is_none_or(|only| only.get(n).is_none_or(|c| *c));
        let shown = self.shown.iter().enumerate().filter(|(n, _)| wanted(*n));
        serializer.collect_seq(shown.map(|(_, snapshot)| Market::of(snapshot, self.now)))
    }
}

#[derive(Serialize)]
struct Market<'a> {
    coin: &'a str,
    asset_id: u32,
    bid_px: Option<Text<Px>>,
    bid_sz: Option<Text<Sz>>,
    ask_px: Option<Text<Px>>,
    ask_sz: Option<Text<Sz>>,
    oracle_px: Option<Text<Px>>,
    mark_px: Option<Text<Px>>,
    spread_bps: Option<f64>,
    buy_edge_bps: Option<f64>,
    sell_edge_bps: Option<f64>,
    cost_bps: Option<f64>,
    bbo_age_ms: Option<u64>,
    ctx_age_ms: Option<u64>,
    gate: Option<&'static str>,
    state: &'static str,
}

impl<'a> Market<'a> {
    fn of(snapshot: &'a MarketSnapshot, now: Mono) -> Self {
        let edge = |side, px: Option<Px>| Some(px?.edge(side, snapshot.oracle?)?.to_f64());
        let (bid, ask) = (snapshot.bid.map(|level| level.px), snapshot.ask.map(|level| level.px));
        // A market may be copied a turn after the snapshot was begun: no age is below zero.
        let age = |at: Option<Mono>| at.map(|at| now.since(at).as_millis());
        Self {
            coin: snapshot.coin.as_str(),
            asset_id: snapshot.asset.0,
            bid_px: bid.map(Text),
            bid_sz: snapshot.bid.map(|level| Text(level.sz)),
            ask_px: ask.map(Text),
            ask_sz: snapshot.ask.map(|level| Text(level.sz)),
            oracle_px: snapshot.oracle.map(Text),
            mark_px: snapshot.mark.map(Text),
            spread_bps: snapshot.spread.map(Bps::to_f64),
            buy_edge_bps: edge(Side::Buy, ask),
            sell_edge_bps: edge(Side::Sell, bid),
            cost_bps: snapshot.cost.map(Bps::to_f64),
            bbo_age_ms: age(snapshot.bbo_at),
            ctx_age_ms: age(snapshot.ctx_at),
            gate: snapshot.gate.map(|gate| gate.name()),
            state: snapshot.state.name(),
        }
    }
}

struct Positions<'a>(&'a [PositionSnapshot]);

impl Serialize for Positions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Position::of))
    }
}

#[derive(Serialize)]
struct Position<'a> {
    coin: &'a str,
    side: &'static str,
    sz: Text<Sz>,
    entry_px: Option<Text<Px>>,
    mark_px: Option<Text<Px>>,
    unrealized_pnl: Option<Text<Usd>>,
    held_ms: u64,
}

impl<'a> Position<'a> {
    fn of(snapshot: &'a PositionSnapshot) -> Self {
        Self {
            coin: snapshot.coin.as_str(),
            side: held_side(snapshot.szi.side().unwrap_or(Side::Buy)),
            sz: Text(snapshot.szi.abs()),
            entry_px: snapshot.entry.map(Text),
            mark_px: snapshot.mark.map(Text),
            unrealized_pnl: snapshot
                .entry
                .zip(snapshot.mark)
                .and_then(|(entry, mark)| unrealized(snapshot.szi, entry, mark))
                .map(Text),
            held_ms: snapshot.held.as_millis(),
        }
    }
}

/// What a position would bring at `mark`, rounded down; `None` when it does not fit.
pub(super) fn unrealized(szi: Szi, entry: Px, mark: Px) -> Option<Usd> {
    let move_ = i128::from(mark.units()) - i128::from(entry.units());
    let value = move_.checked_mul(i128::from(szi.units()))?; // In 1e-16 USD.
    i64::try_from(value.div_euclid(10_000_000_000)).ok().map(Usd::from_units)
}

/// The side of a position.
const fn held_side(side: Side) -> &'static str {
    match side {
        Side::Buy => "long",
        Side::Sell => "short",
    }
}

/// Rows, newest first.
struct Newest<'a, T>(&'a std::collections::VecDeque<T>);

impl<T: Shown> Serialize for Newest<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.0.iter().rev().take(MOST_ROWS);
        let mut list = serializer.serialize_seq(Some(rows.len()))?;
        for row in rows {
            list.serialize_element(&row.shown())?;
        }
        list.end()
    }
}

/// A row as pages see it.
pub(super) trait Shown {
    /// The shape.
    type As<'a>: Serialize
    where
        Self: 'a;

    /// In that shape.
    fn shown(&self) -> Self::As<'_>;
}

/// A row as a message on the socket.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub(super) enum RowMessage<'a> {
    /// A signal.
    Signal {
        /// The signal.
        signal: Signal<'a>,
    },
    /// An order at its end.
    Order {
        /// The order.
        order: Order<'a>,
    },
    /// A round trip.
    Trade {
        /// The round trip.
        trade: Trade<'a>,
    },
}

#[derive(Serialize)]
pub(super) struct Signal<'a> {
    /// As text: scripts know integers only up to 2^53.
    signal_id: Text<u64>,
    time_ms: i64,
    coin: &'a str,
    side: &'static str,
    px: Option<Text<Px>>,
    oracle_px: Text<Px>,
    bid_px: Option<Text<Px>>,
    ask_px: Option<Text<Px>>,
    raw_edge_bps: f64,
    net_edge_bps: f64,
    cost_bps: f64,
    suggested_sz: Text<Sz>,
    suggested_notional: Text<Usd>,
    blocked_by: Option<&'static str>,
    decision: Text<crate::types::record::Decision>,
    limited_by: Option<&'static str>,
}

impl Shown for SignalRow {
    type As<'a> = Signal<'a>;

    fn shown(&self) -> Signal<'_> {
        let (bid, ask) = (self.bid.map(|level| level.px), self.ask.map(|level| level.px));
        let touched = match self.side {
            Side::Buy => ask,
            Side::Sell => bid,
        };
        Signal {
            signal_id: Text(self.id.0),
            time_ms: ms(self.detected_at),
            coin: self.coin.as_str(),
            side: self.side.name(),
            px: touched.map(Text),
            oracle_px: Text(self.oracle_px),
            bid_px: bid.map(Text),
            ask_px: ask.map(Text),
            raw_edge_bps: self.raw_edge.to_f64(),
            net_edge_bps: self.net_edge.to_f64(),
            cost_bps: self.cost.to_f64(),
            suggested_sz: Text(self.suggested_sz),
            suggested_notional: Text(self.suggested_notional),
            blocked_by: self.blocked_by.map(|gate| gate.name()),
            decision: Text(self.decision),
            limited_by: self.limited_by.map(|limit| limit.name()),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Order<'a> {
    time_ms: i64,
    coin: &'a str,
    side: &'static str,
    px: Text<Px>,
    sz: Text<Sz>,
    filled: Text<Sz>,
    avg_px: Option<Text<Px>>,
    reduce_only: bool,
    purpose: &'static str,
    outcome: &'static str,
    refusal: Option<&'static str>,
}

impl Shown for OrderRow {
    type As<'a> = Order<'a>;

    fn shown(&self) -> Order<'_> {
        Order {
            time_ms: ms(self.ended_at),
            coin: self.coin.as_str(),
            side: self.side.name(),
            px: Text(self.px),
            sz: Text(self.sz),
            filled: Text(self.filled),
            avg_px: self.avg_px.map(Text),
            reduce_only: self.reduce_only,
            purpose: match self.purpose {
                Purpose::Entry(_) => "entry",
                Purpose::Exit(reason) => reason.name(),
            },
            outcome: self.outcome.name(),
            refusal: self.refusal.map(|refusal| refusal.name()),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Trade<'a> {
    time_ms: i64,
    coin: &'a str,
    side: &'static str,
    sz: Text<Sz>,
    entry_px: Text<Px>,
    exit_px: Text<Px>,
    held_ms: u64,
    exit: &'static str,
    gross: Text<Usd>,
    fees: Text<Usd>,
    net: Text<Usd>,
}

impl Shown for TradeRow {
    type As<'a> = Trade<'a>;

    fn shown(&self) -> Trade<'_> {
        Trade {
            time_ms: ms(self.exited_at),
            coin: self.coin.as_str(),
            side: held_side(self.side),
            sz: Text(self.sz),
            entry_px: Text(self.entry_px),
            exit_px: Text(self.exit_px),
            held_ms: self.held.as_millis(),
            exit: self.exit.name(),
            gross: Text(self.gross),
            fees: Text(self.fees),
            net: Text(self.net),
        }
    }
}

/// Every counter by name.
struct Counters<'a> {
    snapshot: &'a Snapshot,
    mode: Mode,
}

impl Serialize for Counters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(counters::by_name(self.snapshot, self.mode))
    }
}

struct Latency<'a>(&'a [(&'static str, Percentiles)]);

#[derive(Serialize)]
struct Stage {
    p50_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
    max_ns: u64,
    count: u64,
}

impl Serialize for Latency<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, figures) in self.0 {
            let Percentiles { count, p50, p99, p999, max } = *figures;
            let stage =
                Stage { p50_ns: p50.0, p99_ns: p99.0, p999_ns: p999.0, max_ns: max.0, count };
            map.serialize_entry(name, &stage)?;
        }
        map.end()
    }
}

/// What a chart shows of one market.
#[derive(Serialize)]
pub(super) struct Chart<'a> {
    coin: &'a str,
    step_ms: u64,
    t_ms: Vec<i64>,
    bid: Vec<Option<f64>>,
    ask: Vec<Option<f64>>,
    oracle: Vec<Option<f64>>,
    signals: Vec<Signal<'a>>,
    fills: Vec<Fill>,
}

#[derive(Serialize)]
struct Fill {
    time_ms: i64,
    side: &'static str,
    px: Text<Px>,
    sz: Text<Sz>,
    reduce_only: bool,
}

impl<'a> Chart<'a> {
    /// Of the market with this name, if it is watched.
    pub(super) fn of(board: &'a Board, coin: &str) -> Option<Self> {
        let index =
            board.snapshot.markets.iter().position(|snapshot| snapshot.coin.as_str() == coin)?;
        let coin = board.snapshot.markets[index].coin.as_str();
        let history = board.histories.get(index);
        let points = || history.into_iter().flat_map(History::points);
        // For a picture: a price in a double is exact to 15 digits.
        let px = |px: Option<Px>| px.map(|px| px.units() as f64 / 1e8);
        let since = points().next().map_or(i64::MAX, |point| point.at.0);
        let signals = board.signals.iter().filter(|row| row.coin.as_str() == coin);
        let orders = board.orders.iter().filter(|row| row.coin.as_str() == coin);
        Some(Self {
            coin,
            step_ms: History::STEP.as_millis(),
            t_ms: points().map(|point| ms(point.at)).collect(),
            bid: points().map(|point| px(point.bid)).collect(),
            ask: points().map(|point| px(point.ask)).collect(),
            oracle: points().map(|point| px(point.oracle)).collect(),
            signals: signals.filter(|row| row.detected_at.0 >= since).map(Shown::shown).collect(),
            fills: orders
                .filter(|row| row.filled.is_positive() && row.ended_at.0 >= since)
                .map(|row| Fill {
                    time_ms: ms(row.filled_at.unwrap_or(row.ended_at)),
                    side: row.side.name(),
                    px: Text(row.avg_px.unwrap_or(row.px)),
                    sz: Text(row.filled),
                    reduce_only: row.reduce_only,
                })
                .collect(),
        })
    }
}
