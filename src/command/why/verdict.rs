//! The answer in a line, from what was found: the nearest signal decides; without one, what kept there
//! from being one.

use super::found::{Cross, Found, Gap, Order, Signal, Trade};
use super::words;
use crate::command::why::tell::{clock, span};
use crate::persistence::RunInfo;
use crate::types::record::{Check, Decision, ExitReason, Gate, Outcome};
use crate::types::time::Wall;

/// The answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Verdict {
    /// Whether an order left.
    pub(super) order: bool,
    /// Why, without the words "no order".
    pub(super) because: String,
}

impl Verdict {
    /// `no order: …`, or `an order: …`
    pub(super) fn line(&self) -> String {
        format!("{}: {}", if self.order { "an order" } else { "no order" }, self.because)
    }
}

fn none(because: impl Into<String>) -> Verdict {
    Verdict { order: false, because: because.into() }
}

/// Whether the engine was there to see.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sight<'f> {
    /// It ran, as this run, and nothing is known to have been missed.
    Saw(&'f RunInfo),
    /// Not everything was seen.
    Gap(&'f Gap),
    /// The records begin later.
    Before(Wall),
    /// The records end earlier; whether the run had ended in order.
    After(Wall, bool),
    /// The records do not say.
    Untold,
}

impl Found {
    /// Whether the engine saw the moment.
    pub(super) fn sight(&self) -> Sight<'_> {
        let moment = &self.moment;
        // Of several the one in which no engine ran says most, then the longest.
        let gaps = self.gaps.iter().filter(|gap| self.held_then(gap.from, gap.to));
        let weight = |gap: &&Gap| {
            (gap.is_absence(), gap.to.map_or(i64::MAX, |to| to.0.saturating_sub(gap.from.0)))
        };
        if let Some(gap) = gaps.max_by_key(weight) {
            return Sight::Gap(gap);
        }
        if let Some(life) = self.life
            && life.at < moment.from
        {
            return Sight::After(life.at, life.closed);
        }
        match self.runs.iter().rev().find(|run| run.started_at <= moment.to) {
            Some(run) => Sight::Saw(run),
            None => self.runs.first().map_or(Sight::Untold, |run| Sight::Before(run.started_at)),
        }
    }

    /// The signal that decides: the nearest, of equals one that was sent, then the first.
    pub(super) fn deciding(&self) -> Option<&Signal> {
        let sent = |signal: &Signal| signal.decision == Decision::Sent.to_string();
        self.signals_near()
            .min_by_key(|signal| (self.moment.distance(signal.at), !sent(signal), signal.at))
    }

    /// The answer.
    pub(super) fn verdict(&self) -> Verdict {
        let Some(signal) = self.deciding() else { return none(self.without_signal()) };
        let mut verdict = self.of_signal(signal);
        let later = self.orders_near().find(|order| !order.reduce_only && order.sent.is_some());
        if let (false, Some(sent)) = (verdict.order, later.and_then(|order| order.sent)) {
            let text = format!("; one left at {}, see above", clock(sent));
            verdict.because.push_str(&text);
        }
        verdict
    }

    fn of_signal(&self, signal: &Signal) -> Verdict {
        match words::decided(&signal.decision) {
            Some(Decision::Sent) => {
                match self.orders.iter().find(|order| order.signal == Some(signal.id)) {
                    Some(order) => self.of_order(order),
                    None => none(
                        "the signal was approved, and its order has no row yet: it is not over, or \
                         its run died before the end was known",
                    ),
                }
            }
            _ => none(self.explain(signal)),
        }
    }

    fn of_order(&self, order: &Order) -> Verdict {
        let Order { side, sz, px, filled, .. } = order;
        let outcome = words::named(&Outcome::ALL, Outcome::name, &order.outcome);
        let refusal = order.refusal.as_deref().map(words::refusal);
        let why = refusal.map(|refusal| format!("; {refusal}")).unwrap_or_default();
        if outcome == Some(Outcome::Dropped) {
            return none(format!("approved, but {}{why}", words::outcome(Outcome::Dropped)));
        }
        let ended = words::said(&Outcome::ALL, Outcome::name, words::outcome, &order.outcome);
        let mut because = format!("{side} {sz} at {px}: {ended}{why}");
        if filled.is_positive() {
            let trade = self.trades.iter().find(|trade| {
                trade.market == order.market
                    && (trade.signal == order.signal && order.signal.is_some())
            });
            because = format!("{because}; {}", self.of_trip(trade));
        }
        Verdict { order: true, because }
    }

    fn of_trip(&self, trade: Option<&Trade>) -> String {
        let Some(trade) = trade else {
            return "its position has no row yet: it is still held, or its run died".to_owned();
        };
        let exit = words::named(&ExitReason::ALL, ExitReason::name, &trade.exit);
        let held = span(trade.exited.0.saturating_sub(trade.entered.0));
        let why = exit.map_or_else(String::new, |exit| format!(" ({})", words::exit(exit)));
        format!("closed after {held} by {}{why}, {} USD net", trade.exit, trade.net)
    }

    /// Why this signal became no order, with the figures that decided.
    pub(super) fn explain(&self, signal: &Signal) -> String {
        match words::decided(&signal.decision) {
            Some(Decision::Observed) => {
                "the engine only observed: no gate blocked the signal, and in \
                 observation mode nothing is sent"
                    .to_owned()
            }
            Some(Decision::Blocked(gate)) => {
                let why = match figures(gate, signal) {
                    Some(figures) => format!(" ({figures})"),
                    None => format!(": {}", words::gate(gate)),
                };
                format!("gate {} blocked the signal{why}", gate.name())
            }
            Some(Decision::Filtered(filter)) => format!(
                "filter {} blocked the signal: {} ({:.1} bps)",
                filter.name(),
                words::filter(filter),
                signal.edge_bps
            ),
            Some(Decision::Failed(check)) => {
                let verb = if check.rejects() { "rejected" } else { "skipped" };
                let context = self.context(check, signal);
                format!(
                    "check {} {verb} the signal: {}{context}",
                    check.name(),
                    words::check(check)
                )
            }
            Some(Decision::BelowMinimum) => match signal.limited_by {
                Some(limit) => format!(
                    "the signal was skipped: {}, which is less than the venue's least order",
                    words::size_limit(limit)
                ),
                None => format!(
                    "the signal was skipped: {} USD is less than the venue's least order, and the config lets \
                     no order of it be larger",
                    signal.notional
                ),
            },
            Some(Decision::Sent) => {
                let sent = words::decision(Decision::Sent);
                match signal.limited_by {
                    Some(limit) => format!("{sent}, {}", words::size_limit(limit)),
                    None => sent.to_owned(),
                }
            }
            None => format!("the signal's decision was {}", signal.decision),
        }
    }

    /// What the check met, as far as the records tell.
    fn context(&self, check: Check, signal: &Signal) -> String {
        let held = |trade: &&Trade| trade.entered <= signal.at && signal.at <= trade.exited;
        match check {
            Check::AlreadyHasPosition => {
                let mut held =
                    self.trades.iter().filter(held).filter(|trade| trade.market == self.market);
                held.next().map_or_else(String::new, |trade| {
                    let (from, to) = (clock(trade.entered), clock(trade.exited));
                    format!(" ({} {} held from {from} to {to})", trade.side, trade.sz)
                })
            }
            Check::PendingOrderExists => {
                let open = |order: &&Order| order.created <= signal.at && signal.at <= order.ended;
                self.orders.iter().find(open).map_or_else(String::new, |order| {
                    let (from, to) = (clock(order.created), clock(order.ended));
                    format!(" ({} of {from}, over at {to})", order.reason)
                })
            }
            Check::MaxPositionTotal | Check::MaxConcurrentPositions => {
                let held: Vec<&str> =
                    self.trades.iter().filter(held).map(|trade| trade.market.as_str()).collect();
                match held.as_slice() {
                    [] => String::new(),
                    held => format!(" (held then: {})", held.join(", ")),
                }
            }
            Check::MaxPositionPerMarket => match signal.limited_by {
                Some(limit) => {
                    format!(" (limit: {}; suggested: {} USD)", limit.name(), signal.notional)
                }
                None => format!(" (suggested: {} USD)", signal.notional),
            },
            Check::HardStop | Check::NotReady | Check::BudgetExhausted => String::new(),
        }
    }

    /// Why there was no signal.
    fn without_signal(&self) -> String {
        let open = self.crosses.iter().find(|cross| self.held_then(cross.from, cross.to));
        match self.sight() {
            Sight::Gap(gap) if gap.is_absence() => {
                format!("the engine did not run: {}", gap_words(gap))
            }
            Sight::After(at, closed) => {
                let how =
                    if closed { "the run ended at" } else { "the run's last sign of life is of" };
                format!("the engine did not run: {how} {}", clock(at))
            }
            Sight::Before(at) => {
                format!("nothing was recorded: the records begin at {}", clock(at))
            }
            Sight::Untold => "nothing was recorded: no run is named in these records".to_owned(),
            Sight::Saw(_) | Sight::Gap(_) if open.is_some() => {
                open.map_or_else(String::new, |cross| self.open_without_signal(cross))
            }
            Sight::Gap(gap) => format!("not every market was seen: {}", gap_words(gap)),
            Sight::Saw(_) if !self.known => {
                let near = match self.near.as_slice() {
                    [] => String::new(),
                    near => format!("; did you mean {}?", near.join(" or ")),
                };
                format!(
                    "no record of these days names {}: no quote of it stood past the oracle by its \
                     cost, or it was not watched{near}",
                    self.market
                )
            }
            Sight::Saw(_) => {
                let nearest = self.nearest_cross();
                format!("no quote stood past the oracle by its cost: there was no cross{nearest}")
            }
        }
    }

    fn open_without_signal(&self, cross: &Cross) -> String {
        let opened = format!(
            "a cross was open (to {} since {}, best {:.1} bps)",
            cross.side,
            clock(cross.from),
            cross.best_bps
        );
        if cross.signals == 0 {
            return format!(
                "{opened}, but the book was too thin for a signal (detector.min_book_notional, or \
                 less than the least size)"
            );
        }
        format!(
            "{opened}, but no signal was due within {}: a cross yields one each \
             detector.resignal_interval_ms while the book is thick enough",
            span(self.window.0 as i64)
        )
    }

    fn nearest_cross(&self) -> String {
        let far = |cross: &&Cross| {
            let end = cross.to.unwrap_or(cross.from);
            self.moment.distance(cross.from).min(self.moment.distance(end))
        };
        self.crosses.iter().min_by_key(far).map_or_else(String::new, |cross| {
            let to = cross.to.map_or_else(|| "now".to_owned(), clock);
            let (side, from) = (&cross.side, clock(cross.from));
            format!(" (the nearest: to {side}, {from} to {to}, best {:.1} bps)", cross.best_bps)
        })
    }
}

/// `link_down from … to … (…)`
pub(super) fn gap_words(gap: &Gap) -> String {
    let meaning = words::named(&words::GAPS, |cause| cause.name(), &gap.cause);
    let why = meaning.map_or_else(String::new, |cause| format!(" ({})", words::gap(cause)));
    let to = gap.to.map_or_else(|| "no end that is known yet".to_owned(), clock);
    format!("{} from {} to {to}{why}", gap.cause, clock(gap.from))
}

/// What the gate looked at, as far as the row tells.
pub(super) fn figures(gate: Gate, signal: &Signal) -> Option<String> {
    let of = |px: Option<crate::types::num::Px>| {
        px.map_or_else(|| "none".to_owned(), |px| px.to_string())
    };
    match gate {
        Gate::BboUpdate => Some(format!("quote {} old", span(signal.bbo_age.0 as i64))),
        Gate::CtxUpdate => Some(format!("oracle {} old", span(signal.ctx_age.0 as i64))),
        Gate::MarkMidDivergence => Some(format!(
            "mark {}, book {} / {}",
            of(signal.mark_px),
            of(signal.bid_px),
            of(signal.ask_px)
        )),
        Gate::SpreadShock => match (signal.spread_bps, signal.average_bps) {
            (Some(spread), Some(average)) => {
                Some(format!("spread {spread:.1} bps, average {average:.1}"))
            }
            (Some(spread), None) => Some(format!("spread {spread:.1} bps, no average yet")),
            (None, _) => None,
        },
        Gate::TimeRegression | Gate::OiCap | Gate::ParamChange | Gate::Halt => None,
    }
}
