//! Latency dumps: HdrHistogram interval logs (V2, compressed, tagged by stage), a file a UTC day.
//!
//! Lines are appended whole, one an interval and stage. A run that dies leaves at worst half of a
//! line, which [`read`] tells of and passes over.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{
    IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag,
};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};

use crate::types::latency::Stage;
use crate::types::time::{Day, Nanos, Wall};

/// A larger file is none of ours: a day has 8640 intervals of some stages.
const MOST_BYTES: u64 = 1 << 30;

/// Writes them.
#[derive(Debug)]
pub struct Dumps {
    dir: PathBuf,
    file: Option<(Day, File)>,
    run_id: String,
}

impl Dumps {
    /// Into this directory, which is made when the first interval comes.
    pub fn new(dir: &Path, run_id: &str) -> Self {
        Self { dir: dir.to_owned(), file: None, run_id: run_id.to_owned() }
    }

    /// Appends an interval of a stage. Errors: what the disk says; the next interval tries anew.
    pub fn append(
        &mut self,
        stage: Stage,
        began: Wall,
        lasted: Nanos,
        counts: &Histogram<u32>,
    ) -> io::Result<()> {
        let day = began.day();
        if self.file.as_ref().is_none_or(|(open, _)| *open != day) {
            self.file = Some((day, self.open(day, began)?));
        }
        let Some((_, file)) = &mut self.file else { return Ok(()) };
        let mut line = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        let mut log = IntervalLogWriterBuilder::new().begin_log_with(&mut line, &mut serializer)?;
        log.write_histogram(counts, since_1970(began), lasted.into(), Tag::new(stage.name()))
            .map_err(|error| io::Error::other(format!("{error:?}")))?;
        file.write_all(&line).inspect_err(|_| self.file = None)
    }

    fn open(&self, day: Day, began: Wall) -> io::Result<File> {
        fs::create_dir_all(&self.dir)?;
        let mut file = File::options().append(true).create(true).open(path(&self.dir, day))?;
        let mut head = Vec::new();
        IntervalLogWriterBuilder::new()
            .add_comment(&format!("hip3 {}: nanoseconds, one tag a stage", self.run_id))
            .with_start_time(UNIX_EPOCH + since_1970(began))
            .begin_log_with(&mut head, &mut V2DeflateSerializer::new())?;
        // On a line of its own, whatever a run that died has left behind.
        if file.metadata()?.len() > 0 {
            head.insert(0, b'\n');
        }
        file.write_all(&head)?;
        Ok(file)
    }
}

/// The file of a day.
fn path(dir: &Path, day: Day) -> PathBuf {
    dir.join(format!("latency_{day}.hlog"))
}

fn since_1970(at: Wall) -> Duration {
    Duration::from_nanos(u64::try_from(at.0).unwrap_or(0))
}

/// An interval of a stage, as it was dumped.
#[derive(Clone, Debug)]
pub struct Dumped {
    /// Its tag: a stage's name in our own dumps, and `None` in those of tools without tags.
    pub tag: Option<String>,
    /// When it began.
    pub began: Wall,
    /// How long it lasted.
    pub lasted: Nanos,
    /// What was measured.
    pub counts: Histogram<u64>,
}

/// Why a dump cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", .path.display())]
pub struct DumpError {
    path: PathBuf,
    fault: String,
}

/// Reads a dump; also how many lines of it make no sense, as the last one of a run that died.
///
/// Errors: the file cannot be read, or none of its lines is an interval.
pub fn read(path: &Path) -> Result<(Vec<Dumped>, usize), DumpError> {
    let refuse = |fault: String| DumpError { path: path.to_owned(), fault };
    let cannot = |error: io::Error| refuse(format!("cannot be read: {error}"));
    let length = fs::metadata(path).map_err(cannot)?.len();
    if length > MOST_BYTES {
        return Err(refuse(format!("has {length} bytes: expected at most {MOST_BYTES}")));
    }
    let bytes = fs::read(path).map_err(cannot)?;
    let (mut dumped, mut broken) = (Vec::new(), 0);
    let (mut start, mut base) = (None, None);
    let mut deserializer = Deserializer::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        // One line at a time: what one does not understand says nothing about the next. The words
        // above the columns are no comment and no interval.
        if line.trim_ascii().is_empty() || line.starts_with(b"\"") {
            continue;
        }
        let whole = line.ends_with(b"\n");
        match IntervalLogIterator::new(line).next() {
            None => {}
            Some(Ok(LogEntry::StartTime(at))) => start = Some(at),
            Some(Ok(LogEntry::BaseTime(at))) => base = Some(at),
            Some(Ok(LogEntry::Interval(interval))) if whole => {
                let counts = STANDARD
                    .decode(interval.encoded_histogram())
                    .ok()
                    .and_then(|bytes| deserializer.deserialize(&mut bytes.as_slice()).ok());
                let Some(counts) = counts else {
                    broken += 1;
                    continue;
                };
                dumped.push(Dumped {
                    tag: interval.tag().map(|tag| tag.as_str().to_owned()),
                    began: absolute(interval.start_timestamp(), start, base),
                    lasted: nanos(interval.duration()),
                    counts,
                });
            }
            Some(_) => broken += 1,
        }
    }
    if dumped.is_empty() {
        let fault = "expected an HdrHistogram interval log (V2) with at least one interval";
        return Err(refuse(fault.to_owned()));
    }
    Ok((dumped, broken))
}

/// Where a timestamp lies: as other tools take it, one that is years before the start counts from
/// it.
fn absolute(stamp: Duration, start: Option<Duration>, base: Option<Duration>) -> Wall {
    const YEAR: Duration = Duration::from_secs(365 * 86_400);
    let origin = base.or_else(|| start.filter(|start| stamp.saturating_add(YEAR) < *start));
    let at = stamp.saturating_add(origin.unwrap_or_default());
    Wall(i64::try_from(at.as_nanos()).unwrap_or(i64::MAX))
}

fn nanos(span: Duration) -> Nanos {
    Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGAN: Wall = Wall(1_795_572_694_551_000_000);

    fn counts(lengths: impl IntoIterator<Item = u64>) -> Histogram<u32> {
        let mut counts = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds");
        lengths.into_iter().for_each(|length| counts.record(length).expect("within bounds"));
        counts
    }

    #[test]
    fn what_was_dumped_is_read_back_by_stage_and_time_over_days_and_runs() {
        let dir = tempfile::tempdir().expect("a directory");
        let day = Nanos::from_secs(86_400);
        let mut dumps = Dumps::new(&dir.path().join("latency"), "run-1");
        let second = Nanos::from_secs(1);
        dumps.append(Stage::Parse, BEGAN, second, &counts(1..=1_000)).expect("written");
        dumps.append(Stage::Send, BEGAN, second, &counts([9])).expect("written");
        dumps.append(Stage::Send, BEGAN.plus(day), second, &counts([8])).expect("written");
        let mut next = Dumps::new(&dir.path().join("latency"), "run-2");
        next.append(Stage::Send, BEGAN.plus(second), second, &counts([7, 7])).expect("written");
        let first = dir.path().join("latency").join(format!("latency_{}.hlog", BEGAN.day()));
        let (dumped, broken) = read(&first).expect("a dump");
        let told: Vec<_> = dumped
            .iter()
            .map(|d| {
                (d.tag.as_deref(), d.began.0 - BEGAN.0, d.lasted, d.counts.len(), d.counts.max())
            })
            .collect();
        assert_eq!(
            told,
            [
                (Some("parse"), 0, second, 1_000, 1_000),
                (Some("send"), 0, second, 1, 9),
                (Some("send"), 1_000_000_000, second, 2, 7),
            ]
        );
        assert_eq!(broken, 0);
        assert_eq!(dumped[0].counts.value_at_quantile(0.5), 500);
        assert_eq!(fs::read_dir(dir.path().join("latency")).expect("it").count(), 2, "a day each");
    }

    #[test]
    fn half_a_line_is_told_of_and_costs_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut dumps = Dumps::new(dir.path(), "run-1");
        for _ in 0..2 {
            dumps.append(Stage::Turn, BEGAN, Nanos(5), &counts([3])).expect("written");
        }
        let path = path(dir.path(), BEGAN.day());
        let bytes = fs::read(&path).expect("the dump");
        fs::write(&path, &bytes[..bytes.len() - 10]).expect("cut");
        let mut next = Dumps::new(dir.path(), "run-2");
        next.append(Stage::Turn, BEGAN, Nanos(5), &counts([4])).expect("written");
        let (dumped, broken) = read(&path).expect("a dump");
        let told: Vec<_> = dumped.iter().map(|dumped| dumped.counts.max()).collect();
        assert_eq!((told, broken), (vec![3, 4], 1));
    }

    #[test]
    fn what_is_no_dump_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.hlog");
        for text in ["", "# nothing\n", "Tag=parse,1,2,3,notbase64\n", "\u{fffd}\u{0}", "1,2,3\n"] {
            fs::write(&path, text).expect("written");
            let error = read(&path).expect_err(text).to_string();
            assert!(error.contains("x.hlog") && error.contains("interval"), "{error}");
        }
        let missing = read(&dir.path().join("none")).expect_err("no file").to_string();
        assert!(missing.contains("cannot be read"), "{missing}");
    }
}
