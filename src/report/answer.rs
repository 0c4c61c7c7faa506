//! The whole report. Its fields and their order are the JSON's: a promise to whoever reads that.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::coverage::{self, Blindness, Gap};
use crate::report::edge::nearest_rank;
use crate::report::figures::{Group, Making, Ranged, SliceFigures, TripFigures};
use crate::report::sessions::Session;
use crate::report::survival::normal_quantile;
use crate::report::tally::{Counts, GateTally, MarketTally, Slice, Tally};
use crate::report::thresholds::{self, Dexes, Threshold};
use crate::report::trading::Trading;
use crate::report::trip::Plan;
use crate::report::verdict::Verdict;
use crate::report::{Settings, bootstrap};
use crate::types::num::Side;
use crate::types::record::{FOLLOW_UP_MS, Gate};
use crate::types::time::{DAY_NS, Wall};

/// Raised whenever a field is removed, renamed, or changes its meaning.
pub const SCHEMA: u32 = 1;

/// Gaps that are told one by one: the longest.
const GAPS: usize = 1000;

/// The sides as they are told, in the order of their numbers.
const SIDES: [&str; 2] = [Side::Buy.name(), Side::Sell.name()];

/// The report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// What was read.
    pub source: Source,
    /// What was asked for.
    pub settings: Asked,
    /// When not everything was seen.
    pub coverage: Coverage,
    /// How many of what.
    pub counts: Totals,
    /// All markets together.
    pub total: Group,
    /// Each market, the best first.
    pub markets: Vec<Market>,
    /// What gates kept out.
    pub gates: Vec<GateFigures>,
    /// Buys and sells, over all markets.
    pub sides: Vec<OfSide>,
    /// Orders and trades; `None` when there are none.
    pub trading: Option<Trading>,
    /// Proposed thresholds.
    pub thresholds: Thresholds,
    /// What a person should know of the reading: days that were left out.
    pub warnings: Vec<String>,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source {
    /// The directory.
    pub dir: String,
    /// The first moment, UTC; `None` when there is none.
    pub from: Option<String>,
    /// The one behind the last.
    pub to: Option<String>,
    /// UTC days with records.
    pub days: usize,
    /// Runs that wrote them, in their order.
    pub runs: Vec<String>,
    /// Their configs.
    pub config_hashes: Vec<String>,
    /// Their modes.
    pub modes: Vec<String>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named after the settings")]
pub struct Asked {
    pub latency_ms: u32,
    pub exit_ms: u32,
    pub confidence: f64,
    pub min_episodes: u64,
    pub fee_bps: Option<f64>,
    pub slippage_bps: Option<f64>,
    pub priority_bps: f64,
    pub latencies_ms: Vec<u32>,
    pub exits_ms: Vec<u32>,
    pub time_zone: String,
}

/// When not everything was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Coverage {
    /// From the first moment to the last, in seconds.
    pub span_s: f64,
    /// The same without gaps, other than those of a starting run.
    pub observed_s: f64,
    /// The longest, in the order of time.
    pub gaps: Vec<GapTold>,
    /// Seconds by cause.
    pub gap_s: BTreeMap<String, f64>,
}

/// A gap.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GapTold {
    /// Since when, UTC.
    pub from: String,
    /// End of the gap.
    pub to: String,
    /// Cause of the gap.
    pub cause: String,
    /// How many markets it concerns; 0 when that is not known.
    pub markets: u64,
}

/// How many of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// All signals: the sum of the next six.
    pub signals: u64,
    /// A gate or a filter blocked.
    pub blocked: u64,
    /// Too small for an order.
    pub below_minimum: u64,
    /// Not everything was seen then.
    pub in_gap: u64,
    /// A look that is needed saw nothing.
    pub unseen: u64,
    /// Nothing stood where the position would be left.
    pub no_exit: u64,
    /// Signals that were valued.
    pub valued: u64,
    /// Episodes with a valued signal.
    pub episodes: u64,
    /// Crosses that ended.
    pub crosses: u64,
    /// Crosses that have no row: they last, or their end was lost.
    pub open_crosses: u64,
}

/// A market.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Market {
    /// Its name.
    pub market: String,
    /// What to think of it.
    pub verdict: Verdict,
    /// Both sides together.
    #[serde(flatten)]
    pub group: Group,
    /// Each side.
    pub sides: Sides,
    /// By hour of the UTC day and side; those without a signal are left out.
    pub hours: Vec<OfHour>,
    /// By session; those without a signal are left out.
    pub sessions: Vec<OfSession>,
    /// Its threshold; `None` when there are too few days to fit and judge one.
    pub threshold: Option<Threshold>,
}

/// Buys and sells.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named after the sides")]
pub struct Sides {
    pub buy: Group,
    pub sell: Group,
}

/// An hour and side.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named after the keys")]
pub struct OfHour {
    pub hour: u8,
    pub side: &'static str,
    #[serde(flatten)]
    pub figures: SliceFigures,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named after the keys")]
pub struct OfSession {
    pub session: Session,
    #[serde(flatten)]
    pub figures: SliceFigures,
}

/// A side, over all markets.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named after the keys")]
pub struct OfSide {
    pub side: &'static str,
    #[serde(flatten)]
    pub figures: SliceFigures,
}

/// A gate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateFigures {
    /// Its name.
    pub gate: &'static str,
    /// Signals that it blocked first.
    pub first: u64,
    /// Signals that it alone blocked.
    pub alone: u64,
    /// What those that it blocked first would have been worth.
    pub trip: TripFigures,
}

/// Proposed thresholds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Thresholds {
    /// Days that they were fitted on.
    pub days: usize,
    /// Markets with one.
    pub proposed: usize,
    /// Why there is none at all.
    pub note: Option<String>,
}

/// What was read, beside the sums.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// The directory.
    pub dir: String,
    /// Runs, in their order.
    pub runs: Vec<String>,
    /// Their configs, each once.
    pub config_hashes: Vec<String>,
    /// Their modes, each once.
    pub modes: Vec<String>,
    /// Whether only some markets were asked for.
    pub some_markets: bool,
    /// What all of them left for slippage; `None` when they differ.
    pub slippage_bps: Option<f64>,
    /// The first moment; `None` when nothing was read.
    pub first: Option<Wall>,
    /// The last moment.
    pub last: Option<Wall>,
    /// Gaps within the time that was asked for.
    pub gaps: Vec<Gap>,
    /// Orders and trades.
    pub trading: Option<Trading>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Makes the figures of sums that are complete.
#[derive(Debug)]
pub struct Maker<'a> {
    tally: &'a Tally,
    making: Making<'a>,
    names: Vec<&'a String>,
    dexes: Dexes,
    blindness: Blindness,
    read: &'a Read,
    open_crosses: u64,
}

impl<'a> Maker<'a> {
    /// Of these sums, whose open crosses are closed.
    pub fn new(
        tally: &'a Tally,
        read: &'a Read,
        open_crosses: u64,
        settings: &'a Settings,
        plan: &'a Plan,
    ) -> Self {
        let blindness = Blindness::of(&read.gaps);
        let days = tally.days.len() as f64;
        Self {
            tally,
            making: Making { settings, plan, z: normal_quantile(settings.upper()), days },
            names: tally.markets.keys().collect(),
            dexes: Dexes::of(&tally.days, tally.markets.iter()),
            blindness,
            read,
            open_crosses,
        }
    }

    fn span(&self) -> Option<(Wall, Wall)> {
        Some((self.read.first?, self.read.last?))
    }

    fn observed_ns(&self) -> i64 {
        let Some((first, last)) = self.span() else { return 0 };
        let span = last.0.saturating_sub(first.0);
        span.saturating_sub(self.blindness.within_ns(first, last)).max(0)
    }

    /// How many markets there are.
    pub fn markets(&self) -> usize {
        self.names.len()
    }

    /// Market number `at`, by name. The costliest part; any thread may do it.
    pub fn market(&self, at: usize) -> Option<Market> {
        let name = *self.names.get(at)?;
        let tally = self.tally.markets.get(name)?;
        let making = &self.making;
        let [buy, sell] = &tally.sides;
        let group = making.group(name, &[buy, sell], tally.episodes, &tally.clusters);
        let of_side = |side: &crate::report::tally::SideTally, word: &str| {
            let name = format!("{name} {word}");
            making.group(&name, &[side], side.sums.episodes, &side.clusters)
        };
        let sides = Sides { buy: of_side(buy, SIDES[0]), sell: of_side(sell, SIDES[1]) };
        let verdict = Verdict::of(&group, making.settings);
        // A threshold leans on the mean of all markets of its dex.
        let threshold = match self.read.some_markets {
            true => None,
            false => thresholds::threshold(name, tally, &self.dexes, &verdict, making.settings),
        };
        Some(Market {
            market: name.clone(),
            verdict,
            group,
            sides,
            hours: self.hours(name, tally),
            sessions: self.sessions(name, tally),
            threshold,
        })
    }

    fn hours(&self, name: &str, tally: &MarketTally) -> Vec<OfHour> {
        let told = |((hour, side), slice): (&(u8, usize), &Slice)| {
            let side = SIDES.get(*side).copied()?;
            let figures = self.making.slice(&format!("{name} {side} {hour}"), slice);
            Some(OfHour { hour: *hour, side, figures })
        };
        tally.hours.iter().filter_map(told).collect()
    }

    fn sessions(&self, name: &str, tally: &MarketTally) -> Vec<OfSession> {
        let told = |(session, slice): (&Session, &Slice)| {
            let figures = self.making.slice(&format!("{name} {}", session.name()), slice);
            OfSession { session: *session, figures }
        };
        tally.sessions.iter().map(told).collect()
    }

    /// The report, with all of its markets.
    pub fn report(&self, mut markets: Vec<Market>) -> Report {
        let (settings, plan) = (self.making.settings, self.making.plan);
        let earned = |market: &Market| market.group.chosen.usd;
        markets
            .sort_by(|a, b| earned(b).total_cmp(&earned(a)).then_with(|| a.market.cmp(&b.market)));
        let sides: Vec<_> = self.tally.markets.values().flat_map(|one| &one.sides).collect();
        let episodes = self.tally.markets.values().map(|one| one.episodes).sum();
        let total = self.making.group("all markets", &sides, episodes, &self.tally.clusters);
        let mut counts = Counts::default();
        sides.iter().for_each(|side| counts.add(&side.sums.counts));
        let (first, last) = self.span().unzip();
        Report {
            schema: SCHEMA,
            source: Source {
                dir: self.read.dir.clone(),
                from: first.map(second),
                to: last.map(second_after),
                days: self.tally.days.len(),
                runs: self.read.runs.clone(),
                config_hashes: self.read.config_hashes.clone(),
                modes: self.read.modes.clone(),
            },
            settings: Asked {
                latency_ms: settings.latency_ms,
                exit_ms: settings.exit_ms,
                confidence: settings.confidence,
                min_episodes: settings.min_episodes,
                fee_bps: settings.fee_bps,
                slippage_bps: self.read.slippage_bps,
                priority_bps: settings.priority_bps,
                latencies_ms: plan.latencies_ms.clone(),
                exits_ms: FOLLOW_UP_MS.to_vec(),
                time_zone: settings.calendar.name().to_owned(),
            },
            coverage: self.coverage(),
            counts: Totals {
                signals: counts.signals,
                blocked: counts.blocked,
                below_minimum: counts.below_minimum,
                in_gap: counts.in_gap,
                unseen: counts.unseen,
                no_exit: counts.no_exit,
                valued: counts.valued,
                episodes,
                crosses: total.duration.crosses - self.open_crosses,
                open_crosses: self.open_crosses,
            },
            thresholds: self.thresholds(&markets),
            total,
            markets,
            gates: self.gates(),
            sides: self.sides(),
            trading: self.read.trading.clone(),
            warnings: self.read.warnings.clone(),
        }
    }

    fn coverage(&self) -> Coverage {
        let Some((first, last)) = self.span() else { return Coverage::default() };
        let length = |gap: &Gap| gap.to.0.saturating_sub(gap.from.0);
        let mut gaps: Vec<&Gap> = self.read.gaps.iter().collect();
        gaps.sort_by_key(|gap| (std::cmp::Reverse(length(gap)), gap.from));
        gaps.truncate(GAPS);
        gaps.sort_by_key(|gap| (gap.from, gap.to));
        let told = |gap: &&Gap| GapTold {
            from: moment(gap.from),
            to: moment(gap.to),
            cause: gap.cause.clone(),
            markets: gap.markets,
        };
        Coverage {
            span_s: last.0.saturating_sub(first.0) as f64 / 1e9,
            observed_s: self.observed_ns() as f64 / 1e9,
            gaps: gaps.iter().map(told).collect(),
            gap_s: coverage::seconds_by_cause(&self.read.gaps, first, last),
        }
    }

    fn gates(&self) -> Vec<GateFigures> {
        let of_gate = |(gate, tally): (&Gate, &GateTally)| self.gate(*gate, tally);
        Gate::ALL.iter().zip(&self.tally.gates).map(of_gate).collect()
    }

    fn gate(&self, gate: Gate, tally: &GateTally) -> GateFigures {
        let settings = self.making.settings;
        let seed = bootstrap::seed(gate.name());
        let intervals = bootstrap::intervals(&tally.clusters, settings.upper(), seed);
        let interval = |at: usize| intervals.get(at).copied().flatten();
        let median = Ranged::new(nearest_rank(&mut tally.filled.clone(), 50), None);
        let at = (settings.latency_ms, settings.exit_ms);
        let intervals = [interval(0), interval(1), interval(2)];
        GateFigures {
            gate: gate.name(),
            first: tally.sums.first,
            alone: tally.sums.alone,
            trip: TripFigures::of(at, &tally.sums.trip, intervals, median),
        }
    }

    fn sides(&self) -> Vec<OfSide> {
        let told = |(side, slice): (&&'static str, &Slice)| OfSide {
            side,
            figures: self.making.slice(&format!("all {side}"), slice),
        };
        SIDES.iter().zip(&self.tally.sides).map(told).collect()
    }

    fn thresholds(&self, markets: &[Market]) -> Thresholds {
        let days = self.tally.days.len();
        let proposed = markets.iter().filter_map(|market| market.threshold.as_ref());
        let proposed = proposed.filter(|threshold| threshold.proposed_bps.is_some()).count();
        let note = if self.read.some_markets {
            Some("thresholds need all markets: each leans on the mean of its dex".to_owned())
        } else if days < 2 {
            Some("thresholds need two days: one to fit them on, one to judge them".to_owned())
        } else if proposed == 0 {
            Some("no market has a threshold that held on days it was not fitted on".to_owned())
        } else {
            None
        };
        Thresholds { days, proposed, note }
    }
}

/// A moment to the second, downwards.
pub fn second(at: Wall) -> String {
    let s = at.0.rem_euclid(DAY_NS) / 1_000_000_000;
    let day = thresholds::date(at.day());
    format!("{day}T{:02}:{:02}:{:02}Z", s / 3_600, s / 60 % 60, s % 60)
}

/// The first full second behind a moment, or the moment itself if it is one.
fn second_after(at: Wall) -> String {
    second(Wall(at.0.saturating_add(999_999_999)))
}

/// A moment to the millisecond.
fn moment(at: Wall) -> String {
    let whole = second(at);
    let ms = at.0.rem_euclid(1_000_000_000) / 1_000_000;
    format!("{}.{ms:03}Z", whole.trim_end_matches('Z'))
}
