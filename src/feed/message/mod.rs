//! Frames → messages. Bytes of a stranger come in, and nothing that they hold can make this panic,
//! recurse, or grow without bound.
//!
//! A frame of `bbo` or `activeAssetCtx` in its usual shape is read by [`scan`], anything else by
//! [`json`]; both give the same answer where both give one. Prices and sizes are exact or the
//! frame is malformed. News of the account comes in lists: an entry that cannot be read is skipped
//! and counted, and the others stand.

pub mod channel;
#[doc(hidden)]
pub mod json;
#[doc(hidden)]
pub mod scan;
mod symbols;

use std::fmt;

use crate::feed::Subscription;
use crate::types::ids::Excerpt;
use crate::types::ids::{Coin, MarketId};
use crate::types::market::{Bbo, Ctx};
use crate::types::num::Usd;
use crate::types::order::{Fill, OrderUpdate, PostAnswer};

pub use self::channel::Channel;
pub use self::json::MAX_ENTRIES;
use self::json::{Body, Echo, Parser};
use self::symbols::Symbols;

/// Longest frame that is parsed, in bytes: a snapshot of 2000 fills has room. Frames of channels
/// that are ignored may be longer: they are not read past the channel's name.
pub const MAX_FRAME: usize = 1 << 20;

/// What a frame says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Message<'a> {
    /// Best bid and offer of a watched market.
    Bbo {
        /// The market.
        market: MarketId,
        /// Its quotes.
        bbo: Bbo,
    },
    /// Context of a watched market.
    Ctx {
        /// The market.
        market: MarketId,
        /// Its context.
        ctx: Ctx,
    },
    /// The ACK of a subscribe or unsubscribe, or the complaint that we are subscribed already.
    Ack {
        /// Whether the subscription holds now.
        subscribed: bool,
        /// Which; `None` when it is none of those we ask for.
        subscription: Option<Subscription>,
    },
    /// The answer to a ping.
    Pong,
    /// What the venue complains about: text of the error channel, escapes resolved.
    VenueError(&'a [u8]),
    /// News of our orders (PROTOCOL.md §2.6), in the frame's order; none at all is possible.
    OrderUpdates {
        /// What could be read, at most [`MAX_ENTRIES`].
        updates: &'a [OrderUpdate],
        /// Entries that could not be read: something is unknown now.
        skipped: u32,
    },
    /// Fills of our account (PROTOCOL.md §2.6), in the frame's order.
    Fills {
        /// Whether they are past ones, told at the start of the subscription.
        snapshot: bool,
        /// What could be read, at most [`MAX_ENTRIES`].
        fills: &'a [Fill],
        /// Entries that could not be read: something is unknown now.
        skipped: u32,
    },
    /// An event of our account.
    UserEvent(UserEvent<'a>),
    /// The answer to a post (PROTOCOL.md §3.2).
    Post {
        /// The id that the post was sent with.
        id: u64,
        /// What was answered.
        answer: PostAnswer<'a>,
    },
    /// A `bbo` or ctx of a coin that is not watched, or fills of an account that is not ours.
    Unwatched(Channel),
    /// A channel that is not used. Nothing past its name was read.
    Ignored(Channel),
    /// An unknown channel, or text that is no JSON object.
    Unknown,
}

/// An event of the account (PROTOCOL.md §2.6, "userEvents"). The frame names no user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UserEvent<'a> {
    /// Fills; `userFills` tells them as well.
    Fills {
        /// What could be read, at most [`MAX_ENTRIES`].
        fills: &'a [Fill],
        /// Entries that could not be read: something is unknown now.
        skipped: u32,
    },
    /// A funding payment.
    Funding {
        /// The market.
        coin: Coin,
        /// Paid to us; below zero when we pay. Decimals past the sixth are dropped.
        usd: Usd,
    },
    /// A liquidation that concerns us.
    Liquidation,
    /// Orders that the venue cancelled, and not we.
    NonUserCancel {
        /// Their ids at the venue, at most [`MAX_ENTRIES`].
        oids: &'a [u64],
        /// Entries that could not be read: something is unknown now.
        skipped: u32,
    },
    /// Any other event, or none.
    Other,
}

/// A frame that cannot be understood: either of a channel that we read, or one that opens like a
/// frame (with `{`) and is no JSON, is too long, or is nested too deeply.
///
/// Text that does not open with `{` is no frame at all and makes [`Message::Unknown`]: the venue's
/// greeting among it (PROTOCOL.md §1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed {
    /// The channel, as far as it could be read.
    pub channel: Option<Channel>,
    /// What is wrong.
    pub why: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.channel {
            Some(channel) => write!(f, "malformed {channel} frame: {}", self.why),
            None => write!(f, "malformed frame: {}", self.why),
        }
    }
}

impl std::error::Error for Malformed {}

/// Reads frames. Allocates nothing for those of ordinary size.
#[derive(Debug, Default)]
pub struct Decoder {
    symbols: Symbols,
    /// Our account's address; empty without one, and no address is empty.
    user: String,
    parser: Parser,
    fallbacks: u64,
}

impl Decoder {
    /// Knows no market yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets frames of `coin` speak of `market`. A name watched before changes its market.
    pub fn watch(&mut self, coin: Coin, market: MarketId) {
        self.symbols.insert(coin, market);
    }

    /// Sets our account (`0x…`), by which fills and the ACKs of user channels are told from those
    /// of others, without regard to case. Streams name the account that owns the orders: the vault
    /// or sub-account if there is one.
    pub fn set_user(&mut self, address: &str) {
        address.clone_into(&mut self.user);
    }

    /// Frames of scanned channels that did not have their usual shape, so that they took the slow
    /// way. Many of them mean that the venue has changed its shape.
    pub fn fallbacks(&self) -> u64 {
        self.fallbacks
    }

    /// Reads one text frame.
    #[inline]
    pub fn decode<'a>(&'a mut self, frame: &'a [u8]) -> Result<Message<'a>, Malformed> {
        if let Some((coin, bbo)) = scan::bbo(frame) {
            return Ok(quotes(&self.symbols, coin, bbo));
        }
        if let Some((coin, ctx)) = scan::ctx(frame) {
            return Ok(context(&self.symbols, coin, ctx));
        }
        self.decode_unusual(frame)
    }

    /// Reads the answer to `POST /exchange`: its body is the payload of an action post's answer
    /// (PROTOCOL.md §3.2), and a status other than 200 is told in the body's own words, as a post's
    /// error would be. What cannot be understood says nothing.
    pub fn exchanged<'a>(&'a mut self, status: u16, body: &[u8]) -> PostAnswer<'a> {
        match status {
            200 => self.parser.read_exchanged(body),
            429 => PostAnswer::Error(Excerpt::of(b"429 Too Many Requests")),
            422 => PostAnswer::Error(Excerpt::of(b"422 Failed to deserialize the JSON body")),
            _ => PostAnswer::Error(Excerpt::of(body)),
        }
    }

    fn decode_unusual<'a>(&'a mut self, frame: &'a [u8]) -> Result<Message<'a>, Malformed> {
        let opening = frame.iter().find(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
        if opening != Some(&b'{') {
            return Ok(Message::Unknown);
        }
        let mut named = None;
        if let Some(name) = scan::channel(frame) {
            named = Channel::named(name);
            match named {
                Some(channel) if !channel.is_read() => return Ok(Message::Ignored(channel)),
                Some(_) => {}
                None => return Ok(Message::Unknown),
            }
        }
        let Self { symbols, user, parser, fallbacks } = self;
        let body = parser
            .read(frame)
            .map_err(|error| Malformed { channel: error.channel.or(named), ..error });
        let scanned = match body {
            Ok(Body::Bbo(..) | Body::Ctx(..)) => true,
            Ok(_) => false,
            Err(error) => error.channel.is_some_and(Channel::is_scanned),
        };
        *fallbacks += u64::from(scanned);
        Ok(match body? {
            Body::Bbo(coin, bbo) => quotes(symbols, coin.as_bytes(), bbo),
            Body::Ctx(coin, ctx) => context(symbols, coin.as_bytes(), ctx),
            Body::Ack(subscribed, echo) => {
                Message::Ack { subscribed, subscription: subscription(symbols, user, echo) }
            }
            Body::Pong => Message::Pong,
            Body::OrderUpdates { updates, skipped } => Message::OrderUpdates { updates, skipped },
            Body::Fills { user: whose, snapshot, fills, skipped } => match is_ours(user, whose) {
                true => Message::Fills { snapshot, fills, skipped },
                false => Message::Unwatched(Channel::UserFills),
            },
            Body::UserEvent(event) => Message::UserEvent(event),
            Body::Post { id, answer } => Message::Post { id, answer },
            Body::Error(text) => Message::VenueError(text.as_bytes()),
            Body::Ignored(channel) => Message::Ignored(channel),
            Body::Unknown => Message::Unknown,
        })
    }
}

#[inline]
fn quotes(symbols: &Symbols, coin: &[u8], bbo: Bbo) -> Message<'static> {
    match symbols.find(coin) {
        Some(market) => Message::Bbo { market, bbo },
        None => Message::Unwatched(Channel::Bbo),
    }
}

#[inline]
fn context(symbols: &Symbols, coin: &[u8], ctx: Ctx) -> Message<'static> {
    match symbols.find(coin) {
        Some(market) => Message::Ctx { market, ctx },
        None => Message::Unwatched(Channel::ActiveAssetCtx),
    }
}

/// Whether `address` is our account's; without an account none is.
fn is_ours(user: &str, address: &str) -> bool {
    !user.is_empty() && address.eq_ignore_ascii_case(user)
}

/// Finds out which of our subscriptions an ACK echoes: by the fields that we send, since the venue
/// adds its defaults and reorders (PROTOCOL.md §2.1).
fn subscription(symbols: &Symbols, user: &str, echo: Echo<'_>) -> Option<Subscription> {
    let market = || symbols.find(echo.coin?.as_bytes());
    let ours = |subscription| is_ours(user, echo.user?).then_some(subscription);
    match echo.kind {
        "bbo" => market().map(Subscription::Bbo),
        "activeAssetCtx" => market().map(Subscription::Ctx),
        "orderUpdates" => ours(Subscription::OrderUpdates),
        "userFills" => ours(Subscription::UserFills),
        "userEvents" => ours(Subscription::UserEvents),
        _ => None,
    }
}
