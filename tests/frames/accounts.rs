//! Two readers of the account's news, and what it means that they agree.

use hip3::feed::message::{Channel, Decoder, Message, UserEvent};
use hip3::types::order::PostAnswer;

use super::news::USER;
use super::tree::{self, Event, News, Reply};

/// A decoder of [`USER`]'s news.
pub(crate) fn decoder() -> Decoder {
    let mut decoder = Decoder::new();
    decoder.set_user(USER);
    decoder
}

/// A message as the reference says it; `None` when it is no news.
pub(crate) fn told(message: Message<'_>) -> Option<News> {
    Some(match message {
        Message::OrderUpdates { updates, skipped } => News::Orders(updates.to_vec(), skipped),
        Message::Fills { snapshot, fills, skipped } => {
            News::Fills { user: USER.to_lowercase(), snapshot, fills: fills.to_vec(), skipped }
        }
        Message::UserEvent(event) => News::Event(match event {
            UserEvent::Fills { fills, skipped } => Event::Fills(fills.to_vec(), skipped),
            UserEvent::Funding { coin, usd } => Event::Funding(coin, usd),
            UserEvent::Liquidation => Event::Liquidation,
            UserEvent::NonUserCancel { oids, skipped } => Event::Cancels(oids.to_vec(), skipped),
            UserEvent::Other => Event::Other,
        }),
        Message::Post { id, answer } => News::Post(
            id,
            match answer {
                PostAnswer::Statuses(answers) => Reply::Statuses(answers.to_vec()),
                PostAnswer::Default => Reply::Default,
                PostAnswer::Refused(words) => Reply::Refused(words),
                PostAnswer::Order(order) => Reply::Order(order),
                PostAnswer::Other => Reply::Other,
                PostAnswer::Error(words) => Reply::Error(words),
            },
        ),
        _ => return None,
    })
}

/// What both readers made of a frame, after asserting that they agree.
pub(crate) struct Outcome {
    pub(crate) news: bool,
    /// The reference answered and we refused.
    pub(crate) stricter: bool,
}

/// Asserts that both readers say the same of `frame`.
pub(crate) fn agree(decoder: &mut Decoder, frame: &[u8]) -> Outcome {
    let message = decoder.decode(frame);
    let mut truth = tree::read(frame);
    if let Some(News::Fills { user, .. }) = &mut truth {
        if user.eq_ignore_ascii_case(USER) {
            *user = USER.to_lowercase();
        } else {
            truth = None;
            let others = matches!(message, Ok(Message::Unwatched(Channel::UserFills)) | Err(_));
            assert!(others, "{message:?} of another: {}", frame.escape_ascii());
        }
    }
    let stricter = truth.is_some() && message.is_err();
    let news = message.ok().and_then(told);
    if !stricter {
        assert_eq!(news, truth, "{}", frame.escape_ascii());
    }
    Outcome { news: news.is_some(), stricter }
}
