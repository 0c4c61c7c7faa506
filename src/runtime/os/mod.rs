//! What we need of the operating system besides sockets: clocks, cores, signals, and who we are.

mod clock;
mod cores;
mod identity;
mod signals;

pub use self::clock::Clock;
pub use self::cores::{Pinning, pin};
pub use self::identity::{GIT_COMMIT, VERSION, first_id, run_id, version};
pub use self::signals::Signals;
