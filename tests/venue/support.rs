//! A venue in virtual time and one client that listens.

use hip3::types::num::{Px, Sz};
use hip3::types::time::{Mono, Nanos};
use hip3::venue::{ConnId, Output, Settings, Venue};
use serde_json::Value;

/// A venue, its clock, and everything it said.
pub(crate) struct Floor {
    pub(crate) venue: Venue,
    pub(crate) now: Mono,
    pub(crate) out: Vec<Output>,
}

impl Floor {
    pub(crate) fn new(settings: Settings) -> Self {
        let venue = Venue::new(settings, Mono(0)).unwrap();
        Self { venue, now: Mono(0), out: Vec::new() }
    }

    /// One seed, few markets, nothing that moves by itself.
    pub(crate) fn still() -> Self {
        Self::new(Settings { markets: 3, still: true, ..Settings::default() })
    }

    pub(crate) fn connect(&mut self) -> ConnId {
        self.venue.connect(self.now, &mut self.out).unwrap()
    }

    pub(crate) fn say(&mut self, conn: ConnId, text: &str) {
        self.venue.text(self.now, conn, text, &mut self.out);
    }

    pub(crate) fn subscribe(&mut self, conn: ConnId, subscription: &str) {
        let frame = format!(r#"{{"method":"subscribe","subscription":{subscription}}}"#);
        self.say(conn, &frame);
    }

    /// Subscribes to quotes and contexts of every live market of the watched dex.
    pub(crate) fn watch_all(&mut self, conn: ConnId) {
        for coin in self.venue.coins() {
            if self.venue.is_live(&coin) {
                for kind in ["bbo", "activeAssetCtx"] {
                    self.subscribe(conn, &format!(r#"{{"type":"{kind}","coin":"{coin}"}}"#));
                }
            }
        }
    }

    /// Lets `ms` pass, in steps of at most a second.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now.plus(Nanos::from_millis(ms));
        while self.now < end {
            self.now = self.now.plus(Nanos::from_millis(1_000)).min(end);
            self.venue.advance(self.now, &mut self.out);
        }
    }

    /// What was said since the last call.
    pub(crate) fn heard(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    /// The text frames since the last call, read as JSON.
    pub(crate) fn frames(&mut self) -> Vec<Value> {
        texts(&self.heard()).iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    /// The text frames since the last call.
    pub(crate) fn texts(&mut self) -> Vec<String> {
        texts(&self.heard())
    }

    pub(crate) fn info(&mut self, body: &str) -> (u16, String) {
        let reply = self.venue.info(self.now, body.as_bytes());
        (reply.status, reply.body)
    }

    /// The JSON answer to a request that must succeed. Time passes, so that weight does not run out.
    pub(crate) fn ask(&mut self, body: &str) -> Value {
        self.pass(6_000);
        let (status, body) = self.info(body);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

/// The text frames among `outputs`.
pub(crate) fn texts(outputs: &[Output]) -> Vec<String> {
    let text = |output: &Output| match output {
        Output::Text(_, text) => Some(text.to_string()),
        _ => None,
    };
    outputs.iter().filter_map(text).collect()
}

pub(crate) fn px(text: &str) -> Px {
    Px::parse(text.as_bytes()).unwrap()
}

pub(crate) fn sz(text: &str) -> Sz {
    Sz::parse(text.as_bytes()).unwrap()
}

/// The price under `key` of a level or context, if any.
pub(crate) fn px_of(value: &Value) -> Option<Px> {
    value.as_str().and_then(|text| Px::parse(text.as_bytes()))
}
