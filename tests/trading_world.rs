//! A trading engine and the simulated venue together in virtual time. Whatever goes wrong between
//! them, the venue's own books say that no limit was passed, and ours agree with them to the cent.

use hip3::account::info::{self, DexAnswers};
use hip3::account::state;
use hip3::engine::{Engine, Wallet};
use hip3::executor::encode::Encoder;
use hip3::executor::signer::{Key, Signer, SigningNetwork};
use hip3::types::account::{AccountState, RecordedTrades, Role};
use hip3::types::config::Config;
use hip3::types::event::{Action, Actions, Event, LinkDown, OperatorCommand};
use hip3::types::hard_stop::HardStop;
use hip3::types::ids;
use hip3::types::losses::Losses;
use hip3::types::market::Universe;
use hip3::types::num::{Rate, Usd};
use hip3::types::record::{Decision, ExitReason, Outcome, Row};
use hip3::types::status::Status;
use hip3::types::time::{Mono, Nanos, Now, VenueMs, Wall};
use hip3::venue::{AccountSettings, Address, Books, ConnId, Faults, Output, Settings, Venue};
use serde_json::json;

const START: Wall = Wall(1_795_348_800_000_000_000);
/// One way between engine and venue.
const TRIP: Nanos = Nanos::from_millis(5);
const ACCOUNT: Address = Address([0xaa; 20]);

struct World {
    config: Config,
    engine: Engine,
    venue: Venue,
    conn: Option<ConnId>,
    now: Now,
    out: Actions,
    rows: Vec<Row>,
    latch: HardStop,
    losses: Losses,
    stopped: bool,
    runs: u64,
}

/// Keys of tests sign for nothing but this process's own venue.
fn key() -> Key {
    let mut bytes = [0x42; 32];
    bytes[..8].copy_from_slice(&u64::from(std::process::id()).to_le_bytes());
    Key::from_bytes(&bytes).expect("a key")
}

fn engine(config: &Config, run: u64, latch: HardStop) -> Engine {
    let encoder = Encoder::new(Signer::new(key(), None), SigningNetwork::Testnet, None);
    let wallet = Wallet { encoder, user: ACCOUNT.to_string() };
    Engine::trading(config, run << 32, run, wallet, latch)
}

impl World {
    fn new(seed: u64, faults: &str, tune: impl Fn(&mut Config)) -> Self {
        let mut config = Config::default();
        config.account.user_address = Some(ACCOUNT.to_string());
        // A quiet quote is old without being wrong: what is traded here is just that.
        config.risk.max_bbo_age = None;
        tune(&mut config);
        let now = Now { mono: Mono(1_000_000_000), wall: START };
        let account = AccountSettings {
            address: ACCOUNT,
            deposit: Usd::from_units(1_000_000_000),
            agents: vec![("test".to_owned(), Address(key().address().0), None)],
            vault_of: None,
            referral_discount: Rate::ZERO,
        };
        let settings = Settings {
            seed,
            markets: 60,
            start: VenueMs(START.0 / 1_000_000),
            accounts: vec![account],
            faults: Faults::from_toml(faults).expect("faults"),
            ..Settings::default()
        };
        Self {
            engine: engine(&config, 1, HardStop::default()),
            venue: Venue::new(settings, now.mono).expect("a venue"),
            conn: None,
            now,
            out: Actions::new(),
            rows: Vec::new(),
            latch: HardStop::default(),
            losses: Losses::default(),
            stopped: false,
            runs: 1,
            config,
        }
    }

    /// The process dies, and another one starts.
    fn kill(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.venue.disconnect(conn);
        }
        self.runs += 1;
        self.engine = engine(&self.config, self.runs, self.latch);
        // As the records carry it over.
        let mut recorded = RecordedTrades { since: Some(START), ..RecordedTrades::default() };
        for row in &self.rows {
            if let Row::Trade(row) = row {
                recorded.add(row.coin, row.exited_at);
            }
        }
        self.engine.restore_trades(recorded);
        self.engine.continue_losses(self.losses.clone());
    }

    fn run(&mut self, span: Nanos) -> Status {
        let end = self.now.mono.plus(span);
        let mut outputs = Vec::new();
        let mut turns = 0_u64;
        while !self.stopped {
            let next = self.engine.next_due().min(self.venue.next_deadline()).min(end);
            let step = next.since(self.now.mono);
            self.now = Now { mono: self.now.mono.plus(step), wall: self.now.wall.plus(step) };
            if self.now.mono >= end {
                break;
            }
            turns = if step.0 > 0 { 0 } else { turns + 1 };
            assert!(turns < 10_000, "time stands still: {:?}", self.engine.next_due());
            if self.engine.next_due() <= self.now.mono {
                self.tell(Event::Tick);
            }
            self.venue.advance(self.now.mono, &mut outputs);
            for output in std::mem::take(&mut outputs) {
                self.deliver(&output);
            }
            self.check();
        }
        self.engine.status(self.now.mono)
    }

    /// What must hold after every event.
    fn check(&self) {
        let trading = self.engine.status(self.now.mono).trading;
        let position = &self.config.position;
        assert!(trading.positions <= position.max_concurrent_positions, "{trading:?}");
    }

    fn deliver(&mut self, output: &Output) {
        let (conn, event) = match output {
            Output::Text(conn, text) => (*conn, Event::Frame(text.as_bytes())),
            Output::Binary(conn, _) => (*conn, Event::Binary),
            Output::Close { conn, .. } => (*conn, Event::Disconnected(LinkDown::Closed)),
            Output::Torn(conn, _) | Output::Drop(conn) => {
                (*conn, Event::Disconnected(LinkDown::Dropped))
            }
        };
        if self.conn != Some(conn) {
            return;
        }
        if matches!(event, Event::Disconnected(_)) {
            self.venue.disconnect(conn);
            self.conn = None;
        }
        self.tell(event);
    }

    fn tell(&mut self, event: Event<'_>) {
        self.engine.on_event(self.now, event, &mut self.out);
        let out = std::mem::replace(&mut self.out, Actions::new());
        let mut outputs = Vec::new();
        for action in out.iter() {
            match action {
                Action::Record(row) => self.rows.push(row),
                Action::Log(_) => {}
                Action::Stopped => self.stopped = true,
                // Nobody answers; it is looked up on the next link.
                Action::Exchange { post, .. } => self.tell(Event::ExchangeFailed { post }),
                Action::KeepLatch(latch) => self.latch = latch,
                Action::KeepLoss(entry) => self.losses.take(entry),
                Action::ReadSignerRole => {
                    let user = ids::Address(ACCOUNT.0);
                    self.tell(Event::SignerRole(Role::Agent { user }));
                }
                Action::Send(span) => {
                    if let Some(conn) = self.conn {
                        let text = std::str::from_utf8(out.text(span)).expect("text");
                        let at = self.now.mono.plus(TRIP);
                        self.venue.text(at, conn, text, &mut outputs);
                    }
                }
                Action::Close(_) => {
                    if let Some(conn) = self.conn.take() {
                        self.venue.disconnect(conn);
                    }
                }
                Action::Connect => match self.venue.connect(self.now.mono, &mut outputs) {
                    Ok(conn) => {
                        self.conn = Some(conn);
                        self.tell(Event::Connected);
                    }
                    Err(_) => self.tell(Event::Disconnected(LinkDown::Unreachable)),
                },
                Action::ReadUniverse => match self.read_universe() {
                    Some(universe) => self.tell(Event::Universe(&universe)),
                    None => self.tell(Event::UniverseFailed),
                },
                Action::ReadAccount { fills_since } => match self.read_account(fills_since) {
                    Some(state) => self.tell(Event::Account(&state)),
                    None => self.tell(Event::AccountFailed),
                },
            }
        }
        for output in outputs {
            self.deliver(&output);
        }
    }

    fn ask(&mut self, body: &serde_json::Value) -> Option<String> {
        let reply = self.venue.info(self.now.mono, body.to_string().as_bytes());
        (reply.status == 200).then_some(reply.body)
    }

    fn read_universe(&mut self) -> Option<Universe> {
        let listed = self.ask(&json!({"type": "perpDexs"}))?;
        let mut of_dex = |kind: &str| self.ask(&json!({"type": kind, "dex": "xyz"}));
        let (meta, limits) = (of_dex("meta")?, of_dex("perpDexLimits")?);
        let at_cap = of_dex("perpsAtOpenInterestCap")?;
        let dexes = info::perp_dexs(listed.as_bytes(), &["xyz".to_owned()]).ok()?;
        let answers = DexAnswers {
            meta: meta.as_bytes(),
            limits: limits.as_bytes(),
            at_cap: at_cap.as_bytes(),
        };
        let info::Listing { markets, odd } = info::markets(&dexes[0], answers).ok()?;
        let fees = self.ask(&json!({"type": "userFees", "user": ACCOUNT.to_string()}))?;
        Some(Universe { markets, fees: Some(info::user_fees(fees.as_bytes()).ok()?), odd })
    }

    /// As the desk reads it.
    fn read_account(&mut self, since: VenueMs) -> Option<AccountState> {
        let user = ACCOUNT.to_string();
        let mode = self.ask(&json!({"type": "userAbstraction", "user": user}))?;
        let held = self.ask(&json!({"type": "clearinghouseState", "user": user, "dex": "xyz"}))?;
        let limit = self.ask(&json!({"type": "userRateLimit", "user": user}))?;
        let fills = self
            .ask(&json!({"type": "userFillsByTime", "user": user, "startTime": since.0.max(0)}))?;
        let dex = state::dex_account("xyz", held.as_bytes()).ok()?;
        Some(AccountState {
            mode: state::mode(mode.as_bytes()).ok()?,
            available: Some(dex.withdrawable),
            dexes: vec![dex],
            rate_limit: state::rate_limit(limit.as_bytes()).ok()?,
            fills: state::fills(fills.as_bytes()).ok()?.fills,
            fills_since: since,
        })
    }

    /// Ends in order, once the venue has become an honest one, and compares the books.
    fn finish(mut self) -> (Vec<Row>, Status, Books) {
        self.tell(Event::Stop);
        let mut patience = 0;
        while !self.stopped {
            self.run(Nanos::from_secs(5));
            patience += 1;
            assert!(patience < 40, "a stop that never ends");
        }
        let status = self.engine.status(self.now.mono);
        let books = self.venue.books(ACCOUNT).expect("books");
        let position = &self.config.position;
        assert!(books.exposure_max <= position.max_total_notional, "{books:?}");
        assert!(books.exposure_max_of_a_market <= position.max_notional_per_market, "{books:?}");
        assert!(books.positions_max <= position.max_concurrent_positions as usize, "{books:?}");
        (self.rows, status, books)
    }
}

/// What the rows of all runs sum up to: profit before fees, fees.
fn sums(rows: &[Row]) -> (Usd, Usd) {
    let trades = rows.iter().filter_map(|row| if let Row::Trade(r) = row { Some(r) } else { None });
    trades.fold((Usd::ZERO, Usd::ZERO), |(gross, fees), row| {
        assert_eq!(row.net, row.gross.saturating_sub(row.fees));
        (gross.saturating_add(row.gross), fees.saturating_add(row.fees))
    })
}

fn agree(rows: &[Row], books: &Books) {
    assert_eq!(books.positions, [], "flat at the end");
    assert_eq!(sums(rows), (books.closed_pnl, books.fees), "{books:?}");
}

/// Every signal that was sent has an order, and every order one row.
fn every_order_has_its_row(rows: &[Row]) {
    let sent = rows
        .iter()
        .filter(|row| matches!(row, Row::Signal(r) if r.decision == Decision::Sent))
        .count();
    let mut names = std::collections::BTreeSet::new();
    let mut entries = 0;
    for row in rows {
        if let Row::Order(row) = row {
            assert!(names.insert(row.cloid), "twice: {row:?}");
            entries += usize::from(!row.reduce_only);
        }
    }
    assert_eq!(entries, sent);
}

#[test]
fn a_calm_half_hour_ends_flat_and_agrees_to_the_cent() {
    let played = || {
        let mut world = World::new(7, "", |_| {});
        world.run(Nanos::from_secs(900));
        world.finish()
    };
    let (rows, status, books) = played();
    let trading = status.trading;
    assert!(trading.entries_sent >= 5, "{trading:?}");
    assert!(trading.trades.iter().sum::<u64>() >= 3, "{trading:?}");
    let missed = trading.entries_ended[Outcome::Expired as usize];
    assert!(missed > 0, "makers pull their quotes in time, now and then: {trading:?}");
    assert!(!trading.hard_stop.active(), "{}", trading.hard_stop);
    assert_eq!(trading.fills, books.fills);
    agree(&rows, &books);
    every_order_has_its_row(&rows);
    assert!(rows == played().0, "the same seed trades the same");
}

#[test]
fn answers_and_fills_may_come_late_twice_never_and_in_any_order() {
    let faults = r#"
        answer_lost = 0.05
        answer_late = 0.1
        answer_late_ms = 5000
        answer_twice = 0.1
        fills_first = 0.2
        answer_first = 0.2
        updates_last = 0.2
        updates_lost = 0.1
        update_unknown_word = 0.05
        fill_lost = 0.2
        fill_twice = 0.2
        fill_split = 0.3
        fills_disordered = 0.3
    "#;
    for seed in [3, 11] {
        let mut world = World::new(seed, faults, |_| {});
        world.run(Nanos::from_secs(900));
        let (rows, status, books) = world.finish();
        assert!(status.trading.entries_sent >= 5, "{:?}", status.trading);
        assert!(status.trading.lookups > 0, "{:?}", status.trading);
        agree(&rows, &books);
        every_order_has_its_row(&rows);
    }
}

#[test]
fn a_link_that_drops_and_an_account_that_lies_change_no_cent() {
    let faults = r#"
        drop_after_s = 90
        account_zero = 0.1
        account_stale = 0.1
        info_429 = 0.05
        info_garbage = 0.05
        ack_lost = 0.02
        duplicate = 0.001
        fill_lost = 0.1
    "#;
    let mut world = World::new(5, faults, |_| {});
    let status = world.run(Nanos::from_secs(900));
    assert!(status.disconnects >= 3, "{status:?}");
    world.tell(Event::Operator(OperatorCommand::Release(None)));
    let (rows, status, books) = world.finish();
    assert!(status.trading.entries_sent >= 5, "{:?}", status.trading);
    agree(&rows, &books);
}

#[test]
fn a_process_that_dies_in_mid_position_is_followed_by_one_that_closes_it() {
    let mut world = World::new(7, "", |config| config.mark_regression.enabled = false);
    let mut kills = 0;
    for _ in 0..1_500 {
        let status = world.run(Nanos::from_millis(500));
        if status.trading.positions > 0 && kills < 3 {
            kills += 1;
            world.kill();
            world.run(Nanos::from_secs(2));
            let found = world.run(Nanos::from_secs(3)).trading.positions;
            assert!(found > 0, "the position is found");
            world.run(Nanos::from_secs(40));
        }
    }
    assert_eq!(kills, 3);
    let (rows, _, books) = world.finish();
    agree(&rows, &books);
    let adopted = rows.iter().filter(|row| matches!(row, Row::Trade(r) if r.adopted)).count();
    assert!(adopted >= 3, "{adopted}");
}

#[test]
fn a_process_that_dies_between_an_exit_and_its_fill_is_followed_by_one_that_books_it() {
    let tune = |config: &mut Config| {
        config.mark_regression.enabled = false;
        config.time_stop.threshold = Nanos::from_secs(2);
    };
    for seed in [7, 8] {
        let mut world = World::new(seed, "", tune);
        let (mut kills, mut unheard) = (0, 0);
        for n in 0..4_000_u64 {
            let status = world.run(Nanos::from_millis(90 + n * 37 % 120));
            let sent: u64 = status.trading.exits_sent.iter().sum();
            if sent > status.trading.exits_ended.iter().sum::<u64>() && kills < 12 {
                kills += 1;
                world.kill();
                // Long enough for the exit to fill before anyone asks.
                world.now.mono = world.now.mono.plus(Nanos::from_secs(3));
                world.now.wall = world.now.wall.plus(Nanos::from_secs(3));
                let before = world.rows.len();
                world.run(Nanos::from_secs(20));
                let recorded =
                    |row: &&Row| matches!(row, Row::Trade(r) if r.exit == ExitReason::Foreign);
                unheard += world.rows[before..].iter().filter(recorded).count();
            }
        }
        assert!(kills >= 3 && unheard >= 2, "seed {seed}: {kills} kills, {unheard} ends unheard");
        let (rows, _, books) = world.finish();
        agree(&rows, &books);
    }
}
