//! `hip3` watches Hyperliquid's HIP-3 perpetual markets for quotes that lag the oracle.
//!
//! The program follows the data. A stage never imports a later one; all stand on [`types`]:
//!
//! ```text
//! types ← feed ← risk, detector, position ← executor ← engine ← runtime ← command ← main
//!   ↑ cold threads: account, alerts, dashboard, persistence, telemetry
//!   ↑ venue (the simulated exchange)
//!   ↑ report (what is made of the records)
//! ```
//!
//! [`simulation`] drives [`engine`] and [`venue`] in virtual time, with everything that can go wrong.
//!
//! Start reading at [`types::event`] (the words), then [`engine`] (the heart), then
//! `tests/scenarios.rs` (the behavior).

pub mod account;
pub mod alerts;
pub mod command;
pub mod dashboard;
pub mod detector;
pub mod engine;
pub mod executor;
pub mod feed;
pub mod persistence;
pub mod position;
pub mod report;
pub mod risk;
pub mod runtime;
pub mod simulation;
pub mod telemetry;
pub mod types;
pub mod venue;
