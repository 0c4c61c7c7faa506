//! The rings between threads, against the standard library's channel; captures as they are read for a
//! replay, against serde_json.

#![allow(missing_docs, reason = "the macros of criterion make undocumented items")]

mod common;

use std::hint::{black_box, spin_loop};
use std::io::{BufRead, Cursor};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hip3::runtime::capture::{Header, Reader, Said};
use hip3::runtime::ring::ring;
use serde::Deserialize;
use serde_json::json;

use common::world;

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

/// A capture of two thousand frames, half of them quotes, read from memory to its end.
fn capture_read(c: &mut Criterion) {
    #[derive(Deserialize)]
    struct Line {
        t: i64,
        m: u64,
        frame: String,
    }
    const FRAMES: usize = 2_000;
    let header = Header::new("bench", 0, 0, String::new());
    let mut text = serde_json::to_string(&header).expect("a line") + "\n";
    for n in 0..FRAMES {
        let frame = match n % 2 {
            0 => world::bbo_frame(n, world::START, world::CALM),
            _ => world::ctx_frame(n),
        };
        let (t, m) = (world::START.wall.0 + n as i64, world::START.mono.0 + n as u64);
        text += &format!("{{\"t\":{t},\"m\":{m},\"frame\":{}}}\n", json!(frame));
    }
    let text = text.into_bytes();
    let ours = || {
        let input = Cursor::new(text.clone());
        let mut reader = Reader::new(input, Path::new("bench")).expect("a capture");
        let (mut bytes, mut moments) = (0, 0);
        while let Some((now, said)) = reader.read().expect("a line") {
            let Said::Frame(frame) = said else { unreachable!("frames alone") };
            bytes += black_box(frame).len();
            moments += i128::from(now.wall.0) + i128::from(now.mono.0);
        }
        (bytes, moments)
    };
    let theirs = || {
        let mut input = Cursor::new(text.clone());
        let (mut line, mut bytes, mut moments) = (Vec::new(), 0, 0);
        input.read_until(b'\n', &mut line).expect("the first line");
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line).expect("a line") == 0 {
                return (bytes, moments);
            }
            let Line { t, m, frame } = serde_json::from_slice(&line).expect("a frame");
            bytes += black_box(frame).len();
            moments += i128::from(t) + i128::from(m);
        }
    };
    assert_eq!(ours(), theirs());
    let mut group = c.benchmark_group("runtime/capture_read");
    group.throughput(Throughput::Elements(FRAMES as u64));
    group.bench_function("reader", |b| b.iter(ours));
    group.bench_function("serde_json", |b| b.iter(theirs));
    group.finish();
    common::report_ratio("runtime/capture_read", ("reader", ours), ("serde_json", theirs));
}

criterion_group!(benches, same_thread, across_threads, capture_read);
criterion_main!(benches);
