//! A client that sends what it is told to, byte by byte, and reads answers strictly.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use crate::harness::{Server, WAIT};

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By name, lower case. A name that comes twice fails the test.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The text of an error, which is JSON.
    pub(crate) fn error(&self) -> String {
        let Value::Object(fields) = self.json() else { panic!("{self:?}") };
        assert_eq!(fields.len(), 1, "{self:?}");
        fields["error"].as_str().expect("a text").to_owned()
    }
}

/// A connection.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(WAIT)).expect("a patience");
    stream.set_write_timeout(Some(WAIT)).expect("a patience");
    stream
}

/// Everything that is answered to `bytes` until the server closes.
pub(crate) fn talk(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    // A server that has heard enough may close before all of it is written.
    let _ = stream.write_all(bytes);
    read_to_end(&mut stream)
}

/// What comes until the server closes, in whatever way it does.
pub(crate) fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let (mut all, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return all,
            Ok(read) => all.extend_from_slice(&chunk[..read]),
            Err(error) => {
                use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
                assert!(matches!(error.kind(), ConnectionReset | ConnectionAborted), "{error}");
                return all;
            }
        }
    }
}

/// All answers in `bytes`, which hold nothing else. With `bodiless` those have no bodies.
pub(crate) fn answers(mut bytes: &[u8], bodiless: bool) -> Vec<Answer> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut headers);
        let parsed = head.parse(bytes).expect("an answer");
        let httparse::Status::Complete(length) = parsed else {
            panic!("half an answer: {}", bytes.escape_ascii())
        };
        let mut by_name = BTreeMap::new();
        for header in head.headers.iter() {
            let value = std::str::from_utf8(header.value).expect("text").to_owned();
            let before = by_name.insert(header.name.to_ascii_lowercase(), value);
            assert_eq!(before, None, "{} twice", header.name);
        }
        let status = head.code.expect("a status");
        let told = by_name.get("content-length").map_or(0, |n| n.parse().expect("a length"));
        let (body, rest) = bytes[length..].split_at(if bodiless { 0 } else { told });
        let body = String::from_utf8(body.to_vec()).expect("UTF-8");
        all.push(Answer { status, headers: by_name, body });
        bytes = rest;
    }
    all
}

/// The one answer to a whole request.
pub(crate) fn ask(address: SocketAddr, request: &str) -> Answer {
    let bytes = talk(address, request.as_bytes());
    let mut all = answers(&bytes, request.starts_with("HEAD "));
    assert_eq!(all.len(), 1, "to {request:?}: {all:?}");
    all.remove(0)
}

/// A request without a body, over a connection of its own.
pub(crate) fn request(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
}

impl Server {
    pub(crate) fn get(&self, path: &str) -> Answer {
        ask(self.address, &request("GET", path, ""))
    }

    /// What `POST /api/control` answers; each of `headers` ends its line.
    pub(crate) fn post(&self, headers: &str, body: &str) -> Answer {
        let length = format!("Content-Length: {}\r\n{headers}", body.len());
        ask(self.address, &(request("POST", "/api/control", &length) + body))
    }
}

/// Says that nothing more will be said.
pub(crate) fn half_close(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).expect("a half-closed connection");
}
