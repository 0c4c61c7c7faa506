//! The first pass: everything but signals and their looks. It is small, and needed before them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;

use crate::command::Failure;
use crate::persistence::{Batch, BatchError, Beside, Dictionary, RunInfo};
use crate::report::Settings;
use crate::report::answer::Read;
use crate::report::coverage::{Blindness, Gap};
use crate::report::signal::{Charged, Cross};
use crate::report::survival::{Lasted, Survival};
use crate::report::tally::{CrossesOfDay, Tally};
use crate::report::trading::{EntryOrder, TradeMade, Trading};
use crate::report::trip::Plan;
use crate::types::num::{Bps, Side};
use crate::types::record::{CrossEnd, FEE_SIDES, RowKind};
use crate::types::time::{Day, Wall};

const CROSSES: &[&str] = &[
    "cross_id",
    "market",
    "side",
    "started_at",
    "ended_at",
    "duration_us",
    "quote_survival_us",
    "end_reason",
];

const GAPS: &[&str] = &["started_at", "ended_at", "cause", "markets"];

const ORDERS: &[&str] = &[
    "signal_id",
    "market",
    "side",
    "sz",
    "outcome",
    "refusal",
    "filled",
    "avg_px",
    "fee",
    "created_at",
    "sent_at",
    "answer_latency_ns",
];

const TRADES: &[&str] = &[
    "signal_id",
    "market",
    "sz",
    "entered_at",
    "exit_reason",
    "pnl_before_fees",
    "fees",
    "pnl",
    "holding_ms",
];

/// What was found.
pub(super) struct Survey {
    pub(super) records: Beside,
    /// Days with records, ascending.
    pub(super) days: Vec<Day>,
    /// Days that cannot be read.
    pub(super) left_out: BTreeSet<Day>,
    /// Entry latencies that the runs probed.
    pub(super) latencies_ms: Vec<u32>,
    /// Markets that were asked for; empty: all.
    pub(super) asked: Vec<String>,
    /// What net edges leave out.
    pub(super) charges: Charges,
    pub(super) blindness: Blindness,
    /// Share of the earlier probe's fill, by market.
    pub(super) weights: BTreeMap<String, f64>,
    /// Crosses that have a row, ascending.
    pub(super) cross_ids: Vec<u64>,
    /// Signals that orders or trades name, ascending.
    pub(super) traded: Vec<u64>,
    crosses: BTreeMap<Day, CrossesOfDay>,
    entries: Vec<EntryOrder>,
    trades: Vec<TradeMade>,
    with_signals: BTreeSet<Day>,
    read: Read,
}

/// What signals' net edges leave out: it is the run's that found them.
pub(super) struct Charges {
    /// Where no run says.
    usual: Charged,
    /// From its start on; ascending.
    runs: Vec<(Wall, Charged)>,
}

impl Charges {
    /// Of a signal that was found then.
    pub(super) fn at(&self, at: Wall) -> Charged {
        let after = self.runs.partition_point(|(began, _)| *began <= at);
        self.runs.get(after.saturating_sub(1)).map_or(self.usual, |(_, charged)| *charged)
    }

    /// Slippage of all signals, when it is the same.
    fn slippage_of_all(&self) -> Option<f64> {
        let (first, rest) = self.runs.split_first()?;
        let slippage = first.1.slippage_bps;
        let same = |run: &(Wall, Charged)| run.1.slippage_bps.total_cmp(&slippage).is_eq();
        rest.iter().all(same).then_some(slippage)
    }
}

/// The text of a code, when the row has one.
fn text(batch: &Batch, names: &Dictionary, at: usize, row: usize) -> String {
    names.text(batch.codes(at).get(row).copied().unwrap_or_default()).to_owned()
}

fn int(batch: &Batch, at: usize, row: usize) -> Option<i64> {
    batch.ints(at).get(row).copied().filter(|_| batch.is_there(at, row))
}

fn uint(batch: &Batch, at: usize, row: usize) -> Option<u64> {
    batch.uints(at).get(row).copied().filter(|_| batch.is_there(at, row))
}

/// A decimal for people.
fn decimal(batch: &Batch, at: usize, row: usize) -> Option<f64> {
    int(batch, at, row).map(|units| units as f64 / 1e8)
}

fn side(name: &str) -> Side {
    if name == Side::Sell.name() { Side::Sell } else { Side::Buy }
}

impl Survey {
    /// Reads what lies below `dir`. Of runs that do not say what they left for slippage, in bps, `usual` is
    /// taken.
    ///
    /// Errors: a directory without records, or one that cannot be read.
    pub(super) fn read(
        dir: &Path,
        settings: &Settings,
        asked: &[String],
        usual: f64,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::runtime(format!("{}: {error}", dir.display()));
        let records = Beside::open(dir).map_err(failed)?;
        let mut by_kind = BTreeMap::new();
        for kind in RowKind::ALL {
            by_kind.insert(kind, records.days(kind).map_err(failed)?);
        }
        if by_kind.values().all(BTreeSet::is_empty) && records.life().is_none() {
            return Err(failed(std::io::Error::other("there are no records, expected day files")));
        }
        let within = |day: &Day| days_of(settings).contains(day);
        let days: BTreeSet<Day> = [RowKind::Signals, RowKind::Crosses, RowKind::Gaps]
            .iter()
            .filter_map(|kind| by_kind.get(kind))
            .flatten()
            .copied()
            .filter(within)
            .collect();
        let with_signals = by_kind.get(&RowKind::Signals).into_iter().flatten().copied();
        let mut survey = Self {
            records,
            days: days.into_iter().collect(),
            left_out: BTreeSet::new(),
            latencies_ms: Vec::new(),
            asked: asked.to_vec(),
            charges: Charges {
                usual: Charged { slippage_bps: usual, fee_sides: FEE_SIDES.into() },
                runs: Vec::new(),
            },
            blindness: Blindness::default(),
            weights: BTreeMap::new(),
            cross_ids: Vec::new(),
            traded: Vec::new(),
            crosses: BTreeMap::new(),
            entries: Vec::new(),
            trades: Vec::new(),
            with_signals: with_signals.filter(within).collect(),
            read: Read {
                dir: dir.display().to_string(),
                some_markets: !asked.is_empty(),
                ..Read::default()
            },
        };
        survey.read_runs(settings)?;
        survey.read_gaps(settings, by_kind.get(&RowKind::Gaps).into_iter().flatten())?;
        survey.read_crosses(settings, by_kind.get(&RowKind::Crosses).into_iter().flatten())?;
        let later = |kind| {
            let days = by_kind.get(kind).into_iter().flatten().copied();
            days.filter(|day| within(day) || within(&Day(day.0.saturating_sub(1)))).collect()
        };
        survey.read_orders(settings, later(&RowKind::Orders))?;
        survey.read_trades(settings, later(&RowKind::Trades))?;
        survey.saw_looks();
        survey.cross_ids.sort_unstable();
        survey.cross_ids.dedup();
        let of_entries = survey.entries.iter().map(|one| one.signal);
        let of_trades = survey.trades.iter().filter_map(|one| one.signal);
        survey.traded = of_entries.chain(of_trades).collect::<BTreeSet<_>>().into_iter().collect();
        Ok(survey)
    }

    /// Whether any day has signals.
    pub(super) fn has_signals(&self) -> bool {
        !self.with_signals.is_empty()
    }

    /// Leaves out a day whose file is at fault; any other failure ends the report.
    pub(super) fn leave_out(&mut self, day: Day, error: &BatchError) -> Result<(), Failure> {
        if !error.damaged {
            return Err(Failure::runtime(error));
        }
        let date = crate::report::thresholds::date(day);
        self.read.warnings.push(format!("{error}; {date} is left out"));
        self.left_out.insert(day);
        Ok(())
    }

    /// The crosses of a day, which are then gone from here.
    pub(super) fn take_crosses(&mut self, day: Day) -> CrossesOfDay {
        self.crosses.remove(&day).unwrap_or_default()
    }

    fn asks_for(&self, market: &str) -> bool {
        self.asked.is_empty() || self.asked.iter().any(|asked| asked == market)
    }

    /// Widens the span by what was seen.
    fn saw(&mut self, from: Wall, to: Wall) {
        self.read.first = Some(self.read.first.map_or(from, |first| first.min(from)));
        self.read.last = Some(self.read.last.map_or(to, |last| last.max(to)));
    }

    fn read_runs(&mut self, settings: &Settings) -> Result<(), Failure> {
        let mut runs: BTreeMap<(Wall, String), RunInfo> = BTreeMap::new();
        let mut add = |run: &RunInfo| {
            runs.insert((run.started_at, run.run_id.clone()), run.clone());
        };
        for day in self.days.clone() {
            for kind in [RowKind::Signals, RowKind::Crosses, RowKind::Gaps] {
                match self.records.runs_of(kind, day) {
                    Ok(of_day) => of_day.iter().for_each(&mut add),
                    Err(error) => {
                        self.leave_out(day, &error)?;
                        break;
                    }
                }
            }
        }
        let last = self.days.last().copied();
        let of_journal = self.records.runs();
        of_journal.filter(|run| last.is_none_or(|day| run.started_at.day() <= day)).for_each(add);
        let mut latencies = BTreeSet::new();
        let mut silent = 0;
        for run in runs.into_values() {
            self.saw(run.started_at, run.started_at);
            silent += u64::from(run.slippage_bps.is_none());
            let usual = self.charges.usual.slippage_bps;
            let slippage_bps = run.slippage_bps.map_or(usual, Bps::to_f64);
            let charged = Charged { slippage_bps, fee_sides: run.fee_sides.max(1).into() };
            self.charges.runs.push((run.started_at, charged));
            latencies.extend(&run.entry_latencies_ms);
            push_once(&mut self.read.runs, run.run_id);
            push_once(&mut self.read.config_hashes, run.config_hash);
            push_once(&mut self.read.modes, run.mode.name().to_owned());
        }
        // Another tool that wrote the files anew may have left the runs out.
        let named = !self.charges.runs.is_empty();
        if !named {
            self.read_latencies(&mut latencies)?;
        }
        self.latencies_ms = latencies.into_iter().collect();
        self.read.slippage_bps = self.charges.slippage_of_all();
        if (silent > 0 || !named && self.has_signals()) && settings.fee_bps.is_none() {
            self.read.warnings.push(format!(
                "{} not say what net edges leave for slippage, which fees are told by: {} bps is taken, as in the \
                 config; --fee-bps says the fee itself",
                match silent {
                    0 => "the day files name no run and do".to_owned(),
                    1 => "1 run does".to_owned(),
                    more => format!("{more} runs do"),
                },
                self.charges.usual.slippage_bps
            ));
        }
        Ok(())
    }

    /// The latencies that the probes themselves tell.
    fn read_latencies(&mut self, latencies: &mut BTreeSet<u32>) -> Result<(), Failure> {
        let mut names = Dictionary::default();
        for day in self.days.clone() {
            let kind = RowKind::Entries;
            let read = self.records.batches(kind, day, &["latency_ms"], &mut names, |batch, _| {
                latencies.extend(batch.ints(0).iter().filter_map(|ms| u32::try_from(*ms).ok()));
            });
            if let Err(error) = read {
                self.leave_out(day, &error)?;
            }
        }
        Ok(())
    }

    fn read_gaps<'a>(
        &mut self,
        settings: &Settings,
        days: impl Iterator<Item = &'a Day>,
    ) -> Result<(), Failure> {
        let mut gaps = Vec::new();
        // A gap may have begun long before.
        let last = *days_of(settings).end();
        for day in days.filter(|day| **day <= last) {
            let mut names = Dictionary::default();
            let read =
                self.records.batches(RowKind::Gaps, *day, GAPS, &mut names, |batch, names| {
                    for row in 0..batch.rows() {
                        let (Some(from), Some(to)) = (int(batch, 0, row), int(batch, 1, row))
                        else {
                            continue;
                        };
                        let cause = text(batch, names, 2, row);
                        let markets = uint(batch, 3, row).unwrap_or(0);
                        gaps.push(Gap { from: Wall(from), to: Wall(to.max(from)), cause, markets });
                    }
                });
            if let Err(error) = read {
                self.leave_out(*day, &error)?;
            }
        }
        if let Some(life) = self.records.life()
            && let Some(from) = life.blind_since.filter(|_| !life.closed)
        {
            // A run begins blind; later it is the link.
            let starts = self.records.runs().next_back().is_some_and(|run| run.started_at == from);
            let cause = if starts { "start" } else { "link_down" }.to_owned();
            gaps.push(Gap { from, to: life.at.max(from), cause, markets: 0 });
        }
        gaps.retain(|gap| {
            settings.from.is_none_or(|from| from <= gap.to)
                && settings.to.is_none_or(|to| gap.from < to)
        });
        gaps.sort_by(|a, b| (a.from, a.to, &a.cause).cmp(&(b.from, b.to, &b.cause)));
        self.blindness = Blindness::of(&gaps);
        for gap in &gaps {
            self.saw(gap.from, gap.to);
        }
        if let Some(life) = self.records.life() {
            self.saw(life.at, life.at);
        }
        self.read.gaps = gaps;
        Ok(())
    }

    fn read_crosses<'a>(
        &mut self,
        settings: &Settings,
        days: impl Iterator<Item = &'a Day>,
    ) -> Result<(), Failure> {
        let range = days_of(settings);
        // A cross that began around midnight may lie a day beside its signals.
        let first = Day(range.start().0.saturating_sub(1));
        let last = Day(range.end().0.saturating_add(1));
        for day in days.filter(|day| (first..=last).contains(*day)) {
            if self.left_out.contains(day) {
                continue;
            }
            let mut of_day = CrossesOfDay::new();
            let mut ids = Vec::new();
            let mut span: Option<(i64, i64)> = None;
            let mut names = Dictionary::default();
            let kind = RowKind::Crosses;
            let read = self.records.batches(kind, *day, CROSSES, &mut names, |batch, names| {
                ids.extend_from_slice(batch.uints(0));
                for row in 0..batch.rows() {
                    let market = names.text(batch.codes(1).get(row).copied().unwrap_or_default());
                    let began = int(batch, 3, row).filter(|at| settings.covers(Wall(*at)));
                    let Some(began) = began.filter(|_| self.asks_for(market)) else { continue };
                    let ended = int(batch, 4, row).unwrap_or(began);
                    let (low, high) = span.unwrap_or((began, ended));
                    span = Some((low.min(began), high.max(ended)));
                    let reason = text(batch, names, 7, row);
                    let cross = Cross {
                        id: uint(batch, 0, row).unwrap_or_default(),
                        side: side(&text(batch, names, 2, row)),
                        duration_us: us(int(batch, 5, row)).unwrap_or_default(),
                        quote_survival_us: us(int(batch, 6, row)),
                        ended: is_end(&reason),
                    };
                    if !of_day.contains_key(market) {
                        of_day.insert(market.to_owned(), Default::default());
                    }
                    if let Some(sides) = of_day.get_mut(market)
                        && let Some(crosses) = sides.get_mut(cross.side.index())
                    {
                        crosses.note(&cross, &reason);
                    }
                }
            });
            if let Err(error) = read {
                self.leave_out(*day, &error)?;
                continue;
            }
            self.cross_ids.append(&mut ids);
            if let Some((from, to)) = span {
                self.saw(Wall(from), Wall(to));
            }
            if range.contains(day) {
                self.crosses.insert(*day, of_day);
            }
        }
        Ok(())
    }

    fn read_orders(&mut self, settings: &Settings, days: BTreeSet<Day>) -> Result<(), Failure> {
        let mut orders = Vec::new();
        for day in days {
            let mut names = Dictionary::default();
            let kind = RowKind::Orders;
            let read = self.records.batches(kind, day, ORDERS, &mut names, |batch, names| {
                for row in 0..batch.rows() {
                    let created = int(batch, 9, row).map(Wall);
                    let market = text(batch, names, 1, row);
                    let asked = created.is_some_and(|at| settings.covers(at));
                    let signal = uint(batch, 0, row).filter(|_| asked && self.asks_for(&market));
                    // An exit names none.
                    let Some(signal) = signal else { continue };
                    orders.push(EntryOrder {
                        signal,
                        side: side(&text(batch, names, 2, row)),
                        sz: decimal(batch, 3, row).unwrap_or_default(),
                        outcome: text(batch, names, 4, row),
                        refusal: batch.is_there(5, row).then(|| text(batch, names, 5, row)),
                        filled: decimal(batch, 6, row).unwrap_or_default(),
                        avg_px: decimal(batch, 7, row),
                        fee: decimal(batch, 8, row).unwrap_or_default(),
                        sent: batch.is_there(10, row),
                        answer_ms: int(batch, 11, row).map(|ns| ns as f64 / 1e6),
                    });
                }
            });
            if let Err(error) = read {
                self.leave_out(day, &error)?;
            }
        }
        self.entries = orders;
        Ok(())
    }

    fn read_trades(&mut self, settings: &Settings, days: BTreeSet<Day>) -> Result<(), Failure> {
        let mut trades = Vec::new();
        for day in days {
            let mut names = Dictionary::default();
            let kind = RowKind::Trades;
            let read = self.records.batches(kind, day, TRADES, &mut names, |batch, names| {
                for row in 0..batch.rows() {
                    let entered = int(batch, 3, row).map(Wall);
                    let market = text(batch, names, 1, row);
                    if !entered.is_some_and(|at| settings.covers(at)) || !self.asks_for(&market) {
                        continue;
                    }
                    trades.push(TradeMade {
                        signal: uint(batch, 0, row),
                        sz: int(batch, 2, row).unwrap_or_default(),
                        exit: text(batch, names, 4, row),
                        gross: decimal(batch, 5, row).unwrap_or_default(),
                        fees: decimal(batch, 6, row).unwrap_or_default(),
                        net: decimal(batch, 7, row).unwrap_or_default(),
                        holding_ms: int(batch, 8, row).unwrap_or_default() as f64,
                    });
                }
            });
            if let Err(error) = read {
                self.leave_out(day, &error)?;
            }
        }
        self.trades = trades;
        Ok(())
    }

    /// Finds the weights of a latency between two probes, by what became of quotes.
    pub(super) fn weigh(&mut self, plan: &Plan) {
        if plan.between().is_none() {
            return;
        }
        let mut by_market: BTreeMap<String, Vec<Lasted>> = BTreeMap::new();
        for (market, sides) in self.crosses.values().flatten() {
            let all = by_market.entry(market.clone()).or_default();
            all.extend(sides.iter().flat_map(|crosses| &crosses.survival));
        }
        for (market, lasted) in by_market {
            let survival = Survival::of(lasted);
            self.weights.insert(market, plan.weight(|ms| survival.at_ms(ms)));
        }
    }

    /// The last moment seen, signals among it, within the time that was asked for.
    fn last_seen(&self, last_signal_ns: i64, settings: &Settings) -> i64 {
        let seen = self.read.last.map_or(last_signal_ns, |last| last.0.max(last_signal_ns));
        settings.to.map_or(seen, |to| seen.min(to.0))
    }

    /// The last looks come seconds after the last signal.
    fn saw_looks(&mut self) {
        let Some(day) = self.with_signals.last().copied() else { return };
        for kind in [RowKind::FollowUps, RowKind::Entries] {
            let mut last = None;
            let mut names = Dictionary::default();
            let read = self.records.batches(kind, day, &["captured_at"], &mut names, |batch, _| {
                last = last.max(batch.ints(0).iter().copied().max());
            });
            // A day that cannot be read is told of elsewhere.
            if let (Ok(()), Some(last)) = (read, last) {
                self.saw(Wall(last), Wall(last));
            }
        }
    }

    /// Closes what is open, and says what was read and how many crosses have no end.
    pub(super) fn end(mut self, tally: &mut Tally, settings: &Settings) -> (Read, u64) {
        if tally.first_ns <= tally.last_ns {
            self.saw(Wall(tally.first_ns), Wall(tally.last_ns));
        }
        let last = self.last_seen(tally.last_ns, settings);
        let open = tally.close(last);
        let clip = |at: Wall| settings.from.map_or(at, |from| at.max(from));
        self.read.first = self.read.first.map(clip);
        self.read.last = self.read.last.map(|at| settings.to.map_or(at, |to| at.min(to)));
        self.read.trading = Trading::of(&self.entries, &self.trades, &tally.taken);
        for asked in &self.asked {
            if !tally.markets.contains_key(asked) {
                self.read.warnings.push(format!("no record names the market {asked}"));
            }
        }
        (self.read, open)
    }
}

/// The days of the time that was asked for.
pub(super) fn days_of(settings: &Settings) -> RangeInclusive<Day> {
    let first = settings.from.map_or(Day(i32::MIN), Wall::day);
    // The moment itself is not asked for.
    let last = settings.to.map_or(Day(i32::MAX), |to| Wall(to.0.saturating_sub(1)).day());
    first..=last
}

fn us(us: Option<i64>) -> Option<u64> {
    us.map(|us| us.max(0).unsigned_abs())
}

/// Whether a cross ended by itself.
fn is_end(reason: &str) -> bool {
    [CrossEnd::Quote, CrossEnd::Oracle, CrossEnd::NoQuote].iter().any(|end| end.name() == reason)
}

fn push_once(all: &mut Vec<String>, one: String) {
    if !all.contains(&one) {
        all.push(one);
    }
}
