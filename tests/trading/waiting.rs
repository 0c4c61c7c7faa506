//! What entries wait for is named whenever they do.

use hip3::types::account::RateLimit;
use hip3::types::event::{Event, OperatorCommand};
use hip3::types::hard_stop::HardStop;
use hip3::types::log_event::LogEvent;
use hip3::types::order::Cloid;

use crate::desk::{Desk, ONE, TWO, config, text};

fn reasons(desk: &Desk) -> String {
    desk.trading().waiting.reasons().collect::<Vec<_>>().join(", ")
}

const OK: &str = r#"{"status":"ok","response":{"type":"default"}}"#;

/// A19: at the start the address budget is at what is kept for exits: no leverage can be set and no
/// entry sent. READY names it, and it is told once.
#[test]
fn a_budget_at_its_reserve_is_named_from_the_start_on() {
    let mut desk = Desk::silent(&config(), HardStop::default());
    desk.account.rate_limit = RateLimit { used: 9_600, cap: 10_000 };
    desk.start();
    assert!(desk.trading().ready.all(), "{:?}", desk.trading().ready);
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["rejected:NotReady"]);
    assert_eq!(reasons(&desk), "budget, leverage 0/2");
    let low = |desk: &Desk| {
        desk.log_events
            .iter()
            .filter(|event| matches!(event, LogEvent::BudgetLow { left: 400 }))
            .count()
    };
    assert_eq!(low(&desk), 1);
    let told = |event: &LogEvent| matches!(event, LogEvent::Readiness { ready, waiting } if ready.all() && waiting.budget);
    assert!(desk.log_events.iter().any(told), "{:?}", desk.log_events);
    desk.live_ms(10_000);
    desk.read();
    assert_eq!(low(&desk), 1, "not with each reading");
    // It was bought some more.
    desk.account.rate_limit = RateLimit { used: 9_600, cap: 20_000 };
    desk.live_ms(3_000);
    desk.read();
    desk.set_leverage();
    assert_eq!(reasons(&desk), "");
    desk.bbo(ONE, "99.95", "100.05");
    desk.pass_ms(1_100);
    desk.dislocate(ONE);
    assert_eq!(desk.decisions().last().map(String::as_str), Some("sent"));
}

/// A35: leverage is set market by market; each may be traded once its own is, and READY counts them.
#[test]
fn markets_become_tradable_one_by_one_as_their_leverage_is_set() {
    let mut desk = Desk::silent(&config(), HardStop::default());
    desk.event(Event::Tick);
    desk.reread();
    desk.event(Event::Connected);
    desk.acknowledge();
    desk.calm_quotes();
    desk.read();
    assert!(desk.trading().ready.all());
    assert_eq!(reasons(&desk), "leverage 0/2");
    assert!(desk.trading().waiting.everywhere());
    desk.log_events.clear();
    desk.pass_ms(60);
    let posts = desk.new_posts();
    assert_eq!(posts.len(), 2, "{posts:?}");
    desk.answer(posts[0].0, OK);
    assert_eq!(reasons(&desk), "leverage 1/2");
    assert!(!desk.trading().waiting.everywhere());
    desk.dislocate(ONE);
    desk.dislocate(TWO);
    assert_eq!(desk.decisions(), ["sent", "rejected:NotReady"]);
    desk.answer(posts[1].0, OK);
    assert_eq!(reasons(&desk), "");
    let lines =
        desk.log_events.iter().filter(|event| matches!(event, LogEvent::Readiness { .. })).count();
    assert_eq!(lines, 2, "transitions, not counts");
}

#[test]
fn what_else_entries_wait_for_is_named() {
    let mut desk = Desk::ready(&config());
    desk.dislocate(ONE);
    let (id, _) = desk.sent_order();
    desk.answer_error(id, "Only post-only orders allowed immediately after network upgrade");
    assert_eq!(reasons(&desk), "post_only");
    desk.live_ms(16_000);
    assert_eq!(reasons(&desk), "");
    desk.dislocate(TWO);
    let (id, _) = desk.sent_order();
    desk.answer_error(id, "User requires approval");
    assert_eq!(reasons(&desk), "suspended 1");
    for _ in 0..5 {
        desk.live_ms(119_800);
        desk.reread();
        desk.read();
    }
    assert_eq!(reasons(&desk), "suspended 1", "asking again soon is no use");
    desk.live_ms(2_000);
    assert_eq!(reasons(&desk), "");
    assert!(!desk.trading().hard_stop.active());
    desk.bbo(ONE, "99.95", "100.05");
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    assert_eq!(reasons(&desk), "closing");
}

/// B4: the line of a refused order names its market and its cloid.
#[test]
fn a_refused_order_is_told_with_its_market_and_its_cloid() {
    let mut desk = Desk::ready(&config());
    for (coin, whole) in [(ONE, false), (TWO, true)] {
        desk.dislocate(coin);
        let (id, order) = desk.sent_order();
        match whole {
            true => desk.answer_refused(id, "Insufficient margin to place order."),
            false => desk.answer_error(id, "Insufficient margin to place order. asset=110000"),
        }
        let told = desk.log_events.iter().filter_map(|event| match event {
            LogEvent::Refused { coin, cloid, .. } => Some((coin.to_string(), *cloid)),
            _ => None,
        });
        let cloid = Cloid::parse(&text(&order, "c")).expect("a cloid");
        assert_eq!(told.collect::<Vec<_>>(), [(coin.to_owned(), cloid)]);
        desk.log_events.clear();
    }
}

/// A23: an action that came after its `expiresAfter` costs five of the address budget.
#[test]
fn an_action_that_came_too_late_costs_five() {
    let mut desk = Desk::ready(&config());
    let before = desk.trading().budget_left;
    desk.dislocate(ONE);
    let (id, _) = desk.sent_order();
    assert_eq!(desk.trading().budget_left, before - 1);
    desk.answer_refused(id, "Order expired: expiresAfter 1795348802000 has passed");
    assert_eq!(desk.trading().budget_left, before - 5);
    assert_eq!(desk.trading().refusals.iter().sum::<u64>(), 1);
    assert!(!desk.trading().hard_stop.active());
}
