//! The order table under anything that may be told of orders: what is true comes out in the end,
//! and what is not true breaks nothing.

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Unstructured};
use hip3::executor::orders::{Ended, OrderId, Orders};
use hip3::types::ids::{AssetId, Coin, Excerpt, MarketId, SignalId};
use hip3::types::num::{Px, Side, Sz, Szi, Usd};
use hip3::types::order::{
    Cloid, Fill, Order, OrderAnswer, OrderUpdate, PostAnswer, Purpose, Refusal, VenueStatus,
};
use hip3::types::record::{ExitReason, Outcome};
use hip3::types::time::{Mono, Nanos, Now, VenueMs, Wall};

const MARKETS: u16 = 3;
const TIMEOUT: Nanos = Nanos::from_millis(3_000);
const LIFETIME: Nanos = Nanos::from_millis(2_000);
/// Steps of one input.
const STEPS: usize = 200;
/// Looks at the clock within which every order has its end, once the link is up and look-ups are
/// answered.
const PATIENCE: usize = 2_000;

/// `input` says first whether what is told is true, then what is told.
pub fn run(input: &[u8]) {
    let mut u = Unstructured::new(input);
    if u.arbitrary().unwrap_or(true) { told_truly(&mut u) } else { told_anything(&mut u) }
}

/// What happens to an order at the venue. All are of size 1 at a limit of 100.
#[derive(Arbitrary, Clone, Copy, Debug, Eq, PartialEq)]
enum Truth {
    Filled,
    /// A quarter fills, and the venue calls the rest cancelled.
    Quarter,
    /// A quarter fills, and the venue calls that filled.
    QuarterFilled,
    Missed,
    Rejected,
}

impl Truth {
    fn real(self) -> Sz {
        match self {
            Truth::Filled => size(100),
            Truth::Quarter | Truth::QuarterFilled => size(25),
            Truth::Missed | Truth::Rejected => Sz::ZERO,
        }
    }

    fn end(self) -> (Outcome, Option<Refusal>) {
        match self {
            Truth::Filled => (Outcome::Filled, None),
            Truth::Quarter | Truth::QuarterFilled => (Outcome::PartiallyFilled, None),
            Truth::Missed => (Outcome::Expired, Some(Refusal::NoMatch)),
            Truth::Rejected => (Outcome::Rejected, Some(Refusal::Margin)),
        }
    }

    fn answer(self, order: &Order) -> OrderAnswer {
        let filled = |total_sz| OrderAnswer::Filled { total_sz, avg_px: px(99), oid: oid(order) };
        let error = |words: &str| OrderAnswer::Error(Excerpt::of(words.as_bytes()));
        match self {
            Truth::Filled | Truth::Quarter | Truth::QuarterFilled => filled(self.real()),
            Truth::Missed => {
                error("Order could not immediately match against any resting orders. asset=110007")
            }
            Truth::Rejected => error("Insufficient margin to place order. asset=110007"),
        }
    }

    fn last_word(self, order: &Order) -> OrderUpdate {
        let (word, rest) = match self {
            Truth::Filled => ("filled", 0),
            Truth::Quarter => ("canceled", 75),
            Truth::QuarterFilled => ("filled", 75),
            Truth::Missed => ("iocCancelRejected", 100),
            Truth::Rejected => ("perpMarginRejected", 100),
        };
        update(order, word, rest)
    }

    /// Hundredths of each row.
    fn rows(self) -> &'static [i64] {
        match self {
            Truth::Filled => &[50, 20, 30],
            Truth::Quarter | Truth::QuarterFilled => &[20, 5],
            Truth::Missed | Truth::Rejected => &[],
        }
    }
}

/// Something that is true, told at any time, again, or never.
#[derive(Arbitrary, Debug)]
enum Told {
    /// Up to four orders in one action.
    Sent {
        market: u8,
        exit: bool,
        truths: [Option<Truth>; 4],
    },
    /// An order that is never sent.
    Dropped {
        market: u8,
    },
    Answer(u8),
    Open(u8),
    LastWord(u8),
    Row(u8, u8),
    Down,
    Up,
    /// Whether look-ups are heard from here on, and whether they can be asked at all.
    Ears {
        heard: bool,
        asked: bool,
    },
    Pass(u16),
}

/// An order, and what is true of it.
struct Case {
    order: Order,
    truth: Truth,
    post: Option<u64>,
    /// Rows that were told.
    rows: [bool; 3],
    ended: Option<Ended>,
}

impl Case {
    fn told(&self) -> i64 {
        let rows = self.truth.rows().iter().zip(self.rows);
        rows.map(|(hundredths, told)| hundredths * i64::from(told)).sum::<i64>() * size(1).units()
    }
}

fn told_truly(u: &mut Unstructured<'_>) {
    let mut desk = Desk::new();
    for _ in 0..STEPS {
        let Ok(step) = u.arbitrary::<Told>() else { break };
        desk.tell(&step);
        desk.settle();
        desk.cover();
        if u.is_empty() {
            break;
        }
    }
    desk.finish();
    assert_eq!(desk.orders.contradicted(), 0, "the truth contradicts nothing");
    for case in desk.cases.values() {
        let ended = case.ended.expect("every order has its end");
        if case.post.is_none() {
            assert_eq!((ended.outcome, ended.filled), (Outcome::Dropped, Sz::ZERO));
        } else if !case.order.reduce_only {
            // Of what only shrinks a position, an update alone does not tell the size.
            let (outcome, refusal) = case.truth.end();
            assert_eq!((ended.outcome, ended.filled), (outcome, case.truth.real()), "{ended:?}");
            assert_eq!(ended.refusal, refusal, "{ended:?}");
        }
        assert!(ended.filled <= case.truth.real(), "{ended:?}");
    }
}

/// Something that may be told, true or not.
#[derive(Arbitrary, Debug)]
enum Said {
    Sent { market: u8, exit: bool, orders: u8 },
    Dropped { market: u8 },
    Answer { post: u8, answer: Answer },
    Update { name: Name, word: u8, rest: u8, placed: u8 },
    Fill { name: Name, tid: u8, hundredths: u8 },
    Down,
    Up,
    Ears { heard: bool, asked: bool },
    Pass(u16),
    Abandon,
}

#[derive(Arbitrary, Debug)]
enum Answer {
    Statuses([Option<Status>; 4]),
    Default,
    Other,
    Unknown,
    Order { of: u8, word: u8, rest: u8 },
    Refused(u8),
    Failed(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Status {
    Filled { hundredths: u8, of: u8 },
    Resting { of: u8 },
    Success,
    Unknown,
    Error(u8),
}

/// How an order is named, which may be not at all, or with the ids of two.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Name {
    cloid: Option<u8>,
    oid: u8,
}

const WORDS: [&str; 7] = [
    "Order could not immediately match against any resting orders. asset=110007",
    "Insufficient margin to place order. asset=110007",
    "Reduce only order would increase position. asset=110007",
    "Invalid nonce: duplicate nonce",
    "Cannot place order: no words for this",
    "Too many cumulative requests sent",
    "",
];

fn told_anything(u: &mut Unstructured<'_>) {
    let mut desk = Desk::new();
    for _ in 0..STEPS {
        let Ok(step) = u.arbitrary::<Said>() else { break };
        desk.say(&step);
        desk.settle();
        if u.is_empty() {
            break;
        }
    }
    desk.finish();
}

/// The table with what its caller keeps beside it.
struct Desk {
    orders: Orders,
    now: Now,
    link: bool,
    heard: bool,
    asked: bool,
    next_post: u64,
    next_cloid: u128,
    cases: BTreeMap<OrderId, Case>,
    /// In the order they were made.
    made: Vec<OrderId>,
    /// Look-ups on their way.
    looks: Vec<(OrderId, u64)>,
}

impl Desk {
    fn new() -> Self {
        Self {
            orders: Orders::new(TIMEOUT),
            now: Now { mono: Mono(1_000_000_000_000), wall: Wall(1_790_000_000_000_000_000) },
            link: true,
            heard: true,
            asked: true,
            next_post: 1,
            next_cloid: 1,
            cases: BTreeMap::new(),
            made: Vec::new(),
            looks: Vec::new(),
        }
    }

    fn tell(&mut self, step: &Told) {
        match *step {
            Told::Sent { market, exit, truths } => {
                let truths: Vec<Truth> = truths.into_iter().flatten().collect();
                self.send(market, exit, &truths);
            }
            Told::Dropped { market } => self.drop_one(market),
            Told::Answer(which) => {
                let Some(post) = self.case(which).and_then(|case| case.post) else { return };
                // In the order in which they were sent.
                let each = self.made.iter().filter_map(|id| self.cases.get(id));
                let of_post = each.filter(|case| case.post == Some(post));
                let statuses: Vec<_> = of_post.map(|case| case.truth.answer(&case.order)).collect();
                self.orders.on_answer(self.now, post, &PostAnswer::Statuses(&statuses));
            }
            Told::Open(which) => {
                let Some(case) = self.case(which).filter(|case| case.post.is_some()) else {
                    return;
                };
                let update = update(&case.order, "open", 100);
                self.orders.on_update(self.now, &update);
            }
            Told::LastWord(which) => {
                let Some(case) = self.case(which).filter(|case| case.post.is_some()) else {
                    return;
                };
                let update = case.truth.last_word(&case.order);
                self.orders.on_update(self.now, &update);
            }
            Told::Row(which, row) => {
                let Some(id) = self.id(which) else { return };
                let Some(case) = self.cases.get_mut(&id) else { return };
                let rows = case.truth.rows();
                if case.post.is_none() || rows.is_empty() {
                    return;
                }
                let row = usize::from(row) % rows.len();
                case.rows[row] = true;
                let fill = fill(&case.order, 1 + row as u64, size(rows[row]));
                self.orders.on_fill(self.now, &fill);
            }
            Told::Down => self.down(),
            Told::Up => self.link = true,
            Told::Ears { heard, asked } => (self.heard, self.asked) = (heard, asked),
            Told::Pass(ms) => self.pass(Nanos::from_millis(ms.into())),
        }
    }

    fn say(&mut self, step: &Said) {
        match *step {
            Said::Sent { market, exit, orders } => {
                let truths = [Truth::Missed; 4];
                self.send(market, exit, &truths[..usize::from(orders % 5)]);
            }
            Said::Dropped { market } => self.drop_one(market),
            Said::Answer { post, ref answer } => {
                // Of an action or of a look-up that is on its way.
                let look = self.looks.get(usize::from(post) % 8).map(|(_, post)| *post);
                let post = look.unwrap_or(u64::from(post) % self.next_post.max(1));
                self.looks.retain(|(_, asked)| *asked != post);
                self.answer(post, answer);
            }
            Said::Update { name, word, rest, placed } => {
                let Some(order) = self.order(name.oid) else { return };
                let (_, word) = VenueStatus::KNOWN[usize::from(word) % VenueStatus::KNOWN.len()];
                let cloid = name.cloid.map(|cloid| Cloid(cloid.into()));
                let (sz, orig_sz) = (size(rest.into()), size(placed.into()));
                let told = update(&order, "open", 0);
                let told = OrderUpdate { cloid, word, sz, orig_sz, ..told };
                self.orders.on_update(self.now, &told);
            }
            Said::Fill { name, tid, hundredths } => {
                let Some(order) = self.order(name.oid) else { return };
                // Rows of nothing are not read, so none comes here.
                let told = fill(&order, tid.into(), size(i64::from(hundredths).max(1)));
                let cloid = name.cloid.map(|cloid| Cloid(cloid.into()));
                self.orders.on_fill(self.now, &Fill { cloid, ..told });
            }
            Said::Down => self.down(),
            Said::Up => self.link = true,
            Said::Ears { heard, asked } => (self.heard, self.asked) = (heard, asked),
            Said::Pass(ms) => self.pass(Nanos::from_millis(ms.into())),
            Said::Abandon => self.orders.abandon(self.now),
        }
    }

    fn answer(&mut self, post: u64, answer: &Answer) {
        let words = |at: u8| Excerpt::of(WORDS[usize::from(at) % WORDS.len()].as_bytes());
        let statuses: Vec<OrderAnswer>;
        let answer = match *answer {
            Answer::Statuses(list) => {
                let each = list.into_iter().flatten().map(|status| match status {
                    Status::Filled { hundredths, of } => OrderAnswer::Filled {
                        total_sz: size(i64::from(hundredths).max(1)),
                        avg_px: px(99),
                        oid: of.into(),
                    },
                    Status::Resting { of } => OrderAnswer::Resting { oid: of.into() },
                    Status::Success => OrderAnswer::Success,
                    Status::Unknown => OrderAnswer::Unknown,
                    Status::Error(at) => OrderAnswer::Error(words(at)),
                });
                statuses = each.collect();
                PostAnswer::Statuses(&statuses)
            }
            Answer::Default => PostAnswer::Default,
            Answer::Other => PostAnswer::Other,
            Answer::Unknown => PostAnswer::Order(None),
            Answer::Order { of, word, rest } => {
                let Some(order) = self.order(of) else { return };
                let (_, word) = VenueStatus::KNOWN[usize::from(word) % VenueStatus::KNOWN.len()];
                let told = update(&order, "open", rest.into());
                PostAnswer::Order(Some(OrderUpdate { word, ..told }))
            }
            Answer::Refused(at) => PostAnswer::Refused(words(at)),
            Answer::Failed(at) => PostAnswer::Error(words(at)),
        };
        self.orders.on_answer(self.now, post, &answer);
    }

    fn id(&self, which: u8) -> Option<OrderId> {
        let at = usize::from(which).checked_rem(self.made.len())?;
        // The latest are the most interesting.
        self.made.iter().rev().nth(at).copied()
    }

    fn case(&self, which: u8) -> Option<&Case> {
        self.cases.get(&self.id(which)?)
    }

    fn order(&self, which: u8) -> Option<Order> {
        self.case(which).map(|case| case.order)
    }

    fn open(&mut self, market: u8, exit: bool, truth: Truth) -> Option<OrderId> {
        let order = Order {
            cloid: Cloid(self.next_cloid),
            market: MarketId(u16::from(market) % MARKETS),
            coin: Coin::new("xyz:ONE").expect("a coin"),
            asset: AssetId(110_007),
            side: if exit { Side::Sell } else { Side::Buy },
            px: px(100),
            sz: size(100),
            reduce_only: exit,
            purpose: match exit {
                true => Purpose::Exit(ExitReason::TimeStop),
                false => Purpose::Entry(SignalId(1)),
            },
        };
        let live = self.cases.values().filter(|case| case.ended.is_none()).count();
        let Ok(id) = self.orders.open(self.now, order) else {
            assert_eq!(live, hip3::executor::orders::SLOTS, "full before its time");
            return None;
        };
        self.next_cloid += 1;
        self.made.push(id);
        let case = Case { order, truth, post: None, rows: [false; 3], ended: None };
        assert!(self.cases.insert(id, case).is_none(), "an id names one order");
        Some(id)
    }

    fn send(&mut self, market: u8, exit: bool, truths: &[Truth]) {
        let post = self.next_post;
        self.next_post += 1;
        for truth in truths {
            let Some(id) = self.open(market, exit, *truth) else { return };
            let expires_at = self.now.wall.plus(LIFETIME);
            self.orders.sent(self.now, id, 5_000 + post, post, expires_at);
            if let Some(case) = self.cases.get_mut(&id) {
                case.post = Some(post);
            }
        }
    }

    fn drop_one(&mut self, market: u8) {
        if let Some(id) = self.open(market, false, Truth::Missed) {
            self.orders.drop_pending(self.now, id);
        }
    }

    fn down(&mut self) {
        self.link = false;
        self.looks.clear();
        self.orders.on_disconnected(self.now);
    }

    fn pass(&mut self, span: Nanos) {
        self.now = Now { mono: self.now.mono.plus(span), wall: self.now.wall.plus(span) };
    }

    /// Does what is due, takes what is over, and looks at what always holds.
    fn settle(&mut self) {
        let (next_post, asked, looks) = (&mut self.next_post, self.asked, &mut self.looks);
        self.orders.on_time(self.now, self.link, &mut |id, _| {
            *next_post += 1;
            looks.push((id, *next_post - 1));
            asked.then_some(*next_post - 1)
        });
        if !asked {
            self.looks.clear();
        }
        while self.orders.take_doubted().is_some() {}
        while self.orders.take_rows_missing().is_some() {}
        while let Some(ended) = self.orders.take_ended() {
            let case = self.cases.get_mut(&ended.id).expect("one that was opened");
            assert!(case.ended.replace(ended).is_none(), "it ends once: {ended:?}");
            assert_eq!(ended.order, case.order, "nothing changes an order");
            assert!(ended.filled <= case.order.sz, "{ended:?}");
            assert!(ended.unaccounted <= ended.filled, "{ended:?}");
            assert_eq!((ended.row.filled, ended.row.outcome), (ended.filled, ended.outcome));
        }
        assert!(self.orders.next_due() > self.now.mono, "time stands still");
        self.sums();
    }

    /// Counts and sums are those of the orders that are there.
    fn sums(&self) {
        let live = || self.cases.values().filter(|case| case.ended.is_none());
        assert_eq!(self.orders.len(), live().count());
        let mut total = Usd::ZERO;
        for market in (0..MARKETS).map(MarketId) {
            let of = |exit| live().any(|c| c.order.market == market && c.order.reduce_only == exit);
            assert_eq!(self.orders.has_live_entry(market), of(false));
            assert!(of(true) || !self.orders.has_open_exit(market));
            let listed = self.orders.pending_markets().filter(|m| *m == market).count();
            assert_eq!(listed, usize::from(of(false)));
            let pending = self.orders.pending_notional(market);
            assert!(pending >= Usd::ZERO);
            total = total.saturating_add(pending);
        }
        assert_eq!(self.orders.pending_total(), total);
        for (_, tracked) in self.orders.iter() {
            assert!(tracked.filled() <= tracked.order().sz);
        }
    }

    /// Never underestimated: what may still come covers what is real and not told by rows.
    fn cover(&self) {
        for market in (0..MARKETS).map(MarketId) {
            let entries = self.cases.values().filter(|case| {
                let order = &case.order;
                case.ended.is_none() && !order.reduce_only && order.market == market
            });
            let open = entries.map(|case| case.truth.real().units() - case.told()).sum();
            let open = Usd::notional(px(100), Sz::from_units(open)).expect("small");
            let pending = self.orders.pending_notional(market);
            assert!(pending >= open, "{pending} of {open}");
        }
    }

    /// A reading of the account tells what no row did; returns whether there was an order of which it
    /// does.
    fn account(&mut self) -> bool {
        let claims = (0..MARKETS).map(MarketId);
        let claim = claims.filter_map(|market| self.orders.claim(market, VenueMs(i64::MAX))).next();
        let Some(claim) = claim else { return false };
        let case = self.cases.get_mut(&claim.id).expect("one that was opened");
        let rest = case.truth.real().units() - case.told();
        if rest > 0 {
            case.rows = [true; 3];
            self.orders.on_fill(self.now, &fill(&case.order, 0, Sz::from_units(rest)));
        }
        self.orders.accounted(self.now, claim.id);
        true
    }

    /// The link comes back, look-ups are answered, and every order that was sent has its end.
    fn finish(&mut self) {
        (self.link, self.asked) = (true, true);
        for _ in 0..PATIENCE {
            self.settle();
            let Some((id, post)) = self.looks.pop().filter(|_| self.heard) else {
                self.heard = true;
                match self.orders.next_due() {
                    Mono::MAX if !self.account() => break,
                    Mono::MAX => {}
                    due => self.pass(due.since(self.now.mono)),
                }
                continue;
            };
            let case = self.cases.get(&id).expect("one that was opened");
            let last = case.truth.last_word(&case.order);
            self.orders.on_answer(self.now, post, &PostAnswer::Order(Some(last)));
        }
        assert!(self.orders.is_empty(), "no end was found");
        assert_eq!(self.orders.pending_total(), Usd::ZERO);
        assert_eq!(self.orders.next_due(), Mono::MAX);
    }
}

fn px(usd: i64) -> Px {
    Px::from_units(usd * 100_000_000)
}

fn size(hundredths: i64) -> Sz {
    Sz::from_units(hundredths * 1_000_000)
}

/// The venue's id of an order.
fn oid(order: &Order) -> u64 {
    order.cloid.0 as u64
}

fn update(order: &Order, word: &str, rest: i64) -> OrderUpdate {
    OrderUpdate {
        coin: order.coin,
        oid: oid(order),
        cloid: Some(order.cloid),
        side: order.side,
        sz: size(rest),
        orig_sz: order.sz,
        word: VenueStatus::of(word),
        status_time: VenueMs(1),
    }
}

/// Its fill with this number among its own.
fn fill(order: &Order, tid: u64, sz: Sz) -> Fill {
    Fill {
        coin: order.coin,
        px: px(99),
        sz,
        side: order.side,
        time: VenueMs(1),
        start_position: Szi::ZERO,
        closed_pnl: Usd::ZERO,
        oid: oid(order),
        cloid: Some(order.cloid),
        tid,
        fee: Usd::from_units(1),
        liquidation: false,
    }
}
