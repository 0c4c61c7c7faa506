//! `/ws`: the snapshot first, then what changes; and how a client is got rid of.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use hip3::dashboard::{Facts, Patience};
use hip3::types::time::Nanos;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::client::Response;
use tungstenite::http::HeaderValue;
use tungstenite::{Error, Message, WebSocket};

use crate::harness::{Server, WAIT, facts, wait_for};
use crate::http::{ask, connect, request};
use crate::page::carries_the_headers;
use crate::sample::snapshot;
use crate::store_rows::{self, NOON, level};

pub(crate) type Socket = WebSocket<TcpStream>;

/// Opens `/ws` with these headers.
#[allow(clippy::result_large_err, reason = "it is the client's own")]
pub(crate) fn open_with(
    server: &Server,
    headers: &[(&'static str, &str)],
) -> Result<(Socket, Response), Error> {
    let port = server.address.port();
    let mut request = format!("ws://localhost:{port}/ws").into_client_request().expect("a request");
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a value"));
    }
    tungstenite::client(request, connect(server.address)).map_err(|error| match error {
        HandshakeError::Failure(error) => error,
        HandshakeError::Interrupted(_) => panic!("no handshake within {WAIT:?}"),
    })
}

pub(crate) fn open(server: &Server) -> Socket {
    let (socket, response) =
        open_with(server, &[("sec-websocket-protocol", "hip3")]).expect("a socket");
    assert_eq!(response.headers()["sec-websocket-protocol"], "hip3");
    socket
}

/// The next message; pings are answered on the way.
pub(crate) fn next(socket: &mut Socket) -> Value {
    loop {
        match socket.read().expect("a message") {
            Message::Text(text) => return serde_json::from_str(text.as_str()).expect("JSON"),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The next message of a kind.
fn next_of(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let message = next(socket);
        if message["type"] == kind {
            return message;
        }
        assert_eq!(message["type"], "update", "nothing else comes unasked: {message}");
    }
}

/// Reads until the connection is over.
pub(crate) fn read_out(socket: &mut Socket) {
    let began = Instant::now();
    while let Ok(message) = socket.read() {
        if message.is_close() {
            return;
        }
        assert!(began.elapsed() < WAIT, "it goes on and on");
    }
}

fn clients(server: &Server) -> f64 {
    let metrics = crate::metrics::Metrics::read(&server.get("/metrics").body);
    metrics.samples["hip3_dashboard_clients"]
}

fn wait_for_clients(server: &Server, wanted: f64) {
    wait_for("the number of clients", || (clients(server) == wanted).then_some(()));
}

#[test]
fn the_snapshot_comes_first_and_is_the_same_as_over_http() {
    let mut server = Server::observing();
    server.show(&snapshot());
    server.rows.push(store_rows::signal(1, NOON)).expect("room");
    server.show(&snapshot());
    let mut socket = open(&server);
    let mut first = next(&mut socket);
    assert_eq!(first["type"], "snapshot");
    first.as_object_mut().expect("an object").remove("type");
    assert_eq!(first, server.get("/api/snapshot").json());
    assert_eq!(first["signals"].as_array().map(Vec::len), Some(1));
    server.end();
}

#[test]
fn an_update_holds_the_markets_that_changed_and_no_rows() {
    let mut server = Server::observing();
    let mut snapshot = snapshot();
    server.show(&snapshot);
    let mut socket = open(&server);
    let whole = next(&mut socket);
    // What had changed before it listened comes once.
    next_of(&mut socket, "update");
    snapshot.markets[1].bid = level("1.5", "2");
    snapshot.status.frames += 1;
    server.show(&snapshot);
    let update = loop {
        let update = next_of(&mut socket, "update");
        if update["counters"]["frames"] == 101 {
            break update;
        }
    };
    let markets = update["markets"].as_array().expect("a list");
    assert_eq!(markets.len(), 1, "{update}");
    assert_eq!((&markets[0]["coin"], &markets[0]["bid_px"]), (&json!("xyz:SILVER"), &json!("1.5")));
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    let mut expected = keys(&whole);
    expected.retain(|key| !["signals", "orders", "trades"].contains(&key.as_str()));
    assert_eq!(keys(&update), expected);

    // A market that was listed meanwhile comes along.
    let mut listed = snapshot.markets[0];
    listed.coin = hip3::types::ids::Coin::new("xyz:NEW").expect("a name");
    snapshot.markets.push(listed);
    server.show(&snapshot);
    let update = loop {
        let update = next_of(&mut socket, "update");
        if update["markets"] != json!([]) {
            break update;
        }
    };
    assert_eq!(update["markets"].as_array().map(Vec::len), Some(1));
    assert_eq!(update["markets"][0]["coin"], "xyz:NEW");
    server.end();
}

#[test]
fn while_nothing_changes_there_is_still_a_sign_of_life() {
    // Also where updates are rarer than signs of life.
    for update_interval in [Nanos::from_millis(10), Nanos::from_secs(3_600)] {
        let mut server = Server::start(Facts { update_interval, ..facts() }, None);
        server.show(&snapshot());
        let mut socket = open(&server);
        next(&mut socket);
        for _ in 0..2 {
            server.show(&snapshot());
            assert_eq!(next(&mut socket)["type"], "update");
        }
        server.end();
    }
}

#[test]
fn updates_are_no_more_frequent_than_told() {
    let facts = Facts { update_interval: Nanos::from_secs(1), ..facts() };
    let mut server = Server::start(facts, None);
    let mut snapshot = snapshot();
    server.show(&snapshot);
    let mut socket = open(&server);
    next(&mut socket);
    // So many looks change something, and some of them are told together.
    let (mut shown, mut updates) = (0, 0);
    for _ in 0..100 {
        snapshot.status.frames += 1;
        server.show(&snapshot);
        shown += 1;
    }
    while next_of(&mut socket, "update")["counters"]["frames"] != json!(snapshot.status.frames) {
        updates += 1;
    }
    assert!(updates < shown / 2, "{updates} updates of {shown} looks");
    server.end();
}

#[test]
fn rows_come_at_once_and_in_order() {
    // Updates are rare here: what comes, comes by itself.
    let facts = Facts { update_interval: Nanos::from_secs(3_600), ..facts() };
    let mut server = Server::start(facts, None);
    server.show(&snapshot());
    let mut socket = open(&server);
    next(&mut socket);
    for row in [
        store_rows::signal(7, NOON),
        store_rows::follow_up(7, 1_000, NOON),
        store_rows::entry(7, 50, NOON),
        store_rows::entry_order(7, NOON),
        store_rows::cross(7, NOON),
        store_rows::gap(NOON),
        store_rows::trade(7, NOON),
    ] {
        server.rows.push(row).expect("room");
    }
    let rows = ["signal", "order", "trade"].map(|kind| next_of(&mut socket, kind));
    server.show(&snapshot());
    let snapshot = server.get("/api/snapshot").json();
    for (row, list) in rows.iter().zip(["signals", "orders", "trades"]) {
        let kind = row["type"].as_str().expect("a kind");
        assert_eq!(row.as_object().map(serde_json::Map::len), Some(2), "{row}");
        assert_eq!(row[kind], snapshot[list][0]);
    }
    server.end();
}

#[test]
fn a_client_that_has_something_to_say_is_sent_away() {
    let facts = Facts { max_pages: 1, ..facts() };
    let mut server = Server::start(facts, None);
    server.show(&snapshot());
    let large = "x".repeat(10_000);
    for message in [
        Message::text("{\"action\":\"halt\"}"),
        Message::text(""),
        Message::binary(vec![0, 1, 2]),
        Message::text(large.as_str()),
        Message::binary(large.clone().into_bytes()),
        Message::Close(None),
    ] {
        // The place of the one before is free again.
        wait_for_clients(&server, 0.0);
        let mut socket = open(&server);
        next(&mut socket);
        let _ = socket.send(message);
        read_out(&mut socket);
    }
    wait_for_clients(&server, 0.0);
    server.end();
}

#[test]
fn no_more_pages_than_allowed_are_open() {
    let facts = Facts { max_pages: 2, ..facts() };
    let mut server = Server::start(facts, None);
    server.show(&snapshot());
    let mut first = open(&server);
    let second = open(&server);
    next(&mut first);
    wait_for_clients(&server, 2.0);
    let Err(Error::Http(answer)) = open_with(&server, &[]) else { panic!("a third") };
    assert_eq!(answer.status(), 503);
    let body = answer.body().as_deref().expect("a body");
    let body: Value = serde_json::from_slice(body).expect("JSON");
    assert!(body["error"].as_str().is_some_and(|error| error.contains("max_connections")));
    assert_eq!(server.get("/api/snapshot").status, 200, "the rest is served");
    drop(second);
    wait_for_clients(&server, 1.0);
    let mut third = open(&server);
    assert_eq!(next(&mut third)["type"], "snapshot");
    next_of(&mut first, "update");
    server.end();
}

#[test]
fn a_foreign_page_opens_no_socket() {
    let mut server = Server::observing();
    server.show(&snapshot());
    let own = format!("http://localhost:{}", server.address.port());
    open_with(&server, &[("origin", &own)]).expect("our own page");
    for origin in ["http://example.org", "null", "http://localhost:1", "file://"] {
        let Err(Error::Http(answer)) = open_with(&server, &[("origin", origin)]) else {
            panic!("{origin}")
        };
        assert_eq!(answer.status(), 403, "{origin}");
    }
    let Err(Error::Http(answer)) = open_with(&server, &[("host", "example.org")]) else {
        panic!("a foreign name")
    };
    assert_eq!(answer.status(), 403);
    server.end();
}

#[test]
fn the_protocol_is_chosen_among_those_offered() {
    let mut server = Server::observing();
    server.show(&snapshot());
    for (offered, chosen) in [
        ("hip3", true),
        ("hip3, bearer.c29tZXRoaW5n", true),
        ("bearer.c29tZXRoaW5n, hip3", true),
        ("soap, hip3", true),
    ] {
        let (_, response) =
            open_with(&server, &[("sec-websocket-protocol", offered)]).expect("a socket");
        let protocol = response.headers().get("sec-websocket-protocol");
        assert_eq!(protocol.is_some_and(|name| name == "hip3"), chosen, "{offered}");
    }
    let (_, response) = open_with(&server, &[]).expect("a client that offers none");
    assert_eq!(response.headers().get("sec-websocket-protocol"), None);
    server.end();
}

#[test]
fn what_is_no_handshake_is_told_so() {
    let server = Server::observing();
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    for headers in [
        "",
        "Upgrade: websocket\r\n",
        "Upgrade: h2c\r\n",
        "Upgrade: websocket\r\nSec-WebSocket-Version: 12\r\n",
    ] {
        let answer = ask(server.address, &request("GET", "/ws", headers));
        assert!((400..500).contains(&answer.status), "{answer:?}");
        assert!(!answer.error().is_empty());
        carries_the_headers(&answer);
    }
    let post = request("POST", "/ws", upgrade);
    assert_eq!(ask(server.address, &post).status, 405);
    assert_eq!(clients(&server), 0.0);
    server.end();
}

#[test]
fn a_client_that_answers_no_ping_is_gone() {
    let patience = Patience { ping: Duration::from_millis(500), ..Patience::default() };
    let mut server = Server::start(Facts { patience, ..facts() }, None);
    server.show(&snapshot());
    // It answers as long as it reads, and it does not read.
    let silent = open(&server);
    wait_for_clients(&server, 0.0);
    let dropped = crate::metrics::Metrics::read(&server.get("/metrics").body);
    assert_eq!(dropped.samples["hip3_dashboard_clients_dropped_total"], 0.0, "it was not slow");
    drop(silent);
    let mut answering = open(&server);
    let mut pings = 0;
    while pings < 5 {
        pings += usize::from(answering.read().expect("it is still wanted").is_ping());
    }
    assert_eq!(clients(&server), 1.0);
    server.end();
}

#[test]
fn the_end_of_the_run_ends_every_socket() {
    let mut server = Server::observing();
    server.show(&snapshot());
    let mut sockets = [open(&server), open(&server)];
    for socket in &mut sockets {
        next(socket);
    }
    server.end();
    for socket in &mut sockets {
        read_out(socket);
    }
}
