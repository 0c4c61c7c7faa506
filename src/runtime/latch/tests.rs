use super::*;
use crate::types::num::Usd;

fn latch(reasons: &[(StopReason, i64)]) -> HardStop {
    let mut latch = HardStop::default();
    for (reason, since) in reasons {
        latch.set(*reason, Wall(*since));
    }
    latch
}

/// What it holds. (Two latches that hold the same may differ in what they held before.)
fn held(latch: &HardStop) -> Vec<(StopReason, Wall)> {
    latch.reasons().collect()
}

fn files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn every_reason_survives_a_restart_with_its_moment_but_the_one_that_a_restart_makes_void() {
    let dir = tempfile::tempdir().unwrap();
    let file = LatchFile::new(dir.path());
    assert_eq!(file.load(Wall(1)), HardStop::default(), "no file, no HardStop");
    let mut set = HardStop::default();
    for (at, reason) in StopReason::ALL.iter().enumerate() {
        set.set(*reason, Wall(i64::MAX - at as i64));
        file.keep(&set).unwrap();
        assert_eq!(held(&file.load(Wall(1))), held(&set.lasting()));
    }
    assert!(file.load(Wall(1)).active());
    file.keep(&HardStop::default()).unwrap();
    assert_eq!(file.load(Wall(1)), HardStop::default());
    assert_eq!(files(dir.path()), [LATCH], "nothing is left beside it");
}

#[test]
fn the_file_says_what_the_design_fixes() {
    let dir = tempfile::tempdir().unwrap();
    let file = LatchFile::new(dir.path());
    file.keep(&latch(&[(StopReason::Loss, 1_795_348_800_000_000_001)])).unwrap();
    assert_eq!(
        fs::read_to_string(file.path()).unwrap().trim(),
        r#"{"hard_stop":1,"reasons":[{"reason":"Loss","since":"1795348800000000001"}]}"#
    );
}

#[test]
fn a_latch_that_cannot_be_understood_is_set_and_kept_aside() {
    for garbled in [
        "",
        "{}",
        "null",
        "[]",
        r#"{"hard_stop":1,"reasons":[]"#,
        r#"{"hard_stop":2,"reasons":[]}"#,
        r#"{"hard_stop":1}"#,
        r#"{"hard_stop":1,"reasons":[{"reason":"Weather","since":"5"}]}"#,
        r#"{"hard_stop":1,"reasons":[{"reason":"Loss","since":"now"}]}"#,
        r#"{"hard_stop":1,"reasons":[{"reason":"Loss"}]}"#,
        r#"{"hard_stop":1,"reasons":[],"more":1}"#,
        "\u{0}\u{0}\u{0}\u{0}",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let file = LatchFile::new(dir.path());
        fs::write(file.path(), garbled).unwrap();
        let unreadable = latch(&[(StopReason::StateUnreadable, 7)]);
        assert_eq!(file.load(Wall(7)), unreadable, "{garbled}");
        let aside = format!("{LATCH}.unreadable-7");
        assert_eq!(files(dir.path()), [LATCH, &aside], "{garbled}");
        assert_eq!(fs::read_to_string(dir.path().join(aside)).unwrap(), garbled);
        assert_eq!(file.load(Wall(9)), unreadable, "and it stays set");
    }
}

#[test]
fn a_latch_that_cannot_be_read_at_all_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let file = LatchFile::new(dir.path());
    fs::create_dir(file.path()).unwrap();
    for _ in 0..2 {
        assert_eq!(file.load(Wall(7)), latch(&[(StopReason::StateUnreadable, 7)]));
    }
    fs::remove_dir(file.path()).unwrap();
    fs::write(file.path(), [0xff, 0xfe, 0x7b]).unwrap();
    assert!(file.load(Wall(7)).holds(StopReason::StateUnreadable));
}

#[test]
fn every_cut_of_the_file_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let file = LatchFile::new(dir.path());
    file.keep(&latch(&[(StopReason::Loss, 5), (StopReason::Operator, 6)])).unwrap();
    let whole = fs::read(file.path()).unwrap();
    let end = whole.trim_ascii_end().len();
    for cut in 0..end {
        fs::write(file.path(), &whole[..cut]).unwrap();
        assert!(file.read().is_err(), "cut at {cut}");
    }
}

#[test]
fn a_release_names_a_reason_or_all() {
    for reason in StopReason::ALL {
        assert_eq!(Release::named(&reason.name().to_uppercase()), Some(Release::One(*reason)));
    }
    assert_eq!(Release::named("ALL"), Some(Release::All));
    assert_eq!(Release::named(""), None);
    let mut set = latch(&[(StopReason::Loss, 1), (StopReason::Operator, 2)]);
    assert!(!Release::One(StopReason::ClockSkew).concerns(&set));
    Release::One(StopReason::Loss).apply(&mut set);
    assert_eq!(held(&set), [(StopReason::Operator, Wall(2))]);
    Release::All.apply(&mut set);
    assert!(!set.active() && !Release::All.concerns(&set));
}

#[test]
fn a_request_is_taken_once_and_only_while_it_is_fresh() {
    let dir = tempfile::tempdir().unwrap();
    let file = LatchFile::new(dir.path());
    let age = REQUEST_AGE.0 as i64;
    let loss = Release::One(StopReason::Loss);
    for (asked_at, now, taken) in [
        (0, 0, Some(loss)),
        (0, age, Some(loss)),
        (0, age + 1, None),
        (age, 0, Some(loss)),
        (age + 1, 0, None),
    ] {
        file.ask(loss, Wall(asked_at)).unwrap();
        assert_eq!(file.asked(Wall(now)), taken, "{asked_at} {now}");
        assert_eq!(file.asked(Wall(now)), None, "it is gone");
    }
    for nonsense in ["", "{}", r#"{"release":1,"reason":"Weather","at":"0"}"#] {
        fs::write(dir.path().join(REQUEST), nonsense).unwrap();
        assert_eq!(file.asked(Wall(0)), None);
        assert_eq!(files(dir.path()).len(), 0, "dropped: {nonsense}");
    }
    file.ask(Release::All, Wall(0)).unwrap();
    assert!(file.take_back() && !file.take_back());
}

/// A keeper on a thread, and the hot thread's ends of its rings.
fn keeper(file: &LatchFile) -> (Producer<HardStop>, Consumer<OperatorCommand>, KeeperThread) {
    let (latches, to_keeper) = ring(1);
    let (to_hot, commands) = ring(4);
    let keeper = Keeper::new(file.clone(), to_keeper, to_hot);
    (latches, commands, std::thread::spawn(move || keeper.run()))
}

type KeeperThread = std::thread::JoinHandle<io::Result<()>>;

fn wait_for<T>(mut what: impl FnMut() -> Option<T>) -> T {
    for _ in 0..20_000 {
        if let Some(found) = what() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it does not come");
}

#[test]
fn the_keeper_writes_what_comes_and_the_last_of_it_before_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let file = LatchFile::new(dir.path());
    let (mut latches, _commands, thread) = keeper(&file);
    let first = latch(&[(StopReason::Operator, 3)]);
    assert_eq!(latches.push(first), Ok(()));
    wait_for(|| (file.read().ok()? == first).then_some(()));
    let last = latch(&[(StopReason::Operator, 3), (StopReason::Loss, 4)]);
    wait_for(|| latches.push(last).ok());
    drop(latches);
    thread.join().unwrap().unwrap();
    assert_eq!(file.read().unwrap(), last);
}

#[test]
fn the_keeper_tries_again_until_the_disk_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::write(&data, "no directory").unwrap();
    let file = LatchFile::new(&data);
    let (mut latches, _commands, thread) = keeper(&file);
    let set = latch(&[(StopReason::Loss, 4)]);
    assert_eq!(latches.push(set), Ok(()));
    wait_for(|| (latches.free() == 1).then_some(()));
    drop(latches);
    fs::remove_file(&data).unwrap();
    thread.join().unwrap().unwrap();
    assert_eq!(file.read().unwrap(), set);
}

#[test]
fn the_keeper_hands_over_what_is_asked_now_and_not_what_was_asked_of_another_run() {
    let dir = tempfile::tempdir().unwrap();
    let file = LatchFile::new(dir.path());
    file.ask(Release::All, wall_now()).unwrap();
    let (latches, mut commands, thread) = keeper(&file);
    wait_for(|| (files(dir.path()).is_empty()).then_some(()));
    file.ask(Release::One(StopReason::Loss), wall_now()).unwrap();
    let command = wait_for(|| commands.pop());
    assert_eq!(
        command,
        OperatorCommand::Release(Some(StopReason::Loss)),
        "the first one was of another run"
    );
    file.ask(Release::All, wall_now()).unwrap();
    assert_eq!(wait_for(|| commands.pop()), OperatorCommand::Release(None));
    drop(latches);
    thread.join().unwrap().unwrap();
    assert_eq!(commands.pop(), None);
}

#[test]
fn a_store_in_use_is_seen_and_keeps_others_from_editing() {
    use crate::persistence::{RunInfo, Store};
    use crate::types::record::Mode;
    let dir = tempfile::tempdir().unwrap();
    let file = LatchFile::new(dir.path());
    let run = RunInfo {
        run_id: "a".to_owned(),
        git_commit: "b".to_owned(),
        config_hash: "c".to_owned(),
        started_at: Wall(0),
        mode: Mode::Trading,
        entry_latencies_ms: Vec::new(),
        slippage_bps: None,
        fee_sides: 2,
    };
    let guard = file.unused().unwrap().expect("nobody uses it");
    assert!(Store::open(dir.path(), run.clone(), Wall(0)).is_err(), "none can begin meanwhile");
    drop(guard);
    let (store, _) = Store::open(dir.path(), run, Wall(0)).unwrap();
    assert!(file.unused().unwrap().is_none());
    drop(store);
    assert!(file.unused().unwrap().is_some());
}

fn usd(text: &str) -> Usd {
    Usd::parse_signed(text.as_bytes()).expect("an amount")
}

fn counted(losses: &Losses) -> Vec<Usd> {
    losses.counted().map(|(_, amount)| amount).collect()
}

/// A17: what was lost is kept by the thread that keeps the latch, and outlives the process.
#[test]
fn what_was_lost_is_kept_and_what_is_old_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let file = LatchFile::new(dir.path());
    assert_eq!(file.read_losses().unwrap(), Losses::default(), "no file, no losses");
    let now = wall_now();
    let mut before = Losses::default();
    let day = Nanos::from_secs(86_400);
    before.take(LossEntry::Counted { at: now.minus(Nanos(day.0 * 2)), amount: usd("-7") });
    before.take(LossEntry::Counted { at: now.minus(Nanos(day.0 / 2)), amount: usd("-5") });
    let (latches, to_keeper) = ring(1);
    let (to_hot, _commands) = ring(1);
    let (mut losses, entries) = ring(8);
    let keeper = Keeper::new(file.clone(), to_keeper, to_hot).counting(entries, before, day);
    let thread = std::thread::spawn(move || keeper.run());
    losses.push(LossEntry::Counted { at: now, amount: usd("-1.5") }).unwrap();
    let coin = crate::types::ids::Coin::new("xyz:A").unwrap();
    losses.push(LossEntry::Open { coin, counted: Some(usd("-0.25")) }).unwrap();
    wait_for(|| (counted(&file.read_losses().ok()?) == [usd("-5"), usd("-1.5")]).then_some(()));
    drop((latches, losses));
    thread.join().unwrap().unwrap();
    let mut kept = file.read_losses().unwrap();
    assert_eq!(kept.take_open(&coin), Some(usd("-0.25")), "the last word too");
    // A release while no engine runs forgets what led to the stop.
    file.forget_losses().unwrap();
    let mut kept = file.read_losses().unwrap();
    assert_eq!((counted(&kept), kept.take_open(&coin)), (vec![], Some(usd("-0.25"))));
}

#[test]
fn losses_that_cannot_be_understood_stop_and_are_kept_aside() {
    for garbled in ["", "{}", r#"{"losses":2,"kept":{"minutes":{},"open":{}}}"#] {
        let dir = tempfile::tempdir().unwrap();
        let file = LatchFile::new(dir.path());
        fs::write(dir.path().join(LOSSES), garbled).unwrap();
        let mut latch = HardStop::default();
        assert_eq!(file.load_losses(Wall(7), &mut latch), Losses::default());
        assert!(latch.holds(StopReason::StateUnreadable), "{garbled:?}");
        assert_eq!(held(&file.read().unwrap()), held(&latch), "kept");
        let aside = dir.path().join(format!("{LOSSES}.unreadable-7"));
        assert_eq!(fs::read_to_string(aside).unwrap(), garbled);
        assert_eq!(file.read_losses().unwrap(), Losses::default());
    }
}
