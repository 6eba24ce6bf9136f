//! The words after a query: its parameters and options.

use super::first_word::check_is_no_word;
use super::read_words::min_lsn;
use crate::cache::named_query::{parse_name, parse_sql};
use crate::cache::tag::MAX_TAGS;
use crate::cache::{parameters, tag, Error, Lsn, Ttl};
use crate::engine::queries::{Asked, What};

/// What may stand at the end, in any order, each once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `TTL <seconds>`.
    pub ttl: Option<Ttl>,
    /// `TAGS <n> <tag> …`.
    pub tags: Option<Vec<String>>,
    /// `SOURCE <name>`.
    pub source: Option<String>,
    /// `MINLSN <lsn>`.
    pub min_lsn: Option<Lsn>,
}

impl Options {
    /// Reads `words` to their end.
    pub fn parse(mut words: &[&[u8]]) -> Result<Self, Error> {
        let mut options = Self::default();
        while let Some((word, rest)) = words.split_first() {
            words = options.take(word, rest)?;
        }
        Ok(options)
    }

    /// Takes one option, and returns what follows it.
    fn take<'w, 'b>(&mut self, word: &[u8], rest: &'w [&'b [u8]]) -> Result<&'w [&'b [u8]], Error> {
        match (word.to_ascii_uppercase().as_slice(), rest) {
            (b"TTL", [seconds, rest @ ..]) if self.ttl.is_none() => {
                self.ttl = Some(Ttl::parse(seconds)?);
                Ok(rest)
            }
            (b"TAGS", [count, rest @ ..]) if self.tags.is_none() => {
                let count = count_of(count)?;
                let (tags, rest) = rest.split_at_checked(count).ok_or_else(|| {
                    Error::malformed(format!("TAGS {count} is followed by {} words only", rest.len()))
                })?;
                let tags = tags.iter().map(|tag| tag::parse(tag).map(str::to_owned));
                self.tags = Some(tags.collect::<Result<_, _>>()?);
                Ok(rest)
            }
            (b"SOURCE", [name, rest @ ..]) if self.source.is_none() => {
                let name = std::str::from_utf8(name).map_err(|_| Error::malformed("SOURCE takes a name"))?;
                self.source = Some(name.to_owned());
                Ok(rest)
            }
            (b"MINLSN", rest) if self.min_lsn.is_none() => {
                self.min_lsn = Some(min_lsn(rest.first().copied())?);
                Ok(rest.get(1..).unwrap_or_default())
            }
            _ => Err(Error::malformed(
                "after the query come its parameters, a JSON array, and TTL <seconds>, TAGS <n> <tag> …, SOURCE <name> and \
                 MINLSN <lsn>, each once",
            )),
        }
    }
}

fn count_of(word: &[u8]) -> Result<usize, Error> {
    let count = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
    count
        .filter(|count| *count <= MAX_TAGS)
        .ok_or_else(|| Error::malformed(format!("TAGS takes the number of tags first, at most {MAX_TAGS}")))
}

/// Reads `<sql> | NAME <name> [<params>] [options]`.
pub fn asked(words: &[&[u8]]) -> Result<Asked, Error> {
    let (what, rest) = match words {
        [word, name, rest @ ..] if word.eq_ignore_ascii_case(b"NAME") => {
            (What::Name(parse_name(name)?.to_owned()), rest)
        }
        [word] if word.eq_ignore_ascii_case(b"NAME") => {
            return Err(Error::malformed("NAME is followed by the name of a defined query"));
        }
        [sql, rest @ ..] => {
            let sql = parse_sql(sql)?;
            check_is_no_word(sql, rest.len())?;
            (What::Sql(sql.to_owned()), rest)
        }
        [] => return Err(Error::malformed("a query is missing")),
    };
    let (params, rest) = match rest {
        [params, rest @ ..] if params.trim_ascii_start().starts_with(b"[") => (parameters::parse(params)?, rest),
        rest => (parameters::NONE.to_owned(), rest),
    };
    let Options { ttl, tags, source, min_lsn } = Options::parse(rest)?;
    Ok(Asked { what, params, ttl, tags: tags.unwrap_or_default(), source, min_lsn, routed_by: None })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Asked, String> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        asked(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn a_query_is_read_in_every_form() {
        let bare = read(&["SELECT 1"]).unwrap();
        assert!(matches!(&bare.what, What::Sql(sql) if sql == "SELECT 1"));
        assert_eq!((bare.params.as_str(), bare.ttl, bare.tags.len()), ("[]", None, 0));
        let words =
            ["name", "top", " [ 1, \"a\" ]", "tags", "2", "x", "TTL", "ttl", "9", "SOURCE", "b", "MinLSN", "0/1f"];
        let full = read(&words).unwrap();
        assert!(matches!(&full.what, What::Name(name) if name == "top"));
        assert_eq!(full.params, "[1,\"a\"]");
        assert_eq!((full.tags, full.ttl.unwrap().seconds()), (vec!["x".to_owned(), "TTL".to_owned()], 9));
        assert_eq!((full.source.as_deref(), full.min_lsn), (Some("b"), Some(Lsn(31))));
        assert_eq!(read(&["SELECT 1", "TAGS", "0"]).unwrap().tags.len(), 0);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for words in [
            &[][..],
            &[""],
            &["NAME"],
            &["NAME", "a b"],
            &["top", "[]"],
            &["SELECT", "1"],
            &["SELECT 1", "{}"],
            &["SELECT 1", "[1"],
            &["SELECT 1", "[]", "[]"],
            &["SELECT 1", "TTL"],
            &["SELECT 1", "TTL", "0"],
            &["SELECT 1", "TTL", "5", "TTL", "6"],
            &["SELECT 1", "TAGS"],
            &["SELECT 1", "TAGS", "-1"],
            &["SELECT 1", "TAGS", "2", "a"],
            &["SELECT 1", "TAGS", "99999999999999999999", "a"],
            &["SELECT 1", "TAGS", "1", ""],
            &["SELECT 1", "TAGS", "1", "a", "TAGS", "1", "b"],
            &["SELECT 1", "SOURCE"],
            &["SELECT 1", "MINLSN"],
            &["SELECT 1", "MINLSN", "5"],
            &["SELECT 1", "MINLSN", "0/1", "MINLSN", "0/1"],
            &["SELECT 1", "LIMIT", "5"],
        ] {
            assert!(read(words).unwrap_err().starts_with("ERR "), "{words:?}");
        }
    }
}
