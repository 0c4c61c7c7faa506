//! The desk of the simulation: the real readings, question by question, over a REST interface that
//! takes its time.

use std::collections::VecDeque;

use crate::account::reading::{AccountReading, Reading, RoleReading, UniverseReading};
use crate::simulation::fault::{Chance, Fault, HostFaults};
use crate::types::account::{AccountMode, AccountState, Role};
use crate::types::event::Event;
use crate::types::market::Universe;
use crate::types::time::{Mono, Nanos, VenueMs, VenueTime, Wall};
use crate::venue::{Exchange, ExchangeId, Reply, Venue};

/// An answer that takes longer is none.
const TIMEOUT: Nanos = Nanos::from_secs(10);
/// The answer to an action is looked for this often.
const LOOK_AGAIN: Nanos = Nanos::from_millis(20);
/// A mode that was read holds so long, as in the real one.
const MODE_KEPT: Nanos = Nanos::from_secs(600);
/// Requests that may wait, as on the ring of the real one.
const WAITING: usize = 64;

/// What the engine asked for.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// The venue.
    Universe,
    /// The account.
    Account {
        /// Fills from here on.
        since: VenueMs,
    },
    /// An action.
    Exchange {
        /// Its number.
        post: u64,
        /// The signed body.
        body: Vec<u8>,
    },
    /// What the signer is.
    SignerRole,
}

/// What is under way.
#[derive(Debug)]
enum Open {
    Universe(UniverseReading),
    Account(AccountReading),
    Exchange { post: u64, body: Vec<u8>, waits: Option<ExchangeId> },
    SignerRole(RoleReading),
}

/// What came of one.
#[derive(Debug)]
pub(super) enum Answer {
    /// The venue was read.
    Universe(Universe),
    /// The venue could not be read.
    UniverseFailed,
    /// The account was read.
    Account(AccountState),
    /// The account could not be read.
    AccountFailed,
    /// An action was answered.
    Exchanged { post: u64, status: u16, body: String },
    /// An action had no answer.
    ExchangeFailed { post: u64 },
    /// The signer's role was read.
    SignerRole(Role),
    /// The signer's role could not be read.
    SignerRoleFailed,
    /// What the dates of answers told.
    VenueTime(VenueTime),
}

impl Answer {
    /// As the engine hears it.
    pub(super) fn event(&self) -> Event<'_> {
        match self {
            Answer::Universe(universe) => Event::Universe(universe),
            Answer::UniverseFailed => Event::UniverseFailed,
            Answer::Account(state) => Event::Account(state),
            Answer::AccountFailed => Event::AccountFailed,
            Answer::Exchanged { post, status, body } => {
                Event::Exchanged { post: *post, status: *status, body: body.as_bytes() }
            }
            Answer::ExchangeFailed { post } => Event::ExchangeFailed { post: *post },
            Answer::SignerRole(role) => Event::SignerRole(*role),
            Answer::SignerRoleFailed => Event::SignerRoleFailed,
            Answer::VenueTime(told) => Event::VenueTime(*told),
        }
    }
}

/// One thing at a time, in order.
#[derive(Debug)]
pub(super) struct Desk {
    dexes: Vec<String>,
    user: String,
    signer: String,
    waiting: VecDeque<Request>,
    open: Option<Open>,
    /// When the question that is asked reaches the venue, or, with an answer, when that arrives.
    due: Mono,
    reply: Option<Reply>,
    asked_at: Mono,
    /// The venue's second in which the question that is asked was answered.
    date: Wall,
    /// What the dates of this reading have told so far.
    told: Option<VenueTime>,
    /// REST answers nothing before then.
    down_until: Mono,
    /// What was asked weighs so much, and was not accounted for yet.
    weight: u32,
    /// The account's mode, and when it was read.
    mode: Option<(AccountMode, Mono)>,
}

impl Desk {
    /// Who signs for `user` is `signer`.
    pub(super) fn new(dex: &str, user: &str, signer: &str) -> Self {
        Self {
            dexes: vec![dex.to_owned()],
            user: user.to_owned(),
            signer: signer.to_owned(),
            waiting: VecDeque::new(),
            open: None,
            due: Mono::MAX,
            reply: None,
            asked_at: Mono(0),
            date: Wall::default(),
            told: None,
            down_until: Mono(0),
            weight: 0,
            mode: None,
        }
    }

    /// The process is gone, and with it all that it asked and knew.
    pub(super) fn renew(&mut self) {
        self.waiting.clear();
        (self.open, self.reply, self.mode) = (None, None, None);
        self.told = None;
        self.due = Mono::MAX;
    }

    /// REST is down for as long, at least.
    pub(super) fn be_down(&mut self, until: Mono) {
        self.down_until = self.down_until.max(until);
    }

    /// REST works again.
    pub(super) fn repair(&mut self) {
        self.down_until = Mono(0);
    }

    /// What the questions weighed that reached the venue since this was last asked.
    pub(super) fn take_weight(&mut self) -> u32 {
        std::mem::take(&mut self.weight)
    }

    /// Takes a request, if there is room.
    pub(super) fn ask(
        &mut self,
        now: Mono,
        request: Request,
        faults: &HostFaults,
        dice: &mut Chance,
    ) {
        if self.waiting.len() < WAITING && !dice.hit(Fault::ReadingLost, faults.reading_lost) {
            // An action goes before questions, as on the real one.
            match request {
                Request::Exchange { .. } => self.waiting.push_front(request),
                _ => self.waiting.push_back(request),
            }
        }
        self.begin(now, dice);
    }

    /// When something of it is due.
    pub(super) fn next_due(&self) -> Mono {
        self.due
    }

    fn begin(&mut self, now: Mono, dice: &mut Chance) {
        if self.open.is_some() {
            return;
        }
        self.mode = self.mode.filter(|(_, at)| now.since(*at) < MODE_KEPT);
        let mode = self.mode.map(|(mode, _)| mode);
        self.open = self.waiting.pop_front().map(|request| match request {
            Request::Universe => {
                Open::Universe(UniverseReading::new(&self.dexes, Some(&self.user)))
            }
            Request::Account { since } => {
                Open::Account(AccountReading::new(&self.dexes, &self.user, since, mode))
            }
            Request::Exchange { post, body } => Open::Exchange { post, body, waits: None },
            Request::SignerRole => Open::SignerRole(RoleReading::new(&self.signer)),
        });
        self.due = match self.open {
            Some(_) => self.set_out(now, dice),
            None => Mono::MAX,
        };
    }

    /// A question is on its way.
    fn set_out(&mut self, now: Mono, dice: &mut Chance) -> Mono {
        self.asked_at = now;
        now.plus(Nanos::from_millis(2 + dice.below(40)))
    }

    /// As the real desk makes of the dates of answers.
    fn hear_date(&mut self, now: Mono) {
        let latest = self.date.plus(Nanos::from_secs(1)).plus(now.since(self.asked_at));
        let told = VenueTime { at: now, earliest: self.date, latest };
        self.told = Some(self.told.and_then(|known| known.and(told)).unwrap_or(told));
    }

    /// What the dates of a reading that has ended have told.
    pub(super) fn take_time(&mut self) -> Option<Answer> {
        self.told.take().map(Answer::VenueTime)
    }

    /// Does what is due; a reading that has ended is returned.
    pub(super) fn advance(
        &mut self,
        now: Mono,
        venue: &mut Venue,
        dice: &mut Chance,
    ) -> Option<Answer> {
        if now < self.due {
            return None;
        }
        let answered = self.reply.as_ref().is_some_and(|reply| reply.status == 200);
        if answered && now.since(self.asked_at) <= TIMEOUT {
            self.hear_date(now);
        }
        let open = self.open.as_mut()?;
        let question = match open {
            Open::Universe(reading) => reading.question(),
            Open::Account(reading) => reading.question(),
            Open::Exchange { .. } => return self.advance_action(now, venue, dice),
            Open::SignerRole(reading) => reading.question(),
        };
        let Some(reply) = self.reply.take() else {
            if now < self.down_until {
                // Refused at once, or nobody answers.
                let wait = if dice.below(2) == 0 { Nanos::ZERO } else { TIMEOUT };
                let (status, body) = (503, String::new());
                self.reply = Some(Reply { status, body, wait, weight: 0 });
                self.due = now.plus(wait).plus(Nanos::from_millis(2 + dice.below(60)));
                return None;
            }
            // It reaches the venue.
            let body = question.map(|question| question.body.to_string()).unwrap_or_default();
            let reply = venue.info(now, body.as_bytes());
            self.weight += reply.weight;
            self.due = now.plus(reply.wait).plus(Nanos::from_millis(2 + dice.below(60)));
            self.reply = Some(reply);
            self.date = Wall(venue.time(now).0.div_euclid(1_000) * 1_000_000_000);
            return None;
        };
        let kind = question.map_or("", |question| question.kind);
        let late = now.since(self.asked_at) > TIMEOUT;
        let taken = late_or_refused(&reply, kind, late).and_then(|()| {
            let body = reply.body.as_bytes();
            match open {
                Open::Universe(reading) => reading.answer(body).ok(),
                Open::Account(reading) => reading.answer(body).ok(),
                Open::Exchange { .. } => None,
                Open::SignerRole(reading) => reading.answer(body).ok(),
            }
        });
        let more = match open {
            Open::Universe(reading) => reading.question().is_some(),
            Open::Account(reading) => reading.question().is_some(),
            Open::Exchange { .. } => false,
            Open::SignerRole(reading) => reading.question().is_some(),
        };
        if taken.is_some() && more {
            self.due = self.set_out(now, dice);
            return None;
        }
        let whole = taken.is_some();
        if let (Open::Account(reading), None) = (&*open, self.mode) {
            self.mode = reading.mode().map(|mode| (mode, now));
        }
        let answer = self.open.take().map(|open| match open {
            Open::Universe(reading) if whole => Answer::Universe(reading.whole()),
            Open::Universe(_) => Answer::UniverseFailed,
            Open::Account(reading) if whole => Answer::Account(reading.whole()),
            Open::Account(_) => Answer::AccountFailed,
            Open::Exchange { post, .. } => Answer::ExchangeFailed { post },
            Open::SignerRole(reading) if whole => Answer::SignerRole(reading.whole()),
            Open::SignerRole(_) => Answer::SignerRoleFailed,
        });
        self.begin(now, dice);
        answer
    }

    /// An action reaches the venue, waits there for its block, and its answer comes back.
    fn advance_action(
        &mut self,
        now: Mono,
        venue: &mut Venue,
        dice: &mut Chance,
    ) -> Option<Answer> {
        let Some(Open::Exchange { post, body, waits }) = &mut self.open else { return None };
        let post = *post;
        let late = now.since(self.asked_at) > TIMEOUT;
        let answer = match (self.reply.take(), *waits) {
            (Some(Reply { status, body, .. }), _) if !late => {
                Answer::Exchanged { post, status, body }
            }
            (Some(_), _) => Answer::ExchangeFailed { post },
            (None, Some(id)) if late => {
                venue.abandon(id);
                Answer::ExchangeFailed { post }
            }
            (None, Some(id)) => {
                let back = Nanos::from_millis(2 + dice.below(60));
                self.reply = venue.take_reply(id);
                self.due = now.plus(if self.reply.is_some() { back } else { LOOK_AGAIN });
                return None;
            }
            (None, None) if now < self.down_until => Answer::ExchangeFailed { post },
            (None, None) => {
                match venue.exchange(now, body) {
                    Exchange::Waits(id) => {
                        *waits = Some(id);
                        self.due = now.plus(LOOK_AGAIN);
                    }
                    Exchange::Answered(reply) => {
                        self.weight += reply.weight;
                        let back = Nanos::from_millis(2 + dice.below(60));
                        self.due = now.plus(reply.wait).plus(back);
                        self.reply = Some(reply);
                    }
                }
                return None;
            }
        };
        self.open = None;
        self.begin(now, dice);
        Some(answer)
    }
}

/// `None` for an answer that the reader would not take, as its `ask` judges it.
fn late_or_refused(reply: &Reply, kind: &str, late: bool) -> Option<()> {
    let unknown_dex = reply.status == 500 && kind == "meta" && reply.body == "null";
    (!late && (reply.status == 200 || unknown_dex)).then_some(())
}
