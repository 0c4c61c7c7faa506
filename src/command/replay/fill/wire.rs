//! Which frames concern the account, and which block a quote is of.

use serde_json::Value;

use crate::types::time::VenueMs;

/// Channels of an account, as frames name them.
const CHANNELS: [&str; 4] = ["orderUpdates", "userFills", "user", "post"];
/// And as subscriptions do.
const SUBSCRIPTIONS: [&str; 3] = ["orderUpdates", "userFills", "userEvents"];

/// Whether a frame from the venue is about the account.
pub(super) fn is_of_account(frame: &[u8]) -> bool {
    // Nearly all are not, which is told from how the venue begins them.
    let begins = |with: &[u8]| frame.starts_with(with);
    if begins(br#"{"channel":"bbo""#) || begins(br#"{"channel":"activeAssetCtx""#) {
        return false;
    }
    let Ok(frame) = serde_json::from_slice::<Value>(frame) else { return false };
    match frame["channel"].as_str() {
        Some("subscriptionResponse") => is_account_subscription(&frame["data"]),
        Some(channel) => CHANNELS.contains(&channel),
        None => false,
    }
}

fn is_account_subscription(within: &Value) -> bool {
    within["subscription"]["type"].as_str().is_some_and(|name| SUBSCRIPTIONS.contains(&name))
}

/// The time of the block that a quote is of; `None` of any other frame.
pub(super) fn block_time(frame: &[u8]) -> Option<VenueMs> {
    let frame: Value = serde_json::from_slice(frame).ok()?;
    let quote = &frame["data"];
    quote["time"].as_i64().filter(|_| frame["channel"] == "bbo").map(VenueMs)
}

/// What the engine sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A subscription of the account.
    Account,
    /// A post: an action or a question, and what tells it from others of its moment.
    Post(u64),
    /// A subscription of a market, or a heartbeat.
    Other,
}

/// Which of them a frame of the engine is.
pub(super) fn kind_of(frame: &str) -> Kind {
    let Ok(frame) = serde_json::from_str::<Value>(frame) else { return Kind::Other };
    match frame["method"].as_str() {
        Some("post") => Kind::Post(mark(&frame["request"]["payload"]["action"])),
        Some("subscribe") if is_account_subscription(&frame) => Kind::Account,
        _ => Kind::Other,
    }
}

/// What an action is about: its kind, and market, side and intent of its first order. What a setting
/// decides, a size or what else goes with it, is left out.
fn mark(action: &Value) -> u64 {
    let first = &action["orders"][0];
    let words = [&action["type"], &first["a"], &first["b"], &first["r"]].map(Value::to_string);
    // FNV-1a.
    words.join(" ").bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_the_account_are_told_from_those_of_markets() {
        for of_account in [
            r#"{"channel":"orderUpdates","data":[]}"#,
            r#"{"channel":"user","data":{"fills":[]}}"#,
            r#"{"data":{"id":1},"channel":"post"}"#,
            r#"{"channel":"userFills","data":{"isSnapshot":true}}"#,
            r#"{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"userEvents","user":"0x1"}}}"#,
        ] {
            assert!(is_of_account(of_account.as_bytes()), "{of_account}");
        }
        for other in [
            r#"{"channel":"bbo","data":{"coin":"orderUpdates","time":5,"bbo":[null,null]}}"#,
            r#"{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"bbo","coin":"a:B"}}}"#,
            r#"{"channel":"pong"}"#,
            r#"{"channel":"error","data":"userFills"}"#,
            "Websocket connection established.",
        ] {
            assert!(!is_of_account(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_quote_names_its_block_and_nothing_else_does() {
        let quote =
            br#"{"channel":"bbo","data":{"coin":"a:B","time":1788330949235,"bbo":[null,null]}}"#;
        assert_eq!(block_time(quote), Some(VenueMs(1_788_330_949_235)));
        assert_eq!(block_time(br#"{"channel":"trades","data":{"time":5}}"#), None);
        assert_eq!(block_time(b"nothing"), None);
    }

    #[test]
    fn what_the_engine_sends_is_sorted() {
        let account = r#"{"method":"subscribe","subscription":{"type":"userFills","user":"0x1"}}"#;
        assert_eq!(kind_of(account), Kind::Account);
        let info = r#"{"method":"post","id":1,"request":{"type":"info"}}"#;
        assert!(matches!(kind_of(info), Kind::Post(_)));
        let order = |asset: u32, size: &str| {
            let order = format!(r#"{{"a":{asset},"b":true,"p":"1","s":"{size}","r":false}}"#);
            let action = format!(r#"{{"type":"order","orders":[{order}]}}"#);
            let payload = format!(r#"{{"action":{action},"nonce":{asset}}}"#);
            let request = format!(r#"{{"type":"action","payload":{payload}}}"#);
            kind_of(&format!(r#"{{"method":"post","id":{size},"request":{request}}}"#))
        };
        assert_eq!(order(1, "5"), order(1, "6"));
        assert_ne!(order(1, "5"), order(2, "5"));
        assert_ne!(order(1, "5"), kind_of(info));
        let market = r#"{"method":"subscribe","subscription":{"type":"bbo","coin":"a:B"}}"#;
        assert_eq!(kind_of(market), Kind::Other);
        assert_eq!(kind_of(r#"{"method":"ping"}"#), Kind::Other);
    }
}
