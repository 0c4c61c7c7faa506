//! A connection between engine and venue, byte by byte: the real codecs on both ends, and between
//! them a network that cuts, splits, merges and holds up what passes.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use crate::runtime::link::{Channel, EVENTS_PER_TURN, LinkEvent, Transport};
use crate::simulation::fault::{Chance, Fault, HostFaults};
use crate::types::time::{Mono, Nanos};
use crate::venue::tcp::peer::{Peer, Turn};
use crate::venue::{ConnId, Output, Venue};

/// Where the engine believes the venue to be. Nothing resolves it.
const URL: &str = "ws://venue.invalid/ws";

/// Bytes that may wait for a client that does not read; more and the venue drops it.
const BACKLOG_MAX: usize = 4 << 20;

/// How long TCP tries before it tells that nobody answers.
const TCP_GIVES_UP: Nanos = Nanos::from_secs(60);

/// How a stream ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// The other side closed it in order.
    Eof,
    /// A reset.
    Reset,
}

/// One end of a connection: what has arrived, and what is to leave.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    arrived: Vec<u8>,
    read: usize,
    leaving: Vec<u8>,
    end: Option<End>,
}

impl Pipe {
    fn arrive(&mut self, bytes: &[u8]) {
        if self.read == self.arrived.len() {
            self.arrived.clear();
            self.read = 0;
        }
        self.arrived.extend_from_slice(bytes);
    }
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let waiting = &self.arrived[self.read..];
        if waiting.is_empty() {
            return match self.end {
                None => Err(io::ErrorKind::WouldBlock.into()),
                Some(End::Eof) => Ok(0),
                Some(End::Reset) => Err(io::ErrorKind::ConnectionReset.into()),
            };
        }
        let some = waiting.len().min(buf.len());
        buf[..some].copy_from_slice(&waiting[..some]);
        self.read += some;
        Ok(some)
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.end == Some(End::Reset) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        self.leaving.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Pipe {}

/// Bytes on their way, or the end of them.
#[derive(Debug)]
struct Segment {
    at: Mono,
    bytes: Vec<u8>,
    end: Option<End>,
}

/// One direction. What was sent first arrives first.
#[derive(Debug, Default)]
struct Way {
    segments: VecDeque<Segment>,
    last: Mono,
    /// Nothing of it arrives any more.
    dead: bool,
}

impl Way {
    fn push(&mut self, at: Mono, bytes: Vec<u8>, end: Option<End>) {
        if self.dead {
            return;
        }
        self.last = self.last.max(at);
        self.segments.push_back(Segment { at: self.last, bytes, end });
        self.dead |= end.is_some();
    }

    fn next_due(&self) -> Mono {
        self.segments.front().map_or(Mono::MAX, |segment| segment.at)
    }

    fn pop(&mut self, now: Mono) -> Option<Segment> {
        self.segments.pop_front_if(|segment| segment.at <= now)
    }
}

/// How long one way takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    /// At least.
    pub(super) min: Nanos,
    /// On top of it, evenly.
    pub(super) spread: Nanos,
}

impl Latency {
    fn draw(self, dice: &mut Chance) -> Nanos {
        Nanos(self.min.0 + dice.below(self.spread.0 + 1))
    }
}

/// A connection, from the first byte to the last of either end.
pub(super) struct Line {
    /// The engine's end; `None` once the engine, or its process, has let go of it.
    pub(super) channel: Option<Channel<Pipe>>,
    /// The venue's end; `None` once it has let go.
    peer: Option<Peer<Pipe>>,
    up: Way,
    down: Way,
    latency: Latency,
    /// The network has swallowed it: nothing passes, and nobody is told.
    half_open: bool,
}

impl Line {
    /// A connection whose TCP handshake is done at `now`; the engine begins to upgrade it.
    pub(super) fn open(now: Mono, latency: Latency) -> Option<Self> {
        Some(Self {
            channel: Some(Channel::start(Pipe::default(), URL).ok()?),
            peer: Some(Peer::new(Pipe::default(), now)),
            up: Way::default(),
            down: Way::default(),
            latency,
            half_open: false,
        })
    }

    /// The venue's name for it, while the venue holds it.
    pub(super) fn conn(&self) -> Option<ConnId> {
        self.peer.as_ref().and_then(|peer| peer.conn)
    }

    /// When bytes arrive at the venue, or its end wants a turn.
    pub(super) fn venue_due(&self) -> Mono {
        let own = self.peer.as_ref().map_or(Mono::MAX, Peer::next_deadline);
        self.up.next_due().min(own)
    }

    /// When bytes arrive at the engine.
    pub(super) fn engine_due(&self) -> Mono {
        if self.channel.is_some() { self.down.next_due() } else { Mono::MAX }
    }

    /// Whether nobody holds it any more.
    pub(super) fn is_over(&self) -> bool {
        self.peer.is_none() && self.channel.is_none()
    }

    /// Bytes that the engine's end has written leave, through the network's faults.
    pub(super) fn leave_engine(&mut self, now: Mono, faults: &HostFaults, dice: &mut Chance) {
        let Some(pipe) = self.channel.as_mut().and_then(Channel::stream) else { return };
        if pipe.leaving.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut pipe.leaving);
        if self.half_open {
            return;
        }
        let at = now.plus(self.latency.draw(dice));
        if dice.hit(Fault::CutUp, faults.cut_up) {
            // The venue gets the beginning; the engine learns that it is over.
            let whole = dice.below(bytes.len() as u64 + 1) as usize;
            self.up.push(at, bytes[..whole].to_vec(), Some(End::Reset));
            self.down.push(now.plus(self.latency.draw(dice)), Vec::new(), Some(End::Reset));
            return;
        }
        let spike = dice.hit(Fault::SpikeUp, faults.spike_up);
        let at = if spike { at.plus(Nanos::from_millis(2_000 + dice.below(4_000))) } else { at };
        self.up.push(at, bytes, None);
    }

    /// The network is gone: both ends learn of it.
    pub(super) fn cut(&mut self, now: Mono, dice: &mut Chance) {
        for way in [&mut self.up, &mut self.down] {
            let at = now.plus(self.latency.draw(dice));
            way.push(at, Vec::new(), Some(End::Reset));
        }
    }

    /// The same of the venue's end.
    fn leave_venue(&mut self, now: Mono, faults: &HostFaults, dice: &mut Chance) {
        let Some(pipe) = self.peer.as_mut().and_then(Peer::stream) else { return };
        if pipe.leaving.is_empty() {
            return;
        }
        let mut bytes = std::mem::take(&mut pipe.leaving);
        if self.half_open {
            return;
        }
        if dice.hit(Fault::HalfOpen, faults.half_open) {
            self.half_open = true;
            return;
        }
        let mut at = now.plus(self.latency.draw(dice));
        if dice.hit(Fault::Spike, faults.spike) {
            at = at.plus(Nanos::from_millis(dice.spread(50, 4_000)));
        }
        if dice.hit(Fault::Cut, faults.cut) {
            let whole = dice.below(bytes.len() as u64 + 1) as usize;
            bytes.truncate(whole);
            let end = if dice.below(2) == 0 { End::Reset } else { End::Eof };
            self.down.push(at, bytes, Some(end));
            self.up.push(at, Vec::new(), Some(End::Reset));
            return;
        }
        if dice.hit(Fault::Corrupt, faults.corrupt)
            && let Some(byte) = bytes.first_mut()
        {
            // The head of a frame: the codec cannot follow any more.
            *byte ^= 1 << dice.below(8);
        }
        if dice.hit(Fault::Split, faults.split) {
            let mut rest = &bytes[..];
            while rest.len() > 1 && dice.below(8) > 0 {
                let (first, more) = rest.split_at(1 + dice.below(rest.len() as u64 - 1) as usize);
                self.down.push(at, first.to_vec(), None);
                at = at.plus(Nanos(dice.below(20_000_000)));
                rest = more;
            }
            self.down.push(at, rest.to_vec(), None);
            return;
        }
        if dice.hit(Fault::Merge, faults.merge) {
            // It waits, and what comes behind it waits with it.
            at = at.plus(Nanos::from_millis(5 + dice.below(200)));
        }
        if let Some(last) = self.down.segments.back_mut()
            && last.at >= at
            && last.end.is_none()
            && !self.down.dead
        {
            last.bytes.extend_from_slice(&bytes);
            return;
        }
        self.down.push(at, bytes, None);
    }

    /// Lets the venue read what has arrived, and answer.
    pub(super) fn serve(
        &mut self,
        now: Mono,
        venue: &mut Venue,
        outputs: &mut Vec<Output>,
        faults: &HostFaults,
        dice: &mut Chance,
    ) {
        while let Some(segment) = self.up.pop(now) {
            let Some(pipe) = self.peer.as_mut().and_then(Peer::stream) else { break };
            pipe.arrive(&segment.bytes);
            pipe.end = pipe.end.or(segment.end);
        }
        while let Some(peer) = &mut self.peer {
            match peer.turn(now, venue, outputs, BACKLOG_MAX) {
                Turn::More => {}
                Turn::Stays => break,
                Turn::Ends => self.hang_up(now, venue, faults, dice),
            }
        }
        self.leave_venue(now, faults, dice);
    }

    /// Hands one output of the venue to its end of this connection.
    pub(super) fn put(
        &mut self,
        now: Mono,
        output: Output,
        venue: &mut Venue,
        faults: &HostFaults,
        dice: &mut Chance,
    ) {
        let Some(peer) = &mut self.peer else { return };
        match peer.send(now, output) {
            Ok(Turn::Stays | Turn::More) => {}
            Ok(Turn::Ends) | Err(_) => self.hang_up(now, venue, faults, dice),
        }
    }

    /// The venue's outputs of this moment leave.
    pub(super) fn flush_venue(&mut self, now: Mono, faults: &HostFaults, dice: &mut Chance) {
        if let Some(peer) = &mut self.peer {
            let _ = peer.flush(); // A pipe takes everything.
        }
        self.leave_venue(now, faults, dice);
    }

    /// The venue lets go of its end.
    fn hang_up(&mut self, now: Mono, venue: &mut Venue, faults: &HostFaults, dice: &mut Chance) {
        self.leave_venue(now, faults, dice);
        if let Some(conn) = self.peer.take().and_then(|peer| peer.conn) {
            venue.disconnect(conn);
        }
        if !self.half_open {
            self.down.push(now.plus(self.latency.draw(dice)), Vec::new(), Some(End::Eof));
        }
    }

    /// Lets what has arrived by `now` into the engine's end.
    pub(super) fn arrive(&mut self, now: Mono) -> bool {
        let mut any = false;
        while let Some(segment) = self.down.pop(now) {
            any = true;
            if let Some(pipe) = self.channel.as_mut().and_then(Channel::stream) {
                pipe.arrive(&segment.bytes);
                pipe.end = pipe.end.or(segment.end);
            }
        }
        any
    }

    /// The engine's process is gone, or the engine has let go: what it wrote is under way still.
    pub(super) fn let_go(&mut self, now: Mono, dice: &mut Chance) {
        if self.channel.take().is_none() {
            return;
        }
        // Of a connection that the network has swallowed TCP tells the venue a while later.
        let (wait, end) = match self.half_open {
            true => (TCP_GIVES_UP, End::Reset),
            false => (self.latency.draw(dice), End::Eof),
        };
        self.up.push(now.plus(wait), Vec::new(), Some(end));
        self.down.dead = true;
        self.down.segments.clear();
    }
}

/// The next thing that the engine's end has to say.
pub(super) fn hear(channel: &mut Channel<Pipe>) -> Option<LinkEvent<'_>> {
    // A simulated turn is as long as it takes.
    let (mut left, mut more) = (EVENTS_PER_TURN, false);
    channel.next_event(&mut left, &mut more)
}
