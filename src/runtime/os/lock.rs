//! One process a signer: a lock file named after the signer's address.
//!
//! Two processes on one agent key collide on nonces (PROTOCOL.md §7.3). The kernel holds the lock
//! and releases it when the process ends, however it ends.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

/// Where locks lie on most systems: writable for everybody, and empty after a boot.
const DIR: &str = "/run/lock";
/// Somebody who ends at the same moment takes his file with him; the next one is ours.
const TRIES: u32 = 100;

/// Why a signer could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process trades with this key.
    #[error(
        "{path}: held by {}: one process a signer; stop that one, or give this one a key of its own",
        .pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who holds it, as the file says.
        pid: Option<u32>,
    },
    /// The file cannot be used.
    #[error("{path}: cannot be locked: {source}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// A signer that is ours alone for as long as this lives.
#[derive(Debug)]
pub struct SignerLock {
    _file: File,
    path: PathBuf,
}

impl SignerLock {
    /// Locks `address` (`0x` and 40 lower-case hex digits) in `/run/lock`, or in the directory for
    /// temporary files where that is no writable directory.
    ///
    /// Who sets `TMPDIR` on a machine without `/run/lock` must set it alike for all.
    pub fn acquire(address: &str) -> Result<Self, LockError> {
        Self::acquire_in(&lock_dir(), address)
    }

    /// As [`SignerLock::acquire`], in `dir`.
    pub fn acquire_in(dir: &Path, address: &str) -> Result<Self, LockError> {
        let path = dir.join(format!("hip3-{address}.lock"));
        for _ in 0..TRIES {
            match try_lock(&path) {
                Ok(Some(file)) => return Ok(Self { _file: file, path }),
                Ok(None) => {}
                Err(source) if source.kind() == io::ErrorKind::WouldBlock => {
                    return Err(LockError::Held { pid: holder(&path), path });
                }
                Err(source) => return Err(LockError::Io { path, source }),
            }
        }
        Err(LockError::Held { pid: holder(&path), path })
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SignerLock {
    fn drop(&mut self) {
        // While it is still locked: whoever opened it meanwhile sees that it is gone, see
        // `try_lock`. A file that cannot be removed locks the next one just as well.
        let _ = fs::remove_file(&self.path);
    }
}

/// The machine decides, and not what this process may do: two processes with different rights would
/// else lock different files. Where it exists and cannot be written, taking the lock fails.
fn lock_dir() -> PathBuf {
    let shared = Path::new(DIR);
    if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() }
}

/// Opens and locks the file, and writes our pid into it. `None`: its holder ended between the two,
/// and what we locked has no name any more.
fn try_lock(path: &Path) -> io::Result<Option<File>> {
    // In a directory that everybody can write to, a link may lead anywhere.
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
        .open(path)?;
    let opened = file.metadata()?;
    if !opened.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    match fs::symlink_metadata(path) {
        Ok(named) if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(Some(file))
}

/// The process that the file names; `None` while its holder has not written it yet.
fn holder(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const ADDRESS: &str = "0x00000000000000000000000000000000000000aa";
    const OTHER: &str = "0x00000000000000000000000000000000000000ab";

    #[test]
    fn a_second_lock_on_one_signer_is_refused_and_names_file_and_process() {
        let dir = tempfile::tempdir().unwrap();
        let held = SignerLock::acquire_in(dir.path(), ADDRESS).unwrap();
        let refusal = SignerLock::acquire_in(dir.path(), ADDRESS).unwrap_err().to_string();
        let (path, pid) = (held.path().display().to_string(), std::process::id().to_string());
        assert!(refusal.contains(&path) && refusal.contains(&pid), "{refusal}");
        assert!(path.ends_with(&format!("hip3-{ADDRESS}.lock")), "{path}");
        SignerLock::acquire_in(dir.path(), OTHER).expect("another signer is free");
    }

    #[test]
    fn a_released_lock_can_be_taken_and_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            let held = SignerLock::acquire_in(dir.path(), ADDRESS).unwrap();
            assert!(held.path().exists());
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_without_a_holder_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(format!("hip3-{ADDRESS}.lock"));
        fs::write(&path, "1234567890\n").unwrap();
        let held = SignerLock::acquire_in(dir.path(), ADDRESS).unwrap();
        let pid = fs::read_to_string(held.path()).unwrap();
        assert_eq!(pid.trim(), std::process::id().to_string());
    }

    #[test]
    fn a_link_or_a_directory_in_its_place_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(format!("hip3-{ADDRESS}.lock"));
        let target = dir.path().join("precious");
        fs::write(&target, "kept").unwrap();
        symlink(&target, &path).unwrap();
        assert!(matches!(SignerLock::acquire_in(dir.path(), ADDRESS), Err(LockError::Io { .. })));
        assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(SignerLock::acquire_in(dir.path(), ADDRESS).is_err());
    }

    #[test]
    fn of_many_that_want_one_signer_at_once_one_has_it() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let dir = tempfile::tempdir().unwrap();
        let (holders, taken) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        if let Ok(held) = SignerLock::acquire_in(dir.path(), ADDRESS) {
                            assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                            taken.fetch_add(1, Ordering::SeqCst);
                            holders.fetch_sub(1, Ordering::SeqCst);
                            drop(held);
                        }
                    }
                });
            }
        });
        assert!(taken.load(Ordering::SeqCst) >= 4);
    }
}
