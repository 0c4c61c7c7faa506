//! Frames written for these tests after PROTOCOL.md §2; coins of a dex that does not exist.

use hip3::feed::message::Channel;

/// Coins that are watched, in the order of their market ids.
pub(crate) const COINS: [&str; 3] = ["abc:GOLD", "abc:OIL", "WXY"];

/// `bbo` frames, and whether they have the usual shape.
pub(crate) const QUOTES: &[(&str, bool)] = &[
    (
        r#"{"channel":"bbo","data":{"coin":"abc:GOLD","time":1790000000123,"bbo":[{"px":"4051.2","sz":"0.125","n":3},{"px":"4051.9","sz":"12.0","n":1}]}}"#,
        true,
    ),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":0,"bbo":[null,{"px":"0.00000001","sz":"9999999999.99999999","n":0}]}}"#,
        true,
    ),
    (
        r#"{"channel":"bbo","data":{"coin":"WXY","time":999999999999999999,"bbo":[{"px":"007.50","sz":"0.0","n":12},null]}}"#,
        true,
    ),
    (r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,null]}}"#, true),
    (
        r#" {"data": {"bbo": [{"n":1, "sz":"1.5", "px":"2.50", "px2":[{"px":1}]}, {"px":2.75,"sz":3}], "time":1790000000124, "coin":"abc\u003aGO\u004cD"}, "channel":"bbo"} "#,
        false,
    ),
    (
        "{\"channel\":\"bbo\",\"data\":{\"coin\":\"caf\u{e9}\",\"time\":9223372036854775807,\"bbo\":[{\"px\":\"1\",\"sz\":\"2\"},{\"p\\u0078\":1e3,\"sz\":1.0e-7,\"n\":null}]},\"new\":[]}",
        false,
    ),
];

/// `activeAssetCtx` frames, and whether they have the usual shape.
pub(crate) const CONTEXTS: &[(&str, bool)] = &[
    (
        r#"{"channel":"activeAssetCtx","data":{"coin":"abc:GOLD","ctx":{"funding":"-0.0000101","openInterest":"8123.4567890123","prevDayPx":"4049.0","dayNtlVlm":"31415926.5358979","premium":"-0.0003","oraclePx":"4051.55","markPx":"4051.4","midPx":"4051.45","impactPxs":["4051.11","4051.987"],"dayBaseVlm":"7755.1"}}}"#,
        true,
    ),
    (
        r#"{"channel":"activeAssetCtx","data":{"coin":"abc:OIL","ctx":{"funding":"0.0","openInterest":"0.0","prevDayPx":"61.5","dayNtlVlm":"0.0","premium":null,"oraclePx":"61.2","markPx":"61.5","midPx":null,"impactPxs":null,"dayBaseVlm":"0.0"}}}"#,
        true,
    ),
    (
        r#"{"channel":"activeAssetCtx","data":{"ctx":{"markPx":61.25,"oraclePx":null,"openInterest":12.625,"depth":{"midPx":"x"}},"coin":"abc:OIL"}}"#,
        false,
    ),
    (r#"{"channel":"activeAssetCtx","data":{"coin":"WXY","ctx":{}}}"#, false),
];

/// Frames that are no market data.
pub(crate) const OTHERS: &[&str] = &[
    r#"{"channel":"pong"}"#,
    r#"{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"activeAssetCtx","coin":"abc:OIL"}}}"#,
    r#"{"channel":"error","data":"Already subscribed: {\"type\":\"bbo\",\"coin\":\"abc:OIL\"}"}"#,
    r#"{"channel":"error","data":"Invalid subscription {\"type\":\"b\u0062o\"}"}"#,
    r#"{"channel":"trades","data":[]}"#,
    r#"{"channel":"post","data":{"id":7,"response":{"type":"info","payload":{"type":"l2Book","data":null}}}}"#,
    r#"{"data":{"isSnapshot":true,"user":"0x00","fills":[]},"channel":"userFills"}"#,
    r#"{"channel":"activeSpotAssetCtx","data":{"coin":"@7","ctx":{"markPx":"8.5"}}}"#,
];

/// Known keys that occur twice.
pub(crate) const DOUBLED: &[&str] = &[
    r#"{"channel":"bbo","channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,null]}}"#,
    r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,null]},"data":1}"#,
    r#"{"channel":"bbo","data":{"coin":"abc:OIL","coin":"abc:OIL","time":1,"bbo":[null,null]}}"#,
    r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"ti\u006de":1,"bbo":[null,null]}}"#,
    r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,null],"bbo":null}}"#,
    r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,{"px":"1","sz":"1","px":"2"}]}}"#,
    r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,{"px":"1","sz":"1","sz":"1"}]}}"#,
    r#"{"channel":"activeAssetCtx","data":{"coin":"abc:OIL","ctx":{"oraclePx":"1","oraclePx":null}}}"#,
    r#"{"channel":"activeAssetCtx","data":{"coin":"abc:OIL","ctx":{"premium":null,"premium":null}}}"#,
    r#"{"channel":"activeAssetCtx","data":{"coin":"abc:OIL","ctx":{},"ctx":{}}}"#,
];

/// Frames of JSON that hold what cannot be a value.
pub(crate) const UNFIT: &[(&str, Channel)] = &[
    (r#"{"channel":"bbo"}"#, Channel::Bbo),
    (r#"{"channel":"bbo","data":null}"#, Channel::Bbo),
    (r#"{"channel":"bbo","data":[]}"#, Channel::Bbo),
    (r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1}}"#, Channel::Bbo),
    (r#"{"channel":"bbo","data":{"coin":"abc:OIL","bbo":[null,null]}}"#, Channel::Bbo),
    (r#"{"channel":"bbo","data":{"time":1,"bbo":[null,null]}}"#, Channel::Bbo),
    (r#"{"channel":"bbo","data":{"coin":7,"time":1,"bbo":[null,null]}}"#, Channel::Bbo),
    (r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":-1,"bbo":[null,null]}}"#, Channel::Bbo),
    (r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1.5,"bbo":[null,null]}}"#, Channel::Bbo),
    (r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":"1","bbo":[null,null]}}"#, Channel::Bbo),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":9223372036854775808,"bbo":[null,null]}}"#,
        Channel::Bbo,
    ),
    (r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":null}}"#, Channel::Bbo),
    (r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null]}}"#, Channel::Bbo),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,null,null]}}"#,
        Channel::Bbo,
    ),
    (r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":["1","2"]}}"#, Channel::Bbo),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,{"px":"-1","sz":"1","n":1}]}}"#,
        Channel::Bbo,
    ),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,{"px":-1,"sz":"1","n":1}]}}"#,
        Channel::Bbo,
    ),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,{"px":"1","sz":"-0.5","n":1}]}}"#,
        Channel::Bbo,
    ),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,{"px":"1e2","sz":"1","n":1}]}}"#,
        Channel::Bbo,
    ),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,{"px":"","sz":"1","n":1}]}}"#,
        Channel::Bbo,
    ),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,{"px":"1","sz":null,"n":1}]}}"#,
        Channel::Bbo,
    ),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,{"sz":"1","n":1}]}}"#,
        Channel::Bbo,
    ),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,{"px":"0.000000001","sz":"1","n":1}]}}"#,
        Channel::Bbo,
    ),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,{"px":"10000000000","sz":"1","n":1}]}}"#,
        Channel::Bbo,
    ),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,{"px":123456789.12345678,"sz":"1","n":1}]}}"#,
        Channel::Bbo,
    ),
    (
        r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,{"px":1e300,"sz":"1","n":1}]}}"#,
        Channel::Bbo,
    ),
    (r#"{"channel":"activeAssetCtx","data":{"coin":"abc:OIL"}}"#, Channel::ActiveAssetCtx),
    (
        r#"{"channel":"activeAssetCtx","data":{"coin":"abc:OIL","ctx":null}}"#,
        Channel::ActiveAssetCtx,
    ),
    (r#"{"channel":"activeAssetCtx","data":{"ctx":{}}}"#, Channel::ActiveAssetCtx),
    (
        r#"{"channel":"activeAssetCtx","data":{"coin":"abc:OIL","ctx":{"oraclePx":"-61.2"}}}"#,
        Channel::ActiveAssetCtx,
    ),
    (
        r#"{"channel":"activeAssetCtx","data":{"coin":"abc:OIL","ctx":{"markPx":true}}}"#,
        Channel::ActiveAssetCtx,
    ),
    (
        r#"{"channel":"activeAssetCtx","data":{"coin":"abc:OIL","ctx":{"midPx":["1"]}}}"#,
        Channel::ActiveAssetCtx,
    ),
    (
        r#"{"channel":"activeAssetCtx","data":{"coin":"abc:OIL","ctx":{"openInterest":"-1.0"}}}"#,
        Channel::ActiveAssetCtx,
    ),
    (
        r#"{"channel":"activeAssetCtx","data":{"coin":"abc:OIL","ctx":{"openInterest":"10000000000.0"}}}"#,
        Channel::ActiveAssetCtx,
    ),
];

/// Pieces of JSON and near-JSON.
pub(crate) const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    " ",
    "\t",
    "\r\n",
    "\u{b}",
    "\u{c}",
    "\0",
    "\u{a0}",
    "{}",
    "[]",
    "null",
    "nul",
    "true",
    "false",
    "0",
    "-0",
    "-",
    "+1",
    "00",
    "01",
    "1.",
    ".5",
    "1.50",
    "1e3",
    "1E-2",
    "1e",
    "1e400",
    "-7",
    "18446744073709551615",
    "18446744073709551616",
    "0x10",
    "NaN",
    "\"\"",
    "\"px\":",
    "\"sz\":",
    "\"n\":",
    "\"coin\":",
    "\"time\":",
    "\"bbo\":",
    "\"ctx\":",
    "\"oraclePx\":",
    "\"midPx\":",
    "\"premium\":",
    "\"openInterest\":",
    "\"1.5\"",
    "\"-1\"",
    "\"0\"",
    "{\"px\":\"1\",\"sz\":\"2\",\"n\":1}",
    "\"\\u0031\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\\u00zz\"",
    "\"\\x\"",
    "\"\\\"\"",
    "\"a\nb\"",
    "\"\u{7f}\"",
    "//",
    "/**/",
    "'a'",
];

/// An ACK of `method` that echoes `subscription`.
pub(crate) fn ack(method: &str, subscription: &str) -> String {
    format!(
        r#"{{"channel":"subscriptionResponse","data":{{"method":"{method}","subscription":{subscription}}}}}"#
    )
}
