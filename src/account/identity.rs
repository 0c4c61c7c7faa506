//! Who an address is, and who may sign for it (PROTOCOL.md §4, §7.3); and the venue's clock. Asked
//! before anything is sent, never on the way.

use crate::account::json::{At, Malformed, parse};
pub use crate::types::account::Role;
use crate::types::ids::Address;
use crate::types::time::VenueMs;

/// An API wallet that an account has named. The one without a name is not listed by the venue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// Its address, as the venue writes it.
    pub address: String,
    /// When it expires; `None` when the venue does not say.
    pub valid_until: Option<VenueMs>,
}

/// `exchangeStatus`: the time of the venue's state, some 0.2 s behind its clock.
pub(super) fn venue_time(body: &[u8]) -> Result<VenueMs, Malformed> {
    let value = parse("exchangeStatus", body)?;
    At::root("exchangeStatus", &value).need("time", "the venue's time")?.time()
}

/// `userRole`.
pub fn role(body: &[u8]) -> Result<Role, Malformed> {
    let value = parse("userRole", body)?;
    let root = At::root("userRole", &value);
    let role = root.need("role", "the address's role")?;
    let named = |key: &str| {
        let named = root.need("data", "whose it is")?.need(key, "an address")?;
        Address::parse(named.text()?).ok_or_else(|| named.refuse("0x and 40 hex digits"))
    };
    match role.text()? {
        "missing" => Ok(Role::Missing),
        "user" => Ok(Role::User),
        "vault" => Ok(Role::Vault),
        "agent" => Ok(Role::Agent { user: named("user")? }),
        "subAccount" => Ok(Role::SubAccount { master: named("master")? }),
        _ => Err(role.refuse("\"missing\", \"user\", \"vault\", \"agent\" or \"subAccount\"")),
    }
}

/// `extraAgents`.
pub(super) fn agents(body: &[u8]) -> Result<Vec<Agent>, Malformed> {
    let value = parse("extraAgents", body)?;
    let root = At::root("extraAgents", &value);
    if root.is_null() {
        return Ok(Vec::new());
    }
    let mut agents = Vec::new();
    for entry in root.list()? {
        agents.push(Agent {
            name: entry.need("name", "the agent's name")?.text()?.to_owned(),
            address: address(&entry.need("address", "an address")?)?,
            valid_until: entry.get("validUntil")?.map(|at| at.time()).transpose()?,
        });
    }
    Ok(agents)
}

/// `0x` and 40 hex digits, in any case.
fn address(at: &At<'_>) -> Result<String, Malformed> {
    let text = at.text()?;
    let digits = text.strip_prefix("0x").unwrap_or_default();
    if digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(text.to_owned())
    } else {
        Err(at.refuse("0x and 40 hex digits"))
    }
}
