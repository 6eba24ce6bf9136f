//! Tests of `pool`.
#![allow(clippy::unwrap_used)]

use super::super::connect::ConnectError;
use super::*;
use std::net::TcpListener;
use std::sync::atomic::AtomicBool;

/// A listener of which nobody will ever accept a connection, and a source that connects to it.
fn silent_source() -> (TcpListener, Arc<Source>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = source_at(listener.local_addr().unwrap().port());
    (listener, source)
}

fn source_at(port: u16) -> Arc<Source> {
    source_with(port, "100")
}

fn source_with(port: u16, connect_timeout_ms: &str) -> Arc<Source> {
    let port = port.to_string();
    let timeout = ["connect_timeout_ms", connect_timeout_ms];
    let args = ["pg_host", "127.0.0.1", "pg_port", &port, timeout[0], timeout[1], "pg_password", "x"];
    let settings = crate::settings::load(&args.map(String::from), []).unwrap().settings;
    Source::open(Arc::clone(&settings.sources[0]), Box::new(|_| {})).unwrap()
}

fn refusal(source: &Source, patience: Duration) -> (Error, Duration) {
    let began = Instant::now();
    let error = source.session(began + patience).err().unwrap();
    (error, began.elapsed())
}

#[test]
fn who_waits_for_a_connection_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = source_with(listener.local_addr().unwrap().port(), "600000");
    let (is_seen, began) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_seen.load(Ordering::Relaxed) && began.elapsed() < Duration::from_secs(120) {
                assert!(source.session(Instant::now() + Duration::from_millis(100)).is_err());
            }
        });
        while source.health().waiting != 1 {
            assert!(began.elapsed() < Duration::from_secs(60), "nobody waits");
        }
        is_seen.store(true, Ordering::Relaxed);
    });
    assert_eq!(source.health().waiting, 0);
}

#[test]
fn closing_a_source_lets_go_of_whoever_waits_for_a_silent_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = source_with(listener.local_addr().unwrap().port(), "600000");
    let (began, patience) = (Instant::now(), Duration::from_secs(600));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| refusal(&source, patience));
        let opening = scope.spawn(|| source.connector.open().err().unwrap());
        while source.health().waiting != 1 {
            assert!(began.elapsed() < Duration::from_secs(60), "nobody waits");
        }
        source.close();
        assert_eq!(waiting.join().unwrap().0.kind(), &ErrorKind::Down);
        assert!(matches!(opening.join().unwrap(), ConnectError::Closing));
    });
    assert!(matches!(source.connector.open(), Err(ConnectError::Closing)));
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
}

#[test]
fn a_refused_connection_ends_the_wait() {
    let (listener, probe) = silent_source();
    let port = probe.settings().pg_port;
    drop((listener, probe));
    let (error, took) = refusal(&source_at(port), Duration::from_secs(30));
    assert_eq!(error.kind(), &ErrorKind::Down);
    assert!(error.to_string().starts_with("PGDOWN default: ") && took < Duration::from_secs(10), "{error}");
}

#[test]
fn a_silent_server_is_down_after_the_connect_timeout() {
    let (_listener, source) = silent_source();
    let (error, took) = refusal(&source, Duration::from_secs(30));
    assert!(error.to_string().contains("no answer for 100 ms"), "{error}");
    assert!(took < Duration::from_secs(10));
    // The quickest of several: the machine may be busy with others.
    let quickest = (0..20).map(|_| refusal(&source, Duration::from_secs(30)).1).min().unwrap();
    assert!(quickest < Duration::from_millis(100), "{quickest:?}");
}

#[test]
fn the_deadline_ends_the_wait_as_well() {
    let (_listener, source) = silent_source();
    let (error, _) = refusal(&source, Duration::from_millis(10));
    assert_eq!(error.kind(), &ErrorKind::Timeout);
}
