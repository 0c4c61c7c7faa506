//! The venue's list of markets: what is watched of it, and what changed.

use crate::detector::cost;
use crate::engine::{Engine, MAX_MARKETS, Readiness, WatchedMarket};
use crate::feed::Subscription;
use crate::feed::market::{Market, changed_rule};
use crate::types::event::Actions;
use crate::types::ids::{Coin, MarketId};
use crate::types::log_event::LogEvent;
use crate::types::market::{MarketSpec, OddEntry, Universe, UserFees};
use crate::types::time::{Mono, Nanos, Now};

/// First delay after a failed reading; doubles up to a minute, or the refresh interval if that is
/// longer. So a minute of failures costs no more than four readings of the venue's REST weight.
const READ_RETRY: Nanos = Nanos::from_secs(5);

impl Engine {
    pub(super) fn on_universe(&mut self, now: Now, universe: &Universe, out: &mut Actions) {
        self.read_failures = 0;
        self.universe_read_at = Some(now.mono);
        self.read_at = now.mono.plus(self.config.venue.meta_refresh);
        self.fees = universe.fees.unwrap_or(UserFees::BASE);
        let first = self.markets.is_empty();
        let wanted = |odd: &&OddEntry| odd.coin.is_none_or(|coin| self.wanted(&coin));
        self.status.markets_odd = universe.odd.iter().filter(wanted).count() as u32;
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
            out.log(LogEvent::MarketsLeftOut { count: left_out, limit: MAX_MARKETS as u32 });
        }
        if first {
            for name in &self.config.venue.include {
                let listed = self.markets.iter().any(|m| m.spec.coin.as_str() == name);
                if let (false, Some(coin)) = (listed, Coin::new(name)) {
                    out.log(LogEvent::NotListed { coin });
                }
            }
            out.log(LogEvent::UniverseRead {
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
        self.watched.push(WatchedMarket::default());
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
            Readiness::Ready => self.watched[id.index()].set_aside = true,
            Readiness::Down => {}
        }
        if !first {
            out.log(LogEvent::Listed { coin: spec.coin });
        }
    }

    fn refresh_market(&mut self, now: Mono, index: usize, universe: &Universe, out: &mut Actions) {
        let market = &mut self.markets[index];
        let same =
            |spec: &&MarketSpec| spec.asset == market.spec.asset && spec.coin == market.spec.coin;
        let spec = universe.markets.iter().find(same).copied();
        // Its rules cannot be read, but its name is listed: it is heard on, so that what is held there
        // can be closed.
        let (coin, asset) = (market.spec.coin, market.spec.asset);
        let odd = spec.is_none()
            && universe.odd.iter().any(|odd| odd.coin == Some(coin) || odd.asset == Some(asset));
        self.session.set_listed(now, MarketId(index as u16), spec.is_some() || odd);
        let watch = &mut self.watched[index];
        if std::mem::replace(&mut watch.odd, odd) != odd {
            out.log(if odd { LogEvent::MarketOdd { coin } } else { LogEvent::Resumed { coin } });
        }
        let before = market.rule_changed;
        market.take_spec(spec);
        let what = changed_rule(&market.first_spec, &market.spec);
        if let (Some(what), false) = (what, before) {
            out.log(LogEvent::ParamChanged { coin: market.spec.coin, what });
        }
        log_halt(market, &mut self.watched[index], out);
        let cost = cost(&self.config.detector, &market.spec, &self.fees);
        self.detector.set_cost(MarketId(index as u16), cost);
    }

    pub(super) fn on_universe_failed(&mut self, now: Now, out: &mut Actions) {
        let bound = self.config.venue.meta_refresh.max(Nanos::from_secs(60));
        let delay = Nanos(READ_RETRY.0.saturating_mul(1 << self.read_failures.min(20)));
        let retry = delay.min(bound);
        self.read_failures = self.read_failures.saturating_add(1);
        self.read_at = now.mono.plus(retry);
        out.log(LogEvent::UniverseFailed { retry });
    }
}

/// Tells when a market halts or comes back: delisted, gone, or settled by its ctx.
pub(super) fn log_halt(market: &Market, watch: &mut WatchedMarket, out: &mut Actions) {
    if market.ctx.is_none() && watch.halted {
        return; // A new link has told nothing of it yet.
    }
    let settled = market.ctx.is_some_and(|held| held.value.settled);
    let halted = market.spec.delisted || !(market.listed || watch.odd) || settled;
    if halted != watch.halted {
        watch.halted = halted;
        let coin = market.spec.coin;
        out.log(if halted { LogEvent::Halted { coin } } else { LogEvent::Resumed { coin } });
    }
}
