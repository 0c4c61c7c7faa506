//! Bodies of answers to actions (PROTOCOL.md §3.2, §3.3).

use crate::types::num::{Px, Sz};
use crate::types::order::Cloid;
use crate::venue::surface::frames::{Dec, quoted};

/// What became of one order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Placed {
    /// On the book.
    Resting { oid: u64, cloid: Option<Cloid> },
    /// Matched, in whole or in part.
    Filled { sz: Sz, mean: Px, oid: u64, cloid: Option<Cloid> },
    /// Refused.
    Error(String),
}

/// A status of an answer that was executed.
pub(super) fn status(placed: &Placed) -> String {
    let echo = |cloid: &Option<Cloid>| {
        cloid.map_or_else(String::new, |cloid| format!(r#","cloid":"{cloid}""#))
    };
    match placed {
        Placed::Resting { oid, cloid } => {
            format!(r#"{{"resting":{{"oid":{oid}{}}}}}"#, echo(cloid))
        }
        Placed::Filled { sz, mean, oid, cloid } => {
            let (sz, mean, cloid) = (Dec::from(*sz), Dec::from(*mean), echo(cloid));
            format!(r#"{{"filled":{{"totalSz":"{sz}","avgPx":"{mean}","oid":{oid}{cloid}}}}}"#)
        }
        Placed::Error(text) => error(text),
    }
}

/// A status of an item that was refused.
pub(super) fn error(text: &str) -> String {
    format!(r#"{{"error":{}}}"#, quoted(text))
}

/// A status of a cancel that was done.
pub(super) const SUCCESS: &str = r#""success""#;

/// An answer of statuses; `kind` is `order` or `cancel`.
pub(super) fn statuses(kind: &str, statuses: &[String]) -> String {
    let rows = statuses.join(",");
    format!(r#"{{"status":"ok","response":{{"type":"{kind}","data":{{"statuses":[{rows}]}}}}}}"#)
}

/// The answer of an action that was done and has no more to say.
pub(super) fn done() -> String {
    r#"{"status":"ok","response":{"type":"default"}}"#.to_owned()
}

/// The answer of an action of which nothing was executed.
pub(super) fn refused(text: &str) -> String {
    format!(r#"{{"status":"err","response":{}}}"#, quoted(text))
}
