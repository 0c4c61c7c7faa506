//! Three readers of market data, and what it means that they agree.

use hip3::feed::message::json::{Body, Parser};
use hip3::feed::message::{Channel, Decoder, Malformed, Message, scan};
use hip3::types::ids::{Coin, MarketId};

use super::fixtures;
use super::reference::{self, Answer};

const USER: &str = "0x00000000000000000000000000000000000000aB";

/// A decoder that watches [`fixtures::COINS`].
pub(crate) fn decoder() -> Decoder {
    let mut decoder = Decoder::new();
    for (i, name) in fixtures::COINS.iter().enumerate() {
        let market = MarketId(u16::try_from(i).expect("few coins"));
        decoder.watch(Coin::new(name).expect("a coin"), market);
    }
    decoder.set_user(USER);
    decoder
}

fn market(coin: &str) -> Option<MarketId> {
    let at = fixtures::COINS.iter().position(|name| *name == coin)?;
    u16::try_from(at).ok().map(MarketId)
}

fn scanned(frame: &[u8]) -> Option<Answer> {
    let name = |coin: &[u8]| String::from_utf8(coin.to_vec()).expect("printable");
    match (scan::bbo(frame), scan::ctx(frame)) {
        (Some((coin, bbo)), None) => Some(Answer::Bbo(name(coin), bbo)),
        (None, Some((coin, ctx))) => Some(Answer::Ctx(name(coin), ctx)),
        (None, None) => None,
        (Some(_), Some(_)) => panic!("a frame is a bbo and a ctx at once"),
    }
}

fn parsed(parser: &mut Parser, frame: &[u8]) -> Result<Option<Answer>, Malformed> {
    Ok(match parser.read(frame)? {
        Body::Bbo(coin, bbo) => Some(Answer::Bbo(coin.to_owned(), bbo)),
        Body::Ctx(coin, ctx) => Some(Answer::Ctx(coin.to_owned(), ctx)),
        _ => None,
    })
}

/// What three readers made of a frame.
pub(crate) struct Outcome {
    pub(crate) answer: Option<Answer>,
    pub(crate) scanned: bool,
    /// The reference answered and we refused.
    pub(crate) stricter: bool,
}

/// Asserts that they do not contradict each other.
pub(crate) fn agree(decoder: &mut Decoder, parser: &mut Parser, frame: &[u8]) -> Outcome {
    let text = || frame.escape_ascii().to_string();
    let (fast, slow, truth) = (scanned(frame), parsed(parser, frame), reference::read(frame));
    if fast.is_some() {
        assert_eq!(Ok(&fast), slow.as_ref(), "the scanner and simd-json on {}", text());
    }
    // `serde_json` skims over strings that it does not keep; text must be UTF-8 all the same.
    let truth = truth.filter(|_| str::from_utf8(frame).is_ok());
    let stricter = truth.is_some() && slow.is_err();
    if !stricter {
        let answer = slow.as_ref().unwrap_or(&None);
        assert_eq!(answer, &truth, "simd-json and serde_json on {}", text());
    }
    let answer = slow.unwrap_or(None);
    let message = decoder.decode(frame);
    let expected = match &answer {
        Some(Answer::Bbo(coin, bbo)) => Some(match market(coin) {
            Some(market) => Message::Bbo { market, bbo: *bbo },
            None => Message::Unwatched(Channel::Bbo),
        }),
        Some(Answer::Ctx(coin, ctx)) => Some(match market(coin) {
            Some(market) => Message::Ctx { market, ctx: *ctx },
            None => Message::Unwatched(Channel::ActiveAssetCtx),
        }),
        None => None,
    };
    match expected {
        Some(expected) => assert_eq!(message, Ok(expected), "{}", text()),
        None => assert!(
            !matches!(
                message,
                Ok(Message::Bbo { .. } | Message::Ctx { .. } | Message::Unwatched(_))
            ),
            "{message:?} out of nothing: {}",
            text()
        ),
    }
    Outcome { answer, scanned: fast.is_some(), stricter }
}
