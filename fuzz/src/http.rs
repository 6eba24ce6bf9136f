//! Requests to the HTTP endpoint: each answer is well formed, and only a page that is there is served, to whoever asks for it.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use pgcache::http::Endpoint;
use pgcache::plugins::health::{Status, Verdict};
use pgcache::plugins::page::{Page, JSON};
use socket2::SockRef;

/// What is sent behind every input, so that the endpoint ends the connection: it waits for nothing then.
const LAST: &[u8] = b"\r\n\r\nGET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// Longer than the endpoint gives anybody.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where the pages are.
const PATHS: [&[u8]; 3] = [b"/", b"/x", b"/health"];
/// What the endpoint and its parser answer with.
const STATUSES: [u16; 9] = [200, 400, 403, 404, 405, 413, 414, 431, 503];

static ENDPOINT: OnceLock<Endpoint> = OnceLock::new();

/// Takes any bytes.
pub fn one(bytes: &[u8]) {
    let endpoint = ENDPOINT.get_or_init(start);
    let sent = [bytes, LAST].concat();
    let (answers, is_whole) = exchange(endpoint, &sent);
    let mut rest = &answers[..];
    let mut served = 0;
    while !rest.is_empty() {
        match answer(rest) {
            Some((status, after)) => {
                served += usize::from(status == 200);
                rest = after;
            }
            None if !is_whole => break,
            None => panic!("no answer: {:?}", String::from_utf8_lossy(rest)),
        }
    }
    let asked = asked(&sent);
    assert!(served <= asked, "{served} pages for {asked} requests: {:?}", String::from_utf8_lossy(&answers));
}

fn start() -> Endpoint {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    let arguments = ["http_port".to_owned(), port.to_string()];
    let settings = pgcache::settings::load(&arguments, []).expect("right settings").settings;
    let endpoint = Endpoint::start(&settings).expect("the port is free").expect("there is one");
    let verdict = Verdict { status: Status::Healthy, reasons: vec![], warnings: vec![], sources: vec![] };
    endpoint.cell().publish(verdict, vec![Page::new("/x", JSON, |_| "[1]".to_owned())]);
    endpoint
}

/// What `bytes` are answered with, and whether that came to its end.
fn exchange(endpoint: &Endpoint, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut stream = TcpStream::connect(endpoint.address()).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    // Thousands of connections a second would take all ports.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a time");
    // It may be refused before all is sent.
    let is_sent = stream.write_all(bytes).is_ok();
    let mut answers = Vec::new();
    match stream.read_to_end(&mut answers) {
        Ok(_) => (answers, is_sent),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => (answers, false),
        Err(error) => panic!("the endpoint does not end: {error}"),
    }
}

/// The status of the answer that `bytes` begin with, and what follows it; `None`: they begin with none.
fn answer(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status_line = lines.next()?;
    let words = status_line.strip_prefix("HTTP/1.0 ").or_else(|| status_line.strip_prefix("HTTP/1.1 "))?;
    let status: u16 = words.get(..3)?.parse().ok()?;
    assert!(STATUSES.contains(&status), "{head}");
    let headers: Vec<(&str, &str)> = lines.map(|line| line.split_once(": ")).collect::<Option<_>>()?;
    let value =
        |name: &str| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    if status == 200 {
        assert_eq!(
            (value("x-content-type-options"), value("cache-control")),
            (Some("nosniff"), Some("no-store")),
            "{head}"
        );
    }
    let length: usize = value("content-length").map_or(Ok(0), str::parse).ok()?;
    let rest = &bytes[end + 4..];
    // An answer to HEAD has the length of what it leaves out.
    let has_body = !rest.is_empty() && !rest.starts_with(b"HTTP/1.");
    Some((status, if has_body { rest.get(length..)? } else { rest }))
}

/// How many lines ask for one of our pages.
fn asked(bytes: &[u8]) -> usize {
    let is_request = |line: &&[u8]| {
        let target = line.strip_prefix(b"GET ").or_else(|| line.strip_prefix(b"HEAD "));
        target.is_some_and(|target| {
            let target = target.split(|byte| *byte == b' ').next().unwrap_or_default();
            let path = target.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
            let path = match path.windows(3).position(|window| window == b"://") {
                // Without a path it means all there is.
                Some(at) => path[at + 3..]
                    .iter()
                    .position(|byte| *byte == b'/')
                    .map_or(&b"/"[..], |slash| &path[at + 3 + slash..]),
                None => path,
            };
            PATHS.contains(&path)
        })
    };
    bytes.split(|byte| *byte == b'\n').filter(is_request).count()
}
