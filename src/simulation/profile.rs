//! Profiles: which faults a run has, and how likely each is. The built-in ones are TOML texts, and
//! a file of the same form serves as well.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::simulation::fault::HostFaults;
use crate::types::account::AccountMode;
use crate::types::config::{self, Config};
use crate::venue::{Faults, What};

/// Profiles that come with the program: name, and text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("calm", include_str!("profiles/calm.toml")),
    ("wire", include_str!("profiles/wire.toml")),
    ("links", include_str!("profiles/links.toml")),
    ("answers", include_str!("profiles/answers.toml")),
    ("account", include_str!("profiles/account.toml")),
    ("markets", include_str!("profiles/markets.toml")),
    ("clocks", include_str!("profiles/clocks.toml")),
    ("disk", include_str!("profiles/disk.toml")),
    ("deaths", include_str!("profiles/deaths.toml")),
    ("frozen", include_str!("profiles/frozen.toml")),
    ("oracle", include_str!("profiles/oracle.toml")),
    ("pauses", include_str!("profiles/pauses.toml")),
    ("outages", include_str!("profiles/outages.toml")),
    ("storm", include_str!("profiles/storm.toml")),
];

/// A profile, read.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it is about, in a sentence.
    pub about: String,
    /// Faults of the venue.
    pub venue: Faults,
    /// Faults of network, machine and operator.
    pub host: HostFaults,
    /// Events of the venue that are drawn from, and how many come in an hour.
    pub events: Vec<What>,
    /// How many come in an hour.
    pub events_per_hour: u32,
    /// How the account is collateralised: one of these, by the seed; by default a balance a dex.
    pub modes: Vec<AccountMode>,
    /// The config that the engine runs with.
    pub config: Config,
    /// The config that it is judged by: the same, but in tests of the judge.
    pub judged_by: Config,
}

/// A profile that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("profile {name}: {why}")]
pub struct ProfileError {
    name: String,
    why: String,
}

/// As a file has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Text {
    about: String,
    venue: Faults,
    host: HostFaults,
    events: Vec<What>,
    events_per_hour: u32,
    modes: Vec<AccountMode>,
    /// Overrides of the config, `section.key=value`.
    set: Vec<String>,
}

impl Profile {
    /// The built-in profile of this name.
    pub fn named(name: &str) -> Option<Result<Self, ProfileError>> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::from_toml(name, text))
    }

    /// All built-in ones.
    pub fn all() -> Result<Vec<Self>, ProfileError> {
        BUILT_IN.iter().map(|(name, text)| Self::from_toml(name, text)).collect()
    }

    /// Reads a profile. Errors name the key.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, ProfileError> {
        let failed = |why: String| ProfileError { name: name.to_owned(), why };
        let text: Text = toml::from_str(text).map_err(|error| failed(error.to_string()))?;
        if let Some(what) =
            text.events.iter().find(|what| ENDS.iter().all(|(begin, _)| begin != *what))
        {
            return Err(failed(format!("events: {what:?} is not drawn: only its beginning is")));
        }
        let config = config::load(None, &text.set).map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            name: name.to_owned(),
            about: text.about,
            venue: text.venue,
            host: text.host,
            events: text.events,
            events_per_hour: text.events_per_hour,
            modes: text.modes,
            judged_by: config.clone(),
            config,
        })
    }

    /// Turns faults off by name, those of the host or `event_…`; says which name is none of these.
    pub fn without(&mut self, names: &BTreeSet<String>) -> Result<(), ProfileError> {
        for name in names {
            let event = name.strip_prefix("event_");
            let before = self.events.len();
            self.events.retain(|what| event != Some(what.name()));
            let known =
                self.host.turn_off(name) || self.events.len() < before || self.venue.turn_off(name);
            if !known {
                let why = format!("{name:?}: expected the name of a fault that it has");
                return Err(ProfileError { name: self.name.clone(), why });
            }
        }
        Ok(())
    }

    /// Names of the faults that can happen.
    pub fn faults(&self) -> Vec<String> {
        let host = crate::simulation::fault::Fault::ALL.iter();
        let host = host.filter(|fault| self.host.is_on(**fault)).map(|fault| fault.name().into());
        let events = self.events.iter().map(|what| format!("event_{}", what.name()));
        host.chain(self.venue.on().into_iter().map(str::to_owned)).chain(events).collect()
    }
}

/// Events that are drawn, each with what ends it a while later, if anything does.
pub(super) const ENDS: &[(What, Option<What>)] = &[
    (What::Halt, Some(What::Resume)),
    (What::Delist, None),
    (What::Append, None),
    (What::GrowthOff, None),
    (What::GrowthOn, None),
    (What::SzDecimals, None),
    (What::MaxLeverage, None),
    (What::OpenInterestToCap, None),
    (What::OracleFreeze, Some(What::OracleThaw)),
    (What::OracleStop, Some(What::OracleStart)),
    (What::OracleJump, None),
    (What::MakersFreeze, Some(What::MakersThaw)),
    (What::ClearBids, None),
    (What::ClearAsks, None),
    (What::DropConnections, None),
    (What::PostOnlyOn, Some(What::PostOnlyOff)),
    (What::AgentExpire, Some(What::AgentRenew)),
    (What::BudgetEmpty, Some(What::BudgetRefill)),
    (What::NoncesTaken, None),
    (What::Liquidate, None),
    (What::CloseByHand, None),
    (What::OraclePrint, None),
    (What::OracleApart, Some(What::OracleBack)),
    (What::BookRuns, Some(What::OracleBack)),
    (What::AccountFreeze, Some(What::AccountThaw)),
    (What::AgentMoves, Some(What::AgentReturns)),
    (What::FeedLate, Some(What::FeedOnTime)),
    (What::LinkLate, Some(What::FeedOnTime)),
    (What::ListOdd, None),
    (What::EntryOdd, Some(What::EntryPlain)),
    (What::ListEarly, Some(What::SocketLearns)),
];
