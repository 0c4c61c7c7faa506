//! The program as its user meets it: the built binary against a venue served on loopback.

#[path = "../store_rows/mod.rs"]
mod store_rows;

mod alerts;
mod bad_input;
mod dashboard;
mod demo;
mod disk;
mod funded;
mod harness;
mod kill;
mod kills_in_trading;
mod mid_position;
mod replay;
mod report;
mod service;
mod trading;
mod why;
