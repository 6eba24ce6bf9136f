//! A crowd: threads with client libraries, each with connections of its own, that do one thing again and again.

use std::thread;
use std::time::{Duration, Instant};

/// How long one look takes.
const LOOK: Duration = Duration::from_millis(1000);

/// Has every member do `act` again and again for a while. How often a second all of them together did it.
pub fn rate<M: Send>(members: &mut [M], act: impl Fn(&mut M) + Sync) -> f64 {
    let began = Instant::now();
    let deadline = began + LOOK;
    let done: u64 = thread::scope(|scope| {
        let threads: Vec<_> = members
            .iter_mut()
            .map(|member| {
                let act = &act;
                scope.spawn(move || {
                    let mut done = 0;
                    while Instant::now() < deadline {
                        act(member);
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    done as f64 / began.elapsed().as_secs_f64()
}
