//! The same promises against a real death: a child writes, `kill -9` takes it at a random moment,
//! and the next start has to find everything the child knew to be committed.

mod store_rows;

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use hip3::persistence::{Limits, OsDisk, Store};
use store_rows::*;

const DIR: &str = "HIP3_STORE_KILL_DIR";
const LIFE: &str = "HIP3_STORE_KILL_LIFE";

const LIVES: u64 = 18;

/// Ids of one life begin here, so that no two lives share any.
const fn first_id(life: u64) -> u64 {
    life * 1_000_000
}

fn open(dir: &Path, life: u64) -> Store {
    let limits = Limits { group_rows: 64, ..Limits::default() };
    let now = secs(NOON, 10 * life);
    let opened = Store::open_on(Box::new(OsDisk), dir, run(&format!("r{life}")), now, limits);
    opened.expect("it opens").0
}

/// The child: writes until it is killed, and says after each commit how many episodes are in.
#[test]
fn child_that_writes_until_it_is_killed() {
    let (Ok(dir), Ok(life)) = (env::var(DIR), env::var(LIFE)) else {
        return; // Not a promise of its own: the test below runs it.
    };
    let life: u64 = life.parse().expect("a number");
    let now = secs(NOON, 10 * life);
    let mut store = open(Path::new(&dir), life);
    let mut out = std::io::stdout().lock();
    for n in 1.. {
        let id = first_id(life) + n;
        // The round trip first: then whoever finds the signal has to find it too.
        let rows = round_trip(id, now).into_iter().chain(episode(id, now));
        rows.for_each(|row| store.append(&row));
        store.commit(now);
        assert_eq!(store.health().unjournaled_rows, 0);
        writeln!(out, "committed {n}").and_then(|()| out.flush()).expect("a reader");
        if n % 5 == 0 {
            store.flush(now);
        }
    }
}

#[test]
fn whatever_was_committed_survives_kill_9_at_any_moment_exactly_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut committed = Vec::new();
    for life in 1..=LIVES {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        // After so many commits, and then wherever the child is when the signal reaches it.
        let until = 1 + seed % 23;
        let mut child = Command::new(env::current_exe().expect("this binary"))
            .args(["--exact", "child_that_writes_until_it_is_killed", "--nocapture"])
            .env(DIR, dir.path())
            .env(LIFE, life.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut told = 0;
        let mut hear = |line: &str| {
            if let Some((_, n)) = line.split_once("committed ") {
                told = n.parse().unwrap_or(told);
            }
            told
        };
        while hear(&lines.next().expect("it lives").expect("text")) < until {}
        child.kill().expect("killed"); // SIGKILL.
        child.wait().expect("gone");
        // Lines that were on their way, but for one that was cut.
        for line in lines.map_while(Result::ok) {
            if line.starts_with("committed ") {
                hear(&line);
            }
        }
        let told = hear("");
        assert!(told >= until);
        committed.push(told);
        for path in files(dir.path()) {
            read_file(&path); // Whole, before anyone repairs anything.
        }
    }
    open(dir.path(), LIVES + 1).close(secs(NOON, 10 * LIVES + 20)).expect("it closes");

    let recorded = recorded(dir.path());
    let doubled: Vec<_> = recorded.iter().filter(|(_, n)| **n != 1).collect();
    assert_eq!(doubled, []);
    let signals: BTreeSet<u64> =
        recorded.keys().filter_map(|key| key.strip_prefix("signal ")?.parse().ok()).collect();
    let mut rows = 0;
    let mut cut = 0;
    for (life, committed) in (1..).zip(&committed) {
        let ids = first_id(life) * 10..first_id(life + 1) * 10;
        let there = signals.range(ids).count() as u64;
        assert!(there >= *committed, "life {life}: {there} of {committed}");
        for n in 1..=there {
            let id = first_id(life) + n;
            for row in round_trip(id, NOON).into_iter().chain(episode(id, NOON)) {
                assert!(recorded.contains_key(&key(&row)), "life {life}: no {}", key(&row));
                rows += 1;
            }
        }
        // Nobody settles what is left of a round trip whose signal did not make it.
        let last = round_trip(first_id(life) + there + 1, NOON);
        cut += last.iter().filter(|row| recorded.contains_key(&key(row))).count();
    }
    let gaps = recorded.keys().filter(|key| key.starts_with("gap ")).count();
    assert_eq!(gaps as u64, LIVES, "one gap between each two lives");
    assert_eq!(rows + cut + gaps, recorded.len(), "and nothing else");
}
