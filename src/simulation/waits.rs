//! Whether the engine says what entries wait for: a signal that is refused because nothing may be opened
//! now has its reason in what READY shows, and nothing is opened while a reason is shown that holds
//! everywhere.

use crate::types::record::Check;
use crate::types::status::Trading;

/// Whether what is shown gives the reason for which `check` refused an entry. `reserve` is how
/// many requests are kept for exits.
pub(super) fn says_why(check: Check, shown: &Trading, reserve: i64) -> bool {
    let waiting = shown.waiting;
    match check {
        Check::HardStop => !shown.ready.hard_stop_clear,
        Check::NotReady => {
            !shown.ready.but_for_hard_stop()
                || shown.data_age.any()
                || waiting.signer
                || waiting.post_only
                || waiting.closing
                || waiting.leverage.is_some()
                || waiting.suspended > 0
                || waiting.in_doubt > 0
        }
        // Too many posts at once pass within moments; the budget does not.
        Check::BudgetExhausted => waiting.budget || shown.budget_left > reserve,
        Check::MaxPositionPerMarket
        | Check::MaxPositionTotal
        | Check::MaxConcurrentPositions
        | Check::AlreadyHasPosition
        | Check::PendingOrderExists => true,
    }
}

/// Whether an entry may leave while this is shown.
pub(super) fn may_leave(shown: &Trading) -> bool {
    shown.ready.all() && !shown.data_age.any() && !shown.waiting.everywhere()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ready::Waiting;
    use crate::types::status::{DataAge, ReadyFlags};

    fn ready() -> Trading {
        Trading { ready: ReadyFlags::ALL, budget_left: 900, ..Trading::default() }
    }

    #[test]
    fn what_is_shown_without_a_reason_explains_no_refusal() {
        let shown = ready();
        assert!(may_leave(&shown));
        assert!(!says_why(Check::HardStop, &shown, 100));
        assert!(!says_why(Check::NotReady, &shown, 100));
        assert!(says_why(Check::BudgetExhausted, &shown, 100), "a moment's limit");
        let low = Trading { budget_left: 100, ..shown };
        assert!(!says_why(Check::BudgetExhausted, &low, 100));
    }

    #[test]
    fn each_reason_explains_its_own_refusal_only() {
        let shown = ready();
        let waits = |waiting: Waiting| -> Trading {
            let mut one = ready();
            one.waiting = waiting;
            one
        };
        let none = Waiting::default();
        let reasons = [
            waits(Waiting { signer: true, ..none }),
            waits(Waiting { post_only: true, ..none }),
            waits(Waiting { closing: true, ..none }),
            waits(Waiting { leverage: Some((0, 2)), ..none }),
            waits(Waiting { leverage: Some((1, 2)), ..none }),
            waits(Waiting { suspended: 1, ..none }),
            waits(Waiting { in_doubt: 1, ..none }),
            Trading { data_age: DataAge { meta: true, ..DataAge::default() }, ..shown },
            Trading { ready: ReadyFlags { position_synced: false, ..shown.ready }, ..shown },
        ];
        for shown in &reasons {
            assert!(says_why(Check::NotReady, shown, 100), "{shown:?}");
            assert!(!says_why(Check::HardStop, shown, 100), "{shown:?}");
        }
        // What holds up single markets keeps no other one back.
        let leaves: Vec<bool> = reasons.iter().map(may_leave).collect();
        assert_eq!(leaves, [false, false, false, false, true, true, true, false, false]);
        let stopped =
            Trading { ready: ReadyFlags { hard_stop_clear: false, ..shown.ready }, ..shown };
        assert!(says_why(Check::HardStop, &stopped, 100) && !may_leave(&stopped));
        let low = Trading { budget_left: 90, ..waits(Waiting { budget: true, ..none }) };
        assert!(says_why(Check::BudgetExhausted, &low, 100) && !may_leave(&low));
        assert!(!says_why(Check::NotReady, &low, 100));
    }
}
