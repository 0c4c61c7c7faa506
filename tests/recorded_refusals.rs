//! Refusals that others recorded from the venue: every one is listed. The recordings are no part of
//! the project: they are read from `HIP3_FRAMES` (by default `../shared/frames`), and without them
//! this test says so and ends.

use std::path::{Path, PathBuf};

use hip3::executor::refusals::refusal;
use hip3::types::order::Refusal;
use serde_json::Value;

/// Texts of `error` statuses and of refused actions, wherever they stand in a frame.
fn refusals_in(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let refused = fields.get("status").and_then(Value::as_str) == Some("err");
            let whole = if refused { fields.get("response") } else { None };
            let told = [fields.get("error"), whole];
            into.extend(told.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| refusals_in(field, into));
        }
        Value::Array(items) => items.iter().for_each(|item| refusals_in(item, into)),
        _ => {}
    }
}

#[test]
fn every_recorded_refusal_is_listed() {
    let folder = std::env::var_os("HIP3_FRAMES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/frames"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        eprintln!("skipped: no recorded frames in {}", folder.display());
        return;
    }
    let mut texts = Vec::new();
    for entry in folder.read_dir().expect("a readable folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("exchange_") || name.starts_with("post_") {
            let bytes = std::fs::read(&path).expect("a readable file");
            refusals_in(&serde_json::from_slice(&bytes).expect("JSON"), &mut texts);
        }
    }
    assert!(texts.len() >= 9, "only {} refusals found", texts.len());
    for text in texts {
        assert_ne!(refusal(text.as_bytes()), Refusal::Unlisted, "{text}");
    }
}
