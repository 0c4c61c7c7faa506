//! The store: takes rows, journals them, and carries them into the day files.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::persistence::day_file::{DayFile, Flush, Held, Upkeep};
use crate::persistence::debts::Debts;
use crate::persistence::disk::{Disk, OsDisk};
use crate::persistence::journal::{self, Alive, Journal, Numbered, Opening, Record};
use crate::persistence::recover::{self, Recovery};
use crate::persistence::run::RunInfo;
use crate::types::account::RecordedTrades;
use crate::types::record::{CrossEnd, GapCause, GapRow, Row, RowKind};
use crate::types::time::{DAY_NS, Day, Nanos, Wall};

/// How often the journal says that the process lives, and is synced.
const BEAT: Nanos = Nanos::from_secs(1);

/// A past day's files are let go this long after its end. Rows that come later still find them.
const LET_GO: Nanos = Nanos::from_secs(600);

/// A journal without new rows is rewritten once its signs of life take this much.
const QUIET_JOURNAL: u64 = 1 << 20;

/// What the store may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows of a sealed row group, and so the most older rows that a flush encodes again.
    pub group_rows: usize,
    /// A file is rewritten without its dead bytes once they are so many more than the living ones.
    pub dead_bytes: u64,
    /// Most rows in memory that are not in a file yet. Past it rows are dropped and counted, and
    /// a gap row says so.
    pub waiting_rows: u64,
    /// Less room than this on the disk is a warning at start.
    pub room_wanted: u64,
    /// Less than this is an error at start.
    pub room_needed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            group_rows: 8192,
            dead_bytes: 16 << 20,
            waiting_rows: 500_000,
            room_wanted: 512 << 20,
            room_needed: 32 << 20,
        }
    }
}

/// Why the store cannot be opened, or did not close whole.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what they are")]
pub enum StoreError {
    #[error("data directory {path}: cannot {doing}: {source}")]
    Io { path: PathBuf, doing: &'static str, source: std::io::Error },
    #[error("data directory {path} is in use by another process")]
    InUse { path: PathBuf },
    #[error("data directory {path} has room for {free} bytes; at least {needed} are needed")]
    NoRoom { path: PathBuf, free: u64, needed: u64 },
    #[error(
        "{waiting} rows are not in their files ({why}); {lost} of them are not in the journal \
         either, the others are written at the next start"
    )]
    Unfinished { waiting: u64, lost: u64, why: String },
}

/// What a flush did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FlushReport {
    /// Files written.
    pub files: u32,
    /// Rows that became visible.
    pub rows: u64,
    /// Rows encoded: those, and again the older ones of unfinished row groups.
    pub rows_encoded: u64,
    /// Bytes encoded and written.
    pub bytes_written: u64,
    /// Bytes of sealed row groups copied.
    pub bytes_copied: u64,
    /// What went wrong; the rows concerned wait for the next flush.
    pub errors: Vec<String>,
}

/// How the store is doing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Health {
    /// Rows taken since the start.
    pub rows: u64,
    /// Failures to write or sync the journal.
    pub journal_errors: u64,
    /// Failures to write a day file or to renew the journal.
    pub flush_errors: u64,
    /// Files that were moved aside, or found removed.
    pub files_displaced: u64,
    /// Rows that are in no file yet.
    pub waiting_rows: u64,
    /// Rows among them that the kernel does not have yet either.
    pub unjournaled_rows: u64,
    /// Rows dropped since too many waited.
    pub rows_dropped: u64,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Whether the last try to write the journal or the files failed.
    pub failing: bool,
}

/// What a run recorded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Rows of the run by kind, in the order of [`RowKind::ALL`].
    pub rows: [u64; RowKind::ALL.len()],
    /// Files the run wrote, and all rows they hold.
    pub files: Vec<(PathBuf, u64)>,
    /// Rows dropped since too many waited.
    pub rows_dropped: u64,
}

/// Records rows, for good. One thread owns it. Dropping it is the same as dying: what was committed
/// is written by the next start; [`Store::close`] ends a run in order.
pub struct Store {
    pub(super) disk: Box<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) limits: Limits,
    pub(super) journal: Journal,
    pub(super) files: BTreeMap<(Day, RowKind), DayFile>,
    pub(super) debts: Debts,
    /// Whose rows come in.
    pub(super) run: RunInfo,
    /// Runs whose rows are held; the last is that one.
    pub(super) runs: Vec<RunInfo>,
    pub(super) next_seq: u64,
    pub(super) alive: Alive,
    pub(super) now: Wall,
    pub(super) health: Health,
    /// The journal failed and is not tried again before this.
    pub(super) journal_retry: Option<Wall>,
    /// Rows are being dropped since then.
    pub(super) dropping: Option<Wall>,
    pub(super) recorded: [u64; RowKind::ALL.len()],
    pub(super) totals: BTreeMap<PathBuf, u64>,
    /// Held for as long as the store lives.
    pub(super) _lock: File,
}

impl Store {
    /// Opens the store in `dir` for `run`, whose start is `now`: creates the directory, makes sure
    /// that no other process uses it, that it can be written and has room, and brings what an
    /// earlier run left behind into the files.
    pub fn open(dir: &Path, run: RunInfo, now: Wall) -> Result<(Store, Recovery), StoreError> {
        Self::open_on(Box::new(OsDisk), dir, run, now, Limits::default())
    }

    /// The same on any disk, within any limits.
    pub fn open_on(
        disk: Box<dyn Disk>,
        dir: &Path,
        run: RunInfo,
        now: Wall,
        limits: Limits,
    ) -> Result<(Store, Recovery), StoreError> {
        recover::open(disk, dir, run, now, limits)
    }

    /// Takes a row. It survives the death of the process after the next [`Store::commit`], and is
    /// visible after the next [`Store::flush`].
    pub fn append(&mut self, row: &Row) {
        if self.health.waiting_rows >= self.limits.waiting_rows {
            self.health.rows_dropped += 1;
            if self.dropping.is_none() {
                self.dropping = Some(self.now);
                tracing::error!(
                    waiting_rows = self.health.waiting_rows,
                    "too many rows wait for the disk: dropping new ones"
                );
            }
            return;
        }
        self.health.rows += 1;
        if let Some(count) = self.recorded.get_mut(row.kind() as usize) {
            *count += 1;
        }
        let numbered = self.number(*row);
        self.push(&Record::Row(numbered));
        self.hold(numbered);
    }

    /// Hands the rows since the last commit to the kernel, from where the death of the process
    /// cannot take them. About once a second it also says in the journal that the run is alive, and
    /// syncs it: a power cut takes no more than that second. Call it after each batch of rows, and
    /// at least once a second without any.
    pub fn commit(&mut self, now: Wall) {
        self.now = now;
        let due = now >= self.alive.at.plus(BEAT) || now < self.alive.at;
        if due {
            self.alive.at = now;
            self.push(&Record::Alive(self.alive));
        }
        if self.journal_retry.is_some_and(|at| now < at && at <= now.plus(BEAT)) {
            return;
        }
        self.commit_journal(due);
    }

    /// As [`Store::commit`], and tells how many markets are watched and since when not all of them
    /// are seen, for the row of the gap that follows if this run dies.
    pub fn alive(&mut self, now: Wall, markets: u32, blind_since: Option<Wall>) {
        self.alive.markets = markets;
        if blind_since != self.alive.blind_since {
            self.alive.blind_since = blind_since;
            self.alive.at = now;
            self.push(&Record::Alive(self.alive));
        }
        self.commit(now);
    }

    /// Makes every row so far visible. What fails waits for the next flush and stops nothing else.
    pub fn flush(&mut self, now: Wall) -> FlushReport {
        self.flush_files(now, false)
    }

    fn flush_files(&mut self, now: Wall, last: bool) -> FlushReport {
        self.now = now;
        self.commit_journal(true);
        let mut report = FlushReport::default();
        let mut warnings = Vec::new();
        let with = Flush {
            disk: &*self.disk,
            runs: &self.runs,
            group_rows: self.limits.group_rows.max(1),
            dead_bytes: self.limits.dead_bytes,
            now,
        };
        for ((day, _), file) in &mut self.files {
            let upkeep = match () {
                () if past(*day, now) => Upkeep::Finish,
                () if last => Upkeep::Merge,
                () => Upkeep::Usual,
            };
            match file.flush(&with, upkeep, &mut warnings) {
                Ok(done) if done.written > 0 => {
                    report.files += 1;
                    report.rows += done.rows;
                    report.rows_encoded += done.encoded;
                    report.bytes_written += done.written;
                    report.bytes_copied += done.copied;
                    self.totals.insert(file.path().to_owned(), file.rows());
                }
                Ok(_) => {}
                Err(e) => report.errors.push(e.to_string()),
            }
        }
        if report.files > 0
            && let Err(e) = self.disk.sync_dir(&self.dir)
        {
            report.errors.push(format!("cannot sync {}: {e}", self.dir.display()));
        }
        self.health.waiting_rows = self.files.values().map(|file| file.waiting() as u64).sum();
        for warning in warnings {
            tracing::error!("{warning}");
            self.health.files_displaced += 1;
            self.health.last_error = Some(warning);
        }
        if report.errors.is_empty() {
            self.all_visible(&mut report);
        }
        self.record_flush_health(&report);
        report
    }

    /// Ends the run in order: pays what is still owed, makes every row visible, and leaves word
    /// that nothing was cut off. An error says what is missing; the next start completes it.
    pub fn close(mut self, now: Wall) -> Result<Summary, StoreError> {
        self.now = now;
        for row in self.debts.settle(now, CrossEnd::Shutdown) {
            self.append(&row);
        }
        let mut report = self.flush_files(now, true);
        if report.errors.is_empty() && self.health.waiting_rows > 0 {
            // The gap row that tells of rows dropped before.
            report = self.flush_files(now, true);
        }
        self.alive = Alive { at: now, blind_since: None, ..self.alive };
        self.push(&Record::Closed(self.alive));
        self.commit_journal(true);
        if self.health.failing || self.health.waiting_rows > 0 || !report.errors.is_empty() {
            let waiting = self.health.waiting_rows;
            return Err(StoreError::Unfinished {
                waiting,
                // What is in a journal that nobody will find is lost as well.
                lost: if self.journal.is_in_place() {
                    self.journal.pending_rows()
                } else {
                    waiting
                },
                why: self.health.last_error.unwrap_or_default(),
            });
        }
        Ok(Summary {
            rows: self.recorded,
            files: self.totals.into_iter().collect(),
            rows_dropped: self.health.rows_dropped,
        })
    }

    /// Which round trips have their rows.
    pub fn recorded(&self) -> &RecordedTrades {
        &self.debts.recorded
    }

    /// How it is doing.
    pub fn health(&self) -> Health {
        Health { unjournaled_rows: self.journal.pending_rows(), ..self.health.clone() }
    }

    /// Every row stands in a synced file: the journal begins anew, and what is past is let go.
    fn all_visible(&mut self, report: &mut FlushReport) {
        if let Some(since) = self.dropping.take() {
            // A note in the files themselves that they are not complete.
            let gap = GapRow {
                started_at: since,
                ended_at: self.now.max(since),
                cause: GapCause::Storage,
                markets: self.alive.markets,
            };
            let lost = self.health.rows_dropped;
            tracing::warn!(lost, "the disk takes rows again");
            self.append(&Row::Gap(gap));
            self.commit_journal(true);
            return; // The next flush makes it visible.
        }
        if report.files > 0 || self.journal.has_rows() || self.journal.len() > QUIET_JOURNAL {
            let opening = self.opening();
            if let Err(e) = self.journal.reset(&*self.disk, &self.dir, opening) {
                report.errors.push(format!("cannot renew {}: {e}", self.journal.path().display()));
                // Every row in there stands in its file: better forgotten than piled up.
                self.journal.forget_excess(&*self.disk);
            }
        }
        let now = self.now;
        self.files.retain(|(day, _), file| !past(*day, now) || file.waiting() > 0);
    }

    /// Numbers a row, above every number that its file knows.
    pub(super) fn number(&mut self, row: Row) -> Numbered {
        let key = (row.day(), row.kind());
        let file = self.files.entry(key).or_insert_with(|| DayFile::new(&self.dir, key.0, key.1));
        match file.load(&*self.disk, self.now) {
            Ok(None) => {}
            Ok(Some(warning)) => {
                tracing::error!("{warning}");
                self.health.files_displaced += 1;
                self.health.last_error = Some(warning);
            }
            // The row waits in memory; the flush reads the file again and tells of the failure.
            Err(_) => {}
        }
        self.next_seq = self.next_seq.max(file.last_seq().saturating_add(1));
        let numbered = Numbered { seq: self.next_seq, row };
        self.next_seq += 1;
        numbered
    }

    /// Notes what a journaled row pays and owes, and holds it for its file.
    pub(super) fn hold(&mut self, numbered: Numbered) -> bool {
        let Numbered { seq, row } = numbered;
        let run = self.runs.len().saturating_sub(1);
        self.debts.track(&row, &self.run.entry_latencies_ms);
        let key = (row.day(), row.kind());
        let file = self.files.entry(key).or_insert_with(|| DayFile::new(&self.dir, key.0, key.1));
        let added = file.push(Held { seq, run: run as u32, row });
        self.health.waiting_rows += u64::from(added);
        added
    }

    /// From here on rows belong to `run`.
    pub(super) fn enter(&mut self, run: RunInfo) {
        self.runs.push(run.clone());
        self.run = run;
    }

    fn opening(&self) -> Opening {
        Opening {
            format: journal::FORMAT,
            next_seq: self.next_seq,
            run: self.run.clone(),
            alive: self.alive,
            owed: self.debts.clone(),
        }
    }

    fn push(&mut self, record: &Record) {
        if let Err(e) = self.journal.push(record) {
            self.record_journal_health(Err(e));
        }
    }

    fn commit_journal(&mut self, sync: bool) {
        let mut done = self.journal.commit(&*self.disk);
        if sync && done.is_ok() {
            done = self.journal.sync(&*self.disk);
        }
        self.record_journal_health(done);
    }

    fn record_journal_health(&mut self, done: std::io::Result<()>) {
        match done {
            Ok(()) => self.journal_retry = None,
            Err(e) => {
                self.health.journal_errors += 1;
                self.journal_retry = Some(self.now.plus(BEAT));
                let text = format!("cannot write {}: {e}", self.journal.path().display());
                self.fail(text);
            }
        }
    }

    fn record_flush_health(&mut self, report: &FlushReport) {
        self.health.flush_errors += report.errors.len() as u64;
        for error in &report.errors {
            self.fail(error.clone());
        }
        if report.errors.is_empty() && self.journal_retry.is_none() && self.health.failing {
            self.health.failing = false;
            tracing::info!("records are being written again");
        }
    }

    /// Told once per trouble: counters say how often.
    fn fail(&mut self, text: String) {
        if !self.health.failing {
            tracing::error!("{text}; rows wait in memory, writing is tried again");
        }
        self.health.failing = true;
        self.health.last_error = Some(text);
    }
}

/// Whether no row of `day` is expected any more.
fn past(day: Day, now: Wall) -> bool {
    let ends = Wall((i64::from(day.0) + 1).saturating_mul(DAY_NS));
    now >= ends.plus(LET_GO)
}
