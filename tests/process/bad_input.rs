//! What the program does with a wrong config, a venue that is not there, and an operator's command.

use std::fs;

use crate::harness::{lively_venue, lively_venue_ahead, output, start, write_config};
use crate::store_rows::{files, read_file};

#[test]
fn a_wrong_config_exits_2_and_lists_every_problem() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("config.toml");
    fs::write(
        &path,
        "[risk]\nmax_ctx_age_ms = 700000\n[detector]\nslipage_bps = 2\n[account]\nprivate_key = \"0xabc\"\n",
    )
    .expect("a config");
    for command in ["check", "run"] {
        let (code, out, errors) = output(&[command, "--config", &path.display().to_string()]);
        assert_eq!((code, out.as_str()), (2, ""), "{errors}");
        for part in ["risk.max_ctx_age_ms", "700000", "slippage_bps", "HIP3_PRIVATE_KEY"] {
            assert!(errors.contains(part), "{part} is missing in:\n{errors}");
        }
        assert!(!errors.contains("0xabc"), "a secret is not repeated");
    }
}

#[test]
fn a_missing_config_exits_2_and_names_the_file() {
    let (code, _, errors) = output(&["run", "--config", "/nowhere/config.toml"]);
    assert_eq!(code, 2);
    assert!(errors.contains("/nowhere/config.toml"), "{errors}");
}

#[test]
fn what_check_prints_is_a_config_that_means_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("config.toml");
    fs::write(&path, "[detector]\nmin_edge_bps = 7.5\n").expect("a config");
    let check = |set: &[&str]| {
        let path = path.display().to_string();
        let args: Vec<&str> = ["check", "--config", &path].iter().chain(set).copied().collect();
        let (code, out, errors) = output(&args);
        assert_eq!(code, 0, "{errors}");
        out
    };
    let first = check(&["--set", "detector.slippage_bps=3"]);
    assert!(first.contains("min_edge_bps = 7.5") && first.contains("slippage_bps = 3"), "{first}");
    fs::write(&path, &first).expect("a config");
    assert_eq!(check(&[]), first);
}

#[test]
fn an_unreachable_venue_is_tried_again_and_the_program_still_stops_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let (server, _) = lively_venue(1);
    let config = write_config(dir.path(), &server).display().to_string();
    server.stop();
    let log = dir.path().join("log");
    let mut run = start(&["run", "--config", &config], &log);
    run.wait_until("second complaint", || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        log.matches("the venue could not be read").count() >= 2
    });
    assert_eq!(run.terminate(), 0);
}

#[test]
fn a_venue_that_restarts_is_found_again_and_leaves_a_gap() {
    let dir = tempfile::tempdir().expect("a directory");
    let (server, _) = lively_venue(3);
    let config = write_config(dir.path(), &server).display().to_string();
    let signals = dir.path().join("signals");
    let log = dir.path().join("log");
    let mut run = start(&["run", "--config", &config], &log);
    run.wait_until("data of every market", || {
        fs::read_to_string(&log).unwrap_or_default().contains("ready")
    });
    let port = server.addr().port();
    server.stop();
    let settings = hip3::venue::Settings { markets: 30, ..hip3::venue::Settings::default() };
    let server = hip3::venue::tcp::Server::start(settings, port).expect("the same port again");
    run.wait_until("second connection", || server.stats().connections >= 1);
    run.wait_until("gap", || {
        signals.exists()
            && files(&signals).iter().any(|path| {
                path.display().to_string().contains("gaps_")
                    && read_file(path).rows.iter().any(|row| row["cause"] == "link_down")
            })
    });
    assert_eq!(run.terminate(), 0);
}

#[test]
fn a_reader_of_the_log_that_goes_away_stops_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let data_dir = dir.path().join("signals").display().to_string();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_hip3"))
        .args(["demo", "--duration", "3s", "--markets", "10", "--data-dir", &data_dir])
        .args(["--set", "runtime.hot_core=none", "--set", "runtime.cold_core=none"])
        .args(["--set", "dashboard.bind=127.0.0.1:0"])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program");
    drop(child.stderr.take());
    let done = child.wait_with_output().expect("its end");
    assert!(done.status.success(), "{:?}", done.status);
    let summary = String::from_utf8(done.stdout).expect("text");
    assert!(summary.contains("frames") && summary.contains("gaps_"), "{summary}");
}

#[test]
fn a_capture_is_never_written_over_another_file_and_a_refused_start_leaves_no_run() {
    let dir = tempfile::tempdir().expect("a directory");
    let (server, _) = lively_venue(1);
    let config = write_config(dir.path(), &server).display().to_string();
    let capture = dir.path().join("capture.jsonl");
    fs::write(&capture, "precious").expect("a file");
    let (code, _, errors) =
        output(&["run", "--config", &config, "--capture", &capture.display().to_string()]);
    assert_eq!(code, 2);
    assert!(errors.contains("expected the name of a file that does not exist yet"), "{errors}");
    assert_eq!(fs::read_to_string(&capture).expect("the file"), "precious");
    assert!(!dir.path().join("signals").exists());
}

/// C2: an hour behind the venue, in observation: the log says so once, and the end is none the worse for it.
#[test]
fn a_clock_that_is_wrong_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("log");
    let (server, _) = lively_venue_ahead(9, 3_600_000);
    let config = write_config(dir.path(), &server).display().to_string();
    let run = start(&["run", "--config", &config, "--duration", "4s"], &log);
    assert_eq!(run.end(), 0);
    let log = fs::read_to_string(log).expect("a log");
    let told: Vec<&str> = log.lines().filter(|line| line.contains("our clock is wrong")).collect();
    let [line] = told[..] else { panic!("one line: {log}") };
    assert!(line.contains("WARN") && line.contains("ms=-3"), "{line}");
}
