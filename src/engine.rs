//! The heart: a state machine that is told what happened, and says what to do.
//!
//! It knows no socket, clock, file or thread, draws no chance but from its seed, and cannot fail.
//! Given the same events it does the same things, bit for bit.

mod account;
mod answers;
mod closing;
mod dispatch;
mod leverage;
mod stop;
mod trader;

use crate::detector::cross::{self, Detector, News, World};
use crate::detector::{Judged, cost};
use crate::executor::orders::Ways;
use crate::feed::Subscription;
use crate::feed::market::{Market, changed_rule};
use crate::feed::message::{Decoder, Message};
use crate::feed::session::{MAX_SUBSCRIPTIONS, Session};
use crate::risk::{self, Limits, View};
use crate::types::account::Booked;
use crate::types::config::Config;
use crate::types::event::{Action, Actions, Event, LinkDown};
use crate::types::hard_stop::HardStop;
use crate::types::ids::{Coin, MarketId, Sample};
use crate::types::latency::Mark;
use crate::types::market::{MarketSpec, Universe, UserFees};
use crate::types::note::{LinkState, Note, Status};
use crate::types::num::Szi;
use crate::types::record::{CrossEnd, Decision, GapCause, GapRow, Gate, Mode, Row};
use crate::types::snapshot::{MarketShot, MarketState, PositionShot};
use crate::types::time::{Mono, Nanos, Now, Wall};

use self::trader::Trader;
pub use self::trader::Wallet;

/// Most markets one link can watch: two channels each, and three of the account.
pub const MAX_MARKETS: usize = (MAX_SUBSCRIPTIONS - 3) / 2;

/// A reading of the venue that has no answer after this is asked for again.
const READ_TIMEOUT: Nanos = Nanos::from_secs(60);
/// First delay after a failed reading; doubles up to a minute, or the refresh interval if that is
/// longer. So a minute of failures costs no more than four readings of the venue's REST weight.
const READ_RETRY: Nanos = Nanos::from_secs(5);
/// A complaint of one kind is told at most this often; all are counted.
const COMPLAINT_INTERVAL: Nanos = Nanos::from_secs(60);

/// What the engine keeps of a market beside its state.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    /// The first gate that blocks, as last told.
    gate: Option<Gate>,
    /// Since when.
    gate_since: Mono,
    near_cap: bool,
    /// What came on this link.
    has_bbo: bool,
    has_ctx: bool,
    set_aside: bool,
    halted: bool,
}

impl Watch {
    fn has_data(&self) -> bool {
        self.has_bbo && self.has_ctx
    }

    fn state(&self) -> MarketState {
        match self {
            Watch { halted: true, .. } => MarketState::Halted,
            Watch { set_aside: true, .. } => MarketState::SetAside,
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
    decoder: Decoder,
    session: Session,
    detector: Detector,
    /// Orders and positions; none in observation.
    trader: Option<Box<Trader>>,
    markets: Vec<Market>,
    watches: Vec<Watch>,
    fees: UserFees,
    status: Status,
    readiness: Readiness,
    /// Watched markets without data on this link that are not set aside.
    missing: usize,
    gap: Option<Gap>,
    /// When market data last arrived, or the link opened.
    last_data: Option<Now>,
    read_at: Mono,
    read_failures: u32,
    complained: [Option<Mono>; 3],
    started: bool,
    stopped: bool,
}

/// What the log is told of at most once a minute.
#[derive(Clone, Copy)]
enum Complaint {
    Malformed,
    UnknownChannel,
    VenueError,
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

    /// What earlier runs have booked. A round trip of ours that the account's first reading tells of,
    /// and that is not among them, ended while no run was there to hear it: it gets its row.
    pub fn continue_books(&mut self, booked: Booked) {
        if let Some(trader) = &mut self.trader {
            trader.positions.continue_books(booked);
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
            decoder,
            session: Session::new(config.websocket.clone(), user, seed),
            detector: Detector::new(settings),
            trader,
            markets: Vec::with_capacity(MAX_MARKETS),
            watches: Vec::with_capacity(MAX_MARKETS),
            fees: UserFees::BASE,
            status: Status::default(),
            readiness: Readiness::Down,
            missing: 0,
            gap: None,
            last_data: None,
            read_at: Mono(0),
            read_failures: 0,
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
        }
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
            Event::Operator(wish) => {
                if let Some(trader) = &mut self.trader {
                    trader.on_operator(now, wish, out);
                }
            }
            Event::RowsLost { rows, since } => self.on_rows_lost(now, rows, since, out),
            Event::Stop => self.on_stop(now, out),
        }
        self.trade(now, out);
    }

    /// What trading does at the end of every event: exits that are due, orders that wait, READY.
    fn trade(&mut self, now: Now, out: &mut Actions) {
        let Some(trader) = &mut self.trader else { return };
        if self.stopped {
            return;
        }
        let md_ready = self.readiness == Readiness::Ready;
        trader.on_event_end(now, md_ready, &self.markets, &mut self.session, out);
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
        others.min(self.read_at).min(ready).min(trader)
    }

    /// Counters, and what holds at `now`.
    pub fn status(&self, now: Mono) -> Status {
        let fresh = |(market, watch): (&Market, &Watch)| {
            watch.has_data()
                && self
                    .config
                    .risk
                    .max_ctx_age
                    .is_none_or(|max| market.ctx_age(now).is_some_and(|age| age <= max))
        };
        let mut gate_blocked = self.status.gate_blocked;
        for watch in &self.watches {
            watch.count_blocked(now, &mut gate_blocked);
        }
        Status {
            markets: self.markets.len() as u32,
            md_ready: self.readiness == Readiness::Ready,
            gate_blocked,
            live: self.markets.iter().zip(&self.watches).filter(|pair| fresh(*pair)).count() as u32,
            blocked: self.watches.iter().filter(|watch| watch.gate.is_some()).count() as u32,
            link: self.session.link_state(),
            fallback: self.decoder.fallbacks(),
            trading: self.trader.as_ref().map(|trader| trader.status()).unwrap_or_default(),
            ..self.status
        }
    }

    /// The markets watched, by [`MarketId`].
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// Shows the markets from `from` on, at most `most`, in their order.
    pub fn show_markets(&self, from: usize, most: usize, out: &mut Vec<MarketShot>) {
        let held = self.markets.iter().zip(&self.watches).enumerate();
        for (index, (market, watch)) in held.skip(from).take(most) {
            let bbo = market.bbo.map(|held| held.value);
            out.push(MarketShot {
                coin: market.spec.coin,
                asset: market.spec.asset,
                bid: bbo.and_then(|bbo| bbo.bid),
                ask: bbo.and_then(|bbo| bbo.ask),
                oracle: market.oracle(),
                mark: market.mark(),
                spread: market.spread,
                cost: self.detector.cost(MarketId(index as u16)).map(|cost| cost.total),
                bbo_at: market.bbo.map(|held| held.received_at),
                ctx_at: market.ctx.map(|held| held.received_at),
                gate: watch.gate,
                state: watch.state(),
            });
        }
    }

    /// Shows what is held.
    pub fn show_positions(&self, now: Mono, out: &mut Vec<PositionShot>) {
        let held = self.trader.iter().flat_map(|trader| trader.positions.iter_open());
        out.extend(held.filter_map(|(id, position)| {
            let market = self.markets.get(id.index())?;
            Some(PositionShot {
                coin: market.spec.coin,
                szi: position.szi,
                entry: position.entry_px(),
                mark: market.mark(),
                held: position.held_for(now),
            })
        }));
    }

    /// What the orders that are over went through: from which state to which.
    pub fn order_ways(&self) -> Ways {
        self.trader.as_ref().map(|trader| trader.orders.ways()).unwrap_or_default()
    }

    /// Since when not everything is seen, while a gap is open.
    pub fn blind_since(&self) -> Option<Wall> {
        self.gap.map(|gap| gap.since.wall)
    }

    /// Goes through the motions of an entry, for the sake of the caches; see
    /// [`Encoder::rehearse`](crate::executor::encode::Encoder::rehearse). Nothing is sent, and nothing
    /// that decides is changed. Does nothing in observation, and before the venue was read.
    pub fn rehearse(&mut self, now: Now) {
        if let Some(trader) = &mut self.trader {
            trader.rehearse(now, &self.markets);
        }
    }

    /// What is held, as far as fills and answers have told it; flat markets are not listed.
    pub fn holdings(&self) -> impl Iterator<Item = (Coin, Szi)> + '_ {
        let held = self.trader.iter().flat_map(|trader| trader.holdings());
        held.filter_map(|(id, szi)| Some((self.markets.get(id.index())?.spec.coin, szi)))
    }

    fn on_time(&mut self, now: Now, out: &mut Actions) {
        if now.mono >= self.read_at {
            self.read_at = now.mono.plus(READ_TIMEOUT);
            out.push(Action::ReadUniverse);
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
            for (market, watch) in self.markets.iter().zip(&mut self.watches) {
                if !watch.has_data() && !watch.set_aside {
                    watch.set_aside = true;
                    out.note(Note::SetAside { coin: market.spec.coin });
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
        work: impl FnOnce(&mut Detector, &mut World<'_>),
    ) {
        let (limits, markets) = (&self.limits, &self.markets);
        let trader = &mut self.trader;
        let mut decide = |id, signal: &_| match trader {
            Some(trader) => trader.decide(now, id, markets, signal),
            None => Decision::Observed,
        };
        let judge = |market: &Market| {
            let all = risk::judge_all(limits, &View { now: now.mono, market });
            Judged { blocked_by: all.blocked_by, mask: all.mask, factor: all.factor }
        };
        let status = &mut self.status;
        let mut world = World { now, markets, judge: &judge, decide: &mut decide, status, out };
        work(&mut self.detector, &mut world);
    }

    fn on_connected(&mut self, now: Now, out: &mut Actions) {
        if self.session.link_state() != LinkState::Connecting {
            return;
        }
        self.status.connects += 1;
        self.last_data = Some(now);
        self.missing = self.watches.iter().filter(|watch| !watch.set_aside).count();
        let until = now.mono.plus(self.config.venue.md_ready_timeout);
        self.readiness = Readiness::Waiting { until };
        self.session.on_connected(now.mono, out);
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
        for (market, watch) in self.markets.iter_mut().zip(&mut self.watches) {
            market.forget_link();
            watch.count_blocked(now.mono, &mut self.status.gate_blocked);
            // Who had nothing to say before holds up nobody after the reconnect.
            let set_aside = watch.set_aside || watch.halted;
            *watch = Watch { halted: watch.halted, set_aside, ..Watch::default() };
        }
    }

    fn received(&mut self, now: Now, bytes: usize) {
        self.status.frames += 1;
        self.status.bytes += bytes as u64;
        self.session.on_received(now.mono);
    }

    fn on_frame(&mut self, now: Now, frame: &[u8], out: &mut Actions) {
        if !self.session.is_open() {
            return; // Late news of a link that is gone.
        }
        self.received(now, frame.len());
        match self.decoder.decode(frame) {
            Ok(Message::Bbo { market, bbo }) => {
                out.watch.mark(Mark::Parsed);
                self.status.bbo += 1;
                if let Some(trader) = &mut self.trader {
                    trader.on_venue_time(now, bbo.time, out);
                }
                self.note_data(now, Subscription::Bbo(market), market, out);
                if let Some(held) = self.markets.get_mut(market.index()) {
                    held.take_bbo(now.mono, bbo);
                    self.on_market(now, market, News::Quote, out);
                }
            }
            Ok(Message::Ctx { market, ctx }) => {
                out.watch.mark(Mark::Parsed);
                self.status.ctx += 1;
                self.note_data(now, Subscription::Ctx(market), market, out);
                if let Some(held) = self.markets.get_mut(market.index()) {
                    held.take_ctx(now.mono, ctx);
                    self.on_market(now, market, News::Other, out);
                }
            }
            Ok(Message::Ack { subscribed: true, subscription: Some(subscription) }) => {
                self.status.acks += 1;
                self.session.on_ack(now.mono, subscription, out);
                if let Some(trader) = &mut self.trader {
                    trader.on_ack(subscription);
                }
            }
            Ok(
                message @ (Message::OrderUpdates { .. }
                | Message::Fills { .. }
                | Message::UserEvent(_)
                | Message::Post { .. }),
            ) => match &mut self.trader {
                Some(trader) => {
                    *account_channel(&mut self.status, &message) += 1;
                    trader.on_message(now, &message, &self.markets, out);
                }
                None => self.status.ignored += 1,
            },
            Ok(Message::Ack { .. }) => self.status.acks += 1,
            Ok(Message::Pong) => self.status.pongs += 1,
            Ok(Message::VenueError(text)) => {
                let text = Sample::of(text);
                self.status.venue_errors += 1;
                self.complain(now, Complaint::VenueError, Note::VenueError { text }, out);
            }
            Ok(Message::Ignored(_) | Message::Unwatched(_)) => self.status.ignored += 1,
            Ok(Message::Unknown) => {
                self.status.unknown += 1;
                let note = Note::UnknownChannel { frame: Sample::of(frame) };
                self.complain(now, Complaint::UnknownChannel, note, out);
            }
            Err(malformed) => {
                self.status.malformed += 1;
                let note = Note::Malformed { why: malformed.why, frame: Sample::of(frame) };
                self.complain(now, Complaint::Malformed, note, out);
            }
        }
    }

    fn complain(&mut self, now: Now, complaint: Complaint, note: Note, out: &mut Actions) {
        let told = &mut self.complained[complaint as usize];
        if told.is_none_or(|at| now.mono.since(at) >= COMPLAINT_INTERVAL) {
            *told = Some(now.mono);
            out.note(note);
        }
    }

    /// Notes that a channel of a market has data, and what follows from it the first time on this
    /// link.
    fn note_data(
        &mut self,
        now: Now,
        subscription: Subscription,
        market: MarketId,
        out: &mut Actions,
    ) {
        self.last_data = Some(now);
        self.session.on_data(now.mono);
        let Some(watch) = self.watches.get_mut(market.index()) else { return };
        let seen = match subscription {
            Subscription::Bbo(_) => &mut watch.has_bbo,
            _ => &mut watch.has_ctx,
        };
        if *seen {
            return;
        }
        *seen = true;
        self.session.on_ack(now.mono, subscription, out);
        if !watch.has_data() {
            return;
        }
        if watch.set_aside {
            watch.set_aside = false;
            out.note(Note::Joined { coin: self.markets[market.index()].spec.coin });
        } else {
            self.missing = self.missing.saturating_sub(1);
            if self.missing == 0 {
                self.ready(now, out);
            }
        }
    }

    fn ready(&mut self, now: Now, out: &mut Actions) {
        if !matches!(self.readiness, Readiness::Waiting { .. }) {
            return;
        }
        self.readiness = Readiness::Ready;
        let set_aside = self.watches.iter().filter(|watch| watch.set_aside).count() as u32;
        out.note(Note::Ready { markets: self.markets.len() as u32, set_aside });
        self.end_gap(now, out);
    }

    fn end_gap(&mut self, now: Now, out: &mut Actions) {
        if let Some(Gap { since, cause }) = self.gap.take() {
            let lasted = now.mono.since(since.mono);
            // By the monotonic clock: the wall's may have been set back meanwhile.
            self.record_gap(since.wall, since.wall.plus(lasted), cause, out);
            let markets = self.markets.len() as u32;
            out.note(Note::GapEnded { cause, lasted, markets });
        }
    }

    fn record_gap(&mut self, since: Wall, until: Wall, cause: GapCause, out: &mut Actions) {
        self.status.gaps += 1;
        let markets = self.markets.len() as u32;
        out.record(Row::Gap(GapRow { started_at: since, ended_at: until, cause, markets }));
    }

    /// Judges the gates of a market and looks for dislocations, after news of it.
    fn on_market(&mut self, now: Now, id: MarketId, news: News, out: &mut Actions) {
        let (Some(market), Some(watch)) =
            (self.markets.get_mut(id.index()), self.watches.get_mut(id.index()))
        else {
            return;
        };
        let assessment = risk::assess(&self.limits, &View { now: now.mono, market });
        if news == News::Quote && assessment.reached_spread() {
            market.average_in(self.limits.alpha);
        }
        let coin = market.spec.coin;
        let gate = assessment.blocked.map(|(gate, _)| gate);
        if watch.gate != gate {
            watch.count_blocked(now.mono, &mut self.status.gate_blocked);
            (watch.gate, watch.gate_since) = (gate, now.mono);
            if let Some(gate) = gate {
                self.status.gate_blocks[gate as usize] += 1;
            }
            out.note(Note::Gate { coin, gate });
        }
        if assessment.near_cap && !watch.near_cap {
            out.note(Note::OiNearCap { coin });
        }
        watch.near_cap = assessment.near_cap;
        tell_halt(market, watch, out);
        self.with_world(now, out, |detector, world| detector.on_market(world, id, news));
        out.watch.mark(Mark::Decided);
    }

    fn on_universe(&mut self, now: Now, universe: &Universe, out: &mut Actions) {
        self.read_failures = 0;
        self.read_at = now.mono.plus(self.config.venue.meta_refresh);
        self.fees = universe.fees.unwrap_or(UserFees::BASE);
        let first = self.markets.is_empty();
        for index in 0..self.markets.len() {
            self.refresh_market(now.mono, index, universe, out);
        }
        let mut left_out = 0;
        for spec in &universe.markets {
            if spec.delisted || !self.wanted(&spec.coin) || self.is_known(spec) {
                continue;
            }
            if self.markets.len() >= MAX_MARKETS {
                left_out += 1;
                continue;
            }
            self.add_market(now, *spec, first, out);
        }
        if left_out > 0 {
            out.note(Note::MarketsLeftOut { count: left_out, limit: MAX_MARKETS as u32 });
        }
        if first {
            for name in &self.config.venue.include {
                let listed = self.markets.iter().any(|m| m.spec.coin.as_str() == name);
                if let (false, Some(coin)) = (listed, Coin::new(name)) {
                    out.note(Note::NotListed { coin });
                }
            }
            out.note(Note::UniverseRead {
                markets: universe.markets.len() as u32,
                active: universe.markets.iter().filter(|m| !m.delisted).count() as u32,
                watched: self.markets.len() as u32,
            });
        }
        if !self.markets.is_empty() {
            self.session.start(now.mono, out);
        }
    }

    fn wanted(&self, coin: &Coin) -> bool {
        let venue = &self.config.venue;
        let named = |list: &[String]| list.iter().any(|name| name == coin.as_str());
        (venue.include.is_empty() || named(&venue.include)) && !named(&venue.exclude)
    }

    /// Whether a market of this id or name is watched. A name that moved to another id is not
    /// taken up again: streams know only names, and could not tell the two apart.
    fn is_known(&self, spec: &MarketSpec) -> bool {
        self.markets.iter().any(|m| m.spec.asset == spec.asset || m.spec.coin == spec.coin)
    }

    fn add_market(&mut self, now: Now, spec: MarketSpec, first: bool, out: &mut Actions) {
        let id = MarketId(self.markets.len() as u16);
        self.markets.push(Market::new(spec));
        self.watches.push(Watch::default());
        if let Some(trader) = &mut self.trader {
            trader.add_market(now.mono, id, &spec);
        }
        self.decoder.watch(spec.coin, id);
        self.detector.set_cost(id, cost(&self.config.detector, &spec, &self.fees));
        for subscription in [Subscription::Bbo(id), Subscription::Ctx(id)] {
            // There is room: `MAX_MARKETS` is made so.
            self.session.add(now.mono, subscription, Some(spec.coin), out);
        }
        match self.readiness {
            Readiness::Waiting { .. } => self.missing += 1,
            // A newcomer holds up nobody.
            Readiness::Ready => self.watches[id.index()].set_aside = true,
            Readiness::Down => {}
        }
        if !first {
            out.note(Note::Listed { coin: spec.coin });
        }
    }

    fn refresh_market(&mut self, now: Mono, index: usize, universe: &Universe, out: &mut Actions) {
        let market = &mut self.markets[index];
        let same =
            |spec: &&MarketSpec| spec.asset == market.spec.asset && spec.coin == market.spec.coin;
        let spec = universe.markets.iter().find(same).copied();
        self.session.set_listed(now, MarketId(index as u16), spec.is_some());
        let before = market.rule_changed;
        market.take_spec(spec);
        let what = changed_rule(&market.first_spec, &market.spec);
        if let (Some(what), false) = (what, before) {
            out.note(Note::ParamChanged { coin: market.spec.coin, what });
        }
        tell_halt(market, &mut self.watches[index], out);
        let cost = cost(&self.config.detector, &market.spec, &self.fees);
        self.detector.set_cost(MarketId(index as u16), cost);
    }

    fn on_universe_failed(&mut self, now: Now, out: &mut Actions) {
        let bound = self.config.venue.meta_refresh.max(Nanos::from_secs(60));
        let delay = Nanos(READ_RETRY.0.saturating_mul(1 << self.read_failures.min(20)));
        let retry = delay.min(bound);
        self.read_failures = self.read_failures.saturating_add(1);
        self.read_at = now.mono.plus(retry);
        out.note(Note::UniverseFailed { retry });
    }

    fn on_rows_lost(&mut self, now: Now, rows: u64, since: Wall, out: &mut Actions) {
        self.status.rows_lost += rows;
        out.note(Note::RowsLost { rows });
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

/// The counter of an account's channel.
fn account_channel<'a>(status: &'a mut Status, message: &Message<'_>) -> &'a mut u64 {
    match message {
        Message::OrderUpdates { .. } => &mut status.order_updates,
        Message::Fills { .. } => &mut status.user_fills,
        Message::UserEvent(_) => &mut status.user_events,
        Message::Post { .. } => &mut status.posts,
        _ => &mut status.ignored,
    }
}

/// Tells when a market halts or comes back: delisted, gone, or settled by its ctx.
fn tell_halt(market: &Market, watch: &mut Watch, out: &mut Actions) {
    if market.ctx.is_none() && watch.halted {
        return; // A new link has told nothing of it yet.
    }
    let settled = market.ctx.is_some_and(|held| held.value.settled);
    let halted = market.spec.delisted || !market.listed || settled;
    if halted != watch.halted {
        watch.halted = halted;
        let coin = market.spec.coin;
        out.note(if halted { Note::Halted { coin } } else { Note::Resumed { coin } });
    }
}
