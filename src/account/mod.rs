//! The cold side of the venue: REST reads, off the hot thread. Sees nothing but `types`.

use std::time::Duration;

use serde_json::{Value, json};

pub mod info;
mod json;
#[cfg(test)]
mod tests;

pub use json::Malformed;

use crate::account::info::{DexAnswers, DexError};
use crate::types::config;
use crate::types::market::Universe;

/// Longest a call may take, from name lookup to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Largest answer taken; the largest seen is 60 KiB.
const MAX_BODY: u64 = 8 << 20;

/// How the program names itself: the venue answers 429 to whoever does not (PROTOCOL.md §1).
const USER_AGENT: &str = concat!("hip3/", env!("CARGO_PKG_VERSION"));

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
    user: Option<String>,
}

impl Reader {
    /// For the dexes of `venue`, and the fees of `account`'s user address if it names one.
    pub fn new(venue: &config::Venue, account: &config::Account) -> Self {
        Self::with_timeout(venue, account, TIMEOUT)
    }

    fn with_timeout(venue: &config::Venue, account: &config::Account, timeout: Duration) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
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
            user: account.user_address.clone(),
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
