//! The dashboard's token: a file that is ours alone, read once, never shown, wiped.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::dashboard::Token;
use crate::runtime::os::entropy::entropy;
use crate::runtime::os::private::read_private;

/// Why there is no token. Shows nothing of one.
#[derive(Debug, thiserror::Error)]
#[error("dashboard.token_file = {}: {fault}", .path.display())]
pub struct TokenError {
    path: PathBuf,
    fault: String,
}

/// The token in a file of mode 0600 or stricter that belongs to us.
pub fn load_token(path: &Path) -> Result<Token, TokenError> {
    let refuse = |fault| TokenError { path: path.to_owned(), fault };
    let bytes = read_private(path).map_err(refuse)?;
    let token = std::str::from_utf8(&bytes).ok().and_then(|text| Token::new(text).ok());
    token.ok_or_else(|| refuse(crate::dashboard::NoToken.to_string()))
}

/// Writes a token that nobody can guess into a new file of mode 0600, in place of what lies there.
pub fn make_token(path: &Path) -> Result<(), TokenError> {
    let refuse = |fault: String| TokenError { path: path.to_owned(), fault };
    let bytes = entropy().map_err(|error| refuse(error.to_string()))?;
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len() + 1));
    for byte in bytes.iter() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text.push('\n');
    // A new file, since an old one keeps its mode and whoever has it open.
    let written = match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => File::options().write(true).create_new(true).mode(0o600).open(path),
    };
    written
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| refuse(format!("cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_was_made_can_be_loaded_and_no_two_are_alike() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dashboard.token");
        make_token(&path).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        load_token(&path).expect("a token");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let refusal = load_token(&path).expect_err("others can read it").to_string();
        assert!(
            refusal.starts_with("dashboard.token_file = ") && refusal.contains("0644"),
            "{refusal}"
        );
        make_token(&path).unwrap();
        load_token(&path).expect("a new file has its own mode");
        assert_ne!(fs::read_to_string(&path).unwrap(), first);
    }

    #[test]
    fn what_is_no_token_is_refused_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dashboard.token");
        make_token(&path).unwrap();
        let right = fs::read_to_string(&path).unwrap().trim().to_owned();
        for wrong in [
            "",
            "short",
            &format!("{right} {right}"),
            &right[..15],
            "\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}",
        ] {
            fs::write(&path, wrong).unwrap();
            let refusal = load_token(&path).expect_err(wrong).to_string();
            assert!(refusal.contains("16 to 512"), "{refusal}");
            assert!(wrong.is_empty() || !refusal.contains(wrong), "{refusal}");
        }
        let missing = load_token(&dir.path().join("none")).expect_err("no file").to_string();
        assert!(missing.contains("cannot be read"), "{missing}");
    }
}
