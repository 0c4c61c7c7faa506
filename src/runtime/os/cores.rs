//! Which core a thread runs on.

use std::fmt;
use std::sync::OnceLock;

use core_affinity::CoreId;

use crate::types::config::Core;

/// Result of the request to run on one core.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pinning {
    /// The thread runs on this core and no other; read back from the system.
    Pinned(usize),
    /// The config says no, or there is no core to choose.
    NotAsked,
    /// It runs wherever the system likes, for this reason.
    Failed(String),
}

impl Pinning {
    /// The core, if pinned.
    pub fn core(&self) -> Option<usize> {
        match self {
            Self::Pinned(core) => Some(*core),
            Self::NotAsked | Self::Failed(_) => None,
        }
    }
}

impl fmt::Display for Pinning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned(core) => write!(f, "pinned to core {core}"),
            Self::NotAsked => f.write_str("not pinned"),
            Self::Failed(reason) => write!(f, "not pinned: {reason}"),
        }
    }
}

/// Pins the calling thread, and with it the threads it will spawn.
///
/// With [`Core::Auto`] the hot thread (`avoid` is `None`) gets the last core, far from the first
/// one, where systems put their interrupts; a cold thread (`avoid` is the hot thread's core) the
/// first other one. On a machine of one core `Auto` pins nothing: a hot thread that spins there
/// would starve everything else.
pub fn pin(core: Core, avoid: Option<usize>) -> Pinning {
    let allowed = allowed();
    match choose(core, avoid, allowed) {
        Ok(None) => Pinning::NotAsked,
        Ok(Some(core)) => {
            let set = core_affinity::set_for_current(CoreId { id: core });
            match core_affinity::get_core_ids().as_deref() {
                Some([only]) if only.id == core => Pinning::Pinned(core),
                _ if set => Pinning::Failed(format!("the system did not keep core {core}")),
                _ => Pinning::Failed(format!("the system refused core {core}")),
            }
        }
        Err(reason) => Pinning::Failed(reason),
    }
}

/// Pins the calling thread near the hot thread of [`Core::Auto`], and on none of its cores: for what
/// spins as well. Of two cores it is the first, which it shares with the cold threads.
pub fn pin_beside_hot() -> Pinning {
    match allowed() {
        [.., beside, _] => pin(Core::Index(*beside as u32), None),
        _ => Pinning::NotAsked,
    }
}

/// The cores this process may use, as its first call here found them: later calls may come from
/// threads that are pinned already.
fn allowed() -> &'static [usize] {
    static ALLOWED: OnceLock<Vec<usize>> = OnceLock::new();
    ALLOWED.get_or_init(|| {
        core_affinity::get_core_ids().unwrap_or_default().iter().map(|core| core.id).collect()
    })
}

fn choose(core: Core, avoid: Option<usize>, allowed: &[usize]) -> Result<Option<usize>, String> {
    match core {
        Core::None => Ok(None),
        Core::Auto if allowed.len() < 2 => Ok(None),
        Core::Auto => Ok(match avoid {
            None => allowed.last().copied(),
            Some(avoid) => allowed.iter().copied().find(|core| *core != avoid),
        }),
        Core::Index(index) => match usize::try_from(index) {
            Ok(core) if allowed.contains(&core) => Ok(Some(core)),
            _ => Err(format!("core {index} is not among those this process may use: {allowed:?}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn auto_keeps_hot_and_cold_apart() {
        let cores = [0, 1, 2, 3];
        assert_eq!(choose(Core::Auto, None, &cores), Ok(Some(3)));
        assert_eq!(choose(Core::Auto, Some(3), &cores), Ok(Some(0)));
        assert_eq!(choose(Core::Auto, Some(0), &cores), Ok(Some(1)));
        assert_eq!(choose(Core::Auto, None, &[4, 6]), Ok(Some(6)), "a container's cores");
    }

    #[test]
    fn a_single_core_is_left_to_the_system() {
        assert_eq!(choose(Core::Auto, None, &[0]), Ok(None));
        assert_eq!(choose(Core::Auto, Some(0), &[0]), Ok(None));
        assert_eq!(choose(Core::Auto, None, &[]), Ok(None));
    }

    #[test]
    fn a_core_that_is_not_ours_is_refused_with_the_reason() {
        assert_eq!(choose(Core::Index(2), None, &[0, 2]), Ok(Some(2)));
        let reason = choose(Core::Index(u32::MAX), None, &[0, 2]).unwrap_err();
        assert!(reason.contains("4294967295") && reason.contains("[0, 2]"), "{reason}");
    }

    #[test]
    fn pinning_is_read_back_from_the_system() {
        let first = allowed()[0];
        let index = u32::try_from(first).unwrap();
        let (pinned, seen) = thread::spawn(move || {
            (pin(Core::Index(index), None), core_affinity::get_core_ids().unwrap())
        })
        .join()
        .unwrap();
        assert_eq!(pinned, Pinning::Pinned(first));
        assert_eq!(pinned.core(), Some(first));
        assert_eq!(seen, [CoreId { id: first }]);
        assert_eq!(pin(Core::None, None), Pinning::NotAsked);
    }
}
