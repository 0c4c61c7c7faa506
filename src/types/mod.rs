//! The words: numbers with units, clocks as values, names, events and actions, rows, config.
//! Knows no other part of the program.

pub mod config;
pub mod event;
pub mod ids;
pub mod market;
pub mod note;
pub mod num;
pub mod record;
pub mod source;
pub mod time;
