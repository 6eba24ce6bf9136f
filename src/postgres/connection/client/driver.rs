//! What moves a connection's messages while a thread waits for an answer.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::{poll_fn, Future};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, sleep_until};
use tokio_postgres::{AsyncMessage, Connection, Error, Notification};

use super::pulse::Pulse;

/// What comes in without being an answer. It has to be asked for, or no answer comes in either.
trait Messages: Send {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>>;
}

impl<S, T> Messages for Connection<S, T>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> {
        self.poll_message(cx)
    }
}

/// A runtime for the thread that waits.
pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// One connection's messages.
pub(crate) struct Driver {
    runtime: Runtime,
    /// `None` once the connection was given up or is closed.
    connection: Option<Box<dyn Messages>>,
    notifications: VecDeque<Notification>,
    /// How long requests may take.
    pub(crate) limit: Limit,
    /// Whether one has taken longer.
    pub(crate) is_overdue: bool,
    pulse: Arc<Pulse>,
}

/// How long requests may take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    /// All together, until then.
    Until(Instant),
    /// So long each.
    Each(Duration),
}

impl Limit {
    /// When a request that begins now has to be over.
    fn deadline(self) -> Instant {
        match self {
            Self::Until(deadline) => deadline,
            Self::Each(patience) => Instant::now() + patience,
        }
    }
}

impl Driver {
    /// Of a connection that was opened in `runtime`, with a `limit` to begin with.
    pub(crate) fn new<S, T>(runtime: Runtime, connection: Connection<S, T>, limit: Limit, pulse: Arc<Pulse>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self {
            runtime,
            connection: Some(Box::new(connection)),
            notifications: VecDeque::new(),
            limit,
            is_overdue: false,
            pulse,
        }
    }

    /// What other threads may know of the connection, and do to it.
    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// Whether the connection was given up or is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.connection.is_none()
    }

    /// Waits for `request`. One that goes beyond the limit is given up with the connection, and fails like one whose
    /// connection was closed.
    pub(crate) fn run<T>(&mut self, request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.run_until(&Cell::new(false), request)
    }

    /// The same, and gives up the connection as soon as `has_enough` is true: what is still to come is not worth waiting for.
    pub(crate) fn run_until<T>(
        &mut self,
        has_enough: &Cell<bool>,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Self { runtime, connection, notifications, limit, is_overdue, pulse } = self;
        let mut request = pin!(request);
        pulse.asks();
        let result = runtime.block_on(async {
            let mut deadline = pin!(sleep_until(limit.deadline().into()));
            poll_fn(|cx| {
                // This sends it.
                if let Poll::Ready(result) = request.as_mut().poll(cx) {
                    return Poll::Ready(result);
                }
                move_messages(connection, notifications, cx)?;
                *is_overdue |= deadline.as_mut().poll(cx).is_ready();
                if has_enough.get() || *is_overdue {
                    *connection = None;
                }
                request.as_mut().poll(cx)
            })
            .await
        });
        pulse.answered();
        result
    }

    /// Waits for `request`, for `patience` at most. One that takes longer goes on by itself: the next one waits for both.
    pub(crate) fn run_for<T>(
        &mut self,
        patience: Duration,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Option<Result<T, Error>> {
        let Self { runtime, connection, notifications, pulse, .. } = self;
        let mut request = pin!(request);
        pulse.asks();
        let result = runtime.block_on(async {
            let mut deadline = pin!(sleep(patience));
            poll_fn(|cx| {
                // This sends it.
                if let Poll::Ready(result) = request.as_mut().poll(cx) {
                    return Poll::Ready(Some(result));
                }
                if let Err(error) = move_messages(connection, notifications, cx) {
                    return Poll::Ready(Some(Err(error)));
                }
                match request.as_mut().poll(cx) {
                    Poll::Ready(result) => Poll::Ready(Some(result)),
                    Poll::Pending => deadline.as_mut().poll(cx).map(|()| None),
                }
            })
            .await
        });
        if result.is_some() {
            pulse.answered();
        }
        result
    }

    /// The next notification, as soon as it is there; `None` after `patience`, when the connection is closed, or when
    /// `interruption` comes first.
    pub(crate) fn notification(
        &mut self,
        patience: Duration,
        interruption: impl Future<Output = ()>,
    ) -> Result<Option<Notification>, Error> {
        let Self { runtime, connection, notifications, .. } = self;
        let mut interruption = pin!(interruption);
        runtime.block_on(async {
            let mut deadline = pin!(sleep(patience));
            poll_fn(|cx| {
                move_messages(connection, notifications, cx)?;
                if let Some(notification) = notifications.pop_front() {
                    return Poll::Ready(Ok(Some(notification)));
                }
                let has_waited = connection.is_none()
                    || deadline.as_mut().poll(cx).is_ready()
                    || interruption.as_mut().poll(cx).is_ready();
                if has_waited {
                    Poll::Ready(Ok(None))
                } else {
                    Poll::Pending
                }
            })
            .await
        })
    }

    /// A notification that has come in already.
    pub(crate) fn next_notification(&mut self) -> Option<Notification> {
        self.notifications.pop_front()
    }
}

/// Moves all messages that are there.
fn move_messages(
    connection: &mut Option<Box<dyn Messages>>,
    notifications: &mut VecDeque<Notification>,
    cx: &mut Context<'_>,
) -> Result<(), Error> {
    while let Some(messages) = connection {
        match messages.poll(cx) {
            Poll::Pending => break,
            Poll::Ready(Some(Ok(AsyncMessage::Notification(notification)))) => {
                notifications.push_back(notification);
            }
            // Notices are the user's bytes, and nobody's business.
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(error))) => {
                *connection = None;
                return Err(error);
            }
            Poll::Ready(None) => *connection = None,
        }
    }
    Ok(())
}
