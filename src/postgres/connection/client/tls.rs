//! TLS whose content is guarded like that of a plain connection.

use std::future::Future;
use std::pin::Pin;

use tokio_postgres::tls::{TlsConnect, TlsStream};

use super::guard::GuardedSocket;

/// Makes TLS connections by `C`, and guards what comes through them.
pub(crate) struct GuardedTls<C>(pub(crate) C);

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
        let connecting = self.0.connect(stream);
        Box::pin(async move { connecting.await.map(GuardedSocket::messages) })
    }
}
