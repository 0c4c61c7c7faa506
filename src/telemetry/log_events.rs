//! The hot thread's events as log lines: severity, rate limit and text of each kind.

use crate::telemetry::limit::Limit;
use crate::types::event::LinkDown;
use crate::types::hard_stop::StopReason;
use crate::types::log_event::LogEvent;
use crate::types::losses::LossLimit;
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

/// What all events of one kind share.
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

const fn kind(event: &LogEvent) -> Kind {
    match event {
        LogEvent::UniverseRead { .. } => info("venue read", FEW),
        LogEvent::UniverseFailed { .. } => warn("venue cannot be read", FEW),
        LogEvent::NotListed { .. } => warn("venue.include names no active market", MARKETS),
        LogEvent::Listed { .. } => info("market listed", MARKETS),
        LogEvent::ParamChanged { .. } => warn("market rules changed", MARKETS),
        LogEvent::MarketOdd { .. } => {
            warn("market's entry cannot be read: no entries there", MARKETS)
        }
        LogEvent::Quarantined { .. } => {
            warn("the venue drops the link when this coin is subscribed: left alone", MARKETS)
        }
        LogEvent::Halted { .. } => warn("market halted", MARKETS),
        LogEvent::Resumed { .. } => info("market resumed", MARKETS),
        LogEvent::MarketsLeftOut { .. } => warn("more markets than can be watched", FEW),
        LogEvent::Connecting { .. } => info("connecting", FEW),
        LogEvent::Connected { .. } => info("connected", FEW),
        LogEvent::Subscribed { .. } => info("subscribed", FEW),
        LogEvent::LinkDown { cause: LinkDown::Stopped, .. } => info("link closed", FEW),
        LogEvent::LinkDown { .. } => warn("link down", FEW),
        LogEvent::LinkSaid { .. } => info("link ended with", FEW),
        LogEvent::Ready { .. } => info("ready", FEW),
        LogEvent::SetAside { .. } => info("market without data set aside", MARKETS),
        LogEvent::Joined { .. } => info("market has data now", MARKETS),
        LogEvent::Gate { .. } => debug("gate", MANY),
        LogEvent::OiNearCap { .. } => info("open interest near its cap", MARKETS),
        LogEvent::CrossBegan { .. } => debug("cross", MANY),
        LogEvent::GapEnded { cause: GapCause::RingOverflow | GapCause::Storage, .. } => {
            warn("rows are missing", FEW)
        }
        LogEvent::GapEnded { cause: GapCause::Paused, .. } => {
            warn("the process stood still: what has waited meanwhile is not fresh", FEW)
        }
        LogEvent::GapEnded { .. } => info("gap ended", FEW),
        LogEvent::VenueError { .. } => warn("venue complains", FEW),
        LogEvent::Malformed { .. } => warn("frame not understood", FEW),
        LogEvent::UnknownChannel { .. } => warn("frame of an unknown channel", FEW),
        LogEvent::RowsLost { .. } => warn("rows LOST to a full ring", FEW),
        LogEvent::SignalsShed { .. } => warn("signals SHED: too many wait for follow-ups", FEW),
        LogEvent::Readiness { ready, waiting } if ready.all() && !waiting.everywhere() => {
            info("trading is ready", MARKETS)
        }
        LogEvent::Readiness { ready, .. } if ready.all() => info("entries wait", MARKETS),
        LogEvent::Readiness { .. } => info("trading is not ready", MARKETS),
        LogEvent::HardStopSet { reason: StopReason::Reconnecting } => info("HardStop set", MARKETS),
        LogEvent::HardStopSet { .. } => error("HardStop set", MARKETS),
        LogEvent::HardStopReleased { .. } => info("HardStop released", MARKETS),
        LogEvent::Operator { .. } => info("operator", MARKETS),
        LogEvent::AccountRead { .. } => debug("account read", MANY),
        LogEvent::AccountFailed { .. } => warn("account cannot be read", FEW),
        LogEvent::OrderSent { .. } => info("order sent", MANY),
        LogEvent::OrderEnded { .. } => info("order ended", MANY),
        LogEvent::Refused { refusal, .. } if matches!(refusal.class(), RefusalClass::Miss) => {
            debug("order missed", MANY)
        }
        LogEvent::Refused { .. } => warn("refused", MARKETS),
        LogEvent::FillRowsMissing { .. } => {
            warn("an order filled and no row tells of it: the account is read", MARKETS)
        }
        LogEvent::FillsAssumed { .. } => {
            warn("fill recorded without its row, as the account shows it: fee unknown", MARKETS)
        }
        LogEvent::OrderInDoubt { .. } => warn("order in doubt: looked up", MARKETS),
        LogEvent::PositionOpened { .. } => info("position opened", MANY),
        LogEvent::PositionAdopted { .. } => warn("position found at the venue", MARKETS),
        LogEvent::PositionClosed { .. } => info("position closed", MANY),
        LogEvent::ExitMissed { .. } => warn("exit missed: the next reaches further", MARKETS),
        LogEvent::ExitAtCollar { .. } => error("exit is stuck at its collar", MARKETS),
        LogEvent::ExitPastCollar { .. } => error("exit goes past its collar", MARKETS),
        LogEvent::ExitByRest { .. } => warn("exit sent by REST: no link is open", MARKETS),
        LogEvent::ForeignFill { .. } => warn("fill of an order that is not ours", MARKETS),
        LogEvent::PositionDiffers { .. } => warn("our position and the venue's differ", MARKETS),
        LogEvent::Suspended { .. } => warn("entries suspended", MARKETS),
        LogEvent::BudgetLow { .. } => warn("address budget is low: only exits pass", FEW),
        LogEvent::SignerNotOurs { .. } => error("the signer may not act for the account", FEW),
        LogEvent::LossLimit(_) => error("a limit on losses is reached", FEW),
        LogEvent::LeverageRefused { .. } => warn("leverage refused: no entries there", MARKETS),
        LogEvent::ClockSkew { .. } => warn("our clock is wrong by the venue's time", FEW),
        LogEvent::ClockRight { .. } => info("our clock is right again", FEW),
        LogEvent::DataAge { age } if age.any() => warn("entries wait for fresh data", FEW),
        LogEvent::DataAge { .. } => info("data are fresh again", FEW),
        LogEvent::Funding { .. } => info("funding", MARKETS),
        LogEvent::Flattening { .. } => info("closing positions before the end", FEW),
        LogEvent::LeftOpen { .. } => error("the run ends with positions OPEN", FEW),
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

/// Logs events, and how many of a kind were suppressed.
#[derive(Debug)]
pub(super) struct LogEvents {
    limits: Vec<(Kind, Limit)>,
}

impl LogEvents {
    pub(super) const fn new() -> Self {
        Self { limits: Vec::new() }
    }

    /// Logs `event`, unless enough of its kind were logged this minute.
    pub(super) fn tell(&mut self, now: Mono, event: &LogEvent) {
        let kind = kind(event);
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
            write(kind, event);
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

fn write(kind: Kind, event: &LogEvent) {
    match *event {
        LogEvent::UniverseRead { markets, active, watched } => say!(kind, markets, active, watched),
        LogEvent::UniverseFailed { retry } => say!(kind, retry_ms = retry.as_millis()),
        LogEvent::ParamChanged { coin, what } => say!(kind, coin = coin.as_str(), what),
        LogEvent::NotListed { coin }
        | LogEvent::Listed { coin }
        | LogEvent::MarketOdd { coin }
        | LogEvent::Halted { coin }
        | LogEvent::Resumed { coin }
        | LogEvent::SetAside { coin }
        | LogEvent::Joined { coin }
        | LogEvent::OiNearCap { coin } => say!(kind, coin = coin.as_str()),
        LogEvent::Quarantined { coin, wait } => {
            say!(kind, coin = coin.as_str(), wait_ms = wait.as_millis());
        }
        LogEvent::MarketsLeftOut { count, limit } => say!(kind, count, limit),
        LogEvent::Connecting { attempt } => say!(kind, attempt),
        LogEvent::Connected { subscriptions } => say!(kind, subscriptions),
        LogEvent::Subscribed { subscriptions, took } => {
            say!(kind, subscriptions, took_ms = took.as_millis());
        }
        LogEvent::LinkDown { cause, was_up, retry } => {
            let (was_up_ms, retry_ms) = (was_up.as_millis(), retry.as_millis());
            say!(kind, cause = cause.name(), was_up_ms, retry_ms);
        }
        LogEvent::LinkSaid { words } => say!(kind, words = %words),
        LogEvent::Ready { markets, set_aside } => say!(kind, markets, set_aside),
        LogEvent::Gate { coin, gate } => {
            say!(kind, coin = coin.as_str(), gate = gate.map_or("none", |gate| gate.name()));
        }
        LogEvent::CrossBegan { coin, side, edge, notional } => {
            let edge_bps = format!("{:.2}", edge.to_f64());
            let (coin, side) = (coin.as_str(), side.name());
            say!(kind, coin, side, edge_bps, notional = %notional);
        }
        LogEvent::GapEnded { cause, lasted, markets } => {
            say!(kind, cause = cause.name(), lasted_ms = lasted.as_millis(), markets);
        }
        LogEvent::VenueError { text } => say!(kind, text = %text),
        LogEvent::Malformed { why, frame } => say!(kind, why, frame = %frame),
        LogEvent::UnknownChannel { frame } => say!(kind, frame = %frame),
        LogEvent::RowsLost { rows } => say!(kind, rows),
        LogEvent::SignalsShed { shed } => say!(kind, shed),
        LogEvent::Readiness { ready, waiting } => {
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
        LogEvent::HardStopSet { reason } | LogEvent::HardStopReleased { reason } => {
            say!(kind, reason = reason.name());
        }
        LogEvent::Operator { what } => say!(kind, what),
        LogEvent::AccountRead { positions, available, budget_left } => {
            say!(kind, positions, available = %shown(available), budget_left);
        }
        LogEvent::AccountFailed { retry } => say!(kind, retry_ms = retry.as_millis()),
        LogEvent::OrderSent { coin, side, px, sz, purpose, cloid } => {
            let (coin, side, purpose) = (coin.as_str(), side.name(), purpose.name());
            say!(kind, coin, side, px = %px, sz = %sz, purpose, cloid = %cloid);
        }
        LogEvent::OrderEnded { coin, cloid, outcome, filled, fee } => {
            let (coin, outcome) = (coin.as_str(), outcome.name());
            say!(kind, coin, outcome, filled = %filled, fee = %fee, cloid = %cloid);
        }
        LogEvent::Refused { coin, cloid, refusal, words } => {
            let (coin, refusal) = (coin.as_str(), refusal.name());
            say!(kind, coin, refusal, words = %words, cloid = %cloid);
        }
        LogEvent::FillsAssumed { coin, cloid, sz } => {
            say!(kind, coin = coin.as_str(), cloid = %cloid, sz = %sz);
        }
        LogEvent::OrderInDoubt { coin, cloid } | LogEvent::FillRowsMissing { coin, cloid } => {
            say!(kind, coin = coin.as_str(), cloid = %cloid);
        }
        LogEvent::PositionOpened { coin, szi, px }
        | LogEvent::PositionAdopted { coin, szi, px } => {
            say!(kind, coin = coin.as_str(), szi = %szi, px = %px);
        }
        LogEvent::PositionClosed { coin, exit, net, fees, held } => {
            let (coin, exit, held_ms) = (coin.as_str(), exit.name(), held.as_millis());
            say!(kind, coin, exit, net = %net, fees = %fees, held_ms);
        }
        LogEvent::ExitMissed { coin, exit, misses, reach } => {
            let reach_bps = format!("{:.0}", reach.to_f64());
            say!(kind, coin = coin.as_str(), exit = exit.name(), misses, reach_bps);
        }
        LogEvent::ExitAtCollar { coin, misses } => say!(kind, coin = coin.as_str(), misses),
        LogEvent::ExitPastCollar { coin, px } => say!(kind, coin = coin.as_str(), px = %px),
        LogEvent::ExitByRest { coin, cloid } => say!(kind, coin = coin.as_str(), cloid = %cloid),
        LogEvent::ForeignFill { coin, side, sz, px } => {
            say!(kind, coin = coin.as_str(), side = side.name(), sz = %sz, px = %px);
        }
        LogEvent::PositionDiffers { coin, ours, theirs, reads } => {
            say!(kind, coin = coin.as_str(), ours = %ours, theirs = %theirs, reads);
        }
        LogEvent::Suspended { coin, refusal, wait } => {
            let coin = shown(coin);
            say!(kind, coin = %coin, refusal = refusal.name(), wait_ms = wait.as_millis());
        }
        LogEvent::BudgetLow { left } => say!(kind, left),
        LogEvent::LeverageRefused { coin, words } => {
            say!(kind, coin = coin.as_str(), words = %words);
        }
        LogEvent::SignerNotOurs { signer, role, account } => {
            say!(kind, signer = %signer, role = %role, account = %account);
        }
        LogEvent::LossLimit(LossLimit { lost, limit, within }) => {
            say!(kind, lost = %lost, limit = %limit, within = within.name(), key = within.key());
        }
        LogEvent::ClockSkew { ms } | LogEvent::ClockRight { ms } => say!(kind, ms),
        LogEvent::DataAge { age } => {
            say!(kind, waiting = age.waiting().collect::<Vec<_>>().join(","));
        }
        LogEvent::Funding { coin, usd } => say!(kind, coin = coin.as_str(), usd = %usd),
        LogEvent::Flattening { positions } | LogEvent::LeftOpen { positions } => {
            say!(kind, positions);
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;

    use super::*;
    use crate::telemetry::log::tests::{Memory, lines};
    use crate::telemetry::log::{Screen, subscriber};
    use crate::types::config::{LogFormat, LogLevel};
    use crate::types::ids::{Coin, Excerpt};
    use crate::types::num::{Bps, Side, Usd};
    use crate::types::order::{Cloid, Refusal};
    use crate::types::ready::Waiting;
    use crate::types::record::Gate;
    use crate::types::status::{DataAge, ReadyFlags};
    use crate::types::time::Nanos;

    fn told(level: LogLevel, tell: impl FnOnce(&mut LogEvents)) -> Vec<String> {
        let memory = Memory::default();
        let screen = Screen::new(Box::new(memory.clone()), false);
        let subscriber = subscriber(&screen, level, LogFormat::Text, false);
        with_default(subscriber, || tell(&mut LogEvents::new()));
        lines(&memory)
    }

    #[test]
    fn every_note_is_one_line_as_severe_as_its_kind() {
        let coin = Coin::new("xyz:SILVER").unwrap();
        let (span, words) = (Nanos::from_secs(1), Excerpt::of(b"1000 Expired\x1b[2J\n"));
        let events = [
            (LogEvent::UniverseRead { markets: 3, active: 2, watched: 1 }, "INFO"),
            (LogEvent::UniverseFailed { retry: span }, "WARN"),
            (LogEvent::Listed { coin }, "INFO"),
            (LogEvent::ParamChanged { coin, what: "fee" }, "WARN"),
            (LogEvent::Halted { coin }, "WARN"),
            (LogEvent::Resumed { coin }, "INFO"),
            (LogEvent::MarketsLeftOut { count: 2, limit: 1 }, "WARN"),
            (LogEvent::Connecting { attempt: 1 }, "INFO"),
            (LogEvent::Connected { subscriptions: 2 }, "INFO"),
            (LogEvent::Subscribed { subscriptions: 2, took: span }, "INFO"),
            (LogEvent::LinkDown { cause: LinkDown::Silent, was_up: span, retry: span }, "WARN"),
            (LogEvent::LinkDown { cause: LinkDown::Stopped, was_up: span, retry: span }, "INFO"),
            (LogEvent::LinkSaid { words }, "INFO"),
            (LogEvent::Ready { markets: 1, set_aside: 0 }, "INFO"),
            (LogEvent::SetAside { coin }, "INFO"),
            (LogEvent::Joined { coin }, "INFO"),
            (LogEvent::Gate { coin, gate: Some(Gate::Halt) }, "DEBUG"),
            (LogEvent::Gate { coin, gate: None }, "DEBUG"),
            (LogEvent::OiNearCap { coin }, "INFO"),
            (
                LogEvent::CrossBegan {
                    coin,
                    side: Side::Buy,
                    edge: Bps::from_int(12),
                    notional: Usd::from_units(50_000_000),
                },
                "DEBUG",
            ),
            (LogEvent::GapEnded { cause: GapCause::Start, lasted: span, markets: 1 }, "INFO"),
            (LogEvent::GapEnded { cause: GapCause::Storage, lasted: span, markets: 1 }, "WARN"),
            (LogEvent::GapEnded { cause: GapCause::Paused, lasted: span, markets: 1 }, "WARN"),
            (LogEvent::ClockSkew { ms: -3_600_000 }, "WARN"),
            (LogEvent::ClockRight { ms: 3 }, "INFO"),
            (LogEvent::DataAge { age: DataAge { feed_lag: true, ..DataAge::default() } }, "WARN"),
            (LogEvent::DataAge { age: DataAge::default() }, "INFO"),
            (LogEvent::VenueError { text: words }, "WARN"),
            (LogEvent::Malformed { why: "x", frame: words }, "WARN"),
            (LogEvent::NotListed { coin }, "WARN"),
            (LogEvent::UnknownChannel { frame: words }, "WARN"),
            (LogEvent::RowsLost { rows: 5 }, "WARN"),
            (LogEvent::SignalsShed { shed: 6 }, "WARN"),
            (
                LogEvent::Refused {
                    coin,
                    cloid: Cloid(7),
                    refusal: Refusal::Tick,
                    words: Excerpt::of(b"Price must be"),
                },
                "WARN",
            ),
            (LogEvent::Readiness { ready: ReadyFlags::ALL, waiting: Waiting::default() }, "INFO"),
            (
                LogEvent::Readiness {
                    ready: ReadyFlags::ALL,
                    waiting: Waiting { leverage: Some((0, 2)), budget: true, ..Waiting::default() },
                },
                "INFO",
            ),
        ];
        let lines = told(LogLevel::Debug, |told| {
            for (event, _) in &events {
                told.tell(Mono(0), event);
            }
        });
        assert_eq!(lines.len(), events.len(), "{lines:#?}");
        for (line, (event, severity)) in lines.iter().zip(events) {
            assert!(line.contains(severity) && line.contains(kind(&event).what), "{line}");
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
            told.tell(Mono(0), &LogEvent::Readiness { ready, waiting: Waiting::default() });
            let ready = ReadyFlags { md_ready: false, ws_connected: false, ..ready };
            told.tell(Mono(0), &LogEvent::Readiness { ready, waiting: Waiting::default() });
        });
        assert!(lines[0].trim_end().ends_with("trading is ready"), "{lines:?}");
        let missing = "trading is not ready missing=\"md_ready,ws_connected\"";
        assert!(lines[1].contains(missing), "{lines:?}");
    }

    #[test]
    fn a_storm_is_a_few_lines_and_a_count() {
        let lines = told(LogLevel::Info, |told| {
            for nth in 0..1_000 {
                told.tell(Mono(nth), &LogEvent::VenueError { text: Excerpt::of(b"too many") });
            }
            told.tell(Mono(2_000), &LogEvent::RowsLost { rows: 1 });
            told.pass(Mono(60_000_000_000));
            told.tell(Mono(60_000_000_001), &LogEvent::VenueError { text: Excerpt::of(b"again") });
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
                told.tell(Mono(0), &LogEvent::Gate { coin, gate: None });
            }
            told.pass(Mono(60_000_000_000));
        });
        assert_eq!(lines, Vec::<String>::new());
    }
}
