//! What the records hold around a moment: rows of one market as values, and the nearest beyond.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::moment::Moment;
use super::words;
use crate::persistence::{Beside, Life, RunInfo, Table};
use crate::types::num::{Px, Sz, Usd};
use crate::types::record::{RowKind, SizeLimit};
use crate::types::time::{Day, Nanos, Wall};

/// A signal.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    pub(super) id: u64,
    pub(super) at: Wall,
    pub(super) side: String,
    pub(super) oracle_px: Px,
    pub(super) mark_px: Option<Px>,
    pub(super) bid_px: Option<Px>,
    pub(super) ask_px: Option<Px>,
    pub(super) edge_bps: f64,
    pub(super) cost_bps: f64,
    pub(super) sz: Sz,
    pub(super) notional: Usd,
    pub(super) spread_bps: Option<f64>,
    pub(super) average_bps: Option<f64>,
    pub(super) bbo_age: Nanos,
    pub(super) ctx_age: Nanos,
    pub(super) cross: u64,
    pub(super) cross_age: Nanos,
    pub(super) gate_mask: u8,
    pub(super) decision: String,
    pub(super) limited_by: Option<SizeLimit>,
}

impl Signal {
    /// The price that would be taken.
    pub(super) fn px(&self) -> Option<Px> {
        if self.side == "buy" { self.ask_px } else { self.bid_px }
    }
}

/// A cross; one that has not ended is known by its signals alone.
#[derive(Clone, Debug)]
pub(super) struct Cross {
    pub(super) id: u64,
    pub(super) side: String,
    pub(super) from: Wall,
    pub(super) to: Option<Wall>,
    pub(super) best_bps: f64,
    pub(super) signals: u64,
    /// Why it ended; empty while it lasts.
    pub(super) end: String,
}

/// A time in which not everything was seen.
#[derive(Clone, Debug)]
pub(super) struct Gap {
    pub(super) from: Wall,
    pub(super) to: Option<Wall>,
    pub(super) cause: String,
    /// How many markets; 0 when that is not known.
    pub(super) markets: u64,
}

impl Gap {
    /// Whether no engine ran at all.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self.cause.as_str(), "stopped" | "killed")
    }
}

/// An order at its end.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) cloid: String,
    pub(super) signal: Option<u64>,
    pub(super) market: String,
    pub(super) side: String,
    pub(super) px: Px,
    pub(super) sz: Sz,
    pub(super) reduce_only: bool,
    pub(super) reason: String,
    pub(super) outcome: String,
    pub(super) refusal: Option<String>,
    pub(super) filled: Sz,
    pub(super) avg_px: Option<Px>,
    pub(super) fee: Usd,
    pub(super) created: Wall,
    pub(super) sent: Option<Wall>,
    pub(super) answered: Option<Wall>,
    pub(super) updated: Option<Wall>,
    pub(super) filled_at: Option<Wall>,
    pub(super) ended: Wall,
}

/// A round trip.
#[derive(Clone, Debug)]
pub(super) struct Trade {
    pub(super) signal: Option<u64>,
    pub(super) market: String,
    pub(super) side: String,
    pub(super) sz: Sz,
    pub(super) entry_px: Px,
    pub(super) exit_px: Px,
    pub(super) entered: Wall,
    pub(super) exited: Wall,
    pub(super) exit: String,
    pub(super) gross: Usd,
    pub(super) fees: Usd,
    pub(super) net: Usd,
}

/// Everything that answers the question. Lists are by time.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) market: String,
    pub(super) moment: Moment,
    pub(super) window: Nanos,
    /// Of the days around the moment.
    pub(super) signals: Vec<Signal>,
    pub(super) crosses: Vec<Cross>,
    pub(super) orders: Vec<Order>,
    /// Of every market: limits count them all.
    pub(super) trades: Vec<Trade>,
    /// Of every day: a gap may last for many.
    pub(super) gaps: Vec<Gap>,
    /// Runs by their beginning.
    pub(super) runs: Vec<RunInfo>,
    pub(super) life: Option<Life>,
    /// Whether any record of these days names the market.
    pub(super) known: bool,
    /// Markets that are named, and look like it.
    pub(super) near: Vec<String>,
}

const SIGNALS: &[&str] = &[
    "signal_id",
    "detected_at",
    "market",
    "side",
    "oracle_px",
    "mark_px",
    "bid_px",
    "ask_px",
    "raw_edge_bps",
    "cost_bps",
    "suggested_sz",
    "suggested_notional",
    "spread_bps",
    "spread_ewma_bps",
    "bbo_age_us",
    "ctx_age_us",
    "cross_id",
    "cross_age_ms",
    "gate_mask",
    "decision",
    "limited_by",
];

const CROSSES: &[&str] = &[
    "cross_id",
    "market",
    "side",
    "started_at",
    "ended_at",
    "max_raw_edge_bps",
    "signals",
    "end_reason",
];

const GAPS: &[&str] = &["started_at", "ended_at", "cause", "markets"];

const ORDERS: &[&str] = &[
    "cloid",
    "signal_id",
    "market",
    "side",
    "px",
    "sz",
    "reduce_only",
    "reason",
    "outcome",
    "refusal",
    "filled",
    "avg_px",
    "fee",
    "created_at",
    "sent_at",
    "answered_at",
    "updated_at",
    "filled_at",
    "ended_at",
];

const TRADES: &[&str] = &[
    "signal_id",
    "market",
    "side",
    "sz",
    "entry_px",
    "exit_px",
    "entered_at",
    "exited_at",
    "exit_reason",
    "pnl_before_fees",
    "fees",
    "pnl",
];

/// Every day there is.
const ALWAYS: std::ops::RangeInclusive<Day> = Day(i32::MIN)..=Day(i32::MAX);

impl Found {
    /// Reads what lies below `dir`: the day of the moment and the two beside it, since an order ends,
    /// and a cross begins, perhaps on another.
    pub(super) fn read(
        dir: &Path,
        market: &str,
        moment: Moment,
        window: Nanos,
    ) -> io::Result<Self> {
        let mut records = Beside::open(dir)?;
        let (first, last) = (moment.from.day(), moment.to.day());
        let days = Day(first.0.saturating_sub(1))..=Day(last.0.saturating_add(1));
        let mut names = BTreeSet::new();
        let mut of_market = |table: &Table, row: usize| {
            let name = table.text("market", row).unwrap_or_default();
            if !names.contains(name) {
                names.insert(name.to_owned());
            }
            name == market
        };
        let signals = records.rows(RowKind::Signals, days.clone(), SIGNALS, &mut of_market)?;
        let crosses = records.rows(RowKind::Crosses, days.clone(), CROSSES, &mut of_market)?;
        let orders = records.rows(RowKind::Orders, days.clone(), ORDERS, &mut of_market)?;
        let trades = records.rows(RowKind::Trades, days, TRADES, |_, _| true)?;
        let gaps = records.rows(RowKind::Gaps, ALWAYS, GAPS, |_, _| true)?;

        let known = names.contains(market);
        let mut found = Self {
            market: market.to_owned(),
            moment,
            window,
            signals: all(&signals, signal),
            crosses: all(&crosses, cross),
            orders: all(&orders, order),
            trades: all(&trades, trade),
            gaps: all(&gaps, gap),
            runs: records.runs().cloned().collect(),
            life: records.life(),
            known,
            near: if known { Vec::new() } else { nearest(market, &names) },
        };
        found.add_open();
        found.signals.sort_by_key(|signal| signal.at);
        found.crosses.sort_by_key(|cross| cross.from);
        found.orders.sort_by_key(|order| order.created);
        found.trades.sort_by_key(|trade| trade.entered);
        found.gaps.sort_by_key(|gap| gap.from);
        Ok(found)
    }

    /// Crosses and the gap that have no row yet since they last.
    fn add_open(&mut self) {
        for signal in &self.signals {
            match self.crosses.iter_mut().find(|cross| cross.id == signal.cross) {
                Some(cross) if cross.end.is_empty() => {
                    cross.signals += 1;
                    cross.best_bps = cross.best_bps.max(signal.edge_bps);
                }
                Some(_) => {}
                None => self.crosses.push(Cross {
                    id: signal.cross,
                    side: signal.side.clone(),
                    from: signal.at.minus(signal.cross_age),
                    to: None,
                    best_bps: signal.edge_bps,
                    signals: 1,
                    end: String::new(),
                }),
            }
        }
        if let Some(Life { closed: false, blind_since: Some(from), .. }) = self.life {
            let cause = match self.runs.last() {
                Some(run) if run.started_at == from => "start",
                _ => "link_down",
            };
            self.gaps.push(Gap { from, to: None, cause: cause.to_owned(), markets: 0 });
        }
    }

    /// Whether a time that began at `from` and ended at `to` holds the moment. What has no end yet lasts
    /// as long as the run is known to have lived.
    pub(super) fn held_then(&self, from: Wall, to: Option<Wall>) -> bool {
        self.moment.meets(from, to.or(self.life.map(|life| life.at)))
    }

    /// Signals within the window, by time.
    pub(super) fn signals_near(&self) -> impl Iterator<Item = &Signal> {
        self.signals.iter().filter(|signal| self.moment.distance(signal.at) <= self.window)
    }

    /// Crosses that lasted within the window.
    pub(super) fn crosses_near(&self) -> impl Iterator<Item = &Cross> {
        let (from, to) = self.bounds();
        self.crosses
            .iter()
            .filter(move |cross| cross.from <= to && cross.to.is_none_or(|end| end >= from))
    }

    /// Gaps that lasted within the window.
    pub(super) fn gaps_near(&self) -> impl Iterator<Item = &Gap> {
        let (from, to) = self.bounds();
        self.gaps.iter().filter(move |gap| gap.from <= to && gap.to.is_none_or(|end| end >= from))
    }

    /// Orders that were made within the window, or of a signal within it, or close what those opened.
    pub(super) fn orders_near(&self) -> impl Iterator<Item = &Order> {
        let taken: Vec<u64> = self.signals_near().map(|signal| signal.id).collect();
        let held: Vec<(Wall, Wall)> =
            self.trades_near().map(|trade| (trade.entered, trade.exited)).collect();
        self.orders.iter().filter(move |order| {
            self.moment.distance(order.created) <= self.window
                || order.signal.is_some_and(|id| taken.contains(&id))
                || held.iter().any(|(from, to)| (from..=to).contains(&&order.created))
        })
    }

    /// Round trips of the market that lasted within the window, or of a signal within it.
    pub(super) fn trades_near(&self) -> impl Iterator<Item = &Trade> {
        let taken: Vec<u64> = self.signals_near().map(|signal| signal.id).collect();
        let (from, to) = self.bounds();
        self.trades.iter().filter(move |trade| {
            trade.market == self.market
                && ((trade.entered <= to && trade.exited >= from)
                    || trade.signal.is_some_and(|id| taken.contains(&id)))
        })
    }

    /// Beginning and end of the window.
    pub(super) fn bounds(&self) -> (Wall, Wall) {
        (self.moment.from.minus(self.window), self.moment.to.plus(self.window))
    }
}

/// Names that look like `market`, the nearest first; the same name of another dex looks like it too.
fn nearest(market: &str, names: &BTreeSet<String>) -> Vec<String> {
    const SHOWN: usize = 3;
    let bare = |name: &str| {
        let (_, bare) = name.split_once(':').unwrap_or(("", name));
        bare.to_uppercase()
    };
    let wanted = bare(market);
    let mut near: Vec<(usize, &String)> = names
        .iter()
        .map(|name| (strsim::osa_distance(&wanted, &bare(name)), name))
        .filter(|(distance, name)| *distance <= 1.max(bare(name).len() / 3))
        .collect();
    near.sort();
    near.into_iter().take(SHOWN).map(|(_, name)| name.clone()).collect()
}

fn all<T>(table: &Table, read: fn(&Row<'_>) -> T) -> Vec<T> {
    (0..table.rows).map(|at| read(&Row { table, at })).collect()
}

/// A row of a table. What is missing is nothing, zero or empty: these rows are ours, and a file of
/// another version lacks a column at most.
struct Row<'t> {
    table: &'t Table,
    at: usize,
}

impl Row<'_> {
    fn text(&self, column: &str) -> String {
        self.table.text(column, self.at).unwrap_or_default().to_owned()
    }

    fn maybe_text(&self, column: &str) -> Option<String> {
        self.table.text(column, self.at).map(str::to_owned)
    }

    fn maybe_units(&self, column: &str) -> Option<i64> {
        self.table.int(column, self.at).and_then(|value| i64::try_from(value).ok())
    }

    fn units(&self, column: &str) -> i64 {
        self.maybe_units(column).unwrap_or(0)
    }

    fn id(&self, column: &str) -> Option<u64> {
        self.table.int(column, self.at).and_then(|value| u64::try_from(value).ok())
    }

    fn count(&self, column: &str) -> u64 {
        self.id(column).unwrap_or(0)
    }

    fn float(&self, column: &str) -> f64 {
        self.table.float(column, self.at).unwrap_or(0.0)
    }

    fn time(&self, column: &str) -> Wall {
        Wall(self.units(column))
    }

    fn px(&self, column: &str) -> Px {
        Px::from_units(self.units(column))
    }

    fn sz(&self, column: &str) -> Sz {
        Sz::from_units(self.units(column))
    }

    /// In units of 1e-8 in the column, 1e-6 inside.
    fn usd(&self, column: &str) -> Usd {
        Usd::from_units(self.units(column) / 100)
    }

    fn maybe_px(&self, column: &str) -> Option<Px> {
        self.maybe_units(column).map(Px::from_units)
    }

    fn maybe_time(&self, column: &str) -> Option<Wall> {
        self.maybe_units(column).map(Wall)
    }

    fn span(&self, column: &str, unit_ns: u64) -> Nanos {
        Nanos(self.count(column).saturating_mul(unit_ns))
    }
}

fn signal(row: &Row<'_>) -> Signal {
    Signal {
        id: row.count("signal_id"),
        at: row.time("detected_at"),
        side: row.text("side"),
        oracle_px: row.px("oracle_px"),
        mark_px: row.maybe_px("mark_px"),
        bid_px: row.maybe_px("bid_px"),
        ask_px: row.maybe_px("ask_px"),
        edge_bps: row.float("raw_edge_bps"),
        cost_bps: row.float("cost_bps"),
        sz: row.sz("suggested_sz"),
        notional: row.usd("suggested_notional"),
        spread_bps: row.table.float("spread_bps", row.at),
        average_bps: row.table.float("spread_ewma_bps", row.at),
        bbo_age: row.span("bbo_age_us", 1_000),
        ctx_age: row.span("ctx_age_us", 1_000),
        cross: row.count("cross_id"),
        cross_age: row.span("cross_age_ms", 1_000_000),
        gate_mask: row.count("gate_mask") as u8,
        decision: row.text("decision"),
        limited_by: words::named(&SizeLimit::ALL, SizeLimit::name, &row.text("limited_by")),
    }
}

fn cross(row: &Row<'_>) -> Cross {
    Cross {
        id: row.count("cross_id"),
        side: row.text("side"),
        from: row.time("started_at"),
        to: Some(row.time("ended_at")),
        best_bps: row.float("max_raw_edge_bps"),
        signals: row.count("signals"),
        end: row.text("end_reason"),
    }
}

fn gap(row: &Row<'_>) -> Gap {
    Gap {
        from: row.time("started_at"),
        to: Some(row.time("ended_at")),
        cause: row.text("cause"),
        markets: row.count("markets"),
    }
}

fn order(row: &Row<'_>) -> Order {
    Order {
        cloid: row.text("cloid"),
        signal: row.id("signal_id"),
        market: row.text("market"),
        side: row.text("side"),
        px: row.px("px"),
        sz: row.sz("sz"),
        reduce_only: row.units("reduce_only") != 0,
        reason: row.text("reason"),
        outcome: row.text("outcome"),
        refusal: row.maybe_text("refusal"),
        filled: row.sz("filled"),
        avg_px: row.maybe_px("avg_px"),
        fee: row.usd("fee"),
        created: row.time("created_at"),
        sent: row.maybe_time("sent_at"),
        answered: row.maybe_time("answered_at"),
        updated: row.maybe_time("updated_at"),
        filled_at: row.maybe_time("filled_at"),
        ended: row.time("ended_at"),
    }
}

fn trade(row: &Row<'_>) -> Trade {
    Trade {
        signal: row.id("signal_id"),
        market: row.text("market"),
        side: row.text("side"),
        sz: row.sz("sz"),
        entry_px: row.px("entry_px"),
        exit_px: row.px("exit_px"),
        entered: row.time("entered_at"),
        exited: row.time("exited_at"),
        exit: row.text("exit_reason"),
        gross: row.usd("pnl_before_fees"),
        fees: row.usd("fees"),
        net: row.usd("pnl"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_found_across_dexes_and_in_any_case() {
        let names: BTreeSet<String> =
            ["xyz:NVDA", "xyz:TSLA", "io:NVDA", "xyz:GE"].map(str::to_owned).into();
        assert_eq!(nearest("NVDA", &names), ["io:NVDA", "xyz:NVDA"]);
        assert_eq!(nearest("xyz:nvdia", &names)[0], "io:NVDA");
        assert_eq!(nearest("xyz:tlsa", &names), ["xyz:TSLA"]);
        assert_eq!(nearest("xyz:SILVER", &names), Vec::<String>::new());
    }
}
