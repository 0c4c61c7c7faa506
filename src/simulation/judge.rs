//! The invariants, judged after every event by what the engine asked for, what the venue knows, and
//! the shadow of both.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::simulation::shadow::books::{Orders, Sent, dollars};
use crate::simulation::shadow::market::Heard;
use crate::simulation::waits;
use crate::types::config::Config;
use crate::types::hard_stop::{HardStop, StopReason};
use crate::types::ids::Coin;
use crate::types::log_event::LogEvent;
use crate::types::market::Universe;
use crate::types::num::{Side, Szi, Usd};
use crate::types::order::{Purpose, Refusal, RefusalClass};
use crate::types::record::{Check, Decision, Row, SignalRow, SizeLimit};
use crate::types::status::Trading;
use crate::types::time::{Mono, Nanos};
use crate::venue::{Address, Venue};

macro_rules! invariants {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A condition that always holds.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Invariant {
            $($(#[$doc])* $name,)*
        }

        impl Invariant {
            /// All invariants.
            pub const ALL: &'static [Invariant] = &[$(Invariant::$name,)*];

            /// Name in output.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Invariant::$name => $text,)*
                }
            }
        }
    };
}

invariants! {
    /// What is held, what answers called bought and may still fill stays within
    /// `position.max_total_notional`.
    TotalLimit = "total_limit",
    /// The same in a market, within `position.max_notional_per_market`.
    MarketLimit = "market_limit",
    /// Positions, and markets that may become one, within `position.max_concurrent_positions`.
    PositionsLimit = "positions_limit",
    /// No entry where something is held, was answered as filled, or may still fill.
    OneEntry = "one_entry",
    /// No entry while HardStop holds.
    NotStopped = "not_stopped",
    /// No entry before link, channels, account and markets are known.
    Ready = "ready",
    /// READY names what it waits for whenever entries wait, and none leaves while it names something.
    Named = "named",
    /// No signal is approved that a gate forbids, or whose edge does not cover its cost.
    Gated = "gated",
    /// No entry on an edge beyond what a late maker leaves.
    Plausible = "plausible",
    /// No entry on quotes that came late.
    Fresh = "fresh",
    /// No entry on a listing or an account that was not read for long.
    Known = "known",
    /// What is sent is what was approved, once.
    SentAsApproved = "sent_as_approved",
    /// Names and nonces are used once, orders are immediate or cancel, and expire.
    Unique = "unique",
    /// Prices and sizes are such as the venue takes.
    Valid = "valid",
    /// What may only reduce never grows a position.
    ReduceOnly = "reduce_only",
    /// No entry from the requests that are kept for exits.
    Reserve = "reserve",
    /// The key is in nothing that leaves.
    Secret = "secret",
    /// Time goes on: the engine wants no tick at once for ever.
    Progress = "progress",
    /// A position closes within TimeStop and a bound, while somebody stands on the other side and
    /// nothing keeps the engine from the venue.
    TimeStop = "time_stop",
    /// What only a person may release was set for something that only a person can judge.
    Explained = "explained",
    /// Questions over REST weigh no more than half of what the venue allows a minute.
    RestWeight = "rest_weight",
    /// A coin that the sockets do not know is not subscribed to again and again.
    Quarantined = "quarantined",
    /// Rows make sense: ids once, sums right, an order's row once.
    Rows = "rows",
    /// After a quiet time the engine holds what the venue holds.
    Agrees = "agrees",
    /// After a quiet time no order is open.
    Settled = "settled",
    /// An end in order comes, and leaves nothing open.
    Ends = "ends",
    /// Profit and fees of all round trips are the venue's, to the cent.
    Money = "money",
    /// Every signal is in the files once, with its follow-ups, its probes and its cross.
    Recorded = "recorded",
    /// When nothing was seen, a gap says so.
    Gaps = "gaps",
    /// The venue's own books balance.
    Audit = "audit",
}

/// One that did not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken {
    /// The invariant.
    pub invariant: Invariant,
    /// What was found instead.
    pub what: String,
}

/// How long a position may stay open beyond TimeStop while nothing is in its way: at the collar for
/// 30 s, then from the touch.
const EXIT_BOUND: Nanos = Nanos::from_secs(90);

/// The same where answers, fills and readings are lost, late or refused: an exit takes some attempts.
const LOSSY_EXIT_BOUND: Nanos = Nanos::from_secs(240);

/// The most edge that a late maker leaves, `detector.max_edge_bps`.
const MOST_EDGE_BPS: i128 = 200;

/// How late quotes may be when an entry leaves: `risk.max_feed_lag_ms`, with room for the network.
const MOST_LATE_MS: i64 = 2_000;

/// How old a listing may be, `venue.max_meta_age_s`, with room for the clock it is counted by.
const OLDEST_LISTING: Nanos = Nanos::from_secs(610);

/// How old a reading of the account may be, `position.max_account_age_s`, with the same room.
const OLDEST_ACCOUNT: Nanos = Nanos::from_secs(310);

/// Half of the weight that the venue allows a minute (PROTOCOL.md §8.1).
const MOST_WEIGHT: u32 = 600;

/// A minute.
const MINUTE: Nanos = Nanos::from_secs(60);

/// How often a process may subscribe to coins that the sockets do not know, within so long.
const MOST_UNKNOWN: usize = 6;
const UNKNOWN_WINDOW: Nanos = Nanos::from_secs(300);

/// Answers about the account are no older than this.
const OLDEST_ANSWER: Nanos = Nanos::from_secs(15);

/// The venue's least order, 10 USD in units of 1e-16.
const LEAST_ORDER: i128 = 100_000_000_000_000_000;

/// One unit in the last decimal place of a size that is not zero: a lot, or more.
fn last_digit(sz: i128) -> i128 {
    let mut unit = 1;
    while sz != 0 && sz % (unit * 10) == 0 {
        unit *= 10;
    }
    unit
}

/// What one batch of actions asked for.
#[derive(Default)]
struct Batch {
    sent: Vec<Sent>,
    approved: Vec<(u128, Purpose, Side, i64, i64)>,
    /// Signals that a check refused.
    refused: Vec<(Coin, Check)>,
}

/// The judge of one run.
pub(super) struct Judge {
    config: Config,
    user: Address,
    coins: Vec<String>,
    /// The key in hex, which must be nowhere.
    secret: String,
    pub(super) heard: Heard,
    orders: Orders,
    process: u64,
    /// What READY needs of this link.
    linked_at: Option<Mono>,
    channels: [bool; 2],
    /// A whole reading of the account that was asked for on this link.
    account_read: bool,
    stopped: BTreeSet<StopReason>,
    /// Signals that were approved and not sent yet.
    approved: BTreeMap<u64, SignalRow>,
    batch: Batch,
    /// READY and what entries wait for, by the log: up to the last event, and with this one.
    told: Trading,
    tells: Trading,
    /// Markets with a position: since when, and since when nothing is in the way of its exit.
    held: BTreeMap<String, (Mono, Mono)>,
    signals: BTreeSet<u64>,
    /// Orders that this process sent, and for which it has not recorded an end.
    open: BTreeMap<u128, Mono>,
    ended: BTreeSet<u128>,
    /// Refusals come without a reason, or for what is done behind the engine's back.
    refused_at_random: bool,
    /// Block times are tampered with, or come once more: quotes say nothing of when they were made.
    times_lie: bool,
    /// When the budget changes behind the engine's back, and since when it has read the account.
    budget_moves: Vec<Mono>,
    account_asked: Mono,
    /// When this process last heard a whole listing and a whole account.
    listing_at: Option<Mono>,
    account_at: Option<Mono>,
    /// What this process asked over REST within the last minute, and when.
    weights: VecDeque<(Mono, u32)>,
    /// When this process subscribed to a coin that the sockets do not know.
    unknown: VecDeque<Mono>,
    /// The most money that the account ever had, at entry prices.
    highest_cash: Option<Usd>,
    checked: [u64; Invariant::ALL.len()],
    broken: Option<Broken>,
    last_deal: Option<u64>,
}

impl Judge {
    pub(super) fn new(config: &Config, user: Address, secret: String) -> Self {
        Self {
            config: config.clone(),
            user,
            coins: Vec::new(),
            secret,
            heard: Heard::new(config),
            orders: Orders::default(),
            process: 0,
            linked_at: None,
            channels: [false; 2],
            account_read: false,
            stopped: BTreeSet::new(),
            approved: BTreeMap::new(),
            batch: Batch::default(),
            told: Trading::default(),
            tells: Trading::default(),
            held: BTreeMap::new(),
            signals: BTreeSet::new(),
            open: BTreeMap::new(),
            ended: BTreeSet::new(),
            refused_at_random: false,
            times_lie: false,
            budget_moves: Vec::new(),
            account_asked: Mono(0),
            listing_at: None,
            account_at: None,
            weights: VecDeque::new(),
            unknown: VecDeque::new(),
            highest_cash: None,
            checked: [0; Invariant::ALL.len()],
            broken: None,
            last_deal: None,
        }
    }

    /// What was broken first.
    pub(super) fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// How often each was checked.
    pub(super) fn checked(&self) -> &[u64] {
        &self.checked
    }

    /// Orders sent in all.
    pub(super) fn orders_sent(&self) -> usize {
        self.orders.count()
    }

    /// Says that it holds, or how not.
    pub(super) fn hold(
        &mut self,
        invariant: Invariant,
        holds: bool,
        what: impl FnOnce() -> String,
    ) {
        self.checked[invariant as usize] += 1;
        if !holds && self.broken.is_none() {
            self.broken = Some(Broken { invariant, what: what() });
        }
    }

    /// A process has begun, with what was kept of HardStop.
    pub(super) fn born(&mut self, now: Mono, process: u64, kept: &HardStop) {
        self.process = process;
        (self.told, self.tells) = Default::default();
        self.heard = Heard::new(&self.config);
        self.unlinked(now);
        self.stopped = kept.reasons().map(|(reason, _)| reason).collect();
        self.approved.clear();
        self.open.clear();
        self.orders.born();
        (self.listing_at, self.account_at) = (None, None);
        self.weights.clear();
        self.unknown.clear();
    }

    /// The link is open.
    pub(super) fn linked(&mut self, now: Mono) {
        self.linked_at = Some(now);
    }

    /// The link is down.
    pub(super) fn unlinked(&mut self, now: Mono) {
        let waited = self.linked_at.take().map_or(Nanos::ZERO, |at| now.since(at));
        let patient = waited >= self.config.venue.md_ready_timeout;
        self.channels = [false; 2];
        self.account_read = false;
        self.heard.forget_link(patient);
    }

    /// Whether this process has ever read the account: before that it cannot know what is held.
    pub(super) fn has_read_account(&self) -> bool {
        self.account_at.is_some()
    }

    /// Whether its link is open.
    pub(super) fn is_linked(&self) -> bool {
        self.linked_at.is_some()
    }

    /// A whole listing was heard.
    pub(super) fn universe(&mut self, now: Mono, universe: &Universe, coins: Vec<String>) {
        self.coins = coins;
        self.heard.universe(universe);
        self.listing_at = Some(now);
    }

    /// A whole reading of the account was heard.
    pub(super) fn account(&mut self, now: Mono, asked_at: Mono) {
        self.account_at = Some(now);
        self.account_read |= self.linked_at.is_some_and(|at| asked_at >= at);
        self.account_asked = asked_at;
    }

    /// Refusals say nothing of the engine in this run.
    pub(super) fn refused_at_random(&mut self) {
        self.refused_at_random = true;
    }

    /// Block times say nothing of when a quote was made in this run.
    pub(super) fn times_lie(&mut self) {
        self.times_lie = true;
    }

    /// Something was asked over REST.
    pub(super) fn asked(&mut self, now: Mono, weight: u32) {
        if weight == 0 {
            return;
        }
        while self.weights.front().is_some_and(|(at, _)| now.since(*at) >= MINUTE) {
            self.weights.pop_front();
        }
        self.weights.push_back((now, weight));
        let sum: u32 = self.weights.iter().map(|(_, weight)| weight).sum();
        self.hold(Invariant::RestWeight, sum <= MOST_WEIGHT, || {
            format!("questions of a minute weigh {sum} of {MOST_WEIGHT}")
        });
    }

    /// The budget will change behind the engine's back at these moments.
    pub(super) fn budget_moves(&mut self, at: Vec<Mono>) {
        self.budget_moves = at;
    }

    /// The engine is about to hear a text.
    pub(super) fn frame(&mut self, now: Mono, text: &str, venue: &Venue) {
        self.heard.frame(now, text);
        self.orders.heard(self.process, text, venue, self.user);
        if self.channels != [true; 2] {
            // To ask twice is refused with words that say the same.
            let acknowledged =
                text.contains("subscriptionResponse") || text.contains("Already subscribed");
            let snapshot = text.contains(r#""channel":"userFills""#);
            self.channels[0] |= acknowledged && text.contains("orderUpdates");
            self.channels[1] |= (acknowledged || snapshot) && text.contains("userFills");
        }
    }

    /// Markets as the venue lists them now.
    pub(super) fn listed(&mut self, coins: Vec<String>) {
        self.coins = coins;
    }

    /// The engine sends a text.
    pub(super) fn send(&mut self, now: Mono, text: &str, venue: &Venue) {
        let secret = text.contains(&self.secret);
        self.hold(Invariant::Secret, !secret, || "the key is in a frame".to_owned());
        if text.contains(r#""method":"subscribe""#) {
            return self.judge_subscription(now, text, venue);
        }
        let action = match self.orders.read(self.process, text) {
            Ok(None) => return,
            Ok(Some(action)) => action,
            Err(why) => return self.hold(Invariant::Unique, false, || why),
        };
        self.hold(Invariant::Unique, true, String::new);
        for order in &action.orders {
            self.batch.sent.push(order.clone());
            self.judge_numbers(order, venue);
            if !order.reduce_only {
                self.judge_entry(now, order, venue);
            }
        }
        let entries = action.orders.iter().filter(|order| !order.reduce_only).count();
        self.orders.sent(action);
        if entries > 0 {
            self.judge_limits(now, entries, venue);
        }
    }

    fn judge_subscription(&mut self, now: Mono, text: &str, venue: &Venue) {
        let coin = text.split_once(r#""coin":""#).and_then(|(_, rest)| rest.split_once('"'));
        if !coin.is_some_and(|(coin, _)| venue.is_early(coin)) {
            return self.hold(Invariant::Quarantined, true, String::new);
        }
        while self.unknown.front().is_some_and(|at| now.since(*at) >= UNKNOWN_WINDOW) {
            self.unknown.pop_front();
        }
        // Both channels of a coin go out together: one attempt.
        if self.unknown.back() != Some(&now) {
            self.unknown.push_back(now);
        }
        let count = self.unknown.len();
        self.hold(Invariant::Quarantined, count <= MOST_UNKNOWN, || {
            format!(
                "{count} attempts in {} s to subscribe: {text}",
                UNKNOWN_WINDOW.0 / 1_000_000_000
            )
        });
    }

    fn judge_numbers(&mut self, order: &Sent, venue: &Venue) {
        let coin = self.coin(order);
        let Some((decimals, _)) = venue.rules(&coin) else {
            return self.hold(Invariant::Valid, false, || format!("no market: {order:?}"));
        };
        // A change of decimals is known to the engine only with its next reading.
        let Some(market) = self.heard.market(&coin) else { return };
        if market.sz_decimals() != decimals {
            return;
        }
        let lot = 10_i128.pow(8 - u32::from(decimals).min(8));
        let finest = 10_i128.pow(2 + u32::from(decimals).min(6));
        let mut figures = order.px;
        while figures > 0 && figures % 10 == 0 {
            figures /= 10;
        }
        let whole = order.px % 100_000_000 == 0;
        let px = order.px > 0
            && (whole || (figures < 100_000 && order.px % finest.min(100_000_000) == 0));
        let sz = order.sz > 0 && order.sz % lot == 0;
        // 10 USD in 1e-16.
        let least = order.reduce_only || order.px * order.sz >= 100_000_000_000_000_000;
        self.hold(Invariant::Valid, px && sz && least, || {
            format!("{coin}: px {} sz {} with {decimals} decimals", order.px, order.sz)
        });
    }

    fn coin(&self, order: &Sent) -> String {
        let index = order.asset.checked_sub(110_000);
        index.and_then(|at| self.coins.get(at)).cloned().unwrap_or_default()
    }

    fn judge_entry(&mut self, now: Mono, order: &Sent, venue: &Venue) {
        let coin = self.coin(order);
        let stopped = format!("{:?}", self.stopped);
        self.hold(Invariant::NotStopped, self.stopped.is_empty(), || {
            format!("an entry in {coin} while {stopped} holds")
        });
        let patience = self.config.venue.md_ready_timeout;
        let complete =
            self.linked_at.is_some_and(|linked| self.heard.complete(now, linked, patience));
        let (channels, read) = (self.channels, self.account_read);
        self.hold(Invariant::Ready, complete && channels == [true; 2] && read, || {
            format!("{coin}: markets {complete}, channels {channels:?}, account {read}")
        });
        let age = |at: Option<Mono>| at.map_or(Nanos(u64::MAX), |at| now.since(at));
        let (listing, account) = (age(self.listing_at), age(self.account_at));
        self.hold(Invariant::Known, listing <= OLDEST_LISTING && account <= OLDEST_ACCOUNT, || {
            let (listing, account) = (listing.as_millis() / 1000, account.as_millis() / 1000);
            format!("{coin}: the listing is {listing} s old, the account {account} s")
        });
        if let (Some((block, at)), false) = (self.heard.newest(), self.times_lie) {
            let late = venue.time(at).0 - block;
            self.hold(Invariant::Fresh, late <= MOST_LATE_MS, || {
                format!("an entry in {coin} on quotes that come {late} ms late")
            });
        }
        let user = self.user;
        let held = venue.stakes(user).into_iter().find(|(held, ..)| *held == coin);
        let asset = order.asset;
        let live =
            self.orders.live(now, venue, user).iter().find(|one| one.asset == asset).cloned();
        let announced = self.orders.is_announced(asset, venue, user);
        let free = held.is_none() && live.is_none() && !announced;
        self.hold(Invariant::OneEntry, free, || {
            let announced = if announced { ", and answered one as filled" } else { "" };
            format!(
                "an entry in {coin}, where the venue has {held:?}, may fill {live:?}{announced}"
            )
        });
        // What the engine has not read since, an older answer included, it cannot know.
        let asked = self.account_asked;
        let unknown = |at: &Mono| *at <= now && asked < at.plus(OLDEST_ANSWER);
        let moved = self.budget_moves.iter().any(unknown);
        if let (Some((used, cap)), false) = (venue.budget(user), moved) {
            let reserve = u64::from(self.config.executor.exit_budget_reserve);
            self.hold(Invariant::Reserve, used + reserve < cap + 1, || {
                format!("an entry in {coin} with {used} of {cap} requests used")
            });
        }
    }

    fn judge_limits(&mut self, now: Mono, entries: usize, venue: &Venue) {
        let stake = self.orders.stake(now, venue, self.user, &self.coins);
        let limits = &self.config.position;
        let in_fine = |usd: Usd| i128::from(usd.units()) * 10_000_000_000;
        let (total, most) = (stake.total(), in_fine(limits.max_total_notional));
        let (per_market, open) =
            (in_fine(limits.max_notional_per_market), limits.max_concurrent_positions as usize);
        self.hold(Invariant::TotalLimit, total <= most, || {
            format!("{} of {} USD at stake: {stake}", dollars(total), dollars(most))
        });
        let worst = stake.by_coin.iter().max_by_key(|(_, value)| **value);
        let worst = worst.map(|(coin, value)| (coin.clone(), *value)).unwrap_or_default();
        self.hold(Invariant::MarketLimit, worst.1 <= per_market, || {
            let (coin, value) = (&worst.0, dollars(worst.1));
            format!("{value} of {} USD at stake in {coin}", dollars(per_market))
        });
        let count = stake.by_coin.len();
        self.hold(Invariant::PositionsLimit, count <= open, || {
            format!("{count} markets of {open} after {entries} entries: {stake}")
        });
    }

    /// The engine records a row.
    pub(super) fn row(&mut self, now: Mono, row: &Row) {
        match row {
            Row::Signal(signal) => self.judge_signal(now, signal),
            Row::Order(row) => {
                let first = self.ended.insert(row.cloid.0);
                self.open.remove(&row.cloid.0);
                let sane = row.filled <= row.sz;
                self.hold(Invariant::Rows, first && sane, || format!("{row:?}"));
                if let (Some(refusal), false) = (row.refusal, self.refused_at_random) {
                    // What the venue says of our own mistakes it must never have to say.
                    // An exit is too small only where the venue holds something else than all of it.
                    let untold = !refusal.is_listed() && row.answered_at.is_none();
                    let elsewhere = row.reduce_only && refusal == Refusal::MinNotional;
                    let ours = refusal.class() == RefusalClass::OurFault && !elsewhere && !untold;
                    self.hold(Invariant::Valid, !ours, || format!("the venue refused: {row:?}"));
                }
                if let Purpose::Entry(signal) = row.purpose {
                    self.approved.remove(&signal.0);
                }
            }
            Row::Trade(row) => {
                let sum = row.net == row.gross.saturating_sub(row.fees);
                self.hold(Invariant::Rows, sum, || format!("{row:?}"));
            }
            Row::Gap(row) => {
                let sane = row.started_at <= row.ended_at;
                self.hold(Invariant::Rows, sane, || format!("{row:?}"));
            }
            Row::FollowUp(_) | Row::Entry(_) | Row::Cross(_) => {}
        }
    }

    fn judge_signal(&mut self, now: Mono, signal: &SignalRow) {
        let new = self.signals.insert(signal.id.0);
        let consistent = signal.blocked_by.is_some() == (signal.gate_mask != 0);
        let blocked = matches!(signal.decision, Decision::Blocked(_));
        let sane = new && consistent && (blocked == signal.blocked_by.is_some());
        self.hold(Invariant::Rows, sane, || format!("{signal:?}"));
        let coin = signal.coin.as_str();
        // What the gates let pass must pass a second reading of what was heard.
        if signal.blocked_by.is_none() {
            let forbids = self.heard.forbids(now, coin);
            self.hold(Invariant::Gated, forbids.is_none(), || {
                format!("{coin} passed, but {}: {signal:?}", forbids.unwrap_or_default())
            });
            let detector = &self.config.detector;
            let least =
                i128::from(detector.slippage.to_bits()) + i128::from(detector.min_edge.to_bits());
            let cost = i128::from(signal.cost.to_bits());
            // A fee that is paid once is no cost of a round trip: what is left out of the net edge is what
            // the cost holds beside the least edge.
            let paid =
                i128::from(signal.raw_edge.to_bits()) - i128::from(signal.net_edge.to_bits());
            let min_edge = i128::from(detector.min_edge.to_bits());
            let own = detector.thresholds.iter().any(|(name, _)| name == coin);
            self.hold(Invariant::Gated, own || cost == paid + min_edge, || {
                format!("{coin}: cost {cost} is not {paid} and {min_edge} (2^-32 bps): {signal:?}")
            });
            let edge = self.heard.edge(coin, signal.side).unwrap_or(i128::MIN);
            self.hold(Invariant::Gated, cost > least && edge >= cost - 1, || {
                format!("{coin}: edge {edge}, cost {cost}, least {least} (2^-32 bps): {signal:?}")
            });
        }
        if signal.decision == Decision::Sent {
            let most = MOST_EDGE_BPS << 32;
            let edge = self.heard.edge(coin, signal.side).unwrap_or(i128::MAX);
            self.hold(Invariant::Plausible, edge <= most, || {
                format!("{coin}: an entry on an edge of {} bps: {signal:?}", edge >> 32)
            });
            self.approved.insert(signal.id.0, *signal);
        }
        if let Decision::Failed(check) = signal.decision {
            self.batch.refused.push((signal.coin, check));
        }
    }

    /// Whether something was decided over entries in this event: what is shown then has to fit.
    pub(super) fn decided(&self) -> bool {
        !self.batch.refused.is_empty() || self.batch.sent.iter().any(|order| !order.reduce_only)
    }

    /// What the engine shows after an event in which it decided over entries.
    pub(super) fn shown(&mut self, shown: &Trading) {
        let reserve = i64::from(self.config.executor.exit_budget_reserve);
        // What changes within an event may have held when it was decided, or not yet.
        let told = Trading { budget_left: shown.budget_left, ..self.told };
        for (coin, check) in std::mem::take(&mut self.batch.refused) {
            let named = [&told, shown].into_iter().any(|one| waits::says_why(check, one, reserve));
            self.hold(Invariant::Named, named, || {
                format!("{coin}: an entry fails {}, and nothing says why: {shown:?}", check.name())
            });
        }
        if self.batch.sent.iter().any(|order| !order.reduce_only) {
            let clear = waits::may_leave(&told) || waits::may_leave(shown);
            self.hold(Invariant::Named, clear, || {
                format!("an entry leaves while entries wait: {shown:?}")
            });
        }
    }

    /// The engine tells something.
    pub(super) fn log_event(&mut self, now: Mono, event: &LogEvent) {
        match event {
            LogEvent::Readiness { ready, waiting } => {
                (self.tells.ready, self.tells.waiting) = (*ready, *waiting);
            }
            LogEvent::DataAge { age } => self.tells.data_age = *age,
            LogEvent::HardStopSet { reason } => _ = self.stopped.insert(*reason),
            LogEvent::HardStopReleased { reason } => {
                self.stopped.remove(reason);
                // What the venue denies a person has looked at.
                if matches!(reason, StopReason::PositionMismatch | StopReason::SignatureRefused) {
                    self.orders.released();
                }
            }
            LogEvent::OrderSent { side, px, sz, purpose, cloid, .. } => {
                let told = (cloid.0, *purpose, *side, px.units(), sz.units());
                self.batch.approved.push(told);
                self.open.insert(cloid.0, now);
            }
            _ => {}
        }
    }

    /// The process died amid the actions of an event: of an order whose log event stands behind the place where
    /// it died nobody was told, and it never left.
    pub(super) fn cut_short(&mut self) {
        self.batch.sent.truncate(self.batch.approved.len());
    }

    /// All actions of an event were done: what was sent must be what was said to be.
    pub(super) fn end_of_event(&mut self) {
        self.told = self.tells;
        if self.batch.sent.is_empty() && self.batch.approved.is_empty() {
            self.batch.refused.clear();
            return;
        }
        let Batch { sent, approved, .. } = std::mem::take(&mut self.batch);
        let same = sent.len() == approved.len()
            && sent.iter().zip(&approved).all(|(order, (cloid, purpose, side, px, sz))| {
                order.cloid.0 == *cloid
                    && order.buy == (*side == Side::Buy)
                    && (order.px, order.sz) == (i128::from(*px), i128::from(*sz))
                    && order.reduce_only == matches!(purpose, Purpose::Exit(_))
            });
        self.hold(Invariant::SentAsApproved, same, || format!("{sent:?} is not {approved:?}"));
        let most = self.config.detector.max_notional;
        for order in sent.iter().filter(|order| !order.reduce_only) {
            let signal = approved.iter().find_map(|(cloid, purpose, ..)| match purpose {
                Purpose::Entry(id) if *cloid == order.cloid.0 => self.approved.remove(&id.0),
                _ => None,
            });
            let Some(signal) = signal else {
                return self.hold(Invariant::SentAsApproved, false, || {
                    format!("no approved signal stands behind {order:?}")
                });
            };
            let coin = self.coin(order);
            // No larger than suggested, but where it is lifted to the venue's least order: less would be below.
            let lifted = signal.limited_by == Some(SizeLimit::Minimum)
                && (order.sz - last_digit(order.sz)) * order.px < LEAST_ORDER;
            let size = lifted || order.sz <= i128::from(signal.suggested_sz.units());
            let value = order.px * order.sz <= i128::from(most.units()) * 10_000_000_000;
            let touched = match signal.side {
                Side::Buy => signal.ask.map(|level| i128::from(level.px.units()) >= order.px),
                Side::Sell => signal.bid.map(|level| i128::from(level.px.units()) <= order.px),
            };
            // With the slippage that the config grants, if any, a limit may reach further.
            let touched =
                touched == Some(true) || self.config.executor.entry_slippage.to_bits() > 0;
            let side = order.buy == (signal.side == Side::Buy);
            let own = signal.coin.as_str() == coin;
            self.hold(Invariant::SentAsApproved, own && side && size && value && touched, || {
                format!("{order:?} in {coin} is not what {signal:?} asked for")
            });
        }
    }

    /// How much money the account has less than it ever had, at entry prices.
    pub(super) fn lost(&self, venue: &Venue) -> Usd {
        let cash = venue.books(self.user).map(|books| books.cash);
        let lost = self.highest_cash.zip(cash).map(|(most, cash)| most.saturating_sub(cash));
        lost.unwrap_or_default()
    }

    /// What holds every second. `free` says of a coin and its position that nothing is in the way of
    /// its exit just now; where things are `lossy` that takes longer.
    pub(super) fn beat(
        &mut self,
        now: Mono,
        venue: &Venue,
        lossy: bool,
        free: impl Fn(&str, Szi) -> bool,
    ) {
        let cash = venue.books(self.user).map(|books| books.cash);
        self.highest_cash = self.highest_cash.max(cash);
        // Deals by orders that only reduce shrank what was held.
        for deal in venue.deals_since(self.user, self.last_deal) {
            self.last_deal = Some(deal.tid);
            if deal.after == 0 {
                self.held.remove(&deal.coin);
            }
            if deal.reduce_only {
                let (before, after) = (deal.before, deal.after);
                let shrank = after.abs() < before.abs() && after.signum() * before.signum() >= 0;
                self.hold(Invariant::ReduceOnly, shrank, || {
                    format!("{}: {before} became {after} by an order that only reduces", deal.coin)
                });
            }
        }
        let stakes = venue.stakes(self.user);
        self.held.retain(|coin, _| stakes.iter().any(|(held, ..)| held == coin));
        let bound = if lossy { LOSSY_EXIT_BOUND } else { EXIT_BOUND };
        let patience = Nanos(self.config.time_stop.threshold.0 + bound.0);
        for (coin, szi, _) in stakes {
            let (since, free_since) = self.held.entry(coin.clone()).or_insert((now, now));
            if !free(&coin, szi) {
                *free_since = now;
            }
            let (since, free_since) = (*since, *free_since);
            let held = now.since(since.max(free_since));
            self.hold(Invariant::TimeStop, held <= patience, || {
                let seconds = now.since(since).as_millis() / 1000;
                format!("{coin} {szi:?} is held for {seconds} s, and nothing is in the way")
            });
        }
        let audit = venue.audit();
        self.hold(Invariant::Audit, audit.is_ok(), || audit.err().unwrap_or_default());
    }

    /// How long the engine has known of an order without knowing its end: from its name first said
    /// to now.
    pub(super) fn oldest_open(&self, now: Mono) -> Nanos {
        let oldest = self.open.values().min().copied().unwrap_or(now);
        now.since(oldest)
    }
}
