//! Tests of the clearing house, from action to outcome.

mod door;
mod house;
mod matching;
mod rules;
mod storm;

use crate::types::market::MarginMode;
use crate::types::num::{Px, Rate, Side, Sz, Szi, Usd};
use crate::types::order::Cloid;
use crate::types::time::{Mono, Nanos, VenueMs};
use crate::venue::action::{Action, Address, NewOrder, Signed, Tif, Which};
use crate::venue::book::{Owner, Resting};
use crate::venue::clearing::block::asset_of;
use crate::venue::clearing::{
    Account, AccountSettings, Clearing, FillRow, Outcome, Role, Ticket, UpdateRow,
};
use crate::venue::dice::Dice;
use crate::venue::listing::first_dex;
use crate::venue::market::{Market, Status, Struck};

fn px(text: &str) -> Px {
    Px::parse(text.as_bytes()).expect("a price")
}

fn sz(text: &str) -> Sz {
    Sz::parse(text.as_bytes()).expect("a size")
}

fn usd(text: &str) -> Usd {
    Usd::parse_signed(text.as_bytes()).expect("an amount")
}

fn szi(text: &str) -> i64 {
    Szi::parse_signed(text.as_bytes()).expect("a position").units()
}

/// An account that can do what it likes.
fn rich() -> Address {
    Address::numbered(1)
}

/// Another.
fn other() -> Address {
    Address::numbered(2)
}

/// Signs for the rich one.
fn agent() -> Address {
    Address::numbered(3)
}

fn settings(address: Address, deposit: &str) -> AccountSettings {
    AccountSettings {
        address,
        deposit: usd(deposit),
        agents: Vec::new(),
        vault_of: None,
        referral_discount: Rate::ZERO,
    }
}

/// A clearing house with a still market of two size decimals around 100, `xyz:TSLA`, and a second
/// of the same kind.
struct Desk {
    clearing: Clearing,
    markets: Vec<Market>,
    time: VenueMs,
    now: Mono,
    nonce: u64,
    out: Vec<Outcome>,
}

/// The asset ids of its markets.
const FIRST: u32 = 110_000;
const SECOND: u32 = 110_001;

impl Desk {
    fn new() -> Self {
        let mut rich = settings(rich(), "1000000");
        rich.agents = vec![(String::new(), agent(), None)];
        Self::with(&[rich, settings(other(), "1000000")])
    }

    fn with(accounts: &[AccountSettings]) -> Self {
        let now = Mono(1_000_000_000);
        let mut markets = Vec::new();
        for (index, mut listing) in first_dex("xyz", 4).into_iter().skip(2).enumerate() {
            (listing.sz_decimals, listing.px, listing.max_leverage) = (2, px("100"), 10);
            (listing.growth, listing.margin_mode) = (true, MarginMode::NoCross);
            let mut market = Market::new(listing, 1, index, 1, now, true);
            market.put_quote(Some((px("99.9"), sz("1000"))), Some((px("100.1"), sz("1000"))));
            markets.push(market);
        }
        let time = VenueMs(1_791_480_000_000);
        Self {
            clearing: Clearing::new(accounts, 1),
            markets,
            time,
            now,
            nonce: u64::try_from(time.0).expect("after 1970"),
            out: Vec::new(),
        }
    }

    fn signed(&mut self, signer: Address, action: Action) -> Signed {
        self.nonce += 1;
        Signed { action, signer, nonce: self.nonce, vault: None, expires_after: None }
    }

    /// Proposes an action; returns the answer if there is one at once.
    fn propose(&mut self, ticket: u64, signed: Signed) -> Option<String> {
        let (time, ticket) = (self.time, Ticket(ticket));
        let before = self.out.len();
        self.clearing.submit(time, ticket, signed, &self.markets, &mut self.out);
        match &self.out[before..] {
            [] => None,
            [Outcome::Answer { ticket: answered, body }] if *answered == ticket => {
                Some(body.clone())
            }
            more => panic!("{more:?}"),
        }
    }

    /// Runs a block 70 ms later; returns its answers.
    fn block(&mut self) -> Vec<(u64, String)> {
        self.time = VenueMs(self.time.0 + 70);
        self.now = self.now.plus(Nanos::from_millis(70));
        self.out.clear();
        self.clearing.block(self.time, self.now, &mut self.markets, &mut self.out);
        assert_eq!(self.clearing.audit(&self.markets), Ok(()));
        let answers = self.out.iter().filter_map(|outcome| match outcome {
            Outcome::Answer { ticket, body } => Some((ticket.0, body.clone())),
            _ => None,
        });
        answers.collect()
    }

    /// Proposes an action and runs its block; returns its answer.
    fn act(&mut self, signer: Address, action: Action) -> String {
        let signed = self.signed(signer, action);
        match self.propose(7, signed) {
            Some(refused) => refused,
            None => self.block().pop().expect("an answer").1,
        }
    }

    /// One order of the rich account.
    fn order(&mut self, order: NewOrder) -> String {
        self.act(rich(), Action::Order(vec![order]))
    }

    /// The rows of the last block's `orderUpdates`.
    fn updates(&self, of: Address) -> Vec<UpdateRow> {
        let rows = self.out.iter().filter_map(|outcome| match outcome {
            Outcome::Updates { user, rows } if *user == of => Some(rows.clone()),
            _ => None,
        });
        rows.flatten().collect()
    }

    /// The words of the last block's `orderUpdates`.
    fn words(&self, of: Address) -> Vec<&'static str> {
        self.updates(of).iter().map(|row| row.status).collect()
    }

    /// The rows of the last block's `userFills`.
    fn fills(&self, of: Address) -> Vec<FillRow> {
        let rows = self.out.iter().filter_map(|outcome| match outcome {
            Outcome::Fills { user, rows } if *user == of => Some(rows.clone()),
            _ => None,
        });
        rows.flatten().collect()
    }

    /// Ids of orders that the venue cancelled by itself in the last block.
    fn evicted(&self, of: Address) -> Vec<u64> {
        let rows = self.out.iter().filter_map(|outcome| match outcome {
            Outcome::NonUserCancel { user, orders } if *user == of => Some(orders.clone()),
            _ => None,
        });
        rows.flatten().map(|(_, oid)| oid).collect()
    }

    fn account(&self, user: Address) -> &Account {
        self.clearing.account(user).expect("an account")
    }

    fn szi(&self, user: Address) -> i64 {
        self.account(user).szi(0)
    }

    /// The crowd takes from the first market's book.
    fn strike(&mut self, side: Side, limit: &str, size: &str) {
        let Market { book, struck, .. } = &mut self.markets[0];
        book.take(side, px(limit), sz(size), |met| {
            let Owner::Account { user, oid } = met.owner else { return };
            struck.push(Struck { user, oid, px: met.px, sz: met.sz, tid: 1, hash: [1; 4] });
        });
    }

    /// Moves a market's mark and oracle, and its quotes with them.
    fn move_to(&mut self, mid: &str) {
        let (mid, off) = (px(mid), 10_000_000);
        let market = &mut self.markets[0];
        let quote = |units| Some((Px::from_units(units), sz("1000")));
        market.put_quote(quote(mid.units() - off), quote(mid.units() + off));
        market.put_mark(mid, self.now);
    }
}

/// An IOC of the first market.
fn ioc(buy: bool, limit: &str, size: &str) -> NewOrder {
    NewOrder {
        asset: FIRST,
        buy,
        px: px(limit),
        sz: sz(size),
        reduce_only: false,
        tif: Some(Tif::Ioc),
        cloid: None,
    }
}

fn gtc(buy: bool, limit: &str, size: &str) -> NewOrder {
    NewOrder { tif: Some(Tif::Gtc), ..ioc(buy, limit, size) }
}

fn alo(buy: bool, limit: &str, size: &str) -> NewOrder {
    NewOrder { tif: Some(Tif::Alo), ..ioc(buy, limit, size) }
}

fn reducing(order: NewOrder) -> NewOrder {
    NewOrder { reduce_only: true, ..order }
}

/// An answer with one refused order.
fn error(text: &str) -> String {
    format!(
        r#"{{"status":"ok","response":{{"type":"order","data":{{"statuses":[{{"error":"{text}"}}]}}}}}}"#
    )
}

/// An answer that refuses the whole action.
fn refused(text: &str) -> String {
    format!(r#"{{"status":"err","response":"{text}"}}"#)
}

const DONE: &str = r#"{"status":"ok","response":{"type":"default"}}"#;

const NO_MATCH: &str = "Order could not immediately match against any resting orders. asset=110000";

/// The id in an answer.
fn oid_of(answer: &str) -> u64 {
    let (_, rest) = answer.split_once(r#""oid":"#).expect(answer);
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("an id")
}

#[test]
fn the_desk_has_the_assets_it_names() {
    let desk = Desk::new();
    let assets: Vec<_> = desk.markets.iter().map(asset_of).collect();
    assert_eq!(assets, [Some(FIRST), Some(SECOND)]);
    assert_eq!(desk.markets[0].mark(desk.now), px("100"));
}
