//! Who writes: the run that rows belong to.

use serde::{Deserialize, Serialize};

use crate::types::num::Bps;
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
    /// What the net edge of its signals leaves for slippage; files of old do not say.
    #[serde(default, with = "as_number")]
    pub slippage_bps: Option<Bps>,
    /// How many times the distance between a signal's two edges holds the taker fee. Files of old do not
    /// say: in them it does once.
    #[serde(default = "one_side")]
    pub fee_sides: u8,
}

const fn one_side() -> u8 {
    1
}

/// Basis points as other tools read them.
mod as_number {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::types::num::Bps;

    const UNITS: f64 = (1_i64 << 32) as f64;

    pub(super) fn serialize<S: Serializer>(bps: &Option<Bps>, to: S) -> Result<S::Ok, S::Error> {
        bps.map(Bps::to_f64).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Bps>, D::Error> {
        let bps = Option::<f64>::deserialize(from)?;
        // Back to the same bits: a config's bps have less of them than the number has.
        Ok(bps.map(|bps| Bps::from_bits((bps * UNITS).round() as i64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::record::FEE_SIDES;

    #[test]
    fn a_run_reads_back_and_one_of_old_says_nothing_of_slippage_and_counts_the_fee_once() {
        let run = RunInfo {
            run_id: "r".to_owned(),
            git_commit: "c".to_owned(),
            config_hash: "h".to_owned(),
            started_at: Wall(1),
            mode: Mode::Observation,
            entry_latencies_ms: vec![50, 400],
            slippage_bps: Some(Bps::from_bits((2 << 32) + 12_345)),
            fee_sides: FEE_SIDES,
        };
        let text = serde_json::to_string(&run).expect("JSON");
        assert!(text.contains(r#""slippage_bps":2.0000028"#), "{text}");
        assert!(text.ends_with(r#","fee_sides":2}"#), "{text}");
        assert_eq!(serde_json::from_str::<RunInfo>(&text).expect("a run"), run);
        let (old, _) = text.split_once(r#","fee_sides""#).expect("the last field");
        let read: RunInfo = serde_json::from_str(&format!("{old}}}")).expect("a run");
        assert_eq!(read, RunInfo { fee_sides: 1, ..run.clone() });
        let (old, _) = text.split_once(r#","slippage_bps""#).expect("the last field but one");
        let read: RunInfo = serde_json::from_str(&format!("{old}}}")).expect("a run");
        assert_eq!(read, RunInfo { slippage_bps: None, fee_sides: 1, ..run });
    }
}
