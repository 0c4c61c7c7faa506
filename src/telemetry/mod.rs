//! What people see while it runs: the log and the status line. A cold thread takes the hot
//! thread's events and counters from rings and puts them into words; nothing here is ever waited
//! for, and no secret ever comes here.

pub mod dumps;
mod limit;
mod log;
mod log_events;
mod status;

use std::io;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use self::log::{InitError, Screen, init};
use self::log_events::LogEvents;
use self::status::Line;
use crate::types::log_event::TimedLogEvent;
use crate::types::source::Source;
use crate::types::status::Status;
use crate::types::time::{Mono, Nanos};

/// How long the thread sleeps when nothing waits: less than people notice.
const NAP: Duration = Duration::from_millis(10);

/// Starts the thread. It runs on the core of its caller's thread, and ends once both sources are
/// closed and empty, with the last counters as a line of the log. `each` sees every event.
pub fn spawn(
    screen: Screen,
    events: impl Source<TimedLogEvent> + Send + 'static,
    statuses: impl Source<Status> + Send + 'static,
    each: impl FnMut(&TimedLogEvent) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("telemetry".to_owned()).spawn(move || {
        let began = Instant::now();
        let mut teller = Teller::new(screen, events, statuses, each);
        let now = || Mono(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        while teller.turn(now()) {
            thread::sleep(NAP);
        }
        teller.finish(now());
    })
}

/// The thread's work, with the time as an argument.
struct Teller<N, S, E> {
    screen: Screen,
    events: N,
    statuses: S,
    each: E,
    told: LogEvents,
    line: Line,
}

impl<N: Source<TimedLogEvent>, S: Source<Status>, E: FnMut(&TimedLogEvent)> Teller<N, S, E> {
    fn new(screen: Screen, events: N, statuses: S, each: E) -> Self {
        Self { screen, events, statuses, each, told: LogEvents::new(), line: Line::new() }
    }

    /// Tells what waits; `false` once nothing will come any more.
    fn turn(&mut self, now: Mono) -> bool {
        // Asked first: what a closed source still holds is all it will ever hold.
        let closed = self.events.closed() && self.statuses.closed();
        while let Some(told) = self.events.take() {
            log::at(told.at, || self.told.tell(now, &told.event));
            (self.each)(&told);
        }
        self.told.pass(now);
        while let Some(status) = self.statuses.take() {
            self.line.update(now, &status);
        }
        if self.screen.draws() {
            if let Some(text) = self.line.draw_due(now) {
                self.screen.draw(&text);
            }
        } else if self.line.log_due(now) {
            self.line.log();
        }
        !closed
    }

    fn finish(&mut self, now: Mono) {
        self.told.pass(now.plus(Nanos::from_secs(3_600)));
        self.screen.clear();
        self.line.log();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tracing::subscriber::with_default;

    use super::log::tests::{Memory, lines};
    use super::*;
    use crate::types::config::{LogFormat, LogLevel};
    use crate::types::event::LinkDown;
    use crate::types::ids::Coin;
    use crate::types::log_event::LogEvent;
    use crate::types::status::LinkState;
    use crate::types::time::Wall;

    /// A source of what is put in.
    struct Given<T>(VecDeque<T>, bool);

    impl<T> Source<T> for Given<T> {
        fn take(&mut self) -> Option<T> {
            self.0.pop_front()
        }

        fn closed(&self) -> bool {
            self.1
        }
    }

    fn teller(screen: &Screen) -> Teller<Given<TimedLogEvent>, Given<Status>, fn(&TimedLogEvent)> {
        let (events, statuses) = (Given(VecDeque::new(), false), Given(VecDeque::new(), false));
        Teller::new(screen.clone(), events, statuses, |_| {})
    }

    const DOWN: TimedLogEvent = TimedLogEvent {
        at: Wall(1_795_348_800_123_456_789),
        event: LogEvent::LinkDown {
            cause: LinkDown::Closed,
            was_up: Nanos::from_secs(61),
            retry: Nanos::from_millis(250),
        },
    };

    #[test]
    fn json_lines_have_fields() {
        let memory = Memory::default();
        let screen = Screen::new(Box::new(memory.clone()), false);
        let subscriber = log::subscriber(&screen, LogLevel::Info, LogFormat::Json, false);
        with_default(subscriber, || {
            let mut teller = teller(&screen);
            teller.events.0.push_back(DOWN);
            teller.statuses.0.push_back(Status { markets: 40, live: 38, ..Status::default() });
            assert!(teller.turn(Mono(1)));
        });
        let parsed: Vec<serde_json::Value> = lines(&memory)
            .iter()
            .map(|line| serde_json::from_str(line).expect("one object a line"))
            .collect();
        assert_eq!(parsed.len(), 2, "{parsed:?}");
        assert_eq!(parsed[0]["level"], "WARN");
        assert_eq!(parsed[0]["message"], "link down");
        assert_eq!(parsed[0]["cause"], "closed");
        assert_eq!(
            (&parsed[0]["was_up_ms"], &parsed[0]["retry_ms"]),
            (&61_000.into(), &250.into())
        );
        assert_eq!(parsed[1]["message"], "status");
        assert_eq!((&parsed[1]["markets"], &parsed[1]["live"]), (&40.into(), &38.into()));
        assert!(parsed.iter().all(|line| line["timestamp"].is_string()));
    }

    /// C9: a line carries the time of what it tells, not of when it was written.
    #[test]
    fn a_note_is_dated_when_it_was_made_and_other_lines_when_they_are_written() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let memory = Memory::default();
            let screen = Screen::new(Box::new(memory.clone()), false);
            let subscriber = log::subscriber(&screen, LogLevel::Info, format, false);
            with_default(subscriber, || {
                let mut teller = teller(&screen);
                teller.events.0.push_back(DOWN);
                teller.turn(Mono(1));
                tracing::info!("by another thread");
            });
            let lines = lines(&memory);
            assert!(lines[0].contains("2026-11-22T12:00:00.123456Z"), "{lines:?}");
            let last = lines.last().expect("a line");
            assert!(!last.contains("2026-11-22T12:00:00.123456Z"), "{lines:?}");
            assert!(last.contains("by another thread"), "{lines:?}");
        }
    }

    #[test]
    fn without_a_terminal_the_status_is_a_line_each_ten_seconds() {
        let memory = Memory::default();
        let screen = Screen::new(Box::new(memory.clone()), false);
        let subscriber = log::subscriber(&screen, LogLevel::Info, LogFormat::Text, false);
        with_default(subscriber, || {
            let mut teller = teller(&screen);
            for second in 0..=25 {
                teller.statuses.0.push_back(Status { frames: second * 100, ..Status::default() });
                teller.turn(Mono(second * 1_000_000_000));
            }
        });
        let lines = lines(&memory);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[2].contains("frames_per_s=100"), "{lines:?}");
        assert!(!lines.concat().contains('\u{1b}'), "{lines:?}");
    }

    #[test]
    fn log_lines_do_not_garble_the_status_line() {
        let memory = Memory::default();
        let screen = Screen::new(Box::new(memory.clone()), true);
        let subscriber = log::subscriber(&screen, LogLevel::Info, LogFormat::Text, false);
        with_default(subscriber, || {
            let mut teller = teller(&screen);
            let status = Status { link: LinkState::Live, markets: 3, live: 3, ..Status::default() };
            teller.statuses.0.push_back(status);
            teller.turn(Mono(0));
            let drawn = memory.text();
            assert!(drawn.contains("3/3 markets") && !drawn.ends_with('\n'), "{drawn:?}");

            let coin = Coin::new("xyz:SILVER").unwrap();
            teller.events.0.push_back(TimedLogEvent { event: LogEvent::Listed { coin }, ..DOWN });
            teller.turn(Mono(1));
            let after = memory.text().split_off(drawn.len());
            let (line, redrawn) = after.split_once('\n').unwrap();
            assert!(line.starts_with("\r\u{1b}[2K") && line.contains("xyz:SILVER"), "{after:?}");
            assert!(redrawn.contains("3/3 markets"), "drawn again: {after:?}");

            teller.finish(Mono(2));
            assert!(memory.text().ends_with('\n'), "the prompt comes on a line of its own");
        });
    }

    #[test]
    fn it_ends_once_both_sources_are_closed_and_empty() {
        let memory = Memory::default();
        let screen = Screen::new(Box::new(memory.clone()), false);
        let subscriber = log::subscriber(&screen, LogLevel::Info, LogFormat::Text, false);
        with_default(subscriber, || {
            let mut teller = teller(&screen);
            teller.events.1 = true;
            assert!(teller.turn(Mono(0)));
            teller.statuses.1 = true;
            teller.events.0.push_back(DOWN);
            assert!(!teller.turn(Mono(1)));
        });
        assert_eq!(lines(&memory).len(), 1, "what was left is told");
    }

    #[test]
    fn the_thread_ends_with_its_sources() {
        let (events, statuses) =
            (Given(VecDeque::from([DOWN]), true), Given(VecDeque::new(), true));
        let screen = Screen::new(Box::new(Memory::default()), false);
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        let each = move |_: &TimedLogEvent| _ = count.fetch_add(1, Ordering::Relaxed);
        spawn(screen, events, statuses, each).unwrap().join().unwrap();
        assert_eq!(seen.load(Ordering::Relaxed), 1, "and every event was seen");
    }
}
