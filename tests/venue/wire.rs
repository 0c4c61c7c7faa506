//! The venue over real sockets on loopback.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use hip3::types::num::{Rate, Usd};
use hip3::venue::tcp::{PEERS_MAX, Server, Serving, Tap};
use hip3::venue::{AccountSettings, Faults, Settings};
use serde_json::Value;
use tungstenite::{Message, WebSocket};

use crate::trader::{Trader, noop};

/// Longer than anything here takes; a guard, not a measure.
const PATIENCE: Duration = Duration::from_secs(30);

fn serve(faults: &str) -> Server {
    let faults = Faults::from_toml(faults).unwrap();
    Server::start(Settings { markets: 20, faults, ..Settings::default() }, 0).unwrap()
}

fn dial(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn open(server: &Server) -> WebSocket<TcpStream> {
    tungstenite::client(server.ws_url(), dial(server)).unwrap().0
}

fn subscribe(socket: &mut WebSocket<TcpStream>, kind: &str, coin: &str) {
    let sub = format!(r#"{{"type":"{kind}","coin":"{coin}"}}"#);
    let frame = format!(r#"{{"method":"subscribe","subscription":{sub}}}"#);
    socket.send(Message::text(frame)).unwrap();
}

/// Status and body of one answer.
fn read_answer(stream: &mut TcpStream) -> (u16, String) {
    let mut bytes = Vec::new();
    let mut one = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut one).unwrap();
        bytes.push(one[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let status = head[9..12].parse().unwrap();
    let date = head.lines().find_map(|line| line.strip_prefix("Date: "));
    assert!(status != 200 || date.is_some_and(|date| date.ends_with(" GMT")), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    (status, String::from_utf8(body).unwrap())
}

fn post(stream: &mut TcpStream, mime: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let head = format!("POST /info HTTP/1.1\r\nHost: x\r\nContent-Type: {mime}\r\n");
    stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes()).unwrap();
    read_answer(stream)
}

/// Waits until the server's state is as wanted.
fn until(mut reached: impl FnMut() -> bool) {
    let start = Instant::now();
    while !reached() {
        assert!(start.elapsed() < PATIENCE, "it never came to pass");
        std::thread::yield_now();
    }
}

#[test]
fn one_http_connection_serves_many_requests() {
    let server = serve("");
    let mut stream = dial(&server);
    let (status, body) = post(&mut stream, "application/json", r#"{"type":"perpDexs"}"#);
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<Value>(&body).unwrap()[0].is_null());
    assert_eq!(post(&mut stream, "application/json; charset=utf-8", "{}").0, 422);
    assert_eq!(post(&mut stream, "application/json", "nope").0, 400);
    let (status, words) = post(&mut stream, "text/plain", "{}");
    assert_eq!(status, 415);
    assert_eq!(words, "Expected request with `Content-Type: application/json`");
    stream.write_all(b"GET /info HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut stream).0, 405);
    stream.write_all(b"POST /exchange HTTP/1.1\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut stream).0, 415);
    // Two at once, answered in order.
    let one = "POST /info HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n{\"type\":\"exchangeStatus\"}";
    stream.write_all(format!("{one}GET /ws HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).0, 200);
    assert_eq!(read_answer(&mut stream).0, 426);
    // Counted once it is written, so that the answer may be here first.
    until(|| server.stats().requests == 8);
}

#[test]
fn a_client_that_half_closes_still_gets_all_its_answers() {
    let server = serve("");
    let mut stream = dial(&server);
    // More than one request's worth of bytes at once.
    let body = format!("{}{}", r#"{"type":"exchangeStatus"}"#, " ".repeat(30_000));
    let head = "POST /info HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length:";
    let one = format!("{head} {}\r\n\r\n{body}", body.len());
    stream.write_all(one.repeat(8).as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    for _ in 0..8 {
        assert_eq!(read_answer(&mut stream).0, 200);
    }
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn what_is_too_large_or_malformed_is_refused_and_closed() {
    let server = serve("");
    for (bytes, expected) in [
        (b"POST /info HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n".to_vec(), 413),
        (b"nonsense\r\n\r\n".to_vec(), 400),
        ([b"GET / HTTP/1.1\r\nA: ".as_slice(), &[b'x'; 8192]].concat(), 431),
    ] {
        let mut stream = dial(&server);
        stream.write_all(&bytes).unwrap();
        assert_eq!(read_answer(&mut stream).0, expected);
        assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)), "closed");
    }
}

#[test]
fn a_socket_hears_the_market_and_its_pong() {
    let server = serve("");
    let mut socket = open(&server);
    subscribe(&mut socket, "bbo", "xyz:TSLA");
    subscribe(&mut socket, "activeAssetCtx", "xyz:TSLA");
    socket.send(Message::text(r#"{"method":"ping"}"#)).unwrap();
    let mut channels = Vec::new();
    while channels.iter().filter(|channel| *channel == "activeAssetCtx").count() < 2 {
        let text = socket.read().unwrap().into_text().unwrap();
        let frame: Value = serde_json::from_str(&text).unwrap();
        channels.push(frame["channel"].as_str().unwrap().to_owned());
    }
    assert_eq!(channels[..2], ["subscriptionResponse", "bbo"]);
    assert!(channels.iter().any(|channel| channel == "pong"));
    assert_eq!(server.stats().open, 1);
    socket.close(None).unwrap();
    while socket.read().is_ok() {}
    until(|| server.stats().open == 0);
}

#[test]
fn a_protocol_ping_is_answered() {
    let server = serve("");
    let mut socket = open(&server);
    socket.send(Message::Ping(b"here?".as_slice().into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong(b"here?".as_slice().into()));
}

#[test]
fn a_dropped_socket_sees_no_close_frame_and_an_expired_one_does() {
    let server = serve("");
    let mut socket = open(&server);
    subscribe(&mut socket, "bbo", "NOPE");
    let error = socket.read().unwrap_err();
    assert!(!matches!(error, tungstenite::Error::ConnectionClosed), "{error:?}");

    let server = serve("expire_after_s = 0");
    let Message::Close(Some(frame)) = open(&server).read().unwrap() else {
        panic!("a close frame was due")
    };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1000, "Expired"));
}

#[test]
fn a_torn_frame_ends_in_its_middle() {
    let server = serve("truncate = 1");
    let mut socket = open(&server);
    socket.send(Message::text(r#"{"method":"ping"}"#)).unwrap();
    let mut bytes = Vec::new();
    // The end may be a reset: what matters is that half of the pong came before it.
    let _ = socket.get_mut().read_to_end(&mut bytes);
    let whole = r#"{"channel":"pong"}"#.len() + 2;
    assert_eq!(bytes.len(), whole / 2, "{bytes:?}");
    assert_eq!(bytes[1] as usize, whole - 2, "the header promises all of it");
}

#[test]
fn a_huge_frame_arrives_whole() {
    let server = serve("huge = 1\nhuge_bytes = 20000000");
    let mut socket = open(&server);
    socket.set_config(|config| {
        config.max_message_size = None;
        config.max_frame_size = None;
    });
    socket.send(Message::text(r#"{"method":"ping"}"#)).unwrap();
    assert_eq!(socket.read().unwrap().len(), 20_000_000);
}

#[test]
fn a_slow_answer_waits_and_others_do_not() {
    let server = serve("info_slow = 1\ninfo_slow_ms = 50");
    let (status, _) = post(&mut dial(&server), "application/json", r#"{"type":"perpDexs"}"#);
    assert_eq!(status, 200);
}

#[test]
fn a_client_that_does_not_read_is_dropped() {
    let server = serve("huge_bytes = 16000000\nhuge = 1");
    let mut socket = open(&server);
    until(|| {
        // Every ping asks for another 16 MB.
        let _ = socket.send(Message::text(r#"{"method":"ping"}"#));
        server.stats().slow > 0
    });
    until(|| server.stats().open == 0);
}

#[test]
fn connections_are_bounded() {
    let server = serve("");
    let sockets: Vec<_> = (0..10).map(|_| open(&server)).collect();
    let refused = tungstenite::client(server.ws_url(), dial(&server));
    let refusal = refused.err().map(|error| format!("{error:?}")).unwrap();
    assert!(refusal.contains("429"), "{refusal}");
    drop(sockets);
    until(|| server.stats().open == 0);
    // Past the bound of all connections the next is turned away at once.
    let held: Vec<_> = (0..PEERS_MAX).map(|_| dial(&server)).collect();
    until(|| {
        let mut last = dial(&server);
        let mut bytes = Vec::new();
        let _ = last.read_to_end(&mut bytes);
        bytes.starts_with(b"HTTP/1.1 503")
    });
    drop(held);
}

#[test]
fn the_tap_keeps_what_a_client_hears() {
    let tap: Tap = Arc::new(Mutex::new(Vec::new()));
    let settings = Settings { markets: 5, ..Settings::default() };
    let server =
        Server::serve(settings, Serving { tap: Some(tap.clone()), ..Serving::default() }).unwrap();
    let mut socket = open(&server);
    for coin in ["xyz:US100", "xyz:US500", "xyz:TSLA"] {
        subscribe(&mut socket, "bbo", coin);
    }
    let heard: Vec<String> =
        (0..6).map(|_| socket.read().unwrap().into_text().unwrap().to_string()).collect();
    let served = tap.lock().unwrap();
    let served: Vec<&str> = served.iter().take(6).map(|one| &*one.text).collect();
    assert_eq!(heard, served);
}

#[test]
fn an_action_over_http_is_answered_after_its_block_and_the_next_request_after_it() {
    let mut trader = Trader::new(1);
    let account = AccountSettings {
        address: trader.address(),
        deposit: Usd::from_units(1_000_000_000),
        agents: Vec::new(),
        vault_of: None,
        referral_discount: Rate::ZERO,
    };
    let settings = Settings { markets: 3, accounts: vec![account], ..Settings::default() };
    let server = Server::start(settings, 0).unwrap();
    let mut stream = dial(&server);
    let body = trader.sign(&noop());
    let length = body.len();
    let head = "POST /exchange HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length:";
    let next = "GET /ws HTTP/1.1\r\n\r\n";
    stream.write_all(format!("{head} {length}\r\n\r\n{body}{next}").as_bytes()).unwrap();
    let (status, answer) = read_answer(&mut stream);
    assert_eq!(
        (status, answer.as_str()),
        (200, r#"{"status":"ok","response":{"type":"default"}}"#)
    );
    assert_eq!(read_answer(&mut stream).0, 426);
    // One that asks for the end of the connection gets its answer first.
    let body = trader.sign(&noop());
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    stream.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).0, 200);
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn levers_work_from_outside() {
    let server = serve("");
    let (sender, receiver) = mpsc::channel();
    server
        .act(move |venue, _| {
            venue.halt("xyz:TSLA").unwrap();
            sender.send(venue.is_live("xyz:TSLA")).unwrap();
        })
        .unwrap();
    assert!(!receiver.recv_timeout(PATIENCE).unwrap());
}

#[test]
fn a_stopped_server_is_gone() {
    let server = serve("");
    let (addr, mut socket) = (server.addr(), open(&server));
    server.stop();
    assert!(socket.read().is_err());
    assert!(TcpStream::connect(addr).is_err());
}
