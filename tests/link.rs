//! What a link promises, against servers of every temper on loopback.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hip3::runtime::link::{
    ConnectError, EVENTS_PER_TURN, Endpoint, Link, LinkEvent, MAX_BACKLOG, MAX_MESSAGE, resolve,
    tls_config, tls_config_with,
};
use hip3::types::event::LinkDown;
use mio::{Events, Poll, Token};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::{Message, WebSocket};

/// What a link said, kept.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Said {
    Connected,
    Text(String),
    Binary,
    Closed(LinkDown),
}

impl From<LinkEvent<'_>> for Said {
    fn from(event: LinkEvent<'_>) -> Self {
        match event {
            LinkEvent::Connected => Self::Connected,
            LinkEvent::Text(text) => Self::Text(String::from_utf8(text.to_vec()).unwrap()),
            LinkEvent::Binary => Self::Binary,
            LinkEvent::Closed(down) => Self::Closed(down),
        }
    }
}

fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

/// A link and the loop that drives it: sleeps in `poll`, as with `busy_poll = false`.
struct Client {
    poll: Poll,
    events: Events,
    link: Link,
    said: Vec<Said>,
}

impl Client {
    fn connect(url: &str, addresses: &[SocketAddr], tls: &Arc<ClientConfig>) -> Self {
        let endpoint = Endpoint::parse(url).unwrap();
        let poll = Poll::new().unwrap();
        let link = Link::connect(poll.registry(), Token(7), &endpoint, addresses, tls).unwrap();
        Self { poll, events: Events::with_capacity(16), link, said: Vec::new() }
    }

    fn plain(address: SocketAddr) -> Self {
        Self::connect(&format!("ws://{address}/ws"), &[address], &tls_config().unwrap())
    }

    /// One turn of the loop. So long without readiness is a test that hangs.
    fn turn(&mut self) {
        if !self.link.more() {
            self.poll.poll(&mut self.events, Some(Duration::from_secs(20))).unwrap();
            assert!(!self.events.is_empty(), "nothing happens any more; so far: {:?}", self.said);
            assert!(self.events.iter().all(|event| event.token() == Token(7)));
        }
        self.link.drive(|event| self.said.push(event.into()));
    }

    /// Turns until `count` events were said, and returns them.
    fn hear(&mut self, count: usize) -> Vec<Said> {
        while self.said.len() < count {
            self.turn();
        }
        self.said.drain(..count).collect()
    }

    fn opened(mut self) -> Self {
        assert_eq!(self.hear(1), [Said::Connected], "{:?}", self.last_words());
        self
    }

    /// The last event, which must be the only one left.
    fn hear_end(&mut self) -> LinkDown {
        let [Said::Closed(down)] = self.hear(1)[..] else { panic!("more than an end was said") };
        assert!(self.link.is_gone() && self.said.is_empty());
        down
    }

    fn last_words(&self) -> String {
        self.link.last_words().map(|words| words.to_string()).unwrap_or_default()
    }
}

/// A server for one connection.
fn serve<T: Send + 'static>(
    behave: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || behave(listener.accept().unwrap().0)))
}

/// The same, after the WebSocket handshake.
fn serve_ws<T: Send + 'static>(
    behave: impl FnOnce(WebSocket<TcpStream>) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    serve(|tcp| behave(tungstenite::accept(tcp).unwrap()))
}

/// Waits until the other side has closed, however it did.
fn until_closed(mut tcp: impl Read) {
    let mut sink = [0; 4096];
    while matches!(tcp.read(&mut sink), Ok(1..)) {}
}

/// The bytes of an unmasked text frame of at most 125 bytes, or its first fragment.
fn frame_bytes(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, u8::try_from(payload.len()).unwrap()], payload].concat()
}

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
        client.turn();
        assert!(client.said.len() <= EVENTS_PER_TURN as usize);
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
    const WARM_UP: usize = 2_000;
    const COUNT: usize = 5_000;
    let (address, server) = serve_ws(|mut socket| {
        while let Ok(message) = socket.read() {
            if socket.send(message).is_err() {
                break;
            }
        }
    });
    let mut client = Client::plain(address).opened();
    let frame = format!("{{\"channel\":\"bbo\",\"data\":\"{}\"}}", "a".repeat(110));
    let Client { poll, events, link, .. } = &mut client;
    let mut echoes = 0;
    let mut round_trips = |count: usize| {
        for _ in 0..count {
            link.send(frame.as_bytes()).unwrap();
            link.flush().unwrap();
            let heard = echoes;
            while echoes == heard {
                poll.poll(events, None).unwrap();
                link.drive(|event| echoes += usize::from(matches!(event, LinkEvent::Text(_))));
            }
        }
    };
    round_trips(WARM_UP);
    // Counts this thread alone.
    let info = allocation_counter::measure(|| round_trips(COUNT));
    assert_eq!(echoes, WARM_UP + COUNT);
    assert_eq!(info.count_total, 0);
    drop(client);
    server.join().unwrap();
}

/// A certificate for `name`, signed by a new authority; and the roots that trust it.
fn certificate(name: &str) -> (Arc<ServerConfig>, RootCertStore) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(vec![]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_cert = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer);
    let mut roots = RootCertStore::empty();
    roots.add(authority_cert.der().clone()).unwrap();
    (server_config(certificate.unwrap(), &key), roots)
}

fn server_config(certificate: rcgen::Certificate, key: &rcgen::KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key)
        .unwrap();
    Arc::new(config)
}

type TlsSocket = WebSocket<StreamOwned<ServerConnection, TcpStream>>;

/// A TLS server for one connection; `None` from a handshake that failed.
fn serve_tls<T: Send + 'static>(
    config: Arc<ServerConfig>,
    behave: impl FnOnce(TlsSocket) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<Option<T>>) {
    serve(move |tcp| {
        let connection = ServerConnection::new(config).unwrap();
        tungstenite::accept(StreamOwned::new(connection, tcp)).ok().map(behave)
    })
}

fn echo_one(mut socket: TlsSocket) -> Message {
    let message = socket.read().unwrap();
    socket.send(message.clone()).unwrap();
    until_closed(&mut socket.get_mut().sock);
    message
}

#[test]
fn tls_works_with_a_root_that_we_trust() {
    let (server, roots) = certificate("localhost");
    let (address, server) = serve_tls(server, echo_one);
    let url = format!("wss://localhost:{}/ws", address.port());
    let tls = tls_config_with(roots).unwrap();
    let mut client = Client::connect(&url, &[address], &tls).opened();
    client.link.send(b"hello").unwrap();
    client.link.flush().unwrap();
    assert_eq!(client.hear(1), [text("hello")]);
    client.link.close();
    assert_eq!(server.join().unwrap(), Some(Message::text("hello")));
}

#[test]
fn certificates_that_prove_nothing_are_refused() {
    let (honest, roots) = certificate("localhost");
    let (elsewhere, other_roots) = certificate("example.com");
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let own = server_config(own.self_signed(&key).unwrap(), &key);
    for (what, server, tls, words) in [
        ("unknown authority", honest, tls_config().unwrap(), "UnknownIssuer"),
        ("wrong name", elsewhere, tls_config_with(other_roots).unwrap(), "not valid for name"),
        ("self-signed", own, tls_config_with(roots).unwrap(), "invalid peer"),
    ] {
        let (address, server) = serve_tls(server, |_| ());
        let url = format!("wss://localhost:{}/ws", address.port());
        let mut client = Client::connect(&url, &[address], &tls);
        assert_eq!(client.hear_end(), LinkDown::Unreachable, "{what}");
        assert!(client.last_words().contains(words), "{what}: {}", client.last_words());
        assert_eq!(server.join().unwrap(), None, "{what}: the server sees no handshake");
    }
}

#[test]
fn tls_carries_floods_and_long_messages_whole() {
    const COUNT: usize = 5_000;
    let (server, roots) = certificate("localhost");
    let (address, server) = serve_tls(server, |mut socket| {
        for number in 0..COUNT {
            socket.write(Message::text(number.to_string())).unwrap();
        }
        socket.send(Message::text("a".repeat(MAX_MESSAGE))).unwrap();
        let mut lengths = 0;
        while let Ok(Message::Text(message)) = socket.read() {
            lengths += message.len();
        }
        lengths
    });
    let url = format!("wss://localhost:{}/ws", address.port());
    let mut client = Client::connect(&url, &[address], &tls_config_with(roots).unwrap()).opened();
    for (number, said) in client.hear(COUNT).into_iter().enumerate() {
        assert_eq!(said, text(&number.to_string()));
    }
    assert_eq!(client.hear(1), [text(&"a".repeat(MAX_MESSAGE))]);
    let message = "b".repeat(32 * 1024);
    for _ in 0..100 {
        client.link.send(message.as_bytes()).unwrap();
        client.link.flush().unwrap();
        while client.link.wants_write() {
            client.turn();
        }
    }
    client.link.close();
    assert_eq!(server.join().unwrap(), Some(100 * message.len()));
}

#[test]
fn a_tls_stream_that_is_cut_or_broken_ends_the_link() {
    for (garbage, down) in [
        (&b""[..], LinkDown::Dropped),
        (b"\x17\x03\x03\x00\x20not a record of ours............", LinkDown::Protocol),
    ] {
        let (server, roots) = certificate("localhost");
        let (address, server) = serve_tls(server, move |mut socket| {
            socket.read().unwrap();
            let tcp = &mut socket.get_mut().sock;
            tcp.write_all(garbage).unwrap();
            if !garbage.is_empty() {
                until_closed(tcp);
            }
        });
        let url = format!("wss://localhost:{}/ws", address.port());
        let tls = tls_config_with(roots).unwrap();
        let mut client = Client::connect(&url, &[address], &tls).opened();
        client.link.send(b"go").unwrap();
        client.link.flush().unwrap();
        assert_eq!(client.hear_end(), down);
        drop(client);
        server.join().unwrap();
    }
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
