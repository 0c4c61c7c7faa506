//! Rings between threads: one producer, one consumer, neither ever waits.
//!
//! A full ring refuses what is pushed and counts it. The hot thread shows that count; it never
//! retries, because a row that waits would make the next quote wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;

use crate::types::source::{Sink, Source};

/// The two ends of a ring that holds `capacity` things (at least one).
///
/// All memory is taken here: pushing and popping allocate nothing.
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let shared = Arc::new(Shared {
        queue: ArrayQueue::new(capacity.max(1)),
        dropped: AtomicU64::new(0),
        producer_gone: AtomicBool::new(false),
        consumer_gone: AtomicBool::new(false),
    });
    (Producer { shared: Arc::clone(&shared) }, Consumer { shared })
}

#[derive(Debug)]
struct Shared<T> {
    queue: ArrayQueue<T>,
    /// Written by the producer alone.
    dropped: AtomicU64,
    producer_gone: AtomicBool,
    consumer_gone: AtomicBool,
}

/// The end that pushes. Not `Clone`: there is one by type.
#[derive(Debug)]
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Producer<T> {
    /// Hands `item` over, or gives it back and counts it when the ring is full.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        self.shared.queue.push(item).inspect_err(|_| {
            // One writer, so a load and a store lose no count.
            let dropped = self.shared.dropped.load(Ordering::Relaxed);
            self.shared.dropped.store(dropped.saturating_add(1), Ordering::Relaxed);
        })
    }

    /// How many pushes met a full ring since the start.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Free places. Only the consumer can change it meanwhile, so at least this many pushes go in.
    pub fn free(&self) -> usize {
        self.shared.queue.capacity() - self.shared.queue.len()
    }

    /// Whether the consumer is gone: nobody will take what is pushed.
    pub fn is_abandoned(&self) -> bool {
        self.shared.consumer_gone.load(Ordering::Acquire)
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        // Release: who sees the flag also sees every push before it.
        self.shared.producer_gone.store(true, Ordering::Release);
    }
}

impl<T> Sink<T> for Producer<T> {
    fn put(&mut self, item: T) -> Result<(), T> {
        self.push(item)
    }
}

/// The end that pops. Not `Clone`: there is one by type.
#[derive(Debug)]
pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Consumer<T> {
    /// The oldest thing in the ring.
    pub fn pop(&mut self) -> Option<T> {
        self.shared.queue.pop()
    }

    /// How many things wait. The producer may add to them meanwhile.
    pub fn len(&self) -> usize {
        self.shared.queue.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.shared.queue.is_empty()
    }

    /// Whether the producer is gone. What it pushed before can still be popped; so ask this
    /// *before* the last pop, see [`Source`].
    pub fn is_closed(&self) -> bool {
        self.shared.producer_gone.load(Ordering::Acquire)
    }

    /// How many pushes met a full ring since the start.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.shared.consumer_gone.store(true, Ordering::Release);
    }
}

impl<T> Source<T> for Consumer<T> {
    fn take(&mut self) -> Option<T> {
        self.pop()
    }

    fn closed(&self) -> bool {
        self.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_full_ring_gives_back_and_counts() {
        let (mut producer, mut consumer) = ring(2);
        assert_eq!((producer.push(1), producer.push(2)), (Ok(()), Ok(())));
        assert_eq!((producer.push(3), producer.push(4)), (Err(3), Err(4)));
        assert_eq!((producer.dropped(), consumer.dropped(), producer.free()), (2, 2, 0));
        assert_eq!(consumer.pop(), Some(1));
        assert_eq!((producer.push(5), producer.free(), consumer.len()), (Ok(()), 0, 2));
        assert_eq!((consumer.pop(), consumer.pop(), consumer.pop()), (Some(2), Some(5), None));
        assert!(consumer.is_empty());
        assert_eq!(producer.dropped(), 2, "what went in is not counted");
    }

    #[test]
    fn a_ring_of_nothing_still_holds_one() {
        let (mut producer, mut consumer) = ring(0);
        assert_eq!((producer.push('a'), producer.push('b')), (Ok(()), Err('b')));
        assert_eq!(consumer.pop(), Some('a'));
    }

    #[test]
    fn what_a_gone_producer_left_can_be_taken() {
        let (mut producer, mut consumer) = ring(4);
        assert_eq!(producer.push(7), Ok(()));
        assert!(!consumer.is_closed());
        drop(producer);
        assert!(consumer.closed());
        assert_eq!((consumer.take(), consumer.take()), (Some(7), None));
    }

    #[test]
    fn a_producer_learns_that_its_consumer_is_gone() {
        let (mut producer, consumer) = ring(1);
        assert!(!producer.is_abandoned());
        drop(consumer);
        assert!(producer.is_abandoned());
        assert_eq!((producer.push(1), producer.push(2)), (Ok(()), Err(2)), "and never waits");
    }

    #[test]
    fn what_remains_is_dropped_with_the_ring() {
        let thing = Arc::new(());
        let (mut producer, consumer) = ring(4);
        assert!(producer.push(Arc::clone(&thing)).is_ok());
        drop((producer, consumer));
        assert_eq!(Arc::strong_count(&thing), 1);
    }

    #[test]
    fn order_holds_and_nothing_is_lost_across_threads() {
        const COUNT: u64 = 200_000;
        let (mut producer, mut consumer) = ring(64);
        let writer = thread::spawn(move || {
            let mut refused = 0;
            for item in 0..COUNT {
                let mut item = item;
                while let Err(back) = producer.push(item) {
                    item = back;
                    refused += 1;
                    thread::yield_now();
                }
            }
            assert_eq!(producer.dropped(), refused);
        });
        let mut expected = 0;
        loop {
            let closed = consumer.is_closed();
            while let Some(item) = consumer.pop() {
                assert_eq!(item, expected);
                expected += 1;
            }
            if closed {
                break;
            }
            thread::yield_now();
        }
        assert_eq!(expected, COUNT);
        writer.join().unwrap();
    }

    #[test]
    fn pushing_and_popping_allocate_nothing() {
        let (mut producer, mut consumer) = ring([0_u64; 8].len() * 4);
        let info = allocation_counter::measure(|| {
            for item in 0..1_000_u64 {
                assert_eq!(producer.push([item; 8]), Ok(()));
                assert_eq!(consumer.pop(), Some([item; 8]));
            }
        });
        assert_eq!(info.count_total, 0);
    }
}
