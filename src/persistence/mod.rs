//! The records: rows in, Parquet files out, one a UTC day and kind. A cold thread owns it.
//!
//! Promises (each has its tests in `tests/store*.rs`):
//!
//! - Every `*.parquet` file is whole at any moment, during the run and after its death, also for a
//!   reader that opens it by name more than once for one query.
//! - A row that was committed is in its file after the next flush or start, exactly once.
//! - What is recorded is a prefix of what the engine said, as if it had died a little earlier.
//! - A flush costs the new rows, at most one row group of older ones, and a copy of bytes.
//! - A disk that refuses is told of, counted and tried again. It stops nothing else, and nothing is
//!   lost while memory lasts; when rows have to be dropped, a gap row says so.
//!
//! A row is first appended to the journal, and from there carried into the file of its day. What
//! must never happen here: a file that others read, changed in place; a file that is not ours,
//! overwritten; a number given to two rows.

mod batch;
mod beside;
mod columns;
mod day_file;
mod debts;
mod disk;
mod journal;
mod parquet;
mod recover;
mod run;
mod store;
mod table;

pub use batch::{Batch, BatchError, Dictionary, NO_TEXT};
pub use beside::{Beside, Life};
pub use disk::{Disk, OsDisk};
pub use recover::Recovery;
pub use run::RunInfo;
pub use store::{FlushReport, Health, Limits, Store, StoreError, Summary};
pub use table::{Table, Value, read_days};
