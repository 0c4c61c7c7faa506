//! `hip3 replay`

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use crate::command::{Failure, ModeArg, log_to_stderr, print, summary};
use crate::engine::Engine;
use crate::persistence::{RunInfo, Store};
use crate::runtime::capture::{Header, Heard, Reader};
use crate::runtime::os::GIT_COMMIT;
use crate::runtime::tally::Tally;
use crate::runtime::wallet::{throwaway_key, wallet};
use crate::types::config::{self, Config};
use crate::types::event::{Action, Actions, Event};
use crate::types::hard_stop::HardStop;
use crate::types::record::Mode;
use crate::types::time::Now;

/// Rows between two flushes: far below what the store holds in memory.
const ROWS_PER_FLUSH: u64 = 65_536;

/// Drives the engine from captures, as fast as it can
///
/// Captures are made by `hip3 run --capture FILE`; the rows are the same that the live runs wrote.
///
/// The settings are those of the captured run, unless `--config` or `--set` says otherwise; the mode
/// is observation, unless `--mode` says otherwise. In trading mode nothing is sent either: actions
/// are signed with a key made for the replay, and the captured answers are heard. A
/// capture that breaks off, as a killed run leaves it, is ended as a stop would have ended it.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The captures
    #[arg(value_name = "FILE", required = true)]
    captures: Vec<PathBuf>,
    /// Uses this config instead of the captured run's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What the engine may do, whatever it did in the captured run
    #[arg(long, default_value = "observation")]
    mode: ModeArg,
    /// Overrides one key; may be repeated
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    overrides: Vec<String>,
    /// Where the day files go: each capture's into a directory of its own, named by its run
    #[arg(long, value_name = "DIR", default_value = "data/replay")]
    out: PathBuf,
    /// Prints the summary as JSON
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(crate) fn run(self) -> Result<(), Failure> {
        // The store tells of a disk in trouble by the log.
        let _screen = log_to_stderr(&Config::default())?;
        for path in &self.captures {
            print(&self.replay(path)?)?;
        }
        Ok(())
    }

    /// Replays one capture and returns its summary.
    fn replay(&self, path: &Path) -> Result<String, Failure> {
        let mut capture = Reader::open(path).map_err(Failure::usage)?;
        let header = capture.header().clone();
        let name = format!("{}, line 1", path.display());
        let captured = config::from_text(&header.config, &name, &[]).map(|config| config.mode);
        let mut overrides = self.overrides.clone();
        overrides.push(self.mode.key());
        let config = match &self.config {
            Some(file) => config::load(Some(file), &overrides),
            None => config::from_text(&header.config, &name, &overrides),
        }
        .map_err(Failure::usage)?;
        if let Ok(captured) = captured
            && captured != config.mode
        {
            note(&format!(
                "{}: captured in {} mode, replayed in {} mode: decisions differ (see --mode)",
                path.display(),
                captured.name(),
                config.mode.name()
            ));
        }
        let out = self.out.join(&header.run_id);
        refuse_records(&out)?;

        let mut line = capture.next_line().map_err(Failure::runtime)?;
        let began = line.as_ref().map_or(Now::default(), |(now, _)| *now);
        let run = RunInfo {
            run_id: header.run_id.clone(),
            git_commit: GIT_COMMIT.to_owned(),
            config_hash: config.hash(),
            started_at: began.wall,
            mode: config.mode,
            entry_latencies_ms: config.detector.entry_latencies_ms.clone(),
        };
        let (store, recovery) = Store::open(&out, run, began.wall).map_err(Failure::runtime)?;
        for warning in &recovery.warnings {
            note(&format!("warning: {warning}"));
        }
        let mut player = Player::new(engine(&config, &header)?, store, began);
        let mut progress = Progress::new();
        while let Some((now, heard)) = line {
            player.play(now, &heard)?;
            progress.step(&player);
            line = capture.next_line().map_err(Failure::runtime)?;
        }
        player.end()?;
        progress.end(&player);
        let status = player.engine.status(player.now.mono);
        let records = player.store.close(player.now.wall).map_err(Failure::runtime)?;
        if records.rows_dropped > 0 {
            return Err(Failure::runtime(format!(
                "{} rows could not be stored in {}",
                records.rows_dropped,
                out.display()
            )));
        }
        Ok(summary::of_replay(&status, &player.tally, &records, self.json))
    }
}

/// Records of another run in the same place would be continued, and the two could not be told
/// apart.
fn refuse_records(out: &Path) -> Result<(), Failure> {
    let occupied = std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(Failure::usage(format!(
            "{}: expected a directory that is empty or does not exist (see --out)",
            out.display()
        )));
    }
    Ok(())
}

/// The engine that was captured. One that trades signs with a key of its own: what it signs goes
/// nowhere, and nothing that it records depends on it. HardStop begins released.
fn engine(config: &Config, header: &Header) -> Result<Engine, Failure> {
    match config.mode {
        Mode::Observation => Ok(Engine::new(config, header.first_id, header.seed)),
        Mode::Trading => {
            let key = throwaway_key().map_err(Failure::runtime)?;
            let (wallet, _) = wallet(config, key).map_err(Failure::usage)?;
            let latch = HardStop::default();
            Ok(Engine::trading(config, header.first_id, header.seed, wallet, latch))
        }
    }
}

/// An engine under a capture, and the store it records into.
struct Player {
    engine: Engine,
    actions: Actions,
    store: Store,
    tally: Tally,
    now: Now,
    lines: u64,
    frames: u64,
    holes: u64,
    unflushed: u64,
    stopped: bool,
}

impl Player {
    fn new(engine: Engine, store: Store, now: Now) -> Self {
        Self {
            engine,
            actions: Actions::new(),
            store,
            tally: Tally::default(),
            now,
            lines: 0,
            frames: 0,
            holes: 0,
            unflushed: 0,
            stopped: false,
        }
    }

    fn play(&mut self, now: Now, heard: &Heard) -> Result<(), Failure> {
        self.lines += 1;
        self.frames += u64::from(matches!(heard, Heard::Frame(_)));
        match heard.event() {
            Some(event) => self.tell(now, event),
            None => {
                if let Heard::Missing(lines) = heard {
                    self.holes += lines;
                }
                Ok(())
            }
        }
    }

    fn tell(&mut self, now: Now, event: Event<'_>) -> Result<(), Failure> {
        self.now = now;
        self.engine.on_event(now, event, &mut self.actions);
        for action in self.actions.iter() {
            match action {
                Action::Record(row) => {
                    self.store.append(&row);
                    self.tally.count(&row);
                    self.unflushed += 1;
                }
                Action::Stopped => self.stopped = true,
                // What was sent and asked for then was answered then.
                Action::Connect
                | Action::Close(_)
                | Action::Send(_)
                | Action::ReadUniverse
                | Action::ReadAccount { .. }
                | Action::KeepLatch(_)
                | Action::Note(_) => {}
            }
        }
        self.actions.clear();
        if self.unflushed < ROWS_PER_FLUSH {
            return Ok(());
        }
        self.unflushed = 0;
        let report = self.store.flush(now.wall);
        if report.errors.is_empty() {
            Ok(())
        } else {
            Err(Failure::runtime(report.errors.join("; ")))
        }
    }

    fn end(&mut self) -> Result<(), Failure> {
        if !self.stopped {
            self.tell(self.now, Event::Stop)?;
        }
        if self.holes > 0 {
            note(&format!(
                "warning: the capture could not keep up and misses {} things that the live run \
                 heard: the rows differ from its rows",
                self.holes
            ));
        }
        Ok(())
    }
}

/// A line about the progress, a few times a second on a terminal.
struct Progress {
    began: Instant,
    shown: Instant,
    terminal: bool,
}

impl Progress {
    fn new() -> Self {
        let now = Instant::now();
        Self { began: now, shown: now, terminal: std::io::stderr().is_terminal() }
    }

    fn step(&mut self, player: &Player) {
        // The clock is read every 1024 lines: it is slower than a line.
        if player.lines.is_multiple_of(1024)
            && self.terminal
            && self.shown.elapsed().as_millis() >= 200
        {
            self.shown = Instant::now();
            let _ = write!(std::io::stderr(), "\r{}\x1b[K", self.line(player));
        }
    }

    fn end(&self, player: &Player) {
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        note(&self.line(player));
    }

    fn line(&self, player: &Player) -> String {
        let seconds = self.began.elapsed().as_secs_f64();
        let rate = player.frames as f64 / seconds.max(1e-9);
        let signals = player.engine.status(player.now.mono).signals;
        format!("replayed {} frames, {rate:.0} a second, {signals} signals", player.frames)
    }
}

fn note(text: &str) {
    // Nothing is left to do when standard error is gone.
    let _ = writeln!(std::io::stderr(), "{text}");
}
