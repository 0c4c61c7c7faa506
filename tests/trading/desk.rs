//! A trading engine in virtual time, and a venue whose every answer the test writes.

use std::ops::{Deref, DerefMut};

use hip3::engine::{Engine, Wallet};
use hip3::executor::encode::Encoder;
use hip3::executor::signer::{Key, Signer, SigningNetwork};
use hip3::types::account::{AccountMode, AccountState, DexAccount, HeldPosition, RateLimit};
use hip3::types::config::Config;
use hip3::types::event::Event;
use hip3::types::hard_stop::{HardStop, StopReason};
use hip3::types::ids::Coin;
use hip3::types::num::{Px, Szi, Usd};
use hip3::types::order::Fill;
use hip3::types::record::{Decision, OrderRow, Row, TradeRow};
use hip3::types::time::VenueMs;
use serde_json::Value;

use super::support::{self, FIRST_ID, START, Scenario};

pub(crate) const ONE: &str = "tst:ONE";
pub(crate) const TWO: &str = "tst:TWO";
pub(crate) const USER: &str = "0x00000000000000000000000000000000000000aa";

pub(crate) fn px(text: &str) -> Px {
    Px::parse(text.as_bytes()).expect("a price")
}

pub(crate) fn szi(text: &str) -> Szi {
    Szi::parse_signed(text.as_bytes()).expect("a position")
}

pub(crate) fn usd(text: &str) -> Usd {
    Usd::parse_signed(text.as_bytes()).expect("an amount")
}

/// Defaults, with short averages and one signal a cross.
pub(crate) fn config() -> Config {
    let mut config = support::config();
    config.account.user_address = Some(USER.to_owned());
    config
}

pub(crate) struct Desk {
    scenario: Scenario,
    /// The account as a reading would show it.
    pub(crate) account: AccountState,
    next_oid: u64,
    next_tid: u64,
    /// Posts that were looked at.
    seen: usize,
}

impl Deref for Desk {
    type Target = Scenario;
    fn deref(&self) -> &Scenario {
        &self.scenario
    }
}

impl DerefMut for Desk {
    fn deref_mut(&mut self) -> &mut Scenario {
        &mut self.scenario
    }
}

/// A key that nobody else has: made of the moment and an address in memory.
fn throwaway_key() -> Key {
    let mut bytes = [0x5a; 32];
    let here = std::ptr::from_ref(&bytes) as usize;
    bytes[..8].copy_from_slice(&here.to_le_bytes());
    bytes[8..12].copy_from_slice(&std::process::id().to_le_bytes());
    Key::from_bytes(&bytes).expect("a key")
}

pub(crate) fn engine(config: &Config, first_id: u64, latch: HardStop) -> Engine {
    let signer = Signer::new(throwaway_key(), None);
    let encoder = Encoder::new(signer, SigningNetwork::Testnet, None);
    let wallet = Wallet { encoder, user: USER.to_owned() };
    Engine::trading(config, first_id, 7, wallet, latch)
}

impl Desk {
    /// An engine that has heard nothing, and an account with 1000 USD.
    pub(crate) fn silent(config: &Config, latch: HardStop) -> Self {
        Self::of(engine(config, FIRST_ID, latch))
    }

    /// The same of an engine made elsewhere.
    pub(crate) fn of(engine: Engine) -> Self {
        let scenario = Scenario::of(engine);
        let start = VenueMs(START.0 / 1_000_000);
        let dex = DexAccount {
            dex: "tst".to_owned(),
            time: start,
            value: usd("1000"),
            withdrawable: usd("1000"),
            positions: Vec::new(),
        };
        let account = AccountState {
            mode: AccountMode::Standard,
            dexes: vec![dex],
            available: Some(usd("1000")),
            rate_limit: RateLimit { used: 100, cap: 10_100 },
            fills: Vec::new(),
            fills_since: start,
        };
        Self { scenario, account, next_oid: 500, next_tid: 900, seen: 0 }
    }

    /// Connected, channels of the account acknowledged, the account read, leverage set, markets
    /// calm: ready for a dislocation.
    pub(crate) fn ready(config: &Config) -> Self {
        Self::silent(config, HardStop::default()).made_ready()
    }

    /// What led there is forgotten.
    pub(crate) fn made_ready(self) -> Self {
        let mut desk = self;
        desk.start();
        assert!(desk.trading().ready.all(), "{:?}", desk.trading().ready);
        desk.rows.clear();
        desk.log_events.clear();
        desk
    }

    pub(crate) fn start(&mut self) {
        self.event(Event::Tick);
        self.reread();
        self.event(Event::Connected);
        self.acknowledge();
        self.calm_quotes();
        self.read();
        self.set_leverage();
    }

    pub(crate) fn acknowledge(&mut self) {
        for kind in ["orderUpdates", "userFills", "userEvents"] {
            self.frame(&format!(
                r#"{{"channel":"subscriptionResponse","data":{{"method":"subscribe","subscription":{{"type":"{kind}","user":"{USER}"}}}}}}"#
            ));
        }
    }

    /// The account is read, as of now.
    pub(crate) fn read(&mut self) {
        let now = self.venue_ms();
        self.account.dexes[0].time = VenueMs(now);
        let state = self.account.clone();
        self.event(Event::Account(&state));
    }

    /// Says yes to every leverage that is asked for.
    pub(crate) fn set_leverage(&mut self) {
        for _ in 0..4 {
            self.pass_ms(60);
            for (id, action) in self.new_posts() {
                assert_eq!(action["type"], "updateLeverage", "{action}");
                assert_eq!(action["isCross"], false);
                self.answer(id, r#"{"status":"ok","response":{"type":"default"}}"#);
            }
        }
    }

    /// Lets time pass while the venue goes on telling of both markets.
    pub(crate) fn live_ms(&mut self, ms: u64) {
        for _ in 0..ms / 1_000 {
            self.pass_ms(1_000);
            self.ctx(ONE, "100");
            self.ctx(TWO, "100");
        }
        self.pass_ms(ms % 1_000);
    }

    pub(crate) fn venue_ms(&self) -> i64 {
        self.now().wall.0 / 1_000_000
    }

    pub(crate) fn trading(&self) -> hip3::types::status::Trading {
        self.status().trading
    }

    /// Posts since the last call: id and action, or the info's payload.
    pub(crate) fn new_posts(&mut self) -> Vec<(u64, Value)> {
        self.new_signed_posts().into_iter().map(|(id, _, what)| (id, what)).collect()
    }

    /// The same with the nonces of what is signed, zero of questions.
    pub(crate) fn new_signed_posts(&mut self) -> Vec<(u64, u64, Value)> {
        let texts: Vec<String> = self.sent[self.seen..].to_vec();
        self.seen = self.sent.len();
        texts
            .iter()
            .map(|text| serde_json::from_str::<Value>(text).expect("JSON"))
            .filter(|frame| frame["method"] == "post")
            .map(|frame| {
                let payload = &frame["request"]["payload"];
                let what = payload.get("action").unwrap_or(payload).clone();
                let nonce = payload["nonce"].as_u64().unwrap_or_default();
                (frame["id"].as_u64().expect("an id"), nonce, what)
            })
            .collect()
    }

    /// The one post since the last call, with one order: its id and the order.
    pub(crate) fn sent_order(&mut self) -> (u64, Value) {
        let posts = self.new_posts();
        assert_eq!(posts.len(), 1, "{posts:#?}");
        let (id, action) = posts[0].clone();
        let orders = action["orders"].as_array().expect("orders").clone();
        assert_eq!(orders.len(), 1, "{action}");
        (id, orders[0].clone())
    }

    pub(crate) fn nothing_sent(&mut self) {
        let posts = self.new_posts();
        assert!(posts.is_empty(), "{posts:#?}");
    }

    /// Answers a post that carried an action.
    pub(crate) fn answer(&mut self, id: u64, body: &str) {
        self.frame(&format!(
            r#"{{"channel":"post","data":{{"id":{id},"response":{{"type":"action","payload":{body}}}}}}}"#
        ));
    }

    pub(crate) fn answer_status(&mut self, id: u64, status: &str) {
        self.answer(
            id,
            &format!(r#"{{"status":"ok","response":{{"type":"order","data":{{"statuses":[{status}]}}}}}}"#),
        );
    }

    pub(crate) fn answer_error(&mut self, id: u64, words: &str) {
        self.answer_status(id, &format!(r#"{{"error":"{words}"}}"#));
    }

    pub(crate) fn answer_refused(&mut self, id: u64, words: &str) {
        self.answer(id, &format!(r#"{{"status":"err","response":"{words}"}}"#));
    }

    pub(crate) fn answer_filled(&mut self, id: u64, sz: &str, px: &str) -> u64 {
        self.next_oid += 1;
        let oid = self.next_oid;
        let status = format!(r#"{{"filled":{{"totalSz":"{sz}","avgPx":"{px}","oid":{oid}}}}}"#);
        self.answer_status(id, &status);
        oid
    }

    /// A fill of `order` (as it was sent) as the venue would tell it.
    pub(crate) fn fill_of(&mut self, order: &Value, sz: &str, px_text: &str, fee: &str) -> Fill {
        self.next_tid += 1;
        let side = if order["b"] == true {
            hip3::types::num::Side::Buy
        } else {
            hip3::types::num::Side::Sell
        };
        let coin = if order["a"] == 110_000 { ONE } else { TWO };
        Fill {
            coin: Coin::new(coin).expect("a coin"),
            px: px(px_text),
            sz: hip3::types::num::Sz::parse(sz.as_bytes()).expect("a size"),
            side,
            time: VenueMs(self.venue_ms()),
            start_position: Szi::ZERO,
            closed_pnl: Usd::ZERO,
            oid: self.next_oid,
            cloid: hip3::types::order::Cloid::parse(order["c"].as_str().expect("a cloid")),
            tid: self.next_tid,
            fee: usd(fee),
            liquidation: false,
        }
    }

    pub(crate) fn tell_fill(&mut self, fill: &Fill) {
        let side = if fill.side == hip3::types::num::Side::Buy { "B" } else { "A" };
        let cloid = fill.cloid.map(|cloid| format!(r#","cloid":"{cloid}""#)).unwrap_or_default();
        let liquidation = if fill.liquidation {
            format!(
                r#","liquidation":{{"liquidatedUser":"{USER}","markPx":"99.0","method":"market"}}"#
            )
        } else {
            String::new()
        };
        self.frame(&format!(
            r#"{{"channel":"userFills","data":{{"user":"{USER}","fills":[{{"coin":"{}","px":"{}","sz":"{}","side":"{side}","time":{},"startPosition":"{}","dir":"Open Long","closedPnl":"{}","hash":"0x00","oid":{},"crossed":true,"fee":"{}","tid":{}{cloid}{liquidation},"feeToken":"USDC","twapId":null}}]}}}}"#,
            fill.coin, fill.px, fill.sz, fill.time.0, fill.start_position, fill.closed_pnl, fill.oid, fill.fee, fill.tid
        ));
    }

    /// Answer and fill of an order that was sent, at its limit, whole.
    pub(crate) fn fill_whole(&mut self, id: u64, order: &Value, fee: &str) -> Fill {
        let (sz, px) = (text(order, "s"), text(order, "p"));
        self.answer_filled(id, &sz, &px);
        let fill = self.fill_of(order, &sz, &px, fee);
        self.tell_fill(&fill);
        fill
    }

    /// A dislocation that should be bought: the ask falls 40 bps below the oracle.
    pub(crate) fn dislocate(&mut self, coin: &str) {
        self.bbo(coin, "99.55", "99.6");
    }

    /// An entry of 0.5 coins at 99.6 that was sent and filled whole.
    pub(crate) fn enter(&mut self, coin: &str) -> Value {
        self.dislocate(coin);
        let (id, order) = self.sent_order();
        self.fill_whole(id, &order, "0.004482");
        order
    }

    pub(crate) fn decisions(&self) -> Vec<String> {
        self.signals().iter().map(|signal| signal.decision.to_string()).collect()
    }

    pub(crate) fn last_decision(&self) -> Option<Decision> {
        self.signals().last().map(|signal| signal.decision)
    }

    pub(crate) fn orders(&self) -> Vec<OrderRow> {
        let row = |row: &Row| if let Row::Order(row) = row { Some(*row) } else { None };
        self.rows.iter().filter_map(row).collect()
    }

    pub(crate) fn trades(&self) -> Vec<TradeRow> {
        let row = |row: &Row| if let Row::Trade(row) = row { Some(*row) } else { None };
        self.rows.iter().filter_map(row).collect()
    }

    pub(crate) fn stopped_for(&self, reason: StopReason) -> bool {
        self.trading().hard_stop.holds(reason)
    }

    /// Lets the account hold this much of a coin.
    pub(crate) fn hold(&mut self, coin: &str, size: &str, entry: &str) {
        let coin = Coin::new(coin).expect("a coin");
        self.account.dexes[0].positions.retain(|held| held.coin != coin);
        let szi = szi(size);
        if !szi.is_flat() {
            self.account.dexes[0].positions.push(HeldPosition {
                coin,
                szi,
                entry_px: Some(px(entry)),
                leverage: 5,
                isolated: true,
                margin_used: usd("10"),
            });
        }
    }
}

pub(crate) fn text(order: &Value, key: &str) -> String {
    order[key].as_str().expect("a text").to_owned()
}
