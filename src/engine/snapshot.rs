//! What the engine shows of itself: to the log, the dashboard and the end of a run.

use crate::engine::{Engine, Readiness, WatchedMarket};
use crate::executor::orders::Transitions;
use crate::feed::market::Market;
use crate::types::ids::{Coin, MarketId};
use crate::types::num::Szi;
use crate::types::snapshot::{MarketSnapshot, PositionSnapshot};
use crate::types::status::{Status, Trading};
use crate::types::time::{Mono, Wall};

impl Engine {
    /// Counters, and what holds at `now`.
    pub fn status(&self, now: Mono) -> Status {
        let fresh = |(market, watch): (&Market, &WatchedMarket)| {
            watch.has_data()
                && self
                    .config
                    .risk
                    .max_ctx_age
                    .is_none_or(|max| market.ctx_age(now).is_some_and(|age| age <= max))
        };
        let mut gate_blocked = self.status.gate_blocked;
        for watch in &self.watched {
            watch.count_blocked(now, &mut gate_blocked);
        }
        Status {
            markets: self.markets.len() as u32,
            md_ready: self.readiness == Readiness::Ready,
            gate_blocked,
            live: self.markets.iter().zip(&self.watched).filter(|pair| fresh(*pair)).count() as u32,
            blocked: self.watched.iter().filter(|watch| watch.gate.is_some()).count() as u32,
            link: self.session.link_state(),
            quarantined: self.session.quarantined(),
            fallback: self.decoder.fallbacks(),
            feed_lag: self.clock.lag(),
            trading: Trading {
                // Counted as its row is recorded.
                below_minimum: self.status.trading.below_minimum,
                ..self.trader.as_ref().map(|trader| trader.status(now)).unwrap_or_default()
            },
            ..self.status
        }
    }

    /// The markets watched, by [`MarketId`].
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// Shows the markets from `from` on, at most `most`, in their order.
    pub fn show_markets(&self, from: usize, most: usize, out: &mut Vec<MarketSnapshot>) {
        let held = self.markets.iter().zip(&self.watched).enumerate();
        for (index, (market, watch)) in held.skip(from).take(most) {
            let bbo = market.bbo.map(|held| held.value);
            out.push(MarketSnapshot {
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
    pub fn show_positions(&self, now: Mono, out: &mut Vec<PositionSnapshot>) {
        let held = self.trader.iter().flat_map(|trader| trader.positions.iter_open());
        out.extend(held.filter_map(|(id, position)| {
            let market = self.markets.get(id.index())?;
            Some(PositionSnapshot {
                coin: market.spec.coin,
                szi: position.szi,
                entry: position.entry_px(),
                mark: market.mark(),
                held: position.held_for(now),
            })
        }));
    }

    /// What the orders that are over went through: from which state to which.
    pub fn order_transitions(&self) -> Transitions {
        self.trader.as_ref().map(|trader| trader.orders.transitions()).unwrap_or_default()
    }

    /// Since when not everything is seen, while a gap is open.
    pub fn blind_since(&self) -> Option<Wall> {
        self.gap.map(|gap| gap.since.wall)
    }

    /// What is held, as far as fills and answers have told it; flat markets are not listed.
    pub fn holdings(&self) -> impl Iterator<Item = (Coin, Szi)> + '_ {
        let held = self.trader.iter().flat_map(|trader| trader.holdings());
        held.filter_map(|(id, szi)| Some((self.markets.get(id.index())?.spec.coin, szi)))
    }
}
