//! Amounts: how many statements are tried, which `PGCACHE_ATTACKS` multiplies.

/// So many times the usual amount there are rows to look at in between.
const MAX_FACTOR: usize = 100;

/// `usual` times what `PGCACHE_ATTACKS` says, which is 1 unless it is set.
pub fn amount(usual: usize) -> usize {
    usual * std::env::var("PGCACHE_ATTACKS").map_or(1, |factor| read(&factor))
}

fn read(factor: &str) -> usize {
    let is_right = |factor: &usize| (1..=MAX_FACTOR).contains(factor);
    let factor = factor.parse().ok().filter(is_right);
    factor.unwrap_or_else(|| panic!("PGCACHE_ATTACKS is a number from 1 to {MAX_FACTOR}"))
}
