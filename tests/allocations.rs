//! The promise that handling market data allocates nothing, once everything has grown to its
//! working size: frames, gates, crosses, signals, later looks, ticks, the rings they leave by, and
//! what a dashboard is shown of it.

mod support;

use allocation_counter::measure;
use hip3::engine::Engine;
use hip3::feed::message::{Decoder, Message};
use hip3::runtime::publish::{Loop, publisher};
use hip3::runtime::ring::ring;
use hip3::types::event::{Action, Actions, Event};
use hip3::types::log_event::LogEvent;
use hip3::types::record::Row;
use hip3::types::time::{Mono, Nanos, Now};
use support::{FIRST_ID, Info, START, config};

/// Frames of two markets whose oracle swings, in the usual shape and in others, with the time that
/// passes before each. `at_ms` is the time since the start; blocks are told as they are made.
fn session(frames: usize, at_ms: &mut u64) -> Vec<(Nanos, Vec<u8>)> {
    let mut session = Vec::with_capacity(frames);
    for n in 0..frames {
        let coin = ["tst:ONE", "tst:TWO"][n % 2];
        let wait_ms = 1 + n as u64 % 40;
        *at_ms += wait_ms;
        let time = START.0 / 1_000_000 + *at_ms as i64;
        let frame = match n % 10 {
            // Unusual shapes take the slow way through the JSON parser.
            0 => format!(
                r#"{{"data":{{"bbo":[{{"n":1,"px":"99.95","sz":"50"}},null],"time":{time},"coin":"{coin}"}},"channel":"bbo"}}"#
            ),
            1 => r#"{"channel":"pong"}"#.to_owned(),
            2 => format!(
                r#"{{"channel":"activeAssetCtx","data":{{"coin":"{coin}","ctx":{{"oraclePx":"100.5","markPx":100.5,"midPx":"100.4","openInterest":"5.5","funding":null}}}}}}"#
            ),
            3 | 6 | 9 => format!(
                r#"{{"channel":"activeAssetCtx","data":{{"coin":"{coin}","ctx":{{"funding":"0.00000625","openInterest":"50.5","prevDayPx":"99.0","dayNtlVlm":"204936975.5174998045","premium":"-0.0001","oraclePx":"{oracle}","markPx":"{oracle}","midPx":"{oracle}","impactPxs":["99.9","100.1"],"dayBaseVlm":"6563.3756"}}}}}}"#,
                oracle = ["100.0", "101.0", "99.0"][n / 10 % 3]
            ),
            5 => {
                r#"{"channel":"bbo","data":{"coin":"tst:ONE","time":1,"bbo":[{"px":"1e5"#.to_owned()
            }
            _ => format!(
                r#"{{"channel":"bbo","data":{{"coin":"{coin}","time":{time},"bbo":[{{"px":"99.95","sz":"{sz}","n":1}},{{"px":"100.05","sz":"{sz}","n":2}}]}}}}"#,
                sz = 20 + n % 80
            ),
        };
        session.push((Nanos::from_millis(wait_ms), frame.into_bytes()));
    }
    session
}

#[test]
fn handling_market_data_allocates_nothing() {
    let mut engine = Engine::new(&config(), FIRST_ID, 1);
    let mut out = Actions::new();
    let mut now = Now { mono: Mono(1_000_000_000), wall: START };
    let universe = Info::two_markets().universe();
    for event in [Event::Tick, Event::Universe(&universe), Event::Connected] {
        engine.on_event(now, event, &mut out);
    }
    let (mut rows, mut to_recorder) = ring::<Row>(1 << 12);
    let (mut log_events, mut to_log) = ring::<LogEvent>(1 << 12);
    let mut counts = [0_u64; 5];
    let (mut publisher, mut receiver) = publisher(Nanos::from_millis(100));
    let (mut snapshots, mut shown_rows) = (0_u64, 0_u64);

    let mut play = |session: &[(Nanos, Vec<u8>)]| {
        for (wait, frame) in session {
            let end = now.mono.plus(*wait);
            while engine.next_due() <= end {
                let step = engine.next_due().since(now.mono);
                now = Now { mono: now.mono.plus(step), wall: now.wall.plus(step) };
                engine.on_event(now, Event::Tick, &mut out);
            }
            now = Now { wall: now.wall.plus(end.since(now.mono)), mono: end };
            engine.on_event(now, Event::Frame(frame), &mut out);
            for action in out.iter() {
                match action {
                    Action::Record(row) => {
                        publisher.show(&row);
                        rows.push(row).expect("room for a row");
                    }
                    Action::Log(event) => log_events.push(event).expect("room for an event"),
                    _ => {}
                }
            }
            out.clear();
            while let Some(row) = to_recorder.pop() {
                counts[row.kind() as usize] += 1;
            }
            while to_log.pop().is_some() {}
            if now.mono >= publisher.next_due() {
                publisher.step(now, &engine, Loop::default());
            }
            while let Some(snapshot) = receiver.snapshots.pop() {
                snapshots += u64::from(snapshot.markets.len() == 2);
                receiver.spent.push(snapshot).expect("room for a snapshot");
            }
            shown_rows += std::iter::from_fn(|| receiver.rows.pop()).count() as u64;
        }
        (engine.status(now.mono), counts, [snapshots, shown_rows])
    };

    let mut at_ms = 0;
    let warm_up = session(20_000, &mut at_ms);
    let measured = session(50_000, &mut at_ms);
    let (before, rows_before, shown_before) = play(&warm_up);
    let mut after = None;
    let allocations = measure(|| after = Some(play(&measured)));
    let (status, rows_after, shown_after) = after.expect("it ran");

    // It did work, of every kind.
    assert_eq!(status.frames - before.frames, 50_000);
    assert!(status.bbo - before.bbo >= 20_000 && status.ctx - before.ctx >= 20_000);
    assert!(
        status.fallback - before.fallback >= 10_000 && status.malformed - before.malformed >= 5_000
    );
    assert!(status.gate_blocks.iter().sum::<u64>() > before.gate_blocks.iter().sum::<u64>());
    let recorded: Vec<u64> =
        rows_after.iter().zip(rows_before).map(|(after, before)| after - before).collect();
    assert!(recorded[..4].iter().all(|rows| *rows > 100), "{recorded:?}");

    // Each signal was shown, and a snapshot each 100 ms or so.
    assert!(shown_after[0] - shown_before[0] > 5_000, "{shown_after:?}");
    assert_eq!(shown_after[1] - shown_before[1], recorded[0]);

    assert_eq!((allocations.count_total, allocations.bytes_total), (0, 0));
}

/// Account frames are rare and may be long; the first of them must not make an order behind it wait for
/// memory.
#[test]
fn the_first_frame_of_ordinary_size_finds_room() {
    let mut decoder = Decoder::new();
    let fill = r#"{"coin":"tst:ONE","px":"100.05","sz":"0.5","side":"B","time":1795348800000,"startPosition":"0.0","dir":"Open Long","closedPnl":"0.0","hash":"0x00","oid":7,"crossed":true,"fee":"0.01","tid":9,"feeToken":"USDC"}"#;
    let fills = vec![fill; 60].join(",");
    let user = "0x0000000000000000000000000000000000000001";
    decoder.set_user(user);
    let frame =
        format!(r#"{{"channel":"userFills","data":{{"user":"{user}","fills":[{fills}]}}}}"#);
    assert!((12_000..16_000).contains(&frame.len()), "{}", frame.len());
    let mut told = 0;
    let allocations = measure(|| {
        if let Ok(Message::Fills { fills, .. }) = decoder.decode(frame.as_bytes()) {
            told = fills.len();
        }
    });
    assert_eq!(told, 60);
    assert_eq!((allocations.count_total, allocations.bytes_total), (0, 0));
}
