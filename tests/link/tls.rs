//! The same over TLS, with certificates good and bad.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use hip3::runtime::link::{MAX_MESSAGE, tls_config, tls_config_with};
use hip3::types::event::LinkDown;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tungstenite::{Message, WebSocket};

use crate::certificates::{Authority, Flaw, certificate};
use crate::harness::{Client, allocations, echo, serve, text, until_closed};

#[test]
fn steady_traffic_over_tls_allocates_what_rustls_does_and_no_more() {
    let (config, roots) = certificate("localhost");
    let (address, server) = serve_tls(config, echo);
    let url = format!("wss://localhost:{}/ws", address.port());
    let mut client = Client::connect(&url, &[address], &tls_config_with(roots).unwrap()).opened();
    // rustls 0.23 owns every record it decrypts and encrypts: none of it is ours to save.
    let each = allocations(&mut client, 1_000).div_ceil(1_000);
    assert!(each <= 2, "{each} allocations a round trip");
    drop(client);
    server.join().unwrap();
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
    let authority = Authority::new();
    for (flaw, words) in [
        (Flaw::UnknownAuthority, "UnknownIssuer"),
        (Flaw::WrongName, "not valid for name"),
        (Flaw::SelfSigned, "invalid peer"),
        (Flaw::Expired, "certificate expired"),
    ] {
        let (address, server) = serve_tls(authority.server("localhost", Some(flaw)), |_| ());
        let url = format!("wss://localhost:{}/ws", address.port());
        let tls = tls_config_with(authority.roots()).unwrap();
        let mut client = Client::connect(&url, &[address], &tls);
        assert_eq!(client.hear_end(), LinkDown::Unreachable, "{flaw:?}");
        assert!(client.last_words().contains(words), "{flaw:?}: {}", client.last_words());
        assert_eq!(server.join().unwrap(), None, "{flaw:?}: the server sees no handshake");
    }
    // What the web trusts does not include an authority of ours.
    let (address, server) = serve_tls(authority.server("localhost", None), |_| ());
    let url = format!("wss://localhost:{}/ws", address.port());
    let mut client = Client::connect(&url, &[address], &tls_config().unwrap());
    assert_eq!(client.hear_end(), LinkDown::Unreachable);
    assert!(client.last_words().contains("UnknownIssuer"), "{}", client.last_words());
    assert_eq!(server.join().unwrap(), None);
}

#[test]
fn what_speaks_no_tls_or_stops_in_its_middle_is_refused_and_told_nothing() {
    // Any server's answer to bytes that it does not understand; and the beginning of a TLS record.
    for (answer, words) in [
        (&b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"[..], "corrupt message"),
        (b"\x16\x03\x03\x00\x7a\x02\x00\x00", "peer closed"),
        (b"", "peer closed"),
    ] {
        let (address, server) = serve(move |mut tcp| {
            let mut hello = vec![0; 16 * 1024];
            let read = std::io::Read::read(&mut tcp, &mut hello).unwrap();
            hello.truncate(read);
            tcp.write_all(answer).unwrap();
            tcp.shutdown(std::net::Shutdown::Write).unwrap();
            until_closed(tcp);
            hello
        });
        let url = format!("wss://localhost:{}/ws", address.port());
        let mut client = Client::connect(&url, &[address], &tls_config().unwrap());
        assert_eq!(client.hear_end(), LinkDown::Unreachable, "{answer:?}");
        let told = client.last_words().to_ascii_lowercase();
        assert!(told.contains(words), "{answer:?}: {told}");
        drop(client);
        let heard = server.join().unwrap();
        assert_eq!(heard[..2], [0x16, 0x03], "a TLS hello, and nothing in plain");
        assert!(!heard.windows(4).any(|four| four == b"GET "), "{heard:?}");
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
