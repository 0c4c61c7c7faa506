//! What the hot thread shows: whole, at its pace, and never at the cost of the loop.

use hip3::engine::Engine;
use hip3::runtime::publish::{Loop, SnapshotPublisher, publisher};
use hip3::types::event::{Actions, Event, OperatorCommand};
use hip3::types::ids::{AssetId, Coin};
use hip3::types::market::Universe;
use hip3::types::snapshot::Snapshot;
use hip3::types::time::{Mono, Nanos, Now};

use crate::store_rows::{self, NOON};
use crate::support::{FIRST_ID, Info, config};

const INTERVAL: Nanos = Nanos::from_millis(100);

/// A moment, counted in milliseconds.
fn at(ms: u64) -> Now {
    let since = Nanos::from_millis(ms);
    Now { mono: Mono(1_000_000_000).plus(since), wall: NOON.plus(since) }
}

/// An engine that watches so many markets.
fn watching(markets: u32) -> Engine {
    let one = Info::two_markets().universe().markets[0];
    let markets = (0..markets)
        .map(|n| {
            let mut market = one;
            market.coin = Coin::new(&format!("tst:M{n}")).expect("a name");
            market.asset = AssetId(110_000 + n);
            market
        })
        .collect();
    let mut engine = Engine::new(&config(), FIRST_ID, 1);
    let mut out = Actions::new();
    engine.on_event(at(0), Event::Tick, &mut out);
    engine.on_event(
        at(0),
        Event::Universe(&Universe { markets, fees: None, odd: Vec::new() }),
        &mut out,
    );
    engine
}

/// Steps at one moment until a snapshot comes, and how many steps it took.
fn shown(
    publisher: &mut SnapshotPublisher,
    now: Now,
    engine: &Engine,
    mut take: impl FnMut() -> Option<Box<Snapshot>>,
) -> (Box<Snapshot>, usize) {
    for steps in 1..100 {
        publisher.step(now, engine, Loop::default());
        if let Some(snapshot) = take() {
            return (snapshot, steps);
        }
        assert_eq!(publisher.next_due(), Mono(0), "it goes on at once");
    }
    panic!("no snapshot");
}

#[test]
fn a_snapshot_of_many_markets_takes_some_turns_and_is_whole() {
    for (markets, turns) in [(1, 1), (32, 1), (33, 2), (100, 4), (498, 16)] {
        let engine = watching(markets);
        assert_eq!(engine.markets().len(), markets as usize);
        let (mut publisher, mut receiver) = publisher(INTERVAL);
        let (snapshot, steps) = shown(&mut publisher, at(0), &engine, || receiver.snapshots.pop());
        assert_eq!(steps, turns, "{markets} markets");
        let coins = |coins: &mut dyn Iterator<Item = Coin>| -> Vec<String> {
            coins.map(|coin| coin.as_str().to_owned()).collect()
        };
        assert_eq!(
            coins(&mut snapshot.markets.iter().map(|snapshot| snapshot.coin)),
            coins(&mut engine.markets().iter().map(|market| market.spec.coin))
        );
        assert_eq!(snapshot.status, engine.status(at(0).mono));
        assert_eq!(snapshot.at, at(0));
    }
}

#[test]
fn an_engine_without_markets_is_shown_as_well() {
    let (mut publisher, mut receiver) = publisher(INTERVAL);
    let (snapshot, _) = shown(&mut publisher, at(0), &watching(0), || receiver.snapshots.pop());
    assert!(snapshot.markets.is_empty());
}

#[test]
fn a_market_that_is_listed_while_a_snapshot_is_copied_is_in_it() {
    let (few, more) = (watching(40), watching(70));
    let (mut publisher, mut receiver) = publisher(INTERVAL);
    publisher.step(at(0), &few, Loop::default());
    assert!(receiver.snapshots.pop().is_none());
    let (snapshot, _) = shown(&mut publisher, at(0), &more, || receiver.snapshots.pop());
    assert_eq!(snapshot.markets.len(), 70);
}

#[test]
fn snapshots_keep_their_pace_and_say_how_late_they_are() {
    let engine = watching(2);
    let (mut publisher, mut receiver) = publisher(INTERVAL);
    let mut take = |publisher: &mut SnapshotPublisher, ms: u64| {
        publisher.step(at(ms), &engine, Loop { turns: ms, ..Loop::default() });
        let snapshot = receiver.snapshots.pop()?;
        let told = (snapshot.turns, snapshot.lag, snapshot.longest_turn);
        receiver.spent.push(snapshot).expect("room");
        Some(told)
    };
    assert_eq!(
        take(&mut publisher, 0),
        Some((0, Nanos::ZERO, Nanos::ZERO)),
        "nobody waited for it"
    );
    assert_eq!(publisher.next_due(), at(100).mono);
    publisher.turn_took(Nanos(70));
    publisher.turn_took(Nanos(900));
    publisher.turn_took(Nanos(80));
    assert_eq!(take(&mut publisher, 99), None);
    assert_eq!(take(&mut publisher, 107), Some((107, Nanos::from_millis(7), Nanos(900))));
    assert_eq!(take(&mut publisher, 206), None);
    assert_eq!(take(&mut publisher, 207), Some((207, Nanos::ZERO, Nanos::ZERO)), "counted anew");
}

#[test]
fn an_audience_that_gives_nothing_back_only_sees_less() {
    let engine = watching(2);
    let (mut publisher, mut receiver) = publisher(INTERVAL);
    for n in 0..10 {
        publisher.step(at(100 * n), &engine, Loop::default());
    }
    let first: Vec<_> = std::iter::from_fn(|| receiver.snapshots.pop()).collect();
    assert_eq!(first.len(), 3, "there are no more");
    assert!(first.iter().all(|snapshot| snapshot.skipped == 0));
    for snapshot in first {
        receiver.spent.push(snapshot).expect("room");
    }
    publisher.step(at(1_000), &engine, Loop::default());
    let snapshot = receiver.snapshots.pop().expect("a snapshot");
    assert_eq!((snapshot.skipped, snapshot.lag), (7, Nanos::ZERO));
    assert_eq!(snapshot.markets.len(), 2, "what it held before is gone");
}

#[test]
fn an_audience_that_has_left_stops_nothing() {
    let engine = watching(2);
    let (mut publisher, receiver) = publisher(INTERVAL);
    drop(receiver);
    for n in 0..10_000 {
        publisher.step(at(100 * n), &engine, Loop::default());
        publisher.show(&store_rows::signal(n, NOON));
        assert_eq!(publisher.command(), None);
    }
    assert_eq!(publisher.next_due(), at(1_000_000).mono);
}

#[test]
fn rows_past_the_ring_are_counted() {
    let engine = watching(2);
    let (mut publisher, mut receiver) = publisher(INTERVAL);
    let room = 1 << 12;
    for id in 0..room + 10 {
        publisher.show(&store_rows::signal(id, NOON));
        // These are no lines of a page.
        publisher.show(&store_rows::cross(id, NOON));
        publisher.show(&store_rows::follow_up(id, 1_000, NOON));
        publisher.show(&store_rows::entry(id, 50, NOON));
        publisher.show(&store_rows::gap(NOON));
    }
    publisher.step(at(0), &engine, Loop::default());
    assert_eq!(receiver.snapshots.pop().expect("a snapshot").rows_unshown, 10);
    let kept: Vec<_> = std::iter::from_fn(|| receiver.rows.pop()).collect();
    assert_eq!(kept.len() as u64, room);
    assert_eq!(
        (kept[0], kept[room as usize - 1]),
        (store_rows::signal(0, NOON), store_rows::signal(room - 1, NOON))
    );
    for row in [store_rows::entry_order(1, NOON), store_rows::trade(1, NOON)] {
        publisher.show(&row);
        assert_eq!(receiver.rows.pop(), Some(row));
    }
}

#[test]
fn what_the_loop_knows_is_shown_and_commands_come_back() {
    let engine = watching(2);
    let (mut publisher, mut receiver) = publisher(INTERVAL);
    let of_loop = Loop { uptime: Nanos(5), turns: 6, notes_lost: 7, rows_lost: 8 };
    publisher.step(at(0), &engine, of_loop);
    let snapshot = receiver.snapshots.pop().expect("a snapshot");
    let told = (snapshot.uptime, snapshot.turns, snapshot.notes_lost, snapshot.status.rows_lost);
    assert_eq!(told, (Nanos(5), 6, 7, 8));
    for command in [OperatorCommand::Halt, OperatorCommand::Release(None), OperatorCommand::Flatten]
    {
        receiver.commands.push(command).expect("room");
    }
    let commands: Vec<_> = std::iter::from_fn(|| publisher.command()).collect();
    assert_eq!(
        commands,
        [OperatorCommand::Halt, OperatorCommand::Release(None), OperatorCommand::Flatten]
    );
}
