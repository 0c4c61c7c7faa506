//! Alerts of the program, as a receiver on loopback gets them: of a run that HardStop stops, with a
//! receiver that fails, asks for a pause or hangs; and never a word of the URL's secret.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::funded::{Funded, LOOSE, rows};
use crate::harness::{lively_venue, output, start, write_config};

/// What stands in the URL's path, and nowhere else.
const SECRET: &str = "s3cret-0f-the-t3st";

/// What a receiver does with a request.
#[derive(Clone, Copy)]
enum Manner {
    /// Answers with this status, and these header lines.
    Answer(u16, &'static str),
    /// Says nothing, and keeps the connection.
    Hang,
}

const TAKES: Manner = Manner::Answer(200, "");

/// A webhook: takes requests one after another, the first ones in these manners, all others in `rest`.
struct Receiver {
    at: SocketAddr,
    got: Arc<Mutex<Vec<(String, Value)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    fn new(first: &'static [Manner], rest: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        let at = listener.local_addr().expect("its address");
        let got = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (into, until) = (Arc::clone(&got), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let mut manners = first.iter();
            let mut kept = Vec::new();
            while !until.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    thread::sleep(Duration::from_millis(5));
                    continue;
                };
                stream.set_nonblocking(false).expect("a stream");
                stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a stream");
                let Some(request) = read(&stream) else { continue };
                into.lock().expect("the list").push(request);
                match manners.next().copied().unwrap_or(rest) {
                    Manner::Answer(status, headers) => answer(stream, status, headers),
                    Manner::Hang => kept.push(stream),
                }
            }
        });
        Self { at, got, stop, thread: Some(thread) }
    }

    /// A file that holds its URL, readable by us alone.
    fn url_file(&self, dir: &Path) -> PathBuf {
        let path = dir.join("alert.url");
        fs::write(&path, format!("http://{}/hook/{SECRET}\n", self.at)).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its mode");
        path
    }

    /// The section that sends alerts here, one of a kind a second.
    fn section(&self, dir: &Path) -> String {
        let file = self.url_file(dir);
        format!("[alerts]\nenabled = true\nurl_file = \"{}\"\nmin_interval_s = 1\n", file.display())
    }

    /// The bodies so far.
    fn bodies(&self) -> Vec<Value> {
        self.got.lock().expect("the list").iter().map(|(_, body)| body.clone()).collect()
    }

    /// The bodies of a kind.
    fn of(&self, kind: &str) -> Vec<Value> {
        self.bodies().into_iter().filter(|body| body["kind"] == kind).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Path and body of a request.
fn read(stream: &TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, serde_json::from_slice(&body).ok()?))
}

fn answer(mut stream: TcpStream, status: u16, headers: &str) {
    let text =
        format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n{headers}\r\n");
    // A client that has gone away is its own business.
    let _ = stream.write_all(text.as_bytes());
}

fn log_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn a_stopped_run_is_told_in_full_though_the_receiver_fails_and_asks_for_a_pause() {
    let receiver =
        Receiver::new(&[Manner::Answer(500, ""), Manner::Answer(429, "retry-after: 1\r\n")], TAKES);
    let desk = Funded::new(7, "");
    let alerts = receiver.section(desk.dir.path());
    let text = fs::read_to_string(&desk.config).expect("the config");
    let text = format!(
        "{text}{LOOSE}{alerts}[mark_regression]\nenabled = false\n[time_stop]\nthreshold_ms = 500\n\
         [risk_monitor]\nmax_loss_usd = 0.001\n"
    );
    fs::write(&desk.config, text).expect("the config");
    let log = desk.log("log");
    let mut run = start(&["run", "--config", &desk.config], &log);
    run.wait_until("an alert of the stop", || !receiver.of("hard_stop").is_empty());
    assert_eq!(run.terminate(), 4, "{}", log_of(&log));

    // The first one was tried until it was taken.
    let bodies = receiver.bodies();
    assert_eq!(receiver.of("run_began").len(), 3, "{bodies:#?}");
    assert_eq!((&bodies[0], &bodies[1]), (&bodies[2], &bodies[2]), "{bodies:#?}");
    let told = log_of(&log);
    assert!(told.contains("status 500") && told.contains("an alert has to wait"), "{told}");
    let began = &bodies[0];
    assert_eq!((&began["mode"], &began["severity"]), (&"trading".into(), &"info".into()));
    let run_id = began["run_id"].as_str().expect("a run");
    assert!(told.contains(run_id), "{began}");
    assert!(began["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{began}");

    let stop = &receiver.of("hard_stop")[0];
    assert_eq!((&stop["severity"], &stop["details"]["reason"]), (&"error".into(), &"Loss".into()));
    assert!(stop["text"].as_str().is_some_and(|text| text.contains("max_loss_usd")), "{stop}");
    let ended = receiver.of("run_ended");
    assert_eq!(ended.len(), 1, "the end is told, after SIGTERM too: {bodies:#?}");
    assert_eq!(ended[0]["details"]["hard_stop"], serde_json::json!(["Loss"]));
    assert!(ended[0]["details"]["trades"].as_u64() >= Some(1), "{ended:?}");

    let paths = receiver.got.lock().expect("the list");
    assert!(paths.iter().all(|(path, _)| *path == format!("/hook/{SECRET}")));
    assert!(!told.contains(SECRET), "{told}");
    assert!(bodies.iter().all(|body| !body.to_string().contains(SECRET)));
}

#[test]
fn a_receiver_that_hangs_does_not_hold_up_the_end() {
    let receiver = Receiver::new(&[], Manner::Hang);
    let desk = Funded::new(7, "");
    let alerts = receiver.section(desk.dir.path());
    let text = fs::read_to_string(&desk.config).expect("the config");
    fs::write(&desk.config, format!("{text}{alerts}")).expect("the config");
    let log = desk.log("log");
    let mut run = start(&["run", "--config", &desk.config], &log);
    run.wait_until("an alert", || !receiver.bodies().is_empty());
    // The harness waits two minutes; the tries of one alert alone would take more than that.
    assert_eq!(run.terminate(), 0, "{}", log_of(&log));
    let told = log_of(&log);
    assert!(told.contains("alerts were not sent"), "{told}");
    assert!(!told.contains(SECRET), "{told}");
}

#[test]
fn trouble_with_the_records_and_an_agent_that_expires_are_told() {
    let receiver = Receiver::new(&[], TAKES);
    let desk = Funded::expiring(8, Duration::from_secs(3 * 86_400));
    let alerts = receiver.section(desk.dir.path());
    let text = fs::read_to_string(&desk.config).expect("the config");
    fs::write(&desk.config, format!("{text}{LOOSE}{alerts}")).expect("the config");
    let mut run = start(&["run", "--config", &desk.config], &desk.log("log"));
    run.wait_until("word of the agent", || !receiver.of("agent_expires").is_empty());
    let expires = &receiver.of("agent_expires")[0];
    assert_eq!(
        (&expires["severity"], &expires["details"]["agent"]),
        (&"warning".into(), &"test".into())
    );

    let signals = desk.signals();
    run.wait_until("records", || signals.exists() && !rows(&signals, "followup").is_empty());
    fs::rename(&signals, desk.dir.path().join("elsewhere")).expect("to move it");
    run.wait_until("word of the disk", || !receiver.of("records_failing").is_empty());
    fs::create_dir(&signals).expect("a new directory");
    run.wait_until("word of its end", || !receiver.of("records_stored").is_empty());
    assert_eq!(run.terminate(), 0, "{}", log_of(&desk.log("log")));
}

#[test]
fn without_a_url_that_can_be_used_nothing_starts_and_none_is_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let (server, _) = lively_venue(3);
    let config = write_config(dir.path(), &server).display().to_string();
    let run = |more: &[&str]| {
        let args = ["run", "--config", &config, "--set", "alerts.enabled=true"];
        output(&[&args[..], more].concat())
    };
    let (code, _, errors) = run(&[]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("alerts.url_file") && errors.contains("HIP3_ALERT_URL"), "{errors}");

    let file = dir.path().join("alert.url");
    let set = format!("alerts.url_file={}", file.display());
    for (text, mode, word) in [
        (format!("https://hooks.example.org/{SECRET}"), 0o644, "0644"),
        (format!("http://hooks.example.org/{SECRET}"), 0o600, "https://"),
        (SECRET.to_owned(), 0o600, "one line"),
    ] {
        fs::write(&file, text).expect("a file");
        fs::set_permissions(&file, Permissions::from_mode(mode)).expect("its mode");
        let (code, out, errors) = run(&["--set", &set]);
        assert_eq!(code, 2, "{errors}");
        assert!(errors.contains(word) && !errors.contains(SECRET), "{errors}");
        assert!(!out.contains(SECRET));
        // It tries whether records can be written: elsewhere.
        let elsewhere = dir.path().join("elsewhere");
        let records = format!("persistence.data_dir={}", elsewhere.display());
        let sets = ["--set", &set, "--set", "alerts.enabled=true", "--set", &records];
        let args = [&["preflight", "--config", &config][..], &sets].concat();
        let (code, out, _) = output(&args);
        let line = out.lines().find(|line| line.contains(" alerts ")).expect("a line");
        assert!(code == 3 && line.starts_with("FAIL") && line.contains(word), "{out}");
        assert!(!out.contains(SECRET), "{out}");
        let (code, _, errors) = output(&["alert", "--config", &config, "--set", &set]);
        assert!(code == 2 && errors.contains(word) && !errors.contains(SECRET), "{errors}");
    }
    assert!(!dir.path().join("signals").exists(), "nothing was begun");
}

#[test]
fn one_test_alert_says_what_the_receiver_answered() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("config.toml");
    let alert = |receiver: &Receiver, more: &str| {
        fs::write(&config, format!("{}{more}", receiver.section(dir.path()))).expect("a config");
        let (code, out, errors) = output(&["alert", "--config", &config.display().to_string()]);
        assert!(!out.contains(SECRET) && !errors.contains(SECRET), "{out}{errors}");
        (code, out, errors)
    };
    let receiver = Receiver::new(&[], Manner::Answer(204, ""));
    let (code, out, errors) = alert(&receiver, "format = \"discord\"\n");
    assert_eq!(code, 0, "{errors}");
    assert_eq!(out, "127.0.0.1 answered 204: the test alert was taken\n");
    let bodies = receiver.bodies();
    assert!(bodies.len() == 1 && bodies[0]["content"].is_string(), "{bodies:?}");

    let receiver = Receiver::new(&[], Manner::Answer(404, ""));
    let chat = "format = \"telegram\"\ntelegram_chat_id = -42\n";
    let (code, _, errors) = alert(&receiver, chat);
    assert_eq!(code, 1);
    assert!(errors.contains("127.0.0.1") && errors.contains("404"), "{errors}");
    assert_eq!(receiver.bodies()[0]["chat_id"], -42);

    // Nobody is told the secret but who was named.
    let receiver = Receiver::new(&[], Manner::Answer(307, "location: /elsewhere\r\n"));
    let (code, _, errors) = alert(&receiver, "");
    assert_eq!(code, 1);
    assert!(errors.contains("redirects are not followed"), "{errors}");
    assert_eq!(receiver.bodies().len(), 1);
}
