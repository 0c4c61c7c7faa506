//! What holds however the streams mix: the truth comes out, and is never underestimated meanwhile.

use proptest::prelude::*;

use super::*;

/// What happens to an order at the venue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Truth {
    Filled,
    /// A quarter fills; the rest is gone in this word.
    Partial(&'static str),
    Missed,
    Rejected,
}

impl Truth {
    fn outcome(self) -> (Outcome, Sz, Option<Refusal>) {
        match self {
            Truth::Filled => (Outcome::Filled, sz("1"), None),
            Truth::Partial(_) => (Outcome::PartiallyFilled, sz("0.25"), None),
            Truth::Missed => (Outcome::Expired, Sz::ZERO, Some(Refusal::NoMatch)),
            Truth::Rejected => (Outcome::Rejected, Sz::ZERO, Some(Refusal::Margin)),
        }
    }

    fn answer(self, order: &Order) -> OrderAnswer {
        match self {
            Truth::Filled => filled(order, "1"),
            Truth::Partial(_) => filled(order, "0.25"),
            Truth::Missed => error(MISS),
            Truth::Rejected => error("Insufficient margin to place order. asset=110007"),
        }
    }

    fn end(self, order: &Order) -> OrderUpdate {
        match self {
            Truth::Filled => update(order, "filled", "0"),
            Truth::Partial(word) => update(order, word, "0.75"),
            Truth::Missed => update(order, "iocCancelRejected", "1"),
            Truth::Rejected => update(order, "perpMarginRejected", "1"),
        }
    }

    fn rows(self) -> &'static [&'static str] {
        match self {
            Truth::Filled => &["0.5", "0.2", "0.3"],
            Truth::Partial(_) => &["0.2", "0.05"],
            Truth::Missed | Truth::Rejected => &[],
        }
    }
}

/// What reaches us.
#[derive(Clone, Copy, Debug)]
enum News {
    Answer,
    Open,
    End,
    Row(usize),
    LinkLost,
    /// Nothing: a time that passes.
    Quiet,
}

fn any_truth() -> impl Strategy<Value = Truth> {
    proptest::sample::select(vec![
        Truth::Filled,
        Truth::Partial("canceled"),
        Truth::Partial("filled"),
        Truth::Missed,
        Truth::Rejected,
    ])
}

/// Any of it, in any order, up to twice.
fn any_news() -> impl Strategy<Value = Vec<(News, u64)>> {
    let again = |news: News| proptest::collection::vec(Just(news), 0..3);
    let rows: Vec<News> = (0..6).map(|n| News::Row(n % 3)).collect();
    let rows = proptest::sample::subsequence(rows, 0..=6);
    let all = (
        again(News::Answer),
        again(News::Open),
        again(News::End),
        rows,
        again(News::LinkLost),
        again(News::Quiet),
    );
    let gap = prop_oneof![4 => 0_u64..50, 2 => 50_u64..900, 1 => 900_u64..6_000];
    all.prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].concat()).prop_shuffle().prop_flat_map(
        move |news| {
            let gaps = proptest::collection::vec(gap.clone(), news.len());
            gaps.prop_map(move |gaps| news.iter().copied().zip(gaps).collect())
        },
    )
}

/// Plays `news` of `truth` to an order; the look-ups that `heard` names are answered, and the last.
fn play(order: Order, truth: Truth, news: &[(News, u64)], heard: &[bool]) -> (Ended, Desk) {
    let mut desk = Desk::new();
    let (_, post) = desk.send(0, order);
    let (outcome, real, _) = truth.outcome();
    let mut at = 0;
    let mut looks = 0;
    let mut told = Sz::ZERO;
    let mut heard_rows = [false; 3];
    let mut step = |desk: &mut Desk, at: u64, told: Sz| {
        for look in desk.time(at) {
            if heard.get(looks).copied().unwrap_or(true) {
                desk.look_up(at, look, Some(truth.end(&order)));
            }
            looks += 1;
        }
        // Never underestimated: what rows told and what may still come cover what is real.
        if let Some((_, tracked)) = desk.orders.live(MARKET).next() {
            if !order.reduce_only {
                let covered = told.units() + tracked.unsettled().units();
                assert!(covered >= real.units(), "{outcome:?}: {covered} of {real}");
            }
            assert!(tracked.filled() <= order.sz);
        }
        desk.orders.take_ended()
    };
    for (news, gap) in news {
        at += gap;
        if let Some(ended) = step(&mut desk, at, told) {
            return (ended, desk);
        }
        match news {
            News::Answer => {
                desk.answer(at, post, &[truth.answer(&order)]);
            }
            News::Open => _ = desk.update(at, &order, "open", "1"),
            News::End => _ = desk.orders.on_update(ms(at), &truth.end(&order)),
            News::Row(n) => {
                if let Some(size) = truth.rows().get(*n) {
                    desk.fill(at, &order, 1 + *n as u64, size);
                    let new = !std::mem::replace(&mut heard_rows[*n], true);
                    told = Sz::from_units(told.units() + sz(size).units() * i64::from(new));
                }
            }
            News::LinkLost => desk.orders.on_disconnected(ms(at)),
            News::Quiet => {}
        }
        if let Some(ended) = step(&mut desk, at, told) {
            return (ended, desk);
        }
    }
    for _ in 0..100 {
        let due = desk.orders.next_due();
        if due == Mono::MAX {
            // Only news ends it: a reading of the account, with what its rows did not tell.
            let claim = desk.orders.claim(MARKET, VenueMs(i64::MAX)).expect("a claim");
            assert!(
                claim.announced.units() + claim.possible.units() + told.units() >= real.units()
            );
            let rest = Sz::from_units(real.units() - told.units());
            if rest.is_positive() {
                desk.orders.on_fill(ms(at), &fill(&order, 0, &rest.to_string()));
            }
            told = real;
            desk.orders.accounted(ms(at), claim.id);
        } else {
            at = at.max(due.since(Mono(START)).0.div_ceil(1_000_000));
        }
        if let Some(ended) = step(&mut desk, at, told) {
            return (ended, desk);
        }
    }
    panic!("no end was found");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn an_entry_ends_as_it_ended_at_the_venue(
        truth in any_truth(),
        news in any_news(),
        heard in proptest::collection::vec(any::<bool>(), 0..6),
    ) {
        let order = entry(1);
        let (ended, desk) = play(order, truth, &news, &heard);
        prop_assert_eq!((ended.outcome, ended.filled, ended.refusal), truth.outcome());
        prop_assert_eq!(ended.row.filled, ended.filled);
        prop_assert_eq!(desk.orders.contradicted(), 0);
        prop_assert!(desk.orders.is_empty());
        prop_assert_eq!(desk.orders.pending_total(), Usd::ZERO);
        prop_assert_eq!(desk.orders.pending_markets().count(), 0);
        prop_assert!(!desk.orders.in_doubt(MARKET));
        prop_assert_eq!(desk.orders.next_due(), Mono::MAX);
    }

    #[test]
    fn an_exit_ends_as_its_rows_or_its_answer_tell(
        truth in any_truth(),
        news in any_news(),
    ) {
        let order = exit(1);
        // Without its answer, only all of its rows tell the size for certain.
        let rows = (0..3).map(|n| (News::Row(n), 0));
        let others = news.iter().copied().filter(|(news, _)| !matches!(news, News::Row(_)));
        let news: Vec<_> = rows.chain(others).collect();
        let (ended, desk) = play(order, truth, &news, &[]);
        prop_assert_eq!((ended.outcome, ended.filled, ended.refusal), truth.outcome());
        prop_assert_eq!(ended.unaccounted, Sz::ZERO);
        prop_assert_eq!(desk.orders.contradicted(), 0);
    }

    #[test]
    fn sums_are_those_of_the_orders_that_are_there(
        steps in proptest::collection::vec((0_u8..6, 0_usize..8), 1..120)
    ) {
        let mut desk = Desk::new();
        let mut open: Vec<(OrderId, Order, u64)> = Vec::new();
        for (at, (what, which)) in steps.into_iter().enumerate() {
            let time = at as u64;
            let chosen = (!open.is_empty()).then(|| open[which % open.len()]);
            match (what, chosen) {
                (0 | 1, _) | (_, None) => {
                    let market = MarketId(which as u16 % 3);
                    let base = if what == 1 { exit(time.into()) } else { entry(time.into()) };
                    let order = Order { market, ..base };
                    let (id, post) = desk.send(time, order);
                    open.push((id, order, post));
                }
                (2, Some((_, order, post))) => _ = desk.answer(time, post, &[filled(&order, "0.5")]),
                (3, Some((_, _, post))) => _ = desk.answer(time, post, &[error(MISS)]),
                (4, Some((_, order, _))) => _ = desk.fill(time, &order, time, "0.25"),
                (_, Some((_, order, _))) => _ = desk.update(time, &order, "canceled", "0.5"),
            }
            while let Some(ended) = desk.orders.take_ended() {
                open.retain(|(id, _, _)| *id != ended.id);
            }
            let ids: Vec<OrderId> = desk.orders.iter().map(|(id, _)| id).collect();
            prop_assert_eq!(&ids, &open.iter().map(|(id, _, _)| *id).collect::<Vec<_>>());
            prop_assert_eq!(desk.orders.len(), open.len());
            let entries = |m: MarketId| open.iter().any(|(_, o, _)| o.market == m && !o.reduce_only);
            let mut total = Usd::ZERO;
            for market in (0..3).map(MarketId) {
                prop_assert_eq!(desk.orders.has_live_entry(market), entries(market));
                let listed = desk.orders.pending_markets().filter(|m| *m == market).count();
                prop_assert_eq!(listed, usize::from(entries(market)));
                let pending = desk.orders.pending_notional(market);
                prop_assert!(pending >= Usd::ZERO);
                total = total.saturating_add(pending);
            }
            prop_assert_eq!(desk.orders.pending_total(), total);
        }
    }
}
