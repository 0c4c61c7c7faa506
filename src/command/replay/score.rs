//! What one setting came to: its rows counted and valued as they come, without a file.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::command::Failure;
use crate::command::replay::player::{Player, Rows};
use crate::command::replay::value::{Looks, Rule, Verdict};
use crate::report::coverage::{Blindness, Gap};
use crate::report::survival::{Lasted, Survival};
use crate::report::trip;
use crate::runtime::tally::{Tally, TradingTally};
use crate::types::hard_stop::StopReason;
use crate::types::ids::{Coin, SignalId};
use crate::types::num::{Side, Usd};
use crate::types::record::{Decision, FOLLOW_UP_MS, Gate, Outcome, Row};
use crate::types::time::{Now, Wall};

/// A signal, and its rows as far as they came.
#[derive(Debug)]
struct Seen {
    coin: Coin,
    side: Side,
    at: Wall,
    gate: Option<Gate>,
    decision: Decision,
    looks: Looks,
}

/// Takes the rows of one engine, over one capture or several.
#[derive(Debug)]
pub(super) struct Score {
    rule: Rule,
    signals: Vec<Seen>,
    /// Where the signals lie whose rows are still to come.
    open: HashMap<SignalId, usize>,
    gaps: Vec<Gap>,
    /// How long the quotes of each cross survived.
    crosses: BTreeMap<Coin, Vec<Lasted>>,
    trading: Tally,
    /// Positions that were left open, by market, and their profit as far as it is known.
    left: BTreeMap<Coin, (u64, Usd)>,
    stopped_by: BTreeSet<StopReason>,
}

/// Figures of a group of signals.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// All of them; the next six and `valued` add up to it.
    pub(super) signals: u64,
    pub(super) blocked: u64,
    pub(super) below_minimum: u64,
    pub(super) in_gap: u64,
    pub(super) unseen: u64,
    pub(super) no_exit: u64,
    pub(super) valued: u64,
    /// Of the valued: some of it would have filled.
    pub(super) fills: u64,
    /// Of the fills: a profit after fees.
    pub(super) wins: u64,
    /// Sum of the filled shares.
    pub(super) fill: f64,
    /// Sum of the values, bps.
    pub(super) value_bps: f64,
    /// Sum of the values, USD.
    pub(super) usd: f64,
    pub(super) crosses: u64,
    /// By the gate that blocked first.
    pub(super) gates: [u64; Gate::ALL.len()],
    /// By what was decided.
    pub(super) decisions: BTreeMap<String, u64>,
    /// Orders and round trips; empty in observation.
    pub(super) trading: TradingTally,
    /// Positions that were open at the end of a capture: no round trip, so not in `trading`.
    pub(super) left_open: u64,
    /// Their profit at the last price to leave at, before fees; without those that nothing stood for.
    pub(super) left_usd: Usd,
    /// Why HardStop held at the end of a capture; of all markets together.
    pub(super) stopped_by: BTreeSet<StopReason>,
}

impl Figures {
    /// Whether there is anything to tell of trading.
    pub(super) fn traded(&self) -> bool {
        !self.trading.is_empty() || self.left_open > 0 || !self.stopped_by.is_empty()
    }

    /// Names of the reasons, one after the other.
    pub(super) fn stops(&self) -> String {
        let names: Vec<&str> = self.stopped_by.iter().map(|reason| reason.name()).collect();
        names.join(" ")
    }

    /// Mean value of a valued signal, bps.
    pub(super) fn mean_value_bps(&self) -> Option<f64> {
        (self.valued > 0).then(|| self.value_bps / self.valued as f64)
    }

    /// Share that filled.
    pub(super) fn fill_rate(&self) -> Option<f64> {
        (self.valued > 0).then(|| self.fill / self.valued as f64)
    }

    /// Share of the fills that won.
    pub(super) fn win_rate(&self) -> Option<f64> {
        (self.fills > 0).then(|| self.wins as f64 / self.fills as f64)
    }

    /// Entries that filled, in whole or in part.
    pub(super) fn entries_filled(&self) -> u64 {
        let ended = |outcome| self.trading.entries_that(outcome);
        ended(Outcome::Filled) + ended(Outcome::PartiallyFilled)
    }

    fn count(&mut self, verdict: Verdict) {
        self.signals += 1;
        match verdict {
            Verdict::Blocked => self.blocked += 1,
            Verdict::BelowMinimum => self.below_minimum += 1,
            Verdict::InGap => self.in_gap += 1,
            Verdict::Unseen => self.unseen += 1,
            Verdict::NoExit => self.no_exit += 1,
            Verdict::Valued(trip) => {
                let filled = trip.fill > 0.0;
                self.valued += 1;
                self.fills += u64::from(filled);
                self.wins += u64::from(filled && trip.net_bps > 0.0);
                self.fill += trip.fill;
                self.value_bps += trip.value_bps();
                self.usd += trip.usd;
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.signals += other.signals;
        self.blocked += other.blocked;
        self.below_minimum += other.below_minimum;
        self.in_gap += other.in_gap;
        self.unseen += other.unseen;
        self.no_exit += other.no_exit;
        self.valued += other.valued;
        self.fills += other.fills;
        self.wins += other.wins;
        self.fill += other.fill;
        self.value_bps += other.value_bps;
        self.usd += other.usd;
        self.crosses += other.crosses;
        self.left_open += other.left_open;
        self.left_usd = self.left_usd.saturating_add(other.left_usd);
        self.gates.iter_mut().zip(other.gates).for_each(|(mine, theirs)| *mine += theirs);
        for (decision, count) in &other.decisions {
            *self.decisions.entry(decision.clone()).or_default() += count;
        }
    }
}

/// A signal as others are compared with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) coin: Coin,
    pub(super) side: Side,
    pub(super) at: Wall,
    /// Its value in USD; zero when it has none.
    pub(super) usd: f64,
}

/// What a setting came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scored {
    pub(super) total: Figures,
    pub(super) markets: BTreeMap<Coin, Figures>,
    /// By market and side, oldest first; none when they are not asked for.
    pub(super) signals: Vec<Told>,
}

impl Score {
    pub(super) fn new(rule: Rule) -> Self {
        Self {
            rule,
            signals: Vec::new(),
            open: HashMap::new(),
            gaps: Vec::new(),
            crosses: BTreeMap::new(),
            trading: Tally::default(),
            left: BTreeMap::new(),
            stopped_by: BTreeSet::new(),
        }
    }

    /// A capture is over: what follows has nothing to do with the signals so far, nor with what its
    /// engine still holds.
    pub(super) fn end_capture(&mut self, player: &Player) {
        self.open.clear();
        for left in player.left() {
            let (count, usd) = self.left.entry(left.coin).or_default();
            *count += 1;
            *usd = usd.saturating_add(left.profit.unwrap_or(Usd::ZERO));
        }
        self.stopped_by.extend(player.stopped_by());
    }

    /// Values everything; with `lists` the signals are listed, too.
    pub(super) fn finish(self, lists: bool) -> Scored {
        let Self { rule, signals, gaps, crosses, trading, left, stopped_by, .. } = self;
        let blindness = Blindness::of(&gaps);
        let exit_ns = i64::from(rule.exit_ms) * 1_000_000;
        let weights: BTreeMap<Coin, f64> =
            crosses.iter().map(|(coin, crosses)| (*coin, weight(&rule, crosses))).collect();
        let unknown = weight(&rule, &[]);
        let mut scored = Scored::default();
        for (coin, crosses) in &crosses {
            scored.markets.entry(*coin).or_default().crosses = crosses.len() as u64;
        }
        for seen in &signals {
            let in_gap = blindness.clear_ns(seen.at) <= exit_ns;
            let weight = weights.get(&seen.coin).copied().unwrap_or(unknown);
            let verdict = seen.looks.judge(&rule, weight, in_gap);
            let figures = scored.markets.entry(seen.coin).or_default();
            figures.count(verdict);
            if let Some(gate) = seen.gate {
                figures.gates[gate as usize] += 1;
            }
            *figures.decisions.entry(seen.decision.to_string()).or_default() += 1;
            let usd = if let Verdict::Valued(trip) = verdict { trip.usd } else { 0.0 };
            if lists {
                scored.signals.push(Told { coin: seen.coin, side: seen.side, at: seen.at, usd });
            }
        }
        scored.signals.sort_by_key(|told| (told.coin, told.side.index(), told.at));
        for (coin, market) in trading.markets() {
            scored.markets.entry(*coin).or_default().trading = market.trading;
        }
        for (coin, (count, usd)) in left {
            let figures = scored.markets.entry(coin).or_default();
            (figures.left_open, figures.left_usd) = (count, usd);
        }
        let Scored { total, markets, .. } = &mut scored;
        markets.values().for_each(|figures| total.add(figures));
        total.trading = trading.total().trading;
        total.stopped_by = stopped_by;
        scored
    }
}

impl Rows for Score {
    fn take(&mut self, _: Now, row: &Row) -> Result<(), Failure> {
        match row {
            Row::Signal(row) => {
                self.open.insert(row.id, self.signals.len());
                self.signals.push(Seen {
                    coin: row.coin,
                    side: row.side,
                    at: row.detected_at,
                    gate: row.blocked_by,
                    decision: row.decision,
                    looks: Looks::of(&self.rule, row),
                });
            }
            Row::Entry(row) => {
                let seen = self.open.get(&row.signal).and_then(|at| self.signals.get_mut(*at));
                if let Some(seen) = seen {
                    seen.looks.entry(&self.rule, row);
                }
            }
            Row::FollowUp(row) => {
                let seen = self.open.get(&row.signal).and_then(|at| self.signals.get_mut(*at));
                if let Some(seen) = seen {
                    seen.looks.follow_up(&self.rule, row);
                }
                if Some(&row.offset_ms) == FOLLOW_UP_MS.last() {
                    self.open.remove(&row.signal); // Its last look.
                }
            }
            Row::Cross(row) => {
                let lasted = row.quote_survival.map_or_else(
                    || Lasted::watched(row.duration.as_micros()),
                    |survival| Lasted::ended(survival.as_micros()),
                );
                self.crosses.entry(row.coin).or_default().push(lasted);
            }
            Row::Gap(row) => {
                let gap = Gap {
                    from: row.started_at,
                    to: row.ended_at,
                    cause: row.cause.name().to_owned(),
                    markets: row.markets.into(),
                };
                self.gaps.extend(Some(gap).filter(Gap::blinds));
            }
            Row::Order(_) | Row::Trade(_) => self.trading.count(row),
        }
        Ok(())
    }
}

/// How near to the early probe the latency lies, 0 to 1: by how many of the quotes went between the
/// probes before it.
fn weight(rule: &Rule, crosses: &[Lasted]) -> f64 {
    let (early, late) = rule.probes;
    if early == late {
        return 0.0;
    }
    let survival = Survival::of(crosses.to_vec());
    trip::weight(rule.probes, rule.latency_ms, |ms| survival.at_ms(ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::replay::value::tests::signal;
    use crate::types::record::{GapCause, GapRow, SignalRow};

    fn rule() -> Rule {
        Rule {
            probes: (200, 400),
            latency_ms: 300,
            exit_ms: 3000,
            fee_bps: None,
            slippage_bps: 0.0,
            priority_bps: 0.0,
        }
    }

    #[test]
    fn quotes_that_go_weigh_the_probes_and_those_that_stay_are_censored() {
        let of = |ms: u64, gone| match gone {
            true => Lasted::ended(ms * 1000),
            false => Lasted::watched(ms * 1000),
        };
        let surviving = |crosses: &[Lasted], ms| Survival::of(crosses.to_vec()).at_ms(ms);
        // Of five: one goes at 100, one is lost sight of at 150, two go at 250, one at 350.
        let crosses = [of(100, true), of(150, false), of(250, true), of(250, true), of(350, true)];
        let near = |one: f64, other: f64| assert!((one - other).abs() < 1e-12, "{one} {other}");
        near(surviving(&crosses, 99), 1.0);
        near(surviving(&crosses, 100), 0.8);
        near(surviving(&crosses, 300), 0.8 / 3.0);
        near(surviving(&crosses, 400), 0.0);
        // From 0.8 at 200 to nothing at 400; a third of it is left at 300.
        near(weight(&rule(), &crosses), 1.0 / 3.0);
        near(weight(&rule(), &[of(500, false)]), 0.5);
        near(weight(&Rule { latency_ms: 250, ..rule() }, &[]), 0.75);
        near(weight(&Rule { probes: (400, 400), latency_ms: 400, ..rule() }, &crosses), 0.0);
    }

    #[test]
    fn a_signal_is_in_a_gap_from_its_moment_to_its_exit_with_both_ends() {
        let ms = |ms: i64| Wall(ms * 1_000_000);
        let mut score = Score::new(rule());
        let mut take = |row: Row| score.take(Now::default(), &row).expect("taken");
        let gap = |cause, from, to| {
            Row::Gap(GapRow { started_at: ms(from), ended_at: ms(to), cause, markets: 1 })
        };
        take(gap(GapCause::LinkDown, 10_000, 11_000));
        take(gap(GapCause::LinkDown, 10_500, 10_600));
        take(gap(GapCause::Start, 0, 9_000));
        for (id, at) in (1..).zip([6_999, 7_000, 10_800, 11_000, 11_001]) {
            let signal = signal(Side::Buy);
            take(Row::Signal(SignalRow { id: SignalId(id), detected_at: ms(at), ..signal }));
        }
        let scored = score.finish(true);
        assert_eq!((scored.total.in_gap, scored.total.unseen), (3, 2));
        assert_eq!(scored.signals.len(), 5);
    }

    #[test]
    fn signals_are_listed_for_whoever_compares_them_alone() {
        let of = |lists| {
            let mut score = Score::new(rule());
            score.take(Now::default(), &Row::Signal(signal(Side::Buy))).expect("taken");
            let scored = score.finish(lists);
            (scored.total.signals, scored.signals.len())
        };
        assert_eq!((of(true), of(false)), ((1, 1), (1, 0)));
    }
}
