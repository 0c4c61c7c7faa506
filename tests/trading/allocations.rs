//! The promise that between a frame and the bytes of its order nothing is allocated.

use allocation_counter::measure;
use hip3::runtime::link::LinkEvent;
use hip3::types::event::{Action, Actions, Event};

use crate::desk::{Desk, ONE, TWO, config};
use crate::pipe::{channel, server_frame};

#[test]
fn from_the_bytes_of_a_frame_to_those_of_its_order_nothing_is_allocated() {
    let mut desk = Desk::ready(&config());
    let mut channel = channel();
    let mut measured = 0;
    for round in 0..60 {
        let coin = [ONE, TWO][round % 2];
        desk.pass_ms(500);
        desk.calm_quotes();
        desk.pass_ms(1_500);
        let (bid, ask) =
            (r#"{"px":"99.55","sz":"100","n":1}"#, r#"{"px":"99.6","sz":"100","n":1}"#);
        let time = desk.venue_ms() - 190; // Behind the quotes so far, before those to come.
        let frame = format!(
            r#"{{"channel":"bbo","data":{{"coin":"{coin}","time":{time},"bbo":[{bid},{ask}]}}}}"#
        );
        let pipe = channel.stream().expect("it is open");
        pipe.refill(&server_frame(&frame));

        let mut allocations = None;
        // The scenario wants the frame's text as well; what is measured reads it off the channel.
        desk.event_by(Event::Frame(frame.as_bytes()), |engine, now, _, out: &mut Actions| {
            allocations = Some(measure(|| {
                let (mut left, mut more) = (8, false);
                channel.begin_turn();
                let Some(LinkEvent::Text(text)) = channel.next_event(&mut left, &mut more) else {
                    panic!("a text")
                };
                engine.on_event(now, Event::Frame(text), out);
                for action in out.iter() {
                    if let Action::Send(span) = action {
                        channel.send(out.text(span)).expect("room");
                    }
                }
                channel.flush().expect("it takes all");
            }));
        });
        let (id, _) = desk.sent_order();
        let sent = channel.stream().expect("it is open").outgoing.len();
        assert!(sent > 300, "an order: {sent} bytes");
        let allocations = allocations.expect("it ran");
        // Buffers grow to their working size first.
        if round >= 20 {
            measured += 1;
            assert_eq!((allocations.count_total, allocations.bytes_total), (0, 0), "{round}");
        }
        let miss = "Order could not immediately match against any resting orders. asset=110000";
        desk.answer_error(id, miss);
        assert_eq!(desk.trading().pending, 0, "it is over");
    }
    assert_eq!(measured, 40);
}
