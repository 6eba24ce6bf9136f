//! The messages of a replication connection, over whatever stream.

use std::io;

use bytes::{Bytes, BytesMut};
use postgres_protocol::message::backend::{Header, Message, COPY_DATA_TAG, COPY_DONE_TAG};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::ReplicationError;
use crate::postgres::connection::client::Stream;

/// How much is read at once: many changes come in one piece.
const READ: usize = 64 << 10;
/// The length field and the tag.
const HEADER_LEN: usize = 5;
/// By which the server agrees to copy in both directions. The crate does not know it.
const COPY_BOTH_TAG: u8 = b'W';

/// One message.
pub(super) enum Received {
    /// `CopyData`: its content.
    Copied(Bytes),
    /// From now on the server copies.
    Copying,
    /// It copies no more.
    CopyDone,
    /// Any other.
    Other(Message),
}

/// The stream, with what has been read of it and not been looked at.
pub(super) struct Messages {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
}

impl Messages {
    /// Those of `stream`.
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// Sends what `write` writes.
    pub(super) async fn send(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> io::Result<()>,
    ) -> Result<(), ReplicationError> {
        let mut out = BytesMut::new();
        write(&mut out)?;
        self.stream.write_all(&out).await?;
        Ok(self.stream.flush().await?)
    }

    /// The next message that is not about the session's parameters and is no notice. Nothing is lost when it is given up
    /// while it waits.
    pub(super) async fn next(&mut self) -> Result<Received, ReplicationError> {
        loop {
            match self.read()? {
                Some(Received::Other(Message::ParameterStatus(_) | Message::NoticeResponse(_))) => {}
                Some(message) => return Ok(message),
                None => self.fill().await?,
            }
        }
    }

    /// One that has come in already.
    pub(super) fn read(&mut self) -> Result<Option<Received>, ReplicationError> {
        let Some(header) = Header::parse(&self.buffer)? else { return Ok(None) };
        let length = usize::try_from(header.len()).unwrap_or_default() + 1;
        if self.buffer.len() < length {
            self.buffer.reserve((length - self.buffer.len()).min(READ));
            return Ok(None);
        }
        match header.tag() {
            COPY_DATA_TAG => {
                let content = self.buffer.split_to(length).split_off(HEADER_LEN).freeze();
                Ok(Some(Received::Copied(content)))
            }
            COPY_BOTH_TAG => {
                drop(self.buffer.split_to(length));
                Ok(Some(Received::Copying))
            }
            COPY_DONE_TAG => {
                drop(self.buffer.split_to(length));
                Ok(Some(Received::CopyDone))
            }
            _ => self.read_other(),
        }
    }

    fn read_other(&mut self) -> Result<Option<Received>, ReplicationError> {
        match Message::parse(&mut self.buffer)? {
            Some(Message::ErrorResponse(body)) => Err(ReplicationError::told(&body)),
            message => Ok(message.map(Received::Other)),
        }
    }

    /// Waits for more.
    async fn fill(&mut self) -> Result<(), ReplicationError> {
        self.buffer.reserve(READ);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed").into()),
            _ => Ok(()),
        }
    }
}

/// The values of a row, as texts.
pub(super) fn texts(message: &Message) -> Option<Result<Vec<Option<String>>, ReplicationError>> {
    use fallible_iterator::FallibleIterator;
    let Message::DataRow(body) = message else { return None };
    let text = |range: Option<std::ops::Range<usize>>| {
        let bytes = range.and_then(|range| body.buffer().get(range));
        Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    };
    Some(body.ranges().map(text).collect().map_err(ReplicationError::from))
}
