//! The hot thread's notes as log lines: so severe, so many a minute, in these words.

use crate::telemetry::limit::Limit;
use crate::types::event::LinkDown;
use crate::types::hard_stop::StopReason;
use crate::types::losses::LossLimit;
use crate::types::note::Note;
use crate::types::order::RefusalClass;
use crate::types::record::GapCause;
use crate::types::time::Mono;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Severity {
    Error,
    Warn,
    Info,
    Debug,
}

/// What all notes of one kind share.
#[derive(Clone, Copy, Debug)]
struct Kind {
    what: &'static str,
    severity: Severity,
    /// Lines a minute.
    most: u32,
}

const fn error(what: &'static str, most: u32) -> Kind {
    Kind { what, severity: Severity::Error, most }
}

const fn warn(what: &'static str, most: u32) -> Kind {
    Kind { what, severity: Severity::Warn, most }
}

const fn info(what: &'static str, most: u32) -> Kind {
    Kind { what, severity: Severity::Info, most }
}

const fn debug(what: &'static str, most: u32) -> Kind {
    Kind { what, severity: Severity::Debug, most }
}

/// What a stranger can cause at will.
const FEW: u32 = 10;
/// What comes once a market: a start of a large dex is told whole.
const MARKETS: u32 = 200;
/// What is asked for by whoever sets the level to `debug`.
const MANY: u32 = 3_000;

const fn kind(note: &Note) -> Kind {
    match note {
        Note::UniverseRead { .. } => info("venue read", FEW),
        Note::UniverseFailed { .. } => warn("venue cannot be read", FEW),
        Note::NotListed { .. } => warn("venue.include names no active market", MARKETS),
        Note::Listed { .. } => info("market listed", MARKETS),
        Note::ParamChanged { .. } => warn("market rules changed", MARKETS),
        Note::MarketOdd { .. } => warn("market's entry cannot be read: no entries there", MARKETS),
        Note::Quarantined { .. } => {
            warn("the venue drops the link when this coin is subscribed: left alone", MARKETS)
        }
        Note::Halted { .. } => warn("market halted", MARKETS),
        Note::Resumed { .. } => info("market resumed", MARKETS),
        Note::MarketsLeftOut { .. } => warn("more markets than can be watched", FEW),
        Note::Connecting { .. } => info("connecting", FEW),
        Note::Connected { .. } => info("connected", FEW),
        Note::Subscribed { .. } => info("subscribed", FEW),
        Note::LinkDown { cause: LinkDown::Stopped, .. } => info("link closed", FEW),
        Note::LinkDown { .. } => warn("link down", FEW),
        Note::LinkSaid { .. } => info("link ended with", FEW),
        Note::Ready { .. } => info("ready", FEW),
        Note::SetAside { .. } => info("market without data set aside", MARKETS),
        Note::Joined { .. } => info("market has data now", MARKETS),
        Note::Gate { .. } => debug("gate", MANY),
        Note::OiNearCap { .. } => info("open interest near its cap", MARKETS),
        Note::CrossBegan { .. } => debug("cross", MANY),
        Note::GapEnded { cause: GapCause::RingOverflow | GapCause::Storage, .. } => {
            warn("rows are missing", FEW)
        }
        Note::GapEnded { cause: GapCause::Paused, .. } => {
            warn("the process stood still: what has waited meanwhile is not fresh", FEW)
        }
        Note::GapEnded { .. } => info("gap ended", FEW),
        Note::VenueError { .. } => warn("venue complains", FEW),
        Note::Malformed { .. } => warn("frame not understood", FEW),
        Note::UnknownChannel { .. } => warn("frame of an unknown channel", FEW),
        Note::RowsLost { .. } => warn("rows LOST to a full ring", FEW),
        Note::SignalsShed { .. } => warn("signals SHED: too many wait for follow-ups", FEW),
        Note::Readiness { ready, waiting } if ready.all() && !waiting.everywhere() => {
            info("trading is ready", MARKETS)
        }
        Note::Readiness { ready, .. } if ready.all() => info("entries wait", MARKETS),
        Note::Readiness { .. } => info("trading is not ready", MARKETS),
        Note::HardStopSet { reason: StopReason::Reconnecting } => info("HardStop set", MARKETS),
        Note::HardStopSet { .. } => error("HardStop set", MARKETS),
        Note::HardStopReleased { .. } => info("HardStop released", MARKETS),
        Note::Operator { .. } => info("operator", MARKETS),
        Note::AccountRead { .. } => debug("account read", MANY),
        Note::AccountFailed { .. } => warn("account cannot be read", FEW),
        Note::OrderSent { .. } => info("order sent", MANY),
        Note::OrderEnded { .. } => info("order ended", MANY),
        Note::Refused { refusal, .. } if matches!(refusal.class(), RefusalClass::Miss) => {
            debug("order missed", MANY)
        }
        Note::Refused { .. } => warn("refused", MARKETS),
        Note::FillRowsMissing { .. } => {
            warn("an order filled and no row tells of it: the account is read", MARKETS)
        }
        Note::FillsAssumed { .. } => {
            warn("fill booked without its row, as the account shows it: fee unknown", MARKETS)
        }
        Note::OrderInDoubt { .. } => warn("order in doubt: looked up", MARKETS),
        Note::PositionOpened { .. } => info("position opened", MANY),
        Note::PositionAdopted { .. } => warn("position found at the venue", MARKETS),
        Note::PositionClosed { .. } => info("position closed", MANY),
        Note::ExitMissed { .. } => warn("exit missed: the next reaches further", MARKETS),
        Note::ExitAtCollar { .. } => error("exit is stuck at its collar", MARKETS),
        Note::ExitPastCollar { .. } => error("exit goes past its collar", MARKETS),
        Note::ExitByRest { .. } => warn("exit sent by REST: no link is open", MARKETS),
        Note::ForeignFill { .. } => warn("fill of an order that is not ours", MARKETS),
        Note::PositionDiffers { .. } => warn("our position and the venue's differ", MARKETS),
        Note::Suspended { .. } => warn("entries suspended", MARKETS),
        Note::BudgetLow { .. } => warn("address budget is low: only exits pass", FEW),
        Note::SignerNotOurs { .. } => error("the signer may not act for the account", FEW),
        Note::LossLimit(_) => error("a limit on losses is reached", FEW),
        Note::LeverageRefused { .. } => warn("leverage refused: no entries there", MARKETS),
        Note::ClockSkew { .. } => warn("our clock is wrong by the venue's time", FEW),
        Note::ClockRight { .. } => info("our clock is right again", FEW),
        Note::DataAge { age } if age.any() => warn("entries wait for fresh data", FEW),
        Note::DataAge { .. } => info("data are fresh again", FEW),
        Note::Funding { .. } => info("funding", MARKETS),
        Note::Flattening { .. } => info("closing positions before the end", FEW),
        Note::LeftOpen { .. } => error("the run ends with positions OPEN", FEW),
    }
}

/// Writes a line as severe as its kind; fields as `tracing` writes them.
macro_rules! say {
    ($kind:expr) => {
        match $kind.severity {
            Severity::Error => tracing::error!("{}", $kind.what),
            Severity::Warn => tracing::warn!("{}", $kind.what),
            Severity::Info => tracing::info!("{}", $kind.what),
            Severity::Debug => tracing::debug!("{}", $kind.what),
        }
    };
    ($kind:expr, $($field:tt)*) => {
        match $kind.severity {
            Severity::Error => tracing::error!($($field)*, "{}", $kind.what),
            Severity::Warn => tracing::warn!($($field)*, "{}", $kind.what),
            Severity::Info => tracing::info!($($field)*, "{}", $kind.what),
            Severity::Debug => tracing::debug!($($field)*, "{}", $kind.what),
        }
    };
}

impl Severity {
    /// Whether such lines are written at all.
    fn is_enabled(self) -> bool {
        match self {
            Self::Error => tracing::enabled!(tracing::Level::ERROR),
            Self::Warn => tracing::enabled!(tracing::Level::WARN),
            Self::Info => tracing::enabled!(tracing::Level::INFO),
            Self::Debug => tracing::enabled!(tracing::Level::DEBUG),
        }
    }
}

/// Tells notes, and how many of a kind were left untold.
#[derive(Debug)]
pub(super) struct Notes {
    limits: Vec<(Kind, Limit)>,
}

impl Notes {
    pub(super) const fn new() -> Self {
        Self { limits: Vec::new() }
    }

    /// Tells `note`, unless this minute has told enough of its kind.
    pub(super) fn tell(&mut self, now: Mono, note: &Note) {
        let kind = kind(note);
        if !kind.severity.is_enabled() {
            return;
        }
        self.pass(now);
        let known = self.limits.iter_mut().find(|(known, _)| known.what == kind.what);
        let allowed = match known {
            Some((_, limit)) => limit.allows(now),
            None => {
                let mut limit = Limit::new(kind.most);
                let allowed = limit.allows(now);
                self.limits.push((kind, limit));
                allowed
            }
        };
        if allowed {
            write(kind, note);
        }
    }

    /// Says how many were left out of every minute that is over.
    pub(super) fn pass(&mut self, now: Mono) {
        for (kind, limit) in &mut self.limits {
            if let Some(more) = limit.pass(now) {
                say!(kind, more);
            }
        }
    }
}

/// What is not known, or concerns everything, is a dash.
fn shown(value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn write(kind: Kind, note: &Note) {
    match *note {
        Note::UniverseRead { markets, active, watched } => say!(kind, markets, active, watched),
        Note::UniverseFailed { retry } => say!(kind, retry_ms = retry.as_millis()),
        Note::ParamChanged { coin, what } => say!(kind, coin = coin.as_str(), what),
        Note::NotListed { coin }
        | Note::Listed { coin }
        | Note::MarketOdd { coin }
        | Note::Halted { coin }
        | Note::Resumed { coin }
        | Note::SetAside { coin }
        | Note::Joined { coin }
        | Note::OiNearCap { coin } => say!(kind, coin = coin.as_str()),
        Note::Quarantined { coin, wait } => {
            say!(kind, coin = coin.as_str(), wait_ms = wait.as_millis());
        }
        Note::MarketsLeftOut { count, limit } => say!(kind, count, limit),
        Note::Connecting { attempt } => say!(kind, attempt),
        Note::Connected { subscriptions } => say!(kind, subscriptions),
        Note::Subscribed { subscriptions, took } => {
            say!(kind, subscriptions, took_ms = took.as_millis());
        }
        Note::LinkDown { cause, was_up, retry } => {
            let (was_up_ms, retry_ms) = (was_up.as_millis(), retry.as_millis());
            say!(kind, cause = cause.name(), was_up_ms, retry_ms);
        }
        Note::LinkSaid { words } => say!(kind, words = %words),
        Note::Ready { markets, set_aside } => say!(kind, markets, set_aside),
        Note::Gate { coin, gate } => {
            say!(kind, coin = coin.as_str(), gate = gate.map_or("none", |gate| gate.name()));
        }
        Note::CrossBegan { coin, side, edge, notional } => {
            let edge_bps = format!("{:.2}", edge.to_f64());
            let (coin, side) = (coin.as_str(), side.name());
            say!(kind, coin, side, edge_bps, notional = %notional);
        }
        Note::GapEnded { cause, lasted, markets } => {
            say!(kind, cause = cause.name(), lasted_ms = lasted.as_millis(), markets);
        }
        Note::VenueError { text } => say!(kind, text = %text),
        Note::Malformed { why, frame } => say!(kind, why, frame = %frame),
        Note::UnknownChannel { frame } => say!(kind, frame = %frame),
        Note::RowsLost { rows } => say!(kind, rows),
        Note::SignalsShed { shed } => say!(kind, shed),
        Note::Readiness { ready, waiting } => {
            let waiting: Vec<_> = waiting.reasons().collect();
            let missing: Vec<_> = ready
                .named()
                .into_iter()
                .filter(|(_, holds)| !holds)
                .map(|(name, _)| name)
                .collect();
            // The line of a trader that is ready says all there is to say.
            let (missing, waiting) = (missing.join(","), waiting.join(", "));
            match (missing.as_str(), waiting.as_str()) {
                ("", "") => say!(kind),
                ("", _) => say!(kind, waiting),
                (_, "") => say!(kind, missing),
                _ => say!(kind, missing, waiting),
            }
        }
        Note::HardStopSet { reason } | Note::HardStopReleased { reason } => {
            say!(kind, reason = reason.name());
        }
        Note::Operator { what } => say!(kind, what),
        Note::AccountRead { positions, available, budget_left } => {
            say!(kind, positions, available = %shown(available), budget_left);
        }
        Note::AccountFailed { retry } => say!(kind, retry_ms = retry.as_millis()),
        Note::OrderSent { coin, side, px, sz, purpose, cloid } => {
            let (coin, side, purpose) = (coin.as_str(), side.name(), purpose.name());
            say!(kind, coin, side, px = %px, sz = %sz, purpose, cloid = %cloid);
        }
        Note::OrderEnded { coin, cloid, outcome, filled, fee } => {
            let (coin, outcome) = (coin.as_str(), outcome.name());
            say!(kind, coin, outcome, filled = %filled, fee = %fee, cloid = %cloid);
        }
        Note::Refused { coin, cloid, refusal, words } => {
            let (coin, refusal) = (coin.as_str(), refusal.name());
            say!(kind, coin, refusal, words = %words, cloid = %cloid);
        }
        Note::FillsAssumed { coin, cloid, sz } => {
            say!(kind, coin = coin.as_str(), cloid = %cloid, sz = %sz);
        }
        Note::OrderInDoubt { coin, cloid } | Note::FillRowsMissing { coin, cloid } => {
            say!(kind, coin = coin.as_str(), cloid = %cloid);
        }
        Note::PositionOpened { coin, szi, px } | Note::PositionAdopted { coin, szi, px } => {
            say!(kind, coin = coin.as_str(), szi = %szi, px = %px);
        }
        Note::PositionClosed { coin, exit, net, fees, held } => {
            let (coin, exit, held_ms) = (coin.as_str(), exit.name(), held.as_millis());
            say!(kind, coin, exit, net = %net, fees = %fees, held_ms);
        }
        Note::ExitMissed { coin, exit, misses, reach } => {
            let reach_bps = format!("{:.0}", reach.to_f64());
            say!(kind, coin = coin.as_str(), exit = exit.name(), misses, reach_bps);
        }
        Note::ExitAtCollar { coin, misses } => say!(kind, coin = coin.as_str(), misses),
        Note::ExitPastCollar { coin, px } => say!(kind, coin = coin.as_str(), px = %px),
        Note::ExitByRest { coin, cloid } => say!(kind, coin = coin.as_str(), cloid = %cloid),
        Note::ForeignFill { coin, side, sz, px } => {
            say!(kind, coin = coin.as_str(), side = side.name(), sz = %sz, px = %px);
        }
        Note::PositionDiffers { coin, ours, theirs, reads } => {
            say!(kind, coin = coin.as_str(), ours = %ours, theirs = %theirs, reads);
        }
        Note::Suspended { coin, refusal, wait } => {
            let coin = shown(coin);
            say!(kind, coin = %coin, refusal = refusal.name(), wait_ms = wait.as_millis());
        }
        Note::BudgetLow { left } => say!(kind, left),
        Note::LeverageRefused { coin, words } => {
            say!(kind, coin = coin.as_str(), words = %words);
        }
        Note::SignerNotOurs { signer, role, account } => {
            say!(kind, signer = %signer, role = %role, account = %account);
        }
        Note::LossLimit(LossLimit { lost, limit, within }) => {
            say!(kind, lost = %lost, limit = %limit, within = within.name(), key = within.key());
        }
        Note::ClockSkew { ms } | Note::ClockRight { ms } => say!(kind, ms),
        Note::DataAge { age } => {
            say!(kind, waiting = age.waiting().collect::<Vec<_>>().join(","));
        }
        Note::Funding { coin, usd } => say!(kind, coin = coin.as_str(), usd = %usd),
        Note::Flattening { positions } | Note::LeftOpen { positions } => say!(kind, positions),
    }
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;

    use super::*;
    use crate::telemetry::log::tests::{Memory, lines};
    use crate::telemetry::log::{Screen, subscriber};
    use crate::types::config::{LogFormat, LogLevel};
    use crate::types::ids::{Coin, Sample};
    use crate::types::note::{DataAge, ReadyFlags};
    use crate::types::num::{Bps, Side, Usd};
    use crate::types::order::{Cloid, Refusal};
    use crate::types::ready::Waiting;
    use crate::types::record::Gate;
    use crate::types::time::Nanos;

    fn told(level: LogLevel, tell: impl FnOnce(&mut Notes)) -> Vec<String> {
        let memory = Memory::default();
        let screen = Screen::new(Box::new(memory.clone()), false);
        let subscriber = subscriber(&screen, level, LogFormat::Text, false);
        with_default(subscriber, || tell(&mut Notes::new()));
        lines(&memory)
    }

    #[test]
    fn every_note_is_one_line_as_severe_as_its_kind() {
        let coin = Coin::new("xyz:SILVER").unwrap();
        let (span, words) = (Nanos::from_secs(1), Sample::of(b"1000 Expired\x1b[2J\n"));
        let notes = [
            (Note::UniverseRead { markets: 3, active: 2, watched: 1 }, "INFO"),
            (Note::UniverseFailed { retry: span }, "WARN"),
            (Note::Listed { coin }, "INFO"),
            (Note::ParamChanged { coin, what: "fee" }, "WARN"),
            (Note::Halted { coin }, "WARN"),
            (Note::Resumed { coin }, "INFO"),
            (Note::MarketsLeftOut { count: 2, limit: 1 }, "WARN"),
            (Note::Connecting { attempt: 1 }, "INFO"),
            (Note::Connected { subscriptions: 2 }, "INFO"),
            (Note::Subscribed { subscriptions: 2, took: span }, "INFO"),
            (Note::LinkDown { cause: LinkDown::Silent, was_up: span, retry: span }, "WARN"),
            (Note::LinkDown { cause: LinkDown::Stopped, was_up: span, retry: span }, "INFO"),
            (Note::LinkSaid { words }, "INFO"),
            (Note::Ready { markets: 1, set_aside: 0 }, "INFO"),
            (Note::SetAside { coin }, "INFO"),
            (Note::Joined { coin }, "INFO"),
            (Note::Gate { coin, gate: Some(Gate::Halt) }, "DEBUG"),
            (Note::Gate { coin, gate: None }, "DEBUG"),
            (Note::OiNearCap { coin }, "INFO"),
            (
                Note::CrossBegan {
                    coin,
                    side: Side::Buy,
                    edge: Bps::from_int(12),
                    notional: Usd::from_units(50_000_000),
                },
                "DEBUG",
            ),
            (Note::GapEnded { cause: GapCause::Start, lasted: span, markets: 1 }, "INFO"),
            (Note::GapEnded { cause: GapCause::Storage, lasted: span, markets: 1 }, "WARN"),
            (Note::GapEnded { cause: GapCause::Paused, lasted: span, markets: 1 }, "WARN"),
            (Note::ClockSkew { ms: -3_600_000 }, "WARN"),
            (Note::ClockRight { ms: 3 }, "INFO"),
            (Note::DataAge { age: DataAge { feed_lag: true, ..DataAge::default() } }, "WARN"),
            (Note::DataAge { age: DataAge::default() }, "INFO"),
            (Note::VenueError { text: words }, "WARN"),
            (Note::Malformed { why: "x", frame: words }, "WARN"),
            (Note::NotListed { coin }, "WARN"),
            (Note::UnknownChannel { frame: words }, "WARN"),
            (Note::RowsLost { rows: 5 }, "WARN"),
            (Note::SignalsShed { shed: 6 }, "WARN"),
            (
                Note::Refused {
                    coin,
                    cloid: Cloid(7),
                    refusal: Refusal::Tick,
                    words: Sample::of(b"Price must be"),
                },
                "WARN",
            ),
            (Note::Readiness { ready: ReadyFlags::ALL, waiting: Waiting::default() }, "INFO"),
            (
                Note::Readiness {
                    ready: ReadyFlags::ALL,
                    waiting: Waiting { leverage: Some((0, 2)), budget: true, ..Waiting::default() },
                },
                "INFO",
            ),
        ];
        let lines = told(LogLevel::Debug, |told| {
            for (note, _) in &notes {
                told.tell(Mono(0), note);
            }
        });
        assert_eq!(lines.len(), notes.len(), "{lines:#?}");
        for (line, (note, severity)) in lines.iter().zip(notes) {
            assert!(line.contains(severity) && line.contains(kind(&note).what), "{line}");
            assert!(!line.contains('\u{1b}'), "{line:?}");
        }
        assert!(lines[19].contains("edge_bps=\"12.00\""), "{}", lines[19]);
        let of = |what: &str| lines.iter().find(|line| line.contains(what)).expect(what);
        let refused = of("refused coin=");
        assert!(refused.contains("coin=\"xyz:SILVER\" refusal=\"tick\""), "{refused}");
        assert!(refused.contains("cloid=0x00000000000000000000000000000007"), "{refused}");
        assert!(of("trading is ready").trim_end().ends_with("trading is ready"));
        assert!(of("entries wait waiting").contains("waiting=\"budget, leverage 0/2\""));
    }

    /// C10: the line that says that trading is ready names nothing that is missing.
    #[test]
    fn readiness_says_what_is_missing_and_nothing_when_nothing_is() {
        let ready = ReadyFlags::ALL;
        let lines = told(LogLevel::Info, |told| {
            told.tell(Mono(0), &Note::Readiness { ready, waiting: Waiting::default() });
            let ready = ReadyFlags { md_ready: false, ws_connected: false, ..ready };
            told.tell(Mono(0), &Note::Readiness { ready, waiting: Waiting::default() });
        });
        assert!(lines[0].trim_end().ends_with("trading is ready"), "{lines:?}");
        let missing = "trading is not ready missing=\"md_ready,ws_connected\"";
        assert!(lines[1].contains(missing), "{lines:?}");
    }

    #[test]
    fn a_storm_is_a_few_lines_and_a_count() {
        let lines = told(LogLevel::Info, |told| {
            for nth in 0..1_000 {
                told.tell(Mono(nth), &Note::VenueError { text: Sample::of(b"too many") });
            }
            told.tell(Mono(2_000), &Note::RowsLost { rows: 1 });
            told.pass(Mono(60_000_000_000));
            told.tell(Mono(60_000_000_001), &Note::VenueError { text: Sample::of(b"again") });
        });
        assert_eq!(lines.len(), FEW as usize + 3, "{lines:#?}");
        assert!(lines[FEW as usize].contains("rows LOST"), "another kind has its own limit");
        assert!(lines[FEW as usize + 1].contains("venue complains more=990"), "{lines:#?}");
        assert!(lines[FEW as usize + 2].contains("again"));
    }

    #[test]
    fn what_is_not_written_does_not_count() {
        let coin = Coin::new("xyz:SILVER").unwrap();
        let lines = told(LogLevel::Info, |told| {
            for _ in 0..2 * MANY {
                told.tell(Mono(0), &Note::Gate { coin, gate: None });
            }
            told.pass(Mono(60_000_000_000));
        });
        assert_eq!(lines, Vec::<String>::new());
    }
}
