//! Files that hold a secret: ours alone, or not read at all.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// A larger file holds something else.
const MAX_FILE: u64 = 1024;

/// The bytes of a file that is ours and nobody else's to read.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let cannot = |error: io::Error| format!("cannot be read: {error}");
    // Not waiting for the writer of a pipe; for a file it changes nothing.
    let file = File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits() as i32)
        .open(path)
        .map_err(cannot)?;
    // Of what is open, not of the name: the name may mean another file by now.
    let found = file.metadata().map_err(cannot)?;
    if !found.is_file() {
        return Err("expected a regular file".to_owned());
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o177 != 0 {
        return Err(format!(
            "has mode {mode:04o}: expected 0600 or stricter, since others may read or change it \
             (chmod 600)"
        ));
    }
    let us = rustix::process::geteuid().as_raw();
    if found.uid() != us {
        return Err(format!("belongs to user {}: expected one of our own ({us})", found.uid()));
    }
    if found.len() > MAX_FILE {
        return Err(format!("has {} bytes: expected at most {MAX_FILE}", found.len()));
    }
    // With its full room from the start: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE as usize + 1));
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("expected at most {MAX_FILE} bytes"));
    }
    Ok(bytes)
}
