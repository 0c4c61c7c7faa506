//! SIGINT, SIGTERM and SIGHUP (a terminal that went away): the first asks for an end in order, the second ends at once.
//!
//! Except those that whoever started the process had it ignore: `nohup` says by an ignored SIGHUP that the
//! process shall outlive its terminal, and a shell without job control by an ignored SIGINT that Ctrl-C is
//! not meant for what it started with `&`. SIGTERM is always heard: it is how an end in order is asked for.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether a stop was asked for. Clones see the same.
#[derive(Clone, Debug)]
pub struct Signals {
    stop: Arc<AtomicBool>,
    ignored: Vec<&'static str>,
}

impl Signals {
    /// Takes the signals over, SIGINT and SIGHUP unless they are ignored. From the second one on,
    /// whichever it is, they do what they do by default: the process dies of the signal, so that whoever
    /// started it can see why.
    pub fn install() -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let at_start = ignored_signals();
        let mut ignored = Vec::new();
        for (signal, name) in [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP")] {
            if signal != SIGTERM && at_start & bit(signal) != 0 {
                ignored.push(name);
                continue;
            }
            // In this order: the first signal finds the flag still down.
            flag::register_conditional_default(signal, Arc::clone(&stop))?;
            flag::register(signal, Arc::clone(&stop))?;
        }
        Ok(Self { stop, ignored })
    }

    /// Whether a signal has come. One atomic load, no system call.
    pub fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Names of the signals that were ignored at the start and so stay ignored.
    pub fn ignored(&self) -> &[&'static str] {
        &self.ignored
    }
}

/// The place of a signal in a set of signals: signal 1 is bit 0.
const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// The set of signals that this process ignores, as it was started; empty where it cannot be read. The
/// system call that tells is not among those that Rust offers without `unsafe`, so it is read from a file.
#[cfg(target_os = "linux")]
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    set_of(&status).unwrap_or(0)
}

/// The same where no file tells: every signal is taken over.
#[cfg(not(target_os = "linux"))]
fn ignored_signals() -> u64 {
    0
}

/// The set of ignored signals in a text of the form of `/proc/PID/status`.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux has such a text"))]
fn set_of(status: &str) -> Option<u64> {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    // Some systems have more than 64 signals; those beyond are not asked for.
    let set = set.trim();
    let low = set.get(set.len().saturating_sub(16)..)?;
    u64::from_str_radix(low, 16).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::env;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use signal_hook::low_level::raise;

    use super::*;

    const CHILD: &str = "HIP3_TEST_SIGNALS";

    /// Runs this very test in a process of its own that `ignored` are ignored in, where `signals` are
    /// raised. `None` when it ended well, else the signal that it died of.
    fn dies_of(test: &str, ignored: &str, signals: &str) -> Option<i32> {
        let name = format!("runtime::os::signals::tests::{test}");
        // Whoever runs the tests may ignore some as well.
        let status = Command::new("env")
            .args(["--default-signal=HUP,INT,TERM", &format!("--ignore-signal={ignored}")])
            .arg(env::current_exe().unwrap())
            .args(["--exact", &name])
            .env(CHILD, signals)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success() || status.signal().is_some(), "{status}");
        status.signal()
    }

    /// Raises the signals of the list; behind a dash those that must not be heard.
    fn raise_all(list: &str) {
        let signals = Signals::install().unwrap();
        assert!(!signals.stop_requested());
        let (heard, unheard) = list.split_once('-').unwrap_or((list, ""));
        let numbers =
            |list: &str| list.split_terminator(',').map(|n| n.parse().unwrap()).collect::<Vec<_>>();
        for signal in numbers(unheard) {
            raise(signal).unwrap();
            assert!(!signals.stop_requested(), "{signal}");
        }
        let distinct: BTreeSet<i32> = numbers(unheard).into_iter().collect();
        assert_eq!(signals.ignored().len(), distinct.len());
        for signal in numbers(heard) {
            raise(signal).unwrap();
            assert!(signals.clone().stop_requested());
        }
    }

    #[test]
    fn the_first_signal_asks_and_the_second_kills() {
        if let Ok(list) = env::var(CHILD) {
            return raise_all(&list);
        }
        let test = "the_first_signal_asks_and_the_second_kills";
        for one in [SIGINT, SIGTERM, SIGHUP] {
            assert_eq!(dies_of(test, "PIPE", &format!("{one}")), None);
        }
        assert_eq!(dies_of(test, "PIPE", &format!("{SIGTERM},{SIGTERM}")), Some(SIGTERM));
        assert_eq!(dies_of(test, "PIPE", &format!("{SIGTERM},{SIGINT}")), Some(SIGINT));
    }

    /// C3: SIGHUP and SIGINT that are ignored at the start stay ignored, and SIGTERM never does.
    #[test]
    fn what_was_ignored_at_the_start_stays_ignored() {
        if let Ok(list) = env::var(CHILD) {
            return raise_all(&list);
        }
        let test = "what_was_ignored_at_the_start_stays_ignored";
        assert_eq!(dies_of(test, "HUP", &format!("{SIGINT}-{SIGHUP},{SIGHUP}")), None);
        assert_eq!(dies_of(test, "INT", &format!("{SIGHUP}-{SIGINT}")), None);
        let both = format!("{SIGTERM}-{SIGHUP},{SIGINT},{SIGHUP}");
        assert_eq!(dies_of(test, "HUP,INT,TERM", &both), None);
    }

    #[test]
    fn the_set_of_ignored_signals_is_read_off_the_status() {
        let status =
            |set: &str| format!("Name:\thip3\nSigBlk:\tffff\nSigIgn:\t{set}\nSigCgt:\t0\n");
        assert_eq!(set_of(&status("0000000000000003")), Some(bit(SIGHUP) | bit(SIGINT)));
        assert_eq!(set_of(&status("00000000000000000000000000001001")), Some(bit(13) | bit(1)));
        assert_eq!(set_of(&status("")), None);
        assert_eq!(set_of("Name:\thip3\n"), None);
    }
}
