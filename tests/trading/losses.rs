//! Limits on losses, across restarts.

use hip3::types::account::RecordedTrades;
use hip3::types::config::Config;
use hip3::types::event::{Event, OperatorCommand};
use hip3::types::hard_stop::{HardStop, StopReason};
use hip3::types::log_event::LogEvent;
use hip3::types::losses::{LossSpan, Losses};
use hip3::types::num::Usd;
use hip3::types::order::Fill;

use crate::desk::{Desk, ONE, config, engine, text, usd};
use crate::support::{FIRST_ID, START};

/// Positions are closed by hand alone.
fn settings() -> Config {
    let mut config = config();
    config.mark_regression.enabled = false;
    config
}

/// A run that begins with what runs before have kept.
fn begun(config: &Config, first_id: u64, losses: Losses, latch: HardStop) -> Desk {
    let mut engine = engine(config, first_id, latch);
    engine.restore_trades(RecordedTrades { since: Some(START), ..RecordedTrades::default() });
    engine.continue_losses(losses);
    Desk::of(engine)
}

/// Buys 0.5 at 99.6 and sells it at 95.61: 1.995 USD are lost, and the fees.
fn lose(desk: &mut Desk) {
    desk.bbo(ONE, "99.95", "100.05");
    desk.pass_ms(1_100);
    desk.enter(ONE);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let (id, exit) = desk.sent_order();
    desk.answer_filled(id, "0.5", "95.61");
    let fill = desk.fill_of(&exit, "0.5", "95.61", "0.000518");
    desk.tell_fill(&fill);
}

fn counted(desk: &Desk) -> Usd {
    desk.losses.counted().fold(Usd::ZERO, |sum, (_, amount)| sum.saturating_add(amount))
}

fn limits(desk: &Desk) -> Vec<LossSpan> {
    let limit = |event: &LogEvent| {
        if let LogEvent::LossLimit(limit) = event { Some(limit.within) } else { None }
    };
    desk.log_events.iter().filter_map(limit).collect()
}

/// A17: what was lost before a restart counts, within the window and within the day.
#[test]
fn losses_of_several_runs_add_up() {
    let mut config = settings();
    config.risk_monitor.max_loss = usd("3.5");
    config.risk_monitor.max_daily_loss = usd("5");
    let mut first = Desk::ready(&config);
    lose(&mut first);
    assert_eq!(counted(&first), usd("-2"));
    assert!(!first.stopped_for(StopReason::Loss));
    // The window's limit is reached by the second run.
    let mut second = begun(&config, FIRST_ID + 1_000, first.losses.clone(), HardStop::default());
    second.start();
    second.losses = first.losses.clone();
    lose(&mut second);
    assert!(second.stopped_for(StopReason::Loss), "{:?}", second.trades());
    assert_eq!(limits(&second), [LossSpan::Window]);
    // Where the window is shorter than the runs, that of the day is by the third.
    config.risk_monitor.window = hip3::types::time::Nanos::from_secs(1);
    let mut losses = Losses::default();
    for (run, stops) in [(1, false), (2, false), (3, true)] {
        let mut desk = begun(&config, FIRST_ID + 1_000 * run, losses.clone(), HardStop::default());
        // Kept amounts are as young as the end of their minute.
        desk.stall_ms(120_000 * run);
        desk.start();
        desk.losses = losses;
        lose(&mut desk);
        assert_eq!(desk.stopped_for(StopReason::Loss), stops, "run {run}");
        assert_eq!(limits(&desk), if stops { vec![LossSpan::Day] } else { vec![] });
        losses = desk.losses.clone();
    }
    // A run that begins over its limit is stopped from its first event on.
    let mut late = begun(&config, FIRST_ID + 9_000, losses.clone(), HardStop::default());
    late.stall_ms(600_000);
    late.event(Event::Tick);
    assert!(late.stopped_for(StopReason::Loss));
    // What led to it is forgotten with the release, for the next run too.
    late.losses = losses;
    late.event(Event::Operator(OperatorCommand::Release(Some(StopReason::Loss))));
    assert!(!late.stopped_for(StopReason::Loss));
    assert_eq!(counted(&late), Usd::ZERO);
    let mut released = begun(&config, FIRST_ID + 9_500, late.losses.clone(), HardStop::default());
    released.event(Event::Tick);
    assert!(!released.stopped_for(StopReason::Loss));
}

/// Run 1 buys 0.5 at 99.6, sells 0.2 at 95.61, and is gone: what it has counted and its fills, as a
/// reading tells them.
fn half_closed(config: &Config) -> (Losses, Usd, Vec<Fill>) {
    let mut desk = Desk::ready(config);
    desk.dislocate(ONE);
    let (id, order) = desk.sent_order();
    let (sz, px) = (text(&order, "s"), text(&order, "p"));
    desk.answer_filled(id, &sz, &px);
    let entry = desk.fill_of(&order, &sz, &px, "0.004482");
    desk.tell_fill(&entry);
    desk.pass_ms(1_000);
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let (id, order) = desk.sent_order();
    desk.answer_filled(id, "0.2", "95.61");
    let mut exit = desk.fill_of(&order, "0.2", "95.61", "0.001721");
    exit.start_position = crate::desk::szi("0.5");
    desk.tell_fill(&exit);
    // 0.2 × (95.61 − 99.6) is −0.798.
    let lost = usd("-0.804203");
    assert_eq!(counted(&desk), lost);
    (desk.losses.clone(), lost, vec![entry, exit])
}

/// A17: what a run has counted of a position that outlives it counts once, whoever closes the rest.
#[test]
fn a_position_that_outlives_its_run_is_counted_once() {
    let config = settings();
    let (losses, lost, fills) = half_closed(&config);
    // The rest is held still.
    let mut desk = begun(&config, FIRST_ID + 1_000, losses.clone(), HardStop::default());
    desk.losses = losses.clone();
    desk.account.fills = fills.clone();
    desk.hold(ONE, "0.3", "99.6");
    desk.stall_ms(5_000);
    desk.start();
    assert_eq!(counted(&desk), lost, "nothing was lost meanwhile");
    desk.event(Event::Operator(OperatorCommand::Flatten));
    let (id, order) = desk.sent_order();
    desk.answer_filled(id, "0.3", "99.6");
    let fill = desk.fill_of(&order, "0.3", "99.6", "0.002689");
    desk.tell_fill(&fill);
    assert_eq!(counted(&desk), usd("-0.806892"));
    // The rest was sold at 90 while nobody listened: 0.3 × (90 − 99.6) is −2.88.
    let mut desk = begun(&config, FIRST_ID + 2_000, losses.clone(), HardStop::default());
    desk.losses = losses;
    let mut last = fills[1];
    last.start_position = crate::desk::szi("0.3");
    last.sz = hip3::types::num::Sz::parse(b"0.3").expect("a size");
    last.px = crate::desk::px("90");
    last.tid += 1;
    last.time.0 += 10;
    last.fee = usd("0.00243");
    desk.account.fills = [fills, vec![last]].concat();
    desk.stall_ms(5_000);
    desk.start();
    assert_eq!(desk.trades().len(), 1, "{:?}", desk.rows);
    assert_eq!(desk.trades()[0].net, counted(&desk), "the whole round trip, once");
    assert_eq!(counted(&desk), usd("-3.686633"));
}

#[test]
fn funding_counts_and_is_kept() {
    let mut desk = Desk::ready(&settings());
    let at = desk.venue_ms();
    desk.frame(&format!(
        r#"{{"channel":"user","data":{{"funding":{{"time":{at},"coin":"{ONE}","usdc":"-0.25","szi":"0.5","fundingRate":"0.0005","nSamples":null}}}}}}"#
    ));
    assert_eq!(counted(&desk), usd("-0.25"));
}
