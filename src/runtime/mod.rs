//! The edge: sockets, rings, clocks, cores, signals, and the threads that use them.

pub mod capture;
pub mod cold;
pub mod front;
pub mod host;
pub mod hot;
pub mod latch;
pub mod link;
pub mod meter;
pub mod os;
pub mod presigner;
pub mod publish;
pub mod reach;
pub mod ring;
pub mod tally;
pub mod wallet;
