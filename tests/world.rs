//! Engine and simulated venue together in virtual time: no threads, sockets or clocks, so the same
//! seed gives the same rows.

use std::collections::BTreeMap;

use hip3::account::info::{self, DexAnswers};
use hip3::engine::Engine;
use hip3::types::config::Config;
use hip3::types::event::{Action, Actions, Event, LinkDown};
use hip3::types::market::Universe;
use hip3::types::record::{GapCause, Gate, Row, SampleStatus};
use hip3::types::status::Status;
use hip3::types::time::{Mono, Nanos, Now, Wall};
use hip3::venue::{ConnId, Faults, Output, Settings, Venue};

const START: Wall = Wall(1_795_348_800_000_000_000);
/// One way between engine and venue.
const TRIP: Nanos = Nanos::from_millis(5);

/// Everything an hour of market leaves behind.
struct World {
    engine: Engine,
    venue: Venue,
    conn: Option<ConnId>,
    now: Now,
    out: Actions,
    rows: Vec<Row>,
}

impl World {
    fn new(config: &Config, settings: Settings) -> Self {
        let now = Now { mono: Mono(1_000_000_000), wall: START };
        Self {
            engine: Engine::new(config, 1, settings.seed),
            venue: Venue::new(settings, now.mono).expect("a venue"),
            conn: None,
            now,
            out: Actions::new(),
            rows: Vec::new(),
        }
    }

    fn run(&mut self, span: Nanos) -> Status {
        let end = self.now.mono.plus(span);
        let mut outputs = Vec::new();
        loop {
            let next = self.engine.next_due().min(self.venue.next_deadline()).min(end);
            let step = next.since(self.now.mono);
            self.now = Now { mono: self.now.mono.plus(step), wall: self.now.wall.plus(step) };
            if self.now.mono >= end {
                return self.engine.status(self.now.mono);
            }
            if self.engine.next_due() <= self.now.mono {
                self.tell(Event::Tick);
            }
            self.venue.advance(self.now.mono, &mut outputs);
            for output in std::mem::take(&mut outputs) {
                self.deliver(&output);
            }
        }
    }

    /// What the venue puts out reaches the engine at once; the trip lies on the other way.
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
                Action::Log(_) | Action::Stopped => {}
                Action::ReadAccount { .. }
                | Action::Exchange { .. }
                | Action::ReadSignerRole
                | Action::KeepLatch(_)
                | Action::KeepLoss(_) => unreachable!("it observes"),
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
                Action::ReadUniverse => match self.read() {
                    Some(universe) => self.tell(Event::Universe(&universe)),
                    None => self.tell(Event::UniverseFailed),
                },
            }
        }
        for output in outputs {
            self.deliver(&output);
        }
    }

    /// Asks what the desk asks.
    fn read(&mut self) -> Option<Universe> {
        let now = self.now.mono;
        let mut ask = |body: &str| {
            let reply = self.venue.info(now, body.as_bytes());
            (reply.status == 200).then(|| reply.body.clone())
        };
        let listed = ask(r#"{"type":"perpDexs"}"#)?;
        let meta = ask(r#"{"type":"meta","dex":"xyz"}"#)?;
        let limits = ask(r#"{"type":"perpDexLimits","dex":"xyz"}"#)?;
        let at_cap = ask(r#"{"type":"perpsAtOpenInterestCap","dex":"xyz"}"#)?;
        let dexes = info::perp_dexs(listed.as_bytes(), &["xyz".to_owned()]).ok()?;
        let answers = DexAnswers {
            meta: meta.as_bytes(),
            limits: limits.as_bytes(),
            at_cap: at_cap.as_bytes(),
        };
        let info::Listing { markets, odd } = info::markets(&dexes[0], answers).ok()?;
        Some(Universe { markets, fees: None, odd })
    }

    /// Ends in order and checks what must hold of every run.
    fn finish(mut self) -> (Vec<Row>, Status) {
        self.tell(Event::Stop);
        let mut looks: BTreeMap<u64, (Vec<u32>, Vec<u32>)> = BTreeMap::new();
        let mut crosses: BTreeMap<u64, (u32, u32)> = BTreeMap::new();
        for row in &self.rows {
            match row {
                Row::Signal(row) => {
                    assert!(looks.insert(row.id.0, Default::default()).is_none(), "twice");
                    crosses.entry(row.cross.0).or_default().0 += 1;
                    assert_eq!(row.blocked_by.is_some(), row.gate_mask != 0, "{row:?}");
                }
                Row::FollowUp(row) => looks.entry(row.signal.0).or_default().0.push(row.offset_ms),
                Row::Entry(row) => looks.entry(row.signal.0).or_default().1.push(row.latency_ms),
                Row::Cross(row) => {
                    let told = crosses.entry(row.id.0).or_default();
                    assert_eq!(told.1, 0, "a cross ends once");
                    *told = (told.0, 1);
                    assert_eq!(told.0, row.signals, "{row:?}");
                    assert!(row.quote_survival.is_none_or(|survival| survival <= row.duration));
                }
                Row::Gap(row) => assert!(row.started_at <= row.ended_at),
                Row::Order(_) | Row::Trade(_) => unreachable!("it observes"),
            }
        }
        for (signal, (followups, entries)) in &looks {
            assert_eq!(followups, &[1000, 3000, 5000], "of signal {signal}");
            assert_eq!(entries, &[50, 200, 400, 900], "of signal {signal}");
        }
        assert!(crosses.values().all(|(_, ends)| *ends == 1), "every cross ends");
        let status = self.engine.status(self.now.mono);
        (self.rows, status)
    }
}

fn played(seed: u64, faults: &str, minutes: u64) -> (Vec<Row>, Status) {
    let mut settings = Settings { seed, markets: 60, ..Settings::default() };
    settings.faults = Faults::from_toml(faults).expect("faults");
    let mut world = World::new(&Config::default(), settings);
    world.run(Nanos::from_secs(60 * minutes));
    world.finish()
}

#[test]
fn ten_calm_minutes_are_understood_whole_and_repeat_to_the_bit() {
    let (rows, status) = played(5, "", 10);
    assert_eq!((status.malformed, status.unknown, status.venue_errors), (0, 0, 0));
    assert_eq!((status.disconnects, status.fallback), (0, 0), "the usual shape is scanned");
    assert!(status.signals > 50, "{} signals", status.signals);
    let passed = status.signals - status.signals_blocked;
    assert!(passed > 0, "some pass every gate");
    assert!(
        rows.iter()
            .any(|row| matches!(row, Row::FollowUp(r) if r.status == SampleStatus::Captured))
    );
    assert!(rows == played(5, "", 10).0, "the same seed gives the same rows");
    assert!(rows != played(6, "", 10).0, "another one does not");
}

#[test]
fn an_hour_of_every_fault_is_survived_and_every_gate_has_its_say() {
    let faults = r#"
        greeting = true
        expire_after_s = 600
        drop = 0.00002
        truncate = 0.00002
        delay = 0.0001
        duplicate = 0.001
        garble = 0.001
        binary = 0.0005
        unknown_channel = 0.0005
        shuffle_keys = 0.01
        unknown_keys = 0.01
        numbers = 0.01
        null_side = 0.002
        crossed = 0.002
        time_regression = 0.0005
        ctx_nulls = 0.01
        ack_lost = 0.02
        ack_late = 0.05
        info_garbage = 0.05
        info_cut = 0.05
        info_429 = 0.02
        info_500 = 0.02
        [[event]]
        at_ms = 200000
        what = "append"
        [[event]]
        at_ms = 400000
        what = "halt"
        coin = "xyz:NVDA"
        [[event]]
        at_ms = 700000
        what = "resume"
        coin = "xyz:NVDA"
        [[event]]
        at_ms = 800000
        what = "growth_off"
        coin = "xyz:TSLA"
        [[event]]
        at_ms = 900000
        what = "open_interest_to_cap"
        coin = "xyz:AAPL"
    "#;
    let (rows, status) = played(9, faults, 60);
    assert!(status.malformed > 10 && status.unknown > 10 && status.fallback > 1_000, "{status:?}");
    assert!(status.disconnects >= 5 && status.connects >= 6, "{status:?}");
    for gate in Gate::ALL {
        // No ctx falls silent for 8 s on a link that lives: gate 2 blocks at each start instead.
        assert!(status.gate_blocks[gate as usize] > 0, "{} never blocked", gate.name());
    }
    let gap = |cause| rows.iter().any(|row| matches!(row, Row::Gap(r) if r.cause == cause));
    assert!(gap(GapCause::Start) && gap(GapCause::LinkDown));
    let lost =
        |row: &Row| matches!(row, Row::FollowUp(r) if r.status == SampleStatus::Disconnected);
    assert!(rows.iter().any(lost), "some looks fell into a gap");
    assert!(status.signals > 100, "{status:?}");
    assert!(rows == played(9, faults, 60).0, "faults are seeded too");
}
