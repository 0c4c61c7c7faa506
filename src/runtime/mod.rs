//! The edge: sockets, rings, clocks, cores, signals.

pub mod hot;
pub mod link;
pub mod os;
pub mod ring;
