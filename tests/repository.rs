//! What the repository holds: text, and small files. Scratch files, records and pictures do not get in
//! by accident.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Largest tracked file, bytes.
const MAX_BYTES: u64 = 100_000;
/// Folders whose files may be binary or large: inputs of the fuzzer, pictures of the documentation.
const FREE_FOLDERS: [&str; 2] = ["fuzz/corpus/", "docs/images/"];

/// Why a tracked file should not be there; `None` when it should.
fn objection(path: &str, bytes: &[u8]) -> Option<&'static str> {
    if FREE_FOLDERS.iter().any(|folder| path.starts_with(folder)) {
        return None;
    }
    if path.split('/').any(|part| part.starts_with(".tmp")) {
        return Some("is a scratch file");
    }
    if bytes.contains(&0) || std::str::from_utf8(bytes).is_err() {
        return Some("is binary");
    }
    let lock = path.ends_with(".lock");
    (!lock && bytes.len() as u64 > MAX_BYTES).then_some("is too large")
}

#[test]
fn tracked_files_are_text_and_small() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output();
    let Some(listed) = listed.ok().filter(|listed| listed.status.success()) else {
        eprintln!("skipped: no git, or no repository");
        return;
    };
    let names = String::from_utf8(listed.stdout).expect("names are UTF-8");
    let names: Vec<&str> = names.split('\0').filter(|name| !name.is_empty()).collect();
    assert!(names.contains(&"Cargo.toml"), "the repository is listed: {names:?}");
    let objections: Vec<String> = names
        .into_iter()
        .filter_map(|name| {
            // A file that is deleted and not yet committed is nobody's concern.
            let bytes = fs::read(root.join(name)).ok()?;
            let why = objection(name, &bytes)?;
            Some(format!("{name} {why} ({} bytes)", bytes.len()))
        })
        .collect();
    assert!(objections.is_empty(), "{}", objections.join("\n"));
}

#[test]
fn scratch_files_binaries_and_large_files_are_objected_to() {
    let large = vec![b'x'; MAX_BYTES as usize + 1];
    assert_eq!(objection("src/main.rs", b"fn main() {}"), None);
    assert_eq!(objection("src/main.rs", &large), Some("is too large"));
    assert_eq!(objection("Cargo.lock", &large), None);
    assert_eq!(objection("data/a.parquet", b"PAR1\0"), Some("is binary"));
    assert_eq!(objection("notes", b"\xff\xfe"), Some("is binary"));
    assert_eq!(objection(".tmp/spill", b"text"), Some("is a scratch file"));
    assert_eq!(objection("fuzz/corpus/x", b"\0"), None);
    assert_eq!(objection("docs/images/page.png", &large), None);
}
