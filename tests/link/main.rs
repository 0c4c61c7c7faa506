//! What a link promises, against servers of every temper on loopback.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

#[path = "../certificates/mod.rs"]
mod certificates;
mod harness;
mod tls;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use hip3::runtime::link::{
    ConnectError, EVENTS_PER_TURN, Endpoint, Link, LinkEvent, MAX_BACKLOG, MAX_MESSAGE, resolve,
    tls_config,
};
use hip3::types::event::LinkDown;
use mio::{Poll, Token};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

use crate::harness::{
    Client, Said, allocations, echo, frame_bytes, serve, serve_ws, text, until_closed,
};

#[test]
fn text_goes_both_ways() {
    let (address, server) = serve_ws(|mut socket| {
        let heard = socket.read().unwrap();
        socket.send(Message::text("there")).unwrap();
        socket.send(Message::binary(vec![1, 2])).unwrap();
        heard
    });
    let mut client = Client::plain(address).opened();
    client.link.send(b"{\"method\":\"ping\"}").unwrap();
    client.link.flush().unwrap();
    assert_eq!(client.hear(2), [text("there"), Said::Binary]);
    assert_eq!(server.join().unwrap(), Message::text("{\"method\":\"ping\"}"));
}

#[test]
fn the_request_names_host_path_and_program() {
    let (address, server) = serve(|mut tcp| {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            tcp.read_exact(&mut byte).unwrap();
            request.extend_from_slice(&byte);
        }
        String::from_utf8(request).unwrap()
    });
    let url = format!("ws://localhost:{}/ws?a=b", address.port());
    let mut client = Client::connect(&url, &[address], &tls_config().unwrap());
    assert_eq!(client.hear_end(), LinkDown::Unreachable);
    let request = server.join().unwrap().to_ascii_lowercase();
    assert!(request.starts_with("get /ws?a=b http/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("\r\nhost: localhost:{}\r\n", address.port())), "{request}");
    assert!(request.contains("\r\nuser-agent: hip3/"), "{request}");
}

#[test]
fn a_handshake_in_pieces_and_frames_byte_by_byte_arrive_whole() {
    let (address, server) = serve(|mut tcp| {
        tcp.set_nodelay(true).unwrap();
        let mut key = Vec::new();
        while !key.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            tcp.read_exact(&mut byte).unwrap();
            key.extend_from_slice(&byte);
        }
        let request = String::from_utf8(key).unwrap();
        let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let accept = tungstenite::handshake::derive_accept_key(key.unwrap().as_bytes());
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        for piece in response.as_bytes().chunks(40) {
            tcp.write_all(piece).unwrap();
            thread::yield_now();
        }
        let whole = frame_bytes(0x81, b"one");
        let fragments = [frame_bytes(0x01, "tw\u{f6}".as_bytes()), frame_bytes(0x80, b"-parts")];
        for byte in [whole, fragments.concat()].concat() {
            tcp.write_all(&[byte]).unwrap();
            thread::yield_now();
        }
        until_closed(tcp);
    });
    let mut client = Client::plain(address).opened();
    assert_eq!(client.hear(2), [text("one"), text("tw\u{f6}-parts")]);
    client.link.close();
    server.join().unwrap();
}

#[test]
fn a_flood_comes_in_order_and_in_bounded_turns() {
    const COUNT: usize = 20_000;
    let (address, server) = serve_ws(|mut socket| {
        for number in 0..COUNT {
            socket.write(Message::text(format!("{{\"number\":{number}}}"))).unwrap();
        }
        socket.flush().unwrap();
        until_closed(socket.get_mut());
    });
    let mut client = Client::plain(address).opened();
    let mut heard = 0;
    while heard < COUNT {
        let before = client.said.len(); // What came in the turn that opened the link.
        client.turn();
        assert!(client.said.len() - before <= EVENTS_PER_TURN as usize);
        for said in client.said.drain(..) {
            assert_eq!(said, text(&format!("{{\"number\":{heard}}}")));
            heard += 1;
        }
    }
    client.link.close();
    server.join().unwrap();
}

#[test]
fn a_turn_ends_though_the_other_side_never_does() {
    // Empty fragments make no message, so only the meter of bytes can end the turn.
    let (address, server) = serve_ws(|socket| {
        let mut tcp = socket.get_ref();
        let begin = frame_bytes(0x01, b"");
        let empty = [0x00, 0x00].repeat(32 * 1024);
        if tcp.write_all(&begin).is_ok() {
            while tcp.write_all(&empty).is_ok() {}
        }
    });
    let mut client = Client::plain(address).opened();
    let mut more = 0;
    while more < 3 {
        client.turn();
        more += u32::from(client.link.more());
    }
    assert_eq!(client.said, []);
    drop(client);
    server.join().unwrap();
}

#[test]
fn pings_are_answered_and_not_told() {
    let (address, server) = serve_ws(|mut socket| {
        socket.send(Message::Ping("are you there".into())).unwrap();
        socket.send(Message::Pong("unasked".into())).unwrap();
        let pong = socket.read().unwrap();
        socket.send(Message::text("good")).unwrap();
        pong
    });
    let mut client = Client::plain(address).opened();
    assert_eq!(client.hear(1), [text("good")]);
    assert_eq!(server.join().unwrap(), Message::Pong("are you there".into()));
}

#[test]
fn a_close_frame_ends_the_link_with_its_code_and_reason() {
    let (address, server) = serve_ws(|mut socket| {
        socket.send(Message::text("last")).unwrap();
        let frame = CloseFrame { code: CloseCode::Normal, reason: "Expired".into() };
        socket.close(Some(frame)).unwrap();
        socket.read().unwrap()
    });
    let mut client = Client::plain(address).opened();
    assert_eq!(client.hear(1), [text("last")]);
    assert_eq!(client.hear_end(), LinkDown::Closed);
    assert_eq!(client.last_words(), "1000 Expired");
    assert!(server.join().unwrap().is_close(), "the close frame is answered");
    assert_eq!(client.link.send(b"late"), Err(LinkDown::Unreachable));
    assert_eq!(client.last_words(), "1000 Expired");
}

#[test]
fn an_end_without_a_close_frame_is_a_drop() {
    for rest in [&[][..], &frame_bytes(0x81, b"whole")[..3]] {
        let rest = rest.to_vec();
        let (address, server) = serve_ws(move |socket| {
            let mut tcp = socket.get_ref();
            tcp.write_all(&rest).unwrap();
        });
        let mut client = Client::plain(address).opened();
        assert_eq!(client.hear_end(), LinkDown::Dropped);
        server.join().unwrap();
    }
}

#[test]
fn what_breaks_the_protocol_ends_the_link() {
    let too_long = |opcode: u8, len: usize| {
        let mut bytes = vec![opcode, 127];
        bytes.extend_from_slice(&u64::try_from(len).unwrap().to_be_bytes());
        bytes
    };
    let half = MAX_MESSAGE / 2 + 1;
    let halves = [too_long(0x01, half), vec![b'a'; half], too_long(0x80, half), vec![b'a'; half]];
    for (what, bytes) in [
        ("a reserved opcode", vec![0x83, 0x00]),
        ("reserved bits", vec![0xC1, 0x01, b'a']),
        ("a masked frame", vec![0x81, 0x81, 0, 0, 0, 0, b'a']),
        ("a continuation of nothing", vec![0x80, 0x01, b'a']),
        ("an oversized frame", too_long(0x81, MAX_MESSAGE + 1)),
        ("an absurd frame", too_long(0x81, usize::MAX)),
        ("an oversized message", halves.concat()),
        ("a fragment that is no UTF-8", frame_bytes(0x01, b"a\xffb")),
    ] {
        let (address, server) = serve_ws(move |socket| {
            let mut tcp = socket.get_ref();
            // It may be cut off within the oversized message.
            let _ = tcp.write_all(&bytes);
            until_closed(tcp);
        });
        let mut client = Client::plain(address).opened();
        assert_eq!(client.hear_end(), LinkDown::Protocol, "{what}");
        assert_ne!(client.last_words(), "", "{what}");
        drop(client);
        server.join().unwrap();
    }
}

#[test]
fn the_longest_message_arrives() {
    let (address, server) = serve_ws(|mut socket| {
        socket.send(Message::text("a".repeat(MAX_MESSAGE))).unwrap();
        until_closed(socket.get_mut());
    });
    let mut client = Client::plain(address).opened();
    assert_eq!(client.hear(1), [text(&"a".repeat(MAX_MESSAGE))]);
    client.link.close();
    server.join().unwrap();
}

#[test]
fn text_that_is_no_utf8_is_counted_and_the_link_goes_on() {
    let (address, server) = serve_ws(|socket| {
        let mut tcp = socket.get_ref();
        for payload in [&b"a\xffb"[..], b"cut \xe2\x82", b"good"] {
            tcp.write_all(&frame_bytes(0x81, payload)).unwrap();
        }
        until_closed(tcp);
    });
    let mut client = Client::plain(address).opened();
    assert_eq!(client.hear(3), [Said::Binary, Said::Binary, text("good")]);
    client.link.close();
    server.join().unwrap();
}

#[test]
fn who_does_not_upgrade_is_unreachable() {
    for (answer, words) in [
        ("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", "429"),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "onnection"),
        ("garbage\r\n\r\n", ""),
        ("", ""),
    ] {
        let (address, server) = serve(move |mut tcp| {
            tcp.read_exact(&mut [0; 16]).unwrap();
            tcp.write_all(answer.as_bytes()).unwrap();
            tcp.shutdown(std::net::Shutdown::Write).unwrap();
            until_closed(tcp);
        });
        let mut client = Client::plain(address);
        assert_eq!(client.hear_end(), LinkDown::Unreachable, "{answer:?}");
        assert!(client.last_words().contains(words), "{answer:?}: {}", client.last_words());
        drop(client);
        server.join().unwrap();
    }
}

#[test]
fn a_server_that_never_answers_is_left_by_closing() {
    let (address, server) = serve(until_closed);
    let mut client = Client::plain(address);
    client.turn();
    assert_eq!((client.said.len(), client.link.is_open()), (0, false), "it waits, and no more");
    client.link.close();
    server.join().unwrap();
}

#[test]
fn a_refused_address_gives_way_to_the_next() {
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (address, server) = serve_ws(|mut socket| until_closed(socket.get_mut()));
    let url = format!("ws://{address}/ws");
    let tls = tls_config().unwrap();
    let client = Client::connect(&url, &[refused, refused, address], &tls).opened();
    client.link.close();
    server.join().unwrap();

    let mut client = Client::connect(&url, &[refused], &tls);
    assert_eq!(client.hear_end(), LinkDown::Unreachable);
    assert!(client.last_words().contains("refused"), "{}", client.last_words());
}

#[test]
fn plain_ws_never_leaves_this_machine() {
    let poll = Poll::new().unwrap();
    let endpoint = Endpoint::parse("ws://localhost:9/ws").unwrap();
    let away = "192.0.2.1:9".parse().unwrap();
    let tls = tls_config().unwrap();
    let refused = Link::connect(poll.registry(), Token(0), &endpoint, &[away], &tls);
    assert!(matches!(refused, Err(ConnectError::NotLoopback(address)) if address == away));
    let nowhere = Link::connect(poll.registry(), Token(0), &endpoint, &[], &tls);
    assert!(matches!(nowhere, Err(ConnectError::NoAddress(_))));
}

#[test]
fn a_peer_that_does_not_read_is_a_backlog() {
    let (done, until_done) = std::sync::mpsc::channel::<()>();
    let (address, server) = serve_ws(move |socket| {
        // Reads nothing until the test is over, or has failed.
        let _ = until_done.recv();
        drop(socket);
    });
    let mut client = Client::plain(address).opened();
    let message = "a".repeat(16 * 1024);
    // More than all buffers of the system may hold.
    let end = (0..64 * 1024).find_map(|_| {
        let sent = client.link.send(message.as_bytes()).and_then(|()| client.link.flush());
        assert!(sent.is_err() || client.link.is_open());
        sent.err()
    });
    assert_eq!(end, Some(LinkDown::Backlog));
    assert!(client.link.is_gone() && !client.link.wants_write());
    drop(done);
    server.join().unwrap();
}

#[test]
fn what_the_socket_did_not_take_goes_out_once_it_does() {
    const COUNT: usize = 256;
    let (begin, may_begin) = std::sync::mpsc::channel::<()>();
    let (address, server) = serve_ws(move |mut socket| {
        may_begin.recv().unwrap();
        let lengths: Vec<_> = (0..COUNT).map(|_| socket.read().unwrap().len()).collect();
        socket.send(Message::text("all")).unwrap();
        lengths
    });
    let mut client = Client::plain(address).opened();
    let message = "a".repeat(32 * 1024);
    let mut sent = 0;
    // Until the socket is full, but not the write buffer.
    while sent < COUNT && !client.link.wants_write() {
        client.link.send(message.as_bytes()).unwrap();
        client.link.flush().unwrap();
        sent += 1;
    }
    const { assert!(MAX_BACKLOG > 64 * 1024) };
    begin.send(()).unwrap();
    while client.link.wants_write() {
        client.turn();
    }
    for _ in sent..COUNT {
        client.link.send(message.as_bytes()).unwrap();
        client.link.flush().unwrap();
        while client.link.wants_write() {
            client.turn();
        }
    }
    assert_eq!(client.hear(1), [text("all")]);
    assert_eq!(server.join().unwrap(), vec![message.len(); COUNT]);
}

#[test]
fn closing_says_goodbye() {
    let (address, server) = serve_ws(|mut socket| socket.read().unwrap());
    let client = Client::plain(address).opened();
    client.link.close();
    let Message::Close(Some(frame)) = server.join().unwrap() else { panic!("no close frame") };
    assert_eq!(frame.code, CloseCode::Normal);
}

#[test]
fn between_two_events_a_message_can_be_sent() {
    let (address, server) = serve_ws(|mut socket| {
        socket.read().unwrap();
        socket.write(Message::text("first")).unwrap();
        socket.send(Message::text("second")).unwrap();
        (socket.read().unwrap(), socket.read().unwrap())
    });
    let mut client = Client::plain(address).opened();
    client.link.send(b"go").unwrap();
    client.link.flush().unwrap();
    let mut answered = 0;
    while answered < 2 {
        client.poll.poll(&mut client.events, Some(Duration::from_secs(20))).unwrap();
        assert!(!client.events.is_empty(), "nothing happens any more");
        client.link.begin_turn();
        while let Some(LinkEvent::Text(text)) = client.link.next_event() {
            let answer = [text, b"!"].concat();
            client.link.send(&answer).unwrap();
            client.link.flush().unwrap();
            answered += 1;
        }
    }
    assert_eq!(server.join().unwrap(), (Message::text("first!"), Message::text("second!")));
}

#[test]
fn steady_traffic_allocates_nothing() {
    let (address, server) = serve_ws(echo);
    let mut client = Client::plain(address).opened();
    assert_eq!(allocations(&mut client, 5_000), 0);
    drop(client);
    server.join().unwrap();
}

#[test]
fn control_frames_between_fragments_do_no_harm() {
    let (address, server) = serve_ws(|mut socket| {
        let fragments = [
            Frame::message("one ", OpCode::Data(Data::Text), false),
            Frame::ping("meanwhile"),
            Frame::message("message", OpCode::Data(Data::Continue), true),
        ];
        for fragment in fragments {
            socket.send(Message::Frame(fragment)).unwrap();
        }
        socket.read().unwrap()
    });
    let mut client = Client::plain(address).opened();
    assert_eq!(client.hear(1), [text("one message")]);
    assert_eq!(server.join().unwrap(), Message::Pong("meanwhile".into()));
}

#[test]
fn localhost_resolves_to_this_machine() {
    let endpoint = Endpoint::parse("ws://localhost:4711/ws").unwrap();
    let addresses = resolve(&endpoint).unwrap();
    assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 4711));
    assert!(!addresses.is_empty());
}
