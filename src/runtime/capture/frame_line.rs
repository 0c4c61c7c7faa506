//! The line that nearly every line of a capture is: `{"t":…,"m":…,"frame":"…"}`, read in one pass.
//!
//! It knows that shape alone, as [`Writer`](super::Writer) writes it. Whatever else a line may be, it
//! passes on: it never guesses, and never reads a line in another way than the general reader would.

use crate::types::time::{Mono, Now, Wall};

/// Text that has been unescaped, in a buffer that is used again.
#[derive(Debug, Default)]
pub(super) struct Unescaped {
    /// Longer than what is held: bytes past `len` mean nothing.
    buffer: Vec<u8>,
    len: usize,
}

impl Unescaped {
    /// The text.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

/// Reads a line; its frame is then in `frame`. `None` when it has another shape, or its text an
/// escape that is rare (`\u`): then `frame` holds nothing that means something.
pub(super) fn read(line: &[u8], frame: &mut Unescaped) -> Option<Now> {
    let rest = line.strip_prefix(b"{\"t\":")?;
    let (wall, rest) = number(rest)?;
    let rest = rest.strip_prefix(b",\"m\":")?;
    let (mono, rest) = number(rest)?;
    let rest = rest.strip_prefix(b",\"frame\":\"")?;
    let rest = unescape(rest, frame)?;
    // What is no UTF-8 before is none after: an escape stands for one byte of ASCII.
    let text = matches!(rest, b"}\n" | b"}") && std::str::from_utf8(frame.as_bytes()).is_ok();
    text.then_some(Now { mono: Mono(mono), wall: Wall(i64::try_from(wall).ok()?) })
}

/// Decimal digits in front, as JSON writes a whole number that is not negative. Nineteen always fit.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    let plain = (1..=19).contains(&digits) && (digits == 1 || text[0] != b'0');
    let (number, rest) = text.split_at(digits);
    let value = number.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    plain.then_some((value, rest))
}

/// Unescapes a string whose opening quote has been read; returns what follows its closing one.
fn unescape<'a>(text: &'a [u8], out: &mut Unescaped) -> Option<&'a [u8]> {
    // Whole words are copied, the last of them past the end of the text.
    if out.buffer.len() < text.len() + 8 {
        out.buffer.resize(text.len() + 8, 0);
    }
    let buffer = out.buffer.as_mut_slice();
    let (mut from, mut to) = (0, 0);
    loop {
        let word = match text.get(from..)?.first_chunk::<8>() {
            Some(word) => *word,
            None => {
                let mut word = [b'"'; 8]; // Ends a string that does not end, and is found out below.
                let rest = text.get(from..)?;
                word[..rest.len()].copy_from_slice(rest);
                word
            }
        };
        buffer.get_mut(to..to + 8)?.copy_from_slice(&word);
        let plain = plain_bytes(u64::from_le_bytes(word));
        (from, to) = (from + plain, to + plain);
        if plain == 8 {
            continue;
        }
        match text.get(from)? {
            b'"' => {
                out.len = to;
                return text.get(from + 1..);
            }
            b'\\' => {
                *buffer.get_mut(to)? = match text.get(from + 1)? {
                    same @ (b'"' | b'\\' | b'/') => *same,
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    _ => return None,
                };
                (from, to) = (from + 2, to + 1);
            }
            _ => return None, // A bare control character.
        }
    }
}

/// How many of the eight bytes, from the lowest, come before the first quote, backslash or control
/// character.
fn plain_bytes(word: u64) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    // A borrow spoils only the bytes above the first that is found.
    let special =
        zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\'))) | control;
    special.trailing_zeros() as usize / 8
}
