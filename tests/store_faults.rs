//! What the record files promise when the disk refuses, the process dies, or bytes go bad.

mod store_rows;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hip3::persistence::{Disk, Limits, OsDisk, Recovery, Store, StoreError};
use hip3::types::record::Row;
use hip3::types::time::{DAY_NS, Wall};
use proptest::prelude::*;

use store_rows::*;

/// How far the operation comes in which the process dies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Dies {
    Before,
    Halfway,
}

/// What goes wrong.
#[derive(Default)]
struct Plan {
    /// Operations so far.
    names: Vec<&'static str>,
    /// The process dies in this one.
    dies: Option<(usize, Dies)>,
    dead: bool,
    /// Operations of this name on a path that contains this text fail.
    refuse: Option<(&'static str, &'static str, io::ErrorKind)>,
    refused: u64,
    /// Bytes that the disk still takes.
    room: Option<usize>,
}

#[derive(Clone, Default)]
struct Faulty(Arc<Mutex<Plan>>);

impl Faulty {
    fn dies_at(op: usize, how: Dies) -> Self {
        let plan = Plan { dies: Some((op, how)), ..Plan::default() };
        Self(Arc::new(Mutex::new(plan)))
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.0.lock().expect("no test panics with it")
    }

    fn refuse(&self, op: &'static str, path: &'static str, error: io::ErrorKind) {
        self.plan().refuse = Some((op, path, error));
    }

    fn relent(&self) {
        self.plan().refuse = None;
    }

    fn dead(&self) -> bool {
        self.plan().dead
    }

    /// Runs `whole`, or dies before it, or in `half` of it.
    fn op<T>(
        &self,
        name: &'static str,
        path: &Path,
        half: impl FnOnce(),
        whole: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let killed = || io::Error::other("the process is dead");
        let mut plan = self.plan();
        if plan.dead {
            return Err(killed());
        }
        if let Some((op, text, error)) = plan.refuse
            && (op == "any" || op == name)
            && path.to_string_lossy().contains(text)
        {
            plan.refused += 1;
            return Err(error.into());
        }
        plan.names.push(name);
        match plan.dies {
            Some((at, how)) if at == plan.names.len() => {
                plan.dead = true;
                match how {
                    Dies::Before => {}
                    Dies::Halfway => half(),
                }
                Err(killed())
            }
            _ => whole(),
        }
    }
}

/// The path behind an open file.
fn path_of(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or_default()
}

impl Disk for Faulty {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.op("create", path, || (), || OsDisk.create(path))
    }

    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
        let bytes = match &mut self.plan().room {
            Some(0) => return Err(io::ErrorKind::StorageFull.into()),
            Some(room) => {
                let taken = bytes.len().min(*room);
                *room -= taken;
                &bytes[..taken]
            }
            None => bytes,
        };
        let half = || {
            let _ = OsDisk.write_at(file, &bytes[..bytes.len() / 2], at);
        };
        self.op("write", &path_of(file), half, || OsDisk.write_at(file, bytes, at))
    }

    fn copy(&self, from: &File, to: &File, len: u64) -> io::Result<u64> {
        let half = || {
            let _ = OsDisk.copy(from, to, len / 2);
        };
        self.op("copy", &path_of(to), half, || OsDisk.copy(from, to, len))
    }

    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        self.op("truncate", &path_of(file), || (), || OsDisk.truncate(file, len))
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        // A process that dies leaves the kernel's pages behind; what a sync adds costs only time here.
        self.op("sync", &path_of(file), || (), || Ok(()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.op("rename", from, || (), || OsDisk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.op("remove", path, || (), || OsDisk.remove(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.op("sync_dir", dir, || (), || Ok(()))
    }
}

fn open(disk: &Faulty, dir: &Path, id: &str, now: Wall) -> Result<(Store, Recovery), StoreError> {
    let limits = Limits { group_rows: 4, ..Limits::default() };
    Store::open_on(Box::new(disk.clone()), dir, run(id), now, limits)
}

/// What a run said, in order, and how much of it was committed.
#[derive(Clone, Default)]
struct Told {
    rows: Vec<String>,
    committed: usize,
}

impl Told {
    fn append(&mut self, store: &mut Store, row: &Row) {
        store.append(row);
        self.rows.push(key(row));
    }

    fn committed(&mut self, disk: &Faulty) {
        if !disk.dead() {
            self.committed = self.rows.len();
        }
    }
}

/// Checks the files in `dir` after the last run was closed: each of the `runs` is recorded once and
/// in order, up to a point at or behind its last commit; beyond that there are settlements and gaps
/// alone, and every signal has its rows.
fn check(dir: &Path, runs: &[Told], context: &str) {
    let mut recorded = recorded(dir);
    let doubled: Vec<_> = recorded.iter().filter(|(_, n)| **n != 1).collect();
    assert_eq!(doubled, [], "{context}: recorded more than once");
    let mut shutdown = BTreeSet::new();
    for path in files(dir) {
        for row in read_file(&path).rows {
            let status = row.get("status").or(row.get("end_reason"));
            if status.is_some_and(|s| s == "shutdown" || s == "killed") {
                shutdown.insert(key_of(&path, &row));
            }
        }
    }
    for told in runs {
        let there: Vec<_> = told
            .rows
            .iter()
            .map(|key| recorded.contains_key(key) && !shutdown.contains(key))
            .collect();
        let prefix = there.iter().take_while(|there| **there).count();
        assert!(prefix >= told.committed, "{context}: {prefix} of {} kept", told.committed);
        assert!(!there[prefix..].contains(&true), "{context}: a hole at {prefix}: {there:?}");
        for key in &told.rows[..prefix] {
            recorded.remove(key);
        }
        for signal in told.rows[..prefix].iter().filter_map(|key| key.strip_prefix("signal ")) {
            for latency in LATENCIES {
                shutdown.remove(&format!("entry {signal} {latency}"));
                recorded.remove(&format!("entry {signal} {latency}"));
            }
            for offset in [1000, 3000, 5000] {
                shutdown.remove(&format!("followup {signal} {offset}"));
                recorded.remove(&format!("followup {signal} {offset}"));
            }
            let cross = signal.parse::<u64>().expect("an id") / 10;
            recorded.remove(&format!("cross {cross}"));
        }
    }
    recorded.retain(|key, _| !key.starts_with("gap killed") && !key.starts_with("gap stopped"));
    assert_eq!(recorded, BTreeMap::new(), "{context}: nobody said this");
}

/// A run with every kind of step: full groups, tails, several files, a quiet flush, midnight, the
/// end. Says what it told and whether it ended in order.
fn a_day(disk: &Faulty, dir: &Path, id: &str, first: u64, start: Wall) -> Told {
    let mut told = Told::default();
    let Ok((mut store, _)) = open(disk, dir, id, start) else { return told };
    let midnight = Wall((i64::from(start.day().0) + 1) * DAY_NS);
    let mut at = start;
    for n in 0..4 {
        at = if n == 3 { midnight } else { secs(at, 1) };
        for (i, row) in episode(first + n, at).iter().enumerate() {
            told.append(&mut store, row);
            if i == 3 {
                store.commit(at);
                told.committed(disk);
            }
        }
        told.append(&mut store, &gap(at));
        if n != 1 {
            store.flush(at);
            told.committed(disk);
        }
    }
    store.flush(at);
    told.append(&mut store, &signal((first + 4) * 10, at));
    if store.close(secs(at, 1000)).is_ok() {
        told.committed(disk);
    }
    told
}

#[test]
fn a_death_at_any_operation_of_a_first_run_loses_and_doubles_nothing() {
    let empty = tempfile::tempdir().expect("a directory");
    die_everywhere(empty.path(), &[], NOON);
}

#[test]
fn a_death_at_any_operation_of_a_run_after_a_killed_one_loses_and_doubles_nothing() {
    let killed = tempfile::tempdir().expect("a directory");
    let (mut store, _) = open(&Faulty::default(), killed.path(), "r0", NOON).expect("it opens");
    let mut told = Told::default();
    for row in (91..94).flat_map(|id| episode(id, NOON)) {
        told.append(&mut store, &row);
    }
    store.flush(NOON);
    told.append(&mut store, &signal(940, NOON));
    told.append(&mut store, &signal(950, NOON));
    store.commit(NOON);
    drop(store);
    told.committed = told.rows.len();
    die_everywhere(killed.path(), &[told], secs(NOON, 3600));
}

/// Lets a run that follows on what lies in `before` die in each of its operations, and another one
/// meet what is left. `told` is what the runs before said.
fn die_everywhere(before: &Path, told: &[Told], start: Wall) {
    let fresh = || {
        let dir = tempfile::tempdir().expect("a directory");
        for name in names(before) {
            fs::copy(before.join(&name), dir.path().join(&name)).expect("copied");
        }
        dir
    };
    let counting = Faulty::default();
    let dir = fresh();
    let lived = a_day(&counting, dir.path(), "r1", 1, start);
    check(dir.path(), &[told, &[lived]].concat(), "no death");
    let ops = counting.plan().names.clone();
    assert!(ops.len() > 100, "{} operations", ops.len());

    for (op, name) in (1..).zip(ops) {
        // To die after an operation leaves the same as to die before the next.
        let halfway = matches!(name, "write" | "copy").then_some(Dies::Halfway);
        for how in [Dies::Before].into_iter().chain(halfway) {
            let dir = fresh();
            let context = format!("death {how:?} operation {op}, {name}");
            let disk = Faulty::dies_at(op, how);
            let died = a_day(&disk, dir.path(), "r1", 1, start);
            assert!(disk.dead(), "{context}");
            // Whatever has a reader's name is whole, also now.
            for path in files(dir.path()) {
                read_file(&path);
            }
            let disk = Faulty::default();
            let (mut store, _) =
                open(&disk, dir.path(), "r2", secs(start, 100_000)).expect("it opens");
            let mut last = Told::default();
            episode(50, start).iter().for_each(|row| last.append(&mut store, row));
            store.close(secs(start, 100_001)).expect("it closes");
            last.committed(&disk);
            check(dir.path(), &[told, &[died, last]].concat(), &context);
            let left: Vec<_> =
                names(dir.path()).into_iter().filter(|name| !name.ends_with(".parquet")).collect();
            assert_eq!(left, ["journal", "lock"], "{context}");
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// An episode, cut off behind so many rows.
    Rows(usize),
    Commit,
    Flush,
    Die,
    Close,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..=7_usize).prop_map(Step::Rows),
        3 => Just(Step::Commit),
        3 => Just(Step::Flush),
        1 => Just(Step::Die),
        1 => Just(Step::Close),
        2 => prop_oneof![0..3_u64, 20_000..50_000_u64].prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_life_is_recorded_up_to_where_it_was_cut(
        steps in proptest::collection::vec(step(), 1..40),
        dies in proptest::option::of((1..200_usize, prop_oneof![
            Just(Dies::Before), Just(Dies::Halfway)
        ])),
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut disk = dies.map_or_else(Faulty::default, |(op, how)| Faulty::dies_at(op, how));
        let (mut now, mut id, mut runs) = (NOON, 0, vec![Told::default()]);
        let mut store = open(&disk, dir.path(), "r0", now).ok().map(|(store, _)| store);
        for step in steps.iter().chain(&[Step::Close]) {
            if disk.dead() || store.is_none() {
                drop(store.take());
                disk = Faulty::default();
                runs.push(Told::default());
                let name = format!("r{}", runs.len());
                // A gap is told from others by its beginning, and the rows of an episode tell of
                // its next five seconds.
                now = secs(now, 10);
                store = open(&disk, dir.path(), &name, now).ok().map(|(store, _)| store);
            }
            let Some(live) = &mut store else { continue };
            let told = runs.last_mut().expect("a run");
            match *step {
                Step::Rows(n) => {
                    id += 1;
                    episode(id, now).iter().take(n).for_each(|row| told.append(live, row));
                }
                Step::Commit => {
                    live.commit(now);
                    told.committed(&disk);
                }
                Step::Flush => {
                    live.flush(now);
                    told.committed(&disk);
                }
                Step::Die => drop(store.take()),
                Step::Close => {
                    if store.take().is_some_and(|store| store.close(now).is_ok()) {
                        told.committed(&disk);
                    }
                }
                Step::Wait(s) => now = secs(now, s),
            }
        }
        drop(store.take());
        let (store, _) = open(&Faulty::default(), dir.path(), "last", secs(now, 1))
            .expect("it opens");
        store.close(secs(now, 2)).expect("it closes");
        check(dir.path(), &runs, "any life");
    }
}

#[test]
fn a_full_disk_is_counted_and_loses_nothing_once_it_has_room() {
    for op in ["write", "create", "copy", "sync", "rename", "sync_dir", "any"] {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Faulty::default();
        let (mut store, _) = open(&disk, dir.path(), "r1", NOON).expect("it opens");
        let mut told = Told::default();
        let mut tell = |store: &mut Store, id: u64, at: Wall| {
            for row in episode(id, at) {
                told.append(store, &row);
                store.commit(at);
            }
        };
        tell(&mut store, 1, NOON);
        tell(&mut store, 2, NOON);
        assert_eq!(store.flush(NOON).errors, [""; 0]);
        disk.refuse(op, "", io::ErrorKind::StorageFull);
        for n in 0..5 {
            tell(&mut store, 10 + n, secs(NOON, n));
            let report = store.flush(secs(NOON, n));
            assert!(!report.errors.is_empty(), "{op}");
        }
        let health = store.health();
        assert!(health.failing && health.flush_errors >= 5, "{op}: {health:?}");
        assert!(health.last_error.is_some_and(|e| e.contains("no storage space")), "{op}");
        // The files before stand as they were, and temporary ones take no room.
        assert!(recorded(dir.path()).len() >= 14, "{op}");
        disk.relent();
        tell(&mut store, 20, secs(NOON, 10));
        assert_eq!(store.flush(secs(NOON, 10)).errors, [""; 0], "{op}");
        let health = store.health();
        assert!(!health.failing, "{op}: {health:?}");
        assert_eq!((health.waiting_rows, health.unjournaled_rows), (0, 0), "{op}");
        told.committed = told.rows.len();
        check(dir.path(), &[told.clone()], op);
        store.close(secs(NOON, 11)).expect("it closes");
        check(dir.path(), &[told], op);
    }
}

#[test]
fn one_file_that_cannot_be_written_keeps_no_other_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Faulty::default();
    let (mut store, _) = open(&disk, dir.path(), "r1", NOON).expect("it opens");
    disk.refuse("create", "followup", io::ErrorKind::PermissionDenied);
    let mut told = Told::default();
    episode(1, NOON).iter().for_each(|row| told.append(&mut store, row));
    let report = store.flush(NOON);
    assert_eq!((report.rows, report.errors.len()), (4, 1), "{report:?}");
    assert!(report.errors[0].contains("followup_20261122.parquet"), "{report:?}");
    assert_eq!(store.health().waiting_rows, 3);
    drop(store); // The journal has what that file has not.
    let (store, recovery) = open(&Faulty::default(), dir.path(), "r2", NOON).expect("it opens");
    assert_eq!(recovery.rows_recovered, 3);
    store.close(NOON).expect("it closes");
    told.committed = told.rows.len();
    check(dir.path(), &[told], "one file");
}

#[test]
fn rows_past_the_bound_are_counted_and_a_gap_tells_of_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Faulty::default();
    let limits = Limits { waiting_rows: 10, ..Limits::default() };
    let (mut store, _) =
        Store::open_on(Box::new(disk.clone()), dir.path(), run("r1"), NOON, limits)
            .expect("it opens");
    disk.refuse("any", "", io::ErrorKind::StorageFull);
    for n in 0..25 {
        store.append(&follow_up(n, 1000, NOON));
        store.commit(secs(NOON, n));
    }
    assert_eq!((store.health().waiting_rows, store.health().rows_dropped), (10, 15));
    assert_eq!(store.health().unjournaled_rows, 10);
    disk.relent();
    store.flush(secs(NOON, 30));
    store.append(&follow_up(100, 1000, NOON));
    store.close(secs(NOON, 31)).expect("it closes");
    let keys = recorded(dir.path());
    // The tenth row came at second 9; the first that was dropped, at most a commit later.
    assert_eq!(keys[&format!("gap storage {}", secs(NOON, 9).0)], 1, "{keys:?}");
    assert_eq!(keys.len(), 12);
}

#[test]
fn a_disk_that_stays_full_to_the_end_is_an_error_that_counts_the_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk = Faulty::default();
    let (mut store, _) = open(&disk, dir.path(), "r1", NOON).expect("it opens");
    store.append(&gap(NOON));
    store.commit(NOON);
    disk.refuse("any", "", io::ErrorKind::StorageFull);
    store.append(&gap(secs(NOON, 1)));
    let error = store.close(secs(NOON, 2)).expect_err("it cannot close whole");
    let StoreError::Unfinished { waiting, lost, .. } = error else { panic!("{error}") };
    assert_eq!((waiting, lost), (2, 1));
}

#[test]
fn rows_that_a_full_disk_took_whole_are_not_counted_as_lost() {
    let (mut cut_within, mut cut_between) = (0, 0);
    for room in (0..2_000).step_by(150) {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Faulty::default();
        let (mut store, _) = open(&disk, dir.path(), "r1", NOON).expect("it opens");
        disk.plan().room = Some(room);
        (0..10).for_each(|n| store.append(&gap(secs(NOON, n))));
        let error = store.close(secs(NOON, 20)).expect_err("it cannot close whole");
        let StoreError::Unfinished { waiting, lost, .. } = error else { panic!("{error}") };
        disk.plan().room = None;
        let (_, recovery) = open(&disk, dir.path(), "r2", secs(NOON, 30)).expect("it opens");
        assert_eq!((waiting, recovery.rows_recovered), (10, 10 - lost), "room for {room} bytes");
        cut_within += u64::from(lost > 0 && lost < 10);
        cut_between += u64::from(lost == 10);
    }
    assert!(cut_within > 3 && cut_between > 0, "{cut_within}, {cut_between}");
}

#[test]
fn a_start_on_a_full_disk_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut told = Told::default();
    let (mut store, _) = open(&Faulty::default(), dir.path(), "r1", NOON).expect("it opens");
    episode(1, NOON).iter().for_each(|row| told.append(&mut store, row));
    store.commit(NOON);
    drop(store);
    let disk = Faulty::default();
    let refusals = [("write", ".tmp-test"), ("write", "journal"), ("sync", "journal")];
    for (at, (op, path)) in (5..).zip(refusals) {
        disk.refuse(op, path, io::ErrorKind::StorageFull);
        let Err(error) = open(&disk, dir.path(), "r2", secs(NOON, at)) else {
            panic!("{op} {path}: it opened")
        };
        assert!(error.to_string().contains(&*dir.path().to_string_lossy()), "{error}");
    }
    let (store, _) = open(&Faulty::default(), dir.path(), "r3", secs(NOON, 9)).expect("it opens");
    store.close(secs(NOON, 10)).expect("it closes");
    told.committed = told.rows.len();
    check(dir.path(), &[told], "after the refusals");
}

/// A journal with ten committed episodes and no file yet.
fn journal_only(dir: &Path) -> Told {
    let (mut store, _) = open(&Faulty::default(), dir, "r1", NOON).expect("it opens");
    let mut told = Told::default();
    for id in 1..=10 {
        episode(id, NOON).iter().for_each(|row| told.append(&mut store, row));
    }
    store.commit(NOON);
    told
}

#[test]
fn a_journal_cut_anywhere_gives_back_what_is_before_the_cut() {
    let dir = tempfile::tempdir().expect("a directory");
    let told = journal_only(dir.path());
    let whole = fs::read(dir.path().join("journal")).expect("the journal");
    let mut kept = Vec::new();
    // Every cut would take minutes; a prime step meets every place of a frame.
    for length in (0..=whole.len()).step_by(397).chain([whole.len()]) {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("journal"), &whole[..length]).expect("written");
        let (store, recovery) =
            open(&Faulty::default(), dir.path(), "r2", secs(NOON, 9)).expect("it opens");
        kept.push(recovery.rows_recovered);
        store.close(secs(NOON, 10)).expect("it closes");
        check(dir.path(), std::slice::from_ref(&told), &format!("cut at {length}"));
    }
    assert!(kept.is_sorted(), "{kept:?}");
    assert_eq!((kept.first(), kept.last()), (Some(&0), Some(&70)));
}

#[test]
fn a_journal_garbled_in_the_middle_is_kept_aside_and_read_up_to_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let told = journal_only(dir.path());
    let whole = fs::read(dir.path().join("journal")).expect("the journal");
    for at in (0..whole.len() * 9 / 10).step_by(1009) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut garbled = whole.clone();
        garbled[at] ^= 0x20;
        fs::write(dir.path().join("journal"), &garbled).expect("written");
        let (store, recovery) =
            open(&Faulty::default(), dir.path(), "r2", secs(NOON, 9)).expect("it opens");
        assert_eq!(recovery.warnings.len(), 1, "at {at}: {:?}", recovery.warnings);
        let aside = dir.path().join(format!("journal.bad-{}", secs(NOON, 9).0));
        assert_eq!(fs::read(aside).expect("kept"), garbled, "at {at}");
        assert!(recovery.rows_recovered < 70);
        store.close(secs(NOON, 10)).expect("it closes");
        check(dir.path(), std::slice::from_ref(&told), &format!("garbled at {at}"));
    }
}

#[test]
fn an_end_of_zeros_as_a_power_cut_leaves_it_is_cut() {
    let dir = tempfile::tempdir().expect("a directory");
    let told = journal_only(dir.path());
    let mut bytes = fs::read(dir.path().join("journal")).expect("the journal");
    let length = bytes.len();
    bytes[length * 2 / 3..].fill(0);
    fs::write(dir.path().join("journal"), &bytes).expect("written");
    let (store, recovery) =
        open(&Faulty::default(), dir.path(), "r2", secs(NOON, 9)).expect("it opens");
    assert!((30..60).contains(&recovery.rows_recovered), "{recovery:?}");
    store.close(secs(NOON, 10)).expect("it closes");
    check(dir.path(), &[told], "zeros");
    assert!(!names(dir.path()).iter().any(|name| name.contains("bad")));
}
