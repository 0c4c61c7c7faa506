//! Each way an order can end, one at a time.

use super::*;
use crate::types::num::Szi;

#[test]
fn an_order_that_fills_ends_with_its_rows() {
    let mut desk = Desk::new();
    let order = entry(1);
    let id = desk.orders.open(ms(0), order).expect("a slot");
    desk.orders.sent(ms(2), id, 77, 5, ms(2).wall.plus(LIFETIME));
    assert_eq!(desk.orders.pending_notional(MARKET), usd("100"));
    let live = Answered::Orders { live: 1, refused: None };
    assert_eq!(desk.answer(300, 5, &[filled(&order, "1")]), live);
    assert_eq!(desk.orders.announced(MARKET), Szi::from_units(sz("1").units()));
    desk.fill(400, &order, 1, "0.4");
    assert_eq!(desk.orders.pending_notional(MARKET), usd("60"), "rows hold the rest");
    assert_eq!(desk.orders.announced(MARKET), Szi::from_units(sz("0.6").units()));
    desk.assert_live();
    let owner = desk.fill(450, &order, 2, "0.6").expect("ours");
    assert_eq!(owner, Owner { id, purpose: order.purpose, ended: false });
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.filled, ended.refusal), (Outcome::Filled, sz("1"), None));
    assert_eq!(ended.unaccounted, Sz::ZERO);
    let row = ended.row;
    assert_eq!((row.oid, row.nonce), (Some(oid(&order)), Some(77)));
    assert_eq!((row.avg_px, row.fee), (Some(px("99.5")), usd("0.02")));
    assert_eq!((row.created_at, row.sent_at), (ms(0).wall, Some(ms(2).wall)));
    assert_eq!((row.answered_at, row.updated_at), (Some(ms(300).wall), None));
    assert_eq!((row.filled_at, row.ended_at), (Some(ms(450).wall), ms(450).wall));
    assert_eq!(row.send_latency, Some(Nanos::from_millis(2)));
    assert_eq!(row.answer_latency, Some(Nanos::from_millis(298)));
    assert!(desk.orders.is_empty());
    assert_eq!(desk.orders.pending_total(), Usd::ZERO);
}

#[test]
fn the_mean_price_is_of_the_rows_rounded_toward_zero() {
    let mut desk = Desk::new();
    let order = entry(1);
    desk.send(0, order);
    for (tid, (price, size)) in
        [("100", "0.3"), ("99", "0.3"), ("98.00000001", "0.4")].iter().enumerate()
    {
        let row = Fill { px: px(price), ..fill(&order, tid as u64, size) };
        desk.orders.on_fill(ms(10), &row);
    }
    // 30 + 29.7 + 39.200000004
    assert_eq!(desk.ended().row.avg_px, Some(px("98.9")));
}

#[test]
fn an_order_that_misses_has_expired() {
    let mut desk = Desk::new();
    let (_, post) = desk.send(0, entry(1));
    desk.answer(300, post, &[error(MISS)]);
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.refusal), (Outcome::Expired, Some(Refusal::NoMatch)));
    assert_eq!(ended.words, Some(Excerpt::of(MISS.as_bytes())));
    assert_eq!((ended.filled, ended.row.avg_px), (Sz::ZERO, None));
}

#[test]
fn an_order_that_is_refused_is_rejected() {
    let mut desk = Desk::new();
    let (_, post) = desk.send(0, entry(1));
    let words = Excerpt::of(b"Must deposit before performing actions. User: 0x01");
    let answered = desk.orders.on_answer(ms(300), post, &PostAnswer::Refused(words));
    let refused = Some((Refusal::MustDeposit, words));
    assert_eq!(answered, Answered::Orders { live: 1, refused });
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.refusal), (Outcome::Rejected, Some(Refusal::MustDeposit)));
}

#[test]
fn a_partial_fill_is_over_with_the_answer_and_its_rows() {
    let mut desk = Desk::new();
    let order = entry(1);
    let (_, post) = desk.send(0, order);
    desk.fill(250, &order, 1, "0.25");
    desk.assert_live();
    desk.answer(300, post, &[filled(&order, "0.25")]);
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.filled), (Outcome::PartiallyFilled, sz("0.25")));
}

#[test]
fn what_an_update_leaves_is_what_did_not_fill() {
    for word in ["canceled", "filled"] {
        let mut desk = Desk::new();
        let order = entry(1);
        desk.send(0, order);
        assert!(desk.update(200, &order, "open", "1"));
        assert!(desk.update(200, &order, word, "0.75"));
        assert_eq!(desk.orders.announced(MARKET), Szi::from_units(sz("0.25").units()), "{word}");
        desk.assert_live();
        desk.fill(250, &order, 1, "0.25");
        let ended = desk.ended();
        assert_eq!((ended.outcome, ended.filled), (Outcome::PartiallyFilled, sz("0.25")));
        assert_eq!(ended.row.updated_at, Some(ms(200).wall), "not at `open`");
    }
}

#[test]
fn an_update_without_a_fill_waits_a_moment_for_the_answer() {
    let mut desk = Desk::new();
    let order = entry(1);
    let (_, post) = desk.send(0, order);
    desk.update(200, &order, "canceled", "1");
    desk.assert_live();
    desk.answer(210, post, &[filled(&order, "0.5")]);
    desk.fill(220, &order, 1, "0.5");
    assert_eq!(desk.ended().outcome, Outcome::PartiallyFilled);

    let order = entry(2);
    desk.send(1_000, order);
    desk.update(1_200, &order, "iocCancelRejected", "1");
    assert_eq!(desk.orders.next_due(), ms(2_200).mono);
    desk.time(2_199);
    desk.assert_live();
    desk.time(2_200);
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.refusal), (Outcome::Expired, Some(Refusal::NoMatch)));
}

#[test]
fn a_reduce_only_order_is_not_filled_by_what_the_venue_took_off_it() {
    let mut desk = Desk::new();
    let order = exit(1);
    let (_, post) = desk.send(0, order);
    // Shrunk from 1 to 0.4, which filled.
    desk.update(200, &order, "filled", "0");
    desk.assert_live();
    assert_eq!(desk.orders.announced(MARKET), Szi::ZERO);
    desk.answer(210, post, &[filled(&order, "0.4")]);
    desk.fill(220, &order, 1, "0.4");
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.filled), (Outcome::PartiallyFilled, sz("0.4")));

    let order = exit(2);
    desk.send(1_000, order);
    desk.update(1_200, &order, "reduceOnlyCanceled", "0.2");
    desk.time(2_200);
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.refusal), (Outcome::Expired, Some(Refusal::ReduceOnly)));
}

#[test]
fn a_batch_gets_one_status_an_order_in_order() {
    let mut desk = Desk::new();
    let orders = [entry(1), entry(2), entry(3)];
    let ids = orders.map(|order| desk.orders.open(ms(0), order).expect("a slot"));
    for (at, id) in ids.into_iter().enumerate() {
        desk.orders.sent(ms(0), id, 50 + at as u64, 9, ms(0).wall.plus(LIFETIME));
    }
    // The first is over before the answer comes; the others keep their places.
    desk.fill(100, &orders[0], 1, "1");
    assert_eq!(desk.ended().id, ids[0]);
    let statuses = [filled(&orders[0], "1"), error(MISS), filled(&orders[2], "0.5")];
    let answered = desk.answer(200, 9, &statuses);
    assert_eq!(answered, Answered::Orders { live: 2, refused: None });
    let second = desk.ended();
    assert_eq!((second.id, second.outcome), (ids[1], Outcome::Expired));
    desk.assert_live();
    assert_eq!(desk.orders.get(ids[2]).map(OrderEntry::filled), Some(sz("0.5")));
    assert_eq!(desk.orders.get(ids[0]).map(OrderEntry::filled), None);
}

#[test]
fn a_lone_error_stands_for_a_whole_batch_and_any_other_shortage_for_none() {
    for (statuses, over) in [
        (vec![error("Insufficient margin to place order. asset=1")], 2),
        (vec![filled(&entry(1), "1")], 0),
        (vec![], 0),
        (vec![error(MISS), error(MISS), error(MISS)], 0),
    ] {
        let mut desk = Desk::new();
        for n in 1..=2 {
            let id = desk.orders.open(ms(0), entry(n)).expect("a slot");
            desk.orders.sent(ms(0), id, 50, 9, ms(0).wall.plus(LIFETIME));
        }
        desk.answer(200, 9, &statuses);
        let ended: Vec<Ended> = std::iter::from_fn(|| desk.orders.take_ended()).collect();
        assert_eq!(ended.len(), over, "{statuses:?}");
        assert!(ended.iter().all(|ended| ended.refusal == Some(Refusal::Margin)));
        assert_eq!(desk.time(200).len(), 2 - over, "the others are looked up");
    }
}

#[test]
fn an_order_without_an_answer_is_looked_up_and_settled_by_what_is_found() {
    let mut desk = Desk::new();
    let order = entry(1);
    let (id, _) = desk.send(0, order);
    assert_eq!(desk.orders.next_due(), ms(3_000).mono);
    assert!(desk.time(2_999).is_empty());
    assert!(!desk.orders.in_doubt(MARKET));
    let asked = desk.time(3_000);
    assert_eq!(asked.len(), 1);
    assert!(desk.orders.in_doubt(MARKET));
    assert_eq!(desk.orders.take_doubted(), Some((id, order)));
    assert_eq!(desk.orders.take_doubted(), None, "told once");
    let found = Some(update(&order, "filled", "0"));
    assert_eq!(desk.look_up(3_100, asked[0], found), Answered::LookUp(id));
    assert!(!desk.orders.in_doubt(MARKET));
    desk.fill(3_200, &order, 1, "1");
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.row.updated_at), (Outcome::Filled, None));
}

#[test]
fn unknown_three_times_past_its_expiry_is_dead() {
    let mut desk = Desk::new();
    desk.send(0, entry(1));
    for (at, over) in [(3_000, false), (4_000, false), (5_000, true)] {
        assert!(desk.time(at - 1).is_empty());
        let asked = desk.time(at);
        assert_eq!(asked.len(), 1, "{at}");
        desk.look_up(at + 100, asked[0], None);
        assert_eq!(desk.orders.is_empty(), over, "{at}");
    }
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.refusal), (Outcome::Expired, Some(Refusal::TooLate)));
}

#[test]
fn unknown_before_its_expiry_proves_nothing() {
    let mut desk = Desk::new();
    let id = desk.orders.open(ms(0), entry(1)).expect("a slot");
    desk.orders.sent(ms(0), id, 1, 1, ms(30_000).wall);
    desk.next_post = 10;
    let mut looks = 0;
    // One that was asked a unit too early, and was answered late.
    for at in [3_000, 4_000, 5_000, 10_000, 15_000, 20_000, 25_000, 30_000] {
        for post in desk.time(at) {
            looks += 1;
            desk.look_up(at + 4_000, post, None);
        }
        desk.assert_live();
    }
    assert_eq!(looks, 8, "and it goes on");
    let post = desk.time(35_000)[0];
    desk.look_up(35_010, post, None);
    assert_eq!(desk.ended().refusal, Some(Refusal::TooLate));
}

#[test]
fn look_ups_without_an_answer_slow_down_and_never_end() {
    let mut desk = Desk::new();
    desk.send(0, entry(1));
    let mut at = 0;
    let mut looked = Vec::new();
    while at < 60_000 {
        let due = desk.orders.next_due();
        at = due.since(Mono(START)).as_millis();
        looked.extend(desk.time(at).iter().map(|_| at));
    }
    assert_eq!(looked[..6], [3_000, 4_000, 5_000, 10_000, 15_000, 20_000]);
    assert!(desk.orders.has_live_entry(MARKET) && desk.orders.in_doubt(MARKET));
    assert_eq!(desk.orders.pending_notional(MARKET), usd("100"));
}

#[test]
fn a_look_up_that_cannot_go_is_asked_again_a_second_later() {
    let mut desk = Desk::new();
    desk.send(0, entry(1));
    let mut refused = 0;
    for at in [3_000, 3_500, 4_000] {
        desk.orders.on_time(ms(at), true, &mut |_, _| {
            refused += 1;
            None
        });
    }
    assert_eq!(refused, 2);
    assert_eq!(desk.time(5_000).len(), 1);
    assert_eq!(desk.time(6_000).len(), 1, "what did not go is not counted");
}

#[test]
fn a_live_word_keeps_asking() {
    let mut desk = Desk::new();
    let order = entry(1);
    desk.send(0, order);
    for at in [3_000, 4_000, 5_000, 10_000] {
        let post = desk.time(at)[0];
        desk.look_up(at + 10, post, Some(update(&order, "open", "1")));
        assert!(desk.orders.in_doubt(MARKET), "{at}");
    }
    let post = desk.time(15_000)[0];
    desk.look_up(15_010, post, Some(update(&order, "canceled", "1")));
    assert_eq!(desk.ended().outcome, Outcome::Expired);
}

#[test]
fn an_order_that_was_there_and_is_forgotten_ends_as_its_rows_tell() {
    for rows in [0, 1] {
        let mut desk = Desk::new();
        let order = entry(1);
        desk.send(0, order);
        desk.update(100, &order, "open", "1");
        (0..rows).for_each(|tid| _ = desk.fill(150, &order, 1 + tid, "0.3"));
        for at in [3_000, 4_000, 5_000] {
            let post = desk.time(at)[0];
            desk.look_up(at + 10, post, None);
        }
        let outcome = if rows == 0 {
            desk.assert_live();
            desk.time(7_010);
            assert_eq!(desk.orders.take_rows_missing().map(|missing| missing.order), Some(order));
            assert!(desk.time(600_000).is_empty());
            desk.assert_live();
            assert_eq!(desk.orders.pending_total(), usd("100"), "all of it may have filled");
            // A reading that shows nothing accounts for it.
            let claim = desk.orders.claim(MARKET, VenueMs(i64::MAX)).expect("a claim");
            assert_eq!((claim.announced, claim.possible), (Sz::ZERO, sz("1")));
            desk.orders.accounted(ms(600_000), claim.id);
            Outcome::Expired
        } else {
            Outcome::PartiallyFilled
        };
        assert_eq!(desk.ended().outcome, outcome);
    }
}

#[test]
fn answers_that_say_too_little_lead_to_a_look_up() {
    let order = entry(1);
    let error_500 = Excerpt::of(b"502 Bad Gateway");
    for answer in [
        PostAnswer::Statuses(&[OrderAnswer::Success]),
        PostAnswer::Statuses(&[OrderAnswer::Unknown]),
        PostAnswer::Statuses(&[OrderAnswer::Resting { oid: 9_001 }]),
        PostAnswer::Statuses(&[OrderAnswer::Filled {
            total_sz: Sz::from_units(100_000_001),
            avg_px: Px::ZERO,
            oid: 9_001,
        }]),
        PostAnswer::Default,
        PostAnswer::Other,
        PostAnswer::Error(error_500),
    ] {
        let mut desk = Desk::new();
        let (_, post) = desk.send(0, order);
        desk.orders.on_answer(ms(100), post, &answer);
        desk.assert_live();
        assert_eq!(desk.orders.next_due(), ms(100).mono, "{answer:?}");
        assert_eq!(desk.time(100).len(), 1, "{answer:?}");
    }
    let mut desk = Desk::new();
    desk.send(0, order);
    desk.update(100, &order, "teleported", "1");
    assert_eq!(desk.time(100).len(), 1, "an unknown word");
}

#[test]
fn a_post_that_could_not_be_read_is_refused() {
    let mut desk = Desk::new();
    let (_, post) = desk.send(0, entry(1));
    let words = Excerpt::of(b"422 Failed to deserialize the JSON body into the target type");
    desk.orders.on_answer(ms(100), post, &PostAnswer::Error(words));
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.refusal), (Outcome::Rejected, Some(Refusal::Unreadable)));
}

#[test]
fn a_duplicate_nonce_may_be_our_own_and_is_looked_up() {
    let words = Excerpt::of(b"Invalid nonce: duplicate nonce 1741107452532");
    for found in [true, false] {
        let mut desk = Desk::new();
        let order = entry(1);
        let (_, post) = desk.send(0, order);
        let answered = desk.orders.on_answer(ms(100), post, &PostAnswer::Refused(words));
        let refused = Some((Refusal::DuplicateNonce, words));
        assert_eq!(answered, Answered::Orders { live: 1, refused });
        desk.assert_live();
        if found {
            let post = desk.time(100)[0];
            desk.look_up(150, post, Some(update(&order, "filled", "0")));
            desk.fill(200, &order, 1, "1");
            assert_eq!(desk.ended().outcome, Outcome::Filled);
        } else {
            for at in [100, 1_100, 2_100, 3_000] {
                let post = desk.time(at)[0];
                desk.look_up(at + 10, post, None);
            }
            let ended = desk.ended();
            assert_eq!(ended.refusal, Some(Refusal::DuplicateNonce));
            assert_eq!(ended.outcome, Outcome::Rejected);
        }
    }
}

#[test]
fn a_lost_link_puts_in_doubt_what_was_not_answered() {
    let mut desk = Desk::new();
    let (unsent, sent, answered) = (entry(1), entry(2), entry(3));
    let unsent_id = desk.orders.open(ms(0), unsent).expect("a slot");
    desk.send(0, sent);
    let (_, post) = desk.send(0, answered);
    desk.answer(100, post, &[filled(&answered, "1")]);
    desk.link_open = false;
    desk.orders.on_disconnected(ms(200));
    assert_eq!(desk.orders.take_doubted().map(|(_, order)| order), Some(sent));
    assert_eq!(desk.orders.take_doubted(), None);
    let missing = desk.orders.take_rows_missing().expect("its rows may have been lost");
    assert_eq!((missing.order, missing.since), (answered, ms(0).wall));
    assert_eq!(desk.orders.next_due(), Mono::MAX, "nothing to do while the link is down");
    assert!(desk.time(100_000).is_empty());
    desk.assert_live();
    desk.link_open = true;
    let asked = desk.time(200_000);
    assert_eq!(asked.len(), 1);
    desk.look_up(200_100, asked[0], Some(update(&sent, "iocCancelRejected", "1")));
    assert_eq!(desk.ended().order, sent);
    assert_eq!(desk.orders.get(unsent_id).map(OrderEntry::state), Some(OrderState::Pending));
    desk.time(900_000);
    desk.assert_live();
    desk.fill(900_000, &answered, 1, "1");
    assert_eq!(desk.ended().order, answered, "its row has come");
}

/// A1: what was answered as filled counts until rows or a reading account for it, however long.
#[test]
fn rows_that_never_come_are_reported_and_never_given_up() {
    let mut desk = Desk::new();
    let order = entry(1);
    let (id, post) = desk.send(0, order);
    desk.answer(100, post, &[filled(&order, "1")]);
    desk.fill(200, &order, 1, "0.4");
    desk.time(2_099);
    assert_eq!(desk.orders.take_rows_missing(), None);
    assert_eq!(desk.orders.next_due(), ms(2_100).mono);
    desk.time(2_100);
    let since = ms(0).wall;
    assert_eq!(desk.orders.take_rows_missing(), Some(RowsMissing { id, order, since }));
    assert_eq!(desk.orders.take_rows_missing(), None, "told once");
    assert_eq!(desk.orders.next_due(), Mono::MAX, "nothing but news ends it");
    desk.time(3_600_000);
    desk.assert_live();
    assert_eq!(desk.orders.pending_notional(MARKET), usd("60"));
    assert_eq!(desk.orders.announced(MARKET), Szi::of(order.side, sz("0.6")));
    let claim = desk.orders.claim(MARKET, VenueMs(ms(100).wall.0 / 1_000_000)).expect("a claim");
    assert_eq!((claim.id, claim.announced, claim.possible), (id, sz("0.6"), Sz::ZERO));
    assert_eq!(claim.px, px("99.5"), "as it was answered");
    assert_eq!(desk.orders.claim(MARKET, VenueMs(ms(99).wall.0 / 1_000_000)), None);
    desk.orders.accounted(ms(3_600_000), id);
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.filled), (Outcome::Filled, sz("1")));
    assert_eq!((ended.unaccounted, ended.row.avg_px), (sz("0.6"), Some(px("99.5"))));
    let late = desk.fill(3_700_000, &order, 2, "0.6").expect("still ours");
    assert_eq!(late, Owner { id, purpose: order.purpose, ended: true });
}

/// An order whose end is not known is accounted for only once the venue takes it no more.
#[test]
fn a_reading_ends_no_order_that_may_still_fill() {
    let mut desk = Desk::new();
    let order = entry(1);
    let (id, _) = desk.send(0, order);
    let claim = desk.orders.claim(MARKET, VenueMs(i64::MAX)).expect("a claim");
    assert_eq!(claim.since, VenueMs(ms(2_000).wall.0 / 1_000_000), "its expiry");
    desk.orders.accounted(ms(1_999), id);
    desk.assert_live();
    desk.orders.accounted(ms(2_000), id);
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.refusal), (Outcome::Expired, Some(Refusal::TooLate)));
}

#[test]
fn what_was_never_sent_is_dropped_and_what_was_is_not() {
    let mut desk = Desk::new();
    let id = desk.orders.open(ms(0), entry(1)).expect("a slot");
    assert_eq!(desk.orders.pending_notional(MARKET), usd("100"), "approved counts as pending");
    desk.orders.drop_pending(ms(10), id);
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.row.sent_at), (Outcome::Dropped, None));
    assert_eq!(desk.orders.pending_notional(MARKET), Usd::ZERO);
    let (sent, _) = desk.send(20, entry(2));
    desk.orders.drop_pending(ms(30), sent);
    desk.orders.drop_pending(ms(30), id);
    desk.assert_live();
}

#[test]
fn an_order_that_is_over_is_still_ours_for_a_while() {
    let mut desk = Desk::new();
    let order = entry(1);
    let (id, post) = desk.send(0, order);
    desk.answer(100, post, &[error(MISS)]);
    desk.ended();
    assert!(desk.update(110, &order, "iocCancelRejected", "1"), "by its cloid, and told its oid");
    let by_oid = Fill { cloid: None, ..fill(&order, 1, "1") };
    assert_eq!(desk.orders.on_fill(ms(120), &by_oid).map(|owner| owner.id), Some(id));
    let again = Answered::Orders { live: 0, refused: None };
    assert_eq!(desk.answer(130, post, &[error(MISS)]), again);
    assert_eq!(desk.orders.on_fill(ms(140), &fill(&entry(99), 1, "1")), None);
    assert!(!desk.update(150, &entry(99), "filled", "0"));
    assert_eq!(desk.answer(160, 12_345, &[error(MISS)]), Answered::NotOurs);
    for n in 0..REMEMBERED as u128 {
        let (_, post) = desk.send(200, entry(1_000 + n));
        desk.answer(210, post, &[error(MISS)]);
        desk.ended();
    }
    assert_eq!(desk.fill(300, &order, 2, "1"), None, "and then forgotten");
    assert!(desk.fill(300, &entry(1_000), 2, "1").is_some());
}

#[test]
fn an_order_is_found_by_the_venues_id_where_ours_is_not_told() {
    let mut desk = Desk::new();
    let order = entry(1);
    let (_, post) = desk.send(0, order);
    let nameless = Fill { cloid: None, ..fill(&order, 1, "1") };
    assert_eq!(desk.orders.on_fill(ms(50), &nameless), None, "its id is not known yet");
    desk.answer(100, post, &[filled(&order, "1")]);
    assert!(desk.orders.on_fill(ms(150), &nameless).is_some());
    assert_eq!(desk.ended().outcome, Outcome::Filled);
}

#[test]
fn a_full_table_refuses_and_names_are_never_used_twice() {
    let mut desk = Desk::new();
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..SLOTS as u128 {
        assert!(seen.insert(desk.orders.open(ms(0), entry(n)).expect("a slot")));
    }
    assert_eq!(desk.orders.open(ms(0), entry(999)), Err(OrdersFull));
    let first = *seen.first().expect("one");
    desk.orders.drop_pending(ms(1), first);
    desk.ended();
    let next = desk.orders.open(ms(2), entry(999)).expect("the slot that was freed");
    assert!(seen.insert(next));
    assert!(desk.orders.get(first).is_none() && desk.orders.get(next).is_some());
    assert_eq!(desk.orders.len(), SLOTS);
}

#[test]
fn sums_are_of_entries_and_of_their_market() {
    let mut desk = Desk::new();
    let elsewhere = Order { market: MarketId(8), ..entry(2) };
    desk.send(0, entry(1));
    desk.send(0, elsewhere);
    desk.send(0, entry(4));
    desk.send(0, exit(3));
    assert_eq!(desk.orders.pending_notional(MARKET), usd("200"), "exits add nothing");
    assert_eq!(desk.orders.pending_notional(MarketId(8)), usd("100"));
    assert_eq!(desk.orders.pending_total(), usd("300"));
    let markets: Vec<MarketId> = desk.orders.pending_markets().collect();
    assert_eq!(markets, [MARKET, MarketId(8)]);
    assert!(desk.orders.has_open_exit(MARKET) && !desk.orders.has_open_exit(MarketId(8)));
    assert!(desk.orders.has_live_entry(MarketId(8)) && !desk.orders.has_live_entry(MarketId(9)));
    assert_eq!(desk.orders.live(MARKET).count(), 3);
}

#[test]
fn a_fill_told_again_is_counted_once_and_two_of_one_size_are_two() {
    let mut desk = Desk::new();
    let order = entry(1);
    let (id, _) = desk.send(0, order);
    for (tid, expected) in [(1, "0.3"), (2, "0.6"), (1, "0.6"), (2, "0.6")] {
        desk.fill(10, &order, tid, "0.3");
        assert_eq!(desk.orders.get(id).map(OrderEntry::filled), Some(sz(expected)), "{tid}");
    }
    for _ in 0..2 {
        desk.fill(20, &order, 0, "0.2"); // Without a trade's id nobody can tell them apart.
    }
    let ended = desk.ended();
    assert_eq!((ended.outcome, ended.row.fee), (Outcome::Filled, usd("0.04")));
}

#[test]
fn more_rows_than_are_remembered_still_add_up() {
    let mut desk = Desk::new();
    let order = entry(1);
    desk.send(0, order);
    (1..=100).for_each(|tid| _ = desk.fill(10, &order, tid, "0.01"));
    assert_eq!((desk.ended().outcome, desk.orders.contradicted()), (Outcome::Filled, 0));
}

#[test]
fn fills_past_the_size_of_an_order_are_counted_as_wrong() {
    let mut desk = Desk::new();
    let order = entry(1);
    let (id, _) = desk.send(0, order);
    desk.fill(10, &order, 1, "0.7");
    assert_eq!(desk.orders.contradicted(), 0);
    desk.fill(10, &order, 2, "0.7");
    assert_eq!(desk.orders.contradicted(), 1);
    assert_eq!(desk.orders.get(id).map(OrderEntry::filled), Some(sz("0.7")));
    desk.update(20, &order, "filled", "0");
    assert_eq!(desk.ended().outcome, Outcome::Filled);
    assert_eq!(desk.orders.contradicted(), 1, "and not forgotten with the order");
}

#[test]
fn the_end_of_the_run_ends_every_order_as_it_stands() {
    let mut desk = Desk::new();
    desk.orders.open(ms(0), entry(1)).expect("a slot");
    desk.send(0, entry(2));
    desk.send(0, entry(3));
    desk.fill(10, &entry(3), 1, "0.5");
    desk.orders.abandon(ms(20));
    let outcomes: Vec<Outcome> =
        std::iter::from_fn(|| desk.orders.take_ended()).map(|ended| ended.outcome).collect();
    assert_eq!(outcomes, [Outcome::Dropped, Outcome::Unknown, Outcome::PartiallyFilled]);
    assert!(desk.orders.is_empty());
}

#[test]
fn one_look_up_that_finds_nothing_proves_an_exit_dead_once_it_has_expired() {
    for timeout_ms in [400, 3_000, 60_000] {
        let mut desk = Desk::new();
        desk.orders = Orders::new(Nanos::from_millis(timeout_ms));
        desk.send(0, exit(1));
        let mut asked = Vec::new();
        for at in (20..=3_000).step_by(20) {
            for post in desk.time(at) {
                asked.push(at);
                desk.look_up(at, post, None);
            }
            assert_eq!(desk.orders.has_open_exit(MARKET), at < 3_000, "{timeout_ms}: {at}");
        }
        assert_eq!(asked.last(), Some(&3_000), "{timeout_ms}: {asked:?}");
        let closed = desk.orders.take_closed_exit().expect("its outcome is known");
        let told = (closed.sent, closed.heard, closed.together, closed.refusal);
        assert_eq!(told, (true, false, false, Some(Refusal::TooLate)));
        assert_eq!(desk.orders.take_closed_exit(), None, "told once");
    }
}

#[test]
fn an_exit_is_closed_when_its_fate_is_known_and_not_when_its_rows_have_come() {
    let mut desk = Desk::new();
    let order = exit(1);
    let (_, post) = desk.send(0, order);
    assert!(desk.orders.has_open_exit(MARKET) && desk.orders.take_closed_exit().is_none());
    desk.answer(100, post, &[filled(&order, "0.4")]);
    assert!(!desk.orders.has_open_exit(MARKET));
    let closed = desk.orders.take_closed_exit().expect("answered");
    assert_eq!((closed.filled, closed.refusal), (sz("0.4"), None));
    desk.assert_live();
    desk.fill(200, &order, 1, "0.4");
    assert_eq!((desk.orders.take_closed_exit(), desk.ended().filled), (None, sz("0.4")));

    // An update that says that nothing filled may be overruled by the answer.
    let mut desk = Desk::new();
    let order = exit(2);
    let (_, post) = desk.send(0, order);
    desk.update(100, &order, "canceled", "1");
    assert!(desk.orders.has_open_exit(MARKET) && desk.orders.take_closed_exit().is_none());
    desk.answer(150, post, &[filled(&order, "1")]);
    assert_eq!(desk.orders.take_closed_exit().map(|closed| closed.filled), Some(sz("1")));

    // One that says it filled does not say how much, since the venue shrinks it.
    let mut desk = Desk::new();
    let order = exit(3);
    desk.send(0, order);
    desk.update(100, &order, "filled", "0");
    assert!(desk.orders.has_open_exit(MARKET) && desk.orders.take_closed_exit().is_none());
    desk.fill(200, &order, 1, "0.5");
    assert_eq!(desk.orders.take_closed_exit().map(|closed| closed.filled), Some(sz("0.5")));

    // One that never left is told, too.
    let mut desk = Desk::new();
    let id = desk.orders.open(ms(0), exit(4)).expect("a slot");
    assert!(desk.orders.has_open_exit(MARKET));
    desk.orders.amend(id, px("99"), sz("0.3"), Purpose::Exit(ExitReason::Flatten));
    let amended = *desk.orders.get(id).expect("it waits").order();
    let told = (amended.px, amended.sz, amended.purpose);
    assert_eq!(told, (px("99"), sz("0.3"), Purpose::Exit(ExitReason::Flatten)));
    desk.orders.drop_pending(ms(10), id);
    assert_eq!(desk.orders.take_closed_exit().map(|closed| closed.sent), Some(false));
}

#[test]
fn exits_that_were_refused_in_one_action_say_so() {
    let words = Excerpt::of(b"Order has invalid size.");
    let lone = [OrderAnswer::Error(words)];
    let answers = [PostAnswer::Refused(words), PostAnswer::Statuses(&lone)];
    for answer in answers {
        for orders in [1, 2_u128] {
            let mut desk = Desk::new();
            for n in 0..orders {
                let id = desk.orders.open(ms(0), exit(n)).expect("a slot");
                desk.orders.sent(ms(0), id, 9, 1, ms(2_000).wall);
            }
            desk.orders.on_answer(ms(100), 1, &answer);
            for _ in 0..orders {
                let closed = desk.orders.take_closed_exit().expect("refused");
                assert_eq!((closed.together, closed.heard), (orders > 1, true));
            }
        }
    }
}
