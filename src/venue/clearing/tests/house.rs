//! Margin, leverage, liquidation, dead markets, scheduled cancels.

use super::*;

fn leverage(value: u32, is_cross: bool) -> Action {
    Action::UpdateLeverage { asset: FIRST, is_cross, leverage: value }
}

#[test]
fn leverage_is_chosen_within_the_markets() {
    let mut desk = Desk::new();
    for (value, cross, answer) in [
        (1, false, DONE.to_owned()),
        (10, false, DONE.to_owned()),
        (11, false, refused("Invalid leverage value.")),
        (0, false, refused("Invalid leverage value.")),
        (5, true, refused("Cross margin is not allowed for this asset.")),
    ] {
        assert_eq!(desk.act(rich(), leverage(value, cross)), answer);
    }
    desk.markets[0].listing.margin_mode = MarginMode::Cross;
    assert_eq!(desk.act(rich(), leverage(5, true)), DONE);
    let held = desk.account(rich()).leverage(0, &desk.markets[0]);
    assert_eq!((held.is_cross, held.value), (true, 5));
    let nowhere = Action::UpdateLeverage { asset: 3, is_cross: false, leverage: 1 };
    assert_eq!(desk.act(rich(), nowhere), refused("Invalid asset."));
}

#[test]
fn leverage_nobody_chose_is_twenty_or_the_markets() {
    let mut desk = Desk::new();
    for (most, value) in [(10, 10), (20, 20), (50, 20)] {
        desk.markets[0].listing.max_leverage = most;
        assert_eq!(desk.account(rich()).leverage(0, &desk.markets[0]).value, value);
    }
}

#[test]
fn an_isolated_position_has_its_own_margin() {
    let mut desk = Desk::new();
    desk.act(rich(), leverage(4, false));
    desk.order(ioc(true, "100.1", "10"));
    let position = desk.account(rich()).positions[&0].clone();
    assert_eq!(position.margin, usd("250"), "10 at the mark of 100, a quarter of it");
    assert_eq!(position.unrealised(px("100")), usd("-1"));
    assert_eq!(position.margin_used(px("100")), usd("249"));
    // (1001 − 250) / 10 × 20 / 19.
    assert_eq!(position.liquidation_px(10), Some(px("79.05263157")));
    let worth = desk.account(rich()).worth(&desk.markets, desk.now);
    assert_eq!(worth.account_value, usd("999998.90991"), "deposit less 1 less the fee of 0.09009");
    assert_eq!((worth.total_ntl, worth.margin_used), (usd("1000"), usd("249")));
    assert_eq!(worth.raw_usd, usd("998998.90991"));
    assert_eq!(worth.withdrawable, usd("999749.90991"));
    // Half of it closes: half of the margin comes back.
    desk.order(ioc(false, "99.9", "5"));
    assert_eq!(desk.account(rich()).positions[&0].margin, usd("125"));
}

#[test]
fn a_lower_leverage_asks_for_more_margin() {
    let mut desk = Desk::with(&[settings(rich(), "300")]);
    desk.order(ioc(true, "100.1", "10"));
    assert_eq!(desk.account(rich()).positions[&0].margin, usd("100"));
    let kind = "Cannot switch leverage type with open position.";
    desk.markets[0].listing.margin_mode = MarginMode::Cross;
    assert_eq!(desk.act(rich(), leverage(10, true)), refused(kind));
    assert_eq!(desk.act(rich(), leverage(5, false)), DONE);
    assert_eq!(desk.account(rich()).positions[&0].margin, usd("201"), "its equity is 200");
    let short = "Insufficient margin to place order.";
    assert_eq!(desk.act(rich(), leverage(3, false)), refused(short));
    assert_eq!(desk.act(rich(), leverage(8, false)), DONE);
    assert_eq!(desk.account(rich()).positions[&0].margin, usd("201"), "none comes back");
}

#[test]
fn margin_moves_in_and_out_of_a_position() {
    let mut desk = Desk::with(&[settings(rich(), "300")]);
    let step = |usd: i64| Action::UpdateIsolatedMargin { asset: FIRST, ntli: usd * 1_000_000 };
    let none = refused("No isolated position to move margin of.");
    assert_eq!(desk.act(rich(), step(1)), none);
    desk.order(ioc(true, "100.1", "10"));
    let short = refused("Insufficient margin to move.");
    assert_eq!(desk.act(rich(), step(50)), DONE);
    assert_eq!(desk.act(rich(), step(150)), short, "149.9 are free");
    assert_eq!(desk.act(rich(), step(-50)), short, "its equity is 149 and must be 100");
    assert_eq!(desk.act(rich(), step(-49)), DONE);
    desk.act(rich(), step(20));
    desk.markets[0].listing.margin_mode = MarginMode::StrictIsolated;
    assert_eq!(desk.act(rich(), step(-1)), short, "never out of a strict one");
    assert_eq!(desk.account(rich()).positions[&0].margin, usd("121"));
}

#[test]
fn an_isolated_position_is_liquidated_below_its_maintenance() {
    let mut desk = Desk::new();
    desk.order(ioc(true, "100.1", "10"));
    let resting = oid_of(&desk.order(gtc(true, "80", "1")));
    // Equity 100 + (px − 100.1) × 10 against px × 10 / 20: the line is at 94.8421….
    desk.move_to("94.85");
    desk.block();
    assert_eq!(desk.szi(rich()), szi("10"));
    desk.move_to("94.84");
    desk.block();
    assert_eq!(desk.szi(rich()), 0);
    let fill = desk.fills(rich()).remove(0);
    assert_eq!((fill.dir, fill.px), ("Liquidated Isolated Long", px("94.84")));
    assert_eq!(fill.liquidation_mark(), Some(px("94.84")));
    assert_eq!(fill.closed_pnl, usd("-52.6"));
    assert_eq!(desk.words(rich()), ["liquidatedCanceled"]);
    assert_eq!(desk.evicted(rich()), [resting]);
}

#[test]
fn a_liquidation_never_costs_more_than_the_margin() {
    let mut desk = Desk::new();
    desk.order(ioc(false, "99.9", "10"));
    desk.move_to("150");
    desk.block();
    assert_eq!(desk.fills(rich())[0].closed_pnl, usd("-100"));
    assert_eq!(desk.fills(rich())[0].dir, "Liquidated Isolated Short");
}

#[test]
fn cross_positions_stand_on_the_whole_account() {
    let mut desk = Desk::with(&[settings(rich(), "200")]);
    desk.markets[0].listing.margin_mode = MarginMode::Cross;
    desk.order(ioc(true, "100.1", "10"));
    let position = desk.account(rich()).positions[&0].clone();
    assert_eq!((position.leverage.is_cross, position.margin), (true, Usd::ZERO));
    let worth = desk.account(rich()).worth(&desk.markets, desk.now);
    assert_eq!((worth.margin_used, worth.withdrawable), (usd("100"), usd("98.90991")));
    desk.move_to("90");
    desk.block();
    assert_eq!(desk.szi(rich()), szi("10"), "an isolated one would be gone");
    desk.move_to("80");
    desk.block();
    let fill = desk.fills(rich()).remove(0);
    assert_eq!(fill.dir, "Liquidated Cross Long");
    assert_eq!(desk.account(rich()).cash, Usd::ZERO, "and no less");
}

#[test]
fn a_dead_market_settles() {
    for status in [Status::Halted, Status::Delisted] {
        let mut desk = Desk::new();
        desk.order(ioc(true, "100.1", "2"));
        let resting = oid_of(&desk.order(gtc(true, "90", "1")));
        desk.move_to("103");
        desk.markets[0].close(status);
        desk.block();
        assert_eq!(desk.words(rich()), ["delistedCanceled"]);
        assert_eq!(desk.evicted(rich()), [resting]);
        let fill = desk.fills(rich()).remove(0);
        assert_eq!((fill.dir, fill.px, fill.fee), ("Settlement", px("103"), Usd::ZERO));
        assert_eq!((fill.closed_pnl, fill.buy), (usd("5.8"), false));
        assert!(desk.account(rich()).positions.is_empty());
        desk.block();
        assert!(desk.out.is_empty(), "once");
    }
}

#[test]
fn a_scheduled_cancel_needs_volume_and_comes_in_time() {
    let mut desk = Desk::new();
    let ms = u64::try_from(desk.time.0).expect("after 1970");
    desk.order(ioc(true, "100.1", "10"));
    let text = "Cannot set scheduled cancel time until enough volume traded. \
                Required: $1000000. Traded: $100.10.";
    assert_eq!(desk.act(rich(), Action::ScheduleCancel(Some(ms + 60_000))), refused(text));
    desk.clearing.accounts.get_mut(&rich()).expect("an account").volume = usd("1000000");
    let answer = desk.act(rich(), Action::ScheduleCancel(Some(ms + 5_000)));
    assert!(answer.contains("at least 5 seconds"), "{answer}");
    let resting = oid_of(&desk.order(gtc(true, "90", "1")));
    assert_eq!(desk.act(rich(), Action::ScheduleCancel(Some(ms + 60_000))), DONE);
    desk.time = VenueMs(desk.time.0 + 50_000);
    desk.block();
    assert!(desk.out.is_empty());
    desk.time = VenueMs(desk.time.0 + 10_000);
    desk.block();
    assert_eq!(desk.words(rich()), ["scheduledCancel"]);
    assert_eq!(desk.evicted(rich()), [resting]);
    assert_eq!(desk.act(rich(), Action::ScheduleCancel(None)), DONE);
}

#[test]
fn orders_that_nothing_backs_any_more_are_cancelled() {
    let mut desk = Desk::with(&[settings(rich(), "300")]);
    desk.markets[0].listing.margin_mode = MarginMode::Cross;
    desk.order(ioc(true, "100.1", "10"));
    let first = oid_of(&desk.order(alo(true, "90", "5")));
    let second = oid_of(&desk.order(alo(true, "90", "5")));
    // 198.9 are free and the orders bind 90; a loss of 150 leaves 63.9, as margin shrinks by 15.
    desk.move_to("85");
    desk.block();
    assert_eq!((desk.words(rich()), desk.evicted(rich())), (vec!["marginCanceled"], vec![second]));
    assert!(desk.account(rich()).open.contains(&first));
}

#[test]
fn records_of_the_last_orders_and_fills_are_kept() {
    let mut desk = Desk::new();
    desk.clearing.set_budget(rich(), 0);
    let standing = oid_of(&desk.order(alo(true, "90", "1")));
    for _ in 0..15 {
        let buy = Action::Order(vec![ioc(true, "100.1", "0.1"); 200]);
        desk.act(rich(), buy);
    }
    let account = desk.account(rich());
    assert_eq!((account.orders.len(), account.fills.len()), (2_001, 2_000));
    assert!(account.order(Which::Oid(standing)).is_some(), "an open one stays");
}
