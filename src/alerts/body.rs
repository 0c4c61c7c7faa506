//! What an alert looks like on its way, in each format, within the receiver's limits.

use serde_json::{Value, json};

use crate::alerts::Sender;
use crate::alerts::outbox::QueuedAlert;
use crate::types::config::{self, AlertFormat};
use crate::types::time::{DAY_NS, Wall};

/// Longest text that Telegram's `sendMessage` takes; counted in UTF-16 here, to be on the safe side.
const TELEGRAM_MAX: usize = 4096;
/// Longest `content` of a Discord message.
const DISCORD_MAX: usize = 2000;
/// Longest text of our own format, in the same units.
const JSON_MAX: usize = 4096;

/// What all alerts of a run share.
#[derive(Debug)]
pub(super) struct Formatter {
    format: AlertFormat,
    chat_id: Option<String>,
    sender: Sender,
}

impl Formatter {
    pub(super) fn new(settings: &config::Alerts, sender: Sender) -> Self {
        Self { format: settings.format, chat_id: settings.telegram_chat_id.clone(), sender }
    }

    /// Names the run.
    pub(super) fn set_run(&mut self, run_id: &str) {
        run_id.clone_into(&mut self.sender.run_id);
    }

    /// The request's body.
    pub(super) fn body(&self, letter: &QueuedAlert, dropped: u64) -> String {
        let body = match self.format {
            AlertFormat::Json => self.json(letter, dropped),
            AlertFormat::Telegram => {
                // A number stays one: channels are named by text, everything else by number.
                let id = self.chat_id.as_deref().unwrap_or_default();
                let id = id.parse::<i64>().map_or_else(|_| json!(id), |number| json!(number));
                json!({"chat_id": id, "text": cut(&self.text(letter, dropped), TELEGRAM_MAX)})
            }
            // Whatever a text holds, it calls nobody.
            AlertFormat::Discord => json!({
                "content": cut(&self.text(letter, dropped), DISCORD_MAX),
                "allowed_mentions": {"parse": []},
            }),
        };
        body.to_string()
    }

    fn json(&self, letter: &QueuedAlert, dropped: u64) -> Value {
        let QueuedAlert { alert, suppressed, .. } = letter;
        let mut body = json!({
            "time": rfc3339(alert.at),
            "severity": alert.severity.name(),
            "kind": alert.kind.name(),
            "text": cut(&alert.text, JSON_MAX),
            "run_id": self.sender.run_id,
            "mode": self.sender.mode.name(),
            "details": alert.details,
            "suppressed": suppressed,
            "dropped": dropped,
        });
        if let Some(host) = &self.sender.host {
            body["host"] = json!(host);
        }
        body
    }

    /// For people: what happened, and behind it which run, where and when.
    fn text(&self, letter: &QueuedAlert, dropped: u64) -> String {
        let QueuedAlert { alert, suppressed, .. } = letter;
        let Sender { run_id, mode, host } = &self.sender;
        let host = host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
        let mut text = format!(
            "hip3 {}: {}\n{}{host}, {} mode",
            alert.severity.name().to_uppercase(),
            alert.text,
            rfc3339(alert.at),
            mode.name()
        );
        if !run_id.is_empty() {
            text.push_str(&format!(", run {run_id}"));
        }
        if *suppressed > 0 {
            text.push_str(&format!("\n{suppressed} more of this kind before it"));
        }
        if dropped > 0 {
            text.push_str(&format!("\n{dropped} alerts before it were dropped"));
        }
        text
    }
}

/// At most so many units of UTF-16.
fn cut(text: &str, most: usize) -> String {
    if text.encode_utf16().count() <= most {
        return text.to_owned();
    }
    let mut left = most - 1;
    let fits = |c: &char| match left.checked_sub(c.len_utf16()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let mut out: String = text.chars().take_while(fits).collect();
    out.push('…');
    out
}

/// `2026-11-22T12:00:00.250Z`
fn rfc3339(at: Wall) -> String {
    let (year, month, day) = at.day().civil();
    let ms = at.0.rem_euclid(DAY_NS) / 1_000_000;
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::config::Config;
    use crate::types::record::Mode;
    use crate::types::time::{Mono, Now};

    fn body(
        format: AlertFormat,
        chat: Option<&str>,
        change: impl FnOnce(&mut QueuedAlert),
    ) -> Value {
        let settings = config::Alerts {
            format,
            telegram_chat_id: chat.map(str::to_owned),
            ..Config::default().alerts
        };
        let host = Some("box".to_owned());
        let sender = Sender { run_id: String::new(), mode: Mode::Trading, host };
        let mut envelope = Formatter::new(&settings, sender);
        envelope.set_run("r-1");
        let wall = Wall(1_795_348_800_250_000_000);
        let mut letter = QueuedAlert::test(Now { mono: Mono(0), wall });
        change(&mut letter);
        serde_json::from_str(&envelope.body(&letter, 2)).expect("JSON")
    }

    #[test]
    fn our_own_format_has_every_field() {
        let body = body(AlertFormat::Json, None, |letter| letter.suppressed = 3);
        assert_eq!(body["time"], "2026-11-22T12:00:00.250Z");
        assert_eq!((&body["severity"], &body["kind"]), (&json!("info"), &json!("test")));
        assert_eq!((&body["run_id"], &body["mode"]), (&json!("r-1"), &json!("trading")));
        assert_eq!((&body["suppressed"], &body["dropped"]), (&json!(3), &json!(2)));
        assert_eq!((&body["host"], &body["details"]), (&json!("box"), &json!({})));
        assert!(body["text"].as_str().is_some_and(|text| text.contains("test")), "{body}");
    }

    #[test]
    fn telegram_gets_its_chat_as_it_names_it_and_no_text_past_its_limit() {
        let long = |letter: &mut QueuedAlert| letter.alert.text = "𝕏".repeat(5_000);
        let told = body(AlertFormat::Telegram, Some("-1001234567890"), long);
        assert_eq!(told["chat_id"], json!(-1_001_234_567_890_i64));
        let text = told["text"].as_str().expect("a text");
        assert!(text.encode_utf16().count() <= TELEGRAM_MAX && text.ends_with('…'));
        assert_eq!(body(AlertFormat::Telegram, Some("@news"), |_| {})["chat_id"], "@news");
    }

    #[test]
    fn discord_gets_no_content_past_its_limit_and_nobody_is_called() {
        let told = body(AlertFormat::Discord, None, |letter| {
            letter.alert.text = format!("@everyone {}", "x".repeat(2_000));
        });
        let content = told["content"].as_str().expect("a text");
        assert_eq!(content.encode_utf16().count(), DISCORD_MAX);
        assert_eq!(told["allowed_mentions"], json!({"parse": []}));
        let told = body(AlertFormat::Discord, None, |letter| letter.suppressed = 4);
        let content = told["content"].as_str().expect("a text");
        assert!(content.starts_with("hip3 INFO: ") && content.contains("run r-1"), "{content}");
        assert!(
            content.contains("4 more of this kind") && content.contains("2 alerts"),
            "{content}"
        );
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("a𝕏b", 3), "a…", "half of a pair is none");
    }
}
