//! The rings between threads, against the standard library's channel.

#![allow(missing_docs, reason = "the macros of criterion make undocumented items")]

mod common;

use std::hint::{black_box, spin_loop};
use std::sync::mpsc::sync_channel;
use std::thread;

use criterion::{Criterion, criterion_group, criterion_main};
use hip3::runtime::ring::ring;

const PLACES: usize = 1024;
/// What a row is like.
type Payload = [u64; 8];

fn same_thread(c: &mut Criterion) {
    let (mut producer, mut consumer) = ring::<Payload>(PLACES);
    let (sender, receiver) = sync_channel::<Payload>(PLACES);
    let mut ours = || {
        producer.push(black_box([7; 8])).expect("room");
        consumer.pop().expect("one")
    };
    let mut theirs = || {
        sender.try_send(black_box([7; 8])).expect("room");
        receiver.try_recv().expect("one")
    };
    assert_eq!(ours(), theirs());
    let mut group = c.benchmark_group("runtime/ring_same_thread");
    group.bench_function("ring", |b| b.iter(&mut ours));
    group.bench_function("sync_channel", |b| b.iter(&mut theirs));
    group.finish();
    common::report_ratio("runtime/ring_same_thread", ("ring", ours), ("sync_channel", theirs));
}

/// There and back between two threads that spin, with a word for the other to go on if they share a
/// core. One echo serves both contestants: what it costs to look at the other's end is in both.
fn across_threads(c: &mut Criterion) {
    fn wait(turn: &mut u32) {
        *turn += 1;
        if turn.is_multiple_of(1 << 10) { thread::yield_now() } else { spin_loop() }
    }
    let (mut there, mut heard) = ring::<u64>(PLACES);
    let (mut answer, mut back) = ring::<u64>(PLACES);
    let (sender, receiver) = sync_channel::<u64>(PLACES);
    let (answers, answered) = sync_channel::<u64>(PLACES);
    let echo = thread::spawn(move || {
        let mut turn = 0;
        loop {
            match (heard.pop(), receiver.try_recv()) {
                (Some(0), _) => return,
                (Some(number), _) => answer.push(number).expect("room"),
                (None, Ok(number)) => answers.send(number).expect("a receiver"),
                (None, Err(_)) => wait(&mut turn),
            }
        }
    });
    let mut turn = 0;
    let mut ours = || {
        there.push(1).expect("room");
        loop {
            if let Some(number) = back.pop() {
                return number;
            }
            wait(&mut turn);
        }
    };
    let mut their_turn = 0;
    let mut theirs = || {
        sender.send(1).expect("a receiver");
        loop {
            if let Ok(number) = answered.try_recv() {
                return number;
            }
            wait(&mut their_turn);
        }
    };
    assert_eq!(ours(), theirs());
    let mut group = c.benchmark_group("runtime/ring_across_threads");
    group.bench_function("ring", |b| b.iter(&mut ours));
    group.bench_function("sync_channel", |b| b.iter(&mut theirs));
    group.finish();
    common::report_ratio(
        "runtime/ring_across_threads",
        ("ring", &mut ours),
        ("sync_channel", &mut theirs),
    );
    there.push(0).expect("room");
    echo.join().expect("it ends");
}

criterion_group!(benches, same_thread, across_threads);
criterion_main!(benches);
