//! Tests of `definition`.
#![allow(clippy::unwrap_used)]

use super::*;

fn refusal(name: &str, value: &str) -> String {
    Definition::named(name).unwrap().check(name, value).unwrap_err().to_string()
}

#[test]
fn every_default_is_a_right_value() {
    for definition in ALL {
        assert!(definition.check(definition.name, definition.default).is_ok(), "{}", definition.name);
    }
}

#[test]
fn every_name_stands_once() {
    let names: std::collections::BTreeSet<_> = ALL.iter().map(|d| d.name).collect();
    assert_eq!(names.len(), ALL.len());
}

#[test]
fn a_refusal_says_what_would_be_right() {
    assert_eq!(refusal("pg_port", "0"), "pg_port must be a whole number from 1 to 65535, not \"0\"");
    assert_eq!(
        refusal("pg_sslmode", "allow"),
        "pg_sslmode must be one of disable, prefer, require, verify-ca, verify-full, not \"allow\""
    );
}

#[test]
fn a_mistyped_word_comes_with_the_nearest_one() {
    for (name, value, meant) in [
        ("pg_sslmode", "verify_full", "verify-full"),
        ("on_gap", "serv", "serve"),
        ("events", "cache_hit,misses", "cache_miss"),
        ("disabled_plugins", "stat", "stats"),
    ] {
        let start = format!("{name} cannot be \"{value}\": did you mean {meant}? It must be ");
        assert!(refusal(name, value).starts_with(&start), "{}", refusal(name, value));
    }
    assert_eq!(refusal("query", "everything"), "query must be one of off, named, any, not \"everything\"");
}

#[test]
fn bad_values_are_refused() {
    for (name, value) in [
        ("default_ttl", "-1"),
        ("default_ttl", "2147483648"),
        ("default_ttl", "1.5"),
        ("default_ttl", ""),
        ("pool_size", "99999999999999999999"),
        ("cache_prefix", ""),
        ("cache_prefix", "a{b}"),
        ("cache_prefix", "a*"),
        ("cache_prefix", "a\n"),
        ("pg_host", ""),
        ("pg_host", "a\0b"),
        ("events", "hits"),
        ("http_port", "65536"),
        ("http_bind", "localhost"),
        ("http_bind", "127.0.0.1:80"),
        ("http_bind", ""),
        ("test_hooks", "1"),
    ] {
        assert!(!refusal(name, value).is_empty());
    }
}

#[test]
fn a_secret_is_not_shown_when_refused() {
    assert!(!refusal("pg_password", "hunter2\0").contains("hunter2"));
}
