//! What is approved and not sent yet: three lanes, exits before cancels before entries, each first
//! in, first out; and the tick on which what is left goes out.

use std::collections::VecDeque;

use crate::executor::orders::OrderId;
use crate::types::time::{Mono, Nanos};

/// Places in each lane.
pub const PLACES: usize = 64;

/// The lanes, the most urgent first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Priority {
    /// Orders that shrink a position.
    ReducePosition,
    /// Cancels of orders.
    Cancel,
    /// Orders that open one.
    NewOrder,
}

impl Priority {
    /// All, the most urgent first.
    pub const ALL: [Priority; 3] = [Priority::ReducePosition, Priority::Cancel, Priority::NewOrder];
}

/// Something that waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Item {
    /// The order that is to be sent, or cancelled.
    pub id: OrderId,
    /// Since when it waits.
    pub since: Mono,
}

/// Every place of a lane is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueueFull;

/// The lanes. Allocates once.
#[derive(Clone, Debug)]
pub struct Queue {
    lanes: [VecDeque<Item>; 3],
}

impl Default for Queue {
    fn default() -> Self {
        Self::new()
    }
}

impl Queue {
    /// An empty one.
    pub fn new() -> Self {
        Self { lanes: std::array::from_fn(|_| VecDeque::with_capacity(PLACES)) }
    }

    fn lane(&mut self, priority: Priority) -> &mut VecDeque<Item> {
        let [exits, cancels, entries] = &mut self.lanes;
        match priority {
            Priority::ReducePosition => exits,
            Priority::Cancel => cancels,
            Priority::NewOrder => entries,
        }
    }

    /// Puts `id` at the end of its lane.
    pub fn push(&mut self, now: Mono, priority: Priority, id: OrderId) -> Result<(), QueueFull> {
        let lane = self.lane(priority);
        if lane.len() >= PLACES {
            return Err(QueueFull);
        }
        lane.push_back(Item { id, since: now });
        Ok(())
    }

    /// Takes the oldest of the most urgent lane that is not empty.
    pub fn pop_next(&mut self) -> Option<(Priority, Item)> {
        Priority::ALL
            .into_iter()
            .find_map(|priority| self.lane(priority).pop_front().map(|item| (priority, item)))
    }

    /// What [`Queue::pop_next`] would take.
    pub fn peek(&self) -> Option<(Priority, Item)> {
        let lanes = Priority::ALL.into_iter().zip(&self.lanes);
        lanes.into_iter().find_map(|(priority, lane)| lane.front().map(|item| (priority, *item)))
    }

    /// What waits in one lane, the oldest first.
    pub fn waiting(&self, priority: Priority) -> impl Iterator<Item = Item> + '_ {
        let lanes = Priority::ALL.into_iter().zip(&self.lanes);
        lanes.filter(move |(of, _)| *of == priority).flat_map(|(_, lane)| lane.iter().copied())
    }

    /// Takes up to `max` of one lane, the oldest first.
    pub fn batch(&mut self, priority: Priority, max: usize) -> impl Iterator<Item = Item> + '_ {
        let lane = self.lane(priority);
        let count = lane.len().min(max);
        lane.drain(..count)
    }

    /// Takes one entry that has waited longer than `max`: the quote it was to take is gone. To be
    /// called until it gives `None`. Exits and cancels are never too old.
    pub fn pop_stale(&mut self, now: Mono, max: Nanos) -> Option<Item> {
        let lane = self.lane(Priority::NewOrder);
        lane.pop_front_if(|item| now.since(item.since) > max)
    }

    /// Takes everything, the most urgent first.
    pub fn drain(&mut self) -> impl Iterator<Item = (Priority, Item)> + '_ {
        std::iter::from_fn(|| self.pop_next())
    }

    /// How many wait, in all lanes.
    pub fn len(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    /// How many wait in one lane.
    pub fn len_of(&self, priority: Priority) -> usize {
        let lanes = Priority::ALL.into_iter().zip(&self.lanes);
        lanes.filter(|(of, _)| *of == priority).map(|(_, lane)| lane.len()).sum()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(VecDeque::is_empty)
    }

    /// Whether nothing more urgent than `priority` waits.
    pub fn is_empty_above(&self, priority: Priority) -> bool {
        self.peek().is_none_or(|(first, _)| first >= priority)
    }
}

/// The clock of what goes out in batches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dispatch {
    tick: Nanos,
    next_tick: Mono,
}

impl Dispatch {
    /// One that is due at once and then every `tick`.
    pub const fn new(tick: Nanos) -> Self {
        Self { tick, next_tick: Mono(0) }
    }

    /// Whether it is time; then the next time is a whole tick from now. Ticks that were missed are
    /// not made up for.
    pub fn due(&mut self, now: Mono) -> bool {
        let due = now >= self.next_tick;
        if due {
            self.next_tick = now.plus(self.tick);
        }
        due
    }

    /// When it is time next.
    pub const fn next_tick(&self) -> Mono {
        self.next_tick
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(n: u32) -> OrderId {
        OrderId::of_test(n)
    }

    fn queue(of: &[(Priority, u32)]) -> Queue {
        let mut queue = Queue::new();
        for (at, (priority, n)) in of.iter().enumerate() {
            queue.push(Mono(at as u64), *priority, id(*n)).expect("a place");
        }
        queue
    }

    use Priority::{Cancel, NewOrder, ReducePosition};

    #[test]
    fn exits_go_before_cancels_and_cancels_before_entries() {
        let mut queue = queue(&[
            (NewOrder, 1),
            (Cancel, 2),
            (ReducePosition, 3),
            (NewOrder, 4),
            (ReducePosition, 5),
        ]);
        assert_eq!((queue.len(), queue.len_of(NewOrder)), (5, 2));
        assert_eq!(queue.peek().map(|(lane, item)| (lane, item.id)), Some((ReducePosition, id(3))));
        let order: Vec<_> = queue.drain().map(|(lane, item)| (lane, item.id)).collect();
        assert_eq!(
            order,
            [
                (ReducePosition, id(3)),
                (ReducePosition, id(5)),
                (Cancel, id(2)),
                (NewOrder, id(1)),
                (NewOrder, id(4))
            ]
        );
        assert!(queue.is_empty() && queue.pop_next().is_none());
    }

    #[test]
    fn a_full_lane_refuses_and_the_others_do_not() {
        let mut queue = Queue::new();
        for n in 0..PLACES as u32 {
            assert_eq!(queue.push(Mono(0), NewOrder, id(n)), Ok(()));
        }
        assert_eq!(queue.push(Mono(0), NewOrder, id(99)), Err(QueueFull));
        assert_eq!(queue.push(Mono(0), ReducePosition, id(99)), Ok(()));
        assert_eq!(queue.len(), PLACES + 1);
    }

    #[test]
    fn a_batch_takes_the_oldest_of_its_lane_alone() {
        let mut queue = queue(&[(NewOrder, 1), (Cancel, 2), (NewOrder, 3), (NewOrder, 4)]);
        let taken: Vec<_> = queue.batch(NewOrder, 2).map(|item| item.id).collect();
        assert_eq!(taken, [id(1), id(3)]);
        assert_eq!(queue.batch(ReducePosition, 9).count(), 0);
        assert_eq!(queue.batch(NewOrder, 9).count(), 1);
        assert_eq!(queue.len(), 1, "the cancel stays");
    }

    #[test]
    fn entries_go_stale_and_exits_do_not() {
        let mut queue = Queue::new();
        queue.push(Mono(10), ReducePosition, id(1)).expect("a place");
        queue.push(Mono(10), NewOrder, id(2)).expect("a place");
        queue.push(Mono(11), NewOrder, id(3)).expect("a place");
        let max = Nanos(100);
        assert_eq!(queue.pop_stale(Mono(110), max), None, "at its limit");
        assert_eq!(queue.pop_stale(Mono(111), max).map(|item| item.id), Some(id(2)));
        assert_eq!(queue.pop_stale(Mono(111), max), None, "the next is a unit younger");
        assert_eq!(queue.pop_stale(Mono(9_999), max).map(|item| item.id), Some(id(3)));
        assert_eq!(queue.pop_stale(Mono(9_999), max), None);
        assert_eq!(queue.len_of(ReducePosition), 1);
    }

    #[test]
    fn only_what_is_more_urgent_holds_an_order_up() {
        let with_cancel = queue(&[(Cancel, 1)]);
        assert!(with_cancel.is_empty_above(ReducePosition));
        assert!(with_cancel.is_empty_above(Cancel));
        assert!(!with_cancel.is_empty_above(NewOrder));
        assert!(Queue::new().is_empty_above(NewOrder));
    }

    #[test]
    fn ticks_that_were_missed_are_not_made_up_for() {
        let mut dispatch = Dispatch::new(Nanos(100));
        assert!(dispatch.due(Mono(5)));
        assert_eq!(dispatch.next_tick(), Mono(105));
        assert!(!dispatch.due(Mono(104)));
        assert!(dispatch.due(Mono(105)));
        assert!(dispatch.due(Mono(1_000)));
        assert!(!dispatch.due(Mono(1_099)));
    }

    proptest! {
        #[test]
        fn everything_comes_out_once_by_urgency_and_age(
            pushes in proptest::collection::vec(0_usize..3, 0..120)
        ) {
            let mut queue = Queue::new();
            let mut expected: Vec<(Priority, u32)> = Vec::new();
            for (n, lane) in pushes.iter().enumerate() {
                let (priority, n) = (Priority::ALL[*lane], n as u32);
                if queue.push(Mono(u64::from(n)), priority, id(n)).is_ok() {
                    expected.push((priority, n));
                }
            }
            expected.sort_by_key(|(priority, _)| *priority);
            let out: Vec<_> = queue.drain().map(|(p, item)| (p, item.id)).collect();
            let expected: Vec<_> = expected.into_iter().map(|(p, n)| (p, id(n))).collect();
            prop_assert_eq!(out, expected);
        }
    }
}
