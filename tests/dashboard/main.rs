//! The dashboard's server over TCP, fed as a run feeds it: what it answers, what it refuses, and what
//! it survives.

#![allow(clippy::float_cmp, reason = "metrics are doubles, and what is compared is exact in them")]

mod abuse;
mod api;
mod control;
mod front;
mod grafana;
mod harness;
mod health;
mod http;
mod metrics;
mod numbered;
mod page;
mod publish;
mod rehearsed;
mod sample;
mod smuggling;
mod socket;

#[path = "../store_rows/mod.rs"]
mod store_rows;
#[path = "../support/mod.rs"]
mod support;
