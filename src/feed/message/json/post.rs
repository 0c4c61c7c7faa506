//! Answers to posts (PROTOCOL.md §3.2).
//!
//! Once the id is known, nothing makes the frame malformed: an answer that cannot be understood is
//! told as such, so that whoever asked need not wait for one that has come.

use super::account::order_update;
use super::rows::MAX_ENTRIES;
use super::tape::Json;
use super::{Body, Why};
use crate::types::ids::Excerpt;
use crate::types::num::{Px, Sz};
use crate::types::order::{OrderAnswer, PostAnswer};

/// Which post was answered, and how.
pub(super) fn post<'a>(
    data: Json<'_, '_>,
    rows: &'a mut Vec<OrderAnswer>,
) -> Result<Body<'a>, Why> {
    let [id, response] = data.fields(["id", "response"])?;
    let id = id.and_then(Json::id).ok_or("an answer without the id of its post")?;
    let answer = match response {
        Some(response) => answer(response, rows).unwrap_or(PostAnswer::Other),
        None => PostAnswer::Other,
    };
    Ok(Body::Post { id, answer })
}

fn answer<'a>(response: Json<'_, '_>, rows: &'a mut Vec<OrderAnswer>) -> Option<PostAnswer<'a>> {
    let [kind, payload] = response.fields(["type", "payload"]).ok()?;
    let payload = payload?;
    match kind?.text()? {
        "action" => action(payload, rows),
        "info" => info(payload),
        "error" => Some(PostAnswer::Error(words(payload)?)),
        _ => None,
    }
}

/// The body that `POST /exchange` answers as well (PROTOCOL.md §3.6).
pub(super) fn action<'a>(
    payload: Json<'_, '_>,
    rows: &'a mut Vec<OrderAnswer>,
) -> Option<PostAnswer<'a>> {
    let [status, response] = payload.fields(["status", "response"]).ok()?;
    let response = response?;
    match status?.text()? {
        "ok" => {}
        "err" => return Some(PostAnswer::Refused(words(response)?)),
        _ => return None,
    }
    let [kind, data] = response.fields(["type", "data"]).ok()?;
    if kind.and_then(Json::text) == Some("default") {
        return Some(PostAnswer::Default);
    }
    let [statuses, status] = data?.fields(["statuses", "status"]).ok()?;
    rows.clear();
    match (statuses, status) {
        (Some(statuses), _) => rows.extend(statuses.items()?.take(MAX_ENTRIES).map(order_answer)),
        (None, Some(status)) => rows.push(order_answer(status)),
        (None, None) => return None,
    }
    Some(PostAnswer::Statuses(rows))
}

/// One status of an action (PROTOCOL.md §3.3). It has one key; with several there is no telling
/// which holds.
fn order_answer(status: Json<'_, '_>) -> OrderAnswer {
    if let Some(text) = status.text() {
        return if text == "success" { OrderAnswer::Success } else { OrderAnswer::Unknown };
    }
    let answer = match status.fields(["resting", "filled", "error"]) {
        Ok([Some(resting), None, None]) => resting_at(resting),
        Ok([None, Some(filled), None]) => filled_at(filled),
        Ok([None, None, Some(error)]) => words(error).map(OrderAnswer::Error),
        _ => None,
    };
    answer.unwrap_or(OrderAnswer::Unknown)
}

fn resting_at(resting: Json<'_, '_>) -> Option<OrderAnswer> {
    let [oid] = resting.fields(["oid"]).ok()?;
    Some(OrderAnswer::Resting { oid: oid?.id()? })
}

fn filled_at(filled: Json<'_, '_>) -> Option<OrderAnswer> {
    let [total_sz, avg_px, oid] = filled.fields(["totalSz", "avgPx", "oid"]).ok()?;
    Some(OrderAnswer::Filled {
        total_sz: total_sz?.exact(Sz::parse).filter(|sz| sz.is_positive())?,
        avg_px: avg_px?.noisy(Px::parse_truncating)?,
        oid: oid?.id()?,
    })
}

/// Of all questions only `orderStatus` is asked by post (PROTOCOL.md §4.4).
fn info<'a>(payload: Json<'_, '_>) -> Option<PostAnswer<'a>> {
    let [kind, data] = payload.fields(["type", "data"]).ok()?;
    if kind?.text()? != "orderStatus" {
        return None;
    }
    let [status, order] = data?.fields(["status", "order"]).ok()?;
    match status?.text()? {
        "order" => order_update(order?).map(|order| PostAnswer::Order(Some(order))),
        "unknownOid" => Some(PostAnswer::Order(None)),
        _ => None,
    }
}

fn words(text: Json<'_, '_>) -> Option<Excerpt> {
    text.text().map(|text| Excerpt::of(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use crate::feed::message::Decoder;
    use crate::types::order::{OrderAnswer, PostAnswer};

    #[test]
    fn the_answer_to_an_exchange_is_read_like_that_to_a_post() {
        let mut decoder = Decoder::new();
        let body =
            br#"{"status":"ok","response":{"type":"order","data":{"statuses":[{"error":"no"}]}}}"#;
        let answer = decoder.exchanged(200, body);
        assert!(matches!(answer, PostAnswer::Statuses([OrderAnswer::Error(_)])), "{answer:?}");
        let body = br#"{"status":"err","response":"no"}"#;
        assert!(matches!(decoder.exchanged(200, body), PostAnswer::Refused(_)));
        for body in [&b""[..], b"null", b"{", b"<html>", b"{}", br#"{"status":"maybe"}"#] {
            assert_eq!(decoder.exchanged(200, body), PostAnswer::Other);
        }
        let words = |answer: PostAnswer<'_>| match answer {
            PostAnswer::Error(words) => String::from_utf8_lossy(words.as_bytes()).into_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(words(decoder.exchanged(429, b"null")), "429 Too Many Requests");
        assert!(words(decoder.exchanged(422, b"")).starts_with("422 Failed to deserialize"));
        assert_eq!(words(decoder.exchanged(502, b"Bad Gateway")), "Bad Gateway");
    }
}
