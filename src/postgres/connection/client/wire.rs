//! The way to a server: TCP, or a Unix socket.

use std::future::Future;
use std::io;
use std::path::Path;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{lookup_host, TcpStream, UnixStream};

use super::pulse::Pulse;

/// How long data that we sent may stay without the other kernel's confirmation.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(3);
/// Silence after which the kernel asks whether the other side is still there, how often, and how many times.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(5), Duration::from_secs(1), 3);

/// A connected socket of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connected socket.
pub(crate) type Wire = Box<dyn Stream>;

/// Connects to `host`, a name, an address or the folder of a Unix socket. Of several addresses each is tried in turn, for `patience`
/// each.
///
/// # Errors
/// Why the last one could not be connected to.
pub(crate) async fn connect(host: &str, port: u16, patience: Duration) -> io::Result<(Wire, Pulse)> {
    if host.starts_with('/') {
        let path = Path::new(host).join(format!(".s.PGSQL.{port}"));
        let stream = in_time(patience, UnixStream::connect(path)).await?;
        let pulse = Pulse::of(&stream)?;
        return Ok((Box::new(stream), pulse));
    }
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "could not resolve any addresses");
    for address in in_time(patience, lookup_host((host, port))).await? {
        match in_time(patience, TcpStream::connect(address)).await {
            Ok(stream) => {
                set_up(&stream)?;
                let pulse = Pulse::of(&stream)?;
                return Ok((Box::new(stream), pulse));
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
