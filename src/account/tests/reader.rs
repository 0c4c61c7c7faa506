//! The reader against a small HTTP server on loopback.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use super::{dexs_answer, fees_answer, limits_answer, meta_answer};
use crate::account::{ReadError, Reader};
use crate::types::config::{Account, Config, Network, Venue};
use crate::types::ids::AssetId;
use crate::types::market::Universe;

pub(super) const USER: &str = "0x00000000000000000000000000000000000000aa";

/// Answers each request with the bytes that `respond` makes of it, then closes.
pub(super) struct Server {
    addr: SocketAddr,
    pub(super) requests: Receiver<(String, Value)>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(respond: impl Fn(&Value) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let (tell, requests) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                if let Some((head, body)) = read_request(&mut stream) {
                    let answer = respond(&body);
                    let _ = tell.send((head, body)); // First: whoever has the answer may look.
                    let _ = stream.write_all(&answer);
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                }
                // The client closes first, so that none of the answer is cut off by a reset.
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            }
        });
        Self { addr, requests, stop, thread: Some(thread) }
    }

    pub(super) fn reader(&self, user: Option<&str>) -> Reader {
        let account = Account { user_address: user.map(str::to_owned), ..Account::default() };
        self.reader_of(&account)
    }

    pub(super) fn reader_of(&self, account: &Account) -> Reader {
        let rest_url = format!("http://{}", self.addr);
        let dexes = vec!["abc".to_owned()];
        let venue = Venue { network: Network::Custom, rest_url, dexes, ..Config::default().venue };
        Reader::new(&venue, account)
    }

    fn read(&self) -> Result<Universe, ReadError> {
        self.reader(None).read_universe()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.addr);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Head and JSON body of one request.
fn read_request(stream: &mut TcpStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .and_then(|length| length.trim().parse().ok())?;
            if bytes.len() >= end + 4 + length {
                return Some((head, serde_json::from_slice(&bytes[end + 4..]).ok()?));
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(len) => bytes.extend_from_slice(&piece[..len]),
        }
    }
}

pub(super) fn http(status: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn chunked(body: &str) -> Vec<u8> {
    let mut out =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".to_vec();
    for piece in body.as_bytes().chunks(7) {
        out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

fn answer(request: &Value) -> Value {
    match request["type"].as_str().expect("a type") {
        "perpDexs" => dexs_answer(),
        "meta" => meta_answer(),
        "perpDexLimits" => limits_answer(),
        "perpsAtOpenInterestCap" => json!([]),
        "userFees" => fees_answer(),
        other => panic!("asked for {other}"),
    }
}

fn ok(request: &Value) -> Vec<u8> {
    http("200 OK", answer(request).to_string().as_bytes())
}

#[test]
fn a_reading_asks_each_question_once_and_names_itself() {
    let server = Server::start(ok);
    let universe = server.reader(Some(USER)).read_universe().expect("a universe");
    let ids: Vec<AssetId> = universe.markets.iter().map(|market| market.asset).collect();
    assert_eq!(ids, [120_000, 120_001, 120_002].map(AssetId));
    assert!(universe.fees.is_some());
    let (heads, bodies): (Vec<String>, Vec<Value>) = server.requests.try_iter().unzip();
    assert_eq!(
        bodies,
        [
            json!({"type": "perpDexs"}),
            json!({"type": "meta", "dex": "abc"}),
            json!({"type": "perpDexLimits", "dex": "abc"}),
            json!({"type": "perpsAtOpenInterestCap", "dex": "abc"}),
            json!({"type": "userFees", "user": USER}),
        ]
    );
    let agent = format!("user-agent: hip3/{}", env!("CARGO_PKG_VERSION"));
    for head in heads {
        assert!(head.starts_with("post /info http/1.1"), "{head}");
        assert!(head.contains(&agent), "{head}");
        assert!(head.contains("content-type: application/json"), "{head}");
    }
}

#[test]
fn chunked_answers_read_alike_and_no_user_means_no_fees() {
    let plain = Server::start(ok);
    let chunks = Server::start(|request| chunked(&answer(request).to_string()));
    let universe = chunks.read().expect("a universe");
    assert_eq!(universe, plain.read().expect("a universe"));
    assert_eq!(universe.fees, None);
    assert_eq!(chunks.requests.try_iter().count(), 4);
}

#[test]
fn fees_that_cannot_be_read_refuse_the_reading() {
    let server = Server::start(|request| match request["type"].as_str() {
        Some("userFees") => http("200 OK", b"{}"),
        _ => ok(request),
    });
    let error = server.reader(Some(USER)).read_universe().expect_err("no fees").to_string();
    assert_eq!(error, "userFees.userCrossRate = missing: expected the taker rate");
}

#[test]
fn refusals_tell_status_and_the_beginning_of_the_answer() {
    for (status, code) in [
        ("400 Bad Request", 400),
        ("422 Unprocessable Entity", 422),
        ("429 Too Many Requests", 429),
        ("500 Internal Server Error", 500),
        ("502 Bad Gateway", 502),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", 302),
        ("204 No Content", 204),
    ] {
        let body = format!("<h1>\u{1b}[2J{}</h1>", "x".repeat(10_000));
        let text = if code == 204 { Vec::new() } else { body.into_bytes() };
        let server = Server::start(move |_| http(status, &text));
        let error = server.read().expect_err(status);
        let ReadError::Refused { status, body, .. } = &error else { panic!("{error}") };
        assert_eq!(*status, code);
        assert!(body.len() < 200 && !body.contains('\u{1b}'), "{body}");
        assert!(error.to_string().starts_with("perpDexs: http://127.0.0.1:"), "{error}");
        assert_eq!(server.requests.try_iter().count(), 1, "no question after a refusal");
    }
}

#[test]
fn null_for_meta_is_an_unknown_dex_with_either_status() {
    for status in ["200 OK", "500 Internal Server Error"] {
        let server = Server::start(move |request| match request["type"].as_str() {
            Some("meta") => http(status, b"null"),
            _ => ok(request),
        });
        let error = server.read().expect_err("no such dex").to_string();
        assert!(error.contains("there is no such dex"), "{status}: {error}");
    }
}

#[test]
fn whatever_breaks_off_is_unreachable_and_names_the_question() {
    for (name, bytes) in [
        ("nothing", ""),
        ("no HTTP", "\x16\x03\x01 what\r\n\r\n"),
        ("half a body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[null"),
        ("half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n[null"),
    ] {
        let error = Server::start(move |_| bytes.into()).read().expect_err(name);
        assert!(matches!(&error, ReadError::Unreachable { request, .. } if request == "perpDexs"));
        assert!(error.to_string().starts_with("perpDexs: http://127.0.0.1:"), "{error}");
    }
    let server = Server::start(ok);
    let mut reader = server.reader(None);
    drop(server);
    let error = reader.read_universe().expect_err("nobody listens");
    assert!(matches!(error, ReadError::Unreachable { .. }), "{error}");
}

#[test]
fn oversized_answers_are_refused_however_they_are_framed() {
    let whole = Server::start(|_| http("200 OK", &vec![b' '; (8 << 20) + 1]));
    let endless = Server::start(|_| {
        let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
        [head, vec![b' '; (8 << 20) + 1]].concat()
    });
    for server in [whole, endless] {
        let error = server.read().expect_err("too large");
        assert!(matches!(error, ReadError::Unreachable { .. }), "{error}");
    }
}

#[test]
fn a_server_that_never_finishes_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let rest_url = format!("http://{}", listener.local_addr().expect("an address"));
    let venue = Venue { rest_url, ..Config::default().venue };
    let patience = Duration::from_millis(50);
    let roots = ureq::tls::RootCerts::WebPki;
    let mut reader = Reader::with(&venue, &Account::default(), patience, roots);
    // The system accepts the connection; nobody ever answers on it.
    let error = reader.read_universe().expect_err("no answer").to_string();
    assert!(error.contains("perpDexs") && error.contains("timeout"), "{error}");
}

#[test]
fn a_reader_can_move_to_its_thread() {
    fn can_move<T: Send + 'static>() {}
    can_move::<Reader>();
}

#[test]
fn an_action_goes_to_exchange_and_its_answer_comes_back_as_it_is() {
    for (status, code, answer) in [
        ("200 OK", 200, r#"{"status":"err","response":"no"}"#),
        ("429 Too Many Requests", 429, "null"),
        ("422 Unprocessable Entity", 422, "Failed to deserialize"),
    ] {
        let server = Server::start(move |_| http(status, answer.as_bytes()));
        let body = json!({"action": {"type": "noop"}, "nonce": 7});
        let told = server.reader(None).exchange(body.to_string().as_bytes()).expect("an answer");
        assert_eq!(told, (code, answer.as_bytes().to_vec()));
        let (head, asked) = server.requests.recv().expect("a request");
        assert!(head.starts_with("post /exchange http/1.1"), "{head}");
        assert!(head.contains("content-type: application/json"), "{head}");
        assert_eq!(asked, body);
    }
}

#[test]
fn an_action_without_an_answer_is_an_error_that_repeats_nothing_of_it() {
    let server = Server::start(|_| Vec::new());
    let body = r#"{"signature":{"r":"0xcafe"}}"#;
    let error = server.reader(None).exchange(body.as_bytes()).expect_err("no answer");
    let text = format!("{error} {error:?}");
    assert!(text.contains("/exchange") && !text.contains("cafe"), "{text}");
}

#[test]
fn answers_tell_the_venues_time_unless_they_were_kept_on_the_way() {
    let dated = |header: &'static str| {
        let server = Server::start(move |body| {
            let answer = match body["type"].as_str() {
                Some("perpDexs") => dexs_answer(),
                Some("meta") => meta_answer(),
                Some("perpDexLimits") => limits_answer(),
                _ => json!([]),
            };
            let answer = answer.to_string();
            let length = answer.len();
            format!(
                "HTTP/1.1 200 OK\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{answer}"
            )
            .into_bytes()
        });
        let mut reader = server.reader(None);
        reader.read_universe().expect("a universe");
        let dates: Vec<_> = reader.take_dates().collect();
        assert_eq!(reader.take_dates().count(), 0, "each is taken once");
        assert!(dates.iter().all(|dated| dated.asked <= dated.answered));
        dates.iter().map(|dated| dated.date.0 / 1_000_000_000).collect::<Vec<_>>()
    };
    assert_eq!(dated("Date: Sun, 22 Nov 2026 12:00:07 GMT\r\n"), [1_795_348_807; 4]);
    assert_eq!(dated("Date: Sun, 22 Nov 2026 12:00:07 GMT\r\nAge: 12\r\n"), [0_i64; 0]);
    assert_eq!(dated("Date: today\r\n"), [0_i64; 0]);
    assert_eq!(dated(""), [0_i64; 0]);
}
