//! SIGINT, SIGTERM and SIGHUP (a terminal that went away): the first asks for an end in order, the second ends at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether a stop was asked for. Clones see the same.
#[derive(Clone, Debug)]
pub struct Signals {
    stop: Arc<AtomicBool>,
}

impl Signals {
    /// Takes the signals over. From the second one on, whichever it is, they do what they do by
    /// default: the process dies of the signal, so that whoever started it can see why.
    pub fn install() -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // In this order: the first signal finds the flag still down.
            flag::register_conditional_default(signal, Arc::clone(&stop))?;
            flag::register(signal, Arc::clone(&stop))?;
        }
        Ok(Self { stop })
    }

    /// Whether a signal has come. One atomic load, no system call.
    pub fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use signal_hook::low_level::raise;

    use super::*;

    const CHILD: &str = "HIP3_TEST_SIGNALS";

    /// Runs this very test in a process of its own, where `signals` are raised.
    fn dies_of(test: &str, signals: &str) -> Option<i32> {
        let name = format!("runtime::os::signals::tests::{test}");
        let status = Command::new(env::current_exe().unwrap())
            .args(["--exact", &name])
            .env(CHILD, signals)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success() || status.signal().is_some(), "{status}");
        status.signal()
    }

    fn raise_all(list: &str) {
        let signals = Signals::install().unwrap();
        assert!(!signals.stop_requested());
        for signal in list.split(',') {
            raise(signal.parse().unwrap()).unwrap();
            assert!(signals.clone().stop_requested());
        }
    }

    #[test]
    fn the_first_signal_asks_and_the_second_kills() {
        if let Ok(list) = env::var(CHILD) {
            return raise_all(&list);
        }
        let test = "the_first_signal_asks_and_the_second_kills";
        assert_eq!(dies_of(test, &format!("{SIGINT}")), None);
        assert_eq!(dies_of(test, &format!("{SIGTERM}")), None);
        assert_eq!(dies_of(test, &format!("{SIGTERM},{SIGTERM}")), Some(SIGTERM));
        assert_eq!(dies_of(test, &format!("{SIGTERM},{SIGINT}")), Some(SIGINT));
    }
}
