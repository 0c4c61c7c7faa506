//! The dashboard's connections: whatever a client says, it ends, and only the token opens anything.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hip3::dashboard::{Facts, Patience, Rehearsal, Token, read_command, rehearse};
use hip3::types::event::OperatorCommand;
use hip3::types::hard_stop::StopReason;
use hip3::types::record::Mode;
use hip3::types::snapshot::Snapshot;
use hip3::types::time::Nanos;
use serde_json::Value;

/// What opens the server here.
const TOKEN: &str = "made-for-fuzzing";
/// As a page's socket carries it.
const CODED: &str = "bearer.bWFkZS1mb3ItZnV6emluZw";

/// No answer is longer: the largest is a file of the page.
const MOST_ANSWER: usize = 128 * 1024;

/// `input` is three things in turn: a body that may be a command; a whole connection; and, as lines,
/// the values of `Host`, `Origin`, `Authorization` and `Sec-WebSocket-Protocol`.
pub fn run(input: &[u8]) {
    command(input);
    for bind in [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED] {
        connection(bind.into(), input);
    }
    let mut lines = input.split(|byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let asked = Asked { host: next(), origin: next(), authorization: next(), protocol: next() };
    if input.contains(&b'\n') && asked.can_be_sent() {
        asked.of_this_machine();
        asked.of_others();
    }
}

/// Against a reading as a tree, which knows no field by name.
fn command(body: &[u8]) {
    let read = read_command(body).ok().map(|(command, _)| command);
    let tree = serde_json::from_slice(body).ok().and_then(|tree: Value| command_of(&tree));
    if read == tree {
        return;
    }
    // A tree keeps the last of two fields of one name; here they are refused.
    let quotes = body.iter().filter(|byte| **byte == b'"').count();
    assert!(read.is_none() && quotes > 4, "{read:?} {tree:?} {}", body.escape_ascii());
    let twice = ["action", "reason"].iter().any(|name| twice(body, name));
    assert!(twice || body.contains(&b'\\'), "{tree:?} {}", body.escape_ascii());
}

fn twice(body: &[u8], name: &str) -> bool {
    body.windows(name.len()).filter(|text| *text == name.as_bytes()).count() > 1
}

fn command_of(tree: &Value) -> Option<OperatorCommand> {
    let fields = tree.as_object()?;
    if fields.keys().any(|name| name != "action" && name != "reason") {
        return None;
    }
    let reason = match fields.get("reason") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => {
            let same = |reason: &&StopReason| reason.name().eq_ignore_ascii_case(name);
            Some(*StopReason::ALL.iter().find(same)?)
        }
        Some(_) => return None,
    };
    match (fields.get("action")?.as_str()?, reason) {
        ("halt", None) => Some(OperatorCommand::Halt),
        ("flatten", None) => Some(OperatorCommand::Flatten),
        ("release", reason) => Some(OperatorCommand::Release(reason)),
        _ => None,
    }
}

fn tried(ip: IpAddr, input: &[u8]) -> Rehearsal {
    let facts = Facts {
        mode: Mode::Trading,
        version: "0".to_owned(),
        run_id: "0".to_owned(),
        exit_reserve: 0,
        update_interval: Nanos::from_millis(100),
        frame_patience: Nanos::from_secs(1),
        max_pages: 2,
        patience: Patience::default(),
    };
    let token = Token::new(TOKEN).expect("a token");
    let bind = SocketAddr::new(ip, 8080);
    let rehearsal = rehearse(bind, Some(token), facts, &Snapshot::default(), input);
    rehearsal.expect("a runtime")
}

/// Any bytes at all: the connection ends, its answers are bounded, and without the token in the bytes
/// nothing is asked of the engine. The token is never said back.
fn connection(ip: IpAddr, input: &[u8]) {
    let Rehearsal { answer, commands, ended } = tried(ip, input);
    assert!(ended);
    let ends = input.windows(2).filter(|bytes| *bytes == b"\n\n" || *bytes == b"\n\r").count();
    assert!(answer.len() <= (ends + 1) * MOST_ANSWER, "{} bytes to {ends} heads", answer.len());
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{}", answer.escape_ascii());
    assert!(!holds(&answer, TOKEN) && !holds(&answer, CODED), "{}", answer.escape_ascii());
    let known = holds(input, TOKEN) || holds(input, CODED);
    // Who names no host hears at most of health.
    let is_unnamed = ip.is_loopback() && !holds(&input.to_ascii_lowercase(), "host");
    let tells =
        holds(&answer, "timestamp_ms") || holds(&answer, "hip3_") || holds(&answer, "<html");
    assert!(!is_unnamed || !tells, "{}", answer.escape_ascii());
    assert!(known || commands.is_empty(), "{commands:?} of {}", input.escape_ascii());
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// What a request says of itself.
#[derive(Clone, Copy)]
struct Asked<'a> {
    host: &'a [u8],
    origin: &'a [u8],
    authorization: &'a [u8],
    protocol: &'a [u8],
}

impl Asked<'_> {
    /// Whether these are values of headers, of a length that is read.
    fn can_be_sent(self) -> bool {
        let all = [self.host, self.origin, self.authorization, self.protocol].concat();
        all.len() < 8_000 && all.iter().all(|byte| *byte == b'\t' || (*byte >= 32 && *byte != 127))
    }

    /// The status of the answer, and what was asked of the engine.
    fn ask(self, ip: IpAddr, line: &str, more: &str) -> (u16, Vec<OperatorCommand>) {
        let mut input = format!("{line} HTTP/1.1\r\nHost: ").into_bytes();
        for (value, name) in [
            (self.host, "Authorization: "),
            (self.authorization, "Sec-WebSocket-Protocol: "),
            (self.protocol, ""),
        ] {
            input.extend_from_slice(value);
            input.extend_from_slice(b"\r\n");
            input.extend_from_slice(name.as_bytes());
        }
        if !self.origin.is_empty() {
            let origin = [b"Origin: ".as_slice(), self.origin, b"\r\n"].concat();
            input.extend_from_slice(&origin);
        }
        input.extend_from_slice(more.as_bytes());
        let tried = tried(ip, &input);
        assert!(tried.ended);
        let status = std::str::from_utf8(&tried.answer[9..12]).expect("a status");
        (status.parse().expect("a status"), tried.commands)
    }

    fn control(self, ip: IpAddr) -> bool {
        let body = r#"{"action":"halt"}"#;
        let more = format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let (status, commands) = self.ask(ip, "POST /api/control", &more);
        assert_eq!(commands == [OperatorCommand::Halt], status == 202, "{status}");
        assert_eq!(commands.len(), usize::from(status == 202));
        status == 202
    }

    fn open(self, ip: IpAddr) -> bool {
        let more = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        self.ask(ip, "GET /ws", more).0 == 101
    }

    fn read(self, ip: IpAddr) -> bool {
        self.ask(ip, "GET /api/snapshot", "\r\n").0 == 200
    }

    /// Reading is free for whoever calls us by a name of this machine.
    fn of_this_machine(self) {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let ours = self.is_local_name();
        assert!(ours || !self.read(ip), "{}", self.host.escape_ascii());
        assert!(!self.open(ip) || (ours && self.is_same_origin()));
        assert!(!self.control(ip) || (ours && self.is_same_origin() && self.knows()));
    }

    /// From elsewhere nothing is free.
    fn of_others(self) {
        let ip = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let (knows, same) = (self.knows(), self.is_same_origin());
        assert_eq!(self.read(ip), knows);
        assert!(!self.open(ip) || (knows && same));
        assert!(!self.control(ip) || (knows && same));
        // Where nothing says otherwise it is let in.
        if self.origin.is_empty() {
            assert_eq!((self.open(ip), self.control(ip)), (knows, knows));
        }
    }

    fn knows(self) -> bool {
        let bare = self.authorization.trim_ascii();
        let by_header = bare.len() == 7 + TOKEN.len()
            && bare[..7].eq_ignore_ascii_case(b"bearer ")
            && &bare[7..] == TOKEN.as_bytes();
        let plain = self.protocol.iter().all(|byte| byte.is_ascii());
        let mut offered = self.protocol.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let first = offered.find(|name| name.starts_with(b"bearer."));
        by_header || (plain && first == Some(CODED.as_bytes()))
    }

    fn is_same_origin(self) -> bool {
        let origin = self.origin.trim_ascii();
        let rest = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
        self.origin.is_empty()
            || rest.is_some_and(|rest| rest.eq_ignore_ascii_case(self.host.trim_ascii()))
    }

    /// Whether the host, without whom and without port, is this machine.
    fn is_local_name(self) -> bool {
        let Ok(host) = std::str::from_utf8(self.host.trim_ascii()) else { return false };
        let host = host.rsplit('@').next().unwrap_or_default();
        if let Some(rest) = host.strip_prefix('[') {
            let bare = rest.split(']').next().unwrap_or_default();
            return bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        }
        let bare = host.split(':').next().unwrap_or_default();
        bare.eq_ignore_ascii_case("localhost")
            || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }
}
