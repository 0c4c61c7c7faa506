//! The orders that the engine has sent, by whichever process, and what they could come to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::simulation::shadow::{decimal, units};
use crate::types::order::Cloid;
use crate::types::time::Mono;
use crate::venue::{Address, Venue};

/// An order as the engine sent it; numbers in units of 1e-8.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct Sent {
    pub(in crate::simulation) cloid: Cloid,
    pub(in crate::simulation) asset: usize,
    pub(in crate::simulation) buy: bool,
    pub(in crate::simulation) px: i128,
    pub(in crate::simulation) sz: i128,
    pub(in crate::simulation) reduce_only: bool,
    /// Process and post that carried it.
    post: (u64, u64),
    /// After this the venue takes it no more, milliseconds of its time.
    expires: i64,
}

impl Sent {
    /// Its value at its limit, in 1e-16 USD.
    fn value(&self) -> i128 {
        self.px * self.sz
    }
}

/// What an action was.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct Action {
    pub(in crate::simulation) orders: Vec<Sent>,
}

/// What is held and may be, in 1e-16 USD.
#[derive(Clone, Debug, Default)]
pub(in crate::simulation) struct Stake {
    /// By coin.
    pub(in crate::simulation) by_coin: BTreeMap<String, i128>,
}

impl Stake {
    /// In all.
    pub(in crate::simulation) fn total(&self) -> i128 {
        self.by_coin.values().sum()
    }
}

/// An amount in 1e-16 USD, for people.
pub(in crate::simulation) fn dollars(amount: i128) -> String {
    format!("{:.6}", amount as f64 / 1e16)
}

impl fmt::Display for Stake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (coin, value)) in self.by_coin.iter().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}{coin} {}", dollars(*value))?;
        }
        Ok(())
    }
}

/// What an answer called filled.
#[derive(Clone, Debug)]
struct Announced {
    oid: u64,
    asset: usize,
    reduce_only: bool,
    /// Price and size in units of 1e-8.
    px: i128,
    sz: i128,
}

/// Everything sent.
#[derive(Clone, Debug, Default)]
pub(in crate::simulation) struct Orders {
    names: BTreeSet<Cloid>,
    nonces: BTreeSet<u64>,
    /// What may still fill.
    live: Vec<Sent>,
    /// What this process sent and has no answer to, by post.
    unanswered: BTreeMap<(u64, u64), Vec<Sent>>,
    /// What answers called filled, and the account's books at the venue do not have.
    announced: Vec<Announced>,
    /// Limit of the last sale that was to open, by asset.
    sale_limits: BTreeMap<usize, i128>,
}

impl Orders {
    /// Reads a frame that the engine sends. `Ok(None)` for one that asks for no orders.
    pub(in crate::simulation) fn read(
        &mut self,
        process: u64,
        text: &str,
    ) -> Result<Option<Action>, String> {
        if !text.contains(r#""method":"post""#) {
            return Ok(None);
        }
        let frame: Value =
            serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
        let (post, request) = (&frame["id"], &frame["request"]);
        if request["type"] != "action" {
            return Ok(None);
        }
        let payload = &request["payload"];
        let post = post.as_u64().ok_or("a post without an id")?;
        let nonce = payload["nonce"].as_u64().ok_or("an action without a nonce")?;
        if !self.nonces.insert(nonce) {
            return Err(format!("nonce {nonce} was used before"));
        }
        let action = &payload["action"];
        if action["type"] != "order" {
            return Ok(None);
        }
        let expires = payload["expiresAfter"].as_i64().ok_or("orders that never expire")?;
        let list = action["orders"].as_array().ok_or("an action without orders")?;
        let mut orders = Vec::new();
        for one in list {
            let order = order(one, (process, post), expires)
                .ok_or_else(|| format!("an order that cannot be read: {one}"))?;
            if one["t"]["limit"]["tif"] != "Ioc" {
                return Err(format!("not immediate or cancel: {one}"));
            }
            if !self.names.insert(order.cloid) {
                return Err(format!("cloid {} was used before", order.cloid));
            }
            orders.push(order);
        }
        Ok(Some(Action { orders }))
    }

    /// Orders left.
    pub(in crate::simulation) fn sent(&mut self, action: Action) {
        if let Some(first) = action.orders.first() {
            self.unanswered.insert(first.post, action.orders.clone());
        }
        let sales = action.orders.iter().filter(|order| !order.buy && !order.reduce_only);
        self.sale_limits.extend(sales.map(|order| (order.asset, order.px)));
        self.live.extend(action.orders);
    }

    /// A process has begun: what was announced to another it cannot know.
    pub(in crate::simulation) fn born(&mut self) {
        self.unanswered.clear();
        self.announced.clear();
    }

    /// A person has looked at what the venue denies.
    pub(in crate::simulation) fn released(&mut self) {
        self.announced.clear();
    }

    /// A frame was heard: the answer to a post says that its orders are done with, and what of them
    /// was filled.
    pub(in crate::simulation) fn heard(
        &mut self,
        process: u64,
        text: &str,
        venue: &Venue,
        user: Address,
    ) {
        let waiting = !self.live.is_empty() || !self.unanswered.is_empty();
        if !waiting || !text.contains(r#""channel":"post""#) {
            return;
        }
        let Ok(frame) = serde_json::from_str::<Value>(text) else { return };
        let response = &frame["data"]["response"];
        let Some(post) = frame["data"]["id"].as_u64().filter(|_| response["type"] == "action")
        else {
            return;
        };
        self.live.retain(|order| order.post != (process, post));
        let orders = self.unanswered.remove(&(process, post)).unwrap_or_default();
        let statuses = response["payload"]["response"]["data"]["statuses"].as_array();
        for (order, status) in orders.iter().zip(statuses.into_iter().flatten()) {
            let filled = &status["filled"];
            if let (Some(oid), Some(sz), Some(px)) =
                (filled["oid"].as_u64(), decimal(&filled["totalSz"]), decimal(&filled["avgPx"]))
                && !venue.has_fill(user, oid)
            {
                let (asset, reduce_only) = (order.asset, order.reduce_only);
                self.announced.push(Announced { oid, asset, reduce_only, px, sz });
            }
        }
    }

    /// What answers called bought and no answer called sold, by asset and in 1e-16 USD, of what the
    /// account's books at the venue do not have.
    fn unaccounted(&mut self, venue: &Venue, user: Address) -> BTreeMap<usize, i128> {
        self.announced.retain(|one| !venue.has_fill(user, one.oid));
        let mut net: BTreeMap<usize, (i128, i128)> = BTreeMap::new();
        for one in &self.announced {
            let (sz, px) = net.entry(one.asset).or_default();
            match one.reduce_only {
                true => *sz = (*sz - one.sz).max(0),
                false => (*sz, *px) = (*sz + one.sz, one.px.max(*px)),
            }
        }
        net.retain(|_, (sz, _)| *sz > 0);
        net.into_iter().map(|(asset, (sz, px))| (asset, sz * px)).collect()
    }

    /// Whether an answer called something bought there that the account's books do not have.
    pub(in crate::simulation) fn is_announced(
        &mut self,
        asset: usize,
        venue: &Venue,
        user: Address,
    ) -> bool {
        !self.announced.is_empty() && self.unaccounted(venue, user).contains_key(&asset)
    }

    /// What may still fill, after asking the venue.
    pub(in crate::simulation) fn live(
        &mut self,
        now: Mono,
        venue: &Venue,
        user: Address,
    ) -> &[Sent] {
        let time = venue.time(now).0;
        self.live.retain(|order| time <= order.expires && !venue.knows_order(user, order.cloid));
        &self.live
    }

    /// What is at stake: positions at their entry price, what answers called bought beside them, and
    /// orders that could open at their limit. A sale fills above its limit when the book jumps while it is
    /// under way, for better; limits count that up to 1 %, and so does this.
    pub(in crate::simulation) fn stake(
        &mut self,
        now: Mono,
        venue: &Venue,
        user: Address,
        coins: &[String],
    ) -> Stake {
        let mut stake = Stake::default();
        for (coin, szi, px) in venue.stakes(user) {
            let entry = i128::from(px.units());
            let asset = coins.iter().position(|known| *known == coin).map(|at| 110_000 + at);
            let limit = asset.filter(|_| szi.units() < 0).and_then(|at| self.sale_limits.get(&at));
            // Written here once more: what the engine counts with is what is judged.
            let px = limit.map_or(entry, |limit| entry.min(limit + limit / 100));
            let value = i128::from(szi.units()).abs() * px;
            *stake.by_coin.entry(coin).or_default() += value;
        }
        for (asset, value) in self.unaccounted(venue, user) {
            let coin = coins.get(asset % 10_000).cloned().unwrap_or_default();
            *stake.by_coin.entry(coin).or_default() += value;
        }
        for order in self.live(now, venue, user).iter().filter(|order| !order.reduce_only) {
            let coin = coins.get(order.asset % 10_000).cloned().unwrap_or_default();
            *stake.by_coin.entry(coin).or_default() += order.value();
        }
        stake
    }

    /// Orders sent in all.
    pub(in crate::simulation) fn count(&self) -> usize {
        self.names.len()
    }
}

fn order(one: &Value, post: (u64, u64), expires: i64) -> Option<Sent> {
    Some(Sent {
        cloid: Cloid::parse(one["c"].as_str()?)?,
        asset: usize::try_from(one["a"].as_u64()?).ok()?,
        buy: one["b"].as_bool()?,
        px: units(one["p"].as_str()?)?,
        sz: units(one["s"].as_str()?)?,
        reduce_only: one["r"].as_bool()?,
        post,
        expires,
    })
}
