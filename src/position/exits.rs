//! When a position is closed, and how often that is tried.
//!
//! The rules are a table; the state has one owner, so that one exit of a position is under way at a
//! time. Once a rule has fired its reason stays until the position is flat: an exit that missed is
//! owed still, whatever the price does next. It is tried wider and wider up to the collar, and never
//! given up.

use crate::position::reach::{self, Aim};
use crate::types::config::{MarkRegression, TimeStop};
use crate::types::market::Level;
use crate::types::num::{Bps, Px, Side, Sz, Szi};
use crate::types::order::{Refusal, RefusalClass};
use crate::types::record::ExitReason;
use crate::types::time::{Mono, Nanos};

/// First pause after an exit that filled nothing; it doubles with each.
const FIRST_RETRY: Nanos = Nanos::from_millis(250);

/// Longest pause.
const LAST_RETRY: Nanos = Nanos::from_secs(5);

/// Pause at least while nothing stands on the side that the exit would take.
const BLIND_RETRY: Nanos = Nanos::from_secs(2);

/// What an exit is decided on.
#[derive(Clone, Copy, Debug)]
pub struct ExitView<'a> {
    /// Now.
    pub now: Mono,
    /// What is held by the fills we know.
    pub szi: Szi,
    /// How long: [`Position::held_for`](super::Position::held_for).
    pub held_for: Nanos,
    /// What answers told of beyond those fills, signed as a position.
    pub announced: Szi,
    /// The bid, if something can be taken there.
    pub bid: Option<Level>,
    /// The ask, if something can be taken there.
    pub ask: Option<Level>,
    /// Oracle price, if known.
    pub oracle: Option<Px>,
    /// Mark price, if known.
    pub mark: Option<Px>,
    /// One lot of the market.
    pub lot: Sz,
    /// `[time_stop]`
    pub time_stop: &'a TimeStop,
    /// `[mark_regression]`
    pub mark_regression: &'a MarkRegression,
    /// Whether the operator wants everything closed.
    pub flatten: bool,
    /// Whether the run ends and closes what is open.
    pub shutdown: bool,
}

impl ExitView<'_> {
    /// The side of the order that closes it; `None` when nothing is held.
    pub fn side(&self) -> Option<Side> {
        self.szi.side().map(Side::opposite)
    }

    /// What an order on `side` meets.
    pub fn touched(&self, side: Side) -> Option<Level> {
        match side {
            Side::Buy => self.ask,
            Side::Sell => self.bid,
        }
    }
}

/// Whether a rule wants the position closed now.
pub type RuleFn = fn(&ExitView<'_>) -> bool;

/// The rules; the first that wants an exit names its reason.
pub const RULES: [(ExitReason, RuleFn); 4] = [
    (ExitReason::Flatten, flatten),
    (ExitReason::Shutdown, shutdown),
    (ExitReason::MarkRegression, mark_regression),
    (ExitReason::TimeStop, time_stop),
];

/// The operator asked for it.
fn flatten(view: &ExitView<'_>) -> bool {
    view.flatten
}

/// The run ends.
fn shutdown(view: &ExitView<'_>) -> bool {
    view.shutdown
}

/// The price came back: a long is worth closing once `bid ≥ oracle × (1 − threshold)`, a short once
/// `ask ≤ oracle × (1 + threshold)`. Not before the least holding time; without an oracle, or with
/// nothing to take, there is nothing to compare, and TimeStop is left to close it.
fn mark_regression(view: &ExitView<'_>) -> bool {
    let config = view.mark_regression;
    if !config.enabled || view.held_for < config.min_holding_time {
        return false;
    }
    let Some(side) = view.side() else { return false };
    let (Some(touched), Some(oracle)) = (view.touched(side), view.oracle) else { return false };
    let below = Bps::from_bits(config.exit_threshold.to_bits().saturating_neg());
    oracle.is_positive() && touched.px.clears(side, oracle, below)
}

/// It was held long enough.
fn time_stop(view: &ExitView<'_>) -> bool {
    view.held_for >= view.time_stop.threshold
}

/// How far the one reason may take over from another: the lower the stronger.
fn rank(reason: ExitReason) -> usize {
    RULES.iter().position(|(of, _)| *of == reason).unwrap_or(RULES.len())
}

/// How far past the best price the exits of a reason reach at first. What the operator or the end
/// of the run asks for reaches as far as TimeStop.
fn slippage(view: &ExitView<'_>, reason: ExitReason) -> Bps {
    match reason {
        ExitReason::MarkRegression => view.mark_regression.slippage,
        _ => view.time_stop.slippage,
    }
}

/// An exit that is wanted: reduce-only, IOC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExitOrder {
    /// Which way.
    pub side: Side,
    /// The whole position with what is announced; more after the venue called it too small, which
    /// it shrinks to what is held (PROTOCOL.md §9.4).
    pub sz: Sz,
    /// The limit, before it is rounded to a price that the venue takes.
    pub limit: Px,
    /// Why.
    pub reason: ExitReason,
    /// How far past the touched price it wanted to reach.
    pub reach: Bps,
    /// Exits before it that filled nothing.
    pub misses: u32,
    /// Whether the alarm is due: it failed before and can reach no further. Once a position.
    pub at_collar: bool,
}

/// How a position is being closed. The default is not at all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ExitState {
    reason: Option<ExitReason>,
    /// Since when an exit is under way.
    in_flight: Option<Mono>,
    /// Exits in a row that met the book and filled nothing: how far the next one reaches.
    misses: u32,
    /// Exits in a row that filled nothing, the venue's own troubles aside.
    failures: u32,
    /// Exits in a row that filled nothing, whatever kept them: how long the next one waits.
    pauses: u32,
    /// Since when nothing stands on the touched side.
    blind_since: Option<Mono>,
    next_try: Mono,
    /// Whether the last one was priced with nothing on the touched side.
    blind: bool,
    /// Whether the alarm was given.
    told: bool,
    /// How often the venue called an exit too small.
    too_small: u8,
}

impl ExitState {
    /// Why it is being closed, once a rule has fired.
    pub const fn reason(&self) -> Option<ExitReason> {
        self.reason
    }

    /// Exits in a row that were sent and filled nothing, but for what the venue could not take.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether an exit is under way.
    pub const fn in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether an exit has been under way for so long that the order table has to say what became
    /// of it. It blocks the next one until [`ExitState::ended`], however long: two exits at once
    /// would be one too many.
    pub fn overdue(&self, now: Mono, time_stop: &TimeStop) -> bool {
        self.in_flight.is_some_and(|since| now.since(since) >= time_stop.reduce_only_timeout)
    }

    /// Judges the rules and returns the exit to be sent, if one is. It counts as under way from
    /// here on, so its end has to be told by [`ExitState::ended`], also when it was never sent. Call
    /// it on every update of the market, of the position, and at [`ExitState::deadline`].
    pub fn step(&mut self, view: &ExitView<'_>) -> Option<ExitOrder> {
        let side = view.side()?;
        let wanted = RULES.iter().find(|(_, wants)| wants(view)).map(|(reason, _)| *reason);
        self.reason = match (self.reason, wanted) {
            (None, wanted) => wanted,
            // A person, or the end, does not wait for the pause of another reason.
            (Some(old), Some(new @ (ExitReason::Flatten | ExitReason::Shutdown)))
                if rank(new) < rank(old) =>
            {
                self.next_try = view.now;
                Some(new)
            }
            (old, _) => old,
        };
        let reason = self.reason?;
        if self.in_flight.is_some() || view.now < self.next_try {
            return None;
        }
        let whole = view.szi.checked_add(view.announced)?;
        if whole.side() != view.szi.side() {
            return None; // What was answered has closed it; its fills are on their way.
        }
        let touched = view.touched(side).map(|level| level.px);
        // A quote that has not come yet, or is crossed for a moment, is not an empty side.
        if touched.is_some() {
            self.blind_since = None;
        } else if view.now < self.blind_since.get_or_insert(view.now).plus(BLIND_RETRY) {
            return None;
        }
        let reach = reach::of(slippage(view, reason), self.misses);
        let Some(Aim { limit, clamped }) = reach::aim(side, touched, view.oracle, view.mark, reach)
        else {
            self.next_try = view.now.plus(BLIND_RETRY); // Not a price anywhere.
            return None;
        };
        let sz = match self.too_small {
            0 => whole.abs(),
            times => whole.abs().max(reach::least(limit, view.lot, times)?),
        };
        let at_collar = clamped && self.misses > 0 && !self.told;
        self.told |= at_collar;
        self.blind = touched.is_none();
        self.in_flight = Some(view.now);
        Some(ExitOrder { side, sz, limit, reason, reach, misses: self.misses, at_collar })
    }

    /// An exit is over for good: filled, refused, cancelled, dropped before it was sent, or proven
    /// dead. Any fill is progress, and begins the pauses and the reach anew. One that never met the
    /// book, since it was not `sent`, or the venue could not or would not take it, waits longer and
    /// reaches no further: a better price would not have helped it.
    pub fn ended(&mut self, now: Mono, filled: Sz, refusal: Option<Refusal>, sent: bool) {
        self.in_flight = None;
        if refusal == Some(Refusal::MinNotional) {
            self.too_small = self.too_small.saturating_add(1);
        }
        if filled.is_positive() {
            (self.misses, self.failures, self.pauses) = (0, 0, 0);
            self.next_try = now.plus(FIRST_RETRY);
            return;
        }
        let class = refusal.map(Refusal::class);
        let met_the_book = sent && class.is_none_or(|class| class == RefusalClass::Miss);
        // What the venue cannot take now is nobody's failure, and nor is what was never sent.
        use RefusalClass::{RateLimit, Superfluous, VenueState};
        let excused = matches!(class, Some(Superfluous | VenueState | RateLimit));
        self.misses = self.misses.saturating_add(u32::from(met_the_book));
        self.failures = self.failures.saturating_add(u32::from(sent && !excused));
        self.pauses = self.pauses.saturating_add(1);
        let doublings = (self.pauses - 1).min(16);
        let pause = Nanos(FIRST_RETRY.0 << doublings).min(LAST_RETRY);
        let pause = if self.blind { pause.max(BLIND_RETRY) } else { pause };
        self.next_try = now.plus(pause);
    }

    /// When [`ExitState::step`] has something to do without an update: the next try, the end of the
    /// holding time, or the next look at the price. Later than `now` if it was called at `now`.
    pub fn deadline(
        &self,
        now: Mono,
        held_for: Nanos,
        time_stop: &TimeStop,
        mark_regression: &MarkRegression,
    ) -> Mono {
        let or_after = |at: Mono, pause| if at > now { at } else { now.plus(pause) };
        if let Some(since) = self.in_flight {
            return or_after(since.plus(time_stop.reduce_only_timeout), LAST_RETRY);
        }
        if self.reason.is_some() {
            return or_after(self.next_try, FIRST_RETRY);
        }
        let stop = now.plus(Nanos(time_stop.threshold.0.saturating_sub(held_for.0)));
        match mark_regression.enabled {
            true => stop.min(now.plus(mark_regression.check_interval)),
            false => stop,
        }
    }
}
