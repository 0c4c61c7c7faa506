//! Everything the world can say to the engine, and everything the engine can ask of it.
//!
//! An [`Event`] comes with the moment it was received. An [`Action`] is a command: its result comes
//! back as an event, late, twice, or never.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::types::account::{AccountState, Role};
use crate::types::hard_stop::{HardStop, StopReason};
use crate::types::latency::Stopwatch;
use crate::types::log_event::LogEvent;
use crate::types::losses::LossEntry;
use crate::types::market::Universe;
use crate::types::record::Row;
use crate::types::time::{VenueMs, VenueTime, Wall};

/// An input of the engine.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Nothing but time: a deadline of the engine has passed.
    Tick,
    /// The link is open, WebSocket handshake done.
    Connected,
    /// The link is gone, or could not be opened.
    Disconnected(LinkDown),
    /// A text frame.
    Frame(&'a [u8]),
    /// A frame that is no text; counted and dropped.
    Binary,
    /// The venue was read whole and well-formed.
    Universe(&'a Universe),
    /// The venue could not be read, or answered malformed: the last good reading stays.
    UniverseFailed,
    /// The account was read whole and well-formed.
    Account(&'a AccountState),
    /// The account could not be read, or an answer was malformed.
    AccountFailed,
    /// What was sent by [`Action::Exchange`] was answered.
    Exchanged {
        /// Its number.
        post: u64,
        /// HTTP status.
        status: u16,
        /// The body, as it came.
        body: &'a [u8],
    },
    /// It had no answer: it may have been executed, or never have arrived.
    ExchangeFailed {
        /// Its number.
        post: u64,
    },
    /// The venue said what the signer is to it (`userRole`).
    SignerRole(Role),
    /// It could not be asked, or its answer was malformed.
    SignerRoleFailed,
    /// Answers of the venue told the time of its clock.
    VenueTime(VenueTime),
    /// The operator wants something.
    Operator(OperatorCommand),
    /// A full ring swallowed rows.
    RowsLost {
        /// Number of rows.
        rows: u64,
        /// When the first of them was due to be recorded.
        since: Wall,
    },
    /// The operator wants an end in order.
    Stop,
}

/// What an operator can ask of a trading engine while it runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorCommand {
    /// No entries until released.
    Halt,
    /// Release this reason of HardStop, or all of them.
    Release(Option<StopReason>),
    /// Close every position now.
    Flatten,
}

/// Why a link is gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkDown {
    /// No connection could be made: name, TCP, TLS or WebSocket handshake.
    Unreachable,
    /// It ended without a close frame.
    Dropped,
    /// The venue sent a close frame.
    Closed,
    /// It stayed silent past the ping (we closed it).
    Silent,
    /// It broke the WebSocket protocol, or sent a message past the size limit.
    Protocol,
    /// Our write buffer ran full (we closed it).
    Backlog,
    /// The run ended (we closed it).
    Stopped,
}

impl LinkDown {
    /// As logs and files write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Dropped => "dropped",
            Self::Closed => "closed",
            Self::Silent => "silent",
            Self::Protocol => "protocol",
            Self::Backlog => "backlog",
            Self::Stopped => "stopped",
        }
    }
}

/// What the engine asks for. `Copy`: text lies in [`Actions::text`].
#[derive(Clone, Copy, Debug)]
pub enum Action {
    /// Open a link to the venue.
    Connect,
    /// Drop the link, or the attempt. Nothing more is to be told of it: the engine has done already
    /// what follows from its loss.
    Close(LinkDown),
    /// Send a text frame.
    Send(ByteRange),
    /// Read the venue: `perpDexs`, `meta`, caps, fees.
    ReadUniverse,
    /// Read the account: state on every dex, balances, budget, and fills since this moment.
    ReadAccount {
        /// Fills from here on are asked for.
        fills_since: VenueMs,
    },
    /// Ask for an action by `POST /exchange`, when no link is open.
    Exchange {
        /// A number, under which the answer is told.
        post: u64,
        /// When it no longer makes sense to send it: the venue would not take it any more.
        expires: Wall,
        /// The signed body.
        body: ByteRange,
    },
    /// Ask the venue what the signer is to it (`userRole`).
    ReadSignerRole,
    /// Keep HardStop across restarts.
    KeepLatch(HardStop),
    /// Keep what was won or lost across restarts.
    KeepLoss(LossEntry),
    /// Keep a row.
    Record(Row),
    /// Writes a line to the log.
    Log(LogEvent),
    /// All that was asked by [`Event::Stop`] is done.
    Stopped,
}

/// A piece of [`Actions::text`], in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ByteRange {
    start: u32,
    end: u32,
}

/// Actions in the order they were asked for, with the text they send. Reused, so that handling
/// market data allocates nothing once it has grown to its working size.
#[derive(Debug, Default)]
pub struct Actions {
    list: Vec<Action>,
    text: Vec<u8>,
    /// Stamps on the way, for whoever measures.
    pub watch: Stopwatch,
}

impl Actions {
    /// With room for a full resubscription of a thousand channels.
    pub fn new() -> Self {
        Self {
            list: Vec::with_capacity(4096),
            text: Vec::with_capacity(128 * 1024),
            watch: Stopwatch::default(),
        }
    }

    /// Asks for `action`.
    pub fn push(&mut self, action: Action) {
        self.list.push(action);
    }

    /// Asks to keep `row`.
    pub fn record(&mut self, row: Row) {
        self.push(Action::Record(row));
    }

    /// Asks to log `event`.
    pub fn log(&mut self, event: LogEvent) {
        self.push(Action::Log(event));
    }

    /// Asks to send the text frame that `write` appends to the buffer.
    pub fn send(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        write(&mut self.text);
        let span = Range { start, end: self.text.len() };
        // A buffer of 4 GiB is out of reach: it is cleared every turn.
        let (start, end) = (span.start as u32, span.end as u32);
        self.push(Action::Send(ByteRange { start, end }));
    }

    /// As [`Actions::send`], but what `write` has begun is taken back when it fails: half a frame
    /// is never sent.
    pub fn try_send<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let span = self.try_write(write)?;
        self.push(Action::Send(span));
        Ok(())
    }

    /// Asks to `POST` the body that `write` appends to the buffer, in the same manner.
    pub fn try_exchange<E>(
        &mut self,
        post: u64,
        expires: Wall,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let body = self.try_write(write)?;
        self.push(Action::Exchange { post, expires, body });
        Ok(())
    }

    fn try_write<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<ByteRange, E> {
        let start = self.text.len();
        if let Err(error) = write(&mut self.text) {
            self.text.truncate(start);
            return Err(error);
        }
        Ok(ByteRange { start: start as u32, end: self.text.len() as u32 })
    }

    /// What was asked for, in order.
    pub fn iter(&self) -> impl Iterator<Item = Action> + '_ {
        self.list.iter().copied()
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The text of a [`Action::Send`] or the body of a [`Action::Exchange`].
    pub fn text(&self, span: ByteRange) -> &[u8] {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Forgets everything but the stamps, keeping the room.
    pub fn clear(&mut self) {
        self.list.clear();
        self.text.clear();
    }
}
