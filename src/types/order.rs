//! The words of an order's life: what is asked for, what the venue says of it, and why.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::types::ids::{AssetId, Coin, Excerpt, MarketId, SignalId};
use crate::types::num::{Px, Side, Sz, Szi, Usd};
use crate::types::record::ExitReason;
use crate::types::time::VenueMs;

/// A client order id: 16 bytes of our choice, `0x` and 32 hex digits on the wire (PROTOCOL.md §0).
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Cloid(pub u128);

impl Cloid {
    /// Length of its text.
    pub const TEXT: usize = 34;

    /// As the wire writes it, lower case.
    pub fn text(self) -> [u8; Self::TEXT] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'0'; Self::TEXT];
        text[1] = b'x';
        for (at, place) in text[2..].iter_mut().enumerate() {
            *place = DIGITS[(self.0 >> (124 - 4 * at)) as usize & 15];
        }
        text
    }

    /// Reads `0x` and 32 hex digits, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 32)?;
        // `from_str_radix` would take a sign.
        let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
        plain.then(|| u128::from_str_radix(digits, 16).ok().map(Self))?
    }
}

impl fmt::Display for Cloid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#034x}", self.0)
    }
}

impl fmt::Debug for Cloid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cloid({self})")
    }
}

impl Serialize for Cloid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cloid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::invalid_value(de::Unexpected::Str(&text), &"0x and 32 hex digits")
        })
    }
}

/// The least value of an order that does not close its whole position: 10 USD (PROTOCOL.md §6).
pub const MIN_ORDER: Usd = Usd::from_units(10_000_000);

/// Why an order is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// It takes the dislocation of this signal.
    Entry(SignalId),
    /// It closes a position.
    Exit(ExitReason),
}

impl Purpose {
    /// As files write it: `entry`, or the exit's reason.
    pub const fn name(self) -> &'static str {
        match self {
            Purpose::Entry(_) => "entry",
            Purpose::Exit(reason) => reason.name(),
        }
    }
}

/// An IOC order as it was approved: what is sent is this, to the last digit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Order {
    /// Our name for it.
    pub cloid: Cloid,
    /// The market.
    pub market: MarketId,
    /// The market's name in streams.
    pub coin: Coin,
    /// The market's id in actions.
    pub asset: AssetId,
    /// Side of the order.
    pub side: Side,
    /// The limit, valid at the venue (PROTOCOL.md §6).
    pub px: Px,
    /// The size, whole lots.
    pub sz: Sz,
    /// Whether it may only shrink a position.
    pub reduce_only: bool,
    /// Reason for the order.
    pub purpose: Purpose,
}

impl Order {
    /// The most it may be worth when it fills; the largest there is when that does not fit.
    pub fn notional(&self) -> Usd {
        self.value_of(self.sz)
    }

    /// The same of a part of it.
    pub fn value_of(&self, sz: Sz) -> Usd {
        let worst = worst_px(self.side, self.px);
        worst.and_then(|px| Usd::notional(px, sz)).unwrap_or(Usd::from_units(i64::MAX))
    }
}

/// The price that limits on exposure count an order at. A buy fills at its limit or below. A sale
/// fills at its limit or above, and so is counted 1 % higher: further no book moves within the
/// life of an IOC but in accidents. `None` when it does not fit.
pub fn worst_px(side: Side, limit: Px) -> Option<Px> {
    match side {
        Side::Buy => Some(limit),
        Side::Sell => limit.units().checked_add(limit.units() / 100).map(Px::from_units),
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What `orderUpdates` and `orderStatus` call the state of an order (PROTOCOL.md §2.6).
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[allow(missing_docs, reason = "the venue's words")]
        pub enum VenueStatus {
            $($(#[$doc])* $name,)*
            /// A word that ends in `Canceled`, `Cancelled` or `Cancel`.
            OtherCanceled,
            /// A word that ends in `Rejected`.
            OtherRejected,
            /// Any other word: the order has to be looked up.
            Unknown,
        }

        impl VenueStatus {
            /// Every word that is known by name.
            pub const KNOWN: &'static [(&'static str, VenueStatus)] = &[$(($text, VenueStatus::$name),)*];
        }
    };
}

words! {
    Open = "open",
    Triggered = "triggered",
    Accepted = "accepted",
    Filled = "filled",
    Canceled = "canceled",
    MarginCanceled = "marginCanceled",
    VaultWithdrawalCanceled = "vaultWithdrawalCanceled",
    OpenInterestCapCanceled = "openInterestCapCanceled",
    SelfTradeCanceled = "selfTradeCanceled",
    ReduceOnlyCanceled = "reduceOnlyCanceled",
    SiblingFilledCanceled = "siblingFilledCanceled",
    DelistedCanceled = "delistedCanceled",
    LiquidatedCanceled = "liquidatedCanceled",
    ScheduledCancel = "scheduledCancel",
    OutcomeSettledCanceled = "outcomeSettledCanceled",
    InternalCancel = "internalCancel",
    Rejected = "rejected",
    TickRejected = "tickRejected",
    MinTradeNtlRejected = "minTradeNtlRejected",
    MinTradeSpotNtlRejected = "minTradeSpotNtlRejected",
    PerpMarginRejected = "perpMarginRejected",
    ReduceOnlyRejected = "reduceOnlyRejected",
    BadAloPxRejected = "badAloPxRejected",
    IocCancelRejected = "iocCancelRejected",
    BadTriggerPxRejected = "badTriggerPxRejected",
    MarketOrderNoLiquidityRejected = "marketOrderNoLiquidityRejected",
    PositionIncreaseAtOpenInterestCapRejected = "positionIncreaseAtOpenInterestCapRejected",
    PositionFlipAtOpenInterestCapRejected = "positionFlipAtOpenInterestCapRejected",
    TooAggressiveAtOpenInterestCapRejected = "tooAggressiveAtOpenInterestCapRejected",
    OpenInterestIncreaseRejected = "openInterestIncreaseRejected",
    InsufficientSpotBalanceRejected = "insufficientSpotBalanceRejected",
    OracleRejected = "oracleRejected",
    PerpMaxPositionRejected = "perpMaxPositionRejected",
    TooManyOpenOrdersRejected = "tooManyOpenOrdersRejected",
}

/// What a [`VenueStatus`] means for an order's life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StatusKind {
    /// It may still fill.
    Live,
    /// It has filled whole.
    Filled,
    /// What had not filled is gone.
    Cancelled,
    /// It was refused.
    Rejected,
    /// The word says nothing.
    Unknown,
}

impl VenueStatus {
    /// The word of this text, by name or else by how it ends.
    pub fn of(text: &str) -> Self {
        if let Some((_, word)) = Self::KNOWN.iter().find(|(known, _)| *known == text) {
            return *word;
        }
        let ends = |end: &str| text.ends_with(end);
        if ends("Canceled") || ends("Cancelled") || ends("Cancel") || text == "cancelled" {
            Self::OtherCanceled
        } else if ends("Rejected") {
            Self::OtherRejected
        } else {
            Self::Unknown
        }
    }

    /// What it means.
    pub const fn kind(self) -> StatusKind {
        use VenueStatus as W;
        match self {
            W::Open | W::Triggered | W::Accepted => StatusKind::Live,
            W::Filled => StatusKind::Filled,
            W::Canceled
            | W::MarginCanceled
            | W::VaultWithdrawalCanceled
            | W::OpenInterestCapCanceled
            | W::SelfTradeCanceled
            | W::ReduceOnlyCanceled
            | W::SiblingFilledCanceled
            | W::DelistedCanceled
            | W::LiquidatedCanceled
            | W::ScheduledCancel
            | W::OutcomeSettledCanceled
            | W::InternalCancel
            | W::OtherCanceled => StatusKind::Cancelled,
            W::Rejected
            | W::TickRejected
            | W::MinTradeNtlRejected
            | W::MinTradeSpotNtlRejected
            | W::PerpMarginRejected
            | W::ReduceOnlyRejected
            | W::BadAloPxRejected
            | W::IocCancelRejected
            | W::BadTriggerPxRejected
            | W::MarketOrderNoLiquidityRejected
            | W::PositionIncreaseAtOpenInterestCapRejected
            | W::PositionFlipAtOpenInterestCapRejected
            | W::TooAggressiveAtOpenInterestCapRejected
            | W::OpenInterestIncreaseRejected
            | W::InsufficientSpotBalanceRejected
            | W::OracleRejected
            | W::PerpMaxPositionRejected
            | W::TooManyOpenOrdersRejected
            | W::OtherRejected => StatusKind::Rejected,
            W::Unknown => StatusKind::Unknown,
        }
    }
}

/// One entry of `orderUpdates`, or the answer of `orderStatus` (PROTOCOL.md §2.6, §4.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OrderUpdate {
    /// The market.
    pub coin: Coin,
    /// The venue's id.
    pub oid: u64,
    /// Ours, if the order had one.
    pub cloid: Option<Cloid>,
    /// Side of the order.
    pub side: Side,
    /// What is left of it.
    pub sz: Sz,
    /// What it was placed with.
    pub orig_sz: Sz,
    /// The state.
    pub word: VenueStatus,
    /// Time of the status.
    pub status_time: VenueMs,
}

/// One fill of the account (PROTOCOL.md §2.6). Two are the same when coin, time, tid and oid are.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Fill {
    /// The market.
    pub coin: Coin,
    /// The price.
    pub px: Px,
    /// How much, above zero.
    pub sz: Sz,
    /// Side of the order.
    pub side: Side,
    /// Block time.
    pub time: VenueMs,
    /// The position before it, above zero when long.
    pub start_position: Szi,
    /// Profit of the part that closed, fee not counted.
    pub closed_pnl: Usd,
    /// The order's id at the venue.
    pub oid: u64,
    /// The order's id with us; absent on other people's orders and in old rows.
    pub cloid: Option<Cloid>,
    /// The trade; 0 for dust and where a row has none.
    pub tid: u64,
    /// Paid in all; below zero is a rebate.
    pub fee: Usd,
    /// Whether a liquidation made it.
    pub liquidation: bool,
}

impl Fill {
    /// What the position gains by it: above zero when bought.
    pub const fn signed_sz(&self) -> Szi {
        match self.side {
            Side::Buy => Szi::from_units(self.sz.units()),
            Side::Sell => Szi::from_units(-self.sz.units()),
        }
    }
}

/// What the orders of one market may add to the position that its fill rows make. Sizes are above zero
/// when bought.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Outstanding {
    /// Filled by word of answers and updates, and told by no row.
    pub announced: Szi,
    /// The same without regard to side: above zero although purchases and sales cancel out.
    pub gross: Sz,
    /// What may have been sold beyond that, at most: zero or below.
    pub low: Szi,
    /// What may have been bought beyond that, at most: zero or above.
    pub high: Szi,
    /// Time of the oldest and of the newest of these orders' ends; `None` when nothing is
    /// outstanding.
    pub since: Option<(VenueMs, VenueMs)>,
}

impl Outstanding {
    /// Adds what one order may: `announced` for certain and up to `possible` more on `side`, not
    /// later than `since`.
    pub fn add(&mut self, side: Side, announced: Sz, possible: Sz, since: VenueMs) {
        let sum = |a: Szi, sz| Szi::from_units(a.units().saturating_add(Szi::of(side, sz).units()));
        self.announced = sum(self.announced, announced);
        self.gross = Sz::from_units(self.gross.units().saturating_add(announced.units()));
        match side {
            Side::Buy => self.high = sum(self.high, possible),
            Side::Sell => self.low = sum(self.low, possible),
        }
        let (first, last) = self.since.unwrap_or((since, since));
        self.since = Some((first.min(since), last.max(since)));
    }

    /// Whether these orders account for a position that differs from the rows' by `extra`.
    pub fn explains(&self, extra: Szi) -> bool {
        let beyond = extra.units().checked_sub(self.announced.units());
        beyond.is_some_and(|beyond| (self.low.units()..=self.high.units()).contains(&beyond))
    }

    /// The same with every time `ms` later.
    #[must_use]
    pub fn later(self, ms: i64) -> Self {
        let shift = |at: VenueMs| VenueMs(at.0.saturating_add(ms));
        Self { since: self.since.map(|(first, last)| (shift(first), shift(last))), ..self }
    }
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $text:literal: $class:ident,)*) => {
        /// Why the venue did not do what was asked (PROTOCOL.md §3.6). The words it uses stand in
        /// one table, `executor/refusals`.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        pub enum Refusal {
            $($(#[$doc])* $name,)*
        }

        impl Refusal {
            /// All reasons.
            pub const ALL: &'static [Refusal] = &[$(Refusal::$name,)*];

            /// As files and logs write it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Refusal::$name => $text,)*
                }
            }

            /// What follows from it.
            pub const fn class(self) -> RefusalClass {
                match self {
                    $(Refusal::$name => RefusalClass::$class,)*
                }
            }
        }
    };
}

/// What follows from a refusal.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum RefusalClass {
    /// The usual outcome of an IOC: nothing follows.
    Miss,
    /// There was nothing left to do: what the order was to close is gone, so the account is read.
    Superfluous,
    /// We asked for something wrong: a failure.
    OurFault,
    /// The market or the venue cannot take it now: entries wait, nothing trips.
    VenueState,
    /// The account cannot do it: a failure.
    AccountState,
    /// Too many requests: back off.
    RateLimit,
}

impl RefusalClass {
    /// All classes.
    pub const ALL: [RefusalClass; 6] = [
        RefusalClass::Miss,
        RefusalClass::Superfluous,
        RefusalClass::OurFault,
        RefusalClass::VenueState,
        RefusalClass::AccountState,
        RefusalClass::RateLimit,
    ];

    /// As logs write it.
    pub const fn name(self) -> &'static str {
        match self {
            RefusalClass::Miss => "miss",
            RefusalClass::Superfluous => "superfluous",
            RefusalClass::OurFault => "our_fault",
            RefusalClass::VenueState => "venue_state",
            RefusalClass::AccountState => "account_state",
            RefusalClass::RateLimit => "rate_limit",
        }
    }

    /// Whether it counts toward `max_consecutive_failures`.
    pub const fn is_failure(self) -> bool {
        matches!(self, RefusalClass::OurFault | RefusalClass::AccountState)
    }
}

refusals! {
    /// Nothing stood inside the limit.
    NoMatch = "no_match": Miss,
    /// No order stood on the other side at all.
    NoLiquidity = "no_liquidity": Miss,
    /// It reached the venue after `expiresAfter`.
    TooLate = "too_late": Miss,
    /// The position was flat already, or on the other side.
    ReduceOnly = "reduce_only": Superfluous,
    /// Cancelled by the venue's rules: self-trade, delisting, liquidation, and the like.
    Cancelled = "cancelled": Miss,
    /// A price off the tick.
    Tick = "tick": OurFault,
    /// Worth less than the least order.
    MinNotional = "min_notional": OurFault,
    /// A post-only order that would have matched.
    PostOnlyCrossed = "post_only_crossed": OurFault,
    /// A trigger price that makes no sense.
    TriggerPx = "trigger_px": OurFault,
    /// Further from the oracle than the venue takes.
    FarFromOracle = "far_from_oracle": VenueState,
    /// Further from the reference price than the venue takes.
    FarFromReference = "far_from_reference": OurFault,
    /// Worth more than the largest order.
    ValueTooLarge = "value_too_large": OurFault,
    /// A size of zero.
    ZeroSize = "zero_size": OurFault,
    /// A price that is none.
    InvalidPx = "invalid_px": OurFault,
    /// A size that is none.
    InvalidSz = "invalid_sz": OurFault,
    /// A cancel or a modify of an order that is not there.
    NeverPlaced = "never_placed": Superfluous,
    /// A modify that the venue does not take.
    ModifyInvalid = "modify_invalid": OurFault,
    /// A builder's fee without approval.
    BuilderFee = "builder_fee": OurFault,
    /// More than 200 items in one action.
    OverWeight = "over_weight": OurFault,
    /// A scheduled cancel before enough was traded.
    ScheduleVolume = "schedule_volume": OurFault,
    /// The venue does not know who signed.
    UnknownSigner = "unknown_signer": OurFault,
    /// The nonce was used before: the action with it may have been executed.
    DuplicateNonce = "duplicate_nonce": OurFault,
    /// The nonce is outside the venue's window.
    NonceRange = "nonce_range": OurFault,
    /// The post could not be read at all.
    Unreadable = "unreadable": OurFault,
    /// Words that no table holds.
    Unlisted = "unlisted": OurFault,
    /// Not enough margin.
    Margin = "margin": AccountState,
    /// Not enough spot balance.
    SpotBalance = "spot_balance": AccountState,
    /// The position would pass the margin tier.
    MarginTier = "margin_tier": AccountState,
    /// Not enough of what pays for priority.
    PriorityBalance = "priority_balance": AccountState,
    /// The account has no funds.
    MustDeposit = "must_deposit": AccountState,
    /// The account has too many open orders.
    TooManyOpenOrders = "too_many_open_orders": AccountState,
    /// Open interest is at its cap.
    OpenInterestCap = "open_interest_cap": VenueState,
    /// Open interest grows too fast.
    OpenInterestSpeed = "open_interest_speed": VenueState,
    /// For a while after an upgrade only post-only orders are taken.
    PostOnlyMode = "post_only_mode": VenueState,
    /// The market is halted or delisted.
    Halted = "halted": VenueState,
    /// The dex has a list of accounts that may trade there, and this one is not on it.
    ApprovalRequired = "approval_required": VenueState,
    /// The leverage of a market in which a position is open cannot be changed in kind.
    LeverageHeld = "leverage_held": VenueState,
    /// The address budget is used up.
    AddressBudget = "address_budget": RateLimit,
    /// Too many posts without an answer.
    TooManyPosts = "too_many_posts": RateLimit,
    /// Too many requests of one IP address.
    IpLimit = "ip_limit": RateLimit,
}

impl Refusal {
    /// Whether the venue's words are known: what they do not say is nobody's fault.
    pub const fn is_listed(self) -> bool {
        !matches!(self, Refusal::Unlisted)
    }
}

/// What the venue answered for one order of an action (PROTOCOL.md §3.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OrderAnswer {
    /// On the book.
    Resting {
        /// The venue's id.
        oid: u64,
    },
    /// Matched, in whole or in part; of an IOC the rest is gone.
    Filled {
        /// Filled size.
        total_sz: Sz,
        /// Mean price; decimals past the eighth are dropped.
        avg_px: Px,
        /// The venue's id.
        oid: u64,
    },
    /// Refused, in these words.
    Error(Excerpt),
    /// Done: of a cancel. Of an order it says too little, and is looked up.
    Success,
    /// Anything else: looked up.
    Unknown,
}

/// The answer to a post (PROTOCOL.md §3.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PostAnswer<'a> {
    /// The action was taken up; one answer an item, in their order.
    Statuses(&'a [OrderAnswer]),
    /// The action was done, and there is no more to say.
    Default,
    /// The action was refused whole, in these words: nothing was executed.
    Refused(Excerpt),
    /// Answer of an `orderStatus` question: `None` is `unknownOid`.
    Order(Option<OrderUpdate>),
    /// Any other info, or one that could not be understood.
    Other,
    /// The post itself was wrong; the words mirror an HTTP error.
    Error(Excerpt),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloids_are_32_lower_case_hex_digits() {
        let cloid = Cloid(0x0123_4567_89ab_cdef_0000_0000_0000_00ff);
        let text = "0x0123456789abcdef00000000000000ff";
        assert_eq!(cloid.text(), text.as_bytes());
        assert_eq!(cloid.to_string(), text);
        assert_eq!(Cloid::parse(text), Some(cloid));
        assert_eq!(Cloid::parse(&text.replace("abcdef", "ABCDEF")), Some(cloid));
        for wrong in ["", "0x", "0x12", &text[2..], "0x+123456789abcdef00000000000000ff"] {
            assert_eq!(Cloid::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn unknown_words_are_judged_by_how_they_end() {
        assert_eq!(VenueStatus::of("iocCancelRejected"), VenueStatus::IocCancelRejected);
        assert_eq!(VenueStatus::of("someNewCanceled").kind(), StatusKind::Cancelled);
        assert_eq!(VenueStatus::of("cancelled").kind(), StatusKind::Cancelled);
        assert_eq!(VenueStatus::of("someNewRejected").kind(), StatusKind::Rejected);
        assert_eq!(VenueStatus::of("teleported").kind(), StatusKind::Unknown);
        for (text, word) in VenueStatus::KNOWN {
            assert_eq!(VenueStatus::of(text), *word);
            assert_ne!(word.kind(), StatusKind::Unknown, "{text}");
        }
    }
}
