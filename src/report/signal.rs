//! The rows as a report needs them: a signal, and the looks that came after it.

use crate::types::num::Side;
use crate::types::record::{FOLLOW_UP_MS, Gate};
use crate::types::time::Wall;

/// Follow-ups of a signal.
pub const EXITS: usize = FOLLOW_UP_MS.len();

/// A signal. Prices are in units of 1e-8 USD, sizes in units of 1e-8.
#[derive(Clone, Copy, Debug)]
pub struct Signal {
    /// Its number.
    pub id: u64,
    /// When it was found.
    pub at: Wall,
    /// Its market, as the day's dictionary numbers it.
    pub market: u32,
    /// The side that would be taken.
    pub side: Side,
    /// Oracle price.
    pub oracle: i64,
    /// The touched price, at which an order would be sent; `None` where nothing stood.
    pub limit: Option<i64>,
    /// The size to take.
    pub sz: i64,
    /// Its value, in units of 1e-8 USD.
    pub notional: i64,
    /// Distance of the touched price to the oracle.
    pub raw_bps: f64,
    /// The same less fee and slippage.
    pub net_bps: f64,
    /// What lies between the two.
    pub charged: Charged,
    /// The cross it belongs to.
    pub cross: u64,
    /// How long that had lasted, in milliseconds.
    pub cross_age_ms: i64,
    /// The first gate that blocked.
    pub blocked_by: Option<Gate>,
    /// All that would have.
    pub gate_mask: u8,
    /// Whether an entry filter blocked it, after all gates had passed.
    pub filtered: bool,
}

impl Signal {
    /// Taker fee in bps, one way.
    pub fn fee_bps(&self, given: Option<f64>) -> f64 {
        given.unwrap_or_else(|| self.charged.fee_bps(self.raw_bps - self.net_bps))
    }
}

/// What the net edge of a signal leaves out of its raw edge: it is the run's that found the signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Charged {
    /// Slippage, in bps.
    pub slippage_bps: f64,
    /// How many times the taker fee: once in records of old, else on the way in and on the way out.
    pub fee_sides: f64,
}

impl Charged {
    /// Taker fee in bps, one way: what lies between a signal's two edges beside slippage, by the number
    /// of times it is in there.
    pub fn fee_bps(&self, between_edges_bps: f64) -> f64 {
        (between_edges_bps - self.slippage_bps).max(0.0) / self.fee_sides
    }
}

/// The market some seconds after a signal, from the side on which a position is left.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    /// Price in units of 1e-8 USD; zero when nothing stands there.
    pub px: i64,
    /// What stands there, in units of 1e-8.
    pub sz: i64,
    /// Edge on the signal's side then; not a number when it is not known.
    pub raw_bps: f64,
    /// Whether anything was seen.
    pub seen: bool,
}

impl Exit {
    /// A look that was not taken, or saw nothing.
    pub const UNSEEN: Self = Self { px: 0, sz: 0, raw_bps: f64::NAN, seen: false };
}

/// Everything that was seen after a signal.
#[derive(Clone, Copy, Debug)]
pub struct After<'a> {
    /// At each of [`FOLLOW_UP_MS`].
    pub exits: [Exit; EXITS],
    /// What stood at the limit or better, in units of 1e-8, at each probed latency; below zero when that
    /// was not seen.
    pub fillable: &'a [i64],
}

/// Stands for a size that was not seen.
pub const UNSEEN_SZ: i64 = -1;

/// A cross at its end.
#[derive(Clone, Copy, Debug)]
pub struct Cross {
    /// Its number.
    pub id: u64,
    /// The side that would be taken.
    pub side: Side,
    /// How long it lasted, in microseconds.
    pub duration_us: u64,
    /// How long its first quote stood; `None` when its end was not seen.
    pub quote_survival_us: Option<u64>,
    /// Whether an end of its own was seen: it was neither cut off nor lost.
    pub ended: bool,
}
