//! The simulated venue keeps the promises of its room, of the venue's documents, and of chance.

#![allow(clippy::unwrap_used, reason = "tests")]

mod accounts;
mod actions;
mod answers;
mod blind;
mod faults;
mod market;
mod shapes;
mod streams;
mod support;
mod trader;
mod trading_faults;
mod wire;
