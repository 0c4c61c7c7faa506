//! The disk of the simulated machine: the real one, in a directory of its own, that refuses when it
//! is told to.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::persistence::{Disk, OsDisk};

/// How it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mood {
    /// It does what it should.
    Well,
    /// Nothing more fits.
    Full,
    /// One operation in three fails, writes half done.
    Failing,
}

/// Its state, shared with whoever turns it.
#[derive(Clone, Debug, Default)]
pub(super) struct Spindle {
    mood: Arc<AtomicU8>,
    operations: Arc<AtomicU64>,
}

impl Spindle {
    /// Makes it so from now on.
    pub(super) fn set(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::Relaxed);
    }

    /// How it is.
    pub(super) fn mood(&self) -> Mood {
        match self.mood.load(Ordering::Relaxed) {
            full if full == Mood::Full as u8 => Mood::Full,
            failing if failing == Mood::Failing as u8 => Mood::Failing,
            _ => Mood::Well,
        }
    }

    fn refusal(&self, writes: bool) -> Option<io::Error> {
        let count = self.operations.fetch_add(1, Ordering::Relaxed);
        let kind = match self.mood.load(Ordering::Relaxed) {
            full if full == Mood::Full as u8 && writes => io::ErrorKind::StorageFull,
            failing if failing == Mood::Failing as u8 && count.is_multiple_of(3) => {
                io::ErrorKind::Other
            }
            _ => return None,
        };
        Some(kind.into())
    }
}

impl Disk for Spindle {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.refusal(false).map_or_else(|| OsDisk.create(path), Err)
    }

    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
        match self.refusal(true) {
            None => OsDisk.write_at(file, bytes, at),
            Some(error) => {
                // The beginning is there all the same.
                OsDisk.write_at(file, &bytes[..bytes.len() / 2], at)?;
                Err(error)
            }
        }
    }

    fn copy(&self, from: &File, to: &File, len: u64) -> io::Result<u64> {
        self.refusal(true).map_or_else(|| OsDisk.copy(from, to, len), Err)
    }

    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        self.refusal(false).map_or_else(|| OsDisk.truncate(file, len), Err)
    }

    fn sync(&self, _: &File) -> io::Result<()> {
        // Only a power cut tells the difference.
        self.refusal(false).map_or(Ok(()), Err)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.refusal(false).map_or_else(|| OsDisk.rename(from, to), Err)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.refusal(false).map_or_else(|| OsDisk.remove(path), Err)
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(1 << 40)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.refusal(false).map_or(Ok(()), Err)
    }
}
