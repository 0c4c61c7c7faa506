//! The life of a link: connect, subscribe, live, heartbeat, backoff. Knows no socket: it asks for
//! actions and is told what happened.
//!
//! It keeps to the venue's limits (PROTOCOL.md §1) by construction: connections and messages are
//! taken from buckets that cannot grant more than 30 and 2000 a minute.
//!
//! The venue drops the whole link when a subscription names a coin that its socket does not know, be it
//! listed or not (PROTOCOL.md §2.3). So what was subscribed last before a drop, and not acknowledged, is
//! suspect: on the next link it comes last, a few coins at a time, so that the culprit is found alone. A
//! coin whose subscription alone was followed by a drop twice is quarantined for some minutes.

use crate::feed::Subscription;
use crate::feed::bucket::TokenBucket;
use crate::types::config;
use crate::types::event::{Action, Actions, LinkDown};
use crate::types::ids::{Coin, MarketId};
use crate::types::log_event::LogEvent;
use crate::types::split_mix::SplitMix64;
use crate::types::status::LinkState;
use crate::types::time::{Mono, Nanos};

/// Most subscriptions of one IP address (PROTOCOL.md §1).
pub const MAX_SUBSCRIPTIONS: usize = 1000;

/// A connection that is not open after this is given up.
const CONNECT_TIMEOUT: Nanos = Nanos::from_secs(10);
/// A subscription without acknowledgement is sent again after this.
const ACK_TIMEOUT: Nanos = Nanos::from_secs(10);
/// A link that answers pings but brings no market data for this long is dead: a ctx of every
/// market comes each second, changed or not (PROTOCOL.md §2.5).
const DATA_TIMEOUT: Nanos = Nanos::from_secs(15);
/// A link that was live for this long resets the backoff.
const SETTLED: Nanos = Nanos::from_secs(60);
/// 10 at once and one each 3 s: at most 30 connections in any minute.
const CONNECTIONS: (u32, Nanos) = (10, Nanos::from_secs(3));
/// A whole resubscription at once and 16 a second: at most 1960 messages in any minute, which
/// leaves 40 to the heartbeat.
const MESSAGES: (u32, Nanos) = (MAX_SUBSCRIPTIONS as u32, Nanos(62_500_000));

/// The venue drops a link some 0.1 s after the subscription that it cannot take: what has stood for
/// longer is innocent.
const BLAME: Nanos = Nanos::from_secs(3);
/// Drops that follow a coin's subscription alone before it is quarantined.
const STRIKES: u32 = 2;
/// First quarantine; doubles up to [`LONGEST_QUARANTINE`] as long as the coin stays unknown.
const QUARANTINE: Nanos = Nanos::from_secs(300);
const LONGEST_QUARANTINE: Nanos = Nanos::from_secs(3_600);

/// The ping of PROTOCOL.md §1.
const PING: &[u8] = br#"{"method":"ping"}"#;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Idle,
    Backoff { until: Mono },
    Connecting { since: Mono },
    Open { since: Mono, complete: bool },
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    subscription: Subscription,
    /// The market's name; `None` for a channel of the account.
    coin: Option<Coin>,
    acknowledged: bool,
    /// Whether the venue still lists the coin. One that it does not know makes it drop the whole
    /// socket (PROTOCOL.md §2.3), so such a channel is not asked for again.
    listed: bool,
    /// Whether its coin is quarantined.
    held: bool,
    /// When it was last asked for on this link.
    sent_at: Option<Mono>,
}

impl Channel {
    fn is_missing(&self) -> bool {
        self.listed && !self.held && !self.acknowledged
    }

    /// Whether it was asked for so lately that it may be what the venue dropped the link for.
    fn may_be_to_blame(&self, now: Mono) -> bool {
        let lately = self.sent_at.is_some_and(|at| now.since(at) <= BLAME);
        self.coin.is_some() && self.is_missing() && lately
    }
}

/// A coin whose subscription may be what the venue drops links for.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    coin: Coin,
    /// Drops that followed its subscription alone.
    strikes: u32,
    /// Until when it is quarantined.
    until: Option<Mono>,
    /// How long the next quarantine is.
    wait: Nanos,
}

/// One link's state machine.
#[derive(Debug)]
pub struct Session {
    settings: config::WebSocket,
    user: Option<String>,
    state: State,
    channels: Vec<Channel>,
    missing_acks: usize,
    /// When unacknowledged subscriptions are sent again.
    resend_at: Mono,
    /// Failed or short-lived connections since the last one that settled.
    attempts: u32,
    last_sent: Mono,
    last_received: Mono,
    last_data: Mono,
    pinged_at: Option<Mono>,
    /// Coins under suspicion; mostly none.
    suspects: Vec<Suspect>,
    /// How many of them are subscribed next.
    probes: usize,
    /// When the next of them are, whatever is not acknowledged.
    probe_at: Mono,
    connections: TokenBucket,
    messages: TokenBucket,
    jitter: SplitMix64,
}

impl Session {
    /// A session that waits for [`Session::start`]. `seed` drives the jitter of the backoff.
    pub fn new(settings: config::WebSocket, user: Option<String>, seed: u64) -> Self {
        Self {
            settings,
            user,
            state: State::Idle,
            channels: Vec::with_capacity(MAX_SUBSCRIPTIONS),
            missing_acks: 0,
            resend_at: Mono::MAX,
            attempts: 0,
            last_sent: Mono(0),
            last_received: Mono(0),
            last_data: Mono(0),
            pinged_at: None,
            suspects: Vec::new(),
            probes: 1,
            probe_at: Mono::MAX,
            connections: TokenBucket::new(CONNECTIONS.0, CONNECTIONS.1),
            messages: TokenBucket::new(MESSAGES.0, MESSAGES.1),
            jitter: SplitMix64(seed),
        }
    }

    /// Adds a channel; on an open link it is subscribed at once. Channels of the account go before
    /// all market channels, so that a reconnect is not blind for positions (they must be added
    /// before the markets). `false` when the venue's limit of subscriptions is reached.
    pub fn add(
        &mut self,
        now: Mono,
        subscription: Subscription,
        coin: Option<Coin>,
        out: &mut Actions,
    ) -> bool {
        if self.channels.len() >= MAX_SUBSCRIPTIONS {
            return false;
        }
        let mut channel = Channel {
            subscription,
            coin,
            acknowledged: false,
            listed: true,
            held: false,
            sent_at: None,
        };
        if let State::Open { complete, .. } = &mut self.state {
            *complete = false;
            self.missing_acks += 1;
            if self.messages.take(now, 1) {
                self.last_sent = now;
                channel.sent_at = Some(now);
                out.send(|text| write_subscribe(text, &channel, self.user.as_deref()));
                self.resend_at = self.resend_at.min(now.plus(ACK_TIMEOUT));
            } else {
                self.resend_at = self.resend_at.min(self.messages.ready_at(now, 1));
            }
        }
        self.channels.push(channel);
        true
    }

    /// Starts to connect, if nothing was tried yet.
    pub fn start(&mut self, now: Mono, out: &mut Actions) {
        if self.state == State::Idle {
            self.connect_when_allowed(now, now, out);
        }
    }

    /// The link is open: subscribe to everything.
    pub fn on_connected(&mut self, now: Mono, out: &mut Actions) {
        let State::Connecting { .. } = self.state else {
            return; // Not asked for, or too late: the driver was told to close it.
        };
        self.last_received = now;
        self.last_data = now;
        self.last_sent = now;
        self.pinged_at = None;
        for channel in &mut self.channels {
            channel.acknowledged = false;
            channel.sent_at = None;
        }
        self.free_quarantined(now);
        self.missing_acks = self.channels.iter().filter(|c| c.is_missing()).count();
        self.state = State::Open { since: now, complete: self.missing_acks == 0 };
        out.log(LogEvent::Connected { subscriptions: self.missing_acks as u32 });
        self.subscribe_missing(now, out);
    }

    /// The link is gone, or could not be opened. Returns how long it was open, or `None` when
    /// there was no link to lose (a repeated or late report).
    pub fn on_disconnected(
        &mut self,
        now: Mono,
        cause: LinkDown,
        out: &mut Actions,
    ) -> Option<Nanos> {
        let was_up = match self.state {
            State::Idle | State::Backoff { .. } => return None,
            State::Connecting { .. } => Nanos::ZERO,
            State::Open { since, .. } => {
                // Of silence, and of what we ended, no coin is to blame.
                if matches!(cause, LinkDown::Dropped | LinkDown::Closed) {
                    self.blame(now, out);
                }
                now.since(since)
            }
        };
        if was_up >= SETTLED {
            self.attempts = 0;
        }
        let bound = self.backoff_bound();
        self.attempts = self.attempts.saturating_add(1);
        let delay = Nanos(self.jitter.below(bound.0.saturating_add(1)));
        self.state = State::Idle;
        self.pinged_at = None;
        self.connect_when_allowed(now, now.plus(delay), out);
        let retry = match self.state {
            State::Backoff { until } => until.since(now),
            _ => Nanos::ZERO,
        };
        out.log(LogEvent::LinkDown { cause, was_up, retry });
        Some(was_up)
    }

    /// Something arrived: the link lives.
    pub fn on_received(&mut self, now: Mono) {
        self.last_received = now;
        self.pinged_at = None;
    }

    /// Market data arrived.
    pub fn on_data(&mut self, now: Mono) {
        self.last_data = now;
    }

    /// Whether the venue's last reading lists a market. The channels of one that it does not list
    /// are left out of the next subscription.
    pub fn set_listed(&mut self, now: Mono, market: MarketId, listed: bool) {
        let its = [Subscription::Bbo(market), Subscription::Ctx(market)];
        let open = self.is_open();
        for channel in self.channels.iter_mut().filter(|c| its.contains(&c.subscription)) {
            if channel.listed == listed {
                continue;
            }
            let was_missing = channel.is_missing();
            channel.listed = listed;
            if open {
                self.missing_acks -= usize::from(was_missing);
                self.missing_acks += usize::from(channel.is_missing());
                self.resend_at = self.resend_at.min(now); // With the next round.
            }
        }
    }

    /// A subscription is acknowledged, or its first data came (then the acknowledgement was lost).
    pub fn on_ack(&mut self, now: Mono, subscription: Subscription, out: &mut Actions) {
        let State::Open { since, .. } = self.state else { return };
        let found =
            self.channels.iter_mut().find(|c| c.subscription == subscription && c.is_missing());
        let Some(channel) = found else { return };
        channel.acknowledged = true;
        let coin = channel.coin;
        self.missing_acks -= 1;
        if !self.suspects.is_empty() {
            self.suspects.retain(|suspect| Some(suspect.coin) != coin);
            self.probe(now, out);
        }
        if self.missing_acks == 0 {
            self.resend_at = Mono::MAX;
            self.state = State::Open { since, complete: true };
            let subscriptions = self.channels.len() as u32;
            out.log(LogEvent::Subscribed { subscriptions, took: now.since(since) });
        }
    }

    /// Does what has fallen due. Returns the reason when the link must be given up: the caller
    /// closes it and reports it as disconnected.
    pub fn on_time(&mut self, now: Mono, out: &mut Actions) -> Option<LinkDown> {
        match self.state {
            State::Idle => None,
            State::Backoff { until } => {
                if now >= until {
                    self.state = State::Idle;
                    self.connect_when_allowed(now, now, out);
                }
                None
            }
            State::Connecting { since } => {
                (now.since(since) >= CONNECT_TIMEOUT).then_some(LinkDown::Unreachable)
            }
            State::Open { .. } => {
                if !self.channels.is_empty() && now.since(self.last_data) >= DATA_TIMEOUT {
                    return Some(LinkDown::Silent);
                }
                if let Some(pinged_at) = self.pinged_at {
                    if now.since(pinged_at) >= self.settings.pong_timeout {
                        return Some(LinkDown::Silent);
                    }
                } else if now.since(self.last_sent) >= self.settings.heartbeat_interval
                    || now.since(self.last_received) >= self.settings.silence_ping
                {
                    self.pinged_at = Some(now);
                    self.last_sent = now;
                    out.send(|text| text.extend_from_slice(PING));
                }
                if now >= self.resend_at {
                    self.subscribe_missing(now, out);
                }
                if now >= self.quarantined_until() {
                    self.free_quarantined(now);
                    self.probe(now, out);
                }
                if now >= self.probe_at {
                    self.probe(now, out);
                }
                None
            }
        }
    }

    /// Takes one message from the venue's limit for a text that the caller sends now, unless fewer
    /// than `keep` would be left for others. `false` when the link is not open.
    pub fn may_send(&mut self, now: Mono, keep: u32) -> bool {
        if !self.is_open() || !self.messages.take_above(now, 1, keep) {
            return false;
        }
        self.last_sent = now;
        true
    }

    /// When [`Session::may_send`] can grant one again.
    pub fn may_send_at(&mut self, now: Mono, keep: u32) -> Mono {
        self.messages.ready_at(now, keep.saturating_add(1))
    }

    /// When [`Session::on_time`] has something to do.
    pub fn next_due(&self) -> Mono {
        match self.state {
            State::Idle => Mono::MAX,
            State::Backoff { until } => until,
            State::Connecting { since } => since.plus(CONNECT_TIMEOUT),
            State::Open { .. } => {
                let heartbeat = match self.pinged_at {
                    Some(pinged_at) => pinged_at.plus(self.settings.pong_timeout),
                    None => self
                        .last_sent
                        .plus(self.settings.heartbeat_interval)
                        .min(self.last_received.plus(self.settings.silence_ping)),
                };
                let data = if self.channels.is_empty() {
                    Mono::MAX
                } else {
                    self.last_data.plus(DATA_TIMEOUT)
                };
                let probe = self.probe_at.min(self.quarantined_until());
                heartbeat.min(self.resend_at).min(data).min(probe)
            }
        }
    }

    /// Where the link stands.
    pub fn link_state(&self) -> LinkState {
        match self.state {
            State::Idle => LinkState::Idle,
            State::Backoff { .. } => LinkState::Backoff,
            State::Connecting { .. } => LinkState::Connecting,
            State::Open { complete: false, .. } => LinkState::Subscribing,
            State::Open { complete: true, .. } => LinkState::Live,
        }
    }

    /// Whether the link is open.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Connects at `at`, or as soon after it as the venue's limits allow.
    fn connect_when_allowed(&mut self, now: Mono, at: Mono, out: &mut Actions) {
        let messages = self.channels.len() as u32;
        let allowed =
            self.connections.ready_at(now, 1).max(self.messages.ready_at(now, messages)).max(at);
        if allowed > now {
            self.state = State::Backoff { until: allowed };
            return;
        }
        // Both are there: `ready_at` has just said so. The messages are taken when they are sent.
        self.connections.take(now, 1);
        self.state = State::Connecting { since: now };
        out.log(LogEvent::Connecting { attempt: self.attempts.saturating_add(1) });
        out.push(Action::Connect);
    }

    /// Subscribes to every channel that is not acknowledged, as far as the limit allows.
    fn subscribe_missing(&mut self, now: Mono, out: &mut Actions) {
        self.resend_at = if self.missing_acks == 0 { Mono::MAX } else { now.plus(ACK_TIMEOUT) };
        let Self { channels, suspects, messages, user, .. } = self;
        for channel in channels.iter_mut().filter(|c| c.is_missing()) {
            if channel.sent_at.is_none() && is_suspect(suspects, channel) {
                continue; // Its turn comes.
            }
            if !messages.take(now, 1) {
                self.resend_at = messages.ready_at(now, 1);
                break;
            }
            self.last_sent = now;
            channel.sent_at = Some(now);
            out.send(|text| write_subscribe(text, channel, user.as_deref()));
        }
        if !self.suspects.is_empty() {
            self.probe(now, out);
        }
    }

    /// Subscribes the next suspects: one, then two, then four, each once those before are acknowledged,
    /// or have stood for so long that they are not to blame.
    fn probe(&mut self, now: Mono, out: &mut Actions) {
        if self.channels.iter().any(|channel| channel.may_be_to_blame(now)) {
            self.probe_at = now.plus(BLAME);
            return;
        }
        self.probe_at = Mono::MAX;
        let Self { channels, suspects, messages, user, .. } = self;
        let waits = |suspect: &Suspect, channels: &[Channel]| {
            let its = |channel: &Channel| channel.coin == Some(suspect.coin);
            channels.iter().any(|c| its(c) && c.is_missing() && c.sent_at.is_none())
        };
        let mut left = self.probes;
        for suspect in suspects.iter() {
            if left == 0 || !waits(suspect, channels) {
                continue;
            }
            left -= 1;
            let its = |channel: &&mut Channel| channel.coin == Some(suspect.coin);
            for channel in channels.iter_mut().filter(its).filter(|c| c.is_missing()) {
                if !messages.take(now, 1) {
                    self.probe_at = messages.ready_at(now, 1);
                    return;
                }
                self.last_sent = now;
                channel.sent_at = Some(now);
                out.send(|text| write_subscribe(text, channel, user.as_deref()));
            }
        }
        if left < self.probes {
            self.probes = self.probes.saturating_mul(2);
            self.probe_at = now.plus(Nanos(BLAME.0 + 1));
            self.resend_at = self.resend_at.min(now.plus(ACK_TIMEOUT));
        }
    }

    /// The venue has dropped the link: what was subscribed last and not acknowledged is suspect.
    fn blame(&mut self, now: Mono, out: &mut Actions) {
        // A link on which no market was acknowledged says nothing of a single coin.
        let lived = self.channels.iter().any(|c| c.coin.is_some() && c.acknowledged);
        let mut alone = None;
        let mut several = false;
        for at in 0..self.channels.len() {
            let channel = self.channels[at];
            let Some(coin) = channel.coin.filter(|_| channel.may_be_to_blame(now)) else {
                continue;
            };
            // Known by its other channel.
            if self.channels.iter().any(|other| other.coin == Some(coin) && other.acknowledged) {
                continue;
            }
            several |= alone.is_some_and(|first| first != coin);
            alone = alone.or(Some(coin));
            if !self.suspects.iter().any(|suspect| suspect.coin == coin) {
                let suspect = Suspect { coin, strikes: 0, until: None, wait: QUARANTINE };
                self.suspects.push(suspect);
            }
        }
        let Some(coin) = alone.filter(|_| lived && !several) else { return };
        let Some(suspect) = self.suspects.iter_mut().find(|suspect| suspect.coin == coin) else {
            return;
        };
        suspect.strikes += 1;
        if suspect.strikes < STRIKES {
            return;
        }
        let wait = suspect.wait;
        // After it one drop is enough.
        suspect.strikes = STRIKES - 1;
        suspect.until = Some(now.plus(wait));
        suspect.wait = Nanos(wait.0.saturating_mul(2)).min(LONGEST_QUARANTINE);
        for channel in self.channels.iter_mut().filter(|channel| channel.coin == Some(coin)) {
            channel.held = true;
        }
        out.log(LogEvent::Quarantined { coin, wait });
    }

    /// When the first quarantine ends.
    fn quarantined_until(&self) -> Mono {
        self.suspects.iter().filter_map(|suspect| suspect.until).min().unwrap_or(Mono::MAX)
    }

    /// Coins that are quarantined.
    pub fn quarantined(&self) -> u32 {
        self.suspects.iter().filter(|suspect| suspect.until.is_some()).count() as u32
    }

    /// Those whose quarantine is over are suspects again, and the first of them is tried alone.
    fn free_quarantined(&mut self, now: Mono) {
        self.probes = 1;
        for suspect in &mut self.suspects {
            if suspect.until.is_none_or(|until| now < until) {
                continue;
            }
            suspect.until = None;
            let open = matches!(self.state, State::Open { .. });
            for channel in &mut self.channels {
                if channel.coin == Some(suspect.coin) && std::mem::take(&mut channel.held) {
                    channel.sent_at = None;
                    self.missing_acks += usize::from(open && channel.is_missing());
                }
            }
        }
    }

    fn backoff_bound(&self) -> Nanos {
        let base = self.settings.reconnect_base_delay.0;
        let doubled = base.saturating_mul(1 << self.attempts.min(32));
        Nanos(doubled.min(self.settings.reconnect_max_delay.0))
    }
}

/// Whether the coin of a channel is under suspicion.
fn is_suspect(suspects: &[Suspect], channel: &Channel) -> bool {
    suspects.iter().any(|suspect| Some(suspect.coin) == channel.coin)
}

/// Appends a subscribe request (PROTOCOL.md §2.1).
fn write_subscribe(text: &mut Vec<u8>, channel: &Channel, user: Option<&str>) {
    let (kind, key) = match channel.subscription {
        Subscription::OrderUpdates => ("orderUpdates", "user"),
        Subscription::UserFills => ("userFills", "user"),
        Subscription::UserEvents => ("userEvents", "user"),
        Subscription::Bbo(_) => ("bbo", "coin"),
        Subscription::Ctx(_) => ("activeAssetCtx", "coin"),
    };
    // A `Coin` and a checked address hold nothing that JSON would have to escape.
    let value = channel.coin.as_ref().map_or(user.unwrap_or_default(), Coin::as_str);
    let parts = [
        r#"{"method":"subscribe","subscription":{"type":""#,
        kind,
        r#"",""#,
        key,
        r#"":""#,
        value,
        r#""}}"#,
    ];
    for part in parts {
        text.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> config::WebSocket {
        config::WebSocket {
            heartbeat_interval: Nanos::from_secs(45),
            silence_ping: Nanos::from_secs(5),
            pong_timeout: Nanos::from_secs(10),
            reconnect_base_delay: Nanos::from_secs(1),
            reconnect_max_delay: Nanos::from_secs(60),
        }
    }

    fn ms(ms: u64) -> Mono {
        Mono(1_000_000_000_000).plus(Nanos::from_millis(ms))
    }

    struct Bench {
        session: Session,
        out: Actions,
    }

    impl Bench {
        fn new(markets: u16) -> Self {
            let user = Some("0x00000000000000000000000000000000000000aa".to_owned());
            let mut session = Session::new(settings(), user, 7);
            let mut out = Actions::new();
            for subscription in [Subscription::OrderUpdates, Subscription::UserFills] {
                assert!(session.add(ms(0), subscription, None, &mut out));
            }
            for market in 0..markets {
                let coin = Coin::new(&format!("xyz:C{market}"));
                assert!(session.add(ms(0), Subscription::Bbo(MarketId(market)), coin, &mut out));
            }
            assert!(out.is_empty(), "nothing is sent before the link is open");
            Self { session, out }
        }

        /// Texts sent and whether a connection was asked for, since the last call.
        fn taken(&mut self) -> (Vec<String>, bool) {
            let texts = self
                .out
                .iter()
                .filter_map(|action| match action {
                    Action::Send(span) => {
                        Some(String::from_utf8(self.out.text(span).to_vec()).expect("text"))
                    }
                    _ => None,
                })
                .collect();
            let connect = self.out.iter().any(|action| matches!(action, Action::Connect));
            self.out.clear();
            (texts, connect)
        }

        fn open(&mut self, at: Mono) -> Vec<String> {
            self.session.start(at, &mut self.out);
            self.session.on_connected(at, &mut self.out);
            self.taken().0
        }
    }

    #[test]
    fn account_channels_are_subscribed_first_and_without_pauses() {
        let mut bench = Bench::new(2);
        let texts = bench.open(ms(0));
        assert_eq!(
            texts,
            [
                r#"{"method":"subscribe","subscription":{"type":"orderUpdates","user":"0x00000000000000000000000000000000000000aa"}}"#,
                r#"{"method":"subscribe","subscription":{"type":"userFills","user":"0x00000000000000000000000000000000000000aa"}}"#,
                r#"{"method":"subscribe","subscription":{"type":"bbo","coin":"xyz:C0"}}"#,
                r#"{"method":"subscribe","subscription":{"type":"bbo","coin":"xyz:C1"}}"#,
            ]
        );
        assert_eq!(bench.session.link_state(), LinkState::Subscribing);
    }

    #[test]
    fn the_link_is_live_once_every_channel_is_acknowledged() {
        let mut bench = Bench::new(1);
        bench.open(ms(0));
        let all =
            [Subscription::UserFills, Subscription::Bbo(MarketId(0)), Subscription::OrderUpdates];
        for subscription in all {
            assert_eq!(bench.session.link_state(), LinkState::Subscribing);
            bench.session.on_ack(ms(10), subscription, &mut bench.out);
            bench.session.on_ack(ms(10), subscription, &mut bench.out); // Twice is once.
        }
        assert_eq!(bench.session.link_state(), LinkState::Live);
        bench.session.on_ack(ms(10), Subscription::Bbo(MarketId(9)), &mut bench.out);
        assert_eq!(bench.session.link_state(), LinkState::Live);
    }

    #[test]
    fn a_lost_acknowledgement_is_asked_for_again() {
        let mut bench = Bench::new(2);
        bench.open(ms(0));
        for subscription in [Subscription::OrderUpdates, Subscription::UserFills] {
            bench.session.on_ack(ms(1), subscription, &mut bench.out);
        }
        bench.session.on_ack(ms(1), Subscription::Bbo(MarketId(1)), &mut bench.out);
        bench.session.on_received(ms(9_000));
        assert_eq!(bench.session.on_time(ms(9_999), &mut bench.out), None);
        assert_eq!(bench.taken().0, Vec::<String>::new());
        assert_eq!(bench.session.next_due(), ms(10_000));
        assert_eq!(bench.session.on_time(ms(10_000), &mut bench.out), None);
        assert_eq!(
            bench.taken().0,
            [r#"{"method":"subscribe","subscription":{"type":"bbo","coin":"xyz:C0"}}"#]
        );
    }

    #[test]
    fn silence_is_pinged_and_a_ping_without_answer_ends_the_link() {
        let mut bench = Bench::new(0);
        bench.open(ms(0));
        bench.session.on_received(ms(100));
        assert_eq!(bench.session.on_time(ms(5_099), &mut bench.out), None);
        assert!(bench.taken().0.is_empty());
        assert_eq!(bench.session.on_time(ms(5_100), &mut bench.out), None);
        assert_eq!(bench.taken().0, [r#"{"method":"ping"}"#]);
        // Any frame is an answer.
        bench.session.on_received(ms(6_000));
        bench.session.on_data(ms(10_000));
        assert_eq!(bench.session.on_time(ms(11_000), &mut bench.out), None);
        assert_eq!(bench.taken().0.len(), 3, "the second ping, and two lost acknowledgements");
        assert_eq!(bench.session.on_time(ms(20_999), &mut bench.out), None);
        assert_eq!(bench.session.on_time(ms(21_000), &mut bench.out), Some(LinkDown::Silent));
    }

    #[test]
    fn a_link_that_answers_pings_and_brings_no_data_is_dead() {
        let mut bench = Bench::new(1);
        bench.open(ms(0));
        bench.session.on_data(ms(1_000));
        for at in (1_000..16_000).step_by(1_000) {
            bench.session.on_received(ms(at));
            assert_eq!(bench.session.on_time(ms(at), &mut bench.out), None);
        }
        assert_eq!(bench.session.next_due(), ms(16_000));
        bench.session.on_received(ms(16_000));
        let down = bench.session.on_time(ms(16_000), &mut bench.out);
        assert_eq!(down, Some(LinkDown::Silent));
    }

    #[test]
    fn a_market_that_is_not_listed_is_not_subscribed_until_it_is_again() {
        let mut bench = Bench::new(2);
        bench.session.set_listed(ms(0), MarketId(0), false);
        let texts = bench.open(ms(0));
        assert_eq!(texts.len(), 3);
        assert!(texts.iter().all(|text| !text.contains("xyz:C0")), "{texts:?}");
        let rest =
            [Subscription::OrderUpdates, Subscription::UserFills, Subscription::Bbo(MarketId(1))];
        for subscription in rest {
            bench.session.on_ack(ms(1), subscription, &mut bench.out);
        }
        assert_eq!(bench.session.link_state(), LinkState::Live);
        bench.taken();
        bench.session.set_listed(ms(2), MarketId(0), true);
        bench.session.on_data(ms(2));
        assert_eq!(bench.session.on_time(ms(2), &mut bench.out), None);
        let texts = bench.taken().0;
        assert!(texts.len() == 1 && texts[0].contains("xyz:C0"), "{texts:?}");
    }

    #[test]
    fn a_busy_link_is_pinged_when_nothing_was_sent_for_the_heartbeat_interval() {
        let mut bench = Bench::new(0);
        bench.open(ms(0));
        for subscription in [Subscription::OrderUpdates, Subscription::UserFills] {
            bench.session.on_ack(ms(1), subscription, &mut bench.out);
        }
        for at in (0..45_000).step_by(1_000) {
            bench.session.on_received(ms(at));
            bench.session.on_data(ms(at));
            assert_eq!(bench.session.on_time(ms(at), &mut bench.out), None);
        }
        assert!(bench.taken().0.is_empty());
        bench.session.on_received(ms(44_999));
        assert_eq!(bench.session.on_time(ms(45_000), &mut bench.out), None);
        assert_eq!(bench.taken().0, [r#"{"method":"ping"}"#]);
    }

    #[test]
    fn backoff_grows_with_failures_and_resets_after_a_settled_minute() {
        let mut bench = Bench::new(1);
        bench.session.start(ms(0), &mut bench.out);
        let mut now = ms(0);
        let mut delays = Vec::new();
        for _ in 0..12 {
            let down = bench.session.on_disconnected(now, LinkDown::Unreachable, &mut bench.out);
            assert_eq!(down, Some(Nanos::ZERO));
            let due = bench.session.next_due();
            delays.push(due.since(now));
            now = due;
            bench.session.on_time(now, &mut bench.out);
            assert_eq!(bench.session.link_state(), LinkState::Connecting);
        }
        for (n, delay) in delays.iter().enumerate() {
            let bound = 1_000 * (1_u64 << n.min(6));
            assert!(delay.as_millis() <= bound.min(60_000), "{n}: {delay:?}");
        }
        assert!(delays.iter().any(|d| *d > Nanos::from_secs(4)), "it does grow: {delays:?}");

        bench.session.on_connected(now, &mut bench.out);
        let later = now.plus(Nanos::from_secs(60));
        bench.session.on_disconnected(later, LinkDown::Dropped, &mut bench.out);
        assert!(bench.session.next_due().since(later) <= Nanos::from_secs(1));
    }

    #[test]
    fn a_flapping_venue_never_sees_more_than_its_limits() {
        let mut bench = Bench::new(400);
        bench.session.settings.reconnect_max_delay = Nanos::from_millis(1);
        bench.session.settings.reconnect_base_delay = Nanos::from_millis(1);
        let mut sent: Vec<(Mono, usize, usize)> = Vec::new();
        let mut now = ms(0);
        bench.session.start(now, &mut bench.out);
        while now < ms(300_000) {
            let (texts, connect) = bench.taken();
            sent.push((now, texts.len(), usize::from(connect)));
            if bench.session.link_state() == LinkState::Connecting {
                bench.session.on_connected(now, &mut bench.out);
                bench.session.on_disconnected(now, LinkDown::Dropped, &mut bench.out);
            } else {
                now = bench.session.next_due();
                bench.session.on_time(now, &mut bench.out);
            }
        }
        for (at, _, _) in &sent {
            let minute = sent.iter().filter(|(t, _, _)| t <= at && at.since(*t).0 < 60_000_000_000);
            let (messages, connects) =
                minute.fold((0, 0), |(m, c), (_, texts, connect)| (m + texts, c + connect));
            assert!(messages <= 1960, "{messages} messages in a minute");
            assert!(connects <= 30, "{connects} connections in a minute");
        }
        assert!(sent.iter().map(|(_, _, c)| c).sum::<usize>() > 10, "it kept trying");
    }

    #[test]
    fn a_connection_that_does_not_open_is_given_up() {
        let mut bench = Bench::new(1);
        bench.session.start(ms(0), &mut bench.out);
        assert!(bench.taken().1);
        assert_eq!(bench.session.next_due(), ms(10_000));
        assert_eq!(bench.session.on_time(ms(9_999), &mut bench.out), None);
        let down = bench.session.on_time(ms(10_000), &mut bench.out);
        assert_eq!(down, Some(LinkDown::Unreachable));
    }

    #[test]
    fn reports_of_no_link_change_nothing() {
        let mut bench = Bench::new(1);
        assert_eq!(bench.session.on_disconnected(ms(0), LinkDown::Dropped, &mut bench.out), None);
        bench.session.on_connected(ms(0), &mut bench.out);
        bench.session.on_ack(ms(0), Subscription::UserFills, &mut bench.out);
        assert_eq!(bench.session.link_state(), LinkState::Idle);
        assert!(bench.out.is_empty());
    }

    #[test]
    fn a_market_added_to_an_open_link_is_subscribed_at_once() {
        let mut bench = Bench::new(0);
        bench.open(ms(0));
        for subscription in [Subscription::OrderUpdates, Subscription::UserFills] {
            bench.session.on_ack(ms(1), subscription, &mut bench.out);
        }
        assert_eq!(bench.session.link_state(), LinkState::Live);
        bench.taken();
        let new = Subscription::Ctx(MarketId(0));
        assert!(bench.session.add(ms(2), new, Coin::new("xyz:NEW"), &mut bench.out));
        assert_eq!(
            bench.taken().0,
            [r#"{"method":"subscribe","subscription":{"type":"activeAssetCtx","coin":"xyz:NEW"}}"#]
        );
        assert_eq!(bench.session.link_state(), LinkState::Subscribing);
        bench.session.on_ack(ms(3), new, &mut bench.out);
        assert_eq!(bench.session.link_state(), LinkState::Live);
    }

    /// Acknowledges a market's bbo.
    fn ack(bench: &mut Bench, at: Mono, market: u16) {
        bench.session.on_ack(at, Subscription::Bbo(MarketId(market)), &mut bench.out);
    }

    /// Acknowledges the channels of the account.
    fn ack_account(bench: &mut Bench, at: Mono) {
        for subscription in [Subscription::OrderUpdates, Subscription::UserFills] {
            bench.session.on_ack(at, subscription, &mut bench.out);
        }
    }

    /// The link drops, and the next one opens; returns when, and what was sent on it at once.
    fn reconnect(bench: &mut Bench, at: Mono, cause: LinkDown) -> (Mono, Vec<String>) {
        bench.session.on_disconnected(at, cause, &mut bench.out);
        let due = bench.session.next_due().max(at);
        bench.session.on_time(due, &mut bench.out);
        bench.taken();
        bench.session.on_connected(due, &mut bench.out);
        (due, bench.taken().0)
    }

    fn coins(texts: &[String]) -> Vec<&str> {
        let coin = |text: &'_ String| text.find("xyz:").map(|at| at..text.len() - 3);
        texts.iter().filter_map(|text| Some(&text[coin(text)?])).collect()
    }

    #[test]
    fn suspects_come_last_a_few_at_a_time_and_acknowledged_ones_are_innocent() {
        let mut bench = Bench::new(6);
        bench.open(ms(0));
        ack_account(&mut bench, ms(50));
        (0..2).for_each(|market| ack(&mut bench, ms(50), market));
        let (at, texts) = reconnect(&mut bench, ms(150), LinkDown::Dropped);
        assert_eq!(coins(&texts), ["xyz:C0", "xyz:C1"], "what was acknowledged goes first");
        ack_account(&mut bench, at);
        ack(&mut bench, at, 0);
        assert!(bench.taken().0.is_empty(), "the suspects wait for the others");
        ack(&mut bench, at, 1);
        assert_eq!(coins(&bench.taken().0), ["xyz:C2"], "one alone");
        ack(&mut bench, at, 2);
        assert_eq!(coins(&bench.taken().0), ["xyz:C3", "xyz:C4"], "then two");
        ack(&mut bench, at, 4);
        // C3 it is, or C5, which was not asked for.
        let (at, texts) = reconnect(&mut bench, at, LinkDown::Dropped);
        assert_eq!(coins(&texts), ["xyz:C0", "xyz:C1", "xyz:C2", "xyz:C4"]);
        for market in [0, 1, 2, 4] {
            ack(&mut bench, at, market);
        }
        assert_eq!(coins(&bench.taken().0), ["xyz:C3"]);
        assert_eq!(bench.session.quarantined(), 0);
        let (at, _) = reconnect(&mut bench, at, LinkDown::Dropped);
        assert_eq!(bench.session.quarantined(), 1, "C3 alone, twice");
        ack_account(&mut bench, at);
        for market in [0, 1, 2, 4] {
            ack(&mut bench, at, market);
        }
        assert_eq!(coins(&bench.taken().0), ["xyz:C5"]);
        ack(&mut bench, at, 5);
        assert_eq!(bench.session.link_state(), LinkState::Live, "without the one in quarantine");
    }

    #[test]
    fn a_coin_is_not_to_blame_for_drops_with_other_causes() {
        // Long after its subscription, by silence, or where nothing was acknowledged at all.
        for (cause, at, acked) in [
            (LinkDown::Dropped, 3_001, true),
            (LinkDown::Silent, 100, true),
            (LinkDown::Dropped, 100, false),
        ] {
            let mut bench = Bench::new(2);
            bench.open(ms(0));
            let mut now = ms(0);
            for _ in 0..6 {
                if acked {
                    ack_account(&mut bench, now);
                    ack(&mut bench, now, 0);
                }
                bench.taken();
                (now, _) = reconnect(&mut bench, now.plus(Nanos::from_millis(at)), cause);
            }
            assert_eq!(bench.session.quarantined(), 0, "{cause:?} {at} {acked}");
        }
    }

    #[test]
    fn a_quarantine_ends_with_a_try_and_grows_while_the_coin_stays_unknown() {
        let mut bench = Bench::new(2);
        bench.open(ms(0));
        let mut now = ms(0);
        let mut waits = Vec::new();
        for _ in 0..6 {
            ack_account(&mut bench, now);
            ack(&mut bench, now, 0);
            bench.taken();
            if bench.session.quarantined() == 1 {
                // It lives until the quarantine is over.
                let began = now;
                while bench.session.quarantined() == 1 {
                    now = now.plus(Nanos::from_secs(1));
                    bench.session.on_received(now);
                    bench.session.on_data(now);
                    assert_eq!(bench.session.on_time(now, &mut bench.out), None);
                }
                waits.push(now.since(began).as_millis() / 1_000);
                assert_eq!(coins(&bench.taken().0), ["xyz:C1"]);
            }
            (now, _) = reconnect(&mut bench, now, LinkDown::Dropped);
        }
        assert!(waits.len() >= 3, "{waits:?}");
        assert!(waits.windows(2).all(|pair| pair[1] > pair[0] + pair[0] / 2), "{waits:?}");
        // It is known at last, and innocent again.
        ack_account(&mut bench, now);
        ack(&mut bench, now, 0);
        for _ in 0..3_700 {
            now = now.plus(Nanos::from_secs(1));
            bench.session.on_received(now);
            bench.session.on_data(now);
            bench.session.on_time(now, &mut bench.out);
        }
        ack(&mut bench, now, 1);
        assert_eq!(bench.session.link_state(), LinkState::Live);
        let (_, texts) = reconnect(&mut bench, now, LinkDown::Dropped);
        assert_eq!(coins(&texts), ["xyz:C0", "xyz:C1"]);
    }
}
