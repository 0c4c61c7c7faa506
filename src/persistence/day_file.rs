//! One file of one kind and day.
//!
//! What stands on disk is always a whole Parquet file. A flush writes the next one beside it (the
//! row groups that stand copied as bytes, the new rows encoded behind them, a footer over both) and
//! renames it over.
//!
//! Some readers (DuckDB among them) open a file by name several times for one query: the footer
//! they hold may be older than the pages they read. So row groups, once written, keep their bytes
//! and their place: an old footer stays true of every later file. New rows become a small group of
//! their own; small groups are merged, in tiers, into larger ones until one is full and sealed. A
//! merged group is written behind those it replaces, and their bytes stay behind, dead: every row
//! is written about four times at most, whatever the interval. Only when the dead bytes outgrow the
//! living ones by far is the file written without them.
//!
//! A file that is not ours, or damaged, is never overwritten: it is moved aside.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::persistence::columns::SCHEMA_VERSION;
use crate::persistence::disk::{Disk, copy_exact, write_all_at};
use crate::persistence::parquet::{self, EncodeError, Group, MAGIC, ReadError};
use crate::persistence::run::RunInfo;
use crate::types::record::{Row, RowKind};
use crate::types::time::{Day, Wall};

/// So many groups of a size make one of the next.
const FAN: usize = 16;

/// Most groups that are not sealed; past it all are merged.
const PARTS_MAX: usize = 64;

/// Most runs a file's metadata name; of a longer list the oldest are dropped.
const RUNS_MAX: usize = 256;

pub(super) const KEY_SCHEMA: &str = "hip3.schema_version";
const KEY_RUN: &str = "hip3.run_id";
const KEY_COMMIT: &str = "hip3.git_commit";
const KEY_CONFIG: &str = "hip3.config_hash";
pub(super) const KEY_LAST_SEQ: &str = "hip3.last_seq";
pub(super) const KEY_RUNS: &str = "hip3.runs";

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot {doing} {path}: {source}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Encode { path: PathBuf, source: EncodeError },
}

/// A row that waits for its place in a sealed row group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// Its number in the journal.
    pub(super) seq: u64,
    /// Its run, as an index into the store's list.
    pub(super) run: u32,
    pub(super) row: Row,
}

/// A run, and the file's first row that it wrote.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct RunMark {
    first_row: u64,
    #[serde(flatten)]
    pub(super) run: RunInfo,
}

/// What stands on disk.
#[derive(Debug, Default)]
struct Base {
    /// Kept open: the sealed groups are copied from here, whatever happens to the name.
    file: Option<File>,
    /// Length of the whole file as we left it.
    length: u64,
    /// Sealed row groups.
    groups: Vec<Group>,
    /// Where the last group ends, sealed or not: these bytes are kept.
    end: u64,
    /// Runs that wrote the sealed groups.
    runs: Vec<RunMark>,
    /// Groups of the rows that are still in memory.
    parts: Vec<Group>,
    /// The highest number of a row in the whole file.
    last_seq: u64,
}

impl Base {
    /// Rows in sealed groups.
    fn rows(&self) -> u64 {
        self.groups.iter().map(Group::rows).sum()
    }

    /// Kept bytes that no footer of ours names any more.
    fn dead(&self) -> u64 {
        self.end.saturating_sub(self.living())
    }

    fn living(&self) -> u64 {
        let sizes = self.groups.iter().chain(&self.parts).map(Group::range);
        sizes.map(|(start, end)| end.saturating_sub(start)).sum::<u64>() + MAGIC.len() as u64
    }
}

/// A day file and the rows on their way into it.
#[derive(Debug)]
pub(super) struct DayFile {
    day: Day,
    kind: RowKind,
    path: PathBuf,
    /// `None` while it could not be read.
    base: Option<Base>,
    /// Rows behind the sealed groups, in order.
    tail: Vec<Held>,
    /// How many of them the file on disk holds already.
    visible: usize,
}

/// What every flush needs to know.
pub(super) struct Flush<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) runs: &'a [RunInfo],
    pub(super) group_rows: usize,
    pub(super) dead_bytes: u64,
    pub(super) now: Wall,
}

/// What a flush does beyond showing new rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Upkeep {
    /// What is due.
    Usual,
    /// Merges all that is not sealed: the run ends, and the next cannot.
    Merge,
    /// Also drops the dead bytes: the day is over.
    Finish,
}

/// What one flush did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flushed {
    /// Rows that became visible.
    pub(super) rows: u64,
    /// Rows that were encoded: those, and the rest of the tail.
    pub(super) encoded: u64,
    /// Bytes copied from the file before.
    pub(super) copied: u64,
    /// Bytes encoded and written.
    pub(super) written: u64,
}

impl DayFile {
    /// The file of `kind` and `day` in `dir`; `load` reads it.
    pub(super) fn new(dir: &Path, day: Day, kind: RowKind) -> Self {
        let path = dir.join(format!("{}_{day}.parquet", kind.file_stem()));
        Self { day, kind, path, base: None, tail: Vec::new(), visible: 0 }
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its rows, those not yet visible too.
    pub(super) fn rows(&self) -> u64 {
        self.base.as_ref().map_or(0, Base::rows) + self.tail.len() as u64
    }

    /// Rows that are not in the file yet.
    pub(super) fn waiting(&self) -> usize {
        self.tail.len().saturating_sub(self.visible)
    }

    /// The highest number of a row on disk, 0 when there is none or it is not known.
    pub(super) fn last_seq(&self) -> u64 {
        self.base.as_ref().map_or(0, |base| base.last_seq)
    }

    /// Adds a row, unless the file holds it already. Says whether it was added.
    pub(super) fn push(&mut self, held: Held) -> bool {
        let new = self.base.is_none() || held.seq > self.last_seq();
        if new {
            self.tail.push(held);
        }
        new
    }

    /// Reads what stands on disk, once. A file that cannot be continued is moved aside, and the
    /// text says so. On an error nothing is known, so nothing is touched: rows wait in memory.
    pub(super) fn load(&mut self, disk: &dyn Disk, now: Wall) -> Result<Option<String>, FileError> {
        if self.base.is_some() {
            return Ok(None);
        }
        let read = |source| FileError::Io { doing: "read", path: self.path.clone(), source };
        let (base, warning) = match File::open(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => (Base::default(), None),
            Err(e) => return Err(read(e)),
            Ok(file) => match self.read(file) {
                Ok(base) => (base, None),
                Err(Unusable::Io(e)) => return Err(read(e)),
                Err(Unusable::Damaged(why)) => {
                    (Base::default(), Some(self.set_aside(disk, "bad", now, &why)?))
                }
                Err(Unusable::Foreign(why)) => {
                    (Base::default(), Some(self.set_aside(disk, "foreign", now, &why)?))
                }
            },
        };
        // Rows that came while it could not be read may be in there.
        self.tail.retain(|held| held.seq > base.last_seq);
        self.base = Some(base);
        Ok(warning)
    }

    fn read(&self, file: File) -> Result<Base, Unusable> {
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(Unusable::Foreign("it is no file".to_owned()));
        }
        let footer = parquet::read_footer(&file, self.kind)?;
        let value = |key: &str| {
            let entry = footer.metadata.iter().find(|(name, _)| name == key);
            entry.and_then(|(_, value)| value.as_deref())
        };
        let foreign = |why: &str| Unusable::Foreign(why.to_owned());
        let version = value(KEY_SCHEMA).ok_or_else(|| foreign("hip3 did not write it"))?;
        if version != SCHEMA_VERSION.to_string() {
            let why = format!("it has schema version {version}, this program {SCHEMA_VERSION}");
            return Err(Unusable::Foreign(why));
        }
        if !footer.same_columns {
            return Err(foreign("it has other columns"));
        }
        let last_seq = value(KEY_LAST_SEQ).and_then(|text| text.parse().ok());
        let last_seq = last_seq.ok_or_else(|| foreign("it does not say which rows it holds"))?;
        let runs = value(KEY_RUNS).and_then(|text| serde_json::from_str(text).ok());
        Ok(Base {
            file: Some(file),
            length: meta.len(),
            groups: footer.groups,
            end: footer.groups_end,
            runs: runs.unwrap_or_default(),
            parts: Vec::new(),
            last_seq,
        })
    }

    /// Writes the next file, if rows wait for it or its upkeep asks for it.
    pub(super) fn flush(
        &mut self,
        with: &Flush<'_>,
        upkeep: Upkeep,
        warnings: &mut Vec<String>,
    ) -> Result<Flushed, FileError> {
        if self.waiting() > 0 {
            warnings.extend(self.load(with.disk, with.now)?);
        }
        let parts = self.base.as_ref().map_or(0, |base| base.parts.len());
        let dead = self.base.as_ref().map_or(0, Base::dead);
        let due = match upkeep {
            Upkeep::Usual => false,
            // Without new rows nobody has looked whether it is still there.
            Upkeep::Merge => parts > 1 || self.is_gone(),
            Upkeep::Finish => parts > 1 || dead > 0,
        };
        if self.waiting() == 0 && !due {
            return Ok(Flushed::default());
        }
        warnings.extend(self.check_place(with)?);
        let name = format!(".tmp-{}_{}", self.kind.file_stem(), self.day);
        let temp = self.path.with_file_name(name);
        let next = match self.write_next(with, upkeep, &temp) {
            Ok(next) => next,
            Err(e) => {
                // What a full disk needs most is room. Should this fail too, the next flush
                // overwrites it, and the next start removes it.
                let _ = with.disk.remove(&temp);
                return Err(e);
            }
        };
        let done = Flushed { rows: self.waiting() as u64, ..next.done };
        self.tail.drain(..next.sealed_rows);
        self.visible = self.tail.len();
        self.base = Some(next.base);
        Ok(done)
    }

    /// Whether rows of ours were in a file whose name somebody removed. We hold it open still.
    fn is_gone(&self) -> bool {
        let there = fs::symlink_metadata(&self.path);
        self.base.as_ref().is_some_and(|base| base.file.is_some())
            && there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    fn write_next(&self, with: &Flush<'_>, upkeep: Upkeep, temp: &Path) -> Result<Next, FileError> {
        let io = |source| FileError::Io { doing: "write", path: self.path.clone(), source };
        let encode = |source| FileError::Encode { path: self.path.clone(), source };
        let nothing = Base::default();
        let old = self.base.as_ref().unwrap_or(&nothing);
        let file = with.disk.create(temp).map_err(io)?;
        let mut done = Flushed::default();

        // What stands, where it stands.
        let parts: Vec<usize> = old.parts.iter().map(|part| part.rows() as usize).collect();
        let kept = match upkeep {
            Upkeep::Usual => parts_kept(&parts, self.waiting(), with.group_rows),
            Upkeep::Merge | Upkeep::Finish => 0,
        };
        let kept_rows: usize = parts.iter().take(kept).sum();
        let standing = old.groups.iter().chain(old.parts.iter().take(kept));
        let mut groups: Vec<Group> = standing.cloned().collect();
        let bloated = old.dead() > old.living().saturating_add(with.dead_bytes);
        let mut at = match &old.file {
            Some(source) if bloated || upkeep == Upkeep::Finish => {
                self.rewrite(with, &mut groups, source, &file)?
            }
            Some(source) => {
                copy_exact(with.disk, source, &file, old.end).map_err(io)?;
                old.end
            }
            None => {
                write_all_at(with.disk, &file, MAGIC, 0).map_err(io)?;
                MAGIC.len() as u64
            }
        };
        done.copied = at;
        // Behind it the new rows, and those of the parts that are merged with them.
        let (mut sealed, mut sealed_rows) = (old.groups.len(), 0);
        for held in self.tail.get(kept_rows..).unwrap_or_default().chunks(with.group_rows) {
            let rows = held.iter().map(|held| &held.row);
            let (group, bytes) = parquet::encode(self.kind, &rows, at).map_err(encode)?;
            write_all_at(with.disk, &file, &bytes, at).map_err(io)?;
            at += bytes.len() as u64;
            groups.push(group);
            done.encoded += held.len() as u64;
            done.written += bytes.len() as u64;
            if held.len() == with.group_rows {
                (sealed, sealed_rows) = (groups.len(), sealed_rows + held.len());
            }
        }
        let runs = self.runs(old, with.runs, self.tail.len());
        let last_seq = self.tail.last().map_or(old.last_seq, |held| held.seq);
        let metadata = metadata(&runs, last_seq);
        let footer = parquet::footer(self.kind, groups.iter(), &metadata).map_err(encode)?;
        write_all_at(with.disk, &file, &footer, at).map_err(io)?;
        let length = at + footer.len() as u64;
        done.written += footer.len() as u64;

        with.disk.sync(&file).map_err(io)?;
        with.disk.rename(temp, &self.path).map_err(io)?;
        let parts = groups.split_off(sealed);
        let runs = self.runs(old, with.runs, sealed_rows);
        let base = Base { file: Some(file), length, groups, end: at, runs, parts, last_seq };
        Ok(Next { base, sealed_rows, done })
    }

    /// Copies `groups` alone from `source` to `to`, one behind the other, tells them their new
    /// places, and says where they end.
    fn rewrite(
        &self,
        with: &Flush<'_>,
        groups: &mut [Group],
        source: &File,
        to: &File,
    ) -> Result<u64, FileError> {
        let io = |source| FileError::Io { doing: "rewrite", path: self.path.clone(), source };
        let encode = |source| FileError::Encode { path: self.path.clone(), source };
        write_all_at(with.disk, to, MAGIC, 0).map_err(io)?;
        let mut at = MAGIC.len() as u64;
        for group in groups {
            let (start, end) = group.range();
            let mut bytes = vec![0; end.saturating_sub(start) as usize];
            source.read_exact_at(&mut bytes, start).map_err(io)?;
            write_all_at(with.disk, to, &bytes, at).map_err(io)?;
            *group = group.moved(at).map_err(encode)?;
            at += bytes.len() as u64;
        }
        Ok(at)
    }

    /// The runs that wrote the sealed groups and the first `rows` of the tail.
    fn runs(&self, old: &Base, runs: &[RunInfo], rows: usize) -> Vec<RunMark> {
        let mut marks = old.runs.clone();
        for (first_row, held) in (old.rows()..).zip(self.tail.iter().take(rows)) {
            let Some(run) = runs.get(held.run as usize) else { continue };
            if marks.last().is_none_or(|mark| mark.run.run_id != run.run_id) {
                marks.push(RunMark { first_row, run: run.clone() });
            }
        }
        marks.drain(..marks.len().saturating_sub(RUNS_MAX));
        marks
    }

    /// Looks whether the file is still the one we left, since what someone else put in its place
    /// is not ours to overwrite.
    fn check_place(&mut self, with: &Flush<'_>) -> Result<Option<String>, FileError> {
        let io = |source| FileError::Io { doing: "look at", path: self.path.clone(), source };
        let there = match fs::symlink_metadata(&self.path) {
            Ok(meta) => Some((meta.dev(), meta.ino(), meta.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(io(e)),
        };
        let Some(base) = &self.base else { return Ok(None) };
        let left = match &base.file {
            Some(file) => {
                let meta = file.metadata().map_err(io)?;
                Some((meta.dev(), meta.ino(), meta.len()))
            }
            None => None,
        };
        let intact = left.is_none_or(|(.., length)| length == base.length);
        if there == left && intact {
            return Ok(None);
        }
        let warning = match there {
            None => format!("{} was removed; it is written again", self.path.display()),
            Some(_) => self.set_aside(with.disk, "foreign", with.now, "someone changed it")?,
        };
        if !intact {
            // Bytes that we would copy are no longer what they were. The tail is in memory.
            self.base = Some(Base::default());
            self.visible = 0;
        }
        Ok(Some(warning))
    }

    /// Moves whatever has the file's name to a name that says why.
    fn set_aside(
        &self,
        disk: &dyn Disk,
        what: &str,
        now: Wall,
        why: &str,
    ) -> Result<String, FileError> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let mut to = self.path.with_file_name(format!("{name}.{what}-{}", now.0));
        let mut again = 1;
        while fs::symlink_metadata(&to).is_ok() {
            to = self.path.with_file_name(format!("{name}.{what}-{}-{again}", now.0));
            again += 1;
        }
        disk.rename(&self.path, &to).map_err(|source| FileError::Io {
            doing: "move aside",
            path: self.path.clone(),
            source,
        })?;
        Ok(format!("{} cannot be continued: {why}; kept as {}", self.path.display(), to.display()))
    }
}

/// How many of the groups `parts`, given by their rows, stay as they are when `new` rows come; the
/// rows of the others are written again, together with the new ones.
fn parts_kept(parts: &[usize], new: usize, group_rows: usize) -> usize {
    let tier = |rows: usize| rows.max(1).ilog(FAN);
    if parts.len() >= PARTS_MAX || parts.iter().sum::<usize>() + new >= group_rows {
        return 0;
    }
    let (mut kept, mut rows) = (parts.len(), new);
    loop {
        let stay = parts.iter().take(kept);
        let alike = stay.rev().take_while(|part| tier(**part) <= tier(rows)).count();
        if alike + 1 < FAN {
            return kept;
        }
        rows += parts.iter().take(kept).rev().take(alike).sum::<usize>();
        kept -= alike;
    }
}

/// A file that was written, and what of it is sealed.
struct Next {
    base: Base,
    /// Rows of the tail that are in sealed groups now.
    sealed_rows: usize,
    done: Flushed,
}

enum Unusable {
    Io(io::Error),
    Damaged(String),
    Foreign(String),
}

impl From<io::Error> for Unusable {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

impl From<ReadError> for Unusable {
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::Io(e) => Self::Io(e),
            ReadError::Damaged(why) => Self::Damaged(why),
        }
    }
}

/// The key-value metadata of a file: the latest run by name, and all of them as JSON.
fn metadata(runs: &[RunMark], last_seq: u64) -> Vec<(&'static str, String)> {
    let mut metadata = vec![(KEY_SCHEMA, SCHEMA_VERSION.to_string())];
    if let Some(RunMark { run, .. }) = runs.last() {
        metadata.push((KEY_RUN, run.run_id.clone()));
        metadata.push((KEY_COMMIT, run.git_commit.clone()));
        metadata.push((KEY_CONFIG, run.config_hash.clone()));
    }
    metadata.push((KEY_LAST_SEQ, last_seq.to_string()));
    // Plain text and numbers: this does not fail.
    metadata.push((KEY_RUNS, serde_json::to_string(runs).unwrap_or_default()));
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stay_few_and_rows_are_written_few_times() {
        for per_flush in [1, 2, 7, 50, 300, 5000] {
            let (mut parts, mut written, mut total) = (Vec::<usize>::new(), 0, 0);
            for flush in 0..20_000 {
                let new = 1 + (flush * 7) % (2 * per_flush);
                let kept = parts_kept(&parts, new, 8192);
                let again: usize = parts.drain(kept..).sum();
                written += again + new;
                total += new;
                let rest = if kept == 0 { (again + new) % 8192 } else { again + new };
                parts.extend((rest > 0).then_some(rest));
                assert!(parts.len() <= PARTS_MAX, "{per_flush}: {} parts", parts.len());
            }
            assert!(written <= 5 * total, "{per_flush}: {written} rows written for {total}");
        }
    }
}
