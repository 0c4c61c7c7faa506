//! Opening the store: the checks before the first row, and the inheritance of the run before.
//!
//! The journal tells in order what that run recorded. Rows whose numbers their files do not know
//! yet become tails again; debts are settled as of the moment the run was last known alive; and a
//! gap row tells of the time since. All of that is one journal record: it happens whole or, if this
//! start dies too, not at all.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use crate::persistence::day_file::DayFile;
use crate::persistence::debts::Debts;
use crate::persistence::disk::{Disk, write_all_at};
use crate::persistence::journal::{self, Alive, Journal, Opening, Record};
use crate::persistence::run::RunInfo;
use crate::persistence::store::{Health, Limits, Store, StoreError};
use crate::types::record::{CrossEnd, GapCause, GapRow, Row, RowKind};
use crate::types::time::Wall;

/// Every name of a file that is still being written begins so, and ends without `.parquet`: no
/// reader's pattern finds it.
const TEMP_PREFIX: &str = ".tmp-";

const LOCK: &str = "lock";

/// What the store found when it was opened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Recovery {
    /// When the run before was last known alive; `None` when there was none.
    pub last_alive: Option<Wall>,
    /// Whether that run ended in order.
    pub clean: bool,
    /// Rows that were in the journal alone.
    pub rows_recovered: u64,
    /// Rows written for looks that never came and ends that were never seen.
    pub rows_settled: u64,
    /// The time between that run and this one, as recorded.
    pub gap: Option<GapRow>,
    /// What a person should know: little room, files moved aside, a journal that broke off.
    pub warnings: Vec<String>,
}

/// See [`Store::open_on`].
pub(super) fn open(
    disk: Box<dyn Disk>,
    dir: &Path,
    run: RunInfo,
    now: Wall,
    limits: Limits,
) -> Result<(Store, Recovery), StoreError> {
    let failed = |doing| move |source| StoreError::Io { path: dir.to_owned(), doing, source };
    fs::create_dir_all(dir).map_err(failed("create it"))?;
    let lock = lock(dir)?;
    remove_temps(&*disk, dir).map_err(failed("clean up in it"))?;
    let mut recovery = Recovery::default();
    check_room(&*disk, dir, limits, &mut recovery)?;
    write_test(&*disk, dir).map_err(failed("write in it"))?;

    let inherited = read_journal(&*disk, dir, now, &mut recovery.warnings)
        .map_err(failed("read its journal"))?;
    // A run begins blind.
    let alive = Alive { at: now, markets: 0, blind_since: Some(now) };
    let (journal, opening, records, fresh) = match inherited {
        Some((opening, records, readable)) => {
            let journal = Journal::resume(&*disk, dir, readable);
            (journal.map_err(failed("continue its journal"))?, opening, records, false)
        }
        None => {
            // Numbers have to be above those in any file. A clock in nanoseconds outruns a count of
            // rows, so it will do where no journal tells.
            let next_seq = u64::try_from(now.0).unwrap_or(0).max(1);
            let format = journal::FORMAT;
            let owed = Debts::beginning(now);
            let opening = Opening { format, next_seq, run: run.clone(), alive, owed };
            let journal = Journal::create(&*disk, dir, opening.clone());
            (journal.map_err(failed("start its journal"))?, opening, Vec::new(), true)
        }
    };
    let mut store = Store {
        disk,
        dir: dir.to_owned(),
        limits,
        journal,
        files: BTreeMap::new(),
        debts: opening.owed,
        run: opening.run.clone(),
        runs: vec![opening.run],
        next_seq: opening.next_seq,
        alive: opening.alive,
        now,
        health: Health::default(),
        journal_retry: None,
        dropping: None,
        recorded: Default::default(),
        totals: BTreeMap::new(),
        _lock: lock,
    };
    if !fresh {
        let closed = store.replay(records, &mut recovery);
        store.inherit(run, now, closed, &mut recovery).map_err(failed("write its journal"))?;
    }
    store.alive.at = now;
    store.debts.recorded.since.get_or_insert(now);
    // Also today's files without rows of the journal: better to learn of trouble now.
    for kind in RowKind::ALL {
        store.file(now.day(), kind, &mut recovery.warnings);
    }
    let report = store.flush(now);
    recovery.warnings.extend(report.errors);
    store.recorded = Default::default();
    store.health.rows = 0;
    Ok((store, recovery))
}

impl Store {
    /// Takes up the records of the run before. Says whether it ended in order.
    fn replay(&mut self, records: Vec<Record>, recovery: &mut Recovery) -> bool {
        let mut closed = false;
        for record in records {
            closed = false;
            match record {
                Record::Opening(_) => {}
                Record::Start { run, alive, rows } => {
                    self.enter(run);
                    for row in rows {
                        self.recover(row, recovery);
                    }
                    self.alive = alive;
                }
                Record::Row(row) => {
                    self.recover(row, recovery);
                    self.alive.at = self.alive.at.max(told_at(&row.row));
                    if ends_blindness(&row.row) {
                        self.alive.blind_since = None;
                    }
                }
                Record::Alive(alive) => self.alive = alive,
                Record::Closed(alive) => {
                    self.alive = alive;
                    closed = true;
                }
            }
        }
        closed
    }

    fn recover(&mut self, row: journal::Numbered, recovery: &mut Recovery) {
        self.next_seq = self.next_seq.max(row.seq.saturating_add(1));
        self.file(row.row.day(), row.row.kind(), &mut recovery.warnings);
        recovery.rows_recovered += u64::from(self.hold(row));
    }

    /// Settles what the run before left behind, and takes over.
    fn inherit(
        &mut self,
        run: RunInfo,
        now: Wall,
        closed: bool,
        recovery: &mut Recovery,
    ) -> io::Result<()> {
        let last = self.alive;
        let mut rows = self.debts.settle(last.at, CrossEnd::Killed);
        recovery.rows_settled = rows.len() as u64;
        let gap = GapRow {
            // A gap that was open has no row of its own.
            started_at: last.blind_since.map_or(last.at, |since| since.min(last.at)),
            // A clock that was set back makes an empty gap, not a negative one.
            ended_at: now.max(last.at),
            cause: if closed { GapCause::Stopped } else { GapCause::Killed },
            markets: last.markets,
        };
        rows.push(Row::Gap(gap));
        recovery.clean = closed;
        recovery.last_alive = Some(last.at);
        recovery.gap = Some(gap);

        self.enter(run.clone());
        for row in &rows {
            self.file(row.day(), row.kind(), &mut recovery.warnings);
        }
        let rows: Vec<_> = rows.into_iter().map(|row| self.number(row)).collect();
        let alive = Alive { at: now, markets: 0, blind_since: Some(now) };
        self.journal.push(&Record::Start { run, alive, rows: rows.clone() })?;
        self.journal.commit(&*self.disk)?;
        self.journal.sync(&*self.disk)?;
        for row in rows {
            self.hold(row);
        }
        self.alive = alive;
        Ok(())
    }

    /// Reads the file of a day and kind, if that was not done yet.
    fn file(&mut self, day: crate::types::time::Day, kind: RowKind, warnings: &mut Vec<String>) {
        let file =
            self.files.entry((day, kind)).or_insert_with(|| DayFile::new(&self.dir, day, kind));
        match file.load(&*self.disk, self.now) {
            Ok(None) => {}
            Ok(Some(warning)) => {
                self.health.files_displaced += 1;
                warnings.push(warning);
            }
            Err(e) => warnings.push(e.to_string()),
        }
    }
}

/// Whether the row is the end of a gap that was open.
pub(super) fn ends_blindness(row: &Row) -> bool {
    matches!(row, Row::Gap(gap) if matches!(gap.cause, GapCause::Start | GapCause::LinkDown))
}

/// The latest moment a row tells of: its run was alive then.
pub(super) fn told_at(row: &Row) -> Wall {
    match row {
        Row::Signal(row) => row.detected_at,
        Row::FollowUp(row) => row.captured_at,
        Row::Entry(row) => row.captured_at,
        Row::Cross(row) => row.ended_at,
        Row::Gap(row) => row.ended_at,
        Row::Order(row) => row.ended_at,
        Row::Trade(row) => row.exited_at,
    }
}

/// The journal's opening and records and how many of its bytes they are; `None` when there is
/// nothing to continue. What cannot be read is kept under another name before it is cut.
fn read_journal(
    disk: &dyn Disk,
    dir: &Path,
    now: Wall,
    warnings: &mut Vec<String>,
) -> io::Result<Option<(Opening, Vec<Record>, u64)>> {
    let path = dir.join(journal::NAME);
    if !path.try_exists()? {
        return Ok(None);
    }
    let mut opening = None;
    let mut records = Vec::new();
    let scan = journal::scan(&path, |record| match record {
        Record::Opening(first) => opening = Some(first),
        record => records.push(record),
    })?;
    let opening = opening.filter(|opening| opening.format == journal::FORMAT);
    if opening.is_none() || scan.damaged {
        let name = format!("{}.bad-{}", journal::NAME, now.0);
        journal::keep_copy(disk, dir, &name)?;
        warnings.push(match opening {
            Some(_) => format!(
                "the journal is damaged: {} bytes in the middle of it or behind cannot be read; \
                 kept as {name}",
                scan.rest
            ),
            None => format!("the journal cannot be read by this program; kept as {name}"),
        });
    } else if scan.rest > 0 {
        warnings.push(format!("the journal broke off: its last {} bytes are cut", scan.rest));
    }
    Ok(opening.map(|opening| (opening, records, scan.readable)))
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let io = |source| StoreError::Io { path: dir.to_owned(), doing: "lock it", source };
    // The file stays: removing it would let two processes lock two files of the same name.
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(dir.join(LOCK))
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(e)) => Err(io(e)),
    }
}

fn remove_temps(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMP_PREFIX) {
            disk.remove(&entry.path())?;
        }
    }
    Ok(())
}

fn check_room(
    disk: &dyn Disk,
    dir: &Path,
    limits: Limits,
    recovery: &mut Recovery,
) -> Result<(), StoreError> {
    match disk.free_bytes(dir) {
        Ok(free) if free < limits.room_needed => {
            return Err(StoreError::NoRoom {
                path: dir.to_owned(),
                free,
                needed: limits.room_needed,
            });
        }
        Ok(free) if free < limits.room_wanted => recovery.warnings.push(format!(
            "{} has room for {free} bytes; at least {} are advised",
            dir.display(),
            limits.room_wanted
        )),
        Ok(_) => {}
        Err(e) => recovery.warnings.push(format!("cannot tell how much room is left: {e}")),
    }
    Ok(())
}

/// Writes, syncs, renames and removes a file, as every flush will.
fn write_test(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let (from, to) =
        (dir.join(format!("{TEMP_PREFIX}test")), dir.join(format!("{TEMP_PREFIX}tested")));
    let file = disk.create(&from)?;
    write_all_at(disk, &file, &[0; 4096], 0)?;
    disk.sync(&file)?;
    disk.rename(&from, &to)?;
    disk.remove(&to)
}
