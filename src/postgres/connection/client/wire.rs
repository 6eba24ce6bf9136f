//! The way to a server: TCP, or a Unix socket.

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{lookup_host, TcpStream, UnixStream};

use super::pulse::Pulse;

/// How long data that we sent may stay without the other kernel's confirmation.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(3);
/// Silence after which the kernel asks whether the other side is still there, how often, and how many times.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(5), Duration::from_secs(1), 3);

/// A connected socket of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connected socket, which tells its pulse when something has come.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    pulse: Arc<Pulse>,
}

impl Wire {
    fn new(stream: impl Stream + AsFd + 'static) -> io::Result<Self> {
        let pulse = Arc::new(Pulse::of(&stream)?);
        Ok(Self { stream: Box::new(stream), pulse })
    }

    /// What other threads may know of the connection, and do to it.
    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pulse.moves();
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Connects to `host`, a name, an address or the folder of a Unix socket. Of several addresses each is tried in turn, for `patience`
/// each.
///
/// # Errors
/// Why the last one could not be connected to.
pub(crate) async fn connect(host: &str, port: u16, patience: Duration) -> io::Result<Wire> {
    if host.starts_with('/') {
        let path = Path::new(host).join(format!(".s.PGSQL.{port}"));
        return Wire::new(in_time(patience, UnixStream::connect(path)).await?);
    }
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "could not resolve any addresses");
    for address in in_time(patience, lookup_host((host, port))).await? {
        match in_time(patience, TcpStream::connect(address)).await {
            Ok(stream) => {
                set_up(&stream)?;
                return Wire::new(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn in_time<T>(patience: Duration, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let result = tokio::time::timeout(patience, step).await;
    result.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "connection timed out")))
}

fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let (idle, interval, retries) = KEEPALIVE;
    let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(retries);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT))?;
    Ok(())
}
