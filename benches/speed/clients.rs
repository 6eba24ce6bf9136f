//! Clients of both sides: how many, and how many threads send for them.

use std::fmt;

use crate::load::Load;

/// The same for either side: with two threads pgbench is faster by a third than with one, whatever it is compared with.
#[derive(Clone, Copy)]
pub struct Clients {
    /// How many connections.
    pub count: u32,
    /// How many threads share them; of redis-benchmark, processes.
    pub threads: u32,
}

impl Clients {
    /// In one thread, which is what redis-benchmark and pgbench have by default, and in two.
    pub fn in_one_thread_and_in_two(count: u32) -> [Self; 2] {
        [1, 2].map(|threads| Self { count, threads })
    }

    /// Their load on a server on loopback.
    pub fn load(self, port: u16) -> Load {
        Load::on(port).clients(self.count).processes(self.threads)
    }
}

impl fmt::Display for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, threads } = self;
        match threads {
            1 => write!(f, "{count} clients in one thread"),
            _ => write!(f, "{count} clients in {threads} threads"),
        }
    }
}
