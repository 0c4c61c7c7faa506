//! What comes of actions and blocks, to whoever asked or listens (PROTOCOL.md §2.6, §3.2, §9.5).

use std::sync::Arc;

use crate::types::num::Sz;
use crate::types::time::{Mono, Nanos};
use crate::venue::Output;
use crate::venue::account::{Accounts, View, rows, state};
use crate::venue::action::Address;
use crate::venue::clearing::{FillRow, Outcome, Ticket, UpdateRow};
use crate::venue::dice::Odds;
use crate::venue::faults::{Fault, FrameKind};
use crate::venue::surface::desk::{Mail, Permuted, Recipient};
use crate::venue::surface::frames::{self, array};
use crate::venue::surface::request::{Sub, UserKind};
use crate::venue::surface::{Lens, Surface};
use crate::venue::world::World;

/// A status that no document knows (`update_unknown_word`).
const UNKNOWN_WORD: &str = "suspendedPendingReview";

/// Refusals that come at random (`refuse`), of single orders (PROTOCOL.md §3.6). The last three are
/// words that no document has.
pub(in crate::venue) const REFUSALS: [&str; 25] = [
    "Price must be divisible by tick size.",
    "Order must have minimum value of $10.",
    "Insufficient margin to place order.",
    "Reduce only order would increase position.",
    "Post only order would have immediately matched, bbo was 1.0@1.1.",
    "Order could not immediately match against any resting orders.",
    "Invalid TP/SL price.",
    "No liquidity available for market order.",
    "Order would increase open interest while open interest is capped",
    "Order rejected due to price more aggressive than oracle while at open interest cap",
    "Order would increase open interest too quickly",
    "Order has insufficient spot balance to trade",
    "Order price too far from oracle",
    "Order would cause position to exceed margin tier limit at current leverage",
    "Order price cannot be more than 95% away from the reference price",
    "Order value too large.",
    "Order has zero size.",
    "Order has invalid price.",
    "Order has invalid size.",
    "Only post-only orders allowed immediately after a network upgrade",
    "Only post-only orders allowed immediately after network upgrade",
    "Insufficient delegatable balance for priority order",
    "Too many open orders for this user.",
    "Trading is halted for this asset.",
    "The moon is in the wrong quarter.",
];

/// The same of whole actions; the last are of the post itself.
pub(in crate::venue) const WHOLE_REFUSALS: [&str; 8] = [
    "Insufficient margin to place order.",
    "Must deposit before performing actions. User: 0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "Invalid nonce: duplicate nonce 1741107452532",
    "Too many cumulative requests sent (10023 > 10000) for cumulative volume traded $12.34. Place \
     taker orders to free up 1 request per USDC traded.",
    "Signed action over weight limit of 200",
    "too many pending post requests id=12",
    "429 Too Many Requests",
    "422 Failed to deserialize the JSON body into the target type",
];

impl Surface {
    /// What came of an action before any block: refusals.
    pub(in crate::venue) fn tell_at_once(&mut self, now: Mono, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            if let Outcome::Answer { ticket, body } = outcome {
                let at = self.desk.refusal_time(now);
                self.answer(at, ticket, body);
            }
        }
    }

    /// What came of a block.
    pub(in crate::venue) fn tell(
        &mut self,
        now: Mono,
        outcomes: Vec<Outcome>,
        accounts: &mut Accounts,
        world: &World,
    ) {
        if outcomes.is_empty() {
            return;
        }
        let permuted = self.permuted();
        let times = self.desk.times(now, permuted);
        let mut changed: Vec<Address> = Vec::new();
        for outcome in outcomes {
            match outcome {
                Outcome::Answer { ticket, body } => self.answer(times.answer, ticket, body),
                Outcome::Updates { user, rows } => {
                    changed.push(user);
                    self.updates(times.updates, user, &rows);
                }
                Outcome::Fills { user, rows } => {
                    changed.push(user);
                    self.fills(times.fills, user, &rows, accounts, world);
                }
                Outcome::NonUserCancel { user, orders } => {
                    let one =
                        |(coin, oid): &(String, u64)| format!(r#"{{"coin":"{coin}","oid":{oid}}}"#);
                    let data = array(orders.iter().map(one));
                    let frame = frames::channel("user", &format!(r#"{{"nonUserCancel":{data}}}"#));
                    self.desk
                        .post(times.updates, Mail::News { kind: UserKind::Events, user, frame });
                }
            }
        }
        changed.sort_unstable();
        changed.dedup();
        for user in changed {
            self.desk.post(now, Mail::State { user });
        }
    }

    fn permuted(&mut self) -> Permuted {
        let dice = &mut self.desk.dice;
        if dice.hit(Fault::AnswerFirst, self.faults.answer_first) {
            Permuted::AnswerFirst
        } else if dice.hit(Fault::FillsFirst, self.faults.fills_first) {
            Permuted::FillsFirst
        } else if dice.hit(Fault::UpdatesLast, self.faults.updates_last) {
            Permuted::UpdatesLast
        } else {
            Permuted::No
        }
    }

    fn hit(&mut self, fault: Fault, odds: Odds) -> bool {
        self.desk.dice.hit(fault, odds)
    }

    pub(super) fn answer(&mut self, at: Mono, ticket: Ticket, body: String) {
        let copies = if self.hit(Fault::AnswerLost, self.faults.answer_lost) {
            0
        } else if self.hit(Fault::AnswerTwice, self.faults.answer_twice) {
            2
        } else {
            1
        };
        let late = self.hit(Fault::AnswerLate, self.faults.answer_late);
        let late = if late { self.faults.answer_late() } else { Nanos::ZERO };
        self.desk.post(at.plus(late), Mail::Answer { ticket, body, copies });
    }

    fn updates(&mut self, at: Mono, user: Address, rows: &[UpdateRow]) {
        if self.hit(Fault::UpdatesLost, self.faults.updates_lost) {
            return;
        }
        let row = |row: &UpdateRow, unknown: bool| {
            rows::update(row, if unknown { UNKNOWN_WORD } else { row.status })
        };
        let unknown = self.faults.update_unknown_word;
        let texts: Vec<String> = rows
            .iter()
            .map(|one| row(one, self.desk.dice.hit(Fault::UpdateUnknownWord, unknown)))
            .collect();
        let frame = frames::channel("orderUpdates", &array(texts.into_iter()));
        self.desk.post(at, Mail::News { kind: UserKind::OrderUpdates, user, frame });
    }

    fn fills(
        &mut self,
        at: Mono,
        user: Address,
        rows: &[FillRow],
        accounts: &mut Accounts,
        world: &World,
    ) {
        for row in rows {
            if self.hit(Fault::FillSplit, self.faults.fill_split) {
                let decimals = world.find(&row.coin).and_then(|at| world.markets.get(at));
                let lot = decimals.and_then(|market| Sz::lot(market.listing.sz_decimals));
                accounts.part(row, lot.unwrap_or(Sz::from_units(1)));
            }
        }
        accounts.book_fills(user, rows);
        let mut told: Vec<FillRow> = rows.iter().flat_map(|row| accounts.told(row)).collect();
        if self.hit(Fault::FillsDisordered, self.faults.fills_disordered) {
            // At least two change places, if there are two.
            for at in (1..told.len()).rev() {
                let other = self.desk.dice.below(at as u64);
                told.swap(at, usize::try_from(other).unwrap_or_default());
            }
        }
        if self.hit(Fault::FillLost, self.faults.fill_lost) {
            return;
        }
        let copies = if self.hit(Fault::FillTwice, self.faults.fill_twice) { 2 } else { 1 };
        let rows = array(told.iter().map(|row| rows::fill(user, row)));
        let data = format!(r#"{{"user":"{user}","fills":{rows}}}"#);
        let fills = frames::channel("userFills", &data);
        let event = frames::channel("user", &format!(r#"{{"fills":{rows}}}"#));
        for _ in 0..copies {
            let frame = fills.clone();
            self.desk.post(at, Mail::News { kind: UserKind::Fills, user, frame });
            let frame = event.clone();
            self.desk.post(at, Mail::News { kind: UserKind::Events, user, frame });
        }
    }

    /// Hands out the mail that is due.
    pub(super) fn hand_out(&mut self, now: Mono, view: View<'_>, out: &mut Vec<Output>) {
        while let Some(mail) = self.desk.due(now) {
            if let (Some(withheld), Mail::News { .. } | Mail::State { .. }) =
                (&mut self.withheld, &mail)
            {
                withheld.push(mail);
                continue;
            }
            match mail {
                Mail::Answer { ticket, body, copies } => {
                    match self.desk.claim(ticket) {
                        Some(Recipient::Http(id, weight)) if copies > 0 => {
                            self.desk.reply(id, body, weight);
                        }
                        Some(Recipient::Post(conn, id)) => {
                            let frame = answered(id, &body);
                            for _ in 0..copies {
                                let Some(at) = self.position(conn) else { break };
                                self.deliver(now, at, FrameKind::Data, &frame, out);
                            }
                        }
                        Some(Recipient::Http(..)) | None => {}
                    };
                }
                Mail::News { kind, user, frame } => {
                    let wanted = |sub: &Sub| matches!(sub, Sub::User { kind: k, user: u, .. } if *k == kind && *u == user);
                    self.broadcast(now, wanted, |_, _| Some(frame.clone()), view, out);
                }
                Mail::State { user } => {
                    let wanted = |sub: &Sub| matches!(sub, Sub::User { kind, user: u, .. } if kind.is_state() && *u == user);
                    self.broadcast(now, wanted, |sub, view| whole(sub, view, now), view, out);
                }
            }
        }
    }

    /// Sends a frame for each subscription that is `wanted`.
    fn broadcast(
        &mut self,
        now: Mono,
        wanted: impl Fn(&Sub) -> bool,
        make: impl Fn(&Sub, View<'_>) -> Option<Arc<str>>,
        view: View<'_>,
        out: &mut Vec<Output>,
    ) {
        let mut at = 0;
        'connections: while let Some(one) = self.connections.get(at) {
            let subs: Vec<Sub> = one.subs.iter().filter(|sub| wanted(sub)).cloned().collect();
            for sub in &subs {
                let lens = Lens::drawn(&self.faults, &mut self.dice);
                if let Some(frame) = make(sub, View { lens, ..view })
                    && !self.deliver(now, at, FrameKind::Data, &frame, out)
                {
                    continue 'connections; // It ended, and the next one has its place.
                }
            }
            at += 1;
        }
    }
}

/// The frame of an account's channel that tells a whole state.
pub(super) fn whole(sub: &Sub, view: View<'_>, now: Mono) -> Option<Arc<str>> {
    let Sub::User { kind, user, dex, .. } = sub else { return None };
    let data = state::snapshot(view, *kind, *user, *dex, now)?;
    Some(frames::channel(kind.channel(), &data))
}

/// The frame that answers an action post.
fn answered(id: u64, body: &str) -> Arc<str> {
    let response = format!(r#"{{"type":"action","payload":{body}}}"#);
    frames::channel("post", &format!(r#"{{"id":{id},"response":{response}}}"#))
}
