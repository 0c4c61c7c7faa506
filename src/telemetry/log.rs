//! Where log lines go: one writer that knows of the status line.

use std::cell::Cell;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::types::config::{LogFormat, LogLevel, Telemetry};
use crate::types::time::{DAY_NS, Wall};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[error("a log is set up already")]
pub struct InitError;

/// Sets the process's log up: to stderr, as the config says, with colors if `color`. The status
/// line is drawn when stderr is a terminal and the log is for people.
///
/// Errors: when something in this process has set a log up before.
pub fn init(settings: &Telemetry, color: bool) -> Result<Screen, InitError> {
    let draws = settings.log_format == LogFormat::Text && io::stderr().is_terminal();
    let screen = Screen::new(Box::new(io::stderr()), draws);
    let subscriber = subscriber(&screen, settings.log_level, settings.log_format, color);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| InitError)?;
    Ok(screen)
}

pub(super) fn subscriber(
    screen: &Screen,
    level: LogLevel,
    format: LogFormat,
    color: bool,
) -> Box<dyn Subscriber + Send + Sync> {
    let builder = tracing_subscriber::fmt()
        .with_max_level(level_filter(level))
        .with_target(false)
        .with_timer(Dated)
        // A log that nobody reads any more is no reason to stop, and least of all to panic.
        .log_internal_errors(false)
        .with_ansi(color && format == LogFormat::Text)
        .with_writer(screen.clone());
    match format {
        LogFormat::Text => Box::new(builder.finish()),
        LogFormat::Json => {
            let json = builder.json().flatten_event(true);
            Box::new(json.with_current_span(false).with_span_list(false).finish())
        }
    }
}

thread_local! {
    /// When what this thread is putting into words has happened; `None` is now.
    static HAPPENED: Cell<Option<Wall>> = const { Cell::new(None) };
}

/// Lets `tell` write lines of what happened at `at`.
pub(super) fn at(at: Wall, tell: impl FnOnce()) {
    HAPPENED.set(Some(at));
    tell();
    HAPPENED.set(None);
}

/// The time of a line: of what it tells, in UTC with microseconds.
struct Dated;

impl FormatTime for Dated {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let at = HAPPENED.get().unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Wall(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
        });
        let (year, month, day) = at.day().civil();
        let us = at.0.rem_euclid(DAY_NS) / 1_000;
        let (s, us) = (us / 1_000_000, us % 1_000_000);
        let (hour, minute, second) = (s / 3_600, s / 60 % 60, s % 60);
        write!(w, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{us:06}Z")
    }
}

const fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Back to the line's begin, and clear it.
const CLEAR: &str = "\r\x1b[2K";

/// What log lines and the status line are written to. Clones write to the same place.
///
/// The status line is the last line of the terminal, without a newline. A log line takes its place
/// and the status line is drawn again below, in one write, so that nothing flickers.
#[derive(Clone)]
pub struct Screen {
    inner: Arc<Mutex<Inner>>,
    draws: bool,
}

struct Inner {
    out: Box<dyn Write + Send>,
    /// The status line as drawn; empty when there is none.
    status: String,
    buffer: Vec<u8>,
}

impl Screen {
    pub(super) fn new(out: Box<dyn Write + Send>, draws: bool) -> Self {
        let inner = Inner { out, status: String::new(), buffer: Vec::new() };
        Self { inner: Arc::new(Mutex::new(inner)), draws }
    }

    /// Whether there is a terminal to draw a status line on.
    pub fn draws(&self) -> bool {
        self.draws
    }

    /// Draws `text`, one line of printable characters, in place of the last status line.
    pub(super) fn draw(&self, text: &str) {
        let mut inner = self.lock();
        // A terminal that is too narrow cuts the line instead of wrapping it, since only one line
        // can be cleared.
        inner.status = format!("{CLEAR}\x1b[?7l{text}\x1b[?7h");
        let Inner { out, status, .. } = &mut *inner;
        // A log that cannot be written is no reason to stop.
        let _ = out.write_all(status.as_bytes()).and_then(|()| out.flush());
    }

    /// Takes the status line away.
    pub(super) fn clear(&self) {
        let mut inner = self.lock();
        if !inner.status.is_empty() {
            inner.status.clear();
            let _ = inner.out.write_all(CLEAR.as_bytes());
            let _ = inner.out.flush();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A writer that panicked leaves at worst half a line.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").field("draws", &self.draws).finish_non_exhaustive()
    }
}

/// Writes log lines; each call of `write` is one whole line or several.
#[derive(Debug)]
pub struct LineWriter<'a>(&'a Screen);

impl Write for LineWriter<'_> {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.lock();
        let Inner { out, status, buffer } = &mut *inner;
        // What cannot be written is gone: nobody could be told.
        let _ = if status.is_empty() {
            out.write_all(lines)
        } else {
            buffer.clear();
            buffer.extend_from_slice(CLEAR.as_bytes());
            buffer.extend_from_slice(lines);
            buffer.extend_from_slice(status.as_bytes());
            out.write_all(buffer)
        };
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().out.flush()
    }
}

impl<'a> MakeWriter<'a> for Screen {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter(self)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A terminal that only remembers.
    #[derive(Clone, Default)]
    pub(in crate::telemetry) struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Memory {
        pub(in crate::telemetry) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(in crate::telemetry) fn lines(memory: &Memory) -> Vec<String> {
        memory.text().lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_below_the_level_are_not_written() {
        let memory = Memory::default();
        let screen = Screen::new(Box::new(memory.clone()), false);
        let subscriber = subscriber(&screen, LogLevel::Warn, LogFormat::Text, false);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("quiet");
            tracing::warn!("loud");
        });
        let lines = lines(&memory);
        assert!(lines.len() == 1 && lines[0].contains("loud"), "{lines:?}");
    }
}
