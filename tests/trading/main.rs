//! The trading engine's behavior in virtual time, from the venue's bytes to the orders it sends.

#[path = "../support/mod.rs"]
mod support;

mod allocations;
mod desk;
mod entries;
mod evidence;
mod exits;
mod losses;
mod pipe;
mod readings;
mod signer;
mod stops;
mod waiting;
