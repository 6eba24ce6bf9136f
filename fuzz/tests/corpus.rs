//! Every target over its seeds and over changed seeds: a plain test for machines without libFuzzer.
//!
//! The changes are the same in each run, and `PGCACHE_FUZZ_SECONDS` (2) says how far a target comes.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use pgcache_fuzz::{feed, TARGETS};

/// Another one for each run would find more, and nobody could repeat what it found.
const SEED: u64 = 20_240_229;
/// So many seeds a target has at most, of so many bytes each.
const MOST_SEEDS: usize = 20;
const MOST_BYTES: usize = 2048;
/// What is often put into an input: what means something in one of the formats.
const PIECES: [&[u8]; 24] = [
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"1e400",
    b"-0",
    b"\0",
    b"\xff",
    b" ",
    b"\r\n",
    b"\n",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\0\0\0\x01",
    b"1.50",
    b"~",
];

static PANICS: AtomicUsize = AtomicUsize::new(0);

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).expect("a seed"))).collect()
}

/// Runs a target for its time.
fn fuzz(target: &str) {
    let seconds = std::env::var("PGCACHE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let seeds = seeds(target);
    assert!(!seeds.is_empty(), "{target} has no seed");
    for (path, seed) in &seeds {
        check(target, seed, &path.display().to_string());
    }
    let (mut rng, mut count) = (Rng::with_seed(SEED), seeds.len());
    while Instant::now() < deadline {
        let mut input = seeds[rng.usize(..seeds.len())].1.clone();
        for _ in 0..rng.usize(1..6) {
            change(&mut input, &seeds, &mut rng);
        }
        input.truncate(2 * MOST_BYTES);
        check(target, &input, "a changed seed");
        count += 1;
    }
    println!("{target}: {count} inputs");
}

fn check(target: &str, input: &[u8], what: &str) {
    let before = PANICS.load(Ordering::Relaxed);
    let is_fed = catch_unwind(|| feed(target, input)).is_ok();
    // Another thread may have panicked.
    if !is_fed || PANICS.load(Ordering::Relaxed) > before {
        panic!("{target}: {what}: {}", input.escape_ascii());
    }
}

/// Counts panics, on whatever thread.
fn count_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        usual(panic);
    }));
}

fn change(input: &mut Vec<u8>, seeds: &[(PathBuf, Vec<u8>)], rng: &mut Rng) {
    let at = rng.usize(..=input.len());
    let end = (at + rng.usize(..8)).min(input.len());
    match rng.u8(..6) {
        0 if at < input.len() => input[at] = rng.u8(..),
        1 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
        2 => drop(input.drain(at..end)),
        3 => drop(input.splice(at..at, PIECES[rng.usize(..PIECES.len())].iter().copied())),
        4 => {
            let piece = input[at..end].to_vec();
            drop(input.splice(at..at, piece));
        }
        _ => {
            let other = &seeds[rng.usize(..seeds.len())].1;
            let from = rng.usize(..=other.len());
            let to = (from + rng.usize(..32)).min(other.len());
            drop(input.splice(at..end, other[from..to].iter().copied()));
        }
    }
}

#[test]
fn seeds_are_small_and_each_folder_is_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut found: Vec<String> = fs::read_dir(folder)
        .expect("the seeds")
        .map(|entry| entry.expect("a folder").file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    let mut known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    known.sort_unstable();
    assert_eq!(found, known);
    for target in known {
        let seeds = seeds(target);
        assert!((1..=MOST_SEEDS).contains(&seeds.len()), "{target}: {} seeds", seeds.len());
        assert!(seeds.iter().all(|(_, seed)| seed.len() <= MOST_BYTES), "{target}");
    }
}

/// One after the other: what is measured of memory is the process's.
#[test]
fn every_target_over_its_seeds_and_changed_ones() {
    count_panics();
    let only = std::env::var("PGCACHE_FUZZ_TARGET").unwrap_or_default();
    for target in TARGETS.iter().filter(|target| only.is_empty() || target.name == only) {
        fuzz(target.name);
    }
}
