//! Where the venue's socket is: the URL, checked, and its addresses.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use rustls::pki_types::ServerName;
use tungstenite::http::Uri;

/// Why a URL is no endpoint. Reads `"ws://example.com/ws": expected …`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{url}\": expected {expected}")]
pub struct EndpointError {
    url: String,
    expected: &'static str,
}

/// A WebSocket endpoint: `wss://` to anywhere, `ws://` to this machine alone.
///
/// Why: market data and orders over plain TCP can be read and changed by anyone on the way. On
/// loopback there is no way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// A name, or an address without brackets.
    host: String,
    port: u16,
    /// Path and query, begins with `/`.
    path: String,
    tls: bool,
}

impl Endpoint {
    /// From a URL: `wss://host[:port]/path`, or `ws://` with `127.0.0.0/8`, `[::1]` or `localhost`.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        let refuse =
            |expected| Err(EndpointError { url: url.escape_debug().to_string(), expected });
        // A URI's fragment never reaches a server, so one in a config is a mistake.
        let (Ok(uri), false) = (url.parse::<Uri>(), url.contains('#')) else {
            return refuse("a URL such as wss://api.hyperliquid.xyz/ws");
        };
        let tls = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            _ => return refuse("a URL that begins with wss://, or ws:// to this machine"),
        };
        let Some(authority) = uri.authority() else {
            return refuse("a URL with a host");
        };
        if authority.as_str().contains('@') {
            return refuse("a URL without user or password");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if ServerName::try_from(host).is_err() {
            return refuse("a URL with a valid host name or address");
        }
        // `port_u16` is `None` for a port that is no port as well.
        let port = match (uri.port_u16(), authority.as_str().len() == authority.host().len()) {
            (Some(port), _) if port > 0 => port,
            (None, true) => default_port(tls),
            _ => return refuse("a port in 1..=65535"),
        };
        if !tls && !names_this_machine(host) {
            return refuse(
                "wss://, or ws:// to this machine (127.0.0.0/8, [::1] or localhost): \
                 plain ws can be read and changed by anyone on the way",
            );
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host: host.to_owned(), port, path, tls })
    }

    /// Name or address of the host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it speaks TLS.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// Whether a connection to `address` is allowed: without TLS only on this machine.
    pub(super) fn allows(&self, address: SocketAddr) -> bool {
        self.tls || address.ip().is_loopback()
    }

    /// As certificates name it.
    pub(super) fn server_name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.host.clone()).ok()
    }
}

/// As a URL.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "wss://" } else { "ws://" })?;
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if self.port != default_port(self.tls) {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

/// The addresses of `endpoint`, without repeats, in the resolver's order.
///
/// Blocks as long as the resolver likes: for a cold thread. Errors: what the resolver says,
/// `NotFound` when it knows no address, `PermissionDenied` when a plain endpoint is not on this
/// machine (a hosts file can make `localhost` anything).
pub fn resolve(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for address in (endpoint.host.as_str(), endpoint.port).to_socket_addrs()? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    check(endpoint, &addresses)?;
    Ok(addresses)
}

fn check(endpoint: &Endpoint, addresses: &[SocketAddr]) -> io::Result<()> {
    if addresses.is_empty() {
        let why = format!("{} has no address", endpoint.host);
        return Err(io::Error::new(io::ErrorKind::NotFound, why));
    }
    if let Some(foreign) = addresses.iter().find(|address| !endpoint.allows(**address)) {
        let why = format!(
            "{endpoint} resolves to {}, which is not this machine: plain ws is for loopback only",
            foreign.ip()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(())
}

const fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

fn names_this_machine(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_come_back_as_they_were() {
        for url in [
            "wss://api.hyperliquid.xyz/ws",
            "wss://api.hyperliquid.xyz:8443/ws?a=b",
            "ws://127.0.0.1:9000/ws",
            "ws://127.9.9.9/ws",
            "ws://[::1]:9000/ws",
            "ws://localhost:9000/ws",
            "ws://LOCALHOST/",
            "wss://192.0.2.1/ws",
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().to_string(), url);
        }
        assert_eq!(Endpoint::parse("wss://example.com").unwrap().to_string(), "wss://example.com/");
        let plain = Endpoint::parse("ws://[::1]/ws").unwrap();
        assert_eq!((plain.host(), plain.port(), plain.tls()), ("::1", 80, false));
        assert_eq!(Endpoint::parse("wss://example.com/ws").unwrap().port(), 443);
    }

    #[test]
    fn plain_ws_is_for_this_machine_only() {
        for url in [
            "ws://api.hyperliquid.xyz/ws",
            "ws://192.168.0.1/ws",
            "ws://0.0.0.0/ws",
            "ws://[::ffff:127.0.0.1]/ws",
            "ws://localhost.example.com/ws",
            "ws://128.0.0.1/ws",
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(error.contains(url) && error.contains("ws:// to this machine"), "{error}");
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_reason() {
        for (url, reason) in [
            ("", "a URL such as"),
            ("api.hyperliquid.xyz", "begins with wss://"),
            ("https://api.hyperliquid.xyz/ws", "begins with wss://"),
            ("WSS//x", "a URL such as"),
            ("wss:///ws", "a URL such as"),
            ("wss://user:secret@example.com/ws", "without user"),
            ("wss://example.com:0/ws", "a port"),
            ("wss://example.com:65536/ws", "a"),
            ("wss://example.com/ws#part", "a URL such as"),
            ("wss://exa mple.com/ws", "a URL such as"),
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(error.contains(reason), "{url:?}: {error}");
        }
    }

    #[test]
    fn a_plain_name_that_leads_elsewhere_is_refused() {
        let endpoint = Endpoint::parse("ws://localhost:9000/ws").unwrap();
        let home: SocketAddr = "127.0.0.1:9000".parse().unwrap();
        let away: SocketAddr = "192.0.2.7:9000".parse().unwrap();
        assert!(check(&endpoint, &[home]).is_ok());
        let error = check(&endpoint, &[home, away]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("192.0.2.7"), "{error}");
        assert_eq!(check(&endpoint, &[]).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn addresses_need_no_resolver() {
        let endpoint = Endpoint::parse("ws://127.0.0.1:9000/ws").unwrap();
        assert_eq!(resolve(&endpoint).unwrap(), ["127.0.0.1:9000".parse().unwrap()]);
    }
}
