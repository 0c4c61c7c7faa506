//! The few forms of msgpack that actions need, each in its smallest (PROTOCOL.md §7.1).

/// Appends a whole number.
pub(super) fn integer(out: &mut Vec<u8>, number: u32) {
    let [a, b, c, d] = number.to_be_bytes();
    match number {
        0..=0x7f => out.push(d),
        0x80..=0xff => out.extend_from_slice(&[0xcc, d]),
        0x100..=0xffff => out.extend_from_slice(&[0xcd, c, d]),
        _ => out.extend_from_slice(&[0xce, a, b, c, d]),
    }
}

/// Appends a text of at most 255 bytes; what is longer is cut, and none is.
pub(super) fn text(out: &mut Vec<u8>, text: &[u8]) {
    let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
    match len {
        0..=31 => out.push(0xa0 | len),
        _ => out.extend_from_slice(&[0xd9, len]),
    }
    out.extend_from_slice(text.get(..usize::from(len)).unwrap_or_default());
}

/// Appends a truth value.
pub(super) fn boolean(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

/// Appends the head of a list of `len` things.
pub(super) fn list(out: &mut Vec<u8>, len: u16) {
    let [high, low] = len.to_be_bytes();
    match len {
        0..=15 => out.push(0x90 | low),
        _ => out.extend_from_slice(&[0xdc, high, low]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn numbers_take_their_smallest_form() {
        for (number, bytes) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0xcc, 0x80]),
            (255, &[0xcc, 0xff]),
            (256, &[0xcd, 1, 0]),
            (65_535, &[0xcd, 0xff, 0xff]),
            (65_536, &[0xce, 0, 1, 0, 0]),
            (110_026, &[0xce, 0, 1, 0xad, 0xca]),
            (u32::MAX, &[0xce, 0xff, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(written(|out| integer(out, number)), bytes, "{number}");
        }
    }

    #[test]
    fn texts_and_lists_change_their_form_at_32_and_16() {
        for (len, head) in [(0, &[0xa0][..]), (31, &[0xbf]), (32, &[0xd9, 32]), (34, &[0xd9, 34])] {
            let bytes = vec![b'x'; len];
            assert_eq!(written(|out| text(out, &bytes)), [head, &bytes].concat(), "{len}");
        }
        for (len, head) in
            [(1, &[0x91][..]), (15, &[0x9f]), (16, &[0xdc, 0, 16]), (200, &[0xdc, 0, 200])]
        {
            assert_eq!(written(|out| list(out, len)), head, "{len}");
        }
        assert_eq!(written(|out| boolean(out, true)), [0xc3]);
        assert_eq!(written(|out| boolean(out, false)), [0xc2]);
    }
}
