//! What was found, as a person reads it, and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::found::{Cross, Found, Gap, Order, Signal, Trade};
use super::verdict::{Sight, Verdict, figures, gap_words};
use super::words;
use crate::command::release::utc;
use crate::types::record::{CrossEnd, Decision, ExitReason, Gate, Outcome, SizeLimit};
use crate::types::time::Wall;

/// `2026-11-25T14:31:05.250Z`
pub(super) fn clock(at: Wall) -> String {
    let second = utc(at);
    let ms = at.0.rem_euclid(1_000_000_000) / 1_000_000;
    format!("{}.{ms:03}Z", second.trim_end_matches('Z'))
}

/// A span of nanoseconds as people say it.
pub(super) fn span(nanos: i64) -> String {
    let ms = nanos / 1_000_000;
    match ms.unsigned_abs() {
        1_000..=59_999 if ms % 1_000 == 0 => format!("{} s", ms / 1_000),
        0..=9_999 => format!("{ms} ms"),
        10_000..=119_999 => format!("{:.1} s", ms as f64 / 1_000.0),
        120_000..=7_199_999 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

/// One line of the time line.
struct Line {
    at: Wall,
    what: &'static str,
    words: String,
}

impl Found {
    /// The whole answer.
    pub(super) fn as_text(&self, verdict: &Verdict) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{} at {}, and {} around it\n\n  engine   {}",
            self.market,
            clock(self.moment.from),
            span(self.window.0 as i64),
            self.sight_words()
        );
        for (name, list) in [("buy", self.open("buy")), ("sell", self.open("sell"))] {
            let _ = writeln!(text, "  {name:<7}  {list}");
        }
        let lines = self.lines();
        if lines.is_empty() {
            let _ = writeln!(text, "\n  nothing is recorded within the window");
        } else {
            text.push('\n');
            for line in &lines {
                let _ = writeln!(
                    text,
                    "  {}  {:>11}  {:<7}  {}",
                    of_day(line.at, self.moment.from),
                    offset(line.at, self.moment.from),
                    line.what,
                    line.words
                );
            }
        }
        if self.signals_near().next().is_none() {
            text.push_str(&self.nearest_signals());
        }
        let _ = writeln!(text, "\n{}", verdict.line());
        text
    }

    fn sight_words(&self) -> String {
        match self.sight() {
            Sight::Saw(run) => {
                format!("ran in {} mode as {}, and saw the market", run.mode.name(), run.run_id)
            }
            Sight::Gap(gap) => format!("gap: {}", gap_words(gap)),
            Sight::Before(at) => format!("the records begin later, at {}", clock(at)),
            Sight::After(at, true) => format!("had ended in order at {}", clock(at)),
            Sight::After(at, false) => {
                format!("gave its last sign of life at {}: it died, or lives on since", clock(at))
            }
            Sight::Untold => "no run is named in these records".to_owned(),
        }
    }

    /// Whether a cross was open at the moment on a side.
    fn open(&self, side: &str) -> String {
        let mut of_side = self.crosses.iter().filter(|cross| cross.side == side);
        match of_side.find(|cross| self.held_then(cross.from, cross.to)) {
            Some(cross) => cross_words(cross),
            None => "no cross was open then".to_owned(),
        }
    }

    fn nearest_signals(&self) -> String {
        let before = self.signals.iter().rev().find(|signal| signal.at < self.moment.from);
        let after = self.signals.iter().find(|signal| signal.at > self.moment.to);
        let mut text = String::from("\n");
        for (name, signal) in [("before", before), ("after", after)] {
            let words = signal.map_or_else(
                || "none on this day or its neighbours".to_owned(),
                |signal| format!("{}: {}", clock(signal.at), signal_words(signal)),
            );
            let _ = writeln!(text, "  nearest signal {name:<6}  {words}");
        }
        text
    }

    /// Everything within the window, by time.
    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut line = |at, what, words| lines.push(Line { at, what, words });
        for gap in self.gaps_near() {
            line(gap.from, "gap", format!("begins: {}", gap.cause));
            if let Some(to) = gap.to {
                line(to, "gap", format!("ends: {}", gap.cause));
            }
        }
        for cross in self.crosses_near() {
            line(cross.from, "cross", format!("to {} begins", cross.side));
            if let Some(to) = cross.to {
                let why =
                    words::said(&words::CROSS_ENDS, CrossEnd::name, words::cross_end, &cross.end);
                let best = format!("best {:.1} bps", cross.best_bps);
                line(to, "cross", format!("to {} ends: {why}; {best}", cross.side));
            }
        }
        for signal in self.signals_near() {
            line(signal.at, "signal", signal_words(signal));
            line(signal.at, "", format!("= {}", self.decision_words(signal)));
        }
        for order in self.orders_near() {
            order_lines(order, &mut line);
        }
        for trade in self.trades_near() {
            let Trade { side, sz, entry_px, exit_px, gross, fees, net, .. } = trade;
            line(trade.entered, "held", format!("{side} {sz} from {entry_px}"));
            let why = words::said(&ExitReason::ALL, ExitReason::name, words::exit, &trade.exit);
            let result = format!("{gross} USD before fees, {fees} fees, {net} net");
            line(trade.exited, "flat", format!("at {exit_px}, since {why}: {result}"));
        }
        lines.sort_by_key(|line| line.at);
        lines
    }

    /// What became of a signal, and which other gates would have blocked it.
    fn decision_words(&self, signal: &Signal) -> String {
        let decided = words::decided(&signal.decision);
        let first = match decided {
            Some(Decision::Blocked(gate)) => Some(gate),
            _ => None,
        };
        // Without figures the explanation is the meaning already.
        let meaning = first.filter(|gate| figures(*gate, signal).is_some());
        let meaning = meaning.map_or_else(String::new, |gate| format!(": {}", words::gate(gate)));
        let others: Vec<&str> = Gate::ALL
            .into_iter()
            .filter(|gate| signal.gate_mask & gate.bit() != 0 && Some(*gate) != first)
            .map(Gate::name)
            .collect();
        let also = match others.as_slice() {
            [] => String::new(),
            others => format!("; so would {}", others.join(", ")),
        };
        format!("{}{meaning}{also}", self.explain(signal))
    }

    /// The same as JSON.
    pub(super) fn as_json(&self, verdict: &Verdict) -> Value {
        let (engine, run) = match self.sight() {
            Sight::Saw(run) => ("ran", Some(run)),
            Sight::Gap(_) => ("gap", None),
            Sight::Before(_) => ("before the records", None),
            Sight::After(..) => ("after the records", None),
            Sight::Untold => ("unknown", None),
        };
        let nearest = |signal: Option<&Signal>| signal.map(|signal| self.signal_json(signal));
        json!({
            "market": self.market,
            "known": self.known,
            "near": self.near,
            "at": clock(self.moment.from),
            "window_ms": self.window.as_millis(),
            "engine": {
                "state": engine,
                "words": self.sight_words(),
                "run_id": run.map(|run| &run.run_id),
                "mode": run.map(|run| run.mode.name()),
            },
            "gaps": self.gaps_near().map(gap_json).collect::<Vec<_>>(),
            "crosses": self.crosses_near().map(|cross| self.cross_json(cross)).collect::<Vec<_>>(),
            "signals": self.signals_near().map(|signal| self.signal_json(signal)).collect::<Vec<_>>(),
            "nearest_signal": {
                "before": nearest(
                    self.signals.iter().rev().find(|signal| signal.at < self.moment.from)
                ),
                "after": nearest(self.signals.iter().find(|signal| signal.at > self.moment.to)),
            },
            "orders": self.orders_near().map(order_json).collect::<Vec<_>>(),
            "trades": self.trades_near().map(trade_json).collect::<Vec<_>>(),
            "order": verdict.order,
            "verdict": verdict.line(),
        })
    }

    fn cross_json(&self, cross: &Cross) -> Value {
        json!({
            "cross_id": cross.id.to_string(),
            "side": cross.side,
            "started_at": clock(cross.from),
            "ended_at": cross.to.map(clock),
            "open_then": self.held_then(cross.from, cross.to),
            "max_raw_edge_bps": cross.best_bps,
            "signals": cross.signals,
            "end_reason": (!cross.end.is_empty()).then_some(&cross.end),
        })
    }

    fn signal_json(&self, signal: &Signal) -> Value {
        json!({
            "signal_id": signal.id.to_string(),
            "detected_at": clock(signal.at),
            "side": signal.side,
            "px": signal.px().map(|px| px.to_string()),
            "oracle_px": signal.oracle_px.to_string(),
            "raw_edge_bps": signal.edge_bps,
            "cost_bps": signal.cost_bps,
            "suggested_sz": signal.sz.to_string(),
            "suggested_notional": signal.notional.to_string(),
            "decision": signal.decision,
            "limited_by": signal.limited_by.map(SizeLimit::name),
            "words": self.decision_words(signal),
        })
    }
}

fn cross_words(cross: &Cross) -> String {
    let since = clock(cross.from);
    let to = cross.to.map_or_else(
        || "still open in these records".to_owned(),
        |to| format!("until {}", clock(to)),
    );
    let signals = if cross.signals == 1 { "signal" } else { "signals" };
    format!(
        "a cross was open: since {since}, {to}; best {:.1} bps, {} {signals}",
        cross.best_bps, cross.signals
    )
}

fn signal_words(signal: &Signal) -> String {
    let px = signal.px().map_or_else(|| "-".to_owned(), |px| px.to_string());
    format!(
        "{} {} at {px}, oracle {}: edge {:.1} bps of {:.1} needed, {}",
        signal.side, signal.sz, signal.oracle_px, signal.edge_bps, signal.cost_bps, signal.decision
    )
}

/// Each step of an order that has a time.
fn order_lines(order: &Order, line: &mut impl FnMut(Wall, &'static str, String)) {
    let name = if order.reduce_only { "exit" } else { "order" };
    let Order { side, sz, px, reason, .. } = order;
    line(order.created, name, format!("{reason} approved: {side} {sz} at {px}"));
    for (at, step) in [
        (order.sent, "sent"),
        (order.answered, "answered"),
        (order.updated, "its end told by orderUpdates"),
        (order.filled_at, "its last fill told"),
    ] {
        if let Some(at) = at {
            line(at, name, step.to_owned());
        }
    }
    let mut words = words::said(&Outcome::ALL, Outcome::name, words::outcome, &order.outcome);
    if let Some(refusal) = &order.refusal {
        words = format!("{words}; {}", words::refusal(refusal));
    }
    if let Some(avg) = order.avg_px.filter(|_| order.filled.is_positive()) {
        words = format!("{words}; {} at {avg}, fee {} USD", order.filled, order.fee);
    }
    line(order.ended, name, format!("over: {words}"));
}

fn gap_json(gap: &Gap) -> Value {
    json!({
        "cause": gap.cause,
        "started_at": clock(gap.from),
        "ended_at": gap.to.map(clock),
        "markets": gap.markets,
    })
}

fn order_json(order: &Order) -> Value {
    json!({
        "cloid": order.cloid,
        "signal_id": order.signal.map(|id| id.to_string()),
        "reason": order.reason,
        "reduce_only": order.reduce_only,
        "side": order.side,
        "px": order.px.to_string(),
        "sz": order.sz.to_string(),
        "filled": order.filled.to_string(),
        "avg_px": order.avg_px.map(|px| px.to_string()),
        "fee": order.fee.to_string(),
        "outcome": order.outcome,
        "refusal": order.refusal,
        "created_at": clock(order.created),
        "sent_at": order.sent.map(clock),
        "answered_at": order.answered.map(clock),
        "updated_at": order.updated.map(clock),
        "filled_at": order.filled_at.map(clock),
        "ended_at": clock(order.ended),
    })
}

fn trade_json(trade: &Trade) -> Value {
    json!({
        "signal_id": trade.signal.map(|id| id.to_string()),
        "side": trade.side,
        "sz": trade.sz.to_string(),
        "entry_px": trade.entry_px.to_string(),
        "exit_px": trade.exit_px.to_string(),
        "entered_at": clock(trade.entered),
        "exited_at": clock(trade.exited),
        "exit_reason": trade.exit,
        "pnl_before_fees": trade.gross.to_string(),
        "fees": trade.fees.to_string(),
        "pnl": trade.net.to_string(),
    })
}

/// The time of day; with its date when that is another than the moment's.
fn of_day(at: Wall, moment: Wall) -> String {
    let whole = clock(at);
    match whole.split_once('T') {
        Some((_, time)) if at.day() == moment.day() => time.trim_end_matches('Z').to_owned(),
        _ => whole,
    }
}

/// Seconds from the moment, with a sign.
fn offset(at: Wall, moment: Wall) -> String {
    let ms = at.0.saturating_sub(moment.0) / 1_000_000;
    format!("{}{}.{:03} s", if ms < 0 { '-' } else { '+' }, ms.abs() / 1_000, ms.abs() % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans_are_written_as_people_read_them() {
        let at = Wall(1_795_348_800_250_000_000);
        assert_eq!(clock(at), "2026-11-22T12:00:00.250Z");
        assert_eq!(of_day(at, at), "12:00:00.250");
        assert_eq!(of_day(at, Wall(0)), "2026-11-22T12:00:00.250Z");
        assert_eq!(offset(Wall(0), Wall(1_500_000_000)), "-1.500 s");
        assert_eq!(offset(Wall(2_000_000), Wall(0)), "+0.002 s");
        for (ns, text) in [
            (4_000_000, "4 ms"),
            (3_000_000_000, "3 s"),
            (1_500_000_000, "1500 ms"),
            (30_500_000_000, "30.5 s"),
            (600_000_000_000, "10 min"),
            (36_000_000_000_000, "10 h"),
        ] {
            assert_eq!(span(ns), text);
        }
    }
}
