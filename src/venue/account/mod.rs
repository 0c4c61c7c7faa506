//! Accounts as streams and answers show them (PROTOCOL.md §2.6, §4).
//!
//! [`Accounts`] holds the clearing house and what the venue remembers beside it: account modes,
//! fills that are told in parts, states of a while ago, and the books that tests compare with a
//! client's own. What a client asks for is written by [`state`] and [`rows`].

pub(super) mod books;
pub(super) mod rows;
pub(super) mod state;

use std::collections::BTreeMap;

use crate::types::account::AccountMode;
use crate::types::num::{Sz, Usd};
use crate::types::time::{Mono, Nanos, VenueMs};
use crate::venue::account::books::Ledger;
use crate::venue::action::{Address, Signed};
use crate::venue::clearing::{Account, AccountSettings, Clearing, FillRow, Outcome, Role, Ticket};
use crate::venue::faults::{Chance, Fault, Faults};
use crate::venue::wire::Asked;
use crate::venue::world::World;

/// The accounts' side of the venue.
#[derive(Clone, Debug)]
pub(super) struct Accounts {
    /// Does what is asked.
    pub(super) clearing: Clearing,
    /// The accounts at the start.
    pub(super) roster: Vec<AccountSettings>,
    /// Modes other than the separate balance for each dex.
    modes: BTreeMap<Address, AccountMode>,
    /// Fills that are told in two parts: the size of the first, by trade.
    parts: BTreeMap<u64, Sz>,
    ledger: Ledger,
    /// States of a while ago, the younger first; only kept when a fault asks for them.
    earlier: [Option<Box<Past>>; 2],
    earlier_at: Mono,
    /// The state that all answers and streams show while they stand still.
    frozen: Option<Box<Past>>,
    /// Modes that are asked for by actions under way.
    asked_modes: BTreeMap<Ticket, (Address, AccountMode)>,
}

/// The accounts as they were after a block.
#[derive(Clone, Debug)]
struct Past {
    clearing: Clearing,
    block_time: VenueMs,
}

/// Which state of the accounts an answer is made from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Lens {
    /// As it is.
    #[default]
    Now,
    /// As it was a while ago, with the time of then (`account_stale`).
    Earlier,
    /// All zero, whatever is there (`account_zero`; PROTOCOL.md §4.3).
    Zero,
}

impl Lens {
    /// Draws what the next answer is made from.
    pub(super) fn drawn(faults: &Faults, dice: &mut Chance) -> Self {
        if dice.hit(Fault::AccountZero, faults.account_zero) {
            Lens::Zero
        } else if dice.hit(Fault::AccountStale, faults.account_stale) {
            Lens::Earlier
        } else {
            Lens::Now
        }
    }
}

/// What answers and frames are made from.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) world: &'a World,
    pub(super) accounts: &'a Accounts,
    pub(super) lens: Lens,
}

impl<'a> View<'a> {
    /// The state of a while ago that is shown in place of the present one, if any.
    fn past(&self) -> Option<&'a Past> {
        let Accounts { frozen, earlier: [younger, older], .. } = self.accounts;
        frozen.as_deref().or_else(|| match self.lens {
            Lens::Earlier => older.as_deref().or(younger.as_deref()),
            Lens::Now | Lens::Zero => None,
        })
    }

    /// The account of `user`, as the lens shows it.
    pub(super) fn account(&self, user: Address) -> Option<&'a Account> {
        let clearing = self.past().map_or(&self.accounts.clearing, |past| &past.clearing);
        clearing.account(user)
    }

    /// Time of the block whose state is shown.
    pub(super) fn block_time(&self) -> VenueMs {
        self.past().map_or(self.world.block_time, |past| past.block_time)
    }
}

impl Accounts {
    pub(super) fn new(roster: Vec<AccountSettings>, seed: u64) -> Self {
        Self {
            clearing: Clearing::new(&roster, seed),
            ledger: Ledger::default(),
            roster,
            modes: BTreeMap::new(),
            parts: BTreeMap::new(),
            earlier: [None, None],
            earlier_at: Mono(0),
            frozen: None,
            asked_modes: BTreeMap::new(),
        }
    }

    /// The mode of an account.
    pub(super) fn mode(&self, user: Address) -> AccountMode {
        self.modes.get(&user).copied().unwrap_or(AccountMode::Standard)
    }

    pub(super) fn set_mode(&mut self, user: Address, mode: AccountMode) {
        self.modes.insert(user, mode);
    }

    /// The account that an action is for.
    pub(super) fn actor(&self, signed: &Signed) -> Option<Address> {
        signed.vault.or_else(|| match self.clearing.role(signed.signer) {
            Role::Agent(master) => Some(master),
            Role::User | Role::Vault | Role::SubAccount(_) => Some(signed.signer),
            Role::Missing => None,
        })
    }

    /// Hands an action to the clearing house. Returns what came of it at once.
    pub(super) fn submit(
        &mut self,
        ticket: Ticket,
        asked: Asked,
        at: Mono,
        world: &World,
    ) -> Vec<Outcome> {
        let Asked { signed, mode } = asked;
        let (actor, action) = (self.actor(&signed), signed.action.clone());
        let mut outcomes = Vec::new();
        let time = world.time(at);
        self.clearing.submit(time, ticket, signed, &world.markets, &mut outcomes);
        if outcomes.is_empty()
            && let Some(actor) = actor
        {
            self.ledger.proposed(actor, &action, world);
            if let Some(mode) = mode {
                self.asked_modes.insert(ticket, (actor, mode));
            }
        }
        outcomes
    }

    /// Runs the clearing house's part of a block. Returns what came of it.
    pub(super) fn block(&mut self, at: Mono, world: &mut World) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        self.ledger.before_block(&self.roster, &self.clearing);
        let time = world.block_time;
        self.clearing.block(time, at, &mut world.markets, &mut outcomes);
        self.ledger.after_block(&self.roster, &self.clearing, world, at);
        for outcome in &outcomes {
            if let Outcome::Answer { ticket, body } = outcome
                && let Some((user, mode)) = self.asked_modes.remove(ticket)
                && body.starts_with(r#"{"status":"ok""#)
            {
                self.set_mode(user, mode);
            }
        }
        outcomes
    }

    /// Keeps the state for `account_stale`, `age` old at least once it is used.
    pub(super) fn remember(&mut self, now: Mono, block_time: VenueMs, age: Nanos) {
        if self.earlier[0].is_none() || now.since(self.earlier_at) >= age {
            self.earlier.swap(0, 1);
            self.earlier[0] = Some(self.as_of(block_time));
            self.earlier_at = now;
        }
    }

    fn as_of(&self, block_time: VenueMs) -> Box<Past> {
        Box::new(Past { clearing: self.clearing.clone(), block_time })
    }

    /// Answers and streams show the state as it is from now on, whatever happens to it.
    pub(super) fn freeze(&mut self, block_time: VenueMs) {
        self.frozen = Some(self.as_of(block_time));
    }

    /// They show the state as it is again.
    pub(super) fn thaw(&mut self) {
        self.frozen = None;
    }

    /// Whether they stand still.
    pub(super) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Decides that a fill is told in two parts; not when it is a single lot.
    pub(super) fn part(&mut self, row: &FillRow, lot: Sz) {
        let half = Sz::from_units(row.sz.units() / 2).floor_to(lot);
        if half.is_positive() {
            self.parts.insert(row.tid, half);
        }
    }

    /// A fill as it is told, everywhere and always alike: whole, or two rows of one hash and order
    /// that add up to it.
    pub(super) fn told(&self, row: &FillRow) -> Vec<FillRow> {
        let Some(first) = self.parts.get(&row.tid) else { return vec![row.clone()] };
        let share = |whole: Usd| {
            let part = i128::from(whole.units()) * i128::from(first.units());
            let part = part / i128::from(row.sz.units().max(1));
            Usd::from_units(i64::try_from(part).unwrap_or_default())
        };
        let rest = |whole: Usd| whole.saturating_sub(share(whole));
        let moved = if row.buy { first.units() } else { -first.units() };
        let one = FillRow {
            sz: *first,
            closed_pnl: share(row.closed_pnl),
            fee: share(row.fee),
            ..row.clone()
        };
        let two = FillRow {
            sz: Sz::from_units(row.sz.units() - first.units()),
            start_position: row.start_position.saturating_add(moved),
            closed_pnl: rest(row.closed_pnl),
            fee: rest(row.fee),
            tid: row.tid ^ (1 << 49),
            ..row.clone()
        };
        vec![one, two]
    }

    /// Counts fills that were told.
    pub(super) fn book_fills(&mut self, user: Address, rows: &[FillRow]) {
        let told = rows.iter().map(|row| self.told(row).len() as u64).sum();
        self.ledger.fills(user, rows, told);
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}
