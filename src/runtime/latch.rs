//! HardStop across restarts: the file that keeps the latch, the one that keeps what was won and lost,
//! and the one by which another process asks for a release.
//!
//! A latch that cannot be read counts as set. Nothing here ever turns a set latch into a released
//! one but a release that somebody asked for.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use crate::alerts::{AlertEvent, AlertSender};
use crate::runtime::cold::wall_now;
use crate::runtime::ring::{Consumer, Producer, ring};
use crate::types::event::OperatorCommand;
use crate::types::hard_stop::{HardStop, StopReason};
use crate::types::losses::{LossEntry, Losses};
use crate::types::time::{Nanos, Wall};

/// The latch, in the data directory.
const LATCH: &str = "hard_stop.json";
/// What was won and lost, likewise.
const LOSSES: &str = "losses.json";
/// A command for its release, likewise.
const REQUEST: &str = "release.json";
/// How the store's lock file is called, likewise: it is held while an engine runs.
const STORE_LOCK: &str = "lock";
/// The store removes files that begin so when it starts.
const TEMP_PREFIX: &str = ".tmp-";
/// Version of the files.
const FORMAT: u32 = 1;
/// None of them is larger: losses are a line for each minute of a week at most.
const MAX_FILE: u64 = 1 << 20;

/// A request is looked for this often.
const POLL: Duration = Duration::from_millis(200);
/// Pause of the keeper when nothing waits.
const IDLE: Duration = Duration::from_millis(5);
/// A latch that could not be written is written again after this.
const RETRY: Duration = Duration::from_secs(1);
/// At the end of a run the keeper tries this long.
const LAST_TRIES: Duration = Duration::from_secs(5);
/// A request older than this was meant for another run, and is not obeyed.
const REQUEST_AGE: Nanos = Nanos::from_secs(30);

/// `hard_stop.json`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    hard_stop: u32,
    reasons: Vec<KeptReason>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptReason {
    reason: String,
    /// Nanoseconds since 1970 UTC, as text: more than what every JSON reader keeps of a number.
    since: String,
}

/// `losses.json`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptLosses {
    losses: u32,
    kept: Losses,
}

/// `release.json`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    release: u32,
    /// A reason's name, or `all`.
    reason: String,
    /// Nanoseconds since 1970 UTC, as text.
    at: String,
}

/// Why a latch cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {fault}")]
pub struct LatchError {
    path: PathBuf,
    fault: String,
}

/// What `hip3 release` releases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Release {
    /// This reason.
    One(StopReason),
    /// Whatever is set.
    All,
}

impl Release {
    /// From a reason's name in any case, or `all`.
    pub fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("all") {
            return Some(Release::All);
        }
        StopReason::named(name).map(Release::One)
    }

    /// As the request file and the command line write it.
    pub const fn name(self) -> &'static str {
        match self {
            Release::One(reason) => reason.name(),
            Release::All => "all",
        }
    }

    /// Whether `latch` holds something that this would release.
    pub fn concerns(self, latch: &HardStop) -> bool {
        match self {
            Release::One(reason) => latch.holds(reason),
            Release::All => latch.active(),
        }
    }

    /// Releases it.
    pub fn apply(self, latch: &mut HardStop) {
        for reason in StopReason::ALL {
            if self == Release::All || self == Release::One(*reason) {
                latch.release(*reason);
            }
        }
    }

    fn command(self) -> OperatorCommand {
        match self {
            Release::One(reason) => OperatorCommand::Release(Some(reason)),
            Release::All => OperatorCommand::Release(None),
        }
    }
}

/// The files of one data directory.
#[derive(Clone, Debug)]
pub struct LatchFile {
    dir: PathBuf,
}

impl LatchFile {
    /// The latch of the engine that records into `data_dir`.
    pub fn new(data_dir: &Path) -> Self {
        Self { dir: data_dir.to_owned() }
    }

    /// Where the latch lies.
    pub fn path(&self) -> PathBuf {
        self.dir.join(LATCH)
    }

    /// Reads the latch; a missing file is a released one.
    ///
    /// Errors: whatever is not exactly what [`LatchFile::keep`] writes, an unknown reason or a
    /// newer version among it.
    pub fn read(&self) -> Result<HardStop, LatchError> {
        let wrong = |fault: String| LatchError { path: self.path(), fault };
        let Some(kept) = read_json::<Kept>(&self.path()).map_err(wrong)? else {
            return Ok(HardStop::default());
        };
        if kept.hard_stop != FORMAT {
            return Err(wrong(format!("is of version {}; expected {FORMAT}", kept.hard_stop)));
        }
        let mut latch = HardStop::default();
        for KeptReason { reason, since } in &kept.reasons {
            let known = StopReason::ALL.iter().copied().find(|known| known.name() == reason);
            let known = known.ok_or_else(|| wrong(format!("{reason:?} is no known reason")))?;
            let since = since.parse().map_err(|_| wrong(format!("{since:?} is no time in ns")))?;
            latch.set(known, Wall(since));
        }
        Ok(latch.lasting())
    }

    /// Reads the latch for a run that begins `now`. One that cannot be read is
    /// [`StopReason::StateUnreadable`]: the file is kept aside and a readable one put in its place.
    pub fn load(&self, now: Wall) -> HardStop {
        let error = match self.read() {
            Ok(latch) => return latch,
            Err(error) => error,
        };
        let mut latch = HardStop::default();
        latch.set(StopReason::StateUnreadable, now);
        let aside = self.dir.join(format!("{LATCH}.unreadable-{}", now.0));
        // Copied, not moved: a death in between must not leave the directory without a latch.
        match fs::copy(self.path(), &aside).and_then(|_| self.keep(&latch)) {
            Ok(()) => {
                error!(%error, kept_as = %aside.display(), "HardStop: its file is unreadable");
            }
            Err(aside) => {
                error!(%error, %aside, "HardStop: its file is unreadable, and stays");
            }
        }
        latch
    }

    /// Writes the latch, without what a restart makes void, so that it survives a power cut:
    /// beside, synced, renamed over the old one, and the directory synced.
    pub fn keep(&self, latch: &HardStop) -> io::Result<()> {
        let kept = |(reason, since): (StopReason, Wall)| KeptReason {
            reason: reason.name().to_owned(),
            since: since.0.to_string(),
        };
        let reasons = latch.lasting().reasons().map(kept).collect();
        fs::create_dir_all(&self.dir)?;
        self.write(LATCH, &Kept { hard_stop: FORMAT, reasons })
    }

    /// Reads what earlier runs have won and lost; a missing file is nothing.
    ///
    /// Errors: as [`LatchFile::read`].
    pub fn read_losses(&self) -> Result<Losses, LatchError> {
        let path = self.dir.join(LOSSES);
        let wrong = |fault: String| LatchError { path: path.clone(), fault };
        match read_json::<KeptLosses>(&path).map_err(wrong)? {
            None => Ok(Losses::default()),
            Some(KeptLosses { losses: FORMAT, kept }) => Ok(kept),
            Some(KeptLosses { losses, .. }) => {
                Err(wrong(format!("is of version {losses}; expected {FORMAT}")))
            }
        }
    }

    /// Reads them for a run that begins `now`, and sets [`StopReason::StateUnreadable`] when they cannot
    /// be read: the file is kept aside, and what was lost is for a person to judge.
    pub fn load_losses(&self, now: Wall, latch: &mut HardStop) -> Losses {
        let error = match self.read_losses() {
            Ok(losses) => return losses,
            Err(error) => error,
        };
        latch.set(StopReason::StateUnreadable, now);
        let aside = self.dir.join(format!("{LOSSES}.unreadable-{}", now.0));
        let kept = fs::copy(self.dir.join(LOSSES), &aside)
            .and_then(|_| self.keep(latch))
            .and_then(|()| self.keep_losses(&Losses::default()));
        match kept {
            Ok(()) => {
                error!(%error, kept_as = %aside.display(), "losses: their file is unreadable");
            }
            Err(aside) => error!(%error, %aside, "losses: their file is unreadable, and stays"),
        }
        Losses::default()
    }

    /// Writes what was won and lost, as [`LatchFile::keep`] does.
    pub fn keep_losses(&self, losses: &Losses) -> io::Result<()> {
        self.write(LOSSES, &KeptLosses { losses: FORMAT, kept: losses.clone() })
    }

    /// Forgets what led to a stop for losses: it was released while no engine runs. One that cannot be
    /// read is left to the next start.
    pub fn forget_losses(&self) -> io::Result<()> {
        let Ok(mut losses) = self.read_losses() else { return Ok(()) };
        if losses.counted().next().is_none() {
            return Ok(());
        }
        losses.take(LossEntry::Forgotten);
        self.keep_losses(&losses)
    }

    /// Leaves a command for whoever keeps this latch.
    pub fn ask(&self, release: Release, at: Wall) -> io::Result<()> {
        let asked =
            Asked { release: FORMAT, reason: release.name().to_owned(), at: at.0.to_string() };
        fs::create_dir_all(&self.dir)?;
        self.write(REQUEST, &asked)
    }

    /// Takes a command back that nobody has taken up; whether there was one.
    pub fn take_back(&self) -> bool {
        fs::remove_file(self.dir.join(REQUEST)).is_ok()
    }

    /// Takes the command that was left, if it is fresh and can be understood.
    fn asked(&self, now: Wall) -> Option<Release> {
        let path = self.dir.join(REQUEST);
        let asked = match read_json::<Asked>(&path) {
            Ok(None) => return None,
            Ok(Some(asked)) => Ok(asked),
            Err(fault) => Err(fault),
        };
        // Removed before it is obeyed: one that cannot be removed would be obeyed forever.
        if let Err(error) = fs::remove_file(&path) {
            warn!(path = %path.display(), %error, "a request cannot be removed, and is not obeyed");
            return None;
        }
        let asked = match asked {
            Ok(asked) => asked,
            Err(fault) => {
                warn!(path = %path.display(), fault, "a request makes no sense, and is dropped");
                return None;
            }
        };
        let at = asked.at.parse::<i64>().unwrap_or(i64::MIN);
        let release = Release::named(&asked.reason);
        if asked.release != FORMAT || release.is_none() || at.abs_diff(now.0) > REQUEST_AGE.0 {
            warn!(reason = asked.reason, at, "a request is stale or unknown, and is dropped");
            return None;
        }
        release
    }

    /// Whether an engine records into this directory now: it holds the store's lock.
    ///
    /// `Ok(Some(_))` when none does, and none can begin while the guard lives.
    pub fn unused(&self) -> io::Result<Option<File>> {
        fs::create_dir_all(&self.dir)?;
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.dir.join(STORE_LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn write(&self, name: &str, value: &impl Serialize) -> io::Result<()> {
        let beside = self.dir.join(format!("{TEMP_PREFIX}{name}"));
        let mut text = serde_json::to_string(value)?;
        text.push('\n');
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, self.dir.join(name))?;
        File::open(&self.dir)?.sync_all()
    }
}

/// The file's value; `None` when there is no file.
fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<T>, String> {
    let text = match File::open(path) {
        Ok(file) => {
            let mut text = String::new();
            io::Read::read_to_string(&mut io::Read::take(file, MAX_FILE), &mut text)
                .map_err(|error| format!("cannot be read: {error}"))?;
            text
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    serde_json::from_str(&text).map(Some).map_err(|error| format!("makes no sense: {error}"))
}

/// The cold thread that keeps the latch of a running engine.
#[derive(Debug)]
pub struct Keeper {
    file: LatchFile,
    latches: Consumer<HardStop>,
    commands: Producer<OperatorCommand>,
    entries: Consumer<LossEntry>,
    losses: Losses,
    /// How far back losses are kept.
    losses_span: Nanos,
    /// Not written yet.
    owed: Option<HardStop>,
    losses_owed: bool,
    failing: bool,
    alerts: AlertSender,
}

impl Keeper {
    /// Keeps what comes from `latches` in `file`, and hands over what others ask by it.
    pub fn new(
        file: LatchFile,
        latches: Consumer<HardStop>,
        commands: Producer<OperatorCommand>,
    ) -> Self {
        let (_, entries) = ring(1);
        Self {
            file,
            latches,
            commands,
            entries,
            losses: Losses::default(),
            losses_span: Nanos::ZERO,
            owed: None,
            losses_owed: false,
            failing: false,
            alerts: AlertSender::disabled(),
        }
    }

    /// The same, and keeps what is won and lost beside what `before` has of the last `span`.
    pub fn counting(self, entries: Consumer<LossEntry>, before: Losses, span: Nanos) -> Self {
        Self { entries, losses: before, losses_span: span, ..self }
    }

    /// The same, and rings when the latch cannot be kept.
    pub fn with_alerts(self, alerts: AlertSender) -> Self {
        Self { alerts, ..self }
    }

    /// Runs until the hot thread is gone and its last latch is kept. Errors: the last latch could
    /// not be written.
    pub fn run(mut self) -> io::Result<()> {
        // Whatever lies there was asked of a run before.
        self.file.take_back();
        let (mut look_at, mut try_at) = (Instant::now(), Instant::now());
        let mut closed_at = None;
        loop {
            let closed = self.latches.is_closed(); // Asked before the last look.
            while let Some(latch) = self.latches.pop() {
                self.owed = Some(latch);
                try_at = Instant::now();
            }
            while let Some(entry) = self.entries.pop() {
                self.losses.take(entry);
                if !std::mem::replace(&mut self.losses_owed, true) && !self.failing {
                    try_at = Instant::now();
                }
            }
            let now = Instant::now();
            if (self.owed.is_some() || self.losses_owed) && now >= try_at {
                try_at = now + RETRY;
                if let Err(error) = self.keep()
                    && closed_at.is_some_and(|at| now.duration_since(at) >= LAST_TRIES)
                {
                    return Err(error);
                }
            }
            if closed {
                if self.owed.is_none() && !self.losses_owed {
                    return Ok(());
                }
                closed_at.get_or_insert(now);
            } else if now >= look_at {
                look_at = now + POLL;
                self.look();
            }
            std::thread::sleep(IDLE);
        }
    }

    /// Writes what is owed. A failure is told when it begins and when it ends.
    fn keep(&mut self) -> io::Result<()> {
        match self.write_owed() {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    info!("HardStop is kept again");
                    self.alerts.send(AlertEvent::LatchKept);
                }
                Ok(())
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    let path = self.file.path();
                    error!(path = %path.display(), %error, "HardStop cannot be kept; tried again");
                    self.alerts.send(AlertEvent::LatchUnkept { error: error.to_string() });
                }
                Err(error)
            }
        }
    }

    /// The latch first: with it a loss is kept that has reached its limit.
    fn write_owed(&mut self) -> io::Result<()> {
        if let Some(latch) = &self.owed {
            self.file.keep(latch)?;
            self.owed = None;
        }
        if self.losses_owed {
            self.losses.forget_older(wall_now(), self.losses_span);
            self.file.keep_losses(&self.losses)?;
            self.losses_owed = false;
        }
        Ok(())
    }

    fn look(&mut self) {
        if let Some(release) = self.file.asked(wall_now()) {
            info!(reason = release.name(), "a release was asked for");
            if self.commands.push(release.command()).is_err() {
                warn!("too many commands wait; this one is dropped");
            }
        }
    }
}

#[cfg(test)]
mod tests;
