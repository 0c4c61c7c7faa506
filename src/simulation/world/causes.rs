//! Why HardStop was set: the faults that explain each of its reasons, and when each last happened.
//!
//! What only a person may release must be set for something that only a person can judge. Orders that
//! met nobody, late or superfluous ones, feeds that are late and positions that others closed are not.

use crate::simulation::fault::{Fault, Injected};
use crate::simulation::judge::Invariant;
use crate::simulation::world::World;
use crate::types::hard_stop::StopReason;
use crate::types::time::{Mono, Nanos};
use crate::venue;

/// A fault explains for so long what follows from it.
const EXPLAINS: Nanos = Nanos::from_secs(600);

/// A clock that is off by less than this explains nothing, in nanoseconds.
pub(super) const CLOCK_OFF: i64 = 500_000_000;

/// How often each fault has happened, and when it last did.
#[derive(Clone, Debug)]
pub(super) struct Causes {
    host: Vec<(u64, Option<Mono>)>,
    venue: Vec<(u64, Option<Mono>)>,
    /// When the host's clock was last off.
    clock_off: Option<Mono>,
}

impl Default for Causes {
    fn default() -> Self {
        Self {
            host: vec![(0, None); Fault::ALL.len()],
            venue: vec![(0, None); venue::Fault::ALL.len()],
            clock_off: None,
        }
    }
}

impl Causes {
    /// Looks at what has happened by `now`.
    fn look(&mut self, now: Mono, host: &Injected, venue: &venue::Injected, clock_off: i64) {
        let host_counts = Fault::ALL.iter().map(|fault| host.of(*fault));
        let venue_counts = venue::Fault::ALL.iter().map(|fault| venue.of(*fault));
        let known = self.host.iter_mut().chain(&mut self.venue);
        for ((count, at), seen) in known.zip(host_counts.chain(venue_counts)) {
            if *count != seen {
                (*count, *at) = (seen, Some(now));
            }
        }
        if clock_off.abs() > CLOCK_OFF {
            self.clock_off = Some(now);
        }
    }

    /// Whether one of these happened a short while ago.
    fn recent(&self, now: Mono, host: &[Fault], venue: &[venue::Fault]) -> bool {
        let of_host = host.iter().map(|fault| self.host[*fault as usize].1);
        let of_venue = venue.iter().map(|fault| self.venue[*fault as usize].1);
        of_host.chain(of_venue).flatten().any(|at| now.since(at) <= EXPLAINS)
    }
}

/// The faults that explain a reason. A person has to act on each: approve the agent, stop another
/// program with the same key, look into refusals that make no sense, set the clock right.
fn causes(reason: StopReason) -> (&'static [Fault], &'static [venue::Fault]) {
    use venue::Fault as Of;
    match reason {
        StopReason::Operator => (&[Fault::Halt], &[]),
        StopReason::ConsecutiveFailures => (
            &[],
            &[
                Of::Refuse,
                Of::AgentExpire,
                Of::AgentMoves,
                Of::NoncesTaken,
                Of::SzDecimals,
                Of::Liquidate,
            ],
        ),
        StopReason::FlattenFailures => {
            (&[], &[Of::Refuse, Of::AgentExpire, Of::AgentMoves, Of::NoncesTaken, Of::SzDecimals])
        }
        // A digit of a fill that changed on the way is a difference like any other.
        StopReason::PositionMismatch => (&[], &[Of::AgentMoves, Of::Garble]),
        StopReason::SignatureRefused => (&[], &[Of::AgentExpire, Of::AgentMoves]),
        StopReason::NonceRefused => {
            (&[Fault::ClockStep, Fault::ClockDrift], &[Of::NoncesTaken, Of::Refuse])
        }
        StopReason::ClockSkew => (&[Fault::ClockStep, Fault::ClockDrift], &[]),
        // Money that the account's books do not have.
        StopReason::Loss => (&[], &[Of::AgentMoves, Of::Garble]),
        StopReason::Reconnecting | StopReason::StateUnreadable => (&[], &[]),
    }
}

impl World {
    /// Looks at the faults that have happened.
    pub(super) fn look_for_causes(&mut self) {
        let off = self.machine.clock.off(self.now);
        self.causes.look(self.now, &self.dice.injected, &self.venue.injected(), off);
    }

    /// The engine sets a reason of HardStop: something must explain it.
    pub(super) fn explain(&mut self, reason: StopReason) {
        self.look_for_causes();
        let (host, venue) = causes(reason);
        let recent = self.causes.recent(self.now, host, venue);
        let explained = match reason {
            // Released by itself.
            StopReason::Reconnecting => true,
            StopReason::ClockSkew => {
                let off = self.causes.clock_off;
                recent && off.is_some_and(|at| self.now.since(at) <= Nanos::from_secs(60))
            }
            StopReason::Loss => {
                let most = self.profile.judged_by.risk_monitor.max_loss;
                let lost = self.judge.lost(&self.venue);
                // A liquidation takes no more than what backed the position, which its price does not say.
                let liquidated = self.reach.seen().any(|(what, _)| what == "trade:foreign");
                // What is held is not counted alike to the cent.
                recent || liquidated || lost.units() >= most.units() / 10 * 9
            }
            _ => recent,
        };
        self.judge.hold(Invariant::Explained, explained, || {
            format!(
                "HardStop is set for {}, and nothing has happened that explains it",
                reason.name()
            )
        });
    }
}
