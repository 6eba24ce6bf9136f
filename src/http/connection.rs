//! One connection: what it may take, and for how long.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::{timeout_at, Instant};

use super::routes::respond;
use super::snapshot_cell::SnapshotCell;

/// The longest request line and headers, together.
const MAX_HEAD_BYTES: usize = 8192;
/// The most headers.
const MAX_HEADERS: usize = 64;

/// What clients may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at a time.
    pub(super) connections: usize,
    /// Until a request's headers are there; also for how long a connection may be idle.
    pub(super) head: Duration,
    /// Until the answer is sent.
    pub(super) answer: Duration,
}

/// Answers what comes from `stream`, until its end or that of our limits.
pub(super) async fn serve(stream: TcpStream, cell: Arc<SnapshotCell>, is_loopback: bool, limits: Limits) {
    // A small answer must not wait for the rest of a packet; it goes without, too.
    let _ = stream.set_nodelay(true);
    let until = Arc::new(Mutex::new(Instant::now() + limits.answer));
    let service = service_fn(|request| {
        // Its head is there: the time for its answer begins.
        *until.lock() = Instant::now() + limits.answer;
        let answer = respond(&request, &cell, is_loopback);
        async { Ok::<_, Infallible>(answer) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .half_close(false);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    loop {
        let deadline = *until.lock();
        if timeout_at(deadline, connection.as_mut()).await.is_ok() || *until.lock() == deadline {
            return;
        }
    }
}
