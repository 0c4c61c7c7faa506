//! What `/info` answers.

use hip3::types::num::Usd;
use hip3::venue::Settings;
use serde_json::{Value, json};

use crate::support::Floor;

const USER: &str = "0x00000000000000000000000000000000000000ab";

#[test]
fn bad_requests_get_the_venues_status_and_words() {
    let mut floor = Floor::still();
    for (body, status, words) in [
        ("", 400, "Failed to parse the request body as JSON"),
        ("{\"type\":", 400, "Failed to parse the request body as JSON"),
        ("{}", 422, "Failed to deserialize the JSON body into the target type"),
        ("[]", 422, "Failed to deserialize the JSON body into the target type"),
        (r#"{"type":"nothing"}"#, 422, "Failed to deserialize"),
        (r#"{"type":"meta","dex":5}"#, 422, "Failed to deserialize"),
        (r#"{"type":"l2Book"}"#, 422, "Failed to deserialize"),
        (r#"{"type":"userFees","user":"0x12"}"#, 422, "Failed to deserialize"),
        (r#"{"type":"perpDexLimits"}"#, 422, "Failed to deserialize"),
        (r#"{"type":"meta","dex":"zzz"}"#, 200, "null"),
        (r#"{"type":"metaAndAssetCtxs","dex":"zzz"}"#, 200, "null"),
        (r#"{"type":"l2Book","coin":"zzz:A"}"#, 200, "null"),
        (r#"{"type":"perpDexLimits","dex":""}"#, 200, "null"),
    ] {
        let (got, text) = floor.info(body);
        assert_eq!(got, status, "{body}");
        assert!(text.starts_with(words), "{body}: {text}");
    }
}

#[test]
fn ids_follow_meta_and_lists_are_alphabetical() {
    let mut floor = Floor::new(Settings::default());
    let dexes = floor.ask(r#"{"type":"perpDexs"}"#);
    assert!(dexes[0].is_null());
    assert_eq!((&dexes[1]["name"], &dexes[2]["name"]), (&json!("xyz"), &json!("nova")));
    let meta = floor.ask(r#"{"type":"meta","dex":"xyz"}"#);
    let universe = meta["universe"].as_array().unwrap();
    assert_eq!(universe.len(), 126);
    let delisted = universe.iter().filter(|asset| asset["isDelisted"] == true).count();
    assert_eq!(delisted, 17);
    let caps = dexes[1]["assetToStreamingOiCap"].as_array().unwrap();
    let named: Vec<&str> = caps.iter().map(|pair| pair[0].as_str().unwrap()).collect();
    assert!(named.is_sorted());
    let live: Vec<&str> = universe
        .iter()
        .filter(|asset| asset["isDelisted"].is_null())
        .map(|asset| asset["name"].as_str().unwrap())
        .collect();
    assert_eq!(named.len(), live.len());
    assert_ne!(named, live, "not in meta order");
    let limits = floor.ask(r#"{"type":"perpDexLimits","dex":"xyz"}"#);
    assert_eq!(limits["coinToOiCap"], dexes[1]["assetToStreamingOiCap"]);
    for (key, some, all) in
        [("growthMode", 120, true), ("marginMode", 80, true), ("onlyIsolated", 80, true)]
    {
        let count = universe.iter().filter(|asset| asset.get(key).is_some()).count();
        assert!(count >= some && (count < 126) == all, "{key}: {count}");
    }
    assert!(universe.iter().any(|asset| asset["deployerFeeScale"] == "0.5"));
    let metas = floor.ask(r#"{"type":"allPerpMetas"}"#);
    assert_eq!(metas[1], meta);
    assert!(metas[0]["universe"][0].get("deployerFeeScale").is_none(), "the main dex has none");
}

#[test]
fn contexts_go_with_meta_by_position() {
    let mut floor = Floor::new(Settings::default());
    let answer = floor.ask(r#"{"type":"metaAndAssetCtxs","dex":"xyz"}"#);
    let (universe, ctxs) =
        (answer[0]["universe"].as_array().unwrap(), answer[1].as_array().unwrap());
    assert_eq!(universe.len(), ctxs.len());
    for (asset, ctx) in universe.iter().zip(ctxs) {
        let delisted = asset["isDelisted"] == true;
        for key in ["midPx", "premium", "impactPxs"] {
            assert_eq!(ctx[key].is_null(), delisted, "{asset} {ctx}");
        }
        for key in [
            "funding",
            "openInterest",
            "prevDayPx",
            "dayNtlVlm",
            "oraclePx",
            "markPx",
            "dayBaseVlm",
        ] {
            assert!(ctx[key].as_str().unwrap().contains('.'), "{key} {ctx}");
        }
    }
    let mids = floor.ask(r#"{"type":"allMids","dex":"xyz"}"#);
    assert_eq!(mids.as_object().unwrap().len(), 109);
}

#[test]
fn an_empty_account_is_answered_as_one() {
    let mut floor = Floor::still();
    let mut of =
        |kind: &str| floor.ask(&format!(r#"{{"type":"{kind}","user":"{USER}","dex":"xyz"}}"#));
    assert_eq!(of("userRole"), json!({ "role": "missing" }));
    assert_eq!(of("userFees")["userCrossRate"], "0.00045");
    assert_eq!(of("userRateLimit")["nRequestsCap"], 10_000);
    assert_eq!(of("openOrders"), json!([]));
    assert_eq!(of("spotClearinghouseState")["balances"], json!([]));
    let state = of("clearinghouseState");
    assert_eq!(state["marginSummary"]["accountValue"], "0.0");
    assert_eq!(state["assetPositions"], json!([]));
}

#[test]
fn the_clock_check_lags_by_a_fifth_of_a_second() {
    let mut floor = Floor::still();
    let status = floor.ask(r#"{"type":"exchangeStatus"}"#);
    assert_eq!(floor.venue.time(floor.now).0 - status["time"].as_i64().unwrap(), 200);
}

#[test]
fn weight_runs_out_and_comes_back() {
    let mut floor = Floor::still();
    for _ in 0..60 {
        assert_eq!(floor.info(r#"{"type":"perpDexs"}"#).0, 200);
    }
    assert_eq!(floor.info(r#"{"type":"exchangeStatus"}"#).0, 429);
    floor.pass(60_000);
    assert_eq!(floor.info(r#"{"type":"exchangeStatus"}"#).0, 200);
}

#[test]
fn levers_show_in_the_answers() {
    let mut floor = Floor::still();
    let asset = |floor: &mut Floor, at: usize| -> Value {
        floor.ask(r#"{"type":"meta","dex":"xyz"}"#)["universe"][at].clone()
    };
    assert_eq!(asset(&mut floor, 2)["growthMode"], "enabled");
    floor.venue.set_growth("xyz:TSLA", false).unwrap();
    floor.venue.set_sz_decimals("xyz:TSLA", 1).unwrap();
    floor.venue.set_max_leverage("xyz:TSLA", 5).unwrap();
    let changed = asset(&mut floor, 2);
    assert!(changed.get("growthMode").is_none());
    assert_eq!((&changed["szDecimals"], &changed["maxLeverage"]), (&json!(1), &json!(5)));
    let now = floor.now;
    let name = floor.venue.append_market(now);
    assert_eq!(asset(&mut floor, 3)["name"], name.as_str());
    floor.venue.delist("xyz:TSLA").unwrap();
    assert_eq!(asset(&mut floor, 2)["isDelisted"], true);
    floor.venue.set_oi_cap(&name, Usd::from_units(1_000_000)).unwrap();
    let capped = floor.ask(r#"{"type":"perpsAtOpenInterestCap","dex":"xyz"}"#);
    assert_eq!(capped, json!([name]));
}
