//! How a run gets its dashboard: the address, the token, and an engine at the other end.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;

use hip3::runtime::front::{DashboardError, DashboardSetup};
use hip3::runtime::publish::{Loop, publisher};
use hip3::types::config::{self, Config};
use hip3::types::event::OperatorCommand;
use hip3::types::record::Mode;
use hip3::types::snapshot::Percentiles;
use serde_json::json;

use crate::harness::{fresh_token, wait_for};
use crate::http::{ask, request};
use crate::support::{Scenario, config as of_tests};

fn wanted() -> config::Dashboard {
    let mut wanted = Config::default().dashboard;
    wanted.bind = (Ipv4Addr::LOCALHOST, 0).into();
    wanted
}

#[test]
fn one_that_is_turned_off_needs_nothing() {
    let mut off = wanted();
    off.enabled = false;
    off.token_file = Some("/nonexistent".into());
    assert!(DashboardSetup::new(&off, false).expect("no fault").is_none());
}

#[test]
fn an_address_that_is_taken_is_told_with_what_helps_or_replaced_if_that_is_allowed() {
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let mut taken = wanted();
    taken.bind = holder.local_addr().expect("an address");
    let fault = DashboardSetup::new(&taken, false).expect_err("it is taken").to_string();
    for part in ["dashboard.bind = ", &taken.bind.to_string(), "dashboard.enabled = false"] {
        assert!(fault.contains(part), "{fault}");
    }
    let front = DashboardSetup::new(&taken, true).expect("any port does").expect("a dashboard");
    assert_ne!(front.address().expect("an address"), taken.bind);
    // An address that is not ours is not replaced.
    taken.bind = "192.0.2.1:8080".parse().expect("an address");
    assert!(matches!(DashboardSetup::new(&taken, true), Err(DashboardError::Bind { .. })));
}

#[test]
fn a_token_that_cannot_be_had_is_told_before_anything_is_bound() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut wanted = wanted();
    wanted.token_file = Some(dir.path().join("none"));
    let fault = DashboardSetup::new(&wanted, true).expect_err("there is none").to_string();
    assert!(fault.starts_with("dashboard.token_file = "), "{fault}");
}

#[test]
fn an_engine_is_seen_through_it_and_hears_what_is_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    let token = fresh_token();
    let path = dir.path().join("token");
    fs::write(&path, &token).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    let mut config = of_tests();
    config.mode = Mode::Trading;
    config.dashboard = wanted();
    config.dashboard.token_file = Some(path);
    let front =
        DashboardSetup::new(&config.dashboard, false).expect("a port").expect("a dashboard");
    let address = front.address().expect("an address");
    let (mut publisher, receiver) = publisher(config.dashboard.update_interval);
    let (thread, measured) = front.start(&config, "run-7", receiver).expect("a thread");

    // What the engine knows is observed; what the run is told is its mode.
    let mut s = Scenario::calm(&of_tests());
    s.bbo("tst:ONE", "98.95", "99.05");
    for row in &s.rows {
        publisher.show(row);
    }
    measured.send(("turn", Percentiles::default())).expect("it listens");
    let shown = wait_for("the engine to be shown", || {
        s.pass_ms(100);
        publisher.step(s.now(), &s.engine, Loop::default());
        let shown = ask(address, &request("GET", "/api/snapshot", "")).json();
        let whole = shown["signals"] != json!([]) && shown["markets"] != json!([]);
        whole.then_some(shown)
    });
    assert_eq!((&shown["run_id"], &shown["mode"]), (&json!("run-7"), &json!("trading")));
    assert_eq!(shown["version"], hip3::runtime::os::version());
    let reserve = config.executor.exit_budget_reserve;
    assert_eq!(shown["limits"]["exit_reserve"], json!(reserve));
    let market = &shown["markets"][0];
    let prices = (&market["coin"], &market["bid_px"], &market["ask_px"], &market["oracle_px"]);
    assert_eq!(prices, (&json!("tst:ONE"), &json!("98.95"), &json!("99.05"), &json!("100")));
    // 0.9 bps of fee both ways, 2 of slippage, 5 at least; 95 bps below the oracle.
    assert!((market["cost_bps"].as_f64().expect("a number") - 8.8).abs() < 1e-6, "{market}");
    assert!((market["buy_edge_bps"].as_f64().expect("a number") - 95.0).abs() < 1e-6);
    assert_eq!((&market["state"], &market["gate"]), (&json!("live"), &json!(null)));
    assert_eq!(shown["signals"][0]["px"], "99.05");
    assert_eq!(shown["latency"]["turn"]["count"], 0);

    let body = r#"{"action":"flatten"}"#;
    let headers = format!(
        "Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let answer = ask(address, &(request("POST", "/api/control", &headers) + body));
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(wait_for("the command", || publisher.command()), OperatorCommand::Flatten);
    drop(publisher);
    thread.join().expect("no panic").expect("no error");
}
