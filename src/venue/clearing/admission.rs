//! The door: who may act for whom, whether the nonce is new, whether the request budget allows it
//! (PROTOCOL.md §7.3, §8.2, §9.4).
//!
//! Refusals here are top-level, come at once and cost nothing, but for what has expired.

use crate::types::num::{Rate, Usd};
use crate::types::time::VenueMs;
use crate::venue::action::{Action, Address, Signed};
use crate::venue::clearing::account::{Account, Agent};
use crate::venue::clearing::block::Pending;
use crate::venue::clearing::{AccountSettings, Clearing, Outcome, Role, Ticket, answer};
use crate::venue::market::Market;

/// Most items of one action.
const ITEMS: usize = 200;

/// Nonces that are remembered of a signer.
const NONCES: usize = 100;

const DAY_MS: u64 = 86_400_000;

/// The account that an agent acts for when it acts for somebody else.
const STRANGER: Address = Address([0xbb; 20]);

/// Beyond the budget one request passes in so many milliseconds.
const SLOW_MS: u64 = 10_000;

/// What an action costs that has expired, whatever it carries.
const EXPIRED: u64 = 5;

/// The venue's time as milliseconds.
pub(super) fn millis(time: VenueMs) -> u64 {
    u64::try_from(time.0).unwrap_or(0)
}

/// The sentence on an action that came too late; the venue's own is not known.
fn expired(until: u64) -> String {
    format!("Order expired: expiresAfter {until} has passed")
}

impl Clearing {
    /// Takes an action at venue time `time`. What is refused at once is answered at once; the rest
    /// waits for its block.
    pub(in crate::venue) fn submit(
        &mut self,
        time: VenueMs,
        ticket: Ticket,
        signed: Signed,
        _markets: &[Market],
        out: &mut Vec<Outcome>,
    ) {
        let ms = millis(time);
        self.prune_agents(ms);
        match self.admit(ms, &signed) {
            Ok(user) => self.pending.push(Pending { ticket, user, signed }),
            Err(text) => out.push(Outcome::Answer { ticket, body: answer::refused(&text) }),
        }
    }

    /// The account an action is for, once it has paid, or why it is refused.
    fn admit(&mut self, ms: u64, signed: &Signed) -> Result<Address, String> {
        if self.refuse_whole.0 > 0 {
            self.refuse_whole.0 -= 1;
            return Err(self.refuse_whole.1.clone());
        }
        let items = signed.action.items();
        if items > ITEMS {
            return Err(format!("Signed action over weight limit of {ITEMS}."));
        }
        let user = self.acts_for(ms, signed.signer, signed.vault)?;
        self.check_nonce(ms, signed.signer, signed.nonce)?;
        let Some(account) = self.accounts.get_mut(&user) else {
            return Err(unknown(signed.signer));
        };
        if !account.cash.is_positive() && account.positions.is_empty() {
            return Err(format!("Must deposit before performing actions. User: {user}"));
        }
        let cancels = matches!(signed.action, Action::Cancel(_));
        let late = signed.expires_after.filter(|until| *until < ms);
        account.admit(ms, items as u64, cancels, late.is_some())?;
        self.burn_nonce(signed.signer, signed.nonce);
        late.map_or(Ok(user), |until| Err(expired(until)))
    }

    /// Whether an action that waited has expired by the time of its block, in words. It costs what an
    /// expired one does instead of its items.
    pub(super) fn expire(&mut self, ms: u64, pending: &Pending) -> Option<String> {
        let until = pending.signed.expires_after.filter(|until| *until < ms)?;
        let account = self.accounts.get_mut(&pending.user)?;
        let items = pending.signed.action.items() as u64;
        account.requests_used = account.requests_used.saturating_sub(items) + EXPIRED;
        Some(expired(until))
    }

    /// Whom the signer acts for.
    fn acts_for(
        &self,
        ms: u64,
        signer: Address,
        vault: Option<Address>,
    ) -> Result<Address, String> {
        let owns = |account: &&Account| account.leader.is_none() && account.address == signer;
        let own = self.accounts.get(&signer).filter(owns);
        let mut all = self.accounts.values();
        let acting = own.or_else(|| all.find(|account| account.has_agent(signer, ms)));
        let leads = self.accounts.values().any(|account| account.leader == Some(signer));
        let master = match acting {
            Some(account) => account.address,
            None if leads => signer,
            None => return Err(unknown(signer)),
        };
        match vault.map(|address| (address, self.accounts.get(&address))) {
            None if acting.is_some() => Ok(master),
            None => Err(unknown(signer)),
            Some((address, Some(account)))
                if account.leader == Some(master) || address == master =>
            {
                Ok(address)
            }
            Some((address, _)) => Err(format!("Vault not registered: {address}")),
        }
    }

    /// A nonce must be new, above the smallest of those remembered, and near the time.
    fn check_nonce(&self, ms: u64, signer: Address, nonce: u64) -> Result<(), String> {
        if nonce <= ms.saturating_sub(2 * DAY_MS) || nonce >= ms.saturating_add(DAY_MS) {
            return Err(format!("Nonce error: nonce {nonce} is out of range at {ms}"));
        }
        let Some(seen) = self.nonces.get(&signer) else { return Ok(()) };
        if seen.contains(&nonce) {
            return Err(format!("Invalid nonce: duplicate nonce {nonce}"));
        }
        let low = seen.len() >= NONCES && seen.first().is_some_and(|first| nonce < *first);
        if low {
            return Err("Nonce error: nonce value is lower than the next valid nonce".to_owned());
        }
        Ok(())
    }

    fn burn_nonce(&mut self, signer: Address, nonce: u64) {
        let seen = self.nonces.entry(signer).or_default();
        seen.insert(nonce);
        if seen.len() > NONCES {
            seen.pop_first();
        }
    }

    /// Agents whose time is over are forgotten, and their nonces with them.
    pub(super) fn prune_agents(&mut self, ms: u64) {
        for account in self.accounts.values_mut() {
            let nonces = &mut self.nonces;
            account.agents.retain(|agent| {
                let stands = agent.valid_until.is_none_or(|until| ms <= until);
                if !stands {
                    nonces.remove(&agent.address);
                }
                stands
            });
        }
    }

    /// Ends an agent's approval.
    pub(in crate::venue) fn expire_agent(&mut self, agent: Address) {
        for account in self.accounts.values_mut() {
            let lapsed = account.agents.extract_if(.., |one| one.address == agent);
            self.lapsed.extend(lapsed.map(|one| (account.address, one)));
        }
        self.nonces.remove(&agent);
    }

    /// Approves an agent anew whose approval was ended, without an end.
    pub(in crate::venue) fn renew_agent(&mut self, agent: Address) {
        for (user, one) in self.lapsed.extract_if(.., |(_, one)| one.address == agent) {
            if let Some(account) = self.accounts.get_mut(&user) {
                account.agents.push(Agent { valid_until: None, ..one });
            }
        }
    }

    /// From now on an agent acts for another account, which is funded for it if need be.
    pub(in crate::venue) fn move_agent(&mut self, agent: Address) {
        let holds = |account: &&mut Account| account.agents.iter().any(|one| one.address == agent);
        let Some(owner) = self.accounts.values_mut().find(holds) else { return };
        let taken: Vec<Agent> = owner.agents.extract_if(.., |one| one.address == agent).collect();
        let (from, deposit) = (owner.address, owner.deposit);
        let fees = owner.fees;
        self.moved.entry(agent).or_insert(from);
        let fund = || {
            let settings = AccountSettings {
                address: STRANGER,
                deposit,
                agents: Vec::new(),
                vault_of: None,
                referral_discount: Rate::ZERO,
            };
            Account { fees, ..Account::new(&settings) }
        };
        self.accounts.entry(STRANGER).or_insert_with(fund).agents.extend(taken);
    }

    /// It acts for its own account again.
    pub(in crate::venue) fn return_agent(&mut self, agent: Address) {
        let Some(owner) = self.moved.remove(&agent) else { return };
        let mut taken: Vec<Agent> = Vec::new();
        for account in self.accounts.values_mut() {
            taken.extend(account.agents.extract_if(.., |one| one.address == agent));
        }
        if let Some(account) = self.accounts.get_mut(&owner) {
            account.agents.extend(taken);
        }
        for (of, _) in self.lapsed.iter_mut().filter(|(_, one)| one.address == agent) {
            *of = owner;
        }
    }

    /// Uses up as many nonces of the two seconds from now on as are remembered.
    pub(in crate::venue) fn take_nonces(&mut self, from: VenueMs, agent: Address) {
        let from = from.0.max(0).unsigned_abs() + 1_000;
        for nonce in (from..).step_by(10).take(NONCES) {
            self.burn_nonce(agent, nonce);
        }
    }

    /// What an address is to the venue. An agent that has expired is none once a block has passed.
    pub(in crate::venue) fn role(&self, address: Address) -> Role {
        let agent = |account: &&Account| account.agents.iter().any(|one| one.address == address);
        match self.accounts.get(&address).map(|account| account.leader) {
            Some(None) => Role::User,
            Some(Some(leader)) if self.accounts.contains_key(&leader) => Role::SubAccount(leader),
            Some(Some(_)) => Role::Vault,
            None => {
                let master = self.accounts.values().find(agent);
                master.map_or(Role::Missing, |account| Role::Agent(account.address))
            }
        }
    }
}

fn unknown(signer: Address) -> String {
    format!("User or API Wallet {signer} does not exist.")
}

impl Account {
    /// Pays for an action of so many items, or says why it may not pass. What is `late` costs the same
    /// whatever it carries.
    fn admit(&mut self, ms: u64, items: u64, cancels: bool, late: bool) -> Result<(), String> {
        let budget = self.requests_cap();
        let cap = if cancels { (budget + 100_000).min(budget * 2) } else { budget };
        let cost = if late { EXPIRED } else { items };
        let used = self.requests_used.saturating_add(items);
        if used > cap {
            let rested = self.beyond_budget_at.is_none_or(|at| ms.saturating_sub(at) >= SLOW_MS);
            if items != 1 || !rested {
                let cents = self.volume.max(Usd::ZERO).units() / 10_000;
                let (usd, cents) = (cents / 100, cents % 100);
                return Err(format!(
                    "Too many cumulative requests sent ({used} > {cap}) for cumulative volume \
                     traded ${usd}.{cents:02}. Place taker orders to free up 1 request per USDC \
                     traded."
                ));
            }
            self.beyond_budget_at = Some(ms);
        }
        self.requests_used = self.requests_used.saturating_add(cost);
        Ok(())
    }
}
