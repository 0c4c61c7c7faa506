//! What the hot thread reports to the log: facts, which the log thread formats.

use crate::types::account::Role;
use crate::types::event::LinkDown;
use crate::types::hard_stop::StopReason;
use crate::types::ids::{Address, Coin, Excerpt};
use crate::types::losses::LossLimit;
use crate::types::num::{Bps, Px, Side, Sz, Szi, Usd};
use crate::types::order::{Cloid, Purpose, Refusal};
use crate::types::ready::Waiting;
use crate::types::record::{ExitReason, GapCause, Gate, Outcome};
use crate::types::status::{DataAge, ReadyFlags};
use crate::types::time::{Nanos, Wall};

#[allow(missing_docs, reason = "the fields say what they are")]
/// Something worth a line in the log: transitions, never steady states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LogEvent {
    /// The venue was read.
    UniverseRead { markets: u32, active: u32, watched: u32 },
    /// The venue could not be read; tried again after `retry`.
    UniverseFailed { retry: Nanos },
    /// `venue.include` names a coin that the venue does not list, or lists as delisted.
    NotListed { coin: Coin },
    /// A market appeared and is watched from now on.
    Listed { coin: Coin },
    /// A market's rules differ from those at the start.
    ParamChanged { coin: Coin, what: &'static str },
    /// The venue's entry of a watched market cannot be read: nothing is opened there.
    MarketOdd { coin: Coin },
    /// The venue drops the link when this coin is subscribed: left alone for `wait`.
    Quarantined { coin: Coin, wait: Nanos },
    /// A market is delisted, or halted.
    Halted { coin: Coin },
    /// A halted market trades again.
    Resumed { coin: Coin },
    /// More markets than the engine or one link can watch; this many are left out.
    MarketsLeftOut { count: u32, limit: u32 },
    /// A connection is being tried.
    Connecting { attempt: u32 },
    /// The link is open.
    Connected { subscriptions: u32 },
    /// Every subscription is acknowledged, after this long.
    Subscribed { subscriptions: u32, took: Nanos },
    /// The link is down; the next attempt starts after `retry`.
    LinkDown { cause: LinkDown, was_up: Nanos, retry: Nanos },
    /// What the end of a link was about: code and reason of a close frame, or an error.
    LinkSaid { words: Excerpt },
    /// All markets have data, or are set aside.
    Ready { markets: u32, set_aside: u32 },
    /// A market without data no longer holds up the rest.
    SetAside { coin: Coin },
    /// A market that was set aside has data now.
    Joined { coin: Coin },
    /// The first gate that blocks a market changed; `None` means that all pass.
    Gate { coin: Coin, gate: Option<Gate> },
    /// Open interest passed 95 % of the cap.
    OiNearCap { coin: Coin },
    /// A cross began.
    CrossBegan { coin: Coin, side: Side, edge: Bps, notional: Usd },
    /// A gap ended.
    GapEnded { cause: GapCause, lasted: Nanos, markets: u32 },
    /// The venue complained on its error channel.
    VenueError { text: Excerpt },
    /// A frame could not be understood. Logged once per kind and minute; all are counted.
    Malformed { why: &'static str, frame: Excerpt },
    /// A frame came on a channel we do not know. Logged once per minute; all are counted.
    UnknownChannel { frame: Excerpt },
    /// Rows or log events were lost to a full ring.
    RowsLost { rows: u64 },
    /// Too many signals wait for their follow-ups: new ones are counted and not recorded.
    SignalsShed { shed: u64 },
    /// READY changed, or what entries wait for beside it: what holds now.
    Readiness { ready: ReadyFlags, waiting: Waiting },
    /// HardStop has one reason more.
    HardStopSet { reason: StopReason },
    /// HardStop has one reason less.
    HardStopReleased { reason: StopReason },
    /// An operator's command was taken up; `what` says which.
    Operator { what: &'static str },
    /// The account was read.
    AccountRead { positions: u32, available: Option<Usd>, budget_left: i64 },
    /// The account could not be read; tried again after `retry`.
    AccountFailed { retry: Nanos },
    /// An order left.
    OrderSent { coin: Coin, side: Side, px: Px, sz: Sz, purpose: Purpose, cloid: Cloid },
    /// An order is over.
    OrderEnded { coin: Coin, cloid: Cloid, outcome: Outcome, filled: Sz, fee: Usd },
    /// The venue refused an order, in these words.
    Refused { coin: Coin, cloid: Cloid, refusal: Refusal, words: Excerpt },
    /// An order has filled and no row tells of it: the account is read for it.
    FillRowsMissing { coin: Coin, cloid: Cloid },
    /// A reading of the account shows what an order filled, and no row ever told of it: it is recorded at
    /// the price that the answer told, without its fee.
    FillsAssumed { coin: Coin, cloid: Cloid, sz: Sz },
    /// What became of an order is not known: it is looked up.
    OrderInDoubt { coin: Coin, cloid: Cloid },
    /// A position began.
    PositionOpened { coin: Coin, szi: Szi, px: Px },
    /// A position was found at the venue that we did not open.
    PositionAdopted { coin: Coin, szi: Szi, px: Px },
    /// A position is closed.
    PositionClosed { coin: Coin, exit: ExitReason, net: Usd, fees: Usd, held: Nanos },
    /// An exit did not close its position; the next one reaches further.
    ExitMissed { coin: Coin, exit: ExitReason, misses: u32, reach: Bps },
    /// An exit is stuck: nothing further is allowed for it, and it goes on there.
    ExitAtCollar { coin: Coin, misses: u32 },
    /// The collar has held an exit back for too long: it is measured from the quote from now on.
    ExitPastCollar { coin: Coin, px: Px },
    /// An exit left by REST, since no link is open.
    ExitByRest { coin: Coin, cloid: Cloid },
    /// Somebody else traded on the account.
    ForeignFill { coin: Coin, side: Side, sz: Sz, px: Px },
    /// Our position and the venue's differ.
    PositionDiffers { coin: Coin, ours: Szi, theirs: Szi, reads: u32 },
    /// Entries wait, in this market or everywhere, for what the venue said.
    Suspended { coin: Option<Coin>, refusal: Refusal, wait: Nanos },
    /// The address budget is low, or empty: only exits pass.
    BudgetLow { left: i64 },
    /// The leverage of a market could not be set: no entries there.
    LeverageRefused { coin: Coin, words: Excerpt },
    /// The venue does not do what `signer` signs for `account`, the configured one.
    SignerNotOurs { signer: Address, role: Role, account: Address },
    /// A limit on losses is reached, that of the window or that of the UTC day.
    LossLimit(LossLimit),
    /// Our wall clock is wrong: so far ahead of the venue's, below zero behind it.
    ClockSkew { ms: i64 },
    /// It is right again, but for so much.
    ClockRight { ms: i64 },
    /// What is too old for entries changed; with nothing too old they go on.
    DataAge { age: DataAge },
    /// Funding was paid (below zero) or received.
    Funding { coin: Coin, usd: Usd },
    /// The run is ending, and closes what is open first.
    Flattening { positions: u32 },
    /// The run ends with positions open.
    LeftOpen { positions: u32 },
}

/// A log event and when it was made, by the wall clock: the log thread formats it later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimedLogEvent {
    /// When it was logged.
    pub at: Wall,
    /// The event.
    pub event: LogEvent,
}
