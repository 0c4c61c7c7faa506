//! News of the account and answers to posts: read as the reference reads them, entry by entry, and
//! never more of them than there is room for.

use std::cell::RefCell;

use hip3::feed::message::{Decoder, MAX_ENTRIES, Message, UserEvent};
use hip3::types::order::PostAnswer;

use super::readers::accounts::{agree, decoder};
use super::strict::may_refuse;

thread_local! {
    /// Kept, as in a run: what one frame leaves behind must not change how the next is read.
    static DECODER: RefCell<Decoder> = RefCell::new(decoder());
}

/// `input` is a frame.
pub fn run(input: &[u8]) {
    DECODER.with_borrow_mut(|decoder| {
        if let Ok(message) = decoder.decode(input) {
            let kept = kept(&message);
            assert!(kept <= MAX_ENTRIES, "{kept} entries of one frame");
            // The reference knows no such limit.
            if kept == MAX_ENTRIES {
                return;
            }
        }
        let outcome = agree(decoder, input);
        assert!(
            !outcome.stricter || may_refuse(input),
            "refused for no reason: {}",
            input.escape_ascii()
        );
    });
}

fn kept(message: &Message<'_>) -> usize {
    match message {
        Message::OrderUpdates { updates, .. } => updates.len(),
        Message::Fills { fills, .. } | Message::UserEvent(UserEvent::Fills { fills, .. }) => {
            fills.len()
        }
        Message::UserEvent(UserEvent::NonUserCancel { oids, .. }) => oids.len(),
        Message::Post { answer: PostAnswer::Statuses(answers), .. } => answers.len(),
        _ => 0,
    }
}
