//! The request itself. Blocks, for as long as it is told at most.

use std::time::Duration;

use ureq::Error;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};

use crate::alerts::address::Address;
use crate::types::time::Nanos;

/// Most of an answer that is read; all that matters in it is how long to wait.
const MAX_BODY: u64 = 64 << 10;

const USER_AGENT: &str = concat!("hip3/", env!("CARGO_PKG_VERSION"));

/// What came of a request. Nothing in it was written by the receiver.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It was taken, with this status.
    Taken(u16),
    /// There were too many; again after so long, if that was said.
    Busy {
        /// Time to wait, if the receiver named one.
        after: Option<Nanos>,
    },
    /// It was not reached, or has troubles of its own; this is why.
    Failed(String),
    /// It does not want this, now or later.
    Refused(u16),
}

/// Sends alerts to one address.
#[derive(Debug)]
pub(super) struct WebhookClient {
    agent: ureq::Agent,
    address: Address,
}

impl WebhookClient {
    pub(super) fn new(address: Address) -> Self {
        let agent = ureq::Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(RootCerts::WebPki).build())
            .http_status_as_error(false)
            // The URL is for the one who was named.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(USER_AGENT)
            .build()
            .new_agent();
        Self { agent, address }
    }

    pub(super) fn host(&self) -> &str {
        self.address.host()
    }

    /// Posts `body`; everything together takes `patience` at most.
    pub(super) fn send(&self, body: &str, patience: Duration) -> Answer {
        let request = self.agent.post(self.address.url());
        let request = request.config().timeout_global(Some(patience)).build();
        match request.content_type("application/json").send(body) {
            Ok(response) => judged(response),
            Err(error) => Answer::Failed(fault(&error).to_owned()),
        }
    }
}

fn judged(mut response: Response<ureq::Body>) -> Answer {
    let status = response.status().as_u16();
    match status {
        200..=299 => Answer::Taken(status),
        429 => {
            let header = response.headers().get("retry-after");
            let header = header.and_then(|value| value.to_str().ok()).and_then(seconds);
            let after = header.or_else(|| {
                let body = response.body_mut().with_config().limit(MAX_BODY).read_to_vec().ok()?;
                asked_in(&body)
            });
            Answer::Busy { after }
        }
        408 | 500..=599 => Answer::Failed(format!("status {status}")),
        _ => Answer::Refused(status),
    }
}

/// Seconds, with a fraction or without. A date, as HTTP also has it, is none.
fn seconds(text: &str) -> Option<Nanos> {
    span(text.trim().parse().ok()?)
}

fn span(seconds: f64) -> Option<Nanos> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .map(|span| Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
}

/// What Discord (`retry_after`) and Telegram (`parameters.retry_after`) say in their answer.
fn asked_in(body: &[u8]) -> Option<Nanos> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let asked = body.get("retry_after").or_else(|| body.get("parameters")?.get("retry_after"))?;
    span(asked.as_f64()?)
}

/// A failure in words of our own: those of the library may hold the URL.
const fn fault(error: &Error) -> &'static str {
    match error {
        Error::Timeout(_) => "no answer in time",
        Error::HostNotFound => "host not found",
        Error::ConnectionFailed => "no connection",
        Error::Io(_) => "the connection broke",
        Error::Tls(_) | Error::Rustls(_) | Error::Pem(_) => "TLS failed",
        Error::Http(_) | Error::Protocol(_) | Error::BadUri(_) => "no HTTP as expected",
        _ => "the request failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_to_wait_is_read_wherever_it_stands() {
        let s = |s: u64| Some(Nanos::from_secs(s));
        assert_eq!((seconds("7"), seconds(" 0.5 ")), (s(7), Some(Nanos::from_millis(500))));
        for wrong in ["", "-1", "nan", "inf", "1e300", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
        assert_eq!(asked_in(br#"{"retry_after": 2.5}"#), Some(Nanos::from_millis(2_500)));
        assert_eq!(asked_in(br#"{"ok":false,"parameters":{"retry_after":9}}"#), s(9));
        for wrong in [&b"{}"[..], b"[", b"{\"retry_after\":\"x\"}"] {
            assert_eq!(asked_in(wrong), None);
        }
    }
}
