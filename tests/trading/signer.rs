//! Whom the signer may act for: asked at the start, and again when the venue's words leave it open.

use hip3::types::account::{Role, SignerStanding};
use hip3::types::event::{Event, OperatorCommand};
use hip3::types::hard_stop::{HardStop, StopReason};
use hip3::types::ids::Address;
use hip3::types::log_event::LogEvent;

use crate::desk::{Desk, ONE, config};
use crate::support::USER;

const OURS: Role = Role::Agent { user: USER };
const ANOTHERS: Role = Role::Agent { user: Address([0xbb; 20]) };
const MUST_DEPOSIT: &str = "Must deposit before performing actions. User: \
                            0x00000000000000000000000000000000000000aa";

fn reasons(desk: &Desk) -> String {
    desk.trading().waiting.reasons().collect::<Vec<_>>().join(", ")
}

/// A1: until the venue has said whom the signer may act for, nothing is opened, and READY says so.
#[test]
fn nothing_is_opened_before_the_venue_has_said_whom_the_signer_acts_for() {
    let mut desk = Desk::silent(&config(), HardStop::default());
    desk.role = None;
    desk.start();
    assert_eq!(desk.role_questions, 1);
    desk.event(Event::SignerRoleFailed);
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["rejected:NotReady"]);
    desk.nothing_sent();
    assert_eq!(reasons(&desk), "signer, leverage 0/2");
    let told =
        |event: &LogEvent| matches!(event, LogEvent::Readiness { waiting, .. } if waiting.signer);
    assert!(desk.log_events.iter().any(told), "{:?}", desk.log_events);
    desk.live_ms(5_000);
    assert_eq!(desk.role_questions, 2, "asked again");
    desk.event(Event::SignerRole(OURS));
    desk.set_leverage();
    assert_eq!(reasons(&desk), "");
    desk.bbo(ONE, "99.95", "100.05");
    desk.pass_ms(1_100);
    desk.dislocate(ONE);
    assert_eq!(desk.decisions().last().map(String::as_str), Some("sent"));
}

/// A1: a signer that acts for another account ends the run before anything is signed.
#[test]
fn a_run_with_the_signer_of_another_account_ends_before_it_signs() {
    for role in [ANOTHERS, Role::Missing, Role::User, Role::SubAccount { master: USER }] {
        let mut desk = Desk::silent(&config(), HardStop::default());
        desk.role = Some(role);
        desk.start();
        assert!(desk.stopped, "{role:?}");
        assert_eq!(desk.trading().signer, SignerStanding::NotOurs(role));
        let told = desk.log_events.iter().filter(|event| {
            matches!(event, LogEvent::SignerNotOurs { role: told, account, .. } if *told == role && *account == USER)
        });
        assert_eq!(told.count(), 1);
        desk.nothing_sent();
        assert!(desk.latches.is_empty(), "a right config needs no release");
    }
}

/// A24: an agent that was replaced by a newer one is told that its account has no funds; the venue is
/// asked what it is, and the stop is one of the signature.
#[test]
fn a_replaced_agent_is_a_matter_of_the_signature_and_not_of_money() {
    let mut desk = Desk::ready(&config());
    desk.enter(ONE);
    desk.role = None;
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let (id, _) = desk.sent_order();
    desk.answer_refused(id, MUST_DEPOSIT);
    assert!(!desk.trading().hard_stop.active(), "not before the venue has said what it is");
    assert_eq!(reasons(&desk), "signer, closing");
    desk.live_ms(60_000);
    assert_eq!(desk.role_questions, 2);
    desk.event(Event::SignerRole(Role::Missing));
    assert!(desk.stopped_for(StopReason::SignatureRefused));
    assert!(!desk.stopped_for(StopReason::ConsecutiveFailures));
    assert!(desk.log_events.iter().any(|event| matches!(event, LogEvent::SignerNotOurs { .. })));
    assert!(!desk.stopped, "a person has to see to what is held");
    // What an unknown signer signs is done for nobody: exits go on, in case it is approved anew.
    let exits = |desk: &mut Desk| {
        let posts = desk.new_posts();
        let ids: Vec<u64> =
            posts.iter().filter(|(_, what)| what["type"] == "order").map(|(id, _)| *id).collect();
        ids.iter().for_each(|id| desk.answer_refused(*id, MUST_DEPOSIT));
        ids.len()
    };
    exits(&mut desk);
    let mut sent = 0;
    for _ in 0..60 {
        desk.live_ms(1_000);
        sent += exits(&mut desk);
    }
    assert!(sent > 0);
    // It is an agent of another account: what it signs would be done for that one.
    assert_eq!(desk.role_questions, 3, "asked once a minute");
    desk.event(Event::SignerRole(ANOTHERS));
    exits(&mut desk);
    for _ in 0..60 {
        desk.live_ms(1_000);
        assert_eq!(exits(&mut desk), 0);
    }
    // It is ours again: what is held is closed, and nothing is opened before a person has looked.
    desk.event(Event::SignerRole(OURS));
    desk.live_ms(2_000);
    assert!(exits(&mut desk) > 0);
    assert!(desk.stopped_for(StopReason::SignatureRefused));
}

/// A24: where the signer is ours the account has no funds: a failure of the account, one each.
#[test]
fn funds_that_are_missing_are_a_failure_of_the_account() {
    let mut desk = Desk::ready(&config());
    for failure in 1..=5 {
        desk.ctx(ONE, "100");
        desk.bbo(ONE, "99.95", "100.05");
        desk.live_ms(61_000);
        desk.reread();
        desk.read();
        desk.dislocate(ONE);
        let (id, _) = desk.sent_order();
        desk.answer_refused(id, MUST_DEPOSIT);
        desk.bbo(ONE, "99.95", "100.05");
        desk.live_ms(61_000);
        assert_eq!(desk.role_questions, 1 + failure);
        assert_eq!(desk.stopped_for(StopReason::ConsecutiveFailures), failure == 5, "{failure}");
    }
    assert!(!desk.stopped_for(StopReason::SignatureRefused));
}

#[test]
fn a_question_without_an_answer_is_asked_again_and_not_too_often() {
    let mut desk = Desk::silent(&config(), HardStop::default());
    desk.role = None;
    desk.event(Event::Tick);
    desk.pass_ms(59_000);
    assert_eq!(desk.role_questions, 1);
    desk.pass_ms(2_000);
    assert_eq!(desk.role_questions, 2);
    for failures in 0..100 {
        desk.event(Event::SignerRoleFailed);
        desk.pass_ms(5_000 << failures.min(4));
    }
    // Each weighs 60 of 1200 a minute.
    assert!(desk.role_questions > 50, "{}", desk.role_questions);
    let before = desk.role_questions;
    for _ in 0..10 {
        desk.event(Event::SignerRoleFailed);
        desk.pass_ms(59_000);
        desk.pass_ms(2_000);
    }
    assert!(desk.role_questions - before <= 10, "once a minute");
}
