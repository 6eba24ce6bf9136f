//! Plugs: a connection is ended from another thread than the one that waits for its answer.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;

use socket2::Socket;

/// A connection's socket.
#[derive(Debug)]
pub(in crate::postgres) struct Plug(Socket);

impl Plug {
    /// That of `stream`.
    pub(super) fn of(stream: &impl AsFd) -> io::Result<Self> {
        Ok(Self(stream.as_fd().try_clone_to_owned()?.into()))
    }

    /// Ends the connection. Whoever waits for an answer is told at once that it was closed.
    pub(in crate::postgres) fn pull(&self) {
        // One that has ended already is as it should be.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
