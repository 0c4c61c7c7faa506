//! What we need of the operating system besides sockets: clocks, cores, signals, randomness, who we
//! are and who started us, memory that stays, the agent's key and the lock that keeps it to one
//! process, the dashboard's token, and the URL that alerts go to.

mod clock;
mod cores;
mod dump;
mod entropy;
mod identity;
mod key;
mod lock;
mod memory;
mod private;
mod service;
mod signals;
mod token;
mod webhook;

pub use self::clock::{Clock, ticks, ticks_between};
pub use self::cores::{Pinning, pin, pin_beside_hot};
pub use self::dump::forbid_core_files;
pub use self::entropy::{EntropyError, entropy};
pub use self::identity::{GIT_COMMIT, VERSION, first_id, host_name, run_id, version};
pub use self::key::{KEY_VARIABLE, KeyError, KeyOrigin, load_key};
pub use self::lock::{LockError, SignerLock};
pub use self::memory::{Locking, lock_memory, prefault_stack};
pub use self::service::Service;
pub use self::signals::Signals;
pub use self::token::{TokenError, load_token, make_token};
pub use self::webhook::{ALERT_VARIABLE, AlertUrlError, load_alert_url};
