//! `hip3 simulate`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use clap::Args;
use serde_json::json;

use crate::command::{Failure, print};
use crate::simulation::{
    Digest, Invariant, Plan, Played, Profile, Reach, Trace, play, profile, reach,
};
use crate::types::time::Nanos;

/// Plays engine and venue in virtual time, with everything that can go wrong between them.
///
/// No threads, sockets or clocks take part: prices, latencies, faults and deaths come from the seed,
/// and the same seed gives the same run on every machine. After every event the invariants are
/// judged by the venue's own books and by a shadow of them. The first that does not hold ends its
/// run, is shown with what happened last, and with the command that plays it again.
///
/// With `--faults all` the seeds take turns over the built-in profiles; with `--reach` everything that
/// must be seen at least once (gates, checks, refusals, latches, exits, faults) has to be. Exit code 1
/// when an invariant did not hold, or something was not seen.
///
/// What is printed is the same for the same arguments on every machine, except how long it took: that
/// stands on the last line, with --json under the key machine.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Seeds, the last one excluded; one number plays one seed
    #[arg(long, value_name = "A..B", value_parser = seeds, default_value = "0..20")]
    seeds: Range<u64>,
    /// Virtual hours of each seed
    #[arg(long, value_name = "H", value_parser = hours, default_value = "1")]
    hours: Nanos,
    /// A built-in profile, `all` of them in turn, or a file
    #[arg(long, value_name = "PROFILE", default_value = "all")]
    faults: String,
    /// Markets of the venue
    #[arg(long, value_name = "N", default_value_t = 126, value_parser = clap::value_parser!(u32).range(1..=490))]
    markets: u32,
    /// Runs at the same time; by default one for each core
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Faults that are left out, by name
    #[arg(long, value_name = "FAULT,…", value_delimiter = ',')]
    without: Vec<String>,
    /// Looks for a smaller run that fails in the same way: fewer faults, fewer markets, sooner
    #[arg(long)]
    shrink: bool,
    /// Writes everything that a single seed hears and does to this file
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Lists the profiles and their faults, and plays nothing
    #[arg(long)]
    list: bool,
    /// Fails when something that must be seen was not: for many seeds of all profiles
    #[arg(long)]
    reach: bool,
    /// Prints the result as JSON
    #[arg(long)]
    json: bool,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let expected = || format!("{text:?}: expected seeds such as 0..100, or one such as 17");
    let number = |text: &str| text.parse::<u64>().map_err(|_| expected());
    let range = match text.split_once("..") {
        Some((first, end)) => number(first)?..number(end)?,
        None => {
            let one = number(text)?;
            one..one.checked_add(1).ok_or_else(expected)?
        }
    };
    if range.is_empty() { Err(expected()) } else { Ok(range) }
}

fn hours(text: &str) -> Result<Nanos, String> {
    let expected = || format!("{text:?}: expected hours such as 1 or 0.25, up to 1000");
    let hours: f64 = text.parse().map_err(|_| expected())?;
    if !(0.0..=1000.0).contains(&hours) {
        return Err(expected());
    }
    let span = Nanos::from_millis((hours * 3_600_000.0).round() as u64);
    if span < Plan::SHORTEST {
        let least = Plan::SHORTEST.as_millis() / 1000;
        return Err(format!("{text:?}: a run takes {least} virtual seconds at least"));
    }
    Ok(span)
}

impl Simulate {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut profiles = self.profiles()?;
        if self.list {
            return print(&list(&profiles));
        }
        self.leave_out(&mut profiles)?;
        let single = self.seeds.end - self.seeds.start == 1;
        if self.trace.is_some() && !single {
            return Err(Failure::usage("--trace: expected a single seed, such as --seeds 17"));
        }
        let scratch = Scratch::new().map_err(Failure::runtime)?;
        let trace = match &self.trace {
            Some(path) => {
                let file = File::create(path)
                    .map_err(|error| Failure::runtime(format!("{}: {error}", path.display())))?;
                Trace::last(Some(file))
            }
            None => Trace::none(),
        };
        let began = Instant::now();
        let played = self.play_all(&profiles, &scratch, trace)?;
        let took = began.elapsed().as_secs_f64();
        let mut report = Report::new(&profiles, played, took);
        if let Some((profile, played)) = report.broken() {
            let (profile, seed) = (profile.clone(), played.seed);
            let shown = self.show_broken(&profile, seed, &scratch)?;
            report.failure = Some(shown);
        }
        let must_reach = self.reach;
        let missing = if must_reach { report.reach.missing() } else { Vec::new() };
        let missing: Vec<String> = missing
            .into_iter()
            .chain(match must_reach {
                true => report.faults_missing(&profiles),
                false => Vec::new(),
            })
            .collect();
        print(&if self.json {
            report.as_json(&missing)
        } else {
            report.as_text(&missing, must_reach)
        })?;
        match (&report.failure, &missing[..]) {
            (Some(failure), _) => {
                Err(Failure::runtime(format!("an invariant did not hold: {failure}")))
            }
            (None, []) => Ok(()),
            (None, missing) => {
                Err(Failure::runtime(format!("{} things were never seen", missing.len())))
            }
        }
    }

    fn profiles(&self) -> Result<Vec<Profile>, Failure> {
        if self.faults == "all" {
            return Profile::all().map_err(Failure::usage);
        }
        if let Some(profile) = Profile::named(&self.faults) {
            return Ok(vec![profile.map_err(Failure::usage)?]);
        }
        let text = std::fs::read_to_string(&self.faults).map_err(|error| {
            let known: Vec<&str> = profile::BUILT_IN.iter().map(|(name, _)| *name).collect();
            let known = known.join(", ");
            Failure::usage(format!(
                "--faults {}: expected all, one of {known}, or a file: {error}",
                self.faults
            ))
        })?;
        let profile = Profile::from_toml(&self.faults, &text).map_err(Failure::usage)?;
        Ok(vec![profile])
    }

    /// Turns the faults of `--without` off, in every profile that has them.
    fn leave_out(&self, profiles: &mut [Profile]) -> Result<(), Failure> {
        for name in &self.without {
            let one = BTreeSet::from([name.clone()]);
            let mut known = false;
            for profile in profiles.iter_mut() {
                known |= profile.without(&one).is_ok();
            }
            if !known {
                let faults = &self.faults;
                let text = format!("--without {name}: expected a fault of {faults} (see --list)");
                return Err(Failure::usage(text));
            }
        }
        Ok(())
    }

    fn plan(&self, profile: &Profile, seed: u64, dir: PathBuf) -> Plan {
        Plan {
            profile: profile.clone(),
            seed,
            span: self.hours,
            markets: self.markets as usize,
            dir,
        }
    }

    /// Plays every seed, several at a time, and tells how it goes.
    fn play_all(
        &self,
        profiles: &[Profile],
        scratch: &Scratch,
        trace: Trace,
    ) -> Result<Vec<(usize, Played)>, Failure> {
        let seeds: Vec<u64> = self.seeds.clone().collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.jobs.unwrap_or(cores).clamp(1, seeds.len());
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let trace = Mutex::new(Some(trace));
        let progress = Progress::new(seeds.len(), self.hours);
        let work = |job: usize| {
            let mut played = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(seed) = seeds.get(at) else { break };
                // The seed alone decides over the profile, so that one plays again what many played.
                let profile = (*seed % profiles.len() as u64) as usize;
                let plan = self.plan(&profiles[profile], *seed, scratch.dir(job));
                let trace = trace.lock().ok().and_then(|mut trace| trace.take());
                let trace = trace.unwrap_or_default();
                // A panic is a violation too: of all promises at once.
                let one = panic::catch_unwind(AssertUnwindSafe(|| play(&plan, trace)));
                let one = one.map_err(|_| {
                    stop.store(true, Ordering::Relaxed);
                    let name = &plan.profile.name;
                    format!("a panic, told above, in --faults {name} --seeds {seed}")
                })??;
                if one.broken.is_some() {
                    stop.store(true, Ordering::Relaxed);
                }
                progress.done(&one);
                played.push((profile, one));
            }
            Ok(played)
        };
        let mut all = Vec::new();
        let mut failure: Option<String> = None;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..jobs).map(|job| scope.spawn(move || work(job))).collect();
            for thread in threads {
                match thread.join() {
                    Ok(Ok(played)) => all.extend(played),
                    Ok(Err(error)) => failure = Some(error),
                    Err(_) => failure = Some("a run panicked; its message stands above".to_owned()),
                }
            }
        });
        progress.end();
        if let Some(failure) = failure {
            return Err(Failure::runtime(failure));
        }
        Ok(settled(all))
    }

    /// Plays a run that failed once more, with its last events, and a smaller one if that is wanted.
    fn show_broken(
        &self,
        profile: &Profile,
        seed: u64,
        scratch: &Scratch,
    ) -> Result<String, Failure> {
        let mut plan = self.plan(profile, seed, scratch.dir(0));
        let mut without: BTreeSet<String> = self.without.iter().cloned().collect();
        let again = play(&plan, Trace::last(None)).map_err(Failure::runtime)?;
        let Some(broken) = again.broken.clone() else {
            return Ok(format!(
                "seed {seed} of {} does not fail again: it is not determined",
                profile.name
            ));
        };
        let mut shown = again;
        if self.shrink {
            (plan, without, shown) = shrink(plan, without, shown)?;
        }
        let mut text = "an invariant did not hold; what happened last:\n".to_owned();
        let name = broken.invariant.name();
        for line in &shown.last_events {
            let _ = writeln!(text, "{line}");
        }
        let what = shown.broken.as_ref().map_or("", |broken| &broken.what);
        let hours = plan.span.as_millis() as f64 / 3_600_000.0;
        let without = match without.len() {
            0 => String::new(),
            _ => format!(" --without {}", without.iter().cloned().collect::<Vec<_>>().join(",")),
        };
        let _ = write!(
            text,
            "{name}\n  {what}\n  profile {}, seed {}, at {:.6} s of virtual time\n  again, with \
             everything that happened:\n    hip3 simulate --faults {} --seeds {} --hours {hours} \
             --markets {}{without} --trace trace.txt",
            profile.name, plan.seed, shown.seconds, profile.name, plan.seed, plan.markets
        );
        Ok(text)
    }
}

/// Runs in the order of their seeds, up to the first that failed: how many of those behind it were played
/// before it failed depends on the machine. Those before it were all begun before it, and so were ended.
fn settled(mut played: Vec<(usize, Played)>) -> Vec<(usize, Played)> {
    played.sort_by_key(|(_, one)| one.seed);
    let failed = played.iter().position(|(_, one)| one.broken.is_some());
    played.truncate(failed.map_or(played.len(), |at| at + 1));
    played
}

/// How many other seeds are tried for one that fails sooner.
const OTHER_SEEDS: u64 = 12;

/// Leaves out what the failure does not need: faults one by one, markets, hours; and looks for
/// another seed that fails sooner.
fn shrink(
    mut plan: Plan,
    mut without: BTreeSet<String>,
    mut shown: Played,
) -> Result<(Plan, BTreeSet<String>, Played), Failure> {
    let Some(wanted) = shown.broken.as_ref().map(|broken| broken.invariant) else {
        return Ok((plan, without, shown));
    };
    let fails = |plan: &Plan| -> Result<Option<Played>, Failure> {
        let played = play(plan, Trace::last(None)).map_err(Failure::runtime)?;
        let same = played.broken.as_ref().is_some_and(|broken| broken.invariant == wanted);
        Ok(same.then_some(played))
    };
    let tell = |what: &str, played: &Played| {
        let _ = writeln!(io::stderr(), "shrink: {what}: fails too, at {:.1} s", played.seconds);
    };
    for fault in plan.profile.faults() {
        let mut fewer = plan.clone();
        if fewer.profile.without(&BTreeSet::from([fault.clone()])).is_err() {
            continue;
        }
        if let Some(played) = fails(&fewer)? {
            tell(&format!("without {fault}"), &played);
            (plan, shown) = (fewer, played);
            without.insert(fault);
        }
    }
    for markets in [1, 5, 20, 60].into_iter().filter(|few| *few < plan.markets) {
        let fewer = Plan { markets, ..plan.clone() };
        if let Some(played) = fails(&fewer)? {
            tell(&format!("{markets} markets"), &played);
            (plan, shown) = (fewer, played);
            break;
        }
    }
    for seed in plan.seed + 1..plan.seed + 1 + OTHER_SEEDS {
        // No longer than what has to be beaten, and the quiet time behind it.
        let soon = Nanos::from_secs(shown.seconds as u64).0 + Plan::SHORTEST.0;
        let other = Plan { seed, span: plan.span.min(Nanos(soon)), ..plan.clone() };
        if let Some(played) = fails(&other)?.filter(|played| played.seconds < shown.seconds) {
            tell(&format!("seed {seed}"), &played);
            (plan, shown) = (other, played);
        }
    }
    Ok((plan, without, shown))
}

/// Directories of the runs, away from everything else, and gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        // Memory where there is some: the records are written again and again.
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let dir = root.join(format!("hip3-simulate-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }

    fn dir(&self, job: usize) -> PathBuf {
        self.0.join(job.to_string())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How far it is, on standard error.
struct Progress {
    began: Instant,
    total: usize,
    state: Mutex<(usize, f64, Instant)>,
    live: bool,
    hours: f64,
}

impl Progress {
    fn new(total: usize, hours: Nanos) -> Self {
        let now = Instant::now();
        Self {
            began: now,
            total,
            state: Mutex::new((0, 0.0, now)),
            live: io::stderr().is_terminal(),
            hours: hours.as_millis() as f64 / 3_600_000.0,
        }
    }

    fn done(&self, played: &Played) {
        let Ok(mut state) = self.state.lock() else { return };
        state.0 += 1;
        state.1 += played.seconds;
        let due = if self.live { 0.2 } else { 10.0 };
        let last = state.0 == self.total;
        if state.2.elapsed().as_secs_f64() < due && !last {
            return;
        }
        state.2 = Instant::now();
        let spent = self.began.elapsed().as_secs_f64();
        let (done, total) = (state.0, self.total);
        let left = spent / done as f64 * (total - done) as f64;
        let speed = state.1 / spent.max(1e-9);
        let end = if self.live { "\x1b[K\r" } else { "\n" };
        let _ = write!(
            io::stderr(),
            "{done} of {total} seeds of {} h, {speed:.0} virtual s/s, {left:.0} s left{end}",
            self.hours
        );
    }

    fn end(&self) {
        if self.live {
            let _ = write!(io::stderr(), "\x1b[K");
        }
    }
}

/// Sums over the runs of one profile.
#[derive(Default)]
struct Sums {
    runs: u64,
    seconds: f64,
    frames: u64,
    signals: u64,
    orders: u64,
    fills: u64,
    deaths: u64,
    checked: u64,
    injected: BTreeMap<&'static str, u64>,
    digest: Digest,
}

struct Report {
    names: Vec<String>,
    played: Vec<(usize, Played)>,
    profiles: Vec<Profile>,
    sums: Vec<Sums>,
    reach: Reach,
    checked: Vec<u64>,
    took: f64,
    failure: Option<String>,
}

impl Report {
    fn new(profiles: &[Profile], played: Vec<(usize, Played)>, took: f64) -> Self {
        let mut sums: Vec<Sums> = profiles.iter().map(|_| Sums::default()).collect();
        let mut reach = Reach::default();
        let mut checked = vec![0; Invariant::ALL.len()];
        for (profile, one) in &played {
            let Some(sum) = sums.get_mut(*profile) else { continue };
            sum.runs += 1;
            sum.seconds += one.seconds;
            sum.frames += one.frames;
            sum.signals += one.signals;
            sum.orders += one.orders;
            sum.fills += one.fills;
            sum.deaths += one.processes.1;
            sum.checked += one.checked.iter().sum::<u64>();
            sum.digest.join(one.digest);
            for (name, count) in &one.injected {
                *sum.injected.entry(name).or_default() += count;
            }
            checked.iter_mut().zip(&one.checked).for_each(|(sum, one)| *sum += one);
            reach.join(&one.reach);
        }
        let names = profiles.iter().map(|profile| profile.name.clone()).collect();
        let profiles = profiles.to_vec();
        Self { names, played, profiles, sums, reach, checked, took, failure: None }
    }

    fn broken(&self) -> Option<(&Profile, &Played)> {
        let (at, played) = self.played.iter().find(|(_, one)| one.broken.is_some())?;
        Some((self.profiles.get(*at)?, played))
    }

    /// Faults that a profile has and that never happened in any.
    fn faults_missing(&self, profiles: &[Profile]) -> Vec<String> {
        let all: BTreeSet<String> = profiles.iter().flat_map(Profile::faults).collect();
        let happened =
            |fault: &String| self.sums.iter().any(|sum| sum.injected.contains_key(fault.as_str()));
        all.iter().filter(|fault| !happened(fault)).map(|fault| format!("fault:{fault}")).collect()
    }

    fn digest(&self) -> Digest {
        let mut digest = Digest::default();
        self.sums.iter().for_each(|sum| digest.join(sum.digest));
        digest
    }

    fn as_text(&self, missing: &[String], judged: bool) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<10}{:>6}{:>8}{:>12}{:>10}{:>9}{:>8}{:>7}{:>9}{:>13}  {:<16}",
            "profile",
            "seeds",
            "hours",
            "frames",
            "signals",
            "orders",
            "fills",
            "deaths",
            "faults",
            "checks",
            "hash"
        );
        for (name, sum) in self.names.iter().zip(&self.sums).filter(|(_, sum)| sum.runs > 0) {
            let faults: u64 = sum.injected.values().sum();
            let _ = writeln!(
                text,
                "{:<10}{:>6}{:>8.1}{:>12}{:>10}{:>9}{:>8}{:>7}{:>9}{:>13}  {:016x}",
                name,
                sum.runs,
                sum.seconds / 3600.0,
                sum.frames,
                sum.signals,
                sum.orders,
                sum.fills,
                sum.deaths,
                faults,
                sum.checked,
                sum.digest.value()
            );
        }
        let _ = writeln!(text, "\nfaults injected");
        let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
        for sum in &self.sums {
            for (name, count) in &sum.injected {
                *by_name.entry(name).or_default() += count;
            }
        }
        columns(&mut text, by_name.iter().map(|(name, count)| (*name, *count)));
        let _ = writeln!(text, "\ninvariants checked");
        let checked = Invariant::ALL.iter().zip(&self.checked);
        columns(&mut text, checked.map(|(invariant, count)| (invariant.name(), *count)));
        let seconds: f64 = self.sums.iter().map(|sum| sum.seconds).sum();
        let (hours, hash) = (seconds / 3600.0, self.digest().value());
        let _ = writeln!(text, "\n{hours:.1} virtual hours; hash {hash:016x}");
        if judged {
            let _ = match missing.len() {
                0 => writeln!(text, "reach: all of {} things were seen", reach::wanted().len()),
                _ => writeln!(text, "reach: never seen:\n  {}", missing.join("\n  ")),
            };
        }
        if self.failure.is_none() && !self.sums.is_empty() {
            let _ = writeln!(text, "every invariant held");
        }
        let (took, speed) = (self.took, seconds / self.took.max(1e-9));
        let _ = writeln!(text, "took {took:.1} s: {speed:.0} virtual seconds per second");
        text
    }

    fn as_json(&self, missing: &[String]) -> String {
        let profiles: Vec<serde_json::Value> = self
            .names
            .iter()
            .zip(&self.sums)
            .filter(|(_, sum)| sum.runs > 0)
            .map(|(name, sum)| {
                json!({
                    "profile": name,
                    "seeds": sum.runs,
                    "hours": sum.seconds / 3600.0,
                    "frames": sum.frames,
                    "signals": sum.signals,
                    "orders": sum.orders,
                    "fills": sum.fills,
                    "deaths": sum.deaths,
                    "faults": sum.injected,
                    "checks": sum.checked,
                    "hash": format!("{:016x}", sum.digest.value()),
                })
            })
            .collect();
        let checked: BTreeMap<&str, u64> = Invariant::ALL
            .iter()
            .zip(&self.checked)
            .map(|(invariant, count)| (invariant.name(), *count))
            .collect();
        let seconds: f64 = self.sums.iter().map(|sum| sum.seconds).sum();
        let seen: BTreeMap<&str, u64> = self.reach.seen().collect();
        let text = json!({
            "profiles": profiles,
            "invariants": checked,
            "seen": seen,
            "never_seen": missing,
            "virtual_seconds": seconds,
            "hash": format!("{:016x}", self.digest().value()),
            "violation": self.failure,
            "machine": {
                "seconds": self.took,
                "speed": seconds / self.took.max(1e-9),
            },
        });
        format!("{text:#}\n")
    }
}

/// Names and numbers, three pairs a line.
fn columns<'a>(text: &mut String, pairs: impl Iterator<Item = (&'a str, u64)>) {
    let pairs: Vec<_> = pairs.collect();
    for line in pairs.chunks(3) {
        let line: Vec<String> =
            line.iter().map(|(name, count)| format!("  {name:<26}{count:>12}")).collect();
        let _ = writeln!(text, "{}", line.join(""));
    }
}

fn list(profiles: &[Profile]) -> String {
    let mut text = String::new();
    for profile in profiles {
        let faults = profile.faults();
        let faults = if faults.is_empty() { "none".to_owned() } else { faults.join(", ") };
        let _ = writeln!(text, "{}\n  {}\n  faults: {faults}\n", profile.name, profile.about);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(seeds: &[u64]) -> (Vec<Profile>, Vec<(usize, Played)>) {
        let calm = Profile::named("calm").expect("a profile").expect("it is read");
        let dir = tempfile::tempdir().expect("a directory");
        let one = |seed: &u64| {
            let (profile, dir) = (calm.clone(), dir.path().to_owned());
            let plan = Plan { profile, seed: *seed, span: Plan::SHORTEST, markets: 1, dir };
            (0, play(&plan, Trace::none()).expect("a run"))
        };
        let all = seeds.iter().map(one).collect();
        (vec![calm], all)
    }

    /// C8: what the machine decides over stands apart: under one key, and on the last line.
    #[test]
    fn two_machines_print_the_same_but_for_how_long_they_took() {
        let report = |seeds: &[u64], took| {
            let (profiles, played) = played(seeds);
            Report::new(&profiles, settled(played), took)
        };
        let (slow, fast) = (report(&[1, 2], 9.0), report(&[2, 1], 3.0));
        let json = |report: &Report| -> serde_json::Value {
            serde_json::from_str(&report.as_json(&[])).expect("JSON")
        };
        let (mut of_slow, mut of_fast) = (json(&slow), json(&fast));
        let machine = |told: &mut serde_json::Value| told.as_object_mut()?.remove("machine");
        let (told, other) =
            (machine(&mut of_slow).expect("it"), machine(&mut of_fast).expect("it"));
        assert_eq!(of_slow, of_fast);
        assert!(of_slow["virtual_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
        assert_eq!((&told["seconds"], &other["seconds"]), (&json!(9.0), &json!(3.0)));
        let lines = |report: &Report| {
            let text = report.as_text(&[], false);
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let (mut slow, mut fast) = (lines(&slow), lines(&fast));
        assert_ne!(slow.pop(), fast.pop());
        assert_eq!(slow, fast);
    }

    /// C8: of runs behind the first that failed it depends on the machine how many were played.
    #[test]
    fn what_was_played_behind_a_failure_is_left_out() {
        let (_, mut all) = played(&[4, 1, 3, 2]);
        let broken =
            crate::simulation::Broken { invariant: Invariant::ALL[0], what: String::new() };
        for (_, one) in &mut all {
            one.broken = [2, 4].contains(&one.seed).then(|| broken.clone());
        }
        let kept: Vec<u64> = settled(all).iter().map(|(_, one)| one.seed).collect();
        assert_eq!(kept, [1, 2]);
    }

    #[test]
    fn seeds_are_a_range_or_one() {
        assert_eq!(seeds("3..7"), Ok(3..7));
        assert_eq!(seeds("17"), Ok(17..18));
        for wrong in ["", "7..3", "3..3", "-1", "a..b", "18446744073709551615"] {
            seeds(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn hours_leave_room_for_the_quiet_at_the_end() {
        assert_eq!(hours("1"), Ok(Nanos::from_secs(3600)));
        assert_eq!(hours("0.25"), Ok(Nanos::from_secs(900)));
        // Whatever is printed is read back to the millisecond.
        for ms in [1_234_567_u64, 2_345_000, 3_600_001] {
            assert_eq!(hours(&(ms as f64 / 3_600_000.0).to_string()), Ok(Nanos::from_millis(ms)));
        }
        for wrong in ["", "0", "0.01", "-1", "1001", "an hour", "NaN"] {
            hours(wrong).expect_err(wrong);
        }
    }
}
