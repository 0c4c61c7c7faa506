//! A connection in memory: what any client may say is tried out without a socket.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;

use crate::dashboard::guard::{Guard, Token};
use crate::dashboard::http::router;
use crate::dashboard::{Facts, serve, share};
use crate::types::event::OperatorCommand;
use crate::types::snapshot::Snapshot;
use crate::types::time::Mono;

/// So many turns of all tasks without a byte read or written mean that nothing more will come.
const QUIET: u32 = 64;

/// What came of it.
#[derive(Debug)]
pub struct Rehearsal {
    /// What was answered.
    pub answer: Vec<u8>,
    /// What the engine would have been asked.
    pub commands: Vec<OperatorCommand>,
    /// Whether nothing was left of the connection once the client had gone.
    pub ended: bool,
}

/// Serves one connection that says `input`, waits, and goes away, as a server bound to `bind` would
/// that shows `snapshot`.
pub fn rehearse(
    bind: SocketAddr,
    token: Option<Token>,
    facts: Facts,
    snapshot: &Snapshot,
    input: &[u8],
) -> io::Result<Rehearsal> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let patience = facts.patience;
        let (shared, mut command_source) = share(Guard::new(bind, token), facts);
        shared.board().take_snapshot(Mono(0), snapshot);
        let line = Line::default();
        line.wire().input = input.to_vec();
        let connection = serve::serve(line.clone(), router(Arc::clone(&shared)), patience);
        let serving = tokio::spawn(connection);
        let mut commands = Vec::new();
        for client_is_gone in [false, true] {
            line.wire().closed = client_is_gone;
            line.wire().wake();
            let (mut seen, mut quiet) = (line.wire().moved(), 0);
            while quiet < QUIET {
                yield_now().await;
                commands.extend(std::iter::from_fn(|| command_source.try_recv().ok()));
                let moved = line.wire().moved();
                quiet = if moved == seen { quiet + 1 } else { 0 };
                seen = moved;
            }
        }
        let ended = serving.is_finished() && shared.board().clients == 0;
        let answer = std::mem::take(&mut line.wire().output);
        Ok(Rehearsal { answer, commands, ended })
    })
}

/// Both ends of the connection.
#[derive(Clone, Debug, Default)]
struct Line(Arc<Mutex<Wire>>);

#[derive(Debug, Default)]
struct Wire {
    input: Vec<u8>,
    read: usize,
    output: Vec<u8>,
    closed: bool,
    reader: Option<Waker>,
}

impl Line {
    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire {
    fn moved(&self) -> (usize, usize) {
        (self.read, self.output.len())
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.wire();
        let rest = &wire.input[wire.read..];
        let taken = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..taken]);
        wire.read += taken;
        if taken == 0 && !wire.closed {
            wire.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.wire().output.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
