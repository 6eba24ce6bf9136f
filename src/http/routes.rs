//! Routes: which page answers a request.

use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::header::{
    HeaderName, HeaderValue, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};

use super::host;
use super::snapshot_cell::{health, SnapshotCell};
use crate::plugins::page::JSON;

/// The page for people.
const PAGE: &str = include_str!("page.html");

/// What the page may do: run itself, and ask this endpoint.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What every answer says: believe the type, keep nothing, tell nobody, be in no frame.
const ALWAYS: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// An answer with its text.
pub type Answer = Response<Full<Bytes>>;

/// What `request` gets. On loopback it has to be addressed to us.
pub fn respond<B: Body>(request: &Request<B>, cell: &SnapshotCell, is_loopback: bool) -> Answer {
    let has_body = !request.body().is_end_stream();
    let mut answer = if is_loopback && !host::is_ours(request.version(), request.uri(), request.headers()) {
        refusal(StatusCode::FORBIDDEN, "the Host header has to name an address or localhost")
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = refusal(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        answer
    } else if has_body {
        refusal(StatusCode::PAYLOAD_TOO_LARGE, "a request has no body here")
    } else {
        route(request.uri().path(), cell)
    };
    if has_body {
        // Nobody reads it.
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    for (name, value) in ALWAYS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// What is at `path`.
fn route(path: &str, cell: &SnapshotCell) -> Answer {
    if path == "/" {
        let mut answer = text(StatusCode::OK, "text/html; charset=utf-8", PAGE);
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        return answer;
    }
    let Some(snapshot) = cell.latest() else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "the module is being loaded");
    };
    let age = snapshot.age();
    if path == "/health" {
        let (is_well, json) = health(&snapshot.verdict(age));
        return text(if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, JSON, json);
    }
    match snapshot.page(path) {
        Some(page) => text(StatusCode::OK, page.content_type, page.text(age)),
        None => refusal(StatusCode::NOT_FOUND, "nothing is here"),
    }
}

fn refusal(status: StatusCode, why: &str) -> Answer {
    text(status, "text/plain; charset=utf-8", format!("{why}\n"))
}

fn text(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Answer::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
