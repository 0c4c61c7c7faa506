//! What the decoder promises about any bytes at all: three readers (the scanner, the `simd-json`
//! way, and a `serde_json` reference written here) never disagree, wrong bytes never become a
//! value, and neither memory nor the stack can be driven from outside.

mod frames {
    pub(crate) mod fixtures;
    pub(crate) mod markets;
    pub(crate) mod reference;
    pub(crate) mod scribe;
}

use frames::fixtures::{self, CONTEXTS, OTHERS, QUOTES};
use frames::markets::{agree, decoder};
use frames::reference;
use frames::scribe::Scribe;
use hip3::feed::Subscription;
use hip3::feed::message::json::Parser;
use hip3::feed::message::{Channel, Decoder, MAX_FRAME, Malformed, Message};
use hip3::types::ids::MarketId;
use proptest::prelude::*;

#[test]
fn every_fixture_is_read_alike_by_all_three() {
    let (mut decoder, mut parser) = (decoder(), Parser::new());
    for (frame, usual) in QUOTES.iter().chain(CONTEXTS) {
        let outcome = agree(&mut decoder, &mut parser, frame.as_bytes());
        assert!(outcome.answer.is_some(), "{frame}");
        assert_eq!(outcome.scanned, *usual, "the scanner takes usual shapes alone: {frame}");
    }
    let slow = QUOTES.iter().chain(CONTEXTS).filter(|(_, usual)| !usual).count();
    assert_eq!(decoder.fallbacks(), slow as u64);
}

#[test]
fn a_frame_cut_short_anywhere_is_never_an_answer() {
    let (mut decoder, mut parser) = (decoder(), Parser::new());
    for (frame, _) in QUOTES.iter().chain(CONTEXTS) {
        for end in 0..frame.trim_end().len() {
            let cut = &frame.as_bytes()[..end];
            let outcome = agree(&mut decoder, &mut parser, cut);
            assert_eq!(outcome.answer, None, "{}", cut.escape_ascii());
            let expected_unknown = cut.trim_ascii().is_empty();
            assert_eq!(decoder.decode(cut) == Ok(Message::Unknown), expected_unknown);
        }
    }
}

#[test]
fn a_frame_with_any_one_byte_changed_reads_alike_or_is_refused() {
    let (mut decoder, mut parser) = (decoder(), Parser::new());
    let (mut answers, mut refused, mut stricter) = (0_u32, 0_u32, 0_u32);
    for (frame, _) in QUOTES.iter().chain(CONTEXTS) {
        let mut bytes = frame.as_bytes().to_vec();
        for at in 0..bytes.len() {
            let kept = bytes[at];
            for byte in 0..=u8::MAX {
                bytes[at] = byte;
                let outcome = agree(&mut decoder, &mut parser, &bytes);
                answers += u32::from(outcome.answer.is_some());
                refused += u32::from(outcome.answer.is_none());
                stricter += u32::from(outcome.stricter);
            }
            bytes[at] = kept;
        }
    }
    assert!(answers > 10_000 && refused > 100_000, "{answers} answers, {refused} refused");
    assert_eq!(stricter, 0, "frames that serde_json reads and we refuse");
}

#[test]
fn a_frame_with_any_one_byte_put_in_or_left_out_reads_alike_or_is_refused() {
    let (mut decoder, mut parser) = (decoder(), Parser::new());
    for (frame, _) in [QUOTES[0], CONTEXTS[0]] {
        for at in 0..=frame.len() {
            let (head, tail) = frame.as_bytes().split_at(at);
            for byte in 0..=u8::MAX {
                agree(&mut decoder, &mut parser, &[head, &[byte], tail].concat());
            }
            agree(&mut decoder, &mut parser, &[head, tail.get(1..).unwrap_or_default()].concat());
        }
    }
}

#[test]
fn other_frames_survive_every_cut_and_a_spread_of_changes() {
    let mut decoder = decoder();
    for frame in OTHERS {
        let whole = decoder.decode(frame.as_bytes()).map(|_| ());
        assert_eq!(whole, Ok(()), "{frame}");
        for end in 0..frame.len() {
            let cut = decoder.decode(&frame.as_bytes()[..end]);
            assert!(
                matches!(cut, Err(_) | Ok(Message::Unknown | Message::Ignored(_))),
                "{cut:?} from a cut of {frame}"
            );
        }
        let mut bytes = frame.as_bytes().to_vec();
        for at in 0..bytes.len() {
            let kept = bytes[at];
            for byte in [0, b'\n', b' ', b'"', b'\\', b'0', b'{', b'}', b'[', b',', b'x', 0xff] {
                bytes[at] = byte;
                let message = decoder.decode(&bytes);
                assert!(
                    !matches!(message, Ok(Message::Bbo { .. } | Message::Ctx { .. })),
                    "{message:?} out of {}",
                    bytes.escape_ascii()
                );
            }
            bytes[at] = kept;
        }
    }
}

#[test]
fn known_keys_that_occur_twice_make_a_frame_malformed() {
    let mut decoder = decoder();
    for frame in fixtures::DOUBLED {
        let refused = decoder.decode(frame.as_bytes());
        assert_eq!(refused.map_err(|error| error.why), Err("a key occurs twice"), "{frame}");
        assert_eq!(reference::read(frame.as_bytes()), None, "{frame}");
    }
}

#[test]
fn values_that_do_not_fit_make_a_frame_malformed() {
    let (mut decoder, mut parser) = (decoder(), Parser::new());
    for (frame, channel) in fixtures::UNFIT {
        let outcome = agree(&mut decoder, &mut parser, frame.as_bytes());
        assert_eq!(outcome.answer, None, "{frame}");
        let refused = decoder.decode(frame.as_bytes()).map_err(|error| error.channel);
        assert_eq!(refused, Err(Some(*channel)), "{frame}");
    }
}

#[test]
fn acks_are_matched_by_the_fields_we_sent() {
    let mut decoder = decoder();
    let bbo = Some(Subscription::Bbo(MarketId(0)));
    for (frame, subscribed, subscription) in [
        (fixtures::ack("subscribe", r#"{"type":"bbo","coin":"abc:GOLD"}"#), true, bbo),
        (fixtures::ack("unsubscribe", r#"{"type":"bbo","coin":"abc:GOLD"}"#), false, bbo),
        (fixtures::ack("subscribe", r#"{"coin":"abc:GOLD","new":[1],"type":"bbo"}"#), true, bbo),
        (
            fixtures::ack("subscribe", r#"{"type":"activeAssetCtx","coin":"abc:OIL"}"#),
            true,
            Some(Subscription::Ctx(MarketId(1))),
        ),
        (
            fixtures::ack(
                "subscribe",
                r#"{"type":"userFills","user":"0x00000000000000000000000000000000000000AB","aggregateByTime":false}"#,
            ),
            true,
            Some(Subscription::UserFills),
        ),
        (
            fixtures::ack(
                "subscribe",
                r#"{"user":"0x00000000000000000000000000000000000000ab","type":"orderUpdates"}"#,
            ),
            true,
            Some(Subscription::OrderUpdates),
        ),
        (
            fixtures::ack(
                "subscribe",
                r#"{"type":"userEvents","user":"0x00000000000000000000000000000000000000ab"}"#,
            ),
            true,
            Some(Subscription::UserEvents),
        ),
        (
            fixtures::ack(
                "subscribe",
                r#"{"type":"userEvents","user":"0x00000000000000000000000000000000000000ac"}"#,
            ),
            true,
            None,
        ),
        (fixtures::ack("subscribe", r#"{"type":"userEvents"}"#), true, None),
        (fixtures::ack("subscribe", r#"{"type":"bbo","coin":"abc:NONE"}"#), true, None),
        (fixtures::ack("subscribe", r#"{"type":"trades","coin":"abc:GOLD"}"#), true, None),
        (
            r#"{"channel":"subscriptionResponse","data":{"type":"bbo","coin":"abc:GOLD"}}"#.into(),
            true,
            bbo,
        ),
        (
            r#"{"channel":"error","data":"Already subscribed: {\"type\":\"bbo\",\"coin\":\"abc:GOLD\"}"}"#.into(),
            true,
            bbo,
        ),
        (
            r#"{"channel":"error","data":"Already subscribed: {\"type\":\"l2Book\",\"coin\":\"abc:GOLD\",\"fast\":false}"}"#.into(),
            true,
            None,
        ),
    ] {
        let message = decoder.decode(frame.as_bytes());
        assert_eq!(message, Ok(Message::Ack { subscribed, subscription }), "{frame}");
    }
    for data in [
        "null",
        "7",
        "{}",
        r#"{"method":"subscribe"}"#,
        r#"{"method":"x","subscription":{"type":"bbo"}}"#,
    ] {
        let frame = format!(r#"{{"channel":"subscriptionResponse","data":{data}}}"#);
        let refused = decoder.decode(frame.as_bytes()).map_err(|error| error.channel);
        assert_eq!(refused, Err(Some(Channel::SubscriptionResponse)), "{frame}");
    }
}

#[test]
fn no_account_means_no_ack_of_an_account() {
    let mut decoder = Decoder::new();
    let frame = fixtures::ack("subscribe", r#"{"type":"orderUpdates","user":""}"#);
    let none = Message::Ack { subscribed: true, subscription: None };
    assert_eq!(decoder.decode(frame.as_bytes()), Ok(none));
}

#[test]
fn errors_are_told_in_the_venues_words() {
    let mut decoder = decoder();
    for (frame, text) in [
        (
            r#"{"channel":"error","data":"Error parsing JSON into valid websocket request: not json"}"#,
            "Error parsing JSON into valid websocket request: not json",
        ),
        (r#"{"channel":"error","data":"say \"caf\u00e9\"\n"}"#, "say \"café\"\n"),
        (r#"{"data":"late","channel":"error"}"#, "late"),
        (
            r#"{"channel":"error","data":"Already subscribed: to everything"}"#,
            "Already subscribed: to everything",
        ),
        (
            r#"{"channel":"error","data":"Already unsubscribed: {\"type\":\"bbo\",\"coin\":\"abc:GOLD\"}"}"#,
            "Already unsubscribed: {\"type\":\"bbo\",\"coin\":\"abc:GOLD\"}",
        ),
        (r#"{"channel":"error","data":""}"#, ""),
    ] {
        let message = decoder.decode(frame.as_bytes());
        assert_eq!(message, Ok(Message::VenueError(text.as_bytes())), "{frame}");
    }
    let refused = decoder.decode(br#"{"channel":"error","data":{"code":1}}"#);
    assert_eq!(refused.map_err(|error| error.channel), Err(Some(Channel::Error)));
}

#[test]
fn what_is_not_used_is_ignored_and_what_is_not_known_is_unknown() {
    let mut decoder = decoder();
    for channel in Channel::ALL.iter().filter(|channel| !channel.is_read()) {
        for frame in [
            format!(r#"{{"channel":"{channel}","data":[]}}"#),
            format!(r#"{{"data":{{"isSnapshot":true}},"channel":"{channel}"}}"#),
            format!(r#" {{ "channel" : "{channel}" }} "#),
        ] {
            assert_eq!(decoder.decode(frame.as_bytes()), Ok(Message::Ignored(*channel)), "{frame}");
        }
    }
    let addressed = br#"{"channel":"orderUpdates:0xab","data":[]}"#;
    let empty = Message::OrderUpdates { updates: &[], skipped: 0 };
    assert_eq!(decoder.decode(addressed), Ok(empty));
    for frame in [
        "",
        " ",
        "Websocket connection established.",
        "null",
        "[]",
        "17",
        r#""bbo""#,
        "{}",
        r#"{"channel":null}"#,
        r#"{"channel":17,"data":{}}"#,
        r#"{"channel":"BBO","data":{}}"#,
        r#"{"channel":"newest","data":{"a":1}}"#,
        r#"{"data":{"a":1},"channel":"newest"}"#,
        r#"{"status":"ok"}"#,
    ] {
        assert_eq!(decoder.decode(frame.as_bytes()), Ok(Message::Unknown), "{frame}");
    }
    for frame in ["{", "{]", r#"{"channel"}"#, "{hello}", "{\"a\":\"\x01\"}", "{} {}", "\n{"] {
        assert!(decoder.decode(frame.as_bytes()).is_err(), "{frame}");
    }
    for frame in [r#"{"channel":"pong"}"#, r#"{"channel":"pong","data":null}"#] {
        assert_eq!(decoder.decode(frame.as_bytes()), Ok(Message::Pong));
    }
    assert_eq!(decoder.fallbacks(), 0, "no frame of a scanned channel was among these");
}

#[test]
fn nesting_is_bounded_and_never_reaches_the_stack() {
    let mut decoder = decoder();
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for depth in [1, 8, 60, 61, 62, 63, 64, 65, 100, 1_000, 100_000] {
            let inner = if open == "[" { "" } else { "1" };
            let nested = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            let frame = format!(
                r#"{{"channel":"bbo","deep":{nested},"data":{{"coin":"abc:OIL","time":1,"bbo":[null,null]}}}}"#
            );
            let message = decoder.decode(frame.as_bytes());
            match depth {
                ..=63 => assert!(matches!(message, Ok(Message::Bbo { .. })), "depth {depth}"),
                _ => assert_eq!(
                    message,
                    Err(Malformed { channel: Some(Channel::Bbo), why: "nested too deeply" }),
                    "depth {depth}"
                ),
            }
        }
        let endless = open.repeat(MAX_FRAME / open.len());
        let message = decoder.decode(endless.as_bytes());
        assert!(matches!(message, Ok(Message::Unknown) | Err(_)), "{message:?}");
    }
}

#[test]
fn frames_past_the_limit_are_refused_unread_and_frames_at_it_are_not() {
    let mut decoder = decoder();
    let of_len = |len: usize| {
        let frame = r#"{"channel":"bbo","data":{"coin":"abc:OIL","time":1,"bbo":[null,null]}}"#;
        format!("{frame}{}", " ".repeat(len - frame.len()))
    };
    let longest = of_len(MAX_FRAME);
    assert!(matches!(decoder.decode(longest.as_bytes()), Ok(Message::Bbo { .. })));
    let refused = decoder.decode(of_len(MAX_FRAME + 1).as_bytes()).map(|_| ());
    let malformed = Malformed { channel: Some(Channel::Bbo), why: "longer than 1 MiB" };
    assert_eq!(refused, Err(malformed));
    let ignored = format!(r#"{{"channel":"webData3","data":"{}"}}"#, "x".repeat(2 * MAX_FRAME));
    assert_eq!(decoder.decode(ignored.as_bytes()), Ok(Message::Ignored(Channel::WebData3)));
}

#[test]
fn memory_does_not_grow_with_what_the_venue_sends() {
    let mut decoder = decoder();
    let crowded = format!(
        r#"{{"x":[{}1],"channel":"bbo","data":{{"coin":"abc:OIL","time":1,"bbo":[null,null]}}}}"#,
        "1,".repeat(MAX_FRAME / 2 - 100)
    );
    assert!(crowded.len() < MAX_FRAME);
    let small = QUOTES.iter().find(|(_, usual)| !usual).expect("a fallback frame").0;
    let mut work = |rounds: usize| {
        allocation_counter::measure(|| {
            for _ in 0..rounds {
                let message = decoder.decode(crowded.as_bytes());
                assert!(matches!(message, Ok(Message::Bbo { .. })));
                assert!(decoder.decode("{".repeat(MAX_FRAME).as_bytes()).is_err());
            }
            let message = decoder.decode(small.as_bytes());
            assert!(matches!(message, Ok(Message::Bbo { .. })));
        })
    };
    work(0);
    let big = work(10);
    assert!(big.count_total > 0, "big frames were meant to allocate");
    assert!(big.bytes_max < 48 << 20, "{} bytes at the worst moment", big.bytes_max);
    assert!(big.bytes_current < 4096, "{} bytes kept after big frames", big.bytes_current);
}

#[test]
fn decoding_allocates_nothing_after_its_first_frames() {
    let mut decoder = decoder();
    let ack = fixtures::ack("subscribe", r#"{"type":"bbo","coin":"abc:GOLD"}"#);
    let frames: Vec<&str> = QUOTES
        .iter()
        .chain(CONTEXTS)
        .map(|(frame, _)| *frame)
        .chain(OTHERS.iter().copied())
        .chain(fixtures::DOUBLED.iter().copied())
        .chain(fixtures::UNFIT.iter().map(|(frame, _)| *frame))
        .chain([ack.as_str()])
        .collect();
    let mut run = |rounds: usize| {
        let (mut values, mut others, mut refused) = (0, 0, 0);
        for frame in frames.iter().cycle().take(rounds) {
            match decoder.decode(frame.as_bytes()) {
                Ok(Message::Bbo { .. } | Message::Ctx { .. }) => values += 1,
                Ok(_) => others += 1,
                Err(_) => refused += 1,
            }
        }
        (values, others, refused)
    };
    let (values, others, refused) = run(frames.len());
    let unwatched = 1; // `café`, which is no coin of ours.
    assert_eq!(values, QUOTES.len() + CONTEXTS.len() - unwatched);
    assert_eq!(others, OTHERS.len() + unwatched + 1);
    assert_eq!(refused, fixtures::DOUBLED.len() + fixtures::UNFIT.len());
    let rounds = 10_000_usize.next_multiple_of(frames.len());
    let mut counted = (0, 0, 0);
    let allocated = allocation_counter::measure(|| counted = run(rounds));
    let times = rounds / frames.len();
    assert_eq!(counted, (values * times, others * times, refused * times));
    assert_eq!((allocated.count_total, allocated.bytes_total), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_valid_frame_in_any_writing_reads_as_what_was_written(seed in any::<u64>(), usual in any::<bool>()) {
        let (frame, expected) = Scribe::new(seed, usual).frame();
        let outcome = agree(&mut decoder(), &mut Parser::new(), frame.as_bytes());
        prop_assert_eq!(outcome.answer, Some(expected), "{}", frame);
        prop_assert!(!usual || outcome.scanned, "the usual shape is scanned: {}", frame);
    }

    #[test]
    fn a_valid_frame_damaged_twice_reads_alike_or_is_refused(
        seed in any::<u64>(),
        usual in any::<bool>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 2),
    ) {
        let mut bytes = Scribe::new(seed, usual).frame().0.into_bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        agree(&mut decoder(), &mut Parser::new(), &bytes);
    }

    #[test]
    fn any_bytes_are_read_alike_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        agree(&mut decoder(), &mut Parser::new(), &bytes);
    }

    #[test]
    fn any_heap_of_tokens_is_read_alike_or_refused(
        tokens in proptest::collection::vec(proptest::sample::select(fixtures::TOKENS), 0..40),
    ) {
        let text = tokens.concat();
        let (mut decoder, mut parser) = (decoder(), Parser::new());
        agree(&mut decoder, &mut parser, text.as_bytes());
        for frame in [
            format!(r#"{{"channel":"bbo","x":{text},"data":{{"coin":"abc:OIL","time":1,"bbo":[null,null]}}}}"#),
            format!(r#"{{"channel":"activeAssetCtx","data":{{"coin":"abc:OIL","ctx":{text}}}}}"#),
            format!(r#"{{"channel":"bbo","data":{{"coin":"abc:OIL","time":1,"bbo":[{text},null]}}}}"#),
            format!(r#"{{"channel":"bbo","data":{text}}}"#),
        ] {
            agree(&mut decoder, &mut parser, frame.as_bytes());
        }
    }

    #[test]
    fn any_text_in_a_name_is_read_alike_or_refused(text in r#"(\\u[dD][89abcdefAB][0-9a-f]{2}|\\u00[0-9a-f]{2}|\\["\\/bfnrtx]|[ -~]|\PC){0,12}"#) {
        let frame = format!(
            r#"{{"channel":"bbo","data":{{"coin":"{text}","time":1,"bbo":[null,null]}}}}"#
        );
        agree(&mut decoder(), &mut Parser::new(), frame.as_bytes());
    }
}
