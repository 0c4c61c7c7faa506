//! Whom the signer may act for. An agent carries no name of its master: the venue does what it signs
//! for whatever account approved it (PROTOCOL.md §7.3). So the venue is asked at the start, and again
//! when it refuses in words that leave it open; until it has said that the account is ours nothing is
//! opened, and as long as it says that it is another one, nothing is signed.

use crate::engine::account::RestBudget;
use crate::engine::trader::Trader;
use crate::types::account::{Role, SignerStanding};
use crate::types::event::{Action, Actions};
use crate::types::hard_stop::StopReason;
use crate::types::ids::Address;
use crate::types::log_event::LogEvent;
use crate::types::order::Refusal;
use crate::types::time::{Mono, Nanos, Now};

/// A question that has no answer after this is asked again.
const TIMEOUT: Nanos = Nanos::from_secs(60);
/// Pause after a failed question; doubles up to [`LONGEST_RETRY`].
const RETRY: Nanos = Nanos::from_secs(5);
const LONGEST_RETRY: Nanos = Nanos::from_secs(60);
/// Shortest pause between two answers that were asked for by doubt: each weighs 60 of the 1200 that
/// REST allows in a minute (PROTOCOL.md §8.1).
const PAUSE: Nanos = Nanos::from_secs(60);

/// Weight of the question (PROTOCOL.md §8.1).
const WEIGHT: u32 = 60;
/// Pause while other questions have used up the weight.
const SOON: Nanos = Nanos::from_secs(1);

/// What is known of the signer.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignerCheck {
    signer: Address,
    /// The account that it is to act for: the master, also where a vault or sub-account is traded for.
    account: Option<Address>,
    standing: SignerStanding,
    /// Whether the venue has ever said in this run that the signer is ours.
    confirmed: bool,
    /// When the venue is asked next.
    at: Mono,
    /// Since when an answer is awaited.
    asked: Option<Mono>,
    /// When the last answer came.
    last: Option<Mono>,
    failures: u32,
    /// An order was refused because the account has no funds: a failure, if the signer is ours.
    pub(super) unfunded: bool,
}

impl SignerCheck {
    /// To be asked with the first event.
    pub(super) fn new(signer: Address, account: Option<Address>) -> Self {
        Self {
            signer,
            account,
            standing: SignerStanding::Unknown,
            confirmed: false,
            at: Mono(0),
            asked: None,
            last: None,
            failures: 0,
            unfunded: false,
        }
    }

    /// What the venue has said.
    pub(super) fn standing(&self) -> SignerStanding {
        self.standing
    }

    /// Whether entries may be signed.
    pub(super) fn is_ours(&self) -> bool {
        self.standing == SignerStanding::Ours
    }

    /// Whether what is signed would be done for another account: then nothing may be. What an unknown
    /// signer signs is done for nobody; exits go on, in case it is approved anew.
    pub(super) fn acts_for_another(&self) -> bool {
        matches!(self.standing, SignerStanding::NotOurs(role) if role != Role::Missing)
    }

    /// When the venue is asked, without news.
    pub(super) fn next_due(&self) -> Mono {
        self.asked.map_or(self.at, |asked| asked.plus(TIMEOUT))
    }

    /// The venue's words leave open whether the signer is still ours.
    pub(super) fn doubt(&mut self, now: Mono) {
        if self.is_ours() {
            self.standing = SignerStanding::Unknown;
        }
        let soonest = self.last.map_or(now, |last| last.plus(PAUSE)).max(now);
        self.at = self.at.min(soonest);
    }
}

impl Trader {
    /// Asks the venue, if that is due.
    pub(super) fn ask_signer_role(&mut self, now: Now, rest: &mut RestBudget, out: &mut Actions) {
        if now.mono < self.signer.next_due() {
            return;
        }
        if !rest.take(now.mono, WEIGHT) {
            self.signer.asked = None;
            self.signer.at = now.mono.plus(SOON);
            return;
        }
        self.signer.asked = Some(now.mono);
        self.signer.at = Mono::MAX;
        out.push(Action::ReadSignerRole);
    }

    /// The venue said what the signer is. Returns whether the run must end: it has never been the
    /// signer of this account, and nothing was signed.
    pub(super) fn on_signer_role(&mut self, now: Now, role: Role, out: &mut Actions) -> bool {
        let check = &mut self.signer;
        (check.asked, check.last, check.failures) = (None, Some(now.mono), 0);
        let signer = check.signer;
        let unfunded = std::mem::take(&mut check.unfunded);
        // Its own words for itself: the account is named by the config, and checked when that is read.
        if check.account.is_some_and(|account| role.signs_for(signer, account)) {
            check.standing = SignerStanding::Ours;
            check.confirmed = true;
            self.leverage_at = self.leverage_at.min(now.mono);
            if unfunded
                && let Some(reason) = self.monitor.on_result(now.mono, Err(Refusal::MustDeposit))
            {
                self.stop_for(now, reason, out);
            }
            return false;
        }
        let confirmed = check.confirmed;
        let news = check.standing != SignerStanding::NotOurs(role);
        check.standing = SignerStanding::NotOurs(role);
        check.at = now.mono.plus(PAUSE); // It may be approved anew: what is held needs a way out.
        if news {
            let account = check.account.unwrap_or(signer);
            out.log(LogEvent::SignerNotOurs { signer, role, account });
        }
        if self.signer.acts_for_another() {
            self.drop_queued(now);
        }
        if confirmed {
            self.stop_for(now, StopReason::SignatureRefused, out);
        }
        !confirmed
    }

    /// The venue could not be asked.
    pub(super) fn on_signer_role_failed(&mut self, now: Now) {
        let check = &mut self.signer;
        let retry = Nanos(RETRY.0 << check.failures.min(8)).min(LONGEST_RETRY);
        check.failures = check.failures.saturating_add(1);
        check.asked = None;
        check.at = now.mono.plus(retry);
    }

    /// The venue refused in words that may mean that the signer is an agent of ours no more: one that
    /// was replaced is told that its account has no funds (PROTOCOL.md §3.6).
    pub(super) fn doubt_signer(&mut self, now: Now, refusal: Refusal) {
        if matches!(refusal, Refusal::MustDeposit | Refusal::UnknownSigner) {
            self.signer.doubt(now.mono);
        }
    }
}
