//! Connections: how many, how long, how large. What HTTP itself needs is `hyper`'s.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// The head of a request has to come within this; a connection without one is closed after it.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Largest head.
const MOST_HEAD: usize = 16 * 1024;
/// Most headers of one.
const MOST_HEADERS: usize = 64;
/// An answer that cannot be written, or a connection that goes on and on, ends after this; sockets of
/// pages are not counted, once they are open.
const LIFE: Duration = Duration::from_secs(60);
/// Pause after a connection that could not be taken: the system is out of something.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections at once, for so many pages: a browser fetches a page's files by up to six, and keeps
/// them for a while.
pub(super) const fn most_connections(pages: u32) -> usize {
    8 * pages as usize + 16
}

/// Takes connections until it is dropped. What comes past `most` waits in the system's queue, and is
/// refused by it once that is full.
pub(super) async fn accept(listener: TcpListener, router: Router, most: usize) {
    let places = Arc::new(Semaphore::new(most));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    serve(stream, router).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, router: Router) {
    // Updates are small and awaited.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    // Who breaks off or breaks the protocol is told by nobody.
    let _ = tokio::time::timeout(LIFE, connection).await;
}
