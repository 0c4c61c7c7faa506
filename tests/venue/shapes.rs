//! Our frames have the shape of recorded ones, where recordings are at hand.

use std::path::PathBuf;

use hip3::venue::Settings;
use serde_json::Value;

use crate::support::Floor;

const USER: &str = "0x00000000000000000000000000000000000000ab";

#[allow(clippy::print_stdout, reason = "says what it skips")]
/// A recorded frame, or `None` with a line that says so.
fn recorded(name: &str) -> Option<Value> {
    let root = std::env::var_os("HIP3_FRAMES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/frames"),
        PathBuf::from,
    );
    match std::fs::read_to_string(root.join(name)) {
        Ok(text) => Some(serde_json::from_str(&text).unwrap()),
        Err(_) => {
            println!("skipped: no recording {name}");
            None
        }
    }
}

/// Keys, nesting and JSON types: of arrays their first item, of decimals that they are decimal.
fn shape(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let fields: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", shape(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.first().map_or(String::new(), shape)),
        Value::String(text) if text.parse::<f64>().is_ok() && text.contains('.') => {
            "decimal".into()
        }
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "bool".into(),
        Value::Null => "null".into(),
    }
}

#[test]
fn streams_have_the_recorded_shape() {
    let mut floor = Floor::new(Settings::default());
    let conn = floor.connect();
    floor.pass(30_000);
    for (subscription, name) in [
        (r#"{"type":"bbo","coin":"xyz:AAPL"}"#, "ws_bbo_xyz_AAPL.json"),
        (r#"{"type":"activeAssetCtx","coin":"xyz:US100"}"#, "ws_activeAssetCtx_xyz_XYZ100.json"),
        (r#"{"type":"l2Book","coin":"xyz:US500"}"#, "ws_l2Book_xyz_SP500_3levels.json"),
        (r#"{"type":"l2Book","coin":"BTC","fast":true}"#, "ws_ack_l2Book_fast.json"),
        (r#"{"type":"assetCtxs","dex":"xyz"}"#, "ws_assetCtxs_xyz.json"),
    ] {
        let Some(recorded) = recorded(name) else { return };
        floor.heard();
        floor.subscribe(conn, subscription);
        floor.pass(1_100);
        let frames = floor.frames();
        let channel = &recorded["channel"];
        let ours = frames.iter().find(|frame| frame["channel"] == *channel).unwrap();
        assert_eq!(shape(ours), shape(&recorded), "{name}");
        floor.say(conn, &format!(r#"{{"method":"unsubscribe","subscription":{subscription}}}"#));
    }
}

#[test]
fn answers_have_the_recorded_shape() {
    let mut floor = Floor::new(Settings::default());
    let user = |kind: &str| format!(r#"{{"type":"{kind}","user":"{USER}"}}"#);
    for (body, name) in [
        (r#"{"type":"perpDexLimits","dex":"xyz"}"#.to_owned(), "rest_perpDexLimits_xyz.json"),
        (user("userRole"), "rest_userRole_vault.json"),
    ] {
        let Some(recorded) = recorded(name) else { return };
        assert_eq!(shape(&floor.ask(&body)), shape(&recorded), "{name}");
    }
    // Of the larger ones the keys: their lists are filled differently.
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let Some(state) = recorded("rest_clearinghouseState_cross.json") else { return };
    assert_eq!(keys(&floor.ask(&user("clearinghouseState"))), keys(&state));
    let Some(dexes) = recorded("rest_perpDexs_mainnet_2026-09.json") else { return };
    assert_eq!(keys(&floor.ask(r#"{"type":"perpDexs"}"#)[1]), keys(&dexes[1]));
    let Some(fees) = recorded("rest_userFees.json") else { return };
    assert_eq!(keys(&floor.ask(&user("userFees"))), keys(&fees));
    let Some(meta) = recorded("rest_meta_xyz_2026-09.json") else { return };
    let ours = floor.ask(r#"{"type":"meta","dex":"xyz"}"#);
    assert_eq!(keys(&ours), keys(&meta));
    let known: Vec<String> = meta["universe"].as_array().unwrap().iter().flat_map(&keys).collect();
    let all = ours["universe"].as_array().unwrap().iter().flat_map(&keys);
    all.for_each(|key| assert!(known.contains(&key), "{key}"));
}
