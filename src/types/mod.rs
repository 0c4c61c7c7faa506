//! The words: numbers with units, clocks as values, names, events and actions, rows, config.
//! Knows no other part of the program.

pub mod account;
pub mod config;
pub mod counters;
pub mod event;
pub mod hard_stop;
pub mod ids;
pub mod latency;
pub mod log_event;
pub mod losses;
pub mod market;
pub mod num;
pub mod order;
pub mod ready;
pub mod record;
pub mod snapshot;
pub mod source;
pub mod split_mix;
pub mod status;
pub mod time;
