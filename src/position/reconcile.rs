//! Whether the venue holds what we think we hold: compared by difference, never replaced.
//!
//! A reading is one witness. It may be older than our last fill, from a node that lags, or empty
//! though the account is not (PROTOCOL.md §4.3). So it must repeat itself before it is believed over
//! our fills, and what it is believed for is the difference alone.
//!
//! Orders are the other evidence: what was answered as filled, or may have filled, and is told by no
//! fill row ([`Outstanding`]). A reading whose state is older than that concludes nothing. One that is
//! newer accounts for it, if the position that it shows is one that the orders allow; if it denies a
//! fill that was answered, somebody is wrong about what is ours, and nothing more may be opened.

use crate::types::account::{AccountMode, AccountState, DexAccount, HeldPosition};
use crate::types::ids::{Coin, MarketId};
use crate::types::num::Szi;
use crate::types::order::Fill;
use crate::types::order::Outstanding;
use crate::types::time::{Mono, Nanos, VenueMs};

/// Readings in a row that must differ from us, with no fill between them, to overrule us.
pub const MISMATCH_READS: u32 = 3;

/// Readings in a row that must find a market flat.
const FLAT_READS: u32 = 2;

/// The same where a dex on which nothing is held shows nothing but zeros: as a funded account does
/// now and then as well.
const EMPTY_FLAT_READS: u32 = 3;

/// A dex that had a value shows nothing but zeros in so many readings in a row, over so long: then its
/// balance is gone, and what we think to hold there as well.
const ZERO_READS: u32 = 5;
const ZERO_MS: i64 = 60_000;

/// A reading that differs counts against us only so long after our last fill or claim there: the
/// state it tells may be older than it says.
pub const LAG_MS: i64 = 10_000;

/// Purchases and sales that were answered, cancel out, and have no fill row after so long: no reading
/// of a position can account for them any more.
const ROWS_OVERDUE_MS: i64 = 120_000;

/// After a difference the account is read again this soon.
const SOON: Nanos = Nanos::from_secs(2);

/// What a reading says of one market.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The venue holds what we hold.
    Agrees,
    /// It does not, so often in a row by now; no entries there meanwhile.
    Waiting {
        /// Readings so far.
        reads: u32,
        /// What we hold, announced fills among it.
        ours: Szi,
        /// What the venue holds.
        theirs: Szi,
    },
    /// Nothing is held there by either, and a first reading has to repeat that; no entries meanwhile.
    Unconfirmed,
    /// The state is older than what orders say, or than the feed: nothing follows from it.
    Outdated,
    /// What differs is what orders of ours filled without a row: `extra` on top of what rows tell.
    Explained {
        /// Above zero when bought.
        extra: Szi,
    },
    /// The first reading found this: it is ours from now on.
    Adopt(HeldPosition),
    /// Nothing is held there: found by the first reading, or by several in a row against us.
    Flat,
    /// The difference lasts, or a fill that was answered is denied. HardStop, and the venue's position
    /// is taken over.
    Mismatch {
        /// What we hold, announced fills among it.
        ours: Szi,
        /// What the venue holds.
        theirs: Szi,
        /// The same as it was told; `None` when flat.
        held: Option<HeldPosition>,
    },
}

/// What we hold in a market.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ours {
    /// By the fill rows that we know.
    pub held: Szi,
    /// What orders may add to it, with times of the venue's clock.
    pub outstanding: Outstanding,
}

impl Ours {
    /// With what was answered as filled. What does not fit is no size that is held anywhere: it
    /// differs from all of them.
    fn expected(&self) -> Szi {
        self.held.checked_add(self.outstanding.announced).unwrap_or(Szi::from_units(i64::MAX))
    }

    fn is_none(&self) -> bool {
        self.held.is_flat() && self.outstanding.since.is_none()
    }
}

/// A verdict, of which market, and as of when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Comparison {
    /// The market.
    pub market: MarketId,
    /// Time of the state that was compared: the baseline of what is taken over.
    pub at: VenueMs,
    /// The verdict.
    pub verdict: Verdict,
}

/// Compares readings of the account with what we hold.
#[derive(Clone, Debug)]
pub struct Reconciler {
    resync_interval: Nanos,
    slots: Vec<Slot>,
    dexes: Vec<Dex>,
    next_read: Mono,
    /// Whether a reading of this link left no market unsettled that was listed before.
    synced: bool,
    /// Whether that was ever so: markets listed from then on wait alone.
    ever_synced: bool,
    /// Whether no settled market differs: counted when that may change, since it is asked at every
    /// event.
    agreed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    coin: Coin,
    /// Whether a first reading was taken over.
    settled: bool,
    /// Whether it was listed after the others had been settled, and is not settled itself.
    newcomer: bool,
    /// Block time of the newest fill.
    last_fill: Option<VenueMs>,
    /// Readings in a row that differed; of them, those in a row that found it flat.
    differs: u32,
    flat: u32,
    /// What we held at the last of them.
    ours: Szi,
}

#[derive(Clone, Debug)]
struct Dex {
    name: String,
    /// Time of its newest state.
    newest: Option<VenueMs>,
    /// Whether it has a value or a position, as far as readings show that can be believed.
    funded: bool,
    /// Readings in a row that showed nothing but zeros, and the time of the first.
    zeros: u32,
    zeros_since: Option<VenueMs>,
}

impl Reconciler {
    /// Without markets; the first reading is wanted at once, the others every `resync_interval`.
    pub fn new(resync_interval: Nanos) -> Self {
        let (slots, dexes) = (Vec::new(), Vec::new());
        let (synced, ever_synced, agreed) = (false, false, true);
        Self { resync_interval, slots, dexes, next_read: Mono(0), synced, ever_synced, agreed }
    }

    /// A new market. Markets are added in the order of their ids; one that is there already stays as
    /// it is.
    pub fn add_market(&mut self, id: MarketId, coin: Coin) {
        debug_assert!(id.index() <= self.slots.len(), "ids have no gaps");
        if id.index() == self.slots.len() {
            self.slots.push(Slot {
                coin,
                settled: false,
                newcomer: self.ever_synced,
                last_fill: None,
                differs: 0,
                flat: 0,
                ours: Szi::ZERO,
            });
            // Nothing is known of it: a reading is due.
            self.next_read = Mono(0);
        }
    }

    /// A fill of the account was applied there: what earlier readings said of it is void.
    pub fn on_fill(&mut self, market: MarketId, time: VenueMs) {
        if let Some(slot) = self.slots.get_mut(market.index()) {
            slot.last_fill = Some(slot.last_fill.map_or(time, |last| last.max(time)));
            (slot.differs, slot.flat) = (0, 0);
        }
        self.recount();
    }

    fn recount(&mut self) {
        self.agreed = self.slots.iter().all(|slot| !slot.settled || slot.differs == 0);
    }

    /// Judges a reading against `ours`: what is held by fills, and what orders may add. The fills that
    /// the reading brings must have been applied before. A state of before `fresh_from` (venue time)
    /// is older than the feed allows and concludes nothing. `verdicts` is cleared and gets one entry
    /// for each market that the reading says something of.
    ///
    /// What `Adopt`, `Flat` and `Mismatch` tell is to be given to
    /// [`Positions::adopt`](super::Positions::adopt) with its time; then the reading's fills are
    /// applied once more, since those after that time were not while there was no baseline. What
    /// `Explained` tells is to be applied as the fills of the orders that explain it.
    pub fn judge(
        &mut self,
        now: Mono,
        reading: &AccountState,
        fresh_from: VenueMs,
        ours: impl Fn(MarketId) -> Ours,
        verdicts: &mut Vec<Comparison>,
    ) {
        use Verdict::{Agrees, Outdated, Unconfirmed, Waiting};
        verdicts.clear();
        let (mut open, mut all_judged) = (false, true);
        for state in &reading.dexes {
            let of_dex = |slot: &Slot| dex_of(&slot.coin) == state.dex;
            let mut slots = (0..).map(MarketId).zip(&self.slots);
            let holds = slots.any(|(id, slot)| of_dex(slot) && !ours(id).is_none());
            if state.time >= fresh_from {
                self.count_zeros(state, holds);
            }
        }
        for (id, slot) in (0..).map(MarketId).zip(&mut self.slots) {
            let state = reading.dexes.iter().find(|state| state.dex == dex_of(&slot.coin));
            let Some(state) = state else {
                open |= !slot.settled;
                all_judged = false;
                continue;
            };
            let dex = self.dexes.iter().find(|dex| dex.name == state.dex);
            if state.time < fresh_from {
                open = true;
                all_judged = false;
                let outdated = Comparison { market: id, at: state.time, verdict: Outdated };
                verdicts.push(outdated);
                continue;
            }
            if !slot.is_of(state, dex) {
                open = true;
                all_judged = false;
                continue;
            }
            let held = state.positions.iter().find(|held| held.coin == slot.coin);
            let empty = Emptiness::of(reading.mode, state, dex);
            let verdict = match slot.settled {
                true => slot.judge(&ours(id), held, empty, state.time),
                false => slot.first(held, empty, &reading.fills, state.time),
            };
            // What rows have not told yet is asked for until something accounts for it.
            let unsettled = verdict == Some(Agrees) && ours(id).outstanding.since.is_some();
            open |= unsettled;
            open |= matches!(verdict, Some(Waiting { .. } | Unconfirmed | Outdated) | None);
            all_judged &= slot.newcomer || !matches!(verdict, Some(Outdated) | None);
            slot.newcomer &= !slot.settled;
            if let Some(verdict) = verdict {
                verdicts.push(Comparison { market: id, at: state.time, verdict });
            }
        }
        for state in &reading.dexes {
            self.remember(state);
        }
        // A reading that could not be compared proves nothing.
        let known = self.slots.iter().all(|slot| slot.settled || slot.newcomer);
        self.synced |= all_judged && !self.slots.is_empty() && known;
        self.ever_synced |= self.synced;
        self.recount();
        self.next_read = now.plus(if open { SOON } else { self.resync_interval });
    }

    /// When the account should be read next: 2 s after a reading that differed or could not be
    /// compared, else after the interval. It stays in the past until a reading is compared; who reads
    /// sees to it that one at a time is under way, and waits after one that failed.
    pub const fn wants_read_at(&self) -> Mono {
        self.next_read
    }

    /// Something was filled there that no row told, or may have been: in doubt until a reading or a
    /// fill settles it.
    pub fn suspect(&mut self, now: Mono, market: MarketId) {
        if let Some(slot) = self.slots.get_mut(market.index()) {
            slot.differs = slot.differs.max(1);
        }
        self.recount();
        self.next_read = self.next_read.min(now);
    }

    /// The link came back: the account should be read at once, and is not synced before.
    pub fn on_reconnect(&mut self, now: Mono) {
        self.next_read = self.next_read.min(now);
        self.synced = false;
    }

    /// Whether a reading of this link was compared, every market had been found by one then, and none
    /// differs now. A market that is listed later is in doubt by itself.
    pub fn synced(&self) -> bool {
        self.synced && self.agreed
    }

    /// Whether entries have to wait there: no reading was taken over yet, or the last one differed.
    pub fn in_doubt(&self, market: MarketId) -> bool {
        self.slots.get(market.index()).is_none_or(|slot| !slot.settled || slot.differs > 0)
    }

    fn remember(&mut self, state: &DexAccount) {
        let funded = !state.is_all_zero();
        match self.dexes.iter_mut().find(|dex| dex.name == state.dex) {
            Some(dex) => {
                dex.newest = dex.newest.max(Some(state.time));
                dex.funded |= funded;
            }
            None => self.dexes.push(Dex {
                name: state.dex.clone(),
                newest: Some(state.time),
                funded,
                zeros: u32::from(!funded),
                zeros_since: (!funded).then_some(state.time),
            }),
        }
    }

    /// Counts readings of a dex that show nothing but zeros. Where nothing is held (`holds` says
    /// whether) a second one is believed: its owner took the money out. Else they have to go on for a
    /// minute.
    fn count_zeros(&mut self, state: &DexAccount, holds: bool) {
        let Some(dex) = self.dexes.iter_mut().find(|dex| dex.name == state.dex) else { return };
        if !state.is_all_zero() {
            (dex.zeros, dex.zeros_since) = (0, None);
            return;
        }
        if dex.newest.is_some_and(|newest| state.time <= newest) {
            return; // The same state again is no second one.
        }
        dex.zeros = dex.zeros.saturating_add(1);
        let since = *dex.zeros_since.get_or_insert(state.time);
        let lasting = dex.zeros >= ZERO_READS && state.time.0.saturating_sub(since.0) >= ZERO_MS;
        if lasting || (!holds && dex.zeros >= FLAT_READS) {
            dex.funded = false;
        }
    }
}

/// What an all-zero state is worth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Emptiness {
    /// It is not all zero.
    Funded,
    /// Nothing is kept there, or the account keeps its balance elsewhere, so that flat looks like this.
    /// It has to repeat itself.
    Usual,
    /// There was a value before: no evidence.
    Odd,
}

impl Emptiness {
    fn of(mode: AccountMode, state: &DexAccount, dex: Option<&Dex>) -> Self {
        let own_balance = mode.is_split();
        match state.is_all_zero() {
            false => Self::Funded,
            true if own_balance && dex.is_some_and(|dex| dex.funded) => Self::Odd,
            true => Self::Usual,
        }
    }
}

impl Slot {
    /// Whether `state` can say anything of this market: it is not older than our last fill, nor than
    /// another state of its dex.
    fn is_of(&self, state: &DexAccount, dex: Option<&Dex>) -> bool {
        let newest = dex.and_then(|dex| dex.newest).max(self.last_fill);
        newest.is_none_or(|newest| state.time >= newest)
    }

    /// `None` when nothing can be said.
    fn judge(
        &mut self,
        ours: &Ours,
        held: Option<&HeldPosition>,
        empty: Emptiness,
        at: VenueMs,
    ) -> Option<Verdict> {
        let theirs = held.map_or(Szi::ZERO, |held| held.szi);
        let expected = ours.expected();
        // Zeros that agree are no evidence against a difference that was seen before.
        if expected == theirs && empty == Emptiness::Odd && self.differs > 0 {
            return None;
        }
        if let Some(times) = ours.outstanding.since {
            let verdict = self.judge_claims(ours, held, empty, at, times);
            if let Some(verdict) = verdict {
                if let Verdict::Agrees | Verdict::Explained { .. } = verdict {
                    (self.differs, self.flat) = (0, 0);
                }
                return Some(verdict);
            }
        } else if expected == theirs {
            (self.differs, self.flat) = (0, 0);
            return Some(Verdict::Agrees);
        }
        if empty == Emptiness::Odd {
            return None;
        }
        if self.ours != expected {
            // Ours moved in between, by what an answer announced.
            (self.differs, self.flat) = (0, 0);
        }
        self.ours = expected;
        let ours = expected;
        if self.last_fill.is_some_and(|fill| at.0.saturating_sub(fill.0) < LAG_MS) {
            // In doubt, and no more: it may not have heard of our fill.
            self.differs = self.differs.max(1);
            return Some(Verdict::Waiting { reads: self.differs, ours, theirs });
        }
        self.differs = self.differs.saturating_add(1);
        self.flat = if theirs.is_flat() { self.flat.saturating_add(1) } else { 0 };
        let wanted = match empty {
            Emptiness::Funded => FLAT_READS,
            Emptiness::Usual | Emptiness::Odd => EMPTY_FLAT_READS,
        };
        let flat = self.flat >= wanted;
        // A market that they find flat is compared by that alone: doubts of before count for nothing.
        if flat || (self.differs >= MISMATCH_READS && !theirs.is_flat()) {
            (self.differs, self.flat) = (0, 0);
            return Some(match flat {
                true => Verdict::Flat,
                false => Verdict::Mismatch { ours, theirs, held: held.copied() },
            });
        }
        Some(Verdict::Waiting { reads: self.differs, ours, theirs })
    }

    /// What a reading says where orders have filled, or may have, without a row; `None` where it has
    /// to be compared like any other.
    fn judge_claims(
        &mut self,
        ours: &Ours,
        held: Option<&HeldPosition>,
        empty: Emptiness,
        at: VenueMs,
        (oldest, newest): (VenueMs, VenueMs),
    ) -> Option<Verdict> {
        let Outstanding { announced, gross, .. } = ours.outstanding;
        let theirs = held.map_or(Szi::ZERO, |held| held.szi);
        let expected = ours.expected();
        let mismatch = Verdict::Mismatch { ours: expected, theirs, held: held.copied() };
        if at.0.saturating_sub(newest.0) < LAG_MS {
            // Too early to deny anything, or to take what agrees for an account of it.
            let agrees = theirs == expected && self.differs == 0;
            return Some(if agrees { Verdict::Agrees } else { Verdict::Outdated });
        }
        let extra = theirs.checked_add(Szi::from_units(ours.held.units().checked_neg()?));
        // Purchases and sales that cancel out leave no trace in a position: only rows tell of them.
        let traceless = announced.is_flat() && gross.is_positive();
        if traceless && theirs == expected {
            return match at.0.saturating_sub(oldest.0) < ROWS_OVERDUE_MS {
                true => Some(Verdict::Agrees),
                false => Some(mismatch),
            };
        }
        if let Some(extra) = extra
            && ours.outstanding.explains(extra)
            && !(empty == Emptiness::Odd && theirs != expected)
        {
            return Some(Verdict::Explained { extra });
        }
        if !gross.is_positive() {
            return None;
        }
        match empty {
            Emptiness::Funded => Some(mismatch),
            // Zeros have to deny it twice.
            Emptiness::Usual if self.differs + 1 >= FLAT_READS => {
                (self.differs, self.flat) = (0, 0);
                Some(mismatch)
            }
            Emptiness::Usual => {
                self.differs += 1;
                Some(Verdict::Waiting { reads: self.differs, ours: expected, theirs })
            }
            Emptiness::Odd => None,
        }
    }

    /// The first reading is believed; an empty one has to say so twice, and one that the fills of its
    /// own reading speak against three times.
    fn first(
        &mut self,
        held: Option<&HeldPosition>,
        empty: Emptiness,
        fills: &[Fill],
        at: VenueMs,
    ) -> Option<Verdict> {
        let held = held.filter(|held| !held.szi.is_flat());
        let theirs = held.map_or(Szi::ZERO, |held| held.szi);
        if theirs != self.ours {
            (self.differs, self.flat) = (0, 0);
        }
        self.ours = theirs;
        self.differs = self.differs.saturating_add(1);
        if contradicted(fills, self.coin, theirs, at) && self.differs < MISMATCH_READS {
            return Some(Verdict::Waiting { reads: self.differs, ours: Szi::ZERO, theirs });
        }
        let Some(held) = held else {
            self.flat = self.flat.saturating_add(1);
            if empty == Emptiness::Odd || (empty == Emptiness::Usual && self.flat < FLAT_READS) {
                return Some(Verdict::Unconfirmed);
            }
            (self.settled, self.differs, self.flat) = (true, 0, 0);
            return Some(Verdict::Flat);
        };
        (self.settled, self.differs, self.flat) = (true, 0, 0);
        Some(Verdict::Adopt(*held))
    }
}

/// Whether the newest of `fills` up to `at` left something else than `theirs` in the market.
fn contradicted(fills: &[Fill], coin: Coin, theirs: Szi, at: VenueMs) -> bool {
    let told = || fills.iter().filter(|fill| fill.coin == coin && fill.time <= at);
    let Some(newest) = told().map(|fill| fill.time).max() else { return false };
    // Several of one moment come in any order: one of them ended there.
    let mut ends = told().filter(|fill| fill.time == newest);
    !ends.any(|fill| fill.start_position.checked_add(fill.signed_sz()) == Some(theirs))
}

/// The dex that a coin is listed on: what stands before its colon; nothing is the main one
/// (PROTOCOL.md §5.1).
fn dex_of(coin: &Coin) -> &str {
    coin.as_str().split_once(':').map_or("", |(dex, _)| dex)
}
