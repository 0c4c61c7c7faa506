//! `/healthz` and `/readyz`: what is well, and what is not.

use hip3::dashboard::Facts;
use hip3::types::hard_stop::{HardStop, StopReason};
use hip3::types::ready::Waiting;
use hip3::types::snapshot::Snapshot;
use hip3::types::status::{LinkState, ReadyFlags};
use hip3::types::time::{Nanos, Wall};

use crate::harness::{Server, facts, trading, wait_for};
use crate::http::{ask, talk};
use crate::metrics::Metrics;
use crate::page::carries_the_headers;
use crate::sample::snapshot;

/// What both say: status and text. The metrics say the same.
fn both(server: &Server) -> [(u16, String); 2] {
    let metrics = Metrics::read(&server.get("/metrics").body).samples;
    ["/healthz", "/readyz"].map(|path| {
        let answer = server.get(path);
        carries_the_headers(&answer);
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        let ok = metrics[&format!(r#"hip3_health{{endpoint="{}"}}"#, &path[1..])];
        // Time may have passed between the two answers, but none makes well what was not.
        assert!(ok > 0.5 || answer.status == 503, "{path}: {answer:?}");
        (answer.status, answer.body)
    })
}

fn well() -> (u16, String) {
    (200, "ok\n".to_owned())
}

fn not(trouble: &str) -> (u16, String) {
    (503, format!("{trouble}\n"))
}

#[test]
fn before_anything_was_shown_nothing_is_well() {
    let server = Server::observing();
    assert_eq!(both(&server), [not("the loop does not turn"), not("the loop does not turn")]);
    server.end();
}

#[test]
fn without_frames_it_is_not_well_and_with_them_it_is() {
    let mut server = Server::observing();
    let mut snapshot = snapshot();
    snapshot.status.frames = 0;
    server.show(&snapshot);
    assert_eq!(both(&server), [not("no frames arrive"), not("no frames arrive")]);
    snapshot.status.frames = 1;
    server.show(&snapshot);
    assert_eq!(both(&server), [well(), well()]);
    server.end();
}

#[test]
fn frames_that_stop_are_missed() {
    let facts = Facts { frame_patience: Nanos::from_millis(1), ..facts() };
    let mut server = Server::start(facts, None);
    let snapshot = snapshot();
    wait_for("the silence to be noticed", || {
        server.show(&snapshot);
        (both(&server)[0] == not("no frames arrive")).then_some(())
    });
    server.end();
}

#[test]
fn a_loop_that_stops_is_missed() {
    let mut server = Server::observing();
    server.show(&snapshot());
    wait_for("the standstill to be noticed", || {
        (both(&server) == [not("the loop does not turn"), not("the loop does not turn")])
            .then_some(())
    });
    server.show(&snapshot());
    assert_eq!(both(&server), [well(), well()], "and it is well again");
    server.end();
}

#[test]
fn observation_is_ready_once_every_market_is_seen_on_an_open_link() {
    let mut server = Server::observing();
    let mut snapshot = snapshot();
    snapshot.status.md_ready = false;
    server.show(&snapshot);
    assert_eq!(both(&server), [well(), not("not every market is seen")]);
    snapshot.status.md_ready = true;
    for (link, open) in [
        (LinkState::Idle, false),
        (LinkState::Backoff, false),
        (LinkState::Connecting, false),
        (LinkState::Subscribing, true),
        (LinkState::Live, true),
    ] {
        snapshot.status.link = link;
        server.show(&snapshot);
        let ready = if open { well() } else { not("not every market is seen") };
        assert_eq!(both(&server), [well(), ready], "{link:?}");
    }
    server.end();
}

#[test]
fn trading_is_ready_once_it_may_open() {
    let ready = ReadyFlags::ALL;
    let without = |n: usize| {
        let mut flags = ready;
        *[
            &mut flags.md_ready,
            &mut flags.order_snapshot,
            &mut flags.fills_snapshot,
            &mut flags.position_synced,
            &mut flags.ws_connected,
            &mut flags.hard_stop_clear,
        ][n] = false;
        flags
    };
    let mut server = Server::start(trading(), None);
    let show = |server: &mut Server, ready, hard_stop| {
        let mut snapshot: Snapshot = snapshot();
        (snapshot.status.trading.ready, snapshot.status.trading.hard_stop) = (ready, hard_stop);
        server.show(&snapshot);
    };
    for n in 0..6 {
        show(&mut server, without(n), HardStop::default());
        assert_eq!(both(&server), [well(), not("not READY")], "{:?}", without(n));
    }
    let mut stopped = HardStop::default();
    stopped.set(StopReason::Loss, Wall(1));
    show(&mut server, ready, stopped);
    assert_eq!(both(&server), [well(), not("HardStop holds")]);
    let mut old: Snapshot = snapshot();
    old.status.trading.ready = ready;
    old.status.trading.data_age.meta = true;
    server.show(&old);
    assert_eq!(both(&server), [well(), not("entries wait for fresh data: meta_age")]);
    show(&mut server, ready, HardStop::default());
    assert_eq!(both(&server), [well(), well()]);
    // A19: entries wait in every market, and it says for what.
    let mut snapshot: Snapshot = snapshot();
    snapshot.status.trading.ready = ready;
    snapshot.status.trading.waiting =
        Waiting { budget: true, leverage: Some((0, 2)), ..Waiting::default() };
    server.show(&snapshot);
    assert_eq!(both(&server), [well(), not("entries wait for: budget, leverage 0/2")]);
    // A35: some markets may be traded.
    snapshot.status.trading.waiting = Waiting { leverage: Some((1, 2)), ..Waiting::default() };
    server.show(&snapshot);
    assert_eq!(both(&server), [well(), well()]);
    server.end();
}

/// C4: load balancers and monitors ask for health by HTTP/1.0 without `Host`. Whatever else names no host
/// is refused, and so is every name that is not this machine's.
#[test]
fn health_is_told_by_http_1_0_without_a_host() {
    let mut server = Server::observing();
    for (method, body) in [("GET", "ok\n"), ("HEAD", "")] {
        for path in ["/healthz", "/readyz"] {
            server.show(&snapshot());
            let answer = ask(server.address, &format!("{method} {path} HTTP/1.0\r\n\r\n"));
            assert_eq!((answer.status, answer.body.as_str()), (200, body), "{method} {path}");
            carries_the_headers(&answer);
        }
    }
    let refused = |request: &str| {
        let heard = talk(server.address, request.as_bytes());
        let text = String::from_utf8(heard).expect("text");
        let told = text.starts_with("HTTP/1.0 403 ") || text.starts_with("HTTP/1.1 403 ");
        assert!(told, "{request:?}: {text:?}");
    };
    for line in [
        "OPTIONS / HTTP/1.0",
        "OPTIONS /healthz HTTP/1.0",
        "POST /healthz HTTP/1.0",
        "GET / HTTP/1.0",
        "GET /metrics HTTP/1.0",
        "GET /api/snapshot HTTP/1.0",
        "GET /healthz/../api/snapshot HTTP/1.0",
        "GET http://example.org/healthz HTTP/1.0",
        "GET /healthz HTTP/1.1\r\nConnection: close",
    ] {
        refused(&format!("{line}\r\n\r\n"));
    }
    for host in ["localhost.example.org", "127.0.0.1.example.org", "2130706433", ""] {
        for path in ["/healthz", "/readyz", "/api/snapshot"] {
            refused(&format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n"));
        }
    }
    server.end();
}
