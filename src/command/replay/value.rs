//! What a signal was worth: a round trip at executable prices, entered late, left some seconds later,
//! after fees. A pure function of the signal's own rows, by the rules of [`crate::report::trip`]: what is kept
//! here of a signal is the little that a grid of settings has room for.

use crate::report::signal::Charged;
use crate::report::trip::{LEAST_NOTIONAL, net_bps};
use crate::types::num::{Px, Side, Sz};
use crate::types::record::{Decision, EntryRow, FEE_SIDES, FollowUpRow, SampleStatus, SignalRow};

/// How a signal is judged.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    /// The latency of the entry lies between these two probes, or on both; probe 0 is the moment of
    /// the signal itself.
    pub(super) probes: (u32, u32),
    /// Latency of the entry, milliseconds.
    pub(super) latency_ms: u32,
    /// Offset of the exit, milliseconds: one of the follow-ups.
    pub(super) exit_ms: u32,
    /// Taker fee one way, bps; `None` takes the signal's own.
    pub(super) fee_bps: Option<f64>,
    /// Slippage that the signal's net edge has in it, bps.
    pub(super) slippage_bps: f64,
    /// Paid on the entry for priority, bps.
    pub(super) priority_bps: f64,
}

impl Rule {
    /// The probes around a latency, of those that are taken; `None` beyond the last.
    pub(super) fn probes(taken_ms: &[u32], latency_ms: u32) -> Option<(u32, u32)> {
        let late = taken_ms.iter().copied().chain([0]).filter(|ms| *ms >= latency_ms).min()?;
        let early = taken_ms.iter().copied().chain([0]).filter(|ms| *ms <= latency_ms).max()?;
        Some((early, late))
    }
}

/// What stood on the touched side at a probe, up to the suggested size: `None` when it was not seen.
type Look = Option<Sz>;

/// What is kept of a signal's rows to judge it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks {
    side: Side,
    wanted: Sz,
    /// Units of 1e-8 USD.
    notional: i64,
    /// The touched price; nothing touched is no signal.
    entry: Option<Px>,
    blocked: bool,
    /// Raw edge less net edge, bps.
    cost_bps: f64,
    early: Look,
    late: Look,
    /// The price to leave at, and whether it was seen at all.
    exit: Option<Option<Px>>,
}

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// A gate or a filter blocked it.
    Blocked,
    /// The venue takes no order that small.
    BelowMinimum,
    /// Nothing was seen for a while around it.
    InGap,
    /// Its entry or its exit was not seen.
    Unseen,
    /// It would have filled, and nothing stood on the other side to leave.
    NoExit,
    /// It has a value.
    Valued(Trip),
}

/// A round trip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trip {
    /// Share of the suggested size that filled, 0 to 1.
    pub(super) fill: f64,
    /// Profit of what filled after fees, bps of the entry.
    pub(super) net_bps: f64,
    /// The same in USD.
    pub(super) usd: f64,
}

impl Looks {
    /// Of a signal whose other rows are still to come.
    pub(super) fn of(rule: &Rule, signal: &SignalRow) -> Self {
        let touched = match signal.side {
            Side::Buy => signal.ask,
            Side::Sell => signal.bid,
        };
        // At the moment of the signal all of it is there.
        let at_once = |probe: u32| (probe == 0).then_some(signal.suggested_sz);
        Self {
            side: signal.side,
            wanted: signal.suggested_sz,
            notional: signal.suggested_notional.units().saturating_mul(100),
            entry: touched.map(|level| level.px),
            blocked: matches!(signal.decision, Decision::Blocked(_) | Decision::Filtered(_)),
            cost_bps: signal.raw_edge.to_f64() - signal.net_edge.to_f64(),
            early: at_once(rule.probes.0),
            late: at_once(rule.probes.1),
            exit: None,
        }
    }

    /// Takes an entry row of the signal.
    pub(super) fn entry(&mut self, rule: &Rule, row: &EntryRow) {
        let seen = row.fillable_sz.filter(|_| row.status == SampleStatus::Captured);
        if row.latency_ms == rule.probes.0 {
            self.early = seen;
        }
        if row.latency_ms == rule.probes.1 {
            self.late = seen;
        }
    }

    /// Takes a follow-up row of the signal.
    pub(super) fn follow_up(&mut self, rule: &Rule, row: &FollowUpRow) {
        if row.offset_ms == rule.exit_ms && row.status == SampleStatus::Captured {
            let level = match self.side {
                Side::Buy => row.bid,
                Side::Sell => row.ask,
            };
            self.exit = Some(level.map(|level| level.px));
        }
    }

    /// Judges it. `weight` of the early probe, 0 to 1, says how near to it the latency lies.
    pub(super) fn judge(&self, rule: &Rule, weight: f64, in_gap: bool) -> Verdict {
        if self.blocked {
            return Verdict::Blocked;
        }
        if self.notional < LEAST_NOTIONAL {
            return Verdict::BelowMinimum;
        }
        if in_gap {
            return Verdict::InGap;
        }
        let (Some(early), Some(late), Some(exit), Some(entry)) =
            (self.early, self.late, self.exit, self.entry)
        else {
            return Verdict::Unseen;
        };
        let wanted = self.wanted.units().max(1) as f64;
        let share = |sz: Sz| (sz.units() as f64 / wanted).clamp(0.0, 1.0);
        let fill = share(late) + weight * (share(early) - share(late));
        let Some(exit) = exit else {
            let missed = Trip { fill: 0.0, net_bps: 0.0, usd: 0.0 };
            return if fill > 0.0 { Verdict::NoExit } else { Verdict::Valued(missed) };
        };
        let (entry, exit) = (entry.units() as f64 / 1e8, exit.units() as f64 / 1e8);
        let slippage_bps = rule.slippage_bps;
        let charged = Charged { slippage_bps, fee_sides: FEE_SIDES.into() };
        let fee = rule.fee_bps.unwrap_or_else(|| charged.fee_bps(self.cost_bps));
        let net_bps = net_bps(self.side, entry, exit, fee, rule.priority_bps);
        let usd = fill * (wanted / 1e8) * entry * net_bps / 1e4;
        Verdict::Valued(Trip { fill, net_bps, usd })
    }
}

impl Trip {
    /// What the signal was worth for what it suggested, bps: a miss is zero.
    pub(super) fn value_bps(&self) -> f64 {
        self.fill * self.net_bps
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::types::ids::{AssetId, Coin, CrossId, SignalId};
    use crate::types::market::Level;
    use crate::types::num::{Bps, Ratio, Usd};
    use crate::types::record::{Filter, Gate, Mode};
    use crate::types::time::{Nanos, VenueMs, Wall};

    fn level(px: &str, sz: &str) -> Option<Level> {
        Some(Level {
            px: Px::parse(px.as_bytes()).expect("a price"),
            sz: Sz::parse(sz.as_bytes()).expect("a size"),
        })
    }

    fn rule() -> Rule {
        Rule {
            probes: (400, 400),
            latency_ms: 400,
            exit_ms: 3000,
            fee_bps: Some(1.0),
            slippage_bps: 2.0,
            priority_bps: 0.0,
        }
    }

    /// Buys 2 at 100, or sells 2 at 100.
    pub(in crate::command::replay) fn signal(side: Side) -> SignalRow {
        SignalRow {
            id: SignalId(1),
            detected_at: Wall(0),
            coin: Coin::new("xyz:A").expect("a name"),
            asset: AssetId(1),
            side,
            oracle_px: Px::from_units(10_000_000_000),
            mark_px: None,
            bid: level("100", "5"),
            ask: level("100", "5"),
            raw_edge: Bps::from_int(10),
            net_edge: Bps::from_int(2),
            cost: Bps::from_int(9),
            suggested_sz: Sz::from_units(200_000_000),
            suggested_notional: Usd::from_units(200_000_000),
            size_factor: Ratio::ONE,
            spread: None,
            spread_ewma: None,
            bbo_age: Nanos::ZERO,
            ctx_age: Nanos::ZERO,
            bbo_time: VenueMs(0),
            cross: CrossId(1),
            cross_age: Nanos::ZERO,
            blocked_by: None,
            gate_mask: 0,
            decision: Decision::Observed,
            limited_by: None,
            mode: Mode::Observation,
        }
    }

    fn look(latency_ms: u32, fillable: &str, status: SampleStatus) -> EntryRow {
        EntryRow {
            signal: SignalId(1),
            coin: Coin::new("xyz:A").expect("a name"),
            side: Side::Buy,
            signal_at: Wall(0),
            latency_ms,
            captured_at: Wall(0),
            limit_px: Px::from_units(10_000_000_000),
            px: None,
            available_sz: None,
            fillable_sz: Sz::parse(fillable.as_bytes()),
            oracle_px: None,
            status,
        }
    }

    fn follow_up(bid: Option<Level>, ask: Option<Level>, status: SampleStatus) -> FollowUpRow {
        FollowUpRow {
            signal: SignalId(1),
            coin: Coin::new("xyz:A").expect("a name"),
            side: Side::Buy,
            signal_at: Wall(0),
            offset_ms: 3000,
            captured_at: Wall(0),
            oracle_px: None,
            bid,
            ask,
            raw_edge: None,
            edge_change: None,
            oracle_moved: None,
            market_moved: None,
            markout: None,
            bbo_age: None,
            status,
        }
    }

    fn judged(rule: &Rule, signal: &SignalRow, looks: &[EntryRow], exit: &FollowUpRow) -> Verdict {
        let mut kept = Looks::of(rule, signal);
        looks.iter().for_each(|row| kept.entry(rule, row));
        kept.follow_up(rule, exit);
        kept.judge(rule, 0.25, false)
    }

    #[track_caller]
    fn assert_trip(verdict: Verdict, fill: f64, net_bps: f64, usd: f64) {
        let Verdict::Valued(trip) = verdict else { panic!("{verdict:?}") };
        for (one, other) in [(trip.fill, fill), (trip.net_bps, net_bps), (trip.usd, usd)] {
            assert!((one - other).abs() < 1e-9, "{trip:?}");
        }
    }

    const SEEN: SampleStatus = SampleStatus::Captured;

    #[test]
    fn a_round_trip_pays_both_spreads_and_both_fees() {
        let whole = [look(400, "2", SEEN)];
        let exit = follow_up(level("101", "1"), level("102", "1"), SEEN);
        // 1 % less a fee of 1 bps on 100 and on 101.
        let buy = judged(&rule(), &signal(Side::Buy), &whole, &exit);
        assert_trip(buy, 1.0, 100.0 - 2.01, 200.0 * (100.0 - 2.01) / 1e4);
        let sell = judged(&rule(), &signal(Side::Sell), &whole, &exit);
        assert_trip(sell, 1.0, -200.0 - 2.02, 200.0 * (-200.0 - 2.02) / 1e4);
        let dear = Rule { priority_bps: 3.0, fee_bps: None, ..rule() };
        // The signal's own fee: half of 10 − 2 − 2.
        let own = judged(&dear, &signal(Side::Buy), &whole, &exit);
        assert_trip(own, 1.0, 100.0 - 3.0 * 2.01 - 3.0, 200.0 * (97.0 - 3.0 * 2.01) / 1e4);
    }

    #[test]
    fn what_was_gone_fills_in_part_or_not_and_between_probes_by_weight() {
        let exit = follow_up(level("101", "1"), None, SEEN);
        let buy = signal(Side::Buy);
        let half = judged(&rule(), &buy, &[look(400, "1", SEEN)], &exit);
        assert_trip(half, 0.5, 97.99, 0.5 * 200.0 * 97.99 / 1e4);
        let none = judged(&rule(), &buy, &[look(400, "0", SEEN)], &exit);
        assert_trip(none, 0.0, 97.99, 0.0);
        let between = Rule { probes: (200, 400), latency_ms: 300, ..rule() };
        let looks = [look(200, "2", SEEN), look(400, "1", SEEN)];
        assert_trip(judged(&between, &buy, &looks, &exit), 0.625, 97.99, 0.0125 * 97.99);
        let at_once = Rule { probes: (0, 0), latency_ms: 0, ..rule() };
        assert_trip(judged(&at_once, &buy, &[], &exit), 1.0, 97.99, 200.0 * 97.99 / 1e4);
    }

    #[test]
    fn what_cannot_be_valued_says_why_in_this_order() {
        let exit = follow_up(level("101", "1"), None, SEEN);
        let whole = [look(400, "2", SEEN)];
        let buy = signal(Side::Buy);
        let blocked = SignalRow {
            decision: Decision::Blocked(Gate::Halt),
            suggested_notional: Usd::ZERO,
            ..buy
        };
        assert_eq!(judged(&rule(), &blocked, &whole, &exit), Verdict::Blocked);
        let filtered = SignalRow { decision: Decision::Filtered(Filter::MaxEdge), ..buy };
        assert_eq!(judged(&rule(), &filtered, &whole, &exit), Verdict::Blocked);
        let small = SignalRow { suggested_notional: Usd::from_units(9_999_999), ..buy };
        let kept = Looks::of(&rule(), &small);
        assert_eq!(kept.judge(&rule(), 0.0, true), Verdict::BelowMinimum);
        assert_eq!(Looks::of(&rule(), &buy).judge(&rule(), 0.0, true), Verdict::InGap);
        let stale = [look(400, "2", SampleStatus::Stale)];
        assert_eq!(judged(&rule(), &buy, &stale, &exit), Verdict::Unseen);
        assert_eq!(judged(&rule(), &buy, &[], &exit), Verdict::Unseen);
        let unseen = follow_up(level("101", "1"), None, SampleStatus::Disconnected);
        assert_eq!(judged(&rule(), &buy, &whole, &unseen), Verdict::Unseen);
        let nothing = follow_up(None, level("101", "1"), SEEN);
        assert_eq!(judged(&rule(), &buy, &whole, &nothing), Verdict::NoExit);
        assert_trip(judged(&rule(), &buy, &[look(400, "0", SEEN)], &nothing), 0.0, 0.0, 0.0);
    }

    #[test]
    fn a_latency_lies_between_its_probes_and_none_beyond_the_last() {
        let taken = [50, 200, 400, 900];
        for (latency, probes) in [
            (0, Some((0, 0))),
            (20, Some((0, 50))),
            (400, Some((400, 400))),
            (899, Some((400, 900))),
            (901, None),
        ] {
            assert_eq!(Rule::probes(&taken, latency), probes, "{latency}");
        }
    }
}
