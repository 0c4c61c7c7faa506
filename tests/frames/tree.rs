//! A second opinion on news of the account: `serde_json` into a tree of its own that keeps doubled
//! keys, read by rules and decimal arithmetic written a second time.

use std::fmt;

use hip3::types::ids::{Coin, Excerpt};
use hip3::types::num::{Px, Side, Sz, Szi, Usd};
use hip3::types::order::{Cloid, Fill, OrderAnswer, OrderUpdate, VenueStatus};
use hip3::types::time::VenueMs;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// What a frame says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum News {
    Orders(Vec<OrderUpdate>, u32),
    Fills { user: String, snapshot: bool, fills: Vec<Fill>, skipped: u32 },
    Event(Event),
    Post(u64, Reply),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    Fills(Vec<Fill>, u32),
    Funding(Coin, Usd),
    Liquidation,
    Cancels(Vec<u64>, u32),
    Other,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Reply {
    Statuses(Vec<OrderAnswer>),
    Default,
    Refused(Excerpt),
    Order(Option<OrderUpdate>),
    Other,
    Error(Excerpt),
}

/// Reads a frame; `None` for anything else and for what is malformed.
pub(crate) fn read(frame: &[u8]) -> Option<News> {
    let frame: Tree = serde_json::from_slice(frame).ok()?;
    let data = frame.only("data");
    match frame.only("channel").ok()??.text()? {
        "userFills" => {
            let data = data.ok()??;
            let user = data.only("user").ok()??.text()?.to_owned();
            let snapshot = match data.only("isSnapshot").ok()? {
                Some(Tree::Bool(snapshot)) => *snapshot,
                None | Some(Tree::Null) => false,
                Some(_) => return None,
            };
            let (fills, skipped) = rows(data.only("fills").ok()??, fill, is_perp)?;
            Some(News::Fills { user, snapshot, fills, skipped })
        }
        "user" => event(data.ok()??).map(News::Event),
        "post" => {
            let data = data.ok()??;
            let response = data.only("response").ok()?;
            let id = data.only("id").ok()??.id()?;
            Some(News::Post(id, response.and_then(reply).unwrap_or(Reply::Other)))
        }
        name if name == "orderUpdates" || name.starts_with("orderUpdates:") => {
            let data = data.ok()??;
            if let Tree::Map(_) = data {
                let update = update(data);
                let skipped = u32::from(update.is_none());
                return Some(News::Orders(update.into_iter().collect(), skipped));
            }
            let (updates, skipped) = rows(data, update, |_| true)?;
            Some(News::Orders(updates, skipped))
        }
        _ => None,
    }
}

/// What could be read, and how many could not and are of those that `matter`.
fn rows<T>(
    list: &Tree,
    read: fn(&Tree) -> Option<T>,
    matters: fn(&Tree) -> bool,
) -> Option<(Vec<T>, u32)> {
    let (mut kept, mut skipped) = (Vec::new(), 0);
    for entry in list.list()? {
        match read(entry) {
            Some(row) => kept.push(row),
            None if matters(entry) => skipped += 1,
            None => {}
        }
    }
    Some((kept, skipped))
}

fn is_perp(row: &Tree) -> bool {
    match row.only("coin").ok().flatten().and_then(Tree::text) {
        Some(name) => !(name.starts_with('@') || name.starts_with('#') || name.contains('/')),
        None => true,
    }
}

fn update(entry: &Tree) -> Option<OrderUpdate> {
    let (order, status, time) = (
        entry.only("order").ok()?,
        entry.only("status").ok()?,
        entry.only("statusTimestamp").ok()?,
    );
    let order = order?;
    let cloid = order.only("cloid").ok()?;
    Some(OrderUpdate {
        coin: Coin::new(order.only("coin").ok()??.text()?)?,
        oid: order.only("oid").ok()??.id()?,
        cloid: cloid.and_then(Tree::text).and_then(Cloid::parse),
        side: side(order.only("side").ok()??)?,
        sz: Sz::from_units(unsigned(order.only("sz").ok()??)?),
        orig_sz: Sz::from_units(unsigned(order.only("origSz").ok()??)?),
        word: VenueStatus::of(status?.text()?),
        status_time: time?.time()?,
    })
}

fn fill(row: &Tree) -> Option<Fill> {
    let optional = |key: &str| row.only(key).map(|value| value.filter(|at| !at.is_null()));
    let usd = |at: &Tree| decimal(at, 6, usize::MAX, true);
    let sz = unsigned(row.only("sz").ok()??)?;
    let (cloid, liquidation) = (optional("cloid").ok()?, optional("liquidation").ok()?);
    let tid = match optional("tid").ok()? {
        Some(tid) => tid.id()?,
        None => 0,
    };
    let fee = match optional("fee").ok()? {
        Some(fee) => usd(fee)?,
        None => 0,
    };
    (sz > 0).then_some(Fill {
        coin: Coin::new(row.only("coin").ok()??.text()?)?,
        px: Px::from_units(unsigned(row.only("px").ok()??)?),
        sz: Sz::from_units(sz),
        side: side(row.only("side").ok()??)?,
        time: row.only("time").ok()??.time()?,
        start_position: Szi::from_units(decimal(optional("startPosition").ok()??, 8, 15, false)?),
        closed_pnl: Usd::from_units(usd(optional("closedPnl").ok()??)?),
        oid: row.only("oid").ok()??.id()?,
        cloid: cloid.and_then(Tree::text).and_then(Cloid::parse),
        tid,
        fee: Usd::from_units(fee),
        liquidation: liquidation.is_some(),
    })
}

fn event(data: &Tree) -> Option<Event> {
    let known = |key: &str| data.only(key).map(|value| value.filter(|at| !at.is_null()));
    let (fills, cancels) = (known("fills").ok()?, known("nonUserCancel").ok()?);
    let (liquidation, funding) = (known("liquidation").ok()?, known("funding").ok()?);
    if !matches!(data, Tree::Map(_)) {
        return None;
    }
    Some(match (fills, cancels, liquidation, funding) {
        (Some(list), ..) => {
            let (fills, skipped) = rows(list, fill, is_perp)?;
            Event::Fills(fills, skipped)
        }
        (None, Some(list), ..) => {
            let (oids, skipped) = rows(list, |entry| entry.only("oid").ok()??.id(), |_| true)?;
            Event::Cancels(oids, skipped)
        }
        (None, None, Some(_), _) => Event::Liquidation,
        (None, None, None, Some(funding)) => {
            let (coin, usd) = (funding.only("coin").ok()?, funding.only("usdc").ok()?);
            let usd = Usd::from_units(decimal(usd?, 6, usize::MAX, true)?);
            Event::Funding(Coin::new(coin?.text()?)?, usd)
        }
        (None, None, None, None) => Event::Other,
    })
}

fn reply(response: &Tree) -> Option<Reply> {
    let (kind, payload) = (response.only("type").ok()?, response.only("payload").ok()?);
    let payload = payload?;
    let words = |at: &Tree| at.text().map(|text| Excerpt::of(text.as_bytes()));
    match kind?.text()? {
        "error" => words(payload).map(Reply::Error),
        "info" => {
            let (kind, data) = (payload.only("type").ok()?, payload.only("data").ok()?);
            (kind?.text()? == "orderStatus").then_some(())?;
            let data = data?;
            let (status, order) = (data.only("status").ok()?, data.only("order").ok()?);
            match status?.text()? {
                "order" => update(order?).map(|order| Reply::Order(Some(order))),
                "unknownOid" => Some(Reply::Order(None)),
                _ => None,
            }
        }
        "action" => {
            let (status, response) = (payload.only("status").ok()?, payload.only("response").ok()?);
            let response = response?;
            match status?.text()? {
                "err" => return words(response).map(Reply::Refused),
                "ok" => {}
                _ => return None,
            }
            let (kind, data) = (response.only("type").ok()?, response.only("data").ok()?);
            if kind.and_then(Tree::text) == Some("default") {
                return Some(Reply::Default);
            }
            let data = data?;
            let (many, one) = (data.only("statuses").ok()?, data.only("status").ok()?);
            Some(Reply::Statuses(match many {
                Some(many) => many.list()?.iter().map(status_of).collect(),
                None => vec![status_of(one?)],
            }))
        }
        _ => None,
    }
}

fn status_of(at: &Tree) -> OrderAnswer {
    let read = || {
        if at.text() == Some("success") {
            return Some(OrderAnswer::Success);
        }
        let keys = ["resting", "filled", "error"];
        let mut held = Vec::new();
        for key in keys {
            held.extend(at.only(key).ok()?.map(|value| (key, value)));
        }
        let [(key, value)] = held[..] else { return None };
        match key {
            "resting" => Some(OrderAnswer::Resting { oid: value.only("oid").ok()??.id()? }),
            "error" => Some(OrderAnswer::Error(Excerpt::of(value.text()?.as_bytes()))),
            _ => {
                let avg = decimal(value.only("avgPx").ok()??, 8, usize::MAX, true)?;
                let oid = value.only("oid").ok()??.id()?;
                let total = unsigned(value.only("totalSz").ok()??)?;
                let negative = value.only("avgPx").ok()??.is_signed();
                (total > 0 && !negative).then_some(OrderAnswer::Filled {
                    total_sz: Sz::from_units(total),
                    avg_px: Px::from_units(avg),
                    oid,
                })
            }
        }
    };
    read().unwrap_or(OrderAnswer::Unknown)
}

fn side(at: &Tree) -> Option<Side> {
    match at.text()? {
        "A" => Some(Side::Sell),
        "B" => Some(Side::Buy),
        _ => None,
    }
}

fn unsigned(at: &Tree) -> Option<i64> {
    if at.is_signed() { None } else { decimal(at, 8, 15, false) }
}

/// A decimal in units of 10^-`places`, from a text or a number; of a double with more significant
/// digits than `faithful`, nothing.
fn decimal(at: &Tree, places: usize, faithful: usize, truncate: bool) -> Option<i64> {
    let text = match at {
        Tree::Text(text) => text.clone(),
        Tree::Whole(whole) => whole.to_string(),
        Tree::Negative(whole) => whole.to_string(),
        Tree::Float(float) => {
            let text = float.to_string();
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            (text.len() <= 32 && digits.trim_matches('0').len() <= faithful).then_some(text)?
        }
        _ => return None,
    };
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, &*text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let (kept, dropped) = fraction.split_at(fraction.len().min(places));
    if !truncate && dropped.contains(|c| c != '0') {
        return None;
    }
    let all = format!("{whole}{kept:0<places$}");
    let all = all.trim_start_matches('0');
    if all.len() > 18 { None } else { Some(sign * all.parse().unwrap_or(0)) }
}

/// JSON as it was written.
#[derive(Debug)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Whole(u64),
    Negative(i64),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    fn is_null(&self) -> bool {
        matches!(self, Tree::Null)
    }

    fn is_signed(&self) -> bool {
        match self {
            Tree::Text(text) => text.starts_with('-'),
            Tree::Float(float) => float.is_sign_negative(),
            Tree::Negative(_) => true,
            _ => false,
        }
    }

    /// The member `key`; an error when there are two, or when this is no map.
    fn only(&self, key: &str) -> Result<Option<&Tree>, ()> {
        let Tree::Map(members) = self else { return Err(()) };
        let mut named = members.iter().filter(|(name, _)| name == key).map(|(_, value)| value);
        match (named.next(), named.next()) {
            (_, Some(_)) => Err(()),
            (value, None) => Ok(value),
        }
    }

    fn text(&self) -> Option<&str> {
        if let Tree::Text(text) = self { Some(text) } else { None }
    }

    fn list(&self) -> Option<&[Tree]> {
        if let Tree::List(list) = self { Some(list) } else { None }
    }

    fn id(&self) -> Option<u64> {
        if let Tree::Whole(whole) = self { Some(*whole) } else { None }
    }

    fn time(&self) -> Option<VenueMs> {
        i64::try_from(self.id()?).ok().map(VenueMs)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Grow)
    }
}

struct Grow;

impl<'de> Visitor<'de> for Grow {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Whole(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Negative(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Tree::Map(map))
    }
}
