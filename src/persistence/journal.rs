//! The journal: every row, in the engine's order, before it stands in a day file.
//!
//! One file, append-only. A record is a frame: length and CRC-32 of the payload (each 4 bytes,
//! little-endian), then the payload, JSON. What has been handed to the kernel survives the death of
//! the process; a power cut may take what was not yet synced, about a second. Either way what can
//! be read back is a prefix of what was written, as if the process had died a little earlier.
//!
//! When every row has reached its day file a new journal takes the place of the old one, at once;
//! its first record carries over what has no row yet: the debts, and when the run was last alive.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::persistence::debts::Debts;
use crate::persistence::disk::{Disk, copy_exact, write_all_at};
use crate::persistence::run::RunInfo;
use crate::types::record::Row;
use crate::types::time::Wall;

/// Raised whenever a record changes its meaning.
pub(super) const FORMAT: u32 = 1;

/// The journal's name in the data directory.
pub(super) const NAME: &str = "journal";

/// A new journal while it is being written.
const TEMP: &str = ".tmp-journal";

const FRAME_HEADER: usize = 8;

/// Longest payload read: far above the opening of a run with the most open debts.
const PAYLOAD_MAX: usize = 64 << 20;

/// Most bytes kept for a journal that cannot be written, while the day files can.
const PENDING_MAX: usize = 64 << 20;

/// Most of an unreadable rest that is searched for records.
const SEARCH_MAX: u64 = 64 << 20;

/// One entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "nearly all of them are rows")]
pub(super) enum Record {
    /// The first of a journal: what the rows before it left behind.
    Opening(Opening),
    /// A new run took over. One record, so that a run's inheritance is settled whole or not at all.
    Start { run: RunInfo, alive: Alive, rows: Vec<Numbered> },
    /// A row.
    Row(Numbered),
    /// The process lives.
    Alive(Alive),
    /// The run ended in order.
    Closed(Alive),
}

/// What a journal begins with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Opening {
    pub(super) format: u32,
    pub(super) next_seq: u64,
    pub(super) run: RunInfo,
    pub(super) alive: Alive,
    pub(super) owed: Debts,
}

/// A sign of life.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Alive {
    pub(super) at: Wall,
    /// How many markets were watched.
    pub(super) markets: u32,
    /// Since when not everything was seen, if a gap was open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) blind_since: Option<Wall>,
}

/// A row and its number, which grows over all kinds, days and runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Numbered {
    pub(super) seq: u64,
    pub(super) row: Row,
}

/// The journal that is being written.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes in the hands of the kernel, and where the next one goes.
    written: u64,
    /// Frames not yet there.
    pending: Vec<u8>,
    /// Rows among them.
    pending_rows: VecDeque<u64>,
    /// Up to here there are whole frames.
    whole: u64,
    /// Whether bytes wait for a sync.
    unsynced: bool,
    /// Whether it holds more than its opening and signs of life.
    has_rows: bool,
}

impl Journal {
    /// Starts a new journal in `dir`, in the place of any other.
    pub(super) fn create(disk: &dyn Disk, dir: &Path, opening: Opening) -> io::Result<Self> {
        let path = dir.join(NAME);
        let (file, written) = write_new(disk, dir, &path, opening)?;
        disk.sync_dir(dir)?;
        Ok(Self {
            path,
            file,
            written,
            pending: Vec::new(),
            pending_rows: VecDeque::new(),
            whole: written,
            unsynced: false,
            has_rows: false,
        })
    }

    /// Continues the journal in `dir` behind its `readable` first bytes; whatever follows is cut.
    pub(super) fn resume(disk: &dyn Disk, dir: &Path, readable: u64) -> io::Result<Self> {
        let path = dir.join(NAME);
        let file = File::options().read(true).write(true).open(&path)?;
        disk.truncate(&file, readable)?;
        Ok(Self {
            path,
            file,
            written: readable,
            pending: Vec::new(),
            pending_rows: VecDeque::new(),
            whole: readable,
            unsynced: true,
            has_rows: true,
        })
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Rows that the kernel does not have yet.
    pub(super) fn pending_rows(&self) -> u64 {
        self.pending_rows.len() as u64
    }

    /// Whether the next start will find it: nobody removed it or put another in its place.
    pub(super) fn is_in_place(&self) -> bool {
        let place = |meta: fs::Metadata| (meta.dev(), meta.ino());
        let there = fs::symlink_metadata(&self.path).map(place);
        matches!((there, self.file.metadata().map(place)), (Ok(there), Ok(ours)) if there == ours)
    }

    /// Whether it holds more than its opening and signs of life.
    pub(super) fn has_rows(&self) -> bool {
        self.has_rows
    }

    /// Its length in bytes, those not yet written too.
    pub(super) fn len(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// Appends `record`; it is safe from the death of the process once `commit` succeeds.
    pub(super) fn push(&mut self, record: &Record) -> io::Result<()> {
        frame(record, &mut self.pending)?;
        if matches!(record, Record::Row(_)) {
            self.pending_rows.push_back(self.len());
        }
        self.has_rows |= !matches!(record, Record::Alive(_));
        Ok(())
    }

    /// Hands everything to the kernel. What a failure leaves behind goes out with the next commit,
    /// from the byte where this one stopped.
    pub(super) fn commit(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let mut sent = 0;
        let mut result = Ok(());
        while let Some(rest) = self.pending.get(sent..).filter(|rest| !rest.is_empty()) {
            match disk.write_at(&self.file, rest, self.written) {
                Ok(0) => result = Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    sent += n;
                    self.written += n as u64;
                    continue;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => result = Err(e),
            }
            break;
        }
        self.unsynced |= sent > 0;
        self.pending.drain(..sent);
        // Of what a failure cut, the rows in front of the cut are whole.
        while self.pending_rows.front().is_some_and(|end| *end <= self.written) {
            self.pending_rows.pop_front();
        }
        if self.pending.is_empty() {
            self.whole = self.written;
        }
        result
    }

    /// Makes what was committed survive a power cut.
    pub(super) fn sync(&mut self, disk: &dyn Disk) -> io::Result<()> {
        if self.unsynced {
            disk.sync(&self.file)?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Begins anew with `opening`: every row so far stands in its file. On failure the old journal
    /// goes on.
    pub(super) fn reset(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        opening: Opening,
    ) -> io::Result<()> {
        let (file, written) = write_new(disk, dir, &self.path, opening)?;
        self.file = file;
        self.written = written;
        self.whole = written;
        self.pending.clear();
        self.pending_rows.clear();
        self.unsynced = false;
        self.has_rows = false;
        // The new journal has the name already. Should a power cut bring the old one back, its rows
        // are known by their numbers to stand in the files.
        disk.sync_dir(dir)
    }
}

impl Journal {
    /// Forgets what could not be written, if it is much. Only for a journal whose rows all stand in
    /// their files.
    pub(super) fn forget_excess(&mut self, disk: &dyn Disk) {
        if self.pending.len() > PENDING_MAX {
            self.pending = Vec::new();
            self.pending_rows = VecDeque::new();
            self.written = self.whole;
            // Should this fail, half a frame stays behind: an end that the next start cuts.
            let _ = disk.truncate(&self.file, self.whole);
        }
    }
}

fn write_new(
    disk: &dyn Disk,
    dir: &Path,
    path: &Path,
    opening: Opening,
) -> io::Result<(File, u64)> {
    let temp = dir.join(TEMP);
    let mut bytes = Vec::new();
    frame(&Record::Opening(opening), &mut bytes)?;
    let file = disk.create(&temp)?;
    write_all_at(disk, &file, &bytes, 0)?;
    disk.sync(&file)?;
    disk.rename(&temp, path)?;
    Ok((file, bytes.len() as u64))
}

fn frame(record: &Record, to: &mut Vec<u8>) -> io::Result<()> {
    let start = to.len();
    to.extend_from_slice(&[0; FRAME_HEADER]);
    let written = serde_json::to_writer(&mut *to, record).map_err(io::Error::from);
    let payload = to.get(start + FRAME_HEADER..).unwrap_or_default();
    let (length, crc) = (payload.len(), crc32fast::hash(payload));
    if let (Ok(()), Ok(length)) = (&written, u32::try_from(length))
        && length as usize <= PAYLOAD_MAX
    {
        let header = to.iter_mut().skip(start);
        let bytes = length.to_le_bytes().into_iter().chain(crc.to_le_bytes());
        header.zip(bytes).for_each(|(to, byte)| *to = byte);
        return Ok(());
    }
    to.truncate(start);
    written.and(Err(io::Error::other("a record too long for the journal")))
}

/// What reading a journal found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Scan {
    /// Bytes from the start that are whole records.
    pub(super) readable: u64,
    /// Bytes behind them.
    pub(super) rest: u64,
    /// Whether there are records in the rest: then it is no torn end, but damage.
    pub(super) damaged: bool,
}

/// Reads the journal at `path` up to the first record that is not whole, handing each to `take`.
pub(super) fn scan(path: &Path, mut take: impl FnMut(Record)) -> io::Result<Scan> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(1 << 18, &file);
    let mut readable = 0;
    let mut payload = Vec::new();
    loop {
        let mut header = [0; FRAME_HEADER];
        let left = length.saturating_sub(readable);
        if left < FRAME_HEADER as u64 {
            break;
        }
        reader.read_exact(&mut header)?;
        let (size, crc) = split(header);
        if size > PAYLOAD_MAX || size as u64 > left - FRAME_HEADER as u64 {
            break;
        }
        payload.resize(size, 0);
        reader.read_exact(&mut payload)?;
        let Some(record) = decode(&payload, crc) else { break };
        // Only the first record opens a journal.
        if matches!(record, Record::Opening(_)) != (readable == 0) {
            break;
        }
        take(record);
        readable += (FRAME_HEADER + size) as u64;
    }
    let rest = length.saturating_sub(readable);
    Ok(Scan { readable, rest, damaged: rest > 0 && holds_records(&file, readable)? })
}

fn split(header: [u8; FRAME_HEADER]) -> (usize, u32) {
    let [a, b, c, d, e, f, g, h] = header;
    (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]))
}

fn decode(payload: &[u8], crc: u32) -> Option<Record> {
    if crc32fast::hash(payload) != crc {
        return None;
    }
    serde_json::from_slice(payload).ok()
}

/// Whether any whole record begins at or after `from`. A write that was cut short leaves none.
fn holds_records(mut file: &File, from: u64) -> io::Result<bool> {
    use std::io::{Seek, SeekFrom};
    let mut rest = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.take(SEARCH_MAX).read_to_end(&mut rest)?;
    Ok((0..rest.len()).any(|at| {
        let bytes = rest.get(at..).unwrap_or_default();
        let Some((header, bytes)) = bytes.split_first_chunk::<FRAME_HEADER>() else { return false };
        let (size, crc) = split(*header);
        // Every payload is a JSON object; looking for its brace first keeps the search cheap.
        bytes.first() == Some(&b'{')
            && bytes.get(..size).is_some_and(|payload| decode(payload, crc).is_some())
    }))
}

/// Keeps a copy of the journal in `dir` under `name`, whole and synced.
pub(super) fn keep_copy(disk: &dyn Disk, dir: &Path, name: &str) -> io::Result<()> {
    let from = File::open(dir.join(NAME))?;
    let to = disk.create(&dir.join(name))?;
    copy_exact(disk, &from, &to, from.metadata()?.len())?;
    disk.sync(&to)?;
    disk.sync_dir(dir)
}
