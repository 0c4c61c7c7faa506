//! The simulation itself: the same seed is the same run, every fault happens, and what is broken is
//! found. `hip3 simulate` plays the many seeds.

use std::collections::BTreeSet;

use hip3::simulation::{Invariant, Plan, Played, Profile, Trace, play, profile};
use hip3::types::num::Usd;
use hip3::types::time::Nanos;

/// Long enough for trades, and for the quiet time at the end.
const SPAN: Nanos = Nanos::from_secs(600);

fn named(name: &str) -> Profile {
    Profile::named(name).expect("a built-in profile").expect("a good one")
}

fn played(profile: Profile, seed: u64, markets: usize) -> Played {
    played_for(profile, seed, markets, SPAN)
}

fn played_for(profile: Profile, seed: u64, markets: usize, span: Nanos) -> Played {
    let dir = tempfile::tempdir().expect("a directory");
    let plan = Plan { profile, seed, span, markets, dir: dir.path().join("run") };
    play(&plan, Trace::none()).expect("a world")
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_not() {
    let one = played(named("storm"), 7, 20);
    let again = played(named("storm"), 7, 20);
    assert!(one.broken.is_none(), "{:?}", one.broken);
    assert!(one.frames > 5_000 && one.signals > 0, "{one:?}");
    assert_eq!(one.digest, again.digest);
    assert_eq!(
        (one.frames, one.injected, one.checked),
        (again.frames, again.injected, again.checked)
    );
    assert_ne!(one.digest, played(named("storm"), 8, 20).digest);
}

#[test]
fn a_calm_run_trades_and_every_invariant_is_asked() {
    let calm = played(named("calm"), 1, 60);
    assert!(calm.broken.is_none(), "{:?}", calm.broken);
    assert!(calm.orders > 10 && calm.fills > 4, "{calm:?}");
    assert!(calm.injected.is_empty(), "nothing goes wrong: {:?}", calm.injected);
    // Nothing stops a calm run.
    let asked = |invariant: &Invariant| *invariant != Invariant::Explained;
    for (invariant, count) in Invariant::ALL.iter().zip(&calm.checked) {
        assert!(*count > 0 || !asked(invariant), "{} was never checked", invariant.name());
    }
}

/// A1: an agent of another account: what its orders are answered counts toward every limit, and the
/// first reading that denies it stops entries.
#[test]
fn an_agent_of_another_account_is_noticed_at_once() {
    let text =
        "set = [\"risk.max_bbo_age_ms=off\"]\nevents = [\"agent_moves\"]\nevents_per_hour = 60";
    let profile = Profile::from_toml("moved", text).expect("a profile");
    let run = played(profile, 1, 60);
    assert!(run.broken.is_none(), "{:?}", run.broken);
    assert!(run.injected.contains_key("event_agent_moves") && run.orders > 10, "{run:?}");
    let stops: Vec<&str> = run.reach.seen().map(|(what, _)| what).collect();
    assert!(stops.contains(&"stop:PositionMismatch"), "{stops:?}");
}

/// A1, A3 to A7, A12 to A16, A21, B1 and B2 at work together: an hour of each profile that is about
/// them, in short.
#[test]
fn what_stands_still_parts_or_pauses_is_survived() {
    for name in ["frozen", "oracle", "pauses", "outages"] {
        let run = played_for(named(name), 2, 40, Nanos::from_secs(1_200));
        assert!(run.broken.is_none(), "{name}: {:?}", run.broken);
        assert!(run.orders > 10 && !run.injected.is_empty(), "{name}: {run:?}");
    }
}

#[test]
fn a_stop_that_nothing_explains_is_found() {
    // The engine stops for the first cent that is lost, and the judge thinks nothing of it.
    let mut profile = named("calm");
    profile.config.risk_monitor.max_loss = Usd::from_units(10_000);
    profile.judged_by = profile.config.clone();
    let run =
        |profile: &Profile, seed| played_for(profile.clone(), seed, 40, Nanos::from_secs(420));
    let stops = |seed: &u64| {
        let run = run(&profile, *seed);
        assert!(run.broken.is_none(), "{:?}", run.broken);
        run.reach.seen().any(|(what, _)| what == "stop:Loss")
    };
    let seed = (1..12).find(stops).expect("one that begins with a loss");
    profile.judged_by.risk_monitor.max_loss = Usd::from_units(20_000_000);
    let broken = run(&profile, seed).broken.expect("a stop without a reason");
    assert_eq!(broken.invariant, Invariant::Explained, "{broken:?}");
}

/// Every fault of the built-in profiles that `own` names, alone and likely, happens within a short
/// run.
fn each_happens_and_is_survived(own: impl Fn(&str) -> bool) {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for (name, _) in profile::BUILT_IN {
        names.extend(named(name).faults());
    }
    names.retain(|name| own(name));
    assert!(names.len() > 18, "{names:?}");
    let (mut never, mut broken) = (Vec::new(), Vec::new());
    for name in &names {
        let run = played_for(alone(name), 3, 15, Nanos::from_secs(440));
        broken.extend(run.broken.map(|broken| format!("{name}: {broken:?}")));
        if !run.injected.contains_key(name.as_str()) {
            never.push(name.clone());
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(never.is_empty(), "these never happened: {never:?}");
}

#[test]
fn a_fault_has_one_name() {
    use hip3::{simulation, venue};
    let host = simulation::fault::Fault::ALL.iter().map(|fault| fault.name());
    let mut names = BTreeSet::new();
    for name in host.chain(venue::Fault::ALL.iter().map(|fault| fault.name())) {
        assert!(names.insert(name), "{name} means two things");
    }
}

#[test]
fn every_event_happens_and_is_survived() {
    each_happens_and_is_survived(|name| name.starts_with("event_"));
}

#[test]
fn every_fault_of_the_host_happens_and_is_survived() {
    each_happens_and_is_survived(host);
}

#[test]
fn every_fault_of_the_venue_happens_and_is_survived() {
    each_happens_and_is_survived(|name| !host(name) && !name.starts_with("event_"));
}

/// A profile with one fault, as likely as it has to be to happen in minutes.
fn alone(name: &str) -> Profile {
    let quiet = r#"set = ["risk.max_bbo_age_ms=off"]"#;
    let text = if let Some(event) = name.strip_prefix("event_") {
        format!("{quiet}\nevents = [\"{event}\"]\nevents_per_hour = 120\n")
    } else {
        let (table, value) = match name {
            "greeting" => ("venue", "greeting = true".to_owned()),
            "expire" | "drop_after" | "stall" => {
                ("venue", format!("{name}_after_s = 60").replace("after_after", "after"))
            }
            // Of each frame, and there are thousands.
            "drop" | "truncate" => ("venue", format!("{name} = 0.002")),
            "huge" => ("venue", "huge = 0.0005\nhuge_bytes = 2000".to_owned()),
            _ if host(name) => ("host", format!("{name} = {}", likely(name))),
            // Of what comes of orders, and there are few.
            _ if ["answer", "fill", "update", "refuse"]
                .iter()
                .any(|begin| name.starts_with(begin)) =>
            {
                ("venue", format!("{name} = 0.5"))
            }
            _ => ("venue", format!("{name} = 0.05")),
        };
        // A latch is kept only when there is one.
        let more = if name == "latch_fail" { "halt = 0.05\n" } else { "" };
        // What comes once more, or of the dead, needs a link that dies.
        let more = if matches!(name, "replay" | "ghost" | "connect_refused" | "connect_unanswered")
        {
            "cut = 0.002\n"
        } else {
            more
        };
        format!("{quiet}\n[{table}]\n{value}\n{more}")
    };
    Profile::from_toml(name, &text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn host(name: &str) -> bool {
    hip3::simulation::fault::Fault::ALL.iter().any(|fault| fault.name() == name)
}

/// How likely a fault of the host has to be, of each write, event, or second.
fn likely(name: &str) -> &'static str {
    match name {
        "cut" | "half_open" | "corrupt" => "0.0005",
        "cut_up" | "spike_up" => "0.3",
        "kill" | "loop_stall" => "0.002",
        "connect_refused" | "connect_unanswered" | "replay" | "ghost" | "reading_lost" => "0.5",
        "latch_fail" | "blackout" => "1",
        _ => "0.05",
    }
}

#[test]
fn a_limit_that_the_engine_does_not_know_of_is_found_broken() {
    // The judge is told of a lower limit than the engine: it has to notice the first order past it.
    let mut strict = named("calm");
    strict.config.position.max_total_notional = Usd::from_units(1_000_000_000);
    strict.config.position.max_notional_per_market = Usd::from_units(500_000_000);
    strict.config.detector.max_notional = Usd::from_units(500_000_000);
    strict.judged_by = strict.config.clone();
    let run = played(strict.clone(), 1, 60);
    assert!(run.broken.is_none(), "the higher limit is one: {:?}", run.broken);
    strict.judged_by.position.max_total_notional = Usd::from_units(60_000_000);
    let run = played(strict, 1, 60);
    let broken = run.broken.expect("a limit was passed");
    assert_eq!(broken.invariant, Invariant::TotalLimit, "{broken:?}");
}

#[test]
fn a_profile_is_refused_with_its_key() {
    for (text, named) in [
        ("[host]\nkil = 0.1", "kil"),
        ("[host]\nkill = 2", "a probability from 0 to 1"),
        ("[venue]\ndorp = 0.1", "dorp"),
        ("events = [\"explode\"]", "explode"),
        ("events = [\"resume\"]", "Resume"),
        ("set = [\"position.max_total_notionl=5\"]", "max_total_notionl"),
    ] {
        let error = Profile::from_toml("test", text).expect_err(text).to_string();
        assert!(error.contains(named), "{text}: {error}");
    }
}

#[test]
fn a_fault_that_is_left_out_does_not_happen() {
    let mut profile = named("wire");
    let without = BTreeSet::from(["garble".to_owned(), "split".to_owned()]);
    profile.without(&without).expect("names that it has");
    let run = played(profile.clone(), 1, 20);
    assert!(run.injected.contains_key("merge"), "{:?}", run.injected);
    assert!(without.iter().all(|name| !run.injected.contains_key(name.as_str())));
    let error = profile.without(&BTreeSet::from(["rain".to_owned()])).expect_err("no such fault");
    assert!(error.to_string().contains("rain"), "{error}");
}
