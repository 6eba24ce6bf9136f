//! A stream that ends when the server sends what no PostgreSQL sends: whoever answers at the address may be anybody.
//!
//! The client library keeps a message in memory until the whole of it has arrived, whatever length it claims, and keeps
//! every notice that comes before the session is ready.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

use super::frames::Frames;

/// A stream from a server.
pub(crate) struct GuardedSocket<S> {
    inner: S,
    phase: Phase,
}

/// What is expected next.
enum Phase {
    /// One byte: whether the server takes TLS.
    Negotiation,
    /// A TLS connection, whose content is guarded above it.
    Encrypted,
    /// Messages.
    Messages(Frames),
}

impl<S> GuardedSocket<S> {
    /// A stream of messages.
    pub(crate) fn messages(inner: S) -> Self {
        Self { inner, phase: Phase::Messages(Frames::default()) }
    }

    /// A stream that begins with the server's answer to a request for TLS.
    pub(crate) fn negotiation(inner: S) -> Self {
        Self { inner, phase: Phase::Negotiation }
    }
}

impl Phase {
    fn check(&mut self, bytes: &[u8]) -> io::Result<()> {
        match (&mut *self, bytes) {
            (Self::Encrypted, _) | (_, []) => Ok(()),
            (Self::Messages(frames), _) => frames.check(bytes),
            (Self::Negotiation, [answer, rest @ ..]) => {
                let is_accepted = *answer == b'S';
                *self = if is_accepted { Self::Encrypted } else { Self::Messages(Frames::default()) };
                self.check(rest)
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedSocket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { inner, phase } = &mut *self;
        let before = buf.filled().len();
        let read = Pin::new(inner).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = &read {
            phase.check(&buf.filled()[before..])?;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GuardedSocket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for GuardedSocket<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}
