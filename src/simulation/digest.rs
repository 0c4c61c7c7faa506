//! A number that stands for everything the engine asked for, in order: equal runs have equal ones,
//! on every machine.

use std::fmt;
use std::io;

use crate::types::event::{Action, Actions};
use crate::types::time::Mono;

/// FNV-1a over eight bytes at a time would be quicker, and this is quick enough.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// The hash so far.
    pub fn value(self) -> u64 {
        self.0
    }

    /// Takes another digest in.
    pub fn join(&mut self, other: Digest) {
        self.bytes(&other.0.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Takes an action in, and when it was asked for.
    pub(super) fn action(&mut self, now: Mono, action: &Action, actions: &Actions) {
        self.bytes(&now.0.to_le_bytes());
        match action {
            Action::Send(span) | Action::Exchange { body: span, .. } => {
                self.bytes(actions.text(*span));
            }
            // Neither writing into a number nor writing these rows as JSON can fail.
            Action::Record(row) => _ = serde_json::to_writer(self, row),
            other => _ = fmt::Write::write_fmt(&mut Values(self), format_args!("{other:?}")),
        }
    }
}

impl io::Write for Digest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes what is printed in without its letters: a name in the source is no behaviour.
struct Values<'d>(&'d mut Digest);

impl fmt::Write for Values<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes().filter(|byte| !byte.is_ascii_alphabetic() && *byte != b'_') {
            self.0.bytes(&[byte]);
        }
        Ok(())
    }
}
