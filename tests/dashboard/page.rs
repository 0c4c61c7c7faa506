//! The page: every file, with its type and the headers that all answers carry.

use std::fs;
use std::path::Path;

use crate::harness::Server;
use crate::http::{Answer, ask, request};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What every answer carries, whatever it says.
pub(crate) fn carries_the_headers(answer: &Answer) {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.headers.get(name).map(String::as_str), Some(value), "{answer:?}");
    }
    let foreign = ["access-control-allow-origin", "server", "x-powered-by"];
    assert!(!foreign.iter().any(|name| answer.headers.contains_key(*name)), "{answer:?}");
}

#[test]
fn every_file_of_the_page_is_served_as_it_is() {
    let server = Server::observing();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dashboard/page");
    let mut kinds = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let asked = if name == "index.html" { "/".to_owned() } else { format!("/{name}") };
        let answer = server.get(&asked);
        assert_eq!(answer.status, 200, "{asked}");
        assert_eq!(answer.body, fs::read_to_string(&path).expect("text"), "{asked}");
        let kind = match path.extension().and_then(|kind| kind.to_str()) {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            other => panic!("{other:?}"),
        };
        assert_eq!(answer.headers["content-type"], kind, "{asked}");
        carries_the_headers(&answer);
        kinds.push(kind);
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 4, "each kind was there: {kinds:?}");
    server.end();
}

#[test]
fn nothing_else_lies_there() {
    let server = Server::observing();
    for path in [
        "/index.html",
        "/../Cargo.toml",
        "/../../etc/passwd",
        "/%2e%2e/Cargo.toml",
        "/..%2fCargo.toml",
        "/app.js/",
        "//app.js",
        "/app.js/../style.css",
        "/APP.JS",
        "/app.js%00",
        "/api",
        "/api/",
        "/api/snapshot/",
        "/favicon.ico",
        "/?a/../../b/..",
        "/ws/",
    ] {
        let answer = server.get(path);
        if path.starts_with("/?") {
            assert_eq!(answer.status, 200, "a query does not name a file");
            continue;
        }
        assert_eq!((answer.status, answer.error().as_str()), (404, "no such page"), "{path}");
        carries_the_headers(&answer);
    }
    server.end();
}

#[test]
fn heads_are_told_and_other_methods_are_not() {
    let server = Server::observing();
    let whole = server.get("/app.js");
    let head = ask(server.address, &request("HEAD", "/app.js", ""));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.headers["content-length"], whole.body.len().to_string());
    carries_the_headers(&head);
    for method in ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "POST", "BREW"] {
        for path in ["/", "/app.js", "/api/snapshot", "/metrics", "/healthz"] {
            let answer = ask(server.address, &request(method, path, ""));
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.error(), "not by this method");
            carries_the_headers(&answer);
        }
    }
    for method in ["GET", "HEAD", "PUT", "OPTIONS"] {
        let answer = ask(server.address, &request(method, "/api/control", ""));
        assert_eq!(answer.status, 405, "{method}");
    }
    server.end();
}
