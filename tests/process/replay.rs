//! A capture replays to the rows of the run that made it.

use std::fs;

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
