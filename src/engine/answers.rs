//! What the venue says of our orders, and what follows from it.

use crate::engine::trader::Trader;
use crate::executor::orders::{ClosedExit, Ended};
use crate::executor::refusals;
use crate::feed::Subscription;
use crate::feed::market::Market;
use crate::feed::message::{Message, UserEvent};
use crate::position::{AppliedFill, ExitEnd, FillOrigin};
use crate::types::event::{Action, Actions};
use crate::types::hard_stop::StopReason;
use crate::types::ids::{Coin, Excerpt, MarketId};
use crate::types::log_event::LogEvent;
use crate::types::losses::LossEntry;
use crate::types::num::Usd;
use crate::types::order::{Fill, OrderAnswer, PostAnswer, Purpose, Refusal, RefusalClass};
use crate::types::record::{Outcome, Row, TradeRow};
use crate::types::time::{Nanos, Now};

/// While only post-only orders are taken, entries wait this long before the next try: minutes pass
/// after an upgrade (PROTOCOL.md §3.6).
const POST_ONLY_PAUSE: Nanos = Nanos::from_secs(15);
/// Exits in a row of a position that is held, as readings show, and of which the venue finds nothing: then
/// it is asked whom the signer acts for.
const DOUBTED_AFTER: u32 = 3;
/// A market that cannot take entries is left alone this long; the next reading may say more.
const MARKET_PAUSE: Nanos = Nanos::from_secs(60);
/// Where the dex's owner has to approve the account first, asking again soon is no use.
const APPROVAL_PAUSE: Nanos = Nanos::from_secs(600);

/// The market of this name.
pub(super) fn find(markets: &[Market], coin: &Coin) -> Option<MarketId> {
    let at = markets.iter().position(|market| market.spec.coin == *coin)?;
    u16::try_from(at).ok().map(MarketId)
}

impl Trader {
    /// A channel of the account is acknowledged: nothing else says that an idle one is ready
    /// (PROTOCOL.md §2.4).
    pub(super) fn on_ack(&mut self, subscription: Subscription) {
        match subscription {
            Subscription::OrderUpdates => self.orders_heard = true,
            Subscription::UserFills => self.fills_heard = true,
            _ => {}
        }
    }

    /// A message of the account's channels.
    pub(super) fn on_message(
        &mut self,
        now: Now,
        message: &Message<'_>,
        markets: &[Market],
        out: &mut Actions,
    ) {
        match *message {
            Message::OrderUpdates { updates, skipped } => {
                for update in updates {
                    self.orders.on_update(now, update);
                }
                self.read_if(now, skipped > 0);
            }
            // Old news: positions come from the reading of the account, which holds them already.
            Message::Fills { snapshot: true, .. } => self.fills_heard = true,
            Message::Fills { snapshot: false, fills, skipped }
            | Message::UserEvent(UserEvent::Fills { fills, skipped }) => {
                fills.iter().for_each(|fill| self.on_fill(now, fill, markets, out));
                self.read_if(now, skipped > 0);
            }
            // The account holds other things too: as with fills, not our markets, not our loss.
            Message::UserEvent(UserEvent::Funding { coin, usd })
                if find(markets, &coin).is_some() =>
            {
                out.log(LogEvent::Funding { coin, usd });
                self.on_money(now, usd, out);
            }
            Message::UserEvent(UserEvent::Liquidation | UserEvent::NonUserCancel { .. }) => {
                self.read_if(now, true);
            }
            Message::Post { id, answer } => self.on_post(now, id, &answer, markets, out),
            _ => {}
        }
    }

    /// Something could not be read, or says that more has changed than it tells.
    fn read_if(&mut self, now: Now, wanted: bool) {
        if wanted {
            self.reading.wanted(now.mono);
        }
    }

    /// An action was answered, by the socket or by REST.
    pub(super) fn on_post(
        &mut self,
        now: Now,
        post: u64,
        answer: &PostAnswer<'_>,
        markets: &[Market],
        out: &mut Actions,
    ) {
        let refused = match answer {
            PostAnswer::Refused(words) | PostAnswer::Error(words) => Some(*words),
            _ => None,
        };
        let sent_at = self.budget.sent_at(post);
        self.budget.answered(
            now.mono,
            post,
            refused.map(|words| refusals::refusal(words.as_bytes())),
        );
        if self.on_leverage_answer(now, markets, post, answer, out) {
            return;
        }
        if let Some(sent_at) = sent_at {
            out.watch.answered(now.mono.since(sent_at));
        }
        self.tell_refused(post, answer, out);
        self.orders.on_answer(now, post, answer);
        if let Some(words) = refused {
            self.on_refused_whole(now, words, out);
        }
    }

    /// Says of each order that was refused which it was, and in which words. A lone error stands for
    /// every order of its action (PROTOCOL.md §3.3).
    fn tell_refused(&self, post: u64, answer: &PostAnswer<'_>, out: &mut Actions) {
        for (item, order) in self.orders.in_post(post) {
            let words = match answer {
                PostAnswer::Refused(words) | PostAnswer::Error(words) => words,
                PostAnswer::Statuses([OrderAnswer::Error(words)]) => words,
                PostAnswer::Statuses(answers) => match answers.get(item) {
                    Some(OrderAnswer::Error(words)) => words,
                    _ => continue,
                },
                _ => return,
            };
            let refusal = refusals::refusal(words.as_bytes());
            let (coin, cloid, words) = (order.coin, order.cloid, *words);
            out.log(LogEvent::Refused { coin, cloid, refusal, words });
        }
    }

    /// An action that went by REST had no answer: it may have been executed, or never have arrived.
    pub(super) fn on_exchange_failed(&mut self, now: Now, post: u64) {
        self.budget.answered(now.mono, post, None);
        self.orders.on_unanswered(now, post);
    }

    /// An action was refused whole: nothing of it was executed.
    pub(super) fn on_refused_whole(&mut self, now: Now, words: Excerpt, out: &mut Actions) {
        let refusal = refusals::refusal(words.as_bytes());
        self.doubt_signer(now, refusal);
        if refusal == Refusal::AddressBudget {
            out.log(LogEvent::BudgetLow { left: self.budget.left() });
            self.reading.wanted(now.mono);
        }
    }

    /// A fill, whatever told of it.
    pub(super) fn on_fill(&mut self, now: Now, fill: &Fill, markets: &[Market], out: &mut Actions) {
        let Some(id) = find(markets, &fill.coin) else {
            return; // The account trades elsewhere too: not our markets, not our business.
        };
        let why = match self.orders.purpose_of(fill) {
            Some(Purpose::Entry(signal)) => FillOrigin::Entry(signal),
            Some(Purpose::Exit(reason)) => FillOrigin::Exit(reason),
            None => FillOrigin::Foreign,
        };
        // The order hears of it whatever the position makes of it: what was announced is then told.
        self.orders.on_fill(now, fill);
        match self.positions.on_fill(now, id, fill, why) {
            AppliedFill::Duplicate => self.counts.fills_repeated += 1,
            AppliedFill::BeforeSnapshot => {}
            AppliedFill::Inconsistent => self.reading.wanted(now.mono),
            AppliedFill::Applied { opened, closed, realized, .. } => {
                self.counts.fills += 1;
                self.reconciler.on_fill(id, fill.time);
                let growth = markets.get(id.index()).is_some_and(|market| market.spec.growth);
                self.budget.on_volume(Usd::notional(fill.px, fill.sz).unwrap_or_default(), growth);
                if why == FillOrigin::Foreign {
                    let Fill { coin, side, sz, px, .. } = *fill;
                    out.log(LogEvent::ForeignFill { coin, side, sz, px });
                }
                if let Some(row) = closed {
                    self.on_trade(row, out);
                }
                if opened {
                    let szi = self.positions.held(id);
                    out.log(LogEvent::PositionOpened { coin: fill.coin, szi, px: fill.px });
                }
                self.count_held(id);
                self.on_money(now, realized, out);
                self.keep_open(id, fill.coin, out);
            }
        }
    }

    /// A round trip is over.
    pub(super) fn on_trade(&mut self, row: TradeRow, out: &mut Actions) {
        let counts = &mut self.counts;
        counts.trades[row.exit as usize] += 1;
        counts.wins += u64::from(row.net.is_positive());
        counts.gross = counts.gross.saturating_add(row.gross);
        counts.fees = counts.fees.saturating_add(row.fees);
        let (coin, exit, net, fees, held) = (row.coin, row.exit, row.net, row.fees, row.held);
        out.log(LogEvent::PositionClosed { coin, exit, net, fees, held });
        out.record(Row::Trade(row));
    }

    /// Money that was won or lost.
    pub(super) fn on_money(&mut self, now: Now, amount: Usd, out: &mut Actions) {
        if amount != Usd::ZERO {
            out.push(Action::KeepLoss(LossEntry::Counted { at: now.wall, amount }));
        }
        if self.monitor.on_realized(now, amount).is_some() {
            self.judge_losses(now, out);
        }
    }

    /// Stops when a limit on losses is reached, and says which.
    pub(super) fn judge_losses(&mut self, now: Now, out: &mut Actions) {
        if let Some(limit) = self.monitor.loss_limit(now)
            && !self.hard_stop.holds(StopReason::Loss)
        {
            out.log(LogEvent::LossLimit(limit));
            self.stop_for(now, StopReason::Loss, out);
        }
    }

    /// What was counted of the position that is open in a market, for the next run.
    pub(super) fn keep_open(&self, id: MarketId, coin: Coin, out: &mut Actions) {
        let counted = self.positions.get(id).map(|position| position.realized());
        out.push(Action::KeepLoss(LossEntry::Open { coin, counted }));
    }

    /// Takes the orders that are over out of the table.
    pub(super) fn settle_ended(&mut self, now: Now, out: &mut Actions) {
        while let Some((_, order)) = self.orders.take_doubted() {
            out.log(LogEvent::OrderInDoubt { coin: order.coin, cloid: order.cloid });
        }
        while let Some(exit) = self.orders.take_closed_exit() {
            self.on_exit_closed(now, &exit, out);
        }
        while let Some(ended) = self.orders.take_ended() {
            self.on_ended(now, &ended, out);
        }
    }

    fn on_ended(&mut self, now: Now, ended: &Ended, out: &mut Actions) {
        let row = ended.row;
        let at = row.outcome as usize;
        match row.purpose {
            Purpose::Entry(_) => self.counts.entries_ended[at] += 1,
            Purpose::Exit(_) => self.counts.exits_ended[at] += 1,
        }
        if row.outcome != Outcome::Dropped {
            let (coin, cloid, outcome) = (row.coin, row.cloid, row.outcome);
            out.log(LogEvent::OrderEnded {
                coin,
                cloid,
                outcome,
                filled: row.filled,
                fee: row.fee,
            });
        }
        out.record(Row::Order(row));
        // The position lacks what no row told, or may.
        if ended.unaccounted.is_positive() || row.outcome == Outcome::Unknown {
            self.reconciler.suspect(now.mono, ended.order.market);
            self.reading.wanted(now.mono);
        }
        if let Some(refusal) = row.refusal {
            self.counts.refusals[refusal.class() as usize] += 1;
            self.doubt_signer(now, refusal);
            self.signer.unfunded |= refusal == Refusal::MustDeposit;
            self.on_refusal(now, ended.order.market, row.coin, refusal, out);
        }
        // An action that was refused whole is one failure, however many orders it carried.
        let whole = row.oid.is_none() && row.refusal.is_some();
        let again = whole && row.nonce.is_some() && self.last_refused == row.nonce;
        if whole {
            self.last_refused = row.nonce;
        }
        // One that left before nonces were last raised says nothing of those that come.
        let old_nonce = match (row.refusal, row.nonce) {
            (Some(Refusal::NonceRange), Some(nonce)) => !self.raise_nonces(now, nonce),
            _ => false,
        };
        let verdict = match (row.refusal, row.outcome) {
            (Some(_), _) if again || old_nonce => None,
            // Once the venue has said whether the signer is ours.
            (Some(Refusal::MustDeposit), _) => None,
            // Its answer, which would have said why, never came.
            (Some(Refusal::Unlisted), _) if row.answered_at.is_none() => None,
            // An exit is for all that we know to be held: the venue holds something else.
            (Some(Refusal::MinNotional), _) if row.reduce_only => None,
            (Some(refusal), _) => self.monitor.on_result(now.mono, Err(refusal)),
            (None, Outcome::Filled | Outcome::PartiallyFilled) => {
                self.monitor.on_result(now.mono, Ok(()))
            }
            (None, _) => None,
        };
        if let Some(reason) = verdict {
            self.stop_for(now, reason, out);
        }
    }

    /// Nothing more of an exit can fill: its position may be closed by another one.
    fn on_exit_closed(&mut self, now: Now, closed: &ClosedExit, out: &mut Actions) {
        let end = match closed {
            ClosedExit { sent: false, .. } => ExitEnd::Unsent,
            closed if closed.filled.is_positive() => ExitEnd::Filled,
            closed => ExitEnd::refused(closed.refusal, closed.heard, closed.together),
        };
        let Some(exit) = self.positions.exit_mut(closed.market) else { return };
        exit.ended(now.mono, end);
        let (failures, fruitless) = (exit.failures(), exit.fruitless());
        if matches!(end, ExitEnd::Superfluous | ExitEnd::TooSmall) {
            // The venue thinks that we hold something else, or nothing; and if readings go on to show what
            // we hold, that the signer acts for somebody else.
            self.reading.wanted(now.mono);
            if fruitless >= DOUBTED_AFTER {
                self.signer.doubt(now.mono);
            }
        }
        if end == ExitEnd::Failed
            && let Some(reason) = self.monitor.on_exit_failed(failures)
        {
            self.stop_for(now, reason, out);
        }
    }

    /// What a refusal says about more than its order.
    fn on_refusal(
        &mut self,
        now: Now,
        id: MarketId,
        coin: Coin,
        refusal: Refusal,
        out: &mut Actions,
    ) {
        match refusal {
            Refusal::PostOnlyMode => {
                self.suspended_until = now.mono.plus(POST_ONLY_PAUSE);
                out.log(LogEvent::Suspended { coin: None, refusal, wait: POST_ONLY_PAUSE });
                self.drop_queued_entries(now);
            }
            Refusal::OpenInterestCap
            | Refusal::OpenInterestSpeed
            | Refusal::FarFromOracle
            | Refusal::Halted
            | Refusal::ApprovalRequired => {
                let wait = match refusal {
                    Refusal::ApprovalRequired => APPROVAL_PAUSE,
                    _ => MARKET_PAUSE,
                };
                if let Some(entry_block) = self.entry_blocks.get_mut(id.index()) {
                    entry_block.suspended_until = now.mono.plus(wait);
                }
                out.log(LogEvent::Suspended { coin: Some(coin), refusal, wait });
            }
            _ if matches!(
                refusal.class(),
                RefusalClass::AccountState | RefusalClass::Superfluous
            ) =>
            {
                self.reading.wanted(now.mono);
            }
            _ => {}
        }
    }

    /// Keeps the list of markets that hold something.
    pub(super) fn count_held(&mut self, id: MarketId) {
        let holds = self.positions.get(id).is_some();
        match (holds, self.held.iter().position(|held| *held == id)) {
            (true, None) => self.held.push(id),
            (false, Some(at)) => drop(self.held.remove(at)),
            _ => {}
        }
    }
}
