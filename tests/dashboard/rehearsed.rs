//! The rules of a server that others can reach, on connections in memory: nothing is bound for it.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hip3::dashboard::{Rehearsal, Token, rehearse};
use hip3::types::event::OperatorCommand;

use crate::harness::{fresh_token, trading};
use crate::http::{Answer, answers, request};
use crate::sample::trading_snapshot;

/// What a trading server at `bind` does about a connection.
fn tried(bind: &str, token: Option<&str>, input: &str) -> Rehearsal {
    let bind: SocketAddr = bind.parse().expect("an address");
    let token = token.map(|text| Token::new(text).expect("a token"));
    let snapshot = trading_snapshot();
    let rehearsal =
        rehearse(bind, token, trading(), &snapshot, input.as_bytes()).expect("a runtime");
    assert!(rehearsal.ended, "{input:?}");
    rehearsal
}

fn answer(bind: &str, token: Option<&str>, input: &str) -> Answer {
    let mut all = answers(&tried(bind, token, input).answer, false);
    assert_eq!(all.len(), 1, "{input:?}: {all:?}");
    all.remove(0)
}

const OUTSIDE: [&str; 4] = ["0.0.0.0:8080", "[::]:8080", "10.0.0.5:8080", "[::ffff:127.0.0.1]:80"];

#[test]
fn where_others_can_reach_it_reading_needs_the_token() {
    let token = fresh_token();
    let bearer = format!("Authorization: Bearer {token}\r\n");
    for bind in OUTSIDE {
        for path in ["/api/snapshot", "/api/history?coin=xyz:NVDA", "/api/history", "/metrics"] {
            let wrong = bearer.replace(&token, &fresh_token());
            for headers in ["", &wrong, &format!("Cookie: {token}\r\n")] {
                let answer = answer(bind, Some(&token), &request("GET", path, headers));
                assert_eq!(answer.status, 401, "{bind} {path} {headers}");
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
            }
            let known = answer(bind, Some(&token), &request("GET", path, &bearer));
            let expected = if path.ends_with("history") { 400 } else { 200 };
            assert_eq!(known.status, expected, "{bind} {path}");
            // Without a token of its own it is open to nobody.
            assert_eq!(answer(bind, None, &request("GET", path, &bearer)).status, 401, "{bind}");
        }
        for path in ["/", "/app.js", "/healthz"] {
            let answer = answer(bind, Some(&token), &request("GET", path, ""));
            assert!([200, 503].contains(&answer.status), "{bind} {path}: {}", answer.status);
        }
        // By whatever name it is called.
        let named = "GET / HTTP/1.1\r\nHost: trading.example.org\r\nConnection: close\r\n\r\n";
        assert_eq!(answer(bind, Some(&token), named).status, 200);
    }
    for bind in ["127.0.0.1:8080", "127.9.9.9:1", "[::1]:8080"] {
        let asked = request("GET", "/api/snapshot", "");
        assert_eq!(answer(bind, Some(&token), &asked).status, 200, "{bind}");
    }
}

#[test]
fn where_others_can_reach_it_a_socket_carries_the_token() {
    let token = fresh_token();
    let handshake = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let open = |offered: &str| {
        let protocol = if offered.is_empty() {
            String::new()
        } else {
            format!("Sec-WebSocket-Protocol: {offered}\r\n")
        };
        let request =
            format!("GET /ws HTTP/1.1\r\nHost: trading.example.org\r\n{handshake}{protocol}\r\n");
        let heard = tried(OUTSIDE[0], Some(&token), &request).answer;
        let heard = String::from_utf8_lossy(&heard).into_owned();
        assert!(!heard.contains(&token) && !heard.contains("bearer."), "{heard}");
        heard
    };
    let coded = URL_SAFE_NO_PAD.encode(&token);
    let heard = open(&format!("hip3, bearer.{coded}"));
    assert!(heard.starts_with("HTTP/1.1 101 "), "{heard}");
    assert!(heard.to_ascii_lowercase().contains("sec-websocket-protocol: hip3\r\n"), "{heard}");
    assert!(heard.contains(r#"{"type":"snapshot""#), "{heard}");
    for wrong in [
        String::new(),
        "hip3".to_owned(),
        "hip3, bearer.".to_owned(),
        format!("hip3, bearer.{token}"),
        format!("hip3, bearer.{}", &coded[1..]),
        format!("hip3, Bearer.{coded}"),
        format!("hip3, bearer.{}", STANDARD.encode(format!("{token}x"))),
    ] {
        assert!(open(&wrong).starts_with("HTTP/1.1 401 "), "{wrong}");
    }
}

#[test]
fn a_rehearsal_hears_commands_and_bounds_them() {
    let token = fresh_token();
    let halt = r#"{"action":"halt"}"#;
    let one = format!(
        "POST /api/control HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{halt}",
        halt.len()
    );
    let tried = tried("127.0.0.1:0", Some(&token), &one.repeat(3));
    assert_eq!(tried.commands, [OperatorCommand::Halt; 3]);
    let statuses: Vec<u16> =
        answers(&tried.answer, false).iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [202; 3]);
}
