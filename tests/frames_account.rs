//! What the decoder promises about news of the account: values are exact, an entry that cannot be
//! read costs itself alone, and any bytes at all are read as `serde_json` reads them or refused.

mod frames {
    pub(crate) mod accounts;
    pub(crate) mod news;
    pub(crate) mod tree;
}

use frames::accounts::{agree, decoder, told};
use frames::news::{self, FILL, NEWS, UPDATE, USER};
use frames::tree::{self, Event, News, Reply};
use hip3::feed::message::{Channel, Decoder, MAX_ENTRIES, Message};
use hip3::types::ids::{Coin, Excerpt};
use hip3::types::num::{Px, Side, Sz, Szi, Usd};
use hip3::types::order::{Cloid, Fill, OrderAnswer, OrderUpdate, StatusKind, VenueStatus};
use hip3::types::time::VenueMs;
use proptest::prelude::*;

/// Decodes `frame`, which must be news.
fn read(frame: &str) -> News {
    let mut decoder = decoder();
    let message = decoder.decode(frame.as_bytes()).unwrap_or_else(|e| panic!("{frame}: {e}"));
    told(message).unwrap_or_else(|| panic!("no news: {frame}"))
}

fn updates(entries: &str) -> (Vec<OrderUpdate>, u32) {
    match read(&format!(r#"{{"channel":"orderUpdates","data":{entries}}}"#)) {
        News::Orders(updates, skipped) => (updates, skipped),
        other => panic!("{other:?}"),
    }
}

fn fills(rows: &str) -> (Vec<Fill>, u32) {
    let frame = format!(r#"{{"channel":"userFills","data":{{"user":"{USER}","fills":[{rows}]}}}}"#);
    match read(&frame) {
        News::Fills { snapshot: false, fills, skipped, .. } => (fills, skipped),
        other => panic!("{other:?}"),
    }
}

fn reply(response: &str) -> Reply {
    match read(&format!(r#"{{"channel":"post","data":{{"id":7,"response":{response}}}}}"#)) {
        News::Post(7, reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn action(response: &str) -> Reply {
    reply(&format!(r#"{{"type":"action","payload":{{"status":"ok","response":{response}}}}}"#))
}

fn coin(name: &str) -> Coin {
    Coin::new(name).expect("a coin")
}

fn sz(text: &str) -> Sz {
    Sz::parse(text.as_bytes()).expect("a size")
}

fn px(text: &str) -> Px {
    Px::parse(text.as_bytes()).expect("a price")
}

fn usd(text: &str) -> Usd {
    Usd::parse_signed(text.as_bytes()).expect("an amount")
}

/// What [`UPDATE`] says.
fn update() -> OrderUpdate {
    OrderUpdate {
        coin: coin("abc:OIL"),
        oid: 77,
        cloid: Some(Cloid(42)),
        side: Side::Buy,
        sz: sz("0.5"),
        orig_sz: sz("2"),
        word: VenueStatus::Open,
        status_time: VenueMs(1_790_000_000_123),
    }
}

/// What [`FILL`] says.
fn fill() -> Fill {
    Fill {
        coin: coin("abc:OIL"),
        px: px("61.25"),
        sz: sz("1.5"),
        side: Side::Sell,
        time: VenueMs(1_790_000_000_200),
        start_position: Szi::parse_signed(b"-0.5").expect("a size"),
        closed_pnl: usd("-1.25"),
        oid: 77,
        cloid: Some(Cloid(42)),
        tid: 9001,
        fee: usd("0.0419"),
        liquidation: false,
    }
}

#[test]
fn updates_are_read_exactly_from_an_array_or_a_single_object() {
    assert_eq!(updates(&format!("[{UPDATE}]")), (vec![update()], 0));
    assert_eq!(updates(UPDATE), (vec![update()], 0));
    assert_eq!(updates("[]"), (vec![], 0));
    assert_eq!(updates("{}"), (vec![], 1));
    let filled = UPDATE.replace("open", "filled").replace(r#""sz":"0.5""#, r#""sz":"0.0""#);
    let (both, skipped) = updates(&format!("[{UPDATE},{filled}]"));
    assert_eq!((both[0], skipped), (update(), 0));
    assert_eq!(both[1], OrderUpdate { sz: Sz::ZERO, word: VenueStatus::Filled, ..update() });
}

#[test]
fn words_that_nobody_knows_are_kept_as_unknown() {
    for (text, word, kind) in [
        ("iocCancelRejected", VenueStatus::IocCancelRejected, StatusKind::Rejected),
        ("someNewCanceled", VenueStatus::OtherCanceled, StatusKind::Cancelled),
        ("someNewRejected", VenueStatus::OtherRejected, StatusKind::Rejected),
        ("teleported", VenueStatus::Unknown, StatusKind::Unknown),
        ("", VenueStatus::Unknown, StatusKind::Unknown),
    ] {
        let entry = UPDATE.replace(r#""status":"open""#, &format!(r#""status":"{text}""#));
        let (updates, skipped) = updates(&entry);
        assert_eq!((updates[0].word, updates[0].word.kind(), skipped), (word, kind, 0), "{text}");
    }
}

/// `entry` without its member `key`, and with each of `wrong` in its place.
fn spoiled(entry: &str, key: &str, wrong: &[&str]) -> Vec<String> {
    let mut whole: serde_json::Value = serde_json::from_str(entry).expect("JSON");
    let nested = whole.get("order").is_some_and(|order| order.get(key).is_some());
    let mut out = Vec::new();
    let mut each = |value: Option<&str>| {
        let holder = if nested { &mut whole["order"] } else { &mut whole };
        let members = holder.as_object_mut().expect("an object");
        match value {
            Some(value) => {
                let value = serde_json::from_str(value).expect("JSON");
                members.insert(key.to_owned(), value);
            }
            None => {
                assert!(members.remove(key).is_some(), "{key} is there to be left out");
            }
        }
        out.push(whole.to_string());
    };
    each(None);
    for value in wrong {
        each(Some(value));
    }
    out
}

#[test]
fn an_update_that_cannot_be_read_costs_itself_alone() {
    let coins =
        [r#""""#, r#""é""#, "7", "null", r#""a name of more than 31 letters, all of them""#];
    let sizes = [r#""""#, r#""-0.5""#, r#""1e3""#, r#""0.000000001""#, "null", "-1", "[]"];
    let rows: [(&str, &[&str]); 8] = [
        ("order", &["null", "[]", "7", "{}"]),
        ("coin", &coins),
        ("side", &[r#""b""#, r#""buy""#, r#""""#, "null", "1"]),
        ("sz", &sizes),
        ("origSz", &sizes),
        ("oid", &[r#""77""#, "-77", "7.5", "null"]),
        ("status", &["null", "7", "{}"]),
        ("statusTimestamp", &[r#""2""#, "-2", "2.5", "null", "9223372036854775808"]),
    ];
    for (key, wrong) in rows {
        for bad in spoiled(UPDATE, key, wrong) {
            let (updates, skipped) = updates(&format!("[{UPDATE},{bad},{UPDATE}]"));
            assert_eq!((updates, skipped), (vec![update(); 2], 1), "{bad}");
        }
    }
    for key in ["oid", "sz", "cloid", "coin"] {
        let bad = UPDATE.replace(r#""order":{"#, &format!(r#""order":{{"{key}":0,"#));
        assert_eq!(updates(&format!("[{bad},{UPDATE}]")), (vec![update()], 1), "twice: {key}");
    }
}

#[test]
fn a_cloid_that_is_none_of_ours_leaves_the_order_to_its_oid() {
    let none = OrderUpdate { cloid: None, ..update() };
    let wrong = ["null", "7", r#""""#, r#""0x2a""#, r#""0000000000000000000000000000002a""#];
    for entry in spoiled(UPDATE, "cloid", &wrong) {
        assert_eq!(updates(&entry), (vec![none], 0), "{entry}");
    }
    for row in spoiled(FILL, "cloid", &wrong) {
        assert_eq!(fills(&row), (vec![Fill { cloid: None, ..fill() }], 0), "{row}");
    }
    let upper = UPDATE.replace("2a\"", "2A\"");
    assert_eq!(updates(&upper), (vec![update()], 0));
}

#[test]
fn fills_are_read_exactly_and_sums_are_cut_toward_zero() {
    assert_eq!(fills(FILL), (vec![fill()], 0));
    let rebate = FILL.replace(r#""fee":"0.0419""#, r#""fee":"-0.0679871""#);
    assert_eq!(fills(&rebate).0, [Fill { fee: usd("-0.067987"), ..fill() }]);
    let noisy = FILL.replace("\"-1.25\"", "\"0.09994001\"");
    assert_eq!(fills(&noisy).0, [Fill { closed_pnl: usd("0.09994"), ..fill() }]);
    let forced = FILL.replace(
        r#""twapId":null"#,
        r#""liquidation":{"liquidatedUser":"0x0b","markPx":61.0,"method":"market"}"#,
    );
    assert_eq!(fills(&forced).0, [Fill { liquidation: true, ..fill() }]);
    let free = FILL.replace(r#""twapId":null"#, r#""liquidation":null"#);
    assert_eq!(fills(&free).0, [fill()]);
}

#[test]
fn a_fill_needs_what_rows_of_2023_had_and_no_more() {
    let old = r#"{"closedPnl":"-0.25686","coin":"WXY","oid":5,"px":"1.3189","side":"B","startPosition":"4623.5","sz":"142.7","time":1683245884863}"#;
    let expected = Fill {
        coin: coin("WXY"),
        px: px("1.3189"),
        sz: sz("142.7"),
        side: Side::Buy,
        time: VenueMs(1_683_245_884_863),
        start_position: Szi::parse_signed(b"4623.5").expect("a size"),
        closed_pnl: usd("-0.25686"),
        oid: 5,
        cloid: None,
        tid: 0,
        fee: Usd::ZERO,
        liquidation: false,
    };
    assert_eq!(fills(old), (vec![expected], 0));
    let amounts = [r#""""#, r#""1e3""#, r#""--1""#, "true", "[]"];
    let rows: [(&str, &[&str]); 8] = [
        ("coin", &[r#""""#, r#""é""#, "null"]),
        ("px", &[r#""-1""#, r#""0.000000001""#, "null"]),
        ("sz", &[r#""-1""#, r#""0.0""#, "0", r#""0.000000001""#, "null"]),
        ("side", &[r#""a""#, r#""""#, "null"]),
        ("time", &[r#""1""#, "-1", "1.5", "null"]),
        ("oid", &[r#""1""#, "-1", "1.5", "null"]),
        ("startPosition", &[r#""""#, r#""--1""#, r#""0.000000001""#, "null"]),
        ("closedPnl", &amounts),
    ];
    for (key, wrong) in rows {
        for bad in spoiled(old, key, wrong) {
            assert_eq!(fills(&format!("{FILL},{bad},{FILL}")), (vec![fill(); 2], 1), "{bad}");
        }
    }
    // What may be missing must make sense when it is there.
    for (key, wrong) in [("fee", &amounts[..]), ("tid", &[r#""7""#, "-7", "7.5"][..])] {
        for bad in spoiled(FILL, key, wrong).split_off(1) {
            assert_eq!(fills(&format!("{bad},{FILL}")), (vec![fill()], 1), "{bad}");
        }
    }
}

#[test]
fn dust_of_spot_pairs_and_outcomes_leaves_nothing_unknown_and_that_of_perps_does() {
    let dust = |name: &str| FILL.replace("abc:OIL", name).replace(r#""1.5""#, r#""0.000026746""#);
    for name in ["@151", "PURR/USDC", "#14720"] {
        assert_eq!(fills(&format!("{},{FILL}", dust(name))), (vec![fill()], 0), "{name}");
        let whole = Fill { coin: coin(name), ..fill() };
        assert_eq!(fills(&FILL.replace("abc:OIL", name)), (vec![whole], 0), "{name}");
    }
    for name in ["abc:OIL", "BTC", "abc:@1"] {
        assert_eq!(fills(&format!("{},{FILL}", dust(name))), (vec![fill()], 1), "{name}");
    }
}

#[test]
fn a_number_past_every_id_refuses_the_frame() {
    let mut decoder = decoder();
    let frame = |oid: &str| {
        let entry = UPDATE.replace(r#""oid":77"#, &format!(r#""oid":{oid}"#));
        format!(r#"{{"channel":"orderUpdates","data":[{entry}]}}"#)
    };
    let largest = OrderUpdate { oid: u64::MAX, ..update() };
    let expected = Message::OrderUpdates { updates: &[largest], skipped: 0 };
    assert_eq!(decoder.decode(frame("18446744073709551615").as_bytes()), Ok(expected));
    assert!(decoder.decode(frame("18446744073709551616").as_bytes()).is_err());
}

#[test]
fn fills_are_ours_by_their_user_in_any_case() {
    let frame = |user: &str, snapshot: &str| {
        format!(
            r#"{{"channel":"userFills","data":{{{snapshot}"user":"{user}","fills":[{FILL}]}}}}"#
        )
    };
    let mut decoder = decoder();
    let one = [fill()];
    for user in [USER.to_owned(), USER.to_lowercase(), USER.to_uppercase().replace("0X", "0x")] {
        for (text, snapshot) in [
            (r#""isSnapshot":true,"#, true),
            (r#""isSnapshot":false,"#, false),
            (r#""isSnapshot":null,"#, false),
            ("", false),
        ] {
            let expected = Message::Fills { snapshot, fills: &one, skipped: 0 };
            assert_eq!(
                decoder.decode(frame(&user, text).as_bytes()),
                Ok(expected),
                "{user} {text}"
            );
        }
    }
    let others = Ok(Message::Unwatched(Channel::UserFills));
    for user in ["0x00000000000000000000000000000000000000aC", "0xab", ""] {
        assert_eq!(decoder.decode(frame(user, "").as_bytes()), others, "{user:?}");
    }
    assert_eq!(Decoder::new().decode(frame("", "").as_bytes()), others, "nobody's");
}

#[test]
fn events_have_one_key_and_unknown_ones_are_no_fault() {
    let event = |data: &str| match read(&format!(r#"{{"channel":"user","data":{data}}}"#)) {
        News::Event(event) => event,
        other => panic!("{other:?}"),
    };
    let fills = event(&format!(r#"{{"fills":[{FILL},{{}}]}}"#));
    assert_eq!(fills, Event::Fills(vec![fill()], 1));
    let funding = r#"{"funding":{"time":1,"coin":"BTC","usdc":"-0.0000219","szi":"1"}}"#;
    assert_eq!(event(funding), Event::Funding(coin("BTC"), usd("-0.000021")));
    assert_eq!(event(r#"{"liquidation":{"lid":1}}"#), Event::Liquidation);
    let cancels = r#"{"nonUserCancel":[{"coin":"WXY","oid":8},{"coin":"WXY"},7,{"oid":9}]}"#;
    assert_eq!(event(cancels), Event::Cancels(vec![8, 9], 2));
    for other in ["{}", r#"{"twapHistory":[]}"#, r#"{"fills":null,"funding":null}"#] {
        assert_eq!(event(other), Event::Other, "{other}");
    }
}

#[test]
fn every_status_of_an_action_is_told_in_its_place() {
    let all = r#"{"type":"order","data":{"statuses":[{"resting":{"oid":88,"cloid":"0x1"}},{"filled":{"totalSz":"0.2","avgPx":"104.6300000019","oid":89}},{"error":"Order has zero size. asset=3"},"success","waitingForFill"]}}"#;
    let error = OrderAnswer::Error(Excerpt::of(b"Order has zero size. asset=3"));
    let filled = OrderAnswer::Filled { total_sz: sz("0.2"), avg_px: px("104.63"), oid: 89 };
    let resting = OrderAnswer::Resting { oid: 88 };
    let expected = [resting, filled, error, OrderAnswer::Success, OrderAnswer::Unknown];
    assert_eq!(action(all), Reply::Statuses(expected.to_vec()));
    assert_eq!(action(r#"{"type":"order","data":{"statuses":[]}}"#), Reply::Statuses(vec![]));
    let single = r#"{"type":"twapCancel","data":{"status":{"error":"No twap."}}}"#;
    let error = OrderAnswer::Error(Excerpt::of(b"No twap."));
    assert_eq!(action(single), Reply::Statuses(vec![error]));
}

#[test]
fn a_status_that_says_too_little_is_unknown() {
    for status in [
        "null",
        "7",
        "[]",
        "{}",
        r#""waitingForTrigger""#,
        r#"{"running":{"twapId":1}}"#,
        r#"{"resting":{}}"#,
        r#"{"resting":{"oid":"88"}}"#,
        r#"{"resting":null}"#,
        r#"{"filled":{"totalSz":"0.2","avgPx":"1"}}"#,
        r#"{"filled":{"totalSz":"0.2","oid":1}}"#,
        r#"{"filled":{"avgPx":"1","oid":1}}"#,
        r#"{"filled":{"totalSz":"0.0","avgPx":"1","oid":1}}"#,
        r#"{"filled":{"totalSz":"-1","avgPx":"1","oid":1}}"#,
        r#"{"filled":{"totalSz":"0.000000001","avgPx":"1","oid":1}}"#,
        r#"{"filled":{"totalSz":"1","avgPx":"-1","oid":1}}"#,
        r#"{"error":7}"#,
        r#"{"resting":{"oid":1},"error":"no"}"#,
        r#"{"error":"no","error":"yes"}"#,
    ] {
        let response = format!(r#"{{"type":"order","data":{{"statuses":[{status}]}}}}"#);
        assert_eq!(action(&response), Reply::Statuses(vec![OrderAnswer::Unknown]), "{status}");
    }
}

#[test]
fn refusals_and_errors_keep_their_words_and_other_answers_are_other() {
    assert_eq!(action(r#"{"type":"default"}"#), Reply::Default);
    let text = "Too many cumulative requests sent (97460 > 97456) for cumulative volume traded";
    let refused = format!(
        r#"{{"type":"action","payload":{{"status":"err","response":"{text} $87457.46. Place taker orders to free up 1 request."}}}}"#
    );
    let Reply::Refused(words) = reply(&refused) else { panic!("{:?}", reply(&refused)) };
    assert!(words.to_string().starts_with(text), "{words}");
    let error = reply(r#"{"type":"error","payload":"429 Too Many Requests"}"#);
    assert_eq!(error, Reply::Error(Excerpt::of(b"429 Too Many Requests")));
    for other in [
        "null",
        "[]",
        "{}",
        r#"{"type":"error","payload":null}"#,
        r#"{"type":"action"}"#,
        r#"{"type":"news","payload":{}}"#,
        r#"{"type":"action","payload":{"status":"err","response":{}}}"#,
        r#"{"type":"action","payload":{"status":"maybe","response":"x"}}"#,
        r#"{"type":"action","payload":{"status":"ok","response":"done"}}"#,
        r#"{"type":"action","payload":{"status":"ok","response":{"type":"order"}}}"#,
        r#"{"type":"action","payload":{"status":"ok","response":{"type":"order","data":{}}}}"#,
        r#"{"type":"action","payload":{"status":"ok","response":{"type":"order","data":{"statuses":{}}}}}"#,
        r#"{"type":"info","payload":{"type":"l2Book","data":null}}"#,
        r#"{"type":"info","type":"info","payload":{}}"#,
    ] {
        assert_eq!(reply(other), Reply::Other, "{other}");
    }
    assert_eq!(read(r#"{"channel":"post","data":{"id":1}}"#), News::Post(1, Reply::Other));
}

#[test]
fn an_order_that_was_asked_for_is_told_or_not_known_or_not_understood() {
    let asked = |data: &str| {
        reply(&format!(r#"{{"type":"info","payload":{{"type":"orderStatus","data":{data}}}}}"#))
    };
    let known = format!(r#"{{"status":"order","order":{UPDATE}}}"#);
    assert_eq!(asked(&known), Reply::Order(Some(update())));
    assert_eq!(asked(r#"{"status":"unknownOid"}"#), Reply::Order(None));
    for other in ["null", "{}", r#"{"status":"order"}"#, r#"{"status":"order","order":{}}"#] {
        assert_eq!(asked(other), Reply::Other, "{other}: no proof that the order is not there");
    }
}

#[test]
fn a_frame_with_a_wrong_envelope_is_malformed_and_names_its_channel() {
    let mut decoder = decoder();
    for (frame, channel) in news::UNFIT {
        let refused = decoder.decode(frame.as_bytes()).map_err(|error| error.channel);
        assert_eq!(refused, Err(Some(*channel)), "{frame}");
        assert_eq!(tree::read(frame.as_bytes()), None, "{frame}");
    }
}

#[test]
fn entries_past_the_limit_are_counted_and_not_kept() {
    let mut decoder = decoder();
    // Short enough that more than the limit fit into a frame.
    let entry = r#"{"order":{"coin":"W","side":"B","sz":"1","oid":1,"origSz":"1"},"status":"open","statusTimestamp":1}"#;
    for (entries, expected) in
        [(MAX_ENTRIES - 1, 0), (MAX_ENTRIES, 0), (MAX_ENTRIES + 1, 1), (MAX_ENTRIES + 700, 700)]
    {
        let frame =
            format!(r#"{{"channel":"orderUpdates","data":[{}]}}"#, vec![entry; entries].join(","));
        match decoder.decode(frame.as_bytes()) {
            Ok(Message::OrderUpdates { updates, skipped }) => {
                assert_eq!((updates.len(), skipped), (entries.min(MAX_ENTRIES), expected));
            }
            other => panic!("{entries} entries: {other:?}"),
        }
    }
    let statuses = vec![r#""success""#; MAX_ENTRIES + 1].join(",");
    let response = format!(r#"{{"type":"cancel","data":{{"statuses":[{statuses}]}}}}"#);
    assert_eq!(action(&response), Reply::Statuses(vec![OrderAnswer::Success; MAX_ENTRIES]));
}

#[test]
fn a_snapshot_of_as_many_fills_as_the_venue_sends_is_read_whole() {
    let rows = vec![FILL; 2000].join(",");
    let (read, skipped) = fills(&rows);
    assert_eq!((read.len(), skipped), (2000, 0));
    assert!(read.iter().all(|row| *row == fill()));
}

#[test]
fn each_frame_is_read_for_itself() {
    let mut decoder = decoder();
    let frames = NEWS.iter().chain(NEWS.iter().rev());
    for frame in frames {
        agree(&mut decoder, frame.as_bytes());
    }
    assert_eq!(decoder.fallbacks(), 0, "no frame of a scanned channel was among these");
}

#[test]
fn every_fixture_is_news_to_both_readers() {
    let mut decoder = decoder();
    for frame in NEWS {
        let foreign = frame.contains(r#""user":"0xff""#);
        assert_eq!(agree(&mut decoder, frame.as_bytes()).news, !foreign, "{frame}");
    }
}

#[test]
fn a_frame_cut_short_anywhere_is_no_news() {
    let mut decoder = decoder();
    for frame in NEWS {
        for end in 0..frame.len() {
            let cut = &frame.as_bytes()[..end];
            assert!(!agree(&mut decoder, cut).news, "{}", cut.escape_ascii());
            let unknown = decoder.decode(cut) == Ok(Message::Unknown);
            assert_eq!(unknown, cut.is_empty(), "{}", cut.escape_ascii());
        }
    }
}

#[test]
fn a_frame_with_any_one_byte_changed_reads_alike_or_is_refused() {
    let mut decoder = decoder();
    let (mut news, mut refused, mut stricter) = (0_u32, 0_u32, 0_u32);
    for frame in NEWS {
        let mut bytes = frame.as_bytes().to_vec();
        for at in 0..bytes.len() {
            let kept = bytes[at];
            for byte in 0..=u8::MAX {
                bytes[at] = byte;
                let outcome = agree(&mut decoder, &bytes);
                news += u32::from(outcome.news);
                refused += u32::from(!outcome.news);
                stricter += u32::from(outcome.stricter);
            }
            bytes[at] = kept;
        }
    }
    assert!(news > 10_000 && refused > 100_000, "{news} news, {refused} refused");
    assert_eq!(stricter, 0, "frames that serde_json reads and we refuse");
}

#[test]
fn a_frame_with_any_one_byte_put_in_or_left_out_reads_alike_or_is_refused() {
    let mut decoder = decoder();
    for frame in [NEWS[1], NEWS[7], NEWS[13]] {
        for at in 0..=frame.len() {
            let (head, tail) = frame.as_bytes().split_at(at);
            for byte in 0..=u8::MAX {
                agree(&mut decoder, &[head, &[byte], tail].concat());
            }
            agree(&mut decoder, &[head, tail.get(1..).unwrap_or_default()].concat());
        }
    }
}

#[test]
fn news_allocates_nothing_after_its_first_frames() {
    let mut decoder = decoder();
    let frames: Vec<&str> =
        NEWS.iter().copied().chain(news::UNFIT.iter().map(|(frame, _)| *frame)).collect();
    let mut run = |rounds: usize| {
        let (mut understood, mut refused) = (0, 0);
        for frame in frames.iter().cycle().take(rounds) {
            match decoder.decode(frame.as_bytes()) {
                Ok(_) => understood += 1,
                Err(_) => refused += 1,
            }
        }
        (understood, refused)
    };
    assert_eq!(run(frames.len()), (NEWS.len(), news::UNFIT.len()));
    let mut counted = (0, 0);
    let allocated = allocation_counter::measure(|| counted = run(100 * frames.len()));
    assert_eq!(counted, (100 * NEWS.len(), 100 * news::UNFIT.len()));
    assert_eq!((allocated.count_total, allocated.bytes_total), (0, 0));
}

#[test]
fn many_entries_leave_no_memory_behind() {
    let mut decoder = decoder();
    let rows = vec![FILL; 2000].join(",");
    let frame = format!(r#"{{"channel":"userFills","data":{{"user":"{USER}","fills":[{rows}]}}}}"#);
    let allocated = allocation_counter::measure(|| {
        for _ in 0..5 {
            let message = decoder.decode(frame.as_bytes());
            assert!(matches!(message, Ok(Message::Fills { skipped: 0, .. })));
        }
        assert!(decoder.decode(NEWS[0].as_bytes()).is_ok());
    });
    assert!(allocated.count_total > 0, "a large frame was meant to allocate");
    assert!(allocated.bytes_current < 4096, "{} bytes kept", allocated.bytes_current);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_frame_damaged_twice_reads_alike_or_is_refused(
        frame in proptest::sample::select(NEWS),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 2),
    ) {
        let mut bytes = frame.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        agree(&mut decoder(), &bytes);
    }

    #[test]
    fn any_heap_of_tokens_is_read_alike_or_refused(
        tokens in proptest::collection::vec(proptest::sample::select(news::TOKENS), 0..16),
    ) {
        let text = tokens.concat();
        let mut decoder = decoder();
        for frame in [
            format!(r#"{{"channel":"orderUpdates","data":{text}}}"#),
            format!(r#"{{"channel":"orderUpdates","data":[{UPDATE},{text}]}}"#),
            format!(r#"{{"channel":"userFills","data":{{"user":"{USER}","fills":[{text},{FILL}]}}}}"#),
            format!(r#"{{"channel":"user","data":{text}}}"#),
            format!(r#"{{"channel":"user","data":{{"funding":{{"coin":"WXY","usdc":{text}}}}}}}"#),
            format!(r#"{{"channel":"post","data":{{"id":{text},"response":{{}}}}}}"#),
            format!(r#"{{"channel":"post","data":{{"id":1,"response":{text}}}}}"#),
            format!(r#"{{"channel":"post","data":{{"id":1,"response":{{"type":"action","payload":{{"status":"ok","response":{{"type":"order","data":{{"statuses":[{text}]}}}}}}}}}}}}"#),
        ] {
            agree(&mut decoder, frame.as_bytes());
        }
    }

    #[test]
    fn an_update_in_any_numbers_reads_as_what_was_written(
        oid in any::<u64>(),
        id in any::<u128>(),
        left in 0..=hip3::types::num::MAX_UNITS,
        placed in 0..=hip3::types::num::MAX_UNITS,
        time in 0..=i64::MAX,
        buy in any::<bool>(),
        which in any::<prop::sample::Index>(),
    ) {
        let (text, word) = VenueStatus::KNOWN[which.index(VenueStatus::KNOWN.len())];
        let expected = OrderUpdate {
            coin: coin("abc:OIL"),
            oid,
            cloid: Some(Cloid(id)),
            side: if buy { Side::Buy } else { Side::Sell },
            sz: Sz::from_units(left),
            orig_sz: Sz::from_units(placed),
            word,
            status_time: VenueMs(time),
        };
        let side = if buy { "B" } else { "A" };
        let entry = format!(
            r#"{{"order":{{"coin":"abc:OIL","side":"{side}","sz":"{}","oid":{oid},"origSz":"{}","cloid":"{}"}},"status":"{text}","statusTimestamp":{time}}}"#,
            expected.sz, expected.orig_sz, Cloid(id),
        );
        prop_assert_eq!(updates(&entry), (vec![expected], 0));
    }

    #[test]
    fn a_fill_in_any_numbers_reads_as_what_was_written(
        units in proptest::array::uniform5(1..=hip3::types::num::MAX_UNITS),
        below in proptest::array::uniform3(any::<bool>()),
        ids in any::<(u64, u64)>(),
        time in 0..=i64::MAX,
    ) {
        let signed = |at: usize| if below[at] { -units[at] } else { units[at] };
        let expected = Fill {
            px: Px::from_units(units[3]),
            sz: Sz::from_units(units[4]),
            time: VenueMs(time),
            start_position: Szi::from_units(signed(0)),
            closed_pnl: Usd::from_units(signed(1)),
            fee: Usd::from_units(signed(2)),
            oid: ids.0,
            tid: ids.1,
            ..fill()
        };
        let row = format!(
            r#"{{"coin":"abc:OIL","px":"{}","sz":"{}","side":"A","time":{time},"startPosition":"{}","closedPnl":"{}","oid":{},"fee":"{}","tid":{},"cloid":"{}"}}"#,
            expected.px, expected.sz, expected.start_position, expected.closed_pnl, expected.oid,
            expected.fee, expected.tid, Cloid(42),
        );
        prop_assert_eq!(fills(&row), (vec![expected], 0));
    }
}
