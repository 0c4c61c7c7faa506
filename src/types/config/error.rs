//! What is wrong with a config: every problem at once, none of them showing a secret.

use std::fmt;

/// Why a config was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong: `config.toml: risk.max_ctx_age_ms = 700000: expected …`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Where it was written: the file as it was named, or `--set`.
    pub file: String,
    /// The key (`risk.max_ctx_age_ms`) or the place in the file (`line 3, column 7`); empty when
    /// the file as a whole is meant.
    pub path: String,
    /// The value as written, cut and escaped; `None` when there is none or it must not be shown.
    pub value: Option<String>,
    /// What was expected instead.
    pub fault: String,
}

/// Longest value shown, in characters.
const SHOWN: usize = 80;

impl Problem {
    /// A problem with what was written at `path`.
    pub(super) fn new(
        file: impl Into<String>,
        path: impl Into<String>,
        value: Option<&str>,
        fault: impl Into<String>,
    ) -> Self {
        Self { file: file.into(), path: path.into(), value: value.map(shown), fault: fault.into() }
    }
}

/// `text` cut and without anything that could drive a terminal.
pub(super) fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let mut out = String::new();
    for c in chars.by_ref().take(SHOWN) {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if !self.path.is_empty() {
            f.write_str(&self.path)?;
            if let Some(value) = &self.value {
                write!(f, " = {value}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.fault)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}
