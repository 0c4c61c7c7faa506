//! The round trip of a signal: in at its touched price some time later, out on the other side.
//!
//! An order that comes late gets what is left, perhaps nothing: a miss is worth zero, and it counts.

use crate::report::Settings;
use crate::report::signal::{After, EXITS, Exit, Signal};
use crate::types::num::Side;
use crate::types::record::FOLLOW_UP_MS;

/// Least value of an order, in units of 1e-8 USD.
pub const LEAST_NOTIONAL: i64 = 1_000_000_000;

/// Most latencies that can be told apart.
pub const LATENCIES_MAX: usize = 20;

/// When the order arrives, as seen from the probes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// At once: it gets all it asked for.
    AtOnce,
    /// At a probe.
    Probe(usize),
    /// After one probe (`None`: after the signal) and before another.
    Between(Option<usize>, usize),
}

/// A latency with an exit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Combination {
    /// The entry's latency, in milliseconds.
    pub latency_ms: u32,
    /// The same, as seen from the probes.
    pub arrival: Arrival,
    /// Which of [`FOLLOW_UP_MS`].
    pub exit: usize,
}

impl Combination {
    /// When the position is left, in milliseconds after the signal.
    pub fn exit_ms(&self) -> u32 {
        FOLLOW_UP_MS.get(self.exit).copied().unwrap_or_default()
    }
}

/// The combinations that are valued: every probe with every exit behind it, and the one asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// The probed latencies, in milliseconds, ascending.
    pub latencies_ms: Vec<u32>,
    /// All of them; those of the probes first.
    pub combinations: Vec<Combination>,
    probed: usize,
    /// Which of them was asked for.
    pub chosen: usize,
}

/// Why a report cannot be made as it was asked for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// Beyond what was probed nothing is known.
    #[error("--latency-ms {asked}: expected 0 to {most}; the records probe {}", list(.probes))]
    TooLate {
        /// What was asked for.
        asked: u32,
        /// The largest probe.
        most: u32,
        /// All probes that there are, milliseconds.
        probes: Vec<u32>,
    },
    /// Nobody leaves before he has entered.
    #[error("--latency-ms {latency_ms}: expected below --exit-ms, which is {exit_ms}")]
    AfterExit {
        /// The entry's latency that was asked for.
        latency_ms: u32,
        /// The exit.
        exit_ms: u32,
    },
    /// Nothing is known.
    #[error("--latency-ms {0}: expected 0; the records probe no entry latency")]
    NoProbes(u32),
    /// The runs differ too much.
    #[error("the records probe {0} different entry latencies, expected at most {LATENCIES_MAX}")]
    TooMany(usize),
    /// There is no such follow-up.
    #[error("--exit-ms {asked}: expected one of {}", list(&FOLLOW_UP_MS))]
    Exit {
        /// What was asked for.
        asked: u32,
    },
}

fn list(all: &[u32]) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    format!("{} ms", all.join(", "))
}

impl Plan {
    /// Of these probes, in any order.
    ///
    /// Errors: a latency above all probes or behind the exit, an exit that no follow-up has.
    pub fn new(
        mut latencies_ms: Vec<u32>,
        latency_ms: u32,
        exit_ms: u32,
    ) -> Result<Self, PlanError> {
        latencies_ms.sort_unstable();
        latencies_ms.dedup();
        if latencies_ms.len() > LATENCIES_MAX {
            return Err(PlanError::TooMany(latencies_ms.len()));
        }
        let exit = FOLLOW_UP_MS.iter().position(|ms| *ms == exit_ms);
        let exit = exit.ok_or(PlanError::Exit { asked: exit_ms })?;
        if latency_ms >= exit_ms {
            return Err(PlanError::AfterExit { latency_ms, exit_ms });
        }
        let next = latencies_ms.iter().position(|ms| *ms >= latency_ms);
        let arrival = match next {
            _ if latency_ms == 0 => Arrival::AtOnce,
            Some(at) if latencies_ms.get(at) == Some(&latency_ms) => Arrival::Probe(at),
            Some(at) => Arrival::Between(at.checked_sub(1), at),
            None => {
                let Some(most) = latencies_ms.last().copied() else {
                    return Err(PlanError::NoProbes(latency_ms));
                };
                let probes = latencies_ms;
                return Err(PlanError::TooLate { asked: latency_ms, most, probes });
            }
        };
        let mut combinations = Vec::new();
        for (at, latency_ms) in latencies_ms.iter().copied().enumerate() {
            for (exit, exit_ms) in FOLLOW_UP_MS.iter().enumerate() {
                if latency_ms < *exit_ms {
                    let arrival = Arrival::Probe(at);
                    combinations.push(Combination { latency_ms, arrival, exit });
                }
            }
        }
        let probed = combinations.len();
        let asked = Combination { latency_ms, arrival, exit };
        let chosen = combinations.iter().position(|one| *one == asked).unwrap_or_else(|| {
            combinations.push(asked);
            combinations.len() - 1
        });
        Ok(Self { latencies_ms, combinations, probed, chosen })
    }

    /// The plan of records without a signal, whatever was asked for: there is nothing to value.
    pub fn empty(latency_ms: u32, exit_ms: u32) -> Result<Self, PlanError> {
        Self::new(vec![latency_ms], latency_ms, exit_ms)
    }

    /// The one that was asked for.
    pub fn asked(&self) -> Option<&Combination> {
        self.combinations.get(self.chosen)
    }

    /// How many of the combinations are those of the probes.
    pub fn probed(&self) -> usize {
        self.probed
    }

    /// The latencies around the one asked for, in milliseconds, when it lies between two.
    pub fn between(&self) -> Option<(u32, u32)> {
        match self.asked()?.arrival {
            Arrival::Between(before, after) => {
                let before = before.and_then(|at| self.latencies_ms.get(at)).copied();
                Some((before.unwrap_or(0), *self.latencies_ms.get(after)?))
            }
            Arrival::AtOnce | Arrival::Probe(_) => None,
        }
    }

    /// Share of the earlier probe's fill in one between two probes: how much of the quotes that were lost
    /// between them was still there. `survival` is the market's, at a time in milliseconds.
    pub fn weight(&self, survival: impl Fn(u32) -> f64) -> f64 {
        match (self.between(), self.asked()) {
            (Some(probes), Some(asked)) => weight(probes, asked.latency_ms, survival),
            _ => 0.0,
        }
    }
}

/// Share of the earlier probe's fill at a latency between two probes, which differ; all in milliseconds. By
/// time alone where no quote is known to have gone between them.
pub fn weight((before, after): (u32, u32), latency: u32, survival: impl Fn(u32) -> f64) -> f64 {
    let (first, then, last) = (survival(before), survival(latency), survival(after));
    if first > last {
        (then - last) / (first - last)
    } else {
        f64::from(after - latency) / f64::from(after - before)
    }
}

/// What a round trip earns after fees both ways, in bps of the entry. Prices in any unit, above zero.
pub fn net_bps(side: Side, entry: f64, exit: f64, fee_bps: f64, priority_bps: f64) -> f64 {
    let gained = match side {
        Side::Buy => exit - entry,
        Side::Sell => entry - exit,
    };
    1e4 * gained / entry - fee_bps * (1.0 + exit / entry) - priority_bps
}

/// Why a signal has no value. In the order of the tests; a blocked one is told apart before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Left {
    /// No order can be that small.
    BelowMinimum,
    /// Not everything was seen then.
    InGap,
    /// A look that is needed saw nothing.
    Unseen,
    /// It would fill, and nothing stands where it would leave.
    NoExit,
}

/// What a signal was worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trip {
    /// Share of the suggested size that it gets.
    pub fill: f64,
    /// What that earns, after fees, in bps of the entry; not a number for a miss that cannot be left.
    pub net_bps: f64,
    /// The same per suggested notional: zero for a miss.
    pub value_bps: f64,
    /// In USD.
    pub usd: f64,
    /// Whether less stood at the exit's price than would have been held: the rest would have left at worse
    /// ones, which no row tells.
    pub thin: bool,
}

/// A signal's part in all of its combinations.
#[derive(Clone, Copy, Debug)]
pub struct Valued<'a> {
    after: &'a After<'a>,
    small: bool,
    /// Nanoseconds until not everything was seen; zero when that began before.
    clear_ns: i64,
    sz: f64,
    notional_usd: f64,
    /// What each exit earns; not a number where nothing stands.
    net_bps: [f64; EXITS],
    /// Of the earlier probe, between two.
    weight: f64,
}

impl<'a> Valued<'a> {
    /// Values `signal`. From `clear_ns` nanoseconds after it not everything was seen; `weight` is that of
    /// [`Plan::weight`] in its market.
    pub fn new(
        signal: &Signal,
        after: &'a After<'a>,
        settings: &Settings,
        clear_ns: i64,
        weight: f64,
    ) -> Self {
        let entry = signal.limit.unwrap_or_default() as f64;
        let fee = signal.fee_bps(settings.fee_bps);
        let net_bps = after.exits.map(|exit| {
            if exit.px <= 0 || entry <= 0.0 {
                return f64::NAN;
            }
            net_bps(signal.side, entry, exit.px as f64, fee, settings.priority_bps)
        });
        Self {
            after,
            small: signal.notional < LEAST_NOTIONAL,
            clear_ns,
            sz: signal.sz as f64,
            notional_usd: signal.sz as f64 / 1e8 * entry / 1e8,
            net_bps,
            weight,
        }
    }

    /// What each exit earns, in bps.
    pub fn nets(&self) -> [f64; EXITS] {
        self.net_bps
    }

    /// What was seen after the signal.
    pub fn exits(&self) -> &[Exit; EXITS] {
        &self.after.exits
    }

    /// The value at `combination`.
    pub fn at(&self, combination: &Combination) -> Result<Trip, Left> {
        if self.small {
            return Err(Left::BelowMinimum);
        }
        if self.clear_ns <= i64::from(combination.exit_ms()) * 1_000_000 {
            return Err(Left::InGap);
        }
        let exit = self.after.exits.get(combination.exit).filter(|exit| exit.seen);
        let fill = self.fill(combination.arrival);
        let (Some(exit), Some(fill)) = (exit, fill) else { return Err(Left::Unseen) };
        let net_bps = self.net_bps.get(combination.exit).copied().unwrap_or(f64::NAN);
        if fill <= 0.0 {
            return Ok(Trip { fill: 0.0, net_bps, value_bps: 0.0, usd: 0.0, thin: false });
        }
        if net_bps.is_nan() {
            return Err(Left::NoExit);
        }
        let value_bps = fill * net_bps;
        let usd = value_bps * self.notional_usd / 1e4;
        Ok(Trip { fill, net_bps, value_bps, usd, thin: (exit.sz as f64) < fill * self.sz })
    }

    fn fill(&self, arrival: Arrival) -> Option<f64> {
        match arrival {
            Arrival::AtOnce => Some(1.0),
            Arrival::Probe(at) => self.filled(at),
            Arrival::Between(before, after) => {
                let later = self.filled(after)?;
                let sooner = before.map_or(Some(1.0), |at| self.filled(at))?;
                Some(later + self.weight * (sooner - later))
            }
        }
    }

    /// Share of the size that stood at a probe.
    fn filled(&self, probe: usize) -> Option<f64> {
        let stood = self.after.fillable.get(probe).copied().filter(|sz| *sz >= 0)?;
        (self.sz > 0.0).then(|| (stood as f64 / self.sz).clamp(0.0, 1.0))
    }
}
