//! The same over TLS, with certificates good and bad.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use hip3::runtime::link::{MAX_MESSAGE, tls_config, tls_config_with};
use hip3::types::event::LinkDown;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tungstenite::{Message, WebSocket};

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
