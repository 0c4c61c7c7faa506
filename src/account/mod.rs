//! The cold side of the venue: REST reads, off the hot thread. Sees nothing but `types`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

mod date;
mod identity;
pub mod info;
mod json;
pub mod reading;
pub mod state;
#[cfg(test)]
mod tests;

pub use date::Dated;
pub use identity::{Agent, Role, role};
pub use json::Malformed;

use crate::account::info::DexError;
use crate::account::reading::{AccountReading, FILLS_PAGES, Reading, RoleReading, UniverseReading};
use crate::types::account::{AccountMode, AccountState};
use crate::types::config;
use crate::types::market::Universe;
use crate::types::time::{VenueMs, Wall};

/// Longest a call may take, from name lookup to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest a connection may take: after an outage the next question must not wait for the last one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Largest answer taken; the largest seen is 60 KiB.
const MAX_BODY: u64 = 8 << 20;

/// How the program names itself: the venue answers 429 to whoever does not (PROTOCOL.md §1).
const USER_AGENT: &str = concat!("hip3/", env!("CARGO_PKG_VERSION"));

/// How long a mode that was read holds: it changes by hand, about once in an account's life.
const MODE_KEPT: Duration = Duration::from_secs(600);

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
        /// What went wrong.
        fault: String,
    },
    /// The server answered with an error status.
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
    exchange_url: String,
    dexes: Vec<String>,
    /// Names that are watched if they are listed; empty means all.
    include: Vec<String>,
    /// Names that are not.
    exclude: Vec<String>,
    /// The account that acts.
    user: Option<String>,
    /// Its mode, and when that was read.
    mode: Option<(AccountMode, Instant)>,
    mode_kept: Duration,
    /// The dates of its answers that nobody has taken yet.
    dated: Vec<Dated>,
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
            .timeout_connect(Some(timeout.min(CONNECT_TIMEOUT)))
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
            exchange_url: format!("{}/exchange", venue.rest_url),
            dexes: venue.dexes.clone(),
            include: venue.include.clone(),
            exclude: venue.exclude.clone(),
            user: account.acting().map(str::to_owned),
            mode: None,
            mode_kept: MODE_KEPT,
            dated: Vec::new(),
        }
    }

    /// Reads the venue, as [`UniverseReading`] says.
    pub fn read_universe(&mut self) -> Result<Universe, ReadError> {
        self.read(UniverseReading::new(&self.dexes, self.user.as_deref()), |_| {})
    }

    /// Whether a market of this name would be watched. What has no name may be any.
    pub fn is_watched(&self, name: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|listed| listed == name);
        name.is_empty()
            || (self.include.is_empty() || named(&self.include)) && !named(&self.exclude)
    }

    /// Reads the account, as [`AccountReading`] says; its mode is asked for once in ten minutes.
    ///
    /// Errors: as [`ReadError`] says; without an account too.
    pub fn read_account(&mut self, fills_since: VenueMs) -> Result<AccountState, ReadError> {
        let user = self.user.clone().ok_or(ReadError::NoAccount)?;
        self.mode = self.mode.filter(|(_, read_at)| read_at.elapsed() < self.mode_kept);
        let known = self.mode.map(|(mode, _)| mode);
        let reading = AccountReading::new(&self.dexes, &user, fills_since, known);
        let mut told = None;
        let whole = self.read(reading, |reading| {
            told = told.or_else(|| reading.mode().map(|mode| (mode, Instant::now())));
        });
        self.mode = self.mode.or(told);
        whole
    }

    /// What answers have told of the venue's clock since the last call.
    pub fn take_dates(&mut self) -> impl Iterator<Item = Dated> + '_ {
        self.dated.drain(..)
    }

    /// Asks until there is no question left, and shows the reading after each answer.
    fn read<R: Reading>(
        &mut self,
        mut reading: R,
        mut look: impl FnMut(&R),
    ) -> Result<R::Whole, ReadError> {
        while let Some(question) = reading.question() {
            let asked = Instant::now();
            let (body, date) = self.ask_dated(question.kind, &question.body)?;
            let answered = Instant::now();
            self.dated.extend(date.map(|date| Dated { asked, answered, date }));
            reading.answer(&body)?;
            look(&reading);
        }
        Ok(reading.whole())
    }

    /// The venue's time by `exchangeStatus` (weight 2): some 0.2 s behind its clock.
    pub fn venue_time(&self) -> Result<VenueMs, ReadError> {
        let body = self.ask("exchangeStatus", &json!({"type": "exchangeStatus"}))?;
        Ok(identity::venue_time(&body)?)
    }

    /// What `address` is, by `userRole` (weight 60).
    pub fn role(&mut self, address: &str) -> Result<Role, ReadError> {
        self.read(RoleReading::new(address), |_| {})
    }

    /// The named API wallets of the master account `user`, by `extraAgents` (weight 20).
    pub fn agents(&self, user: &str) -> Result<Vec<Agent>, ReadError> {
        let body = self.ask("extraAgents", &json!({"type": "extraAgents", "user": user}))?;
        Ok(identity::agents(&body)?)
    }

    /// One `POST /exchange` with a signed `body`; the status and the body that it answers. An error says
    /// nothing of what became of the action, and repeats nothing of the body.
    pub fn exchange(&self, body: &[u8]) -> Result<(u16, Vec<u8>), ReadError> {
        let unreachable = |error: ureq::Error| ReadError::Unreachable {
            request: "exchange".to_owned(),
            url: self.exchange_url.clone(),
            fault: json::shown(error.to_string().as_bytes()),
        };
        let post = self.agent.post(&self.exchange_url).content_type("application/json");
        let mut response = post.send(body).map_err(unreachable)?;
        let answer = response.body_mut().with_config().limit(MAX_BODY).read_to_vec();
        Ok((response.status().as_u16(), answer.map_err(unreachable)?))
    }

    /// One `POST /info`.
    fn ask(&self, kind: &str, body: &Value) -> Result<Vec<u8>, ReadError> {
        self.ask_dated(kind, body).map(|(answer, _)| answer)
    }

    /// The same, with the answer's `Date` if it has one that was written for it.
    fn ask_dated(&self, kind: &str, body: &Value) -> Result<(Vec<u8>, Option<Wall>), ReadError> {
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
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        // What was kept somewhere on the way has the date of its making.
        let kept = header("age").is_some_and(|age| age != "0");
        let date = header("date").filter(|_| !kept).and_then(date::parse);
        match answer {
            Ok(answer) if status == 200 => Ok((answer, date)),
            // An unknown dex is `null`, with either status (PROTOCOL.md §1).
            Ok(answer) if status == 500 && kind == "meta" && answer.trim_ascii() == b"null" => {
                Ok((answer, None))
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
