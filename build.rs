//! Tells the program which commit it is built from, where there is one.

#![allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=HIP3_GIT_COMMIT");
    if std::env::var_os("HIP3_GIT_COMMIT").is_some() {
        return; // Given from outside, for builds without a checkout.
    }
    // A source archive unpacked inside another project's checkout is not that project's commit.
    let here = std::env::current_dir().and_then(std::fs::canonicalize).ok();
    let top =
        git(&["rev-parse", "--show-toplevel"]).and_then(|top| std::fs::canonicalize(top).ok());
    if here.is_none() || here != top {
        return;
    }
    // The log of HEAD grows with every commit and checkout.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        && std::path::Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo::rustc-env=HIP3_GIT_COMMIT={commit}");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
