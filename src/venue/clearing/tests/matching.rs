//! Matching, fills, fees, reduce-only, resting orders.

use super::*;

#[test]
fn an_ioc_that_fills_whole_is_open_and_filled_in_one_frame() {
    let mut desk = Desk::new();
    let cloid = Cloid(0x1234);
    let answer = desk.order(NewOrder { cloid: Some(cloid), ..ioc(true, "100.2", "2.5") });
    let oid = oid_of(&answer);
    assert_eq!(
        answer,
        format!(
            r#"{{"status":"ok","response":{{"type":"order","data":{{"statuses":[{{"filled":{{"totalSz":"2.5","avgPx":"100.1","oid":{oid},"cloid":"{cloid}"}}}}]}}}}}}"#
        )
    );
    let rows = desk.updates(rich());
    assert_eq!(desk.words(rich()), ["open", "filled"]);
    assert_eq!((rows[0].sz, rows[1].sz, rows[1].orig_sz), (sz("2.5"), Sz::ZERO, sz("2.5")));
    assert_eq!((rows[0].oid, rows[1].cloid), (oid, Some(cloid)));
    assert_eq!(rows[0].status_time, rows[1].status_time);
    let fills = desk.fills(rich());
    let [fill] = &fills[..] else { panic!("{fills:?}") };
    assert_eq!((fill.px, fill.sz, fill.oid), (px("100.1"), sz("2.5"), oid), "at the resting price");
    assert_eq!((fill.dir, fill.start_position, fill.crossed), ("Open Long", 0, true));
    // 250.25 at 0.9 bps is 0.0225225.
    assert_eq!((fill.fee, fill.closed_pnl), (usd("0.022522"), Usd::ZERO));
    assert_eq!(desk.account(rich()).cash, usd("999999.977478"));
    assert!(fill.tid < 1 << 50 && fill.tid > 0 && fill.hash != [0; 4]);
}

#[test]
fn an_ioc_takes_what_stands_inside_its_limit_and_its_rest_is_gone() {
    for (filled, word) in [(false, "canceled"), (true, "filled")] {
        let mut desk = Desk::new();
        desk.clearing.set_partial_is_filled(filled);
        let maker = Owner::Maker(1);
        let book = &mut desk.markets[0].book;
        book.rest(Side::Sell, Resting { owner: maker, px: px("100.2"), sz: sz("5") });
        book.rest(Side::Sell, Resting { owner: maker, px: px("100.3"), sz: sz("5") });
        let answer = desk.order(ioc(true, "100.2", "1010"));
        // (1000 × 100.1 + 5 × 100.2) / 1005 = 100.100497…
        assert!(answer.contains(r#""totalSz":"1005.0","avgPx":"100.10049751""#), "{answer}");
        assert_eq!(desk.words(rich()), ["open", word]);
        let rows = desk.updates(rich());
        assert_eq!((rows[1].sz, rows[1].orig_sz), (sz("5"), sz("1010")));
        let fills = desk.fills(rich());
        assert_eq!(fills.iter().map(|f| f.px).collect::<Vec<_>>(), [px("100.1"), px("100.2")]);
        assert_eq!(fills[1].start_position, szi("1000"));
        assert_eq!((fills[0].hash, fills[0].oid), (fills[1].hash, fills[1].oid));
        assert_ne!(fills[0].tid, fills[1].tid);
        assert_eq!(desk.markets[0].book.best(Side::Sell), Some(px("100.3")));
        let record = desk.account(rich()).order(Which::Oid(fills[0].oid)).expect("a record");
        assert_eq!((record.tif, record.row.status), ("Ioc", word));
    }
}

#[test]
fn an_ioc_that_meets_nothing_is_rejected() {
    let mut desk = Desk::new();
    assert_eq!(desk.order(ioc(true, "100.09", "1")), error(NO_MATCH));
    assert_eq!(desk.words(rich()), ["iocCancelRejected"]);
    assert!(desk.fills(rich()).is_empty());
    desk.markets[0].put_quote(None, None);
    assert_eq!(desk.order(ioc(true, "100.1", "1")), error(NO_MATCH));
}

#[test]
fn profits_are_exact_and_chain() {
    let mut desk = Desk::new();
    desk.order(ioc(true, "100.1", "2"));
    desk.move_to("101");
    desk.order(ioc(true, "101.1", "1"));
    let position = &desk.account(rich()).positions[&0];
    // (2 × 100.1 + 101.1) / 3.
    assert_eq!(position.entry_px(), px("100.43333333"));
    desk.order(ioc(false, "100.9", "1"));
    let first = desk.fills(rich()).remove(0);
    assert_eq!((first.dir, first.start_position), ("Close Long", szi("3")));
    // 100.9 − 100.4333… = 0.4666…, cut.
    assert_eq!(first.closed_pnl, usd("0.466666"));
    desk.order(ioc(false, "100.9", "5"));
    let second = desk.fills(rich()).remove(0);
    assert_eq!((second.dir, second.start_position), ("Long > Short", szi("2")));
    assert_eq!(second.closed_pnl, usd("0.933333"));
    assert_eq!(desk.szi(rich()), szi("-3"));
    assert_eq!(desk.account(rich()).positions[&0].entry_px(), px("100.9"));
    desk.order(ioc(true, "101.1", "3"));
    let last = desk.fills(rich()).remove(0);
    assert_eq!((last.dir, last.closed_pnl), ("Close Short", usd("-0.6")));
    assert!(desk.account(rich()).positions.is_empty());
}

#[test]
fn a_recorded_trade_costs_what_it_cost() {
    // xyz:SILVER, sold 0.6 at 80.601 with a referral of 4 %: fee 0.004178.
    let mut account = settings(rich(), "1000");
    account.referral_discount = Rate::parse(b"0.04").expect("a rate");
    let mut desk = Desk::with(&[account]);
    desk.move_to("80.6");
    desk.markets[0].put_quote(Some((px("80.601"), sz("10"))), None);
    desk.order(ioc(false, "80.601", "0.6"));
    assert_eq!(desk.fills(rich())[0].fee, usd("0.004178"));
}

#[test]
fn volume_counts_a_tenth_under_growth() {
    for (growth, volume) in [(true, "10.01"), (false, "100.1")] {
        let mut desk = Desk::new();
        desk.markets[0].listing.growth = growth;
        desk.order(ioc(true, "100.1", "1"));
        assert_eq!(desk.account(rich()).volume, usd(volume));
        let cap = 10_000 + if growth { 10 } else { 100 };
        assert_eq!(desk.account(rich()).requests_cap(), cap);
    }
}

#[test]
fn the_tape_the_last_price_and_open_interest_follow() {
    let mut desk = Desk::new();
    let before = desk.markets[0].open_interest.units();
    desk.order(ioc(true, "100.1", "2"));
    let trade = *desk.markets[0].trades.last().expect("a trade");
    assert_eq!((trade.side, trade.px, trade.sz), (Side::Buy, px("100.1"), sz("2")));
    assert_eq!(trade.users[0], rich());
    assert_eq!(trade.tid, desk.fills(rich())[0].tid);
    assert_eq!(desk.markets[0].fresh_trades, 1);
    assert_eq!(desk.markets[0].open_interest.units() - before, sz("2").units());
    desk.order(ioc(false, "99.9", "3"));
    assert_eq!(desk.markets[0].open_interest.units() - before, sz("1").units());
}

#[test]
fn a_reduce_only_order_is_shrunk_and_never_turns_a_position() {
    let mut desk = Desk::new();
    desk.order(ioc(true, "100.1", "2"));
    let answer = desk.order(reducing(ioc(false, "99.9", "5")));
    assert!(answer.contains(r#""totalSz":"2.0""#), "{answer}");
    assert_eq!(desk.words(rich()), ["open", "filled"]);
    let rows = desk.updates(rich());
    assert_eq!((rows[1].orig_sz, rows[1].sz), (sz("5"), Sz::ZERO));
    assert!(rows[1].reduce_only);
    assert_eq!(desk.szi(rich()), 0);
}

#[test]
fn a_resting_reduce_only_order_shrinks_with_the_position_and_ends_with_it() {
    let mut desk = Desk::new();
    desk.order(ioc(true, "100.1", "2"));
    let oid = oid_of(&desk.order(reducing(gtc(false, "105", "3"))));
    let row = desk.updates(rich()).remove(0);
    assert_eq!((row.sz, row.orig_sz), (sz("2"), sz("3")));
    desk.order(ioc(false, "99.9", "0.5"));
    let shrunk = desk.updates(rich()).into_iter().find(|row| row.oid == oid).expect("news");
    assert_eq!((shrunk.status, shrunk.sz, shrunk.orig_sz), ("open", sz("1.5"), sz("3")));
    desk.order(ioc(false, "99.9", "1.5"));
    let words: Vec<_> =
        desk.updates(rich()).iter().map(|row| (row.oid == oid, row.status)).collect();
    assert_eq!(words, [(false, "open"), (false, "filled"), (true, "reduceOnlyCanceled")]);
    assert!(desk.evicted(rich()).is_empty(), "it makes no nonUserCancel");
}

/// The other account is long 2 and would sell 1.5 at 100.05 and again at 100.06.
fn twice_reducing() -> (Desk, [u64; 2]) {
    let mut desk = Desk::new();
    desk.act(other(), Action::Order(vec![ioc(true, "100.1", "2")]));
    let oids = ["100.05", "100.06"].map(|limit| {
        oid_of(&desk.act(other(), Action::Order(vec![reducing(alo(false, limit, "1.5"))])))
    });
    (desk, oids)
}

/// Whether the first or the second order, its word, what is left.
fn told_of(desk: &Desk, oids: [u64; 2]) -> Vec<(usize, &'static str, Sz)> {
    let rows = desk.updates(other());
    rows.iter().map(|row| (usize::from(row.oid == oids[1]), row.status, row.sz)).collect()
}

#[test]
fn two_resting_reduce_only_orders_that_one_taker_meets_share_the_position() {
    // What is taken; what the first has left, what the second sold and has left; what then.
    let (open, gone) = ("open", "reduceOnlyCanceled");
    let cases = [
        ("1.7", "0.2", [("open", "1.3"), (open, "0.3")], "0.3"),
        ("2", "0.5", [("open", "1"), (gone, "1")], "0"),
        ("2.5", "0.5", [("open", "0.5"), (gone, "0.5")], "0"),
    ];
    for (taken, sold, [then, last], held) in cases {
        for crowd in [false, true] {
            let (mut desk, oids) = twice_reducing();
            if crowd {
                desk.strike(Side::Buy, "100.06", taken);
                desk.block();
            } else {
                desk.order(ioc(true, "100.06", taken));
            }
            let rows = [(0, "filled", Sz::ZERO), (1, then.0, sz(then.1)), (1, last.0, sz(last.1))];
            assert_eq!(told_of(&desk, oids), rows, "{taken}, crowd: {crowd}");
            let fills = desk.fills(other());
            assert_eq!(fills.iter().map(|f| f.sz).collect::<Vec<_>>(), [sz("1.5"), sz(sold)]);
            assert_eq!(desk.szi(other()), szi(held));
        }
    }
}

#[test]
fn a_resting_reduce_only_order_that_finds_nothing_to_reduce_ends() {
    // The crowd takes 2 of the first order and some of the second, and sells again in one block.
    let mut desk = Desk::new();
    desk.act(other(), Action::Order(vec![ioc(true, "100.1", "2")]));
    let oids = ["100.05", "100.06"].map(|limit| {
        oid_of(&desk.act(other(), Action::Order(vec![reducing(alo(false, limit, "2"))])))
    });
    desk.act(other(), Action::Order(vec![alo(true, "99.95", "3")]));
    desk.strike(Side::Buy, "100.06", "2.5");
    desk.strike(Side::Sell, "99.95", "3");
    desk.block();
    let told = told_of(&desk, oids);
    assert_eq!(told[..2], [(0, "filled", Sz::ZERO), (1, "reduceOnlyCanceled", sz("1.5"))]);
    assert_eq!(desk.szi(other()), szi("3"));
}

#[test]
fn an_own_order_in_the_way_is_cancelled() {
    let mut desk = Desk::new();
    let own = oid_of(&desk.order(alo(false, "100.05", "1")));
    let answer = desk.order(ioc(true, "100.1", "1"));
    assert!(answer.contains(r#""avgPx":"100.1""#), "{answer}");
    let rows = desk.updates(rich());
    assert_eq!((rows[0].oid, rows[0].status, rows[0].sz), (own, "selfTradeCanceled", sz("1")));
    assert_eq!(desk.words(rich()), ["selfTradeCanceled", "open", "filled"]);
    // Nothing else inside the limit: the order fails, and the other is gone all the same.
    desk.order(alo(false, "100.05", "1"));
    assert_eq!(desk.order(ioc(true, "100.06", "1")), error(NO_MATCH));
    assert_eq!(desk.words(rich()), ["selfTradeCanceled", "iocCancelRejected"]);
}

#[test]
fn a_gtc_takes_and_rests() {
    let mut desk = Desk::new();
    let answer = desk.order(gtc(true, "100.1", "1001"));
    assert!(answer.contains("resting"), "what is left of it counts: {answer}");
    let oid = oid_of(&answer);
    assert_eq!(desk.szi(rich()), szi("1000"));
    assert_eq!(desk.words(rich()), ["open", "open"]);
    assert_eq!(desk.updates(rich())[1].sz, sz("1"));
    assert_eq!(desk.markets[0].book.best(Side::Buy), Some(px("100.1")));
    assert_eq!(desk.account(rich()).open_orders().count(), 1);
    let answer = desk.act(rich(), Action::Cancel(vec![(FIRST, Which::Oid(oid))]));
    assert!(answer.contains(r#""statuses":["success"]"#), "{answer}");
    assert_eq!(desk.words(rich()), ["canceled"]);
    assert_eq!(desk.markets[0].book.best(Side::Buy), Some(px("99.9")));
}

#[test]
fn two_accounts_trade_with_each_other() {
    let mut desk = Desk::new();
    let maker = oid_of(&desk.act(other(), Action::Order(vec![alo(false, "100.05", "1")])));
    desk.order(ioc(true, "100.1", "0.4"));
    let (bought, sold) = (desk.fills(rich()).remove(0), desk.fills(other()).remove(0));
    assert_eq!((bought.tid, bought.hash, bought.px), (sold.tid, sold.hash, sold.px));
    assert_eq!((bought.crossed, sold.crossed, sold.oid), (true, false, maker));
    // 40.02 at 0.9 and 0.3 bps.
    assert_eq!((bought.fee, sold.fee), (usd("0.003601"), usd("0.0012")));
    assert_eq!((desk.szi(rich()), desk.szi(other())), (szi("0.4"), szi("-0.4")));
    let row = desk.updates(other()).remove(0);
    assert_eq!((row.status, row.sz), ("open", sz("0.6")));
    desk.order(ioc(true, "100.05", "0.6"));
    assert_eq!(desk.words(other()), ["filled"]);
}

#[test]
fn the_crowd_takes_what_rests() {
    let mut desk = Desk::new();
    let oid = oid_of(&desk.order(alo(true, "99.95", "1")));
    // The crowd wakes: its takers come by themselves within seconds.
    desk.markets[0].frozen.chance = false;
    desk.markets[0].wake();
    let mut dice = Dice::new(5, 5);
    let mut filled = Vec::new();
    for _ in 0..20_000 {
        desk.markets[0].block(desk.now, desk.time, &mut dice);
        desk.block();
        filled.extend(desk.fills(rich()));
        if desk.account(rich()).open.is_empty() {
            break;
        }
        desk.markets[0].put_quote(None, None);
    }
    assert!(!filled.is_empty(), "somebody came");
    assert!(filled.iter().all(|f| f.oid == oid && !f.crossed && f.px == px("99.95")));
    let total: i64 = filled.iter().map(|f| f.sz.units()).sum();
    assert_eq!((total, desk.szi(rich())), (sz("1").units(), szi("1")));
    assert_eq!(desk.words(rich()).last(), Some(&"filled"));
}

#[test]
fn a_replaced_order_keeps_its_cloid_and_gets_a_new_id() {
    let mut desk = Desk::new();
    let cloid = Some(Cloid(5));
    let old = oid_of(&desk.order(NewOrder { cloid, ..alo(true, "99", "1") }));
    let modifies = vec![(Which::Oid(old), gtc(true, "99.5", "2"))];
    assert_eq!(desk.act(rich(), Action::Modify { modifies, batch: false }), DONE);
    let rows = desk.updates(rich());
    assert_eq!(desk.words(rich()), ["open", "canceled"]);
    assert_eq!((rows[0].cloid, rows[1].oid), (cloid, old));
    let new = rows[0].oid;
    assert_ne!(new, old);
    // What would match, or is wrong, changes nothing.
    for wrong in [gtc(true, "100.1", "2"), ioc(true, "99", "2"), gtc(true, "99.0001", "2")] {
        let modifies = vec![(Which::Cloid(Cloid(5)), wrong)];
        let answer = desk.act(rich(), Action::Modify { modifies, batch: true });
        assert_eq!(answer, error("Attempted to modify to invalid new order"));
    }
    let gone = "Order was never placed, already canceled, or filled. asset=110000";
    let modifies = vec![(Which::Oid(old), gtc(true, "99", "2"))];
    assert_eq!(desk.act(rich(), Action::Modify { modifies, batch: false }), refused(gone));
    let modifies = vec![(Which::Oid(new), gtc(true, "99", "2"))];
    let answer = desk.act(rich(), Action::Modify { modifies, batch: true });
    assert!(answer.contains(r#""resting""#) && answer.contains(&Cloid(5).to_string()), "{answer}");
}

#[test]
fn a_cancel_of_what_does_not_stand_says_so() {
    let mut desk = Desk::new();
    let oid = oid_of(&desk.order(NewOrder { cloid: Some(Cloid(9)), ..alo(true, "99", "1") }));
    let cancels = vec![
        (FIRST, Which::Oid(1)),
        (SECOND, Which::Oid(oid)),
        (FIRST, Which::Cloid(Cloid(9))),
        (FIRST, Which::Cloid(Cloid(9))),
    ];
    let answer = desk.act(rich(), Action::Cancel(cancels));
    let gone = |asset| {
        format!(
            r#"{{"error":"Order was never placed, already canceled, or filled. asset={asset}"}}"#
        )
    };
    let (first, second) = (gone(FIRST), gone(SECOND));
    assert_eq!(
        answer,
        format!(
            r#"{{"status":"ok","response":{{"type":"cancel","data":{{"statuses":[{first},{second},"success",{first}]}}}}}}"#
        )
    );
}
