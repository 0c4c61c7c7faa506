//! Frames in any shape, by `simd-json`: other key orders, unknown keys, white space, escapes,
//! nulls, numbers where strings are usual.
//!
//! Nothing here recurses, and nothing is allocated once the buffers have grown to the size of
//! ordinary frames: the tape, the parser's buffers and the rows are kept from frame to frame.

mod account;
mod market;
mod post;
mod rows;
mod tape;

use std::fmt;

use simd_json::{Buffers, ErrorType, Tape};

pub use self::rows::MAX_ENTRIES;
use self::rows::Rows;
use self::tape::Json;
use super::{Channel, MAX_FRAME, Malformed, UserEvent};
use crate::types::market::{Bbo, Ctx};
use crate::types::order::{Fill, OrderUpdate, PostAnswer};

/// Deepest nesting that is read; the venue's frames stay below 10.
const MAX_DEPTH: usize = 64;

/// A frame above this size leaves no room behind: what it made grow is given back. Frames of the
/// channels we read are a hundred times smaller.
const KEPT: usize = 64 * 1024;

/// Room from the start: no frame up to this size makes anything grow. What an account is told of its
/// own orders at a time stays below it.
const ORDINARY: usize = 16 * 1024;

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
    /// News of orders, and how many could not be read.
    #[allow(missing_docs, reason = "as in `Message`")]
    OrderUpdates { updates: &'a [OrderUpdate], skipped: u32 },
    /// Fills of a user, and how many could not be read.
    #[allow(missing_docs, reason = "as in `Message`")]
    Fills { user: &'a str, snapshot: bool, fills: &'a [Fill], skipped: u32 },
    /// An event of the account.
    UserEvent(UserEvent<'a>),
    /// The answer to a post.
    #[allow(missing_docs, reason = "as in `Message`")]
    Post { id: u64, answer: PostAnswer<'a> },
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
    rows: Rows,
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
        Self::with(Rows::new())
    }

    fn with(rows: Rows) -> Self {
        let mut parser = Self {
            copy: Vec::with_capacity(ORDINARY),
            quoted: Vec::with_capacity(ORDINARY),
            buffers: Buffers::with_max_depth(ORDINARY, MAX_DEPTH),
            tape: Tape(Vec::with_capacity(ORDINARY / 2)),
            rows,
        };
        parser.warm_up();
        parser
    }

    /// Reads the densest text of ordinary size, since `simd-json` makes room for its indexes only as
    /// it meets them.
    fn warm_up(&mut self) {
        let mut dense = b"[[]".to_vec();
        while dense.len() < ORDINARY - 4 {
            dense.extend_from_slice(b",[]");
        }
        dense.push(b']');
        let read = self.read(&dense);
        debug_assert!(matches!(read, Ok(Body::Unknown)), "it names no channel");
    }

    /// Reads a frame. Errors: longer than [`MAX_FRAME`], no JSON, nested too deeply, a key that we
    /// use missing, doubled, or of another kind, a number that does not fit.
    pub fn read<'a>(&'a mut self, frame: &[u8]) -> Result<Body<'a>, Malformed> {
        if frame.len() > MAX_FRAME {
            return Err(Malformed { channel: None, why: "longer than 1 MiB" });
        }
        // Before the frame, not after it: the last answer may have borrowed from the copy.
        if self.copy.capacity() > KEPT {
            let rows = std::mem::replace(&mut self.rows, Rows::empty());
            *self = Self::with(rows);
        }
        let Self { copy, quoted, buffers, tape, rows } = self;
        let mut lent = std::mem::replace(tape, Tape(Vec::new()));
        copy.clear();
        copy.extend_from_slice(frame);
        let body = body(copy, buffers, &mut lent, rows);
        let mut lent = lent.reset();
        let body = match body {
            Ok(Body::Error(text)) => Ok(already_subscribed(text, quoted, buffers, &mut lent)),
            other => other,
        };
        *tape = lent.reset();
        body
    }

    /// Reads the body that `POST /exchange` answers; [`PostAnswer::Other`] when it makes no sense.
    pub fn read_exchanged<'a>(&'a mut self, body: &[u8]) -> PostAnswer<'a> {
        if body.len() > MAX_FRAME {
            return PostAnswer::Other;
        }
        let Self { copy, buffers, tape, rows, .. } = self;
        let mut lent = std::mem::replace(tape, Tape(Vec::new()));
        copy.clear();
        copy.extend_from_slice(body);
        let answer = parse(copy, buffers, &mut lent)
            .ok()
            .and_then(|body| post::action(body, &mut rows.answers))
            .unwrap_or(PostAnswer::Other);
        *tape = lent.reset();
        answer
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
    rows: &'a mut Rows,
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
    let needed = data.ok_or("no data");
    let body = match channel {
        Channel::Bbo => needed.and_then(market::bbo),
        Channel::ActiveAssetCtx => needed.and_then(market::ctx),
        Channel::SubscriptionResponse => needed.and_then(ack),
        Channel::OrderUpdates => {
            needed.and_then(|data| account::order_updates(data, &mut rows.updates))
        }
        Channel::UserFills => needed.and_then(|data| account::fills(data, &mut rows.fills)),
        Channel::User => needed.and_then(|data| account::user_event(data, rows)),
        Channel::Post => needed.and_then(|data| post::post(data, &mut rows.answers)),
        Channel::Pong => Ok(Body::Pong),
        Channel::Error => {
            data.and_then(Json::text).map(Body::Error).ok_or("an error without a text")
        }
        _ => Ok(Body::Ignored(channel)),
    };
    body.map_err(|why| Malformed { channel: Some(channel), why })
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
