//! The second pass: signals and their looks, a day at a time, several days at once. Days are merged in
//! their order, so that the sums do not depend on who was faster.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::mpsc;

use super::survey::Survey;
use crate::command::Failure;
use crate::persistence::{Batch, BatchError, Dictionary, NO_TEXT};
use crate::report::Settings;
use crate::report::day::{self, Entry, FollowUp};
use crate::report::signal::Signal;
use crate::report::tally::{Context, DayTally, Tally};
use crate::report::trip::Plan;
use crate::types::num::Side;
use crate::types::record::{Gate, RowKind, SampleStatus};
use crate::types::time::{Day, Wall};

const SIGNALS: &[&str] = &[
    "signal_id",
    "detected_at",
    "market",
    "side",
    "oracle_px",
    "bid_px",
    "ask_px",
    "raw_edge_bps",
    "net_edge_bps",
    "suggested_sz",
    "suggested_notional",
    "cross_id",
    "cross_age_ms",
    "blocked_by",
    "gate_mask",
    "decision",
];

const FOLLOW_UPS: &[&str] =
    &["signal_id", "offset_ms", "bid_px", "ask_px", "raw_edge_bps", "status", "bid_sz", "ask_sz"];

const ENTRIES: &[&str] = &["signal_id", "latency_ms", "fillable_sz", "status"];

/// Tells something on standard error.
pub(super) fn note(text: &str) {
    // Nothing is left to do when even this cannot be written.
    let _ = writeln!(std::io::stderr(), "hip3: {text}");
}

/// Adds up every day, and merges them into `tally`.
///
/// Errors: a file that cannot be read. A damaged one leaves its day out, and a warning says so.
pub(super) fn tally(
    survey: &mut Survey,
    plan: &Plan,
    settings: &Settings,
    jobs: usize,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let left_out = &survey.left_out;
    let days: Vec<Day> =
        survey.days.iter().copied().filter(|day| !left_out.contains(day)).collect();
    // Those are merged while the survey is read.
    let mut crosses: BTreeMap<Day, _> =
        days.iter().map(|day| (*day, survey.take_crosses(*day))).collect();
    let mut failed = Vec::new();
    let context = Context {
        settings,
        plan,
        blindness: &survey.blindness,
        weights: &survey.weights,
        crosses: &survey.cross_ids,
        traded: &survey.traded,
    };
    let read_only = &*survey;
    let read = |day: Day| read_day(read_only, day, &context);
    let mut progress = Progress::new(days.len());
    in_order(&days, jobs, &read, |day, done| match done {
        Ok(done) => {
            tally.merge(done, crosses.remove(&day).unwrap_or_default(), plan);
            progress.step();
        }
        Err(error) => failed.push((day, error)),
    });
    progress.end();
    for (day, error) in failed {
        survey.leave_out(day, &error)?;
    }
    Ok(())
}

/// Does `work` for every day on so many threads, and hands over what came of it in the order of the days.
/// At most one finished day a thread waits.
fn in_order<T: Send>(
    days: &[Day],
    jobs: usize,
    work: &(impl Fn(Day) -> T + Sync),
    mut take: impl FnMut(Day, T),
) {
    let jobs = jobs.clamp(1, days.len().max(1));
    std::thread::scope(|scope| {
        let threads: Vec<mpsc::Receiver<T>> = (0..jobs)
            .map(|thread| {
                let (done, receiver) = mpsc::sync_channel(0);
                scope.spawn(move || {
                    for day in days.iter().skip(thread).step_by(jobs) {
                        if done.send(work(*day)).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        for (day, receiver) in days.iter().zip(threads.iter().cycle()) {
            // A thread that died takes the program with it when the scope ends.
            if let Ok(done) = receiver.recv() {
                take(*day, done);
            }
        }
    });
}

/// Reads and adds up one day.
fn read_day(survey: &Survey, day: Day, context: &Context<'_>) -> Result<DayTally, BatchError> {
    let records = &survey.records;
    let mut joined = day::Day::new(&context.plan.latencies_ms);
    let mut names = Dictionary::default();
    let sell = names.code(Side::Sell.name());
    let captured = names.code(SampleStatus::Captured.name());
    let asked: Vec<u32> = survey.asked.iter().map(|market| names.code(market)).collect();
    records.batches(RowKind::Signals, day, SIGNALS, &mut names, |batch, names| {
        push_signals(&mut joined, batch, names, sell, &asked, survey, context.settings);
    })?;
    joined.seal();
    records.batches(RowKind::FollowUps, day, FOLLOW_UPS, &mut names, |batch, _| {
        let (ids, offsets) = (batch.uints(0), batch.ints(1));
        let (bids, asks, raw, status) =
            (batch.ints(2), batch.ints(3), batch.floats(4), batch.codes(5));
        let prices = bids.iter().zip(asks).zip(raw);
        let rows = ids.iter().zip(offsets).zip(prices).zip(status).enumerate();
        for (row, (((id, offset_ms), ((bid, ask), raw)), status)) in rows {
            joined.follow_up(&FollowUp {
                signal: *id,
                offset_ms: *offset_ms,
                bid: batch.is_there(2, row).then(|| (*bid, int(batch, 6, row))),
                ask: batch.is_there(3, row).then(|| (*ask, int(batch, 7, row))),
                raw_bps: if batch.is_there(4, row) { *raw } else { f64::NAN },
                captured: *status == captured,
            });
        }
    })?;
    records.batches(RowKind::Entries, day, ENTRIES, &mut names, |batch, _| {
        let rows = batch.uints(0).iter().zip(batch.ints(1)).zip(batch.ints(2)).zip(batch.codes(3));
        for (row, (((id, latency_ms), sz), status)) in rows.enumerate() {
            let seen = *status == captured && batch.is_there(2, row);
            let fillable = seen.then_some(*sz);
            joined.entry(&Entry { signal: *id, latency_ms: *latency_ms, fillable });
        }
    })?;
    Ok(DayTally::of(day, &joined, names.texts(), context))
}

fn int(batch: &Batch, at: usize, row: usize) -> i64 {
    batch.ints(at).get(row).copied().unwrap_or_default()
}

fn push_signals(
    joined: &mut day::Day,
    batch: &Batch,
    names: &Dictionary,
    sell: u32,
    asked: &[u32],
    survey: &Survey,
    settings: &Settings,
) {
    // Of the gate with each code that was met.
    let gate = |code: u32| Gate::ALL.into_iter().find(|gate| gate.name() == names.text(code));
    let filtered = |code: u32| names.text(code).starts_with("filtered:");
    let int = |at: usize, row: usize| int(batch, at, row);
    let there = |at: usize, row: usize| batch.is_there(at, row).then(|| int(at, row));
    let uint = |at: usize, row: usize| batch.uints(at).get(row).copied().unwrap_or_default();
    let float = |at: usize, row: usize| batch.floats(at).get(row).copied().unwrap_or_default();
    let code = |at: usize, row: usize| batch.codes(at).get(row).copied().unwrap_or(NO_TEXT);
    for row in 0..batch.rows() {
        let (at, market) = (Wall(int(1, row)), code(2, row));
        if !settings.covers(at) || !(asked.is_empty() || asked.contains(&market)) {
            continue;
        }
        let side = if code(3, row) == sell { Side::Sell } else { Side::Buy };
        let blocked_by = code(13, row);
        joined.push(Signal {
            id: uint(0, row),
            at,
            market,
            side,
            oracle: int(4, row),
            limit: match side {
                Side::Buy => there(6, row),
                Side::Sell => there(5, row),
            },
            raw_bps: float(7, row),
            net_bps: float(8, row),
            charged: survey.charges.at(at),
            sz: int(9, row),
            notional: int(10, row),
            cross: uint(11, row),
            cross_age_ms: int(12, row),
            blocked_by: if blocked_by == NO_TEXT { None } else { gate(blocked_by) },
            gate_mask: u8::try_from(uint(14, row)).unwrap_or(u8::MAX),
            filtered: filtered(code(15, row)),
        });
    }
}

/// A line on a terminal that says how far it is.
struct Progress {
    shown: bool,
    done: usize,
    all: usize,
}

impl Progress {
    fn new(all: usize) -> Self {
        Self { shown: std::io::stderr().is_terminal() && all > 1, done: 0, all }
    }

    fn step(&mut self) {
        self.done += 1;
        if self.shown {
            let _ = write!(std::io::stderr(), "\rread {} of {} days", self.done, self.all);
        }
    }

    fn end(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
