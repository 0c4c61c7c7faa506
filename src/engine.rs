//! The heart: a state machine that is told what happened, and says what to do.
//!
//! It knows no socket, clock, file or thread, draws no chance but from its seed, and cannot fail.
//! Given the same events it does the same things, bit for bit.

mod account;
mod answers;
mod clock;
mod dispatch;
mod exits;
mod frame;
mod hard_stop;
mod leverage;
mod signer;
mod snapshot;
mod trader;
mod universe;

use crate::detector::GateReport;
use crate::detector::cross::{self, Context, Detector};
use crate::engine::clock::longest_turn;
use crate::feed::Subscription;
use crate::feed::clock::FeedClock;
use crate::feed::market::Market;
use crate::feed::message::Decoder;
use crate::feed::session::{MAX_SUBSCRIPTIONS, Session};
use crate::risk::{self, Limits, View, filters};
use crate::types::account::RecordedTrades;
use crate::types::config::Config;
use crate::types::event::{Action, Actions, Event, LinkDown};
use crate::types::hard_stop::HardStop;
use crate::types::log_event::LogEvent;
use crate::types::losses::Losses;
use crate::types::market::UserFees;
use crate::types::order::Order;
use crate::types::record::{CrossEnd, Decision, GapCause, GapRow, Gate, Mode, Row};
use crate::types::snapshot::MarketState;
use crate::types::status::{LinkState, Status};
use crate::types::time::{Mono, Nanos, Now, Wall};

use self::account::RestBudget;
pub use self::trader::Wallet;
use self::trader::{MarketView, Trader};

/// Most markets one link can watch: two channels each, and three of the account.
pub const MAX_MARKETS: usize = (MAX_SUBSCRIPTIONS - 3) / 2;

/// A reading of the venue that has no answer after this is asked for again.
const READ_TIMEOUT: Nanos = Nanos::from_secs(60);

/// What the engine keeps of a market beside its state.
#[derive(Clone, Copy, Debug, Default)]
struct WatchedMarket {
    /// The first gate that blocks, as last told.
    gate: Option<Gate>,
    /// When that gate began to block.
    gate_since: Mono,
    near_cap: bool,
    /// What came on this link.
    has_bbo: bool,
    has_ctx: bool,
    set_aside: bool,
    halted: bool,
    /// The venue lists it, and its entry cannot be read.
    odd: bool,
}

impl WatchedMarket {
    fn has_data(&self) -> bool {
        self.has_bbo && self.has_ctx
    }

    fn state(&self) -> MarketState {
        match self {
            WatchedMarket { halted: true, .. } => MarketState::Halted,
            WatchedMarket { set_aside: true, .. } => MarketState::SetAside,
            watch if watch.has_data() => MarketState::Live,
            _ => MarketState::Waiting,
        }
    }

    /// Adds to the gate that blocks how long it has.
    fn count_blocked(&self, now: Mono, blocked: &mut [Nanos; Gate::ALL.len()]) {
        if let Some(gate) = self.gate {
            let sum = &mut blocked[gate as usize];
            sum.0 = sum.0.saturating_add(now.since(self.gate_since).0);
        }
    }
}

/// Whether every market has data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Readiness {
    /// No link.
    Down,
    /// Waiting for markets, but no longer than this.
    Waiting { until: Mono },
    /// All have data, or are set aside.
    Ready,
}

/// A time of not seeing everything, still open.
#[derive(Clone, Copy, Debug)]
struct Gap {
    since: Now,
    cause: GapCause,
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    limits: Limits,
    filters: filters::Limits,
    decoder: Decoder,
    session: Session,
    detector: Detector,
    /// Orders and positions; none in observation.
    trader: Option<Box<Trader>>,
    markets: Vec<Market>,
    watched: Vec<WatchedMarket>,
    fees: UserFees,
    status: Status,
    readiness: Readiness,
    /// Watched markets without data on this link that are not set aside.
    missing: usize,
    gap: Option<Gap>,
    /// When market data last arrived, or the link opened.
    last_data: Option<Now>,
    /// When the last event came, and how long none may come before it is a pause of the process.
    turned_at: Option<Now>,
    longest_turn: Nanos,
    /// When it next wants to hear of the time; `None` when nobody tells it.
    heartbeat_at: Option<Mono>,
    /// When the process turned again after a pause, while what has waited in buffers may still come.
    resumed_at: Option<Mono>,
    clock: FeedClock,
    /// Whether our wall clock was last told to be wrong.
    clock_is_wrong: bool,
    /// When the venue was last read whole.
    universe_read_at: Option<Mono>,
    read_at: Mono,
    read_failures: u32,
    /// Weight of readings over REST that is left.
    rest: RestBudget,
    complained: [Option<Mono>; 3],
    started: bool,
    stopped: bool,
}

impl Engine {
    /// An engine that observes, and waits for its first event. `first_id` makes signal and cross
    /// ids unique across runs; `seed` drives the jitter of reconnects.
    pub fn new(config: &Config, first_id: u64, seed: u64) -> Self {
        let config = Config { mode: Mode::Observation, ..config.clone() };
        Self::with(&config, first_id, seed, None)
    }

    /// An engine that trades. `latch` is HardStop as the last run left it. Ids of orders and round
    /// trips are made of `first_id` and `seed`, and so unique across runs.
    pub fn trading(
        config: &Config,
        first_id: u64,
        seed: u64,
        wallet: Wallet,
        latch: HardStop,
    ) -> Self {
        let config = Config { mode: Mode::Trading, ..config.clone() };
        let trader = Trader::new(&config, first_id, seed, wallet, latch);
        Self::with(&config, first_id, seed, Some(Box::new(trader)))
    }

    /// What earlier runs have won and lost, as it was kept: the limits on losses count it.
    pub fn continue_losses(&mut self, losses: Losses) {
        if let Some(trader) = &mut self.trader {
            trader.earlier_losses = losses;
        }
    }

    /// What earlier runs have recorded. A round trip of ours that the account's first reading tells of,
    /// and that is not among them, ended while no run was there to hear it: it gets its row.
    pub fn restore_trades(&mut self, recorded: RecordedTrades) {
        if let Some(trader) = &mut self.trader {
            trader.positions.restore_trades(recorded);
        }
    }

    fn with(config: &Config, first_id: u64, seed: u64, trader: Option<Box<Trader>>) -> Self {
        let user = trader
            .as_ref()
            .map(|trader| trader.user.clone())
            .or_else(|| config.account.acting().map(str::to_owned));
        let mut decoder = Decoder::new();
        if let Some(user) = &user {
            decoder.set_user(user);
        }
        let settings = cross::Settings {
            detector: config.detector.clone(),
            stale_after: config.risk.max_ctx_age,
            mode: config.mode,
            first_id,
        };
        Self {
            limits: Limits::from(&config.risk),
            filters: filters::Limits::from(&config.detector),
            decoder,
            session: Session::new(config.websocket.clone(), user, seed),
            detector: Detector::new(settings),
            trader,
            markets: Vec::with_capacity(MAX_MARKETS),
            watched: Vec::with_capacity(MAX_MARKETS),
            fees: UserFees::BASE,
            status: Status::default(),
            readiness: Readiness::Down,
            missing: 0,
            gap: None,
            last_data: None,
            turned_at: None,
            longest_turn: longest_turn(&config.risk),
            heartbeat_at: Some(Mono(0)),
            resumed_at: None,
            clock: FeedClock::default(),
            clock_is_wrong: false,
            universe_read_at: None,
            read_at: Mono(0),
            read_failures: 0,
            rest: RestBudget::new(config.venue.dexes.len()),
            complained: [None; 3],
            started: false,
            stopped: false,
            config: config.clone(),
        }
    }

    /// Takes one event, in any state. What fell due by `now` is done first, so that a look at a
    /// signal sees the state from before the event.
    pub fn on_event(&mut self, now: Now, event: Event<'_>, out: &mut Actions) {
        if self.stopped {
            return;
        }
        if !self.started {
            self.started = true;
            self.read_at = now.mono;
            self.gap = Some(Gap { since: now, cause: GapCause::Start });
            self.add_account_channels(now, out);
            if let Some(trader) = &mut self.trader {
                trader.begin(now, out);
            }
        }
        self.on_turn(now, out);
        self.on_time(now, out);
        match event {
            Event::Tick => {}
            Event::Connected => self.on_connected(now, out),
            Event::Disconnected(cause) => self.on_disconnected(now, cause, out),
            Event::Frame(frame) => self.on_frame(now, frame, out),
            Event::Binary => {
                self.received(now, 0);
                self.status.unknown += 1;
            }
            Event::Universe(universe) => self.on_universe(now, universe, out),
            Event::UniverseFailed => self.on_universe_failed(now, out),
            Event::Account(state) => {
                if let Some(trader) = &mut self.trader {
                    trader.on_account(now, state, &self.markets, out);
                }
            }
            Event::AccountFailed => {
                if let Some(trader) = &mut self.trader {
                    trader.on_account_failed(now, out);
                }
            }
            Event::Exchanged { post, status, body } => {
                let answer = self.decoder.exchanged(status, body);
                if let Some(trader) = &mut self.trader {
                    trader.on_post(now, post, &answer, &self.markets, out);
                }
            }
            Event::ExchangeFailed { post } => {
                if let Some(trader) = &mut self.trader {
                    trader.on_exchange_failed(now, post);
                }
            }
            Event::SignerRole(role) => {
                if let Some(trader) = &mut self.trader
                    && trader.on_signer_role(now, role, out)
                {
                    self.end(now, out);
                }
            }
            Event::SignerRoleFailed => {
                if let Some(trader) = &mut self.trader {
                    trader.on_signer_role_failed(now);
                }
            }
            Event::VenueTime(told) => self.on_venue_time(now, told, out),
            Event::Operator(command) => {
                if let Some(trader) = &mut self.trader {
                    trader.on_operator(now, command, out);
                }
            }
            Event::RowsLost { rows, since } => self.on_rows_lost(now, rows, since, out),
            Event::Stop => self.on_stop(now, out),
        }
        self.trade(now, out);
    }

    /// What trading does at the end of every event: exits that are due, orders that wait, READY.
    fn trade(&mut self, now: Now, out: &mut Actions) {
        self.judge_age(now.mono, out);
        if self.stopped {
            return;
        }
        let Self { trader, markets, session, detector, limits, filters, rest, clock, .. } = self;
        let Some(trader) = trader else { return };
        let worth = |order: &Order| {
            let Some(market) = markets.get(order.market.index()) else { return false };
            let gates = risk::evaluate_all(limits, &View { now: now.mono, market });
            let edge = detector.edge_left(now.mono, market, order);
            gates.blocked_by.is_none()
                && edge.is_some_and(|edge| filters::is_plausible(filters, edge))
        };
        let md_ready = self.readiness == Readiness::Ready;
        trader.clock_behind = clock.behind(now);
        trader.newest_block = clock.newest().unwrap_or(trader.newest_block);
        let view = MarketView { ready: md_ready, markets, worth: &worth };
        trader.on_event_end(now, &view, session, rest, out);
        if trader.may_end(now.mono) {
            self.end(now, out);
        }
    }

    /// The account's channels go before all others: a reconnect must not be blind for positions.
    fn add_account_channels(&mut self, now: Now, out: &mut Actions) {
        if self.trader.is_none() {
            return;
        }
        use Subscription::{OrderUpdates, UserEvents, UserFills};
        for subscription in [OrderUpdates, UserFills, UserEvents] {
            self.session.add(now.mono, subscription, None, out);
        }
    }

    /// When the engine next has something to do without news: [`Event::Tick`] is due then.
    pub fn next_due(&self) -> Mono {
        if self.stopped {
            return Mono::MAX;
        }
        if !self.started {
            return Mono(0);
        }
        let ready = match self.readiness {
            Readiness::Waiting { until } => until,
            Readiness::Down | Readiness::Ready => Mono::MAX,
        };
        let trader = self.trader.as_ref().map_or(Mono::MAX, |trader| trader.next_due());
        let others = self.session.next_due().min(self.detector.next_due());
        let heartbeat = self.heartbeat_at.unwrap_or(Mono::MAX);
        others.min(self.read_at).min(ready).min(trader).min(heartbeat)
    }

    /// Goes through the motions of an entry, for the sake of the caches; see
    /// [`Encoder::warm_up`](crate::executor::encode::Encoder::warm_up). Nothing is sent, and nothing
    /// that decides is changed. Does nothing in observation, and before the venue was read.
    pub fn warm_up(&mut self, now: Now) {
        if let Some(trader) = &mut self.trader {
            trader.warm_up(now, &self.markets);
        }
    }

    fn on_time(&mut self, now: Now, out: &mut Actions) {
        self.on_heartbeat(now, out);
        if now.mono >= self.read_at {
            self.read_at = match self.rest.take_universe(now.mono) {
                Ok(()) => {
                    out.push(Action::ReadUniverse);
                    now.mono.plus(READ_TIMEOUT)
                }
                Err(ready_at) => ready_at,
            };
        }
        if let Some(cause) = self.session.on_time(now.mono, out) {
            out.push(Action::Close(cause));
            self.on_disconnected(now, cause, out);
        }
        if now.mono >= self.detector.next_due() {
            self.with_world(now, out, |detector, world| detector.on_time(world));
        }
        if let Readiness::Waiting { until } = self.readiness
            && now.mono >= until
        {
            for (market, watch) in self.markets.iter().zip(&mut self.watched) {
                if !watch.has_data() && !watch.set_aside {
                    watch.set_aside = true;
                    out.log(LogEvent::SetAside { coin: market.spec.coin });
                }
            }
            self.missing = 0;
            self.ready(now, out);
        }
    }

    /// Lets the detector work on the markets.
    fn with_world(
        &mut self,
        now: Now,
        out: &mut Actions,
        work: impl FnOnce(&mut Detector, &mut Context<'_>),
    ) {
        let late = self.is_late();
        let (limits, markets) = (&self.limits, &self.markets);
        let trader = &mut self.trader;
        let mut decide = |id, signal: &_| match trader {
            Some(trader) => trader.decide(now, id, markets, signal),
            None => Decision::Observed.into(),
        };
        let limits_of_filters = &self.filters;
        let filter = |signal: &_| filters::first_blocking(limits_of_filters, signal);
        let judge = |market: &Market| {
            let all = risk::evaluate_all(limits, &View { now: now.mono, market });
            GateReport { blocked_by: all.blocked_by, mask: all.mask, factor: all.factor }
        };
        let status = &mut self.status;
        let decide = &mut decide;
        let mut world =
            Context { now, markets, late, judge: &judge, filter: &filter, decide, status, out };
        work(&mut self.detector, &mut world);
    }

    fn on_connected(&mut self, now: Now, out: &mut Actions) {
        if self.session.link_state() != LinkState::Connecting {
            return;
        }
        self.status.connects += 1;
        self.last_data = Some(now);
        self.missing = self.watched.iter().filter(|watch| !watch.set_aside).count();
        let until = now.mono.plus(self.config.venue.md_ready_timeout);
        self.readiness = Readiness::Waiting { until };
        self.session.on_connected(now.mono, out);
        if self.read_failures > 0 {
            // What kept the venue from being read may be over with what kept the link down.
            self.read_at = self.read_at.min(now.mono);
        }
        if let Some(trader) = &mut self.trader {
            trader.on_connected(now);
        }
    }

    fn on_disconnected(&mut self, now: Now, cause: LinkDown, out: &mut Actions) {
        let was_open = self.session.is_open();
        if self.session.on_disconnected(now.mono, cause, out).is_none() || !was_open {
            return;
        }
        self.status.disconnects += 1;
        self.readiness = Readiness::Down;
        self.clock.on_link_down();
        self.resumed_at = None;
        if let Some(trader) = &mut self.trader {
            trader.on_disconnected(now, out);
        }
        if self.gap.is_none() {
            let since = self.last_data.unwrap_or(now);
            self.gap = Some(Gap { since, cause: GapCause::LinkDown });
        }
        self.with_world(now, out, |detector, world| {
            detector.end_all(world, CrossEnd::Disconnected);
        });
        for (market, watch) in self.markets.iter_mut().zip(&mut self.watched) {
            market.forget_link();
            watch.count_blocked(now.mono, &mut self.status.gate_blocked);
            // Who had nothing to say before holds up nobody after the reconnect.
            let set_aside = watch.set_aside || watch.halted;
            let WatchedMarket { halted, odd, .. } = *watch;
            *watch = WatchedMarket { halted, odd, set_aside, ..WatchedMarket::default() };
        }
    }

    fn ready(&mut self, now: Now, out: &mut Actions) {
        if !matches!(self.readiness, Readiness::Waiting { .. }) {
            return;
        }
        self.readiness = Readiness::Ready;
        let set_aside = self.watched.iter().filter(|watch| watch.set_aside).count() as u32;
        out.log(LogEvent::Ready { markets: self.markets.len() as u32, set_aside });
        self.end_gap(now, out);
    }

    fn end_gap(&mut self, now: Now, out: &mut Actions) {
        if let Some(Gap { since, cause }) = self.gap.take() {
            let lasted = now.mono.since(since.mono);
            // By the monotonic clock: the wall's may have been set back meanwhile.
            self.record_gap(since.wall, since.wall.plus(lasted), cause, out);
            let markets = self.markets.len() as u32;
            out.log(LogEvent::GapEnded { cause, lasted, markets });
        }
    }

    fn record_gap(&mut self, since: Wall, until: Wall, cause: GapCause, out: &mut Actions) {
        self.status.gaps += 1;
        let markets = self.markets.len() as u32;
        out.record(Row::Gap(GapRow { started_at: since, ended_at: until, cause, markets }));
    }

    fn on_rows_lost(&mut self, now: Now, rows: u64, since: Wall, out: &mut Actions) {
        self.status.rows_lost += rows;
        out.log(LogEvent::RowsLost { rows });
        self.record_gap(since, now.wall.max(since), GapCause::RingOverflow, out);
    }

    /// Observation ends at once; trading once nothing is owed any more.
    fn on_stop(&mut self, now: Now, out: &mut Actions) {
        match &mut self.trader {
            Some(trader) => trader.begin_stopping(now, out),
            None => self.end(now, out),
        }
    }

    fn end(&mut self, now: Now, out: &mut Actions) {
        if let Some(trader) = &mut self.trader {
            trader.end(now, out);
        }
        self.with_world(now, out, Detector::shut_down);
        self.end_gap(now, out);
        match self.session.link_state() {
            LinkState::Idle | LinkState::Backoff => {}
            LinkState::Connecting | LinkState::Subscribing | LinkState::Live => {
                out.push(Action::Close(LinkDown::Stopped));
            }
        }
        self.stopped = true;
        out.push(Action::Stopped);
    }
}
