//! Simulation testing: engine, session and venue in virtual time, with everything that can go wrong
//! between them, from one seed.
//!
//! A [`Plan`] is played by [`play`]: the real engine, the real WebSocket codec on both ends of a
//! network that cuts bytes where it likes, the real readings of the account, the real store on a disk
//! that may refuse, and the simulated venue. No thread, socket or clock. The same plan gives the same
//! [`Played`], on every machine.
//!
//! After every event the `judge` asks the venue and its own shadow books whether the invariants hold.

mod desk;
mod digest;
mod disk;
pub mod fault;
mod judge;
mod line;
mod machine;
pub mod profile;
pub mod reach;
mod records;
mod shadow;
mod trace;
mod waits;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use digest::Digest;
pub use judge::{Broken, Invariant};
pub use profile::{Profile, ProfileError};
pub use reach::Reach;
pub use trace::Trace;

use crate::simulation::world::World;
use crate::types::time::Nanos;

/// What is to be played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What goes wrong.
    pub profile: Profile,
    /// Decides over everything.
    pub seed: u64,
    /// How long, in virtual time; at least [`Plan::SHORTEST`].
    pub span: Nanos,
    /// Markets of the venue.
    pub markets: usize,
    /// Where the records of the run go; made for it, and emptied before.
    pub dir: PathBuf,
}

impl Plan {
    /// A run is at least as long as the quiet time at its end.
    pub const SHORTEST: Nanos = world::QUIET;
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct Played {
    /// Its seed.
    pub seed: u64,
    /// Virtual seconds.
    pub seconds: f64,
    /// Frames that the engine heard.
    pub frames: u64,
    /// Signals that it recorded.
    pub signals: u64,
    /// Orders that it sent.
    pub orders: u64,
    /// Fills, by the venue's books.
    pub fills: u64,
    /// Processes that lived, and how many of them died.
    pub processes: (u64, u64),
    /// How often each fault happened.
    pub injected: BTreeMap<&'static str, u64>,
    /// How often each invariant was checked.
    pub checked: Vec<u64>,
    /// What was seen.
    pub reach: Reach,
    /// Of all that the engine asked for.
    pub digest: Digest,
    /// What did not hold, if anything.
    pub broken: Option<Broken>,
    /// What happened last, if the trace was on.
    pub last_events: Vec<String>,
}

/// Plays it.
///
/// Errors: a plan that no world can be made of, a directory that cannot be used.
pub fn play(plan: &Plan, trace: Trace) -> Result<Played, String> {
    let dir = &plan.dir;
    let refused = |error: std::io::Error| format!("{}: {error}", dir.display());
    if dir.exists() {
        std::fs::remove_dir_all(dir).map_err(refused)?;
    }
    let mut world =
        World::new(&plan.profile, plan.seed, plan.span, plan.markets, dir.clone(), trace)?;
    world.play();
    let played = Played {
        seed: plan.seed,
        seconds: world.seconds(),
        frames: world.counts.frames,
        signals: world.counts.signals,
        orders: world.judge.orders_sent() as u64,
        fills: world.counts.fills,
        processes: (world.counts.processes, world.counts.deaths),
        injected: world.injected(),
        checked: world.judge.checked().to_vec(),
        reach: world.reach.clone(),
        digest: world.digest,
        broken: world.judge.broken().cloned(),
        last_events: world.last_events(),
    };
    drop(world);
    if dir.exists() {
        std::fs::remove_dir_all(dir).map_err(refused)?;
    }
    Ok(played)
}
