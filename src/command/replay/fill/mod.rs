//! Orders of a replay, filled against the captured book.
//!
//! The captured venue is mirrored: the simulated venue's accounts, rules, fees and answers, with the
//! markets and books that the engine under replay has heard of. An order is under way for the latency,
//! then waits for the next block; what the capture shows once that block has been heard is what is left
//! for it. So it loses to whoever pulled his quote within the block, and fills at most what stood at its
//! limit or better at the top.
//!
//! Blocks that move no market are not heard, so which block an order met is not always known. Then it is
//! the next one that is heard, unless none is for as long as blocks are ever apart: that fills less than a
//! quiet block in between would have.
//!
//! All of it lies in the time of the receiver: a quote is seen as late as the answer of its block is
//! heard, so a latency is that from the write of an order to the answer, less the wait for the block.

pub(super) mod latency;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::account::reading::{AccountReading, Reading};
use crate::command::Failure;
use crate::command::replay::fill::latency::Latency;
use crate::engine::Engine;
use crate::runtime::capture::{Heard, Said};
use crate::types::account::AccountState;
use crate::types::config::{Config, Network};
use crate::types::event::Event;
use crate::types::market::Bbo;
use crate::types::num::{Rate, Usd};
use crate::types::time::{Mono, Nanos, Now, VenueMs};
use crate::venue::{AccountSettings, Address, ConnId, Dice, LONGEST_GAP, Mirrored, Output, Venue};

/// All frames of a block have come so long after the first of them, or with the first of the next.
const HEARD_WHOLE: Nanos = Nanos::from_millis(34);
/// A reading of the account takes so long.
const READING: Nanos = Nanos::from_millis(100);

/// What the engine hears of the mirrored venue.
pub(super) enum Told {
    Frame(Arc<str>),
    Account(Box<AccountState>),
    AccountFailed,
}

impl Told {
    pub(super) fn event(&self) -> Event<'_> {
        match self {
            Told::Frame(text) => Event::Frame(text.as_bytes()),
            Told::Account(state) => Event::Account(state),
            Told::AccountFailed => Event::AccountFailed,
        }
    }
}

/// The block that actions wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Block {
    /// Nothing waits.
    None,
    /// No frame of it has come; it is made then, if none does: it moved no market that is watched.
    Awaited { until: Mono },
    /// Some have; by then all have.
    Heard { until: Mono },
}

impl Block {
    fn due(self) -> Mono {
        match self {
            Block::None => Mono::MAX,
            Block::Awaited { until } | Block::Heard { until } => until,
        }
    }
}

/// The mirrored venue of one engine, and the way to it.
pub(super) struct Exchange {
    venue: Venue,
    conn: Option<ConnId>,
    dexes: Vec<String>,
    user: String,
    latency: Latency,
    dice: Dice,
    /// Posts under way, first come first served.
    under_way: VecDeque<(Mono, String)>,
    block: Block,
    /// Time of the newest block that was heard; only kept while one is awaited.
    newest: VenueMs,
    readings: VecDeque<(Mono, VenueMs)>,
    /// The quote that the mirror has and when it was received, by market: several may be received at one
    /// moment.
    mirrored: Vec<Option<(Mono, Bbo)>>,
    outputs: Vec<Output>,
    told: VecDeque<Told>,
}

/// What the fills of a replay are made with.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) latency: Latency,
    pub(super) seed: u64,
    pub(super) deposit: Usd,
}

impl Exchange {
    /// For an engine whose actions `signer` (an address) signs, from `began` on.
    ///
    /// Errors: more than one dex, whose accounts are apart; a config without an account.
    pub(super) fn new(
        terms: &Terms,
        config: &Config,
        signer: &str,
        began: Now,
    ) -> Result<Self, Failure> {
        let [dex] = &config.venue.dexes[..] else {
            return Err(Failure::usage(format!(
                "venue.dexes = {:?}: expected one dex with --fill",
                config.venue.dexes
            )));
        };
        let address = |text: &str| {
            Address::parse(text)
                .ok_or_else(|| Failure::usage(format!("{text:?}: expected an address")))
        };
        let account = &config.account;
        let master = account.user_address.as_deref().or(account.acting()).unwrap_or_default();
        let agent = (String::new(), address(signer)?, None);
        let mut accounts = vec![AccountSettings {
            address: address(master)?,
            deposit: terms.deposit,
            agents: vec![agent],
            vault_of: None,
            referral_discount: Rate::ZERO,
        }];
        if let Some(vault) = &account.vault_address {
            let leader = accounts[0].address;
            accounts.push(AccountSettings {
                address: address(vault)?,
                deposit: terms.deposit,
                agents: Vec::new(),
                vault_of: Some(leader),
                referral_discount: Rate::ZERO,
            });
        }
        let what = Mirrored {
            seed: terms.seed,
            dex: dex.clone(),
            start: VenueMs(began.wall.0.div_euclid(1_000_000)),
            accounts,
            mainnet: config.venue.network == Network::Mainnet,
        };
        Ok(Self {
            venue: Venue::mirror(what, began.mono).map_err(Failure::usage)?,
            conn: None,
            dexes: config.venue.dexes.clone(),
            user: account.acting().unwrap_or_default().to_owned(),
            latency: terms.latency.clone(),
            dice: Dice::new(terms.seed, u64::MAX - 6),
            under_way: VecDeque::new(),
            block: Block::None,
            newest: VenueMs(0),
            readings: VecDeque::new(),
            mirrored: Vec::new(),
            outputs: Vec::new(),
            told: VecDeque::new(),
        })
    }

    /// When something of it is due.
    pub(super) fn next_due(&self) -> Mono {
        let reading = self.readings.front().map_or(Mono::MAX, |(at, _)| *at);
        // What arrives while a block is heard belongs into the next one.
        let arrival = match self.block {
            Block::Heard { .. } => Mono::MAX,
            _ => self.under_way.front().map_or(Mono::MAX, |(at, _)| *at),
        };
        self.block.due().min(reading).min(arrival)
    }

    /// Does the first thing that is due at `now`.
    pub(super) fn advance(&mut self, now: Now, engine: &Engine) {
        self.venue.mirror_clock(now);
        if self.block.due() <= now.mono {
            self.commit(now, engine);
        } else if self.readings.front().is_some_and(|(at, _)| *at <= now.mono) {
            if let Some((_, since)) = self.readings.pop_front() {
                self.read_account(now, since, engine);
            }
        } else {
            self.arrive(now, engine);
        }
    }

    /// What the engine is to hear next.
    pub(super) fn next_told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// A line of the capture is about to be told. Whether the engine hears it: what concerns the
    /// account is of another one, and the operator's wishes were about its positions.
    pub(super) fn on_line(&mut self, now: Now, said: &Said<'_>, engine: &Engine) -> bool {
        self.venue.mirror_clock(now);
        match said {
            Said::Frame(text) => {
                if self.block != Block::None
                    && let Some(time) = wire::block_time(text)
                    && time > self.newest
                {
                    if matches!(self.block, Block::Heard { .. }) {
                        self.commit(now, engine);
                        // What came while that block was heard has this one.
                        self.arrive(now, engine);
                    }
                    self.newest = time;
                    if self.block != Block::None {
                        self.block = Block::Heard { until: now.mono.plus(HEARD_WHOLE) };
                    }
                }
                return !wire::is_of_account(text);
            }
            Said::Other(Heard::Connected(())) => {
                self.disconnect();
                // A venue that mirrors refuses nobody.
                self.conn = self.venue.connect(now.mono, &mut self.outputs).ok();
                self.collect();
            }
            Said::Other(Heard::Disconnected(_)) => self.disconnect(),
            Said::Other(Heard::Universe(universe)) => {
                universe.markets.iter().for_each(|spec| self.venue.mirror_market(now.mono, spec));
            }
            Said::Other(Heard::Account(_) | Heard::AccountFailed(()) | Heard::Operator(_)) => {
                return false;
            }
            Said::Other(_) => {}
        }
        true
    }

    /// The link is gone, and with it what was under way.
    pub(super) fn disconnect(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.venue.disconnect(conn);
        }
        self.under_way.clear();
    }

    /// The engine sends a frame.
    pub(super) fn send(&mut self, now: Now, frame: &[u8]) {
        self.venue.mirror_clock(now);
        let Ok(text) = std::str::from_utf8(frame) else { return };
        match wire::kind_of(text) {
            wire::Kind::Account => {
                if let Some(conn) = self.conn {
                    self.venue.text(now.mono, conn, text, &mut self.outputs);
                    self.collect();
                }
            }
            wire::Kind::Post => {
                let last = self.under_way.back().map_or(Mono(0), |(at, _)| *at);
                let at = now.mono.plus(self.latency.draw(&mut self.dice)).max(last);
                self.under_way.push_back((at, text.to_owned()));
            }
            // Market data and heartbeats are the capture's.
            wire::Kind::Other => {}
        }
    }

    /// The engine asks for its account.
    pub(super) fn ask(&mut self, now: Now, fills_since: VenueMs) {
        self.readings.push_back((now.mono.plus(READING), fills_since));
    }

    /// What has come to the venue waits for its block.
    fn arrive(&mut self, now: Now, engine: &Engine) {
        while let Some((at, text)) = self.under_way.pop_front_if(|(at, _)| *at <= now.mono) {
            let Some(conn) = self.conn else { continue };
            if self.block == Block::None {
                let times = engine.markets().iter().filter_map(|market| market.bbo);
                self.newest = times.map(|held| held.value.time).max().unwrap_or(VenueMs(0));
                self.block = Block::Awaited { until: at.plus(LONGEST_GAP) };
            }
            self.venue.text(now.mono, conn, &text, &mut self.outputs);
            self.venue.advance(now.mono, &mut self.outputs);
            self.collect();
        }
    }

    /// Makes the block that actions wait for, against what is left in the books.
    fn commit(&mut self, now: Now, engine: &Engine) {
        self.block = Block::None;
        self.mirror(now, engine);
        self.venue.make_block(now.mono, &mut self.outputs);
        self.collect();
    }

    /// Tells the mirror what the engine has heard. A quote that is known already is left as it is:
    /// what was taken of it is gone until the capture shows another.
    fn mirror(&mut self, now: Now, engine: &Engine) {
        let markets = engine.markets();
        self.mirrored.resize(markets.len(), None);
        for (market, mirrored) in markets.iter().zip(&mut self.mirrored) {
            let coin = market.spec.coin.as_str();
            let quote = market.bbo.map(|held| (held.received_at, held.value));
            if quote.is_none() || quote != *mirrored {
                *mirrored = quote;
                self.venue.mirror_book(coin, market.bbo.map(|held| held.value));
            }
            if let Some(oracle) = market.oracle() {
                let mark = market.mark().unwrap_or(oracle);
                self.venue.mirror_prices(now.mono, coin, oracle, mark);
            }
        }
    }

    fn read_account(&mut self, now: Now, since: VenueMs, engine: &Engine) {
        self.mirror(now, engine);
        let mut reading = AccountReading::new(&self.dexes, &self.user, since, None);
        while let Some(question) = reading.question() {
            let reply = self.venue.info(now.mono, question.body.to_string().as_bytes());
            if reply.status != 200 || reading.answer(reply.body.as_bytes()).is_err() {
                self.told.push_back(Told::AccountFailed);
                return;
            }
        }
        self.told.push_back(Told::Account(Box::new(reading.whole())));
    }

    fn collect(&mut self) {
        for output in self.outputs.drain(..) {
            match output {
                Output::Text(conn, text) if Some(conn) == self.conn => {
                    self.told.push_back(Told::Frame(text));
                }
                // A mirror ends no connection, and speaks no binary.
                _ => {}
            }
        }
    }
}
