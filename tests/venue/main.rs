//! The simulated venue keeps the promises of its room, of the venue's documents, and of chance.

mod answers;
mod faults;
mod market;
mod streams;
mod support;
mod wire;
