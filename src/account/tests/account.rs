//! Readings of the account against a small HTTP server on loopback.

use std::time::Duration;

use serde_json::{Value, json};

use super::reader::{Server, USER, http};
use super::state::{fill, fill_row, state_answer};
use crate::account::{Agent, ReadError, Role};
use crate::types::account::{AccountMode, RateLimit};
use crate::types::config::{Account, Config};
use crate::types::ids::Address;
use crate::types::num::Usd;
use crate::types::time::VenueMs;

const SINCE: VenueMs = VenueMs(1_000);

fn usd(text: &str) -> Usd {
    Usd::parse_signed(text.as_bytes()).expect("an amount")
}

fn answer(mode: &str, request: &Value) -> Value {
    match request["type"].as_str().expect("a type") {
        "userAbstraction" => json!(mode),
        "clearinghouseState" => match request["dex"].as_str() {
            Some("abc") => state_answer(),
            None => json!({"marginSummary": {"accountValue": "9.0"}, "withdrawable": "7.5",
                           "assetPositions": [], "time": 1}),
            Some(other) => panic!("asked for {other}"),
        },
        "spotClearinghouseState" => {
            json!({"balances": [{"coin": "USDC", "token": 0, "total": "50.0", "hold": "8.0"}]})
        }
        "userRateLimit" => json!({"nRequestsUsed": 12, "nRequestsCap": 10_345}),
        "userFillsByTime" => json!([fill_row(2_000, 1), fill_row(2_000, 2)]),
        other => panic!("asked for {other}"),
    }
}

fn server(mode: &'static str) -> Server {
    Server::start(move |request| http("200 OK", answer(mode, request).to_string().as_bytes()))
}

/// A server that answers fills by `page`, from the start time asked for.
fn paged(page: impl Fn(i64) -> Vec<Value> + Send + 'static) -> Server {
    Server::start(move |request| {
        let body = match request["startTime"].as_i64() {
            Some(start) => Value::Array(page(start)),
            None => answer("disabled", request),
        };
        http("200 OK", body.to_string().as_bytes())
    })
}

/// Types of the questions that were asked since the last look.
fn asked(server: &Server) -> Vec<String> {
    let kind = |(_, body): (String, Value)| body["type"].as_str().expect("a type").to_owned();
    server.requests.try_iter().map(kind).collect()
}

#[test]
fn an_account_is_read_whole_and_each_question_names_it() {
    let server = server("disabled");
    let state = server.reader(Some(USER)).read_account(SINCE).expect("an account");
    assert_eq!(state.mode, AccountMode::Standard);
    assert_eq!((state.dexes.len(), state.dexes[0].positions.len()), (1, 2));
    assert_eq!(state.available, Some(usd("-0.25")), "what is free on the dexes");
    assert_eq!(state.rate_limit, RateLimit { used: 12, cap: 10_345 });
    assert_eq!((state.fills, state.fills_since), (vec![fill(2_000, 1), fill(2_000, 2)], SINCE));
    let bodies: Vec<Value> = server.requests.try_iter().map(|(_, body)| body).collect();
    assert_eq!(
        bodies,
        [
            json!({"type": "userAbstraction", "user": USER}),
            json!({"type": "clearinghouseState", "user": USER, "dex": "abc"}),
            json!({"type": "userRateLimit", "user": USER}),
            json!({"type": "userFillsByTime", "user": USER, "startTime": 1_000}),
        ]
    );
}

/// A22: as long as no mode is chosen each dex has its own balance, as in the standard mode.
#[test]
fn what_can_back_a_trade_is_read_where_the_mode_keeps_it() {
    for (name, mode, available, question) in [
        ("disabled", AccountMode::Standard, "-0.25", None),
        ("unifiedAccount", AccountMode::Unified, "42", Some("spotClearinghouseState")),
        ("portfolioMargin", AccountMode::PortfolioMargin, "42", Some("spotClearinghouseState")),
        ("default", AccountMode::Unset, "-0.25", None),
        ("dexAbstraction", AccountMode::DexAbstraction, "7.5", Some("clearinghouseState")),
    ] {
        let server = server(name);
        let state = server.reader(Some(USER)).read_account(SINCE).expect("an account");
        assert_eq!((state.mode, state.available), (mode, Some(usd(available))), "{name}");
        assert_eq!(state.dexes.len(), 1, "{name}: the main dex is none of ours");
        let mut expected = vec!["userAbstraction", "clearinghouseState"];
        expected.extend(question);
        expected.extend(["userRateLimit", "userFillsByTime"]);
        assert_eq!(asked(&server), expected, "{name}");
    }
}

#[test]
fn the_mode_is_asked_for_again_only_when_it_is_old() {
    let server = server("disabled");
    let mut reader = server.reader(Some(USER));
    reader.read_account(SINCE).expect("an account");
    assert!(asked(&server).contains(&"userAbstraction".to_owned()));
    let again = reader.read_account(SINCE).expect("an account");
    assert_eq!(again.mode, AccountMode::Standard);
    assert!(!asked(&server).contains(&"userAbstraction".to_owned()));
    reader.mode_kept = Duration::ZERO;
    reader.read_account(SINCE).expect("an account");
    assert!(asked(&server).contains(&"userAbstraction".to_owned()));
}

#[test]
fn any_answer_that_cannot_be_read_refuses_the_reading() {
    for bad in [
        "userAbstraction",
        "clearinghouseState",
        "spotClearinghouseState",
        "userRateLimit",
        "userFillsByTime",
    ] {
        for (status, body) in [("200 OK", "7"), ("429 Too Many Requests", ""), ("200 OK", "")] {
            let server = Server::start(move |request| {
                if request["type"] == bad {
                    return http(status, body.as_bytes());
                }
                http("200 OK", answer("unifiedAccount", request).to_string().as_bytes())
            });
            let error = server.reader(Some(USER)).read_account(SINCE).expect_err(bad).to_string();
            assert!(error.starts_with(bad), "{error}");
            assert_eq!(asked(&server).last().map(String::as_str), Some(bad), "nothing after it");
        }
    }
}

#[test]
fn without_an_account_nothing_is_asked() {
    let server = server("disabled");
    let error = server.reader(None).read_account(SINCE).expect_err("nobody to ask about");
    assert!(matches!(error, ReadError::NoAccount), "{error}");
    assert!(error.to_string().starts_with("account.user_address"), "{error}");
    assert_eq!(asked(&server), Vec::<String>::new());
}

#[test]
fn a_vault_is_asked_about_in_its_masters_stead() {
    let vault = "0x00000000000000000000000000000000000000cc";
    let account = |user: Option<&str>, vault: Option<&str>| Account {
        user_address: user.map(str::to_owned),
        vault_address: vault.map(str::to_owned),
        ..Config::default().account
    };
    assert_eq!(account(None, None).acting(), None);
    assert_eq!(account(Some(USER), None).acting(), Some(USER));
    assert_eq!(account(Some(USER), Some(vault)).acting(), Some(vault));
    assert_eq!(account(None, Some(vault)).acting(), Some(vault));

    let server = server("disabled");
    let mut reader = server.reader_of(&account(Some(USER), Some(vault)));
    reader.read_account(SINCE).expect("an account");
    let bodies: Vec<Value> = server.requests.try_iter().map(|(_, body)| body).collect();
    assert!(bodies.iter().all(|body| body["user"] == vault), "{bodies:?}");
    assert!(!bodies.is_empty());
}

#[test]
fn fills_are_paged_while_pages_are_full_and_none_is_told_twice() {
    // A fill each millisecond from 1 on, and two in the last millisecond of the first page.
    let server = paged(|start| {
        let all = (1..=4_500_i64).flat_map(|at| {
            let time = at.max(1);
            let twice = if time == 2_000 { 2 } else { 1 };
            (0..twice).map(move |nth| fill_row(time, (time * 10 + nth) as u64))
        });
        all.filter(|row| row["time"].as_i64() >= Some(start)).take(2_000).collect()
    });
    let state = server.reader(Some(USER)).read_account(VenueMs(-5)).expect("an account");
    let ids: Vec<u64> = state.fills.iter().map(|fill| fill.tid).collect();
    let mut expected: Vec<u64> = (1..=4_500).map(|time| time * 10).collect();
    expected.insert(2_000, 20_001);
    assert_eq!(ids, expected);
    let starts: Vec<i64> =
        server.requests.try_iter().filter_map(|(_, body)| body["startTime"].as_i64()).collect();
    assert_eq!(starts, [0, 2_000, 3_998]);
}

#[test]
fn a_full_page_with_nothing_behind_it_ends_the_fills() {
    let server = paged(|start| {
        (1..=2_000).filter(|time| *time >= start).map(|time| fill_row(time, 1)).collect()
    });
    let state = server.reader(Some(USER)).read_account(VenueMs(0)).expect("an account");
    assert_eq!(state.fills.len(), 2_000);
    assert_eq!(asked(&server).iter().filter(|kind| *kind == "userFillsByTime").count(), 2);
}

#[test]
fn fills_without_end_refuse_the_reading() {
    let endless = paged(|start| (start..start + 2_000).map(|at| fill_row(at, 1)).collect());
    let stuck = paged(|_| (0..2_000).map(|tid| fill_row(1_000, tid)).collect());
    for (server, pages) in [(endless, 5), (stuck, 1)] {
        let error = server.reader(Some(USER)).read_account(SINCE).expect_err("no end");
        assert!(matches!(error, ReadError::TooManyFills { since: SINCE }), "{error}");
        assert!(error.to_string().starts_with("userFillsByTime"), "{error}");
        let asked = asked(&server).iter().filter(|kind| *kind == "userFillsByTime").count();
        assert_eq!(asked, pages);
    }
}

#[test]
fn addresses_and_the_clock_are_asked_about_by_name() {
    let signer = "0x00000000000000000000000000000000000000dd";
    let server = Server::start(move |request| {
        let body = match request["type"].as_str() {
            Some("exchangeStatus") => json!({"time": 1_790_000_000_123_i64}),
            Some("userRole") => json!({"role": "agent", "data": {"user": USER}}),
            Some("extraAgents") => json!([{"name": "bot", "address": signer, "validUntil": 5}]),
            other => panic!("asked for {other:?}"),
        };
        http("200 OK", body.to_string().as_bytes())
    });
    let mut reader = server.reader(None);
    assert_eq!(reader.venue_time().expect("a time"), VenueMs(1_790_000_000_123));
    assert_eq!(
        reader.role(signer).expect("a role"),
        Role::Agent { user: Address::parse(USER).expect("an address") }
    );
    let agent =
        Agent { name: "bot".to_owned(), address: signer.to_owned(), valid_until: Some(VenueMs(5)) };
    assert_eq!(reader.agents(USER).expect("agents"), [agent]);
    let bodies: Vec<Value> = server.requests.try_iter().map(|(_, body)| body).collect();
    assert_eq!(
        bodies,
        [
            json!({"type": "exchangeStatus"}),
            json!({"type": "userRole", "user": signer}),
            json!({"type": "extraAgents", "user": USER}),
        ]
    );
}
