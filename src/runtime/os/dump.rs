//! No core file of a process that holds a key.

/// Lets the system write no core file of this process, and no other process of the same user read
/// its memory. A system that refuses is told nothing further: the key is as safe as it was.
#[cfg(target_os = "linux")]
pub fn forbid_core_files() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// The same where there is only a limit on the size of core files.
#[cfg(not(target_os = "linux"))]
pub fn forbid_core_files() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
}
