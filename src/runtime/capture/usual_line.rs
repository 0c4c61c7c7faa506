//! The lines that nearly every line of a capture is: `{"t":…,"m":…,"frame":"…"}` and the tick, read in one pass.
//!
//! It knows these shapes alone, as [`Writer`](super::Writer) writes them. Whatever else a line may be, it
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

/// What a usual line says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Usual {
    Frame,
    Tick,
}

/// Reads the line that `text` begins with, up to its end: the moment, what it says, and how long the line is.
/// A frame is then in `frame`. `None` when the line has another shape, is not whole, or has an escape
/// that is rare (any but those of quote and backslash): then `frame` holds nothing that means something.
pub(super) fn read(text: &[u8], frame: &mut Unescaped) -> Option<(Now, Usual, usize)> {
    let rest = text.strip_prefix(b"{\"t\":")?;
    let (wall, rest) = number(rest)?;
    let rest = rest.strip_prefix(b",\"m\":")?;
    let (mono, rest) = number(rest)?;
    let (usual, rest) = match rest.strip_prefix(b",\"frame\":\"") {
        Some(rest) => {
            let rest = unescape(rest, frame)?.strip_prefix(b"}\n")?;
            // What is no UTF-8 before is none after: an escape stands for one byte of ASCII.
            std::str::from_utf8(frame.as_bytes()).ok()?;
            (Usual::Frame, rest)
        }
        None => (Usual::Tick, rest.strip_prefix(b",\"tick\":null}\n")?),
    };
    let now = Now { mono: Mono(mono), wall: Wall(i64::try_from(wall).ok()?) };
    Some((now, usual, text.len() - rest.len()))
}

/// Decimal digits in front, as JSON writes a whole number that is not negative. Nineteen always fit.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=19).contains(&digits) || (digits > 1 && text[0] == b'0') {
        return None;
    }
    let (number, rest) = text.split_at(digits);
    let value = number.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    Some((value, rest))
}

/// Bytes that are looked at together: a bit each.
const BLOCK: usize = 64;
/// What is copied at once; most of what stands between two escapes is shorter.
const RUN: usize = 16;

/// Unescapes a string whose opening quote has been read; returns what follows its closing one. Knows
/// the escapes of quote and backslash alone.
///
/// A frame has an escape every few bytes, so none may cost a branch that is hard to foresee: escapes,
/// quotes and control characters of a whole block are found first, as bits, and what stands between
/// the escapes is then copied run by run.
fn unescape<'a>(text: &'a [u8], out: &mut Unescaped) -> Option<&'a [u8]> {
    out.len = 0;
    let mut to = 0;
    // Whether the block before ended with a backslash that escapes.
    let mut carried = false;
    for (n, part) in text.chunks(BLOCK).enumerate() {
        // Padded with control characters, which end what does not end by itself.
        let mut block = [0; BLOCK + RUN];
        block.get_mut(..part.len())?.copy_from_slice(part);
        let whole = block.first_chunk::<BLOCK>()?;
        let backslashes = bits(whole, |byte| byte == b'\\');
        let quotes = bits(whole, |byte| byte == b'"');
        let controls = bits(whole, |byte| byte < 0x20);
        let (mut escapes, escaped, carries) = escapes(backslashes, carried);
        // Where the string ends, and the bits before it.
        let ends = quotes & !escaped;
        let end = ends.trailing_zeros() as usize;
        let within = ends.wrapping_sub(1) & !ends;
        let within = if ends == 0 { u64::MAX } else { within };
        if (controls | (escaped & !(quotes | backslashes))) & within != 0 {
            return None;
        }
        // Whole runs are stored, also where less is meant; the buffer grows by doubling.
        if out.buffer.len() < to + BLOCK + RUN {
            out.buffer.resize((to + BLOCK + RUN) * 2, 0);
        }
        escapes &= within;
        let mut from = 0;
        loop {
            let until = (escapes.trailing_zeros() as usize).min(end);
            let mut copied = from;
            while copied < until {
                let run = block.get(copied..)?.first_chunk::<RUN>()?;
                *out.buffer.get_mut(to + copied - from..)?.first_chunk_mut::<RUN>()? = *run;
                copied += RUN;
            }
            to += until - from;
            if escapes == 0 {
                break;
            }
            // What was escaped begins the next run.
            from = until + 1;
            escapes &= escapes - 1;
        }
        if ends != 0 {
            out.len = to;
            return text.get(n * BLOCK + end + 1..);
        }
        carried = carries;
    }
    None
}

/// Which backslashes escape, which bytes are escaped, and whether the first byte of the next block is.
fn escapes(backslashes: u64, carried: bool) -> (u64, u64, bool) {
    let first = u64::from(carried);
    let mut escapes = backslashes & !first;
    // Two in a row are rare: one that is escaped does not escape.
    let mut doubled = escapes & (escapes << 1);
    while doubled != 0 {
        let second = doubled & doubled.wrapping_neg();
        escapes &= !second;
        doubled = escapes & (escapes << 1) & !(second | (second - 1));
    }
    (escapes, (escapes << 1) | first, escapes >> (BLOCK - 1) != 0)
}

/// A bit for each byte of a block, the first the lowest.
fn bits(block: &[u8; BLOCK], is: impl Fn(u8) -> bool) -> u64 {
    // Gathers the lowest bits of eight bytes in the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut flags = [0_u8; BLOCK];
    for (flag, byte) in flags.iter_mut().zip(block) {
        *flag = u8::from(is(*byte));
    }
    let (words, _) = flags.as_chunks::<8>();
    let gathered = |word: &[u8; 8]| u64::from_le_bytes(*word).wrapping_mul(GATHER) >> 56;
    words.iter().rev().fold(0, |bits, word| (bits << 8) | gathered(word))
}
