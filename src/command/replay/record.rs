//! One capture through one engine, with the records that a live run would have written.

use std::path::{Path, PathBuf};

use crate::command::replay::fill::Terms;
use crate::command::replay::left::Left;
use crate::command::replay::player::{Player, Rows};
use crate::command::replay::progress::{self, Progress};
use crate::command::replay::settings::Setting;
use crate::command::replay::{Replay, Source, player};
use crate::command::{Failure, summary};
use crate::persistence::{RunInfo, Store};
use crate::runtime::os::GIT_COMMIT;
use crate::runtime::tally::Tally;
use crate::types::config::Config;
use crate::types::event::Actions;
use crate::types::hard_stop::StopReason;
use crate::types::record::{FEE_SIDES, Row};
use crate::types::time::Now;

/// Rows between two flushes: far below what the store holds in memory.
const ROWS_PER_FLUSH: u64 = 65_536;

/// The rows' way into the day files, if there are any, and into the summary.
struct Records {
    store: Option<Store>,
    tally: Tally,
    unflushed: u64,
}

impl Rows for Records {
    fn take(&mut self, now: Now, row: &Row) -> Result<(), Failure> {
        self.tally.count(row);
        let Some(store) = &mut self.store else { return Ok(()) };
        store.append(row);
        self.unflushed += 1;
        if self.unflushed < ROWS_PER_FLUSH {
            return Ok(());
        }
        self.unflushed = 0;
        let report = store.flush(now.wall);
        if report.errors.is_empty() {
            Ok(())
        } else {
            Err(Failure::runtime(report.errors.join("; ")))
        }
    }
}

/// Replays a capture and returns its summary.
pub(super) fn replay(
    args: &Replay,
    setting: &Setting,
    path: &Path,
    terms: Option<&Terms>,
) -> Result<String, Failure> {
    let mut source = Source::open(path)?;
    let config = setting.config(args, &source)?;
    source.note_other_mode(&config);
    let out = place(args, &source);
    if !args.no_records {
        refuse_records(&out)?;
    }
    let capture = &mut source.reader;
    let header = capture.header().clone();
    let mut line = capture.read().map_err(Failure::runtime)?;
    let began = line.as_ref().map_or(Now::default(), |(now, _)| *now);
    let store = match args.no_records {
        true => None,
        false => Some(open_store(&out, &header.run_id, &config, began)?),
    };
    let mut records = Records { store, tally: Tally::default(), unflushed: 0 };
    let mut player = player(&config, &header, began, terms)?;
    let mut actions = Actions::new();
    let mut progress = Progress::new();
    while let Some((now, said)) = line {
        let played = player.play(now, said, &mut actions, &mut records);
        played.map_err(|failure| of_capture(path, failure))?;
        progress.step(player.lines, player.frames, 1);
        line = capture.read().map_err(Failure::runtime)?;
    }
    player.end(&mut actions, &mut records)?;
    progress.end(player.frames, 1);
    note_holes(player.holes);
    note_left(&player);
    let status = player.engine.status(player.now.mono);
    let Records { store, tally, .. } = records;
    let kept = store.map(|store| store.close(player.now.wall).map_err(Failure::runtime));
    let kept = kept.transpose()?;
    if let Some(lost) = kept.as_ref().map(|kept| kept.rows_dropped).filter(|lost| *lost > 0) {
        return Err(Failure::runtime(format!(
            "{lost} rows could not be stored in {}",
            out.display()
        )));
    }
    Ok(summary::of_replay(&status, &tally, kept.as_ref(), args.json))
}

/// Where the records of a capture go.
pub(super) fn place(args: &Replay, source: &Source) -> PathBuf {
    let out = args.out.as_deref().unwrap_or(Path::new("data/replay"));
    out.join(&source.header().run_id)
}

fn open_store(out: &Path, run_id: &str, config: &Config, began: Now) -> Result<Store, Failure> {
    let run = RunInfo {
        run_id: run_id.to_owned(),
        git_commit: GIT_COMMIT.to_owned(),
        config_hash: config.hash(),
        started_at: began.wall,
        mode: config.mode,
        entry_latencies_ms: config.detector.entry_latencies_ms.clone(),
        slippage_bps: Some(config.detector.slippage),
        fee_sides: FEE_SIDES,
    };
    let (store, recovery) = Store::open(out, run, began.wall).map_err(Failure::runtime)?;
    for warning in &recovery.warnings {
        progress::note(&format!("warning: {warning}"));
    }
    Ok(store)
}

/// Says what was not closed and why nothing more was opened: neither is a row.
fn note_left(player: &Player) {
    let mut notes = Vec::new();
    for Left { coin, szi, profit } in player.left() {
        let worth = profit.map_or_else(
            || "nothing stood to leave at".to_owned(),
            |profit| format!("{profit} USD at the last price, before fees"),
        );
        notes.push(format!("warning: {coin} {szi} is left open: {worth}"));
    }
    let reasons: Vec<&str> = player.stopped_by().into_iter().map(StopReason::name).collect();
    if !reasons.is_empty() {
        notes.push(format!("warning: HardStop holds: {}", reasons.join(", ")));
    }
    notes.iter().for_each(|note| progress::note(note));
}

/// The failure of a line, with the name of its capture.
pub(super) fn of_capture(path: &Path, mut failure: Failure) -> Failure {
    failure.message = format!("{}, {}", path.display(), failure.message);
    failure
}

/// Says that a capture misses something.
pub(super) fn note_holes(holes: u64) {
    if holes > 0 {
        progress::note(&format!(
            "warning: the capture could not keep up and misses {holes} things that the live run \
             heard: the rows differ from its rows"
        ));
    }
}

/// Records of another run in the same place would be continued, and the two could not be told
/// apart.
pub(super) fn refuse_records(out: &Path) -> Result<(), Failure> {
    let occupied = std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(Failure::usage(format!(
            "{}: expected a directory that is empty or does not exist (see --out)",
            out.display()
        )));
    }
    Ok(())
}
