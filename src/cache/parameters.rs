//! The parameters of a query: a JSON array, in the one form in which it stands in cache keys.

use serde_json::value::RawValue;

use super::error::Error;
use super::key::{is_deeper_than, write_compact};

/// No parameter nests deeper.
const MAX_DEPTH: usize = 100;

/// The longest array, in bytes of JSON.
const MAX_BYTES: usize = 1 << 20;

/// What a query without parameters has.
pub const NONE: &str = "[]";

/// The array without the whitespace between its tokens. What its values mean only PostgreSQL knows: `[1]` and `["1"]` stand
/// for two entries, which are loaded and dropped alike.
///
/// `ERR` for what is no JSON array.
pub fn parse(bytes: &[u8]) -> Result<String, Error> {
    let refused = || Error::malformed("the parameters must be a JSON array, such as [1,\"a\"]");
    // Before the bytes are looked at: a hostile argument may have gigabytes.
    if bytes.len() > MAX_BYTES {
        return Err(Error::malformed(format!("the parameters take more than {MAX_BYTES} bytes")));
    }
    let json = std::str::from_utf8(bytes).map_err(|_| refused())?;
    if is_deeper_than(json, MAX_DEPTH) {
        return Err(Error::malformed(format!("the parameters nest deeper than {MAX_DEPTH} levels")));
    }
    let array: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| refused())?;
    drop(array);
    let mut compact = Vec::with_capacity(json.len());
    write_compact(json, &mut compact);
    String::from_utf8(compact).map_err(|_| refused())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_whitespace_between_tokens_does_not_count() {
        assert_eq!(parse(b" [ 1 , \"a b\" ,\t[ ] ]\n").unwrap(), r#"[1,"a b",[]]"#);
        assert_eq!(parse(br#"["\" , "]"#).unwrap(), r#"["\" , "]"#);
    }

    #[test]
    fn what_is_no_array_is_refused() {
        for bad in [&b""[..], b"1", b"{}", b"[1", b"[1]]", b"[1,]", b"null", b"\"[]\"", b"[\xff]", b"['a']"] {
            assert!(parse(bad).unwrap_err().to_string().starts_with("ERR "), "{bad:?}");
        }
        assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn the_form_is_stable_and_means_the_same(texts: Vec<String>, number: i64) {
            let value = serde_json::json!([texts, number, null]);
            let once = parse(serde_json::to_string_pretty(&value).unwrap().as_bytes()).unwrap();
            prop_assert_eq!(&parse(once.as_bytes()).unwrap(), &once);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&once).unwrap(), value);
        }
    }
}
