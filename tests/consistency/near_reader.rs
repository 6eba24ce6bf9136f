//! A reader with a near cache: the Python package's, in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::atomic::Ordering;

use serde_json::Value;

use crate::support::python::python;

use super::clock::Nanos;
use super::history::{Answer, Read};
use super::key::Key;
use super::key_sets::KEY_SETS;
use super::reader::{shape, Recorded};
use super::row::Row;
use super::site::Site;
use super::world::World;

/// What it counts as, among the nodes that answer: what it keeps others need not have seen, and the other way round.
pub const NEAR: u16 = u16::MAX;
/// The same where rows move from node to node while they are read: what one has answered another need not know yet.
pub const NEAR_TO_SOME: u16 = u16::MAX - 1;
/// Microseconds between two reads.
const REST: u32 = 200;

/// Reads until readers are to stop.
pub fn run(world: &World) -> Recorded {
    let port = || match &world.site {
        Site::Server(_, port) => port.load(Ordering::Relaxed).to_string(),
        Site::Cluster(..) => "-".to_owned(),
    };
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/consistency/near_reader.py");
    let rest = (REST * world.plan.rest).to_string();
    let mut words = vec![program.to_str().unwrap().to_owned(), port(), KEY_SETS.to_string(), rest];
    words.extend(world.site.nodes().iter().map(|(host, port)| format!("{host}:{port}")));
    let number = world.readers.fetch_add(1, Ordering::Relaxed);
    let node = if world.plan.rows_move { NEAR_TO_SOME } else { NEAR };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut child = python(&words).spawn().unwrap();
    let mut input = child.stdin.take();
    let began = monotonic().saturating_sub(world.clock.now());
    let mut recorded = Recorded::default();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap) {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["port"] => input.iter_mut().for_each(|input| drop(writeln!(input, "{}", port()))),
            ["refused", code] => *recorded.refused.entry((*code).to_owned()).or_default() += 1,
            _ => {
                let (is_near, read) = read(&line, number, began);
                let read = Read { node, ..read };
                recorded.near += usize::from(is_near);
                recorded.reads.push(read);
            }
        }
        if world.stop_reading.load(Ordering::Relaxed) {
            input = None;
        }
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    recorded
}

fn read(line: &str, reader: u16, began: Nanos) -> (bool, Read) {
    let mut words = line.splitn(6, ' ');
    let mut next = || words.next().unwrap_or_else(|| panic!("{line}"));
    let mut moment = || next().parse::<Nanos>().unwrap().saturating_sub(began);
    let (invoked, returned) = (moment(), moment());
    let (is_near, kind, number) = (next() == "1", next(), next().parse().unwrap());
    let key = match kind {
        "Id" => Key::Id(number),
        "Email" => Key::Email(number),
        _ => Key::Asked(number),
    };
    let row: Value = serde_json::from_str(next()).unwrap();
    let answer = match (&row, Row::parse(&row)) {
        (Value::Null, _) => Answer::Nil,
        (_, Some(row)) => Answer::Row(row),
        _ => Answer::Torn(row.to_string().into()),
    };
    (is_near, Read { key, answer, shape: shape(&row), node: NEAR, invoked, returned, reader })
}

/// Nanoseconds of CLOCK_MONOTONIC, which the other process reads too.
fn monotonic() -> Nanos {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid pointer, which is written to once.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    u64::try_from(now.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap()
}
