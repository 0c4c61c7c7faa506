//! What an engine still holds when its capture is over. It is in no row: a round trip has one when it is
//! closed.

use crate::engine::Engine;
use crate::types::ids::Coin;
use crate::types::market::Bbo;
use crate::types::num::{Px, Side, Szi, Usd};
use crate::types::time::Mono;

/// A position that nothing closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Left {
    pub(super) coin: Coin,
    pub(super) szi: Szi,
    /// Its profit at the last price to leave at, before fees; `None` when nothing stood there.
    pub(super) profit: Option<Usd>,
}

/// All of them; `quotes` are the last ones, by market.
pub(super) fn left(engine: &Engine, quotes: &[Option<Bbo>], now: Mono) -> Vec<Left> {
    let mut held = Vec::new();
    engine.show_positions(now, &mut held);
    let open = held.iter().filter_map(|snapshot| Some((snapshot, snapshot.szi.side()?)));
    open.map(|(snapshot, side)| {
        let market = engine.markets().iter().position(|market| market.spec.coin == snapshot.coin);
        let quote = market.and_then(|at| quotes.get(at).copied().flatten());
        let exit = quote.and_then(|quote| quote.standing(side.opposite())).map(|level| level.px);
        let profit = snapshot
            .entry
            .zip(exit)
            .and_then(|(entry, exit)| profit(side, snapshot.szi, entry, exit));
        Left { coin: snapshot.coin, szi: snapshot.szi, profit }
    })
    .collect()
}

fn profit(side: Side, szi: Szi, entry: Px, exit: Px) -> Option<Usd> {
    let [paid, worth] = [entry, exit].map(|px| Usd::notional(px, szi.abs()));
    let (paid, worth) = (paid?, worth?);
    Some(match side {
        Side::Buy => worth.saturating_sub(paid),
        Side::Sell => paid.saturating_sub(worth),
    })
}
