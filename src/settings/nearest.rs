//! The known name that a mistyped one is nearest to.

use std::fmt::Display;

use strsim::osa_distance;

/// Longer words are no typing mistakes: a hostile one may have gigabytes.
const LONGEST: usize = 64;

/// Which of `known` was probably meant by `word`. A name may be given by its end alone: `host` for `pg_host`.
pub fn nearest<'n>(word: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_ascii_lowercase();
    let most = ((word.chars().count() + 1) / 3).min(3);
    let with_distance = known.into_iter().map(|name| (distance(&word, name), name));
    with_distance.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// How an error ends: `: did you mean pg_host?`, or nothing.
pub fn did_you_mean(name: Option<impl Display>) -> String {
    name.map(|name| format!(": did you mean {name}?")).unwrap_or_default()
}

/// How many letters have to be changed, counted against the whole name and against each end of it that follows a `_`.
fn distance(word: &str, name: &str) -> usize {
    let name = name.to_ascii_lowercase();
    let ends = name.match_indices('_').filter_map(|(at, _)| name.get(at + 1..));
    ends.chain([name.as_str()]).map(|end| osa_distance(word, end)).min().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["pg_host", "pg_password", "pool_size", "http_port", "TABLE"];

    #[test]
    fn a_few_wrong_letters_still_find_the_name() {
        for (word, name) in [
            ("pol_size", "pool_size"),
            ("pool-size", "pool_size"),
            ("htp_port", "http_port"),
            ("pg_hots", "pg_host"),
            ("POOL_SIZE", "pool_size"),
            ("tabel", "TABLE"),
            ("password", "pg_password"),
            ("pasword", "pg_password"),
            ("host", "pg_host"),
        ] {
            assert_eq!(nearest(word, KNOWN), Some(name), "{word}");
        }
    }

    #[test]
    fn what_resembles_nothing_finds_nothing() {
        for word in ["", "x", "what", "nothing", "redis", &"pool_size".repeat(1_000_000)] {
            assert_eq!(nearest(word, KNOWN), None);
        }
    }
}
