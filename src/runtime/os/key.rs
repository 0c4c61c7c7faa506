//! The agent's key, from the environment or from a file: read once, never shown, wiped.
//!
//! What is wiped is every buffer of ours that held the text. The variable itself stays in the
//! process's environment, readable by its user and root (`/proc/PID/environ`): taking it out is not
//! possible in safe Rust, since another thread might read the environment at that moment. Who minds
//! uses a file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::executor::signer::Key;
use crate::runtime::os::private::read_private;
use crate::types::config::Account;

/// The variable that may hold the key.
pub const KEY_VARIABLE: &str = "HIP3_PRIVATE_KEY";

/// Where a key was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeyOrigin {
    /// In the environment.
    Variable,
    /// In this file.
    File(PathBuf),
    /// Made by this program, for one run.
    Made,
}

impl std::fmt::Display for KeyOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KeyOrigin::Variable => f.write_str(KEY_VARIABLE),
            KeyOrigin::File(path) => write!(f, "{}", path.display()),
            KeyOrigin::Made => f.write_str("made for this run"),
        }
    }
}

/// Why there is no key. None of these shows anything of one.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Two places name one.
    #[error(
        "{KEY_VARIABLE} and account.key_file ({}) are both set: leave one out, so that it is clear \
         which key signs", .0.display()
    )]
    Ambiguous(PathBuf),
    /// None names one.
    #[error(
        "no key to sign with: put the agent's key into a file of mode 0600 and name it in \
         account.key_file, or set {KEY_VARIABLE}"
    )]
    Missing,
    /// The file cannot be used.
    #[error("account.key_file = {}: {fault}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// What was found is no key.
    #[error(
        "{origin}: expected 64 hex digits on one line, with or without 0x before them, that \
             make a valid secp256k1 key"
    )]
    NoKey {
        /// Where it was found.
        origin: KeyOrigin,
    },
}

/// The key that `account` or the environment names.
///
/// Errors: both or neither does, the file is not ours alone, or it holds no key.
pub fn load_key(account: &Account) -> Result<(Key, KeyOrigin), KeyError> {
    // An empty variable is how a service file unsets one.
    let variable = std::env::var_os(KEY_VARIABLE).filter(|value| !value.is_empty());
    key_of(variable, account.key_file.as_deref())
}

fn key_of(variable: Option<OsString>, file: Option<&Path>) -> Result<(Key, KeyOrigin), KeyError> {
    let variable = variable.map(|value| Zeroizing::new(value.into_encoded_bytes()));
    let (text, origin) = match (variable, file) {
        (Some(_), Some(file)) => return Err(KeyError::Ambiguous(file.to_owned())),
        (None, None) => return Err(KeyError::Missing),
        (Some(text), None) => (text, KeyOrigin::Variable),
        (None, Some(path)) => {
            let refuse = |fault| KeyError::File { path: path.to_owned(), fault };
            (read_private(path).map_err(refuse)?, KeyOrigin::File(path.to_owned()))
        }
    };
    match parse(&text) {
        Some(key) => Ok((key, origin)),
        None => Err(KeyError::NoKey { origin }),
    }
}

/// One line of 64 hex digits, `0x` before them or not, blanks around them or not.
fn parse(text: &[u8]) -> Option<Key> {
    let line = text.trim_ascii();
    let digits = line.strip_prefix(b"0x").unwrap_or(line);
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    Key::from_hex(std::str::from_utf8(digits).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A key made now, as hex.
    fn fresh() -> String {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).unwrap();
        bytes[0] = 1; // Below the group's order.
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn write(dir: &Path, text: &str, mode: u32) -> PathBuf {
        let path = dir.join("agent.key");
        let _ = fs::remove_file(&path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn of_file(path: &Path) -> Result<Key, String> {
        key_of(None, Some(path)).map(|(key, _)| key).map_err(|error| {
            assert!(
                error.to_string().starts_with("account.key_file")
                    || error.to_string().contains("64 hex"),
                "{error}"
            );
            error.to_string()
        })
    }

    #[test]
    fn a_key_is_read_with_or_without_0x_and_with_its_end_of_line() {
        let dir = tempfile::tempdir().unwrap();
        let key = fresh();
        for text in [
            key.clone(),
            format!("0x{key}"),
            format!("{key}\n"),
            format!("0x{}\r\n", key.to_uppercase()),
        ] {
            of_file(&write(dir.path(), &text, 0o600)).expect("a key");
            let (_, origin) = key_of(Some(text.into()), None).expect("a key");
            assert_eq!(origin, KeyOrigin::Variable);
        }
        for mode in [0o400, 0o600] {
            of_file(&write(dir.path(), &key, mode)).expect("strict enough");
        }
    }

    #[test]
    fn a_file_that_others_can_reach_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let key = fresh();
        for mode in [0o604, 0o602, 0o601, 0o640, 0o620, 0o610, 0o700, 0o644, 0o666, 0o777] {
            let refusal = of_file(&write(dir.path(), &key, mode)).expect_err("a refusal");
            assert!(
                refusal.contains(&format!("{mode:04o}")) && refusal.contains("0600"),
                "{refusal}"
            );
            assert!(!refusal.contains(&key), "never shown");
        }
    }

    #[test]
    fn what_is_no_file_is_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600))
            .unwrap();
        assert!(of_file(&pipe).unwrap_err().contains("regular file"));
        assert!(of_file(dir.path()).unwrap_err().contains("regular file"));
        assert!(of_file(&dir.path().join("missing")).unwrap_err().contains("cannot be read"));
        // A link to a good file is a good file: that is how secrets are mounted.
        let link = dir.path().join("link");
        symlink(write(dir.path(), &fresh(), 0o600), &link).unwrap();
        of_file(&link).expect("a key");
    }

    #[test]
    fn garbage_is_refused_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let key = fresh();
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        for text in [
            String::new(),
            "0x".to_owned(),
            key[1..].to_owned(),
            format!("{key}0"),
            format!("{key}\n{key}\n"),
            format!("0x0x{key}"),
            format!("key = {key}"),
            "0".repeat(64),
            order.to_owned(),
            "g".repeat(64),
            "é".repeat(32),
        ] {
            let refusal = of_file(&write(dir.path(), &text, 0o600)).expect_err(&text);
            assert!(refusal.contains("64 hex digits"), "{refusal}");
            assert!(text.len() < 8 || !refusal.contains(&text), "never shown");
            if !text.is_empty() {
                assert!(key_of(Some(text.clone().into()), None).is_err(), "{text}");
            }
        }
        let refusal = of_file(&write(dir.path(), &" ".repeat(1025), 0o600)).expect_err("too large");
        assert!(refusal.contains("1025 bytes"), "{refusal}");
        of_file(&write(dir.path(), &format!("{key}{}", " ".repeat(1024 - 64)), 0o600))
            .expect("1 KiB");
    }

    #[test]
    fn both_places_are_ambiguous_and_neither_says_how() {
        let path = PathBuf::from("/nowhere/agent.key");
        let both = key_of(Some("x".into()), Some(&path)).unwrap_err();
        assert!(matches!(both, KeyError::Ambiguous(_)));
        assert!(both.to_string().contains("/nowhere/agent.key"), "{both}");
        let neither = key_of(None, None).unwrap_err().to_string();
        for part in ["account.key_file", KEY_VARIABLE, "0600"] {
            assert!(neither.contains(part), "{neither}");
        }
    }
}
