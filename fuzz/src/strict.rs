//! Where we may refuse what `serde_json` reads.

/// Whether a reader that checks all of a frame may refuse this one, though a reader that skims
/// over what it does not keep takes it: it is nested more deeply than we follow, or holds text
/// or a number that is none, or a whole number past 64 bits, which `serde_json` rounds.
pub(super) fn may_refuse(frame: &[u8]) -> bool {
    let bare = without_texts(frame);
    nesting(&bare) > 60
        || holds_long_number(&bare)
        || serde_json::from_slice::<serde_json::Value>(frame).is_err()
}

/// The frame with every text made empty.
fn without_texts(frame: &[u8]) -> Vec<u8> {
    let (mut quoted, mut escaped) = (false, false);
    let bare = frame.iter().copied().filter(|byte| {
        let within = quoted;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        !(within && quoted)
    });
    bare.collect()
}

/// The depth at the deepest place.
fn nesting(bare: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in bare {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// 19 digits are the first that may be too many.
fn holds_long_number(bare: &[u8]) -> bool {
    bare.split(|byte| !byte.is_ascii_digit()).any(|digits| digits.len() > 18)
}
