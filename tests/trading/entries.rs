//! From a signal to an order and its end.

use hip3::types::record::{ExitReason, Outcome};

use crate::desk::{Desk, ONE, config, px, text, usd};

#[test]
fn a_dislocation_is_taken_and_let_go_when_the_price_is_back() {
    let mut desk = Desk::ready(&config());
    desk.dislocate(ONE);
    assert_eq!(desk.decisions(), ["sent"]);
    let (id, order) = desk.sent_order();
    assert_eq!((order["b"].as_bool(), order["r"].as_bool()), (Some(true), Some(false)));
    assert_eq!((text(&order, "p"), text(&order, "s")), ("99.6".to_owned(), "0.5".to_owned()));
    assert_eq!(order["t"]["limit"]["tif"], "Ioc");
    desk.fill_whole(id, &order, "0.004482");
    assert_eq!(desk.trading().positions, 1);
    desk.pass_ms(900);
    desk.bbo(ONE, "99.96", "100.04");
    desk.nothing_sent(); // Not before a second of holding.
    desk.pass_ms(300);
    let (id, exit) = desk.sent_order();
    assert_eq!((exit["b"].as_bool(), exit["r"].as_bool()), (Some(false), Some(true)));
    assert_eq!(text(&exit, "s"), "0.5");
    let fill = desk.fill_of(&exit, "0.5", "99.96", "0.004498");
    desk.answer_filled(id, "0.5", "99.96");
    desk.tell_fill(&fill);
    let [trade] = desk.trades()[..] else { panic!("{:?}", desk.trades()) };
    assert_eq!((trade.entry_px, trade.exit_px), (px("99.6"), px("99.96")));
    assert_eq!((trade.gross, trade.fees), (usd("0.18"), usd("0.00898")));
    assert_eq!(trade.net, usd("0.17102"));
    assert_eq!(trade.exit, ExitReason::MarkRegression);
    let outcomes: Vec<_> = desk.orders().iter().map(|order| order.outcome).collect();
    assert_eq!(outcomes, [Outcome::Filled, Outcome::Filled]);
    assert_eq!((desk.trading().positions, desk.trading().pending), (0, 0));
}
