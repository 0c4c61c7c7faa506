//! One day, added up apart: a market after the other, an episode after the other.

use std::collections::BTreeMap;

use crate::report::coverage::Blindness;
use crate::report::day::Day;
use crate::report::sessions::Session;
use crate::report::signal::{EXITS, Exit, Signal};
use crate::report::tally::sums::{
    Filled, GateSums, Kept, Marks, OpenCross, Pairs, SliceDay, SliceSums, Sums, add_pair, add_rows,
};
use crate::report::trading::Taken;
use crate::report::trip::{Left, Plan, Trip, Valued};
use crate::report::{Settings, edge, episodes};
use crate::types::record::Gate;
use crate::types::time;

pub(super) struct SideDay {
    pub(super) sums: Sums,
    pub(super) kept: Kept,
    pub(super) rows: Vec<f64>,
}

pub(super) struct MarketDay {
    pub(super) sides: [SideDay; 2],
    pub(super) episodes: u64,
    pub(super) rows: Vec<f64>,
    pub(super) hours: BTreeMap<(u8, usize), SliceDay>,
    pub(super) sessions: BTreeMap<Session, SliceDay>,
    pub(super) marks: Marks,
    pub(super) open: BTreeMap<u64, OpenCross>,
}

impl MarketDay {
    pub(super) fn new(plan: &Plan) -> Self {
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

#[derive(Default)]
pub(super) struct GateDay {
    pub(super) sums: GateSums,
    pub(super) rows: BTreeMap<i64, [f64; 6]>,
    pub(super) filled: Vec<f64>,
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
    pub(super) day: time::Day,
    pub(super) markets: BTreeMap<String, MarketDay>,
    /// By bucket of time, over all markets.
    pub(super) rows: BTreeMap<i64, Vec<f64>>,
    pub(super) sides: [BTreeMap<i64, [f64; 2]>; 2],
    pub(super) gates: [GateDay; 8],
    pub(super) taken: BTreeMap<u64, Taken>,
    pub(super) last_ns: i64,
    pub(super) first_ns: i64,
}

/// What one episode has gathered so far.
pub(super) struct Episode {
    bucket: i64,
    rows: [Vec<f64>; 2],
    /// Signals in the decay of each side.
    decayed: [f64; 2],
    hours: Vec<((u8, usize), SliceSums)>,
    sessions: Vec<(Session, SliceSums)>,
}

impl Episode {
    pub(super) fn begin(&mut self, signal: &Signal) {
        self.bucket = episodes::bucket(signal.at.0);
        self.rows.iter_mut().for_each(|row| row.fill(0.0));
        self.decayed = [0.0; 2];
        self.hours.clear();
        self.sessions.clear();
    }
}

pub(super) fn slice_of<K: PartialEq + Copy>(
    parts: &mut Vec<(K, SliceSums)>,
    key: K,
    trip: Option<&Trip>,
) {
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
        let mut episode = Episode {
            bucket: 0,
            rows: [row(), row()],
            decayed: [0.0; 2],
            hours: Vec::new(),
            sessions: Vec::new(),
        };
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
            let side = signal.side.index();
            let Some(of_side) = of_market.sides.get_mut(side) else { continue };
            of_side.sums.counts.signals += 1;
            if let Some(gate) = signal.blocked_by {
                of_side.sums.counts.blocked += 1;
                if let Some(of_gate) = tally.gates.get_mut(gate as usize) {
                    of_gate.note(signal, gate, asked, episode.bucket);
                }
                continue;
            }
            if signal.filtered {
                of_side.sums.counts.blocked += 1;
                continue;
            }
            of_side.sums.counts.note(asked);
            let number = u32::try_from(of_market.episodes).unwrap_or(u32::MAX);
            of_side.note(signal, &valued, plan, pairs, number, &mut episode.rows[side]);
            let trip = asked.ok();
            if let Some(trip) = &trip {
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
                episode.decayed[side] += 1.0;
            }
        }
        tally.close_market(market, &mut episode, names, before.is_some(), pairs, plan);
        tally
    }

    pub(super) fn close_market(
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

    pub(super) fn close_episode(
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
            let from = of_side.rows.len();
            of_side.rows.extend_from_slice(row);
            average(of_side.rows.get_mut(from..), pairs.decay(), episode.decayed[side]);
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
            average(Some(&mut both), pairs.decay(), episode.decayed.iter().sum());
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

/// Makes means of the sums of a pair.
fn average(row: Option<&mut [f64]>, pair: usize, n: f64) {
    let sums = row.and_then(|row| row.get_mut(2 * pair..2 * pair + 2));
    if n > 0.0 {
        sums.into_iter().flatten().for_each(|sum| *sum /= n);
    }
}

impl MarketDay {
    pub(super) fn note_cross(&mut self, signal: &Signal, context: &Context<'_>) {
        if context.crosses.binary_search(&signal.cross).is_ok() {
            return;
        }
        let began_ns = signal.at.0.saturating_sub(signal.cross_age_ms.saturating_mul(1_000_000));
        if context.settings.covers(time::Wall(began_ns)) {
            let open = OpenCross { began_ns, side: signal.side.index() };
            self.open.entry(signal.cross).or_insert(open);
        }
    }
}

/// The raw edge after five seconds, if all follow-ups saw one.
pub(super) fn decay_of(exits: &[Exit; EXITS]) -> Option<f64> {
    let all = exits.iter().all(|exit| exit.seen && exit.raw_bps.is_finite());
    exits.last().filter(|_| all).map(|exit| exit.raw_bps)
}

impl SideDay {
    /// A signal that no gate blocked.
    pub(super) fn note(
        &mut self,
        signal: &Signal,
        valued: &Valued<'_>,
        plan: &Plan,
        pairs: Pairs,
        episode: u32,
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
            self.kept.episodes.push(episode);
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
    pub(super) fn note(
        &mut self,
        signal: &Signal,
        gate: Gate,
        trip: Result<Trip, Left>,
        bucket: i64,
    ) {
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
