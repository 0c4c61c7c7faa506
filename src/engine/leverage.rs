//! The leverage of each market: set before its first entry, isolated, so that a position can lose
//! no more than its own margin (PROTOCOL.md §5.2).

use crate::engine::trader::{EntryBlock, Trader};
use crate::executor::budget::Kind;
use crate::executor::encode;
use crate::executor::refusals::refusal;
use crate::feed::market::Market;
use crate::feed::session::Session;
use crate::types::event::Actions;
use crate::types::log_event::LogEvent;
use crate::types::order::{OrderAnswer, PostAnswer, Refusal};
use crate::types::time::{Mono, Nanos, Now};

/// Pause between two markets: the address budget is spent on orders first.
const PACE: Nanos = Nanos::from_millis(50);
/// An answer that does not come is asked for again after this.
const PATIENCE: Nanos = Nanos::from_secs(10);
/// A market that was refused is tried again after this.
const RETRY: Nanos = Nanos::from_secs(60);
/// Messages of a minute that are left to orders.
const KEEP_MESSAGES: u32 = 200;

/// What is known of a market's leverage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Leverage {
    /// Nothing; not before then.
    Unknown { not_before: Mono },
    /// Asked for, in this post.
    Asked { post: u64, nonce: u64, at: Mono },
    /// As wanted.
    Set,
}

impl Default for Leverage {
    fn default() -> Self {
        Self::Unknown { not_before: Mono(0) }
    }
}

impl Trader {
    /// The leverage that is set in a market: the configured one, as far as the market allows it.
    pub(super) fn leverage(&self, market: &Market) -> u32 {
        self.settings.position.leverage.min(market.spec.max_leverage).max(1)
    }

    /// Sets the leverage of the next market that needs it, one at a time.
    pub(super) fn set_leverage(
        &mut self,
        now: Now,
        markets: &[Market],
        session: &mut Session,
        out: &mut Actions,
    ) {
        if now.mono < self.leverage_at {
            return;
        }
        self.leverage_at = Mono::MAX;
        self.count_leverage(markets);
        let ready = self.ready.but_for_hard_stop() && self.signer.is_ours();
        if !ready || self.stopping_until.is_some() {
            return; // Woken up when that changes.
        }
        let count = self.entry_blocks.len();
        for step in 0..count {
            let at = (self.leverage_next + step) % count;
            let Some(market) = markets.get(at).filter(|market| market.may_trade()) else {
                if self.entry_blocks[at].leverage != Leverage::Set {
                    self.leverage_at = self.leverage_at.min(now.mono.plus(RETRY));
                }
                continue; // Halted; it may come back.
            };
            match self.entry_blocks[at].leverage {
                Leverage::Set => continue,
                Leverage::Asked { at: asked, .. } if now.mono.since(asked) < PATIENCE => {
                    self.leverage_at = self.leverage_at.min(asked.plus(PATIENCE));
                    continue;
                }
                Leverage::Unknown { not_before } if now.mono < not_before => {
                    self.leverage_at = self.leverage_at.min(not_before);
                    continue;
                }
                Leverage::Asked { .. } | Leverage::Unknown { .. } => {}
            }
            self.leverage_at = now.mono.plus(PACE);
            let allowed = self.budget.may(now.mono, Kind::Leverage, 1);
            if !allowed || !session.may_send(now.mono, KEEP_MESSAGES) {
                return;
            }
            self.leverage_next = at + 1;
            let leverage = self.leverage(market);
            let asset = market.spec.asset;
            let action = encode::Action::UpdateLeverage { asset, is_cross: false, leverage };
            if let Some((post, nonce)) = self.post(now, &action, None, out) {
                self.budget.spend(now.mono, Kind::Leverage, 1, post);
                self.entry_blocks[at].leverage = Leverage::Asked { post, nonce, at: now.mono };
            }
            return;
        }
    }

    /// Counts the markets whose leverage is set, of those that trade.
    fn count_leverage(&mut self, markets: &[Market]) {
        let trading =
            self.entry_blocks.iter().zip(markets).filter(|(_, market)| market.may_trade());
        self.leverage_set = trading.fold((0, 0), |(set, all), (entry_block, _)| {
            (set + u32::from(entry_block.leverage == Leverage::Set), all + 1)
        });
    }

    /// Takes the answer to an `updateLeverage`; `false` when the post was none.
    pub(super) fn on_leverage_answer(
        &mut self,
        now: Now,
        markets: &[Market],
        post: u64,
        answer: &PostAnswer<'_>,
        out: &mut Actions,
    ) -> bool {
        let asked = |entry_block: &EntryBlock| match entry_block.leverage {
            Leverage::Asked { post: own, nonce, .. } => (own == post).then_some(nonce),
            _ => None,
        };
        let mut each = self.entry_blocks.iter().enumerate();
        let found = each.find_map(|(at, entry_block)| Some((at, asked(entry_block)?)));
        let Some((at, nonce)) = found else { return false };
        let words = match answer {
            PostAnswer::Default => {
                self.entry_blocks[at].leverage = Leverage::Set;
                self.count_leverage(markets);
                self.leverage_at = self.leverage_at.min(now.mono.plus(PACE));
                return true;
            }
            PostAnswer::Refused(words) | PostAnswer::Error(words) => Some(*words),
            PostAnswer::Statuses([OrderAnswer::Error(words), ..]) => Some(*words),
            _ => None,
        };
        self.entry_blocks[at].leverage = Leverage::Unknown { not_before: now.mono.plus(RETRY) };
        self.leverage_at = self.leverage_at.min(now.mono.plus(PACE));
        if let (Some(words), Some(market)) = (words, markets.get(at)) {
            out.log(LogEvent::LeverageRefused { coin: market.spec.coin, words });
            self.on_refused_whole(now, words, out);
            // The first thing that is signed: a signer that is not known shows here.
            let refusal = refusal(words.as_bytes());
            let ours = match refusal {
                Refusal::UnknownSigner => true,
                Refusal::NonceRange => self.raise_nonces(now, nonce),
                _ => false,
            };
            if ours && let Some(reason) = self.monitor.on_result(now.mono, Err(refusal)) {
                self.stop_for(now, reason, out);
            }
        }
        true
    }

    /// Posts without an answer are void after a disconnect.
    pub(super) fn forget_leverage_posts(&mut self) {
        for entry_block in &mut self.entry_blocks {
            if let Leverage::Asked { .. } = entry_block.leverage {
                entry_block.leverage = Leverage::default();
            }
        }
    }
}
