//! Captures through many engines: decoded once, told to all.
//!
//! One thread reads and hands out batches of lines; each of the others drives its own engines through
//! them, one engine a batch, so that an engine's state stays in the processor's cache. Engines know
//! nothing of each other, so what comes of one does not depend on how many threads there are.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::command::Failure;
use crate::command::replay::fill::Terms;
use crate::command::replay::player::Player;
use crate::command::replay::progress::Progress;
use crate::command::replay::record::{note_holes, of_capture};
use crate::command::replay::score::{Score, Scored};
use crate::command::replay::settings::Setting;
use crate::command::replay::{Replay, Source, player};
use crate::runtime::capture::{Heard, Reader, Said, TICK};
use crate::types::event::Actions;
use crate::types::time::Now;

/// Lines of a batch, and their bytes: small enough for the cache. A line that is larger alone ends it.
const BATCH_LINES: usize = 1024;
const BATCH_BYTES: usize = 256 * 1024;
/// Batches that wait for a thread.
const WAITING: usize = 4;
/// Engines that a thread drives at one time: more take turns, and the captures are read again.
const MOST_AT_ONCE: usize = 32;

/// Lines of a capture, decoded.
#[derive(Debug, Default)]
struct Batch {
    /// The frames, one behind the other.
    text: Vec<u8>,
    lines: Vec<(Now, Kept)>,
}

#[derive(Debug)]
enum Kept {
    /// Where its text lies.
    Frame(Range<usize>),
    Tick,
    /// Apart, since readings are large and rare.
    Other(Box<Heard>),
}

impl Batch {
    /// The next lines; empty at the end. The second figure counts frames.
    fn read(reader: &mut Reader) -> Result<(Self, u64), Failure> {
        let mut batch = Self::default();
        let (mut frames, mut bytes) = (0, 0);
        while batch.lines.len() < BATCH_LINES && bytes < BATCH_BYTES {
            let Some((now, said)) = reader.read().map_err(Failure::runtime)? else { break };
            let kept = match said {
                Said::Frame(text) => {
                    frames += 1;
                    let from = batch.text.len();
                    batch.text.extend_from_slice(text);
                    Kept::Frame(from..batch.text.len())
                }
                Said::Other(Heard::Tick(())) => Kept::Tick,
                Said::Other(heard) => Kept::Other(Box::new(heard.clone())),
            };
            batch.lines.push((now, kept));
            bytes += reader.last_line().1;
        }
        Ok((batch, frames))
    }

    fn iter(&self) -> impl Iterator<Item = (Now, Said<'_>)> {
        self.lines.iter().map(|(now, kept)| {
            let said = match kept {
                Kept::Frame(at) => Said::Frame(self.text.get(at.clone()).unwrap_or_default()),
                Kept::Tick => Said::Other(&TICK),
                Kept::Other(heard) => Said::Other(heard),
            };
            (*now, said)
        })
    }
}

/// An engine and what comes of it.
struct Lane {
    player: Player,
    score: Score,
}

/// Plays all captures through each setting; the result has their order.
pub(super) fn drive(
    args: &Replay,
    settings: &[Setting],
    jobs: usize,
    terms: Option<&Terms>,
) -> Result<Vec<Scored>, Failure> {
    let mut scored = Vec::with_capacity(settings.len());
    let mut progress = Progress::new();
    let mut frames = 0;
    // The signals themselves are only compared: thousands of points would hold as many lists.
    let lists = args.sweep.is_empty();
    for group in settings.chunks(jobs * MOST_AT_ONCE) {
        let mut scores: Vec<Option<Score>> = group.iter().map(|_| None).collect();
        for path in &args.captures {
            frames += play(args, path, group, jobs, terms, &mut scores, &mut progress)?;
        }
        scored.extend(scores.into_iter().flatten().map(|score| score.finish(lists)));
    }
    let passes = settings.len().div_ceil(jobs * MOST_AT_ONCE).max(1) as u64;
    progress.end(frames / passes, settings.len());
    Ok(scored)
}

/// Plays one capture; returns its frames.
fn play(
    args: &Replay,
    path: &Path,
    group: &[Setting],
    jobs: usize,
    terms: Option<&Terms>,
    scores: &mut [Option<Score>],
    progress: &mut Progress,
) -> Result<u64, Failure> {
    let mut source = Source::open(path)?;
    let (first, mut frames) = Batch::read(&mut source.reader)?;
    let began = first.lines.first().map_or(Now::default(), |(now, _)| *now);
    let mut lanes = Vec::with_capacity(group.len());
    for (setting, score) in group.iter().zip(scores.iter_mut()) {
        let config = setting.config(args, &source)?;
        let rule = setting.rule(args, &config, path)?;
        let score = score.take().unwrap_or_else(|| Score::new(rule));
        lanes.push(Lane { player: player(&config, source.header(), began, terms)?, score });
    }
    let engines = lanes.len();
    let share = engines.div_ceil(jobs).max(1);
    let played: Result<Vec<Lane>, Failure> = thread::scope(|scope| {
        let mut workers = Vec::new();
        let mut ways: Vec<SyncSender<Arc<Batch>>> = Vec::new();
        let mut rest = lanes.into_iter();
        loop {
            let own: Vec<Lane> = rest.by_ref().take(share).collect();
            if own.is_empty() {
                break;
            }
            let (way, batches) = sync_channel(WAITING);
            ways.push(way);
            workers.push(scope.spawn(move || work(path, own, &batches)));
        }
        let (mut batch, mut lines) = (first, 0);
        let read = loop {
            if batch.lines.is_empty() {
                break Ok(());
            }
            lines += batch.lines.len() as u64;
            let shared = Arc::new(batch);
            // One that has gone has failed, and says below why.
            if ways.iter().any(|way| way.send(Arc::clone(&shared)).is_err()) {
                break Ok(());
            }
            match Batch::read(&mut source.reader) {
                Ok((next, more)) => {
                    batch = next;
                    frames += more;
                    progress.step(lines.next_multiple_of(1024), frames, engines);
                }
                Err(failure) => break Err(failure),
            }
        };
        drop(ways);
        let mut lanes = Vec::with_capacity(engines);
        for worker in workers {
            let own =
                worker.join().map_err(|_| Failure::runtime("a thread of the replay died"))??;
            lanes.extend(own);
        }
        read.map(|()| lanes)
    });
    let lanes = played?;
    note_holes(lanes.first().map_or(0, |lane| lane.player.holes));
    for (lane, score) in lanes.into_iter().zip(scores) {
        *score = Some(lane.score);
    }
    Ok(frames)
}

/// Drives some engines until there are no more batches, and ends them.
fn work(
    path: &Path,
    mut lanes: Vec<Lane>,
    batches: &Receiver<Arc<Batch>>,
) -> Result<Vec<Lane>, Failure> {
    let mut actions = Actions::new();
    for batch in batches {
        for lane in &mut lanes {
            for (now, said) in batch.iter() {
                let played = lane.player.play(now, said, &mut actions, &mut lane.score);
                played.map_err(|failure| of_capture(path, failure))?;
            }
        }
    }
    for lane in &mut lanes {
        lane.player.end(&mut actions, &mut lane.score)?;
        lane.score.end_capture(&lane.player);
    }
    Ok(lanes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_batch_is_bounded_by_the_bytes_of_all_its_lines() {
        let head = r#"{"hip3_capture":1,"run_id":"r","first_id":0,"seed":0,"config":""}"#;
        let spaces = " ".repeat(BATCH_BYTES / 4);
        for line in [r#""tick":null"#, r#""frame":"a""#] {
            let lines = format!("{{\"t\":1,\"m\":2,{line}{spaces}}}\n").repeat(9);
            let text = Cursor::new(format!("{head}\n{lines}").into_bytes());
            let mut reader = Reader::new(text, Path::new("c")).expect("a capture");
            let mut next = || Batch::read(&mut reader).expect("a batch").0.lines.len();
            assert_eq!([next(), next(), next(), next()], [4, 4, 1, 0], "{line}");
        }
    }
}
