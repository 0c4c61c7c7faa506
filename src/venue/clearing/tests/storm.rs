//! Random actions on living markets: the books balance after every block.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::venue::Settings;
use crate::venue::world::World;

/// What happened in a storm.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    answers: u32,
    fills: u32,
    rows: Vec<String>,
    /// Words of orders and of fills.
    words: BTreeSet<&'static str>,
}

/// What the fills of one account add up to: money, and positions by coin.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    gained: i64,
    net: BTreeMap<String, i64>,
}

impl Sums {
    /// Each fill starts where the last one of its coin ended.
    fn add(&mut self, row: &FillRow) {
        let net = self.net.entry(row.coin.clone()).or_default();
        assert_eq!(row.start_position, *net, "{row:?}");
        *net += if row.buy { row.sz.units() } else { -row.sz.units() };
        self.gained += row.closed_pnl.units() - row.fee.units();
    }
}

/// Runs `blocks` blocks of a venue with four accounts that do anything; audits each block.
fn storm(seed: u64, blocks: u32) -> Seen {
    let now = Mono(0);
    let settings_of = |n| settings(Address::numbered(n), if n == 4 { "50" } else { "20000" });
    let accounts: Vec<AccountSettings> = (1..=4).map(settings_of).collect();
    let mut world = World::new(&Settings { seed, markets: 6, ..Settings::default() }, now);
    let mut clearing = Clearing::new(&accounts, seed);
    let mut dice = Dice::new(seed, 99);
    let mut seen = Seen::default();
    let mut oids: Vec<u64> = vec![1];
    let mut sums: BTreeMap<Address, Sums> = BTreeMap::new();
    let watched: Vec<usize> =
        (0..world.markets.len()).filter(|at| world.markets[*at].dex == 1).collect();
    for number in 0..blocks {
        let now = world.begin_block();
        let time = world.block_time;
        let mut out = Vec::new();
        for _ in 0..dice.below(4) {
            let at = watched[dice.below(watched.len() as u64) as usize];
            let action = anything(&world.markets[at], &oids, &mut dice);
            let signer = Address::numbered(1 + dice.below(4));
            let nonce = u64::try_from(time.0).expect("after 1970") + dice.below(1_000_000);
            let signed = Signed { action, signer, nonce, vault: None, expires_after: None };
            clearing.submit(time, Ticket(0), signed, &world.markets, &mut out);
        }
        if dice.below(400) == 0 {
            let at = watched[dice.below(watched.len() as u64) as usize];
            world.markets[at].close(Status::Halted);
        }
        if dice.below(50) == 0 {
            // The underlying jumps: positions near their end meet it.
            let at = watched[dice.below(watched.len() as u64) as usize];
            let market = &mut world.markets[at];
            let moved = market.oracle.units() / 100 * dice.range(-9, 9);
            let to = Px::from_units(market.oracle.units() + moved);
            (0..9).for_each(|_| market.put_oracle(to, now));
        }
        clearing.block(time, now, &mut world.markets, &mut out);
        assert_eq!(clearing.audit(&world.markets), Ok(()), "seed {seed}, block {number}");
        world.end_block(&mut Vec::new());
        if dice.below(100) == 0 {
            watched.iter().for_each(|at| world.markets[*at].resume());
        }
        for outcome in &out {
            match outcome {
                Outcome::Answer { .. } => seen.answers += 1,
                Outcome::Fills { user, rows } => {
                    let sum = sums.entry(*user).or_default();
                    rows.iter().for_each(|row| sum.add(row));
                    seen.words.extend(rows.iter().map(|row| row.dir));
                    seen.fills += rows.len() as u32;
                }
                Outcome::Updates { rows, .. } => {
                    oids.extend(rows.iter().map(|row| row.oid));
                    seen.words.extend(rows.iter().map(|row| row.status));
                }
                Outcome::NonUserCancel { .. } => {}
            }
        }
        seen.rows.extend(out.iter().map(|outcome| format!("{outcome:?}")));
        oids.drain(..oids.len().saturating_sub(50));
    }
    for (user, mut sum) in sums {
        let account = clearing.account(user).expect("an account");
        assert_eq!(sum.gained, account.cash.units() - account.deposit.units());
        sum.net.retain(|_, net| *net != 0);
        let held = account.positions.values().map(|one| (one.coin.clone(), one.szi));
        assert_eq!(sum.net, held.collect());
    }
    seen
}

/// Any action on a market, mostly sensible.
fn anything(market: &Market, oids: &[u64], dice: &mut Dice) -> Action {
    let asset = asset_of(market).expect("an asset");
    let which = Which::Oid(oids[dice.below(oids.len() as u64) as usize]);
    let order = |dice: &mut Dice| {
        let buy = dice.below(2) == 0;
        let away = market.oracle.units() / 10_000 * dice.range(-80, 80);
        let limit = Px::from_units(market.oracle.units() + away);
        let limit = crate::venue::listing::floor_to_tick(limit, market.listing.sz_decimals);
        let usd = dice.spread(8, 60_000);
        NewOrder {
            asset,
            buy,
            px: limit,
            sz: crate::venue::maker::size_of(usd, market.oracle, market.listing.sz_decimals),
            reduce_only: dice.below(4) == 0,
            tif: [Some(Tif::Ioc), Some(Tif::Ioc), Some(Tif::Gtc), Some(Tif::Alo), None]
                [dice.below(5) as usize],
            cloid: (dice.below(2) == 0).then(|| Cloid(u128::from(dice.below(20)))),
        }
    };
    match dice.below(12) {
        0 => Action::Cancel(vec![(asset, which)]),
        1 => {
            let modifies = vec![(which, order(dice))];
            Action::Modify { modifies, batch: dice.below(2) == 0 }
        }
        2 => Action::UpdateLeverage {
            asset,
            is_cross: dice.below(2) == 0,
            leverage: 1 + dice.below(30) as u32,
        },
        3 => Action::UpdateIsolatedMargin { asset, ntli: dice.range(-200_000_000, 200_000_000) },
        4 => Action::Order((0..dice.below(4)).map(|_| order(dice)).collect()),
        _ => Action::Order(vec![order(dice)]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_books_balance_in_any_storm(seed: u64) {
        let seen = storm(seed, 400);
        prop_assert!(seen.answers > 300 && seen.fills > 30, "{} {}", seen.answers, seen.fills);
    }
}

#[test]
fn a_seed_is_a_history() {
    let first = storm(11, 300);
    assert_eq!(first, storm(11, 300));
    assert_ne!(first.rows, storm(12, 300).rows);
}

#[test]
fn a_long_storm_leaves_nothing_out() {
    let mut seen = BTreeSet::new();
    for seed in 1..=3 {
        seen.extend(storm(seed, 1_500).words);
    }
    for word in [
        "open",
        "filled",
        "canceled",
        "selfTradeCanceled",
        "reduceOnlyCanceled",
        "delistedCanceled",
        "iocCancelRejected",
        "perpMarginRejected",
        "reduceOnlyRejected",
        "minTradeNtlRejected",
        "badAloPxRejected",
        "Open Long",
        "Close Short",
        "Long > Short",
        "Settlement",
    ] {
        assert!(seen.contains(word), "{word} in {seen:?}");
    }
    assert!(seen.iter().any(|word| word.starts_with("Liquidated")), "{seen:?}");
}

#[test]
fn an_audit_sees_what_is_wrong() {
    type Break = fn(&mut Desk);
    let breaks: [(Break, &str); 6] = [
        (|desk| mine(desk).cash = usd("1"), "cash"),
        (|desk| held(desk).szi += 1, "positions"),
        (|desk| held(desk).margin = usd("-1"), "margin"),
        (|desk| held(desk).margin = usd("2000000"), "margins exceed"),
        (|desk| mine(desk).open.clear(), "order"),
        (|desk| desk.markets[0].book.clear(), "stand in books"),
    ];
    for (broken, what) in breaks {
        let mut desk = Desk::new();
        desk.order(ioc(true, "100.1", "10"));
        desk.order(alo(true, "99", "1"));
        assert_eq!(desk.clearing.audit(&desk.markets), Ok(()));
        broken(&mut desk);
        let verdict = desk.clearing.audit(&desk.markets);
        assert!(verdict.as_ref().is_err_and(|text| text.contains(what)), "{what}: {verdict:?}");
    }
}

fn mine(desk: &mut Desk) -> &mut Account {
    desk.clearing.accounts.get_mut(&rich()).expect("an account")
}

fn held(desk: &mut Desk) -> &mut crate::venue::clearing::Position {
    mine(desk).positions.get_mut(&0).expect("a position")
}

#[test]
fn a_storm_that_once_did_not_balance() {
    // One taker met two resting orders of one account, the second reduce-only.
    storm(2_815_268_097_433_798_444, 400);
}
