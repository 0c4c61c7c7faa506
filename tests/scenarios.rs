//! The engine's behavior, from the venue's bytes to the rows it records, in virtual time.

mod support;

use hip3::types::event::{Event, LinkDown};
use hip3::types::ids::{Coin, SignalId};
use hip3::types::log_event::LogEvent;
use hip3::types::num::{Bps, Px, Side, Sz};
use hip3::types::record::{CrossEnd, Decision, Filter, GapCause, Gate, Row, SampleStatus};
use hip3::types::status::LinkState;
use hip3::types::time::Nanos;
use support::{FIRST_ID, START, Scenario, config};

const ONE: &str = "tst:ONE";
const TWO: &str = "tst:TWO";

fn px(text: &str) -> Px {
    Px::parse(text.as_bytes()).expect("a price")
}

fn sz(text: &str) -> Sz {
    Sz::parse(text.as_bytes()).expect("a size")
}

fn bps(text: &str) -> Bps {
    Bps::parse(text.as_bytes()).expect("bps")
}

// ---- Coming up ---------------------------------------------------------------------------------

#[test]
fn it_reads_the_venue_then_connects_then_subscribes() {
    let mut s = Scenario::silent(&config());
    s.event(Event::Tick);
    assert_eq!((s.readings, s.connects), (1, 0), "no subscription without a live meta");
    s.reread();
    assert_eq!(s.connects, 1);
    assert!(s.sent.is_empty());
    s.event(Event::Connected);
    assert_eq!(
        s.sent,
        [
            r#"{"method":"subscribe","subscription":{"type":"bbo","coin":"tst:ONE"}}"#,
            r#"{"method":"subscribe","subscription":{"type":"activeAssetCtx","coin":"tst:ONE"}}"#,
            r#"{"method":"subscribe","subscription":{"type":"bbo","coin":"tst:TWO"}}"#,
            r#"{"method":"subscribe","subscription":{"type":"activeAssetCtx","coin":"tst:TWO"}}"#,
        ]
    );
}

#[test]
fn a_venue_that_cannot_be_read_is_asked_again_and_again() {
    let mut s = Scenario::silent(&config());
    s.event(Event::Tick);
    for n in 2..8 {
        s.event(Event::UniverseFailed);
        s.pass_ms(60_000);
        assert_eq!(s.readings, n);
        // Each time within its minute, and never in a burst.
        s.readings = n;
    }
    s.reread();
    assert_eq!(s.connects, 1);
}

#[test]
fn a_reading_without_an_answer_is_asked_for_again() {
    let mut s = Scenario::silent(&config());
    s.event(Event::Tick);
    s.pass_ms(59_999);
    assert_eq!(s.readings, 1);
    s.pass_ms(1);
    assert_eq!(s.readings, 2);
}

#[test]
fn include_and_exclude_choose_the_markets() {
    let mut only_two = config();
    only_two.venue.include = vec![TWO.to_owned(), "tst:NONE".to_owned()];
    let s = Scenario::connected(&only_two);
    assert_eq!(s.engine.markets().len(), 1);
    assert_eq!(s.engine.markets()[0].spec.coin.as_str(), TWO);
    assert!(
        s.log_events
            .iter()
            .any(|n| matches!(n, LogEvent::NotListed { coin } if coin.as_str() == "tst:NONE"))
    );

    let mut not_two = config();
    not_two.venue.exclude = vec![TWO.to_owned()];
    let s = Scenario::connected(&not_two);
    assert_eq!(s.engine.markets().len(), 1);
    assert_eq!(s.engine.markets()[0].spec.coin.as_str(), ONE);
}

#[test]
fn acknowledgements_make_the_link_live_whatever_the_server_adds() {
    let mut s = Scenario::connected(&config());
    for coin in [ONE, TWO] {
        s.frame(&format!(
            r#"{{"channel":"subscriptionResponse","data":{{"method":"subscribe","subscription":{{"coin":"{coin}","type":"bbo","extra":null}}}}}}"#
        ));
        assert_eq!(s.status().link, LinkState::Subscribing);
        s.frame(&format!(
            r#"{{"channel":"error","data":"Already subscribed: {{\"type\":\"activeAssetCtx\",\"coin\":\"{coin}\"}}"}}"#
        ));
    }
    assert_eq!(s.status().link, LinkState::Live);
}

#[test]
fn data_of_every_market_make_it_ready_and_end_the_gap_of_the_start() {
    let mut s = Scenario::connected(&config());
    s.pass_ms(300);
    s.calm_quotes();
    assert!(s.log_events.contains(&LogEvent::Ready { markets: 2, set_aside: 0 }));
    let [gap] = s.gaps()[..] else { panic!("one gap: {:?}", s.gaps()) };
    assert_eq!((gap.cause, gap.started_at, gap.markets), (GapCause::Start, START, 2));
    assert_eq!(gap.ended_at, START.plus(Nanos::from_millis(300)));
}

#[test]
fn a_market_without_data_is_set_aside_and_joins_later() {
    let mut s = Scenario::connected(&config());
    s.ctx(ONE, "100");
    s.bbo(ONE, "99.95", "100.05");
    s.pass_ms(9_999);
    s.event(Event::Tick);
    assert!(s.gaps().is_empty());
    s.frame(r#"{"channel":"pong"}"#);
    s.pass_ms(1);
    assert!(s.log_events.contains(&LogEvent::Ready { markets: 2, set_aside: 1 }));
    assert_eq!(s.gaps().len(), 1);
    s.bbo(TWO, "99.95", "100.05");
    s.ctx(TWO, "100");
    assert!(
        s.log_events.iter().any(|n| matches!(n, LogEvent::Joined { coin } if coin.as_str() == TWO))
    );
}

// ---- Detection ---------------------------------------------------------------------------------

#[test]
fn an_ask_under_the_oracle_by_the_cost_is_a_signal_to_buy() {
    let mut s = Scenario::calm(&config());
    // Cost: 0.9 (fee of a market in growth mode) + 2 + 5 = 7.9 bps. At 126.6 the ask of 126.5
    // would need 126.50 ≤ 126.6 × (1 − 0.00079) = 126.4999…: one tick short.
    s.bbo_sized(ONE, None, None);
    s.ctx(ONE, "126.6");
    s.bbo(ONE, "126.4", "126.5");
    assert!(s.signals().is_empty());
    s.pass_ms(40);
    s.ctx_with(ONE, "126.7", "126.5", "126.5", "50");
    let [signal] = s.signals()[..] else { panic!("one signal") };
    assert_eq!(signal.id, SignalId(FIRST_ID));
    assert_eq!((signal.side, signal.coin.as_str()), (Side::Buy, ONE));
    assert_eq!(signal.asset.0, 110_000);
    assert_eq!((signal.oracle_px, signal.mark_px), (px("126.7"), Some(px("126.5"))));
    assert_eq!(signal.ask.map(|l| l.px), Some(px("126.5")));
    assert_eq!(signal.bid.map(|l| l.px), Some(px("126.4")));
    // (126.7 − 126.5) / 126.7
    assert!(bps("15.785") < signal.raw_edge && signal.raw_edge < bps("15.786"));
    assert!(bps("11.985") < signal.net_edge && signal.net_edge < bps("11.986"));
    assert!(bps("8.7999") < signal.cost && signal.cost <= bps("8.8"));
    // 50 USD at 126.5 is 0.395…, and the lot is 0.01.
    assert_eq!(signal.suggested_sz, sz("0.39"));
    assert_eq!(signal.suggested_notional.to_string(), "49.335");
    assert_eq!(signal.detected_at, s.now().wall);
    assert_eq!((signal.bbo_age, signal.ctx_age), (Nanos::from_millis(40), Nanos::ZERO));
    assert_eq!(signal.cross_age, Nanos::ZERO);
    assert_eq!(s.status().crosses_open, 1);
}

#[test]
fn a_bid_above_the_oracle_by_the_cost_is_a_signal_to_sell() {
    let mut s = Scenario::calm(&config());
    s.ctx_with(ONE, "99.8", "100", "100", "50");
    let [signal] = s.signals()[..] else { panic!("one signal") };
    assert_eq!(signal.side, Side::Sell);
    assert_eq!(signal.decision, Decision::Observed);
    assert_eq!((signal.blocked_by, signal.gate_mask), (None, 0));
}

#[test]
fn a_price_exactly_on_its_threshold_is_a_signal_and_one_unit_past_it_is_none() {
    // 100 × (1 − 0.00088) = 99.912
    let mut s = Scenario::calm(&config());
    s.bbo(ONE, "99.9", "99.91200001");
    assert!(s.signals().is_empty());
    s.bbo(ONE, "99.9", "99.912");
    assert_eq!(s.signals().len(), 1);
}

#[test]
fn only_the_market_whose_news_came_is_judged() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "101");
    s.bbo(TWO, "99.95", "100.05");
    assert_eq!(s.signals().len(), 1, "no repetition by another market's news");
}

#[test]
fn a_lasting_cross_signals_again_each_second_and_not_with_each_update() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "101");
    for _ in 0..9 {
        s.pass_ms(100);
        s.bbo(ONE, "99.95", "100.05");
    }
    assert_eq!(s.signals().len(), 1);
    s.pass_ms(100); // Nothing but time.
    assert_eq!(s.signals().len(), 2);
    s.pass_ms(2_500);
    let signals = s.signals();
    assert_eq!(signals.len(), 4);
    assert!(signals.iter().all(|r| r.cross == signals[0].cross));
    assert_eq!(signals[3].cross_age, Nanos::from_millis(3_000));
}

#[test]
fn a_thin_book_makes_no_signal_until_it_is_thick_enough() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "101");
    s.rows.clear();
    s.bbo_sized(ONE, Some(("90", "100")), Some(("102", "1"))); // Ends the first cross.
    s.rows.clear();
    s.bbo_sized(ONE, Some(("90", "100")), Some(("100", "4.99"))); // 499 USD.
    assert!(s.signals().is_empty());
    assert_eq!(s.status().crosses_open, 1);
    s.pass_ms(10);
    s.bbo_sized(ONE, Some(("90", "100")), Some(("100", "5")));
    let [signal] = s.signals()[..] else { panic!("one signal") };
    assert_eq!(signal.suggested_sz, Sz::ZERO, "scaled from zero at the thin end");
    assert_eq!(signal.cross_age, Nanos::from_millis(10));
}

/// A27: in observation, too, a signal that is too small to trade does not defer the first that is not.
#[test]
fn a_cross_signals_when_its_book_can_be_traded() {
    let mut s = Scenario::calm(&config());
    s.bbo_sized(ONE, Some(("99.55", "6")), Some(("99.6", "6"))); // 597.60 USD.
    s.pass_ms(50);
    s.bbo_sized(ONE, Some(("99.55", "6")), Some(("99.6", "6.5")));
    s.pass_ms(50);
    s.bbo(ONE, "99.55", "99.6");
    let [small, full] = s.signals()[..] else { panic!("{:?}", s.signals()) };
    assert_eq!((small.suggested_sz, full.suggested_sz), (sz("0.01"), sz("0.5")));
    assert_eq!(full.cross_age, Nanos::from_millis(100));
    assert_eq!((small.decision, full.decision), (Decision::Observed, Decision::Observed));
    s.pass_ms(999);
    assert_eq!(s.signals().len(), 2);
    s.pass_ms(1);
    assert_eq!(s.signals().len(), 3);
}

/// A3: an edge beyond reason is recorded with its filter, and followed up like any other.
#[test]
fn a_bad_print_is_recorded_with_its_filter() {
    let mut s = Scenario::calm(&config());
    s.ctx_with(ONE, "150", "100", "100", "50.5");
    let [signal] = s.signals()[..] else { panic!("{:?}", s.signals()) };
    assert_eq!(signal.decision, Decision::Filtered(Filter::MaxEdge));
    assert_eq!(signal.decision.to_string(), "filtered:MaxEdge");
    assert_eq!((signal.blocked_by, signal.gate_mask), (None, 0));
    assert_eq!(s.status().signals_filtered, [1]);
    s.pass_ms(5_000);
    assert_eq!(s.followups().iter().filter(|row| row.signal == signal.id).count(), 3);

    // What a gate blocks already no filter is asked about.
    let mut s = Scenario::calm(&config());
    s.ctx_with(ONE, "150", "101", "100", "50.5");
    assert_eq!(s.signals()[0].decision, Decision::Blocked(Gate::MarkMidDivergence));
}

#[test]
fn a_market_may_have_its_own_threshold() {
    let mut config = config();
    config.detector.thresholds = vec![(ONE.to_owned(), bps("50"))];
    let mut s = Scenario::calm(&config);
    s.ctx(ONE, "100.5");
    s.ctx(TWO, "100.5");
    assert_eq!(s.signals().iter().map(|r| r.coin.as_str()).collect::<Vec<_>>(), [TWO]);
    s.ctx(ONE, "101");
    assert_eq!(s.signals()[1].cost, bps("50"));
}

#[test]
fn books_that_cannot_be_traded_are_no_dislocations() {
    let mut s = Scenario::calm(&config());
    s.bbo_sized(ONE, None, Some(("90", "100")));
    s.bbo_sized(ONE, Some(("110", "100")), None);
    s.bbo_sized(ONE, None, None);
    s.bbo(ONE, "110", "90");
    s.bbo(ONE, "90", "90");
    s.bbo_sized(ONE, Some(("89", "100")), Some(("90", "0")));
    assert!(s.rows.is_empty(), "{:?}", s.rows);
    s.bbo(ONE, "89", "90");
    assert_eq!(s.signals().len(), 1);
}

// ---- Crosses -----------------------------------------------------------------------------------

#[test]
fn a_cross_ends_when_the_quote_or_the_oracle_comes_back() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "101");
    s.pass_ms(700);
    s.bbo(ONE, "100.95", "101.05");
    s.ctx(TWO, "101");
    s.pass_ms(300);
    s.ctx(TWO, "100");
    let crosses = s.crosses();
    let [by_quote, by_oracle] = crosses[..] else { panic!("two crosses: {crosses:?}") };
    assert_eq!((by_quote.end, by_quote.duration), (CrossEnd::Quote, Nanos::from_millis(700)));
    assert_eq!(by_quote.quote_survival, Some(Nanos::from_millis(700)));
    assert_eq!((by_quote.signals, by_quote.side), (1, Side::Buy));
    assert_eq!(by_oracle.end, CrossEnd::Oracle);
    assert_eq!(by_oracle.quote_survival, None, "the quote outlived the cross");
    assert_eq!(s.status().crosses_open, 0);
}

#[test]
fn the_first_quote_survives_until_less_than_the_wanted_size_is_left() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "101"); // Wants 0.49 at 100.05.
    s.pass_ms(100);
    s.bbo_sized(ONE, Some(("99.95", "100")), Some(("100.05", "0.49")));
    s.pass_ms(100);
    s.bbo_sized(ONE, Some(("99.95", "100")), Some(("100.05", "0.48")));
    s.pass_ms(100);
    s.bbo_sized(ONE, Some(("99.95", "100")), Some(("100.05", "500")));
    s.pass_ms(100);
    s.bbo(ONE, "101", "101.1");
    let [cross] = s.crosses()[..] else { panic!("one cross") };
    assert_eq!(cross.quote_survival, Some(Nanos::from_millis(200)));
    assert_eq!(cross.duration, Nanos::from_millis(400));
}

#[test]
fn the_largest_edge_of_a_cross_is_kept() {
    let mut s = Scenario::calm(&config());
    s.bbo(ONE, "99", "99.9");
    s.bbo(ONE, "99", "99.5");
    s.bbo(ONE, "99", "99.8");
    s.bbo(ONE, "99.95", "100.05");
    let [cross] = s.crosses()[..] else { panic!("one cross") };
    assert_eq!(cross.max_raw_edge, Bps::from_int(50));
}

#[test]
fn a_vanished_side_ends_a_cross() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "101");
    s.bbo_sized(ONE, Some(("99.95", "1")), None);
    assert_eq!(s.crosses()[0].end, CrossEnd::NoQuote);
}

#[test]
fn a_ctx_that_stays_away_ends_a_cross_as_stale() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "101");
    for _ in 0..16 {
        s.pass_ms(500);
        s.frame(r#"{"channel":"pong"}"#);
    }
    assert!(s.crosses().is_empty(), "at its limit of 8 s it still passes");
    s.pass(Nanos(1));
    let [cross] = s.crosses()[..] else { panic!("one cross") };
    assert_eq!((cross.end, cross.duration), (CrossEnd::Stale, Nanos(8_000_000_001)));
    // Stale data begin no cross either.
    s.bbo(ONE, "99", "99.1");
    assert_eq!(s.status().crosses_open, 0);
}

#[test]
fn a_quote_that_does_not_change_is_not_stale() {
    let mut s = Scenario::calm(&config());
    for second in 0..20 {
        s.pass_ms(1_000);
        s.ctx(ONE, if second < 10 { "100" } else { "101" });
    }
    let signals = s.signals();
    assert!(!signals.is_empty());
    assert_eq!(signals[0].blocked_by, Some(Gate::BboUpdate), "but gate 1 has its opinion");
    assert_eq!(s.status().crosses_open, 1);
}

// ---- Later looks -------------------------------------------------------------------------------

#[test]
fn every_signal_gets_its_follow_ups_from_both_sides_of_the_book() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "101"); // Buys at 100.05.
    s.pass_ms(999);
    assert!(s.followups().is_empty());
    s.ctx(ONE, "101");
    s.bbo(ONE, "100.5", "100.6");
    s.ctx(ONE, "101.5");
    s.pass_ms(1);
    let [first] = s.followups()[..] else { panic!("one follow-up") };
    assert_eq!((first.signal, first.offset_ms), (SignalId(FIRST_ID), 1000));
    assert_eq!(first.status, SampleStatus::Captured);
    assert_eq!(
        (first.bid.map(|l| l.px), first.ask.map(|l| l.px)),
        (Some(px("100.5")), Some(px("100.6")))
    );
    assert_eq!(first.oracle_px, Some(px("101.5")));
    // Entered at 100.05, left at the bid of 100.5: (100.5 − 100.05) / 100.05.
    let markout = first.markout.expect("a markout");
    assert!(bps("44.97") < markout && markout < bps("44.98"));
    assert_eq!(first.market_moved, Some(Bps::from_int(55)), "the mid went from 100 to 100.55");
    let oracle_moved = first.oracle_moved.expect("a move of the oracle, 101 to 101.5");
    assert!(bps("49.50") < oracle_moved && oracle_moved < bps("49.51"));
    let edge = first.raw_edge.expect("an edge: (101.5 − 100.6) / 101.5");
    assert!(bps("88.66") < edge && edge < bps("88.67"));
    assert_eq!(first.bbo_age, Some(Nanos::from_millis(1)));

    for _ in 0..4 {
        s.ctx(ONE, "100.5");
        s.pass_ms(1_000);
    }
    let of_first: Vec<_> =
        s.followups().into_iter().filter(|r| r.signal == SignalId(FIRST_ID)).collect();
    assert_eq!(of_first.iter().map(|r| r.offset_ms).collect::<Vec<_>>(), [1000, 3000, 5000]);
    assert!(of_first.iter().all(|r| r.signal_at == START.plus(Nanos::ZERO)));
}

#[test]
fn the_markout_of_a_sale_leaves_at_the_ask() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "99"); // Sells at 99.95.
    s.bbo(ONE, "98.9", "99");
    s.pass_ms(1_000);
    let markout = s.followups()[0].markout.expect("a markout: (99.95 − 99) / 99.95");
    assert!(bps("95.04") < markout && markout < bps("95.05"));
}

#[test]
fn nothing_is_marked_out_at_prices_where_nothing_stands() {
    for (bid, ask) in [
        (Some(("99.95", "0")), Some(("100.05", "1"))),
        (Some(("0", "0")), Some(("100.05", "1"))),
        (Some(("110", "1")), Some(("90", "1"))),
        (None, Some(("100.05", "1"))),
    ] {
        let mut s = Scenario::calm(&config());
        s.ctx(ONE, "101"); // Buys at 100.05.
        s.bbo_sized(ONE, bid, ask);
        s.pass_ms(1_000);
        let followup = s.followups()[0];
        assert_eq!((followup.markout, followup.market_moved), (None, None), "{bid:?} {ask:?}");
        assert_eq!(followup.bid.map(|l| l.px), bid.map(|(text, _)| px(text)), "as it came");
    }
}

#[test]
fn entry_probes_tell_what_a_late_order_would_have_met() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "101"); // Buys 0.49 at 100.05.
    s.pass_ms(40);
    s.bbo_sized(ONE, Some(("99.95", "1")), Some(("100.05", "0.2")));
    s.pass_ms(10);
    s.bbo_sized(ONE, Some(("99.95", "1")), Some(("100.04", "7")));
    s.pass_ms(150);
    s.bbo(ONE, "100", "100.06");
    s.pass_ms(200);
    s.bbo_sized(ONE, Some(("99.95", "1")), None);
    s.pass_ms(500);
    let entries = s.entries();
    assert_eq!(entries.iter().map(|r| r.latency_ms).collect::<Vec<_>>(), [50, 200, 400, 900]);
    assert!(
        entries.iter().all(|r| r.limit_px == px("100.05") && r.status == SampleStatus::Captured)
    );
    let seen: Vec<_> = entries.iter().map(|r| (r.px, r.available_sz, r.fillable_sz)).collect();
    // Each probe sees the state from before what arrives in the same moment.
    assert_eq!(seen[0], (Some(px("100.05")), Some(sz("0.2")), Some(sz("0.2"))));
    assert_eq!(seen[1], (Some(px("100.04")), Some(sz("7")), Some(sz("0.49"))));
    assert_eq!(seen[2], (Some(px("100.06")), Some(Sz::ZERO), Some(Sz::ZERO)));
    assert_eq!(seen[3], (None, Some(Sz::ZERO), Some(Sz::ZERO)));
}

#[test]
fn looks_are_taken_at_the_first_pass_after_they_fall_due() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "101");
    s.stall_ms(1_007);
    s.bbo(ONE, "100.9", "101.1"); // Comes in the same pass, and after the look.
    let [followup] = s.followups()[..] else { panic!("one follow-up") };
    assert_eq!(followup.ask.map(|l| l.px), Some(px("100.05")));
    assert_eq!(followup.captured_at, START.plus(Nanos::from_millis(1_007)));
    assert_eq!(s.entries().len(), 4);
}

#[test]
fn looks_into_stale_or_lost_markets_say_so() {
    let mut s = Scenario::calm(&config());
    s.pass_ms(7_500);
    s.bbo(ONE, "99", "99.1"); // The ctx is 7.5 s old: still fresh, and at T+1000 stale.
    s.pass_ms(1_000);
    s.event(Event::Disconnected(LinkDown::Dropped));
    s.pass_ms(4_000);
    let followups = s.followups();
    let statuses: Vec<_> = followups.iter().map(|r| r.status).collect();
    assert_eq!(
        statuses,
        [SampleStatus::Stale, SampleStatus::Disconnected, SampleStatus::Disconnected]
    );
    assert!(followups[0].bid.is_some());
    assert_eq!(
        (followups[1].bid, followups[1].oracle_px, followups[1].markout),
        (None, None, None)
    );
}

#[test]
fn a_stop_gives_every_look_that_is_owed_and_ends_every_cross() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "101");
    s.pass_ms(300);
    s.event(Event::Stop);
    assert!(s.stopped);
    assert_eq!(s.closed, [LinkDown::Stopped]);
    let followups: Vec<_> = s.followups().iter().map(|r| (r.offset_ms, r.status)).collect();
    let shutdown = |ms| (ms, SampleStatus::Shutdown);
    assert_eq!(followups, [shutdown(1000), shutdown(3000), shutdown(5000)]);
    let entries: Vec<_> = s.entries().iter().map(|r| (r.latency_ms, r.status)).collect();
    assert_eq!(
        entries,
        [(50, SampleStatus::Captured), (200, SampleStatus::Captured), shutdown(400), shutdown(900)]
    );
    assert_eq!(s.crosses()[0].end, CrossEnd::Shutdown);
    let rows = s.rows.len();
    s.ctx(ONE, "102");
    s.event(Event::Stop);
    s.pass_ms(10_000);
    assert_eq!(s.rows.len(), rows, "a stopped engine is silent");
}

// ---- The eight gates, from the venue's bytes to their effect -----------------------------------

/// The gate that the next signal in `ONE` names, after `bytes` came. The oracle moves to 101.
fn blocked_by(s: &mut Scenario) -> (Option<Gate>, u8, Decision) {
    s.rows.clear();
    s.ctx(ONE, "101");
    let [signal] = s.signals()[..] else { panic!("one signal: {:?}", s.rows) };
    (signal.blocked_by, signal.gate_mask, signal.decision)
}

#[test]
fn the_time_that_a_gate_blocks_is_counted_over_markets_and_links() {
    let blocked = |s: &Scenario, gate: Gate| s.status().gate_blocked[gate as usize].as_millis();
    let shock = Gate::SpreadShock;
    let mut s = Scenario::connected(&config());
    // Without a baseline both markets are blocked from the start.
    s.calm_quotes();
    let none = s.status().gate_blocked;
    s.bbo(ONE, "99.6", "100.4");
    s.pass_ms(700);
    assert_eq!(blocked(&s, shock), 700, "it is counted while it lasts");
    s.bbo(TWO, "99.6", "100.4");
    s.pass_ms(300);
    assert_eq!(blocked(&s, shock), 1_300, "of both markets");
    s.bbo(ONE, "99.95", "100.05");
    s.pass_ms(500);
    assert_eq!(blocked(&s, shock), 1_800, "of the other");
    // Another gate comes first now, and the time before stays.
    let before = START.0 / 1_000_000 + 499; // A millisecond.
    s.bbo_at(TWO, before, Some(("99.6", "100")), Some(("100.4", "100")));
    s.pass_ms(400);
    assert_eq!((blocked(&s, shock), blocked(&s, Gate::TimeRegression)), (1_800, 400));
    // The end of the link ends what was judged by it.
    s.event(Event::Disconnected(LinkDown::Dropped));
    s.pass_ms(1_000);
    assert_eq!((blocked(&s, shock), blocked(&s, Gate::TimeRegression)), (1_800, 400));
    let others = |s: &Scenario| {
        let mut blocked = s.status().gate_blocked;
        (blocked[shock as usize], blocked[Gate::TimeRegression as usize]) =
            (Nanos::ZERO, Nanos::ZERO);
        blocked
    };
    assert_eq!((none, others(&s)), ([Nanos::ZERO; 8], [Nanos::ZERO; 8]));
    assert!(s.status().gate_blocks[shock as usize] >= 2, "{:?}", s.status().gate_blocks);
}

#[test]
fn gate_1_an_old_quote_blocks_until_the_next() {
    let mut s = Scenario::calm(&config());
    s.pass_ms(2_001);
    let blocked = (Some(Gate::BboUpdate), 0b1, Decision::Blocked(Gate::BboUpdate));
    assert_eq!(blocked_by(&mut s), blocked);
    assert_eq!(s.signals()[0].decision.to_string(), "blocked:BboUpdate");
    s.pass_ms(1_000);
    s.bbo(ONE, "99.95", "100.05");
    s.pass_ms(1_000);
    assert_eq!(s.signals()[2].blocked_by, None);
}

#[test]
fn gate_2_an_old_ctx_blocks_until_the_next() {
    let mut s = Scenario::calm(&config());
    s.pass_ms(8_001);
    s.bbo(ONE, "99.95", "100.05");
    assert!(s.log_events.iter().any(
        |n| matches!(n, LogEvent::Gate { coin, gate: Some(Gate::CtxUpdate) } if coin.as_str() == ONE)
    ));
    s.bbo(ONE, "98", "98.1");
    assert!(s.signals().is_empty(), "a stale oracle dislocates nothing");
    s.ctx(ONE, "100");
    assert_eq!(s.signals()[0].blocked_by, None);
}

#[test]
fn gate_2_a_ctx_without_an_oracle_blocks() {
    let mut s = Scenario::calm(&config());
    s.frame(r#"{"channel":"activeAssetCtx","data":{"coin":"tst:ONE","ctx":{"openInterest":"1.0","markPx":"100.0","midPx":"100.0","oraclePx":null}}}"#);
    assert!(
        s.log_events
            .iter()
            .any(|n| matches!(n, LogEvent::Gate { gate: Some(Gate::CtxUpdate), .. }))
    );
}

#[test]
fn gate_3_a_block_time_that_runs_back_blocks_until_a_new_link() {
    let mut s = Scenario::calm(&config());
    let before = START.0 / 1_000_000 - 201; // A millisecond.
    s.bbo_at(ONE, before, Some(("99.95", "100")), Some(("100.05", "100")));
    let blocked = (Some(Gate::TimeRegression), 0b100, Decision::Blocked(Gate::TimeRegression));
    assert_eq!(blocked_by(&mut s), blocked);
    s.bbo(ONE, "99.95", "100.05");
    s.pass_ms(1_000);
    assert_eq!(s.signals()[1].blocked_by, Some(Gate::TimeRegression), "later times do not help");

    s.event(Event::Disconnected(LinkDown::Closed));
    s.pass_ms(5_000);
    s.event(Event::Connected);
    s.calm_quotes();
    assert_eq!(blocked_by(&mut s).0, None);
}

#[test]
fn gate_4_a_mark_far_from_the_mid_blocks_until_it_returns() {
    let mut s = Scenario::calm(&config());
    s.ctx_with(ONE, "101", "101", "100", "50");
    assert_eq!(s.signals()[0].blocked_by, Some(Gate::MarkMidDivergence));
    assert_eq!(s.signals()[0].gate_mask, 0b1000);
    s.pass_ms(500);
    s.ctx_with(ONE, "101", "100.5", "100", "50");
    s.pass_ms(500);
    assert_eq!(s.signals()[1].blocked_by, None);
}

#[test]
fn gate_5_a_shocked_spread_shrinks_and_then_blocks() {
    let mut s = Scenario::calm(&config()); // Average: 10 bps.
    s.bbo(ONE, "99.8", "100.2"); // 40 bps: above 3 times.
    assert_eq!(blocked_by(&mut s).0, None);
    assert_eq!(s.signals()[0].size_factor.to_string(), "0.2");
    let mut s = Scenario::calm(&config());
    s.bbo(ONE, "99.6", "100.4"); // 80 bps: above 6 times.
    let blocked = (Some(Gate::SpreadShock), 0b1_0000, Decision::Blocked(Gate::SpreadShock));
    assert_eq!(blocked_by(&mut s), blocked);
}

#[test]
fn gate_5_shrinks_the_size_of_signals_that_another_gate_blocks() {
    let mut s = Scenario::calm(&config());
    s.bbo(ONE, "99.8", "100.2"); // 40 bps: above 3 times.
    s.pass_ms(2_001);
    assert_eq!(blocked_by(&mut s).0, Some(Gate::BboUpdate));
    assert_eq!(s.signals()[0].size_factor.to_string(), "0.2");
}

#[test]
fn gate_5_wants_a_baseline_that_survives_a_reconnect() {
    let mut s = Scenario::connected(&config());
    s.ctx(ONE, "100");
    for _ in 0..3 {
        s.bbo(ONE, "99.95", "100.05");
    }
    // The third was judged against two; the fourth will be against three.
    assert_eq!(blocked_by(&mut s).0, Some(Gate::SpreadShock));
    s.event(Event::Disconnected(LinkDown::Dropped));
    s.pass_ms(5_000);
    s.event(Event::Connected);
    s.ctx(ONE, "100");
    s.bbo(ONE, "99.95", "100.05");
    assert_eq!(blocked_by(&mut s).0, None);
}

#[test]
fn gate_5_averages_nothing_that_an_earlier_gate_kept_out() {
    let mut s = Scenario::calm(&config());
    let before = s.engine.markets()[0].average;
    s.ctx_with(ONE, "100", "102", "100", "50"); // Gate 4 blocks.
    s.bbo(ONE, "98", "102");
    assert_eq!(s.engine.markets()[0].average, before);
    s.ctx(ONE, "100");
    assert_eq!(s.engine.markets()[0].average, before, "a ctx averages nothing");
    s.bbo(ONE, "98", "102"); // Gate 5 blocks, and averages.
    assert_eq!(s.engine.markets()[0].average.samples, before.samples + 1);
}

#[test]
fn gate_6_open_interest_at_its_cap_blocks_and_near_it_warns() {
    let mut s = Scenario::calm(&config());
    s.ctx_with(ONE, "100", "100", "100", "9500");
    assert!(
        s.log_events
            .iter()
            .any(|n| matches!(n, LogEvent::OiNearCap { coin } if coin.as_str() == ONE))
    );
    s.ctx_with(ONE, "101", "100", "100", "9900.9900990099");
    assert_eq!(s.signals()[0].blocked_by, None, "a hair under 1,000,000 USD");
    s.pass_ms(500);
    s.ctx_with(ONE, "101", "100", "100", "9900.9900991");
    s.pass_ms(500);
    assert_eq!(s.signals()[1].blocked_by, Some(Gate::OiCap));
}

#[test]
fn gate_6_believes_the_venues_list_of_capped_markets_and_its_caps() {
    let mut s = Scenario::calm(&config());
    s.info.at_cap = r#"["tst:ONE"]"#.to_owned();
    s.reread();
    assert_eq!(blocked_by(&mut s).0, Some(Gate::OiCap));

    let mut s = Scenario::calm(&config());
    s.info.limits = s.info.limits.replace(r#"["tst:ONE","1000000.0"]"#, r#"["tst:ONE","5000.0"]"#);
    s.reread();
    assert_eq!(blocked_by(&mut s).0, Some(Gate::OiCap));
}

#[test]
fn gate_7_a_changed_rule_blocks_until_a_restart() {
    for (from, to) in [
        (r#""szDecimals":2"#, r#""szDecimals":3"#),
        (r#""maxLeverage":20"#, r#""maxLeverage":25"#),
        (r#""marginTableId":20"#, r#""marginTableId":25"#),
        (r#""growthMode":"enabled","deployerFeeScale":"1.0"},{"#, r#""deployerFeeScale":"1.0"},{"#),
        (r#""deployerFeeScale":"1.0"},{"#, r#""deployerFeeScale":"0.5"},{"#),
        (r#""name":"tst:ONE","#, r#""name":"tst:ONE","marginMode":"strictIsolated","#),
    ] {
        let mut s = Scenario::calm(&config());
        let original = s.info.meta.clone();
        s.info.meta = original.replacen(from, to, 1);
        assert_ne!(s.info.meta, original, "{from}");
        s.reread();
        assert!(s.log_events.iter().any(|n| matches!(n, LogEvent::ParamChanged { .. })), "{from}");
        assert_eq!(blocked_by(&mut s).0, Some(Gate::ParamChange), "{from}");
        s.info.meta = original;
        s.reread();
        s.ctx(ONE, "100");
        assert_eq!(blocked_by(&mut s).0, Some(Gate::ParamChange), "{from}: and back");
        s.ctx(TWO, "101");
        assert_eq!(s.signals()[1].blocked_by, None, "the other market is not concerned");
    }
}

#[test]
fn an_end_of_growth_mode_raises_the_cost_at_once() {
    let mut s = Scenario::calm(&config());
    s.info.meta = s.info.meta.replace(r#""growthMode":"enabled","#, "");
    s.reread();
    s.ctx(ONE, "100.25"); // 20 bps to the ask: above 8.8, below 2 × 9 + 7.
    assert!(s.signals().is_empty());
    s.ctx(ONE, "100.35");
    let [signal] = s.signals()[..] else { panic!("one signal") };
    assert!(bps("24.9999") < signal.cost && signal.cost <= bps("25"));
}

#[test]
fn gate_8_a_delisted_or_vanished_or_settled_market_blocks_until_it_resumes() {
    let mut s = Scenario::calm(&config());
    let original = s.info.meta.clone();
    s.info.meta =
        original.replacen(r#""name":"tst:ONE","#, r#""name":"tst:ONE","isDelisted":true,"#, 1);
    s.reread();
    assert_eq!(blocked_by(&mut s).0, Some(Gate::Halt));
    s.info.meta = original;
    s.reread();
    s.pass_ms(1_000);
    assert_eq!(s.signals()[1].blocked_by, None);
    let told: Vec<_> = s
        .log_events
        .iter()
        .filter(|n| matches!(n, LogEvent::Halted { .. } | LogEvent::Resumed { .. }))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");

    s.ctx_settled(ONE);
    assert_eq!(s.status().gate_blocks[Gate::MarkMidDivergence as usize], 1, "its mid is null too");
    s.rows.clear();
    s.bbo(ONE, "98", "99");
    assert_eq!(s.signals()[0].gate_mask & Gate::Halt.bit(), Gate::Halt.bit());
    // A reconnect alone does not resume it.
    s.event(Event::Disconnected(LinkDown::Dropped));
    s.pass_ms(1_000);
    s.event(Event::Connected);
    s.log_events.clear();
    s.reread();
    s.bbo(ONE, "98", "99");
    s.ctx_settled(ONE);
    assert!(
        !s.log_events
            .iter()
            .any(|n| matches!(n, LogEvent::Resumed { .. } | LogEvent::Halted { .. }))
    );
    s.ctx(ONE, "100");
    assert!(s.log_events.iter().any(|n| matches!(n, LogEvent::Resumed { .. })));
}

// ---- Links -------------------------------------------------------------------------------------

#[test]
fn a_dropped_link_ends_crosses_leaves_a_gap_and_comes_back() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "101");
    let heard = s.now().wall;
    s.pass_ms(50);
    s.sent.clear();
    s.event(Event::Disconnected(LinkDown::Dropped));
    assert_eq!(s.crosses()[0].end, CrossEnd::Disconnected);
    assert_eq!(s.status().live, 0);
    s.pass_ms(1_000);
    assert_eq!(s.connects, 2);
    s.event(Event::Connected);
    assert_eq!(s.sent.len(), 4, "everything is subscribed again");
    assert!(s.gaps().is_empty());
    s.pass_ms(200);
    s.calm_quotes();
    let [gap] = s.gaps()[..] else { panic!("one gap") };
    assert_eq!((gap.cause, gap.started_at), (GapCause::LinkDown, heard));
    assert_eq!(gap.ended_at, s.now().wall);
}

#[test]
fn what_was_held_before_a_drop_is_not_believed_after_it() {
    let mut s = Scenario::calm(&config());
    s.event(Event::Disconnected(LinkDown::Dropped));
    s.pass_ms(1_000);
    s.event(Event::Connected);
    s.bbo(ONE, "98", "98.1");
    assert!(s.signals().is_empty(), "the oracle is not known yet");
    s.ctx(ONE, "100");
    assert_eq!(s.signals().len(), 1);
}

#[test]
fn a_silent_link_is_pinged_then_closed_and_the_gap_counts_from_the_last_frame() {
    let mut s = Scenario::calm(&config());
    let heard = s.now().wall;
    s.sent.clear();
    s.pass_ms(5_000);
    assert_eq!(s.sent, [r#"{"method":"ping"}"#]);
    s.pass_ms(9_999);
    assert!(s.closed.is_empty());
    s.pass_ms(1);
    assert_eq!(s.closed, [LinkDown::Silent]);
    s.event(Event::Disconnected(LinkDown::Silent)); // The driver's report changes nothing.
    assert_eq!(s.status().disconnects, 1);
    s.pass_ms(1_000);
    s.event(Event::Connected);
    s.calm_quotes();
    assert_eq!(s.gaps()[0].started_at, heard);
}

#[test]
fn a_link_that_only_answers_pings_is_closed_and_the_gap_counts_from_the_last_data() {
    let mut s = Scenario::calm(&config());
    let heard = s.now().wall;
    for _ in 0..15 {
        assert!(s.closed.is_empty());
        s.pass_ms(1_000);
        s.frame(r#"{"channel":"pong"}"#);
    }
    assert_eq!(s.closed, [LinkDown::Silent]);
    s.pass_ms(1_000);
    s.event(Event::Connected);
    s.calm_quotes();
    assert_eq!((s.gaps()[0].cause, s.gaps()[0].started_at), (GapCause::LinkDown, heard));
}

#[test]
fn a_market_that_vanished_is_not_subscribed_again() {
    let mut s = Scenario::calm(&config());
    let original = s.info.meta.clone();
    s.info.meta = original.replacen("tst:TWO", "tst:SIX", 1);
    s.reread();
    assert!(
        s.log_events.iter().any(|n| matches!(n, LogEvent::Halted { coin } if coin.as_str() == TWO))
    );
    s.event(Event::Disconnected(LinkDown::Dropped));
    s.pass_ms(1_000);
    s.sent.clear();
    s.event(Event::Connected);
    // An unknown coin would make the venue drop the whole socket.
    assert!(!s.sent.is_empty() && s.sent.iter().all(|text| !text.contains(TWO)), "{:?}", s.sent);
    s.info.meta = original;
    s.reread();
    s.event(Event::Tick);
    assert!(s.sent.iter().any(|text| text.contains(TWO)), "back on the list, and asked for again");
}

#[test]
fn a_market_that_was_mute_before_does_not_lengthen_the_gap_of_a_reconnect() {
    let mut s = Scenario::connected(&config());
    for _ in 0..11 {
        s.ctx(ONE, "100");
        s.bbo(ONE, "99.95", "100.05");
        s.pass_ms(1_000);
    }
    s.event(Event::Disconnected(LinkDown::Dropped));
    s.pass_ms(1_000);
    s.event(Event::Connected);
    s.rows.clear();
    s.ctx(ONE, "100");
    s.bbo(ONE, "99.95", "100.05");
    assert_eq!(s.gaps().len(), 1, "TWO was set aside and holds up nobody");
}

#[test]
fn a_market_that_has_joined_is_waited_for_on_the_next_link() {
    let mut s = Scenario::connected(&config());
    for _ in 0..11 {
        s.ctx(ONE, "100");
        s.bbo(ONE, "99.95", "100.05");
        s.pass_ms(1_000);
    }
    s.ctx(TWO, "100");
    s.bbo(TWO, "99.95", "100.05");
    assert!(
        s.log_events.iter().any(|n| matches!(n, LogEvent::Joined { coin } if coin.as_str() == TWO))
    );
    s.event(Event::Disconnected(LinkDown::Dropped));
    s.pass_ms(1_000);
    s.event(Event::Connected);
    s.rows.clear();
    s.ctx(ONE, "100");
    s.bbo(ONE, "99.95", "100.05");
    assert!(s.gaps().is_empty(), "TWO is not seen yet");
    s.ctx(TWO, "100");
    s.bbo(TWO, "99.95", "100.05");
    assert_eq!(s.gaps().len(), 1);
}

#[test]
fn frames_of_a_link_that_is_gone_are_not_heard() {
    let mut s = Scenario::calm(&config());
    s.event(Event::Disconnected(LinkDown::Dropped));
    let frames = s.status().frames;
    s.ctx(ONE, "101");
    s.bbo(ONE, "99", "99.1");
    assert_eq!(s.status().frames, frames);
    assert!(s.signals().is_empty());
}

// ---- Time ------------------------------------------------------------------------------------------

/// A12: a quote is as old as its block, where the feed is late: rows and gate 1 say so.
#[test]
fn a_quote_of_a_late_feed_is_as_old_as_its_block() {
    let mut s = Scenario::calm(&config());
    s.blocks_ms(1_000);
    for _ in 0..5 {
        s.pass_ms(1_000);
        s.ctx(ONE, "100");
    }
    s.delay_ms = 2_200; // Two seconds more than usual: at the limit.
    s.bbo(ONE, "98", "98.1");
    s.pass_ms(1_000);
    s.delay_ms = 2_201;
    s.bbo(ONE, "98", "98.1");
    s.pass_ms(1_000);
    let seen: Vec<_> =
        s.signals().iter().map(|row| (row.blocked_by, row.bbo_age.as_millis())).collect();
    let blocked = Some(Gate::BboUpdate);
    assert_eq!(seen, [(None, 2_000), (blocked, 3_000), (blocked, 3_001)]);
    assert_eq!(s.status().feed_lag, Some(Nanos::from_millis(2_001)));
    // Looks into a late feed are no looks in time.
    assert!(s.entries().iter().all(|row| row.status == SampleStatus::Stale), "{:?}", s.entries());
    assert!(!s.entries().is_empty());
}

/// A13: what fell due while the process stood still is no look in time, crosses end when they were last
/// seen, and the records say since when nothing was.
#[test]
fn a_pause_of_the_process_is_a_gap_and_its_looks_are_stale() {
    let mut s = Scenario::calm(&config());
    s.ctx(ONE, "101");
    s.pass_ms(500);
    let last = s.now().wall;
    s.stall_ms(2_600);
    s.ctx(ONE, "101");
    let [gap] = s.gaps()[..] else { panic!("one gap: {:?}", s.gaps()) };
    assert_eq!((gap.cause, gap.started_at, gap.markets), (GapCause::Paused, last, 2));
    assert_eq!(gap.ended_at, s.now().wall);
    let told =
        |event: &LogEvent| matches!(event, LogEvent::GapEnded { cause: GapCause::Paused, .. });
    assert_eq!(s.log_events.iter().filter(|event| told(event)).count(), 1);
    let [cross] = s.crosses()[..] else { panic!("one cross: {:?}", s.crosses()) };
    assert_eq!((cross.end, cross.ended_at), (CrossEnd::Stale, last));
    let statuses: Vec<_> = s.entries().iter().map(|row| (row.latency_ms, row.status)).collect();
    let captured = |ms| (ms, SampleStatus::Captured);
    assert_eq!(statuses, [captured(50), captured(200), captured(400), (900, SampleStatus::Stale)]);
    let statuses: Vec<_> = s.followups().iter().map(|row| (row.offset_ms, row.status)).collect();
    assert_eq!(statuses, [(1000, SampleStatus::Stale), (3000, SampleStatus::Stale)]);
}

/// A13: a context carries no time, so one from a buffer begins no cross; the first behind a young block does.
#[test]
fn after_a_pause_contexts_count_once_what_has_waited_is_read() {
    let mut s = Scenario::calm(&config());
    s.blocks_ms(1_000);
    s.stall_ms(1_900);
    s.ctx(ONE, "101");
    s.delay_ms = 1_701; // Made in the pause: later than the feed may be.
    s.bbo(ONE, "99.95", "100.05");
    s.ctx(ONE, "101");
    assert!(s.signals().is_empty(), "{:?}", s.signals());
    s.delay_ms = 200;
    s.bbo(ONE, "99.95", "100.05");
    assert!(s.signals().is_empty(), "its context has waited: {:?}", s.signals());
    s.ctx(ONE, "101");
    assert_eq!(s.signals().len(), 1);
    // The other market has no news of quotes: in its time what has waited has come.
    let mut s = Scenario::calm(&config());
    s.stall_ms(1_900);
    s.ctx(TWO, "101");
    s.pass_ms(1_400);
    s.ctx(TWO, "101");
    assert!(s.signals().is_empty(), "{:?}", s.signals());
    s.pass_ms(1_000);
    s.ctx(TWO, "101");
    assert_eq!(s.signals().len(), 1);
}

/// A13: a silence of the venue is no pause of ours, nor is a turn that takes as long as ages allow.
#[test]
fn a_quiet_venue_and_a_slow_turn_are_no_pause() {
    let mut s = Scenario::calm(&config());
    s.pass_ms(6_000);
    s.stall_ms(1_500);
    s.ctx(ONE, "101");
    assert_eq!((s.gaps().len(), s.signals().len()), (0, 1));
    // Whoever tells no time between the events cannot show a pause.
    let mut s = Scenario::calm(&config());
    s.engine.without_heartbeat();
    s.stall_ms(4_000);
    s.ctx(ONE, "101");
    assert_eq!((s.gaps().len(), s.signals().len()), (0, 1));
}

/// C2: an hour behind, in observation: one word in the log, and the figure for pages.
#[test]
fn a_wrong_clock_is_told_once_and_when_it_is_right_again() {
    let told = |s: &Scenario| {
        let of_clock = |event: &&LogEvent| {
            matches!(event, LogEvent::ClockSkew { .. } | LogEvent::ClockRight { .. })
        };
        s.log_events.iter().filter(of_clock).copied().collect::<Vec<_>>()
    };
    let mut s = Scenario::calm(&config());
    assert_eq!(s.status().clock_skew_ms, None, "the venue has not told its time");
    s.venue_tells_ahead_ms(900);
    assert_eq!((told(&s), s.status().clock_skew_ms), (vec![], Some(900)));
    s.set_wall_ahead_ms(-3_600_900);
    s.pass_ms(600);
    assert_eq!(s.status().clock_skew_ms, Some(-3_600_000));
    for _ in 0..10 {
        s.pass_ms(600);
        s.venue_tells_ahead_ms(-3_600_000);
    }
    assert_eq!(told(&s), [LogEvent::ClockSkew { ms: -3_600_000 }]);
    s.set_wall_ahead_ms(3_600_000);
    s.pass_ms(600);
    assert_eq!(told(&s)[1..], [LogEvent::ClockRight { ms: 0 }]);
}

// ---- The venue changes -------------------------------------------------------------------------

#[test]
fn the_venue_is_read_again_each_minute_and_a_new_market_is_watched() {
    let mut s = Scenario::calm(&config());
    for _ in 0..60 {
        s.pass_ms(1_000);
        s.ctx(ONE, "100");
    }
    assert_eq!(s.readings, 2);
    s.sent.clear();
    s.info.meta = s.info.meta.replace(
        r#"],"marginTables""#,
        r#",{"szDecimals":0,"name":"tst:NEW","maxLeverage":5,"marginTableId":5,"deployerFeeScale":"1.0"}],"marginTables""#,
    );
    s.reread();
    assert_eq!(s.sent.len(), 2);
    assert!(s.sent.iter().all(|text| text.contains("tst:NEW")));
    assert_eq!(s.engine.markets()[2].spec.asset.0, 110_002);
    s.ctx("tst:NEW", "10");
    s.bbo_sized("tst:NEW", Some(("9.8", "1000")), Some(("9.9", "1000")));
    let signal = s.signals().last().copied().expect("a signal");
    assert_eq!((signal.coin.as_str(), signal.blocked_by), ("tst:NEW", Some(Gate::SpreadShock)));
}

/// B1: an entry that cannot be read costs its market, at the start and while running, and no other.
#[test]
fn an_odd_entry_of_the_listing_costs_one_market() {
    let plain = Scenario::silent(&config()).info.meta;
    for odd in [
        r#""growthMode":"tapered","deployerFeeScale":"1.0"},{"szDecimals":1"#,
        r#""growthMode":"enabled","marginMode":"isolatedOnly2","deployerFeeScale":"1.0"},{"szDecimals":1"#,
    ] {
        let usual = r#""growthMode":"enabled","deployerFeeScale":"1.0"},{"szDecimals":1"#;
        let meta = plain.replace(usual, odd);
        assert_ne!(meta, plain);
        // At the start: the other market runs.
        let mut s = Scenario::silent(&config());
        s.info.meta = meta.clone();
        s.event(Event::Tick);
        s.reread();
        s.event(Event::Connected);
        let [market] = s.engine.markets() else { panic!("{:?}", s.engine.markets()) };
        assert_eq!((market.spec.coin.as_str(), market.spec.asset.0), (TWO, 110_001));
        assert_eq!((s.sent.len(), s.status().markets_odd), (2, 1));
        // While running: gates 7 and 8 block it alone, and its channels stay.
        let mut s = Scenario::calm(&config());
        s.info.meta = meta;
        s.reread();
        let odd_markets_logged = |s: &Scenario| {
            s.log_events.iter().filter(|event| matches!(event, LogEvent::MarketOdd { .. })).count()
        };
        assert_eq!(odd_markets_logged(&s), 1);
        s.reread();
        assert_eq!(odd_markets_logged(&s), 1, "once");
        assert!(!s.log_events.iter().any(|event| matches!(event, LogEvent::Halted { .. })));
        for (coin, gate) in [(ONE, Some(Gate::ParamChange)), (TWO, None)] {
            s.bbo(coin, "99.55", "99.6");
            assert_eq!(s.signals().last().expect("a signal").blocked_by, gate, "{coin}");
        }
        s.event(Event::Disconnected(LinkDown::Dropped));
        s.pass_ms(2_000);
        s.sent.clear();
        s.event(Event::Connected);
        assert!(s.sent.iter().any(|text| text.contains(ONE)), "what is held there needs quotes");
        // It is mended.
        s.info.meta = plain.clone();
        s.reread();
        s.calm_quotes();
        s.pass_ms(3_000);
        s.calm_quotes();
        s.bbo(ONE, "99.55", "99.6");
        assert_eq!(s.signals().last().expect("a signal").blocked_by, None);
        assert_eq!(s.status().markets_odd, 0);
    }
    // Nobody watches it: nothing is odd.
    let mut excluding = config();
    excluding.venue.exclude = vec![ONE.to_owned()];
    let mut s = Scenario::silent(&excluding);
    s.info.meta = plain.replace(r#""maxLeverage":20"#, r#""maxLeverage":"many""#);
    s.event(Event::Tick);
    s.reread();
    assert_eq!((s.engine.markets().len(), s.status().markets_odd), (1, 0));
}

/// B2: a coin that is listed and that the socket does not know makes the venue drop the link: it is
/// found, left alone, and tried again; the others run.
#[test]
fn a_coin_that_the_socket_does_not_know_is_quarantined() {
    let mut s = Scenario::silent(&config());
    s.event(Event::Tick);
    s.reread();
    let mut drops = 0;
    // The venue: it acknowledges what it knows, in order, and drops the link at what it does not.
    let serve = |s: &mut Scenario, seen: &mut usize| {
        while *seen < s.sent.len() {
            let text = s.sent[*seen].clone();
            *seen += 1;
            if !text.contains("subscribe") {
                continue;
            }
            if text.contains(TWO) {
                s.event(Event::Disconnected(LinkDown::Dropped));
                *seen = s.sent.len();
                return true;
            }
            let subscription = text.split_once(r#""subscription":"#).expect("one").1;
            let subscription = subscription.strip_suffix('}').expect("an object");
            s.frame(&format!(
                r#"{{"channel":"subscriptionResponse","data":{{"method":"subscribe","subscription":{subscription}}}}}"#
            ));
        }
        false
    };
    let mut seen = 0;
    for _ in 0..1_000 {
        s.pass_ms(500);
        if s.status().link == LinkState::Connecting {
            s.event(Event::Connected);
            drops += u32::from(serve(&mut s, &mut seen));
        }
        if s.status().quarantined == 1 && s.status().link.is_open() {
            break;
        }
    }
    assert!((2..=3).contains(&drops), "{drops}");
    assert_eq!(s.status().quarantined, 1);
    let coin = Coin::new(TWO).expect("a coin");
    let told =
        |event: &&LogEvent| matches!(event, LogEvent::Quarantined { coin: of, .. } if *of == coin);
    assert_eq!(s.log_events.iter().filter(told).count(), 1, "{:?}", s.log_events);
    // The other market runs on the link.
    s.ctx(ONE, "100");
    s.bbo(ONE, "99.95", "100.05");
    for _ in 0..240 {
        s.pass_ms(1_000);
        s.ctx(ONE, "100");
    }
    assert!(!serve(&mut s, &mut seen), "left alone");
    for _ in 0..120 {
        s.pass_ms(1_000);
        s.ctx(ONE, "100");
    }
    assert!(serve(&mut s, &mut seen), "tried again after five minutes, alone");
    assert_eq!(s.status().quarantined, 1, "one drop is enough then");
}

#[test]
fn a_failed_reading_keeps_the_last_good_one() {
    let mut s = Scenario::calm(&config());
    s.event(Event::UniverseFailed);
    assert!(s.log_events.iter().any(|n| matches!(n, LogEvent::UniverseFailed { .. })));
    assert_eq!(blocked_by(&mut s), (None, 0, Decision::Observed));
}

// ---- Hostile input -----------------------------------------------------------------------------

#[test]
fn malformed_and_unknown_frames_are_counted_and_change_nothing() {
    let mut s = Scenario::calm(&config());
    let before = s.engine.markets()[0].bbo;
    for _ in 0..5 {
        s.frame(r#"{"channel":"bbo","data":{"coin":"tst:ONE","time":1,"bbo":[{"px":"1e3","sz":"1","n":1},null]}}"#);
        s.frame(r#"{"channel":"bbo","data":{"coin":"tst:ONE""#);
        s.frame(r#"{"channel":"news","data":{}}"#);
        s.frame("Good morning.");
        s.event(Event::Binary);
        s.frame(r#"{"channel":"bbo","data":{"coin":"tst:OTHER","time":1,"bbo":[null,null]}}"#);
        s.frame(r#"{"channel":"trades","data":[]}"#);
    }
    let status = s.status();
    assert_eq!((status.malformed, status.unknown, status.ignored), (10, 15, 10));
    assert_eq!(s.engine.markets()[0].bbo, before);
    assert!(s.rows.is_empty());
    let told = |f: fn(&LogEvent) -> bool| s.log_events.iter().filter(|n| f(n)).count();
    assert_eq!(told(|n| matches!(n, LogEvent::Malformed { .. })), 1, "once a minute");
    assert_eq!(told(|n| matches!(n, LogEvent::UnknownChannel { .. })), 1);
}

/// B3: how the venue greets every connection is known, and nothing worth a line.
#[test]
fn the_greeting_of_a_connection_is_known_and_silent() {
    let mut s = Scenario::calm(&config());
    s.frame("Websocket connection established.");
    assert_eq!((s.status().unknown, s.status().ignored), (0, 1));
    assert!(s.log_events.is_empty(), "{:?}", s.log_events);
}

#[test]
fn lost_rows_leave_a_gap() {
    let mut s = Scenario::calm(&config());
    let since = s.now().wall;
    s.pass_ms(250);
    s.event(Event::RowsLost { rows: 7, since });
    let [gap] = s.gaps()[..] else { panic!("one gap") };
    assert_eq!((gap.cause, gap.started_at), (GapCause::RingOverflow, since));
    assert_eq!(gap.ended_at, s.now().wall);
    assert_eq!(s.status().rows_lost, 7);
}

#[test]
fn the_same_events_make_the_same_rows() {
    let run = || {
        let mut s = Scenario::calm(&config());
        for n in 0..50_u32 {
            s.pass_ms(137);
            s.ctx(if n % 2 == 0 { ONE } else { TWO }, &format!("{}.{}", 99 + n % 3, n % 10));
            s.bbo(ONE, &format!("99.{}", 10 + n), &format!("100.{}", 10 + n));
            if n == 30 {
                s.event(Event::Disconnected(LinkDown::Dropped));
                s.pass_ms(1_000);
                s.event(Event::Connected);
            }
        }
        s.event(Event::Stop);
        s.rows
    };
    let rows = run();
    assert!(rows.iter().filter(|r| matches!(r, Row::Signal(_))).count() > 10);
    assert_eq!(rows, run());
}
