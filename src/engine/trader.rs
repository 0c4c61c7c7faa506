//! The trading half of the engine: from an approved signal to the bytes of an order, and what is
//! held until it is closed again.
//!
//! It decides nothing about markets: `risk` and `detector` do. It is the one owner of orders,
//! positions, limits and HardStop.

use std::hint::black_box;

use crate::engine::account::Reading;
use crate::engine::leverage::Leverage;
use crate::executor::budget::{ActionBudget, Kind};
use crate::executor::checks::{self, EntryView};
use crate::executor::encode::Encoder;
use crate::executor::orders::{OrderId, Orders};
use crate::executor::queue::{Dispatch, Priority, Queue};
use crate::executor::rules;
use crate::feed::market::Market;
use crate::feed::session::Session;
use crate::position::{Judged, Positions, Reconciler, RiskMonitor};
use crate::types::config::{self, Config};
use crate::types::event::Actions;
use crate::types::hard_stop::HardStop;
use crate::types::ids::MarketId;
use crate::types::market::MarketSpec;
use crate::types::note::{DataAge, ReadyFlags, Trading};
use crate::types::num::{Px, Side, Sz, Szi, Usd};
use crate::types::order::{Cloid, Order, Purpose, worst_px};
use crate::types::record::{Check, Decision, ExitReason, SignalRow};
use crate::types::time::{Mono, Nanos, Now};

/// Most orders in one action: far below the venue's 200, and what a tick can gather.
pub(super) const MOST_IN_BATCH: usize = 16;

/// Messages of a minute that entries leave to exits, look-ups and the heartbeat.
pub(super) const KEEP_MESSAGES: u32 = 100;

/// What a trading engine needs beside its config.
#[derive(Debug)]
pub struct Wallet {
    /// Packs and signs.
    pub encoder: Encoder,
    /// The account that owns the orders, `0x` and 40 lower-case hex digits: the vault or
    /// sub-account if one is traded for, else the master.
    pub user: String,
}

/// Why the engine may not open anything in a market for a while.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bar {
    /// The venue said so, until then.
    pub(super) suspended_until: Mono,
    pub(super) leverage: Leverage,
}

/// Orders, positions, limits, and the latch.
#[derive(Debug)]
pub(super) struct Trader {
    pub(super) settings: Settings,
    pub(super) encoder: Encoder,
    pub(super) user: String,
    pub(super) orders: Orders,
    pub(super) queue: Queue,
    pub(super) dispatch: Dispatch,
    pub(super) budget: ActionBudget,
    pub(super) positions: Positions,
    /// Markets in which something is held, oldest first.
    pub(super) held: Vec<MarketId>,
    /// When an exit has something to do without news.
    pub(super) exit_due: Mono,
    pub(super) reconciler: Reconciler,
    pub(super) verdicts: Vec<Judged>,
    pub(super) monitor: RiskMonitor,
    pub(super) hard_stop: HardStop,
    /// READY, as last told.
    pub(super) ready: ReadyFlags,
    /// What of all that entries rest on is too old.
    pub(super) data_age: DataAge,
    /// How far our wall clock is behind the venue's at least.
    pub(super) clock_behind: Nanos,
    /// What of READY is this half's own business.
    pub(super) orders_heard: bool,
    pub(super) fills_heard: bool,
    pub(super) bars: Vec<Bar>,
    /// No entries anywhere until then: the venue takes post-only orders alone.
    pub(super) suspended_until: Mono,
    /// What backs a trade, as last read.
    pub(super) available: Option<Usd>,
    pub(super) reading: Reading,
    pub(super) next_cloid: u64,
    pub(super) cloid_tag: u64,
    pub(super) last_nonce: u64,
    /// How far ahead of the clock nonces were last raised, milliseconds.
    pub(super) nonce_lead: u64,
    /// Where they have been from then on.
    pub(super) raised_nonce: u64,
    /// Nonce of the action that was last refused whole.
    pub(super) last_refused: Option<u64>,
    pub(super) next_post: u64,
    pub(super) leverage_at: Mono,
    pub(super) leverage_next: usize,
    /// The operator wants every position closed.
    pub(super) flatten: bool,
    /// The run is ending: until then positions are closed.
    pub(super) stopping_until: Option<Mono>,
    /// Whether an approved order waits for the end of this event.
    pub(super) fresh: bool,
    pub(super) counts: Trading,
    pub(super) batch: Vec<Order>,
    pub(super) batch_ids: Vec<OrderId>,
}

/// The parts of the config that trading reads.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) detector: config::Detector,
    pub(super) executor: config::Executor,
    pub(super) position: config::Position,
    pub(super) time_stop: config::TimeStop,
    pub(super) mark_regression: config::MarkRegression,
}

impl Trader {
    /// Knows no market yet.
    pub(super) fn new(
        config: &Config,
        first_id: u64,
        seed: u64,
        wallet: Wallet,
        latch: HardStop,
    ) -> Self {
        Self {
            settings: Settings {
                detector: config.detector.clone(),
                executor: config.executor.clone(),
                position: config.position.clone(),
                time_stop: config.time_stop.clone(),
                mark_regression: config.mark_regression.clone(),
            },
            encoder: wallet.encoder,
            user: wallet.user,
            orders: Orders::new(config.executor.order_timeout),
            queue: Queue::new(),
            dispatch: Dispatch::new(config.executor.tick),
            budget: ActionBudget::new(config.executor.exit_budget_reserve),
            positions: Positions::new(first_id),
            held: Vec::with_capacity(crate::engine::MAX_MARKETS),
            exit_due: Mono::MAX,
            reconciler: Reconciler::new(config.position.resync_interval),
            verdicts: Vec::new(),
            monitor: RiskMonitor::new(&config.risk_monitor),
            hard_stop: latch.lasting(),
            ready: ReadyFlags::default(),
            data_age: DataAge::default(),
            clock_behind: Nanos::ZERO,
            orders_heard: false,
            fills_heard: false,
            bars: Vec::with_capacity(crate::engine::MAX_MARKETS),
            suspended_until: Mono(0),
            available: None,
            reading: Reading::default(),
            next_cloid: first_id,
            cloid_tag: seed,
            last_nonce: 0,
            nonce_lead: 0,
            raised_nonce: 0,
            last_refused: None,
            next_post: 1,
            leverage_at: Mono::MAX,
            leverage_next: 0,
            flatten: false,
            stopping_until: None,
            fresh: false,
            counts: Trading::default(),
            batch: Vec::with_capacity(MOST_IN_BATCH),
            batch_ids: Vec::with_capacity(MOST_IN_BATCH),
        }
    }

    pub(super) fn add_market(&mut self, now: Mono, id: MarketId, spec: &MarketSpec) {
        self.positions.add_market(id, spec.coin, spec.asset);
        self.reconciler.add_market(id, spec.coin);
        self.bars.push(Bar::default());
        self.leverage_at = self.leverage_at.min(now);
        // Whether something is held there is not known before a reading says so. Without a link its
        // beginning will ask for one.
        if self.ready.ws_connected {
            self.reading.wanted(now);
        }
    }

    /// Judges a signal that no gate blocked, and enqueues its order if nothing is against it.
    pub(super) fn decide(
        &mut self,
        now: Now,
        id: MarketId,
        markets: &[Market],
        signal: &SignalRow,
    ) -> Decision {
        let Some(market) = markets.get(id.index()) else {
            return self.refuse(Check::NotReady);
        };
        let Some((px, sz)) = self.size_up(market, signal) else {
            self.counts.below_minimum += 1;
            return Decision::BelowMinimum;
        };
        let order = Order {
            cloid: self.new_cloid(),
            market: id,
            coin: signal.coin,
            asset: signal.asset,
            side: signal.side,
            px,
            sz,
            reduce_only: false,
            purpose: Purpose::Entry(signal.id),
        };
        let view = self.view(now, id, markets, &order);
        if let Some(check) = checks::first_failing(&view) {
            return self.refuse(check);
        }
        let Ok(order_id) = self.orders.open(now, order) else {
            return self.refuse(Check::BudgetExhausted);
        };
        if self.queue.push(now.mono, Priority::NewOrder, order_id).is_err() {
            self.orders.drop_pending(now, order_id);
            return self.refuse(Check::BudgetExhausted);
        }
        self.fresh = true;
        self.counts.approved += 1;
        self.note_peak(markets);
        Decision::Sent
    }

    /// Judges, packs and signs an order that is none; see
    /// [`Engine::rehearse`](crate::engine::Engine::rehearse).
    pub(super) fn rehearse(&mut self, now: Now, markets: &[Market]) {
        // Another market each time: whichever is next has been looked at not long ago.
        let turn = now.mono.0 as usize / 1_000_000 % markets.len().max(1);
        let Some(market) = markets.get(turn) else { return };
        let quote = market.bbo.and_then(|held| held.value.ask);
        let order = Order {
            cloid: Cloid(u128::from(self.cloid_tag)),
            market: MarketId(turn as u16),
            coin: market.spec.coin,
            asset: market.spec.asset,
            side: Side::Buy,
            px: quote.map_or(Px::from_units(12_345_600_000), |level| level.px),
            sz: Sz::lot(market.spec.sz_decimals).unwrap_or(Sz::from_units(1)),
            reduce_only: true,
            purpose: Purpose::Exit(ExitReason::TimeStop),
        };
        let view = self.view(now, order.market, markets, &order);
        black_box(checks::first_failing(&view));
        black_box(self.encoder.rehearse(&order));
    }

    fn refuse(&mut self, check: Check) -> Decision {
        self.counts.stopped_by[check as usize] += 1;
        Decision::Failed(check)
    }

    /// Price and size as the venue takes them; `None` when what is left is below its least order.
    fn size_up(&self, market: &Market, signal: &SignalRow) -> Option<(Px, Sz)> {
        let touched = match signal.side {
            Side::Buy => signal.ask,
            Side::Sell => signal.bid,
        };
        let decimals = market.spec.sz_decimals;
        let slippage = self.settings.executor.entry_slippage;
        let px = rules::reach(touched?.px, signal.side, slippage, decimals).ok()?;
        // With slippage, and sold, an order may cost more than was suggested: never more than
        // allowed.
        let most = self.settings.detector.max_notional;
        let worst = worst_px(signal.side, px)?;
        let mut sz = signal.suggested_sz;
        if Usd::notional(worst, sz)? > most {
            let units =
                i128::from(most.units()) * 10_000_000_000 / i128::from(worst.units().max(1));
            sz = Sz::from_units(i64::try_from(units).ok()?).floor_to(Sz::lot(decimals)?);
        }
        rules::check(px, sz, decimals, false).ok()?;
        Some((px, sz))
    }

    /// What the eight checks look at.
    fn view(&self, now: Now, id: MarketId, markets: &[Market], order: &Order) -> EntryView {
        let position = &self.settings.position;
        let dynamic = position.risk_per_market.map(|share| (share, self.available));
        EntryView {
            hard_stop: self.hard_stop.active(),
            ready: self.may_open(now.mono, id, markets, order),
            order: Some(order.notional()),
            market: self.exposure(id, markets),
            total: self.total_exposure(markets),
            market_limit: checks::market_limit(position.max_notional_per_market, dynamic),
            total_limit: position.max_total_notional,
            open_markets: self.open_markets(Some(id)),
            open_limit: position.max_concurrent_positions,
            has_position: !self.whole(id).is_none_or(Szi::is_flat),
            pending: self.orders.live(id).next().is_some(),
            budget: self.budget.may(now.mono, Kind::Entry, 1),
        }
    }

    /// Whether anything but the checks of size and number stands against opening there.
    pub(super) fn may_open(
        &self,
        now: Mono,
        id: MarketId,
        markets: &[Market],
        order: &Order,
    ) -> bool {
        let (Some(market), Some(bar)) = (markets.get(id.index()), self.bars.get(id.index())) else {
            return false;
        };
        // The id is the venue's for this very name (PROTOCOL.md §5.1), as the last reading had it.
        let named = market.spec.coin == order.coin && market.spec.asset == order.asset;
        self.ready.but_for_hard_stop()
            && !self.data_age.any()
            && named
            && market.may_trade()
            && bar.leverage == Leverage::Set
            && !self.reconciler.in_doubt(id)
            && now >= bar.suspended_until
            && now >= self.suspended_until
            && !self.flatten
            && self.stopping_until.is_none()
    }

    /// What is held in a market: by fills, and by answers whose fills are still to come.
    pub(super) fn whole(&self, id: MarketId) -> Option<Szi> {
        self.positions.held(id).checked_add(self.orders.announced(id))
    }

    /// What is held in each market that is not flat.
    pub(super) fn holdings(&self) -> impl Iterator<Item = (MarketId, Szi)> + '_ {
        self.positions.iter_open().map(|(id, position)| (id, position.szi))
    }

    /// Value of what is held and of what may still fill in a market.
    fn exposure(&self, id: MarketId, markets: &[Market]) -> Option<Usd> {
        let mark = markets.get(id.index()).and_then(Market::mark);
        let held = self.positions.notional(id, mark)?;
        Some(held.saturating_add(self.orders.pending_notional(id)))
    }

    /// The same over all markets.
    fn total_exposure(&self, markets: &[Market]) -> Option<Usd> {
        let mut total = self.orders.pending_total();
        for id in &self.held {
            let mark = markets.get(id.index()).and_then(Market::mark);
            total = total.saturating_add(self.positions.notional(*id, mark)?);
        }
        Some(total)
    }

    /// Markets with a position or an entry that may still fill, all but `without`.
    fn open_markets(&self, without: Option<MarketId>) -> u32 {
        let held = self.held.iter().filter(|id| Some(**id) != without).count();
        let entering = |id: &MarketId| Some(*id) != without && !self.held.contains(id);
        let pending = self.orders.pending_markets().filter(entering).count();
        u32::try_from(held + pending).unwrap_or(u32::MAX)
    }

    fn note_peak(&mut self, markets: &[Market]) {
        let total = self.total_exposure(markets).unwrap_or_default();
        self.counts.peak_notional = self.counts.peak_notional.max(total);
    }

    pub(super) fn new_cloid(&mut self) -> Cloid {
        let cloid = Cloid(u128::from(self.next_cloid) << 64 | u128::from(self.cloid_tag));
        self.next_cloid = self.next_cloid.wrapping_add(1);
        cloid
    }

    /// What is done at the end of every event.
    pub(super) fn on_event_end(
        &mut self,
        now: Now,
        md_ready: bool,
        markets: &[Market],
        session: &mut Session,
        out: &mut Actions,
    ) {
        self.judge_ready(now, md_ready, session.is_open(), out);
        self.look_up(now, session, out);
        self.settle_ended(now, out);
        self.step_exits(now, markets, out);
        self.flush(now, markets, session, out);
        // Orders that were dropped instead of sent are over at once.
        self.settle_ended(now, out);
        if self.flatten && self.held.is_empty() && self.orders.is_empty() {
            self.flatten = false; // The operator's wish is done.
        }
        self.set_leverage(now, markets, session, out);
        self.want_missing_fills(now);
        self.read_account(now, out);
    }

    /// When something falls due without news.
    pub(super) fn next_due(&self) -> Mono {
        let mut due = self.orders.next_due().min(self.reading.next_due()).min(self.leverage_at);
        if !self.queue.is_empty() {
            due = due.min(self.dispatch.next_tick());
        }
        if let Some(until) = self.stopping_until {
            due = due.min(until);
        }
        due.min(self.exit_due)
    }

    /// The run is over: what is not settled is recorded as not known.
    pub(super) fn end(&mut self, now: Now, out: &mut Actions) {
        self.drop_queued(now);
        self.orders.abandon(now);
        self.settle_ended(now, out);
        self.say_farewell(out);
    }

    /// Counters, and what holds now.
    pub(super) fn status(&self) -> Trading {
        Trading {
            ready: self.ready,
            data_age: self.data_age,
            hard_stop: self.hard_stop,
            positions: self.positions.count_open(),
            pending: self.orders.len() as u32,
            budget_left: self.budget.left(),
            presigned: self.encoder.signer().counts(),
            ..self.counts
        }
    }
}
