//! One open socket: what it is subscribed to, and what is due on it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::types::time::{Mono, Nanos};
use crate::venue::dice::Dice;
use crate::venue::surface::request::Sub;
use crate::venue::{ConnId, Limits};

const MINUTE: Nanos = Nanos::from_secs(60);

/// What a clock of a connection sends together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cadence {
    SlowBook,
    FastBook,
    Mids,
    Ctxs,
    AllCtxs,
    /// Whole states of accounts, which move with the mark.
    Accounts,
}

impl Cadence {
    pub(super) const ALL: [Self; 6] =
        [Self::SlowBook, Self::FastBook, Self::Mids, Self::Ctxs, Self::AllCtxs, Self::Accounts];

    pub(super) fn of(sub: &Sub) -> Option<Self> {
        match sub {
            Sub::L2Book { fast: false, .. } => Some(Self::SlowBook),
            Sub::L2Book { fast: true, .. } => Some(Self::FastBook),
            Sub::AllMids(_) => Some(Self::Mids),
            Sub::AssetCtxs(_) => Some(Self::Ctxs),
            Sub::AllDexsAssetCtxs => Some(Self::AllCtxs),
            Sub::User { kind, .. } if kind.is_state() => Some(Self::Accounts),
            Sub::Bbo(_) | Sub::Ctx(_) | Sub::Trades(_) | Sub::User { .. } => None,
        }
    }

    /// Time to the next turn (PROTOCOL.md §2.5; that of `assetCtxs` is not known).
    pub(super) fn pause(self, dice: &mut Dice) -> Nanos {
        let (low, high) = match self {
            Self::SlowBook => (5_000, 5_600),
            Self::FastBook => (470, 660),
            Self::Mids | Self::Ctxs | Self::Accounts => (5_000, 5_000),
            Self::AllCtxs => (13_600, 13_600),
        };
        Nanos::from_millis(dice.range(low, high).unsigned_abs())
    }
}

/// One open socket.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) id: ConnId,
    /// Sorted.
    pub(super) subs: Vec<Sub>,
    /// When something was last sent; the idle rule counts the server's sends alone.
    pub(super) sent_at: Mono,
    /// When it will be dropped without a close frame.
    pub(super) drop_at: Mono,
    /// When it will be closed with code 1000.
    pub(super) expire_at: Mono,
    /// From when on it is half-open.
    pub(super) stall_at: Mono,
    /// Whether that was counted.
    pub(super) stalled: bool,
    /// Until when its frames wait.
    pub(super) held_until: Mono,
    pub(super) held: VecDeque<Arc<str>>,
    /// Frames that wait alone.
    pub(super) late: Vec<(Mono, Arc<str>)>,
    /// Frames of a feed that is late, each with when it goes out.
    pub(super) behind: VecDeque<(Mono, Arc<str>)>,
    /// Next turn of each [`Cadence`].
    pub(super) clocks: [Mono; 6],
}

impl Connection {
    pub(super) fn next_deadline(&self, limits: &Limits) -> Mono {
        let idle = self.sent_at.plus(limits.idle_close);
        let held = if self.held.is_empty() { Mono::MAX } else { self.held_until };
        let late = self.late.iter().map(|(at, _)| *at).min().unwrap_or(Mono::MAX);
        let behind = self.behind.front().map_or(Mono::MAX, |(at, _)| *at);
        let clock = self.clocks.iter().copied().min().unwrap_or(Mono::MAX);
        [idle, self.drop_at, self.expire_at, held, late, behind, clock]
            .into_iter()
            .min()
            .unwrap_or(Mono::MAX)
    }
}

/// Weights spent within the last minute.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    spent: VecDeque<(Mono, u32)>,
    sum: u32,
}

impl Window {
    /// Spends `weight` if the minute's `limit` allows it.
    pub(super) fn spend(&mut self, now: Mono, weight: u32, limit: u32) -> bool {
        while let Some((_, old)) = self.spent.front().filter(|(at, _)| now.since(*at) >= MINUTE) {
            self.sum = self.sum.saturating_sub(*old);
            self.spent.pop_front();
        }
        if self.sum.saturating_add(weight) > limit {
            return false;
        }
        self.charge(now, weight);
        true
    }

    /// Spends `weight`, whatever is left.
    pub(super) fn charge(&mut self, now: Mono, weight: u32) {
        self.sum = self.sum.saturating_add(weight);
        self.spent.push_back((now, weight));
    }
}
