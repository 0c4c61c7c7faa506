//! As much HTTP/1.1 as the venue's two endpoints need. Pure: bytes in, a request or bytes out.

use crate::types::time::{Day, VenueMs};

/// Longest head of a request.
const HEAD_MAX: usize = 8 * 1024;

/// Longest body of a request.
const BODY_MAX: usize = 64 * 1024;

/// Most bytes of one request: what a connection may have waiting to be read.
pub(super) const REQUEST_MAX: usize = HEAD_MAX + BODY_MAX;

/// A whole request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// Whether the body says that it is JSON.
    pub(super) json: bool,
    /// `Sec-WebSocket-Key`, if it asks for an upgrade to WebSocket version 13.
    pub(super) upgrade: Option<String>,
    /// Whether the connection stays open afterwards.
    pub(super) keep: bool,
    pub(super) body: Vec<u8>,
}

/// What the bytes so far are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Parsed {
    /// The beginning of a request.
    Partial,
    /// A request, and how many bytes it took.
    Whole(Request, usize),
    /// No request that is served: the status, after which the connection closes.
    Bad(u16),
}

/// Reads the first request of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; 48];
    let mut head = httparse::Request::new(&mut headers);
    let start = match head.parse(bytes) {
        Ok(httparse::Status::Complete(start)) if start <= HEAD_MAX => start,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_MAX => return Parsed::Partial,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Parsed::Bad(431),
        Err(_) => return Parsed::Bad(400),
    };
    let (Some(method), Some(path)) = (head.method, head.path) else { return Parsed::Bad(400) };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    };
    let holds = |name: &str, word: &str| {
        let mut words = header(name).unwrap_or_default().split(',');
        words.any(|one| one.trim().eq_ignore_ascii_case(word))
    };
    let length = match header("content-length").map(str::parse::<usize>) {
        _ if header("transfer-encoding").is_some() => return Parsed::Bad(411),
        Some(Ok(length)) if length <= BODY_MAX => length,
        Some(Ok(_)) => return Parsed::Bad(413),
        Some(Err(_)) => return Parsed::Bad(400),
        None if method == "POST" => return Parsed::Bad(411),
        None => 0,
    };
    let Some(body) = bytes.get(start..start + length) else { return Parsed::Partial };
    let upgrades = method == "GET"
        && holds("upgrade", "websocket")
        && holds("connection", "upgrade")
        && header("sec-websocket-version") == Some("13");
    let mime = header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    let keep = if head.version == Some(1) {
        !holds("connection", "close")
    } else {
        holds("connection", "keep-alive")
    };
    let request = Request {
        method: method.to_owned(),
        path: path.split('?').next().unwrap_or_default().to_owned(),
        json: mime.trim().eq_ignore_ascii_case("application/json"),
        upgrade: header("sec-websocket-key").filter(|_| upgrades).map(str::to_owned),
        keep,
        body: body.to_vec(),
    };
    Parsed::Whole(request, start + length)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

/// Writes an answer; one with status 200 is JSON. `at` is the venue's time, for its `Date`.
pub(super) fn respond(status: u16, body: &str, keep: bool, at: Option<VenueMs>) -> Vec<u8> {
    let mime = if status == 200 { "application/json" } else { "text/plain; charset=utf-8" };
    let connection = if keep { "keep-alive" } else { "close" };
    let (reason, length) = (reason(status), body.len());
    let date = at.map(|at| format!("Date: {}\r\n", date(at))).unwrap_or_default();
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {mime}\r\nContent-Length: {length}\r\n{date}\
         Connection: {connection}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// As `Date` has it: `Sun, 22 Nov 2026 12:00:00 GMT`.
fn date(at: VenueMs) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = at.0.div_euclid(1_000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = Day(days as i32).civil();
    let weekday = DAYS[days.rem_euclid(7) as usize];
    let month = MONTHS[(month.max(1) - 1) as usize % MONTHS.len()];
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Accepts an upgrade; `key` is the client's.
pub(super) fn switch_protocols(key: &str) -> Vec<u8> {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &str =
        "POST /info HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

    #[test]
    fn an_answer_is_dated_by_the_venues_clock() {
        for (ms, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_795_348_800_999, "Sun, 22 Nov 2026 12:00:00 GMT"),
            (1_835_481_599_000, "Tue, 29 Feb 2028 23:59:59 GMT"),
        ] {
            let bytes = respond(200, "{}", true, Some(VenueMs(ms)));
            let answer = String::from_utf8(bytes).expect("text");
            assert!(answer.contains(&format!("\r\nDate: {text}\r\n")), "{answer}");
        }
    }

    #[test]
    fn a_request_is_read_from_any_cut() {
        for cut in 0..POST.len() {
            assert_eq!(parse(&POST.as_bytes()[..cut]), Parsed::Partial, "{cut}");
        }
        let Parsed::Whole(request, taken) = parse(format!("{POST}POST /in").as_bytes()) else {
            panic!("a whole request is there")
        };
        assert_eq!((taken, request.body.as_slice()), (POST.len(), b"{}".as_slice()));
        assert!(request.json && request.keep && request.upgrade.is_none());
    }

    #[test]
    fn what_is_not_served_is_refused_with_its_status() {
        let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(HEAD_MAX));
        for (text, status) in [
            ("\u{1}\u{2}\r\n\r\n", 400),
            ("POST /info HTTP/1.1\r\n\r\n", 411),
            ("POST /info HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
            ("POST /info HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            ("POST /info HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413),
            (long.as_str(), 431),
            (&"x".repeat(HEAD_MAX), 431),
            (&format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(100)), 431),
        ] {
            assert_eq!(parse(text.as_bytes()), Parsed::Bad(status), "{text:.60}");
        }
    }
}
