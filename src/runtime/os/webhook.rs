//! The URL that alerts go to, from the environment or from a file: read once, never shown.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::alerts::Address;
use crate::runtime::os::private::read_private;
use crate::types::config::Alerts;

/// The variable that may hold the URL.
pub const ALERT_VARIABLE: &str = "HIP3_ALERT_URL";

/// Why there is no URL to send alerts to. None of these shows anything of one.
#[derive(Debug, thiserror::Error)]
pub enum AlertUrlError {
    /// Two places name one.
    #[error(
        "{ALERT_VARIABLE} and alerts.url_file ({}) are both set: leave one out, so that it is clear \
         where alerts go", .0.display()
    )]
    Ambiguous(PathBuf),
    /// None names one.
    #[error(
        "alerts need a URL: put it into a file of mode 0600 and name it in alerts.url_file, or set \
         {ALERT_VARIABLE}"
    )]
    Missing,
    /// The file cannot be used.
    #[error("alerts.url_file = {}: {fault}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// What was found is no URL.
    #[error(
        "{origin}: expected one line with https://host[:port]/path, or http:// to loopback (what is \
         there is not shown)"
    )]
    NoUrl {
        /// Where it was found.
        origin: String,
    },
}

/// The URL that `alerts` or the environment names.
///
/// Errors: both or neither does, the file is not ours alone, or it holds no such URL.
pub fn load_alert_url(alerts: &Alerts) -> Result<Address, AlertUrlError> {
    let variable = std::env::var_os(ALERT_VARIABLE).filter(|value| !value.is_empty());
    url_of(variable, alerts.url_file.as_deref())
}

fn url_of(variable: Option<OsString>, file: Option<&Path>) -> Result<Address, AlertUrlError> {
    let variable = variable.map(|value| Zeroizing::new(value.into_encoded_bytes()));
    let (text, origin) = match (variable, file) {
        (Some(_), Some(file)) => return Err(AlertUrlError::Ambiguous(file.to_owned())),
        (None, None) => return Err(AlertUrlError::Missing),
        (Some(text), None) => (text, ALERT_VARIABLE.to_owned()),
        (None, Some(path)) => {
            let refuse = |fault| AlertUrlError::File { path: path.to_owned(), fault };
            (read_private(path).map_err(refuse)?, path.display().to_string())
        }
    };
    Address::parse(&text).ok_or(AlertUrlError::NoUrl { origin })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_url_is_taken_from_one_place_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alert.url");
        let write = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        };
        let url = "https://hooks.example.org/s3cret";
        write(&format!("{url}\n"), 0o600);
        assert_eq!(url_of(None, Some(&path)).unwrap().host(), "hooks.example.org");
        assert_eq!(url_of(Some(url.into()), None).unwrap().host(), "hooks.example.org");
        let refusals = [
            url_of(Some(url.into()), Some(&path)),
            url_of(None, None),
            url_of(Some("http://hooks.example.org/s3cret".into()), None),
            {
                write(url, 0o644);
                url_of(None, Some(&path))
            },
            {
                write(&format!("{url}\n{url}\n"), 0o600);
                url_of(None, Some(&path))
            },
            url_of(None, Some(&dir.path().join("missing"))),
        ];
        let words = ["both set", "alerts.url_file", "https://host", "0644", "one line", "cannot"];
        for (refusal, word) in refusals.into_iter().zip(words) {
            let told = refusal.expect_err("a refusal");
            let shown = format!("{told} {told:?}");
            assert!(shown.contains(word) && !shown.contains("s3cret"), "{shown}");
        }
    }
}
