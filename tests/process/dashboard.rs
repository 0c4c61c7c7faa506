//! The dashboard of a run that trades: what it shows is so, and what is asked of it is done.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use ureq::Agent;

use crate::funded::{Funded, LOOSE, rows};
use crate::harness::start;

/// Whoever looks at a run from outside.
struct Visitor {
    agent: Agent,
    address: String,
    token: String,
}

impl Visitor {
    fn snapshot(&self) -> Value {
        let url = format!("{}/api/snapshot", self.address);
        let text = self.agent.get(&url).call().expect("an answer").body_mut().read_to_string();
        serde_json::from_str(&text.expect("text")).expect("JSON")
    }

    fn ask(&self, body: &Value) -> u16 {
        let url = format!("{}/api/control", self.address);
        let request = self
            .agent
            .post(&url)
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Content-Type", "application/json");
        request.send(body.to_string()).expect("an answer").status().as_u16()
    }
}

/// A token made now, in a file of its own.
fn token_file(dir: &Path) -> (PathBuf, String) {
    let path = dir.join("dashboard.token");
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("randomness");
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(&path, format!("{token}\n")).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    (path, token)
}

/// Where a run serves its page, once its log says so.
fn address(log: &str) -> Option<String> {
    let rest = &log[log.find("dashboard at http://")? + "dashboard at ".len()..];
    Some(rest[..rest.find("/\n").or_else(|| rest.find("/ "))?].to_owned())
}

#[test]
fn a_run_is_halted_flattened_and_released_by_its_dashboard() {
    let desk = Funded::new(
        5,
        &format!(
            "{LOOSE}[position]\nmax_concurrent_positions = 1\n\
             [mark_regression]\nenabled = false\n[time_stop]\nthreshold_ms = 600000\n"
        ),
    );
    let (file, token) = token_file(desk.dir.path());
    let set = format!("dashboard.token_file={}", file.display());
    let mut run = start(&["run", "--config", &desk.config, "--set", &set], &desk.log("log"));
    let mut found = None;
    let log = desk.log("log");
    run.wait_until("its address", || {
        found = address(&fs::read_to_string(&log).unwrap_or_default());
        found.is_some()
    });
    let agent = Agent::new_with_defaults();
    let visitor = Visitor { agent, address: found.expect("an address"), token };

    run.wait_until("a position", || visitor.snapshot()["positions"] != json!([]));
    let snapshot = visitor.snapshot();
    assert_eq!(snapshot["mode"], "trading");
    assert_eq!(snapshot["control"], json!({ "available": true, "why": null }));
    assert!(snapshot["counters"]["frames"].as_u64() > Some(0), "{snapshot}");
    assert!(snapshot["orders"].as_array().is_some_and(|orders| !orders.is_empty()), "{snapshot}");

    assert_eq!(visitor.ask(&json!({ "action": "halt" })), 202);
    run.wait_until("the halt", || {
        visitor.snapshot()["hard_stop"]["reasons"] == json!(["Operator"])
    });
    let latch = desk.signals().join("hard_stop.json");
    run.wait_until("the latch to be kept", || {
        fs::read_to_string(&latch).is_ok_and(|text| text.contains("Operator"))
    });
    assert_ne!(visitor.snapshot()["positions"], json!([]), "a halt closes nothing");

    assert_eq!(visitor.ask(&json!({ "action": "flatten" })), 202);
    run.wait_until("everything to be closed", || visitor.snapshot()["positions"] == json!([]));
    run.wait_until("the trade", || visitor.snapshot()["trades"][0]["exit"] == "flatten");

    assert_eq!(visitor.ask(&json!({ "action": "release", "reason": "Operator" })), 202);
    run.wait_until("the release", || visitor.snapshot()["hard_stop"]["active"] == false);

    let told = run.log();
    assert_eq!(run.terminate(), 0, "{told}");
    assert!(!told.contains(&visitor.token), "the token is not logged");
    let trades = rows(&desk.signals(), "trades_");
    assert!(trades.iter().any(|trade| trade["exit_reason"] == "flatten"), "{trades:#?}");
}

#[test]
fn a_token_that_others_can_read_stops_the_start() {
    let desk = Funded::new(5, "");
    let (file, token) = token_file(desk.dir.path());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("its mode");
    let set = format!("dashboard.token_file={}", file.display());
    let run = start(&["run", "--config", &desk.config, "--set", &set], &desk.log("log"));
    let log = desk.log("log");
    assert_eq!(run.end(), 2);
    let told = fs::read_to_string(log).expect("the log");
    assert!(told.contains("dashboard.token_file = ") && told.contains("0644"), "{told}");
    assert!(!told.contains(&token), "{told}");
    assert!(!desk.signals().exists(), "nothing was begun");
}
