//! The promises of the REST side: exact values, whole readings, and no byte that breaks it.

mod account;
mod answers;
mod reader;
mod state;

use serde_json::{Value, json};

use crate::account::info::{Dex, DexAnswers, DexError, markets, perp_dexs};
use crate::account::json::Malformed;
use crate::types::market::MarketSpec;

/// Two dexes behind the main one, as `perpDexs` lists them today.
fn dexs_answer() -> Value {
    json!([
        null,
        {"name": "other", "fullName": "Other", "assetToStreamingOiCap": "as it likes"},
        {"name": "abc", "fullName": "A B C", "oracleUpdater": null, "news": {"unknown": [1.5]},
         "assetToStreamingOiCap": [["abc:GOLD", "1000000.0"], ["abc:TIN", "250000.0000009"]]},
    ])
}

/// Three assets: plain, isolated and delisted.
fn meta_answer() -> Value {
    json!({
        "collateralToken": 0,
        "marginTables": [[50, {"description": "", "marginTiers": []}]],
        "universe": [
            {"name": "abc:TIN", "szDecimals": 2, "maxLeverage": 20, "marginTableId": 20,
             "growthMode": "enabled", "deployerFeeScale": "0.5", "unknown": null},
            {"deployerFeeScale": "1.0", "marginTableId": 50, "maxLeverage": 5, "szDecimals": 0,
             "name": "abc:GOLD", "onlyIsolated": true, "marginMode": "strictIsolated"},
            {"name": "abc:LEAD", "szDecimals": 6, "maxLeverage": 1, "marginTableId": 1,
             "deployerFeeScale": "1.0", "isDelisted": true, "onlyIsolated": true,
             "marginMode": null, "growthMode": null},
        ],
    })
}

fn limits_answer() -> Value {
    json!({"totalOiCap": "5000000.0", "oiSzCapPerPerp": "20000000000.0",
           "coinToOiCap": [["abc:GOLD", "2000000.5"]]})
}

fn fees_answer() -> Value {
    json!({"userCrossRate": "0.00034", "userAddRate": "0.0001", "activeReferralDiscount": "0.04"})
}

fn one_dex(answer: &Value, name: &str) -> Result<Dex, DexError> {
    perp_dexs(answer.to_string().as_bytes(), &[name.to_owned()])
        .map(|dexes| dexes.into_iter().next().expect("one was asked for"))
}

fn abc() -> Dex {
    one_dex(&dexs_answer(), "abc").expect("a dex")
}

fn markets_of(dex: &Dex, meta: &Value, limits: &Value) -> Result<Vec<MarketSpec>, Malformed> {
    let (meta, limits) = (meta.to_string(), limits.to_string());
    let answers =
        DexAnswers { meta: meta.as_bytes(), limits: limits.as_bytes(), at_cap: b"[\"abc:TIN\"]" };
    markets(dex, answers).map(|listing| listing.markets)
}
