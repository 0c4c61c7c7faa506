//! How old what is known is: pauses of the process, the feed's lag, readings that fail, and our own
//! clock. What is told here follows from the times of events alone.

use crate::engine::{Engine, Readiness};
use crate::feed::clock::{LEAST_SKEW_MS, MOST_SKEW_MS};
use crate::types::config::Risk;
use crate::types::event::Actions;
use crate::types::hard_stop::StopReason;
use crate::types::ids::MarketId;
use crate::types::log_event::LogEvent;
use crate::types::record::{CrossEnd, GapCause};
use crate::types::status::DataAge;
use crate::types::time::{Mono, Nanos, Now, VenueMs, VenueTime};

/// The engine wants to hear of the time this often at least: so a longer silence is a loop that did not turn.
pub(super) const HEARTBEAT: Nanos = Nanos::from_millis(500);
/// A loop that turned again sooner has not paused, whatever the ages allow.
const LEAST_PAUSE: Nanos = Nanos::from_millis(1_000);
/// What ages allow where none is limited.
const USUAL_AGE: Nanos = Nanos::from_millis(1_500);
/// What has waited in buffers during a pause has come by then, even if no block says so.
const DRAINED: Nanos = Nanos::from_secs(2);
/// A wall clock that is off by more is told of, and right again within the second: milliseconds.
const SKEW_TOLD_MS: i64 = 1_000;
const SKEW_PAST_MS: i64 = 750;

/// The longest that nothing may be heard of the time before it is a pause: what the tightest of the ages
/// allows.
pub(super) fn longest_turn(risk: &Risk) -> Nanos {
    let ages = [risk.max_feed_lag, risk.max_bbo_age, risk.max_ctx_age];
    let tightest = ages.into_iter().flatten().min();
    tightest.unwrap_or(USUAL_AGE).max(LEAST_PAUSE)
}

impl Engine {
    /// Whoever drives it tells no time between the events that it has: captures of old versions, and what
    /// others have recorded. A silence is then no pause of the process.
    pub fn without_heartbeat(&mut self) {
        self.heartbeat_at = None;
    }

    /// Whether the process stood still since the event before, and what follows from it: nobody knows how
    /// long crosses lasted, nor what waits in buffers. To be called before anything else is done.
    pub(super) fn on_turn(&mut self, now: Now, out: &mut Actions) {
        let Some(last) = self.turned_at.replace(now) else { return };
        let stood = now.mono.since(last.mono);
        if stood <= self.longest_turn || self.heartbeat_at.is_none() || !self.session.is_open() {
            return;
        }
        // They ended when they were last seen.
        self.with_world(last, out, |detector, world| detector.end_all(world, CrossEnd::Stale));
        for market in &mut self.markets {
            market.doubt_ctx();
        }
        self.resumed_at = Some(now.mono);
        if self.gap.is_none() {
            self.record_gap(last.wall, last.wall.plus(stood), GapCause::Paused, out);
            let markets = self.markets.len() as u32;
            out.log(LogEvent::GapEnded { cause: GapCause::Paused, lasted: stood, markets });
        }
        // A gap of the link that follows from it begins where this one ends.
        self.last_data = Some(now);
    }

    /// What falls due with time alone.
    pub(super) fn on_heartbeat(&mut self, now: Now, out: &mut Actions) {
        if self.resumed_at.is_some_and(|at| now.mono.since(at) >= DRAINED) {
            self.resumed_at = None;
        }
        if self.heartbeat_at.is_some_and(|at| now.mono >= at) {
            self.heartbeat_at = Some(now.mono.plus(HEARTBEAT));
            self.judge_clock(now, out);
        }
    }

    /// A quote tells of a block. Returns as of when the quote counts.
    pub(super) fn on_block(
        &mut self,
        now: Now,
        market: MarketId,
        time: VenueMs,
        out: &mut Actions,
    ) -> Mono {
        let first = self.watched.get(market.index()).is_none_or(|watch| !watch.has_bbo);
        let lag = self.clock.sample(now.mono, time, first);
        // What comes behind a block that is young has not waited, since the link keeps the order.
        if lag.is_some_and(|lag| lag <= self.longest_turn) {
            self.resumed_at = None;
        }
        self.judge_feed(now.mono, out);
        self.clock.as_of(now.mono, time)
    }

    /// What a quote changes of the ages, before anything is decided on it; the others are judged at the end
    /// of each event, and so no later than a heartbeat.
    fn judge_feed(&mut self, now: Mono, out: &mut Actions) {
        let Some(trader) = &self.trader else { return };
        let late = self.is_late() && self.readiness == Readiness::Ready;
        let known = trader.data_age;
        if (known.feed_lag, known.paused) != (late, self.resumed_at.is_some()) {
            self.judge_age(now, out);
        }
    }

    /// Whether the feed is later than may be.
    pub(super) fn is_late(&self) -> bool {
        self.config.risk.max_feed_lag.is_some_and(|most| self.clock.is_late(most))
    }

    /// Tells the trading half what of all that entries rest on is too old.
    pub(super) fn judge_age(&mut self, now: Mono, out: &mut Actions) {
        if self.trader.is_none() {
            return;
        }
        let late = self.is_late();
        let Some(trader) = &mut self.trader else { return };
        let older = |read_at: Option<Mono>, most| read_at.is_some_and(|at| now.since(at) > most);
        let (venue, position) = (&self.config.venue, &self.config.position);
        trader.take_age(
            DataAge {
                meta: older(self.universe_read_at, venue.max_meta_age),
                account: older(trader.account_read_at(), position.max_account_age),
                // While not every market is seen, entries wait for that.
                feed_lag: late && self.readiness == Readiness::Ready,
                paused: self.resumed_at.is_some(),
            },
            out,
        );
    }

    pub(super) fn on_venue_time(&mut self, now: Now, told: VenueTime, out: &mut Actions) {
        self.clock.on_venue_time(told);
        self.judge_clock(now, out);
    }

    /// Whether our wall clock is right, as far as the venue's own word tells.
    fn judge_clock(&mut self, now: Now, out: &mut Actions) {
        self.clock.on_tick(now.mono);
        self.status.clock_skew_ms = self.clock.skew_ms(now);
        let ms = self.status.clock_skew_ms.unwrap_or_default();
        let told = if self.clock_is_wrong { SKEW_PAST_MS } else { SKEW_TOLD_MS };
        if let Some(wrong) = self.clock.is_wrong(now, &(-told..=told))
            && wrong != self.clock_is_wrong
        {
            self.clock_is_wrong = wrong;
            out.log(if wrong { LogEvent::ClockSkew { ms } } else { LogEvent::ClockRight { ms } });
        }
        let Some(trader) = &mut self.trader else { return };
        match self.clock.is_wrong(now, &(LEAST_SKEW_MS..=MOST_SKEW_MS)) {
            Some(true) => trader.stop_for(now, StopReason::ClockSkew, out),
            Some(false) => trader.release(StopReason::ClockSkew, out),
            None => {}
        }
    }
}
