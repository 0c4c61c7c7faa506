//! Connections: how many, how long, how large. What HTTP itself needs is `hyper`'s.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::dashboard::Patience;
use crate::dashboard::http::{Shared, router};

/// Largest head.
const MOST_HEAD: usize = 16 * 1024;
/// Most headers of one.
const MOST_HEADERS: usize = 64;
/// Pause after a connection that could not be taken: the system is out of something.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections at once, for so many pages: a browser fetches a page's files by up to six, and keeps
/// them for a while.
const fn most_connections(pages: u32) -> usize {
    8 * pages as usize + 16
}

/// Takes connections until it is dropped. What comes past the most waits in the system's queue, and
/// is refused by it once that is full.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(most_connections(shared.most_clients)));
    let patience = shared.patience;
    let router = router(shared);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                // Updates are small and awaited.
                let _ = stream.set_nodelay(true);
                let router = router.clone();
                tokio::spawn(async move {
                    serve(stream, router, patience).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Serves one connection to its end. Who breaks off or breaks the protocol is told by nobody.
pub(super) async fn serve<S>(stream: S, router: Router, patience: Patience)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = pin!(connection);
    if timeout(patience.life, connection.as_mut()).await.is_err() {
        // A request that is under way is still answered, and no other.
        connection.as_mut().graceful_shutdown();
        let _ = timeout(patience.write, connection).await;
    }
}
