//! Captures: everything the engine was told, one JSON text a line with its receive time, so that a
//! run can be repeated exactly.
//!
//! The first line describes the run; then each line holds `t` (wall clock, ns since 1970 UTC),
//! `m` (monotonic clock, ns) and one thing heard: `"frame":"…"` is the raw text of a frame.
//!
//! ```json
//! {"hip3_capture":1,"run_id":"…","first_id":1,"seed":7,"config":"mode = …"}
//! {"t":1795348800000000000,"m":1000000,"frame":"{\"channel\":\"pong\"}"}
//! {"t":1795348800000100000,"m":1100000,"tick":null}
//! ```
//!
//! A capture may be compressed by zstd once it is written: it is read as it is.

mod reader;
mod usual_line;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::runtime::ring::{Consumer, Producer};
use crate::types::account::{AccountState, Role};
use crate::types::event::{Event, LinkDown, OperatorCommand};
use crate::types::market::Universe;
use crate::types::time::{Mono, Now, VenueTime, Wall};

pub use reader::{ReadError, Reader, Said};

/// Version of the format.
const FORMAT: u32 = 1;
/// Pause of the writer when nothing waits.
const IDLE: Duration = Duration::from_millis(5);

/// The first line.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Header {
    hip3_capture: u32,
    /// Whether the engine was told of the time by a heartbeat. Captures of old versions, and of others'
    /// recordings, know none: in them a silence is no pause of the process.
    #[serde(default)]
    pub heartbeat: bool,
    /// The run that was captured.
    pub run_id: String,
    /// Its first signal and cross id.
    pub first_id: u64,
    /// Its seed.
    pub seed: u64,
    /// Its effective config. It holds no secrets: a config never does.
    pub config: String,
    /// Whether it holds what the venue said of the signer; older captures do not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signer_role: bool,
}

impl Header {
    /// Describes a run.
    pub fn new(run_id: &str, first_id: u64, seed: u64, config: String) -> Self {
        let run_id = run_id.to_owned();
        let (heartbeat, signer_role) = (true, false);
        Self { hip3_capture: FORMAT, heartbeat, run_id, first_id, seed, config, signer_role }
    }

    /// The same of a run that asks the venue what its signer is.
    pub fn asking_signer_role(self) -> Self {
        Self { signer_role: true, ..self }
    }
}

/// One thing the engine was told.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// A text frame.
    Frame(String),
    /// A deadline passed.
    Tick(()),
    /// The link opened.
    Connected(()),
    /// The link is gone.
    Disconnected(LinkDown),
    /// A frame that is no text.
    Binary(()),
    /// A reading of the venue.
    Universe(Universe),
    /// A failed one.
    UniverseFailed(()),
    /// A reading of the account.
    Account(AccountState),
    /// A failed one.
    AccountFailed(()),
    /// The answer to an action that went by REST.
    Exchanged {
        /// The number of the action.
        post: u64,
        /// HTTP status.
        status: u16,
        /// The body; bytes that are no UTF-8 are replaced, which no answer has.
        body: String,
    },
    /// None came.
    ExchangeFailed {
        /// The number of the action.
        post: u64,
    },
    /// The venue's word of what the signer is.
    SignerRole(Role),
    /// A failed question for it.
    SignerRoleFailed(()),
    /// What the venue's answers told of its clock.
    VenueTime(VenueTime),
    /// A command of the operator.
    Operator(OperatorCommand),
    /// Rows lost to a full ring: how many, and since when.
    RowsLost(u64, Wall),
    /// The run was told to end.
    Stop(()),
    /// This many things are missing here: the capture could not keep up.
    Missing(u64),
}

/// Said so often that it is made once.
pub(crate) static TICK: Heard = Heard::Tick(());

impl Heard {
    /// As the engine is told it; `None` for a hole.
    pub fn event(&self) -> Option<Event<'_>> {
        Some(match self {
            Heard::Frame(text) => Event::Frame(text.as_bytes()),
            Heard::Tick(()) => Event::Tick,
            Heard::Connected(()) => Event::Connected,
            Heard::Disconnected(cause) => Event::Disconnected(*cause),
            Heard::Binary(()) => Event::Binary,
            Heard::Universe(universe) => Event::Universe(universe),
            Heard::UniverseFailed(()) => Event::UniverseFailed,
            Heard::Account(account) => Event::Account(account),
            Heard::AccountFailed(()) => Event::AccountFailed,
            Heard::Exchanged { post, status, body } => {
                Event::Exchanged { post: *post, status: *status, body: body.as_bytes() }
            }
            Heard::ExchangeFailed { post } => Event::ExchangeFailed { post: *post },
            Heard::SignerRole(role) => Event::SignerRole(*role),
            Heard::SignerRoleFailed(()) => Event::SignerRoleFailed,
            Heard::VenueTime(told) => Event::VenueTime(*told),
            Heard::Operator(command) => Event::Operator(*command),
            Heard::RowsLost(rows, since) => Event::RowsLost { rows: *rows, since: *since },
            Heard::Stop(()) => Event::Stop,
            Heard::Missing(_) => return None,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Line {
    t: Wall,
    m: Mono,
    #[serde(flatten)]
    heard: Heard,
}

/// The hot thread's end of a capture. Buffers of frames come back to it, so that capturing
/// allocates nothing once enough of them are under way.
#[derive(Debug)]
pub struct Tap {
    lines: Producer<(Now, Heard)>,
    spent: Consumer<String>,
    missing: u64,
    last: Now,
}

/// The cold end.
#[derive(Debug)]
pub struct Writer {
    lines: Consumer<(Now, Heard)>,
    spent: Producer<String>,
    out: BufWriter<File>,
    path: PathBuf,
}

/// Opens a capture file, which must not exist, and writes its first line. `capacity` bounds what
/// may wait for the disk.
pub fn create(path: &Path, header: &Header, capacity: usize) -> io::Result<(Tap, Writer)> {
    let file = File::options().write(true).create_new(true).open(path)?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    write_line(&mut out, header)?;
    out.flush()?;
    let (lines, from_tap) = crate::runtime::ring::ring(capacity);
    let (spent, to_tap) = crate::runtime::ring::ring(capacity);
    let tap = Tap { lines, spent: to_tap, missing: 0, last: Now::default() };
    Ok((tap, Writer { lines: from_tap, spent, out, path: path.to_owned() }))
}

impl Tap {
    /// Captures an event that the engine is told at `now`. A full ring loses it, and the next line
    /// that passes says how many were lost before it.
    pub fn keep(&mut self, now: Now, event: &Event<'_>) {
        self.last = now;
        if self.missing > 0 {
            match self.lines.push((now, Heard::Missing(self.missing))) {
                Ok(()) => self.missing = 0,
                Err(_) => {
                    self.missing += 1;
                    return;
                }
            }
        }
        let heard = match event {
            Event::Frame(bytes) => {
                let mut text = self.spent.pop().unwrap_or_default();
                text.clear();
                // Frames are text: the WebSocket layer has checked it.
                text.push_str(std::str::from_utf8(bytes).unwrap_or_default());
                Heard::Frame(text)
            }
            Event::Tick => Heard::Tick(()),
            Event::Connected => Heard::Connected(()),
            Event::Disconnected(cause) => Heard::Disconnected(*cause),
            Event::Binary => Heard::Binary(()),
            Event::Universe(universe) => Heard::Universe((*universe).clone()),
            Event::UniverseFailed => Heard::UniverseFailed(()),
            Event::Account(account) => Heard::Account((*account).clone()),
            Event::AccountFailed => Heard::AccountFailed(()),
            Event::Exchanged { post, status, body } => {
                let body = String::from_utf8_lossy(body).into_owned();
                Heard::Exchanged { post: *post, status: *status, body }
            }
            Event::ExchangeFailed { post } => Heard::ExchangeFailed { post: *post },
            Event::SignerRole(role) => Heard::SignerRole(*role),
            Event::SignerRoleFailed => Heard::SignerRoleFailed(()),
            Event::VenueTime(told) => Heard::VenueTime(*told),
            Event::Operator(command) => Heard::Operator(*command),
            Event::RowsLost { rows, since } => Heard::RowsLost(*rows, *since),
            Event::Stop => Heard::Stop(()),
        };
        if self.lines.push((now, heard)).is_err() {
            self.missing += 1;
        }
    }
}

/// The end of a capture that could not keep up says so too: the hot thread is done, and may wait a
/// little for the disk.
impl Drop for Tap {
    fn drop(&mut self) {
        const TRIES: u32 = 200;
        for _ in 0..TRIES {
            let done = self.missing == 0 || self.lines.is_abandoned();
            if done || self.lines.push((self.last, Heard::Missing(self.missing))).is_ok() {
                return;
            }
            std::thread::sleep(IDLE);
        }
    }
}

impl Writer {
    /// Writes what comes until the hot end is gone. Returns the lines written. An error ends the
    /// capture, not the run.
    pub fn run(mut self) -> io::Result<u64> {
        let mut written = 0;
        loop {
            let ended = self.lines.is_closed(); // Asked before the last look.
            let mut idle = true;
            while let Some((now, heard)) = self.lines.pop() {
                idle = false;
                let line = Line { t: now.wall, m: now.mono, heard };
                write_line(&mut self.out, &line)?;
                written += 1;
                if let Heard::Frame(text) = line.heard {
                    // A full ring of spent buffers just frees this one.
                    let _ = self.spent.push(text);
                }
            }
            if idle {
                self.out.flush()?;
                if ended {
                    self.out.get_ref().sync_data()?;
                    return Ok(written);
                }
                std::thread::sleep(IDLE);
            }
        }
    }

    /// Where it writes.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ids::Address;
    use crate::types::time::Nanos;

    fn now(ms: u64) -> Now {
        let span = Nanos::from_millis(ms);
        Now { mono: Mono(5).plus(span), wall: Wall(7).plus(span) }
    }

    #[test]
    fn what_is_kept_reads_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.jsonl");
        let header = Header::new("run", 3, 4, "mode = \"observation\"".to_owned());
        let (mut tap, writer) = create(&path, &header, 64).expect("a capture");
        let universe = Universe { markets: Vec::new(), fees: None, odd: Vec::new() };
        let events = [
            Event::Tick,
            Event::Universe(&universe),
            Event::Connected,
            Event::Frame(br#"{"channel":"pong"}"#),
            Event::Frame("Websocket \"é\"\n established.".as_bytes()),
            Event::Binary,
            Event::RowsLost { rows: 3, since: Wall(1) },
            Event::UniverseFailed,
            Event::Exchanged { post: 7, status: 200, body: br#"{"status":"ok"}"# },
            Event::ExchangeFailed { post: 8 },
            Event::SignerRole(Role::Agent { user: Address([0xaa; 20]) }),
            Event::SignerRoleFailed,
            Event::VenueTime(VenueTime { at: Mono(9), earliest: Wall(8), latest: Wall(12) }),
            Event::Disconnected(LinkDown::Silent),
            Event::Stop,
        ];
        for (ms, event) in events.iter().enumerate() {
            tap.keep(now(ms as u64), event);
        }
        drop(tap);
        assert_eq!(writer.run().expect("written"), events.len() as u64);

        let mut reader = Reader::open(&path).expect("a capture");
        assert_eq!(reader.header(), &header);
        for (ms, event) in events.iter().enumerate() {
            let (at, said) = reader.read().expect("a line").expect("one more");
            assert_eq!(at, now(ms as u64));
            assert_eq!(format!("{:?}", said.event().expect("no hole")), format!("{event:?}"));
        }
        assert!(reader.read().expect("the end").is_none());
        create(&path, &header, 1).expect_err("a capture is never overwritten");
    }

    #[test]
    fn a_capture_that_cannot_keep_up_says_what_it_missed() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.jsonl");
        let (mut tap, writer) =
            create(&path, &Header::new("run", 0, 0, String::new()), 2).expect("ok");
        for _ in 0..5 {
            tap.keep(now(1), &Event::Tick);
        }
        let Writer { mut lines, spent, out, path: at } = writer;
        assert!(lines.pop().is_some() && lines.pop().is_some());
        tap.keep(now(2), &Event::Connected);
        tap.keep(now(3), &Event::Stop);
        let writer = Writer { lines, spent, out, path: at };
        let writing = std::thread::spawn(|| writer.run());
        drop(tap);
        writing.join().expect("no panic").expect("written");
        let mut reader = Reader::open(&path).expect("a capture");
        let mut next = || match reader.read().expect("a line") {
            Some((now, Said::Other(heard))) => Some((now, heard.clone())),
            Some((_, Said::Frame(_))) => panic!("no frame was kept"),
            None => None,
        };
        assert_eq!(next(), Some((now(2), Heard::Missing(3))));
        assert_eq!(next(), Some((now(2), Heard::Connected(()))));
        assert_eq!(next(), Some((now(3), Heard::Missing(1))), "also at its end");
        assert_eq!(next(), None);
    }
}
