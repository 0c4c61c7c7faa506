//! The simulated venue: whatever a client says, it answers or refuses, its books balance, and what
//! it sends is JSON.

use std::sync::OnceLock;

use hip3::executor::encode::{Action, Encoder, Envelope};
use hip3::executor::signer::{Key, Signer, SigningNetwork};
use hip3::types::ids::{AssetId, Coin, MarketId, SignalId};
use hip3::types::num::{Px, Rate, Side, Sz, Usd};
use hip3::types::order::{Cloid, Order, Purpose};
use hip3::types::record::ExitReason;
use hip3::types::time::{Mono, Nanos};
use hip3::venue::{
    AccountSettings, Address, ConnId, Exchange, ExchangeId, Output, Settings, Venue,
};

/// Lines of one input that are heard; longer stories say nothing new.
const LINES: usize = 64;

/// Most frames at once: an answer, or a block and the cadences of every subscription a line made.
const FRAMES_MAX: usize = 4_096;

/// `input` is lines. What a line does, its first word says; what none knows is a text frame.
///
/// ```text
/// +250                      lets so many milliseconds pass, at most 5000
/// connect, close            the connection that frames are said on
/// ? {"type":"meta"}         a body of POST /info
/// ! {"action":{}}           a body of POST /exchange
/// order 0 B 412.7 0.5       an IOC order for a market, signed by the account's agent;
/// order 1 A 15.2 3 r        the same, reduce-only
/// lever 0 5                 sets a leverage, signed
/// cancel 0 2                cancels a cloid, signed
/// noop                      nothing, signed
/// {"method":"ping"}         a text frame
/// ```
pub fn run(input: &[u8]) {
    let mut floor = Floor::new();
    for line in input.split(|byte| *byte == b'\n').take(LINES) {
        floor.line(line);
        floor.check();
    }
    floor.pass(5_000);
    floor.check();
    for id in std::mem::take(&mut floor.asked) {
        let reply = floor.venue.take_reply(id);
        assert_eq!(reply.map(|reply| reply.status), Some(200), "an action that waits is answered");
    }
}

/// The account that trades: its address signs nothing here, its agent does.
const ACCOUNT: Address = Address([0xaa; 20]);

/// Signs for nothing but this venue.
fn key() -> Key {
    Key::from_bytes(&[0x42; 32]).expect("a key")
}

/// Made once: a venue with two quoted markets and one account.
fn venue() -> &'static Venue {
    static VENUE: OnceLock<Venue> = OnceLock::new();
    VENUE.get_or_init(|| {
        let account = AccountSettings {
            address: ACCOUNT,
            deposit: Usd::from_units(1_000_000_000),
            agents: vec![("test".to_owned(), Address(key().address().0), None)],
            vault_of: None,
            referral_discount: Rate::ZERO,
        };
        let settings =
            Settings { markets: 3, still: true, accounts: vec![account], ..Settings::default() };
        let mut venue = Venue::new(settings, Mono(0)).expect("a venue");
        for coin in venue.coins() {
            let quote = venue.quote(&coin).expect("listed");
            if quote.iter().any(Option::is_none) {
                let side = |px: &[u8]| Some((Px::parse(px)?, Sz::parse(b"100")?));
                venue.set_quote(&coin, side(b"99.9"), side(b"100.1")).expect("listed");
            }
        }
        venue
    })
}

struct Floor {
    venue: Venue,
    now: Mono,
    conn: Option<ConnId>,
    out: Vec<Output>,
    encoder: Encoder,
    nonce: u64,
    /// Requests over HTTP that wait for their answer.
    asked: Vec<ExchangeId>,
}

impl Floor {
    fn new() -> Self {
        let encoder = Encoder::new(Signer::new(key(), None), SigningNetwork::Testnet, None);
        let (venue, now) = (venue().clone(), Mono(0));
        let nonce = venue.time(now).0.unsigned_abs();
        let mut floor =
            Self { venue, now, conn: None, out: Vec::new(), encoder, nonce, asked: Vec::new() };
        floor.connect();
        floor
    }

    fn connect(&mut self) {
        self.conn = self.venue.connect(self.now, &mut self.out).ok().or(self.conn);
    }

    fn line(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        match word {
            "connect" => self.connect(),
            "close" => {
                if let Some(conn) = self.conn.take() {
                    self.venue.disconnect(conn);
                }
            }
            "?" => {
                let reply = self.venue.info(self.now, line.get(2..).unwrap_or_default());
                if reply.status == 200 {
                    json(&reply.body);
                }
            }
            "!" => match self.venue.exchange(self.now, line.get(2..).unwrap_or_default()) {
                Exchange::Answered(reply) if reply.status == 200 => json(&reply.body),
                Exchange::Answered(_) => {}
                Exchange::Waits(id) => self.asked.push(id),
            },
            "order" => {
                if let Some(order) = order(rest) {
                    self.act(&Action::Orders(&[order]));
                }
            }
            "lever" => {
                if let Some((asset, leverage)) = pair(rest) {
                    let action = Action::UpdateLeverage { asset, is_cross: false, leverage };
                    self.act(&action);
                }
            }
            "cancel" => {
                if let Some((asset, cloid)) = pair(rest) {
                    self.act(&Action::CancelByCloid(&[(asset, Cloid(cloid.into()))]));
                }
            }
            "noop" => self.act(&Action::Noop),
            _ => match word.strip_prefix('+').and_then(|ms| ms.parse().ok()) {
                Some(ms) => self.pass(u64::min(ms, 5_000)),
                None => self.say(&text),
            },
        }
    }

    fn say(&mut self, text: &str) {
        if let Some(conn) = self.conn {
            self.venue.text(self.now, conn, text, &mut self.out);
        }
    }

    fn act(&mut self, action: &Action<'_>) {
        self.nonce += 1;
        let mut frame = Vec::new();
        let envelope = Envelope { nonce: self.nonce, expires_after: None };
        if self.encoder.post(&mut frame, self.nonce, action, envelope).is_ok() {
            self.say(&String::from_utf8(frame).expect("text"));
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now = self.now.plus(Nanos::from_millis(ms));
        self.venue.advance(self.now, &mut self.out);
        assert!(self.venue.next_deadline() > self.now, "all that was due is done");
    }

    fn check(&mut self) {
        if let Err(what) = self.venue.audit() {
            panic!("the books do not balance: {what}");
        }
        assert!(self.out.len() <= FRAMES_MAX, "{} frames at once", self.out.len());
        for output in self.out.drain(..) {
            match output {
                Output::Text(_, text) if *text == *"Websocket connection established." => {}
                Output::Text(_, text) => json(&text),
                Output::Close { conn, .. } | Output::Drop(conn) => {
                    self.conn = self.conn.filter(|open| *open != conn);
                }
                Output::Binary(..) | Output::Torn(..) => panic!("a fault that nobody asked for"),
            }
        }
    }
}

fn json(text: &str) {
    let read = serde_json::from_str::<serde::de::IgnoredAny>(text);
    assert!(read.is_ok(), "no JSON: {text}");
}

/// The market of this number; its dex is the first beside the main one.
fn asset(text: &str) -> Option<AssetId> {
    text.parse::<u8>().ok().map(|at| AssetId(110_000 + u32::from(at)))
}

fn pair(text: &str) -> Option<(AssetId, u32)> {
    let (market, number) = text.split_once(' ')?;
    Some((asset(market)?, number.parse().ok()?))
}

/// `0 B 412.7 0.5`, or with ` r` behind it.
fn order(text: &str) -> Option<Order> {
    let mut words = text.split(' ');
    let asset = asset(words.next()?)?;
    let side = match words.next()? {
        "B" => Side::Buy,
        "A" => Side::Sell,
        _ => return None,
    };
    let (px, sz) = (Px::parse(words.next()?.as_bytes())?, Sz::parse(words.next()?.as_bytes())?);
    let reduce_only = words.next() == Some("r");
    let purpose = match reduce_only {
        true => Purpose::Exit(ExitReason::TimeStop),
        false => Purpose::Entry(SignalId(1)),
    };
    // Equal orders get the same name, so that names are used twice as well.
    let cloid = Cloid(px.units().unsigned_abs().into());
    let (market, coin) = (MarketId(0), Coin::new("xyz:ANY")?);
    Some(Order { cloid, market, coin, asset, side, px, sz, reduce_only, purpose })
}
