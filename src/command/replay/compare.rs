//! Settings side by side: what each found and what it was worth, and how it differs from the first.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::command::replay::Replay;
use crate::command::replay::score::{Figures, Scored, Told};
use crate::command::replay::settings::Setting;
use crate::command::replay::table::{count, decimal, percent, signed, table};
use crate::command::summary;
use crate::types::ids::Coin;
use crate::types::record::Gate;
use crate::types::time::Nanos;

/// Signals of one market and side so near to each other are the same dislocation: settings that
/// differ see it begin at other quotes.
const SAME_WITHIN: Nanos = Nanos::from_millis(1000);
/// Markets listed in the text; the JSON lists all.
const MOST_MARKETS: usize = 15;

/// Signals that one of two settings has, and the other has not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Alone {
    signals: u64,
    /// What they were worth.
    usd: f64,
}

impl Alone {
    fn add(&mut self, told: &Told) {
        self.signals += 1;
        self.usd += told.usd;
    }
}

/// How the signals of two settings agree.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Agreement {
    both: u64,
    first: Alone,
    here: Alone,
}

impl Agreement {
    fn plus(mut self, other: Self) -> Self {
        self.both += other.both;
        for (mine, theirs) in [(&mut self.first, other.first), (&mut self.here, other.here)] {
            mine.signals += theirs.signals;
            mine.usd += theirs.usd;
        }
        self
    }
}

/// Pairs the signals of two settings, each with at most one of the other, by market.
fn agreement(first: &[Told], here: &[Told]) -> BTreeMap<Coin, Agreement> {
    let mut markets: BTreeMap<Coin, Agreement> = BTreeMap::new();
    let key = |told: &Told| (told.coin, told.side.index());
    let (mut a, mut b) = (0, 0);
    loop {
        let (one, other) = (first.get(a), here.get(b));
        // Which of them stands alone, if one does: the lists have the order of market, side and time.
        let earlier = match (one, other) {
            (None, None) => return markets,
            (Some(_), None) => Some(true),
            (None, Some(_)) => Some(false),
            (Some(one), Some(other)) if key(one) != key(other) => Some(key(one) < key(other)),
            (Some(one), Some(other)) => {
                let apart = one.at.0.abs_diff(other.at.0);
                (apart > SAME_WITHIN.0).then_some(one.at < other.at)
            }
        };
        match (earlier, one, other) {
            (None, Some(one), _) => {
                markets.entry(one.coin).or_default().both += 1;
                (a, b) = (a + 1, b + 1);
            }
            (Some(true), Some(one), _) => {
                markets.entry(one.coin).or_default().first.add(one);
                a += 1;
            }
            (_, _, Some(other)) => {
                markets.entry(other.coin).or_default().here.add(other);
                b += 1;
            }
            (_, _, None) => return markets,
        }
    }
}

/// One setting against the first.
struct Against {
    total: Agreement,
    markets: BTreeMap<Coin, Agreement>,
}

impl Against {
    fn of(first: &Scored, here: &Scored) -> Self {
        let markets = agreement(&first.signals, &here.signals);
        let total = markets.values().copied().fold(Agreement::default(), Agreement::plus);
        Self { total, markets }
    }
}

/// The report, as text or JSON.
pub(super) fn report(args: &Replay, settings: &[Setting], scored: &[Scored]) -> String {
    let Some(first) = scored.first() else { return String::new() };
    let against: Vec<Against> =
        scored.iter().skip(1).map(|here| Against::of(first, here)).collect();
    if args.json {
        return format!("{:#}\n", as_json(args, settings, scored, &against));
    }
    let mut text = String::new();
    write_totals(&mut text, args, settings, scored);
    write_against(&mut text, settings, scored, &against);
    write_reasons(&mut text, settings, scored);
    write_markets(&mut text, settings, scored, &against);
    text
}

fn write_totals(text: &mut String, args: &Replay, settings: &[Setting], scored: &[Scored]) {
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "value of a signal: entered {} ms late, left after {} ms, after fees\n",
        args.latency_ms(),
        args.exit_ms()
    );
    let head = [
        "setting",
        "signals",
        "blocked",
        "crosses",
        "valued",
        "fills",
        "wins",
        "fill rate",
        "value bps",
        "usd",
    ];
    let rows = settings.iter().zip(scored).map(|(setting, scored)| {
        let f = &scored.total;
        vec![
            setting.label.clone(),
            count(f.signals),
            count(f.blocked),
            count(f.crosses),
            count(f.valued),
            count(f.fills),
            count(f.wins),
            percent(f.fill_rate()),
            decimal(f.mean_value_bps()),
            decimal(Some(f.usd)),
        ]
    });
    table(text, &head, rows);
    let left = |f: &Figures| f.below_minimum + f.in_gap + f.unseen + f.no_exit;
    if scored.iter().any(|scored| left(&scored.total) > 0) {
        let _ = writeln!(text, "\nnot valued");
        let rows = settings.iter().zip(scored).map(|(setting, scored)| {
            let f = &scored.total;
            let counts = [f.blocked, f.below_minimum, f.in_gap, f.unseen, f.no_exit];
            std::iter::once(setting.label.clone()).chain(counts.map(count)).collect()
        });
        table(text, &["setting", "blocked", "below 10 USD", "in a gap", "unseen", "no exit"], rows);
    }
    if scored.iter().any(|scored| scored.total.traded()) {
        let _ = writeln!(text, "\ntrading");
        let rows = settings.iter().zip(scored).map(|(setting, scored)| {
            let t = &scored.total.trading;
            let usd = |usd: crate::types::num::Usd| decimal(Some(usd.units() as f64 / 1e6));
            vec![
                setting.label.clone(),
                count(t.entries_sent()),
                count(scored.total.entries_filled()),
                count(t.round_trips()),
                count(t.wins),
                usd(t.gross),
                usd(t.fees),
                usd(t.net),
                count(scored.total.left_open),
                usd(scored.total.left_usd),
                scored.total.stops(),
            ]
        });
        let head = [
            "setting",
            "entries",
            "filled",
            "trips",
            "wins",
            "gross",
            "fees",
            "net",
            "left open",
            "left usd",
            "stopped by",
        ];
        table(text, &head, rows);
    }
}

fn write_against(text: &mut String, settings: &[Setting], scored: &[Scored], against: &[Against]) {
    let (Some(first), false) = (scored.first(), against.is_empty()) else { return };
    let name = settings.first().map_or("", |setting| setting.label.as_str());
    let _ = writeln!(text, "\nagainst {name}");
    let head = [
        "setting",
        "in both",
        "only there",
        "usd",
        "only here",
        "usd",
        "signals",
        "valued",
        "value bps",
        "usd",
    ];
    let rows =
        settings.iter().zip(scored).skip(1).zip(against).map(|((setting, here), against)| {
            let Agreement { both, first: there, here: alone } = against.total;
            vec![
                setting.label.clone(),
                count(both),
                count(there.signals),
                decimal(Some(there.usd)),
                count(alone.signals),
                decimal(Some(alone.usd)),
                signed(difference(here.total.signals, first.total.signals)),
                signed(difference(here.total.valued, first.total.valued)),
                signed(
                    here.total
                        .mean_value_bps()
                        .zip(first.total.mean_value_bps())
                        .map(|(a, b)| a - b),
                ),
                signed(Some(here.total.usd - first.total.usd)),
            ]
        });
    table(text, &head, rows);
}

fn difference(here: u64, first: u64) -> Option<f64> {
    Some(here as f64 - first as f64)
}

/// Signals by what was decided, and by the gate that blocked: a row a reason, a column a setting.
fn write_reasons(text: &mut String, settings: &[Setting], scored: &[Scored]) {
    let mut names: Vec<&String> = scored.iter().flat_map(|s| s.total.decisions.keys()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nby decision");
    let mut head = vec!["decision"];
    head.extend(settings.iter().map(|setting| setting.label.as_str()));
    let rows = names.into_iter().map(|name| {
        let counts =
            scored.iter().map(|s| count(s.total.decisions.get(name).copied().unwrap_or(0)));
        std::iter::once(name.clone()).chain(counts).collect()
    });
    table(text, &head, rows);
    let blocked = |gate: Gate| scored.iter().any(|s| s.total.gates[gate as usize] > 0);
    if Gate::ALL.into_iter().any(blocked) {
        let _ = writeln!(text, "\nby the gate that blocked");
        head[0] = "gate";
        let rows = Gate::ALL.into_iter().filter(|gate| blocked(*gate)).map(|gate| {
            let counts = scored.iter().map(|s| count(s.total.gates[gate as usize]));
            std::iter::once(gate.name().to_owned()).chain(counts).collect()
        });
        table(text, &head, rows);
    }
}

/// Markets, those first whose value differs most.
fn write_markets(text: &mut String, settings: &[Setting], scored: &[Scored], against: &[Against]) {
    let Some(first) = scored.first() else { return };
    let none = Figures::default();
    for ((setting, here), against) in settings.iter().zip(scored).skip(1).zip(against) {
        let of = |scored: &'_ Scored, coin: &Coin| scored.markets.get(coin).map_or(0.0, |f| f.usd);
        let differs = |coin: &Coin| (of(here, coin) - of(first, coin)).abs();
        let mut coins: Vec<&Coin> = against.markets.keys().collect();
        coins.sort_by(|a, b| differs(b).total_cmp(&differs(a)).then(a.cmp(b)));
        let left = coins.len().saturating_sub(MOST_MARKETS);
        coins.truncate(MOST_MARKETS);
        if coins.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{} by market", setting.label);
        let head = [
            "market",
            "signals",
            "first's",
            "in both",
            "only there",
            "only here",
            "value bps",
            "first's",
            "usd",
            "first's",
        ];
        let rows = coins.into_iter().map(|coin| {
            let mine = here.markets.get(coin).unwrap_or(&none);
            let theirs = first.markets.get(coin).unwrap_or(&none);
            let agreed = against.markets.get(coin).copied().unwrap_or_default();
            vec![
                coin.as_str().to_owned(),
                count(mine.signals),
                count(theirs.signals),
                count(agreed.both),
                count(agreed.first.signals),
                count(agreed.here.signals),
                decimal(mine.mean_value_bps()),
                decimal(theirs.mean_value_bps()),
                decimal(Some(mine.usd)),
                decimal(Some(theirs.usd)),
            ]
        });
        table(text, &head, rows);
        if left > 0 {
            let _ = writeln!(text, "  and {left} more (see --json)");
        }
    }
}

fn as_json(args: &Replay, settings: &[Setting], scored: &[Scored], against: &[Against]) -> Value {
    let first = scored.first();
    let of = |at: usize, (setting, here): (&Setting, &Scored)| {
        let against = at.checked_sub(1).and_then(|at| against.get(at)).zip(first);
        let markets: Vec<Value> = here
            .markets
            .iter()
            .map(|(coin, figures)| {
                let mut market = figures_as_json(figures);
                market["market"] = json!(coin.as_str());
                market
            })
            .collect();
        json!({
            "label": setting.label,
            "total": figures_as_json(&here.total),
            "markets": markets,
            "against_first": against.map(|(against, first)| against_as_json(against, first, here)),
        })
    };
    json!({
        "captures": args.captures,
        "latency_ms": args.latency_ms(),
        "exit_ms": args.exit_ms(),
        "settings": settings.iter().zip(scored).enumerate()
            .map(|(at, pair)| of(at, pair)).collect::<Vec<_>>(),
    })
}

fn against_as_json(against: &Against, first: &Scored, here: &Scored) -> Value {
    let agreed = |agreed: &Agreement| {
        json!({
            "both": agreed.both,
            "only_first": {"signals": agreed.first.signals, "usd": agreed.first.usd},
            "only_here": {"signals": agreed.here.signals, "usd": agreed.here.usd},
        })
    };
    let none = Figures::default();
    let markets: Vec<Value> = against
        .markets
        .iter()
        .map(|(coin, agreement)| {
            let mine = here.markets.get(coin).unwrap_or(&none);
            let theirs = first.markets.get(coin).unwrap_or(&none);
            let mut market = agreed(agreement);
            market["market"] = json!(coin.as_str());
            market["difference"] = difference_as_json(mine, theirs);
            market
        })
        .collect();
    let mut told = agreed(&against.total);
    told["difference"] = difference_as_json(&here.total, &first.total);
    told["markets"] = Value::from(markets);
    told
}

fn difference_as_json(here: &Figures, first: &Figures) -> Value {
    let whole = |here: u64, first: u64| i128::from(here) - i128::from(first);
    let mean = here.mean_value_bps().zip(first.mean_value_bps()).map(|(here, first)| here - first);
    json!({
        "signals": whole(here.signals, first.signals) as i64,
        "blocked": whole(here.blocked, first.blocked) as i64,
        "crosses": whole(here.crosses, first.crosses) as i64,
        "valued": whole(here.valued, first.valued) as i64,
        "fills": whole(here.fills, first.fills) as i64,
        "mean_value_bps": mean,
        "usd": here.usd - first.usd,
    })
}

/// Figures as reports name them.
pub(super) fn figures_as_json(figures: &Figures) -> Value {
    let gates: serde_json::Map<_, _> = Gate::ALL
        .iter()
        .zip(figures.gates)
        .map(|(gate, count)| (gate.name().to_owned(), json!(count)))
        .collect();
    let mut told = json!({
        "signals": figures.signals, "blocked": figures.blocked,
        "below_minimum": figures.below_minimum, "in_gap": figures.in_gap,
        "unseen": figures.unseen, "no_exit": figures.no_exit, "valued": figures.valued,
        "crosses": figures.crosses, "fills": figures.fills, "wins": figures.wins,
        "fill_rate": figures.fill_rate(), "win_rate": figures.win_rate(),
        "mean_value_bps": figures.mean_value_bps(), "usd": figures.usd,
        "gates": gates, "decisions": figures.decisions,
    });
    if figures.traded() {
        told["trading"] = summary::trading_as_json(&figures.trading);
        told["trading"]["left_open"] = json!(figures.left_open);
        told["trading"]["left_usd"] = json!(figures.left_usd.to_string());
        told["trading"]["stopped_by"] =
            figures.stopped_by.iter().map(|reason| json!(reason.name())).collect();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::num::Side;
    use crate::types::time::Wall;

    fn told(coin: &str, side: Side, ms: i64, usd: f64) -> Told {
        Told { coin: Coin::new(coin).expect("a name"), side, at: Wall(ms * 1_000_000), usd }
    }

    #[test]
    fn signals_pair_by_market_side_and_time_each_at_most_once() {
        let first = [
            told("x:A", Side::Buy, 0, 1.0),
            told("x:A", Side::Buy, 5_000, 2.0),
            told("x:A", Side::Sell, 9_000, 4.0),
            told("x:B", Side::Buy, 1_000, 8.0),
        ];
        let here = [
            told("x:A", Side::Buy, 900, 1.0),
            told("x:A", Side::Buy, 1_000, 16.0), // The first is taken.
            told("x:A", Side::Buy, 6_001, 32.0), // A millisecond too late.
            told("x:B", Side::Buy, 0, 8.0),
            told("x:C", Side::Sell, 0, 64.0),
        ];
        let markets = agreement(&first, &here);
        let of = |name: &str| markets[&Coin::new(name).expect("a name")];
        let alone = |signals, usd| Alone { signals, usd };
        assert_eq!(of("x:A"), Agreement { both: 1, first: alone(2, 6.0), here: alone(2, 48.0) });
        assert_eq!(of("x:B"), Agreement { both: 1, ..Agreement::default() });
        assert_eq!(of("x:C"), Agreement { here: alone(1, 64.0), ..Agreement::default() });
        let whole = markets.values().copied().fold(Agreement::default(), Agreement::plus);
        assert_eq!(whole, Agreement { both: 2, first: alone(2, 6.0), here: alone(3, 112.0) });
        assert_eq!(agreement(&first, &first).values().map(|a| a.both).sum::<u64>(), 4);
    }
}
