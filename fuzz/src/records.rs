//! The records after damage: whatever became of the bytes of a run that died, the next one opens,
//! loses no row that stands before the damage, makes none twice, and goes on recording.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use arbitrary::{Arbitrary, Unstructured};
use hip3::persistence::{Limits, OsDisk, Recovery, Store};
use hip3::types::record::Row;
use hip3::types::time::{Nanos, Wall};
use tempfile::TempDir;

use super::store_rows::{
    NOON, episode, files, gap, key, key_of, read_file, round_trip, run as who,
};

/// Most that is done to the files of one run.
const DAMAGES: usize = 8;

const JOURNAL: &str = "journal";

/// `input` says what becomes of which file.
pub fn run(input: &[u8]) {
    let died = died();
    let mut bytes: Vec<Vec<u8>> = died.files.iter().map(|(_, bytes)| bytes.clone()).collect();
    let mut u = Unstructured::new(input);
    for _ in 0..DAMAGES {
        let Ok(damage) = u.arbitrary::<Damage>() else { break };
        damage.do_to(&mut bytes);
        if u.is_empty() {
            break;
        }
    }
    let dir = directory();
    let path = dir.path();
    // Where each file is first not what it was; whole ones are not listed.
    let mut harmed = BTreeMap::new();
    for ((name, before), after) in died.files.iter().zip(&bytes) {
        if let Some(at) = first_difference(before, after) {
            harmed.insert(name.as_str(), at);
        }
        fs::write(path.join(name), after).expect("a file");
    }
    let journal_ends = harmed.get(JOURNAL).copied().unwrap_or(usize::MAX);

    let (mut store, recovery) = open(path, "next", 60);
    // Rows of a file that is harmed may have been in it: which, is for no law to say.
    let whole = |name: &String| !harmed.contains_key(name.as_str());
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for row in died.rows.iter().filter(|row| whole(&row.file)) {
        let reaches = match row.journal_end {
            None => true,
            // Without its first record nothing says what a journal is of.
            Some(end) => end <= journal_ends && died.opening_end <= journal_ends,
        };
        if reaches {
            expected.insert(row.key.clone(), 1);
        }
    }
    assert_eq!(recovery.last_alive.is_some(), died.opening_end <= journal_ends, "{recovery:?}");
    assert!(recovery.warnings.len() <= 2 * died.files.len() + 2, "{recovery:?}");

    // It goes on.
    let news = [gap(later(61)), gap(later(62))];
    for row in &news {
        store.append(row);
    }
    store.commit(later(63));
    let report = store.flush(later(63));
    if harmed.is_empty() {
        assert!(report.errors.is_empty(), "{report:?}");
    }
    let closed = store.close(later(64));
    assert!(closed.is_ok() || !harmed.is_empty(), "{closed:?}");
    let gaps = died.files.iter().map(|(name, _)| name).find(|name| name.starts_with("gaps"));
    if gaps.is_none_or(whole) {
        expected.extend(news.iter().map(|row| (key(row), 1)));
    }
    // And again, from what it left.
    drop(open(path, "last", 70));
    check(path, &harmed, &expected);
}

/// Reads every file that was not harmed: what is expected is there, and nothing is there twice.
fn check(dir: &Path, harmed: &BTreeMap<&str, usize>, expected: &BTreeMap<String, usize>) {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for path in files(dir) {
        let name = path.file_name().expect("a name").to_string_lossy();
        if harmed.contains_key(&*name) {
            continue;
        }
        for row in read_file(&path).rows {
            *found.entry(key_of(&path, &row)).or_insert(0) += 1;
        }
    }
    for (key, times) in &found {
        assert_eq!(*times, 1, "twice: {key}");
    }
    for key in expected.keys() {
        assert!(found.contains_key(key), "lost: {key} of {found:?}");
    }
}

/// Something that happens to a file. Places are taken modulo its length.
#[derive(Arbitrary, Debug)]
struct Damage {
    file: u8,
    at: u16,
    what: What,
}

#[derive(Arbitrary, Debug)]
enum What {
    Cut,
    Flip(u8),
    Zero(u8),
    Insert([u8; 3]),
    Leave(u8),
    /// These bytes instead.
    Write([u8; 8]),
    /// A number of four bytes, as lengths are written.
    Number(u32),
    Append(u8),
    Emptied,
}

impl Damage {
    fn do_to(&self, files: &mut [Vec<u8>]) {
        // Half of it to the journal, which is the first.
        let file = match self.file {
            128.. => 0,
            file => usize::from(file) % files.len(),
        };
        let bytes = &mut files[file];
        let Some(at) = usize::from(self.at).checked_rem(bytes.len()) else { return };
        let over = |bytes: &mut [u8], with: &[u8]| {
            bytes[at..].iter_mut().zip(with).for_each(|(to, byte)| *to = *byte);
        };
        match self.what {
            What::Cut => bytes.truncate(at),
            What::Flip(bits) => bytes[at] ^= bits,
            What::Zero(len) => over(bytes, &vec![0; len.into()]),
            What::Insert(some) => drop(bytes.splice(at..at, some)),
            What::Leave(len) => {
                let end = bytes.len().min(at + usize::from(len));
                drop(bytes.drain(at..end));
            }
            What::Write(some) => over(bytes, &some),
            What::Number(number) => over(bytes, &number.to_le_bytes()),
            What::Append(some) => bytes.extend(vec![some; usize::from(some)]),
            What::Emptied => bytes.clear(),
        }
    }
}

fn first_difference(before: &[u8], after: &[u8]) -> Option<usize> {
    let same = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    (before != after).then_some(same)
}

/// What a run left that died.
struct Died {
    /// Name and bytes of each file, the journal first.
    files: Vec<(String, Vec<u8>)>,
    rows: Vec<Stands>,
    /// Where the journal's first record ends.
    opening_end: usize,
}

/// Where a row stands.
struct Stands {
    key: String,
    /// The day file that holds it, or will.
    file: String,
    /// For a row in the journal alone, where its record ends there.
    journal_end: Option<usize>,
}

/// Made once: rows in day files, and rows in the journal alone.
fn died() -> &'static Died {
    static DIED: OnceLock<Died> = OnceLock::new();
    DIED.get_or_init(|| {
        let dir = directory();
        let journal = dir.path().join(JOURNAL);
        let length = || fs::metadata(&journal).expect("a journal").len() as usize;
        let mut rows = Vec::new();
        let (mut store, _) = open(dir.path(), "first", 0);
        for row in episode(1, NOON).iter().chain(&round_trip(1, NOON)).chain([&gap(NOON)]) {
            store.append(row);
            rows.push(stands(row, None));
        }
        let report = store.flush(later(10));
        assert!(report.errors.is_empty(), "{report:?}");
        let opening_end = length();
        for row in episode(2, later(11)).iter().chain(&round_trip(2, later(11))) {
            store.append(row);
            store.commit(later(11));
            rows.push(stands(row, Some(length())));
        }
        drop(store); // It dies.
        let names = |path: std::path::PathBuf| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(path).expect("a file"))
        };
        let paths = [journal.clone()].into_iter().chain(files(dir.path()));
        let files: Vec<_> = paths.map(names).collect();
        assert!(files.len() == 8 && rows.len() == 21, "{} files, {} rows", files.len(), rows.len());
        Died { files, rows, opening_end }
    })
}

fn stands(row: &Row, journal_end: Option<usize>) -> Stands {
    let file = format!("{}_{}.parquet", row.kind().file_stem(), row.day());
    Stands { key: key(row), file, journal_end }
}

fn later(s: u64) -> Wall {
    NOON.plus(Nanos::from_secs(s))
}

fn open(dir: &Path, id: &str, s: u64) -> (Store, Recovery) {
    // Small groups, so that files have several; how much room there is says nothing here.
    let limits = Limits { group_rows: 4, room_wanted: 0, room_needed: 0, ..Limits::default() };
    Store::open_on(Box::new(OsDisk), dir, who(id), later(s), limits).expect("it opens")
}

/// In memory where there is such a place: an input writes thirty files.
fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    dir.expect("a directory")
}
