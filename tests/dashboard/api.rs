//! `/api/snapshot` and `/api/history`: values as they are, and `null` where nothing is known.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use hip3::types::num::Bps;
use hip3::types::record::{Decision, Gate, Row};
use hip3::types::snapshot::Percentiles;
use hip3::types::time::{Mono, Nanos};

use crate::harness::{Server, facts, trading};
use crate::metrics::Metrics;
use crate::numbered::numbered;
use crate::page::carries_the_headers;
use crate::sample::{snapshot, trading_snapshot};
use crate::store_rows::{self, NOON, level, px, secs};

const NOON_MS: i64 = NOON.0 / 1_000_000;

/// The answer without the named fields, after each was looked at.
fn fields(server: &Server) -> serde_json::Map<String, Value> {
    let answer = server.get("/api/snapshot");
    assert_eq!(answer.status, 200);
    carries_the_headers(&answer);
    let Value::Object(fields) = answer.json() else { panic!("{answer:?}") };
    fields
}

#[test]
fn a_snapshot_of_observation_has_every_value() {
    let mut server = Server::start(facts(), None);
    server.show(&snapshot());
    let mut fields = fields(&server);
    let counters = fields.remove("counters").expect("counters");
    let counters = counters.as_object().expect("a map");
    assert!(counters.values().all(Value::is_u64), "a flat map of numbers: {counters:?}");
    assert_eq!((&counters["frames"], &counters["bbo"]), (&json!(100), &json!(60)));
    assert_eq!(
        Value::Object(fields),
        json!({
            "timestamp_ms": NOON_MS,
            "mode": "observation",
            "version": "0.1.0 (abc1234)",
            "run_id": "20261122T120000Z-7",
            "uptime_s": 12,
            "ready": {
                "md_ready": true,
                "order_snapshot": null,
                "fills_snapshot": null,
                "position_synced": null,
                "ws_connected": true,
                "hard_stop_clear": null,
                "waiting": [],
            },
            "hard_stop": { "active": false, "reasons": [], "since_ms": [] },
            "link": { "state": "live", "connects": 2, "disconnects": 1 },
            "feed_lag_ms": 40,
            "clock_skew_seconds": -3600.25,
            "loop": { "turns": 777, "longest_turn_us": 45, "lag_ms": 3 },
            "markets": [
                {
                    "coin": "xyz:NVDA",
                    "asset_id": 110_001,
                    "bid_px": "99.95",
                    "bid_sz": "1.5",
                    "ask_px": "100.05",
                    "ask_sz": "20",
                    "oracle_px": "100",
                    "mark_px": "100.02",
                    "spread_bps": 10.0,
                    "buy_edge_bps": -5.0,
                    "sell_edge_bps": -5.0,
                    "cost_bps": 12.5,
                    "bbo_age_ms": 120,
                    "ctx_age_ms": 900,
                    "gate": "SpreadShock",
                    "state": "live",
                },
                {
                    "coin": "xyz:SILVER",
                    "asset_id": 110_027,
                    "bid_px": null,
                    "bid_sz": null,
                    "ask_px": null,
                    "ask_sz": null,
                    "oracle_px": null,
                    "mark_px": null,
                    "spread_bps": null,
                    "buy_edge_bps": null,
                    "sell_edge_bps": null,
                    "cost_bps": null,
                    "bbo_age_ms": null,
                    "ctx_age_ms": null,
                    "gate": null,
                    "state": "waiting",
                },
            ],
            "positions": [],
            "pending_orders": 0,
            "signals": [],
            "orders": [],
            "trades": [],
            "funnel": {
                "crosses": 9,
                "signals": 5,
                "passed": 3,
                "sent": null,
                "filled": null,
                "profitable": null,
            },
            "latency": {},
            "pnl": { "realized": "0", "fees": "0", "trades": 0, "wins": 0 },
            "limits": { "budget_left": null, "exit_reserve": null },
            "control": { "available": false, "why": "observation" },
        })
    );
    server.end();
}

#[test]
fn a_snapshot_of_trading_adds_what_is_held_and_what_holds() {
    let mut server = Server::start(trading(), None);
    server.show(&trading_snapshot());
    let fields = fields(&server);
    assert_eq!(fields["mode"], "trading");
    assert_eq!(
        fields["ready"],
        json!({
            "md_ready": true,
            "order_snapshot": true,
            "fills_snapshot": false,
            "position_synced": true,
            "ws_connected": true,
            "hard_stop_clear": false,
            "waiting": ["budget", "leverage 57/109", "account_age"],
        })
    );
    let since = NOON_MS + 1_000;
    let stopped = json!({ "active": true, "reasons": ["Loss"], "since_ms": [since] });
    assert_eq!(fields["hard_stop"], stopped);
    assert_eq!(
        fields["positions"],
        json!([
            {
                "coin": "xyz:NVDA",
                "side": "short",
                "sz": "0.3",
                "entry_px": "100.5",
                "mark_px": "100.02",
                "unrealized_pnl": "0.144",
                "held_ms": 2_500,
            },
            {
                "coin": "xyz:SILVER",
                "side": "long",
                "sz": "2",
                "entry_px": null,
                "mark_px": null,
                "unrealized_pnl": null,
                "held_ms": 0,
            },
        ])
    );
    assert_eq!(fields["pending_orders"], 3);
    let funnel = json!({
        "crosses": 9, "signals": 5, "passed": 3, "sent": 4, "filled": 3, "profitable": 1,
    });
    assert_eq!(fields["funnel"], funnel);
    let pnl = json!({ "realized": "1.25", "fees": "0.31", "trades": 3, "wins": 1 });
    assert_eq!(fields["pnl"], pnl);
    assert_eq!(fields["limits"], json!({ "budget_left": -7, "exit_reserve": 50 }));
    assert_eq!(fields["control"], json!({ "available": false, "why": "no token" }));
    server.end();
}

#[test]
fn with_a_token_trading_can_be_controlled() {
    let token = crate::harness::fresh_token();
    let mut server = Server::start(trading(), Some(&token));
    server.show(&trading_snapshot());
    assert_eq!(fields(&server)["control"], json!({ "available": true, "why": null }));
    server.end();
}

/// C10: whatever `/metrics` counts stands among the snapshot's counters with the same number, what each
/// check stopped among it, and the names that scripts know are there.
#[test]
fn the_snapshot_has_every_counter_that_the_metrics_have() {
    // In which each counter has a number of its own.
    let (snapshot, _) = numbered();
    let mut server = Server::start(trading(), None);
    server.show(&snapshot);
    let fields = fields(&server);
    let counters = fields["counters"].as_object().expect("counters");
    let numbers: BTreeSet<u64> = counters.values().map(|n| n.as_u64().expect("a number")).collect();
    let metrics = Metrics::read(&server.get("/metrics").body);
    let mut seen = 0;
    for (sample, value) in &metrics.samples {
        let name = sample.split('{').next().expect("a name");
        // Those of the dashboard itself are not of the run, and these have a place of their own.
        let elsewhere = ["hip3_dashboard_clients_dropped_total", "hip3_latency_count_total"];
        if metrics.kinds[name] != "counter" || elsewhere.contains(&name) {
            continue;
        }
        let in_ms = name.ends_with("_seconds_total");
        let number = if in_ms { value * 1_000.0 } else { *value } as u64;
        assert!(numbers.contains(&number), "{sample} {value} in {counters:?}");
        seen += 1;
    }
    assert!(seen > 80, "{seen}");
    let stopped = snapshot.status.trading.stopped_by;
    assert_eq!(counters["stopped_by.NotReady"], json!(stopped[1]));
    assert_eq!(counters["stopped_by.BudgetExhausted"], json!(stopped[7]));
    assert_eq!(counters["stopped_by"], json!(stopped.iter().sum::<u64>()));
    for name in NAMES {
        assert!(counters.contains_key(name), "{name}");
    }
    server.end();
}

/// Names of counters that scripts rely on.
const NAMES: [&str; 44] = [
    "frames",
    "bytes",
    "bbo",
    "ctx",
    "order_updates",
    "user_fills",
    "user_events",
    "posts",
    "acks",
    "pongs",
    "ignored",
    "unknown",
    "malformed",
    "slow_path",
    "venue_errors",
    "connects",
    "disconnects",
    "gate_blocks",
    "gate_blocked_ms",
    "crosses",
    "signals",
    "signals_blocked",
    "followups",
    "entry_probes",
    "gaps",
    "rows_lost",
    "signals_shed",
    "approved",
    "below_minimum",
    "entries_sent",
    "exits_sent",
    "refusals",
    "fills",
    "fills_repeated",
    "trades",
    "wins",
    "lookups",
    "signatures_presigned",
    "signatures_ordinary",
    "account_reads",
    "account_reads_failed",
    "notes_lost",
    "rows_unshown",
    "snapshots_skipped",
];

#[test]
fn a_server_that_was_shown_nothing_says_nothing_wrong() {
    let server = Server::observing();
    let fields = fields(&server);
    assert_eq!((&fields["markets"], &fields["uptime_s"]), (&json!([]), &json!(0)));
    assert_eq!(fields["link"]["state"], "idle");
    assert_eq!(server.get("/api/history?coin=xyz:NVDA").status, 404);
    server.end();
}

#[test]
fn lengths_of_stages_are_shown_as_they_were_last_measured() {
    let mut server = Server::observing();
    let figures = |n: u64| Percentiles {
        count: n,
        p50: Nanos(n + 1),
        p99: Nanos(n + 2),
        p999: Nanos(n + 3),
        max: Nanos(n + 4),
    };
    for (stage, n) in [("turn", 10), ("other", 20), ("turn", 30)] {
        server.measured.send((stage, figures(n))).expect("it listens");
    }
    server.show(&snapshot());
    let of = |n: u64| json!({ "p50_ns": n + 1, "p99_ns": n + 2, "p999_ns": n + 3, "max_ns": n + 4, "count": n });
    assert_eq!(fields(&server)["latency"], json!({ "turn": of(30), "other": of(20) }));
    server.end();
}

#[test]
fn rows_are_shown_newest_first_and_exactly() {
    let mut server = Server::start(trading(), None);
    for row in [
        store_rows::signal(7, NOON),
        store_rows::entry_order(7, NOON),
        store_rows::exit_order(7, NOON),
        store_rows::trade(7, NOON),
        store_rows::cross(7, NOON),
        store_rows::gap(NOON),
    ] {
        server.rows.push(row).expect("room");
    }
    let Row::Signal(mut sale) = store_rows::signal(u64::MAX, secs(NOON, 1)) else { panic!() };
    sale.side = hip3::types::num::Side::Sell;
    (sale.ask, sale.blocked_by, sale.decision) = (None, None, Decision::Sent);
    server.rows.push(Row::Signal(sale)).expect("room");
    server.show(&snapshot());
    let fields = fields(&server);
    assert_eq!(
        fields["signals"],
        json!([
            {
                "signal_id": "18446744073709551615",
                "time_ms": NOON_MS + 1_000,
                "coin": "xyz:SILVER",
                "side": "sell",
                "px": "80.1",
                "oracle_px": "80.6",
                "bid_px": "80.1",
                "ask_px": null,
                "raw_edge_bps": 49.5,
                "net_edge_bps": 38.25,
                "cost_bps": 16.0,
                "suggested_sz": "0.35",
                "suggested_notional": "28.07",
                "blocked_by": null,
                "decision": "sent",
                "limited_by": "margin",
            },
            {
                "signal_id": "7",
                "time_ms": NOON_MS,
                "coin": "xyz:SILVER",
                "side": "buy",
                "px": "80.2",
                "oracle_px": "80.6",
                "bid_px": "80.1",
                "ask_px": "80.2",
                "raw_edge_bps": 49.5,
                "net_edge_bps": 38.25,
                "cost_bps": 16.0,
                "suggested_sz": "0.35",
                "suggested_notional": "28.07",
                "blocked_by": "SpreadShock",
                "decision": "blocked:SpreadShock",
                "limited_by": "margin",
            },
        ])
    );
    assert_eq!(
        fields["orders"],
        json!([
            {
                "time_ms": NOON_MS + 260,
                "coin": "xyz:SILVER",
                "side": "sell",
                "px": "80.2",
                "sz": "0.3",
                "filled": "0",
                "avg_px": null,
                "reduce_only": true,
                "purpose": "mark_regression",
                "outcome": "rejected",
                "refusal": "min_notional",
            },
            {
                "time_ms": NOON_MS + 260,
                "coin": "xyz:SILVER",
                "side": "buy",
                "px": "80.2",
                "sz": "0.35",
                "filled": "0.3",
                "avg_px": "80.15",
                "reduce_only": false,
                "purpose": "entry",
                "outcome": "partially_filled",
                "refusal": null,
            },
        ])
    );
    assert_eq!(
        fields["trades"],
        json!([{
            "time_ms": NOON_MS + 2_750,
            "coin": "xyz:SILVER",
            "side": "long",
            "sz": "0.3",
            "entry_px": "80.15",
            "exit_px": "80.05",
            "held_ms": 2_500,
            "exit": "time_stop",
            "gross": "-0.03",
            "fees": "0.004325",
            "net": "-0.034325",
        }])
    );
    server.end();
}

#[test]
fn a_hundred_rows_of_a_kind_are_shown_and_no_more() {
    let mut server = Server::observing();
    for id in 0..130 {
        server.rows.push(store_rows::signal(id, NOON)).expect("room");
        if id % 50 == 0 {
            server.show(&snapshot());
        }
    }
    server.show(&snapshot());
    let fields = fields(&server);
    let ids: Vec<&str> = fields["signals"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|signal| signal["signal_id"].as_str().expect("a text"))
        .collect();
    let expected: Vec<String> = (30..130).rev().map(|id| id.to_string()).collect();
    assert_eq!(ids, expected);
    server.end();
}

#[test]
fn a_history_has_a_point_a_second_and_what_happened_meanwhile() {
    let mut server = Server::start(trading(), None);
    let mut snapshot = snapshot();
    // Four looks, half a second apart: the second and the fourth are no points.
    for half in 0..4_u64 {
        snapshot.at.mono = Mono(50_000_000_000 + half * 500_000_000);
        snapshot.at.wall = NOON.plus(Nanos::from_millis(half * 500));
        if half == 2 {
            snapshot.markets[0].bid = None;
            snapshot.markets[0].ask = level("100.0625", "1");
            snapshot.markets[0].oracle = Some(px("100.5"));
        }
        server.show(&snapshot);
    }
    // Before the first point, after it, and of another market.
    let mut rows = [store_rows::signal(1, NOON.minus(Nanos(1))), store_rows::signal(2, NOON)];
    for row in &mut rows {
        let Row::Signal(signal) = row else { panic!() };
        signal.coin = snapshot.markets[0].coin;
        server.rows.push(*row).expect("room");
    }
    server.rows.push(store_rows::signal(3, NOON)).expect("room");
    for mut row in [store_rows::entry_order(2, NOON), store_rows::exit_order(2, NOON)] {
        let Row::Order(order) = &mut row else { panic!() };
        order.coin = snapshot.markets[0].coin;
        server.rows.push(row).expect("room");
    }
    server.show(&snapshot);
    for path in ["/api/history?coin=xyz:NVDA", "/api/history?coin=xyz%3ANVDA&more=1"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200);
        carries_the_headers(&answer);
        let mut chart = answer.json();
        let signals = chart["signals"].take();
        let ids: Vec<&Value> =
            signals.as_array().expect("a list").iter().map(|signal| &signal["signal_id"]).collect();
        assert_eq!(ids, [&json!("2")]);
        assert_eq!(
            chart,
            json!({
                "coin": "xyz:NVDA",
                "step_ms": 1_000,
                "t_ms": [NOON_MS, NOON_MS + 1_000],
                "bid": [99.95, null],
                "ask": [100.05, 100.0625],
                "oracle": [100.0, 100.5],
                "signals": null,
                "fills": [{
                    "time_ms": NOON_MS + 250,
                    "side": "buy",
                    "px": "80.15",
                    "sz": "0.3",
                    "reduce_only": false,
                }],
            })
        );
    }
    let empty = server.get("/api/history?coin=xyz:SILVER").json();
    assert_eq!((&empty["bid"], &empty["oracle"]), (&json!([null, null]), &json!([null, null])));
    server.end();
}

#[test]
fn a_history_is_ten_minutes_long() {
    let mut server = Server::observing();
    let mut snapshot = snapshot();
    for second in 0..610_u64 {
        snapshot.at.mono = Mono((1_000 + second) * 1_000_000_000);
        snapshot.at.wall = secs(NOON, second);
        server.show(&snapshot);
    }
    let chart = server.get("/api/history?coin=xyz:NVDA").json();
    let times = chart["t_ms"].as_array().expect("a list");
    assert_eq!(times.len(), 600);
    assert_eq!((&times[0], &times[599]), (&json!(NOON_MS + 10_000), &json!(NOON_MS + 609_000)));
    server.end();
}

#[test]
fn a_history_of_nothing_is_told_so() {
    let mut server = Server::observing();
    server.show(&snapshot());
    for coin in ["xyz:NONE", "", "XYZ:NVDA", "xyz:NVDA%20", "%00", "%FF", "%F0%9F%8D%8F", "a+b"] {
        let answer = server.get(&format!("/api/history?coin={coin}"));
        assert_eq!(answer.status, 404, "{coin}");
        assert!(!answer.error().is_empty());
    }
    for query in ["", "?", "?con=xyz:NVDA", "?coin=a&coin=b", "?%63oi=xyz:NVDA"] {
        let answer = server.get(&format!("/api/history{query}"));
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(!answer.error().is_empty());
    }
    server.end();
}

#[test]
fn edges_are_of_the_side_that_would_be_taken() {
    let mut server = Server::observing();
    let mut snapshot = snapshot();
    (snapshot.markets[0].bid, snapshot.markets[0].ask) = (level("101", "1"), level("101.5", "1"));
    (snapshot.markets[0].gate, snapshot.markets[0].spread) =
        (Some(Gate::Halt), Some(Bps::from_int(49)));
    server.show(&snapshot);
    let fields = fields(&server);
    let market = &fields["markets"][0];
    let edges = (&market["buy_edge_bps"], &market["sell_edge_bps"], &market["gate"]);
    assert_eq!(edges, (&json!(-150.0), &json!(100.0), &json!("Halt")));
    server.end();
}
