//! What trading did, beside what the records expected of it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::edge::nearest_rank;
use crate::report::signal::Signal;
use crate::report::trip::{Left, Trip};
use crate::report::{Settings, known, ratio};
use crate::types::num::Side;
use crate::types::record::Outcome;

/// Upper ends of the buckets of latencies, in milliseconds; the last has none.
const BUCKETS_MS: [u32; 4] = [100, 200, 400, 900];

/// A signal that was traded on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taken {
    /// Taker fee in bps, one way.
    pub fee_bps: f64,
    /// What a fill earns at the exit asked for, in bps of the entry; `None` when the signal has no value.
    pub net_bps: Option<f64>,
    /// The touched price, in units of 1e-8 USD.
    pub touched: i64,
}

impl Taken {
    /// What is known of a signal.
    pub fn of(signal: &Signal, trip: Result<Trip, Left>, settings: &Settings) -> Self {
        Self {
            fee_bps: signal.fee_bps(settings.fee_bps),
            net_bps: trip.ok().and_then(|trip| known(trip.net_bps)),
            touched: signal.limit.unwrap_or_default(),
        }
    }
}

/// An entry at its end.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryOrder {
    /// The signal it took.
    pub signal: u64,
    /// Side of the order.
    pub side: Side,
    /// Its size.
    pub sz: f64,
    /// How it ended.
    pub outcome: String,
    /// Why it was refused, if it was.
    pub refusal: Option<String>,
    /// How much of it filled.
    pub filled: f64,
    /// Mean price of that.
    pub avg_px: Option<f64>,
    /// Fee of that, in USD.
    pub fee: f64,
    /// Whether it was handed to the socket.
    pub sent: bool,
    /// From the socket to the answer, in milliseconds.
    pub answer_ms: Option<f64>,
}

/// A round trip that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct TradeMade {
    /// The signal it took.
    pub signal: Option<u64>,
    /// How much was held, in units of 1e-8.
    pub sz: i64,
    /// Profit before fees, in USD.
    pub gross: f64,
    /// Fees both ways.
    pub fees: f64,
    /// Profit after fees.
    pub net: f64,
    /// Why it was closed.
    pub exit: String,
    /// How long it was held, in milliseconds.
    pub holding_ms: f64,
}

/// Answers to entries that ended alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answers {
    /// How they ended.
    pub outcome: String,
    /// How many were answered.
    pub n: u64,
    /// Half of the answers took longer, in milliseconds.
    pub p50: Option<f64>,
    /// A tenth.
    pub p90: Option<f64>,
    /// A hundredth.
    pub p99: Option<f64>,
}

/// Entries that were answered about as fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bucket {
    /// Faster than this; `None`: slower than all of the others.
    pub below_ms: Option<u32>,
    /// Number of entries.
    pub n: u64,
    /// Mean part of the size that filled.
    pub fill_rate: Option<f64>,
}

/// Entries.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Entries {
    /// Handed to the socket.
    pub sent: u64,
    /// Filled whole.
    pub filled: u64,
    /// Filled in part.
    pub partially_filled: u64,
    /// How they ended.
    pub outcomes: BTreeMap<String, u64>,
    /// Why they were refused.
    pub refusals: BTreeMap<String, u64>,
    /// Mean price paid beyond the one that the signal touched, in bps; worse is positive.
    pub slippage_bps: Option<f64>,
    /// By how they ended.
    pub answer_ms: Vec<Answers>,
    /// By how fast the answer came.
    pub fill_rate_by_latency: Vec<Bucket>,
}

/// Fees of entries against what the records expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Fees {
    /// Paid, in USD.
    pub paid: f64,
    /// Expected.
    pub expected: f64,
    /// Paid by expected.
    pub ratio: Option<f64>,
}

/// Round trips.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Trades {
    /// Number of round trips.
    pub n: u64,
    /// Those that earned after fees.
    pub wins: u64,
    /// Profit before fees, in USD.
    pub usd_before_fees: f64,
    /// Fees both ways.
    pub fees: f64,
    /// Profit after fees.
    pub usd: f64,
    /// Why they were closed.
    pub exits: BTreeMap<String, u64>,
    /// Half were held longer.
    pub holding_ms_p50: Option<f64>,
}

/// Round trips whose signal has a value, against it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Expected {
    /// Number of round trips.
    pub n: u64,
    /// What the records say that these fills earn, left at the exit asked for, in USD.
    pub expected_usd: f64,
    /// What they earned.
    pub realised_usd: f64,
    /// Mean of what they earned beyond what was expected.
    pub mean_difference_usd: Option<f64>,
}

/// What a run that traded shows beside its signals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trading {
    /// Entries.
    pub entries: Entries,
    /// Their fees.
    pub fees: Fees,
    /// Round trips.
    pub trades: Trades,
    /// Against their signals.
    pub expected: Expected,
}

impl Trading {
    /// Of these entries and round trips; `None` when there are none.
    pub fn of(
        entries: &[EntryOrder],
        trades: &[TradeMade],
        taken: &BTreeMap<u64, Taken>,
    ) -> Option<Self> {
        (!entries.is_empty() || !trades.is_empty()).then(|| Self {
            entries: Entries::of(entries, taken),
            fees: Fees::of(entries, taken),
            trades: Trades::of(trades),
            expected: Expected::of(trades, taken),
        })
    }
}

impl Entries {
    fn of(all: &[EntryOrder], taken: &BTreeMap<u64, Taken>) -> Self {
        let mut entries = Self::default();
        let mut slips = Vec::new();
        let mut answers: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut buckets = [(0_u64, 0.0); BUCKETS_MS.len() + 1];
        for one in all {
            entries.sent += u64::from(one.sent);
            entries.filled += u64::from(one.outcome == Outcome::Filled.name());
            entries.partially_filled += u64::from(one.outcome == Outcome::PartiallyFilled.name());
            *entries.outcomes.entry(one.outcome.clone()).or_insert(0) += 1;
            if let Some(refusal) = &one.refusal {
                *entries.refusals.entry(refusal.clone()).or_insert(0) += 1;
            }
            let touched = taken.get(&one.signal).map(|signal| signal.touched as f64 / 1e8);
            if let (Some(paid), Some(px)) = (one.avg_px, touched.filter(|px| *px > 0.0)) {
                let worse = match one.side {
                    Side::Buy => paid - px,
                    Side::Sell => px - paid,
                };
                slips.push(1e4 * worse / px);
            }
            let Some(ms) = one.answer_ms else { continue };
            answers.entry(&one.outcome).or_default().push(ms);
            let bucket = BUCKETS_MS.iter().position(|end| ms < f64::from(*end));
            if let Some((n, fill)) = buckets.get_mut(bucket.unwrap_or(BUCKETS_MS.len()))
                && let Some(share) = ratio(one.filled, one.sz)
            {
                *n += 1;
                *fill += share;
            }
        }
        entries.slippage_bps = ratio(slips.iter().sum(), slips.len() as f64);
        entries.answer_ms = answers
            .into_iter()
            .map(|(outcome, mut all)| {
                let n = all.len() as u64;
                let mut at = |percent| nearest_rank(&mut all, percent);
                Answers { outcome: outcome.to_owned(), n, p50: at(50), p90: at(90), p99: at(99) }
            })
            .collect();
        let ends = BUCKETS_MS.iter().copied().map(Some).chain([None]);
        entries.fill_rate_by_latency = ends
            .zip(buckets)
            .map(|(below_ms, (n, fill))| Bucket { below_ms, n, fill_rate: ratio(fill, n as f64) })
            .collect();
        entries
    }
}

impl Fees {
    fn of(all: &[EntryOrder], taken: &BTreeMap<u64, Taken>) -> Self {
        let (mut paid, mut expected) = (0.0, 0.0);
        for one in all {
            if let (Some(signal), Some(px)) = (taken.get(&one.signal), one.avg_px) {
                paid += one.fee;
                expected += one.filled * px * signal.fee_bps / 1e4;
            }
        }
        Self { paid, expected, ratio: ratio(paid, expected) }
    }
}

impl Trades {
    fn of(all: &[TradeMade]) -> Self {
        let mut trades = Self::default();
        for one in all {
            trades.n += 1;
            trades.wins += u64::from(one.net > 0.0);
            trades.usd_before_fees += one.gross;
            trades.fees += one.fees;
            trades.usd += one.net;
            *trades.exits.entry(one.exit.clone()).or_insert(0) += 1;
        }
        let mut held: Vec<f64> = all.iter().map(|one| one.holding_ms).collect();
        trades.holding_ms_p50 = nearest_rank(&mut held, 50);
        trades
    }
}

impl Expected {
    fn of(all: &[TradeMade], taken: &BTreeMap<u64, Taken>) -> Self {
        let mut expected = Self::default();
        for one in all {
            let Some(signal) = one.signal.and_then(|signal| taken.get(&signal)) else { continue };
            let Some(net_bps) = signal.net_bps else { continue };
            let held_usd = one.sz as f64 / 1e8 * (signal.touched as f64 / 1e8);
            expected.n += 1;
            expected.expected_usd += net_bps * held_usd / 1e4;
            expected.realised_usd += one.net;
        }
        let beyond = expected.realised_usd - expected.expected_usd;
        expected.mean_difference_usd = ratio(beyond, expected.n as f64);
        expected
    }
}
