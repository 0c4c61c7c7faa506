//! What happened last, for people: kept only when asked for, since formatting takes most of the time.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write};

use crate::simulation::machine::ORIGIN;
use crate::types::event::{Action, Actions, Event};
use crate::types::time::Mono;

/// Lines that are kept in memory.
const KEPT: usize = 30;
/// A text is cut off behind this many bytes.
const LONGEST: usize = 240;

/// Where events go.
#[derive(Debug, Default)]
pub struct Trace {
    kept: Option<VecDeque<String>>,
    file: Option<BufWriter<File>>,
}

impl Trace {
    /// Keeps nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Keeps the last lines, and writes all of them to `file` if there is one.
    pub fn last(file: Option<File>) -> Self {
        Self { kept: Some(VecDeque::new()), file: file.map(BufWriter::new) }
    }

    /// The last lines.
    pub(super) fn lines(&self) -> Vec<String> {
        self.kept.iter().flatten().cloned().collect()
    }

    /// Says something.
    pub(super) fn say(&mut self, now: Mono, what: impl FnOnce() -> String) {
        let Some(kept) = &mut self.kept else { return };
        let seconds = now.since(ORIGIN).0 as f64 / 1e9;
        let line = format!("{seconds:>12.6}  {}", what());
        if let Some(file) = &mut self.file {
            // A trace that cannot be written is no reason to end the run.
            let _ = writeln!(file, "{line}");
        }
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(line);
    }

    /// The engine hears something.
    pub(super) fn event(&mut self, now: Mono, event: &Event<'_>) {
        self.say(now, || match event {
            Event::Frame(frame) => format!("← {}", cut(frame)),
            Event::Tick => "← tick".to_owned(),
            Event::Universe(universe) => format!("← universe of {}", universe.markets.len()),
            Event::Account(state) => format!(
                "← account: {:?}, {} fills, {:?}",
                state.dexes.iter().map(|dex| &dex.positions).collect::<Vec<_>>(),
                state.fills.len(),
                state.rate_limit
            ),
            Event::Exchanged { post, status, body } => {
                format!("← exchanged {post}: {status} {}", cut(body))
            }
            other => format!("← {other:?}"),
        });
    }

    /// The engine asks for something.
    pub(super) fn action(&mut self, now: Mono, action: &Action, actions: &Actions) {
        self.say(now, || match action {
            Action::Send(span) => format!("→ send {}", cut(actions.text(*span))),
            Action::Exchange { post, body, .. } => {
                format!("→ exchange {post}: {}", cut(actions.text(*body)))
            }
            other => {
                let mut text = format!("→ {other:?}");
                if text.len() > 2 * LONGEST {
                    let end = (0..=2 * LONGEST).rev().find(|at| text.is_char_boundary(*at));
                    text.truncate(end.unwrap_or(0));
                }
                text
            }
        });
    }
}

fn cut(text: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&text[..text.len().min(LONGEST)]);
    if text.len() > LONGEST { format!("{shown}… ({} bytes)", text.len()) } else { shown.into() }
}
