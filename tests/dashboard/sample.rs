//! A snapshot with known values.

use hip3::types::hard_stop::{HardStop, StopReason};
use hip3::types::ids::{AssetId, Coin};
use hip3::types::num::{Bps, Szi, Usd};
use hip3::types::ready::Waiting;
use hip3::types::record::{ExitReason, Gate, Outcome};
use hip3::types::snapshot::{MarketSnapshot, MarketState, PositionSnapshot, Snapshot};
use hip3::types::status::{DataAge, LinkState, ReadyFlags, Status, Trading};
use hip3::types::time::{Mono, Nanos, Now};

use crate::store_rows::{NOON, level, px, secs};

fn coin(name: &str) -> Coin {
    Coin::new(name).expect("a name")
}

/// Two markets: one of which all is known, and one of which nothing is.
pub(crate) fn markets(now: Mono) -> Vec<MarketSnapshot> {
    let ago = |ms| Mono(now.0 - Nanos::from_millis(ms).0);
    let known = MarketSnapshot {
        coin: coin("xyz:NVDA"),
        asset: AssetId(110_001),
        bid: level("99.95", "1.5"),
        ask: level("100.05", "20"),
        oracle: Some(px("100")),
        mark: Some(px("100.02")),
        spread: Some(Bps::from_int(10)),
        cost: Some(Bps::parse(b"12.5").expect("bps")),
        bbo_at: Some(ago(120)),
        ctx_at: Some(ago(900)),
        gate: Some(Gate::SpreadShock),
        state: MarketState::Live,
    };
    let unknown = MarketSnapshot {
        coin: coin("xyz:SILVER"),
        asset: AssetId(110_027),
        bid: None,
        ask: None,
        oracle: None,
        mark: None,
        spread: None,
        cost: None,
        bbo_at: None,
        ctx_at: None,
        gate: None,
        state: MarketState::Waiting,
    };
    vec![known, unknown]
}

/// A run of 12 s that is well.
pub(crate) fn snapshot() -> Snapshot {
    let now = Now { mono: Mono(50_000_000_000), wall: NOON };
    Snapshot {
        at: now,
        uptime: Nanos::from_millis(12_999),
        lag: Nanos::from_millis(3),
        turns: 777,
        longest_turn: Nanos(45_999),
        status: Status {
            markets: 2,
            live: 1,
            blocked: 1,
            md_ready: true,
            link: LinkState::Live,
            feed_lag: Some(Nanos::from_millis(40)),
            clock_skew_ms: Some(-3_600_250),
            frames: 100,
            bbo: 60,
            connects: 2,
            disconnects: 1,
            crosses: 9,
            signals: 5,
            signals_blocked: 2,
            ..Status::default()
        },
        markets: markets(now.mono),
        ..Snapshot::default()
    }
}

/// The same of a run that trades, holds something, and is stopped.
pub(crate) fn trading_snapshot() -> Snapshot {
    let mut snapshot = snapshot();
    let mut hard_stop = HardStop::default();
    hard_stop.set(StopReason::Loss, secs(NOON, 1));
    let ready = ReadyFlags {
        md_ready: true,
        order_snapshot: true,
        fills_snapshot: false,
        position_synced: true,
        ws_connected: true,
        hard_stop_clear: false,
    };
    let mut trading = Trading {
        ready,
        waiting: Waiting { budget: true, leverage: Some((57, 109)), ..Waiting::default() },
        data_age: DataAge { account: true, ..DataAge::default() },
        hard_stop,
        positions: 2,
        pending: 3,
        approved: 4,
        entries_sent: 4,
        wins: 1,
        gross: Usd::from_units(1_560_000),
        fees: Usd::from_units(310_000),
        budget_left: -7,
        ..Trading::default()
    };
    trading.entries_ended[Outcome::Filled as usize] = 2;
    trading.entries_ended[Outcome::PartiallyFilled as usize] = 1;
    trading.entries_ended[Outcome::Expired as usize] = 1;
    trading.trades[ExitReason::TimeStop as usize] = 2;
    trading.trades[ExitReason::Flatten as usize] = 1;
    snapshot.status.trading = trading;
    snapshot.positions = vec![
        PositionSnapshot {
            coin: coin("xyz:NVDA"),
            szi: Szi::parse_signed(b"-0.3").expect("a size"),
            entry: Some(px("100.5")),
            mark: Some(px("100.02")),
            held: Nanos::from_millis(2_500),
        },
        PositionSnapshot {
            coin: coin("xyz:SILVER"),
            szi: Szi::parse_signed(b"2").expect("a size"),
            entry: None,
            mark: None,
            held: Nanos::ZERO,
        },
    ];
    snapshot
}
