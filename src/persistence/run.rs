//! Who writes: the run that rows belong to.

use serde::{Deserialize, Serialize};

use crate::types::record::Mode;
use crate::types::time::Wall;

/// A run of the program. Every day file names the runs that wrote it, and where each began.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Unique.
    pub run_id: String,
    /// The commit the program was built from.
    pub git_commit: String,
    /// Hash of the effective config.
    pub config_hash: String,
    /// When the run started.
    pub started_at: Wall,
    /// Its mode.
    pub mode: Mode,
    /// The entry probes that every signal of the run will have.
    pub entry_latencies_ms: Vec<u32>,
}
