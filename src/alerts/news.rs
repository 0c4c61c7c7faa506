//! What becomes an alert, how severe it is, and in which words. Pure: time is an argument.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use crate::types::event::LinkDown;
use crate::types::hard_stop::{HardStop, StopReason};
use crate::types::log_event::LogEvent;
use crate::types::losses::{LossLimit, LossSpan};
use crate::types::num::Usd;
use crate::types::record::Mode;
use crate::types::status::DataAge;
use crate::types::time::{Mono, Nanos, Now, VenueMs, Wall};

/// So many links lost within [`STORM_WINDOW`] are a storm.
const STORM: usize = 5;
const STORM_WINDOW: Nanos = Nanos::from_secs(600);
/// A difference that so many readings in a row confirm is told.
const LASTING_READS: u32 = 2;

const DAY_MS: i64 = 86_400_000;
/// An agent that expires within one of these is told of, once each.
const AGENT_LEFT_MS: [i64; 3] = [7 * DAY_MS, DAY_MS, 0];

/// Something that may be worth an alert.
#[derive(Clone, Debug, PartialEq)]
pub enum AlertEvent {
    /// The engine says so.
    LogEvent(LogEvent),
    /// A run begins; what its HardStop holds from a run before.
    Began {
        /// The run.
        run_id: String,
        /// Its mode.
        mode: Mode,
        /// The latch.
        hard_stop: HardStop,
    },
    /// A run has ended.
    Ended(Ended),
    /// Records cannot be stored.
    RecordsFailing {
        /// The error.
        error: String,
        /// Rows that wait in memory.
        waiting: u64,
        /// Rows that were dropped.
        dropped: u64,
    },
    /// They are stored again.
    RecordsStored,
    /// HardStop cannot be kept for the next run.
    LatchUnkept {
        /// The error.
        error: String,
    },
    /// It is kept again.
    LatchKept,
    /// The agent that signs is valid until then.
    Agent {
        /// Its name.
        name: String,
        /// The venue's word.
        until: VenueMs,
    },
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ended {
    /// Whether it traded, or was to.
    pub trading: bool,
    /// What went wrong; `None` when it ended in order.
    pub error: Option<String>,
    /// HardStop at the end.
    pub hard_stop: HardStop,
    /// Round trips.
    pub trades: u64,
    /// Profit after fees.
    pub net: Usd,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Severity {
    Info,
    Warning,
    Error,
}

impl Severity {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// What it is about. Names are a promise to receivers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    RunBegan,
    RunEnded,
    HardStop,
    HardStopReleased,
    ReconnectStorm,
    PositionDiffers,
    BudgetLow,
    AgentExpires,
    ExitStuck,
    LeftOpen,
    RecordsFailing,
    RecordsStored,
    RowsLost,
    DataOld,
    DataFresh,
    LatchUnkept,
    LatchKept,
    Test,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Kind::RunBegan => "run_began",
            Kind::RunEnded => "run_ended",
            Kind::HardStop => "hard_stop",
            Kind::HardStopReleased => "hard_stop_released",
            Kind::ReconnectStorm => "reconnect_storm",
            Kind::PositionDiffers => "position_differs",
            Kind::BudgetLow => "budget_low",
            Kind::AgentExpires => "agent_expires",
            Kind::ExitStuck => "exit_stuck",
            Kind::LeftOpen => "left_open",
            Kind::RecordsFailing => "records_failing",
            Kind::RecordsStored => "records_stored",
            Kind::RowsLost => "rows_lost",
            Kind::DataOld => "data_old",
            Kind::DataFresh => "data_fresh",
            Kind::LatchUnkept => "latch_unkept",
            Kind::LatchKept => "latch_kept",
            Kind::Test => "test",
        }
    }
}

/// One alert.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alert {
    pub(super) kind: Kind,
    /// What tells alerts of a kind apart that must not stand for each other; mostly empty.
    pub(super) subject: &'static str,
    pub(super) severity: Severity,
    pub(super) text: String,
    pub(super) details: Map<String, Value>,
    pub(super) at: Wall,
}

impl Alert {
    fn new(at: Wall, kind: Kind, severity: Severity, text: impl Into<String>) -> Self {
        let (text, details) = (text.into(), Map::new());
        Self { kind, subject: "", severity, text, details, at }
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// What `hip3 alert` sends.
    pub(super) fn test(at: Wall) -> Self {
        Self::new(at, Kind::Test, Severity::Info, "This is a test: alerts of hip3 arrive here.")
    }
}

/// Whether a log event may become an alert at all. The others, orders among them, are not handed on.
pub(super) const fn concerns(event: &LogEvent) -> bool {
    matches!(
        event,
        LogEvent::HardStopSet { .. }
            | LogEvent::HardStopReleased { .. }
            | LogEvent::SignerNotOurs { .. }
            | LogEvent::LossLimit(_)
            | LogEvent::LinkDown { .. }
            | LogEvent::PositionDiffers { .. }
            | LogEvent::BudgetLow { .. }
            | LogEvent::ExitAtCollar { .. }
            | LogEvent::ExitPastCollar { .. }
            | LogEvent::LeftOpen { .. }
            | LogEvent::RowsLost { .. }
            | LogEvent::DataAge { .. }
    )
}

/// Turns news into alerts; remembers what it takes to.
#[derive(Debug, Default)]
pub(super) struct AlertRules {
    /// When links were lost, the latest of them.
    lost: VecDeque<Mono>,
    /// Which of [`AGENT_LEFT_MS`] was told of last, for which end.
    agent: Option<(VenueMs, usize)>,
    /// What was said to lead to the stop for this reason, until that is told.
    cause: Option<(StopReason, String)>,
    /// What was too old last.
    age: DataAge,
}

impl AlertRules {
    /// The alert that `news` is worth, if any.
    pub(super) fn hear(&mut self, now: Now, news: AlertEvent) -> Option<Alert> {
        let at = now.wall;
        let alert = |kind, severity, text: String| Alert::new(at, kind, severity, text);
        Some(match news {
            AlertEvent::LogEvent(event) => return self.log_event(now, &event),
            AlertEvent::Began { mode: Mode::Observation, .. } => return None,
            AlertEvent::Began { mode: Mode::Trading, hard_stop, .. } => if hard_stop.active() {
                let text = format!(
                    "A run begins in trading mode, stopped: HardStop holds from a run before \
                         ({hard_stop}). Nothing is opened until it is released."
                );
                alert(Kind::RunBegan, Severity::Warning, text)
            } else {
                alert(Kind::RunBegan, Severity::Info, "A run begins in trading mode.".into())
            }
            .with("hard_stop", reasons(&hard_stop)),
            AlertEvent::Ended(ended) => return ended_run(at, &ended),
            AlertEvent::RecordsFailing { error, waiting, dropped } => {
                let text = format!(
                    "Records cannot be stored: {error}. {waiting} rows wait in memory, {dropped} were \
                     dropped."
                );
                alert(Kind::RecordsFailing, Severity::Error, text)
                    .with("error", error)
                    .with("rows_waiting", waiting)
                    .with("rows_dropped", dropped)
            }
            AlertEvent::RecordsStored => {
                alert(Kind::RecordsStored, Severity::Info, "Records are stored again.".into())
            }
            AlertEvent::LatchUnkept { error } => {
                let text =
                    format!("HardStop cannot be kept for the next run: {error}. Tried again.");
                alert(Kind::LatchUnkept, Severity::Error, text).with("error", error)
            }
            AlertEvent::LatchKept => {
                alert(Kind::LatchKept, Severity::Info, "HardStop is kept again.".into())
            }
            AlertEvent::Agent { name, until } => return self.agent(at, &name, until),
        })
    }

    fn log_event(&mut self, now: Now, event: &LogEvent) -> Option<Alert> {
        let at = now.wall;
        let alert = |kind, severity, text: String| Alert::new(at, kind, severity, text);
        Some(match *event {
            // The stop that follows is told with it.
            LogEvent::SignerNotOurs { signer, role, account } => {
                let what = format!("to the venue the signer {signer} of {account} is {role}");
                self.cause = Some((StopReason::SignatureRefused, what));
                return None;
            }
            LogEvent::LossLimit(LossLimit { lost, limit, within }) => {
                let span = match within {
                    LossSpan::Window => "within the window",
                    LossSpan::Day => "within the UTC day",
                };
                let what = format!("{lost} USD were lost {span}, and {} is {limit}", within.key());
                self.cause = Some((StopReason::Loss, what));
                return None;
            }
            LogEvent::HardStopSet { reason: StopReason::Reconnecting }
            | LogEvent::HardStopReleased { reason: StopReason::Reconnecting } => return None,
            LogEvent::HardStopSet { reason } => {
                let cause = self.cause.take_if(|(of, _)| *of == reason);
                let cause = cause.map_or_else(|| meaning(reason).to_owned(), |(_, what)| what);
                let text = format!(
                    "HardStop {} is set: {cause}. Nothing is opened until it is released; what is held \
                     is closed.",
                    reason.name(),
                );
                let set = alert(Kind::HardStop, Severity::Error, text);
                Alert { subject: reason.name(), ..set }.with("reason", reason.name())
            }
            LogEvent::HardStopReleased { reason } => {
                let text = format!("HardStop {} is released.", reason.name());
                let released = alert(Kind::HardStopReleased, Severity::Info, text);
                Alert { subject: reason.name(), ..released }.with("reason", reason.name())
            }
            LogEvent::LinkDown { cause: LinkDown::Stopped, .. } => return None,
            LogEvent::LinkDown { cause, .. } => return self.link_down(now, cause),
            LogEvent::PositionDiffers { reads, .. } if reads < LASTING_READS => return None,
            LogEvent::PositionDiffers { coin, ours, theirs, reads } => {
                let text = format!(
                    "Our position in {coin} and the venue's differ: {ours} against {theirs}, in {reads} \
                     readings in a row."
                );
                alert(Kind::PositionDiffers, Severity::Warning, text)
                    .with("coin", coin.as_str())
                    .with("ours", ours.to_string())
                    .with("theirs", theirs.to_string())
                    .with("reads", reads)
            }
            LogEvent::BudgetLow { left } => {
                let text = format!(
                    "The account's budget of requests is low: {left} are left, and only exits pass."
                );
                alert(Kind::BudgetLow, Severity::Warning, text).with("left", left)
            }
            LogEvent::ExitAtCollar { coin, misses } => {
                let text = format!(
                    "An exit in {coin} is stuck at its collar: {misses} have missed, and for now none may \
                     reach further."
                );
                alert(Kind::ExitStuck, Severity::Error, text)
                    .with("coin", coin.as_str())
                    .with("misses", misses)
            }
            LogEvent::ExitPastCollar { coin, px } => {
                let text = format!(
                    "An exit in {coin} was held back by its collar for 30 s. It is priced from the best \
                     quote now, down or up to {px}."
                );
                alert(Kind::ExitStuck, Severity::Error, text)
                    .with("coin", coin.as_str())
                    .with("px", px.to_string())
            }
            LogEvent::LeftOpen { positions } => {
                let text = format!("The run ends with {positions} positions open.");
                alert(Kind::LeftOpen, Severity::Error, text).with("positions", positions)
            }
            LogEvent::DataAge { age } => return self.data_age(at, age),
            LogEvent::RowsLost { rows } => {
                let text = format!("{rows} rows of the records were lost to a full ring.");
                alert(Kind::RowsLost, Severity::Error, text).with("rows", rows)
            }
            _ => return None,
        })
    }

    /// Readings that have failed for too long, and that come again. A late feed and a pause pass by
    /// themselves, and are no matter for a person.
    fn data_age(&mut self, at: Wall, age: DataAge) -> Option<Alert> {
        let before = std::mem::replace(&mut self.age, age);
        let [was, is] = [before, age].map(|age| (age.meta, age.account));
        if was == is {
            return None;
        }
        let old: Vec<&str> = [("meta_age", age.meta), ("account_age", age.account)]
            .into_iter()
            .filter(|(_, old)| *old)
            .map(|(name, _)| name)
            .collect();
        let (kind, severity, text) = if old.is_empty() {
            let text = "Venue and account are read again: entries go on.".to_owned();
            (Kind::DataFresh, Severity::Info, text)
        } else {
            let what = match (age.meta, age.account) {
                (true, true) => "Neither the venue nor the account",
                (true, false) => "The venue's markets and rules",
                _ => "The account",
            };
            let verb = if age.meta && age.account { "could" } else { "could not" };
            let text = format!("{what} {verb} be read for too long: entries wait for it.");
            (Kind::DataOld, Severity::Error, text)
        };
        Some(Alert::new(at, kind, severity, text).with("waiting", old))
    }

    /// A link was lost, or could not be made; told when it has become a storm, which then has to begin
    /// anew.
    fn link_down(&mut self, now: Now, cause: LinkDown) -> Option<Alert> {
        self.lost.push_back(now.mono);
        while self.lost.front().is_some_and(|at| now.mono.since(*at) > STORM_WINDOW) {
            self.lost.pop_front();
        }
        if self.lost.len() < STORM {
            return None;
        }
        self.lost.clear();
        let text = format!(
            "The link was lost, or could not be made, {STORM} times within 10 minutes; the last time: \
             {}.",
            cause.name()
        );
        let storm = Alert::new(now.wall, Kind::ReconnectStorm, Severity::Warning, text);
        Some(storm.with("links", STORM).with("cause", cause.name()))
    }

    /// The agent's end; told once at each step toward it.
    fn agent(&mut self, at: Wall, name: &str, until: VenueMs) -> Option<Alert> {
        let left = until.0.saturating_sub(at.0 / 1_000_000);
        let step = AGENT_LEFT_MS.iter().rposition(|within| left <= *within)?;
        // Another end is another agent of the name: told of anew.
        if self.agent.is_some_and(|(of, told)| of == until && told >= step) {
            return None;
        }
        self.agent = Some((until, step));
        let (severity, text) = match left {
            ..=0 => (
                Severity::Error,
                format!("The agent {name:?} has expired: the venue takes nothing that it signs."),
            ),
            left if left <= DAY_MS => (
                Severity::Error,
                format!("The agent {name:?} expires in {} hours.", left / 3_600_000),
            ),
            left => (
                Severity::Warning,
                format!("The agent {name:?} expires in {} days.", left / DAY_MS),
            ),
        };
        let alert = Alert::new(at, Kind::AgentExpires, severity, text);
        Some(alert.with("agent", name).with("valid_until_ms", until.0))
    }
}

fn ended_run(at: Wall, ended: &Ended) -> Option<Alert> {
    let Ended { trading, error, hard_stop, trades, net } = ended;
    let lasting = hard_stop.lasting();
    let (severity, text) = match error {
        Some(error) => (Severity::Error, format!("The run has failed: {error}.")),
        None if !trading => return None,
        None if lasting.active() => (
            Severity::Warning,
            format!(
                "The run has ended while HardStop holds ({lasting}): the next one begins stopped."
            ),
        ),
        None => (Severity::Info, "The run has ended in order.".to_owned()),
    };
    let text = match trading {
        true => format!("{text} {trades} round trips, {net} USD net."),
        false => text,
    };
    let alert = Alert::new(at, Kind::RunEnded, severity, text)
        .with("hard_stop", reasons(&lasting))
        .with("trades", *trades)
        .with("net_usd", net.to_string());
    Some(match error {
        Some(error) => alert.with("error", error.as_str()),
        None => alert,
    })
}

fn reasons(latch: &HardStop) -> Value {
    json!(latch.reasons().map(|(reason, _)| reason.name()).collect::<Vec<_>>())
}

/// A reason of HardStop in words.
const fn meaning(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Reconnecting => "the link dropped",
        StopReason::Operator => "an operator asked for it",
        StopReason::ConsecutiveFailures => "orders were refused in a row",
        StopReason::Loss => {
            "the loss within the window has reached risk_monitor.max_loss_usd, or that within the day \
             risk_monitor.max_daily_loss_usd"
        }
        StopReason::FlattenFailures => {
            "exits of a position in a row were refused, by our fault or for the state of the account"
        }
        StopReason::PositionMismatch => "our positions and the venue's differ, and it lasts",
        StopReason::SignatureRefused => "the venue does not know our signer, or not as ours",
        StopReason::NonceRefused => "the venue refuses our nonces",
        StopReason::ClockSkew => "our clock and the venue's differ",
        StopReason::StateUnreadable => "the file that keeps HardStop could not be read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ids::Coin;
    use crate::types::num::{Px, Szi};

    const SECOND: u64 = 1_000_000_000;

    fn at_s(s: u64) -> Now {
        let mono = Mono(s * SECOND);
        Now { mono, wall: Wall(1_795_348_800_000_000_000).plus(mono.since(Mono(0))) }
    }

    fn hear(watch: &mut AlertRules, s: u64, event: LogEvent) -> Option<Alert> {
        assert!(concerns(&event), "{event:?}");
        watch.hear(at_s(s), AlertEvent::LogEvent(event))
    }

    const DOWN: LogEvent =
        LogEvent::LinkDown { cause: LinkDown::Silent, was_up: Nanos::ZERO, retry: Nanos::ZERO };

    /// A17: the alert of a stop for losses says which limit was reached.
    #[test]
    fn a_stop_for_losses_says_which_limit_was_reached() {
        let usd = |text: &str| Usd::parse(text.as_bytes()).expect("an amount");
        let mut watch = AlertRules::default();
        let set = LogEvent::HardStopSet { reason: StopReason::Loss };
        for (within, words) in [
            (
                LossSpan::Day,
                "50.5 USD were lost within the UTC day, and risk_monitor.max_daily_loss_usd is 50",
            ),
            (
                LossSpan::Window,
                "50.5 USD were lost within the window, and risk_monitor.max_loss_usd is 50",
            ),
        ] {
            let limit = LossLimit { lost: usd("50.5"), limit: usd("50"), within };
            assert_eq!(hear(&mut watch, 0, LogEvent::LossLimit(limit)), None);
            let alert = hear(&mut watch, 0, set).expect("an alert");
            assert!(alert.text.contains(words), "{}", alert.text);
        }
        let alert = hear(&mut watch, 1, set).expect("an alert");
        assert!(alert.text.contains("max_daily_loss_usd"), "{}", alert.text);
    }

    #[test]
    fn every_reason_of_hard_stop_is_told_but_the_one_of_the_link() {
        for reason in StopReason::ALL {
            let mut watch = AlertRules::default();
            let told = [
                hear(&mut watch, 0, LogEvent::HardStopSet { reason: *reason }),
                hear(&mut watch, 1, LogEvent::HardStopReleased { reason: *reason }),
            ];
            if *reason == StopReason::Reconnecting {
                assert_eq!(told, [None, None]);
                continue;
            }
            let [Some(set), Some(released)] = told else { panic!("{reason:?} is told") };
            assert_eq!((set.severity, released.severity), (Severity::Error, Severity::Info));
            assert_eq!((set.subject, released.subject), (reason.name(), reason.name()));
            assert!(set.text.contains(meaning(*reason)), "{}", set.text);
        }
    }

    #[test]
    fn five_links_lost_within_ten_minutes_are_a_storm_and_it_has_to_begin_anew() {
        let mut watch = AlertRules::default();
        let told: Vec<bool> = (0..10).map(|n| hear(&mut watch, n * 150, DOWN).is_some()).collect();
        assert_eq!(told, [false, false, false, false, true, false, false, false, false, true]);
        // One every 151 s: five never fall into one window.
        let mut watch = AlertRules::default();
        assert!((0..50).all(|n| hear(&mut watch, n * 151, DOWN).is_none()));
        let stopped = LogEvent::LinkDown {
            cause: LinkDown::Stopped,
            was_up: Nanos::ZERO,
            retry: Nanos::ZERO,
        };
        assert!((0..50).all(|n| hear(&mut watch, 9_000 + n, stopped).is_none()));
    }

    #[test]
    fn a_difference_is_told_once_it_lasts() {
        let coin = Coin::new("xyz:TSLA").unwrap();
        let (ours, theirs) = (Szi::from_units(100_000_000), Szi::ZERO);
        let mut watch = AlertRules::default();
        let mut differs =
            |reads| hear(&mut watch, 0, LogEvent::PositionDiffers { coin, ours, theirs, reads });
        assert_eq!(differs(1), None);
        let told = differs(2).expect("an alert");
        assert_eq!((told.details["ours"].as_str(), &told.details["reads"]), (Some("1"), &json!(2)));
    }

    #[test]
    fn readings_that_fail_for_too_long_are_told_and_a_late_feed_is_not() {
        let mut watch = AlertRules::default();
        let mut told = |age| {
            let alert = hear(&mut watch, 0, LogEvent::DataAge { age })?;
            Some((alert.kind, alert.details["waiting"].clone()))
        };
        let (none, late) = (DataAge::default(), DataAge { feed_lag: true, ..DataAge::default() });
        let account = DataAge { account: true, ..late };
        assert_eq!(told(late), None);
        assert_eq!(told(account), Some((Kind::DataOld, json!(["account_age"]))));
        assert_eq!(told(DataAge { feed_lag: false, ..account }), None, "told already");
        let both = DataAge { meta: true, ..account };
        assert_eq!(told(both), Some((Kind::DataOld, json!(["meta_age", "account_age"]))));
        assert_eq!(told(none), Some((Kind::DataFresh, json!([]))));
        assert_eq!(told(late), None);
    }

    #[test]
    fn what_an_agent_has_left_is_told_once_a_step() {
        let now = at_s(0);
        let (now_ms, mut watch) = (now.wall.0 / 1_000_000, AlertRules::default());
        let mut look = |left_ms: i64, later_ms: i64| {
            let now = Now { wall: Wall(now.wall.0 + later_ms * 1_000_000), ..now };
            let until = VenueMs(now_ms + left_ms);
            let told = watch.hear(now, AlertEvent::Agent { name: "bot".into(), until });
            told.map(|alert| alert.severity)
        };
        const HOUR: i64 = 3_600_000;
        let end = 8 * DAY_MS;
        assert_eq!(look(end, 0), None);
        assert_eq!(look(end, DAY_MS), Some(Severity::Warning), "seven days are left");
        assert_eq!(look(end, DAY_MS + HOUR), None, "told already");
        assert_eq!(look(end, 7 * DAY_MS), Some(Severity::Error), "one day");
        assert_eq!(look(end, 7 * DAY_MS + HOUR), None);
        assert_eq!(look(end, 8 * DAY_MS), Some(Severity::Error), "expired");
        assert_eq!(look(end, 9 * DAY_MS), None);
        assert_eq!(look(end + 4 * DAY_MS, 9 * DAY_MS), Some(Severity::Warning), "a new end");
    }

    #[test]
    fn runs_are_told_in_trading_and_failures_always() {
        let mut watch = AlertRules::default();
        let mut hear = |news| watch.hear(at_s(0), news);
        let began = |mode, hard_stop| AlertEvent::Began { run_id: "r".into(), mode, hard_stop };
        let mut held = HardStop::default();
        held.set(StopReason::Loss, Wall(1));
        assert_eq!(hear(began(Mode::Observation, held)), None);
        let told = hear(began(Mode::Trading, HardStop::default())).expect("an alert");
        assert_eq!(told.severity, Severity::Info);
        let told = hear(began(Mode::Trading, held)).expect("an alert");
        assert!(told.severity == Severity::Warning && told.text.contains("Loss"), "{told:?}");

        let ended = |trading, error: Option<&str>, hard_stop| {
            let error = error.map(str::to_owned);
            AlertEvent::Ended(Ended { trading, error, hard_stop, ..Ended::default() })
        };
        assert_eq!(hear(ended(false, None, HardStop::default())), None);
        let severity = |told: Option<Alert>| told.map(|alert| alert.severity);
        assert_eq!(severity(hear(ended(false, Some("no disk"), held))), Some(Severity::Error));
        assert_eq!(severity(hear(ended(true, None, HardStop::default()))), Some(Severity::Info));
        assert_eq!(severity(hear(ended(true, None, held))), Some(Severity::Warning));
    }

    #[test]
    fn the_rest_is_told_as_it_comes() {
        let coin = Coin::new("xyz:TSLA").unwrap();
        let mut watch = AlertRules::default();
        for (event, kind) in [
            (LogEvent::BudgetLow { left: 7 }, Kind::BudgetLow),
            (LogEvent::ExitAtCollar { coin, misses: 4 }, Kind::ExitStuck),
            (LogEvent::ExitPastCollar { coin, px: Px::ZERO }, Kind::ExitStuck),
            (LogEvent::LeftOpen { positions: 2 }, Kind::LeftOpen),
            (LogEvent::RowsLost { rows: 9 }, Kind::RowsLost),
        ] {
            assert_eq!(hear(&mut watch, 0, event).map(|alert| alert.kind), Some(kind));
        }
        let error = || "disk full".to_owned();
        for (news, kind, severity) in [
            (
                AlertEvent::RecordsFailing { error: error(), waiting: 3, dropped: 0 },
                Kind::RecordsFailing,
                Severity::Error,
            ),
            (AlertEvent::RecordsStored, Kind::RecordsStored, Severity::Info),
            (AlertEvent::LatchUnkept { error: error() }, Kind::LatchUnkept, Severity::Error),
            (AlertEvent::LatchKept, Kind::LatchKept, Severity::Info),
        ] {
            let told = watch.hear(at_s(0), news).expect("an alert");
            assert_eq!((told.kind, told.severity), (kind, severity));
        }
        assert!(!concerns(&LogEvent::Gate { coin, gate: None }), "the others are not handed on");
    }
}
