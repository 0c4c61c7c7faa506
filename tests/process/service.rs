//! The program as a service: what it tells whoever started it.

use std::ffi::{OsStr, OsString};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use crate::harness::{lively_venue, start_as, write_config};

#[test]
fn the_service_manager_hears_of_the_start_of_each_beat_and_of_the_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("notify");
    hears_of_everything(&UnixDatagram::bind(&socket).expect("a socket"), socket.as_os_str());
}

/// C5: the same by a socket of Linux's abstract namespace.
#[cfg(target_os = "linux")]
#[test]
fn a_service_manager_behind_an_abstract_name_hears_the_same() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    let name = format!("hip3-test-{}/notify", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let manager = UnixDatagram::bind_addr(&address).expect("a socket");
    hears_of_everything(&manager, &OsString::from(format!("@{name}")));
}

/// C5: a manager that cannot be reached costs one line of the log, and the run goes on.
#[test]
fn a_service_manager_that_cannot_be_reached_is_told_of_once() {
    let (server, _tap) = lively_venue(12);
    let dir = tempfile::tempdir().expect("a directory");
    let config = write_config(dir.path(), &server);
    for address in ["/nonexistent/notify", "@hip3-nobody-listens-here", "vsock:2:1234"] {
        let log = dir.path().join("log");
        let _ = std::fs::remove_file(&log);
        let mut command = Command::new(env!("CARGO_BIN_EXE_hip3"));
        command.args(["run", "--duration", "4s", "--config", config.to_str().expect("a path")]);
        command.env("NOTIFY_SOCKET", address).env("WATCHDOG_USEC", "10000000");
        assert_eq!(start_as(&mut command, &log).end(), 0);
        let text = std::fs::read_to_string(&log).expect("a log");
        let told = text.matches("the service manager cannot be reached").count();
        assert_eq!(told, 1, "{address}:\n{text}");
    }
    server.stop();
}

/// C3: with SIGHUP and SIGINT ignored at the start, as by `nohup` and `&`, a run outlives both and still
/// ends in order at SIGTERM.
#[test]
fn what_was_ignored_at_the_start_does_not_end_a_run() {
    let (server, _tap) = lively_venue(13);
    let dir = tempfile::tempdir().expect("a directory");
    let config = write_config(dir.path(), &server);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP INT; exec \"$0\" run --config \"$1\""]);
    command.arg(env!("CARGO_BIN_EXE_hip3")).arg(&config);
    let mut run = start_as(&mut command, &dir.path().join("log"));
    run.wait_until("frames", || server.stats().frames > 100);
    for signal in ["HUP", "INT", "HUP", "INT"] {
        let kill = format!("kill -{signal} {}", run.pid());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
        let frames = server.stats().frames;
        run.wait_until("more frames", || server.stats().frames > frames + 100);
    }
    assert!(run.log().contains("signals=\"SIGINT, SIGHUP\""), "{}", run.log());
    assert_eq!(run.terminate(), 0);
    server.stop();
}

fn hears_of_everything(manager: &UnixDatagram, address: &OsStr) {
    let (server, _tap) = lively_venue(11);
    let dir = tempfile::tempdir().expect("a directory");
    let config = write_config(dir.path(), &server);
    manager.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let hear = || {
        let mut buffer = [0; 512];
        let len = manager.recv(&mut buffer).expect("a word");
        String::from_utf8_lossy(&buffer[..len]).trim().to_owned()
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_hip3"));
    command.args(["run", "--config", config.to_str().expect("a path")]);
    command.env("NOTIFY_SOCKET", address).env("WATCHDOG_USEC", "10000000");
    let run = start_as(&mut command, &dir.path().join("log"));

    assert_eq!(hear(), "READY=1");
    let (mut beats, mut seen) = (0, false);
    while beats < 2 || !seen {
        match hear().as_str() {
            "WATCHDOG=1" => beats += 1,
            // The last word on the markets; before they are there it says so.
            status => seen |= status.starts_with("STATUS=") && status.ends_with("all seen"),
        }
    }
    assert_eq!(run.terminate(), 0);
    loop {
        match hear().as_str() {
            "STOPPING=1" => break,
            word => assert!(word == "WATCHDOG=1" || word.starts_with("STATUS="), "{word}"),
        }
    }
    server.stop();
}
