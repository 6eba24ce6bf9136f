//! How large a storm is: `PGCACHE_STORM` multiplies the usual size, `PGCACHE_STORM_SEED` makes it another one.

/// Changes that a storm of the usual size makes.
const CHANGES: usize = 24;
/// Queries and keys for each actor, and how many of all actors there are at most.
const QUERIES: usize = 100;
const KEYS: usize = 50;
const COPIES: usize = 4;

/// The size of a storm.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    /// How many statements change something.
    pub changes: usize,
    /// How many of each actor there are.
    pub copies: usize,
    /// How many queries are asked.
    pub queries: usize,
    /// How many rows are read.
    pub keys: usize,
    /// What random numbers begin with.
    pub seed: u64,
}

impl Amount {
    /// What the environment asks for.
    pub fn of_environment() -> Self {
        let (factor, seed) = (number("PGCACHE_STORM", 1), number("PGCACHE_STORM_SEED", 17));
        let factor = usize::try_from(factor).unwrap().max(1);
        let copies = factor.min(COPIES);
        Self { changes: CHANGES * factor, copies, queries: QUERIES * copies, keys: KEYS * copies, seed }
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}
