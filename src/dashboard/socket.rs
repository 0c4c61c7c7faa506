//! `/ws`: a snapshot, then what changes. A client that reads too slowly is dropped.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, interval, timeout};

use crate::dashboard::guard::PROTOCOL;
use crate::dashboard::http::{Shared, error, refuse};

/// One message, shared by all sockets.
pub(super) type News = Utf8Bytes;

/// Messages that may wait for one client: seconds of updates.
pub(super) const WAITING: usize = 64;
/// A message that cannot be written within this finds a client that does not read.
const PATIENCE: Duration = Duration::from_secs(5);
/// A client is pinged this often, and is gone if nothing has come from it for longer than three.
const PING: Duration = Duration::from_secs(15);
/// Pages have nothing to say; longer messages are not even read.
const MOST_HEARD: usize = 1024;

pub(super) async fn open(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if let Err(refusal) = shared.guard.may_listen(&headers) {
        return refuse(refusal);
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let Some(seat) = Seat::take(&shared) else {
        let text = "dashboard.max_connections pages are open already";
        return error(StatusCode::SERVICE_UNAVAILABLE, text);
    };
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(MOST_HEARD)
        .max_frame_size(MOST_HEARD)
        .on_upgrade(move |socket| serve(socket, seat))
}

/// A place among the clients, given back when dropped.
struct Seat(Arc<Shared>);

impl Seat {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let mut board = shared.board();
        (board.clients < shared.most_clients).then(|| {
            board.clients += 1;
            Self(Arc::clone(shared))
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.board().clients -= 1;
    }
}

/// Why a client is served no longer.
#[derive(Debug, Eq, PartialEq)]
enum End {
    /// It left, or the run is over.
    Gone,
    /// It does not read as fast as it is told.
    Slow,
}

async fn serve(mut socket: WebSocket, seat: Seat) {
    if let End::Slow = tell(&mut socket, &seat.0).await {
        seat.0.board().clients_dropped += 1;
        tracing::warn!("a page that reads too slowly was dropped");
    }
}

async fn tell(socket: &mut WebSocket, shared: &Shared) -> End {
    // First listening, then the snapshot, and nothing waits in between: no update is missed.
    let mut news = shared.news.subscribe();
    let snapshot = shared.board().snapshot(true);
    if let Err(end) = send(socket, Message::text(snapshot)).await {
        return end;
    }
    let mut ping = interval(PING);
    let mut heard_at = Instant::now();
    loop {
        tokio::select! {
            told = news.recv() => {
                let end = match told {
                    Ok(text) => send(socket, Message::Text(text)).await.err(),
                    Err(RecvError::Lagged(_)) => Some(End::Slow),
                    Err(RecvError::Closed) => Some(End::Gone),
                };
                if let Some(end) = end {
                    return end;
                }
            }
            heard = socket.recv() => match heard {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => heard_at = Instant::now(),
                // What a page has to say goes to `/api/control`.
                Some(Ok(Message::Text(_) | Message::Binary(_) | Message::Close(_)) | Err(_)) | None => {
                    return End::Gone;
                }
            },
            _ = ping.tick() => {
                if heard_at.elapsed() > 3 * PING {
                    return End::Gone;
                }
                if let Err(end) = send(socket, Message::Ping(axum::body::Bytes::new())).await {
                    return end;
                }
            }
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(PATIENCE, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Slow),
    }
}

/// A channel that every socket listens to.
pub(super) fn channel() -> broadcast::Sender<News> {
    broadcast::Sender::new(WAITING)
}
