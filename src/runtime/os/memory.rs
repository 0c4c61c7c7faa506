//! Memory that is there before it is needed: a page that has to be fetched on an order's way costs
//! microseconds, from a swap device milliseconds.

use std::fmt;
use std::hint::black_box;

/// Result of the request to keep all pages in memory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Locking {
    /// No page of this process leaves memory again, and none that it will take.
    Locked,
    /// The system lets this process lock so many bytes. With a limit nothing is locked: memory that
    /// is taken later would count as well, and past the limit could not be had at all.
    Limited(u64),
    /// The system refused, for this reason.
    Failed(String),
}

impl fmt::Display for Locking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("memory is locked"),
            Self::Limited(most) => write!(
                f,
                "memory is not locked: at most {} KiB may be; `ulimit -l unlimited`, or \
                 LimitMEMLOCK=infinity in a unit, allows it",
                most / 1024
            ),
            Self::Failed(reason) => write!(f, "memory is not locked: {reason}"),
        }
    }
}

/// Keeps all pages of this process in memory, now and later, if there is no limit.
#[cfg(target_os = "linux")]
pub fn lock_memory() -> Locking {
    use rustix::mm::{MlockAllFlags, mlockall};
    use rustix::process::{Resource, getrlimit};

    if let Some(most) = getrlimit(Resource::Memlock).current {
        return Locking::Limited(most);
    }
    // Pages are locked when they are first touched: the stacks of a dozen threads are reserved, and
    // hardly used.
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    match mlockall(flags) {
        Ok(()) => Locking::Locked,
        Err(error) => Locking::Failed(error.to_string()),
    }
}

/// The same where it is not known how.
#[cfg(not(target_os = "linux"))]
pub fn lock_memory() -> Locking {
    Locking::Failed("this system has no such call".to_owned())
}

/// More of the stack than the loop and what it calls ever use.
const STACK: usize = 256 * 1024;

/// Touches the calling thread's stack, so that its pages are there.
#[inline(never)]
pub fn prefault_stack() {
    black_box(&mut [0_u8; STACK]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_it_says_how_to_allow_it() {
        // Not played: what the tests' process has locked would be everybody's business.
        let told = Locking::Limited(8 << 20).to_string();
        assert!(told.contains("8192 KiB") && told.contains("LimitMEMLOCK=infinity"), "{told}");
        assert!(Locking::Failed("no".to_owned()).to_string().ends_with("not locked: no"));
    }

    #[test]
    fn a_thread_has_the_stack_that_is_touched() {
        std::thread::spawn(prefault_stack).join().unwrap();
    }
}
