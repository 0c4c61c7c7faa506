//! The trading half of the engine: from an approved signal to the bytes of an order, and what is
//! held until it is closed again.
//!
//! It decides nothing about markets: `risk` and `detector` do. It is the one owner of orders,
//! positions, limits and HardStop.

use std::hint::black_box;

use crate::detector::{self, Decided};
use crate::engine::account::{Reading, RestBudget};
use crate::engine::leverage::Leverage;
use crate::engine::signer::SignerCheck;
use crate::executor::budget::{ActionBudget, Kind};
use crate::executor::checks::{self, EntryView};
use crate::executor::encode::Encoder;
use crate::executor::orders::{OrderId, Orders};
use crate::executor::queue::{Dispatch, Priority, Queue};
use crate::executor::rules;
use crate::executor::sizing::{self, Bounds, Fit};
use crate::feed::market::Market;
use crate::feed::session::Session;
use crate::position::{Comparison, Positions, Reconciler, RiskMonitor};
use crate::types::config::{self, Config};
use crate::types::event::Actions;
use crate::types::hard_stop::HardStop;
use crate::types::ids::{Address, MarketId};
use crate::types::losses::Losses;
use crate::types::market::MarketSpec;
use crate::types::num::{Px, Side, Sz, Szi, Usd};
use crate::types::order::{Cloid, Order, Purpose, worst_px};
use crate::types::ready::Waiting;
use crate::types::record::{Check, Decision, ExitReason, SignalRow, SizeLimit};
use crate::types::status::{DataAge, ReadyFlags, Trading};
use crate::types::time::{Mono, Nanos, Now, VenueMs};

/// Most orders in one action: far below the venue's 200, and what a tick can gather.
pub(super) const MOST_IN_BATCH: usize = 16;

/// Messages of a minute that entries leave to exits, look-ups and the heartbeat.
pub(super) const KEEP_MESSAGES: u32 = 100;

/// A reading of the account may tell of a moment that lies this far back.
const READING_AGE: Nanos = Nanos::from_secs(5);

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
pub(super) struct EntryBlock {
    /// The venue said so, until then.
    pub(super) suspended_until: Mono,
    pub(super) leverage: Leverage,
}

/// What the trading half sees of the markets at the end of an event.
#[derive(Clone, Copy)]
pub(super) struct MarketView<'a> {
    /// Whether all of them have data, or are set aside.
    pub(super) ready: bool,
    pub(super) markets: &'a [Market],
    /// Whether an entry that has waited would still be approved.
    pub(super) worth: &'a dyn Fn(&Order) -> bool,
}

/// Orders, positions, limits, and the latch.
#[derive(Debug)]
pub(super) struct Trader {
    pub(super) settings: Settings,
    pub(super) encoder: Encoder,
    pub(super) user: String,
    pub(super) signer: SignerCheck,
    pub(super) orders: Orders,
    pub(super) queue: Queue,
    pub(super) dispatch: Dispatch,
    pub(super) budget: ActionBudget,
    pub(super) positions: Positions,
    /// Markets in which something is held, oldest first.
    pub(super) held: Vec<MarketId>,
    /// When an exit has something to do without news.
    pub(super) exit_due: Mono,
    /// Exits wait for a reading of the account until then.
    pub(super) exits_read_first: Mono,
    /// Since when no link is open; `None` while one is, and before the first.
    pub(super) unlinked_since: Option<Mono>,
    pub(super) reconciler: Reconciler,
    pub(super) verdicts: Vec<Comparison>,
    pub(super) monitor: RiskMonitor,
    /// Time of the newest block that the feed told.
    pub(super) newest_block: VenueMs,
    /// What earlier runs have won and lost; of it, what is open is taken as its market is read.
    pub(super) earlier_losses: Losses,
    pub(super) hard_stop: HardStop,
    /// READY, as last told.
    pub(super) ready: ReadyFlags,
    /// What entries wait for beside it, as last told.
    pub(super) waiting: Waiting,
    /// Whether it was told that the address budget is at what is kept for exits.
    pub(super) budget_told: bool,
    /// Markets whose leverage is set, of those that trade.
    pub(super) leverage_set: (u32, u32),
    /// What of all that entries rest on is too old.
    pub(super) data_age: DataAge,
    /// How far our wall clock is behind the venue's at least.
    pub(super) clock_behind: Nanos,
    /// What of READY is this half's own business.
    pub(super) orders_heard: bool,
    pub(super) fills_heard: bool,
    pub(super) entry_blocks: Vec<EntryBlock>,
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
    /// How many dexes are watched.
    pub(super) dexes: usize,
    pub(super) detector: config::Detector,
    pub(super) executor: config::Executor,
    pub(super) position: config::Position,
    pub(super) time_stop: config::TimeStop,
    pub(super) mark_regression: config::MarkRegression,
    /// `risk.max_ctx_age_ms`; `None` when gate 2 is off.
    pub(super) max_ctx_age: Option<Nanos>,
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
        let account = config.account.user_address.as_deref().unwrap_or(&wallet.user);
        let signer = SignerCheck::new(wallet.encoder.signer().address(), Address::parse(account));
        Self {
            signer,
            settings: Settings {
                dexes: config.venue.dexes.len(),
                detector: config.detector.clone(),
                executor: config.executor.clone(),
                position: config.position.clone(),
                time_stop: config.time_stop.clone(),
                mark_regression: config.mark_regression.clone(),
                max_ctx_age: config.risk.max_ctx_age,
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
            exits_read_first: Mono(0),
            unlinked_since: None,
            reconciler: Reconciler::new(config.position.resync_interval),
            verdicts: Vec::new(),
            monitor: RiskMonitor::new(&config.risk_monitor),
            newest_block: VenueMs(0),
            earlier_losses: Losses::default(),
            hard_stop: latch.lasting(),
            ready: ReadyFlags::default(),
            waiting: Waiting::default(),
            budget_told: false,
            leverage_set: (0, 0),
            data_age: DataAge::default(),
            clock_behind: Nanos::ZERO,
            orders_heard: false,
            fills_heard: false,
            entry_blocks: Vec::with_capacity(crate::engine::MAX_MARKETS),
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

    /// The first event: what was lost before this run counts.
    pub(super) fn begin(&mut self, now: Now, out: &mut Actions) {
        self.monitor.continue_losses(now, &self.earlier_losses);
        self.judge_losses(now, out);
    }

    pub(super) fn add_market(&mut self, now: Mono, id: MarketId, spec: &MarketSpec) {
        self.positions.add_market(id, spec.coin, spec.asset);
        self.reconciler.add_market(id, spec.coin);
        self.entry_blocks.push(EntryBlock::default());
        self.leverage_at = self.leverage_at.min(now);
        // Whether something is held there is not known before a reading says so. Without a link its
        // beginning will ask for one.
        if self.ready.ws_connected {
            self.reading.wanted(now);
        }
    }

    /// Judges a signal that no gate blocked: fits its size into what the limits leave, and enqueues its
    /// order if nothing is against it.
    pub(super) fn decide(
        &mut self,
        now: Now,
        id: MarketId,
        markets: &[Market],
        signal: &SignalRow,
    ) -> Decided {
        let Some(market) = markets.get(id.index()) else {
            return self.refuse(Check::NotReady, None);
        };
        let view = self.view(now, id, markets);
        let Some((px, fit)) = self.price_and_size(market, signal, &view) else {
            return Decision::BelowMinimum.into();
        };
        let Fit { sz, limited_by, has_room } = fit;
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
        let ready = self.may_open(now.mono, id, markets, &order);
        let view = EntryView { ready, order: Some(order.notional()), ..view };
        if let Some(check) = checks::first_failing(&view) {
            return self.refuse(check, limited_by);
        }
        if !has_room {
            // No check is of margin: the venue would refuse the order.
            return Decided { decision: Decision::BelowMinimum, limited_by };
        }
        let Ok(order_id) = self.orders.open(now, order) else {
            return self.refuse(Check::BudgetExhausted, limited_by);
        };
        if self.queue.push(now.mono, Priority::NewOrder, order_id).is_err() {
            self.orders.drop_pending(now, order_id);
            return self.refuse(Check::BudgetExhausted, limited_by);
        }
        self.fresh = true;
        self.counts.approved += 1;
        self.update_peak_notional(markets);
        Decided { decision: Decision::Sent, limited_by }
    }

    /// Judges, packs and signs an order that is none; see
    /// [`Engine::warm_up`](crate::engine::Engine::warm_up).
    pub(super) fn warm_up(&mut self, now: Now, markets: &[Market]) {
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
        let ready = self.may_open(now.mono, order.market, markets, &order);
        let view = self.view(now, order.market, markets);
        let view = EntryView { ready, order: Some(order.notional()), ..view };
        black_box(checks::first_failing(&view));
        black_box(self.encoder.warm_up(&order));
    }

    fn refuse(&mut self, check: Check, limited_by: Option<SizeLimit>) -> Decided {
        self.counts.stopped_by[check as usize] += 1;
        Decided { decision: Decision::Failed(check), limited_by }
    }

    /// Price and size as the venue takes them; `None` when the config lets no order of the signal reach
    /// the venue's least.
    ///
    /// Limits hold at the worst price that the order may fill at: with slippage, and sold, it may cost
    /// more than was suggested.
    fn price_and_size(
        &self,
        market: &Market,
        signal: &SignalRow,
        view: &EntryView,
    ) -> Option<(Px, Fit)> {
        if !signal.size_factor.is_positive() {
            return None; // A book so thin that nothing of it is wanted.
        }
        let touched = match signal.side {
            Side::Buy => signal.ask,
            Side::Sell => signal.bid,
        }?;
        let decimals = market.spec.sz_decimals;
        let lot = Sz::lot(decimals)?;
        let slippage = self.settings.executor.entry_slippage;
        let px = rules::reach(touched.px, signal.side, slippage, decimals).ok()?;
        let worst = worst_px(signal.side, px)?;
        let detector = &self.settings.detector;
        let most = detector::most_sz(detector, touched)?.floor_to(lot);
        let most = most.min(rules::most_sz(detector.max_notional, worst, lot));
        let bounds = Bounds { least: rules::least_sz(px, decimals)?, most, worst, lot };
        let fit = sizing::fit(signal.suggested_sz, &bounds, &sizing::rooms(view))?;
        rules::check(px, fit.sz, decimals, false).ok()?;
        Some((px, fit))
    }

    /// What size and checks are made of, for an order that is not known yet.
    fn view(&self, now: Now, id: MarketId, markets: &[Market]) -> EntryView {
        let position = &self.settings.position;
        let dynamic = position.risk_per_market.map(|share| (share, self.available));
        let market_limit = checks::market_limit(position.max_notional_per_market, dynamic);
        EntryView {
            hard_stop: self.hard_stop.active(),
            ready: false,
            order: None,
            market: self.exposure(id, markets),
            total: self.total_exposure(markets),
            market_limit,
            market_limited_by: if market_limit < position.max_notional_per_market {
                SizeLimit::Dynamic
            } else {
                SizeLimit::Market
            },
            total_limit: position.max_total_notional,
            margin: self.free_margin(id, markets),
            open_markets: self.open_markets(Some(id)),
            open_limit: position.max_concurrent_positions,
            has_position: !self.whole(id).is_none_or(Szi::is_flat),
            pending: self.orders.live(id).next().is_some(),
            budget: self.budget.may(now.mono, Kind::Entry, 1),
        }
    }

    /// Value of an order that the free margin backs in a market: what was free when the account was last
    /// read, less what entries and positions since then bind, times the market's leverage. `None` when
    /// the venue did not tell.
    fn free_margin(&self, id: MarketId, markets: &[Market]) -> Option<Usd> {
        let read_at = self.reading.last()?;
        let mut free = i128::from(self.available?.units());
        let binds = |value: Usd, id: MarketId| {
            let leverage = markets.get(id.index()).map_or(1, |market| self.leverage(market));
            (i128::from(value.units()) + i128::from(leverage) - 1) / i128::from(leverage)
        };
        for market in self.orders.pending_markets() {
            free -= binds(self.orders.pending_notional(market), market);
        }
        for (market, position) in self.positions.iter_open() {
            if position.opened_at.mono.plus(READING_AGE) > read_at {
                let mark = markets.get(market.index()).and_then(Market::mark);
                free -= binds(self.positions.notional(market, mark)?, market);
            }
        }
        let backed = free.max(0) * i128::from(self.leverage(markets.get(id.index())?));
        Some(Usd::from_units(i64::try_from(backed).unwrap_or(i64::MAX)))
    }

    /// Whether anything but the checks of size and number stands against opening there.
    pub(super) fn may_open(
        &self,
        now: Mono,
        id: MarketId,
        markets: &[Market],
        order: &Order,
    ) -> bool {
        let (Some(market), Some(entry_block)) =
            (markets.get(id.index()), self.entry_blocks.get(id.index()))
        else {
            return false;
        };
        // The id is the venue's for this very name (PROTOCOL.md §5.1), as the last reading had it.
        let named = market.spec.coin == order.coin && market.spec.asset == order.asset;
        self.ready.but_for_hard_stop()
            && self.signer.is_ours()
            && !self.data_age.any()
            && named
            && market.may_trade()
            && entry_block.leverage == Leverage::Set
            && !self.reconciler.in_doubt(id)
            && now >= entry_block.suspended_until
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

    fn update_peak_notional(&mut self, markets: &[Market]) {
        let total = self.total_exposure(markets).unwrap_or_default();
        self.counts.peak_notional = self.counts.peak_notional.max(total);
    }

    pub(super) fn new_cloid(&mut self) -> Cloid {
        let cloid = Cloid(u128::from(self.next_cloid) << 64 | u128::from(self.cloid_tag));
        self.next_cloid = self.next_cloid.wrapping_add(1);
        cloid
    }

    /// What is done at the end of every event. `worth` says whether an entry would be approved on the
    /// market as it is now.
    pub(super) fn on_event_end(
        &mut self,
        now: Now,
        view: &MarketView<'_>,
        session: &mut Session,
        rest: &mut RestBudget,
        out: &mut Actions,
    ) {
        let MarketView { ready: md_ready, markets, worth } = *view;
        self.update_readiness(now, md_ready, session.is_open(), out);
        self.look_up(now, session, out);
        self.settle_ended(now, out);
        self.step_exits(now, markets, session.is_open(), out);
        self.flush(now, markets, session, worth, out);
        // Orders that were dropped instead of sent are over at once.
        self.settle_ended(now, out);
        if self.flatten && self.held.is_empty() && self.orders.is_empty() {
            self.flatten = false; // The operator's command is carried out.
        }
        self.ask_signer_role(now, rest, out);
        self.set_leverage(now, markets, session, out);
        self.want_missing_fills(now, out);
        self.read_account(now, rest, out);
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
        due.min(self.exit_due).min(self.signer.next_due())
    }

    /// The run is over: what is not settled is recorded as not known.
    pub(super) fn end(&mut self, now: Now, out: &mut Actions) {
        self.drop_queued(now);
        self.orders.abandon(now);
        self.settle_ended(now, out);
        self.report_open_positions(out);
    }

    /// Counters, and what holds now.
    pub(super) fn status(&self, now: Mono) -> Trading {
        let suspended = self
            .entry_blocks
            .iter()
            .filter(|entry_block| now < entry_block.suspended_until)
            .count() as u32;
        let ids = (0..).map(MarketId).take(self.entry_blocks.len());
        let doubted =
            |id: &MarketId| self.reconciler.in_doubt(*id) || self.orders.rows_are_missing(*id);
        let in_doubt = ids.filter(doubted).count() as u32;
        Trading {
            ready: self.ready,
            waiting: Waiting { suspended, in_doubt, ..self.waiting(now) },
            data_age: self.data_age,
            hard_stop: self.hard_stop,
            signer: self.signer.standing(),
            positions: self.positions.count_open(),
            pending: self.orders.len() as u32,
            budget_left: self.budget.left(),
            presigned: self.encoder.signer().counts(),
            ..self.counts
        }
    }
}
