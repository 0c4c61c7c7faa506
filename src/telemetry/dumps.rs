//! Latency dumps: HdrHistogram interval logs (V2, compressed, tagged by stage), a file a UTC day.
//!
//! One line per interval and stage. Readers of other tools stop at a line that is cut short, so a file
//! must not keep one: an append that fails is cut back, and a file that ends within a line, as a run
//! that was killed leaves it, is repaired when it is opened again. [`read`] counts such lines and skips
//! them.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
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

    /// Appends an interval of a stage.
    ///
    /// Errors: what the disk says. Nothing of the interval is left in the file, and the next one opens
    /// the file again.
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
        append_whole(file, &line).inspect_err(|_| self.file = None)
    }

    fn open(&self, day: Day, began: Wall) -> io::Result<File> {
        fs::create_dir_all(&self.dir)?;
        let path = path(&self.dir, day);
        let mut file = File::options().read(true).append(true).create(true).open(path)?;
        end_with_whole_line(&mut file)?;
        let mut head = Vec::new();
        IntervalLogWriterBuilder::new()
            .add_comment(&format!("hip3 {}: nanoseconds, one tag a stage", self.run_id))
            .with_start_time(UNIX_EPOCH + since_1970(began))
            .begin_log_with(&mut head, &mut V2DeflateSerializer::new())?;
        append_whole(&mut file, &head)?;
        Ok(file)
    }
}

/// Appends all of `bytes` to a file that was opened for appending, or nothing.
///
/// Errors: the write's. What was written before it failed is cut off again, unless another process has
/// appended to the file meanwhile: its lines are not ours to cut.
fn append_whole(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        let error = match file.write(rest) {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(more) => {
                written += more;
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        if written > 0 {
            // An append leaves the position behind what it wrote.
            let end = file.stream_position()?;
            if file.metadata()?.len() == end {
                file.set_len(end - written as u64)?;
            }
        }
        return Err(error);
    }
    Ok(())
}

/// How much of the end of a file is looked at in one step.
const BLOCK: u64 = 64 * 1024;
/// Longest line that may be an interval: many times the widest histogram that a stage has.
const MOST_LINE: u64 = 1 << 20;

/// Lets a file end with a whole line. A last line that lacks its line feed is completed if it is an
/// interval with nothing else missing, and cut off otherwise. The lines before it stay as they are.
fn end_with_whole_line(file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    let start = last_line_start(file, length)?;
    if start == length {
        return Ok(());
    }
    let mut line = Vec::new();
    if length - start <= MOST_LINE {
        read_range(file, start, length, &mut line)?;
    }
    line.push(b'\n');
    if file.metadata()?.len() != length {
        return Ok(()); // Another process is writing this line just now.
    }
    if is_whole_interval(&line) { append_whole(file, b"\n") } else { file.set_len(start) }
}

/// Where the last line of a file of this length begins: behind its last line feed.
fn last_line_start(file: &mut File, length: u64) -> io::Result<u64> {
    let (mut end, mut block) = (length, Vec::new());
    while end > 0 {
        let from = end.saturating_sub(BLOCK);
        read_range(file, from, end, &mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

fn read_range(file: &mut File, from: u64, to: u64, into: &mut Vec<u8>) -> io::Result<()> {
    into.clear();
    file.seek(SeekFrom::Start(from))?;
    Read::by_ref(file).take(to - from).read_to_end(into)?;
    Ok(())
}

/// Whether a line is an interval as [`Dumps`] writes them, to its last byte. The checksum at the end of
/// its histogram may be missing and the counts be readable still, so the length that the histogram says
/// it has is compared as well.
fn is_whole_interval(line: &[u8]) -> bool {
    let payload = line.trim_ascii_end().rsplit(|byte| *byte == b',').next().unwrap_or_default();
    let says_its_length = STANDARD.decode(payload).is_ok_and(|bytes| {
        // A cookie, the length of what follows, and that.
        let said = bytes.get(4..8).and_then(|length| <[u8; 4]>::try_from(length).ok());
        said.is_some_and(|said| u32::from_be_bytes(said) as usize == bytes.len() - 8)
    });
    says_its_length && matches!(parse(line, &mut Deserializer::new()), Line::Interval { .. })
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
        // One line at a time: what one does not understand says nothing about the next.
        match parse(line, &mut deserializer) {
            Line::Other => {}
            Line::Start(at) => start = Some(at),
            Line::Base(at) => base = Some(at),
            Line::Interval { tag, at, lasted, counts } => {
                dumped.push(Dumped { tag, began: absolute(at, start, base), lasted, counts });
            }
            Line::Broken => broken += 1,
        }
    }
    if dumped.is_empty() {
        let fault = "expected an HdrHistogram interval log (V2) with at least one interval";
        return Err(refuse(fault.to_owned()));
    }
    Ok((dumped, broken))
}

/// What a line of a dump says.
enum Line {
    /// Nothing that counts: a comment, the legend of the columns, a blank line.
    Other,
    /// When the log starts.
    Start(Duration),
    /// What timestamps count from.
    Base(Duration),
    /// An interval; its timestamp counts from wherever those of the log do.
    Interval { tag: Option<String>, at: Duration, lasted: Nanos, counts: Histogram<u64> },
    /// None of these: an interval that is cut short, for example.
    Broken,
}

/// Reads a line, its line feed included: without one an interval may lack its last digits.
fn parse(line: &[u8], deserializer: &mut Deserializer) -> Line {
    // To the parser the legend is neither a comment nor an interval.
    if line.trim_ascii().is_empty() || line.starts_with(b"\"") {
        return Line::Other;
    }
    match IntervalLogIterator::new(line).next() {
        None => Line::Other,
        Some(Ok(LogEntry::StartTime(at))) => Line::Start(at),
        Some(Ok(LogEntry::BaseTime(at))) => Line::Base(at),
        Some(Ok(LogEntry::Interval(interval))) if line.ends_with(b"\n") => {
            let counts = STANDARD
                .decode(interval.encoded_histogram())
                .ok()
                .and_then(|bytes| deserializer.deserialize(&mut bytes.as_slice()).ok());
            let Some(counts) = counts else { return Line::Broken };
            Line::Interval {
                tag: interval.tag().map(|tag| tag.as_str().to_owned()),
                at: interval.start_timestamp(),
                lasted: nanos(interval.duration()),
                counts,
            }
        }
        Some(_) => Line::Broken,
    }
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

    /// Reads as the readers of Java, Python and JavaScript do: line by line, and nothing at all behind a
    /// line that is neither a comment, nor the legend, nor a whole interval. Returns the largest values.
    fn read_strictly(path: &Path) -> Vec<u64> {
        let text = fs::read_to_string(path).expect("text");
        assert!(text.ends_with('\n'), "the last line ends: {text:?}");
        let interval = |line: &str| {
            let fields: Vec<&str> = line.split(',').collect();
            let [tag, at, lasted, max, payload] = fields[..] else {
                panic!("no interval: {line:?}")
            };
            assert!(tag.starts_with("Tag="), "{line:?}");
            assert!(
                [at, lasted, max].iter().all(|number| number.parse::<f64>().is_ok()),
                "{line:?}"
            );
            let bytes = STANDARD.decode(payload).expect("base64");
            let length = u32::from_be_bytes(bytes[4..8].try_into().expect("four bytes"));
            assert_eq!(length as usize, bytes.len() - 8, "{line:?}");
            let counts: Histogram<u64> =
                Deserializer::new().deserialize(&mut bytes.as_slice()).expect("a histogram");
            counts.max()
        };
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with('"'));
        lines.map(interval).collect()
    }

    /// C1: a file that ends within a line is repaired when it is opened, wherever the line was cut, and
    /// every whole line stays.
    #[test]
    fn a_line_that_was_cut_anywhere_is_repaired_by_the_next_run() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = path(dir.path(), BEGAN.day());
        let mut dumps = Dumps::new(dir.path(), "run-1");
        for max in [3, 5] {
            dumps.append(Stage::Turn, BEGAN, Nanos(5), &counts([max])).expect("written");
        }
        let whole = fs::read(&path).expect("the dump");
        let cut_to = |length: usize| {
            fs::write(&path, &whole[..length]).expect("cut");
            let mut next = Dumps::new(dir.path(), "run-2");
            next.append(Stage::Turn, BEGAN, Nanos(5), &counts([9])).expect("written");
            let (dumped, broken) = read(&path).expect("a dump");
            let maxima: Vec<_> = dumped.iter().map(|dumped| dumped.counts.max()).collect();
            assert_eq!((&maxima, broken), (&read_strictly(&path), 0), "{length}");
            maxima
        };
        let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("lines");
        assert_eq!(cut_to(whole.len()), [3, 5, 9], "nothing to repair");
        assert_eq!(cut_to(whole.len() - 1), [3, 5, 9], "its line feed alone was missing");
        for length in last + 1..whole.len() - 1 {
            assert_eq!(cut_to(length), [3, 9], "{length}");
        }
        // Within the head, or where a crash of the machine left zeros, or far more of them than a line.
        assert_eq!(cut_to(7), [9]);
        for zeros in [100, 3 * BLOCK as usize, 2 * MOST_LINE as usize] {
            fs::write(&path, [&whole[..], &vec![0; zeros]].concat()).expect("written");
            let mut next = Dumps::new(dir.path(), "run-2");
            next.append(Stage::Turn, BEGAN, Nanos(5), &counts([9])).expect("written");
            assert_eq!(read_strictly(&path), [3, 5, 9], "{zeros}");
        }
    }

    const CHILD: &str = "HIP3_TEST_DUMPS";

    /// C1: an append that the disk takes half of is cut back, and the next one stands on a line of its
    /// own. In a process of its own, whose files must not grow past a block or two.
    #[test]
    fn half_an_append_is_cut_back() {
        let name = "telemetry::dumps::tests::half_an_append_is_cut_back";
        let interval =
            |dumps: &mut Dumps, max| dumps.append(Stage::Turn, BEGAN, Nanos(5), &counts([max]));
        if let Some(dir) = std::env::var_os(CHILD) {
            let dir = Path::new(&dir);
            let run_id = dir.file_name().expect("a name").to_string_lossy().into_owned();
            let mut dumps = Dumps::new(dir, &run_id);
            let mut taken = 0;
            while interval(&mut dumps, 3).is_ok() {
                taken += 1;
                assert!(taken < 1_000, "there is a limit");
            }
            let length = || fs::metadata(path(dir, BEGAN.day())).expect("the dump").len();
            let before = length();
            for _ in 0..3 {
                interval(&mut dumps, 4).expect_err("no room");
                assert_eq!(length(), before);
            }
            assert_eq!(read_strictly(&path(dir, BEGAN.day())), vec![3; taken]);
            assert!(taken > 1, "{taken}");
            return;
        }
        let dir = tempfile::tempdir().expect("a directory");
        // Lines of different lengths meet the limit at different places.
        for run_id in ["r", "run", "a-longer-run", "a-run-of-quite-some-length-in-its-name"] {
            let place = dir.path().join(run_id);
            // A write past the limit kills, unless its signal is ignored.
            let done = std::process::Command::new("sh")
                .args(["-c", "trap '' XFSZ && ulimit -f 2 && exec \"$0\" --exact \"$1\""])
                .arg(std::env::current_exe().expect("this program"))
                .args([name])
                .env(CHILD, &place)
                .output()
                .expect("a shell");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
            let file = path(&place, BEGAN.day());
            let before = read_strictly(&file);
            interval(&mut Dumps::new(&place, "next"), 5).expect("written");
            assert_eq!(read_strictly(&file), [before, vec![5]].concat());
        }
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
