//! The last minutes of a market, a point a second: what a chart is drawn of.

use std::collections::VecDeque;

use crate::types::num::Px;
use crate::types::snapshot::MarketSnapshot;
use crate::types::time::{Mono, Nanos, Now, Wall};

/// One point.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Point {
    /// When it was seen.
    pub(super) at: Wall,
    /// Best bid.
    pub(super) bid: Option<Px>,
    /// Best ask.
    pub(super) ask: Option<Px>,
    /// Oracle price.
    pub(super) oracle: Option<Px>,
}

/// The points of one market, oldest first, at most ten minutes of them.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    points: VecDeque<Point>,
    due: Mono,
}

impl History {
    /// From point to point.
    pub(super) const STEP: Nanos = Nanos::from_secs(1);
    const MOST: usize = 600;

    /// Keeps what is seen now, if a point is due.
    pub(super) fn see(&mut self, now: Now, snapshot: &MarketSnapshot) {
        if now.mono < self.due {
            return;
        }
        // Every second on the second, though snapshots come when they come.
        let next = self.due.plus(Self::STEP);
        self.due = if next > now.mono { next } else { now.mono.plus(Self::STEP) };
        if self.points.len() == Self::MOST {
            self.points.pop_front();
        }
        self.points.push_back(Point {
            at: now.wall,
            bid: snapshot.bid.map(|level| level.px),
            ask: snapshot.ask.map(|level| level.px),
            oracle: snapshot.oracle,
        });
    }

    /// All of them, oldest first.
    pub(super) fn points(&self) -> impl Iterator<Item = &Point> {
        self.points.iter()
    }
}
