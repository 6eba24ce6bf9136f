//! TLS whose content is guarded like that of a plain connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use tokio_postgres::tls::{TlsConnect, TlsStream};

use super::guard::GuardedSocket;

/// Makes TLS connections by `C`, and guards what comes through them.
pub(crate) struct GuardedTls<C> {
    /// Makes them.
    pub(crate) inner: C,
    /// Set once the server has agreed to TLS.
    pub(crate) is_used: Arc<AtomicBool>,
}

/// What becomes a stream, or does not.
type Connecting<S, E> = Pin<Box<dyn Future<Output = Result<S, E>> + Send>>;

impl<S, C> TlsConnect<S> for GuardedTls<C>
where
    C: TlsConnect<S>,
    C::Future: Send + 'static,
    C::Stream: TlsStream + Unpin,
{
    type Stream = GuardedSocket<C::Stream>;
    type Error = C::Error;
    type Future = Connecting<Self::Stream, C::Error>;

    fn connect(self, stream: S) -> Self::Future {
        self.is_used.store(true, Ordering::Relaxed);
        let connecting = self.inner.connect(stream);
        Box::pin(async move { connecting.await.map(GuardedSocket::messages) })
    }
}
