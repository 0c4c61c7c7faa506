//! What a config must never hold, and no message may show: keys, seed phrases, passwords.

/// What to say instead of the value.
pub(super) const REFUSAL: &str = "secrets are refused here; give the agent's key in HIP3_PRIVATE_KEY or in \
     the file that account.key_file names (mode 0600)";

/// Parts of names that announce a secret, lower case and without separators.
const NAMES: [&str; 14] = [
    "privatekey",
    "privkey",
    "secret",
    "mnemonic",
    "seed",
    "apikey",
    "password",
    "passwd",
    "passphrase",
    "signingkey",
    "agentkey",
    "walletkey",
    "accesskey",
    "credential",
];

/// Whether a key's name announces a secret. The names of files that hold one do not.
pub(super) fn is_secret_name(key: &str) -> bool {
    let name: String =
        key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if name.ends_with("file") || name.ends_with("path") {
        return false;
    }
    NAMES.iter().any(|part| name.contains(part)) || matches!(name.as_str(), "token" | "pk" | "sk")
}

/// Whether a text looks like a secret itself: 32 bytes in hex anywhere in it, a list of at least
/// twelve plain words (a seed phrase), or a URL with a password.
pub(super) fn is_secret_text(text: &str) -> bool {
    let mut run = 0;
    for byte in text.bytes() {
        run = if byte.is_ascii_hexdigit() { run + 1 } else { 0 };
        if run >= 64 {
            return true;
        }
    }
    let plain =
        |word: &str| (3..=8).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphabetic());
    if text.split_whitespace().filter(|word| plain(word)).count() >= 12 {
        return true;
    }
    text.split_once("://").is_some_and(|(_, rest)| {
        rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_any_spelling() {
        for name in [
            "private_key",
            "PRIVATE-KEY",
            "privateKey",
            "my_secret",
            "mnemonic",
            "api_key",
            "apiKey",
            "password",
            "token",
            "seed_phrase",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["key_file", "token_file", "private_key_file", "max_bbo_age_ms", "key"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn texts_that_look_like_secrets_are_known_wherever_they_stand() {
        let hex = "0123456789abcdef".repeat(4);
        for text in [hex.clone(), format!("0x{hex}"), format!("key={}", hex.to_uppercase())] {
            assert!(is_secret_text(&text));
        }
        assert!(is_secret_text(&"zebra ".repeat(12)));
        assert!(is_secret_text("wss://user:word@host/ws"));
        for text in ["0x0123456789abcdef0123456789abcdef01234567", "data/signals", "wss://h/ws@1"] {
            assert!(!is_secret_text(text), "{text}");
        }
    }
}
