//! When a position is closed, and how often that is tried.
//!
//! The rules are a table; the state has one owner, so that one exit of a position is under way at a
//! time. What is held always has a way out: an exit is tried until the position is flat.
//!
//! | state                | event                                    | what follows                                                    |
//! |----------------------|------------------------------------------|-----------------------------------------------------------------|
//! | nothing is owed      | a rule of [`RULES`] wants an exit        | one is owed, for that reason                                    |
//! | owed                 | Flatten or Shutdown wants one            | that becomes the reason, and the pause ends                     |
//! | owed, MarkRegression | its condition no longer holds            | nothing is owed: it waits for its price, or for TimeStop        |
//! | owed, other reason   | whatever the price does                  | it stays owed until the position is flat                        |
//! | owed                 | the pause is over, and there is a price  | it is sent; [`reach`] says how far                              |
//! | owed                 | nothing stands on the side that it takes | after 2 s it is offered at the collar, then ever more rarely    |
//! | owed                 | no quote came on this link               | after 2 s it is priced from the reference, then ever more rarely |
//! | owed                 | the quote stands beyond the collar       | it waits; after 30 s the collar is measured from the quote      |
//! | owed                 | the collar has held it back for 30 s     | the same                                                        |
//! | owed                 | the link opens                           | reach, pauses and timers begin again ([`ExitState::relinked`])  |
//! | owed                 | no link is open                          | one goes by REST ([`ExitState::step_without_link`])             |
//! | waits to be sent     | it may leave                             | it is priced again ([`ExitState::reprice`]), or dropped         |
//! | under way            | it ends                                  | as [`ExitEnd`] says                                             |

use crate::position::reach::{self, Aim, Prices};
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

/// After so many exits in a row that filled nothing the pause is [`RARE_RETRY`]: each of them costs a
/// request of the address budget, which others need.
const OFTEN: u32 = 16;

/// Longest pause when exits go on filling nothing, or find nothing to take.
const RARE_RETRY: Nanos = Nanos::from_secs(30);

/// First pause while nothing stands on the side that the exit would take, and after the venue found
/// nothing to reduce: as long as a reading of the account takes.
const BLIND_RETRY: Nanos = Nanos::from_secs(2);

/// The collar holds an exit back for so long; then it is measured from the quote.
const AT_COLLAR_MAX: Nanos = Nanos::from_secs(30);

/// An exit that came too late lives twice as long the next time, up to this.
const LONGEST_LIFE: Nanos = Nanos::from_secs(30);

/// What an exit is decided on.
#[derive(Clone, Copy, Debug)]
pub struct ExitView<'a> {
    /// Now.
    pub now: Mono,
    /// What is held by the fills we know.
    pub szi: Szi,
    /// How long: [`Position::held_for`](super::Position::held_for).
    pub held_for: Nanos,
    /// Mean entry price, if known.
    pub entry: Option<Px>,
    /// What answers told of beyond those fills, signed as a position.
    pub announced: Szi,
    /// Whether a quote came on this link, whatever it said.
    pub quoted: bool,
    /// The bid, if something can be taken there.
    pub bid: Option<Level>,
    /// The ask, if something can be taken there.
    pub ask: Option<Level>,
    /// Oracle price, if known.
    pub oracle: Option<Px>,
    /// Mark price, if known.
    pub mark: Option<Px>,
    /// Whether oracle and mark are recent.
    pub fresh: bool,
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

    fn prices(&self, side: Side) -> Prices {
        Prices {
            touched: self.touched(side).map(|level| level.px),
            opposite: self.touched(side.opposite()).map(|level| level.px),
            oracle: self.oracle,
            mark: self.mark,
            fresh: self.fresh,
        }
    }

    /// The first rule that wants an exit.
    fn wanted(&self) -> Option<ExitReason> {
        RULES.iter().find(|(_, wants)| wants(self)).map(|(reason, _)| *reason)
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
    /// Side of the order.
    pub side: Side,
    /// The whole position with what is announced; more after the venue called it too small, which
    /// it shrinks to what is held (PROTOCOL.md §9.4).
    pub sz: Sz,
    /// The limit, before it is rounded to a price that the venue takes.
    pub limit: Px,
    /// Reason of the close.
    pub reason: ExitReason,
    /// How far past the touched price it wanted to reach.
    pub reach: Bps,
    /// Exits before it that met the book and filled nothing.
    pub misses: u32,
    /// What people have to be told of it.
    pub alarm: Option<Alarm>,
}

/// What people have to be told of an exit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Alarm {
    /// It missed, and can reach no further for now. Once a position.
    AtCollar,
    /// The collar held it back for 30 s, and is measured from the quote from now on.
    PastCollar,
}

/// How an exit ended.
///
/// | end           | the next one reaches | it goes                                   | counts toward `max_flatten_failures` |
/// |---------------|----------------------|-------------------------------------------|--------------------------------------|
/// | `Filled`      | anew                 | after 250 ms, for what is left            | ends the row                         |
/// | `Missed`      | further              | after a pause                             | ends the row                         |
/// | `Late`        | no further           | a pause after the last one left; it lives longer | no                            |
/// | `Lost`        | no further           | a pause after the last one left           | no                                   |
/// | `Superfluous` | no further           | after a pause of 2 s at least; the account is read | no                          |
/// | `Together`    | no further           | after a pause, alone in its action        | no                                   |
/// | `TooSmall`    | no further           | after a pause, larger; the account is read | no                                  |
/// | `Failed`      | no further           | after a pause                             | yes                                  |
/// | `Deferred`    | no further           | after a pause                             | no                                   |
/// | `Unknown`     | no further           | after a pause                             | no                                   |
/// | `Unsent`      | no further           | after a pause                             | no                                   |
///
/// A pause is 250 ms and doubles up to 5 s, until something is filled. For every end but `Filled` an
/// exit that takes a profit asks for its condition again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExitEnd {
    /// Some of it filled, or all.
    Filled,
    /// It met the book, and nothing stood inside its limit.
    Missed,
    /// The venue refused it as too late.
    Late,
    /// The venue never heard of it, and would no longer take it.
    Lost,
    /// The venue found nothing to reduce.
    Superfluous,
    /// It was refused with others in one action, and any of them may be the reason.
    Together,
    /// It was worth less than the venue's least order, which only one that does not close all that is
    /// held may not be (PROTOCOL.md §6): the venue holds something else than we.
    TooSmall,
    /// It was refused by our fault, or for the state of the account.
    Failed,
    /// The market, the venue or a limit on requests cannot take it now.
    Deferred,
    /// Nobody told how it ended.
    Unknown,
    /// It was dropped before it left.
    Unsent,
}

impl ExitEnd {
    /// Of an exit that was sent and filled nothing, by the venue's `refusal`. `heard` says whether the
    /// venue told of it at all, `together` whether it was refused with others.
    pub fn refused(refusal: Option<Refusal>, heard: bool, together: bool) -> Self {
        let Some(refusal) = refusal else { return Self::Unknown };
        match (refusal, refusal.class()) {
            (Refusal::TooLate, _) if heard => Self::Late,
            (Refusal::TooLate, _) => Self::Lost,
            (Refusal::ReduceOnly, _) => Self::Superfluous,
            (Refusal::MinNotional, _) => Self::TooSmall,
            (_, RefusalClass::VenueState | RefusalClass::RateLimit) => Self::Deferred,
            (_, RefusalClass::OurFault | RefusalClass::AccountState) if together => Self::Together,
            (_, RefusalClass::OurFault | RefusalClass::AccountState) => Self::Failed,
            _ => Self::Missed,
        }
    }
}

/// How a position is being closed. The default is not at all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ExitState {
    reason: Option<ExitReason>,
    /// Since when an exit is under way.
    in_flight: Option<Mono>,
    /// Exits in a row that met the book and filled nothing: how far the next one reaches.
    misses: u32,
    /// Exits in a row that were refused by our fault or for the state of the account.
    failures: u32,
    /// Exits in a row that filled nothing, whatever kept them: how long the next one waits.
    pauses: u32,
    /// Exits in a row that came too late: how long the next one lives.
    lates: u32,
    next_try: Mono,
    /// The next try while nothing stands on the touched side.
    next_blind_try: Mono,
    /// Since when nothing stands on the touched side.
    blind_since: Option<Mono>,
    /// Whether the last one was priced with nothing on the touched side.
    blind: bool,
    /// Since when the collar holds it back.
    collar_since: Option<Mono>,
    /// What the collar is measured from, once it has held an exit back for too long.
    anchor: Option<Px>,
    /// The last price that was known: the quote, else the reference.
    last_px: Option<Px>,
    /// Whether the alarm of the collar was given.
    told: bool,
    /// How often the venue called an exit too small.
    too_small: u8,
    /// Whether it has to be alone in its action.
    alone: bool,
    /// Whether one went by REST since the link was lost.
    without_link: bool,
}

impl ExitState {
    /// Reason of its close, once a rule has fired.
    pub const fn reason(&self) -> Option<ExitReason> {
        self.reason
    }

    /// Exits in a row that filled nothing, whatever kept them.
    pub const fn fruitless(&self) -> u32 {
        self.pauses
    }

    /// Exits in a row that were refused by our fault or for the state of the account.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether an exit is under way.
    pub const fn in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether its exits have to be alone in their actions: one was refused together with others.
    pub const fn alone(&self) -> bool {
        self.alone
    }

    /// How long the next exit may live, if orders live for `usual`: twice as long for each one in a row
    /// that came too late.
    pub fn life(&self, usual: Nanos) -> Nanos {
        let doubled = usual.0.saturating_mul(1 << self.lates.min(16));
        Nanos(doubled.min(LONGEST_LIFE.0)).max(usual)
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
        let prices = view.prices(side);
        self.last_px = prices.touched.or(prices.reference()).or(self.last_px);
        let reason = self.judge(view)?;
        if self.in_flight.is_some() || view.now < self.next_try {
            return None;
        }
        let order = self.price(view, side, reason)?;
        self.in_flight = Some(view.now);
        Some(order)
    }

    /// The exit that waits to be sent, as it has to leave now; `None` when it must not leave any more,
    /// and has to be dropped.
    pub fn reprice(&mut self, view: &ExitView<'_>) -> Option<ExitOrder> {
        let side = view.side()?;
        self.ask_again(view);
        let reason = self.judge(view)?;
        self.price(view, side, reason)
    }

    /// The exit that goes by REST while no link is open: once until the next one opens. What was sent
    /// before must be unable to fill any more.
    ///
    /// Nobody sees the market then. So its limit lies at the collar, measured from the last price that
    /// was known: it takes the best that stands there, as an IOC does, wherever the market has gone
    /// within that distance, and a second one could not be priced any better.
    pub fn step_without_link(&mut self, view: &ExitView<'_>) -> Option<ExitOrder> {
        let side = view.side()?;
        self.ask_again(view);
        let reason = self.judge(view)?;
        let whole = self.whole(view)?;
        if self.without_link {
            return None;
        }
        let limit = reach::at_collar(side, self.last_px.or(view.mark).or(view.entry)?)?;
        let sz = self.grown(whole, limit, view.lot)?;
        self.without_link = true;
        self.in_flight = Some(view.now);
        let (reach, misses) = (slippage(view, reason), self.misses);
        Some(ExitOrder { side, sz, limit, reason, reach, misses, alarm: None })
    }

    /// A link opened. Its market has to be seen anew: reach, pauses and timers begin again, and so does
    /// the wait for a quote.
    pub fn relinked(&mut self, now: Mono) {
        (self.misses, self.pauses, self.lates) = (0, 0, 0);
        (self.next_try, self.next_blind_try) = (now, now);
        (self.blind, self.blind_since) = (false, Some(now));
        (self.collar_since, self.anchor) = (None, None);
        self.without_link = false;
    }

    /// An exit that takes a profit, and has not reached the venue, is owed only while its condition
    /// holds.
    fn ask_again(&mut self, view: &ExitView<'_>) {
        if self.reason == Some(ExitReason::MarkRegression) {
            self.reason = view.wanted();
        }
    }

    /// Reason to close it, by the rules and by what was owed before.
    fn judge(&mut self, view: &ExitView<'_>) -> Option<ExitReason> {
        if self.in_flight.is_none() {
            self.ask_again(view);
        }
        self.reason = match (self.reason, view.wanted()) {
            (None, None) => {
                self.misses = 0; // What comes next is another exit.
                None
            }
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
        self.reason
    }

    /// All that is held with what is announced; `None` when what was answered has closed it, and its
    /// fills are on their way.
    fn whole(&self, view: &ExitView<'_>) -> Option<Sz> {
        let whole = view.szi.checked_add(view.announced)?;
        (whole.side() == view.szi.side()).then(|| whole.abs())
    }

    /// `sz`, or more after the venue called it too small.
    fn grown(&self, sz: Sz, limit: Px, lot: Sz) -> Option<Sz> {
        match self.too_small {
            0 => Some(sz),
            times => Some(sz.max(reach::least(limit, lot, times)?)),
        }
    }

    /// Price and size of the exit that is owed; `None` while it has to wait.
    fn price(&mut self, view: &ExitView<'_>, side: Side, reason: ExitReason) -> Option<ExitOrder> {
        let whole = self.whole(view)?;
        let prices = view.prices(side);
        // A quote that has not come yet, or is crossed for a moment, is not an empty side.
        if prices.touched.is_some() {
            self.blind_since = None;
        } else {
            let since = *self.blind_since.get_or_insert(view.now);
            if view.now < since.plus(BLIND_RETRY).max(self.next_blind_try) {
                return None;
            }
        }
        let Some(reference) = prices.reference() else {
            self.next_try = view.now.plus(BLIND_RETRY); // Not a price anywhere.
            return None;
        };
        let slippage = slippage(view, reason);
        let mut reach = reach::of(slippage, self.misses);
        // Without a quote of this link nobody knows that the side is empty: the reference stands in.
        let target = if view.quoted { prices.touched } else { Some(reference) };
        let mut aim = reach::aim(side, target, reference, reach)?;
        let mut alarm = None;
        match prices.touched {
            Some(touched) if aim.clamped => {
                if let Some(anchor) = self.anchor {
                    aim = reach::aim(side, target, anchor, reach)?;
                }
                if !aim.clamped {
                    self.collar_since = None;
                } else if view.now < self.collar_since.get_or_insert(view.now).plus(AT_COLLAR_MAX) {
                    if !aim.meets {
                        return None; // Nobody stands there.
                    }
                } else {
                    // A position is never held because our own collar forbids the only quote.
                    alarm = (self.anchor != Some(touched)).then_some(Alarm::PastCollar);
                    (self.anchor, self.collar_since) = (Some(touched), None);
                    if !aim.meets {
                        self.misses = 0; // Nothing has met this quote yet.
                    }
                    reach = reach::of(slippage, self.misses);
                    aim = reach::aim(side, target, touched, reach)?;
                }
            }
            // A side that was empty for a moment does not come here.
            _ => (self.anchor, self.collar_since) = (None, None),
        }
        let Aim { limit, clamped, .. } = aim;
        if clamped && self.misses > 0 && !self.told {
            self.told = true;
            alarm = Some(Alarm::AtCollar);
        }
        let sz = self.grown(whole, limit, view.lot)?;
        self.blind = prices.touched.is_none();
        Some(ExitOrder { side, sz, limit, reason, reach, misses: self.misses, alarm })
    }

    /// An exit is over for good, or closed and only its fill rows are to come: [`ExitEnd`] says what
    /// follows.
    pub fn ended(&mut self, now: Mono, end: ExitEnd) {
        let left = self.in_flight.take().unwrap_or(now);
        if end == ExitEnd::Filled {
            (self.misses, self.failures, self.pauses, self.lates) = (0, 0, 0, 0);
            (self.collar_since, self.anchor) = (None, None);
            self.next_try = now.plus(FIRST_RETRY);
            return;
        }
        self.pauses = self.pauses.saturating_add(1);
        let doubled =
            |first: Nanos, most: Nanos| Nanos(first.0 << (self.pauses - 1).min(16)).min(most);
        let pause = match self.pauses {
            ..=OFTEN => doubled(FIRST_RETRY, LAST_RETRY),
            _ => RARE_RETRY,
        };
        let blind_pause = doubled(BLIND_RETRY, RARE_RETRY);
        self.next_try = now.plus(pause);
        self.next_blind_try = if self.blind { now.plus(blind_pause) } else { now };
        match end {
            ExitEnd::Missed => {
                self.misses = self.misses.saturating_add(1);
                (self.failures, self.lates) = (0, 0);
            }
            ExitEnd::Late => {
                self.lates = self.lates.saturating_add(1);
                self.next_try = left.plus(pause).max(now);
            }
            // To find that out took seconds already.
            ExitEnd::Lost => self.next_try = left.plus(pause.min(LAST_RETRY)).max(now),
            ExitEnd::Superfluous => self.next_try = now.plus(blind_pause),
            ExitEnd::Together => self.alone = true,
            ExitEnd::TooSmall => self.too_small = self.too_small.saturating_add(1),
            ExitEnd::Failed => self.failures = self.failures.saturating_add(1),
            ExitEnd::Filled | ExitEnd::Deferred | ExitEnd::Unknown | ExitEnd::Unsent => {}
        }
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
            let quote = self.blind_since.map(|since| since.plus(BLIND_RETRY));
            let collar = self.collar_since.map(|since| since.plus(AT_COLLAR_MAX));
            let all = [Some(self.next_try), Some(self.next_blind_try), quote, collar];
            // Before the next try nothing else matters.
            let all = all.into_iter().flatten().map(|at| at.max(self.next_try));
            let ahead = all.filter(|at| *at > now).min();
            return ahead.unwrap_or(now.plus(FIRST_RETRY));
        }
        let stop = now.plus(Nanos(time_stop.threshold.0.saturating_sub(held_for.0)));
        match mark_regression.enabled {
            true => stop.min(now.plus(mark_regression.check_interval)),
            false => stop,
        }
    }
}
