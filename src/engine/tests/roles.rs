//! Masters that become replicas, and the other way round.

use crate::cache::lease::Gap;
use crate::engine::store::memory::Role;
use crate::workers::mail::FeedEvent;

use super::cache::{table, Cache, Read};

const ROW: &str = r#"{"v":1}"#;

#[test]
fn a_gap_that_tables_have_not_followed_outlives_the_end_of_mastership() {
    let mut cache = Cache::new();
    cache.add(table());
    cache.load("t", r#"{"id":1}"#, ROW);
    cache.feed(FeedEvent::Gap(Gap::Overflow));
    cache.set_role(Role::Replica);
    assert_eq!(cache.read("t", r#"{"id":1}"#), Read::Waits(2));
}
