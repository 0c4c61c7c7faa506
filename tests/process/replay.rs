//! A capture replays to the rows of the run that made it.

use std::fs;
use std::path::Path;

use crate::harness::{lively_venue, output, start, write_config};
use crate::store_rows::{files, read_file};

#[test]
fn a_replay_gives_the_rows_of_the_live_run_to_the_last_digit() {
    let dir = tempfile::tempdir().expect("a directory");
    let (server, _) = lively_venue(7);
    let config = write_config(dir.path(), &server);
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (config, capture) = (config.display().to_string(), path("capture.jsonl"));
    let live = start(
        &["run", "--config", &config, "--duration", "12s", "--capture", &capture],
        &dir.path().join("log"),
    );
    assert_eq!(live.end(), 0);
    let (code, summary, errors) =
        output(&["replay", &capture, "--out", &path("replayed"), "--json"]);
    assert_eq!(code, 0, "{errors}");

    let mut runs = fs::read_dir(dir.path().join("replayed")).expect("a directory");
    let of_run = runs.next().expect("a run").expect("an entry").path();
    let (live, replayed) = (files(&dir.path().join("signals")), files(&of_run));
    let names = |paths: &[std::path::PathBuf]| -> Vec<_> {
        paths.iter().map(|p| p.file_name().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&live), names(&replayed));
    let mut rows = 0;
    for (one, other) in live.iter().zip(&replayed) {
        let (one, other) = (read_file(one), read_file(other));
        assert_eq!(one.rows, other.rows);
        rows += one.rows.len();
    }
    assert!(rows > 100, "it recorded something: {rows} rows");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
    assert!(summary["signals"].as_u64().expect("a count") > 10, "{summary}");

    // The records of another run are not continued by a replay.
    let (code, _, errors) = output(&["replay", &capture, "--out", &path("replayed")]);
    assert_eq!(code, 2);
    assert!(errors.contains("expected a directory that is empty"), "{errors}");
}

/// A capture of a lively venue, some seconds long; its config flushes and finds a lot.
fn captured(dir: &Path) -> String {
    let (server, _) = lively_venue(8);
    let config = write_config(dir, &server).display().to_string();
    let capture = dir.join("capture.jsonl").display().to_string();
    let live = start(
        &["run", "--config", &config, "--duration", "10s", "--capture", &capture],
        &dir.join("log"),
    );
    assert_eq!(live.end(), 0);
    capture
}

fn json(args: &[&str]) -> serde_json::Value {
    let (code, told, errors) = output(args);
    assert_eq!(code, 0, "{errors}");
    serde_json::from_str(&told).expect("JSON")
}

#[test]
fn settings_are_compared_and_swept_without_records_and_whatever_the_jobs() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).display().to_string();
    let capture = captured(dir.path());
    // Compressed it is the same capture, whatever its name.
    let packed = path("packed.jsonl");
    let bytes = zstd::encode_all(fs::File::open(&capture).expect("a capture"), 3).expect("packed");
    fs::write(&packed, bytes).expect("written");
    let text = fs::read_to_string(path("config.toml")).expect("a config");
    fs::write(path("strict.toml"), text.replace("min_edge_bps = 0", "min_edge_bps = 1"))
        .expect("a config");

    let sweep = |capture: &str, jobs: &str| {
        let csv = path(&format!("grid-{jobs}.csv"));
        let axis = "detector.min_edge_bps=0..2:1";
        let told =
            json(&["replay", capture, "--sweep", axis, "--jobs", jobs, "--csv", &csv, "--json"]);
        (told["points"].clone(), fs::read_to_string(&csv).expect("the grid"))
    };
    let (points, csv) = sweep(&capture, "1");
    assert_eq!((points.clone(), csv.clone()), sweep(&packed, "3"));
    assert_eq!(csv.lines().count(), 4, "{csv}");
    assert!(csv.starts_with("detector.min_edge_bps,signals,blocked,"), "{csv}");
    let signals = |figures: &serde_json::Value| figures["signals"].as_u64().expect("a count");
    assert!(signals(&points[0]) > signals(&points[2]), "{points}");

    // Each point is what the setting alone comes to.
    let (lax, strict) = (path("config.toml"), path("strict.toml"));
    let compared = json(&["replay", &packed, "--config", &lax, "--config", &strict, "--json"]);
    for (at, point) in [(0, 0), (1, 1)] {
        let mut point = points[point].clone();
        point.as_object_mut().expect("a point").remove("set");
        assert_eq!(compared["settings"][at]["total"], point);
    }
    let against = &compared["settings"][1]["against_first"];
    let first = signals(&compared["settings"][0]["total"]);
    let both = against["both"].as_u64().expect("a count");
    assert_eq!(both + against["only_first"]["signals"].as_u64().expect("a count"), first);
    assert!(both > 0 && both < first, "{against}");
    let table = output(&["replay", &packed, "--config", &lax, "--config", &strict]);
    assert!(table.1.contains("against config.toml"), "{}", table.1);

    // A setting alone counts the same signals.
    let out = path("none");
    let alone = json(&["replay", &capture, "--no-records", "--out", &out, "--json"]);
    assert_eq!(signals(&alone), signals(&points[0]));
    assert!(!Path::new(&out).exists(), "nothing was recorded");
}

#[test]
fn orders_of_a_capture_that_only_watched_are_filled_the_same_each_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let capture = captured(dir.path());
    let out = |name: &str| dir.path().join(name).display().to_string();
    let run = |name: &str| {
        let out = out(name);
        let mut told = json(&[
            "replay",
            &capture,
            "--mode",
            "trading",
            "--fill",
            "fixed:100ms",
            "--out",
            &out,
            "--set",
            "risk.min_ewma_samples=1",
            "--set",
            "risk.spread_shock_multiplier=1000",
            "--set",
            "position.max_total_notional=2000",
            "--json",
        ]);
        // Where the files lie is all that differs.
        told.as_object_mut().expect("figures").remove("files");
        told
    };
    let told = run("one");
    assert_eq!(told, run("two"));
    assert!(told["rows"]["orders"].as_u64().expect("a count") > 0, "{told:#}");

    // A grid says what was left open and what was stopped, beside what came to an end.
    let csv = out("grid.csv");
    let grid = ["--mode", "trading", "--fill", "fixed:100ms,answer=50ms", "--csv", &csv, "--json"];
    let more = ["--sweep", "detector.min_edge_bps=0,1", "--set", "risk.min_ewma_samples=1"];
    let told = json(&[&["replay", &capture][..], &grid, &more].concat());
    let trading = &told["points"][0]["trading"];
    assert!(trading["left_open"].is_u64() && trading["stopped_by"].is_array(), "{told:#}");
    let csv = fs::read_to_string(csv).expect("the grid");
    let head = csv.lines().next().expect("a line");
    assert!(head.ends_with(",net_usd,left_open,left_usd,stopped_by"), "{head}");
}

#[test]
fn what_cannot_be_replayed_is_refused_before_anything_is_played() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).display().to_string();
    let capture = path("capture.jsonl");
    fs::write(
        &capture,
        "{\"hip3_capture\":1,\"run_id\":\"r\",\"first_id\":1,\"seed\":1,\"config\":\"\"}\n",
    )
    .expect("written");
    let wide = "detector.min_edge_bps=0..100:1";
    fs::write(path("a.toml"), "").expect("a config");
    let (hostile, other_rule) = (path("hostile.jsonl"), path("other.jsonl"));
    let header = |run: &str, config: &str| {
        format!(
            "{{\"hip3_capture\":1,\"run_id\":\"{run}\",\"first_id\":1,\"seed\":1,\
             \"config\":\"{config}\"}}\n"
        )
    };
    fs::write(&hostile, header("../../elsewhere", "")).expect("written");
    fs::write(&other_rule, header("o", "[detector]\\nslippage_bps = 3\\n")).expect("written");
    let (config, unwritable) = (path("a.toml"), path("none/grid.csv"));
    let two = ["--config", &config, "--config", &config];
    for (more, told) in [
        (&["--sweep", wide, "--sweep", "detector.slippage_bps=0..100:1"][..], "101 × 101 points"),
        (&["--sweep", "detector.min_edge_bps=5..1:1"], "a step above zero"),
        (&["--sweep", "detector.min_egde_bps=1..5:1"], "min_egde_bps"),
        (&["--sweep", wide, "--latency-ms", "901"], "expected at most the last of them"),
        (
            &["--sweep", wide, "--latency-ms", "1000", "--exit-ms", "1000"],
            "--latency-ms 1000: expected below --exit-ms, which is 1000",
        ),
        (&["--sweep", wide, "--mode", "trading"], "expected --fill"),
        (&["--fill", "fixed:400ms"], "expected --mode trading"),
        (&["--fill", "guessed"], "fixed:400ms or recorded:FILE.hlog"),
        (&["--csv", "x.csv"], "--sweep"),
        (&["--sweep", wide, "--exit-ms", "2000"], "1000, 3000, 5000"),
        (&["--latency-ms", "50"], "--latency-ms: expected several settings"),
        (&["--exit-ms", "1000"], "--exit-ms: expected several settings"),
        (&["--fee-bps", "1"], "--fee-bps: expected several settings"),
        (
            &["--config", &config, "--priority-bps", "1"],
            "--priority-bps: expected several settings",
        ),
        (&["--jobs", "1"], "--jobs: expected several settings"),
        (&["--sweep", wide, "--out", "elsewhere"], "--out: expected one setting"),
        (&[&two[..], &["--no-records"]].concat(), "--no-records: expected one setting"),
        (&["--sweep", "mode=trading,observation"], "--sweep mode: expected --mode"),
        (&["--set", "websocket.pong_timeout_ms=1"], "the link is the captured run's"),
        (&["--sweep", wide, "--set", "detector.min_edge_bps=1"], "each key once"),
        (&["--sweep", wide, "--csv", &capture], "another file than the captures"),
        (
            &["--mode", "trading", "--fill", "fixed:1ms", "--set", "venue.dexes=[\"a\",\"b\"]"],
            "one dex",
        ),
        (&["--no-records", &hostile], "a run_id that is a plain name"),
        (&[&capture], "of the same run as a capture before it"),
        (&["--sweep", wide, &other_rule], "differ from those of the captures before it"),
    ] {
        let args: Vec<&str> =
            ["replay", &capture].into_iter().chain(more.iter().copied()).collect();
        let (code, _, errors) = output(&args);
        assert_eq!(code, 2, "{more:?}: {errors}");
        assert!(errors.contains(told), "{more:?}: {errors}");
        assert!(!errors.contains("replayed "), "something was played: {errors}");
    }
    let (code, _, errors) = output(&["replay", &capture, "--sweep", wide, "--csv", &unwritable]);
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("grid.csv: cannot be written"), "{errors}");
    assert!(!errors.contains("replayed "), "something was played: {errors}");
    let untouched = fs::read_to_string(&capture).expect("the capture");
    assert!(untouched.starts_with("{\"hip3_capture\""), "{untouched}");
}
