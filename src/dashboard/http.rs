//! What is asked over HTTP, and how it is answered.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Query, Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, TRANSFER_ENCODING, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::sync::{broadcast, mpsc};
use tokio::time::timeout;

use crate::dashboard::board::{Board, Trouble};
use crate::dashboard::guard::{Guard, HEADERS, Refusal};
use crate::dashboard::{Clock, Patience, metrics, page, socket};
use crate::types::event::OperatorCommand;
use crate::types::hard_stop::StopReason;
use crate::types::record::Mode;

/// Longest body.
const MOST_BODY: usize = 4 * 1024;

/// What all requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) board: Mutex<Board>,
    pub(super) clock: Clock,
    pub(super) guard: Guard,
    /// Updates and rows, to every socket.
    pub(super) news: broadcast::Sender<socket::News>,
    pub(super) commands: mpsc::Sender<OperatorCommand>,
    /// Most sockets at once.
    pub(super) most_clients: u32,
    pub(super) patience: Patience,
}

impl Shared {
    /// The board. Nobody keeps it while waiting for anything.
    pub(super) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All routes.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new()
        .route("/api/snapshot", get(snapshot))
        .route("/api/history", get(history))
        .route("/api/control", post(control))
        .route("/ws", get(socket::open))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics));
    for (path, kind, text) in page::FILES {
        let file = move || std::future::ready(([(CONTENT_TYPE, *kind)], *text));
        router = router.route(path, get(file));
    }
    router
        .fallback(|| std::future::ready(error(StatusCode::NOT_FOUND, "no such page")))
        .method_not_allowed_fallback(|| {
            std::future::ready(error(StatusCode::METHOD_NOT_ALLOWED, "not by this method"))
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guarded))
        .with_state(shared)
}

/// Refuses what may not be asked at all, and puts on each answer what all carry.
async fn guarded(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    // Where such a body ends another reader may see otherwise: what follows it is never answered.
    let is_last = request.headers().contains_key(TRANSFER_ENCODING);
    let mut response = match shared.guard.may_ask(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refuse(refusal),
    };
    if is_last {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, value);
    }
    response
}

/// An error as JSON.
pub(super) fn error(status: StatusCode, text: &str) -> Response {
    let body = serde_json::json!({ "error": text }).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// What a refused request hears.
pub(super) fn refuse(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Token => {
            let text = "a token is needed: Authorization: Bearer, as in dashboard.token_file";
            let mut response = error(StatusCode::UNAUTHORIZED, text);
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
            response
        }
        Refusal::Host => error(StatusCode::FORBIDDEN, "Host: expected a name of this machine"),
        Refusal::Origin => error(StatusCode::FORBIDDEN, "Origin: expected this page's own"),
    }
}

fn json(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

async fn snapshot(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    match shared.guard.may_read(&headers) {
        Ok(()) => json(shared.board().snapshot(false)),
        Err(refusal) => refuse(refusal),
    }
}

#[derive(Deserialize)]
struct Asked {
    coin: String,
}

async fn history(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Response {
    if let Err(refusal) = shared.guard.may_read(&headers) {
        return refuse(refusal);
    }
    let Ok(Query(Asked { coin })) = asked else {
        return error(StatusCode::BAD_REQUEST, "which market? ?coin=xyz:NVDA");
    };
    match shared.board().chart(&coin) {
        Some(chart) => json(chart),
        None => error(StatusCode::NOT_FOUND, "no market of that name is watched"),
    }
}

async fn metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    match shared.guard.may_read(&headers) {
        Ok(()) => {
            let text = metrics::text(&shared.board(), shared.clock.now());
            ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
        }
        Err(refusal) => refuse(refusal),
    }
}

/// Tells nothing of the account, and so needs no token.
async fn healthz(State(shared): State<Arc<Shared>>) -> Response {
    verdict(shared.board().health(shared.clock.now()))
}

async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    verdict(shared.board().ready(shared.clock.now()))
}

fn verdict(health: Result<(), Trouble>) -> Response {
    match health {
        Ok(()) => (StatusCode::OK, "ok\n").into_response(),
        Err(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")).into_response(),
    }
}

/// What `POST /api/control` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Control {
    action: String,
    /// Only with `release`: one reason, instead of all.
    reason: Option<String>,
}

/// The command in a body, or what is wrong with it. Total: any bytes are one or the other.
pub fn read_command(body: &[u8]) -> Result<(OperatorCommand, &'static str), String> {
    let expected = r#"expected {"action":"halt"|"release"|"flatten"}"#;
    // A list would be read as well, field by field.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(expected.to_owned());
    }
    let control: Control =
        serde_json::from_slice(body).map_err(|error| format!("{expected}: {error}"))?;
    match (control.action.as_str(), control.reason) {
        ("halt", None) => Ok((OperatorCommand::Halt, "halt")),
        ("flatten", None) => Ok((OperatorCommand::Flatten, "flatten")),
        ("release", None) => Ok((OperatorCommand::Release(None), "release")),
        ("release", Some(name)) => match StopReason::named(&name) {
            Some(reason) => Ok((OperatorCommand::Release(Some(reason)), "release")),
            None => Err("reason: no such reason of HardStop".to_owned()),
        },
        ("halt" | "flatten", Some(_)) => Err("reason: only a release has one".to_owned()),
        _ => Err(expected.to_owned()),
    }
}

async fn control(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let (mode, has_token) = {
        let board = shared.board();
        (board.facts.mode, board.has_token)
    };
    if !has_token {
        let text = "without dashboard.token_file nothing can be controlled from here";
        return error(StatusCode::CONFLICT, text);
    }
    if let Err(refusal) = shared.guard.may_control(&headers) {
        return refuse(refusal);
    }
    if mode == Mode::Observation {
        return error(StatusCode::CONFLICT, "observation mode: there is nothing to control");
    }
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|kind| is_json(kind.as_bytes()));
    if !is_json {
        let text = "Content-Type: expected application/json";
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    }
    let body = match timeout(shared.patience.body, whole(body)).await {
        Ok(Ok(body)) => body,
        Ok(Err(answer)) => return answer,
        Err(_) => return error(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
    };
    let (command, name) = match read_command(&body) {
        Ok(command) => command,
        Err(fault) => return error(StatusCode::BAD_REQUEST, &fault),
    };
    if shared.commands.try_send(command).is_err() {
        return error(StatusCode::SERVICE_UNAVAILABLE, "too many commands wait; try again");
    }
    tracing::info!(action = name, "an operator asks by the dashboard");
    let accepted = serde_json::json!({ "accepted": name }).to_string();
    (StatusCode::ACCEPTED, [(CONTENT_TYPE, "application/json")], accepted).into_response()
}

/// A body of at most [`MOST_BODY`] bytes, or what is said of another.
async fn whole(mut body: Body) -> Result<Vec<u8>, Response> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| error(StatusCode::BAD_REQUEST, "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue }; // Trailers.
        if bytes.len() + data.len() > MOST_BODY {
            let text = "expected at most 4096 bytes";
            return Err(error(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

fn is_json(kind: &[u8]) -> bool {
    let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_exactly() {
        assert_eq!(read_command(br#"{"action":"halt"}"#), Ok((OperatorCommand::Halt, "halt")));
        assert_eq!(
            read_command(br#" {"action":"flatten"} "#),
            Ok((OperatorCommand::Flatten, "flatten"))
        );
        assert_eq!(
            read_command(br#"{"action":"release"}"#),
            Ok((OperatorCommand::Release(None), "release"))
        );
        assert_eq!(
            read_command(br#"{"action":"release","reason":"loss"}"#),
            Ok((OperatorCommand::Release(Some(StopReason::Loss)), "release"))
        );
        for wrong in [
            "",
            "halt",
            "{}",
            r#"{"action":"buy"}"#,
            r#"{"action":"halt","size":1}"#,
            r#"{"action":"halt","reason":"Loss"}"#,
            r#"{"action":"release","reason":"Weather"}"#,
            r#"{"action":"halt"}{"action":"release"}"#,
            r#"{"action":"halt","action":"release"}"#,
            "[[[[",
            r#"["halt",null]"#,
            r#"{"action":{"halt":null}}"#,
        ] {
            read_command(wrong.as_bytes()).expect_err(wrong);
        }
    }

    #[test]
    fn only_json_is_json() {
        assert!(is_json(b"application/json") && is_json(b"Application/JSON; charset=utf-8"));
        assert!(!is_json(b"text/plain") && !is_json(b"") && !is_json(b"application/jsonp"));
    }
}
