//! A small world for the engine in virtual time: the test says what the venue sends, in the
//! venue's own bytes, and reads what the engine asks for.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses its part")]

use hip3::account::info::{self, DexAnswers};
use hip3::engine::Engine;
use hip3::types::account::Role;
use hip3::types::config::Config;
use hip3::types::event::{Action, Actions, Event, LinkDown};
use hip3::types::hard_stop::HardStop;
use hip3::types::ids::Address;
use hip3::types::log_event::LogEvent;
use hip3::types::losses::Losses;
use hip3::types::market::Universe;
use hip3::types::record::{CrossRow, EntryRow, FollowUpRow, GapRow, Row, SignalRow};
use hip3::types::status::Status;
use hip3::types::time::{Mono, Nanos, Now, VenueMs, VenueTime, Wall};

/// First id of every run here.
pub const FIRST_ID: u64 = 1_000;

/// The account that is traded for: `0x00000000000000000000000000000000000000aa`.
pub const USER: Address = Address([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xaa]);

/// Virtual time begins on 2026-11-22 at noon, UTC.
pub const START: Wall = Wall(1_795_348_800_000_000_000);

/// `/info` answers of a dex with two markets: the texts a reading is made of.
#[derive(Clone)]
pub struct Info {
    pub perp_dexs: String,
    pub meta: String,
    pub limits: String,
    pub at_cap: String,
}

impl Info {
    /// Two markets, in growth mode with fee scale 1: a taker fee of 0.9 bps.
    pub fn two_markets() -> Self {
        Self {
            perp_dexs: r#"[null,{"name":"tst","fullName":"Test","deployer":"0x0000000000000000000000000000000000000001","oracleUpdater":null,"feeRecipient":null,"assetToStreamingOiCap":[["tst:ONE","1000000.0"],["tst:TWO","1000000.0"]],"subDeployers":[],"assetToFundingMultiplier":[],"assetToFundingInterestRate":[],"assetToFundingClamp":[]}]"#.to_owned(),
            meta: r#"{"universe":[{"szDecimals":2,"name":"tst:ONE","maxLeverage":20,"marginTableId":20,"growthMode":"enabled","deployerFeeScale":"1.0"},{"szDecimals":1,"name":"tst:TWO","maxLeverage":10,"marginTableId":10,"onlyIsolated":true,"marginMode":"noCross","growthMode":"enabled","deployerFeeScale":"1.0"}],"marginTables":[],"collateralToken":0}"#.to_owned(),
            limits: r#"{"totalOiCap":"10000000.0","oiSzCapPerPerp":"20000000000.0","maxTransferNtl":"3000000.0","coinToOiCap":[["tst:ONE","1000000.0"],["tst:TWO","1000000.0"]]}"#.to_owned(),
            at_cap: "[]".to_owned(),
        }
    }

    /// The reading these answers make.
    pub fn universe(&self) -> Universe {
        let wanted = ["tst".to_owned()];
        let dexes = info::perp_dexs(self.perp_dexs.as_bytes(), &wanted).expect("perpDexs");
        let answers = DexAnswers {
            meta: self.meta.as_bytes(),
            limits: self.limits.as_bytes(),
            at_cap: self.at_cap.as_bytes(),
        };
        let listing = info::markets(&dexes[0], answers).expect("well-formed answers");
        Universe { markets: listing.markets, fees: None, odd: listing.odd }
    }
}

/// Settings of the tests: defaults, with short averages.
pub fn config() -> Config {
    let mut config = Config::default();
    config.venue.dexes = vec!["tst".to_owned()];
    config.risk.min_ewma_samples = 3;
    config
}

/// An engine and everything it asked for.
pub struct Scenario {
    pub engine: Engine,
    pub info: Info,
    now: Now,
    out: Actions,
    pub rows: Vec<Row>,
    pub log_events: Vec<LogEvent>,
    pub sent: Vec<String>,
    /// Connections and readings asked for, links closed.
    pub connects: usize,
    pub readings: usize,
    pub closed: Vec<LinkDown>,
    pub stopped: bool,
    /// Readings of the account asked for: since when its fills.
    pub account_readings: Vec<VenueMs>,
    /// Actions that went by REST: number and body.
    pub exchanged: Vec<(u64, String)>,
    /// HardStop as it was to be kept.
    pub latches: Vec<HardStop>,
    /// What was to be kept of money won and lost.
    pub losses: Losses,
    /// What the venue says of the signer, at once; `None` when it does not answer.
    pub role: Option<Role>,
    /// How often it was asked.
    pub role_questions: usize,
    block_ms: i64,
    /// How old blocks are when they are heard.
    pub delay_ms: i64,
    /// The link as the engine's commands and the world's news make it.
    link: Link,
}

/// Whether there is a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Link {
    Down,
    Asked,
    Open,
}

/// What the room of [`Actions`] is made for; no event asks for more.
const ACTIONS_MAX: usize = 4096;

/// Ticks at one moment past which time counts as standing still.
const TURNS_MAX: u32 = 1_000;

impl Scenario {
    /// An engine that has heard nothing.
    pub fn silent(config: &Config) -> Self {
        Self::of(Engine::new(config, FIRST_ID, 1))
    }

    /// The same of an engine made elsewhere.
    pub fn of(engine: Engine) -> Self {
        let now = Now { mono: Mono(1_000_000_000), wall: START };
        Self {
            engine,
            info: Info::two_markets(),
            now,
            out: Actions::new(),
            rows: Vec::new(),
            log_events: Vec::new(),
            sent: Vec::new(),
            connects: 0,
            readings: 0,
            closed: Vec::new(),
            stopped: false,
            account_readings: Vec::new(),
            exchanged: Vec::new(),
            latches: Vec::new(),
            losses: Losses::default(),
            role: Some(Role::Agent { user: USER }),
            role_questions: 0,
            block_ms: i64::MIN,
            delay_ms: 200,
            link: Link::Down,
        }
    }

    /// An engine that has read the venue and is connected and subscribed.
    pub fn connected(config: &Config) -> Self {
        let mut scenario = Self::silent(config);
        scenario.event(Event::Tick);
        scenario.reread();
        scenario.event(Event::Connected);
        scenario
    }

    /// A connected engine whose two markets are calm: oracle 100, quotes 99.95 and 100.05, with an
    /// average spread; ready, with the gap of its start recorded and taken off.
    pub fn calm(config: &Config) -> Self {
        let mut scenario = Self::connected(config);
        scenario.calm_quotes();
        scenario.rows.clear();
        scenario.log_events.clear();
        scenario
    }

    /// What makes both markets calm.
    pub fn calm_quotes(&mut self) {
        for coin in ["tst:ONE", "tst:TWO"] {
            self.ctx(coin, "100");
            for _ in 0..4 {
                self.bbo(coin, "99.95", "100.05");
            }
        }
    }

    pub fn now(&self) -> Now {
        self.now
    }

    /// Tells the engine something now.
    pub fn event(&mut self, event: Event<'_>) {
        self.event_by(event, Engine::on_event);
    }

    /// The same by `tell`, which hands it to the engine and may do something with what it asks for.
    pub fn event_by(
        &mut self,
        event: Event<'_>,
        tell: impl FnOnce(&mut Engine, Now, Event<'_>, &mut Actions),
    ) {
        self.out.clear();
        // What was due by now is done first: it may still send into a link that is gone, and ask for
        // the one that is open already.
        let leaves = matches!(event, Event::Disconnected(_));
        let opens = matches!(event, Event::Connected);
        if opens && self.link == Link::Asked {
            self.link = Link::Open;
        }
        tell(&mut self.engine, self.now, event, &mut self.out);
        assert!(self.out.iter().count() <= ACTIONS_MAX, "too much for one event");
        let mut asked = false;
        for action in self.out.iter() {
            match action {
                Action::Connect => {
                    self.connects += 1;
                    self.link = if opens { Link::Open } else { Link::Asked };
                }
                Action::Close(cause) => {
                    self.closed.push(cause);
                    self.link = Link::Down;
                }
                Action::Send(span) => {
                    assert_eq!(self.link, Link::Open, "there is nobody to send it to");
                    let text = self.out.text(span).to_vec();
                    self.sent.push(String::from_utf8(text).expect("text"));
                }
                Action::ReadUniverse => self.readings += 1,
                Action::ReadAccount { fills_since } => self.account_readings.push(fills_since),
                Action::Exchange { post, body, .. } => {
                    assert_ne!(self.link, Link::Open, "the link would carry it");
                    let body = self.out.text(body).to_vec();
                    self.exchanged.push((post, String::from_utf8(body).expect("text")));
                }
                Action::ReadSignerRole => {
                    self.role_questions += 1;
                    asked = true;
                }
                Action::KeepLoss(entry) => self.losses.take(entry),
                Action::KeepLatch(latch) => self.latches.push(latch),
                Action::Record(row) => self.rows.push(row),
                Action::Log(event) => self.log_events.push(event),
                Action::Stopped => self.stopped = true,
            }
        }
        if leaves && !self.out.iter().any(|action| matches!(action, Action::Connect)) {
            self.link = Link::Down;
        }
        if let (true, Some(role)) = (asked, self.role) {
            self.event(Event::SignerRole(role));
        }
    }

    /// Answers a reading with what [`Scenario::info`] says.
    pub fn reread(&mut self) {
        let universe = self.info.universe();
        self.event(Event::Universe(&universe));
    }

    /// Lets time pass, with a tick at each deadline of the engine.
    pub fn pass_ms(&mut self, ms: u64) {
        self.pass(Nanos::from_millis(ms));
    }

    pub fn pass(&mut self, span: Nanos) {
        let end = self.now.mono.plus(span);
        let mut turns = 0;
        while self.engine.next_due() <= end {
            let step = self.engine.next_due().since(self.now.mono);
            turns = if step.0 > 0 { 0 } else { turns + 1 };
            assert!(turns < TURNS_MAX, "time stands still: {:?}", self.engine.next_due());
            self.now.mono = self.now.mono.plus(step);
            self.now.wall = self.now.wall.plus(step);
            self.event(Event::Tick);
        }
        let step = end.since(self.now.mono);
        self.now.mono = end;
        self.now.wall = self.now.wall.plus(step);
    }

    /// Lets time pass without any tick, as under a stalled loop.
    pub fn stall_ms(&mut self, ms: u64) {
        let step = Nanos::from_millis(ms);
        self.now.mono = self.now.mono.plus(step);
        self.now.wall = self.now.wall.plus(step);
    }

    /// Time passes while both markets are told of: then it is known how late blocks usually are.
    pub fn blocks_ms(&mut self, ms: u64) {
        for _ in 0..ms / 500 {
            self.pass_ms(500);
            for coin in ["tst:ONE", "tst:TWO"] {
                self.ctx(coin, "100");
                self.bbo(coin, "99.95", "100.05");
            }
        }
    }

    /// Somebody sets the wall clock.
    pub fn set_wall_ahead_ms(&mut self, ms: i64) {
        self.now.wall.0 += ms * 1_000_000;
    }

    /// Answers of the venue tell, within half a second, how far our wall clock is ahead.
    pub fn venue_tells_ahead_ms(&mut self, ahead_ms: i64) {
        let half = Nanos::from_millis(500);
        let venue = Wall(self.now.wall.0 - ahead_ms * 1_000_000);
        let (earliest, latest) = (venue.minus(half), venue.plus(half));
        self.event(Event::VenueTime(VenueTime { at: self.now.mono, earliest, latest }));
    }

    pub fn frame(&mut self, frame: &str) {
        self.event(Event::Frame(frame.as_bytes()));
    }

    /// A quote with 100 coins on each side, in the newest block.
    pub fn bbo(&mut self, coin: &str, bid: &str, ask: &str) {
        self.bbo_sized(coin, Some((bid, "100")), Some((ask, "100")));
    }

    pub fn bbo_sized(&mut self, coin: &str, bid: Option<(&str, &str)>, ask: Option<(&str, &str)>) {
        // Blocks go on while nothing is told of them.
        let wall_ms = self.now.wall.0 / 1_000_000;
        self.block_ms = self.block_ms.max(wall_ms - self.delay_ms);
        self.bbo_at(coin, self.block_ms, bid, ask);
    }

    pub fn bbo_at(
        &mut self,
        coin: &str,
        time: i64,
        bid: Option<(&str, &str)>,
        ask: Option<(&str, &str)>,
    ) {
        let level = |side: Option<(&str, &str)>| match side {
            Some((px, sz)) => format!(r#"{{"px":"{px}","sz":"{sz}","n":1}}"#),
            None => "null".to_owned(),
        };
        let (bid, ask) = (level(bid), level(ask));
        self.frame(&format!(
            r#"{{"channel":"bbo","data":{{"coin":"{coin}","time":{time},"bbo":[{bid},{ask}]}}}}"#
        ));
    }

    /// A ctx whose mark and mid equal the oracle, with open interest far from any cap.
    pub fn ctx(&mut self, coin: &str, oracle: &str) {
        self.ctx_with(coin, oracle, oracle, oracle, "50.5");
    }

    pub fn ctx_with(&mut self, coin: &str, oracle: &str, mark: &str, mid: &str, oi: &str) {
        self.frame(&format!(
            r#"{{"channel":"activeAssetCtx","data":{{"coin":"{coin}","ctx":{{"funding":"0.00000625","openInterest":"{oi}","prevDayPx":"99.0","dayNtlVlm":"204936975.5174998045","premium":"-0.0001","oraclePx":"{oracle}","markPx":"{mark}","midPx":"{mid}","impactPxs":["99.9","100.1"],"dayBaseVlm":"6563.3756"}}}}}}"#
        ));
    }

    /// The ctx of a halted market.
    pub fn ctx_settled(&mut self, coin: &str) {
        self.frame(&format!(
            r#"{{"channel":"activeAssetCtx","data":{{"coin":"{coin}","ctx":{{"funding":"0.0","openInterest":"0.0","prevDayPx":"99.0","dayNtlVlm":"0.0","premium":null,"oraclePx":"100.0","markPx":"100.0","midPx":null,"impactPxs":null,"dayBaseVlm":"0.0"}}}}}}"#
        ));
    }

    pub fn status(&self) -> Status {
        self.engine.status(self.now.mono)
    }

    pub fn signals(&self) -> Vec<SignalRow> {
        self.rows
            .iter()
            .filter_map(|r| if let Row::Signal(r) = r { Some(*r) } else { None })
            .collect()
    }

    pub fn followups(&self) -> Vec<FollowUpRow> {
        self.rows
            .iter()
            .filter_map(|r| if let Row::FollowUp(r) = r { Some(*r) } else { None })
            .collect()
    }

    pub fn entries(&self) -> Vec<EntryRow> {
        self.rows
            .iter()
            .filter_map(|r| if let Row::Entry(r) = r { Some(*r) } else { None })
            .collect()
    }

    pub fn crosses(&self) -> Vec<CrossRow> {
        self.rows
            .iter()
            .filter_map(|r| if let Row::Cross(r) = r { Some(*r) } else { None })
            .collect()
    }

    pub fn gaps(&self) -> Vec<GapRow> {
        self.rows.iter().filter_map(|r| if let Row::Gap(r) = r { Some(*r) } else { None }).collect()
    }
}
