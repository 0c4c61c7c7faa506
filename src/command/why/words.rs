//! What the names in the records mean, each in one plain sentence. Complete by type: a gate, check or
//! outcome that is added has to be given its words here.

use crate::types::order::{Refusal, RefusalClass};
use crate::types::record::{
    Check, CrossEnd, Decision, ExitReason, Filter, GapCause, Gate, Outcome, SizeLimit,
};

/// Why a gate blocks.
pub(super) const fn gate(gate: Gate) -> &'static str {
    match gate {
        Gate::BboUpdate => "the quote could not be traded, or was older than risk.max_bbo_age_ms",
        Gate::CtxUpdate => "the oracle's price was missing, or older than risk.max_ctx_age_ms",
        Gate::TimeRegression => {
            "a quote had come with a lower venue time than one before it on this link"
        }
        Gate::MarkMidDivergence => {
            "mark and mid were further apart than risk.max_mark_mid_divergence_bps"
        }
        Gate::SpreadShock => {
            "the spread was far above its average, or too few quotes had been seen for an average"
        }
        Gate::OiCap => "open interest was at the market's cap, or could not be told",
        Gate::ParamChange => "the market's rules differed from those at the start of the run",
        Gate::Halt => "the market was halted or delisted",
    }
}

/// Why a filter blocks.
pub(super) const fn filter(filter: Filter) -> &'static str {
    match filter {
        Filter::MaxEdge => {
            "the edge was beyond detector.max_edge_bps: a bad print, not a late quote"
        }
    }
}

/// What made an order another size than its signal suggested.
pub(super) const fn size_limit(limit: SizeLimit) -> &'static str {
    match limit {
        SizeLimit::Market => "clipped to what position.max_notional_per_market left",
        SizeLimit::Total => "clipped to what position.max_total_notional left",
        SizeLimit::Dynamic => "clipped to what position.dynamic_sizing left of the balance",
        SizeLimit::Margin => "clipped to what the account's free margin backed",
        SizeLimit::Minimum => "lifted to the venue's least order",
    }
}

/// Why a check stops a signal.
pub(super) const fn check(check: Check) -> &'static str {
    match check {
        Check::HardStop => "HardStop held (the log names its reasons)",
        Check::NotReady => {
            "trading was not ready: READY did not hold, or entries waited for something else (the \
             signer, the address budget, the market's leverage, position or state): the log's last \
             line about being ready names it"
        }
        Check::MaxPositionPerMarket => {
            "not even the venue's least order fitted under position.max_notional_per_market (or what \
             dynamic sizing makes of it), with what the market held"
        }
        Check::MaxPositionTotal => {
            "not even the venue's least order fitted under position.max_total_notional, with what all \
             markets held"
        }
        Check::MaxConcurrentPositions => {
            "as many markets as position.max_concurrent_positions allows were open already"
        }
        Check::AlreadyHasPosition => "the market had a position, and none is added to",
        Check::PendingOrderExists => "the market had an order whose end was not known yet",
        Check::BudgetExhausted => {
            "the venue's limits, less what is kept for exits, left no room for an entry"
        }
    }
}

/// What a decision says, without its figures.
pub(super) const fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Observed => "no gate or filter blocked it, and in observation nothing is sent",
        Decision::Blocked(by) => gate(by),
        Decision::Filtered(by) => filter(by),
        Decision::Failed(by) => check(by),
        Decision::BelowMinimum => {
            "its size was worth less than the venue's least order, and could not be lifted to it"
        }
        Decision::Sent => "it passed every gate and every check, and became an order",
    }
}

/// The decision that is written so.
pub(super) fn decided(text: &str) -> Option<Decision> {
    let fixed = [Decision::Observed, Decision::BelowMinimum, Decision::Sent];
    let blocked = Gate::ALL.into_iter().map(Decision::Blocked);
    let filtered = Filter::ALL.into_iter().map(Decision::Filtered);
    let failed = Check::ALL.into_iter().map(Decision::Failed);
    let all = fixed.into_iter().chain(blocked).chain(filtered).chain(failed);
    all.into_iter().find(|known| known.to_string() == text)
}

/// How an order ended.
pub(super) const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Filled => "all of it filled",
        Outcome::PartiallyFilled => "part of it filled, and the rest is gone",
        Outcome::Expired => "nothing of it filled",
        Outcome::Rejected => "the venue refused it",
        Outcome::Dropped => {
            "it was never sent: it waited too long, or HardStop, READY or its market forbade it by then"
        }
        Outcome::Unknown => "what became of it could not be found out before the run ended",
    }
}

/// What a refusal of this class means.
pub(super) const fn class(class: RefusalClass) -> &'static str {
    match class {
        RefusalClass::Miss => "a miss, the usual outcome of an order that must fill at once",
        RefusalClass::Superfluous => "nothing was left to do: what it was to close was gone",
        RefusalClass::OurFault => "our fault: we asked for something wrong",
        RefusalClass::VenueState => "the market or the venue could not take it then",
        RefusalClass::AccountState => "the account could not do it",
        RefusalClass::RateLimit => "too many requests",
    }
}

/// `no_match (a miss, …)`
pub(super) fn refusal(name: &str) -> String {
    match Refusal::ALL.iter().find(|known| known.name() == name) {
        Some(known) => format!("{name} ({})", class(known.class())),
        None => name.to_owned(),
    }
}

/// Why nothing was seen.
pub(super) const fn gap(cause: GapCause) -> &'static str {
    match cause {
        GapCause::Start => "the run was starting: not all markets had data yet",
        GapCause::LinkDown => "the link was down, or its markets had not all come back",
        GapCause::Paused => "the process stood still, and saw late what came meanwhile",
        GapCause::RingOverflow => "rows were lost to a full ring",
        GapCause::Storage => "rows could not be stored and had to be dropped",
        GapCause::Stopped => "no engine ran: it had been stopped in order",
        GapCause::Killed => "no engine ran: it had been killed, or had died",
    }
}

/// How a cross ended.
pub(super) const fn cross_end(end: CrossEnd) -> &'static str {
    match end {
        CrossEnd::Quote => "the quote moved away",
        CrossEnd::Oracle => "the oracle moved away, or the cost changed",
        CrossEnd::NoQuote => "the book could not be traded any more",
        CrossEnd::Stale => "the oracle's data had stopped, or the process stood still",
        CrossEnd::Disconnected => "the link dropped",
        CrossEnd::Shutdown => "the run ended",
        CrossEnd::Killed => "the process died, its true end is not known",
    }
}

/// Why a position was closed.
pub(super) const fn exit(exit: ExitReason) -> &'static str {
    match exit {
        ExitReason::MarkRegression => "the price was back at the oracle",
        ExitReason::TimeStop => "it had been held long enough",
        ExitReason::Flatten => "an operator asked for it",
        ExitReason::Shutdown => "the run ended",
        ExitReason::Foreign => "somebody else closed it: the account's owner, or a liquidation",
    }
}

/// The one of `all` that is written so.
pub(super) fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|one| name(*one) == text)
}

/// The meaning of what is written so; of what is not known, the text itself.
pub(super) fn said<T: Copy>(
    all: &[T],
    name: fn(T) -> &'static str,
    meaning: fn(T) -> &'static str,
    text: &str,
) -> String {
    named(all, name, text).map_or_else(|| text.to_owned(), |one| meaning(one).to_owned())
}

/// Every cause of a gap.
pub(super) const GAPS: [GapCause; 7] = [
    GapCause::Start,
    GapCause::LinkDown,
    GapCause::Paused,
    GapCause::RingOverflow,
    GapCause::Storage,
    GapCause::Stopped,
    GapCause::Killed,
];

/// Every end of a cross.
pub(super) const CROSS_ENDS: [CrossEnd; 7] = [
    CrossEnd::Quote,
    CrossEnd::Oracle,
    CrossEnd::NoQuote,
    CrossEnd::Stale,
    CrossEnd::Disconnected,
    CrossEnd::Shutdown,
    CrossEnd::Killed,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decision_is_known_by_what_the_files_write() {
        let mut seen = std::collections::BTreeSet::new();
        for text in [
            "observed",
            "sent",
            "skipped:BelowMinimum",
            "blocked:SpreadShock",
            "filtered:MaxEdge",
            "rejected:NotReady",
        ] {
            let known = decided(text).unwrap_or_else(|| panic!("{text}"));
            assert!(seen.insert(decision(known)), "{text} has words of its own");
        }
        assert_eq!(decided("skipped:Weather"), None);
    }

    #[test]
    fn a_refusal_says_what_class_it_is_of() {
        assert!(refusal("no_match").starts_with("no_match (a miss"));
        assert!(refusal("margin").contains("the account"));
        assert_eq!(refusal("of_another_version"), "of_another_version");
    }
}
