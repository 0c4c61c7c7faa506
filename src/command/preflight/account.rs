//! The account at the venue: who may sign for it, what it has, what it may still ask.

use super::{Found, Scene, fail, ok, warn};
use crate::account::{Agent, Role};
use crate::command::release::utc;
use crate::runtime::cold::wall_now;
use crate::types::account::{AccountMode, AccountState};
use crate::types::ids::Address;
use crate::types::num::Usd;
use crate::types::time::{VenueMs, Wall};

pub(super) const UNREAD: &str = "not known: the account could not be read";
const NO_USER: &str = "account.user_address is not set";
const NO_SIGNER: &str = "without a key there is no signer";

pub(super) fn agent(scene: &mut Scene<'_>) -> Option<Found> {
    let Some(signer) = &scene.signer else { return Some(fail(NO_SIGNER)) };
    let Some(user) = &scene.config.account.user_address else { return Some(fail(NO_USER)) };
    Some(match scene.reader.role(signer) {
        Ok(role) => signs_for(signer, user, role),
        Err(error) => fail(error.to_string()),
    })
}

/// Judges whether `signer`, which the venue knows as `role`, signs for `user`.
fn signs_for(signer: &str, user: &str, role: Role) -> Found {
    let (signing, account) = (Address::parse(signer), Address::parse(user));
    let ours = signing.zip(account).is_some_and(|(signer, user)| role.signs_for(signer, user));
    match role {
        Role::Agent { .. } if ours => ok(format!("the venue knows it as an agent of {user}")),
        Role::Agent { user: master } => {
            fail(format!("it is an agent of {master}, not of account.user_address {user}"))
        }
        // Its signatures are taken, but it can do what no agent can.
        _ if signer.eq_ignore_ascii_case(user) => warn(
            "it is the account's own key, which can also withdraw: an agent's key is safer here",
        ),
        Role::Missing => fail(format!("the venue does not know {signer}: approve it as an agent")),
        Role::User | Role::Vault | Role::SubAccount { .. } => {
            fail(format!("{signer} is an account itself, not an agent of {user}"))
        }
    }
}

pub(super) fn expiry(scene: &mut Scene<'_>) -> Option<Found> {
    let Some(signer) = &scene.signer else { return Some(fail(NO_SIGNER)) };
    let user = scene.config.account.user_address.as_ref()?;
    if signer.eq_ignore_ascii_case(user) {
        return None; // An account does not expire.
    }
    Some(match scene.reader.agents(user) {
        Ok(agents) => valid(&agents, signer, wall_now()),
        Err(error) => fail(error.to_string()),
    })
}

/// Judges how long `signer` will be valid.
fn valid(agents: &[Agent], signer: &str, now: Wall) -> Found {
    const DAY_MS: i64 = 86_400_000;
    const SOON_MS: i64 = 7 * DAY_MS;
    let Some(agent) = agents.iter().find(|agent| agent.address.eq_ignore_ascii_case(signer)) else {
        return warn(
            "the venue does not list it (an agent without a name?): it expires 90 days after it \
             was approved",
        );
    };
    let name = &agent.name;
    let Some(VenueMs(until)) = agent.valid_until else {
        return warn(format!("agent {name:?}: the venue does not say when it expires"));
    };
    let left = until.saturating_sub(now.0 / 1_000_000);
    let day = utc(Wall(until.saturating_mul(1_000_000)));
    match left {
        ..=0 => fail(format!("agent {name:?} expired at {day}")),
        left if left < SOON_MS => {
            warn(format!("agent {name:?} expires at {day}, in {} days", left / DAY_MS))
        }
        _ => ok(format!("agent {name:?} is valid until {day}")),
    }
}

pub(super) fn vault(scene: &mut Scene<'_>) -> Option<Found> {
    let vault = scene.config.account.vault_address.as_ref()?;
    let Some(user) = &scene.config.account.user_address else { return Some(fail(NO_USER)) };
    Some(match scene.reader.role(vault) {
        Ok(Role::SubAccount { master }) if Address::parse(user) == Some(master) => {
            ok(format!("{vault} is a sub-account of {user}"))
        }
        Ok(Role::SubAccount { master }) => {
            fail(format!("{vault} is a sub-account of {master}, not of {user}"))
        }
        Ok(Role::Vault) => warn(format!("{vault} is a vault; whether {user} leads it is not told")),
        Ok(Role::Missing | Role::User | Role::Agent { .. }) => {
            fail(format!("account.vault_address {vault} is no vault and no sub-account"))
        }
        Err(error) => fail(error.to_string()),
    })
}

pub(super) fn state(scene: &mut Scene<'_>) -> Option<Found> {
    // Fills from now on: none, and that is what is wanted.
    let since = VenueMs(wall_now().0 / 1_000_000);
    let mut read = scene.reader.read_account(since);
    // Now and then the venue answers all zeros for a funded account (PROTOCOL.md §4.3).
    if read.as_ref().is_ok_and(|account| account.dexes.iter().any(|dex| dex.is_all_zero())) {
        read = scene.reader.read_account(since);
    }
    Some(match read {
        Ok(account) => {
            let found = described(&account);
            scene.account = Some(account);
            found
        }
        Err(error) => fail(error.to_string()),
    })
}

fn described(account: &AccountState) -> Found {
    let positions: usize = account.dexes.iter().map(|dex| dex.positions.len()).sum();
    let mut text = format!("mode {}", account.mode.name());
    if let Some(available) = account.available {
        text.push_str(&format!(", {available} USD free"));
    }
    let odd = match account.mode {
        AccountMode::DexAbstraction => "; this mode is discontinued",
        AccountMode::Unset => "; a balance for each dex, as long as no mode is chosen",
        AccountMode::Unified | AccountMode::PortfolioMargin => "; at most 50,000 actions a day",
        AccountMode::Standard => "",
    };
    text.push_str(odd);
    if positions > 0 {
        text.push_str(&format!("; holds {positions} positions, which a run would take over"));
    }
    let strange = account.mode == AccountMode::DexAbstraction;
    if strange || positions > 0 { warn(text) } else { ok(text) }
}

pub(super) fn balance(scene: &mut Scene<'_>) -> Option<Found> {
    let Some(account) = &scene.account else { return Some(fail(UNREAD)) };
    let position = &scene.config.position;
    Some(covers(account, position.max_total_notional, scene.least_leverage()))
}

/// Judges whether the account can margin `total` at `leverage`, on any of its dexes.
fn covers(account: &AccountState, total: Usd, leverage: u32) -> Found {
    let leverage = i64::from(leverage.max(1));
    let needed = Usd::from_units(total.units().saturating_add(leverage - 1) / leverage);
    let funds: Vec<(&str, Usd)> = match account.mode {
        mode if mode.is_split() => {
            account.dexes.iter().map(|dex| (dex.dex.as_str(), dex.value)).collect()
        }
        _ => {
            // What positions bind is ours as well.
            let bound = account.dexes.iter().flat_map(|dex| &dex.positions);
            let bound = bound.fold(Usd::ZERO, |sum, held| sum.saturating_add(held.margin_used));
            vec![("the account", account.available.unwrap_or(Usd::ZERO).saturating_add(bound))]
        }
    };
    let shown: Vec<String> =
        funds.iter().map(|(place, usd)| format!("{usd} USD on {place}")).collect();
    let text = format!(
        "{}; position.max_total_notional {total} at {leverage}x needs {needed}",
        shown.join(", ")
    );
    let enough = !funds.is_empty() && funds.iter().all(|(_, usd)| *usd >= needed);
    if enough { ok(text) } else { fail(text) }
}

pub(super) fn budget(scene: &mut Scene<'_>) -> Option<Found> {
    let Some(account) = &scene.account else { return Some(fail(UNREAD)) };
    let reserve = u64::from(scene.config.executor.exit_budget_reserve);
    Some(left(account.rate_limit.used, account.rate_limit.cap, reserve))
}

/// Judges what is left of the address budget (PROTOCOL.md §8.2).
fn left(used: u64, cap: u64, reserve: u64) -> Found {
    const COMFORT: u64 = 1_000;
    let left = cap.saturating_sub(used);
    let text = format!("{left} requests left of {cap}; {reserve} are kept for exits");
    match left {
        left if left <= reserve => fail(format!("{text}: no entry could be sent")),
        left if left <= reserve.saturating_add(COMFORT) => warn(text),
        _ => ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Mark;
    use super::*;
    use crate::types::account::{DexAccount, RateLimit};

    const USER: &str = "0x00000000000000000000000000000000000000aa";
    const SIGNER: &str = "0x00000000000000000000000000000000000000bb";

    #[test]
    fn only_an_agent_of_the_account_signs_for_it() {
        let address = |text: &str| Address::parse(text).unwrap();
        let agent = |user: &str| Role::Agent { user: address(user) };
        for (signer, role, mark) in [
            (SIGNER, agent(&USER.to_uppercase().replace("0X", "0x")), Mark::Ok),
            (SIGNER, agent(SIGNER), Mark::Fail),
            (SIGNER, Role::Missing, Mark::Fail),
            (SIGNER, Role::User, Mark::Fail),
            (SIGNER, Role::Vault, Mark::Fail),
            (SIGNER, Role::SubAccount { master: address(USER) }, Mark::Fail),
            (USER, Role::User, Mark::Warn),
        ] {
            assert_eq!(signs_for(signer, USER, role).0, mark, "{role:?}");
        }
    }

    #[test]
    fn an_agent_that_expires_within_a_week_is_worth_a_look() {
        const DAY: i64 = 86_400_000;
        let now_ms = 1_795_348_800_000;
        let valid_for = |valid_until: Option<i64>| {
            let agent = Agent {
                name: "bot".to_owned(),
                address: SIGNER.to_uppercase().replace("0X", "0x"),
                valid_until: valid_until.map(|left| VenueMs(now_ms + left)),
            };
            valid(&[agent], SIGNER, Wall(now_ms * 1_000_000)).0
        };
        assert_eq!(valid_for(Some(7 * DAY)), Mark::Ok);
        assert_eq!(valid_for(Some(7 * DAY - 1)), Mark::Warn);
        assert_eq!(valid_for(Some(1)), Mark::Warn);
        assert_eq!(valid_for(Some(0)), Mark::Fail);
        assert_eq!(valid_for(None), Mark::Warn);
        assert_eq!(valid(&[], SIGNER, Wall(0)).0, Mark::Warn);
    }

    fn account(mode: AccountMode, value: &str, available: Option<&str>) -> AccountState {
        let usd = |text: &str| Usd::parse(text.as_bytes()).unwrap();
        let dex = DexAccount {
            dex: "xyz".to_owned(),
            time: VenueMs(0),
            value: usd(value),
            withdrawable: usd(value),
            positions: Vec::new(),
        };
        AccountState {
            mode,
            dexes: vec![dex],
            available: available.map(usd),
            rate_limit: RateLimit::default(),
            fills: Vec::new(),
            fills_since: VenueMs(0),
        }
    }

    #[test]
    fn the_balance_margins_all_that_may_be_held() {
        let total = Usd::parse(b"100").unwrap();
        let judged = |mode, value: &str, available, leverage| {
            covers(&account(mode, value, available), total, leverage).0
        };
        use AccountMode::{Standard, Unified, Unset};
        assert_eq!(judged(Standard, "20", None, 5), Mark::Ok);
        assert_eq!(judged(Standard, "19.999999", Some("50"), 5), Mark::Fail);
        assert_eq!(judged(Unset, "20", None, 5), Mark::Ok, "split, as long as no mode is chosen");
        assert_eq!(judged(Unset, "0", Some("20"), 5), Mark::Fail);
        assert_eq!(judged(Unified, "0", Some("20"), 5), Mark::Ok);
        assert_eq!(judged(Unified, "50", Some("19.999999"), 5), Mark::Fail);
        assert_eq!(judged(Unified, "50", None, 5), Mark::Fail, "not told is not there");
        assert_eq!(judged(Standard, "33.333333", None, 3), Mark::Fail, "rounded up");
        assert_eq!(judged(Standard, "33.333334", None, 3), Mark::Ok);
    }

    #[test]
    fn entries_need_more_than_what_is_kept_for_exits() {
        assert_eq!(left(0, 10_000, 500).0, Mark::Ok);
        assert_eq!(left(8_499, 10_000, 500).0, Mark::Ok);
        assert_eq!(left(8_500, 10_000, 500).0, Mark::Warn);
        assert_eq!(left(9_499, 10_000, 500).0, Mark::Warn);
        assert_eq!(left(9_500, 10_000, 500).0, Mark::Fail);
        assert_eq!(left(10_001, 10_000, 0).0, Mark::Fail);
    }
}
