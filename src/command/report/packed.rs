//! Long text in a page, as a browser unpacks it by itself: gzip (RFC 1952) in base64, which also holds nothing
//! that could end the element it stands in.

use std::io::{self, Write};

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderStringWriter;
use flate2::Compression;
use flate2::write::GzEncoder;

/// `text`, packed.
///
/// Errors would be the packer's own: it writes to memory alone.
pub(super) fn packed(text: &str) -> io::Result<String> {
    let mut packer = GzEncoder::new(EncoderStringWriter::new(&STANDARD), Compression::default());
    packer.write_all(text.as_bytes())?;
    Ok(packer.finish()?.into_inner())
}

#[cfg(test)]
pub(super) fn unpacked(text: &str) -> String {
    use std::io::Read;

    use base64::Engine;
    use flate2::read::GzDecoder;

    let bytes = STANDARD.decode(text).expect("base64");
    let mut unpacked = String::new();
    GzDecoder::new(bytes.as_slice()).read_to_string(&mut unpacked).expect("gzip of text");
    unpacked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_the_same_and_holds_no_markup() {
        let long = r#"{"market":"xyz:NVDA","net_bps":1.25},"#.repeat(10_000);
        for text in ["", "</script>", "ä€🜁", &long] {
            let packed = packed(text).expect("packed");
            assert!(
                packed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
            );
            assert_eq!(unpacked(&packed), text);
        }
        assert!(packed(&long).expect("packed").len() * 20 < long.len());
    }
}
