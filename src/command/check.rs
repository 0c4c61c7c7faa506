//! `hip3 check`

use std::io::{self, Write};

use clap::Args;

use crate::command::order_size::{OrderSize, least_balance};
use crate::command::{ConfigArgs, Failure, print};
use crate::types::config::Config;
use crate::types::record::Mode;

/// Checks the config and prints the effective one, with every default, as TOML.
///
/// All problems are listed at once, each with the key, its value, and what was expected; the exit
/// code is then 2. What is possible and probably not meant is a warning on standard error, which for
/// trading also says what size orders have.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    config: ConfigArgs,
}

impl Check {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        for note in notes(&config) {
            // Nothing is left to do when even this cannot be written.
            let _ = writeln!(io::stderr(), "hip3: {note}");
        }
        print(&config.to_toml())
    }
}

/// What is said of a config beside itself.
fn notes(config: &Config) -> Vec<String> {
    let mut notes: Vec<String> =
        config.warnings().into_iter().map(|warning| format!("warning: {warning}")).collect();
    if config.mode == Mode::Trading {
        let mut size = OrderSize::of(config, None).to_string();
        if let Some(share) = config.position.risk_per_market {
            size.push_str(&format!("; by dynamic sizing at most {share} of the balance"));
            if let Some(balance) = least_balance(share) {
                size.push_str(&format!(", and none at a balance below {balance} USD"));
            }
        }
        notes.push(size);
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::config::from_text;

    fn notes_of(text: &str) -> Vec<String> {
        let trading = "mode = \"trading\"\naccount.user_address = \"0x00000000000000000000000000000000000000aa\"\n";
        notes(&from_text(&format!("{trading}{text}"), "a test", &[]).unwrap())
    }

    /// A29: with the defaults an entry at the least edge earns; one that loses as planned is warned of.
    #[test]
    fn an_edge_that_the_exit_eats_is_warned_of() {
        let warned =
            |text: &str| notes_of(text).iter().filter(|note| note.contains("warning")).count();
        for (text, warnings) in [
            ("", 0),
            ("detector.min_edge_bps = 3", 0),
            ("detector.min_edge_bps = 2.9", 1),
            ("detector.slippage_bps = 0\nmark_regression.exit_threshold_bps = 6", 1),
            ("detector.min_edge_bps = 0\nmark_regression.enabled = false", 0),
            ("detector.markets.\"xyz:A\".threshold_bps = 5", 0),
            ("detector.markets.\"xyz:A\".threshold_bps = 4.9", 1),
            ("detector.taker_fee_bps = 1\ndetector.markets.\"xyz:A\".threshold_bps = 6.9", 1),
            ("detector.taker_fee_bps = 1\ndetector.markets.\"xyz:A\".threshold_bps = 7", 0),
            ("detector.max_edge_bps = 7", 0),
            ("detector.max_edge_bps = 6.9", 1),
            ("detector.taker_fee_bps = 1\ndetector.max_edge_bps = 9", 0),
            ("detector.taker_fee_bps = 1\ndetector.max_edge_bps = 8.9", 1),
            ("detector.markets.\"xyz:A\".threshold_bps = 200", 0),
            ("detector.markets.\"xyz:A\".threshold_bps = 200.5", 1),
        ] {
            assert_eq!(warned(text), warnings, "{text}: {:?}", notes_of(text));
        }
        let note = notes_of("detector.min_edge_bps = 1").remove(0);
        assert!(note.contains("(1 + 2)") && note.contains("exit_threshold_bps (5)"), "{note}");
    }

    /// A33: trading says what size comes out, and from what balance on any does.
    #[test]
    fn trading_says_the_size_of_its_orders() {
        assert_eq!(notes_of(""), ["order size: 50 USD (detector.max_notional)"]);
        assert_eq!(
            notes_of("position.dynamic_sizing = { enabled = true, risk_per_market_pct = 0.0025 }"),
            [
                "order size: 50 USD (detector.max_notional); by dynamic sizing at most 0.0025 of the balance, \
              and none at a balance below 4000 USD"
            ]
        );
        assert_eq!(notes(&Config::default()), Vec::<String>::new(), "observation sends none");
    }
}
