//! The simulated venue: Hyperliquid as far as an engine touches it (PROTOCOL.md).
//!
//! Like the engine it is sans-IO: a [`Venue`] takes the time as an argument and knows no socket,
//! file or clock; [`tcp`] serves one on loopback. It shares no wire code with the client, so that
//! two implementations check each other. The same seed gives the same market, whoever watches.
//!
//! An action is read and its signer recovered (`wire`), then the clearing house does it; what
//! comes of it goes out as answers and news (`surface`), each in its own time.

mod account;
mod action;
mod book;
mod clearing;
mod dice;
mod faults;
mod listing;
mod maker;
mod market;
mod mirror;
mod scenario;
mod surface;
pub mod tcp;
mod wire;
mod world;

use std::sync::Arc;

use crate::types::time::{Mono, Nanos, VenueMs};
use crate::venue::account::{Accounts, Lens, View};
use crate::venue::action::Action;
use crate::venue::faults::Chance;
use crate::venue::surface::desk::{Arrival, Recipient};
use crate::venue::surface::news::{REFUSALS, WHOLE_REFUSALS};
use crate::venue::surface::{Surface, info};
use crate::venue::world::{Moved, World};

pub use account::books::Books;
pub use action::Address;
pub use clearing::AccountSettings;
pub use dice::{Dice, Odds};
pub use faults::{Fault, Faults, FaultsError, Injected, Scheduled, What};
pub use maker::{Habit, Lag};
pub use mirror::Mirrored;
pub use scenario::{Deal, NotListed};
pub use world::LONGEST_GAP;

/// What a venue is made from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Decides over everything that happens by chance.
    pub seed: u64,
    /// Markets of the watched dex, 1 to [`Settings::MARKETS_MAX`]; 126 by default.
    pub markets: usize,
    /// Name of the watched dex, 2 to 4 lower-case letters; position 1 of `perpDexs`.
    pub dex: String,
    /// The venue's time at the start.
    pub start: VenueMs,
    /// How late makers are.
    pub lag: Lag,
    /// Habits that are dealt out to the markets of the watched dex in turn; with none all makers have `lag`.
    pub habits: Vec<Habit>,
    /// How often a step of a market's oracle is a jump of 12 to 60 bps.
    pub jumps: Odds,
    /// Limits per address.
    pub limits: Limits,
    /// What goes wrong.
    pub faults: Faults,
    /// Nothing moves by itself: prices and quotes stay until a scenario changes them. Blocks,
    /// contexts and everything a client asks for go on.
    pub still: bool,
    /// Who trades here.
    pub accounts: Vec<AccountSettings>,
    /// Whether signatures must be for mainnet. They must not by default: whoever does not speak to
    /// the mainnet's own address signs for testnet (PROTOCOL.md §7.1).
    pub mainnet: bool,
    /// How long things take on their way.
    pub timing: Timing,
}

impl Settings {
    /// Most markets of the watched dex: two subscriptions each fit into the venue's thousand.
    pub const MARKETS_MAX: usize = 490;

    /// How the makers of market number `index` are.
    fn habit(&self, watched: bool, index: usize) -> Habit {
        let dealt = index.checked_rem(self.habits.len()).and_then(|turn| self.habits.get(turn));
        let usual = Habit { lag: self.lag, basis_ppm: None };
        dealt.filter(|_| watched).copied().unwrap_or(usual)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            markets: 126,
            dex: "xyz".to_owned(),
            start: VenueMs(1_791_480_000_000),
            lag: Lag::default(),
            habits: Vec::new(),
            jumps: Odds::one_in(200),
            limits: Limits::default(),
            faults: Faults::default(),
            still: false,
            accounts: Vec::new(),
            mainnet: false,
            timing: Timing::default(),
        }
    }
}

/// How long things take on their way (PROTOCOL.md §9.1): milliseconds from and to, both included,
/// all lengths alike likely.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timing {
    /// From a client's sending to the open block: makers may pull their quotes before it.
    pub action_ms: (u64, u64),
    /// From a block to the answers of its actions.
    pub answer_ms: (u64, u64),
    /// From an action's arrival to a refusal that needs no block.
    pub refusal_ms: (u64, u64),
    /// From a block to the updates of its orders.
    pub updates_ms: (u64, u64),
    /// From those to its fills.
    pub fills_ms: (u64, u64),
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            action_ms: (20, 80),
            answer_ms: (150, 400),
            refusal_ms: (10, 50),
            updates_ms: (0, 0),
            fills_ms: (0, 200),
        }
    }
}

/// The venue's limits per address (PROTOCOL.md §1, §8.1). All clients share them here.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// New connections a minute.
    pub new_per_minute: u32,
    /// Subscriptions over all connections.
    pub subscriptions: usize,
    /// Distinct users over all subscriptions.
    pub users: usize,
    /// Frames from clients a minute.
    pub messages_per_minute: u32,
    /// Posts without an answer at one time.
    pub posts: usize,
    /// Weight of HTTP requests a minute.
    pub info_weight_per_minute: u32,
    /// A connection on which the venue sent nothing for so long is dropped.
    pub idle_close: Nanos,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10,
            new_per_minute: 30,
            subscriptions: 1000,
            users: 10,
            messages_per_minute: 2000,
            posts: 100,
            info_weight_per_minute: 1200,
            idle_close: Nanos::from_secs(60),
        }
    }
}

/// Settings that describe no venue.
#[derive(Debug, thiserror::Error)]
#[error("{key} = {value}: expected {expected}")]
pub struct SettingsError {
    key: &'static str,
    value: String,
    expected: &'static str,
}

/// One connection; never reused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnId(pub u32);

/// One action over HTTP that has no answer yet; never reused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ExchangeId(u64);

/// What a `POST /exchange` gets at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Exchange {
    /// Its answer.
    Answered(Reply),
    /// It waits for its block: [`Venue::take_reply`] has the answer some time later, if ever.
    Waits(ExchangeId),
}

/// Why a connection was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// Too many are open.
    Connections,
    /// Too many were opened within a minute.
    NewPerMinute,
}

/// What the venue wants done with a connection, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Send a text frame.
    Text(ConnId, Arc<str>),
    /// Send a binary frame.
    Binary(ConnId, Vec<u8>),
    /// Send the first half of a text frame, then drop the connection. It is over.
    Torn(ConnId, Arc<str>),
    /// Close with a close frame. The connection is over.
    Close {
        /// The connection.
        conn: ConnId,
        /// The close frame's code.
        code: u16,
        /// The close frame's reason.
        reason: &'static str,
    },
    /// Drop without a close frame. The connection is over.
    Drop(ConnId),
}

/// An answer over HTTP.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body: JSON with status 200, else text.
    pub body: String,
    /// How long it takes.
    pub wait: Nanos,
    /// What it weighed against the minute's limit (PROTOCOL.md §8.1).
    pub weight: u32,
}

/// The venue.
#[derive(Clone, Debug)]
pub struct Venue {
    world: World,
    accounts: Accounts,
    surface: Surface,
    /// Faults of `/info`.
    info_dice: Chance,
    origin: Mono,
    /// Events of the faults, and how many of them have happened.
    happened: usize,
    /// Events that wait for a position.
    armed: Vec<Scheduled>,
    moved: Vec<Moved>,
}

impl Venue {
    /// A venue whose first moment is `now`.
    pub fn new(settings: Settings, now: Mono) -> Result<Self, SettingsError> {
        let refused = |key, value, expected| Err(SettingsError { key, value, expected });
        if !(1..=Settings::MARKETS_MAX).contains(&settings.markets) {
            return refused("markets", settings.markets.to_string(), "a number in 1..=490");
        }
        let name = &settings.dex;
        let plain = (2..=4).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase());
        if !plain || name == listing::SECOND_NAME {
            let expected = "2 to 4 lower-case letters, and not \"nova\"";
            return refused("dex", format!("{name:?}"), expected);
        }
        let world = World::new(&settings, now);
        let mut faults = settings.faults.clone();
        faults.event.sort_by_key(|event| event.at_ms);
        for coin in faults.event.iter().filter_map(|event| event.coin.as_deref()) {
            if world.find(coin).is_none() {
                return refused("event.coin", format!("{coin:?}"), "a coin that is listed");
            }
        }
        Ok(Self {
            world,
            surface: Surface::new(&settings, faults),
            accounts: Accounts::new(settings.accounts, settings.seed),
            info_dice: Chance::new(settings.seed, u64::MAX - 3),
            origin: now,
            happened: 0,
            armed: Vec::new(),
            moved: Vec::new(),
        })
    }

    /// Accepts a connection, its WebSocket handshake done.
    pub fn connect(&mut self, now: Mono, out: &mut Vec<Output>) -> Result<ConnId, Refused> {
        self.surface.connect(now, out)
    }

    /// A connection is over. One that the venue ended itself need not be told.
    pub fn disconnect(&mut self, conn: ConnId) {
        self.surface.disconnect(conn);
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.surface.len()
    }

    /// A text frame from a client.
    pub fn text(&mut self, now: Mono, conn: ConnId, text: &str, out: &mut Vec<Output>) {
        let view = View { world: &self.world, accounts: &self.accounts, lens: Lens::Now };
        self.surface.text(now, conn, text, view, out);
    }

    /// The body of a `POST /info`.
    pub fn info(&mut self, now: Mono, body: &[u8]) -> Reply {
        let weight = info::weight(body);
        if !self.surface.may_ask(now, weight) {
            return Reply { status: 429, body: "null".to_owned(), wait: Nanos::ZERO, weight };
        }
        let lens = Lens::drawn(&self.surface.faults, &mut self.info_dice);
        let view = View { world: &self.world, accounts: &self.accounts, lens };
        let (status, answer) = info::respond(view, now, body);
        let rows = info::weight_of_rows(body, &answer);
        self.surface.charge(now, rows);
        let (status, body, wait) = self.surface.faults.answer(status, answer, &mut self.info_dice);
        Reply { status, body, wait, weight: weight + rows }
    }

    /// The body of a `POST /exchange`.
    pub fn exchange(&mut self, now: Mono, body: &[u8]) -> Exchange {
        let weight = 1 + u32::try_from(wire::items(body) / 40).unwrap_or(u32::MAX - 1);
        if !self.surface.may_ask(now, weight) {
            let (status, body) = (429, "null".to_owned());
            return Exchange::Answered(Reply { status, body, wait: Nanos::ZERO, weight });
        }
        let desk = &mut self.surface.desk;
        match wire::read_bytes(body, self.surface.mainnet) {
            Ok(asked) => {
                let id = desk.exchange_id();
                let ticket = desk.ticket(Recipient::Http(id, weight));
                desk.send(now, ticket, asked);
                Exchange::Waits(id)
            }
            Err(unread) => {
                let (status, text) = unread.status_and_text();
                let body = text.to_owned();
                Exchange::Answered(Reply { status, body, wait: Nanos::ZERO, weight })
            }
        }
    }

    /// The answer to an action over HTTP, once it is there. It is given once.
    pub fn take_reply(&mut self, id: ExchangeId) -> Option<Reply> {
        self.surface.desk.take_reply(id)
    }

    /// Whether [`Venue::take_reply`] has this answer.
    pub fn has_reply(&self, id: ExchangeId) -> bool {
        self.surface.desk.has_reply(id)
    }

    /// Nobody waits for this answer any more. The action takes its course all the same.
    pub fn abandon(&mut self, id: ExchangeId) {
        self.surface.desk.abandon(id);
    }

    /// How often each fault happened so far.
    pub fn injected(&self) -> Injected {
        let Surface { dice, desk, .. } = &self.surface;
        desk.dice.injected.clone().plus(&dice.injected).plus(&self.info_dice.injected)
    }

    /// From now on these faults happen; of events only those that are still to come.
    pub fn set_faults(&mut self, now: Mono, mut faults: Faults) {
        faults.event.sort_by_key(|event| event.at_ms);
        let passed = now.since(self.origin).as_millis();
        self.happened = faults.event.partition_point(|event| event.at_ms <= passed);
        self.armed.clear();
        self.surface.set_faults(faults);
    }

    /// When [`Venue::advance`] has something to do.
    pub fn next_deadline(&self) -> Mono {
        let arrival = self.surface.desk.next_arrival();
        let market = self.world.next_block.min(self.next_event());
        market.min(arrival).min(self.surface.next_deadline())
    }

    /// Does everything that is due up to `now`, in the order of its due times.
    pub fn advance(&mut self, now: Mono, out: &mut Vec<Output>) {
        loop {
            let due = self.next_deadline();
            if due > now {
                return;
            }
            while self.next_event() <= due {
                self.happen(due, out);
            }
            while let Some(arrival) = self.surface.desk.arrival(due) {
                self.arrive(arrival);
            }
            if self.world.next_block <= due {
                self.block(due, out);
            }
            let view = View { world: &self.world, accounts: &self.accounts, lens: Lens::Now };
            self.surface.advance(due, view, out);
        }
    }

    /// An action reaches the clearing house.
    fn arrive(&mut self, arrival: Arrival) {
        let Arrival { at, ticket, asked } = arrival;
        let dice = &mut self.surface.desk.dice;
        if matches!(asked.signed.action, Action::Order(_))
            && dice.hit(Fault::Refuse, self.surface.faults.refuse)
        {
            let drawn = |dice: &mut Chance, from: &[&'static str]| {
                let at = usize::try_from(dice.below(from.len() as u64)).unwrap_or_default();
                from.get(at).copied().unwrap_or_default()
            };
            let clearing = &mut self.accounts.clearing;
            if dice.below(4) > 0 {
                clearing.refuse_next(1, drawn(dice, &REFUSALS));
            } else {
                clearing.refuse_next_whole(1, drawn(dice, &WHOLE_REFUSALS));
            }
        }
        let outcomes = self.accounts.submit(ticket, asked, at, &self.world);
        self.surface.tell_at_once(at, outcomes);
    }

    /// Makes the block that is due: markets first, then what accounts asked for.
    fn block(&mut self, due: Mono, out: &mut Vec<Output>) {
        self.moved.clear();
        let at = self.world.begin_block();
        let outcomes = self.accounts.block(at, &mut self.world);
        self.world.end_block(&mut self.moved);
        self.surface.block(due, &self.moved, &self.world, out);
        self.surface.tell(due, outcomes, &mut self.accounts, &self.world);
        if let Some(age) = self.surface.faults.account_stale_age() {
            self.accounts.remember(due, self.world.block_time, age);
        }
        if !self.armed.is_empty() {
            self.fire(due);
        }
    }

    /// When the next scheduled event happens.
    fn next_event(&self) -> Mono {
        let event = self.surface.faults.event.get(self.happened);
        event.map_or(Mono::MAX, |event| self.origin.plus(Nanos::from_millis(event.at_ms)))
    }
}
