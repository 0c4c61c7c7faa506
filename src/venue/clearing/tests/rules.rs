//! Each rule at its limit, one unit past it, and what it says.

use super::*;

/// Whether an order passes all rules: then it only finds nothing to match, or rests.
fn passes(answer: &str) -> bool {
    answer == error(NO_MATCH) || answer.contains("resting") || answer.contains("filled")
}

/// A desk whose market is at `mid` with size decimals `d`.
fn desk_at(mid: &str, d: u8) -> Desk {
    let mut desk = Desk::new();
    let mut listing = desk.markets[0].listing.clone();
    (listing.sz_decimals, listing.px) = (d, px(mid));
    let market = Market::new(listing, 1, 0, 1, desk.now, true);
    desk.markets[0] = market;
    desk.markets[0].put_quote(None, None);
    desk
}

const TICK: &str = "Price must be divisible by tick size. asset=110000";
const VALUE: &str = "Order must have minimum value of $10. asset=110000";
const SIZE: &str = "Order has invalid size. asset=110000";
const MARGIN: &str = "Insufficient margin to place order. asset=110000";
const REDUCE: &str = "Reduce only order would increase position. asset=110000";

#[test]
fn the_worked_examples_are_judged_as_written() {
    // Size decimals, price, size, refusal; number 3 differs from others by its text alone.
    let examples = [
        (1, 4, "31249", "0.0004", None),
        (2, 4, "31249.5", "0.001", Some(TICK)),
        (3, 4, "31250.0", "0.001", None),
        (4, 2, "32.115", "0.35", None),
        (5, 2, "32.1154", "0.35", Some(TICK)),
        (6, 2, "32.115", "0.355", Some(SIZE)),
        (7, 2, "32.115", "0.31", Some(VALUE)),
        (8, 4, "4136.1", "0.0031", None),
        (9, 4, "4136.05", "0.0031", Some(TICK)),
        (10, 5, "123456", "0.0001", None),
        (11, 5, "12345.6", "0.001", Some(TICK)),
        (12, 5, "0.5", "20", None),
        (13, 0, "0.001234", "10000", None),
        (14, 0, "0.0012345", "10000", Some(TICK)),
        (15, 0, "0.012345", "1000", None),
        (16, 1, "0.01234", "1000", None),
        (17, 1, "0.012345", "1000", Some(TICK)),
        (18, 3, "1234.56", "0.01", Some(TICK)),
        (19, 2, "10", "1", None),
        (20, 2, "9.99", "1", Some(VALUE)),
        (21, 5, "1000005", "0.00001", None),
        (22, 6, "1234.5", "1", Some(TICK)),
    ];
    for (number, d, limit, size, refusal) in examples {
        let mut desk = desk_at(limit, d);
        let answer = desk.order(ioc(true, limit, size));
        assert_eq!(answer, error(refusal.unwrap_or(NO_MATCH)), "example {number}");
    }
}

#[test]
fn the_two_examples_with_a_position_are_judged_as_written() {
    // Numbers 23 and 24.
    for (held, verdict) in [("0.05", NO_MATCH), ("0.20", VALUE)] {
        let mut desk = desk_at("32.115", 2);
        desk.markets[0].put_quote(Some((px("32.115"), sz("10"))), None);
        desk.order(ioc(false, "32.115", "1"));
        let over = Sz::from_units(sz("1").units() - sz(held).units());
        desk.markets[0].put_quote(None, Some((px("32.115"), over)));
        let bought = desk.order(NewOrder { sz: over, ..ioc(true, "32.115", "1") });
        assert!(bought.contains("filled"), "{bought}");
        assert_eq!(desk.szi(rich()), -sz(held).units());
        let answer = desk.order(reducing(ioc(true, "32.115", "0.05")));
        assert_eq!(answer, error(verdict), "{held}");
    }
}

#[test]
fn an_order_is_worth_ten_dollars_or_closes_everything() {
    let mut desk = Desk::new();
    assert!(passes(&desk.order(ioc(true, "100", "0.1"))));
    assert_eq!(desk.order(ioc(true, "99.99", "0.1")), error(VALUE));
    assert_eq!(desk.words(rich()), ["minTradeNtlRejected"]);
    desk.order(ioc(true, "100.1", "0.2"));
    // A part of the position, with and without reduce-only; all of it; more than it.
    assert_eq!(desk.order(reducing(ioc(false, "99.9", "0.1"))), error(VALUE));
    assert_eq!(desk.order(ioc(false, "99.9", "0.1")), error(VALUE));
    desk.order(ioc(false, "99.9", "0.15"));
    assert_eq!(desk.szi(rich()), szi("0.05"));
    assert_eq!(desk.order(ioc(false, "99.9", "0.06")), error(VALUE), "would open");
    assert!(desk.order(reducing(ioc(false, "99.9", "0.06"))).contains(r#""totalSz":"0.05""#));
    desk.order(ioc(true, "100.1", "0.2"));
    desk.order(ioc(false, "99.9", "0.15"));
    assert!(desk.order(ioc(false, "99.9", "0.05")).contains(r#""totalSz":"0.05""#), "closes all");
    assert_eq!(desk.szi(rich()), 0);
}

#[test]
fn prices_and_sizes_must_be_some() {
    let mut desk = Desk::new();
    for (order, text, word) in [
        (ioc(true, "0", "1"), "Order has invalid price. asset=110000", "rejected"),
        (ioc(true, "100", "0"), "Order has zero size. asset=110000", "rejected"),
        (ioc(true, "100", "0.001"), SIZE, "rejected"),
        (ioc(true, "100.001", "1"), TICK, "tickRejected"),
        (
            NewOrder { tif: None, ..ioc(true, "100", "1") },
            "Invalid TP/SL price. asset=110000",
            "badTriggerPxRejected",
        ),
    ] {
        assert_eq!(desk.order(order), error(text));
        assert_eq!(desk.words(rich()), [word], "{text}");
        let row = desk.updates(rich()).remove(0);
        assert_eq!((row.sz, row.orig_sz), (order.sz, order.sz));
        let record = desk.account(rich()).order(Which::Oid(row.oid)).expect("a record");
        assert_eq!(record.row, row);
    }
}

#[test]
fn a_price_lies_within_95_percent_of_the_mark() {
    let far = "Order price cannot be more than 95% away from the reference price";
    let mut desk = Desk::new();
    for (order, passed) in [
        (ioc(true, "195", "1"), true),
        (ioc(true, "195.01", "1"), false),
        (ioc(true, "5", "10"), true),
        (ioc(true, "4.99", "10"), false),
    ] {
        let answer = desk.order(order);
        assert_eq!(passes(&answer), passed, "{answer}");
        assert_eq!(answer == error(far), !passed, "{answer}");
    }
}

#[test]
fn a_lone_error_refuses_a_whole_batch() {
    let mut desk = Desk::new();
    let far = ioc(true, "195.01", "1");
    let answer = desk.act(rich(), Action::Order(vec![ioc(true, "100.1", "1"), far]));
    assert_eq!(answer, error("Order price cannot be more than 95% away from the reference price"));
    assert!(desk.updates(rich()).is_empty() && desk.szi(rich()) == 0, "nothing was executed");
    let answer = desk.act(rich(), Action::Order(Vec::new()));
    assert_eq!(answer, error("Order batch is empty."));
    // Any other refusal is one order's.
    let small = ioc(true, "100.1", "0.01");
    let answer = desk.act(rich(), Action::Order(vec![small, ioc(true, "100.1", "1")]));
    assert!(answer.contains(VALUE) && answer.contains("filled"), "{answer}");
}

#[test]
fn an_order_has_a_largest_value() {
    for (leverage, most) in
        [(9, 5_000_000), (10, 20_000_000), (20, 50_000_000), (24, 50_000_000), (25, 300_000_000)]
    {
        let mut desk = Desk::new();
        desk.markets[0].listing.max_leverage = leverage;
        let size = Sz::from_units(most * 1_000_000);
        let at = NewOrder { sz: size, ..ioc(true, "100", "1") };
        assert!(!desk.order(at).contains("too large"), "{leverage}");
        let past = NewOrder { sz: Sz::from_units(size.units() + 1_000_000), ..at };
        assert_eq!(desk.order(past), error(&format!("Order value too large. Max is ${most}.")));
    }
}

#[test]
fn margin_covers_what_opens_and_its_fee_to_the_last_unit() {
    // 10 coins at the mark of 100 and leverage 10 need 100; the fee at the limit of 100.1 and
    // 0.9 bps is 0.09009, and no less is 0.090091.
    for (deposit, filled) in [("100.090091", true), ("100.090090", false)] {
        let mut desk = Desk::with(&[settings(rich(), deposit)]);
        let answer = desk.order(ioc(true, "100.1", "10"));
        assert_eq!(answer.contains("filled"), filled, "{answer}");
        if !filled {
            assert_eq!(answer, error(MARGIN));
            assert_eq!(desk.words(rich()), ["perpMarginRejected"]);
        }
    }
}

#[test]
fn closing_needs_no_margin_and_turning_frees_its_own() {
    let mut desk = Desk::with(&[settings(rich(), "100.2")]);
    desk.order(ioc(true, "100.1", "10"));
    assert_eq!(desk.order(ioc(true, "100.1", "1")), error(MARGIN), "all is bound");
    let mut closing = desk.clearing.clone();
    assert!(desk.order(ioc(false, "99.9", "10")).contains("filled"));
    std::mem::swap(&mut desk.clearing, &mut closing);
    // Frees 100 less the unrealised loss of 1, less the fee of 19 coins: 9 coins need 90.
    assert!(desk.order(ioc(false, "99.9", "19")).contains("filled"));
    assert_eq!(desk.szi(rich()), szi("-9"));
    assert_eq!(desk.fills(rich())[0].dir, "Long > Short");
}

#[test]
fn resting_orders_bind_margin_at_their_limit() {
    let mut desk = Desk::with(&[settings(rich(), "200")]);
    assert!(desk.order(gtc(true, "90", "10")).contains("resting"));
    assert_eq!(desk.account(rich()).worth(&desk.markets, desk.now).withdrawable, usd("110"));
    assert!(desk.order(gtc(true, "90", "12")).contains("resting"));
    assert_eq!(desk.order(ioc(true, "100.1", "0.5")), error(MARGIN), "2 are left");
    assert!(desk.order(ioc(true, "100.1", "0.1")).contains("filled"));
}

#[test]
fn there_is_no_collateral_on_other_dexes() {
    let mut desk = Desk::new();
    desk.markets[0].dex = 2;
    let elsewhere = NewOrder { asset: 120_000, ..ioc(true, "100.1", "1") };
    assert_eq!(desk.order(elsewhere), error("Insufficient margin to place order. asset=120000"));
}

#[test]
fn reduce_only_needs_a_position_to_reduce() {
    let mut desk = Desk::new();
    assert_eq!(desk.order(reducing(ioc(true, "100.1", "1"))), error(REDUCE), "flat");
    assert_eq!(desk.words(rich()), ["reduceOnlyRejected"]);
    desk.order(ioc(true, "100.1", "1"));
    assert_eq!(desk.order(reducing(ioc(true, "100.1", "1"))), error(REDUCE), "same side");
    assert!(desk.order(reducing(ioc(false, "99.9", "1"))).contains("filled"));
    assert_eq!(desk.order(reducing(ioc(false, "99.9", "1"))), error(REDUCE), "flat again");
}

#[test]
fn at_the_cap_nothing_takes_but_what_reduces() {
    let capped = "Order would increase open interest while open interest is capped. asset=110000";
    let past = "Order rejected due to price more aggressive than oracle while at open interest \
                cap. asset=110000";
    let mut desk = Desk::new();
    desk.order(ioc(true, "100.1", "1"));
    let market = &mut desk.markets[0];
    market.listing.oi_cap = usd("1000000");
    // One lot below the cap, and at it.
    market.open_interest = sz("9999.99");
    assert!(desk.order(ioc(true, "100.1", "0.2")).contains("filled"));
    desk.markets[0].open_interest = sz("10000");
    assert_eq!(desk.order(ioc(true, "100.1", "1")), error(past));
    assert_eq!(desk.words(rich()), ["tooAggressiveAtOpenInterestCapRejected"]);
    assert_eq!(desk.order(ioc(true, "100", "1")), error(capped));
    assert_eq!(desk.words(rich()), ["positionIncreaseAtOpenInterestCapRejected"]);
    assert_eq!(desk.order(ioc(false, "99.9", "2")), error(capped));
    assert_eq!(desk.words(rich()), ["positionFlipAtOpenInterestCapRejected"]);
    assert!(desk.order(alo(true, "100", "1")).contains("resting"));
    assert_eq!(desk.order(alo(true, "100.05", "1")), error(past));
    assert!(desk.order(ioc(false, "99.9", "0.2")).contains("filled"), "reduces");
}

#[test]
fn post_only_orders_never_take() {
    let mut desk = Desk::new();
    let crossed =
        "Post only order would have immediately matched, bbo was 99.9@100.1. asset=110000";
    assert_eq!(desk.order(alo(true, "100.1", "1")), error(crossed));
    assert_eq!(desk.words(rich()), ["badAloPxRejected"]);
    assert!(desk.order(alo(true, "100.09", "1")).contains("resting"));
    desk.markets[0].put_quote(None, Some((px("100.1"), sz("1"))));
    let one_sided =
        "Post only order would have immediately matched, bbo was 100.09@100.1. asset=110000";
    assert_eq!(desk.order(alo(true, "100.1", "1")), error(one_sided));
}

/// A21: both spellings of the refusal, one an upgrade.
#[test]
fn after_an_upgrade_only_post_only_orders_pass() {
    let mut desk = Desk::new();
    for spelling in ["after network upgrade", "after a network upgrade", "after network upgrade"] {
        desk.clearing.set_post_only(true);
        desk.clearing.set_post_only(true);
        let text = format!("Only post-only orders allowed immediately {spelling}. asset=110000");
        assert_eq!(desk.order(ioc(true, "100.1", "1")), error(&text));
        assert_eq!(desk.order(gtc(true, "99", "1")), error(&text));
        assert!(desk.order(alo(true, "99", "1")).contains("resting"));
        desk.clearing.set_post_only(false);
        assert!(desk.order(ioc(true, "100.1", "1")).contains("filled"));
    }
}

#[test]
fn halted_and_unknown_markets_take_nothing() {
    let mut desk = Desk::new();
    desk.markets[0].close(Status::Halted);
    assert_eq!(desk.order(ioc(true, "100.1", "1")), error("Trading is halted. asset=110000"));
    let nowhere = NewOrder { asset: 99, ..ioc(true, "100.1", "1") };
    assert_eq!(desk.order(nowhere), error("Order has invalid asset. asset=99"));
    assert!(desk.updates(rich()).is_empty());
}

#[test]
fn an_account_has_a_thousand_open_orders_at_most() {
    let mut desk = Desk::new();
    for _ in 0..5 {
        let answer = desk.act(rich(), Action::Order(vec![alo(true, "90", "1"); 200]));
        assert!(answer.contains("resting") && !answer.contains("error"));
    }
    let text = "Too many open orders. asset=110000";
    assert_eq!(desk.order(gtc(true, "90", "1")), error(text));
    assert_eq!(desk.words(rich()), ["tooManyOpenOrdersRejected"]);
    assert!(desk.order(ioc(true, "100.1", "1")).contains("filled"), "it does not rest");
}

#[test]
fn scripted_refusals_are_said_and_end() {
    let mut desk = Desk::new();
    desk.clearing.refuse_next(2, "Order would increase open interest too quickly asset=110000");
    let batch = vec![ioc(true, "100.1", "1"); 3];
    let answer = desk.act(rich(), Action::Order(batch));
    assert_eq!(answer.matches("too quickly").count(), 2);
    assert_eq!(
        desk.words(rich()),
        ["openInterestIncreaseRejected", "openInterestIncreaseRejected", "open", "filled"]
    );
    desk.clearing.refuse_next(1, "No \"such\" thing");
    assert!(desk.order(ioc(true, "100.1", "1")).contains(r#"No \"such\" thing"#));
    assert_eq!(desk.words(rich()), ["rejected"]);
}
