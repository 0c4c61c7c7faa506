//! A threshold for each market, fitted on the past and judged on what came after.
//!
//! A threshold that is judged on the days it was fitted on always looks good. So each day is judged with
//! what the days before it would have proposed, and a market's own mean is drawn towards that of its
//! dex until it has episodes enough to speak for itself.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::clusters::{CLUSTERS, Clusters};
use crate::report::edge::nearest_rank;
use crate::report::figures::Ranged;
use crate::report::tally::{MarketTally, Marks};
use crate::report::verdict::{Kind, Verdict, counted};
use crate::report::{Settings, bootstrap, ratio};
use crate::types::time::Day;

/// Most thresholds that are tried in a market.
const GRID: usize = 64;

/// Episodes at which a market's own mean counts as much as its dex's.
const SHRINKAGE: f64 = 30.0;

/// Largest threshold there is, in bps: an edge of that size is a mistake.
const LARGEST: usize = 10_000;

/// The day, written as a date.
pub fn date(day: Day) -> String {
    let (year, month, of_month) = day.civil();
    format!("{year:04}-{month:02}-{of_month:02}")
}

/// The dex of a market: what stands before the colon.
fn dex(market: &str) -> &str {
    market.split_once(':').map_or("", |(dex, _)| dex)
}

/// The number of the whole bps at or below an edge.
fn floor(raw_bps: f64) -> usize {
    (raw_bps.max(0.0) as usize).min(LARGEST)
}

/// A count and a sum of values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sum {
    n: f64,
    value_bps: f64,
}

impl Sum {
    fn add(&mut self, other: Sum) {
        self.n += other.n;
        self.value_bps += other.value_bps;
    }

    fn mean(self) -> Option<f64> {
        ratio(self.value_bps, self.n)
    }
}

/// The values of every dex by day, at or above every threshold.
#[derive(Clone, Debug)]
pub struct Dexes {
    days: Vec<Day>,
    /// By dex, a day each; a sum for every whole number of bps.
    sums: BTreeMap<String, Vec<Vec<Sum>>>,
}

impl Dexes {
    /// Of these markets on these days.
    pub fn of<'a>(
        days: &[Day],
        markets: impl Iterator<Item = (&'a String, &'a MarketTally)>,
    ) -> Self {
        let mut sums: BTreeMap<String, Vec<Vec<Sum>>> = BTreeMap::new();
        for (name, market) in markets {
            let of_dex = sums.entry(dex(name).to_owned());
            let of_dex = of_dex.or_insert_with(|| vec![Vec::new(); days.len()]);
            for (day, marks) in &market.marks {
                let Ok(at) = days.binary_search(day) else { continue };
                let Some(of_day) = of_dex.get_mut(at) else { continue };
                for (raw, value) in marks.raw_bps.iter().zip(&marks.value_bps) {
                    let bin = floor(*raw);
                    if of_day.len() <= bin {
                        of_day.resize(bin + 1, Sum::default());
                    }
                    if let Some(sum) = of_day.get_mut(bin) {
                        sum.add(Sum { n: 1.0, value_bps: *value });
                    }
                }
            }
        }
        // From each bin on.
        for of_day in sums.values_mut().flatten() {
            let mut above = Sum::default();
            for sum in of_day.iter_mut().rev() {
                above.add(*sum);
                *sum = above;
            }
        }
        Self { days: days.to_vec(), sums }
    }

    fn at(&self, dex: &str, day: usize, bps: usize) -> Sum {
        let of_day = self.sums.get(dex).and_then(|days| days.get(day));
        of_day.and_then(|sums| sums.get(bps)).copied().unwrap_or_default()
    }
}

/// What lies at or above a threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cell {
    sum: Sum,
    episodes: f64,
    /// Of the dex.
    dex: Sum,
}

impl Cell {
    fn add(&mut self, other: Cell) {
        self.sum.add(other.sum);
        self.episodes += other.episodes;
        self.dex.add(other.dex);
    }

    /// The mean, drawn towards the dex's.
    fn shrunk(&self) -> Option<f64> {
        let (own, dex) = (self.sum.mean()?, self.dex.mean()?);
        Some((self.episodes * own + SHRINKAGE * dex) / (self.episodes + SHRINKAGE))
    }
}

/// What lies at or above one threshold, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtThreshold {
    /// The threshold.
    pub bps: usize,
    /// Valued signals on all days.
    pub n: u64,
    /// Mean value on the earlier half of the days.
    pub mean_value_bps: Option<f64>,
    /// On the later half: where the two part, a threshold that looks good looks so by chance.
    pub out_mean_value_bps: Option<f64>,
}

/// A day, judged with what the days before it proposed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fold {
    /// The day.
    pub day: String,
    /// What was proposed; `None` when nothing was.
    pub threshold_bps: Option<usize>,
    /// Valued signals at or above it on that day.
    pub n: u64,
    /// Their mean value.
    pub mean_value_bps: Option<f64>,
}

/// On the days of the fit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct InSample {
    /// Valued signals.
    pub n: u64,
    /// Episodes.
    pub episodes: u64,
    /// Mean value.
    pub mean_value_bps: Option<f64>,
}

/// On days that the fit did not see.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OutOfSample {
    /// Valued signals.
    pub n: u64,
    /// Episodes.
    pub episodes: u64,
    /// Mean value.
    pub mean_value_bps: Ranged,
}

/// The threshold of a market.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Threshold {
    /// What is proposed.
    pub proposed_bps: Option<usize>,
    /// Why, or why nothing is.
    pub reason: String,
    /// The fit on all days, on these days.
    pub in_sample: InSample,
    /// All judged days together.
    pub out_of_sample: OutOfSample,
    /// Every threshold that was tried.
    pub grid: Vec<AtThreshold>,
    /// Every judged day.
    pub folds: Vec<Fold>,
}

/// Fits and judges the threshold of a market; `None` when there are fewer than two days, or no valued signal.
pub fn threshold(
    name: &str,
    market: &MarketTally,
    dexes: &Dexes,
    verdict: &Verdict,
    settings: &Settings,
) -> Option<Threshold> {
    let grid = grid(market)?;
    let days = dexes.days.len();
    if days < 2 {
        return None;
    }
    // By day, a cell for each threshold.
    let cells: Vec<Vec<Cell>> = (0..days)
        .map(|day| {
            let mut cells = cells(marks_of(market, dexes, day), &grid);
            for (cell, bps) in cells.iter_mut().zip(&grid) {
                cell.dex = dexes.at(dex(name), day, *bps);
            }
            cells
        })
        .collect();
    let mut before = vec![Cell::default(); grid.len()];
    let (mut early, mut late) = (before.clone(), before.clone());
    let mut folds = Vec::new();
    let mut judged = Cell::default();
    let mut clusters = Clusters::new(1, CLUSTERS);
    for (day, of_day) in cells.iter().enumerate() {
        if day > 0 {
            let at = fit(&before, settings);
            let cell = at.and_then(|at| of_day.get(at)).copied().unwrap_or_default();
            let bps = at.and_then(|at| grid.get(at)).copied();
            judged.add(cell);
            if let (Some(bps), Some(marks)) = (bps, marks_of(market, dexes, day)) {
                push_episodes(marks, bps, &mut clusters);
            }
            folds.push(Fold {
                day: dexes.days.get(day).copied().map(date).unwrap_or_default(),
                threshold_bps: bps,
                n: cell.sum.n as u64,
                mean_value_bps: cell.sum.mean(),
            });
        }
        before.iter_mut().zip(of_day).for_each(|(sum, cell)| sum.add(*cell));
        let half = if day < days.div_ceil(2) { &mut early } else { &mut late };
        half.iter_mut().zip(of_day).for_each(|(sum, cell)| sum.add(*cell));
    }
    let seed = bootstrap::seed(name) ^ bootstrap::seed("out of sample");
    let interval = bootstrap::intervals(&clusters, settings.upper(), seed);
    let out_of_sample = OutOfSample {
        n: judged.sum.n as u64,
        episodes: judged.episodes as u64,
        mean_value_bps: Ranged::new(judged.sum.mean(), interval.first().copied().flatten()),
    };
    let best = fit(&before, settings);
    let cell = best.and_then(|at| before.get(at)).copied().unwrap_or_default();
    let in_sample = InSample {
        n: cell.sum.n as u64,
        episodes: cell.episodes as u64,
        mean_value_bps: cell.sum.mean(),
    };
    let best = best.and_then(|at| grid.get(at)).copied();
    let why_not = why_not(best, verdict, &out_of_sample, settings);
    let at = |((bps, early), late): ((&usize, &Cell), &Cell)| AtThreshold {
        bps: *bps,
        n: (early.sum.n + late.sum.n) as u64,
        mean_value_bps: early.sum.mean(),
        out_mean_value_bps: late.sum.mean(),
    };
    Some(Threshold {
        proposed_bps: best.filter(|_| why_not.is_none()),
        reason: why_not.unwrap_or_else(|| proposal(best, &in_sample, &out_of_sample, settings)),
        in_sample,
        out_of_sample,
        grid: grid.iter().zip(&early).zip(&late).map(at).collect(),
        folds,
    })
}

fn proposal(
    best: Option<usize>,
    fitted: &InSample,
    judged: &OutOfSample,
    settings: &Settings,
) -> String {
    format!(
        "Thresholds that were fitted on the days before earned {:.2} bps a signal, at least {:.2} bps with {} % \
         confidence, over {}. Fitted on all days it is {} bps, where a signal was worth {:.2} bps on these same days.",
        judged.mean_value_bps.value.unwrap_or_default(),
        judged.mean_value_bps.low.unwrap_or_default(),
        100.0 * settings.confidence,
        counted(judged.episodes, "episode"),
        best.unwrap_or_default(),
        fitted.mean_value_bps.unwrap_or_default(),
    )
}

/// Why nothing is proposed.
fn why_not(
    best: Option<usize>,
    verdict: &Verdict,
    judged: &OutOfSample,
    settings: &Settings,
) -> Option<String> {
    if verdict.kind == Kind::Structural || !verdict.enough {
        return Some(verdict.reason.clone());
    }
    if best.is_none() {
        let needed = settings.min_episodes;
        return Some(format!(
            "No threshold with {needed} episodes or more has a mean value above zero, drawn towards its dex's."
        ));
    }
    if judged.episodes < settings.min_episodes {
        return Some(format!(
            "{} on days that the threshold was not fitted on; a proposal needs {}.",
            counted(judged.episodes, "episode"),
            settings.min_episodes
        ));
    }
    match judged.mean_value_bps {
        Ranged { low: Some(low), .. } if low > 0.0 => None,
        Ranged { value, low, .. } => Some(format!(
            "On days that the threshold was not fitted on a signal was worth {:.2} bps{}: not surely more than nothing.",
            value.unwrap_or_default(),
            low.map(|low| format!(", and perhaps only {low:.2}")).unwrap_or_default(),
        )),
    }
}

/// The threshold at which most was earned, drawn towards the dex; the lowest of several.
fn fit(cells: &[Cell], settings: &Settings) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (at, cell) in cells.iter().enumerate() {
        let Some(shrunk) = cell.shrunk().filter(|shrunk| *shrunk > 0.0) else { continue };
        let earned = shrunk * cell.sum.n;
        if cell.episodes >= settings.min_episodes as f64
            && best.is_none_or(|(_, most)| earned > most)
        {
            best = Some((at, earned));
        }
    }
    best.map(|(at, _)| at)
}

/// Whole numbers of bps from the lowest recorded edge to its p99, evenly spaced.
fn grid(market: &MarketTally) -> Option<Vec<usize>> {
    let kept = market.sides.iter().flat_map(|side| &side.kept);
    let mut raw: Vec<f64> = kept.flat_map(|one| &one.raw_bps).copied().collect();
    let last = floor(nearest_rank(&mut raw, 99)?);
    let first = floor(raw.iter().copied().min_by(f64::total_cmp)?);
    let steps = (last - first).min(GRID - 1);
    let mut grid: Vec<usize> = (0..=steps)
        .map(|step| first + (step * (last - first)).checked_div(steps).unwrap_or(0))
        .collect();
    grid.dedup();
    Some(grid)
}

fn marks_of<'a>(market: &'a MarketTally, dexes: &Dexes, day: usize) -> Option<&'a Marks> {
    let day = dexes.days.get(day)?;
    let at = market.marks.binary_search_by_key(day, |(day, _)| *day).ok()?;
    market.marks.get(at).map(|(_, marks)| marks)
}

/// What lies at or above each threshold of `grid` on a day.
fn cells(marks: Option<&Marks>, grid: &[usize]) -> Vec<Cell> {
    let mut cells = vec![Cell::default(); grid.len()];
    let Some(marks) = marks else { return cells };
    // The highest threshold that an edge reaches; what is below all of them counts nowhere.
    let reached = |raw: f64| grid.partition_point(|bps| *bps as f64 <= raw).checked_sub(1);
    let mut best: Option<(u32, f64)> = None;
    let close = |best: Option<(u32, f64)>, cells: &mut [Cell]| {
        let at = best.and_then(|(_, raw)| reached(raw));
        if let Some(cell) = at.and_then(|at| cells.get_mut(at)) {
            cell.episodes += 1.0;
        }
    };
    for ((raw, value), episode) in marks.raw_bps.iter().zip(&marks.value_bps).zip(&marks.episode) {
        if let Some(cell) = reached(*raw).and_then(|at| cells.get_mut(at)) {
            cell.sum.add(Sum { n: 1.0, value_bps: *value });
        }
        best = match best {
            Some((same, most)) if same == *episode => Some((same, most.max(*raw))),
            other => {
                close(other, &mut cells);
                Some((*episode, *raw))
            }
        };
    }
    close(best, &mut cells);
    let mut above = Cell::default();
    for cell in cells.iter_mut().rev() {
        above.add(*cell);
        *cell = above;
    }
    cells
}

/// Adds the episodes of a day, as far as they reach the threshold.
fn push_episodes(marks: &Marks, bps: usize, clusters: &mut Clusters) {
    let mut open: Option<(u32, [f64; 2])> = None;
    for ((raw, value), episode) in marks.raw_bps.iter().zip(&marks.value_bps).zip(&marks.episode) {
        if *raw < bps as f64 {
            continue;
        }
        match &mut open {
            Some((same, [n, sum])) if same == episode => {
                *n += 1.0;
                *sum += value;
            }
            _ => {
                if let Some((_, row)) = open {
                    clusters.push(&row);
                }
                open = Some((*episode, [1.0, *value]));
            }
        }
    }
    if let Some((_, row)) = open {
        clusters.push(&row);
    }
}
