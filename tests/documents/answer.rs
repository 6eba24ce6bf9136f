//! What redis-cli prints, and whether it is what a page shows.

/// What `redis-cli --raw` prints, from what `redis-cli --no-raw` prints: that one tells an error from a text.
pub fn raw(line: &str) -> Result<String, String> {
    let line = line.trim_end();
    if let Some(error) = line.strip_prefix("(error) ") {
        return Err(error.to_owned());
    }
    if line.starts_with("Invalid argument") || line.is_empty() {
        return Err(line.to_owned());
    }
    let number = line.strip_prefix("(integer) ");
    Ok(match line.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\\\"", "\"").replace("\\\\", "\\"),
        None if line == "(nil)" => String::new(),
        None => number.unwrap_or(line).to_owned(),
    })
}

/// Whether `given` is what a page shows, where `…` stands for anything.
pub fn is_shown(shown: &str, given: &str) -> bool {
    let (shown, mut rest) = (shown.trim_end(), given.trim_end());
    let mut parts = shown.split('…');
    let Some(after) = parts.next().and_then(|first| rest.strip_prefix(first)) else { return false };
    rest = after;
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
    for (shown, given) in
        [("a\n", "a"), ("…", ""), ("a…", "abc"), ("{…,\"b\":1}", "{\"a\":2,\"b\":1}"), ("a…b…c", "a1b2c")]
    {
        assert!(is_shown(shown, given), "{shown} {given}");
    }
    for (shown, given) in [("a", "b"), ("a", "ab"), ("a…", "ba"), ("a…c", "ab"), ("a…b…c", "a1c"), ("", "a")] {
        assert!(!is_shown(shown, given), "{shown} {given}");
    }
}

#[test]
fn an_error_is_told_from_a_text() {
    assert_eq!(raw("\"{\\\"id\\\":1}\"\n"), Ok("{\"id\":1}".into()));
    assert_eq!(raw("(integer) 3\n"), Ok("3".into()));
    assert_eq!(raw("OK\n"), Ok("OK".into()));
    assert_eq!(raw("(error) PGDOWN default\n"), Err("PGDOWN default".into()));
    assert_eq!(raw("Invalid argument(s)\n"), Err("Invalid argument(s)".into()));
}
