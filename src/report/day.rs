//! A day's rows, joined: each signal with the looks that came after it.
//!
//! Signals come first, then [`Day::seal`], then the looks, in any order. A look of a signal that is
//! not there is dropped: it belongs to a time that was not asked for.

use crate::report::signal::{After, EXITS, Exit, Signal, UNSEEN_SZ};
use crate::types::num::Side;
use crate::types::record::FOLLOW_UP_MS;

/// A follow-up, as it lies in its file. Prices are in units of 1e-8 USD.
#[derive(Clone, Copy, Debug)]
pub struct FollowUp {
    /// The signal.
    pub signal: u64,
    /// Which follow-up.
    pub offset_ms: i64,
    /// Best bid and its size, in units of 1e-8; `None` where nothing stood.
    pub bid: Option<(i64, i64)>,
    /// Best ask.
    pub ask: Option<(i64, i64)>,
    /// Edge on the signal's side; not a number when it is not known.
    pub raw_bps: f64,
    /// Whether the market's live state was seen.
    pub captured: bool,
}

/// An entry probe, as it lies in its file.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The signal.
    pub signal: u64,
    /// The latency probed.
    pub latency_ms: i64,
    /// What stood at the limit or better, up to the suggested size, in units of 1e-8; `None` when that was
    /// not seen.
    pub fillable: Option<i64>,
}

/// The signals of a day, and what came after them.
#[derive(Clone, Debug)]
pub struct Day {
    latencies_ms: Vec<u32>,
    /// By number, once sealed.
    signals: Vec<Signal>,
    exits: Vec<[Exit; EXITS]>,
    /// A row a signal, a column a latency.
    fillable: Vec<i64>,
    /// Where the last look of each kind was found: the next one lies behind it.
    hints: Vec<usize>,
}

impl Day {
    /// None yet, with these probes.
    pub fn new(latencies_ms: &[u32]) -> Self {
        Self {
            latencies_ms: latencies_ms.to_vec(),
            signals: Vec::new(),
            exits: Vec::new(),
            fillable: Vec::new(),
            hints: vec![0; EXITS + latencies_ms.len()],
        }
    }

    /// Adds a signal.
    pub fn push(&mut self, signal: Signal) {
        self.signals.push(signal);
    }

    /// All signals are there: looks can be joined.
    pub fn seal(&mut self) {
        self.signals.sort_by_key(|signal| signal.id);
        self.exits = vec![[Exit::UNSEEN; EXITS]; self.signals.len()];
        self.fillable = vec![UNSEEN_SZ; self.signals.len() * self.latencies_ms.len()];
    }

    /// Joins a follow-up.
    pub fn follow_up(&mut self, look: &FollowUp) {
        let offset = FOLLOW_UP_MS.iter().position(|ms| i64::from(*ms) == look.offset_ms);
        let Some(offset) = offset.filter(|_| look.captured) else { return };
        let Some(at) = self.find(look.signal, offset) else { return };
        let side = self.signals.get(at).map(|signal| signal.side);
        // What was bought is sold at the bid.
        let stood = match side {
            Some(Side::Buy) => look.bid,
            Some(Side::Sell) | None => look.ask,
        };
        if let Some(exit) = self.exits.get_mut(at).and_then(|exits| exits.get_mut(offset)) {
            let (px, sz) = stood.unwrap_or((0, 0));
            *exit = Exit { px, sz, raw_bps: look.raw_bps, seen: true };
        }
    }

    /// Joins an entry probe.
    pub fn entry(&mut self, look: &Entry) {
        let latency = self.latencies_ms.iter().position(|ms| i64::from(*ms) == look.latency_ms);
        let (Some(latency), Some(sz)) = (latency, look.fillable) else { return };
        let Some(at) = self.find(look.signal, EXITS + latency) else { return };
        let place = at * self.latencies_ms.len() + latency;
        if let Some(fillable) = self.fillable.get_mut(place) {
            *fillable = sz.max(0);
        }
    }

    /// Where the signal of that number is.
    fn find(&mut self, id: u64, kind: usize) -> Option<usize> {
        let hint = self.hints.get_mut(kind)?;
        let is = |at: usize| self.signals.get(at).is_some_and(|signal| signal.id == id);
        let at = match *hint {
            at if is(at + 1) => at + 1,
            at if is(at) => at,
            _ => self.signals.binary_search_by_key(&id, |signal| signal.id).ok()?,
        };
        *hint = at;
        Some(at)
    }

    /// Every market's signals in the order of time, with what came after them.
    pub fn by_market(&self) -> impl Iterator<Item = (&Signal, After<'_>)> {
        let mut order: Vec<u32> = (0..self.signals.len()).map(|at| at as u32).collect();
        let key = |at: &u32| {
            self.signals.get(*at as usize).map(|signal| (signal.market, signal.at, signal.id))
        };
        order.sort_unstable_by_key(key);
        order.into_iter().filter_map(move |at| {
            let at = at as usize;
            let from = at * self.latencies_ms.len();
            let fillable = self.fillable.get(from..from + self.latencies_ms.len())?;
            Some((self.signals.get(at)?, After { exits: *self.exits.get(at)?, fillable }))
        })
    }
}
