//! `POST /api/control`: who may ask what, and that it arrives.

use std::io::Write;
use std::time::Duration;

use hip3::dashboard::{Facts, Patience};
use hip3::types::event::OperatorCommand;
use hip3::types::hard_stop::StopReason;
use serde_json::json;

use crate::harness::{MAX_COMMANDS, Server, facts, fresh_token, trading, wait_for};
use crate::http::{answers, ask, connect, half_close, read_to_end, request, talk};
use crate::page::carries_the_headers;
use crate::sample::trading_snapshot;

const JSON: &str = "Content-Type: application/json\r\n";

/// A server that trades, its token, and the headers that open it.
fn controlled() -> (Server, String) {
    let token = fresh_token();
    let mut server = Server::start(trading(), Some(&token));
    server.show(&trading_snapshot());
    (server, format!("Authorization: Bearer {token}\r\n{JSON}"))
}

#[test]
fn every_command_is_accepted_and_arrives() {
    let (mut server, headers) = controlled();
    for (body, name, command) in [
        (r#"{"action":"halt"}"#, "halt", OperatorCommand::Halt),
        (r#"{"action":"flatten"}"#, "flatten", OperatorCommand::Flatten),
        (r#"{"action":"release"}"#, "release", OperatorCommand::Release(None)),
        (r#"{"action":"release","reason":null}"#, "release", OperatorCommand::Release(None)),
        (
            r#"{"action":"release","reason":"Loss"}"#,
            "release",
            OperatorCommand::Release(Some(StopReason::Loss)),
        ),
    ] {
        let answer = server.post(&headers, body);
        assert_eq!((answer.status, answer.json()), (202, json!({ "accepted": name })), "{body}");
        carries_the_headers(&answer);
        assert_eq!(server.command(), command);
    }
    // A page of our own says where it came from, and so do its charset and its scheme.
    let own = headers.replace("/json", "/json; charset=utf-8").replace("Bearer", "bEARER");
    let answer = server.post(&format!("Origin: http://localhost\r\n{own}"), r#"{"action":"halt"}"#);
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(server.command(), OperatorCommand::Halt);
    server.end();
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (mut server, headers) = controlled();
    for body in [
        "",
        "halt",
        "{}",
        "[]",
        r#"{"action":"buy"}"#,
        r#"{"action":"Halt"}"#,
        r#"{"action":"halt","reason":"Loss"}"#,
        r#"{"action":"release","reason":"Weather"}"#,
        r#"{"action":"release","reason":7}"#,
        r#"{"action":"halt","more":1}"#,
        r#"{"action":"halt"} {"action":"flatten"}"#,
        &"[".repeat(4_096),
    ] {
        let answer = server.post(&headers, body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert!(!answer.error().is_empty(), "{body}");
        carries_the_headers(&answer);
    }
    assert_eq!(server.commands.pop(), None);
    server.end();
}

#[test]
fn only_who_knows_the_token_may_ask() {
    let (mut server, right) = controlled();
    let token = right.split_whitespace().nth(2).expect("the token").to_owned();
    let halt = r#"{"action":"halt"}"#;
    for wrong in [
        String::new(),
        "Authorization: Bearer\r\n".to_owned(),
        "Authorization: Bearer \r\n".to_owned(),
        format!("Authorization: Bearer {}\r\n", &token[1..]),
        format!("Authorization: Bearer {token}x\r\n"),
        format!("Authorization: Bearer {}\r\n", token.to_uppercase() + "A"),
        format!("Authorization: Bearer  {token}\r\n"),
        format!("Authorization: Basic {token}\r\n"),
        format!("Authorization: {token}\r\n"),
        format!("Cookie: token={token}\r\n"),
        format!("X-Authorization: Bearer {token}\r\n"),
    ] {
        let answer = server.post(&format!("{wrong}{JSON}"), halt);
        assert_eq!(answer.status, 401, "{wrong:?}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert!(!answer.error().is_empty());
        carries_the_headers(&answer);
    }
    let by_query = request("POST", &format!("/api/control?token={token}"), JSON);
    assert_eq!(ask(server.address, &by_query).status, 401);
    assert_eq!(server.commands.pop(), None);
    server.end();
}

#[test]
fn a_strangers_page_asks_in_vain_even_with_the_token() {
    let (mut server, headers) = controlled();
    let halt = r#"{"action":"halt"}"#;
    for origin in ["http://example.org", "null", "http://localhost:1", "http://127.0.0.1", ""] {
        let answer = server.post(&format!("Origin: {origin}\r\n{headers}"), halt);
        assert_eq!(answer.status, 403, "{origin}");
        assert!(answer.error().starts_with("Origin: "), "{answer:?}");
    }
    for host in ["example.org", "localhost.example.org", "10.0.0.1:80", ""] {
        let length = halt.len();
        let request = format!(
            "POST /api/control HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{headers}\r\n{halt}"
        );
        let answer = ask(server.address, &request);
        assert_eq!(answer.status, 403, "{host}");
        assert!(answer.error().starts_with("Host: "), "{answer:?}");
        carries_the_headers(&answer);
    }
    assert_eq!(server.commands.pop(), None);
    server.end();
}

#[test]
fn where_there_is_nothing_to_control_it_is_told_so() {
    let token = fresh_token();
    let headers = format!("Authorization: Bearer {token}\r\n{JSON}");
    let observing = Server::start(facts(), Some(&token));
    let answer = observing.post(&headers, r#"{"action":"halt"}"#);
    assert_eq!(answer.status, 409);
    assert!(answer.error().contains("observation"), "{answer:?}");
    assert_eq!(observing.post(JSON, r#"{"action":"halt"}"#).status, 401, "the token comes first");
    observing.end();

    let without = Server::start(trading(), None);
    for headers in [headers.as_str(), JSON] {
        let answer = without.post(headers, r#"{"action":"halt"}"#);
        assert_eq!(answer.status, 409);
        assert!(answer.error().contains("token_file"), "{answer:?}");
    }
    without.end();
}

#[test]
fn what_is_no_json_is_not_read() {
    let (mut server, headers) = controlled();
    let halt = r#"{"action":"halt"}"#;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let answer = server.post(&headers.replace("application/json", kind), halt);
        assert_eq!(answer.status, 415, "{kind}");
        assert!(!answer.error().is_empty());
    }
    assert_eq!(server.post(&headers.replace(JSON, ""), halt).status, 415);
    assert_eq!(server.commands.pop(), None);
    server.end();
}

#[test]
fn a_body_is_at_most_four_kibibytes_however_it_comes() {
    let (mut server, headers) = controlled();
    let padded = |length: usize| format!("{:length$}", r#"{"action":"halt"}"#);
    assert_eq!(server.post(&headers, &padded(4_096)).status, 202);
    assert_eq!(server.command(), OperatorCommand::Halt);
    let answer = server.post(&headers, &padded(4_097));
    assert_eq!(answer.status, 413);
    assert!(!answer.error().is_empty());

    let chunked = |chunks: &[&str]| {
        let chunks: String =
            chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).collect();
        let headers = format!("Transfer-Encoding: chunked\r\n{headers}");
        request("POST", "/api/control", &headers) + &chunks
    };
    let whole = chunked(&[r#"{"act"#, r#"ion":"fl"#, r#"atten"}"#]) + "0\r\n\r\n";
    assert_eq!(ask(server.address, &whole).status, 202);
    assert_eq!(server.command(), OperatorCommand::Flatten);
    let long = chunked(&[&padded(3_000), &padded(3_000)]) + "0\r\n\r\n";
    assert_eq!(ask(server.address, &long).status, 413);
    for broken in ["zz\r\n", "5\r\nabc", "-1\r\n\r\n", "11111111111111111\r\n"] {
        let mut stream = connect(server.address);
        stream.write_all((chunked(&[]) + broken).as_bytes()).expect("written");
        half_close(&stream);
        let told = answers(&read_to_end(&mut stream), false);
        assert!(told.iter().all(|answer| answer.status == 400), "{broken:?}: {told:?}");
    }
    assert_eq!(server.commands.pop(), None);
    server.end();
}

#[test]
fn a_body_that_never_comes_is_not_waited_for() {
    let token = fresh_token();
    let patience = Patience { body: Duration::from_millis(50), ..Patience::default() };
    let mut server = Server::start(Facts { patience, ..trading() }, Some(&token));
    for begun in ["", r#"{"action":"#] {
        let headers = format!("Authorization: Bearer {token}\r\n{JSON}Content-Length: 17\r\n");
        let answer = ask(server.address, &(request("POST", "/api/control", &headers) + begun));
        assert_eq!(answer.status, 408, "{begun:?}");
        assert!(!answer.error().is_empty());
    }
    assert_eq!(server.commands.pop(), None);
    server.end();
}

#[test]
fn commands_wait_for_a_busy_loop_until_too_many_do() {
    let (mut server, headers) = controlled();
    let mut accepted = 0;
    let refused = loop {
        let answer = server.post(&headers, r#"{"action":"halt"}"#);
        if answer.status != 202 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 100, "they are bounded");
    };
    assert_eq!(refused.status, 503);
    assert!(!refused.error().is_empty());
    assert!(accepted > MAX_COMMANDS, "{accepted}: more than the ring holds");
    // None that was accepted is lost.
    for _ in 0..accepted {
        assert_eq!(server.command(), OperatorCommand::Halt);
    }
    assert_eq!(server.commands.pop(), None);
    wait_for("room again", || {
        (server.post(&headers, r#"{"action":"flatten"}"#).status == 202).then_some(())
    });
    assert_eq!(server.command(), OperatorCommand::Flatten);
    server.end();
}

#[test]
fn the_token_is_in_no_answer() {
    let (server, headers) = controlled();
    let token = headers.split_whitespace().nth(2).expect("the token").to_owned();
    let mut heard = Vec::new();
    for path in ["/", "/api/snapshot", "/metrics", "/api/history?coin=xyz:NVDA", "/none", "/ws"] {
        heard.extend(talk(server.address, request("GET", path, &headers).as_bytes()));
    }
    for body in [r#"{"action":"halt"}"#, "{", &format!(r#"{{"action":"{token}"}}"#)[..20]] {
        let length = format!("Content-Length: {}\r\n{headers}", body.len());
        let request = request("POST", "/api/control", &length) + body;
        heard.extend(talk(server.address, request.as_bytes()));
    }
    heard.extend(talk(
        server.address,
        format!("GET / HTTP/1.1\r\nConnection: close\r\n{headers}\r\n").as_bytes(),
    ));
    assert!(heard.len() > 10_000, "it did answer");
    let heard = String::from_utf8(heard).expect("text");
    assert!(!heard.contains(&token));
    server.end();
}
