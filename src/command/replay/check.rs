//! What is refused before the first capture is played: a replay may take hours.

use std::collections::BTreeSet;

use crate::command::Failure;
use crate::command::replay::fill::Exchange;
use crate::command::replay::settings::Setting;
use crate::command::replay::value::Rule;
use crate::command::replay::{Replay, Source, record};

impl Replay {
    /// Refuses options that would have no effect.
    pub(super) fn check_options(&self, alone: bool) -> Result<(), Failure> {
        let of_several = [
            ("--latency-ms", self.latency_ms.is_some()),
            ("--exit-ms", self.exit_ms.is_some()),
            ("--fee-bps", self.fee_bps.is_some()),
            ("--priority-bps", self.priority_bps.is_some()),
            ("--jobs", self.jobs.is_some()),
        ];
        let of_one = [("--out", self.out.is_some()), ("--no-records", self.no_records)];
        let (refused, expected) = match alone {
            true => {
                (&of_several[..], "several settings with it: --sweep, or more than one --config")
            }
            false => (&of_one[..], "one setting with it: several write no records"),
        };
        match refused.iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(Failure::usage(format!("{option}: expected {expected}"))),
            None => Ok(()),
        }
    }

    /// What is wrong with a capture, or a setting under it, is told before the first one is played.
    pub(super) fn check_captures(&self, settings: &[Setting], alone: bool) -> Result<(), Failure> {
        let mut rules: Vec<Rule> = Vec::new();
        let mut places = BTreeSet::new();
        for path in &self.captures {
            let source = Source::open(path)?;
            if alone && !self.no_records {
                let place = record::place(self, &source);
                record::refuse_records(&place)?;
                if !places.insert(place) {
                    return Err(Failure::usage(format!(
                        "{}: of the same run as a capture before it: expected one for each (see \
                         --no-records)",
                        path.display()
                    )));
                }
            }
            for (at, setting) in settings.iter().enumerate() {
                let config = setting.config(self, &source)?;
                if self.fill.is_some() {
                    Exchange::dex(&config)?;
                }
                if alone {
                    continue;
                }
                if at == 0 {
                    source.note_other_mode(&config);
                }
                let rule = setting.rule(self, &config, path)?;
                match rules.get(at) {
                    None => rules.push(rule),
                    Some(first) if *first == rule => {}
                    Some(_) => {
                        return Err(Failure::usage(format!(
                            "{}: its detector.slippage_bps or entry_latencies_ms differ from those of \
                             the captures before it: expected one config for all (see --config)",
                            path.display()
                        )));
                    }
                }
            }
        }
        Ok(())
    }
}
