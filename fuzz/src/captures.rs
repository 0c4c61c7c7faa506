//! Captures, read from any bytes: the same whatever the buffer holds at a time, never a frame that the
//! line does not hold, and every line that is written as we write them.

use std::fmt;
use std::io::{BufReader, Cursor};
use std::path::Path;

use hip3::runtime::capture::{Reader, Said};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

const HEAD: &str = r#"{"hip3_capture":1,"run_id":"r","first_id":0,"seed":0,"config":""}"#;

/// Buffers: lines across many of them, across a few, and many lines in one.
const BUFFERS: [usize; 3] = [7, 100, 1 << 18];

/// `input` is what stands behind the first line; when it begins with a brace and a key of that line, it
/// is the whole file.
pub fn run(input: &[u8]) {
    let text = match input.starts_with(b"{\"hip3_capture") {
        true => input.to_vec(),
        false => [HEAD.as_bytes(), b"\n", input].concat(),
    };
    let [small, middle, large] = BUFFERS.map(|buffer| read(&text, buffer));
    assert_eq!(small, large, "the buffer's size decides");
    assert_eq!(middle, large, "the buffer's size decides");
    let Some(told) = large else { return }; // The first line says nothing.

    let mut lines = text.split_inclusive(|byte| *byte == b'\n').skip(1);
    for told in told {
        let line = lines.next().expect("a line for each that was told");
        let pairs = pairs(line);
        let ours = pairs.as_ref().and_then(Pairs::as_we_write).as_deref() == Some(line);
        let shown = line.escape_ascii();
        match (told, pairs) {
            (Told::Line { t, m, frame }, Some(pairs)) => {
                assert!(pairs.has("t", &t.into()) && pairs.has("m", &m.into()), "{shown}");
                match frame {
                    Some(frame) => assert!(pairs.has("frame", &frame.into()), "{shown}"),
                    None => assert!(!ours, "a frame that is none: {shown}"),
                }
            }
            // What was cut within a letter is read up to there.
            (Told::Line { .. }, None) => assert!(!line.ends_with(b"\n"), "{shown}"),
            (Told::Refused(_), _) => {
                assert!(!ours, "refused: {shown}");
                return;
            }
        }
    }
    let left: Vec<&[u8]> = lines.collect();
    assert!(left.len() <= 1 && !left.concat().ends_with(b"\n"), "left out: {left:?}");
}

/// What a reader says of a line.
#[derive(Debug, Eq, PartialEq)]
enum Told {
    /// Read; `frame` where it is one.
    Line { t: i64, m: u64, frame: Option<String> },
    /// Refused, and why: nothing is read behind it.
    Refused(String),
}

/// What is said of each line behind the first; `None` when that one is refused.
fn read(text: &[u8], buffer: usize) -> Option<Vec<Told>> {
    let input = BufReader::with_capacity(buffer, Cursor::new(text.to_vec()));
    let mut reader = Reader::new(input, Path::new("capture")).ok()?;
    let mut told = Vec::new();
    loop {
        match reader.read() {
            Ok(None) => return Some(told),
            Ok(Some((now, said))) => {
                let frame = match said {
                    Said::Frame(text) => {
                        Some(String::from_utf8(text.to_vec()).expect("frames are text"))
                    }
                    Said::Other(_) => None,
                };
                told.push(Told::Line { t: now.wall.0, m: now.mono.0, frame });
            }
            Err(error) => {
                told.push(Told::Refused(error.to_string()));
                return Some(told);
            }
        }
    }
}

/// A JSON object as it stands, with what it says twice.
#[derive(Debug)]
struct Pairs(Vec<(String, Value)>);

fn pairs(line: &[u8]) -> Option<Pairs> {
    serde_json::from_slice(line).ok()
}

impl Pairs {
    fn has(&self, key: &str, value: &Value) -> bool {
        self.0.iter().any(|(name, said)| name == key && said == value)
    }

    /// The line that we would write, when these are a moment and a frame.
    fn as_we_write(&self) -> Option<Vec<u8>> {
        let [(t, at), (m, since), (frame, text)] = self.0.as_slice() else { return None };
        let usual = (t.as_str(), m.as_str(), frame.as_str()) == ("t", "m", "frame");
        let (at, since, text) = (at.as_i64()?, since.as_u64()?, text.as_str()?);
        let text = serde_json::to_string(text).ok()?;
        usual.then(|| format!("{{\"t\":{at},\"m\":{since},\"frame\":{text}}}\n").into_bytes())
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
