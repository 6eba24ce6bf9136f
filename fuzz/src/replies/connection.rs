//! One connection of the server: each request takes an answer from the script, and when nobody asks the script goes on by itself.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::sync::Arc;

use super::load;
use super::script::{data_row, message, row_description, GOOD};
use super::server::Shared;

/// After so many milliseconds without a request the script goes on by itself.
const PAUSE_MS: i32 = 1;
/// So many pauses a right answer waits for its request, and fewer where others may come for it.
const PAUSES: u32 = 10;
const PAUSES_BESIDE: u32 = 3;
/// The number of the server process.
const PROCESS: &str = "4711";

/// The connection.
pub struct Connection {
    stream: UnixStream,
    shared: Arc<Shared>,
    received: Vec<u8>,
    has_started: bool,
    /// Whether it is one to which PostgreSQL sends what nobody asks for.
    is_told: bool,
    pauses: u32,
    /// What has been asked for since the last answer, in the extended protocol.
    steps: Vec<Step>,
    /// The last statement that was prepared.
    statement: String,
}

/// A message of the extended protocol.
type Step = u8;

impl Connection {
    /// One that has been accepted.
    pub fn new(stream: UnixStream, shared: Arc<Shared>) -> Self {
        Self {
            stream,
            shared,
            received: Vec::new(),
            has_started: false,
            is_told: false,
            pauses: 0,
            steps: Vec::new(),
            statement: String::new(),
        }
    }

    /// Answers until the script has ended, or the other side has gone.
    pub fn serve(mut self) {
        while let Some(request) = self.request() {
            let Some(answer) = self.answer(request.as_deref()) else { return };
            if self.stream.write_all(&answer).is_err() {
                return;
            }
        }
    }

    /// The text of the next request, `Some(None)`: there is none yet; `None`: the other side has gone.
    fn request(&mut self) -> Option<Option<String>> {
        loop {
            if let Some(request) = self.complete() {
                match request {
                    (b'X', _) => return None,
                    // Signs of life in a stream want no answer.
                    (b'd', _) => return Some(None),
                    (step @ (b'P' | b'D' | b'B' | b'E' | b'C'), text) => {
                        self.steps.push(step);
                        if step == b'P' {
                            self.statement = text;
                        }
                    }
                    (_, text) => return Some(Some(text)),
                }
                continue;
            }
            if !has_come(&self.stream) {
                return Some(None);
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.received.extend_from_slice(&bytes[..count]),
            }
        }
    }

    /// The first message that has come whole: its type, 0 for the one that starts the session, and its content as text.
    fn complete(&mut self) -> Option<(u8, String)> {
        let head = usize::from(self.has_started);
        let length = self.received.get(head..head + 4)?.try_into().map(u32::from_be_bytes).ok()? as usize;
        let whole = self.received.get(..head + length)?;
        let kind = if self.has_started { whole[0] } else { 0 };
        let text = String::from_utf8_lossy(&whole[head + 4..]).into_owned();
        self.received.drain(..head + length);
        self.has_started = true;
        Some((kind, text))
    }

    /// What is sent next; `None`: the connection is closed.
    fn answer(&mut self, request: Option<&str>) -> Option<Vec<u8>> {
        if request.is_none() {
            if let Some(answer) = self.while_nobody_asks()? {
                return Some(answer);
            }
        }
        self.pauses = 0;
        let shared = Arc::clone(&self.shared);
        let (mut script, mut answer) = (shared.script(), Vec::new());
        let mut first = script.byte()?;
        if first <= GOOD {
            drop(script);
            return Some(request.map_or_else(Vec::new, |request| self.good(request)));
        }
        if request.is_some() {
            self.steps.clear();
        }
        while let Some(message) = script.message(first) {
            answer.extend(message);
            match script.byte() {
                Some(next) => first = next,
                None => break,
            }
        }
        Some(answer)
    }

    /// What is sent while nobody asks, which may be nothing; `Some(None)`: what the script says next.
    fn while_nobody_asks(&mut self) -> Option<Option<Vec<u8>>> {
        if self.is_told {
            let notified = std::mem::take(&mut *self.shared.notified());
            let notified: Vec<u8> = notified.iter().flat_map(|text| notification(text)).collect();
            self.pauses += 1;
            let waits = self.shared.script().peek()? <= GOOD && self.pauses <= PAUSES_BESIDE;
            return Some(Some(notified).filter(|notified| waits || !notified.is_empty()));
        }
        let next = self.shared.script().peek()?;
        if !self.shared.is_told.load(Ordering::Relaxed) && next > GOOD {
            return Some(None);
        }
        self.pauses += 1;
        let waits = self.pauses <= PAUSES || self.shared.is_told.load(Ordering::Relaxed);
        waits.then(|| Some(Vec::new()))
    }

    /// From now on it is sent what nobody asks for.
    fn is_told_from_now_on(&mut self) {
        self.is_told = true;
        self.shared.is_told.store(true, Ordering::Relaxed);
    }

    /// What PostgreSQL would answer.
    fn good(&mut self, request: &str) -> Vec<u8> {
        let ready = message(b'Z', b"I");
        if !self.steps.is_empty() {
            let steps = std::mem::take(&mut self.steps);
            return [steps.into_iter().flat_map(|step| load::good(step, &self.statement)).collect(), ready].concat();
        }
        if request.contains("client_encoding") {
            let key = [&4711u32.to_be_bytes()[..], &[7; 4]].concat();
            return [message(b'R', &[0; 4]), message(b'S', b"server_version\x0015\0"), message(b'K', &key), ready]
                .concat();
        }
        if request.starts_with("START_REPLICATION") {
            self.is_told_from_now_on();
            return message(b'W', &[0, 0, 0]);
        }
        if request.starts_with("LISTEN") {
            self.is_told_from_now_on();
        }
        if let Some((_, rest)) = request.split_once("pg_notify('cache_invalidation', '") {
            let payload = rest.split('\'').next().unwrap_or_default();
            self.shared.notified().push(payload.to_owned());
        }
        let rows = rows(request).into_iter().flat_map(|row| {
            let values: Vec<Option<Vec<u8>>> = row.iter().map(|value| Some(value.as_bytes().to_vec())).collect();
            [row_description(row.len() as u16), data_row(&values), message(b'C', b"SELECT 1\0")].concat()
        });
        let mut answer: Vec<u8> = rows.collect();
        if answer.is_empty() {
            answer = message(b'C', b"SET\0");
        }
        [answer, ready].concat()
    }
}

/// Whether something comes from `stream` before the script goes on. A time to read has the kernel wait for four times as long.
fn has_come(stream: &UnixStream) -> bool {
    let mut awaited = libc::pollfd { fd: stream.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one structure, which lives as long as the call.
    unsafe { libc::poll(&mut awaited, 1, PAUSE_MS) > 0 }
}

/// A notification of the beat that is in `payload`.
fn notification(payload: &str) -> Vec<u8> {
    message(b'A', &[&4711u32.to_be_bytes()[..], b"cache_invalidation\0", payload.as_bytes(), b"\0"].concat())
}

/// The rows that a question of the feeds brings.
fn rows(request: &str) -> Vec<Vec<&'static str>> {
    const STARTED: &str = "1700000000.5";
    let one = |row: &[&'static str]| vec![row.to_vec()];
    match () {
        () if request.contains("pg_logical_emit_message") => {
            vec![vec!["740", STARTED, "0/16B3748"], vec!["741:741:", "16384 t t t t f"]]
        }
        () if request.contains("pg_notification_queue_usage") => {
            one(&["", "0", "741:741:", PROCESS, "740", STARTED, "0/16B3748"])
        }
        () if request.contains("pg_notify") => one(&["", PROCESS, "0/16B3748"]),
        () if request.contains("pgcache.session") => one(&[PROCESS, "f", "postgres", "demo", "15.14", "off"]),
        () if request.contains("wal_level") => one(&["logical"]),
        () if request.contains("pg_is_in_recovery") => one(&["f", "7123456789", "00000001", STARTED]),
        () if request.contains("pg_create_logical_replication_slot") => one(&["0/16B3748"]),
        () if request.contains("made_of") => {
            vec![vec!["id", "23", "23"], vec!["name", "25", "25"], vec!["at", "1184", "1184"]]
        }
        () if request.contains("pg_publication") => one(&["16384 t t t t f"]),
        () if request.contains("pg_backend_pid") => one(&[PROCESS]),
        () if request.contains("encode(") => one(&["00ff", "ff00"]),
        () if request.contains("SELECT") => one(&["1", "741:741:", "0", "0/16B3748"]),
        () => Vec::new(),
    }
}
