//! What is added up, a day at a time. Days are tallied apart, on any thread, and merged in their order:
//! the sums are the same however many threads there were.

use std::collections::BTreeMap;

use crate::report::clusters::{CLUSTERS, CLUSTERS_OF_SLICE, Clusters};
use crate::report::day::Day;
use crate::report::edge::{self, BINS, DecaySums};
use crate::report::episodes;
use crate::report::sessions::Session;
use crate::report::signal::{Cross, EXITS, Signal};
use crate::report::survival::Lasted;
use crate::report::trading::Taken;
use crate::report::trip::{Left, Plan, Trip, Valued};
use crate::report::{Settings, coverage::Blindness};
use crate::types::num::Side;
use crate::types::record::Gate;
use crate::types::time;

/// Number of a side in arrays.
pub const fn of_side(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

/// What became of signals.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// All of them.
    pub signals: u64,
    /// A gate blocked.
    pub blocked: u64,
    /// Too small for an order.
    pub below_minimum: u64,
    /// Not everything was seen then.
    pub in_gap: u64,
    /// A look that is needed saw nothing.
    pub unseen: u64,
    /// Nothing stood where the position would be left.
    pub no_exit: u64,
    /// The rest.
    pub valued: u64,
}

impl Counts {
    /// Adds those of others.
    pub fn add(&mut self, other: &Self) {
        self.signals += other.signals;
        self.blocked += other.blocked;
        self.below_minimum += other.below_minimum;
        self.in_gap += other.in_gap;
        self.unseen += other.unseen;
        self.no_exit += other.no_exit;
        self.valued += other.valued;
    }

    fn note(&mut self, trip: Result<Trip, Left>) {
        *match trip {
            Ok(_) => &mut self.valued,
            Err(Left::BelowMinimum) => &mut self.below_minimum,
            Err(Left::InGap) => &mut self.in_gap,
            Err(Left::Unseen) => &mut self.unseen,
            Err(Left::NoExit) => &mut self.no_exit,
        } += 1;
    }
}

/// Sums of valued signals at one combination.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TripSums {
    /// Valued signals.
    pub n: u64,
    /// Those that get anything.
    pub fills: u64,
    /// Fills that earn.
    pub wins: u64,
    /// Σ f.
    pub fill: f64,
    /// Σ f × net, in bps.
    pub value_bps: f64,
    /// Σ USD.
    pub usd: f64,
}

impl TripSums {
    /// Adds those of others.
    pub fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.fills += other.fills;
        self.wins += other.wins;
        self.fill += other.fill;
        self.value_bps += other.value_bps;
        self.usd += other.usd;
    }

    fn note(&mut self, trip: &Trip) {
        let filled = trip.fill > 0.0;
        self.n += 1;
        self.fills += u64::from(filled);
        self.wins += u64::from(filled && trip.net_bps > 0.0);
        self.fill += trip.fill;
        self.value_bps += trip.value_bps;
        self.usd += trip.usd;
    }
}

/// The pairs of sums of a cluster, whose ratios are the figures with intervals: a mean value for every
/// combination, then three more.
#[derive(Clone, Copy, Debug)]
pub struct Pairs {
    combinations: usize,
}

impl Pairs {
    /// Of so many combinations.
    pub fn of(plan: &Plan) -> Self {
        Self { combinations: plan.combinations.len() }
    }

    /// How many.
    pub fn count(self) -> usize {
        self.combinations + 3
    }

    /// (Σ f, Σ f × net): mean net of what is filled.
    pub fn net(self) -> usize {
        self.combinations
    }

    /// (fills, wins)
    pub fn win(self) -> usize {
        self.combinations + 1
    }

    /// (raw edge at the signal, raw edge after five seconds)
    pub fn decay(self) -> usize {
        self.combinations + 2
    }
}

fn add_pair(row: &mut [f64], pair: usize, x: f64, y: f64) {
    if let Some([sum_x, sum_y]) = row.get_mut(2 * pair..2 * pair + 2) {
        *sum_x += x;
        *sum_y += y;
    }
}

fn add_rows(to: &mut [f64], row: &[f64]) {
    to.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
}

/// What a fill earns, for medians.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    /// At each exit, in bps.
    pub net_bps: [f64; EXITS],
    /// The combinations at which it is one.
    pub at: u64,
}

/// Sums of a market and side.
#[derive(Clone, Debug)]
pub struct Sums {
    /// What became of its signals.
    pub counts: Counts,
    /// Episodes with a valued signal.
    pub episodes: u64,
    /// At each combination.
    pub trips: Vec<TripSums>,
    /// Of raw edges over time.
    pub decay: DecaySums,
    /// Raw edges by bin.
    pub histogram: Vec<u64>,
}

impl Sums {
    /// None yet.
    pub fn new(plan: &Plan) -> Self {
        Self {
            counts: Counts::default(),
            episodes: 0,
            trips: vec![TripSums::default(); plan.combinations.len()],
            decay: DecaySums::default(),
            histogram: vec![0; BINS],
        }
    }

    /// Adds those of others.
    pub fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.episodes += other.episodes;
        self.trips.iter_mut().zip(&other.trips).for_each(|(sum, trip)| sum.add(trip));
        self.decay.add(&other.decay);
        self.histogram.iter_mut().zip(&other.histogram).for_each(|(sum, n)| *sum += n);
    }
}

/// What cannot be summed: values for quantiles, of one day.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Raw edges of what no gate blocked, in bps.
    pub raw_bps: Vec<f64>,
    /// Net edges of the same.
    pub net_bps: Vec<f64>,
    /// Fills.
    pub filled: Vec<Filled>,
}

/// Valued signals of a market and day, in the order of time, for thresholds.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// Raw edge, in bps.
    pub raw_bps: Vec<f64>,
    /// Value, in bps.
    pub value_bps: Vec<f64>,
    /// Number of its episode; ascends.
    pub episode: Vec<u32>,
}

/// Sums of an hour, a session or a side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SliceSums {
    /// Signals that no gate blocked.
    pub signals: u64,
    /// Episodes with a valued one.
    pub episodes: u64,
    /// Valued signals.
    pub n: u64,
    /// Σ value, in bps.
    pub value_bps: f64,
    /// Σ USD.
    pub usd: f64,
}

impl SliceSums {
    fn add(&mut self, other: &Self) {
        self.signals += other.signals;
        self.episodes += other.episodes;
        self.n += other.n;
        self.value_bps += other.value_bps;
        self.usd += other.usd;
    }

    fn note(&mut self, trip: Option<&Trip>) {
        self.signals += 1;
        if let Some(trip) = trip {
            self.n += 1;
            self.value_bps += trip.value_bps;
            self.usd += trip.usd;
        }
    }
}

/// A slice with its clusters: of one day, a row each.
#[derive(Clone, Debug, Default)]
struct SliceDay {
    sums: SliceSums,
    rows: Vec<f64>,
}

impl SliceDay {
    /// Adds an episode's part.
    fn close(&mut self, part: &SliceSums) {
        self.sums.add(part);
        if part.n > 0 {
            self.sums.episodes += 1;
            self.rows.extend([part.n as f64, part.value_bps]);
        }
    }
}

/// A slice with its clusters: of all days.
#[derive(Clone, Debug)]
pub struct Slice {
    /// Its sums.
    pub sums: SliceSums,
    /// (n, Σ value) by episode.
    pub clusters: Clusters,
}

impl Slice {
    fn new(limit: usize) -> Self {
        Self { sums: SliceSums::default(), clusters: Clusters::new(1, limit) }
    }

    fn merge(&mut self, day: &SliceDay) {
        self.sums.add(&day.sums);
        self.clusters.extend(&day.rows);
    }
}

/// Crosses of a market and side.
#[derive(Clone, Debug, Default)]
pub struct Crosses {
    /// How long the first quote stood.
    pub survival: Vec<Lasted>,
    /// How long they lasted.
    pub duration: Vec<Lasted>,
    /// Ends by reason.
    pub ends: BTreeMap<String, u64>,
}

impl Crosses {
    /// Adds one that ended for `reason`.
    pub fn note(&mut self, cross: &Cross, reason: &str) {
        let watched = Lasted::watched(cross.duration_us);
        self.survival.push(cross.quote_survival_us.map_or(watched, Lasted::ended));
        self.duration.push(if cross.ended { Lasted::ended(cross.duration_us) } else { watched });
        match self.ends.get_mut(reason) {
            Some(count) => *count += 1,
            None => {
                self.ends.insert(reason.to_owned(), 1);
            }
        }
    }

    /// Adds one that still lasts, or whose end was lost, after so many microseconds.
    pub fn note_open(&mut self, us: u64) {
        self.survival.push(Lasted::watched(us));
        self.duration.push(Lasted::watched(us));
    }

    fn merge(&mut self, mut other: Self) {
        self.survival.append(&mut other.survival);
        self.duration.append(&mut other.duration);
        for (reason, count) in other.ends {
            *self.ends.entry(reason).or_insert(0) += count;
        }
    }
}

/// A day's crosses by market and side.
pub type CrossesOfDay = BTreeMap<String, [Crosses; 2]>;

/// A cross that signals name and that has no row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OpenCross {
    /// When it began, in nanoseconds since 1970.
    pub began_ns: i64,
    side: usize,
}

struct SideDay {
    sums: Sums,
    kept: Kept,
    rows: Vec<f64>,
}

struct MarketDay {
    sides: [SideDay; 2],
    episodes: u64,
    rows: Vec<f64>,
    hours: BTreeMap<(u8, usize), SliceDay>,
    sessions: BTreeMap<Session, SliceDay>,
    marks: Marks,
    open: BTreeMap<u64, OpenCross>,
}

impl MarketDay {
    fn new(plan: &Plan) -> Self {
        let side = || SideDay { sums: Sums::new(plan), kept: Kept::default(), rows: Vec::new() };
        Self {
            sides: [side(), side()],
            episodes: 0,
            rows: Vec::new(),
            hours: BTreeMap::new(),
            sessions: BTreeMap::new(),
            marks: Marks::default(),
            open: BTreeMap::new(),
        }
    }
}

/// What a gate kept out.
#[derive(Clone, Copy, Debug, Default)]
pub struct GateSums {
    /// Signals that it blocked first.
    pub first: u64,
    /// Signals that it alone blocked.
    pub alone: u64,
    /// Those that it blocked first, as if it had not.
    pub trip: TripSums,
}

#[derive(Default)]
struct GateDay {
    sums: GateSums,
    rows: BTreeMap<i64, [f64; 6]>,
    filled: Vec<f64>,
}

/// Everything a day's rows are judged with.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What was asked for.
    pub settings: &'a Settings,
    /// The combinations.
    pub plan: &'a Plan,
    /// When not everything was seen.
    pub blindness: &'a Blindness,
    /// Of [`Plan::weight`], by market; one without crosses is weighed by time alone.
    pub weights: &'a BTreeMap<String, f64>,
    /// Crosses that have a row, ascending.
    pub crosses: &'a [u64],
    /// Signals whose own value is asked for, since they were traded on; ascending.
    pub traded: &'a [u64],
}

/// The sums of one day.
pub struct DayTally {
    day: time::Day,
    markets: BTreeMap<String, MarketDay>,
    /// By bucket of time, over all markets.
    rows: BTreeMap<i64, Vec<f64>>,
    sides: [BTreeMap<i64, [f64; 2]>; 2],
    gates: [GateDay; 8],
    taken: BTreeMap<u64, Taken>,
    last_ns: i64,
    first_ns: i64,
}

/// What one episode has gathered so far.
struct Episode {
    bucket: i64,
    rows: [Vec<f64>; 2],
    hours: Vec<((u8, usize), SliceSums)>,
    sessions: Vec<(Session, SliceSums)>,
}

impl Episode {
    fn begin(&mut self, signal: &Signal) {
        self.bucket = episodes::bucket(signal.at.0);
        self.rows.iter_mut().for_each(|row| row.fill(0.0));
        self.hours.clear();
        self.sessions.clear();
    }
}

fn slice_of<K: PartialEq + Copy>(parts: &mut Vec<(K, SliceSums)>, key: K, trip: Option<&Trip>) {
    match parts.iter_mut().find(|(other, _)| *other == key) {
        Some((_, part)) => part.note(trip),
        None => {
            let mut part = SliceSums::default();
            part.note(trip);
            parts.push((key, part));
        }
    }
}

impl DayTally {
    /// Adds up a day whose markets `names` numbers.
    pub fn of(day: time::Day, joined: &Day, names: &[String], context: &Context<'_>) -> Self {
        let plan = context.plan;
        let pairs = Pairs::of(plan);
        let row = || vec![0.0; 2 * pairs.count()];
        let mut tally = Self {
            day,
            markets: BTreeMap::new(),
            rows: BTreeMap::new(),
            sides: Default::default(),
            gates: Default::default(),
            taken: BTreeMap::new(),
            last_ns: i64::MIN,
            first_ns: i64::MAX,
        };
        let sessions = context.settings.calendar.day(day);
        let mut episode =
            Episode { bucket: 0, rows: [row(), row()], hours: Vec::new(), sessions: Vec::new() };
        let alone = plan.weight(|_| 1.0);
        let mut market: Option<(u32, MarketDay, f64)> = None;
        let mut before: Option<&Signal> = None;
        for (signal, after) in joined.by_market() {
            if market.as_ref().is_none_or(|(code, ..)| *code != signal.market) {
                tally.close_market(
                    market.take(),
                    &mut episode,
                    names,
                    before.is_some(),
                    pairs,
                    plan,
                );
                before = None;
                let name = names.get(signal.market as usize);
                let weight = name.and_then(|name| context.weights.get(name)).copied();
                market = Some((signal.market, MarketDay::new(plan), weight.unwrap_or(alone)));
            }
            let Some((_, of_market, weight)) = &mut market else { continue };
            if before.is_none_or(|before| !episodes::continues(before, signal)) {
                if before.is_some() {
                    tally.close_episode(of_market, &episode, pairs, plan);
                }
                episode.begin(signal);
            }
            before = Some(signal);
            tally.first_ns = tally.first_ns.min(signal.at.0);
            tally.last_ns = tally.last_ns.max(signal.at.0);
            of_market.note_cross(signal, context);
            let clear_ns = context.blindness.clear_ns(signal.at);
            let valued = Valued::new(signal, &after, context.settings, clear_ns, *weight);
            let asked = plan.asked().map(|combination| valued.at(combination));
            let Some(asked) = asked else { continue };
            if context.traded.binary_search(&signal.id).is_ok() {
                tally.taken.insert(signal.id, Taken::of(signal, asked, context.settings));
            }
            let side = of_side(signal.side);
            let Some(of_side) = of_market.sides.get_mut(side) else { continue };
            of_side.sums.counts.signals += 1;
            if let Some(gate) = signal.blocked_by {
                of_side.sums.counts.blocked += 1;
                if let Some(of_gate) = tally.gates.get_mut(gate as usize) {
                    of_gate.note(signal, gate, asked, episode.bucket);
                }
                continue;
            }
            of_side.sums.counts.note(asked);
            of_side.note(signal, &valued, plan, pairs, &mut episode.rows[side]);
            let trip = asked.ok();
            if let Some(trip) = &trip {
                let number = u32::try_from(of_market.episodes).unwrap_or(u32::MAX);
                of_market.marks.raw_bps.push(signal.raw_bps);
                of_market.marks.value_bps.push(trip.value_bps);
                of_market.marks.episode.push(number);
                let row = &mut episode.rows[side];
                add_pair(row, pairs.net(), trip.fill, trip.value_bps);
                let filled = trip.fill > 0.0;
                let won = filled && trip.net_bps > 0.0;
                add_pair(row, pairs.win(), f64::from(filled), f64::from(won));
            }
            let hour = (signal.at.0.rem_euclid(time::DAY_NS) / 3_600_000_000_000) as u8;
            slice_of(&mut episode.hours, (hour, side), trip.as_ref());
            slice_of(&mut episode.sessions, sessions.at(signal.at), trip.as_ref());
            if let Some(after_5s) = decay_of(&after.exits) {
                add_pair(&mut episode.rows[side], pairs.decay(), signal.raw_bps, after_5s);
            }
        }
        tally.close_market(market, &mut episode, names, before.is_some(), pairs, plan);
        tally
    }

    fn close_market(
        &mut self,
        market: Option<(u32, MarketDay, f64)>,
        episode: &mut Episode,
        names: &[String],
        open: bool,
        pairs: Pairs,
        plan: &Plan,
    ) {
        let Some((code, mut of_market, _)) = market else { return };
        if open {
            self.close_episode(&mut of_market, episode, pairs, plan);
        }
        if let Some(name) = names.get(code as usize) {
            self.markets.insert(name.clone(), of_market);
        }
    }

    fn close_episode(
        &mut self,
        market: &mut MarketDay,
        episode: &Episode,
        pairs: Pairs,
        plan: &Plan,
    ) {
        let mut both = vec![0.0; 2 * pairs.count()];
        let valued = |row: &[f64]| row.get(2 * plan.chosen).is_some_and(|n| *n > 0.0);
        for (side, (of_side, row)) in market.sides.iter_mut().zip(&episode.rows).enumerate() {
            if row.iter().all(|value| *value == 0.0) {
                continue;
            }
            of_side.rows.extend_from_slice(row);
            add_rows(&mut both, row);
            if valued(row) {
                of_side.sums.episodes += 1;
                if let (Some(of_side), Some(pair)) =
                    (self.sides.get_mut(side), row.get(2 * plan.chosen..2 * plan.chosen + 2))
                {
                    add_rows(of_side.entry(episode.bucket).or_default(), pair);
                }
            }
        }
        if both.iter().any(|value| *value != 0.0) {
            market.rows.extend_from_slice(&both);
            let of_bucket =
                self.rows.entry(episode.bucket).or_insert_with(|| vec![0.0; both.len()]);
            add_rows(of_bucket, &both);
            market.episodes += u64::from(valued(&both));
        }
        for (key, part) in &episode.hours {
            market.hours.entry(*key).or_default().close(part);
        }
        for (key, part) in &episode.sessions {
            market.sessions.entry(*key).or_default().close(part);
        }
    }
}

impl MarketDay {
    fn note_cross(&mut self, signal: &Signal, context: &Context<'_>) {
        if context.crosses.binary_search(&signal.cross).is_ok() {
            return;
        }
        let began_ns = signal.at.0.saturating_sub(signal.cross_age_ms.saturating_mul(1_000_000));
        if context.settings.covers(time::Wall(began_ns)) {
            let open = OpenCross { began_ns, side: of_side(signal.side) };
            self.open.entry(signal.cross).or_insert(open);
        }
    }
}

/// The raw edge after five seconds, if all follow-ups saw one.
fn decay_of(exits: &[crate::report::signal::Exit; EXITS]) -> Option<f64> {
    let all = exits.iter().all(|exit| exit.seen && exit.raw_bps.is_finite());
    exits.last().filter(|_| all).map(|exit| exit.raw_bps)
}

impl SideDay {
    /// A signal that no gate blocked.
    fn note(
        &mut self,
        signal: &Signal,
        valued: &Valued<'_>,
        plan: &Plan,
        pairs: Pairs,
        row: &mut [f64],
    ) {
        debug_assert_eq!(row.len(), 2 * pairs.count(), "a row of the plan");
        self.kept.raw_bps.push(signal.raw_bps);
        self.kept.net_bps.push(signal.net_bps);
        if let Some(count) = self.sums.histogram.get_mut(edge::bin(signal.raw_bps)) {
            *count += 1;
        }
        let mut filled_at = 0;
        for (at, (combination, sums)) in
            plan.combinations.iter().zip(&mut self.sums.trips).enumerate()
        {
            if let Ok(trip) = valued.at(combination) {
                sums.note(&trip);
                add_pair(row, at, 1.0, trip.value_bps);
                filled_at |= u64::from(trip.fill > 0.0) << at;
            }
        }
        if filled_at != 0 {
            self.kept.filled.push(Filled { net_bps: valued.nets(), at: filled_at });
        }
        let exits = valued.exits();
        if decay_of(exits).is_some() {
            let later = exits.iter().map(|exit| exit.raw_bps);
            let raw = std::iter::once(signal.raw_bps).chain(later);
            self.sums.decay.n += 1;
            self.sums.decay.raw_bps.iter_mut().zip(raw).for_each(|(sum, raw)| *sum += raw);
        }
    }
}

impl GateDay {
    fn note(&mut self, signal: &Signal, gate: Gate, trip: Result<Trip, Left>, bucket: i64) {
        self.sums.first += 1;
        self.sums.alone += u64::from(signal.gate_mask == gate.bit());
        if let Ok(trip) = trip {
            self.sums.trip.note(&trip);
            let row = self.rows.entry(bucket).or_default();
            let filled = trip.fill > 0.0;
            let won = filled && trip.net_bps > 0.0;
            add_pair(row, 0, 1.0, trip.value_bps);
            add_pair(row, 1, trip.fill, trip.value_bps);
            add_pair(row, 2, f64::from(filled), f64::from(won));
            if filled {
                self.filled.push(trip.net_bps);
            }
        }
    }
}

/// A market and side, over all days.
#[derive(Clone, Debug)]
pub struct SideTally {
    /// Its sums.
    pub sums: Sums,
    /// Its values, by day.
    pub kept: Vec<Kept>,
    /// By episode.
    pub clusters: Clusters,
    /// Its crosses.
    pub crosses: Crosses,
}

/// A market, over all days.
#[derive(Clone, Debug)]
pub struct MarketTally {
    /// Buys, then sells.
    pub sides: [SideTally; 2],
    /// Episodes with a valued signal on either side.
    pub episodes: u64,
    /// By episode.
    pub clusters: Clusters,
    /// By hour (UTC) and side.
    pub hours: BTreeMap<(u8, usize), Slice>,
    /// By session.
    pub sessions: BTreeMap<Session, Slice>,
    /// Its valued signals, by day.
    pub marks: Vec<(time::Day, Marks)>,
}

impl MarketTally {
    fn new(plan: &Plan) -> Self {
        let clusters = || Clusters::new(Pairs::of(plan).count(), CLUSTERS);
        let side = || SideTally {
            sums: Sums::new(plan),
            kept: Vec::new(),
            clusters: clusters(),
            crosses: Crosses::default(),
        };
        Self {
            sides: [side(), side()],
            episodes: 0,
            clusters: clusters(),
            hours: BTreeMap::new(),
            sessions: BTreeMap::new(),
            marks: Vec::new(),
        }
    }
}

/// What a gate kept out, over all days.
#[derive(Clone, Debug)]
pub struct GateTally {
    /// Its sums.
    pub sums: GateSums,
    /// (n, Σ value), (Σ f, Σ f × net), (fills, wins) by bucket of time.
    pub clusters: Clusters,
    /// What its fills would have earned, in bps.
    pub filled: Vec<f64>,
}

/// Everything, over all days.
#[derive(Clone, Debug)]
pub struct Tally {
    /// By name.
    pub markets: BTreeMap<String, MarketTally>,
    /// By bucket of time, over all markets.
    pub clusters: Clusters,
    /// By side, over all markets.
    pub sides: [Slice; 2],
    /// By gate.
    pub gates: Vec<GateTally>,
    /// Signals that were traded on.
    pub taken: BTreeMap<u64, Taken>,
    /// The days that were added, in their order.
    pub days: Vec<time::Day>,
    /// When the last signal was found, in nanoseconds since 1970.
    pub last_ns: i64,
    /// When the first was.
    pub first_ns: i64,
    open: BTreeMap<u64, (String, OpenCross)>,
}

impl Tally {
    /// Nothing yet.
    pub fn new(plan: &Plan) -> Self {
        let slice = || Slice::new(CLUSTERS);
        let gate = |_| GateTally {
            sums: GateSums::default(),
            clusters: Clusters::new(3, CLUSTERS),
            filled: Vec::new(),
        };
        Self {
            markets: BTreeMap::new(),
            clusters: Clusters::new(Pairs::of(plan).count(), CLUSTERS),
            sides: [slice(), slice()],
            gates: Gate::ALL.iter().map(gate).collect(),
            taken: BTreeMap::new(),
            days: Vec::new(),
            last_ns: i64::MIN,
            first_ns: i64::MAX,
            open: BTreeMap::new(),
        }
    }

    /// Adds a day behind those before, with its crosses.
    pub fn merge(&mut self, day: DayTally, crosses: CrossesOfDay, plan: &Plan) {
        debug_assert!(self.days.last().is_none_or(|last| *last < day.day), "days come in order");
        self.days.push(day.day);
        self.last_ns = self.last_ns.max(day.last_ns);
        self.first_ns = self.first_ns.min(day.first_ns);
        self.taken.extend(day.taken);
        for row in day.rows.values() {
            self.clusters.push(row);
        }
        for (all, of_day) in self.sides.iter_mut().zip(day.sides) {
            for row in of_day.values() {
                all.clusters.push(row);
            }
        }
        for (all, of_day) in self.gates.iter_mut().zip(day.gates) {
            all.sums.first += of_day.sums.first;
            all.sums.alone += of_day.sums.alone;
            all.sums.trip.add(&of_day.sums.trip);
            all.filled.extend(of_day.filled);
            for row in of_day.rows.values() {
                all.clusters.push(row);
            }
        }
        for (name, of_day) in day.markets {
            for (cross, open) in &of_day.open {
                self.open.entry(*cross).or_insert_with(|| (name.clone(), *open));
            }
            let sides = &mut self.sides;
            let all = self.markets.entry(name).or_insert_with(|| MarketTally::new(plan));
            all.merge(day.day, of_day, sides, plan);
        }
        for (name, of_day) in crosses {
            let all = self.markets.entry(name).or_insert_with(|| MarketTally::new(plan));
            for (all, crosses) in all.sides.iter_mut().zip(of_day) {
                all.crosses.merge(crosses);
            }
        }
    }

    /// Adds the crosses that have no end, as of the last moment seen; says how many there are.
    pub fn close(&mut self, last_seen_ns: i64) -> u64 {
        let open = std::mem::take(&mut self.open);
        for (name, cross) in open.values() {
            let us = last_seen_ns.saturating_sub(cross.began_ns).max(0) / 1000;
            let side = self.markets.get_mut(name).and_then(|all| all.sides.get_mut(cross.side));
            if let Some(side) = side {
                side.crosses.note_open(us.unsigned_abs());
            }
        }
        open.len() as u64
    }
}

impl MarketTally {
    fn merge(&mut self, day: time::Day, of_day: MarketDay, both: &mut [Slice; 2], plan: &Plan) {
        self.episodes += of_day.episodes;
        self.clusters.extend(&of_day.rows);
        for ((all, side), slice) in self.sides.iter_mut().zip(of_day.sides).zip(both) {
            if let Some(trip) = side.sums.trips.get(plan.chosen) {
                let counts = side.sums.counts;
                slice.sums.add(&SliceSums {
                    signals: counts.signals - counts.blocked,
                    episodes: side.sums.episodes,
                    n: trip.n,
                    value_bps: trip.value_bps,
                    usd: trip.usd,
                });
            }
            all.sums.add(&side.sums);
            all.clusters.extend(&side.rows);
            // Nothing is added to it any more: what it has too much of is given back.
            let mut kept = side.kept;
            kept.raw_bps.shrink_to_fit();
            kept.net_bps.shrink_to_fit();
            kept.filled.shrink_to_fit();
            all.kept.push(kept);
        }
        for (key, slice) in &of_day.hours {
            let all = self.hours.entry(*key).or_insert_with(|| Slice::new(CLUSTERS_OF_SLICE));
            all.merge(slice);
        }
        for (key, slice) in &of_day.sessions {
            let all = self.sessions.entry(*key).or_insert_with(|| Slice::new(CLUSTERS_OF_SLICE));
            all.merge(slice);
        }
        let mut marks = of_day.marks;
        marks.raw_bps.shrink_to_fit();
        marks.value_bps.shrink_to_fit();
        marks.episode.shrink_to_fit();
        self.marks.push((day, marks));
    }
}
