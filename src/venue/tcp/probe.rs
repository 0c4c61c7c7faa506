//! How long a client takes from a frame to its order, as seen from the venue's side of the wire.
//!
//! An entry is told by the market it is for: what caused it is the last frame of that market. Two
//! times are taken of it: from the return of the write that carried the frame, and from the moment
//! the frame was due. The second leaves nothing out: while a slow client, or this venue itself, holds
//! things up, what should have been sent meanwhile counts as waiting (coordinated omission). An
//! answer that comes after the market's next frame, some blocks later, counts from that one: lengths
//! beyond a block are the client's own figures to tell.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::types::time::{Mono, Nanos};

/// Most orders that are kept; later ones are counted alone.
const MOST: usize = 1 << 20;

/// Asset ids of the watched dex begin here (PROTOCOL.md §5.1): it is the first after the venue's own.
const FIRST_ASSET: u64 = 110_000;

/// What was measured so far.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct WireTimes {
    /// From the write that carried the frame, nanoseconds, in the order of the orders.
    pub from_write: Vec<u64>,
    /// The same of those alone that were read as soon as they came: the venue had nothing else to do.
    pub prompt: Vec<u64>,
    /// From when the frame was due.
    pub from_due: Vec<u64>,
    /// Entries of a market that no frame was sent of since the last entry: whatever caused them, it
    /// cannot be told.
    pub untold: u64,
}

/// A frame of a market on its way.
#[derive(Clone, Copy, Debug)]
struct Frame {
    due: Mono,
    written: Option<Mono>,
}

/// Watches one client.
#[derive(Debug)]
pub(super) struct Probe {
    start: Instant,
    /// By market, in the order of their asset ids.
    frames: Vec<Option<Frame>>,
    places: BTreeMap<String, usize>,
    /// Written to nobody yet.
    unwritten: Vec<usize>,
    times: WireTimes,
}

impl Probe {
    /// Of these markets, in `meta` order. Times count from `start`.
    pub(super) fn new(start: Instant, coins: Vec<String>) -> Self {
        Self {
            start,
            frames: vec![None; coins.len()],
            places: coins.into_iter().enumerate().map(|(at, coin)| (coin, at)).collect(),
            unwritten: Vec::new(),
            times: WireTimes::default(),
        }
    }

    pub(super) fn times(&self) -> &WireTimes {
        &self.times
    }

    /// A text frame that was due then is handed to a socket's buffer.
    pub(super) fn sends(&mut self, due: Mono, text: &str) {
        let market = text.contains(r#""channel":"bbo""#) || text.contains(r#"AssetCtx""#);
        let coin = text.split_once(r#""coin":""#).and_then(|(_, rest)| rest.split_once('"'));
        if let (true, Some((coin, _))) = (market, coin)
            && let Some(at) = self.places.get(coin)
        {
            self.frames[*at] = Some(Frame { due, written: None });
            self.unwritten.push(*at);
        }
    }

    /// Buffers were written.
    pub(super) fn wrote(&mut self) {
        if self.unwritten.is_empty() {
            return;
        }
        let now = self.since_start(Instant::now());
        for at in self.unwritten.drain(..) {
            if let Some(frame) = &mut self.frames[at] {
                frame.written.get_or_insert(now);
            }
        }
    }

    /// A client's text came, whose last byte was read then; `prompt` when it cannot have waited.
    pub(super) fn hears(&mut self, text: &str, read_at: Instant, prompt: bool) {
        if !text.contains(r#""type":"order""#) {
            return;
        }
        let read_at = self.since_start(read_at);
        // Orders begin by their asset, and say in the end whether they only reduce.
        for order in text.split(r#"{"a":"#).skip(1) {
            let digits = order.split_once(',').map_or("", |(asset, _)| asset);
            let asset: Option<u64> = digits.parse().ok();
            let at = asset.and_then(|asset| asset.checked_sub(FIRST_ASSET));
            let frame = at.and_then(|at| self.frames.get_mut(usize::try_from(at).ok()?));
            if order.contains(r#""r":true"#) {
                continue;
            }
            match frame.and_then(Option::take) {
                Some(Frame { due, written }) if self.times.from_due.len() < MOST => {
                    // What was read before the write returned took no time that could be told.
                    let Nanos(wrote) = read_at.since(written.unwrap_or(read_at));
                    self.times.from_write.push(wrote);
                    if prompt {
                        self.times.prompt.push(wrote);
                    }
                    self.times.from_due.push(read_at.since(due).0);
                }
                _ => self.times.untold += 1,
            }
        }
    }

    fn since_start(&self, at: Instant) -> Mono {
        let since = at.saturating_duration_since(self.start);
        Mono(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ms(ms: u64) -> Mono {
        Mono(ms * 1_000_000)
    }

    #[test]
    fn an_entry_counts_from_its_own_markets_last_frame() {
        let start = Instant::now();
        let mut probe = Probe::new(start, vec!["xyz:A".to_owned(), "xyz:B".to_owned()]);
        probe.sends(ms(1), r#"{"channel":"bbo","data":{"coin":"xyz:B","time":1}}"#);
        probe.sends(ms(9), r#"{"channel":"activeAssetCtx","data":{"coin":"xyz:A"}}"#);
        probe.sends(ms(9), r#"{"channel":"userFills","data":{"coin":"xyz:B"}}"#);
        let order = r#"{"method":"post","id":1,"request":{"type":"action","payload":{"action":{"type":"order","orders":[{"a":110001,"b":true,"p":"1","s":"1","r":false,"t":{}}]}}}}"#;
        let exit = order.replace("false", "true");
        probe.hears(&exit, start + Duration::from_millis(10), true);
        probe.hears(order, start + Duration::from_millis(21), false);
        assert_eq!(probe.times().from_due, [20_000_000]);
        assert_eq!(probe.times().from_write, [0], "read before the write returned");
        probe.hears(order, start + Duration::from_millis(30), true);
        probe.hears(&order.replace("110001", "110007"), start, true);
        assert_eq!(probe.times().untold, 2, "no frame since, and no such market");

        probe.sends(ms(40), r#"{"channel":"bbo","data":{"coin":"xyz:B","time":1}}"#);
        probe.wrote();
        probe.hears(order, Instant::now() + Duration::from_secs(1), true);
        assert!(probe.times().from_write[1] >= 1_000_000_000, "{:?}", probe.times());
        assert_eq!(probe.times().prompt, probe.times().from_write[1..]);
    }
}
