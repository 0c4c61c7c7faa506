//! Clients that mean no good: each is bounded, and the others are served.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hip3::dashboard::{Facts, Patience};
use hip3::types::ids::Coin;
use hip3::types::snapshot::Snapshot;

use crate::harness::{Server, facts, wait_for};
use crate::http::{answers, ask, connect, read_to_end, request, talk};
use crate::metrics::Metrics;
use crate::sample::snapshot;
use crate::socket::{next, open, read_out};

#[test]
fn a_head_that_is_too_large_is_refused() {
    let server = Server::observing();
    for header in [
        format!("X: {}\r\n", "x".repeat(20_000)),
        (0..40).map(|n| format!("X-{n}: {}\r\n", "x".repeat(1_000))).collect(),
    ] {
        assert_eq!(ask(server.address, &request("GET", "/healthz", &header)).status, 431);
    }
    let long = format!("/{}", "x".repeat(20_000));
    let answer = ask(server.address, &request("GET", &long, ""));
    assert!([414, 431].contains(&answer.status), "{answer:?}");
    assert_eq!(server.get("/").status, 200);
    server.end();
}

#[test]
fn more_headers_than_anybody_needs_are_refused() {
    let server = Server::observing();
    let headers = |n: usize| -> String { (0..n).map(|n| format!("X-{n}: 1\r\n")).collect() };
    // Two are there already.
    assert_eq!(ask(server.address, &request("GET", "/", &headers(62))).status, 200);
    assert_eq!(ask(server.address, &request("GET", "/", &headers(63))).status, 431);
    server.end();
}

#[test]
fn a_head_that_never_ends_is_not_waited_for() {
    let patience = Patience { head: Duration::from_millis(100), ..Patience::default() };
    let server = Server::start(Facts { patience, ..facts() }, None);
    for begun in ["", "G", "GET / HTTP/1.1\r\nHost: localhost\r\n", "GET / HTTP/1.1\r\nX: "] {
        let heard = talk(server.address, begun.as_bytes());
        let told = answers(&heard, false);
        assert!(told.iter().all(|answer| answer.status == 408), "{begun:?}: {told:?}");
    }
    // One byte now and then is no head either.
    let mut stream = connect(server.address);
    let drip = "GET / HTTP/1.1\r\nX: ".bytes().chain(std::iter::repeat(b'x'));
    stream.set_read_timeout(Some(Duration::from_millis(10))).expect("a patience");
    let mut dripped = 0;
    for byte in drip {
        let gone = stream.write_all(&[byte]).is_err() || matches!(stream.read(&mut [0]), Ok(0));
        if gone {
            break;
        }
        dripped += 1;
        assert!(dripped < 10_000, "it listens forever");
    }
    server.end();
}

#[test]
fn a_connection_that_goes_on_and_on_ends() {
    let patience = Patience { life: Duration::from_millis(200), ..Patience::default() };
    let server = Server::start(Facts { patience, ..facts() }, None);
    let mut stream = connect(server.address);
    let mut answered = 0;
    // Each request is answered whole until the connection ends.
    loop {
        let request = b"GET /app.js HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut head = Vec::new();
        let mut chunk = [0; 64 * 1024];
        if stream.write_all(request).is_err() {
            break;
        }
        let whole = loop {
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => break head.is_empty(),
                Ok(read) => head.extend_from_slice(&chunk[..read]),
            }
            if is_whole(&head) {
                answered += 1;
                break true;
            }
        };
        assert!(whole, "half an answer");
        if head.is_empty() || head.windows(17).any(|text| text == b"connection: close") {
            break;
        }
        assert!(answered < 1_000_000, "it lives forever");
    }
    assert!(answered > 0);
    server.end();
}

/// Whether `bytes` are one whole answer.
fn is_whole(bytes: &[u8]) -> bool {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = head.parse(bytes) else { return false };
    let body = head.headers.iter().find(|header| header.name == "content-length");
    let body =
        body.and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok());
    bytes.len() == length + body.expect("a length")
}

#[test]
fn what_is_no_http_is_answered_by_the_end() {
    let server = Server::observing();
    let deep = [b"GET / HTTP/1.1\r\nHost: localhost\r\n".as_slice(), &[0xff; 64], b"\r\n\r\n"];
    let garbage: [&[u8]; 9] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n : x\r\n\r\n",
        b"\r\n\r\n\r\n\r\n\r\nx\r\n\r\n",
        &deep.concat(),
    ];
    for bytes in garbage {
        let told = answers(&talk(server.address, bytes), false);
        let refused = |status: u16| (400..=505).contains(&status);
        assert!(told.iter().all(|answer| refused(answer.status)), "{}", bytes.escape_ascii());
        // Behind a good request it is refused as well.
        let good = b"GET /app.js HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let told = answers(&talk(server.address, &[good, bytes].concat()), false);
        assert_eq!(told[0].status, 200);
        assert!(told[1..].iter().all(|answer| refused(answer.status)), "{told:?}");
    }
    server.end();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::observing();
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let many: String = (0..200).map(|n| one(["/healthz", "/none", "/"][n % 3])).collect();
    let told = answers(&talk(server.address, (many + &request("GET", "/", "")).as_bytes()), false);
    let statuses: Vec<u16> = told.iter().map(|answer| answer.status).collect();
    let expected: Vec<u16> = (0..200).map(|n| [503, 404, 200][n % 3]).chain([200]).collect();
    assert_eq!(statuses, expected);
    server.end();
}

#[test]
fn a_flood_of_connections_passes_and_others_are_served() {
    let patience = Patience { head: Duration::from_millis(200), ..Patience::default() };
    let mut server = Server::start(Facts { patience, max_pages: 1, ..facts() }, None);
    server.show(&snapshot());
    let mut page = open(&server);
    next(&mut page);
    // Ten times as many as it takes at once; some say half of something.
    let mut flood: Vec<TcpStream> = (0..240).map(|_| connect(server.address)).collect();
    for stream in flood.iter_mut().step_by(2) {
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: lo");
    }
    // Who is in already sees everything, and who comes last is served too.
    server.show(&snapshot());
    next(&mut page);
    assert_eq!(server.get("/healthz").status, 200);
    for stream in &mut flood {
        let told = answers(&read_to_end(stream), false);
        assert!(told.iter().all(|answer| answer.status == 408), "{told:?}");
    }
    assert_eq!(server.get("/api/snapshot").status, 200);
    server.end();
}

/// As many markets as there can be, all of which change with `n`.
fn large(n: u64) -> Snapshot {
    let mut snapshot = snapshot();
    let one = snapshot.markets[0];
    snapshot.markets = (0..498)
        .map(|index| {
            let mut market = one;
            market.coin = Coin::new(&format!("xyz:MARKET{index}")).expect("a name");
            market.bbo_at = Some(hip3::types::time::Mono(n));
            market
        })
        .collect();
    snapshot.status.frames = n;
    snapshot
}

#[test]
fn a_page_that_does_not_read_is_dropped_and_the_others_see_everything() {
    let patience = Patience { write: Duration::from_millis(200), ..Patience::default() };
    let mut server = Server::start(Facts { patience, ..facts() }, None);
    server.show(&large(1));
    let slow = open(&server);
    let mut reader = open(&server);
    let reading = std::thread::spawn(move || {
        let mut last = 0;
        loop {
            match reader.read() {
                Ok(tungstenite::Message::Text(text)) => {
                    let message: serde_json::Value =
                        serde_json::from_str(text.as_str()).expect("JSON");
                    let frames = message["counters"]["frames"].as_u64().expect("a number");
                    assert!(frames >= last, "in order");
                    last = frames;
                }
                Ok(message) if message.is_close() => return last,
                Ok(_) => {}
                Err(_) => return last,
            }
        }
    });
    let dropped = |server: &Server| {
        let metrics = Metrics::read(&server.get("/metrics").body);
        (
            metrics.samples["hip3_dashboard_clients_dropped_total"],
            metrics.samples["hip3_dashboard_clients"],
        )
    };
    let mut n = 1;
    wait_for("the slow page to be dropped", || {
        for _ in 0..20 {
            n += 1;
            server.show(&large(n));
        }
        let (dropped, _) = dropped(&server);
        (dropped > 0.5).then_some(())
    });
    assert_eq!(dropped(&server), (1.0, 1.0), "the slow one, and not the other");
    // Some updates later.
    for _ in 0..20 {
        n += 1;
        server.show(&large(n));
    }
    server.end();
    let last = reading.join().expect("the reader");
    assert!(last + 20 >= n, "it saw {last} of {n}");
    let mut slow = slow;
    read_out(&mut slow);
}

#[test]
fn an_answer_that_nobody_takes_is_given_up() {
    let patience = Patience {
        life: Duration::from_millis(200),
        write: Duration::from_millis(100),
        ..Patience::default()
    };
    let server = Server::start(Facts { patience, max_pages: 1, ..facts() }, None);
    // Each asks for more than the system keeps for it, and reads none of it.
    let greedy: Vec<TcpStream> = (0..30)
        .map(|_| {
            let mut stream = connect(server.address);
            stream.set_nonblocking(true).expect("it does not wait");
            let one = "GET /style.css HTTP/1.1\r\nHost: localhost\r\n\r\n";
            let _ = stream.write_all(one.repeat(1_000).as_bytes());
            stream
        })
        .collect();
    // There are places for 24 of them at once: this one is served all the same.
    assert_eq!(server.get("/").status, 200);
    drop(greedy);
    server.end();
}
