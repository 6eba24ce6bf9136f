//! The endpoint itself: a port and a thread, which end together.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::{self, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::sync::{oneshot, Semaphore};
use tokio::time::sleep;

use super::connection::{serve, Limits};
use super::host;
use super::snapshot_cell::SnapshotCell;
use crate::cache::Error;
use crate::settings::Settings;

/// What clients may take.
const LIMITS: Limits = Limits { connections: 32, head: Duration::from_secs(5), answer: Duration::from_secs(10) };
/// When no connection can be accepted, because the process has too many files open, say.
const PAUSE: Duration = Duration::from_millis(100);

/// What one connection too many is told.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 1\r\n\r\n";

/// The endpoint at work, until it is dropped.
#[derive(Debug)]
pub struct Endpoint {
    cell: Arc<SnapshotCell>,
    address: SocketAddr,
    listener: TcpListener,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Starts the endpoint that the settings ask for, if they do.
    ///
    /// # Errors
    /// When its port is taken, or its address is not of this machine; the text says so.
    pub fn start(settings: &Settings) -> Result<Option<Self>, Error> {
        let (port, address) = (settings.http_port, settings.http_bind);
        if port == 0 {
            return Ok(None);
        }
        let endpoint = Self::listen(address, port, LIMITS)
            .map_err(|error| Error::malformed(format!("http_port: cannot listen on {address} port {port}: {error}")))?;
        log::info!("HTTP endpoint: listening on {}", endpoint.address);
        if !host::is_loopback(address) {
            log::warn!(
                "HTTP endpoint: whoever reaches {} reads names of tables and lookup keys (http_bind)",
                endpoint.address
            );
        }
        Ok(Some(endpoint))
    }

    /// Where the main thread puts up how things stand.
    pub fn cell(&self) -> &SnapshotCell {
        &self.cell
    }

    #[cfg(test)]
    pub(super) fn listener(&self) -> &TcpListener {
        &self.listener
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens there; on any free port when `port` is 0.
    pub(super) fn listen(address: IpAddr, port: u16, limits: Limits) -> io::Result<Self> {
        let listener = TcpListener::bind((address, port))?;
        listener.set_nonblocking(true)?;
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let ours = listener.try_clone()?;
        let (stop, stopped) = oneshot::channel();
        let cell = Arc::<SnapshotCell>::default();
        let site = Site { cell: Arc::clone(&cell), is_loopback: host::is_loopback(address), limits };
        let run = move || work(&runtime, ours, site, stopped);
        let thread = thread::Builder::new().name("pgcache-http".into()).spawn(run)?;
        let address = listener.local_addr()?;
        Ok(Self { cell, address, listener, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread of the HTTP endpoint has panicked");
        }
        // A child that the server has forked to save its data has the socket as well: this ends it for both.
        let _ = SockRef::from(&self.listener).shutdown(std::net::Shutdown::Both);
    }
}

/// What every connection is served.
#[derive(Debug, Clone)]
struct Site {
    cell: Arc<SnapshotCell>,
    is_loopback: bool,
    limits: Limits,
}

/// The thread: ends when `stopped` does, and all connections with it.
fn work(runtime: &Runtime, listener: TcpListener, site: Site, stopped: oneshot::Receiver<()>) {
    runtime.spawn(accept(listener, site));
    let _ = runtime.block_on(stopped);
}

async fn accept(listener: TcpListener, site: Site) {
    let listener = match net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return log::error!("HTTP endpoint: {error}"),
    };
    let slots = Arc::new(Semaphore::new(site.limits.connections));
    loop {
        match (listener.accept().await, Arc::clone(&slots).try_acquire_owned()) {
            (Ok((stream, _)), Ok(slot)) => {
                let Site { cell, is_loopback, limits } = site.clone();
                tokio::spawn(async move {
                    serve(stream, cell, is_loopback, limits).await;
                    drop(slot);
                });
            }
            (Ok((stream, _)), Err(_)) => refuse(stream).await,
            (Err(_), _) => sleep(PAUSE).await,
        }
    }
}

/// Says that there are too many, if that can be said without waiting.
async fn refuse(mut stream: TcpStream) {
    let _ = stream.try_write(FULL);
    let _ = stream.shutdown().await;
}
