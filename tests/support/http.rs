//! A client of the HTTP endpoint.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::eventually::{eventually, PATIENCE};

/// What it answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// The rest.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// What is at `path` on this port of loopback.
pub fn get(port: u16, path: &str) -> Answer {
    get_from(port, path, "127.0.0.1")
}

/// The same, asked of `host`.
pub fn get_from(port: u16, path: &str, host: &str) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer { status: status.unwrap_or_else(|| panic!("{head}")), head: head.into(), body: body.into() }
}

/// Waits until the figures are those of now or later.
pub fn await_snapshot(port: u16) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    eventually("figures of now", || (get(port, "/stats.json").json()["at_ms"].as_u64().unwrap() > now).then_some(()));
}
