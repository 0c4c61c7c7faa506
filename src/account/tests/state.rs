//! What is read of an account, of an address and of the clock, and what is refused.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::answers::recorded;
use crate::account::identity::{self, Agent, Role};
use crate::account::json::Malformed;
use crate::account::state::{Page, collateral, dex_account, fills, mode, rate_limit};
use crate::types::account::{AccountMode, DexAccount, HeldPosition, RateLimit};
use crate::types::ids::{Address, Coin};
use crate::types::num::{Px, Side, Sz, Szi, Usd};
use crate::types::order::{Cloid, Fill};
use crate::types::time::VenueMs;

/// One cross and one isolated position.
pub(super) fn state_answer() -> Value {
    json!({
        "marginSummary": {"accountValue": "120.5000019", "totalNtlPos": "60.0", "unknown": 1},
        "withdrawable": "-0.25",
        "assetPositions": [
            {"type": "oneWay", "position": {
                "coin": "abc:TIN", "szi": "-2.5", "entryPx": "10.123456789",
                "leverage": {"type": "cross", "value": 20}, "marginUsed": "1.25"}},
            {"type": "oneWay", "position": {
                "coin": "abc:GOLD", "szi": "0.01", "entryPx": null,
                "leverage": {"type": "isolated", "value": 3, "rawUsd": "-20.1"},
                "marginUsed": "13.5"}},
        ],
        "time": 1_790_000_000_123_i64,
    })
}

/// One fill.
pub(super) fn fill_row(time: i64, tid: u64) -> Value {
    json!({"coin": "abc:TIN", "px": "10.5", "sz": "2.5", "side": "A", "time": time,
           "startPosition": "0.0", "dir": "Open Short", "closedPnl": "-0.25", "oid": 77,
           "crossed": true, "fee": "0.0012345", "tid": tid, "feeToken": "USDC",
           "cloid": "0x0000000000000000000000000000002a"})
}

/// What [`fill_row`] says.
pub(super) fn fill(time: i64, tid: u64) -> Fill {
    Fill {
        coin: coin("abc:TIN"),
        px: Px::parse(b"10.5").expect("a price"),
        sz: Sz::parse(b"2.5").expect("a size"),
        side: Side::Sell,
        time: VenueMs(time),
        start_position: Szi::ZERO,
        closed_pnl: usd("-0.25"),
        oid: 77,
        cloid: Some(Cloid(42)),
        tid,
        fee: usd("0.001234"),
        liquidation: false,
    }
}

fn coin(name: &str) -> Coin {
    Coin::new(name).expect("a coin")
}

fn usd(text: &str) -> Usd {
    Usd::parse_signed(text.as_bytes()).expect("an amount")
}

fn szi(text: &str) -> Szi {
    Szi::parse_signed(text.as_bytes()).expect("a size")
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Puts `value` at `path` of `whole`; `null` also stands for what is missing.
fn with(mut whole: Value, path: &str, value: Value) -> Vec<u8> {
    *whole.pointer_mut(path).unwrap_or_else(|| panic!("{path} is there")) = value;
    bytes(&whole)
}

#[test]
fn an_account_on_a_dex_is_read_exactly() {
    let tin = HeldPosition {
        coin: coin("abc:TIN"),
        szi: szi("-2.5"),
        entry_px: Px::parse(b"10.12345678"),
        leverage: 20,
        isolated: false,
        margin_used: usd("1.25"),
    };
    let gold = HeldPosition {
        coin: coin("abc:GOLD"),
        szi: szi("0.01"),
        entry_px: None,
        leverage: 3,
        isolated: true,
        margin_used: usd("13.5"),
    };
    let expected = DexAccount {
        dex: "abc".to_owned(),
        time: VenueMs(1_790_000_000_123),
        value: usd("120.500001"),
        withdrawable: usd("-0.25"),
        positions: vec![tin, gold],
    };
    assert_eq!(dex_account("abc", &bytes(&state_answer())), Ok(expected.clone()));
    assert!(!expected.is_all_zero());
    let flat = with(state_answer(), "/assetPositions/0/position/szi", json!("0.0"));
    let flat = dex_account("abc", &flat).expect("an account");
    assert_eq!(flat.positions, [gold], "a size of zero is no position");
}

#[test]
fn an_empty_account_is_told_from_one_that_cannot_be_read() {
    let empty = json!({"marginSummary": {"accountValue": "0.0"}, "withdrawable": "0.0",
                       "assetPositions": [], "time": 1});
    assert!(dex_account("abc", &bytes(&empty)).expect("an account").is_all_zero());
    for body in ["", "null", "[]", "{}", "\"\"", "<html>"] {
        let error = dex_account("abc", body.as_bytes()).expect_err(body).to_string();
        assert!(error.starts_with("clearinghouseState[abc]"), "{error}");
    }
}

#[test]
fn nothing_of_an_account_may_be_missing_or_strange() {
    let amount = || vec![json!(null), json!("x"), json!(1.5), json!("1e3"), json!([])];
    let position = "/assetPositions/1/position";
    let cases: Vec<(String, Vec<Value>)> = vec![
        ("/marginSummary".into(), vec![json!(null), json!([])]),
        ("/marginSummary/accountValue".into(), amount()),
        ("/withdrawable".into(), amount()),
        ("/time".into(), vec![json!(null), json!("1"), json!(-1), json!(1.5)]),
        ("/assetPositions".into(), vec![json!(null), json!({})]),
        ("/assetPositions/1".into(), vec![json!(null), json!({}), json!([])]),
        (position.into(), vec![json!(null), json!({}), json!([])]),
        (
            format!("{position}/coin"),
            ["", "abc", "abcGOLD", "xyz:GOLD", "GOLD", "abc:é", "abc:TIN"]
                .iter()
                .map(|name| json!(name))
                .chain([json!(null), json!(7)])
                .collect(),
        ),
        (format!("{position}/szi"), [amount(), vec![json!("0.000000001")]].concat()),
        (format!("{position}/entryPx"), vec![json!("x"), json!(1.5), json!("-1")]),
        (format!("{position}/leverage"), vec![json!(null), json!(3), json!({})]),
        (format!("{position}/leverage/type"), vec![json!(null), json!("both")]),
        (
            format!("{position}/leverage/value"),
            vec![json!(null), json!("3"), json!(0), json!(-3), json!(3.5)],
        ),
        (format!("{position}/marginUsed"), amount()),
    ];
    for (path, values) in cases {
        for value in values {
            let shown = value.to_string();
            let error = dex_account("abc", &with(state_answer(), &path, value))
                .expect_err(&format!("{path} = {shown}"))
                .to_string();
            assert!(error.starts_with("clearinghouseState[abc]."), "{path} = {shown}: {error}");
            assert!(error.contains("expected"), "{error}");
        }
    }
}

#[test]
fn modes_have_their_names_and_others_are_refused() {
    for (text, expected) in [
        ("disabled", AccountMode::Standard),
        ("unifiedAccount", AccountMode::Unified),
        ("portfolioMargin", AccountMode::PortfolioMargin),
        ("dexAbstraction", AccountMode::DexAbstraction),
        ("default", AccountMode::Unset),
    ] {
        assert_eq!(mode(&bytes(&json!(text))), Ok(expected));
    }
    for body in ["null", "\"\"", "\"Disabled\"", "\"newest\"", "true", "{}", ""] {
        let error = mode(body.as_bytes()).expect_err(body).to_string();
        assert!(error.starts_with("userAbstraction = "), "{error}");
    }
}

#[test]
fn collateral_is_what_is_free_of_the_token_by_either_account() {
    let spot = |total: &str, hold: &str, after: Value| {
        collateral(&bytes(&json!({
            "balances": [
                {"coin": "USDH", "token": 360, "total": "7.0", "hold": "0.0"},
                {"coin": "USDC", "token": 0, "total": total, "hold": hold, "entryNtl": "0.0"},
            ],
            "tokenToAvailableAfterMaintenance": after,
        })))
    };
    assert_eq!(spot("10.5", "0.5", json!(null)), Ok(usd("10")));
    assert_eq!(spot("10.5000009", "0.0000001", json!(null)), Ok(usd("10.499999")), "cautiously");
    assert_eq!(spot("1.0", "1.5", json!(null)), Ok(usd("-0.5")));
    assert_eq!(spot("10.5", "0.5", json!([[360, "3.0"], [0, "8.25"]])), Ok(usd("8.25")));
    assert_eq!(spot("10.5", "0.5", json!([[0, "12.0"]])), Ok(usd("10")), "the smaller one");
    assert_eq!(spot("10.5", "0.5", json!([[360, "3.0"]])), Ok(usd("10")), "not told");
    assert_eq!(collateral(br#"{"balances":[]}"#), Ok(Usd::ZERO), "what is not listed is not held");
    for body in [
        "null",
        "[]",
        "{}",
        r#"{"balances":{}}"#,
        r#"{"balances":[{"token":0,"total":"1.0"}]}"#,
        r#"{"balances":[{"token":0,"hold":"1.0"}]}"#,
        r#"{"balances":[{"total":"1.0","hold":"0.0"}]}"#,
        r#"{"balances":[{"token":"0","total":"1.0","hold":"0.0"}]}"#,
        r#"{"balances":[{"token":0,"total":1.5,"hold":"0.0"}]}"#,
        r#"{"balances":[{"token":0,"total":"1.0","hold":"-1.0"}]}"#,
        r#"{"balances":[{"token":0,"total":"1","hold":"0"},{"token":0,"total":"1","hold":"0"}]}"#,
        r#"{"balances":[],"tokenToAvailableAfterMaintenance":{}}"#,
        r#"{"balances":[],"tokenToAvailableAfterMaintenance":[[0]]}"#,
        r#"{"balances":[],"tokenToAvailableAfterMaintenance":[[0,"x"]]}"#,
    ] {
        let error = collateral(body.as_bytes()).expect_err(body).to_string();
        assert!(error.starts_with("spotClearinghouseState"), "{error}");
    }
}

#[test]
fn the_address_budget_is_two_counts_of_any_size() {
    let body =
        br#"{"cumVlm":"1.0","nRequestsUsed":36589831368,"nRequestsCap":18446744073709551615}"#;
    assert_eq!(rate_limit(body), Ok(RateLimit { used: 36_589_831_368, cap: u64::MAX }));
    for body in [
        "null",
        "{}",
        r#"{"nRequestsUsed":1}"#,
        r#"{"nRequestsCap":1}"#,
        r#"{"nRequestsUsed":"1","nRequestsCap":1}"#,
        r#"{"nRequestsUsed":-1,"nRequestsCap":1}"#,
        r#"{"nRequestsUsed":1,"nRequestsCap":1.5}"#,
    ] {
        let error = rate_limit(body.as_bytes()).expect_err(body).to_string();
        assert!(error.starts_with("userRateLimit"), "{error}");
    }
}

fn one(row: &Value) -> Result<Fill, Malformed> {
    fills(&bytes(&json!([row]))).map(|page| page.fills[0])
}

#[test]
fn fills_are_read_exactly_and_only_strange_names_are_left_out() {
    let mut foreign = fill_row(9, 3);
    foreign["coin"] = json!("ü");
    let page = fills(&bytes(&json!([fill_row(5, 1), fill_row(7, 2), foreign])));
    let expected = Page { rows: 3, last: Some(VenueMs(9)), fills: vec![fill(5, 1), fill(7, 2)] };
    assert_eq!(page, Ok(expected));
    assert_eq!(fills(b"[]"), Ok(Page { rows: 0, last: None, fills: vec![] }));
    let old = json!({"closedPnl": "-0.25", "coin": "@7", "oid": 77, "px": "10.5", "side": "A",
                     "startPosition": "0.0", "sz": "2.5", "time": 5});
    let bare = Fill { coin: coin("@7"), cloid: None, tid: 0, fee: Usd::ZERO, ..fill(5, 1) };
    assert_eq!(one(&old), Ok(bare));
    let mut row = fill_row(5, 1);
    row["liquidation"] = json!({"markPx": "10.4", "method": "market"});
    for cloid in [json!("not one of ours"), json!(7), json!(null)] {
        row["cloid"] = cloid;
        let expected = Fill { liquidation: true, cloid: None, ..fill(5, 1) };
        assert_eq!(one(&row), Ok(expected));
    }
}

#[test]
fn dust_of_spot_pairs_and_outcomes_is_left_out_and_that_of_perps_is_not() {
    let dust = |name: &str| {
        let mut row = fill_row(6, 9);
        row["coin"] = json!(name);
        row["sz"] = json!("0.000026746");
        fills(&bytes(&json!([fill_row(5, 1), row])))
    };
    for name in ["@151", "PURR/USDC", "#14720"] {
        let expected = Page { rows: 2, last: Some(VenueMs(6)), fills: vec![fill(5, 1)] };
        assert_eq!(dust(name), Ok(expected), "{name}");
    }
    for name in ["abc:TIN", "BTC", "abc:@1"] {
        assert!(dust(name).is_err(), "{name}");
    }
    let mut whole = fill_row(5, 1);
    whole["coin"] = json!("@151");
    assert_eq!(one(&whole), Ok(Fill { coin: coin("@151"), ..fill(5, 1) }));
}

#[test]
fn one_row_that_cannot_be_read_refuses_the_fills() {
    let strange = [json!(null), json!("x"), json!(1.5), json!({})];
    let cases: [(&str, &[Value]); 10] = [
        ("coin", &[json!(null), json!(7)]),
        ("px", &[json!(null), json!("-1"), json!("0.000000001"), json!(1.5)]),
        ("sz", &[json!(null), json!("-1"), json!("0.0"), json!("0.000000001"), json!(0)]),
        ("side", &[json!(null), json!("buy")]),
        ("time", &[json!(null), json!("5"), json!(-5), json!(5.5)]),
        ("startPosition", &[json!(null), json!("0.000000001"), json!("x")]),
        ("closedPnl", &strange),
        ("oid", &strange),
        ("fee", &strange[1..]),
        ("tid", &strange[1..]),
    ];
    for (key, values) in cases {
        for value in values {
            let mut row = fill_row(5, 1);
            row[key] = value.clone();
            let body = bytes(&json!([fill_row(4, 0), row]));
            let error = fills(&body).expect_err(&format!("{key} = {value}")).to_string();
            assert!(error.starts_with(&format!("userFillsByTime[1].{key} = ")), "{error}");
        }
    }
    for body in ["null", "{}", "[7]", ""] {
        assert!(fills(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn roles_say_whose_an_address_is() {
    const MASTER: &str = "0x00000000000000000000000000000000000000Aa";
    for (answer, expected) in [
        (json!({"role": "missing"}), Role::Missing),
        (json!({"role": "user"}), Role::User),
        (json!({"role": "vault"}), Role::Vault),
        (
            json!({"role": "agent", "data": {"user": MASTER}}),
            Role::Agent { user: Address::parse(MASTER).expect("an address") },
        ),
        (
            json!({"role": "subAccount", "data": {"master": MASTER}}),
            Role::SubAccount { master: Address::parse(MASTER).expect("an address") },
        ),
    ] {
        assert_eq!(identity::role(&bytes(&answer)), Ok(expected));
    }
    for body in [
        "null",
        "{}",
        r#"{"role":"king"}"#,
        r#"{"role":"agent"}"#,
        r#"{"role":"agent","data":{"master":"0x00000000000000000000000000000000000000Aa"}}"#,
        r#"{"role":"subAccount","data":{"master":"0xAa"}}"#,
        r#"{"role":"agent","data":{"user":"00000000000000000000000000000000000000000a"}}"#,
        r#"{"role":"agent","data":{"user":"0x+0000000000000000000000000000000000000aa"}}"#,
    ] {
        let error = identity::role(body.as_bytes()).expect_err(body).to_string();
        assert!(error.starts_with("userRole"), "{error}");
    }
}

#[test]
fn agents_have_a_name_an_address_and_perhaps_an_end() {
    let address = "0x00000000000000000000000000000000000000bb";
    let answer = json!([{"name": "one", "address": address, "validUntil": 1_790_000_000_000_i64},
                        {"name": "", "address": address, "validUntil": null, "news": 1}]);
    let agent = |name: &str, valid_until: Option<i64>| Agent {
        name: name.to_owned(),
        address: address.to_owned(),
        valid_until: valid_until.map(VenueMs),
    };
    let expected = vec![agent("one", Some(1_790_000_000_000)), agent("", None)];
    assert_eq!(identity::agents(&bytes(&answer)), Ok(expected));
    assert_eq!(identity::agents(b"[]"), Ok(vec![]));
    assert_eq!(identity::agents(b"null"), Ok(vec![]));
    for body in [
        "{}",
        r#"[{"address":"0x00000000000000000000000000000000000000bb"}]"#,
        r#"[{"name":"x"}]"#,
        r#"[{"name":"x","address":"0xbb"}]"#,
        r#"[{"name":"x","address":"0x00000000000000000000000000000000000000bb","validUntil":"1"}]"#,
    ] {
        let error = identity::agents(body.as_bytes()).expect_err(body).to_string();
        assert!(error.starts_with("extraAgents"), "{error}");
    }
}

#[test]
fn the_venues_time_is_read() {
    let body = br#"{"time":1790000000123,"specialStatuses":null}"#;
    assert_eq!(identity::venue_time(body), Ok(VenueMs(1_790_000_000_123)));
    for body in ["null", "{}", r#"{"time":"1"}"#, r#"{"time":-1}"#] {
        let error = identity::venue_time(body.as_bytes()).expect_err(body).to_string();
        assert!(error.starts_with("exchangeStatus"), "{error}");
    }
}

#[test]
fn recorded_accounts() {
    let Some(cross) = recorded("rest_clearinghouseState_cross.json") else { return };
    let state = dex_account("", &cross).expect("an account");
    assert_eq!((state.value, state.withdrawable), (usd("179.007426"), usd("174.241191")));
    assert_eq!(state.time, VenueMs(1_770_118_781_558));
    let expected = HeldPosition {
        coin: coin("BTC"),
        szi: szi("0.00061"),
        entry_px: Px::parse(b"82771.8"),
        leverage: 20,
        isolated: false,
        margin_used: usd("2.383117"),
    };
    assert_eq!(state.positions, [expected]);
    let isolated = recorded("rest_clearinghouseState_isolated.json").expect("as the other");
    let state = dex_account("", &isolated).expect("an account");
    assert_eq!((state.value, state.withdrawable), (usd("8456.677271"), Usd::ZERO));
    assert!(state.positions.iter().all(|held| held.isolated) && !state.positions.is_empty());
    let other = dex_account("xyz", &isolated).expect_err("of another dex").to_string();
    assert!(other.contains("a coin of the dex \"xyz\""), "{other}");

    let spot = recorded("rest_spotClearinghouseState.json").expect("as the other");
    assert_eq!(collateral(&spot), Ok(usd("0.095154")));
    let budget = recorded("rest_userRateLimit_2025.json").expect("as the other");
    let expected = RateLimit { used: 36_589_831_368, cap: 170_043_731_737 };
    assert_eq!(rate_limit(&budget), Ok(expected));
}

#[test]
fn recorded_fills_roles_and_agents() {
    let Some(old) = recorded("rest_userFills_2023.json") else { return };
    let page = fills(&old).expect("fills");
    assert_eq!((page.rows, page.fills.len()), (25, 25));
    assert_eq!(page.fills[0].start_position, szi("4623.5"));
    assert_eq!(page.fills[0].closed_pnl, usd("-0.25686"));
    assert!(page.fills.iter().all(|fill| fill.tid == 0 && fill.cloid.is_none()));
    // The socket's rows are those of REST.
    let snapshot = recorded("ws_userFills_snapshot.json").expect("as the other");
    let snapshot: Value = serde_json::from_slice(&snapshot).expect("JSON");
    let page = fills(&bytes(&snapshot["data"]["fills"])).expect("fills");
    assert_eq!((page.rows, page.fills.len()), (11, 9), "two are dust of a spot pair");
    let role = recorded("rest_userRole_vault.json").expect("as the other");
    assert_eq!(identity::role(&role), Ok(Role::Vault));
    let agents = recorded("rest_extraAgents.json").expect("as the other");
    let agents = identity::agents(&agents).expect("agents");
    let told: Vec<_> = agents.iter().map(|agent| (&*agent.name, agent.valid_until)).collect();
    let end = |time| Some(VenueMs(time));
    assert_eq!(told, [("ok", end(1_767_776_120_478)), ("new", end(1_771_174_068_515))]);
}

/// Reads `body` as every answer there is. Only that it ends is promised.
fn read_as_all(body: &[u8]) {
    let _ = dex_account("abc", body).map_err(|error| error.to_string());
    let _ = collateral(body).map_err(|error| error.to_string());
    let _ = (mode(body), rate_limit(body), fills(body));
    let _ = (identity::role(body), identity::agents(body), identity::venue_time(body));
}

proptest! {
    #[test]
    fn damaged_answers_never_panic(
        which in 0_usize..3,
        cut in any::<prop::sample::Index>(),
        change in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let spot = json!({"balances": [{"token": 0, "total": "1.0", "hold": "0.5"}],
                          "tokenToAvailableAfterMaintenance": [[0, "1.0"]]});
        let answers = [state_answer(), json!([fill_row(5, 1), fill_row(6, 2)]), spot];
        let mut body = bytes(&answers[which]);
        for (at, byte) in change {
            let at = at.index(body.len());
            body[at] = byte;
        }
        read_as_all(&body);
        body.truncate(cut.index(body.len()));
        read_as_all(&body);
    }

    #[test]
    fn any_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_as_all(&body);
    }
}
