//! Market data: the scanner, the `simd-json` way and `serde_json` say the same of any bytes.

use std::cell::RefCell;

use hip3::feed::message::Decoder;
use hip3::feed::message::json::Parser;

use super::readers::markets::{agree, decoder};
use super::strict::may_refuse;

thread_local! {
    /// Kept, as in a run: what one frame leaves behind must not change how the next is read.
    static READERS: RefCell<(Decoder, Parser)> = RefCell::new((decoder(), Parser::new()));
}

/// `input` is a frame.
pub fn run(input: &[u8]) {
    READERS.with_borrow_mut(|(decoder, parser)| {
        let outcome = agree(decoder, parser, input);
        assert!(
            !outcome.stricter || may_refuse(input),
            "refused for no reason: {}",
            input.escape_ascii()
        );
    });
}
