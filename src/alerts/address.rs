//! Where alerts go. The URL carries a secret: only its host is ever shown.

use std::fmt;

use zeroize::Zeroizing;

use crate::types::config::web_host;

/// A URL that alerts may be posted to. Shows its host alone, and is wiped when dropped.
pub struct Address {
    url: Zeroizing<String>,
    host: String,
}

impl Address {
    /// Of one line of text, blanks around it or not: `https`, or `http` to loopback.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let url = std::str::from_utf8(text.trim_ascii()).ok()?;
        let host = web_host(url)?.to_owned();
        Some(Self { url: Zeroizing::new(url.to_owned()), host })
    }

    /// The host, which is no secret.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The whole URL; for the request alone.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("host", &self.host).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_its_host_and_no_more() {
        let address = Address::parse(b" https://hooks.example.org/services/s3cret?k=v \n").unwrap();
        assert_eq!(address.host(), "hooks.example.org");
        assert!(address.url().ends_with("s3cret?k=v"));
        assert!(!format!("{address:?}").contains("s3cret"));
        for wrong in ["", "http://hooks.example.org/a", "https://a/b\nhttps://a/c", "\u{e9}"] {
            assert!(Address::parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
