//! The settings that are compared: configs by their files, or the points of a grid.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::command::Failure;
use crate::command::replay::value::Rule;
use crate::command::replay::{Replay, Source};
use crate::report::trip::PlanError;
use crate::types::config::{self, Config};
use crate::types::num::{Ratio, Rounding, parse_signed};
use crate::types::record::FOLLOW_UP_MS;

/// Most points of a grid.
const MOST_POINTS: usize = 10_000;

/// The account of a replay whose config names none. Nobody has its key.
const NOBODY: &str = "0x00000000000000000000000000000000000f111e";

/// One way to set the engine.
#[derive(Clone, Debug, Default)]
pub(super) struct Setting {
    /// Its name in reports.
    pub(super) label: String,
    /// Its config; `None` takes the captured run's.
    file: Option<PathBuf>,
    /// What is laid over it.
    overrides: Vec<String>,
    /// The values of the grid's keys, in their order.
    pub(super) point: Vec<String>,
}

impl Setting {
    /// Its config for a capture, in the mode that is asked for.
    ///
    /// The link is the captured run's in any case, and so is what it goes by: an engine that waited longer
    /// after a drop would not hear that the link was opened again, nor anything after it.
    pub(super) fn config(&self, args: &Replay, source: &Source) -> Result<Config, Failure> {
        let websocket = source.websocket()?;
        Ok(Config { websocket, ..self.own_config(args, source)? })
    }

    fn own_config(&self, args: &Replay, source: &Source) -> Result<Config, Failure> {
        let read = |more: &[String]| {
            let overrides = [&self.overrides, more].concat();
            match &self.file {
                Some(file) => config::load(Some(file), &overrides),
                None => config::from_text(&source.header().config, &source.name, &overrides),
            }
            .map_err(Failure::usage)
        };
        let mode = args.mode.key();
        if args.fill.is_some() && read(&["mode=observation".to_owned()])?.account.acting().is_none()
        {
            // Who is filled here needs no account elsewhere.
            return read(&[mode, format!("account.user_address={NOBODY}")]);
        }
        read(&[mode])
    }

    /// How its signals are valued.
    pub(super) fn rule(
        &self,
        args: &Replay,
        config: &Config,
        capture: &Path,
    ) -> Result<Rule, Failure> {
        let (latency_ms, exit_ms) = (args.latency_ms(), args.exit_ms());
        // As in a report.
        if latency_ms >= exit_ms {
            return Err(Failure::usage(PlanError::AfterExit { latency_ms, exit_ms }));
        }
        let taken = &config.detector.entry_latencies_ms;
        let probes = Rule::probes(taken, latency_ms).ok_or_else(|| {
            Failure::usage(format!(
                "--latency-ms {latency_ms}: {} with {} probes {taken:?} ms (detector.entry_latencies_ms): \
                 expected at most the last of them",
                capture.display(),
                self.label,
            ))
        })?;
        Ok(Rule {
            probes,
            latency_ms,
            exit_ms,
            fee_bps: args.fee_bps,
            slippage_bps: config.detector.slippage.to_f64(),
            priority_bps: args.priority_bps.unwrap_or(0.0),
        })
    }
}

/// Reads `--exit-ms`: there is a follow-up then.
pub(super) fn exit_ms(text: &str) -> Result<u32, String> {
    let known = text.parse().ok().filter(|ms| FOLLOW_UP_MS.contains(ms));
    known.ok_or_else(|| format!("expected one of {FOLLOW_UP_MS:?}"))
}

/// Reads a number of basis points.
pub(super) fn bps(text: &str) -> Result<f64, String> {
    let known = text.parse().ok().filter(|bps: &f64| (0.0..=1_000.0).contains(bps));
    known.ok_or_else(|| "expected basis points in 0..=1000".to_owned())
}

/// Those of the captured run.
pub(super) fn captured(overrides: &[String]) -> Setting {
    Setting { overrides: overrides.to_vec(), ..Setting::default() }
}

/// One setting a config file, named by it.
pub(super) fn of_files(files: &[PathBuf], overrides: &[String]) -> Vec<Setting> {
    let name = |file: &PathBuf| match file.file_name() {
        Some(name) if files.iter().filter(|other| other.file_name() == Some(name)).count() == 1 => {
            name.to_string_lossy().into_owned()
        }
        _ => file.display().to_string(),
    };
    let setting = |file: &PathBuf| Setting {
        label: name(file),
        file: Some(file.clone()),
        overrides: overrides.to_vec(),
        point: Vec::new(),
    };
    files.iter().map(setting).collect()
}

/// Refuses keys that have no effect, or not the one that is meant.
pub(super) fn check_keys(axes: &[Axis], overrides: &[String]) -> Result<(), Failure> {
    let swept = axes.iter().map(|axis| ("--sweep", axis.key.as_str()));
    let set = overrides.iter().filter_map(|over| Some(("--set", over.split_once('=')?.0)));
    let mut known = BTreeSet::new();
    for (option, key) in swept.chain(set) {
        let plain: String = key.chars().filter(|c| !c.is_whitespace() && *c != '"').collect();
        let expected = match plain.split('.').next() {
            Some("mode") => "--mode instead",
            Some("websocket") => {
                "another section: the link is the captured run's, whatever the setting"
            }
            _ if plain == "persistence.data_dir" => "--out instead",
            _ if !known.insert(plain.clone()) => "each key once",
            _ => continue,
        };
        return Err(Failure::usage(format!("{option} {key}: expected {expected}")));
    }
    Ok(())
}

/// A key of the config, and the values it takes in turn.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Axis {
    pub(super) key: String,
    values: Vec<String>,
}

/// Reads `detector.min_edge_bps=2..30:2` (the end included, if a step meets it) or
/// `risk.max_bbo_age_ms=500,2000,off`.
pub(super) fn axis(text: &str) -> Result<Axis, String> {
    let expected = |what: &str| {
        format!(
            "{text:?}: expected {what}, as in detector.min_edge_bps=2..30:2 or \
             detector.sizing_alpha=0.05,0.1"
        )
    };
    let (key, values) = text.split_once('=').ok_or_else(|| expected("section.key=values"))?;
    if key.is_empty() || values.is_empty() {
        return Err(expected("section.key=values"));
    }
    let values = match values.split_once("..") {
        Some((first, rest)) => {
            let (last, step) = rest.split_once(':').ok_or_else(|| expected("first..last:step"))?;
            let number = |text: &str| {
                parse_signed(text.as_bytes(), 9, Rounding::Refuse)
                    .ok_or_else(|| expected("decimal numbers"))
            };
            let (first, last, step) = (number(first)?, number(last)?, number(step)?);
            if step <= 0 || last < first {
                return Err(expected("a step above zero, and an end that is not before its start"));
            }
            let steps = (i128::from(last) - i128::from(first)) / i128::from(step);
            if steps >= MOST_POINTS as i128 {
                return Err(expected("at most 10000 values"));
            }
            let value =
                |n: i128| Ratio::from_units((i128::from(first) + n * i128::from(step)) as i64);
            (0..=steps).map(|n| value(n).to_string()).collect()
        }
        None => values.split(',').map(str::to_owned).collect(),
    };
    Ok(Axis { key: key.to_owned(), values })
}

/// All points of the grid: the last axis turns fastest.
///
/// Errors: more than 10,000 of them.
pub(super) fn grid(
    axes: &[Axis],
    file: Option<&PathBuf>,
    overrides: &[String],
) -> Result<Vec<Setting>, Failure> {
    let points = axes.iter().try_fold(1_usize, |all, axis| all.checked_mul(axis.values.len()));
    if points.is_none_or(|points| points > MOST_POINTS) {
        let sizes: Vec<String> = axes.iter().map(|axis| axis.values.len().to_string()).collect();
        return Err(Failure::usage(format!(
            "--sweep: {} points: expected at most {MOST_POINTS}",
            sizes.join(" × ")
        )));
    }
    let mut settings = vec![Setting { file: file.cloned(), ..captured(overrides) }];
    for axis in axes {
        let with = |setting: &Setting, value: &String| {
            let mut next = setting.clone();
            let set = format!("{}={value}", axis.key);
            next.label = [next.label.as_str(), &set].join(" ").trim_start().to_owned();
            next.overrides.push(set);
            next.point.push(value.clone());
            next
        };
        settings = settings
            .iter()
            .flat_map(|setting| axis.values.iter().map(move |value| with(setting, value)))
            .collect();
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::runtime::capture::Header;
    use crate::types::time::Nanos;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        replay: Replay,
    }

    #[test]
    fn an_axis_counts_exactly_and_holds_its_end() {
        let values = |text| axis(text).map(|axis| axis.values);
        assert_eq!(values("a.b=2..6:2").unwrap(), ["2", "4", "6"]);
        assert_eq!(values("a.b=2..7:2").unwrap(), ["2", "4", "6"]);
        assert_eq!(values("a.b=0.1..0.3:0.1").unwrap(), ["0.1", "0.2", "0.3"]);
        assert_eq!(values("a.b=-1..1:1").unwrap(), ["-1", "0", "1"]);
        assert_eq!(values("a.b=5..5:1").unwrap(), ["5"]);
        assert_eq!(values("a.b=off,200").unwrap(), ["off", "200"]);
        for wrong in [
            "",
            "a.b",
            "a.b=",
            "=1..2:1",
            "a.b=1..2",
            "a.b=2..1:1",
            "a.b=1..2:0",
            "a.b=x..2:1",
            "a.b=0..100000:1",
            "a.b=1..2:0.00000000001",
        ] {
            let told = axis(wrong).expect_err(wrong);
            assert!(told.contains("expected"), "{told}");
        }
    }

    #[test]
    fn a_grid_is_every_combination_up_to_a_bound() {
        let axes = [axis("a.b=1..2:1").unwrap(), axis("c.d=x,y,z").unwrap()];
        let points = grid(&axes, None, &["e.f=0".to_owned()]).unwrap();
        let labels: Vec<&str> = points.iter().map(|point| point.label.as_str()).collect();
        assert_eq!(labels[..4], ["a.b=1 c.d=x", "a.b=1 c.d=y", "a.b=1 c.d=z", "a.b=2 c.d=x"]);
        assert_eq!(points[4].overrides, ["e.f=0", "a.b=2", "c.d=y"]);
        assert_eq!(
            (points.len(), &points[5].point[..]),
            (6, &["2".to_owned(), "z".to_owned()][..])
        );
        let wide = axis("a.b=1..200:1").unwrap();
        let told = grid(&[wide.clone(), wide], None, &[]).expect_err("too many").message;
        assert!(told.contains("200 × 200 points: expected at most 10000"), "{told}");
    }

    #[test]
    fn keys_without_effect_and_repeated_ones_are_refused() {
        let axes = |all: &[&str]| all.iter().map(|one| axis(one).unwrap()).collect::<Vec<_>>();
        let told = |swept: &[&str], set: &[&str]| {
            let set: Vec<String> = set.iter().map(|&one| one.to_owned()).collect();
            check_keys(&axes(swept), &set).err().map(|failure| failure.message)
        };
        assert_eq!(told(&["a.b=1,2"], &["c.d=1", "a.c=mode"]), None);
        for (swept, set, names) in [
            (&["mode=observation,trading"][..], &[][..], "--sweep mode: expected --mode"),
            (&[], &["mode=trading"], "--set mode: expected --mode"),
            (&["websocket.pong_timeout_ms=1,2"], &[], "the captured run's"),
            (&[], &["persistence.data_dir=x"], "--out instead"),
            (&[], &[" \"websocket\" .pong_timeout_ms=1"], "the captured run's"),
            (&["a.b=1,2", "a.b=3,4"], &[], "--sweep a.b: expected each key once"),
            (&["a.b=1,2"], &["a.b=3"], "--set a.b: expected each key once"),
            (&[], &["a.b=3", "a . b=4"], "expected each key once"),
        ] {
            let told = told(swept, set).expect("refused");
            assert!(told.contains(names), "{told}");
        }
    }

    #[test]
    fn the_link_is_the_captured_runs_whatever_the_setting_says() {
        let dir = tempfile::tempdir().expect("a directory");
        let capture = dir.path().join("a.jsonl");
        // What else stands there may be of another version.
        let config = "[websocket]\nreconnect_base_delay_ms = 250\n[older]\nkey = 1\n";
        let header = Header::new("run", 1, 1, config.to_owned());
        let header = serde_json::to_string(&header).expect("a line");
        std::fs::write(&capture, format!("{header}\n")).expect("written");
        let file = dir.path().join("mine.toml");
        std::fs::write(&file, "[websocket]\nreconnect_base_delay_ms = 5000\n").expect("written");
        let args = Cli::try_parse_from(["replay", "unread"]).expect("arguments").replay;
        let source = Source::open(&capture).expect("a capture");
        let [setting] = &of_files(&[file], &[])[..] else { panic!("one setting") };
        let config = setting.config(&args, &source).expect("a config");
        assert_eq!(config.websocket.reconnect_base_delay, Nanos::from_millis(250));
    }

    #[test]
    fn settings_are_named_by_their_files_and_apart() {
        let files = ["a/one.toml", "b/one.toml", "two.toml"].map(PathBuf::from);
        let labels: Vec<String> = of_files(&files, &[]).into_iter().map(|s| s.label).collect();
        assert_eq!(labels, ["a/one.toml", "b/one.toml", "two.toml"]);
    }
}
