//! The program as a service: what it tells whoever started it.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use crate::harness::{lively_venue, start_as, write_config};

#[test]
fn the_service_manager_hears_of_the_start_of_each_beat_and_of_the_end() {
    let (server, _tap) = lively_venue(11);
    let dir = tempfile::tempdir().expect("a directory");
    let config = write_config(dir.path(), &server);
    let socket = dir.path().join("notify");
    let manager = UnixDatagram::bind(&socket).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let hear = || {
        let mut buffer = [0; 512];
        let len = manager.recv(&mut buffer).expect("a word");
        String::from_utf8_lossy(&buffer[..len]).trim().to_owned()
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_hip3"));
    command.args(["run", "--config", config.to_str().expect("a path")]);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "10000000");
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
