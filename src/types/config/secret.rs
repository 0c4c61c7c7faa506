//! What a config must never hold, and no message may show: keys, seed phrases, passwords.

/// What to say instead of the value.
pub(super) const REFUSAL: &str = "secrets are refused here; give the agent's key in HIP3_PRIVATE_KEY or in \
     the file that account.key_file names (mode 0600)";

/// The same for the URL that alerts go to.
pub(super) const URL_REFUSAL: &str = "the URL of alerts carries a secret and is refused here; give it in HIP3_ALERT_URL or in \
     the file that alerts.url_file names (mode 0600)";

/// Why a key of `section` with this name is refused, if it is.
pub(super) fn refused_name(section: &str, key: &str) -> Option<&'static str> {
    let name = plain(key);
    let of_alerts = ["url", "webhook", "token", "secret"].iter().any(|part| name.contains(part));
    if section == "alerts" && of_alerts && !names_a_file(&name) {
        return Some(URL_REFUSAL);
    }
    is_secret_name(key).then_some(REFUSAL)
}

/// Why a text in `section` is refused, if it is.
pub(super) fn refused_text(section: &str, text: &str) -> Option<&'static str> {
    // Whatever stands in that section, no URL does.
    if is_webhook(text) || (section == "alerts" && text.contains("://")) {
        return Some(URL_REFUSAL);
    }
    is_secret_text(text).then_some(REFUSAL)
}

/// Whether a text is, or contains, a URL that whoever knows it may post to.
fn is_webhook(text: &str) -> bool {
    let bot = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains(':');
    text.contains("/api/webhooks/")
        || text.contains("hooks.slack.com/")
        || text.split("/bot").skip(1).any(bot)
}

/// A name in lower case without separators.
fn plain(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn names_a_file(name: &str) -> bool {
    name.ends_with("file") || name.ends_with("path")
}

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
    let name = plain(key);
    if names_a_file(&name) {
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
    fn the_url_of_alerts_is_known_by_its_name_and_by_its_look() {
        for name in ["url", "URL", "webhook_url", "webhook", "bot_token", "telegram-token"] {
            assert_eq!(refused_name("alerts", name), Some(URL_REFUSAL), "{name}");
        }
        assert_eq!(refused_name("alerts", "url_file"), None);
        assert_eq!(refused_name("venue", "ws_url"), None);
        assert_eq!(refused_name("alerts", "password"), Some(REFUSAL));
        for text in [
            "https://discord.com/api/webhooks/1/abc",
            "https://hooks.slack.com/services/a/b",
            "https://api.telegram.org/bot12:abc/sendMessage",
        ] {
            assert_eq!(refused_text("persistence", text), Some(URL_REFUSAL), "{text}");
        }
        assert_eq!(refused_text("alerts", "https://example.org/x"), Some(URL_REFUSAL));
        for text in ["/var/lib/bottles:old", "data/bot:1", "wss://h/ws", "/etc/hip3/alert.url"] {
            assert_eq!(refused_text("persistence", text), None, "{text}");
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
