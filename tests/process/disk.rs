//! A disk that fills, a directory that goes away, and rights that are lost while the program runs: it
//! goes on, says so, and once there is a place again nothing is missing.
//!
//! The full disk is a small one of its own, in a mount namespace; where a machine allows none, or no
//! loss of rights can be played, the test says that it skips.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::funded::{Funded, LOOSE, agree, looks_are_complete, nothing_twice, rows};
use crate::harness::{Running, start, start_as};
use crate::store_rows::{files, read_file};

/// Just above what a run needs at its start.
const DISK: &str = "size=40m,mode=0700";
/// Whoever this is, it owns nothing here and is not root.
const NOBODY: u32 = 65_534;

const TRADING: &str = "[position]\nmax_concurrent_positions = 3\n[mark_regression]\n\
                       enabled = false\n[time_stop]\nthreshold_ms = 500\n";

fn is_root() -> bool {
    // A file that was made now belongs to whoever runs the test.
    let dir = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::MetadataExt::uid(&fs::metadata(dir.path()).expect("it is there")) == 0
}

/// A small file system over a directory, seen by processes that enter it. It ends with the test.
struct SmallDisk {
    holder: Child,
    at: PathBuf,
    /// Options of `unshare` and `nsenter`.
    enter: Vec<String>,
}

impl SmallDisk {
    /// `None`, with a word, where that is not allowed.
    fn over(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).expect("a directory");
        let (unshare, enter): (&[&str], &[&str]) = match is_root() {
            true => (&["-m"], &["-m"]),
            false => (&["-m", "-U", "-r"], &["-m", "-U", "--preserve-credentials"]),
        };
        let script = format!("mount -t tmpfs -o {DISK} tmpfs \"$0\" && echo ready && exec cat");
        let spawned = Command::new("unshare")
            .args(unshare)
            .args(["sh", "-c", &script])
            .arg(at)
            .stdin(Stdio::piped()) // Its end is the holder's.
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut holder = match spawned {
            Ok(holder) => holder,
            Err(error) => return skip(&format!("no unshare: {error}")),
        };
        let mut line = String::new();
        let out = holder.stdout.as_mut().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("its word");
        let enter = enter.iter().map(|&word| word.to_owned()).collect();
        let disk = Self { holder, at: at.to_owned(), enter };
        if line.trim() != "ready" || !disk.command("true").status().is_ok_and(|s| s.success()) {
            return skip("no small file system can be mounted in a namespace");
        }
        Some(disk)
    }

    /// Where others see it.
    fn path(&self) -> PathBuf {
        let root = format!("/proc/{}/root", self.holder.id());
        Path::new(&root).join(self.at.strip_prefix("/").expect("an absolute path"))
    }

    /// `program`, within.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string()]).args(&self.enter).args(["--", program]);
        command
    }

    fn start(&self, args: &[&str], log: &Path) -> Running {
        start_as(self.command(env!("CARGO_BIN_EXE_hip3")).args(args), log)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn skip<T>(why: &str) -> Option<T> {
    eprintln!("skipped: {why}");
    None
}

/// Takes every byte that becomes free, until it is let go.
struct Ballast {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ballast {
    fn into(dir: &Path) -> Self {
        let path = dir.join("ballast");
        let stop = Arc::new(AtomicBool::new(false));
        let mut file = File::create(&path).expect("a file");
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for block in [1 << 20, 4096, 1] {
                    while file.write_all(&vec![7; block]).is_ok() {}
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { path, stop, thread: Some(thread) }
    }

    fn let_go(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it only writes");
        }
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        self.end();
    }
}

/// How often the log has these words.
fn count(log: &Path, words: &str) -> usize {
    fs::read_to_string(log).unwrap_or_default().matches(words).count()
}

/// Waits until the log has these words once more, `times` times.
fn once_more(run: &mut Running, log: &Path, words: &str, times: usize) {
    let before = count(log, words);
    run.wait_until(words, || count(log, words) >= before + times);
}

/// The summary at the end of a log.
fn summary(log: &Path) -> Value {
    let text = fs::read_to_string(log).expect("a log");
    let at = text.rfind("\n{\n").unwrap_or_else(|| panic!("no summary in {text}"));
    serde_json::from_str(&text[at..]).expect("JSON")
}

/// The files hold what the engine counted, kind by kind.
fn nothing_is_missing(dir: &Path, summary: &Value) {
    assert_eq!(summary["rows_dropped"], 0, "{summary:#}");
    assert_eq!(summary["rows_lost"], 0, "{summary:#}");
    let kinds = summary["rows"].as_object().expect("kinds");
    for (kind, told) in kinds {
        let found = rows(dir, kind).len();
        assert_eq!(Some(found as u64), told.as_u64(), "{kind}");
    }
    let signals = summary["signals"].as_u64().expect("a count");
    assert!(signals > 10, "{summary:#}");
    assert_eq!(summary["rows"]["signals"].as_u64(), Some(signals));
    assert_eq!(files(dir).len(), kinds.values().filter(|told| **told != 0).count());
    for path in files(dir) {
        read_file(&path);
    }
    looks_are_complete(dir);
}

/// A number in the last of the log's lines that have it.
fn number(text: &str, before: &str) -> Option<u64> {
    let rest = &text[text.rfind(before)? + before.len()..];
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

#[test]
fn while_the_disk_is_full_the_run_goes_on_and_afterwards_no_row_is_missing() {
    let desk = Funded::new(5, &format!("{LOOSE}{TRADING}"));
    for mode in ["observation", "trading"] {
        let Some(disk) = SmallDisk::over(&desk.signals()) else { return };
        let log = desk.log(mode);
        let args = ["run", "--config", &desk.config, "--mode", mode, "--json"];
        let mut run = disk.start(&args, &log);
        let seen = disk.path();
        run.wait_until("records", || seen.exists() && !rows(&seen, "followup").is_empty());
        let ballast = Ballast::into(&seen);
        once_more(&mut run, &log, "records cannot be stored", 1);
        run.wait_until("rows that wait", || number(&run_log(&log), "rows_waiting=") > Some(20));
        if mode == "trading" {
            once_more(&mut run, &log, "position closed", 3);
        }
        ballast.let_go();
        once_more(&mut run, &log, "records are stored again", 1);
        let frames = desk.server.stats().frames;
        run.wait_until("more frames", || desk.server.stats().frames > frames + 100);
        assert_eq!(run.terminate(), 0, "{}", run_log(&log));

        let told = summary(&log);
        assert!(told["files"].as_array().is_some_and(|files| !files.is_empty()));
        nothing_is_missing(&seen, &told);
        if mode == "trading" {
            nothing_twice(&seen);
            let books = desk.books();
            assert_eq!(books.positions, []);
            agree(&seen, &books);
        }
    }
}

fn run_log(log: &Path) -> String {
    fs::read_to_string(log).unwrap_or_default()
}

#[test]
fn what_a_full_disk_never_took_is_told_at_the_end_and_the_rest_is_found_by_the_next_start() {
    let desk = Funded::new(6, &format!("{LOOSE}{TRADING}"));
    let Some(disk) = SmallDisk::over(&desk.signals()) else { return };
    let log = desk.log("first");
    let args = ["run", "--config", &desk.config, "--mode", "observation", "--json"];
    let mut run = disk.start(&args, &log);
    let seen = disk.path();
    run.wait_until("records", || seen.exists() && !rows(&seen, "followup").is_empty());
    let ballast = Ballast::into(&seen);
    once_more(&mut run, &log, "records cannot be stored", 1);
    run.wait_until("rows that wait", || number(&run_log(&log), "rows_waiting=") > Some(20));
    assert_eq!(run.terminate(), 1, "{}", run_log(&log));
    let end = run_log(&log);
    let end = end.lines().last().expect("a last word");
    assert!(end.contains("rows are not in their files"), "{end}");
    assert!(end.contains("No space left"), "and why: {end}");
    let waiting = number(end, "hip3: ").expect("how many");
    let lost = number(end, "); ").expect("how many of them are gone");
    assert!(waiting >= lost && lost > 0, "{end}");
    let before = files(&seen).iter().map(|path| read_file(path).rows.len() as u64).sum::<u64>();
    ballast.let_go();

    // What the journal has, the next start writes, and settles what the lost rows would have paid.
    let log = desk.log("second");
    let mut run = disk.start(&args, &log);
    run.wait_until("its start", || count(&log, "starting") > 0);
    assert_eq!(run.terminate(), 0, "{}", run_log(&log));
    let recovered = number(&run_log(&log), "rows_recovered=").unwrap_or(0);
    assert_eq!(recovered, waiting - lost, "{}", run_log(&log));
    let after = files(&seen).iter().map(|path| read_file(path).rows.len() as u64).sum::<u64>();
    assert!(after >= before + recovered, "{before}, {recovered}, {after}");
    looks_are_complete(&seen);
}

#[test]
fn a_stop_that_the_disk_does_not_take_holds_is_tried_again_and_is_told() {
    let desk = Funded::new(7, &format!("{LOOSE}{TRADING}[risk_monitor]\nmax_loss_usd = 0.001\n"));
    let Some(disk) = SmallDisk::over(&desk.signals()) else { return };
    let args = ["run", "--config", &desk.config];
    for room_comes in [true, false] {
        let log = desk.log(if room_comes { "kept" } else { "not_kept" });
        let mut run = disk.start(&args, &log);
        let seen = disk.path();
        // The loss comes half a second later at the soonest.
        run.wait_until("an order", || count(&log, "order sent") > 0);
        let ballast = Ballast::into(&seen);
        run.wait_until("a loss", || count(&log, "HardStop set reason=\"Loss\"") > 0);
        run.wait_until("a failure", || count(&log, "HardStop cannot be kept; tried again") > 0);
        let latch = seen.join("hard_stop.json");
        if room_comes {
            ballast.let_go();
            run.wait_until("the latch", || count(&log, "HardStop is kept again") > 0);
            assert!(fs::read_to_string(&latch).expect("the latch").contains("\"Loss\""));
            assert_eq!(run.terminate(), 4, "{}", run_log(&log));
            fs::remove_file(&latch).expect("released by hand");
            fs::remove_file(seen.join("losses.json")).expect("and what led to it forgotten");
        } else {
            let sent = count(&log, "purpose=\"entry\"");
            let frames = desk.server.stats().frames;
            run.wait_until("more frames", || desk.server.stats().frames > frames + 300);
            assert_eq!(count(&log, "purpose=\"entry\""), sent, "it holds in the process");
            assert_eq!(run.terminate(), 1, "{}", run_log(&log));
            let end = run_log(&log);
            assert!(end.contains("cannot keep HardStop for the next run"), "{end}");
            assert!(end.contains("rows are not in their files"), "both are told: {end}");
            drop(ballast);
        }
        let text = run_log(&log);
        let (_, since) = text.split_once("HardStop set reason=\"Loss\"").expect("the stop");
        // What waited in the same event is dropped, so nothing at all.
        assert!(!since.contains("purpose=\"entry\""), "{text}");
        assert_eq!(desk.books().positions, [], "exits went on");
    }
}

#[test]
fn a_directory_that_is_moved_away_is_missed_and_a_new_one_gets_every_row() {
    let desk = Funded::new(8, &format!("{LOOSE}{TRADING}"));
    let log = desk.log("log");
    let mut run = start(&["run", "--config", &desk.config, "--json"], &log);
    let signals = desk.signals();
    run.wait_until("records", || signals.exists() && !rows(&signals, "followup").is_empty());
    fs::rename(&signals, desk.dir.path().join("elsewhere")).expect("to move it");
    once_more(&mut run, &log, "records cannot be stored", 1);
    once_more(&mut run, &log, "position closed", 2);
    fs::create_dir(&signals).expect("a new directory");
    once_more(&mut run, &log, "records are stored again", 1);
    assert_eq!(run.terminate(), 0, "{}", run_log(&log));
    nothing_is_missing(&signals, &summary(&log));
    agree(&signals, &desk.books());
}

#[test]
fn a_directory_that_is_gone_for_good_takes_the_journal_with_it_and_the_end_says_so() {
    let desk = Funded::new(8, LOOSE);
    let log = desk.log("log");
    let args = ["run", "--config", &desk.config, "--mode", "observation"];
    let mut run = start(&args, &log);
    let signals = desk.signals();
    run.wait_until("records", || signals.exists() && !rows(&signals, "followup").is_empty());
    // Moved first: a file that is written meanwhile would keep the directory from going.
    let elsewhere = desk.dir.path().join("elsewhere");
    fs::rename(&signals, &elsewhere).expect("to move it");
    fs::remove_dir_all(&elsewhere).expect("to remove it");
    once_more(&mut run, &log, "records cannot be stored", 1);
    assert_eq!(run.terminate(), 1, "{}", run_log(&log));
    let end = run_log(&log);
    let end = end.lines().last().expect("a last word");
    let waiting = number(end, "hip3: ").expect("how many");
    assert!(waiting > 0, "{end}");
    assert_eq!(number(end, "); "), Some(waiting), "all of them are lost: {end}");
}

#[test]
fn rights_that_are_lost_and_given_back_cost_no_row_and_no_stop() {
    let desk = Funded::new(9, &format!("{LOOSE}{TRADING}[risk_monitor]\nmax_loss_usd = 0.001\n"));
    let log = desk.log("log");
    let signals = desk.signals();
    let args = ["run", "--config", &desk.config];
    let mut run = if is_root() {
        // Root may write anywhere: another user runs a copy of the program, in a place of its own.
        let copy = desk.dir.path().join("hip3");
        fs::copy(env!("CARGO_BIN_EXE_hip3"), &copy).expect("a copy");
        fs::create_dir(&signals).expect("a directory");
        for entry in fs::read_dir(desk.dir.path()).expect("the directory") {
            chown(entry.expect("an entry").path(), Some(NOBODY), Some(NOBODY)).expect("given away");
        }
        chown(desk.dir.path(), Some(NOBODY), Some(NOBODY)).expect("given away");
        let nobody = || {
            let mut command = Command::new("setpriv");
            let id = NOBODY.to_string();
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(&copy);
            command
        };
        if !nobody().arg("--version").output().is_ok_and(|done| done.status.success()) {
            let _: Option<()> = skip("root cannot be another user here, and may write anywhere");
            return;
        }
        start_as(nobody().args(args), &log)
    } else {
        start(&args, &log)
    };
    run.wait_until("records", || signals.exists() && !rows(&signals, "signals").is_empty());
    run.wait_until("an order", || count(&log, "order sent") > 0);
    let rights = |mode| fs::set_permissions(&signals, Permissions::from_mode(mode));
    rights(0o500).expect("rights");
    run.wait_until("a loss", || count(&log, "HardStop set reason=\"Loss\"") > 0);
    run.wait_until("a failure", || count(&log, "HardStop cannot be kept; tried again") > 0);
    run.wait_until("another", || count(&log, "records cannot be stored") > 0);
    assert!(run_log(&log).contains("Permission denied"), "{}", run_log(&log));
    rights(0o700).expect("rights");
    run.wait_until("the latch", || count(&log, "HardStop is kept again") > 0);
    run.wait_until("the records", || count(&log, "records are stored again") > 0);
    assert_eq!(run.terminate(), 4, "{}", run_log(&log));
    assert!(fs::read_to_string(signals.join("hard_stop.json")).expect("it").contains("\"Loss\""));
    looks_are_complete(&signals);
    agree(&signals, &desk.books());
}

/// The log of latencies as other tools read it: line by line, and nothing behind a line that is neither a
/// comment, nor the legend, nor a whole interval. How many intervals it has.
fn intervals_read_strictly(path: &Path) -> usize {
    use base64::Engine as _;
    let text = fs::read_to_string(path).expect("text");
    assert!(text.ends_with('\n'), "the last line ends: {}", path.display());
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with('"'));
    let mut intervals = 0;
    for line in lines {
        let (_, payload) = line.rsplit_once(',').unwrap_or_else(|| panic!("no interval: {line:?}"));
        assert!(line.starts_with("Tag=") && line.matches(',').count() == 4, "{line:?}");
        let bytes = base64::engine::general_purpose::STANDARD.decode(payload).expect(line);
        let length = u32::from_be_bytes(bytes[4..8].try_into().expect("four bytes"));
        assert_eq!(length as usize, bytes.len() - 8, "{line:?}");
        intervals += 1;
    }
    intervals
}

/// C1: latencies that a full disk takes half of leave no half line behind, and are dumped again once there
/// is room.
#[test]
fn a_dump_of_latencies_that_the_disk_takes_half_of_is_cut_back() {
    let desk = Funded::new(10, LOOSE);
    let latency = desk.dir.path().join("latency");
    let Some(disk) = SmallDisk::over(&latency) else { return };
    let log = desk.log("log");
    let args = ["run", "--config", &desk.config, "--mode", "observation"];
    let often = ["--set", "telemetry.latency_interval_s=1"];
    let mut run = disk.start(&[&args[..], &often].concat(), &log);
    let seen = disk.path();
    let of_day = || {
        let mut all = fs::read_dir(&seen).into_iter().flatten().filter_map(Result::ok);
        all.find(|entry| entry.path().extension().is_some_and(|end| end == "hlog"))
    };
    let length = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
    run.wait_until("a dump", || of_day().is_some_and(|dump| length(&dump.path()) > 1_000));
    let dump = of_day().expect("a dump").path();
    for _ in 0..3 {
        let ballast = Ballast::into(&seen);
        once_more(&mut run, &log, "latency cannot be dumped", 1);
        let again = count(&log, "latency is dumped again");
        ballast.let_go();
        run.wait_until("another interval", || count(&log, "latency is dumped again") > again);
    }
    assert_eq!(run.terminate(), 0, "{}", run_log(&log));
    assert!(intervals_read_strictly(&dump) > 3, "{}", run_log(&log));
    let path = dump.display().to_string();
    let (code, out, errors) = crate::harness::output(&["latency", &path, "--json"]);
    assert_eq!(code, 0, "{errors}");
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(told["broken_lines"], 0, "{told:#}");
}
