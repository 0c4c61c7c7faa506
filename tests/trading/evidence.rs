//! What may be ours: answers, fill rows and readings of the account are one body of evidence, and
//! limits count the worst that it allows.

use hip3::types::account::AccountMode;
use hip3::types::config::Config;
use hip3::types::event::{Event, LinkDown};
use hip3::types::hard_stop::{HardStop, StopReason};
use hip3::types::log_event::LogEvent;
use hip3::types::num::{Szi, Usd};
use hip3::types::record::ExitReason;
use hip3::types::time::{Nanos, VenueMs};
use serde_json::Value;

use crate::desk::{Desk, ONE, TWO, config, px, szi, text, usd};

/// A venue whose answers say `filled` and that tells no fill row.
#[derive(Default)]
struct Answering {
    /// Bought and not sold by these answers: of each coin, in USD at the prices of the answers.
    open: [(Szi, Usd); 2],
    entries: u32,
    /// The most that was ever open, in one market and in all.
    peak: (Usd, Usd),
}

impl Answering {
    /// Answers whatever the engine sent.
    fn answer(&mut self, desk: &mut Desk) {
        for (id, what) in desk.new_posts() {
            let Some(orders) = what["orders"].as_array() else { continue };
            let statuses: Vec<String> = orders.iter().map(|order| self.fill(order)).collect();
            desk.answer_status(id, &statuses.join(","));
        }
    }

    fn fill(&mut self, order: &Value) -> String {
        let (sz, limit) = (text(order, "s"), text(order, "p"));
        let at = usize::from(order["a"] != 110_000);
        let units = szi(&sz).units() * if order["b"] == true { 1 } else { -1 };
        let (held, _) = self.open[at];
        let held = Szi::from_units(held.units() + units);
        self.open[at] = (held, Usd::notional(px(&limit), held.abs()).expect("fits"));
        self.entries += u32::from(order["r"] == false);
        let total = self.open[0].1.saturating_add(self.open[1].1);
        self.peak = (self.peak.0.max(self.open[at].1), self.peak.1.max(total));
        format!(r#"{{"filled":{{"totalSz":"{sz}","avgPx":"{limit}","oid":{}}}}}"#, self.entries + 7)
    }

    fn assert_within(&self, market: &str, total: &str) {
        assert!(self.peak.0 <= usd(market), "{:?} in one market", self.peak.0);
        assert!(self.peak.1 <= usd(total), "{:?} in all", self.peak.1);
    }
}

/// Both markets are dislocated again and again for so many seconds. `read` answers what is asked of
/// the account.
fn trade_blindly(
    desk: &mut Desk,
    venue: &mut Answering,
    seconds: u32,
    mut read: impl FnMut(&mut Desk),
) {
    let mut asked = desk.account_readings.len();
    for second in 0..seconds {
        for coin in [ONE, TWO] {
            let (bid, ask) = if second % 2 == 0 { ("99.55", "99.6") } else { ("99.95", "100.05") };
            desk.bbo(coin, bid, ask);
            venue.answer(desk);
        }
        desk.live_ms(1_000);
        venue.answer(desk);
        if desk.account_readings.len() > asked {
            asked = desk.account_readings.len();
            read(desk);
        }
    }
}

/// A1: the agent belongs to another account, whose fills we never hear of.
#[test]
fn fills_that_were_answered_and_that_the_account_denies_stop_the_engine() {
    let mut config = config();
    config.mark_regression.enabled = false;
    let mut desk = Desk::ready(&config);
    let mut venue = Answering::default();
    trade_blindly(&mut desk, &mut venue, 40, Desk::read);
    assert!(desk.stopped_for(StopReason::PositionMismatch));
    assert_eq!(venue.entries, 2, "one in each market");
    venue.assert_within("50", "100");
    trade_blindly(&mut desk, &mut venue, 1_800, Desk::read);
    assert_eq!(venue.entries, 2);
}

/// A1: the same with exits that are answered as well, so that every round trip is flat again.
#[test]
fn round_trips_without_a_row_use_up_the_limits_and_then_stop_the_engine() {
    let mut desk = Desk::ready(&config());
    let mut venue = Answering::default();
    trade_blindly(&mut desk, &mut venue, 90, Desk::read);
    assert!(venue.entries <= 2, "{} entries, of which nothing accounts", venue.entries);
    venue.assert_within("50", "100");
    trade_blindly(&mut desk, &mut venue, 600, Desk::read);
    assert!(desk.stopped_for(StopReason::PositionMismatch), "rows are two minutes overdue");
    assert!(venue.entries <= 2, "{}", venue.entries);
}

/// A1: fills and readings stand still for a minute while answers go on.
#[test]
fn a_frozen_account_lets_nothing_be_forgotten() {
    let mut config = config();
    config.mark_regression.enabled = false;
    config.time_stop.threshold = Nanos::from_secs(600);
    let mut desk = Desk::ready(&config);
    let mut venue = Answering::default();
    let frozen = desk.account.clone();
    trade_blindly(&mut desk, &mut venue, 60, |desk| {
        let state = frozen.clone();
        desk.event(Event::Account(&state));
    });
    assert_eq!(venue.entries, 2, "one in each market");
    venue.assert_within("50", "100");
    assert!(!desk.trading().hard_stop.active(), "nobody has to act");
    assert!(desk.trading().ready.all(), "{:?}", desk.trading().ready);
    assert_eq!(desk.trading().waiting.in_doubt, 2, "and it says what it waits for");
    // It thaws: the rows come with the next reading.
    let held = [venue.open[0].0, venue.open[1].0];
    let orders: Vec<Value> = desk
        .sent
        .iter()
        .map(|text| serde_json::from_str::<Value>(text).expect("JSON"))
        .filter_map(|post| post["request"]["payload"]["action"]["orders"][0].as_object().cloned())
        .map(Value::Object)
        .collect();
    for order in &orders {
        let mut fill = desk.fill_of(order, &text(order, "s"), &text(order, "p"), "0.0045");
        fill.time = VenueMs(fill.time.0 - 50_000);
        desk.account.fills.push(fill);
    }
    for (coin, szi) in [ONE, TWO].into_iter().zip(held) {
        desk.hold(coin, &szi.to_string(), "99.6");
    }
    desk.read();
    assert_eq!((desk.trading().positions, desk.trading().pending), (2, 0));
    assert!(!desk.trading().hard_stop.active() && desk.trading().ready.all());
}

/// A1: what was answered as filled is let go within TimeStop, though no row tells of it.
#[test]
fn an_answered_fill_has_a_way_out_without_its_row() {
    let mut config = config();
    config.mark_regression.enabled = false;
    let mut desk = Desk::ready(&config);
    desk.dislocate(ONE);
    let (id, _) = desk.sent_order();
    desk.answer_filled(id, "0.5", "99.6");
    desk.live_ms(29_500);
    desk.nothing_sent();
    desk.live_ms(1_000);
    desk.bbo(ONE, "99.55", "99.6");
    let (id, exit) = desk.sent_order();
    assert_eq!(
        (text(&exit, "s"), exit["b"].clone(), exit["r"].clone()),
        ("0.5".into(), false.into(), true.into())
    );
    desk.answer_filled(id, "0.5", "99.55");
    desk.live_ms(60_000);
    desk.nothing_sent();
    assert_eq!(desk.trading().pending, 2, "and nothing is forgotten");
}

/// A1: a believed reading accounts for a fill whose row never comes; it is held since its answer.
#[test]
fn a_reading_that_bears_out_an_answer_stands_in_for_its_row() {
    let mut config = config();
    config.mark_regression.enabled = false;
    let mut desk = Desk::ready(&config);
    desk.dislocate(ONE);
    let (id, order) = desk.sent_order();
    desk.answer_filled(id, "0.5", "99.59");
    desk.hold(ONE, "0.5", "99.59");
    let mut asked = desk.account_readings.len();
    for _ in 0..20 {
        desk.live_ms(1_000);
        if desk.account_readings.len() > asked {
            asked = desk.account_readings.len();
            desk.read();
        }
    }
    assert_eq!((desk.trading().positions, desk.trading().pending), (1, 0));
    let [row] = desk.orders()[..] else { panic!("{:?}", desk.orders()) };
    assert_eq!((row.filled.to_string(), row.avg_px), ("0.5".to_owned(), Some(px("99.59"))));
    assert!(desk.log_events.iter().any(|event| matches!(event, LogEvent::FillsAssumed { .. })));
    // The row comes after all, and changes nothing.
    let mut late = desk.fill_of(&order, "0.5", "99.59", "0.0045");
    late.time = VenueMs(late.time.0 - 20_000);
    desk.tell_fill(&late);
    assert_eq!(desk.trading().positions, 1);
    // TimeStop counts from the answer.
    desk.live_ms(9_500);
    desk.nothing_sent();
    desk.live_ms(1_500);
    desk.bbo(ONE, "99.55", "99.6");
    let (id, exit) = desk.sent_order();
    assert_eq!(text(&exit, "s"), "0.5");
    desk.hold(ONE, "0", "0");
    desk.fill_whole(id, &exit, "0.0045");
    let [trade] = desk.trades()[..] else { panic!("{:?}", desk.trades()) };
    assert_eq!((trade.exit, trade.entry_px), (ExitReason::TimeStop, px("99.59")));
    assert!(!desk.trading().hard_stop.active());
}

/// A10: funding of a market that is not watched is not our loss, as its fills are not.
#[test]
fn only_funding_of_watched_markets_counts() {
    let mut desk = Desk::ready(&config());
    let mut funding = |coin: &str| {
        let time = desk.venue_ms();
        desk.frame(&format!(
            r#"{{"channel":"user","data":{{"funding":{{"time":{time},"coin":"{coin}","usdc":"-25.0","szi":"1.0","fundingRate":"0.01","nSamples":null}}}}}}"#
        ));
        desk.stopped_for(StopReason::Loss)
    };
    assert!(!funding("BTC"));
    assert!(funding(ONE), "and what we watch is");
}

/// A14: the account is read at once after a reconnect, however long a failed reading was to wait.
#[test]
fn a_reconnect_reads_the_account_at_once() {
    let mut desk = Desk::ready(&config());
    desk.event(Event::Disconnected(LinkDown::Dropped));
    // Readings fail as well: their pauses grow to half a minute.
    for _ in 0..60 {
        let asked = desk.account_readings.len();
        desk.pass_ms(1_000);
        if desk.account_readings.len() > asked || desk.account_readings.is_empty() {
            desk.event(Event::AccountFailed);
        }
    }
    let asked = desk.account_readings.len();
    desk.event(Event::Connected);
    assert_eq!(desk.account_readings.len(), asked + 1);
}

/// A15: whatever cannot be settled, readings stay within half of the REST weight of an address.
#[test]
fn readings_never_use_more_than_half_of_the_rest_weight() {
    let mut desk = Desk::ready(&config());
    // A difference that never lasts: each reading wants another one soon.
    let (mut universes, mut accounts) = (Vec::new(), Vec::new());
    let (mut seen_universes, mut seen_accounts) = (desk.readings, desk.account_readings.len());
    for second in 0..600_u32 {
        desk.live_ms(1_000);
        for _ in seen_universes..desk.readings {
            universes.push(second);
            desk.reread();
        }
        for _ in seen_accounts..desk.account_readings.len() {
            accounts.push(second);
            let held = (accounts.len() % 7 + 1).to_string();
            desk.hold(ONE, &held, "99");
            desk.read();
        }
        (seen_universes, seen_accounts) = (desk.readings, desk.account_readings.len());
    }
    assert!(accounts.len() > 40, "it asked often: {}", accounts.len());
    for from in 0..540 {
        let within =
            |asked: &[u32]| asked.iter().filter(|at| (from..from + 60).contains(*at)).count();
        let weight = within(&universes) * 100 + within(&accounts) * 46;
        assert!(weight <= 600, "{weight} from second {from}");
    }
}

/// A15: readings of the venue that come as fast as they may leave room for those of the account.
#[test]
fn readings_of_the_venue_do_not_starve_those_of_the_account() {
    let mut config = config();
    config.venue.meta_refresh = Nanos::from_secs(2);
    let mut desk = Desk::ready(&config);
    let (mut universes, mut accounts) = (desk.readings, desk.account_readings.len());
    let before = (universes, accounts);
    for second in 0..300 {
        desk.live_ms(1_000);
        if desk.readings > universes {
            universes = desk.readings;
            desk.reread();
        }
        if desk.account_readings.len() > accounts {
            accounts = desk.account_readings.len();
            desk.hold(ONE, &(second % 7 + 1).to_string(), "99");
            desk.read();
        }
    }
    assert!(universes > before.0 + 8, "{universes}");
    assert!(accounts > before.1 + 8, "{accounts}");
}

/// A listing is read with the next `meta`.
fn list_another(desk: &mut Desk) {
    let another = r#"},{"szDecimals":2,"name":"tst:NEW","maxLeverage":5,"marginTableId":5,"growthMode":"enabled","deployerFeeScale":"1.0"}],"marginTables""#;
    desk.info.meta = desk.info.meta.replace(r#"}],"marginTables""#, another);
    desk.reread();
}

/// An account whose balance lies elsewhere: a flat dex shows nothing but zeros.
fn unified(desk: &mut Desk) {
    desk.account.mode = AccountMode::Unified;
    desk.account.dexes[0].value = Usd::ZERO;
    desk.account.dexes[0].withdrawable = Usd::ZERO;
}

fn ready_unified(config: &Config) -> Desk {
    let mut desk = Desk::silent(config, HardStop::default());
    unified(&mut desk);
    desk.start();
    desk.pass_ms(2_500);
    desk.calm_quotes();
    desk.read();
    desk.set_leverage();
    assert!(desk.trading().ready.all(), "{:?}", desk.trading().ready);
    desk
}

/// A20: a listing on a unified account holds up nobody but itself.
#[test]
fn a_listing_holds_up_no_other_market() {
    let mut desk = ready_unified(&config());
    desk.rows.clear();
    list_another(&mut desk);
    assert!(desk.trading().ready.all());
    desk.read();
    assert!(desk.trading().ready.all(), "{:?}", desk.trading().ready);
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["sent"]);
}

/// A34: a flat account differs from nothing, in every mode.
#[test]
fn a_flat_account_is_no_difference() {
    let modes = [
        AccountMode::Standard,
        AccountMode::Unified,
        AccountMode::PortfolioMargin,
        AccountMode::DexAbstraction,
        AccountMode::Unset,
    ];
    for mode in modes {
        let mut desk = Desk::silent(&config(), HardStop::default());
        unified(&mut desk);
        desk.account.mode = mode;
        desk.start();
        desk.pass_ms(2_500);
        desk.read();
        assert!(desk.trading().ready.position_synced, "{mode:?}");
        let differs = |event: &LogEvent| matches!(event, LogEvent::PositionDiffers { .. });
        assert!(!desk.log_events.iter().any(differs), "{mode:?}");
    }
}

/// A18: a position whose closing row never came ends alike in every mode: as somebody else's trade.
#[test]
fn a_position_that_is_gone_is_booked_and_stops_nobody() {
    let mut config = config();
    config.mark_regression.enabled = false;
    config.time_stop.threshold = Nanos::from_secs(600);
    for mode in [AccountMode::Standard, AccountMode::Unified] {
        let mut desk = match mode {
            AccountMode::Unified => ready_unified(&config),
            _ => Desk::ready(&config),
        };
        desk.enter(ONE);
        desk.hold(ONE, "0", "0"); // Closed by hand.
        let mut asked = desk.account_readings.len();
        for _ in 0..90 {
            desk.live_ms(1_000);
            if desk.account_readings.len() > asked {
                asked = desk.account_readings.len();
                desk.read();
            }
        }
        assert_eq!(desk.trading().positions, 0, "{mode:?}");
        assert!(!desk.trading().hard_stop.active(), "{mode:?}: {:?}", desk.trading().hard_stop);
        let [trade] = desk.trades()[..] else { panic!("{mode:?}: {:?}", desk.trades()) };
        assert_eq!(trade.exit, ExitReason::Foreign);
    }
}
