//! The stages of an order's way through this machine, and how they are stamped.
//!
//! Stamps are counts of a clock that only their reader knows. The engine writes them and never
//! reads them: what it does does not depend on how long it took.

use crate::types::time::Nanos;

/// A stage whose length is measured.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Stage {
    /// From a market data frame to its fields.
    Parse,
    /// From its fields to what becomes of them: gates, edges, checks.
    Decide,
    /// Packing, hashing and signing an action with orders.
    Sign,
    /// Framing it and handing it to the socket, write call included.
    Send,
    /// From the last byte of the frame that caused an order to the return of the write call.
    TickToOrder,
    /// From pushing a row into the ring to taking it out.
    RingLag,
    /// From the write of an order to the answer of its post.
    OrderRtt,
    /// A turn of the loop that handled something, sleep not counted.
    Turn,
}

impl Stage {
    /// All of them, in the order of the way.
    pub const ALL: [Stage; 8] = [
        Stage::Parse,
        Stage::Decide,
        Stage::Sign,
        Stage::Send,
        Stage::TickToOrder,
        Stage::RingLag,
        Stage::OrderRtt,
        Stage::Turn,
    ];

    /// As logs, pages and tags write it.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Parse => "parse",
            Stage::Decide => "decide",
            Stage::Sign => "sign",
            Stage::Send => "send",
            Stage::TickToOrder => "tick_to_order",
            Stage::RingLag => "ring_lag",
            Stage::OrderRtt => "order_rtt",
            Stage::Turn => "turn",
        }
    }

    /// The stage of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// Reads a counter that only goes up.
pub type TscTicks = fn() -> u64;

/// A moment within the handling of one event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Timestamp {
    /// A frame of market data is understood.
    Parsed,
    /// What follows from it is decided.
    Decided,
    /// An action with orders is about to be packed and signed.
    SignBegan,
    /// The action is signed.
    Signed,
}

/// The stamps of one event; zero is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stopwatch {
    ticks: Option<TscTicks>,
    marks: [u64; 4],
    /// How long the answer to orders took that this event brought.
    answered: Option<Nanos>,
}

impl Stopwatch {
    /// One that stamps by this counter. The default stamps nothing.
    pub fn new(ticks: TscTicks) -> Self {
        Self { ticks: Some(ticks), ..Self::default() }
    }

    /// Stamps a moment. Of several of a kind the last one stays.
    pub fn mark(&mut self, mark: Timestamp) {
        if let Some(ticks) = self.ticks {
            self.marks[mark as usize] = ticks();
        }
    }

    /// When that was, if it was.
    pub fn at(&self, mark: Timestamp) -> Option<u64> {
        Some(self.marks[mark as usize]).filter(|at| *at != 0)
    }

    /// Orders were answered, so long after they left.
    pub fn answered(&mut self, after: Nanos) {
        self.answered = Some(after);
    }

    /// How long that took, if any were.
    pub fn answer(&self) -> Option<Nanos> {
        self.answered
    }

    /// Forgets the stamps.
    pub fn reset(&mut self) {
        self.marks = [0; 4];
        self.answered = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_found_by_name() {
        for stage in Stage::ALL {
            assert_eq!(Stage::named(stage.name()), Some(stage));
        }
        assert_eq!(Stage::named("parse "), None);
    }

    #[test]
    fn a_stopwatch_without_a_counter_stamps_nothing() {
        let mut watch = Stopwatch::default();
        watch.mark(Timestamp::Parsed);
        assert_eq!(watch.at(Timestamp::Parsed), None);
        let mut watch = Stopwatch::new(|| 7);
        watch.mark(Timestamp::Signed);
        assert_eq!((watch.at(Timestamp::Signed), watch.at(Timestamp::Parsed)), (Some(7), None));
        watch.answered(Nanos(9));
        assert_eq!(watch.answer(), Some(Nanos(9)));
        watch.reset();
        assert_eq!((watch.at(Timestamp::Signed), watch.answer()), (None, None));
    }
}
