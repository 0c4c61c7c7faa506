//! Records read beside the run that writes them: the day files, and what its journal holds and they
//! do not yet.
//!
//! Nothing is written and no lock is taken. The journal is read first: a row that a flush carries
//! over meanwhile is then met in both places, and known by its number, instead of in neither.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::persistence::batch::{self, Batch, BatchError, Dictionary};
use crate::persistence::columns::{self, Cell, READABLE, SCHEMA_VERSION};
use crate::persistence::day_file::{KEY_LAST_SEQ, KEY_RUNS, KEY_SCHEMA, RunMark};
use crate::persistence::journal::{self, Alive, Numbered, Record};
use crate::persistence::parquet::{self, Metadata, ReadError};
use crate::persistence::recover::{ends_blindness, told_at};
use crate::persistence::run::RunInfo;
use crate::persistence::table::{Table, Value};
use crate::types::record::{Row, RowKind};
use crate::types::time::{Day, Wall};

/// The records of a directory, as they are at one moment.
#[derive(Debug)]
pub struct Beside {
    dir: PathBuf,
    /// Rows of the journal, in its order.
    journaled: Vec<Numbered>,
    life: Option<Life>,
    /// By their beginning.
    runs: BTreeMap<Wall, RunInfo>,
}

/// What the journal says of the latest run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Life {
    /// When it was last known alive: a run that lives says so each second.
    pub at: Wall,
    /// Whether it ended in order then.
    pub closed: bool,
    /// Since when not everything was seen, if that had no end yet.
    pub blind_since: Option<Wall>,
}

impl Beside {
    /// Reads the journal below `dir`; without one the day files are all there is.
    ///
    /// Errors: a directory or journal that cannot be read. A journal of another version counts as
    /// none.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let mut beside =
            Self { dir: dir.to_owned(), journaled: Vec::new(), life: None, runs: BTreeMap::new() };
        let path = dir.join(journal::NAME);
        match journal::scan(&path, |record| beside.take(record)) {
            Ok(_) => Ok(beside),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::read_dir(dir)?; // The directory itself has to be there.
                Ok(beside)
            }
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Opening(opening) if opening.format == journal::FORMAT => {
                self.runs.insert(opening.run.started_at, opening.run);
                self.live(opening.alive, false);
            }
            Record::Opening(_) => {}
            Record::Start { run, alive, rows } => {
                self.runs.insert(run.started_at, run);
                self.live(alive, false);
                self.journaled.extend(rows);
            }
            Record::Row(row) => {
                if let Some(life) = &mut self.life {
                    life.at = life.at.max(told_at(&row.row));
                    if ends_blindness(&row.row) {
                        life.blind_since = None;
                    }
                }
                self.journaled.push(row);
            }
            Record::Alive(alive) => self.live(alive, false),
            Record::Closed(alive) => self.live(alive, true),
        }
    }

    fn live(&mut self, alive: Alive, closed: bool) {
        self.life = Some(Life { at: alive.at, closed, blind_since: alive.blind_since });
    }

    /// What the journal says of the latest run; `None` without a journal.
    pub fn life(&self) -> Option<Life> {
        self.life
    }

    /// The runs that the journal and the files read so far name, by their beginning.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = &RunInfo> {
        self.runs.values()
    }

    /// The rows of `kind` on `days` that `keep` wants, by their columns.
    ///
    /// Errors: a file that cannot be read, by its path.
    pub fn rows(
        &mut self,
        kind: RowKind,
        days: RangeInclusive<Day>,
        columns: &[&str],
        mut keep: impl FnMut(&Table, usize) -> bool,
    ) -> io::Result<Table> {
        let mut all = Table::default();
        let mut in_files: BTreeMap<Day, u64> = BTreeMap::new();
        for (day, path) in self.files(kind)? {
            if !days.contains(&day) {
                continue;
            }
            let read = parquet::read_groups(&path, columns, |mut group| {
                group.retain(&mut keep);
                all.append(group);
            });
            let metadata =
                read.map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
            let value = |name: &str| {
                let entry = metadata.iter().find(|(key, _)| key == name);
                entry.and_then(|(_, value)| value.as_deref())
            };
            let last = value(KEY_LAST_SEQ).and_then(|text| text.parse().ok());
            in_files.insert(day, last.unwrap_or(0));
            let runs = value(KEY_RUNS).and_then(|text| serde_json::from_str(text).ok());
            for mark in runs.unwrap_or_else(Vec::<RunMark>::new) {
                self.runs.insert(mark.run.started_at, mark.run);
            }
        }
        let new = self.journaled.iter().filter(|Numbered { seq, row }| {
            row.kind() == kind
                && days.contains(&row.day())
                && in_files.get(&row.day()).is_none_or(|last| seq > last)
        });
        let mut told = Table::default();
        for Numbered { row, .. } in new {
            told.append(as_table(row, columns));
        }
        told.retain(keep);
        all.append(told);
        Ok(all)
    }

    /// The days that have rows of `kind`, oldest first.
    ///
    /// Errors: a directory that cannot be read.
    pub fn days(&self, kind: RowKind) -> io::Result<BTreeSet<Day>> {
        let journaled = self.journaled.iter().map(|numbered| &numbered.row);
        let journaled = journaled.filter(|row| row.kind() == kind).map(Row::day);
        Ok(self.files(kind)?.into_keys().chain(journaled).collect())
    }

    /// The runs that wrote the file of `kind` and `day`, in order; none when there is no such file, and none
    /// when it does not say.
    ///
    /// Errors: a file that cannot be read, or is not of this program.
    pub fn runs_of(&self, kind: RowKind, day: Day) -> Result<Vec<RunInfo>, BatchError> {
        let path = self.path(kind, day);
        match parquet::read_key_values(&path) {
            Ok(metadata) => Ok(writers(&metadata)),
            Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    /// Hands the rows of `kind` and `day` to `take`, a row group at a time and then those that are in the
    /// journal alone: the columns of these names, in that order.
    ///
    /// Errors: a file that cannot be read, is damaged, or has other columns. `take` may have seen a part
    /// of its rows by then.
    pub fn batches(
        &self,
        kind: RowKind,
        day: Day,
        columns: &[&str],
        dictionary: &mut Dictionary,
        mut take: impl FnMut(&Batch, &Dictionary),
    ) -> Result<(), BatchError> {
        let path = self.path(kind, day);
        let asked = match batch::asked(kind, columns) {
            Ok(asked) => asked,
            Err(error) => return Err(unreadable(path, &ReadError::Io(error))),
        };
        let mut last_seq = None;
        match parquet::read_batches(&path, &asked, dictionary, &mut take) {
            Ok(metadata) => {
                check_version(&metadata).map_err(|error| unreadable(path, &error))?;
                last_seq = value(&metadata, KEY_LAST_SEQ).and_then(|text| text.parse::<u64>().ok());
            }
            Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(path, &error)),
        }
        let new = self.journaled.iter().filter(|Numbered { seq, row }| {
            row.kind() == kind && row.day() == day && last_seq.is_none_or(|last| *seq > last)
        });
        let batch = Batch::of_rows(new.map(|numbered| &numbered.row), &asked, dictionary);
        if batch.rows() > 0 {
            take(&batch, dictionary);
        }
        Ok(())
    }

    fn path(&self, kind: RowKind, day: Day) -> PathBuf {
        self.dir.join(format!("{}_{day}.parquet", kind.file_stem()))
    }

    /// The day files of `kind`, oldest first.
    fn files(&self, kind: RowKind) -> io::Result<BTreeMap<Day, PathBuf>> {
        let stem = format!("{}_", kind.file_stem());
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let day = name.strip_prefix(&stem).and_then(|rest| rest.strip_suffix(".parquet"));
            if let Some(day) = day.and_then(Day::named) {
                files.insert(day, path);
            }
        }
        Ok(files)
    }
}

fn unreadable(path: PathBuf, error: &ReadError) -> BatchError {
    let damaged = matches!(error, ReadError::Damaged(_));
    BatchError { path, why: error.to_string(), damaged }
}

fn value<'a>(metadata: &'a Metadata, name: &str) -> Option<&'a str> {
    let entry = metadata.iter().find(|(key, _)| key == name);
    entry.and_then(|(_, value)| value.as_deref())
}

/// The runs that a file names.
fn writers(metadata: &Metadata) -> Vec<RunInfo> {
    let marks: Option<Vec<RunMark>> =
        value(metadata, KEY_RUNS).and_then(|text| serde_json::from_str(text).ok());
    marks.unwrap_or_default().into_iter().map(|mark| mark.run).collect()
}

/// A file that does not tell its version may have been made of ours by other tools; one that tells a later
/// one has columns of another meaning.
fn check_version(metadata: &Metadata) -> Result<(), ReadError> {
    let Some(version) = value(metadata, KEY_SCHEMA) else { return Ok(()) };
    if version.parse().is_ok_and(|version: u32| READABLE.contains(&version)) {
        return Ok(());
    }
    let why = format!("it has schema version {version}, this program {SCHEMA_VERSION}");
    Err(ReadError::Damaged(why))
}

/// A row as a table of one.
fn as_table(row: &Row, names: &[&str]) -> Table {
    let mut table = Table { rows: 1, ..Table::default() };
    for (at, field) in columns::fields(row.kind()).iter().enumerate() {
        if names.contains(&field.name) {
            let value = match columns::cell(row, at) {
                Cell::Null => Value::Null,
                Cell::Int(value) => Value::Int(value.into()),
                Cell::UInt(value) => Value::Int(value.into()),
                Cell::Float(value) => Value::Float(value),
                Cell::Text(text) => Value::Text(text.into_owned()),
            };
            table.columns.insert(field.name.to_owned(), vec![value]);
        }
    }
    table
}
