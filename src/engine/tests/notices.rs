//! Change notices: what they name is not served again.

use super::cache::{row_of, table, Cache, Read};

const ONE: &str = r#"{"v":1}"#;
const OLD: &str = r#"{"v":"old"}"#;
const NEW: &str = r#"{"v":"new"}"#;

fn hit(row: &str) -> Read {
    Read::Hit(row.into())
}

#[test]
fn a_row_is_served_until_a_notice_names_it() {
    let mut cache = Cache::new();
    cache.add(table());
    assert_eq!(cache.load("t", r#"{"id":1}"#, ONE), Read::Waits(1));
    assert_eq!(cache.read("t", r#"{"id":1}"#), hit(ONE));
    cache.changed(1, &[r#"{"id":1,"k":"a"}"#]);
    assert_eq!(cache.read("t", r#"{"id":1}"#), Read::Waits(2));
}

#[test]
fn a_load_that_began_before_a_notice_is_not_stored() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.read("t", r#"{"id":1}"#);
    cache.changed(1, &[r#"{"id":1,"k":"a"}"#]);
    cache.land_row(OLD);
    assert_eq!(cache.answers(), [(1, Ok(Some(OLD.into())))]);
    assert_eq!(cache.read("t", r#"{"id":1}"#), Read::Waits(2));
}

#[test]
fn who_waits_for_a_superseded_load_gets_what_the_next_one_brings() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.read("t", r#"{"id":1}"#);
    cache.changed(1, &[r#"{"id":1,"k":"a"}"#]);
    cache.read("t", r#"{"id":1}"#);
    let loads = cache.loads();
    cache.land(loads[0], Ok(row_of(OLD)));
    assert_eq!(cache.answers(), []);
    cache.land(loads[1], Ok(row_of(NEW)));
    assert_eq!(cache.answers(), [(1, Ok(Some(NEW.into()))), (2, Ok(Some(NEW.into())))]);
}
