//! A frame: what it says, and what follows from it.

use crate::detector::cross::Trigger;
use crate::engine::Engine;
use crate::engine::universe::log_halt;
use crate::feed::Subscription;
use crate::feed::message::Message;
use crate::risk::{self, View};
use crate::types::event::Actions;
use crate::types::ids::{Excerpt, MarketId};
use crate::types::latency::Timestamp;
use crate::types::log_event::LogEvent;
use crate::types::status::Status;
use crate::types::time::{Nanos, Now};

/// A warning of one kind is told at most this often; all are counted.
const COMPLAINT_INTERVAL: Nanos = Nanos::from_secs(60);

/// The plain text with which a connection begins.
const GREETING: &[u8] = b"Websocket connection established.";

/// What the log is told of at most once a minute.
#[derive(Clone, Copy)]
enum ThrottledWarning {
    Malformed,
    UnknownChannel,
    VenueError,
}

impl Engine {
    pub(super) fn received(&mut self, now: Now, bytes: usize) {
        self.status.frames += 1;
        self.status.bytes += bytes as u64;
        self.session.on_received(now.mono);
    }

    pub(super) fn on_frame(&mut self, now: Now, frame: &[u8], out: &mut Actions) {
        if !self.session.is_open() {
            return; // Late news of a link that is gone.
        }
        self.received(now, frame.len());
        match self.decoder.decode(frame) {
            Ok(Message::Bbo { market, bbo }) => {
                out.watch.mark(Timestamp::Parsed);
                self.status.bbo += 1;
                let as_of = self.on_block(now, market, bbo.time, out);
                self.mark_received(now, Subscription::Bbo(market), market, out);
                if let Some(held) = self.markets.get_mut(market.index()) {
                    held.take_bbo(as_of, bbo);
                    self.on_market(now, market, Trigger::Quote, out);
                }
            }
            Ok(Message::Ctx { market, ctx }) => {
                out.watch.mark(Timestamp::Parsed);
                self.status.ctx += 1;
                self.mark_received(now, Subscription::Ctx(market), market, out);
                let buffered = self.resumed_at.is_some();
                if let Some(held) = self.markets.get_mut(market.index()) {
                    held.take_ctx(now.mono, ctx);
                    if buffered {
                        held.doubt_ctx();
                    }
                    self.on_market(now, market, Trigger::Other, out);
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
                let text = Excerpt::of(text);
                self.status.venue_errors += 1;
                self.warn_throttled(
                    now,
                    ThrottledWarning::VenueError,
                    LogEvent::VenueError { text },
                    out,
                );
            }
            Ok(Message::Ignored(_) | Message::Unwatched(_)) => self.status.ignored += 1,
            // How the venue greets every connection (PROTOCOL.md §1).
            Ok(Message::Unknown) if frame.trim_ascii() == GREETING => self.status.ignored += 1,
            Ok(Message::Unknown) => {
                self.status.unknown += 1;
                let event = LogEvent::UnknownChannel { frame: Excerpt::of(frame) };
                self.warn_throttled(now, ThrottledWarning::UnknownChannel, event, out);
            }
            Err(malformed) => {
                self.status.malformed += 1;
                let event = LogEvent::Malformed { why: malformed.why, frame: Excerpt::of(frame) };
                self.warn_throttled(now, ThrottledWarning::Malformed, event, out);
            }
        }
    }

    fn warn_throttled(
        &mut self,
        now: Now,
        warning: ThrottledWarning,
        event: LogEvent,
        out: &mut Actions,
    ) {
        let told = &mut self.complained[warning as usize];
        if told.is_none_or(|at| now.mono.since(at) >= COMPLAINT_INTERVAL) {
            *told = Some(now.mono);
            out.log(event);
        }
    }

    /// Notes that a channel of a market has data, and what follows from it the first time on this
    /// link.
    fn mark_received(
        &mut self,
        now: Now,
        subscription: Subscription,
        market: MarketId,
        out: &mut Actions,
    ) {
        self.last_data = Some(now);
        self.session.on_data(now.mono);
        let Some(watch) = self.watched.get_mut(market.index()) else { return };
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
            out.log(LogEvent::Joined { coin: self.markets[market.index()].spec.coin });
        } else {
            self.missing = self.missing.saturating_sub(1);
            if self.missing == 0 {
                self.ready(now, out);
            }
        }
    }

    /// Evaluates a market's gates and looks for dislocations, after `trigger`.
    fn on_market(&mut self, now: Now, id: MarketId, trigger: Trigger, out: &mut Actions) {
        let (Some(market), Some(watch)) =
            (self.markets.get_mut(id.index()), self.watched.get_mut(id.index()))
        else {
            return;
        };
        let evaluation = risk::evaluate(&self.limits, &View { now: now.mono, market });
        if trigger == Trigger::Quote && evaluation.reached_spread() {
            market.average_in(self.limits.alpha);
        }
        let coin = market.spec.coin;
        let gate = evaluation.blocked.map(|(gate, _)| gate);
        if watch.gate != gate {
            watch.count_blocked(now.mono, &mut self.status.gate_blocked);
            (watch.gate, watch.gate_since) = (gate, now.mono);
            if let Some(gate) = gate {
                self.status.gate_blocks[gate as usize] += 1;
            }
            out.log(LogEvent::Gate { coin, gate });
        }
        if evaluation.near_cap && !watch.near_cap {
            out.log(LogEvent::OiNearCap { coin });
        }
        watch.near_cap = evaluation.near_cap;
        log_halt(market, watch, out);
        self.with_world(now, out, |detector, world| detector.on_market(world, id, trigger));
        out.watch.mark(Timestamp::Decided);
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
