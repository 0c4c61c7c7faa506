//! A client with a key: it packs, signs and sends actions by code of its own.

use hip3::types::num::{Rate, Usd};
use hip3::types::time::{Mono, Nanos};
use hip3::venue::{AccountSettings, Address, ConnId, Faults, Settings, Timing};
use k256::ecdsa::SigningKey;
use serde::Serialize;
use serde_json::Value;
use sha3::{Digest, Keccak256};

use crate::support::{Floor, px, sz, texts};

fn keccak(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[derive(Clone, Serialize)]
pub(crate) struct Orders {
    r#type: &'static str,
    pub(crate) orders: Vec<Order>,
    grouping: &'static str,
}

#[derive(Clone, Serialize)]
pub(crate) struct Order {
    pub(crate) a: u32,
    pub(crate) b: bool,
    pub(crate) p: String,
    pub(crate) s: String,
    pub(crate) r: bool,
    pub(crate) t: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) c: Option<String>,
}

#[derive(Clone, Serialize)]
pub(crate) struct Kind {
    limit: Limit,
}

#[derive(Clone, Serialize)]
struct Limit {
    tif: &'static str,
}

#[derive(Clone, Serialize)]
pub(crate) struct Cancels {
    r#type: &'static str,
    cancels: Vec<Cancel>,
}

#[derive(Clone, Serialize)]
struct Cancel {
    a: u32,
    o: u64,
}

#[derive(Clone, Serialize)]
pub(crate) struct Noop {
    r#type: &'static str,
}

#[derive(Clone, Serialize)]
pub(crate) struct SetMode {
    r#type: &'static str,
    abstraction: &'static str,
}

pub(crate) fn order(asset: u32, buy: bool, px: &str, sz: &str, tif: &'static str) -> Order {
    let (p, s) = (px.to_owned(), sz.to_owned());
    Order { a: asset, b: buy, p, s, r: false, t: Kind { limit: Limit { tif } }, c: None }
}

pub(crate) fn orders(orders: Vec<Order>) -> Orders {
    Orders { r#type: "order", orders, grouping: "na" }
}

pub(crate) fn ioc(asset: u32, buy: bool, px: &str, sz: &str) -> Orders {
    orders(vec![order(asset, buy, px, sz, "Ioc")])
}

pub(crate) fn cancel(asset: u32, oid: u64) -> Cancels {
    Cancels { r#type: "cancel", cancels: vec![Cancel { a: asset, o: oid }] }
}

pub(crate) fn noop() -> Noop {
    Noop { r#type: "noop" }
}

pub(crate) fn set_mode(abstraction: &'static str) -> SetMode {
    SetMode { r#type: "agentSetAbstraction", abstraction }
}

/// A key and what it signed last.
pub(crate) struct Trader {
    key: SigningKey,
    pub(crate) nonce: u64,
    mainnet: bool,
}

impl Trader {
    /// The trader of this number: its key is a hash.
    pub(crate) fn new(number: u64) -> Self {
        let key = SigningKey::from_slice(&keccak(&number.to_be_bytes())).unwrap();
        Self { key, nonce: 1_791_480_000_000, mainnet: false }
    }

    /// Signs for the other network.
    pub(crate) fn on_mainnet(self) -> Self {
        Self { mainnet: true, ..self }
    }

    pub(crate) fn address(&self) -> Address {
        let point = self.key.verifying_key().to_sec1_point(false);
        let hash = keccak(&point.as_bytes()[1..]);
        Address(hash[12..].try_into().unwrap())
    }

    /// The body that asks for `action`.
    pub(crate) fn sign(&mut self, action: &impl Serialize) -> String {
        self.nonce += 1;
        self.sign_at(action, self.nonce, None)
    }

    /// The same with everything said.
    pub(crate) fn sign_at(
        &self,
        action: &impl Serialize,
        nonce: u64,
        until: Option<u64>,
    ) -> String {
        let mut bytes = rmp_serde::to_vec_named(action).unwrap();
        bytes.extend(nonce.to_be_bytes());
        bytes.push(0);
        if let Some(until) = until {
            bytes.push(0);
            bytes.extend(until.to_be_bytes());
        }
        let source: &[u8] = if self.mainnet { b"a" } else { b"b" };
        let agent = keccak(b"Agent(string source,bytes32 connectionId)");
        let agent = keccak(&[agent, keccak(source), keccak(&bytes)].concat());
        let domain = "d79297fcdf2ffcd4ae223d01edaa2ba214ff8f401d7c9300d995d17c82aa4040";
        let domain: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&domain[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let digest = keccak(&[&[0x19, 0x01][..], &domain, &agent].concat());
        let (signature, id) = self.key.sign_prehash_recoverable(&digest);
        let (r, s) = signature.split_bytes();
        let (r, s, v) = (hex(&r), hex(&s), 27 + id.to_byte());
        let action = serde_json::to_string(action).unwrap();
        let until = until.map_or("null".to_owned(), |until| until.to_string());
        format!(
            r#"{{"action":{action},"nonce":{nonce},"signature":{{"r":"{r}","s":"{s}","v":{v}}},"vaultAddress":null,"expiresAfter":{until}}}"#
        )
    }
}

/// Position of `xyz:TSLA`, cross margin, and of `xyz:RIVN`, isolated.
pub(crate) const TSLA: u32 = 110_002;
pub(crate) const RIVN: u32 = 110_008;

/// What everybody here begins with: 1000 USD.
pub(crate) const DEPOSIT: Usd = Usd::from_units(1_000_000_000);

/// A trader with an agent, an account, and a listener on one connection.
pub(crate) struct Desk {
    pub(crate) floor: Floor,
    pub(crate) conn: ConnId,
    /// The account's own key.
    pub(crate) master: Trader,
    /// Its named agent's.
    pub(crate) agent: Trader,
    pub(crate) user: Address,
    id: u64,
}

impl Desk {
    pub(crate) fn new(faults: &str) -> Self {
        Self::with(Settings { faults: Faults::from_toml(faults).unwrap(), ..Settings::default() })
    }

    /// A still venue with books of 10 TSLA at 412.5 and 412.7, and of 1000 RIVN at 15.2 and 15.25.
    pub(crate) fn with(settings: Settings) -> Self {
        let (master, agent) = (Trader::new(1), Trader::new(2));
        let user = master.address();
        let account = AccountSettings {
            address: user,
            deposit: DEPOSIT,
            agents: vec![("engine".to_owned(), agent.address(), None)],
            vault_of: None,
            referral_discount: Rate::parse(b"0.04").unwrap(),
        };
        let accounts = vec![account];
        let mut floor = Floor::new(Settings { markets: 9, still: true, accounts, ..settings });
        let quote = |bid, ask, size| (Some((px(bid), sz(size))), Some((px(ask), sz(size))));
        for (coin, (bid, ask)) in [
            ("xyz:TSLA", quote("412.5", "412.7", "10")),
            ("xyz:RIVN", quote("15.2", "15.25", "1000")),
        ] {
            floor.venue.set_quote(coin, bid, ask).unwrap();
        }
        let conn = floor.connect();
        Self { floor, conn, master, agent, user, id: 0 }
    }

    /// One whose every delay is its shortest.
    pub(crate) fn quick() -> Self {
        let timing = Timing {
            action_ms: (1, 1),
            answer_ms: (1, 1),
            refusal_ms: (1, 1),
            updates_ms: (0, 0),
            fills_ms: (0, 0),
        };
        Self::with(Settings { timing, ..Settings::default() })
    }

    /// Listens to the news of the account.
    pub(crate) fn listen(&mut self) {
        for kind in ["orderUpdates", "userFills", "userEvents"] {
            let user = self.user;
            self.floor.subscribe(self.conn, &format!(r#"{{"type":"{kind}","user":"{user}"}}"#));
        }
        self.floor.heard();
    }

    /// Posts a signed body; returns the post's id.
    pub(crate) fn post(&mut self, body: &str) -> u64 {
        self.id += 1;
        let id = self.id;
        let request = format!(r#"{{"type":"action","payload":{body}}}"#);
        self.floor.say(self.conn, &format!(r#"{{"method":"post","id":{id},"request":{request}}}"#));
        id
    }

    /// What is heard within `ms`, with the millisecond of each frame. A pong keeps the line open.
    pub(crate) fn listen_for(&mut self, ms: u64) -> Vec<(u64, Value)> {
        let mut heard = Vec::new();
        let end = self.floor.now.plus(Nanos::from_millis(ms));
        while self.floor.now < end {
            self.floor.pass(1);
            let at = self.floor.now.since(Mono(0)).as_millis();
            let frames = texts(&self.floor.heard());
            heard.extend(frames.iter().map(|text| (at, serde_json::from_str(text).unwrap())));
        }
        heard
    }

    /// Asks for `action` as the agent, and returns the payload of the answer.
    pub(crate) fn act(&mut self, action: &impl Serialize) -> Value {
        let body = self.agent.sign(action);
        self.answer_to(&body)
    }

    /// Sends `body` and returns the payload of its answer.
    pub(crate) fn answer_to(&mut self, body: &str) -> Value {
        let id = self.post(body);
        for _ in 0..1_000 {
            self.floor.pass(10);
            for text in texts(&self.floor.heard()) {
                let frame: Value = serde_json::from_str(&text).unwrap();
                if frame["channel"] == "post" && frame["data"]["id"] == id {
                    assert_eq!(frame["data"]["response"]["type"], "action");
                    return frame["data"]["response"]["payload"].clone();
                }
            }
        }
        panic!("no answer within ten seconds");
    }

    /// The only status of an answer.
    pub(crate) fn status(&mut self, action: &impl Serialize) -> Value {
        let answer = self.act(action);
        assert_eq!(answer["status"], "ok", "{answer}");
        let statuses = answer["response"]["data"]["statuses"].as_array().unwrap();
        assert_eq!(statuses.len(), 1);
        statuses[0].clone()
    }

    /// Asks a question about the account, on the watched dex.
    pub(crate) fn ask(&mut self, kind: &str) -> Value {
        self.ask_with(kind, r#","dex":"xyz""#)
    }

    pub(crate) fn ask_with(&mut self, kind: &str, more: &str) -> Value {
        let user = self.user;
        self.floor.ask(&format!(r#"{{"type":"{kind}","user":"{user}"{more}}}"#))
    }

    pub(crate) fn books(&self) -> hip3::venue::Books {
        self.floor.venue.books(self.user).unwrap()
    }
}

/// The frames of one channel.
pub(crate) fn of<'a>(
    heard: &'a [(u64, Value)],
    channel: &'a str,
) -> impl Iterator<Item = (u64, &'a Value)> {
    let of = move |(_, frame): &&(u64, Value)| frame["channel"] == channel;
    heard.iter().filter(of).map(|(at, frame)| (*at, &frame["data"]))
}
