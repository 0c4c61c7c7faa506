//! Crosses of all markets and sides: when they begin, what they yield, why they end.

use crate::detector::samples::{MAX_WAITING, SignalSamples, TrackedSignal};
use crate::detector::timers::{Timer, Timers};
use crate::detector::{
    Cost, Decided, Dislocation, GateReport, NoSignal, Suggestion, dislocation, suggest,
};
use crate::feed::market::Market;
use crate::types::config;
use crate::types::event::Actions;
use crate::types::ids::{CrossId, MarketId, SignalId};
use crate::types::log_event::LogEvent;
use crate::types::num::{Bps, Px, Side, Sz, Usd};
use crate::types::order::{MIN_ORDER, Order};
use crate::types::record::{CrossEnd, CrossRow, Decision, Filter, Mode, Row, SignalRow};
use crate::types::status::Status;
use crate::types::time::{Mono, Nanos, Now};

/// A cross that lasts.
#[derive(Clone, Copy, Debug)]
struct Cross {
    id: CrossId,
    began: Now,
    /// The first touched price, and the size wanted there.
    first_px: Px,
    wanted: Sz,
    /// How long that much stood there; `None` while it still does.
    survival: Option<Nanos>,
    max_edge: Bps,
    signals: u32,
    /// No further signal before.
    next_signal: Mono,
    /// No further signal before whose size is too small to trade. Such a signal does not defer the next
    /// one that can be traded.
    next_small: Mono,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    cost: Option<Cost>,
    open: [Option<Cross>; 2],
}

/// What caused an evaluation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trigger {
    /// A quote.
    Quote,
    /// A ctx, or nothing but time.
    Other,
}

/// What stays the same for a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[detector]`
    pub detector: config::Detector,
    /// A market whose ctx is older than this is stale; `None` when gate 2 is off.
    pub stale_after: Option<Nanos>,
    /// The mode, for the rows.
    pub mode: Mode,
    /// First id of this run, for signals and for crosses.
    pub first_id: u64,
}

/// Finds dislocations, follows them, and records them.
#[derive(Debug)]
pub struct Detector {
    settings: Settings,
    slots: Vec<Slot>,
    samples: SignalSamples,
    timers: Timers,
    next_signal: u64,
    next_cross: u64,
}

/// The markets, what the gates say of one, and where results go.
pub struct Context<'a> {
    /// The moment.
    pub now: Now,
    /// All markets.
    pub markets: &'a [Market],
    /// Whether the feed is late: what is held shows markets as they were a while ago.
    pub late: bool,
    /// What the gates say.
    pub judge: &'a dyn Fn(&Market) -> GateReport,
    /// The first filter that blocks a signal.
    pub filter: &'a dyn Fn(&SignalRow) -> Option<Filter>,
    /// What becomes of a signal that neither a gate nor a filter blocks.
    pub decide: &'a mut dyn FnMut(MarketId, &SignalRow) -> Decided,
    /// Counters.
    pub status: &'a mut Status,
    /// Where rows go.
    pub out: &'a mut Actions,
}

impl Detector {
    /// Knows no market yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            samples: SignalSamples::new(&settings.detector.entry_latencies_ms),
            slots: Vec::with_capacity(1024),
            timers: Timers::with_capacity(2 * MAX_WAITING + 4096),
            next_signal: settings.first_id,
            next_cross: settings.first_id,
            settings,
        }
    }

    /// Sets what an edge has to pay for in `market`; without a cost nothing is detected there.
    pub fn set_cost(&mut self, market: MarketId, cost: Option<Cost>) {
        if self.slots.len() <= market.index() {
            self.slots.resize(market.index() + 1, Slot::default());
        }
        self.slots[market.index()].cost = cost;
    }

    /// What an edge has to pay for in `market`, if it can be told.
    pub fn cost(&self, market: MarketId) -> Option<Cost> {
        self.slots.get(market.index())?.cost
    }

    /// The edge of an entry that was approved a while ago, as the market is now; `None` when nothing
    /// stands within its limit, or what does is not worth the cost.
    pub fn edge_left(&self, now: Mono, market: &Market, order: &Order) -> Option<Bps> {
        let cost = self.cost(order.market)?;
        let stale_after = self.settings.stale_after;
        let found = dislocation(now, market, order.side, cost.total, stale_after).ok()?;
        found.touched.px.at_or_better(order.side, order.px).then_some(found.edge)
    }

    /// When [`Detector::on_time`] has something to do.
    pub fn next_due(&self) -> Mono {
        self.timers.next_due()
    }

    /// Evaluates both sides of `market` after `trigger`.
    pub fn on_market(&mut self, world: &mut Context<'_>, market: MarketId, trigger: Trigger) {
        for side in Side::BOTH {
            self.step(world, market, side, trigger);
        }
    }

    /// Does what has fallen due.
    pub fn on_time(&mut self, world: &mut Context<'_>) {
        while let Some(timer) = self.timers.pop_due(world.now.mono) {
            match timer {
                Timer::Sample { slot } => self.take(world, slot),
                Timer::Resignal { market, side, cross } => {
                    if self.open(market, side).is_some_and(|open| open.id == cross) {
                        self.step(world, market, side, Trigger::Other);
                    }
                }
                Timer::Stale { market, side, cross } => {
                    if self.open(market, side).is_some_and(|open| open.id == cross) {
                        self.step(world, market, side, Trigger::Other);
                        self.watch_staleness(world.markets, market, side);
                    }
                }
            }
        }
    }

    /// Ends every cross.
    pub fn end_all(&mut self, world: &mut Context<'_>, end: CrossEnd) {
        for index in 0..self.slots.len() {
            for side in Side::BOTH {
                if let Some(cross) = self.slots[index].open[side.index()].take() {
                    close(world, MarketId(index as u16), side, &cross, end);
                }
            }
        }
    }

    /// Records every sample that is still pending.
    pub fn shut_down(&mut self, world: &mut Context<'_>) {
        self.end_all(world, CrossEnd::Shutdown);
        let (status, out) = (&mut *world.status, &mut *world.out);
        self.samples.shut_down(world.now, |row| count_and_record(status, out, row));
    }

    fn open(&self, market: MarketId, side: Side) -> Option<&Cross> {
        self.slots.get(market.index())?.open[side.index()].as_ref()
    }

    fn step(&mut self, world: &mut Context<'_>, id: MarketId, side: Side, trigger: Trigger) {
        let (Some(slot), Some(market)) =
            (self.slots.get_mut(id.index()), world.markets.get(id.index()))
        else {
            return;
        };
        let now = world.now;
        let found = match slot.cost {
            Some(cost) => {
                dislocation(now.mono, market, side, cost.total, self.settings.stale_after)
            }
            None => Err(NoSignal::NoQuote),
        };
        let open = &mut slot.open[side.index()];
        match (open.as_mut(), found) {
            (None, Err(_)) => {}
            (None, Ok(dislocation)) => {
                let judged = (world.judge)(market);
                let suggestion = suggest(
                    &self.settings.detector,
                    dislocation.touched,
                    market.spec.sz_decimals,
                    judged.factor,
                );
                *open = Some(Cross {
                    id: CrossId(self.next_cross),
                    began: now,
                    first_px: dislocation.touched.px,
                    // Where nothing is suggested, the quote lives as long as anything stands.
                    wanted: suggestion.map_or(Sz::ZERO, |s| s.sz).max(Sz::from_units(1)),
                    survival: None,
                    max_edge: dislocation.edge,
                    signals: 0,
                    next_signal: now.mono,
                    next_small: now.mono,
                });
                self.next_cross += 1;
                world.status.crosses += 1;
                world.status.crosses_open += 1;
                world.out.log(LogEvent::CrossBegan {
                    coin: market.spec.coin,
                    side,
                    edge: dislocation.edge,
                    notional: suggestion.map_or(Usd::ZERO, |s| s.notional),
                });
                self.watch_staleness(world.markets, id, side);
                self.signal(world, id, side, &dislocation, Some((judged, suggestion)));
            }
            (Some(cross), Ok(dislocation)) => {
                cross.max_edge = cross.max_edge.max(dislocation.edge);
                update_survival(cross, market, side, now.mono, trigger);
                self.signal(world, id, side, &dislocation, None);
            }
            (Some(cross), Err(calm)) => {
                update_survival(cross, market, side, now.mono, trigger);
                let cross = *cross;
                *open = None;
                close(world, id, side, &cross, calm.end(trigger == Trigger::Quote));
            }
        }
    }

    /// Records a signal of the open cross, if one is due and the book is thick enough. `known` is
    /// what the gates and the sizing have said already in this step.
    fn signal(
        &mut self,
        world: &mut Context<'_>,
        id: MarketId,
        side: Side,
        found: &Dislocation,
        known: Option<(GateReport, Option<Suggestion>)>,
    ) {
        let settings = &self.settings;
        let Some(market) = world.markets.get(id.index()) else { return };
        let Some(slot) = self.slots.get_mut(id.index()) else { return };
        let (Some(cross), Some(cost)) = (slot.open[side.index()].as_mut(), slot.cost) else {
            return;
        };
        let (Some(bbo), Some(ctx)) = (market.bbo, market.ctx) else { return };
        let now = world.now;
        if now.mono < cross.next_signal {
            return;
        }
        let (judged, suggestion) = known.unwrap_or_else(|| {
            let judged = (world.judge)(market);
            let sz_decimals = market.spec.sz_decimals;
            (judged, suggest(&settings.detector, found.touched, sz_decimals, judged.factor))
        });
        let Some(suggestion) = suggestion else {
            return; // Thin: the next quote may be thick enough.
        };
        let net_edge = found.edge.checked_sub(cost.paid).unwrap_or(Bps::from_bits(i64::MIN));
        let mid2 = bbo
            .value
            .tradable()
            .map_or(0, |(bid, ask)| i128::from(bid.px.units()) + i128::from(ask.px.units()));
        if !self.samples.has_room() {
            world.status.signals_shed += 1;
            if world.status.signals_shed.is_power_of_two() {
                world.out.log(LogEvent::SignalsShed { shed: world.status.signals_shed });
            }
            return;
        }
        let mut row = SignalRow {
            id: SignalId(self.next_signal),
            detected_at: now.wall,
            coin: market.spec.coin,
            asset: market.spec.asset,
            side,
            oracle_px: found.oracle,
            mark_px: ctx.value.mark,
            bid: bbo.value.bid,
            ask: bbo.value.ask,
            raw_edge: found.edge,
            net_edge,
            cost: cost.total,
            suggested_sz: suggestion.sz,
            suggested_notional: suggestion.notional,
            size_factor: suggestion.factor,
            spread: market.spread,
            spread_ewma: (market.baseline.samples > 0).then_some(market.baseline.value),
            bbo_age: now.mono.since(bbo.received_at),
            ctx_age: now.mono.since(ctx.received_at),
            bbo_time: bbo.value.time,
            cross: cross.id,
            cross_age: now.mono.since(cross.began.mono),
            blocked_by: judged.blocked_by,
            gate_mask: judged.mask,
            decision: judged.blocked_by.map_or(Decision::Observed, Decision::Blocked),
            limited_by: None,
            mode: settings.mode,
        };
        if judged.blocked_by.is_none() {
            let filtered = (world.filter)(&row).map(|filter| Decision::Filtered(filter).into());
            let decided = filtered.unwrap_or_else(|| (world.decide)(id, &row));
            (row.decision, row.limited_by) = (decided.decision, decided.limited_by);
        }
        let next = now.mono.plus(settings.detector.resignal_interval);
        if is_small(&row) {
            if now.mono < cross.next_small {
                return; // Told already: the first moment that can be traded makes the next signal.
            }
            cross.next_small = next;
        } else {
            cross.next_signal = next;
        }
        self.next_signal += 1;
        cross.signals = cross.signals.saturating_add(1);
        self.timers.arm(next, Timer::Resignal { market: id, side, cross: cross.id });
        let tracked = TrackedSignal {
            id: row.id,
            market: id,
            coin: row.coin,
            side,
            at: now,
            px: found.touched.px,
            oracle: found.oracle,
            mid2,
            edge: found.edge,
            sz: suggestion.sz,
        };
        if let Some((slot, due)) = self.samples.track(tracked) {
            self.timers.arm(due, Timer::Sample { slot });
        }
        count_and_record(world.status, world.out, Row::Signal(row));
    }

    fn take(&mut self, world: &mut Context<'_>, slot: u32) {
        let Some(market) = self.samples.market(slot).and_then(|id| world.markets.get(id.index()))
        else {
            return;
        };
        let stale_after = self.settings.stale_after;
        if let Some((row, next)) =
            self.samples.take(world.now, slot, market, stale_after, world.late)
        {
            if let Some(due) = next {
                self.timers.arm(due, Timer::Sample { slot });
            }
            count_and_record(world.status, world.out, row);
        }
    }

    /// Arms the timer that ends a cross whose ctx stays away.
    fn watch_staleness(&mut self, markets: &[Market], id: MarketId, side: Side) {
        let (Some(max), Some(cross)) = (self.settings.stale_after, self.open(id, side)) else {
            return;
        };
        let cross = cross.id;
        if let Some(ctx) = markets.get(id.index()).and_then(|market| market.ctx) {
            let due = ctx.received_at.plus(max).plus(Nanos(1)); // At the limit it still passes.
            self.timers.arm(due, Timer::Stale { market: id, side, cross });
        }
    }
}

/// Whether nothing but its size kept a signal from being traded: in observation what it suggests, in
/// trading what could be made of that, was below the venue's least order.
fn is_small(row: &SignalRow) -> bool {
    match row.decision {
        Decision::BelowMinimum => true,
        Decision::Observed => row.suggested_notional < MIN_ORDER,
        Decision::Blocked(_) | Decision::Filtered(_) | Decision::Failed(_) | Decision::Sent => {
            false
        }
    }
}

/// Notes that the first touched quote is gone: less than the wanted size stands at its price or
/// better. Only the top of the book is known, so a small better quote counts as gone too.
fn update_survival(cross: &mut Cross, market: &Market, side: Side, now: Mono, trigger: Trigger) {
    if trigger != Trigger::Quote || cross.survival.is_some() {
        return;
    }
    let stands = market
        .bbo
        .and_then(|held| held.value.touched(side))
        .is_some_and(|top| top.px.at_or_better(side, cross.first_px) && top.sz >= cross.wanted);
    if !stands {
        cross.survival = Some(now.since(cross.began.mono));
    }
}

fn close(world: &mut Context<'_>, id: MarketId, side: Side, cross: &Cross, end: CrossEnd) {
    let Some(market) = world.markets.get(id.index()) else { return };
    world.status.crosses_open = world.status.crosses_open.saturating_sub(1);
    let duration = world.now.mono.since(cross.began.mono);
    world.out.record(Row::Cross(CrossRow {
        id: cross.id,
        coin: market.spec.coin,
        side,
        started_at: cross.began.wall,
        // By the monotonic clock: the wall's may have been set back meanwhile.
        ended_at: cross.began.wall.plus(duration),
        duration,
        quote_survival: cross.survival,
        max_raw_edge: cross.max_edge,
        signals: cross.signals,
        end,
    }));
}

fn count_and_record(status: &mut Status, out: &mut Actions, row: Row) {
    match &row {
        Row::Signal(signal) => {
            status.signals += 1;
            match signal.decision {
                Decision::Blocked(_) => status.signals_blocked += 1,
                Decision::Filtered(filter) => status.signals_filtered[filter as usize] += 1,
                Decision::BelowMinimum => status.trading.below_minimum += 1,
                Decision::Observed | Decision::Failed(_) | Decision::Sent => {}
            }
        }
        Row::FollowUp(_) => status.followups += 1,
        Row::Entry(_) => status.entries += 1,
        Row::Cross(_) | Row::Gap(_) | Row::Order(_) | Row::Trade(_) => {}
    }
    out.record(row);
}
