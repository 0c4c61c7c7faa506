//! What is fuzzed: one function a target, each from any bytes to a verdict.
//!
//! A target holds us to a promise that has its tests elsewhere; here nobody has to think of the
//! input. `fuzz_targets` hands these functions to libFuzzer, and `tests/fuzz_corpus.rs` of the
//! program includes this file to replay the corpora without it.
//!
//! A target must say the same of the same bytes, whatever it was given before: no clock, no chance.

#![allow(unreachable_pub, reason = "this file is a crate, and a module of a test")]

mod captures;
mod config;
mod dashboard;
mod decimals;
mod engine;
mod frames;
mod news;
mod orders;
mod readings;
mod records;
mod strict;
mod venue;

/// Readers and worlds that the program's own tests are made of, so that there is one of each.
#[allow(dead_code, reason = "each user takes its share")]
#[path = "../../tests/frames"]
mod readers {
    pub(crate) mod accounts;
    pub(crate) mod fixtures;
    pub(crate) mod markets;
    pub(crate) mod news;
    pub(crate) mod reference;
    pub(crate) mod tree;
}
#[allow(dead_code, reason = "each user takes its share")]
#[path = "../../tests/trading/desk.rs"]
mod desk;
#[path = "../../tests/store_rows/mod.rs"]
mod store_rows;
#[path = "../../tests/support/mod.rs"]
mod support;

/// A target: its name, which is that of its corpus, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 11] = [
    ("captures", captures::run),
    ("config", config::run),
    ("dashboard", dashboard::run),
    ("decimals", decimals::run),
    ("engine", engine::run),
    ("frames", frames::run),
    ("news", news::run),
    ("orders", orders::run),
    ("readings", readings::run),
    ("records", records::run),
    ("venue", venue::run),
];

/// Runs the target `name` on `input`.
///
/// # Panics
///
/// When there is no such target, and whenever a promise is broken.
pub fn run(name: &str, input: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    target(input);
}
