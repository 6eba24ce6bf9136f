//! The memo of tables, and the way from a lookup key to a cache key.

use std::rc::Rc;

use crate::cache::{ErrorKind, Relation, TableDefinition};
use crate::engine::catalog::lookup::resolve_keys;
use crate::engine::{resolve_key, ResolvedKey};

use super::cache::{other_table, table, unwatched, Cache};

type Keys = Vec<ResolvedKey<Box<[u8]>>>;

fn cache() -> Cache {
    let mut cache = Cache::new();
    cache.add(table());
    cache
}

fn refusal(cache: &mut Cache, key: &str) -> Option<ErrorKind> {
    let table = cache.table("t");
    let resolved_key = resolve_key(&cache.engine, &table, key.as_bytes());
    resolved_key.err().map(|error| error.kind().clone())
}

fn all(cache: &mut Cache, keys: &str) -> Result<Keys, ErrorKind> {
    let table = cache.table("t");
    resolve_keys(&cache.engine, &table, keys.as_bytes()).map_err(|error| error.kind().clone())
}

fn texts(keys: &Keys) -> Vec<String> {
    keys.iter().map(|key| String::from_utf8_lossy(&key.cache_key).into_owned()).collect()
}

#[test]
fn a_key_is_found_however_its_columns_are_ordered() {
    let mut cache = cache();
    let (one, other) = (r#"{"id":1,"g":"x"}"#, r#"{"g":"x","id":1}"#);
    assert_eq!(cache.cache_key("t", one), cache.cache_key("t", other));
}

#[test]
fn the_values_of_a_key_are_plain_where_its_rules_spell_them() {
    let mut cache = cache();
    let resolved_key = cache.resolve_key("t", r#"{"id":"01"}"#);
    assert!(!resolved_key.needs_postgres);
    assert_eq!(resolved_key.values().expect("they are plain").first().map(|value| &**value), Some("1"));
}

#[test]
fn the_values_of_a_key_are_json_where_postgresql_spells_them() {
    let mut cache = cache();
    let resolved_key = cache.resolve_key("t", r#"{"k":"A"}"#);
    assert!(resolved_key.needs_postgres);
    assert_eq!(resolved_key.values().expect("they are JSON").first().map(|value| &**value), Some("\"A\""));
}

#[test]
fn columns_that_do_not_exist_are_refused() {
    assert_eq!(refusal(&mut cache(), r#"{"nope":1}"#), Some(ErrorKind::NoColumn));
}

#[test]
fn values_that_a_column_cannot_have_are_refused() {
    for key in [r#"{"id":1.5}"#, r#"{"id":2147483648}"#, r#"{"id":true}"#] {
        assert_eq!(refusal(&mut cache(), key), Some(ErrorKind::BadValue), "{key}");
    }
}

#[test]
fn what_is_no_lookup_key_is_refused() {
    for key in ["", "1", "[]", "{}", "{", r#"{"id":1"#, r#"{"id":1,"id":2}"#, r#"{"id":1}x"#, "\u{0}"] {
        assert_eq!(refusal(&mut cache(), key), Some(ErrorKind::Malformed), "{key:?}");
    }
}

#[test]
fn many_keys_are_found_in_their_order() {
    let mut cache = cache();
    let keys = all(&mut cache, r#"[{"id":2}, {"id":1} ,{"id":2}]"#).expect("they are keys");
    assert_eq!(texts(&keys), ["pg_cache:t:{\"id\":2}", "pg_cache:t:{\"id\":1}", "pg_cache:t:{\"id\":2}"]);
}

#[test]
fn many_keys_may_have_different_columns() {
    let mut cache = cache();
    let keys = all(&mut cache, r#"[{"id":2},{"k":"a"},{"id":3}]"#).expect("they are keys");
    assert_eq!(keys.iter().map(|key| key.needs_postgres).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn no_keys_are_an_empty_array() {
    assert_eq!(all(&mut cache(), " [ ] ").map(|keys| keys.len()), Ok(0));
}

#[test]
fn an_array_with_one_wrong_key_is_refused() {
    let mut cache = cache();
    assert_eq!(all(&mut cache, r#"[{"id":2},{"id":true}]"#).err(), Some(ErrorKind::BadValue));
    assert_eq!(all(&mut cache, r#"[{"id":2},]"#).err(), Some(ErrorKind::Malformed));
    assert_eq!(all(&mut cache, r#"[{"id":2}"#).err(), Some(ErrorKind::Malformed));
}

#[test]
fn an_array_of_too_many_keys_is_refused() {
    let mut cache = Cache::with(&["max_multiread_keys", "2"]);
    cache.add(table());
    assert_eq!(all(&mut cache, r#"[{"id":1},{"id":2}]"#).map(|keys| keys.len()), Ok(2));
    assert_eq!(all(&mut cache, r#"[{"id":1},{"id":2},{"id":3}]"#).err(), Some(ErrorKind::Malformed));
}

#[test]
fn keys_that_no_unique_key_names_have_a_generation_of_their_own() {
    let mut cache = cache();
    let key = String::from_utf8_lossy(&cache.cache_key("t", r#"{"g":"x"}"#)).into_owned();
    assert!(key.starts_with("pg_cache:t@") && key.ends_with(r#":{"g":"x"}"#), "{key}");
}

#[test]
fn of_an_unwatched_table_they_have_none() {
    let mut cache = Cache::new();
    cache.add(unwatched());
    assert_eq!(&*cache.cache_key("t", r#"{"g":"x"}"#), br#"pg_cache:t:{"g":"x"}"#);
}

#[test]
fn a_table_knows_the_keys_of_its_generation() {
    let mut cache = cache();
    let table = cache.table("t");
    assert_eq!(table.lookup_key_in(br#"pg_cache:t:{"id":1}"#), Some(&br#"{"id":1}"#[..]));
    assert_eq!(table.lookup_key_in(br#"pg_cache:t@5:{"id":1}"#), None);
    assert_eq!(table.lookup_key_in(br#"pg_cache:u:{"id":1}"#), None);
}

#[test]
fn a_spelling_is_found_until_its_table_is_gone() {
    let mut cache = cache();
    let table = cache.table("t");
    cache.engine.catalog.tables.remember(b"public.t", &table);
    assert!(cache.engine.catalog.tables.find(b"public.t").is_some_and(|found| Rc::ptr_eq(&found, &table)));
    assert!(cache.engine.catalog.tables.forget(0, 1).is_some());
    assert!(
        cache.engine.catalog.tables.find(b"public.t").is_none() && cache.engine.catalog.tables.find(b"t").is_none()
    );
    assert!(cache.engine.catalog.tables.forget(0, 1).is_none());
}

#[test]
fn all_spellings_follow_a_new_generation() {
    let mut cache = cache();
    let table = cache.table("t");
    cache.engine.catalog.tables.remember(b"public.t", &table);
    let new = cache.engine.start_epoch(&cache.store, &table);
    for name in [&b"t"[..], b"public.t"] {
        assert!(cache.engine.catalog.tables.find(name).is_some_and(|found| Rc::ptr_eq(&found, &new)));
    }
    assert_eq!((new.id, cache.engine.catalog.tables.len()), (table.id, 1));
}

#[test]
fn any_number_of_spellings_is_one_table() {
    let mut cache = cache();
    let table = cache.table("t");
    for number in 0..10_001 {
        cache.engine.catalog.tables.remember(format!("s{number}").as_bytes(), &table);
    }
    assert!(cache.engine.catalog.tables.find(b"s0").is_none(), "the memo of names has started anew");
    assert!(cache.engine.catalog.tables.find(b"s10000").is_some());
    assert_eq!(cache.engine.catalog.tables.len(), 1);
}

#[test]
fn any_number_of_key_columns_may_be_asked_for() {
    let mut cache = Cache::new();
    let mut definition = table();
    for number in 0..80 {
        let mut column = definition.columns[0].clone();
        column.name = format!("c{number}");
        definition.columns.push(column);
    }
    cache.add(definition);
    for number in 0..80 {
        cache.resolve_key("t", &format!(r#"{{"c{number}":1}}"#));
    }
    assert!(cache.cache_key("t", r#"{"c0":1}"#).ends_with(br#"{"c0":1}"#));
}

#[test]
fn changes_of_a_partition_concern_its_table_and_no_other() {
    let mut cache = cache();
    cache.add(TableDefinition { concerns: vec![2, 3], ..other_table() });
    let names = |oid| {
        let found = cache.engine.catalog.tables.concerned_by(0, &Relation::Oid(oid));
        found.iter().map(|table| table.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!((names(1), names(3), names(4)), (vec!["t".into()], vec!["u".into()], vec![]));
}

#[test]
fn tables_of_another_source_are_not_concerned() {
    let mut cache = cache();
    assert_eq!(cache.engine.catalog.tables.concerned_by(1, &Relation::Oid(1)).len(), 0);
    assert_eq!(cache.engine.catalog.tables.of_source(1).count(), 0);
    assert_eq!(cache.engine.catalog.tables.of_source(0).count(), 1);
    cache.tick();
}
