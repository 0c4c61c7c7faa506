//! Frames in any shape, by `simd-json`: other key orders, unknown keys, white space, escapes,
//! nulls, numbers where strings are usual.
//!
//! Nothing here recurses, and nothing is allocated once the buffers have grown to the size of
//! ordinary frames: the tape and the parser's buffers are kept from frame to frame.

use std::fmt::{self, Write as _};

use simd_json::{Buffers, ErrorType, Node, StaticNode, Tape};

use super::{Channel, MAX_FRAME, Malformed};
use crate::types::market::{Bbo, Ctx, Level};
use crate::types::num::{Px, Sz};
use crate::types::time::VenueMs;

/// Deepest nesting that is read; the venue's frames stay below 10.
const MAX_DEPTH: usize = 64;

/// A frame above this size leaves no room behind: what it made grow is given back. Frames of the
/// channels we read are a hundred times smaller.
const KEPT: usize = 64 * 1024;

/// What a frame says, names not yet looked up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body<'a> {
    /// Best bid and offer of a coin.
    Bbo(&'a str, Bbo),
    /// Context of a coin.
    Ctx(&'a str, Ctx),
    /// The ACK of a subscribe (`true`) or unsubscribe.
    Ack(bool, Echo<'a>),
    /// The answer to a ping.
    Pong,
    /// Text of the error channel.
    Error(&'a str),
    /// A channel that is not read.
    Ignored(Channel),
    /// An unknown channel, or none.
    Unknown,
}

/// Of the subscription that an ACK echoes, the fields that we send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Echo<'a> {
    /// Its `type`.
    pub kind: &'a str,
    /// Its `coin`.
    pub coin: Option<&'a str>,
    /// Its `user`.
    pub user: Option<&'a str>,
}

/// Why a frame cannot be understood, while its channel is not known yet.
type Why = &'static str;

/// The slow way, with all that it reuses.
pub struct Parser {
    /// The frame: `simd-json` unescapes strings in place.
    copy: Vec<u8>,
    /// JSON quoted inside an error's text, for the same reason.
    quoted: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Parser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parser").finish_non_exhaustive()
    }
}

impl Parser {
    /// With room for frames of ordinary size.
    pub fn new() -> Self {
        const ORDINARY: usize = 4096;
        Self {
            copy: Vec::with_capacity(ORDINARY),
            quoted: Vec::with_capacity(ORDINARY),
            buffers: Buffers::with_max_depth(ORDINARY, MAX_DEPTH),
            tape: Tape(Vec::with_capacity(ORDINARY / 8)),
        }
    }

    /// Reads a frame. Errors: longer than [`MAX_FRAME`], no JSON, nested too deeply, a key that we
    /// use missing, doubled, or of another kind, a number that does not fit.
    pub fn read<'a>(&'a mut self, frame: &[u8]) -> Result<Body<'a>, Malformed> {
        if frame.len() > MAX_FRAME {
            return Err(Malformed { channel: None, why: "longer than 1 MiB" });
        }
        // Before the frame, not after it: the last answer may have borrowed from the copy.
        if self.copy.capacity() > KEPT {
            *self = Self::new();
        }
        let Self { copy, quoted, buffers, tape } = self;
        let mut lent = std::mem::replace(tape, Tape(Vec::new()));
        copy.clear();
        copy.extend_from_slice(frame);
        let body = body(copy, buffers, &mut lent);
        let mut lent = lent.reset();
        let body = match body {
            Ok(Body::Error(text)) => Ok(already_subscribed(text, quoted, buffers, &mut lent)),
            other => other,
        };
        *tape = lent.reset();
        body
    }
}

/// `Already subscribed: {…}` is an ACK that came as a complaint (PROTOCOL.md §2.2): what we wanted
/// holds. Any other text is told as it is.
fn already_subscribed<'a>(
    text: &'a str,
    quoted: &'a mut Vec<u8>,
    buffers: &mut Buffers,
    tape: &mut Tape<'a>,
) -> Body<'a> {
    let Some(json) = text.strip_prefix("Already subscribed: ") else {
        return Body::Error(text);
    };
    quoted.clear();
    quoted.extend_from_slice(json.as_bytes());
    let echo = parse(quoted, buffers, tape).and_then(echo);
    echo.map_or(Body::Error(text), |echo| Body::Ack(true, echo))
}

fn parse<'t, 'a>(
    json: &'a mut [u8],
    buffers: &mut Buffers,
    tape: &'t mut Tape<'a>,
) -> Result<Json<'t, 'a>, Why> {
    simd_json::fill_tape(json, buffers, tape).map_err(|error| match error.error() {
        ErrorType::DepthLimitExceeded => "nested too deeply",
        _ => "not JSON",
    })?;
    Ok(Json(&tape.0))
}

fn body<'a>(
    json: &'a mut [u8],
    buffers: &mut Buffers,
    tape: &mut Tape<'a>,
) -> Result<Body<'a>, Malformed> {
    let unnamed = |why| Malformed { channel: None, why };
    let frame = parse(json, buffers, tape).map_err(unnamed)?;
    if !frame.is_object() {
        return Ok(Body::Unknown);
    }
    let [channel, data] = frame.fields(["channel", "data"]).map_err(unnamed)?;
    let Some(name) = channel.and_then(Json::text) else {
        return Ok(Body::Unknown);
    };
    let Some(channel) = Channel::named(name.as_bytes()) else {
        return Ok(Body::Unknown);
    };
    let body = match channel {
        Channel::Bbo => data.ok_or("no data").and_then(bbo),
        Channel::ActiveAssetCtx => data.ok_or("no data").and_then(ctx),
        Channel::SubscriptionResponse => data.ok_or("no data").and_then(ack),
        Channel::Pong => Ok(Body::Pong),
        Channel::Error => {
            data.and_then(Json::text).map(Body::Error).ok_or("an error without a text")
        }
        _ => Ok(Body::Ignored(channel)),
    };
    body.map_err(|why| Malformed { channel: Some(channel), why })
}

/// PROTOCOL.md §2.5, "bbo".
fn bbo<'a>(data: Json<'_, 'a>) -> Result<Body<'a>, Why> {
    let [coin, time, sides] = data.fields(["coin", "time", "bbo"])?;
    let coin = coin.and_then(Json::text).ok_or("no coin")?;
    let time = time.and_then(Json::integer).ok_or("no time in whole milliseconds")?;
    let mut sides = sides.ok_or("no bbo")?.items().ok_or("bbo is no array")?;
    let (Some(bid), Some(ask), None) = (sides.next(), sides.next(), sides.next()) else {
        return Err("bbo has not two sides");
    };
    Ok(Body::Bbo(coin, Bbo { bid: level(bid)?, ask: level(ask)?, time: VenueMs(time) }))
}

fn level(side: Json<'_, '_>) -> Result<Option<Level>, Why> {
    if side.is_null() {
        return Ok(None);
    }
    let [px, sz] = side.fields(["px", "sz"])?;
    let px = px.and_then(|px| px.exact(Px::parse)).ok_or("a level without a price")?;
    let sz = sz.and_then(|sz| sz.exact(Sz::parse)).ok_or("a level without a size")?;
    Ok(Some(Level { px, sz }))
}

/// PROTOCOL.md §2.5, "activeAssetCtx". A value that is null or absent is not known; a value that
/// is there must be one.
fn ctx<'a>(data: Json<'_, 'a>) -> Result<Body<'a>, Why> {
    let [coin, ctx] = data.fields(["coin", "ctx"])?;
    let coin = coin.and_then(Json::text).ok_or("no coin")?;
    let [oracle, mark, mid, open_interest, premium, impact] = ctx.ok_or("no ctx")?.fields([
        "oraclePx",
        "markPx",
        "midPx",
        "openInterest",
        "premium",
        "impactPxs",
    ])?;
    let known = |value: Option<Json<'_, 'a>>| value.is_some_and(|value| !value.is_null());
    let px = |value: Option<Json<'_, 'a>>| match value {
        Some(value) if !value.is_null() => value.exact(Px::parse).map(Some),
        Some(_) | None => Some(None),
    };
    let open_interest = match open_interest {
        Some(value) if !value.is_null() => {
            Some(value.noisy(Sz::parse_truncating).ok_or("openInterest is no size")?)
        }
        Some(_) | None => None,
    };
    let quoted = known(mid) || known(premium) || known(impact);
    let ctx = Ctx {
        oracle: px(oracle).ok_or("oraclePx is no price")?,
        mark: px(mark).ok_or("markPx is no price")?,
        mid: px(mid).ok_or("midPx is no price")?,
        open_interest,
        settled: !quoted && open_interest == Some(Sz::ZERO),
    };
    Ok(Body::Ctx(coin, ctx))
}

/// PROTOCOL.md §2.1. An older form, without `method`, has the subscription's fields in `data`.
fn ack<'a>(data: Json<'_, 'a>) -> Result<Body<'a>, Why> {
    let [method, subscription] = data.fields(["method", "subscription"])?;
    let Some(subscription) = subscription else {
        return Ok(Body::Ack(true, echo(data)?));
    };
    let subscribed = match method.and_then(Json::text) {
        Some("subscribe") => true,
        Some("unsubscribe") => false,
        Some(_) | None => return Err("neither subscribe nor unsubscribe"),
    };
    Ok(Body::Ack(subscribed, echo(subscription)?))
}

fn echo<'a>(subscription: Json<'_, 'a>) -> Result<Echo<'a>, Why> {
    let [kind, coin, user] = subscription.fields(["type", "coin", "user"])?;
    let kind = kind.and_then(Json::text).ok_or("a subscription without a type")?;
    Ok(Echo { kind, coin: coin.and_then(Json::text), user: user.and_then(Json::text) })
}

/// A value: the first node of the tape it holds. What lies behind it belongs to others.
#[derive(Clone, Copy)]
struct Json<'t, 'a>(&'t [Node<'a>]);

impl<'t, 'a> Json<'t, 'a> {
    fn node(self) -> Option<Node<'a>> {
        self.0.first().copied()
    }

    fn is_null(self) -> bool {
        matches!(self.node(), Some(Node::Static(StaticNode::Null)))
    }

    fn is_object(self) -> bool {
        matches!(self.node(), Some(Node::Object { .. }))
    }

    fn text(self) -> Option<&'a str> {
        match self.node()? {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number that is not below zero.
    fn integer(self) -> Option<i64> {
        match self.node()? {
            Node::Static(StaticNode::U64(value)) => i64::try_from(value).ok(),
            Node::Static(StaticNode::I64(value)) => (value >= 0).then_some(value),
            _ => None,
        }
    }

    /// A decimal as string or as JSON number. Of a number only the double is left: up to 15
    /// significant digits its shortest form is the text that was sent, and with more we refuse
    /// to guess.
    fn exact<T>(self, parse: fn(&[u8]) -> Option<T>) -> Option<T> {
        self.decimal(parse, 15)
    }

    /// As [`Json::exact`], for values that print a double's noise anyway.
    fn noisy<T>(self, parse: fn(&[u8]) -> Option<T>) -> Option<T> {
        self.decimal(parse, usize::MAX)
    }

    fn decimal<T>(self, parse: fn(&[u8]) -> Option<T>, max_digits: usize) -> Option<T> {
        let mut digits = Digits::default();
        match self.node()? {
            Node::String(text) => return parse(text.as_bytes()),
            Node::Static(StaticNode::U64(value)) => write!(digits, "{value}").ok()?,
            // The shortest decimal that denotes this double, never with an exponent.
            Node::Static(StaticNode::F64(value)) => {
                write!(digits, "{value}").ok()?;
                if digits.significant() > max_digits {
                    return None;
                }
            }
            _ => return None,
        }
        parse(digits.text())
    }

    /// The elements of an array.
    fn items(self) -> Option<Elements<'t, 'a>> {
        match self.node()? {
            Node::Array { count, .. } => Some(Elements(self.0.get(1..=count)?)),
            _ => None,
        }
    }

    /// The values of these keys. Of two equal keys JSON does not say which holds, so neither does.
    fn fields<const N: usize>(self, keys: [&str; N]) -> Result<[Option<Self>; N], Why> {
        const NO_OBJECT: Why = "an object was expected";
        let Some(Node::Object { count, .. }) = self.node() else {
            return Err(NO_OBJECT);
        };
        let mut members = Elements(self.0.get(1..=count).ok_or(NO_OBJECT)?);
        let mut values = [None; N];
        while let (Some(key), Some(value)) = (members.next(), members.next()) {
            let Some(at) = keys.iter().position(|known| key.text() == Some(known)) else {
                continue;
            };
            if values[at].replace(value).is_some() {
                return Err("a key occurs twice");
            }
        }
        Ok(values)
    }
}

/// Values that follow each other on the tape.
struct Elements<'t, 'a>(&'t [Node<'a>]);

impl<'t, 'a> Iterator for Elements<'t, 'a> {
    type Item = Json<'t, 'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let value = Json(self.0);
        let nodes = match value.node()? {
            Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
            Node::String(_) | Node::Static(_) => 1,
        };
        self.0 = self.0.get(nodes..).unwrap_or_default();
        Some(value)
    }
}

/// The text of a number, on the stack. Longer ones fit no type of ours.
#[derive(Default)]
struct Digits {
    text: [u8; 32],
    len: usize,
}

impl Digits {
    fn text(&self) -> &[u8] {
        &self.text[..self.len]
    }

    /// Digits from the first to the last that is not zero.
    fn significant(&self) -> usize {
        let digits = || self.text().iter().filter(|b| b.is_ascii_digit());
        let leading = digits().take_while(|b| **b == b'0').count();
        let trailing = digits().rev().take_while(|b| **b == b'0').count();
        digits().count().saturating_sub(leading + trailing)
    }
}

impl fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.text.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
