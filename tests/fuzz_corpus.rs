//! What is kept of fuzzing, through the bodies of its targets: without a fuzzer, on any toolchain.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::path::{Path, PathBuf};

use fuzz::TARGETS;

/// The inputs of a target, by name.
fn corpus(target: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut inputs: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    inputs.sort();
    inputs
}

fn replay(target: &str) {
    let inputs = corpus(target);
    assert!(!inputs.is_empty(), "{target} has no corpus");
    for input in inputs {
        // Told by the harness when one fails.
        eprintln!("{}", input.display());
        fuzz::run(target, &fs::read(input).expect("an input"));
    }
    fuzz::run(target, b"");
}

/// A test a target, so that they run beside each other.
macro_rules! replays {
    ($($name:ident: $target:literal,)*) => {
        const REPLAYED: &[&str] = &[$($target,)*];
        $(#[test]
        fn $name() {
            replay($target);
        })*
    };
}

replays! {
    the_corpus_of_captures_holds: "captures",
    the_corpus_of_config_holds: "config",
    the_corpus_of_dashboard_holds: "dashboard",
    the_corpus_of_decimals_holds: "decimals",
    the_corpus_of_engine_holds: "engine",
    the_corpus_of_frames_holds: "frames",
    the_corpus_of_news_holds: "news",
    the_corpus_of_orders_holds: "orders",
    the_corpus_of_readings_holds: "readings",
    the_corpus_of_records_holds: "records",
    the_corpus_of_venue_holds: "venue",
}

#[test]
fn every_target_is_replayed() {
    let targets: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(targets, REPLAYED);
}

#[test]
fn every_target_is_handed_to_the_fuzzer() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let targets: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(targets, names);
    for name in names {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/fuzz_targets/{name}.rs"));
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(&format!("hip3_fuzz::run(\"{name}\", input)")), "{name}: {text}");
    }
}
