//! Who may ask what: token, `Host`, `Origin`, and the headers that every answer carries.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Version};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What may do something: whoever knows it. Wiped when dropped, never shown.
pub struct Token(Zeroizing<String>);

/// Why a text is no token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "expected one line of {} to {} printable characters without blanks",
    Token::LEAST,
    Token::MOST
)]
pub struct NoToken;

impl Token {
    /// A shorter one can be guessed.
    pub const LEAST: usize = 16;
    /// A longer one is something else.
    pub const MOST: usize = 512;

    /// A token of this text, blanks around it dropped.
    pub fn new(text: &str) -> Result<Self, NoToken> {
        let text = text.trim_ascii();
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        let fits = (Self::LEAST..=Self::MOST).contains(&text.len());
        (printable && fits).then(|| Self(Zeroizing::new(text.to_owned()))).ok_or(NoToken)
    }

    /// Whether this is it, in a time that does not tell how much of it is right.
    fn is(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// How the WebSocket of a page carries the token, since scripts cannot set its headers.
const BEARER_PROTOCOL: &str = "bearer.";
/// What the server speaks on `/ws`.
pub(super) const PROTOCOL: &str = "hip3";

/// Why a request is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// No token, or not this one.
    Token,
    /// The `Host` is none of ours: somebody's name was made to point here.
    Host,
    /// The page that asks was not served by us.
    Origin,
}

/// The rules.
#[derive(Debug)]
pub(super) struct Guard {
    token: Option<Token>,
    /// Whether only this machine can reach us.
    local: bool,
}

impl Guard {
    pub(super) fn new(bind: SocketAddr, token: Option<Token>) -> Self {
        Self { token, local: bind.ip().is_loopback() }
    }

    /// Whether anything can be allowed that needs one.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether a request may be answered at all: on loopback the `Host` has to be a name of it, or a
    /// stranger's page could reach us by a name of its own that points to 127.0.0.1. Only a
    /// [probe](is_bare_probe) may leave it out.
    pub(super) fn may_ask<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        let by_our_name = || host(request.headers()).is_some_and(|host| is_loopback(host.host()));
        if !self.local || by_our_name() || is_bare_probe(request) {
            return Ok(());
        }
        Err(Refusal::Host)
    }

    /// Whether the answer may tell of the account: on loopback everybody, else who knows the token.
    pub(super) fn may_read(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.local { Ok(()) } else { self.knows_token(headers) }
    }

    /// Whether the engine may be told something.
    pub(super) fn may_control(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        same_origin(headers)?;
        self.knows_token(headers)
    }

    /// Whether a socket may be opened.
    pub(super) fn may_listen(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        same_origin(headers)?;
        self.may_read(headers)
    }

    fn knows_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let token = self.token.as_ref().ok_or(Refusal::Token)?;
        let by_header = headers
            .get_all(AUTHORIZATION)
            .iter()
            .filter_map(|value| strip_scheme(value.as_bytes()))
            .any(|given| token.is(given));
        let known = by_header || by_protocol(headers).is_some_and(|given| token.is(&given));
        if known { Ok(()) } else { Err(Refusal::Token) }
    }
}

/// What tells whether the process is well, and nothing else.
const PROBED: [&str; 2] = ["/healthz", "/readyz"];

/// Whether a load balancer or monitor asks for health by HTTP/1.0, which knows no `Host`. No browser
/// speaks it, so that no page can have sent it.
fn is_bare_probe<B>(request: &Request<B>) -> bool {
    let uri = request.uri();
    request.version() == Version::HTTP_10
        && [Method::GET, Method::HEAD].contains(request.method())
        && uri.authority().is_none()
        && PROBED.contains(&uri.path())
        && ![HOST, ORIGIN].iter().any(|name| request.headers().contains_key(name))
}

/// What follows `Bearer`, in any case.
fn strip_scheme(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(rest)
}

/// The token among the protocols that a WebSocket offers: base64url, without padding.
fn by_protocol(headers: &HeaderMap) -> Option<Zeroizing<Vec<u8>>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let offered = headers.get(axum::http::header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let bearer = offered.split(',').find_map(|name| name.trim().strip_prefix(BEARER_PROTOCOL))?;
    URL_SAFE_NO_PAD.decode(bearer).ok().map(Zeroizing::new)
}

fn host(headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, None) = (hosts.next()?, hosts.next()) else { return None };
    Authority::try_from(host.as_bytes()).ok()
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A page says where it came from; what is no page says nothing. It came from us if its host and port
/// are those that it asks.
fn same_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(()) };
    let mut ours = || {
        let origin = origin.to_str().ok()?;
        // Behind a proxy that ends TLS the page came by https, and we are asked by http.
        let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))?;
        Some(origins.next().is_none() && rest.eq_ignore_ascii_case(host(headers)?.as_str()))
    };
    if ours() == Some(true) { Ok(()) } else { Err(Refusal::Origin) }
}

/// What every answer carries: nothing comes from elsewhere, nothing is kept, nobody frames it.
pub(super) const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A token made now.
    fn fresh() -> String {
        use std::hash::{BuildHasher, Hasher, RandomState};
        let half = || RandomState::new().build_hasher().finish();
        format!("{:016x}{:016x}", half(), half())
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        pairs.iter().map(pair).collect()
    }

    fn request(pairs: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::new(());
        *request.headers_mut() = headers(pairs);
        request
    }

    fn guard(bind: &str, token: Option<&str>) -> Guard {
        let token = token.map(|text| Token::new(text).expect("a token"));
        Guard::new(bind.parse().expect("an address"), token)
    }

    #[test]
    fn a_token_is_one_line_of_enough_characters_and_is_never_shown() {
        let text = fresh();
        assert!(Token::new(&format!("  {text}\n")).expect("a token").is(text.as_bytes()));
        for wrong in [
            "",
            "short",
            "with a blank in it",
            "0123456789abcde",
            "0123456789abcdef\0",
            "ä0123456789abcdef",
        ] {
            assert_eq!(Token::new(wrong).err(), Some(NoToken), "{wrong:?}");
        }
        assert_eq!(Token::new(&"x".repeat(Token::MOST + 1)).err(), Some(NoToken));
        let shown = format!("{:?}", guard("127.0.0.1:1", Some(&text)));
        assert!(!shown.contains(&text), "{shown}");
    }

    #[test]
    fn control_asks_for_the_token_everywhere_and_reading_off_loopback() {
        let text = fresh();
        let bearer = format!("Bearer {text}");
        let with = headers(&[("host", "localhost:8080"), ("authorization", &bearer)]);
        let without = headers(&[("host", "localhost:8080")]);
        let wrong = headers(&[("host", "localhost"), ("authorization", "Bearer 0123456789abcdef")]);
        let half = headers(&[("host", "localhost"), ("authorization", &bearer[..20])]);
        for (bind, reads) in [("127.0.0.1:8080", true), ("[::1]:1", true), ("10.0.0.1:8080", false)]
        {
            let guard = guard(bind, Some(&text));
            assert_eq!(guard.may_control(&with), Ok(()));
            assert_eq!(guard.may_read(&with), Ok(()));
            for headers in [&without, &wrong, &half] {
                assert_eq!(guard.may_control(headers), Err(Refusal::Token), "{bind}");
                assert_eq!(guard.may_read(headers).is_ok(), reads, "{bind}");
            }
        }
        // Without a token of our own none is right, and least of all an empty one.
        let none = guard("127.0.0.1:8080", None);
        for headers in [&with, &without, &headers(&[("authorization", "Bearer ")])] {
            assert_eq!(none.may_control(headers), Err(Refusal::Token));
        }
    }

    #[test]
    fn a_socket_carries_the_token_as_a_protocol() {
        use base64::Engine as _;
        let text = fresh();
        let coded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&text);
        let guard = guard("0.0.0.0:8080", Some(&text));
        let listen = |protocols: &str| {
            guard.may_listen(&headers(&[
                ("host", "box:8080"),
                ("sec-websocket-protocol", protocols),
            ]))
        };
        assert_eq!(listen(&format!("hip3, bearer.{coded}")), Ok(()));
        for wrong in ["hip3", "hip3, bearer.", "hip3, bearer.!!!", &format!("hip3, bearer.{text}")]
        {
            assert_eq!(listen(wrong), Err(Refusal::Token), "{wrong}");
        }
    }

    #[test]
    fn on_loopback_only_names_of_it_are_asked() {
        let local = guard("127.0.0.1:8080", None);
        let may_ask = |pairs: &[(&'static str, &str)]| local.may_ask(&request(pairs));
        for host in ["localhost", "LOCALHOST:9000", "127.0.0.1:8080", "127.1.2.3", "[::1]:80"] {
            assert_eq!(may_ask(&[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "example.org",
            "localhost.example.org",
            "10.0.0.1",
            "127.0.0.1.example.org",
            "[::2]",
            "",
        ] {
            assert_eq!(may_ask(&[("host", host)]), Err(Refusal::Host), "{host}");
        }
        assert_eq!(may_ask(&[]), Err(Refusal::Host));
        let two = [("host", "localhost"), ("host", "example.org")];
        assert_eq!(may_ask(&two), Err(Refusal::Host));
        assert_eq!(guard("0.0.0.0:1", None).may_ask(&request(&[("host", "box")])), Ok(()));
    }

    /// C4: health is told by HTTP/1.0 without `Host`, and nothing else is.
    #[test]
    fn only_health_is_told_to_who_names_no_host_and_only_by_http_1_0() {
        let local = guard("127.0.0.1:8080", None);
        let asked = |method: Method, uri: &'static str, version, pairs: &[(&'static str, &str)]| {
            let mut request = request(pairs);
            *request.method_mut() = method;
            *request.uri_mut() = uri.parse().expect("a target");
            *request.version_mut() = version;
            local.may_ask(&request).is_ok()
        };
        for path in PROBED {
            assert!(asked(Method::GET, path, Version::HTTP_10, &[]), "{path}");
            assert!(asked(Method::HEAD, path, Version::HTTP_10, &[]), "{path}");
            assert!(!asked(Method::GET, path, Version::HTTP_11, &[]), "{path}");
            assert!(!asked(Method::OPTIONS, path, Version::HTTP_10, &[]), "{path}");
            assert!(!asked(Method::POST, path, Version::HTTP_10, &[]), "{path}");
            for host in ["example.org", ""] {
                assert!(!asked(Method::GET, path, Version::HTTP_10, &[("host", host)]), "{host}");
            }
            let origin = [("origin", "https://example.org")];
            assert!(!asked(Method::GET, path, Version::HTTP_10, &origin), "{path}");
        }
        assert!(!asked(Method::GET, "http://example.org/healthz", Version::HTTP_10, &[]));
        for path in ["/", "/metrics", "/api/snapshot", "/healthz/", "/ws", "/%68ealthz"] {
            assert!(!asked(Method::GET, path, Version::HTTP_10, &[]), "{path}");
        }
    }

    #[test]
    fn a_page_of_another_origin_opens_no_socket() {
        let local = guard("127.0.0.1:8080", None);
        let listen = |origin: &str| {
            local.may_listen(&headers(&[("host", "localhost:8080"), ("origin", origin)]))
        };
        assert_eq!(listen("http://localhost:8080"), Ok(()));
        assert_eq!(listen("https://localhost:8080"), Ok(()), "a proxy in between");
        for foreign in [
            "http://localhost:8081",
            "http://localhost",
            "http://127.0.0.1:8080",
            "https://example.org",
            "null",
            "",
            "localhost:8080",
            "http://localhost:8080.example.org",
            "file://",
        ] {
            assert_eq!(listen(foreign), Err(Refusal::Origin), "{foreign}");
        }
        assert_eq!(local.may_listen(&headers(&[("host", "localhost:8080")])), Ok(()), "no page");
        let two = [("host", "a:1"), ("origin", "http://a:1"), ("origin", "http://b:1")];
        assert_eq!(local.may_listen(&headers(&two)), Err(Refusal::Origin));
    }
}
