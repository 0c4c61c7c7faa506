//! The words that stand for choices in the file.

use crate::types::config::{AlertFormat, Dispatch, LogFormat, LogLevel, Network};
use crate::types::record::Mode;

/// A choice that the file writes as a word.
pub(super) trait Word: Copy + PartialEq + 'static {
    /// Every choice with its word.
    const WORDS: &'static [(&'static str, Self)];

    /// The choice of this word.
    fn of(text: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice)
    }

    /// `"a", "b" or "c"`.
    fn choices() -> String {
        let words: Vec<String> =
            Self::WORDS.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => words.concat(),
        }
    }
}

impl Word for Mode {
    const WORDS: &'static [(&'static str, Self)] =
        &[(Mode::Observation.name(), Mode::Observation), (Mode::Trading.name(), Mode::Trading)];
}

impl Word for Network {
    const WORDS: &'static [(&'static str, Self)] = &[
        (Network::Mainnet.name(), Network::Mainnet),
        (Network::Testnet.name(), Network::Testnet),
        (Network::Custom.name(), Network::Custom),
    ];
}

impl Word for Dispatch {
    const WORDS: &'static [(&'static str, Self)] = &[
        (Dispatch::Immediate.name(), Dispatch::Immediate),
        (Dispatch::Tick.name(), Dispatch::Tick),
    ];
}

impl Word for LogLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
        (LogLevel::Error.name(), LogLevel::Error),
        (LogLevel::Warn.name(), LogLevel::Warn),
        (LogLevel::Info.name(), LogLevel::Info),
        (LogLevel::Debug.name(), LogLevel::Debug),
        (LogLevel::Trace.name(), LogLevel::Trace),
    ];
}

impl Word for LogFormat {
    const WORDS: &'static [(&'static str, Self)] =
        &[(LogFormat::Text.name(), LogFormat::Text), (LogFormat::Json.name(), LogFormat::Json)];
}

impl Word for AlertFormat {
    const WORDS: &'static [(&'static str, Self)] = &[
        (AlertFormat::Json.name(), AlertFormat::Json),
        (AlertFormat::Telegram.name(), AlertFormat::Telegram),
        (AlertFormat::Discord.name(), AlertFormat::Discord),
    ];
}

impl Network {
    /// As the file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Testnet => "testnet",
            Self::Custom => "custom",
        }
    }

    /// WebSocket and REST endpoints (PROTOCOL.md §1); `None` for `custom`.
    pub const fn urls(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Mainnet => Some(("wss://api.hyperliquid.xyz/ws", "https://api.hyperliquid.xyz")),
            Self::Testnet => Some((
                "wss://api.hyperliquid-testnet.xyz/ws",
                "https://api.hyperliquid-testnet.xyz",
            )),
            Self::Custom => None,
        }
    }
}

impl Dispatch {
    /// As the file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::Tick => "tick",
        }
    }
}

impl LogLevel {
    /// As the file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl LogFormat {
    /// As the file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl AlertFormat {
    /// As the file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Telegram => "telegram",
            Self::Discord => "discord",
        }
    }
}
