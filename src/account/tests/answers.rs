//! What is read from answers, and what is refused.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{abc, dexs_answer, fees_answer, limits_answer, markets_of, meta_answer, one_dex};
use crate::account::info::{DexAnswers, DexError, Listing, markets, perp_dexs, user_fees};
use crate::types::ids::{AssetId, Coin};
use crate::types::market::{MarginMode, MarketSpec};
use crate::types::num::{Rate, Ratio, Sz, Usd};

const HALF: Ratio = Ratio::from_units(500_000_000);

#[test]
fn a_universe_is_read_exactly() {
    let markets = markets_of(&abc(), &meta_answer(), &limits_answer()).expect("markets");
    let tin = MarketSpec {
        coin: Coin::new("abc:TIN").expect("a coin"),
        asset: AssetId(120_000),
        sz_decimals: 2,
        max_leverage: 20,
        margin_table: 20,
        margin_mode: MarginMode::Cross,
        fee_scale: HALF,
        growth: true,
        delisted: false,
        oi_cap: Some(Usd::from_units(250_000_000_000)), // Of perpDexs, rounded down.
        oi_cap_sz: None,                                // More than a size can be.
        at_oi_cap: true,
    };
    let gold = MarketSpec {
        coin: Coin::new("abc:GOLD").expect("a coin"),
        asset: AssetId(120_001),
        sz_decimals: 0,
        max_leverage: 5,
        margin_table: 50,
        margin_mode: MarginMode::StrictIsolated,
        fee_scale: Ratio::ONE,
        growth: false,
        oi_cap: Some(Usd::from_units(2_000_000_500_000)), // Of the limits, which come first.
        at_oi_cap: false,
        ..tin
    };
    let lead = MarketSpec {
        coin: Coin::new("abc:LEAD").expect("a coin"),
        asset: AssetId(120_002),
        sz_decimals: 6,
        max_leverage: 1,
        margin_table: 1,
        margin_mode: MarginMode::NoCross,
        delisted: true,
        oi_cap: None,
        ..gold
    };
    assert_eq!(markets, [tin, gold, lead]);
}

#[test]
fn caps_come_from_the_limits_or_the_dex_or_not_at_all() {
    let caps = |limits: &Value| -> Vec<Option<i64>> {
        let markets = markets_of(&abc(), &meta_answer(), limits).expect("markets");
        markets.iter().map(|market| market.oi_cap.map(Usd::units)).collect()
    };
    let of_dex = vec![Some(250_000_000_000), Some(1_000_000_000_000), None];
    assert_eq!(caps(&Value::Null), of_dex);
    assert_eq!(caps(&json!({})), of_dex);
    let huge = json!({"coinToOiCap": [["abc:TIN", "99999999999999999999.0"]]});
    assert_eq!(caps(&huge), vec![Some(i64::MAX), of_dex[1], None], "no cap that matters");

    let size = |text: &str| {
        let limits = json!({ "oiSzCapPerPerp": text });
        markets_of(&abc(), &meta_answer(), &limits).map(|markets| markets[0].oi_cap_sz)
    };
    assert_eq!(size("1000.5"), Ok(Some(Sz::from_units(100_050_000_000))));
    assert_eq!(size("10000000000"), Ok(None));
    assert_eq!(size("many"), Ok(Some(Sz::ZERO)), "under an unknown cap nothing is traded");
}

#[test]
fn the_fee_scale_is_the_assets_or_the_dexs_and_never_guessed() {
    let mut dexs = dexs_answer();
    let mut meta = meta_answer();
    for asset in meta["universe"].as_array_mut().expect("a list") {
        asset.as_object_mut().expect("an object").remove("deployerFeeScale");
    }
    let error = markets_of(&abc(), &meta, &Value::Null).expect_err("no scale");
    assert_eq!(
        error.to_string(),
        "meta[abc].universe[0].deployerFeeScale = missing: expected the deployer's fee scale, here \
         or in perpDexs[2].deployerFeeScale"
    );
    dexs[2]["deployerFeeScale"] = json!("0.5");
    let dex = one_dex(&dexs, "abc").expect("a dex");
    let markets = markets_of(&dex, &meta, &Value::Null).expect("markets");
    assert!(markets.iter().all(|market| market.fee_scale == HALF));
    // A finer scale than the type holds is rounded to the expensive side.
    meta["universe"][0]["deployerFeeScale"] = json!("0.30000000000000004");
    let markets = markets_of(&dex, &meta, &Value::Null).expect("markets");
    assert_eq!(markets[0].fee_scale, Ratio::from_units(300_000_001));
}

#[test]
fn fees_are_read_exactly() {
    let fees = user_fees(fees_answer().to_string().as_bytes()).expect("fees");
    assert_eq!(Some(fees.cross_rate), Rate::parse(b"0.00034"));
    assert_eq!(Some(fees.referral_discount), Rate::parse(b"0.04"));
    let fees = user_fees(br#"{"userCrossRate":"0.0003000000000001"}"#).expect("fees");
    assert_eq!(Some(fees.cross_rate), Rate::parse(b"0.000300000001"), "rounded up");
    assert_eq!(fees.referral_discount, Rate::ZERO);
    for body in [
        "{}",
        "null",
        "[]",
        "",
        r#"{"userCrossRate":null}"#,
        r#"{"userCrossRate":0.00045}"#,
        r#"{"userCrossRate":"-0.00045"}"#,
        r#"{"userCrossRate":"1.1"}"#,
        r#"{"userCrossRate":"0.00045","activeReferralDiscount":"1.1"}"#,
        r#"{"userCrossRate":"0.00045","activeReferralDiscount":"half"}"#,
    ] {
        let error = user_fees(body.as_bytes()).expect_err(body);
        assert!(error.path.starts_with("userFees"), "{body}: {error}");
    }
}

#[test]
fn an_unknown_dex_is_named_with_those_that_exist() {
    let told = one_dex(&dexs_answer(), "xyz").expect_err("no such dex").to_string();
    assert_eq!(told, "venue.dexes: there is no dex \"xyz\" here; known are other, abc");
    let told = one_dex(&json!([null]), "xyz").expect_err("no such dex").to_string();
    assert_eq!(told, "venue.dexes: there is no dex \"xyz\" here; known are none");
    let error = one_dex(&json!([{"name": "abc"}, {"name": "abc"}]), "abc").expect_err("twice");
    assert!(matches!(error, DexError::Malformed(_)), "{error}");
    let null = markets_of(&abc(), &Value::Null, &Value::Null).expect_err("no such dex");
    assert!(null.to_string().starts_with("meta[abc] = null: expected an object"), "{null}");
}

/// B1: an entry that cannot be read costs its own market, and its place in the list counts.
#[test]
fn an_odd_entry_costs_its_market_and_no_other() {
    for (at, key, value, told) in [
        (1, "szDecimals", json!("2"), "universe[1].szDecimals = \"2\": expected a whole number in"),
        (1, "szDecimals", json!(7), "universe[1].szDecimals = 7"),
        (1, "szDecimals", json!(2.5), "universe[1].szDecimals = 2.5"),
        (1, "szDecimals", Value::Null, "universe[1].szDecimals = missing"),
        (0, "maxLeverage", json!(0), "universe[0].maxLeverage = 0"),
        (0, "maxLeverage", json!(4_294_967_296_u64), "universe[0].maxLeverage = 4294967296"),
        (0, "marginTableId", json!(-1), "universe[0].marginTableId = -1"),
        (0, "name", json!("abc:"), "universe[0].name = \"abc:\""),
        (0, "name", json!("TIN"), "universe[0].name = \"TIN\""),
        (0, "name", json!("abcd:TIN"), "universe[0].name = \"abcd:TIN\""),
        (0, "name", json!("abc:T N"), "universe[0].name = \"abc:T N\""),
        (0, "name", json!("abc:\u{1b}"), "universe[0].name = \"abc:\\u001b\""),
        (0, "name", json!("abc:0123456789012345678901234567890123456789"), "universe[0].name = "),
        (0, "name", json!("abc:STAR*\""), "universe[0].name = "),
        (0, "name", Value::Null, "universe[0].name = missing"),
        (2, "isDelisted", json!("yes"), "universe[2].isDelisted = \"yes\": expected true or false"),
        (2, "marginMode", json!("isolatedOnly2"), "universe[2].marginMode = \"isolatedOnly2\""),
        (2, "growthMode", json!("tapered"), "universe[2].growthMode = \"tapered\""),
        (2, "deployerFeeScale", json!(0.5), "universe[2].deployerFeeScale = 0.5"),
    ] {
        let mut meta = meta_answer();
        let whole = listing(&meta, &limits_answer(), b"[]").markets;
        meta["universe"][at][key] = value;
        let read = listing(&meta, &limits_answer(), b"[]");
        let others: Vec<_> =
            whole.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, m)| *m).collect();
        assert_eq!(read.markets, others, "{told}");
        let [odd] = &read.odd[..] else { panic!("{:?}", read.odd) };
        assert!(odd.why.starts_with(&format!("meta[abc].{told}")), "{}", odd.why);
        assert_eq!(odd.asset, Some(whole[at].asset));
        if key != "name" {
            assert_eq!(odd.coin, Some(whole[at].coin));
        }
    }
    // Streams could not tell two of one name apart.
    let mut meta = meta_answer();
    meta["universe"][1]["name"] = json!("abc:TIN");
    let read = listing(&meta, &limits_answer(), b"[]");
    assert_eq!(read.markets.len(), 1);
    assert_eq!(read.odd.len(), 2);
    assert!(read.odd.iter().all(|odd| odd.why.ends_with("expected each name once")));
    let mut meta = meta_answer();
    meta["universe"][0] = json!(7);
    assert_eq!(listing(&meta, &limits_answer(), b"[]").markets.len(), 2, "no entry at all");
}

/// B1: an odd entry of the lists of dexes and caps costs at most its market.
#[test]
fn odd_entries_of_other_lists_leave_a_market_without_a_cap_at_most() {
    // GOLD's cap of the limits is odd: that of the dex counts.
    let mut limits = limits_answer();
    limits["coinToOiCap"][0] = json!(["abc:GOLD"]);
    let read = listing(&meta_answer(), &limits, b"[7, \"abc:GOLD\"]");
    let caps: Vec<_> = read.markets.iter().map(|market| market.oi_cap.map(Usd::units)).collect();
    assert_eq!(caps, [Some(250_000_000_000), Some(1_000_000_000_000), None]);
    assert_eq!(read.markets.iter().map(|m| m.at_oi_cap).collect::<Vec<_>>(), [false, true, false]);
    let whys: Vec<&str> = read.odd.iter().map(|odd| odd.why.as_str()).collect();
    assert_eq!(
        whys,
        [
            "perpDexLimits[abc].coinToOiCap[0] = [\"abc:GOLD\"]: expected a pair",
            "perpsAtOpenInterestCap[abc][0] = 7: expected a text"
        ]
    );
    assert_eq!(read.odd[0].coin, Coin::new("abc:GOLD"));
    // Both of TIN's are: it has none, and a market without a cap is not traded.
    let mut dexs = dexs_answer();
    for cap in dexs[2]["assetToStreamingOiCap"].as_array_mut().expect("caps") {
        if cap[0] == "abc:TIN" {
            cap[1] = json!(0.5);
        }
    }
    dexs[1] = json!("a dex?");
    let dex = one_dex(&dexs, "abc").expect("a dex");
    let markets = markets_of(&dex, &meta_answer(), &Value::Null).expect("markets");
    assert_eq!(markets[0].oi_cap, None);
    assert_eq!(markets[0].asset, AssetId(120_000), "the place of the odd dex counts");
}

/// Of the dex `abc`, whose frames make sense.
fn listing(meta: &Value, limits: &Value, at_cap: &[u8]) -> Listing {
    let (meta, limits) = (meta.to_string(), limits.to_string());
    let answers = DexAnswers { meta: meta.as_bytes(), limits: limits.as_bytes(), at_cap };
    markets(&abc(), answers).expect("a listing")
}

#[test]
fn an_answer_whose_frame_makes_no_sense_is_refused_with_its_place() {
    let meta = meta_answer().to_string();
    for (meta, limits, at_cap, told) in [
        ("{\"universe\":[", "null", "[]", "meta[abc] = {\"universe\":[: expected JSON (EOF"),
        ("{}", "null", "[]", "meta[abc].universe = missing"),
        ("[]", "null", "[]", "meta[abc] = []: expected an object"),
        (&meta, "[]", "[]", "perpDexLimits[abc] = []: expected an object"),
        (&meta, "{\"coinToOiCap\":7}", "[]", "perpDexLimits[abc].coinToOiCap = 7: expected a list"),
        (&meta, "null", "{}", "perpsAtOpenInterestCap[abc] = {}: expected a list"),
        // The answer to another question.
        (
            "{\"universe\":[{\"name\":\"other:TIN\"}]}",
            "null",
            "[]",
            "meta[abc].universe[0].name = \"other:TIN\"",
        ),
    ] {
        let [meta, limits, at_cap] = [meta, limits, at_cap].map(str::as_bytes);
        let error = markets(&abc(), DexAnswers { meta, limits, at_cap }).expect_err(told);
        assert!(error.to_string().starts_with(told), "{error}");
    }
    let empty = listing(&json!({"universe": []}), &Value::Null, b"[]");
    assert!(empty.markets.is_empty(), "a dex may list nothing");
}

#[test]
fn ids_stay_within_their_dex() {
    let asset = |at: usize| {
        json!({"name": format!("abc:A{at}"), "szDecimals": 0, "maxLeverage": 1,
               "marginTableId": 1, "deployerFeeScale": "1.0"})
    };
    let universe: Vec<Value> = (0..=10_000).map(asset).collect();
    let whole = json!({"universe": universe[..10_000]});
    let markets = markets_of(&abc(), &whole, &Value::Null).expect("markets");
    assert_eq!(markets.last().map(|market| market.asset), Some(AssetId(129_999)));
    let read = listing(&json!({ "universe": universe }), &Value::Null, b"[]");
    assert_eq!((read.markets.len(), read.odd.len()), (10_000, 1));
    assert!(read.odd[0].why.starts_with("meta[abc].universe[10000] = "), "{:?}", read.odd);
    assert_eq!(read.odd[0].asset, None);
}

/// A recording, if the recordings are here.
pub(super) fn recorded(name: &str) -> Option<Vec<u8>> {
    let dir = std::env::var_os("HIP3_FRAMES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/frames"),
        PathBuf::from,
    );
    let read = std::fs::read(dir.join(name)).ok();
    if read.is_none() {
        println!("skipped: no recording {name}");
    }
    read
}

#[test]
fn recorded_universe_of_mainnet() {
    let names = [
        "rest_perpDexs_mainnet_2026-09.json",
        "rest_meta_xyz_2026-09.json",
        "rest_perpDexLimits_xyz.json",
    ];
    let [Some(dexs), Some(meta), Some(limits)] = names.map(recorded) else { return };
    let dexes = perp_dexs(&dexs, &["io".to_owned(), "xyz".to_owned()]).expect("dexes");
    let found: Vec<_> = dexes.iter().map(|dex| (&*dex.name, dex.index, dex.fee_scale)).collect();
    assert_eq!(found, [("io", 10, None), ("xyz", 1, None)]);
    let answers = DexAnswers { meta: &meta, limits: &limits, at_cap: b"[]" };
    let markets = markets(&dexes[1], answers).expect("markets").markets;
    assert_eq!(markets.len(), 126);
    assert_eq!(markets.iter().filter(|market| market.delisted).count(), 17);
    assert_eq!(markets.iter().filter(|market| !market.growth).count(), 9);
    let modes = |mode| markets.iter().filter(|market| market.margin_mode == mode).count();
    use MarginMode::{Cross, NoCross, StrictIsolated};
    assert_eq!([modes(Cross), modes(NoCross), modes(StrictIsolated)], [19, 98, 9]);
    let of = |coin: &str| *markets.iter().find(|m| m.coin.as_str() == coin).expect(coin);
    for (coin, id, decimals, leverage, cap) in [
        ("xyz:XYZ100", 110_000, 4, 30, None),
        ("xyz:TSLA", 110_001, 3, 20, None),
        ("xyz:AAPL", 110_009, 3, 20, Some(200_000_000)),
        ("xyz:SILVER", 110_026, 2, 25, Some(500_000_000)),
        ("xyz:CL", 110_029, 3, 20, Some(1_000_000_000)),
    ] {
        let market = of(coin);
        assert_eq!(market.asset, AssetId(id), "{coin}");
        assert_eq!((market.sz_decimals, market.max_leverage), (decimals, leverage), "{coin}");
        assert_eq!(market.fee_scale, Ratio::ONE, "{coin}");
        if let Some(cap) = cap {
            assert_eq!(market.oi_cap, Some(Usd::from_units(cap * 1_000_000)), "{coin}");
        }
    }
    assert_eq!(of("xyz:SILVER").oi_cap_sz, None, "20 billion coins are no cap");
    assert_eq!(of("xyz:LRCX").oi_cap, None, "no list names it");
    assert!(of("xyz:SILVER").growth && !of("xyz:GOLD").growth);
    assert!(of("xyz:URANIUM").delisted);
}

#[test]
fn recorded_older_shapes() {
    let names = ["rest_perpDexs_testnet_2026-02.json", "rest_meta_xyz_2026-07-19_first5.json"];
    let [Some(dexs), Some(meta)] = names.map(recorded) else { return };
    let wanted = ["xyz", "flx", "birb", "slpy"].map(str::to_owned);
    let dexes = perp_dexs(&dexs, &wanted).expect("dexes");
    let found: Vec<_> =
        dexes.iter().map(|dex| (dex.index, dex.fee_scale.map(Ratio::units))).collect();
    let scale = |tenths: i64| Some(tenths * 100_000_000);
    assert_eq!(found, [(65, scale(10)), (66, scale(9)), (109, scale(20)), (55, scale(0))]);
    let answers = DexAnswers { meta: &meta, limits: b"null", at_cap: b"[]" };
    let markets = markets(&dexes[0], answers).expect("markets").markets;
    let ids: Vec<u32> = markets.iter().map(|market| market.asset.0).collect();
    assert_eq!(ids, [750_000, 750_001, 750_002, 750_003, 750_004]);
    let caps: Vec<_> = markets.iter().map(|market| market.oi_cap.map(Usd::units)).collect();
    assert_eq!(caps[0], Some(30_000_000_000_000));
    assert_eq!(markets[4].margin_mode, MarginMode::NoCross);
    assert!(markets.iter().all(|market| market.fee_scale == Ratio::ONE));
}

#[test]
fn recorded_fees() {
    let Some(body) = recorded("rest_userFees.json") else { return };
    let fees = user_fees(&body).expect("fees");
    assert_eq!(Some(fees.cross_rate), Rate::parse(b"0.00034"));
    assert_eq!(fees.referral_discount, Rate::ZERO);
}

/// Reads `body` as every answer there is. Only that it ends is promised.
fn read_as_all(body: &[u8]) {
    let dex = abc();
    let _ = perp_dexs(body, &["abc".to_owned()]).map_err(|error| error.to_string());
    let _ = user_fees(body).map_err(|error| error.to_string());
    for (meta, limits, at_cap) in
        [(body, &b"null"[..], &b"[]"[..]), (b"{}", body, b"[]"), (b"{}", b"null", body)]
    {
        let _ = markets(&dex, DexAnswers { meta, limits, at_cap }).map_err(|e| e.to_string());
    }
}

proptest! {
    #[test]
    fn damaged_answers_never_panic(
        which in 0_usize..4,
        cut in 0.0..1.0_f64,
        change in proptest::collection::vec((0.0..1.0_f64, any::<u8>()), 0..4),
    ) {
        let answer = [dexs_answer(), meta_answer(), limits_answer(), fees_answer()];
        let mut body = answer[which].to_string().into_bytes();
        let place = |share: f64, len: usize| (share * len as f64) as usize;
        for (at, byte) in change {
            let at = place(at, body.len());
            body[at] = byte;
        }
        read_as_all(&body);
        body.truncate(place(cut, body.len()));
        read_as_all(&body);
    }

    #[test]
    fn any_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_as_all(&body);
    }
}
