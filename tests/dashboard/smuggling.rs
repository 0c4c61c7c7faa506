//! Requests that two readers may end at different places: what hides behind them is not answered.

use crate::harness::Server;
use crate::http::{Answer, answers, half_close, read_to_end};

/// What a server answers to `bytes` by a client that says no more.
fn told(bytes: &str) -> Vec<Answer> {
    let server = Server::observing();
    let mut stream = crate::http::connect(server.address);
    let _ = std::io::Write::write_all(&mut stream, bytes.as_bytes());
    half_close(&stream);
    let heard = answers(&read_to_end(&mut stream), false);
    server.end();
    heard
}

const HIDDEN: &str = "GET /app.js HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn post(headers: &str, body: &str) -> String {
    format!("POST /api/control HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{body}{HIDDEN}")
}

#[test]
fn an_ordinary_request_behind_another_is_answered() {
    let get = format!("GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n{HIDDEN}");
    for (request, first) in [(post("Content-Length: 2\r\n", "{}"), 409), (get, 404)] {
        let statuses: Vec<u16> = told(&request).iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [first, 200], "these tests see what is not hidden");
    }
}

#[test]
fn what_hides_behind_an_ambiguous_end_is_not_answered() {
    let chunked = "0\r\n\r\n";
    for request in [
        post("Content-Length: 2\r\nContent-Length: 3\r\n", "{}"),
        post("Content-Length: 2, 3\r\n", "{}"),
        post("Content-Length: +2\r\n", "{}"),
        post("Content-Length: -1\r\n", "{}"),
        post("Content-Length: 0x2\r\n", "{}"),
        post("Content-Length: 99999999999999999999\r\n", "{}"),
        post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunked),
        post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunked),
        post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunked),
        post("Transfer-Encoding: chunked, identity\r\n", chunked),
        post("Transfer-Encoding: identity\r\n", ""),
        post("Transfer-Encoding: xchunked\r\n", chunked),
        post("Transfer-Encoding : chunked\r\n", chunked),
        post(" Transfer-Encoding: chunked\r\n", chunked),
        post("Transfer-Encoding: chunked\r\n", chunked),
        post("Transfer-Encoding: chunked\r\n", "1;x=\"\r\n{\r\n0\r\n\r\n"),
    ] {
        let statuses: Vec<u16> = told(&request).iter().map(|answer| answer.status).collect();
        assert!(statuses.len() <= 1 && !statuses.contains(&200), "{request:?}: {statuses:?}");
    }
}

#[test]
fn a_body_where_none_is_expected_hides_nothing() {
    for body in ["Content-Length: 43\r\n", "Transfer-Encoding: chunked\r\n"] {
        let request = format!("GET /none HTTP/1.1\r\nHost: localhost\r\n{body}\r\n{HIDDEN}");
        let statuses: Vec<u16> = told(&request).iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [404], "{body}");
    }
}
