//! What a client may say on a socket (PROTOCOL.md §2, §3.1).

use std::fmt::Write;

use serde_json::Value;

use crate::venue::action::Address;
use crate::venue::world::World;

/// Options of an `l2Book` subscription or request.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::venue) struct Grouping {
    /// Significant figures, 2 to 5.
    pub(in crate::venue) figures: Option<u8>,
    /// Multiplier of the step, only with 5 figures: 1, 2 or 5.
    pub(in crate::venue) mantissa: Option<u8>,
}

/// A subscription, normalised. Markets and dexes by position.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::venue) enum Sub {
    Bbo(usize),
    Ctx(usize),
    Trades(usize),
    L2Book {
        market: usize,
        grouping: Grouping,
        fast: bool,
    },
    AllMids(usize),
    AssetCtxs(usize),
    AllDexsAssetCtxs,
    /// A channel of an account: its name, the address, and the options as they are echoed.
    User {
        kind: UserKind,
        user: Address,
        dex: usize,
        flag: bool,
    },
}

/// The channels of an account.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::venue) enum UserKind {
    OrderUpdates,
    Events,
    Fills,
    Fundings,
    LedgerUpdates,
    Notification,
    OpenOrders,
    ClearinghouseState,
    SpotState,
}

impl UserKind {
    /// Whether its frames tell a whole state each time.
    pub(in crate::venue) fn is_state(self) -> bool {
        matches!(self, Self::OpenOrders | Self::ClearinghouseState | Self::SpotState)
    }

    /// Name of its frames' channel: that of its subscription but for one.
    pub(in crate::venue) fn channel(self) -> &'static str {
        match self {
            Self::Events => "user",
            other => other.name(),
        }
    }

    /// Name in subscriptions.
    pub(in crate::venue) fn name(self) -> &'static str {
        match self {
            Self::OrderUpdates => "orderUpdates",
            Self::Events => "userEvents",
            Self::Fills => "userFills",
            Self::Fundings => "userFundings",
            Self::LedgerUpdates => "userNonFundingLedgerUpdates",
            Self::Notification => "notification",
            Self::OpenOrders => "openOrders",
            Self::ClearinghouseState => "clearinghouseState",
            Self::SpotState => "spotState",
        }
    }

    const ALL: [Self; 9] = [
        Self::OrderUpdates,
        Self::Events,
        Self::Fills,
        Self::Fundings,
        Self::LedgerUpdates,
        Self::Notification,
        Self::OpenOrders,
        Self::ClearinghouseState,
        Self::SpotState,
    ];
}

/// A client's frame, understood.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::venue) enum Request {
    Ping,
    Subscribe(Sub),
    Unsubscribe(Sub),
    Post { id: u64, kind: PostKind, payload: Value },
}

/// What a post carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::venue) enum PostKind {
    Info,
    Action,
}

/// Why a frame is no request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::venue) enum Wrong {
    /// Answered on the error channel (§2.2).
    Unparsable,
    /// Drops the whole connection (§2.3).
    Fatal,
}

/// Reads a client's frame.
pub(in crate::venue) fn read(text: &str, world: &World) -> Result<Request, Wrong> {
    let frame: Value = serde_json::from_str(text).map_err(|_| Wrong::Unparsable)?;
    match frame.get("method").and_then(Value::as_str) {
        Some("ping") => Ok(Request::Ping),
        Some("subscribe") => subscription(&frame, world).map(Request::Subscribe),
        Some("unsubscribe") => subscription(&frame, world).map(Request::Unsubscribe),
        Some("post") => post(&frame),
        _ => Err(Wrong::Unparsable),
    }
}

fn post(frame: &Value) -> Result<Request, Wrong> {
    let id = frame.get("id").and_then(Value::as_u64).ok_or(Wrong::Unparsable)?;
    let request = frame.get("request").ok_or(Wrong::Unparsable)?;
    let kind = match request.get("type").and_then(Value::as_str) {
        Some("info") => PostKind::Info,
        Some("action") => PostKind::Action,
        _ => return Err(Wrong::Unparsable),
    };
    let payload = request.get("payload").filter(|p| p.is_object()).ok_or(Wrong::Unparsable)?;
    Ok(Request::Post { id, kind, payload: payload.clone() })
}

fn subscription(frame: &Value, world: &World) -> Result<Sub, Wrong> {
    let sub = frame.get("subscription").ok_or(Wrong::Unparsable)?;
    let kind = sub.get("type").and_then(Value::as_str).ok_or(Wrong::Unparsable)?;
    match kind {
        "bbo" => market(sub, world).map(Sub::Bbo),
        "activeAssetCtx" => market(sub, world).map(Sub::Ctx),
        "trades" => market(sub, world).map(Sub::Trades),
        "l2Book" => {
            let fast = flag(sub, "fast")?;
            let (figures, mantissa) = (small(sub, "nSigFigs")?, small(sub, "mantissa")?);
            let grouping = grouping(figures, mantissa).ok_or(Wrong::Fatal)?;
            Ok(Sub::L2Book { market: market(sub, world)?, grouping, fast })
        }
        "allMids" => dex(sub, world).map(Sub::AllMids),
        "assetCtxs" => dex(sub, world).map(Sub::AssetCtxs),
        "allDexsAssetCtxs" => Ok(Sub::AllDexsAssetCtxs),
        _ => user_channel(kind, sub, world),
    }
}

fn user_channel(kind: &str, sub: &Value, world: &World) -> Result<Sub, Wrong> {
    let known = UserKind::ALL.into_iter().find(|known| known.name() == kind);
    let kind = known.ok_or(Wrong::Unparsable)?;
    let user = sub.get("user").and_then(Value::as_str).and_then(Address::parse);
    let user = user.ok_or(Wrong::Unparsable)?;
    let dex = match kind {
        UserKind::OpenOrders | UserKind::ClearinghouseState => dex(sub, world)?,
        _ => 0,
    };
    let flag = match kind {
        UserKind::Fills => flag(sub, "aggregateByTime")?,
        UserKind::SpotState => flag(sub, "ignorePortfolioMargin")?,
        _ => false,
    };
    Ok(Sub::User { kind, user, dex, flag })
}

/// Checks the options of a book; `None` when the venue does not know them.
pub(in crate::venue) fn grouping(figures: Option<u8>, mantissa: Option<u8>) -> Option<Grouping> {
    let known =
        matches!((figures, mantissa), (None | Some(2..=5), None) | (Some(5), Some(1 | 2 | 5)));
    known.then_some(Grouping { figures, mantissa })
}

fn market(sub: &Value, world: &World) -> Result<usize, Wrong> {
    let coin = sub.get("coin").and_then(Value::as_str).ok_or(Wrong::Unparsable)?;
    let known = |at: &usize| world.markets.get(*at).is_some_and(|market| !market.early);
    world.find(coin).filter(known).ok_or(Wrong::Fatal)
}

fn dex(sub: &Value, world: &World) -> Result<usize, Wrong> {
    match sub.get("dex") {
        None | Some(Value::Null) => Ok(0),
        Some(Value::String(name)) => world.find_dex(name).ok_or(Wrong::Fatal),
        Some(_) => Err(Wrong::Unparsable),
    }
}

fn flag(sub: &Value, key: &str) -> Result<bool, Wrong> {
    match sub.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(value) => value.as_bool().ok_or(Wrong::Unparsable),
    }
}

fn small(sub: &Value, key: &str) -> Result<Option<u8>, Wrong> {
    match sub.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().and_then(|n| u8::try_from(n).ok());
            number.map(Some).ok_or(Wrong::Unparsable)
        }
    }
}

impl Sub {
    /// The subscription as the venue echoes it: defaults filled in, unknown fields dropped.
    pub(in crate::venue) fn echo(&self, world: &World) -> String {
        let coin = |at: &usize| world.markets.get(*at).map_or("", |m| m.listing.coin.as_str());
        let dex = |at: &usize| world.dexes.get(*at).map_or("", |d| d.name.as_str());
        let plain =
            |kind: &str, at: &usize| format!(r#"{{"type":"{kind}","coin":"{}"}}"#, coin(at));
        match self {
            Sub::Bbo(at) => plain("bbo", at),
            Sub::Ctx(at) => plain("activeAssetCtx", at),
            Sub::Trades(at) => plain("trades", at),
            Sub::L2Book { market, grouping, fast } => {
                let number = |n: Option<u8>| n.map_or("null".to_owned(), |n| n.to_string());
                format!(
                    r#"{{"type":"l2Book","coin":"{}","nSigFigs":{},"mantissa":{},"fast":{fast}}}"#,
                    coin(market),
                    number(grouping.figures),
                    number(grouping.mantissa),
                )
            }
            Sub::AllMids(at) => format!(r#"{{"type":"allMids","dex":"{}"}}"#, dex(at)),
            Sub::AssetCtxs(at) => format!(r#"{{"type":"assetCtxs","dex":"{}"}}"#, dex(at)),
            Sub::AllDexsAssetCtxs => r#"{"type":"allDexsAssetCtxs"}"#.to_owned(),
            Sub::User { kind, user, dex: at, flag } => {
                let mut text = format!(r#"{{"type":"{}""#, kind.name());
                // Writing into a String cannot fail.
                let _ = match kind {
                    UserKind::OpenOrders | UserKind::ClearinghouseState => {
                        write!(text, r#","dex":"{}","user":"{user}"}}"#, dex(at))
                    }
                    UserKind::Fills => {
                        write!(text, r#","user":"{user}","aggregateByTime":{flag}}}"#)
                    }
                    UserKind::SpotState => {
                        write!(text, r#","user":"{user}","ignorePortfolioMargin":{flag}}}"#)
                    }
                    _ => write!(text, r#","user":"{user}"}}"#),
                };
                text
            }
        }
    }
}
