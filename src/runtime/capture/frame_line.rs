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

/// Reads the line that `text` begins with, up to its end: the moment, and how long the line is. Its
/// frame is then in `frame`. `None` when the line has another shape, is not whole, or has an escape
/// that is rare (`\u`): then `frame` holds nothing that means something.
pub(super) fn read(text: &[u8], frame: &mut Unescaped) -> Option<(Now, usize)> {
    let rest = text.strip_prefix(b"{\"t\":")?;
    let (wall, rest) = number(rest)?;
    let rest = rest.strip_prefix(b",\"m\":")?;
    let (mono, rest) = number(rest)?;
    let rest = rest.strip_prefix(b",\"frame\":\"")?;
    let rest = unescape(rest, frame)?.strip_prefix(b"}\n")?;
    // What is no UTF-8 before is none after: an escape stands for one byte of ASCII.
    std::str::from_utf8(frame.as_bytes()).ok()?;
    let now = Now { mono: Mono(mono), wall: Wall(i64::try_from(wall).ok()?) };
    Some((now, text.len() - rest.len()))
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
///
/// Words are looked at where they lie, whatever was found in those before: what is special in one does
/// not wait for the other.
fn unescape<'a>(text: &'a [u8], out: &mut Unescaped) -> Option<&'a [u8]> {
    out.len = 0;
    let mut to = 0;
    // Whether the word before ended with a backslash.
    let mut escaped = false;
    let (words, rest) = text.as_chunks::<8>();
    // A string that does not end in whole words ends in the padded last one, or not at all.
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    for (n, bytes) in words.iter().chain([&last]).enumerate() {
        // Whole words are stored, also where less is meant; the buffer grows by doubling.
        if out.buffer.len() < to + 16 {
            out.buffer.resize((to + 16) * 2, 0);
        }
        let word = u64::from_le_bytes(*bytes);
        let mut special = special_bytes(word);
        let mut from = 0;
        if escaped {
            *out.buffer.get_mut(to)? = meant(bytes[0])?;
            (to, from, escaped) = (to + 1, 1, false);
            special &= !0xff;
        }
        while from < 8 {
            let moved = (word >> (8 * from)).to_le_bytes();
            *out.buffer.get_mut(to..)?.first_chunk_mut::<8>()? = moved;
            let found = special.trailing_zeros() as usize / 8;
            to += found - from;
            match bytes.get(found) {
                None => break,
                Some(b'"') => {
                    out.len = to;
                    return text.get(8 * n + found + 1..);
                }
                Some(b'\\') => {}
                Some(_) => return None, // A bare control character, or the padding.
            }
            let Some(byte) = bytes.get(found + 1) else {
                escaped = true;
                break;
            };
            *out.buffer.get_mut(to)? = meant(*byte)?;
            (to, from) = (to + 1, found + 2);
            // The byte behind a backslash is not special.
            special &= (!0xffff_u64).wrapping_shl(8 * found as u32);
        }
    }
    None
}

/// What a byte behind a backslash means; `None` of `u`, and of what means nothing.
fn meant(byte: u8) -> Option<u8> {
    Some(match byte {
        b'"' | b'\\' | b'/' => byte,
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 0x08,
        b'f' => 0x0c,
        _ => return None,
    })
}

/// The high bit of each of the eight bytes that is a quote, a backslash or a control character.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let zero = |word: u64| !(((word & LOW) + LOW) | word | LOW);
    zero(word ^ (ONES * u64::from(b'"')))
        | zero(word ^ (ONES * u64::from(b'\\')))
        | zero(word & (ONES * 0xe0))
}
