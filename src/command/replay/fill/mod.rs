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
//! All of it lies in the time of the receiver. The quotes of a block are sent when it is made, its answers
//! a while later: what of a latency comes after the block (`answer`) is between the two here, and orders
//! are on their way to the venue for the rest.

pub(super) mod latency;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::account::reading::{AccountReading, Reading};
use crate::command::Failure;
use crate::command::replay::fill::latency::{BLOCK_WAIT, Latency};
use crate::engine::Engine;
use crate::runtime::capture::{Heard, Said};
use crate::types::account::{AccountState, Role};
use crate::types::config::{Config, Network};
use crate::types::event::Event;
use crate::types::market::{Bbo, UserFees};
use crate::types::num::{Rate, Usd};
use crate::types::split_mix::SplitMix64;
use crate::types::time::{Mono, Nanos, Now, VenueMs};
use crate::venue::{AccountSettings, Address, ConnId, LONGEST_GAP, Mirrored, Output, Venue};

/// All frames of a block have come so long after the first of them, or with the first of the next.
const HEARD_WHOLE: Nanos = Nanos::from_millis(34);
/// A reading of the account takes so long.
const READING: Nanos = Nanos::from_millis(100);

/// What the engine hears of the mirrored venue.
pub(super) enum Told {
    Frame(Arc<str>),
    Account(Box<AccountState>),
    AccountFailed,
    ExchangeFailed(u64),
    SignerRole(Role),
}

impl Told {
    pub(super) fn event(&self) -> Event<'_> {
        match self {
            Told::Frame(text) => Event::Frame(text.as_bytes()),
            Told::Account(state) => Event::Account(state),
            Told::AccountFailed => Event::AccountFailed,
            Told::ExchangeFailed(post) => Event::ExchangeFailed { post: *post },
            Told::SignerRole(role) => Event::SignerRole(*role),
        }
    }
}

/// A block that is being heard.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Since when: what came to the venue before is in it.
    from: Mono,
    /// By then all of it has come.
    until: Mono,
}

/// The mirrored venue of one engine, and the way to it.
pub(super) struct Exchange {
    venue: Venue,
    conn: Option<ConnId>,
    dexes: Vec<String>,
    user: String,
    /// The account whose agent signs.
    master: Address,
    latency: Latency,
    seed: u64,
    /// Posts that have no block yet, by their arrival, and those that arrive together as they were sent.
    under_way: VecDeque<(Mono, String)>,
    block: Option<Block>,
    /// Time of the newest block that was waited for.
    newest: VenueMs,
    readings: VecDeque<(Mono, VenueMs)>,
    /// The quote that the mirror has and when it was received, by market: several may be received at one
    /// moment.
    mirrored: Vec<Option<(Mono, Bbo)>>,
    outputs: Vec<Output>,
    /// What is on its way to the engine, by its arrival.
    told: VecDeque<(Mono, Told)>,
}

/// What the fills of a replay are made with.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) latency: Latency,
    pub(super) seed: u64,
    pub(super) deposit: Usd,
}

impl Exchange {
    /// The dex whose venue can be mirrored.
    ///
    /// Errors: more than one, whose accounts are apart.
    pub(super) fn dex(config: &Config) -> Result<&str, Failure> {
        match &config.venue.dexes[..] {
            [dex] => Ok(dex),
            dexes => Err(Failure::usage(format!(
                "venue.dexes = {dexes:?}: expected one dex with --fill"
            ))),
        }
    }

    /// For an engine whose actions `signer` (an address) signs, from `began` on.
    ///
    /// Errors: more than one dex; a config without an account.
    pub(super) fn new(
        terms: &Terms,
        config: &Config,
        signer: &str,
        began: Now,
    ) -> Result<Self, Failure> {
        let dex = Self::dex(config)?;
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
        let master = accounts[0].address;
        let what = Mirrored {
            seed: terms.seed,
            dex: dex.to_owned(),
            start: VenueMs(began.wall.0.div_euclid(1_000_000)),
            accounts,
            mainnet: config.venue.network == Network::Mainnet,
        };
        Ok(Self {
            venue: Venue::mirror(what, began.mono).map_err(Failure::usage)?,
            conn: None,
            dexes: config.venue.dexes.clone(),
            user: account.acting().unwrap_or_default().to_owned(),
            master,
            latency: terms.latency.clone(),
            seed: terms.seed,
            under_way: VecDeque::new(),
            block: None,
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
        let told = self.told.front().map_or(Mono::MAX, |(at, _)| *at);
        self.block_due().min(reading).min(told)
    }

    /// When the next block is made, if nothing is heard till then. Without a word of it there was one
    /// within the longest gap, and it moved no market that is watched.
    fn block_due(&self) -> Mono {
        match (self.block, self.under_way.front()) {
            (Some(block), _) => block.until,
            (None, Some((at, _))) => at.plus(LONGEST_GAP),
            (None, None) => Mono::MAX,
        }
    }

    /// Does the first thing that is due at `now`.
    pub(super) fn advance(&mut self, now: Now, engine: &Engine) {
        self.venue.mirror_clock(now);
        if self.block_due() <= now.mono {
            match (self.block.take(), self.under_way.front()) {
                (Some(block), _) => self.commit(now, block.from, block.from, engine),
                // A quiet block is the first post's alone: those behind it wait for their own.
                (None, Some(&(at, _))) => {
                    self.commit(now, at.plus(Nanos(1)), at.plus(BLOCK_WAIT), engine);
                }
                (None, None) => {}
            }
        } else if self.readings.front().is_some_and(|(at, _)| *at <= now.mono)
            && let Some((_, since)) = self.readings.pop_front()
        {
            self.read_account(now, since, engine);
        }
    }

    /// What the engine is to hear at `now`.
    pub(super) fn next_told(&mut self, now: Mono) -> Option<Told> {
        self.told.pop_front_if(|(at, _)| *at <= now).map(|(_, told)| told)
    }

    fn tell(&mut self, at: Mono, told: Told) {
        let behind = self.told.partition_point(|(other, _)| *other <= at);
        self.told.insert(behind, (at, told));
    }

    /// A line of the capture is about to be told. Whether the engine hears it: what concerns the
    /// account is of another one, and the operator's commands were about its positions.
    pub(super) fn on_line(&mut self, now: Now, said: &Said<'_>, engine: &Engine) -> bool {
        self.venue.mirror_clock(now);
        match said {
            Said::Frame(text) => {
                if self.waits(now.mono)
                    && let Some(time) = wire::block_time(text)
                    && time > self.newest.max(newest(engine))
                {
                    self.newest = time;
                    if let Some(block) = self.block.take() {
                        self.commit(now, block.from, block.from, engine);
                    }
                    if self.waits(now.mono) {
                        let until = now.mono.plus(HEARD_WHOLE);
                        self.block = Some(Block { from: now.mono, until });
                    }
                }
                return !wire::is_of_account(text);
            }
            Said::Other(Heard::Connected(())) => {
                self.disconnect();
                // A venue that mirrors refuses nobody.
                self.conn = self.venue.connect(now.mono, &mut self.outputs).ok();
                self.collect(now.mono);
            }
            Said::Other(Heard::Disconnected(_)) => self.disconnect(),
            Said::Other(Heard::Universe(universe)) => {
                universe.markets.iter().for_each(|spec| self.venue.mirror_market(now.mono, spec));
                // The engine, too, takes an account that nobody told of for one of the base tier.
                self.venue.mirror_fees(universe.fees.unwrap_or(UserFees::BASE));
            }
            Said::Other(
                Heard::Account(_)
                | Heard::AccountFailed(())
                | Heard::Exchanged { .. }
                | Heard::ExchangeFailed { .. }
                | Heard::SignerRole(_)
                | Heard::SignerRoleFailed(())
                | Heard::Operator(_),
            ) => return false,
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
        self.block = None;
        self.told.retain(|(_, told)| !matches!(told, Told::Frame(_)));
    }

    /// The engine sends a frame.
    pub(super) fn send(&mut self, now: Now, frame: &[u8]) {
        self.venue.mirror_clock(now);
        let Ok(text) = std::str::from_utf8(frame) else { return };
        match wire::kind_of(text) {
            wire::Kind::Account => {
                if let Some(conn) = self.conn {
                    self.venue.text(now.mono, conn, text, &mut self.outputs);
                    self.collect(now.mono);
                }
            }
            wire::Kind::Post(mark) => {
                let at = now.mono.plus(self.latency.arrival(self.lot(now.mono, mark)));
                let behind = self.under_way.partition_point(|(other, _)| *other <= at);
                self.under_way.insert(behind, (at, text.to_owned()));
            }
            // Market data and heartbeats are the capture's.
            wire::Kind::Other => {}
        }
    }

    /// What decides how long a post takes. It hangs on the post alone, not on those before it: engines
    /// with other settings that send the same order have it arrive at the same moment.
    fn lot(&self, now: Mono, mark: u64) -> u64 {
        let mut lot = SplitMix64(self.seed);
        for word in [now.0, mark] {
            lot.0 = lot.bits() ^ word;
        }
        lot.bits()
    }

    /// The engine asks for its account.
    pub(super) fn ask(&mut self, now: Now, fills_since: VenueMs) {
        self.readings.push_back((now.mono.plus(READING), fills_since));
    }

    /// The engine sends an action by REST, having no link. The books are not known then, so it is taken
    /// for lost.
    pub(super) fn refuse_rest(&mut self, now: Now, post: u64) {
        self.tell(now.mono.plus(READING), Told::ExchangeFailed(post));
    }

    /// The engine asks what its signer is: the agent that the mirrored account has.
    pub(super) fn ask_signer_role(&mut self, now: Now) {
        let user = crate::types::ids::Address(self.master.0);
        self.tell(now.mono.plus(READING), Told::SignerRole(Role::Agent { user }));
    }

    /// Whether something has come to the venue before `now` and has not been answered.
    fn waits(&self, now: Mono) -> bool {
        self.under_way.front().is_some_and(|(at, _)| *at < now)
    }

    /// Makes a block of what came to the venue before a moment, against what is left in the books. Its
    /// answers are on their way since `made`, as far as they take any time.
    fn commit(&mut self, now: Now, before: Mono, made: Mono, engine: &Engine) {
        while let Some((_, text)) = self.under_way.pop_front_if(|(at, _)| *at < before) {
            if let Some(conn) = self.conn {
                self.venue.text(now.mono, conn, &text, &mut self.outputs);
            }
        }
        self.venue.advance(now.mono, &mut self.outputs);
        self.mirror(now, engine);
        self.venue.make_block(now.mono, &mut self.outputs);
        self.collect(now.mono.max(made.plus(self.latency.answer())));
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
                self.tell(now.mono, Told::AccountFailed);
                return;
            }
        }
        self.tell(now.mono, Told::Account(Box::new(reading.whole())));
    }

    /// What the venue says is heard at `at`.
    fn collect(&mut self, at: Mono) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            match output {
                Output::Text(conn, text) if Some(conn) == self.conn => {
                    self.tell(at, Told::Frame(text));
                }
                // A mirror ends no connection, and speaks no binary.
                _ => {}
            }
        }
        self.outputs = outputs;
    }
}

/// Time of the newest block that the engine has a quote of.
fn newest(engine: &Engine) -> VenueMs {
    let times = engine.markets().iter().filter_map(|market| market.bbo);
    times.map(|held| held.value.time).max().unwrap_or(VenueMs(0))
}
