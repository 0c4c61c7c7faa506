//! The edge: sockets, rings, clocks, cores, signals, and the threads that use them.

pub mod capture;
pub mod cold;
pub mod host;
pub mod hot;
pub mod link;
pub mod os;
pub mod ring;
pub mod tally;
