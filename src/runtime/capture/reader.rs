//! Captures, read line by line.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Component, Path, PathBuf};

use crate::runtime::capture::usual_line::{self, Unescaped, Usual};
use crate::runtime::capture::{FORMAT, Header, Heard, Line, TICK};
use crate::types::event::Event;
use crate::types::time::Now;

/// Longest line read: a frame of the largest size, escaped.
const MAX_LINE: u64 = 32 << 20;
/// What is read from the disk at once: it is parsed while it lies in the processor's cache.
const CHUNK: usize = 256 << 10;

/// Why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("{path}, line {line}: expected {expected}: {found}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What should stand there.
        expected: &'static str,
        /// What is wrong with it.
        found: String,
    },
}

/// One thing heard, in the reader's own buffers.
#[derive(Clone, Copy, Debug)]
pub enum Said<'a> {
    /// A text frame: UTF-8.
    Frame(&'a [u8]),
    /// Anything else.
    Other(&'a Heard),
}

impl<'a> Said<'a> {
    /// As the engine is told it; `None` for a hole.
    pub fn event(&self) -> Option<Event<'a>> {
        match self {
            Said::Frame(text) => Some(Event::Frame(text)),
            Said::Other(heard) => heard.event(),
        }
    }
}

/// Reads a capture line by line.
pub struct Reader {
    input: Box<dyn BufRead + Send>,
    path: PathBuf,
    line: u64,
    length: usize,
    text: Vec<u8>,
    frame: Unescaped,
    heard: Heard,
    header: Header,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({}, line {})", self.path.display(), self.line)
    }
}

impl Reader {
    /// Opens a file and reads its first line. What zstd has compressed is told by how it begins,
    /// whatever its name.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let failed = |source| ReadError::Io { path: path.to_owned(), source };
        let mut file = BufReader::with_capacity(CHUNK, File::open(path).map_err(failed)?);
        if is_compressed(file.fill_buf().map_err(failed)?) {
            let inner = zstd::stream::read::Decoder::with_buffer(file).map_err(failed)?;
            Self::new(BufReader::with_capacity(CHUNK, inner), path)
        } else {
            Self::new(file, path)
        }
    }

    /// Reads the first line; `path` names the input in errors.
    pub fn new(input: impl BufRead + Send + 'static, path: &Path) -> Result<Self, ReadError> {
        let mut reader = Self {
            input: Box::new(input),
            path: path.to_owned(),
            line: 0,
            length: 0,
            text: Vec::new(),
            frame: Unescaped::default(),
            heard: Heard::Tick(()),
            header: Header::new("", 0, 0, String::new()),
        };
        let expected = "the first line of a capture, {\"hip3_capture\":1,…}";
        if !reader.fill()? {
            return Err(reader.refuse(expected, "the file is empty"));
        }
        let text = reader.utf8()?;
        reader.header = serde_json::from_str(text)
            .map_err(|error| reader.refuse(expected, &error.to_string()))?;
        if reader.header.hip3_capture != FORMAT {
            let found = format!("version {}", reader.header.hip3_capture);
            return Err(reader.refuse("a capture of version 1", &found));
        }
        if !is_plain_name(&reader.header.run_id) {
            let found = format!("{:?}", reader.header.run_id);
            return Err(
                reader.refuse("a run_id that is a plain name: records lie under it", &found)
            );
        }
        Ok(reader)
    }

    /// The number of the line that was read last, from 1, and its length in bytes.
    pub fn last_line(&self) -> (u64, usize) {
        (self.line, self.length)
    }

    /// The first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next thing heard; `None` at the end. A last line that is cut short, as a killed run
    /// leaves it, is the end; so is the end of a compressed file that was cut short.
    pub fn read(&mut self) -> Result<Option<(Now, Said<'_>)>, ReadError> {
        // Nearly every line is read where it lies.
        match self.input.fill_buf() {
            Ok(buffer) => {
                if let Some((now, usual, length)) = usual_line::read(buffer, &mut self.frame) {
                    self.input.consume(length);
                    self.line += 1;
                    self.length = length;
                    let said = match usual {
                        Usual::Frame => Said::Frame(self.frame.as_bytes()),
                        Usual::Tick => Said::Other(&TICK),
                    };
                    return Ok(Some((now, said)));
                }
            }
            // Told of where the rest of the line is read.
            Err(error) if is_passing(&error) => {}
            Err(source) => return Err(ReadError::Io { path: self.path.clone(), source }),
        }
        if !self.fill()? {
            return Ok(None);
        }
        match serde_json::from_str::<Line>(self.utf8()?) {
            Ok(line) => {
                self.heard = line.heard;
                let said = match &self.heard {
                    Heard::Frame(text) => Said::Frame(text.as_bytes()),
                    other => Said::Other(other),
                };
                Ok(Some((Now { mono: line.m, wall: line.t }, said)))
            }
            Err(_) if !self.text.ends_with(b"\n") => Ok(None),
            Err(error) => Err(self.refuse("{\"t\":…,\"m\":…,\"frame\":\"…\"}", &error.to_string())),
        }
    }

    fn utf8(&self) -> Result<&str, ReadError> {
        std::str::from_utf8(&self.text).or_else(|error| match error.error_len() {
            // Cut within a character: the line is cut short, which is told from the rest of it.
            None if !self.text.ends_with(b"\n") => {
                let whole = self.text.get(..error.valid_up_to()).unwrap_or_default();
                Ok(std::str::from_utf8(whole).unwrap_or_default())
            }
            _ => Err(self.refuse("UTF-8 text", "other bytes")),
        })
    }

    fn fill(&mut self) -> Result<bool, ReadError> {
        self.text.clear();
        self.line += 1;
        let mut bounded = io::Read::take(&mut self.input, MAX_LINE);
        match bounded.read_until(b'\n', &mut self.text) {
            Ok(_) => {}
            // The end of a compressed file that was cut short; what came out of it counts.
            Err(error) if is_passing(&error) => {}
            Err(source) => return Err(ReadError::Io { path: self.path.clone(), source }),
        }
        if self.text.len() as u64 == MAX_LINE {
            return Err(self.refuse("a line of at most 32 MiB", "a longer one"));
        }
        self.length = self.text.len();
        Ok(!self.text.is_empty())
    }

    fn refuse(&self, expected: &'static str, found: &str) -> ReadError {
        let found = found.to_owned();
        ReadError::Line { path: self.path.clone(), line: self.line, expected, found }
    }
}

/// Whether this names one file in a directory and nothing outside of it.
fn is_plain_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let first = components.next();
    let whole = first == Some(Component::Normal(OsStr::new(name))) && components.next().is_none();
    whole && !name.contains(['/', '\\', '\0'])
}

/// Whether an error is none: of a compressed file that was cut short, and of a call to be repeated.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::Interrupted)
}

/// Whether a file begins as zstd's do: with a frame, or with one to be skipped.
fn is_compressed(begin: &[u8]) -> bool {
    match begin.first_chunk::<4>() {
        Some([0x28, 0xb5, 0x2f, 0xfd]) => true,
        Some([first, 0x2a, 0x4d, 0x18]) => first & 0xf0 == 0x50,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::types::time::{Mono, Wall};

    const HEAD: &str = r#"{"hip3_capture":1,"run_id":"r","first_id":0,"seed":0,"config":""}"#;

    /// All lines of a capture, as the reader told them.
    fn lines(reader: &mut Reader) -> Result<Vec<(Now, String)>, ReadError> {
        let mut lines = Vec::new();
        while let Some((now, said)) = reader.read()? {
            lines.push((now, format!("{:?}", said.event())));
        }
        Ok(lines)
    }

    fn of_text(text: Vec<u8>) -> Result<Vec<(Now, String)>, ReadError> {
        lines(&mut Reader::new(io::Cursor::new(text), Path::new("c.jsonl"))?)
    }

    #[test]
    fn a_run_is_named_so_that_its_records_stay_where_they_belong() {
        let of = |name: &str| {
            let head = HEAD.replace("\"r\"", &serde_json::to_string(name).expect("text"));
            of_text(format!("{head}\n").into_bytes()).map_err(|error| error.to_string())
        };
        for plain in ["r", "20261128T103022-1f2e", "a.b", "..."] {
            of(plain).expect("a capture");
        }
        for other in
            ["", ".", "..", "/", "/tmp/r", "../r", "a/b", "r/", "./r", "a/..", "a\\b", "a\0"]
        {
            let told = of(other).expect_err(other);
            assert!(told.contains("c.jsonl, line 1: expected a run_id that is a plain"), "{told}");
        }
    }

    #[test]
    fn a_line_is_numbered_and_measured_whichever_way_it_is_read() {
        let (quick, slow) = (r#"{"t":1,"m":2,"frame":"a"}"#, r#"{"t":1,"m":2,"tick":null}"#);
        let text = format!("{HEAD}\n{quick}\n{slow}\n");
        let mut reader =
            Reader::new(io::Cursor::new(text.into_bytes()), Path::new("c")).expect("a capture");
        for (line, text) in [(2, quick), (3, slow)] {
            assert!(reader.read().expect("read").is_some());
            assert_eq!(reader.last_line(), (line, text.len() + 1));
        }
    }

    #[test]
    fn a_broken_capture_names_file_line_and_expectation() {
        let error = |text: &str| of_text(text.into()).expect_err("refused").to_string();
        assert!(error("").contains("c.jsonl, line 1: expected the first line of a capture"));
        assert!(error("{}\n").contains("line 1"));
        assert!(error(&HEAD.replace(":1,", ":9,")).contains("version 9"));
        assert!(error(&format!("{HEAD}\n{{\"t\":1}}\n")).contains("c.jsonl, line 2: expected"));
        let cut = format!("{HEAD}\n{{\"t\":1,\"m\":2,\"fra");
        assert!(of_text(cut.into()).expect("a killed run's last line").is_empty());
        let frame = format!("{HEAD}\n{{\"t\":1,\"m\":2,\"frame\":\"é\"}}\n");
        let cut = frame.into_bytes();
        assert_eq!(of_text(cut.clone()).expect("whole").len(), 1);
        let within = cut.len() - 4; // Half of the letter.
        assert!(of_text(cut[..within].to_vec()).expect("cut short").is_empty());
        let mut other = cut;
        other[within] = b'x';
        let told = of_text(other).expect_err("no text").to_string();
        assert!(told.contains("line 2: expected UTF-8"), "{told}");
    }

    fn compressed(text: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("an encoder");
        encoder.write_all(text).expect("compressed");
        encoder.finish().expect("compressed")
    }

    #[test]
    fn a_compressed_capture_reads_as_the_plain_one_and_cut_short_as_far_as_it_goes() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.jsonl"); // The name says nothing.
        let mut text = format!("{HEAD}\n");
        for n in 0..20_000_u64 {
            let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            text += &format!("{{\"t\":{n},\"m\":{n},\"frame\":\"{{\\\"n\\\":{noise}}}\"}}\n");
        }
        let plain = of_text(text.clone().into_bytes()).expect("a capture");
        assert_eq!(plain.len(), 20_000);
        let mut bytes = compressed(text.as_bytes());
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            lines(&mut Reader::open(&path)?)
        };
        assert_eq!(read(&bytes).expect("a capture"), plain);
        let half = read(&bytes[..bytes.len() / 2]).expect("as far as it goes");
        assert!(half.len() > 1000 && half.len() < plain.len(), "{}", half.len());
        assert_eq!(half, plain[..half.len()]);
        // Two in one file, as `cat` leaves them, are one.
        let (first, second) = text.split_at(text.len() / 2);
        let two = [compressed(first.as_bytes()), compressed(second.as_bytes())].concat();
        assert_eq!(read(&two).expect("a capture"), plain);
        // Other bytes in the middle are a fault, and no end.
        let middle = bytes.len() / 2;
        bytes[middle..middle + 64].fill(0xff);
        read(&bytes).expect_err("broken");
    }

    /// How the general reader alone reads a line.
    fn general(line: &[u8]) -> Option<(Now, String)> {
        let line: Line = serde_json::from_str(std::str::from_utf8(line).ok()?).ok()?;
        let Heard::Frame(text) = line.heard else { return None };
        Some((Now { mono: line.m, wall: line.t }, text))
    }

    fn quick(line: &[u8]) -> Option<(Now, String)> {
        let mut frame = Unescaped::default();
        let (now, usual, length) = usual_line::read(line, &mut frame)?;
        assert_eq!((usual, length), (Usual::Frame, line.len()));
        Some((now, String::from_utf8(frame.as_bytes().to_vec()).expect("UTF-8")))
    }

    #[test]
    fn the_usual_line_is_read_in_one_pass() {
        let frame = r#"{"channel":"bbo","data":{"coin":"xyz:A","bbo":[null,{"px":"1.5"}]}}"#;
        let line = Line { t: Wall(i64::MAX), m: Mono(0), heard: Heard::Frame(frame.to_owned()) };
        let mut text = serde_json::to_vec(&line).expect("a line");
        text.push(b'\n');
        let read = quick(&text).expect("the usual shape");
        assert_eq!(read, (Now { mono: Mono(0), wall: Wall(i64::MAX) }, frame.to_owned()));
        let mut none = Unescaped::default();
        let tick = b"{\"t\":3,\"m\":4,\"tick\":null}\n{";
        let now = Now { mono: Mono(4), wall: Wall(3) };
        assert_eq!(usual_line::read(tick, &mut none), Some((now, Usual::Tick, tick.len() - 1)));
        assert_eq!(usual_line::read(&tick[..20], &mut none), None, "not whole");
        for other in [
            &br#"{"t":01,"m":2,"frame":""}"#[..],
            br#"{"t":1,"m":2,"frame":"\u0041"}"#,
            br#"{"t":1,"m":2,"frame":"a"} "#,
            br#"{"t":1,"m":2,"frame":"a""#,
            br#"{"t":1,"m":2,"frame":"a\"}"#,
            br#"{"t":1,"m":2,"frame":"a"#,
            br#"{"t":1,"m":2,"frame":"12345678"#,
            br#"{"t":1,"m":2,"frame":"a","frame":"b"}"#,
            br#"{"t":9223372036854775808,"m":2,"frame":""}"#,
            br#"{"t":1,"m":99999999999999999999,"frame":""}"#,
            b"{\"t\":1,\"m\":2,\"frame\":\"\t\"}",
            b"{\"t\":1,\"m\":2,\"frame\":\"\xff\"}",
            br#"{"t":1,"m":2,"tick":nul}"#,
            br#"{"t":1,"m":2,"tick":null,"x":1}"#,
            br#"{"t":1,"m":2,"stop":null}"#,
        ] {
            let line = [other, b"\n"].concat();
            assert_eq!(quick(&line), None, "{}", String::from_utf8_lossy(other));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_in_one_pass_unless_it_is_rare(
            t in 0..=i64::MAX, m in 0..10_u64.pow(19), frame in any::<String>(),
        ) {
            let heard = Heard::Frame(frame.clone());
            let line = Line { t: Wall(t), m: Mono(m), heard };
            let mut text = serde_json::to_vec(&line).expect("a line");
            text.push(b'\n');
            let whole = Some((Now { mono: Mono(m), wall: Wall(t) }, frame.clone()));
            prop_assert_eq!(general(&text), whole.clone());
            // An escape that is neither of a quote nor of a backslash stands for a control character.
            let rare = frame.chars().any(|c| c < ' ');
            match quick(&text) {
                None => prop_assert!(rare, "{:?}", frame),
                read => prop_assert_eq!(read, whole),
            }
        }

        /// Bytes that look like a line: whatever the quick reader makes of them, the general one does.
        #[test]
        fn the_quick_reader_never_reads_what_the_general_one_reads_otherwise(
            t in "[0-9]{1,21}|-1|1e3", m in "[0-9]{1,21}",
            frame in prop::collection::vec(prop_oneof![
                4 => any::<char>().prop_filter("one line", |c| *c != '\n')
                    .prop_map(|c| c.to_string().into_bytes()),
                2 => Just(b"\\\"".to_vec()),
                1 => Just(b"\\".to_vec()),
                1 => Just(b"\\\\".to_vec()),
                1 => Just(b"\\n".to_vec()),
                1 => Just(b"\\u00e9".to_vec()),
                1 => any::<u8>().prop_filter("one line", |byte| *byte != b'\n').prop_map(|byte| vec![byte]),
            ], 0..40),
            end in prop_oneof![4 => Just("\"}\n"), 1 => Just("\"\n"), 1 => Just("\",\"x\":1}\n"), 1 => Just("\n")],
        ) {
            let mut line = format!("{{\"t\":{t},\"m\":{m},\"frame\":\"").into_bytes();
            line.extend(frame.concat());
            line.extend(end.as_bytes());
            if let Some(read) = quick(&line) {
                prop_assert_eq!(Some(read), general(&line));
            }
        }
    }
}
