//! The house follows the data's way, and this test reads the source to see that it does: which room
//! imports which, where a foreign crate may be named, and what the pure stages never touch.
//!
//! A violation reads `src/feed/market.rs:7: layers: feed must not see crate::engine`.

mod layers {
    pub(crate) mod source;
}

use std::fs;
use std::path::Path as FilePath;

use layers::source::{Path, Token, paths, tokens};

/// What a room may see of the others, beside itself.
const ROOMS: [(&str, &[&str]); 18] = [
    ("types", &[]),
    // The stages, in the data's way. `risk`, `detector` and `position` are siblings and do not see
    // each other.
    ("feed", &["types"]),
    ("risk", &["types", "feed"]),
    ("detector", &["types", "feed"]),
    ("position", &["types", "feed"]),
    ("executor", &["types", "feed", "position"]),
    ("engine", &["types", "feed", "risk", "detector", "position", "executor"]),
    // Cold rooms.
    ("account", &["types"]),
    ("alerts", &["types"]),
    ("dashboard", &["types"]),
    ("persistence", &["types"]),
    ("telemetry", &["types"]),
    // What is made of the records: rows come in as values, figures go out.
    ("report", &["types"]),
    // The other side of the wire shares nothing with ours but the words.
    ("venue", &["types"]),
    (
        "runtime",
        &[
            "types",
            "feed",
            "executor",
            "engine",
            "account",
            "alerts",
            "dashboard",
            "persistence",
            "telemetry",
        ],
    ),
    // The one room that drives both sides of the wire.
    ("simulation", &["types", "executor", "engine", "account", "persistence", "venue", "runtime"]),
    (
        "command",
        &[
            "types",
            "feed",
            "risk",
            "detector",
            "position",
            "executor",
            "engine",
            "account",
            "alerts",
            "persistence",
            "telemetry",
            "venue",
            "runtime",
            "report",
            "simulation",
        ],
    ),
    ("main", &["command"]),
];

/// Crates that only these places may name. A place is a room, a folder or a file, without `.rs`.
const CRATES: [(&str, &[&str]); 35] = [
    // No longer developed: to replace it must touch one file.
    ("arrow2", &["persistence/parquet"]),
    ("parquet_format_safe", &["persistence/parquet"]),
    // The venue reads and writes JSON by other means, so that two readers check each other.
    ("simd_json", &["feed/message"]),
    ("tungstenite", &["runtime/link", "venue/tcp"]),
    ("mio", &["runtime", "venue/tcp"]),
    ("rustls", &["runtime", "venue/tcp", "command/demo"]),
    ("webpki_roots", &["runtime/link"]),
    ("ureq", &["account", "alerts/post"]),
    ("quanta", &["runtime/os"]),
    ("core_affinity", &["runtime/os"]),
    ("signal_hook", &["runtime/os"]),
    ("sd_notify", &["runtime/os"]),
    ("socket2", &["runtime/link"]),
    ("crossbeam_queue", &["runtime/ring"]),
    (
        "hdrhistogram",
        &["runtime/meter", "telemetry/dumps", "command/latency", "command/replay/fill"],
    ),
    ("zstd", &["runtime/capture"]),
    ("rustix", &["persistence", "runtime/os"]),
    ("secp256k1", &["executor/signer"]),
    ("sha3", &["executor/signer", "venue"]),
    ("zeroize", &["executor/signer", "runtime/os", "alerts/address", "dashboard/guard"]),
    ("getrandom", &["runtime"]),
    // The venue checks our signatures and our packing by other means than those that made them.
    ("k256", &["venue"]),
    ("rmp_serde", &["venue"]),
    // One asynchronous corner, on a thread of its own.
    ("tokio", &["dashboard"]),
    ("axum", &["dashboard"]),
    ("hyper", &["dashboard/serve"]),
    ("hyper_util", &["dashboard/serve"]),
    ("prometheus_client", &["dashboard/metrics"]),
    ("base64", &["dashboard/guard", "telemetry/dumps", "command/report/packed"]),
    // A page that is mostly figures is packed, as browsers can unpack it by themselves.
    ("flate2", &["command/report/packed"]),
    ("subtle", &["dashboard/guard"]),
    ("tracing_subscriber", &["telemetry"]),
    ("clap", &["command"]),
    // Time zones, for people: nothing that decides knows any.
    ("jiff", &["report/sessions"]),
    // For the script that it embeds, which draws the plots of a page.
    ("plotly", &["command/report/page"]),
];

/// Rooms without clock, thread, socket or file: what they know comes in as an argument.
const PURE: [&str; 9] =
    ["types", "feed", "risk", "detector", "position", "executor", "engine", "simulation", "report"];

/// Rooms that decide: no floating point, and no order that chance decides over.
const DECIDING: [&str; 6] = ["feed", "risk", "detector", "position", "executor", "engine"];

/// Ways out of a pure room.
const OUTSIDE: [&str; 7] = ["fs", "net", "thread", "process", "env", "io", "*"];

/// What a rule lets pass, and why.
struct Exception {
    rule: &'static str,
    place: &'static str,
    what: &'static str,
    why: &'static str,
}

const EXCEPTIONS: [Exception; 11] = [
    Exception {
        rule: "pure",
        place: "types/config/read",
        what: "std::fs",
        why: "the one place that opens the config file",
    },
    Exception { rule: "pure", place: "types/config/read", what: "std::io", why: "how that fails" },
    Exception {
        rule: "pure",
        place: "types/config",
        what: "std::net",
        why: "addresses as values: nothing is opened",
    },
    Exception {
        rule: "pure",
        place: "simulation",
        what: "std::fs",
        why: "it makes and removes the directory of a run",
    },
    Exception { rule: "pure", place: "simulation", what: "std::io", why: "how that fails" },
    Exception {
        rule: "pure",
        place: "simulation/disk",
        what: "std::fs",
        why: "the store's disk hands out real files",
    },
    Exception {
        rule: "pure",
        place: "simulation/disk",
        what: "std::io",
        why: "how the simulated disk refuses",
    },
    Exception {
        rule: "pure",
        place: "simulation/line",
        what: "std::io",
        why: "a pipe is read and written like a socket",
    },
    Exception {
        rule: "pure",
        place: "simulation/digest",
        what: "std::io",
        why: "rows are written into it as JSON",
    },
    Exception {
        rule: "pure",
        place: "simulation/trace",
        what: "std::fs",
        why: "the trace is a file",
    },
    Exception { rule: "pure", place: "simulation/trace", what: "std::io", why: "and written" },
];

impl Exception {
    fn covers(&self, place: &str, finding: &Finding) -> bool {
        self.rule == finding.rule && self.what == finding.what && within(place, &[self.place])
    }
}

/// A rule that was broken.
#[derive(Debug)]
struct Finding {
    line: usize,
    rule: &'static str,
    /// What broke it, for the exceptions.
    what: String,
    text: String,
}

/// Where a file lies below `src`, without `.rs`: `feed/market`; a folder's own file is the folder.
fn place_of(file: &str) -> &str {
    file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod")
}

/// Whether `place` is one of `places`, or lies below one.
fn within(place: &str, places: &[&str]) -> bool {
    places.iter().any(|other| {
        place.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// What the text of `file` does against the rules, exceptions among it.
fn findings(file: &str, text: &str) -> Vec<Finding> {
    let place = place_of(file);
    let room = place.split('/').next().unwrap_or_default();
    let tokens = tokens(text);
    let mut found = Vec::new();
    for path in paths(&tokens) {
        found.extend(wrong_way(room, place, &path));
        found.extend(out_of_corner(place, &path));
        if PURE.contains(&room) {
            found.extend(reaches_outside(&path));
        }
    }
    if DECIDING.contains(&room) && !place.split('/').any(|part| part == "tests") {
        let shipped = tokens.iter().filter(|placed| !placed.in_test);
        found.extend(shipped.filter_map(|placed| inexact(&placed.token, placed.line)));
    }
    found
}

/// The same without the exceptions.
fn violations(file: &str, text: &str) -> Vec<Finding> {
    let place = place_of(file);
    let mut found = findings(file, text);
    found.retain(|finding| !EXCEPTIONS.iter().any(|e| e.covers(place, finding)));
    found
}

/// Rooms see only those that the data passed before.
fn wrong_way(room: &str, place: &str, path: &Path) -> Option<Finding> {
    let parts: Vec<&str> = path.parts.iter().map(String::as_str).collect();
    let target = match parts.as_slice() {
        ["crate" | "hip3", target, ..] => *target,
        // `super` from as deep as the file lies leads to the root of the crate, too.
        ["super", ..] => {
            let up = parts.iter().take_while(|part| **part == "super").count();
            let depth = place.split('/').count() + path.depth;
            parts.get(up).filter(|_| up >= depth)?
        }
        _ => return None,
    };
    if target == room || room == "lib" {
        return None; // The map names every room.
    }
    let may = ROOMS.iter().find(|(name, _)| *name == room).map(|(_, may)| *may);
    let text = match may {
        None => format!("{room} is no known room"),
        Some(may) if may.contains(&target) => return None,
        Some(_) if ROOMS.iter().all(|(name, _)| *name != target) => {
            format!("crate::{target} is no known room: name the room itself")
        }
        Some(_) => format!("{room} must not see crate::{target}"),
    };
    Some(Finding { line: path.line, rule: "layers", what: target.to_owned(), text })
}

/// A foreign crate stays in its corner.
fn out_of_corner(place: &str, path: &Path) -> Option<Finding> {
    // A single name may be anything, a field or a function; and `use clap;` alone does nothing.
    let [name, _, ..] = path.parts.as_slice() else { return None };
    let (_, places) = CRATES.iter().find(|(foreign, _)| name == foreign)?;
    (!within(place, places)).then(|| Finding {
        line: path.line,
        rule: "crates",
        what: name.clone(),
        text: format!("{name} only in {}", places.join(", ")),
    })
}

/// No clock, thread, socket or file.
fn reaches_outside(path: &Path) -> Option<Finding> {
    let parts: Vec<&str> = path.parts.iter().map(String::as_str).collect();
    let what = match parts.as_slice() {
        ["std", module, ..] if OUTSIDE.contains(module) => format!("std::{module}"),
        _ => parts.iter().find(|part| matches!(**part, "Instant" | "SystemTime"))?.to_string(),
    };
    let text = format!("{what} in a room that knows no clock, thread, socket or file");
    Some(Finding { line: path.line, rule: "pure", what, text })
}

/// No floating point, no hash order and no lock where decisions are made.
fn inexact(token: &Token, line: usize) -> Option<Finding> {
    let (rule, what, why) = match token {
        Token::Number(number) if is_float(number) => {
            ("floats", number, "is floating point where decisions are made")
        }
        Token::VenueStatus(word) => match word.as_str() {
            "HashMap" | "HashSet" => ("order", word, "iterates in the order of chance"),
            "Mutex" | "RwLock" | "Condvar" => ("locks", word, "may wait for another thread"),
            "f64" | "f32" => ("floats", word, "where decisions are made"),
            _ if word.ends_with("_f64") || word.ends_with("_f32") => {
                ("floats", word, "where decisions are made")
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(Finding { line, rule, what: what.clone(), text: format!("{what} {why}") })
}

fn is_float(number: &str) -> bool {
    let hex = number.starts_with("0x");
    number.contains('.') || (!hex && (number.ends_with("f64") || number.ends_with("f32")))
}

/// Every `.rs` file below `dir`, with its path from the project's root, sorted.
fn sources(dir: &FilePath, name: &str, into: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = fs::read_dir(dir)
        .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for path in entries {
        let last = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
        let below = format!("{name}/{last}");
        if path.is_dir() {
            sources(&path, &below, into);
        } else if last.ends_with(".rs") {
            into.push((below, fs::read_to_string(&path).expect("source in UTF-8")));
        }
    }
}

fn project() -> Vec<(String, String)> {
    let mut files = Vec::new();
    sources(&FilePath::new(env!("CARGO_MANIFEST_DIR")).join("src"), "src", &mut files);
    files
}

#[test]
fn no_stage_imports_a_later_one() {
    let files = project();
    assert!(files.len() > 80, "read {} files only", files.len());
    let found: Vec<String> = files
        .iter()
        .flat_map(|(file, text)| {
            let told = move |f: Finding| format!("{file}:{}: {}: {}", f.line, f.rule, f.text);
            violations(file, text).into_iter().map(told)
        })
        .collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_room_has_its_rule_and_every_rule_its_room() {
    let mut rooms: Vec<String> = project()
        .iter()
        .map(|(file, _)| file.trim_start_matches("src/").trim_end_matches(".rs").to_owned())
        .map(|place| place.split('/').next().unwrap_or_default().to_owned())
        .filter(|room| room != "lib")
        .collect();
    rooms.sort();
    rooms.dedup();
    let mut known: Vec<&str> = ROOMS.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(rooms, known);
}

#[test]
fn an_allowed_room_never_sees_its_user() {
    let sees = |room: &str| ROOMS.iter().find(|(name, _)| *name == room).map_or(&[][..], |r| r.1);
    for (room, allowed) in ROOMS {
        for other in allowed {
            assert!(!sees(other).contains(&room), "{room} and {other} would see each other");
        }
    }
}

#[test]
fn every_exception_is_still_needed() {
    let files = project();
    for exception in &EXCEPTIONS {
        let needed = files.iter().any(|(file, text)| {
            findings(file, text).iter().any(|finding| exception.covers(place_of(file), finding))
        });
        let Exception { rule, place, what, why } = exception;
        assert!(needed, "{rule}: {place} no longer needs {what} ({why})");
    }
}

/// The rules that a text breaks, with their lines.
fn broken(file: &str, text: &str) -> Vec<(usize, &'static str)> {
    violations(file, text).iter().map(|violation| (violation.line, violation.rule)).collect()
}

#[test]
fn an_import_that_runs_the_wrong_way_is_found() {
    let cases = [
        ("src/types/num.rs", "use crate::feed::market::Market;"),
        ("src/feed/market.rs", "\n\nuse crate::engine::Engine;"),
        ("src/feed/mod.rs", "fn f() { crate::risk::assess(); }"),
        ("src/risk/gates.rs", "use crate::{types::num::Px, detector::cost};"),
        ("src/detector/cross.rs", "use crate::{\n    feed::market::{self, Market},\n    risk,\n};"),
        ("src/engine.rs", "use crate::runtime::os::Clock;"),
        ("src/engine.rs", "type C = super::runtime::os::Clock;"),
        ("src/persistence/store.rs", "use super::super::feed::market::Market;"),
        ("src/persistence/mod.rs", "mod tests { use super::super::telemetry; }"),
        ("src/account/mod.rs", "use hip3::runtime;"),
        ("src/venue/tcp/mod.rs", "use crate::feed::message::Decoder;"),
        ("src/runtime/host.rs", "use crate::venue::Venue;"),
        ("src/main.rs", "fn main() { hip3::engine::run() }"),
        ("src/telemetry/mod.rs", "use crate::*;"),
        ("src/feed/session.rs", "use crate::types_of_another_time::X;"),
    ];
    for (file, text) in cases {
        let line = text.lines().position(|l| l.contains("risk,")).unwrap_or(0);
        let line = if text.starts_with('\n') { 3 } else { line + 1 };
        assert_eq!(broken(file, text), [(line, "layers")], "{file}: {text}");
    }
}

#[test]
fn imports_that_run_the_right_way_pass() {
    let cases = [
        ("src/types/num.rs", "use crate::types::ids::Coin; use super::ids;"),
        ("src/engine.rs", "use crate::{detector, feed::{Subscription, market}, risk, types};"),
        ("src/detector/cross.rs", "mod tests { use super::*; use super::super::dislocation; }"),
        ("src/persistence/store.rs", "pub(super) fn f() {} pub(in crate::persistence) fn g() {}"),
        ("src/feed/mod.rs", "// use crate::engine;\n/* crate::risk::x /* nested */ crate::risk */"),
        (
            "src/feed/mod.rs",
            "//! `crate::engine` drives this.\nconst S: &str = \"crate::engine::x\";",
        ),
        (
            "src/feed/mod.rs",
            "const S: &str = r#\"use \"crate::engine\";\"#; const B: &[u8] = b\"crate::x\";",
        ),
        ("src/feed/mod.rs", "fn f<'a>(x: &'a u8) -> char { let _ = '\"'; '\\'' } // crate::engine"),
        ("src/command/run.rs", "use crate::{venue, runtime}; crate::engine::x();"),
    ];
    for (file, text) in cases {
        assert_eq!(broken(file, text), [], "{file}: {text}");
    }
}

#[test]
fn a_crate_out_of_its_corner_is_found() {
    let cases = [
        ("src/persistence/store.rs", "use arrow2::array::Array;"),
        ("src/persistence/parquet_copy.rs", "use arrow2::array::Array;"),
        ("src/venue/surface/mod.rs", "let v = simd_json::to_tape(bytes);"),
        ("src/feed/session.rs", "use {tungstenite::Message};"),
        ("src/account/mod.rs", "use rustls::ClientConfig;"),
        ("src/types/config/mod.rs", "#[derive(clap::Args)] struct A;"),
    ];
    for (file, text) in cases {
        assert_eq!(broken(file, text), [(1, "crates")], "{file}: {text}");
    }
    assert_eq!(broken("src/persistence/parquet.rs", "use arrow2::array::Array;"), []);
    assert_eq!(broken("src/runtime/link/stream.rs", "use tungstenite::Message;"), []);
}

#[test]
fn a_pure_stage_that_reaches_outside_is_found() {
    let cases = [
        ("src/engine.rs", "use std::time::Instant;", "pure"),
        ("src/engine.rs", "let now = std::time::SystemTime::now();", "pure"),
        ("src/feed/session.rs", "use std::{collections::BTreeMap, net::TcpStream};", "pure"),
        ("src/detector/samples.rs", "std::thread::sleep(pause);", "pure"),
        ("src/risk/gates.rs", "mod tests { fn f() { ::std::fs::read(x); } }", "pure"),
        ("src/types/num.rs", "use std::fs::File;", "pure"),
        ("src/risk/gates.rs", "fn f(x: f64) {}", "floats"),
        ("src/detector/cross.rs", "let y = if x > 1.5 { 1 } else { 2 };", "floats"),
        ("src/detector/cross.rs", "let y = 2f32;", "floats"),
        ("src/engine.rs", "let x = edge.to_f64();", "floats"),
        ("src/engine.rs", "use std::collections::HashMap;", "order"),
        ("src/feed/mod.rs", "use std::sync::Mutex;", "locks"),
    ];
    for (file, text, rule) in cases {
        assert_eq!(broken(file, text), [(1, rule)], "{file}: {text}");
    }
}

#[test]
fn what_only_looks_like_reaching_outside_passes() {
    let cases = [
        ("src/engine.rs", "for i in 0..5 { let x = 0xf64; 1.max(2); }"),
        ("src/risk/gates.rs", "#[cfg(test)]\nmod tests { fn f() { let x: f64 = 1.5; } }"),
        ("src/risk/gates.rs", "#[cfg(test)]\nfn shown(px: Px) -> f64 { px.to_f64() }"),
        ("src/account/tests/answers.rs", "let x: f64 = 1.5;"),
        ("src/runtime/os/clock.rs", "use std::time::SystemTime;"),
        ("src/types/config/read.rs", "use std::fs::File;"),
    ];
    for (file, text) in cases {
        assert_eq!(broken(file, text), [], "{file}: {text}");
    }
    let after = "#[cfg(test)]\nmod tests;\nfn f(x: f64) {}";
    assert_eq!(broken("src/risk/mod.rs", after), [(3, "floats")], "the test module has ended");
}
