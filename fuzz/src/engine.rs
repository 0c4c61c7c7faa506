//! A whole engine that trades, from its first moment of readiness to its end: whatever it is told,
//! it stays within its promises. [`Scenario`](super::support::Scenario) asserts after each event
//! that time goes on, that no event asks for too much, and that nothing is sent without a link.

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Unstructured};
use hip3::types::config::{Config, Dispatch};
use hip3::types::event::{Event, LinkDown, OperatorCommand};
use hip3::types::hard_stop::StopReason;
use hip3::types::num::{Ratio, Side};
use hip3::types::order::{Cloid, VenueStatus};
use hip3::types::record::Row;
use hip3::types::time::{Nanos, Wall};
use serde_json::Value;

use super::desk::{Desk, ONE, TWO, USER, config, text};

/// Steps of one input.
const STEPS: usize = 150;

/// `input` says how the engine is set up, then what it is told.
pub fn run(input: &[u8]) {
    let mut u = Unstructured::new(input);
    let Ok(setup) = u.arbitrary::<Setup>() else { return };
    let mut world = World::new(&setup);
    for _ in 0..STEPS {
        let Ok(step) = u.arbitrary::<Step>() else { break };
        world.take(&step);
        if world.desk.stopped || u.is_empty() {
            break;
        }
    }
    world.end();
}

#[derive(Arbitrary, Debug)]
struct Setup {
    on_tick: bool,
    no_age_limits: bool,
    no_regression: bool,
    stays_open: bool,
    dynamic: bool,
    few_positions: bool,
}

impl Setup {
    fn config(&self) -> Config {
        let mut config = config();
        if self.on_tick {
            config.executor.dispatch = Dispatch::Tick;
        }
        if self.no_age_limits {
            (config.risk.max_bbo_age, config.risk.max_ctx_age) = (None, None);
        }
        config.mark_regression.enabled = !self.no_regression;
        config.position.flatten_on_shutdown = !self.stays_open;
        config.position.risk_per_market = self.dynamic.then(|| Ratio::from_units(50_000_000));
        if self.few_positions {
            config.position.max_concurrent_positions = 1;
        }
        config
    }
}

#[derive(Arbitrary, Debug)]
enum Step {
    Pass(u16),
    PassLong(u8),
    /// Time without a tick, as under a loop that does not turn.
    Stall(u16),
    /// A quote around the oracle at 100.
    Quote {
        two: bool,
        bid: Level,
        ask: Level,
    },
    /// The same at a time of its own.
    QuoteAt {
        two: bool,
        bid: Level,
        ask: Level,
        late_ms: i16,
    },
    Ctx {
        two: bool,
        oracle: Amount,
        mark: Amount,
        mid: Amount,
        oi: Amount,
    },
    Settled {
        two: bool,
    },
    /// Both sides as they are when nothing happens.
    Calm {
        two: bool,
    },
    /// An ask far below the oracle, or a bid far above it.
    Dislocate {
        two: bool,
        sell: bool,
    },
    Answer {
        post: u8,
        answer: Answer,
    },
    Update {
        order: u8,
        word: u8,
        rest: u8,
    },
    Fill {
        order: u8,
        part: u8,
        px: Amount,
        via: Via,
    },
    /// The last fill again.
    FillAgain {
        via: Via,
    },
    Foreign {
        two: bool,
        sell: bool,
        size: u8,
        forced: bool,
    },
    /// A frame of ours with a byte changed.
    Damaged {
        frame: u8,
        at: u8,
        byte: u8,
    },
    Raw(Vec<u8>),
    Binary,
    Ack(u8),
    VenueError(u8),
    Down(u8),
    Up,
    Account {
        one: Option<i8>,
        two: Option<i8>,
        old_ms: u16,
        usd: i8,
    },
    /// The account as fills and readings have left it.
    Read,
    AccountFailed,
    Universe {
        two: bool,
        change: Change,
    },
    UniverseFailed,
    OperatorCommand(u8),
    RowsLost {
        rows: u8,
        ago_ms: u16,
    },
    Stop,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Amount {
    /// Hundredths beside 100.
    Near(i8),
    Tenths(i16),
    Zero,
    Least,
    Most,
    Whole(u32),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Level {
    px: Option<Amount>,
    sz: u16,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Via {
    Stream,
    Event,
    Snapshot,
    Reading,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Answer {
    Filled { part: u8, px: Amount },
    Missed,
    Error(u8),
    Refused(u8),
    Failed(u8),
    Default,
    Resting,
    Statuses(u8),
    NotKnown,
    Known { word: u8, rest: u8 },
    Other,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Change {
    Nothing,
    Delisted,
    Gone,
    Lots(u8),
    Leverage(u8),
    Growth,
    AtCap,
}

/// What the venue may say when it refuses, of each class some.
const WORDS: [&str; 14] = [
    "Order could not immediately match against any resting orders. asset=110000",
    "Price must be divisible by tick size. asset=110000",
    "Order must have minimum value of $10. asset=110000",
    "Insufficient margin to place order. asset=110000",
    "Reduce only order would increase position. asset=110000",
    "Order would increase open interest while open interest is capped. asset=110000",
    "Only post-only orders allowed immediately after a network upgrade",
    "User or API Wallet 0xaa does not exist.",
    "Invalid nonce: duplicate nonce",
    "Invalid nonce: too low",
    "Too many cumulative requests sent (1 > 0) for cumulative volume traded $0.",
    "Trading is halted.",
    "Something new.",
    "",
];

struct World {
    desk: Desk,
    /// Posts that were sent: id, and the action or question.
    posts: Vec<(u64, Value)>,
    /// Orders that were sent.
    orders: Vec<Value>,
    named: BTreeSet<String>,
    rows_seen: usize,
    over: BTreeSet<Cloid>,
    last_fill: Option<hip3::types::order::Fill>,
    next_oid: u64,
}

impl World {
    fn new(setup: &Setup) -> Self {
        Self {
            desk: Desk::ready(&setup.config()),
            posts: Vec::new(),
            orders: Vec::new(),
            named: BTreeSet::new(),
            rows_seen: 0,
            over: BTreeSet::new(),
            last_fill: None,
            next_oid: 700,
        }
    }

    fn take(&mut self, step: &Step) {
        let held = self.held();
        self.tell(step);
        self.look(held && !matches!(step, Step::OperatorCommand(_)));
    }

    /// Whether HardStop holds for a reason that an operator alone releases.
    fn held(&self) -> bool {
        let lasting = |reason: &&StopReason| **reason != StopReason::Reconnecting;
        StopReason::ALL.iter().filter(lasting).any(|reason| self.desk.stopped_for(*reason))
    }

    /// What holds after every step.
    fn look(&mut self, nothing_opens: bool) {
        for (id, what) in self.desk.new_posts() {
            for order in what["orders"].as_array().into_iter().flatten() {
                let cloid = text(order, "c");
                assert!(self.named.insert(cloid), "two orders of one name: {order}");
                let opens = order["r"] == false;
                assert!(!(opens && nothing_opens), "opened under HardStop: {order}");
                self.orders.push(order.clone());
            }
            self.posts.push((id, what));
        }
        for row in &self.desk.rows[self.rows_seen..] {
            match row {
                Row::Order(row) => {
                    assert!(self.over.insert(row.cloid), "over twice: {row:?}");
                    assert!(row.filled <= row.sz, "{row:?}");
                }
                Row::Trade(row) => {
                    assert!(row.sz.is_positive(), "{row:?}");
                    assert!(row.net.units() == row.gross.units() - row.fees.units(), "{row:?}");
                }
                Row::Gap(row) => assert!(row.started_at <= row.ended_at, "{row:?}"),
                _ => {}
            }
        }
        self.rows_seen = self.desk.rows.len();
    }

    fn tell(&mut self, step: &Step) {
        match step {
            Step::Pass(ms) => self.desk.pass_ms(u64::from(*ms)),
            Step::PassLong(s) => self.desk.pass(Nanos::from_secs(u64::from(*s))),
            Step::Stall(ms) => self.desk.stall_ms(u64::from(*ms)),
            Step::Quote { two, bid, ask } => self.quote(coin(*two), *bid, *ask, None),
            Step::QuoteAt { two, bid, ask, late_ms } => {
                self.quote(coin(*two), *bid, *ask, Some(i64::from(*late_ms)));
            }
            Step::Ctx { two, oracle, mark, mid, oi } => {
                let [oracle, mark, mid, oi] = [oracle, mark, mid, oi].map(|it| amount(*it));
                self.desk.ctx_with(coin(*two), &oracle, &mark, &mid, &oi);
            }
            Step::Settled { two } => self.desk.ctx_settled(coin(*two)),
            Step::Calm { two } => {
                self.desk.ctx(coin(*two), "100");
                self.desk.bbo(coin(*two), "99.95", "100.05");
            }
            Step::Dislocate { two, sell: false } => self.desk.bbo(coin(*two), "99.55", "99.6"),
            Step::Dislocate { two, sell: true } => self.desk.bbo(coin(*two), "100.4", "100.45"),
            Step::Answer { post, answer } => self.answer(*post, *answer),
            Step::Update { order, word, rest } => self.update(*order, *word, *rest),
            Step::Fill { order, part, px, via } => self.fill(*order, *part, *px, *via),
            Step::FillAgain { via } => {
                if let Some(fill) = self.last_fill {
                    self.tell_fill(&fill, *via);
                }
            }
            Step::Foreign { two, sell, size, forced } => {
                let order = serde_json::json!({
                    "a": if *two { 110_001 } else { 110_000 },
                    "b": !sell,
                    "c": "",
                });
                let size = format!("{}.{}", size / 10, size % 10);
                if size != "0.0" {
                    let mut fill = self.desk.fill_of(&order, &size, "100", "0.01");
                    (fill.cloid, fill.oid, fill.liquidation) = (None, 1, *forced);
                    self.tell_fill(&fill, Via::Stream);
                }
            }
            Step::Damaged { frame, at, byte } => self.damaged(*frame, *at, *byte),
            Step::Raw(bytes) => self.desk.event(Event::Frame(bytes)),
            Step::Binary => self.desk.event(Event::Binary),
            Step::Ack(which) => {
                let kinds = ["orderUpdates", "userFills", "userEvents"];
                let kind = kinds[usize::from(*which) % kinds.len()];
                self.desk.frame(&format!(
                    r#"{{"channel":"subscriptionResponse","data":{{"method":"subscribe","subscription":{{"type":"{kind}","user":"{USER}"}}}}}}"#
                ));
            }
            Step::VenueError(words) => {
                let words = WORDS[usize::from(*words) % WORDS.len()];
                self.desk.frame(&format!(r#"{{"channel":"error","data":"{words}"}}"#));
            }
            Step::Down(why) => {
                let why = [
                    LinkDown::Unreachable,
                    LinkDown::Dropped,
                    LinkDown::Closed,
                    LinkDown::Silent,
                    LinkDown::Protocol,
                    LinkDown::Backlog,
                ][usize::from(*why) % 6];
                self.desk.event(Event::Disconnected(why));
            }
            Step::Up => self.desk.event(Event::Connected),
            Step::Account { one, two, old_ms, usd } => self.account(*one, *two, *old_ms, *usd),
            Step::Read => self.desk.read(),
            Step::AccountFailed => self.desk.event(Event::AccountFailed),
            Step::Universe { two, change } => self.universe(*two, *change),
            Step::UniverseFailed => self.desk.event(Event::UniverseFailed),
            Step::OperatorCommand(command) => self.desk.event(Event::Operator(match command {
                0 => OperatorCommand::Halt,
                1 => OperatorCommand::Flatten,
                2 => OperatorCommand::Release(None),
                n => OperatorCommand::Release(Some(
                    StopReason::ALL[usize::from(*n) % StopReason::ALL.len()],
                )),
            })),
            Step::RowsLost { rows, ago_ms } => {
                let since = self.desk.now().wall.minus(Nanos::from_millis((*ago_ms).into()));
                self.desk.event(Event::RowsLost { rows: (*rows).into(), since });
            }
            Step::Stop => self.desk.event(Event::Stop),
        }
    }

    fn quote(&mut self, coin: &str, bid: Level, ask: Level, late_ms: Option<i64>) {
        let side = |level: Level| {
            let sz = format!("{}.{}", level.sz / 100, level.sz % 10);
            level.px.map(|px| (amount(px), sz))
        };
        let (bid, ask) = (side(bid), side(ask));
        let bid = bid.as_ref().map(|(px, sz)| (px.as_str(), sz.as_str()));
        let ask = ask.as_ref().map(|(px, sz)| (px.as_str(), sz.as_str()));
        match late_ms {
            None => self.desk.bbo_sized(coin, bid, ask),
            Some(ms) => {
                let time = self.desk.venue_ms().saturating_sub(ms).max(0);
                self.desk.bbo_at(coin, time, bid, ask);
            }
        }
    }

    /// The order that was sent so many before the last one.
    fn order(&self, which: u8) -> Option<Value> {
        let at = usize::from(which).checked_rem(self.orders.len())?;
        self.orders.iter().rev().nth(at).cloned()
    }

    fn answer(&mut self, which: u8, answer: Answer) {
        let Some(at) = usize::from(which).checked_rem(self.posts.len()) else { return };
        let Some((id, what)) = self.posts.iter().rev().nth(at).cloned() else { return };
        let words = |at: u8| WORDS[usize::from(at) % WORDS.len()];
        let orders = what["orders"].as_array().cloned().unwrap_or_default();
        let each = |status: &dyn Fn(&Value) -> String| {
            orders.iter().map(status).collect::<Vec<_>>().join(",")
        };
        self.next_oid += 1;
        let oid = self.next_oid;
        let error = |words: &str| format!(r#"{{"error":"{words}"}}"#);
        let info = |data: String| {
            format!(
                r#"{{"channel":"post","data":{{"id":{id},"response":{{"type":"info","payload":{{"type":"orderStatus","data":{data}}}}}}}}}"#
            )
        };
        match answer {
            Answer::Filled { part, px } => {
                let px = amount(px);
                let statuses = each(&|order| {
                    let sz = share(&text(order, "s"), part);
                    format!(r#"{{"filled":{{"totalSz":"{sz}","avgPx":"{px}","oid":{oid}}}}}"#)
                });
                self.desk.answer_status(id, &statuses);
            }
            Answer::Missed => {
                let statuses = each(&|_| error(words(0)));
                self.desk.answer_status(id, &statuses);
            }
            Answer::Error(at) => self.desk.answer_error(id, words(at)),
            Answer::Refused(at) => self.desk.answer_refused(id, words(at)),
            Answer::Failed(at) => {
                let words = words(at);
                self.desk.frame(&format!(
                    r#"{{"channel":"post","data":{{"id":{id},"response":{{"type":"error","payload":"{words}"}}}}}}"#
                ));
            }
            Answer::Default => {
                self.desk.answer(id, r#"{"status":"ok","response":{"type":"default"}}"#);
            }
            Answer::Resting => {
                let statuses = each(&|_| format!(r#"{{"resting":{{"oid":{oid}}}}}"#));
                self.desk.answer_status(id, &statuses);
            }
            Answer::Statuses(n) => {
                let statuses = vec![r#""success""#; usize::from(n % 8)].join(",");
                self.desk.answer_status(id, &statuses);
            }
            Answer::NotKnown => self.desk.frame(&info(r#"{"status":"unknownOid"}"#.to_owned())),
            Answer::Known { word, rest } => {
                let Some(order) = self.asked_about(&what) else { return };
                let entry = entry(&order, oid, word, rest, self.desk.venue_ms());
                self.desk.frame(&info(format!(r#"{{"status":"order","order":{entry}}}"#)));
            }
            Answer::Other => self.desk.answer(id, r#"{"status":"perhaps"}"#),
        }
    }

    /// The order that a look-up asks about.
    fn asked_about(&self, what: &Value) -> Option<Value> {
        let cloid = what.get("oid")?.as_str()?;
        self.orders.iter().find(|order| text(order, "c") == cloid).cloned()
    }

    fn update(&mut self, which: u8, word: u8, rest: u8) {
        let Some(order) = self.order(which) else { return };
        let entry = entry(&order, self.next_oid, word, rest, self.desk.venue_ms());
        self.desk.frame(&format!(r#"{{"channel":"orderUpdates","data":[{entry}]}}"#));
    }

    fn fill(&mut self, which: u8, part: u8, px: Amount, via: Via) {
        let Some(order) = self.order(which) else { return };
        let (sz, px) = (share(&text(&order, "s"), part), amount(px));
        let mut fill = self.desk.fill_of(&order, &sz, &px, "0.004");
        fill.oid = self.next_oid;
        if fill.sz.is_positive() {
            self.last_fill = Some(fill);
            self.tell_fill(&fill, via);
        }
    }

    fn tell_fill(&mut self, fill: &hip3::types::order::Fill, via: Via) {
        if matches!(via, Via::Stream) {
            return self.desk.tell_fill(fill);
        }
        if matches!(via, Via::Reading) {
            self.desk.account.fills.push(*fill);
            return self.desk.read();
        }
        let side = if fill.side == Side::Buy { "B" } else { "A" };
        let cloid = fill.cloid.map(|cloid| format!(r#","cloid":"{cloid}""#)).unwrap_or_default();
        let row = format!(
            r#"{{"coin":"{}","px":"{}","sz":"{}","side":"{side}","time":{},"startPosition":"0.0","closedPnl":"0.0","oid":{},"fee":"{}","tid":{}{cloid}}}"#,
            fill.coin, fill.px, fill.sz, fill.time.0, fill.oid, fill.fee, fill.tid
        );
        self.desk.frame(&match via {
            Via::Snapshot => format!(
                r#"{{"channel":"userFills","data":{{"isSnapshot":true,"user":"{USER}","fills":[{row}]}}}}"#
            ),
            _ => format!(r#"{{"channel":"user","data":{{"fills":[{row}]}}}}"#),
        });
    }

    fn damaged(&mut self, frame: u8, at: u8, byte: u8) {
        let frames = [
            r#"{"channel":"bbo","data":{"coin":"tst:ONE","time":1795348800000,"bbo":[{"px":"99.9","sz":"1.0","n":1},{"px":"100.1","sz":"2.5","n":1}]}}"#.to_owned(),
            r#"{"channel":"activeAssetCtx","data":{"coin":"tst:TWO","ctx":{"oraclePx":"100.0","markPx":"100.0","midPx":null,"openInterest":"5.0"}}}"#.to_owned(),
            r#"{"channel":"user","data":{"liquidation":{"lid":1}}}"#.to_owned(),
            r#"{"channel":"user","data":{"nonUserCancel":[{"coin":"tst:ONE","oid":701}]}}"#.to_owned(),
            format!(r#"{{"channel":"userFills","data":{{"user":"{USER}","fills":[{{"coin":"tst:ONE"}}]}}}}"#),
            r#"{"channel":"orderUpdates","data":[{"order":{"coin":"tst:ONE","side":"B"}}]}"#.to_owned(),
        ];
        let mut frame = frames[usize::from(frame) % frames.len()].clone().into_bytes();
        if let Some(place) = frame.get_mut(usize::from(at)) {
            *place = byte;
        }
        self.desk.event(Event::Frame(&frame));
    }

    fn account(&mut self, one: Option<i8>, two: Option<i8>, old_ms: u16, usd: i8) {
        for (coin, held) in [(ONE, one), (TWO, two)] {
            if let Some(tenths) = held {
                let sign = if tenths < 0 { "-" } else { "" };
                let tenths = tenths.unsigned_abs();
                self.desk.hold(coin, &format!("{sign}{}.{}", tenths / 10, tenths % 10), "100");
            }
        }
        let worth = hip3::types::num::Usd::from_units(i64::from(usd) * 10_000_000);
        let time = self.desk.venue_ms() - i64::from(old_ms);
        let dex = &mut self.desk.account.dexes[0];
        (dex.value, dex.withdrawable) = (worth, worth);
        dex.time = hip3::types::time::VenueMs(time);
        let state = self.desk.account.clone();
        self.desk.event(Event::Account(&state));
    }

    fn universe(&mut self, two: bool, change: Change) {
        let mut universe = self.desk.info.universe();
        let at = usize::from(two);
        let market = &mut universe.markets[at];
        match change {
            Change::Nothing => {}
            Change::Delisted => market.delisted = true,
            Change::Gone => drop(universe.markets.remove(at)),
            Change::Lots(decimals) => market.sz_decimals = decimals % 7,
            Change::Leverage(most) => market.max_leverage = u32::from(most).max(1),
            Change::Growth => market.growth = !market.growth,
            Change::AtCap => market.at_oi_cap = true,
        }
        self.desk.event(Event::Universe(&universe));
    }

    /// A run that is asked to end does so, whatever is owed.
    fn end(mut self) {
        let held = self.held();
        self.desk.event(Event::Stop);
        self.look(held);
        self.desk.pass(Nanos::from_secs(61));
        self.look(true);
        assert!(self.desk.stopped, "it does not end");
        let said = self.desk.rows.len();
        self.desk.event(Event::Connected);
        self.desk.pass(Nanos::from_secs(600));
        assert_eq!(self.desk.rows.len(), said, "it is over");
        // Each order that was sent has its row.
        for order in &self.orders {
            let cloid = Cloid::parse(&text(order, "c")).expect("a cloid");
            assert!(self.over.contains(&cloid), "no end of {order}");
        }
        assert!(self.desk.now().wall > Wall(0));
    }
}

fn coin(two: bool) -> &'static str {
    if two { TWO } else { ONE }
}

fn amount(amount: Amount) -> String {
    match amount {
        Amount::Near(hundredths) => hundredth(10_000 + i64::from(hundredths)),
        Amount::Tenths(tenths) => hundredth(10 * i64::from(tenths.unsigned_abs())),
        Amount::Zero => "0.0".to_owned(),
        Amount::Least => "0.00000001".to_owned(),
        Amount::Most => "9999999999.99999999".to_owned(),
        Amount::Whole(whole) => whole.to_string(),
    }
}

fn hundredth(n: i64) -> String {
    format!("{}.{:02}", n / 100, n % 100)
}

/// A part of a size in 256ths, in whole units of 1e-8; all of it at 255.
fn share(sz: &str, part: u8) -> String {
    let sz = hip3::types::num::Sz::parse(sz.as_bytes()).expect("a size").units();
    let units = if part == u8::MAX { sz } else { sz / 256 * i64::from(part) };
    hip3::types::num::Sz::from_units(units.max(1)).to_string()
}

/// An entry of `orderUpdates`.
fn entry(order: &Value, oid: u64, word: u8, rest: u8, time: i64) -> String {
    let words = VenueStatus::KNOWN;
    let word = words.get(usize::from(word) % (words.len() + 1)).map_or("teleported", |(w, _)| *w);
    let coin = if order["a"] == 110_000 { ONE } else { TWO };
    let side = if order["b"] == true { "B" } else { "A" };
    let sz = text(order, "s");
    let rest = if rest == 0 { "0.0".to_owned() } else { share(&sz, rest) };
    let (px, cloid) = (text(order, "p"), text(order, "c"));
    format!(
        r#"{{"order":{{"coin":"{coin}","side":"{side}","limitPx":"{px}","sz":"{rest}","oid":{oid},"timestamp":{time},"origSz":"{sz}","cloid":"{cloid}"}},"status":"{word}","statusTimestamp":{time}}}"#
    )
}
