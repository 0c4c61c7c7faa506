//! Actions, answers and news on their way: who asked, and what goes out when (PROTOCOL.md §9.1,
//! §9.5).
//!
//! An action takes a while to reach the venue, then waits for its block. Its answer goes out some
//! time after that block; updates of orders go out with it, fills a little later. The faults of
//! this file lose, repeat, delay and permute them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::types::time::{Mono, Nanos};
use crate::venue::action::Address;
use crate::venue::clearing::Ticket;
use crate::venue::faults::Chance;
use crate::venue::surface::request::UserKind;
use crate::venue::wire::Asked;
use crate::venue::{ConnId, ExchangeId, Reply, Timing};

/// Who gets an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::venue) enum Recipient {
    /// A post with this id.
    Post(ConnId, u64),
    /// A request over HTTP of so much weight.
    Http(ExchangeId, u32),
}

/// An action that has reached the venue.
#[derive(Clone, Debug)]
pub(in crate::venue) struct Arrival {
    pub(in crate::venue) at: Mono,
    pub(in crate::venue) ticket: Ticket,
    pub(in crate::venue) asked: Asked,
}

/// Something that goes out at its time.
#[derive(Clone, Debug)]
pub(super) enum Mail {
    /// The answer to an action.
    Answer { ticket: Ticket, body: String, copies: usize },
    /// A frame of an account's channel.
    News { kind: UserKind, user: Address, frame: Arc<str> },
    /// An account's whole state, as it then is.
    State { user: Address },
}

/// Everything under way.
#[derive(Clone, Debug)]
pub(in crate::venue) struct Desk {
    timing: Timing,
    next: u64,
    arrivals: BTreeMap<(Mono, u64), (Ticket, Asked)>,
    last_arrival: Mono,
    waiting: BTreeMap<Ticket, Recipient>,
    mail: BTreeMap<(Mono, u64), Mail>,
    replies: BTreeMap<ExchangeId, Reply>,
    /// How long things take, and the faults of accounts.
    pub(in crate::venue) dice: Chance,
}

impl Desk {
    pub(super) fn new(timing: Timing, seed: u64) -> Self {
        Self {
            timing,
            next: 0,
            arrivals: BTreeMap::new(),
            last_arrival: Mono(0),
            waiting: BTreeMap::new(),
            mail: BTreeMap::new(),
            replies: BTreeMap::new(),
            dice: Chance::new(seed, u64::MAX - 5),
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A moment within `range` milliseconds from `now`.
    fn after(&mut self, now: Mono, range: (u64, u64)) -> Mono {
        let (low, high) = range;
        let width = high.saturating_sub(low).saturating_add(1);
        now.plus(Nanos::from_millis(low.saturating_add(self.dice.below(width))))
    }

    /// A name for a request over HTTP.
    pub(in crate::venue) fn exchange_id(&mut self) -> ExchangeId {
        ExchangeId(self.number())
    }

    /// Posts that have no answer yet.
    pub(super) fn posts_in_flight(&self) -> usize {
        self.waiting.values().filter(|to| matches!(to, Recipient::Post(..))).count()
    }

    /// A name for an answer that `to` gets.
    pub(in crate::venue) fn ticket(&mut self, to: Recipient) -> Ticket {
        let ticket = Ticket(self.number());
        self.waiting.insert(ticket, to);
        ticket
    }

    /// An action sets out. One way, first come first served.
    pub(in crate::venue) fn send(&mut self, now: Mono, ticket: Ticket, asked: Asked) {
        let at = self.after(now, self.timing.action_ms).max(self.last_arrival);
        self.last_arrival = at;
        self.arrivals.insert((at, ticket.0), (ticket, asked));
    }

    /// When the next action arrives.
    pub(in crate::venue) fn next_arrival(&self) -> Mono {
        self.arrivals.keys().next().map_or(Mono::MAX, |(at, _)| *at)
    }

    /// The next action that has arrived by `now`.
    pub(in crate::venue) fn arrival(&mut self, now: Mono) -> Option<Arrival> {
        let entry = self.arrivals.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((at, _), (ticket, asked)) = entry.remove_entry();
        Some(Arrival { at, ticket, asked })
    }

    pub(super) fn post(&mut self, at: Mono, mail: Mail) {
        let number = self.number();
        self.mail.insert((at, number), mail);
    }

    /// When the next piece of mail is due.
    pub(super) fn next_mail(&self) -> Mono {
        self.mail.keys().next().map_or(Mono::MAX, |(at, _)| *at)
    }

    /// The next piece of mail that is due at `now`.
    pub(super) fn due(&mut self, now: Mono) -> Option<Mail> {
        let entry = self.mail.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    /// Who gets the answer, now that it comes.
    pub(super) fn claim(&mut self, ticket: Ticket) -> Option<Recipient> {
        self.waiting.remove(&ticket)
    }

    /// When the answer to an action goes out that was refused before any block.
    pub(super) fn refusal_time(&mut self, now: Mono) -> Mono {
        self.after(now, self.timing.refusal_ms)
    }

    /// When answers, updates and fills of the block at `now` go out.
    pub(super) fn times(&mut self, now: Mono, permuted: Permuted) -> Times {
        let late = |at: Mono, ms: u64| at.plus(Nanos::from_millis(ms));
        let answer = self.after(now, self.timing.answer_ms);
        let updates = self.after(now, self.timing.updates_ms);
        let fills = self.after(updates, self.timing.fills_ms);
        match permuted {
            Permuted::No => Times { answer, updates, fills },
            Permuted::AnswerFirst => {
                Times { answer, updates: late(answer, 5), fills: late(answer, 50) }
            }
            Permuted::FillsFirst => {
                Times { answer: late(answer, 50), updates: late(now, 40), fills: now }
            }
            Permuted::UpdatesLast => Times { answer, updates: late(answer.max(fills), 50), fills },
        }
    }

    /// An answer over HTTP is ready.
    pub(super) fn reply(&mut self, id: ExchangeId, body: String, weight: u32) {
        self.replies.insert(id, Reply { status: 200, body, wait: Nanos::ZERO, weight });
    }

    pub(in crate::venue) fn has_reply(&self, id: ExchangeId) -> bool {
        self.replies.contains_key(&id)
    }

    pub(in crate::venue) fn take_reply(&mut self, id: ExchangeId) -> Option<Reply> {
        self.replies.remove(&id)
    }

    /// Nobody waits for it any more; the action takes its course all the same.
    pub(in crate::venue) fn abandon(&mut self, id: ExchangeId) {
        self.replies.remove(&id);
        self.waiting.retain(|_, to| !matches!(to, Recipient::Http(of, _) if *of == id));
    }

    /// A connection is gone, and with it everybody who waits on it.
    pub(super) fn disconnected(&mut self, conn: ConnId) {
        self.waiting.retain(|_, to| !matches!(to, Recipient::Post(of, _) if *of == conn));
    }
}

/// In which order a block is told of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Permuted {
    /// Updates, then fills and answer as they come.
    No,
    AnswerFirst,
    FillsFirst,
    UpdatesLast,
}

/// When a block is told of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) answer: Mono,
    pub(super) updates: Mono,
    pub(super) fills: Mono,
}
