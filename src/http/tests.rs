//! What the endpoint promises to good clients and to bad ones.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::connection::Limits;
use super::endpoint::Endpoint;
use crate::plugins::health::{Status, Verdict};
use crate::plugins::page::{Page, JSON};

/// Longer than a busy machine takes for anything.
const LONG: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(100);
const PATIENT: Limits = Limits { connections: 3, head: LONG, answer: LONG };

fn endpoint(limits: Limits) -> Endpoint {
    Endpoint::listen(IpAddr::V4(Ipv4Addr::LOCALHOST), 0, limits).unwrap()
}

/// One with a page at `/x` that says how old it is, one at `/large`, and one that fails.
fn with_pages(limits: Limits) -> Endpoint {
    let endpoint = endpoint(limits);
    let pages = vec![
        Page::new("/x", JSON, |age| format!("[{}]", age.as_secs())),
        Page::new("/large", JSON, |_| "x".repeat(50_000_000)),
        Page::new("/broken", JSON, |_| panic!("asked for by a test")),
    ];
    endpoint
        .cell()
        .publish(Verdict { status: Status::Healthy, reasons: vec![], warnings: vec![], sources: vec![] }, pages);
    endpoint
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// Everything that comes until the end; a reset is an end too.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("it stays open: {bytes:?}"),
        _ => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

/// What these bytes are answered with until the connection ends.
fn sent(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address);
    // It may be refused before all is sent.
    let _ = stream.write_all(bytes);
    rest(&mut stream)
}

fn ask(address: SocketAddr, method: &str, path: &str) -> String {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    sent(address, request.as_bytes())
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = answer.split_once("\r\n\r\n")?;
    head.lines()
        .find_map(|line| line.split_once(": ").filter(|(known, _)| known.eq_ignore_ascii_case(name)))
        .map(|(_, value)| value)
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !look() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_served(address: SocketAddr) -> bool {
    status(&ask(address, "GET", "/x")) == "200"
}

#[test]
fn pages_are_served_with_what_browsers_have_to_know() {
    let endpoint = with_pages(PATIENT);
    for (path, content_type) in [("/", "text/html; charset=utf-8"), ("/x", JSON), ("/x?y=1", JSON), ("/health", JSON)] {
        let answer = ask(endpoint.address(), "GET", path);
        assert_eq!((status(&answer), header(&answer, "content-type")), ("200", Some(content_type)), "{answer}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(header(&answer, name), Some(value), "{path}");
        }
        let policy = header(&answer, "content-security-policy").unwrap_or_default();
        assert_eq!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline';"), path == "/", "{answer}");
    }
    assert_eq!(body(&ask(endpoint.address(), "GET", "/x")), "[0]");
}

#[test]
fn before_the_first_snapshot_only_the_page_is_there() {
    let endpoint = endpoint(PATIENT);
    assert_eq!(status(&ask(endpoint.address(), "GET", "/")), "200");
    for path in ["/health", "/x", "/nothing"] {
        assert_eq!(status(&ask(endpoint.address(), "GET", path)), "503");
    }
}

#[test]
fn an_unhealthy_cache_is_503() {
    let endpoint = endpoint(PATIENT);
    for (verdict, wanted) in [(Status::Degraded, "200"), (Status::Unhealthy, "503")] {
        endpoint.cell().publish(
            Verdict { status: verdict, reasons: vec!["a \"b\"".into()], warnings: vec![], sources: vec![] },
            vec![],
        );
        let answer = ask(endpoint.address(), "GET", "/health");
        assert_eq!(status(&answer), wanted);
        let json: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
        assert_eq!((&json["status"], &json["reasons"][0]), (&verdict.name().into(), &"a \"b\"".into()));
    }
}

#[test]
fn head_is_get_without_the_body() {
    let endpoint = with_pages(PATIENT);
    for path in ["/", "/x", "/health", "/nothing"] {
        let (get, head) = (ask(endpoint.address(), "GET", path), ask(endpoint.address(), "HEAD", path));
        assert_eq!((status(&head), body(&head)), (status(&get), ""));
        let length = header(&get, "content-length");
        assert_eq!(length, Some(body(&get).len().to_string().as_str()), "{get}");
        assert_eq!(header(&head, "content-length"), length, "{head}");
    }
}

#[test]
fn what_is_not_here_is_404_and_every_other_method_405() {
    let address = with_pages(PATIENT);
    let address = address.address();
    for path in ["/nothing", "/x/", "//x", "/X", "/../x", "/%78", "/metrics/../x"] {
        assert_eq!(status(&ask(address, "GET", path)), "404", "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "BREW"] {
        let target = if method == "CONNECT" { "localhost:80" } else { "/x" };
        let answer = ask(address, method, target);
        assert_eq!((status(&answer), header(&answer, "allow")), ("405", Some("GET, HEAD")), "{method}: {answer}");
    }
    assert_eq!(status(&ask(address, "OPTIONS", "*")), "405");
}

#[test]
fn a_request_to_somebody_else_is_refused() {
    let endpoint = with_pages(PATIENT);
    for path in ["/", "/x", "/health", "/nothing"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
        assert_eq!(status(&sent(endpoint.address(), request.as_bytes())), "403");
    }
    let without = b"GET /x HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&sent(endpoint.address(), without)), "403");
    assert_eq!(status(&sent(endpoint.address(), b"GET /x HTTP/1.0\r\n\r\n")), "200");
    // Whoever has the endpoint listen to all the world may call it as they like.
    let open = Endpoint::listen("0.0.0.0".parse().unwrap(), 0, PATIENT).unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: cache.example\r\nConnection: close\r\n\r\n";
    let address = SocketAddr::from(([127, 0, 0, 1], open.address().port()));
    assert_eq!(status(&sent(address, request)), "200");
}

#[test]
fn a_body_is_not_read() {
    let endpoint = with_pages(PATIENT);
    let head = "Host: localhost\r\nContent-Length: 20\r\n\r\n";
    // What stands in the body is no request.
    let body = "GET /x HTTP/1.1\r\n\r\n  ";
    for (method, wanted) in [("GET", "413"), ("POST", "405")] {
        let answer = sent(endpoint.address(), format!("{method} /x HTTP/1.1\r\n{head}{body}").as_bytes());
        assert_eq!((status(&answer), answer.matches("HTTP/1.1 ").count()), (wanted, 1), "{answer}");
        let chunked = format!("{method} /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n");
        assert_eq!(status(&sent(endpoint.address(), chunked.as_bytes())), wanted);
    }
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let endpoint = with_pages(PATIENT);
    let many: String = (0..70).map(|n| format!("x{n}: y\r\n")).collect();
    let long = format!("x: {}\r\n", "y".repeat(9000));
    for headers in [many, long] {
        let request = format!("GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        assert_eq!(status(&sent(endpoint.address(), request.as_bytes())), "431");
    }
    // More than can ever be kept: it is refused long before its end.
    let answer = sent(endpoint.address(), format!("GET /{} HTTP/1.1\r\n", "y".repeat(1_000_000)).as_bytes());
    assert!(["414", "431", "none"].contains(&status(&answer)), "{answer}");
    assert!(is_served(endpoint.address()));
}

#[test]
fn hostile_bytes_harm_nobody() {
    let endpoint = with_pages(PATIENT);
    for bytes in [
        &b"\0\xff\xfe\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET /x\r\n\r\n",
        b"GET /x HTTP/9.9\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\0: x\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = sent(endpoint.address(), bytes);
        assert!(["400", "none"].contains(&status(&answer)), "{bytes:?}: {answer}");
    }
    for _ in 0..100 {
        let mut noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(fastrand::usize(1..5000)).collect();
        noise.extend_from_slice(b"\r\n\r\n");
        let mut stream = connect(endpoint.address());
        let _ = stream.write_all(&noise);
        drop(stream);
    }
    eventually("it is served", || is_served(endpoint.address()));
}

#[test]
fn a_page_that_fails_ends_its_own_connection_only() {
    let endpoint = with_pages(PATIENT);
    assert_eq!(ask(endpoint.address(), "GET", "/broken"), "");
    assert!(is_served(endpoint.address()));
}

#[test]
fn a_connection_serves_several_requests_and_ends_when_it_is_idle() {
    let endpoint = with_pages(Limits { head: SHORT, ..PATIENT });
    // A busy machine may take longer to send them than a connection may be idle here.
    eventually("three answers, and then the end", || {
        let answers = sent(endpoint.address(), &b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(3));
        answers.matches("HTTP/1.1 200").count() == 3
    });
}

#[test]
fn a_head_that_does_not_come_ends_the_connection() {
    let endpoint = with_pages(Limits { head: SHORT, ..PATIENT });
    for bytes in [&b""[..], b"GET /x HT", b"GET /x HTTP/1.1\r\nHost: localhost\r\n"] {
        let answer = sent(endpoint.address(), bytes);
        assert!(!answer.contains("200"), "{answer}");
    }
    // One byte now and then is no better.
    let mut stream = connect(endpoint.address());
    let request = b"GET /x HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x'));
    let began = Instant::now();
    for byte in request {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        assert!(began.elapsed() < LONG, "it goes on for ever");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_client_that_does_not_read_loses_its_connection() {
    let endpoint = with_pages(Limits { answer: SHORT, ..PATIENT });
    let deaf: Vec<TcpStream> = (0..PATIENT.connections)
        .map(|_| {
            let mut stream = connect(endpoint.address());
            let _ = stream.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
            stream
        })
        .collect();
    eventually("there is room again", || is_served(endpoint.address()));
    drop(deaf);
}

#[test]
fn one_connection_too_many_is_refused_at_once_and_slots_come_back() {
    let endpoint = with_pages(PATIENT);
    let mut silent: Vec<TcpStream> = (0..PATIENT.connections).map(|_| connect(endpoint.address())).collect();
    for _ in 0..3 {
        // Nothing is sent: who is served would wait.
        let answer = sent(endpoint.address(), b"");
        assert!(["503", "none"].contains(&status(&answer)), "{answer}");
    }
    silent.pop();
    eventually("there is room again", || is_served(endpoint.address()));
    // Those who were there are served still.
    let mut first = silent.swap_remove(0);
    first.write_all(b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(status(&rest(&mut first)), "200");
}

#[test]
fn the_end_frees_the_port_whoever_is_connected() {
    let endpoint = with_pages(PATIENT);
    let address = endpoint.address();
    assert!(TcpListener::bind(address).is_err());
    let (mut silent, mut half) = (connect(address), connect(address));
    half.write_all(b"GET /x HT").unwrap();
    assert!(is_served(address));
    drop(endpoint);
    assert_eq!((rest(&mut silent), rest(&mut half)), (String::new(), String::new()));
    let again = Endpoint::listen(address.ip(), address.port(), PATIENT).unwrap();
    assert_eq!(again.address(), address);
}

#[test]
fn the_port_is_free_although_a_forked_child_has_the_socket() {
    let endpoint = with_pages(PATIENT);
    let address = endpoint.address();
    let childs = endpoint.listener().try_clone().unwrap();
    drop(endpoint);
    assert!(TcpStream::connect(address).is_err());
    let again = Endpoint::listen(address.ip(), address.port(), PATIENT).unwrap();
    drop((childs, again));
}
