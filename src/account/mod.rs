//! The cold side of the venue: REST reads, off the hot thread. Sees nothing but `types`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

mod identity;
pub mod info;
mod json;
pub mod state;
#[cfg(test)]
mod tests;

pub use identity::{Agent, Role};
pub use json::Malformed;

use crate::account::info::{DexAnswers, DexError};
use crate::types::account::{AccountMode, AccountState};
use crate::types::config;
use crate::types::market::Universe;
use crate::types::num::Usd;
use crate::types::order::Fill;
use crate::types::time::VenueMs;

/// Longest a call may take, from name lookup to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Largest answer taken; the largest seen is 60 KiB.
const MAX_BODY: u64 = 8 << 20;

/// How the program names itself: the venue answers 429 to whoever does not (PROTOCOL.md §1).
const USER_AGENT: &str = concat!("hip3/", env!("CARGO_PKG_VERSION"));

/// How long a mode that was read holds: it changes by hand, about once in an account's life.
const MODE_KEPT: Duration = Duration::from_secs(600);

/// Rows of a full page of fills; behind a full page there may be more (PROTOCOL.md §4).
const FILLS_PAGE: usize = 2000;

/// Most pages of one reading: the venue keeps the last 10,000 fills.
const FILLS_PAGES: usize = 5;

/// Why the venue could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The venue was not reached, or broke off: name, TCP, TLS, HTTP, time limit, size limit.
    #[error("{request}: {url}: {fault}")]
    Unreachable {
        /// What was asked.
        request: String,
        /// Whom.
        url: String,
        /// What happened.
        fault: String,
    },
    /// It refused.
    #[error("{request}: {url} answered {status}{}: {body}", reason(*.status))]
    Refused {
        /// What was asked.
        request: String,
        /// Whom.
        url: String,
        /// HTTP status.
        status: u16,
        /// Beginning of the answer, escaped.
        body: String,
    },
    /// A configured dex does not exist, or the list of dexes makes no sense.
    #[error(transparent)]
    Dex(#[from] DexError),
    /// An answer makes no sense.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The config names no account.
    #[error("account.user_address: not set, so there is no account to read")]
    NoAccount,
    /// There were more fills than a reading takes.
    #[error("userFillsByTime: fills since {} do not end within {FILLS_PAGES} pages", since.0)]
    TooManyFills {
        /// Since when fills were asked for.
        since: VenueMs,
    },
}

/// What a status means here (PROTOCOL.md §1).
fn reason(status: u16) -> &'static str {
    match status {
        429 => " (rate limit)",
        300..=399 => " (redirects are not followed)",
        422 => " (request not understood)",
        500..=599 => " (the venue's own trouble)",
        _ => "",
    }
}

/// Reads the venue over REST. Blocks; belongs on a cold thread.
#[derive(Debug)]
pub struct Reader {
    agent: ureq::Agent,
    url: String,
    dexes: Vec<String>,
    /// The account that acts.
    user: Option<String>,
    /// Its mode, and when that was read.
    mode: Option<(AccountMode, Instant)>,
    mode_kept: Duration,
}

impl Reader {
    /// For the dexes of `venue`, and the account that `account` lets act, if it names one.
    pub fn new(venue: &config::Venue, account: &config::Account) -> Self {
        Self::with(venue, account, TIMEOUT, RootCerts::WebPki)
    }

    /// The same, trusting one authority (its certificate, DER) and nobody else: for a venue that signs
    /// its own certificates.
    pub fn trusting(venue: &config::Venue, account: &config::Account, authority: &[u8]) -> Self {
        let authority = Certificate::from_der(authority).to_owned();
        Self::with(venue, account, TIMEOUT, RootCerts::new_with_certs(&[authority]))
    }

    fn with(
        venue: &config::Venue,
        account: &config::Account,
        timeout: Duration,
        roots: RootCerts,
    ) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // The stream knows no proxy either, and they must reach the same venue.
            .proxy(None)
            .user_agent(USER_AGENT)
            .build()
            .new_agent();
        Self {
            agent,
            url: format!("{}/info", venue.rest_url),
            dexes: venue.dexes.clone(),
            user: account.acting().map(str::to_owned),
            mode: None,
            mode_kept: MODE_KEPT,
        }
    }

    /// Reads `perpDexs`, then `meta`, `perpDexLimits` and `perpsAtOpenInterestCap` of each dex, and
    /// `userFees` if there is a user to ask about.
    ///
    /// All or nothing: an error in any of them, the fees included, refuses the reading, since a
    /// wrong fee is money lost and half a universe looks like delistings.
    pub fn read_universe(&mut self) -> Result<Universe, ReadError> {
        let listed = self.ask("perpDexs", &json!({"type": "perpDexs"}))?;
        let mut markets = Vec::new();
        for dex in info::perp_dexs(&listed, &self.dexes)? {
            let of_dex = |kind| self.ask(kind, &json!({"type": kind, "dex": dex.name}));
            let meta = of_dex("meta")?;
            let limits = of_dex("perpDexLimits")?;
            let at_cap = of_dex("perpsAtOpenInterestCap")?;
            let answers = DexAnswers { meta: &meta, limits: &limits, at_cap: &at_cap };
            markets.extend(info::markets(&dex, answers)?);
        }
        let fees = match &self.user {
            Some(user) => {
                let body = self.ask("userFees", &json!({"type": "userFees", "user": user}))?;
                Some(info::user_fees(&body)?)
            }
            None => None,
        };
        Ok(Universe { markets, fees })
    }

    /// Reads the account: its mode, its state on each dex, what can back a trade, its address
    /// budget, and its fills from `fills_since` on.
    ///
    /// All or nothing, and in this order, so that no fill is older news than the positions. Weighs
    /// 2 a dex, 2 for the spot side if the mode asks for it, 20 for the budget, and for the fills
    /// 20 and 1 more for each 20 of them: 44 with one dex and no fill, of 1200 a minute (PROTOCOL.md
    /// §8.1). The mode adds 20, once in ten minutes.
    ///
    /// Errors: as [`ReadError`] says; without an account, and with more than 10,000 fills.
    pub fn read_account(&mut self, fills_since: VenueMs) -> Result<AccountState, ReadError> {
        let user = self.user.clone().ok_or(ReadError::NoAccount)?;
        let of_user = |kind: &str| json!({"type": kind, "user": user});
        let mode = match self.mode {
            Some((mode, read_at)) if read_at.elapsed() < self.mode_kept => mode,
            _ => {
                let mode = state::mode(&self.ask("userAbstraction", &of_user("userAbstraction"))?)?;
                self.mode = Some((mode, Instant::now()));
                mode
            }
        };
        let mut dexes = Vec::with_capacity(self.dexes.len());
        for dex in &self.dexes {
            let kind = "clearinghouseState";
            let body = self.ask(kind, &json!({"type": kind, "user": user, "dex": dex}))?;
            dexes.push(state::dex_account(dex, &body)?);
        }
        let available = match mode {
            AccountMode::Standard => dexes
                .iter()
                .fold(Usd::ZERO, |sum, account| sum.saturating_add(account.withdrawable)),
            AccountMode::Unified | AccountMode::PortfolioMargin | AccountMode::Unset => {
                let kind = "spotClearinghouseState";
                state::collateral(&self.ask(kind, &of_user(kind))?)?
            }
            // Pulled from the main dex (PROTOCOL.md §5.5).
            AccountMode::DexAbstraction => {
                let kind = "clearinghouseState";
                state::dex_account("", &self.ask(kind, &of_user(kind))?)?.withdrawable
            }
        };
        let rate_limit = state::rate_limit(&self.ask("userRateLimit", &of_user("userRateLimit"))?)?;
        let fills = self.fills(&user, fills_since)?;
        let available = Some(available);
        Ok(AccountState { mode, dexes, available, rate_limit, fills, fills_since })
    }

    /// Fills of `user` from `since` on, oldest first.
    fn fills(&self, user: &str, since: VenueMs) -> Result<Vec<Fill>, ReadError> {
        let mut fills: Vec<Fill> = Vec::new();
        let mut from = since;
        for _ in 0..FILLS_PAGES {
            let kind = "userFillsByTime";
            let body = json!({"type": kind, "user": user, "startTime": from.0.max(0)});
            let page = state::fills(&self.ask(kind, &body)?)?;
            // A page begins with the moment that the last one ended in.
            let told = fills.len();
            for fill in page.fills {
                if fill.time > from || !fills.iter().take(told).any(|held| *held == fill) {
                    fills.push(fill);
                }
            }
            match page.last {
                _ if page.rows < FILLS_PAGE => {
                    fills.sort_by_key(|fill| fill.time);
                    return Ok(fills);
                }
                Some(last) if last > from => from = last,
                _ => break,
            }
        }
        Err(ReadError::TooManyFills { since })
    }

    /// The venue's time by `exchangeStatus` (weight 2): some 0.2 s behind its clock.
    pub fn venue_time(&self) -> Result<VenueMs, ReadError> {
        let body = self.ask("exchangeStatus", &json!({"type": "exchangeStatus"}))?;
        Ok(identity::venue_time(&body)?)
    }

    /// What `address` is, by `userRole` (weight 60).
    pub fn role(&self, address: &str) -> Result<Role, ReadError> {
        let body = self.ask("userRole", &json!({"type": "userRole", "user": address}))?;
        Ok(identity::role(&body)?)
    }

    /// The named API wallets of the master account `user`, by `extraAgents` (weight 20).
    pub fn agents(&self, user: &str) -> Result<Vec<Agent>, ReadError> {
        let body = self.ask("extraAgents", &json!({"type": "extraAgents", "user": user}))?;
        Ok(identity::agents(&body)?)
    }

    /// One `POST /info`.
    fn ask(&self, kind: &str, body: &Value) -> Result<Vec<u8>, ReadError> {
        let request = match body.get("dex").and_then(Value::as_str) {
            Some(dex) => format!("{kind}[{dex}]"),
            None => kind.to_owned(),
        };
        let unreachable = |error: ureq::Error| ReadError::Unreachable {
            request: request.clone(),
            url: self.url.clone(),
            fault: json::shown(error.to_string().as_bytes()),
        };
        let post = self.agent.post(&self.url).content_type("application/json");
        let mut response = post.send(body.to_string()).map_err(unreachable)?;
        let answer = response.body_mut().with_config().limit(MAX_BODY).read_to_vec();
        let status = response.status().as_u16();
        match answer {
            Ok(answer) if status == 200 => Ok(answer),
            // An unknown dex is `null`, with either status (PROTOCOL.md §1).
            Ok(answer) if status == 500 && kind == "meta" && answer.trim_ascii() == b"null" => {
                Ok(answer)
            }
            Err(error) if status == 200 => Err(unreachable(error)),
            answer => Err(ReadError::Refused {
                request,
                url: self.url.clone(),
                status,
                body: json::shown(&answer.unwrap_or_default()),
            }),
        }
    }
}
