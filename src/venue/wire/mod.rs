//! Actions as clients send them: the body of `POST /exchange`, which is also the payload of an
//! action post (PROTOCOL.md §3.1).
//!
//! As the venue does, it reads the JSON in any order of keys, rebuilds the action with its fields
//! in signing order and its decimals in canonical form, packs *that*, and recovers who signed it.
//! Whoever signed other bytes appears as a stranger. Whether the signer may do it is not asked here.

mod canonical;
mod signature;

use serde::Deserialize;
use serde_json::Value;

use crate::types::account::AccountMode;
use crate::venue::action::{Address, Signed};
use crate::venue::wire::canonical::{AddressText, Canonical};
use crate::venue::wire::signature::SignatureText;

/// An action that was understood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Asked {
    /// What goes to the clearing house.
    pub(super) signed: Signed,
    /// The account mode that is set when the clearing house says yes (`agentSetAbstraction`).
    pub(super) mode: Option<AccountMode>,
}

/// Why a body is no action.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unread {
    /// No JSON: status 400.
    Syntax,
    /// JSON of another shape, or an action of an unknown type: status 422.
    Shape,
    /// A signature that no key can have made: answered as a refused action.
    Signature,
}

impl Unread {
    /// Status and text over HTTP; a post's error says both (PROTOCOL.md §1, §3.2).
    pub(super) fn status_and_text(self) -> (u16, &'static str) {
        match self {
            Unread::Syntax => (400, "Failed to parse the request body as JSON"),
            Unread::Shape => (422, "Failed to deserialize the JSON body into the target type"),
            // What the venue says to this is not known.
            Unread::Signature => {
                (200, r#"{"status":"err","response":"Unable to recover signer."}"#)
            }
        }
    }
}

impl Address {
    /// Reads `0x` and 40 hex digits, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x")?.as_bytes();
        let mut bytes = [0; 20];
        if digits.len() != 40 {
            return None;
        }
        for (place, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let digit = |at: usize| pair.get(at).and_then(|b| char::from(*b).to_digit(16));
            *place = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
        }
        Some(Self(bytes))
    }
}

/// The body, its action not yet looked into.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    action: Value,
    nonce: u64,
    signature: SignatureText,
    #[serde(default)]
    vault_address: Option<AddressText>,
    #[serde(default)]
    expires_after: Option<u64>,
}

/// Reads the body of a `POST /exchange`. `mainnet` is the network that the signature must be for.
pub(super) fn read_bytes(body: &[u8], mainnet: bool) -> Result<Asked, Unread> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Unread::Syntax)?;
    read(&body, mainnet)
}

/// Reads the payload of an action post.
pub(super) fn read(body: &Value, mainnet: bool) -> Result<Asked, Unread> {
    let body = Body::deserialize(body).map_err(|_| Unread::Shape)?;
    let canonical = Canonical::deserialize(&body.action).map_err(|_| Unread::Shape)?;
    let (nonce, expires_after) = (body.nonce, body.expires_after);
    let vault = body.vault_address.map(|address| address.0);
    let hash = signature::connection_id(&canonical, nonce, vault, expires_after)?;
    let signer = body.signature.signer(&signature::digest(hash, mainnet))?;
    let mode = canonical.mode();
    let action = canonical.action();
    Ok(Asked { signed: Signed { action, signer, nonce, vault, expires_after }, mode })
}

/// Items of a body for the weight of a request (PROTOCOL.md §8.1), before anything is checked.
pub(super) fn items(body: &[u8]) -> usize {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let action = body.as_ref().and_then(|body| body.get("action"));
    let list = |key| action.and_then(|action| action.get(key)).and_then(Value::as_array);
    ["orders", "cancels", "modifies"].into_iter().find_map(list).map_or(1, Vec::len)
}

#[cfg(test)]
mod tests;
