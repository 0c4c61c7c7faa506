//! Orders against a book that the test writes, in virtual time.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Parser;

use crate::command::Failure;
use crate::command::replay::player::{Player, Rows};
use crate::command::replay::score::{Figures, Score};
use crate::command::replay::value::Rule;
use crate::command::replay::{Replay, player};
use crate::runtime::capture::{Header, Heard, Said};
use crate::types::config::{self, Config};
use crate::types::event::Actions;
use crate::types::ids::{AssetId, Coin};
use crate::types::market::{MarginMode, MarketSpec, Universe, UserFees};
use crate::types::num::{Px, Rate, Ratio, Sz, Usd};
use crate::types::order::Purpose;
use crate::types::record::{Decision, ExitReason, OrderRow, Outcome, Row, TradeRow};
use crate::types::time::{Mono, Nanos, Now, Wall};

/// 2026-11-22, noon UTC.
const START: Wall = Wall(1_795_348_800_000_000_000);
/// When the oracle jumps, milliseconds.
const JUMP: u64 = 20_000;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    replay: Replay,
}

fn args(more: &[&str]) -> Replay {
    let always = ["replay", "unread.jsonl", "--mode", "trading"];
    Cli::try_parse_from(always.iter().chain(more)).expect("arguments").replay
}

fn settings(more: &str) -> Config {
    let text = format!(
        "mode = \"trading\"\n[venue]\ndexes = [\"tst\"]\n\
         [account]\nuser_address = \"0x00000000000000000000000000000000000000aa\"\n\
         [risk]\nmax_bbo_age_ms = \"off\"\nmax_ctx_age_ms = \"off\"\n\
         max_mark_mid_divergence_bps = \"off\"\nspread_shock_multiplier = 1000\n\
         min_ewma_samples = 1\n\
         [detector]\nsizing_alpha = 1\n\
         [executor]\npresign_pool = 0\n{more}"
    );
    config::from_text(&text, "test", &[]).expect("a config")
}

/// What is heard, and when.
struct Script(Vec<(Now, Heard)>);

fn now(ms: u64) -> Now {
    let span = Nanos::from_millis(ms);
    Now { mono: Mono(1_000_000_000).plus(span), wall: START.plus(span) }
}

impl Script {
    /// A market at rest for twenty seconds, quoted 99.9 to 100.1 around an oracle of 100, which then
    /// jumps to 101: to buy at 100.1 is worth something. The quote stays until the test moves it.
    fn new() -> Self {
        let mut script = Self::of_markets(&["ONE"]);
        script.oracle(JUMP, "101.0");
        script
    }

    /// Markets at rest for twenty seconds.
    fn of_markets(names: &[&str]) -> Self {
        let spec = |(index, name): (usize, &&str)| MarketSpec {
            coin: Coin::new(&format!("tst:{name}")).expect("a name"),
            asset: AssetId(110_000 + index as u32),
            sz_decimals: 2,
            max_leverage: 20,
            margin_table: 20,
            margin_mode: MarginMode::Cross,
            fee_scale: Ratio::ONE,
            growth: true,
            delisted: false,
            oi_cap: Some(Usd::from_units(1_000_000_000_000)),
            oi_cap_sz: Some(Sz::from_units(2_000_000_000_000_000)),
            at_oi_cap: false,
        };
        let markets = names.iter().enumerate().map(spec).collect();
        let mut script = Self(Vec::new());
        script.say(0, Heard::Tick(()));
        script.say(1, Heard::Universe(Universe { markets, fees: None, odd: Vec::new() }));
        script.say(50, Heard::Connected(()));
        for ms in (100..JUMP).step_by(500) {
            for name in names {
                script.quote_of(name, ms, ("99.9", "50.0"), ("100.1", "50.0"));
                script.oracle_of(name, ms, "100.0");
            }
        }
        script
    }

    /// From a moment on the clocks are so many milliseconds further.
    fn step_clocks(&mut self, from_ms: u64, mono_ms: u64, wall_ms: u64) {
        let from = now(from_ms).mono;
        for (at, _) in self.0.iter_mut().filter(|(at, _)| at.mono >= from) {
            at.mono = at.mono.plus(Nanos::from_millis(mono_ms));
            at.wall = at.wall.plus(Nanos::from_millis(wall_ms));
        }
    }

    fn say(&mut self, ms: u64, heard: Heard) {
        self.0.push((now(ms), heard));
    }

    /// A quote; its block was made just before it is heard.
    fn quote(&mut self, ms: u64, bid: (&str, &str), ask: (&str, &str)) {
        self.quote_of("ONE", ms, bid, ask);
    }

    fn quote_of(&mut self, name: &str, ms: u64, bid: (&str, &str), ask: (&str, &str)) {
        let time = START.0 / 1_000_000 + ms as i64;
        let side = |(px, sz): (&str, &str)| format!(r#"{{"px":"{px}","sz":"{sz}","n":1}}"#);
        let (bid, ask) = (side(bid), side(ask));
        let bbo = format!(r#""coin":"tst:{name}","time":{time},"bbo":[{bid},{ask}]"#);
        self.say(ms, Heard::Frame(format!(r#"{{"channel":"bbo","data":{{{bbo}}}}}"#)));
    }

    fn oracle(&mut self, ms: u64, px: &str) {
        self.oracle_of("ONE", ms, px);
    }

    fn oracle_of(&mut self, name: &str, ms: u64, px: &str) {
        let ctx = format!(
            r#""funding":"0.0","openInterest":"1000.0","prevDayPx":"100.0","dayNtlVlm":"1000.0","premium":"0.0","oraclePx":"{px}","markPx":"{px}","midPx":"100.0","impactPxs":["99.9","100.1"],"dayBaseVlm":"10.0""#
        );
        let data = format!(r#"{{"coin":"tst:{name}","ctx":{{{ctx}}}}}"#);
        self.say(ms, Heard::Frame(format!(r#"{{"channel":"activeAssetCtx","data":{data}}}"#)));
    }
}

impl Rows for Vec<Row> {
    fn take(&mut self, _: Now, row: &Row) -> Result<(), Failure> {
        self.push(*row);
        Ok(())
    }
}

/// Plays a script to its end; rows as they came.
fn play(script: &Script, config: &Config, more: &[&str]) -> Vec<Row> {
    let mut rows = Vec::new();
    play_into(&mut rows, script, config, more);
    rows
}

fn play_into(rows: &mut impl Rows, script: &Script, config: &Config, more: &[&str]) -> Player {
    let header = Header::new("test", 1_000, 7, String::new());
    let mut actions = Actions::new();
    let terms = args(more).terms().expect("terms");
    let mut player: Player = player(config, &header, now(0), terms.as_ref()).expect("a player");
    for (at, heard) in &script.0 {
        let said = match heard {
            Heard::Frame(text) => Said::Frame(text.as_bytes()),
            other => Said::Other(other),
        };
        player.play(*at, said, &mut actions, rows).expect("played");
    }
    player.end(&mut actions, rows).expect("ended");
    player
}

fn orders(rows: &[Row], entries: bool) -> Vec<OrderRow> {
    let wanted = |row: &Row| match row {
        Row::Order(row) if matches!(row.purpose, Purpose::Entry(_)) == entries => Some(*row),
        _ => None,
    };
    rows.iter().filter_map(wanted).collect()
}

fn trades(rows: &[Row]) -> Vec<TradeRow> {
    rows.iter()
        .filter_map(|row| if let Row::Trade(row) = row { Some(*row) } else { None })
        .collect()
}

/// The first entry, which was sent at the jump.
fn entry(rows: &[Row]) -> OrderRow {
    let sent = |row: &Row| matches!(row, Row::Signal(row) if row.decision == Decision::Sent);
    let said: Vec<&Row> = rows.iter().filter(|row| matches!(row, Row::Signal(_))).collect();
    assert!(rows.iter().any(sent), "nothing was sent: {said:#?}");
    let entry = *orders(rows, true).first().expect("an entry");
    assert_eq!(entry.sent_at, Some(now(JUMP).wall));
    entry
}

fn px(text: &str) -> Px {
    Px::parse(text.as_bytes()).expect("a price")
}

fn sz(text: &str) -> Sz {
    Sz::parse(text.as_bytes()).expect("a size")
}

const FIXED: [&str; 2] = ["--fill", "fixed:400ms"];

#[test]
fn a_quote_that_vanishes_within_the_block_is_not_filled() {
    let mut script = Script::new();
    // It reaches the venue at 400 ms; the block that takes it is heard 30 ms later.
    script.quote(JUMP + 430, ("100.9", "50.0"), ("101.1", "50.0"));
    script.quote(JUMP + 900, ("100.9", "50.0"), ("101.1", "49.0"));
    let rows = play(&script, &settings(""), &FIXED);
    let entry = entry(&rows);
    assert_eq!((entry.outcome, entry.filled), (Outcome::Expired, Sz::ZERO));
    assert!(entry.ended_at > now(JUMP + 430).wall && entry.ended_at < now(JUMP + 600).wall);
    assert!(trades(&rows).is_empty());
}

#[test]
fn a_quote_that_vanishes_in_the_next_block_is_filled() {
    let mut script = Script::new();
    script.quote(JUMP + 405, ("99.9", "50.0"), ("100.1", "49.0"));
    script.quote(JUMP + 430, ("100.9", "50.0"), ("101.1", "50.0"));
    let rows = play(&script, &settings(""), &FIXED);
    let entry = entry(&rows);
    assert_eq!((entry.outcome, entry.avg_px), (Outcome::Filled, Some(px("100.1"))));
}

#[test]
fn a_quote_that_vanishes_in_the_longest_block_is_not_filled_and_one_later_is() {
    for (ms, outcome) in [(555, Outcome::Expired), (557, Outcome::Filled)] {
        let mut script = Script::new();
        // A block just before the order reaches the venue, and the next one.
        script.quote(JUMP + 399, ("99.9", "50.0"), ("100.1", "49.0"));
        script.quote(JUMP + ms, ("100.9", "50.0"), ("101.1", "50.0"));
        let rows = play(&script, &settings(""), &FIXED);
        assert_eq!(entry(&rows).outcome, outcome, "{ms}");
    }
}

#[test]
fn a_quiet_block_is_of_the_order_that_waited_for_it_alone() {
    let mut script = Script::of_markets(&["ONE", "TWO"]);
    script.oracle_of("ONE", JUMP, "101.0"); // At the venue at 400.
    script.oracle_of("TWO", JUMP + 150, "101.0"); // And at 550.
    script.quote_of("TWO", JUMP + 560, ("100.9", "50.0"), ("101.1", "50.0"));
    let rows = play(&script, &settings(""), &FIXED);
    let answered: Vec<_> =
        orders(&rows, true).iter().map(|row| (row.outcome, row.answered_at)).collect();
    let at = |ms| Some(now(JUMP + ms).wall);
    assert_eq!(answered, [(Outcome::Filled, at(556)), (Outcome::Expired, at(594))]);
}

#[test]
fn what_comes_while_a_block_is_heard_is_in_the_next_one() {
    let mut script = Script::of_markets(&["ONE", "TWO"]);
    script.oracle_of("ONE", JUMP, "101.0"); // Bought at the venue at 400.
    script.oracle_of("TWO", JUMP + 40, "101.0"); // And at 440.
    script.quote_of("ONE", JUMP + 430, ("99.9", "50.0"), ("100.1", "49.0"));
    script.quote_of("TWO", JUMP + 450, ("99.9", "50.0"), ("100.1", "49.0"));
    script.quote_of("TWO", JUMP + 500, ("100.9", "50.0"), ("101.1", "50.0"));
    let rows = play(&script, &settings(""), &FIXED);
    let answered = orders(&rows, true)
        .iter()
        .map(|order| (order.outcome, order.answered_at))
        .collect::<Vec<_>>();
    let filled = |ms| (Outcome::Filled, Some(now(JUMP + ms).wall));
    assert_eq!(answered, [filled(450), filled(484)]);
}

#[test]
fn a_quote_that_stays_is_filled_at_its_price_and_left_once_the_bid_is_back() {
    let mut script = Script::new();
    script.quote(JUMP + 2_000, ("100.98", "50.0"), ("101.02", "50.0"));
    script.oracle(JUMP + 10_000, "101.0");
    let rows = play(&script, &settings(""), &FIXED);
    let entry = entry(&rows);
    assert_eq!((entry.outcome, entry.filled), (Outcome::Filled, entry.sz));
    assert_eq!(entry.avg_px, Some(px("100.1")));
    // No block was heard for as long as one can take.
    assert_eq!(entry.answered_at, Some(now(JUMP + 556).wall));
    let [trade] = trades(&rows)[..] else { panic!("one round trip: {rows:#?}") };
    assert_eq!((trade.exit, trade.sz), (ExitReason::MarkRegression, entry.sz));
    assert_eq!((trade.entry_px, trade.exit_px), (px("100.1"), px("100.98")));
    assert!(trade.fees > Usd::ZERO && trade.net > Usd::ZERO, "{trade:?}");
    // The exit, too, took 400 ms to the venue.
    assert!(trade.exited_at >= now(JUMP + 2_400).wall);
}

#[test]
fn fills_cost_what_the_captured_account_pays() {
    let fees = |fees: Option<UserFees>| {
        let mut script = Script::new();
        for (_, heard) in &mut script.0 {
            if let Heard::Universe(universe) = heard {
                universe.fees = fees;
            }
        }
        let rows = play(&script, &settings(""), &FIXED);
        let entry = entry(&rows);
        assert_eq!(
            (entry.outcome, entry.sz, entry.avg_px),
            (Outcome::Filled, sz("0.49"), Some(px("100.1")))
        );
        entry.fee.to_string()
    };
    let rate = |text: &str| Rate::parse(text.as_bytes()).expect("a rate");
    let tier = UserFees { cross_rate: rate("0.0003"), referral_discount: rate("0.04") };
    // 0.9 bps and 0.576 bps of 49.049 USD.
    assert_eq!(fees(None), "0.004414");
    assert_eq!(fees(Some(tier)), "0.002825");
}

#[test]
fn clocks_that_step_apart_leave_orders_their_time() {
    // Orders live for two seconds.
    for (mono_ms, wall_ms) in [(10_000, 0), (0, 3_000)] {
        let mut script = Script::new();
        script.quote(JUMP + 2_000, ("100.98", "50.0"), ("101.02", "50.0"));
        script.oracle(JUMP + 10_000, "101.0");
        script.step_clocks(10_000, mono_ms, wall_ms);
        // Block times stay where they were, which would be a feed that is ten seconds late.
        let mut config = settings("");
        config.risk.max_feed_lag = None;
        let rows = play(&script, &config, &FIXED);
        let entry = *orders(&rows, true).first().expect("an entry");
        assert_eq!(entry.outcome, Outcome::Filled, "{entry:?}");
        let [trade] = trades(&rows)[..] else { panic!("one round trip: {rows:#?}") };
        assert_eq!(trade.exit, ExitReason::MarkRegression);
    }
}

#[test]
fn of_two_quotes_of_one_moment_the_second_is_in_the_book() {
    let mut script = Script::new();
    // The first ends the wait of the entry; the second is of the next block, and comes with it.
    script.quote(JUMP + 430, ("99.9", "50.0"), ("100.1", "50.0"));
    script.quote(JUMP + 440, ("100.98", "50.0"), ("101.02", "50.0"));
    if let Some((at, _)) = script.0.last_mut() {
        *at = now(JUMP + 430);
    }
    script.oracle(JUMP + 10_000, "101.0");
    let rows = play(&script, &settings(""), &FIXED);
    assert_eq!(entry(&rows).avg_px, Some(px("100.1")));
    let [trade] = trades(&rows)[..] else { panic!("one round trip: {rows:#?}") };
    assert_eq!((trade.exit, trade.exit_px), (ExitReason::MarkRegression, px("100.98")));
}

#[test]
fn what_is_left_of_a_quote_fills_in_part_and_a_better_price_is_taken() {
    let mut script = Script::new();
    script.quote(JUMP + 430, ("99.9", "50.0"), ("100.0", "0.12"));
    let rows = play(&script, &settings(""), &FIXED);
    let entry = entry(&rows);
    assert_eq!((entry.outcome, entry.filled), (Outcome::PartiallyFilled, sz("0.12")));
    assert_eq!(entry.avg_px, Some(px("100")));
}

#[test]
fn a_position_whose_price_does_not_come_back_is_left_by_time() {
    let mut script = Script::new();
    for second in 1..40 {
        script.quote(JUMP + second * 1_000, ("99.9", "50.0"), ("100.3", "50.0"));
        script.oracle(JUMP + second * 1_000, "101.0");
    }
    let more = "[time_stop]\nthreshold_ms = 5000\n";
    let rows = play(&script, &settings(more), &FIXED);
    let trade = *trades(&rows).first().expect("a round trip");
    assert_eq!((trade.exit, trade.exit_px), (ExitReason::TimeStop, px("99.9")));
    assert!(trade.net < Usd::ZERO, "{trade:?}");
    assert!(trade.held >= Nanos::from_millis(5_000), "{trade:?}");
}

#[test]
fn what_is_held_at_the_end_of_a_capture_is_closed_against_its_last_book() {
    let mut script = Script::new();
    script.quote(JUMP + 600, ("99.9", "50.0"), ("100.2", "50.0"));
    let rows = play(&script, &settings(""), &FIXED);
    let [trade] = trades(&rows)[..] else { panic!("one round trip: {rows:#?}") };
    assert_eq!((trade.exit, trade.exit_px), (ExitReason::Shutdown, px("99.9")));
}

/// What a script comes to, without its rows.
fn total(script: &Script, more: &str) -> Figures {
    let rule = Rule {
        probes: (400, 400),
        latency_ms: 400,
        exit_ms: 3_000,
        fee_bps: None,
        slippage_bps: 2.0,
        priority_bps: 0.0,
    };
    let mut score = Score::new(rule);
    let player = play_into(&mut score, script, &settings(more), &FIXED);
    score.end_capture(&player);
    score.finish(false).total
}

#[test]
fn what_nothing_closed_is_told_with_what_it_was_worth() {
    let mut script = Script::new();
    // Bought at 100.1; then the bid falls, and in the end there is none.
    script.quote(JUMP + 700, ("99.1", "0.01"), ("100.2", "50.0"));
    script.oracle(JUMP + 800, "101.0");
    let left = total(&script, "[risk_monitor]\nmax_loss_usd = 0.005\n");
    assert_eq!((left.left_open, left.trading.round_trips()), (1, 0), "{left:?}");
    // 0.01 of it was sold; 0.48 are worth a dollar less.
    assert_eq!(left.left_usd.to_string(), "-0.48");
    assert_eq!(left.stops(), "Loss", "exits that miss stop nothing");
    assert!(left.traded());
    let mut closed = Script::new();
    closed.quote(JUMP + 700, ("99.1", "50.0"), ("100.2", "50.0"));
    let closed = total(&closed, "");
    assert_eq!((closed.left_open, closed.trading.round_trips()), (0, 1), "{closed:?}");
    assert_eq!((closed.left_usd, closed.stops().as_str()), (Usd::ZERO, ""));
}

#[test]
fn one_seed_gives_one_result_and_drawn_latencies_differ_by_seed() {
    let dir = tempfile::tempdir().expect("a directory");
    let recorded = measured(dir.path());
    let recorded = format!("recorded:{}", recorded.display());
    let mut script = Script::new();
    for second in 1..30 {
        // Again and again it is worth buying, for a while.
        script.quote(JUMP + second * 1_000, ("99.9", "50.0"), ("100.1", "50.0"));
        script.quote(JUMP + second * 1_000 + 500, ("100.95", "50.0"), ("101.05", "50.0"));
    }
    let run = |seed: &str| {
        let rows = play(&script, &settings(""), &["--fill", &recorded, "--seed", seed]);
        let entries = orders(&rows, true);
        assert!(entries.len() > 5, "{}", entries.len());
        format!("{rows:?}")
    };
    assert_eq!(run("1"), run("1"));
    assert_ne!(run("1"), run("2"));
}

/// A dump of a run whose orders took 100 or 900 ms.
fn measured(dir: &std::path::Path) -> PathBuf {
    let mut counts = hdrhistogram::Histogram::<u32>::new(3).expect("a histogram");
    counts.record_n(100_000_000, 50).expect("counted");
    counts.record_n(900_000_000, 50).expect("counted");
    let mut dumps = crate::telemetry::dumps::Dumps::new(dir, "test");
    let stage = crate::types::latency::Stage::OrderRtt;
    dumps.append(stage, START, Nanos::from_secs(10), &counts).expect("written");
    let mut files = std::fs::read_dir(dir).expect("a directory");
    files.next().expect("a file").expect("an entry").path()
}

#[test]
fn an_order_takes_as_long_whatever_was_sent_before_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let recorded = format!("recorded:{}", measured(dir.path()).display());
    let mut script = Script::of_markets(&["ONE", "TWO"]);
    for name in ["ONE", "TWO"] {
        for second in (0..40).step_by(4) {
            // ONE before TWO.
            let ms = JUMP + second * 1_000 + if name == "ONE" { 0 } else { 1 };
            script.oracle_of(name, ms, "101.0");
            script.quote_of(name, ms + 3_000, ("100.98", "50.0"), ("101.02", "50.0"));
            script.oracle_of(name, ms + 3_500, "100.0");
            script.quote_of(name, ms + 3_600, ("99.9", "50.0"), ("100.1", "50.0"));
        }
    }
    script.0.sort_by_key(|(at, _)| at.mono);
    let of_two = |more: &str| {
        let rows = play(&script, &settings(more), &["--fill", &recorded]);
        let entries = orders(&rows, true).into_iter().filter(|row| row.coin.as_str() == "tst:TWO");
        entries.map(|row| (row.sent_at, row.answered_at)).collect::<BTreeMap<_, _>>()
    };
    let (both, alone) =
        (of_two(""), of_two("[detector.markets.\"tst:ONE\"]\nthreshold_bps = 500\n"));
    // What an engine holds decides over some of its entries. Those that both sent took as long.
    let shared: Vec<_> = both.iter().filter(|(sent, _)| alone.contains_key(*sent)).collect();
    assert!(shared.len() > 5, "{both:?} {alone:?}");
    assert!(shared.iter().all(|(sent, answered)| alone[*sent] == **answered), "{both:?} {alone:?}");
}

#[test]
fn an_answer_takes_its_part_of_the_latency_after_the_block() {
    let mut script = Script::new();
    // It reaches the venue at 125 ms, and the quote goes before the answer comes.
    script.quote(JUMP + 150, ("99.9", "50.0"), ("100.1", "49.0"));
    script.quote(JUMP + 300, ("100.9", "50.0"), ("101.1", "50.0"));
    let rows = play(&script, &settings(""), &["--fill", "fixed:400ms,answer=275ms"]);
    let entry = entry(&rows);
    assert_eq!((entry.outcome, entry.avg_px), (Outcome::Filled, Some(px("100.1"))));
    assert_eq!(entry.answered_at, Some(now(JUMP + 150 + 275).wall));
    // After a quiet block it comes when it would have come on average.
    let rows = play(&Script::new(), &settings(""), &["--fill", "fixed:400ms,answer=275ms"]);
    assert_eq!(orders(&rows, true)[0].answered_at, Some(now(JUMP + 400 + 34).wall));
    // Without it all of the latency lies before the block.
    let rows = play(&script, &settings(""), &FIXED);
    assert_eq!(orders(&rows, true)[0].outcome, Outcome::Expired);
}

#[test]
fn a_line_may_come_a_day_after_the_one_before_and_no_later() {
    let day = Nanos::from_secs(86_400);
    let play = |more: Nanos| {
        let header = Header::new("test", 1_000, 7, String::new());
        let terms = args(&FIXED).terms().expect("terms");
        let mut player = player(&settings(""), &header, now(0), terms.as_ref()).expect("a player");
        let (mut rows, mut actions) = (Vec::new(), Actions::new());
        let tick = Heard::Tick(());
        let mut play = |at| player.play(at, Said::Other(&tick), &mut actions, &mut rows);
        play(now(5)).expect("the first");
        let at = now(5);
        let span = Nanos(day.0 + more.0);
        play(Now { mono: at.mono.plus(span), wall: at.wall.plus(span) })
    };
    play(Nanos::ZERO).expect("a day");
    let told = play(Nanos(1)).expect_err("a day and more").message;
    assert!(told.starts_with("line 3: m = 86401005000001: expected at most a day"), "{told}");
}

#[test]
fn a_dump_without_orders_and_a_second_dex_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let none = dir.path().join("none.hlog");
    let header = Header::new("test", 1_000, 7, String::new());
    let refused = |config: &Config, fill: &str| {
        let played = args(&["--fill", fill])
            .terms()
            .and_then(|terms| player(config, &header, now(0), terms.as_ref()));
        played.err().expect("refused").message
    };
    let told = refused(&settings(""), &format!("recorded:{}", none.display()));
    assert!(told.contains("none.hlog"), "{told}");
    let mut two = settings("");
    two.venue.dexes.push("oth".to_owned());
    assert!(refused(&two, "fixed:1ms").contains("expected one dex with --fill"));
}
